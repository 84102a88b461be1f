//! A certificate belongs to its weights.

use ndarray::{Array1, Array2, array};
use neuronash::Error;
use neuronash::activation::{LeakyRelu, Relu, Tanh};
use neuronash::network::{FiringRateNetwork, HopfieldNetwork, Weights};
use proptest::prelude::*;

use super::laws::stable_weights;
use super::{proof, relu, tanh};

fn refused(error: Error) -> bool {
    matches!(error, Error::Invalid { argument, .. } | Error::Shape { argument, .. } if argument == "certificate")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn other_weights_are_refused((w, u) in stable_weights(2..=8), at in any::<(prop::sample::Index, prop::sample::Index)>()) {
        let n = u.len();
        let (i, j) = (at.0.index(n), at.1.index(n));
        let proof = proof(&relu(&w, &u));
        let mut others = [w.clone(), w.clone(), -&w, w.t().to_owned(), &w * 2.0];
        others[0][[i, j]] = f64::from_bits(w[[i, j]].to_bits() ^ 1);
        others[1].swap([i, j], [(i + 1) % n, j]);
        for other in others.iter().filter(|other| **other != w) {
            let net = relu(other, &u);
            prop_assert!(refused(net.equilibrium().certificate(&proof).solve().unwrap_err()));
            prop_assert!(refused(net.lyapunov(&proof).unwrap_err()));
            prop_assert!(refused(net.simulate().until(1.0).record_lyapunov(&proof).run().unwrap_err()));
        }
    }

    #[test]
    fn the_same_weights_in_another_dress_are_accepted((w, u) in stable_weights(2..=8)) {
        let w = w.mapv(|v| f64::from(v as f32));
        let proof = proof(&relu(&w, &u));
        let again = relu(&w.t().to_owned().reversed_axes(), &(&u + 1.0));
        prop_assert!(again.equilibrium().certificate(&proof).solve().is_ok());
        let entries = w.indexed_iter().map(|((i, j), v)| (i, j, *v));
        let sparse = Weights::from_triplets(u.len(), entries).unwrap();
        let sparse = FiringRateNetwork::builder(sparse).activation(Relu).input(&u).build().unwrap();
        prop_assert!(sparse.equilibrium().certificate(&proof).solve().is_ok());
        let single = FiringRateNetwork::builder(w.mapv(|v| v as f32)).activation(Relu).build().unwrap();
        prop_assert!(single.equilibrium().certificate(&proof).solve().is_ok());
        let leaky = FiringRateNetwork::builder(&w).activation(LeakyRelu::new(0.5).unwrap()).build().unwrap();
        prop_assert!(leaky.equilibrium().certificate(&proof).solve().is_ok());
        let hopfield = HopfieldNetwork::builder(&w).activation(Relu).build().unwrap();
        prop_assert!(hopfield.equilibrium().certificate(&proof).solve().is_ok());
    }
}

#[test]
fn steeper_activations_and_other_sizes_are_refused() {
    let w = array![[0.0, -0.5], [0.5, 0.0]];
    let proof = proof(&tanh(&w, &Array1::zeros(2)));
    let steep = FiringRateNetwork::builder(&w).activation(Tanh::with_gain(2.0).unwrap()).build().unwrap();
    let error = steep.equilibrium().certificate(&proof).solve().unwrap_err();
    assert!(
        matches!(&error, Error::Invalid { argument, .. } if argument.contains("slope bound of neuron 0")),
        "{error}"
    );
    let larger = tanh(&Array2::zeros((3, 3)), &Array1::zeros(3));
    assert!(refused(larger.equilibrium().certificate(&proof).solve().unwrap_err()));
    assert!(refused(larger.to_hopfield().lyapunov(&proof, &Array1::zeros(3)).unwrap_err()));
}
