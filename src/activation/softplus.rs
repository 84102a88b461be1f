//! The softplus, a smooth rectifier.

use super::numeric::gauss_kronrod;
use super::parameter::with_gain;
use super::special::{
    PI_SQUARED_SIXTH, dilogarithm_deficit, entropy_gap, exponential_gap, logistic, softplus, softplus_curvature,
    softplus_integral, softplus_inverse_integral,
};
use super::{ActivationCost, Domain, Growth, SlopeRange, Tail, slopes};
use crate::Scalar;

/// `phi(z) = ln(1 + e^{b z})/b` with gain `b`, a ReLU with a bend of width `1/b`;
/// `Psi(x) = x^2/2 + (Li_2(e^{-b x}) - pi^2/6)/b^2` on `x >= 0`, paired with `Psi*(z) = -Li_2(-e^{b z})/b^2`, where `Li_2` is
/// the dilogarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "A: Scalar + serde::Deserialize<'de>")))]
pub struct Softplus<A> {
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::parameter::deserialized::positive"))]
    gain: A,
}

with_gain!(Softplus, "1 per input");

impl<A: Scalar> ActivationCost<A> for Softplus<A> {
    fn name(&self) -> String {
        format!("softplus(gain {})", self.gain)
    }
    fn activate(&self, z: A) -> A {
        z.max(A::zero()) + (-(self.gain * z).abs()).exp().ln_1p() / self.gain
    }
    fn derivative(&self, z: A) -> A {
        logistic(self.gain * z)
    }
    fn inverse(&self, x: A) -> A {
        let y = self.gain * x;
        if y < A::one() { y.exp_m1().ln() / self.gain } else { x + (-(-y).exp()).ln_1p() / self.gain }
    }
    fn potential(&self, x: A) -> A {
        if x < A::zero() {
            return A::infinity();
        }
        // From 2 on x^2/2 apart, which may overflow when squared in units of the gain.
        let y = self.gain * x;
        if y > A::of(2.0) {
            A::of(0.5) * x * x + dilogarithm_deficit(y) / self.gain / self.gain
        } else {
            softplus_inverse_integral(y) / self.gain / self.gain
        }
    }
    fn conjugate(&self, z: A) -> A {
        let b = self.gain;
        let t = b * z;
        if t <= A::zero() {
            softplus_integral(t) / b / b
        } else {
            A::of(0.5) * z * z + (A::of(PI_SQUARED_SIXTH) - softplus_integral(-t)) / b / b
        }
    }
    fn domain(&self) -> Domain<A> {
        Domain::new(A::zero(), A::infinity())
    }
    fn slope_range(&self) -> SlopeRange<A> {
        SlopeRange::exact(A::zero(), A::one())
    }
    fn slope_range_on(&self, lower: A, upper: A) -> SlopeRange<A> {
        let roundings = |z: A| A::of(8.0) + A::of(4.0) * (self.gain * z).abs();
        slopes::rising_and_falling(self.slope_range(), A::infinity(), (lower, upper), |z| self.derivative(z), roundings)
    }
    fn steepest_input(&self) -> Option<A> {
        Some(A::infinity())
    }
    fn growth(&self) -> Growth<A> {
        Growth { lower: Tail::Bounded, upper: Tail::Quadratic { slope: A::one(), intercept: A::zero() } }
    }
    fn cost(&self, x: A) -> A {
        if x < A::zero() {
            return A::infinity();
        }
        dilogarithm_deficit(self.gain * x) / self.gain / self.gain
    }
    fn fenchel_young(&self, x: A, z: A) -> A {
        if x < A::zero() {
            return A::infinity();
        }
        if x == A::zero() {
            return self.conjugate(z);
        }
        let difference = x - self.activate(z);
        let quadratic = A::of(0.5) * difference * difference;
        quadratic + curved_gap(self.gain * x, self.gain * z) / self.gain / self.gain
    }
}

/// The Bregman divergence of `q(s) = Li_2(e^{-s})`, a convex function, from `l = ln(1 + e^t)` to `y > 0`.
fn curved_gap<A: Scalar>(y: A, t: A) -> A {
    let (one, two) = (A::one(), A::of(2.0));
    let l = softplus(t);
    if y.is_infinite() || l.is_infinite() {
        // Nothing is left beside the quadratic part.
        return A::zero();
    }
    let d = y - l;
    let small = y.min(l);
    if y.max(l) <= two {
        // q'' = 1/s - 1/2 + (a smooth function). The first part is an entropy; where l is far smaller than y its
        // logarithm is t.
        let ratio = d / l;
        let entropy = if ratio < two {
            l * entropy_gap(ratio)
        } else {
            let ln_l = if t < A::of(-40.0) { t } else { l.ln() };
            y * (y.ln() - ln_l) - d
        };
        let (smooth, _) = gauss_kronrod(|r: A| (one - r) * softplus_curvature(l + r * d), A::zero(), one);
        return entropy + d * d * (smooth - A::of(0.25));
    }
    if small >= one {
        // sum_k (e^{-k y} - e^{-k l} (1 - k d))/k^2, all terms positive.
        let (from, to) = ((-l).exp(), (-y).exp());
        let (mut sum, mut from_power, mut to_power, mut k) = (A::zero(), one, one, one);
        loop {
            from_power *= from;
            to_power *= to;
            let gap = if (k * d).abs() < one {
                from_power * exponential_gap(k * d)
            } else {
                to_power - from_power * (one - k * d)
            };
            sum += gap / (k * k);
            if gap.is_nan() || gap / (k * k) <= sum * A::epsilon() / A::of(8.0) {
                return sum;
            }
            k += one;
        }
    }
    // One end is below 1 and the other above 2: nothing cancels; q'(l) = ln(1 - e^{-l}) = t - l.
    dilogarithm_deficit(y) - dilogarithm_deficit(l) - (t - l) * d
}
