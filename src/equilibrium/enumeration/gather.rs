//! The solutions of all supports, each once.
//!
//! The solutions of a support are told from all others by the cells that their drives lie in (those of a continuum: but on its
//! rim). For solutions whose drives touch the pieces of another support solve its equations, too: pieces agree at
//! kinks. So solutions in the same cells belong to one polyhedron, and a polyhedron lies in that of another support, as a
//! face of it, where its cells touch the other's pieces. Nothing has to be compared but cells, which are exact.

use std::collections::{HashMap, HashSet};

use super::support::{Flat, Found, Point, is_uncontested, touches};

/// Recognises what has been seen before.
#[derive(Default)]
pub(super) struct Seen {
    cells: HashSet<Vec<usize>>,
    /// The supports of continua.
    continua: Vec<Vec<usize>>,
}

impl Seen {
    /// Whether this is the first of its kind and in no continuum that was seen before.
    pub(super) fn is_new(&mut self, found: &Found) -> bool {
        let (cell, support) = match found {
            Found::Unresolved => return true,
            Found::Point(point) => (&point.cell, None),
            Found::Flat(flat) => (&flat.cell, Some(&flat.support)),
        };
        if is_uncontested(cell) {
            self.continua.extend(support.cloned());
            return true;
        }
        if self.cells.contains(cell) || self.continua.iter().any(|support| touches(cell, support)) {
            return false;
        }
        self.cells.insert(cell.clone());
        self.continua.extend(support.cloned());
        true
    }
}

#[derive(Default)]
pub(super) struct Solutions {
    interior: Vec<Point>,
    /// Points with a neuron at a kink, by their cells.
    at_kinks: HashMap<Vec<usize>, Point>,
    continua: Vec<Flat>,
}

impl Solutions {
    /// The number of isolated solutions and continua.
    fn len(&self) -> usize {
        self.interior.len() + self.at_kinks.len() + self.continua.len()
    }

    /// Adds what is not among them yet; `false` if there would be more than `most` of them.
    pub(super) fn add(&mut self, found: Found, most: usize) -> bool {
        match found {
            Found::Unresolved => return true,
            Found::Point(point) => {
                if self.at_kinks.contains_key(&point.cell) || self.is_in_continuum(&point.cell) {
                    return true;
                }
                if self.len() == most {
                    return false;
                }
                if is_uncontested(&point.cell) {
                    self.interior.push(point);
                } else {
                    self.at_kinks.insert(point.cell.clone(), point);
                }
            }
            Found::Flat(flat) => {
                if self.is_in_continuum(&flat.cell) {
                    return true;
                }
                self.at_kinks.retain(|cell, _| !touches(cell, &flat.support));
                self.continua.retain(|other| !touches(&other.cell, &flat.support));
                if self.len() == most {
                    return false;
                }
                self.continua.push(flat);
            }
        }
        true
    }

    fn is_in_continuum(&self, cell: &[usize]) -> bool {
        self.continua.iter().any(|flat| touches(cell, &flat.support))
    }

    /// The isolated solutions by their rates, and the continua.
    pub(super) fn finish(self) -> (Vec<Point>, Vec<Flat>) {
        let mut points = self.interior;
        points.extend(self.at_kinks.into_values());
        points.sort_by(|p, q| {
            let order = |(a, b): (&f64, &f64)| a.total_cmp(b);
            let rates = p.x.iter().zip(&q.x).map(order).find(|o| o.is_ne());
            // Different solutions may have rates that round to the same numbers.
            rates.unwrap_or_else(|| p.cell.cmp(&q.cell))
        });
        (points, self.continua)
    }
}
