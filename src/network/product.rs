//! Products by the synaptic matrix.
//!
//! Sparse rows are summed one by one, and columns in blocks of rows that do not change, whatever the number of threads.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, ArrayViewMut1, Axis, CowArray, Data, Ix1, Ix2, Zip};
use sprs::CsMat;

use super::weights::ROW_MAJOR;
use super::{Weights, WeightsView};
use crate::Scalar;
use crate::check::length;
use crate::error::{Error, Result};
use crate::linalg::Backend;
use crate::linalg::rounding::mul_up;

impl<A: Scalar> Weights<A> {
    /// `W x` for a vector of shape `[n]`.
    ///
    /// # Errors
    /// A vector of the wrong length.
    pub fn product<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        length("x", x.len(), self.len())?;
        Ok(self.dot(x.view()))
    }

    /// `W' x` for a vector of shape `[n]`.
    ///
    /// # Errors
    /// A vector of the wrong length.
    pub fn transposed_product<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        length("x", x.len(), self.len())?;
        Ok(self.dot_transposed(x.view()))
    }

    /// `W X` for one state per column, shape `[n, m]`.
    ///
    /// # Errors
    /// A matrix with other than `n` rows.
    pub fn matrix_product<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<A>> {
        if x.nrows() != self.len() {
            return Err(Error::shape("x", format!("[{}, any]", self.len()), x.shape()));
        }
        Ok(self.dot_matrix(x.view()))
    }

    /// `W x`, lengths unchecked.
    pub(crate) fn dot(&self, x: ArrayView1<'_, A>) -> Array1<A> {
        let mut out = Array1::zeros(self.len());
        self.dot_into(x, out.view_mut());
        out
    }

    /// Writes `W x` into `out`, lengths unchecked.
    pub(crate) fn dot_into(&self, x: ArrayView1<'_, A>, mut out: ArrayViewMut1<'_, A>) {
        let x = CowArray::from(x);
        let x = x.as_standard_layout();
        let x = slice(&x);
        match out.as_slice_mut() {
            Some(target) => self.dot_slices(x, target),
            None => {
                let mut buffer = vec![A::zero(); self.len()];
                self.dot_slices(x, &mut buffer);
                out.assign(&ArrayView1::from(&buffer));
            }
        }
    }

    fn dot_slices(&self, x: &[A], out: &mut [A]) {
        match self.view() {
            WeightsView::Dense(w) => {
                // Below, the call costs more than the product.
                const VECTORISED_FROM: usize = 16;
                if x.len() >= VECTORISED_FROM {
                    return A::matvec(w, x, out);
                }
                for (target, row) in out.iter_mut().zip(w.rows()) {
                    *target = row.iter().zip(x).map(|(&w, &x)| w * x).sum();
                }
            }
            WeightsView::Sparse(w) => by_rows(out, self.stored(), |i| {
                let (columns, values) = sparse_row(w, i);
                columns.iter().zip(values).map(|(&j, &v)| v * x[j]).sum()
            }),
        }
    }

    /// `W' x`, lengths unchecked.
    pub(crate) fn dot_transposed(&self, x: ArrayView1<'_, A>) -> Array1<A> {
        let mut out = Array1::zeros(self.len());
        match self.view() {
            WeightsView::Dense(w) => {
                let (n, all) = (w.ncols(), w.to_slice().expect(ROW_MAJOR));
                let x = CowArray::from(x);
                let x = x.as_standard_layout();
                let x = slice(&x);
                for part in by_blocks(x.len(), self.stored(), |rows| combine(&all[rows.start * n..], &x[rows], n)) {
                    out += &ArrayView1::from(&part);
                }
            }
            WeightsView::Sparse(w) => {
                for (i, &xi) in x.iter().enumerate() {
                    let (columns, values) = sparse_row(w, i);
                    for (&j, &v) in columns.iter().zip(values) {
                        out[j] += v * xi;
                    }
                }
            }
        }
        out
    }

    /// `W X` for one state per column, shapes unchecked.
    pub(crate) fn dot_matrix(&self, x: ArrayView2<'_, A>) -> Array2<A> {
        match self.view() {
            WeightsView::Dense(w) => crate::linalg::product(w, x),
            WeightsView::Sparse(w) => {
                let x = x.as_standard_layout();
                let mut out = Array2::zeros(x.dim());
                for (i, mut target) in out.axis_iter_mut(Axis(0)).enumerate() {
                    let (columns, values) = sparse_row(w, i);
                    for (&j, &v) in columns.iter().zip(values) {
                        target.scaled_add(v, &x.row(j));
                    }
                }
                out
            }
        }
    }
}

/// Dense weights in single precision, for products that are corrected later or bounded from above: half the memory to read.
#[derive(Debug)]
pub(crate) struct RoundedWeights {
    entries: Array2<f32>,
    /// Of the magnitudes of `entries`.
    largest: f32,
}

/// Matrices of fewer rows fit into the caches, and a copy does not pay.
const ROUND_FROM: usize = 500;

/// Largest weights between these bounds leave room for sums of products in the range of `f32`, on either side.
const ROUNDABLE: std::ops::RangeInclusive<f32> = 1e-24..=1e24;

impl RoundedWeights {
    /// `None` for sparse weights, whose products read more than the weights; for weights that are few or in single precision;
    /// and for those that are out of the range of `f32`.
    pub(super) fn of<A: Scalar>(weights: &Weights<A>) -> Option<Self> {
        let WeightsView::Dense(w) = weights.view() else { return None };
        if w.nrows() < ROUND_FROM || A::epsilon().to_double() >= f64::from(f32::EPSILON) {
            return None;
        }
        let mut entries = Array2::zeros(w.dim());
        let mut largest = Array1::zeros(w.nrows());
        let rows = Zip::from(&mut largest).and(entries.rows_mut()).and(w.rows());
        let round = |largest: &mut f32, copy: ArrayViewMut1<'_, f32>, row: ArrayView1<'_, A>| {
            *largest = round_row(row, copy);
        };
        #[cfg(feature = "rayon")]
        rows.par_for_each(round);
        #[cfg(not(feature = "rayon"))]
        rows.for_each(round);
        let largest = largest.into_iter().fold(0.0, f32::max);
        ROUNDABLE.contains(&largest).then_some(Self { entries, largest })
    }

    /// `W v` for the vector `v` of length `n`; its entries are brought to size 1 before they are rounded.
    pub(crate) fn dot<A: Scalar>(&self, v: &Array1<A>) -> Array1<A> {
        let size = v.iter().fold(0.0, |m: f64, v| m.max(v.to_double().abs()));
        if !(size > 0.0 && size.is_finite()) {
            return Array1::zeros(v.len());
        }
        let unit: Vec<f32> = v.iter().map(|v| (v.to_double() / size) as f32).collect();
        let mut product = vec![0.0; v.len()];
        f32::matvec(self.entries.view(), &unit, &mut product);
        product.into_iter().map(|p| A::of(size * f64::from(p))).collect()
    }

    /// `|W| m` from above, and within a thousandth of it for fewer than 10^4 neurons, for a vector `m >= 0` of length `n`.
    pub(crate) fn magnitudes(&self, m: &[f64]) -> Vec<f64> {
        let size = m.iter().copied().fold(0.0, f64::max);
        if size == 0.0 {
            return vec![0.0; m.len()];
        }
        let unit: Vec<f32> = m.iter().map(|v| (v / size) as f32).collect();
        let n = m.len() as f64;
        // Of entries, of `unit`, of products and of sums, in any order, with twice the unit roundoff; and what underflows, where
        // that of `unit` meets a weight.
        let roundings = (n + 8.0) * f64::from(f32::EPSILON);
        let lost = f64::from(f32::MIN_POSITIVE * f32::EPSILON) * f64::from(self.largest);
        let (outward, underflow) = ((1.0 - roundings).recip(), n * (8.0 * f64::from(f32::MIN_POSITIVE) + lost));
        let mut product = vec![0.0; m.len()];
        by_rows(&mut product, self.entries.len(), |i| {
            let row = self.entries.row(i);
            let sum = absolute_inner(row.to_slice().expect(ROW_MAJOR), &unit);
            mul_up(f64::from(sum) * outward + underflow, size)
        });
        product
    }
}

/// The entries of a vector in standard order.
fn slice<'a, A: Scalar>(x: &'a CowArray<'_, A, Ix1>) -> &'a [A] {
    x.as_slice().expect("a vector in standard order is a slice")
}

/// Rounds a row into `copy`; returns its largest magnitude, infinite if one is out of range.
fn round_row<A: Scalar>(row: ArrayView1<'_, A>, mut copy: ArrayViewMut1<'_, f32>) -> f32 {
    copy.zip_mut_with(&row, |copy, w| *copy = w.to_double() as f32);
    copy.iter().fold(0.0, |largest, w| largest.max(w.abs()))
}

fn sparse_row<A>(w: &CsMat<A>, i: usize) -> (&[usize], &[A]) {
    let range = w.indptr().outer_inds_sz(i);
    (&w.indices()[range.clone()], &w.data()[range])
}

/// Below this many stored entries, starting threads costs more than they save.
#[cfg(feature = "rayon")]
const PARALLEL_FROM: usize = 1 << 16;

/// Rows that a thread takes at once.
#[cfg(feature = "rayon")]
const ROWS: usize = 32;

/// Fills `out[i] = f(i)`.
fn by_rows<A: Scalar>(out: &mut [A], stored: usize, f: impl Fn(usize) -> A + Sync) {
    #[cfg(feature = "rayon")]
    if stored >= PARALLEL_FROM {
        use rayon::prelude::*;
        out.par_chunks_mut(ROWS).enumerate().for_each(|(chunk, targets)| {
            for (k, target) in targets.iter_mut().enumerate() {
                *target = f(chunk * ROWS + k);
            }
        });
        return;
    }
    let _ = stored;
    for (i, target) in out.iter_mut().enumerate() {
        *target = f(i);
    }
}

/// `f` of blocks of neighbouring rows; the blocks depend on the number of rows only.
fn by_blocks<A: Scalar>(rows: usize, stored: usize, f: impl Fn(Range<usize>) -> Vec<A> + Sync) -> Vec<Vec<A>> {
    #[cfg(feature = "rayon")]
    if stored >= PARALLEL_FROM {
        use rayon::prelude::*;
        const BLOCKS: usize = 16;
        let size = rows.div_ceil(BLOCKS);
        return (0..rows.div_ceil(size)).into_par_iter().map(|k| f(k * size..rows.min((k + 1) * size))).collect();
    }
    let _ = stored;
    vec![f(0..rows)]
}

/// The sum of the rows of length `n` in `all`, weighted by `x`; four rows at a time, so that the sum is read and written
/// less often.
fn combine<A: Scalar>(all: &[A], x: &[A], n: usize) -> Vec<A> {
    let mut sum = vec![A::zero(); n];
    for (k, weights) in x.chunks(4).enumerate() {
        let row = |r: usize| &all[(4 * k + r) * n..(4 * k + r + 1) * n];
        if let &[p, q, r, s] = weights {
            let (a, b, c, d) = (row(0), row(1), row(2), row(3));
            for (j, target) in sum.iter_mut().enumerate() {
                *target += (p * a[j] + q * b[j]) + (r * c[j] + s * d[j]);
            }
        } else {
            for (r, &weight) in weights.iter().enumerate() {
                for (target, &v) in sum.iter_mut().zip(row(r)) {
                    *target += weight * v;
                }
            }
        }
    }
    sum
}

/// `sum |a_k| b_k` of two slices of the same length, summed in `LANES` interleaved parts so that it vectorises.
fn absolute_inner(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0; LANES];
    let (a_parts, b_parts) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f32 = a_parts.remainder().iter().zip(b_parts.remainder()).map(|(p, q)| p.abs() * q).sum();
    for (p, q) in a_parts.zip(b_parts) {
        for k in 0..LANES {
            sums[k] += p[k].abs() * q[k];
        }
    }
    sums.into_iter().sum::<f32>() + tail
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn magnitudes_are_bounds_from_above_and_tight() {
        let n = ROUND_FROM + 3;
        let mut random = ChaCha8Rng::seed_from_u64(1);
        // Entries over many orders of magnitude, and some that underflow in single precision.
        let mut entry = || random.random_range(-1.0..1.0) * 10f64.powi(random.random_range(-60..3));
        let w = Weights::dense(&Array2::from_shape_simple_fn((n, n), &mut entry)).unwrap();
        for size in [1.0, 1e-300, 1e200] {
            let m: Vec<f64> = (0..n).map(|_| size * entry().abs()).collect();
            let WeightsView::Dense(dense) = w.view() else { unreachable!() };
            let exact = dense.mapv(f64::abs).dot(&Array1::from(m.clone()));
            for (found, exact) in w.rounded().unwrap().magnitudes(&m).into_iter().zip(exact) {
                assert!(found >= exact && found <= 1.001 * exact, "{found:e} for {exact:e}");
            }
        }
        assert_eq!(w.rounded().unwrap().magnitudes(&vec![0.0; n]), vec![0.0; n]);
    }

    #[test]
    fn magnitudes_count_what_underflows_before_it_meets_a_large_weight() {
        let n = ROUND_FROM;
        let mut w = Array2::zeros((n, n));
        (w[[3, 1]], w[[0, 0]]) = (1e24, 1.0);
        let w = Weights::dense(&w).unwrap();
        // Next to 1, the second entry is lost in single precision.
        for lost in [1e-46, 1e-40, 1e-60] {
            let m: Vec<f64> = (0..n).map(|i| if i == 1 { lost } else { 1.0 }).collect();
            let found = w.rounded().unwrap().magnitudes(&m);
            assert!(found[3] >= 1e24 * lost && found[3] <= 1e24 * lost + 1e-18, "{:e}", found[3]);
            assert!(found[0] >= 1.0 && found[0] <= 1.0 + 1e-3);
        }
    }
}
