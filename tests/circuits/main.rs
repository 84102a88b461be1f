//! The model circuits: closed forms against the general engine, simulation and brute force.

mod balance;
mod cortical_column;
mod lateral_inhibition;
mod lattice;
mod slopes;
mod wilson_cowan;

use ndarray::Array1;
use neuronash::network::FiringRateNetwork;

/// Independent of the crate's own checks: whether `D R^{-1} (1 - margin) - sym(D W)` is positive definite, by a plain
/// Cholesky factorisation of the matrix scaled to unit diagonal.
fn is_certified(net: &FiringRateNetwork<f64>, d: &Array1<f64>, margin: f64) -> bool {
    let n = net.len();
    let w = net.weights().to_dense();
    let rho = net.slope_bounds("the test").unwrap();
    let entry = |i: usize, j: usize| {
        let diagonal = if i == j { d[i] * (1.0 - margin) / rho[i] } else { 0.0 };
        diagonal - 0.5 * (d[i] * w[[i, j]] + d[j] * w[[j, i]])
    };
    let scale: Vec<f64> = (0..n).map(|i| entry(i, i).max(0.0).sqrt()).collect();
    if scale.contains(&0.0) {
        return false;
    }
    let mut l = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| l[i][k] * l[j][k]).sum();
            let rest = entry(i, j) / scale[i] / scale[j] - sum;
            if i == j {
                if rest <= 0.0 {
                    return false;
                }
                l[i][i] = rest.sqrt();
            } else {
                l[i][j] = rest / l[j][j];
            }
        }
    }
    true
}
