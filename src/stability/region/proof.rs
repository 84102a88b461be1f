//! The proof that an ellipsoid is invariant and contracting, with all rounding errors accounted for.

use ndarray::{Array1, Array2, ArrayView1, s};

use super::sector::{Sector, Slopes, UNDERFLOW};
use crate::Scalar;
use crate::error::Result;
use crate::linalg::product;
use crate::linalg::rounding::{add_up, div_up, gamma, mul_up};
use crate::linalg::verified::proved_positive_definite;
use crate::linalg::{Backend, eigvalsh};
use crate::network::FormKind;

/// What was proved of `{e : e'P e <= 1}`.
pub(super) struct Proved {
    /// Bound on `|f(x^)|_P / c`: how far in the norm of `P` the equilibrium can be from the centre.
    pub(super) offset: f64,
    /// Bounds on `|(e)_i|` for `e'P e <= 1`.
    pub(super) half_widths: Array1<f64>,
    /// Bounds on the deviations of the drives.
    pub(super) drives: Array1<f64>,
}

/// Proves theory 3.12 (b) for `P`, the multipliers `q` and the rate `c`, or finds no proof.
pub(super) fn prove<A: Scalar>(
    sector: &Sector<'_, A>,
    p: &Array2<f64>,
    q: &Array1<f64>,
    c: f64,
) -> Result<Option<Proved>> {
    let Some(norms) = DualNorm::new(p) else { return Ok(None) };
    let offset = div_up(flow_at_centre(sector, p), c);
    // The region must be much larger than what is not known of its centre.
    if offset.is_nan() || offset > 0.125 {
        return Ok(None);
    }
    let observed = sector.observed();
    let reach: Vec<f64> = observed.outer_iter().map(|row| norms.of(row)).collect();
    let core: Vec<f64> =
        (0..sector.len()).map(|i| add_up(sector.drive_error[i], mul_up(2.0 * offset, reach[i]))).collect();
    let drives: Vec<f64> = (0..sector.len()).map(|i| add_up(sector.drive_error[i], reach[i])).collect();
    let Some(slopes) = sector.secants(&core, &drives)? else { return Ok(None) };
    if !contracts(sector, p, q, &slopes, &observed, c) {
        return Ok(None);
    }
    let axes = Array2::<f64>::eye(sector.len());
    let half_widths = axes.outer_iter().map(|axis| norms.of(axis)).collect();
    Ok(Some(Proved { offset, half_widths, drives: drives.into() }))
}

/// A bound from above on `|f(x^)|_P`.
fn flow_at_centre<A: Scalar>(sector: &Sector<'_, A>, p: &Array2<f64>) -> f64 {
    let speeds: Vec<f64> =
        sector.residual.iter().zip(&sector.time_constants).map(|(&r, &tau)| div_up(r, tau)).collect();
    let terms = p.indexed_iter().map(|((i, j), v)| v.abs() * speeds[i] * speeds[j]);
    let square = terms.sum::<f64>() * (1.0 + gamma(2 * p.len() + 32)) + UNDERFLOW;
    square.sqrt().next_up()
}

/// `(w P^{-1} w')^{1/2}`, the largest `w e` with `e'P e <= 1`.
struct DualNorm<'a> {
    p: &'a Array2<f64>,
    inverse: Array2<f64>,
    /// A proved bound from below on the eigenvalues of `P`.
    least: f64,
}

impl<'a> DualNorm<'a> {
    fn new(p: &'a Array2<f64>) -> Option<Self> {
        let least = 0.5 * eigvalsh(p.view()).ok()?.first().copied()?;
        let mut lowered = p.clone();
        lowered.diag_mut().iter_mut().for_each(|v| *v -= least);
        let errors = Array2::from_diag(&p.diag().mapv(|v| 2.0 * f64::EPSILON * v.abs()));
        if !(least > 0.0 && proved_positive_definite(lowered.view(), errors.view())) {
            return None;
        }
        Some(Self { p, inverse: f64::inverse_spd(p.view())?, least })
    }

    /// A bound from above. With `v` near `P^{-1} w'` and `rest = w' - P v`, the square is
    /// `w v + rest'v + rest'P^{-1} rest`.
    fn of(&self, w: ArrayView1<'_, f64>) -> f64 {
        let rounding = gamma(2 * w.len() + 32);
        let v = self.inverse.dot(&w);
        let (w_size, v_size) = (w.mapv(f64::abs), v.mapv(f64::abs));
        let computed = &w - &self.p.dot(&v);
        let rest = computed.mapv(f64::abs) + rounding * (&w_size + &self.p.mapv(f64::abs).dot(&v_size)) + UNDERFLOW;
        let sum = w.dot(&v) + rounding * w_size.dot(&v_size) + rest.dot(&v_size) + rest.dot(&rest) / self.least;
        (sum * (1.0 + 2.0 * rounding) + UNDERFLOW).sqrt().next_up()
    }
}

/// Whether `sym(P T^{-1} (-I + Lambda W)) <= -c P` is proved for all slopes, by the S-procedure:
/// `[[P J + J'P + 2cP + C'NC, P B], [B'P, -Q]] < 0` with `J` at the centre of the slopes and `N >= h Q h`, over the
/// neurons whose slopes vary.
fn contracts<A: Scalar>(
    sector: &Sector<'_, A>,
    p: &Array2<f64>,
    q: &Array1<f64>,
    slopes: &Slopes,
    observed: &Array2<f64>,
    c: f64,
) -> bool {
    let n = sector.len();
    let abs = |m: &Array2<f64>| m.mapv(f64::abs);
    let jacobian = sector.jacobian(&slopes.centre);
    // |J| with the diagonal's two terms apart, which cancel.
    let mut size = sector.jacobian_sizes(&slopes.centre);
    let varying: Vec<usize> = (0..n).filter(|&i| slopes.radius[i] > 0.0).collect();
    let excess: Array1<f64> = (0..n).map(|i| mul_up(mul_up(slopes.radius[i], slopes.radius[i]), q[i])).collect();
    let weighted = observed * &excess.view().insert_axis(ndarray::Axis(1));
    let gained = product(observed.t(), weighted.view());
    let gained_size = product(abs(observed).t(), abs(&weighted).view());
    let moved = product(p.view(), jacobian.view());
    let moved_size = product(abs(p).view(), size.view());
    let entering = sector.entering(p);
    size = abs(&(p / &sector.time_constants.view().insert_axis(ndarray::Axis(0))));
    if sector.form == FormKind::Hopfield {
        size = product(size.view(), abs(&sector.weights).view());
    }
    let m = n + varying.len();
    let mut form = Array2::zeros((m, m));
    let mut errors = Array2::zeros((m, m));
    let rounding = gamma(4 * n + 64);
    for i in 0..n {
        for j in 0..=i {
            let value = -(moved[[i, j]] + moved[[j, i]] + 2.0 * c * p[[i, j]] + gained[[i, j]]);
            let sizes = moved_size[[i, j]] + moved_size[[j, i]] + 2.0 * c * p[[i, j]].abs() + gained_size[[i, j]];
            let error = rounding * sizes + UNDERFLOW;
            (form[[i, j]], form[[j, i]]) = (value, value);
            (errors[[i, j]], errors[[j, i]]) = (error, error);
        }
    }
    for (k, &i) in varying.iter().enumerate() {
        form[[n + k, n + k]] = q[i];
        form.slice_mut(s![..n, n + k]).assign(&-&entering.column(i));
        form.slice_mut(s![n + k, ..n]).assign(&-&entering.column(i));
        let error = size.column(i).mapv(|v| rounding * v + UNDERFLOW);
        errors.slice_mut(s![..n, n + k]).assign(&error);
        errors.slice_mut(s![n + k, ..n]).assign(&error);
    }
    proved_positive_definite(form.view(), errors.view())
}
