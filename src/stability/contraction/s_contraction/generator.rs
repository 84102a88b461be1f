//! All S-contracting weights.

use ndarray::{Array1, Array2, ArrayBase, Data, Ix1, Ix2};

use super::Norm;
use crate::Scalar;
use crate::check::{finite_matrix, positive_vector, square};
use crate::error::{Error, Result};
use crate::linalg::{self, product};

/// The weights that S-contract at a given rate in a given norm: `W = 2 sqrt(1 - c) Q^{-1/2} S P^{1/2} - Q^{-1} P`, where
/// `S` runs over all matrices with `S'S <= I` (theory 4.3).
///
/// ```
/// use ndarray::{Array2, array};
/// use neuronash::stability::contraction::{SContractingWeights, s_contraction};
///
/// let family = SContractingWeights::new(&array![[2.0, 0.5], [0.5, 1.0]], &array![1.0, 3.0], 0.3)?;
/// let w = family.weights(&array![[0.0, -0.8], [0.6, 0.1]])?;
/// assert!(s_contraction(&w)?.best_rate().upper >= 0.3);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Stored"))]
pub struct SContractingWeights {
    #[cfg_attr(feature = "serde", serde(skip_serializing))]
    root_p: Array2<f64>,
    p: Array2<f64>,
    q: Array1<f64>,
    rate: f64,
}

/// The family as it stands in a file.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Stored {
    p: Array2<f64>,
    q: Array1<f64>,
    rate: f64,
}

#[cfg(feature = "serde")]
impl TryFrom<Stored> for SContractingWeights {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self> {
        Self::new(&stored.p, &stored.q, stored.rate)
    }
}

impl SContractingWeights {
    /// The family for `P` of shape `[n, n]`, symmetric and positive definite, the diagonal `q > 0` of shape `[n]`, and a rate
    /// `c <= 1`.
    ///
    /// # Errors
    /// Arguments outside these sets.
    pub fn new<A, B, S, R>(p: &ArrayBase<S, Ix2>, q: &ArrayBase<R, Ix1>, rate: f64) -> Result<Self>
    where
        A: Scalar,
        B: Scalar,
        S: Data<Elem = A>,
        R: Data<Elem = B>,
    {
        Norm::quadratic(p)?;
        if !(rate.is_finite() && rate <= 1.0) {
            return Err(Error::invalid("rate", rate, "finite numbers up to 1"));
        }
        let (p, q) = (p.mapv(Scalar::to_double), q.mapv(Scalar::to_double));
        positive_vector("q", q.view(), p.nrows())?;
        let (values, vectors) = linalg::eigh(p.view())?;
        let root_p = (&vectors * &values.mapv(|v| v.max(0.0).sqrt())).dot(&vectors.t());
        Ok(Self { root_p, p, q, rate })
    }

    /// The weights for a matrix `S` of shape `[n, n]` whose largest singular value is at most 1.
    ///
    /// # Errors
    /// A matrix of another shape, with entries that are not finite, or with a singular value above `1 + 1e-12`.
    pub fn weights<A: Scalar, S: Data<Elem = A>>(&self, s: &ArrayBase<S, Ix2>) -> Result<Array2<f64>> {
        let n = self.q.len();
        square("s", s.nrows(), s.ncols())?;
        if s.nrows() != n {
            return Err(Error::shape("s", format!("[{n}, {n}]"), s.shape()));
        }
        finite_matrix("s", s.view())?;
        let s = s.mapv(Scalar::to_double);
        let largest = linalg::eigvalsh(product(s.t(), s.view()).view())?[n - 1].max(0.0).sqrt();
        if largest > 1.0 + 1e-12 {
            return Err(Error::invalid("s", format!("of largest singular value {largest}"), "singular values up to 1"));
        }
        let factor = 2.0 * (1.0 - self.rate).sqrt();
        let sp = product(s.view(), self.root_p.view());
        Ok(Array2::from_shape_fn((n, n), |(i, j)| factor * sp[[i, j]] / self.q[i].sqrt() - self.p[[i, j]] / self.q[i]))
    }
}
