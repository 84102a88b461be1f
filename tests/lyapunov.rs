//! The Lyapunov function of certified networks, its guarantees, and local stability.

use std::time::Duration;

use ndarray::{Array1, Array2, array};
use neuronash::activation::{
    Algebraic, Arctan, ClippedLinear, Identity, LeakyRelu, Logistic, NakaRushton, PowerLaw, RectifiedThreshold, Relu,
    SoftThreshold, Softplus, Tanh,
};
use neuronash::circuits::balance::RegulationBound;
use neuronash::network::{FiringRateNetwork, HopfieldNetwork};
use neuronash::stability::diagonal::{Certifier, Method, Stop};
use neuronash::stability::local::Tendency;
use neuronash::stability::{Condition, NetworkCertificate, NetworkVerdict, ReportOptions};
use neuronash::{Error, Scalar};
use num_rational::BigRational;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sprs::{CsMat, TriMat};

/// Every activation of bounded slope, by number.
const ACTIVATIONS: usize = 12;

/// Random excitatory and inhibitory neurons with unequal time constants, scaled so that most are certified.
fn network<A: Scalar>(n: usize, activation: usize, seed: u64) -> FiringRateNetwork<A> {
    network_with(n, activation, seed, true)
}

fn network_with<A: Scalar>(n: usize, activation: usize, seed: u64, self_weights: bool) -> FiringRateNetwork<A> {
    let mut rng = StdRng::seed_from_u64(seed);
    let inhibitory: Vec<bool> = (0..n).map(|_| rng.random_bool(0.4)).collect();
    let scale = 0.75 / n as f64;
    let w = Array2::from_shape_fn((n, n), |(i, j)| {
        let size = if i != j || self_weights { rng.random_range(0.0..scale) } else { 0.0 };
        A::of(if inhibitory[j] { -2.5 * size } else { size })
    });
    let tau = Array1::from_shape_fn(n, |_| A::of(rng.random_range(0.2..5.0)));
    let u = Array1::from_shape_fn(n, |_| A::of(rng.random_range(-1.0..2.0)));
    let builder = FiringRateNetwork::builder(w).time_constants(&tau).input(&u);
    let of = A::of;
    match activation {
        0 => builder.activation(Identity),
        1 => builder.activation(Relu),
        2 => builder.activation(LeakyRelu::new(of(0.1)).unwrap()),
        3 => builder.activation(ClippedLinear::new(of(-0.5), of(1.0)).unwrap()),
        4 => builder.activation(SoftThreshold::new(of(0.3)).unwrap()),
        5 => builder.activation(RectifiedThreshold::new(of(0.2)).unwrap()),
        6 => builder.activation(Tanh::with_gain(of(1.3)).unwrap()),
        7 => builder.activation(Logistic::with_gain_and_threshold(of(4.0), of(0.5)).unwrap()),
        8 => builder.activation(Arctan),
        9 => builder.activation(Algebraic),
        10 => builder.activation(Softplus::with_gain(of(2.0)).unwrap()),
        _ => builder.activation(NakaRushton::new(of(1.0), of(1.0), of(2.0)).unwrap()),
    }
    .build()
    .unwrap()
}

fn certified<A: Scalar>(n: usize, activation: usize, seed: u64) -> (FiringRateNetwork<A>, NetworkCertificate) {
    let net = network(n, activation, seed);
    let certificate = net.certify().unwrap().into_certificate().unwrap();
    (net, certificate)
}

/// A state inside every domain: the rates at random drives.
fn state<A: Scalar>(net: &FiringRateNetwork<A>, seed: u64) -> Array1<A> {
    let mut rng = StdRng::seed_from_u64(seed);
    net.activate(&Array1::from_shape_fn(net.len(), |_| A::of(rng.random_range(-2.0..3.0)))).unwrap()
}

fn rest(net: &FiringRateNetwork<f64>) -> Array1<f64> {
    net.simulate().until_converged(1e-12).record_ends().run().unwrap().final_state().to_owned()
}

fn largest(v: &Array1<f64>) -> f64 {
    v.iter().fold(0.0, |m, v| v.abs().max(m))
}

#[test]
fn v_falls_at_the_guaranteed_rate_for_every_activation() {
    for activation in 0..ACTIVATIONS {
        for seed in 0..4 {
            let (net, certificate) = certified::<f64>(8, activation, seed);
            let rate = net.lyapunov(&certificate).unwrap().decay_rate();
            let run = net
                .simulate()
                .initial(&state(&net, seed + 100))
                .until(20.0)
                .relative_tolerance(1e-10)
                .record_lyapunov(&certificate)
                .run()
                .unwrap();
            let v = run.lyapunov().unwrap();
            assert!(v[0] > 1e-4 && v.iter().all(|v| v.is_finite()), "{activation} {v}");
            // Near rest V is a difference of numbers of size 1; before, rounding leaves its decrease visible.
            for k in 1..v.len() {
                let allowed = v[k - 1] * (-rate * (run.times()[k] - run.times()[k - 1])).exp();
                assert!(v[k] <= allowed * (1.0 + 1e-9) + 1e-13, "{activation} {seed} {k}: {} {allowed}", v[k]);
            }
            assert!(v[v.len() - 1] <= net.lyapunov(&certificate).unwrap().envelope(v[0], 20.0).unwrap() + 1e-13);
        }
    }
}

#[test]
fn v_falls_in_single_precision_too() {
    let (net, certificate) = certified::<f32>(8, 1, 3);
    let run = net.simulate().initial(&state(&net, 5)).until(5.0).record_lyapunov(&certificate).run().unwrap();
    let v = run.lyapunov().unwrap();
    assert!(v.windows(2).into_iter().all(|w| w[1] <= w[0] * (1.0 + 1e-5) + 1e-6), "{v}");
    assert!(v[v.len() - 1] < 0.5 * v[0]);
}

#[test]
fn v_is_the_weighted_exploitability_without_self_weights() {
    for activation in 0..ACTIVATIONS {
        let net = network_with::<f64>(6, activation, 1, false);
        let certificate = net.certify().unwrap().into_certificate().unwrap();
        let x = state(&net, 7);
        let terms = net.lyapunov(&certificate).unwrap().terms(&x).unwrap();
        let gains = net.game().exploitability(&x).unwrap().gains;
        for i in 0..6 {
            let weighted = certificate.weights()[i] / net.time_constants()[i] * gains[i];
            assert!((terms[i] - weighted).abs() <= 1e-10 * (1.0 + weighted.abs()), "{activation}: {terms} {gains}");
        }
    }
}

#[test]
fn v_is_infinite_outside_the_domain() {
    for (activation, outside) in [(1, -0.1), (3, 1.1), (6, 1.1), (7, -0.01), (10, -0.1)] {
        let (net, certificate) = certified::<f64>(4, activation, 2);
        let lyapunov = net.lyapunov(&certificate).unwrap();
        let mut x = state(&net, 1);
        assert!(lyapunov.value(&x).unwrap().is_finite());
        x[2] = outside;
        assert_eq!(lyapunov.value(&x).unwrap(), f64::INFINITY, "{activation}");
        assert!(lyapunov.error_bound(&x).unwrap().is_some(), "the error bound holds everywhere");
    }
}

#[test]
fn guarantees_hold_for_hopfield_networks() {
    for activation in 0..ACTIVATIONS {
        let (rates, certificate) = certified::<f64>(6, activation, 11);
        let net = rates.to_hopfield();
        let equilibrium = net.simulate().until_converged(1e-12).record_ends().run().unwrap();
        let equilibrium = equilibrium.final_state().to_owned();
        let mut rng = StdRng::seed_from_u64(3);
        let start = Array1::from_shape_fn(6, |_| rng.random_range(-3.0..3.0));
        let run = net
            .simulate()
            .initial(&start)
            .until(15.0)
            .relative_tolerance(1e-10)
            .record_lyapunov_about(&certificate, &equilibrium)
            .run()
            .unwrap();
        let v = run.lyapunov().unwrap();
        assert_eq!(v[0], net.lyapunov(&certificate, &equilibrium).unwrap().value(&start).unwrap());
        assert!(v.windows(2).into_iter().all(|w| w[1] <= w[0] + 1e-13), "{activation}: {v}");
        assert!(v[v.len() - 1] < 0.2 * v[0], "{activation}: {v}");
    }
}

#[test]
fn rate_and_envelope_are_the_formula() {
    // W - I = -I: delta = 1, and min(1, 2) / 4.
    let net = FiringRateNetwork::builder(array![[0.0, 0.0], [0.0, 0.0]])
        .activation(Relu)
        .time_constants(&array![4.0, 1.0])
        .build()
        .unwrap();
    let certificate = net.certify().unwrap().into_certificate().unwrap();
    let lyapunov = net.lyapunov(&certificate).unwrap();
    assert!(lyapunov.decay_rate() <= 0.25 && lyapunov.decay_rate() > 0.2499999);
    assert!((lyapunov.envelope(3.0, 8.0).unwrap() - 3.0 * (-2.0f64).exp()).abs() < 1e-6);
    for (initial, t, name) in [
        (3.0, -1.0, "t"),
        (3.0, f64::NAN, "t"),
        (3.0, f64::INFINITY, "t"),
        (-3.0, 1.0, "initial"),
        (f64::NAN, 1.0, "initial"),
    ] {
        let error = lyapunov.envelope(initial, t).unwrap_err();
        assert!(matches!(&error, neuronash::Error::Invalid { argument, .. } if argument == name), "{error}");
    }
    assert_eq!(lyapunov.envelope(f64::INFINITY, 1.0).unwrap(), f64::INFINITY);
    // W = 3/4: delta <= 1/4, and 2 delta / max tau = 1/8.
    let net = FiringRateNetwork::builder(array![[0.75]]).activation(Relu).time_constants(&array![4.0]).build().unwrap();
    let certificate = net.certify().unwrap().into_certificate().unwrap();
    assert!(certificate.margin() <= 0.25 && certificate.margin() > 0.2499);
    let rate = net.lyapunov(&certificate).unwrap().decay_rate();
    assert!(rate <= 0.125 && rate > 0.1249);
}

#[test]
fn v_of_one_relu_neuron_in_closed_form() {
    // FY(x, z) = (x - z)^2/2 for z >= 0, x >= 0, and x^2/2 - x z for z < 0.
    let net = FiringRateNetwork::builder(array![[-1.0]])
        .activation(Relu)
        .time_constants(&array![2.0])
        .input(&array![1.0])
        .build()
        .unwrap();
    let certificate = net.certify().unwrap().into_certificate().unwrap();
    let d = certificate.weights()[0];
    let v = |x: f64| net.lyapunov(&certificate).unwrap().value(&array![x]).unwrap() * 2.0 / d;
    assert!((v(0.25) - 0.125).abs() < 1e-15);
    assert!((v(3.0) - (4.5 + 6.0)).abs() < 1e-14);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_error_bound_holds(activation in 0..ACTIVATIONS, seed in 0u64..10_000, near in 0..16i32) {
        let net = network::<f64>(5, activation, seed);
        let NetworkVerdict::Stable(certificate) = net.certify().unwrap() else { return Ok(()) };
        let lyapunov = net.lyapunov(&certificate).unwrap();
        let x_star = rest(&net);
        // The reference is itself only known within its own bound.
        let known = lyapunov.error_bound(&x_star).unwrap().unwrap();
        let x = &x_star + &((&state(&net, seed + 1) - &x_star) * 10f64.powi(-near));
        let bound = lyapunov.error_bound(&x).unwrap().unwrap();
        let gap = &x - &x_star;
        let weights = &certificate.weights() / &certificate.slope_bounds();
        let weighted = (&gap * &gap * weights).sum().sqrt();
        prop_assert!(weighted <= bound.weighted + known.weighted, "{} {}", weighted, bound.weighted);
        prop_assert!(largest(&gap) <= bound.largest + known.largest);
        // And it is not vacuous: |r| alone is at most (1 + |R W|) |x - x*|.
        prop_assert!(bound.weighted <= 1e3 * (weighted + 1e-12) / certificate.margin(), "{} {}", weighted, bound.weighted);
        prop_assert!(known.largest < 1e-9, "{}", known.largest);
    }

    #[test]
    fn the_sensitivity_bound_holds(activation in 0..ACTIVATIONS, seed in 0u64..10_000, size in -6..1i32) {
        let net = network::<f64>(5, activation, seed);
        let NetworkVerdict::Stable(certificate) = net.certify().unwrap() else { return Ok(()) };
        let mut rng = StdRng::seed_from_u64(seed);
        let v = Array1::from_shape_fn(5, |_| rng.random_range(-1.0..1.0) * 10f64.powi(size));
        let lyapunov = net.lyapunov(&certificate).unwrap();
        let bound = lyapunov.sensitivity(&v).unwrap();
        let (before, after) = (rest(&net), rest(&net.clone().with_input(&(&net.input() + &v)).unwrap()));
        let gap = &after - &before;
        let weights = &certificate.weights() / &certificate.slope_bounds();
        prop_assert!((&gap * &gap * weights).sum().sqrt() <= bound.weighted + 1e-9);
        prop_assert!(largest(&gap) <= bound.largest + 1e-9);
    }

    /// Dense and sparse weights are certified alike, and both margins are true.
    #[test]
    fn margins_are_true(activation in 0..ACTIVATIONS, seed in 0u64..10_000, n in 1usize..9) {
        let net = network::<f64>(n, activation, seed);
        let w = net.weights().to_dense();
        let sparse = FiringRateNetwork::builder(to_sparse(&w)).activation(Relu).build().unwrap();
        let dense = FiringRateNetwork::builder(w).activation(Relu).build().unwrap();
        let mut proved = 0;
        for net in [&net, &sparse, &dense] {
            if let NetworkVerdict::Stable(certificate) = net.certify().unwrap() {
                prop_assert!(certificate.margin() > 0.0);
                prop_assert!(margin_holds(net, &certificate), "{}", certificate);
                proved += 1;
            }
        }
        prop_assert!(proved >= 2, "these weights are small");
    }
}

fn to_sparse(w: &Array2<f64>) -> CsMat<f64> {
    let mut triplets = TriMat::new(w.dim());
    for ((i, j), &v) in w.indexed_iter() {
        triplets.add_triplet(i, j, v);
    }
    triplets.to_csr()
}

/// Whether `sym(D (R^{-1} - W)) - delta D R^{-1}` is positive semidefinite up to 1e-12, by pivots.
fn margin_holds(net: &FiringRateNetwork<f64>, certificate: &NetworkCertificate) -> bool {
    let n = net.len();
    let (d, rho, w) = (certificate.weights(), certificate.slope_bounds(), net.weights().to_dense());
    let mut s = Array2::from_shape_fn((n, n), |(i, j)| {
        let own = if i == j { d[i] / rho[i] * (1.0 - certificate.margin()) } else { 0.0 };
        let scale = (d[i] / rho[i] * d[j] / rho[j]).sqrt();
        (own - 0.5 * (d[i] * w[[i, j]] + d[j] * w[[j, i]])) / scale
    });
    s.diag_mut().mapv_inplace(|v| v + 1e-12);
    for k in 0..n {
        if s[[k, k]] <= 0.0 {
            return false;
        }
        for i in k + 1..n {
            let factor = s[[i, k]] / s[[k, k]];
            for j in k..n {
                s[[i, j]] -= factor * s[[k, j]];
            }
        }
    }
    true
}

#[test]
fn a_large_sparse_network_is_certified_by_its_majorant() {
    let n = 20_000;
    let mut rng = StdRng::seed_from_u64(4);
    let mut triplets = TriMat::new((n, n));
    for i in 0..n {
        for _ in 0..10 {
            let j = rng.random_range(0..n);
            triplets.add_triplet(i, j, if j % 5 == 0 { -0.16 } else { 0.04 });
        }
    }
    let net = FiringRateNetwork::builder(triplets.to_csr::<usize>()).activation(Relu).build().unwrap();
    let certificate = net.certify().unwrap().into_certificate().unwrap();
    // Rows of |W| sum to 0.64 on average.
    assert!(certificate.margin() > 0.05 && certificate.margin() < 0.4, "{certificate}");
}

#[test]
fn verdicts_are_either_way() {
    let unstable = FiringRateNetwork::builder(array![[1.5, -1.0], [1.0, 0.0]]).activation(Relu).build().unwrap();
    let verdict = unstable.certify().unwrap();
    assert!(matches!(verdict, NetworkVerdict::NotStable(_)), "{verdict}");
    assert!(verdict.certificate().is_none());
    assert!(matches!(verdict.into_certificate(), Err(Error::NotCertified { .. })));
    // The same weights with a gain of 1/2.
    let tame = FiringRateNetwork::builder(array![[1.5, -1.0], [1.0, 0.0]])
        .activation(Tanh::with_gain(0.5).unwrap())
        .build()
        .unwrap();
    let certificate = tame.certify().unwrap().into_certificate().unwrap();
    assert_eq!(certificate.slope_bounds(), array![0.5, 0.5]);
    assert!(margin_holds(&tame, &certificate));
    assert_eq!(tame.to_hopfield().certify().unwrap().into_certificate().unwrap(), certificate);
}

/// `W - I` symmetric with the largest eigenvalue `-gap`, exactly.
fn near_boundary(n: usize, gap: f64) -> FiringRateNetwork<f64> {
    let c = 2f64.powi(-9);
    let own = 1.0 - n as f64 * c - gap;
    let w = Array2::from_shape_fn((n, n), |(i, j)| if i == j { c + own } else { c });
    FiringRateNetwork::builder(w).activation(Relu).input(&Array1::from_elem(n, 1e-3)).build().unwrap()
}

#[test]
fn margins_near_the_boundary_are_positive_or_said_to_be_none() {
    for n in [100, 300] {
        for power in [20, 28, 32, 36, 40, 44, 48] {
            let net = near_boundary(n, 2f64.powi(-power));
            let verdict = net.certify().unwrap();
            let Some(certificate) = verdict.certificate() else {
                assert!(power > 36 && !verdict.is_not_stable(), "n = {n}, gap 2^-{power}: {verdict}");
                assert!(matches!(verdict.into_certificate(), Err(Error::NotCertified { .. })));
                continue;
            };
            assert!(certificate.margin() > 0.0 && certificate.margin() <= 2f64.powi(-power), "{certificate}");
            assert!(power > 36 || certificate.margin() >= 0.05 * 2f64.powi(-power), "gap 2^-{power}: {certificate}");
            net.verify(certificate).unwrap();
            let lyapunov = net.lyapunov(certificate).unwrap();
            assert!(lyapunov.decay_rate() > 0.0);
            assert!(lyapunov.error_bound(&Array1::zeros(n)).unwrap().is_some());
            assert!(RegulationBound::new(&net, certificate).unwrap().gain.is_finite());
        }
    }
    // One neuron whose margin is the distance between two numbers.
    let edge = FiringRateNetwork::builder(array![[1.0f64.next_down()]]).activation(Relu).build().unwrap();
    let verdict = edge.certify().unwrap();
    assert!(matches!(verdict, NetworkVerdict::StableWithoutBounds(_)), "{verdict}");
    assert!(verdict.to_string().contains("no margin above 0"), "{verdict}");
}

#[test]
fn a_chain_too_long_for_the_range_of_f64_is_stable_all_the_same() {
    let n = 1500;
    let mut w = Array2::zeros((n, n));
    (1..n).for_each(|i| w[[i, i - 1]] = 4.0);
    let net = FiringRateNetwork::builder(w).activation(Relu).build().unwrap();
    let verdict = net.certify().unwrap();
    let NetworkVerdict::StableWithoutBounds(proof) = &verdict else { panic!("{verdict}") };
    proof.verify((&net.weights().to_dense(), &Array1::<f64>::ones(n))).unwrap();
    assert!(verdict.is_stable() && verdict.certificate().is_none());
    let report = net.stability_report().unwrap();
    assert!(report.holds(Condition::DiagonalStability), "{report}");
    assert!(matches!(report.verdict(), Some(NetworkVerdict::StableWithoutBounds(_))), "{report}");
    let message = verdict.into_certificate().unwrap_err().to_string();
    assert!(message.contains("stable for every input") && message.contains("range of f64"), "{message}");
    // A shorter one has weights within range.
    let short = FiringRateNetwork::builder(net.weights().to_dense().slice(ndarray::s![..300, ..300]).to_owned())
        .activation(Relu)
        .build()
        .unwrap();
    assert!(short.certify().unwrap().into_certificate().unwrap().margin() > 0.0);
}

#[test]
fn options_of_a_certifier_reach_networks() {
    let net = network::<f64>(30, 1, 0);
    let hurried = Certifier::builder().time_limit(Duration::ZERO).build().unwrap();
    let rough = Certifier::builder().tolerance(0.5).build().unwrap();
    // A ring of strong influences, decided by the interior point only.
    let ring = |n: usize, weight: f64| {
        let mut w = TriMat::new((n, n));
        (0..n).for_each(|i| w.add_triplet(i, (i + 1) % n, if i == 0 { -weight } else { weight }));
        w.to_csr::<usize>()
    };
    let looped = FiringRateNetwork::builder(ring(5, 1.2)).activation(Relu).build().unwrap();
    assert!(looped.certify().unwrap().is_stable());
    for verdict in [looped.certify_with(&hurried).unwrap(), looped.to_hopfield().certify_with(&hurried).unwrap()] {
        let NetworkVerdict::Undecided(undecided) = verdict else { panic!("{verdict}") };
        assert_eq!(undecided.reason(), Stop::TimeLimit);
    }
    let margin = net.margin().unwrap();
    assert!(net.to_hopfield().margin_with(&rough).unwrap().lower() <= margin.upper());
    assert!(net.margin_with(&rough).unwrap().iterations() <= margin.iterations());
    assert_eq!(looped.margin_with(&hurried).unwrap().stopped(), Some(Stop::TimeLimit));
    let gain = looped.max_gain().unwrap();
    assert!(gain.lower() > 1.2359 / 1.2 && gain.upper() < 1.2361 / 1.2, "{gain}");
    let only = ReportOptions::default().only(&[Condition::DiagonalStability]);
    // Dense weights near the boundary, which need the interior point.
    let mut rng = StdRng::seed_from_u64(5);
    let w = Array2::from_shape_simple_fn((30, 30), || rng.random_range(-1.0..1.0));
    let dense = |w| FiringRateNetwork::builder(w).activation(Relu).build().unwrap();
    let near = dense(&w * (0.999 * dense(w.clone()).max_gain().unwrap().lower()));
    let report = only.clone().certifier(hurried.clone()).report(&near).unwrap();
    assert!(matches!(report.verdict(), Some(NetworkVerdict::Undecided(_))), "{report}");
    assert!(only.report(&near).unwrap().holds(Condition::DiagonalStability));

    // Sweeps over a sparse majorant end when they are told to, before the first one.
    let large = FiringRateNetwork::builder(ring(5000, 0.9999)).activation(Relu).build().unwrap();
    let NetworkVerdict::Undecided(undecided) = large.certify_with(&hurried).unwrap() else { panic!("no time") };
    assert_eq!(undecided.reason(), Stop::TimeLimit);
}

#[test]
fn weights_of_ones_own_are_proved() {
    let w = array![[0.5, -4.0], [2.0, 0.0]];
    let net = FiringRateNetwork::builder(w.clone()).activation(Relu).build().unwrap();
    let certificate = net.certify_weights(&array![2.0, 4.0]).unwrap();
    assert_eq!((certificate.method(), certificate.weights()), (Method::Given, array![1.0, 2.0].view()));
    assert!(certificate.margin() > 0.499 && certificate.margin() <= 0.5, "{certificate}");
    net.verify(&certificate).unwrap();
    assert_eq!(net.to_hopfield().certify_weights(&array![2.0f32, 4.0]).unwrap(), certificate);
    let triplets = w.indexed_iter().map(|((i, j), &v)| (i, j, v));
    let mut sparse = TriMat::new((2, 2));
    triplets.for_each(|(i, j, v)| sparse.add_triplet(i, j, v));
    let sparse = FiringRateNetwork::builder(sparse.to_csr::<usize>()).activation(Relu).build().unwrap();
    assert_eq!(sparse.certify_weights(&array![2.0, 4.0]).unwrap(), certificate);
    assert!(matches!(net.certify_weights(&array![1.0, 40.0]), Err(Error::NotProved { .. })));
    assert!(matches!(net.certify_weights(&array![1.0]), Err(Error::Shape { .. })));
    for bad in [0.0, -1.0] {
        assert!(matches!(net.certify_weights(&array![1.0, bad]), Err(Error::Invalid { .. })));
    }
    for bad in [f64::NAN, f64::INFINITY] {
        assert!(matches!(net.certify_weights(&array![1.0, bad]), Err(Error::NonFinite { .. })));
    }
}

#[test]
fn bad_input_is_refused() {
    let power = FiringRateNetwork::builder(array![[0.5]]).activation(PowerLaw::new(2.0).unwrap()).build().unwrap();
    assert!(matches!(power.certify(), Err(Error::UnboundedSlope { .. })));
    let (net, certificate) = certified::<f64>(4, 1, 0);
    let (steep, other) = (network::<f64>(4, 6, 0), network::<f64>(5, 1, 0));
    assert!(steep.lyapunov(&certificate).is_err(), "its slopes are larger");
    assert!(matches!(other.lyapunov(&certificate), Err(Error::Shape { .. })));
    let lyapunov = net.lyapunov(&certificate).unwrap();
    for bad in [array![1.0], array![1.0, f64::NAN, 0.0, 0.0], array![f64::INFINITY, 0.0, 0.0, 0.0]] {
        assert!(lyapunov.value(&bad).is_err());
        assert!(lyapunov.error_bound(&bad).is_err());
        assert!(lyapunov.sensitivity(&bad).is_err());
        assert!(net.linearise(&bad).is_err());
        assert!(net.to_hopfield().linearise(&bad).is_err());
        assert!(net.to_hopfield().lyapunov(&certificate, &bad).is_err());
    }
    let huge = Array1::from_elem(4, f64::MAX);
    assert!(lyapunov.error_bound(&huge).unwrap().is_none());
    let wrong_form = net.simulate().until(1.0).record_lyapunov_about(&certificate, &array![0.0, 0.0, 0.0, 0.0]).run();
    assert!(matches!(wrong_form, Err(Error::Invalid { .. })));
}

#[test]
fn overflowing_linearisations_are_errors() {
    let linear = |w: Array2<f32>| FiringRateNetwork::builder(w).activation(Identity).build().unwrap();
    let huge = linear(array![[3e38, 3e38], [3e38, 3e38]]);
    let x = array![0.0, 0.0];
    assert!(matches!(huge.linearise(&x), Err(Error::Invalid { argument, .. }) if argument == "weights"));
    assert!(huge.to_hopfield().linearise(&x).is_err());
    // Entries whose squares overflow are no reason to call everything marginal.
    let large = linear(array![[1e25, 0.0], [0.0, 1e25]]).linearise(&x).unwrap();
    assert_eq!(large.tendency(), Tendency::Unstable);
}

fn exact(x: f64) -> BigRational {
    BigRational::from_float(x).unwrap()
}

/// By Routh and Hurwitz: whether `W - I` of three neurons is stable, or has an eigenvalue on the right of the imaginary
/// axis.
fn routh_hurwitz(w: &Array2<f64>) -> (bool, bool) {
    let one = exact(1.0);
    let a = |i: usize, j: usize| exact(w[[i, j]]) - if i == j { one.clone() } else { exact(0.0) };
    let minor = |i: usize, j: usize, k: usize, l: usize| a(i, k) * a(j, l) - a(i, l) * a(j, k);
    let a2 = -(a(0, 0) + a(1, 1) + a(2, 2));
    let a1 = minor(0, 1, 0, 1) + minor(0, 2, 0, 2) + minor(1, 2, 1, 2);
    let a0 = -(a(0, 0) * minor(1, 2, 1, 2) - a(0, 1) * minor(1, 2, 0, 2) + a(0, 2) * minor(1, 2, 0, 1));
    let zero = exact(0.0);
    let hurwitz = &a2 * &a1 - &a0;
    (a2 > zero && a0 > zero && hurwitz > zero, a2 < zero || a0 < zero || a1 < zero || hurwitz < zero)
}

fn at_the_origin(w: &Array2<f64>) -> neuronash::stability::local::Linearisation<f64> {
    let net = FiringRateNetwork::builder(w).activation(Identity).build().unwrap();
    net.linearise(&Array1::zeros(w.nrows())).unwrap()
}

#[test]
fn units_that_differ_by_many_orders_do_not_mislead() {
    let w = array![
        [0.89537469384054, 8.72829647498876e-10, -3.9243980699891475e-9],
        [-1.5871744336011343e9, -0.3386516202347343, -1.8788908508823123],
        [1.8672730680855966e8, 0.20122996305733853, 0.7826055744693008]
    ];
    assert_eq!(routh_hurwitz(&w), (true, false));
    let local = at_the_origin(&w);
    assert_eq!(local.tendency(), Tendency::Stable);
    assert!((local.spectral_abscissa() + 0.1486).abs() < 1e-4, "{local}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn local_stability_agrees_with_exact_routh_hurwitz(
        entries in prop::collection::vec(-1.0..1.0f64, 9),
        units in prop::collection::vec(-1.0..1.0f64, 3),
        span in 0..60i32,
        size in prop_oneof![Just(1.0), Just(3.0)],
        near in prop::bool::ANY,
    ) {
        // Not by powers of two, so that entries are rounded and what looks alike is not.
        let unit = |i: usize| (f64::from(span) * units[i] / 2.0).exp2();
        let mut w = Array2::from_shape_fn((3, 3), |(i, j)| size * entries[3 * i + j] * unit(i) / unit(j));
        if near {
            // To the boundary, as well as rounding allows.
            let abscissa = at_the_origin(&w).spectral_abscissa();
            w.diag_mut().mapv_inplace(|v| v - abscissa);
        }
        let (stable, unstable) = routh_hurwitz(&w);
        let local = at_the_origin(&w);
        match local.tendency() {
            Tendency::Stable => prop_assert!(stable, "{w}"),
            Tendency::Unstable => prop_assert!(unstable, "{w}"),
            _ => prop_assert!(near || local.spectral_abscissa().abs() < 1e-9, "{w} {local}"),
        }
    }

    #[test]
    fn local_stability_does_not_depend_on_units(
        n in 1..7usize,
        seed in prop::collection::vec(-1.5..1.5f64, 36),
        units in prop::collection::vec(-40..=40i32, 6),
        sparse in prop::bool::ANY,
    ) {
        let present = |i: usize, j: usize| !sparse || i == j || (3 * i + 5 * j) % 4 == 1;
        let w = Array2::from_shape_fn((n, n), |(i, j)| if present(i, j) { seed[6 * i + j] } else { 0.0 });
        let other = Array2::from_shape_fn((n, n), |(i, j)| w[[i, j]] * f64::from(units[i] - units[j]).exp2());
        prop_assert_eq!(at_the_origin(&w), at_the_origin(&other));
    }
}

#[test]
fn local_stability_of_matrices_far_from_normal() {
    // A chain that amplifies by 10 at each link and is closed by `b`: characteristic polynomial (s + 1)^n - b 10^(n -
    // 1).
    let chain = |n: usize, b: f64| {
        let mut w = Array2::from_shape_fn((n, n), |(i, j)| if i == j + 1 { 10.0 } else { 0.0 });
        w[[0, n - 1]] = b;
        at_the_origin(&w)
    };
    for n in [5, 12, 20] {
        let critical = 0.1f64.powi(n as i32 - 1);
        assert_eq!(chain(n, 0.9 * critical).tendency(), Tendency::Stable);
        assert_eq!(chain(n, 1.1 * critical).tendency(), Tendency::Unstable);
        assert!((chain(n, 0.5f64.powi(n as i32) * critical).spectral_abscissa() + 0.5).abs() < 1e-9);
    }
    // Without the link back it is stable however long it is.
    assert_eq!(chain(200, 0.0).tendency(), Tendency::Stable);
    assert_eq!(at_the_origin(&array![[1.0]]).tendency(), Tendency::Marginal);
    assert_eq!(at_the_origin(&array![[1.0 - f64::EPSILON]]).tendency(), Tendency::Stable);
    assert_eq!(at_the_origin(&array![[1.0 + f64::EPSILON]]).tendency(), Tendency::Unstable);
    // A turning pair that neither grows nor dies out.
    assert_eq!(at_the_origin(&array![[1.0, 3.0], [-0.1, 1.0]]).tendency(), Tendency::Marginal);
}

/// Wilson-Cowan, both slopes 1: trace and determinant of theory 5.2.
#[test]
fn local_stability_of_an_e_i_pair() {
    for (w_ee, w_ei, w_ie, w_ii, tau_i) in
        [(0.5, 1.0, 1.0, 0.5, 1.0), (1.5, 2.0, 2.0, 0.5, 1.0), (1.5, 2.0, 2.0, 0.5, 9.0), (2.0, 0.5, 1.0, 0.5, 1.0)]
    {
        let w: Array2<f64> = array![[w_ee, -w_ei], [w_ie, -w_ii]];
        let x = array![1.0, 1.0];
        let net = FiringRateNetwork::builder(&w)
            .activation(Relu)
            .time_constants(&array![1.0, tau_i])
            .input(&(&x - &w.dot(&x)))
            .build()
            .unwrap();
        let local = net.linearise(&x).unwrap();
        let trace = (w_ee - 1.0) - (1.0 + w_ii) / tau_i;
        let det = ((1.0 - w_ee) * (1.0 + w_ii) + w_ei * w_ie) / tau_i;
        let root = real_root(trace * trace / 4.0 - det);
        assert!((local.spectral_abscissa() - (trace / 2.0 + root)).abs() < 1e-12, "{local}");
        let stable = trace < 0.0 && det > 0.0;
        assert_eq!(local.tendency(), if stable { Tendency::Stable } else { Tendency::Unstable });
        assert_eq!(local.is_stable(), stable);
        assert_eq!(local.slopes(), array![1.0, 1.0]);
        // Both forms have the same spectrum where all slopes are positive.
        let hopfield = net.to_hopfield().linearise(&x).unwrap();
        assert!((hopfield.spectral_abscissa() - local.spectral_abscissa()).abs() < 1e-12);
    }
}

/// The real part of the square root.
fn real_root(v: f64) -> f64 {
    if v > 0.0 { v.sqrt() } else { 0.0 }
}

#[test]
fn kinks_are_reported() {
    let net = |u: f64| {
        FiringRateNetwork::builder(array![[0.0, -1.0], [1.0, 0.0]])
            .activation(Relu)
            .input(&array![1.0, u])
            .build()
            .unwrap()
    };
    let x = array![1.0, 0.0];
    assert_eq!(net(-1.0).linearise(&x).unwrap().kinks(), [1]);
    assert!(!net(-1.0).linearise(&x).unwrap().is_stable(), "one slope does not decide");
    assert!(net(-1.1).linearise(&x).unwrap().kinks().is_empty());
    assert!(net(-1.1).linearise(&x).unwrap().is_stable());
    for smooth in [5, 6, 7, 8, 9, 10] {
        let net = network::<f64>(3, smooth.max(6), 0);
        assert!(net.to_hopfield().linearise(&array![0.0, 0.5, 700.0]).unwrap().kinks().is_empty());
        let net = network::<f32>(3, smooth.max(6), 0);
        assert!(net.to_hopfield().linearise(&array![0.0, 0.5, 70.0]).unwrap().kinks().is_empty());
    }
    let power = HopfieldNetwork::builder(array![[0.5]]).activation(PowerLaw::new(2.0).unwrap()).build().unwrap();
    assert!(power.linearise(&array![0.0]).unwrap().kinks().is_empty());
}
