//! An activation from a closure.

use std::fmt;
use std::sync::Arc;

use super::parameter::{declared_domain, declared_slopes};
use super::{ActivationCost, Domain, SlopeRange, numeric};
use crate::Scalar;
use crate::error::Result;

/// An activation that is given by a closure, with all else by default; made by [`from_fn`].
#[derive(Clone)]
pub struct FromFn<A, F> {
    name: String,
    phi: F,
    slopes: Option<SlopeRange<A>>,
    domain: Option<Domain<A>>,
    local_slopes: Option<Arc<LocalSlopes<A>>>,
}

/// The least and the largest slope at drives from one number to another.
type LocalSlopes<A> = dyn Fn(A, A) -> (A, A) + Send + Sync;

/// The activation `phi`, a nondecreasing and continuous function that is defined for every finite input.
///
/// ```
/// use neuronash::activation::{ActivationCost, from_fn};
///
/// let bend = from_fn("bend", |z: f64| if z > 0.0 { z / (1.0 + z) } else { 0.0 }).with_slope_range(0.0, 1.0)?;
/// assert_eq!(bend.activate(1.0), 0.5);
/// assert!((bend.inverse(0.75) - 3.0).abs() < 1e-14);
/// assert!(bend.slope_range().exact);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn from_fn<A: Scalar, F: Fn(A) -> A + Send + Sync>(name: impl Into<String>, phi: F) -> FromFn<A, F> {
    FromFn { name: name.into(), phi, slopes: None, domain: None, local_slopes: None }
}

impl<A: Scalar, F> FromFn<A, F> {
    /// Declares bounds on the slopes, which count as exact: certificates rest on them. `max` may be infinite. A network
    /// is not built with an activation whose samples contradict them.
    ///
    /// # Errors
    /// Unless `0 <= min <= max` and `max > 0`, `min` finite.
    pub fn with_slope_range(mut self, min: A, max: A) -> Result<Self> {
        self.slopes = Some(declared_slopes(min, max)?);
        Ok(self)
    }

    /// Declares bounds on the slopes at drives from `lower` to `upper` as `bounds(lower, upper) = (min, max)`, on which
    /// certificates of regions rest. A network is not built with an activation whose samples contradict them; bounds
    /// that are NaN, negative or out of order prove nothing.
    ///
    /// ```
    /// use neuronash::activation::{ActivationCost, from_fn};
    ///
    /// // e^z has no largest slope, but one up to any drive.
    /// let growth = from_fn("exponential", f64::exp)
    ///     .with_slope_range_on(|lower, upper| (lower.exp() * (1.0 - 1e-15), upper.exp() * (1.0 + 1e-15)));
    /// assert!(growth.slope_range_on(0.0, 1.0).max < 2.7183);
    /// ```
    #[must_use]
    pub fn with_slope_range_on(mut self, bounds: impl Fn(A, A) -> (A, A) + Send + Sync + 'static) -> Self {
        self.local_slopes = Some(Arc::new(bounds));
        self
    }

    /// Declares the closure of the range of `phi`; either end may be infinite.
    ///
    /// # Errors
    /// Unless `lower < upper`.
    pub fn with_domain(mut self, lower: A, upper: A) -> Result<Self> {
        self.domain = Some(declared_domain(lower, upper)?);
        Ok(self)
    }
}

impl<A: Scalar, F> fmt::Debug for FromFn<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn")
            .field("name", &self.name)
            .field("slopes", &self.slopes)
            .field("domain", &self.domain)
            .field("local_slopes", &self.local_slopes.is_some())
            .finish_non_exhaustive()
    }
}

impl<A: Scalar, F: Fn(A) -> A + Send + Sync> ActivationCost<A> for FromFn<A, F> {
    fn name(&self) -> String {
        self.name.clone()
    }
    fn activate(&self, z: A) -> A {
        (self.phi)(z)
    }
    fn domain(&self) -> Domain<A> {
        self.domain.unwrap_or_else(|| numeric::limits(&self.phi))
    }
    fn slope_range(&self) -> SlopeRange<A> {
        self.slopes.unwrap_or_else(|| numeric::sampled_slopes(&self.phi, |z| self.derivative(z)))
    }
    fn slope_range_on(&self, lower: A, upper: A) -> SlopeRange<A> {
        let Some(bounds) = &self.local_slopes else { return self.slope_range() };
        let (min, max) = bounds(lower, upper);
        SlopeRange { min, max, exact: A::zero() <= min && min <= max }
    }
}
