//! The hyperbolic tangent.

use super::parameter::with_gain;
use super::special::{entropy_gap, exp_range, power_series, tanh};
use super::{ActivationCost, Domain, SlopeRange, slopes};
use crate::Scalar;

/// `phi(z) = tanh(b z)` with gain `b`; `Psi(x) = (x atanh x + ln(1 - x^2)/2) / b` on `[-1, 1]`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "A: Scalar + serde::Deserialize<'de>")))]
pub struct Tanh<A> {
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::parameter::deserialized::positive"))]
    gain: A,
}

with_gain!(Tanh, "rate per unit of input");

/// `1 - tanh t` for `t >= 0`.
fn distance_to_one<A: Scalar>(t: A) -> A {
    let e = (-(t + t)).exp();
    (e + e) / (A::one() + e)
}

impl<A: Scalar> ActivationCost<A> for Tanh<A> {
    fn name(&self) -> String {
        format!("tanh(gain {})", self.gain)
    }
    fn activate(&self, z: A) -> A {
        A::of(tanh((self.gain * z).to_double()))
    }
    fn derivative(&self, z: A) -> A {
        let t = (self.gain * z).abs();
        let e = (-(t + t)).exp();
        let s = A::one() + e;
        self.gain * (A::of(4.0) * e / (s * s))
    }
    fn inverse(&self, x: A) -> A {
        x.atanh() / self.gain
    }
    fn potential(&self, x: A) -> A {
        let half = A::of(0.5);
        let x = x.abs();
        if x > A::one() {
            return A::infinity();
        }
        let value = if x < half {
            x * x.atanh() + half * (-x * x).ln_1p()
        } else {
            // The same as ((1+x) ln(1+x) + (1-x) ln(1-x))/2, finite at the end.
            let rest = A::one() - x;
            let tail = if rest == A::zero() { rest } else { rest * rest.ln() };
            half * ((A::one() + x) * x.ln_1p() + tail)
        };
        value / self.gain
    }
    fn conjugate(&self, z: A) -> A {
        let t = (self.gain * z).abs();
        if t < A::one() {
            let s = t.sinh();
            A::of(0.5) * (s * s).ln_1p() / self.gain
        } else {
            z.abs() + ((-(t + t)).exp().ln_1p() - A::LN_2()) / self.gain
        }
    }
    fn domain(&self) -> Domain<A> {
        Domain::new(-A::one(), A::one())
    }
    fn slope_range(&self) -> SlopeRange<A> {
        SlopeRange::exact(A::zero(), self.gain)
    }
    fn slope_range_on(&self, lower: A, upper: A) -> SlopeRange<A> {
        let roundings = |z: A| A::of(8.0) + A::of(4.0) * (self.gain * z).abs();
        slopes::rising_and_falling(self.slope_range(), A::zero(), (lower, upper), |z| self.derivative(z), roundings)
    }
    fn steepest_input(&self) -> Option<A> {
        Some(A::zero())
    }
    fn cost(&self, x: A) -> A {
        if x.abs() > A::of(0.4) {
            return self.potential(x) - A::of(0.5) * x * x;
        }
        // Psi's first term apart from the others, which are all that is left of it at gain 1:
        // sum_{k>=2} x^{2k}/(2k (2k-1)).
        let one = A::one();
        let square = x * x;
        let rest = power_series(square * square, square, |j| {
            let m = j + j + A::of(4.0);
            one / (m * (m - one))
        });
        (rest + A::of(0.5) * square * (one - self.gain)) / self.gain
    }
    fn fenchel_young(&self, x: A, z: A) -> A {
        let (one, two, half) = (A::one(), A::of(2.0), A::of(0.5));
        if x.abs() > one {
            return A::infinity();
        }
        // By symmetry z >= 0.
        let (x, z) = if z < A::zero() { (-x, -z) } else { (x, z) };
        let t = self.gain * z;
        let below_one = one - x;
        if t + t > exp_range() {
            // phi(z) is 1 to working precision.
            if below_one == A::zero() {
                return (-(t + t)).exp() / self.gain;
            }
            let (w, rest) = (below_one, one + x);
            let tail = if rest == A::zero() { rest } else { rest * (-w / two).ln_1p() };
            return w * (z + half * (w / two).ln() / self.gain) + half * tail / self.gain;
        }
        // A Kullback-Leibler divergence, summed from terms that are all positive.
        let m = t.tanh();
        let gap = distance_to_one(t);
        let d = if m < half { x - m } else { gap - below_one };
        let upper = (one + m) * entropy_gap(d / (one + m));
        let lower = gap * entropy_gap(-d / gap);
        half * (upper + lower) / self.gain
    }
}
