//! The game that a network plays: every neuron lowers an energy of its own.
//!
//! Neuron `i` chooses its rate `x_i` and pays (theory 1.3, 1.4)
//!
//! ```text
//! E_i(x) = E_int_i + E_act_i = -w_ii x_i^2/2 - c_i x_i + Psi_i(x_i),    c_i = sum_{j != i} w_ij x_j + u_i.
//! ```
//!
//! Firing-rate dynamics are the proximal pseudo-gradient dynamics of this game, and its resting states are the points
//! at which every neuron is stationary for its own energy. They are Nash equilibria when all own energies are convex
//! (`w_ii rho_i <= 1`), which a certificate implies; above that switch a resting state, however stable, need not be
//! Nash (theory 2.1,
//! 2.2). [`Game::standing`] asks for each.
//!
//! ```
//! use ndarray::array;
//! use neuronash::activation::Relu;
//! use neuronash::network::FiringRateNetwork;
//!
//! let net = FiringRateNetwork::builder(array![[0.5, -1.0], [1.0, 0.0]])
//!     .activation(Relu)
//!     .input(&array![1.5, 0.0])
//!     .build()?;
//! let game = net.game();
//! let x = array![1.0, 1.0];
//! assert_eq!(game.pseudo_gradient(&x)?, array![0.0, 0.0]);
//! assert!(game.is_nash(&x, 1e-12)?.holds());
//! assert_eq!(game.best_response(0, &array![1.0, 0.0])?.rate(), Some(3.0));
//! # Ok::<(), neuronash::Error>(())
//! ```
//!
//! Reference: Betteti, Retnaraj, Davydov, Cortes, Bullo, "Competition, stability, and functionality in
//! excitatory-inhibitory neural circuits", arXiv 2512.05252.

mod best_response;
mod bracket;
mod energy;
mod global;
mod nash;
mod own_energy;
mod potential;
mod scaling;
mod split;

pub use best_response::{BestResponse, BestResponses};
pub(crate) use bracket::root;
pub use energy::{Energies, NeuronEnergy};
pub use nash::{Exploitability, NashTest};
pub use potential::Potential;
pub use scaling::{Obstruction, symmetrizing_weights, zero_sum_weights};
pub use split::{Split, split};

use ndarray::{Array1, ArrayBase, Data, Ix1};

use crate::Scalar;
use crate::activation::ActivationCost;
use crate::check::finite_vector;
use crate::error::{Error, Result};
use crate::network::FiringRateNetwork;
use own_energy::OwnEnergy;

/// The game of a firing-rate network; [`FiringRateNetwork::game`] makes one.
#[derive(Debug, Clone, Copy)]
pub struct Game<'a, A> {
    net: &'a FiringRateNetwork<A>,
}

impl<A: Scalar> FiringRateNetwork<A> {
    /// The game that the neurons play.
    pub fn game(&self) -> Game<'_, A> {
        Game { net: self }
    }
}

impl<'a, A: Scalar> Game<'a, A> {
    /// The network whose neurons play.
    pub fn network(&self) -> &'a FiringRateNetwork<A> {
        self.net
    }

    /// The pseudo-gradient `F(x) = (dE_int_i/dx_i)_i = (I - W) x - u` at the rates `x`, shape `[n]` (theory 1.4).
    ///
    /// # Errors
    /// Rates of the wrong length or not finite.
    pub fn pseudo_gradient<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        let z = self.drive(x)?;
        Ok(&x.view() - &z)
    }

    /// `z = W x + u` after the checks that every method makes.
    fn drive<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        self.check(x)?;
        self.net.drive(x)
    }

    fn check<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<()> {
        finite_vector("x", x.view(), self.net.len())
    }

    fn check_neuron(&self, neuron: usize) -> Result<()> {
        let n = self.net.len();
        if neuron < n { Ok(()) } else { Err(Error::invalid("neuron", neuron, format!("neurons 0..{n}"))) }
    }

    /// The energies of all neurons in their own rates while the others stay at `x`: one product by `W`.
    fn own_energies<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Vec<OwnEnergy<'a, A>>> {
        let z = self.drive(x)?;
        let self_weights = self.net.weights().diagonal();
        Ok((0..self.net.len())
            .map(|i| OwnEnergy::new(self_weights[i], z[i] - self_weights[i] * x[i], self.net.circuit().activation(i)))
            .collect())
    }

    /// The energy of one neuron in its own rate: one row of `W`.
    fn own_energy<S: Data<Elem = A>>(&self, neuron: usize, x: &ArrayBase<S, Ix1>) -> Result<OwnEnergy<'a, A>> {
        self.check_neuron(neuron)?;
        self.check(x)?;
        let others: A = self.net.weights().row(neuron).filter(|&(j, _)| j != neuron).map(|(j, w)| w * x[j]).sum();
        let self_weight = self.net.weights().get(neuron, neuron);
        Ok(OwnEnergy::new(self_weight, others + self.net.input()[neuron], self.net.circuit().activation(neuron)))
    }
}

/// The best response of a neuron with this self-weight whose others and input drive it by `others`; of several, the one
/// of least magnitude, and `None` if its energy is unbounded below.
pub(crate) fn best_rate<A: Scalar>(self_weight: A, others: A, activation: &dyn ActivationCost<A>) -> Option<A> {
    OwnEnergy::new(self_weight, others, activation).minimise().rate()
}
