//! What the game costs, in units of one product by `W`.
//!
//! Run with `cargo bench --bench game`; the last lines are ratios of the fastest of interleaved runs.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group};
use ndarray::{Array1, Array2};
use neuronash::activation::{Relu, Tanh};
use neuronash::network::{FiringRateNetwork, read};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const N: usize = 4000;

/// Half ReLU, half tanh, own energies convex; self-weights zero or not.
fn network(self_weights: bool) -> FiringRateNetwork<f64> {
    let mut rng = StdRng::seed_from_u64(1);
    let mut w = Array2::from_shape_fn((N, N), |_| rng.random_range(-1.0..1.0) / (N as f64).sqrt());
    for i in 0..N {
        w[[i, i]] = if self_weights { rng.random_range(-2.0..0.9) } else { 0.0 };
    }
    FiringRateNetwork::builder(w)
        .population("rectified", 0..N / 2, Relu)
        .population("saturating", N / 2..N, Tanh::new())
        .input(&Array1::from_shape_fn(N, |_| rng.random_range(-1.0..1.0)))
        .build()
        .expect("a valid network")
}

fn state(net: &FiringRateNetwork<f64>) -> Array1<f64> {
    net.activate(&net.input()).expect("n inputs")
}

fn game(c: &mut Criterion) {
    for self_weights in [false, true] {
        let net = network(self_weights);
        let x = state(&net);
        let mut group = c.benchmark_group(if self_weights { "n = 4000, w_ii != 0" } else { "n = 4000, w_ii = 0" });
        group.sample_size(20);
        group.bench_function("W x", |b| b.iter(|| net.weights().product(&x)));
        group.bench_function("best responses", |b| b.iter(|| net.game().best_responses(&x)));
        group.bench_function("energies", |b| b.iter(|| net.game().energies(&x)));
        group.bench_function("exploitability", |b| b.iter(|| net.game().exploitability(&x)));
        group.finish();
    }
}

/// The fastest of 40 rounds in which all candidates take turns.
fn fastest(candidates: &mut [(&str, &mut dyn FnMut())]) -> Vec<Duration> {
    let mut best = vec![Duration::MAX; candidates.len()];
    for _ in 0..40 {
        for ((_, run), best) in candidates.iter_mut().zip(&mut best) {
            let start = Instant::now();
            run();
            *best = start.elapsed().min(*best);
        }
    }
    best
}

fn ratios() {
    for self_weights in [false, true] {
        let net = network(self_weights);
        let x = state(&net);
        let dense = net.weights().to_dense();
        let mut candidates: [(&str, &mut dyn FnMut()); 6] = [
            ("W x", &mut || drop(black_box(net.weights().product(&x)))),
            ("W x by ndarray", &mut || drop(black_box(dense.dot(&x)))),
            ("W' x", &mut || drop(black_box(net.weights().transposed_product(&x)))),
            ("best responses", &mut || drop(black_box(net.game().best_responses(&x)))),
            ("energies", &mut || drop(black_box(net.game().energies(&x)))),
            ("exploitability", &mut || drop(black_box(net.game().exploitability(&x)))),
        ];
        let best = fastest(&mut candidates);
        println!("\nn = {N}, self-weights {}", if self_weights { "in [-2, 0.9]" } else { "0" });
        for ((name, _), time) in candidates.iter().zip(&best) {
            let ratio = time.as_secs_f64() / best[0].as_secs_f64();
            println!("{name:16} {:8.2} ms = {ratio:.2} x W x", time.as_secs_f64() * 1e3);
        }
    }
}

fn readers() {
    const SIZE: usize = 2000;
    let mut rng = StdRng::seed_from_u64(2);
    let w = Array2::from_shape_fn((SIZE, SIZE), |_| rng.random_range(-1.0..1.0));
    let lines: Vec<String> =
        w.rows().into_iter().map(|r| r.iter().map(f64::to_string).collect::<Vec<_>>().join(",")).collect();
    let csv = lines.join("\n");
    let mut npy = Vec::new();
    ndarray_npy::WriteNpyExt::write_npy(&w, &mut npy).expect("memory takes all");
    let entries: String = w.indexed_iter().map(|((i, j), v)| format!("{} {} {v}\n", i + 1, j + 1)).collect();
    let mtx = format!("%%MatrixMarket matrix coordinate real general\n{SIZE} {SIZE} {}\n{entries}", SIZE * SIZE);
    println!("\n{SIZE} x {SIZE} weights");
    let time = |name: &str, size: usize, run: &dyn Fn()| {
        let once = || {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        };
        let seconds = (0..3).map(|_| once()).fold(f64::INFINITY, f64::min);
        println!("{name:16} {:6.1} MB in {seconds:.3} s", size as f64 / 1e6);
    };
    time("csv", csv.len(), &|| drop(black_box(read::csv_from::<f64>(csv.as_bytes(), "csv"))));
    time("npy", npy.len(), &|| drop(black_box(read::npy_from::<f64>(&npy[..], "npy"))));
    time("matrix market", mtx.len(), &|| drop(black_box(read::matrix_market_from::<f64>(mtx.as_bytes(), "mtx"))));
}

criterion_group!(benches, game);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    ratios();
    readers();
}
