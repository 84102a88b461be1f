//! Diagonal scalings that balance rows and columns.

use ndarray::{Array1, Array2, ArrayView2, Zip};

use super::components::strongly_connected;
use super::magnitude::exponent_of_largest;

/// An irreducible diagonal block of a matrix, balanced: `block = 2^e D^{-1} balanced D` with `D = diag(2^k_i)`.
///
/// The spectrum of a matrix is that of all its blocks. Scaling the matrix by powers of two on both sides, `S A S^{-1}`,
/// leaves `balanced` as it is, unless an entry of the block leaves the range of normal numbers.
#[derive(Debug)]
pub(crate) struct DiagonalBlock {
    /// The rows and columns of the matrix that form the block, increasing.
    pub(crate) members: Vec<usize>,
    pub(crate) balanced: Array2<f64>,
    /// `k_i` for each member.
    pub(crate) scale: Vec<i32>,
    /// `e`, with which the largest entry of `balanced` is near 1.
    pub(crate) exponent: i32,
}

/// The irreducible diagonal blocks of a square matrix of finite numbers, balanced by powers of two. Nothing is rounded but
/// entries that become subnormal.
pub(crate) fn diagonal_blocks(a: ArrayView2<'_, f64>) -> Vec<DiagonalBlock> {
    let n = a.nrows();
    let components = if is_irreducible(a) {
        vec![(0..n).collect()]
    } else {
        let entries = a.indexed_iter().filter(|(_, v)| **v != 0.0);
        strongly_connected(n, entries.map(|(place, _)| place))
    };
    let block = |members: Vec<usize>| {
        let block = Array2::from_shape_fn((members.len(), members.len()), |(i, j)| a[[members[i], members[j]]]);
        let scale = balancing_exponents(&block);
        let (balanced, exponent) = scaled(&block, &scale);
        DiagonalBlock { members, balanced, scale, exponent }
    };
    components.into_iter().map(block).collect()
}

/// Whether every row leads to every other, found in one pass over the rows and one over the columns.
fn is_irreducible(a: ArrayView2<'_, f64>) -> bool {
    reaches_all(a) && reaches_all(a.t())
}

fn reaches_all(a: ArrayView2<'_, f64>) -> bool {
    let n = a.nrows();
    let mut seen = vec![false; n];
    let mut open = vec![0];
    seen[0] = true;
    while let Some(i) = open.pop() {
        for (j, &v) in a.row(i).iter().enumerate() {
            if v != 0.0 && !seen[j] {
                seen[j] = true;
                open.push(j);
            }
        }
    }
    seen.into_iter().all(|s| s)
}

/// The `k_i`, 0 for the first row, for which `2^(k_i - k_j) b_ij` is balanced, for an irreducible matrix.
///
/// In exponents first, where nothing overflows, and then to convergence: the limit is unique up to a constant, so that what
/// is rounded to whole exponents does not depend on the units of `b`.
fn balancing_exponents(b: &Array2<f64>) -> Vec<i32> {
    const SWEEPS: usize = 300;
    const RATIO: f64 = 1e-8;

    let coarse = balanced_exponents_of_largest(b);
    if coarse.len() < 2 {
        return coarse;
    }
    let (near, _) = scaled(b, &coarse);
    let fine = osborne_until(&near, SWEEPS, RATIO).mapv(f64::log2);
    let relative = |i: usize| f64::from(coarse[i] - coarse[0]) + (fine[i] - fine[0]);
    if fine.iter().all(|p| p.abs() < 500.0) {
        (0..coarse.len()).map(|i| relative(i).round() as i32).collect()
    } else {
        coarse.iter().map(|k| k - coarse[0]).collect()
    }
}

/// The `k_i` with which the largest entries of row and column `i`, `j != i`, are about equal.
fn balanced_exponents_of_largest(b: &Array2<f64>) -> Vec<i32> {
    const SWEEPS: usize = 100;

    let n = b.nrows();
    let exponents = b.mapv(|v| (v != 0.0).then(|| exponent_of_largest([v].into_iter())));
    let mut k = vec![0_i32; n];
    for _ in 0..SWEEPS {
        let mut moved = false;
        for i in 0..n {
            let others = (0..n).filter(|&j| j != i);
            let row = others.clone().filter_map(|j| exponents[[i, j]].map(|e| e - k[j])).max();
            let column = others.filter_map(|j| exponents[[j, i]].map(|e| e + k[j])).max();
            if let (Some(row), Some(column)) = (row, column) {
                let shift = ((column - k[i]) - (row + k[i])) / 2;
                k[i] += shift;
                moved |= shift != 0;
            }
        }
        if !moved {
            break;
        }
    }
    k
}

/// `2^(k_i - k_j - e) b_ij` and the `e` that brings the largest entry near 1.
fn scaled(b: &Array2<f64>, k: &[i32]) -> (Array2<f64>, i32) {
    let own = |v: f64| exponent_of_largest([v].into_iter());
    let places = b.indexed_iter().filter(|(_, v)| **v != 0.0);
    let exponent = places.map(|((i, j), &v)| own(v) + k[i] - k[j]).max().unwrap_or(0);
    (Array2::from_shape_fn(b.dim(), |(i, j)| times_two_to(b[[i, j]], k[i] - k[j] - exponent)), exponent)
}

/// `2^e v`, whatever the exponent; rounded only where the result is subnormal.
pub(crate) fn times_two_to(mut v: f64, mut e: i32) -> f64 {
    while e != 0 && v != 0.0 && v.is_finite() {
        let part = e.clamp(-1000, 1000);
        v *= 2f64.powi(part);
        e -= part;
    }
    v
}

/// The `p > 0` for which rows and columns `i` of `p_i b_ij / p_j`, `j != i`, have about equal Euclidean norms
/// (Osborne, "On pre-conditioning of matrices", J. ACM 7, 1960), for a matrix of shape `[n, n]`.
pub(crate) fn osborne(b: &Array2<f64>) -> Array1<f64> {
    osborne_until(b, 30, 0.02)
}

/// As [`osborne`], until the squares of the norms of each row and its column differ by less than the fraction `ratio`, or for
/// this number of sweeps.
fn osborne_until(b: &Array2<f64>, sweeps: usize, ratio: f64) -> Array1<f64> {
    let (n, close_enough) = (b.nrows(), ratio);
    let mut p_squared: Array1<f64> = Array1::ones(n);
    for _ in 0..sweeps {
        let inverse = p_squared.mapv(f64::recip);
        let (mut row, mut column) = (Array1::<f64>::zeros(n), Array1::<f64>::zeros(n));
        for i in 0..n {
            let (mut sum, scale) = (0.0, p_squared[i]);
            Zip::from(b.row(i)).and(&inverse).and(&mut column).for_each(|&v, &w, c| {
                let square = v * v;
                sum += square * w;
                *c += square * scale;
            });
            let own = b[[i, i]] * b[[i, i]];
            row[i] = (sum - own * inverse[i]) * scale;
            column[i] -= own * scale;
        }
        column *= &inverse;
        let mut worst = 0.0_f64;
        for i in 0..n {
            let ratio = column[i] / row[i];
            if row[i] > 0.0 && ratio > 0.0 && ratio.is_finite() {
                worst = worst.max(ratio.ln().abs());
                // All indices move at once, so each goes half of the way.
                p_squared[i] *= ratio.sqrt().sqrt().clamp(1e-8, 1e8);
            }
        }
        if worst < close_enough {
            break;
        }
    }
    p_squared.mapv(f64::sqrt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_scaling_is_undone() {
        let n = 7;
        let symmetric = Array2::from_shape_fn((n, n), |(i, j)| 1.0 + ((i * j) as f64).cos().abs());
        let d = Array1::from_shape_fn(n, |i| 10f64.powi(i as i32 - 3));
        let b = Array2::from_shape_fn((n, n), |(i, j)| symmetric[[i, j]] / d[i] * d[j]);
        let p = osborne(&b);
        let ratio = &p / &d / (p[0] / d[0]);
        assert!(ratio.iter().all(|r| (r - 1.0).abs() < 0.03), "{ratio}");
    }

    #[test]
    fn blocks_do_not_depend_on_units() {
        let n = 9;
        let a = Array2::from_shape_fn((n, n), |(i, j)| match (i / 3).cmp(&(j / 3)) {
            std::cmp::Ordering::Less => 0.0,
            _ => ((7 * i + 3 * j) as f64).sin() * 2f64.powi((i as i32 * 5) % 7 - 3),
        });
        let blocks = diagonal_blocks(a.view());
        assert_eq!(blocks.iter().map(|b| b.members.clone()).collect::<Vec<_>>(), [[0, 1, 2], [3, 4, 5], [6, 7, 8]]);
        for spread in [1, 40, 300] {
            let unit = |i: usize| ((i as i32 * 11) % 13 - 6) * spread / 6;
            let other = Array2::from_shape_fn((n, n), |(i, j)| times_two_to(a[[i, j]], unit(i) - unit(j)));
            for (p, q) in blocks.iter().zip(&diagonal_blocks(other.view())) {
                assert_eq!((&p.balanced, p.exponent), (&q.balanced, q.exponent));
            }
        }
        // Each block is what it was, in other units.
        for block in &blocks {
            for ((i, j), &v) in block.balanced.indexed_iter() {
                let back = times_two_to(v, block.exponent + block.scale[j] - block.scale[i]);
                assert_eq!(back, a[[block.members[i], block.members[j]]]);
            }
        }
    }
}
