//! The check of a witness `X = Y Y'`.

use std::cmp::Ordering;

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::linalg::rounding::gamma;
use crate::linalg::split::Split;
use crate::linalg::verified::{U, UNDERFLOW};
use crate::linalg::{self, Backend};
use crate::stability::diagonal::exact::{self, LongSum};
use crate::stability::diagonal::majorant::Rows;
use crate::stability::diagonal::weights::{frexp, ldexp};

/// Rows of `A Y` that are computed at a time.
const BLOCK: usize = 256;

/// Products that are added up exactly for a dense matrix and a `Y` of more than one column: a second's work or so.
const EXACT_PRODUCTS: usize = 100_000_000;

/// Proves that `X = Y Y'` is not zero and has `(A X)_ii >= 0` for all diagonals of `A` from `diagonal` upwards.
///
/// Each row is proved by a bound on its rounding errors that is known beforehand or, nearer to zero, by products that are
/// nearly exact; if those fail too, its sign is found exactly unless that takes too long.
pub(in super::super) fn proves_not_stable(
    a: ArrayView2<'_, f64>,
    diagonal: ArrayView1<'_, f64>,
    y: ArrayView2<'_, f64>,
) -> bool {
    if y.nrows() != a.nrows() || !y.iter().all(|v| v.is_finite()) {
        return false;
    }
    // Rows of zeros satisfy their inequality and drop out of the others.
    let support: Vec<usize> = (0..y.nrows()).filter(|&i| y.row(i).iter().any(|&v| v != 0.0)).collect();
    if support.is_empty() {
        return false;
    }
    let scaled = Scaled::new(a, diagonal, y, support);
    let uncertain = scaled.not_proved_by_bound();
    uncertain.is_empty() || scaled.proved_by_splitting(&uncertain) || scaled.proved_exactly(&uncertain, y)
}

/// As [`proves_not_stable`] for a matrix that is known row by row: each row is summed over its own nonzeros, and exactly where
/// the bound on its rounding errors does not prove it.
pub(in super::super) fn proves_not_stable_by_rows(
    a: &impl Rows,
    diagonal: ArrayView1<'_, f64>,
    y: ArrayView2<'_, f64>,
) -> bool {
    if y.nrows() != a.size() || !y.iter().all(|v| v.is_finite()) {
        return false;
    }
    // As in `Scaled`: powers of two that bring the rows of Y to size 1. Rows of zeros drop out.
    let exponents: Vec<Option<i32>> = y
        .rows()
        .into_iter()
        .map(|row| row.fold(0.0, |m: f64, v| m.max(v.abs())))
        .map(|largest| (largest != 0.0).then(|| -frexp(largest).1))
        .collect();
    let scaled = Array2::from_shape_fn(y.dim(), |(i, c)| exponents[i].map_or(0.0, |e| ldexp(y[[i, c]], e)));
    let mut entries = Vec::new();
    let proved = |i: usize| {
        entries.clear();
        let mut exponent = i32::MIN;
        let mut gather = |j: usize, value: f64| {
            if let Some(e) = exponents[j]
                && value != 0.0
            {
                entries.push((j, value));
                exponent = exponent.max(frexp(value).1 - e);
            }
        };
        gather(i, diagonal[i]);
        a.off_diagonal(i, gather);
        let row: Vec<(usize, f64)> = entries
            .iter()
            .map(|&(j, value)| {
                let of_y = exponents[j].expect("only rows of Y that are not zero were gathered");
                (j, ldexp(value, -of_y.saturating_add(exponent)))
            })
            .collect();
        row_is_proved_by_bound(&row, &scaled, i) || row_is_proved_exactly(entries.iter().copied(), y, i)
    };
    let support: Vec<usize> = (0..y.nrows()).filter(|&i| exponents[i].is_some()).collect();
    !support.is_empty() && support.into_iter().all(proved)
}

/// Whether `(A Y Y')_ii`, from the scaled entries of row `i`, exceeds a bound on its rounding errors.
fn row_is_proved_by_bound(row: &[(usize, f64)], y: &Array2<f64>, i: usize) -> bool {
    let own = y.row(i);
    let (mut value, mut magnitude) = (0.0, 0.0);
    for &(j, entry) in row {
        let products = own.iter().zip(y.row(j)).map(|(p, q)| p * q);
        let (sum, absolute) = products.fold((0.0, 0.0), |(sum, absolute), p| (sum + p, absolute + p.abs()));
        value += entry * sum;
        magnitude += entry.abs() * absolute;
    }
    value
        - gamma(2 * (row.len() + y.ncols() + 8)) * magnitude * (1.0 + gamma(2 * (row.len() + y.ncols() + 8)))
        - UNDERFLOW
        >= 0.0
}

/// Whether the exact `(A Y Y')_ii`, from the nonzeros of row `i` of `A`, is not negative.
fn row_is_proved_exactly(row: impl Iterator<Item = (usize, f64)>, y: ArrayView2<'_, f64>, i: usize) -> bool {
    let mut sum = LongSum::zero();
    for (j, entry) in row {
        for (&own, &other) in y.row(i).iter().zip(y.row(j)) {
            sum.add_product(entry, other, own);
        }
    }
    sum.sign() != Ordering::Less
}

/// The similarity by powers of two that brings the rows of `Y` to size 1 and leaves the signs of `(A Y Y')_ii`; a power of two
/// for each row brings those of `A` to size 1.
struct Scaled<'a> {
    a: ArrayView2<'a, f64>,
    diagonal: ArrayView1<'a, f64>,
    support: Vec<usize>,
    /// The exponents that scale the rows of `Y` and of `A`.
    y_exponent: Vec<i32>,
    a_exponent: Vec<i32>,
    y: Array2<f64>,
}

impl<'a> Scaled<'a> {
    fn new(a: ArrayView2<'a, f64>, diagonal: ArrayView1<'a, f64>, y: ArrayView2<'_, f64>, support: Vec<usize>) -> Self {
        let largest = |row: ArrayView1<'_, f64>| row.fold(0.0, |m: f64, v| m.max(v.abs()));
        let y_exponent: Vec<i32> = support.iter().map(|&i| -frexp(largest(y.row(i))).1).collect();
        let y = Array2::from_shape_fn((support.len(), y.ncols()), |(k, c)| ldexp(y[[support[k], c]], y_exponent[k]));
        let mut scaled = Self { a, diagonal, support, y_exponent, a_exponent: Vec::new(), y };
        // From exponents, so that nothing overflows.
        scaled.a_exponent = (0..scaled.size())
            .map(|i| {
                let exponents = (0..scaled.size()).filter_map(|j| {
                    let value = scaled.entry(i, j);
                    (value != 0.0).then(|| frexp(value).1 - scaled.y_exponent[j])
                });
                -exponents.max().unwrap_or(0)
            })
            .collect();
        scaled
    }

    fn size(&self) -> usize {
        self.support.len()
    }

    fn entry(&self, i: usize, j: usize) -> f64 {
        let (i, j) = (self.support[i], self.support[j]);
        if i == j { self.diagonal[i] } else { self.a[[i, j]] }
    }

    /// Entry `(i, j)` of the scaled `A`: exact unless it underflows.
    fn scaled_entry(&self, i: usize, j: usize) -> f64 {
        ldexp(self.entry(i, j), self.a_exponent[i] - self.y_exponent[j])
    }

    fn rows(&self, rows: &[usize]) -> Array2<f64> {
        Array2::from_shape_fn((rows.len(), self.size()), |(k, j)| self.scaled_entry(rows[k], j))
    }

    /// The rows whose computed `(A Y Y')_ii` is not at least `gamma_(n+r) (|A| |Y| |Y|')_ii`.
    fn not_proved_by_bound(&self) -> Vec<usize> {
        let all: Vec<usize> = (0..self.size()).collect();
        let absolute = self.y.mapv(f64::abs);
        let mut uncertain = Vec::new();
        for indices in all.chunks(BLOCK) {
            let mut rows = self.rows(indices);
            let product = linalg::product(rows.view(), self.y.view());
            rows.mapv_inplace(f64::abs);
            let bound = linalg::product(rows.view(), absolute.view());
            for (k, &i) in indices.iter().enumerate() {
                let value = product.row(k).dot(&self.y.row(i));
                let error = bound.row(k).dot(&absolute.row(i));
                let least = value - gamma(2 * (self.size() + self.y.ncols() + 8)) * error - UNDERFLOW;
                if least < 0.0 || least.is_nan() {
                    uncertain.push(i);
                }
            }
        }
        uncertain
    }

    /// Whether products of the leading and trailing parts of `A = A_1 + A_2` and `Y = Y_1 + Y_2` prove the rows.
    ///
    /// `A Y = A_1 Y_1 + (A_1 Y_2 + A_2 Y)`: the first product is exact, the others are small. The sum of the products of its
    /// entries with those of `Y_1` is exact, too.
    fn proved_by_splitting(&self, uncertain: &[usize]) -> bool {
        let (n, rank) = self.y.dim();
        // Squares of entries below 1e-154 underflow.
        let norm = |v: ArrayView1<'_, f64>| v.dot(&v).sqrt() * (1.0 + gamma(2 * n + 16)) + 1e-150;
        let largest = |norms: &mut dyn Iterator<Item = f64>| norms.fold(0.0, f64::max);
        // Entries are below 2, so the sums of absolute products are below 4 n.
        let bits = (52 - 2 - (usize::BITS - n.leading_zeros())) / 2;
        let y = Split::new(self.y.clone(), bits);
        let y_norm = largest(&mut self.y.columns().into_iter().map(norm));
        let low_norm = largest(&mut y.low.columns().into_iter().map(norm));
        uncertain.chunks(BLOCK).all(|indices| {
            let rows = Split::new(self.rows(indices), bits);
            let leading = linalg::product(rows.high.view(), y.high.view());
            let mut rest = linalg::product(rows.high.view(), y.low.view());
            f64::matmul(1.0, rows.low.view(), self.y.view(), 1.0, rest.view_mut());
            indices.iter().enumerate().all(|(k, &i)| {
                let (leading, rest) = (leading.row(k), rest.row(k));
                let Some(exact) = exact::dot(leading.iter().copied(), y.high.row(i).iter().copied()) else {
                    return false;
                };
                let small = leading.dot(&y.low.row(i)) + rest.dot(&self.y.row(i));
                let value = exact.value() + small;
                // Of `rest`, of the two sums of `small`, and of the last additions.
                let product_error = norm(rows.high.row(k)) * low_norm + norm(rows.low.row(k)) * y_norm;
                let sums = norm(leading) * norm(y.low.row(i)) + norm(rest) * norm(self.y.row(i));
                let error = gamma(2 * n + 16) * product_error * (rank as f64).sqrt() * norm(self.y.row(i))
                    + gamma(2 * rank + 16) * sums
                    + 4.0 * U * (exact.value().abs() + small.abs());
                value >= error * (1.0 + gamma(2 * n + 16)) + UNDERFLOW
            })
        })
    }

    /// Whether the exact signs of the rows, from the whole `Y`, prove them.
    fn proved_exactly(&self, uncertain: &[usize], y: ArrayView2<'_, f64>) -> bool {
        if y.ncols() > 1 && uncertain.len() * self.size() * y.ncols() > EXACT_PRODUCTS {
            return false;
        }
        uncertain.iter().all(|&k| {
            let row = (0..self.size()).map(|j| (self.support[j], self.entry(k, j)));
            row_is_proved_exactly(row, y, self.support[k])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_rational::BigRational;
    use num_traits::{Signed, Zero};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// `(A Y Y')_ii` for all `i`, exactly.
    fn values(a: &Array2<f64>, y: &Array2<f64>) -> Vec<BigRational> {
        let exact = |m: &Array2<f64>| m.mapv(|v| BigRational::from_float(v).unwrap());
        let (a, y) = (exact(a), exact(y));
        let dot = |x: ndarray::ArrayView1<'_, BigRational>, y: ndarray::ArrayView1<'_, BigRational>| {
            x.iter().zip(y).map(|(x, y)| x * y).fold(BigRational::zero(), |sum, v| sum + v)
        };
        (0..a.nrows())
            .map(|i| {
                (0..y.ncols()).map(|k| dot(a.row(i), y.column(k)) * &y[[i, k]]).fold(BigRational::zero(), |s, v| s + v)
            })
            .collect()
    }

    #[test]
    fn splitting_proves_what_the_bound_known_beforehand_cannot_and_nothing_false() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut gained = 0;
        for case in 0..60 {
            let (n, rank) = (12 + case % 5, 1 + case % 4);
            let mut a = Array2::from_shape_simple_fn((n, n), || random.random_range(-1.0..1.0));
            let small = if case % 3 == 0 { 1e-170 } else { 1.0 };
            let y = Array2::from_shape_fn((n, rank), |(_, k)| {
                random.random_range(-1.0..1.0) * if k == 0 { 1.0 } else { small }
            });
            // Moves each (A Y Y')_ii to zero, then to a few of its rounding errors on either side.
            a.diag_mut().fill(0.0);
            for (i, value) in values(&a, &y).into_iter().enumerate() {
                let own = y.row(i).dot(&y.row(i));
                let zero = -num_traits::ToPrimitive::to_f64(&value).unwrap() / own;
                a[[i, i]] = zero + f64::from(random.random_range(-3..12)) * f64::EPSILON * (1.0 + zero.abs());
            }
            for i in 0..n {
                let row = |m: &Array2<f64>| m.select(ndarray::Axis(0), &[i]);
                let mut single = Array2::<f64>::zeros((n, n));
                single.diag_mut().fill(1.0);
                single.row_mut(i).assign(&row(&a).row(0));
                let true_sign = values(&single, &y)[i].clone();
                let support: Vec<usize> = (0..n).collect();
                let scaled = Scaled::new(single.view(), single.diag(), y.view(), support);
                let split = scaled.proved_by_splitting(&[i]);
                assert!(!split || !true_sign.is_negative(), "case {case}, row {i}: {true_sign}");
                let by_bound = !scaled.not_proved_by_bound().contains(&i);
                assert!(!by_bound || !true_sign.is_negative(), "case {case}, row {i}: {true_sign}");
                gained += usize::from(split && !by_bound);
                // The other rows are those of the identity, which are proved.
                let by_rows = proves_not_stable_by_rows(&single.view(), single.diag(), y.view());
                assert!(!by_rows || !true_sign.is_negative(), "case {case}, row {i}: {true_sign}");
                assert!(by_rows || true_sign.is_negative() || small < 1.0, "case {case}, row {i}: {true_sign}");
                let clear = BigRational::from_float(4.0 * f64::EPSILON * (1.0 + single[[i, i]].abs())).unwrap()
                    * BigRational::from_float(y.row(i).dot(&y.row(i))).unwrap();
                assert!(split || true_sign < clear, "case {case}, row {i}: {true_sign} is not proved");
            }
        }
        assert!(gained > 300, "{gained} rows gained");
    }
}
