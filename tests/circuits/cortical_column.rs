//! The cortical column.

use approx::assert_relative_eq;
use ndarray::{Array1, array};
use neuronash::Error;
use neuronash::circuits::cortical_column::{ColumnVerdict, CorticalColumn, Coupling};
use neuronash::circuits::{ColumnDesign, LateralInhibition};
use neuronash::stability::diagonal::certify_shifted;
use proptest::prelude::*;

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
        k in 2usize..4, w in prop::collection::vec(weights(), 1..4), gain in 0.1..4.0f64,
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
        assert_eq!(predicted[1], contrast, "{offset}");
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
