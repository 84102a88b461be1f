//! Bounds from above on products, quotients, roots and sums of nonnegative numbers, whatever their size.
//!
//! A weighted norm is finite where the squares and quotients that it is made of are far out of the range of `f64`; what
//! underflows there is no longer a bound. So they are carried with exponents of their own.

use ndarray::{Array, ArrayView, Dimension};

use super::rounding::{add_up, div_up, mul_up};
use crate::Scalar;

/// A bound from above on a number `>= 0`: `significand 2^exponent`, the significand in `[1, 2)`, or 0, infinite or NaN.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Magnitude {
    significand: f64,
    exponent: i32,
}

impl Magnitude {
    pub(crate) const ZERO: Self = Self { significand: 0.0, exponent: 0 };

    /// `|x|`, exactly.
    pub(crate) fn of(x: f64) -> Self {
        Self { significand: x.abs(), exponent: 0 }.normalised()
    }

    fn normalised(self) -> Self {
        const BIAS: i32 = 1023;
        let Self { significand, exponent } = self;
        if significand == 0.0 || !significand.is_finite() {
            return Self { significand, exponent: 0 };
        }
        if significand < f64::MIN_POSITIVE {
            return Self { significand: significand * 2f64.powi(64), exponent: exponent - 64 }.normalised();
        }
        let bits = significand.to_bits();
        let own = (bits >> 52) as i32 - BIAS;
        Self { significand: significand / power_of_two(own), exponent: exponent + own }
    }

    pub(crate) fn times(self, other: Self) -> Self {
        let significand = mul_up(self.significand, other.significand);
        Self { significand, exponent: self.exponent + other.exponent }.normalised()
    }

    /// The quotient by an exact number.
    pub(crate) fn over(self, divisor: Self) -> Self {
        let significand = div_up(self.significand, divisor.significand);
        Self { significand, exponent: self.exponent - divisor.exponent }.normalised()
    }

    pub(crate) fn root(self) -> Self {
        let half = self.exponent.div_euclid(2);
        let square = if self.exponent == 2 * half { self.significand } else { 2.0 * self.significand };
        let root = square.sqrt();
        let significand = if root.mul_add(root, -square) < 0.0 { root.next_up() } else { root };
        Self { significand, exponent: half }.normalised()
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        if other.significand == 0.0 {
            return self;
        }
        let larger_first = other.significand.is_nan() || self.exponent < other.exponent || self.significand == 0.0;
        let (large, small) = if larger_first { (other, self) } else { (self, other) };
        // What is shifted out of sight still counts.
        let shift = (large.exponent - small.exponent).clamp(0, 200);
        let significand = add_up(large.significand, small.significand / power_of_two(shift));
        Self { significand, exponent: large.exponent }.normalised()
    }

    pub(crate) fn max(self, other: Self) -> Self {
        let key = |m: Self| (m.significand != 0.0, m.significand.is_infinite(), m.exponent, m.significand);
        if self.significand.is_nan() || key(self) >= key(other) { self } else { other }
    }

    /// An `f64` that is not below, and the least one unless that is subnormal.
    pub(crate) fn upper(self) -> f64 {
        // In two steps, because the power alone may be out of range. The first is exact.
        let first = self.exponent.clamp(-1000, 1000);
        let rest = (self.exponent - first).clamp(-1000, 1000);
        mul_up(mul_up(self.significand, power_of_two(first)), power_of_two(rest))
    }
}

/// `e` where the largest magnitude is in `[2^e, 2^(e+1))`; 0 if there is none.
pub(crate) fn exponent_of_largest<A: Scalar>(values: impl Iterator<Item = A>) -> i32 {
    Magnitude::of(values.fold(0.0, |m: f64, v| m.max(v.to_double().abs()))).exponent
}

/// Two powers of 2 whose product is `2^e`, which itself may be out of range.
pub(crate) fn factors(e: i32) -> [f64; 2] {
    [e / 2, e - e / 2].map(|e| 2f64.powi(e))
}

/// `2^e m`, in which entries far below the largest may lose digits, or vanish.
pub(crate) fn times_power_of_two<D: Dimension>(m: ArrayView<'_, f64, D>, e: i32) -> Array<f64, D> {
    let [first, rest] = factors(e);
    m.mapv(|v| v * first * rest)
}

/// `2^e` for `-1022 <= e <= 1023`.
fn power_of_two(e: i32) -> f64 {
    f64::from_bits(((1023 + e) as u64) << 52)
}

/// A bound from above on `(sum_k v_k^2 p_k / q_k)^(1/2)` over triples `(v_k, p_k, q_k)` with `p_k, q_k > 0`, a few
/// units in the last place for each term above it at most; NaN if one of them is.
pub(crate) fn weighted_norm(terms: impl Iterator<Item = (f64, f64, f64)> + Clone) -> Magnitude {
    // Nothing overflows, and the squares that underflow are far below the sum.
    const RATIOS: std::ops::Range<f64> = 1e-90..1e90;
    const LARGEST: f64 = 1e90;
    const LEAST_SUM: f64 = 1e-190;

    let (mut sum, mut count, mut in_range) = (0.0, 0.0, true);
    for (v, p, q) in terms.clone() {
        let ratio = p / q;
        in_range &= RATIOS.contains(&ratio) & (v.abs() <= LARGEST);
        sum += v * v * ratio;
        count += 1.0;
    }
    if in_range && sum >= LEAST_SUM * count && count > 0.0 {
        return Magnitude::of(sum.sqrt() * (1.0 + (count + 16.0) * f64::EPSILON));
    }
    let term = |(v, p, q): (f64, f64, f64)| {
        let v = Magnitude::of(v);
        v.times(v).times(Magnitude::of(p)).over(Magnitude::of(q))
    };
    terms.map(term).fold(Magnitude::ZERO, Magnitude::plus).root()
}

#[cfg(test)]
mod tests {
    use num_rational::BigRational;
    use num_traits::Zero;
    use proptest::prelude::*;

    use super::*;

    fn exact(x: f64) -> BigRational {
        BigRational::from_float(x).unwrap()
    }

    /// Positive numbers of every size, subnormal ones too, and 0.
    fn numbers() -> impl Strategy<Value = f64> {
        let any = (1.0..2.0f64, -1074i32..1024).prop_map(|(m, e)| m * 2f64.powi(e / 2) * 2f64.powi(e - e / 2));
        prop_oneof![any, 0.1..10.0f64, Just(f64::from_bits(1)), Just(f64::MAX)].prop_filter("finite", |x| x.is_finite())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn weighted_norms_are_bounded_from_above_and_tightly(
            terms in proptest::collection::vec((prop_oneof![Just(0.0), numbers()], numbers(), numbers()), 1..4)
        ) {
            prop_assume!(terms.iter().all(|t| t.1 > 0.0 && t.2 > 0.0));
            let bound = weighted_norm(terms.iter().copied());
            let upper = bound.upper();
            let square = |v: f64| exact(v) * exact(v);
            let sum = terms.iter().fold(BigRational::zero(), |s, t| s + square(t.0) * exact(t.1) / exact(t.2));
            if upper.is_finite() {
                prop_assert!(square(upper) >= sum);
            }
            // Tight, unless it underflows or overflows in the end.
            let less = upper * (1.0 - 60.0 * f64::EPSILON);
            if less > f64::MIN_POSITIVE && less.is_finite() {
                prop_assert!(square(less) <= sum);
            } else if upper == f64::INFINITY {
                prop_assert!(square(f64::MAX * (1.0 - 60.0 * f64::EPSILON)) < sum);
            }
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        assert!(weighted_norm([(1.0, 1.0, 1.0), (f64::NAN, 1.0, 1.0), (2.0, 1.0, 1.0)].into_iter()).upper().is_nan());
        assert_eq!(weighted_norm([(f64::INFINITY, 1.0, 1.0), (1.0, 1.0, 1.0)].into_iter()).upper(), f64::INFINITY);
        assert_eq!(weighted_norm([(0.0, 1.0, 1.0)].into_iter()).upper(), 0.0);
        assert_eq!(weighted_norm(std::iter::empty()).upper(), 0.0);
    }
}
