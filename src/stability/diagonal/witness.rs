//! Refutations from an approximate dual solution.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::linalg::{self, Backend, Lu};

/// A refutation `X = Y Y'` with `Y = diag(h) L` on its support, zero elsewhere, where `L L'` is the support's part
/// of the approximate `X`.
pub(super) struct Candidate {
    support: Vec<usize>,
    h: Array1<f64>,
    /// `max_i -(B X)_ii / X_ii` over the support: an upper bound on the margin of `B`.
    pub(super) bound: f64,
}

impl Candidate {
    /// `Y`, or `None` if the approximate `x` is not numerically positive definite.
    pub(super) fn factor(&self, x: ArrayView2<'_, f64>) -> Option<Array2<f64>> {
        let l = f64::cholesky(x.select(Axis(0), &self.support).select(Axis(1), &self.support).view())?;
        let mut y = Array2::zeros((x.nrows(), l.ncols()));
        for ((row, &i), &h) in l.axis_iter(Axis(0)).zip(&self.support).zip(&self.h) {
            y.row_mut(i).assign(&(&row * h));
        }
        Some(y)
    }
}

/// The best of several refutations that an approximate `X` for the matrix `b` suggests.
///
/// Where the optimal `X` has zero rows, those of an approximation are all rounding: they are set to zero, which turns
/// `X` into a refutation for a principal submatrix. What remains is rescaled to `H X H` with
/// `(B H X H)_ii = -beta (H X H)_ii` for all `i`: such an `h` is an eigenvector of the pencil
/// `(B o X, diag(X))`, found by inverse iteration from `h = 1`. It needs no sign, and `H X H` is positive
/// semidefinite whatever `h` is.
///
/// The rescaling costs a factorisation for each support; without `rescale` only the supports are tried.
pub(super) fn best(b: ArrayView2<'_, f64>, x: ArrayView2<'_, f64>, rescale: bool) -> Option<Candidate> {
    let largest = x.diag().fold(0.0, |m: f64, &v| m.max(v));
    let mut best: Option<Candidate> = None;
    let mut previous = usize::MAX;
    for power in 0..12 {
        let threshold = largest * 0.1_f64.powi(power);
        let support: Vec<usize> = (0..x.nrows()).filter(|&i| x[[i, i]] >= threshold && x[[i, i]] > 0.0).collect();
        if support.is_empty() || support.len() == previous {
            continue;
        }
        previous = support.len();
        let product = Array2::from_shape_fn((support.len(), support.len()), |(i, j)| {
            b[[support[i], support[j]]] * x[[support[i], support[j]]]
        });
        let diagonal: Array1<f64> = support.iter().map(|&i| x[[i, i]]).collect();
        let ones = Array1::ones(support.len());
        let rescaled = if rescale { rescaling(&product, &diagonal) } else { None };
        for h in [Some(ones), rescaled].into_iter().flatten() {
            let bound = upper_bound(&product, &diagonal, &h);
            if bound.is_finite() && best.as_ref().is_none_or(|b| bound < b.bound) {
                best = Some(Candidate { support: support.clone(), h, bound });
            }
        }
    }
    best
}

/// The best refutation from the dominant eigenvectors of `x`, and the bound that it promises for the margin of `b`.
///
/// The optimal `X` is singular, and the eigenvalues that an approximation has in its place are what its bound lacks:
/// without them, and rescaled, the error of the bound is of second order.
pub(super) fn low_rank(b: ArrayView2<'_, f64>, x: ArrayView2<'_, f64>) -> Option<(f64, Array2<f64>)> {
    let n = x.nrows();
    let (values, vectors) = linalg::eigh(x).ok()?;
    let largest = values.last().copied()?;
    let mut best_so_far: Option<(f64, Array2<f64>)> = None;
    let mut previous = 0;
    for power in 2..9 {
        let kept: Vec<usize> = (0..n).filter(|&k| values[k] > largest * 0.1_f64.powi(power)).collect();
        if kept.len() == previous {
            continue;
        }
        previous = kept.len();
        let mut root = vectors.select(Axis(1), &kept);
        for (mut column, &k) in root.columns_mut().into_iter().zip(&kept) {
            column *= values[k].sqrt();
        }
        if let Some(candidate) = best(b, linalg::product(root.view(), root.t()).view(), true)
            && best_so_far.as_ref().is_none_or(|(bound, _)| candidate.bound < *bound)
        {
            let mut y = Array2::zeros(root.dim());
            for (&i, &h) in candidate.support.iter().zip(&candidate.h) {
                y.row_mut(i).assign(&(&root.row(i) * h));
            }
            best_so_far = Some((candidate.bound, y));
        }
    }
    best_so_far
}

/// `max_i -(B H X H)_ii / (H X H)_ii`, with `product = B o X`.
fn upper_bound(product: &Array2<f64>, diagonal: &Array1<f64>, h: &Array1<f64>) -> f64 {
    let values = product.dot(h);
    (0..h.len())
        .map(|i| -values[i] / (h[i] * diagonal[i]))
        .fold(f64::NEG_INFINITY, |m, v| if v > m || v.is_nan() { v } else { m })
}

/// One step of inverse iteration from `h = 1` for `(B o X) h = -beta diag(X) h`.
fn rescaling(product: &Array2<f64>, diagonal: &Array1<f64>) -> Option<Array1<f64>> {
    let ones = Array1::ones(diagonal.len());
    let mean = -product.dot(&ones).sum() / diagonal.sum();
    let mut shifted = product.clone();
    shifted.diag_mut().scaled_add(mean, diagonal);
    let h = Lu::new(shifted.view(), "the rescaling of a refutation").solve_vec(diagonal.view()).ok()?;
    let largest = h.iter().fold(0.0, |m: f64, &v| if v.abs() > m.abs() { v } else { m });
    (largest != 0.0).then(|| h / largest)
}
