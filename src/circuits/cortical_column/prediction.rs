//! Contrast layer by layer in closed form, as far as the modes of the layers are independent (theory 6.1, 7.2).
//!
//! The common mode of a layer is a Wilson-Cowan pair with the inhibition `B`; its equilibrium for the mean input is the operating point.
//! Differences between columns pass with the gain of the slopes there. Where all neurons stay on one linear piece of their
//! activations the sum of both is the state of the layer, and where they do not it is not: so it is put into the layer's
//! equations before anything is said.

use std::fmt;

use ndarray::{Array1, ArrayBase, Data, Ix1};

use super::super::lateral_inhibition::{LateralInhibition, contrast};
use super::super::parameters::magnitude;
use super::CorticalColumn;
use crate::Scalar;
use crate::error::{Error, Result};

/// The contrasts of the layers of a [`CorticalColumn`] as far as they follow in closed form.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PredictedContrast<A> {
    /// Michelson contrast of the E rates, one entry for each layer, input layer first, up to where the law ends.
    pub layers: Vec<A>,
    /// Where the law ends, if it does not hold for the whole column.
    pub end: Option<LawEnd>,
}

/// Why contrasts are predicted no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum LawEnd {
    /// In the last layer of the list a column is silent, and its contrast is 1; or all are, and it is 0.
    Silence,
    /// In the layer after the list, not all neurons stay on one linear piece of their activations (one saturates while another
    /// does not, for example), so that common and difference mode mix. [`CorticalColumn::respond`] solves such layers.
    Bend,
}

impl<A: Scalar> CorticalColumn<A> {
    /// The contrast of the E rates, layer by layer: common and difference mode pass each layer on their own, with the gains at
    /// the layer's operating point, which is solved for. The list ends with the layer in which a column falls silent (contrast
    /// 1; or 0, if all do), and before a layer in which an activation bends between the columns, as where one of them saturates:
    /// there the law does not hold, and nothing is predicted.
    ///
    /// For two columns and no offsets this is theory 7.2: each layer multiplies the contrast by its gain. For more columns it is
    /// [`contrast_after`](super::super::lateral_inhibition::contrast_after).
    ///
    /// # Errors
    /// An input of the wrong length or with entries that are negative or not finite, a silent input, a layer with an
    /// unstable mode, an activation whose slopes are unbounded, or whose rates are negative.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::ClippedLinear;
    /// use neuronash::circuits::LateralInhibition;
    /// use neuronash::circuits::cortical_column::{CorticalColumn, Coupling, LawEnd};
    /// let layer = LateralInhibition::<f64>::builder(2).w_ee(0.5).w_ei(1.0).w_ei_lateral(0.5).w_ie(1.0)
    ///     .excitatory(ClippedLinear::new(0.0, 0.8)?)
    ///     .build()?;
    /// let column = CorticalColumn::uniform(layer, 6, Coupling { gain: 2.0, offset: 0.0 })?;
    /// let predicted = column.predicted_contrast(&array![1.05, 0.95])?;
    /// // 0.1, 0.2, 0.4; in the fourth layer the stronger column is at its ceiling of 0.8.
    /// assert_eq!((predicted.layers.len(), predicted.end), (3, Some(LawEnd::Bend)));
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn predicted_contrast<S: Data<Elem = A>>(&self, input: &ArrayBase<S, Ix1>) -> Result<PredictedContrast<A>> {
        crate::check::finite_vector("input", input.view(), self.columns())?;
        contrast(input)?;
        if input.iter().all(|u| *u == A::zero()) {
            return Err(Error::invalid("input", "zero in every column", "at least one positive entry"));
        }
        let mut u = input.to_owned();
        let mut layers = Vec::new();
        for (l, layer) in self.layers().iter().enumerate() {
            if layer.contrast_gain()?.is_none() {
                return Err(Error::invalid(format!("layers[{l}]"), layer, "circuits whose modes are stable"));
            }
            let Some(rates) = modal_rates(layer, &u)? else {
                let end = match silenced(layer, &u) {
                    Some(contrast) => {
                        layers.push(contrast);
                        LawEnd::Silence
                    }
                    None => LawEnd::Bend,
                };
                return Ok(PredictedContrast { layers, end: Some(end) });
            };
            layers.push(contrast(&rates)?);
            if rates.iter().all(|x| *x == A::zero()) {
                return Ok(PredictedContrast { layers, end: Some(LawEnd::Silence) });
            }
            if let Some(coupling) = self.couplings().get(l) {
                u = rates.mapv(|x| coupling.gain * x + coupling.offset);
            }
        }
        Ok(PredictedContrast { layers, end: None })
    }

    /// Number of layers after which the predicted contrast reaches `target`; `None` if this column is not deep enough.
    ///
    /// # Errors
    /// As [`predicted_contrast`](Self::predicted_contrast), a target outside `(0, 1]`, or a layer at which the prediction ends
    /// below the target because its law does not hold there ([`LawEnd::Bend`]).
    pub fn layers_needed<S: Data<Elem = A>>(&self, input: &ArrayBase<S, Ix1>, target: A) -> Result<Option<usize>> {
        if !(target > A::zero() && target <= A::one()) {
            return Err(Error::invalid("target", target, "contrasts above 0 and at most 1"));
        }
        let slack = A::one() - A::of(64.0) * A::epsilon();
        let predicted = self.predicted_contrast(input)?;
        let reached = predicted.layers.iter().position(|c| *c >= target * slack);
        match (reached, predicted.end) {
            (Some(l), _) => Ok(Some(l + 1)),
            (None, Some(LawEnd::Bend)) => Err(Error::invalid(
                format!("layers[{}]", predicted.layers.len()),
                "a circuit whose neurons leave their linear pieces for this input",
                "circuits that keep to the law of contrast until the target; `respond` solves all others",
            )),
            (None, _) => Ok(None),
        }
    }

    /// The precision floor of this column (theory 7.2): the standard deviation, as a relative difference `(u_i - u_j)/m` between the
    /// inputs of two columns, of what mismatches between the columns of all layers look like at the input:
    /// `mismatch (sum_l Gamma_1^-2 ... Gamma_l^-2)^(1/2)`.
    ///
    /// `mismatch` is that of one layer, as for
    /// [`LateralInhibition::precision_floor`](super::super::LateralInhibition::precision_floor), which is the limit for columns of many
    /// equal layers.
    ///
    /// # Errors
    /// A mismatch that is negative or not finite, a layer with an unstable mode, offsets other than 0 (relative differences then
    /// depend on the rates), an activation whose slopes are unbounded.
    pub fn precision_floor(&self, mismatch: A) -> Result<A> {
        magnitude("mismatch", mismatch)?;
        if let Some(l) = self.couplings().iter().position(|coupling| coupling.offset != A::zero()) {
            return Err(Error::invalid(format!("couplings[{l}].offset"), self.couplings()[l].offset, "0"));
        }
        let (mut seen, mut sum) = (A::one(), A::zero());
        for (l, layer) in self.layers().iter().enumerate() {
            let Some(gain) = layer.contrast_gain()? else {
                return Err(Error::invalid(format!("layers[{l}]"), layer, "circuits whose modes are stable"));
            };
            seen /= gain;
            sum += seen * seen;
        }
        Ok(mismatch * sum.sqrt())
    }
}

/// The E rates of a layer by the law of its modes, if they solve its equations.
fn modal_rates<A: Scalar>(layer: &LateralInhibition<A>, u: &Array1<A>) -> Result<Option<Array1<A>>> {
    let mean = u.sum() / A::of(u.len() as f64);
    let common = layer.common_mode(mean)?.equilibria()?;
    let ([point], true) = (common.points(), common.is_complete()) else { return Ok(None) };
    let [slope_e, slope_i] = point.slopes();
    let gain = layer.gains_at(slope_e, slope_i).difference;
    let follow = slope_i * layer.w_ie() / (A::one() + slope_i * layer.w_ii());
    let [x_e, x_i] = point.rates();
    let e = u.mapv(|u| x_e + gain * (u - mean));
    let i = e.mapv(|e| x_i + follow * (e - x_e));
    let (own, lateral) = (layer.difference_inhibition(), layer.w_ei_lateral() * i.sum());
    let rounding = A::epsilon().powf(A::of(0.75));
    let size = |x: &Array1<A>| x.iter().fold(A::zero(), |most, x| most.max(x.abs()));
    let inhibition = (layer.w_ei() + layer.w_ei_lateral() * A::of((u.len() - 1) as f64)) * size(&i);
    let scales = [
        size(&e) + slope_e * (layer.w_ee() * size(&e) + inhibition + size(u)),
        size(&i) + slope_i * (layer.w_ie() * size(&e) + layer.w_ii() * size(&i)),
    ];
    let mut rates = Array1::zeros(u.len());
    for j in 0..u.len() {
        rates[j] = layer.excitatory().activate(layer.w_ee() * e[j] - own * i[j] - lateral + u[j]);
        let answer = layer.inhibitory().activate(layer.w_ie() * e[j] - layer.w_ii() * i[j]);
        if !((rates[j] - e[j]).abs() <= rounding * scales[0] && (answer - i[j]).abs() <= rounding * scales[1]) {
            return Ok(None);
        }
    }
    Ok(Some(rates))
}

/// The contrast of a layer that does not follow the law of its modes, if that can only be because a column is silent: E is a
/// rectifier without a ceiling, and I linear for all rates that E has.
///
/// If every column fired, all neurons would be on their linear pieces, and the law would hold. So the weakest rate is 0. Some column
/// fires iff one is driven above the threshold: without that nobody inhibits anybody.
fn silenced<A: Scalar>(layer: &LateralInhibition<A>, u: &Array1<A>) -> Option<A> {
    let zero = A::zero();
    let (e, i) = (layer.excitatory().linear_pieces()?, layer.inhibitory().linear_pieces()?);
    let [silent, active] = e[..] else { return None };
    let rectifies = silent.slope == zero && silent.intercept == zero && active.slope > zero;
    let linear = i.last().is_some_and(|last| last.lower <= zero && last.intercept == zero);
    if !(rectifies && linear) {
        return None;
    }
    Some(if u.iter().any(|u| *u > active.lower) { A::one() } else { zero })
}

impl fmt::Display for LawEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LawEnd::Silence => "a column falls silent",
            LawEnd::Bend => "an activation bends between the columns",
        })
    }
}

impl<A: Scalar> fmt::Display for PredictedContrast<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (l, contrast) in self.layers.iter().enumerate() {
            writeln!(f, "layer {}: contrast {contrast:.6}", l + 1)?;
        }
        match self.end {
            Some(end) => writeln!(f, "no further: {end}"),
            None => Ok(()),
        }
    }
}
