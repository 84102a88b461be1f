//! What both forms of a network consist of, and its one validation.

use std::sync::Arc;

use ndarray::{Array1, ArrayViewMut1};

use super::neurons::Neurons;
use super::population::{Members, Population};
use super::weights::Weights;
use crate::Scalar;
use crate::activation::{ActivationCost, SlopeRange};
use crate::check::finite_vector;
use crate::error::Result;

/// Neurons with their synapses and inputs.
#[derive(Debug, Clone)]
pub(crate) struct Circuit<A> {
    /// Shared, as the weights are, so that networks that differ in their input or form only do not copy them.
    pub(crate) neurons: Arc<Neurons<A>>,
    pub(crate) weights: Arc<Weights<A>>,
    pub(crate) input: Arc<Array1<A>>,
}

impl<A: Scalar> Circuit<A> {
    pub(crate) fn len(&self) -> usize {
        self.weights.len()
    }

    pub(crate) fn time_constants(&self) -> &Array1<A> {
        &self.neurons.time_constants
    }

    pub(crate) fn activation(&self, neuron: usize) -> &dyn ActivationCost<A> {
        self.neurons.activation(neuron)
    }

    /// Replaces every `z_i` by `phi_i(z_i)`.
    pub(crate) fn activate(&self, z: ArrayViewMut1<'_, A>) {
        self.neurons.activate(z);
    }

    /// Replaces every `z_i` by `phi_i'(z_i)`.
    pub(crate) fn slopes(&self, z: ArrayViewMut1<'_, A>) {
        self.neurons.slopes(z);
    }

    pub(crate) fn slope_ranges(&self) -> Vec<SlopeRange<A>> {
        self.neurons.slope_ranges()
    }

    pub(crate) fn slope_bounds(&self, needed_by: &str) -> Result<Array1<A>> {
        self.neurons.slope_bounds(needed_by)
    }

    pub(crate) fn proved_slopes(&self, needed_by: &str) -> Result<Array1<A>> {
        self.neurons.proved_slopes(needed_by)
    }
}

/// Gathers the parts of a network; `FiringRateNetwork::builder` and `HopfieldNetwork::builder` start one.
#[derive(Debug, Clone)]
pub(crate) struct Parts<A> {
    pub(crate) weights: Result<Weights<A>>,
    pub(crate) time_constants: Option<Array1<A>>,
    pub(crate) input: Option<Array1<A>>,
    pub(crate) populations: Vec<Population<A>>,
}

impl<A: Scalar> Parts<A> {
    pub(crate) fn new(weights: Result<Weights<A>>) -> Self {
        Self { weights, time_constants: None, input: None, populations: Vec::new() }
    }

    /// Number of neurons; 0 while the weights are in error.
    pub(crate) fn len(&self) -> usize {
        self.weights.as_ref().map_or(0, Weights::len)
    }

    pub(crate) fn add_population(&mut self, name: String, members: Members, activation: Arc<dyn ActivationCost<A>>) {
        self.populations.push(Population { name, members, activation });
    }

    pub(crate) fn check(self) -> Result<Circuit<A>> {
        let weights = self.weights?;
        let n = weights.len();
        let neurons = Neurons::new(n, self.time_constants, self.populations)?;
        let input = self.input.unwrap_or_else(|| Array1::zeros(n));
        finite_vector("input", input.view(), n)?;
        Ok(Circuit { neurons: Arc::new(neurons), weights: Arc::new(weights), input: Arc::new(input) })
    }
}
