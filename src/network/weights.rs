//! Synaptic weights, dense or sparse.

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, ArrayViewMut1, Axis, Data, Ix2};
use sprs::CsMat;

use crate::Scalar;
use crate::error::{Error, Result};

/// A square matrix of finite synaptic weights; entry `[i, j]` is the weight onto neuron `i` from neuron `j`.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights<A> {
    storage: Storage<A>,
}

/// How the weights are stored.
#[derive(Debug, Clone, PartialEq)]
enum Storage<A> {
    Dense(Array2<A>),
    /// Compressed sparse rows.
    Sparse(CsMat<A>),
}

/// A look at the stored matrix, to choose an algorithm by its form.
#[derive(Debug, Clone, Copy)]
pub enum WeightsView<'a, A> {
    /// All entries, in standard (row-major) order.
    Dense(ArrayView2<'a, A>),
    /// Compressed sparse rows.
    Sparse(&'a CsMat<A>),
}

impl<A: Scalar> Weights<A> {
    /// Dense weights; the matrix is copied into row-major order.
    ///
    /// # Errors
    /// An empty or non-square matrix, or an entry that is not finite.
    pub fn dense<S: Data<Elem = A>>(weights: &ArrayBase<S, Ix2>) -> Result<Self> {
        square("weights", weights.nrows(), weights.ncols())?;
        if let Some(((i, j), &value)) = weights.indexed_iter().find(|(_, v)| !v.is_finite()) {
            return Err(non_finite(i, j, value));
        }
        Ok(Self { storage: Storage::Dense(weights.as_standard_layout().into_owned()) })
    }

    /// Sparse weights in any compressed form; stored by rows.
    ///
    /// # Errors
    /// An empty or non-square matrix, or an entry that is not finite.
    pub fn sparse(weights: CsMat<A>) -> Result<Self> {
        square("weights", weights.rows(), weights.cols())?;
        if let Some((&value, (i, j))) = weights.iter().find(|(v, _)| !v.is_finite()) {
            return Err(non_finite(i, j, value));
        }
        Ok(Self { storage: Storage::Sparse(weights.into_csr()) })
    }

    /// Number of neurons.
    pub fn len(&self) -> usize {
        match &self.storage {
            Storage::Dense(w) => w.nrows(),
            Storage::Sparse(w) => w.rows(),
        }
    }

    /// Never: a network has at least one neuron.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of stored entries.
    pub fn stored(&self) -> usize {
        match &self.storage {
            Storage::Dense(w) => w.len(),
            Storage::Sparse(w) => w.nnz(),
        }
    }

    /// The stored matrix.
    pub fn view(&self) -> WeightsView<'_, A> {
        match &self.storage {
            Storage::Dense(w) => WeightsView::Dense(w.view()),
            Storage::Sparse(w) => WeightsView::Sparse(w),
        }
    }

    /// The weight onto `i` from `j`; zero where nothing is stored.
    pub fn get(&self, i: usize, j: usize) -> A {
        match &self.storage {
            Storage::Dense(w) => w[[i, j]],
            Storage::Sparse(w) => w.get(i, j).copied().unwrap_or_else(A::zero),
        }
    }

    /// The self-weights `w_ii`.
    pub fn diagonal(&self) -> Array1<A> {
        Array1::from_shape_fn(self.len(), |i| self.get(i, i))
    }

    /// All entries as a dense matrix (a copy).
    pub fn to_dense(&self) -> Array2<A> {
        match &self.storage {
            Storage::Dense(w) => w.clone(),
            Storage::Sparse(w) => w.to_dense(),
        }
    }

    /// `W x`.
    pub fn dot(&self, x: ArrayView1<'_, A>) -> Array1<A> {
        let mut out = Array1::zeros(self.len());
        self.dot_into(x, out.view_mut());
        out
    }

    /// Writes `W x` into `out`; both have one entry per neuron.
    pub fn dot_into(&self, x: ArrayView1<'_, A>, mut out: ArrayViewMut1<'_, A>) {
        match &self.storage {
            Storage::Dense(w) => ndarray::linalg::general_mat_vec_mul(A::one(), w, &x, A::zero(), &mut out),
            Storage::Sparse(w) => {
                for (row, target) in w.outer_iterator().zip(out.iter_mut()) {
                    *target = row.iter().map(|(j, &v)| v * x[j]).sum();
                }
            }
        }
    }

    /// `W X` for a matrix with one state per column.
    pub fn dot_matrix(&self, x: ArrayView2<'_, A>) -> Array2<A> {
        match &self.storage {
            Storage::Dense(w) => crate::linalg::product(w.view(), x),
            Storage::Sparse(_) => {
                let mut out = Array2::zeros((self.len(), x.ncols()));
                for (column, target) in x.axis_iter(Axis(1)).zip(out.axis_iter_mut(Axis(1))) {
                    self.dot_into(column, target);
                }
                out
            }
        }
    }
}

pub(crate) fn square(argument: &str, rows: usize, cols: usize) -> Result<()> {
    if rows == 0 && cols == 0 {
        return Err(Error::Empty { argument: argument.into() });
    }
    if rows != cols {
        return Err(Error::shape(argument, "a square matrix", &[rows, cols]));
    }
    Ok(())
}

fn non_finite<A: Scalar>(i: usize, j: usize, value: A) -> Error {
    Error::NonFinite { argument: "weights".into(), index: vec![i, j], value: value.to_double() }
}
