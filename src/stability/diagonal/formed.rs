//! The symmetric part of a weighted sparse matrix, formed once, with a bound on what forming it rounded.

use ndarray::{Array1, Array2};
use sprs::CsMat;

use crate::linalg::operator::each_row;
use crate::linalg::rounding::{add_up, gamma, mul_up, sub_down};
use crate::linalg::sparse_cholesky::{Plan, UpperTriangle};
use crate::linalg::verified::{Effort, proved_when_scaled};

/// Numbers that can be multiplied four at a time without underflow or overflow.
const SAFE: std::ops::Range<f64> = 1e-70..1e70;

/// A symmetric matrix `T` of floating-point numbers for weights `d` of a matrix `W` with slopes `rho`.
///
/// With `c_i = sqrt(rho_i/d_i)`, rounded, the congruence of `D W + W'D + 2 delta D R^-1` by `diag(c)` is twice
/// `S + delta (I + H)`: `S_ij = (c_i d_i w_ij c_j + c_j d_j w_ji c_i)/2`, and `|H| <= 4 eps` as `c` is rounded. `T` is `S` as it is
/// computed. The sum of reciprocal entries is formed, so that opposite ones cancel.
pub(super) struct SymmetricPart {
    /// Off the diagonal, both triangles, by rows.
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
    diagonal: Vec<f64>,
    /// At least the spectral norm of `S - T`.
    error: f64,
    /// Entries of the fullest row, its diagonal one included.
    fullest: usize,
}

impl SymmetricPart {
    /// From the rows of `W` and those of `W'`; `None` where numbers leave the range in which rounding is bounded.
    pub(super) fn new(rows: &CsMat<f64>, transposed: &CsMat<f64>, rho: &Array1<f64>, d: &Array1<f64>) -> Option<Self> {
        let n = rho.len();
        u32::try_from(n).ok()?;
        let right: Vec<f64> = rho.iter().zip(d).map(|(rho, d)| (rho / d).sqrt()).collect();
        let left: Vec<f64> = right.iter().zip(d).map(|(c, d)| c * d).collect();
        let safe = |v: &f64| SAFE.contains(v);
        if !(right.iter().all(safe) && left.iter().all(safe) && rho.iter().all(safe) && d.iter().all(safe)) {
            return None;
        }
        if !rows.data().iter().all(|&v| v == 0.0 || SAFE.contains(&v.abs())) {
            return None;
        }
        let mut part = Self {
            starts: vec![0],
            columns: Vec::with_capacity(rows.nnz()),
            values: Vec::with_capacity(rows.nnz()),
            diagonal: vec![0.0; n],
            error: 0.0,
            fullest: 1,
        };
        for i in 0..n {
            part.add_row(i, rows, transposed, &left, &right);
        }
        Some(part)
    }

    fn add_row(&mut self, i: usize, rows: &CsMat<f64>, transposed: &CsMat<f64>, left: &[f64], right: &[f64]) {
        let entries = |m: &CsMat<f64>| m.indptr().outer_inds_sz(i);
        let (mut p, mut q) = (entries(rows), entries(transposed));
        let mut magnitude = 0.0;
        let first = self.columns.len();
        loop {
            let at = |m: &CsMat<f64>, range: &std::ops::Range<usize>| {
                if range.is_empty() { usize::MAX } else { m.indices()[range.start] }
            };
            let (a, b) = (at(rows, &p), at(transposed, &q));
            let j = a.min(b);
            if j == usize::MAX {
                break;
            }
            let (mut ij, mut ji) = (0.0, 0.0);
            if a == j {
                ij = (left[i] * rows.data()[p.start]) * right[j];
                p.start += 1;
            }
            if b == j {
                ji = (left[j] * transposed.data()[q.start]) * right[i];
                q.start += 1;
            }
            // Addition commutes, so that entry (j, i) is the same number.
            let value = 0.5 * (ij + ji);
            magnitude += 0.5 * (f64::abs(ij) + f64::abs(ji));
            if i == j {
                self.diagonal[i] = value;
            } else if value != 0.0 {
                self.columns.push(j as u32);
                self.values.push(value);
            }
        }
        self.starts.push(self.columns.len());
        let terms = self.columns.len() - first + 1;
        self.fullest = self.fullest.max(terms);
        // Of `left`, two products and the sum, each counted twice; and of the sum of magnitudes.
        let rounded = mul_up(mul_up(gamma(8), magnitude), 1.0 + gamma(2 * (rows.cols() + 8)));
        self.error = self.error.max(rounded);
    }

    pub(super) fn size(&self) -> usize {
        self.diagonal.len()
    }

    /// Entries of the fullest row.
    pub(super) fn fullest(&self) -> usize {
        self.fullest
    }

    /// Stored entries off the diagonal.
    pub(super) fn entries(&self) -> usize {
        self.values.len()
    }

    /// A number for which `lambda_max(T)` below it proves `D W + W'D + 2 delta D R^-1 < 0`.
    pub(super) fn threshold(&self, delta: f64) -> f64 {
        sub_down(sub_down(-delta, mul_up(delta.abs(), 4.0 * f64::EPSILON)), self.error)
    }

    /// The least threshold's loss, relative to which claims can be chosen.
    pub(super) fn error(&self) -> f64 {
        self.error
    }

    /// `out <- T x` for `width` vectors, interleaved; entry `i` of a result is a sum of at most [`fullest`](Self::fullest) products.
    pub(super) fn multiply<const WIDTH: usize>(&self, x: &[f64], out: &mut [f64]) {
        each_row(out, WIDTH, self.values.len() * WIDTH, |i, target| {
            let mut sum = [0.0; WIDTH];
            for (s, x) in sum.iter_mut().zip(&x[i * WIDTH..]) {
                *s = self.diagonal[i] * x;
            }
            for k in self.starts[i]..self.starts[i + 1] {
                let (j, v) = (self.columns[k] as usize * WIDTH, self.values[k]);
                for (s, x) in sum.iter_mut().zip(&x[j..j + WIDTH]) {
                    *s += v * x;
                }
            }
            target.copy_from_slice(&sum);
        });
    }

    /// `(sum_j |T_ij| v_j, T_ii)`, the sum off the diagonal and from above.
    fn absolute_row(&self, i: usize, v: &[f64]) -> f64 {
        let range = self.starts[i]..self.starts[i + 1];
        let sum: f64 = range.clone().map(|k| self.values[k].abs() * v[self.columns[k] as usize]).sum();
        mul_up(sum, 1.0 + gamma(2 * (range.len() + 8)))
    }

    /// A positive vector near the Perron vector of `|T|` off the diagonal with `own` on it.
    fn perron(&self, own: impl Fn(usize) -> f64, steps: usize, mut look: impl FnMut(&[f64]) -> bool) -> Vec<f64> {
        let n = self.size();
        let mut v = vec![1.0; n];
        let mut next = vec![0.0; n];
        for step in 1..=steps {
            let (mut total, mut mass) = (0.0, 0.0);
            for (i, next) in next.iter_mut().enumerate() {
                *next = self.absolute_row(i, &v) + own(i) * v[i];
                total += *next;
                mass += v[i];
            }
            // A shift keeps rings from oscillating and zero rows from vanishing.
            let shift = 0.3 * total / mass;
            let mut largest = 0.0_f64;
            for (v, next) in v.iter_mut().zip(&next) {
                *v = next + shift * *v;
                largest = largest.max(*v);
            }
            v.iter_mut().for_each(|v| *v = (*v / largest).max(1e-60));
            if step % 8 == 0 && look(&v) {
                break;
            }
        }
        v
    }

    /// Whether `lambda_max(T) < threshold` is proved by a vector `v > 0` with `threshold v - T v > 0` at the worst signs off the
    /// diagonal: `threshold I - T` is then an H-matrix with positive diagonal.
    pub(super) fn proved_as_h_matrix(&self, threshold: f64) -> bool {
        let least = self.diagonal.iter().fold(0.0_f64, |m, &v| m.min(v));
        let proves = |v: &[f64]| {
            (0..self.size()).all(|i| {
                self.absolute_row(i, v) < sub_down(threshold, self.diagonal[i]) * v[i] * (1.0 - 4.0 * f64::EPSILON)
            })
        };
        // Row sums first; they settle matrices of a few entries a row at once.
        let mut proved = proves(&vec![1.0; self.size()]);
        if !proved {
            self.perron(
                |i| self.diagonal[i] - least,
                96,
                |v| {
                    proved = proves(v);
                    proved
                },
            );
        }
        proved
    }

    /// At least the spectral norm of `|T|`, by Collatz and Wielandt: `max_i (|T| v)_i / v_i` for a `v > 0`.
    pub(super) fn absolute_norm(&self) -> f64 {
        let own = |i: usize| self.diagonal[i].abs();
        let bound = |v: &[f64]| {
            let ratio = |i| add_up(self.absolute_row(i, v) / v[i] * (1.0 + 4.0 * f64::EPSILON), own(i));
            (0..self.size()).map(ratio).fold(0.0, f64::max)
        };
        let ones = bound(&vec![1.0; self.size()]);
        ones.min(bound(&self.perron(own, 24, |_| false)))
    }

    /// The upper triangle of `threshold I - T`, its diagonal rounded downwards.
    pub(super) fn shifted(&self, threshold: f64) -> UpperTriangle {
        let n = self.size();
        let (mut starts, mut rows, mut values) = (vec![0], Vec::new(), Vec::new());
        for i in 0..n {
            for k in self.starts[i]..self.starts[i + 1] {
                let j = self.columns[k] as usize;
                if j < i {
                    rows.push(j);
                    values.push(-self.values[k]);
                }
            }
            rows.push(i);
            values.push(sub_down(threshold, self.diagonal[i]));
            starts.push(rows.len());
        }
        UpperTriangle { starts, rows, values }
    }

    /// Whether `lambda_max(T) < threshold` is proved by a planned sparse factorisation.
    pub(super) fn proved_by_sparse_factor(&self, plan: &Plan, threshold: f64) -> bool {
        plan.proves_positive_definite(self.shifted(threshold))
    }

    /// Whether `lambda_max(T) < threshold` is proved by a dense factorisation, in `8 n^2` bytes.
    pub(super) fn proved_by_dense_factor(&self, threshold: f64) -> bool {
        let n = self.size();
        let mut dense = Array2::zeros((n, n));
        for i in 0..n {
            dense[[i, i]] = sub_down(threshold, self.diagonal[i]);
            for k in self.starts[i]..self.starts[i + 1] {
                dense[[i, self.columns[k] as usize]] = -self.values[k];
            }
        }
        proved_when_scaled(dense, &vec![0.0; n], Effort::Quick)
    }

    /// Bits that differ between different matrices, for the draws of a randomised proof.
    pub(super) fn fingerprint(&self) -> u64 {
        let words = self.values.iter().chain(&self.diagonal).map(|v| v.to_bits());
        words.fold(0xcbf2_9ce4_8422_2325, |h: u64, w| (h ^ w).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23))
    }
}
