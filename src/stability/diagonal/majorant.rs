//! The Metzler majorant (theory 3.6): certificates in O(nonzeros), for matrices of any size.
//!
//! The majorant `M` keeps the diagonal of `A` and takes absolute values elsewhere. If it is Hurwitz, positive
//! vectors with `M v < 0` and `M'l < 0` give `D = diag(l/v)`: row `i` of `-(DA + A'D)` times `v` is at least
//! `-d_i (M v)_i - (M'l)_i > 0` with every off-diagonal entry taken at its worst sign, and a symmetric matrix with that
//! property and a positive diagonal is positive definite.

use std::ops::ControlFlow;

use ndarray::{Array1, ArrayView2, Zip};

use super::control::Stop;

/// Rows of a square matrix.
pub(super) trait Rows {
    fn size(&self) -> usize;
    /// Calls `visit(j, a_ij)` for the nonzeros of row `i` off the diagonal.
    fn off_diagonal(&self, i: usize, visit: impl FnMut(usize, f64));
}

impl Rows for ArrayView2<'_, f64> {
    fn size(&self) -> usize {
        self.nrows()
    }

    fn off_diagonal(&self, i: usize, mut visit: impl FnMut(usize, f64)) {
        for (j, &v) in self.row(i).iter().enumerate() {
            if v != 0.0 && i != j {
                visit(j, v);
            }
        }
    }
}

/// Numbers that can be multiplied three at a time without underflow or overflow.
const SAFE: std::ops::Range<f64> = 1e-90..1e90;

/// The safety factor for a sum of `k` terms, each computed with a few roundings.
fn rounding(k: usize) -> f64 {
    (k + 8) as f64 * f64::EPSILON
}

/// A positive `v` with `M v < 0` by Gauss-Seidel iteration on `-M v = 1`, or `None` if `sweeps` sweeps find none.
pub(super) fn negative_vector(a: &impl Rows, diagonal: &Array1<f64>, sweeps: usize) -> Option<Array1<f64>> {
    match interruptible_negative_vector(a, diagonal, sweeps, || ControlFlow::Continue(())) {
        ControlFlow::Continue(v) => v,
        ControlFlow::Break(_) => None,
    }
}

/// As [`negative_vector`], asking `proceed` before each sweep whether to go on.
///
/// Started from below, the iterates increase, to the solution if `M` is Hurwitz and without bound if not.
pub(super) fn interruptible_negative_vector(
    a: &impl Rows,
    diagonal: &Array1<f64>,
    sweeps: usize,
    mut proceed: impl FnMut() -> ControlFlow<Stop>,
) -> ControlFlow<Stop, Option<Array1<f64>>> {
    let mut v: Array1<f64> = diagonal.mapv(|d| -1.0 / d);
    for sweep in 1..=sweeps {
        proceed()?;
        let mut largest = 0.0_f64;
        for i in 0..a.size() {
            let mut sum = 1.0;
            a.off_diagonal(i, |j, x| sum += x.abs() * v[j]);
            v[i] = sum / -diagonal[i];
            largest = largest.max(sum);
        }
        if largest > 1e14 || largest.is_nan() {
            break;
        }
        // Looked at now and then, since it costs as much as a sweep.
        if (sweep.is_power_of_two() || sweep % 64 == 0 || sweep == sweeps) && is_negative(a, diagonal, &v) {
            return ControlFlow::Continue(v.iter().all(|x| SAFE.contains(x)).then_some(v));
        }
    }
    ControlFlow::Continue(None)
}

/// Power steps that bring vectors near those of the best margin; of random networks the largest eigenvalue stands well
/// apart, so that few suffice.
const POWER_STEPS: usize = 8;

/// A positive vector nearer than `v` to the Perron vector of `R M`, which makes the least `-(M v)_i rho_i / v_i` largest.
pub(super) fn towards_perron(a: &impl Rows, diagonal: &Array1<f64>, rho: &Array1<f64>, v: &Array1<f64>) -> Array1<f64> {
    let least = diagonal.iter().zip(rho).fold(0.0, |m: f64, (d, rho)| m.max(-d * rho));
    let mut v = v.clone();
    for _ in 0..POWER_STEPS {
        let inputs = Array1::from_shape_fn(v.len(), |i| {
            let mut sum = 0.0;
            a.off_diagonal(i, |j, x| sum += x.abs() * v[j]);
            rho[i] * sum
        });
        // Nonnegative, and with all eigenvalues well to the right of minus the first, as rings need it.
        let shift = least + 0.5 * inputs.sum() / v.sum();
        let own = Zip::from(diagonal).and(rho).map_collect(|d, rho| shift + d * rho);
        v = inputs + own * v;
        v /= v.fold(0.0, |m: f64, &x| m.max(x));
    }
    v
}

/// Whether `M v < 0` with a little to spare.
fn is_negative(a: &impl Rows, diagonal: &Array1<f64>, v: &Array1<f64>) -> bool {
    (0..a.size()).all(|i| {
        let mut sum = 0.0;
        a.off_diagonal(i, |j, x| sum += x.abs() * v[j]);
        sum < -diagonal[i] * v[i] * (1.0 - 1e-12)
    })
}

/// Sweeps after which a positive vector is given up.
pub(super) const SWEEPS: usize = 5000;

/// [`proved_margin`] for the weights `d`, with a vector found for the purpose.
pub(super) fn margin_of_weights(
    a: &impl Rows,
    transposed: &impl Rows,
    diagonal: &Array1<f64>,
    rho: &Array1<f64>,
    d: &Array1<f64>,
) -> Option<f64> {
    let v = negative_vector(a, diagonal, SWEEPS)?;
    let refined = towards_perron(a, diagonal, rho, &v);
    let margins = [refined, v].into_iter().filter_map(|v| proved_margin(a, transposed, diagonal, rho, d, &v));
    margins.max_by(f64::total_cmp)
}

/// A proved lower bound on the margin of `A` for the weights `d`: the largest `m`, to rounding, for which row by row
/// `(-(DA + A'D) - 2 m D R^-1) v > 0` at the worst signs. `None` where nothing can be proved.
///
/// `transposed` holds the rows of `A'`, `R = diag(rho)`; `diagonal` bounds the diagonal of `A` from above.
pub(super) fn proved_margin(
    a: &impl Rows,
    transposed: &impl Rows,
    diagonal: &Array1<f64>,
    rho: &Array1<f64>,
    d: &Array1<f64>,
    v: &Array1<f64>,
) -> Option<f64> {
    if !v.iter().chain(d).all(|x| SAFE.contains(x)) || !diagonal.iter().all(|&x| SAFE.contains(&-x)) {
        return None;
    }
    let mut margin = f64::INFINITY;
    let mut in_range = true;
    for i in 0..a.size() {
        let (mut row, mut column, mut terms) = (0.0, 0.0, 0);
        a.off_diagonal(i, |j, x| {
            in_range &= SAFE.contains(&x.abs());
            row += x.abs() * v[j];
            terms += 1;
        });
        transposed.off_diagonal(i, |j, x| {
            in_range &= SAFE.contains(&x.abs());
            column += x.abs() * (d[j] * v[j]);
            terms += 1;
        });
        let weight = d[i] * v[i];
        let coupling = 0.5 * (row / v[i] + column / weight) * (1.0 + rounding(terms));
        margin = margin.min(((-diagonal[i] - coupling) - 8.0 * f64::EPSILON * (coupling - diagonal[i])) * rho[i]);
    }
    (in_range && margin > 0.0 && margin.is_finite()).then_some(margin)
}
