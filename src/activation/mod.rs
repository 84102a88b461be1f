//! Activation costs: what a firing rate costs its neuron, and the activation function that follows from it.
//!
//! Every neuron `i` pays an *activation cost* `E_act(x) = Psi(x) - x^2/2` for firing at rate `x`. Its proximal operator
//! is the activation function, `phi(z) = argmin_s (s - z)^2/2 + E_act(s)`, so that
//! `phi = (Psi')^{-1}` and `Psi* (z) = int_0^z phi` is the convex conjugate of `Psi` (theory 1.1, 1.2).
//!
//! The activations of theory 1.5, in any units of input and rate ([`Scaled`]), have all of this in closed form, accurate near cancellation and at the ends of their
//! domains: relative errors in `f64` are below 1e-12 beyond what the arguments' own rounding causes. Your own
//! activations need only their function ([`ActivationCost`], [`from_fn`]) or only their cost ([`CostFunction`],
//! [`FromCost`]).

mod algebraic;
mod arctan;
mod from_cost;
mod from_fn;
mod growth;
mod linear;
mod logistic;
mod naka_rushton;
mod numeric;
mod parameter;
mod pieces;
mod power_law;
mod prox;
mod range;
mod samples;
mod scaled;
mod slopes;
mod softplus;
mod special;
mod tanh;
mod threshold;

pub use algebraic::Algebraic;
pub use arctan::Arctan;
pub use from_cost::{CostFunction, FromCost};
pub use from_fn::{FromFn, from_fn};
pub use growth::{Growth, Tail};
pub use linear::{ClippedLinear, Identity, LeakyRelu, Relu};
pub use logistic::Logistic;
pub use naka_rushton::NakaRushton;
pub use pieces::LinearPiece;
pub use power_law::PowerLaw;
pub use range::{Domain, SlopeRange};
pub use scaled::Scaled;
pub use softplus::Softplus;
pub use tanh::Tanh;
pub use threshold::{RectifiedThreshold, SoftThreshold};

pub(crate) use numeric::{farthest, integral, outgrows_its_input};
pub(crate) use samples::check;

use std::fmt::Debug;

use crate::Scalar;

/// An activation cost and everything that follows from it.
///
/// An activation of your own needs a [`name`](Self::name) and [`activate`](Self::activate); every other method has a
/// default that is computed from values of `activate`. A cost of your own goes through [`CostFunction`] and
/// [`FromCost`], a closure through [`from_fn`].
///
/// The methods on numbers never fail: NaN gives NaN, and an infinite value means what it says. The trait is object
/// safe: a network holds one `Arc<dyn ActivationCost<A>>` per population and makes one virtual call per population and
/// step.
///
/// # Defaults
/// They assume that `phi` is nondecreasing and continuous, defined for every finite input. Relative errors were
/// measured on the smooth activations of this module in `f64`.
///
/// | method | how | calls of `activate` | error |
/// |---|---|---|---|
/// | [`inverse`](Self::inverse) | bisection to the last digit | 70 | that of `phi` |
/// | [`derivative`](Self::derivative) | extrapolated central differences | 52 | 1e-7 of the largest slope |
/// | [`conjugate`](Self::conjugate), [`potential`](Self::potential), [`fenchel_young`](Self::fenchel_young) | adaptive quadrature | 15 to 10^4 | 1e-12; 1e-8 at rates that `phi` only tends to |
/// | [`prox`](Self::prox) | bisection; beyond step 1 every local minimum on a grid | 70 to 10^4 | that of `phi` |
/// | [`domain`](Self::domain) | values far out | 2 to 14 | |
/// | [`slope_range`](Self::slope_range) | samples | 13,000 | not a bound |
/// | [`slope_range_on`](Self::slope_range_on) | `slope_range` and linear pieces | those | that of `slope_range` |
/// | [`growth`](Self::growth) | finite ends of the domain, linear pieces; else unknown | 2 to 16 | none |
///
/// ```
/// use neuronash::activation::ActivationCost;
///
/// /// A rectifier with a quadratic toe between 0 and 1.
/// #[derive(Debug)]
/// struct Toe;
///
/// impl ActivationCost<f64> for Toe {
///     fn name(&self) -> String {
///         "toe".into()
///     }
///     fn activate(&self, z: f64) -> f64 {
///         if z < 0.0 { 0.0 } else if z < 1.0 { z * z / 2.0 } else { z - 0.5 }
///     }
/// }
///
/// assert!((Toe.inverse(0.125) - 0.5).abs() < 1e-15);
/// assert!((Toe.conjugate(1.0) - 1.0 / 6.0).abs() < 1e-15);
/// assert!((Toe.derivative(0.5) - 0.5).abs() < 1e-9);
/// assert_eq!(Toe.domain().lower, 0.0);
/// ```
pub trait ActivationCost<A: Scalar>: Debug + Send + Sync {
    /// A short name with parameters, for messages and tables.
    fn name(&self) -> String;

    /// The activation function `phi(z)`: nondecreasing and continuous.
    fn activate(&self, z: A) -> A;

    /// The slope `phi'(z)`; at a kink, one of the one-sided slopes.
    ///
    /// The default gives a value between the one-sided slopes at a kink.
    fn derivative(&self, z: A) -> A {
        numeric::central_derivative(|y| self.activate(y), z, z.abs().max(A::one()) / A::of(4.0))
    }

    /// `Psi'(x) = phi^{-1}(x)` for `x` in the range of `phi`; NaN outside the domain, infinite at an end that `phi`
    /// only tends to. Where `phi^{-1}(x)` is an interval (a rate that a flat piece of `phi` attains), its element of
    /// least magnitude.
    fn inverse(&self, x: A) -> A {
        numeric::least_source(|z| self.activate(z), self.domain(), x)
    }

    /// `Psi(x)`, the Legendre conjugate of [`conjugate`](Self::conjugate); `+inf` outside the domain.
    ///
    /// The default is `int_0^{phi^{-1}(x)} (x - phi(w)) dw`, so that `Psi(phi(0)) = 0`.
    fn potential(&self, x: A) -> A {
        gap_by_quadrature(self, x, A::zero())
    }

    /// `Psi*(z) = int_0^z phi`, up to the constant that makes it the exact conjugate of [`potential`](Self::potential).
    ///
    /// The default is the integral itself. Overriding only one of `conjugate` and `potential`, keep that constant.
    fn conjugate(&self, z: A) -> A {
        let most = A::max_value();
        numeric::integral(
            |w| self.activate(w),
            A::zero(),
            if z.is_nan() { z } else { z.max(-most).min(most) },
            A::zero(),
        )
    }

    /// The closure of the range of `phi`: where the cost is finite, save perhaps at the ends.
    fn domain(&self) -> Domain<A> {
        numeric::limits(|z| self.activate(z))
    }

    /// Bounds on the slopes of `phi`. Nothing is proved from bounds that are not [`exact`](SlopeRange::exact), as
    /// those of the default are not.
    fn slope_range(&self) -> SlopeRange<A> {
        numeric::sampled_slopes(|z| self.activate(z), |z| self.derivative(z))
    }

    /// Bounds on the slopes at drives from `lower` to `upper`, and so on `(phi(z) - phi(y))/(z - y)` between any two of
    /// them; ends may be infinite. What is proved [near one state](crate::stability::region) rests on them,
    /// where slopes need no bound on the whole line.
    ///
    /// The default gives the bounds of the whole line, which hold on any interval, or those of the
    /// [`linear_pieces`](Self::linear_pieces) there if the former are exact. A network is not built with an activation
    /// whose samples contradict bounds that are [`exact`](SlopeRange::exact).
    ///
    /// ```
    /// use neuronash::activation::{ActivationCost, PowerLaw};
    ///
    /// let square = PowerLaw::new(2.0)?;
    /// assert_eq!(square.slope_range().max, f64::INFINITY);
    /// let slopes = square.slope_range_on(-1.0, 3.0);
    /// assert!(slopes.exact && slopes.min == 0.0 && (slopes.max - 6.0).abs() < 1e-13);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    fn slope_range_on(&self, lower: A, upper: A) -> SlopeRange<A> {
        let whole = self.slope_range();
        let pieces = if whole.exact { self.linear_pieces() } else { None };
        pieces.and_then(|pieces| slopes::of_pieces(&pieces, lower, upper)).unwrap_or(whole)
    }

    /// The input at which `phi` is steepest, if its slopes rise up to there and fall beyond (an S shape; `+inf` for a
    /// convex `phi`). Knowing it makes [`prox`](Self::prox) exact where the cost is not convex.
    fn steepest_input(&self) -> Option<A> {
        None
    }

    /// The pieces of `phi`, from left to right, if it is piecewise linear: they cover the line, and neighbours share
    /// their ends.
    fn linear_pieces(&self) -> Option<Vec<LinearPiece<A>>> {
        None
    }

    /// How `Psi` grows towards either end of the domain, which decides whether a neuron that excites itself has a best
    /// response at all (theory 2.1).
    ///
    /// The default knows finite ends of the domain and the outermost [`linear_pieces`](Self::linear_pieces), if `phi`
    /// follows them. Other tails are [`Tail::Unknown`], and are judged by the values of `phi` at the farthest drives
    /// that it has finite values for: whether it is linear there to rounding, or grows faster than by a power of
    /// 1.0001, or else on which side of the line in question it lies. A value that is not finite says nothing.
    fn growth(&self) -> Growth<A> {
        growth::known(self)
    }

    /// The activation cost `E_act(x) = Psi(x) - x^2/2`.
    fn cost(&self, x: A) -> A {
        self.potential(x) - A::of(0.5) * x * x
    }

    /// The proximal operator `argmin_s E_act(s) + (s - z)^2/(2 step)` for a positive, finite step; NaN for other steps.
    /// At step 1 it is `phi` (theory 1.2).
    ///
    /// For a steepest slope `rho` the minimiser is unique while `step (1 - 1/rho) <= 1`, so for every step if `phi` is
    /// nonexpansive. Otherwise this is a global minimiser: of several the one of least magnitude (the positive one
    /// of two), and where the objective falls for ever the end of the domain towards which it falls (the upper one
    /// of two), which is infinite.
    fn prox(&self, z: A, step: A) -> A {
        prox::prox(self, z, step)
    }

    /// The Fenchel-Young gap `Psi(x) + Psi*(z) - x z >= 0`, zero exactly at `x = phi(z)`; `+inf` outside the domain.
    ///
    /// The default is `int_z^{phi^{-1}(x)} (x - phi(w)) dw`, which does not cancel near the graph.
    fn fenchel_young(&self, x: A, z: A) -> A {
        gap_by_quadrature(self, x, z)
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

/// `int_z^{phi^{-1}(x)} (x - phi(w)) dw = Psi(x) + Psi*(z) - x z`.
fn gap_by_quadrature<A: Scalar, T: ActivationCost<A> + ?Sized>(activation: &T, x: A, z: A) -> A {
    if x.is_nan() || z.is_nan() {
        return A::nan();
    }
    let (source, range) = (activation.inverse(x), activation.domain());
    let shortfall = |w: A| x - activation.activate(w);
    let scale = x.abs().max(activation.activate(z).abs());
    let gap = if source.is_nan() {
        A::infinity()
    } else if z != source
        && (source.is_infinite() || (x == range.upper && z < source) || (x == range.lower && z > source))
    {
        // Rounding makes phi reach an end of its range that it may only tend to.
        numeric::integral_to_infinity(shortfall, z, (source - z).signum(), scale)
    } else {
        numeric::integral(shortfall, z, source, A::epsilon() * scale)
    };
    // At the source itself the integrand may have the wrong sign by a rounding error.
    if gap < A::zero() { A::zero() } else { gap.abs() }
}
