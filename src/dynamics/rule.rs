//! Ways of playing in rounds: who moves when, and where to.

use std::fmt::Debug;

use ndarray::{Array1, ArrayView1, ArrayViewMut1};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::field::larger;
use super::run::require;
use crate::Scalar;
use crate::error::Result;
use crate::game::{Game, Move};

/// A way of playing: one round of it.
///
/// [`Simultaneous`], [`Cyclic`] and [`Random`] say who moves when; [`Damped`] and [`Proximal`] change how players move under another rule,
/// and may be combined. [`Play`](super::Play) drives any rule: it records, looks for cycles and stops.
///
/// ```
/// use ndarray::{ArrayViewMut1, array};
/// use neuronash::activation::Relu;
/// use neuronash::dynamics::PlayRule;
/// use neuronash::game::Game;
/// use neuronash::network::FiringRateNetwork;
///
/// /// In every round, only the player moves that would go farthest.
/// #[derive(Debug)]
/// struct MostEager;
///
/// impl PlayRule<f64> for MostEager {
///     fn round(&mut self, game: &dyn Game<f64>, mut x: ArrayViewMut1<'_, f64>) -> f64 {
///         let moves = game.next_moves(x.view());
///         let eager = (0..x.len()).max_by(|&i, &j| moves[i].way.total_cmp(&moves[j].way)).expect("at least one player");
///         x[eager] = moves[eager].to;
///         moves[eager].way
///     }
/// }
///
/// let net = FiringRateNetwork::builder(array![[0.0, -1.0], [-1.0, 0.0]])
///     .activation(Relu)
///     .input(&array![1.0, 1.5])
///     .build()?;
/// let play = net.game().play().rule(MostEager).run()?;
/// assert!(play.converged());
/// assert_eq!(play.final_state(), array![0.0, 1.5]);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub trait PlayRule<A: Scalar>: Debug {
    /// Plays one round: moves the rates `x`, shape `[players]`, and returns the length of the longest move, or of the longest that
    /// players would have made if nothing had held them back; 0 means rest, and NaN or infinity that the play diverges.
    ///
    /// Players should be moved as [`Game::next_move`] or [`Game::next_moves`] say, so that the rule can be [`Damped`] or made
    /// [`Proximal`].
    fn round(&mut self, game: &dyn Game<A>, x: ArrayViewMut1<'_, A>) -> A;

    /// Whether a round depends on more than the rates before it. If so, rates that come back are no cycle, and none is looked for.
    fn has_memory(&self) -> bool {
        false
    }

    /// Checks the rule's parameters before the play begins.
    ///
    /// # Errors
    /// Parameters that are not allowed.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

impl<A: Scalar, R: PlayRule<A> + ?Sized> PlayRule<A> for Box<R> {
    fn round(&mut self, game: &dyn Game<A>, x: ArrayViewMut1<'_, A>) -> A {
        (**self).round(game, x)
    }
    fn has_memory(&self) -> bool {
        (**self).has_memory()
    }
    fn check(&self) -> Result<()> {
        (**self).check()
    }
}

/// All players move at once, each seeing the others' rates of the round before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Simultaneous;

impl<A: Scalar> PlayRule<A> for Simultaneous {
    fn round(&mut self, game: &dyn Game<A>, x: ArrayViewMut1<'_, A>) -> A {
        let moves = game.next_moves(x.view());
        x.into_iter().zip(moves).fold(A::zero(), |longest, (x, Move { to, way })| {
            *x = to;
            larger(longest, way)
        })
    }
}

/// One player after the other in their numbering, each seeing all moves before its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cyclic;

impl<A: Scalar> PlayRule<A> for Cyclic {
    fn round(&mut self, game: &dyn Game<A>, x: ArrayViewMut1<'_, A>) -> A {
        in_turn(game, x, 0..game.players())
    }
}

/// One player after the other, every round in a new random order. The same seed gives the same play on every machine.
#[derive(Debug, Clone)]
pub struct Random {
    rng: ChaCha8Rng,
    sequence: Vec<usize>,
}

impl Random {
    /// The random orders that start from this seed.
    pub fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), sequence: Vec::new() }
    }
}

impl<A: Scalar> PlayRule<A> for Random {
    fn round(&mut self, game: &dyn Game<A>, x: ArrayViewMut1<'_, A>) -> A {
        if self.sequence.len() != game.players() {
            self.sequence = (0..game.players()).collect();
        }
        self.sequence.shuffle(&mut self.rng);
        in_turn(game, x, self.sequence.iter().copied())
    }

    fn has_memory(&self) -> bool {
        true
    }
}

fn in_turn<A: Scalar>(game: &dyn Game<A>, mut x: ArrayViewMut1<'_, A>, turns: impl Iterator<Item = usize>) -> A {
    turns.fold(A::zero(), |longest, i| {
        let Move { to, way } = game.next_move(i, x.view());
        x[i] = to;
        larger(longest, way)
    })
}

/// Another rule, under which players go only a part of the way to where they would move.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Damped<A, R = Simultaneous> {
    fraction: A,
    rule: R,
}

impl<A: Scalar, R: PlayRule<A>> Damped<A, R> {
    /// The fraction of the way, above 0 and at most 1, which is checked when the play begins.
    pub fn new(fraction: A, rule: R) -> Self {
        Self { fraction, rule }
    }
}

impl<A: Scalar, R: PlayRule<A>> PlayRule<A> for Damped<A, R> {
    fn round(&mut self, game: &dyn Game<A>, x: ArrayViewMut1<'_, A>) -> A {
        self.rule.round(&Otherwise { game, how: How::Damped { fraction: self.fraction } }, x)
    }
    fn has_memory(&self) -> bool {
        self.rule.has_memory()
    }
    fn check(&self) -> Result<()> {
        let fraction = self.fraction;
        require("damping", fraction, fraction > A::zero() && fraction <= A::one(), "above 0 and up to 1")?;
        self.rule.check()
    }
}

/// Another rule, under which a player takes a proximal pseudo-gradient step `x_i <- prox_{step g_i}(x_i - step F_i(x))` (theory 1.4) instead
/// of its best response; for neurons, step 1 is `x_i <- phi_i(z_i(x))`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Proximal<A, R = Simultaneous> {
    step: A,
    rule: R,
}

impl<A: Scalar, R: PlayRule<A>> Proximal<A, R> {
    /// The step, finite and above 0, which is checked when the play begins.
    pub fn new(step: A, rule: R) -> Self {
        Self { step, rule }
    }
}

impl<A: Scalar, R: PlayRule<A>> PlayRule<A> for Proximal<A, R> {
    fn round(&mut self, game: &dyn Game<A>, x: ArrayViewMut1<'_, A>) -> A {
        self.rule.round(&Otherwise { game, how: How::Proximal { step: self.step } }, x)
    }
    fn has_memory(&self) -> bool {
        self.rule.has_memory()
    }
    fn check(&self) -> Result<()> {
        let step = self.step;
        require("step", step, step > A::zero() && step.is_finite(), "finite numbers above 0")?;
        self.rule.check()
    }
}

/// A game whose players move otherwise than all the way to their best responses.
struct Otherwise<'a, A> {
    game: &'a dyn Game<A>,
    how: How<A>,
}

#[derive(Clone, Copy)]
enum How<A> {
    Damped { fraction: A },
    Proximal { step: A },
}

impl<A: Scalar> Otherwise<'_, A> {
    /// A damped move, from a move that the rules around this one have held back already.
    fn damped(&self, planned: Move<A>, from: A) -> Move<A> {
        match self.how {
            How::Damped { fraction } if fraction != A::one() => {
                Move { to: from + fraction * (planned.to - from), way: planned.way }
            }
            _ => planned,
        }
    }

    fn proximal(&self, step: A, i: usize, from: A, gradient: A) -> Move<A> {
        let to = self.game.proximal_rate(i, from - step * gradient, step);
        let planned = Move { to, way: (to - from).abs() / step.min(A::one()) };
        self.game.hold_back(planned, from)
    }
}

impl<A: Scalar> Game<A> for Otherwise<'_, A> {
    fn players(&self) -> usize {
        self.game.players()
    }
    fn own_energy(&self, i: usize, x: ArrayView1<'_, A>) -> A {
        self.game.own_energy(i, x)
    }
    fn own_gradient(&self, i: usize, x: ArrayView1<'_, A>) -> A {
        self.game.own_gradient(i, x)
    }
    fn best_rate(&self, i: usize, x: ArrayView1<'_, A>) -> A {
        self.game.best_rate(i, x)
    }
    fn proximal_rate(&self, i: usize, target: A, step: A) -> A {
        self.game.proximal_rate(i, target, step)
    }
    fn own_energies(&self, x: ArrayView1<'_, A>, out: ArrayViewMut1<'_, A>) {
        self.game.own_energies(x, out);
    }
    fn own_gradients(&self, x: ArrayView1<'_, A>, out: ArrayViewMut1<'_, A>) {
        self.game.own_gradients(x, out);
    }
    fn best_rates(&self, x: ArrayView1<'_, A>, out: ArrayViewMut1<'_, A>) {
        self.game.best_rates(x, out);
    }
    fn gains(&self, x: ArrayView1<'_, A>, out: ArrayViewMut1<'_, A>) {
        self.game.gains(x, out);
    }

    fn hold_back(&self, planned: Move<A>, from: A) -> Move<A> {
        self.damped(self.game.hold_back(planned, from), from)
    }

    fn next_move(&self, i: usize, x: ArrayView1<'_, A>) -> Move<A> {
        match self.how {
            How::Damped { .. } => self.damped(self.game.next_move(i, x), x[i]),
            How::Proximal { step } => self.proximal(step, i, x[i], self.game.own_gradient(i, x)),
        }
    }

    fn next_moves(&self, x: ArrayView1<'_, A>) -> Vec<Move<A>> {
        match self.how {
            How::Damped { .. } => {
                let mut moves = self.game.next_moves(x);
                moves.iter_mut().zip(x).for_each(|(planned, &from)| *planned = self.damped(*planned, from));
                moves
            }
            How::Proximal { step } => {
                let mut gradients = Array1::zeros(x.len());
                self.game.own_gradients(x, gradients.view_mut());
                gradients.iter().enumerate().map(|(i, &slope)| self.proximal(step, i, x[i], slope)).collect()
            }
        }
    }
}
