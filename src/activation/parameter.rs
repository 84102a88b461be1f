//! Checks of the parameters of activations, for constructors and for deserialisation alike.

use crate::Scalar;
use crate::error::{Error, Result};

pub(super) fn finite<A: Scalar>(name: &str, value: A) -> Result<A> {
    if value.is_finite() { Ok(value) } else { Err(Error::invalid(name, value, "finite numbers")) }
}

pub(super) fn positive<A: Scalar>(name: &str, value: A) -> Result<A> {
    if value.is_finite() && value > A::zero() {
        Ok(value)
    } else {
        Err(Error::invalid(name, value, "finite numbers above 0"))
    }
}

pub(super) fn non_negative<A: Scalar>(name: &str, value: A) -> Result<A> {
    if value.is_finite() && value >= A::zero() {
        Ok(value)
    } else {
        Err(Error::invalid(name, value, "finite numbers that are at least 0"))
    }
}
