//! Balance of excitation and inhibition, and regulation by it.

use approx::assert_relative_eq;
use ndarray::{Array1, array};
use neuronash::activation::{Relu, Tanh};
use neuronash::circuits::balance::{self, Balance, RegulationBound};
use neuronash::circuits::{CorticalColumn, WilsonCowan};
use neuronash::network::FiringRateNetwork;
use proptest::prelude::*;

use super::lateral_inhibition::{circuit, weights};

#[test]
fn sums_match_the_drive_and_dense_matches_sparse() {
    let layer = circuit(3, [0.4, 1.0, 0.4, 1.0, 0.2]);
    let net = layer.network(&array![1.0, -0.5, 0.3]).unwrap();
    let sparse = CorticalColumn::new(vec![layer], vec![]).unwrap().network(&array![1.0, -0.5, 0.3]).unwrap();
    let x = array![0.5, 0.2, 0.0, 0.1, 1.0, 0.7];
    let balance = Balance::new(&net, &x).unwrap();
    let other = Balance::new(&sparse, &x).unwrap();
    assert_eq!(balance.excitation(), other.excitation());
    let drive = net.drive(&x).unwrap();
    for i in 0..6 {
        assert_relative_eq!(balance.excitation()[i] - balance.inhibition()[i], drive[i], epsilon = 1e-14);
        assert!(balance.index()[i].abs() <= 1.0);
        assert_relative_eq!(balance.index()[i] * balance.total()[i], drive[i], epsilon = 1e-14);
    }
    assert_eq!(balance.populations().len(), 2);
    assert_eq!(balance.populations()[0].neurons, 3);
    assert!(balance.tightness(1.0).unwrap().iter().all(|t| *t >= 0.0));
    assert!(balance.tightness(0.0).is_err());
    assert!(balance.tightly_balanced(1.5, 1.0).is_err());
    assert!(Balance::new(&net, &array![1.0]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// 3.4 and 5.3 by population: the response matches re-solved equilibria and stays below the bound.
    #[test]
    fn responses_match_equilibria_and_obey_the_bound(
        k in 2usize..5, w in weights(), input in prop::collection::vec(0.5..1.5f64, 4),
    ) {
        let circuit = circuit(k, [w[0] / 1.4, w[1], w[2] / 3.0, w[3], w[4]])
            .to_builder()
            .excitatory(Tanh::new())
            .build()
            .unwrap();
        prop_assume!(circuit.margin().unwrap() > 0.05);
        let net = circuit.network(&Array1::from_vec(input[..k].to_vec())).unwrap();
        let solve = |net: &FiringRateNetwork<f64>| net.equilibrium().tolerance(1e-13).solve().unwrap().into_state();
        let response = balance::population_response(&net, &solve(&net)).unwrap();
        let bound = RegulationBound::new(&net, &net.certify().unwrap().into_certificate().unwrap()).unwrap();
        for q in 0..2 {
            let with = |change: f64| {
                let moved = Array1::from_shape_fn(2 * k, |i| net.input()[i] + if i % 2 == q { change } else { 0.0 });
                solve(&net.clone().with_input(&moved).unwrap())
            };
            let mean = |x: &Array1<f64>, p: usize| x.iter().skip(p).step_by(2).sum::<f64>() / k as f64;
            for p in 0..2 {
                let h = 1e-5;
                let difference = (mean(&with(h), p) - mean(&with(-h), p)) / (2.0 * h);
                assert_relative_eq!(response[[p, q]], difference, epsilon = 1e-6, max_relative = 1e-5);
                prop_assert!(response[[p, q]].abs() <= bound.populations[[p, q]]);
                let far = (mean(&with(1.0), p) - mean(&with(0.0), p)).abs();
                prop_assert!(far <= bound.populations[[p, q]]);
            }
        }
    }
}

#[test]
fn tight_balance_needs_both_large_inputs_and_cancellation() {
    let net = WilsonCowan::builder().w_ee(50.0).w_ei(49.0).w_ie(1.0).excitatory(Relu).build().unwrap().network();
    let balance = Balance::new(&net, &array![1.0, 1.0]).unwrap();
    assert_eq!(balance.tightly_balanced(0.05, 10.0).unwrap(), vec![0]);
    let tightness = balance.tightness(1.0).unwrap();
    assert!(tightness[0] > 40.0 && tightness[1] < 1.0);
}
