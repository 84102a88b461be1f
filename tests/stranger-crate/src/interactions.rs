//! Two interactions that no matrix of synapses can express.

use ndarray::{Array1, Array2, ArrayView1, ArrayViewMut1};
use neuronash::activation::Domain;
use neuronash::game::{InteractionCost, Own};
use neuronash::network::UncertainWeights;

/// Divisive normalisation by a pool: `z_i = (sum_j w_ij x_j + u_i)/(1 + g sum_j x_j)`, for rates, weights and inputs from 0 up.
#[derive(Debug, Clone)]
pub struct DivisivePool {
    /// The weights `w >= 0`, shape `[n, n]`.
    pub weights: Array2<f64>,
    /// The strength `g > 0` of the pool.
    pub pool: f64,
}

impl DivisivePool {
    fn below(&self, x: ArrayView1<'_, f64>) -> f64 {
        1.0 + self.pool * x.sum()
    }
}

impl InteractionCost<f64> for DivisivePool {
    fn name(&self) -> String {
        format!("divisive pool({})", self.pool)
    }

    fn neurons(&self) -> usize {
        self.weights.nrows()
    }

    fn drive(&self, x: ArrayView1<'_, f64>, u: ArrayView1<'_, f64>, mut z: ArrayViewMut1<'_, f64>) {
        z.assign(&((self.weights.dot(&x) + u) / self.below(x)));
    }

    fn own(&self, i: usize, x: ArrayView1<'_, f64>, u: ArrayView1<'_, f64>) -> Own<f64> {
        // (a + w s)/(b + g s) has the slope (w b - a g)/(b + g s)^2, steepest at s = 0.
        let (w, g) = (self.weights[[i, i]], self.pool);
        let (a, b) = (self.weights.row(i).dot(&x) - w * x[i] + u[i], self.below(x) - g * x[i]);
        let steepest = (w * b - a * g) / (b * b);
        Own::Bounded { least: steepest.min(0.0), most: steepest.max(0.0) }
    }

    fn jacobian_product(
        &self,
        x: ArrayView1<'_, f64>,
        u: ArrayView1<'_, f64>,
        v: ArrayView1<'_, f64>,
        mut out: ArrayViewMut1<'_, f64>,
    ) {
        let below = self.below(x);
        let z = (self.weights.dot(&x) + u) / below;
        out.assign(&((self.weights.dot(&v) - z * (self.pool * v.sum())) / below));
    }

    fn has_jacobian(&self) -> bool {
        true
    }

    fn domain(&self, _neuron: usize) -> Domain<f64> {
        Domain::new(0.0, f64::INFINITY)
    }

    /// `J_ij = (w_ij - g z_i)/(1 + g sum x)` with `0 <= z_i <= max(u_i, max_j w_ij/g)`.
    fn jacobian_enclosure(&self, u: ArrayView1<'_, f64>) -> Option<UncertainWeights> {
        if self.weights.iter().chain(u).any(|v| *v < 0.0) || self.pool <= 0.0 {
            return None;
        }
        // A little outwards, for the rounding of the formulas.
        let outward = 1.0 + 1e-12;
        let lower = Array2::from_shape_fn(self.weights.dim(), |(i, j)| {
            let most = self.weights.row(i).fold(u[i], |most, w| most.max(w / self.pool)) * outward;
            (self.weights[[i, j]] - self.pool * most).min(0.0) * outward
        });
        UncertainWeights::between(&lower, &self.weights).ok()
    }

    fn rounding_errors(&self, x: ArrayView1<'_, f64>, u: ArrayView1<'_, f64>) -> Option<Array1<f64>> {
        // Sums of nonnegative numbers are accurate relative to themselves.
        let terms = (4 * x.len() + 16) as f64;
        Some((self.weights.dot(&x) + u) / self.below(x) * (terms * f64::EPSILON))
    }
}

/// Terms of three neurons: `z_i = sum_j w_ij x_j + u_i + v x_{i+1} x_{i+2}` (numbered in a ring of at least three), for rates in `[0, 1]`.
#[derive(Debug, Clone)]
pub struct Triplets {
    /// The weights, shape `[n, n]`.
    pub weights: Array2<f64>,
    /// The strength `v` of the terms of three.
    pub strength: f64,
}

impl Triplets {
    fn partners(&self, i: usize) -> (usize, usize) {
        let n = self.weights.nrows();
        ((i + 1) % n, (i + 2) % n)
    }
}

impl InteractionCost<f64> for Triplets {
    fn neurons(&self) -> usize {
        self.weights.nrows()
    }

    fn drive(&self, x: ArrayView1<'_, f64>, u: ArrayView1<'_, f64>, mut z: ArrayViewMut1<'_, f64>) {
        z.assign(&(self.weights.dot(&x) + u));
        for (i, z) in z.iter_mut().enumerate() {
            let (j, k) = self.partners(i);
            *z += self.strength * x[j] * x[k];
        }
    }

    fn own(&self, i: usize, x: ArrayView1<'_, f64>, u: ArrayView1<'_, f64>) -> Own<f64> {
        let (j, k) = self.partners(i);
        let self_weight = self.weights[[i, i]];
        let others = self.weights.row(i).dot(&x) - self_weight * x[i] + u[i] + self.strength * x[j] * x[k];
        Own::Affine { self_weight, others }
    }

    fn jacobian_product(
        &self,
        x: ArrayView1<'_, f64>,
        _u: ArrayView1<'_, f64>,
        v: ArrayView1<'_, f64>,
        mut out: ArrayViewMut1<'_, f64>,
    ) {
        out.assign(&self.weights.dot(&v));
        for (i, out) in out.iter_mut().enumerate() {
            let (j, k) = self.partners(i);
            *out += self.strength * (x[j] * v[k] + x[k] * v[j]);
        }
    }

    fn has_jacobian(&self) -> bool {
        true
    }

    fn domain(&self, _neuron: usize) -> Domain<f64> {
        Domain::new(0.0, 1.0)
    }

    /// `dz_i/dx_{i+1} = w + v x_{i+2}`, and so with `i + 1` and `i + 2` exchanged.
    fn jacobian_enclosure(&self, _u: ArrayView1<'_, f64>) -> Option<UncertainWeights> {
        let end = |sign: f64| {
            let mut end = self.weights.clone();
            for i in 0..end.nrows() {
                let (j, k) = self.partners(i);
                let most = (sign * self.strength).max(0.0) * sign * (1.0 + 1e-12);
                for at in [[i, j], [i, k]] {
                    end[at] += most + sign * 1e-12 * end[at].abs();
                }
            }
            end
        };
        UncertainWeights::between(&end(-1.0), &end(1.0)).ok()
    }

    fn rounding_errors(&self, x: ArrayView1<'_, f64>, u: ArrayView1<'_, f64>) -> Option<Array1<f64>> {
        let unit = (4 * x.len() + 16) as f64 * f64::EPSILON;
        let sizes = self.weights.mapv(f64::abs).dot(&x.mapv(f64::abs)) + u.mapv(f64::abs) + self.strength.abs();
        Some(sizes * unit)
    }
}
