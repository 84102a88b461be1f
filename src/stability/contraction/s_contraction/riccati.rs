//! The matrix `P` that belongs to a diagonal `Q`.

use ndarray::{Array1, Array2, concatenate, s};

use super::Model;
use crate::linalg::{Lu, product};

const MAX_STEPS: usize = 60;

/// A `P` well inside the solutions of the block inequality at rate `c` for this `Q`, to working precision; `None` if there
/// seems to be none.
///
/// With `P = Q^(1/2) p Q^(1/2)` and `w = Q^(1/2) W Q^(-1/2)`, the inequality is the Riccati inequality
/// `p m + m' p + p T^{-2} p / 2 + w'w / 2 <= 0`, `m = T^{-1}(w/2 - I) + c I`. Its Hamiltonian `H` has no eigenvalue on the
/// imaginary axis iff there is a strict solution; the graphs of the two extreme solutions are the invariant subspaces of
/// `sign(H)`, and their mean, `-sign(H)_12^{-1} sign(H)_11`, is strict.
pub(super) fn interior_solution(model: &Model, q: &Array1<f64>, c: f64) -> Option<Array2<f64>> {
    let n = q.len();
    let root = q.mapv(f64::sqrt);
    let w = Array2::from_shape_fn((n, n), |(i, j)| root[i] * model.w[[i, j]] / root[j]);
    let mut m = Array2::from_shape_fn((n, n), |(i, j)| 0.5 * w[[i, j]] / model.tau[i]);
    for (i, v) in m.diag_mut().iter_mut().enumerate() {
        *v += c - 1.0 / model.tau[i];
    }
    let upper_right = Array2::from_diag(&model.tau.mapv(|t| 0.5 / (t * t)));
    let lower_left = -0.5 * product(w.t(), w.view());
    let minus_mt = -&m.t();
    let hamiltonian = concatenate![
        ndarray::Axis(0),
        concatenate![ndarray::Axis(1), m, upper_right],
        concatenate![ndarray::Axis(1), lower_left, minus_mt]
    ];
    let sign = sign(hamiltonian)?;
    let p = Lu::new(sign.slice(s![..n, n..]), "sign function").solve(sign.slice(s![..n, ..n])).ok()?;
    Some(Array2::from_shape_fn((n, n), |(i, j)| {
        let (i, j) = (i.max(j), i.min(j));
        -0.5 * root[i] * (p[[i, j]] + p[[j, i]]) * root[j]
    }))
}

/// The matrix sign function by Newton's iteration with norm scaling (Higham, "Functions of Matrices", chapter 5).
fn sign(mut x: Array2<f64>) -> Option<Array2<f64>> {
    let eye = Array2::eye(x.nrows());
    let norm = |m: &Array2<f64>| m.iter().map(|v| v * v).sum::<f64>().sqrt();
    let mut scaling = true;
    let mut previous = f64::INFINITY;
    for _ in 0..MAX_STEPS {
        let inverse = Lu::new(x.view(), "sign iterate").solve(eye.view()).ok()?;
        let mu = if scaling { (norm(&inverse) / norm(&x)).sqrt() } else { 1.0 };
        let next = 0.5 * (mu * &x + &inverse / mu);
        let change = norm(&(&next - &x)) / norm(&next);
        x = next;
        scaling &= change > 1e-2;
        if change < 1e-13 || (change < 1e-6 && change > 0.5 * previous) {
            return Some(x);
        }
        previous = change;
    }
    None
}
