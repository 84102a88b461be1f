//! Activation costs: what a firing rate costs its neuron, and the activation function that follows from it.
//!
//! Every neuron `i` pays an *activation cost* `E_act(x) = Psi(x) - x^2/2` for firing at rate `x`. Its proximal operator
//! is the activation function, `phi(z) = argmin_s (s - z)^2/2 + E_act(s)`, so that
//! `phi = (Psi')^{-1}` and `Psi* (z) = int_0^z phi` is the convex conjugate of `Psi` (theory 1.1, 1.2).

mod algebraic;
mod arctan;
mod linear;
mod logistic;
mod naka_rushton;
mod numeric;
mod parameter;
mod pieces;
mod power_law;
mod range;
mod softplus;
mod special;
mod tanh;
mod threshold;

pub use algebraic::Algebraic;
pub use arctan::Arctan;
pub use linear::{ClippedLinear, Identity, LeakyRelu, Relu};
pub use logistic::Logistic;
pub use naka_rushton::NakaRushton;
pub use pieces::LinearPiece;
pub use power_law::PowerLaw;
pub use range::{Domain, SlopeRange};
pub use softplus::Softplus;
pub use tanh::Tanh;
pub use threshold::{RectifiedThreshold, SoftThreshold};

use std::fmt::Debug;

use crate::Scalar;

/// An activation cost and everything that follows from it.
///
/// Object safe: a network holds one `Arc<dyn ActivationCost<A>>` per population and makes one virtual call per
/// population and step.
pub trait ActivationCost<A: Scalar>: Debug + Send + Sync {
    /// A short name with parameters, for messages and tables.
    fn name(&self) -> String;

    /// The activation function `phi(z)`: nondecreasing and continuous.
    fn activate(&self, z: A) -> A;

    /// The slope `phi'(z)`; at a kink, one of the one-sided slopes.
    fn derivative(&self, z: A) -> A;

    /// `Psi'(x) = phi^{-1}(x)` for `x` in the range of `phi`; NaN outside the domain. Where `phi^{-1}(x)` is an
    /// interval (a rate that a flat piece of `phi` attains), its element of least magnitude.
    fn inverse(&self, x: A) -> A;

    /// `Psi(x)`, the Legendre conjugate of [`conjugate`](Self::conjugate); `+inf` outside the domain.
    fn potential(&self, x: A) -> A;

    /// `Psi*(z) = int_0^z phi`, up to the constant that makes it the exact conjugate of [`potential`](Self::potential).
    fn conjugate(&self, z: A) -> A;

    /// The closure of the range of `phi`: where the cost is finite.
    fn domain(&self) -> Domain<A>;

    /// Bounds on the slopes of `phi`.
    fn slope_range(&self) -> SlopeRange<A>;

    /// The pieces of `phi`, from left to right, if it is piecewise linear: they cover the line, and neighbours share
    /// their ends.
    fn linear_pieces(&self) -> Option<Vec<LinearPiece<A>>> {
        None
    }

    /// The activation cost `E_act(x) = Psi(x) - x^2/2`.
    fn cost(&self, x: A) -> A {
        self.potential(x) - A::of(0.5) * x * x
    }

    /// The Fenchel-Young gap `Psi(x) + Psi*(z) - x z >= 0`, zero exactly at `x = phi(z)`; `+inf` outside the domain.
    fn fenchel_young(&self, x: A, z: A) -> A {
        self.potential(x) + self.conjugate(z) - x * z
    }

    /// Replaces every entry `z` by `phi(z)`.
    fn activate_slice(&self, z: &mut [A]) {
        for v in z {
            *v = self.activate(*v);
        }
    }

    /// Replaces every entry `z` by `phi'(z)`.
    fn derivative_slice(&self, z: &mut [A]) {
        for v in z {
            *v = self.derivative(*v);
        }
    }
}
