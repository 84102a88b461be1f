//! The equilibria on one support: a linear system, solved with its rank.

use ndarray::Array2;

use super::elimination::Eliminated;
use super::line::Line;
use super::pieces::Piece;
use super::problem::{Problem, Sum};
use super::residue::{Residue, is_inconsistent};

/// An isolated solution.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) x: Vec<f64>,
    pub(super) z: Vec<f64>,
    pub(super) support: Vec<usize>,
    /// Where each drive lies to within the tolerance.
    pub(super) cell: Vec<usize>,
    /// The same to within rounding; `None` if a drive is outside its piece by more than rounding.
    pub(super) exact_cell: Option<Vec<usize>>,
}

/// Solutions that are not isolated.
#[derive(Debug, Clone)]
pub(super) enum Flat {
    Line { line: Line, support: Vec<usize> },
    Undecided { dimension: usize, support: Vec<usize> },
}

/// What one support holds.
#[derive(Debug, Clone)]
pub(super) enum Found {
    Point(Point),
    Flat(Flat),
    /// The system is singular to working precision, so that a solution may have been missed.
    Unresolved,
}

/// Cells of the line of drives: the interior of piece `p` is `2 p + 1`, its ends are `2 p` and `2 p + 2`.
pub(super) fn is_interior(cell: usize) -> bool {
    cell % 2 == 1
}

/// Whether a cell belongs to a piece, ends included.
pub(super) fn touches(cell: usize, piece: usize) -> bool {
    (2 * piece..=2 * piece + 2).contains(&cell)
}

impl Problem {
    /// Solves `x = S (W x + u) + c` on the support and keeps what lies within its pieces.
    pub(super) fn solve(&self, support: &[usize]) -> Option<Found> {
        let pieces: Vec<Piece> = support.iter().zip(&self.pieces).map(|(&p, pieces)| pieces[p]).collect();
        // The rates of flat pieces are known.
        let active: Vec<usize> = (0..self.len()).filter(|&i| pieces[i].slope != 0.0).collect();
        let mut x: Vec<f64> = pieces.iter().map(|p| if p.slope == 0.0 { p.intercept } else { 0.0 }).collect();
        let matrix = Array2::from_shape_fn((active.len(), active.len()), |(k, l)| {
            f64::from(u8::from(k == l)) - pieces[active[k]].slope * self.weights[[active[k], active[l]]]
        });
        let system = Eliminated::new(matrix);
        if !system.is_regular() {
            return self.solve_singular(support, &pieces, &active, &system, x);
        }
        if !self.refine(&pieces, &active, &system, &mut x) {
            return Some(Found::Unresolved);
        }
        self.place(support, &pieces, x).map(Found::Point)
    }

    /// What is missing to `x_i = s_i z_i + c_i` on the active neurons, without cancellation.
    fn defect(&self, pieces: &[Piece], active: &[usize], x: &[f64]) -> Vec<f64> {
        active
            .iter()
            .map(|&i| {
                let mut sum = Sum::default();
                sum.add_scaled(pieces[i].slope, self.drive(i, x));
                sum.add(pieces[i].intercept);
                sum.add(-x[i]);
                sum.value()
            })
            .collect()
    }

    /// Solves a regular system from 0 by iterative refinement, so that small rates are as accurate as large ones; `false` if
    /// it does not converge.
    fn refine(&self, pieces: &[Piece], active: &[usize], system: &Eliminated, x: &mut [f64]) -> bool {
        // Every step is at most half of the one before, so that these suffice for the digits of a double.
        const MOST: usize = 60;
        let mut before = f64::INFINITY;
        for _ in 0..MOST {
            let Some(step) = system.particular(&self.defect(pieces, active, x), f64::INFINITY) else { return false };
            let size = system.norm(&step);
            if !size.is_finite() || size > 0.5 * before {
                // No further progress: rounding errors only, or a matrix that is as good as singular.
                break;
            }
            active.iter().zip(&step).for_each(|(&i, s)| x[i] += s);
            let settled = |(&i, s): (&usize, &f64)| s.abs() <= f64::EPSILON * x[i].abs();
            if active.iter().zip(&step).all(settled) {
                return true;
            }
            before = size;
        }
        let reached: Vec<f64> = active.iter().map(|&i| x[i]).collect();
        before <= 1e-12 * system.norm(&reached)
    }

    /// The point of these rates, if its drives are within the pieces to the tolerance.
    fn place(&self, support: &[usize], pieces: &[Piece], mut x: Vec<f64>) -> Option<Point> {
        let n = self.len();
        let z: Vec<f64> = (0..n).map(|i| self.drive(i, &x).value()).collect();
        let sizes: Vec<f64> = (0..n).map(|i| self.size_of_drive(i, &x)).collect();
        let outside = |i: usize| (pieces[i].lower - z[i]).max(z[i] - pieces[i].upper);
        if !(0..n).all(|i| outside(i) <= self.tolerance * sizes[i]) {
            return None;
        }
        // Twice what may lie outside, so that a solution that two supports share is seen at the kink from both.
        let cells = |slack: &dyn Fn(f64) -> f64| -> Vec<usize> {
            (0..n)
                .map(|i| {
                    let (below, above) = (z[i] - pieces[i].lower, pieces[i].upper - z[i]);
                    let band = 2.0 * slack(sizes[i]);
                    match (below <= band, above <= band) {
                        (true, _) if below <= above => 2 * support[i],
                        (_, true) => 2 * support[i] + 2,
                        (true, _) => 2 * support[i],
                        _ => 2 * support[i] + 1,
                    }
                })
                .collect()
        };
        let exact = (0..n).all(|i| outside(i) <= self.rounding(sizes[i]));
        let cell = cells(&|size| self.tolerance * size);
        let exact_cell = exact.then(|| cells(&|size| self.rounding(size)));
        // The rates are kept within their pieces' ranges, which rounding may have left.
        for (x, piece) in x.iter_mut().zip(pieces) {
            let (low, high) = piece.range();
            *x = x.max(low).min(high);
        }
        Some(Point { x, z, support: support.to_vec(), cell, exact_cell })
    }

    fn solve_singular(
        &self,
        support: &[usize],
        pieces: &[Piece],
        active: &[usize],
        system: &Eliminated,
        mut x: Vec<f64>,
    ) -> Option<Found> {
        let Some(solution) = system.particular(&self.defect(pieces, active, &x), self.tolerance) else {
            let none = is_inconsistent(self.residues(pieces, active));
            return (!none).then_some(Found::Unresolved);
        };
        active.iter().zip(solution).for_each(|(&i, s)| x[i] += s);
        if let Some(correction) = system.particular(&self.defect(pieces, active, &x), f64::INFINITY) {
            active.iter().zip(correction).for_each(|(&i, s)| x[i] += s);
        }
        let mut directions = system.null_space();
        match directions.pop() {
            Some(on_active) if directions.is_empty() => {
                let mut direction = vec![0.0; self.len()];
                active.iter().zip(on_active).for_each(|(&i, d)| direction[i] = d);
                self.cut(support, pieces, x, direction)
            }
            _ => {
                let dimension = directions.len() + 1;
                Some(Found::Flat(Flat::Undecided { dimension, support: support.to_vec() }))
            }
        }
    }

    /// The part of a line of solutions on which the drives are within their pieces.
    fn cut(&self, support: &[usize], pieces: &[Piece], mut x: Vec<f64>, direction: Vec<f64>) -> Option<Found> {
        // The true ends, and those that the tolerance allows.
        let (mut lower, mut upper) = (f64::NEG_INFINITY, f64::INFINITY);
        let (mut least, mut most) = (lower, upper);
        for (i, piece) in pieces.iter().enumerate() {
            let z = self.drive(i, &x).value();
            let slack = self.tolerance * self.size_of_drive(i, &x);
            let mut push = Sum::default();
            self.weights.row(i).iter().zip(&direction).for_each(|(w, d)| push.add_product(*w, *d));
            let size: f64 = self.weights.row(i).iter().zip(&direction).map(|(w, d)| (w * d).abs()).sum();
            let push = push.value();
            let (low, high) = (piece.lower - z, piece.upper - z);
            if push.abs() <= self.rounding(size) {
                if low > slack || high < -slack {
                    return None;
                }
                continue;
            }
            let between = |low: f64, high: f64| {
                let (a, b) = (low / push, high / push);
                (a.min(b), a.max(b))
            };
            let (from, to) = between(low, high);
            let (from_loosely, to_loosely) = between(low - slack, high + slack);
            (lower, upper) = (lower.max(from), upper.min(to));
            (least, most) = (least.max(from_loosely), most.min(to_loosely));
        }
        if least > most {
            return None;
        }
        let along = |t: f64| -> Vec<f64> { x.iter().zip(&direction).map(|(x, d)| x + t * d).collect() };
        let extent = lower.abs().max(upper.abs());
        if upper <= lower || extent.is_finite() && upper - lower <= 64.0 * f64::EPSILON * extent {
            // Nothing is left of the line but rounding.
            return self.place(support, pieces, along(0.5 * (lower + upper))).map(Found::Point);
        }
        // The line begins at one of its ends, so that the state there is free of rounding.
        let start = match (lower.is_finite(), upper.is_finite()) {
            (true, _) => lower,
            (false, true) => upper,
            (false, false) => 0.0,
        };
        x = along(start);
        for (x, piece) in x.iter_mut().zip(pieces) {
            let (low, high) = piece.range();
            *x = x.max(low).min(high);
        }
        let line = Line::new(x, direction, (lower - start, upper - start));
        Some(Found::Flat(Flat::Line { line, support: support.to_vec() }))
    }

    /// The augmented system of the active neurons in exact arithmetic.
    fn residues(&self, pieces: &[Piece], active: &[usize]) -> Vec<Vec<Residue>> {
        let known = |i: usize| {
            let flat = (0..self.len()).filter(|&j| pieces[j].slope == 0.0);
            let term = |j: usize| Residue::of(self.weights[[i, j]]).times(Residue::of(pieces[j].intercept));
            flat.fold(Residue::of(self.input[i]), |sum, j| sum.plus(term(j)))
        };
        let row = |&i: &usize| {
            let slope = Residue::of(pieces[i].slope);
            let rhs = Residue::of(pieces[i].intercept).plus(slope.times(known(i)));
            let entry = |&j: &usize| {
                let one = if i == j { Residue::ONE } else { Residue::ZERO };
                one.minus(slope.times(Residue::of(self.weights[[i, j]])))
            };
            active.iter().map(entry).chain([rhs]).collect()
        };
        active.iter().map(row).collect()
    }
}
