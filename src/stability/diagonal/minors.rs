//! Principal minors of two rows, which refute diagonal stability at any size (theory 3.13 e).
//!
//! Principal submatrices of a diagonally stable matrix are diagonally stable, and a matrix of two rows with a negative
//! diagonal is so iff its determinant is positive (theory 3.6).

use ndarray::{Array1, Array2};

use super::block::{Block, Outcome};
use super::majorant::Rows;
use super::method::Method;
use super::weights::frexp;

/// Minors within rounding errors of zero that are looked at exactly.
const MOST_DOUBTFUL: usize = 100;

/// A refutation by two rows of a matrix whose diagonal is negative.
pub(super) fn refutation(block: &Block<'_>) -> Option<Outcome> {
    let a = block.pencil.matrix();
    let mut found = None;
    witness(
        &a,
        |i, j| a[[i, j]],
        &block.diagonal.lower,
        |y| {
            found = block.not_stable(y.clone(), Method::TwoByTwo);
            found.is_some()
        },
    );
    found
}

/// The first witness of two rows that `proves` accepts, for a matrix with the entries `entry(i, j)` and the negative
/// `diagonal`, in a time of the number of nonzeros.
///
/// If `a_ii a_jj <= a_ij a_ji`, the vector with `x_i = |a_ij|` and `x_j = +-|a_ii|`, of the sign of `a_ij`, has `(A
/// x)_i x_i = 0` and `(A x)_j x_j = |a_ii| (a_ij a_ji - a_ii a_jj) >= 0`.
pub(super) fn witness(
    a: &impl Rows,
    entry: impl Fn(usize, usize) -> f64,
    diagonal: &Array1<f64>,
    mut proves: impl FnMut(&Array2<f64>) -> bool,
) -> Option<Array2<f64>> {
    let mut doubtful = 0;
    for i in 0..a.size() {
        let mut pairs = Vec::new();
        a.off_diagonal(i, |j, ij| {
            if j > i && may_refute([ij, entry(j, i)], [diagonal[i], diagonal[j]]) {
                pairs.push((j, ij));
            }
        });
        for (j, ij) in pairs {
            let mut y = Array2::zeros((a.size(), 1));
            y[[i, 0]] = ij.abs();
            y[[j, 0]] = diagonal[i].abs().copysign(ij);
            if proves(&y) {
                return Some(y);
            }
            doubtful += 1;
            if doubtful == MOST_DOUBTFUL {
                return None;
            }
        }
    }
    None
}

/// Whether the product of two entries is at least that of two diagonal entries, up to a few roundings.
fn may_refute([ij, ji]: [f64; 2], [ii, jj]: [f64; 2]) -> bool {
    const ALMOST: f64 = 1.0 - 8.0 * f64::EPSILON;
    if ij == 0.0 || ji == 0.0 || (ij > 0.0) != (ji > 0.0) {
        return false;
    }
    let (off, own) = (ij * ji, ii * jj);
    if off.is_normal() && own.is_normal() {
        return off >= ALMOST * own;
    }
    // Some product leaves the range of `f64`; mantissas and exponents do not.
    let product = |x: f64, y: f64| {
        let ((m, e), (p, q)) = (frexp(x), frexp(y));
        let (mantissa, exponent) = frexp(m * p);
        (exponent + e + q, mantissa)
    };
    let ((e, m), (f, p)) = (product(ij, ji), product(ii, jj));
    e > f || (e == f && m >= ALMOST * p)
}
