//! Two activations.

use neuronash::Scalar;
use neuronash::activation::{ActivationCost, CostFunction, Domain};

/// `phi(z) = z/(1 + |z|)`, given by nothing but its values.
#[derive(Debug, Clone, Copy)]
pub struct Softsign;

impl<A: Scalar> ActivationCost<A> for Softsign {
    fn name(&self) -> String {
        "softsign".into()
    }
    fn activate(&self, z: A) -> A {
        z / (A::one() + z.abs())
    }
}

/// A logarithmic barrier at rate 0 of weight `mu`, `E_act(x) = -mu ln x`: `phi(z) = (z + sqrt(z^2 + 4 mu))/2`.
#[derive(Debug, Clone, Copy)]
pub struct Barrier {
    /// The weight `mu > 0`.
    pub weight: f64,
}

impl CostFunction<f64> for Barrier {
    fn name(&self) -> String {
        format!("barrier({})", self.weight)
    }
    fn cost(&self, x: f64) -> f64 {
        -self.weight * x.ln()
    }
    fn derivative(&self, x: f64) -> f64 {
        -self.weight / x
    }
    fn domain(&self) -> Domain<f64> {
        Domain::new(0.0, f64::INFINITY)
    }
}
