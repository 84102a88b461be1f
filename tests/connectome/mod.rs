//! The connectome of *C. elegans*, read without the crate's own readers.

use ndarray::{Array1, Array2};

/// The chemical synapses as a signed matrix, by the rule of `data/README.md`: `w[[post, pre]]`.
pub fn connectome() -> Array2<f64> {
    let text = include_str!("../../data/celegans_chemical_synapses.csv");
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|l| l.trim_end().split(',').collect()).collect();
    let mut names: Vec<&str> = rows.iter().flat_map(|r| [r[0], r[1]]).collect();
    names.sort_unstable();
    names.dedup();
    let index = |name: &str| names.binary_search(&name).unwrap();
    let mut w = Array2::zeros((names.len(), names.len()));
    for r in &rows {
        let sign = match (r[3], r[4]) {
            ("excitatory", _) => 1.0,
            ("inhibitory", _) | (_, "GABA") => -1.0,
            _ => 1.0,
        };
        w[[index(r[1]), index(r[0])]] += sign * r[2].parse::<f64>().unwrap();
    }
    w
}

/// The connectome divided by its mean absolute in-degree, and with each neuron's absolute inputs divided by their sum.
pub fn scaled_connectomes() -> [Array2<f64>; 2] {
    let w = connectome();
    let degree: Array1<f64> = w.mapv(f64::abs).sum_axis(ndarray::Axis(1));
    let mean = degree.mean().unwrap();
    let per_neuron = degree.mapv(|d| if d > 0.0 { d } else { 1.0 }).insert_axis(ndarray::Axis(1));
    [&w / mean, &w / &per_neuron]
}
