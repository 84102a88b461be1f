//! The search for a proof, for one strongly connected block.

use std::ops::ControlFlow;

use ndarray::{Array1, Axis};

use super::ascent::Climb;
use super::balance::Balanced;
use super::block::{Block, Outcome};
use super::control::{Control, Stop};
use super::interior_point::{Goal, InteriorPoint, Step};
use super::majorant;
use super::method::Method;
use super::null_vector;
use super::structure;
use super::weights::Weights;
use super::witness;

/// Decides a block: structure, then cheap guesses, then the interior point.
pub(super) fn decide(block: &Block<'_>, control: &mut Control<'_>) -> Outcome {
    if let Some(outcome) = structure::decide(block) {
        return outcome;
    }
    let balanced = balanced(block);
    let guess =
        || balancing_weights(block, &balanced).or_else(|| majorant_weights(block)).or_else(|| equal_weights(block));
    if let Some(outcome) = guess().or_else(|| null_vector::refutation(block)) {
        return outcome;
    }
    if block.pencil.size() >= ASCENT_FROM
        && let Some(outcome) = ascent(block, &balanced, control)
    {
        return outcome;
    }
    match interior_point(block, &balanced, Goal::Sign, control) {
        // Near the boundary the path to the margin itself is the better conditioned one.
        Outcome::Undecided { stop: Stop::NearBoundary, .. } => interior_point(block, &balanced, Goal::Margin, control),
        outcome => outcome,
    }
}

/// Rows from which steps of the ascent and one factorisation cost little beside one interior-point step.
const ASCENT_FROM: usize = 400;

/// The weights of a few dozen steps of the ascent on the balanced matrix, unless they are clearly none.
fn ascent(block: &Block<'_>, balanced: &Balanced, control: &Control<'_>) -> Option<Outcome> {
    const STEPS: usize = 40;
    let n = block.pencil.size();
    let mut climb = Climb::new(&balanced.b, &Array1::ones(n), Array1::zeros(n)).ok()?;
    // Weights with a largest eigenvalue below zero certify: a margin of a hundredth of the diagonal leaves room for rounding.
    let clear = -0.01 * balanced.b.diag().iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    climb.run(STEPS, clear, &mut |_| control.proceed_with_sweep(n)).ok()?;
    let (found, _) = climb.finish().ok()?;
    if found.largest_eigenvalue() < 0.0 {
        return block.guessed(balanced.weights(&found.weights().to_owned()), Method::Ascent);
    }
    None
}

/// What can be tried on a reducible matrix before it is taken apart: weights of moderate size, if they do.
pub(super) fn cheap_guesses(block: &Block<'_>) -> Option<Outcome> {
    if !block.diagonal.upper.iter().all(|&v| v < 0.0) {
        return None;
    }
    equal_weights(block).or_else(|| balancing_weights(block, &balanced(block))).or_else(|| majorant_weights(block))
}

/// The balanced matrix with diagonal -1.
fn balanced(block: &Block<'_>) -> Balanced {
    let rho = block.diagonal.upper.mapv(|v| -1.0 / v);
    Balanced::new(block.pencil.matrix(), block.diagonal.upper(), rho)
}

/// `D = I`, which cancels a skew part without rounding errors, however large it is.
fn equal_weights(block: &Block<'_>) -> Option<Outcome> {
    let n = block.pencil.size();
    block.guessed(Weights::new(vec![1.0; n], vec![0; n]), Method::Balancing)
}

fn balancing_weights(block: &Block<'_>, balanced: &Balanced) -> Option<Outcome> {
    block.guessed(balanced.weights(&Array1::ones(block.pencil.size())), Method::Balancing)
}

/// The weights of the Metzler majorant, if a few sweeps over the matrix find that it is Hurwitz.
fn majorant_weights(block: &Block<'_>) -> Option<Outcome> {
    const SWEEPS: usize = 16;
    let (a, diagonal) = (block.pencil.matrix(), &block.diagonal.upper);
    let v = majorant::negative_vector(&a, diagonal, SWEEPS)?;
    let l = majorant::negative_vector(&a.t(), diagonal, 4 * SWEEPS)?;
    block.guessed(Weights::new(l / v, vec![0; block.pencil.size()]), Method::Metzler)
}

/// Follows the central path until either iterate passes its check.
fn interior_point(block: &Block<'_>, balanced: &Balanced, goal: Goal, control: &mut Control<'_>) -> Outcome {
    let method = Method::InteriorPoint;
    let mut point = InteriorPoint::new(balanced.b.view(), goal);
    let stop = loop {
        // A gap this small means that the sign of the optimum is a matter of rounding errors.
        let near = point.gap() < 1e-6;
        let candidate = witness::best(balanced.b.view(), point.x.view(), near);
        let candidate = candidate.filter(|c| c.bound < 0.0 || near);
        if let Some(y) = candidate.and_then(|c| c.factor(point.x.view()))
            && let Some(outcome) = block.not_stable(balanced.witness(y), method)
        {
            return outcome;
        }
        if near && let Some(outcome) = whole_number_witness(block, balanced, &point) {
            return outcome;
        }
        if let ControlFlow::Break(stop) = control.proceed(&point) {
            break stop;
        }
        if point.step() == Step::Stalled {
            break Stop::NearBoundary;
        }
        control.count();
        if let Some(outcome) = block.stable(balanced.weights(&point.d), method) {
            return outcome;
        }
    };
    let witness = witness::best(balanced.b.view(), point.x.view(), true)
        .and_then(|c| c.factor(point.x.view()))
        .map(|y| balanced.witness(y));
    Outcome::Undecided { weights: balanced.weights(&point.d), witness, method, stop }
}

/// A singular matrix of whole numbers lies on the boundary, where only exact refutations exist: the vector `x` of a
/// solution `X = x x'` of rank one, rounded to whole multiples of a small fraction.
fn whole_number_witness(block: &Block<'_>, balanced: &Balanced, point: &InteriorPoint<'_>) -> Option<Outcome> {
    let diagonal = point.x.diag();
    let top = diagonal.iter().enumerate().max_by(|p, q| p.1.total_cmp(q.1)).map(|(i, _)| i)?;
    let x = balanced.witness(point.x.column(top).to_owned().insert_axis(Axis(1)));
    let largest = x.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let mut tried = None;
    for denominator in 1..=24 {
        let scaled = &x * (f64::from(denominator) / largest);
        let rounded = scaled.mapv(f64::round);
        let near = scaled.iter().zip(&rounded).all(|(v, r)| (v - r).abs() < 1e-3);
        if near && tried.as_ref() != Some(&rounded) {
            if let Some(outcome) = block.not_stable(rounded.clone(), Method::InteriorPoint) {
                return Some(outcome);
            }
            tried = Some(rounded);
        }
    }
    None
}
