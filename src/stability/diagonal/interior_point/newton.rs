//! One Newton system of the interior point: its Schur complement, and the directions that it gives.

use ndarray::{Array1, Array2, ArrayView2, Axis, Zip, stack};

use super::{Goal, InteriorPoint, negated_symmetric_part_into, row_products};
use crate::linalg::{self, Backend, Lu};

/// A Newton direction.
pub(super) struct Direction {
    pub(super) d: Array1<f64>,
    pub(super) t: f64,
    pub(super) theta: f64,
    pub(super) delta: f64,
    pub(super) s: Array1<f64>,
    pub(super) z: Array2<f64>,
    pub(super) x: Array2<f64>,
    /// The diagonal of `B dX`.
    pub(super) bx: Array1<f64>,
}

/// What a direction aims at.
pub(super) struct Aim {
    /// `Z X = target I`, `d_i s_i = target`.
    pub(super) target: f64,
    /// The error in `d_i s_i` above which the direction is refined.
    pub(super) accuracy: f64,
    pub(super) second_order: Option<SecondOrder>,
}

/// The products of an affine direction with itself.
pub(super) struct SecondOrder {
    /// `E = sym(dX_a dZ_a G)`.
    e: Array2<f64>,
    /// `dd_a o ds_a`.
    ds: Array1<f64>,
    /// What `2 ddelta_a dd_a` and `2 ddelta_a (dX_a)_ii` change on the diagonal of `Z` and in `s`.
    z: Array1<f64>,
    s: Array1<f64>,
    /// What `2 dd_a o (dX_a)_ii` changes in `<N, X>`.
    normalisation: f64,
}

impl SecondOrder {
    /// `zg` holds `dZ_a G`.
    pub(super) fn new(goal: Goal, affine: &Direction, zg: &Array2<f64>) -> Self {
        let mut e = Array2::zeros(zg.dim());
        f64::matmul(1.0, affine.x.view(), zg.view(), 0.0, e.view_mut());
        symmetrise(&mut e);
        Self {
            e,
            ds: &affine.d * &affine.s,
            z: -2.0 * affine.delta * &affine.d,
            s: 2.0 * affine.delta * &affine.x.diag(),
            normalisation: if goal == Goal::Margin { 2.0 * affine.d.dot(&affine.x.diag()) } else { 0.0 },
        }
    }

    /// Shrinks all products.
    pub(super) fn damp(&mut self, factor: f64) {
        self.e *= factor;
        self.ds *= factor;
        self.damp_delta(factor);
    }

    /// Shrinks the products that only the unknown `delta` brings in.
    pub(super) fn damp_delta(&mut self, factor: f64) {
        self.z *= factor;
        self.s *= factor;
        self.normalisation *= factor;
    }
}

/// The linear system of one step, factorised.
///
/// With `dX = C - sym(X dZ G)`, `sym(M) = (M + M')/2`, the conditions on `s` become `M dd + ... = r` with the Schur
/// complement `M = P + P' + X o (B_delta G B_delta') + (B_delta X B_delta') o G + diag(s/d)`,
/// `P = (B_delta X) o (B_delta G)'`. Two scalar unknowns border it: `t` or `delta`, and `theta`.
pub(super) struct Newton {
    /// `Z^-1`.
    g: Array2<f64>,
    schur: Lu<f64>,
    /// `M^-1` times the columns of the two scalar unknowns.
    solved: Array2<f64>,
    /// The rows of the changes of `<N, X>` and of `sum d`; the columns are their transpose.
    rows: Array2<f64>,
    corner: [[f64; 2]; 2],
    /// The diagonal of `N`.
    normaliser: Array1<f64>,
    /// `K = (B_delta X) o G + (B_delta G) o X`: what a diagonal change of `Z` does to `2 (B_delta dX)_ii`.
    response: Array2<f64>,
    /// `(X o G) N 1`: what a diagonal change of `Z` does to `-<N, X>`.
    normaliser_response: Array1<f64>,
    bg_diag: Array1<f64>,
}

impl Newton {
    pub(super) fn new(at: &InteriorPoint<'_>, g: Array2<f64>) -> Option<Self> {
        let n = at.d.len();
        let x = &at.x;
        let mut bx = linalg::product(at.b, x.view());
        bx.scaled_add(at.delta, x);
        let mut bg = linalg::product(at.b, g.view());
        bg.scaled_add(at.delta, &g);

        let mut product = Array2::zeros((n, n));
        let mut m = {
            let p = &bx * &bg.t();
            &p + &p.t()
        };
        for (product_with_b, other) in [(&bg, x), (&bx, &g)] {
            // B_delta G B_delta' = (B_delta G) B' + delta B_delta G; then the same with X.
            product.assign(product_with_b);
            product *= at.delta;
            f64::matmul_symmetric(product_with_b.view(), at.b.t(), product.view_mut());
            Zip::from(&mut m).and(other).and(&product).for_each(|m, &o, &p| *m += o * p);
        }
        drop(product);
        Zip::from(m.diag_mut()).and(&at.s).and(&at.d).for_each(|m, s, d| *m += s / d);
        let schur = Lu::new(m.view(), "the Schur complement");
        drop(m);

        let bg_diag = bg.diag().to_owned();
        let mut response = bg;
        Zip::from(&mut response).and(x).and(&bx).and(&g).for_each(|k, &x, &bx, &g| *k = *k * x + bx * g);
        drop(bx);
        let normaliser = at.normaliser();
        let normaliser_response = weighted_row_products(x.view(), g.view(), &normaliser);
        let mut column = response.dot(&normaliser);
        if at.goal == Goal::Margin {
            column += &(2.0 * &x.diag());
        }
        let rows = stack![Axis(0), column, Array1::ones(n)];
        let solved = schur.solve(rows.t()).ok()?;
        let reduction = rows.dot(&solved);
        let own = normaliser_response.dot(&normaliser);
        let corner = [[own - reduction[[0, 0]], -reduction[[0, 1]]], [-reduction[[1, 0]], -reduction[[1, 1]]]];

        Some(Self { g, schur, solved, rows, corner, normaliser, normaliser_response, response, bg_diag })
    }

    /// The direction towards `aim`, refined while rounding errors spoil it. On return `zg` holds `dZ G`.
    pub(super) fn direction(&self, at: &InteriorPoint<'_>, aim: &Aim, zg: &mut Array2<f64>) -> Option<Direction> {
        let n = at.d.len();
        let &Aim { target, accuracy, ref second_order } = aim;
        let none = Array1::zeros(n);
        let e = second_order.as_ref().map(|second| &second.e);
        let (ds, z_second, s_second, normalisation) = match second_order {
            Some(second) => (&second.ds, &second.z, &second.s, -second.normalisation),
            None => (&none, &none, &none, 0.0),
        };
        let (mut z, mut x) = (Array2::zeros((n, n)), Array2::zeros((n, n)));
        // Right-hand sides, from dX = C - sym(X dZ G), C = target G - X - E.
        let mut bc = target * &self.bg_diag - &at.bx - &(at.delta * &at.x.diag());
        let mut c_diag = target * &self.g.diag() - at.x.diag();
        if let Some(e) = e {
            bc -= &(row_products(at.b, e.view()) + at.delta * &e.diag());
            c_diag -= &e.diag();
        }
        let mut rhs = Array1::from_shape_fn(n, |i| (target - ds[i]) / at.d[i] - at.s[i]) - s_second - 2.0 * bc
            + self.response.dot(z_second);
        let mut border = [normalisation + self.normaliser_response.dot(z_second) - self.normaliser.dot(&c_diag), 0.0];

        let (mut d, mut p, mut q) = (Array1::zeros(n), 0.0, 0.0);
        let mut last_error = f64::INFINITY;
        loop {
            // Solve the bordered system.
            let y = self.schur.solve_vec(rhs.view()).ok()?;
            let reduced = self.rows.dot(&y);
            let (dp, dq) = solve_2x2(self.corner, [border[0] - reduced[0], border[1] - reduced[1]])?;
            d = d + y - &(dp * &self.solved.column(0)) - &(dq * &self.solved.column(1));
            (p, q) = (p + dp, q + dq);
            let (t, theta, delta) = match at.goal {
                Goal::Sign => (p, q, 0.0),
                Goal::Margin => (0.0, q, p),
            };

            // Recover dZ, dX and ds.
            negated_symmetric_part_into(at.b, &d, &mut z);
            let diagonal = -2.0 * (at.delta * &d + delta * &at.d) - t + z_second;
            Zip::from(z.diag_mut()).and(&diagonal).for_each(|z, v| *z += v);
            f64::matmul(1.0, z.view(), self.g.view(), 0.0, zg.view_mut());
            f64::matmul(1.0, at.x.view(), zg.view(), 0.0, x.view_mut());
            symmetrise(&mut x);
            Zip::from(&mut x).and(&self.g).and(&at.x).for_each(|v, &g, &x| *v = target * g - x - *v);
            if let Some(e) = e {
                x -= e;
            }
            let bx = row_products(at.b, x.view());
            let s = 2.0 * &bx + 2.0 * (at.delta * &x.diag() + delta * &at.x.diag()) + theta + s_second;

            // Refine: near the optimum the Schur complement is so ill-conditioned that s would leave the cone.
            rhs = Array1::from_shape_fn(n, |i| (target - ds[i] - at.s[i] * d[i]) / at.d[i] - at.s[i] - s[i]);
            let moved = match at.goal {
                Goal::Sign => 0.0,
                Goal::Margin => 2.0 * d.dot(&at.x.diag()),
            };
            border = [normalisation - self.normaliser.dot(&x.diag()) - moved, -d.sum()];
            let products = rhs.iter().zip(&at.d).map(|(r, d)| (r * d).abs());
            let error = products.fold(0.0, |m: f64, v| if v > m || v.is_nan() { v } else { m });
            let improved = error < 0.5 * last_error;
            if error <= accuracy || !improved {
                return Some(Direction { d, t, theta, delta, s, z, x, bx });
            }
            last_error = error;
        }
    }
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

/// `sum_j a_ij b_ij w_j` for each `i`.
fn weighted_row_products(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>, w: &Array1<f64>) -> Array1<f64> {
    Zip::from(a.rows()).and(b.rows()).map_collect(|x, y| x.iter().zip(y).zip(w).map(|((x, y), w)| x * y * w).sum())
}

fn solve_2x2(m: [[f64; 2]; 2], r: [f64; 2]) -> Option<(f64, f64)> {
    let determinant = m[0][0] * m[1][1] - m[0][1] * m[1][0];
    let p = (r[0] * m[1][1] - m[0][1] * r[1]) / determinant;
    let q = (m[0][0] * r[1] - m[1][0] * r[0]) / determinant;
    (p.is_finite() && q.is_finite()).then_some((p, q))
}
