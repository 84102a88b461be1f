//! Checks that the circuits' builders share.

use crate::Scalar;
use crate::check::finite;
use crate::error::{Error, Result};

/// What circuits of an E and an I population have in common: an activation of each.
macro_rules! two_activations {
    ($circuit:ident, $builder:ident) => {
        impl<A: Scalar> $circuit<A> {
            /// Activation of E.
            pub fn excitatory(&self) -> &dyn ActivationCost<A> {
                &*self.parts.phi_e
            }

            /// Activation of I.
            pub fn inhibitory(&self) -> &dyn ActivationCost<A> {
                &*self.parts.phi_i
            }
        }

        impl<A: Scalar> $builder<A> {
            /// Activation of E; ReLU if not given.
            pub fn excitatory(mut self, activation: impl ActivationCost<A> + 'static) -> Self {
                self.phi_e = Arc::new(activation);
                self
            }

            /// Activation of I; ReLU if not given.
            pub fn inhibitory(mut self, activation: impl ActivationCost<A> + 'static) -> Self {
                self.phi_i = Arc::new(activation);
                self
            }
        }
    };
}
pub(super) use two_activations;

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
