//! A certificate from the Metzler majorant, in a few products by a sparse `W`.
//!
//! Let `B = |W| - R^{-1}` (diagonal of `W` kept) and `u, l > 0` with `B u < 0` and `l' B < 0`. With `d_i = l_i / u_i`,
//! `S = -(D B + B'D)` has nonpositive off-diagonal entries and `S u = -D (B u) - B' l > 0`, so that it is a symmetric
//! M-matrix and positive definite; and `x' D W x <= |x|' D (B + R^{-1}) |x|`. If even `S u >= 2 delta D R^{-1} u`, the
//! same argument with `B + delta R^{-1}` in place of `B` proves the margin `delta` (theory 3.3, 3.6).

use ndarray::Array1;

use crate::Scalar;
use crate::network::Weights;

/// Most steps of either iteration for `u` and `l`.
const STEPS: usize = 400;
/// Steps between looks at the margin.
const PATIENCE: usize = 8;

/// `D` and a proved margin, or `None` if the majorant proves nothing.
///
/// The Neumann series `u = 1 + R M u` with `M = B + R^{-1}` converges iff the majorant is Hurwitz, even if it is
/// reducible; from there, power steps `u <- (I + R M) u` raise the margin towards its best.
pub(super) fn prove<A: Scalar>(weights: &Weights<A>, rho: &Array1<f64>) -> Option<(Array1<f64>, f64)> {
    let n = weights.len();
    let mut pair = Pair { u: vec![1.0; n], l: vec![1.0; n] };
    let mut best = improve(weights, rho, &mut pair, |_, image| 1.0 + image, None)?;
    if let Some(better) = improve(weights, rho, &mut pair, |old, image| (old + image).max(1e-12), Some(best.1)) {
        best = better;
    }
    Some(best)
}

struct Pair {
    u: Vec<f64>,
    l: Vec<f64>,
}

/// Iterates while the margin grows by more than a hundredth; `None` if it never passes `best`, or 0.
fn improve<A: Scalar>(
    weights: &Weights<A>,
    rho: &Array1<f64>,
    pair: &mut Pair,
    next: impl Fn(f64, f64) -> f64,
    best: Option<f64>,
) -> Option<(Array1<f64>, f64)> {
    let mut found: Option<(Array1<f64>, f64)> = None;
    let mut best = best.unwrap_or(0.0);
    for step in 1..=STEPS {
        let (image_u, image_l) = images(weights, rho, pair);
        pair.u.iter_mut().zip(image_u).for_each(|(u, image)| *u = next(*u, image));
        pair.l.iter_mut().zip(image_l).for_each(|(l, image)| *l = next(*l, image));
        let size = pair.u.iter().chain(&pair.l).copied().fold(0.0, f64::max);
        if size.is_nan() || size > 1e100 {
            break;
        }
        if step % PATIENCE != 0 {
            continue;
        }
        let Some((d, margin)) = margin(weights, rho, &pair.u, &pair.l) else { break };
        let enough = best > 0.0 && margin < 1.01 * best;
        if margin > best {
            (found, best) = (Some((d, margin)), margin);
        }
        if enough {
            break;
        }
    }
    found
}

/// `R M u` and `R M' l`; negative self-weights only help and are left out.
fn images<A: Scalar>(weights: &Weights<A>, rho: &Array1<f64>, pair: &Pair) -> (Vec<f64>, Vec<f64>) {
    let mut column = vec![0.0; pair.u.len()];
    let row = (0..pair.u.len())
        .map(|i| {
            let mut sum = 0.0;
            for (j, w) in weights.row(i) {
                let w = if i == j { w.to_double().max(0.0) } else { w.to_double().abs() };
                sum += w * pair.u[j];
                column[j] += w * pair.l[i];
            }
            rho[i] * sum
        })
        .collect();
    column.iter_mut().zip(rho).for_each(|(c, rho)| *c *= rho);
    (row, column)
}

/// `D` from `u` and `l`, and a proved lower bound on `min_i (S u)_i / (2 d_i u_i / rho_i)`, rounded downward.
///
/// With the rounded `d_i` in place of `l_i / u_i`, row `i` of `S u` is
/// `2 d_i u_i / rho_i - d_i (M u)_i - sum_j M_ji d_j u_j`.
fn margin<A: Scalar>(weights: &Weights<A>, rho: &Array1<f64>, u: &[f64], l: &[f64]) -> Option<(Array1<f64>, f64)> {
    let n = u.len();
    let d: Array1<f64> = l.iter().zip(u).map(|(l, u)| l / u).collect();
    let (mut forward, mut backward) = (vec![0.0; n], vec![0.0; n]);
    let (mut terms_forward, mut terms_backward) = (vec![0u32; n], vec![0u32; n]);
    let mut self_weight = vec![0.0; n];
    for i in 0..n {
        let du = d[i] * u[i];
        for (j, w) in weights.row(i) {
            if i == j {
                self_weight[i] = w.to_double();
                continue;
            }
            let w = w.to_double().abs();
            forward[i] += w * u[j];
            backward[j] += w * du;
            terms_forward[i] += 1;
            terms_backward[j] += 1;
        }
    }
    let mut least = f64::INFINITY;
    for i in 0..n {
        // Twice the unit roundoff per operation covers the roundings of the bound itself as well.
        let gamma = |k: u32| (f64::from(k) + 8.0) * f64::EPSILON;
        // Terms that underflow lose less than the smallest normal number each.
        let up = |sum: f64, k: u32| sum * (1.0 + gamma(k)) + f64::from(k) * f64::MIN_POSITIVE;
        let du = d[i] * u[i];
        let own = 2.0 * du * self_weight[i];
        let others = d[i] * up(forward[i], terms_forward[i]) + up(backward[i], terms_backward[i]);
        let upper = others + own + 4.0 * f64::EPSILON * (others + own.abs()) + f64::MIN_POSITIVE;
        let unit = 2.0 * du / rho[i];
        let ratio = upper / unit;
        if !(du.is_normal() && unit.is_normal() && ratio.is_finite()) {
            return None;
        }
        least = least.min(1.0 - ratio - 8.0 * f64::EPSILON * (1.0 + ratio.abs()));
    }
    Some((d, least))
}
