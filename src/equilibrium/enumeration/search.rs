//! The search through supports, with interval bounds.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ndarray::Array2;

use super::support::{Found, Piece, Point, solve};

/// The network, and what the search is allowed.
pub(super) struct Search {
    weights: Array2<f64>,
    input: Vec<f64>,
    pieces: Vec<Vec<Piece>>,
    tolerance: f64,
    max_branches: u64,
}

/// What came of the search.
pub(super) struct Harvest {
    pub(super) supports: Vec<Found>,
    pub(super) complete: bool,
    pub(super) branches: u64,
}

struct Progress {
    branches: AtomicU64,
    exhausted: AtomicBool,
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
    /// The neurons whose rates have not been eliminated.
    left: Vec<usize>,
    /// Bounds on their rates.
    rate: Vec<(f64, f64)>,
    /// The pieces that are still possible; one where the piece has been chosen.
    possible: Vec<Vec<usize>>,
    chosen: Vec<bool>,
}

impl Search {
    pub(super) fn new(
        weights: Array2<f64>,
        input: Vec<f64>,
        pieces: Vec<Vec<Piece>>,
        tolerance: f64,
        max_branches: u64,
    ) -> Self {
        Self { weights, input, pieces, tolerance, max_branches }
    }

    pub(super) fn run(&self) -> Harvest {
        let progress = Progress { branches: AtomicU64::new(0), exhausted: AtomicBool::new(false) };
        let mut front = vec![self.root()];
        let mut supports = Vec::new();
        for _ in 0..SPLIT_DEPTH {
            let mut next = Vec::new();
            for branch in front {
                self.expand(branch, &progress, &mut supports, &mut |child| next.push(child));
            }
            front = next;
        }
        let search = |branch: Branch| {
            let mut found = Vec::new();
            self.descend(branch, &progress, &mut found);
            found
        };
        #[cfg(feature = "rayon")]
        let parts: Vec<Vec<Found>> = {
            use rayon::prelude::*;
            front.into_par_iter().map(search).collect()
        };
        #[cfg(not(feature = "rayon"))]
        let parts: Vec<Vec<Found>> = front.into_iter().map(search).collect();
        supports.extend(parts.into_iter().flatten());
        Harvest {
            supports,
            complete: !progress.exhausted.into_inner(),
            branches: progress.branches.into_inner().min(self.max_branches),
        }
    }

    /// The neurons whose drive is at an end of their piece.
    pub(super) fn kinks(&self, point: &Point) -> Vec<usize> {
        (0..self.input.len())
            .filter(|&i| {
                let piece = self.pieces[i][point.support[i]];
                let terms = self.weights.row(i).iter().zip(&point.x).map(|(w, x)| (w * x).abs()).sum::<f64>();
                let slack = self.tolerance * (self.input[i].abs() + terms + f64::MIN_POSITIVE);
                (point.z[i] - piece.lower).abs() <= slack || (point.z[i] - piece.upper).abs() <= slack
            })
            .collect()
    }

    fn root(&self) -> Branch {
        let n = self.input.len();
        let rate = self
            .pieces
            .iter()
            .map(|pieces| {
                let ends = pieces.iter().flat_map(|p| [p.at(p.lower), p.at(p.upper)]);
                ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
            })
            .collect();
        Branch {
            constant: self.input.clone(),
            coefficient: self.weights.clone(),
            left: (0..n).collect(),
            rate,
            possible: self.pieces.iter().map(|p| (0..p.len()).collect()).collect(),
            chosen: vec![false; n],
        }
    }

    fn descend(&self, branch: Branch, progress: &Progress, found: &mut Vec<Found>) {
        let mut children = Vec::new();
        self.expand(branch, progress, found, &mut |child| children.push(child));
        for child in children {
            self.descend(child, progress, found);
        }
    }

    /// Bounds the branch, then solves it if all pieces are chosen, or hands on its children.
    fn expand(&self, mut branch: Branch, progress: &Progress, found: &mut Vec<Found>, child: &mut dyn FnMut(Branch)) {
        if progress.branches.fetch_add(1, Ordering::Relaxed) >= self.max_branches {
            progress.exhausted.store(true, Ordering::Relaxed);
            return;
        }
        if !self.contract(&mut branch) {
            return;
        }
        // The neuron with the fewest pieces left makes the smallest tree; a safe pivot comes first.
        let next = (0..self.input.len()).filter(|&i| !branch.chosen[i]).min_by_key(|&i| {
            let regular = branch.possible[i].iter().all(|&p| self.pivot(&branch, i, p).abs() > LEAST_PIVOT);
            (branch.possible[i].len(), !regular)
        });
        match next {
            None => {
                let support: Vec<usize> = branch.possible.iter().map(|p| p[0]).collect();
                found.extend(solve(&self.weights, &self.input, &self.pieces, &support, self.tolerance));
            }
            Some(i) => {
                for &p in &branch.possible[i] {
                    child(self.choose(&branch, i, p));
                }
            }
        }
    }

    /// `1 - s w_ii` with the coefficients of the branch, relative to the size of its terms.
    fn pivot(&self, branch: &Branch, i: usize, p: usize) -> f64 {
        let term = self.pieces[i][p].slope * branch.coefficient[[i, i]];
        (1.0 - term) / (1.0 + term.abs())
    }

    /// The branch in which neuron `i` is on its piece `p`, its rate eliminated.
    fn choose(&self, branch: &Branch, i: usize, p: usize) -> Branch {
        let piece = self.pieces[i][p];
        let mut child = branch.clone();
        child.possible[i] = vec![p];
        child.chosen[i] = true;
        let (low, high) = branch.rate[i];
        child.rate[i] = (low.max(piece.at(piece.lower)), high.min(piece.at(piece.upper)));
        if self.pivot(branch, i, p).abs() <= LEAST_PIVOT {
            return child;
        }
        // x_i = (s (constant_i + sum over the others) + c) / (1 - s w_ii).
        let pivot = 1.0 - piece.slope * branch.coefficient[[i, i]];
        let constant = (piece.slope * branch.constant[i] + piece.intercept) / pivot;
        child.left.retain(|&j| j != i);
        let row: Vec<f64> = child.left.iter().map(|&j| piece.slope / pivot * branch.coefficient[[i, j]]).collect();
        for k in 0..self.input.len() {
            let factor = branch.coefficient[[k, i]];
            if factor == 0.0 {
                continue;
            }
            child.constant[k] += factor * constant;
            for (&j, r) in child.left.iter().zip(&row) {
                child.coefficient[[k, j]] += factor * r;
            }
            child.coefficient[[k, i]] = 0.0;
        }
        child
    }

    /// Narrows the bounds on rates and the possible pieces by interval arithmetic; `false` if nothing is left.
    ///
    /// Bounds are widened by the tolerance, so that rounding does not cut off an equilibrium.
    fn contract(&self, branch: &mut Branch) -> bool {
        for _ in 0..3 {
            let mut narrowed = false;
            for i in 0..self.input.len() {
                let Some(progress) = self.contract_row(branch, i) else { return false };
                narrowed |= progress;
            }
            if !narrowed {
                break;
            }
        }
        true
    }

    /// One neuron's drive against its pieces; `None` if they exclude each other.
    fn contract_row(&self, branch: &mut Branch, i: usize) -> Option<bool> {
        let mut narrowed = false;
        // The sums of the finite parts, and how many parts are infinite.
        let (mut low, mut high, mut low_open, mut high_open) = (branch.constant[i], branch.constant[i], 0, 0);
        let mut size = branch.constant[i].abs();
        let term = |branch: &Branch, j: usize| -> (f64, f64) {
            let c = branch.coefficient[[i, j]];
            let (a, b) = branch.rate[j];
            if c == 0.0 {
                (0.0, 0.0)
            } else if c > 0.0 {
                (c * a, c * b)
            } else {
                (c * b, c * a)
            }
        };
        for &j in &branch.left {
            let (a, b) = term(branch, j);
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
        }
        let slack = self.tolerance * (size + f64::MIN_POSITIVE.sqrt());
        let drive = (
            if low_open > 0 { f64::NEG_INFINITY } else { low - slack },
            if high_open > 0 { f64::INFINITY } else { high + slack },
        );
        let pieces = &self.pieces[i];
        let before = branch.possible[i].len();
        branch.possible[i].retain(|&p| pieces[p].upper >= drive.0 && pieces[p].lower <= drive.1);
        narrowed |= branch.possible[i].len() < before;
        let (first, last) = (*branch.possible[i].first()?, *branch.possible[i].last()?);
        let wanted = (pieces[first].lower.max(drive.0), pieces[last].upper.min(drive.1));
        if branch.left.contains(&i) {
            // phi does not decrease, so its values at the ends bound the rate.
            let image = (
                pieces[first].at(wanted.0.min(pieces[first].upper)),
                pieces[last].at(wanted.1.max(pieces[last].lower)),
            );
            let slope = pieces.iter().fold(0.0, |m: f64, p| m.max(p.slope));
            narrowed |=
                narrow(&mut branch.rate[i], (image.0 - slope * slack, image.1 + slope * slack), self.tolerance)?;
        }
        // Each rate from the others: coefficient x_j = z_i - the rest.
        for k in 0..branch.left.len() {
            let j = branch.left[k];
            let c = branch.coefficient[[i, j]];
            if c == 0.0 {
                continue;
            }
            let (a, b) = term(branch, j);
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
            if narrow(&mut branch.rate[j], bounds, self.tolerance)? {
                // The sums are stale now; the next sweep takes the new bounds.
                narrowed = true;
                let (new_a, new_b) = term(branch, j);
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

/// Intersects an interval with another; `None` if nothing is left, otherwise whether it became notably smaller.
fn narrow(interval: &mut (f64, f64), by: (f64, f64), tolerance: f64) -> Option<bool> {
    let (low, high) = (interval.0.max(by.0), interval.1.min(by.1));
    let room = tolerance * (low.abs().min(high.abs()) + f64::MIN_POSITIVE.sqrt());
    if low > high + room {
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
