//! The algebraic sigmoid.

use super::{ActivationCost, Domain, SlopeRange, slopes};
use crate::Scalar;

/// `phi(z) = z/sqrt(1 + z^2)`; `Psi(x) = 1 - sqrt(1 - x^2)` on `[-1, 1]`, a circular bowl.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Algebraic;

/// `sqrt(1 - x^2)`, the height of the circle above `x`.
fn height<A: Scalar>(x: A) -> A {
    ((A::one() - x) * (A::one() + x)).sqrt()
}

impl<A: Scalar> ActivationCost<A> for Algebraic {
    fn name(&self) -> String {
        "algebraic".into()
    }
    fn activate(&self, z: A) -> A {
        if z.is_infinite() { z.signum() } else { z / A::one().hypot(z) }
    }
    fn derivative(&self, z: A) -> A {
        let c = A::one() / A::one().hypot(z);
        c * c * c
    }
    fn inverse(&self, x: A) -> A {
        x / height(x)
    }
    fn potential(&self, x: A) -> A {
        if x.abs() > A::one() {
            return A::infinity();
        }
        x * x / (A::one() + height(x))
    }
    fn conjugate(&self, z: A) -> A {
        if z.is_infinite() {
            return A::infinity();
        }
        z * (z / (A::one() + A::one().hypot(z)))
    }
    fn domain(&self) -> Domain<A> {
        Domain::new(-A::one(), A::one())
    }
    fn slope_range(&self) -> SlopeRange<A> {
        SlopeRange::exact(A::zero(), A::one())
    }
    fn slope_range_on(&self, lower: A, upper: A) -> SlopeRange<A> {
        let roundings = |_| A::of(16.0);
        slopes::rising_and_falling(self.slope_range(), A::zero(), (lower, upper), |z| self.derivative(z), roundings)
    }
    fn steepest_input(&self) -> Option<A> {
        Some(A::zero())
    }
    fn cost(&self, x: A) -> A {
        if x.abs() > A::one() {
            return A::infinity();
        }
        let q = x * x / (A::one() + height(x));
        A::of(0.5) * q * q
    }
    fn fenchel_young(&self, x: A, z: A) -> A {
        if x.abs() > A::one() {
            return A::infinity();
        }
        if z.is_infinite() {
            return if x == z.signum() { A::zero() } else { A::infinity() };
        }
        // With x = sin(alpha), z = tan(theta) the gap is (1 - cos(alpha - theta))/cos(theta).
        let c = height(x);
        let h = A::one().hypot(z);
        let cosine = c + x * z;
        if cosine < A::zero() {
            return h - cosine;
        }
        let sine = x - z * c;
        sine * (sine / (h + cosine))
    }
}
