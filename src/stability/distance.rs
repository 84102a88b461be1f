//! The guaranteed distance of a computed state to the one equilibrium of a certified network.
//!
//! Let `z` be any drive and `y` the computed value of `Phi(z)`. The exact `q = Phi(z)` is the exact equilibrium of the same
//! network with input `u + v`, `v = z - u - W q`. By theory 3.4, `|q - x*|_{D/R} <= |R v|_{D/R} / delta`, and so
//!
//! `|y - x*|_{D/R} <= |y - q|_{D/R} + |R v|_{D/R} / delta`,
//!
//! which is theory 3.5 for the state `x` with `z = W x + u`, without its first term. It costs one product, and the same
//! product is the check of the residual at `y`. All that is computed in floating point is bounded: the product by
//! `gamma_k |W| |y|` with `k` entries in a row, whatever the order of summation, and the activation by [`activation_error`].

use std::fmt;

use ndarray::{Array1, Array2, ArrayView1};

use super::NetworkCertificate;
use crate::Scalar;
use crate::linalg::decimal::AtMost;
use crate::linalg::magnitude::{Magnitude, weighted_norm};
use crate::linalg::rounding::{add_up, div_up, mul_up, sub_down, sub_up};
use crate::network::{Circuit, Weights, WeightsView};

/// How far the reported rates `x` can be from those of the one true equilibrium, `x*`; proved, with all rounding errors counted.
///
/// It rests on a certificate `D` with margin `delta` (theory 3.3) and on one assumption, that computed activations have
/// `|fl(phi(z)) - phi(z)| <= accuracy (|phi(z)| + rho |z|)`.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ErrorBound {
    /// Upper bound on `|x - x*|_{D/R}`, the norm weighted by `d_i / rho_i`.
    pub weighted: f64,
    /// Upper bound on `max_i |x_i - x*_i|`, in units of rate.
    pub largest: f64,
    /// The accuracy that was assumed of the computed activations.
    pub activation_accuracy: f64,
}

impl ErrorBound {
    /// The bound for `x`, from this one for `y`; `None` if it overflows.
    pub(crate) fn moved<A: Scalar>(
        self,
        x: ArrayView1<'_, A>,
        y: ArrayView1<'_, A>,
        certificate: &NetworkCertificate,
    ) -> Option<Self> {
        let away = |(x, y): (&A, &A)| {
            let (x, y) = (x.to_double(), y.to_double());
            sub_up(x.max(y), x.min(y))
        };
        let way = x.iter().zip(&y).map(away);
        let weighted = add_up(self.weighted, certificate.norm_upper(way.clone()).upper());
        let largest = add_up(self.largest, way.fold(0.0, f64::max));
        (weighted.is_finite() && largest.is_finite()).then_some(Self { weighted, largest, ..self })
    }
}

impl fmt::Display for ErrorBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "within {:.1e} of the true equilibrium", AtMost(self.largest))
    }
}

/// `W y` summed in `f64`, and `|W| m` for a bound on its errors.
#[derive(Debug, Clone)]
pub(crate) struct CheckedProduct {
    pub(crate) value: Vec<f64>,
    pub(crate) magnitude: Vec<f64>,
}

/// Computes `W y` and `|W| m` for each pair `(y, m)`; the latter may come out a little larger.
pub(crate) fn checked_products<A: Scalar>(
    weights: &Weights<A>,
    pairs: &[(&Array1<A>, Vec<f64>)],
) -> Vec<CheckedProduct> {
    match (weights.rounded(), pairs) {
        (None, _) => row_by_row(weights, pairs),
        (Some(rounded), [(y, m)]) => {
            vec![CheckedProduct { value: doubles(weights.dot(y.view()).view()), magnitude: rounded.magnitudes(m) }]
        }
        (Some(rounded), _) => {
            let mut states = Array2::zeros((weights.len(), pairs.len()));
            for (mut state, (y, _)) in states.columns_mut().into_iter().zip(pairs) {
                state.assign(y);
            }
            let products = weights.dot_matrix(states.view());
            let checked = |(value, (_, m)): (ArrayView1<'_, A>, &(_, Vec<f64>))| CheckedProduct {
                value: doubles(value),
                magnitude: rounded.magnitudes(m),
            };
            products.columns().into_iter().zip(pairs).map(checked).collect()
        }
    }
}

fn doubles<A: Scalar>(values: ArrayView1<'_, A>) -> Vec<f64> {
    values.iter().map(|v| v.to_double()).collect()
}

/// Sums in `f64`; every row of `W` is read once for all pairs.
fn row_by_row<A: Scalar>(weights: &Weights<A>, pairs: &[(&Array1<A>, Vec<f64>)]) -> Vec<CheckedProduct> {
    let n = weights.len();
    let pairs: Vec<(Vec<f64>, &Vec<f64>)> = pairs.iter().map(|(y, m)| (doubles(y.view()), m)).collect();
    let mut rows = vec![(0.0, 0.0); n * pairs.len()];
    let fill = |i: usize, out: &mut [(f64, f64)]| match weights.view() {
        WeightsView::Dense(w) => {
            let row = w.row(i).to_slice().expect("rows of dense weights lie one after the other");
            for (target, (y, m)) in out.iter_mut().zip(&pairs) {
                *target = dense_row(row, y, m);
            }
        }
        WeightsView::Sparse(w) => {
            let range = w.indptr().outer_inds_sz(i);
            for (target, (y, m)) in out.iter_mut().zip(&pairs) {
                for (&j, &v) in w.indices()[range.clone()].iter().zip(&w.data()[range.clone()]) {
                    let v = v.to_double();
                    target.0 += v * y[j];
                    target.1 += v.abs() * m[j];
                }
            }
        }
    };
    let width = pairs.len();
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;
        rows.par_chunks_mut(width).with_min_len(32).enumerate().for_each(|(i, out)| fill(i, out));
    }
    #[cfg(not(feature = "rayon"))]
    rows.chunks_mut(width).enumerate().for_each(|(i, out)| fill(i, out));
    (0..width)
        .map(|k| {
            let column = || rows[k..].iter().step_by(width);
            CheckedProduct { value: column().map(|r| r.0).collect(), magnitude: column().map(|r| r.1).collect() }
        })
        .collect()
}

/// `<row, y>` and `<|row|, m>`, in interleaved parts and block by block: each sum vectorises by itself, and the row comes
/// from memory once.
fn dense_row<A: Scalar>(row: &[A], y: &[f64], m: &[f64]) -> (f64, f64) {
    const BLOCK: usize = 128;
    let (mut value, mut magnitude) = ([0.0; LANES], [0.0; LANES]);
    for ((row, y), m) in row.chunks(BLOCK).zip(y.chunks(BLOCK)).zip(m.chunks(BLOCK)) {
        add_products(&mut value, row, y, |w| w);
        add_products(&mut magnitude, row, m, f64::abs);
    }
    (value.into_iter().sum(), magnitude.into_iter().sum())
}

const LANES: usize = 16;

fn add_products<A: Scalar>(sums: &mut [f64; LANES], row: &[A], y: &[f64], f: impl Fn(f64) -> f64) {
    let (rows, ys) = (row.chunks_exact(LANES), y.chunks_exact(LANES));
    let rest = rows.remainder().iter().zip(ys.remainder());
    rest.zip(&mut *sums).for_each(|((w, y), sum)| *sum += f(w.to_double()) * y);
    for (w, y) in rows.zip(ys) {
        for k in 0..LANES {
            sums[k] += f(w[k].to_double()) * y[k];
        }
    }
}

/// `|y| + rho |z|` for the computed `y = phi(z)`, at least the smallest normal number: times [`seen`] accuracy, the error of a
/// computed activation. `rho = 1` without a certificate.
pub(crate) fn activation_scale<A: Scalar>(
    y: &Array1<A>,
    z: &Array1<A>,
    certificate: Option<&NetworkCertificate>,
) -> Vec<f64> {
    let tiny = A::min_positive_value().to_double();
    y.iter()
        .zip(z)
        .enumerate()
        .map(|(i, (y, z))| {
            let slope = certificate.map_or(1.0, |certificate| certificate.slope_bounds()[i]);
            (y.to_double().abs() + slope * z.to_double().abs()).max(tiny)
        })
        .collect()
}

/// What an accuracy relative to exact activations comes to relative to computed ones: `|y - q| <= accuracy (|q| + rho |z|)`
/// implies `|y - q| <= accuracy / (1 - accuracy) (|y| + rho |z|)`.
fn seen(accuracy: f64) -> f64 {
    div_up(accuracy, sub_down(1.0, accuracy))
}

/// The bound above for `y`, the computed `Phi(z)`; `scale` is [`activation_scale`] and `product` holds `W y` and `|W| scale`.
///
/// `None` if the bound overflows.
pub(crate) fn error_bound<A: Scalar>(
    weights: &Weights<A>,
    certificate: &NetworkCertificate,
    z: &Array1<A>,
    input: &Array1<A>,
    scale: &[f64],
    product: &CheckedProduct,
    accuracy: f64,
) -> Option<ErrorBound> {
    let n = z.len();
    let rho = certificate.slope_bounds();
    let (gamma, underflow) = rounding_of_drive(weights);
    let seen = seen(accuracy);
    let drive_error = |i: usize| {
        let (z, u, w) = (z[i].to_double(), input[i].to_double(), product.value[i]);
        let rounding = gamma * (product.magnitude[i] + z.abs() + u.abs() + w.abs()) + underflow;
        (z - u - w).abs() + rounding + seen * product.magnitude[i]
    };
    // For the roundings of the bound itself, except where it may underflow.
    let outward = 1.0 + 4.0 * (n as f64 + 16.0) * f64::EPSILON;
    let moved = certificate
        .norm_upper((0..n).map(|i| mul_up(rho[i], drive_error(i))))
        .over(Magnitude::of(certificate.margin()))
        .times(Magnitude::of(outward));
    let computed = certificate.norm_upper(scale.iter().map(|&s| mul_up(seen, s)));
    let weighted_magnitude = moved.plus(computed).times(Magnitude::of(outward));
    let weighted = weighted_magnitude.upper();
    let mut largest = certificate.largest_entry(weighted_magnitude);
    if largest > SHARPEN * weighted_scale(certificate) * weighted
        && let Some(gains) = row_gains(weights, certificate)
    {
        let moved = moved.upper();
        let each = (0..n).map(|i| {
            let through_drive = mul_up(rho[i], add_up(drive_error(i), mul_up(gains[i], moved)));
            let share = weighted_norm(std::iter::once((1.0, rho[i], certificate.weights()[i])));
            let by_weight = weighted_magnitude.times(share).upper();
            mul_up(add_up(through_drive, mul_up(seen, scale[i])).min(by_weight), outward)
        });
        largest = largest.min(each.fold(0.0, f64::max));
    }
    (weighted.is_finite() && largest.is_finite()).then_some(ErrorBound {
        weighted,
        largest,
        activation_accuracy: accuracy,
    })
}

/// A bound on `max_i |z_i - z*_i|` for the computed drive `z` of `W x + u`, from the bound on the rates `x`; `product` holds `W x`
/// and at least `|W| |x|`.
///
/// `None` if the bound overflows.
pub(crate) fn drive_error_bound<A: Scalar>(
    weights: &Weights<A>,
    certificate: &NetworkCertificate,
    z: &Array1<A>,
    input: &Array1<A>,
    product: &CheckedProduct,
    rates: &ErrorBound,
) -> Option<f64> {
    let gains = row_gains(weights, certificate)?;
    let (gamma, underflow) = rounding_of_drive(weights);
    let outward = 1.0 + 16.0 * f64::EPSILON;
    let each = gains.iter().enumerate().map(|(i, gain)| {
        let (z, u, w) = (z[i].to_double(), input[i].to_double(), product.value[i]);
        let rounding = gamma * (product.magnitude[i] + z.abs() + u.abs() + w.abs()) + underflow;
        mul_up((z - u - w).abs() + rounding + mul_up(*gain, rates.weighted), outward)
    });
    Some(each.fold(0.0, f64::max)).filter(|bound| bound.is_finite())
}

/// `gamma` and the underflow of one drive `W x + u`: twice the unit roundoff everywhere, which covers the roundings of a
/// bound itself as well.
fn rounding_of_drive<A: Scalar>(weights: &Weights<A>) -> (f64, f64) {
    let terms = longest_row(weights) as f64 + 8.0;
    (terms * f64::EPSILON / (1.0 - terms * f64::EPSILON), terms * f64::MIN_POSITIVE)
}

/// How much the least weight must spoil the bound on single entries before it is sharpened.
const SHARPEN: f64 = 4.0;

/// The bound on single entries, in units of the weighted one, if all weights were as large as the largest.
fn weighted_scale(certificate: &NetworkCertificate) -> f64 {
    let weights = certificate.weights();
    let ratios = weights.iter().zip(certificate.slope_bounds()).map(|(d, rho)| d / rho);
    ratios.fold(0.0, f64::max).sqrt().recip()
}

/// `(sum_j w_ij^2 rho_j / d_j)^{1/2}` for each neuron, rounded outward: by Cauchy and Schwarz an error of weighted norm
/// `e` moves drive `i` by at most that times `e`. A neuron that drives no others may have a tiny weight `d_j`, but then it
/// does not count here. `None` if it overflows.
fn row_gains<A: Scalar>(weights: &Weights<A>, certificate: &NetworkCertificate) -> Option<Vec<f64>> {
    let (d, rho) = (certificate.weights(), certificate.slope_bounds());
    let gain = |i: usize| weighted_norm(weights.row(i).map(|(j, w)| (w.to_double(), rho[j], d[j]))).upper();
    let gains: Vec<f64> = (0..weights.len()).map(gain).collect();
    gains.iter().all(|g| g.is_finite()).then_some(gains)
}

fn longest_row<A: Scalar>(weights: &Weights<A>) -> usize {
    match weights.view() {
        WeightsView::Dense(w) => w.ncols(),
        WeightsView::Sparse(w) => (0..w.rows()).map(|i| w.indptr().nnz_in_outer_sz(i)).max().unwrap_or(0),
    }
}

/// `y`, the computed `Phi(z)`, with the bound above.
pub(crate) fn bound_image<A: Scalar>(
    circuit: &Circuit<A>,
    certificate: &NetworkCertificate,
    z: &Array1<A>,
    accuracy: f64,
) -> (Array1<A>, Option<ErrorBound>) {
    let mut y = z.clone();
    circuit.activate(y.view_mut());
    let scale = activation_scale(&y, z, Some(certificate));
    let pairs = [(&y, scale)];
    let products = checked_products(&circuit.weights, &pairs);
    let bound = error_bound(&circuit.weights, certificate, z, &circuit.input, &pairs[0].1, &products[0], accuracy);
    (y, bound)
}
