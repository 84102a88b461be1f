//! The primal-dual interior point (theory 3.7): Mehrotra's predictor-corrector in the HKM direction, written in
//! matrix products only.
//!
//! For a matrix `B` with entries of moderate size, with `B_delta = B + delta I`, the iterates keep
//!
//! ```text
//! Z   = -(D B_delta + B_delta' D) - t I > 0,     sum d   = n,    d > 0,
//! s_i = theta + 2 (B_delta X)_ii        > 0,     <N, X>  = 1,    X > 0,
//! ```
//!
//! and follow the central path `Z X = mu I`, `d_i s_i = mu`. Two questions share this one loop:
//!
//! - [`Goal::Sign`]: `delta = 0`; `t` is maximised and `theta` minimised, `N = I`. The duality gap is
//!   `n theta - t = <Z, X> + d's`; `B` is diagonally stable iff the optimum is positive. A convex problem.
//! - [`Goal::Margin`]: `t = 0` and `delta` is maximised, `N = 2 D`. Its optimum is the margin
//!   `sup{delta : B + delta I is LDS}`. For each `delta` below it, the `D` with `Z > 0` are a convex set, whose analytic
//!   centres the path runs through, so `Z > 0` proves every `delta` on the way. The gap is `n theta`, of which the distance
//!   to the margin is a multiple near 1. Steps take the products of two unknowns into account, so every
//!   point is feasible.

mod newton;

use ndarray::{Array1, Array2, ArrayView2, Zip};

use self::newton::{Aim, Direction, Newton, SecondOrder};
use super::spectrum::largest_eigenvalue;
use crate::linalg::Backend;

/// Which number the interior point looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// The sign of the best `t` for `B` itself.
    Sign,
    /// The largest `delta` for which the best `t` is not negative.
    Margin,
}

/// The iterates, in the letters of theory 3.7, and workspace.
pub(super) struct InteriorPoint<'a> {
    goal: Goal,
    b: ArrayView2<'a, f64>,
    pub(super) delta: f64,
    pub(super) t: f64,
    pub(super) theta: f64,
    pub(super) d: Array1<f64>,
    pub(super) x: Array2<f64>,
    s: Array1<f64>,
    z: Array2<f64>,
    /// The diagonal of `B X`.
    bx: Array1<f64>,
}

/// A point on the path to the margin, free of the matrix.
pub(super) struct Waypoint {
    pub(super) d: Array1<f64>,
    x: Array2<f64>,
    delta: f64,
    gap: f64,
}

/// How far a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The iterates moved.
    Taken,
    /// Rounding errors stop all further progress.
    Stalled,
}

/// Steps go this part of the way to the boundary of the cone.
const TO_BOUNDARY: f64 = 0.97;

/// Steps below this part of a Newton step are worth another direction.
const SHORT: f64 = 0.3;

impl<'a> InteriorPoint<'a> {
    /// Starts at `d = 1` and a multiple `X` of `I`, far enough out to be feasible and near the central path.
    pub(super) fn new(b: ArrayView2<'a, f64>, goal: Goal) -> Self {
        let n = b.nrows();
        let size = n as f64;
        let d = Array1::ones(n);
        let s_matrix = negated_symmetric_part(b, &d);
        let high = largest_eigenvalue(s_matrix.view());
        let low = -largest_eigenvalue((-&s_matrix).view());
        let radius = 0.6 * (high - low).max(0.1 * high.abs().max(low.abs()));
        let (delta, t, theta) = match goal {
            Goal::Sign => {
                let least = b.diag().fold(0.0, |m: f64, &v| m.min(v));
                (0.0, low - radius, (radius - 2.0 * least) / size)
            }
            Goal::Margin => {
                let delta = 0.5 * (low - radius);
                (delta, 0.0, -2.0 * (b.diag().sum() / size + delta) / size)
            }
        };
        let normalisation = if goal == Goal::Margin { 2.0 * size } else { size };
        let x = Array2::from_diag_elem(n, normalisation.recip());
        let bx = row_products(b, x.view());
        let mut start = Self { goal, b, delta, t, theta, d, x, s: Array1::zeros(n), z: s_matrix, bx };
        start.s = start.dual_slack();
        start.z.diag_mut().mapv_inplace(|z| z - 2.0 * delta - t);
        start
    }

    /// The way to the margin again from a point on it, in the metric in which its weights are 1: `b` is
    /// `D^(1/2) B D^(-1/2)`.
    ///
    /// It goes back a little, to where `Z` is well away from singular, and adds a multiple of `I` to `X` so that
    /// `Z X` is about `mu I` both where `X` was large and where `Z` was.
    pub(super) fn resumed(b: ArrayView2<'a, f64>, from: Waypoint) -> Self {
        let Waypoint { d, mut x, delta, gap } = from;
        let n = d.len();
        let root = d.mapv(f64::sqrt);
        Zip::indexed(&mut x).for_each(|(i, j), x| *x *= root[i] * root[j]);
        let back = (1e3 * gap).min(0.1);
        let delta = delta - back;
        let d = Array1::ones(n);
        let mut z = negated_symmetric_part(b, &d);
        z.diag_mut().mapv_inplace(|z| z - 2.0 * delta);
        let mu = 2.0 * back * inner(&x, &x) / x.diag().sum();
        let added = mu * n as f64 / z.diag().sum();
        x.diag_mut().mapv_inplace(|x| x + added);
        x /= 2.0 * x.diag().sum();
        let bx = row_products(b, x.view());
        let least = Zip::from(&bx).and(x.diag()).fold(f64::INFINITY, |m, bx, x| m.min(2.0 * (bx + delta * x)));
        let mut start =
            Self { goal: Goal::Margin, b, delta, t: 0.0, theta: mu - least, d, x, s: Array1::zeros(n), z, bx };
        start.s = start.dual_slack();
        start
    }

    /// What [`resumed`](Self::resumed) goes on from.
    pub(super) fn waypoint(self) -> Waypoint {
        let gap = self.gap();
        Waypoint { d: self.d, x: self.x, delta: self.delta, gap }
    }

    /// The duality gap, `n theta - t` for either goal.
    pub(super) fn gap(&self) -> f64 {
        self.d.len() as f64 * self.theta - self.t
    }

    /// The diagonal of `N`.
    fn normaliser(&self) -> Array1<f64> {
        match self.goal {
            Goal::Sign => Array1::ones(self.d.len()),
            Goal::Margin => 2.0 * &self.d,
        }
    }

    /// The mean of the complementarity products.
    fn mu(&self) -> f64 {
        (inner(&self.z, &self.x) + self.d.dot(&self.s)) / (2 * self.d.len()) as f64
    }

    /// `theta + 2 (B_delta X)_ii`.
    fn dual_slack(&self) -> Array1<f64> {
        Zip::from(&self.bx).and(self.x.diag()).map_collect(|bx, x| self.theta + 2.0 * (bx + self.delta * x))
    }

    /// One predictor-corrector step.
    pub(super) fn step(&mut self) -> Step {
        self.try_step().unwrap_or(Step::Stalled)
    }

    /// The step, or `None` where a factorisation fails.
    fn try_step(&mut self) -> Option<Step> {
        // Factorise Z, invert it, and set up the Newton system.
        let n = self.d.len();
        let mut work = self.z.clone();
        if !f64::cholesky_in_place(work.view_mut()) {
            return None;
        }
        let mut g = Array2::zeros((n, n));
        f64::cholesky_inverse(work.view(), g.view_mut());
        let newton = Newton::new(self, g)?;
        let mu = self.mu();
        if mu.is_nan() || mu <= 0.0 {
            return None;
        }

        // Predict: the affine step, towards Z X = 0.
        let aim = Aim { target: 0.0, accuracy: 0.01 * mu, second_order: None };
        let affine = newton.direction(self, &aim, &mut work)?;

        // Correct: towards Z X = sigma mu I, with the products of the affine step as second-order terms.
        let mut second_order = SecondOrder::new(self.goal, &affine, &work);
        let (sigma, reach) = self.centring(&affine, mu, &mut work);
        drop(affine);
        second_order.damp_delta(reach);
        let accuracy = 0.01 * sigma.max(0.01) * mu;
        let mut aim = Aim { target: sigma * mu, accuracy, second_order: Some(second_order) };
        let mut best = self.attempt(&newton, &aim, &mut work)?;

        // Where that gets nowhere for want of convexity, lean less on the affine step, then only go back to the path.
        let short = |(_, lengths): &Attempt| self.goal == Goal::Margin && lengths.0 < SHORT;
        if short(&best) {
            aim.second_order.as_mut().into_iter().for_each(|products| products.damp(reach));
            best = longer(best, self.attempt(&newton, &aim, &mut work)?);
        }
        if short(&best) {
            let aim = Aim { target: mu, accuracy: 0.01 * mu, second_order: None };
            best = longer(best, self.attempt(&newton, &aim, &mut work)?);
        }
        drop(newton);

        // Move, a fixed part of the way to the boundary.
        let (step, lengths) = best;
        Some(self.advance(&step, lengths))
    }

    /// A direction, and how far it leads.
    fn attempt(&self, newton: &Newton, aim: &Aim, work: &mut Array2<f64>) -> Option<Attempt> {
        let step = newton.direction(self, aim, work)?;
        let lengths = self.step_lengths(&step, 0.06, work);
        Some((step, lengths))
    }

    /// The part of `mu` that the corrector should aim at: small if the affine step alone shrinks `mu` a lot; and how
    /// far that step leads, 1 if nearly all the way.
    fn centring(&self, affine: &Direction, mu: f64, trial: &mut Array2<f64>) -> (f64, f64) {
        let (primal, dual) = self.step_lengths(affine, 0.2, trial);
        let after = inner(&self.z, &self.x)
            + primal * inner(&affine.z, &self.x)
            + dual * inner(&self.z, &affine.x)
            + primal * dual * inner(&affine.z, &affine.x)
            + (&self.d + &(primal * &affine.d)).dot(&(&self.s + &(dual * &affine.s)));
        let ratio = (after / (2 * self.d.len()) as f64 / mu).clamp(0.0, 1.0);
        (ratio.powi(3).clamp(1e-6, 0.9), if primal.min(dual) > 0.85 { 1.0 } else { (primal * dual).sqrt() })
    }

    /// Step lengths in the primal and dual variables, at most 1; `resolution` is the accuracy of the search.
    fn step_lengths(&self, step: &Direction, resolution: f64, trial: &mut Array2<f64>) -> (f64, f64) {
        let cap = 1.0 / TO_BOUNDARY;
        let primal = longest_step(ratio_test(&self.d, &step.d, cap), resolution, |alpha| {
            Zip::from(&mut *trial).and(&self.z).and(&step.z).for_each(|t, &z, &dz| *t = z + alpha * dz);
            trial.diag_mut().assign(&self.z_diagonal(step, alpha));
            f64::cholesky_in_place(trial.view_mut())
        });
        // One length for both where delta couples primal and dual.
        let dual = longest_step(if self.goal == Goal::Margin { primal } else { cap }, resolution, |alpha| {
            Zip::from(&mut *trial).and(&self.x).and(&step.x).for_each(|t, &x, &dx| *t = x + alpha * dx);
            self.dual_slack_after(step, alpha).iter().all(|&s| s > 0.0) && f64::cholesky_in_place(trial.view_mut())
        });
        let primal = if self.goal == Goal::Margin { dual } else { primal };
        (TO_BOUNDARY * primal, TO_BOUNDARY * dual)
    }

    /// The diagonal of `Z` after a step, products of the changes of `d` and `delta` included.
    fn z_diagonal(&self, step: &Direction, alpha: f64) -> Array1<f64> {
        let (t, delta) = (self.t + alpha * step.t, self.delta + alpha * step.delta);
        Zip::from(&self.d)
            .and(&step.d)
            .and(self.b.diag())
            .map_collect(|d, dd, b| -2.0 * (d + alpha * dd) * (b + delta) - t)
    }

    /// `s` after a step, products of the changes of `X` and `delta` included.
    fn dual_slack_after(&self, step: &Direction, alpha: f64) -> Array1<f64> {
        let (theta, delta) = (self.theta + alpha * step.theta, self.delta + alpha * step.delta);
        Zip::from(&self.bx)
            .and(&step.bx)
            .and(self.x.diag())
            .and(step.x.diag())
            .map_collect(|bx, dbx, x, dx| theta + 2.0 * (bx + alpha * dbx + delta * (x + alpha * dx)))
    }

    fn advance(&mut self, step: &Direction, (primal, dual): (f64, f64)) -> Step {
        let moved = primal.max(dual);
        if moved < 1e-4 || moved.is_nan() {
            return Step::Stalled;
        }
        self.z.scaled_add(primal, &step.z);
        let diagonal = self.z_diagonal(step, primal);
        self.z.diag_mut().assign(&diagonal);
        self.d.scaled_add(primal, &step.d);
        self.t += primal * step.t;
        self.delta += primal * step.delta;
        self.x.scaled_add(dual, &step.x);
        self.theta += dual * step.theta;
        if self.goal == Goal::Margin {
            let normalisation = self.normaliser().dot(&self.x.diag());
            self.x /= normalisation;
            self.theta /= normalisation;
        }
        self.bx = row_products(self.b, self.x.view());
        self.s = self.dual_slack();
        Step::Taken
    }
}

/// A direction and its step lengths in the primal and dual variables.
type Attempt = (Direction, (f64, f64));

fn longer(first: Attempt, second: Attempt) -> Attempt {
    if second.1.0 > first.1.0 { second } else { first }
}

/// `-(D B + B'D)`.
fn negated_symmetric_part(b: ArrayView2<'_, f64>, d: &Array1<f64>) -> Array2<f64> {
    let mut s = Array2::zeros(b.dim());
    negated_symmetric_part_into(b, d, &mut s);
    s
}

fn negated_symmetric_part_into(b: ArrayView2<'_, f64>, d: &Array1<f64>, s: &mut Array2<f64>) {
    Zip::indexed(s).and(b).and(b.t()).for_each(|(i, j), s, &ij, &ji| *s = -(d[i] * ij + d[j] * ji));
}

/// `sum_j a_ij b_ij` for each `i`: the diagonal of `A B` if `B` is symmetric.
fn row_products(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array1<f64> {
    Zip::from(a.rows()).and(b.rows()).map_collect(|x, y| x.dot(&y))
}

/// `<A, B> = sum of a_ij b_ij`.
fn inner(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    row_products(a.view(), b.view()).sum()
}

/// The largest step up to `cap` that keeps a vector of positive numbers nonnegative.
fn ratio_test(v: &Array1<f64>, step: &Array1<f64>, cap: f64) -> f64 {
    v.iter().zip(step).filter(|&(_, &s)| s < 0.0).map(|(&v, &s)| -v / s).fold(cap, f64::min)
}

/// The largest step up to `cap`, to about `resolution`, that stays inside.
fn longest_step(cap: f64, resolution: f64, mut stays_inside: impl FnMut(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, cap);
    for part in [1.0, 0.95, 0.8, 0.6, 0.4, 0.2, 0.1, 0.03, 0.01, 1e-3] {
        if stays_inside(part * cap) {
            low = part * cap;
            break;
        }
        high = part * cap;
    }
    while low > 0.0 && low < cap && high - low > resolution * cap {
        let middle = 0.5 * (low + high);
        if stays_inside(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}
