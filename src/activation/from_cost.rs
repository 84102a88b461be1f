//! An activation from its cost.

use std::fmt::Debug;

use super::parameter::{declared_domain, declared_slopes};
use super::{ActivationCost, Domain, SlopeRange, numeric, prox};
use crate::Scalar;
use crate::error::{Error, Result};

/// A cost of firing, `E_act`, and its derivative: enough for an activation, by way of [`FromCost`].
///
/// `E_act(x) + x^2/2` must be convex, so that its derivative has a nondecreasing inverse, the activation.
pub trait CostFunction<A: Scalar>: Debug + Send + Sync {
    /// A short name with parameters, for messages and tables.
    fn name(&self) -> String;

    /// `E_act(x)` for `x` in the domain, its ends included; `+inf` at an end that costs too much.
    fn cost(&self, x: A) -> A;

    /// `E_act'(x)` for `x` in the domain; at an end, the one-sided derivative, perhaps infinite. At a kink any element of
    /// the subdifferential will do.
    fn derivative(&self, x: A) -> A;

    /// The rates that the neuron may choose from.
    fn domain(&self) -> Domain<A>;
}

/// The activation that follows from a [`CostFunction`]: `phi(z)` solves `E_act'(s) + s = z`, or is an end of the domain.
///
/// All methods work on the cost itself. `activate` takes about 70 calls of the derivative and is exact to a few units in
/// the last place of `E_act'(s) + s`; slopes come from central differences.
///
/// ```
/// use neuronash::activation::{ActivationCost, CostFunction, Domain, FromCost};
///
/// /// Metabolic cost `x^2`, no negative rates: a rectifier of slope 1/3.
/// #[derive(Debug)]
/// struct Metabolic;
///
/// impl CostFunction<f64> for Metabolic {
///     fn name(&self) -> String {
///         "metabolic".into()
///     }
///     fn cost(&self, x: f64) -> f64 {
///         x * x
///     }
///     fn derivative(&self, x: f64) -> f64 {
///         2.0 * x
///     }
///     fn domain(&self) -> Domain<f64> {
///         Domain::new(0.0, f64::INFINITY)
///     }
/// }
///
/// let phi = FromCost::new(Metabolic)?.with_slope_range(0.0, 1.0 / 3.0)?;
/// assert!((phi.activate(1.5) - 0.5).abs() < 1e-15);
/// assert_eq!(phi.activate(-1.0), 0.0);
/// assert!((phi.conjugate(1.5) - 0.375).abs() < 1e-15);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FromCost<A, C> {
    function: C,
    domain: Domain<A>,
    slopes: Option<SlopeRange<A>>,
}

impl<A: Scalar, C: CostFunction<A>> FromCost<A, C> {
    /// Checks the domain, and on samples that `E_act(x) + x^2/2` is convex.
    ///
    /// # Errors
    /// A domain that is empty or one point, a derivative that is NaN inside it, or samples of `E_act'(x) + x` that fall.
    pub fn new(function: C) -> Result<Self> {
        let given = function.domain();
        let domain = declared_domain(given.lower, given.upper)?;
        let phi = Self { function, domain, slopes: None };
        let mut before = (domain.lower, A::neg_infinity());
        for x in samples(domain) {
            let source = phi.source(x);
            let noise = A::of(64.0) * A::epsilon() * (source.abs() + x.abs());
            if source.is_nan() || before.1 - source > noise {
                return Err(Error::invalid(
                    "cost",
                    format!(
                        "{} with derivative + x = {source} at {x} after {} at {}",
                        phi.function.name(),
                        before.1,
                        before.0
                    ),
                    "costs whose derivative + x does not fall",
                ));
            }
            before = (x, source);
        }
        Ok(phi)
    }

    /// Declares bounds on the slopes of the activation, `1/(1 + E_act'')`, which count as exact: certificates rest on
    /// them. `max` may be infinite.
    ///
    /// # Errors
    /// Unless `0 <= min <= max` and `max > 0`, `min` finite.
    pub fn with_slope_range(mut self, min: A, max: A) -> Result<Self> {
        self.slopes = Some(declared_slopes(min, max)?);
        Ok(self)
    }

    /// `Psi'(x)` inside the domain.
    fn source(&self, x: A) -> A {
        self.function.derivative(x) + x
    }

    /// The rate at which `slope`, nondecreasing, reaches 0.
    fn rate_where(&self, slope: impl Fn(A) -> A) -> A {
        let Domain { lower, upper } = self.domain;
        let s = numeric::sign_change(|s| slope(s) >= A::zero(), lower, upper);
        // The largest numbers stand for an end at infinity.
        if s == A::max_value() {
            upper
        } else if s == -A::max_value() {
            lower
        } else {
            s
        }
    }
}

/// Points inside the domain in increasing order: evenly between finite ends, and by powers of 2 towards infinite ones.
fn samples<A: Scalar>(domain: Domain<A>) -> Vec<A> {
    let Domain { lower, upper } = domain;
    if lower.is_finite() && upper.is_finite() {
        return (1..200).map(|i| lower + (upper - lower) * A::of(f64::from(i) / 200.0)).collect();
    }
    let outwards = (-20..=40).map(|j| A::of(2f64.powf(f64::from(j) / 2.0)));
    if lower.is_finite() {
        outwards.map(|d| lower + d).collect()
    } else if upper.is_finite() {
        outwards.rev().map(|d| upper - d).collect()
    } else {
        outwards.clone().rev().map(|d| -d).chain(outwards).collect()
    }
}

impl<A: Scalar, C: CostFunction<A>> ActivationCost<A> for FromCost<A, C> {
    fn name(&self) -> String {
        self.function.name()
    }
    fn activate(&self, z: A) -> A {
        if z.is_nan() { z } else { self.rate_where(|s| self.source(s) - z) }
    }
    fn derivative(&self, z: A) -> A {
        let s = self.activate(z);
        let Domain { lower, upper } = self.domain;
        if s.is_nan() {
            return s;
        }
        let room = (s - lower).min(upper - s);
        if room <= A::zero() {
            return A::zero();
        }
        let first_step = s.abs().max(A::one()).min(A::of(2.0) * room) / A::of(4.0);
        A::one() / numeric::central_derivative(|s| self.source(s), s, first_step)
    }
    fn inverse(&self, x: A) -> A {
        if !self.domain.contains(x) {
            A::nan()
        } else if x == self.domain.lower {
            self.source(x).min(A::zero())
        } else if x == self.domain.upper {
            self.source(x).max(A::zero())
        } else {
            self.source(x)
        }
    }
    fn potential(&self, x: A) -> A {
        self.cost(x) + A::of(0.5) * x * x
    }
    fn conjugate(&self, z: A) -> A {
        let s = self.activate(z);
        s * z - self.potential(s)
    }
    fn domain(&self) -> Domain<A> {
        self.domain
    }
    fn slope_range(&self) -> SlopeRange<A> {
        self.slopes.unwrap_or_else(|| numeric::sampled_slopes(|z| self.activate(z), |z| self.derivative(z)))
    }
    fn cost(&self, x: A) -> A {
        if x.is_nan() || self.domain.contains(x) { self.function.cost(x) } else { A::infinity() }
    }
    fn prox(&self, z: A, step: A) -> A {
        if step > A::zero() && step <= A::one() && !z.is_nan() {
            self.rate_where(|s| step * self.function.derivative(s) + (s - z))
        } else {
            prox::prox(self, z, step)
        }
    }
    fn fenchel_young(&self, x: A, z: A) -> A {
        let potential = self.potential(x);
        if potential.is_nan() || z.is_nan() || potential == A::infinity() {
            return potential + z.abs();
        }
        let m = self.activate(z);
        let (at_m, slide) = (self.potential(m), z * (x - m));
        let gap = potential - at_m - slide;
        if gap > A::of(1e-3) * (potential.abs() + at_m.abs() + slide.abs()) {
            return gap;
        }
        // Near the graph the difference cancels, and the integral of Psi' - z does not.
        // An infinite value at an end of the domain is one that is approached so slowly that it does not count.
        let slope = |s: A| {
            let source = self.source(s);
            if source.is_infinite() { A::zero() } else { source - z }
        };
        numeric::integral(slope, m, x, A::epsilon() * z.abs())
    }
}
