//! The motion pathway of the fly's optic lobe as a game: 65 cell types in every column of a compound eye of any size. How far can its
//! synapses be strengthened before it may fail to settle, and what do its neurons do when an edge moves past?
//!
//! ```sh
//! cargo run --release --example optic_lobe -- --radius 15 --out target/optic_lobe
//! ```

mod plot;

use std::path::PathBuf;
use std::time::Instant;

use ndarray::Array1;
use neuronash::activation::Relu;
use neuronash::circuits::lattice::{HexagonalLattice, LatticeCircuit};
use neuronash::network::{FiringRateNetwork, WeightsView};
use neuronash::stability::contraction::NormKind;
use neuronash::stability::diagonal::max_gain;
use plot::{Axis, Figure, Outcome, Panel};
use plotters::style::RGBColor;

const HELP: &str = "\
The motion pathway of the fly's optic lobe: gains by condition, a certificate, and a moving edge.

  --radius R   columns up to R steps from the centre of the eye (default 8; the real eye has about 15)
  --out DIR    folder for the figure (default target/optic_lobe)
  --help       this text
";

/// The cell types that the figure shows, from the photoreceptors to the motion detectors.
const SHOWN: [&str; 4] = ["R1", "L1", "Mi1", "T4a"];

fn main() -> Outcome {
    let Some((radius, folder)) = options()? else {
        print!("{HELP}");
        return Ok(());
    };
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/fly_optic_lobe_columns.csv");
    let circuit = LatticeCircuit::read(path)?;
    let scale = circuit.mean_in_degree().recip();
    let circuit = circuit.scaled(scale)?;
    let eye = HexagonalLattice::disc(radius)?;
    let weights = circuit.weights::<f64>(&eye)?;
    let n = weights.len();
    println!("{} columns, {n} neurons, {} connections, mean in-degree 1", eye.columns(), weights.stored());

    let WeightsView::Sparse(w) = weights.view() else { return Err("the weights of a lattice are sparse".into()) };
    let start = Instant::now();
    let plain = FiringRateNetwork::builder(&weights).activation(Relu).build()?;
    let rate = plain.contraction(NormKind::Infinity)?.rate();
    println!(
        "largest gain by the Metzler majorant: {:.4} ({:.2} s)",
        1.0 / (1.0 - rate),
        start.elapsed().as_secs_f64()
    );
    let start = Instant::now();
    let gain = max_gain((w, &Array1::<f64>::ones(n)))?;
    println!("{gain} ({:.2} s)", start.elapsed().as_secs_f64());

    let strength = 0.9 * gain.lower();
    let types = circuit.types().len();
    let receptors: Vec<usize> = (1..=6).filter_map(|r| circuit.type_index(&format!("R{r}"))).collect();
    let circuit = circuit.scaled(strength)?;
    let net = FiringRateNetwork::builder(circuit.weights::<f64>(&eye)?).activation(Relu).build()?;
    let start = Instant::now();
    println!("at gain {strength:.4}: {} ({:.2} s)", net.certify()?, start.elapsed().as_secs_f64());

    // A bright edge crosses one column per time constant, and stands at the centre of the eye in the end.
    let columns: Vec<f64> = eye.positions().iter().map(|&(u, v)| f64::from(u) + 0.5 * f64::from(v)).collect();
    let time = radius as f64;
    let start = Instant::now();
    let run = net
        .simulate()
        .initial(&Array1::zeros(n))
        .input_function(|t, mut input| {
            // Photoreceptors inhibit: without a drive of their own the cells behind them would be silent for ever.
            input.fill(0.5);
            for (column, x) in columns.iter().enumerate() {
                let light = 0.5 * (1.0 - (4.0 * (x - (t - time))).tanh());
                receptors.iter().for_each(|r| input[column * types + r] = light);
            }
        })
        .until(time)
        .record_ends()
        .run()?;
    println!("moving edge: {} steps in {:.2} s", run.steps(), start.elapsed().as_secs_f64());
    let state = run.final_state();

    let reach = radius as f64 + 1.0;
    let mut figure = Figure::new("optic_lobe", 1120, 360);
    for name in SHOWN {
        let k = circuit.type_index(name).ok_or_else(|| format!("no cell type {name}"))?;
        let rates: Vec<f64> = (0..eye.columns()).map(|column| state[circuit.neuron(column, k)]).collect();
        let most = rates.iter().fold(0.0_f64, |m, &x| m.max(x));
        println!("{name:>4}: rates up to {most:.3e}");
        figure = figure.panel(hexagons(name, most, reach, &eye, &rates));
    }
    println!("Figure: {}", figure.save_in(&folder)?.display());
    Ok(())
}

/// One dot a column, darker where the rate is higher.
fn hexagons(name: &str, most: f64, reach: f64, eye: &HexagonalLattice, rates: &[f64]) -> Panel {
    const SHADES: usize = 12;
    let axis = |label: &str| Axis::new(label, -reach..reach);
    let title = format!("{name}, rates up to {most:.2}");
    let mut panel = Panel::new(&title, axis("column, front to back"), axis("column, down to up"));
    for shade in 0..SHADES {
        let place = |&(u, v): &(i32, i32)| [f64::from(u) + 0.5 * f64::from(v), 0.75_f64.sqrt() * f64::from(v)];
        let of_shade = |rate: f64| ((rate / most.max(1e-300) * SHADES as f64) as usize).min(SHADES - 1) == shade;
        let points = eye.positions().iter().zip(rates).filter(|(_, rate)| of_shade(**rate)).map(|(p, _)| place(p));
        let part = 1.0 - shade as f64 / (SHADES - 1) as f64;
        let mix = |dark: u8| (f64::from(dark) + part * (232.0 - f64::from(dark))) as u8;
        let radius = (88.0 / reach).clamp(1.0, 8.0) as i32;
        panel = panel.dots(points.collect(), RGBColor(mix(0), mix(62), mix(110)), radius, true, "");
    }
    panel
}

/// Radius and folder; `None` if only help is wanted.
fn options() -> Outcome<Option<(usize, PathBuf)>> {
    use lexopt::prelude::*;
    let (mut radius, mut folder) = (8, PathBuf::from("target/optic_lobe"));
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("radius") => radius = parser.value()?.parse()?,
            Long("out") => folder = parser.value()?.into(),
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Some((radius, folder)))
}
