//! D-stability: stability for all time constants.

use std::fmt;

use ndarray::{Array2, ArrayBase, Data, Ix2};

use super::{PMatrix, checked, enclosed, small_minor, structure};
use crate::Scalar;
use crate::error::Result;
use crate::linalg::rounding::{mul_down, mul_up};
use crate::stability::diagonal::certify;

/// The answer to "is `T^{-1} A` Hurwitz for all positive diagonal `T`?".
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum DStability {
    /// Proved.
    Yes,
    /// Refuted: a principal minor of `-A` within these rows and columns is proved negative. When all other neurons are slow
    /// enough, that group is unstable.
    No {
        /// Rows and columns, in increasing order.
        minor: Vec<usize>,
    },
    /// Refuted: `A` is symmetric or Metzler, up to units and signs, and not diagonally stable, hence not Hurwitz.
    NotHurwitz,
    /// Neither. No finite test is known for orders above 4.
    Undecided,
}

impl fmt::Display for DStability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DStability::Yes => f.write_str("D-stable, proved"),
            DStability::No { minor } => write!(f, "not D-stable: rows and columns {minor:?} refute it"),
            DStability::NotHurwitz => f.write_str("not D-stable: the matrix itself is not Hurwitz"),
            DStability::Undecided => f.write_str("undecided whether it is D-stable"),
        }
    }
}

/// Whether `a`, shape `[n, n]`, is D-stable, as far as that is decidable: diagonal stability proves it; a negative
/// principal minor of `-A` refutes it; orders 1 and 2 are decided exactly (up to rounding), because there the
/// necessary condition, that the principal minors are nonnegative with a positive one of each order, is sufficient
/// (Johnson, "Sufficient conditions for D-stability", 1974). A matrix that is symmetric or Metzler, up to units and
/// signs, is D-stable iff it is diagonally stable.
///
/// # Errors
/// An empty or non-square matrix, or an entry that is not finite.
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::matrix::{DStability, d_stability};
/// assert_eq!(d_stability(&array![[-1.0, 4.0], [-4.0, -1.0]])?, DStability::Yes);
/// // Hurwitz, but not for all time constants.
/// assert_eq!(d_stability(&array![[1.0, -3.0], [3.0, -2.0]])?, DStability::No { minor: vec![0] });
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn d_stability<A: Scalar, S: Data<Elem = A>>(a: &ArrayBase<S, Ix2>) -> Result<DStability> {
    let a = checked(a, "a")?;
    let n = a.nrows();
    if n <= 2 && (0..n).all(|i| a[[i, i]] <= 0.0) && (0..n).any(|i| a[[i, i]] < 0.0) {
        let positive = n == 1 || mul_down(a[[0, 0]], a[[1, 1]]) > mul_up(a[[0, 1]], a[[1, 0]]);
        if positive {
            return Ok(DStability::Yes);
        }
    }
    let verdict = certify(&a)?;
    if verdict.is_stable() {
        return Ok(DStability::Yes);
    }
    Ok(match refuting_minor(-&a) {
        Some(minor) => DStability::No { minor },
        None if verdict.is_not_stable() && structure(a.view()).decides() => DStability::NotHurwitz,
        None => DStability::Undecided,
    })
}

/// Rows and columns within which a principal minor of `M` is proved negative, also for every `M` with a smaller diagonal.
///
/// If all principal minors of `M` are nonnegative, then those of `M` plus a positive diagonal are positive. So it is refuted by
/// one that is not, however the diagonal was raised.
///
/// Up to order 20 all are looked at, above those of order 1 and 2.
pub(in crate::stability) fn refuting_minor(mut lifted: Array2<f64>) -> Option<Vec<usize>> {
    // The same in all units: they change an entry and the one across the diagonal by inverse factors.
    let scale =
        lifted.indexed_iter().map(|((i, j), v)| v.abs().sqrt() * lifted[[j, i]].abs().sqrt()).fold(0.0f64, f64::max);
    lifted.diag_mut().mapv_inplace(|v| (v + 1e-9 * scale).next_up());
    match enclosed(&lifted, &lifted) {
        Some(PMatrix::No { minor }) => Some(minor),
        Some(_) => None,
        None => small_minor(&lifted),
    }
}
