//! Gaussian elimination in floating point, whatever the units of rows and columns.

use ndarray::Array2;

/// A regular matrix after Gaussian elimination with complete pivoting, on rows and columns scaled by powers of two.
pub(super) struct Eliminated {
    /// The multipliers below the diagonal, the triangle on and above it, rows and columns permuted.
    lu: Array2<f64>,
    rows: Vec<usize>,
    columns: Vec<usize>,
    row_scales: Vec<f64>,
    column_scales: Vec<f64>,
}

impl Eliminated {
    /// `None` if the matrix is singular to working precision: an entry counts as zero if it is within rounding error of zero,
    /// relative to the terms that have cancelled in it. That is no matter of units: a tiny entry in which nothing has
    /// cancelled is a pivot like any other.
    pub(super) fn new(mut a: Array2<f64>) -> Option<Self> {
        let n = a.nrows();
        let (row_scales, column_scales) = equilibrate(&mut a);
        let (mut rows, mut columns): (Vec<usize>, Vec<usize>) = ((0..n).collect(), (0..n).collect());
        let mut sizes = a.mapv(f64::abs);
        let noise = 32.0 * n as f64 * f64::EPSILON;
        for k in 0..n {
            let mut best = (k, k, 0.0);
            for i in k..n {
                for j in k..n {
                    let entry = a[[i, j]].abs();
                    if entry > best.2 && entry > noise * sizes[[i, j]] {
                        best = (i, j, entry);
                    }
                }
            }
            if best.2 == 0.0 {
                return None;
            }
            swap(&mut a, k, best);
            swap(&mut sizes, k, best);
            rows.swap(k, best.0);
            columns.swap(k, best.1);
            for i in k + 1..n {
                let factor = a[[i, k]] / a[[k, k]];
                a[[i, k]] = factor;
                if factor != 0.0 {
                    for j in k + 1..n {
                        a[[i, j]] -= factor * a[[k, j]];
                        sizes[[i, j]] += factor.abs() * sizes[[k, j]];
                    }
                }
            }
        }
        Some(Self { lu: a, rows, columns, row_scales, column_scales })
    }

    pub(super) fn solve(&self, rhs: &[f64]) -> Vec<f64> {
        let n = rhs.len();
        let mut y: Vec<f64> = self.rows.iter().map(|&i| rhs[i] * self.row_scales[i]).collect();
        for i in 0..n {
            for k in 0..i {
                y[i] -= self.lu[[i, k]] * y[k];
            }
        }
        for i in (0..n).rev() {
            for j in i + 1..n {
                y[i] -= self.lu[[i, j]] * y[j];
            }
            y[i] /= self.lu[[i, i]];
        }
        let mut x = vec![0.0; n];
        for (k, &column) in self.columns.iter().enumerate() {
            x[column] = y[k] * self.column_scales[column];
        }
        x
    }

    /// The largest entry in the units of the scaled columns.
    pub(super) fn norm(&self, x: &[f64]) -> f64 {
        x.iter().zip(&self.column_scales).fold(0.0, |m: f64, (x, scale)| m.max((x / scale).abs()))
    }
}

/// Brings the pivot to row and column `k`.
fn swap(a: &mut Array2<f64>, k: usize, pivot: (usize, usize, f64)) {
    for j in 0..a.ncols() {
        a.swap([k, j], [pivot.0, j]);
    }
    for i in 0..a.nrows() {
        a.swap([i, k], [i, pivot.1]);
    }
}

/// Scales rows and columns by powers of two, which is exact, until their largest entries are about 1.
fn equilibrate(a: &mut Array2<f64>) -> (Vec<f64>, Vec<f64>) {
    const SWEEPS: usize = 3;
    let n = a.nrows();
    let (mut rows, mut columns) = (vec![1.0; n], vec![1.0; n]);
    for _ in 0..SWEEPS {
        for (mut line, scale) in a.rows_mut().into_iter().zip(&mut rows) {
            let factor = inverse_power(line.iter().fold(0.0, |m: f64, v| m.max(v.abs())));
            line *= factor;
            *scale *= factor;
        }
        for (mut line, scale) in a.columns_mut().into_iter().zip(&mut columns) {
            let factor = inverse_power(line.iter().fold(0.0, |m: f64, v| m.max(v.abs())));
            line *= factor;
            *scale *= factor;
        }
    }
    (rows, columns)
}

/// The power of two that brings a size to `[1, 2)`; 1 for 0 and for sizes at the limits of the number format.
fn inverse_power(size: f64) -> f64 {
    let exponent = (size.to_bits() >> 52 & 0x7ff) as i32 - 1023;
    if exponent.abs() > 1000 { 1.0 } else { 2f64.powi(-exponent) }
}
