//! How costs grow where rates are unbounded.

use super::ActivationCost;
use crate::Scalar;

/// How `Psi` grows towards either end of its domain.
///
/// ```
/// use neuronash::activation::{ActivationCost, PowerLaw, Relu, Tail};
///
/// let relu = ActivationCost::<f64>::growth(&Relu);
/// assert_eq!(relu.lower, Tail::Bounded);
/// assert_eq!(relu.upper, Tail::Quadratic { slope: 1.0, intercept: 0.0 });
/// // x^{4/3}: no multiple of x^2 is too small for it.
/// assert_eq!(PowerLaw::new(3.0)?.growth().upper, Tail::Subquadratic);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth<A> {
    /// Towards the lower end.
    pub lower: Tail<A>,
    /// Towards the upper end.
    pub upper: Tail<A>,
}

/// How `Psi` grows towards one end of its domain, compared with `x^2`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Tail<A> {
    /// The end is finite.
    Bounded,
    /// `Psi(x)/x^2` tends to infinity, and `phi(z)/z` to 0.
    Superquadratic,
    /// `Psi(x)/x^2` tends to `1/(2 slope)`, and `phi(z)/z` to `slope > 0`.
    Quadratic {
        /// The limit of `phi(z)/z`.
        slope: A,
        /// The limit of `phi(z) - slope z`, which may be infinite.
        intercept: A,
    },
    /// `Psi(x)/x^2` tends to 0, and `phi(z)/z` to infinity: with any positive self-weight the own energy of a neuron
    /// falls for ever.
    Subquadratic,
    /// Not known.
    Unknown,
}

/// What the domain and the outermost linear pieces say.
pub(super) fn known<A: Scalar, T: ActivationCost<A> + ?Sized>(activation: &T) -> Growth<A> {
    let domain = activation.domain();
    let pieces = activation.linear_pieces().unwrap_or_default();
    let tail = |end: A, outwards: A| {
        if end.is_finite() {
            return Tail::Bounded;
        }
        let outermost = if outwards > A::zero() { pieces.last() } else { pieces.first() };
        let Some(piece) = outermost else { return Tail::Unknown };
        let (begins, ends) = if outwards > A::zero() { (piece.lower, piece.upper) } else { (piece.upper, piece.lower) };
        let (slope, intercept) = (piece.slope, piece.intercept);
        let sound = ends == outwards * A::infinity() && slope > A::zero() && slope.is_finite() && intercept.is_finite();
        let start = if begins.is_finite() { begins } else { A::zero() };
        let follows = |distance: f64| {
            let z = start + outwards * (A::one() + start.abs()) * A::of(distance);
            let line = slope * z + intercept;
            let noise = A::of(16.0) * A::epsilon() * ((slope * z).abs() + intercept.abs());
            (activation.activate(z) - line).abs() <= noise
        };
        if sound && follows(1.0) && follows(1e3) { Tail::Quadratic { slope, intercept } } else { Tail::Unknown }
    };
    Growth { lower: tail(domain.lower, -A::one()), upper: tail(domain.upper, A::one()) }
}
