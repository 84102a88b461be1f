//! Activations that ignore inputs below a threshold.

use super::parameter::{finite, non_negative, valid_step};
use super::{ActivationCost, Domain, LinearPiece, SlopeRange};
use crate::Scalar;
use crate::error::Result;

/// `phi(z) = sign(z) max(|z| - t, 0)`: every unit of rate costs `t`, in either direction (`E_act(x) = t |x|`), which
/// makes sparse rates.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "A: Scalar + serde::Deserialize<'de>")))]
pub struct SoftThreshold<A> {
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::parameter::deserialized::non_negative"))]
    threshold: A,
}

impl<A: Scalar> SoftThreshold<A> {
    /// A threshold that is finite and at least 0.
    pub fn new(threshold: A) -> Result<Self> {
        Ok(Self { threshold: non_negative("threshold", threshold)? })
    }

    /// The threshold `t`.
    pub fn threshold(&self) -> A {
        self.threshold
    }

    fn shrink(z: A, by: A) -> A {
        if z > by {
            z - by
        } else if z < -by {
            z + by
        } else {
            // Zero, or NaN.
            z * A::zero()
        }
    }
}

impl<A: Scalar> ActivationCost<A> for SoftThreshold<A> {
    fn name(&self) -> String {
        format!("soft threshold({})", self.threshold)
    }
    fn activate(&self, z: A) -> A {
        Self::shrink(z, self.threshold)
    }
    fn derivative(&self, z: A) -> A {
        if z.is_nan() {
            z
        } else if z.abs() > self.threshold || self.threshold == A::zero() {
            A::one()
        } else {
            A::zero()
        }
    }
    fn inverse(&self, x: A) -> A {
        if x > A::zero() {
            x + self.threshold
        } else if x < A::zero() {
            x - self.threshold
        } else {
            x
        }
    }
    fn potential(&self, x: A) -> A {
        let x = x.abs();
        x * (A::of(0.5) * x + self.threshold)
    }
    fn conjugate(&self, z: A) -> A {
        let x = self.activate(z);
        A::of(0.5) * x * x
    }
    fn domain(&self) -> Domain<A> {
        Domain::everything()
    }
    fn slope_range(&self) -> SlopeRange<A> {
        let least = if self.threshold == A::zero() { A::one() } else { A::zero() };
        SlopeRange::exact(least, A::one())
    }
    fn linear_pieces(&self) -> Option<Vec<LinearPiece<A>>> {
        let (t, none, all) = (self.threshold, A::zero(), A::one());
        Some(LinearPiece::chain(t, &[-t, t], &[all, none, all]))
    }
    fn cost(&self, x: A) -> A {
        self.threshold * x.abs()
    }
    fn prox(&self, z: A, step: A) -> A {
        valid_step(step, Self::shrink(z, step * self.threshold))
    }
    fn fenchel_young(&self, x: A, z: A) -> A {
        let t = self.threshold;
        let d = x - self.activate(z);
        // z - phi(z), which is a slope of t |x| wherever (x, z) is on the graph.
        let price = if z > t {
            t
        } else if z < -t {
            -t
        } else {
            z
        };
        let towards = if x < A::zero() { -price } else { price };
        A::of(0.5) * d * d + x.abs() * (t - towards)
    }
}

/// `phi(z) = max(0, z - t)`: no negative rates, and every unit of rate costs `t` (`E_act(x) = t x` on `x >= 0`).
/// A negative threshold is a spontaneous drive.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "A: Scalar + serde::Deserialize<'de>")))]
pub struct RectifiedThreshold<A> {
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::parameter::deserialized::finite"))]
    threshold: A,
}

impl<A: Scalar> RectifiedThreshold<A> {
    /// A finite threshold.
    pub fn new(threshold: A) -> Result<Self> {
        Ok(Self { threshold: finite("threshold", threshold)? })
    }

    /// The threshold `t`.
    pub fn threshold(&self) -> A {
        self.threshold
    }
}

impl<A: Scalar> ActivationCost<A> for RectifiedThreshold<A> {
    fn name(&self) -> String {
        format!("rectified threshold({})", self.threshold)
    }
    fn activate(&self, z: A) -> A {
        if z <= self.threshold { A::zero() } else { z - self.threshold }
    }
    fn derivative(&self, z: A) -> A {
        if z > self.threshold {
            A::one()
        } else if z.is_nan() {
            z
        } else {
            A::zero()
        }
    }
    fn inverse(&self, x: A) -> A {
        if x > A::zero() {
            x + self.threshold
        } else if x == A::zero() {
            self.threshold.min(A::zero())
        } else {
            A::nan()
        }
    }
    fn potential(&self, x: A) -> A {
        if x < A::zero() { A::infinity() } else { x * (A::of(0.5) * x + self.threshold) }
    }
    fn conjugate(&self, z: A) -> A {
        let x = self.activate(z);
        A::of(0.5) * x * x
    }
    fn domain(&self) -> Domain<A> {
        Domain::new(A::zero(), A::infinity())
    }
    fn slope_range(&self) -> SlopeRange<A> {
        SlopeRange::exact(A::zero(), A::one())
    }
    fn linear_pieces(&self) -> Option<Vec<LinearPiece<A>>> {
        Some(LinearPiece::chain(A::zero(), &[self.threshold], &[A::zero(), A::one()]))
    }
    fn cost(&self, x: A) -> A {
        if x < A::zero() { A::infinity() } else { self.threshold * x }
    }
    fn prox(&self, z: A, step: A) -> A {
        let price = step * self.threshold;
        valid_step(step, if z <= price { A::zero() } else { z - price })
    }
    fn fenchel_young(&self, x: A, z: A) -> A {
        if x < A::zero() {
            return A::infinity();
        }
        let d = x - self.activate(z);
        let shortfall = if z < self.threshold { x * (self.threshold - z) } else { A::zero() };
        A::of(0.5) * d * d + shortfall
    }
}
