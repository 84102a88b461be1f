//! Contrast across columns, and what layers of lateral inhibition make of it (theory 6.1, 7.2).
//!
//! While all columns fire, a layer of contrast gain `Gamma` multiplies the differences between columns by `Gamma` times what it
//! multiplies their mean by. So after `L` layers, up to a common factor, the rates are `m + Gamma^L (u_j - m)`, `m` the mean of the
//! inputs `u`, and every measure of contrast follows.

use ndarray::{ArrayBase, Data, Ix1};

use super::super::parameters::magnitude;
use super::LateralInhibition;
use crate::Scalar;
use crate::check::{finite, finite_vector};
use crate::error::{Error, Result};

/// Michelson contrast `(max - min)/(max + min)` of non-negative rates; 0 for silence.
///
/// # Errors
/// No rates at all, or rates that are negative or not finite.
pub fn contrast<A: Scalar, S: Data<Elem = A>>(rates: &ArrayBase<S, Ix1>) -> Result<A> {
    let [min, max] = extremes("rates", rates)?;
    Ok(if max == A::zero() { A::zero() } else { (max - min) / (max + min) })
}

/// Coefficient of variation of non-negative rates: their standard deviation (of all, not of a sample) over their mean; 0 for
/// silence. Every layer multiplies it by exactly its contrast gain while all columns fire, whatever the pattern.
///
/// # Errors
/// No rates at all, or rates that are negative or not finite.
///
/// ```
/// use ndarray::array;
/// use neuronash::circuits::lateral_inhibition::variation;
/// assert!((variation(&array![3.0, 1.0])? - 0.5f64).abs() < 1e-15);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn variation<A: Scalar, S: Data<Elem = A>>(rates: &ArrayBase<S, Ix1>) -> Result<A> {
    let Pattern { mean, scale, .. } = Pattern::of("rates", rates)?;
    if mean == A::zero() {
        return Ok(A::zero());
    }
    let squares: A = rates.iter().map(|r| (*r / scale - mean).powi(2)).sum();
    Ok((squares / A::of(rates.len() as f64)).sqrt() / mean)
}

/// The Michelson contrast of the rates after so many layers of this contrast gain `Gamma` each, for an input of one entry per
/// column: `Gamma^L Delta/(2 m + Gamma^L (Sigma - 2 m))` with `Delta = max - min`, `Sigma = max + min` and the mean `m` of the input
/// (theory 6.1); 1 from the layer on in which the weakest column falls silent.
///
/// For two columns it is multiplied by `Gamma` in every layer; for more, by less the fewer of them stand out. It holds for
/// neurons that do not saturate from above.
///
/// # Errors
/// An empty input or one with entries that are negative or not finite; a gain that is negative or not finite.
///
/// ```
/// use ndarray::array;
/// use neuronash::circuits::lateral_inhibition::contrast_after;
/// let after = |layers| contrast_after(&array![3.0, 2.0], 2.0, layers);
/// assert!((after(2)? - 0.8f64).abs() < 1e-15 && after(3)? == 1.0);
/// // One column of five stands out: the mean is 2.2, the rates after one layer go as 3.8 and 1.8.
/// let one = array![3.0f64, 2.0, 2.0, 2.0, 2.0];
/// assert!((contrast_after(&one, 2.0, 1)? - 2.0 / 5.6).abs() < 1e-15);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn contrast_after<A: Scalar, S: Data<Elem = A>>(input: &ArrayBase<S, Ix1>, gain: A, layers: usize) -> Result<A> {
    magnitude("gain", gain)?;
    let power = gain.powi(i32::try_from(layers).unwrap_or(i32::MAX));
    Ok(Pattern::of("input", input)?.contrast_after(power))
}

impl<A: Scalar> LateralInhibition<A> {
    /// The precision floor (theory 7.2): the smallest relative difference `(u_i - u_j)/m` between the inputs of two columns, `m` the
    /// mean input, that layers of this circuit tell apart, however many there are: `mismatch/sqrt(Gamma^2 - 1)`.
    ///
    /// `mismatch` is the standard deviation of the relative difference `(x_i - x_j)/mean` between the rates of two columns of one layer
    /// that get the same input, independent from layer to layer (with relative errors of standard deviation `sigma` in every column
    /// it is `sqrt(2) sigma`). What the layers add is, seen from the input, a difference with the standard deviation that is returned:
    /// a true difference of that size is mistaken for one of the other sign with probability 0.16, one of twice the size with 0.023.
    /// [`CorticalColumn::precision_floor`](super::super::CorticalColumn::precision_floor) gives that of a column of finite depth.
    ///
    /// `None` if `Gamma` is 1 or less, so that mismatches pile up without a limit, or does not exist.
    ///
    /// # Errors
    /// A mismatch that is negative or not finite; an activation whose slopes are unbounded.
    ///
    /// ```
    /// use neuronash::circuits::LateralInhibition;
    /// // Gamma = 2.
    /// let layer = LateralInhibition::<f64>::builder(2).w_ee(0.5).w_ei(1.0).w_ei_lateral(0.5).w_ie(1.0).build()?;
    /// assert!((layer.precision_floor(0.03)?.unwrap() - 0.03 / 3f64.sqrt()).abs() < 1e-15);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn precision_floor(&self, mismatch: A) -> Result<Option<A>> {
        magnitude("mismatch", mismatch)?;
        let one = A::one();
        let gain = self.contrast_gain()?.filter(|gain| *gain > one);
        Ok(gain.map(|gain| mismatch / ((gain - one) * (gain + one)).sqrt()))
    }
}

/// The smallest and the largest of non-negative numbers.
fn extremes<A: Scalar, S: Data<Elem = A>>(argument: &str, rates: &ArrayBase<S, Ix1>) -> Result<[A; 2]> {
    if rates.is_empty() {
        return Err(Error::Empty { argument: argument.into() });
    }
    finite_vector(argument, rates.view(), rates.len())?;
    let max = rates.iter().copied().fold(A::neg_infinity(), A::max);
    let min = rates.iter().copied().fold(A::infinity(), A::min);
    if min < A::zero() {
        return Err(Error::invalid(argument, min, "rates of 0 or above; contrast has no meaning for negative ones"));
    }
    Ok([min, max])
}

/// What the contrast after layers depends on of an input pattern, in units of its largest entry.
#[derive(Debug, Clone, Copy)]
pub(in crate::circuits) struct Pattern<A> {
    scale: A,
    mean: A,
    /// `max - min`
    difference: A,
    /// `max + min - 2 mean`
    skew: A,
    /// `mean - min`
    drop: A,
}

impl<A: Scalar> Pattern<A> {
    /// That of non-negative numbers.
    pub(in crate::circuits) fn of<S: Data<Elem = A>>(argument: &str, rates: &ArrayBase<S, Ix1>) -> Result<Self> {
        let [min, max] = extremes(argument, rates)?;
        let scale = if max > A::zero() { max } else { A::one() };
        let mean: A = rates.iter().map(|r| *r / scale).sum::<A>() / A::of(rates.len() as f64);
        let (max, min) = (max / scale, min / scale);
        let drop = mean - min;
        Ok(Self { scale, mean, difference: max - min, skew: (max - mean) - drop, drop })
    }

    /// That of all patterns of so many columns with this Michelson contrast whose contrast grows most slowly: one column above
    /// all others, which lowers the mean as far as it can be lowered.
    pub(in crate::circuits) fn slowest(contrast: A, columns: usize) -> Self {
        let (one, two) = (A::one(), A::of(2.0));
        let share = two / A::of(columns as f64);
        let skew = two * contrast * (one - share);
        let mean = one - skew / two;
        Self { scale: one + contrast, mean, difference: two * contrast, skew, drop: share * contrast }
    }

    /// The contrast of `m + power (u - m)`, of which what is negative is silent.
    fn contrast_after(&self, power: A) -> A {
        if self.difference == A::zero() || self.mean == A::zero() {
            A::zero()
        } else if power * self.drop >= self.mean {
            A::one()
        } else {
            power * self.difference / (A::of(2.0) * self.mean + power * self.skew)
        }
    }

    /// The least number of layers of this contrast gain after which the contrast is `target`, in `(0, 1]`, or more; `None` if no number
    /// is.
    pub(in crate::circuits) fn layers_needed(&self, gain: A, target: A) -> Result<Option<usize>> {
        finite("gain", gain)?;
        if !(target > A::zero() && target <= A::one()) {
            return Err(Error::invalid("target", target, "contrasts above 0 and at most 1"));
        }
        if self.contrast_after(A::one()) >= target {
            return Ok(Some(0));
        }
        if self.difference == A::zero() || gain <= A::one() {
            return Ok(None);
        }
        // Below 1, so that the denominator is positive: difference - skew = 2 drop.
        let power = A::of(2.0) * self.mean * target / (self.difference - target * self.skew);
        let layers = power.ln() / gain.ln();
        // A quotient that is a whole number up to rounding is that number.
        let whole = layers.round();
        let slack = A::of(8.0) * A::epsilon() * layers;
        Ok((if (layers - whole).abs() <= slack { whole } else { layers.ceil() }).to_usize())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// No pattern of the same contrast is slower, and the closed form is the law of 6.1 for one column above the rest.
        #[test]
        fn one_column_above_the_rest_is_slowest(
            c in 1e-6..0.9f64, k in 2usize..30, inner in prop::collection::vec(0.0..1.0f64, 30), power in 1.0..1e3f64,
        ) {
            let worst = Pattern::slowest(c, k);
            let between = |i: usize| 1.0 - c + 2.0 * c * inner[i];
            let any = Array1::from_shape_fn(k, |i| if i == 0 { 1.0 + c } else if i == 1 { 1.0 - c } else { between(i) });
            let one = Array1::from_shape_fn(k, |i| if i == 0 { 1.0 + c } else { 1.0 - c });
            let after = worst.contrast_after(power);
            prop_assert!(Pattern::of("", &any).unwrap().contrast_after(power) >= after * (1.0 - 1e-9));
            let same = Pattern::of("", &one).unwrap().contrast_after(power);
            prop_assert!((same - after).abs() <= 1e-9 * after, "{} {}", same, after);
            // By hand: the rates themselves.
            let mean = any.sum() / k as f64;
            let rates = any.mapv(|u| (mean + power * (u - mean)).max(0.0));
            let (max, min) = rates.iter().fold((0.0, f64::MAX), |(a, b): (f64, f64), r| (a.max(*r), b.min(*r)));
            let expected = (max - min) / (max + min);
            prop_assert!((Pattern::of("", &any).unwrap().contrast_after(power) - expected).abs() < 1e-9);
        }
    }
}
