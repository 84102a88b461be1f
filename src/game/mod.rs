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
//! 2.2). [`NeuralGame::standing`] asks for each.
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
//! Interactions need not be synaptic: [`InteractionCost`] is an open trait (theory 1.8), and a [`NeuralGame`] answers the same questions for
//! all of them. How a game is played is open as well: ways of playing see a [`Game`] of any kind
//! ([`dynamics::PlayRule`](crate::dynamics::PlayRule)).
//!
//! Reference: Betteti, Retnaraj, Davydov, Cortes, Bullo, "Competition, stability, and functionality in
//! excitatory-inhibitory neural circuits", arXiv 2512.05252.

mod alone;
mod best_response;
mod bracket;
mod energy;
mod general;
mod global;
mod interaction;
mod nash;
mod neural;
mod own_energy;
mod players;
mod potential;
mod scaling;
mod split;

pub use best_response::{BestResponse, BestResponses};
pub(crate) use bracket::root;
pub use energy::{Energies, NeuronEnergy};
pub use interaction::{InteractionCost, Own};
pub use nash::{Exploitability, NashTest};
pub use neural::{NeuralGame, NeuralGameBuilder};
pub use players::{Game, Move};
pub use potential::Potential;
pub use scaling::{Obstruction, symmetrizing_weights, zero_sum_weights};
pub use split::{Split, split};

use crate::Scalar;
use crate::activation::ActivationCost;
use own_energy::OwnEnergy;

/// The best response of a neuron with this self-weight whose others and input drive it by `others`; of several, the one
/// of least magnitude, and `None` if its energy is unbounded below.
pub(crate) fn best_rate<A: Scalar>(self_weight: A, others: A, activation: &dyn ActivationCost<A>) -> Option<A> {
    OwnEnergy::new(self_weight, others, activation).minimise().rate()
}
