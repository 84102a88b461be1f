//! The rectified power law.

use super::parameter::positive;
use super::special::power_gap;
use super::{ActivationCost, Domain, Growth, SlopeRange, Tail, slopes};
use crate::Scalar;
use crate::error::Result;

/// `phi(z) = max(0, z)^k`; `Psi(x) = x^{1 + 1/k}/(1 + 1/k)` on `x >= 0`.
///
/// With `k > 1` this is the supralinear rate function of stabilised supralinear networks. Its slopes are unbounded
/// (at infinity for `k > 1`, at 0 for `k < 1`), so that nothing holds for every input and whatever needs a bound refuses it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "A: Scalar + serde::Deserialize<'de>")))]
pub struct PowerLaw<A> {
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::parameter::deserialized::positive"))]
    exponent: A,
}

impl<A: Scalar> PowerLaw<A> {
    /// A positive, finite exponent.
    pub fn new(exponent: A) -> Result<Self> {
        Ok(Self { exponent: positive("exponent", exponent)? })
    }

    /// The exponent `k`.
    pub fn exponent(&self) -> A {
        self.exponent
    }
}

impl<A: Scalar> ActivationCost<A> for PowerLaw<A> {
    fn name(&self) -> String {
        format!("power law(exponent {})", self.exponent)
    }
    fn activate(&self, z: A) -> A {
        if z <= A::zero() { A::zero() } else { z.powf(self.exponent) }
    }
    fn derivative(&self, z: A) -> A {
        if z <= A::zero() {
            A::zero()
        } else if z.is_nan() {
            z
        } else {
            self.exponent * z.powf(self.exponent - A::one())
        }
    }
    fn inverse(&self, x: A) -> A {
        if x < A::zero() { A::nan() } else { x.powf(A::one() / self.exponent) }
    }
    fn potential(&self, x: A) -> A {
        if x < A::zero() {
            return A::infinity();
        }
        let k = self.exponent;
        // x^{1/k} first: the exponent 1 + 1/k would lose the digits of 1/k.
        x * (x.powf(A::one() / k) * (k / (k + A::one())))
    }
    fn conjugate(&self, z: A) -> A {
        if z <= A::zero() { A::zero() } else { z * (z.powf(self.exponent) / (self.exponent + A::one())) }
    }
    fn domain(&self) -> Domain<A> {
        Domain::new(A::zero(), A::infinity())
    }
    fn slope_range(&self) -> SlopeRange<A> {
        let most = if self.exponent == A::one() { A::one() } else { A::infinity() };
        SlopeRange::exact(A::zero(), most)
    }
    fn slope_range_on(&self, lower: A, upper: A) -> SlopeRange<A> {
        let (whole, bend) = (self.slope_range(), self.exponent - A::one());
        if bend == A::zero() {
            return slopes::rising_and_falling(whole, A::zero(), (lower, upper), |z| self.derivative(z), |_| A::zero());
        }
        let roundings = |z: A| if z > A::zero() { A::of(8.0) + A::of(2.0) * (bend * z.ln()).abs() } else { A::zero() };
        let steepest = if bend > A::zero() { A::infinity() } else { A::zero() };
        slopes::rising_and_falling(whole, steepest, (lower, upper), |z| self.derivative(z), roundings)
    }
    fn steepest_input(&self) -> Option<A> {
        Some(if self.exponent > A::one() { A::infinity() } else { A::zero() })
    }
    fn growth(&self) -> Growth<A> {
        let upper = match self.exponent {
            k if k > A::one() => Tail::Subquadratic,
            k if k < A::one() => Tail::Superquadratic,
            _ => Tail::Quadratic { slope: A::one(), intercept: A::zero() },
        };
        Growth { lower: Tail::Bounded, upper }
    }
    fn fenchel_young(&self, x: A, z: A) -> A {
        if x < A::zero() {
            return A::infinity();
        }
        if z <= A::zero() {
            return self.potential(x) - x * z;
        }
        if x == A::zero() {
            return self.conjugate(z);
        }
        let (k, one) = (self.exponent, A::one());
        let m = self.activate(z);
        if m.is_infinite() {
            return m;
        }
        let source = self.inverse(x);
        if source > A::of(1e3) * z {
            // Psi dominates.
            return self.potential(x) + self.conjugate(z) - x * z;
        }
        // With 1 + r = x/phi(z), the gap is z phi(z) k/(k+1) ((1+r)^{1 + 1/k} - 1 - (1 + 1/k) r).
        let d = x - m;
        let r = d / m;
        let share = k / (k + one);
        if r <= one {
            z * (m * (share * power_gap(r, one / k)))
        } else {
            let growth = if r.is_finite() { (r.ln_1p() / k).exp_m1() } else { source / z - one };
            z * (x * (share * (growth - d / x / k)))
        }
    }
}
