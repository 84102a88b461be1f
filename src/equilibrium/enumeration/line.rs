//! A line of equilibria, and its two forms.

use ndarray::Array1;

use super::Continuum;
use super::problem::Problem;
use crate::Scalar;

/// The states `base + t direction`, `t` in `[lower, upper]`; `base` is at an end if there is one.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) base: Vec<f64>,
    /// Its largest entry is 1.
    pub(super) direction: Vec<f64>,
    pub(super) lower: f64,
    pub(super) upper: f64,
}

impl Line {
    /// The line with a direction of any length, along which `t` runs.
    pub(super) fn new(base: Vec<f64>, mut direction: Vec<f64>, (mut lower, mut upper): (f64, f64)) -> Self {
        let largest = direction.iter().copied().fold(0.0, |m: f64, x| if x.abs() > m.abs() { x } else { m });
        direction.iter_mut().for_each(|d| *d /= largest);
        (lower, upper) = if largest < 0.0 { (upper, lower) } else { (lower, upper) };
        Self { base, direction, lower: lower * largest, upper: upper * largest }
    }

    /// The potentials `y = W x + u` of a line of rates.
    pub(super) fn of_potentials(&self, problem: &Problem, support: &[usize]) -> Self {
        let base = (0..problem.len()).map(|i| {
            let piece = problem.pieces[i][support[i]];
            problem.drive(i, &self.base).value().max(piece.lower).min(piece.upper)
        });
        let push = problem.weights.dot(&Array1::from(self.direction.clone()));
        Self::new(base.collect(), push.to_vec(), (self.lower, self.upper))
    }

    /// The line in the network's numbers, its ends moved inwards by as much as rounding puts their states outside the ranges.
    pub(super) fn convert<A: Scalar>(self, ranges: &[(f64, f64)], support: Vec<usize>) -> Continuum<A> {
        let narrow = |v: Vec<f64>| -> Array1<A> { v.into_iter().map(A::of).collect() };
        let (base, direction) = (narrow(self.base), narrow(self.direction));
        let inwards = |end: f64| {
            let mut t = A::of(end);
            const MOST: usize = 64;
            for _ in 0..MOST {
                let overshoot = |i: usize| {
                    let state = base[i] + t * direction[i];
                    let (low, high) = ranges[i];
                    let outside = (A::of(low) - state).max(state - A::of(high));
                    if direction[i] == A::zero() { A::zero() } else { outside / direction[i].abs() }
                };
                let worst = (0..base.len()).map(overshoot).fold(A::zero(), A::max);
                if !t.is_finite() || t == A::zero() || worst <= A::zero() {
                    break;
                }
                let shorter = t.abs() - worst.max(A::epsilon() * t.abs());
                t = shorter.max(A::zero()) * t.signum();
            }
            t
        };
        let (lower, upper) = (inwards(self.lower), inwards(self.upper));
        Continuum::Line { base, direction, lower, upper, support }
    }
}
