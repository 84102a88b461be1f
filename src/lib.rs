//! Neural circuits as games, with proofs that they are stable.
#![warn(missing_docs)]
#![deny(unsafe_code)]

pub mod activation;
pub mod circuits;
pub mod dynamics;
pub mod equilibrium;
mod error;
pub mod game;
mod linalg;
pub mod network;
mod scalar;
pub mod stability;

pub use error::{Error, Result};
pub use scalar::Scalar;
