//! The matrices `W + delta R^-1`, of which every question here is about.

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, Axis, Data, Ix1, Ix2};

use crate::Scalar;
use crate::check::{finite_matrix, positive_vector, square};
use crate::error::Result;

/// `W + delta R^-1` with `R = diag(rho)`: a matrix whose diagonal moves with `delta`.
///
/// A plain matrix has `rho = 1` and the `delta` [`OF_MATRIX`]; the matrix `W - R^-1` of a network has [`OF_SHIFTED`].
#[derive(Debug, Clone)]
pub(super) struct Pencil {
    /// `W`, in standard layout.
    pub(super) w: Array2<f64>,
    pub(super) rho: Array1<f64>,
}

/// The `delta` of the question about a matrix `W` itself.
pub(super) const OF_MATRIX: f64 = 0.0;
/// The `delta` of the question about `W - R^-1`.
pub(super) const OF_SHIFTED: f64 = -1.0;

/// An interval that contains each diagonal entry of `W + delta R^-1`.
#[derive(Debug, Clone)]
pub(super) struct Diagonal {
    pub(super) lower: Array1<f64>,
    pub(super) upper: Array1<f64>,
}

impl Pencil {
    /// Checks and converts a matrix; `argument` is its name in errors.
    pub(super) fn new<A: Scalar, S: Data<Elem = A>>(w: &ArrayBase<S, Ix2>, argument: &str) -> Result<Self> {
        let n = w.nrows();
        square(argument, n, w.ncols())?;
        finite_matrix(argument, w.view())?;
        Ok(Self { w: Array2::from_shape_fn((n, n), |at| w[at].to_double()), rho: Array1::ones(n) })
    }

    /// The same with slopes `rho`, all positive.
    pub(super) fn with_slopes<A: Scalar, S: Data<Elem = A>>(mut self, rho: &ArrayBase<S, Ix1>) -> Result<Self> {
        positive_vector("rho", rho.view(), self.size())?;
        self.rho = rho.mapv(Scalar::to_double);
        Ok(self)
    }

    pub(super) fn size(&self) -> usize {
        self.rho.len()
    }

    pub(super) fn matrix(&self) -> ArrayView2<'_, f64> {
        self.w.view()
    }

    /// Bounds on the diagonal of `W + delta R^-1`: exact where the arithmetic is.
    pub(super) fn diagonal(&self, delta: f64) -> Diagonal {
        Diagonal::new(self.w.diag().iter().copied(), &self.rho, delta)
    }

    /// Bounds on `-w_ii rho_i`, the `delta` at which each diagonal entry is zero.
    pub(super) fn zero_crossings(&self) -> Vec<(f64, f64)> {
        let bounds = |(&w, &rho): (&f64, &f64)| {
            let product = -w * rho;
            let exact = w == 0.0 || ((1e-280..1e280).contains(&product.abs()) && w.mul_add(rho, product) == 0.0);
            if exact { (product, product) } else { (product.next_down(), product.next_up()) }
        };
        self.w.diag().iter().zip(&self.rho).map(bounds).collect()
    }

    /// The principal pencil of the given rows and columns.
    pub(super) fn block(&self, indices: &[usize]) -> Self {
        Self { w: self.w.select(Axis(0), indices).select(Axis(1), indices), rho: self.rho.select(Axis(0), indices) }
    }
}

impl Diagonal {
    /// Bounds on `w_ii + delta / rho_i`.
    pub(super) fn new(w: impl Iterator<Item = f64>, rho: &Array1<f64>, delta: f64) -> Self {
        let (lower, upper): (Vec<f64>, Vec<f64>) = w.zip(rho).map(|(w, &rho)| shifted(w, delta, rho)).unzip();
        Self { lower: lower.into(), upper: upper.into() }
    }

    pub(super) fn block(&self, indices: &[usize]) -> Self {
        Self { lower: self.lower.select(Axis(0), indices), upper: self.upper.select(Axis(0), indices) }
    }

    pub(super) fn upper(&self) -> ArrayView1<'_, f64> {
        self.upper.view()
    }

    pub(super) fn lower(&self) -> ArrayView1<'_, f64> {
        self.lower.view()
    }
}

/// An interval that contains `w + delta / rho`, a single point if the floating-point result is exact.
fn shifted(w: f64, delta: f64, rho: f64) -> (f64, f64) {
    if delta == 0.0 {
        return (w, w);
    }
    let quotient = delta / rho;
    let sum = w + quotient;
    // The remainder delta - quotient rho and the error of the sum are exact in f64 (barring underflow).
    let remainder = quotient.mul_add(-rho, delta);
    let part = sum - w;
    let sum_error = (w - (sum - part)) + (quotient - part);
    let safe = |v: f64| v == 0.0 || (1e-280..1e280).contains(&v.abs());
    if remainder == 0.0 && sum_error == 0.0 && safe(quotient) && safe(w) && safe(rho) && safe(delta) {
        return (sum, sum);
    }
    // Two roundings to nearest, each off by at most half a unit in the last place of its result.
    let slack = f64::EPSILON * (quotient.abs() + sum.abs()) + 1e-290;
    ((sum - slack).next_down(), (sum + slack).next_up())
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_rational::BigRational;

    #[test]
    fn shifted_diagonals_are_enclosed_and_exact_where_f64_is() {
        assert_eq!(shifted(0.5, -1.0, 1.0), (-0.5, -0.5));
        assert_eq!(shifted(3.0, 1.0, 4.0), (3.25, 3.25));
        let exact = |x: f64| BigRational::from_float(x).unwrap();
        for (w, delta, rho) in
            [(0.1, -1.0, 1.0), (1e-30, -1.0, 1.0), (0.3, -1.0, 3.0), (1e17, 0.1, 7.0), (-1.0, 1.0, 1.0)]
        {
            let (low, high) = shifted(w, delta, rho);
            let value = exact(w) + exact(delta) / exact(rho);
            assert!(exact(low) <= value && value <= exact(high), "{w} + {delta}/{rho}");
            assert!(high - low <= 4e-16 * 4.0 * (w.abs() + (delta / rho).abs()), "{w} + {delta}/{rho}: {}", high - low);
        }
    }
}
