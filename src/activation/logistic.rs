//! The logistic function.

use super::parameter::{finite, positive};
use super::special::{entropy_gap, exp_range, logistic};
use super::{ActivationCost, Domain, SlopeRange, slopes};
use crate::Scalar;
use crate::error::Result;
use crate::linalg::rounding::div_up;

/// `phi(z) = 1/(1 + e^{-b (z - h)})` with gain `b` and threshold `h`;
/// `Psi(x) = (x ln x + (1-x) ln(1-x))/b + h x` on `[0, 1]`, paired with `Psi*(z) = ln(1 + e^{b (z-h)})/b`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "A: Scalar + serde::Deserialize<'de>")))]
pub struct Logistic<A> {
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::parameter::deserialized::positive"))]
    gain: A,
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::parameter::deserialized::finite"))]
    threshold: A,
}

impl<A: Scalar> Default for Logistic<A> {
    fn default() -> Self {
        Self { gain: A::one(), threshold: A::zero() }
    }
}

impl<A: Scalar> Logistic<A> {
    /// Gain 1 and threshold 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// A positive, finite gain, and threshold 0.
    pub fn with_gain(gain: A) -> Result<Self> {
        Self::with_gain_and_threshold(gain, A::zero())
    }

    /// A positive, finite gain, and the input at which the rate is one half.
    pub fn with_gain_and_threshold(gain: A, threshold: A) -> Result<Self> {
        Ok(Self { gain: positive("gain", gain)?, threshold: finite("threshold", threshold)? })
    }

    /// The gain `b`.
    pub fn gain(&self) -> A {
        self.gain
    }

    /// The threshold `h`.
    pub fn threshold(&self) -> A {
        self.threshold
    }
}

impl<A: Scalar> Logistic<A> {
    /// `gain (z - threshold) - t`, to a few digits, where `above` is the rounded difference and `t` the rounded product.
    fn rounding(&self, z: A, above: A, t: A) -> A {
        let seen = above - z;
        let of_difference = (z - (above - seen)) + (-self.threshold - seen);
        let correction = self.gain.mul_add(above, -t) + self.gain * of_difference;
        // Something overflowed; the rate is 0 then.
        if correction.is_finite() { correction } else { A::zero() }
    }
}

/// `s ln s`, continued to 0.
fn x_ln_x<A: Scalar>(s: A) -> A {
    if s == A::zero() { s } else { s * s.ln() }
}

/// `x ln x + (1-x) ln(1-x)` on `[0, 1]`.
fn negative_entropy<A: Scalar>(x: A) -> A {
    if x < A::of(0.5) { x_ln_x(x) + (A::one() - x) * (-x).ln_1p() } else { x_ln_x(x) + x_ln_x(A::one() - x) }
}

impl<A: Scalar> ActivationCost<A> for Logistic<A> {
    fn name(&self) -> String {
        format!("logistic(gain {}, threshold {})", self.gain, self.threshold)
    }
    fn activate(&self, z: A) -> A {
        // Far below the threshold rates fall like e^t, which magnifies the rounding errors of t by |t|: they are put right.
        let above = z - self.threshold;
        let t = self.gain * above;
        let rate = logistic(t);
        if t < A::of(-16.0) { rate + rate * self.rounding(z, above, t) } else { rate }
    }
    fn derivative(&self, z: A) -> A {
        let e = (-(self.gain * (z - self.threshold)).abs()).exp();
        let s = A::one() + e;
        self.gain * (e / (s * s))
    }
    fn inverse(&self, x: A) -> A {
        let logit = if (x - A::of(0.5)).abs() < A::of(0.25) {
            let centred = x + x - A::one();
            A::of(2.0) * centred.atanh()
        } else {
            x.ln() - (-x).ln_1p()
        };
        self.threshold + logit / self.gain
    }
    fn potential(&self, x: A) -> A {
        if x < A::zero() || x > A::one() {
            return A::infinity();
        }
        negative_entropy(x) / self.gain + self.threshold * x
    }
    fn conjugate(&self, z: A) -> A {
        let above = z - self.threshold;
        above.max(A::zero()) + (-(self.gain * above).abs()).exp().ln_1p() / self.gain
    }
    fn domain(&self) -> Domain<A> {
        Domain::new(A::zero(), A::one())
    }
    fn slope_range(&self) -> SlopeRange<A> {
        SlopeRange::exact(A::zero(), A::at_least(div_up(self.gain.to_double(), 4.0)))
    }
    fn slope_range_on(&self, lower: A, upper: A) -> SlopeRange<A> {
        let roundings = |z: A| A::of(8.0) + A::of(4.0) * (self.gain * (z - self.threshold)).abs();
        slopes::rising_and_falling(
            self.slope_range(),
            self.threshold,
            (lower, upper),
            |z| self.derivative(z),
            roundings,
        )
    }
    fn steepest_input(&self) -> Option<A> {
        Some(self.threshold)
    }
    fn fenchel_young(&self, x: A, z: A) -> A {
        let one = A::one();
        if x < A::zero() || x > one {
            return A::infinity();
        }
        let above = z - self.threshold;
        let t = self.gain * above;
        // The gap of (x, t) is that of (1 - x, -t), and the rarer of the two outcomes carries the precision: `p` is
        // the smaller probability, `s` the rate that belongs to it.
        let (p, s, rest) = if t > A::zero() { (logistic(-t), one - x, x) } else { (logistic(t), x, one - x) };
        if t.abs() > exp_range() {
            // `p` is 0 to working precision.
            let linear = if s == A::zero() { p / self.gain } else { s * above.abs() };
            return linear + negative_entropy(if s < rest { s } else { rest }) / self.gain;
        }
        // A Kullback-Leibler divergence, summed from terms that are all positive.
        let d = if p < A::of(0.25) || s < A::of(0.25) { s - p } else { (one - p) - rest };
        (p * entropy_gap(d / p) + (one - p) * entropy_gap(-d / (one - p))) / self.gain
    }
}
