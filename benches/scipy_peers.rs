//! Solves the networks that `scipy_peers.py` wrote: `cargo bench --bench scipy_peers -- DIRECTORY`.

use std::time::{Duration, Instant};

use ndarray::{Array1, Array2};
use neuronash::activation::{ActivationCost, Relu, Tanh};
use neuronash::network::FiringRateNetwork;

/// How long each activation is solved over and over; as long as each of SciPy's solvers.
const SPELL: Duration = Duration::from_millis(1500);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(directory) = std::env::args().skip(1).find(|a| !a.starts_with("--")) else {
        println!("skipped: no directory given");
        return Ok(());
    };
    let w: Array2<f64> = ndarray_npy::read_npy(format!("{directory}/w.npy"))?;
    let u: Array1<f64> = ndarray_npy::read_npy(format!("{directory}/u.npy"))?;
    report(&directory, "relu", &w, &u, Relu)?;
    report(&directory, "tanh", &w, &u, Tanh::new())
}

fn report(
    directory: &str,
    name: &str,
    w: &Array2<f64>,
    u: &Array1<f64>,
    activation: impl ActivationCost<f64> + 'static,
) -> Result<(), Box<dyn std::error::Error>> {
    let net = FiringRateNetwork::builder(w).activation(activation).input(u).build()?;
    let certificate = net.certify()?.into_certificate()?;
    println!("# {name}: {certificate}");
    let reference: Array1<f64> = ndarray_npy::read_npy(format!("{directory}/{name}.npy"))?;
    let solve = || {
        let start = Instant::now();
        let eq = net.equilibrium().certificate(&certificate).tolerance(f64::EPSILON).absolute_tolerance(1e-10).solve();
        eq.map(|eq| (start.elapsed().as_secs_f64(), eq))
    };
    // The first solve makes the single-precision copy of the weights, which the network keeps.
    let (first, mut eq) = solve()?;
    let mut best = f64::INFINITY;
    let start = Instant::now();
    while start.elapsed() < SPELL {
        let (seconds, again) = solve()?;
        best = best.min(seconds);
        eq = again;
    }
    println!("neuronash,{name},first solve,{first:.6},{:.1e}", eq.report().residual);
    let gap = (&eq.state() - &reference).iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let bound = eq.report().error_bound.as_ref().map_or(f64::NAN, |b| b.largest);
    println!("neuronash,{name},default,{best:.6},{:.1e}", eq.report().residual);
    println!("# {name}: {}; {gap:.1e} from SciPy's state, bound {bound:.1e}", eq.report());
    Ok(())
}
