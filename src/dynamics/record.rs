//! Which states of a run are kept, and what is computed at each.

use ndarray::{Array1, Array2, ArrayView1};

use super::trajectory::{StopReason, Trajectory};
use crate::Scalar;
use crate::error::{Error, Result};
use crate::network::Circuit;
use crate::stability::NetworkCertificate;
use crate::stability::lyapunov::{HopfieldLyapunov, LyapunovFunction};

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

/// What a run was asked to compute at every sample.
#[derive(Debug, Clone)]
pub(super) struct Wishes<A> {
    pub(super) lyapunov: Option<(NetworkCertificate, Option<Array1<A>>)>,
}

impl<A> Default for Wishes<A> {
    fn default() -> Self {
        Self { lyapunov: None }
    }
}

/// The Lyapunov function of either form.
enum Lyapunov<'a, A> {
    Rates(LyapunovFunction<'a, A>),
    Potentials(HopfieldLyapunov<'a, A>),
}

/// The samples so far.
pub(super) struct Record<'a, A> {
    n: usize,
    times: Vec<A>,
    states: Vec<A>,
    lyapunov: Option<(Lyapunov<'a, A>, Vec<A>)>,
}

/// Counts of a run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) steps: usize,
    pub(super) rejected: usize,
    pub(super) evaluations: usize,
}

impl<'a, A: Scalar> Record<'a, A> {
    /// A record of a circuit whose states are potentials or rates.
    pub(super) fn new(circuit: &'a Circuit<A>, potentials: bool, wishes: Wishes<A>) -> Result<Self> {
        let lyapunov = match wishes.lyapunov {
            None => None,
            Some((certificate, None)) if !potentials => {
                Some(Lyapunov::Rates(LyapunovFunction::new(circuit, &certificate)?))
            }
            Some((certificate, Some(rest))) if potentials => {
                Some(Lyapunov::Potentials(HopfieldLyapunov::new(circuit, &certificate, rest)?))
            }
            Some(_) => {
                let allowed = "with an equilibrium for the Hopfield form, without one for rates";
                return Err(Error::invalid("record_lyapunov", "given for the other form", allowed));
            }
        };
        let lyapunov = lyapunov.map(|v| (v, Vec::new()));
        Ok(Self { n: circuit.len(), times: Vec::new(), states: Vec::new(), lyapunov })
    }

    /// Keeps the state `x` at time `t`, where the input is `input`.
    pub(super) fn push(&mut self, t: A, x: &[A], input: ArrayView1<'_, A>) {
        self.times.push(t);
        self.states.extend_from_slice(x);
        let x = ArrayView1::from(x);
        if let Some((lyapunov, values)) = &mut self.lyapunov {
            values.push(match lyapunov {
                Lyapunov::Rates(v) => v.terms_under(x, input).sum(),
                Lyapunov::Potentials(v) => v.value_at(x),
            });
        }
    }

    pub(super) fn last_time(&self) -> Option<A> {
        self.times.last().copied()
    }

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
            lyapunov: self.lyapunov.map(|(_, values)| Array1::from_vec(values)),
            final_time: t,
            final_state: Array1::from(x.to_vec()),
            stop,
            steps: counts.steps,
            rejected: counts.rejected,
            evaluations: counts.evaluations,
        }
    }
}
