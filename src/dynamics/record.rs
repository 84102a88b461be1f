//! Which states of a run are kept, and what is computed at each.

use ndarray::{Array1, Array2, ArrayView1};

use super::trajectory::{StopReason, Trajectory};
use crate::Scalar;

/// When states are kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sampling<A> {
    /// After every accepted step or round.
    Steps,
    /// At these times, interpolated.
    Times(Vec<A>),
    /// The first and the last.
    Ends,
}

/// The samples so far.
#[derive(Debug)]
pub(super) struct Record<A> {
    n: usize,
    times: Vec<A>,
    states: Vec<A>,
}

/// Counts of a run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) steps: usize,
    pub(super) rejected: usize,
    pub(super) evaluations: usize,
}

impl<A: Scalar> Record<A> {
    pub(super) fn new(n: usize) -> Self {
        Self { n, times: Vec::new(), states: Vec::new() }
    }

    pub(super) fn push(&mut self, t: A, x: &[A]) {
        self.times.push(t);
        self.states.extend_from_slice(x);
    }

    pub(super) fn last_time(&self) -> Option<A> {
        self.times.last().copied()
    }
}

impl<A: Scalar> Record<A> {
    /// Closes the record with the state in which the run stopped.
    pub(super) fn finish(self, t: A, x: &[A], stop: StopReason<A>, counts: Counts) -> Trajectory<A> {
        let samples = self.times.len();
        let mut states = Array2::zeros((samples, self.n));
        for (k, mut row) in states.rows_mut().into_iter().enumerate() {
            row.assign(&ArrayView1::from(&self.states[k * self.n..(k + 1) * self.n]));
        }
        Trajectory {
            times: Array1::from_vec(self.times),
            states,
            energies: None,
            exploitability: None,
            lyapunov: None,
            final_time: t,
            final_state: Array1::from(x.to_vec()),
            stop,
            steps: counts.steps,
            rejected: counts.rejected,
            evaluations: counts.evaluations,
        }
    }
}
