//! A stability proof of the circuit that is checked in a handful of operations.

use std::fmt;

use ndarray::Array1;

use super::super::parameters::{countable, magnitude};
use super::super::proof::of_network;
use super::LateralInhibition;
use crate::Scalar;
use crate::error::{Error, Result};
use crate::linalg::rounding::{add_down, add_up, div_down, mul_down, mul_up};
use crate::stability::{Certificate, Condition, Implication, IntoSubject, NetworkCertificate};

/// A proof that `D = I_k (x) diag(1, ratio)` certifies the circuit with this margin (theory 3.3, 6.2), for every input.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RatioCertificate {
    pub(in crate::circuits) ratio: f64,
    pub(in crate::circuits) margin: f64,
}

/// A certificate as it stands in a file.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
pub(in crate::circuits) struct Stored {
    ratio: f64,
    margin: f64,
}

#[cfg(feature = "serde")]
impl TryFrom<Stored> for RatioCertificate {
    type Error = Error;

    fn try_from(Stored { ratio, margin }: Stored) -> Result<Self> {
        Ok(Self { ratio, margin })
    }
}

#[cfg(feature = "serde")]
crate::stability::read_as_claim!(RatioCertificate, Stored);

/// What the stability of a [`LateralInhibition`] rests on, whatever its precision: the subject of its certificates.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerParameters {
    w_ee: f64,
    w_ei: f64,
    w_ei_lateral: f64,
    w_ie: f64,
    w_ii: f64,
    columns: usize,
    pub(in crate::circuits) rho_e: f64,
    rho_i: f64,
}

impl LayerParameters {
    pub(in crate::circuits) fn of<A: Scalar>(circuit: &LateralInhibition<A>) -> Result<Self> {
        let [rho_e, rho_i] = circuit.proved_slopes()?.map(Scalar::to_double);
        Ok(Self {
            w_ee: circuit.w_ee().to_double(),
            w_ei: circuit.w_ei().to_double(),
            w_ei_lateral: circuit.w_ei_lateral().to_double(),
            w_ie: circuit.w_ie().to_double(),
            w_ii: circuit.w_ii().to_double(),
            columns: circuit.columns(),
            rho_e,
            rho_i,
        })
    }
}

impl<'a, A: Scalar> IntoSubject<'a, LayerParameters> for &'a LateralInhibition<A> {
    fn into_subject(self) -> Result<LayerParameters> {
        LayerParameters::of(self)
    }
}

impl<A: Scalar> LateralInhibition<A> {
    /// Proves the circuit stable with half of its largest margin, in a time that does not depend on the number of columns;
    /// `None` if the circuit is not Lyapunov diagonally stable, or so close to the border that rounding hides on which
    /// side it is.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded, known from samples only, or all zero.
    pub fn certify(&self) -> Result<Option<RatioCertificate>> {
        self.certify_margin(self.margin()?.to_double().max(0.0) / 2.0)
    }

    /// Proves this margin, `0 <= margin`; `None` if it is more than the circuit has.
    ///
    /// # Errors
    /// A negative margin; an activation whose slopes are unbounded, known from samples only, or all zero.
    pub fn certify_margin(&self, margin: f64) -> Result<Option<RatioCertificate>> {
        magnitude("margin", margin)?;
        let Some(ratio) = self.certifying_ratio(A::of(margin))? else { return Ok(None) };
        let certificate = RatioCertificate { ratio: ratio.to_double(), margin };
        Ok(certificate.verify(self).is_ok().then_some(certificate))
    }
}

impl Certificate for RatioCertificate {
    type Subject<'a> = LayerParameters;

    fn verify(&self, subject: &LayerParameters) -> Result<()> {
        self.verify_parameters(subject)
    }

    fn margin(&self) -> Option<f64> {
        Some(self.margin)
    }

    fn implies(&self) -> Implication {
        Condition::DiagonalStability.implies()
    }
}

impl RatioCertificate {
    /// Weight of an I neuron where an E neuron has 1.
    pub fn ratio(&self) -> f64 {
        self.ratio
    }

    /// The proved margin `delta`.
    pub fn margin(&self) -> f64 {
        self.margin
    }

    /// The weights `D` of all neurons of a circuit with this number of columns, shape `[2k]`.
    ///
    /// # Errors
    /// More columns than memory can hold.
    pub fn weights(&self, columns: usize) -> Result<Array1<f64>> {
        let n = 2 * countable::<f64>("columns", columns, 2)?;
        Ok(Array1::from_shape_fn(n, |i| if i % 2 == 0 { 1.0 } else { self.ratio }))
    }

    /// This proof as a certificate of the circuit's [`network`](LateralInhibition::network), whatever its input, which
    /// [`FiringRateNetwork::verify`](crate::network::FiringRateNetwork::verify) proves again in `O(k^3)`. Its margin is this one, or next
    /// to the border of stability what of it survives the rounding errors of that check.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), and [`Error::NotCertified`] if the margin is 0, or the network's check proves none above 0.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::circuits::LateralInhibition;
    /// let circuit = LateralInhibition::builder(2).w_ee(0.5).w_ei(1.0).w_ei_lateral(0.5).w_ie(1.0).build()?;
    /// let certificate = circuit.certify()?.expect("the circuit is stable").network(&circuit)?;
    /// let network = circuit.network(&array![1.0, 0.5])?;
    /// let rest = network.equilibrium().certificate(&certificate).solve()?;
    /// assert!(rest.report().error_bound.is_some());
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn network<A: Scalar>(&self, circuit: &LateralInhibition<A>) -> Result<NetworkCertificate> {
        self.verify(circuit)?;
        let network = circuit.network(&Array1::zeros(circuit.columns()))?;
        of_network(&network, self.weights(circuit.columns())?, self.margin)
    }

    /// Proves `sym(D (R^{-1} - W)) >= margin D R^{-1}` for the exact numbers that the circuit's parameters are, and that both sides
    /// differ: with outward rounding, `(b - d c)^2 < 4 d alpha gamma` for both modes.
    ///
    /// # Errors
    /// [`Error::NotProved`] if the inequality fails, or cannot be told in floating-point arithmetic; an activation whose
    /// slopes are unbounded, known from samples only, or all zero.
    pub fn verify<A: Scalar>(&self, circuit: &LateralInhibition<A>) -> Result<()> {
        self.verify_parameters(&LayerParameters::of(circuit)?)
    }

    pub(in crate::circuits) fn verify_parameters(&self, layer: &LayerParameters) -> Result<()> {
        let not = || Error::NotProved { reason: format!("{self} is not shown for this circuit") };
        let d = self.ratio;
        if !(d > 0.0 && d.is_finite() && self.margin >= 0.0 && self.margin < 1.0) {
            return Err(not());
        }
        let rest = add_down(1.0, -self.margin);
        let alpha = add_down(div_down(rest, layer.rho_e), -layer.w_ee);
        let gamma = add_down(div_down(rest, layer.rho_i), layer.w_ii);
        if !(alpha > 0.0 && gamma > 0.0) {
            return Err(not());
        }
        let available = mul_down(mul_down(4.0, d), mul_down(alpha, gamma));
        let (c, own, lateral) = (layer.w_ie, layer.w_ei, layer.w_ei_lateral);
        let others = (layer.columns - 1) as f64;
        let common = [add_down(own, mul_down(others, lateral)), add_up(own, mul_up(others, lateral))];
        let difference = [add_down(own, -lateral), add_up(own, -lateral)];
        let proved = [common, difference].iter().all(|[low, high]| {
            let off = add_up(*high, -mul_down(d, c)).max(add_up(mul_up(d, c), -*low));
            mul_up(off, off) < available
        });
        if proved { Ok(()) } else { Err(not()) }
    }
}

impl fmt::Display for RatioCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stability with weights 1 (E) and {} (I), margin {}", self.ratio, self.margin)
    }
}
