//! Limits and roots of nondecreasing functions by bisection in the floating-point numbers.

use super::super::Domain;
use crate::Scalar;

/// The least number of `[low, high]` at which `reached` holds, for a predicate that stays true once it is; `high` if it
/// never holds. Infinite ends stand for the largest finite numbers.
///
/// A bracket grows from 0, so that huge numbers are tried only if there is need; then bisection first by exponents and then
/// by digits. About 70 calls for double precision.
pub(in super::super) fn sign_change<A: Scalar>(reached: impl Fn(A) -> bool, low: A, high: A) -> A {
    let most = A::max_value();
    let (mut low, mut high) = (low.max(-most).min(most), high.max(-most).min(most));
    let start = A::zero().max(low).min(high);
    let mut reach = A::one();
    if reached(start) {
        high = start;
        while start - reach > low && reached(start - reach) {
            high = start - reach;
            reach *= A::of(16.0);
        }
        low = low.max(start - reach);
        if reached(low) {
            return low;
        }
    } else {
        low = start;
        while start + reach < high && !reached(start + reach) {
            low = start + reach;
            reach *= A::of(16.0);
        }
        high = high.min(start + reach);
    }
    loop {
        let middle = between(low, high);
        // Also if a NaN has come in.
        let inside = middle > low && middle < high;
        if !inside {
            return high;
        }
        if reached(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
}

/// A number between two others that halves what is left: 0, or half the exponents, or half the interval.
fn between<A: Scalar>(low: A, high: A) -> A {
    let four = A::of(4.0);
    if low < A::zero() && high > A::zero() {
        A::zero()
    } else if low >= A::zero() && high > four * low {
        low.max(A::min_positive_value()).sqrt() * high.sqrt()
    } else if high <= A::zero() && low < four * high {
        -((-high).max(A::min_positive_value()).sqrt() * (-low).sqrt())
    } else {
        low + (high - low) / A::of(2.0)
    }
}

/// The element of least magnitude of `phi^{-1}(x)`, for nondecreasing `phi` with values in `domain`; infinite at an end of
/// the domain that `phi` does not reach, NaN outside.
pub(in super::super) fn least_source<A: Scalar>(phi: impl Fn(A) -> A, domain: Domain<A>, x: A) -> A {
    if x.is_nan() || !domain.contains(x) {
        return A::nan();
    }
    let (zero, infinity) = (A::zero(), A::infinity());
    let rest = phi(zero);
    if x == rest {
        zero
    } else if x > rest {
        if phi(A::max_value()) < x { infinity } else { sign_change(|z| phi(z) >= x, zero, infinity) }
    } else if phi(-A::max_value()) > x {
        -infinity
    } else {
        -sign_change(|z| phi(-z) <= x, zero, infinity)
    }
}

/// The closure of the range of a nondecreasing function, from its values far out.
///
/// An end counts as finite if the function has a finite value at infinity, or else if its last values before overflow
/// agree.
pub(in super::super) fn limits<A: Scalar>(phi: impl Fn(A) -> A) -> Domain<A> {
    let limit = |sign: A| {
        let at_infinity = phi(sign * A::infinity());
        if !at_infinity.is_nan() {
            return at_infinity;
        }
        // Powers of the largest number, of which the higher ones may overflow inside phi.
        let values = [1.0, 0.9, 0.6, 0.45, 0.3, 0.2].map(|power| phi(sign * A::max_value().powf(A::of(power))));
        let usable: Vec<A> = values.into_iter().filter(|v| v.is_finite()).collect();
        match usable[..] {
            [last, before, ..] if (last - before).abs() <= A::of(64.0) * A::epsilon() * last.abs() => last,
            _ => sign * A::infinity(),
        }
    };
    Domain::new(limit(-A::one()), limit(A::one()))
}
