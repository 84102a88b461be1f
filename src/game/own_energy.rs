//! The energy of one neuron as a function of its own rate, and its minimisers.

use super::best_response::BestResponse;
use super::bracket::root;
use crate::Scalar;
use crate::activation::{ActivationCost, Domain};

/// `E(s) = -w s^2/2 - c s + Psi(s)`: self-weight `w`, drive `c` from the others and from outside.
///
/// A rate `s = phi(z)` is stationary exactly if `h(z) = z - w phi(z) - c = 0`, and `E'(s) = h(z)` along the graph of
/// `phi`. Everything below works on `h`, because `z` has no kinks where `Psi` has.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnEnergy<'a, A> {
    pub(super) self_weight: A,
    pub(super) drive: A,
    pub(super) activation: &'a dyn ActivationCost<A>,
}

impl<'a, A: Scalar> OwnEnergy<'a, A> {
    pub(super) fn new(self_weight: A, drive: A, activation: &'a dyn ActivationCost<A>) -> Self {
        Self { self_weight, drive, activation }
    }

    /// `E(s)`; `+inf` outside the domain.
    pub(super) fn at(&self, s: A) -> A {
        self.activation.potential(s) - s * (A::of(0.5) * self.self_weight * s + self.drive)
    }

    /// The sum of the magnitudes of the terms of `E(s)`, which its rounding errors are relative to.
    pub(super) fn magnitude(&self, s: A) -> A {
        self.activation.potential(s).abs() + s.abs() * (A::of(0.5) * (self.self_weight * s).abs() + self.drive.abs())
    }

    /// `h(z)` for a drive `z` whose rate `phi(z)` is `s`.
    pub(super) fn slope_at(&self, z: A, s: A) -> A {
        (z - self.self_weight * s) - self.drive
    }

    /// A bound on the rounding error of [`slope_at`](Self::slope_at).
    pub(super) fn slope_error(&self, z: A, s: A) -> A {
        A::of(4.0) * A::epsilon() * (z.abs() + (self.self_weight * s).abs() + self.drive.abs())
    }

    /// All global minimisers.
    pub(super) fn minimise(&self) -> BestResponse<A> {
        if self.self_weight == A::zero() {
            return self.single(self.activation.activate(self.drive));
        }
        if self.self_weight < A::zero() {
            return self.strictly_convex_below();
        }
        let slopes = self.activation.slope_range();
        let steepest = self.self_weight * slopes.max;
        if slopes.exact && steepest < A::one() { self.strictly_convex(A::one() - steepest) } else { self.search() }
    }

    /// How much the neuron gains by moving from rate `x` to its best response `s`: `E(x) - E(s)`, as
    /// `FY(x, z) - w (x - s)^2/2` with `z = w s + c`, in which the large terms of both energies have dropped out.
    pub(super) fn gain(&self, x: A, s: A) -> A {
        let z = self.self_weight * s + self.drive;
        let d = x - s;
        // An `s` that rounding made worse than `x` is no gain.
        (self.activation.fenchel_young(x, z) - A::of(0.5) * self.self_weight * d * d).max(A::zero())
    }

    fn single(&self, s: A) -> BestResponse<A> {
        BestResponse::attained(vec![Domain { lower: s, upper: s }], self.at(s))
    }

    /// `w < 0`: `h` rises at least as fast as `z`, and its root lies between `c` and `c + w phi(c)`.
    fn strictly_convex_below(&self) -> BestResponse<A> {
        let first = self.self_weight * self.activation.activate(self.drive);
        self.single_root(self.drive.min(self.drive + first), self.drive.max(self.drive + first))
    }

    /// `0 < w rho < 1`: `h` rises with slope `least` or more.
    fn strictly_convex(&self, least: A) -> BestResponse<A> {
        let reach = -self.slope_at(self.drive, self.activation.activate(self.drive)) / least;
        // A little more than the bound, for its own rounding.
        let reach = reach * A::of(1.0 + 1e-3);
        self.single_root(self.drive.min(self.drive + reach), self.drive.max(self.drive + reach))
    }

    fn single_root(&self, low: A, high: A) -> BestResponse<A> {
        let largest = A::max_value();
        self.single(self.rate_of_root(low.max(-largest), high.min(largest), self.drive))
    }

    /// The rate at the root of `h` in a bracket.
    pub(super) fn rate_of_root(&self, low: A, high: A, start: A) -> A {
        let one = A::one();
        let h = |z: A| {
            let s = self.activation.activate(z);
            (self.slope_at(z, s), one - self.self_weight * self.activation.derivative(z))
        };
        self.activation.activate(root(h, low, high, start, self.drive.abs()))
    }
}
