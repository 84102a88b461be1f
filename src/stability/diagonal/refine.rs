//! Refutations from the ascent: a low-rank witness whose rows are rescaled until all of them refute alike.
//!
//! For `X = Y Y'` and any `gamma`, `diag(gamma) X diag(gamma)` refutes `W + delta R^-1` where
//! `sum_j rho_i w_ij X_ij gamma_j / X_ii >= -delta gamma_i` up to the sign of `gamma_i`. With the matrix `N` of these
//! coefficients, a real eigenvector `N gamma = lambda gamma` does so for `delta = -lambda` in every row at once. At the best
//! weights, with `X` in the top eigenspace, `gamma = 1` is one; nearby, a few steps of Arnoldi's method find it. No eigenvalue of `N` lies
//! to the right of the largest one of the symmetric part for any weights, so that it is the rightmost one.

use ndarray::{Array1, Array2, Axis, Zip, s};

use super::majorant::Rows;
use crate::linalg::{self, Lu};

/// Steps of Arnoldi's method, and how often it starts again.
const STEPS: usize = 32;
const RESTARTS: usize = 5;
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
            if cut.is_nan() || cut >= middle {
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
    let root = square.mapv(f64::sqrt);
    let to_gamma = |z: &Array1<f64>| Zip::from(z).and(&root).map_collect(|z, r| if *r > 0.0 { z / r } else { 0.0 });
    let mut z = root.clone();
    let mut best: (f64, Array1<f64>) = (f64::NEG_INFINITY, to_gamma(&z));
    for restart in 0..=RESTARTS {
        let gamma = to_gamma(&z);
        let share = &z * &z;
        let top = share.iter().copied().fold(0.0, f64::max);
        for part in PARTS {
            let kept = Array1::from_shape_fn(gamma.len(), |i| if share[i] >= part * top { gamma[i] } else { 0.0 });
            let found = n.bound(kept);
            if found.0 > best.0 {
                best = found;
            }
        }
        // In these coordinates the field of values of N lies to the left of the largest eigenvalue of the symmetric part.
        let product = |z: &Array1<f64>| {
            let gamma = to_gamma(z);
            Array1::from_shape_fn(gamma.len(), |i| root[i] * n.row(i, &gamma))
        };
        let next = (restart < RESTARTS).then(|| rightmost(product, &z)).flatten();
        let Some(next) = next else { break };
        z = next;
    }
    best.0.is_finite().then(|| (best.0, y * &best.1.insert_axis(Axis(1))))
}

/// The vector of the rightmost real Ritz value after some steps of Arnoldi's method from `start`.
fn rightmost(product: impl Fn(&Array1<f64>) -> Array1<f64>, start: &Array1<f64>) -> Option<Array1<f64>> {
    let length = start.dot(start).sqrt();
    let mut basis = vec![start / length];
    let mut h = Array2::<f64>::zeros((STEPS, STEPS));
    for k in 0..STEPS {
        let mut next = product(&basis[k]);
        for _ in 0..2 {
            for (i, b) in basis.iter().enumerate() {
                let overlap = b.dot(&next);
                h[[i, k]] += overlap;
                next.scaled_add(-overlap, b);
            }
        }
        let length = next.dot(&next).sqrt();
        if k + 1 == STEPS || !(length > 1e-12 * h[[0, 0]].abs() && length.is_finite()) {
            break;
        }
        h[[k + 1, k]] = length;
        basis.push(next / length);
    }
    let m = basis.len();
    let h = h.slice(s![..m, ..m]).to_owned();
    let values = linalg::eigvals(h.view()).ok()?;
    let size = values.iter().fold(0.0, |s: f64, v| s.max(v.re.hypot(v.im)));
    let real = values.iter().filter(|v| v.im.abs() <= 1e-9 * size).map(|v| v.re);
    let value = real.max_by(f64::total_cmp)?;
    // Inverse iteration, a little beside the eigenvalue.
    let mut shifted = h;
    shifted.diag_mut().mapv_inplace(|v| v - value - 1e-10 * size);
    let lu = Lu::new(shifted.view(), "the projected matrix");
    let mut y = Array1::ones(m);
    for _ in 0..2 {
        y = lu.solve_vec(y.view()).ok()?;
        y /= y.dot(&y).sqrt();
    }
    let z = basis.iter().zip(&y).fold(Array1::zeros(start.len()), |mut sum: Array1<f64>, (b, &y)| {
        sum.scaled_add(y, b);
        sum
    });
    z.iter().all(|v| v.is_finite()).then_some(z)
}
