//! Scaling a matrix so that its numbers are of one size.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Zip};

use super::spectrum::largest_eigenvalue;
use super::structure::perron;
use super::weights::{Weights, frexp, ldexp};
use crate::linalg::balance::{balancing_exponents, excess, osborne};

/// The matrix `B = 2^-size P diag(rho) A P^-1`, in which the norms of row and column `i` of the off-diagonal part
/// are about equal.
///
/// `A` is diagonally stable iff `B` is. `P` also minimises the Frobenius norm of `sym(P A P^-1)` over all positive
/// diagonal matrices, because the cross terms `a_ij a_ji` do not depend on it: `D = P^2 diag(rho)` is a good first
/// guess of a certificate. (Osborne, "On pre-conditioning of matrices", J. ACM 7, 1960.)
#[derive(Clone)]
pub(super) struct Balanced {
    pub(super) b: Array2<f64>,
    /// `P = diag(p_i 2^(exponent_i))`.
    p: Array1<f64>,
    exponent: Vec<i32>,
    rho: Array1<f64>,
    size: i32,
}

/// Powers of two between the largest entries of a row and its column that Osborne's sweeps make up for.
const NEARLY_BALANCED: f64 = 8.0;
/// Sizes of numbers that can be squared and summed without care.
const MODERATE: std::ops::Range<i32> = -200..200;

impl Balanced {
    /// Balances `diag(rho) A` for the matrix `A` with the off-diagonal part of `a` and the given diagonal.
    pub(super) fn new(a: ArrayView2<'_, f64>, diagonal: ArrayView1<'_, f64>, rho: Array1<f64>) -> Self {
        let n = a.nrows();
        let rows: Vec<(f64, i32)> = rho.iter().map(|&r| frexp(r)).collect();
        let logarithms = |i: usize, visit: &mut dyn FnMut(usize, f64)| {
            for (j, &v) in a.row(i).iter().enumerate().filter(|&(j, &v)| j != i && v != 0.0) {
                let (m, e) = frexp(v);
                visit(j, m.abs().log2() + f64::from(e + rows[i].1));
            }
        };
        let mut moderate = excess(n, &logarithms, &vec![0.0; n]).iter().all(|e| e.abs() <= NEARLY_BALANCED);
        for (row, (_, e)) in a.rows().into_iter().zip(&rows) {
            moderate &= row.iter().all(|&v| v == 0.0 || MODERATE.contains(&(frexp(v).1 + e)));
        }
        let exponent = if moderate { vec![0; n] } else { balancing_exponents(n, logarithms) };

        let mut b = Array2::zeros((n, n));
        let mut top = i32::MIN;
        for i in 0..n {
            for j in 0..n {
                let v = if i == j { diagonal[i] } else { a[[i, j]] };
                if v != 0.0 {
                    top = top.max(frexp(v).1 + rows[i].1 + exponent[i] - exponent[j]);
                }
            }
        }
        let size = if top == i32::MIN { 0 } else { top };
        for ((i, j), b) in b.indexed_iter_mut() {
            let v = if i == j { diagonal[i] } else { a[[i, j]] };
            *b = ldexp(v, rows[i].1 + exponent[i] - exponent[j] - size) * rows[i].0;
        }
        let p = osborne(&b);
        Zip::indexed(&mut b).for_each(|(i, j), v| {
            if i != j {
                *v *= p[i] / p[j];
            }
        });
        // Balancing may have shrunk the numbers a lot.
        let shrunk = b.iter().filter(|&&v| v != 0.0).map(|&v| frexp(v).1).max().unwrap_or(0);
        b.mapv_inplace(|v| ldexp(v, -shrunk));
        Self { b, p, exponent, rho, size: size + shrunk }
    }

    /// The same for `D^(1/2) B D^(-1/2)`: weights `d` for `B` are weights 1 for the result.
    pub(super) fn rescaled(&self, d: &Array1<f64>) -> Self {
        let root = d.mapv(f64::sqrt);
        let mut scaled = self.clone();
        Zip::indexed(&mut scaled.b).for_each(|(i, j), v| {
            if i != j {
                *v *= root[i] / root[j];
            }
        });
        scaled.p *= &root;
        scaled
    }

    /// The same in the metric, between this one and that of the Perron vectors `l`, `v` of the Metzler majorant, whose weights
    /// `(l/v)^power` alone give the largest margin.
    ///
    /// Balancing heeds the large entries only. Where neurons form chains with weak feedback the optimal weights fall by
    /// orders of magnitude along them, and the Perron vectors know that.
    pub(super) fn in_better_metric(self) -> Self {
        let mut majorant = self.b.mapv(f64::abs);
        majorant.diag_mut().assign(&self.b.diag());
        let (right, left) = (perron(majorant.view()), perron(majorant.t()));
        drop(majorant);
        let ratio = left / right;
        let abscissa = |scaled: &Self| largest_eigenvalue((0.5 * (&scaled.b + &scaled.b.t())).view());
        let mut best = (abscissa(&self), self.clone());
        for power in [0.25, 0.5, 0.75, 1.0] {
            let scaled = self.rescaled(&ratio.mapv(|v: f64| v.powf(power)));
            let value = abscissa(&scaled);
            if value < best.0 {
                best = (value, scaled);
            }
        }
        best.1
    }

    /// Weights for `A` from weights `d` for `B`.
    pub(super) fn weights(&self, d: &Array1<f64>) -> Option<Weights> {
        let values = Zip::from(d).and(&self.p).and(&self.rho).map_collect(|d, p, rho| d * p * p * frexp(*rho).0);
        let shift = self.exponent.iter().zip(&self.rho).map(|(&e, &rho)| 2 * e + frexp(rho).1);
        Weights::new(values, shift)
    }

    /// The `delta` for which `B + delta_b I` belongs to `diag(rho) A + delta I`.
    pub(super) fn margin(&self, delta_b: f64) -> f64 {
        ldexp(delta_b, self.size)
    }

    /// Turns a `Y` for `B` into one for `A`.
    pub(super) fn witness(&self, mut y: Array2<f64>) -> Array2<f64> {
        let mut top = i32::MIN;
        for ((mut row, &p), &e) in y.rows_mut().into_iter().zip(&self.p).zip(&self.exponent) {
            row /= p;
            let largest = row.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            if largest > 0.0 {
                top = top.max(frexp(largest).1 - e);
            }
        }
        for (mut row, &e) in y.rows_mut().into_iter().zip(&self.exponent) {
            row.mapv_inplace(|v| ldexp(v, -e - top));
        }
        y
    }
}
