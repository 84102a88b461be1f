//! Responses to inputs.

use ndarray::{Array1, array};
use neuronash::Error;
use neuronash::activation::{Identity, Relu, Tanh};
use neuronash::network::{FiringRateNetwork, Weights};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{certified, distance, proof, random_vector, relu, tanh};

#[test]
fn responses_match_finite_differences_and_their_adjoints() {
    let w = certified(12, 77);
    let u = random_vector(12, 78, 1.5);
    for net in [relu(&w, &u), tanh(&w, &u)] {
        let proof = proof(&net);
        let eq = net.equilibrium().certificate(&proof).tolerance(1e-14).solve().unwrap();
        let response = net.response(&eq.state()).unwrap();
        let matrix = response.matrix().unwrap();
        for j in 0..12 {
            let (h, mut v) = (1e-6, Array1::zeros(12));
            v[j] = 1.0;
            let at = |s: f64| {
                let moved = net.clone().with_input(&(&u + &(&v * s))).unwrap();
                moved.equilibrium().certificate(&proof).tolerance(1e-14).solve().unwrap().into_state()
            };
            let difference = (at(h) - at(-h)) / (2.0 * h);
            let applied = response.apply(&v).unwrap();
            assert!(distance(&applied, &difference) < 1e-6);
            assert!(distance(&applied, &matrix.column(j).to_owned()) < 1e-12);
        }
        let (p, q) = (random_vector(12, 79, 1.0), random_vector(12, 80, 1.0));
        let forth = q.dot(&response.apply(&p).unwrap());
        let back = p.dot(&response.apply_transposed(&q).unwrap());
        assert!((forth - back).abs() < 1e-12);
    }
    let net = relu(&w, &u);
    assert!(net.response(&array![1.0]).is_err());
    let response = net.response(&u).unwrap();
    assert!(response.apply(&array![1.0]).is_err());
    assert!(response.apply_transposed(&Array1::from_elem(12, f64::NAN)).is_err());
}

#[test]
fn responses_of_potentials_match_finite_differences_and_their_adjoints() {
    let w = certified(9, 81);
    let u = random_vector(9, 82, 1.5);
    for net in [relu(&w, &u), tanh(&w, &u)] {
        let net = net.to_hopfield();
        let at = |u: &Array1<f64>| {
            let moved = net.clone().with_input(u).unwrap();
            moved.equilibrium().tolerance(1e-14).solve().unwrap().into_state()
        };
        let response = net.response(&at(&u)).unwrap();
        let matrix = response.matrix().unwrap();
        for j in 0..9 {
            let (h, mut v) = (1e-6, Array1::zeros(9));
            v[j] = 1.0;
            let difference = (at(&(&u + &(&v * h))) - at(&(&u - &(&v * h)))) / (2.0 * h);
            let applied = response.apply(&v).unwrap();
            assert!(distance(&applied, &difference) < 1e-6);
            assert!(distance(&applied, &matrix.column(j).to_owned()) < 1e-12);
        }
        let (p, q) = (random_vector(9, 83, 1.0), random_vector(9, 84, 1.0));
        let gap = q.dot(&response.apply(&p).unwrap()) - p.dot(&response.apply_transposed(&q).unwrap());
        assert!(gap.abs() < 1e-12);
        assert!(net.response(&array![1.0]).is_err() && net.response(&Array1::from_elem(9, f64::NAN)).is_err());
    }
}

#[test]
fn sparse_responses_match_dense_ones() {
    let n = 2000;
    let mut rng = StdRng::seed_from_u64(87);
    let entries: Vec<_> = (0..6 * n).map(|k| (k % n, rng.random_range(0..n), rng.random_range(-0.3..0.3))).collect();
    let weights = Weights::from_triplets(n, entries).unwrap();
    let u = random_vector(n, 88, 1.0);
    let sparse = FiringRateNetwork::builder(weights.clone()).activation(Tanh::new()).input(&u).build().unwrap();
    let dense = tanh(&weights.to_dense(), &u);
    let x = sparse.equilibrium().solve().unwrap().into_state();
    let v = random_vector(n, 89, 1.0);
    let (sparse, dense) = (sparse.response(&x).unwrap(), dense.response(&x).unwrap());
    assert!(distance(&sparse.apply(&v).unwrap(), &dense.apply(&v).unwrap()) < 1e-11);
    assert!(distance(&sparse.apply_transposed(&v).unwrap(), &dense.apply_transposed(&v).unwrap()) < 1e-11);
}

#[test]
fn certified_responses_of_sparse_networks_match_dense_ones() {
    // Antagonism whose strength in both directions differs by orders of magnitude: harmless in the certificate's metric,
    // far from normal outside it.
    let n = 1600;
    let scale = |i: usize| 10f64.powi(3 * (i * i % 4) as i32 - 3 * (i % 3) as i32);
    let entries = (1..n).flat_map(|i| {
        let ratio = scale(i) / scale(i - 1);
        [(i - 1, i, -2.0 * ratio), (i, i - 1, 2.0 / ratio)]
    });
    let weights = Weights::from_triplets(n, entries).unwrap();
    let u = random_vector(n, 98, 1.0);
    let sparse = FiringRateNetwork::builder(weights.clone()).activation(Identity).input(&u).build().unwrap();
    let certificate = proof(&sparse);
    let x = Array1::zeros(n);
    let v = random_vector(n, 99, 1.0);
    let response = sparse.response(&x).unwrap();
    let alone = response.apply(&v);
    let response = response.certificate(&certificate);
    let dense = FiringRateNetwork::builder(weights.to_dense()).activation(Identity).input(&u).build().unwrap();
    let dense = dense.response(&x).unwrap();
    // In the norms of the certificate, where rounding errors are small.
    let root = certificate.weights().mapv(f64::sqrt);
    let gap = |x: &Array1<f64>, y: &Array1<f64>, m: &Array1<f64>| {
        let norm = |v: Array1<f64>| v.dot(&v).sqrt();
        norm((x - y) * m) / norm(y * m)
    };
    let exact = dense.apply(&v).unwrap();
    assert!(gap(&response.apply(&v).unwrap(), &exact, &root) < 1e-9);
    let adjoint = (response.apply_transposed(&v).unwrap(), dense.apply_transposed(&v).unwrap());
    assert!(gap(&adjoint.0, &adjoint.1, &root.mapv(f64::recip)) < 1e-9);
    assert!(alone.is_err_and(|error| matches!(error, Error::NoConvergence { .. })));
    let other = relu(&array![[0.5]], &array![1.0]);
    let other = proof(&other);
    assert!(sparse.response(&x).unwrap().certificate(&other).apply(&v).is_err());
}

#[test]
fn a_dense_matrix_for_a_million_neurons_is_an_error() {
    let n = 1_000_000;
    let weights = Weights::<f64>::from_triplets(n, (1..n).map(|i| (i, i - 1, 0.5))).unwrap();
    let net = FiringRateNetwork::builder(weights).activation(Relu).input(&Array1::ones(n)).build().unwrap();
    let x = net.equilibrium().solve().unwrap().into_state();
    let response = net.response(&x).unwrap();
    assert!((response.apply(&Array1::ones(n)).unwrap()[n - 1] - 2.0).abs() < 1e-9);
    let refused = |error: Error| {
        assert!(error.to_string().contains("at most 20000 neurons"), "{error}");
    };
    refused(response.matrix().unwrap_err());
    refused(net.all_equilibria().find().unwrap_err());
}

/// Theory 5.3: `dx_I/du_I` has the sign of `(1 - w_EE)/det`, so it turns negative at the switch `w_EE = 1`.
#[test]
fn the_paradoxical_response_begins_at_the_switch() {
    for (w_ee, sign) in [(0.5, 1.0), (0.99, 1.0), (1.01, -1.0), (1.8, -1.0)] {
        let w = array![[w_ee, -2.5], [2.0, -0.5]];
        let net = relu(&w, &array![2.0, 0.0]);
        let eq = net.equilibrium().solve().unwrap();
        assert!(eq.state().iter().all(|x| *x > 0.0));
        let response = net.response(&eq.state()).unwrap().matrix().unwrap();
        let det = (1.0 - w_ee) * 1.5 + 5.0;
        assert!((response[[1, 1]] - (1.0 - w_ee) / det).abs() < 1e-12);
        assert_eq!(response[[1, 1]].signum(), sign);
        assert!((response[[0, 0]] - 1.5 / det).abs() < 1e-12);
    }
}
