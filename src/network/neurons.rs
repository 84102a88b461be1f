//! Neurons without their interaction: populations with their activations, and time constants.

use std::borrow::Cow;
use std::ops::Range;

use ndarray::{Array1, ArrayViewMut1};

use super::population::{Members, Population};
use crate::Scalar;
use crate::activation::{self, ActivationCost, SlopeRange};
use crate::check::positive_vector;
use crate::error::{Error, Result};

/// Time constants and activations of `n` neurons, checked once.
#[derive(Debug)]
pub(crate) struct Neurons<A> {
    pub(crate) time_constants: Array1<A>,
    pub(crate) populations: Vec<Population<A>>,
    /// The population that each neuron belongs to.
    pub(crate) population_of: Vec<u32>,
}

impl<A: Scalar> Neurons<A> {
    /// Time constants of 1 if none are given.
    pub(crate) fn new(n: usize, time_constants: Option<Array1<A>>, populations: Vec<Population<A>>) -> Result<Self> {
        let time_constants = time_constants.unwrap_or_else(|| Array1::ones(n));
        positive_vector("time_constants", time_constants.view(), n)?;
        let population_of = assign(&populations, n)?;
        for population in &populations {
            activation::check(&*population.activation, &format!("population {}", population.name))?;
        }
        Ok(Self { time_constants, populations, population_of })
    }

    pub(crate) fn len(&self) -> usize {
        self.population_of.len()
    }

    pub(crate) fn activation(&self, neuron: usize) -> &dyn ActivationCost<A> {
        &*self.populations[self.population_of[neuron] as usize].activation
    }

    /// Replaces every `z_i` by `phi_i(z_i)`.
    pub(crate) fn activate(&self, z: ArrayViewMut1<'_, A>) {
        self.map_populations(z, |activation, _, part| activation.activate_slice(part));
    }

    /// Replaces every `z_i` by `phi_i'(z_i)`.
    pub(crate) fn slopes(&self, z: ArrayViewMut1<'_, A>) {
        self.map_populations(z, |activation, _, part| activation.derivative_slice(part));
    }

    /// Replaces every `z_i` by what `after` makes of `phi_i` of what `before` makes of it, in one pass over the memory.
    ///
    /// Both get neighbouring neurons and their values.
    pub(crate) fn activate_between(
        &self,
        z: ArrayViewMut1<'_, A>,
        before: impl Fn(Range<usize>, &mut [A]) + Sync,
        after: impl Fn(Range<usize>, &mut [A]) + Sync,
    ) {
        let each = |neurons: &Part<'_>, part: &mut [A], f: &(dyn Fn(Range<usize>, &mut [A]) + Sync)| match neurons {
            Part::Range(range) => f(range.clone(), part),
            Part::List(list) => {
                list.iter().zip(part).for_each(|(&i, v)| f(i..i + 1, std::slice::from_mut(v)));
            }
        };
        self.map_populations(z, |activation, neurons, part| {
            each(&neurons, part, &before);
            activation.activate_slice(part);
            each(&neurons, part, &after);
        });
    }

    /// Applies one call per population, or per part of a large one: in place for neighbours, through a buffer for scattered
    /// members.
    fn map_populations(
        &self,
        mut z: ArrayViewMut1<'_, A>,
        f: impl Fn(&dyn ActivationCost<A>, Part<'_>, &mut [A]) + Sync,
    ) {
        for population in &self.populations {
            let activation = &*population.activation;
            match (&population.members, z.as_slice_mut()) {
                (Members::Range(range), Some(slice)) => in_chunks(&mut slice[range.clone()], |start, part| {
                    let start = range.start + start;
                    f(activation, Part::Range(start..start + part.len()), part);
                }),
                (members, _) => {
                    let members: Cow<'_, [usize]> = match members {
                        Members::Range(range) => Cow::Owned(range.clone().collect()),
                        Members::List(list) => Cow::Borrowed(list),
                    };
                    let mut buffer: Vec<A> = members.iter().map(|&i| z[i]).collect();
                    in_chunks(&mut buffer, |start, part| {
                        f(activation, Part::List(&members[start..start + part.len()]), part);
                    });
                    for (&i, v) in members.iter().zip(buffer) {
                        z[i] = v;
                    }
                }
            }
        }
    }

    pub(crate) fn slope_ranges(&self) -> Vec<SlopeRange<A>> {
        let of_population: Vec<_> = self.populations.iter().map(|p| p.activation.slope_range()).collect();
        self.population_of.iter().map(|&p| of_population[p as usize]).collect()
    }

    /// `rho`, or the error that names the activation without a bound.
    pub(crate) fn slope_bounds(&self, needed_by: &str) -> Result<Array1<A>> {
        self.bounds_of_populations(|slopes, name| slopes.bounded(name, needed_by))
    }

    /// `rho` as proofs need them: known and above 0.
    pub(crate) fn proved_slopes(&self, needed_by: &str) -> Result<Array1<A>> {
        self.bounds_of_populations(|slopes, name| slopes.proved(name, needed_by))
    }

    fn bounds_of_populations(&self, bound: impl Fn(SlopeRange<A>, &str) -> Result<A>) -> Result<Array1<A>> {
        let mut bounds = Array1::zeros(self.len());
        for population in &self.populations {
            let rho = bound(population.activation.slope_range(), &population.activation.name())?;
            for i in population.members.iter() {
                bounds[i] = rho;
            }
        }
        Ok(bounds)
    }
}

/// The neurons of a part of a population.
enum Part<'a> {
    Range(Range<usize>),
    List(&'a [usize]),
}

/// Applies `f` to the places and values of neighbouring parts of a slice, on several threads if it is long.
fn in_chunks<A: Send>(slice: &mut [A], f: impl Fn(usize, &mut [A]) + Sync) {
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;
        const CHUNK: usize = 1 << 13;
        if slice.len() > 2 * CHUNK {
            slice.par_chunks_mut(CHUNK).enumerate().for_each(|(k, part)| f(k * CHUNK, part));
            return;
        }
    }
    f(0, slice);
}

/// Each neuron's population; every neuron must have exactly one.
fn assign<A>(populations: &[Population<A>], n: usize) -> Result<Vec<u32>> {
    const NONE: u32 = u32::MAX;
    let mut population_of = vec![NONE; n];
    for (p, population) in populations.iter().enumerate() {
        let argument = || format!("population {}", population.name);
        if population.members.is_empty() {
            return Err(Error::Empty { argument: argument() });
        }
        if populations[..p].iter().any(|q| q.name == population.name) {
            return Err(Error::invalid("population name", &population.name, "names that differ from each other"));
        }
        for i in population.members.iter() {
            match population_of.get_mut(i) {
                None => return Err(Error::invalid(argument(), format!("given neuron {i}"), format!("neurons 0..{n}"))),
                Some(seat) if *seat != NONE => {
                    return Err(Error::invalid(
                        argument(),
                        format!("given neuron {i}, which is taken"),
                        "each neuron in one population only",
                    ));
                }
                Some(seat) => *seat = p as u32,
            }
        }
    }
    match population_of.iter().position(|&p| p == NONE) {
        Some(i) => Err(Error::invalid(
            "activation",
            format!("missing for neuron {i}"),
            "one activation for all, or populations that cover every neuron",
        )),
        None => Ok(population_of),
    }
}
