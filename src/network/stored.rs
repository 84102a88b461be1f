//! Weights as they stand in a file; they are checked like any others when they are read back.

use ndarray::Array2;
use serde::{Deserialize, Serialize, Serializer};
use sprs::CsMat;

use super::{Weights, WeightsView};
use crate::Scalar;
use crate::error::{Error, Result};

/// `D` is a matrix, `I` a list of integers and `V` a list of numbers: borrowed to write, owned to read.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stored<D, I, V> {
    Dense(D),
    /// Compressed rows: those of row `i` are from `row_starts[i]` to before `row_starts[i + 1]`.
    Sparse {
        row_starts: I,
        columns: I,
        values: V,
    },
}

/// What is read back.
pub(super) type Unchecked<A> = Stored<Array2<A>, Vec<usize>, Vec<A>>;

impl<A: Scalar + Serialize> Serialize for Weights<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.view() {
            WeightsView::Dense(w) => Stored::<_, &[usize], &[A]>::Dense(w).serialize(serializer),
            WeightsView::Sparse(w) => {
                let row_starts = w.proper_indptr();
                Stored::<Array2<A>, &[usize], &[A]>::Sparse {
                    row_starts: &row_starts,
                    columns: w.indices(),
                    values: w.data(),
                }
                .serialize(serializer)
            }
        }
    }
}

impl<A: Scalar> TryFrom<Unchecked<A>> for Weights<A> {
    type Error = Error;

    fn try_from(stored: Unchecked<A>) -> Result<Self> {
        match stored {
            Stored::Dense(w) => Self::from_dense(w),
            Stored::Sparse { row_starts, columns, values } => {
                let n = row_starts.len().saturating_sub(1);
                let compressed = CsMat::try_new((n, n), row_starts, columns, values);
                let allowed = "compressed rows with columns in increasing order";
                Self::sparse(compressed.map_err(|(.., why)| Error::invalid("weights", why, allowed))?)
            }
        }
    }
}
