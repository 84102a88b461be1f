//! Weights that turn a network into a potential game or into a zero-sum game.

use std::collections::VecDeque;
use std::fmt;

use ndarray::Array1;

use crate::Scalar;
use crate::error::{Error, Result};
use crate::network::Weights;

/// Why no positive diagonal `M` makes `M W` symmetric (or skew-symmetric off the diagonal).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub enum Obstruction<A> {
    /// One neuron acts on another that does not act back.
    OneWay {
        /// The neuron that acts.
        from: usize,
        /// The neuron that does not act back.
        to: usize,
    },
    /// Two neurons whose weights onto each other have opposite signs (or the same sign, where opposite ones are needed).
    Signs {
        /// The two neurons `i`, `j`.
        pair: [usize; 2],
        /// `w_ij` and `w_ji`.
        weights: [A; 2],
    },
    /// A cycle on which the weights forwards and backwards do not multiply to the same magnitude.
    Cycle {
        /// The neurons `i_1, ..., i_k` of the cycle; the last one is connected to the first.
        neurons: Vec<usize>,
        /// `|w_{i1 i2} w_{i2 i3} ... w_{ik i1}|`.
        #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
        forwards: A,
        /// `|w_{i2 i1} w_{i3 i2} ... w_{i1 ik}|`.
        #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
        backwards: A,
    },
}

impl<A: Scalar> Obstruction<A> {
    /// The neurons of the offending cycle; a pair is a cycle of length 2.
    pub fn cycle(&self) -> Vec<usize> {
        match self {
            Obstruction::OneWay { from, to } => vec![*from, *to],
            Obstruction::Signs { pair, .. } => pair.to_vec(),
            Obstruction::Cycle { neurons, .. } => neurons.clone(),
        }
    }
}

impl<A: Scalar> fmt::Display for Obstruction<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstruction::OneWay { from, to } => write!(f, "neuron {from} acts on neuron {to}, which does not act back"),
            Obstruction::Signs { pair: [i, j], weights: [forth, back] } => {
                write!(f, "the weights between neurons {i} and {j} are {forth} and {back}, whose signs do not fit")
            }
            Obstruction::Cycle { neurons, forwards, backwards } => {
                write!(f, "the weights along the cycle {neurons:?} multiply to {forwards}, backwards to {backwards}")
            }
        }
    }
}

/// The positive `m` for which `diag(m) W` is symmetric, shape `[n]`, or the cycle that rules it out (theory 1.6).
///
/// A walk over the graph of nonzeros: `m_j = m_i w_ij / w_ji` along a spanning tree that starts with `m = 1` at the
/// first neuron of each connected part, and every other pair must agree to the relative `tolerance` (of the
/// product of weights along its cycle). With `tolerance = 0` only rounding errors are allowed for, a few units in
/// the last place per step; cycles of small integers are then decided exactly. Self-weights do not matter.
///
/// ```
/// use ndarray::array;
/// use neuronash::game::symmetrizing_weights;
/// use neuronash::network::Weights;
///
/// let scaled = Weights::dense(&array![[0.0, 2.0], [1.0, 0.0]])?;
/// assert_eq!(symmetrizing_weights(&scaled, 0.0)?, Ok(array![1.0, 2.0]));
///
/// let pair = Weights::dense(&array![[0.5, -1.0], [1.0, 0.0]])?;
/// let obstruction = symmetrizing_weights(&pair, 0.0)?.unwrap_err();
/// assert_eq!(obstruction.cycle(), [0, 1]);
/// # Ok::<(), neuronash::Error>(())
/// ```
///
/// # Errors
/// A tolerance outside `[0, 1)`, or weights so far apart that `m` overflows.
pub fn symmetrizing_weights<A: Scalar>(
    weights: &Weights<A>,
    tolerance: A,
) -> Result<std::result::Result<Array1<A>, Obstruction<A>>> {
    walk(weights, tolerance, A::one())
}

/// The positive `d` for which `diag(d) W` is skew-symmetric off the diagonal, shape `[n]`, so that the interaction is
/// purely zero-sum, or the cycle that rules it out (theory 1.7).
///
/// For an E-I pair this is the `d` with `d_E |w_EI| = d_I |w_IE|`. The walk and its tolerance are those of
/// [`symmetrizing_weights`].
///
/// ```
/// use ndarray::array;
/// use neuronash::game::zero_sum_weights;
/// use neuronash::network::Weights;
///
/// let pair = Weights::dense(&array![[0.5, -2.0], [1.0, 0.0]])?;
/// assert_eq!(zero_sum_weights(&pair, 0.0)?, Ok(array![1.0, 2.0]));
/// # Ok::<(), neuronash::Error>(())
/// ```
///
/// # Errors
/// A tolerance outside `[0, 1)`, or weights so far apart that `d` overflows.
pub fn zero_sum_weights<A: Scalar>(
    weights: &Weights<A>,
    tolerance: A,
) -> Result<std::result::Result<Array1<A>, Obstruction<A>>> {
    walk(weights, tolerance, -A::one())
}

/// Where the walk has been.
struct Tree<A> {
    m: Array1<A>,
    parent: Vec<Option<usize>>,
    depth: Vec<usize>,
}

/// Finds `m` with `m_i w_ij = sign m_j w_ji` for all `i != j`.
fn walk<A: Scalar>(
    weights: &Weights<A>,
    tolerance: A,
    sign: A,
) -> Result<std::result::Result<Array1<A>, Obstruction<A>>> {
    if !(tolerance >= A::zero() && tolerance < A::one()) {
        return Err(Error::invalid("tolerance", tolerance, "numbers in [0, 1)"));
    }
    let n = weights.len();
    let mut tree = Tree { m: Array1::zeros(n), parent: vec![None; n], depth: vec![0; n] };
    let mut queue = VecDeque::new();
    for root in 0..n {
        if tree.m[root] > A::zero() {
            continue;
        }
        tree.m[root] = A::one();
        queue.push_back(root);
        while let Some(i) = queue.pop_front() {
            for (j, w_ij) in weights.row(i).filter(|&(j, _)| j != i) {
                let w_ji = weights.get(j, i);
                if w_ji == A::zero() {
                    return Ok(Err(Obstruction::OneWay { from: j, to: i }));
                }
                if w_ij.signum() != sign * w_ji.signum() {
                    return Ok(Err(Obstruction::Signs { pair: [i, j], weights: [w_ij, w_ji] }));
                }
                if tree.m[j] == A::zero() {
                    let m = tree.m[i] * (w_ij / w_ji).abs();
                    if !m.is_normal() {
                        let value = format!("{} at neuron {j}", m);
                        return Err(Error::invalid("weights: their ratio along a path", value, "numbers in range"));
                    }
                    tree.m[j] = m;
                    tree.parent[j] = Some(i);
                    tree.depth[j] = tree.depth[i] + 1;
                    queue.push_back(j);
                } else if !tree.agrees(i, j, [w_ij, w_ji], tolerance) {
                    return Ok(Err(tree.cycle(weights, i, j)));
                }
            }
        }
    }
    Ok(Ok(tree.m))
}

impl<A: Scalar> Tree<A> {
    fn agrees(&self, i: usize, j: usize, [w_ij, w_ji]: [A; 2], tolerance: A) -> bool {
        // A quotient and a product per step of the tree, and the products compared here.
        let roundings = A::of((2 * (self.depth[i] + self.depth[j]) + 4) as f64) * A::epsilon();
        let ratio = (self.m[i] / self.m[j]) * (w_ij / w_ji).abs();
        (ratio - A::one()).abs() <= tolerance + roundings
    }

    /// The cycle that the pair `i`, `j` closes.
    fn cycle(&self, weights: &Weights<A>, i: usize, j: usize) -> Obstruction<A> {
        let (mut up, mut down) = (vec![i], vec![j]);
        let (mut p, mut q) = (i, j);
        while p != q {
            let (side, node) = if self.depth[p] >= self.depth[q] { (&mut up, &mut p) } else { (&mut down, &mut q) };
            let Some(parent) = self.parent[*node] else { break };
            *node = parent;
            side.push(parent);
        }
        // Both paths end at the common ancestor.
        down.pop();
        up.extend(down.into_iter().rev());
        let next = |k: usize| up[(k + 1) % up.len()];
        let product = |weight: &dyn Fn(usize) -> A| (0..up.len()).map(|k| weight(k).abs()).fold(A::one(), |a, w| a * w);
        let forwards = product(&|k| weights.get(up[k], next(k)));
        let backwards = product(&|k| weights.get(next(k), up[k]));
        Obstruction::Cycle { neurons: up, forwards, backwards }
    }
}
