//! Piecewise-linear activations.

use super::parameter::{self, finite, valid_step};
use super::{ActivationCost, Domain, LinearPiece, SlopeRange};
use crate::Scalar;
use crate::error::{Error, Result};

/// `phi(z) = z`, with `Psi(x) = x^2/2` and no activation cost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Identity;

impl<A: Scalar> ActivationCost<A> for Identity {
    fn name(&self) -> String {
        "identity".into()
    }
    fn activate(&self, z: A) -> A {
        z
    }
    fn derivative(&self, z: A) -> A {
        if z.is_nan() { z } else { A::one() }
    }
    fn inverse(&self, x: A) -> A {
        x
    }
    fn potential(&self, x: A) -> A {
        A::of(0.5) * x * x
    }
    fn conjugate(&self, z: A) -> A {
        A::of(0.5) * z * z
    }
    fn domain(&self) -> Domain<A> {
        Domain::everything()
    }
    fn slope_range(&self) -> SlopeRange<A> {
        SlopeRange::exact(A::one(), A::one())
    }
    fn linear_pieces(&self) -> Option<Vec<LinearPiece<A>>> {
        Some(LinearPiece::chain(A::zero(), &[], &[A::one()]))
    }
    fn cost(&self, x: A) -> A {
        if x.is_nan() { x } else { A::zero() }
    }
    fn prox(&self, z: A, step: A) -> A {
        valid_step(step, z)
    }
    fn fenchel_young(&self, x: A, z: A) -> A {
        let d = x - z;
        A::of(0.5) * d * d
    }
}

/// `phi(z) = max(0, z)`: no negative rates, and no cost for the others; `Psi(x) = x^2/2` on `x >= 0`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Relu;

impl<A: Scalar> ActivationCost<A> for Relu {
    fn name(&self) -> String {
        "ReLU".into()
    }
    fn activate(&self, z: A) -> A {
        if z <= A::zero() { A::zero() } else { z }
    }
    fn derivative(&self, z: A) -> A {
        if z > A::zero() {
            A::one()
        } else if z.is_nan() {
            z
        } else {
            A::zero()
        }
    }
    fn inverse(&self, x: A) -> A {
        if x >= A::zero() { x } else { A::nan() }
    }
    fn potential(&self, x: A) -> A {
        if x < A::zero() { A::infinity() } else { A::of(0.5) * x * x }
    }
    fn conjugate(&self, z: A) -> A {
        if z <= A::zero() { A::zero() } else { A::of(0.5) * z * z }
    }
    fn domain(&self) -> Domain<A> {
        Domain::new(A::zero(), A::infinity())
    }
    fn slope_range(&self) -> SlopeRange<A> {
        SlopeRange::exact(A::zero(), A::one())
    }
    fn linear_pieces(&self) -> Option<Vec<LinearPiece<A>>> {
        Some(LinearPiece::chain(A::zero(), &[A::zero()], &[A::zero(), A::one()]))
    }
    fn cost(&self, x: A) -> A {
        indicator(x, x < A::zero())
    }
    fn prox(&self, z: A, step: A) -> A {
        valid_step(step, self.activate(z))
    }
    fn fenchel_young(&self, x: A, z: A) -> A {
        if x < A::zero() {
            A::infinity()
        } else if z < A::zero() {
            x * (A::of(0.5) * x - z)
        } else {
            let d = x - z;
            A::of(0.5) * d * d
        }
    }
}

/// 0, or infinity outside, or NaN for NaN.
fn indicator<A: Scalar>(x: A, outside: bool) -> A {
    if outside {
        A::infinity()
    } else if x.is_nan() {
        x
    } else {
        A::zero()
    }
}

/// `phi(z) = max(a z, z)` with leak `a` in `(0, 1]`; `Psi(x) = x^2/2` for `x >= 0` and `x^2/(2a)` for `x < 0`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "A: Scalar + serde::Deserialize<'de>")))]
pub struct LeakyRelu<A> {
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::parameter::deserialized::leak"))]
    leak: A,
}

impl<A: Scalar> LeakyRelu<A> {
    /// The slope for negative inputs, above 0 and at most 1.
    pub fn new(leak: A) -> Result<Self> {
        Ok(Self { leak: parameter::leak("leak", leak)? })
    }

    /// The leak `a`.
    pub fn leak(&self) -> A {
        self.leak
    }
}

impl<A: Scalar> ActivationCost<A> for LeakyRelu<A> {
    fn name(&self) -> String {
        format!("leaky ReLU({})", self.leak)
    }
    fn activate(&self, z: A) -> A {
        if z < A::zero() { self.leak * z } else { z }
    }
    fn derivative(&self, z: A) -> A {
        if z > A::zero() {
            A::one()
        } else if z.is_nan() {
            z
        } else {
            self.leak
        }
    }
    fn inverse(&self, x: A) -> A {
        if x < A::zero() { x / self.leak } else { x }
    }
    fn potential(&self, x: A) -> A {
        A::of(0.5) * x * self.inverse(x)
    }
    fn conjugate(&self, z: A) -> A {
        A::of(0.5) * z * self.activate(z)
    }
    fn domain(&self) -> Domain<A> {
        Domain::everything()
    }
    fn slope_range(&self) -> SlopeRange<A> {
        SlopeRange::exact(self.leak, A::one())
    }
    fn linear_pieces(&self) -> Option<Vec<LinearPiece<A>>> {
        Some(LinearPiece::chain(A::zero(), &[A::zero()], &[self.leak, A::one()]))
    }
    fn cost(&self, x: A) -> A {
        if x < A::zero() { A::of(0.5) * x * (x * ((A::one() - self.leak) / self.leak)) } else { indicator(x, false) }
    }
    fn prox(&self, z: A, step: A) -> A {
        let a = self.leak;
        valid_step(step, if z < A::zero() { a * (z / (a + step * (A::one() - a))) } else { z })
    }
    fn fenchel_young(&self, x: A, z: A) -> A {
        let half = A::of(0.5);
        if (x < A::zero()) != (z < A::zero()) {
            // All three terms are positive.
            let cross = if x == A::zero() { x } else { x * z };
            return self.potential(x) + self.conjugate(z) - cross;
        }
        let d = x - self.activate(z);
        half * d * if z < A::zero() { d / self.leak } else { d }
    }
}

/// `phi(z) = min(max(z, lo), hi)`: rates between two bounds, without cost; `Psi(x) = x^2/2` on `[lo, hi]`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "Bounds<A>", bound(deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
pub struct ClippedLinear<A> {
    lower: A,
    upper: A,
}

/// The bounds as they stand in a file.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Bounds<A> {
    lower: A,
    upper: A,
}

#[cfg(feature = "serde")]
impl<A: Scalar> TryFrom<Bounds<A>> for ClippedLinear<A> {
    type Error = Error;

    fn try_from(bounds: Bounds<A>) -> Result<Self> {
        Self::new(bounds.lower, bounds.upper)
    }
}

impl<A: Scalar> ClippedLinear<A> {
    /// Finite bounds, `lower < upper`.
    pub fn new(lower: A, upper: A) -> Result<Self> {
        let (lower, upper) = (finite("lower", lower)?, finite("upper", upper)?);
        if lower < upper {
            Ok(Self { lower, upper })
        } else {
            Err(Error::invalid("upper", upper, format!("numbers above `lower` = {lower}")))
        }
    }

    /// The smallest rate.
    pub fn lower(&self) -> A {
        self.lower
    }

    /// The largest rate.
    pub fn upper(&self) -> A {
        self.upper
    }

    fn outside(&self, x: A) -> bool {
        x < self.lower || x > self.upper
    }
}

impl<A: Scalar> ActivationCost<A> for ClippedLinear<A> {
    fn name(&self) -> String {
        format!("clipped linear[{}, {}]", self.lower, self.upper)
    }
    fn activate(&self, z: A) -> A {
        if z < self.lower {
            self.lower
        } else if z > self.upper {
            self.upper
        } else {
            z
        }
    }
    fn derivative(&self, z: A) -> A {
        if z.is_nan() {
            z
        } else if z > self.lower && z < self.upper {
            A::one()
        } else {
            A::zero()
        }
    }
    fn inverse(&self, x: A) -> A {
        if self.outside(x) {
            A::nan()
        } else if (x == self.lower && x > A::zero()) || (x == self.upper && x < A::zero()) {
            // The flat piece beyond the bound reaches 0.
            A::zero()
        } else {
            x
        }
    }
    fn potential(&self, x: A) -> A {
        if self.outside(x) { A::infinity() } else { A::of(0.5) * x * x }
    }
    fn conjugate(&self, z: A) -> A {
        let x = self.activate(z);
        x * (z - A::of(0.5) * x)
    }
    fn domain(&self) -> Domain<A> {
        Domain::new(self.lower, self.upper)
    }
    fn slope_range(&self) -> SlopeRange<A> {
        SlopeRange::exact(A::zero(), A::one())
    }
    fn linear_pieces(&self) -> Option<Vec<LinearPiece<A>>> {
        let (none, all) = (A::zero(), A::one());
        Some(LinearPiece::chain(self.lower, &[self.lower, self.upper], &[none, all, none]))
    }
    fn cost(&self, x: A) -> A {
        indicator(x, self.outside(x))
    }
    fn prox(&self, z: A, step: A) -> A {
        valid_step(step, self.activate(z))
    }
    fn fenchel_young(&self, x: A, z: A) -> A {
        if self.outside(x) {
            return A::infinity();
        }
        let m = self.activate(z);
        let d = x - m;
        d * (A::of(0.5) * d + (m - z))
    }
}
