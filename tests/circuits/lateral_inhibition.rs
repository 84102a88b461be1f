//! The layer with lateral inhibition.

use approx::assert_relative_eq;
use ndarray::{Array1, Array2, array};
use neuronash::Error;
use neuronash::activation::{ClippedLinear, Tanh};
use neuronash::circuits::lateral_inhibition::{Winner, contrast};
use neuronash::circuits::{ColumnDesign, LateralInhibition};
use neuronash::stability::diagonal::certify;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::is_certified;

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
            let slack = is_certified(&circuit.network(&Array1::zeros(k)).unwrap(), &certificate.weights(k).unwrap(), certificate.margin());
            prop_assert!(slack);
            let ratios = circuit.certifying_ratios(certificate.margin()).unwrap().unwrap();
            prop_assert!(ratios.lower < certificate.ratio() && certificate.ratio() < ratios.upper);
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

    /// 6.3: also where the winner's rate is clipped, as long as the inhibition that it then drives silences the next.
    #[test]
    fn a_clipped_winner_silences_the_rest(
        k in 2usize..6, a in 0.0..0.9f64, c in 1.0..2.0f64, ceiling in 0.5..0.95f64, excess in 1.05..2.0f64,
        input in prop::collection::vec(0.5..1.0f64, 5),
    ) {
        let input = Array1::from_vec(input[..k].to_vec());
        let mut sorted = input.to_vec();
        sorted.sort_by(f64::total_cmp);
        prop_assume!(sorted[k - 1] > sorted[k - 2] + 0.01);
        // Below the rate u / p of the winner without a ceiling.
        let p = 1.0 - a;
        let most = ceiling * sorted[k - 1] / p;
        let circuit = circuit(k, [a, 0.0, excess / ceiling * p / c, c, 0.0])
            .to_builder()
            .tau_i(0.2)
            .excitatory(ClippedLinear::new(0.0, most).unwrap())
            .build()
            .unwrap();
        prop_assert!(circuit.is_winner_take_all().unwrap());
        let run = circuit.network(&input).unwrap().simulate().until_converged(1e-9).run().unwrap();
        prop_assert!(run.converged());
        let Winner::Column(winner) = circuit.winner(&run.final_state(), 1e-6).unwrap() else {
            return Err(TestCaseError::fail("several winners"));
        };
        prop_assert_eq!(Winner::Column(winner), circuit.predicted_winner(&input, 0.0).unwrap());
        prop_assert!((run.final_state()[2 * winner] - most).abs() < 1e-7);
        prop_assert_eq!(circuit.winner(&circuit.respond(&input).unwrap().state, 1e-6).unwrap(), Winner::Column(winner));
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
    let depth = |initial: f64, target: f64| {
        ColumnDesign::new(2).contrast_gain(2.0).contrasts(initial, target).solve().unwrap().column.depth()
    };
    assert_eq!(depth(0.1, 0.8), 3);
    assert_eq!(depth(0.01, 0.9), 7);
    assert_eq!(depth(0.5, 0.5), 1);
    assert_eq!(circuit(2, [0.0, 2.0, 1.0, 1.0, 0.0]).contrast_gain().unwrap(), Some(2.0)); // (1 + 3)/(1 + 1)
}

/// Random circuits whose margin is pressed towards 0 by their lateral weight: every certificate that is handed out is one that
/// the network's own check proves again.
#[test]
fn certificates_near_the_border_pass_the_check_of_their_network() {
    let mut random = StdRng::seed_from_u64(3);
    let (mut handed_out, mut refused) = (0, Vec::new());
    for _ in 0..600 {
        let k = random.random_range(2..6);
        let w: [f64; 5] = [0.9, 3.0, 0.0, 3.0, 2.0].map(|most| most * random.random_range(0.0..1.0));
        let rho = [random.random_range(0.3..3.0), random.random_range(0.3..3.0)];
        let with = |lateral: f64| {
            LateralInhibition::builder(k)
                .w_ee(w[0] / rho[0])
                .w_ei(w[1])
                .w_ei_lateral(lateral)
                .w_ie(w[3])
                .w_ii(w[4])
                .excitatory(Tanh::with_gain(rho[0]).unwrap())
                .inhibitory(Tanh::with_gain(rho[1]).unwrap())
                .build()
                .unwrap()
        };
        let (mut low, mut high) = (0.0, 1e3);
        for _ in 0..70 {
            let middle = 0.5 * (low + high);
            if with(middle).is_diagonally_stable().unwrap() { low = middle } else { high = middle }
        }
        let near = with(low * (1.0 - 10f64.powf(random.random_range(-16.0..-1.0))));
        let Some(proof) = near.certify().unwrap() else { continue };
        match proof.network(&near) {
            Ok(certificate) => {
                near.network(&Array1::ones(k)).unwrap().verify(&certificate).unwrap();
                assert!(certificate.margin() > 0.0);
                handed_out += 1;
            }
            Err(error) => {
                assert!(matches!(error, Error::NotProved { .. } | Error::NotCertified { .. }), "{error}");
                refused.push(proof.margin());
            }
        }
    }
    // Only next to the border is nothing handed out.
    assert!(handed_out > 450, "{handed_out} {refused:?}");
    assert!(refused.iter().all(|margin| *margin < 1e-12), "{refused:?}");
}
