//! Equilibria: the solvers, their report and its guaranteed bound.

mod certificate;
mod degenerate;
mod enumeration;
mod interactions;
mod laws;
mod noise;
mod published;
mod response;
mod rest;
mod single_precision;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ndarray::{Array1, Array2, ArrayBase, Data, Ix1, array};
use neuronash::Error;
use neuronash::activation::{Arctan, ClippedLinear, Logistic, Relu, Softplus, Tanh};
use neuronash::equilibrium::{
    Anderson, Equilibrium, EquilibriumSolver, FixedPoint, ForwardBackward, Method, MethodName, Newton, Outcome,
    PeacemanRachford, StopReason, Uniqueness,
};
use neuronash::network::{FiringRateNetwork, Weights};
use neuronash::stability::NetworkCertificate;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

/// `W = I - D^{-1} (L L' + 0.3 I + K)` with `K` skew, which `D` certifies.
fn certified(n: usize, seed: u64) -> Array2<f64> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut entry = || rng.random_range(-1.0..1.0) / (n as f64).sqrt();
    let (l, k) = (Array2::from_shape_simple_fn((n, n), &mut entry), Array2::from_shape_simple_fn((n, n), &mut entry));
    let d = Array1::from_shape_simple_fn(n, || rng.random_range(0.5..2.0));
    let coupling = l.dot(&l.t()) + &(&k - &k.t()) + Array2::<f64>::eye(n) * 0.3;
    Array2::eye(n) - coupling / d.view().insert_axis(ndarray::Axis(1))
}

/// The certificate, which all networks here that are made to be stable must get.
fn proof<A: neuronash::Scalar>(net: &FiringRateNetwork<A>) -> NetworkCertificate {
    net.certify().unwrap().into_certificate().unwrap()
}

fn random_vector(n: usize, seed: u64, size: f64) -> Array1<f64> {
    let mut rng = StdRng::seed_from_u64(seed);
    Array1::from_shape_simple_fn(n, || rng.random_range(-size..size))
}

fn relu(w: &Array2<f64>, u: &Array1<f64>) -> FiringRateNetwork<f64> {
    FiringRateNetwork::builder(w).activation(Relu).input(u).build().unwrap()
}

fn tanh(w: &Array2<f64>, u: &Array1<f64>) -> FiringRateNetwork<f64> {
    FiringRateNetwork::builder(w).activation(Tanh::new()).input(u).build().unwrap()
}

fn distance<S: Data<Elem = f64>, T: Data<Elem = f64>>(x: &ArrayBase<S, Ix1>, y: &ArrayBase<T, Ix1>) -> f64 {
    x.iter().zip(y).fold(0.0, |m: f64, (x, y)| m.max((x - y).abs()))
}

fn methods() -> Vec<Method> {
    vec![
        Method::Auto,
        Anderson::new().into(),
        Anderson::new().memory(3).mixing(0.5).into(),
        Newton::new().into(),
        ForwardBackward::new().into(),
        PeacemanRachford::new().into(),
        PeacemanRachford::new().step(0.3).into(),
        FixedPoint::new().damping(0.2).into(),
    ]
}

/// `w_EE = 2 > 1`, positive determinant and positive trace: the equilibrium is unstable and the flow circles around it
/// (theory 5.2).
#[test]
fn an_oscillator_is_never_called_converged_by_an_iteration_that_cycles() {
    let w = array![[2.0, -4.0], [4.0, -0.5]];
    let net = tanh(&w, &array![0.3, 0.1]);
    for method in [Method::from(FixedPoint::new()), FixedPoint::new().damping(0.1).into()] {
        let outcome =
            net.equilibrium().method(method).initial(&array![0.5, -0.5]).max_iterations(5000).outcome().unwrap();
        let Outcome::NotConverged(failed) = &outcome else { panic!("{outcome}") };
        assert!(matches!(failed.report.stop, StopReason::Stalled | StopReason::IterationLimit));
        assert!(failed.report.residual > 1e-3);
        assert_eq!(failed.report.uniqueness, Uniqueness::NotProved);
        assert!(matches!(outcome.into_equilibrium(), Err(Error::NotConverged { .. })));
    }
    let eq = net.equilibrium().solve().unwrap();
    assert_eq!(eq.report().method, MethodName::PseudoTransient);
    assert_eq!(eq.report().uniqueness, Uniqueness::NotProved);
    assert!(eq.report().error_bound.is_none());
    assert!(net.residual(&eq.state()).unwrap().iter().all(|r| r.abs() < 1e-12));
}

#[test]
fn no_equilibrium_is_found_where_there_is_none() {
    let net = relu(&array![[2.0]], &array![1.0]);
    let outcome = net.equilibrium().max_iterations(2000).outcome().unwrap();
    assert!(outcome.equilibrium().is_none(), "{outcome}");
    assert!(!outcome.report().attempts.is_empty());
}

/// Lyapunov diagonally stable without contracting in any fixed quadratic norm (theory 3.6).
#[test]
fn strong_antagonism_is_no_obstacle_under_a_certificate() {
    let w = array![[0.0, 4.0], [-4.0, 0.0]];
    let net = relu(&w, &array![1.0, 2.0]);
    for method in methods().into_iter().filter(|m| !matches!(m, Method::FixedPoint(_))) {
        let proof = proof(&net);
        let eq = net.equilibrium().certificate(&proof).method(method).solve().unwrap();
        assert!(distance(&eq.state(), &array![1.0, 0.0]) < 1e-11, "{method:?} {:?}", eq.state());
        assert!(net.residual(&eq.state()).unwrap().iter().all(|r| r.abs() < 1e-11));
    }
}

/// Neurons with self-excitation just below 1 and skew coupling that saturates: fixed-point steps contract only where they are very
/// short, and Newton steps run in circles.
#[test]
fn saturation_and_strong_antagonism_are_no_obstacle_under_a_certificate() {
    let mut rng = StdRng::seed_from_u64(21);
    for n in [6, 8, 10, 12, 16, 20, 8, 10, 12, 16] {
        let mut w = 0.9 * Array2::<f64>::eye(n);
        for i in 0..n {
            for j in 0..i {
                w[[i, j]] = f64::from(rng.random_range(-6..=6));
                w[[j, i]] = -w[[i, j]];
            }
        }
        for (i, mut row) in w.rows_mut().into_iter().enumerate() {
            let d = [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0][i % 7];
            row.indexed_iter_mut().filter(|(j, _)| *j != i).for_each(|(_, v)| *v /= d);
        }
        let u = Array1::from_shape_simple_fn(n, || f64::from(rng.random_range(-6..=6)));
        let clipped = ClippedLinear::new(0.0, 1.0).unwrap();
        let net = FiringRateNetwork::builder(&w).activation(clipped).input(&u).build().unwrap();
        let certificate = proof(&net);
        let solver = || net.equilibrium().certificate(&certificate).tolerance(1e-10);
        let solve = |method: Method| solver().method(method).solve().unwrap();
        let splitting = solve(PeacemanRachford::new().into());
        for method in [Method::Auto, Newton::new().into(), Anderson::new().into()] {
            let other = solve(method);
            let bounds = [&splitting, &other].map(|e| e.report().error_bound.as_ref().unwrap().largest);
            assert!(distance(&splitting.state(), &other.state()) <= bounds[0] + bounds[1], "{method:?}: {other}");
            assert!(other.report().iterations < 20_000, "{method:?}: {other}");
        }
    }
}

/// `Phi(W x + u)` multiplies the rounding errors of `x` by the weights, so that an iterate may pass where its image does not.
#[test]
fn iterates_that_pass_are_equilibria_even_if_their_images_do_not() {
    for w in [30.0, 1000.0] {
        let net = relu(&array![[0.0, -w, 0.0], [w, 0.0, -w], [0.0, w, 0.0]], &Array1::ones(3));
        let certificate = proof(&net);
        let middle = 1.0 / (1.0 + 2.0 * w * w);
        let exact = array![1.0 - w * middle, middle, 1.0 + w * middle];
        // The splitting needs about 5 L / delta steps a digit, too many for the second.
        let splitting = (w < 100.0).then(|| PeacemanRachford::new().into());
        for method in [Method::Auto, Newton::new().into()].into_iter().chain(splitting) {
            let found = net.equilibrium().certificate(&certificate).method(method).solve().unwrap();
            let report = found.report();
            assert!(report.residual <= report.threshold && report.stop == StopReason::Converged, "{found}");
            let bound = report.error_bound.as_ref().unwrap().largest;
            assert!(distance(&found.state(), &exact) <= bound && bound < 1e-7, "{w}, {method:?}: {found}");
        }
    }
}

#[test]
fn many_inputs_at_once_give_what_one_at_a_time_gives() {
    let w = certified(30, 17);
    let mut rng = StdRng::seed_from_u64(18);
    let inputs = Array2::from_shape_simple_fn((30, 25), || rng.random_range(-2.0..2.0));
    let net = tanh(&w, &Array1::zeros(30));
    for method in [Method::Auto, Anderson::new().into(), PeacemanRachford::new().into()] {
        let proof = proof(&net);
        let all = net.equilibrium().certificate(&proof).method(method).solve_inputs(&inputs).unwrap();
        assert_eq!(all.len(), 25);
        for (outcome, u) in all.into_iter().zip(inputs.columns()) {
            let many = outcome.into_equilibrium().unwrap();
            let net = net.clone().with_input(&u).unwrap();
            let one = net.equilibrium().certificate(&proof).method(method).solve().unwrap();
            assert!(distance(&many.state(), &one.state()) < 1e-11);
        }
    }
    assert!(net.equilibrium().solve_inputs(&Array2::zeros((30, 0))).unwrap().is_empty());
}

#[test]
fn warm_starts_save_iterations() {
    let w = certified(300, 27);
    let net = relu(&w, &random_vector(300, 28, 1.0));
    let proof = proof(&net);
    let cold = net.equilibrium().certificate(&proof).solve().unwrap();
    let warm = net.equilibrium().certificate(&proof).initial(&cold.state()).solve().unwrap();
    assert!(warm.report().iterations <= 2 && cold.report().iterations > 5);
}

#[test]
fn sparse_networks_give_what_dense_ones_give() {
    let mut rng = StdRng::seed_from_u64(47);
    let n = 2500;
    let mut entries = Vec::new();
    for i in 0..n {
        for _ in 0..6 {
            let j = rng.random_range(0..n);
            let sign = if j % 5 == 0 { -1.0 } else { 1.0 };
            entries.push((i, j, sign * rng.random_range(0.0..0.25)));
        }
    }
    let weights = Weights::from_triplets(n, entries).unwrap();
    let u = random_vector(n, 48, 1.0);
    let sparse = FiringRateNetwork::builder(weights.clone()).activation(Tanh::new()).input(&u).build().unwrap();
    let auto = sparse.equilibrium().solve().unwrap();
    let krylov = sparse.equilibrium().method(Newton::new()).solve().unwrap();
    let dense = tanh(&weights.to_dense(), &u).equilibrium().method(Anderson::new()).solve().unwrap();
    assert!(distance(&auto.state(), &dense.state()) < 1e-10);
    assert!(distance(&krylov.state(), &dense.state()) < 1e-10);
    assert!(krylov.report().iterations < 10);
}

#[test]
fn the_hopfield_form_has_the_same_equilibria() {
    let w = certified(8, 57);
    let net = tanh(&w, &random_vector(8, 58, 1.0));
    let hopfield = net.to_hopfield();
    let eq = hopfield.equilibrium().solve().unwrap();
    let rates = net.equilibrium().solve().unwrap();
    assert!(hopfield.residual(&eq.state()).unwrap().iter().all(|r| r.abs() < 1e-11));
    assert_eq!(eq.state(), eq.drive());
    assert!(distance(&eq.rates(), &rates.state()) < 1e-12 && distance(&eq.state(), &rates.drive()) < 1e-11);
    assert!(distance(&eq.rates(), &hopfield.activate(&eq.state()).unwrap()) < 1e-12);
    assert_eq!(rates.state(), rates.rates());
}

#[test]
fn states_of_a_hopfield_network_are_potentials_everywhere() {
    let w = certified(40, 67);
    let hopfield = tanh(&w, &random_vector(40, 68, 1.0)).to_hopfield();
    let certificate = hopfield.certify().unwrap().into_certificate().unwrap();
    let eq = hopfield.equilibrium().certificate(&certificate).tolerance(1e-14).solve().unwrap();
    // At rest under its own flow, from where it is and from elsewhere.
    let run = hopfield.simulate().initial(&eq.state()).until(5.0).relative_tolerance(1e-12).run().unwrap();
    assert!(distance(&run.final_state(), &eq.state()) < 1e-10);
    let run = hopfield.simulate().initial(&random_vector(40, 69, 3.0)).until_converged(1e-11).run().unwrap();
    assert!(run.converged() && distance(&run.final_state(), &eq.state()) < 1e-9);
    let lyapunov = hopfield.lyapunov(&certificate, &eq.state()).unwrap();
    assert!(lyapunov.value(&eq.state()).unwrap().abs() < 1e-20);
    assert!(lyapunov.value(&(&eq.state() + 0.1)).unwrap() > 1e-6);
    // Slopes at the potentials, not at the rates.
    let local = hopfield.linearise(&eq.state()).unwrap();
    assert!(distance(local.slopes(), &eq.state().mapv(|y| 1.0 - y.tanh().powi(2))) < 1e-14);
    let warm = hopfield.equilibrium().certificate(&certificate).initial(&eq.state()).solve().unwrap();
    assert!(warm.report().iterations <= 2, "{}", warm.report());
}

#[test]
fn a_hopfield_solve_that_stops_early_goes_on_from_its_potentials() {
    let hopfield = tanh(&certified(300, 70), &random_vector(300, 71, 1.0)).to_hopfield();
    let Outcome::NotConverged(stopped) = hopfield.equilibrium().max_iterations(4).outcome().unwrap() else {
        panic!("four iterations are not enough")
    };
    let rates = hopfield.activate(&stopped.last).unwrap();
    let again = hopfield.to_firing_rate().residual(&rates).unwrap();
    assert!(again.iter().all(|r| r.abs() < 10.0 * stopped.report.residual));
    let cold = hopfield.equilibrium().solve().unwrap();
    let warm = hopfield.equilibrium().initial(&stopped.last).solve().unwrap();
    assert!(distance(&warm.state(), &cold.state()) < 1e-9);
}

#[test]
fn bounds_on_potentials_hold() {
    for seed in 0..10 {
        let hopfield = tanh(&certified(60, 90 + seed), &random_vector(60, 190 + seed, 1.0)).to_hopfield();
        let certificate = hopfield.certify().unwrap().into_certificate().unwrap();
        let solve =
            |tolerance: f64| hopfield.equilibrium().certificate(&certificate).tolerance(tolerance).solve().unwrap();
        let (exact, coarse) = (solve(1e-14), solve(1e-3));
        let bound = |eq: &Equilibrium<f64>| eq.report().potential_error_bound.unwrap();
        let gap = distance(&exact.state(), &coarse.state());
        assert!(gap > 1e-9 && gap <= bound(&exact) + bound(&coarse), "{gap:e}");
        assert!(bound(&exact) < 1e-10 && bound(&coarse) < 1e4 * gap);
        assert!(exact.to_string().contains("its potentials within"), "{exact}");
    }
    let net = tanh(&certified(6, 89), &random_vector(6, 89, 1.0));
    let proof = proof(&net);
    assert!(net.equilibrium().certificate(&proof).solve().unwrap().report().potential_error_bound.is_none());
    assert!(net.to_hopfield().equilibrium().solve().unwrap().report().potential_error_bound.is_none());
}

#[test]
fn rates_that_overflow_are_not_an_equilibrium() {
    let net = FiringRateNetwork::builder(array![[1e300_f64]]).activation(Relu).input(&array![1e300]).build().unwrap();
    for method in [Method::Auto, FixedPoint::new().into(), Anderson::new().into()] {
        let outcome = net.equilibrium().method(method).initial(&array![1e200]).outcome().unwrap();
        assert!(outcome.equilibrium().is_none_or(|eq| eq.state()[0].is_finite()), "{outcome}");
    }
    let outcome = net.equilibrium().method(FixedPoint::new()).initial(&array![1e200]).outcome().unwrap();
    assert_eq!(outcome.report().stop, StopReason::Diverged);
}

#[test]
fn limits_and_observers_stop_a_solve() {
    let w = certified(20, 67);
    let net = tanh(&w, &random_vector(20, 68, 1.0));
    let slow = || net.equilibrium().method(FixedPoint::new().damping(0.01));
    let stop = |solver: EquilibriumSolver<'_, f64>| solver.outcome().unwrap().report().stop;
    assert_eq!(stop(slow().max_iterations(7)), StopReason::IterationLimit);
    assert_eq!(stop(slow().time_limit(Duration::ZERO)), StopReason::TimeLimit);
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = calls.clone();
    let outcome = slow()
        .observer(move |p| {
            assert_eq!(p.iterations, seen.fetch_add(1, Ordering::Relaxed) + 1);
            if p.iterations == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .outcome()
        .unwrap();
    assert_eq!(outcome.report().stop, StopReason::Interrupted);
    assert_eq!(calls.load(Ordering::Relaxed), 5);
    let proof = proof(&net);
    let strict =
        net.equilibrium().certificate(&proof).tolerance(f64::EPSILON).absolute_tolerance(0.0).outcome().unwrap();
    assert!(matches!(strict.report().stop, StopReason::Converged | StopReason::PrecisionLimit), "{strict}");
}

#[test]
fn options_that_make_no_sense_are_named() {
    let net = relu(&array![[0.5, -1.0], [1.0, -0.5]], &array![1.0, 0.0]);
    let name = |solver: EquilibriumSolver<'_, f64>| match solver.solve().unwrap_err() {
        Error::Invalid { argument, .. } | Error::Shape { argument, .. } | Error::NonFinite { argument, .. } => argument,
        other => panic!("{other}"),
    };
    assert_eq!(name(net.equilibrium().tolerance(0.0)), "tolerance");
    assert_eq!(name(net.equilibrium().tolerance(f64::NAN)), "tolerance");
    assert_eq!(name(net.equilibrium().tolerance(1.0)), "tolerance");
    assert_eq!(name(net.equilibrium().absolute_tolerance(-1.0)), "absolute_tolerance");
    assert_eq!(name(net.equilibrium().max_iterations(0)), "max_iterations");
    assert_eq!(name(net.equilibrium().activation_accuracy(2.0)), "activation_accuracy");
    assert_eq!(name(net.equilibrium().initial(&array![1.0])), "initial");
    assert_eq!(name(net.equilibrium().initial(&array![1.0, f64::NAN])), "initial");
    assert_eq!(name(net.equilibrium().method(FixedPoint::new().damping(0.0))), "damping");
    assert_eq!(name(net.equilibrium().method(Anderson::new().memory(0))), "memory");
    assert_eq!(name(net.equilibrium().method(Anderson::new().mixing(f64::INFINITY))), "mixing");
    assert_eq!(name(net.equilibrium().method(ForwardBackward::new())), "certificate");
    assert_eq!(name(net.equilibrium().method(PeacemanRachford::new().step(-1.0))), "step");
    assert!(net.equilibrium().solve_inputs(&Array2::zeros((3, 2))).is_err());
    assert!(net.equilibrium().solve_inputs(&array![[f64::INFINITY], [0.0]]).is_err());
    assert!(
        net.equilibrium().initial(&array![1.0]).solve().unwrap_err().to_string().contains("shape [1]; expected [2]")
    );
    assert_eq!(net.equilibrium().initial(&array![1.0, 2.0]).solve_inputs(&Array2::zeros((2, 3))).unwrap().len(), 3);
    assert!(net.equilibrium().initial_states(&Array2::zeros((2, 3))).solve_inputs(&Array2::zeros((2, 2))).is_err());
}

fn scipy_case(case: &Value) -> FiringRateNetwork<f64> {
    let vector = |key: &str| -> Array1<f64> { serde_json::from_value::<Vec<f64>>(case[key].clone()).unwrap().into() };
    let rows: Vec<Vec<f64>> = serde_json::from_value(case["weights"].clone()).unwrap();
    let n = rows.len();
    let builder =
        FiringRateNetwork::builder(Array2::from_shape_fn((n, n), |(i, j)| rows[i][j])).input(&vector("input"));
    match case["activation"].as_str().unwrap() {
        "relu" => builder.activation(Relu),
        "tanh" => builder.activation(Tanh::new()),
        "logistic" => builder.activation(Logistic::new()),
        "arctan" => builder.activation(Arctan),
        "softplus" => builder.activation(Softplus::new()),
        other => panic!("{other}"),
    }
    .build()
    .unwrap()
}

#[test]
fn agrees_with_scipy() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../data/scipy/equilibria.json")).unwrap();
    assert_eq!(cases.len(), 15);
    for case in &cases {
        let net = scipy_case(case);
        let proof = proof(&net);
        let expected: Array1<f64> = serde_json::from_value::<Vec<f64>>(case["state"].clone()).unwrap().into();
        // The plain fixed-point iteration carries no guarantee.
        for method in methods().into_iter().filter(|m| !matches!(m, Method::FixedPoint(_))) {
            let eq = net.equilibrium().certificate(&proof).method(method).tolerance(1e-14).solve().unwrap();
            assert!(distance(&eq.state(), &expected) < 1e-12, "{method:?} {}: {}", case["activation"], eq.report());
            assert!(distance(&eq.state(), &expected) <= eq.report().error_bound.as_ref().unwrap().largest + 1e-14);
        }
    }
}

/// A neuron that drives no others gets a tiny weight from its majorant; that must not spoil the bound on single rates.
#[test]
fn bounds_of_sparse_networks_are_sharp() {
    let (n, mut rng) = (20_000, StdRng::seed_from_u64(107));
    let entries: Vec<_> = (0..10 * n)
        .map(|k| {
            let j = rng.random_range(0..n);
            (k / 10, j, if j % 5 == 0 { -0.16 } else { 0.04 } * rng.random_range(0.5..1.5))
        })
        .collect();
    let net = FiringRateNetwork::builder(Weights::from_triplets(n, entries).unwrap())
        .activation(Relu)
        .input(&random_vector(n, 108, 2.0))
        .build()
        .unwrap();
    let proof = proof(&net);
    let exact = net.equilibrium().certificate(&proof).tolerance(1e-14).solve().unwrap();
    let coarse = net.equilibrium().certificate(&proof).tolerance(1e-6).solve().unwrap();
    let bound = |eq: &Equilibrium<f64>| eq.report().error_bound.as_ref().unwrap().largest;
    assert!(distance(&exact.state(), &coarse.state()) <= bound(&exact) + bound(&coarse));
    assert!(bound(&exact) < 1e-10 && bound(&coarse) < 1e-3);
}

/// A slope of a million or more turns the rounding errors of a drive into residuals above the tolerance, at rates that are right to the
/// last digit.
#[test]
fn steep_activations_end_at_the_limit_of_precision() {
    for (w, u, gain) in [(-10.0, 3.0, 1e6), (-1e3, 500.0, 1e3), (-10.0, 3.0, 1e9)] {
        let net = FiringRateNetwork::builder(array![[w]])
            .activation(Tanh::with_gain(gain).unwrap())
            .input(&array![u])
            .build()
            .unwrap();
        let certificate = net.certify().unwrap().into_certificate().unwrap();
        let mut rate = 0.0f64;
        for _ in 0..100 {
            rate = (u - rate.atanh() / gain) / -w;
        }
        for method in [Method::Auto, Newton::new().into(), PeacemanRachford::new().into(), Anderson::new().into()] {
            let outcome = net.equilibrium().method(method).certificate(&certificate).outcome().unwrap();
            let Outcome::NotConverged(failure) = outcome else { panic!("{outcome}") };
            assert_eq!(failure.report.stop, StopReason::PrecisionLimit, "{method:?} {gain:e}: {}", failure.report);
            assert!((failure.last[0] - rate).abs() <= 1e-15, "{method:?} {gain:e}: {}", failure.last);
        }
    }
}
