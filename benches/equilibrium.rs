//! Equilibria against products by `W`: the default solver, the response, enumeration, and many inputs at once.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ndarray::{Array1, Array2};
use neuronash::activation::{Relu, Tanh};
use neuronash::network::{FiringRateNetwork, Weights};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Dense excitatory-inhibitory weights that obey Dale's law.
fn dense(n: usize) -> Array2<f64> {
    let mut rng = StdRng::seed_from_u64(1);
    let size = 1.0 / (n as f64).sqrt();
    Array2::from_shape_fn((n, n), |(_, j)| {
        let w = rng.random_range(0.0..size);
        if 5 * j >= 4 * n { -4.0 * w } else { 0.3 * w }
    })
}

fn input(n: usize) -> Array1<f64> {
    let mut rng = StdRng::seed_from_u64(2);
    Array1::from_shape_simple_fn(n, || rng.random_range(0.0..2.0))
}

fn solvers(c: &mut Criterion) {
    let n = 2000;
    let (w, u) = (dense(n), input(n));
    let relu = FiringRateNetwork::builder(&w).activation(Relu).input(&u).build().unwrap();
    let tanh = FiringRateNetwork::builder(&w).activation(Tanh::new()).input(&u).build().unwrap();
    let mut group = c.benchmark_group("equilibrium of a dense network, n = 2000");
    group.sample_size(20);
    group.bench_function("one product", |b| b.iter(|| relu.weights().product(&u).unwrap()));
    group.bench_function("relu", |b| b.iter(|| relu.equilibrium().tolerance(1e-10).solve().unwrap()));
    group.bench_function("tanh", |b| b.iter(|| tanh.equilibrium().tolerance(1e-10).solve().unwrap()));
    let inputs = Array2::from_shape_fn((n, 16), |(i, k)| u[i] * (1.0 + 0.05 * k as f64));
    group.bench_function("tanh, 16 inputs at once", |b| {
        b.iter(|| tanh.equilibrium().tolerance(1e-10).solve_inputs(&inputs).unwrap());
    });
    let x = tanh.equilibrium().solve().unwrap().into_state();
    let response = tanh.response(&x).unwrap();
    group.bench_function("response to one input, factorised", |b| b.iter(|| response.apply(&u).unwrap()));
    group.finish();
}

fn sparse(c: &mut Criterion) {
    let n = 100_000;
    let mut rng = StdRng::seed_from_u64(3);
    let entries: Vec<_> = (0..10 * n)
        .map(|k| {
            let j = rng.random_range(0..n);
            (k % n, j, if j % 5 == 0 { -0.16 } else { 0.04 } * rng.random_range(0.0..2.0))
        })
        .collect();
    let weights = Weights::from_triplets(n, entries).unwrap();
    let u = input(n);
    let net = FiringRateNetwork::builder(weights).activation(Relu).input(&u).build().unwrap();
    let mut group = c.benchmark_group("equilibrium of a sparse network, n = 100000, 10 weights each");
    group.sample_size(10);
    group.bench_function("one product", |b| b.iter(|| net.weights().product(&u).unwrap()));
    group.bench_function("relu", |b| b.iter(|| net.equilibrium().tolerance(1e-8).solve().unwrap()));
    group.finish();
}

fn enumeration(c: &mut Criterion) {
    let mut group = c.benchmark_group("all equilibria of a ReLU network");
    group.sample_size(10);
    for n in [8, 12, 16, 20] {
        let mut rng = StdRng::seed_from_u64(4);
        let w = Array2::from_shape_simple_fn((n, n), || rng.random_range(-1.0..1.0));
        let net = FiringRateNetwork::builder(&w).activation(Relu).input(&input(n)).build().unwrap();
        group.bench_with_input(BenchmarkId::from_parameter(n), &net, |b, net| {
            b.iter(|| net.all_equilibria().find().unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, solvers, sparse, enumeration);
criterion_main!(benches);
