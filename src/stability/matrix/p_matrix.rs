//! P-matrices: all principal minors positive.

use std::fmt;

use ndarray::{Array2, ArrayBase, Axis, Data, Ix2};

use super::{checked, structure};
use crate::Scalar;
use crate::error::Result;
use crate::linalg::rounding::{div_down, div_up, mul_down, mul_up, sub_down, sub_up};
use crate::stability::diagonal::{Verdict, certify};

/// Matrices up to this order are decided by all their principal minors.
const LARGEST: usize = 20;

/// The answer to "are all principal minors positive?".
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum PMatrix {
    /// All are proved positive.
    Yes,
    /// The principal minor of these rows and columns is proved not positive; above order 20, and within rounding errors
    /// of zero, it may be that of some of them.
    No {
        /// Rows and columns, in increasing order.
        minor: Vec<usize>,
    },
    /// No minor is proved not positive, and not all are proved positive.
    Undecided,
}

impl fmt::Display for PMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PMatrix::Yes => f.write_str("a P-matrix, proved"),
            PMatrix::No { minor } => {
                write!(f, "not a P-matrix: the minor of rows and columns {minor:?} is not positive")
            }
            PMatrix::Undecided => f.write_str("undecided whether it is a P-matrix"),
        }
    }
}

impl PMatrix {
    /// Whether the matrix is proved to be a P-matrix.
    pub fn is_yes(&self) -> bool {
        *self == PMatrix::Yes
    }

    /// Whether the matrix is proved not to be a P-matrix.
    pub fn is_no(&self) -> bool {
        matches!(self, PMatrix::No { .. })
    }
}

/// Whether `m`, shape `[n, n]`, is a P-matrix. The network `x = Phi(W x + u)` has exactly one equilibrium for every `u` and all
/// activations with slopes in `[0, 1]` iff `I - W` is one (theory 2.4).
///
/// Up to `n = 20` every principal minor is bounded by interval arithmetic, along the recursion of Tsatsomeros and Li (2000):
/// `M` is a P-matrix iff `m_11 > 0` and both `M` without its first row and column and the Schur complement of `m_11` are. A
/// minor within rounding of zero leaves that open. Then, and above, diagonal stability of `-M` proves it, a minor of
/// order 1 or 2 that is not positive refutes it, and if `M` is symmetric or has no positive entry off its diagonal, up
/// to units and signs, it is a P-matrix iff `-M` is diagonally stable.
///
/// # Errors
/// An empty or non-square matrix, or an entry that is not finite.
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::matrix::{PMatrix, p_matrix};
/// assert_eq!(p_matrix(&array![[1.0, -4.0], [4.0, 1.0]])?, PMatrix::Yes);
/// assert_eq!(p_matrix(&array![[1.0, 2.0], [1.0, 1.0]])?, PMatrix::No { minor: vec![0, 1] });
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn p_matrix<A: Scalar, S: Data<Elem = A>>(m: &ArrayBase<S, Ix2>) -> Result<PMatrix> {
    let m = checked(m, "m")?;
    match enclosed(&m, &m) {
        Some(PMatrix::Undecided) | None => by_certificates(&m),
        Some(decided) => Ok(decided),
    }
}

/// Whether every matrix between `lower` and `upper` (entrywise) is a P-matrix, or none is, by all minors; `None` above the
/// order where that is affordable.
pub(in crate::stability) fn enclosed(lower: &Array2<f64>, upper: &Array2<f64>) -> Option<PMatrix> {
    (lower.nrows() <= LARGEST).then(|| by_all_minors(lower, upper))
}

fn by_certificates(m: &Array2<f64>) -> Result<PMatrix> {
    if let Some(minor) = small_minor(m) {
        return Ok(PMatrix::No { minor });
    }
    let a = -m;
    Ok(match certify(&a)? {
        Verdict::Stable(_) => PMatrix::Yes,
        Verdict::NotStable(refutation) if structure(a.view()).decides() => {
            let y = refutation.witness();
            let support = (0..m.nrows()).filter(|&i| y.row(i).iter().any(|&v| v != 0.0)).collect();
            PMatrix::No { minor: first_not_positive(m, support)? }
        }
        _ => PMatrix::Undecided,
    })
}

/// The shortest leading part of the rows whose principal minor is proved not positive, or all of them, for a symmetric
/// or a Z-matrix.
///
/// Let the first `k` rows be proved a P-matrix, and `k + 1` not to be one. All proper leading minors of the latter are
/// positive, so its determinant is not: else it would be positive definite, or an M-matrix.
fn first_not_positive(m: &Array2<f64>, rows: Vec<usize>) -> Result<Vec<usize>> {
    let leading = |k: usize| certify(&-m.select(Axis(0), &rows[..k]).select(Axis(1), &rows[..k]));
    let (mut stable, mut unstable) = (0, rows.len());
    while unstable - stable > 1 {
        let middle = stable.midpoint(unstable);
        match leading(middle)? {
            Verdict::Stable(_) => stable = middle,
            Verdict::NotStable(_) => unstable = middle,
            _ => return Ok(rows),
        }
    }
    Ok(rows[..unstable].to_vec())
}

/// A principal minor of order 1 or 2 that is proved not positive, also for every matrix with a smaller diagonal.
pub(in crate::stability) fn small_minor(m: &Array2<f64>) -> Option<Vec<usize>> {
    let n = m.nrows();
    if let Some(i) = (0..n).find(|&i| m[[i, i]] <= 0.0) {
        return Some(vec![i]);
    }
    for i in 0..n {
        for j in (i + 1..n).filter(|&j| m[[i, j]] != 0.0) {
            if mul_up(m[[i, i]], m[[j, j]]) <= mul_down(m[[i, j]], m[[j, i]]) {
                return Some(vec![i, j]);
            }
        }
    }
    None
}

/// An interval.
#[derive(Debug, Clone, Copy)]
struct Interval {
    lower: f64,
    upper: f64,
}

impl Interval {
    const ALL: Self = Self { lower: f64::NEG_INFINITY, upper: f64::INFINITY };

    fn is_finite(self) -> bool {
        self.lower.is_finite() && self.upper.is_finite()
    }

    fn times(self, other: Self) -> Self {
        if !self.is_finite() || !other.is_finite() {
            return Self::ALL;
        }
        let pairs = [
            (self.lower, other.lower),
            (self.lower, other.upper),
            (self.upper, other.lower),
            (self.upper, other.upper),
        ];
        Self {
            lower: pairs.iter().map(|p| mul_down(p.0, p.1)).fold(f64::INFINITY, f64::min),
            upper: pairs.iter().map(|p| mul_up(p.0, p.1)).fold(f64::NEG_INFINITY, f64::max),
        }
    }

    /// The quotient by a positive interval.
    fn over(self, positive: Self) -> Self {
        if !self.is_finite() || !positive.is_finite() {
            return Self::ALL;
        }
        Self {
            lower: div_down(self.lower, if self.lower >= 0.0 { positive.upper } else { positive.lower }),
            upper: div_up(self.upper, if self.upper >= 0.0 { positive.lower } else { positive.upper }),
        }
    }

    fn minus(self, other: Self) -> Self {
        if !self.is_finite() || !other.is_finite() {
            return Self::ALL;
        }
        Self { lower: sub_down(self.lower, other.upper), upper: sub_up(self.upper, other.lower) }
    }
}

fn by_all_minors(lower: &Array2<f64>, upper: &Array2<f64>) -> PMatrix {
    let entries = lower.iter().zip(upper).map(|(&lower, &upper)| Interval { lower, upper }).collect();
    let mut walk = Walk { n: lower.nrows(), eliminated: Vec::new(), undecided: false };
    match walk.refuted(entries, 0) {
        Some(minor) => PMatrix::No { minor },
        None if walk.undecided => PMatrix::Undecided,
        None => PMatrix::Yes,
    }
}

struct Walk {
    n: usize,
    /// The rows whose Schur complement the current matrix is.
    eliminated: Vec<usize>,
    undecided: bool,
}

impl Walk {
    /// The rows of a minor that is proved not positive, among those that extend the eliminated rows by rows from `first`
    /// on; `schur` holds the Schur complement of the eliminated rows on the others.
    fn refuted(&mut self, schur: Vec<Interval>, first: usize) -> Option<Vec<usize>> {
        let size = self.n - first;
        if size == 0 {
            return None;
        }
        // The minor of the eliminated rows and `first` is a product of positive pivots and this one.
        let pivot = schur[0];
        if pivot.upper <= 0.0 {
            let mut minor = self.eliminated.clone();
            minor.push(first);
            return Some(minor);
        }
        let without: Vec<Interval> = (1..size).flat_map(|i| schur[i * size + 1..(i + 1) * size].to_vec()).collect();
        if pivot.lower > 0.0 {
            let complement = self.eliminate(&schur, size);
            self.eliminated.push(first);
            let found = self.refuted(complement, first + 1);
            self.eliminated.pop();
            if found.is_some() {
                return found;
            }
        } else {
            self.undecided = true;
        }
        self.refuted(without, first + 1)
    }

    fn eliminate(&self, schur: &[Interval], size: usize) -> Vec<Interval> {
        let mut complement = Vec::with_capacity((size - 1) * (size - 1));
        for i in 1..size {
            let factor = schur[i * size].over(schur[0]);
            let zero = factor.lower == 0.0 && factor.upper == 0.0;
            for j in 1..size {
                let entry = schur[i * size + j];
                complement.push(if zero { entry } else { entry.minus(factor.times(schur[j])) });
            }
        }
        complement
    }
}
