//! Which states of a run are kept, and what is computed at each.

use ndarray::{Array1, Array2, ArrayView1};

use super::trajectory::{StopReason, Trajectory};
use crate::Scalar;
use crate::error::{Error, Result};
use crate::network::{Circuit, FiringRateNetwork};
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
    pub(super) energies: bool,
    pub(super) exploitability: bool,
    pub(super) lyapunov: Option<(NetworkCertificate, Option<Array1<A>>)>,
}

impl<A> Default for Wishes<A> {
    fn default() -> Self {
        Self { energies: false, exploitability: false, lyapunov: None }
    }
}

/// The Lyapunov function of either form.
enum Lyapunov<'a, A> {
    Rates(LyapunovFunction<'a, A>),
    Potentials(HopfieldLyapunov<'a, A>),
}

/// The players of a run, under the input of the last sample.
struct Players<A> {
    net: FiringRateNetwork<A>,
    /// Whether states are potentials, of which `Phi` makes rates.
    potentials: bool,
}

/// The samples so far.
pub(super) struct Record<'a, A> {
    n: usize,
    players: Option<Players<A>>,
    energies: Option<Vec<A>>,
    /// The largest gain and the sum of all gains.
    exploitability: Option<(Vec<A>, Vec<A>)>,
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
            Some((_, None)) => {
                let allowed = "`record_lyapunov_about` for potentials";
                return Err(Error::invalid("record_lyapunov", "given for the Hopfield form", allowed));
            }
            Some((_, Some(_))) => {
                let allowed = "`record_lyapunov` for rates";
                return Err(Error::invalid("record_lyapunov_about", "given for a flow of rates", allowed));
            }
        };
        let lyapunov = lyapunov.map(|v| (v, Vec::new()));
        let play = wishes.energies || wishes.exploitability;
        Ok(Self {
            n: circuit.len(),
            players: play.then(|| Players { net: FiringRateNetwork::of_circuit(circuit.clone()), potentials }),
            energies: wishes.energies.then(Vec::new),
            exploitability: wishes.exploitability.then(Default::default),
            times: Vec::new(),
            states: Vec::new(),
            lyapunov,
        })
    }

    /// Keeps the state `x` at time `t`, where the input is `input`.
    pub(super) fn push(&mut self, t: A, x: &[A], input: ArrayView1<'_, A>) {
        self.times.push(t);
        self.states.extend_from_slice(x);
        let x = ArrayView1::from(x);
        if let Some(players) = &mut self.players {
            players.net.circuit.input.assign(&input);
            let mut rates = x.to_owned();
            if players.potentials {
                players.net.circuit.activate(rates.view_mut());
            }
            let game = players.net.game();
            // Only states that are not finite have no energies; a run that diverges may end in one.
            if let Some(values) = &mut self.energies {
                let energies = game.energies(&rates).map(|e| e.total);
                values.extend(energies.unwrap_or_else(|_| Array1::from_elem(self.n, A::nan())));
            }
            if let Some((largest, sum)) = &mut self.exploitability {
                let gains = game.exploitability(&rates).map(|e| (e.max(), e.sum()));
                let (max, total) = gains.unwrap_or((A::nan(), A::nan()));
                largest.push(max);
                sum.push(total);
            }
        }
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
        let shape = (self.times.len(), self.n);
        let (exploitability, nash_conv) = self.exploitability.unzip();
        Trajectory {
            times: Array1::from_vec(self.times),
            states: by_rows(shape, self.states),
            energies: self.energies.map(|values| by_rows(shape, values)),
            exploitability: exploitability.map(Array1::from_vec),
            nash_conv: nash_conv.map(Array1::from_vec),
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

/// The values row by row; there is one for every place.
fn by_rows<A: Scalar>((rows, columns): (usize, usize), values: Vec<A>) -> Array2<A> {
    let mut values = values.into_iter();
    Array2::from_shape_simple_fn((rows, columns), || values.next().unwrap_or_else(A::nan))
}
