//! The main job: the chemical connectome of *C. elegans* as a game. Is it stable, and with what proof? Where does it
//! come to rest when its nociceptors are touched, and who works against whom?
//!
//! ```sh
//! cargo run --release --example celegans -- --help
//! ```

mod account;
mod connectome;
mod figures;
mod options;
#[path = "../plot/mod.rs"]
mod plot;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use ndarray::Array1;
use neuronash::activation::{ClippedLinear, Identity, Relu, Softplus, Tanh};
use neuronash::network::FiringRateNetwork;

use connectome::Connectome;
use options::{Activation, Options};

fn main() -> ExitCode {
    let outcome = match options::parse() {
        Ok(None) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Some(options)) => run(&options),
        Err(message) => Err(message.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("celegans: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let connectome =
        Connectome::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/celegans_chemical_synapses.csv"))?;
    let mut input = Array1::zeros(connectome.len());
    for (name, value) in &options.stimuli {
        input[connectome.number(name)?] += value;
    }
    let builder = FiringRateNetwork::builder(connectome.weights(options.gain)?).input(&input);
    let network = match options.activation {
        Activation::Relu => builder.activation(Relu),
        Activation::Clipped => builder.activation(ClippedLinear::new(0.0, 1.0)?),
        Activation::Tanh => builder.activation(Tanh::new()),
        Activation::Softplus => builder.activation(Softplus::new()),
        Activation::Identity => builder.activation(Identity),
    }
    .build()?;

    account::wiring(&connectome);
    let report = network.stability_report()?;
    let verdict = report.verdict().ok_or("the weights of the proof span more than the range of a double")?;
    let gains = account::stability(&connectome, &network, &report, options)?;
    let rest = account::rest(&connectome, &network, verdict, options)?;
    account::relations(&connectome, &network, verdict)?;

    let gains = figures::gains(&gains, options)?;
    let rates = figures::rates(&connectome, &network, rest.as_ref(), options)?;
    println!("\nFigures: {} and {}", gains.display(), rates.display());
    Ok(())
}
