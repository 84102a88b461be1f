//! Gathers the parts of a network.

use std::marker::PhantomData;
use std::sync::Arc;

use ndarray::{ArrayBase, Data, Ix1};

use super::circuit::Parts;
use super::{Form, Members, Network};
use crate::Scalar;
use crate::activation::ActivationCost;
use crate::error::Result;

/// Gathers the parts of a [`Network`]; all are checked at [`build`](Self::build). [`Network::builder`] starts one.
#[derive(Debug, Clone)]
#[must_use]
pub struct NetworkBuilder<A, F> {
    pub(super) parts: Parts<A>,
    pub(super) form: PhantomData<F>,
}

impl<A: Scalar, F: Form> NetworkBuilder<A, F> {
    /// Time constants `tau > 0`, shape `[n]`; 1 for every neuron if not given.
    pub fn time_constants<S: Data<Elem = A>>(mut self, tau: &ArrayBase<S, Ix1>) -> Self {
        self.parts.time_constants = Some(tau.to_owned());
        self
    }

    /// External input `u`, shape `[n]`; 0 if not given.
    pub fn input<S: Data<Elem = A>>(mut self, input: &ArrayBase<S, Ix1>) -> Self {
        self.parts.input = Some(input.to_owned());
        self
    }

    /// One activation for all neurons, as a single population named `all`.
    pub fn activation(self, activation: impl ActivationCost<A> + 'static) -> Self {
        let n = self.parts.len();
        self.population("all", 0..n, activation)
    }

    /// A named population with its activation. Every neuron must end up in exactly one population.
    pub fn population(
        mut self,
        name: impl Into<String>,
        members: impl Into<Members>,
        activation: impl ActivationCost<A> + 'static,
    ) -> Self {
        self.parts.add_population(name.into(), members.into(), Arc::new(activation));
        self
    }

    /// As [`population`](Self::population), with an activation that was chosen at run time or is shared.
    pub fn shared_population(
        mut self,
        name: impl Into<String>,
        members: impl Into<Members>,
        activation: Arc<dyn ActivationCost<A>>,
    ) -> Self {
        self.parts.add_population(name.into(), members.into(), activation);
        self
    }

    /// Checks everything once.
    ///
    /// # Errors
    /// Weights that are empty, not square or not finite, vectors of the wrong length or with entries that are not
    /// finite, time constants that are not positive, and populations that overlap, leave a neuron out, name one that
    /// does not exist, or share a name. Activations that are seen to decrease, or to leave the range or the slopes that
    /// they declare, on about 400 samples of each; the error names the population and the inputs.
    pub fn build(self) -> Result<Network<A, F>> {
        Ok(Network::of_circuit(self.parts.check()?))
    }
}
