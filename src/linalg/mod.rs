//! The only door to a linear-algebra backend: `faer` by default, LAPACK with the feature `lapack`.
//!
//! A backend implements [`Backend`] for `f32` and `f64`; the rest of the crate calls its methods, or the
//! functions below where errors need a name.

pub(crate) mod balance;
pub(crate) mod components;
pub(crate) mod decimal;
#[cfg(not(feature = "lapack"))]
mod faer;
pub(crate) mod half_plane;
#[cfg(feature = "lapack")]
mod lapack;
pub(crate) mod magnitude;
pub(crate) mod operator;
pub(crate) mod perron;
pub(crate) mod riccati;
pub(crate) mod rounding;
pub(crate) mod sparse_cholesky;
pub(crate) mod spectrum;
pub(crate) mod split;
pub(crate) mod verified;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2};
use num_complex::Complex;

pub(crate) use self::spectrum::{eigh, eigvals, eigvalsh};
use crate::Scalar;
use crate::error::{Error, Result};

/// Dense kernels that a backend supplies for one scalar type.
///
/// Matrices come in any memory order. Symmetric arguments are read from one triangle.
pub trait Backend: Sized {
    /// An LU factorisation with pivoting.
    type Lu: Clone + Send + Sync;

    /// `c <- alpha a b + beta c`.
    fn matmul(alpha: Self, a: ArrayView2<'_, Self>, b: ArrayView2<'_, Self>, beta: Self, c: ArrayViewMut2<'_, Self>);
    /// `y <- a x`, with `a` in standard layout.
    fn matvec(a: ArrayView2<'_, Self>, x: &[Self], y: &mut [Self]);
    /// Lower Cholesky factor, or `None` if a pivot is not positive.
    fn cholesky(a: ArrayView2<'_, Self>) -> Option<Array2<Self>>;
    /// Overwrites a symmetric matrix, of which the upper triangle is read, by its upper Cholesky factor `U`
    /// (`A = U'U`); `false` if a pivot is not positive. The matrix is in standard layout; its strict lower
    /// triangle is left unspecified.
    fn cholesky_in_place(a: ArrayViewMut2<'_, Self>) -> bool;
    /// The inverse of `U'U` from the upper triangular `U` into `inverse`, both in standard layout.
    fn cholesky_inverse(u: ArrayView2<'_, Self>, inverse: ArrayViewMut2<'_, Self>);
    /// `c <- c + a b`, of which the caller knows that the result is symmetric; `c` is in standard layout.
    fn matmul_symmetric(a: ArrayView2<'_, Self>, b: ArrayView2<'_, Self>, c: ArrayViewMut2<'_, Self>);
    /// Inverse of a symmetric positive definite matrix, or `None` if a pivot is not positive.
    fn inverse_spd(a: ArrayView2<'_, Self>) -> Option<Array2<Self>>;
    /// Eigenvalues (ascending) and orthonormal eigenvectors (columns) of a symmetric matrix.
    fn eigh(a: ArrayView2<'_, Self>) -> Option<(Array1<Self>, Array2<Self>)>;
    /// Eigenvalues (ascending) of a symmetric matrix.
    fn eigvalsh(a: ArrayView2<'_, Self>) -> Option<Array1<Self>>;
    /// Eigenvalues of a square matrix, in no particular order; `None` if not all were found.
    fn eigvals(a: ArrayView2<'_, Self>) -> Option<Vec<Complex<Self>>>;
    /// Factorises a square matrix; a singular one is found out at the solve.
    fn lu(a: ArrayView2<'_, Self>) -> Self::Lu;
    /// Solves `A x = b`, or `A' x = b`; may return non-finite numbers if the factor is singular.
    fn lu_solve(lu: &Self::Lu, b: ArrayView2<'_, Self>, transposed: bool) -> Array2<Self>;
    /// Whether the determinant is negative.
    fn lu_reverses(lu: &Self::Lu) -> bool;
}

/// `a b`.
pub(crate) fn product<A: Scalar>(a: ArrayView2<'_, A>, b: ArrayView2<'_, A>) -> Array2<A> {
    let mut c = Array2::zeros((a.nrows(), b.ncols()));
    A::matmul(A::one(), a, b, A::zero(), c.view_mut());
    c
}

/// An LU factorisation of a square matrix; a singular one is found out at the solve.
#[derive(Clone)]
pub(crate) struct Lu<A: Scalar> {
    factor: A::Lu,
    name: &'static str,
}

impl<A: Scalar> Lu<A> {
    /// Factorises `a`; `name` is what the error calls the matrix if it turns out singular.
    pub(crate) fn new(a: ArrayView2<'_, A>, name: &'static str) -> Self {
        Self { factor: A::lu(a), name }
    }

    /// Solves `A X = B`.
    pub(crate) fn solve(&self, b: ArrayView2<'_, A>) -> Result<Array2<A>> {
        self.finite(A::lu_solve(&self.factor, b, false))
    }

    /// Solves `A' X = B`.
    pub(crate) fn solve_transposed(&self, b: ArrayView2<'_, A>) -> Result<Array2<A>> {
        self.finite(A::lu_solve(&self.factor, b, true))
    }

    /// Solves `A x = b`.
    pub(crate) fn solve_vec(&self, b: ArrayView1<'_, A>) -> Result<Array1<A>> {
        Ok(self.solve(b.insert_axis(ndarray::Axis(1)))?.remove_axis(ndarray::Axis(1)))
    }

    /// Whether the matrix reverses orientation: its determinant is negative.
    pub(crate) fn reverses(&self) -> bool {
        A::lu_reverses(&self.factor)
    }

    fn finite(&self, x: Array2<A>) -> Result<Array2<A>> {
        if x.iter().all(|v| v.is_finite()) { Ok(x) } else { Err(Error::Singular { matrix: self.name.into() }) }
    }
}

#[cfg(test)]
mod tests;
