//! What every neuron pays.

use std::fmt;

use ndarray::{Array1, ArrayBase, Data, Ix1};

use super::NeuralGame;
use crate::Scalar;
use crate::error::Result;
use crate::network::neurons;

/// The energy of one neuron and its two parts.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct NeuronEnergy<A> {
    /// Interaction cost; `x_i^2/2 - w_ii x_i^2/2 - c_i x_i` for synapses.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub interaction: A,
    /// Activation cost `E_act_i(x_i) = Psi_i(x_i) - x_i^2/2`; `+inf` for a rate outside the activation's domain.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub activation: A,
    /// Their sum; `+inf` for a rate outside the activation's domain.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub total: A,
}

/// The energies of all neurons, each of shape `[n]`.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct Energies<A> {
    /// Interaction costs; `x_i^2/2 - w_ii x_i^2/2 - c_i x_i` for synapses.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::array"))]
    pub interaction: Array1<A>,
    /// Activation costs `E_act_i(x_i) = Psi_i(x_i) - x_i^2/2`; `+inf` for rates outside their activation's domain.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::array"))]
    pub activation: Array1<A>,
    /// Their sums; `+inf` for rates outside their activation's domain.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::array"))]
    pub total: Array1<A>,
}

impl<A: Scalar> NeuralGame<A> {
    /// The energies of all neurons at the rates `x`, shape `[n]` (theory 1.2 to 1.4, 1.8); for synapses, one product by `W`.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::network::FiringRateNetwork;
    ///
    /// let net = FiringRateNetwork::builder(array![[0.0, -1.0], [2.0, 0.0]]).activation(Relu).build()?;
    /// let energies = net.game().energies(&array![1.0, -3.0])?;
    /// assert_eq!(energies.interaction, array![-2.5, 10.5]);
    /// assert_eq!(energies.total, array![-2.5, f64::INFINITY]);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    ///
    /// # Errors
    /// Rates of the wrong length or not finite, or at which an interaction other than synapses gives NaN for a drive.
    pub fn energies<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Energies<A>> {
        let own = self.each_alone(x)?;
        let n = own.len();
        let mut energies =
            Energies { interaction: Array1::zeros(n), activation: Array1::zeros(n), total: Array1::zeros(n) };
        for (i, (own, &rate)) in own.iter().zip(x).enumerate() {
            let energy = own.parts(rate);
            energies.interaction[i] = energy.interaction;
            energies.activation[i] = energy.activation;
            energies.total[i] = energy.total;
        }
        Ok(energies)
    }

    /// The energy of one neuron at the rates `x`, shape `[n]`; for synapses, one row of `W`.
    ///
    /// # Errors
    /// As [`energies`](Self::energies); a neuron that does not exist.
    pub fn energy<S: Data<Elem = A>>(&self, neuron: usize, x: &ArrayBase<S, Ix1>) -> Result<NeuronEnergy<A>> {
        Ok(self.alone(neuron, x)?.parts(x[neuron]))
    }
}

impl<A: Scalar> fmt::Display for NeuronEnergy<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "energy {} = interaction {} + activation {}", self.total, self.interaction, self.activation)
    }
}

impl<A: Scalar> fmt::Display for Energies<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = self.total.sum();
        write!(f, "energies of {}, sum {sum}: {}", neurons(self.total.len()), self.total)
    }
}
