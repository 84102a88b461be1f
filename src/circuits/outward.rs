//! Arithmetic on `f64` with every result rounded outward, for inequalities that must hold in exact arithmetic.
//!
//! A basic operation in IEEE arithmetic is off by at most half a unit in the last place, so the next number above (or
//! below) its result bounds the exact value, underflow included.

/// An upper bound of the exact `a + b`.
pub(super) fn add_up(a: f64, b: f64) -> f64 {
    (a + b).next_up()
}

/// A lower bound of the exact `a + b`.
pub(super) fn add_down(a: f64, b: f64) -> f64 {
    (a + b).next_down()
}

/// An upper bound of the exact `a b`.
pub(super) fn mul_up(a: f64, b: f64) -> f64 {
    (a * b).next_up()
}

/// A lower bound of the exact `a b`.
pub(super) fn mul_down(a: f64, b: f64) -> f64 {
    (a * b).next_down()
}

/// A lower bound of the exact `a / b`.
pub(super) fn div_down(a: f64, b: f64) -> f64 {
    (a / b).next_down()
}
