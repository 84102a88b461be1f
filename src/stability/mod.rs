//! Proofs of stability: for matrices, and for the networks built on them.

mod bounds;
pub mod contraction;
pub mod diagonal;

pub use bounds::Bounds;
