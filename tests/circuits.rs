//! The model circuits: closed forms against the general engine, simulation and brute force.

use approx::assert_relative_eq;
use ndarray::{Array1, Array2, array};
use neuronash::Error;
use neuronash::activation::{ActivationCost, ClippedLinear, FromFn, Identity, Relu, Tanh, from_fn};
use neuronash::circuits::cortical_column::{ColumnVerdict, CorticalColumn, Coupling};
use neuronash::circuits::lateral_inhibition::{Winner, contrast};
use neuronash::circuits::wilson_cowan::{Parameter, Regime, Relation, Window};
use neuronash::circuits::{Balance, ColumnDesign, LateralInhibition, WilsonCowan};
use neuronash::dynamics::StopReason;
use neuronash::network::FiringRateNetwork;
use neuronash::stability::diagonal::{certify, certify_shifted};
use proptest::prelude::*;

/// Independent of the crate's own checks: whether `D R^{-1} (1 - margin) - sym(D W)` is positive definite, by a plain
/// Cholesky factorisation of the matrix scaled to unit diagonal.
fn is_certified(net: &FiringRateNetwork<f64>, d: &Array1<f64>, margin: f64) -> bool {
    let n = net.len();
    let w = net.weights().to_dense();
    let rho = net.slope_bounds("the test").unwrap();
    let entry = |i: usize, j: usize| {
        let diagonal = if i == j { d[i] * (1.0 - margin) / rho[i] } else { 0.0 };
        diagonal - 0.5 * (d[i] * w[[i, j]] + d[j] * w[[j, i]])
    };
    let scale: Vec<f64> = (0..n).map(|i| entry(i, i).max(0.0).sqrt()).collect();
    if scale.contains(&0.0) {
        return false;
    }
    let mut l = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| l[i][k] * l[j][k]).sum();
            let rest = entry(i, j) / scale[i] / scale[j] - sum;
            if i == j {
                if rest <= 0.0 {
                    return false;
                }
                l[i][i] = rest.sqrt();
            } else {
                l[i][j] = rest / l[j][j];
            }
        }
    }
    true
}

/// The sampled slopes of a closure look like [0, 1], but it has a step of slope 100 that samples need not hit.
fn undeclared() -> FromFn<f64, impl Fn(f64) -> f64 + Send + Sync + Clone> {
    from_fn("undeclared", |z: f64| z.max(0.0) + 100.0 * (z - 1.23456).clamp(0.0, 1e-9))
}

fn asks_for_a_declaration<T: std::fmt::Debug>(result: Result<T, Error>) {
    let message = result.expect_err("sampled slopes prove nothing").to_string();
    assert!(message.contains("`undeclared`") && message.contains("with_slope_range"), "{message}");
}

#[test]
fn proofs_do_not_rest_on_sampled_slopes() {
    assert!(!undeclared().slope_range().exact);
    let layer = |declared: bool| {
        let phi = if declared { undeclared().with_slope_range(0.0, 1.0).unwrap() } else { undeclared() };
        LateralInhibition::builder(2).w_ee(0.3).w_ei(1.0).w_ei_lateral(0.2).w_ie(1.0).excitatory(phi).build().unwrap()
    };
    let column =
        |layer| CorticalColumn::uniform(layer, 2, Coupling { gain: 1.0, offset: 0.0 }).expect("two layers alike");
    let (known, sampled) = (layer(true), layer(false));
    let certificate = known.certify().unwrap().expect("stable at slopes up to 1");
    certificate.verify(&known).unwrap();
    asks_for_a_declaration(certificate.verify(&sampled));
    asks_for_a_declaration(sampled.certify());
    asks_for_a_declaration(sampled.certify_margin(0.1));
    asks_for_a_declaration(sampled.is_diagonally_stable());
    asks_for_a_declaration(sampled.margin());
    assert!(sampled.gains().is_ok() && sampled.contrast_gain().unwrap().is_some());
    assert!(known.respond(&array![1.0, 0.5]).unwrap().error_bound.is_some());
    assert_eq!(sampled.respond(&array![1.0, 0.5]).unwrap().error_bound, None);

    let ColumnVerdict::Stable(certificate) = column(known.clone()).certify().unwrap() else { panic!("stable layers") };
    certificate.verify(&column(known)).unwrap();
    asks_for_a_declaration(certificate.verify(&column(sampled.clone())));
    asks_for_a_declaration(column(sampled.clone()).certify());
    asks_for_a_declaration(column(sampled).margin());

    let pair = WilsonCowan::builder().w_ee(0.5).w_ei(1.0).w_ie(1.0).excitatory(undeclared()).build().unwrap();
    asks_for_a_declaration(pair.is_diagonally_stable());
    asks_for_a_declaration(pair.certifying_weights());
    asks_for_a_declaration(pair.network().certify());
}

mod wilson_cowan {
    use super::*;

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
            let point = circuit.linearize([0.0, 0.0]).unwrap();
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
                prop_assert_eq!(point.relation() == Relation::Antagonistic, w[0] > 1.0);
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
                Relation::Cooperative => prop_assert!(change[0] < 0.0),
                Relation::Antagonistic => prop_assert!(change[0] > 0.0),
                other => prop_assert!(false, "{}", other),
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
            for point in equilibria.points() {
                let slow = point.eigenvalues().iter().any(|l| l.re.abs() < 0.05);
                if slow || point.regime() == Regime::Critical {
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
                    prop_assert!(cycles, "{}", run.stop());
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
        assert_eq!(at(1.0f64.next_down()).relation(), Relation::Cooperative);
        assert_eq!(at(1.0).relation(), Relation::Neutral);
        assert_eq!(at(1.0f64.next_up()).relation(), Relation::Antagonistic);
        assert_eq!(at(0.9).regime(), Regime::Monostable);
        assert_eq!(at(1.1).regime(), Regime::InhibitionStabilized);
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
        assert_eq!(regime([2.0, 3.0, 3.0, 0.0], 0.5), (Some(Regime::InhibitionStabilized), 1));
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
            .progress(|done, total| calls.lock().unwrap().push((done, total)))
            .run()
            .unwrap();
        assert_eq!(map.cells.dim(), (12, 7));
        let mut calls = calls.into_inner().unwrap();
        calls.sort_unstable();
        assert_eq!(calls, (1..=12).map(|i| (i, 12)).collect::<Vec<_>>());
        let transposed = circuit.sweep(Parameter::WEi, &values[..7], Parameter::WEe, &values).run().unwrap();
        assert_eq!(map.cells, transposed.cells.t());
        for (i, w_ee) in values.iter().enumerate().filter(|(_, w)| **w < 1.0) {
            assert!(map.cells.row(i).iter().all(|c| c.regime == Some(Regime::Monostable)), "w_EE = {w_ee}");
        }
        assert!(matches!(
            circuit.sweep(Parameter::UE, &values, Parameter::UE, &values).run(),
            Err(Error::Invalid { .. })
        ));
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
}

mod lateral_inhibition {
    use super::*;

    pub fn circuit(k: usize, w: [f64; 5]) -> LateralInhibition<f64> {
        LateralInhibition::builder(k).w_ee(w[0]).w_ei(w[1]).w_ei_lateral(w[2]).w_ie(w[3]).w_ii(w[4]).build().unwrap()
    }

    pub fn weights() -> impl Strategy<Value = [f64; 5]> {
        [0.0..1.3, 0.0..3.0, 0.0..2.0, 0.0..3.0, 0.0..2.0f64]
    }

    #[test]
    fn gains_are_those_of_the_linearised_circuit() {
        let circuit = circuit(3, [0.4, 0.9, 0.3, 1.2, 0.5]);
        assert_eq!((circuit.common_inhibition(), circuit.difference_inhibition()), (0.9 + 2.0 * 0.3, 0.9 - 0.3));
        assert_eq!(circuit.gains_at(1.0, 1.0), circuit.gains().unwrap());
        let (slope_e, slope_i) = (0.7, 0.4);
        let gains = circuit.gains_at(slope_e, slope_i);
        let slopes = Array1::from_shape_fn(6, |i| if i % 2 == 0 { slope_e } else { slope_i });
        for (pattern, gain) in [([1.0, 1.0, 1.0], gains.common), ([1.0, -2.0, 1.0], gains.difference)] {
            // x = Lambda (W x + u) for inputs to E alone, by iteration.
            let u = Array1::from_shape_fn(6, |i| if i % 2 == 0 { pattern[i / 2] } else { 0.0 });
            let mut x = Array1::zeros(6);
            for _ in 0..2000 {
                x = 0.8 * &x + 0.2 * (&slopes * &(circuit.weights().dot(&x) + &u));
            }
            for (j, p) in pattern.iter().enumerate() {
                assert!((x[2 * j] - gain * p).abs() < 1e-12, "{x} {gain}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// 6.2 and the closed form of the margin, for any slope bounds, against the general engine.
        #[test]
        fn closed_form_agrees_with_the_engine(k in 2usize..6, w in weights(), rho in [0.3..3.0, 0.3..3.0f64]) {
            let circuit = circuit(k, w)
                .to_builder()
                .excitatory(Tanh::with_gain(rho[0]).unwrap())
                .inhibitory(Tanh::with_gain(rho[1]).unwrap())
                .build()
                .unwrap();
            let margin = circuit.margin().unwrap();
            let with = |margin: f64| {
                let shift = Array1::from_shape_fn(2 * k, |i| (1.0 - margin) / rho[i % 2]);
                certify(&(circuit.weights() - Array2::from_diag(&shift))).unwrap()
            };
            prop_assert_eq!(circuit.is_diagonally_stable().unwrap(), margin > 0.0);
            if margin.abs() > 1e-9 {
                prop_assert_eq!(circuit.certify().unwrap().is_some(), margin > 0.0);
            }
            if margin.abs() > 1e-5 {
                prop_assert_eq!(with(0.0).is_stable(), margin > 0.0);
                prop_assert_eq!(with(0.0).is_not_stable(), margin < 0.0);
            }
            prop_assert!(with(margin - 1e-5).is_stable() && with(margin + 1e-5).is_not_stable());
            // Nearer to the border the engine may leave it open, but must not contradict.
            prop_assert!(!with(margin - 1e-9).is_not_stable() && !with(margin + 1e-9).is_stable());
            if let Some(certificate) = circuit.certify_margin((margin * 0.999).max(0.0)).unwrap() {
                let slack = is_certified(&circuit.network(&Array1::zeros(k)).unwrap(), &certificate.weights(k).unwrap(), certificate.margin);
                prop_assert!(slack);
                let ratios = circuit.certifying_ratios(certificate.margin).unwrap().unwrap();
                prop_assert!(ratios.lower < certificate.ratio && certificate.ratio < ratios.upper);
            }
        }

        /// Outside the interval of good `d`, and only there, `D` fails.
        #[test]
        fn the_interval_of_ratios_is_sharp(k in 2usize..5, w in weights()) {
            let circuit = circuit(k, w);
            if let Some(ratios) = circuit.certifying_ratios(0.0).unwrap() {
                let net = circuit.network(&Array1::zeros(k)).unwrap();
                let holds = |d: f64| {
                    let weights = Array1::from_shape_fn(2 * k, |i| if i % 2 == 0 { 1.0 } else { d });
                    is_certified(&net, &weights, 0.0)
                };
                let (low, high) = (ratios.lower, ratios.upper);
                if high.is_finite() && high - low > 1e-4 * high && low > 1e-3 {
                    prop_assert!(holds(low * (1.0 + 1e-6)) && !holds(low * (1.0 - 1e-6)));
                    prop_assert!(holds(high * (1.0 - 1e-6)) && !holds(high * (1.0 + 1e-6)));
                }
            }
        }

        /// 6.1: modal gains against solved equilibria, all columns active.
        #[test]
        fn gains_match_equilibria(k in 2usize..6, w in weights(), bumps in prop::collection::vec(-1e-3..1e-3f64, 5)) {
            let w = [w[0] / 1.4, w[1], w[2] / 4.0, w[3], w[4]];
            let circuit = circuit(k, w);
            prop_assume!(circuit.margin().unwrap() > 0.05);
            let input = Array1::from_shape_fn(k, |i| 1.0 + bumps[i]);
            let response = circuit.respond(&input).unwrap();
            prop_assert!(response.error_bound.unwrap() < 1e-9);
            let gains = circuit.gains().unwrap();
            let mean = input.mean().unwrap();
            let expected = input.mapv(|u| gains.common * mean + gains.difference * (u - mean));
            prop_assume!(expected.iter().all(|x| *x > 0.0));
            for (x, y) in response.excitatory().iter().zip(&expected) {
                assert_relative_eq!(*x, *y, max_relative = 1e-8);
            }
            if k == 2 {
                let gain = response.contrast().unwrap() / contrast(&input).unwrap();
                if contrast(&input).unwrap() > 1e-5 {
                    assert_relative_eq!(gain, circuit.contrast_gain().unwrap().unwrap(), max_relative = 1e-6);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// 6.3: from silence the largest input wins, and the others fall silent.
        #[test]
        fn the_predicted_winner_wins(
            k in 2usize..6, a in 0.0..0.9f64, own in 0.0..0.5f64, c in 1.0..2.0f64, excess in 1.05..2.0f64,
            input in prop::collection::vec(0.5..1.0f64, 5),
        ) {
            let p = 1.0 - a;
            let lateral = own + excess * p / c;
            let circuit = circuit(k, [a, own, lateral, c, 0.0]).to_builder().tau_i(0.2).build().unwrap();
            prop_assert!(circuit.is_winner_take_all().unwrap());
            prop_assert!(circuit.silencing_ratio().unwrap().unwrap() >= 1.0);
            let input = Array1::from_vec(input[..k].to_vec());
            let mut sorted = input.to_vec();
            sorted.sort_by(f64::total_cmp);
            prop_assume!(sorted[k - 1] > sorted[k - 2] + 0.01);
            let response = circuit.respond(&input).unwrap();
            prop_assert_eq!(response.error_bound, None);
            let seen = circuit.winner(&response.state, 1e-6).unwrap();
            prop_assert_eq!(&seen, &circuit.predicted_winner(&input, 0.0).unwrap());
            prop_assert!(matches!(seen, Winner::Column(_)));
        }
    }

    #[test]
    fn winners() {
        let wta = circuit(3, [0.8, 0.1, 1.0, 1.5, 0.0]);
        assert!(wta.is_winner_take_all().unwrap());
        assert!(wta.silencing_ratio().unwrap().unwrap() >= 1.0);
        assert!(!wta.is_diagonally_stable().unwrap());
        assert_eq!(wta.predicted_winner(&array![0.9, 1.1, 1.0], 0.0).unwrap(), Winner::Column(1));
        assert_eq!(wta.predicted_winner(&array![1.1, 1.1, 1.0], 0.0).unwrap(), Winner::Shared(vec![0, 1]));
        assert_eq!(wta.predicted_winner(&array![-1.0, 0.0, -0.5], 0.0).unwrap(), Winner::Nobody);
        assert_eq!(wta.winner(&array![0.0, 0.0, 2.0, 3.0, 0.0, 0.0], 1e-6).unwrap(), Winner::Column(1));
        assert!(wta.predicted_winner(&array![1.0], 0.0).is_err());
    }

    #[test]
    fn contrast_is_michelsons() {
        assert_eq!(contrast(&array![3.0, 1.0]).unwrap(), 0.5);
        assert_eq!(contrast(&array![0.0, 0.0]).unwrap(), 0.0);
        assert!(contrast(&array![-1.0, 2.0]).is_err());
        assert!(contrast(&Array1::<f64>::zeros(0)).is_err());
    }

    #[test]
    fn layers_needed_is_a_whole_number_when_the_powers_meet() {
        let triple = circuit(2, [0.0, 2.0, 1.0, 1.0, 0.0]); // (1 + 3)/(1 + 1) = 2
        assert_eq!(triple.contrast_gain().unwrap(), Some(2.0));
        assert_eq!(triple.layers_needed(0.1, 0.8).unwrap(), Some(3));
        assert_eq!(triple.layers_needed(0.01, 0.9).unwrap(), Some(7));
        assert_eq!(triple.layers_needed(0.5, 0.5).unwrap(), Some(0));
        assert!(triple.layers_needed(0.0, 0.5).is_err());
        assert_eq!(circuit(2, [0.0, 2.0, 0.0, 1.0, 0.0]).layers_needed(0.01, 0.9).unwrap(), None);
    }
}

mod cortical_column {
    use super::lateral_inhibition::circuit;
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// 7.3: what is promised is had, and what is refused cannot be found by random search either.
        #[test]
        fn designs_keep_their_promises(
            k in 2usize..12, gain in 1.0..30.0f64, margin in 0.01..0.9f64, a in 0.0..0.9f64, e in 0.0..2.0f64,
            tries in prop::collection::vec([0.0..8.0, 0.0..8.0f64], 64),
        ) {
            let design = ColumnDesign::new(k).contrast_gain(gain).margin(margin).w_ee(a).w_ii(e).layers(5);
            match design.solve() {
                Ok(designed) => {
                    prop_assert!(designed.certificate.margin() == margin && designed.largest_margin > margin);
                    designed.certificate.verify(&designed.column).unwrap();
                    assert_relative_eq!(designed.contrast_gain, gain, max_relative = 1e-10);
                    prop_assert!(gain <= design.largest_contrast_gain().unwrap() * (1.0 + 1e-9));
                }
                Err(Error::Infeasible { .. }) => {
                    let Ok(largest) = design.largest_contrast_gain() else {
                        prop_assert!(margin >= 1.0 - a);
                        return Ok(());
                    };
                    prop_assert!(gain >= largest * (1.0 - 1e-9));
                    for [own, lateral] in tries {
                        let layer = circuit(k, [a, own, lateral, 1.0, e]);
                        if layer.margin().unwrap() >= margin {
                            prop_assert!(layer.contrast_gain().unwrap().unwrap() <= largest * (1.0 + 1e-9));
                        }
                    }
                }
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }

    #[test]
    fn certificates_serve_their_networks() {
        let layer = circuit(3, [0.5, 1.0, 0.5, 1.0, 0.2]);
        let input = array![1.0, 0.7, 0.4];
        let proof = layer.certify().unwrap().unwrap();
        let network = layer.network(&input).unwrap();
        let certificate = proof.network(&layer).unwrap();
        network.verify(&certificate).unwrap();
        let rest = network.equilibrium().certificate(&certificate).solve().unwrap();
        assert_eq!(rest.state, layer.respond(&input).unwrap().state);
        let other = circuit(3, [0.9, 1.0, 2.0, 1.0, 0.2]);
        assert!(matches!(proof.network(&other), Err(Error::NotProved { .. })));
        let bare = layer.certify_margin(0.0).unwrap().unwrap();
        assert!(matches!(bare.network(&layer), Err(Error::NotCertified { .. })));

        let column = CorticalColumn::uniform(layer.clone(), 4, Coupling { gain: 1.5, offset: 0.1 }).unwrap();
        let network = column.network(&input).unwrap();
        let certificate = column.certify().unwrap().certificate().unwrap().network(&column).unwrap();
        network.verify(&certificate).unwrap();
        assert!(network.lyapunov(&certificate).unwrap().decay_rate() > 0.0);
        // The weights of a deep column leave the range of f64.
        let deep = CorticalColumn::uniform(layer, 3000, Coupling { gain: 1.5, offset: 0.1 }).unwrap();
        let proof = deep.certify().unwrap();
        assert!(matches!(proof.certificate().unwrap().network(&deep), Err(Error::NotCertified { .. })));
    }

    #[test]
    fn contrast_is_multiplied_layer_by_layer() {
        let layer = circuit(2, [0.5, 1.0, 0.5, 1.0, 0.0]);
        let column = CorticalColumn::uniform(layer.clone(), 7, Coupling { gain: 2.0, offset: 0.0 }).unwrap();
        let contrasts = column.predicted_contrast(&array![1.01, 0.99]).unwrap();
        for (l, c) in contrasts.iter().enumerate().take(6) {
            assert_relative_eq!(*c, 0.01 * 2f64.powi(l as i32 + 1), max_relative = 1e-9);
        }
        assert_eq!(contrasts[6], 1.0);
        assert_eq!(column.layers_needed(&array![1.01, 0.99], 0.5).unwrap(), Some(6));
        assert_eq!(layer.layers_needed(0.01, 0.5).unwrap(), Some(6));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// 7.1 against the general engine: verdicts agree, and the composed weights have the margin they claim.
        #[test]
        fn certificates_hold_for_the_whole_matrix(
            k in 2usize..4, w in prop::collection::vec(super::lateral_inhibition::weights(), 1..4), gain in 0.1..4.0f64,
        ) {
            let layers: Vec<_> = w.iter().map(|&w| circuit(k, w)).collect();
            let couplings = vec![Coupling { gain, offset: 0.2 }; layers.len() - 1];
            let column = CorticalColumn::new(layers, couplings).unwrap();
            prop_assume!(column.margin().unwrap().abs() > 1e-4);
            let net = column.network(&Array1::ones(k)).unwrap();
            let rho = net.slope_bounds("the test").unwrap();
            let engine = certify_shifted(&net.weights().to_dense(), &rho).unwrap();
            prop_assert_eq!(engine.is_stable(), column.is_diagonally_stable().unwrap());
            match column.certify().unwrap() {
                ColumnVerdict::Stable(certificate) => {
                    prop_assert!(engine.is_stable());
                    certificate.verify(&column).unwrap();
                    let weights = certificate.weights(k).unwrap().unwrap();
                    prop_assert!(is_certified(&net, &weights, certificate.margin()));
                    let of_network = certificate.network(&column).unwrap();
                    prop_assert_eq!(of_network.weights(), weights.view());
                    net.verify(&of_network).unwrap();
                }
                ColumnVerdict::NotStable(refutation) => {
                    prop_assert!(engine.is_not_stable());
                    refutation.verify(&column).unwrap();
                }
                other => prop_assert!(false, "{}", other),
            }
        }

        /// 7.2: predicted, solved and simulated contrast agree layer by layer, and so does the number of layers.
        #[test]
        fn predicted_and_simulated_contrasts_agree(
            gain in 1.5..6.0f64, a in 0.0..0.6f64, initial in 0.005..0.05f64, target in 0.3..0.95f64,
        ) {
            let design = ColumnDesign::new(2).contrast_gain(gain).margin(0.02).w_ee(a).contrasts(initial, target);
            let designed = design.solve().unwrap();
            let column = &designed.column;
            let input = array![1.0 + initial, 1.0 - initial];
            let predicted = column.predicted_contrast(&input).unwrap();
            let response = column.respond(&input).unwrap();
            let solved = response.contrasts().unwrap();
            for (l, (p, s)) in predicted.iter().zip(&solved).enumerate() {
                assert_relative_eq!(*p, *s, max_relative = 1e-7);
                let powers: f64 = initial * gain.powi(l as i32 + 1);
                assert_relative_eq!(*p, powers.min(1.0), max_relative = 1e-7);
            }
            prop_assert_eq!(column.layers_needed(&input, target).unwrap(), Some(column.depth()));
            prop_assert_eq!(response.layers_needed(target).unwrap(), Some(column.depth()));
            let run = column.network(&input).unwrap().simulate().until_converged(1e-9).record_ends().run().unwrap();
            for (x, y) in run.final_state().iter().zip(&response.state()) {
                assert_relative_eq!(*x, *y, epsilon = 1e-6);
            }
        }
    }

    #[test]
    fn single_precision() {
        let designed = ColumnDesign::<f32>::new(2).contrast_gain(2.5).margin(0.2).contrasts(0.01, 0.9).solve().unwrap();
        assert_eq!(designed.column.depth(), 5);
        designed.certificate.verify(&designed.column).unwrap();
        let input = array![1.01f32, 0.99];
        let response = designed.column.respond(&input).unwrap();
        assert_eq!(response.layers_needed(0.9).unwrap(), designed.column.layers_needed(&input, 0.9).unwrap());
        let unstable = designed.column.layers()[0].to_builder().w_ee(1.5).build().unwrap();
        let column = CorticalColumn::uniform(unstable, 2, Coupling { gain: 1.0, offset: 0.0 }).unwrap();
        assert!(matches!(column.certify().unwrap(), ColumnVerdict::NotStable(_)));
    }

    #[test]
    fn certificates_belong_to_their_column() {
        let layer = circuit(3, [0.4, 1.0, 0.4, 1.0, 0.2]);
        let coupling = Coupling { gain: 3.0, offset: 0.1 };
        let column = CorticalColumn::uniform(layer.clone(), 6, coupling).unwrap();
        let certificate = column.certify().unwrap().certificate().unwrap().clone();
        certificate.verify(&column).unwrap();
        assert!(certificate.margin() > 0.0 && certificate.margin() < column.margin().unwrap());
        assert_eq!(certificate.weights(3).unwrap().unwrap().len(), column.neurons());
        let refuses = |other: CorticalColumn<f64>| {
            assert!(matches!(certificate.verify(&other), Err(Error::NotProved { .. })));
        };
        refuses(CorticalColumn::uniform(layer.clone(), 5, coupling).unwrap());
        refuses(CorticalColumn::uniform(layer.clone(), 6, Coupling { gain: 5.0, offset: 0.1 }).unwrap());
        refuses(CorticalColumn::uniform(layer.to_builder().w_ee(0.95).build().unwrap(), 6, coupling).unwrap());
        assert!(column.certify_margin(column.margin().unwrap()).unwrap().is_none());
        assert!(column.certify_margin(-0.1).is_err());
    }

    #[test]
    fn depth_costs_linear_time_and_no_margin() {
        let layer = circuit(2, [0.5, 1.0, 0.5, 1.0, 0.0]);
        let margin = layer.margin().unwrap();
        let column = CorticalColumn::uniform(layer, 20_000, Coupling { gain: 2.0, offset: 0.0 }).unwrap();
        assert_eq!(column.margin().unwrap(), margin);
        let certificate = column.certify_margin(0.99 * margin).unwrap().unwrap();
        certificate.verify(&column).unwrap();
        assert!(certificate.weights(2).unwrap().is_none(), "weights of so deep a column underflow");
    }

    #[test]
    fn bad_columns_are_refused() {
        let layer = circuit(2, [0.5, 1.0, 0.5, 1.0, 0.0]);
        let coupling = Coupling { gain: 1.0, offset: 0.0 };
        assert!(CorticalColumn::<f64>::new(vec![], vec![]).is_err());
        assert!(CorticalColumn::new(vec![layer.clone(), circuit(3, [0.5; 5])], vec![coupling]).is_err());
        assert!(CorticalColumn::new(vec![layer.clone()], vec![coupling]).is_err());
        assert!(CorticalColumn::uniform(layer.clone(), 0, coupling).is_err());
        assert!(CorticalColumn::uniform(layer.clone(), 2, Coupling { gain: 0.0, offset: 0.0 }).is_err());
        let column = CorticalColumn::uniform(layer, 2, coupling).unwrap();
        assert!(column.predicted_contrast(&array![0.0, 0.0]).is_err());
        assert!(column.predicted_contrast(&array![1.0]).is_err());
        assert!(column.layers_needed(&array![1.0, 0.9], 0.0).is_err());
        for bad in [
            ColumnDesign::new(1),
            ColumnDesign::new(2).contrast_gain(0.5),
            ColumnDesign::new(2).margin(0.0),
            ColumnDesign::new(2).w_ie(0.0),
            ColumnDesign::new(2).w_ee(1.0),
            ColumnDesign::new(2).layers(0),
        ] {
            assert!(bad.solve().is_err());
        }
    }
}

mod balance {
    use super::*;
    use neuronash::circuits::balance::{self, RegulationBound};

    #[test]
    fn sums_match_the_drive_and_dense_matches_sparse() {
        let layer = lateral_inhibition::circuit(3, [0.4, 1.0, 0.4, 1.0, 0.2]);
        let net = layer.network(&array![1.0, -0.5, 0.3]).unwrap();
        let sparse = CorticalColumn::new(vec![layer], vec![]).unwrap().network(&array![1.0, -0.5, 0.3]).unwrap();
        let x = array![0.5, 0.2, 0.0, 0.1, 1.0, 0.7];
        let balance = Balance::new(&net, &x).unwrap();
        let other = Balance::new(&sparse, &x).unwrap();
        assert_eq!(balance.excitation(), other.excitation());
        let drive = net.drive(&x).unwrap();
        for i in 0..6 {
            assert_relative_eq!(balance.excitation()[i] - balance.inhibition()[i], drive[i], epsilon = 1e-14);
            assert!(balance.index()[i].abs() <= 1.0);
            assert_relative_eq!(balance.index()[i] * balance.total()[i], drive[i], epsilon = 1e-14);
        }
        assert_eq!(balance.populations().len(), 2);
        assert_eq!(balance.populations()[0].neurons, 3);
        assert!(balance.tightness(1.0).unwrap().iter().all(|t| *t >= 0.0));
        assert!(balance.tightness(0.0).is_err());
        assert!(balance.tightly_balanced(1.5, 1.0).is_err());
        assert!(Balance::new(&net, &array![1.0]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// 3.4 and 5.3 by population: the response matches re-solved equilibria and stays below the bound.
        #[test]
        fn responses_match_equilibria_and_obey_the_bound(
            k in 2usize..5, w in super::lateral_inhibition::weights(), input in prop::collection::vec(0.5..1.5f64, 4),
        ) {
            let circuit = lateral_inhibition::circuit(k, [w[0] / 1.4, w[1], w[2] / 3.0, w[3], w[4]])
                .to_builder()
                .excitatory(Tanh::new())
                .build()
                .unwrap();
            prop_assume!(circuit.margin().unwrap() > 0.05);
            let net = circuit.network(&Array1::from_vec(input[..k].to_vec())).unwrap();
            let solve = |net: &FiringRateNetwork<f64>| net.equilibrium().tolerance(1e-13).solve().unwrap().state;
            let response = balance::population_response(&net, &solve(&net)).unwrap();
            let bound = RegulationBound::new(&net, &net.certify().unwrap().into_certificate().unwrap()).unwrap();
            for q in 0..2 {
                let with = |change: f64| {
                    let moved = Array1::from_shape_fn(2 * k, |i| net.input()[i] + if i % 2 == q { change } else { 0.0 });
                    solve(&net.clone().with_input(&moved).unwrap())
                };
                let mean = |x: &Array1<f64>, p: usize| x.iter().skip(p).step_by(2).sum::<f64>() / k as f64;
                for p in 0..2 {
                    let h = 1e-5;
                    let difference = (mean(&with(h), p) - mean(&with(-h), p)) / (2.0 * h);
                    assert_relative_eq!(response[[p, q]], difference, epsilon = 1e-6, max_relative = 1e-5);
                    prop_assert!(response[[p, q]].abs() <= bound.populations[[p, q]]);
                    let far = (mean(&with(1.0), p) - mean(&with(0.0), p)).abs();
                    prop_assert!(far <= bound.populations[[p, q]]);
                }
            }
        }
    }

    #[test]
    fn tight_balance_needs_both_large_inputs_and_cancellation() {
        let net = WilsonCowan::builder().w_ee(50.0).w_ei(49.0).w_ie(1.0).excitatory(Relu).build().unwrap().network();
        let balance = Balance::new(&net, &array![1.0, 1.0]).unwrap();
        assert_eq!(balance.tightly_balanced(0.05, 10.0).unwrap(), vec![0]);
        let tightness = balance.tightness(1.0).unwrap();
        assert!(tightness[0] > 40.0 && tightness[1] < 1.0);
    }
}
