//! Proofs of positive definiteness in floating-point arithmetic.

use ndarray::{Array2, ArrayView2};

use super::Backend;
use super::rounding::{add_up, div_up, gamma, mul_up, sub_down};

/// Whether every symmetric matrix `S` with `|S - s| <= error` (entrywise) is *proved* positive definite.
///
/// `s` must be symmetric as stored and `error` symmetric and nonnegative. The rows and columns are scaled by powers of
/// two, which is exact and brings the diagonal near 1; then a floating-point Cholesky factorisation of `s - r I` that
/// runs to completion is a proof when `r` exceeds its own backward error plus `|error|_inf`
/// (Rump 2006, "Verification of positive definiteness", BIT 46, Theorem 2.3). The bound holds for any order of
/// summation; the count of roundings is doubled, so that factorisations that multiply by reciprocal pivots are covered.
/// `false` means only that no proof was found.
pub(crate) fn proved_positive_definite(s: ArrayView2<'_, f64>, error: ArrayView2<'_, f64>) -> bool {
    if s.iter().chain(&error).any(|v| !v.is_finite()) || s.diag().iter().any(|&v| v <= 0.0) {
        return false;
    }
    let scale: Vec<f64> = s.diag().iter().map(|&v| power_of_two_near_inverse_root(v)).collect();
    let Some(mut scaled) = scaled_exactly(s, &scale) else { return false };
    let Some(r) = radius(&scaled, error, &scale) else { return false };
    for v in scaled.diag_mut() {
        *v = sub_down(*v, r);
    }
    scaled.diag().iter().all(|&v| v > 0.0)
        && f64::cholesky(scaled.view()).is_some_and(|l| l.iter().all(|v| v.is_finite()))
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

/// What must be subtracted from the diagonal: the factorisation's backward error, underflow and `|error|_inf`.
fn radius(scaled: &Array2<f64>, error: ArrayView2<'_, f64>, scale: &[f64]) -> Option<f64> {
    let n = scaled.nrows();
    let g = gamma(2 * n + 20);
    if g >= 0.5 {
        return None;
    }
    let trace = scaled.diag().iter().fold(0.0, |t, &v| add_up(t, v));
    let largest = scaled.diag().iter().fold(0.0f64, |m, &v| m.max(v));
    let backward = mul_up(div_up(g, sub_down(1.0, g)), trace);
    let underflow = 8.0 * n as f64 * (2.0 * n as f64 + 4.0 + largest) * f64::from_bits(1);
    let mut uncertain = 0.0f64;
    for (i, row) in error.outer_iter().enumerate() {
        let sum = row.iter().zip(scale).fold(0.0, |t, (&e, &c)| add_up(t, mul_up(e, c)));
        uncertain = uncertain.max(mul_up(sum, scale[i]));
    }
    Some(add_up(add_up(backward, underflow), uncertain))
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
}
