//! Refutations from the ascent: a low-rank witness whose rows are rescaled until all of them refute alike.
//!
//! For `X = Y Y'` and any `gamma`, `diag(gamma) X diag(gamma)` refutes `W + delta R^-1` where
//! `sum_j rho_i w_ij X_ij gamma_j / X_ii >= -delta gamma_i` up to the sign of `gamma_i`. With the matrix `N` of these
//! coefficients, a real eigenvector `N gamma = lambda gamma` does so for `delta = -lambda` in every row at once. At the best
//! weights, with `X` in the top eigenspace, `gamma = 1` is one; nearby, a few power steps find it. No eigenvalue of `N` lies to the
//! right of the largest one of the symmetric part for any weights, so that the steps lead to it.

use ndarray::{Array1, Array2, Axis};

use super::majorant::Rows;

/// Power steps, and those between two looks at the bound.
const STEPS: usize = 160;
const LOOK: usize = 20;
/// Rows of less than these parts of the largest are left out, whichever is best.
const PARTS: [f64; 8] = [0.0, 1e-9, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2];
/// Rounds in which rows that refute least are left out.
const ROUNDS: usize = 6;

/// The matrix `N` by rows, for the rows of `Y` that are not zero.
struct Coefficients {
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl Coefficients {
    fn new(a: &impl Rows, own: &[f64], rho: &Array1<f64>, y: &Array2<f64>) -> Self {
        let mut n = Self { starts: vec![0], columns: Vec::new(), values: Vec::new() };
        for i in 0..a.size() {
            let row = y.row(i);
            let square = row.dot(&row);
            if square > 0.0 {
                n.columns.push(i as u32);
                n.values.push(rho[i] * own[i]);
                a.off_diagonal(i, |j, w| {
                    let inner = row.dot(&y.row(j));
                    if inner != 0.0 {
                        n.columns.push(j as u32);
                        n.values.push(rho[i] * w * (inner / square));
                    }
                });
            }
            n.starts.push(n.columns.len());
        }
        n
    }

    fn row(&self, i: usize, gamma: &Array1<f64>) -> f64 {
        let range = self.starts[i]..self.starts[i + 1];
        range.map(|k| self.values[k] * gamma[self.columns[k] as usize]).sum()
    }

    /// The least ratio over the rows that are not zero, after rounds that leave out those that refute least.
    fn bound(&self, mut gamma: Array1<f64>) -> (f64, Array1<f64>) {
        let mut best = (f64::NEG_INFINITY, gamma.clone());
        for _ in 0..ROUNDS {
            let ratio = |i: usize| if gamma[i] == 0.0 { f64::INFINITY } else { self.row(i, &gamma) / gamma[i] };
            let ratios: Vec<f64> = (0..gamma.len()).map(ratio).collect();
            let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            if least.is_finite() && least > best.0 {
                best = (least, gamma.clone());
            }
            let mut sorted: Vec<f64> = ratios.iter().copied().filter(|r| r.is_finite()).collect();
            if sorted.len() < 2 {
                break;
            }
            sorted.sort_unstable_by(f64::total_cmp);
            // Of the rows below the middle, those that are farther from it than the tenth part of the rows is.
            let middle = sorted[sorted.len() / 2];
            let cut = middle - 0.5 * (middle - least);
            if !(cut < middle) {
                break;
            }
            for (gamma, ratio) in gamma.iter_mut().zip(&ratios) {
                if *ratio < cut {
                    *gamma = 0.0;
                }
            }
        }
        best
    }
}

/// A `lambda`, and a `Y` that by estimate refutes `W + delta R^-1` for all `delta >= -lambda`: the given one with its rows
/// rescaled. `weight` is how much each row's square counts, `own` the diagonal of `W`.
pub(super) fn refined(
    a: &impl Rows,
    own: &[f64],
    rho: &Array1<f64>,
    y: &Array2<f64>,
    weight: &Array1<f64>,
) -> Option<(f64, Array2<f64>)> {
    let n = Coefficients::new(a, own, rho, y);
    let square = y.map_axis(Axis(1), |row| row.dot(&row)) * weight;
    let mut gamma = square.mapv(|v| if v > 0.0 { 1.0 } else { 0.0 });
    let mut best: (f64, Array1<f64>) = (f64::NEG_INFINITY, gamma.clone());
    for step in 0..=STEPS {
        if step % LOOK == 0 {
            let share = Array1::from_shape_fn(gamma.len(), |i| square[i] * gamma[i] * gamma[i]);
            let top = share.iter().copied().fold(0.0, f64::max);
            for part in PARTS {
                let kept = Array1::from_shape_fn(gamma.len(), |i| if share[i] >= part * top { gamma[i] } else { 0.0 });
                let found = n.bound(kept);
                if found.0 > best.0 {
                    best = found;
                }
            }
        }
        let image = Array1::from_shape_fn(gamma.len(), |i| n.row(i, &gamma));
        let length = gamma.dot(&gamma);
        if !(length > 0.0 && length.is_finite()) {
            break;
        }
        // Half of the present value keeps pairs that turn in the plane behind.
        let shift = 0.5 * (gamma.dot(&image) / length).abs() + 1e-300;
        gamma = image + shift * &gamma;
        let largest = gamma.fold(0.0, |m: f64, v| m.max(v.abs()));
        gamma /= largest;
    }
    best.0.is_finite().then(|| (best.0, y * &best.1.insert_axis(Axis(1))))
}
