//! The network in double precision, and sums of its drives with the accuracy that deciding needs.

use ndarray::Array2;

use super::dyadic::Dyadic;
use super::pieces::Piece;

/// What the search works on.
pub(super) struct Problem {
    pub(super) weights: Array2<f64>,
    pub(super) input: Vec<f64>,
    pub(super) pieces: Vec<Vec<Piece>>,
    /// The intercepts of the pieces, unrounded.
    pub(super) intercepts: Vec<Vec<Dyadic>>,
    /// The largest number that the network's type has.
    pub(super) largest: f64,
}

impl Problem {
    pub(super) fn len(&self) -> usize {
        self.input.len()
    }

    /// A neuron's drive `u_i + sum_j w_ij x_j`, unrounded.
    pub(super) fn drive(&self, i: usize, x: &[f64]) -> Sum {
        let mut sum = Sum::default();
        sum.add(self.input[i]);
        for (w, x) in self.weights.row(i).iter().zip(x) {
            sum.add_product(*w, *x);
        }
        sum
    }

    /// The sum of the magnitudes of the terms of a neuron's drive.
    pub(super) fn size_of_drive(&self, i: usize, x: &[f64]) -> f64 {
        self.input[i].abs() + self.weights.row(i).iter().zip(x).map(|(w, x)| (w * x).abs()).sum::<f64>()
    }

    /// The rounding error of a drive whose terms have this size, with some room.
    pub(super) fn rounding(&self, size: f64) -> f64 {
        8.0 * (self.len() + 2) as f64 * f64::EPSILON * size
    }
}

/// A sum that carries its rounding errors along, as accurate as if computed in twice the precision and rounded once
/// (Ogita, Rump & Oishi, SIAM J. Sci. Comput. 26, 2005).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    high: f64,
    low: f64,
}

impl Sum {
    pub(super) fn add(&mut self, v: f64) {
        let sum = self.high + v;
        let part = sum - self.high;
        self.low += (self.high - (sum - part)) + (v - part);
        self.high = sum;
    }

    pub(super) fn add_product(&mut self, a: f64, b: f64) {
        let product = a * b;
        self.low += a.mul_add(b, -product);
        self.add(product);
    }

    /// Adds a multiple of another sum.
    pub(super) fn add_scaled(&mut self, factor: f64, other: Sum) {
        self.add_product(factor, other.high);
        self.low += factor * other.low;
    }

    pub(super) fn value(self) -> f64 {
        self.high + self.low
    }
}
