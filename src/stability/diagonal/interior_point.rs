//! The primal-dual interior point (theory 3.7): Mehrotra's predictor-corrector in the HKM direction, written in
//! matrix products only.
//!
//! For a matrix `B` with entries of moderate size, with `B_delta = B + delta I`, the iterates keep
//!
//! ```text
//! Z   = -(D B_delta + B_delta' D) - t I > 0,     sum d   = n,    d > 0,
//! s_i = theta + 2 (B_delta X)_ii        > 0,     tr X    = 1,    X > 0,
//! ```
//!
//! whose duality gap is `n theta - t = <Z, X> + d's`, and follow the central path `Z X = mu I`, `d_i s_i = mu`. Two
//! questions share this one loop:
//!
//! - [`Goal::Sign`]: `delta = 0` is given; `t` is maximised and `theta` minimised. `B` is diagonally stable iff the
//!   optimum is positive.
//! - [`Goal::Margin`]: `delta` is an unknown too, tied by `t + n theta = 0`. The common optimum 0 of both
//!   problems is reached where `delta` is the margin `sup{delta : B + delta I is LDS}`. The terms in which two unknowns
//!   are multiplied leave residuals, which the next step removes.

use ndarray::{Array1, Array2, ArrayView2, Axis, Zip, stack};

use crate::linalg::{self, Backend, Lu};

/// Which number the interior point looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// The sign of the best `t` at `delta = 0`.
    Sign,
    /// The `delta` at which the best `t` is 0.
    Margin,
}

/// The iterates, in THEORY's letters, and workspace.
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
    /// `B X + delta X`, current.
    bx: Array2<f64>,
    trial: Array2<f64>,
}

/// A Newton direction.
struct Direction {
    d: Array1<f64>,
    t: f64,
    theta: f64,
    delta: f64,
    s: Array1<f64>,
    z: Array2<f64>,
    x: Array2<f64>,
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

impl<'a> InteriorPoint<'a> {
    /// Starts at `d = 1`, `X = I/n`, with `t` and `theta` far enough out to be feasible and near the central path.
    pub(super) fn new(b: ArrayView2<'a, f64>, goal: Goal) -> Self {
        let n = b.nrows();
        let size = n as f64;
        let d = Array1::ones(n);
        let s_matrix = negated_symmetric_part(b, &d);
        let (low, high) = spectrum_bounds(s_matrix.view());
        let radius = 0.5 * (high - low).max(0.1 * high.abs().max(low.abs()));
        let (delta, t, theta) = match goal {
            Goal::Sign => {
                let least = b.diag().fold(f64::INFINITY, |m, &v| m.min(v));
                (0.0, low - radius, (radius - 2.0 * least.min(0.0)) / size)
            }
            Goal::Margin => {
                let delta = -b.diag().sum() / size;
                let spread = b.diag().fold(0.0, |m: f64, &v| m.max((v + delta).abs()));
                let tau = (2.0 * radius).max(4.0 * spread);
                (delta, -tau, tau / size)
            }
        };
        let mut start = Self {
            goal,
            b,
            delta,
            t,
            theta,
            d,
            x: Array2::from_diag_elem(n, 1.0 / size),
            s: Array1::zeros(n),
            z: s_matrix,
            bx: Array2::zeros((n, n)),
            trial: Array2::zeros((n, n)),
        };
        start.update_bx();
        start.s = start.dual_slack();
        let primal = 2.0 * start.delta * &start.d + start.t;
        Zip::from(start.z.diag_mut()).and(&primal).for_each(|z, p| *z -= p);
        start
    }

    /// The duality gap `n theta - t`.
    pub(super) fn gap(&self) -> f64 {
        self.d.len() as f64 * self.theta - self.t
    }

    /// The mean of the complementarity products.
    fn mu(&self) -> f64 {
        (inner(&self.z, &self.x) + self.d.dot(&self.s)) / (2 * self.d.len()) as f64
    }

    /// `theta + 2 (B_delta X)_ii`.
    fn dual_slack(&self) -> Array1<f64> {
        self.bx.diag().mapv(|v| self.theta + 2.0 * v)
    }

    fn update_bx(&mut self) {
        f64::matmul(1.0, self.b, self.x.view(), 0.0, self.bx.view_mut());
        self.bx.scaled_add(self.delta, &self.x);
    }

    /// One predictor-corrector step.
    pub(super) fn step(&mut self) -> Step {
        // Factorise: G = Z^-1.
        let n = self.d.len();
        self.trial.assign(&self.z);
        if !f64::cholesky_in_place(self.trial.view_mut()) {
            return Step::Stalled;
        }
        let mut g = Array2::zeros((n, n));
        f64::cholesky_inverse(self.trial.view(), g.view_mut());
        let Some(newton) = Newton::new(self, &g) else { return Step::Stalled };

        // Predict: the affine step, mu -> 0.
        let mut work = Array2::zeros((n, n));
        let Some(affine) = newton.direction(self, &g, 0.0, None, &mut work) else { return Step::Stalled };
        let (mu, sigma) = self.centring(&affine);

        // Correct: aim at sigma mu, with the products of the affine step as second-order terms.
        let Some(combined) = newton.direction(self, &g, sigma * mu, Some(affine), &mut work) else {
            return Step::Stalled;
        };
        drop((newton, g, work));

        // Move, a fixed part of the way to the boundary.
        self.advance(&combined)
    }

    /// The gap now, and the part of it that the corrector should aim at: small if the affine step shrinks the gap.
    fn centring(&mut self, affine: &Direction) -> (f64, f64) {
        let mu = self.mu();
        let (primal, dual) = self.step_lengths(affine, 0.2);
        let after = inner(&self.z, &self.x)
            + primal * inner(&affine.z, &self.x)
            + dual * inner(&self.z, &affine.x)
            + primal * dual * inner(&affine.z, &affine.x)
            + (&self.d + &(primal * &affine.d)).dot(&(&self.s + &(dual * &affine.s)));
        let ratio = (after / (2 * self.d.len()) as f64 / mu).clamp(0.0, 1.0);
        (mu, ratio.powi(3).clamp(1e-6, 0.9))
    }

    /// Step lengths in the primal and dual variables, at most 1; `resolution` is the accuracy of the search.
    fn step_lengths(&mut self, step: &Direction, resolution: f64) -> (f64, f64) {
        let cap = 1.0 / TO_BOUNDARY;
        let primal = longest_step(&self.z, &step.z, ratio_test(&self.d, &step.d, cap), resolution, &mut self.trial);
        // One length for both where delta couples primal and dual.
        let dual_cap = if self.goal == Goal::Margin { primal } else { cap };
        let dual = longest_step(&self.x, &step.x, ratio_test(&self.s, &step.s, dual_cap), resolution, &mut self.trial);
        let primal = if self.goal == Goal::Margin { dual } else { primal };
        (TO_BOUNDARY * primal, TO_BOUNDARY * dual)
    }

    fn advance(&mut self, step: &Direction) -> Step {
        let (primal, dual) = self.step_lengths(step, 0.06);
        let moved = primal.max(dual);
        if moved < 1e-4 || moved.is_nan() {
            return Step::Stalled;
        }
        self.d.scaled_add(primal, &step.d);
        self.z.scaled_add(primal, &step.z);
        self.t += primal * step.t;
        self.delta += primal * step.delta;
        self.x.scaled_add(dual, &step.x);
        self.s.scaled_add(dual, &step.s);
        self.theta += dual * step.theta;
        self.update_bx();
        Step::Taken
    }
}

/// The linear system of one step, factorised.
///
/// With `dX = C - sym(X dZ G)`, `sym(M) = (M + M')/2`, the conditions on `s` become `M dd + ... = r` with the Schur
/// complement `M = P + P' + X o (B_delta G B_delta') + (B_delta X B_delta') o G + diag(s/d)`,
/// `P = (B_delta X) o (B_delta G)'`. Two scalar unknowns border it: `(t, theta)` or `(tau, delta)`.
struct Newton {
    schur: Lu<f64>,
    /// `M^-1` times the columns of the two scalar unknowns.
    solved: Array2<f64>,
    /// The rows `tr dX = 0` and `sum dd = 0`.
    rows: Array2<f64>,
    corner: [[f64; 2]; 2],
    /// `K = (B_delta X) o G + (B_delta G) o X`: what a diagonal change of `Z` does to `2 (B_delta dX)_ii`.
    response: Array2<f64>,
    bg_diag: Array1<f64>,
    /// The residuals left by products of unknowns: on the diagonal of `Z`, and of `s`.
    z_residual: Array1<f64>,
    s_residual: Array1<f64>,
}

impl Newton {
    fn new(at: &InteriorPoint<'_>, g: &Array2<f64>) -> Option<Self> {
        let n = at.d.len();
        let (x, bx) = (&at.x, &at.bx);
        let mut bg = linalg::product(at.b, g.view());
        bg.scaled_add(at.delta, g);

        let mut product = Array2::zeros((n, n));
        let mut m = {
            let p = bx * &bg.t();
            &p + &p.t()
        };
        for (product_with_b, other) in [(&bg, x), (bx, g)] {
            // B_delta G B_delta' = (B_delta G) B' + delta B_delta G; then the same with X.
            product.assign(product_with_b);
            product *= at.delta;
            f64::matmul_symmetric(product_with_b.view(), at.b.t(), product.view_mut());
            Zip::from(&mut m).and(other).and(&product).for_each(|m, &o, &p| *m += o * p);
        }
        Zip::from(m.diag_mut()).and(&at.s).and(&at.d).for_each(|m, s, d| *m += s / d);
        let schur = Lu::new(m.view(), "the Schur complement");
        drop((m, product));

        let bg_diag = bg.diag().to_owned();
        let mut response = bg;
        Zip::from(&mut response).and(x).and(bx).and(g).for_each(|k, &x, &bx, &g| *k = *k * x + bx * g);
        let xg = (x * g).sum_axis(Axis(1));
        let t_column = response.sum_axis(Axis(1));
        let delta_column = 2.0 * (response.dot(&at.d) + x.diag());
        let ones = Array1::ones(n);
        let (columns, corner) = match at.goal {
            Goal::Sign => (stack![Axis(1), t_column, ones], [[xg.sum(), 0.0], [0.0, 0.0]]),
            // t = -tau and theta = tau/n.
            Goal::Margin => (
                stack![Axis(1), &ones / n as f64 - &t_column, delta_column],
                [[-xg.sum(), 2.0 * xg.dot(&at.d)], [0.0, 0.0]],
            ),
        };
        let solved = schur.solve(columns.view()).ok()?;
        let rows = stack![Axis(0), t_column, ones];
        let reduction = rows.dot(&solved);
        let corner = [0, 1].map(|i| [0, 1].map(|j| corner[i][j] - reduction[[i, j]]));

        // What Z and s should be for these d, X, t, theta, delta, less what they are.
        let z_residual = Array1::from_shape_fn(n, |i| -2.0 * at.d[i] * (at.b[[i, i]] + at.delta) - at.t - at.z[[i, i]]);
        let s_residual = at.dual_slack() - &at.s;
        Some(Self { schur, solved, rows, corner, response, bg_diag, z_residual, s_residual })
    }

    /// The direction towards `Z X = target I`; with `affine`, its second-order terms are taken into account.
    fn direction(
        &self,
        at: &InteriorPoint<'_>,
        g: &Array2<f64>,
        target: f64,
        affine: Option<Direction>,
        work: &mut Array2<f64>,
    ) -> Option<Direction> {
        let n = at.d.len();
        // Right-hand sides: dX = C - sym(X dZ G), C = target G - X - sym(dX_a dZ_a G).
        let mut ds_products = Array1::zeros(n);
        let mut z_residual = self.z_residual.clone();
        let mut s_residual = self.s_residual.clone();
        let mut second_order = None;
        if let Some(mut a) = affine {
            ds_products = &a.d * &a.s;
            z_residual.scaled_add(-2.0 * a.delta, &a.d);
            s_residual.scaled_add(2.0 * a.delta, &a.x.diag());
            // `work` still holds dZ_a G.
            f64::matmul(1.0, a.x.view(), work.view(), 0.0, a.z.view_mut());
            symmetrise(&mut a.z);
            second_order = Some((a.z, a.x));
        }
        let mut bc_diag = target * &self.bg_diag - at.bx.diag();
        let mut c_trace = target * g.diag().sum() - at.x.diag().sum();
        if let Some((e, _)) = &second_order {
            bc_diag -= &((&at.b * e).sum_axis(Axis(1)) + at.delta * &e.diag());
            c_trace -= e.diag().sum();
        }
        let rhs = Array1::from_shape_fn(n, |i| (target - ds_products[i]) / at.d[i] - at.s[i] - s_residual[i])
            - 2.0 * bc_diag
            + self.response.dot(&z_residual);

        // Solve the bordered system.
        let y = self.schur.solve_vec(rhs.view()).ok()?;
        let xg_residual: f64 =
            Zip::from(at.x.rows()).and(g.rows()).and(&z_residual).fold(0.0, |sum, x, g, r| sum + r * x.dot(&g));
        let border = self.rows.dot(&y);
        let (p, q) = solve_2x2(self.corner, [xg_residual - c_trace - border[0], -border[1]])?;
        let d = y - &(p * &self.solved.column(0)) - &(q * &self.solved.column(1));
        let (t, theta, delta) = match at.goal {
            Goal::Sign => (p, q, 0.0),
            Goal::Margin => (-p, p / n as f64, q),
        };

        // Recover dZ, dX, ds.
        let (mut z, mut x) = match second_order {
            Some((e, x)) => (x, e),
            None => (Array2::zeros((n, n)), Array2::zeros((n, n))),
        };
        let _ = &mut x;
        negated_symmetric_part_into(at.b, &d, &mut z);
        let diagonal = -2.0 * (at.delta * &d + delta * &at.d) - t + &z_residual;
        Zip::from(z.diag_mut()).and(&diagonal).for_each(|z, v| *z += v);
        f64::matmul(1.0, z.view(), g.view(), 0.0, work.view_mut());
        // x holds the second-order terms: dX = target G - X - E - sym(X dZ G).
        let mut xzg = linalg::product(at.x.view(), work.view());
        symmetrise(&mut xzg);
        Zip::from(&mut x).and(g).and(&at.x).and(&xzg).for_each(|v, &g, &x, &w| *v = target * g - x - *v - w);
        let s = 2.0 * (&at.b * &x).sum_axis(Axis(1))
            + 2.0 * (at.delta * &x.diag() + delta * &at.x.diag())
            + theta
            + s_residual;
        Some(Direction { d, t, theta, delta, s, z, x })
    }
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

/// `M <- (M + M')/2`.
fn symmetrise(m: &mut Array2<f64>) {
    const TILE: usize = 64;
    let n = m.nrows();
    for rows in (0..n).step_by(TILE) {
        for columns in (rows..n).step_by(TILE) {
            for i in rows..n.min(rows + TILE) {
                for j in columns.max(i + 1)..n.min(columns + TILE) {
                    let mean = 0.5 * (m[[i, j]] + m[[j, i]]);
                    m[[i, j]] = mean;
                    m[[j, i]] = mean;
                }
            }
        }
    }
}

/// `<A, B> = sum of a_ij b_ij`.
fn inner(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    Zip::from(a.rows()).and(b.rows()).fold(0.0, |sum, x, y| sum + x.dot(&y))
}

/// The largest step up to `cap` that keeps a vector of positive numbers nonnegative.
fn ratio_test(v: &Array1<f64>, step: &Array1<f64>, cap: f64) -> f64 {
    v.iter().zip(step).filter(|&(_, &s)| s < 0.0).map(|(&v, &s)| -v / s).fold(cap, f64::min)
}

/// The largest step up to `cap`, to about `resolution`, that keeps a positive definite matrix positive definite.
fn longest_step(m: &Array2<f64>, step: &Array2<f64>, cap: f64, resolution: f64, trial: &mut Array2<f64>) -> f64 {
    let mut stays_positive = |alpha: f64| {
        Zip::from(&mut *trial).and(m).and(step).for_each(|t, &m, &s| *t = m + alpha * s);
        f64::cholesky_in_place(trial.view_mut())
    };
    let (mut low, mut high) = (0.0, cap);
    for part in [1.0, 0.95, 0.8, 0.6, 0.4, 0.2, 0.1, 0.03, 0.01, 1e-3] {
        if stays_positive(part * cap) {
            low = part * cap;
            break;
        }
        high = part * cap;
    }
    while low > 0.0 && low < cap && high - low > resolution * cap {
        let middle = 0.5 * (low + high);
        if stays_positive(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

fn solve_2x2(m: [[f64; 2]; 2], r: [f64; 2]) -> Option<(f64, f64)> {
    let determinant = m[0][0] * m[1][1] - m[0][1] * m[1][0];
    let p = (r[0] * m[1][1] - m[0][1] * r[1]) / determinant;
    let q = (m[0][0] * r[1] - m[1][0] * r[0]) / determinant;
    (p.is_finite() && q.is_finite()).then_some((p, q))
}

/// Rough outer bounds on the spectrum of a symmetric matrix, by a few power steps on both ends.
fn spectrum_bounds(m: ArrayView2<'_, f64>) -> (f64, f64) {
    let n = m.nrows();
    let norm = m.rows().into_iter().map(|r| r.iter().map(|v| v.abs()).sum::<f64>()).fold(0.0, f64::max);
    if norm == 0.0 {
        return (0.0, 0.0);
    }
    let end = |sign: f64| {
        let mut v = Array1::from_shape_fn(n, |i| (1.0 + 0.618 * i as f64).sin());
        let mut quotient = 0.0;
        for _ in 0..20 {
            v /= v.dot(&v).sqrt();
            let mv = m.dot(&v);
            quotient = v.dot(&mv);
            v = &mv + &(sign * 0.5 * norm * &v);
        }
        quotient
    };
    let (low, high) = (end(-1.0), end(1.0));
    let slack = 0.1 * (high - low);
    (low - slack, high + slack)
}
