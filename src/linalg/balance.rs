//! Diagonal scalings that balance rows and columns.

use ndarray::{Array1, Array2, Zip};

/// The `p > 0` for which rows and columns `i` of `p_i b_ij / p_j`, `j != i`, have about equal Euclidean norms
/// (Osborne, "On pre-conditioning of matrices", J. ACM 7, 1960), for a matrix of shape `[n, n]`.
pub(crate) fn osborne(b: &Array2<f64>) -> Array1<f64> {
    let n = b.nrows();
    let mut p_squared: Array1<f64> = Array1::ones(n);
    for _ in 0..30 {
        let inverse = p_squared.mapv(f64::recip);
        let (mut row, mut column) = (Array1::<f64>::zeros(n), Array1::<f64>::zeros(n));
        for i in 0..n {
            let (mut sum, scale) = (0.0, p_squared[i]);
            Zip::from(b.row(i)).and(&inverse).and(&mut column).for_each(|&v, &w, c| {
                let square = v * v;
                sum += square * w;
                *c += square * scale;
            });
            let own = b[[i, i]] * b[[i, i]];
            row[i] = (sum - own * inverse[i]) * scale;
            column[i] -= own * scale;
        }
        column *= &inverse;
        let mut worst = 0.0_f64;
        for i in 0..n {
            let ratio = column[i] / row[i];
            if row[i] > 0.0 && ratio > 0.0 && ratio.is_finite() {
                worst = worst.max(ratio.ln().abs());
                // All indices move at once, so each goes half of the way.
                p_squared[i] *= ratio.sqrt().sqrt().clamp(1e-8, 1e8);
            }
        }
        if worst < 0.02 {
            break;
        }
    }
    p_squared.mapv(f64::sqrt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_scaling_is_undone() {
        let n = 7;
        let symmetric = Array2::from_shape_fn((n, n), |(i, j)| 1.0 + ((i * j) as f64).cos().abs());
        let d = Array1::from_shape_fn(n, |i| 10f64.powi(i as i32 - 3));
        let b = Array2::from_shape_fn((n, n), |(i, j)| symmetric[[i, j]] / d[i] * d[j]);
        let p = osborne(&b);
        let ratio = &p / &d / (p[0] / d[0]);
        assert!(ratio.iter().all(|r| (r - 1.0).abs() < 0.03), "{ratio}");
    }
}
