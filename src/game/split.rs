//! What neurons have in common, and what they play against each other.

use std::fmt;

use ndarray::{ArrayBase, Data, Ix1};

use crate::Scalar;
use crate::check::finite_vector;
use crate::error::{Error, Result};
use crate::network::{Weights, WeightsView};

/// The parts of `D W = S + K`: `S` symmetric, `K` skew-symmetric (theory 1.7).
///
/// `S` is the potential part, in which all neurons pull the same way, `K` the zero-sum part, in which one neuron wins
/// what another loses. Only `S` matters for stability (theory 3.1).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct Split<A> {
    /// `S = (D W + W' D)/2`, shape `[n, n]`; sparse if the weights are.
    pub potential: Weights<A>,
    /// `K = (D W - W' D)/2`, shape `[n, n]`; sparse if the weights are.
    pub zero_sum: Weights<A>,
}

/// Splits the interaction into its potential and zero-sum parts for the neurons' weights `d > 0`, shape `[n]`.
///
/// ```
/// use ndarray::array;
/// use neuronash::game::split;
/// use neuronash::network::Weights;
///
/// let pair = Weights::dense(&array![[0.5, -3.0], [1.0, 0.0]])?;
/// assert_eq!(split(&pair, &array![1.0, 3.0])?.cooperation_index(), Some(0.0));
/// assert_eq!(split(&pair, &array![1.0, 1.0])?.cooperation_index(), Some(0.2));
/// # Ok::<(), neuronash::Error>(())
/// ```
///
/// # Errors
/// Weights `d` of the wrong length, not finite or not positive, or products that overflow.
pub fn split<A: Scalar, S: Data<Elem = A>>(weights: &Weights<A>, d: &ArrayBase<S, Ix1>) -> Result<Split<A>> {
    finite_vector("d", d.view(), weights.len())?;
    if let Some((i, d)) = d.iter().enumerate().find(|(_, d)| **d <= A::zero()) {
        return Err(Error::invalid(format!("d[{i}]"), d, "numbers above 0"));
    }
    let half = A::of(0.5);
    let part = |sign: A| match weights.view() {
        WeightsView::Dense(w) => {
            let entry = |(i, j)| half * (d[i] * w[[i, j]]) + sign * half * (d[j] * w[[j, i]]);
            Weights::from_dense(ndarray::Array2::from_shape_fn(w.dim(), entry))
        }
        WeightsView::Sparse(w) => {
            let entries = w.iter().flat_map(|(&v, (i, j))| {
                let entry = half * (d[i] * v);
                [(i, j, entry), (j, i, sign * entry)]
            });
            Weights::from_triplets(weights.len(), entries)
        }
    };
    Ok(Split { potential: part(A::one())?, zero_sum: part(-A::one())? })
}

impl<A: Scalar> Split<A> {
    /// `|S|_F^2 / (|S|_F^2 + |K|_F^2)` over the entries off the diagonal: 1 for a pure potential game, 0 for a pure
    /// zero-sum game, 1/2 for one-way (feed-forward) interaction; `None` if no neuron acts on another.
    pub fn cooperation_index(&self) -> Option<A> {
        let largest = |w: &Weights<A>| off_diagonal(w).fold(A::zero(), |m, v| m.max(v.abs()));
        let scale = largest(&self.potential).max(largest(&self.zero_sum));
        if scale == A::zero() {
            return None;
        }
        let square = |w: &Weights<A>| off_diagonal(w).map(|v| (v / scale) * (v / scale)).sum::<A>();
        let (potential, zero_sum) = (square(&self.potential), square(&self.zero_sum));
        Some(potential / (potential + zero_sum))
    }
}

fn off_diagonal<A: Scalar>(w: &Weights<A>) -> impl Iterator<Item = A> + '_ {
    (0..w.len()).flat_map(move |i| w.row(i).filter(move |&(j, _)| j != i).map(|(_, v)| v))
}

impl<A: Scalar> fmt::Display for Split<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cooperation_index() {
            Some(index) => write!(f, "cooperation index {index} (1: potential, 0: zero-sum)"),
            None => f.write_str("no neuron acts on another"),
        }
    }
}
