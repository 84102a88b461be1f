//! Matrices for which the conditions coincide.

use ndarray::ArrayView2;

use crate::stability::similarity::{entries, is_symmetric_in_some_units, signature};

/// What the off-diagonal part of a matrix `A` is, up to units that are powers of two, and signs.
///
/// For both kinds diagonal stability of `A`, `-A` a P-matrix, D-stability of `A`, and `T^-1 A` Hurwitz for one `T` are
/// the same:
/// - *Symmetric*, also after a congruence by units: all say that `A` is negative definite; for `T^-1 A` since it is
///   similar to a matrix that is congruent to `A` (Sylvester).
/// - *Metzler*, also after signs: all say that `-A` is a nonsingular M-matrix (Berman and Plemmons, "Nonnegative
///   Matrices in the Mathematical Sciences", chapter 6), and so is `-T^-1 A`.
#[derive(Debug, Clone, Copy)]
pub(in crate::stability) struct Structure {
    pub(in crate::stability) symmetric: bool,
    pub(in crate::stability) metzler: bool,
}

impl Structure {
    /// Whether the conditions coincide.
    pub(in crate::stability) fn decides(self) -> bool {
        self.symmetric || self.metzler
    }
}

pub(in crate::stability) fn structure(a: ArrayView2<'_, f64>) -> Structure {
    Structure { symmetric: is_symmetric_in_some_units(a), metzler: signature(a.nrows(), entries(a)).is_some() }
}
