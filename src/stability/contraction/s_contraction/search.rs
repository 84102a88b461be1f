//! The search for the best `Q`: an exchange of frequencies around the interior point. Nothing here is proved.

use std::f64::consts::FRAC_PI_2;

use ndarray::{Array1, Array2, Axis};

use super::margin::{Margin, smallest_shift};
use crate::error::Result;
use crate::linalg::{self, balance::osborne};
use crate::stability::contraction::Majorant;

const GRID: usize = 12;
const NEAR_END: i32 = 6;
/// Angles that stay from one round to the next.
const PRESSING: usize = 3;
const MAX_ROUNDS: usize = 20;
/// Evaluations spent on peaks that the grid has overlooked.
const MAX_LOOKS: usize = 400;

/// The best diagonal, and multipliers that bound `r` from below.
pub(super) struct Found {
    /// `Q`.
    pub(super) q: Array1<f64>,
    /// The `r` that `Q` attains, to working precision.
    pub(super) r: f64,
    /// Angles and multipliers.
    pub(super) multipliers: Vec<(f64, Array2<f64>)>,
}

/// Minimises `r = max_phi lambda_max(Re(cos(phi) e^{i phi} Q^(1/2) W Q^(-1/2)))` over `Q`.
///
/// Each strongly connected component has its own optimum, and the largest of them is the optimum of all: the entries of
/// `Q` fall along the graph until the couplings between components no longer raise `r`.
pub(super) fn best_diagonal(w: &Array2<f64>, tolerance: f64) -> Result<Found> {
    let n = w.nrows();
    let components = Majorant::of_dense(w.view()).components();
    if components.len() == 1 {
        return Ok(best_of_component(w, tolerance));
    }
    let mut whole = Found { q: Array1::ones(n), r: f64::NEG_INFINITY, multipliers: Vec::new() };
    for members in &components {
        let part = best_of_component(&w.select(Axis(0), members).select(Axis(1), members), tolerance);
        for (&i, &q) in members.iter().zip(&part.q) {
            whole.q[i] = q;
        }
        if part.r > whole.r {
            whole.r = part.r;
            whole.multipliers = part.multipliers.into_iter().map(|(phi, x)| (phi, padded(&x, members, n))).collect();
        }
    }
    let goal = whole.r + 0.5 * tolerance * whole.r.max(1.0);
    let mut best: Option<(f64, Array1<f64>)> = None;
    for coupling in [1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8] {
        let q = decoupled(w, &components, &whole.q, coupling);
        if q.iter().any(|v| !(1e-200..1e200).contains(v)) {
            break;
        }
        let r = attained(w, &q);
        if best.as_ref().is_none_or(|b| r < b.0) {
            best = Some((r, q));
        }
        if r <= goal {
            break;
        }
    }
    (whole.r, whole.q) = best.unwrap_or_else(|| (attained(w, &Array1::ones(n)), Array1::ones(n)));
    Ok(whole)
}

/// The `r` that `Q` attains, to working precision.
pub(super) fn attained(w: &Array2<f64>, q: &Array1<f64>) -> f64 {
    highest(&peaks(w, q, &[], 1e-7))
}

/// Scales `q` down along the graph until the inputs of a component from others have norm `coupling` at most.
fn decoupled(w: &Array2<f64>, components: &[Vec<usize>], q: &Array1<f64>, coupling: f64) -> Array1<f64> {
    let mut scaled = q.clone();
    let mut upstream: Vec<usize> = Vec::new();
    for members in components {
        let mut foreign = 0.0;
        for &i in members {
            foreign += upstream.iter().map(|&j| w[[i, j]].powi(2) * q[i] / scaled[j]).sum::<f64>();
        }
        let factor = (coupling * coupling / foreign).min(1.0);
        members.iter().for_each(|&i| scaled[i] *= factor);
        upstream.extend(members);
    }
    scaled
}

/// Spreads a multiplier of some neurons over all `n`, with zeros elsewhere.
fn padded(x: &Array2<f64>, members: &[usize], n: usize) -> Array2<f64> {
    let m = members.len();
    let place = |a: usize| members[a % m] + if a >= m { n } else { 0 };
    let order = x.nrows() / m * n;
    let mut full = Array2::zeros((order, order));
    for ((a, b), &v) in x.indexed_iter() {
        full[[place(a), place(b)]] = v;
    }
    full
}

/// Balances one component and solves it.
fn best_of_component(w: &Array2<f64>, tolerance: f64) -> Found {
    let n = w.nrows();
    let s = osborne(w);
    let mut found = exchange(&Array2::from_shape_fn((n, n), |(i, j)| s[i] * w[[i, j]] / s[j]), tolerance);
    found.q *= &s;
    found.q *= &s;
    for (_, x) in &mut found.multipliers {
        for ((a, b), v) in x.indexed_iter_mut() {
            *v /= s[a % n] * s[b % n];
        }
    }
    found
}

/// The interior point finds the best `Q` for a few angles, then the highest peaks for that `Q` join them, until the
/// bounds meet.
fn exchange(w: &Array2<f64>, tolerance: f64) -> Found {
    let n = w.nrows();
    let q = Array1::ones(n);
    if n == 1 {
        return Found { q, r: w[[0, 0]].max(0.0), multipliers: vec![(0.0, Array2::ones((1, 1)))] };
    }
    let finely = |q: &Array1<f64>, angles: &[f64]| peaks(w, q, angles, 0.25 * tolerance);
    let mut peaks = finely(&q, &[]);
    let mut found = Found { q, r: highest(&peaks), multipliers: Vec::new() };
    let mut lower = f64::NEG_INFINITY;
    let mut angles = vec![0.0];
    let mut finest = false;
    for _ in 0..MAX_ROUNDS {
        let accuracy = tolerance * found.r.max(1.0);
        let known = angles.len();
        let new = |p: &&(f64, f64)| p.1 > lower + 0.25 * accuracy && angles.iter().all(|a| (a - p.0).abs() > 1e-9);
        let fresh: Vec<f64> = peaks.iter().filter(new).map(|p| p.0).collect();
        angles.extend(fresh);
        let settled = angles.len() == known && lower.is_finite();
        if settled && finest {
            break;
        }
        finest = settled;
        let blocks: Vec<Array2<f64>> = angles.iter().map(|&phi| rotated(w, phi)).collect();
        let coarse = if settled { 0.0 } else { 0.02 * (found.r - lower.max(0.0)) };
        let mut margin = smallest_shift(&blocks, &found.q, coarse.min(1e-3 * found.r.max(1.0)).max(0.1 * accuracy));
        let bound = sharpen(&blocks, &mut margin);
        let mut pressing: Vec<(f64, f64)> =
            angles.iter().zip(&margin.x).map(|(&phi, x)| (x.diag().sum(), phi)).collect();
        pressing.sort_by(|a, b| b.0.total_cmp(&a.0));
        pressing.truncate(PRESSING);
        let pressing: Vec<f64> = pressing.into_iter().filter(|p| p.0 > 1e-6).map(|p| p.1).collect();
        // Peaks that matter little as yet may hide until the bounds meet.
        peaks = self::peaks(w, &margin.d, &pressing, (0.1 * (found.r - lower.max(0.0))).max(0.25 * accuracy));
        if bound > lower {
            lower = bound;
            found.multipliers = angles.iter().copied().zip(margin.x).collect();
        }
        if highest(&peaks) < found.r {
            found.r = highest(&peaks);
            found.q = margin.d;
        }
        if found.r - lower.max(0.0) <= accuracy {
            peaks = finely(&found.q, &pressing);
            found.r = highest(&peaks);
            if found.r - lower.max(0.0) <= 1.25 * accuracy {
                return found;
            }
        }
        angles = pressing;
    }
    found.r = highest(&finely(&found.q, &angles));
    found
}

fn highest(peaks: &[(f64, f64)]) -> f64 {
    peaks.iter().fold(0.0, |m, p| m.max(p.1))
}

/// The real form of `cos(phi) e^{i phi} W`: `W` itself for `phi = 0`, else of twice the order.
pub(super) fn rotated(w: &Array2<f64>, phi: f64) -> Array2<f64> {
    if phi == 0.0 {
        return w.clone();
    }
    let (re, im) = (phi.cos() * phi.cos(), phi.cos() * phi.sin());
    real_form(w, re, im)
}

/// The real form `[[re W, -im W], [im W, re W]]` of `(re + i im) W`.
pub(super) fn real_form(w: &Array2<f64>, re: f64, im: f64) -> Array2<f64> {
    let n = w.nrows();
    Array2::from_shape_fn((2 * n, 2 * n), |(i, j)| {
        let factor = match (i < n, j < n) {
            (true, true) | (false, false) => re,
            (true, false) => -im,
            (false, true) => im,
        };
        factor * w[[i % n, j % n]]
    })
}

/// Local maxima `(phi, height)` over `[0, pi/2]` of the largest eigenvalue of the Hermitian part, of which none is higher
/// by more than `slack` than the highest one here.
fn peaks(w: &Array2<f64>, q: &Array1<f64>, angles: &[f64], slack: f64) -> Vec<(f64, f64)> {
    let n = q.len();
    let root = q.mapv(f64::sqrt);
    let scaled = Array2::from_shape_fn((n, n), |(i, j)| root[i] * w[[i, j]] / root[j]);
    let (even, odd) = (0.5 * (&scaled + &scaled.t()), 0.5 * (&scaled - &scaled.t()));
    let height = |phi: f64| {
        if phi == 0.0 {
            return linalg::eigvalsh(even.view()).map_or(f64::NAN, |v| v[n - 1]);
        }
        let (re, im) = (phi.cos() * phi.cos(), phi.cos() * phi.sin());
        let hermitian = Array2::from_shape_fn((2 * n, 2 * n), |(i, j)| match (i < n, j < n) {
            (true, true) | (false, false) => re * even[[i % n, j % n]],
            (true, false) => -im * odd[[i, j - n]],
            (false, true) => im * odd[[i - n, j]],
        });
        linalg::eigvalsh(hermitian.view()).map_or(f64::NAN, |v| v[2 * n - 1])
    };
    let mut nodes: Vec<f64> = (0..GRID).map(|k| FRAC_PI_2 * k as f64 / GRID as f64).collect();
    // Weights that are nearly symmetric and negative have narrow peaks close to pi/2.
    nodes.extend((1..=NEAR_END).map(|k| FRAC_PI_2 - 0.1 * 0.25f64.powi(k)));
    nodes.extend(angles.iter().copied().filter(|&a| a > 0.0));
    nodes.sort_by(f64::total_cmp);
    nodes.dedup_by(|a, b| (*a - *b).abs() < 1e-6);
    let heights: Vec<f64> = nodes.iter().map(|&phi| height(phi)).collect();
    let top = heights.iter().copied().fold(0.0, f64::max);
    let mut peaks = Vec::new();
    for k in 0..nodes.len() {
        let left = if k == 0 { f64::NEG_INFINITY } else { heights[k - 1] };
        let right = heights.get(k + 1).copied().unwrap_or(0.0);
        if heights[k] >= left && heights[k] >= right && heights[k] > 0.5 * top {
            if k == 0 {
                // The height is even in phi: a maximum at 0, unless it rises at first and falls after.
                let near = nodes[1] / 8.0;
                let beside = height(near);
                let peak = (0.0, heights[0]);
                peaks.push(if beside <= heights[0] { peak } else { refine(&height, 0.0, nodes[1], (near, beside)) });
                continue;
            }
            let low = nodes[k - 1];
            let high = nodes.get(k + 1).copied().unwrap_or(FRAC_PI_2);
            peaks.push(refine(&height, low, high, (nodes[k], heights[k])));
        }
    }
    let known = nodes.into_iter().zip(heights).chain(peaks.iter().copied()).chain([(FRAC_PI_2, 0.0)]).collect();
    let bend = 2.0 * norm_bound(&scaled);
    peaks.extend(overlooked(&height, known, slack, bend));
    peaks
}

/// Local maxima between the `known` points of a curve that are higher by more than `slack` than all of them.
///
/// The largest eigenvalue is the upper envelope of curves whose second derivative is at least `-bend`, so between two points
/// at a distance `h` it exceeds the higher one by at most `bend h^2 / 8`.
fn overlooked(height: &dyn Fn(f64) -> f64, mut known: Vec<(f64, f64)>, slack: f64, bend: f64) -> Vec<(f64, f64)> {
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    let bounded =
        |low: (f64, f64), high: (f64, f64)| (low.1.max(high.1) + bend * (high.0 - low.0).powi(2) / 8.0, low, high);
    let mut intervals: Vec<_> = known.windows(2).map(|w| bounded(w[0], w[1])).collect();
    let mut top = highest(&known);
    let mut found = Vec::new();
    for _ in 0..MAX_LOOKS {
        let Some(most) = (0..intervals.len()).max_by(|&a, &b| intervals[a].0.total_cmp(&intervals[b].0)) else { break };
        let (bound, low, high) = intervals.swap_remove(most);
        if bound <= top + slack {
            break;
        }
        let middle = 0.5 * (low.0 + high.0);
        let mut split = (middle, height(middle));
        if split.1 > top + slack {
            split = refine(height, low.0, high.0, split);
            top = split.1;
            found.push(split);
        }
        intervals.extend([bounded(low, split), bounded(split, high)]);
    }
    found
}

/// A bound on the spectral norm.
fn norm_bound(a: &Array2<f64>) -> f64 {
    let largest_sum = |axis| a.mapv(f64::abs).sum_axis(axis).fold(0.0, |m: f64, &v| m.max(v));
    (largest_sum(Axis(0)) * largest_sum(Axis(1))).sqrt()
}

/// A local maximum in `[low, high]` by successive parabolas, golden sections where they fail (Brent's method).
fn refine(height: &dyn Fn(f64) -> f64, mut low: f64, mut high: f64, start: (f64, f64)) -> (f64, f64) {
    let golden = 0.5 * (3.0 - 5f64.sqrt());
    let (mut best, mut second, mut third) = (start, start, start);
    let (mut step, mut previous) = (0.0f64, high - low);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        let tolerance = 3e-8;
        if (best.0 - middle).abs() + 0.5 * (high - low) <= 2.0 * tolerance {
            break;
        }
        let r = (best.0 - second.0) * (best.1 - third.1);
        let s = (best.0 - third.0) * (best.1 - second.1);
        let numerator = (best.0 - third.0) * s - (best.0 - second.0) * r;
        let denominator = 2.0 * (s - r);
        let parabola = if denominator == 0.0 { f64::NAN } else { -numerator / denominator };
        let inside = best.0 + parabola > low && best.0 + parabola < high;
        let next = if inside && parabola.abs() < 0.5 * previous.abs() {
            parabola
        } else if best.0 < middle {
            golden * (high - best.0)
        } else {
            golden * (low - best.0)
        };
        (previous, step) = (if step == 0.0 { next } else { step }, next);
        let phi = best.0 + if step.abs() >= tolerance { step } else { tolerance.copysign(step) };
        let trial = (phi.clamp(0.0, FRAC_PI_2), height(phi.clamp(0.0, FRAC_PI_2)));
        if trial.1 >= best.1 {
            if trial.0 >= best.0 {
                low = best.0
            } else {
                high = best.0
            }
            (third, second, best) = (second, best, trial);
        } else {
            if trial.0 < best.0 {
                low = trial.0
            } else {
                high = trial.0
            }
            if trial.1 >= second.1 || second.0 == best.0 {
                (third, second) = (second, trial);
            } else if trial.1 >= third.1 || third.0 == best.0 || third.0 == second.0 {
                third = trial;
            }
        }
    }
    best
}

/// Drops from the multipliers the neurons whose share vanishes at the optimum, as far as that helps; returns the bound on
/// `r` that remains, to working precision.
fn sharpen(blocks: &[Array2<f64>], margin: &mut Margin) -> f64 {
    let n = margin.d.len();
    let mut share = Array1::<f64>::zeros(n);
    for x in &margin.x {
        for (a, v) in x.diag().iter().enumerate() {
            share[a % n] += v * margin.d[a % n];
        }
    }
    let largest = share.iter().copied().fold(0.0, f64::max);
    let mut best = (f64::NEG_INFINITY, margin.x.clone());
    for cutoff in [0.0, 1e-10, 1e-8, 1e-6, 1e-4] {
        let keep = |a: usize| share[a % n] > cutoff * largest;
        let kept =
            |x: &Array2<f64>| Array2::from_shape_fn(x.dim(), |(a, b)| if keep(a) && keep(b) { x[[a, b]] } else { 0.0 });
        let x: Vec<_> = margin.x.iter().map(kept).collect();
        let bound = lower_bound(blocks, &x, n);
        if bound > best.0 {
            best = (bound, x);
        }
    }
    margin.x = best.1;
    best.0
}

/// The smallest `sum (A_k X_k)_aa / sum (X_k)_aa` over the neurons in the multipliers.
fn lower_bound(blocks: &[Array2<f64>], x: &[Array2<f64>], n: usize) -> f64 {
    let (mut value, mut trace) = (Array1::<f64>::zeros(n), Array1::<f64>::zeros(n));
    for (a, x) in blocks.iter().zip(x) {
        for i in 0..a.nrows() {
            value[i % n] += a.row(i).dot(&x.row(i));
            trace[i % n] += x[[i, i]];
        }
    }
    let ratios = value.iter().zip(&trace).filter(|(_, t)| **t > 0.0).map(|(v, t)| v / t);
    ratios.fold(f64::INFINITY, f64::min)
}
