//! What a support holds: nothing, a point, or a polyhedron.

use std::cmp::Ordering;

use ndarray::Array2;

use super::elimination::Eliminated;
use super::pieces::Piece;
use super::problem::{Problem, Sum};

/// The rates and drives of all neurons, or a direction in which they change.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) x: Vec<f64>,
    pub(super) z: Vec<f64>,
}

/// An isolated solution.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) x: Vec<f64>,
    pub(super) z: Vec<f64>,
    pub(super) support: Vec<usize>,
    /// Where each drive lies.
    pub(super) cell: Vec<usize>,
}

/// Solutions that are not isolated.
#[derive(Debug, Clone)]
pub(super) struct Flat {
    pub(super) shape: Shape,
    pub(super) support: Vec<usize>,
    /// Where each drive lies but on the rim.
    pub(super) cell: Vec<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// `base + t span`, `t` in `[lower, upper]`, the base being an end if there is one.
    Line { base: State, span: State, lower: f64, upper: f64 },
    /// The convex hull of the vertices plus all nonnegative multiples of the rays.
    Polyhedron { dimension: usize, vertices: Vec<State>, rays: Vec<State> },
}

/// What one support holds.
#[derive(Debug, Clone)]
pub(super) enum Found {
    Point(Point),
    Flat(Flat),
    /// It was not decided.
    Unresolved,
}

/// Cells of the line of drives: the interior of piece `p` is `2 p + 1`, its ends are `2 p` and `2 p + 2`.
pub(super) fn is_interior(cell: usize) -> bool {
    cell % 2 == 1
}

/// Whether all drives are away from the ends of their pieces, so that no other support has the same solutions.
pub(super) fn is_uncontested(cell: &[usize]) -> bool {
    cell.iter().all(|&cell| is_interior(cell))
}

/// Whether the cells belong to the pieces, ends included.
pub(super) fn touches(cell: &[usize], support: &[usize]) -> bool {
    cell.iter().zip(support).all(|(&cell, &piece)| (2 * piece..=2 * piece + 2).contains(&cell))
}

impl State {
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let order = |(a, b): (&f64, &f64)| a.total_cmp(b);
        self.x.iter().zip(&other.x).map(order).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    }

    /// The rates kept within their pieces' ranges, which rounding may have left.
    pub(super) fn within(mut self, pieces: &[Vec<Piece>], support: &[usize]) -> Self {
        for ((x, pieces), &p) in self.x.iter_mut().zip(pieces).zip(support) {
            let (low, high) = pieces[p].range();
            *x = x.max(low).min(high);
        }
        self
    }
}

impl Problem {
    /// The point of a support of which it is known that its system is regular and in which cells the drives of its solution
    /// lie, the drives themselves being known roughly; `None` if it cannot be computed well.
    pub(super) fn locate(&self, support: &[usize], cell: Vec<usize>, rough: &[(f64, f64)]) -> Option<Point> {
        let pieces: Vec<Piece> = support.iter().zip(&self.pieces).map(|(&p, pieces)| pieces[p]).collect();
        // The rates of flat pieces are known.
        let active: Vec<usize> = (0..self.len()).filter(|&i| pieces[i].slope != 0.0).collect();
        let mut x: Vec<f64> = pieces.iter().map(|p| if p.slope == 0.0 { p.intercept } else { 0.0 }).collect();
        let matrix = Array2::from_shape_fn((active.len(), active.len()), |(k, l)| {
            f64::from(u8::from(k == l)) - pieces[active[k]].slope * self.weights[[active[k], active[l]]]
        });
        let system = Eliminated::new(matrix)?;
        if !self.refine(&pieces, &active, &system, &mut x) {
            return None;
        }
        let mut z = Vec::with_capacity(x.len());
        for (i, piece) in pieces.iter().enumerate() {
            let drive = self.drive(i, &x).value();
            let (expected, error) = rough[i];
            let is_near = (drive - expected).abs() <= error + self.rounding(self.size_of_drive(i, &x));
            let is_inside = piece.lower < drive && drive < piece.upper;
            match is_interior(cell[i]) {
                true if is_near && is_inside => z.push(drive),
                false if is_near => z.push(expected),
                _ => return None,
            }
        }
        if x.iter().chain(&z).any(|v| v.is_nan() || v.abs() > self.largest) {
            return None;
        }
        let State { x, z } = State { x, z }.within(&self.pieces, support);
        Some(Point { x, z, support: support.to_vec(), cell })
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
            let step = system.solve(&self.defect(pieces, active, x));
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
}
