//! Play in rounds.

use std::ops::ControlFlow;

use ndarray::{Array1, ArrayBase, Data, Ix1};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::cycle::Recurrence;
use super::field::larger;
use super::options::{Observer, RunOptions, require, run_options};
use super::record::{Counts, Record, Sampling};
use super::rest::{Rest, Verdict};
use super::trajectory::{Limit, Step, StopReason, Trajectory};
use crate::Scalar;
use crate::error::{Error, Result};
use crate::game::{Game, best_rate};
use crate::network::Circuit;
use crate::stability::NetworkCertificate;

/// Who moves when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Order {
    /// All neurons at once, each seeing the others' rates of the round before.
    #[default]
    Simultaneous,
    /// One after the other in their numbering, each seeing all moves before its own.
    Cyclic,
    /// One after the other, every round in a new random order. The same seed gives the same play on every machine.
    Random {
        /// Where the random orders start.
        seed: u64,
    },
}

/// What a neuron does when it moves.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Move<A> {
    /// It plays its best response to the others (theory 2.1); of several, the one of least magnitude.
    #[default]
    BestResponse,
    /// It takes a proximal pseudo-gradient step `x_i <- prox_{step E_act}(x_i - step F_i(x))` (theory 1.4); step 1 is
    /// `x_i <- phi_i((W x + u)_i)`.
    Proximal {
        /// The step, finite and above 0.
        step: A,
    },
}

impl<'a, A: Scalar> Game<'a, A> {
    /// Starts discrete play: by default simultaneous, undamped best responses from the rates 0.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::dynamics::{Order, StopReason};
    /// use neuronash::network::FiringRateNetwork;
    ///
    /// // Two neurons that inhibit each other as strongly as they are driven.
    /// let net = FiringRateNetwork::builder(array![[0.0, -1.0], [-1.0, 0.0]])
    ///     .activation(Relu)
    ///     .input(&array![1.0, 1.0])
    ///     .build()?;
    /// let all_at_once = net.game().play().run()?;
    /// assert_eq!(all_at_once.stop(), StopReason::CycleDetected { period: 2.0 });
    /// let in_turn = net.game().play().order(Order::Cyclic).run()?;
    /// assert!(in_turn.converged());
    /// assert_eq!(in_turn.final_state(), array![1.0, 0.0]);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn play(&self) -> Play<'a, A> {
        Play {
            circuit: &self.network().circuit,
            order: Order::default(),
            moves: Move::default(),
            damping: A::one(),
            tolerance: A::of(100.0) * A::epsilon(),
            max_rounds: 10_000,
            options: RunOptions::new(A::epsilon().powf(A::of(0.6))),
        }
    }
}

/// Discrete play, from its initial rates until rest, a cycle, a limit, or until an observer stops it.
///
/// Everything is checked at [`run`](Self::run). The [`Trajectory`] counts time in rounds, in each of which every neuron
/// moves once.
///
/// The rates are recorded after every round, `n` numbers each; [`record_ends`](Self::record_ends) keeps the first and the last.
///
/// ```
/// use ndarray::array;
/// use neuronash::activation::Relu;
/// use neuronash::dynamics::{Move, Order};
/// use neuronash::network::FiringRateNetwork;
///
/// let net = FiringRateNetwork::<f64>::builder(array![[0.0, -0.5], [0.5, 0.0]])
///     .activation(Relu)
///     .input(&array![1.0, 0.0])
///     .build()?;
/// let play = net
///     .game()
///     .play()
///     .order(Order::Random { seed: 1 })
///     .moves(Move::Proximal { step: 0.5 })
///     .damping(0.8)
///     .tolerance(1e-9)
///     .record_exploitability()
///     .run()?;
/// assert!(play.converged() && (play.final_state()[0] - 0.8).abs() < 1e-8);
/// let left = play.exploitability().expect("asked for");
/// assert!(left[play.steps()] < 1e-15 && left[0] > 0.1);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[must_use]
pub struct Play<'a, A> {
    circuit: &'a Circuit<A>,
    order: Order,
    moves: Move<A>,
    damping: A,
    tolerance: A,
    max_rounds: usize,
    options: RunOptions<'a, A>,
}

run_options!(Play, "rates", "round");

impl<'a, A: Scalar> Play<'a, A> {
    /// Who moves when; all at once if not given.
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// What a neuron does when it moves; its best response if not given.
    pub fn moves(mut self, moves: Move<A>) -> Self {
        self.moves = moves;
        self
    }

    /// How far a neuron goes of the way to its move, above 0 and at most 1; all the way if not given.
    pub fn damping(mut self, fraction: A) -> Self {
        self.damping = fraction;
        self
    }

    /// The play has converged once no neuron's undamped move (per unit of step, for steps below 1) is longer than
    /// `tolerance max(1, max_i |x_i|)`; 100 machine epsilons if not given. If some rate is above 1 in magnitude, the
    /// longest move must besides have fallen to a half since it first was that short, so that rates that grow for ever by
    /// the same amount do not count as converged.
    pub fn tolerance(mut self, tolerance: A) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Stops after this number of rounds; 10,000 if not given.
    pub fn max_rounds(mut self, rounds: usize) -> Self {
        self.max_rounds = rounds;
        self
    }

    /// How closely the rates must return, relative to how far they went, to count as a cycle; `None` never looks for
    /// cycles. The machine epsilon to the power 0.6 if not given. Play in random order has no cycles to look for.
    ///
    /// Rates that have returned are watched: two more returns, as many rounds later each, must move by no more than
    /// rounding explains, or by ever less, so that what is left is within a quarter of the tolerance. A slow approach
    /// or growth that turns in every round is no cycle. The period is the least one.
    pub fn cycle_tolerance(mut self, tolerance: Option<A>) -> Self {
        self.options.cycle_tolerance = tolerance;
        self
    }

    /// Plays.
    ///
    /// # Errors
    /// Initial rates of the wrong length or not finite; options outside what their setters allow.
    pub fn run(mut self) -> Result<Trajectory<A>> {
        let x = self.check()?;
        let record = Record::new(self.circuit, false, std::mem::take(&mut self.options.wishes))?;
        let mut table = Table {
            circuit: self.circuit,
            self_weights: self.circuit.weights.diagonal(),
            moves: self.moves,
            damping: self.damping,
            simultaneous: self.order == Order::Simultaneous,
            sequence: (0..self.circuit.len()).collect(),
            rng: match self.order {
                Order::Random { seed } => Some(ChaCha8Rng::seed_from_u64(seed)),
                _ => None,
            },
            drive: Array1::zeros(self.circuit.len()),
            x,
        };
        let observer = self.options.observer.take();
        Ok(self.play_rounds(&mut table, record, observer))
    }

    fn check(&self) -> Result<Array1<A>> {
        let above_0 = |v: A| v > A::zero();
        require("damping", self.damping, above_0(self.damping) && self.damping <= A::one(), "above 0 and up to 1")?;
        if let Move::Proximal { step } = self.moves {
            require("step", step, above_0(step) && step.is_finite(), "finite numbers above 0")?;
        }
        let tolerance = self.tolerance;
        require("tolerance", tolerance, above_0(tolerance) && tolerance <= A::one(), "numbers above 0 and up to 1")?;
        if self.max_rounds == 0 {
            return Err(Error::invalid("max_rounds", 0, "at least 1"));
        }
        self.options.check(self.circuit.len())
    }

    fn play_rounds(
        &self,
        table: &mut Table<'_, A>,
        mut record: Record<'_, A>,
        mut observer: Option<Observer<'a, A>>,
    ) -> Trajectory<A> {
        let is_map = !matches!(self.order, Order::Random { .. });
        let mut recurrence = self.options.cycle_tolerance.filter(|_| is_map).map(Recurrence::new);
        let mut rest = Rest::new(self.tolerance);
        let input = self.circuit.input.view();
        let mut round = 0;
        let stop = loop {
            let time = A::of(round as f64);
            if round == 0 || self.options.sampling == Sampling::Steps {
                record.push(time, &table.x.to_vec(), input);
            }
            let step = Step { number: round, time, state: table.x.view() };
            if observer.as_mut().is_some_and(|observer| observer(&step).is_break()) {
                break StopReason::Interrupted;
            }
            let period = recurrence.as_mut().and_then(|r| table.x.as_slice().and_then(|x| r.see(x)));
            if let Some(period) = period {
                break StopReason::CycleDetected { period: A::of(period as f64) };
            }
            if round == self.max_rounds {
                break StopReason::LimitReached(Limit::Steps);
            }
            let size = table.size();
            let way = table.round();
            round += 1;
            if !table.within(self.options.divergence_bound) {
                break StopReason::Diverged;
            }
            match rest.see(way, size.max(A::one())) {
                Verdict::Moving => {}
                Verdict::AtRest => break StopReason::Converged,
                Verdict::Lost => break StopReason::Diverged,
            }
        };
        let time = A::of(round as f64);
        let x = table.x.to_vec();
        if record.last_time() != Some(time) {
            record.push(time, &x, input);
        }
        record.finish(time, &x, stop, Counts { steps: round, rejected: 0, evaluations: round })
    }
}

impl<A: Scalar> std::fmt::Debug for Play<'_, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Play")
            .field("order", &self.order)
            .field("moves", &self.moves)
            .field("damping", &self.damping)
            .field("initial", &self.options.initial)
            .field("tolerance", &self.tolerance)
            .field("max_rounds", &self.max_rounds)
            .finish_non_exhaustive()
    }
}

/// The game on the table: the rates, and who moves how.
struct Table<'a, A> {
    circuit: &'a Circuit<A>,
    self_weights: Array1<A>,
    moves: Move<A>,
    damping: A,
    simultaneous: bool,
    /// Who moves after whom, if not all at once.
    sequence: Vec<usize>,
    rng: Option<ChaCha8Rng>,
    drive: Array1<A>,
    x: Array1<A>,
}

impl<A: Scalar> Table<'_, A> {
    /// Plays one round; returns the longest undamped move.
    fn round(&mut self) -> A {
        if self.simultaneous {
            return self.all_at_once();
        }
        if let Some(rng) = &mut self.rng {
            self.sequence.shuffle(rng);
        }
        (0..self.x.len()).fold(A::zero(), |longest, k| larger(longest, self.in_turn(self.sequence[k])))
    }

    fn all_at_once(&mut self) -> A {
        self.circuit.weights.dot_into(self.x.view(), self.drive.view_mut());
        self.drive += &self.circuit.input;
        (0..self.x.len()).fold(A::zero(), |longest, i| {
            let drive = self.drive[i];
            larger(longest, self.advance(i, drive))
        })
    }

    /// Moves one neuron, which sees the rates as they are: one row of `W`.
    fn in_turn(&mut self, i: usize) -> A {
        let received: A = self.circuit.weights.row(i).map(|(j, w)| w * self.x[j]).sum();
        self.advance(i, received + self.circuit.input[i])
    }

    /// Moves one neuron with the drive `(W x + u)_i`; returns the length of its undamped move.
    fn advance(&mut self, i: usize, drive: A) -> A {
        let (x, activation) = (self.x[i], self.circuit.activation(i));
        let (target, unit) = match self.moves {
            Move::BestResponse => {
                let own = self.self_weights[i];
                (best_rate(own, drive - own * x, activation).unwrap_or_else(A::infinity), A::one())
            }
            Move::Proximal { step } => (activation.prox(x - step * (x - drive), step), step.min(A::one())),
        };
        // Searches compare numbers and would pass over an activation that gives none.
        let target = if activation.activate(drive).is_nan() { A::nan() } else { target };
        self.x[i] = if self.damping == A::one() { target } else { x + self.damping * (target - x) };
        (target - x).abs() / unit
    }

    fn size(&self) -> A {
        self.x.iter().map(|x| x.abs()).fold(A::zero(), larger)
    }

    fn within(&self, bound: A) -> bool {
        let size = self.size();
        !size.is_nan() && size <= bound
    }
}
