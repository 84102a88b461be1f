//! The rigorous checks (theory 3.8): what they accept is proved for the exact real matrix.
//!
//! Both know nothing of how a candidate was found. They take the matrix without its diagonal, and the diagonal
//! apart: when it is known only to lie in an interval, a proof of stability for its upper end and a refutation for
//! its lower end hold for all of it, because `D A + A'D` and `(A X)_ii` grow with the diagonal.
//!
//! Rounding errors are bounded for any order of summation, with or without fused multiply-add, and with division
//! replaced by multiplication with a reciprocal, so the bounds hold for every backend that multiplies and factorises
//! matrices in the conventional way (no Strassen).

mod not_stable;
mod split;
mod stable;

pub(super) use not_stable::{proves_not_stable, proves_not_stable_by_rows};
pub(super) use stable::{Effort, proves_stable};

/// Twice the unit roundoff: the safety factor on every rounding-error bound.
const U: f64 = f64::EPSILON;

/// More than any sum of the underflow errors below, far less than any diagonal entry of a scaled matrix.
const UNDERFLOW: f64 = 1e-290;

/// `gamma_k = k u / (1 - k u)` with the safety factor.
fn gamma(k: usize) -> f64 {
    let ku = k as f64 * U;
    ku / (1.0 - ku)
}

/// Scaled entries of this size, and the products of four of them, are computed without underflow or overflow.
const EXACT: std::ops::Range<f64> = 1e-60..1e60;
