//! Decides whether a matrix from a file is Lyapunov diagonally stable, and prints the proof as one line of JSON.
//!
//! ```text
//! cargo run --release --example certify -- [--network] [--margin] [--max-gain] [--weights-out FILE] FILE
//! ```
//!
//! `FILE` is `.csv` (numbers, one row a line), `.mtx` (Matrix Market) or `.npy`. It holds the matrix `A`, or with
//! `--network` the synaptic matrix `W` of a network with slopes in [0, 1], and then `A = W - I`. `--margin` adds proved
//! bounds on `sup{delta : A + delta I is LDS}`, `--max-gain` on the largest `g` for which `g W - I` is LDS, `W = A + I`.
//! A gain without limit has the largest double as its lower bound and no upper one (`null`).
//! `--weights-out` writes the certificate's weights to a file, one a line; the file is empty where there are none, or none in
//! the range of doubles.
//!
//! Exit code 0 for any verdict, 2 for bad input.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use ndarray::Array1;
use neuronash::network::{Weights, read};
use neuronash::stability::IntoSubject;
use neuronash::stability::diagonal::{self, Margin, Method, Verdict};
use serde_json::{Value, json};

#[derive(Default)]
struct Arguments {
    network: bool,
    margin: bool,
    max_gain: bool,
    weights_out: Option<PathBuf>,
    file: Option<PathBuf>,
}

const USAGE: &str = "usage: certify [--network] [--margin] [--max-gain] [--weights-out FILE] FILE.{csv,mtx,npy}";

fn main() -> ExitCode {
    match Arguments::parse().and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("certify: {message}");
            ExitCode::from(2)
        }
    }
}

impl Arguments {
    fn parse() -> Result<Self, String> {
        let mut parsed = Self::default();
        let mut words = std::env::args_os().skip(1);
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("--network") => parsed.network = true,
                Some("--margin") => parsed.margin = true,
                Some("--max-gain") => parsed.max_gain = true,
                Some("--weights-out") => {
                    parsed.weights_out = Some(words.next().ok_or("--weights-out needs a file name")?.into());
                }
                Some("--help" | "-h") => {
                    println!("{USAGE}");
                    std::process::exit(0);
                }
                Some(option) if option.starts_with('-') => return Err(format!("unknown option {option}\n{USAGE}")),
                _ if parsed.file.is_some() => return Err(format!("more than one file\n{USAGE}")),
                _ => parsed.file = Some(word.into()),
            }
        }
        Ok(parsed)
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let path = arguments.file.as_ref().ok_or_else(|| format!("no file given\n{USAGE}"))?;
    let matrix = load(path)?;
    let n = matrix.len();
    let slopes = Array1::<f64>::ones(n);
    let bounds_wanted = arguments.margin || arguments.max_gain;
    let say = |error: neuronash::Error| format!("{}: {error}", path.display());

    let start = Instant::now();
    let subject = match arguments.network {
        true => (&matrix, &slopes).into_subject(),
        false => (&matrix).into_subject(),
    };
    let subject = subject.map_err(say)?;
    let (verdict, margin) = if bounds_wanted {
        let margin = diagonal::margin(&subject).map_err(say)?;
        // The bounds decide, unless 0 lies between them or on one of them.
        let verdict = match margin.verdict(&subject) {
            Ok(Verdict::Undecided(_)) => diagonal::certify(&subject),
            decided => decided,
        };
        (verdict.map_err(say)?, Some(margin))
    } else {
        (diagonal::certify(&subject).map_err(say)?, None)
    };
    let seconds = start.elapsed().as_secs_f64();

    let mut report = json!({
        "verdict": "undecided",
        "n": n,
        "method": verdict.method().to_string(),
        "iterations": iterations(&verdict, margin.as_ref()),
        "seconds": seconds,
        "margin_lower": null,
        "margin_upper": null,
        "max_gain_lower": null,
        "max_gain_upper": null,
        "weights": null,
        "witness": null,
        "witness_of_transpose": null,
        "error_probability": null,
    });
    if let Some(margin) = &margin {
        if arguments.margin {
            // A search that was cut short may prove less than the certificate in hand.
            let certified = verdict.certificate().map_or(f64::NEG_INFINITY, |c| c.margin_lower());
            report["margin_lower"] = json!(margin.lower().max(certified));
            report["margin_upper"] = json!(margin.upper());
        }
        if arguments.max_gain {
            // JSON has no infinity: an upper bound that does not exist is null, and any number is a lower bound then.
            let gain = margin.max_gain();
            report["max_gain_lower"] = json!(gain.lower().min(f64::MAX));
            report["max_gain_upper"] = json!(gain.upper());
        }
    }
    let mut weights = None;
    match &verdict {
        Verdict::Stable(certificate) => {
            report["verdict"] = json!("stable");
            if certificate.weights_are_representable() {
                weights = Some(certificate.weights().to_vec());
                report["weights"] = json!(weights);
            } else {
                // Null would claim that there are none: they are m_i 2^(e_i).
                let (mantissas, exponents) = certificate.scaled_weights();
                report["weights_mantissa"] = json!(mantissas.to_vec());
                report["weights_exponent"] = json!(exponents);
            }
        }
        Verdict::NotStable(refutation) => {
            report["verdict"] = json!("not_stable");
            let rows: Vec<Value> = refutation.witness().rows().into_iter().map(|row| json!(row.to_vec())).collect();
            report["witness"] = Value::Array(rows);
            report["witness_of_transpose"] = json!(refutation.is_of_transpose());
        }
        Verdict::AlmostSurelyStable(certificate) => {
            report["verdict"] = json!("almost_surely_stable");
            report["error_probability"] = json!(certificate.error_probability());
            weights = Some(certificate.weights().to_vec());
            report["weights"] = json!(weights);
        }
        Verdict::Undecided(_) => {}
    }
    let failed = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
    if let Some(path) = &arguments.weights_out {
        // Weights of an earlier matrix must not stay behind.
        let text: String = weights.iter().flatten().map(|d| format!("{d:?}\n")).collect();
        std::fs::write(path, text).map_err(|e| failed(&path.display().to_string(), &e))?;
    }
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &report).map_err(|e| failed("standard output", &e))?;
    writeln!(out).map_err(|e| failed("standard output", &e))
}

/// Steps of all searches: a verdict that the margin gave took none of its own.
fn iterations(verdict: &Verdict, margin: Option<&Margin>) -> usize {
    match margin {
        Some(margin) if verdict.method() == Method::Margin => margin.iterations(),
        Some(margin) => verdict.iterations() + margin.iterations(),
        None => verdict.iterations(),
    }
}

/// Reads the matrix in the format that the file's name ends in.
fn load(path: &Path) -> Result<Weights<f64>, String> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    match extension.as_str() {
        "csv" => read::csv(path),
        "mtx" => read::matrix_market(path),
        "npy" => read::npy(path),
        _ => return Err(format!("{}: the name must end in .csv, .mtx or .npy", path.display())),
    }
    .map_err(|e| e.to_string())
}
