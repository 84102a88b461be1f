//! The largest gain of a random E-I circuit of any size, proved from both sides by products alone.
//!
//! `cargo run --release --example large_circuit -- 10000 100` takes 10,000 neurons of 100 synapses each: four in five excite, the
//! others inhibit four times as strongly, sizes are lognormal.

use std::time::Instant;

use ndarray::Array1;
use neuronash::stability::diagonal::{Certifier, Proof};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sprs::CsMat;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<usize>());
    let n = arguments.next().transpose()?.unwrap_or(2000);
    let degree = arguments.next().transpose()?.unwrap_or(100);
    let w = circuit(n, degree);
    println!("{n} neurons, {} synapses", w.nnz());

    let rho = Array1::<f64>::ones(n);
    let majorant = majorant_gain(&w);
    println!("by the Metzler majorant alone: gain about {majorant:.4}");
    for proof in [None, Some(Proof::Randomised)] {
        let builder = Certifier::builder();
        let certifier = if let Some(proof) = proof { builder.proof(proof) } else { builder }.build()?;
        let start = Instant::now();
        let gain = certifier.max_gain((&w, &rho))?;
        let seconds = start.elapsed().as_secs_f64();
        let apart = 100.0 * (gain.upper() / gain.lower() - 1.0);
        println!("{gain}\n  {apart:.2}% apart, {:.2} times the majorant's, {seconds:.1} s", gain.lower() / majorant);
    }
    Ok(())
}

fn circuit(n: usize, degree: usize) -> CsMat<f64> {
    let mut rng = StdRng::seed_from_u64(1);
    let (mut starts, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
    for i in 0..n {
        let mut row: Vec<usize> = (0..degree).map(|_| rng.random_range(0..n)).filter(|&j| j != i).collect();
        row.sort_unstable();
        row.dedup();
        for j in row {
            let normal = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
            let sign = if 5 * j >= 4 * n { -4.0 } else { 1.0 };
            columns.push(j);
            values.push(sign * normal.exp() / (6.0 * (degree as f64).sqrt()));
        }
        starts.push(columns.len());
    }
    CsMat::new((n, n), starts, columns, values)
}

/// `1/rho(|W|)`, by power steps.
fn majorant_gain(w: &CsMat<f64>) -> f64 {
    let mut v = Array1::<f64>::ones(w.rows());
    let mut radius = 0.0;
    for _ in 0..60 {
        let mut next = Array1::<f64>::zeros(w.rows());
        w.iter().for_each(|(&x, (i, j))| next[i] += x.abs() * v[j]);
        radius = next.sum() / v.sum();
        v = next / radius;
    }
    1.0 / radius
}
