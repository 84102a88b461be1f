//! The Hopfield (membrane-potential) network `T y' = -y + W Phi(y) + u`.

use std::sync::Arc;

use ndarray::{Array1, ArrayBase, ArrayView1, Data, Ix1};

use super::circuit::{Circuit, Parts};
use super::{FiringRateNetwork, IntoWeights, Members, Population, Weights, network_form};
use crate::Scalar;
use crate::activation::{ActivationCost, SlopeRange};
use crate::check::{finite_vector, length};
use crate::error::Result;

/// A Hopfield network `T y' = -y + W Phi(y) + u` of `n` neurons.
///
/// Its equilibria correspond to those of the firing-rate form: `x = Phi(y)`, `y = W x + u`.
#[derive(Debug, Clone)]
pub struct HopfieldNetwork<A> {
    pub(crate) circuit: Circuit<A>,
}

/// Gathers the parts of a [`HopfieldNetwork`]; all are checked at [`build`](Self::build).
#[derive(Debug, Clone)]
#[must_use]
pub struct HopfieldBuilder<A> {
    parts: Parts<A>,
}

network_form!(HopfieldNetwork, HopfieldBuilder);

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
        FiringRateNetwork { circuit: self.circuit.clone() }
    }
}
