//! Large dense networks are read in single precision along the way, which must not be seen in the answer.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use neuronash::equilibrium::{Anderson, FixedPoint, Method};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{distance, proof, random_vector, relu, tanh};

const N: usize = 520;

/// Dale's law, 80% excitatory, certified with a margin to spare.
fn weights(seed: u64) -> Array2<f64> {
    let mut rng = StdRng::seed_from_u64(seed);
    let size = 0.2 / (N as f64).sqrt();
    Array2::from_shape_fn((N, N), |(_, j)| {
        let w = rng.random_range(0.0..size);
        if 5 * j >= 4 * N { -w } else { 0.25 * w }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// ReLU networks are homogeneous, `x(s u) = s x(u)`, and a scale of the neurons' units `Z` turns `W` into `Z W Z^{-1}`; single precision
    /// has no room for either at the extremes.
    #[test]
    fn scales_out_of_the_range_of_single_precision_change_nothing(
        seed in any::<u64>(),
        scale in -200..200_i32,
        spread in 0..30_i32,
    ) {
        let (w, u) = (weights(seed), random_vector(N, seed, 1.0) + 0.5);
        let reference = relu(&w, &u).equilibrium().tolerance(1e-14).solve().unwrap().into_state();
        let s = 2.0_f64.powi(3 * scale);
        let scaled = relu(&w, &(&u * s)).equilibrium().tolerance(1e-13).absolute_tolerance(0.0).solve().unwrap();
        prop_assert!(distance(&(&scaled.state() / s), &reference) < 1e-10);
        let z = Array1::from_shape_fn(N, |i| 2.0_f64.powi(if i % 2 == 0 { 3 * spread } else { -3 * spread }));
        let similar = &w * &z.clone().insert_axis(Axis(1)) / &z;
        let net = relu(&similar, &(&u * &z));
        let eq = net.equilibrium().tolerance(1e-13).solve().unwrap();
        let residual = net.residual(&eq.state()).unwrap();
        let size = |x: ArrayView1<'_, f64>| x.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        prop_assert!(size(residual.view()) <= 1.01e-13 * size(eq.state()).max(1.0));
    }

    #[test]
    fn reports_rest_on_double_precision(seed in any::<u64>(), smooth in any::<bool>(), tolerance in -14..-3_i32) {
        let (w, u) = (weights(seed), random_vector(N, seed, 2.0));
        let net = if smooth { tanh(&w, &u) } else { relu(&w, &u) };
        let proof = proof(&net);
        let tolerance = 10.0_f64.powi(tolerance);
        let exact = net.equilibrium().certificate(&proof).tolerance(1e-14).solve().unwrap();
        let own = exact.report().error_bound.clone().unwrap().largest;
        for method in [Method::Auto, Anderson::new().into(), FixedPoint::new().damping(0.3).into()] {
            let eq = net.equilibrium().certificate(&proof).method(method).tolerance(tolerance).solve().unwrap();
            let residual = net.residual(&eq.state()).unwrap().iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            prop_assert!((residual - eq.report().residual).abs() <= 1e-3 * residual + 1e-13);
            prop_assert!(residual <= 1.01 * eq.report().threshold + 1e-15);
            let bound = eq.report().error_bound.clone().unwrap().largest;
            prop_assert!(distance(&eq.state(), &exact.state()) <= bound + own);
        }
        // Stopped early: the reported state is still judged in double precision.
        let stopped = net.equilibrium().max_iterations(4).tolerance(1e-15).outcome().unwrap();
        let neuronash::equilibrium::Outcome::NotConverged(stopped) = stopped else { panic!("{stopped}") };
        let residual = net.residual(&stopped.last).unwrap().iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        prop_assert!((residual - stopped.report.residual).abs() <= 1e-12 + 1e-9 * residual);
    }
}
