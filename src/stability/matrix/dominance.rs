//! Diagonal dominance.

use std::fmt;

use ndarray::{ArrayBase, Data, Ix2};

use crate::Scalar;
use crate::error::Result;
use crate::linalg::decimal::{AtLeast, AtMost};
use crate::stability::Bounds;
use crate::stability::contraction::{Norm, log_norm};

/// How far a matrix is from losing negative diagonal dominance.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Dominance {
    rows: Bounds,
    columns: Bounds,
}

impl Dominance {
    /// Bounds on `min_i (-a_ii - sum_{j != i} |a_ij|)`; positive when every row is dominated by a negative diagonal entry.
    pub fn rows(&self) -> Bounds {
        self.rows
    }

    /// Bounds on `min_j (-a_jj - sum_{i != j} |a_ij|)`.
    pub fn columns(&self) -> Bounds {
        self.columns
    }

    /// Whether all rows, or all columns, are proved dominant. Then the matrix is diagonally stable.
    pub fn holds(&self) -> bool {
        self.rows.lower > 0.0 || self.columns.lower > 0.0
    }
}

impl fmt::Display for Dominance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |b: Bounds| format!("[{:e}, {:e}]", AtLeast(b.lower), AtMost(b.upper));
        write!(f, "least dominance of rows in {}, of columns in {}", of(self.rows), of(self.columns))
    }
}

/// Dominance of the negative diagonal of `a`, shape `[n, n]`, over the rest of its rows and columns: minus its l-infinity and
/// l1 [log norms](log_norm).
///
/// # Errors
/// An empty or non-square matrix, or an entry that is not finite.
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::matrix::diagonal_dominance;
/// let d = diagonal_dominance(&array![[-3.0, 1.0], [4.0, -2.0]])?;
/// assert_eq!((d.rows().lower, d.columns().lower), (-2.0, -1.0));
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn diagonal_dominance<A: Scalar, S: Data<Elem = A>>(a: &ArrayBase<S, Ix2>) -> Result<Dominance> {
    let negated = |b: Bounds| Bounds { lower: -b.upper, upper: -b.lower };
    Ok(Dominance { rows: negated(log_norm(a, &Norm::linf())?), columns: negated(log_norm(a, &Norm::l1())?) })
}
