//! What a user of `neuronash` may add to it, by its public API alone: activations, interactions, and a way of playing.

pub mod activations;
pub mod interactions;
pub mod rules;
