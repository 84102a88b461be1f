//! The two forms of a network: its states are firing rates or membrane potentials.

use std::fmt::Debug;

use ndarray::{Array1, ArrayBase, Data, Ix1};

use super::Network;
use crate::Scalar;
use crate::check::length;
use crate::error::Result;

/// The firing-rate form `T x' = -x + Phi(W x + u)`: states are rates `x`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FiringRate;

/// The Hopfield (membrane-potential) form `T y' = -y + W Phi(y) + u`: states are potentials `y`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hopfield;

/// The form of a network, [`FiringRate`] or [`Hopfield`]. There are no others.
pub trait Form: sealed::Form + Debug + Clone + Copy + Send + Sync + 'static {
    /// The same as a value.
    const KIND: FormKind;
}

impl Form for FiringRate {
    const KIND: FormKind = FormKind::FiringRate;
}

impl Form for Hopfield {
    const KIND: FormKind = FormKind::Hopfield;
}

/// The form of a network as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum FormKind {
    /// `T x' = -x + Phi(W x + u)`.
    FiringRate,
    /// `T y' = -y + W Phi(y) + u`.
    Hopfield,
}

/// A firing-rate network `T x' = -x + Phi(W x + u)` of `n` neurons.
pub type FiringRateNetwork<A> = Network<A, FiringRate>;

/// A Hopfield network `T y' = -y + W Phi(y) + u` of `n` neurons.
///
/// Its equilibria correspond to those of the firing-rate form: `x = Phi(y)`, `y = W x + u`.
pub type HopfieldNetwork<A> = Network<A, Hopfield>;

impl<A: Scalar> FiringRateNetwork<A> {
    /// The synaptic drive `z = W x + u` at the rates `x`, shape `[n]`.
    ///
    /// # Errors
    /// A vector of the wrong length.
    pub fn drive<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        length("x", x.len(), self.len())?;
        Ok(self.weights().dot(x.view()) + self.input())
    }

    /// The residual `r = x - Phi(W x + u)`, shape `[n]`; zero exactly at equilibria.
    ///
    /// # Errors
    /// A vector of the wrong length.
    pub fn residual<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        let mut z = self.drive(x)?;
        self.circuit.activate(z.view_mut());
        Ok(&x.view() - &z)
    }

    /// The same neurons seen through their membrane potentials, `T y' = -y + W Phi(y) + u`.
    pub fn to_hopfield(&self) -> HopfieldNetwork<A> {
        Network::of_circuit(self.circuit.clone())
    }
}

impl<A: Scalar> HopfieldNetwork<A> {
    /// The residual `y - W Phi(y) - u`, shape `[n]`; zero exactly at equilibria.
    ///
    /// # Errors
    /// A vector of the wrong length.
    pub fn residual<S: Data<Elem = A>>(&self, y: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        let x = self.activate(y)?;
        Ok(&y.view() - &self.weights().dot(x.view()) - self.input())
    }

    /// The same neurons seen through their firing rates, `T x' = -x + Phi(W x + u)`.
    pub fn to_firing_rate(&self) -> FiringRateNetwork<A> {
        Network::of_circuit(self.circuit.clone())
    }
}

/// What the crate asks a form.
mod sealed {
    pub trait Form {}
    impl Form for super::FiringRate {}
    impl Form for super::Hopfield {}
}
