//! Play in rounds: the driver of every rule.

use ndarray::{Array1, ArrayView1};

use super::cycle::Recurrence;
use super::field::larger;
use super::record::{Counts, Players, Record, Sampling};
use super::rest::{Rest, Verdict};
use super::rule::{PlayRule, Simultaneous};
use super::run::{Run, require};
use super::trajectory::{Limit, Step, StopReason, Trajectory};
use crate::Scalar;
use crate::error::{Error, Result};
use crate::game::{Game, NeuralGame};

impl<A: Scalar> NeuralGame<A> {
    /// Starts discrete play: by default simultaneous, undamped best responses from the rates 0.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::dynamics::{Cyclic, StopReason};
    /// use neuronash::network::FiringRateNetwork;
    ///
    /// // Two neurons that inhibit each other as strongly as they are driven.
    /// let net = FiringRateNetwork::builder(array![[0.0, -1.0], [-1.0, 0.0]])
    ///     .activation(Relu)
    ///     .input(&array![1.0, 1.0])
    ///     .build()?;
    /// let all_at_once = net.game().play().run()?;
    /// assert_eq!(all_at_once.stop(), StopReason::CycleDetected { period: 2.0 });
    /// let in_turn = net.game().play().rule(Cyclic).run()?;
    /// assert!(in_turn.converged());
    /// assert_eq!(in_turn.final_state(), array![1.0, 0.0]);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn play<'a>(&self) -> Play<'a, A> {
        let mut play = Play::new(self.clone());
        play.kind.neural = Some(self.clone());
        play
    }
}

/// Discrete play of any [`Game`] by any [`PlayRule`], from its initial rates until rest, a cycle, a limit, or until an observer stops it.
///
/// Everything is checked at [`run`](Run::run). The [`Trajectory`] counts time in rounds.
///
/// The rates are recorded after every round, `n` numbers each; [`record_ends`](Run::record_ends) keeps the first and the last.
///
/// ```
/// use ndarray::array;
/// use neuronash::activation::Relu;
/// use neuronash::dynamics::{Damped, Proximal, Random};
/// use neuronash::network::FiringRateNetwork;
///
/// let net = FiringRateNetwork::<f64>::builder(array![[0.0, -0.5], [0.5, 0.0]])
///     .activation(Relu)
///     .input(&array![1.0, 0.0])
///     .build()?;
/// let play = net
///     .game()
///     .play()
///     .rule(Damped::new(0.8, Proximal::new(0.5, Random::new(1))))
///     .tolerance(1e-9)
///     .record_exploitability()
///     .run()?;
/// assert!(play.converged() && (play.final_state()[0] - 0.8).abs() < 1e-8);
/// let left = play.exploitability().expect("asked for");
/// assert!(left[play.steps()] < 1e-15 && left[0] > 0.1);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub type Play<'a, A> = Run<'a, A, InRounds<'a, A>>;

/// What [`Play`] has of its own.
pub struct InRounds<'a, A: Scalar> {
    game: Box<dyn Game<A> + 'a>,
    /// The same game, where it is one of neurons.
    neural: Option<NeuralGame<A>>,
    rule: Box<dyn PlayRule<A> + 'a>,
    tolerance: A,
    max_rounds: usize,
}

impl<'a, A: Scalar> Play<'a, A> {
    /// Starts play of any game: by default simultaneous, undamped best responses from the rates 0.
    pub fn new(game: impl Game<A> + 'a) -> Self {
        let kind = InRounds {
            game: Box::new(game),
            neural: None,
            rule: Box::new(Simultaneous),
            tolerance: A::of(100.0) * A::epsilon(),
            max_rounds: 10_000,
        };
        Run::of(kind, A::epsilon().powf(A::of(0.6)))
    }

    /// Who moves when, and where to; [`Simultaneous`] if not given.
    pub fn rule(mut self, rule: impl PlayRule<A> + 'a) -> Self {
        self.kind.rule = Box::new(rule);
        self
    }

    /// The play has converged once the longest move of a round, as the rule reports it (undamped, and per unit of step for steps
    /// below 1), is no longer than `tolerance max(1, max_i |x_i|)`; 100 machine epsilons if not given. If some rate is above 1 in
    /// magnitude, the longest move must besides have fallen to a half since it first was that short, so that rates that grow for
    /// ever by the same amount do not count as converged.
    pub fn tolerance(mut self, tolerance: A) -> Self {
        self.kind.tolerance = tolerance;
        self
    }

    /// Stops after this number of rounds; 10,000 if not given.
    pub fn max_rounds(mut self, rounds: usize) -> Self {
        self.kind.max_rounds = rounds;
        self
    }

    /// How closely the rates must return, relative to how far they went, to count as a cycle; `None` never looks for
    /// cycles. The machine epsilon to the power 0.6 if not given. Rules [with a memory](PlayRule::has_memory) have no cycles to look
    /// for.
    ///
    /// Rates that have returned are watched: two more returns, as many rounds later each, must move by no more than
    /// rounding explains, or by ever less, so that what is left is within a quarter of the tolerance. A slow approach
    /// or growth that turns in every round is no cycle. The period is the least one.
    pub fn cycle_tolerance(mut self, tolerance: Option<A>) -> Self {
        self.cycle_tolerance = tolerance;
        self
    }

    /// Plays.
    ///
    /// # Errors
    /// A game without players; initial rates of the wrong length or not finite; options outside what their setters allow; those of
    /// [`PlayRule::check`]; a Lyapunov function for a game that is not one of neurons with synapses.
    pub fn run(mut self) -> Result<Trajectory<A>> {
        let x = self.check()?;
        let InRounds { game, neural, mut rule, tolerance, max_rounds } = self.kind;
        let circuit = neural.as_ref().and_then(NeuralGame::circuit);
        let input = neural.as_ref().map(NeuralGame::input);
        let record = Record::new(x.len(), Players::Rates(&*game), circuit.as_ref(), self.wishes)?;
        let recurrence = self.cycle_tolerance.filter(|_| !rule.has_memory()).map(Recurrence::new);
        let table = Table {
            game: &*game,
            rule: &mut *rule,
            input,
            rest: Rest::new(tolerance),
            recurrence,
            max_rounds,
            bound: self.divergence_bound,
        };
        let mut observer = self.observer.take();
        let watch = |step: &Step<'_, A>| observer.as_mut().is_some_and(|observer| observer(step).is_break());
        Ok(table.play(x, record, self.sampling == Sampling::Steps, watch))
    }

    fn check(&self) -> Result<Array1<A>> {
        self.kind.rule.check()?;
        let tolerance = self.kind.tolerance;
        let allowed = tolerance > A::zero() && tolerance <= A::one();
        require("tolerance", tolerance, allowed, "numbers above 0 and up to 1")?;
        if self.kind.max_rounds == 0 {
            return Err(Error::invalid("max_rounds", 0, "at least 1"));
        }
        let players = self.kind.game.players();
        if players == 0 {
            return Err(Error::Empty { argument: "game".into() });
        }
        self.check_initial(players)
    }
}

impl<A: Scalar> std::fmt::Debug for Play<'_, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Play")
            .field("rule", &self.kind.rule)
            .field("initial", &self.initial_given())
            .field("tolerance", &self.kind.tolerance)
            .field("max_rounds", &self.kind.max_rounds)
            .finish_non_exhaustive()
    }
}

/// A game on the table.
struct Table<'t, A: Scalar> {
    game: &'t dyn Game<A>,
    rule: &'t mut dyn PlayRule<A>,
    input: Option<ArrayView1<'t, A>>,
    rest: Rest<A>,
    recurrence: Option<Recurrence<A>>,
    max_rounds: usize,
    bound: A,
}

impl<A: Scalar> Table<'_, A> {
    /// Plays until there is a reason to stop; `watch` tells whether the observer gives one.
    fn play(
        mut self,
        mut x: Array1<A>,
        mut record: Record<'_, A>,
        every_round: bool,
        mut watch: impl FnMut(&Step<'_, A>) -> bool,
    ) -> Trajectory<A> {
        let mut round = 0;
        let stop = loop {
            let time = A::of(round as f64);
            if round == 0 || every_round {
                record.push(time, &x.to_vec(), self.input);
            }
            if watch(&Step { number: round, time, state: x.view() }) {
                break StopReason::Interrupted;
            }
            let period = self.recurrence.as_mut().and_then(|r| x.as_slice().and_then(|x| r.see(x)));
            if let Some(period) = period {
                break StopReason::CycleDetected { period: A::of(period as f64) };
            }
            if round == self.max_rounds {
                break StopReason::LimitReached(Limit::Steps);
            }
            let size = size(&x);
            let way = self.rule.round(self.game, x.view_mut());
            round += 1;
            if let Some(stop) = self.judge(&x, way, size) {
                break stop;
            }
        };
        let time = A::of(round as f64);
        if record.last_time() != Some(time) {
            record.push(time, &x.to_vec(), self.input);
        }
        record.finish(time, &x.to_vec(), stop, Counts { steps: round, rejected: 0, evaluations: round })
    }

    /// Whether play ends after a round whose longest move was `way`, from rates of this size.
    fn judge(&mut self, x: &Array1<A>, way: A, before: A) -> Option<StopReason<A>> {
        let size = size(x);
        if size.is_nan() || size > self.bound {
            return Some(StopReason::Diverged);
        }
        match self.rest.see(way, before.max(A::one())) {
            Verdict::Moving => None,
            Verdict::AtRest => Some(StopReason::Converged),
            Verdict::Lost => Some(StopReason::Diverged),
        }
    }
}

/// `max_i |x_i|`, or NaN.
fn size<A: Scalar>(x: &Array1<A>) -> A {
    x.iter().map(|x| x.abs()).fold(A::zero(), larger)
}
