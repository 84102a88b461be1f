//! Networks in their two forms, firing-rate and Hopfield: weights, time constants, activations and inputs.

mod builder;
mod circuit;
mod dale;
mod fingerprint;
mod form;
mod neurons;
mod population;
mod product;
pub mod read;
#[cfg(feature = "serde")]
mod stored;
mod uncertain;
mod weights;

pub use builder::NetworkBuilder;
pub use dale::{DaleReport, Polarity};
pub use form::{FiringRate, FiringRateNetwork, Form, FormKind, Hopfield, HopfieldNetwork};
pub use population::{Members, Population};
pub use uncertain::UncertainWeights;
pub use weights::{IntoWeights, Weights, WeightsView};

pub(crate) use circuit::Circuit;
pub(crate) use fingerprint::fingerprint_of;
pub(crate) use neurons::Neurons;
pub(crate) use uncertain::members_exist;

use std::marker::PhantomData;
use std::sync::Arc;

use ndarray::{Array1, ArrayBase, ArrayView1, Data, Ix1};

use crate::Scalar;
use crate::activation::{ActivationCost, SlopeRange};
use crate::check::{finite_vector, length};
use crate::error::Result;
use circuit::Parts;

/// A network of `n` neurons in the form `F`: [`FiringRateNetwork`] for `T x' = -x + Phi(W x + u)`, [`HopfieldNetwork`] for
/// `T y' = -y + W Phi(y) + u`.
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
pub struct Network<A, F> {
    pub(crate) circuit: Circuit<A>,
    form: PhantomData<F>,
}

impl<A: Scalar, F: Form> Network<A, F> {
    /// Starts a network with these weights: a matrix of shape `[n, n]` in any memory order, a sparse
    /// matrix, or [`Weights`]; owned or borrowed. They are checked at
    /// [`build`](NetworkBuilder::build).
    pub fn builder(weights: impl IntoWeights<A>) -> NetworkBuilder<A, F> {
        NetworkBuilder { parts: Parts::new(weights.into_weights()), form: PhantomData }
    }

    pub(crate) fn of_circuit(circuit: Circuit<A>) -> Self {
        Self { circuit, form: PhantomData }
    }

    pub(crate) fn circuit(&self) -> &Circuit<A> {
        &self.circuit
    }

    /// Number of neurons.
    pub fn len(&self) -> usize {
        self.circuit.len()
    }

    /// Never: a network has at least one neuron.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The synaptic matrix `W`.
    pub fn weights(&self) -> &Weights<A> {
        &self.circuit.weights
    }

    /// The time constants `tau`, shape `[n]`.
    pub fn time_constants(&self) -> ArrayView1<'_, A> {
        self.circuit.time_constants().view()
    }

    /// The external input `u`, shape `[n]`.
    pub fn input(&self) -> ArrayView1<'_, A> {
        self.circuit.input.view()
    }

    /// The populations, in the order in which they were given.
    pub fn populations(&self) -> &[Population<A>] {
        &self.circuit.neurons.populations
    }

    /// The population with this name.
    pub fn population(&self, name: &str) -> Option<&Population<A>> {
        self.circuit.neurons.populations.iter().find(|p| p.name() == name)
    }

    /// The population of one neuron; `None` if there is no such neuron.
    pub fn population_of(&self, neuron: usize) -> Option<&Population<A>> {
        let population = *self.circuit.neurons.population_of.get(neuron)?;
        self.circuit.neurons.populations.get(population as usize)
    }

    /// The activation of one neuron; `None` if there is no such neuron.
    pub fn activation(&self, neuron: usize) -> Option<&dyn ActivationCost<A>> {
        Some(self.population_of(neuron)?.activation())
    }

    /// `Phi(z)`, shape `[n]`.
    ///
    /// # Errors
    /// A vector of the wrong length.
    pub fn activate<S: Data<Elem = A>>(&self, z: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        length("z", z.len(), self.len())?;
        let mut out = z.to_owned();
        self.circuit.activate(out.view_mut());
        Ok(out)
    }

    /// The slopes `phi_i'(z_i)`, shape `[n]`.
    ///
    /// # Errors
    /// A vector of the wrong length.
    pub fn slopes<S: Data<Elem = A>>(&self, z: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        length("z", z.len(), self.len())?;
        let mut out = z.to_owned();
        self.circuit.slopes(out.view_mut());
        Ok(out)
    }

    /// The bounds on every neuron's slopes.
    pub fn slope_ranges(&self) -> Vec<SlopeRange<A>> {
        self.circuit.slope_ranges()
    }

    /// The upper slope bounds `rho`, shape `[n]`; `needed_by` completes the error message.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded.
    pub fn slope_bounds(&self, needed_by: &str) -> Result<Array1<A>> {
        self.circuit.slope_bounds(needed_by)
    }

    /// The same network with another input, shape `[n]`.
    ///
    /// # Errors
    /// A vector of the wrong length or with an entry that is not finite.
    pub fn with_input<S: Data<Elem = A>>(mut self, input: &ArrayBase<S, Ix1>) -> Result<Self> {
        finite_vector("input", input.view(), self.len())?;
        self.circuit.input = Arc::new(input.to_owned());
        Ok(self)
    }
}

/// "1 neuron", "2 neurons": for messages.
pub(crate) fn neurons(count: usize) -> String {
    format!("{count} neuron{}", if count == 1 { "" } else { "s" })
}
