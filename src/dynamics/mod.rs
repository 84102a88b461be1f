//! The game in motion: flows in time and play in rounds, all giving one [`Trajectory`].
//!
//! - [`FiringRateNetwork::simulate`](crate::network::FiringRateNetwork::simulate) and
//!   [`HopfieldNetwork::simulate`](crate::network::HopfieldNetwork::simulate) integrate the flows of the two forms of
//!   a network under a constant, a piecewise constant or any other input.
//! - [`NeuralGame::simulate`](crate::game::NeuralGame::simulate) does so for any interaction, and
//!   [`NeuralGame::best_response_flow`](crate::game::NeuralGame::best_response_flow) integrates continuous best-response dynamics.
//! - [`NeuralGame::play`](crate::game::NeuralGame::play) plays in rounds: best responses or proximal pseudo-gradient steps, all at
//!   once or one neuron after the other, damped or not, or by any other [`PlayRule`]. [`Play::new`](Run::new) plays any game.
//!
//! ```
//! use ndarray::array;
//! use neuronash::activation::Relu;
//! use neuronash::dynamics::{Damped, Simultaneous};
//! use neuronash::network::FiringRateNetwork;
//!
//! let net = FiringRateNetwork::<f64>::builder(array![[0.5, -1.0], [1.0, -0.5]])
//!     .activation(Relu)
//!     .input(&array![1.0, 0.0])
//!     .build()?;
//! let flow = net.simulate().until_converged(1e-10).run()?;
//! let play = net.game().play().rule(Damped::new(0.5, Simultaneous)).run()?;
//! assert!(flow.converged() && play.converged());
//! assert!((flow.final_state()[0] - play.final_state()[0]).abs() < 1e-8);
//! # Ok::<(), neuronash::Error>(())
//! ```

mod combination;
mod course;
mod cycle;
mod field;
mod input;
mod ode;
mod play;
mod record;
mod rest;
mod rule;
mod run;
mod simulation;
mod trajectory;

pub use play::{InRounds, Play};
pub use rule::{Cyclic, Damped, PlayRule, Proximal, Random, Simultaneous};
pub use run::Run;
pub use simulation::{InTime, Simulation};
pub use trajectory::{Limit, Step, StopReason, Trajectory};

/// Below this length of a state, starting threads costs more than they save.
#[cfg(feature = "rayon")]
const PARALLEL_FROM: usize = 1 << 15;
