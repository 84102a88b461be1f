//! The solutions of all supports, each once.
//!
//! Two supports share a solution only where their pieces differ in neurons at a kink, and on a support whose system is
//! regular a solution is the only one. So a solution without a neuron at a kink is new, and others are recognised by the
//! cells that their drives lie in: nothing has to be compared but cells.

use std::collections::HashMap;

use super::support::{Flat, Found, Point, is_interior, touches};

#[derive(Default)]
pub(super) struct Solutions {
    points: Vec<Point>,
    continua: Vec<Flat>,
    /// Points with a neuron at a kink, by their cells; only nearly degenerate networks have several in the same cells.
    at_kinks: HashMap<Vec<usize>, Vec<usize>>,
}

impl Solutions {
    /// The number of isolated solutions and continua.
    pub(super) fn len(&self) -> usize {
        self.points.len() + self.continua.len()
    }

    pub(super) fn add(&mut self, found: Found) {
        match found {
            Found::Unresolved => {}
            Found::Flat(flat) => self.continua.push(flat),
            Found::Point(point) if is_uncontested(&point) => self.points.push(point),
            Found::Point(point) => {
                let same_cells = self.at_kinks.entry(point.cell.clone()).or_default();
                match same_cells.iter().find(|&&k| is_same(&self.points[k], &point)) {
                    // What satisfies the equations stands for what nearly does.
                    Some(&k) if self.points[k].exact_cell.is_none() => self.points[k] = point,
                    Some(_) => {}
                    None => {
                        same_cells.push(self.points.len());
                        self.points.push(point);
                    }
                }
            }
        }
    }

    /// Takes the last addition back, if it was a new one.
    pub(super) fn truncate(&mut self, points: usize, continua: usize) {
        self.points.truncate(points);
        self.continua.truncate(continua);
    }

    pub(super) fn counts(&self) -> (usize, usize) {
        (self.points.len(), self.continua.len())
    }

    /// The isolated solutions by their rates, without those that lie on a continuum, and the continua.
    pub(super) fn finish(self) -> (Vec<Point>, Vec<Flat>) {
        let Self { mut points, continua, .. } = self;
        points.retain(|point| is_uncontested(point) || !continua.iter().any(|flat| flat.contains(point)));
        points.sort_by(|p, q| {
            let order = |(a, b): (&f64, &f64)| a.total_cmp(b);
            p.x.iter().zip(&q.x).map(order).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        });
        (points, continua)
    }
}

/// Whether no other support can have the same solution.
pub(super) fn is_uncontested(point: &Point) -> bool {
    point.cell.iter().all(|&cell| is_interior(cell))
}

/// Whether two solutions in the same cells are one. Those that both satisfy the equations to rounding are not if a drive
/// of one is at a kink and that of the other is near it.
fn is_same(p: &Point, q: &Point) -> bool {
    match (&p.exact_cell, &q.exact_cell) {
        (Some(p), Some(q)) => p == q,
        _ => true,
    }
}

impl Flat {
    /// Whether an isolated solution lies on this line: a solution in all of the line's pieces, ends included, solves its system.
    fn contains(&self, point: &Point) -> bool {
        let Flat::Line { support, .. } = self else { return false };
        let cells = point.exact_cell.as_ref().unwrap_or(&point.cell);
        cells.iter().zip(support).all(|(&cell, &piece)| touches(cell, piece))
    }
}
