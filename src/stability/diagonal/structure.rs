//! Matrices whose structure decides (theory 3.6): a nonnegative diagonal entry, one or two rows, symmetrizable
//! and Metzler matrices.

use ndarray::{Array1, Array2, ArrayView2};

use super::block::{Block, Outcome};
use super::method::Method;
use super::metzler;
use super::pencil::Pencil;
use super::weights::{Weights, frexp, ldexp};
use crate::linalg;
use crate::linalg::perron::noda;

/// The outcome, if the structure of the block decides it and the check agrees.
pub(super) fn decide(block: &Block<'_>) -> Option<Outcome> {
    nonnegative_diagonal(block)
        .or_else(|| match block.pencil.size() {
            1 => block.stable(Weights::new([1.0], [0]), Method::Diagonal),
            2 => two_by_two(block),
            _ => None,
        })
        .or_else(|| symmetrizable(block))
        .or_else(|| metzler::decide(block))
}

/// `X = e_i e_i'` refutes if `a_ii >= 0`.
pub(super) fn nonnegative_diagonal(block: &Block<'_>) -> Option<Outcome> {
    let i = block.diagonal.lower.iter().position(|&v| v >= 0.0)?;
    let mut y = Array2::zeros((block.pencil.size(), 1));
    y[[i, 0]] = 1.0;
    block.not_stable(y, Method::Diagonal)
}

/// Diagonally stable iff `a11 < 0`, `a22 < 0` and `det > 0`.
///
/// With `D = diag(|a21|, |a12|)` the off-diagonal entry of `DA + A'D` is 0, or twice `d_1 a12` if the signs agree; either
/// way `D` works iff any does, and it is exact. Without `det > 0`, the vector `x = (|a12|, +-|a11|)` gives
/// `(A x)_1 x_1 = 0` and `(A x)_2 x_2 = -|a11| det >= 0`, again exactly.
fn two_by_two(block: &Block<'_>) -> Option<Outcome> {
    let (a12, a21) = (block.pencil.matrix()[[0, 1]], block.pencil.matrix()[[1, 0]]);
    let (a11, a22) = (block.diagonal.upper[0], block.diagonal.upper[1]);
    if a12 != 0.0 && a21 != 0.0 {
        let y = Array2::from_shape_vec((2, 1), vec![a12.abs(), block.diagonal.lower[0].abs().copysign(a12)]).ok()?;
        return block
            .stable(Weights::new([a21.abs(), a12.abs()], [0, 0]), Method::TwoByTwo)
            .or_else(|| block.not_stable(y, Method::TwoByTwo));
    }
    // Triangular: any weights with a11 a22 d1 d2 > (d_k a_kl / 2)^2, where a_kl is the entry that is not 0.
    let coupling = if a12 != 0.0 { a12 } else { a21 };
    if coupling == 0.0 {
        return block.stable(Weights::new([1.0, 1.0], [0, 0]), Method::TwoByTwo);
    }
    let ratio = 2 * frexp(coupling).1 - frexp(a11).1 - frexp(a22).1 + 3;
    let exponents = if a12 != 0.0 { [-ratio, 0] } else { [0, -ratio] };
    block.stable(Weights::new([1.0, 1.0], exponents), Method::TwoByTwo)
}

/// If `D A` is symmetric for some `D`, then `A` is diagonally stable iff `D A` is negative definite.
fn symmetrizable(block: &Block<'_>) -> Option<Outcome> {
    let weights = symmetrizer(block.pencil.matrix())?;
    let method = Method::Symmetrizable;
    let stable = block.stable(Some(weights.clone()), method);
    if stable.is_some() {
        return stable;
    }
    let mut a = block.pencil.matrix().to_owned();
    a.diag_mut().assign(&block.diagonal.lower);
    block.not_stable(top_eigenvector(a.view(), &weights)?, method)
}

/// `D^(-1/2) v` for the top eigenvector `v` of `D^(1/2) A D^(-1/2)`, a symmetric matrix for the given weights: an
/// eigenvector `x` of `A`, with `(A x)_i x_i = lambda x_i^2`.
fn top_eigenvector(a: ArrayView2<'_, f64>, weights: &Weights) -> Option<Array2<f64>> {
    let n = a.nrows();
    let root: Vec<(f64, i32)> = weights
        .mantissa
        .iter()
        .zip(&weights.exponent)
        .map(|(&m, &e)| (ldexp(m, e.rem_euclid(2)).sqrt(), e.div_euclid(2)))
        .collect();
    let similar =
        Array2::from_shape_fn((n, n), |(i, j)| ldexp(a[[i, j]], root[i].1 - root[j].1) * (root[i].0 / root[j].0));
    let symmetric = 0.5 * (&similar + &similar.t());
    let (_, vectors) = linalg::eigh(symmetric.view()).ok()?;
    let top = vectors.column(n - 1);
    let shift = root.iter().map(|r| r.1).min()?;
    Some(Array2::from_shape_fn((n, 1), |(i, _)| ldexp(top[i] / root[i].0, shift - root[i].1)))
}

/// What structure suggests about the margin of a pencil.
#[derive(Default)]
pub(super) struct MarginCandidates {
    pub(super) weights: Option<Weights>,
    pub(super) witness: Option<Array2<f64>>,
}

/// The optimal weights and witness of a symmetrizable pencil.
pub(super) fn margin_candidates(pencil: &Pencil<'_>) -> MarginCandidates {
    let rw = || {
        let mut rw = pencil.matrix().to_owned();
        rw.rows_mut().into_iter().zip(&pencil.rho).for_each(|(mut row, &rho)| row *= rho);
        rw
    };
    // Weights for R W are those for W divided by R.
    let for_w = |d: Weights| Weights::new(&d.mantissa * &pencil.rho, d.exponent);
    if let Some(d) = symmetrizer(rw().view()) {
        let witness = top_eigenvector(rw().view(), &d);
        return MarginCandidates { weights: for_w(d), witness };
    }
    MarginCandidates::default()
}

/// Weights with `d_i a_ij = d_j a_ji` to rounding, by a walk over the graph of nonzeros.
fn symmetrizer(a: ArrayView2<'_, f64>) -> Option<Weights> {
    let n = a.nrows();
    // Cheapest first: most matrices fail on the signs of their first entries.
    for i in 0..n {
        for j in 0..i {
            let (ij, ji) = (a[[i, j]], a[[j, i]]);
            if (ij == 0.0) != (ji == 0.0) || (ij < 0.0) != (ji < 0.0) {
                return None;
            }
        }
    }
    let mut weights: Vec<Option<(f64, i32)>> = vec![None; n];
    for root in 0..n {
        if weights[root].is_some() {
            continue;
        }
        weights[root] = Some((1.0, 0));
        let mut queue = vec![root];
        while let Some(i) = queue.pop() {
            let (m_i, e_i) = weights[i]?;
            for j in (0..n).filter(|&j| j != i && a[[i, j]] != 0.0) {
                let ((ij, p), (ji, q)) = (frexp(a[[i, j]]), frexp(a[[j, i]]));
                let (m, e) = frexp(m_i * ij / ji);
                let here = (m, e + e_i + p - q);
                match weights[j] {
                    None => {
                        weights[j] = Some(here);
                        queue.push(j);
                    }
                    Some((m_j, e_j)) => {
                        let ratio = ldexp(here.0 / m_j, here.1 - e_j);
                        if (ratio - 1.0).abs() > 1e-13 * n as f64 {
                            return None;
                        }
                    }
                }
            }
        }
    }
    let (mantissa, exponent): (Vec<f64>, Vec<i32>) =
        weights.into_iter().collect::<Option<Vec<_>>>()?.into_iter().unzip();
    Weights::new(mantissa, exponent)
}

/// The Perron vector of an irreducible Metzler matrix, to rounding.
pub(super) fn perron(a: ArrayView2<'_, f64>) -> Array1<f64> {
    noda(a, Array1::ones(a.nrows()), 0.0).0
}
