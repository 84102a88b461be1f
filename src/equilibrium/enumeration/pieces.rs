//! The linear pieces of the activations, in double precision, and their one validation.

use super::dyadic::Dyadic;
use crate::Scalar;
use crate::activation::{ActivationCost, LinearPiece};
use crate::error::{Error, Result};

/// A linear piece in double precision.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) lower: f64,
    pub(super) upper: f64,
    pub(super) slope: f64,
    pub(super) intercept: f64,
}

impl Piece {
    /// The pieces of a neuron's activation, with their unrounded intercepts: those that make the pieces meet exactly, the first
    /// one being as given.
    ///
    /// # Errors
    /// An activation that is not piecewise linear, or pieces that are not those of a continuous, nondecreasing function on
    /// the whole line that agrees with the activation.
    pub(super) fn all_of<A: Scalar>(
        activation: &dyn ActivationCost<A>,
        neuron: usize,
    ) -> Result<(Vec<Self>, Vec<Dyadic>)> {
        let argument = format!("activation of neuron {neuron}");
        let Some(pieces) = activation.linear_pieces() else {
            return Err(Error::invalid(argument, activation.name(), "piecewise-linear activations"));
        };
        let mut pieces: Vec<Self> = pieces.iter().map(Self::new).collect();
        let flaw = flaw_of_order(&pieces).or_else(|| flaw_of_values(activation, &pieces));
        match flaw {
            None => {
                let intercepts = chained(&pieces);
                pieces.iter_mut().zip(&intercepts).for_each(|(piece, exact)| piece.intercept = exact.nearest());
                Ok((pieces, intercepts))
            }
            Some(flaw) => Err(Error::invalid(
                argument,
                format!("{}, whose linear_pieces() {flaw}", activation.name()),
                "at least one piece, in order from left to right, covering the line without gaps, with finite slopes that \
                 are not negative and finite intercepts, agreeing with activate()",
            )),
        }
    }

    fn new<A: Scalar>(piece: &LinearPiece<A>) -> Self {
        Self {
            lower: piece.lower.to_double(),
            upper: piece.upper.to_double(),
            slope: piece.slope.to_double(),
            intercept: piece.intercept.to_double(),
        }
    }

    pub(super) fn at(&self, z: f64) -> f64 {
        if self.slope == 0.0 { self.intercept } else { self.slope * z + self.intercept }
    }

    /// The rates at its ends.
    pub(super) fn range(&self) -> (f64, f64) {
        (self.at(self.lower), self.at(self.upper))
    }

    /// The rates at its ends, moved outwards by their rounding errors.
    pub(super) fn safe_range(&self) -> (f64, f64) {
        let error = |z: f64| {
            if z.is_finite() { 4.0 * f64::EPSILON * ((self.slope * z).abs() + self.intercept.abs()) } else { 0.0 }
        };
        let (low, high) = self.range();
        (low - error(self.lower), high + error(self.upper))
    }
}

/// The intercepts with which each piece begins where the one before it ends.
fn chained(pieces: &[Piece]) -> Vec<Dyadic> {
    let mut intercepts = vec![Dyadic::of(pieces[0].intercept)];
    for (k, pair) in pieces.windows(2).enumerate() {
        let change = Dyadic::of(pair[0].slope).minus(&Dyadic::of(pair[1].slope));
        intercepts.push(intercepts[k].plus(&change.times(&Dyadic::of(pair[1].lower))));
    }
    intercepts
}

fn flaw_of_order(pieces: &[Piece]) -> Option<String> {
    let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { return Some("is empty".into()) };
    if first.lower != f64::NEG_INFINITY {
        return Some(format!("begins at {}, not at -inf", first.lower));
    }
    if last.upper != f64::INFINITY {
        return Some(format!("ends at {}, not at inf", last.upper));
    }
    for (k, p) in pieces.iter().enumerate() {
        let ordered = p.lower < p.upper;
        if !ordered {
            return Some(format!("has piece {k} from {} to {}", p.lower, p.upper));
        }
        let sound = p.slope.is_finite() && p.slope >= 0.0 && p.intercept.is_finite();
        if !sound {
            return Some(format!("has piece {k} of slope {} and intercept {}", p.slope, p.intercept));
        }
    }
    let apart = pieces.windows(2).position(|pair| pair[0].upper != pair[1].lower)?;
    let (end, start) = (pieces[apart].upper, pieces[apart + 1].lower);
    Some(format!("has piece {apart} end at {end}, but piece {} begin at {start}", apart + 1))
}

/// Compares with the activation at every end and inside every piece, up to rounding.
fn flaw_of_values<A: Scalar>(activation: &dyn ActivationCost<A>, pieces: &[Piece]) -> Option<String> {
    // How far to go into a piece without an end, in the units of the kinks.
    let farthest = pieces.iter().map(|p| p.upper.abs()).filter(|z| z.is_finite()).fold(0.0, f64::max);
    let step = if farthest > 0.0 { farthest } else { 1.0 };
    let disagreement = |k: usize, z: f64| {
        let (piece, z) = (&pieces[k], A::of(z));
        let found = activation.activate(z).to_double();
        let z = z.to_double();
        let size = (piece.slope * z).abs() + piece.intercept.abs() + found.abs();
        let agrees = (piece.at(z) - found).abs() <= 64.0 * A::epsilon().to_double() * size;
        (!agrees).then(|| format!("has piece {k} at {z} give {}, where activate() gives {found}", piece.at(z)))
    };
    pieces.iter().enumerate().find_map(|(k, p)| {
        let inside = match (p.lower.is_finite(), p.upper.is_finite()) {
            (true, true) => vec![0.5 * p.lower + 0.5 * p.upper],
            (true, false) => vec![p.lower + step],
            (false, true) => vec![p.upper - step],
            (false, false) => vec![-step, 0.0, step],
        };
        inside.into_iter().chain([p.lower, p.upper]).filter(|z| z.is_finite()).find_map(|z| disagreement(k, z))
    })
}
