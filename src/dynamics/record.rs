//! Which states of a run are kept, and what is computed at each.

use ndarray::{Array1, Array2, ArrayView1};

use super::field::larger;
use super::trajectory::{StopReason, Trajectory};
use crate::Scalar;
use crate::error::{Error, Result};
use crate::game::{Game, NeuralGame};
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

/// Whose states a run records.
pub(super) enum Players<'a, A: Scalar> {
    /// Those of neurons, whose input may change in time.
    Neurons {
        game: NeuralGame<A>,
        /// Whether states are potentials, of which `Phi` makes rates.
        potentials: bool,
    },
    /// The rates of the players of any game.
    Rates(&'a dyn Game<A>),
}

impl<A: Scalar> Players<'_, A> {
    fn are_potentials(&self) -> bool {
        matches!(self, Players::Neurons { potentials: true, .. })
    }

    /// Their rates in the state `x`.
    fn rates(&self, x: ArrayView1<'_, A>) -> Array1<A> {
        let mut rates = x.to_owned();
        if let Players::Neurons { game, potentials: true } = self {
            game.neurons().activate(rates.view_mut());
        }
        rates
    }

    /// Lets the game be that under another input.
    fn move_to(&mut self, input: ArrayView1<'_, A>) {
        if let Players::Neurons { game, .. } = self
            && game.input() != input
        {
            *game = game.under(input.to_owned());
        }
    }

    fn game(&self) -> &dyn Game<A> {
        match self {
            Players::Neurons { game, .. } => game,
            Players::Rates(game) => *game,
        }
    }
}

/// The samples so far.
pub(super) struct Record<'a, A: Scalar> {
    n: usize,
    players: Players<'a, A>,
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
    /// A record of `n` players; `circuit` is theirs if they are neurons with synapses.
    pub(super) fn new(
        n: usize,
        players: Players<'a, A>,
        circuit: Option<&'a Circuit<A>>,
        wishes: Wishes<A>,
    ) -> Result<Self> {
        let potentials = players.are_potentials();
        let asked = wishes.lyapunov.map(|asked| match circuit {
            Some(circuit) => Ok((circuit, asked)),
            None => {
                let found = "given for a game that is not one of neurons with synapses";
                Err(Error::invalid("record_lyapunov", found, "the game of a network with these weights"))
            }
        });
        let asked = asked.transpose()?.map(|(circuit, (certificate, rest))| (circuit, certificate, rest));
        let lyapunov = match asked {
            None => None,
            Some((circuit, certificate, None)) if !potentials => {
                Some(Lyapunov::Rates(LyapunovFunction::new(circuit, &certificate)?))
            }
            Some((circuit, certificate, Some(rest))) if potentials => {
                Some(Lyapunov::Potentials(HopfieldLyapunov::new(circuit, &certificate, rest)?))
            }
            Some((_, _, None)) => {
                let allowed = "`record_lyapunov_about` for potentials";
                return Err(Error::invalid("record_lyapunov", "given for the Hopfield form", allowed));
            }
            Some((_, _, Some(_))) => {
                let allowed = "`record_lyapunov` for rates";
                return Err(Error::invalid("record_lyapunov_about", "given for a flow of rates", allowed));
            }
        };
        let lyapunov = lyapunov.map(|v| (v, Vec::new()));
        Ok(Self {
            n,
            players,
            energies: wishes.energies.then(Vec::new),
            exploitability: wishes.exploitability.then(Default::default),
            times: Vec::new(),
            states: Vec::new(),
            lyapunov,
        })
    }

    /// Keeps the state `x` at time `t`, where the input of neurons is `input`.
    pub(super) fn push(&mut self, t: A, x: &[A], input: Option<ArrayView1<'_, A>>) {
        self.times.push(t);
        self.states.extend_from_slice(x);
        let x = ArrayView1::from(x);
        if self.energies.is_some() || self.exploitability.is_some() {
            if let Some(input) = input {
                self.players.move_to(input);
            }
            let rates = self.players.rates(x);
            // States that are not finite have no energies; a run that diverges may end in one.
            let mut each = Array1::from_elem(self.n, A::nan());
            let is_finite = rates.iter().all(|x| x.is_finite());
            if let Some(values) = &mut self.energies {
                if is_finite {
                    self.players.game().own_energies(rates.view(), each.view_mut());
                }
                values.extend(&each);
            }
            if let Some((largest, sum)) = &mut self.exploitability {
                if is_finite {
                    self.players.game().gains(rates.view(), each.view_mut());
                }
                largest.push(each.iter().copied().fold(A::zero(), larger));
                sum.push(each.sum());
            }
        }
        if let Some((lyapunov, values)) = &mut self.lyapunov {
            values.push(match (lyapunov, input) {
                (Lyapunov::Rates(v), Some(input)) => v.terms_under(x, input).sum(),
                (Lyapunov::Rates(_), None) => A::nan(),
                (Lyapunov::Potentials(v), _) => v.value_at(x),
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
