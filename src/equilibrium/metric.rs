//! The metric of a certificate, and the steps that contract in it.

use std::sync::OnceLock;

use ndarray::{Array1, ArrayView1};

use super::drive::Task;
use super::splitting::LinearResolvent;
use crate::Scalar;
use crate::error::Result;
use crate::network::{Neurons, Weights};
use crate::stability::NetworkCertificate;

/// The norm `|.|_{D/R}` of a certificate, in which the splittings contract.
pub(super) struct Metric<'a, A: Scalar> {
    certificate: &'a NetworkCertificate,
    rate_weights: Vec<f64>,
    lipschitz: OnceLock<f64>,
    /// For the step `1 / L`.
    resolvent: OnceLock<LinearResolvent<A>>,
}

impl<'a, A: Scalar> Metric<'a, A> {
    pub(super) fn new(certificate: &'a NetworkCertificate) -> Self {
        let rate_weights =
            certificate.weights().iter().zip(certificate.slope_bounds()).map(|(d, rho)| d / rho).collect();
        Self { certificate, rate_weights, lipschitz: OnceLock::new(), resolvent: OnceLock::new() }
    }

    pub(super) fn certificate(&self) -> &'a NetworkCertificate {
        self.certificate
    }

    fn slope_bounds(&self) -> ArrayView1<'_, f64> {
        self.certificate.slope_bounds()
    }

    /// `d_i / rho_i`, the weights of the norm `|.|_{D/R}`.
    pub(super) fn rate_weights(&self) -> &[f64] {
        &self.rate_weights
    }

    /// `|v|_{D/R}`.
    pub(super) fn norm(&self, v: &Array1<A>) -> f64 {
        v.iter().zip(&self.rate_weights).map(|(v, m)| m * v.to_double().powi(2)).sum::<f64>().sqrt()
    }

    /// An upper bound on `L = |I - R W|_{D/R}`.
    ///
    /// `|K|_2^2 <= max_i (|K|' |K| v)_i / v_i` for every `v > 0` (Collatz-Wielandt); a few power steps bring it near its
    /// least value, the square of the norm of `|K|`.
    pub(super) fn lipschitz(&self, weights: &Weights<A>) -> f64 {
        *self.lipschitz.get_or_init(|| {
            let root: Vec<f64> = self.rate_weights.iter().map(|m| m.sqrt()).collect();
            let rho = self.slope_bounds();
            let entry = |i: usize, j: usize, w: f64| {
                let identity = if i == j { 1.0 } else { 0.0 };
                (identity - rho[i] * w).abs() * root[i] / root[j]
            };
            let mut v = vec![1.0; root.len()];
            let mut bound = f64::INFINITY;
            for _ in 0..8 {
                let mut gram = vec![0.0; v.len()];
                for i in 0..v.len() {
                    let row = || weights_row_with_diagonal(weights, i).map(move |(j, w)| (j, entry(i, j, w)));
                    let k_v: f64 = row().map(|(j, k)| k * v[j]).sum();
                    row().for_each(|(j, k)| gram[j] += k * k_v);
                }
                let ratio = gram.iter().zip(&v).map(|(g, v)| g / v).fold(0.0, f64::max);
                bound = f64::min(bound, ratio);
                let largest = gram.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
                // A floor keeps the vector positive, which is all that the bound needs.
                v = gram.iter().map(|g| (g / largest).max(1e-6)).collect();
            }
            bound.sqrt() * (1.0 + 1e-9)
        })
    }

    /// The step `alpha` at which the forward-backward step contracts most, at most 1.
    pub(super) fn best_step(&self, weights: &Weights<A>) -> f64 {
        let l = self.lipschitz(weights);
        (self.certificate.margin() / (l * l)).min(1.0)
    }

    /// The step `1 / L`, at most 1, at which Peaceman-Rachford splitting contracts most.
    pub(super) fn splitting_step(&self, weights: &Weights<A>) -> f64 {
        self.lipschitz(weights).recip().min(1.0)
    }

    /// `J_A(v)` in the metric: each neuron's solution of `(1 - alpha) s + alpha rho Psi'(s) = v`, its prox with the step
    /// `alpha rho / (1 - alpha + alpha rho) <= 1`.
    pub(super) fn backward(&self, neurons: &Neurons<A>, alpha: f64, v: ArrayView1<'_, A>) -> Array1<A> {
        let rho = self.slope_bounds();
        Array1::from_shape_fn(v.len(), |i| {
            let weight = 1.0 - alpha + alpha * rho[i];
            let gamma = alpha * rho[i] / weight;
            neurons.activation(i).prox(v[i] / A::of(weight), A::of(gamma))
        })
    }

    /// The forward-backward step from `x` with drive `z`.
    pub(super) fn forward_backward(&self, neurons: &Neurons<A>, alpha: f64, x: &Array1<A>, z: &Array1<A>) -> Array1<A> {
        if alpha == 1.0 {
            let mut out = z.clone();
            neurons.activate(out.view_mut());
            return out;
        }
        let rho = self.slope_bounds();
        let forward = Array1::from_shape_fn(x.len(), |i| A::of(1.0 - alpha) * x[i] + A::of(alpha * rho[i]) * z[i]);
        self.backward(neurons, alpha, forward.view())
    }
}

impl<A: Scalar> Metric<'_, A> {
    /// A Peaceman-Rachford step of length `1 / L` from `x` with drive `z`, as a step of `x = J_B(w)`: since `J_B` is affine, the step of
    /// `w` by `2 (J_A(2 x - w) - x)` moves `x` by `2 K^{-1} (J_A(2 x - w) - x)`, `K = I + alpha (I - R W)`, and `J_A(2 x - w)` is the
    /// forward-backward step. It contracts `|x - J_A(2 x - w)|_{D/R}` by `sqrt(1 - delta / L)`, from every `x`.
    pub(super) fn peaceman_rachford(&self, task: &Task<'_, A>, x: &Array1<A>, z: &Array1<A>) -> Result<Array1<A>> {
        let alpha = self.splitting_step(task.weights());
        let resolvent = self.resolvent.get_or_init(|| LinearResolvent::new(task.weights(), self, alpha));
        let step = self.forward_backward(task.game.neurons(), alpha, x, z) - x;
        Ok(x + &resolvent.apply_inverse(self, task, step * A::of(2.0))?)
    }
}

/// The stored entries of row `i`, and its diagonal entry where none is stored.
fn weights_row_with_diagonal<A: Scalar>(weights: &Weights<A>, i: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
    let missing = weights.get(i, i).is_zero().then_some((i, 0.0));
    weights.row(i).map(|(j, w)| (j, w.to_double())).chain(missing)
}
