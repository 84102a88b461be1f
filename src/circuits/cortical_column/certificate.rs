//! A stability proof for a whole column out of one small proof for each layer, in time linear in the number of layers.
//!
//! Layer `l` has weights `D_l = I_k (x) diag(1, d_l)` with `sym(D_l (R_l^{-1} - W_l)) >= delta_l D_l R_l^{-1}`, which by
//! symmetry is a statement about two 2 x 2 matrices. The column's weights are `s_l D_l`. With a wanted margin `delta`
//! below every `delta_l`, what layer `l` has left is `s_l (delta_l - delta)/rho_l |x_El|^2`; half of it pays for the
//! coupling to either neighbour. The coupling costs `s_{l+1} g_l x_E,l+1 . x_E,l`, so that it is enough that
//! `s_{l+1}/s_l <= (delta_l - delta)(delta_{l+1} - delta)/(rho_l rho_{l+1} g_l^2)`.

use std::fmt;

use ndarray::Array1;

use super::super::LateralInhibition;
use super::super::outward::{add_down, add_up, div_down, mul_down, mul_up};
use super::CorticalColumn;
use crate::Scalar;
use crate::error::{Error, Result};

/// The proof for one layer: `D = I_k (x) diag(1, ratio)` certifies it with this margin.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LayerCertificate {
    /// Weight of an I neuron where an E neuron has 1.
    pub ratio: f64,
    /// The proved margin of the layer.
    pub margin: f64,
}

/// A proof that a [`CorticalColumn`] is Lyapunov diagonally stable with a margin (theory 3.3), for every input.
///
/// The weights of the layers fall geometrically, beyond the range of floating-point numbers for deep columns; so what is
/// stored is how much smaller each layer's weights are than those of the layer before.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ColumnCertificate {
    layers: Vec<LayerCertificate>,
    steps: Vec<f64>,
    margin: f64,
}

impl<A: Scalar> CorticalColumn<A> {
    /// Certifies the column with half the margin of its weakest layer; `None` if a layer is not Lyapunov diagonally
    /// stable, or so close to the border that rounding hides on which side it is.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded.
    pub fn certify(&self) -> Result<Option<ColumnCertificate>> {
        self.certify_margin(self.margin()?.to_double().max(0.0) / 2.0)
    }

    /// Certifies the column with this margin, `0 <= margin`; `None` if that is more than the column has.
    ///
    /// The closer the margin is to the largest possible one, the faster the weights fall from layer to layer.
    ///
    /// # Errors
    /// A negative margin, or an activation whose slopes are unbounded.
    pub fn certify_margin(&self, margin: f64) -> Result<Option<ColumnCertificate>> {
        super::super::parameters::magnitude("margin", margin)?;
        let mut layers = Vec::with_capacity(self.depth());
        for layer in self.layers() {
            let largest = layer.margin()?.to_double();
            if largest <= margin {
                return Ok(None);
            }
            let of_layer = margin + (largest - margin) / 2.0;
            let Some(ratio) = layer.certifying_ratio(A::of(of_layer))? else { return Ok(None) };
            layers.push(LayerCertificate { ratio: ratio.to_double(), margin: of_layer });
        }
        let steps = (0..self.couplings().len())
            .map(|l| Ok(self.largest_step(l, &layers, margin)?.min(1.0)))
            .collect::<Result<Vec<_>>>()?;
        let certificate = ColumnCertificate { layers, steps, margin };
        Ok(certificate.verify(self).is_ok().then_some(certificate))
    }

    /// A lower bound of the largest `s_{l+1}/s_l` that the coupling after layer `l` allows.
    fn largest_step(&self, l: usize, layers: &[LayerCertificate], margin: f64) -> Result<f64> {
        let gain = self.couplings()[l].gain.to_double();
        let left_for = |l: usize| {
            let rho = self.layers()[l].slope_bounds()?[0].to_double();
            Ok::<_, Error>(div_down(div_down(add_down(layers[l].margin, -margin), rho), gain).max(0.0))
        };
        Ok(mul_down(left_for(l)?, left_for(l + 1)?))
    }
}

impl ColumnCertificate {
    /// The proofs of the layers, input layer first.
    pub fn layers(&self) -> &[LayerCertificate] {
        &self.layers
    }

    /// `s_{l+1}/s_l`: by how much the weights of each layer are smaller than those of the layer before.
    pub fn steps(&self) -> &[f64] {
        &self.steps
    }

    /// The proved margin `delta` of the column.
    pub fn margin(&self) -> f64 {
        self.margin
    }

    /// The weights `D` of all neurons of a column with `columns` columns, shape `[2 k L]`, 1 for the E neurons of the first
    /// layer. `None` if those of the last layers are too small for a normal floating-point number.
    pub fn weights(&self, columns: usize) -> Option<Array1<f64>> {
        let mut scale = 1.0;
        let mut weights = Vec::with_capacity(2 * columns * self.layers.len());
        for (l, layer) in self.layers.iter().enumerate() {
            if l > 0 {
                scale *= self.steps[l - 1];
            }
            let pair = [scale, scale * layer.ratio];
            if !pair.iter().all(|d| d.is_normal()) {
                return None;
            }
            weights.extend(pair.iter().cycle().take(2 * columns));
        }
        Some(Array1::from_vec(weights))
    }

    /// Proves the column stable from this certificate alone, in `O(L)` operations with outward rounding: the inequalities
    /// hold for the exact numbers that the column's parameters are.
    ///
    /// # Errors
    /// [`Error::NotProved`] with the first inequality that fails; an activation whose slopes are unbounded.
    pub fn verify<A: Scalar>(&self, column: &CorticalColumn<A>) -> Result<()> {
        let not = |reason: String| Err(Error::NotProved { reason });
        if self.layers.len() != column.depth() || self.steps.len() + 1 != self.layers.len() {
            return not(format!("it speaks of {} layers, the column has {}", self.layers.len(), column.depth()));
        }
        if !(self.margin >= 0.0 && self.margin.is_finite()) {
            return not(format!("its margin is {}", self.margin));
        }
        for (l, (proof, layer)) in self.layers.iter().zip(column.layers()).enumerate() {
            if !(proof.margin > self.margin && proof.holds(layer)?) {
                return not(format!("layer {l} is not shown to have the margin {}", proof.margin));
            }
        }
        for (l, &step) in self.steps.iter().enumerate() {
            if !(step > 0.0 && step <= column.largest_step(l, &self.layers, self.margin)?) {
                return not(format!("the weights fall by {step} from layer {l} to the next, which is too little"));
            }
        }
        Ok(())
    }
}

impl LayerCertificate {
    /// Whether `(b - d c)^2 <= 4 d alpha gamma` in exact arithmetic for both modes, `alpha` and `gamma` at this margin.
    fn holds<A: Scalar>(&self, layer: &LateralInhibition<A>) -> Result<bool> {
        let [rho_e, rho_i] = layer.slope_bounds()?.map(|rho| rho.to_double());
        let d = self.ratio;
        if !(d > 0.0 && d.is_finite() && self.margin.is_finite() && self.margin < 1.0) {
            return Ok(false);
        }
        let rest = add_down(1.0, -self.margin);
        let alpha = add_down(div_down(rest, rho_e), -layer.w_ee().to_double());
        let gamma = add_down(div_down(rest, rho_i), layer.w_ii().to_double());
        if !(alpha > 0.0 && gamma > 0.0) {
            return Ok(false);
        }
        let available = mul_down(mul_down(4.0, d), mul_down(alpha, gamma));
        let (c, own, lateral) = (layer.w_ie().to_double(), layer.w_ei().to_double(), layer.w_ei_lateral().to_double());
        let others = (layer.columns() - 1) as f64;
        let common = [add_down(own, mul_down(others, lateral)), add_up(own, mul_up(others, lateral))];
        let difference = [add_down(own, -lateral), add_up(own, -lateral)];
        Ok([common, difference].iter().all(|[low, high]| {
            let off = add_up(*high, -mul_down(d, c)).max(add_up(mul_up(d, c), -*low));
            mul_up(off, off) <= available
        }))
    }
}

impl fmt::Display for ColumnCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} layers, proved stable with margin {}", self.layers.len(), self.margin)
    }
}
