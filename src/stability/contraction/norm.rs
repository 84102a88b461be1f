//! Norms on the state space, with the weights that certificates state them in.

use std::fmt;

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, Data, Ix1, Ix2};

use crate::Scalar;
use crate::check::{finite_matrix, positive_vector, square};
use crate::error::{Error, Result};
use crate::linalg::verified::proved_positive_definite;

/// The family that a norm belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum NormKind {
    /// `sum_i w_i |x_i|`.
    One,
    /// `sqrt(x' P x)`.
    Two,
    /// `max_i |x_i| / v_i`.
    Infinity,
}

impl fmt::Display for NormKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NormKind::One => "l1",
            NormKind::Two => "l2",
            NormKind::Infinity => "l-infinity",
        })
    }
}

/// A norm on `R^n`, with or without weights.
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::contraction::Norm;
///
/// let norm = Norm::weighted_linf(&array![1.0, 4.0])?; // max(|x_0| / 1, |x_1| / 4)
/// assert_eq!(norm.eval(&array![1.0, 8.0])?, 2.0);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Norm {
    kind: NormKind,
    weights: NormWeights,
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum NormWeights {
    Unit,
    Diagonal(Array1<f64>),
    Matrix(Array2<f64>),
}

impl Norm {
    /// `sum_i |x_i|`.
    pub fn l1() -> Self {
        Self { kind: NormKind::One, weights: NormWeights::Unit }
    }

    /// `sqrt(sum_i x_i^2)`.
    pub fn l2() -> Self {
        Self { kind: NormKind::Two, weights: NormWeights::Unit }
    }

    /// `max_i |x_i|`.
    pub fn linf() -> Self {
        Self { kind: NormKind::Infinity, weights: NormWeights::Unit }
    }

    /// `sum_i w_i |x_i|`, weights of shape `[n]`.
    ///
    /// # Errors
    /// Weights that are not finite and positive.
    pub fn weighted_l1<A: Scalar, S: Data<Elem = A>>(w: &ArrayBase<S, Ix1>) -> Result<Self> {
        Self::diagonal(NormKind::One, w.mapv(Scalar::to_double))
    }

    /// `sqrt(sum_i d_i x_i^2)`, weights of shape `[n]`.
    ///
    /// # Errors
    /// Weights that are not finite and positive.
    pub fn weighted_l2<A: Scalar, S: Data<Elem = A>>(d: &ArrayBase<S, Ix1>) -> Result<Self> {
        Self::diagonal(NormKind::Two, d.mapv(Scalar::to_double))
    }

    /// `max_i |x_i| / v_i`: the unit ball is the box `|x_i| <= v_i`. Weights of shape `[n]`.
    ///
    /// # Errors
    /// Weights that are not finite and positive.
    pub fn weighted_linf<A: Scalar, S: Data<Elem = A>>(v: &ArrayBase<S, Ix1>) -> Result<Self> {
        Self::diagonal(NormKind::Infinity, v.mapv(Scalar::to_double))
    }

    /// `sqrt(x' P x)`, `P` of shape `[n, n]`, symmetric and positive definite.
    ///
    /// # Errors
    /// A matrix that is not square, not symmetric, not finite, or not provably positive definite.
    pub fn quadratic<A: Scalar, S: Data<Elem = A>>(p: &ArrayBase<S, Ix2>) -> Result<Self> {
        square("p", p.nrows(), p.ncols())?;
        let norm = Self { kind: NormKind::Two, weights: NormWeights::Matrix(p.mapv(Scalar::to_double)) };
        norm.check(p.nrows())?;
        Ok(norm)
    }

    pub(super) fn diagonal(kind: NormKind, weights: Array1<f64>) -> Result<Self> {
        if weights.is_empty() {
            return Err(Error::Empty { argument: "weights".into() });
        }
        let n = weights.len();
        let norm = Self { kind, weights: NormWeights::Diagonal(weights) };
        norm.check(n)?;
        Ok(norm)
    }

    /// The family.
    pub fn kind(&self) -> NormKind {
        self.kind
    }

    /// The diagonal weights, shape `[n]`; `None` for unit weights and for full quadratic forms.
    pub fn weights(&self) -> Option<ArrayView1<'_, f64>> {
        if let NormWeights::Diagonal(w) = &self.weights { Some(w.view()) } else { None }
    }

    /// The matrix of a full quadratic form, shape `[n, n]`.
    pub fn matrix(&self) -> Option<ArrayView2<'_, f64>> {
        if let NormWeights::Matrix(p) = &self.weights { Some(p.view()) } else { None }
    }

    /// The norm of `x`, to working precision.
    ///
    /// # Errors
    /// A vector whose length is not that of the weights.
    pub fn eval<A: Scalar, S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<f64> {
        self.check(x.len())?;
        let x = x.mapv(Scalar::to_double);
        Ok(match (self.kind, &self.weights) {
            (_, NormWeights::Matrix(p)) => x.dot(&p.dot(&x)).max(0.0).sqrt(),
            (NormKind::One, NormWeights::Unit) => x.iter().map(|v| v.abs()).sum(),
            (NormKind::One, NormWeights::Diagonal(w)) => x.iter().zip(w).map(|(v, w)| w * v.abs()).sum(),
            (NormKind::Two, NormWeights::Unit) => x.dot(&x).sqrt(),
            (NormKind::Two, NormWeights::Diagonal(d)) => x.iter().zip(d).map(|(v, d)| d * v * v).sum::<f64>().sqrt(),
            (NormKind::Infinity, NormWeights::Unit) => x.iter().fold(0.0, |m, v| m.max(v.abs())),
            (NormKind::Infinity, NormWeights::Diagonal(w)) => x.iter().zip(w).fold(0.0, |m, (v, w)| m.max(v.abs() / w)),
        })
    }

    /// `sqrt(x' P x)` for a `P` that is already proved positive definite.
    pub(super) fn proved_quadratic(p: Array2<f64>) -> Self {
        Self { kind: NormKind::Two, weights: NormWeights::Matrix(p) }
    }

    pub(super) fn form(&self) -> &NormWeights {
        &self.weights
    }

    /// The diagonal weights, ones where there are none.
    pub(super) fn diagonal_or_ones(&self, n: usize) -> Array1<f64> {
        self.weights().map_or_else(|| Array1::ones(n), |w| w.to_owned())
    }

    /// Whether this is a norm on `R^n` (a deserialised one need not be).
    pub(super) fn check(&self, n: usize) -> Result<()> {
        match &self.weights {
            NormWeights::Unit => Ok(()),
            NormWeights::Diagonal(w) => positive_vector("weights", w.view(), n),
            NormWeights::Matrix(p) => {
                if self.kind != NormKind::Two {
                    return Err(Error::invalid("norm", self, "matrix weights with the l2 norm only"));
                }
                if p.dim() != (n, n) {
                    return Err(Error::shape("p", format!("[{n}, {n}]"), p.shape()));
                }
                finite_matrix("p", p.view())?;
                if let Some(((i, j), v)) = p.indexed_iter().find(|&((i, j), &v)| v != p[[j, i]]) {
                    return Err(Error::invalid(format!("p[{i}][{j}]"), v, "the value of its transposed entry"));
                }
                if !proved_positive_definite(p.view(), Array2::zeros((n, n)).view()) {
                    return Err(Error::invalid("p", "not provably positive definite", "positive definite matrices"));
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Norm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.weights {
            NormWeights::Unit => write!(f, "{}", self.kind),
            NormWeights::Diagonal(_) => write!(f, "weighted {}", self.kind),
            NormWeights::Matrix(_) => f.write_str("quadratic x'Px"),
        }
    }
}
