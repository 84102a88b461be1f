//! Strongly connected components: a matrix is diagonally stable iff its irreducible diagonal blocks are
//! (theory 3.6). The verdict on the whole does not rest on this: its proof is checked on the whole matrix.

use ndarray::{Array1, Array2, ArrayView2, s};

use super::block::{Block, Outcome};
use super::bounds;
use super::certificate::Certificate;
use super::control::{Control, Stop};
use super::method::Method;
use super::metzler;
use super::minors;
use super::pencil::{Diagonal, Pencil};
use super::refutation::Refutation;
use super::search;
use super::structure;
use super::verdict::{Undecided, Verdict};
use super::weights::{Weights, frexp, ldexp};
use crate::linalg::components::strongly_connected;
use crate::linalg::rounding::{sub_down, sub_up};
use crate::linalg::{Backend, Lu};

/// Decides whether `W + delta R^-1` is diagonally stable.
pub(super) fn certify(pencil: &Pencil<'_>, delta: f64, control: &mut Control<'_>) -> Verdict {
    let diagonal = pencil.diagonal(delta);
    let whole = Block { pencil, delta, diagonal: &diagonal };
    let outcome = decide(&whole, control);
    let iterations = control.iterations;
    match outcome {
        Outcome::Stable { weights, method } => {
            // They are proved for `delta` itself.
            let margin = bounds::margin_of_weights(pencil, delta, &weights).unwrap_or(0.0);
            Verdict::Stable(Certificate::new(weights, margin, method, iterations))
        }
        Outcome::NotStable { witness, transposed: false, method } => {
            Verdict::NotStable(Refutation::new(witness, method, iterations))
        }
        Outcome::NotStable { witness, transposed: true, method } => {
            Verdict::NotStable(Refutation::of_transpose(witness, method, iterations))
        }
        Outcome::Undecided { weights, witness, method, stop } => {
            // Bounds on the pencil's margin, from which `delta` is subtracted; beyond it they decide.
            let lower = weights.as_ref().and_then(|w| bounds::lower(pencil, w));
            let upper = witness.as_ref().and_then(|y| bounds::upper(pencil, y));
            if let Some(weights) = weights
                && lower.is_some_and(|lower| lower >= delta)
                && let Some(margin) = bounds::margin_of_weights(pencil, delta, &weights)
            {
                return Verdict::Stable(Certificate::new(weights, margin, method, iterations));
            }
            if let Some(witness) = witness
                && upper.is_some_and(|upper| upper <= delta)
                && bounds::proves_upper(pencil, delta, &witness)
            {
                return Verdict::NotStable(Refutation::new(witness, method, iterations));
            }
            let lower = lower.map_or(f64::NEG_INFINITY, |lower| sub_down(lower, delta));
            let upper = upper.map_or(f64::INFINITY, |upper| sub_up(upper, delta));
            Verdict::Undecided(Undecided::new((lower, upper), method, iterations, stop))
        }
    }
}

fn decide(whole: &Block<'_>, control: &mut Control<'_>) -> Outcome {
    // Without its components, since vectors of the whole do as well.
    let metzler = || (whole.pencil.size() > bounds::FACTORISED).then(|| metzler::decide(whole)).flatten();
    let simple = structure::nonnegative_diagonal(whole).or_else(|| minors::refutation(whole)).or_else(metzler);
    if let Some(outcome) = simple {
        return outcome;
    }
    let components = strong_components(whole.pencil.matrix());
    if components.len() == 1 {
        return search::decide(whole, control);
    }
    if let Some(outcome) = search::cheap_guesses(whole) {
        return outcome;
    }
    let mut parts = Vec::with_capacity(components.len());
    let mut undecided = None;
    for indices in &components {
        control.next_block();
        let pencil = whole.pencil.block(indices);
        let diagonal = whole.diagonal.block(indices);
        match search::decide(&Block { pencil: &pencil, delta: whole.delta, diagonal: &diagonal }, control) {
            Outcome::Stable { weights, .. } => parts.push((pencil, diagonal, weights)),
            Outcome::NotStable { witness, transposed, method } => {
                let witness = padded(&witness, indices, whole.pencil.size());
                return Outcome::NotStable { witness, transposed, method };
            }
            Outcome::Undecided { witness, method, stop, .. } => {
                let witness = witness.map(|y| padded(&y, indices, whole.pencil.size()));
                undecided = Some(Outcome::Undecided { weights: None, witness, method, stop });
            }
        }
    }
    if let Some(outcome) = undecided {
        return outcome;
    }
    for weights in assembled(whole.pencil, &components, &parts) {
        if let Some(outcome) = whole.stable(Some(weights), Method::Blocks) {
            return outcome;
        }
    }
    Outcome::Undecided { weights: None, witness: None, method: Method::Blocks, stop: Stop::NearBoundary }
}

/// A witness for a principal submatrix, extended by rows of zeros to one for the whole.
pub(super) fn padded(witness: &Array2<f64>, indices: &[usize], n: usize) -> Array2<f64> {
    let mut y = Array2::zeros((n, witness.ncols()));
    for (row, &i) in witness.rows().into_iter().zip(indices) {
        y.row_mut(i).assign(&row);
    }
    y
}

/// The strongly connected components of the graph of nonzeros, in an order in which the matrix is block lower
/// triangular.
pub(super) fn strong_components(a: ArrayView2<'_, f64>) -> Vec<Vec<usize>> {
    let n = a.nrows();
    if reaches_all(a) && reaches_all(a.t()) {
        return vec![(0..n).collect()];
    }
    let edges = a.indexed_iter().filter(|&((i, j), &v)| i != j && v != 0.0).map(|(place, _)| place);
    strongly_connected(n, edges)
}

/// Whether every index can be reached from index 0 along nonzeros.
fn reaches_all(a: ArrayView2<'_, f64>) -> bool {
    let mut unseen: Vec<usize> = (1..a.nrows()).collect();
    let mut stack = vec![0];
    while let Some(i) = stack.pop() {
        let row = a.row(i);
        unseen.retain(|&j| {
            let reached = row[j] != 0.0;
            if reached {
                stack.push(j);
            }
            !reached
        });
        if unseen.is_empty() {
            return true;
        }
    }
    unseen.is_empty()
}

/// Weights for the whole from those of its diagonal blocks, to be proved: the gentlest scaling first, which keeps the weights
/// within the range of `f64` longest; steeper ones leave more to the proof.
pub(super) fn assembled<'a>(
    pencil: &'a Pencil<'a>,
    components: &'a [Vec<usize>],
    parts: &'a [(Pencil<'a>, Diagonal, Weights)],
) -> impl Iterator<Item = Weights> + 'a {
    [1, 3, 6, 12, 24].into_iter().filter_map(|reserve| assemble(pencil, components, parts, reserve))
}

/// Weights for the whole from those of its diagonal blocks, each block scaled down as little as the ones before
/// it demand.
///
/// A Cholesky factorisation of `S = -(DA + A'D)` that grows block by block: with `L L'` the part so far and
/// `V = S_21 L^-T`, the weights of the next block may be multiplied by any `k` with `S_22 > k V V'`. The largest power of
/// four below `2^-reserve / tr(S_22^-1 V V')` is taken, so all but that part of every block's own definiteness remains.
fn assemble(
    pencil: &Pencil<'_>,
    components: &[Vec<usize>],
    parts: &[(Pencil<'_>, Diagonal, Weights)],
    reserve: i32,
) -> Option<Weights> {
    let n = pencil.size();
    let order: Vec<usize> = components.concat();
    // Row k of `factor` belongs to index order[k]; scale[k] is the exponent that brings S_kk near 1.
    let mut factor = Array2::<f64>::zeros((n, n));
    let mut scale = vec![0_i32; n];
    let mut result = vec![(1.0, 0_i32); n];
    let mut done = 0;
    let whole = pencil.matrix();
    for (indices, (part, diagonal, weights)) in components.iter().zip(parts) {
        let m = indices.len();
        let top = weights.exponent.iter().copied().max()?;
        let exponent: Vec<i32> = weights.exponent.iter().map(|e| e - top).collect();
        let local: Vec<i32> = (0..m).map(|i| -(exponent[i] + frexp(diagonal.upper[i]).1 + 1).div_euclid(2)).collect();
        let w = part.matrix();
        let entry = |i: usize, j: usize| {
            let v = if i == j { diagonal.upper[i] } else { w[[i, j]] };
            ldexp(v, exponent[i] + local[i] + local[j]) * weights.mantissa[i]
        };
        let mut own = Array2::from_shape_fn((m, m), |(i, j)| -(entry(i, j) + entry(j, i)));

        let coupled = |i: usize, k: usize| {
            let v = whole[[indices[i], order[k]]];
            (v != 0.0).then(|| (frexp(v), exponent[i] + local[i] + scale[k]))
        };
        let largest = (0..m).flat_map(|i| (0..done).filter_map(move |k| coupled(i, k))).map(|((_, e), f)| e + f).max();
        let mut shift = 0;
        if let Some(largest) = largest {
            let mut v = Array2::from_shape_fn((m, done), |(i, k)| {
                coupled(i, k).map_or(0.0, |((x, e), f)| ldexp(x * weights.mantissa[i], e + f - largest))
            });
            for mut row in v.rows_mut() {
                forward_substitute(factor.slice(s![..done, ..done]), row.as_slice_mut()?);
            }
            let squares = v.dot(&v.t());
            let solved = Lu::new(own.view(), "a diagonal block").solve(squares.view()).ok()?;
            let trace = solved.diag().sum();
            if !(trace > 0.0 && trace.is_finite()) {
                return None;
            }
            // shift + 2 largest is the exponent of k: even, and k trace <= 2^-reserve.
            shift = (-2 * largest - frexp(trace).1 - 1 - reserve).min(0);
            shift -= shift.rem_euclid(2);
            let half = shift / 2 + largest;
            v.mapv_inplace(|x| ldexp(x, half));
            own = own - v.dot(&v.t());
            factor.slice_mut(s![done..done + m, ..done]).assign(&v);
        }
        let triangle = f64::cholesky(own.view())?;
        factor.slice_mut(s![done..done + m, done..done + m]).assign(&triangle);
        for (i, &index) in indices.iter().enumerate() {
            scale[done + i] = local[i] - shift / 2;
            result[index] = (weights.mantissa[i], exponent[i] + shift);
        }
        done += m;
    }
    let (mantissa, exponent): (Vec<f64>, Vec<i32>) = result.into_iter().unzip();
    Some(Weights { mantissa: Array1::from(mantissa), exponent })
}

/// `x <- L^-1 x`.
fn forward_substitute(l: ArrayView2<'_, f64>, x: &mut [f64]) {
    for k in 0..x.len() {
        let row = l.row(k);
        let known: f64 = row.iter().zip(&x[..k]).map(|(l, x)| l * x).sum();
        x[k] = (x[k] - known) / row[k];
    }
}
