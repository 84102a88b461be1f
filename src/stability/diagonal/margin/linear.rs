//! Margins of sparse matrices in a time that grows linearly with the nonzeros (theory 3.13).

use ndarray::{Array1, Array2};

use super::{BlockBound, Linear, Margin, not_proved};
use crate::error::Result;
use crate::linalg::rounding::{mul_up, sub_down};
use crate::stability::Subject;
use crate::stability::diagonal::almost_sure::AlmostSureCertificate;
use crate::stability::diagonal::certificate::Certificate;
use crate::stability::diagonal::check;
use crate::stability::diagonal::control::{Control, Stop};
use crate::stability::diagonal::ladder::Proof;
use crate::stability::diagonal::large::{self, LinearBounds};
use crate::stability::diagonal::method::Method;
use crate::stability::diagonal::pencil::origin;
use crate::stability::diagonal::randomised::fresh_seed;
use crate::stability::diagonal::refutation::Refutation;
use crate::stability::diagonal::sparse::{self, Sparse};
use crate::stability::diagonal::verdict::{Undecided, Verdict};
use crate::stability::diagonal::weights::Weights;

/// Bounds by the Perron vectors of a Metzler matrix, or by the ascent and the ladder of proofs.
pub(super) fn compute(subject: &Subject<'_>, control: &mut Control<'_>) -> Margin {
    let a = Sparse::of(subject);
    let (n, origin) = (a.size(), a.delta);
    let found = large::margin(a, control);
    let stop = found.as_ref().err().copied();
    let LinearBounds { lower, upper, weights, witness, proof, steps } = found.unwrap_or_else(|_| LinearBounds::none(n));
    let by_diagonal = of_diagonal(subject);
    let (upper, witness) = match (witness, by_diagonal) {
        (Some(y), (crossing, _)) if upper <= crossing => (upper, y),
        (_, (crossing, y)) => (crossing, y),
    };
    let weights = Weights::new(weights.iter().copied(), std::iter::repeat_n(0, n));
    let (lower, proof) = if weights.is_some() { (lower, proof) } else { (f64::NEG_INFINITY, None) };
    let linear = Linear { proof: proof.map(|p| p.proof), seed: proof.map_or(0, |p| p.seed) };
    let blocks = vec![BlockBound { indices: (0..n).collect(), lower, weights }];
    Margin { origin, upper, blocks, witness, iterations: steps, stop, linear: Some(linear) }
}

/// The smallest `-w_ii rho_i`, rounded upward, and the vector that says so.
fn of_diagonal(subject: &Subject<'_>) -> (f64, Array2<f64>) {
    let n = subject.size();
    let ends = subject.diagonal().into_iter().zip(subject.rho()).map(|(w, &rho)| mul_up(0.0 - w, rho));
    let (least, end) = ends.enumerate().min_by(|p, q| p.1.total_cmp(&q.1)).expect("a subject has rows");
    let mut y = Array2::zeros((n, 1));
    y[[least, 0]] = 1.0;
    (end, y)
}

/// Proves both bounds again.
pub(super) fn verify(margin: &Margin, subject: &Subject<'_>) -> Result<()> {
    margin.answers(origin(subject))?;
    let n = subject.size();
    let [BlockBound { indices, lower, weights }] = margin.blocks.as_slice() else {
        return not_proved("the bounds are not of a matrix as a whole");
    };
    if indices.len() != n || margin.witness.nrows() != n || weights.as_ref().is_some_and(|d| d.len() != n) {
        return not_proved("the bounds are of a matrix with another number of rows");
    }
    if *lower > f64::NEG_INFINITY {
        let Some(weights) = weights else { return not_proved("there are no weights for the lower bound") };
        if !proves_lower(subject, *lower, weights, margin.proof()) {
            return not_proved("the lower bound is not proved");
        }
    }
    if !proves_upper(subject, margin.upper, &margin.witness) {
        return not_proved("the upper bound is not proved");
    }
    Ok(())
}

/// Whether the weights prove `W + delta R^-1`; by fresh draws if it was proved by draws.
fn proves_lower(subject: &Subject<'_>, delta: f64, weights: &Weights, proof: Option<Proof>) -> bool {
    let a = Sparse::at(subject, delta);
    if a.metzler().and_then(|matrix| matrix.margin(weights)).is_some_and(|most| delta < most) {
        return true;
    }
    let d = weights.values();
    match proof {
        Some(Proof::Randomised) => large::proves_by_draws(&d, 0.0, a, fresh_seed()),
        _ => large::proves(&d, 0.0, a),
    }
}

fn proves_upper(subject: &Subject<'_>, delta: f64, y: &Array2<f64>) -> bool {
    if delta == f64::INFINITY {
        return true;
    }
    let a = Sparse::at(subject, delta);
    check::proves_not_stable_by_rows(&a.rows.view(), a.diagonal.lower(), y.view())
}

/// What the bounds decide.
pub(super) fn verdict(margin: &Margin, subject: &Subject<'_>) -> Result<Verdict> {
    verify(margin, subject)?;
    let (delta, method) = (origin(subject), Method::Margin);
    if margin.upper <= delta && proves_upper(subject, delta, &margin.witness) {
        return Ok(Verdict::NotStable(Refutation::new(margin.witness.clone(), method, margin.iterations)));
    }
    let [BlockBound { lower, weights: Some(weights), .. }] = margin.blocks.as_slice() else {
        return Ok(undecided(margin));
    };
    let room = sub_down(*lower, delta);
    if room > 0.0 {
        if let (Some(Proof::Randomised), Some(linear)) = (margin.proof(), margin.linear) {
            let accepted = AlmostSureCertificate::new(weights.clone(), room, linear.seed, margin.iterations);
            return Ok(Verdict::AlmostSurelyStable(accepted));
        }
        let in_units = subject.is_shifted() || subject.rho().iter().all(|&rho| rho == 1.0);
        let certificate = Certificate::new(weights.clone(), room, method, margin.iterations);
        if in_units && sparse::verify(&certificate, Sparse::of(subject)).is_ok() {
            return Ok(Verdict::Stable(certificate));
        }
        let mut plain = Sparse::of(subject);
        if !in_units {
            plain.rho = Array1::ones(plain.size());
        }
        if let Ok(certificate) = sparse::certificate_of(weights.clone(), plain) {
            return Ok(Verdict::Stable(certificate));
        }
    }
    Ok(undecided(margin))
}

fn undecided(margin: &Margin) -> Verdict {
    let stop = margin.stop.unwrap_or(Stop::NearBoundary);
    let bounds = (margin.lower(), margin.upper());
    Verdict::Undecided(Undecided::new(bounds, Method::Margin, margin.iterations, stop))
}
