//! Lateral inhibition sharpens contrast, and up to which lateral weight it does so with a proof of stability.
//!
//! `cargo run --release --example lateral_inhibition [FOLDER]`

mod plot;

use neuronash::circuits::LateralInhibition;
use plot::{Axis, BLUE, Figure, GREEN, GREY, Outcome, Panel, RED};

fn main() -> Outcome {
    let circuit =
        |lateral: f64| LateralInhibition::builder(2).w_ee(0.5).w_ei(1.0).w_ei_lateral(lateral).w_ie(1.0).build();
    let mut curve = Vec::new();
    let mut certified = 0.0;
    for i in 0..=600 {
        let lateral = i as f64 * 0.003;
        let circuit = circuit(lateral)?;
        if circuit.is_diagonally_stable()? {
            certified = lateral;
        }
        if let Some(gain) = circuit.contrast_gain()? {
            curve.push([lateral, gain.log10()]);
        }
    }
    let wta = 1.5;
    let left = Panel::new(
        "Contrast gain of one circuit",
        Axis::new("lateral weight w_{EI}, other columns (dimensionless)", 0.0..1.8),
        Axis::decades("contrast out / contrast in", 0.0..2.0),
    )
    .area([[0.0, 0.0], [certified, 2.0]], GREEN, 0.2, "proved stable for every input")
    .area([[wta, 0.0], [1.8, 2.0]], GREY, 0.35, "winner takes all")
    .line(curve, BLUE, "closed form (p + Bc)/(p + βc)")
    .dots(vec![[0.5, 0.3], [1.0, 0.7]], RED, 5, false, "from solved equilibria")
    .note([0.2, 1.0], "p_{0} = (1 − w_{EE})", BLUE);
    println!("{}", Figure::new("contrast_gain", 900, 560).panel(left).save()?.display());
    Ok(())
}
