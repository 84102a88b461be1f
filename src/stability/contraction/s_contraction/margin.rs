//! The smallest common shift of several matrices that share one diagonal.
//!
//! Given real matrices `A_k`, each with one or two rows per neuron, find the smallest `r` for which one positive
//! diagonal `D` (repeated over the rows of a neuron) has `D B_k + B_k' D >= 0` for all `B_k = r I - A_k`.
//!
//! For a fixed `r` this is the semidefinite programme of theory 3.7, with its Schur complement summed over the blocks and
//! over the rows of a neuron (the sum in `s_i` runs over all rows `a` of neuron `i`):
//!
//! ```text
//! maximise t:        Z_k = D B_k + B_k' D - t I       >= 0,    sum d      = n,    d   >= 0,
//! minimise n theta:  s_i = theta - 2 sum (B_k X_k)_aa >= 0,    sum tr X_k = 1,    X_k >= 0.
//! ```
//!
//! The optimum `t` is positive iff `r` can be lowered; `D` then attains a smaller `r`, which is tried next (Dinkelbach's
//! method, superlinearly convergent).

use ndarray::{Array1, Array2, Axis, concatenate};

use crate::linalg::{self, Backend, Lu, product};

/// Steps stay this far inside the cones.
const TO_BOUNDARY: f64 = 0.95;
const MAX_STEPS: usize = 40;
const MAX_ROUNDS: usize = 15;

/// The optimum as far as the iteration came.
pub(super) struct Margin {
    /// The shared diagonal, summing to `n`.
    pub(super) d: Array1<f64>,
    /// One positive definite multiplier per matrix, traces summing to 1.
    pub(super) x: Vec<Array2<f64>>,
}

/// Minimises `r` to an accuracy of about `tolerance`, starting from the diagonal `d`.
///
/// Every round works in the coordinates in which the best diagonal so far is the identity.
pub(super) fn smallest_shift(a: &[Array2<f64>], d: &Array1<f64>, tolerance: f64) -> Margin {
    let n = d.len();
    let mut root = d.mapv(f64::sqrt);
    let mut r = attained(&scaled(a, &root));
    let mut round = 0;
    loop {
        let scaled_a = scaled(a, &root);
        let mut state = State::new(&scaled_a, n, r);
        for _ in 0..MAX_STEPS {
            // Lowering r by h raises t by 2 h at most, as d = 1 is among the diagonals.
            let done = n as f64 * state.theta <= 0.1 * tolerance;
            if done || state.gap() <= 0.02 * state.t || !state.step() {
                break;
            }
        }
        round += 1;
        let new_root = &root * &state.d.mapv(f64::sqrt);
        let next = attained(&scaled(a, &new_root));
        if r - next <= 0.1 * tolerance || round == MAX_ROUNDS {
            if next < r {
                (root, r) = (new_root, next);
            }
            let unscaled =
                |x: &Array2<f64>| Array2::from_shape_fn(x.dim(), |(i, j)| x[[i, j]] / (root[i % n] * root[j % n]));
            let x: Vec<_> = refuting(&scaled(a, &root), n, r - 0.3 * tolerance).iter().map(unscaled).collect();
            let d = &root * &root;
            let (size, trace) = (d.sum() / n as f64, x.iter().map(|x| x.diag().sum()).sum::<f64>());
            return Margin { d: d / size, x: x.into_iter().map(|x| x / trace).collect() };
        }
        (root, r) = (new_root, next);
    }
}

/// Multipliers against an `r` just below the optimum: there `theta` becomes negative, which leaves room for the neurons
/// whose share in the multipliers vanishes at the optimum.
fn refuting(a: &[Array2<f64>], n: usize, r: f64) -> Vec<Array2<f64>> {
    let mut state = State::new(a, n, r);
    for _ in 0..MAX_STEPS {
        if state.theta < 0.0 && state.gap() <= -0.5 * n as f64 * state.theta || !state.step() {
            break;
        }
    }
    state.x
}

/// `diag(root) A diag(root)^{-1}` for every `A`.
fn scaled(a: &[Array2<f64>], root: &Array1<f64>) -> Vec<Array2<f64>> {
    let n = root.len();
    let of = |a: &Array2<f64>| Array2::from_shape_fn(a.dim(), |(i, j)| root[i % n] * a[[i, j]] / root[j % n]);
    a.iter().map(of).collect()
}

/// The smallest `r` for the diagonal `I`.
fn attained(a: &[Array2<f64>]) -> f64 {
    let of = |a: &Array2<f64>| linalg::eigvalsh(symmetric(a.clone()).view()).map_or(f64::INFINITY, |v| v[v.len() - 1]);
    a.iter().map(of).fold(f64::NEG_INFINITY, f64::max)
}

struct State {
    b: Vec<Array2<f64>>,
    d: Array1<f64>,
    t: f64,
    z: Vec<Array2<f64>>,
    x: Vec<Array2<f64>>,
    theta: f64,
    s: Array1<f64>,
}

struct Direction {
    d: Array1<f64>,
    t: f64,
    theta: f64,
    x: Vec<Array2<f64>>,
}

impl State {
    /// Starts at `d = 1` and `X` a multiple of the identity, with `t` and `theta` far enough out to be feasible.
    fn new(a: &[Array2<f64>], n: usize, r: f64) -> Self {
        let b: Vec<_> = a.iter().map(|a| Array2::from_diag_elem(a.nrows(), r) - a).collect();
        let rows: usize = b.iter().map(|b| b.nrows()).sum();
        let magnitude = |b: &Array2<f64>| {
            let sums = b.mapv(f64::abs).sum_axis(Axis(1)) + b.mapv(f64::abs).sum_axis(Axis(0));
            sums.fold(f64::MIN_POSITIVE, |m, &v| m.max(v))
        };
        let size = b.iter().map(magnitude).fold(0.0, f64::max);
        let x: Vec<_> = b.iter().map(|b| Array2::from_diag_elem(b.nrows(), 1.0 / rows as f64)).collect();
        let t = -2.0 * size;
        let mut state = Self { b, d: Array1::ones(n), t, z: Vec::new(), x, theta: 0.0, s: Array1::zeros(n) };
        state.z = state.slack(&state.d, t);
        let without_theta = state.dual_slack(&state.x, 0.0);
        state.theta = 2.0 * size / n as f64 - without_theta.fold(0.0f64, |m, &v| m.min(v));
        state.s = without_theta + state.theta;
        state
    }

    fn n(&self) -> usize {
        self.d.len()
    }

    /// The duality gap `n theta - t = sum <Z_k, X_k> + d's`.
    fn gap(&self) -> f64 {
        let inner: f64 = self.z.iter().zip(&self.x).map(|(z, x)| inner(z, x)).sum();
        inner + self.d.dot(&self.s)
    }

    fn mu(&self) -> f64 {
        let cones = self.n() + self.b.iter().map(|b| b.nrows()).sum::<usize>();
        self.gap() / cones as f64
    }

    /// `Z_k` at `(d, t)`.
    fn slack(&self, d: &Array1<f64>, t: f64) -> Vec<Array2<f64>> {
        let n = self.n();
        let of = |b: &Array2<f64>| {
            Array2::from_shape_fn(b.dim(), |(i, j)| {
                let diagonal = if i == j { t } else { 0.0 };
                d[i % n] * b[[i, j]] + b[[j, i]] * d[j % n] - diagonal
            })
        };
        self.b.iter().map(of).collect()
    }

    /// `s` at `(X, theta)`.
    fn dual_slack(&self, x: &[Array2<f64>], theta: f64) -> Array1<f64> {
        let mut s = Array1::from_elem(self.n(), theta);
        for (b, x) in self.b.iter().zip(x) {
            s -= &self.adjoint(b, x);
        }
        s
    }

    /// `2 sum (B X)_aa` per neuron, for symmetric `X`.
    fn adjoint(&self, b: &Array2<f64>, x: &Array2<f64>) -> Array1<f64> {
        let mut folded = Array1::zeros(self.n());
        for (a, (b, x)) in b.outer_iter().zip(x.outer_iter()).enumerate() {
            folded[a % self.n()] += 2.0 * b.dot(&x);
        }
        folded
    }

    /// One predictor-corrector step; `false` when rounding errors stop all progress.
    fn step(&mut self) -> bool {
        // Factorise: G = Z^-1.
        let inverses = self.z.iter().map(|z| f64::inverse_spd(z.view()));
        let Some(g) = inverses.collect::<Option<Vec<_>>>() else { return false };
        let Some(newton) = Newton::new(self, &g) else { return false };
        // Predict: the affine step, mu -> 0.
        let Some(affine) = newton.direction(self, &g, 0.0, None) else { return false };
        let reach = self.primal_step(&affine).min(self.dual_step(&affine));
        let centring = (1.0 - reach).powi(3).clamp(1e-6, 0.8);
        // Correct: towards the central path, with second-order terms.
        let Some(direction) = newton.direction(self, &g, centring * self.mu(), Some(&affine)) else { return false };
        let (primal, dual) = (self.primal_step(&direction), self.dual_step(&direction));
        self.advance(&direction, primal, dual);
        primal.max(dual) > 1e-4
    }

    fn advance(&mut self, direction: &Direction, primal: f64, dual: f64) {
        let n = self.n();
        self.d.scaled_add(primal, &direction.d);
        self.t += primal * direction.t;
        self.theta += dual * direction.theta;
        for (x, dx) in self.x.iter_mut().zip(&direction.x) {
            x.scaled_add(dual, dx);
            restore_complex_structure(x, n);
        }
        (self.z, self.s) = (self.slack(&self.d, self.t), self.dual_slack(&self.x, self.theta));
    }

    /// The longest tried step in `(d, t)` that stays inside.
    fn primal_step(&self, direction: &Direction) -> f64 {
        longest(|alpha| {
            let d = &self.d + &(alpha * &direction.d);
            let inside = |z: &Array2<f64>| f64::cholesky(z.view()).is_some();
            d.iter().all(|&v| v > 0.0) && self.slack(&d, self.t + alpha * direction.t).iter().all(inside)
        })
    }

    /// The longest tried step in `(X, theta)` that stays inside.
    fn dual_step(&self, direction: &Direction) -> f64 {
        longest(|alpha| {
            let x: Vec<_> = self.x.iter().zip(&direction.x).map(|(x, dx)| x + &(alpha * dx)).collect();
            let slack = self.dual_slack(&x, self.theta + alpha * direction.theta);
            slack.iter().all(|&v| v > 0.0) && x.iter().all(|x| f64::cholesky(x.view()).is_some())
        })
    }
}

/// The longest of a falling sequence of steps that keeps its distance from the boundary.
fn longest(inside: impl Fn(f64) -> bool) -> f64 {
    let mut alpha = 1.0;
    while alpha > 1e-6 {
        if inside(alpha / TO_BOUNDARY) {
            return alpha;
        }
        alpha *= if alpha > 0.5 { 0.9 } else { 0.7 };
    }
    0.0
}

/// The linear system of a step in `(d, t, theta)`, factorised.
struct Newton {
    lu: Lu<f64>,
}

impl Newton {
    fn new(state: &State, g: &[Array2<f64>]) -> Option<Self> {
        let n = state.n();
        // Rows: dual slack, trace of X, sum of d.
        let mut system = Array2::zeros((n + 2, n + 2));
        for ((b, x), g) in state.b.iter().zip(&state.x).zip(g) {
            let (bx, bg) = (product(b.view(), x.view()), product(b.view(), g.view()));
            let p = &bx * &bg.t();
            let schur = &p + &p.t() + x * &product(bg.view(), b.t()) + product(bx.view(), b.t()) * g;
            for ((i, j), v) in schur.indexed_iter() {
                system[[i % n, j % n]] += v;
            }
            let xg = symmetric(product(x.view(), g.view()));
            for (i, u) in state.adjoint(b, &xg).into_iter().enumerate() {
                system[[i, n]] -= u;
                system[[n, i]] -= u;
            }
            system[[n, n]] += xg.diag().sum();
        }
        for i in 0..n {
            system[[i, i]] += state.s[i] / state.d[i];
            system[[i, n + 1]] = 1.0;
            system[[n + 1, i]] = 1.0;
        }
        system.iter().all(|v| v.is_finite()).then(|| Self { lu: Lu::new(system.view(), "Schur complement") })
    }

    /// The direction towards `Z X = target I`, `d s = target`, with second-order terms from `affine`.
    fn direction(
        &self,
        state: &State,
        g: &[Array2<f64>],
        target: f64,
        affine: Option<&Direction>,
    ) -> Option<Direction> {
        let n = state.n();
        // The part of X + dX that does not depend on the unknowns.
        let mut constant: Vec<_> = state.x.iter().zip(g).map(|(x, g)| target * g - x).collect();
        let mut rhs = target / &state.d - &state.s;
        if let Some(f) = affine {
            for ((c, g), (dx, dz)) in constant.iter_mut().zip(g).zip(f.x.iter().zip(state.slack(&f.d, f.t))) {
                *c -= &symmetric(product(product(dx.view(), dz.view()).view(), g.view()));
            }
            rhs -= &(&f.d * &state.dual_slack(&f.x, f.theta) / &state.d);
        }
        for (b, c) in state.b.iter().zip(&constant) {
            rhs += &state.adjoint(b, c);
        }
        let trace: f64 = constant.iter().map(|c| c.diag().sum()).sum();
        let rhs = concatenate![Axis(0), rhs, Array1::from_vec(vec![-trace, 0.0])];
        let solution = self.lu.solve_vec(rhs.view()).ok()?;
        let d = solution.slice(ndarray::s![..n]).to_owned();
        let mut x = Vec::with_capacity(g.len());
        for ((c, dz), (current, g)) in constant.iter().zip(state.slack(&d, solution[n])).zip(state.x.iter().zip(g)) {
            x.push(c - &symmetric(product(product(current.view(), dz.view()).view(), g.view())));
        }
        Some(Direction { d, t: solution[n], theta: solution[n + 1], x })
    }
}

fn symmetric(m: Array2<f64>) -> Array2<f64> {
    0.5 * (&m + &m.t())
}

fn inner(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    ndarray::Zip::from(a).and(b).fold(0.0, |sum, x, y| sum + x * y)
}

/// Averages a matrix of the form `[[R, -I], [I, R]]` over its copies, so that rounding errors do not grow; a single block is
/// only made symmetric.
fn restore_complex_structure(x: &mut Array2<f64>, n: usize) {
    let full = symmetric(std::mem::take(x));
    if full.nrows() == n {
        *x = full;
        return;
    }
    *x = Array2::from_shape_fn(full.dim(), |(i, j)| {
        let copy = full[[(i + n) % (2 * n), (j + n) % (2 * n)]];
        0.5 * if (i < n) == (j < n) { full[[i, j]] + copy } else { full[[i, j]] - copy }
    });
}
