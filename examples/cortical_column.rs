//! A cortical column, designed to sharpen a 1 % difference between two inputs to more than 90 % contrast, with the proof
//! that it is stable.
//!
//! `cargo run --release --example cortical_column [FOLDER]` writes the figures into FOLDER, `docs/figures` if none is given.

mod plot;

use ndarray::{Array1, array};
use neuronash::circuits::ColumnDesign;
use neuronash::circuits::lateral_inhibition::contrast;
use plot::{Axis, BLACK, BLUE, Dash, Figure, GREEN, ORANGE, Outcome, Panel, RED};

fn main() -> Outcome {
    // 1 % difference: a Michelson contrast of 0.5 %.
    let input = array![1.005, 0.995];
    let (initial, target) = (contrast(&input)?, 0.9);
    let design = ColumnDesign::new(2).contrast_gain(2.12).margin(0.3).w_ee(0.1).contrasts(initial, target);
    println!("wanted: contrast {:.1} % -> {:.0} %, gain 2.12 per layer, margin 0.3", 100.0 * initial, 100.0 * target);
    let designed = design.solve()?;
    let column = &designed.column;
    println!("found:  {designed}");
    println!("        each layer: {}", column.layers()[0]);
    designed.certificate.verify(column)?;
    println!("proof:  {} (checked again)", designed.certificate);
    match design.margin(0.7).solve() {
        Err(reason) => println!("refused: {reason}\n"),
        Ok(_) => println!("with margin 0.7 as well\n"),
    }

    let predicted = column.predicted_contrast(&input)?.layers;
    let response = column.respond(&input)?;
    let solved = response.contrasts()?;
    let run = column.network(&input)?.simulate().until_converged(1e-9).record_ends().run()?;
    let state = run.final_state();
    let k = column.columns();
    let simulated: Vec<f64> = (0..column.depth())
        .map(|l| contrast(&Array1::from_shape_fn(k, |j| state[2 * (l * k + j)])))
        .collect::<Result<_, _>>()?;
    println!("layer  contrast: predicted   solved      simulated");
    for l in 0..column.depth() {
        println!("{:4} {:20.6} {:11.6} {:11.6}", l + 1, predicted[l], solved[l], simulated[l]);
    }
    println!(
        "layers needed for {:.0} %: predicted {:?}, solved {:?}",
        100.0 * target,
        column.layers_needed(&input, target)?,
        response.layers_needed(target)?
    );

    println!(
        "if two columns of a layer differ by 1 % from each other, inputs are told apart that differ by {:.2} % or more",
        100.0 * column.precision_floor(0.01)?
    );
    println!("\ncolumns, one of which stands out by 1 %: layers to 90 % contrast at gain 1.5, designed and solved");
    for columns in [2, 3, 5, 10, 20] {
        let input = Array1::from_shape_fn(columns, |j| if j == 0 { 1.01 } else { 1.0 });
        let designed = ColumnDesign::new(columns).contrast_gain(1.5).margin(0.1).input(&input, target).solve()?;
        let solved = designed.column.respond(&input)?.layers_needed(target)?;
        println!("{columns:7} {:9} {solved:>9?}", designed.column.depth());
    }

    let depth = column.depth() as f64;
    let with_input = |values: &[f64]| -> Vec<[f64; 2]> {
        [initial].iter().chain(values).enumerate().map(|(l, c)| [l as f64, (100.0 * c).log10()]).collect()
    };
    let sharpening = Panel::new(
        "Contrast, layer by layer",
        Axis::new("layer (0: input)", -0.3..depth + 0.3),
        Axis::decades("contrast (%)", -0.6..2.1),
    )
    .styled(vec![[-0.3, 90f64.log10()], [depth + 0.3, 90f64.log10()]], BLACK, 2, Dash::Dashed, "target, 90 %")
    .line(with_input(&predicted), BLUE, "predicted")
    .dots(with_input(&simulated), RED, 5, false, "simulated");
    let rates = |j: usize| -> Vec<[f64; 2]> {
        let of_layers = response.layers.iter().map(|layer| layer.excitatory()[j]);
        [input[j]].into_iter().chain(of_layers).enumerate().map(|(l, x)| [l as f64, x]).collect()
    };
    let columns = Panel::new(
        "E rates of the two columns",
        Axis::new("layer (0: input)", -0.3..depth + 0.3),
        Axis::new("rate (relative to mean input)", -0.05..1.15),
    )
    .line(rates(0), GREEN, "")
    .line(rates(1), ORANGE, "")
    .dots(rates(0), GREEN, 5, true, "column with input 1.005")
    .dots(rates(1), ORANGE, 5, false, "column with input 0.995");
    println!("\n{}", Figure::new("contrast_sharpening", 1000, 500).panel(sharpening).panel(columns).save()?.display());
    Ok(())
}
