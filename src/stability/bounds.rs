//! A number known from both sides.

use std::fmt;

/// A real number that is proved to lie in `[lower, upper]`; an end that is not known is infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bounds {
    /// Not more than the number.
    #[cfg_attr(feature = "serde", serde(with = "extended"))]
    pub lower: f64,
    /// Not less than the number.
    #[cfg_attr(feature = "serde", serde(with = "extended"))]
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

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(6);
        write!(f, "[{:.digits$}, {:.digits$}]", self.lower, self.upper)
    }
}

/// Numbers that may be infinite, in formats whose numbers may not: as the texts `inf` and `-inf` where a person may read them.
#[cfg(feature = "serde")]
pub(crate) mod extended {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(x: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if x.is_finite() || !serializer.is_human_readable() {
            x.serialize(serializer)
        } else {
            serializer.collect_str(x)
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Extended {
            Number(f64),
            Text(String),
        }
        if !deserializer.is_human_readable() {
            return f64::deserialize(deserializer);
        }
        match Extended::deserialize(deserializer)? {
            Extended::Number(x) => Ok(x),
            Extended::Text(text) => text.parse().map_err(de::Error::custom),
        }
    }
}
