//! The cortical column.

use approx::assert_relative_eq;
use ndarray::{Array1, array};
use neuronash::Error;
use neuronash::activation::{ClippedLinear, Tanh};
use neuronash::circuits::cortical_column::{ColumnVerdict, CorticalColumn, Coupling, LawEnd};
use neuronash::circuits::lateral_inhibition::{contrast, contrast_after, variation};
use neuronash::circuits::{ColumnDesign, LateralInhibition};
use neuronash::stability::diagonal::certify;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::is_certified;
use super::lateral_inhibition::{circuit, weights};

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
    assert_eq!(rest.state(), layer.respond(&input).unwrap().state);
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
    let column = CorticalColumn::uniform(layer, 7, Coupling { gain: 2.0, offset: 0.0 }).unwrap();
    let contrasts = column.predicted_contrast(&array![1.01, 0.99]).unwrap();
    for (l, c) in contrasts.layers.iter().enumerate().take(6) {
        assert_relative_eq!(*c, 0.01 * 2f64.powi(l as i32 + 1), max_relative = 1e-9);
    }
    assert_eq!((contrasts.layers[6], contrasts.end), (1.0, Some(LawEnd::Silence)));
    assert_eq!(column.layers_needed(&array![1.01, 0.99], 0.5).unwrap(), Some(6));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// 7.1 against the general engine: verdicts agree, and the composed weights have the margin they claim.
    #[test]
    fn certificates_hold_for_the_whole_matrix(
        k in 2usize..4, w in prop::collection::vec(weights(), 1..4), gain in 0.1..4.0f64,
    ) {
        let layers: Vec<_> = w.iter().map(|&w| circuit(k, w)).collect();
        let couplings = vec![Coupling { gain, offset: 0.2 }; layers.len() - 1];
        let column = CorticalColumn::new(layers, couplings).unwrap();
        prop_assume!(column.margin().unwrap().abs() > 1e-4);
        let net = column.network(&Array1::ones(k)).unwrap();
        let rho = net.slope_bounds("the test").unwrap();
        let engine = certify((&net.weights().to_dense(), &rho)).unwrap();
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
        for (l, (p, s)) in predicted.layers.iter().zip(&solved).enumerate() {
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
        ColumnDesign::new(2).contrasts(0.0, 0.9),
        ColumnDesign::new(2).contrasts(0.1, 1.1),
        ColumnDesign::new(2).contrast_gain(1.0).contrasts(0.1, 0.9),
        ColumnDesign::new(2).input(&array![1.0, 0.9, 0.8], 0.9),
        ColumnDesign::new(2).input(&array![1.0, -0.9], 0.9),
        ColumnDesign::new(2).input(&array![1.0, 1.0], 0.9),
    ] {
        assert!(bad.solve().is_err());
    }
}

#[test]
fn a_layer_without_drive_is_silent_and_has_no_contrast() {
    let layer =
        || LateralInhibition::<f64>::builder(2).w_ee(0.5).w_ei(1.0).w_ei_lateral(0.5).w_ie(1.0).build().unwrap();
    let column = |offset: f64| CorticalColumn::uniform(layer(), 2, Coupling { gain: 1.0, offset }).unwrap();
    let input = array![1.01, 0.99];
    // The rates of the first layer are near 0.5; the second gets nothing above 0, or something in one column only.
    for (offset, contrast) in [(-100.0, 0.0), (-0.505, 1.0)] {
        let column = column(offset);
        let (predicted, found) = (column.predicted_contrast(&input).unwrap(), column.respond(&input).unwrap());
        assert_eq!((predicted.layers[1], predicted.end), (contrast, Some(LawEnd::Silence)), "{offset}");
        assert_eq!(found.contrasts().unwrap()[1], contrast, "{offset}");
        assert_eq!(column.layers_needed(&input, 0.9).unwrap(), found.layers_needed(0.9).unwrap());
    }
}

/// `p = c (B - beta)^2 / (8 (B + beta))` or `p = -beta c` next to the border of theory 6.2, where the margin rounds to 0.
#[test]
fn a_column_is_stable_iff_its_layers_are_down_to_the_last_place() {
    let mut rounded = 0;
    for (w_ei, lateral, w_ie) in [(0.1, 0.2, 10.0f64), (0.1, 0.4, 10.0 / 3.0), (0.1, 0.5, 2.5), (0.2, 0.1, 80.0)] {
        for ulps in -8i64..=8 {
            let w_ie = f64::from_bits((w_ie.to_bits() as i64 + ulps) as u64);
            let layer = LateralInhibition::builder(2).w_ei(w_ei).w_ei_lateral(lateral).w_ie(w_ie).build().unwrap();
            let stable = layer.is_diagonally_stable().unwrap();
            rounded += usize::from((layer.margin().unwrap() > 0.0) != stable);
            let column = CorticalColumn::new(vec![layer], Vec::new()).unwrap();
            assert_eq!(column.is_diagonally_stable().unwrap(), stable, "{w_ei} {lateral} {w_ie}");
        }
    }
    assert!(rounded > 0, "no margin was rounded to the wrong side");
}

/// One of `k` columns 1 % above the rest: contrast grows more slowly the more columns there are (theory 6.1).
#[test]
fn designed_depths_are_reached_for_any_number_of_columns() {
    for (k, depth) in [(2, 13), (3, 14), (5, 15), (10, 16), (20, 17)] {
        let input: Array1<f64> = Array1::from_shape_fn(k, |j| if j == 0 { 1.01 } else { 1.0 });
        let design = ColumnDesign::new(k).contrast_gain(1.5).margin(0.1);
        let designed = design.clone().contrasts(contrast(&input).unwrap(), 0.9).solve().unwrap();
        assert_eq!(designed.column.depth(), depth, "{k}");
        assert_eq!(design.input(&input, 0.9).solve().unwrap().column.depth(), depth, "{k}");
        assert_eq!(designed.column.layers_needed(&input, 0.9).unwrap(), Some(depth), "{k}");
        let response = designed.column.respond(&input).unwrap();
        assert_eq!(response.layers_needed(0.9).unwrap(), Some(depth), "{k}");
        let network = designed.column.network(&input).unwrap();
        let run = network.simulate().until_converged(1e-9).record_ends().run().unwrap();
        let reached = |l: usize| {
            let rates = Array1::from_shape_fn(k, |j| run.final_state()[2 * (l * k + j)].max(0.0));
            contrast(&rates).unwrap() >= 0.9
        };
        assert!(reached(depth - 1) && !reached(depth - 2), "{k}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// 6.1 and 7.2 for any number of columns and any pattern, against solved layers.
    #[test]
    fn contrast_laws_hold_for_any_pattern(
        k in 2usize..7, gain in 1.2..4.0f64, input in prop::collection::vec(0.9..1.1f64, 6), target in 0.3..0.95f64,
    ) {
        let input = Array1::from_vec(input[..k].to_vec());
        prop_assume!(contrast(&input).unwrap() > 1e-3);
        let design = ColumnDesign::new(k).contrast_gain(gain).margin(0.02);
        let designed = design.clone().input(&input, target).solve().unwrap();
        let column = &designed.column;
        let response = column.respond(&input).unwrap();
        let (solved, predicted) = (response.contrasts().unwrap(), column.predicted_contrast(&input).unwrap());
        let mut spread = variation(&input).unwrap();
        for (l, layer) in response.layers.iter().enumerate() {
            let law = contrast_after(&input, gain, l + 1).unwrap();
            prop_assert!((law - solved[l]).abs() < 1e-7, "{} {}", law, solved[l]);
            prop_assert!((predicted.layers[l] - solved[l]).abs() < 1e-7);
            if law == 1.0 {
                break;
            }
            let next = variation(&layer.excitatory()).unwrap();
            assert_relative_eq!(next, gain * spread, max_relative = 1e-6);
            spread = next;
        }
        // Powers that meet the target exactly may miss it by a rounding error.
        prop_assert!(solved[column.depth() - 1] >= target * (1.0 - 1e-7));
        prop_assert!(column.depth() < 2 || solved[column.depth() - 2] < target);
        // For every input of this contrast: one column above the rest takes longest.
        let worst = design.contrasts(contrast(&input).unwrap(), target).solve().unwrap();
        prop_assert!(worst.column.depth() >= column.depth());
    }

    /// What is predicted of columns with a ceiling is what they do, or nothing is predicted.
    #[test]
    fn predictions_hold_where_neurons_saturate(
        k in 2usize..5, w in weights(), gain in 0.4..3.0f64, offset in 0.0..0.3f64, ceilings in [0.6..1.5, 0.6..1.5f64],
        input in prop::collection::vec(0.7..1.0f64, 4), likeness in 0.0..1.0f64,
    ) {
        let layer = circuit(k, [w[0] / 1.6, w[1], w[2] / 4.0, w[3], w[4]])
            .to_builder()
            .excitatory(ClippedLinear::new(0.0, ceilings[0]).unwrap())
            .inhibitory(ClippedLinear::new(0.0, ceilings[1]).unwrap())
            .build()
            .unwrap();
        prop_assume!(layer.margin().unwrap() > 0.02);
        let input = Array1::from_shape_fn(k, |j| likeness * 0.8 + (1.0 - likeness) * input[j]);
        let column = CorticalColumn::uniform(layer, 6, Coupling { gain, offset }).unwrap();
        let (predicted, response) = (column.predicted_contrast(&input).unwrap(), column.respond(&input).unwrap());
        let solved = response.contrasts().unwrap();
        for (p, s) in predicted.layers.iter().zip(&solved) {
            prop_assert!((p - s).abs() < 1e-6, "{:?} {:?}", predicted, solved);
        }
        prop_assert!(predicted.layers.len() == 6 || predicted.end.is_some());
        let needed = column.layers_needed(&input, 0.999);
        match solved.iter().take(predicted.layers.len()).position(|c| *c >= 0.999) {
            Some(l) => prop_assert_eq!(needed.unwrap(), Some(l + 1)),
            None if predicted.end == Some(LawEnd::Bend) => prop_assert!(needed.is_err()),
            None => prop_assert_eq!(needed.unwrap(), None),
        }
    }
}

#[test]
fn saturated_columns_have_the_contrast_of_their_operating_point() {
    // Gain 2: contrasts 0.02, 0.04, ... while rates are below 0.8.
    let clipped = || {
        let layer = circuit(2, [0.5, 1.0, 0.5, 1.0, 0.0]).to_builder();
        layer.excitatory(ClippedLinear::new(0.0, 0.8).unwrap()).build().unwrap()
    };
    let column = |gain: f64| CorticalColumn::uniform(clipped(), 6, Coupling { gain, offset: 0.0 }).unwrap();
    let input = array![1.01, 0.99];
    // Rates of about 0.5 drive the next layers with 2: all columns are at their ceiling, alike.
    let bright = column(4.0);
    let (predicted, solved) = (bright.predicted_contrast(&input).unwrap(), bright.respond(&input).unwrap());
    assert_eq!((predicted.layers[1], predicted.end), (0.0, None));
    assert_eq!(solved.contrasts().unwrap()[1..], [0.0; 5]);
    assert_eq!(bright.layers_needed(&input, 0.5).unwrap(), None);
    // The mean stays at 0.5 until one column is at its ceiling and the other is not, in the sixth layer (0.64 would be predicted).
    let steady = column(2.0);
    let (predicted, solved) = (steady.predicted_contrast(&input).unwrap(), steady.respond(&input).unwrap());
    assert_eq!((predicted.layers.len(), predicted.end), (5, Some(LawEnd::Bend)));
    assert_relative_eq!(predicted.layers[4], 0.32, max_relative = 1e-9);
    assert!((solved.contrasts().unwrap()[5] - 0.64).abs() > 0.01, "{solved}");
    assert!(steady.layers_needed(&input, 0.9).unwrap_err().to_string().contains("layers[5]"));
    assert_eq!(steady.layers_needed(&input, 0.3).unwrap(), Some(5));
    // Curved activations follow no law, but like inputs do.
    let layer = circuit(2, [0.5, 1.0, 0.5, 1.0, 0.0]).to_builder().excitatory(Tanh::new()).build().unwrap();
    let curved = CorticalColumn::uniform(layer, 2, Coupling { gain: 1.0, offset: 0.0 }).unwrap();
    assert_eq!(curved.predicted_contrast(&input).unwrap().end, Some(LawEnd::Bend));
    assert_eq!(curved.predicted_contrast(&array![1.0, 1.0]).unwrap().layers, [0.0, 0.0]);
}

/// 7.2: mismatched layers, solved one by one, and what their errors look like at the input.
#[test]
fn mismatches_set_a_floor_to_precision() {
    let mut random = StdRng::seed_from_u64(7);
    let (gain, sigma) = (2.12, 1e-5);
    for (k, depth) in [(2, 3), (2, 7), (4, 5)] {
        let designed = ColumnDesign::new(k).contrast_gain(gain).margin(0.1).layers(depth).solve().unwrap();
        let (column, coupling) = (&designed.column, designed.column.couplings()[0]);
        let modal = column.layers()[0].gains().unwrap();
        assert_relative_eq!(modal.difference / modal.common, gain, max_relative = 1e-9);
        let trials = 300;
        let mut squares = 0.0;
        for _ in 0..trials {
            let mut u = Array1::ones(k);
            for layer in column.layers() {
                // Errors of standard deviation sigma in the rates of all columns.
                let half = 3f64.sqrt() * sigma;
                let rates = layer.respond(&u).unwrap().excitatory().to_owned();
                u = rates.mapv(|x| coupling.gain * x * (1.0 + random.random_range(-half..half)));
            }
            squares += ((u[0] - u[1]) / u.mean().unwrap() / gain.powi(depth as i32)).powi(2);
        }
        let seen = (squares / f64::from(trials)).sqrt();
        let floor = column.precision_floor(2f64.sqrt() * sigma).unwrap();
        assert!((seen / floor - 1.0).abs() < 0.15, "{k} {depth}: {seen} {floor}");
        let limit = column.layers()[0].precision_floor(2f64.sqrt() * sigma).unwrap().unwrap();
        assert_relative_eq!(limit, 2f64.sqrt() * sigma / (gain * gain - 1.0).sqrt(), max_relative = 1e-9);
        assert!(floor < limit && floor > 0.95 * limit);
    }
    let flat = circuit(2, [0.0, 1.0, 0.0, 1.0, 0.0]);
    assert_eq!(flat.precision_floor(0.1).unwrap(), None);
    let column = CorticalColumn::uniform(flat.clone(), 4, Coupling { gain: 1.0, offset: 0.0 }).unwrap();
    assert_relative_eq!(column.precision_floor(0.1).unwrap(), 0.2, max_relative = 1e-12);
    assert!(flat.precision_floor(-0.1).is_err());
    let shifted = CorticalColumn::uniform(flat, 4, Coupling { gain: 1.0, offset: 0.5 }).unwrap();
    assert!(shifted.precision_floor(0.1).unwrap_err().to_string().contains("offset"));
}
