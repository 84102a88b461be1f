//! The Wilson-Cowan circuit.

use std::ops::ControlFlow;

use approx::assert_relative_eq;
use ndarray::{Array1, Array2, array};
use neuronash::Error;
use neuronash::activation::{
    ClippedLinear, Identity, LeakyRelu, Logistic, NakaRushton, PowerLaw, Relu, Softplus, Tanh, from_fn,
};
use neuronash::circuits::WilsonCowan;
use neuronash::circuits::wilson_cowan::{OperatingPoint, Parameter, Regime, Relation, SweepProgress, Window};
use neuronash::dynamics::StopReason;
use neuronash::stability::diagonal::certify;
use proptest::prelude::*;

use super::is_certified;

fn tanh_circuit(w: [f64; 4], u: [f64; 2]) -> WilsonCowan<f64> {
    WilsonCowan::builder()
        .w_ee(w[0])
        .w_ei(w[1])
        .w_ie(w[2])
        .w_ii(w[3])
        .u_e(u[0])
        .u_i(u[1])
        .excitatory(Tanh::new())
        .inhibitory(Tanh::new())
        .build()
        .unwrap()
}

fn weights() -> impl Strategy<Value = [f64; 4]> {
    [0.0..4.0, 0.0..4.0, 0.0..4.0, 0.0..3.0f64]
}

/// A ReLU circuit in units of `2^k` for E and `2^m` for I, an exact change.
fn relu_circuit_in_units(w: [f64; 4], u: [f64; 2], [k, m]: [i32; 2]) -> WilsonCowan<f64> {
    let [e, i] = [k, m].map(|power| 2f64.powi(power));
    WilsonCowan::builder()
        .w_ee(w[0])
        .w_ei(w[1] * (e / i))
        .w_ie(w[2] * (i / e))
        .w_ii(w[3])
        .u_e(u[0] * e)
        .u_i(u[1] * i)
        .tau_i(0.7)
        .excitatory(Relu)
        .inhibitory(Relu)
        .build()
        .unwrap()
}

proptest! {
    #[test]
    fn regimes_do_not_depend_on_units(
        w in weights(), u in [-1.5..1.5, -1.5..1.5f64], k in -40..=40i32, m in -40..=40i32,
    ) {
        let (plain, scaled) = (relu_circuit_in_units(w, u, [0, 0]), relu_circuit_in_units(w, u, [k, m]));
        prop_assert_eq!(plain.is_globally_stable(), scaled.is_globally_stable());
        let (plain, scaled) = (plain.equilibria().unwrap(), scaled.equilibria().unwrap());
        let flags = |point: &OperatingPoint<f64>| {
            (point.regime(), point.is_stable(), point.is_paradoxical(), point.relation())
        };
        prop_assert_eq!(
            plain.points().iter().map(flags).collect::<Vec<_>>(),
            scaled.points().iter().map(flags).collect::<Vec<_>>()
        );
        prop_assert_eq!(
            (plain.regime(), plain.is_complete(), plain.excludes_cycles()),
            (scaled.regime(), scaled.is_complete(), scaled.excludes_cycles())
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Independent: sign changes of `F` on a fine grid, with the I rate found by plain bisection.
    #[test]
    fn no_equilibrium_is_missed(w in weights(), u in [-1.5..1.5, -1.5..1.5f64]) {
        let circuit = tanh_circuit(w, u);
        let found = circuit.equilibria().unwrap();
        let g = |x: f64| {
            let (mut low, mut high) = (-1.0, 1.0);
            for _ in 0..60 {
                let s = 0.5 * (low + high);
                if s > (w[2] * x - w[3] * s + u[1]).tanh() { high = s } else { low = s }
            }
            0.5 * (low + high)
        };
        let f = |x: f64| x - (w[0] * x - w[1] * g(x) + u[0]).tanh();
        let n = 4000;
        let mut previous = (-1.0, f(-1.0));
        let mut changes = 0;
        for i in 1..=n {
            let x = -1.0 + 2.0 * i as f64 / n as f64;
            let value = f(x);
            if previous.1 * value < 0.0 {
                changes += 1;
                prop_assert!(found.points().iter().any(|p| p.rates()[0] >= previous.0 && p.rates()[0] <= x));
            }
            previous = (x, value);
        }
        prop_assert!(found.points().len() >= changes);
        let net = circuit.network();
        for point in found.points() {
            let residual = net.residual(&array![point.rates()[0], point.rates()[1]]).unwrap();
            prop_assert!(residual.iter().all(|r| r.abs() < 1e-13), "{residual}");
        }
        if w[0] < 1.0 {
            prop_assert_eq!(found.points().len(), 1);
            prop_assert_eq!(found.regime(), Some(Regime::Monostable));
        }
    }

    /// Piecewise linear: the enumeration against the scalar search.
    #[test]
    fn enumeration_and_search_agree(w in weights(), u in [-1.5..1.5, -1.5..1.5f64]) {
        let circuit = tanh_circuit(w, u)
            .to_builder()
            .excitatory(ClippedLinear::new(0.0, 1.5).unwrap())
            .inhibitory(Relu)
            .build()
            .unwrap();
        let (all, searched) = (circuit.equilibria().unwrap(), circuit.equilibria_within(-0.5, 2.0).unwrap());
        prop_assert_eq!(all.points().len(), searched.points().len(), "{} {}", all, searched);
        for (p, q) in all.points().iter().zip(searched.points()) {
            for i in 0..2 {
                assert_relative_eq!(p.rates()[i], q.rates()[i], epsilon = 1e-11);
            }
        }
    }

    /// 5.3: the closed form against central differences of the equilibrium.
    #[test]
    fn responses_match_finite_differences(w in weights(), u in [-1.0..1.0, -1.0..1.0f64]) {
        let w = [w[0] / 4.5, w[1], w[2], w[3]];
        let at = |u: [f64; 2]| tanh_circuit(w, u).equilibria().unwrap().points()[0];
        let response = at(u).response();
        let h = 1e-5;
        for j in 0..2 {
            let mut up = u;
            let mut down = u;
            up[j] += h;
            down[j] -= h;
            for i in 0..2 {
                let difference = (at(up).rates()[i] - at(down).rates()[i]) / (2.0 * h);
                assert_relative_eq!(response[[i, j]], difference, epsilon = 1e-7, max_relative = 1e-6);
            }
        }
    }

    /// 5.2 and 5.3 in the linear region: trace, determinant and the paradoxical sign, from the 2 x 2 matrix itself.
    #[test]
    fn linearisation_and_paradoxical_sign(w in weights(), tau in [0.2..5.0, 0.2..5.0f64]) {
        let circuit = WilsonCowan::builder()
            .w_ee(w[0]).w_ei(w[1]).w_ie(w[2]).w_ii(w[3]).tau_e(tau[0]).tau_i(tau[1])
            .excitatory(Identity).inhibitory(Identity).build().unwrap();
        let point = circuit.linearise([0.0, 0.0]).unwrap();
        let j = [[(w[0] - 1.0) / tau[0], -w[1] / tau[0]], [w[2] / tau[1], (-w[3] - 1.0) / tau[1]]];
        assert_relative_eq!(point.trace(), j[0][0] + j[1][1], epsilon = 1e-12);
        let determinant = j[0][0] * j[1][1] - j[0][1] * j[1][0];
        assert_relative_eq!(point.determinant(), determinant, epsilon = 1e-10);
        let [p, q] = point.eigenvalues();
        assert_relative_eq!((p + q).re, point.trace(), epsilon = 1e-10);
        assert_relative_eq!((p * q).re, point.determinant(), epsilon = 1e-9);
        let own = point.response()[[1, 1]];
        prop_assert_eq!(point.is_paradoxical(), own < 0.0);
        if determinant > 1e-9 && (w[0] - 1.0).abs() > 1e-9 {
            prop_assert_eq!(point.is_paradoxical(), w[0] > 1.0);
            let relation = if w[0] > 1.0 { Relation::Antagonistic } else { Relation::Cooperative };
            prop_assert_eq!(point.relation(), point.is_stable().then_some(relation));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// 5.1 for any slope bounds, verdict and margin, against the general engine; and the weights certify.
    #[test]
    fn switch_and_margin_agree_with_the_engine(w in weights(), rho in [0.3..3.0, 0.3..3.0f64]) {
        let circuit = tanh_circuit(w, [0.0, 0.0])
            .to_builder()
            .excitatory(Tanh::with_gain(rho[0]).unwrap())
            .inhibitory(Tanh::with_gain(rho[1]).unwrap())
            .build()
            .unwrap();
        let margin = circuit.margin().unwrap();
        let stable_with = |margin: f64| {
            let shift = Array2::from_diag(&array![(1.0 - margin) / rho[0], (1.0 - margin) / rho[1]]);
            certify(&(circuit.weights() - shift)).unwrap().is_stable()
        };
        prop_assert_eq!(circuit.is_diagonally_stable().unwrap(), stable_with(0.0));
        prop_assert!(stable_with(margin - 1e-8));
        prop_assert!(!stable_with(margin + 1e-8));
        match circuit.certifying_weights().unwrap() {
            Some(d) => prop_assert!(is_certified(&circuit.network(), &array![d[0], d[1]], 0.0)),
            None => prop_assert!(margin <= 0.0),
        }
        if let Some(split) = circuit.split().unwrap() {
            prop_assert_eq!(split.potential.get(0, 1), 0.0);
            prop_assert!(split.cooperation_index().unwrap() < 1e-30);
        }
    }

    /// The sign of `dx_I/du_I` tells who gains by more drive to E, by the energies themselves.
    #[test]
    fn relations_match_the_energies(w in weights(), u in [0.3..2.0, 0.3..2.0f64]) {
        let circuit = |u: [f64; 2]| {
            WilsonCowan::builder().w_ee(w[0] / 2.0).w_ei(w[1]).w_ie(w[2]).w_ii(w[3]).u_e(u[0]).u_i(u[1]).build().unwrap()
        };
        let here = circuit(u);
        let point = here.equilibria().unwrap().stable().copied().find(|p| p.rates()[0] > 0.01 && p.rates()[1] > 0.01);
        prop_assume!(point.is_some());
        let point = point.unwrap();
        prop_assume!((point.local_self_excitation() - 1.0).abs() > 0.01 && w[2] > 0.01);
        let h = 1e-6;
        let energies = |sign: f64| {
            let moved = &point.response().column(0).to_owned() * (sign * h) + &array![point.rates()[0], point.rates()[1]];
            circuit([u[0] + sign * h, u[1]]).network().game().energies(&moved).unwrap().total
        };
        let change = (energies(1.0) - energies(-1.0)) / (2.0 * h);
        prop_assert!(change[1] < 0.0);
        match point.relation() {
            Some(Relation::Cooperative) => prop_assert!(change[0] < 0.0),
            Some(Relation::Antagonistic) => prop_assert!(change[0] > 0.0),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// 5.2: what the linearisation says is what the flow does.
    #[test]
    fn regimes_match_simulation(w in weights(), tau_i in 0.2..5.0f64, u in [-0.5..0.5, -0.5..0.5f64]) {
        let circuit = tanh_circuit(w, u).with(Parameter::TauI, tau_i).unwrap();
        let equilibria = circuit.equilibria().unwrap();
        let net = circuit.network();
        // Near a Hopf point the way to the equilibrium, or to the cycle around it, takes longer than any run.
        let slow = |point: &OperatingPoint<f64>| point.eigenvalues().iter().any(|l| l.re.abs() < 0.05);
        for point in equilibria.points() {
            if slow(point) || point.regime() == Regime::Critical {
                continue;
            }
            let at = array![point.rates()[0], point.rates()[1]];
            let start = &at + &array![1e-3, -0.7e-3];
            let run = net.simulate().initial(&start).until(150.0).record_ends().run().unwrap();
            let distance = (&run.final_state() - &at).iter().fold(0.0f64, |m, d| m.max(d.abs()));
            prop_assert_eq!(distance < 1e-3, point.is_stable(), "{} ends {} away", point, distance);
        }
        let run = net.simulate().until_converged(1e-8).record_ends().run().unwrap();
        match equilibria.regime().unwrap() {
            Regime::Oscillatory => {
                let cycles = matches!(run.stop(), StopReason::CycleDetected { .. });
                let on_the_way = equilibria.points().iter().any(slow) && !run.converged();
                prop_assert!(cycles || on_the_way, "{}", run.stop());
            }
            Regime::Monostable if w[0] < 1.0 => {
                prop_assert!(run.converged());
                prop_assert!((run.final_state()[0] - equilibria.points()[0].rates()[0]).abs() < 1e-6);
            }
            _ => {}
        }
    }
}

#[test]
fn the_paradoxical_sign_flips_exactly_at_the_switch() {
    let at = |w_ee: f64| {
        let circuit = WilsonCowan::builder().w_ee(w_ee).w_ei(2.0).w_ie(2.0).w_ii(0.5).u_e(1.0).build().unwrap();
        let equilibria = circuit.equilibria().unwrap();
        assert_eq!(equilibria.points().len(), 1, "{equilibria}");
        equilibria.points()[0]
    };
    assert_eq!(at(1.0f64.next_down()).relation(), Some(Relation::Cooperative));
    assert_eq!(at(1.0).relation(), Some(Relation::Neutral));
    assert_eq!(at(1.0f64.next_up()).relation(), Some(Relation::Antagonistic));
    assert_eq!(at(0.9).regime(), Regime::LocallyStable);
    assert_eq!(at(1.1).regime(), Regime::InhibitionStabilised);
    // With gain 2 the switch is at 1/2.
    let circuit = WilsonCowan::builder().excitatory(Tanh::with_gain(2.0).unwrap()).w_ei(2.0).w_ie(2.0);
    for (w_ee, stable) in [(0.5f64.next_down(), true), (0.5, false)] {
        let circuit = circuit.clone().w_ee(w_ee).build().unwrap();
        assert_eq!(circuit.switch().unwrap(), 0.5);
        assert_eq!(circuit.is_diagonally_stable().unwrap(), stable);
        assert_eq!(circuit.certifying_weights().unwrap().is_some(), stable);
    }
}

#[test]
fn known_regimes() {
    let regime = |w, tau_i| {
        let circuit = tanh_circuit(w, [0.0, 0.0]).with(Parameter::TauI, tau_i).unwrap();
        let equilibria = circuit.equilibria().unwrap();
        (equilibria.regime(), equilibria.points().len())
    };
    assert_eq!(regime([0.5, 3.0, 3.0, 0.0], 1.0), (Some(Regime::Monostable), 1));
    assert_eq!(regime([2.0, 3.0, 3.0, 0.0], 0.5), (Some(Regime::InhibitionStabilised), 1));
    assert_eq!(regime([2.0, 3.0, 3.0, 0.0], 2.0), (Some(Regime::Oscillatory), 1));
    assert_eq!(regime([3.0, 0.5, 0.5, 0.0], 1.0), (Some(Regime::Bistable), 3));
}

#[test]
fn degenerate_circuits_are_told() {
    // E copies itself: every nonnegative rate is an equilibrium.
    let line = WilsonCowan::builder().w_ee(1.0).build().unwrap().equilibria().unwrap();
    assert_eq!(line.continua().len(), 1);
    assert_eq!(line.regime(), Some(Regime::Critical));
    // A fold: tanh(2 x + u) touches the diagonal where 2 (1 - x^2) = 1.
    let x = 0.5f64.sqrt();
    let u = x.atanh() - 2.0 * x;
    let fold = |u: f64| {
        let circuit = tanh_circuit([2.0, 0.0, 0.0, 0.0], [u, 0.0]);
        circuit.equilibria().unwrap().points().len()
    };
    assert_eq!(fold(u + 1e-3), 3);
    assert_eq!(fold(u - 1e-3), 1);
    assert_eq!(fold(u + 1e-9), 3);
    assert_eq!(fold(u - 1e-9), 1);
}

#[test]
fn nullclines_lie_where_the_rates_stand_still() {
    let circuit = tanh_circuit([2.5, 2.0, 2.0, 0.4], [0.1, -0.1]);
    let window = Window { x_e: [-1.0, 1.0], x_i: [-1.0, 1.0] };
    let nullclines = circuit.nullclines(window, 400).unwrap();
    let net = circuit.network();
    let mut checked = 0;
    for (row, pieces) in [&nullclines.excitatory, &nullclines.inhibitory].into_iter().enumerate() {
        for piece in pieces {
            assert!(piece.len() >= 2);
            for point in &piece[1..piece.len() - 1] {
                let residual = net.residual(&Array1::from_vec(point.to_vec())).unwrap();
                assert!(residual[row].abs() < 1e-12);
                checked += 1;
            }
        }
    }
    assert!(checked > 300);
}

#[test]
fn sweeps_do_not_depend_on_order_and_report_progress() {
    let circuit = tanh_circuit([0.0, 0.0, 2.0, 0.3], [0.2, 0.0]);
    let values: Vec<f64> = (0..12).map(|i| i as f64 * 0.3).collect();
    let calls = std::sync::Mutex::new(Vec::new());
    let map = circuit
        .sweep(Parameter::WEe, &values, Parameter::WEi, &values[..7])
        .observer(|progress| {
            calls.lock().unwrap().push((progress.done, progress.total));
            ControlFlow::Continue(())
        })
        .run()
        .unwrap();
    assert_eq!(map.cells.dim(), (12, 7));
    let mut calls = calls.into_inner().unwrap();
    calls.sort_unstable();
    assert_eq!(calls, (1..=12).map(|i| (i, 12)).collect::<Vec<_>>());
    let stop = |progress: &SweepProgress| match progress.done < 3 {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    };
    let stopped = circuit.sweep(Parameter::WEe, &values, Parameter::WEi, &values[..7]).observer(stop).run();
    assert!(matches!(&stopped, Err(Error::Interrupted { .. })), "{stopped:?}");
    let transposed = circuit.sweep(Parameter::WEi, &values[..7], Parameter::WEe, &values).run().unwrap();
    assert_eq!(map.cells, transposed.cells.t());
    for (i, w_ee) in values.iter().enumerate().filter(|(_, w)| **w < 1.0) {
        assert!(map.cells.row(i).iter().all(|c| c.regime == Some(Regime::Monostable)), "w_EE = {w_ee}");
    }
    assert!(matches!(circuit.sweep(Parameter::UE, &values, Parameter::UE, &values).run(), Err(Error::Invalid { .. })));
    assert!(matches!(circuit.sweep(Parameter::UE, &[], Parameter::UI, &values).run(), Err(Error::Empty { .. })));
    assert!(circuit.sweep(Parameter::TauE, &[-1.0], Parameter::UI, &values).run().is_err());
}

#[test]
fn single_precision() {
    let circuit = WilsonCowan::<f32>::builder()
        .w_ee(3.0)
        .w_ei(0.5)
        .w_ie(0.5)
        .excitatory(Tanh::new())
        .inhibitory(Tanh::new())
        .build()
        .unwrap();
    let equilibria = circuit.equilibria().unwrap();
    assert_eq!(equilibria.points().len(), 3);
    assert_eq!(equilibria.stable().count(), 2);
    assert_eq!(equilibria.regime(), Some(Regime::Bistable));
}

#[test]
fn bad_parameters_are_named() {
    let named = |builder: neuronash::circuits::wilson_cowan::WilsonCowanBuilder<f64>, name: &str| {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}`")), "{error}");
    };
    named(WilsonCowan::builder().w_ee(-1.0), "w_ee");
    named(WilsonCowan::builder().w_ii(f64::NAN), "w_ii");
    named(WilsonCowan::builder().tau_i(0.0), "tau_i");
    named(WilsonCowan::builder().u_e(f64::INFINITY), "u_e");
    let circuit = WilsonCowan::builder().w_ee(0.5).build().unwrap();
    assert!(circuit.equilibria_within(1.0, 0.0).is_err());
    assert!(circuit.inhibitory_rate(f64::NAN).is_err());
    assert!(circuit.nullclines(Window { x_e: [0.0, 1.0], x_i: [1.0, 1.0] }, 10).is_err());
    assert!(circuit.nullclines(Window { x_e: [0.0, 1.0], x_i: [0.0, 1.0] }, 1).is_err());
}

#[test]
fn neighbouring_floats_end_the_search() {
    let circuit = tanh_circuit([1.5, 1.0, 1.0, 0.0], [0.0; 2]);
    for [lower, upper] in [[0.0, 5e-324], [0.0, 1e-320], [-5e-324, 5e-324]] {
        let found = circuit.equilibria_within(lower, upper).unwrap();
        assert!(found.points().iter().any(|p| p.rates()[0].abs() <= 1e-320), "{found:?}");
    }
}

/// Slopes are 0 on one side of the threshold and `k z^(k-1)`, next to 0, on the other: no kink.
#[test]
fn silence_at_the_threshold_of_a_smooth_power_is_stable() {
    for k in [2.0, 3.0] {
        let pair = || WilsonCowan::builder().w_ee(1.0).w_ei(1.0).w_ie(1.0).w_ii(0.5);
        let powers =
            pair().excitatory(PowerLaw::new(k).unwrap()).inhibitory(PowerLaw::new(k).unwrap()).build().unwrap();
        let phi = || NakaRushton::new(1.0, 0.25, k).unwrap();
        let ratios = pair().excitatory(phi()).inhibitory(phi()).build().unwrap();
        for circuit in [powers, ratios] {
            let silence = circuit.linearise([0.0, 0.0]).unwrap();
            assert_eq!(silence.regime(), Regime::LocallyStable, "{circuit}");
            assert!(silence.is_stable());
            assert!(circuit.network().linearise(&array![0.0, 0.0]).unwrap().is_stable());
            assert!(circuit.equilibria().unwrap().stable().any(|point| point.rates() == [0.0, 0.0]));
        }
    }
    // The first power has a kink there, and so has ReLU.
    let kinked = WilsonCowan::builder().w_ee(0.5).excitatory(NakaRushton::new(1.0, 1.0, 1.0).unwrap()).build().unwrap();
    assert_eq!(kinked.linearise([0.0, 0.0]).unwrap().regime(), Regime::Critical);
}

/// Newton's method goes from one end of the bracket to the other and back where a saturated I would inhibit itself to silence.
#[test]
fn the_rate_of_a_steep_population_that_inhibits_itself_solves_its_equation() {
    let (w_ii, gain) = (2.5, 2.0);
    let circuit = |w_ee: f64, u_e: f64, u_i: f64| {
        let weights = WilsonCowan::builder().w_ee(w_ee).w_ei(0.25).w_ie(3.5).w_ii(w_ii).u_e(u_e).u_i(u_i);
        weights.excitatory(Tanh::new()).inhibitory(Tanh::with_gain(gain).unwrap()).build().unwrap()
    };
    let pair = circuit(0.5, 0.1, 1.0);
    for k in -20_000..=20_000 {
        let x = f64::from(k) * 1e-4;
        let rate = pair.inhibitory_rate(x).unwrap();
        assert!((rate - (gain * (3.5 * x + 1.0 - w_ii * rate)).tanh()).abs() < 1e-14, "{x} {rate}");
    }
    assert!((pair.inhibitory_rate(-0.77033).unwrap() + 0.553_716_835_170_413_6).abs() < 1e-14);
    // Below the switch there is one equilibrium.
    let pair = circuit(0.5, 0.1, -3.446195);
    let equilibria = pair.equilibria().unwrap();
    let [only] = equilibria.points() else { panic!("{equilibria}") };
    let residual = pair.network().residual(&Array1::from(only.rates().to_vec())).unwrap();
    assert!(residual.iter().all(|r| r.abs() < 1e-9), "{residual}");
}

/// A resting state beside a cycle: what is stable nearby is not said to be all there is.
#[test]
fn a_rest_state_beside_a_cycle_is_not_called_monostable() {
    let neuron = || Logistic::with_gain_and_threshold(1.0, 0.0).unwrap();
    for (w, u, tau_i, period) in [
        ([19.2435, 10.4252, 19.9402, 0.8148], [-3.6365, -5.0142], 1.5762, 24.72),
        ([17.5623, 10.6407, 21.9829, 4.4204], [-4.1107, -9.2291], 0.7075, 3.168),
    ] {
        let circuit =
            tanh_circuit(w, u).to_builder().tau_i(tau_i).excitatory(neuron()).inhibitory(neuron()).build().unwrap();
        let equilibria = circuit.equilibria().unwrap();
        assert!(equilibria.is_complete() && equilibria.stable().count() == 1, "{equilibria}");
        assert_eq!(equilibria.regime(), Some(Regime::LocallyStable), "{equilibria}");
        assert!(!circuit.excludes_cycles() && !circuit.is_globally_stable());
        let net = circuit.network();
        let (mut rests, mut cycles) = (0, 0);
        for i in 0..6 {
            for j in 0..6 {
                let start = array![f64::from(i) / 5.0, f64::from(j) / 5.0];
                match net.simulate().initial(&start).until_converged(1e-9).record_ends().run().unwrap().stop() {
                    StopReason::Converged => rests += 1,
                    StopReason::CycleDetected { period: seen } => {
                        cycles += 1;
                        assert_relative_eq!(seen, period, max_relative = 2e-3);
                    }
                    other => panic!("{other}"),
                }
            }
        }
        assert!(rests > 0 && cycles > 0, "{rests} {cycles}");
        let map = circuit.sweep(Parameter::WEe, &[1.0, w[0]], Parameter::UE, &u[..1]).run().unwrap();
        let seen: Vec<_> = map.cells.iter().map(|c| (c.regime.unwrap(), c.excludes_cycles, c.complete)).collect();
        assert_eq!(seen, [(Regime::Monostable, true, true), (Regime::LocallyStable, false, true)]);
        assert!(map.to_string().contains("ml"), "{map}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// 3.12 c: what is proved to attract every state does, and the conditions are those of every slope in the range.
    #[test]
    fn global_stability_above_the_switch(
        w in [0.0..3.0, 0.0..4.0, 0.0..4.0, 0.0..2.0f64], tau_i in 0.1..3.0f64, u in [-1.0..1.0, -1.0..1.0f64],
        mu in 0.01..1.0f64,
    ) {
        let circuit = tanh_circuit(w, u)
            .to_builder()
            .tau_i(tau_i)
            .inhibitory(LeakyRelu::new(mu).unwrap())
            .build()
            .unwrap();
        let slopes = || (0..=20).flat_map(|i| [mu, 1.0].map(|l_i| (f64::from(i) / 20.0, l_i)));
        let determinant = |(l_e, l_i): (f64, f64)| (1.0 - l_e * w[0]) * (1.0 + l_i * w[3]) + l_e * l_i * w[1] * w[2];
        let trace = |(l_e, l_i): (f64, f64)| (l_e * w[0] - 1.0) - (1.0 + l_i * w[3]) / tau_i;
        prop_assert_eq!(circuit.has_one_equilibrium(), slopes().all(|s| determinant(s) > 0.0));
        prop_assert_eq!(circuit.excludes_cycles(), slopes().all(|s| trace(s) < 0.0));
        prop_assert_eq!(circuit.is_globally_stable(), circuit.has_one_equilibrium() && circuit.excludes_cycles());
        let equilibria = circuit.equilibria().unwrap();
        if circuit.is_globally_stable() {
            prop_assert_eq!(equilibria.regime(), Some(Regime::Monostable));
            prop_assert!(equilibria.is_complete() && equilibria.points().len() == 1, "{}", equilibria);
            let rest = equilibria.points()[0].rates();
            let net = circuit.network();
            for start in [[1.0, 3.0], [-1.0, -3.0], [0.9, -2.0]] {
                let run = net.simulate().initial(&array![start[0], start[1]]).until_converged(1e-9);
                let run = run.record_ends().run().unwrap();
                prop_assert!(run.converged(), "{}", run.stop());
                prop_assert!((run.final_state()[0] - rest[0]).abs() < 1e-5);
            }
        } else {
            prop_assert!(equilibria.regime() != Some(Regime::Monostable));
        }
    }
}

/// The example of 3.12 c.
#[test]
fn inhibition_that_answers_everywhere_leaves_one_equilibrium() {
    let circuit = |mu: f64, u: [f64; 2]| {
        let tanh = tanh_circuit([2.0, 2.0, 2.0, 0.5], u).to_builder().tau_i(0.5);
        let circuit = if mu > 0.0 { tanh.inhibitory(LeakyRelu::new(mu).unwrap()) } else { tanh.inhibitory(Relu) };
        circuit.build().unwrap()
    };
    let mut most = [0, 0];
    for i in -10..=10 {
        for j in -10..=10 {
            let u = [0.2 * f64::from(i), 0.2 * f64::from(j)];
            for (most, mu) in most.iter_mut().zip([0.5, 0.0]) {
                *most = circuit(mu, u).equilibria().unwrap().points().len().max(*most);
            }
        }
    }
    assert_eq!(most, [1, 3]);
    assert!(circuit(0.5, [0.0; 2]).is_globally_stable() && !circuit(0.0, [0.0; 2]).has_one_equilibrium());
    // Slopes that were only sampled prove nothing.
    let sampled =
        circuit(0.5, [0.0; 2]).to_builder().inhibitory(from_fn("bend", |z: f64| if z > 0.0 { z } else { 0.5 * z }));
    assert!(!sampled.build().unwrap().has_one_equilibrium());
}

#[test]
fn a_search_that_leaves_something_open_says_so() {
    // Just short of a fold: no sign change, and nearer to 0 than the search can tell.
    let x = 0.5f64.sqrt();
    let u = x.atanh() - 2.0 * x;
    let fold = |u: f64| tanh_circuit([2.0, 0.0, 0.0, 0.0], [u, 0.0]).equilibria().unwrap();
    for (u, complete, regime) in [(u - 1e-3, true, Regime::LocallyStable), (u - 1e-9, false, Regime::Undecided)] {
        let near = fold(u);
        assert_eq!((near.is_complete(), near.regime()), (complete, Some(regime)), "{near}");
        assert_eq!(near.to_string().contains("there may be more"), !complete);
    }
    // Two stable states are two, whatever else there is.
    let bistable = tanh_circuit([2.0, 0.0, 0.0, 0.0], [0.0; 2]);
    assert_eq!(bistable.equilibria().unwrap().regime(), Some(Regime::Bistable));
    let part = bistable.equilibria_within(0.5, 1.0).unwrap();
    assert!(!part.is_complete() && part.points().len() == 1);
    assert_eq!(part.regime(), Some(Regime::Undecided));
    // Unbounded rates: beyond the searched interval inhibition outweighs, or E alone runs away, and nothing is left open.
    let power = || PowerLaw::new(2.0).unwrap();
    let ssn = |u: f64| {
        let weights = WilsonCowan::builder().w_ee(0.375).w_ei(0.195).w_ie(0.36).w_ii(0.15).tau_i(0.5).u_e(u).u_i(u);
        weights.excitatory(power()).inhibitory(power()).build().unwrap()
    };
    for u in [0.3, 1.0, 4.5] {
        let equilibria = ssn(u).equilibria().unwrap();
        assert!(equilibria.is_complete(), "{equilibria}");
        assert_eq!(equilibria.stable().count(), 1, "{equilibria}");
    }
    let runaway =
        WilsonCowan::builder().w_ee(2.0).w_ei(0.5).w_ie(1.0).u_e(1.0).excitatory(Softplus::new()).build().unwrap();
    let equilibria = runaway.equilibria().unwrap();
    assert!(equilibria.is_complete() && equilibria.regime().is_none(), "{equilibria}");
    let saturating = runaway.to_builder().w_ee(1.5).w_ei(2.0).excitatory(from_fn("cube root", |z: f64| z.cbrt()));
    assert!(!saturating.build().unwrap().equilibria().unwrap().is_complete());
}
