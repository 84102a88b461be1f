//! The equilibrium of a sparse network of a million neurons and ten million synapses, with Dale's law, certified by its
//! Metzler majorant: `cargo bench --bench million_neurons -- run`. Prints seconds and the peak memory of the process.

use std::time::Instant;

use ndarray::Array1;
use neuronash::activation::Relu;
use neuronash::network::{FiringRateNetwork, Weights};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sprs::CsMat;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if !std::env::args().any(|a| a == "run") {
        println!("skipped: takes half a minute; pass `run`");
        return Ok(());
    }
    let (n, degree) = (1_000_000, 10);
    let mut rng = StdRng::seed_from_u64(1);
    let (mut indices, mut values) = (Vec::with_capacity(n * degree), Vec::with_capacity(n * degree));
    for _ in 0..n {
        let mut row: Vec<usize> = (0..degree).map(|_| rng.random_range(0..n)).collect();
        row.sort_unstable();
        row.dedup();
        while row.len() < degree {
            let j = rng.random_range(0..n);
            if let Err(place) = row.binary_search(&j) {
                row.insert(place, j);
            }
        }
        for j in row {
            indices.push(j);
            values.push(if j % 5 == 0 { -0.16 } else { 0.04 } * rng.random_range(0.5..1.5));
        }
    }
    let matrix = CsMat::new((n, n), (0..=n).map(|i| i * degree).collect(), indices, values);
    let u = Array1::from_shape_simple_fn(n, || rng.random_range(0.0..2.0));
    let net = FiringRateNetwork::builder(Weights::sparse(matrix)?).activation(Relu).input(&u).build()?;
    println!("built, peak memory {} MiB", peak_memory());
    let start = Instant::now();
    net.weights().product(&u)?;
    println!("one product: {:.3} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let certificate = net.certify()?.into_certificate()?;
    println!("certificate: {:.2} s, {certificate}", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let eq = net.equilibrium().certificate(&certificate).tolerance(1e-8).solve()?;
    println!("equilibrium: {:.2} s, {}", start.elapsed().as_secs_f64(), eq.report());
    println!("peak memory {} MiB", peak_memory());
    Ok(())
}

/// `VmHWM` of Linux; 0 elsewhere.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024
}
