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
        let scale = powers_of_two(block.view());
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
    const SWEEPS: usize = 30;
    const CLOSE_ENOUGH: f64 = 0.02;

    let n = b.nrows();
    let mut p_squared: Array1<f64> = Array1::ones(n);
    for _ in 0..SWEEPS {
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
        if worst < CLOSE_ENOUGH {
            break;
        }
    }
    p_squared.mapv(f64::sqrt)
}

/// The exponents `e` for which rows and columns `i` of `2^(e_i - e_j) b_ij`, `j != i`, have norms within a small factor
/// of each other, whatever the units in which `B` came: the matrix `2^(e_i - e_j) b_ij` is `B` exactly, in other units.
///
/// Entries and scales may be of any size, since only logarithms of largest entries are formed. Where an index has no
/// inputs or no outputs besides itself, nothing is to balance.
pub(crate) fn powers_of_two(b: ArrayView2<'_, f64>) -> Vec<i32> {
    let n = b.nrows();
    let rows: Vec<Vec<(usize, f64)>> = b
        .rows()
        .into_iter()
        .enumerate()
        .map(|(i, row)| {
            let nonzero = row.iter().enumerate().filter(|&(j, &v)| j != i && v != 0.0);
            nonzero.map(|(j, v)| (j, v.abs().log2())).collect()
        })
        .collect();
    balancing_exponents(n, |i, visit| rows[i].iter().for_each(|&(j, v)| visit(j, v)))
}

/// `2^(e_i - e_j) b_ij`: exact unless it leaves the range of normal numbers.
pub(crate) fn in_units(b: ArrayView2<'_, f64>, e: &[i32]) -> Array2<f64> {
    Array2::from_shape_fn(b.dim(), |(i, j)| times_two_to(b[[i, j]], e[i] - e[j]))
}

/// As [`powers_of_two`], for a matrix whose row `i` has the nonzeros `(j, log2 |b_ij|)` off the diagonal that `row(i,
/// visit)` visits.
///
/// The exponents that make `sum (log2 |b_ij| + p_i - p_j)^2` least change with the units and with nothing else, and so
/// does what a few of Osborne's sweeps, for largest entries, make of them.
pub(crate) fn balancing_exponents(n: usize, row: impl Fn(usize, &mut dyn FnMut(usize, f64))) -> Vec<i32> {
    const SWEEPS: usize = 30;
    let mut p = least_squares(n, &row);
    for _ in 0..SWEEPS {
        let excess = excess(n, &row, &p);
        // All indices move at once, so each goes half of the way.
        p.iter_mut().zip(&excess).for_each(|(p, e)| *p += 0.25 * e);
        if excess.iter().all(|e| e.abs() <= 1.0) {
            break;
        }
    }
    // A common factor would round differently in other units.
    let first = p.first().copied().unwrap_or(0.0);
    p.into_iter().map(|p| (p - first).round() as i32).collect()
}

/// By how many powers of two the largest entry of each column exceeds that of the row; 0 where one of them is empty.
pub(crate) fn excess(n: usize, row: &impl Fn(usize, &mut dyn FnMut(usize, f64)), p: &[f64]) -> Vec<f64> {
    let (mut rows, mut columns) = (vec![f64::NEG_INFINITY; n], vec![f64::NEG_INFINITY; n]);
    for i in 0..n {
        row(i, &mut |j, log| {
            let log = log + p[i] - p[j];
            rows[i] = rows[i].max(log);
            columns[j] = columns[j].max(log);
        });
    }
    let difference = |(column, row): (&f64, &f64)| if (column - row).is_finite() { column - row } else { 0.0 };
    columns.iter().zip(&rows).map(difference).collect()
}

/// The `p` that makes `sum (g_ij + p_i - p_j)^2` least over the entries `(j, g_ij)` of the rows, by conjugate gradients
/// on the normal equations, to much less than 1.
fn least_squares(n: usize, row: &impl Fn(usize, &mut dyn FnMut(usize, f64))) -> Vec<f64> {
    const MOST_STEPS: usize = 500;
    const RESIDUAL: f64 = 1e-6;
    let mut residual = vec![0.0; n];
    for i in 0..n {
        row(i, &mut |j, g| {
            residual[i] -= g;
            residual[j] += g;
        });
    }
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let mut p = vec![0.0; n];
    let mut direction = residual.clone();
    let mut size = dot(&residual, &residual);
    for _ in 0..MOST_STEPS {
        if size.is_nan() || size <= RESIDUAL * RESIDUAL {
            break;
        }
        let mut image = vec![0.0; n];
        for i in 0..n {
            row(i, &mut |j, _| {
                let difference = direction[i] - direction[j];
                image[i] += difference;
                image[j] -= difference;
            });
        }
        let step = size / dot(&direction, &image);
        p.iter_mut().zip(&direction).for_each(|(p, d)| *p += step * d);
        residual.iter_mut().zip(&image).for_each(|(r, v)| *r -= step * v);
        let next = dot(&residual, &residual);
        let turn = next / size;
        direction.iter_mut().zip(&residual).for_each(|(d, r)| *d = r + turn * *d);
        size = next;
    }
    // Only differences count, and exponents near 0 keep numbers in range.
    let mean = p.iter().sum::<f64>() / n.max(1) as f64;
    p.into_iter().map(|p| if p.is_finite() { p - mean } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_undo_units() {
        let n = 9;
        let b =
            Array2::from_shape_fn((n, n), |(i, j)| if (i * j) % 4 == 3 { 0.0 } else { ((3 * i + 5 * j) as f64).sin() });
        let units = Array1::from_shape_fn(n, |i| (i as i32 * 17) % 81 - 40);
        let scaled = Array2::from_shape_fn((n, n), |(i, j)| b[[i, j]] * 2f64.powi(units[i] - units[j]));
        let (e, f) = (powers_of_two(b.view()), powers_of_two(scaled.view()));
        let shift = e[0] - f[0] - units[0];
        assert!((0..n).all(|i| (e[i] - f[i] - units[i] - shift).abs() <= 2), "{e:?} {f:?} {units}");
    }

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
