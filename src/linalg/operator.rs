//! Linear operators that are known by their products only.

use ndarray::{Array2, ArrayBase, ArrayView2, ArrayViewMut2, Axis, Data, Ix2};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sprs::CsMat;

use super::Backend;
use crate::error::{Error, Result};

/// A square real matrix `W` of `n` rows that is given by products with blocks of vectors.
///
/// Convolutions, weights on a graphics card and weights that are distributed over machines are such operators; dense and sparse
/// matrices of `f64` implement it here. Both products must be those of one matrix, up to rounding: `y'(W x) = (W'y)'x`.
///
/// ```
/// use ndarray::{Array2, ArrayView2, ArrayViewMut2, array};
/// use neuronash::stability::diagonal::{LinearOperator, ascend};
///
/// /// A ring in which every neuron inhibits its neighbour.
/// struct Ring(usize);
///
/// impl LinearOperator for Ring {
///     fn size(&self) -> usize {
///         self.0
///     }
///     fn apply(&self, x: ArrayView2<'_, f64>, mut out: ArrayViewMut2<'_, f64>) {
///         for i in 0..self.0 {
///             out.row_mut((i + 1) % self.0).assign(&x.row(i).mapv(|v| -v));
///         }
///     }
///     fn apply_transposed(&self, x: ArrayView2<'_, f64>, mut out: ArrayViewMut2<'_, f64>) {
///         for i in 0..self.0 {
///             out.row_mut(i).assign(&x.row((i + 1) % self.0).mapv(|v| -v));
///         }
///     }
/// }
///
/// // The secant criterion: the largest gain of three neurons is 1 / cos(pi / 3) = 2.
/// let found = ascend(&Ring(3), &array![1.0, 1.0, 1.0], 100)?;
/// assert!((found.gain_estimate() - 2.0).abs() < 1e-6);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub trait LinearOperator: Sync {
    /// The number of rows and columns `n`.
    fn size(&self) -> usize;

    /// Overwrites `out` by `W x`; both have shape `(n, k)`, one vector per column.
    fn apply(&self, x: ArrayView2<'_, f64>, out: ArrayViewMut2<'_, f64>);

    /// Overwrites `out` by `W'x`; both have shape `(n, k)`, one vector per column.
    fn apply_transposed(&self, x: ArrayView2<'_, f64>, out: ArrayViewMut2<'_, f64>);
}

impl<S: Data<Elem = f64> + Sync> LinearOperator for ArrayBase<S, Ix2> {
    fn size(&self) -> usize {
        self.nrows()
    }

    fn apply(&self, x: ArrayView2<'_, f64>, out: ArrayViewMut2<'_, f64>) {
        f64::matmul(1.0, self.view(), x, 0.0, out);
    }

    fn apply_transposed(&self, x: ArrayView2<'_, f64>, out: ArrayViewMut2<'_, f64>) {
        f64::matmul(1.0, self.t(), x, 0.0, out);
    }
}

impl LinearOperator for CsMat<f64> {
    fn size(&self) -> usize {
        self.rows()
    }

    fn apply(&self, x: ArrayView2<'_, f64>, out: ArrayViewMut2<'_, f64>) {
        if self.is_csr() { gather(self, x, out) } else { scatter(self, x, out) }
    }

    fn apply_transposed(&self, x: ArrayView2<'_, f64>, out: ArrayViewMut2<'_, f64>) {
        if self.is_csr() { scatter(self, x, out) } else { gather(self, x, out) }
    }
}

/// Vectors that one pass over the entries multiplies.
const LANES: usize = 8;

/// `out_o = sum_i v_oi x_i` over the entries of each outer dimension `o`.
pub(crate) fn gather(w: &CsMat<f64>, x: ArrayView2<'_, f64>, mut out: ArrayViewMut2<'_, f64>) {
    let x = x.as_standard_layout();
    let width = x.ncols();
    let Some(from) = x.as_slice().filter(|_| width > 0) else { return };
    let row = |o: usize, target: &mut [f64]| {
        let range = w.indptr().outer_inds_sz(o);
        let (inner, values) = (&w.indices()[range.clone()], &w.data()[range]);
        for (chunk, target) in target.chunks_mut(LANES).enumerate() {
            let at = chunk * LANES;
            if target.len() == LANES {
                let mut sum = [0.0; LANES];
                for (&i, &v) in inner.iter().zip(values) {
                    let x = &from[i * width + at..i * width + at + LANES];
                    for (s, x) in sum.iter_mut().zip(x) {
                        *s += v * x;
                    }
                }
                target.copy_from_slice(&sum);
            } else {
                target.fill(0.0);
                for (&i, &v) in inner.iter().zip(values) {
                    for (s, x) in target.iter_mut().zip(&from[i * width + at..]) {
                        *s += v * x;
                    }
                }
            }
        }
    };
    let mut own = Array2::zeros((w.outer_dims(), width));
    each_row(own.as_slice_mut().expect("a new array"), width, w.nnz() * width, row);
    out.assign(&own);
}

/// `out_i = sum_o v_oi x_o`.
fn scatter(w: &CsMat<f64>, x: ArrayView2<'_, f64>, mut out: ArrayViewMut2<'_, f64>) {
    out.fill(0.0);
    for (o, entries) in w.outer_iterator().enumerate() {
        for (i, &v) in entries.iter() {
            out.row_mut(i).scaled_add(v, &x.row(o));
        }
    }
}

/// Calls `f(i, row i)` for the rows of width `width` in `all`, in parallel if the `work` is large.
pub(crate) fn each_row(all: &mut [f64], width: usize, work: usize, f: impl Fn(usize, &mut [f64]) + Sync) {
    #[cfg(feature = "rayon")]
    if work >= 1 << 17 {
        use rayon::prelude::*;
        const ROWS: usize = 64;
        all.par_chunks_mut(ROWS * width).enumerate().for_each(|(chunk, rows)| {
            for (k, row) in rows.chunks_mut(width).enumerate() {
                f(chunk * ROWS + k, row);
            }
        });
        return;
    }
    let _ = work;
    for (i, row) in all.chunks_mut(width).enumerate() {
        f(i, row);
    }
}

/// An error unless the two products of an operator are finite and belong to one matrix, as random vectors see it.
pub(crate) fn check_products(operator: &dyn LinearOperator) -> Result<()> {
    /// Of the lengths of the vectors that are multiplied; sums of 10^6 rounded products stay far below it.
    const TOLERANCE: f64 = 1e-8;
    let n = operator.size();
    if n == 0 {
        return Err(Error::Empty { argument: "operator".into() });
    }
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut draw = || Array2::from_shape_simple_fn((n, 2), || random.random_range(-1.0..1.0));
    let (x, y): (Array2<f64>, Array2<f64>) = (draw(), draw());
    let (mut wx, mut wty) = (Array2::zeros((n, 2)), Array2::zeros((n, 2)));
    operator.apply(x.view(), wx.view_mut());
    operator.apply_transposed(y.view(), wty.view_mut());
    finite_product("W x", &wx)?;
    finite_product("W'x", &wty)?;
    for k in 0..2 {
        let (left, right) = (y.column(k).dot(&wx.column(k)), wty.column(k).dot(&x.column(k)));
        let length = |a: &Array2<f64>| a.index_axis(Axis(1), k).dot(&a.index_axis(Axis(1), k)).sqrt();
        let size = length(&y) * length(&wx) + length(&wty) * length(&x);
        if (left - right).abs() > TOLERANCE * size {
            return Err(Error::invalid(
                "operator",
                format!("one with y'(W x) = {left:e} and (W'y)'x = {right:e}"),
                "products `apply` and `apply_transposed` of one matrix",
            ));
        }
    }
    Ok(())
}

/// An error unless a product of an operator is finite.
pub(crate) fn finite_product(which: &str, product: &Array2<f64>) -> Result<()> {
    match product.indexed_iter().find(|(_, v)| !v.is_finite()) {
        None => Ok(()),
        Some(((i, k), &value)) => {
            Err(Error::NonFinite { argument: format!("operator, product {which}"), index: vec![i, k], value })
        }
    }
}
