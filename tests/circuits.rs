//! The model circuits: closed forms against the general engine, simulation and brute force.

use approx::assert_relative_eq;
use ndarray::{Array1, array};
use neuronash::Error;
use neuronash::activation::{Identity, Relu, Tanh};
use neuronash::circuits::cortical_column::{CorticalColumn, Coupling};
use neuronash::circuits::lateral_inhibition::{Winner, contrast};
use neuronash::circuits::wilson_cowan::{Parameter, Regime, Relation, Window};
use neuronash::circuits::{Balance, ColumnDesign, LateralInhibition, WilsonCowan};
use proptest::prelude::*;

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

    #[allow(dead_code)]
    pub fn weights() -> impl Strategy<Value = [f64; 5]> {
        [0.0..1.3, 0.0..3.0, 0.0..2.0, 0.0..3.0, 0.0..2.0f64]
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

    #[test]
    fn certificates_belong_to_their_column() {
        let layer = circuit(3, [0.4, 1.0, 0.4, 1.0, 0.2]);
        let coupling = Coupling { gain: 3.0, offset: 0.1 };
        let column = CorticalColumn::uniform(layer.clone(), 6, coupling).unwrap();
        let certificate = column.certify().unwrap().unwrap();
        certificate.verify(&column).unwrap();
        assert!(certificate.margin() > 0.0 && certificate.margin() < column.margin().unwrap());
        assert_eq!(certificate.weights(3).unwrap().len(), column.neurons());
        let refuses = |other: CorticalColumn<f64>| {
            assert!(matches!(certificate.verify(&other), Err(Error::NotProved { .. })));
        };
        refuses(CorticalColumn::uniform(layer.clone(), 5, coupling).unwrap());
        refuses(CorticalColumn::uniform(layer.clone(), 6, Coupling { gain: 3.1, offset: 0.1 }).unwrap());
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
        assert!(certificate.weights(2).is_none(), "weights of so deep a column underflow");
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

    #[test]
    fn tight_balance_needs_both_large_inputs_and_cancellation() {
        let net = WilsonCowan::builder().w_ee(50.0).w_ei(49.0).w_ie(1.0).excitatory(Relu).build().unwrap().network();
        let balance = Balance::new(&net, &array![1.0, 1.0]).unwrap();
        assert_eq!(balance.tightly_balanced(0.05, 10.0).unwrap(), vec![0]);
        let tightness = balance.tightness(1.0).unwrap();
        assert!(tightness[0] > 40.0 && tightness[1] < 1.0);
    }
}
