//! Bounds on slopes over an interval of drives.

use super::{LinearPiece, SlopeRange};
use crate::Scalar;

/// Bounds for slopes that rise up to `steepest` and fall beyond, from their values at the ends of the interval.
///
/// `roundings(z)` bounds the relative error of `slope(z)` in units of the machine epsilon; it is counted twice. Where
/// it is 0 the value is exact; where it is not finite, nothing is taken from the value.
pub(super) fn rising_and_falling<A: Scalar>(
    whole: SlopeRange<A>,
    steepest: A,
    (lower, upper): (A, A),
    slope: impl Fn(A) -> A,
    roundings: impl Fn(A) -> A,
) -> SlopeRange<A> {
    if lower.is_nan() || upper.is_nan() || lower > upper {
        return whole;
    }
    let around = |z: A| enclosed(whole, slope(z), roundings(z));
    let (at_lower, at_upper) = (around(lower), around(upper));
    let max = if upper < steepest {
        at_upper.1
    } else if lower > steepest {
        at_lower.1
    } else {
        whole.max
    };
    SlopeRange { min: at_lower.0.min(at_upper.0), max, exact: whole.exact }
}

/// An interval for a slope, within those of the whole line.
fn enclosed<A: Scalar>(whole: SlopeRange<A>, value: A, roundings: A) -> (A, A) {
    if roundings == A::zero() {
        return (value, value);
    }
    let (eps, least) = (A::epsilon(), A::min_positive_value());
    let error = A::of(2.0) * roundings * eps;
    let plain = value.is_finite() && error < A::of(0.5) && value >= least / eps;
    if plain {
        return ((value * (A::one() - error)).max(whole.min), (value * (A::one() + error)).min(whole.max));
    }
    // What is far below the largest slope may have underflowed.
    let nearly_flat = value <= whole.max * eps * eps && whole.max.is_finite() && whole.max >= least / (eps * eps);
    (whole.min, if nearly_flat { (whole.max * eps).max(whole.min) } else { whole.max })
}

/// Bounds for a piecewise-linear activation; pieces that only touch the interval count.
pub(super) fn of_pieces<A: Scalar>(pieces: &[LinearPiece<A>], lower: A, upper: A) -> Option<SlopeRange<A>> {
    let met = pieces.iter().filter(|p| p.lower <= upper && lower <= p.upper).map(|p| p.slope);
    met.map(|s| SlopeRange::exact(s, s)).reduce(|a, b| SlopeRange::exact(a.min.min(b.min), a.max.max(b.max)))
}
