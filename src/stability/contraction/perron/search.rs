//! The search for a Perron vector; nothing here is proved.

use ndarray::{Array2, ArrayView1};

use super::PerronOptions;
use crate::linalg::balance::{balancing_exponents, excess};
use crate::linalg::perron::noda;
use crate::stability::Bounds;
use crate::stability::contraction::Majorant;

/// Components up to this size are finished by dense inverse iteration.
const DENSE: usize = 500;
/// Power steps before a small component goes over to inverse iteration.
const POWER_FIRST: usize = 60;
/// Factor by which the weights of a component exceed what couplings demand.
const SPARE: f64 = 1.0 + 1e-9;
/// Largest factor between the weights of two components.
const RANGE: f64 = 1e200;
/// Halvings, on a logarithmic scale, that bring a factor of 10 below 1.1.
const HALVINGS: usize = 5;
/// Smallest entry of a component's vector, whose largest is about 1.
const SMALLEST: f64 = 1e-80;

/// A positive vector and the strongly connected component of every row.
pub(in crate::stability) struct Found {
    pub(in crate::stability) vector: Vec<f64>,
    pub(in crate::stability) component: Vec<u32>,
    pub(in crate::stability) iterations: usize,
}

impl Found {
    /// Both Collatz-Wielandt bounds from bounds on `(M v)_i / v_i`: over all columns for the upper one, over the columns
    /// of the row's own component for the lower one.
    pub(in crate::stability) fn collatz_wielandt(&self, row: impl Fn(usize, Option<u32>) -> Bounds) -> Bounds {
        let components = self.component.iter().max().map_or(0, |&c| c as usize + 1);
        let mut lowest = vec![f64::INFINITY; components];
        let mut upper = f64::NEG_INFINITY;
        for (i, &c) in self.component.iter().enumerate() {
            upper = upper.max(row(i, None).upper);
            lowest[c as usize] = lowest[c as usize].min(row(i, Some(c)).lower);
        }
        Bounds { lower: lowest.into_iter().fold(f64::NEG_INFINITY, f64::max), upper }
    }
}

pub(in crate::stability) fn search(m: &Majorant, options: &PerronOptions) -> Found {
    search_while(m, options, &|| true)
}

/// As [`search`], which ends where it is once `proceed`, asked before each product, says no.
pub(in crate::stability) fn search_while(m: &Majorant, options: &PerronOptions, proceed: &dyn Fn() -> bool) -> Found {
    let n = m.len();
    let components = m.components();
    let mut component = vec![0u32; n];
    for (c, members) in components.iter().enumerate() {
        for &i in members {
            component[i] = c as u32;
        }
    }
    let mut vector = vec![1.0; n];
    let mut position = vec![0usize; n];
    let mut iterations = 0;
    let mut ratios = vec![0.0; n];
    for (c, members) in components.iter().enumerate() {
        let block = Block::new(m, members, &component, c as u32, &mut position);
        let (v, steps) = block.perron(options, proceed);
        iterations += steps;
        let image = block.product(&v);
        for ((&i, &v), &image) in members.iter().zip(&v).zip(&image) {
            vector[i] = v;
            ratios[i] = image / v;
        }
    }
    scale_components(m, &components, &component, &ratios, &mut vector);
    Found { vector, component, iterations }
}

/// Scales each component's vector up until its inputs from other components raise no row above
/// `(largest abscissa) + slack`, with the smallest slack (within a factor of 1.1) that keeps the weights in [`RANGE`].
fn scale_components(m: &Majorant, components: &[Vec<usize>], component: &[u32], ratios: &[f64], vector: &mut [f64]) {
    if components.len() == 1 {
        return;
    }
    let top = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Of the rows that bind: others may be larger by any factor.
    let size = |i: usize| if ratios[i] == top { m.diagonal[i].abs() + top.abs() } else { 0.0 };
    let scale = (0..m.len()).map(size).fold(f64::MIN_POSITIVE, f64::max);
    let attempt = |slack: f64| scaled_within(m, components, component, ratios, vector, top + slack);
    let (mut low, mut high) = (0.0, 1e-10 * scale);
    let mut best = attempt(high);
    while best.is_none() && high.is_finite() {
        (low, high) = (high, 10.0 * high);
        best = attempt(high);
    }
    let halvings = if low > 0.0 { HALVINGS } else { 0 };
    for _ in 0..halvings {
        let middle = low.sqrt() * high.sqrt();
        match attempt(middle) {
            Some(scaled) => (best, high) = (Some(scaled), middle),
            None => low = middle,
        }
    }
    if let Some(scaled) = best {
        let (low, high) = scaled.iter().fold((f64::MAX, 0.0f64), |(l, h), &v| (l.min(v), h.max(v)));
        let centre = 2f64.powi(-((low.log2() + high.log2()) / 2.0).round() as i32);
        for (v, scaled) in vector.iter_mut().zip(scaled) {
            *v = scaled * centre;
        }
    }
}

fn scaled_within(
    m: &Majorant,
    components: &[Vec<usize>],
    component: &[u32],
    ratios: &[f64],
    vector: &[f64],
    target: f64,
) -> Option<Vec<f64>> {
    let mut scaled = vector.to_vec();
    for (c, members) in components.iter().enumerate() {
        let mut factor = 1.0f64;
        for &i in members {
            let foreign: f64 = m.row(i).filter(|&(j, _)| component[j] != c as u32).map(|(j, w)| w * scaled[j]).sum();
            factor = factor.max(SPARE * foreign / ((target - ratios[i]) * vector[i]));
        }
        if factor > RANGE {
            return None;
        }
        for &i in members {
            scaled[i] *= factor;
        }
    }
    Some(scaled)
}

/// One strongly connected component as a matrix of its own.
struct Block {
    diagonal: Vec<f64>,
    offsets: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl Block {
    fn new(m: &Majorant, members: &[usize], component: &[u32], c: u32, position: &mut [usize]) -> Self {
        for (k, &i) in members.iter().enumerate() {
            position[i] = k;
        }
        let mut block = Self { diagonal: Vec::new(), offsets: vec![0], columns: Vec::new(), values: Vec::new() };
        for &i in members {
            block.diagonal.push(m.diagonal[i]);
            for (j, v) in m.row(i).filter(|&(j, _)| component[j] == c) {
                block.columns.push(position[j] as u32);
                block.values.push(v);
            }
            block.offsets.push(block.columns.len());
        }
        block
    }

    fn len(&self) -> usize {
        self.diagonal.len()
    }

    fn row(&self, i: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = self.offsets[i]..self.offsets[i + 1];
        self.columns[range.clone()].iter().zip(&self.values[range]).map(|(&j, &v)| (j as usize, v))
    }

    fn product(&self, v: &[f64]) -> Vec<f64> {
        let row = |i: usize| self.diagonal[i] * v[i] + self.row(i).map(|(j, w)| w * v[j]).sum::<f64>();
        (0..self.len()).map(row).collect()
    }

    /// An approximate Perron vector and the number of products it took, in units in which the block is balanced.
    fn perron(&self, options: &PerronOptions, proceed: &dyn Fn() -> bool) -> (Vec<f64>, usize) {
        let Some((balanced, exponents)) = self.balanced() else { return self.perron_as_it_stands(options, proceed) };
        let (v, steps) = balanced.perron_as_it_stands(options, proceed);
        let least = exponents.iter().copied().min().unwrap_or(0);
        let v: Vec<f64> = v.iter().zip(&exponents).map(|(v, e)| v * 2f64.powi(least - e)).collect();
        if v.iter().all(|v| *v > SMALLEST) { (v, steps) } else { self.perron_as_it_stands(options, proceed) }
    }

    /// `2^(e_i - e_j) m_ij` with the exponents `e`, if some row and column are far from balanced.
    fn balanced(&self) -> Option<(Self, Vec<i32>)> {
        const UNBALANCED: f64 = 8.0;
        let n = self.len();
        let row = |i: usize, visit: &mut dyn FnMut(usize, f64)| {
            self.row(i).filter(|&(j, w)| j != i && w != 0.0).for_each(|(j, w)| visit(j, w.log2()));
        };
        if excess(n, &row, &vec![0.0; n]).iter().all(|e| e.abs() <= UNBALANCED) {
            return None;
        }
        let exponents = balancing_exponents(n, row);
        let value = |(i, k): (usize, usize)| {
            let j = self.columns[k] as usize;
            self.values[k] * 2f64.powi(exponents[i] - exponents[j])
        };
        let entries = (0..n).flat_map(|i| (self.offsets[i]..self.offsets[i + 1]).map(move |k| (i, k)));
        let values = entries.map(value).collect();
        let (diagonal, offsets, columns) = (self.diagonal.clone(), self.offsets.clone(), self.columns.clone());
        Some((Self { diagonal, offsets, columns, values }, exponents))
    }

    fn perron_as_it_stands(&self, options: &PerronOptions, proceed: &dyn Fn() -> bool) -> (Vec<f64>, usize) {
        let n = self.len();
        if n == 1 {
            return (vec![1.0], 0);
        }
        let row_sum: f64 = self.values.iter().sum::<f64>() / n as f64;
        let shift = 0.3 * row_sum - self.diagonal.iter().copied().fold(f64::INFINITY, f64::min);
        let dense = n <= DENSE;
        let limit = if dense { options.max_iterations.min(POWER_FIRST) } else { options.max_iterations };
        let mut v = vec![1.0; n];
        let mut steps = 0;
        while steps < limit && proceed() {
            let image = self.product(&v);
            steps += 1;
            let (low, high) = ratio_range(&image, &v);
            if high - low <= options.tolerance * (high + shift) {
                return (v, steps);
            }
            let top = image.iter().zip(&v).map(|(y, x)| y + shift * x).fold(0.0, f64::max);
            for (x, y) in v.iter_mut().zip(image) {
                *x = ((y + shift * *x) / top).max(SMALLEST);
            }
        }
        if dense && options.max_iterations > POWER_FIRST && proceed() {
            let tolerance = options.tolerance * shift.abs().max(row_sum);
            let (vector, taken) = noda(self.to_dense().view(), v.into(), tolerance);
            return (vector.to_vec(), steps + taken);
        }
        (v, steps)
    }

    fn to_dense(&self) -> Array2<f64> {
        let mut dense = Array2::from_diag(&ArrayView1::from(&self.diagonal));
        for i in 0..self.len() {
            for (j, w) in self.row(i) {
                dense[[i, j]] += w;
            }
        }
        dense
    }
}

fn ratio_range(image: &[f64], v: &[f64]) -> (f64, f64) {
    let ratios = image.iter().zip(v).map(|(y, x)| y / x);
    ratios.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), r| (low.min(r), high.max(r)))
}
