//! Conditions on plain matrices around Lyapunov diagonal stability (theory 2.4).
//!
//! For `A = W - I` they form a hierarchy: diagonal dominance implies a Hurwitz Metzler majorant, that implies
//! [diagonal stability](super::diagonal), and diagonal stability implies that `-A` is a [P-matrix](p_matrix) (one equilibrium
//! for every input) and that `A` is [D-stable](d_stability) (`T^{-1} A` is [Hurwitz](hurwitz) for all time constants).
//!
//! For matrices that are symmetric or Metzler, up to units and signs, diagonal stability, the P-matrix, D-stability and
//! Hurwitz are the same: all are decided wherever the first is.
//!
//! Positive and negative answers are proofs for the exact real matrix; what cannot be proved is called undecided.

mod d_stability;
mod dominance;
mod hurwitz;
mod p_matrix;
mod structure;

pub use d_stability::{DStability, d_stability};
pub use dominance::{Dominance, diagonal_dominance};
pub use hurwitz::{Hurwitz, hurwitz};
pub use p_matrix::{PMatrix, p_matrix};

pub(in crate::stability) use d_stability::refuting_minor;
pub(in crate::stability) use p_matrix::{enclosed, small_minor};
pub(in crate::stability) use structure::{Structure, structure};

use ndarray::{Array2, ArrayBase, Data, Ix2};

use crate::Scalar;
use crate::check::{finite_matrix, square};
use crate::error::Result;

/// The matrix in double precision, if it is square, not empty, and finite.
fn checked<A: Scalar, S: Data<Elem = A>>(a: &ArrayBase<S, Ix2>, argument: &str) -> Result<Array2<f64>> {
    square(argument, a.nrows(), a.ncols())?;
    finite_matrix(argument, a.view())?;
    Ok(a.mapv(Scalar::to_double))
}
