//! All weights that are stable by construction.

use ndarray::{Array1, Array2, ArrayBase, Data, Ix1, Ix2};

use crate::Scalar;
use crate::check::{finite_matrix, positive_vector};
use crate::error::{Error, Result};
use crate::linalg::product;

/// The synaptic matrices that given weights `D` certify with a given margin, without constraints to obey: for slopes in `[0, 1]`,
/// `W = (1 - delta) I - D^{-1}(L L' + K - K')` over all `L` and `K` (theory 9.1).
///
/// `sym(D (I - W)) = delta D + L L'`, so `D` proves the margin `delta` of `W - I` (theory 3.3), and every matrix with that property
/// is of this form. Whoever fits or learns a network moves `L` and `K` freely and never leaves it.
///
/// ```
/// use ndarray::{Array2, array};
/// use neuronash::stability::diagonal::{StableWeights, margin};
///
/// let family = StableWeights::new(&array![1.0, 4.0], 0.25)?;
/// let w = family.weights(&array![[0.3], [-1.0]], &array![[0.0, 8.0], [0.0, 0.0]])?;
/// assert!(margin((&w, &array![1.0, 1.0]))?.lower() >= 0.25 - 1e-9);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct StableWeights {
    d: Array1<f64>,
    margin: f64,
}

impl StableWeights {
    /// The family for `d > 0` of shape `(n,)` and a margin `delta > 0`.
    ///
    /// # Errors
    /// [`Error::Empty`] for no weights, [`Error::NonFinite`] and [`Error::Invalid`] unless all of them and the margin are
    /// positive and finite.
    pub fn new<A: Scalar, S: Data<Elem = A>>(d: &ArrayBase<S, Ix1>, margin: f64) -> Result<Self> {
        if d.is_empty() {
            return Err(Error::Empty { argument: "d".into() });
        }
        positive_vector("d", d.view(), d.len())?;
        if !(margin > 0.0 && margin.is_finite()) {
            return Err(Error::invalid("margin", margin, "positive, finite numbers"));
        }
        Ok(Self { d: d.mapv(Scalar::to_double), margin })
    }

    /// The member for any `l` of shape `(n, r)` and any `k` of shape `(n, n)`, of which only `K - K'` counts; to rounding,
    /// so its margin may fall short by some units in the last place.
    ///
    /// # Errors
    /// [`Error::Shape`] for other shapes, [`Error::NonFinite`] for NaN or infinite entries.
    pub fn weights<A: Scalar, S: Data<Elem = A>, T: Data<Elem = A>>(
        &self,
        l: &ArrayBase<S, Ix2>,
        k: &ArrayBase<T, Ix2>,
    ) -> Result<Array2<f64>> {
        let n = self.d.len();
        if l.nrows() != n {
            return Err(Error::shape("l", format!("[{n}, any]"), l.shape()));
        }
        if k.dim() != (n, n) {
            return Err(Error::shape("k", format!("[{n}, {n}]"), k.shape()));
        }
        finite_matrix("l", l.view())?;
        finite_matrix("k", k.view())?;
        let (l, k) = (l.mapv(Scalar::to_double), k.mapv(Scalar::to_double));
        let cooperative = product(l.view(), l.t());
        Ok(Array2::from_shape_fn((n, n), |(i, j)| {
            let own = if i == j { 1.0 - self.margin } else { 0.0 };
            own - (cooperative[[i, j]] + k[[i, j]] - k[[j, i]]) / self.d[i]
        }))
    }
}
