//! Restarted GMRES (Saad & Schultz, SIAM J. Sci. Stat. Comput. 7, 1986) for operators given by their products.

use ndarray::Array1;

use super::operator::no_convergence;
use crate::Scalar;
use crate::error::Result;

const RESTART: usize = 30;

/// How well a linear system is to be solved, and how long to try.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// The residual relative to the right side, no less than `64 epsilon`.
    accuracy: f64,
    /// Each of `RESTART` products.
    restarts: usize,
}

impl Effort {
    /// To working precision, in 3,000 products.
    pub(super) const FULL: Self = Self { accuracy: 0.0, restarts: 100 };
    /// For steps that a nonlinear iteration corrects, in 600 products.
    pub(super) const COARSE: Self = Self { accuracy: 1e-4, restarts: 20 };
}

/// Solves `A y = b`, starting from zero.
///
/// # Errors
/// No convergence within the effort.
pub(super) fn gmres<A: Scalar>(
    product: impl Fn(&Array1<A>) -> Array1<A>,
    b: &Array1<A>,
    effort: Effort,
) -> Result<Array1<A>> {
    let mut y = Array1::zeros(b.len());
    let rounding = 64.0 * A::epsilon().to_double() * norm(b);
    let target = rounding.max(effort.accuracy * norm(b));
    let mut residual = b.clone();
    let mut least = f64::INFINITY;
    for _ in 0..effort.restarts {
        let size = norm(&residual);
        if size <= target || size == 0.0 {
            return Ok(y);
        }
        // Rounding has stopped the progress; the solution is as good as the precision allows.
        if size > 0.9 * least && size <= 1e4 * rounding {
            return Ok(y);
        }
        least = least.min(size);
        y += &cycle(&product, &residual, size, target);
        residual = b - &product(&y);
        if !norm(&residual).is_finite() {
            break;
        }
    }
    Err(no_convergence())
}

/// One cycle: the correction that minimises the residual over a Krylov space of dimension `RESTART`.
fn cycle<A: Scalar>(
    product: &impl Fn(&Array1<A>) -> Array1<A>,
    residual: &Array1<A>,
    size: f64,
    target: f64,
) -> Array1<A> {
    let mut basis = vec![residual / A::of(size)];
    let mut triangle: Vec<Vec<f64>> = Vec::new();
    let mut rotations: Vec<(f64, f64)> = Vec::new();
    let mut rhs = vec![size];
    for k in 0..RESTART {
        let mut next = product(&basis[k]);
        let mut column = vec![0.0; k + 2];
        // Twice is enough (Giraud, Langou & Rozloznik 2005) for a basis that is orthogonal to working precision.
        for _ in 0..2 {
            for (h, v) in column.iter_mut().zip(&basis) {
                let c = v.dot(&next);
                next.scaled_add(-c, v);
                *h += c.to_double();
            }
        }
        let length = norm(&next);
        column[k + 1] = length;
        for (i, &(c, s)) in rotations.iter().enumerate() {
            (column[i], column[i + 1]) = (c * column[i] + s * column[i + 1], c * column[i + 1] - s * column[i]);
        }
        let radius = column[k].hypot(column[k + 1]);
        if radius == 0.0 {
            break;
        }
        let (c, s) = (column[k] / radius, column[k + 1] / radius);
        column.truncate(k + 1);
        column[k] = radius;
        rotations.push((c, s));
        rhs.push(-s * rhs[k]);
        rhs[k] *= c;
        triangle.push(column);
        if rhs[k + 1].abs() <= 0.5 * target || length <= f64::MIN_POSITIVE {
            break;
        }
        basis.push(next / A::of(length));
    }
    let mut coefficients = vec![0.0; triangle.len()];
    for i in (0..triangle.len()).rev() {
        let done: f64 = (i + 1..triangle.len()).map(|j| triangle[j][i] * coefficients[j]).sum();
        coefficients[i] = (rhs[i] - done) / triangle[i][i];
    }
    let mut correction = Array1::zeros(residual.len());
    for (c, v) in coefficients.iter().zip(&basis) {
        correction.scaled_add(A::of(*c), v);
    }
    correction
}

fn norm<A: Scalar>(v: &Array1<A>) -> f64 {
    v.iter().map(|v| v.to_double().powi(2)).sum::<f64>().sqrt()
}
