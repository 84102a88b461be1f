//! Lateral inhibition sharpens contrast, and up to which lateral weight it does so with a proof of stability.
//!
//! `cargo run --release --example lateral_inhibition [FOLDER]` writes the figures into FOLDER, `docs/figures` if none is given.

mod plot;

use ndarray::{Array1, array};
use neuronash::circuits::LateralInhibition;
use neuronash::circuits::lateral_inhibition::contrast;
use plot::{Axis, BLACK, BLUE, Dash, Figure, GREEN, GREY, ORANGE, Outcome, Panel, RED};

fn main() -> Outcome {
    println!("Two columns: w_EE = 0.5, own inhibition 1, w_IE = 1; the lateral weight varies.\n");
    contrast_gain()?;
    println!("\nThree columns beyond the border: the winner takes all.\n");
    winner_take_all()
}

fn two_columns(lateral: f64) -> neuronash::Result<LateralInhibition<f64>> {
    LateralInhibition::builder(2).w_ee(0.5).w_ei(1.0).w_ei_lateral(lateral).w_ie(1.0).build()
}

fn contrast_gain() -> Outcome {
    let border = largest(|lateral| two_columns(lateral)?.is_diagonally_stable())?;
    let winner = largest(|lateral| Ok(!two_columns(lateral)?.is_winner_take_all()?))?;
    println!("proved stable for every input below a lateral weight of {border:.6}");
    println!("winner takes all from {winner:.6} on\n");

    let mut curve = Vec::new();
    for i in 0..=500 {
        let lateral = winner * i as f64 / 500.0;
        if let Some(gain) = two_columns(lateral)?.contrast_gain()? {
            curve.push([lateral, gain.log10()]);
        }
    }

    println!("lateral   margin    contrast gain: closed form   solved");
    let input = array![1.001, 0.999];
    let mut solved = Vec::new();
    for lateral in [0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.3, 1.4] {
        let circuit = two_columns(lateral)?;
        let gain = circuit.respond(&input)?.contrast()? / contrast(&input)?;
        let predicted = circuit.contrast_gain()?.unwrap_or(f64::NAN);
        println!("{lateral:6.2} {:9.4} {predicted:28.6} {gain:8.6}", circuit.margin()?);
        solved.push([lateral, gain.log10()]);
    }

    let top = 2.0;
    let panel = Panel::new(
        "Contrast gain of two columns",
        Axis::new("lateral weight b_{l} (dimensionless)", 0.0..1.7),
        Axis::decades("contrast of rates / contrast of inputs", 0.0..top),
    )
    .area([[0.0, 0.0], [border, top]], GREEN, 0.18, "Lyapunov diagonally stable: proved for every input")
    .area([[winner, 0.0], [1.7, top]], GREY, 0.35, "winner takes all")
    .line(curve, BLUE, "closed form, (p + Bc) / (p + βc)")
    .dots(solved, RED, 5, false, "from solved equilibria");
    let path = Figure::new("contrast_gain", 900, 560).panel(panel).save()?;
    println!("\n{}", path.display());
    Ok(())
}

/// The largest lateral weight below 10 up to which a property holds.
fn largest(holds: impl Fn(f64) -> neuronash::Result<bool>) -> neuronash::Result<f64> {
    let (mut low, mut high) = (0.0, 10.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if holds(middle)? { low = middle } else { high = middle }
    }
    Ok(low)
}

fn winner_take_all() -> Outcome {
    let circuit =
        LateralInhibition::builder(3).w_ee(0.5).w_ei(0.5).w_ei_lateral(1.5).w_ie(1.0).tau_e(10.0).tau_i(5.0).build()?;
    let input = array![0.98, 1.0, 0.96];
    println!("inputs {input}: {} (predicted)", circuit.predicted_winner(&input, 0.0)?);
    let times = Array1::linspace(0.0, 300.0, 601);
    let run = circuit.network(&input)?.simulate().until(300.0).record_at(&times).run()?;
    println!("after 300 ms: {} (simulated)", circuit.winner(&run.final_state(), 1e-6)?);

    let rates = |column: usize| -> Vec<[f64; 2]> {
        times.iter().zip(run.states().column(2 * column)).map(|(t, x)| [*t, *x]).collect()
    };
    let largest = run.states().column(2).iter().copied().fold(0.0, f64::max);
    let panel = Panel::new(
        "Winner takes all: three columns from silence",
        Axis::new("time (ms)", 0.0..300.0),
        Axis::new("E rate (relative to unit input)", 0.0..1.1 * largest),
    )
    .styled(rates(1), BLUE, 3, Dash::Solid, "input 1.00")
    .styled(rates(0), ORANGE, 3, Dash::Dashed, "input 0.98")
    .styled(rates(2), BLACK, 3, Dash::Dotted, "input 0.96");
    let path = Figure::new("winner_take_all", 900, 500).panel(panel).save()?;
    println!("{}", path.display());
    Ok(())
}
