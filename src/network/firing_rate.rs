//! The firing-rate network `T x' = -x + Phi(W x + u)`.

use std::sync::Arc;

use ndarray::{Array1, ArrayBase, ArrayView1, Data, Ix1};

use super::circuit::{Circuit, Parts};
use super::{HopfieldNetwork, IntoWeights, Members, Population, Weights, network_form};
use crate::Scalar;
use crate::activation::{ActivationCost, SlopeRange};
use crate::check::{finite_vector, length};
use crate::error::Result;

/// A firing-rate network `T x' = -x + Phi(W x + u)` of `n` neurons.
///
/// ```
/// use ndarray::array;
/// use neuronash::activation::Relu;
/// use neuronash::network::FiringRateNetwork;
///
/// let net = FiringRateNetwork::builder(array![[0.5, -1.0], [1.0, -0.5]])
///     .activation(Relu)
///     .input(&array![1.0, 0.0])
///     .build()?;
/// assert_eq!(net.len(), 2);
/// assert_eq!(net.drive(&array![1.0, 1.0])?, array![0.5, 0.5]);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FiringRateNetwork<A> {
    pub(crate) circuit: Circuit<A>,
}

/// Gathers the parts of a [`FiringRateNetwork`]; all are checked at [`build`](Self::build).
#[derive(Debug, Clone)]
#[must_use]
pub struct FiringRateBuilder<A> {
    parts: Parts<A>,
}

network_form!(FiringRateNetwork, FiringRateBuilder);

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
        HopfieldNetwork { circuit: self.circuit.clone() }
    }
}
