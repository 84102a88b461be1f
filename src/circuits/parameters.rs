//! Checks that the circuits' builders share.

use crate::Scalar;
use crate::error::{Error, Result};

/// A finite number.
pub(super) fn finite<A: Scalar>(argument: &str, value: A) -> Result<A> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(Error::NonFinite { argument: argument.into(), index: Vec::new(), value: value.to_double() })
    }
}

/// A finite number, zero or above.
pub(super) fn magnitude<A: Scalar>(argument: &str, value: A) -> Result<A> {
    if finite(argument, value)? >= A::zero() {
        Ok(value)
    } else {
        Err(Error::invalid(argument, value, "finite numbers, 0 or above; the sign is the circuit's"))
    }
}

/// A number of things, each of `factor` numbers of type `T`, that the memory's addresses suffice for.
pub(super) fn countable<T>(argument: &str, count: usize, factor: usize) -> Result<usize> {
    match count.checked_mul(factor) {
        Some(entries) if Vec::<T>::new().try_reserve_exact(entries).is_ok() => Ok(count),
        _ => Err(Error::invalid(argument, count, "numbers whose arrays fit in memory")),
    }
}

/// A finite number above zero.
pub(super) fn positive<A: Scalar>(argument: &str, value: A) -> Result<A> {
    if finite(argument, value)? > A::zero() {
        Ok(value)
    } else {
        Err(Error::invalid(argument, value, "finite numbers above 0"))
    }
}
