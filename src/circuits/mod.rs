//! Model circuits of cortex: Wilson-Cowan, lateral inhibition, the cortical column, and the balance of excitation and
//! inhibition in any network.
//!
//! Each circuit is a named set of parameters that turns into a [`FiringRateNetwork`](crate::network::FiringRateNetwork),
//! with closed forms where theory has them (theory 5-8). Weights are given as magnitudes: all of them are `>= 0`, and
//! inhibition gets its minus sign when the network is built.

pub mod balance;
pub mod cortical_column;
pub mod lateral_inhibition;
pub mod lattice;
mod parameters;
mod proof;
pub mod wilson_cowan;

pub use balance::Balance;
pub use cortical_column::{ColumnDesign, CorticalColumn};
pub use lateral_inhibition::LateralInhibition;
pub use lattice::{HexagonalLattice, LatticeCircuit};
pub use wilson_cowan::WilsonCowan;
