//! The largest gain at which weights stay diagonally stable.

use std::fmt;

use super::Margin;
use crate::error::Result;
use crate::linalg::decimal::{AtLeast, AtMost};
use crate::linalg::rounding::{sub_down, sub_up};
use crate::stability::diagonal::Proof;
use crate::stability::{self, Bounds, Implication, IntoSubject, Subject};

/// Proved bounds on the largest gain `g* = sup{g > 0 : g W - R^-1 is LDS}`.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Gain {
    pub(super) margin: Margin,
}

impl Gain {
    /// A proved lower bound: `g W - R^-1` is diagonally stable for every positive gain below it. Infinite if
    /// every gain is proved stable.
    pub fn lower(&self) -> f64 {
        let (lower, _) = self.margin_of_w();
        if lower >= 0.0 { f64::INFINITY } else { (-1.0 / lower).next_down().max(0.0) }
    }

    /// A proved upper bound: `g W - R^-1` is diagonally stable for no gain above it. Infinite if no bound is proved.
    pub fn upper(&self) -> f64 {
        let (_, upper) = self.margin_of_w();
        if upper >= 0.0 { f64::INFINITY } else { (-1.0 / upper).next_up() }
    }

    /// Both bounds.
    pub fn bounds(&self) -> Bounds {
        Bounds { lower: self.lower(), upper: self.upper() }
    }

    /// As [`Margin::proof`].
    pub fn proof(&self) -> Option<Proof> {
        self.margin.proof()
    }

    /// As [`Margin::error_probability`].
    pub fn error_probability(&self) -> Option<f64> {
        self.margin.error_probability()
    }

    /// Whether it is proved that every positive gain is diagonally stable.
    pub fn is_unbounded(&self) -> bool {
        self.margin_of_w().0 >= 0.0
    }

    /// Bounds on `delta*(W; R) = delta*(A; R) - 1`. Since `g W - R^-1 = g (W + delta R^-1)` with `delta = -1/g`, the largest
    /// gain is `-1/delta*(W; R)`, or infinite if that is not negative.
    fn margin_of_w(&self) -> (f64, f64) {
        let m = &self.margin;
        (sub_down(m.lower_of_pencil(), 1.0 + m.origin), sub_up(m.upper, 1.0 + m.origin))
    }

    /// Proves both bounds again, as [`Margin::verify`].
    ///
    /// # Errors
    /// As [`Margin::verify`].
    pub fn verify<'a>(&self, subject: impl IntoSubject<'a>) -> Result<()> {
        self.margin.verify(subject)
    }

    /// The margin of `A = W - R^-1` that both bounds come from, and that re-checks itself.
    pub fn margin(&self) -> &Margin {
        &self.margin
    }
}

impl stability::Certificate for Gain {
    type Subject<'a> = Subject<'a>;

    fn verify(&self, subject: &Subject<'_>) -> Result<()> {
        self.margin.verify(subject)
    }

    fn margin(&self) -> Option<f64> {
        Some(self.margin.lower())
    }

    fn implies(&self) -> Implication {
        stability::Certificate::implies(&self.margin)
    }

    fn error_probability(&self) -> Option<f64> {
        self.margin.error_probability()
    }
}

impl fmt::Display for Gain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_unbounded() && self.error_probability().is_none() {
            f.write_str("every gain is diagonally stable, proved")
        } else {
            let (lower, upper) = (AtLeast(self.lower()), AtMost(self.upper()));
            write!(f, "largest diagonally stable gain in [{lower:e}, {upper:e}], {}", self.margin.how_proved())
        }
    }
}
