//! Flows in time: against SciPy, closed forms, and the laws that they obey.

use std::ops::ControlFlow;

use ndarray::{Array1, Array2, array};
use neuronash::activation::{ActivationCost, Identity, Logistic, Relu, Softplus, Tanh};
use neuronash::dynamics::{Cyclic, Limit, PlayRule, Proximal, Simulation, Simultaneous, StopReason, Trajectory};
use neuronash::network::{FiringRateNetwork, Weights};
use neuronash::{Error, Scalar};
use proptest::prelude::*;
use serde_json::Value;

fn vector(value: &Value) -> Array1<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Array1<f64>> = value.as_array().unwrap().iter().map(vector).collect();
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
}

fn scipy() -> Vec<Value> {
    serde_json::from_str(include_str!("data/scipy/trajectories.json")).unwrap()
}

/// The simulation that the case describes, with tight tolerances.
fn configure<'n>(run: Simulation<'n, f64>, case: &Value) -> Simulation<'n, f64> {
    let times = vector(&case["times"]);
    let run = run
        .initial(&vector(&case["initial"]))
        .until(times[times.len() - 1])
        .relative_tolerance(1e-11)
        .absolute_tolerance(1e-12)
        .record_at(&times);
    match case["kind"].as_str().unwrap() {
        "jumps" => run.input_steps(&vector(&case["jump_times"]), &matrix(&case["jump_values"])),
        "sine" => {
            let amplitude = vector(&case["input"]);
            run.input_function(move |t, mut u| u.assign(&(&amplitude * (2.0 * t).sin())))
        }
        _ => run,
    }
}

fn run_case(case: &Value, phi: impl ActivationCost<f64> + 'static) -> Trajectory<f64> {
    let (w, tau, u) = (matrix(&case["weights"]), vector(&case["time_constants"]), vector(&case["input"]));
    let net = FiringRateNetwork::builder(&w).time_constants(&tau).input(&u).activation(phi).build().unwrap();
    match case["form"].as_str().unwrap() {
        "firing_rate" => configure(net.simulate(), case).run().unwrap(),
        "hopfield" => configure(net.to_hopfield().simulate(), case).run().unwrap(),
        other => panic!("form {other}"),
    }
}

#[test]
fn agrees_with_scipy() {
    let mut cases = 0;
    for case in scipy() {
        let got = match case["activation"].as_str().unwrap() {
            "relu" => run_case(&case, Relu),
            "tanh" => run_case(&case, Tanh::new()),
            "logistic" => run_case(&case, Logistic::new()),
            "softplus" => run_case(&case, Softplus::new()),
            other => panic!("activation {other}"),
        };
        assert_eq!(got.stop(), StopReason::TimeReached);
        assert_eq!(got.times(), vector(&case["times"]));
        let gap = largest(&(&got.states() - &matrix(&case["states"])));
        assert!(gap < 2e-8, "{}: {gap:e}", case["name"]);
        cases += 1;
    }
    assert_eq!(cases, 11);
}

fn largest<D: ndarray::Dimension>(a: &ndarray::Array<f64, D>) -> f64 {
    a.iter().fold(0.0, |m, v| v.abs().max(m))
}

fn linear<A: Scalar>() -> FiringRateNetwork<A> {
    let of = |v: f64| A::of(v);
    FiringRateNetwork::builder(&array![[of(0.5), of(-1.0)], [of(1.0), of(0.5)]])
        .time_constants(&array![of(2.0), of(2.0)])
        .activation(Identity)
        .build()
        .unwrap()
}

/// `2 x' = (W - I) x` with `W - I = [[-1/2, -1], [1, -1/2]]`: a spiral `e^{-t/4}` that turns by `t/2`.
fn spiral(t: f64) -> [f64; 2] {
    [(-t / 4.0).exp() * (t / 2.0).cos(), (-t / 4.0).exp() * (t / 2.0).sin()]
}

fn follows_the_spiral<A: Scalar>(tolerance: f64, allowed: f64) {
    let net = linear::<A>();
    let times = Array1::from_iter((0..=40).map(|k| A::of(0.25 * f64::from(k))));
    let run = net
        .simulate()
        .initial(&array![A::one(), A::zero()])
        .until(A::of(10.0))
        .relative_tolerance(A::of(tolerance))
        .record_at(&times)
        .run()
        .unwrap();
    assert_eq!(run.times(), times);
    for (t, x) in run.times().iter().zip(run.states().rows()) {
        let want = spiral(t.to_double());
        for i in 0..2 {
            assert!((x[i].to_double() - want[i]).abs() < allowed, "t = {t}: {x} {want:?}");
        }
    }
}

#[test]
fn follows_a_closed_form_in_both_precisions() {
    follows_the_spiral::<f64>(1e-10, 1e-8);
    follows_the_spiral::<f32>(1e-5, 1e-4);
}

#[test]
fn error_follows_the_tolerance() {
    let net = linear::<f64>();
    let error = |tolerance: f64| {
        let run = net.simulate().initial(&array![1.0, 0.0]).until(10.0).relative_tolerance(tolerance).run().unwrap();
        let want = spiral(10.0);
        (run.final_state()[0] - want[0]).hypot(run.final_state()[1] - want[1])
    };
    let (coarse, fine) = (error(1e-4), error(1e-9));
    assert!(coarse < 1e-3 && fine < 1e-8 && fine < 1e-3 * coarse, "{coarse:e} {fine:e}");
}

/// The continuous extension of the pair is of fourth order, its error within one step of fifth: half the step, a 32nd of the
/// error.
#[test]
fn samples_within_steps_are_as_good_as_the_pair_allows() {
    // The flow of `spiral`, with time constants so long that the first step is as long as it may be.
    let net = FiringRateNetwork::<f64>::builder(&array![[-24.0, -50.0], [50.0, -24.0]])
        .time_constants(&array![100.0, 100.0])
        .activation(Identity)
        .build()
        .unwrap();
    let middle_of_one_step = |h: f64| {
        let run = net
            .simulate()
            .initial(&array![1.0, 0.0])
            .until(h)
            .relative_tolerance(0.1)
            .absolute_tolerance(0.1)
            .longest_step(h)
            .record_at(&array![h / 2.0])
            .run()
            .unwrap();
        assert_eq!(run.steps(), 1);
        let want = spiral(h / 2.0);
        (run.states()[[0, 0]] - want[0]).hypot(run.states()[[0, 1]] - want[1])
    };
    let errors = [0.4, 0.2, 0.1, 0.05].map(middle_of_one_step);
    assert!(errors.windows(2).all(|pair| (30.0..36.0).contains(&(pair[0] / pair[1]))), "{errors:?}");
    // A cubic through both ends is off by h^4/384 times the fourth derivative, here about 5e-8.
    assert!(errors[2] < 1e-9, "{errors:?}");
}

/// Samples are no less accurate than the ends of the steps around them.
#[test]
fn samples_keep_the_tolerance() {
    let net = linear::<f64>();
    let gap = |run: Trajectory<f64>| {
        run.times().iter().zip(run.states().rows()).fold(0.0, |most: f64, (&t, x)| {
            let want = spiral(t);
            most.max((x[0] - want[0]).hypot(x[1] - want[1]))
        })
    };
    let run = || net.simulate().initial(&array![1.0, 0.0]).until(10.0).relative_tolerance(1e-10);
    let ends = gap(run().run().unwrap());
    let samples = gap(run().record_at(&Array1::linspace(0.0, 10.0, 1001)).run().unwrap());
    assert!(samples < 20.0 * ends, "{samples:e} {ends:e}");
}

#[test]
fn a_step_costs_six_evaluations() {
    // Seven stages, of which the last is the first of the next step.
    let run = linear::<f64>().simulate().initial(&array![1.0, 0.0]).until(10.0).relative_tolerance(1e-9).run().unwrap();
    let tried = run.steps() + run.rejected();
    assert!(run.steps() > 20 && run.evaluations() <= 6 * tried + 2, "{run}");
}

#[test]
fn jumps_of_the_input_are_met_exactly() {
    // x' = -x + u with u = 1, then 3 from t = 1, then -1 from t = 2.
    let net = FiringRateNetwork::builder(&array![[0.0]]).activation(Identity).input(&array![1.0]).build().unwrap();
    let run = net
        .simulate()
        .input_steps(&array![1.0, 2.0], &array![[3.0], [-1.0]])
        .until(3.0)
        .relative_tolerance(1e-12)
        .record_at(&array![0.0, 1.0, 1.5, 2.0, 3.0])
        .run()
        .unwrap();
    let decay = |x: f64, u: f64, t: f64| u + (x - u) * (-t).exp();
    let one = decay(0.0, 1.0, 1.0);
    let two = decay(one, 3.0, 1.0);
    let want = array![0.0, one, decay(one, 3.0, 0.5), two, decay(two, -1.0, 1.0)];
    let gap = &run.states().column(0) - &want;
    assert!(largest(&gap) < 1e-9, "interpolated: {gap} {run}");
    assert!((run.final_state()[0] - want[4]).abs() < 1e-12, "{gap} {run}");
    // Jumps before the start have happened already, jumps after the end never do.
    let late = net
        .simulate()
        .from_time(2.0)
        .initial(&array![two])
        .input_steps(&array![1.0, 2.0, 5.0], &array![[3.0], [-1.0], [9.0]])
        .until(3.0)
        .relative_tolerance(1e-12)
        .run()
        .unwrap();
    assert!((late.final_state()[0] - want[4]).abs() < 1e-12);
    assert_eq!(late.final_time(), 3.0);
}

#[test]
fn the_two_forms_describe_the_same_neurons() {
    let w = array![[0.3, -0.8, 0.1], [0.9, -0.2, 0.4], [-0.5, 0.6, 0.0]];
    let u = array![0.2, -0.1, 0.4];
    let net = FiringRateNetwork::builder(&w).input(&u).activation(Tanh::new()).build().unwrap();
    let y0 = array![0.5, -1.0, 2.0];
    let times = Array1::linspace(0.0, 5.0, 11);
    let fine = |run: Simulation<'_, f64>| run.until(5.0).relative_tolerance(1e-11).record_at(&times).run().unwrap();
    let potentials = fine(net.to_hopfield().simulate().initial(&y0));
    // With equal time constants, z = W x + u obeys the Hopfield form when it starts there.
    let x0 = inverse_3x3(&w).dot(&(&y0 - &u));
    let rates = fine(net.simulate().initial(&x0));
    for (x, y) in rates.states().rows().into_iter().zip(potentials.states().rows()) {
        assert!(largest(&(&net.drive(&x).unwrap() - &y)) < 1e-8);
    }
}

fn inverse_3x3(a: &Array2<f64>) -> Array2<f64> {
    let minor = |i: usize, j: usize| {
        let (p, q, r, s) = ((i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3);
        a[[p, r]] * a[[q, s]] - a[[p, s]] * a[[q, r]]
    };
    let det: f64 = (0..3).map(|j| a[[0, j]] * minor(0, j)).sum();
    Array2::from_shape_fn((3, 3), |(i, j)| minor(j, i) / det)
}

fn oscillator() -> FiringRateNetwork<f64> {
    FiringRateNetwork::builder(&array![[3.0, -4.0], [4.0, -0.5]])
        .activation(Tanh::new())
        .input(&array![0.1, 0.0])
        .build()
        .unwrap()
}

#[test]
fn an_oscillator_is_a_cycle_and_not_an_equilibrium() {
    let net = oscillator();
    let run = net.simulate().initial(&array![0.1, 0.0]).until_converged(1e-8).run().unwrap();
    let StopReason::CycleDetected { period } = run.stop() else { panic!("{run}") };
    assert!(!run.converged());
    // The period, measured independently: the state after one period is the same.
    let there = net.simulate().initial(&run.final_state()).until(period).relative_tolerance(1e-10).run().unwrap();
    assert!(largest(&(&there.final_state() - &run.final_state())) < 1e-4, "{run}");
    let half = net.simulate().initial(&run.final_state()).until(period / 2.0).run().unwrap();
    assert!(largest(&(&half.final_state() - &run.final_state())) > 0.1);
    // Without looking for cycles it runs into its limit.
    let run = net
        .simulate()
        .initial(&array![0.1, 0.0])
        .until_converged(1e-8)
        .cycle_tolerance(None)
        .max_steps(2000)
        .run()
        .unwrap();
    assert_eq!(run.stop(), StopReason::LimitReached(Limit::Steps));
}

#[test]
fn a_slow_spiral_converges() {
    // Each turn shrinks the state by less than 2%.
    let net = FiringRateNetwork::builder(&array![[0.9, -40.0], [40.0, 0.9]]).activation(Identity).build().unwrap();
    let run = net.simulate().initial(&array![1.0, 0.0]).until_converged(1e-6).run().unwrap();
    assert!(run.converged(), "{run}");
    assert!(largest(&run.final_state().to_owned()) < 1e-6);
}

#[test]
fn divergence_is_reported_with_its_time() {
    let net = FiringRateNetwork::<f64>::builder(&array![[2.0]]).activation(Relu).input(&array![1.0]).build().unwrap();
    let run = net.simulate().until(1e6).divergence_bound(1e3).record_ends().run().unwrap();
    assert_eq!(run.stop(), StopReason::Diverged);
    // x = e^t - 1
    assert!((run.final_time() - run.final_state()[0].ln_1p()).abs() < 1e-3);
    assert_eq!(net.simulate().until(1e6).run().unwrap().stop(), StopReason::Diverged);
    assert_eq!(net.simulate().until_converged(1e-6).run().unwrap().stop(), StopReason::Diverged);
}

#[test]
fn an_observer_sees_every_step_and_can_stop() {
    let net = linear::<f64>();
    let mut seen = Vec::new();
    let run = net
        .simulate()
        .initial(&array![1.0, 0.0])
        .until(10.0)
        .observer(|step| {
            seen.push((step.number, step.time));
            assert_eq!(step.state.len(), 2);
            if step.time > 5.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .run()
        .unwrap();
    assert_eq!(run.stop(), StopReason::Interrupted);
    assert_eq!(seen[0], (0, 0.0));
    assert!(seen.windows(2).all(|w| w[1].0 == w[0].0 + 1 && w[1].1 > w[0].1));
    assert_eq!(seen.len(), run.steps() + 1);
    assert_eq!(run.times().len(), run.steps() + 1);
    assert!(run.final_time() > 5.0 && run.final_time() < 10.0);
}

#[test]
fn rest_at_the_start_takes_no_step() {
    let run = linear::<f64>().simulate().until_converged(1e-9).run().unwrap();
    assert!(run.converged());
    assert_eq!((run.steps(), run.final_time()), (0, 0.0));
    assert_eq!(run.states(), array![[0.0, 0.0]]);
}

#[test]
fn stiff_time_constants_cost_steps_and_nothing_else() {
    let net = FiringRateNetwork::builder(&array![[0.0, 0.0], [1.0, 0.0]])
        .time_constants(&array![1.0, 1e-4])
        .activation(Identity)
        .input(&array![1.0, 0.0])
        .build()
        .unwrap();
    let run = net.simulate().until(2.0).record_ends().run().unwrap();
    assert_eq!(run.stop(), StopReason::TimeReached);
    assert!((run.final_state()[1] - (1.0 - (-2.0f64).exp())).abs() < 1e-3, "{run}");
}

#[test]
fn same_run_same_answer() {
    let net = oscillator();
    let run = || net.simulate().initial(&array![0.1, 0.0]).until(20.0).run().unwrap();
    assert_eq!(run(), run());
}

#[test]
fn one_neuron_and_tiny_spans() {
    let net = FiringRateNetwork::builder(&array![[0.0]]).activation(Identity).input(&array![1.0]).build().unwrap();
    let run = net.simulate().from_time(1e6).until(1e6 + 1e-8).run().unwrap();
    assert_eq!(run.stop(), StopReason::TimeReached);
    assert_eq!(run.final_time(), 1e6 + 1e-8);
    let shorter_than_rounding = net.simulate().from_time(1e9).until(1e9 + 1e-9).run();
    assert!(matches!(shorter_than_rounding, Err(Error::Invalid { .. })));
}

/// Certified with a margin of 0.1: every mode decays at that rate, and turns far faster.
fn turning(seed: u64, n: usize, fastest: f64) -> FiringRateNetwork<f64> {
    use rand::{Rng, SeedableRng};
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let mut w = Array2::from_diag_elem(n, 0.9);
    for i in 0..n {
        for j in 0..i {
            let v = rng.random_range(-fastest..fastest);
            (w[[i, j]], w[[j, i]]) = (v, -v);
        }
    }
    let u = Array1::from_shape_fn(n, |_| rng.random_range(-10.0..10.0));
    let clipped = neuronash::activation::ClippedLinear::new(0.0, 1.0).unwrap();
    FiringRateNetwork::builder(w).activation(clipped).input(&u).build().unwrap()
}

#[test]
fn fast_turning_networks_come_to_rest_at_every_tolerance() {
    for (seed, fastest) in [(0, 6.0), (1, 6.0), (2, 6.0), (3, 20.0)] {
        let net = turning(seed, 10, fastest);
        for tolerance in [1e-3, 1e-5, 1e-7, 1e-9, 1e-11] {
            let steps = 300_000;
            let run = net.simulate().until_converged(tolerance).max_steps(steps).record_ends().run().unwrap();
            assert!(run.converged(), "{seed} {tolerance:e}: {run}");
            // Rates within [0, 1]: the residual counts as it is.
            let residual = largest(&net.residual(&run.final_state()).unwrap());
            assert!(residual <= tolerance + 1e-13, "{seed} {tolerance:e}: {residual:e}");
            let coarse = net.simulate().until_converged(tolerance).relative_tolerance(0.1 * tolerance);
            let run = coarse.max_steps(steps).record_ends().run().unwrap();
            assert!(run.converged(), "{seed} {tolerance:e}: {run}");
        }
    }
}

#[test]
fn growth_at_a_constant_pace_is_not_rest() {
    let net = FiringRateNetwork::builder(array![[1.0]]).activation(Relu).input(&array![1.0]).build().unwrap();
    for start in [0.0, 3.0, 1e7] {
        for tolerance in [1e-2, 1e-7, 1e-12] {
            let run = net.simulate().initial(&array![start]).until_converged(tolerance).run().unwrap();
            assert_eq!(run.stop(), StopReason::Diverged, "{start} {tolerance:e}: {run}");
        }
    }
    // A second neuron at rest far away makes the pace of the first look small from the start.
    let net = FiringRateNetwork::builder(array![[1.0, 0.0], [0.0, 0.0]])
        .activation(Relu)
        .input(&array![1.0, 1e7])
        .build()
        .unwrap();
    let run = net.simulate().initial(&array![0.0, 1e7]).until_converged(1e-6).run().unwrap();
    assert_eq!(run.stop(), StopReason::Diverged, "{run}");
    let rules: [Box<dyn PlayRule<f64>>; 2] =
        [Box::new(Proximal::new(1.0, Cyclic)), Box::new(Proximal::new(1.0, Simultaneous))];
    for rule in rules {
        let play = net.game().play().rule(rule).tolerance(1e-3).run().unwrap();
        assert_eq!(play.stop(), StopReason::LimitReached(Limit::Steps), "{play}");
    }
}

#[test]
fn rest_at_large_rates_is_found() {
    // x* = 1000 u, reached at the rate 0.001.
    for u in [1.0_f64, 1e6] {
        let net = FiringRateNetwork::builder(array![[0.999]]).activation(Relu).input(&array![u]).build().unwrap();
        let run = net.simulate().until_converged(1e-8).run().unwrap();
        assert!(run.converged() && (run.final_state()[0] / (1000.0 * u) - 1.0).abs() < 1e-4, "{run}");
        let again = net.simulate().initial(&run.final_state()).until_converged(1e-8).run().unwrap();
        assert!(again.converged(), "{again}");
    }
}

#[test]
fn slow_spirals_are_not_cycles() {
    for (pull, turn) in [(1e-5, 1.0), (-1e-5, 1.0), (1e-4, 3.0), (1e-5, 0.2)] {
        let net = FiringRateNetwork::<f64>::builder(array![[1.0 - pull, -turn], [turn, 1.0 - pull]])
            .activation(Identity)
            .build()
            .unwrap();
        for tolerance in [1e-4, 1e-6, 1e-9] {
            let run =
                net.simulate().initial(&array![1.0, 0.5]).until_converged(tolerance).max_steps(3000).record_ends();
            let run = run.run().unwrap();
            assert_eq!(run.stop(), StopReason::LimitReached(Limit::Steps), "{pull} {turn} {tolerance:e}: {run}");
        }
    }
    // A neuron that hardly moves within any time.
    let net = FiringRateNetwork::builder(array![[0.0, -1.0], [1.0, 0.0]])
        .time_constants(&array![1e300, 1.0])
        .activation(Identity)
        .input(&array![3.0, 1.0])
        .build()
        .unwrap();
    let run = net.simulate().until_converged(1e-6).max_steps(3000).record_ends().run().unwrap();
    assert_eq!(run.stop(), StopReason::LimitReached(Limit::Steps), "{run}");
}

#[test]
fn spirals_that_lose_a_millionth_per_turn_are_not_cycles() {
    for (loss, turn) in [(1e-6, 1.0), (-1e-6, 1.0), (1e-6, 4.0), (1e-4, 0.5)] {
        // One turn takes 2 pi / turn.
        let pull = loss * turn / std::f64::consts::TAU;
        let net = FiringRateNetwork::<f64>::builder(array![[1.0 - pull, -turn], [turn, 1.0 - pull]])
            .activation(Identity)
            .build()
            .unwrap();
        for tolerance in [1e-2, 1e-4, 1e-8] {
            let run = net.simulate().initial(&array![1.0, -0.3]).until_converged(tolerance).max_steps(1000);
            let run = run.record_ends().run().unwrap();
            assert_eq!(run.stop(), StopReason::LimitReached(Limit::Steps), "{loss} {turn} {tolerance:e}: {run}");
        }
    }
}

#[test]
fn the_period_of_a_cycle_is_the_least() {
    // Two centres, of which the second turns `times` times as fast: whatever the plane, it is passed more than once.
    for times in [2.0, 3.0] {
        let mut w = Array2::<f64>::eye(4);
        (w[[0, 1]], w[[1, 0]], w[[2, 3]], w[[3, 2]]) = (-1.0, 1.0, -times, times);
        let net = FiringRateNetwork::builder(w).activation(Identity).build().unwrap();
        for start in [array![1.0, 0.0, 0.5, 0.0], array![0.2, 0.1, 1.0, 0.3], array![1.0, 0.0, 1e-3, 0.0]] {
            let run = net.simulate().initial(&start).until_converged(1e-6).run().unwrap();
            let StopReason::CycleDetected { period } = run.stop() else { panic!("{times} {start}: {run}") };
            assert!((period - std::f64::consts::TAU).abs() < 1e-5, "{times} {start}: {period}");
        }
    }
}

/// A ReLU neuron without connections whose input is a function, until 200 time constants.
fn driven(
    input: impl Fn(f64) -> f64,
    options: impl for<'n> Fn(Simulation<'n, f64>) -> Simulation<'n, f64>,
) -> Trajectory<f64> {
    let net = FiringRateNetwork::builder(array![[0.0]]).activation(Relu).build().unwrap();
    options(net.simulate().input_function(|t, mut u| u[0] = input(t)).until(200.0)).run().unwrap()
}

#[test]
fn a_short_pulse_is_not_stepped_over() {
    let pulse = |t: f64| 50.0 * (-(t - 100.0f64).powi(2) / 0.02).exp();
    // 50 sqrt(0.02 pi) e^{-0.5 + 0.005}: the pulse weighed by what is left of it half a time constant later.
    let want = 50.0 * (0.02 * std::f64::consts::PI).sqrt() * (-0.495f64).exp();
    assert!((want - 7.64).abs() < 5e-3);
    let found = driven(pulse, |run| run.record_at(&array![98.0, 100.5]));
    assert!(found.states()[[0, 0]].abs() < 1e-8);
    assert!((found.states()[[1, 0]] - want).abs() < 1e-4, "{found}");
    // Quiet times cost few steps.
    assert!(found.steps() < 300, "{found}");
    // A tenth of a time constant, wherever it is; once more with a tolerance that asks for little.
    for start in [3.0, 57.123, 99.99, 180.03] {
        let pulse = |t: f64| if t >= start && t <= start + 0.1 { 5.0 } else { 0.0 };
        let want = 5.0 * (1.0 - (-0.1f64).exp()) * (-0.9f64).exp();
        for (tolerance, allowed) in [(1e-6, 1e-3), (1e-2, 0.2)] {
            let run = driven(pulse, |run| run.relative_tolerance(tolerance).record_at(&array![start + 1.0]));
            let found = run.states()[[0, 0]];
            assert!((found - want).abs() < allowed * want, "{start} {tolerance:e}: {found:e} {want:e}");
        }
    }
}

#[test]
fn features_as_short_as_announced_are_met() {
    let pulse = |t: f64| if (77.0..77.002).contains(&t) { 1e3 } else { 0.0 };
    let want = 1e3 * 0.002 * (-1.0f64 + 0.001).exp();
    let met = driven(pulse, |run| run.shortest_feature(0.002).record_at(&array![77.002, 78.001]));
    assert!((met.states()[[1, 0]] / want - 1.0).abs() < 2e-3, "{} {met}", met.states());
    // More looking than the steps allow ends with a word.
    let short = driven(pulse, |run| run.shortest_feature(1e-6).max_steps(1000).record_ends());
    assert_eq!(short.stop(), StopReason::LimitReached(Limit::Steps));
    // Features longer than all steps cost nothing: every evaluation is a stage.
    let calls = std::cell::Cell::new(0);
    let net = linear::<f64>();
    let input = |t: f64, mut u: ndarray::ArrayViewMut1<'_, f64>| {
        calls.set(calls.get() + 1);
        u.fill(t.sin());
    };
    let run = net.simulate().input_function(input).until(20.0).longest_step(0.5).shortest_feature(1.0).record_ends();
    let run = run.run().unwrap();
    assert!(calls.get() <= run.evaluations() + 2, "{} {run}", calls.get());
}

#[test]
fn smooth_inputs_are_followed_as_before() {
    // x' = -x + sin(w t), from 0.
    for (w, tolerance) in [(0.3f64, 1e-6), (2.0, 1e-6), (2.0, 1e-10), (20.0, 1e-8)] {
        let net = FiringRateNetwork::builder(array![[0.0]]).activation(Identity).build().unwrap();
        let run = |feature: f64| {
            let run = net.simulate().input_function(move |t, mut u| u[0] = (w * t).sin()).until(10.0);
            run.relative_tolerance(tolerance).shortest_feature(feature).record_ends().run().unwrap()
        };
        let exact = ((w * 10.0).sin() - w * (w * 10.0).cos() + w * (-10.0f64).exp()) / (1.0 + w * w);
        let (looking, trusting) = (run(0.02), run(1e3));
        assert!((looking.final_state()[0] - exact).abs() < 50.0 * tolerance, "{looking}");
        assert!(looking.rejected() <= trusting.rejected() + 2, "{w} {tolerance:e}: {looking} {trusting}");
    }
}

#[test]
fn cycles_are_found_at_every_tolerance() {
    for tolerance in [1e-3, 1e-5, 1e-7, 1e-9] {
        let run = oscillator().simulate().initial(&array![0.1, 0.0]).until_converged(tolerance).run().unwrap();
        assert!(matches!(run.stop(), StopReason::CycleDetected { .. }), "{tolerance:e}: {run}");
        // A centre: every orbit is a cycle, of period 2 pi.
        let net =
            FiringRateNetwork::<f64>::builder(array![[1.0, -1.0], [1.0, 1.0]]).activation(Identity).build().unwrap();
        let run = net.simulate().initial(&array![1.0, 0.0]).until_converged(tolerance).run().unwrap();
        let StopReason::CycleDetected { period } = run.stop() else { panic!("{tolerance:e}: {run}") };
        assert!((period - std::f64::consts::TAU).abs() < 1e-3, "{period}");
    }
}

#[test]
fn states_that_stop_being_numbers_diverge() {
    use neuronash::activation::from_fn;
    let broken = |z: f64| if z > 0.5 { f64::NAN } else { z };
    let net = |u: f64| {
        let phi = from_fn("broken", broken).with_slope_range(0.0, 1.0).unwrap();
        FiringRateNetwork::builder(array![[0.0, 0.5], [0.5, 0.0]]).activation(phi).input(&array![u, u]).build().unwrap()
    };
    for u in [1.0, 0.4] {
        for run in [net(u).simulate().until(50.0), net(u).simulate().until_converged(1e-6)] {
            let run = run.run().unwrap();
            assert_eq!(run.stop(), StopReason::Diverged, "{u}: {run}");
            assert!(run.final_state().iter().all(|x| x.is_finite()));
        }
        let rules: [Box<dyn PlayRule<f64>>; 2] = [Box::new(Simultaneous), Box::new(Proximal::new(1.0, Simultaneous))];
        for rule in rules {
            let play = net(u).game().play().rule(rule).run().unwrap();
            assert_eq!(play.stop(), StopReason::Diverged, "{u}: {play}");
        }
    }
}

#[test]
fn a_flow_to_an_infinite_best_response_diverges() {
    let net = FiringRateNetwork::<f64>::builder(array![[2.0]]).activation(Relu).input(&array![1.0]).build().unwrap();
    for run in [net.game().best_response_flow().until(3.0), net.game().best_response_flow().until_converged(1e-6)] {
        let run = run.run().unwrap();
        assert_eq!((run.stop(), run.steps()), (StopReason::Diverged, 0));
        assert!(run.to_string().starts_with("trajectory of 1 neuron: diverged"), "{run}");
    }
}

#[test]
fn tolerances_bound_one_another_as_documented() {
    let net = linear::<f32>();
    let run = || net.simulate().initial(&array![1.0, 0.0]);
    assert!(run().until_converged(1e-5).relative_tolerance(1e-6).run().unwrap().converged());
    assert_eq!(argument(run().until_converged(1e-5).run().unwrap_err()), "until_converged");
    let error = run().until_converged(1e-5).relative_tolerance(2e-6).run().unwrap_err();
    assert_eq!(argument(error), "relative_tolerance");
}

fn argument(error: Error) -> String {
    match error {
        Error::Invalid { argument, .. }
        | Error::NonFinite { argument, .. }
        | Error::Shape { argument, .. }
        | Error::Empty { argument } => argument,
        other => panic!("{other}"),
    }
}

#[test]
fn bad_input_is_named() {
    let net = linear::<f64>();
    let fails = |run: Simulation<'_, f64>, name: &str| {
        let error = run.run().unwrap_err();
        assert!(argument(error.clone()).starts_with(name), "{error} for {name}");
    };
    let start = || net.simulate().until(1.0);
    fails(net.simulate(), "until");
    fails(start().initial(&array![1.0]), "initial");
    fails(start().initial(&array![1.0, f64::NAN]), "initial");
    fails(start().from_time(f64::INFINITY), "from_time");
    fails(start().from_time(1.0), "until");
    fails(net.simulate().until(f64::NAN), "until");
    fails(net.simulate().until(-1.0), "until");
    fails(start().until_converged(0.0), "until_converged");
    fails(start().until_converged(f64::NAN), "until_converged");
    fails(start().until_converged(1e-6).relative_tolerance(1e-6), "relative_tolerance");
    fails(start().until_converged(1e-6).absolute_tolerance(1e-6), "absolute_tolerance");
    for bad in [0.0, -1.0, 1e-17, 1.0, f64::NAN, f64::INFINITY] {
        fails(start().relative_tolerance(bad), "relative_tolerance");
    }
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        fails(start().absolute_tolerance(bad), "absolute_tolerance");
    }
    fails(start().longest_step(0.0), "longest_step");
    fails(start().longest_step(f64::NAN), "longest_step");
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        fails(start().input_function(|_, _| ()).shortest_feature(bad), "shortest_feature");
    }
    fails(start().shortest_feature(1.0), "shortest_feature");
    fails(start().max_steps(0), "max_steps");
    fails(start().divergence_bound(f64::NAN), "divergence_bound");
    fails(start().cycle_tolerance(Some(2.0)), "cycle_tolerance");
    fails(start().record_at(&array![0.5, 0.25]), "record_at");
    fails(start().record_at(&array![0.5, 1.25]), "record_at");
    fails(start().record_at(&array![-0.5]), "record_at");
    fails(start().record_at(&array![f64::NAN]), "record_at");
    fails(start().input_steps(&array![0.5], &array![[1.0]]), "input_steps values");
    fails(start().input_steps(&array![0.5, 0.5], &array![[1.0, 0.0], [1.0, 0.0]]), "input_steps times");
    fails(start().input_steps(&array![0.5], &array![[1.0, f64::NAN]]), "input at t = 0.5");
    fails(start().input_function(|t, mut u| u.fill(if t > 0.5 { f64::NAN } else { 1.0 })), "input at t = 0.");
    fails(start().input_function(|_, mut u| u.fill(f64::INFINITY)), "input at t = 0");
    fails(start().input_function(|_, _| ()).until_converged(1e-6), "until_converged");
}

#[test]
fn the_error_of_a_bad_input_names_a_time_at_which_it_is_bad() {
    let net = linear::<f64>();
    let error = net.simulate().until(2.0).input_function(|t, mut u| u.fill(1.0 / (t < 1.0) as u8 as f64)).run();
    let Err(Error::NonFinite { argument, index, value }) = error else { panic!("{error:?}") };
    let time: f64 = argument.strip_prefix("input at t = ").unwrap().parse().unwrap();
    assert!((1.0..=2.0).contains(&time));
    assert_eq!(index, vec![0]);
    assert_eq!(value, f64::INFINITY);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Interpolated samples lie on the same trajectory as the steps.
    #[test]
    fn samples_do_not_change_the_run(
        w in prop::collection::vec(-1.0..1.0, 9),
        u in prop::collection::vec(-1.0..1.0, 3),
        tau in prop::collection::vec(0.1..3.0, 3),
    ) {
        let w = Array2::from_shape_vec((3, 3), w).unwrap();
        let net = FiringRateNetwork::builder(&w)
            .time_constants(&Array1::from_vec(tau))
            .input(&Array1::from_vec(u))
            .activation(Tanh::new())
            .build()
            .unwrap();
        let steps = net.simulate().until(4.0).relative_tolerance(1e-8).run().unwrap();
        let times = Array1::linspace(0.0, 4.0, 17);
        let samples = net.simulate().until(4.0).relative_tolerance(1e-8).record_at(&times).run().unwrap();
        prop_assert_eq!(steps.final_state(), samples.final_state());
        prop_assert_eq!(steps.steps(), samples.steps());
        prop_assert_eq!(samples.final_state(), samples.states().row(16).to_owned());
        let ends = net.simulate().until(4.0).relative_tolerance(1e-8).record_ends().run().unwrap();
        prop_assert_eq!(ends.times().to_vec(), vec![0.0, 4.0]);
        prop_assert_eq!(ends.final_state(), steps.final_state());
    }

    /// A network that converges is at rest there, and is found at rest from there.
    #[test]
    fn convergence_is_rest(w in prop::collection::vec(-0.3..0.3, 16), u in prop::collection::vec(-1.0..1.0, 4)) {
        let w = Array2::from_shape_vec((4, 4), w).unwrap();
        let net = FiringRateNetwork::builder(&w)
            .input(&Array1::from_vec(u))
            .activation(Relu)
            .build()
            .unwrap();
        let run = net.simulate().until_converged(1e-9).run().unwrap();
        prop_assert!(run.converged(), "{}", run);
        let residual = net.residual(&run.final_state()).unwrap();
        prop_assert!(largest(&residual) <= 1e-9 * largest(&run.final_state().to_owned()).max(1.0));
        let again = net.simulate().initial(&run.final_state()).until_converged(1e-9).run().unwrap();
        prop_assert!(again.converged() && again.steps() < 10, "{}", again);
        prop_assert!(largest(&(&again.final_state() - &run.final_state())) < 1e-6);
    }
}

mod play {
    use super::*;
    use neuronash::activation::ClippedLinear;
    use neuronash::dynamics::{Damped, Random};

    fn orders<A: neuronash::Scalar>() -> [Box<dyn PlayRule<A>>; 3] {
        [Box::new(Simultaneous), Box::new(Cyclic), Box::new(Random::new(7))]
    }

    /// Small weights: every way of playing contracts.
    fn tame(seed: u64, activation: impl ActivationCost<f64> + 'static) -> FiringRateNetwork<f64> {
        use rand::{Rng, SeedableRng};
        let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
        let w = Array2::from_shape_fn((6, 6), |_| rng.random_range(-0.15..0.15));
        let u = Array1::from_shape_fn(6, |_| rng.random_range(-1.0..2.0));
        FiringRateNetwork::builder(w).activation(activation).input(&u).build().unwrap()
    }

    #[test]
    fn every_way_of_playing_reaches_the_same_equilibrium() {
        for seed in 0..10 {
            for net in [tame(seed, Relu), tame(seed, Tanh::new()), tame(seed, ClippedLinear::new(0.0, 1.0).unwrap())] {
                let rest = net.simulate().until_converged(1e-12).run().unwrap().final_state().to_owned();
                let damped = [1.0, 0.5].into_iter().flat_map(|fraction| {
                    let best = orders().map(|order| Box::new(Damped::new(fraction, order)) as Box<dyn PlayRule<f64>>);
                    let steps = orders().map(|order| {
                        Box::new(Damped::new(fraction, Proximal::new(1.0, order))) as Box<dyn PlayRule<f64>>
                    });
                    best.into_iter().chain(steps)
                });
                for rule in damped {
                    let name = format!("{rule:?}");
                    let play = net.game().play().rule(rule).run().unwrap();
                    assert!(play.converged(), "{name}: {play}");
                    let gap = largest(&(&play.final_state() - &rest));
                    assert!(gap < 1e-9, "{name}: {gap:e}");
                }
                let flow = net.game().best_response_flow().until_converged(1e-10).run().unwrap();
                assert!(flow.converged());
                assert!(largest(&(&flow.final_state() - &rest)) < 1e-8);
            }
        }
    }

    #[test]
    fn one_round_by_hand() {
        let net = FiringRateNetwork::<f64>::builder(array![[0.5, -1.0], [2.0, 0.0]])
            .activation(Relu)
            .input(&array![1.0, 0.5])
            .build()
            .unwrap();
        fn play(net: &FiringRateNetwork<f64>, rule: impl PlayRule<f64>) -> Vec<f64> {
            let play = net.game().play().rule(rule).initial(&array![1.0, 1.0]);
            play.max_rounds(1).run().unwrap().final_state().to_vec()
        }
        // BR_1 = (1 - x_2)/(1 - 1/2), BR_2 = 2 x_1 + 1/2.
        assert_eq!(play(&net, Simultaneous), [0.0, 2.5]);
        assert_eq!(play(&net, Cyclic), [0.0, 0.5]);
        assert_eq!(play(&net, Damped::new(0.5, Simultaneous)), [0.5, 1.75]);
        // phi(z) = max(0, (0.5, 2.5)).
        assert_eq!(play(&net, Proximal::new(1.0, Simultaneous)), [0.5, 2.5]);
        assert_eq!(play(&net, Proximal::new(1.0, Cyclic)), [0.5, 1.5]);
        // Half of the way at each move, whichever of the two rules is around the other.
        assert_eq!(play(&net, Damped::new(0.5, Proximal::new(1.0, Cyclic))), [0.75, 1.5]);
        assert_eq!(play(&net, Proximal::new(1.0, Damped::new(0.5, Cyclic))), [0.75, 1.5]);
        assert_eq!(play(&net, Damped::new(0.5, Damped::new(0.5, Simultaneous))), [0.75, 1.375]);
        // For ReLU every prox is the projection: x - step (x - z) = (0.9, 1.3).
        let near = play(&net, Proximal::new(0.2, Simultaneous));
        assert!((near[0] - 0.9f64).abs() < 1e-12 && (near[1] - 1.3f64).abs() < 1e-12, "{near:?}");
    }

    #[test]
    fn mutual_inhibition_cycles_all_at_once_and_settles_in_turn() {
        let net = FiringRateNetwork::builder(array![[0.0, -1.0], [-1.0, 0.0]])
            .activation(Relu)
            .input(&array![1.0, 1.0])
            .build()
            .unwrap();
        let play = net.game().play().record_exploitability().run().unwrap();
        assert_eq!(play.stop(), StopReason::CycleDetected { period: 2.0 });
        assert!(play.exploitability().unwrap().iter().all(|&e| e == 0.5));
        assert!(play.nash_conv().unwrap().iter().all(|&e| e == 1.0));
        let rules: [Box<dyn PlayRule<f64>>; 2] = [Box::new(Cyclic), Box::new(Random::new(1))];
        for rule in rules {
            let play = net.game().play().rule(rule).record_exploitability().run().unwrap();
            assert!(play.converged());
            assert_eq!(play.exploitability().unwrap()[play.steps()], 0.0);
        }
        let damped = net.game().play().rule(Damped::new(0.5, Simultaneous)).initial(&array![0.2, 0.4]).run().unwrap();
        assert!(damped.converged());
        let blind = net.game().play().cycle_tolerance(None).max_rounds(50).run().unwrap();
        assert_eq!(blind.stop(), StopReason::LimitReached(Limit::Steps));
        assert_eq!((blind.steps(), blind.times().len()), (50, 51));
    }

    #[test]
    fn longer_cycles_have_their_period() {
        // A ring of five that passes each rate on with a change of sign: period 10 from a generic state.
        let mut w = Array2::zeros((5, 5));
        for i in 0..5 {
            w[[(i + 1) % 5, i]] = -1.0;
        }
        let net = FiringRateNetwork::builder(w).activation(Identity).build().unwrap();
        let start = array![1.0, 0.2, -0.4, 0.7, 0.1];
        let play = net.game().play().initial(&start).run().unwrap();
        assert_eq!(play.stop(), StopReason::CycleDetected { period: 10.0 });
    }

    #[test]
    fn the_least_period_is_reported() {
        let w = array![[-1.480979249214121, 0.2513401229759591], [0.02411410949315229, -1.9847417296153318]];
        let net = FiringRateNetwork::builder(w)
            .population("a", 0..1, ClippedLinear::new(-0.5, 1.5).unwrap())
            .population("b", 1..2, ClippedLinear::new(-0.5, 0.5).unwrap())
            .input(&array![-0.4242838702564442, -1.1115191054033926])
            .build()
            .unwrap();
        let play = net.game().play().rule(Damped::new(0.8, Proximal::new(1.0, Simultaneous)));
        let play = play.initial(&array![1.16612774829833, 1.4640222052203207]).run().unwrap();
        assert_eq!(play.stop(), StopReason::CycleDetected { period: 2.0 });
    }

    #[test]
    fn periods_are_least_by_brute_force() {
        use rand::{Rng, SeedableRng};
        let mut rng = rand::rngs::StdRng::seed_from_u64(5);
        let mut cycles = 0;
        for _ in 0..300 {
            let n = rng.random_range(2..5);
            let w = Array2::from_shape_fn((n, n), |_| rng.random_range(-2.0..2.0));
            let u = Array1::from_shape_fn(n, |_| rng.random_range(-1.0..1.0));
            let clipped = ClippedLinear::new(-0.5, 1.0).unwrap();
            let net = FiringRateNetwork::builder(w).activation(clipped).input(&u).build().unwrap();
            let damping = rng.random_range(0.5..1.0);
            let play = |start: &Array1<f64>| {
                net.game().play().rule(Damped::new(damping, Proximal::new(1.0, Simultaneous))).initial(start)
            };
            let found = play(&Array1::zeros(n)).run().unwrap();
            let StopReason::CycleDetected { period } = found.stop() else { continue };
            cycles += 1;
            let orbit = play(&found.final_state().to_owned()).cycle_tolerance(None).max_rounds(period as usize);
            let orbit = orbit.run().unwrap();
            let size = largest(&(&orbit.states() - &orbit.states().row(0)));
            let gap = |k: usize| largest(&(&orbit.states().row(k) - &orbit.states().row(0)));
            assert!(gap(period as usize) < 1e-8 * size, "{found}");
            assert!((1..period as usize).all(|k| gap(k) > 1e-8 * size), "{found}");
        }
        assert!(cycles > 50, "{cycles}");
    }

    #[test]
    fn a_slow_approach_or_growth_that_turns_is_no_cycle() {
        for change in [1e-10, -1e-10, 1e-12, -1e-12, 1e-6] {
            let net = FiringRateNetwork::builder(array![[-(1.0 - change)]]).activation(Identity).build().unwrap();
            let play = net.game().play().rule(Proximal::new(1.0, Simultaneous)).initial(&array![1.0]).run().unwrap();
            assert_eq!(play.stop(), StopReason::LimitReached(Limit::Steps), "{change:e}: {play}");
        }
        let net = FiringRateNetwork::builder(array![[-1.0]]).activation(Identity).build().unwrap();
        let play = net.game().play().rule(Proximal::new(1.0, Simultaneous)).initial(&array![1.0]).run().unwrap();
        assert_eq!(play.stop(), StopReason::CycleDetected { period: 2.0 });
        for change in [1e-5_f32, -1e-5] {
            let net = FiringRateNetwork::builder(array![[-(1.0 - change)]]).activation(Identity).build().unwrap();
            let play = net.game().play().rule(Proximal::new(1.0, Simultaneous)).initial(&array![1.0]).run().unwrap();
            assert!(!matches!(play.stop(), StopReason::CycleDetected { .. }), "{change:e}: {play}");
        }
    }

    #[test]
    fn random_orders_follow_the_seed() {
        let net = tame(3, Tanh::new());
        let play = |seed| net.game().play().rule(Random::new(seed)).run().unwrap();
        assert_eq!(play(5), play(5));
        assert_ne!(play(5).states().row(1), play(6).states().row(1));
    }

    #[test]
    fn energies_unbounded_below_diverge() {
        let net = FiringRateNetwork::builder(array![[1.5]]).activation(Relu).input(&array![1.0]).build().unwrap();
        let play = net.game().play().record_energies().record_exploitability().run().unwrap();
        assert_eq!(play.stop(), StopReason::Diverged);
        let flow = net.game().best_response_flow().until(1.0).run();
        assert_eq!(flow.unwrap().stop(), StopReason::Diverged);
        let steps = net.game().play().rule(Proximal::new(1.0, Simultaneous)).divergence_bound(1e6).run().unwrap();
        assert_eq!(steps.stop(), StopReason::Diverged);
    }

    #[test]
    fn an_observer_ends_the_play() {
        let net = tame(0, Relu);
        let mut rounds = Vec::new();
        let play = net
            .game()
            .play()
            .observer(|step| {
                rounds.push(step.number);
                if step.number == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .run()
            .unwrap();
        assert_eq!(play.stop(), StopReason::Interrupted);
        assert_eq!(rounds, [0, 1, 2, 3]);
    }

    #[test]
    fn single_precision_plays_too() {
        let net = FiringRateNetwork::<f32>::builder(array![[0.0, -0.5], [0.5, 0.0]])
            .activation(Tanh::new())
            .input(&array![1.0, 0.0])
            .build()
            .unwrap();
        for rule in orders() {
            let play = net.game().play().rule(rule).run().unwrap();
            assert!(play.converged(), "{play}");
            assert!(net.game().is_nash(&play.final_state(), 1e-10).unwrap().holds());
        }
    }

    #[test]
    fn without_self_weights_continuous_best_response_is_the_flow() {
        let mut w = oscillator().weights().to_dense();
        w.diag_mut().fill(0.0);
        let net = FiringRateNetwork::builder(w).activation(Tanh::new()).input(&array![0.1, 0.0]).build().unwrap();
        let run = |s: Simulation<'_, f64>| s.initial(&array![0.4, -0.2]).until(3.0).run().unwrap();
        assert_eq!(run(net.simulate()), run(net.game().best_response_flow()));
    }

    #[test]
    fn bad_options_are_named() {
        let net = tame(0, Relu);
        let game = net.game();
        let fails = |play: neuronash::dynamics::Play<'_, f64>, name: &str| {
            assert_eq!(argument(play.run().unwrap_err()), name);
        };
        for bad in [0.0, -0.5, 1.5, f64::NAN] {
            fails(game.play().rule(Damped::new(bad, Simultaneous)), "damping");
            fails(game.play().rule(Proximal::new(1.0, Damped::new(bad, Cyclic))), "damping");
            fails(game.play().tolerance(bad), "tolerance");
        }
        for step in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            fails(game.play().rule(Proximal::new(step, Simultaneous)), "step");
        }
        fails(game.play().initial(&array![1.0]), "initial");
        fails(game.play().initial(&Array1::from_elem(6, f64::NAN)), "initial");
        fails(game.play().max_rounds(0), "max_rounds");
        fails(game.play().cycle_tolerance(Some(0.0)), "cycle_tolerance");
        fails(game.play().divergence_bound(0.0), "divergence_bound");
    }
}

mod energy {
    use super::*;
    use ndarray::Axis;

    /// `M W` is symmetric for `M = diag(2, 1, 0.5)`, with unequal time constants.
    fn symmetrizable() -> FiringRateNetwork<f64> {
        let m = array![2.0, 1.0, 0.5];
        let s: Array2<f64> = array![[0.4, -1.2, 0.3], [-1.2, 0.8, 0.5], [0.3, 0.5, -0.6]];
        FiringRateNetwork::builder(s / m.insert_axis(Axis(1)))
            .activation(Tanh::new())
            .time_constants(&array![0.3, 2.0, 1.0])
            .input(&array![0.3, -0.2, 0.1])
            .build()
            .unwrap()
    }

    #[test]
    fn the_global_energy_falls_along_the_flow() {
        let net = symmetrizable();
        let potential = net.potential(1e-12).unwrap().expect("symmetrizable");
        for (k, start) in [array![0.9, -0.5, 0.2], array![-0.9, -0.9, 0.9], array![0.0, 0.0, 0.0]].iter().enumerate() {
            let run = net.simulate().initial(start).until(20.0).relative_tolerance(1e-10).run().unwrap();
            let e: Vec<f64> = run.states().rows().into_iter().map(|x| potential.energy(&x).unwrap()).collect();
            assert!(e.windows(2).all(|w| w[1] <= w[0] + 1e-14), "{k}: {e:?}");
            assert!(e[e.len() - 1] < e[0] - 1e-3);
        }
    }

    #[test]
    fn recorded_series_are_those_of_the_game_under_the_input_of_the_time() {
        let net = symmetrizable();
        let jump = array![[1.0, 0.0, -1.0]];
        let times = array![0.0, 0.5, 1.0, 1.5, 2.0];
        let run = net
            .simulate()
            .initial(&array![0.5, -0.5, 0.2])
            .input_steps(&array![1.2], &jump)
            .until(2.0)
            .record_at(&times)
            .record_energies()
            .record_exploitability()
            .run()
            .unwrap();
        let (energies, most, sum) = (run.energies().unwrap(), run.exploitability().unwrap(), run.nash_conv().unwrap());
        assert_eq!(energies.dim(), (5, 3));
        for k in 0..5 {
            let input = if times[k] < 1.2 { net.input().to_owned() } else { jump.row(0).to_owned() };
            let now = net.clone().with_input(&input).unwrap();
            let x = run.states().row(k).to_owned();
            assert_eq!(energies.row(k), now.game().energies(&x).unwrap().total);
            let exploitability = now.game().exploitability(&x).unwrap();
            assert_eq!((most[k], sum[k]), (exploitability.max(), exploitability.sum()));
        }
    }

    #[test]
    fn at_a_jump_the_new_input_is_recorded() {
        // At rest at 0 until the input becomes 2 at t = 1 and 4 at the end: the energy x^2/2 - u x can fall by (x - u)^2/2.
        let net = FiringRateNetwork::<f64>::builder(array![[0.0]]).activation(Identity).build().unwrap();
        let certificate = net.certify().unwrap().into_certificate().unwrap();
        let run = |sampled: fn(Simulation<'_, f64>) -> Simulation<'_, f64>| {
            let run = net.simulate().input_steps(&array![1.0, 2.0], &array![[2.0], [4.0]]).until(2.0);
            sampled(run).record_exploitability().record_lyapunov(&certificate).run().unwrap()
        };
        let last = (2.0 + 2.0 * (-1.0f64).exp()).powi(2) / 2.0;
        let check = |run: &Trajectory<f64>, at: usize, want: f64| {
            let (gain, v) = (run.exploitability().unwrap()[at], run.lyapunov().unwrap()[at]);
            assert!(
                (gain - want).abs() < 1e-4 && (v - certificate.weights()[0] * want).abs() < 1e-4,
                "{gain} {v} {want}"
            );
        };
        let at = run(|run| run.record_at(&array![0.0, 0.5, 1.0, 2.0]));
        for (k, want) in [0.0, 0.0, 2.0, last].into_iter().enumerate() {
            check(&at, k, want);
        }
        let steps = run(|run| run);
        check(&steps, steps.times().iter().position(|t| *t == 1.0).unwrap(), 2.0);
        check(&steps, steps.times().len() - 1, last);
        check(&run(|run| run.record_ends()), 1, last);
        // The same as at the start of a run.
        let late = net.simulate().from_time(1.0).input_steps(&array![1.0], &array![[2.0]]).until(2.0);
        check(&late.record_exploitability().record_lyapunov(&certificate).run().unwrap(), 0, 2.0);
    }

    #[test]
    fn potentials_are_recorded_as_their_rates() {
        let net = symmetrizable();
        let y = array![0.5, -0.5, 0.2];
        let run = net.to_hopfield().simulate().initial(&y).until(1.0).record_energies().run().unwrap();
        let want = net.game().energies(&net.activate(&y).unwrap()).unwrap().total;
        assert_eq!(run.energies().unwrap().row(0), want);
    }
}

/// Long vectors are worked on in parts and by several threads.
#[test]
fn long_states_follow_the_closed_form() {
    let n = 40_000;
    let tau = Array1::from_shape_fn(n, |i| 1.0 + (i % 5) as f64);
    let u = Array1::from_shape_fn(n, |i| 1.0 + (i % 7) as f64);
    let own = |i: usize| 0.1 * (i % 9) as f64;
    let weights = Weights::from_triplets(n, (0..n).map(|i| (i, i, own(i)))).unwrap();
    let net = FiringRateNetwork::builder(weights).activation(Relu).time_constants(&tau).input(&u).build().unwrap();
    let times = array![0.0, 0.7, 1.9, 3.0];
    let run = net.simulate().until(3.0).relative_tolerance(1e-9).record_at(&times).run().unwrap();
    for (t, x) in times.iter().zip(run.states().rows()) {
        for i in 0..n {
            let rate = (1.0 - own(i)) / tau[i];
            let expected = u[i] / (1.0 - own(i)) * (1.0 - (-rate * t).exp());
            assert!((x[i] - expected).abs() < 1e-6, "neuron {i} at {t}: {} {expected}", x[i]);
        }
    }
}

#[test]
fn the_order_in_which_populations_are_listed_changes_nothing() {
    let n = 30;
    let w = Array2::from_shape_fn((n, n), |(i, j)| ((7 * i + 3 * j) % 11) as f64 / 40.0 - 0.12);
    let u = Array1::from_shape_fn(n, |i| 0.1 * (i % 4) as f64);
    let builder = || FiringRateNetwork::builder(&w).input(&u);
    let ranges = builder().population("a", 0..12, Relu).population("b", 12..30, Tanh::new()).build().unwrap();
    let (a, b) = ((0..12).rev().collect::<Vec<_>>(), (12..30).map(|i| 12 + (i * 5) % 18).collect::<Vec<_>>());
    let lists = builder().population("b", b, Tanh::new()).population("a", a, Relu).build().unwrap();
    let end = |net: &FiringRateNetwork<f64>| net.simulate().until(5.0).run().unwrap().final_state().to_owned();
    assert_eq!(end(&ranges), end(&lists));
}
