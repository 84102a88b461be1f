//! Whether an activation is what it says it is, as far as samples tell.

use super::{ActivationCost, Domain, SlopeRange};
use crate::Scalar;
use crate::error::{Error, Result};

/// A value of `phi`, and how far off rounding may have put it.
#[derive(Debug, Clone, Copy)]
struct Sample<A> {
    z: A,
    phi: A,
    noise: A,
}

/// That `phi` does not decrease, keeps within its declared domain, and has no slopes beyond those declared, on samples
/// at 0 and at inputs from `2^{-20}` to `2^{30}` of either sign.
///
/// Values count as wrong by up to the square root of the machine epsilon times the largest magnitude of `phi` on inputs
/// up to that size or 1, and everywhere if `phi` levels off, and by up to 16 epsilon: far more than the rounding errors
/// of any sensible formula, those with terms of size 1 that cancel included. Values that are not finite are passed
/// over.
pub(crate) fn check<A: Scalar>(activation: &dyn ActivationCost<A>, argument: &str) -> Result<()> {
    let samples = samples(activation);
    let refused = |value: String, allowed: &str| {
        Error::invalid(argument, format!("{}, for which {value}", activation.name()), allowed)
    };
    if let Some((before, after)) = decrease(&samples) {
        let value = format!("phi({}) = {} and phi({}) = {}", before.z, before.phi, after.z, after.phi);
        return Err(refused(value, "activations that do not decrease"));
    }
    let Domain { lower, upper } = activation.domain();
    if let Some(s) = samples.iter().find(|s| s.phi > upper + s.noise || s.phi < lower - s.noise) {
        let value = format!("phi({}) = {}, outside its declared range [{lower}, {upper}]", s.z, s.phi);
        return Err(refused(value, "activations with values in the range that they declare"));
    }
    let whole = activation.slope_range();
    if whole.exact {
        check_slopes(&samples, |_, _| whole)
            .map_err(|value| refused(value, "activations with slopes in the range that they declare"))?;
    }
    if activation.slope_range_on(A::one(), A::of(2.0)).exact {
        check_slopes(&samples, |from, to| activation.slope_range_on(from, to)).map_err(|value| {
            refused(value, "activations with slopes in the ranges that they declare for intervals of drives")
        })?;
    }
    Ok(())
}

/// That the slopes between samples are within their bounds, or the pair that contradicts them.
fn check_slopes<A: Scalar>(
    samples: &[Sample<A>],
    bounds: impl Fn(A, A) -> SlopeRange<A>,
) -> std::result::Result<(), String> {
    // Neighbours, and those whose distance is large compared with their rounding errors.
    for span in [1, 8] {
        for pair in samples.windows(span + 1) {
            let (a, b) = (pair[0], pair[span]);
            let (rise, run, noise) = (b.phi - a.phi, b.z - a.z, a.noise + b.noise);
            let slopes = bounds(a.z, b.z);
            if !slopes.exact {
                continue;
            }
            if rise > slopes.max * run + noise || rise < slopes.min * run - noise {
                let (min, max) = (slopes.min, slopes.max);
                return Err(format!(
                    "the slope from z = {} to z = {} is {}, outside its declared slopes [{min}, {max}]",
                    a.z,
                    b.z,
                    rise / run
                ));
            }
        }
    }
    Ok(())
}

/// The finite samples, in increasing order of their inputs.
fn samples<A: Scalar>(activation: &dyn ActivationCost<A>) -> Vec<Sample<A>> {
    let sizes = (-80..=120).map(|j| A::of(2f64.powf(f64::from(j) / 4.0)));
    let sizes: Vec<A> = std::iter::once(A::zero()).chain(sizes).collect();
    let side = |sign: A| -> Vec<(A, A)> { sizes.iter().map(|&z| (sign * z, activation.activate(sign * z))).collect() };
    let (negative, positive) = (side(-A::one()), side(A::one()));
    let levels = level(&negative).max(level(&positive));
    let mut largest = levels;
    let magnitudes = negative.iter().zip(&positive).map(|(n, p)| {
        largest = [n.1.abs(), p.1.abs()].into_iter().filter(|m| m.is_finite()).fold(largest, A::max);
        largest
    });
    let magnitudes: Vec<A> = magnitudes.collect();
    let near = sizes.iter().rposition(|&z| z <= A::one()).map_or(A::zero(), |k| magnitudes[k]);
    let sample = |(&(z, phi), &magnitude): (&(A, A), &A)| {
        let noise = (A::epsilon().sqrt() * magnitude.max(near)).max(A::of(16.0) * A::epsilon());
        phi.is_finite().then_some(Sample { z, phi, noise })
    };
    let mut all: Vec<_> = negative.iter().zip(&magnitudes).skip(1).filter_map(sample).collect();
    all.reverse();
    all.extend(positive.iter().zip(&magnitudes).filter_map(sample));
    all
}

/// The magnitude at which values level off outwards, or 0 if they do not.
fn level<A: Scalar>(outwards: &[(A, A)]) -> A {
    let finite: Vec<A> = outwards.iter().map(|(_, phi)| *phi).filter(|phi| phi.is_finite()).collect();
    // Four samples to a factor of 2: these two are a factor of 16 of inputs apart.
    let last = finite.last().copied().unwrap_or_else(A::zero);
    let before = finite.len().checked_sub(17).map_or_else(A::infinity, |k| finite[k]);
    if (last - before).abs() <= A::of(1e-2) * last.abs() { last.abs() } else { A::zero() }
}

/// Two samples of which the second is lower for certain.
fn decrease<A: Scalar>(samples: &[Sample<A>]) -> Option<(Sample<A>, Sample<A>)> {
    let mut highest: Option<Sample<A>> = None;
    for &sample in samples {
        match highest {
            Some(before) if sample.phi + sample.noise < before.phi - before.noise => return Some((before, sample)),
            Some(before) if sample.phi - sample.noise <= before.phi - before.noise => {}
            _ => highest = Some(sample),
        }
    }
    None
}
