//! Weights as they stand in a file.

use ndarray::Array1;

use super::Weights;
use crate::check::{length, positive_vector};
use crate::error::{Error, Result};

/// Weights as they stand in a file.
#[derive(serde::Deserialize)]
pub(super) struct StoredWeights {
    mantissa: Array1<f64>,
    exponent: Vec<i32>,
}

impl TryFrom<StoredWeights> for Weights {
    type Error = Error;

    fn try_from(stored: StoredWeights) -> Result<Self> {
        /// Differences of exponents up to this one are far from the ends of `i32`.
        const LARGEST: i32 = 1 << 29;
        let StoredWeights { mantissa, exponent } = stored;
        if mantissa.is_empty() {
            return Err(Error::Empty { argument: "mantissa".into() });
        }
        length("exponent", exponent.len(), mantissa.len())?;
        positive_vector("mantissa", mantissa.view(), mantissa.len())?;
        let out_of_range = exponent.iter().enumerate().find(|(_, e)| !(-LARGEST..=LARGEST).contains(*e));
        if let Some((i, e)) = out_of_range {
            return Err(Error::invalid(format!("exponent[{i}]"), e, format!("at most {LARGEST} in magnitude")));
        }
        Self::new(mantissa, exponent)
            .ok_or_else(|| Error::invalid("mantissa", "out of range", "finite numbers above 0"))
    }
}
