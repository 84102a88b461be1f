//! Perron vectors of dense matrices.

use ndarray::{Array1, ArrayView2};

use super::Lu;

/// Entries of a vector whose largest is 1 that are too small to go on with.
const SMALLEST: f64 = 1e-80;

/// An approximate Perron vector of an irreducible Metzler matrix `m`, shape `[n, n]`, and the number of steps from `v > 0`.
///
/// Noda's inverse iteration `v <- (beta I - M)^{-1} v`, `beta = max_i (M v)_i / v_i`, is quadratically convergent, and every
/// exact iterate is positive (Noda, "Note on the computation of the maximal eigenvalue of a non-negative irreducible matrix",
/// Numerische Mathematik 17, 1971; Elsner 1976). It ends when the ratios `(M v)_i / v_i` are within `tolerance` of each
/// other, or when rounding errors keep them from coming nearer.
pub(crate) fn noda(m: ArrayView2<'_, f64>, mut v: Array1<f64>, tolerance: f64) -> (Array1<f64>, usize) {
    const MAX_STEPS: usize = 40;
    let (mut gap, mut beta) = spread(m, &v);
    for step in 1..=MAX_STEPS {
        if gap <= tolerance || !beta.is_finite() {
            return (v, step - 1);
        }
        let mut shifted = -m.to_owned();
        shifted.diag_mut().mapv_inplace(|d| d + beta);
        let Ok(next) = Lu::new(shifted.view(), "the shifted Metzler matrix").solve_vec(v.view()) else {
            return (v, step);
        };
        let largest = next.fold(0.0, |m: f64, &x| if x.abs() > m.abs() { x } else { m });
        let next = next / largest;
        let (next_gap, next_beta) = spread(m, &next);
        if !next.iter().all(|&x| x > SMALLEST) || next_gap >= gap || next_gap.is_nan() {
            return (v, step);
        }
        (v, gap, beta) = (next, next_gap, next_beta);
    }
    (v, MAX_STEPS)
}

/// How far apart the ratios `(M v)_i / v_i` are, and the largest of them.
fn spread(m: ArrayView2<'_, f64>, v: &Array1<f64>) -> (f64, f64) {
    let ratios = m.dot(v) / v;
    let (low, high) = ratios.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &r| (l.min(r), h.max(r)));
    (high - low, high)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_vector_of_a_matrix_with_a_known_one() {
        // Rows chosen so that (1, 2, 4) belongs to the eigenvalue 3.
        let m = array![[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [4.0, 2.0, 1.0]];
        let (v, steps) = noda(m.view(), Array1::ones(3), 0.0);
        let v = &v / v[0];
        assert!((&v - &array![1.0, 2.0, 4.0]).iter().all(|e| e.abs() < 1e-14), "{v} after {steps} steps");
        assert!(steps < 12, "{steps}");
    }
}
