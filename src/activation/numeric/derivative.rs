//! Derivatives from values.

use super::super::SlopeRange;
use crate::Scalar;

/// `f'(z)` by central differences over steps from `first_step` down by factors of 2 to where rounding takes over, extrapolated to step 0
/// (Richardson's table); the entry that agrees best with its neighbours wins (Ridders 1982).
///
/// About 50 calls. At a kink, some value between the one-sided slopes.
pub(in super::super) fn central_derivative<A: Scalar>(f: impl Fn(A) -> A, z: A, first_step: A) -> A {
    const LEVELS: usize = 26;
    const ORDERS: usize = 7;
    if z.is_nan() {
        return z;
    }
    let mut step = first_step;
    let mut previous: Vec<A> = Vec::with_capacity(ORDERS);
    let (mut best, mut least_error) = (A::nan(), A::infinity());
    for _ in 0..LEVELS {
        let (above, below) = (z + step, z - step);
        let quotient = (f(above) - f(below)) / (above - below);
        step /= A::of(2.0);
        if !quotient.is_finite() {
            previous.clear();
            continue;
        }
        let mut row = vec![quotient];
        let mut factor = A::of(4.0);
        for j in 0..previous.len().min(ORDERS - 1) {
            let next = row[j] + (row[j] - previous[j]) / (factor - A::one());
            let error = (next - row[j]).abs().max((next - previous[j]).abs());
            if error < least_error {
                (best, least_error) = (next, error);
            }
            row.push(next);
            factor *= A::of(4.0);
        }
        previous = row;
    }
    best
}

/// The least and the largest slope seen at 0 and at inputs from `2^{-10}` to `2^{20}` of either sign.
pub(in super::super) fn sampled_slopes<A: Scalar>(phi: impl Fn(A) -> A, slope: impl Fn(A) -> A) -> SlopeRange<A> {
    let sizes = (-40..=80).map(|j| A::of(2f64.powf(f64::from(j) / 4.0)));
    let positive: Vec<A> = sizes.collect();
    let mut inputs: Vec<A> = positive.iter().rev().map(|&z| -z).collect();
    inputs.push(A::zero());
    inputs.extend(positive);
    let at_points = inputs.iter().map(|&z| slope(z));
    let between = inputs.windows(2).map(|w| (phi(w[1]) - phi(w[0])) / (w[1] - w[0]));
    let (mut min, mut max) = (A::infinity(), A::neg_infinity());
    for s in at_points.chain(between).filter(|s| !s.is_nan()) {
        min = min.min(s);
        max = max.max(s);
    }
    SlopeRange::sampled(min, max)
}
