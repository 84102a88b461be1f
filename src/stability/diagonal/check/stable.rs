//! The check of weights `D`.

use std::cmp::Ordering;

use ndarray::{Array2, ArrayView1, ArrayView2, Zip, s};

use super::split::Split;
use super::{EXACT, U, UNDERFLOW, gamma};
use crate::linalg::{self, Backend};
use crate::stability::diagonal::exact;
use crate::stability::diagonal::weights::{Weights, frexp, ldexp};

/// Side of the square tiles in which a matrix and its transpose are walked together.
const TILE: usize = 64;

/// What a proof may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Effort {
    /// One Cholesky factorisation.
    Quick,
    /// About five, nearer to the boundary.
    Full,
}

/// Proves `D A + A'D < 0` for all diagonals of `A` up to `diagonal`.
///
/// `S = -(DA + A'D)` is scaled by powers of two to a diagonal near 1 and proved positive definite: by a bound on the errors of
/// its Cholesky factorisation that is known beforehand or, nearer to the boundary, by the residual of the factor.
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
    let (s, row_sums) = scale.negated_symmetric_part(a, diagonal);
    let error: Vec<f64> = row_sums.iter().map(|sum| 2.0 * U * sum * (1.0 + gamma(n + 8)) + UNDERFLOW).collect();
    proved_by_factorisation(s, &error)
        || effort == Effort::Full && proved_by_residual(scale.negated_symmetric_part(a, diagonal).0, &error)
}

/// Whether every symmetric matrix that differs from `s` (upper triangle) by rows of absolute sum at most `error` is positive
/// definite.
///
/// A Cholesky factorisation of `S - diag(error) - c I` that runs to completion proves it where
/// `c >= sum_i gamma_(i+1) S_ii`: the residual of the factorisation is at most
/// `gamma_(min(i,j)+1) sqrt(S_ii S_jj)` in entry `(i, j)`, and such a matrix has no eigenvalue above that sum.
/// (Rump, "Verification of positive definiteness", BIT 46, 2006, with `gamma_(n+1) tr S` sharpened.)
fn proved_by_factorisation(mut s: Array2<f64>, error: &[f64]) -> bool {
    let n = s.nrows();
    let factor_error: f64 = (0..n).map(|i| gamma(i + 8) * s[[i, i]]).sum::<f64>() * (1.0 + gamma(n + 8));
    lower_diagonal(&mut s, |i| factor_error + error[i] + UNDERFLOW)
        && f64::cholesky_in_place(s.view_mut())
        && regular(&s)
}

/// As [`proved_by_factorisation`], for `S` nearer to the boundary by a factor of about `n`.
///
/// With any upper triangular `R`, `S` is positive definite if `F = S - R'R` is, and `F` is if it is strictly
/// diagonally dominant. `R` is the factor of `S - c I` for a small `c`, so `F` is `c I` up to the rounding errors really made.
/// `R'R` is found nearly exactly: with `R` split into `R_1 + R_2`, `R_1'R_1` is free of rounding errors, and in
/// `F = S - R_1'R_1 - R'R_2 - R_2'R_1` the other products are small.
fn proved_by_residual(mut s: Array2<f64>, error: &[f64]) -> bool {
    /// Sums of products below 2^4 are exact.
    const BITS: u32 = 24;
    /// Rows of `F` that are computed at a time.
    const BLOCK: usize = 128;

    let n = s.nrows();
    let original = s.clone();
    let shift = n as f64 * U + 4.0 * error.iter().fold(0.0, |m: f64, &e| m.max(e));
    if !lower_diagonal(&mut s, |_| shift) || !f64::cholesky_in_place(s.view_mut()) || !regular(&s) {
        return false;
    }
    Zip::indexed(&mut s).for_each(|(i, j), r| {
        if i > j {
            *r = 0.0;
        }
    });
    let Split { high: r_1, low: r_2 } = Split::new(s, BITS);
    // Sums of |R_1||R_1| are at most the largest product of two column norms.
    let norm = |m: &Array2<f64>| m.columns().into_iter().map(|c| c.dot(&c)).fold(0.0, f64::max).sqrt();
    let (norm_1, norm_2) = (norm(&r_1), norm(&r_2));
    if norm_1.is_nan() || norm_1 > 4.0 {
        return false;
    }
    // The products with R_2, and |R| <= |R_1| + |R_2|.
    let product_error = gamma(n + 8) * 2.0 * (norm_1 + norm_2) * norm_2 + UNDERFLOW;

    let mut off_diagonal: Vec<f64> = error.iter().map(|e| e + n as f64 * product_error).collect();
    let mut own = vec![0.0; n];
    for start in (0..n).step_by(BLOCK) {
        let end = n.min(start + BLOCK);
        let (rows, columns) = (s![..end, start..end], s![..end, start..]);
        let r = &r_1.slice(rows) + &r_2.slice(rows);
        let mut small = linalg::product(r.t(), r_2.slice(columns));
        f64::matmul(1.0, r_2.slice(rows).t(), r_1.slice(columns), 1.0, small.view_mut());
        let exact = linalg::product(r_1.slice(rows).t(), r_1.slice(columns));
        for i in start..end {
            for j in i..n {
                let rest = original[[i, j]] - exact[[i - start, j - start]];
                let correction = small[[i - start, j - start]];
                let f = rest - correction;
                let rounding = 2.0 * U * (rest.abs() + correction.abs());
                if i == j {
                    own[i] = f - rounding;
                } else {
                    off_diagonal[i] += f.abs() + rounding;
                    off_diagonal[j] += f.abs() + rounding;
                }
            }
        }
    }
    own.iter().zip(&off_diagonal).all(|(&own, &sum)| own > sum * (1.0 + gamma(n + 8)))
}

/// Subtracts more than `amount(i)` from each diagonal entry, rounding errors included; `false` unless all stay positive.
fn lower_diagonal(s: &mut Array2<f64>, amount: impl Fn(usize) -> f64) -> bool {
    for (i, v) in s.diag_mut().iter_mut().enumerate() {
        *v = *v * (1.0 - 4.0 * U) - amount(i) * (1.0 + 8.0 * U);
    }
    s.diag().iter().all(|&v| v > 0.0)
}

/// Whether a Cholesky factor ran to completion.
fn regular(factor: &Array2<f64>) -> bool {
    factor.diag().iter().all(|&u| u > 0.0 && u.is_finite())
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
        let column: Vec<i32> = diagonal
            .iter()
            .zip(&weights.exponent)
            .map(|(&v, &e)| -(e.saturating_add(frexp(v).1) + 1).div_euclid(2))
            .collect();
        let row = column.iter().zip(&weights.exponent).map(|(&c, &e)| c.saturating_add(e)).collect();
        Self { mantissa: weights.mantissa.as_slice().unwrap_or(&[]), row, column }
    }

    /// Entry `(i, j)` of the scaled `DA`: relative error at most `u`, plus underflow.
    #[inline]
    fn entry(&self, i: usize, j: usize, value: f64) -> f64 {
        ldexp(value, self.row[i] + self.column[j]) * self.mantissa[i]
    }

    /// The upper triangle of the scaled `S`, and the row sums of `|DA| + |A'D|`.
    fn negated_symmetric_part(&self, a: ArrayView2<'_, f64>, diagonal: ArrayView1<'_, f64>) -> (Array2<f64>, Vec<f64>) {
        let n = a.nrows();
        let mut matrix = Array2::zeros((n, n));
        let mut row_sums = vec![0.0; n];
        for rows in (0..n).step_by(TILE) {
            for columns in (rows..n).step_by(TILE) {
                for i in rows..n.min(rows + TILE) {
                    for j in columns.max(i + 1)..n.min(columns + TILE) {
                        let (ij, ji) = (self.entry(i, j, a[[i, j]]), self.entry(j, i, a[[j, i]]));
                        matrix[[i, j]] = -(ij + ji);
                        let magnitude = ij.abs() + ji.abs();
                        row_sums[i] += magnitude;
                        row_sums[j] += magnitude;
                    }
                }
            }
        }
        for i in 0..n {
            matrix[[i, i]] = -2.0 * self.entry(i, i, diagonal[i]);
            row_sums[i] += matrix[[i, i]];
        }
        (matrix, row_sums)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// `J - (n + gap) I`, whose symmetric part has the largest eigenvalue `-gap`, with `J` of ones.
    fn near_singular(n: usize, gap: f64) -> (Array2<f64>, Weights) {
        let mut a = Array2::ones((n, n));
        a.diag_mut().fill(1.0 - n as f64 - gap);
        (a, Weights::new(vec![1.0; n], vec![0; n]).unwrap())
    }

    #[test]
    fn the_residual_proves_what_the_bound_known_beforehand_cannot() {
        let n = 300;
        let proved = |gap| {
            let (a, weights) = near_singular(n, gap);
            let scale = Scale::new(a.diag(), &weights);
            let (s, sums) = scale.negated_symmetric_part(a.view(), a.diag());
            let error: Vec<f64> = sums.iter().map(|sum| 2.0 * U * sum).collect();
            (proved_by_factorisation(s.clone(), &error), proved_by_residual(s, &error))
        };
        // n + 2^-k is a floating-point number, so the gap is exact.
        assert_eq!(proved(2f64.powi(-20)), (true, true));
        assert_eq!(proved(2f64.powi(-30)), (false, true));
        for gap in [0.0, -2f64.powi(-44), -2f64.powi(-30), -1.0] {
            assert_eq!(proved(gap), (false, false), "{gap}");
        }
    }
}
