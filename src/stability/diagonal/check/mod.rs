//! The rigorous checks (theory 3.8): what they accept is proved for the exact real matrix.
//!
//! Both know nothing of how a candidate was found. They take the matrix without its diagonal, and the diagonal
//! apart: when it is known only to lie in an interval, a proof of stability for its upper end and a refutation for
//! its lower end hold for all of it, because `D A + A'D` and `(A X)_ii` grow with the diagonal.
//!
//! Rounding errors are bounded as in [`verified`](crate::linalg::verified): for any order of summation, each counted twice.

mod not_stable;
mod stable;

pub(super) use crate::linalg::verified::Effort;
pub(super) use not_stable::{proves_not_stable, proves_not_stable_by_rows};
pub(super) use stable::proves_stable;

/// Scaled entries of this size, and the products of four of them, are computed without underflow or overflow.
const EXACT: std::ops::Range<f64> = 1e-60..1e60;
