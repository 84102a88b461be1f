//! Whether an equilibrium is a Nash equilibrium, from the pieces alone.
//!
//! With the others at rest, a neuron's energy along the graph of its activation has the slope
//! `dE/ds = h(z) = z - w_ii phi(z) - c`, so that `E` changes by `sigma int h dz` along a piece of slope `sigma`. At an
//! equilibrium `h = 0`, and `h` is linear on every piece: all of the energy, relative to where the neuron is, follows from
//! the pieces on both sides, without units and without cancellation.

use super::pieces::Piece;
use super::problem::Problem;
use super::support::Point;

impl Problem {
    /// Whether no neuron can lower its own energy alone.
    pub(super) fn is_nash(&self, point: &Point) -> bool {
        (0..self.len()).all(|i| {
            let (pieces, at) = (&self.pieces[i], point.support[i]);
            let walker = Walk {
                self_weight: self.weights[[i, i]],
                noise: self.rounding(self.size_of_drive(i, &point.x)),
                slope: 0.0,
                energy: 0.0,
                size: 0.0,
            };
            let here = point.z[i].max(pieces[at].lower).min(pieces[at].upper);
            let right = pieces[at..].iter().map(|p| (p, p.upper - p.lower.max(here)));
            let left = pieces[..=at].iter().rev().map(|p| (p, p.upper.min(here) - p.lower));
            walker.never_descends(right) && walker.never_descends(left)
        })
    }
}

/// A way along the graph away from an equilibrium; to the left, everything is mirrored.
#[derive(Clone, Copy)]
struct Walk {
    self_weight: f64,
    /// The rounding error of a drive.
    noise: f64,
    /// `dE/ds`, and the energy so far.
    slope: f64,
    energy: f64,
    /// The magnitudes of the energy's changes, and what rounding does to it.
    size: f64,
}

impl Walk {
    /// Whether the energy stays above that of the start, along pieces with the lengths of drive that belong to the way.
    fn never_descends<'a>(mut self, way: impl Iterator<Item = (&'a Piece, f64)>) -> bool {
        const RELATIVE: f64 = 1e-12;
        for (piece, length) in way {
            let bend = 1.0 - self.self_weight * piece.slope;
            let bend = if bend.abs() <= 8.0 * f64::EPSILON { 0.0 } else { bend };
            if length.is_infinite() {
                // A flat piece changes no rate. Elsewhere the energy falls for ever, or turns where its slope does.
                let slope = if self.slope.abs() <= self.noise { 0.0 } else { self.slope };
                let falls_for_ever = bend < 0.0 || bend == 0.0 && slope < 0.0;
                let least =
                    if slope < 0.0 { self.energy - piece.slope * slope * slope / (2.0 * bend) } else { self.energy };
                return piece.slope == 0.0 || !falls_for_ever && least >= -RELATIVE * self.size;
            }
            let before = self.slope;
            let after = before + bend * length;
            self.size += piece.slope * length * (before.abs().max(after.abs()) + self.noise / RELATIVE);
            if before < 0.0 && after > 0.0 {
                let least = self.energy - piece.slope * before * before / (2.0 * bend);
                if least < -RELATIVE * self.size {
                    return false;
                }
            }
            self.energy += piece.slope * length * 0.5 * (before + after);
            self.slope = after;
            if self.energy < -RELATIVE * self.size {
                return false;
            }
        }
        true
    }
}
