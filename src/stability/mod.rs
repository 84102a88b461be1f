//! Proofs of stability: for matrices, and for the networks built on them.

mod bounds;
pub mod contraction;
pub mod diagonal;
pub mod local;
pub mod lyapunov;
mod majorant;
mod network;

pub use bounds::Bounds;
pub use network::{NetworkCertificate, NetworkVerdict};
