//! The game of neurons: any interaction, any activations.

use std::fmt;
use std::sync::Arc;

use ndarray::{Array1, ArrayBase, ArrayView1, Data, Ix1};

use super::InteractionCost;
use super::alone::Alone;
use crate::Scalar;
use crate::activation::ActivationCost;
use crate::check::{finite_vector, length, non_finite};
use crate::error::{Error, Result};
use crate::network::{Circuit, FiringRateNetwork, Members, Neurons, Population, Weights};

/// The game that `n` neurons play: an interaction, an activation for each neuron, time constants and an input.
///
/// [`FiringRateNetwork::game`] makes one of synapses, [`NeuralGame::builder`] of any other interaction. All questions are the
/// same for both:
///
/// | question | method |
/// |---|---|
/// | what does each neuron pay | [`energies`](Self::energies), [`pseudo_gradient`](Self::pseudo_gradient) |
/// | what is best for it | [`best_response`](Self::best_response), [`best_responses`](Self::best_responses) |
/// | what does it gain by moving | [`exploitability`](Self::exploitability), [`is_nash`](Self::is_nash) |
/// | where does it rest | [`equilibrium`](Self::equilibrium), [`standing`](Self::standing), [`linearise`](Self::linearise) |
/// | how does it get there | [`simulate`](Self::simulate), [`best_response_flow`](Self::best_response_flow), [`play`](Self::play) |
///
/// What rests on symmetries of a matrix (global energies, splits) needs synapses.
///
/// A game shares what it is made of: a copy costs no more than three pointers.
///
/// ```
/// use ndarray::array;
/// use neuronash::activation::Relu;
/// use neuronash::network::FiringRateNetwork;
///
/// let net = FiringRateNetwork::builder(array![[0.5, -1.0], [1.0, 0.0]])
///     .activation(Relu)
///     .input(&array![1.5, 0.0])
///     .build()?;
/// let game = net.game();
/// assert_eq!(game.pseudo_gradient(&array![1.0, 1.0])?, array![0.0, 0.0]);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct NeuralGame<A: Scalar> {
    interaction: Interaction<A>,
    neurons: Arc<Neurons<A>>,
    input: Arc<Array1<A>>,
}

/// Synapses are known as such, since much is faster, or possible at all, for them.
#[derive(Debug, Clone)]
enum Interaction<A> {
    Synapses(Arc<Weights<A>>),
    Other(Arc<dyn InteractionCost<A>>),
}

impl<A: Scalar> FiringRateNetwork<A> {
    /// The game that the neurons play.
    pub fn game(&self) -> NeuralGame<A> {
        NeuralGame::of_circuit(self.circuit())
    }
}

impl<A: Scalar> NeuralGame<A> {
    /// Starts a game with this interaction; everything is checked at [`build`](NeuralGameBuilder::build).
    pub fn builder(interaction: impl InteractionCost<A> + 'static) -> NeuralGameBuilder<A> {
        NeuralGameBuilder {
            interaction: Arc::new(interaction),
            time_constants: None,
            input: None,
            populations: Vec::new(),
        }
    }

    pub(crate) fn of_circuit(circuit: &Circuit<A>) -> Self {
        let Circuit { neurons, weights, input } = circuit.clone();
        Self { interaction: Interaction::Synapses(weights), neurons, input }
    }

    /// The circuit that this is the game of, if the neurons interact by synapses.
    pub(crate) fn circuit(&self) -> Option<Circuit<A>> {
        match &self.interaction {
            Interaction::Synapses(weights) => Some(Circuit {
                neurons: Arc::clone(&self.neurons),
                weights: Arc::clone(weights),
                input: Arc::clone(&self.input),
            }),
            Interaction::Other(_) => None,
        }
    }

    /// The weights, if the neurons interact by synapses.
    pub(crate) fn synapses(&self) -> Option<&Weights<A>> {
        match &self.interaction {
            Interaction::Synapses(weights) => Some(weights),
            Interaction::Other(_) => None,
        }
    }

    pub(crate) fn neurons(&self) -> &Neurons<A> {
        &self.neurons
    }

    pub(crate) fn activation_of(&self, neuron: usize) -> &dyn ActivationCost<A> {
        self.neurons.activation(neuron)
    }

    /// The same game under another input, which is not checked.
    pub(crate) fn under(&self, input: Array1<A>) -> Self {
        Self { input: Arc::new(input), ..self.clone() }
    }

    /// The number of neurons.
    pub fn len(&self) -> usize {
        self.neurons.len()
    }

    /// Never: a game has at least one neuron.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The interaction.
    pub fn interaction(&self) -> &dyn InteractionCost<A> {
        match &self.interaction {
            Interaction::Synapses(weights) => &**weights,
            Interaction::Other(interaction) => &**interaction,
        }
    }

    /// The time constants `tau`, shape `[n]`.
    pub fn time_constants(&self) -> ArrayView1<'_, A> {
        self.neurons.time_constants.view()
    }

    /// The external input `u`, shape `[n]`.
    pub fn input(&self) -> ArrayView1<'_, A> {
        self.input.view()
    }

    /// The populations, in the order in which they were given.
    pub fn populations(&self) -> &[Population<A>] {
        &self.neurons.populations
    }

    /// The activation of one neuron; `None` if there is no such neuron.
    pub fn activation(&self, neuron: usize) -> Option<&dyn ActivationCost<A>> {
        (neuron < self.len()).then(|| self.activation_of(neuron))
    }

    /// The same game with another input, shape `[n]`.
    ///
    /// # Errors
    /// A vector of the wrong length or with an entry that is not finite.
    pub fn with_input<S: Data<Elem = A>>(&self, input: &ArrayBase<S, Ix1>) -> Result<Self> {
        finite_vector("input", input.view(), self.len())?;
        Ok(self.under(input.to_owned()))
    }

    /// The drives `z(x, u)` at the rates `x`, shape `[n]`; `W x + u` for synapses.
    ///
    /// # Errors
    /// Rates of the wrong length.
    pub fn drive<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        length("x", x.len(), self.len())?;
        Ok(self.drive_under(x.view(), self.input.view()))
    }

    pub(crate) fn drive_under(&self, x: ArrayView1<'_, A>, input: ArrayView1<'_, A>) -> Array1<A> {
        let mut z = Array1::zeros(self.len());
        self.interaction().drive(x, input, z.view_mut());
        z
    }

    /// The residual `r = x - Phi(z(x, u))`, shape `[n]`; zero exactly at equilibria.
    ///
    /// # Errors
    /// Rates of the wrong length.
    pub fn residual<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        let mut z = self.drive(x)?;
        self.neurons.activate(z.view_mut());
        Ok(&x.view() - &z)
    }

    /// The pseudo-gradient `F(x) = (dE_int_i/dx_i)_i = x - z(x, u)` at the rates `x`, shape `[n]`; `(I - W) x - u` for synapses
    /// (theory 1.4, 1.8).
    ///
    /// # Errors
    /// Rates of the wrong length or not finite.
    pub fn pseudo_gradient<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        self.check(x)?;
        Ok(&x.view() - &self.drive(x)?)
    }

    pub(super) fn check<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<()> {
        finite_vector("x", x.view(), self.len())
    }

    /// The energies of all neurons in their own rates while the others stay at `x`: one evaluation of all drives.
    pub(super) fn each_alone<'s, S: Data<Elem = A>>(&'s self, x: &'s ArrayBase<S, Ix1>) -> Result<Vec<Alone<'s, A>>> {
        self.check(x)?;
        let z = self.drive(x)?;
        if self.synapses().is_none()
            && let Some(i) = z.iter().position(|z| z.is_nan())
        {
            return Err(non_finite("drive", vec![i], z[i]));
        }
        Ok(self.each_alone_driven(x.view(), z.view()))
    }

    /// As [`each_alone`](Self::each_alone), at rates whose drives `z` are known.
    pub(super) fn each_alone_driven<'s>(&'s self, x: ArrayView1<'s, A>, z: ArrayView1<'_, A>) -> Vec<Alone<'s, A>> {
        match &self.interaction {
            Interaction::Synapses(weights) => {
                let self_weights = weights.diagonal();
                let alone = |i: usize| {
                    let others = z[i] - self_weights[i] * x[i];
                    Alone::affine(self_weights[i], others, self.activation_of(i))
                };
                (0..self.len()).map(alone).collect()
            }
            Interaction::Other(_) => (0..self.len()).map(|i| self.alone_unchecked(i, x)).collect(),
        }
    }

    /// The energy of one neuron in its own rate: one drive.
    pub(super) fn alone<'s, S: Data<Elem = A>>(
        &'s self,
        neuron: usize,
        x: &'s ArrayBase<S, Ix1>,
    ) -> Result<Alone<'s, A>> {
        let n = self.len();
        if neuron >= n {
            return Err(Error::invalid("neuron", neuron, format!("neurons 0..{n}")));
        }
        self.check(x)?;
        if self.synapses().is_none() {
            let z = self.interaction().drive_of(neuron, x.view(), self.input.view());
            if z.is_nan() {
                return Err(non_finite("drive", vec![neuron], z));
            }
        }
        Ok(self.alone_unchecked(neuron, x.view()))
    }

    pub(super) fn alone_unchecked<'s>(&'s self, neuron: usize, x: ArrayView1<'s, A>) -> Alone<'s, A> {
        Alone::of(self.interaction(), neuron, x, self.input.view(), self.activation_of(neuron))
    }
}

/// Gathers the parts of a [`NeuralGame`]; all are checked at [`build`](Self::build).
#[derive(Debug, Clone)]
#[must_use]
pub struct NeuralGameBuilder<A: Scalar> {
    interaction: Arc<dyn InteractionCost<A>>,
    time_constants: Option<Array1<A>>,
    input: Option<Array1<A>>,
    populations: Vec<Population<A>>,
}

impl<A: Scalar> NeuralGameBuilder<A> {
    /// Time constants `tau > 0`, shape `[n]`; 1 for every neuron if not given.
    pub fn time_constants<S: Data<Elem = A>>(mut self, tau: &ArrayBase<S, Ix1>) -> Self {
        self.time_constants = Some(tau.to_owned());
        self
    }

    /// External input `u`, shape `[n]`; 0 if not given.
    pub fn input<S: Data<Elem = A>>(mut self, input: &ArrayBase<S, Ix1>) -> Self {
        self.input = Some(input.to_owned());
        self
    }

    /// One activation for all neurons, as a single population named `all`.
    pub fn activation(self, activation: impl ActivationCost<A> + 'static) -> Self {
        let n = self.interaction.neurons();
        self.population("all", 0..n, activation)
    }

    /// A named population with its activation. Every neuron must end up in exactly one population.
    pub fn population(
        mut self,
        name: impl Into<String>,
        members: impl Into<Members>,
        activation: impl ActivationCost<A> + 'static,
    ) -> Self {
        self.populations.push(Population::new(name.into(), members.into(), Arc::new(activation)));
        self
    }

    /// Checks everything once.
    ///
    /// # Errors
    /// An interaction of no neurons, vectors of the wrong length or with entries that are not finite, time constants that are not
    /// positive, and populations that overlap, leave a neuron out, name one that does not exist, or share a name. Activations that
    /// are seen to break their declarations, or whose rates leave the [domain](InteractionCost::domain) of the interaction.
    pub fn build(self) -> Result<NeuralGame<A>> {
        let n = self.interaction.neurons();
        if n == 0 {
            return Err(Error::Empty { argument: self.interaction.name() });
        }
        let neurons = Neurons::new(n, self.time_constants, self.populations)?;
        let input = self.input.unwrap_or_else(|| Array1::zeros(n));
        finite_vector("input", input.view(), n)?;
        for population in &neurons.populations {
            let rates = population.activation().domain();
            for i in population.members().iter() {
                let allowed = self.interaction.domain(i);
                if !(allowed.lower <= rates.lower && rates.upper <= allowed.upper) {
                    return Err(Error::invalid(
                        format!("population {}, rates of {}", population.name(), population.activation().name()),
                        format!("[{}, {}]", rates.lower, rates.upper),
                        format!(
                            "rates within [{}, {}], where the interaction is defined",
                            allowed.lower, allowed.upper
                        ),
                    ));
                }
            }
        }
        let interaction = Interaction::Other(self.interaction);
        Ok(NeuralGame { interaction, neurons: Arc::new(neurons), input: Arc::new(input) })
    }
}

impl<A: Scalar> fmt::Display for NeuralGame<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "game of {}: {}", crate::network::neurons(self.len()), self.interaction().name())
    }
}
