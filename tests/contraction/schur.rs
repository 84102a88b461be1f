//! Schur diagonal stability against closed forms, brute force, simulated rounds and delayed flows.

use ndarray::{Array1, Array2, array};
use neuronash::Scalar;
use neuronash::activation::{Relu, Tanh};
use neuronash::circuits::WilsonCowan;
use neuronash::network::FiringRateNetwork;
use neuronash::stability::{diagonal, schur};
use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng};

fn random(n: usize, size: f64, rng: &mut StdRng) -> Array2<f64> {
    Array2::from_shape_simple_fn((n, n), || size * rng.random_range(-1.0..1.0))
}

/// The weighted norm of a 2 x 2 matrix for `D = diag(1, d^2)`.
fn norm_of_two(m: &Array2<f64>, d: f64) -> f64 {
    let [a, b, c, e] = [m[[0, 0]], m[[0, 1]] / d, m[[1, 0]] * d, m[[1, 1]]];
    let (sum, det) = (a * a + b * b + c * c + e * e, a * e - b * c);
    (0.5 * (sum + (sum * sum - 4.0 * det * det).max(0.0).sqrt())).sqrt()
}

#[test]
fn norms_have_their_closed_forms() {
    let near = |m: Array2<f64>, expected: f64| {
        let norm = schur::norm(&m).unwrap();
        assert!(norm.lower() <= expected * (1.0 + 1e-12) && norm.upper() >= expected * (1.0 - 1e-12), "{norm}");
        assert!(norm.upper() <= norm.lower() * (1.0 + 2e-6) + 1e-100, "{norm}");
        norm.verify(&m).unwrap();
    };
    // Nonnegative matrices: the spectral radius. Symmetric ones: the spectral norm. Two rows, skew: either entry's
    // mean.
    near(array![[0.0, 9.0], [0.01, 0.0]], 0.3);
    near(array![[1.0, 2.0, 0.5], [0.5, 1.0, 2.0], [2.0, 0.5, 1.0]], 3.5);
    near(array![[1.0, -2.0], [-2.0, 3.0]], 2.0 + 5f64.sqrt());
    near(array![[0.0, -4.0], [1.0, 0.0]], 2.0);
    near(array![[-0.5]], 0.5);
    let zero = schur::norm(&Array2::<f64>::zeros((3, 3))).unwrap();
    assert!(zero.is_stable() && zero.upper() < 1e-100);
    // Strictly triangular: as small as wanted, and no weights attain 0.
    assert!(schur::certify(&array![[0.0, 0.0], [100.0, 0.0]]).unwrap().is_stable());
    assert!(schur::norm(&array![[1.0, f64::NAN], [0.0, 1.0]]).is_err());
    assert!(schur::norm(&Array2::<f64>::zeros((2, 3))).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_weights_do_better_for_two_neurons(entries in proptest::array::uniform4(-2.0..2.0f64)) {
        let m = Array2::from_shape_vec((2, 2), entries.to_vec()).unwrap();
        let brute = (-4000..=4000).map(|k| norm_of_two(&m, 10f64.powf(f64::from(k) / 1000.0))).fold(f64::INFINITY, f64::min);
        let norm = schur::norm(&m).unwrap();
        prop_assert!(norm.lower() <= brute * (1.0 + 1e-9), "{norm}, {brute}");
        prop_assert!(norm.upper() >= brute * (1.0 - 2e-3) && norm.upper() <= brute * (1.0 + 1e-3), "{norm}, {brute}");
        let single = schur::norm(&m.mapv(|v| v as f32)).unwrap();
        prop_assert!((single.upper() - norm.upper()).abs() < 1e-4 * (1.0 + norm.upper()));
    }

    #[test]
    fn schur_stability_implies_lyapunov_stability_and_the_norm_is_above_the_radius(seed in 0u64..1_000_000) {
        let mut rng = StdRng::seed_from_u64(seed);
        let n = 2 + (seed % 5) as usize;
        let m = random(n, 1.2, &mut rng);
        let norm = schur::norm(&m).unwrap();
        prop_assert!(norm.upper() <= norm.lower() * (1.0 + 1e-4), "{norm}");
        norm.verify(&m).unwrap();
        prop_assert!(norm.verify(&(1.01 * &m)).is_err() && norm.verify(&(0.99 * &m)).is_err());
        if norm.is_stable() {
            let a = &m - &Array2::<f64>::eye(n);
            prop_assert!(diagonal::certify(&a).unwrap().is_stable());
        }
        // The norm of the transpose is the same, with inverse weights.
        let transposed = schur::norm(&m.t()).unwrap();
        prop_assert!((transposed.upper() - norm.upper()).abs() < 1e-3 * norm.upper());
    }
}

#[test]
fn rounds_of_play_contract_at_the_norm() {
    fn rounds<A: Scalar>() {
        let mut rng = StdRng::seed_from_u64(11);
        let n = 12;
        let w = random(n, 1.0, &mut rng);
        let scale = 0.95 / schur::norm(&w).unwrap().upper();
        let w = w.mapv(|v| A::of(scale * v));
        let net = FiringRateNetwork::builder(w).activation(Tanh::new()).build().unwrap();
        let norm = net.schur_norm().unwrap();
        assert!(norm.is_stable() && (norm.upper() - 0.95).abs() < 1e-4, "{norm}");
        net.verify_schur_norm(&norm).unwrap();
        let step = |x: &Array1<A>| net.activate(&net.drive(x).unwrap()).unwrap();
        let distance = |x: &Array1<A>, y: &Array1<A>| {
            let d = norm.weights();
            (0..n).map(|i| d[i] * (x[i] - y[i]).to_double().powi(2)).sum::<f64>().sqrt()
        };
        for _ in 0..50 {
            let mut pair = [(); 2].map(|()| Array1::from_shape_simple_fn(n, || A::of(rng.random_range(-3.0..3.0))));
            for _ in 0..10 {
                let before = distance(&pair[0], &pair[1]);
                pair = pair.map(|x| step(&x));
                let after = distance(&pair[0], &pair[1]);
                let rounding = 1e-5 * norm.weights().iter().fold(0.0, |m: f64, d| m.max(d.sqrt()));
                assert!(after <= norm.upper() * before + rounding, "{after} after {before}");
            }
        }
    }
    rounds::<f64>();
    rounds::<f32>();
}

/// Whether `x' = -x + Phi(W x(t - theta) + u)`, each synapse with its delay, settles from a start of size 1 around 0.
fn settles(w: &Array2<f64>, delay: impl Fn(usize, usize) -> f64, step: f64, steps: usize) -> bool {
    let n = w.nrows();
    let mut history = vec![Array1::from_shape_fn(n, |i| if i % 2 == 0 { 1.0 } else { -0.5 })];
    let lag = |i: usize, j: usize| (delay(i, j) / step).round() as usize;
    for k in 0..steps {
        let past = |back: usize| &history[k.saturating_sub(back)];
        let drive = |i: usize| (0..n).map(|j| w[[i, j]] * past(lag(i, j))[j]).sum::<f64>();
        let x = &history[k];
        let next = Array1::from_shape_fn(n, |i| x[i] + step * (drive(i).tanh() - x[i]));
        history.push(next);
    }
    let late = &history[steps - steps / 20..];
    late.iter().flatten().all(|v| v.abs() < 1e-2)
}

#[test]
fn common_delays_do_no_harm_under_schur_stability_and_others_none_under_the_majorant() {
    let mut rng = StdRng::seed_from_u64(5);
    for _ in 0..4 {
        let w = random(4, 1.0, &mut rng);
        let net = |w: &Array2<f64>| FiringRateNetwork::builder(w).activation(Tanh::new()).build().unwrap();
        let common = &w * (0.6 / schur::norm(&w).unwrap().upper());
        for delay in [0.5, 3.0, 10.0] {
            assert!(settles(&common, |_, _| delay, 0.02, 15_000));
        }
        let radius = net(&w).delay_radius().unwrap();
        let each = &w * (0.6 / radius.upper);
        assert!(net(&each).delay_radius().unwrap().upper < 1.0 && net(&each).schur_norm().unwrap().is_stable());
        let delays = Array2::from_shape_simple_fn((4, 4), || rng.random_range(0.0..8.0));
        assert!(settles(&each, |i, j| delays[[i, j]], 0.02, 15_000));
    }
}

#[test]
fn pairs_oscillate_beyond_the_critical_delay_of_their_loop() {
    // Diagonally stable at any delay of 0; W = [[.5, -4], [3, 0]] loses stability at 0.129 tau.
    let at = |w: [f64; 4], tau_i: f64, u: f64| {
        let [w_ee, w_ei, w_ie, w_ii] = w;
        let circuit =
            WilsonCowan::builder().w_ee(w_ee).w_ei(w_ei).w_ie(w_ie).w_ii(w_ii).tau_i(tau_i).u_e(u).build().unwrap();
        let (p, q) = (1.0 - w_ee, 1.0 + w_ii);
        let det = p * q + w_ei * w_ie;
        circuit.critical_delay([u * q / det, u * w_ie / det]).unwrap()
    };
    let delay = at([0.5, 4.0, 3.0, 0.0], 1.0, 5.0).unwrap();
    assert!((delay - 0.129).abs() < 5e-4, "{delay}");
    // No delay harms a weak loop; an inhibition-stabilised pair has a critical delay, a saddle none.
    assert_eq!(at([0.5, 0.5, 0.5, 0.0], 1.0, 1.0), Some(f64::INFINITY));
    let paradoxical = at([1.5, 2.0, 2.0, 0.5], 0.5, 1.0).unwrap();
    assert!(paradoxical > 0.0 && paradoxical < 1.0);
    for (w, tau_i, critical) in [([0.5, 4.0, 3.0, 0.0], 1.0, delay), ([1.5, 2.0, 2.0, 0.5], 0.5, paradoxical)] {
        // Heun's method for the deviations, the whole delay on the way from I to E.
        let growth = |share: f64| {
            let lag = 400;
            let step = share * critical / lag as f64;
            let [w_ee, w_ei, w_ie, w_ii] = w;
            let flow =
                |e: f64, i: f64, past: f64| ((w_ee - 1.0) * e - w_ei * past, (w_ie * e - (1.0 + w_ii) * i) / tau_i);
            let (mut e, mut i, mut inhibition) = (1.0, 0.0, vec![0.0; lag + 1]);
            let mut peaks = [0.0f64; 2];
            let steps = (60.0 / step) as usize;
            for k in 0..steps {
                let (past, next) = (inhibition[k], inhibition[k + 1]);
                let first = flow(e, i, past);
                let second = flow(e + step * first.0, i + step * first.1, next);
                e += 0.5 * step * (first.0 + second.0);
                i += 0.5 * step * (first.1 + second.1);
                inhibition.push(i);
                if k >= steps / 3 {
                    let half = usize::from(k >= 2 * steps / 3);
                    peaks[half] = peaks[half].max(e.abs());
                }
            }
            peaks[1] / peaks[0]
        };
        let (before, beyond) = (growth(0.9), growth(1.1));
        assert!(before < 0.8 && beyond > 1.25, "{before}, {beyond}");
    }
}

#[test]
fn lyapunov_stability_alone_does_not_make_rounds_converge() {
    let w = array![[0.5, -4.0], [3.0, 0.0]];
    let net = FiringRateNetwork::builder(&w).activation(Relu).build().unwrap();
    let norm = net.schur_norm().unwrap();
    assert!(net.certify().unwrap().is_stable() && norm.is_not_stable(), "{norm}");
    assert!(norm.max_gain().lower > 0.2 && norm.to_string().starts_with("not Schur diagonally stable"));
    assert!(net.verify_schur_norm(&norm).is_ok());
}
