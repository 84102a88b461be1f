//! Activation of a million neurons through the trait object, beside the plain loop over a slice.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use neuronash::activation::{ActivationCost, Relu, Tanh};

const NEURONS: usize = 1_000_000;

fn inputs() -> Vec<f64> {
    (0..NEURONS).map(|i| (i as f64 * 0.618).sin() * 3.0).collect()
}

fn compare(c: &mut Criterion, name: &str, activation: &dyn ActivationCost<f64>, plain: impl Fn(f64) -> f64 + Copy) {
    let mut group = c.benchmark_group(name);
    let z = inputs();
    // The plain loop before and after, so that a drift of the machine shows.
    for label in ["plain loop", "activate_slice", "plain loop again"] {
        group.bench_function(label, |b| {
            b.iter_batched_ref(
                || z.clone(),
                |z| {
                    if label == "activate_slice" {
                        black_box(activation).activate_slice(z);
                    } else {
                        for v in z.iter_mut() {
                            *v = plain(*v);
                        }
                    }
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn activation(c: &mut Criterion) {
    compare(c, "relu", &Relu, |z| z.max(0.0));
    compare(c, "tanh", &Tanh::new(), f64::tanh);
}

criterion_group!(benches, activation);
criterion_main!(benches);
