//! Kernels on LAPACK and BLAS through `ndarray-linalg`.

use ndarray::linalg::{general_mat_mul, general_mat_vec_mul};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis, OwnedRepr};
use ndarray_linalg::cholesky::CholeskyFactorized;
use ndarray_linalg::{
    Cholesky, CholeskyInplace, Determinant, EigVals, EigValsh, Eigh, Factorize, InverseC, InverseCInto, LUFactorized,
    Solve, UPLO,
};
use num_complex::Complex;

use super::Backend;

/// Matrices of fewer rows are factorised by one thread, in place.
const ROOM_FROM: usize = 64;
const ROOM: usize = 64 << 20;

/// Calls a function on a thread whose stack is deep enough for OpenBLAS.
///
/// Its LU factorisation on several threads calls itself once for each halving of the matrix, and every call takes about half a
/// megabyte of stack (measured with 0.3.21, built for up to 128 threads). That runs over the end of the 2 MiB which Rust gives
/// its threads, and past their guard page. Memory for the stack is taken only as far as it is used.
fn with_room<T: Send>(work: impl Fn() -> T + Sync) -> T {
    std::thread::scope(|scope| match std::thread::Builder::new().stack_size(ROOM).spawn_scoped(scope, &work) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        Err(_) => work(),
    })
}

macro_rules! backend {
    ($scalar:ty) => {
        impl Backend for $scalar {
            /// `None` when LAPACK reports an exactly zero pivot.
            type Lu = Option<LUFactorized<OwnedRepr<$scalar>>>;

            fn matmul(
                alpha: Self,
                a: ArrayView2<'_, Self>,
                b: ArrayView2<'_, Self>,
                beta: Self,
                mut c: ArrayViewMut2<'_, Self>,
            ) {
                general_mat_mul(alpha, &a, &b, beta, &mut c);
            }

            fn matvec(a: ArrayView2<'_, Self>, x: &[Self], y: &mut [Self]) {
                general_mat_vec_mul(1.0, &a, &ArrayView1::from(x), 0.0, &mut ArrayViewMut1::from(y));
            }

            fn cholesky(a: ArrayView2<'_, Self>) -> Option<Array2<Self>> {
                a.as_standard_layout().cholesky(UPLO::Lower).ok()
            }

            fn cholesky_in_place(mut a: ArrayViewMut2<'_, Self>) -> bool {
                a.cholesky_inplace(UPLO::Upper).is_ok()
            }

            fn cholesky_inverse(u: ArrayView2<'_, Self>, mut inverse: ArrayViewMut2<'_, Self>) {
                let factorized = CholeskyFactorized { factor: u.to_owned(), uplo: UPLO::Upper };
                match factorized.invc_into() {
                    Ok(result) => inverse.assign(&result),
                    Err(_) => inverse.fill(Self::NAN),
                }
            }

            fn matmul_symmetric(a: ArrayView2<'_, Self>, b: ArrayView2<'_, Self>, mut c: ArrayViewMut2<'_, Self>) {
                general_mat_mul(1.0, &a, &b, 1.0, &mut c);
            }

            fn inverse_spd(a: ArrayView2<'_, Self>) -> Option<Array2<Self>> {
                a.as_standard_layout().invc().ok()
            }

            fn eigh(a: ArrayView2<'_, Self>) -> Option<(Array1<Self>, Array2<Self>)> {
                a.as_standard_layout().eigh(UPLO::Lower).ok()
            }

            fn eigvalsh(a: ArrayView2<'_, Self>) -> Option<Array1<Self>> {
                a.as_standard_layout().eigvalsh(UPLO::Lower).ok()
            }

            fn eigvals(a: ArrayView2<'_, Self>) -> Option<Vec<Complex<Self>>> {
                a.as_standard_layout().eigvals().ok().map(|v| v.to_vec())
            }

            fn lu(a: ArrayView2<'_, Self>) -> Self::Lu {
                let factorize = || a.as_standard_layout().factorize().ok();
                if a.nrows() < ROOM_FROM { factorize() } else { with_room(factorize) }
            }

            fn lu_solve(lu: &Self::Lu, b: ArrayView2<'_, Self>, transposed: bool) -> Array2<Self> {
                let mut x = Array2::from_elem(b.dim(), Self::NAN);
                if let Some(lu) = lu {
                    for (mut column, rhs) in x.axis_iter_mut(Axis(1)).zip(b.axis_iter(Axis(1))) {
                        let solved = if transposed { lu.solve_t(&rhs) } else { lu.solve(&rhs) };
                        if let Ok(solved) = solved {
                            column.assign(&solved);
                        }
                    }
                }
                x
            }

            fn lu_reverses(lu: &Self::Lu) -> bool {
                lu.as_ref().and_then(|lu| lu.sln_det().ok()).is_some_and(|(sign, _)| sign < 0.0)
            }
        }
    };
}

backend!(f32);
backend!(f64);
