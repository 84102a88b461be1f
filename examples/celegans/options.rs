//! The command line.

use std::path::PathBuf;

use crate::connectome::nearest;

pub const HELP: &str = "\
The chemical connectome of C. elegans as a game between its 297 neurons: is it stable, where does it rest?

Usage: cargo run --release --example celegans -- [OPTIONS]

Options:
  --gain G                scale of all weights, above 0 (default 0.9); certified below about 0.983
  --activation NAME       relu (default), clipped (rates in [0, 1]), tanh, softplus or identity
  --stimulate NAME=VALUE  input to a neuron; may be repeated (default ASHL=1 ASHR=1, the nociceptors)
  --out DIR               folder for the two figures (default target/celegans)
  --help                  this text

Each neuron's weights are synapse counts, signed by predicted polarity and divided by the mean number of
synapses that a neuron receives.
";

/// What the user asked for.
pub struct Options {
    pub gain: f64,
    pub activation: Activation,
    /// Names and inputs; names are checked against the connectome later.
    pub stimuli: Vec<(String, f64)>,
    pub out: PathBuf,
}

#[derive(Clone, Copy)]
pub enum Activation {
    Relu,
    Clipped,
    Tanh,
    Softplus,
    Identity,
}

const ACTIVATIONS: [(&str, Activation); 5] = [
    ("relu", Activation::Relu),
    ("clipped", Activation::Clipped),
    ("tanh", Activation::Tanh),
    ("softplus", Activation::Softplus),
    ("identity", Activation::Identity),
];

const FLAGS: [&str; 5] = ["gain", "activation", "stimulate", "out", "help"];

/// The options, or `None` if the user asked for help.
pub fn parse() -> Result<Option<Options>, String> {
    use lexopt::prelude::*;

    let mut options =
        Options { gain: 0.9, activation: Activation::Relu, stimuli: Vec::new(), out: PathBuf::from("target/celegans") };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next().map_err(|e| e.to_string())? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("gain") => options.gain = positive("--gain", &text(&mut parser)?)?,
            Long("activation") => options.activation = activation(&text(&mut parser)?)?,
            Long("stimulate") => options.stimuli.push(stimulus(&text(&mut parser)?)?),
            Long("out") => options.out = parser.value().map_err(|e| e.to_string())?.into(),
            Long(flag) => {
                let near = nearest(flag, FLAGS);
                return Err(format!("unknown option --{flag}; did you mean {}?", list(&near, "--")));
            }
            other => return Err(format!("unexpected argument {}; --help lists the options", other.unexpected())),
        }
    }
    if options.stimuli.is_empty() {
        options.stimuli = vec![("ASHL".into(), 1.0), ("ASHR".into(), 1.0)];
    }
    Ok(Some(options))
}

fn text(parser: &mut lexopt::Parser) -> Result<String, String> {
    let value = parser.value().map_err(|e| e.to_string())?;
    value.into_string().map_err(|v| format!("{v:?} is not valid Unicode"))
}

fn number(option: &str, text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("{option} is `{text}`; a finite number is needed")),
    }
}

fn positive(option: &str, text: &str) -> Result<f64, String> {
    let value = number(option, text)?;
    if value > 0.0 { Ok(value) } else { Err(format!("{option} is {value}; a number above 0 is needed")) }
}

fn activation(name: &str) -> Result<Activation, String> {
    ACTIVATIONS.iter().find(|(n, _)| *n == name).map(|(_, a)| *a).ok_or_else(|| {
        let near = nearest(name, ACTIVATIONS.iter().map(|(n, _)| *n));
        format!("unknown activation `{name}`; did you mean {}?", list(&near, ""))
    })
}

fn stimulus(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("--stimulate is `{text}`; NAME=VALUE is needed"))?;
    Ok((name.to_string(), number(&format!("--stimulate {name}"), value)?))
}

/// `a, b or c`, each with a prefix.
pub fn list(names: &[String], prefix: &str) -> String {
    let names: Vec<String> = names.iter().map(|n| format!("{prefix}{n}")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
