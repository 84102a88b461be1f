//! Drives of the iterates: a large dense matrix is read in single precision where that is enough.
//!
//! Around a reference `x0` whose drive `z0 = W x0 + u` is known, `W x + u = z0 + W (x - x0)`. Near the reference the product is small, and so is
//! what single precision spoils of it, relative to the drive. A product by a matrix larger than the caches takes the time that
//! it takes to read the matrix, and the rounded copy halves that. Whenever the residual has fallen far enough, the next iterate
//! is evaluated in full precision and becomes the reference, as in the iterative refinement of linear systems. What a solve
//! reports rests on full precision alone.

use ndarray::Array1;

use super::drive::Point;
use crate::Scalar;
use crate::game::NeuralGame;

/// The fall of the residual after which the next iterate becomes the reference: well above what single precision spoils.
const SPAN: f64 = 1e-4;
/// The number of iterates after which the next one becomes the reference in any case.
const AGE: usize = 20;

/// How the drives of one input are computed.
pub(super) struct Precision<'a, A: Scalar> {
    game: &'a NeuralGame<A>,
    /// Whether single precision may be used.
    mixed: bool,
    reference: Option<Reference<A>>,
}

/// The last iterate whose drive was computed in full.
struct Reference<A> {
    x: Array1<A>,
    z: Array1<A>,
    residual: f64,
    /// The residual of the last iterate, and the number of iterates since the reference.
    last_residual: f64,
    age: usize,
}

/// A drive and whether it was computed in full precision.
pub(super) struct Drive<A> {
    pub(super) z: Array1<A>,
    pub(super) full: bool,
}

impl<'a, A: Scalar> Precision<'a, A> {
    /// Always in full.
    pub(super) fn full(game: &'a NeuralGame<A>) -> Self {
        Self { game, mixed: false, reference: None }
    }

    /// In single precision where there are weights that allow it and it pays.
    pub(super) fn mixed(game: &'a NeuralGame<A>) -> Self {
        Self { game, mixed: game.synapses().is_some(), reference: None }
    }

    /// `z(x, u)`; for synapses, `W x + u`.
    pub(super) fn drive(&mut self, x: &Array1<A>, input: &Array1<A>) -> Drive<A> {
        if let Some(reference) = self.reference.as_ref().filter(|r| self.mixed && r.serves()) {
            if let Some(rounded) = self.game.synapses().and_then(|weights| weights.rounded()) {
                return Drive { z: rounded.dot(&(x - &reference.x)) + &reference.z, full: false };
            }
            self.mixed = false;
        }
        Drive { z: self.game.drive_under(x.view(), input.view()), full: true }
    }

    /// Hears of the residual of an iterate. False if single precision has misled the solver: the residual in full precision
    /// is no better than at the last reference. From then on all drives are computed in full.
    pub(super) fn see(&mut self, at: &Point<A>, full: bool) -> bool {
        if !self.mixed {
            return true;
        }
        let mut better = true;
        if let Some(reference) = &mut self.reference {
            reference.last_residual = at.residual;
            reference.age += 1;
            if !full {
                return true;
            }
            better = reference.age == 1 || at.residual <= 0.5 * reference.residual;
        }
        self.mixed = better;
        self.reference = Some(Reference::at(at.clone()));
        better
    }

    /// Takes a state as the reference that is no iterate, but has its drive in full precision.
    pub(super) fn move_to(&mut self, at: Point<A>) {
        if self.mixed {
            self.reference = Some(Reference::at(at));
        }
    }

    /// Goes on in full precision; whether it was in use before.
    pub(super) fn give_up_rounding(&mut self) -> bool {
        std::mem::take(&mut self.mixed)
    }
}

impl<A> Reference<A> {
    fn at(Point { x, z, residual, .. }: Point<A>) -> Self {
        Self { x, z, residual, last_residual: residual, age: 0 }
    }

    fn serves(&self) -> bool {
        self.age < AGE && (self.age == 0 || self.last_residual > SPAN * self.residual)
    }
}
