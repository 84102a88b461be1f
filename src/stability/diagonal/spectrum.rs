//! Ends of the spectrum of a symmetric matrix, quickly.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};

use crate::linalg::{self, Backend};

/// Up to so many rows all eigenvalues are computed.
pub(super) const EXACT_ROWS: usize = 200;

/// The largest eigenvalue of a symmetric matrix: exact to rounding up to [`EXACT_ROWS`], else from 40 Lanczos steps, which
/// err to below.
pub(super) fn largest_eigenvalue(m: ArrayView2<'_, f64>) -> f64 {
    let n = m.nrows();
    if n <= EXACT_ROWS {
        return linalg::eigvalsh(m).ok().and_then(|v| v.last().copied()).unwrap_or(f64::NAN);
    }
    let steps = 40;
    let mut basis: Vec<Array1<f64>> = Vec::with_capacity(steps);
    let mut projected = Array2::zeros((steps, steps));
    let mut v = Array1::from_shape_fn(n, |i| 1.0 + 0.5 * (1.618 * i as f64).sin());
    for k in 0..steps {
        let norm = v.dot(&v).sqrt();
        if norm <= 1e-300 || norm.is_nan() {
            break;
        }
        v /= norm;
        if k > 0 {
            projected[[k, k - 1]] = norm;
            projected[[k - 1, k]] = norm;
        }
        basis.push(v);
        let mut next = Array1::zeros(n);
        f64::matmul(1.0, m, basis[k].view().insert_axis(Axis(1)), 0.0, next.view_mut().insert_axis(Axis(1)));
        projected[[k, k]] = next.dot(&basis[k]);
        // Full reorthogonalisation, so that the projection stays a true one.
        for _ in 0..2 {
            for b in &basis {
                let overlap = b.dot(&next);
                next.scaled_add(-overlap, b);
            }
        }
        v = next;
    }
    let k = basis.len();
    linalg::eigvalsh(projected.slice(s![..k, ..k])).ok().and_then(|v| v.last().copied()).unwrap_or(f64::NAN)
}
