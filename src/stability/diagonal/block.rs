//! A strongly connected block, and what is found for it.

use ndarray::Array2;

use super::check::{self, Effort};
use super::control::Stop;
use super::method::Method;
use super::pencil::{Diagonal, Pencil};
use super::weights::Weights;

/// What was found for a block.
pub(super) enum Outcome {
    Stable {
        weights: Weights,
        method: Method,
    },
    NotStable {
        witness: Array2<f64>,
        /// Whether it is a witness for the transpose.
        transposed: bool,
        method: Method,
    },
    /// The last weights and witness, which prove bounds.
    Undecided {
        weights: Option<Weights>,
        witness: Option<Array2<f64>>,
        method: Method,
        stop: Stop,
    },
}

/// `W + delta R^-1`.
pub(super) struct Block<'a> {
    pub(super) pencil: &'a Pencil<'a>,
    pub(super) delta: f64,
    pub(super) diagonal: &'a Diagonal,
}

impl Block<'_> {
    /// `Stable` if the weights prove it.
    pub(super) fn stable(&self, weights: Option<Weights>, method: Method) -> Option<Outcome> {
        self.stable_with(weights?, method, Effort::Full)
    }

    /// `Stable` if the weights, a mere guess, prove it by one factorisation.
    pub(super) fn guessed(&self, weights: Option<Weights>, method: Method) -> Option<Outcome> {
        self.stable_with(weights?, method, Effort::Quick)
    }

    fn stable_with(&self, weights: Weights, method: Method, effort: Effort) -> Option<Outcome> {
        check::proves_stable(self.pencil.matrix(), self.diagonal.upper(), &weights, effort)
            .then_some(Outcome::Stable { weights, method })
    }

    /// `NotStable` if the witness proves it.
    pub(super) fn not_stable(&self, witness: Array2<f64>, method: Method) -> Option<Outcome> {
        check::proves_not_stable(self.pencil.matrix(), self.diagonal.lower(), witness.view())
            .then_some(Outcome::NotStable { witness, transposed: false, method })
    }

    /// `NotStable` if the witness proves that the transpose is not.
    pub(super) fn not_stable_by_transpose(&self, witness: Array2<f64>, method: Method) -> Option<Outcome> {
        check::proves_not_stable(self.pencil.matrix().reversed_axes(), self.diagonal.lower(), witness.view())
            .then_some(Outcome::NotStable { witness, transposed: true, method })
    }
}
