//! A branch of the search, with interval bounds on its drives.

use ndarray::Array2;

use super::problem::Problem;

/// A rate is eliminated when its pivot is above this; below, it stays as an unknown within its bounds.
const LEAST_PIVOT: f64 = 1e-8;
/// What bounds are widened by beyond their known errors, relative to the sizes of their terms.
const SLACK: f64 = 1e-9;
/// The relative error of a product or a quotient of rounded numbers, and of a sum.
const EPS: f64 = 2.0 * f64::EPSILON;
/// More than what an operation loses that ends below the normal numbers.
const UNDERFLOW: f64 = f64::MIN_POSITIVE * f64::EPSILON * 2.0;

/// A branch: some neurons have their pieces, and the drives of all are affine in the rates that are left,
/// `z_i = constant_i + sum_j coefficient_ij x_j`.
#[derive(Clone)]
pub(super) struct Branch {
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
    pub(super) possible: Vec<(usize, usize)>,
    chosen: Vec<bool>,
}

impl Branch {
    pub(super) fn root(problem: &Problem) -> Self {
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
    pub(super) fn next(&self, problem: &Problem) -> Option<usize> {
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
        let error = slope * self.coefficient_error[[i, i]] + EPS * (1.0 + term.abs());
        let usable = pivot.abs() > LEAST_PIVOT * (1.0 + term.abs()) && error < 0.25 * pivot.abs();
        usable.then(|| (pivot, 2.0 * error / pivot.abs()))
    }

    /// The branch in which neuron `i` is on its piece `p`, its rate eliminated.
    pub(super) fn choose(mut self, problem: &Problem, i: usize, p: usize) -> Branch {
        self.possible[i] = (p, p);
        self.chosen[i] = true;
        let ((low, high), (least, most)) = (self.rate[i], problem.pieces[i][p].safe_range());
        self.rate[i] = (low.max(least), high.min(most));
        // Another elimination may have given a rate the pivot that it did not have.
        loop {
            let ready = |j: usize| Some((j, self.pivot(problem, j, self.possible[j].0)?));
            let next = self.left.iter().copied().filter(|&j| self.chosen[j]).find_map(ready);
            let Some((j, pivot)) = next else { return self };
            self.eliminate(problem, j, pivot);
        }
    }

    /// Eliminates the rate of a neuron with a known piece; the pivot is given with its relative error.
    fn eliminate(&mut self, problem: &Problem, i: usize, (pivot, pivot_error): (f64, f64)) {
        let piece = problem.pieces[i][self.possible[i].0];
        // x_i = (s (constant_i + sum over the others) + c) / (1 - s w_ii), every term with its error.
        let gain = piece.slope / pivot;
        let eliminated = |value: f64, error: f64| {
            let term = gain * value;
            let lost = if gain != 0.0 && value != 0.0 { UNDERFLOW * (1.0 + value.abs()) } else { 0.0 };
            (term, gain.abs() * (1.0 + pivot_error) * error + term.abs() * (pivot_error + EPS) + lost)
        };
        let (driven, driven_error) = eliminated(self.constant[i], self.constant_error[i]);
        let own = piece.intercept / pivot;
        let constant = driven + own;
        let lost = if own == 0.0 && piece.intercept == 0.0 { 0.0 } else { UNDERFLOW };
        let constant_error = driven_error + own.abs() * (pivot_error + EPS) + EPS * constant.abs() + lost;
        self.left.retain(|&j| j != i);
        let row: Vec<(f64, f64)> =
            self.left.iter().map(|&j| eliminated(self.coefficient[[i, j]], self.coefficient_error[[i, j]])).collect();
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
                if factor != 0.0 && term != 0.0 {
                    *sum_error += UNDERFLOW;
                }
            };
            add(&mut self.constant[k], &mut self.constant_error[k], (constant, constant_error));
            for (&j, &term) in self.left.iter().zip(&row) {
                if term != (0.0, 0.0) {
                    add(&mut self.coefficient[[k, j]], &mut self.coefficient_error[[k, j]], term);
                }
            }
            self.coefficient[[k, i]] = 0.0;
            self.coefficient_error[[k, i]] = 0.0;
        }
    }

    /// When all pieces are chosen and all rates eliminated: all drives, with bounds on their errors.
    pub(super) fn drives(&self) -> Option<Vec<(f64, f64)>> {
        // The errors of the bounds themselves.
        const ROOM: f64 = 1.0 + 1e-6;
        let drives = self.constant.iter().zip(&self.constant_error).map(|(z, error)| (*z, ROOM * error));
        self.left.is_empty().then(|| drives.collect())
    }

    /// About how many bytes a branch takes.
    pub(super) fn bytes(n: u64) -> u64 {
        16 * n * n + 96 * n + 256
    }

    /// Narrows the bounds on rates and the possible pieces by interval arithmetic; `false` if nothing is left.
    ///
    /// Bounds are widened by more than their rounding errors, so that these cut off no equilibrium.
    pub(super) fn contract(&mut self, problem: &Problem) -> bool {
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
        let tolerance = SLACK + problem.rounding(1.0);
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
