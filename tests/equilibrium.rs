//! Equilibria: the solvers, their report and its guaranteed bound.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ndarray::{Array1, Array2, array};
use neuronash::Error;
use neuronash::activation::{Arctan, ClippedLinear, Logistic, Relu, Softplus, Tanh};
use neuronash::equilibrium::{
    Anderson, Continuum, Equilibrium, EquilibriumSolver, FixedPoint, ForwardBackward, Method, MethodName, Newton,
    Outcome, PeacemanRachford, StopReason, Uniqueness,
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

fn distance(x: &Array1<f64>, y: &Array1<f64>) -> f64 {
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

#[test]
fn all_methods_agree_within_their_bounds() {
    for (seed, n) in [(1, 5), (2, 12), (3, 40)] {
        let w = certified(n, seed);
        let u = random_vector(n, seed + 100, 2.0);
        for net in [relu(&w, &u), tanh(&w, &u)] {
            let proof = proof(&net);
            let reference = net.equilibrium().certificate(&proof).method(Newton::new()).solve().unwrap();
            for method in methods() {
                let eq = net.equilibrium().certificate(&proof).method(method).solve().unwrap();
                let report = eq.report();
                assert_eq!(report.stop, StopReason::Converged);
                assert_eq!(report.uniqueness, Uniqueness::Proved);
                assert!(distance(&eq.state, &reference.state) < 1e-10, "{method:?}: {report}");
                let residual = net.residual(&eq.state).unwrap().iter().fold(0.0, |m: f64, v| m.max(v.abs()));
                assert!(residual <= 1.01e-12 * eq.state.iter().fold(1.0, |m: f64, v| m.max(v.abs())));
                let bound = report.error_bound.as_ref().unwrap();
                let other = reference.report().error_bound.as_ref().unwrap();
                assert!(distance(&eq.state, &reference.state) <= bound.largest + other.largest);
                assert!(bound.largest < 1e-9, "{method:?}: {bound}");
            }
        }
    }
}

#[test]
fn a_hundred_starts_lead_to_one_state() {
    let w = certified(20, 7);
    let net = tanh(&w, &random_vector(20, 8, 3.0));
    let proof = proof(&net);
    let reference = net.equilibrium().certificate(&proof).solve().unwrap();
    for start in 0..100 {
        let from = random_vector(20, 1000 + start, 50.0);
        for method in [Method::Auto, Anderson::new().into(), Newton::new().into()] {
            let eq = net.equilibrium().certificate(&proof).initial(&from).method(method).solve().unwrap();
            let bound = eq.report().error_bound.as_ref().unwrap().largest
                + reference.report().error_bound.as_ref().unwrap().largest;
            assert!(distance(&eq.state, &reference.state) <= bound);
        }
    }
}

/// The bound holds for states that are far from converged, where it is not a matter of rounding.
#[test]
fn the_bound_holds_for_coarse_states() {
    for seed in 0..30 {
        let w = certified(10, 200 + seed);
        let u = random_vector(10, 300 + seed, 2.0);
        for net in [relu(&w, &u), tanh(&w, &u)] {
            let proof = proof(&net);
            let exact = net.equilibrium().certificate(&proof).solve().unwrap();
            let coarse =
                net.equilibrium().certificate(&proof).method(FixedPoint::new().damping(0.2)).tolerance(1e-2).solve();
            let coarse = coarse.unwrap();
            let bound = coarse.report().error_bound.as_ref().unwrap();
            let gap = distance(&coarse.state, &exact.state);
            assert!(gap <= bound.largest, "{gap} > {}", bound.largest);
            let weighted = coarse
                .state
                .iter()
                .zip(&exact.state)
                .zip(proof.weights())
                .map(|((x, y), d)| d * (x - y).powi(2))
                .sum::<f64>()
                .sqrt();
            assert!(weighted <= bound.weighted);
        }
    }
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
    assert_eq!(eq.report().method, MethodName::Newton);
    assert_eq!(eq.report().uniqueness, Uniqueness::NotProved);
    assert!(eq.report().error_bound.is_none());
    assert!(net.residual(&eq.state).unwrap().iter().all(|r| r.abs() < 1e-12));
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
        assert!(distance(&eq.state, &array![1.0, 0.0]) < 1e-11, "{method:?} {:?}", eq.state);
        assert!(net.residual(&eq.state).unwrap().iter().all(|r| r.abs() < 1e-11));
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
            assert!(distance(&many.state, &one.state) < 1e-11);
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
    let warm = net.equilibrium().certificate(&proof).initial(&cold.state).solve().unwrap();
    assert!(warm.report().iterations <= 2 && cold.report().iterations > 5);
}

#[test]
fn f32_networks_are_solved_and_bounded() {
    let w = certified(15, 37);
    let (w, u) = (w.mapv(|v| v as f32), random_vector(15, 38, 2.0).mapv(|v| v as f32));
    let net = FiringRateNetwork::builder(&w).activation(Relu).input(&u).build().unwrap();
    let wide = relu(&w.mapv(f64::from), &u.mapv(f64::from));
    let proof = proof(&wide);
    let exact = wide.equilibrium().certificate(&proof).solve().unwrap();
    for method in methods() {
        let eq = net.equilibrium().certificate(&proof).method(method).solve().unwrap();
        let gap = distance(&eq.state.mapv(f64::from), &exact.state);
        let bound = eq.report().error_bound.as_ref().unwrap().largest;
        assert!(gap <= bound && bound < 1e-2, "{method:?}: {gap} {bound}");
    }
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
    assert!(distance(&auto.state, &dense.state) < 1e-10);
    assert!(distance(&krylov.state, &dense.state) < 1e-10);
    assert!(krylov.report().iterations < 10);
}

#[test]
fn the_hopfield_form_has_the_same_equilibria() {
    let w = certified(8, 57);
    let net = tanh(&w, &random_vector(8, 58, 1.0));
    let hopfield = net.to_hopfield();
    let eq = hopfield.equilibrium().solve().unwrap();
    assert!(hopfield.residual(&eq.drive).unwrap().iter().all(|r| r.abs() < 1e-11));
    assert_eq!(hopfield.activate(&eq.drive).unwrap().len(), 8);
    assert!(distance(&eq.state, &net.equilibrium().solve().unwrap().state) < 1e-12);
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
    assert!(net.equilibrium().initial_states(&Array2::zeros((2, 3))).solve_inputs(&Array2::zeros((2, 2))).is_err());
}

#[test]
fn responses_match_finite_differences_and_their_adjoints() {
    let w = certified(12, 77);
    let u = random_vector(12, 78, 1.5);
    for net in [relu(&w, &u), tanh(&w, &u)] {
        let proof = proof(&net);
        let eq = net.equilibrium().certificate(&proof).tolerance(1e-14).solve().unwrap();
        let response = net.response(&eq.state).unwrap();
        let matrix = response.matrix().unwrap();
        for j in 0..12 {
            let (h, mut v) = (1e-6, Array1::zeros(12));
            v[j] = 1.0;
            let at = |s: f64| {
                let moved = net.clone().with_input(&(&u + &(&v * s))).unwrap();
                moved.equilibrium().certificate(&proof).tolerance(1e-14).solve().unwrap().state
            };
            let difference = (at(h) - at(-h)) / (2.0 * h);
            let applied = response.apply(&v).unwrap();
            assert!(distance(&applied, &difference) < 1e-6);
            assert!(distance(&applied, &matrix.column(j).to_owned()) < 1e-12);
        }
        let (p, q) = (random_vector(12, 79, 1.0), random_vector(12, 80, 1.0));
        let forth = q.dot(&response.apply(&p).unwrap());
        let back = p.dot(&response.apply_transposed(&q).unwrap());
        assert!((forth - back).abs() < 1e-12);
    }
    let net = relu(&w, &u);
    assert!(net.response(&array![1.0]).is_err());
    let response = net.response(&u).unwrap();
    assert!(response.apply(&array![1.0]).is_err());
    assert!(response.apply_transposed(&Array1::from_elem(12, f64::NAN)).is_err());
}

#[test]
fn sparse_responses_match_dense_ones() {
    let n = 2000;
    let mut rng = StdRng::seed_from_u64(87);
    let entries: Vec<_> = (0..6 * n).map(|k| (k % n, rng.random_range(0..n), rng.random_range(-0.3..0.3))).collect();
    let weights = Weights::from_triplets(n, entries).unwrap();
    let u = random_vector(n, 88, 1.0);
    let sparse = FiringRateNetwork::builder(weights.clone()).activation(Tanh::new()).input(&u).build().unwrap();
    let dense = tanh(&weights.to_dense(), &u);
    let x = sparse.equilibrium().solve().unwrap().state;
    let v = random_vector(n, 89, 1.0);
    let (sparse, dense) = (sparse.response(&x).unwrap(), dense.response(&x).unwrap());
    assert!(distance(&sparse.apply(&v).unwrap(), &dense.apply(&v).unwrap()) < 1e-11);
    assert!(distance(&sparse.apply_transposed(&v).unwrap(), &dense.apply_transposed(&v).unwrap()) < 1e-11);
}

/// Theory 5.3: `dx_I/du_I` has the sign of `(1 - w_EE)/det`, so it turns negative at the switch `w_EE = 1`.
#[test]
fn the_paradoxical_response_begins_at_the_switch() {
    for (w_ee, sign) in [(0.5, 1.0), (0.99, 1.0), (1.01, -1.0), (1.8, -1.0)] {
        let w = array![[w_ee, -2.5], [2.0, -0.5]];
        let net = relu(&w, &array![2.0, 0.0]);
        let eq = net.equilibrium().solve().unwrap();
        assert!(eq.state.iter().all(|x| *x > 0.0));
        let response = net.response(&eq.state).unwrap().matrix().unwrap();
        let det = (1.0 - w_ee) * 1.5 + 5.0;
        assert!((response[[1, 1]] - (1.0 - w_ee) / det).abs() < 1e-12);
        assert_eq!(response[[1, 1]].signum(), sign);
        assert!((response[[0, 0]] - 1.5 / det).abs() < 1e-12);
    }
}

/// Solves `A x = b` by Gauss-Jordan with row pivoting; `None` if a pivot is tiny.
fn gauss(mut a: Array2<f64>, mut b: Array1<f64>) -> Option<Array1<f64>> {
    let n = b.len();
    for k in 0..n {
        let p = (k..n).max_by(|&i, &j| a[[i, k]].abs().total_cmp(&a[[j, k]].abs()))?;
        if a[[p, k]].abs() < 1e-12 {
            return None;
        }
        for j in 0..n {
            a.swap([k, j], [p, j]);
        }
        b.swap(k, p);
        for i in (0..n).filter(|&i| i != k) {
            let f = a[[i, k]] / a[[k, k]];
            for j in 0..n {
                let v = a[[k, j]];
                a[[i, j]] -= f * v;
            }
            b[i] -= f * b[k];
        }
    }
    Some(Array1::from_shape_fn(n, |i| b[i] / a[[i, i]]))
}

/// All solutions of `x >= 0`, `(I - W) x - u >= 0`, complementary, by trying every support.
fn exhaustive_lcp(w: &Array2<f64>, u: &Array1<f64>) -> Vec<Array1<f64>> {
    let n = u.len();
    let mut all = Vec::new();
    for mask in 0..1_usize << n {
        let active: Vec<usize> = (0..n).filter(|i| mask >> i & 1 == 1).collect();
        let a = Array2::from_shape_fn((active.len(), active.len()), |(i, j)| {
            f64::from(u8::from(i == j)) - w[[active[i], active[j]]]
        });
        let Some(part) = gauss(a, active.iter().map(|&i| u[i]).collect()) else { continue };
        let mut x = Array1::zeros(n);
        active.iter().zip(&part).for_each(|(&i, v)| x[i] = *v);
        let slack = &x - &w.dot(&x) - u;
        if x.iter().all(|v| *v >= 0.0) && (0..n).all(|i| mask >> i & 1 == 1 || slack[i] >= 0.0) {
            all.push(x);
        }
    }
    all
}

#[test]
fn enumeration_agrees_with_exhaustive_complementarity() {
    let mut counts = [0; 8];
    for seed in 0..400 {
        let mut rng = StdRng::seed_from_u64(seed);
        let w = Array2::from_shape_simple_fn((6, 6), || rng.random_range(-1.5..1.5));
        let u = Array1::from_shape_simple_fn(6, || rng.random_range(-1.0..2.0));
        let expected = exhaustive_lcp(&w, &u);
        let found = relu(&w, &u).all_equilibria().find().unwrap();
        assert!(found.complete && found.continua.is_empty());
        assert_eq!(found.equilibria.len(), expected.len(), "seed {seed}");
        for x in &expected {
            assert!(found.equilibria.iter().any(|e| distance(&e.state, x) < 1e-9));
        }
        counts[expected.len().min(7)] += 1;
    }
    assert!(counts[0] > 5 && counts[1] > 50 && counts[3] > 5, "{counts:?}");
}

/// All principal minors, smallest first.
fn smallest_principal_minor(m: &Array2<f64>) -> f64 {
    fn det(m: &Array2<f64>, rows: &[usize], columns: &[usize]) -> f64 {
        let Some((&i, rest)) = rows.split_first() else { return 1.0 };
        columns
            .iter()
            .enumerate()
            .map(|(k, &j)| {
                let others: Vec<usize> = columns.iter().copied().filter(|&c| c != j).collect();
                (if k % 2 == 0 { 1.0 } else { -1.0 }) * m[[i, j]] * det(m, rest, &others)
            })
            .sum()
    }
    let n = m.nrows();
    (1..1_usize << n)
        .map(|mask| {
            let set: Vec<usize> = (0..n).filter(|i| mask >> i & 1 == 1).collect();
            det(m, &set, &set)
        })
        .fold(f64::INFINITY, f64::min)
}

/// Theory 2.4.
#[test]
fn equilibria_are_unique_for_all_inputs_iff_i_minus_w_is_a_p_matrix() {
    let (mut with, mut without) = (0, 0);
    for seed in 0..150 {
        let mut rng = StdRng::seed_from_u64(5000 + seed);
        let w = Array2::from_shape_simple_fn((3, 3), || rng.random_range(-1.6..1.3));
        let minor = smallest_principal_minor(&(Array2::eye(3) - &w));
        if minor.abs() < 0.2 {
            continue;
        }
        let unique = |rng: &mut StdRng| {
            let u = Array1::from_shape_simple_fn(3, || rng.random_range(-1.0..1.0));
            relu(&w, &u).all_equilibria().find().unwrap().equilibria.len() == 1
        };
        if minor > 0.0 {
            with += 1;
            assert!((0..60).all(|_| unique(&mut rng)));
        } else {
            without += 1;
            assert!((0..2000).any(|_| !unique(&mut rng)), "seed {seed}: {w}");
        }
    }
    assert!(with > 15 && without > 15, "{with} {without}");
}

#[test]
fn certified_networks_have_exactly_one_equilibrium() {
    for seed in 0..20 {
        let w = certified(10, 900 + seed);
        let net = relu(&w, &random_vector(10, 950 + seed, 2.0));
        let all = net.all_equilibria().find().unwrap();
        assert_eq!(all.equilibria.len(), 1);
        assert!(all.equilibria[0].is_stable());
        let proof = proof(&net);
        let eq = net.equilibrium().certificate(&proof).solve().unwrap();
        assert!(distance(&eq.state, &all.equilibria[0].state) <= 1e-9);
    }
}

#[test]
fn twenty_neurons_are_searched_with_pruning() {
    let mut rng = StdRng::seed_from_u64(97);
    let w = Array2::from_shape_fn((20, 20), |(i, j)| if i == j { 0.0 } else { -rng.random_range(0.5..1.5) });
    let net = relu(&w, &Array1::ones(20));
    let all = net.all_equilibria().find().unwrap();
    assert!(all.complete && all.branches < 1 << 20, "{all} {}", all.branches);
    assert!(all.equilibria.len() > 10);
    for e in &all.equilibria {
        assert!(net.residual(&e.state).unwrap().iter().all(|r| r.abs() < 1e-11));
    }
    let few = net.all_equilibria().limit(3).find().unwrap();
    assert!(!few.complete && few.equilibria.len() == 3);
    assert!(!net.all_equilibria().max_branches(10).find().unwrap().complete);
}

#[test]
fn continua_are_reported() {
    // x = relu(x): every x >= 0.
    let all = relu(&array![[1.0]], &array![0.0]).all_equilibria().find().unwrap();
    assert!(all.equilibria.is_empty());
    let [Continuum::Line { base, direction, lower, upper, .. }] = all.continua.as_slice() else { panic!("{all:?}") };
    assert!((base[0] + lower * direction[0]).abs() < 1e-9 && *upper == f64::INFINITY);
    // x1 + x2 = 1 on a segment, while the third neuron is on its own.
    let w = array![[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.5]];
    let all = relu(&w, &array![1.0, 1.0, 1.0]).all_equilibria().find().unwrap();
    assert!(all.equilibria.is_empty(), "{all}");
    let [Continuum::Line { base, direction, lower, upper, .. }] = all.continua.as_slice() else { panic!("{all:?}") };
    let mut ends = [base + &(direction * *lower), base + &(direction * *upper)];
    ends.sort_by(|p, q| p[0].total_cmp(&q[0]));
    assert!(distance(&ends[0], &array![0.0, 1.0, 2.0]) < 1e-7 && distance(&ends[1], &array![1.0, 0.0, 2.0]) < 1e-7);
    // Two dimensions: x1 + x2 + x3 = 1.
    let w = Array2::from_shape_fn((3, 3), |(i, j)| if i == j { 0.0 } else { -1.0 });
    let all = relu(&w, &Array1::ones(3)).all_equilibria().find().unwrap();
    assert!(all.continua.iter().any(|c| matches!(c, Continuum::Undecided { dimension: 2, .. })));
    // No equilibrium at all: singular and inconsistent.
    let none = relu(&array![[1.0]], &array![1.0]).all_equilibria().find().unwrap();
    assert!(none.complete && none.equilibria.is_empty() && none.continua.is_empty());
}

#[test]
fn a_drive_at_a_kink_leaves_stability_undecided() {
    let all = relu(&array![[0.5]], &array![0.0]).all_equilibria().find().unwrap();
    assert_eq!(all.equilibria.len(), 1);
    assert_eq!(all.equilibria[0].at_kink, vec![0]);
    assert!(!all.equilibria[0].is_stable() && !all.equilibria[0].is_unstable());
}

#[test]
fn enumeration_refuses_what_it_cannot_do() {
    let net = tanh(&array![[0.5]], &array![1.0]);
    assert!(
        matches!(net.all_equilibria().find(), Err(Error::Invalid { argument, .. }) if argument.contains("neuron 0"))
    );
    let net = relu(&array![[0.5]], &array![1.0]);
    assert!(net.all_equilibria().limit(0).find().is_err());
    assert!(net.all_equilibria().max_branches(0).find().is_err());
    assert!(net.all_equilibria().tolerance(f64::NAN).find().is_err());
}

#[test]
fn equilibria_with_convex_own_energies_are_nash_and_others_need_not_be() {
    // w_11 = 2: on the active side the own energy is concave, so the equilibrium there is the neuron's worst choice.
    let w = array![[2.0, -3.0], [3.0, -1.0]];
    let all = FiringRateNetwork::builder(&w)
        .activation(ClippedLinear::new(0.0, 1.0).unwrap())
        .input(&array![0.1, -0.5])
        .build()
        .unwrap()
        .all_equilibria()
        .find()
        .unwrap();
    assert!(!all.equilibria.is_empty());
    for e in &all.equilibria {
        let inside = e.support[0] == 1;
        assert!(!inside || !e.is_nash, "{e:?}");
    }
    for seed in 0..40 {
        let mut rng = StdRng::seed_from_u64(7000 + seed);
        let w = Array2::from_shape_fn((5, 5), |(i, j)| {
            if i == j { rng.random_range(-1.0..1.0) } else { rng.random_range(-2.0..2.0) }
        });
        let net = FiringRateNetwork::builder(&w)
            .activation(ClippedLinear::new(0.0, 1.0).unwrap())
            .input(&random_vector(5, 7100 + seed, 1.0))
            .build()
            .unwrap();
        let all = net.all_equilibria().find().unwrap();
        // A continuous map of a cube into itself has a fixed point (Brouwer).
        assert!(all.complete && !all.equilibria.is_empty());
        assert!(all.equilibria.iter().all(|e| e.is_nash));
        for e in &all.equilibria {
            assert!(net.residual(&e.state).unwrap().iter().all(|r| r.abs() < 1e-12));
        }
    }
}

#[test]
fn solved_equilibria_are_nash() {
    for seed in 0..10 {
        let w = certified(15, 8000 + seed);
        let u = random_vector(15, 8100 + seed, 2.0);
        for net in [relu(&w, &u), tanh(&w, &u)] {
            let proof = proof(&net);
            let eq = net.equilibrium().certificate(&proof).solve().unwrap();
            assert!(net.game().is_nash(&eq.state, 1e-12).unwrap().holds());
        }
    }
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
    let cases: Vec<Value> = serde_json::from_str(include_str!("data/scipy/equilibria.json")).unwrap();
    assert_eq!(cases.len(), 15);
    for case in &cases {
        let net = scipy_case(case);
        let proof = proof(&net);
        let expected: Array1<f64> = serde_json::from_value::<Vec<f64>>(case["state"].clone()).unwrap().into();
        // The plain fixed-point iteration carries no guarantee.
        for method in methods().into_iter().filter(|m| !matches!(m, Method::FixedPoint(_))) {
            let eq = net.equilibrium().certificate(&proof).method(method).tolerance(1e-14).solve().unwrap();
            assert!(distance(&eq.state, &expected) < 1e-12, "{method:?} {}: {}", case["activation"], eq.report());
            assert!(distance(&eq.state, &expected) <= eq.report().error_bound.as_ref().unwrap().largest + 1e-14);
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
    assert!(distance(&exact.state, &coarse.state) <= bound(&exact) + bound(&coarse));
    assert!(bound(&exact) < 1e-10 && bound(&coarse) < 1e-3);
}
