//! Activations from outside behave like built-in ones.

use stranger::activations::{Barrier, Softsign};
use ndarray::array;
use neuronash::activation::{ActivationCost, FromCost};
use neuronash::network::FiringRateNetwork;

fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{a} is not {b}");
}

#[test]
fn an_activation_given_by_phi_has_its_closed_forms() {
    let phi: &dyn ActivationCost<f64> = &Softsign;
    for z in [-30.0f64, -1.5, -1e-3, 0.0, 0.2, 1.0, 7.0, 400.0] {
        let x = z / (1.0 + z.abs());
        close(phi.inverse(x), z, 1e-12 * (1.0 + z.abs()));
        close(phi.conjugate(z), z.abs() - z.abs().ln_1p(), 1e-13);
        close(phi.potential(x), -(-x.abs()).ln_1p() - x.abs(), 1e-12);
        close(phi.derivative(z), (1.0 + z.abs()).powi(-2), if z == 0.0 { 1e-3 } else { 1e-7 });
        assert!(phi.fenchel_young(x, z).abs() < 1e-14);
        assert!(phi.fenchel_young(0.5, z) >= 0.0);
    }
    assert_eq!(phi.domain().lower, -1.0);
    assert_eq!(phi.domain().upper, 1.0);
    assert!(!phi.slope_range().exact);
    assert!(phi.slope_range().max <= 1.0 && phi.slope_range().max > 0.9);
}

#[test]
fn an_activation_given_by_its_cost_has_its_closed_forms() {
    let mu = 0.3;
    let phi = FromCost::new(Barrier { weight: mu }).unwrap().with_slope_range(0.0, 1.0).unwrap();
    for z in [-20.0f64, -1.0, 0.0, 0.5, 3.0, 1e4] {
        let root = (z * z + 4.0 * mu).sqrt();
        let x = if z > 0.0 { (z + root) / 2.0 } else { 2.0 * mu / (root - z) };
        close(phi.activate(z), x, 1e-13);
        close(phi.derivative(z), x / root, 1e-7);
        close(phi.inverse(x), z, 1e-11);
        assert!(phi.fenchel_young(x, z).abs() < 1e-9);
        // prox of step t of a barrier of weight mu is that of weight t mu.
        let other = FromCost::new(Barrier { weight: 0.5 * mu }).unwrap();
        close(phi.prox(z, 0.5), other.activate(z), 1e-13);
    }
    assert_eq!(phi.potential(-1.0), f64::INFINITY);
    assert!(phi.slope_range().exact);
}

#[test]
fn strangers_live_in_networks() {
    let net = FiringRateNetwork::builder(array![[0.0, -0.8], [0.9, 0.0]])
        .population("E", 0..1, Softsign)
        .population("I", 1..2, FromCost::new(Barrier { weight: 0.1 }).unwrap())
        .input(&array![1.0, 0.0])
        .build()
        .unwrap();
    let x = net.equilibrium().solve().unwrap();
    let x = x.state();
    let phi: &dyn ActivationCost<f64> = &Softsign;
    close(x[0], phi.activate(1.0 - 0.8 * x[1]), 1e-9);
    assert!(net.game().exploitability(&x).unwrap().max() < 1e-9);
}

#[test]
fn single_precision_works_too() {
    let phi: &dyn ActivationCost<f32> = &Softsign;
    assert!((phi.conjugate(1.0) - (1.0 - 2f32.ln())).abs() < 1e-6);
    assert!((phi.inverse(0.75) - 3.0).abs() < 1e-5);
}
