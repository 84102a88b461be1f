//! Wherever the flow comes to rest an equilibrium is found, by the default method and by each that is meant to.

use std::sync::Arc;

use ndarray::{Array1, Array2, array};
use neuronash::activation::{ActivationCost, ClippedLinear, Logistic, PowerLaw, Relu, Tanh};
use neuronash::equilibrium::{
    Anderson, Equilibrium, Flag, Flow, Method, MethodName, Newton, Outcome, PseudoTransient, StopReason,
    SupportEnumeration,
};
use neuronash::network::{FiringRateNetwork, Weights};
use neuronash::{Error, Scalar};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{distance, random_vector, relu, tanh};

fn network(
    w: &Array2<f64>,
    u: &Array1<f64>,
    tau: &Array1<f64>,
    activation: Arc<dyn ActivationCost<f64>>,
) -> FiringRateNetwork<f64> {
    let builder = FiringRateNetwork::builder(w).input(u).time_constants(tau);
    builder.shared_population("all", 0..u.len(), activation).build().unwrap()
}

/// A pair with an equilibrium that is stable and inhibition-stabilised: the slope times `w_EE` is above 1.
///
/// The rates are chosen first, then weights for which trace and determinant are those of a stable linearisation, then
/// the input that makes the rates an equilibrium.
fn stabilised_pair(rng: &mut StdRng) -> FiringRateNetwork<f64> {
    loop {
        let kind = rng.random_range(0..3);
        let x = match kind {
            1 => array![rng.random_range(0.05..0.9), rng.random_range(0.05..0.9)],
            _ => array![rng.random_range(0.05..3.0), rng.random_range(0.05..3.0)],
        };
        // Slopes there, drives there.
        let (slope, z): (Array1<f64>, Array1<f64>) = match kind {
            0 => (Array1::ones(2), x.clone()),
            1 => (x.mapv(|x| 1.0 - x * x), x.mapv(f64::atanh)),
            _ => (x.mapv(|x| 2.0 * x.sqrt()), x.mapv(f64::sqrt)),
        };
        let w = array![
            [rng.random_range(1.0..4.0) / slope[0], -rng.random_range(0.2..6.0)],
            [rng.random_range(0.2..6.0), -rng.random_range(0.0..2.0)]
        ];
        let tau = array![1.0, rng.random_range(0.3..1.5)];
        let trace = slope[0] * w[[0, 0]] - 1.0 + (slope[1] * w[[1, 1]] - 1.0) / tau[1];
        let determinant =
            (1.0 - slope[0] * w[[0, 0]]) * (1.0 - slope[1] * w[[1, 1]]) - slope[0] * slope[1] * w[[0, 1]] * w[[1, 0]];
        if trace < -0.02 && determinant > 0.02 {
            let u = &z - &w.dot(&x);
            return match kind {
                0 => network(&w, &u, &tau, Arc::new(Relu)),
                1 => network(&w, &u, &tau, Arc::new(Tanh::new())),
                _ => network(&w, &u, &tau, Arc::new(PowerLaw::new(2.0).unwrap())),
            };
        }
    }
}

/// Excitatory and inhibitory neurons, four to one, with random weights that are too strong for most certificates.
fn random_network(n: usize, rng: &mut StdRng) -> FiringRateNetwork<f64> {
    let (excitation, inhibition) = (rng.random_range(0.3..2.5), rng.random_range(1.0..3.0));
    let excitatory = 4 * n / 5;
    let w = Array2::from_shape_fn((n, n), |(_, j)| {
        let size = rng.random_range(0.0..2.0) / n as f64;
        if j < excitatory { excitation * size } else { -4.0 * inhibition * excitation * size }
    });
    let spread = rng.random_range(0.5..4.0);
    let w = w + Array2::from_shape_simple_fn((n, n), || spread * rng.random_range(-1.0..1.0) / (n as f64).sqrt());
    let u = Array1::from_shape_simple_fn(n, || rng.random_range(-0.5..2.0));
    let tau = Array1::from_shape_fn(n, |i| if i < excitatory { 1.0 } else { rng.random_range(0.2..1.0) });
    match rng.random_range(0..4) {
        0 => network(&w, &u, &tau, Arc::new(Relu)),
        1 => network(&w, &u, &tau, Arc::new(Tanh::with_gain(1.5).unwrap())),
        2 => network(&(w * 0.3), &u, &tau, Arc::new(PowerLaw::new(2.0).unwrap())),
        _ => network(&w, &u, &tau, Arc::new(ClippedLinear::new(0.0, 1.0).unwrap())),
    }
}

fn is_equilibrium(net: &FiringRateNetwork<f64>, eq: &Equilibrium<f64>) -> bool {
    let size = eq.state().iter().fold(1.0, |m: f64, x| m.max(x.abs()));
    net.residual(&eq.state()).unwrap().iter().all(|r| r.abs() <= 2e-12 * size)
}

/// What came of many networks.
#[derive(Debug, Default)]
struct Tally {
    rested: usize,
    missed: usize,
    where_the_flow_rests: usize,
    stable: usize,
    by: std::collections::BTreeMap<String, usize>,
}

fn solve_all(networks: impl Iterator<Item = FiringRateNetwork<f64>>, rests: usize) -> Tally {
    let mut tally = Tally::default();
    for net in networks {
        let run = net.simulate().until_converged(1e-8).max_steps(20_000).record_ends().run().unwrap();
        if !run.converged() {
            continue;
        }
        tally.rested += 1;
        let outcome = net.equilibrium().outcome().unwrap();
        *tally.by.entry(outcome.report().method.to_string()).or_default() += 1;
        match outcome.equilibrium() {
            Some(eq) => {
                assert!(is_equilibrium(&net, eq), "{eq}");
                tally.where_the_flow_rests += usize::from(distance(&eq.state(), &run.final_state()) < 1e-4);
                tally.stable += usize::from(eq.standing(&net.game()).unwrap().locally_stable != Flag::No);
            }
            None => {
                println!("missed: {outcome} {:?} {}", net.weights(), net.input());
                tally.missed += 1;
            }
        }
        if tally.rested == rests {
            break;
        }
    }
    tally
}

fn pairs(seed: u64, count: usize) -> impl Iterator<Item = FiringRateNetwork<f64>> {
    let mut rng = StdRng::seed_from_u64(seed);
    std::iter::repeat_with(move || stabilised_pair(&mut rng)).take(count)
}

fn networks(seed: u64, n: usize) -> impl Iterator<Item = FiringRateNetwork<f64>> {
    let mut rng = StdRng::seed_from_u64(seed);
    std::iter::repeat_with(move || random_network(n, &mut rng))
}

#[test]
fn inhibition_stabilised_pairs_are_found() {
    let (mut stages, mut elsewhere) = ([0; 2], 0);
    for net in pairs(1, 400) {
        let outcome = net.equilibrium().outcome().unwrap();
        let Some(eq) = outcome.equilibrium() else {
            // From 0 the flow leads elsewhere, as for power laws that blow up.
            let run = net.simulate().until_converged(1e-8).max_steps(20_000).record_ends().run().unwrap();
            assert!(!run.converged(), "{outcome} {:?}", net.weights());
            elsewhere += 1;
            continue;
        };
        assert!(is_equilibrium(&net, eq), "{outcome}");
        stages[usize::from(outcome.report().attempts.len() > 1)] += 1;
    }
    assert!(stages[0] > 350 && elsewhere < 20, "{stages:?} {elsewhere}");
}

#[test]
fn networks_that_come_to_rest_are_solved() {
    for (n, rests) in [(20, 30), (100, 6)] {
        let tally = solve_all(networks(2, n), rests);
        println!("{n} neurons: {tally:?}");
        assert_eq!((tally.rested, tally.missed), (rests, 0), "{tally:?}");
    }
}

/// The full count.
#[test]
#[ignore = "takes minutes"]
fn nothing_that_comes_to_rest_is_missed() {
    let tally = solve_all(pairs(1, 3000), usize::MAX);
    println!("pairs: {tally:?}");
    let missed = pairs(1, 3000).filter(|net| net.equilibrium().solve().is_err()).count();
    println!(
        "found in none of the starts: {missed} of 3000 pairs, {} of which the flow from 0 leaves",
        3000 - tally.rested
    );
    for (method, name) in [
        (Method::from(Newton::new()), "Newton"),
        (PseudoTransient::new().into(), "continuation"),
        (Flow::new().into(), "flow"),
        (Anderson::new().into(), "Anderson"),
    ] {
        let missed = pairs(3, 300).filter(|net| net.equilibrium().method(method).solve().is_err()).count();
        println!("missed by {name}: {missed} of 300");
    }
    assert_eq!(tally.missed, 0);
    for n in [20, 100] {
        let tally = solve_all(networks(2, n), 300);
        println!("{n} neurons: {tally:?}");
        assert_eq!((tally.rested, tally.missed), (300, 0));
    }
}

/// Where the residual has a local minimum at a kink, and full Newton steps run in a circle of two.
#[test]
fn every_method_that_is_meant_to_finds_the_pair_that_newton_steps_miss() {
    let net = relu(&array![[1.5, -4.0], [3.0, 0.0]], &array![1.0, 0.0]);
    let exact = array![2.0 / 23.0, 6.0 / 23.0];
    let methods: [(Method, MethodName); 5] = [
        (Method::Auto, MethodName::PseudoTransient),
        (Newton::new().into(), MethodName::Newton),
        (PseudoTransient::new().into(), MethodName::PseudoTransient),
        (Flow::new().into(), MethodName::Flow),
        (SupportEnumeration::new().into(), MethodName::SupportEnumeration),
    ];
    for (method, name) in methods {
        let eq = net.equilibrium().method(method).solve().unwrap();
        assert!(distance(&eq.state(), &exact) < 1e-12, "{method:?}: {eq}");
        assert_eq!((eq.report().method, eq.report().attempts.len()), (name, 1));
        assert!(eq.report().advice().is_none() && eq.to_string().contains(&name.to_string()), "{eq}");
        let single = FiringRateNetwork::<f32>::builder(array![[1.5, -4.0], [3.0, 0.0]])
            .activation(Relu)
            .input(&array![1.0, 0.0])
            .build()
            .unwrap();
        let eq = single.equilibrium().method(method).solve().unwrap();
        assert!((eq.state()[0] - 2.0 / 23.0).abs() < 1e-5, "{method:?}: {eq}");
        let hopfield = net.to_hopfield();
        let eq = hopfield.equilibrium().method(method).initial(&array![0.5, -0.5]).solve().unwrap();
        assert!(distance(&eq.rates(), &exact) < 1e-12, "{method:?}: {eq}");
        let inputs = array![[1.0, 2.0], [0.0, 0.0]];
        let all = net.equilibrium().method(method).solve_inputs(&inputs).unwrap();
        for (outcome, scale) in all.into_iter().zip([1.0, 2.0]) {
            assert!(distance(&outcome.into_equilibrium().unwrap().state(), &(&exact * scale)) < 1e-12);
        }
    }
}

/// Two neurons that inhibit each other, three equilibria: from a start near one, that one, unless the method is
/// Newton's.
#[test]
fn of_several_equilibria_the_one_that_the_flow_goes_to_is_preferred() {
    let net = tanh(&array![[1.5, -1.0], [-1.0, 1.5]], &array![0.0, 0.0]);
    for start in [array![0.1, -0.05], array![-0.3, 0.1], array![1.0, 0.9], array![-0.2, -0.25]] {
        let rest = net.simulate().initial(&start).until_converged(1e-9).run().unwrap();
        for method in [Method::Auto, PseudoTransient::new().into(), Flow::new().into()] {
            let eq = net.equilibrium().method(method).initial(&start).solve().unwrap();
            assert!(distance(&eq.state(), &rest.final_state()) < 1e-7, "{start} {method:?}: {} {eq}", eq.state());
        }
    }
    let clipped = ClippedLinear::new(-1.0, 1.0).unwrap();
    let net = FiringRateNetwork::builder(array![[1.5, -1.0], [-1.0, 1.5]]).activation(clipped).build().unwrap();
    for (start, end) in [(array![0.1, -0.05], array![1.0, -1.0]), (array![-0.2, 0.1], array![-1.0, 1.0])] {
        for method in [Method::Auto, Flow::new().into(), SupportEnumeration::new().into()] {
            let eq = net.equilibrium().method(method).initial(&start).solve().unwrap();
            assert!(distance(&eq.state(), &end) < 1e-9, "{start} {method:?}: {} {eq}", eq.state());
        }
    }
}

/// Time constants over five decades: the explicit flow needs as many steps, the implicit one does not.
#[test]
fn continuation_does_not_mind_unequal_time_constants() {
    let (w, u) = (array![[2.0, -2.5], [2.5, -0.5]], array![1.0, 0.2]);
    for tau in [array![1.0, 1e-5], array![1e3, 1e-3]] {
        let net = network(&w, &u, &tau, Arc::new(Relu));
        let eq = net.equilibrium().method(PseudoTransient::new()).solve().unwrap();
        assert!(is_equilibrium(&net, &eq) && eq.report().iterations < 100, "{eq}");
    }
}

#[test]
fn sparse_networks_are_continued_by_krylov_steps() {
    let (n, mut rng) = (1600, StdRng::seed_from_u64(5));
    let mut entries = Vec::new();
    for i in 0..n {
        for _ in 0..8 {
            let j = rng.random_range(0..n);
            entries.push((i, j, if j % 4 == 0 { -0.48 } else { 0.16 } * rng.random_range(0.5..1.5)));
        }
    }
    let weights = Weights::from_triplets(n, entries).unwrap();
    let net =
        FiringRateNetwork::builder(weights).activation(Tanh::new()).input(&random_vector(n, 6, 1.0)).build().unwrap();
    for method in [Method::Auto, PseudoTransient::new().into(), Flow::new().into()] {
        let outcome = net.equilibrium().method(method).outcome().unwrap();
        assert!(outcome.equilibrium().is_some_and(|eq| is_equilibrium(&net, eq)), "{method:?}: {outcome}");
    }
}

#[test]
fn where_nothing_is_found_the_message_says_what_else_to_try() {
    let none = relu(&array![[2.0]], &array![1.0]);
    let outcome = none.equilibrium().outcome().unwrap();
    assert_eq!(outcome.report().stop, StopReason::NoEquilibrium);
    let tried: Vec<MethodName> = outcome.report().attempts.iter().map(|attempt| attempt.method).collect();
    let (continuation, flow) = (MethodName::PseudoTransient, MethodName::Flow);
    let all = [continuation, MethodName::Newton, MethodName::Anderson, flow, MethodName::SupportEnumeration];
    assert_eq!(tried, all);
    assert!(outcome.to_string().contains("there is none to be found"), "{outcome}");
    let message = none.equilibrium().solve().unwrap_err().to_string();
    assert!(message.contains("none holds an equilibrium") && message.contains("weaken the excitation"), "{message}");

    let message = none.equilibrium().method(Newton::new()).solve().unwrap_err().to_string();
    assert!(message.contains("Method::Auto"), "{message}");
    let message = none.equilibrium().max_iterations(3).solve().unwrap_err().to_string();
    assert!(message.contains("max_iterations"), "{message}");
    let outcome = none.equilibrium().method(Flow::new()).outcome().unwrap();
    assert_eq!(outcome.report().stop, StopReason::Diverged, "{outcome}");

    let circling = tanh(&array![[2.0, -4.0], [4.0, -0.5]], &array![0.3, 0.1]);
    let outcome = circling.equilibrium().method(Flow::new()).initial(&array![0.9, -0.9]).outcome().unwrap();
    assert!(matches!(&outcome, Outcome::Equilibrium(_)) || outcome.report().stop == StopReason::Cycles, "{outcome}");
}

#[test]
fn options_of_the_last_resorts_are_checked() {
    let net = tanh(&array![[0.5, -1.0], [1.0, 0.0]], &array![1.0, 0.0]);
    let name = |method: Method| match net.equilibrium().method(method).solve().unwrap_err() {
        Error::Invalid { argument, .. } => argument,
        other => panic!("{other}"),
    };
    assert_eq!(name(PseudoTransient::new().first_step(0.0).into()), "first_step");
    assert_eq!(name(PseudoTransient::new().first_step(f64::NAN).into()), "first_step");
    assert_eq!(name(Flow::new().max_steps(0).into()), "max_steps");
    assert_eq!(name(SupportEnumeration::new().max_branches(0).into()), "max_branches");
    // Not piecewise linear.
    assert!(net.equilibrium().method(SupportEnumeration::new()).solve().is_err());
}

fn ring<A: Scalar>(gain: f64) -> FiringRateNetwork<A> {
    let w = array![[0.0, 0.0, -gain], [-gain, 0.0, 0.0], [0.0, -gain, 0.0]].mapv(A::of);
    FiringRateNetwork::builder(w).activation(Tanh::new()).build().unwrap()
}

/// Theory 2.2: the eigenvalues at the origin are `-1 - g` and `-1 + g/2 +- ...`, so the abscissa is 0.25 for a gain of
/// 2.5.
#[test]
fn nash_does_not_imply_stable() {
    let net = ring::<f64>(2.5);
    let standing = net.game().standing(&Array1::zeros(3), 1e-12).unwrap();
    assert_eq!((standing.stationary, standing.nash, standing.locally_stable), (Flag::Yes, Flag::Yes, Flag::No));
    assert!((standing.local.spectral_abscissa() - 0.25).abs() < 1e-12);
    let single = ring::<f32>(2.5).game().standing(&Array1::zeros(3), 1e-6).unwrap();
    assert_eq!((single.stationary, single.nash, single.locally_stable), (Flag::Yes, Flag::Yes, Flag::No));
    // At gain 2 the abscissa is 0, below it the origin is stable.
    let at = |gain| ring::<f64>(gain).game().standing(&Array1::zeros(3), 1e-12).unwrap().locally_stable;
    assert_eq!((at(2.0), at(1.9)), (Flag::Undecided, Flag::Yes));
    assert!(standing.to_string().contains("Nash: yes"), "{standing}");
}

#[test]
fn a_state_that_does_not_rest_is_nothing_at_all() {
    let net = ring::<f64>(0.5);
    let standing = net.game().standing(&array![0.1, 0.0, 0.0], 1e-9).unwrap();
    assert_eq!((standing.stationary, standing.nash, standing.locally_stable), (Flag::No, Flag::No, Flag::No));
    assert!(standing.residual >= 0.05);
    assert!(net.game().standing(&array![0.1, 0.0, 0.0], f64::NAN).is_err());
    assert!(net.game().standing(&array![0.1], 1e-9).is_err());
    // A neuron at its threshold: whether it stays is not for the linearisation to say.
    let kink = relu(&array![[0.5]], &array![0.0]).game().standing(&array![0.0], 1e-9).unwrap();
    assert_eq!((kink.stationary, kink.nash, kink.locally_stable), (Flag::Yes, Flag::Yes, Flag::Undecided));
}

/// The counts of theory 2.2 on random tanh pairs: a stable state is Nash below the switch `w_EE = 1`, never Nash where
/// `lambda_E w_EE > 1`, and may be either between. In the plane Nash implies stable.
#[test]
fn stable_is_nash_below_the_switch_and_never_where_the_slope_is_above_it() {
    let mut rng = StdRng::seed_from_u64(9);
    // [below the switch, between, above it at the slope] x [Nash, not Nash]
    let mut counts = [[0; 2]; 3];
    for _ in 0..400 {
        let w = array![
            [rng.random_range(0.0..4.0), -rng.random_range(0.0..5.0)],
            [rng.random_range(0.0..5.0), -rng.random_range(0.0..2.0)]
        ];
        let net = tanh(&w, &array![rng.random_range(-2.0..2.0), rng.random_range(-2.0..2.0)]);
        let Ok(eq) = net.equilibrium().tolerance(1e-13).solve() else { continue };
        let standing = eq.standing(&net.game()).unwrap();
        assert_eq!(standing.stationary, Flag::Yes);
        if standing.nash == Flag::Yes {
            assert_ne!(standing.locally_stable, Flag::No, "{w} {standing}");
        }
        if standing.locally_stable != Flag::Yes || standing.nash == Flag::Undecided {
            continue;
        }
        let slope = standing.local.slopes()[0] * w[[0, 0]];
        let class = if w[[0, 0]] < 1.0 { 0 } else { 1 + usize::from(slope > 1.0) };
        counts[class][usize::from(standing.nash == Flag::No)] += 1;
    }
    let [below, between, above] = counts;
    assert!(below[0] > 30 && below[1] == 0, "{counts:?}");
    assert!(between[0] > 30 && between[1] > 30, "{counts:?}");
    assert!(above[0] == 0 && above[1] > 10, "{counts:?}");
}

/// The same rates described with more neurons: E and I replaced by four copies with a quarter of the weights. Slopes
/// and stability stay,
/// `lambda w_EE` falls below 1, and what was no Nash equilibrium is one.
#[test]
fn the_level_of_description_decides_about_nash() {
    let w = array![[1.6, -3.0], [2.5, -0.5]];
    let phi = || Logistic::with_gain_and_threshold(4.0, 0.5).unwrap();
    let u = array![0.6, 0.1];
    let pair = FiringRateNetwork::builder(&w).activation(phi()).input(&u).build().unwrap();
    let eq = pair.equilibrium().solve().unwrap();
    let copies = Array2::from_shape_fn((8, 8), |(i, j)| w[[i / 4, j / 4]] / 4.0);
    let many = FiringRateNetwork::builder(copies)
        .activation(phi())
        .input(&Array1::from_shape_fn(8, |i| u[i / 4]))
        .build()
        .unwrap();
    let x = Array1::from_shape_fn(8, |i| eq.state()[i / 4]);
    let (few, more) = (eq.standing(&pair.game()).unwrap(), many.game().standing(&x, 1e-11).unwrap());
    assert_eq!(more.stationary, Flag::Yes);
    assert_eq!(few.locally_stable, more.locally_stable);
    assert_eq!(more.nash, Flag::Yes, "{more}");
}
