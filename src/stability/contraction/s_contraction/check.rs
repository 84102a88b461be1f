//! The rigorous checks: what they accept is proved for the exact real matrices.

use ndarray::{Array1, Array2, Axis};

use super::{Form, Model};
use crate::linalg::magnitude::{exponent_of_largest, times_power_of_two};
use crate::linalg::product;
use crate::linalg::rounding::{add_up, div_down, gamma, mul_up, sub_down};
use crate::linalg::verified::proved_positive_definite;

/// Covers a dozen roundings with a safety factor of 2.
const DOZEN: f64 = 12.0 * f64::EPSILON;

/// Times what a rounded number is multiplied by later, what its underflow comes to. Where that is less than 2^40, the smallest
/// normal number, which is part of every bound on errors, covers it.
const LOST: f64 = 4.0 * f64::from_bits(1);

/// Proves the block inequality, strictly, and with it `P > 0` and `Q > 0`.
pub(super) fn proves_rate(model: &Model, p: &Array2<f64>, q: &Array1<f64>, c: f64) -> bool {
    let n = q.len();
    if model.len() != n || p.dim() != (n, n) || !c.is_finite() || !q.iter().all(|&v| v > 0.0 && v.is_finite()) {
        return false;
    }
    if p.indexed_iter().any(|((i, j), v)| !v.is_finite() || *v != p[[j, i]]) {
        return false;
    }
    let zero = Array2::zeros((n, n));
    proved_positive_definite(p.view(), zero.view()) && {
        let (block, error) = negated_block(model, p, q, c);
        proved_positive_definite(block.view(), error.view())
    }
}

/// Minus the block matrix, of order `2 n`, and a bound on the rounding errors of its entries.
fn negated_block(model: &Model, p: &Array2<f64>, q: &Array1<f64>, c: f64) -> (Array2<f64>, Array2<f64>) {
    let n = q.len();
    let mut block = Array2::zeros((2 * n, 2 * n));
    let mut error = Array2::from_elem((2 * n, 2 * n), f64::MIN_POSITIVE);
    for ((i, j), &v) in p.indexed_iter() {
        let (i_, j_) = (i.max(j), i.min(j));
        let leak = 1.0 / model.tau[i_] + 1.0 / model.tau[j_];
        block[[i, j]] = v * (leak - 2.0 * c);
        error[[i, j]] += DOZEN * v.abs() * (leak + 2.0 * c.abs()) + LOST * v.abs();
    }
    let (corner, corner_error) = model.corner(p, q);
    for ((i, j), &v) in corner.indexed_iter() {
        block[[i, n + j]] = -v;
        block[[n + j, i]] = -v;
        error[[i, n + j]] += corner_error[[i, j]];
        error[[n + j, i]] += corner_error[[i, j]];
    }
    for i in 0..n {
        block[[n + i, n + i]] = 2.0 * q[i];
    }
    (block, error)
}

impl Model {
    /// The upper right block, `P T^{-1} + W'Q` or `P T^{-1} W + Q`, and a bound on its rounding errors.
    fn corner(&self, p: &Array2<f64>, q: &Array1<f64>) -> (Array2<f64>, Array2<f64>) {
        let n = self.len();
        let over_tau = Array2::from_shape_fn((n, n), |(i, j)| p[[i, j]] / self.tau[j]);
        match self.form {
            Form::FiringRate => {
                let wq = Array2::from_shape_fn((n, n), |(i, j)| self.w[[j, i]] * q[j]);
                let mut error = DOZEN * (over_tau.mapv(f64::abs) + wq.mapv(f64::abs));
                // Of `R W`, as below.
                error += &q.mapv(|q| LOST * q);
                (over_tau + wq, error)
            }
            Form::Hopfield => {
                let mut corner = product(over_tau.view(), self.w.view());
                let magnitude = product(over_tau.mapv(f64::abs).view(), self.w.mapv(f64::abs).view());
                let g = 2.0 * gamma(n + 12);
                let mut error = magnitude.mapv(|v| mul_up(g, v) + n as f64 * f64::MIN_POSITIVE);
                // Of `P T^{-1}`, and of `W R`.
                error += &self.w.mapv(|w| LOST * w.abs()).sum_axis(Axis(0));
                error += &over_tau.mapv(|p| LOST * p.abs()).sum_axis(Axis(1)).insert_axis(Axis(1));
                for i in 0..n {
                    corner[[i, i]] += q[i];
                    error[[i, i]] += DOZEN * (q[i] + magnitude[[i, i]]);
                }
                (corner, error)
            }
        }
    }
}

/// A proved lower bound on every `r` for which some positive diagonal has `D (r I - A_k) + (r I - A_k)' D >= 0` for all
/// `k`: with `X_k = Y_k Y_k'`, the smallest over the neurons of `sum (A_k X_k)_aa / sum (X_k)_aa`.
///
/// `A_k` may be off by `relative` of each entry, and by what underflows.
pub(super) fn proved_shift(blocks: &[(Array2<f64>, &Array2<f64>)], n: usize, relative: f64) -> f64 {
    // The proof is for the `Y_k` after they were scaled and rounded. With entries of size 1 at most, all that underflows together
    // is less than the smallest normal number for each rounding.
    let exponent = exponent_of_largest(blocks.iter().flat_map(|(_, y)| y.iter().copied()));
    let blocks: Vec<_> = blocks.iter().map(|(a, y)| (a, times_power_of_two(y.view(), -1 - exponent))).collect();
    let mut value = Array1::<f64>::zeros(n);
    let mut radius = Array1::<f64>::zeros(n);
    let mut trace = Array1::<f64>::zeros(n);
    let mut roundings = 0;
    for (a, y) in &blocks {
        if a.nrows() != y.nrows() || y.iter().chain(a.iter()).any(|v| !v.is_finite()) {
            return f64::NEG_INFINITY;
        }
        let image = product(a.view(), y.view());
        let magnitude = product(a.mapv(f64::abs).view(), y.mapv(f64::abs).view());
        for i in 0..a.nrows() {
            value[i % n] += image.row(i).dot(&y.row(i));
            radius[i % n] += magnitude.row(i).dot(&y.row(i).mapv(f64::abs));
            trace[i % n] += y.row(i).dot(&y.row(i));
        }
        roundings = roundings.max(a.nrows() + y.ncols());
    }
    let g = 2.0 * (gamma(roundings + 2 * blocks.len() + 12) + relative);
    let mut least = f64::INFINITY;
    for i in 0..n {
        if blocks.iter().all(|(_, y)| (i..y.nrows()).step_by(n).all(|a| y.row(a).iter().all(|&v| v == 0.0))) {
            continue;
        }
        let lost = roundings as f64 * f64::MIN_POSITIVE;
        let low = sub_down(value[i], add_up(mul_up(g, radius[i]), lost));
        let error = add_up(mul_up(g, trace[i]), lost);
        let trace = if low > 0.0 { add_up(trace[i], error) } else { sub_down(trace[i], error) };
        let quotient = if trace > 0.0 { div_down(low, trace) } else { f64::NEG_INFINITY };
        least = if quotient.is_nan() { f64::NEG_INFINITY } else { least.min(quotient) };
    }
    if least == f64::INFINITY { f64::NEG_INFINITY } else { least }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use num_rational::BigRational;
    use num_traits::Signed;
    use proptest::prelude::*;

    use super::*;

    fn exact(x: f64) -> BigRational {
        BigRational::from_float(x).unwrap()
    }

    /// Numbers of every size, whose products may underflow, and are finite.
    fn numbers(n: usize) -> impl Strategy<Value = Vec<f64>> {
        let any = (1.0..2.0f64, -500i32..240).prop_map(|(m, e)| m * 2f64.powi(e));
        proptest::collection::vec(prop_oneof![any, 0.5..2.0f64, (1.0..2.0f64).prop_map(|m| m * 2f64.powi(240))], n)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]
        #[test]
        fn the_errors_of_the_block_are_bounded(
            (w, rho, tau, p, q) in (numbers(4), numbers(2), numbers(2), numbers(3), numbers(2)), c in -2.0..2.0f64,
        ) {
            let weights = Array2::from_shape_vec((2, 2), w).unwrap();
            let (rho, tau, q) = (Array1::from(rho), Array1::from(tau), Array1::from(q));
            let p = array![[p[0], -p[1]], [-p[1], p[2]]];
            for form in [Form::FiringRate, Form::Hopfield] {
                let model = Model::new(form, weights.clone(), tau.clone(), rho.view());
                let (block, error) = negated_block(&model, &p, &q, c);
                let w = |i: usize, j: usize| {
                    exact(weights[[i, j]]) * exact(rho[if form == Form::FiringRate { i } else { j }])
                };
                let over_tau = |i: usize, j: usize| exact(p[[i, j]]) / exact(tau[j]);
                for i in 0..2 {
                    for j in 0..2 {
                        let own = if i == j { exact(q[i]) } else { exact(0.0) };
                        let corner = match form {
                            Form::FiringRate => over_tau(i, j) + w(j, i) * exact(q[j]),
                            Form::Hopfield => (0..2).map(|k| over_tau(i, k) * w(k, j)).sum::<BigRational>() + own,
                        };
                        let leak = over_tau(i, j) + over_tau(j, i) - exact(2.0 * c) * exact(p[[i, j]]);
                        for ((i, j), exactly) in [((i, j), leak), ((i, 2 + j), -&corner), ((2 + j, i), -corner)] {
                            let (found, error) = (block[[i, j]], error[[i, j]]);
                            if found.is_finite() && error.is_finite() {
                                prop_assert!((exact(found) - exactly).abs() <= exact(error), "{form:?} [{i}, {j}]");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_trace_of_a_multiplier_may_underflow() {
        let a = array![[1e20]];
        for y in [1.3e-162, 1e-160, 1.0, 1e160] {
            let r = proved_shift(&[(a.clone(), &array![[y]])], 1, 0.0);
            assert!(r <= 1e20 && r > 0.999e20, "{y:e}: {r:e}");
        }
        // The second neuron has no share that could be told from 0.
        let r = proved_shift(&[(array![[1.0, 0.0], [0.0, -1.0]], &array![[1.0], [1e-170]])], 2, 0.0);
        assert!(r <= -1.0, "{r:e}");
    }
}
