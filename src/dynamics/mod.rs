//! The game in motion: flows in time and play in rounds, all giving one [`Trajectory`].
//!
//! - [`FiringRateNetwork::simulate`](crate::network::FiringRateNetwork::simulate) and
//!   [`HopfieldNetwork::simulate`](crate::network::HopfieldNetwork::simulate) integrate the flows of the two forms of
//!   a network under a constant, a piecewise constant or any other input.

mod cycle;
mod field;
mod input;
pub(crate) mod ode;
mod record;
mod simulation;
mod trajectory;

pub use simulation::Simulation;
pub use trajectory::{Limit, Step, StopReason, Trajectory};
