//! Checks of the parameters of activations, for constructors and for deserialisation alike.

use super::{Domain, SlopeRange};
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

pub(super) fn leak<A: Scalar>(name: &str, value: A) -> Result<A> {
    if value > A::zero() && value <= A::one() {
        Ok(value)
    } else {
        Err(Error::invalid(name, value, "numbers above 0 and at most 1"))
    }
}

/// Constructors of an activation whose one parameter is a gain.
macro_rules! with_gain {
    ($activation:ident, $units:literal) => {
        impl<A: Scalar> Default for $activation<A> {
            fn default() -> Self {
                Self { gain: A::one() }
            }
        }

        impl<A: Scalar> $activation<A> {
            /// Gain 1.
            pub fn new() -> Self {
                Self::default()
            }

            #[doc = concat!("A positive, finite gain, in units of ", $units, ".")]
            ///
            /// # Errors
            /// Any other gain.
            pub fn with_gain(gain: A) -> crate::Result<Self> {
                Ok(Self { gain: super::parameter::positive("gain", gain)? })
            }

            /// The gain `b`.
            pub fn gain(&self) -> A {
                self.gain
            }
        }
    };
}
pub(super) use with_gain;

/// The same checks for parameters that are read from a file.
#[cfg(feature = "serde")]
pub(super) mod deserialized {
    use serde::{Deserialize, Deserializer, de::Error};

    use crate::Scalar;

    macro_rules! checked {
        ($($check:ident),*) => {$(
            pub(in super::super) fn $check<'de, A: Scalar + Deserialize<'de>, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<A, D::Error> {
                super::$check("parameter", A::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        )*};
    }

    checked!(finite, positive, non_negative, leak);
}

/// Bounds on slopes that a user vouches for.
pub(super) fn declared_slopes<A: Scalar>(min: A, max: A) -> Result<SlopeRange<A>> {
    let min = non_negative("min", min)?;
    if max >= min && max > A::zero() {
        Ok(SlopeRange::exact(min, max))
    } else {
        Err(Error::invalid("max", max, format!("numbers above 0 that are at least `min` = {min}")))
    }
}

/// A range of rates that a user vouches for.
pub(super) fn declared_domain<A: Scalar>(lower: A, upper: A) -> Result<Domain<A>> {
    if lower < upper {
        Ok(Domain::new(lower, upper))
    } else {
        Err(Error::invalid("upper", upper, format!("numbers above `lower` = {lower}")))
    }
}

/// `value`, or NaN if the step of a proximal operator is not a positive, finite number.
pub(super) fn valid_step<A: Scalar>(step: A, value: A) -> A {
    if step.is_finite() && step > A::zero() { value } else { A::nan() }
}
