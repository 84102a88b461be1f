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

    /// Bounds that were seen on samples; a certificate that rests on them says so.
    pub fn sampled(min: A, max: A) -> Self {
        Self { min, max, exact: false }
    }

    /// Whether all slopes are in `[0, 1]` (monotone and nonexpansive).
    pub fn is_mone(&self) -> bool {
        self.min >= A::zero() && self.max <= A::one()
    }

    /// The upper bound `rho`, or the error that names the activation and who needed the bound.
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
}
