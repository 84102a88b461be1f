//! The energy of one neuron in its own rate while the others stay, whatever the interaction.

use ndarray::ArrayView1;

use super::best_response::BestResponse;
use super::energy::NeuronEnergy;
use super::general::GeneralEnergy;
use super::interaction::affine_cost;
use super::own_energy::OwnEnergy;
use super::{InteractionCost, Own};
use crate::Scalar;
use crate::activation::ActivationCost;

/// An energy whose minimisers are looked for.
pub(super) enum Alone<'a, A: Scalar> {
    /// The drive is affine in the neuron's own rate, as that of synapses is.
    Affine(OwnEnergy<'a, A>),
    General(GeneralEnergy<'a, A>),
}

impl<'a, A: Scalar> Alone<'a, A> {
    pub(super) fn of(
        interaction: &'a dyn InteractionCost<A>,
        neuron: usize,
        x: ArrayView1<'a, A>,
        input: ArrayView1<'a, A>,
        activation: &'a dyn ActivationCost<A>,
    ) -> Self {
        let slopes = match interaction.own(neuron, x, input) {
            Own::Affine { self_weight, others } => return Self::affine(self_weight, others, activation),
            Own::Bounded { least, most } => Some((least, most)),
            Own::Unknown => None,
        };
        Self::General(GeneralEnergy { interaction, neuron, x, input, slopes, activation })
    }

    pub(super) fn affine(self_weight: A, others: A, activation: &'a dyn ActivationCost<A>) -> Self {
        Self::Affine(OwnEnergy::new(self_weight, others, activation))
    }

    /// All global minimisers.
    pub(super) fn minimise(&self) -> BestResponse<A> {
        match self {
            Alone::Affine(own) => own.minimise(),
            Alone::General(own) => own.minimise(),
        }
    }

    /// A best response of the neuron at rate `x`; of several, the one of least magnitude, and infinite if its energy is unbounded
    /// below. NaN where the drive or the activation gives none: searches compare numbers and would pass over it.
    pub(super) fn best_rate(&self, x: A) -> A {
        let (drive, activation) = match self {
            Alone::Affine(own) => (own.self_weight * x + own.drive, own.activation),
            Alone::General(own) => (own.drive(x), own.activation),
        };
        if activation.activate(drive).is_nan() {
            return A::nan();
        }
        match self.minimise() {
            BestResponse::Unbounded { towards } => towards,
            attained => attained.rate().unwrap_or_else(A::nan),
        }
    }

    /// How much the neuron gains by moving from rate `x` to its best response `s`, in which the large terms of both energies have
    /// dropped out; `+inf` if there is none.
    pub(super) fn gain(&self, x: A, s: A) -> A {
        match self {
            _ if !s.is_finite() => A::infinity(),
            Alone::Affine(own) => own.gain(x, s),
            Alone::General(own) => own.gain(x, s),
        }
    }

    /// The energy at a rate, and its parts.
    pub(super) fn parts(&self, rate: A) -> NeuronEnergy<A> {
        let (interaction, activation) = match self {
            Alone::Affine(own) => (affine_cost(own.self_weight, own.drive, rate), own.activation.cost(rate)),
            Alone::General(own) => (own.interaction_cost(rate), own.activation.cost(rate)),
        };
        NeuronEnergy { interaction, activation, total: interaction + activation }
    }
}
