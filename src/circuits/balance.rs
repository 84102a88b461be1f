//! Balance of excitation and inhibition in any network, and how well it is regulated (theory 8.1, 8.2).

use std::fmt;

use ndarray::{Array1, Array2, ArrayBase, Data, Ix1};

use crate::Scalar;
use crate::check::finite_vector;
use crate::error::{Error, Result};
use crate::linalg::decimal::AtMost;
use crate::linalg::magnitude::{Magnitude, weighted_norm};
use crate::linalg::rounding::div_up;
use crate::network::{FiringRateNetwork, Population, WeightsView, neurons};
use crate::stability::NetworkCertificate;

/// Excitatory and inhibitory input of every neuron at one state.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Balance<A> {
    excitation: Array1<A>,
    inhibition: Array1<A>,
    populations: Vec<PopulationBalance<A>>,
}

/// Excitatory and inhibitory input of a population, summed over its neurons.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PopulationBalance<A> {
    /// The population's name.
    pub name: String,
    /// Number of neurons.
    pub neurons: usize,
    /// Mean excitatory input of a neuron.
    pub mean_excitation: A,
    /// Mean inhibitory input of a neuron, as a magnitude.
    pub mean_inhibition: A,
    /// Balance index of the summed inputs.
    pub index: A,
    /// Mean magnitude of the neurons' own indices: small only if every neuron is balanced, not just their sum.
    pub mean_magnitude: A,
}

impl<A: Scalar> Balance<A> {
    /// Splits the drive `W x + u` of every neuron into its positive terms `e_i` and its negative terms `-h_i`; `rates` has shape `[n]`.
    /// One pass over the weights.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::circuits::{Balance, WilsonCowan};
    ///
    /// let net = WilsonCowan::builder().w_ee(1.0).w_ei(2.0).w_ie(1.0).u_e(2.0).build()?.network();
    /// let balance = Balance::new(&net, &array![1.0, 1.0])?;
    /// assert_eq!((balance.excitation()[0], balance.inhibition()[0]), (3.0, 2.0));
    /// assert_eq!(balance.index()[0], 0.2);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    ///
    /// # Errors
    /// Rates of the wrong length or that are not finite.
    pub fn new<S: Data<Elem = A>>(network: &FiringRateNetwork<A>, rates: &ArrayBase<S, Ix1>) -> Result<Self> {
        let n = network.len();
        finite_vector("rates", rates.view(), n)?;
        let mut excitation = network.input().mapv(|u| u.max(A::zero()));
        let mut inhibition = network.input().mapv(|u| (-u).max(A::zero()));
        let mut add = |i: usize, term: A| {
            if term > A::zero() { excitation[i] += term } else { inhibition[i] -= term }
        };
        match network.weights().view() {
            WeightsView::Dense(w) => {
                for (i, row) in w.outer_iter().enumerate() {
                    row.iter().zip(rates).for_each(|(&w, &x)| add(i, w * x));
                }
            }
            WeightsView::Sparse(w) => {
                for (i, row) in w.outer_iterator().enumerate() {
                    row.iter().for_each(|(j, &w)| add(i, w * rates[j]));
                }
            }
        }
        let populations = network
            .populations()
            .iter()
            .map(|population| {
                let count = A::of(population.members().len() as f64);
                let sum = |v: &dyn Fn(usize) -> A| population.members().iter().map(v).sum::<A>();
                let (e, h) = (sum(&|i| excitation[i]), sum(&|i| inhibition[i]));
                PopulationBalance {
                    name: population.name().into(),
                    neurons: population.members().len(),
                    mean_excitation: e / count,
                    mean_inhibition: h / count,
                    index: index(e, h),
                    mean_magnitude: sum(&|i| index(excitation[i], inhibition[i]).abs()) / count,
                }
            })
            .collect();
        Ok(Self { excitation, inhibition, populations })
    }

    /// Excitatory inputs `e_i`, shape `[n]`.
    pub fn excitation(&self) -> &Array1<A> {
        &self.excitation
    }

    /// Magnitudes `h_i` of the inhibitory inputs, shape `[n]`.
    pub fn inhibition(&self) -> &Array1<A> {
        &self.inhibition
    }

    /// Balance indices `(e_i - h_i)/(e_i + h_i)` in [-1, 1], shape `[n]`: 1 for excitation alone, -1 for inhibition alone, 0 for
    /// perfect balance and for neurons without any input.
    pub fn index(&self) -> Array1<A> {
        ndarray::Zip::from(&self.excitation).and(&self.inhibition).map_collect(|&e, &h| index(e, h))
    }

    /// Total inputs `e_i + h_i`, shape `[n]`.
    pub fn total(&self) -> Array1<A> {
        &self.excitation + &self.inhibition
    }

    /// The populations of the network, in their order.
    pub fn populations(&self) -> &[PopulationBalance<A>] {
        &self.populations
    }

    /// How tight the balance is: `(e_i + h_i)/(|e_i - h_i| + scale)`, shape `[n]`. `scale > 0` is the drive that counts as large, for
    /// example the one that takes a neuron from silence to a typical rate. Large values need both a large total input and a small
    /// remainder; a neuron without cancellation stays below 1.
    ///
    /// # Errors
    /// A scale that is not a finite number above 0.
    pub fn tightness(&self, scale: A) -> Result<Array1<A>> {
        super::parameters::positive("scale", scale)?;
        Ok(ndarray::Zip::from(&self.excitation)
            .and(&self.inhibition)
            .map_collect(|&e, &h| (e + h) / ((e - h).abs() + scale)))
    }

    /// The neurons in tight balance: `|index| <= largest_index` while the total input is at least `smallest_total`.
    ///
    /// # Errors
    /// A `largest_index` outside [0, 1], or a `smallest_total` that is not a finite number above 0.
    pub fn tightly_balanced(&self, largest_index: A, smallest_total: A) -> Result<Vec<usize>> {
        if !(largest_index >= A::zero() && largest_index <= A::one()) {
            return Err(Error::invalid("largest_index", largest_index, "numbers from 0 to 1"));
        }
        super::parameters::positive("smallest_total", smallest_total)?;
        let pairs = self.excitation.iter().zip(&self.inhibition).enumerate();
        Ok(pairs
            .filter(|(_, (e, h))| index(**e, **h).abs() <= largest_index && **e + **h >= smallest_total)
            .map(|(i, _)| i)
            .collect())
    }
}

/// How the populations answer to each other's input at an equilibrium: entry `[p, q]` is the mean change of rate in population `p` per
/// unit of input to every neuron of population `q`. Shape `[populations, populations]`, in the network's order.
///
/// One solve with the linearisation per population; the response matrix of the neurons is never formed.
///
/// ```
/// use ndarray::array;
/// use neuronash::circuits::{LateralInhibition, balance};
///
/// let circuit = LateralInhibition::builder(3).w_ee(0.5).w_ei(1.0).w_ei_lateral(0.2).w_ie(1.0).build()?;
/// let net = circuit.network(&array![1.0, 1.0, 1.0])?;
/// let x = net.equilibrium().solve()?.into_state();
/// let response = balance::population_response(&net, &x)?;
/// // Input common to all columns meets the common-mode gain.
/// let expected: f64 = circuit.gains()?.common;
/// assert!((response[[0, 0]] - expected).abs() < 1e-12);
/// # Ok::<(), neuronash::Error>(())
/// ```
///
/// # Errors
/// Rates of the wrong length or that are not finite; [`Error::Singular`] if the equilibrium has no response, as at a fold.
pub fn population_response<A: Scalar, S: Data<Elem = A>>(
    network: &FiringRateNetwork<A>,
    rates: &ArrayBase<S, Ix1>,
) -> Result<Array2<A>> {
    let response = network.response(rates)?;
    let populations = network.populations();
    let mut matrix = Array2::zeros((populations.len(), populations.len()));
    for (q, driven) in populations.iter().enumerate() {
        let mut input = Array1::zeros(network.len());
        driven.members().iter().for_each(|j| input[j] = A::one());
        let change = response.apply(&input)?;
        for (p, listening) in populations.iter().enumerate() {
            let sum: A = listening.members().iter().map(|i| change[i]).sum();
            matrix[[p, q]] = sum / A::of(listening.members().len() as f64);
        }
    }
    Ok(matrix)
}

/// How far input can move the equilibrium of a certified network, for every input and however far (theory 3.4, 8.2).
///
/// ```
/// use ndarray::array;
/// use neuronash::circuits::WilsonCowan;
/// use neuronash::circuits::balance::{RegulationBound, population_response};
///
/// let net = WilsonCowan::builder().w_ee(0.5).w_ei(2.0).w_ie(2.0).u_e(1.0).build()?.network();
/// let certificate = net.certify()?.into_certificate()?;
/// let bound = RegulationBound::new(&net, &certificate)?;
/// let x = net.equilibrium().solve()?.into_state();
/// let response: f64 = population_response(&net, &x)?[[0, 0]];
/// assert!(response.abs() <= bound.populations[[0, 0]]);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RegulationBound {
    /// `1/delta`: `|x* - x**|_{D/R}` is at most this times `|R v|_{D/R}` when the input changes by `v`.
    pub gain: f64,
    /// Entry `[p, q]`: the mean rate of population `p` changes by at most this much when no input outside population `q` changes,
    /// and none in it by more than 1. Shape `[populations, populations]`, in the network's order; rounded outward.
    pub populations: Array2<f64>,
}

impl RegulationBound {
    /// Reads the bound off a certificate of the network. For population `p` of `m` neurons, by Cauchy's inequality,
    /// `sqrt(sum_{i in p} rho_i/d_i) sqrt(sum_{j in q} d_j rho_j) / (m delta)`.
    ///
    /// # Errors
    /// A certificate of other weights or of smaller slopes.
    pub fn new<A: Scalar>(network: &FiringRateNetwork<A>, certificate: &NetworkCertificate) -> Result<Self> {
        network.lyapunov(certificate)?;
        let (d, rho) = (certificate.weights(), certificate.slope_bounds());
        let populations = network.populations();
        let roots = |term: &dyn Fn(usize) -> (f64, f64, f64)| -> Vec<Magnitude> {
            let terms = |p: &Population<A>| p.members().iter().map(term).collect::<Vec<_>>();
            populations.iter().map(|p| weighted_norm(terms(p).into_iter())).collect()
        };
        let (heard, said) = (roots(&|i| (1.0, rho[i], d[i])), roots(&|j| (rho[j], d[j], rho[j])));
        let margin = certificate.margin();
        let matrix = Array2::from_shape_fn((populations.len(), populations.len()), |(p, q)| {
            let divisor = [populations[p].members().len() as f64, margin].map(Magnitude::of);
            divisor.into_iter().fold(heard[p].times(said[q]), Magnitude::over).upper()
        });
        Ok(Self { gain: div_up(1.0, margin), populations: matrix })
    }
}

impl fmt::Display for RegulationBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "gain at most {:.4} in the certificate's norm; between populations {:.4}",
            AtMost(self.gain),
            self.populations.mapv(AtMost)
        )
    }
}

fn index<A: Scalar>(e: A, h: A) -> A {
    let total = e + h;
    if total == A::zero() { A::zero() } else { (e - h) / total }
}

impl<A: Scalar> fmt::Display for Balance<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for p in &self.populations {
            writeln!(
                f,
                "{} ({}): excitation {:.4}, inhibition {:.4}, index {:+.4}, mean magnitude {:.4}",
                p.name,
                neurons(p.neurons),
                p.mean_excitation,
                p.mean_inhibition,
                p.index,
                p.mean_magnitude
            )?;
        }
        Ok(())
    }
}
