//! A number known from both sides.

use std::fmt;

use crate::linalg::decimal::{AtLeast, AtMost};

/// A real number that lies in `[lower, upper]`, proved where its owner does not say otherwise; an end that is not known is infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bounds {
    /// Not more than the number.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub lower: f64,
    /// Not less than the number.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub upper: f64,
}

impl Bounds {
    /// `upper - lower`.
    pub fn width(&self) -> f64 {
        self.upper - self.lower
    }

    /// Whether `x` lies within the bounds.
    pub fn contains(&self, x: f64) -> bool {
        self.lower <= x && x <= self.upper
    }
}

/// The printed numbers are rounded outward, to the precision that is asked for.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lower, upper) = (AtLeast(self.lower), AtMost(self.upper));
        match f.precision() {
            Some(digits) => write!(f, "[{lower:.digits$}, {upper:.digits$}]"),
            None => write!(f, "[{lower}, {upper}]"),
        }
    }
}
