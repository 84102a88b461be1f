//! Where rates may lie, and bounds on the slopes of an activation function.

use crate::Scalar;
use crate::error::{Error, Result};

/// A closed interval of firing rates; ends may be infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct Domain<A> {
    /// Smallest rate, or its infimum.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub lower: A,
    /// Largest rate, or its supremum.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub upper: A,
}

impl<A: Scalar> Domain<A> {
    /// `[lower, upper]`; either end may be infinite.
    pub fn new(lower: A, upper: A) -> Self {
        Self { lower, upper }
    }

    /// All rates.
    pub fn everything() -> Self {
        Self { lower: A::neg_infinity(), upper: A::infinity() }
    }

    /// Whether `lower <= x <= upper`.
    pub fn contains(&self, x: A) -> bool {
        self.lower <= x && x <= self.upper
    }
}

/// Bounds `min <= phi' <= max`, and whether they are known or only sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct SlopeRange<A> {
    /// Smallest slope (an infimum).
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub min: A,
    /// Largest slope (a supremum); infinite when the slopes are unbounded.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub max: A,
    /// Whether the bounds follow from a formula or a declaration (`true`), or from samples only (`false`).
    pub exact: bool,
}

impl<A: Scalar> SlopeRange<A> {
    /// Bounds that are known to hold.
    pub fn exact(min: A, max: A) -> Self {
        Self { min, max, exact: true }
    }

    /// Bounds that were seen on samples; no proof rests on them.
    pub fn sampled(min: A, max: A) -> Self {
        Self { min, max, exact: false }
    }

    /// Whether all slopes are in `[0, 1]` (monotone and nonexpansive).
    pub fn is_mone(&self) -> bool {
        self.min >= A::zero() && self.max <= A::one()
    }

    /// The upper bound `rho`, whether known or sampled. Proofs rest on [`proved`](Self::proved).
    ///
    /// # Errors
    /// [`Error::UnboundedSlope`], which names the activation and what needed the bound.
    pub fn bounded(&self, activation: &str, needed_by: &str) -> Result<A> {
        if self.max.is_finite() {
            Ok(self.max)
        } else {
            Err(Error::UnboundedSlope {
                activation: activation.into(),
                min: self.min.to_double(),
                needed_by: needed_by.into(),
            })
        }
    }

    /// The upper bound `rho` that a proof may rest on: finite, above 0, and known from a formula or a declaration, of an activation
    /// that does not decrease.
    ///
    /// # Errors
    /// [`Error::UnboundedSlope`] for an infinite one; [`Error::Invalid`] for one that was only sampled, or is not positive, or
    /// unless `0 <= min <= max`. All name the activation and what needed the bound.
    ///
    /// ```
    /// use neuronash::activation::{ActivationCost, from_fn};
    /// let bend = || from_fn("bend", |z: f64| if z > 0.0 { z / (1.0 + z) } else { 0.0 });
    /// assert!(bend().slope_range().proved("bend", "a proof").is_err());
    /// assert_eq!(bend().with_slope_range(0.0, 1.0)?.slope_range().proved("bend", "a proof")?, 1.0);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn proved(&self, activation: &str, needed_by: &str) -> Result<A> {
        let refused = |value: String, allowed: String| Err(Error::invalid(activation, value, allowed));
        let ordered = A::zero() <= self.min && self.min <= self.max;
        if self.exact && !ordered {
            let value = format!("an activation with slopes in [{}, {}]", self.min, self.max);
            let allowed = "activations that do not decrease, with `0 <= min <= max` for the bounds of their slopes";
            return refused(value, format!("{allowed}, which {needed_by} needs"));
        }
        let rho = self.bounded(activation, needed_by)?;
        if !self.exact {
            let value = format!("an activation with slopes known from samples only, in [{}, {}]", self.min, self.max);
            let how = "by `with_slope_range` or a `slope_range` of its own";
            return refused(value, format!("declared slope bounds ({how}), on which {needed_by} can rest"));
        }
        if rho <= A::zero() {
            let value = format!("an activation with largest slope {rho}");
            return refused(value, format!("largest slopes above 0, which {needed_by} needs"));
        }
        Ok(rho)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_rest_on_slopes_of_nondecreasing_activations_only() {
        for (min, max) in [(-1.0, 1.0), (f64::NAN, 1.0), (0.0, f64::NAN), (1.0, 0.5), (-1e-300, f64::INFINITY)] {
            let error = SlopeRange::exact(min, max).proved("bend", "a proof").unwrap_err().to_string();
            assert!(error.contains("do not decrease") && error.contains("bend"), "[{min}, {max}]: {error}");
        }
        assert_eq!(SlopeRange::exact(0.25, 1.0).proved("bend", "a proof"), Ok(1.0));
        assert_eq!(SlopeRange::exact(1.0, 1.0).proved("bend", "a proof"), Ok(1.0));
    }
}
