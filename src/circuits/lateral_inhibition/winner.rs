//! Winner-take-all (theory 6.3).

use std::fmt;

use ndarray::{ArrayBase, Data, Ix1};

use super::LateralInhibition;
use crate::Scalar;
use crate::check::{finite, finite_vector};
use crate::error::Result;

/// Who wins the competition between the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Winner {
    /// This column, and it alone.
    Column(usize),
    /// Several columns are level, or several stay active.
    Shared(Vec<usize>),
    /// No column is active.
    Nobody,
}

impl<A: Scalar> LateralInhibition<A> {
    /// Whether the circuit takes one winner: `beta c + p <= 0`, so that the difference between two active columns grows
    /// (theory 6.3), read where every neuron is at its steepest.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded.
    pub fn is_winner_take_all(&self) -> Result<bool> {
        let modes = self.modes(self.steepest_slopes()?);
        Ok(modes.difference * modes.c + modes.p(A::zero()) <= A::zero())
    }

    /// The fraction of the winner's input below which a column is silenced by a winner that is active alone:
    /// `b_l c/(p + b_s c)`. At 1 or more the winner silences everyone with a smaller input; below 1 columns
    /// with nearly the same input stay active. For rectified neurons with no upper limit (ReLU) this is exact. `None` where a
    /// column on its own does not settle at a finite rate (`p + b_s c <= 0`).
    ///
    /// # Errors
    /// An activation whose slopes are unbounded.
    pub fn silencing_ratio(&self) -> Result<Option<A>> {
        let modes = self.modes(self.steepest_slopes()?);
        let alone = modes.p(A::zero()) + self.w_ei() * modes.c;
        Ok((alone > A::zero()).then(|| self.w_ei_lateral() * modes.c / alone))
    }

    /// The column that wins from equal starts: the one with the largest input, if any input is above `threshold` (the
    /// drive at which E neurons begin to fire; 0 for ReLU). Columns with the very same largest input share.
    ///
    /// # Errors
    /// An input of the wrong length or with entries that are not finite, or a threshold that is not finite.
    pub fn predicted_winner<S: Data<Elem = A>>(&self, input: &ArrayBase<S, Ix1>, threshold: A) -> Result<Winner> {
        finite_vector("input", input.view(), self.columns())?;
        finite("threshold", threshold)?;
        let largest = input.iter().copied().fold(A::neg_infinity(), A::max);
        Ok(if largest > threshold { who(input, |u| u == largest) } else { Winner::Nobody })
    }

    /// The columns whose E rate exceeds `threshold`, in a state of the network (shape `[2k]`, order `E1, I1, E2, ...`).
    ///
    /// # Errors
    /// A state of the wrong length or with entries that are not finite, or a threshold that is not finite.
    pub fn winner<S: Data<Elem = A>>(&self, state: &ArrayBase<S, Ix1>, threshold: A) -> Result<Winner> {
        finite_vector("state", state.view(), 2 * self.columns())?;
        finite("threshold", threshold)?;
        Ok(who(&state.slice(ndarray::s![..;2]), |x| x > threshold))
    }
}

fn who<A: Scalar, S: Data<Elem = A>>(values: &ArrayBase<S, Ix1>, wins: impl Fn(A) -> bool) -> Winner {
    let mut columns: Vec<usize> = values.iter().enumerate().filter(|(_, v)| wins(**v)).map(|(i, _)| i).collect();
    match columns.len() {
        0 => Winner::Nobody,
        1 => Winner::Column(columns.remove(0)),
        _ => Winner::Shared(columns),
    }
}

impl fmt::Display for Winner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Winner::Column(j) => write!(f, "column {j} wins"),
            Winner::Shared(columns) => write!(f, "columns {columns:?} share"),
            Winner::Nobody => write!(f, "no column is active"),
        }
    }
}
