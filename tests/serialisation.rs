//! What is written with feature `serde` reads back the same, and what is read is checked like any other input.
#![cfg(feature = "serde")]

use std::fmt::Debug;

use ndarray::{Array1, Array2, array};
use neuronash::Error;
use neuronash::activation::{ActivationCost, ClippedLinear, Domain, Identity, PowerLaw, Relu, Tanh};
use neuronash::circuits::{ColumnDesign, LateralInhibition, WilsonCowan};
use neuronash::dynamics::Trajectory;
use neuronash::equilibrium::{
    Anderson, Continuum, Equilibrium, FixedPoint, ForwardBackward, Method, Newton, PeacemanRachford,
};
use neuronash::game::{split, symmetrizing_weights};
use neuronash::network::{FiringRateNetwork, Members, Weights};
use neuronash::stability::contraction::{
    PerronOptions, SContractingWeights, SContraction, SContractionOptions, s_contraction,
};
use neuronash::stability::diagonal::{Certificate, Certifier, Margin, Refutation, Verdict, certify, margin};
use neuronash::stability::{Condition, NetworkCertificate, NetworkVerdict, ReportOptions};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, from_str, json, to_string};

fn there_and_back<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = to_string(value).unwrap();
    from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    assert_eq!(there_and_back(&value), value);
}

/// For types whose parts are all printed by `Debug`, but that cannot be compared.
fn survives_as_printed<T: Serialize + DeserializeOwned + Debug>(value: T) {
    assert_eq!(format!("{:?}", there_and_back(&value)), format!("{value:?}"));
}

fn refused<T: DeserializeOwned + Debug>(stored: Value) -> String {
    serde_json::from_value::<T>(stored).unwrap_err().to_string()
}

#[test]
fn weights_and_what_is_made_of_them() {
    let dense = Weights::dense(&array![[0.5, -1.0 / 3.0], [1e-300, 0.0]]).unwrap();
    let sparse = Weights::from_triplets(3, [(2, 0, 0.1f32), (0, 1, -2.0), (2, 2, 1.0)]).unwrap();
    let named = serde_json::to_value(&sparse).unwrap();
    assert_eq!(named["sparse"]["row_starts"], json!([0, 1, 1, 3]));
    survives(split(&dense, &array![1.0, 3.0]).unwrap());
    survives(split(&sparse, &array![1.0, 3.0, 1.0]).unwrap());
    survives(symmetrizing_weights(&dense, 0.0).unwrap().unwrap_err());
    survives(dense.dale());
    survives(dense);
    survives(sparse);
    survives(Members::from(1..3));
    survives(Members::from(vec![4, 0]));
}

#[cfg(feature = "csv")]
#[test]
fn named_weights() {
    use neuronash::network::read::{EdgeList, NamedWeights};
    let named = EdgeList::<f64>::new().read_from("pre,post,weight\nA,B,3\nC,B,-2\n".as_bytes(), "three").unwrap();
    let stored = serde_json::to_value(&named).unwrap();
    survives(named);
    let renamed = |names: Value| refused::<NamedWeights<f64>>(json!({"names": names, "weights": stored["weights"]}));
    assert!(renamed(json!(["A", "B"])).contains("`names` has shape [2]"));
    assert!(renamed(json!(["A", "C", "B"])).contains("increasing order"));
    assert!(renamed(json!(["A", "A", "B"])).contains("increasing order"));
}

#[test]
fn answers_of_the_game_with_infinite_parts() {
    let w = array![[2.0f64, -1.0, 0.0], [1.0, 0.5, 0.0], [0.0, 0.0, 2.0]];
    let net = FiringRateNetwork::builder(w)
        .population("linear", 0..2, Relu)
        .population("torn", 2..3, Tanh::new())
        .build()
        .unwrap();
    let (game, x) = (net.game(), array![1.0, -2.0, 0.0]);
    let all = game.best_responses(&x).unwrap();
    assert!(all.unbounded().count() == 1 && all.ties().count() == 1);
    survives(all);
    for i in 0..3 {
        survives(game.best_response(i, &x).unwrap());
        survives(game.energy(i, &x).unwrap());
    }
    let energies = game.energies(&x).unwrap();
    assert!(energies.total[1].is_infinite());
    survives(energies);
    survives(game.exploitability(&x).unwrap());
    survives(game.is_nash(&x, 1e-9).unwrap());
    survives(game.is_nash(&x, f64::INFINITY).unwrap());
}

#[test]
fn single_precision_and_the_ends_of_activations() {
    survives(Domain::<f32>::everything());
    survives(ActivationCost::<f32>::slope_range(&PowerLaw::new(0.3f32).unwrap()));
    survives(ActivationCost::<f32>::linear_pieces(&Relu).unwrap());
    survives(ActivationCost::<f64>::linear_pieces(&ClippedLinear::new(-0.1, 1.0 / 3.0).unwrap()).unwrap());
    let net = FiringRateNetwork::builder(array![[3.0f32]]).activation(Relu).build().unwrap();
    survives(net.game().best_responses(&array![0.1f32]).unwrap());
}

#[test]
fn circuits() {
    let layer = LateralInhibition::<f64>::builder(3).w_ee(0.5).w_ei(0.1).w_ei_lateral(0.3).build().unwrap();
    let ratios = layer.certifying_ratios(0.0).unwrap().unwrap();
    assert!(ratios.upper.is_infinite());
    survives(ratios);
    survives(layer.gains().unwrap());
    survives(layer.certify().unwrap());
    survives(layer.respond(&array![1.0, 0.5, 0.2]).unwrap());
    let design = ColumnDesign::<f64>::new(2).contrast_gain(3.0).margin(0.2).contrasts(0.01, 0.9);
    survives(design.clone());
    let designed = design.solve().unwrap();
    survives(designed.certificate);
    // A line of equilibria, and a determinant of zero.
    let circuit = WilsonCowan::<f64>::builder().w_ee(1.0).build().unwrap();
    let all = circuit.network().all_equilibria().find().unwrap();
    assert!(matches!(all.continua[0], Continuum::Line { upper: f64::INFINITY, .. }), "{all:?}");
    survives(all);
    let equilibria = circuit.equilibria().unwrap();
    assert!(equilibria.continua()[0][1].is_infinite());
    let printed = format!("{equilibria:?}");
    assert_eq!(format!("{:?}", there_and_back(&equilibria)), printed);
}

#[test]
fn options_are_checked() {
    survives(PerronOptions::default().tolerance(1e-3).max_iterations(7));
    survives(SContractionOptions::default().tolerance(1e-3));
    survives(ReportOptions::default().without(Condition::SContraction).up_to(Condition::Hurwitz, 17));
    survives(SContractingWeights::new(&array![[2.0, 0.5], [0.5, 1.0]], &array![1.0, 3.0], 0.3).unwrap());
    let options: PerronOptions = serde_json::from_value(json!({"tolerance": 1.0, "max_iterations": 3})).unwrap();
    assert!(options.solve(&array![[-1.0]]).unwrap_err().to_string().contains("`tolerance` is 1"));
    let options: SContractionOptions = serde_json::from_value(json!({"tolerance": 0.0})).unwrap();
    assert!(options.solve(&array![[0.5]]).unwrap_err().to_string().contains("`tolerance` is 0"));
    let stored = |p: Array2<f64>, q: Array1<f64>, rate: f64| json!({"p": p, "q": q, "rate": rate});
    let p = array![[2.0, 0.5], [0.5, 1.0]];
    assert!(refused::<SContractingWeights>(stored(-&p, array![1.0, 3.0], 0.3)).contains("positive definite"));
    assert!(refused::<SContractingWeights>(stored(p.clone(), array![1.0, 0.0], 0.3)).contains("`q[1]`"));
    assert!(refused::<SContractingWeights>(stored(p, array![1.0, 3.0], 1.5)).contains("`rate`"));
}

#[test]
fn certificates_of_networks_are_checked() {
    let net = FiringRateNetwork::builder(array![[0.5, -4.0], [3.0, 0.0]]).activation(Relu).build().unwrap();
    let certificate = net.certify().unwrap().into_certificate().unwrap();
    let stored = serde_json::to_value(&certificate).unwrap();
    survives(certificate);
    survives_as_printed::<NetworkVerdict>(net.certify().unwrap());
    let unstable = FiringRateNetwork::builder(array![[2.0]]).activation(Relu).build().unwrap();
    survives_as_printed::<NetworkVerdict>(unstable.certify().unwrap());
    let edge = FiringRateNetwork::builder(array![[1.0f64.next_down()]]).activation(Relu).build().unwrap();
    let verdict = edge.certify().unwrap();
    assert!(matches!(verdict, NetworkVerdict::StableWithoutBounds(_)));
    survives::<NetworkVerdict>(verdict);
    let with = |field: &str, value: Value| {
        let mut changed = stored.clone();
        changed[field] = value;
        refused::<NetworkCertificate>(changed)
    };
    assert!(with("margin", json!(0.0)).contains("`margin` is 0"));
    let mut boastful = stored.clone();
    boastful["margin"] = json!(10.0);
    net.verify(&serde_json::from_value(stored.clone()).unwrap()).unwrap();
    let boastful: NetworkCertificate = serde_json::from_value(boastful).unwrap();
    assert!(matches!(net.verify(&boastful), Err(Error::NotProved { .. })));
    assert!(with("weights", json!(array![1.0, -1.0])).contains("`weights[1]` is -1"));
    assert!(with("slope_bounds", json!(array![1.0])).contains("`slope_bounds` has shape [1]"));
}

#[test]
fn a_certificate_that_claims_too_much_does_not_verify() {
    let a = array![[-1.0, -4.0, 0.3], [1.0, -1.0, 0.0], [0.2, -0.5, -1.0]];
    let certificate = certify(&a).unwrap().certificate().unwrap().clone();
    certificate.verify(&a).unwrap();
    let stored = serde_json::to_value(&certificate).unwrap();
    survives(certificate.clone());
    for (field, value) in [
        (["margin_lower"].as_slice(), json!(1.1 * certificate.margin_lower() + 0.2)),
        (&["weights", "mantissa"], json!(array![1.0, 1.9, 1.0])),
        (&["weights", "exponent"], json!([0, 20, -20])),
    ] {
        let changed: Certificate = serde_json::from_value(with(&stored, field, value)).unwrap();
        assert!(matches!(changed.verify(&a), Err(Error::NotProved { .. })), "{field:?}");
    }
}

/// A stored value with one of its parts replaced.
fn with(stored: &Value, path: &[&str], value: Value) -> Value {
    let mut changed = stored.clone();
    *path.iter().fold(&mut changed, |part, key| &mut part[*key]) = value;
    changed
}

#[test]
fn proofs_whose_parts_do_not_fit_are_refused() {
    let a = array![[-1.0, -4.0, 0.3], [1.0, -1.0, 0.0], [0.2, -0.5, -1.0]];
    let certificate = certify(&a).unwrap().certificate().unwrap().clone();
    let stored = serde_json::to_value(&certificate).unwrap();
    let refuse = |path: &[&str], value: Value| refused::<Certificate>(with(&stored, path, value));
    for margin in [json!(-1.0), json!(null), json!("NaN"), json!("inf")] {
        refuse(&["margin_lower"], margin);
    }
    let mantissa = ["weights", "mantissa"];
    assert!(refuse(&mantissa, json!(array![1.0, 1.0])).contains("`exponent` has shape [3]; expected [2]"));
    assert!(refuse(&mantissa, json!(array![1.0, -1.0, 1.0])).contains("`mantissa[1]` is -1"));
    assert!(refuse(&mantissa, json!(array![1.0, 0.0, 1.0])).contains("`mantissa[1]` is 0"));
    refuse(&mantissa, json!({"v": 1, "dim": [3], "data": [1.0, null, 1.0]}));
    refuse(&mantissa, json!({"v": 1, "dim": [3], "data": [1.0, 1.0]}));
    assert!(refuse(&["weights", "exponent"], json!([0, i32::MIN, i32::MAX])).contains("`exponent[1]`"));
    let empty = json!({"mantissa": {"v": 1, "dim": [0], "data": []}, "exponent": []});
    assert!(refuse(&["weights"], empty).contains("empty"));
    // Parts that fit each other, but no longer the matrix.
    let short = json!({"mantissa": array![1.0, 1.0], "exponent": [0, 0]});
    let short: Certificate = serde_json::from_value(with(&stored, &["weights"], short)).unwrap();
    let sparse = sprs::CsMat::csr_from_dense(a.view(), 0.0);
    assert!(matches!(short.verify(&a), Err(Error::NotProved { .. })));
    assert!(matches!(short.verify(&sparse), Err(Error::NotProved { .. })));

    let refutation = certify(&array![[-1.0, 2.0], [2.0, -1.0]]).unwrap().refutation().unwrap().clone();
    let stored = serde_json::to_value(&refutation).unwrap();
    survives(refutation);
    let witness = |dim: [usize; 2], data: Value| {
        let witness = json!({"v": 1, "dim": dim, "data": data});
        refused::<Refutation>(with(&stored, &["witness"], witness))
    };
    assert!(witness([2, 0], json!([])).contains("`witness` has shape [2, 0]"));
    assert!(witness([1, 2], json!([1.0, 1.0])).contains("`witness` has shape [1, 2]"));
    witness([2, 1], json!([1.0, null]));
}

#[test]
fn margins_whose_parts_do_not_fit_are_refused() {
    let a = array![[-1.0, -4.0, 0.3], [1.0, -1.0, 0.0], [0.2, -0.5, -1.0]];
    let margin = margin(&a).unwrap();
    let stored = serde_json::to_value(&margin).unwrap();
    survives_as_printed(margin.max_gain());
    survives_as_printed(margin);
    serde_json::from_value::<Margin>(stored.clone()).unwrap().verify(&a).unwrap();
    let refuse = |path: &[&str], value: Value| refused::<Margin>(with(&stored, path, value));
    for lower in ["NaN", "inf"] {
        let mut wrong = stored.clone();
        wrong["blocks"][0]["lower"] = json!(lower);
        assert!(refused::<Margin>(wrong).contains(&format!("`lower` is {lower}")));
    }
    refuse(&["origin"], json!(null));
    assert!(refuse(&["origin"], json!(-100.0)).contains("`origin`"));
    let other_question: Margin = serde_json::from_value(with(&stored, &["origin"], json!(-1.0))).unwrap();
    assert!(matches!(other_question.verify(&a), Err(Error::NotProved { .. })));
    assert!(refuse(&["blocks"], json!([])).contains("`blocks`"));
    let mut short = stored.clone();
    short["blocks"][0]["weights"] = json!({"mantissa": array![1.0], "exponent": [0]});
    assert!(refused::<Margin>(short).contains("`weights` has shape [1]; expected [3]"));
    let mut twice = stored.clone();
    twice["blocks"][0]["indices"] = json!([0, 1, 1]);
    assert!(refused::<Margin>(twice).contains("each of the rows 0..3 once"));
    // A block that is said to need no weights is not proved.
    let mut unproved = stored.clone();
    unproved["blocks"][0]["weights"] = Value::Null;
    let unproved: Margin = serde_json::from_value(unproved).unwrap();
    assert!(matches!(unproved.verify(&a), Err(Error::NotProved { .. })));
}

#[test]
fn trajectories_with_infinite_and_undefined_parts() {
    // Rates below 0 have infinite energy for a rectifier, and the linear neuron runs away.
    let net = FiringRateNetwork::builder(array![[0.0f64, 0.0], [0.0, 3.0]])
        .population("rectified", 0..1, Relu)
        .population("linear", 1..2, Identity)
        .build()
        .unwrap();
    let run =
        net.simulate().initial(&array![-1.0, 1.0]).until(1.0).record_energies().record_exploitability().run().unwrap();
    assert!(run.energies().unwrap()[[0, 0]].is_infinite() && run.exploitability().unwrap()[0].is_infinite());
    let stored = serde_json::to_value(&run).unwrap();
    survives(run);
    assert!(
        refused::<Trajectory<f64>>(with(&stored, &["times"], json!(array![0.0]))).contains("`times` has shape [1]")
    );
    let short = json!(array![0.0]);
    assert!(refused::<Trajectory<f64>>(with(&stored, &["nash_conv"], short)).contains("`nash_conv` has shape [1]"));
    let energies = json!(Array2::<f64>::zeros((1, 2)));
    assert!(refused::<Trajectory<f64>>(with(&stored, &["energies"], energies)).contains("`energies` has shape [1, 2]"));

    let certified = FiringRateNetwork::builder(array![[-0.5f64]]).activation(Relu).build().unwrap();
    let certificate = certified.certify().unwrap().into_certificate().unwrap();
    let start = array![-1.0];
    let run = certified.simulate().initial(&start).until(1.0).record_lyapunov(&certificate).run().unwrap();
    assert!(run.lyapunov().unwrap()[0].is_infinite());
    survives(run);
    let play = certified.game().play().record_exploitability().run().unwrap();
    survives(play);
}

#[test]
fn outcomes_of_solves() {
    let net = FiringRateNetwork::builder(array![[0.0, -2.0], [1.5, 0.0]])
        .activation(Tanh::new())
        .input(&array![1.0, 0.5])
        .build()
        .unwrap();
    let certificate = net.certify().unwrap().into_certificate().unwrap();
    let outcome = net.equilibrium().certificate(&certificate).outcome().unwrap();
    let stored = serde_json::to_value(outcome.equilibrium().unwrap()).unwrap();
    survives(outcome);
    survives(net.to_hopfield().equilibrium().certificate(&certificate).outcome().unwrap());
    let short = json!(array![1.0]);
    assert!(refused::<Equilibrium<f64>>(with(&stored, &["other"], short)).contains("`other` has shape [1]"));
    // A residual that is never finite.
    let huge = FiringRateNetwork::builder(array![[1e300]]).activation(Identity).input(&array![1e300]).build().unwrap();
    let diverged = huge.equilibrium().method(FixedPoint::new()).initial(&array![1e200]).outcome().unwrap();
    assert!(diverged.report().residual.is_infinite(), "{diverged}");
    survives(diverged);
}

#[test]
fn methods_of_solvers_are_checked_when_used() {
    survives(Method::Auto);
    survives(Method::from(FixedPoint::new().damping(0.3)));
    survives(Method::from(Anderson::new().memory(4).mixing(0.7)));
    survives(Method::from(ForwardBackward::new()));
    survives(Method::from(PeacemanRachford::new().step(0.1)));
    survives(Method::from(Newton::new()));
    let method: Method = serde_json::from_value(json!({"FixedPoint": {"damping": 2.0}})).unwrap();
    let net = FiringRateNetwork::builder(array![[0.5]]).activation(Relu).build().unwrap();
    assert!(net.equilibrium().method(method).solve().unwrap_err().to_string().contains("`damping` is 2"));
}

#[test]
fn bounds_of_which_one_is_infinite() {
    // Interrupted before anything is proved.
    let certifier = Certifier::builder().observer(|_| std::ops::ControlFlow::Break(())).build().unwrap();
    let a = array![[-1.0, 0.0, -1.999], [1.999, -1.0, 0.0], [0.0, 1.999, -1.0]];
    let margin = certifier.margin(&a).unwrap();
    survives_as_printed(margin);
    let sparse =
        sprs::TriMat::<f64>::from_triplets((5000, 5000), (0..5000).collect(), (0..5000).collect(), vec![-1.0; 5000]);
    let mut sparse = sparse;
    sparse.add_triplet(0, 1, 9.0);
    sparse.add_triplet(1, 0, -9.0);
    let Verdict::Undecided(undecided) = certifier.certify(&sparse.to_csr::<usize>()).unwrap() else {
        panic!("interrupted before anything is decided")
    };
    assert_eq!(undecided.bounds().lower, f64::NEG_INFINITY);
    survives(undecided);
}

#[test]
fn weights_are_checked() {
    let dense = |rows: usize, columns: usize, data: Value| {
        refused::<Weights<f64>>(json!({"dense": {"v": 1, "dim": [rows, columns], "data": data}}))
    };
    assert!(dense(1, 2, json!([1.0, 2.0])).contains("square"));
    assert!(dense(0, 0, json!([])).contains("empty"));
    assert!(dense(2, 2, json!([1.0, 2.0, 3.0])).contains("data and dimension"));
    let sparse = |row_starts: Value, columns: Value, values: Value| {
        refused::<Weights<f64>>(json!({"sparse": {"row_starts": row_starts, "columns": columns, "values": values}}))
    };
    assert!(sparse(json!([]), json!([]), json!([])).contains("`weights` is"));
    assert!(sparse(json!([0]), json!([]), json!([])).contains("empty"));
    assert!(sparse(json!([0, 1, 2]), json!([0, 2]), json!([1.0, 1.0])).contains("`weights` is"));
    assert!(sparse(json!([0, 2, 2]), json!([1, 0]), json!([1.0, 1.0])).contains("`weights` is"));
    assert!(sparse(json!([0, 2, 2]), json!([1, 1]), json!([1.0, 1.0])).contains("`weights` is"));
    assert!(sparse(json!([0, 2, 1]), json!([0, 1]), json!([1.0, 1.0])).contains("`weights` is"));
    assert!(sparse(json!([0, 1, 1]), json!([0]), json!([1.0, 1.0])).contains("`weights` is"));
    // A number beyond the range of the type must not come in as infinite.
    let single = refused::<Weights<f32>>(json!({"dense": {"v": 1, "dim": [1, 1], "data": [1e300]}}));
    assert!(single.contains("`weights`[0][0] is inf"), "{single}");
}

proptest! {
    #[test]
    fn no_stored_matrix_makes_the_reader_panic(
        row_starts in proptest::collection::vec(prop_oneof![4 => 0usize..5, 1 => any::<usize>()], 0..5),
        columns in proptest::collection::vec(prop_oneof![9 => 0usize..4, 1 => any::<usize>()], 0..6),
        values in proptest::collection::vec(-2.0..2.0f64, 0..6),
        dim in [prop_oneof![4 => 0usize..4, 1 => any::<usize>()], prop_oneof![4 => 0usize..4, 1 => any::<usize>()]],
    ) {
        let sparse = json!({"sparse": {"row_starts": row_starts, "columns": columns, "values": values}});
        let dense = json!({"dense": {"v": 1, "dim": dim, "data": values}});
        for stored in [sparse, dense] {
            if let Ok(weights) = serde_json::from_value::<Weights<f64>>(stored) {
                // What is accepted is sound.
                prop_assert_eq!(weights.product(&Array1::ones(weights.len())).unwrap().len(), weights.len());
                prop_assert_eq!(weights.to_dense().dim(), (weights.len(), weights.len()));
                prop_assert_eq!(&there_and_back(&weights), &weights);
            }
        }
    }
}

#[test]
fn a_forged_multiplier_whose_square_underflows_proves_nothing() {
    let w = array![[1e20]];
    let mut stored = serde_json::to_value(s_contraction(&w).unwrap()).unwrap();
    for y in [1e-160, 1.3e-162, 1e-100, 1e200] {
        stored["refutation"]["multipliers"][0]["y"]["data"][0] = json!(y);
        stored["upper"] = json!(-1.00001e20);
        let forged: SContraction = serde_json::from_value(stored.clone()).unwrap();
        assert!(forged.verify(&w).is_err(), "{y:e}");
    }
}
