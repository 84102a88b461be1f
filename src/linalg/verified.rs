//! Proofs of positive definiteness in floating-point arithmetic.
//!
//! Rounding errors are bounded for any order of summation, with or without fused multiply-add, and with division replaced by
//! multiplication with a reciprocal, so the bounds hold for every backend that multiplies and factorises matrices in the
//! conventional way (no Strassen). Every bound counts each rounding twice.

use ndarray::{Array2, ArrayView1, ArrayView2, Zip, s};

use super::rounding::{add_up, gamma, mul_up};
use super::split::Split;
use super::{Backend, product};

/// Twice the unit roundoff.
pub(crate) const U: f64 = f64::EPSILON;

/// More than any sum of underflow errors in a proof about a matrix scaled to entries near 1, far less than its diagonal entries.
pub(crate) const UNDERFLOW: f64 = 1e-290;

/// What a proof may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// One Cholesky factorisation.
    Quick,
    /// About five, nearer to the boundary.
    Full,
}

/// Whether every symmetric matrix `S` with `|S - s| <= error` (entrywise) is *proved* positive definite by one Cholesky
/// factorisation. `false` means only that no proof was found.
///
/// `s` must be symmetric as stored and `error` symmetric and nonnegative. The rows and columns are scaled by powers of
/// two, which is exact and brings the diagonal near 1.
pub(crate) fn proved_positive_definite(s: ArrayView2<'_, f64>, error: ArrayView2<'_, f64>) -> bool {
    if s.iter().chain(&error).any(|v| !v.is_finite()) || s.diag().iter().any(|&v| v <= 0.0) {
        return false;
    }
    let scale: Vec<f64> = s.diag().iter().map(|&v| power_of_two_near_inverse_root(v)).collect();
    let row_error = |(row, &own): (ArrayView1<'_, f64>, &f64)| {
        let sum = row.iter().zip(&scale).fold(0.0, |t, (&e, &c)| add_up(t, mul_up(e, c)));
        mul_up(sum, own)
    };
    let row_errors: Vec<f64> = error.outer_iter().zip(&scale).map(row_error).collect();
    scaled_exactly(s, &scale).is_some_and(|scaled| proved_when_scaled(scaled, &row_errors, Effort::Quick))
}

/// As [`proved_positive_definite`] for a matrix, given by its upper triangle, with a diagonal near 1, and errors of which only the
/// sums of each row are known.
pub(crate) fn proved_when_scaled(s: Array2<f64>, row_errors: &[f64], effort: Effort) -> bool {
    match effort {
        Effort::Quick => proved_by_factorisation(s, row_errors),
        Effort::Full => proved_by_factorisation(s.clone(), row_errors) || proved_by_residual(s, row_errors),
    }
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
    let factor_error: f64 = (0..n).map(|i| gamma(2 * i + 16) * s[[i, i]]).sum::<f64>() * (1.0 + gamma(2 * n + 16));
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
    let product_error = gamma(2 * n + 16) * 2.0 * (norm_1 + norm_2) * norm_2 + UNDERFLOW;

    let mut off_diagonal: Vec<f64> = error.iter().map(|e| e + n as f64 * product_error).collect();
    let mut own = vec![0.0; n];
    for start in (0..n).step_by(BLOCK) {
        let end = n.min(start + BLOCK);
        let (rows, columns) = (s![..end, start..end], s![..end, start..]);
        let r = &r_1.slice(rows) + &r_2.slice(rows);
        let mut small = product(r.t(), r_2.slice(columns));
        f64::matmul(1.0, r_2.slice(rows).t(), r_1.slice(columns), 1.0, small.view_mut());
        let exact = product(r_1.slice(rows).t(), r_1.slice(columns));
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
    own.iter().zip(&off_diagonal).all(|(&own, &sum)| own > sum * (1.0 + gamma(2 * n + 16)))
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

/// `2^-k` with `2^2k` within a factor of 4 of `v`.
fn power_of_two_near_inverse_root(v: f64) -> f64 {
    2f64.powi(-(v.log2() / 2.0).round() as i32)
}

/// `diag(scale) s diag(scale)`, or `None` if a product is not exact.
fn scaled_exactly(s: ArrayView2<'_, f64>, scale: &[f64]) -> Option<Array2<f64>> {
    let mut scaled = Array2::zeros(s.dim());
    for ((i, j), &v) in s.indexed_iter() {
        let once = v * scale[i];
        let twice = once * scale[j];
        if !twice.is_finite() || (v != 0.0 && twice.abs() < f64::MIN_POSITIVE) || once / scale[i] != v {
            return None;
        }
        scaled[[i, j]] = twice;
    }
    Some(scaled)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use num_rational::BigRational;
    use num_traits::Zero;
    use proptest::prelude::*;

    use super::*;

    fn positive_definite_exactly(s: &Array2<f64>) -> bool {
        let n = s.nrows();
        let mut m = s.mapv(|v| BigRational::from_float(v).unwrap());
        for k in 0..n {
            if m[[k, k]] <= BigRational::zero() {
                return false;
            }
            for i in k + 1..n {
                let f = &m[[i, k]] / &m[[k, k]];
                for j in k..n {
                    let d = &f * &m[[k, j]];
                    m[[i, j]] -= d;
                }
            }
        }
        true
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]
        #[test]
        fn a_proof_is_never_wrong(
            b in proptest::collection::vec(-1.0..1.0f64, 12),
            e in -20i32..-10,
            sign in prop_oneof![Just(1.0), Just(-1.0)],
            spread in 0i32..40,
        ) {
            // Rank 3 plus a shift of either sign near the unit roundoff.
            let b = Array2::from_shape_vec((4, 3), b).unwrap();
            let mut s = b.dot(&b.t());
            for i in 0..4 {
                s[[i, i]] += sign * 10f64.powi(e);
            }
            let d = [1.0, 2f64.powi(spread), 2f64.powi(-spread), 1.0];
            let s = Array2::from_shape_fn((4, 4), |(i, j)| s[[i.max(j), i.min(j)]] * d[i] * d[j]);
            if proved_positive_definite(s.view(), Array2::zeros((4, 4)).view()) {
                prop_assert!(positive_definite_exactly(&s));
            } else if sign > 0.0 && e >= -12 {
                prop_assert!(false, "a clear case was not proved");
            }
        }
    }

    #[test]
    fn the_error_radius_counts() {
        let s = array![[1.0, 0.5], [0.5, 1.0]];
        assert!(proved_positive_definite(s.view(), array![[0.0, 0.49], [0.49, 0.0]].view()));
        assert!(!proved_positive_definite(s.view(), array![[0.0, 0.51], [0.51, 0.0]].view()));
        assert!(!proved_positive_definite(array![[f64::NAN]].view(), array![[0.0]].view()));
        assert!(!proved_positive_definite(array![[0.0]].view(), array![[0.0]].view()));
        assert!(proved_positive_definite(array![[1e300, 0.0], [0.0, 1e-300]].view(), Array2::zeros((2, 2)).view()));
    }

    /// `(n + gap) I - J` with `J` of ones, whose least eigenvalue is `gap`.
    fn near_singular(n: usize, gap: f64) -> Array2<f64> {
        let mut s = -Array2::ones((n, n));
        s.diag_mut().fill(n as f64 + gap - 1.0);
        s / n as f64
    }

    #[test]
    fn the_residual_proves_what_the_bound_known_beforehand_cannot() {
        // Powers of two, so that the entries are floating-point numbers and the gap is exact.
        let n = 256;
        let proved = |gap| {
            let s = near_singular(n, gap);
            let none = vec![0.0; n];
            (proved_by_factorisation(s.clone(), &none), proved_by_residual(s, &none))
        };
        assert_eq!(proved(2f64.powi(-20)), (true, true));
        assert_eq!(proved(2f64.powi(-30)), (false, true));
        for gap in [0.0, -2f64.powi(-44), -2f64.powi(-30), -1.0] {
            assert_eq!(proved(gap), (false, false), "{gap}");
        }
    }
}
