//! The search through supports, with interval bounds.

use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::Array2;

use super::SearchLimit;
use super::gather::{Solutions, is_uncontested};
use super::problem::Problem;
use super::support::Found;

/// How much the search may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) solutions: usize,
    pub(super) branches: u64,
}

/// What came of the search.
pub(super) struct Harvest {
    pub(super) solutions: Solutions,
    pub(super) ended_by: Option<SearchLimit>,
    pub(super) unresolved: u64,
    pub(super) branches: u64,
}

/// Branches at this depth are searched in parallel.
const SPLIT_DEPTH: usize = 5;
/// A rate is eliminated when its pivot is above this; below, it stays as an unknown within its bounds.
const LEAST_PIVOT: f64 = 1e-8;

/// A branch: some neurons have their pieces, and the drives of all are affine in the rates that are left,
/// `z_i = constant_i + sum_j coefficient_ij x_j`.
#[derive(Clone)]
struct Branch {
    constant: Vec<f64>,
    coefficient: Array2<f64>,
    /// Bounds on their rounding errors.
    constant_error: Vec<f64>,
    coefficient_error: Array2<f64>,
    /// The neurons whose rates have not been eliminated.
    left: Vec<usize>,
    /// Bounds on their rates.
    rate: Vec<(f64, f64)>,
    /// The first and the last of the pieces that are still possible.
    possible: Vec<(usize, usize)>,
    chosen: Vec<bool>,
}

/// What a part of the search has done, for the parts after it to see.
#[derive(Default)]
struct Tally {
    branches: AtomicU64,
    /// Solutions that no other support shares.
    uncontested: AtomicU64,
}

/// A part of the search. Parts have an order, and the result is that of going through them one after the other, so that it does
/// not depend on which of them runs first: a part gives up only when those before it and itself reach a limit.
struct Part<'a> {
    problem: &'a Problem,
    limits: Limits,
    tallies: &'a [Tally],
    index: usize,
    branches: u64,
    uncontested: u64,
    gave_up: bool,
    /// What was found, each after how many branches of this part.
    found: Vec<(u64, Found)>,
}

pub(super) fn run(problem: &Problem, limits: Limits) -> Harvest {
    let alone = [Tally::default()];
    let mut first = Part::new(problem, limits, &alone, 0);
    let mut front = vec![Branch::root(problem)];
    for _ in 0..SPLIT_DEPTH {
        let mut next = Vec::new();
        for branch in front {
            next.extend(first.expand(branch));
        }
        front = next;
    }
    let begun = Tally { branches: AtomicU64::new(first.branches), uncontested: AtomicU64::new(first.uncontested) };
    let tallies: Vec<Tally> = std::iter::once(begun).chain(front.iter().map(|_| Tally::default())).collect();
    let search = |(k, branch): (usize, Branch)| {
        let mut part = Part::new(problem, limits, &tallies, k + 1);
        part.descend(branch);
        (part.branches, part.found)
    };
    let begun = [(first.branches, first.found)];
    let front: Vec<(usize, Branch)> = front.into_iter().enumerate().collect();
    #[cfg(feature = "rayon")]
    let parts: Vec<_> = {
        use rayon::prelude::*;
        front.into_par_iter().with_max_len(1).map(search).collect()
    };
    #[cfg(not(feature = "rayon"))]
    let parts: Vec<_> = front.into_iter().map(search).collect();
    join(begun.into_iter().chain(parts), limits)
}

/// Goes through the parts in order, up to where a limit is reached.
fn join(parts: impl Iterator<Item = (u64, Vec<(u64, Found)>)>, limits: Limits) -> Harvest {
    let mut harvest = Harvest { solutions: Solutions::default(), ended_by: None, unresolved: 0, branches: 0 };
    for (branches, found) in parts {
        for (after, found) in found {
            if harvest.branches + after > limits.branches {
                break;
            }
            if matches!(found, Found::Unresolved) {
                harvest.unresolved += 1;
            }
            let (points, continua) = harvest.solutions.counts();
            harvest.solutions.add(found);
            if harvest.solutions.len() > limits.solutions {
                harvest.solutions.truncate(points, continua);
                harvest.ended_by = Some(SearchLimit::Equilibria);
                harvest.branches += after;
                return harvest;
            }
        }
        harvest.branches += branches;
        if harvest.branches > limits.branches {
            harvest.branches = limits.branches;
            harvest.ended_by = Some(SearchLimit::Branches);
            return harvest;
        }
    }
    harvest
}

impl<'a> Part<'a> {
    fn new(problem: &'a Problem, limits: Limits, tallies: &'a [Tally], index: usize) -> Self {
        Self { problem, limits, tallies, index, branches: 0, uncontested: 0, gave_up: false, found: Vec::new() }
    }

    fn descend(&mut self, branch: Branch) {
        for child in self.expand(branch) {
            self.descend(child);
        }
    }

    /// Bounds the branch, then solves it if all pieces are chosen, or hands on its children.
    fn expand(&mut self, mut branch: Branch) -> Vec<Branch> {
        if self.gave_up {
            return Vec::new();
        }
        self.branches += 1;
        self.watch_limits();
        if !branch.contract(self.problem) {
            return Vec::new();
        }
        match branch.next(self.problem) {
            None => {
                let support: Vec<usize> = branch.possible.iter().map(|p| p.0).collect();
                if let Some(found) = self.problem.solve(&support) {
                    self.keep(found);
                }
                Vec::new()
            }
            Some(i) => {
                let (first, last) = branch.possible[i];
                (first..=last).map(|p| branch.choose(self.problem, i, p)).collect()
            }
        }
    }

    fn keep(&mut self, found: Found) {
        self.uncontested += match &found {
            Found::Point(point) => u64::from(is_uncontested(point)),
            Found::Flat(_) => 1,
            Found::Unresolved => 0,
        };
        self.found.push((self.branches, found));
    }

    fn watch_limits(&mut self) {
        const PERIOD: u64 = 64;
        if !self.branches.is_multiple_of(PERIOD) {
            return;
        }
        let (before, own) = self.tallies.split_at(self.index);
        if let Some(own) = own.first() {
            own.branches.store(self.branches, Ordering::Relaxed);
            own.uncontested.store(self.uncontested, Ordering::Relaxed);
        }
        let sum = |of: fn(&Tally) -> &AtomicU64| before.iter().map(|t| of(t).load(Ordering::Relaxed)).sum::<u64>();
        self.gave_up = sum(|t| &t.branches) + self.branches > self.limits.branches
            || sum(|t| &t.uncontested) + self.uncontested > self.limits.solutions as u64;
    }
}

impl Branch {
    fn root(problem: &Problem) -> Self {
        let n = problem.len();
        let rate = problem
            .pieces
            .iter()
            .map(|pieces| {
                let ends = pieces.iter().map(|p| p.safe_range());
                ends.fold((f64::INFINITY, f64::NEG_INFINITY), |all, p| (all.0.min(p.0), all.1.max(p.1)))
            })
            .collect();
        Branch {
            constant: problem.input.clone(),
            coefficient: problem.weights.clone(),
            constant_error: vec![0.0; n],
            coefficient_error: Array2::zeros((n, n)),
            left: (0..n).collect(),
            rate,
            possible: problem.pieces.iter().map(|p| (0, p.len() - 1)).collect(),
            chosen: vec![false; n],
        }
    }

    /// The neuron to choose a piece for: the one with the fewest pieces left makes the smallest tree; a safe pivot comes first.
    fn next(&self, problem: &Problem) -> Option<usize> {
        (0..problem.len()).filter(|&i| !self.chosen[i]).min_by_key(|&i| {
            let (first, last) = self.possible[i];
            let regular = (first..=last).all(|p| self.pivot(problem, i, p).is_some());
            (last - first, !regular)
        })
    }

    /// `1 - s w_ii` with the coefficients of the branch and its relative error, unless it is too close to 0.
    fn pivot(&self, problem: &Problem, i: usize, p: usize) -> Option<(f64, f64)> {
        let slope = problem.pieces[i][p].slope;
        let term = slope * self.coefficient[[i, i]];
        let pivot = 1.0 - term;
        let error = slope * self.coefficient_error[[i, i]] + 2.0 * f64::EPSILON * (1.0 + term.abs());
        let usable = pivot.abs() > LEAST_PIVOT * (1.0 + term.abs()) && error < 0.25 * pivot.abs();
        usable.then(|| (pivot, 2.0 * error / pivot.abs()))
    }

    /// The branch in which neuron `i` is on its piece `p`, its rate eliminated.
    fn choose(&self, problem: &Problem, i: usize, p: usize) -> Branch {
        const EPS: f64 = 2.0 * f64::EPSILON;
        let piece = problem.pieces[i][p];
        let mut child = self.clone();
        child.possible[i] = (p, p);
        child.chosen[i] = true;
        let ((low, high), (least, most)) = (self.rate[i], piece.safe_range());
        child.rate[i] = (low.max(least), high.min(most));
        let Some((pivot, pivot_error)) = self.pivot(problem, i, p) else { return child };
        // x_i = (s (constant_i + sum over the others) + c) / (1 - s w_ii), every term with its error.
        let gain = piece.slope / pivot;
        let eliminated = |value: f64, error: f64| {
            let term = gain * value;
            (term, gain.abs() * error + term.abs() * (pivot_error + EPS))
        };
        let (driven, driven_error) = eliminated(self.constant[i], self.constant_error[i]);
        let own = piece.intercept / pivot;
        let constant = driven + own;
        let constant_error = driven_error + own.abs() * (pivot_error + EPS) + EPS * constant.abs();
        child.left.retain(|&j| j != i);
        let row: Vec<(f64, f64)> =
            child.left.iter().map(|&j| eliminated(self.coefficient[[i, j]], self.coefficient_error[[i, j]])).collect();
        for k in 0..problem.len() {
            let (factor, factor_error) = (self.coefficient[[k, i]], self.coefficient_error[[k, i]]);
            if factor == 0.0 && factor_error == 0.0 {
                continue;
            }
            let add = |sum: &mut f64, sum_error: &mut f64, (term, term_error): (f64, f64)| {
                let product = factor * term;
                *sum += product;
                *sum_error += factor_error * (term.abs() + term_error)
                    + factor.abs() * term_error
                    + EPS * (product.abs() + sum.abs());
            };
            add(&mut child.constant[k], &mut child.constant_error[k], (constant, constant_error));
            for (&j, &term) in child.left.iter().zip(&row) {
                if term != (0.0, 0.0) {
                    add(&mut child.coefficient[[k, j]], &mut child.coefficient_error[[k, j]], term);
                }
            }
            child.coefficient[[k, i]] = 0.0;
            child.coefficient_error[[k, i]] = 0.0;
        }
        child
    }

    /// Narrows the bounds on rates and the possible pieces by interval arithmetic; `false` if nothing is left.
    ///
    /// Bounds are widened by the tolerance and by rounding errors, so that neither cuts off an equilibrium.
    fn contract(&mut self, problem: &Problem) -> bool {
        for _ in 0..3 {
            let mut narrowed = false;
            for i in 0..problem.len() {
                let Some(progress) = self.contract_row(problem, i) else { return false };
                narrowed |= progress;
            }
            if !narrowed {
                break;
            }
        }
        true
    }

    /// The bounds of a term of a drive; without bounds if not even its sign is known.
    fn term(&self, i: usize, j: usize) -> (f64, f64) {
        let (c, (a, b)) = (self.coefficient[[i, j]], self.rate[j]);
        if c == 0.0 && self.coefficient_error[[i, j]] == 0.0 {
            (0.0, 0.0)
        } else if (a.is_infinite() || b.is_infinite()) && !self.is_reliable(i, j) {
            (f64::NEG_INFINITY, f64::INFINITY)
        } else if c == 0.0 {
            (0.0, 0.0)
        } else if c > 0.0 {
            (c * a, c * b)
        } else {
            (c * b, c * a)
        }
    }

    /// Whether the coefficient is known to a quarter of its size.
    fn is_reliable(&self, i: usize, j: usize) -> bool {
        self.coefficient[[i, j]].abs() > 4.0 * self.coefficient_error[[i, j]]
    }

    /// One neuron's drive against its pieces; `None` if they exclude each other.
    fn contract_row(&mut self, problem: &Problem, i: usize) -> Option<bool> {
        let tolerance = problem.tolerance + problem.rounding(1.0);
        let mut narrowed = false;
        // The sums of the finite parts, and how many parts are infinite.
        let (mut low, mut high, mut low_open, mut high_open) = (self.constant[i], self.constant[i], 0, 0);
        let (mut size, mut error) = (self.constant[i].abs(), self.constant_error[i]);
        for &j in &self.left {
            let (a, b) = self.term(i, j);
            if a.is_finite() {
                low += a;
                size += a.abs()
            } else {
                low_open += 1
            }
            if b.is_finite() {
                high += b;
                size += b.abs()
            } else {
                high_open += 1
            }
            let finite = |x: f64| if x.is_finite() { x.abs() } else { 0.0 };
            error += self.coefficient_error[[i, j]] * finite(self.rate[j].0).max(finite(self.rate[j].1));
        }
        let slack = tolerance * size + error;
        let drive = (
            if low_open > 0 { f64::NEG_INFINITY } else { low - slack },
            if high_open > 0 { f64::INFINITY } else { high + slack },
        );
        let pieces = &problem.pieces[i];
        let (mut first, mut last) = self.possible[i];
        while pieces[first].upper < drive.0 {
            first += 1;
            if first > last {
                return None;
            }
        }
        while pieces[last].lower > drive.1 {
            if first == last {
                return None;
            }
            last -= 1;
        }
        narrowed |= (first, last) != self.possible[i];
        self.possible[i] = (first, last);
        if self.left.contains(&i) {
            // phi does not decrease, so its values at the ends bound the rate.
            let steepest = pieces.iter().fold(0.0, |m: f64, p| m.max(p.slope));
            let image = |p: usize, z: f64| {
                let (piece, z) = (pieces[p], z.max(pieces[p].lower).min(pieces[p].upper));
                let x = piece.at(z);
                let size = if x.is_finite() { x.abs() + piece.intercept.abs() } else { 0.0 };
                (x, steepest * slack + tolerance * size)
            };
            let ((from, below), (to, above)) = (image(first, drive.0), image(last, drive.1));
            let ends = (from - below, to + above);
            narrowed |= narrow(&mut self.rate[i], ends, tolerance)?;
        }
        // Each rate from the others: coefficient x_j = z_i - the rest.
        for k in 0..self.left.len() {
            let j = self.left[k];
            if !self.is_reliable(i, j) {
                continue;
            }
            let c = self.coefficient[[i, j]];
            let (a, b) = self.term(i, j);
            let rest_low = if low_open == usize::from(a.is_infinite()) {
                low - if a.is_finite() { a } else { 0.0 }
            } else {
                f64::NEG_INFINITY
            };
            let rest_high = if high_open == usize::from(b.is_infinite()) {
                high - if b.is_finite() { b } else { 0.0 }
            } else {
                f64::INFINITY
            };
            let (from, to) = (pieces[first].lower - rest_high - slack, pieces[last].upper - rest_low + slack);
            let bounds = if c > 0.0 { (from / c, to / c) } else { (to / c, from / c) };
            // What the error of the coefficient does.
            let doubt = 2.0 * self.coefficient_error[[i, j]] / c.abs() + 4.0 * f64::EPSILON;
            let bounds = (widened(bounds.0, -doubt), widened(bounds.1, doubt));
            if narrow(&mut self.rate[j], bounds, tolerance)? {
                // The sums are stale now; the next sweep takes the new bounds.
                narrowed = true;
                let (new_a, new_b) = self.term(i, j);
                if a.is_finite() {
                    low += new_a - a
                } else if new_a.is_finite() {
                    low += new_a;
                    low_open -= 1
                }
                if b.is_finite() {
                    high += new_b - b
                } else if new_b.is_finite() {
                    high += new_b;
                    high_open -= 1
                }
            }
        }
        Some(narrowed)
    }
}

/// A bound, moved by a part of its size.
fn widened(bound: f64, part: f64) -> f64 {
    if bound.is_finite() { bound + part * bound.abs() } else { bound }
}

/// Intersects an interval with another; `None` if nothing is left, otherwise whether it became notably smaller.
fn narrow(interval: &mut (f64, f64), by: (f64, f64), tolerance: f64) -> Option<bool> {
    let (low, high) = (interval.0.max(by.0), interval.1.min(by.1));
    if low > high + tolerance * low.abs().min(high.abs()) {
        return None;
    }
    let (low, high) = (low.min(high), high.max(low));
    let width = interval.1 - interval.0;
    let notable = if width.is_finite() {
        high - low < 0.9 * width
    } else {
        (high - low).is_finite()
            || low > interval.0 && interval.0.is_infinite()
            || high < interval.1 && interval.1.is_infinite()
    };
    *interval = (low, high);
    Some(notable)
}
