//! Diagonal stability: one verdict per road, in units of the Cholesky factorisations that a road may cost, and the
//! margin in units of one verdict.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use faer::Side;
use ndarray::{Array1, Array2};
use neuronash::stability::diagonal::{certify, margin};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn gaussian(n: usize, seed: u64) -> Array2<f64> {
    let mut rng = StdRng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((n, n), || {
        let (u, v): (f64, f64) = (rng.random(), rng.random());
        (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos() / (n as f64).sqrt()
    })
}

/// Weights scaled to `part` of the largest certified gain, minus the identity.
fn at_gain(w: &Array2<f64>, part: f64) -> Array2<f64> {
    let n = w.nrows();
    let gain = margin((w, &Array1::ones(n))).expect("a square matrix").max_gain().lower();
    part * gain * w - Array2::<f64>::eye(n)
}

fn verdicts(c: &mut Criterion) {
    let mut group = c.benchmark_group("diagonal");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(3));
    for n in [100, 200, 400] {
        let w = gaussian(n, 1);
        let (guessed, searched, refuted) = (at_gain(&w, 0.5), at_gain(&w, 0.99), at_gain(&w, 1.02));
        let spd = faer::Mat::<f64>::from_fn(n, n, |i, j| if i == j { 2.0 } else { 1.0 / n as f64 });
        group.bench_with_input(BenchmarkId::new("one_cholesky", n), &spd, |b, a| {
            b.iter(|| black_box(a.llt(Side::Lower).expect("positive definite")));
        });
        for (name, a) in
            [("cheap_guess", &guessed), ("interior_point_stable", &searched), ("interior_point_not_stable", &refuted)]
        {
            group.bench_with_input(BenchmarkId::new(name, n), a, |b, a| {
                b.iter(|| black_box(certify(a).expect("square")))
            });
        }
        group.bench_with_input(BenchmarkId::new("margin", n), &searched, |b, a| {
            b.iter(|| black_box(margin(a).expect("square")));
        });
    }
    group.finish();
}

criterion_group!(benches, verdicts);
criterion_main!(benches);
