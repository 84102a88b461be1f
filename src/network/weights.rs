//! Synaptic weights, dense or sparse.

use std::sync::OnceLock;

use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix2};
use sprs::{CsMat, TriMat};

use super::fingerprint::fingerprint;
use super::product::RoundedWeights;
use crate::Scalar;
use crate::check::{finite_matrix, non_finite, square};
use crate::error::{Error, Result};

/// A square matrix of finite synaptic weights; entry `[i, j]` is the weight onto neuron `i` from neuron `j`.
///
/// ```
/// use ndarray::array;
/// use neuronash::network::Weights;
///
/// let dense = Weights::dense(&array![[0.0, -2.0], [1.5, 0.0]])?;
/// let sparse = Weights::from_triplets(2, [(0, 1, -2.0), (1, 0, 1.5)])?;
/// assert_eq!(dense.to_dense(), sparse.to_dense());
/// assert_eq!(sparse.product(&array![1.0, 2.0])?, array![-4.0, 1.5]);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "super::stored::Unchecked<A>", bound(deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
pub struct Weights<A> {
    storage: Storage<A>,
    derived: Derived,
}

/// What has been computed from the weights and is kept for the next time.
#[derive(Debug, Default)]
struct Derived {
    rounded: OnceLock<Option<RoundedWeights>>,
    fingerprint: OnceLock<u64>,
}

/// A copy computes its own, if it is needed.
impl Clone for Derived {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Weights are equal whatever has been computed from them.
impl PartialEq for Derived {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// How the weights are stored.
#[derive(Debug, Clone, PartialEq)]
enum Storage<A> {
    /// In standard (row-major) order.
    Dense(Array2<A>),
    /// Compressed sparse rows whose row pointers start at 0.
    Sparse(CsMat<A>),
}

/// Why dense weights have rows that are slices.
pub(super) const ROW_MAJOR: &str = "dense weights are stored in row-major order";

/// A look at the stored matrix, to choose an algorithm by its form.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum WeightsView<'a, A> {
    /// All entries, in standard (row-major) order.
    Dense(ArrayView2<'a, A>),
    /// Compressed sparse rows.
    Sparse(&'a CsMat<A>),
}

impl<A: Scalar> Weights<A> {
    /// Dense weights, shape `[n, n]`, copied from a matrix in any memory order.
    ///
    /// # Errors
    /// An empty or non-square matrix, or an entry that is not finite.
    pub fn dense<S: Data<Elem = A>>(weights: &ArrayBase<S, Ix2>) -> Result<Self> {
        square("weights", weights.nrows(), weights.ncols())?;
        Self::from_dense(weights.as_standard_layout().into_owned())
    }

    /// Sparse weights of size `n` by `n` in any compressed form; stored by rows.
    ///
    /// # Errors
    /// An empty or non-square matrix, or an entry that is not finite.
    pub fn sparse(weights: CsMat<A>) -> Result<Self> {
        square("weights", weights.rows(), weights.cols())?;
        if let Some((&value, (i, j))) = weights.iter().find(|(v, _)| !v.is_finite()) {
            return Err(non_finite("weights", vec![i, j], value));
        }
        let weights = weights.into_csr();
        let weights = if weights.indptr().is_proper() {
            weights
        } else {
            let (shape, starts) = (weights.shape(), weights.proper_indptr().into_owned());
            let (_, columns, values) = weights.into_raw_storage();
            CsMat::new(shape, starts, columns, values)
        };
        Ok(Self { storage: Storage::Sparse(weights), derived: Derived::default() })
    }

    /// Sparse weights of `n` neurons from entries `(i, j, w)`, the weight `w` onto `i` from `j`, in any order.
    /// Entries at the same place are added up.
    ///
    /// # Errors
    /// `n = 0`, an index that is not below `n`, or a weight (or sum of weights) that is not finite.
    pub fn from_triplets(n: usize, entries: impl IntoIterator<Item = (usize, usize, A)>) -> Result<Self> {
        square("weights", n, n)?;
        let (mut rows, mut cols, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (k, (i, j, w)) in entries.into_iter().enumerate() {
            if i >= n || j >= n {
                let allowed = format!("indices in 0..{n}");
                return Err(Error::invalid(format!("weights, entry {k}"), format!("at ({i}, {j})"), allowed));
            }
            if !w.is_finite() {
                return Err(non_finite("weights", vec![i, j], w));
            }
            rows.push(i);
            cols.push(j);
            values.push(w);
        }
        // The compressed form needs a row pointer per neuron, whatever the number of entries.
        if n == usize::MAX || Vec::<usize>::new().try_reserve_exact(n + 1).is_err() {
            return Err(Error::invalid("n", n, "sizes that fit in memory"));
        }
        Self::sparse(TriMat::from_triplets((n, n), rows, cols, values).to_csr())
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

    /// Number of stored entries: `n^2` for dense weights.
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

    /// The weight onto `i` from `j`; zero where nothing is stored, also outside the matrix.
    pub fn get(&self, i: usize, j: usize) -> A {
        match &self.storage {
            Storage::Dense(w) => w.get((i, j)).copied(),
            Storage::Sparse(w) => w.get(i, j).copied(),
        }
        .unwrap_or_else(A::zero)
    }

    /// The self-weights `w_ii`, shape `[n]`.
    pub fn diagonal(&self) -> Array1<A> {
        match &self.storage {
            Storage::Dense(w) => w.diag().to_owned(),
            Storage::Sparse(_) => Array1::from_shape_fn(self.len(), |i| self.get(i, i)),
        }
    }

    /// The entries of row `i` that are not zero, as `(j, w_ij)` in increasing order of `j`; none if there is no
    /// row `i`.
    pub fn row(&self, i: usize) -> impl Iterator<Item = (usize, A)> + Clone + '_ {
        let (indices, values): (Option<&[usize]>, &[A]) = match &self.storage {
            _ if i >= self.len() => (None, &[]),
            Storage::Dense(w) => (None, &w.as_slice().expect(ROW_MAJOR)[i * w.ncols()..(i + 1) * w.ncols()]),
            Storage::Sparse(w) => {
                let range = w.indptr().outer_inds_sz(i);
                (Some(&w.indices()[range.clone()]), &w.data()[range])
            }
        };
        let at = move |k: usize| indices.map_or(k, |all| all[k]);
        values.iter().enumerate().filter(|(_, w)| !w.is_zero()).map(move |(k, &w)| (at(k), w))
    }

    /// All entries as a dense matrix, shape `[n, n]` (a copy).
    pub fn to_dense(&self) -> Array2<A> {
        match &self.storage {
            Storage::Dense(w) => w.clone(),
            Storage::Sparse(w) => w.to_dense(),
        }
    }

    /// The weights in single precision, made at the first call; see [`RoundedWeights::of`] for when there are none.
    pub(crate) fn rounded(&self) -> Option<&RoundedWeights> {
        self.derived.rounded.get_or_init(|| RoundedWeights::of(self)).as_ref()
    }

    /// A number that tells these weights from others, computed at the first call: the same for the same real matrix.
    pub(crate) fn fingerprint(&self) -> u64 {
        *self.derived.fingerprint.get_or_init(|| fingerprint(self))
    }

    /// Takes a matrix as it is, or copied if its memory order is not the standard one.
    pub(crate) fn from_dense(weights: Array2<A>) -> Result<Self> {
        square("weights", weights.nrows(), weights.ncols())?;
        finite_matrix("weights", weights.view())?;
        let weights = if weights.is_standard_layout() { weights } else { weights.as_standard_layout().into_owned() };
        Ok(Self { storage: Storage::Dense(weights), derived: Derived::default() })
    }
}

/// What can serve as the weights of a network: a dense matrix in any memory order, a sparse matrix in any
/// compressed form, or [`Weights`]; owned or borrowed.
pub trait IntoWeights<A> {
    /// The checked weights; `A` is the type of the entries.
    ///
    /// # Errors
    /// An empty or non-square matrix, or an entry that is not finite.
    fn into_weights(self) -> Result<Weights<A>>;
}

impl<A: Scalar> IntoWeights<A> for Weights<A> {
    fn into_weights(self) -> Result<Weights<A>> {
        Ok(self)
    }
}

impl<A: Scalar> IntoWeights<A> for &Weights<A> {
    fn into_weights(self) -> Result<Weights<A>> {
        Ok(self.clone())
    }
}

impl<A: Scalar, S: Data<Elem = A>> IntoWeights<A> for ArrayBase<S, Ix2> {
    fn into_weights(self) -> Result<Weights<A>> {
        Weights::from_dense(self.into_owned())
    }
}

impl<A: Scalar, S: Data<Elem = A>> IntoWeights<A> for &ArrayBase<S, Ix2> {
    fn into_weights(self) -> Result<Weights<A>> {
        Weights::dense(self)
    }
}

impl<A: Scalar> IntoWeights<A> for CsMat<A> {
    fn into_weights(self) -> Result<Weights<A>> {
        Weights::sparse(self)
    }
}

impl<A: Scalar> IntoWeights<A> for &CsMat<A> {
    fn into_weights(self) -> Result<Weights<A>> {
        Weights::sparse(self.clone())
    }
}

/// So that a reader's result can be handed on; its error comes out at `build()`.
impl<A: Scalar> IntoWeights<A> for Result<Weights<A>> {
    fn into_weights(self) -> Result<Weights<A>> {
        self
    }
}
