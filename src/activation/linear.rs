//! Piecewise-linear activations.

use super::{ActivationCost, Domain, SlopeRange};
use crate::Scalar;

/// `phi(z) = z`, with `Psi(x) = x^2/2` and no activation cost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Identity;

impl<A: Scalar> ActivationCost<A> for Identity {
    fn name(&self) -> String {
        "identity".into()
    }
    fn activate(&self, z: A) -> A {
        z
    }
    fn derivative(&self, _z: A) -> A {
        A::one()
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
        Domain { lower: A::neg_infinity(), upper: A::infinity() }
    }
    fn slope_range(&self) -> SlopeRange<A> {
        SlopeRange::exact(A::one(), A::one())
    }
}

/// `phi(z) = max(0, z)`: no negative rates, and no cost for the others.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Relu;

impl<A: Scalar> ActivationCost<A> for Relu {
    fn name(&self) -> String {
        "ReLU".into()
    }
    fn activate(&self, z: A) -> A {
        z.max(A::zero())
    }
    fn derivative(&self, z: A) -> A {
        if z > A::zero() { A::one() } else { A::zero() }
    }
    fn inverse(&self, x: A) -> A {
        if x >= A::zero() { x } else { A::nan() }
    }
    fn potential(&self, x: A) -> A {
        if x >= A::zero() { A::of(0.5) * x * x } else { A::infinity() }
    }
    fn conjugate(&self, z: A) -> A {
        let x = z.max(A::zero());
        A::of(0.5) * x * x
    }
    fn domain(&self) -> Domain<A> {
        Domain { lower: A::zero(), upper: A::infinity() }
    }
    fn slope_range(&self) -> SlopeRange<A> {
        SlopeRange::exact(A::zero(), A::one())
    }
}
