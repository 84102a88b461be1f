//! The check of weights `D`.

use std::cmp::Ordering;

use ndarray::{Array2, ArrayView1, ArrayView2};

use super::EXACT;
use crate::linalg::rounding::gamma;
use crate::linalg::verified::{Effort, U, UNDERFLOW, proved_when_scaled};
use crate::stability::diagonal::exact;
use crate::stability::diagonal::weights::{Weights, frexp, ldexp};

/// Side of the square tiles in which a matrix and its transpose are walked together.
const TILE: usize = 64;

/// Proves `D A + A'D < 0` for all diagonals of `A` up to `diagonal`.
///
/// `S = -(DA + A'D)` is scaled by powers of two to a diagonal near 1 and proved positive definite.
pub(in super::super) fn proves_stable(
    a: ArrayView2<'_, f64>,
    diagonal: ArrayView1<'_, f64>,
    weights: &Weights,
    effort: Effort,
) -> bool {
    let n = a.nrows();
    let usable = weights.exponent.iter().all(|e| e.unsigned_abs() < 1 << 24)
        && weights.mantissa.iter().all(|m| (1.0..2.0).contains(m));
    if weights.len() != n || weights.mantissa.len() != n || !usable || !diagonal.iter().all(|&v| v < 0.0) {
        return false;
    }
    if n == 1 {
        return true;
    }
    let scale = Scale::new(diagonal, weights);
    if n == 2 && scale.proves_two_by_two(a, diagonal) == Some(Ordering::Greater) {
        return true;
    }
    let (s, rounded) = scale.negated_symmetric_part(a, diagonal);
    let errors: Vec<f64> = rounded.iter().map(|sum| 2.0 * U * sum * (1.0 + gamma(2 * n + 16)) + UNDERFLOW).collect();
    proved_when_scaled(s, &errors, effort)
}

/// The congruence by powers of two that brings the diagonal of `-(DA + A'D)` near 1: entry `(i, j)` of `DA` is
/// multiplied by `2^(row_i + column_j)` besides the mantissa of `d_i`.
struct Scale<'a> {
    mantissa: &'a [f64],
    row: Vec<i32>,
    column: Vec<i32>,
}

impl<'a> Scale<'a> {
    fn new(diagonal: ArrayView1<'_, f64>, weights: &'a Weights) -> Self {
        // A power of two common to all weights makes no difference: what is proved for some is proved for the others.
        let least = weights.exponent.iter().copied().min().unwrap_or(0);
        let exponents = || weights.exponent.iter().map(|e| e - least);
        let column: Vec<i32> =
            diagonal.iter().zip(exponents()).map(|(&v, e)| -(e + frexp(v).1 + 1).div_euclid(2)).collect();
        let row = column.iter().zip(exponents()).map(|(&c, e)| c + e).collect();
        Self { mantissa: weights.mantissa.as_slice().expect("mantissas lie one after the other"), row, column }
    }

    /// Entry `(i, j)` of the scaled `DA`: relative error at most `u`, plus underflow.
    #[inline]
    fn entry(&self, i: usize, j: usize, value: f64) -> f64 {
        ldexp(value, self.row[i] + self.column[j]) * self.mantissa[i]
    }

    /// The upper triangle of the scaled `S`, and for each row the sum of the magnitudes of all results that were rounded. Products with
    /// powers of two are not, so that a large skew part of `A` does no harm where `D = I`.
    fn negated_symmetric_part(&self, a: ArrayView2<'_, f64>, diagonal: ArrayView1<'_, f64>) -> (Array2<f64>, Vec<f64>) {
        let n = a.nrows();
        let mut matrix = Array2::zeros((n, n));
        let mut rounded = vec![0.0; n];
        let inexact: Vec<f64> = self.mantissa.iter().map(|&m| if m == 1.0 { 0.0 } else { 1.0 }).collect();
        for rows in (0..n).step_by(TILE) {
            for columns in (rows..n).step_by(TILE) {
                for i in rows..n.min(rows + TILE) {
                    for j in columns.max(i + 1)..n.min(columns + TILE) {
                        let (ij, ji) = (self.entry(i, j, a[[i, j]]), self.entry(j, i, a[[j, i]]));
                        let sum = ij + ji;
                        matrix[[i, j]] = -sum;
                        let magnitude = sum.abs() + inexact[i] * ij.abs() + inexact[j] * ji.abs();
                        rounded[i] += magnitude;
                        rounded[j] += magnitude;
                    }
                }
            }
        }
        for i in 0..n {
            matrix[[i, i]] = -2.0 * self.entry(i, i, diagonal[i]);
            rounded[i] += matrix[[i, i]];
        }
        (matrix, rounded)
    }

    /// The sign of `det S` for n = 2, exactly, or `None` where the arithmetic would leave the range of `f64`.
    fn proves_two_by_two(&self, a: ArrayView2<'_, f64>, diagonal: ArrayView1<'_, f64>) -> Option<Ordering> {
        let scaled = |i: usize, j: usize, value: f64| {
            let v = ldexp(value, self.row[i] + self.column[j]);
            (value == 0.0 || EXACT.contains(&v.abs())).then_some(v)
        };
        let mantissas = self.mantissa.iter().copied();
        let off_diagonal = exact::dot([scaled(0, 1, a[[0, 1]])?, scaled(1, 0, a[[1, 0]])?], mantissas)?;
        let first = exact::dot([2.0 * scaled(0, 0, diagonal[0])?], [self.mantissa[0]])?;
        let second = exact::dot([2.0 * scaled(1, 1, diagonal[1])?], [self.mantissa[1]])?;
        Some(first.product(&second)?.minus(&off_diagonal.product(&off_diagonal)?).sign())
    }
}
