//! Firing-rate and Hopfield networks: weights, time constants, activations and inputs.

mod circuit;
mod dale;
mod fingerprint;
mod firing_rate;
mod hopfield;
mod population;
mod product;
pub mod read;
#[cfg(feature = "serde")]
mod stored;
mod weights;

pub use dale::{DaleReport, Polarity};
pub use firing_rate::{FiringRateBuilder, FiringRateNetwork};
pub use hopfield::{HopfieldBuilder, HopfieldNetwork};
pub use population::{Members, Population};
pub use weights::{IntoWeights, Weights, WeightsView};

pub(crate) use circuit::Circuit;

/// The accessors and the builder that both forms of a network share.
macro_rules! network_form {
    ($network:ident, $builder:ident) => {
        impl<A: Scalar> $network<A> {
            /// Starts a network with these weights: a matrix of shape `[n, n]` in any memory order, a sparse
            /// matrix, or [`Weights`]; owned or borrowed. They are checked at
            #[doc = concat!("[`build`](", stringify!($builder), "::build).")]
            pub fn builder(weights: impl IntoWeights<A>) -> $builder<A> {
                $builder { parts: Parts::new(weights.into_weights()) }
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
                self.circuit.time_constants.view()
            }

            /// The external input `u`, shape `[n]`.
            pub fn input(&self) -> ArrayView1<'_, A> {
                self.circuit.input.view()
            }

            /// The populations, in the order in which they were given.
            pub fn populations(&self) -> &[Population<A>] {
                &self.circuit.populations
            }

            /// The population with this name.
            pub fn population(&self, name: &str) -> Option<&Population<A>> {
                self.circuit.populations.iter().find(|p| p.name() == name)
            }

            /// The population of one neuron; `None` if there is no such neuron.
            pub fn population_of(&self, neuron: usize) -> Option<&Population<A>> {
                let population = *self.circuit.population_of.get(neuron)?;
                self.circuit.populations.get(population as usize)
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
                self.circuit.input = input.to_owned();
                Ok(self)
            }
        }

        impl<A: Scalar> $builder<A> {
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
            /// Weights that are empty, not square or not finite, vectors of the wrong length or with entries that are not finite, time constants that are not
            /// positive, and populations that overlap, leave a neuron out, name one that does not exist, or share a
            /// name.
            pub fn build(self) -> Result<$network<A>> {
                Ok($network { circuit: self.parts.check()? })
            }
        }
    };
}
pub(crate) use network_form;

/// "1 neuron", "2 neurons": for messages.
pub(crate) fn neurons(count: usize) -> String {
    format!("{count} neuron{}", if count == 1 { "" } else { "s" })
}
