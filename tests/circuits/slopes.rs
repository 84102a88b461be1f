//! Proofs rest on slope bounds that are known, not on samples.

use ndarray::array;
use neuronash::Error;
use neuronash::activation::{ActivationCost, FromFn, from_fn};
use neuronash::circuits::cortical_column::{ColumnVerdict, CorticalColumn, Coupling};
use neuronash::circuits::{LateralInhibition, WilsonCowan};

/// The sampled slopes of a closure look like [0, 1], but it has a step of slope 100, of a height that samples cannot tell
/// from rounding.
fn undeclared() -> FromFn<f64, impl Fn(f64) -> f64 + Send + Sync + Clone> {
    from_fn("undeclared", |z: f64| z.max(0.0) + 100.0 * (z - 1.23456).clamp(0.0, 1e-11))
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

#[test]
fn circuits_refuse_activations_that_decrease() {
    let silu = || from_fn("SiLU", |z: f64| z / (1.0 + (-z).exp()));
    let pair = WilsonCowan::builder().w_ee(0.5).w_ei(1.0).w_ie(1.0).inhibitory(silu()).build();
    let columns = LateralInhibition::builder(2).w_ei(1.0).excitatory(silu()).build();
    for (message, name) in
        [(pair.unwrap_err().to_string(), "inhibitory"), (columns.unwrap_err().to_string(), "excitatory")]
    {
        assert!(message.contains("SiLU") && message.contains("do not decrease") && message.contains(name), "{message}");
    }
}
