//! Games as ways of playing see them.

use ndarray::{Array1, ArrayView1, ArrayViewMut1};

use super::NeuralGame;
use super::alone::Alone;
use crate::Scalar;

/// A game with one number per player, here called its rate, in which player `i` pays `E_i(x) = f_i(x) + g_i(x_i)`: `f_i` is smooth in the
/// player's own rate, `g_i` is a cost of its own, possibly with kinks and infinite outside some interval.
///
/// [`NeuralGame`] implements it with the interaction cost as `f_i` and the activation cost as `g_i`, and so may any other game. A
/// [`PlayRule`](crate::dynamics::PlayRule) is written against it. Rates `x` have shape `[players]`; numbers that are not finite say what
/// they mean, and NaN that there is no answer.
///
/// ```
/// use ndarray::ArrayView1;
/// use neuronash::dynamics::{Cyclic, Play};
/// use neuronash::game::Game;
///
/// /// Cournot's two firms, with the price 12 less what both sell, and no costs.
/// struct Duopoly;
///
/// impl Game<f64> for Duopoly {
///     fn players(&self) -> usize {
///         2
///     }
///     fn own_energy(&self, i: usize, x: ArrayView1<'_, f64>) -> f64 {
///         -x[i] * (12.0 - x.sum())
///     }
///     fn own_gradient(&self, i: usize, x: ArrayView1<'_, f64>) -> f64 {
///         x[i] - (12.0 - x.sum())
///     }
///     fn best_rate(&self, i: usize, x: ArrayView1<'_, f64>) -> f64 {
///         ((12.0 - x[1 - i]) / 2.0).max(0.0)
///     }
/// }
///
/// let play = Play::new(Duopoly).rule(Cyclic).record_exploitability().run()?;
/// assert!(play.converged() && (play.final_state()[0] - 4.0).abs() < 1e-12);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub trait Game<A: Scalar> {
    /// The number of players, at least 1.
    fn players(&self) -> usize;

    /// What player `i` pays: `E_i(x)`.
    fn own_energy(&self, i: usize, x: ArrayView1<'_, A>) -> A;

    /// The slope `df_i/dx_i` of the smooth part of player `i`'s energy in its own rate: its entry of the pseudo-gradient.
    fn own_gradient(&self, i: usize, x: ArrayView1<'_, A>) -> A;

    /// A rate that minimises player `i`'s energy while the others stay at `x`; infinite if the energy falls for ever.
    fn best_rate(&self, i: usize, x: ArrayView1<'_, A>) -> A;

    /// `argmin_s g_i(s) + (s - target)^2/(2 step)`; the target itself if there is no `g_i`.
    fn proximal_rate(&self, i: usize, target: A, step: A) -> A {
        let _ = (i, step);
        target
    }

    /// Writes [`own_energy`](Self::own_energy) of all.
    fn own_energies(&self, x: ArrayView1<'_, A>, mut out: ArrayViewMut1<'_, A>) {
        out.iter_mut().enumerate().for_each(|(i, out)| *out = self.own_energy(i, x));
    }

    /// Writes [`own_gradient`](Self::own_gradient) of all: the pseudo-gradient.
    fn own_gradients(&self, x: ArrayView1<'_, A>, mut out: ArrayViewMut1<'_, A>) {
        out.iter_mut().enumerate().for_each(|(i, out)| *out = self.own_gradient(i, x));
    }

    /// Writes [`best_rate`](Self::best_rate) of all, each to the same `x`.
    fn best_rates(&self, x: ArrayView1<'_, A>, mut out: ArrayViewMut1<'_, A>) {
        out.iter_mut().enumerate().for_each(|(i, out)| *out = self.best_rate(i, x));
    }

    /// Writes what every player gains by moving alone to its best response, at least 0; their maximum is the exploitability.
    fn gains(&self, x: ArrayView1<'_, A>, mut out: ArrayViewMut1<'_, A>) {
        let mut moved = x.to_owned();
        for (i, out) in out.iter_mut().enumerate() {
            moved[i] = self.best_rate(i, x);
            let (now, then) = (self.own_energy(i, x), self.own_energy(i, moved.view()));
            // A best response that rounding made worse is no gain.
            *out = if moved[i].is_finite() { if now < then { A::zero() } else { now - then } } else { A::infinity() };
            moved[i] = x[i];
        }
    }

    /// What becomes of a move that a player at the rate `from` has planned: all of it, unless a rule holds players back.
    fn hold_back(&self, planned: Move<A>, from: A) -> Move<A> {
        let _ = from;
        planned
    }

    /// How player `i` moves: all the way to its best response. Rules that change how players move
    /// ([`Damped`](crate::dynamics::Damped), [`Proximal`](crate::dynamics::Proximal)) hand on a game that answers otherwise.
    fn next_move(&self, i: usize, x: ArrayView1<'_, A>) -> Move<A> {
        Move::to(self.best_rate(i, x), x[i])
    }

    /// [`next_move`](Self::next_move) of all, each from the same `x`.
    fn next_moves(&self, x: ArrayView1<'_, A>) -> Vec<Move<A>> {
        let mut rates = Array1::zeros(self.players());
        self.best_rates(x, rates.view_mut());
        rates.into_iter().zip(x).map(|(to, &from)| Move::to(to, from)).collect()
    }
}

/// Where a player goes, and how far it would go if nothing held it back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Move<A> {
    /// Its next rate.
    pub to: A,
    /// The length of the undamped move, per unit of step; play has come to rest when all are short.
    pub way: A,
}

impl<A: Scalar> Move<A> {
    /// The whole way from one rate to another.
    pub fn to(to: A, from: A) -> Self {
        Self { to, way: (to - from).abs() }
    }
}

impl<A: Scalar, G: Game<A> + ?Sized> Game<A> for &G {
    fn players(&self) -> usize {
        (**self).players()
    }
    fn own_energy(&self, i: usize, x: ArrayView1<'_, A>) -> A {
        (**self).own_energy(i, x)
    }
    fn own_gradient(&self, i: usize, x: ArrayView1<'_, A>) -> A {
        (**self).own_gradient(i, x)
    }
    fn best_rate(&self, i: usize, x: ArrayView1<'_, A>) -> A {
        (**self).best_rate(i, x)
    }
    fn proximal_rate(&self, i: usize, target: A, step: A) -> A {
        (**self).proximal_rate(i, target, step)
    }
    fn own_energies(&self, x: ArrayView1<'_, A>, out: ArrayViewMut1<'_, A>) {
        (**self).own_energies(x, out);
    }
    fn own_gradients(&self, x: ArrayView1<'_, A>, out: ArrayViewMut1<'_, A>) {
        (**self).own_gradients(x, out);
    }
    fn best_rates(&self, x: ArrayView1<'_, A>, out: ArrayViewMut1<'_, A>) {
        (**self).best_rates(x, out);
    }
    fn gains(&self, x: ArrayView1<'_, A>, out: ArrayViewMut1<'_, A>) {
        (**self).gains(x, out);
    }
    fn hold_back(&self, planned: Move<A>, from: A) -> Move<A> {
        (**self).hold_back(planned, from)
    }
    fn next_move(&self, i: usize, x: ArrayView1<'_, A>) -> Move<A> {
        (**self).next_move(i, x)
    }
    fn next_moves(&self, x: ArrayView1<'_, A>) -> Vec<Move<A>> {
        (**self).next_moves(x)
    }
}

impl<A: Scalar> Game<A> for NeuralGame<A> {
    fn players(&self) -> usize {
        self.len()
    }

    fn own_energy(&self, i: usize, x: ArrayView1<'_, A>) -> A {
        self.alone_unchecked(i, x).parts(x[i]).total
    }

    fn own_gradient(&self, i: usize, x: ArrayView1<'_, A>) -> A {
        x[i] - self.interaction().drive_of(i, x, self.input())
    }

    fn best_rate(&self, i: usize, x: ArrayView1<'_, A>) -> A {
        self.alone_unchecked(i, x).best_rate(x[i])
    }

    fn proximal_rate(&self, i: usize, target: A, step: A) -> A {
        let activation = self.activation_of(i);
        // A search for the minimum compares numbers and would pass over an activation that gives none.
        if activation.activate(target).is_nan() { A::nan() } else { activation.prox(target, step) }
    }

    fn own_energies(&self, x: ArrayView1<'_, A>, mut out: ArrayViewMut1<'_, A>) {
        let z = self.drive_under(x, self.input());
        let each = self.each_alone_driven(x, z.view());
        out.iter_mut().zip(each).zip(x).for_each(|((out, alone), &x)| *out = alone.parts(x).total);
    }

    fn own_gradients(&self, x: ArrayView1<'_, A>, mut out: ArrayViewMut1<'_, A>) {
        self.interaction().drive(x, self.input(), out.view_mut());
        out.zip_mut_with(&x, |z, &x| *z = x - *z);
    }

    fn best_rates(&self, x: ArrayView1<'_, A>, mut out: ArrayViewMut1<'_, A>) {
        let z = self.drive_under(x, self.input());
        out.assign(&each_best_rate(&self.each_alone_driven(x, z.view()), x));
    }

    fn gains(&self, x: ArrayView1<'_, A>, mut out: ArrayViewMut1<'_, A>) {
        let z = self.drive_under(x, self.input());
        let each = self.each_alone_driven(x, z.view());
        let best = each_best_rate(&each, x);
        out.iter_mut().zip(&each).enumerate().for_each(|(i, (out, alone))| *out = alone.gain(x[i], best[i]));
    }
}

fn each_best_rate<A: Scalar>(each: &[Alone<'_, A>], x: ArrayView1<'_, A>) -> Array1<A> {
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;
        let best = each.par_iter().enumerate().with_min_len(256).map(|(i, alone)| alone.best_rate(x[i]));
        Array1::from_vec(best.collect())
    }
    #[cfg(not(feature = "rayon"))]
    each.iter().zip(x).map(|(alone, &x)| alone.best_rate(x)).collect()
}
