//! What is written with feature `serde` reads back the same, and what is read is checked like any other input.
#![cfg(feature = "serde")]

use std::fmt::Debug;

use ndarray::{Array1, Array2, array};
use neuronash::Error;
use neuronash::activation::{ActivationCost, ClippedLinear, Domain, Identity, PowerLaw, Relu, Tanh};
use neuronash::circuits::cortical_column::{ColumnCertificate, ColumnVerdict, CorticalColumn, Coupling};
use neuronash::circuits::lateral_inhibition::RatioCertificate;
use neuronash::circuits::{ColumnDesign, LateralInhibition, WilsonCowan};
use neuronash::dynamics::Trajectory;
use neuronash::equilibrium::{
    Anderson, Continuum, Equilibrium, FixedPoint, ForwardBackward, Method, Newton, PeacemanRachford, Uniqueness,
};
use neuronash::game::{split, symmetrizing_weights};
use neuronash::network::{FiringRateNetwork, Members, Weights};
use neuronash::stability::contraction::{
    Contraction, NormKind, PerronOptions, SContractingWeights, SContraction, SContractionOptions, s_contraction,
};
use neuronash::stability::diagonal::{
    AlmostSureCertificate, Certificate, Certifier, Gain, Margin, Proof, Refutation, Verdict, certify, margin,
};
use neuronash::stability::{self, Claim, Condition, IntoSubject, NetworkCertificate, NetworkVerdict, ReportOptions};
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

/// A proof reads back as a claim, of which the subject makes the same proof again.
fn survives_as_claim<'a, C>(proof: C, subject: impl IntoSubject<'a, C::Subject<'a>>)
where
    C: stability::Certificate + Serialize + PartialEq + Debug,
    Claim<C>: DeserializeOwned,
{
    let claim: Claim<C> = from_str(&to_string(&proof).unwrap()).unwrap();
    assert_eq!(claim.verify(subject).unwrap(), proof);
}

/// The error of a claim that does not hold.
fn not_proved<'a, C>(stored: Value, subject: impl IntoSubject<'a, C::Subject<'a>>) -> bool
where
    C: stability::Certificate + Debug,
    Claim<C>: DeserializeOwned,
{
    let claim: Claim<C> = serde_json::from_value(stored).unwrap();
    matches!(claim.verify(subject), Err(Error::NotProved { .. }))
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
    survives_as_claim(layer.certify().unwrap().unwrap(), &layer);
    survives(layer.respond(&array![1.0, 0.5, 0.2]).unwrap());
    let design = ColumnDesign::<f64>::new(2).contrast_gain(3.0).margin(0.2).contrasts(0.01, 0.9);
    survives(design.clone());
    let designed = design.solve().unwrap();
    survives_as_claim(designed.certificate, &designed.column);
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
    survives_as_claim(certificate, &net);
    survives_as_claim::<NetworkVerdict>(net.certify().unwrap(), &net);
    let unstable = FiringRateNetwork::builder(array![[2.0]]).activation(Relu).build().unwrap();
    survives_as_claim::<NetworkVerdict>(unstable.certify().unwrap(), &unstable);
    let edge = FiringRateNetwork::builder(array![[1.0f64.next_down()]]).activation(Relu).build().unwrap();
    let verdict = edge.certify().unwrap();
    assert!(matches!(verdict, NetworkVerdict::StableWithoutBounds(_)));
    survives_as_claim::<NetworkVerdict>(verdict, &edge);
    let with = |field: &str, value: Value| {
        let mut changed = stored.clone();
        changed[field] = value;
        refused::<Claim<NetworkCertificate>>(changed)
    };
    assert!(with("margin", json!(0.0)).contains("`margin` is 0"));
    let mut boastful = stored.clone();
    boastful["margin"] = json!(10.0);
    assert!(not_proved::<NetworkCertificate>(boastful, &net));
    assert!(with("weights", json!(array![1.0, -1.0])).contains("`weights[1]` is -1"));
    assert!(with("slope_bounds", json!(array![1.0])).contains("`slope_bounds` has shape [1]"));
}

#[test]
fn a_certificate_that_claims_too_much_does_not_verify() {
    let a = array![[-1.0, -4.0, 0.3], [1.0, -1.0, 0.0], [0.2, -0.5, -1.0]];
    let certificate = certify(&a).unwrap().certificate().unwrap().clone();
    certificate.verify(&a).unwrap();
    let stored = serde_json::to_value(&certificate).unwrap();
    survives_as_claim(certificate.clone(), &a);
    for (field, value) in [
        (["margin_lower"].as_slice(), json!(1.1 * certificate.margin_lower() + 0.2)),
        (&["weights", "mantissa"], json!(array![1.0, 1.9, 1.0])),
        (&["weights", "exponent"], json!([0, 20, -20])),
    ] {
        assert!(not_proved::<Certificate>(with(&stored, field, value), &a), "{field:?}");
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
    let refuse = |path: &[&str], value: Value| refused::<Claim<Certificate>>(with(&stored, path, value));
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
    let short = with(&stored, &["weights"], short);
    let sparse = sprs::CsMat::csr_from_dense(a.view(), 0.0);
    assert!(not_proved::<Certificate>(short.clone(), &a));
    assert!(not_proved::<Certificate>(short, &sparse));

    let symmetric = array![[-1.0, 2.0], [2.0, -1.0]];
    let refutation = certify(&symmetric).unwrap().refutation().unwrap().clone();
    let stored = serde_json::to_value(&refutation).unwrap();
    survives_as_claim(refutation, &symmetric);
    let witness = |dim: [usize; 2], data: Value| {
        let witness = json!({"v": 1, "dim": dim, "data": data});
        refused::<Claim<Refutation>>(with(&stored, &["witness"], witness))
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
    survives_as_claim(margin.max_gain(), &a);
    survives_as_claim(margin, &a);
    let refuse = |path: &[&str], value: Value| refused::<Claim<Margin>>(with(&stored, path, value));
    for lower in ["NaN", "inf"] {
        let mut wrong = stored.clone();
        wrong["blocks"][0]["lower"] = json!(lower);
        assert!(refused::<Claim<Margin>>(wrong).contains(&format!("`lower` is {lower}")));
    }
    refuse(&["origin"], json!(null));
    assert!(refuse(&["origin"], json!(-100.0)).contains("`origin`"));
    assert!(not_proved::<Margin>(with(&stored, &["origin"], json!(-1.0)), &a));
    assert!(refuse(&["blocks"], json!([])).contains("`blocks`"));
    let mut short = stored.clone();
    short["blocks"][0]["weights"] = json!({"mantissa": array![1.0], "exponent": [0]});
    assert!(refused::<Claim<Margin>>(short).contains("`weights` has shape [1]; expected [3]"));
    let mut twice = stored.clone();
    twice["blocks"][0]["indices"] = json!([0, 1, 1]);
    assert!(refused::<Claim<Margin>>(twice).contains("each of the rows 0..3 once"));
    // A block that is said to need no weights is not proved.
    let mut unproved = stored.clone();
    unproved["blocks"][0]["weights"] = Value::Null;
    assert!(not_proved::<Margin>(unproved, &a));
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
    for outcome in [outcome, net.to_hopfield().equilibrium().certificate(&certificate).outcome().unwrap()] {
        let read = there_and_back(&outcome);
        assert_eq!(read.equilibrium().unwrap().state(), outcome.equilibrium().unwrap().state());
        // What is read is no proof.
        assert!(outcome.report().error_bound.is_some() && outcome.report().uniqueness == Uniqueness::Proved);
        assert!(read.report().error_bound.is_none() && read.report().uniqueness == Uniqueness::NotProved);
        assert!(read.report().potential_error_bound.is_none());
    }
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
    survives_as_claim(margin, &a);
    let sparse =
        sprs::TriMat::<f64>::from_triplets((5000, 5000), (0..5000).collect(), (0..5000).collect(), vec![-1.0; 5000]);
    let mut sparse = sparse;
    sparse.add_triplet(0, 1, 9.0);
    sparse.add_triplet(1, 0, -9.0);
    let Verdict::Undecided(undecided) = certifier.certify(&sparse.to_csr::<usize>()).unwrap() else {
        panic!("interrupted before anything is decided")
    };
    assert_eq!(undecided.bounds().lower, f64::NEG_INFINITY);
    // The bounds come without a proof.
    let sparse = sparse.to_csr::<usize>();
    assert!(not_proved::<Verdict>(serde_json::to_value(Verdict::Undecided(undecided)).unwrap(), &sparse));
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
        assert!(not_proved::<SContraction>(stored.clone(), &w), "{y:e}");
    }
}

/// Every stored value with one of its parts changed: numbers, texts, lengths, and neighbours exchanged.
fn mutants(stored: &Value) -> Vec<Value> {
    let other = |x: f64| {
        let near = [x.next_up(), x.next_down(), x * (1.0 + 1e-12), x * (1.0 - 1e-12), x + 1e-9, x - 1e-9];
        let far = [0.0, -0.0, -x, 2.0 * x, 0.5 * x, 1.5 * x, 1.0, -1.0, 3.0, 1e308, -1e308, 1e-308, 5e-324, 1e17];
        let numbers = near.into_iter().chain(far).map(|v| json!(v));
        let whole = [0i64, 1, -1, 2, 3, 7, 1000, i64::from(i32::MAX), i64::MAX].map(|v| json!(v));
        numbers.chain(whole).chain([json!("NaN"), json!("inf"), json!("-inf"), Value::Null]).collect::<Vec<_>>()
    };
    match stored {
        Value::Number(x) => other(x.as_f64().unwrap()),
        Value::String(_) => {
            let texts = ["", "x", "inf", "-inf", "NaN", "Given", "Margin", "Metzler", "Hopfield", "FiringRate", "One"];
            let more = ["Infinity", "Two", "Unit", "HMatrix", "DenseCholesky", "SparseCholesky", "Randomised"];
            texts.into_iter().chain(more).map(|text| json!(text)).chain([json!(1.0), json!(-1.0)]).collect()
        }
        Value::Bool(b) => vec![json!(!b)],
        Value::Null => vec![json!(1.0), json!("HMatrix"), json!("Randomised"), json!({"proof": "HMatrix", "seed": 0})],
        Value::Array(parts) => {
            let mut all: Vec<Value> = Vec::new();
            for (k, part) in parts.iter().enumerate() {
                all.extend(mutants(part).into_iter().map(|m| {
                    let mut changed = parts.clone();
                    changed[k] = m;
                    Value::Array(changed)
                }));
                let mut shorter = parts.clone();
                shorter.remove(k);
                all.push(Value::Array(shorter));
                let mut longer = parts.clone();
                longer.push(part.clone());
                all.push(Value::Array(longer));
                for other in k + 1..parts.len() {
                    let mut exchanged = parts.clone();
                    exchanged.swap(k, other);
                    all.push(Value::Array(exchanged));
                }
            }
            all
        }
        Value::Object(parts) => {
            let mut all = Vec::new();
            for (key, part) in parts {
                all.extend(mutants(part).into_iter().chain([Value::Null]).map(|m| {
                    let mut changed = parts.clone();
                    changed.insert(key.clone(), m);
                    Value::Object(changed)
                }));
                let mut without = parts.clone();
                without.remove(key);
                all.push(Value::Object(without));
            }
            all
        }
    }
}

/// Of all mutants, those that the subject is proved to confirm say something true.
fn no_mutant_deceives<C>(
    proof: &C,
    verify: impl Fn(Claim<C>) -> Result<C, Error>,
    is_true: impl Fn(&C) -> bool,
) -> (usize, usize)
where
    C: stability::Certificate + Serialize + Debug,
    Claim<C>: DeserializeOwned,
{
    let stored = serde_json::to_value(proof).unwrap();
    let (mut tried, mut accepted) = (0, 0);
    for mutant in mutants(&stored) {
        tried += 1;
        let Ok(claim) = serde_json::from_value::<Claim<C>>(mutant.clone()) else { continue };
        if let Ok(proof) = verify(claim) {
            accepted += 1;
            assert!(is_true(&proof), "{mutant}");
        }
    }
    (tried, accepted)
}

mod exactly {
    use ndarray::Array2;
    use num_rational::BigRational;
    use num_traits::{Signed, Zero};

    pub fn number(x: f64) -> BigRational {
        BigRational::from_float(x).expect("a finite number")
    }

    /// Whether a symmetric matrix is positive definite, by elimination.
    pub fn is_positive_definite(mut m: Array2<BigRational>) -> bool {
        let n = m.nrows();
        for k in 0..n {
            if !m[[k, k]].is_positive() {
                return false;
            }
            for i in k + 1..n {
                let factor = &m[[i, k]] / &m[[k, k]];
                for j in k + 1..n {
                    let change = &factor * &m[[k, j]];
                    m[[i, j]] -= change;
                }
            }
        }
        true
    }

    /// `-(D A + A'D) - 2 margin D R^-1 > 0`, `A = W - R^-1` or without slopes `A = W`.
    pub fn certifies(w: &Array2<f64>, shift: Option<&[f64]>, rho: &[f64], d: &[f64], margin: f64) -> bool {
        let margin = number(margin);
        let own = |i: usize, j: usize| {
            let mut entry = number(w[[i, j]]);
            if i == j {
                entry += &margin / number(rho[i]);
                if let Some(shift) = shift {
                    entry -= BigRational::from_integer(1.into()) / number(shift[i]);
                }
            }
            -number(d[i]) * entry
        };
        let n = d.len();
        n == w.nrows() && is_positive_definite(Array2::from_shape_fn((n, n), |(i, j)| own(i, j) + own(j, i)))
    }

    /// `(A Y Y')_ii >= 0` for all `i`, `Y != 0`.
    pub fn refutes(a: &Array2<f64>, y: &Array2<f64>) -> bool {
        let (a, y) = (a.mapv(number), y.mapv(number));
        let (n, r) = y.dim();
        let image = |i: usize, k: usize| (0..n).map(|j| &a[[i, j]] * &y[[j, k]]).sum::<BigRational>();
        let positive = |i: usize| !(0..r).map(|k| image(i, k) * &y[[i, k]]).sum::<BigRational>().is_negative();
        n == a.nrows() && (0..n).all(positive) && y.iter().any(|v| !v.is_zero())
    }
}

#[test]
fn no_mutant_of_a_proof_about_a_matrix_deceives() {
    let a = array![[-1.0, -4.0, 0.3], [1.0, -1.0, 0.0], [0.2, -0.5, -1.0]];
    let ones = [1.0; 3];
    let certificate = certify(&a).unwrap().certificate().unwrap().clone();
    let holds = |c: &Certificate| {
        let d = c.weights().to_vec();
        !c.weights_are_representable() || exactly::certifies(&a, None, &ones, &d, c.margin_lower())
    };
    let (tried, accepted) = no_mutant_deceives(&certificate, |claim| claim.verify(&a), holds);
    assert!(tried > 300 && accepted > 10, "{accepted} of {tried}");

    let b = array![[-1.0, 2.0, 0.1], [2.0, -1.0, 0.0], [0.3, 0.0, -1.0]];
    let refutation = certify(&b).unwrap().refutation().unwrap().clone();
    let holds = |r: &Refutation| {
        let of = if r.is_of_transpose() { b.t().to_owned() } else { b.clone() };
        exactly::refutes(&of, &r.witness().to_owned())
    };
    let (tried, _) = no_mutant_deceives(&refutation, |claim| claim.verify(&b), holds);
    assert!(tried > 100, "{tried}");

    // Rings, whose margin is known: 1 - b/2.
    let ring = array![[-1.0, 0.0, -1.5], [1.5, -1.0, 0.0], [0.0, 1.5, -1.0]];
    let best = margin(&ring).unwrap();
    let encloses = |m: &Margin| m.lower() <= 0.25 && 0.25 <= m.upper();
    let (tried, accepted) = no_mutant_deceives(&best, |claim| claim.verify(&ring), encloses);
    assert!(tried > 500 && accepted > 10, "{accepted} of {tried}");
    let w = array![[0.0, 0.0, -1.5], [1.5, 0.0, 0.0], [0.0, 1.5, 0.0]];
    let slopes = Array1::<f64>::ones(3);
    let best = margin((&w, &slopes)).unwrap().max_gain();
    let encloses = |g: &Gain| g.lower() <= 4.0 / 3.0 && 4.0 / 3.0 <= g.upper();
    no_mutant_deceives(&best, |claim| claim.verify((&w, &slopes)), encloses);

    // In linear time, by a factorisation and by chance.
    let sparse = sprs::CsMat::csr_from_dense(w.view(), 0.0);
    for proof in [Proof::DenseCholesky, Proof::Randomised] {
        let certifier = Certifier::builder().proof(proof).build().unwrap();
        let found = certifier.margin((&sparse, &slopes)).unwrap();
        no_mutant_deceives(&found, |claim| claim.verify((&sparse, &slopes)), encloses_of(0.25));
        if let Verdict::AlmostSurelyStable(accepted) = found.verdict((&sparse, &slopes)).unwrap() {
            let holds = |c: &AlmostSureCertificate| {
                let d = c.weights().to_vec();
                exactly::certifies(&w, Some(&ones), &ones, &d, c.margin_lower() * (1.0 - 1e-12))
            };
            no_mutant_deceives(&accepted, |claim| claim.verify((&sparse, &slopes)), holds);
        }
    }
}

fn encloses_of(exact: f64) -> impl Fn(&Margin) -> bool {
    move |m| m.lower() <= exact && exact <= m.upper()
}

#[test]
fn no_mutant_of_a_proof_about_a_network_deceives() {
    let w = array![[0.5, -4.0], [3.0, 0.0]];
    let net = FiringRateNetwork::builder(w.clone())
        .population("e", 0..1, Relu)
        .population("i", 1..2, Tanh::new())
        .time_constants(&array![1.0, 2.0])
        .build()
        .unwrap();
    let certificate = net.certify().unwrap().into_certificate().unwrap();
    let holds = |c: &NetworkCertificate| {
        let (d, rho) = (c.weights().to_vec(), c.slope_bounds().to_vec());
        rho.iter().all(|&r| r >= 1.0) && exactly::certifies(&w, Some(&rho), &rho, &d, c.margin() * (1.0 - 1e-15))
    };
    let (tried, accepted) = no_mutant_deceives(&certificate, |claim| claim.verify(&net), holds);
    assert!(tried > 300 && accepted > 10, "{accepted} of {tried}");
    // A foreign claim.
    let other = FiringRateNetwork::builder(array![[0.5, -4.0], [3.0, 0.1]]).activation(Relu).build().unwrap();
    let foreign: Claim<NetworkCertificate> = from_str(&to_string(&certificate).unwrap()).unwrap();
    assert!(foreign.verify(&other).is_err());

    // Largest row sums: rates in l-infinity are min over the rows of (1 - (M v)_i / v_i) / tau_i.
    let w = array![[0.25, -0.25], [0.5, 0.0]];
    let net = FiringRateNetwork::builder(w.clone()).activation(Relu).time_constants(&array![1.0, 2.0]).build().unwrap();
    for kind in [NormKind::One, NormKind::Infinity] {
        let found = net.contraction(kind).unwrap();
        let best = found.best_rate();
        let holds = |c: &Contraction| {
            // No rate above the best bound, and none in a norm in which the network moves apart faster.
            let again = net.contraction_rate_in(c.norm()).unwrap();
            c.rate() <= again && c.best_rate().upper >= best.lower && c.norm().kind() != NormKind::Two
        };
        no_mutant_deceives(&found, |claim| claim.verify(&net), holds);
    }

    // Symmetric: the best rate is 1 - 1/2.
    let w = array![[0.0, 0.5], [0.5, 0.0]];
    let found = s_contraction(&w).unwrap();
    let holds = |c: &SContraction| {
        let (p, q, rate) = (c.p().mapv(exactly::number), c.q().mapv(exactly::number), exactly::number(c.rate()));
        let two = exactly::number(2.0);
        let block = Array2::from_shape_fn((4, 4), |(i, j)| match (i < 2, j < 2) {
            (true, true) => &p[[i, j]] * &two * (exactly::number(1.0) - &rate),
            (false, false) => exactly::number(f64::from(i == j)) * &two * &q[i - 2],
            _ => {
                let (i, j) = (i.min(j), i.max(j) - 2);
                -(&p[[i, j]] + exactly::number(w[[j, i]]) * &q[j])
            }
        });
        exactly::is_positive_definite(p.clone()) && exactly::is_positive_definite(block) && c.best_rate().upper >= 0.5
    };
    let (tried, accepted) = no_mutant_deceives(&found, |claim| claim.verify(&w), holds);
    assert!(tried > 300 && accepted > 5, "{accepted} of {tried}");
}

#[test]
fn no_mutant_of_a_proof_about_a_circuit_deceives() {
    let layer = LateralInhibition::<f64>::builder(2).w_ee(0.5).w_ei(0.1).w_ei_lateral(0.3).w_ie(0.7).build().unwrap();
    let network = layer.network(&Array1::zeros(2)).unwrap();
    let (w, n) = (network.weights().to_dense(), network.len());
    let ones = vec![1.0; n];
    let proof = layer.certify().unwrap().unwrap();
    let holds =
        |c: &RatioCertificate| exactly::certifies(&w, Some(&ones), &ones, &c.weights(2).unwrap().to_vec(), c.margin());
    let (tried, accepted) = no_mutant_deceives(&proof, |claim| claim.verify(&layer), holds);
    assert!(tried > 50 && accepted > 2, "{accepted} of {tried}");

    let column = CorticalColumn::uniform(layer, 2, Coupling { gain: 0.5, offset: 0.0 }).unwrap();
    let ColumnVerdict::Stable(proof) = column.certify().unwrap() else { panic!("every layer is stable") };
    let network = column.network(&Array1::zeros(2)).unwrap();
    let (w, n) = (network.weights().to_dense(), network.len());
    let ones = vec![1.0; n];
    let holds = |c: &ColumnCertificate| {
        let d = c.weights(2).unwrap().expect("two layers");
        exactly::certifies(&w, Some(&ones), &ones, &d.to_vec(), c.margin() * (1.0 - 1e-15))
    };
    let (tried, accepted) = no_mutant_deceives(&proof, |claim| claim.verify(&column), holds);
    assert!(tried > 100 && accepted > 2, "{accepted} of {tried}");
}
