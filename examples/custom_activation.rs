//! Two activations that the crate does not know: one given by its function, one by its cost.
//!
//! `cargo run --release --example custom_activation`

use ndarray::array;
use neuronash::activation::{ActivationCost, CostFunction, Domain, FromCost, SlopeRange};
use neuronash::network::FiringRateNetwork;

/// A rate that compresses its input: `phi(z) = ln(1 + z)` for `z > 0`, else 0.
#[derive(Debug)]
struct Logarithmic;

impl ActivationCost<f64> for Logarithmic {
    fn name(&self) -> String {
        "logarithmic".into()
    }
    fn activate(&self, z: f64) -> f64 {
        if z > 0.0 { z.ln_1p() } else { 0.0 }
    }
    // Optional: slopes that are known rather than sampled may enter a proof.
    fn slope_range(&self) -> SlopeRange<f64> {
        SlopeRange::exact(0.0, 1.0)
    }
}

/// A metabolic price `c` per spike, growing with the square of the rate: `E_act(x) = c x^2` on `x >= 0`.
#[derive(Debug)]
struct Metabolic {
    price: f64,
}

impl CostFunction<f64> for Metabolic {
    fn name(&self) -> String {
        format!("metabolic(price {})", self.price)
    }
    fn cost(&self, x: f64) -> f64 {
        self.price * x * x
    }
    fn derivative(&self, x: f64) -> f64 {
        2.0 * self.price * x
    }
    fn domain(&self) -> Domain<f64> {
        Domain::new(0.0, f64::INFINITY)
    }
}

fn describe(phi: &dyn ActivationCost<f64>, z: f64) {
    let x = phi.activate(z);
    println!("{}:", phi.name());
    println!("  phi({z}) = {x:.6}, slope {:.6}, back to {:.6}", phi.derivative(z), phi.inverse(x));
    println!(
        "  Psi({x:.3}) = {:.6}, Psi*({z}) = {:.6}, their gap {:.1e}",
        phi.potential(x),
        phi.conjugate(z),
        phi.fenchel_young(x, z)
    );
    println!("  prox with step 0.5 at {z}: {:.6}", phi.prox(z, 0.5));
    let slopes = phi.slope_range();
    println!("  slopes in [{}, {}], {}", slopes.min, slopes.max, if slopes.exact { "known" } else { "sampled" });
}

fn main() -> neuronash::Result<()> {
    let metabolic = FromCost::new(Metabolic { price: 0.5 })?.with_slope_range(0.0, 0.5)?;
    describe(&Logarithmic, 2.0);
    describe(&metabolic, 2.0);

    // An excitatory neuron that compresses and an inhibitory one that pays.
    let net = FiringRateNetwork::builder(array![[0.5, -1.0], [1.0, 0.0]])
        .population("E", 0..1, Logarithmic)
        .population("I", 1..2, metabolic)
        .input(&array![2.0, 0.0])
        .build()?;
    let equilibrium = net.equilibrium().solve()?;
    println!("rates at equilibrium: {:.6}", equilibrium.state());
    println!("exploitability: {:.1e}", net.game().exploitability(&equilibrium.state())?.max());
    Ok(())
}
