//! What a step of the flow costs beside the products by `W` that it cannot do without.

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::Array1;
use neuronash::activation::{Relu, Tanh};
use neuronash::network::FiringRateNetwork;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sprs::CsMat;

const NEURONS: usize = 1_000_000;
const SYNAPSES_PER_NEURON: usize = 10;
const STEPS: usize = 3;
const ROUNDS: usize = 12;

/// Random synapses under Dale's law: every fifth neuron inhibits.
fn sparse(rng: &mut StdRng) -> CsMat<f64> {
    let (mut starts, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
    for _ in 0..NEURONS {
        let mut row: Vec<usize> = (0..SYNAPSES_PER_NEURON).map(|_| rng.random_range(0..NEURONS)).collect();
        row.sort_unstable();
        row.dedup();
        values.extend(row.iter().map(|j| if j % 5 == 0 { -0.16 } else { 0.04 }));
        columns.extend(row);
        starts.push(columns.len());
    }
    CsMat::new((NEURONS, NEURONS), starts, columns, values)
}

fn flow_step(criterion: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(1);
    let weights = sparse(&mut rng);
    let input = Array1::from_shape_fn(NEURONS, |_| rng.random_range(0.0..1.0));
    let tau = Array1::from_shape_fn(NEURONS, |_| rng.random_range(5.0..20.0));
    let relu = FiringRateNetwork::builder(weights.clone()).activation(Relu).input(&input).time_constants(&tau);
    let relu = relu.build().expect("valid network");
    let tanh = FiringRateNetwork::builder(weights).activation(Tanh::new()).input(&input).time_constants(&tau);
    let tanh = tanh.build().expect("valid network");

    let product = |net: &FiringRateNetwork<f64>| {
        let clock = Instant::now();
        black_box(net.weights().product(&input).expect("right length"));
        clock.elapsed().as_secs_f64()
    };
    let evaluation = |net: &FiringRateNetwork<f64>| {
        let clock = Instant::now();
        let run = net.simulate().until(1e3).max_steps(STEPS).record_ends().run().expect("valid options");
        clock.elapsed().as_secs_f64() / run.evaluations() as f64
    };
    for (name, net) in [("ReLU", &relu), ("tanh", &tanh)] {
        // In turns, so that whatever else the machine does troubles both alike; the quickest of each counts.
        let (mut one, mut per) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..ROUNDS {
            one = (0..4).map(|_| product(net)).fold(one, f64::min);
            per = per.min(evaluation(net));
        }
        println!(
            "{name}: product {:.1} ms, flow {:.1} ms per evaluation, ratio {:.2}",
            1e3 * one,
            1e3 * per,
            per / one
        );
    }

    let mut group = criterion.benchmark_group("sparse 1e6 neurons, 1e7 synapses");
    group.sample_size(10);
    group.bench_function("product", |b| b.iter(|| product(&relu)));
    group.bench_function("3 steps, ReLU", |b| b.iter(|| evaluation(&relu)));
    group.finish();
}

criterion_group!(benches, flow_step);
criterion_main!(benches);
