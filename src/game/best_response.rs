//! What is best for a neuron while the others stay as they are.

use std::fmt;

use ndarray::{Array1, ArrayBase, Data, Ix1};

use super::NeuralGame;
use super::alone::Alone;
use crate::Scalar;
use crate::activation::Domain;
use crate::error::Result;

/// The rates that minimise a neuron's energy globally while the others stay as they are (theory 2.1).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub enum BestResponse<A> {
    /// The energy has a minimum.
    Attained {
        /// All minimisers in increasing order. A single rate has equal ends; an interval is one over which the energy
        /// is constant to rounding. Energies within rounding of each other count as equal, and minimisers closer than
        /// about `8 sqrt(epsilon)` as one.
        minimisers: Vec<Domain<A>>,
        /// The least energy.
        #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
        energy: A,
    },
    /// The energy falls for ever, or beyond the largest numbers of the type, so there is no best response. For
    /// activations whose [growth](crate::activation::ActivationCost::growth) is not known this is a judgement by
    /// samples.
    Unbounded {
        /// The end of the domain towards which it falls, `+inf` or `-inf`; `+inf` if it falls towards both.
        #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
        towards: A,
    },
}

impl<A: Scalar> BestResponse<A> {
    pub(super) fn attained(minimisers: Vec<Domain<A>>, energy: A) -> Self {
        BestResponse::Attained { minimisers, energy }
    }

    pub(super) fn unbounded(towards: A) -> Self {
        BestResponse::Unbounded { towards }
    }

    /// One best response, the one of least magnitude (the positive one of two); `None` if the energy is unbounded
    /// below.
    pub fn rate(&self) -> Option<A> {
        let nearest = |d: &Domain<A>| A::zero().max(d.lower).min(d.upper);
        let smaller = |p: A, q: A| if q.abs() <= p.abs() { q } else { p };
        self.minimisers().iter().map(nearest).reduce(smaller)
    }

    /// All minimisers in increasing order; empty if the energy is unbounded below.
    pub fn minimisers(&self) -> &[Domain<A>] {
        match self {
            BestResponse::Attained { minimisers, .. } => minimisers,
            BestResponse::Unbounded { .. } => &[],
        }
    }

    /// The infimum of the energy: `-inf` if it is unbounded below.
    pub fn energy(&self) -> A {
        match self {
            BestResponse::Attained { energy, .. } => *energy,
            BestResponse::Unbounded { .. } => A::neg_infinity(),
        }
    }

    /// Whether there is exactly one best response.
    pub fn is_unique(&self) -> bool {
        matches!(self.minimisers(), [only] if only.lower == only.upper)
    }
}

impl<A: Scalar> fmt::Display for BestResponse<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BestResponse::Unbounded { towards } => write!(f, "none: the energy falls for ever towards {towards}"),
            BestResponse::Attained { minimisers, energy } => {
                for (k, m) in minimisers.iter().enumerate() {
                    f.write_str(if k == 0 { "" } else { " or " })?;
                    if m.lower == m.upper {
                        write!(f, "{}", m.lower)?;
                    } else {
                        write!(f, "anything in [{}, {}]", m.lower, m.upper)?;
                    }
                }
                write!(f, " at energy {energy}")
            }
        }
    }
}

/// The best responses of all neurons to the same rates.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct BestResponses<A> {
    /// One best response of each neuron, shape `[n]`: [`BestResponse::rate`], or the infinite end of the domain towards
    /// which the energy falls for ever.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::array"))]
    pub rates: Array1<A>,
    /// The least energies, shape `[n]`; `-inf` where the energy is unbounded below.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::array"))]
    pub energies: Array1<A>,
    /// The neurons with several best responses or none, with all that is known about them.
    pub special: Vec<(usize, BestResponse<A>)>,
}

impl<A: Scalar> BestResponses<A> {
    /// The neurons whose energy is unbounded below.
    pub fn unbounded(&self) -> impl Iterator<Item = usize> + '_ {
        self.special.iter().filter(|(_, response)| response.rate().is_none()).map(|(i, _)| *i)
    }

    /// The neurons that have several best responses.
    pub fn ties(&self) -> impl Iterator<Item = (usize, &BestResponse<A>)> {
        self.special.iter().filter(|(_, response)| response.rate().is_some()).map(|(i, response)| (*i, response))
    }
}

impl<A: Scalar> fmt::Display for BestResponses<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "best responses {}", self.rates)?;
        for (i, response) in &self.special {
            write!(f, "\nneuron {i}: {response}")?;
        }
        Ok(())
    }
}

impl<A: Scalar> NeuralGame<A> {
    /// The best response of one neuron to the rates `x`, shape `[n]`, of the others; for synapses, one row of `W`.
    ///
    /// With `w_ii rho_i < 1` it is the one solution of `s = phi_i(w_ii s + c_i)`. Otherwise the global minimiser is
    /// found by exhaustive subdivision, ties included (theory 2.1). For interactions that are not affine in the neuron's own
    /// rate, [`Own`](super::Own) says how.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::{Relu, Tanh};
    /// use neuronash::game::BestResponse;
    /// use neuronash::network::FiringRateNetwork;
    ///
    /// let torn = FiringRateNetwork::builder(array![[2.0]]).activation(Tanh::new()).build()?;
    /// assert_eq!(torn.game().best_response(0, &array![0.0])?.minimisers().len(), 2);
    ///
    /// let runaway = FiringRateNetwork::builder(array![[2.0]]).activation(Relu).build()?;
    /// let response = runaway.game().best_response(0, &array![0.0])?;
    /// assert_eq!(response, BestResponse::Unbounded { towards: f64::INFINITY });
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    ///
    /// # Errors
    /// A neuron that does not exist, rates of the wrong length or not finite, or at which an interaction other than synapses
    /// gives NaN for a drive.
    pub fn best_response<S: Data<Elem = A>>(&self, neuron: usize, x: &ArrayBase<S, Ix1>) -> Result<BestResponse<A>> {
        Ok(self.alone(neuron, x)?.minimise())
    }

    /// The best responses of all neurons to the rates `x`, shape `[n]`; for synapses, one product by `W`.
    ///
    /// # Errors
    /// As [`best_response`](Self::best_response).
    pub fn best_responses<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<BestResponses<A>> {
        Ok(gather(&self.each_alone(x)?))
    }
}

pub(super) fn gather<A: Scalar>(own: &[Alone<'_, A>]) -> BestResponses<A> {
    let n = own.len();
    let mut all = BestResponses { rates: Array1::zeros(n), energies: Array1::zeros(n), special: Vec::new() };
    for (i, response) in minimise_each(own).into_iter().enumerate() {
        all.energies[i] = response.energy();
        all.rates[i] = match &response {
            BestResponse::Unbounded { towards } => *towards,
            attained => attained.rate().unwrap_or_else(A::nan),
        };
        if !response.is_unique() {
            all.special.push((i, response));
        }
    }
    all
}

fn minimise_each<A: Scalar>(own: &[Alone<'_, A>]) -> Vec<BestResponse<A>> {
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;
        own.par_iter().with_min_len(256).map(Alone::minimise).collect()
    }
    #[cfg(not(feature = "rayon"))]
    own.iter().map(Alone::minimise).collect()
}
