//! A stability proof for a whole column out of one small proof for each layer, in time linear in the number of layers.
//!
//! Layer `l` has weights `D_l = I_k (x) diag(1, d_l)` with `sym(D_l (R_l^{-1} - W_l)) >= delta_l D_l R_l^{-1}`, which by
//! symmetry is a statement about two 2 x 2 matrices. The column's weights are `s_l D_l`. With a wanted margin `delta`
//! below every `delta_l`, what layer `l` has left is `s_l (delta_l - delta)/rho_l |x_El|^2`; half of it pays for the
//! coupling to either neighbour. The coupling costs `s_{l+1} g_l x_E,l+1 . x_E,l`, so that it is enough that
//! `s_{l+1}/s_l <= (delta_l - delta)(delta_{l+1} - delta)/(rho_l rho_{l+1} g_l^2)`.

use std::fmt;

use ndarray::Array1;

#[cfg(feature = "serde")]
use super::super::lateral_inhibition::StoredRatio;
use super::super::lateral_inhibition::{LayerParameters, RatioCertificate};
use super::super::parameters::{countable, magnitude};
use super::super::proof::of_network;
use super::CorticalColumn;
use crate::Scalar;
use crate::error::{Error, Result};
use crate::linalg::rounding::{add_down, div_down, mul_down};
use crate::stability::diagonal::{Refutation, Verdict, certify};
use crate::stability::{Certificate, Condition, Implication, IntoSubject, NetworkCertificate};

/// Whether a [`CorticalColumn`] is Lyapunov diagonally stable, with the proof.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum ColumnVerdict {
    /// It is.
    Stable(ColumnCertificate),
    /// It is not, because one layer is not.
    NotStable(ColumnRefutation),
    /// A layer is so close to the border that rounding hides on which side it is.
    Undecided {
        /// Number of that layer, counted from 0.
        layer: usize,
    },
}

/// A proof that a [`CorticalColumn`] is Lyapunov diagonally stable with a margin (theory 3.3), for every input.
///
/// The weights of the layers fall geometrically, beyond the range of floating-point numbers for deep columns; so what is
/// stored is how much smaller each layer's weights are than those of the layer before.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ColumnCertificate {
    layers: Vec<RatioCertificate>,
    steps: Vec<f64>,
    margin: f64,
}

/// A proof that one layer, and with it the column, is not Lyapunov diagonally stable: a witness for the layer, with zeros for
/// all other neurons, is a witness for the column.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ColumnRefutation {
    layer: usize,
    refutation: Refutation,
}

impl<A: Scalar> CorticalColumn<A> {
    /// Decides the column layer by layer, and certifies it with half the margin of its weakest layer.
    ///
    /// `O(L)` for a stable column; the general engine is asked about the first layer that is not stable only.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded, known from samples only, or all zero.
    pub fn certify(&self) -> Result<ColumnVerdict> {
        if let Some(certificate) = self.certify_margin(self.margin()?.to_double().max(0.0) / 2.0)? {
            return Ok(ColumnVerdict::Stable(certificate));
        }
        let mut suspect = 0;
        for (l, layer) in self.layers().iter().enumerate() {
            if layer.certify()?.is_none() {
                suspect = l;
                if let Verdict::NotStable(refutation) = certify((&layer.weights(), &layer.slopes()?))? {
                    return Ok(ColumnVerdict::NotStable(ColumnRefutation { layer: l, refutation }));
                }
            }
        }
        Ok(ColumnVerdict::Undecided { layer: suspect })
    }

    /// Certifies the column with this margin, `0 <= margin`; `None` if that is more than the column has.
    ///
    /// The closer the margin is to the largest possible one, the faster the weights fall from layer to layer.
    ///
    /// # Errors
    /// A negative margin; an activation whose slopes are unbounded, known from samples only, or all zero.
    pub fn certify_margin(&self, margin: f64) -> Result<Option<ColumnCertificate>> {
        magnitude("margin", margin)?;
        let mut layers = Vec::with_capacity(self.depth());
        for layer in self.layers() {
            let largest = layer.margin()?.to_double();
            if largest <= margin {
                return Ok(None);
            }
            let Some(proof) = layer.certify_margin(margin + (largest - margin) / 2.0)? else { return Ok(None) };
            layers.push(proof);
        }
        let parameters = ColumnParameters::of(self)?;
        let step = |l: usize| power_of_two_below(parameters.largest_step(l, &layers, margin).min(1.0));
        let steps = (0..parameters.gains.len()).map(step).collect();
        let certificate = ColumnCertificate { layers, steps, margin };
        Ok(certificate.verify_parameters(&parameters).is_ok().then_some(certificate))
    }
}

/// What the stability of a [`CorticalColumn`] rests on, whatever its precision: the subject of its certificates.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnParameters {
    layers: Vec<LayerParameters>,
    /// From each layer to the next.
    gains: Vec<f64>,
}

impl ColumnParameters {
    fn of<A: Scalar>(column: &CorticalColumn<A>) -> Result<Self> {
        let layers = column.layers().iter().map(LayerParameters::of).collect::<Result<_>>()?;
        Ok(Self { layers, gains: column.couplings().iter().map(|coupling| coupling.gain.to_double()).collect() })
    }

    /// A lower bound of the largest `s_{l+1}/s_l` that the coupling after layer `l` allows.
    fn largest_step(&self, l: usize, layers: &[RatioCertificate], margin: f64) -> f64 {
        let gain = self.gains[l];
        let left_for = |l: usize| {
            let rho = self.layers[l].rho_e;
            div_down(div_down(add_down(layers[l].margin, -margin), rho), gain).max(0.0)
        };
        mul_down(left_for(l), left_for(l + 1))
    }
}

impl<'a, A: Scalar> IntoSubject<'a, ColumnParameters> for &'a CorticalColumn<A> {
    fn into_subject(self) -> Result<ColumnParameters> {
        ColumnParameters::of(self)
    }
}

/// A certificate as it stands in a file.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Stored {
    layers: Vec<StoredRatio>,
    steps: Vec<f64>,
    margin: f64,
}

#[cfg(feature = "serde")]
impl TryFrom<Stored> for ColumnCertificate {
    type Error = Error;

    fn try_from(Stored { layers, steps, margin }: Stored) -> Result<Self> {
        let layers = layers.into_iter().map(RatioCertificate::try_from).collect::<Result<_>>()?;
        Ok(Self { layers, steps, margin })
    }
}

#[cfg(feature = "serde")]
crate::stability::read_as_claim!(ColumnCertificate, Stored);

impl Certificate for ColumnCertificate {
    type Subject<'a> = ColumnParameters;

    fn verify(&self, subject: &ColumnParameters) -> Result<()> {
        self.verify_parameters(subject)
    }

    fn margin(&self) -> Option<f64> {
        Some(self.margin)
    }

    fn implies(&self) -> Implication {
        Condition::DiagonalStability.implies()
    }
}

/// The largest power of two up to a positive normal number; 0 for any other.
fn power_of_two_below(x: f64) -> f64 {
    if x.is_normal() && x > 0.0 { f64::from_bits(x.to_bits() & (0x7ff << 52)) } else { 0.0 }
}

impl ColumnVerdict {
    /// The certificate, if the column is stable.
    pub fn certificate(&self) -> Option<&ColumnCertificate> {
        match self {
            ColumnVerdict::Stable(certificate) => Some(certificate),
            _ => None,
        }
    }
}

impl ColumnCertificate {
    /// The proofs of the layers, input layer first.
    pub fn layers(&self) -> &[RatioCertificate] {
        &self.layers
    }

    /// `s_{l+1}/s_l`: by how much the weights of each layer are smaller than those of the layer before. Powers of two, so that
    /// [`weights`](Self::weights) are free of rounding errors.
    pub fn steps(&self) -> &[f64] {
        &self.steps
    }

    /// The proved margin `delta` of the column.
    pub fn margin(&self) -> f64 {
        self.margin
    }

    /// The weights `D` of all neurons of a column with `columns` columns, shape `[2 k L]`, 1 for the E neurons of the first
    /// layer. `None` if those of the last layers are too small for a normal floating-point number.
    ///
    /// # Errors
    /// More columns than memory can hold.
    pub fn weights(&self, columns: usize) -> Result<Option<Array1<f64>>> {
        countable::<f64>("columns", columns, self.layers.len().saturating_mul(2))?;
        let mut scale = 1.0;
        let mut weights = Vec::with_capacity(2 * columns * self.layers.len());
        for (l, layer) in self.layers.iter().enumerate() {
            if l > 0 {
                scale *= self.steps[l - 1];
            }
            let pair = [scale, scale * layer.ratio];
            if !pair.iter().all(|d| d.is_normal()) {
                return Ok(None);
            }
            weights.extend(pair.iter().cycle().take(2 * columns));
        }
        Ok(Some(Array1::from_vec(weights)))
    }

    /// This proof as a certificate of the column's [`network`](CorticalColumn::network), whatever its input, which
    /// [`FiringRateNetwork::verify`](crate::network::FiringRateNetwork::verify) proves again. Its margin is this one, or next to the
    /// border of stability what of it survives the rounding errors of that check.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), and [`Error::NotCertified`] if the margin is 0, the weights of the last layers are too small for
    /// `f64`, or the network's check proves no margin above 0, as for networks that are too large for it.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::circuits::LateralInhibition;
    /// use neuronash::circuits::cortical_column::{CorticalColumn, Coupling};
    /// let layer = LateralInhibition::builder(2).w_ee(0.5).w_ei(1.0).w_ei_lateral(0.5).w_ie(1.0).build()?;
    /// let column = CorticalColumn::uniform(layer, 3, Coupling { gain: 1.0, offset: 0.0 })?;
    /// let verdict = column.certify()?;
    /// let certificate = verdict.certificate().expect("every layer is stable").network(&column)?;
    /// let network = column.network(&array![1.0, 0.9])?;
    /// assert!(network.lyapunov(&certificate)?.decay_rate() > 0.0);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn network<A: Scalar>(&self, column: &CorticalColumn<A>) -> Result<NetworkCertificate> {
        self.verify(column)?;
        let Some(weights) = self.weights(column.columns())? else {
            let reason = format!("{self}, but the weights of the last layers are too small for f64");
            return Err(Error::NotCertified { reason });
        };
        let network = column.network(&Array1::zeros(column.columns()))?;
        of_network(&network, weights, self.margin)
    }

    /// Proves the column stable from this certificate alone, in `O(L)` operations with outward rounding: the inequalities
    /// hold for the exact numbers that the column's parameters are.
    ///
    /// # Errors
    /// [`Error::NotProved`] with the first inequality that fails; an activation whose slopes are unbounded, known from samples
    /// only, or all zero.
    pub fn verify<A: Scalar>(&self, column: &CorticalColumn<A>) -> Result<()> {
        self.verify_parameters(&ColumnParameters::of(column)?)
    }

    fn verify_parameters(&self, column: &ColumnParameters) -> Result<()> {
        let not = |reason: String| Err(Error::NotProved { reason });
        if self.layers.len() != column.layers.len() || self.steps.len() + 1 != self.layers.len() {
            return not(format!("it speaks of {} layers, the column has {}", self.layers.len(), column.layers.len()));
        }
        if !(self.margin >= 0.0 && self.margin.is_finite()) {
            return not(format!("its margin is {}", self.margin));
        }
        for (l, (proof, layer)) in self.layers.iter().zip(&column.layers).enumerate() {
            proof.verify_parameters(layer)?;
            if proof.margin <= self.margin {
                return not(format!("layer {l} has no more margin than the column"));
            }
        }
        for (l, &step) in self.steps.iter().enumerate() {
            if step != power_of_two_below(step) {
                return not(format!(
                    "the step {step} after layer {l} is not a power of two, which weights multiply exactly"
                ));
            }
            if !(step > 0.0 && step <= column.largest_step(l, &self.layers, self.margin)) {
                return not(format!("the weights fall by {step} from layer {l} to the next, which is too little"));
            }
        }
        Ok(())
    }
}

impl ColumnRefutation {
    /// Number of the layer that is not stable, counted from 0.
    pub fn layer(&self) -> usize {
        self.layer
    }

    /// The proof for that layer, of `2k` neurons.
    pub fn refutation(&self) -> &Refutation {
        &self.refutation
    }

    /// Proves again that the column is not Lyapunov diagonally stable.
    ///
    /// # Errors
    /// [`Error::NotProved`] if it is not shown; an activation whose slopes are unbounded, known from samples only, or all zero.
    pub fn verify<A: Scalar>(&self, column: &CorticalColumn<A>) -> Result<()> {
        let Some(layer) = column.layers().get(self.layer) else {
            return Err(Error::NotProved { reason: format!("the column has no layer {}", self.layer) });
        };
        self.refutation.verify((&layer.weights(), &layer.slopes()?))
    }
}

impl fmt::Display for ColumnCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} layers, proved stable with margin {}", self.layers.len(), self.margin)
    }
}

impl fmt::Display for ColumnRefutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "layer {} is proved not to be diagonally stable", self.layer)
    }
}

impl fmt::Display for ColumnVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnVerdict::Stable(certificate) => write!(f, "{certificate}"),
            ColumnVerdict::NotStable(refutation) => write!(f, "{refutation}"),
            ColumnVerdict::Undecided { layer } => write!(f, "undecided: layer {layer} is at the border"),
        }
    }
}
