//! Saturating activations.

use super::{ActivationCost, Domain, SlopeRange};
use crate::Scalar;
use crate::error::{Error, Result};

/// `phi(z) = tanh(b z)` with gain `b`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tanh<A> {
    gain: A,
}

impl<A: Scalar> Default for Tanh<A> {
    fn default() -> Self {
        Self { gain: A::one() }
    }
}

impl<A: Scalar> Tanh<A> {
    /// Gain 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// A positive, finite gain.
    pub fn with_gain(gain: A) -> Result<Self> {
        if gain.is_finite() && gain > A::zero() {
            Ok(Self { gain })
        } else {
            Err(Error::invalid("gain", gain, "finite numbers above 0"))
        }
    }
}

impl<A: Scalar> ActivationCost<A> for Tanh<A> {
    fn name(&self) -> String {
        format!("tanh(gain {})", self.gain)
    }
    fn activate(&self, z: A) -> A {
        (self.gain * z).tanh()
    }
    fn derivative(&self, z: A) -> A {
        let c = (self.gain * z).cosh();
        self.gain / c / c
    }
    fn inverse(&self, x: A) -> A {
        x.atanh() / self.gain
    }
    fn potential(&self, x: A) -> A {
        let half = A::of(0.5);
        if x.abs() > A::one() {
            return A::infinity();
        }
        // x atanh x + ln(1 - x^2)/2 = ((1+x) ln(1+x) + (1-x) ln(1-x))/2, finite at both ends.
        let part = |s: A| if s > -A::one() { (A::one() + s) * s.ln_1p() } else { A::zero() };
        half * (part(x) + part(-x)) / self.gain
    }
    fn conjugate(&self, z: A) -> A {
        // ln cosh(y) without overflow.
        let y = (self.gain * z).abs();
        (y + (-(y + y)).exp().ln_1p() - A::LN_2()) / self.gain
    }
    fn domain(&self) -> Domain<A> {
        Domain { lower: -A::one(), upper: A::one() }
    }
    fn slope_range(&self) -> SlopeRange<A> {
        SlopeRange::exact(A::zero(), self.gain)
    }
}
