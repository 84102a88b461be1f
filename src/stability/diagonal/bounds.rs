//! Proved bounds on the margin `sup{delta : W + delta R^-1 is LDS}` from given weights or a given witness.

use ndarray::{Array2, Zip};

use super::check::{self, Effort};
use super::metzler::Metzler;
use super::pencil::Pencil;
use super::spectrum::{EXACT_ROWS, largest_eigenvalue};
use super::weights::{Weights, ldexp};
use crate::linalg;
use crate::linalg::rounding::{add_up, sub_down};

/// Above so many rows a Metzler matrix is proved by products before a factorisation is tried.
pub(super) const FACTORISED: usize = 100;

/// Whether the weights prove `W + delta R^-1` diagonally stable.
pub(super) fn proves_lower(pencil: &Pencil<'_>, delta: f64, weights: &Weights) -> bool {
    proves_margin(pencil, delta, 0.0, weights, Effort::Full)
}

/// Whether the weights prove `W + (delta + margin) R^-1` diagonally stable: what a certificate for `delta` with this margin
/// claims, when it is made and when it is verified.
pub(super) fn proves_margin(pencil: &Pencil<'_>, delta: f64, margin: f64, weights: &Weights, effort: Effort) -> bool {
    let shifted = add_up(delta, margin);
    let by_factor = || check::proves_stable(pencil.matrix(), pencil.diagonal(shifted).upper(), weights, effort);
    let by_products = || {
        let most = Metzler::of_pencil(pencil).and_then(|matrix| matrix.margin(weights));
        most.is_some_and(|most| shifted < most)
    };
    // The road that is cheaper at this size first.
    let roads: [&dyn Fn() -> bool; 2] =
        if pencil.size() > FACTORISED { [&by_products, &by_factor] } else { [&by_factor, &by_products] };
    roads.into_iter().any(|proves| proves())
}

/// Whether `W + delta R^-1` with one row is on the boundary or stable, so that it is stable for all that is below `delta`.
pub(super) fn one_row_proves_lower(pencil: &Pencil<'_>, delta: f64) -> bool {
    pencil.size() == 1 && pencil.diagonal(delta).upper[0] <= 0.0
}

/// Whether the witness proves `W + delta R^-1` not diagonally stable.
pub(super) fn proves_upper(pencil: &Pencil<'_>, delta: f64, y: &Array2<f64>) -> bool {
    let diagonal = pencil.diagonal(delta);
    if pencil.size() > FACTORISED && y.ncols() == 1 {
        // Row by row it is exact, and takes a time of the number of nonzeros.
        return check::proves_not_stable_by_rows(&pencil.matrix(), diagonal.lower(), y.view());
    }
    check::proves_not_stable(pencil.matrix(), diagonal.lower(), y.view())
}

/// The largest `delta`, to rounding, that the weights prove.
pub(super) fn lower(pencil: &Pencil<'_>, weights: &Weights) -> Option<f64> {
    if let Some(margin) = Metzler::of_pencil(pencil).and_then(|matrix| matrix.margin(weights)) {
        return Some(margin.next_down());
    }
    let similar = weighted_symmetric_part(pencil, weights);
    let estimate = -linalg::eigvalsh(similar.view()).ok()?.last().copied()?;
    let size = similar.diag().fold(estimate.abs(), |m: f64, v| m.max(v.abs()));
    let mut slack = f64::EPSILON * pencil.size() as f64 * size;
    for _ in 0..16 {
        if proves_lower(pencil, estimate - slack, weights) {
            return Some(estimate - slack);
        }
        slack *= 8.0;
    }
    None
}

/// The smallest `delta`, to rounding, that the witness proves.
pub(super) fn upper(pencil: &Pencil<'_>, y: &Array2<f64>) -> Option<f64> {
    let mut product = linalg::product(pencil.matrix(), y.view());
    product *= y;
    let mut estimate = f64::NEG_INFINITY;
    for (i, row) in y.rows().into_iter().enumerate() {
        let own = row.dot(&row);
        if own > 0.0 {
            estimate = estimate.max(-product.row(i).sum() * pencil.rho[i] / own);
        }
    }
    if !estimate.is_finite() {
        return None;
    }
    let size = pencil.own().iter().zip(&pencil.rho).fold(estimate.abs(), |m, (w, rho)| m.max((w * rho).abs()));
    let mut slack = f64::EPSILON * size;
    for _ in 0..16 {
        if proves_upper(pencil, estimate + slack, y) {
            return Some(estimate + slack);
        }
        slack *= 8.0;
    }
    None
}

/// An `m >= 0`, near the largest, such that the weights prove `W + (delta + m) R^-1` diagonally stable; 0 where it is lost in
/// rounding errors, `None` where nothing is proved.
pub(super) fn margin_of_weights(pencil: &Pencil<'_>, delta: f64, weights: &Weights) -> Option<f64> {
    if let Some(margin) = Metzler::of_pencil(pencil).and_then(|matrix| matrix.margin_above(delta, weights)) {
        return Some(margin);
    }
    let similar = weighted_symmetric_part(pencil, weights);
    let estimate = -largest_eigenvalue(similar.view()) - delta;
    let proved = |margin: f64, effort| margin > 0.0 && proves_margin(pencil, delta, margin, weights, effort);
    // Lanczos errs on the side that a proof cannot follow.
    let exact = (pencil.size() <= EXACT_ROWS).then_some(1.0 - 1e-9);
    if let Some(part) = exact.into_iter().chain([0.99, 0.8, 0.3]).find(|part| proved(part * estimate, Effort::Quick)) {
        return Some(part * estimate);
    }
    // Near the boundary the estimate itself is lost in rounding errors, from a tenth of one to n of them in size.
    let rounding = f64::EPSILON * similar.diag().fold(delta.abs(), |m: f64, v| m.max(v.abs()));
    let parts = [0.8, 0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4].map(|part| part * estimate);
    let multiples = std::iter::successors(Some(pencil.size() as f64), |k| (k * 0.3 > 0.1).then_some(k * 0.3));
    let mut candidates: Vec<f64> = parts.into_iter().chain(multiples.map(|k| k * rounding)).collect();
    candidates.sort_by(|a, b| b.total_cmp(a));
    // Of two proofs this near to the boundary, that of more can be the one that rounding errors spare.
    let of_bound = || lower(pencil, weights).map(|bound| sub_down(bound, delta));
    candidates
        .into_iter()
        .find(|&margin| proved(margin, Effort::Full))
        .or_else(|| proves_lower(pencil, delta, weights).then_some(0.0))
        .or_else(|| of_bound().filter(|&margin| proved(margin, Effort::Full)))
}

/// `G W G^-1 R` made symmetric, with `G = (D R)^(1/2)`: its largest eigenvalue is minus the margin for `D`.
fn weighted_symmetric_part(pencil: &Pencil<'_>, weights: &Weights) -> Array2<f64> {
    let root: Vec<(f64, i32)> = Zip::from(&weights.mantissa)
        .and(&pencil.rho)
        .map_collect(|m, rho| m * rho)
        .iter()
        .zip(&weights.exponent)
        .map(|(&m, &e)| (ldexp(m, e.rem_euclid(2)).sqrt(), e.div_euclid(2)))
        .collect();
    let (n, w) = (pencil.size(), pencil.matrix());
    let similar = Array2::from_shape_fn((n, n), |(i, j)| {
        let ((m_i, e_i), (m_j, e_j)) = (root[i], root[j]);
        ldexp(w[[i, j]], e_i - e_j) * (m_i / m_j) * pencil.rho[j]
    });
    0.5 * (&similar + &similar.t())
}
