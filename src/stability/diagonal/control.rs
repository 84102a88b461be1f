//! Limits of a search, and its control from outside.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::interior_point::InteriorPoint;
use super::ladder::{Allowed, Proof};

/// What an observer is told before each interior-point step, and before each sweep over a sparse matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Steps taken so far, over all strongly connected blocks.
    pub iterations: usize,
    /// Rows of the block at work, or of the sparse matrix.
    pub size: usize,
    /// The present duality gap; 0 at the optimum, infinite where it is not known.
    pub gap: f64,
    /// Time since the search began.
    pub elapsed: Duration,
}

type Observer = dyn Fn(&Progress) -> ControlFlow<()> + Send + Sync;

/// Options of a [`Certifier`](super::Certifier); each has a default.
#[derive(Clone)]
#[must_use]
pub struct CertifierBuilder {
    pub(super) tolerance: f64,
    pub(super) max_iterations: usize,
    pub(super) time_limit: Option<Duration>,
    pub(super) threads: Option<usize>,
    pub(super) observer: Option<Arc<Observer>>,
    pub(super) proof: Option<Proof>,
    pub(super) memory_limit: usize,
    pub(super) seed: u64,
}

impl Default for CertifierBuilder {
    fn default() -> Self {
        Self {
            tolerance: 1e-9,
            max_iterations: 200,
            time_limit: None,
            threads: None,
            observer: None,
            proof: None,
            memory_limit: 1 << 30,
            seed: 0,
        }
    }
}

impl fmt::Debug for CertifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertifierBuilder")
            .field("tolerance", &self.tolerance)
            .field("max_iterations", &self.max_iterations)
            .field("time_limit", &self.time_limit)
            .field("threads", &self.threads)
            .field("observer", &self.observer.is_some())
            .field("proof", &self.proof)
            .field("memory_limit", &self.memory_limit)
            .field("seed", &self.seed)
            .finish()
    }
}

/// Two observers are equal if they are the same one.
impl PartialEq for CertifierBuilder {
    fn eq(&self, other: &Self) -> bool {
        let same_observer = match (&self.observer, &other.observer) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        };
        same_observer
            && self.tolerance == other.tolerance
            && self.max_iterations == other.max_iterations
            && self.time_limit == other.time_limit
            && self.threads == other.threads
            && self.proof == other.proof
            && self.memory_limit == other.memory_limit
            && self.seed == other.seed
    }
}

impl CertifierBuilder {
    /// Relative distance of the proved bounds on a margin or gain at which the search ends. Default `1e-9`.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Interior-point steps per strongly connected block. Default 200; 8 to 20 are usual, 60 for the
    /// margin of a matrix whose best weights spread over many orders of magnitude.
    pub fn max_iterations(mut self, limit: usize) -> Self {
        self.max_iterations = limit;
        self
    }

    /// Wall-clock time, looked at before each interior-point step and each sweep over a sparse matrix. Default: none.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// Threads for products and factorisations, from 1 to 256; more than there are cores slow a search down. They are started
    /// by [`build`](Self::build), once for all searches. Default: those of the surrounding rayon pool. Without the feature
    /// `rayon`, and with the feature `lapack`, the backend's own setting counts.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// A function that is called before each interior-point step and each sweep over a sparse matrix, and may end the search
    /// by `ControlFlow::Break`.
    pub fn observer(mut self, observer: impl Fn(&Progress) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// The one proof that is tried for weights of a sparse matrix that its majorant does not decide and that is too large for the
    /// dense road. Default: the cheapest that does, a randomised one only where no factorisation fits into the memory allowed.
    /// The margin of a sparse matrix of any size is then bounded by the ascent and this proof.
    pub fn proof(mut self, proof: Proof) -> Self {
        self.proof = Some(proof);
        self
    }

    /// Bytes that a factorisation may take for the proof of a large sparse matrix. Default 2^30.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = bytes;
        self
    }

    /// Seed of randomised proofs, which also depend on the matrix. Default 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

/// Limits and counts of one search.
pub(super) struct Control<'a> {
    options: &'a CertifierBuilder,
    start: Instant,
    pub(super) iterations: usize,
    in_block: usize,
}

impl<'a> Control<'a> {
    pub(super) fn new(options: &'a CertifierBuilder) -> Self {
        Self { options, start: Instant::now(), iterations: 0, in_block: 0 }
    }

    pub(super) fn tolerance(&self) -> f64 {
        self.options.tolerance
    }

    /// The proofs of large sparse matrices that may be tried.
    pub(super) fn proofs(&self) -> Allowed {
        Allowed { only: self.options.proof, memory: self.options.memory_limit, seed: self.options.seed }
    }

    /// Starts the count of a new block.
    pub(super) fn next_block(&mut self) {
        self.in_block = 0;
    }

    pub(super) fn count(&mut self) {
        self.iterations += 1;
        self.in_block += 1;
    }

    /// Whether another step may be taken.
    pub(super) fn proceed(&self, point: &InteriorPoint<'_>) -> ControlFlow<Stop> {
        if self.in_block >= self.options.max_iterations {
            return ControlFlow::Break(Stop::IterationLimit);
        }
        self.proceed_from_outside(point.d.len(), point.gap())
    }

    /// Whether neither the time limit nor the observer ends the search, in which nothing bounds the gap.
    pub(super) fn proceed_with_sweep(&self, rows: usize) -> ControlFlow<Stop> {
        self.proceed_from_outside(rows, f64::INFINITY)
    }

    fn proceed_from_outside(&self, size: usize, gap: f64) -> ControlFlow<Stop> {
        let elapsed = self.start.elapsed();
        if self.options.time_limit.is_some_and(|limit| elapsed >= limit) {
            return ControlFlow::Break(Stop::TimeLimit);
        }
        let Some(observer) = &self.options.observer else { return ControlFlow::Continue(()) };
        let progress = Progress { iterations: self.iterations, size, gap, elapsed };
        match observer(&progress) {
            ControlFlow::Continue(()) => ControlFlow::Continue(()),
            ControlFlow::Break(()) => ControlFlow::Break(Stop::Interrupted),
        }
    }
}

/// Why a search ended without a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Stop {
    /// Rounding errors hide on which side of the boundary the matrix lies.
    NearBoundary,
    /// The limit on interior-point steps was reached.
    IterationLimit,
    /// The time limit was reached.
    TimeLimit,
    /// The observer asked to stop.
    Interrupted,
    /// The numbers of a proof leave the range of `f64`.
    Range,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stop::NearBoundary => "too near the boundary for double precision",
            Stop::IterationLimit => "iteration limit reached",
            Stop::TimeLimit => "time limit reached",
            Stop::Interrupted => "interrupted by the observer",
            Stop::Range => "the proof would leave the range of double precision",
        })
    }
}
