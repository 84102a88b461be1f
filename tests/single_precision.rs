//! What works in double precision works in single precision: for the same numbers, to the accuracy of the coarser one.

use ndarray::{Array1, Array2, ArrayBase, Data, Ix1, array};
use neuronash::activation::{Relu, Tanh};
use neuronash::circuits::Balance;
use neuronash::circuits::balance::{RegulationBound, population_response};
use neuronash::network::{FiringRateNetwork, Weights};
use neuronash::stability::Condition;
use neuronash::stability::diagonal::certify;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sprs::CsMat;

const N: usize = 12;

/// The same certified network of excitatory and inhibitory neurons in both precisions.
fn twins() -> (FiringRateNetwork<f32>, FiringRateNetwork<f64>) {
    let mut rng = StdRng::seed_from_u64(11);
    let w = Array2::from_shape_fn((N, N), |(_, j)| {
        let size = rng.random_range(0.0..1.0f32) / N as f32;
        if j % 3 == 0 { -2.0 * size } else { size }
    });
    let u = Array1::from_shape_fn(N, |_| rng.random_range(-1.0..1.0f32));
    let tau = Array1::from_shape_fn(N, |_| rng.random_range(0.5..2.0f32));
    let doubled = FiringRateNetwork::builder(w.mapv(f64::from))
        .time_constants(&tau.mapv(f64::from))
        .input(&u.mapv(f64::from))
        .activation(Tanh::new())
        .build()
        .unwrap();
    let single = FiringRateNetwork::builder(w).time_constants(&tau).input(&u).activation(Tanh::new()).build().unwrap();
    (single, doubled)
}

fn gap<S: Data<Elem = f32>, T: Data<Elem = f64>>(x: &ArrayBase<S, Ix1>, y: &ArrayBase<T, Ix1>) -> f64 {
    assert_eq!(x.len(), y.len());
    x.iter().zip(y).fold(0.0, |m: f64, (x, y)| m.max((f64::from(*x) - y).abs()))
}

#[test]
fn stability_reports() {
    let (single, double) = twins();
    let (single, double) = (single.stability_report().unwrap(), double.stability_report().unwrap());
    assert!(single.holds(Condition::DiagonalStability) && single.is_globally_stable());
    for (one, other) in single.findings().iter().zip(double.findings()) {
        assert_eq!((one.condition, &one.answer), (other.condition, &other.answer));
    }
    let hopfield = twins().0.to_hopfield().stability_report().unwrap();
    assert!(hopfield.holds(Condition::DiagonalStability));
}

#[test]
fn all_equilibria() {
    let all = FiringRateNetwork::builder(array![[0.0f32, -2.0], [-2.0, 0.0]])
        .activation(Relu)
        .input(&array![1.0, 1.0])
        .build()
        .unwrap()
        .all_equilibria()
        .find()
        .unwrap();
    assert!(all.complete && all.equilibria.iter().all(|e| e.is_nash));
    assert_eq!((all.equilibria.len(), all.stable().count()), (3, 2));
    let states: Vec<_> = all.equilibria.iter().map(|e| e.state.to_vec()).collect();
    assert_eq!(states[0], [0.0, 1.0]);
    assert_eq!(states[2], [1.0, 0.0]);
    assert!(states[1].iter().all(|x| (x - 1.0 / 3.0).abs() < 1e-6));
}

#[test]
fn responses() {
    let (single, double) = twins();
    let x = single.equilibrium().solve().unwrap().into_state();
    let y = double.equilibrium().solve().unwrap().into_state();
    assert!(gap(&x, &y) < 1e-5);
    let certificate = single.certify().unwrap().into_certificate().unwrap();
    let (single, double) = (single.response(&x).unwrap().certificate(&certificate), double.response(&y).unwrap());
    let v = Array1::from_shape_fn(N, |i| (i as f32).sin());
    let w = v.mapv(f64::from);
    assert!(gap(&single.apply(&v).unwrap(), &double.apply(&w).unwrap()) < 1e-5);
    assert!(gap(&single.apply_transposed(&v).unwrap(), &double.apply_transposed(&w).unwrap()) < 1e-5);
    let matrices = (single.matrix().unwrap(), double.matrix().unwrap());
    assert!(matrices.0.columns().into_iter().zip(matrices.1.columns()).all(|(x, y)| gap(&x, &y) < 1e-5));
}

#[test]
fn hopfield_networks() {
    let (single, double) = twins();
    let (single, double) = (single.to_hopfield(), double.to_hopfield());
    let certificate = single.certify().unwrap().into_certificate().unwrap();
    let rest = single.equilibrium().certificate(&certificate).solve().unwrap();
    let exact = double.equilibrium().solve().unwrap().into_state();
    let bound = rest.report().potential_error_bound.unwrap();
    assert!(gap(&rest.state(), &exact) <= bound + 1e-9 && bound < 1e-3, "{bound:e}");
    let start = Array1::from_shape_fn(N, |i| 1.5 * (i as f32).cos());
    let run =
        single.simulate().initial(&start).until(60.0).record_lyapunov_about(&certificate, &rest.state()).run().unwrap();
    assert!(gap(&run.final_state(), &exact) < 1e-3);
    let v = run.lyapunov().unwrap();
    assert!(v[0] > 1e-2 && v[v.len() - 1] < 1e-5);
    assert!(v.windows(2).into_iter().all(|w| w[1] <= w[0] + 1e-5 * v[0]));
    let lyapunov = single.lyapunov(&certificate, &rest.state()).unwrap();
    let reference = double.certify().unwrap().into_certificate().unwrap();
    assert!(double.lyapunov(&reference, &exact).is_ok());
    assert_eq!(lyapunov.value(&start).unwrap(), v[0]);
    assert!(lyapunov.value(&rest.state()).unwrap().abs() < 1e-6);
    assert!(single.linearise(&rest.state()).unwrap().is_stable());
}

#[test]
fn sparse_certificates() {
    let n = 4000;
    let entries = (0..n).flat_map(|i| [(i, i, -1.0f32), (i, (i + 1) % n, 0.4), ((i + 7) % n, i, -0.3)]);
    let a = sparse(n, entries);
    let certificate = certify(&a).unwrap().certificate().unwrap().clone();
    certificate.verify(&a).unwrap();
    certificate.verify(&a.map(|v| f64::from(*v))).unwrap();
    let double = certify(&a.map(|v| f64::from(*v))).unwrap().certificate().unwrap().margin_lower();
    assert!(double > 0.2 && certificate.margin_lower() == double, "{certificate}");
    let w = sparse(n, (0..n).flat_map(|i| [(i, (i + 1) % n, 0.4f32), ((i + 7) % n, i, -0.3)]));
    let rho = Array1::from_elem(n, 0.5f32);
    let shifted = certify((&w, &rho)).unwrap().certificate().unwrap().clone();
    shifted.verify((&w, &rho)).unwrap();
    assert!(certify((&w, &Array1::from_elem(n, f32::NAN))).is_err());
}

fn sparse(n: usize, entries: impl Iterator<Item = (usize, usize, f32)>) -> CsMat<f32> {
    let mut triplets = sprs::TriMat::new((n, n));
    entries.for_each(|(i, j, v)| triplets.add_triplet(i, j, v));
    triplets.to_csr()
}

#[test]
fn sparse_networks() {
    let n = 5000;
    let weights = Weights::from_triplets(n, (0..n).map(|i| (i, (i + 1) % n, if i % 2 == 0 { 0.8f32 } else { -0.8 })));
    let net = FiringRateNetwork::builder(weights).activation(Tanh::new()).input(&Array1::ones(n)).build().unwrap();
    let certificate = net.certify().unwrap().into_certificate().unwrap();
    let rest = net.equilibrium().certificate(&certificate).solve().unwrap();
    assert!(rest.report().error_bound.as_ref().unwrap().largest < 1e-2);
    assert!(net.residual(&rest.state()).unwrap().iter().all(|r| r.abs() < 1e-5));
}

#[test]
fn balance_and_regulation() {
    let (single, double) = twins();
    let x = single.equilibrium().solve().unwrap().into_state();
    let y = x.mapv(f64::from);
    let (one, other) = (Balance::new(&single, &x).unwrap(), Balance::new(&double, &y).unwrap());
    assert!(gap(one.excitation(), other.excitation()) < 1e-6 && gap(one.inhibition(), other.inhibition()) < 1e-6);
    assert!(gap(&one.total(), &other.total()) < 1e-6);
    let bound = RegulationBound::new(&single, &single.certify().unwrap().into_certificate().unwrap()).unwrap();
    let response = population_response(&single, &x).unwrap();
    assert!(response[[0, 0]].abs() > 0.01 && f64::from(response[[0, 0]].abs()) <= bound.populations[[0, 0]]);
}
