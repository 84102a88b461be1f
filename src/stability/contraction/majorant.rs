//! The Metzler majorant of a matrix, with products rounded outward.

use ndarray::ArrayView2;
use sprs::CsMatView;

use crate::linalg::components::strongly_connected;
use crate::linalg::rounding::{add_down, add_up, div_down, div_up, mul_down, mul_up};
use crate::stability::subject::Matrix;
use crate::stability::{Bounds, Subject};

/// The diagonal of a matrix as it is and the magnitudes off it, by compressed rows.
#[derive(Debug, Clone)]
pub(crate) struct Majorant {
    pub(in crate::stability) diagonal: Vec<f64>,
    offsets: Vec<usize>,
    columns: Vec<u32>,
    magnitudes: Vec<f64>,
}

/// Numbers per neuron, each known from both sides.
#[derive(Debug, Clone)]
pub(in crate::stability) struct Enclosed {
    pub(super) lower: Vec<f64>,
    pub(super) upper: Vec<f64>,
}

impl Enclosed {
    pub(in crate::stability) fn exact(values: &[f64]) -> Self {
        Self { lower: values.to_vec(), upper: values.to_vec() }
    }

    /// Entrywise products of nonnegative numbers.
    pub(in crate::stability) fn times(&self, factor: &[f64]) -> Self {
        Self {
            lower: self.lower.iter().zip(factor).map(|(&a, &b)| mul_down(a, b)).collect(),
            upper: self.upper.iter().zip(factor).map(|(&a, &b)| mul_up(a, b)).collect(),
        }
    }

    /// Entrywise quotients of nonnegative numbers by positive ones.
    pub(super) fn over(&self, divisor: &[f64]) -> Self {
        Self {
            lower: self.lower.iter().zip(divisor).map(|(&a, &b)| div_down(a, b)).collect(),
            upper: self.upper.iter().zip(divisor).map(|(&a, &b)| div_up(a, b)).collect(),
        }
    }
}

impl Majorant {
    /// Of the subject's `A` or `W`.
    pub(in crate::stability) fn of(subject: &Subject<'_>) -> Self {
        match subject.matrix() {
            Matrix::Dense(w) => Self::of_dense(w.view()),
            Matrix::Sparse(w) if w.is_csr() => Self::of_sparse(w.view()),
            Matrix::Sparse(w) => Self::of_sparse(w.to_csr().view()),
        }
    }

    pub(in crate::stability) fn of_dense(w: ArrayView2<'_, f64>) -> Self {
        Self::from_rows(w.outer_iter().map(|row| row.to_vec().into_iter().enumerate()))
    }

    /// Of a matrix stored by rows.
    pub(in crate::stability) fn of_sparse(w: CsMatView<'_, f64>) -> Self {
        Self::from_rows(w.outer_iterator().map(|row| row.iter().map(|(j, &v)| (j, v)).collect::<Vec<_>>()))
    }

    fn from_rows<R: IntoIterator<Item = (usize, f64)>>(rows: impl Iterator<Item = R>) -> Self {
        let mut m = Self { diagonal: Vec::new(), offsets: vec![0], columns: Vec::new(), magnitudes: Vec::new() };
        for (i, row) in rows.enumerate() {
            m.diagonal.push(0.0);
            for (j, value) in row {
                if i == j {
                    m.diagonal[i] = value;
                } else if value != 0.0 {
                    m.columns.push(u32::try_from(j).expect("a subject has fewer than 2^32 rows"));
                    m.magnitudes.push(value.abs());
                }
            }
            m.offsets.push(m.columns.len());
        }
        m
    }

    pub(super) fn len(&self) -> usize {
        self.diagonal.len()
    }

    /// Columns and magnitudes of row `i` off the diagonal.
    pub(in crate::stability) fn row(&self, i: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = self.offsets[i]..self.offsets[i + 1];
        self.columns[range.clone()].iter().zip(&self.magnitudes[range]).map(|(&j, &v)| (j as usize, v))
    }

    pub(in crate::stability) fn transposed(&self) -> Self {
        let n = self.len();
        let mut offsets = vec![0usize; n + 1];
        for &j in &self.columns {
            offsets[j as usize + 1] += 1;
        }
        for j in 0..n {
            offsets[j + 1] += offsets[j];
        }
        let mut next = offsets.clone();
        let (mut columns, mut magnitudes) = (vec![0u32; self.columns.len()], vec![0.0; self.columns.len()]);
        for i in 0..n {
            for (j, v) in self.row(i) {
                columns[next[j]] = i as u32;
                magnitudes[next[j]] = v;
                next[j] += 1;
            }
        }
        Self { diagonal: self.diagonal.clone(), offsets, columns, magnitudes }
    }

    /// Strongly connected components, each after those that its rows take input from.
    pub(crate) fn components(&self) -> Vec<Vec<usize>> {
        let edges = (0..self.len()).flat_map(|i| self.row(i).map(move |(j, _)| (i, j)));
        strongly_connected(self.len(), edges)
    }

    /// `diag(left) M diag(right)`, to working precision: to search with, not to prove with.
    pub(in crate::stability) fn scaled(mut self, left: &[f64], right: &[f64]) -> Self {
        for i in 0..self.len() {
            self.diagonal[i] *= left[i] * right[i];
            for k in self.offsets[i]..self.offsets[i + 1] {
                self.magnitudes[k] *= left[i] * right[self.columns[k] as usize];
            }
        }
        self
    }

    /// `(A + B) / 2` row by row, to working precision; an entry that both have stands there twice.
    pub(in crate::stability) fn mean(a: &Self, b: &Self) -> Self {
        let mut mean = Self { diagonal: Vec::new(), offsets: vec![0], columns: Vec::new(), magnitudes: Vec::new() };
        for i in 0..a.len() {
            mean.diagonal.push(0.5 * (a.diagonal[i] + b.diagonal[i]));
            for part in [a, b] {
                let range = part.offsets[i]..part.offsets[i + 1];
                mean.columns.extend(&part.columns[range.clone()]);
                mean.magnitudes.extend(part.magnitudes[range].iter().map(|v| 0.5 * v));
            }
            mean.offsets.push(mean.columns.len());
        }
        mean
    }

    /// Bounds on `sum_{j != i} |m_ij| h_j / g_i` over the `j` that `keep` admits, for `h` and `g` of positive numbers, whose
    /// lower bounds may have underflowed; never NaN.
    pub(in crate::stability) fn quotient(
        &self,
        i: usize,
        h: &Enclosed,
        g: &Enclosed,
        keep: impl Fn(usize) -> bool,
    ) -> Bounds {
        let (mut lower, mut upper) = (0.0, 0.0);
        for (j, v) in self.row(i).filter(|&(j, _)| keep(j)) {
            lower = add_down(lower, mul_down(v, h.lower[j]));
            upper = add_up(upper, mul_up(v, h.upper[j]));
        }
        // Of a positive number that underflowed nothing is known from below; without inputs that does not matter.
        let upper = if upper == 0.0 { 0.0 } else { div_up(upper, g.lower[i]) };
        Bounds { lower: div_down(lower, g.upper[i]), upper }
    }
}
