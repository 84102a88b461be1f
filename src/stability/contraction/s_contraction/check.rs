//! The rigorous checks: what they accept is proved for the exact real matrices.

use ndarray::{Array1, Array2};

use super::{Form, Model};
use crate::linalg::product;
use crate::linalg::rounding::{div_down, gamma, mul_up, sub_down};
use crate::linalg::verified::proved_positive_definite;

/// Covers a dozen roundings with a safety factor of 2.
const DOZEN: f64 = 12.0 * f64::EPSILON;

/// Proves the block inequality, strictly, and with it `P > 0` and `Q > 0`.
pub(super) fn proves_rate(model: &Model, p: &Array2<f64>, q: &Array1<f64>, c: f64) -> bool {
    let n = q.len();
    if model.len() != n || p.dim() != (n, n) || !c.is_finite() || !q.iter().all(|&v| v > 0.0 && v.is_finite()) {
        return false;
    }
    if p.indexed_iter().any(|((i, j), v)| !v.is_finite() || *v != p[[j, i]]) {
        return false;
    }
    let zero = Array2::zeros((n, n));
    proved_positive_definite(p.view(), zero.view()) && {
        let (block, error) = negated_block(model, p, q, c);
        proved_positive_definite(block.view(), error.view())
    }
}

/// Minus the block matrix, of order `2 n`, and a bound on the rounding errors of its entries.
fn negated_block(model: &Model, p: &Array2<f64>, q: &Array1<f64>, c: f64) -> (Array2<f64>, Array2<f64>) {
    let n = q.len();
    let mut block = Array2::zeros((2 * n, 2 * n));
    let mut error = Array2::from_elem((2 * n, 2 * n), f64::MIN_POSITIVE);
    for ((i, j), &v) in p.indexed_iter() {
        let (i_, j_) = (i.max(j), i.min(j));
        let leak = 1.0 / model.tau[i_] + 1.0 / model.tau[j_];
        block[[i, j]] = v * (leak - 2.0 * c);
        error[[i, j]] += DOZEN * v.abs() * (leak + 2.0 * c.abs());
    }
    let (corner, corner_error) = model.corner(p, q);
    for ((i, j), &v) in corner.indexed_iter() {
        block[[i, n + j]] = -v;
        block[[n + j, i]] = -v;
        error[[i, n + j]] += corner_error[[i, j]];
        error[[n + j, i]] += corner_error[[i, j]];
    }
    for i in 0..n {
        block[[n + i, n + i]] = 2.0 * q[i];
    }
    (block, error)
}

impl Model {
    /// The upper right block, `P T^{-1} + W'Q` or `P T^{-1} W + Q`, and a bound on its rounding errors.
    fn corner(&self, p: &Array2<f64>, q: &Array1<f64>) -> (Array2<f64>, Array2<f64>) {
        let n = self.len();
        let over_tau = Array2::from_shape_fn((n, n), |(i, j)| p[[i, j]] / self.tau[j]);
        match self.form {
            Form::FiringRate => {
                let wq = Array2::from_shape_fn((n, n), |(i, j)| self.w[[j, i]] * q[j]);
                let error = DOZEN * (over_tau.mapv(f64::abs) + wq.mapv(f64::abs));
                (over_tau + wq, error)
            }
            Form::Hopfield => {
                let mut corner = product(over_tau.view(), self.w.view());
                let magnitude = product(over_tau.mapv(f64::abs).view(), self.w.mapv(f64::abs).view());
                let g = 2.0 * gamma(n + 12);
                let mut error = magnitude.mapv(|v| mul_up(g, v) + n as f64 * f64::MIN_POSITIVE);
                for i in 0..n {
                    corner[[i, i]] += q[i];
                    error[[i, i]] += DOZEN * (q[i] + magnitude[[i, i]]);
                }
                (corner, error)
            }
        }
    }
}

/// A proved lower bound on every `r` for which some positive diagonal has `D (r I - A_k) + (r I - A_k)' D >= 0` for all
/// `k`: with `X_k = Y_k Y_k'`, the smallest over the neurons of `sum (A_k X_k)_aa / sum (X_k)_aa`.
///
/// `A_k` may be off by `relative` of each entry.
pub(super) fn proved_shift(blocks: &[(Array2<f64>, &Array2<f64>)], n: usize, relative: f64) -> f64 {
    let mut value = Array1::<f64>::zeros(n);
    let mut radius = Array1::<f64>::zeros(n);
    let mut trace = Array1::<f64>::zeros(n);
    let mut roundings = 0;
    for (a, y) in blocks {
        if a.nrows() != y.nrows() || y.iter().chain(a).any(|v| !v.is_finite()) {
            return f64::NEG_INFINITY;
        }
        let image = product(a.view(), y.view());
        let magnitude = product(a.mapv(f64::abs).view(), y.mapv(f64::abs).view());
        for i in 0..a.nrows() {
            value[i % n] += image.row(i).dot(&y.row(i));
            radius[i % n] += magnitude.row(i).dot(&y.row(i).mapv(f64::abs));
            trace[i % n] += y.row(i).dot(&y.row(i));
        }
        roundings = roundings.max(a.nrows() + y.ncols());
    }
    let g = 2.0 * (gamma(roundings + 2 * blocks.len() + 12) + relative);
    let mut least = f64::INFINITY;
    for i in 0..n {
        if trace[i] == 0.0 && radius[i] == 0.0 {
            // Possibly an underflow, unless the rows are zero.
            if blocks.iter().any(|(_, y)| (i..y.nrows()).step_by(n).any(|a| y.row(a).iter().any(|&v| v != 0.0))) {
                return f64::NEG_INFINITY;
            }
            continue;
        }
        let low = sub_down(value[i], mul_up(g, radius[i]) + roundings as f64 * f64::MIN_POSITIVE);
        let spread = 1.0 + if low > 0.0 { g } else { -g };
        least = least.min(div_down(low, trace[i] * spread) - if low == 0.0 { f64::MIN_POSITIVE } else { 0.0 });
    }
    if least == f64::INFINITY { f64::NEG_INFINITY } else { least - 2.0 * f64::EPSILON * least.abs() }
}
