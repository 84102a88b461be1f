//! The choice of the proof for given weights of a sparse matrix, cheapest first (theory 3.13 b).

use std::cell::OnceCell;
use std::fmt;

use ndarray::Array1;
use sprs::CsMat;

use super::formed::SymmetricPart;
use super::randomised::{self, DRAWS, Draw, THETA, error_probability};
use crate::linalg::sparse_cholesky::Plan;

/// A proof that weights certify a sparse matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Proof {
    /// A positive vector shows that the symmetric part is an H-matrix: `O(nonzeros)` a step. Weakest, and cheapest.
    HMatrix,
    /// A sparse Cholesky factorisation, with its rounding errors bounded beforehand.
    SparseCholesky,
    /// A dense Cholesky factorisation, with its rounding errors bounded beforehand: `8 n^2` bytes.
    DenseCholesky,
    /// A Chebyshev recurrence on random vectors: at most a stated probability of error over the draws.
    Randomised,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Proof::HMatrix => "H-matrix",
            Proof::SparseCholesky => "sparse Cholesky",
            Proof::DenseCholesky => "dense Cholesky",
            Proof::Randomised => "randomised",
        })
    }
}

/// Which proofs may be tried, and with how much memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Allowed {
    /// Only this one, if any.
    pub(super) only: Option<Proof>,
    /// Bytes of a factor.
    pub(super) memory: usize,
    pub(super) seed: u64,
}

/// Steps of the recurrence after which a randomised proof is given up.
const STEPS: usize = 20_000;
/// Entries a row beyond which a sparse factorisation is not planned unasked.
const LONG_ROWS: usize = 30;
/// Claims that are tried by randomised proofs; the probability of error counts them all.
pub(super) const ATTEMPTS: usize = 2;

/// The proofs for one matrix and one set of weights.
pub(super) struct Ladder {
    part: SymmetricPart,
    plan: OnceCell<Option<Plan>>,
    allowed: Allowed,
}

/// A claim that was proved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Proved {
    pub(super) proof: Proof,
    /// At most this probability of error, for a randomised proof.
    pub(super) error_probability: Option<f64>,
    pub(super) seed: u64,
    /// Steps of the recurrence.
    pub(super) steps: usize,
}

impl Ladder {
    /// For weights `d` of a matrix, from its rows and those of its transpose; `None` where numbers leave the range of proofs.
    pub(super) fn new(
        rows: &CsMat<f64>,
        transposed: &CsMat<f64>,
        rho: &Array1<f64>,
        d: &Array1<f64>,
        allowed: Allowed,
    ) -> Option<Self> {
        let part = SymmetricPart::new(rows, transposed, rho, d)?;
        Some(Self { part, plan: OnceCell::new(), allowed })
    }

    /// The symmetric part that the proofs are about.
    pub(super) fn part(&self) -> &SymmetricPart {
        &self.part
    }

    fn may(&self, proof: Proof) -> bool {
        self.allowed.only.is_none_or(|only| only == proof)
    }

    /// Whether a sparse factor fits into the memory allowed, and is worth its overhead over a dense one.
    fn sparse_plan(&self) -> Option<&Plan> {
        let n = self.part.size();
        let plan = || {
            // A factor has at least the entries of the matrix; where rows are long, it fills up, and to plan it takes long.
            let forced = self.allowed.only == Some(Proof::SparseCholesky);
            let (entries, rows) = (self.part.entries(), self.part.size());
            if entries.saturating_mul(8) > self.allowed.memory || (entries > LONG_ROWS * rows && !forced) {
                return None;
            }
            let plan = self.part.shifted(0.0).plan()?;
            let worth_it = self.allowed.only.is_some() || plan.entries() < n * n / 4;
            (worth_it && plan.entries().saturating_mul(8) <= self.allowed.memory).then_some(plan)
        };
        self.plan.get_or_init(plan).as_ref()
    }

    /// Whether a factorisation can decide, so that chance need not.
    pub(super) fn factors_fit(&self) -> bool {
        self.dense_fits() || self.sparse_plan().is_some()
    }

    fn dense_fits(&self) -> bool {
        let n = self.part.size();
        n.saturating_mul(n).saturating_mul(8) <= self.allowed.memory
    }

    /// Proves `D W + W'D + 2 delta D R^-1 < 0`, if it can; `top` is an estimate of the largest eigenvalue.
    pub(super) fn prove(&self, delta: f64, top: f64) -> Option<Proved> {
        self.prove_without_draws(delta).or_else(|| {
            let deterministic = self.allowed.only.is_none() && self.factors_fit();
            // What a factorisation refuses is not for chance to accept.
            if deterministic || !self.may(Proof::Randomised) { None } else { self.prove_by_draws(delta, top) }
        })
    }

    /// As [`prove`](Self::prove), by deterministic proofs only.
    pub(super) fn prove_without_draws(&self, delta: f64) -> Option<Proved> {
        let threshold = self.part.threshold(delta);
        let proved = |proof| Some(Proved { proof, error_probability: None, seed: 0, steps: 0 });
        if self.may(Proof::HMatrix) && self.part.proved_as_h_matrix(threshold) {
            return proved(Proof::HMatrix);
        }
        if self.may(Proof::SparseCholesky)
            && let Some(plan) = self.sparse_plan()
        {
            return if self.part.proved_by_sparse_factor(plan, threshold) {
                proved(Proof::SparseCholesky)
            } else {
                None
            };
        }
        if self.may(Proof::DenseCholesky) && self.dense_fits() && self.part.proved_by_dense_factor(threshold) {
            return proved(Proof::DenseCholesky);
        }
        None
    }

    /// The randomised proof.
    pub(super) fn prove_by_draws(&self, delta: f64, top: f64) -> Option<Proved> {
        let draw = Draw { theta: THETA, seed: self.allowed.seed };
        let steps = randomised::accepted(&self.part, self.part.threshold(delta), top, draw, STEPS)?;
        let error_probability = Some(error_probability(THETA, DRAWS, ATTEMPTS));
        Some(Proved { proof: Proof::Randomised, error_probability, seed: self.allowed.seed, steps })
    }
}
