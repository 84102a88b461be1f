//! Lateral inhibition: columns of one excitatory and one inhibitory neuron that compete through their inhibition
//! (theory 6).

mod certificate;
mod condition;
mod contrast;
mod response;
mod winner;

#[cfg(feature = "serde")]
pub(in crate::circuits) use certificate::Stored as StoredRatio;
pub use certificate::{LayerParameters, RatioCertificate};
pub(super) use contrast::Pattern;
pub use contrast::{contrast, contrast_after, variation};
pub use response::LateralResponse;
pub use winner::Winner;

use std::fmt;
use std::sync::Arc;

use ndarray::{Array1, Array2, ArrayBase, Data, Ix1};

use self::condition::{Exact, Modes};
use super::WilsonCowan;
use super::parameters::{magnitude, positive, two_activations};
use crate::Scalar;
use crate::activation::{self, ActivationCost, Relu};
use crate::check::finite;
use crate::error::{Error, Result};
use crate::network::{FiringRateNetwork, Members, Weights};

/// `k` columns, each an excitatory (E) and an inhibitory (I) neuron; every I inhibits its own E and all the other E.
///
/// `tau_E x_Ej' = -x_Ej + phi_E(a x_Ej - b_s x_Ij - b_l sum_{i != j} x_Ii + u_j)`,
/// `tau_I x_Ij' = -x_Ij + phi_I(c x_Ej - e x_Ij)`, with `a = w_EE`, `b_s` = own and `b_l` = lateral inhibition, `c = w_IE`,
/// `e = w_II`. Neurons are numbered `E1, I1, E2, I2, ...`; the input `u` has one entry per column and reaches the E neurons.
///
/// ```
/// use ndarray::array;
/// use neuronash::circuits::LateralInhibition;
///
/// let circuit = LateralInhibition::builder(2).w_ee(0.5).w_ei(1.0).w_ei_lateral(0.5).w_ie(1.0).build()?;
/// assert!(circuit.is_diagonally_stable()?);
/// // (p + B c)/(p + beta c) with p = 0.5, B = 1.5, beta = 0.5.
/// assert_eq!(circuit.contrast_gain()?, Some(2.0));
/// let network = circuit.network(&array![1.01, 0.99])?;
/// assert_eq!(network.len(), 4);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LateralInhibition<A: Scalar> {
    parts: LateralInhibitionBuilder<A>,
}

/// Gathers the parameters of a [`LateralInhibition`]; all are checked at [`build`](Self::build).
#[derive(Debug, Clone)]
#[must_use]
pub struct LateralInhibitionBuilder<A: Scalar> {
    columns: usize,
    w_ee: A,
    w_ei: A,
    w_ei_lateral: A,
    w_ie: A,
    w_ii: A,
    tau_e: A,
    tau_i: A,
    phi_e: Arc<dyn ActivationCost<A>>,
    phi_i: Arc<dyn ActivationCost<A>>,
}

/// How strongly E rates follow the E inputs, mode by mode (theory 6.1).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct ModalGains<A> {
    /// `G_c`: change of every E rate per unit of input common to all columns.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub common: A,
    /// `G_d`: change of a difference of E rates per unit difference of inputs.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub difference: A,
}

/// The open interval of `d` for which the weights `D = I_k (x) diag(1, d)` certify the circuit (theory 6.2).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct CertifyingRatios<A> {
    /// Every certifying `d` is above this (0 or more).
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub lower: A,
    /// Every certifying `d` is below this (infinite when E does not excite I).
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub upper: A,
}

two_activations!(LateralInhibition, LateralInhibitionBuilder);

impl<A: Scalar> LateralInhibition<A> {
    /// Starts a circuit of `columns >= 2` columns: weights 0, time constants 1, ReLU neurons.
    pub fn builder(columns: usize) -> LateralInhibitionBuilder<A> {
        LateralInhibitionBuilder {
            columns,
            w_ee: A::zero(),
            w_ei: A::zero(),
            w_ei_lateral: A::zero(),
            w_ie: A::zero(),
            w_ii: A::zero(),
            tau_e: A::one(),
            tau_i: A::one(),
            phi_e: Arc::new(Relu),
            phi_i: Arc::new(Relu),
        }
    }

    /// A builder that holds this circuit's parameters, to change some of them.
    pub fn to_builder(&self) -> LateralInhibitionBuilder<A> {
        self.parts.clone()
    }

    /// Number of columns `k`.
    pub fn columns(&self) -> usize {
        self.parts.columns
    }

    /// Self-excitation `a = w_EE`.
    pub fn w_ee(&self) -> A {
        self.parts.w_ee
    }

    /// Inhibition `b_s` of a column's E by its own I.
    pub fn w_ei(&self) -> A {
        self.parts.w_ei
    }

    /// Inhibition `b_l` of a column's E by every other column's I.
    pub fn w_ei_lateral(&self) -> A {
        self.parts.w_ei_lateral
    }

    /// Excitation `c = w_IE` of a column's I by its E.
    pub fn w_ie(&self) -> A {
        self.parts.w_ie
    }

    /// Self-inhibition `e = w_II`.
    pub fn w_ii(&self) -> A {
        self.parts.w_ii
    }

    /// Time constant of the E neurons.
    pub fn tau_e(&self) -> A {
        self.parts.tau_e
    }

    /// Time constant of the I neurons.
    pub fn tau_i(&self) -> A {
        self.parts.tau_i
    }

    /// The synaptic matrix, shape `[2k, 2k]`, with signs.
    pub fn weights(&self) -> Array2<A> {
        let p = &self.parts;
        Array2::from_shape_fn((2 * p.columns, 2 * p.columns), |(i, j)| match (i % 2, j % 2, i / 2 == j / 2) {
            (0, 0, true) => p.w_ee,
            (0, 1, true) => -p.w_ei,
            (0, 1, false) => -p.w_ei_lateral,
            (1, 0, true) => p.w_ie,
            (1, 1, true) => -p.w_ii,
            _ => A::zero(),
        })
    }

    /// The circuit as a network with populations `E` and `I`; `input` has shape `[k]` and reaches the E neurons.
    ///
    /// # Errors
    /// An input of the wrong length or with entries that are not finite.
    pub fn network<S: Data<Elem = A>>(&self, input: &ArrayBase<S, Ix1>) -> Result<FiringRateNetwork<A>> {
        let (p, n) = (&self.parts, 2 * self.parts.columns);
        crate::check::finite_vector("input", input.view(), p.columns)?;
        let every_other = |first: usize| Members::List((first..n).step_by(2).collect());
        FiringRateNetwork::builder(Weights::dense(&self.weights())?)
            .time_constants(&Array1::from_shape_fn(n, |i| if i % 2 == 0 { p.tau_e } else { p.tau_i }))
            .input(&Array1::from_shape_fn(n, |i| if i % 2 == 0 { input[i / 2] } else { A::zero() }))
            .shared_population("E", every_other(0), p.phi_e.clone())
            .shared_population("I", every_other(1), p.phi_i.clone())
            .build()
    }

    /// Whether the circuit is Lyapunov diagonally stable, in closed form (theory 6.2): iff `a < 1/rho_E`,
    /// `beta c + p > 0` and `sqrt(B c + p) - sqrt(beta c + p) < 2 sqrt(p)`, with `B = b_s + (k-1) b_l`, `beta = b_s - b_l` and
    /// `p = (1/rho_E - a)(1/rho_I + e)`.
    ///
    /// Decided exactly for the given floating-point numbers and every pair of slope bounds, unless weights are so large or small
    /// that products of them leave the range from 1e-250 to 1e250: there, roundings count. [`certify`](Self::certify) gives a proof.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded, known from samples only, or all zero.
    pub fn is_diagonally_stable(&self) -> Result<bool> {
        let rho = self.proved_slopes()?;
        let p = &self.parts;
        let exact = Exact {
            columns: p.columns as f64,
            w_ee: p.w_ee.to_double(),
            own: p.w_ei.to_double(),
            lateral: p.w_ei_lateral.to_double(),
            w_ie: p.w_ie.to_double(),
            w_ii: p.w_ii.to_double(),
            rho: rho.map(Scalar::to_double),
        };
        Ok(exact.is_stable().unwrap_or_else(|| self.modes(rho).ratios(A::zero()).is_some()))
    }

    /// The interval of `d` for which `D = I_k (x) diag(1, d)` certifies the circuit with this `margin` (0 for bare stability);
    /// `None` if there is no such `d`, and then no other weights either.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded, known from samples only, or all zero; a margin that is not finite.
    pub fn certifying_ratios(&self, margin: A) -> Result<Option<CertifyingRatios<A>>> {
        finite("margin", margin)?;
        Ok(self.modes(self.proved_slopes()?).ratios(margin).map(|(lower, upper)| CertifyingRatios { lower, upper }))
    }

    /// A `d` well inside [`certifying_ratios`](Self::certifying_ratios).
    ///
    /// # Errors
    /// As there.
    pub fn certifying_ratio(&self, margin: A) -> Result<Option<A>> {
        finite("margin", margin)?;
        Ok(self.modes(self.proved_slopes()?).ratio(margin))
    }

    /// The stability margin `delta*` of theory 3.3 in closed form; positive iff the circuit is Lyapunov diagonally stable, up to
    /// rounding: [`is_diagonally_stable`](Self::is_diagonally_stable) decides the sign.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded, known from samples only, or all zero.
    pub fn margin(&self) -> Result<A> {
        Ok(self.modes(self.proved_slopes()?).margin())
    }

    /// The gains where every neuron is active, that is at its steepest (slope 1 for ReLU).
    ///
    /// # Errors
    /// An activation whose slopes are unbounded.
    pub fn gains(&self) -> Result<ModalGains<A>> {
        let [e, i] = self.steepest_slopes()?;
        Ok(self.gains_at(e, i))
    }

    /// The gains around an equilibrium where all E neurons have slope `slope_e` and all I neurons `slope_i`:
    /// `slope_e (1 + slope_i e) / ((1 - slope_e a)(1 + slope_i e) + slope_e slope_i b c)`, `b = B` for the common mode and
    /// `b = beta` for the difference modes.
    pub fn gains_at(&self, slope_e: A, slope_i: A) -> ModalGains<A> {
        let p = &self.parts;
        let inhibition = A::one() + slope_i * p.w_ii;
        let gain =
            |b: A| slope_e * inhibition / ((A::one() - slope_e * p.w_ee) * inhibition + slope_e * slope_i * b * p.w_ie);
        ModalGains { common: gain(self.common_inhibition()), difference: gain(self.difference_inhibition()) }
    }

    /// `Gamma = G_d/G_c = (p + B c)/(p + beta c)`: by this factor one pass through the circuit multiplies the differences between
    /// columns, relative to their mean, while all columns are at their steepest (active, for ReLU). Standard deviation over mean
    /// ([`variation`]) is multiplied by `Gamma` for any number of columns, Michelson [`contrast`] for two; [`contrast_after`] has the law
    /// for more. `None` where a mode is unstable and no such gain exists.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded.
    pub fn contrast_gain(&self) -> Result<Option<A>> {
        let modes = self.modes(self.steepest_slopes()?);
        let [common, difference] = [modes.common, modes.difference].map(|b| modes.p(A::zero()) + b * modes.c);
        Ok((common > A::zero() && difference > A::zero()).then(|| common / difference))
    }

    /// `B = b_s + (k - 1) b_l`, the inhibition that an E gets when all I fire alike.
    pub fn common_inhibition(&self) -> A {
        self.parts.w_ei + A::of((self.parts.columns - 1) as f64) * self.parts.w_ei_lateral
    }

    /// `beta = b_s - b_l`, the inhibition that differences between columns feel.
    pub fn difference_inhibition(&self) -> A {
        self.parts.w_ei - self.parts.w_ei_lateral
    }

    /// The pair of populations that all columns are when they move together: a Wilson-Cowan circuit with the inhibition `B`.
    pub(super) fn common_mode(&self, input: A) -> Result<WilsonCowan<A>> {
        let p = &self.parts;
        WilsonCowan::builder()
            .w_ee(p.w_ee)
            .w_ei(self.common_inhibition())
            .w_ie(p.w_ie)
            .w_ii(p.w_ii)
            .tau_e(p.tau_e)
            .tau_i(p.tau_i)
            .u_e(input)
            .shared_activations(p.phi_e.clone(), p.phi_i.clone())
            .build()
    }

    /// The activations, to be shared.
    pub(super) fn activations(&self) -> (Arc<dyn ActivationCost<A>>, Arc<dyn ActivationCost<A>>) {
        (self.parts.phi_e.clone(), self.parts.phi_i.clone())
    }

    /// `[rho_E, rho_I]`, on which statements about stability rest.
    pub(super) fn proved_slopes(&self) -> Result<[A; 2]> {
        let bound =
            |phi: &dyn ActivationCost<A>| phi.slope_range().proved(&phi.name(), "the stability of lateral inhibition");
        Ok([bound(self.excitatory())?, bound(self.inhibitory())?])
    }

    /// `rho` of every neuron, shape `[2k]`.
    pub(super) fn slopes(&self) -> Result<Array1<A>> {
        let rho = self.proved_slopes()?;
        Ok(Array1::from_shape_fn(2 * self.columns(), |i| rho[i % 2]))
    }

    /// The steepest slopes of E and I, known or sampled: where gains and winners are read.
    fn steepest_slopes(&self) -> Result<[A; 2]> {
        let bound = |phi: &dyn ActivationCost<A>| {
            let rho = phi.slope_range().bounded(&phi.name(), "the gains of lateral inhibition")?;
            positive("the slope bound of an activation", rho)
        };
        Ok([bound(self.excitatory())?, bound(self.inhibitory())?])
    }

    fn modes(&self, [rho_e, rho_i]: [A; 2]) -> Modes<A> {
        Modes {
            self_excitation: self.parts.w_ee * rho_e,
            self_inhibition: self.parts.w_ii * rho_i,
            rho_e,
            rho_i,
            c: self.parts.w_ie,
            common: self.common_inhibition(),
            difference: self.difference_inhibition(),
        }
    }
}

impl<A: Scalar> LateralInhibitionBuilder<A> {
    /// Self-excitation `a = w_EE >= 0`.
    pub fn w_ee(mut self, weight: A) -> Self {
        self.w_ee = weight;
        self
    }

    /// Inhibition `b_s >= 0` of a column's E by its own I.
    pub fn w_ei(mut self, weight: A) -> Self {
        self.w_ei = weight;
        self
    }

    /// Inhibition `b_l >= 0` of a column's E by every other column's I.
    pub fn w_ei_lateral(mut self, weight: A) -> Self {
        self.w_ei_lateral = weight;
        self
    }

    /// Excitation `c = w_IE >= 0` of a column's I by its E.
    pub fn w_ie(mut self, weight: A) -> Self {
        self.w_ie = weight;
        self
    }

    /// Self-inhibition `e = w_II >= 0`.
    pub fn w_ii(mut self, weight: A) -> Self {
        self.w_ii = weight;
        self
    }

    /// Time constant of the E neurons, above 0.
    pub fn tau_e(mut self, tau: A) -> Self {
        self.tau_e = tau;
        self
    }

    /// Time constant of the I neurons, above 0.
    pub fn tau_i(mut self, tau: A) -> Self {
        self.tau_i = tau;
        self
    }

    /// Checks everything once.
    ///
    /// # Errors
    /// Fewer than two columns or more than a weight matrix can have, weights that are negative or not finite, time constants
    /// that are not positive, activations that samples show to decrease or to leave what they declare.
    pub fn build(self) -> Result<LateralInhibition<A>> {
        if self.columns < 2 {
            return Err(Error::invalid("columns", self.columns, "2 or more: lateral inhibition needs a neighbour"));
        }
        let entries = self.columns.checked_mul(self.columns).and_then(|pairs| pairs.checked_mul(4));
        if entries.is_none_or(|entries| entries > isize::MAX as usize / size_of::<A>()) {
            return Err(Error::invalid("columns", self.columns, "numbers whose weight matrix can be addressed"));
        }
        for (name, weight) in [
            ("w_ee", self.w_ee),
            ("w_ei", self.w_ei),
            ("w_ei_lateral", self.w_ei_lateral),
            ("w_ie", self.w_ie),
            ("w_ii", self.w_ii),
        ] {
            magnitude(name, weight)?;
        }
        positive("tau_e", self.tau_e)?;
        positive("tau_i", self.tau_i)?;
        activation::check(&*self.phi_e, "excitatory")?;
        activation::check(&*self.phi_i, "inhibitory")?;
        Ok(LateralInhibition { parts: self })
    }
}

impl<A: Scalar> fmt::Display for LateralInhibition<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p = &self.parts;
        write!(
            f,
            "lateral inhibition, {} columns: w_EE {}, w_EI {} own and {} lateral, w_IE {}, w_II {}, E {}, I {}",
            p.columns,
            p.w_ee,
            p.w_ei,
            p.w_ei_lateral,
            p.w_ie,
            p.w_ii,
            p.phi_e.name(),
            p.phi_i.name()
        )
    }
}

impl<A: Scalar> fmt::Display for ModalGains<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "common mode {}, difference mode {}", self.common, self.difference)
    }
}

impl<A: Scalar> fmt::Display for CertifyingRatios<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} < d < {}", self.lower, self.upper)
    }
}
