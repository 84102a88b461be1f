//! Kernels on `faer`.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::cholesky::llt::factor::{self, LltParams, LltRegularization};
use faer::linalg::evd::{self, ComputeEigenvectors, EvdParams};
use faer::linalg::lu::partial_pivoting::{factor as lu_factor, solve as lu_solve};
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::solvers::{DenseSolveCore, Llt};
use faer::perm::Perm;
use faer::{Accum, Mat, MatMut, MatRef, Par, Side, Spec};
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2};
use num_complex::Complex;

use super::Backend;

/// A matrix seen by faer: borrowed where the memory order allows, copied otherwise.
enum Seen<'a, A> {
    Borrowed(MatRef<'a, A>),
    Copied(Mat<A>),
}

impl<A: Copy> Seen<'_, A> {
    fn get(&self) -> MatRef<'_, A> {
        match self {
            Seen::Borrowed(m) => *m,
            Seen::Copied(m) => m.as_ref(),
        }
    }
}

/// An LU factorisation with both factors in one matrix, half of the memory of faer's own.
#[derive(Clone)]
pub struct PackedLu<A> {
    factors: Mat<A>,
    rows: Perm<usize>,
}

fn see<'a, A: Copy>(a: &'a ArrayView2<'_, A>) -> Seen<'a, A> {
    let (rows, cols) = a.dim();
    if let Some(slice) = a.as_slice() {
        return Seen::Borrowed(MatRef::from_row_major_slice(slice, rows, cols));
    }
    if a.t().is_standard_layout()
        && let Some(slice) = a.as_slice_memory_order()
    {
        return Seen::Borrowed(MatRef::from_column_major_slice(slice, rows, cols));
    }
    Seen::Copied(Mat::from_fn(rows, cols, |i, j| a[[i, j]]))
}

fn to_ndarray<A: Copy>(m: MatRef<'_, A>) -> Array2<A> {
    Array2::from_shape_fn((m.nrows(), m.ncols()), |(i, j)| m[(i, j)])
}

/// Copies the strict upper triangle into the lower one.
fn mirror_upper<A: Copy>(mut a: ArrayViewMut2<'_, A>) {
    const TILE: usize = 64;
    let n = a.nrows();
    for rows in (0..n).step_by(TILE) {
        for columns in (0..=rows).step_by(TILE) {
            for i in rows..n.min(rows + TILE) {
                for j in columns..i.min(columns + TILE) {
                    a[[i, j]] = a[[j, i]];
                }
            }
        }
    }
}

/// Products of a vector by matrices of fewer entries do not pay for threads.
const ONE_THREAD_BELOW: usize = 1 << 17;

macro_rules! backend {
    ($scalar:ty) => {
        impl Backend for $scalar {
            type Lu = PackedLu<$scalar>;

            fn matmul(
                alpha: Self,
                a: ArrayView2<'_, Self>,
                b: ArrayView2<'_, Self>,
                beta: Self,
                mut c: ArrayViewMut2<'_, Self>,
            ) {
                let (rows, cols) = c.dim();
                if beta == 0.0 {
                    c.fill(0.0);
                } else if beta != 1.0 {
                    c.mapv_inplace(|v| beta * v);
                }
                let (a, b) = (see(&a), see(&b));
                let par = faer::get_global_parallelism();
                let run = |target: MatMut<'_, $scalar>| {
                    faer::linalg::matmul::matmul(target, Accum::Add, a.get(), b.get(), alpha, par);
                };
                if let Some(slice) = c.as_slice_mut() {
                    run(MatMut::from_row_major_slice_mut(slice, rows, cols));
                } else {
                    let mut copy = c.as_standard_layout().into_owned();
                    let slice = copy.as_slice_mut().expect("a copy in standard layout");
                    run(MatMut::from_row_major_slice_mut(slice, rows, cols));
                    c.assign(&copy);
                }
            }

            fn matvec(a: ArrayView2<'_, Self>, x: &[Self], y: &mut [Self]) {
                let (rows, cols) = a.dim();
                let par = if a.len() < ONE_THREAD_BELOW { Par::Seq } else { faer::get_global_parallelism() };
                let a = MatRef::from_row_major_slice(a.to_slice().expect("a matrix in standard layout"), rows, cols);
                let x = MatRef::from_column_major_slice(x, cols, 1);
                let y = MatMut::from_column_major_slice_mut(y, rows, 1);
                faer::linalg::matmul::matmul(y, Accum::Replace, a, x, 1.0, par);
            }

            fn cholesky(a: ArrayView2<'_, Self>) -> Option<Array2<Self>> {
                let llt = Llt::new(see(&a).get(), Side::Lower).ok()?;
                Some(to_ndarray(llt.L()))
            }

            fn cholesky_in_place(mut a: ArrayViewMut2<'_, Self>) -> bool {
                let n = a.nrows();
                // A row-major upper triangle is a column-major lower one, which is what faer factorises.
                let slice = a.as_slice_mut().expect("a matrix in standard layout");
                let par = faer::get_global_parallelism();
                let params = Spec::<LltParams, $scalar>::default();
                let mut memory = MemBuffer::new(factor::cholesky_in_place_scratch::<$scalar>(n, par, params));
                factor::cholesky_in_place(
                    MatMut::from_column_major_slice_mut(slice, n, n),
                    LltRegularization::default(),
                    par,
                    MemStack::new(&mut memory),
                    params,
                )
                .is_ok()
            }

            fn cholesky_inverse(u: ArrayView2<'_, Self>, mut inverse: ArrayViewMut2<'_, Self>) {
                let n = u.nrows();
                let factor = u.as_slice().expect("a factor in standard layout");
                let slice = inverse.as_slice_mut().expect("a matrix in standard layout");
                let par = faer::get_global_parallelism();
                let mut memory = MemBuffer::new(llt::inverse::inverse_scratch::<$scalar>(n, par));
                llt::inverse::inverse(
                    MatMut::from_column_major_slice_mut(slice, n, n),
                    MatRef::from_column_major_slice(factor, n, n),
                    par,
                    MemStack::new(&mut memory),
                );
                mirror_upper(inverse);
            }

            fn matmul_symmetric(a: ArrayView2<'_, Self>, b: ArrayView2<'_, Self>, mut c: ArrayViewMut2<'_, Self>) {
                let n = c.nrows();
                let (left, right) = (see(&a), see(&b));
                let slice = c.as_slice_mut().expect("a matrix in standard layout");
                triangular::matmul(
                    MatMut::from_row_major_slice_mut(slice, n, n),
                    BlockStructure::TriangularUpper,
                    Accum::Add,
                    left.get(),
                    BlockStructure::Rectangular,
                    right.get(),
                    BlockStructure::Rectangular,
                    1.0,
                    faer::get_global_parallelism(),
                );
                mirror_upper(c);
            }

            fn inverse_spd(a: ArrayView2<'_, Self>) -> Option<Array2<Self>> {
                let llt = Llt::new(see(&a).get(), Side::Lower).ok()?;
                Some(to_ndarray(llt.inverse().as_ref()))
            }

            fn eigh(a: ArrayView2<'_, Self>) -> Option<(Array1<Self>, Array2<Self>)> {
                let evd = see(&a).get().self_adjoint_eigen(Side::Lower).ok()?;
                let values = evd.S().column_vector().iter().copied().collect();
                Some((values, to_ndarray(evd.U())))
            }

            fn eigvalsh(a: ArrayView2<'_, Self>) -> Option<Array1<Self>> {
                Some(Array1::from_vec(see(&a).get().self_adjoint_eigenvalues(Side::Lower).ok()?))
            }

            fn eigvals(a: ArrayView2<'_, Self>) -> Option<Vec<Complex<Self>>> {
                let n = a.nrows();
                // `evd_real` does not say when it ends early: what it has not found stays as it is.
                let (mut re, mut im) = (Diag::<$scalar>::zeros(n), Diag::<$scalar>::zeros(n));
                re.column_vector_mut().fill(<$scalar>::NAN);
                let par = faer::get_global_parallelism();
                let (params, none) = (Spec::<EvdParams, $scalar>::default(), ComputeEigenvectors::No);
                let mut memory = MemBuffer::new(evd::evd_scratch::<$scalar>(n, none, none, par, params));
                let stack = MemStack::new(&mut memory);
                evd::evd_real(see(&a).get(), re.as_mut(), im.as_mut(), None, None, par, stack, params).ok()?;
                let parts = re.column_vector().iter().zip(im.column_vector().iter());
                let values: Vec<_> = parts.map(|(&re, &im)| Complex::new(re, im)).collect();
                values.iter().all(|v| !v.re.is_nan()).then_some(values)
            }

            fn lu(a: ArrayView2<'_, Self>) -> Self::Lu {
                let n = a.nrows();
                let mut factors = see(&a).get().to_owned();
                let (mut forward, mut backward) = (vec![0; n], vec![0; n]);
                let par = faer::get_global_parallelism();
                let params = Default::default();
                let mut memory = MemBuffer::new(lu_factor::lu_in_place_scratch::<usize, $scalar>(n, n, par, params));
                let stack = MemStack::new(&mut memory);
                lu_factor::lu_in_place(factors.as_mut(), &mut forward, &mut backward, par, stack, params);
                let rows = Perm::new_checked(forward.into(), backward.into(), n);
                PackedLu { factors, rows }
            }

            fn lu_solve(lu: &Self::Lu, b: ArrayView2<'_, Self>, transposed: bool) -> Array2<Self> {
                let mut x = see(&b).get().to_owned();
                let (factors, rows) = (lu.factors.as_ref(), lu.rows.as_ref());
                let par = faer::get_global_parallelism();
                let mut memory =
                    MemBuffer::new(lu_solve::solve_in_place_scratch::<usize, $scalar>(factors.nrows(), x.ncols(), par));
                let stack = MemStack::new(&mut memory);
                if transposed {
                    lu_solve::solve_transpose_in_place(factors, factors, rows, x.as_mut(), par, stack);
                } else {
                    lu_solve::solve_in_place(factors, factors, rows, x.as_mut(), par, stack);
                }
                to_ndarray(x.as_ref())
            }

            fn lu_reverses(lu: &Self::Lu) -> bool {
                let negative = (0..lu.factors.nrows()).filter(|&i| lu.factors[(i, i)] < 0.0).count();
                (negative % 2 == 1) != is_odd(lu.rows.as_ref().arrays().0)
            }
        }
    };
}

/// Whether a permutation is a product of an odd number of exchanges: a cycle of length `k` is one of `k - 1`.
fn is_odd(permutation: &[usize]) -> bool {
    let mut seen = vec![false; permutation.len()];
    let mut odd = false;
    for first in 0..permutation.len() {
        let mut at = first;
        while !std::mem::replace(&mut seen[at], true) {
            at = permutation[at];
            odd ^= at != first;
        }
    }
    odd
}

backend!(f32);
backend!(f64);
