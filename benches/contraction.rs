//! How long contraction certificates take, each beside a full symmetric eigenvalue computation or a product of its size.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ndarray::Array2;
use neuronash::stability::contraction::{Norm, log_norm, perron, s_contraction};
use neuronash::stability::matrix::{hurwitz, p_matrix};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sprs::TriMat;

/// A random E-I network: four excitatory columns to one inhibitory, balanced.
fn circuit(n: usize, density: f64) -> Array2<f64> {
    let mut rng = StdRng::seed_from_u64(7);
    let strength = 1.5 / (density * n as f64).sqrt();
    Array2::from_shape_fn((n, n), |(_, j)| {
        let sign = if j % 5 == 0 { -4.0 } else { 1.0 };
        if rng.random::<f64>() < density { strength * sign * rng.random::<f64>() } else { 0.0 }
    })
}

fn dense(c: &mut Criterion) {
    let mut group = c.benchmark_group("dense");
    group.sample_size(10);
    for n in [50, 100] {
        let w = circuit(n, 0.2);
        group.bench_with_input(BenchmarkId::new("s_contraction", n), &w, |b, w| b.iter(|| s_contraction(w).unwrap()));
        group.bench_with_input(BenchmarkId::new("l2 log norm", n), &w, |b, w| {
            b.iter(|| log_norm(w, &Norm::l2()).unwrap())
        });
        group.bench_with_input(BenchmarkId::new("hurwitz", n), &(&w - Array2::<f64>::eye(n)), |b, a| {
            b.iter(|| hurwitz(a).unwrap());
        });
    }
    for n in [12, 16] {
        let m = Array2::<f64>::eye(n) - circuit(n, 0.5) * 0.1;
        group.bench_with_input(BenchmarkId::new("p_matrix", n), &m, |b, m| b.iter(|| p_matrix(m).unwrap()));
    }
    group.finish();
}

fn sparse(c: &mut Criterion) {
    let mut group = c.benchmark_group("sparse");
    group.sample_size(10);
    for n in [10_000, 100_000] {
        let mut rng = StdRng::seed_from_u64(3);
        let mut t = TriMat::new((n, n));
        for i in 0..n {
            for _ in 0..10 {
                t.add_triplet(i, rng.random_range(0..n), rng.random::<f64>() - 0.3);
            }
        }
        let w = t.to_csr::<usize>();
        group.bench_with_input(BenchmarkId::new("perron", n), &w, |b, w| b.iter(|| perron(w).unwrap()));
    }
    group.finish();
}

criterion_group!(benches, dense, sparse);
criterion_main!(benches);
