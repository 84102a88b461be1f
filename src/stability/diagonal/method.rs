//! The name of what found a proof.

use std::fmt;

/// How a certificate or a refutation was found. The proof does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Method {
    /// From the sign of a diagonal entry.
    Diagonal,
    /// The closed form for two rows, or a principal minor of two rows.
    TwoByTwo,
    /// The matrix is symmetric, or a positive diagonal makes it so.
    Symmetrizable,
    /// Nonnegative vectors of the Metzler matrix, or of the Metzler majorant.
    Metzler,
    /// Weights that balance rows and columns.
    Balancing,
    /// Descent of the largest eigenvalue of the symmetric part, by products alone.
    Ascent,
    /// The primal-dual interior point.
    InteriorPoint,
    /// An exact null vector of whole numbers, of the matrix or of its transpose.
    NullVector,
    /// The certificates of the strongly connected blocks, put together.
    Blocks,
    /// The search for the margin.
    Margin,
    /// They were given: by the caller, or by a circuit's closed form.
    Given,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Diagonal => "diagonal",
            Method::TwoByTwo => "two_by_two",
            Method::Symmetrizable => "symmetrizable",
            Method::Metzler => "metzler",
            Method::Balancing => "balancing",
            Method::Ascent => "ascent",
            Method::InteriorPoint => "interior_point",
            Method::NullVector => "null_vector",
            Method::Blocks => "blocks",
            Method::Margin => "margin",
            Method::Given => "given",
        })
    }
}
