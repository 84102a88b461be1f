//! Floating-point numbers as what they are: integers times powers of two, whose sums and products are exact.

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero};

/// `mantissa * 2^exponent`.
#[derive(Debug, Clone)]
pub(super) struct Dyadic {
    mantissa: BigInt,
    exponent: i64,
}

impl Dyadic {
    pub(super) fn zero() -> Self {
        Self { mantissa: BigInt::zero(), exponent: 0 }
    }

    /// A finite number.
    pub(super) fn of(x: f64) -> Self {
        let bits = x.to_bits();
        let (biased, fraction) = (bits >> 52 & 0x7ff, bits & ((1 << 52) - 1));
        let (size, exponent) = if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased as i64 - 1075) };
        if size == 0 {
            return Self::zero();
        }
        // Odd mantissas keep the integers short.
        let twos = size.trailing_zeros();
        let mantissa = BigInt::from(size >> twos);
        Self { mantissa: if x < 0.0 { -mantissa } else { mantissa }, exponent: exponent + i64::from(twos) }
    }

    pub(super) fn integer(mantissa: &BigInt) -> Self {
        Self { mantissa: mantissa.clone(), exponent: 0 }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.mantissa.is_zero()
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        if self.is_zero() {
            return other.clone();
        }
        if other.is_zero() {
            return self.clone();
        }
        let exponent = self.exponent.min(other.exponent);
        Self { mantissa: self.shifted(exponent) + other.shifted(exponent), exponent }
    }

    pub(super) fn minus(&self, other: &Self) -> Self {
        self.plus(&other.negated())
    }

    pub(super) fn negated(&self) -> Self {
        Self { mantissa: -&self.mantissa, exponent: self.exponent }
    }

    pub(super) fn times(&self, other: &Self) -> Self {
        Self { mantissa: &self.mantissa * &other.mantissa, exponent: self.exponent + other.exponent }
    }

    pub(super) fn nearest(&self) -> f64 {
        quotient(self, &Self::integer(&BigInt::from(1)))
    }

    /// The mantissa that belongs to an exponent that is not larger.
    fn shifted(&self, exponent: i64) -> BigInt {
        if self.is_zero() { BigInt::zero() } else { &self.mantissa << (self.exponent - exponent) as usize }
    }
}

/// The sum of the products.
pub(super) fn dot(form: &[Dyadic], vector: &[BigInt]) -> Dyadic {
    form.iter().zip(vector).fold(Dyadic::zero(), |sum, (a, b)| sum.plus(&a.times(&Dyadic::integer(b))))
}

/// Integers that are these numbers, all times the same power of two.
pub(super) fn aligned(values: &[Dyadic]) -> Vec<BigInt> {
    let least = values.iter().filter(|v| !v.is_zero()).map(|v| v.exponent).min().unwrap_or(0);
    values.iter().map(|v| v.shifted(least)).collect()
}

/// The double nearest to a quotient, whose divisor is not 0; infinite beyond the doubles, and rounded twice where they are
/// subnormal.
pub(super) fn quotient(numerator: &Dyadic, divisor: &Dyadic) -> f64 {
    const DIGITS: u64 = 64;
    if numerator.is_zero() {
        return 0.0;
    }
    let (top, bottom) = (numerator.mantissa.abs(), divisor.mantissa.abs());
    let shift = (DIGITS + 2 + bottom.bits()).saturating_sub(top.bits());
    let top = top << shift;
    let whole = &top / &bottom;
    let surplus = whole.bits() - DIGITS;
    let leading = &whole >> surplus;
    // The last of 64 digits stands for all that follow, so that rounding to 53 sees them.
    let is_cut = (&leading << surplus) * &bottom != top;
    let leading = leading.to_u64().expect("64 digits are left") | u64::from(is_cut);
    let exponent = surplus as i64 - shift as i64 + numerator.exponent - divisor.exponent;
    let size = times_power_of_two(leading as f64, exponent);
    if numerator.mantissa.is_negative() == divisor.mantissa.is_negative() { size } else { -size }
}

fn times_power_of_two(mut x: f64, exponent: i64) -> f64 {
    const STEP: i64 = 1000;
    let mut left = exponent.clamp(-4 * STEP, 4 * STEP);
    while left != 0 {
        let step = left.clamp(-STEP, STEP);
        x *= 2f64.powi(step as i32);
        left -= step;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::{Dyadic, aligned, quotient};

    #[test]
    fn doubles_survive() {
        for x in [0.0, 0.1, -3.0, 1e300, 5e-324, -2.2250738585072014e-308, f64::MAX, 1.0 + f64::EPSILON] {
            assert_eq!(Dyadic::of(x).nearest(), x);
        }
        let huge = Dyadic::of(f64::MAX);
        assert_eq!(huge.times(&huge).nearest(), f64::INFINITY);
    }

    #[test]
    fn quotients_are_those_of_division() {
        for (a, b) in [(1.0, 3.0), (-2.0, 3.0), (0.1, 0.7), (1e200, 3e-100), (7.0, 7.0), (1.0, -1e-30)] {
            assert_eq!(quotient(&Dyadic::of(a), &Dyadic::of(b)), a / b);
        }
    }

    #[test]
    fn sums_are_exact() {
        let (tenth, fifth) = (Dyadic::of(0.1), Dyadic::of(0.2));
        let off = tenth.plus(&fifth).minus(&Dyadic::of(0.1 + 0.2));
        assert_eq!(off.nearest(), -(2f64.powi(-55)));
        assert!(tenth.plus(&tenth).minus(&fifth).is_zero());
        let integers = aligned(&[Dyadic::of(0.75), Dyadic::zero(), Dyadic::of(-2.0)]);
        assert_eq!(integers, [3, 0, -8].map(num_bigint::BigInt::from));
    }
}
