//! Signs of sums of products of floating-point numbers, exactly.
//!
//! [`LongSum`] is a fixed-point number wide enough for every product of three floats, so that its sign is found whatever their
//! sizes. Where more factors meet, a sum is held as an [`Expansion`]: a list of numbers of which no two overlap, smallest first, so that its sign is
//! that of the last (Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric
//! predicates", Discrete & Computational Geometry 18, 1997). It is exact as long as nothing underflows or overflows,
//! which [`Expansion::product`] checks.

use std::cmp::Ordering;

/// A number as a sum of floating-point numbers that do not overlap.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expansion(Vec<f64>);

/// The error of a product of this size is a normal number, and sums of up to 2^60 such products stay finite.
const SAFE: std::ops::Range<f64> = 1e-250..1e250;

/// `(s, e)` with `s = fl(a + b)` and `s + e = a + b`.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let bb = s - a;
    (s, (a - (s - bb)) + (b - bb))
}

impl Expansion {
    /// Adds one number.
    pub(crate) fn add(&mut self, x: f64) {
        let mut carry = x;
        let mut kept = 0;
        for k in 0..self.0.len() {
            let (sum, error) = two_sum(carry, self.0[k]);
            carry = sum;
            if error != 0.0 {
                self.0[kept] = error;
                kept += 1;
            }
        }
        self.0.truncate(kept);
        if carry != 0.0 {
            self.0.push(carry);
        }
    }

    /// Adds `a b`; `None` if the product leaves the range where it is exact.
    pub(crate) fn add_product(&mut self, a: f64, b: f64) -> Option<()> {
        let high = a * b;
        if a == 0.0 || b == 0.0 {
            return Some(());
        }
        if !SAFE.contains(&high.abs()) {
            return None;
        }
        self.add(a.mul_add(b, -high));
        self.add(high);
        Some(())
    }

    /// Adds `other x`; `None` if a partial product leaves the range where it is exact.
    pub(crate) fn add_multiple(&mut self, other: &Self, x: f64) -> Option<()> {
        other.0.iter().try_for_each(|&part| self.add_product(part, x))
    }

    /// The product of two expansions; `None` if a partial product leaves the range where it is exact.
    pub(crate) fn product(&self, other: &Self) -> Option<Self> {
        let mut result = Self::default();
        for &a in &self.0 {
            for &b in &other.0 {
                result.add_product(a, b)?;
            }
        }
        Some(result)
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        let mut result = self.clone();
        other.0.iter().for_each(|&x| result.add(-x));
        result
    }

    /// Neighbouring floating-point numbers below and above the number, or the number itself twice.
    pub(crate) fn bounds(&self) -> (f64, f64) {
        let Some((&largest, smaller)) = self.0.split_last() else { return (0.0, 0.0) };
        // Compressed (Shewchuk, theorem 23), so that all but the largest part come to less than its last place.
        let (mut bottom, mut above) = (largest, Vec::with_capacity(smaller.len()));
        for &part in smaller.iter().rev() {
            let (sum, error) = two_sum(bottom, part);
            if error == 0.0 {
                bottom = sum;
            } else {
                above.push(sum);
                bottom = error;
            }
        }
        let (mut number, mut rest) = (bottom, 0.0);
        for part in above.into_iter().rev() {
            let (sum, error) = two_sum(part, number);
            number = sum;
            rest = if error == 0.0 { rest } else { error };
        }
        match rest {
            _ if rest < 0.0 => (number.next_down(), number),
            _ if rest > 0.0 => (number, number.next_up()),
            _ => (number, number),
        }
    }

    /// The number, to a few units in the last place.
    pub(crate) fn value(&self) -> f64 {
        self.0.iter().sum()
    }

    /// The sign of the number.
    pub(crate) fn sign(&self) -> Ordering {
        self.0.last().copied().unwrap_or(0.0).partial_cmp(&0.0).unwrap_or(Ordering::Equal)
    }
}

/// `sum of a_k b_k`, exactly; `None` if a product leaves the range where it is exact.
pub(crate) fn dot(a: impl IntoIterator<Item = f64>, b: impl IntoIterator<Item = f64>) -> Option<Expansion> {
    let mut sum = Expansion::default();
    for (x, y) in a.into_iter().zip(b) {
        sum.add_product(x, y)?;
    }
    Some(sum)
}

/// A sum of products of three finite floating-point numbers, exactly, subnormal ones included.
///
/// The number is `sum of digits[k] 2^(32 k + LEAST)`, with carries left for later (Kulisch, "Computer arithmetic and
/// validity", de Gruyter 2013).
#[derive(Debug, Clone)]
pub(crate) struct LongSum {
    digits: Vec<i64>,
    /// Products that were added since the last time that digits were carried.
    added: u32,
}

/// The exponent of the last bit of a product of three of the least numbers.
const LEAST: i32 = -3 * 1074;

const DIGIT_BITS: u32 = 32;

/// Digits for products below `2^(3 * 1024)`, and for sums of up to 2^60 of them.
const DIGITS: usize = ((3 * 1024 - LEAST) as usize + 64) / DIGIT_BITS as usize + 2;

/// So many products leave each digit, to which every one adds less than 2^35, within its 63 bits.
const CARRY_AFTER: u32 = 1 << 27;

impl LongSum {
    pub(crate) fn zero() -> Self {
        Self { digits: vec![0; DIGITS], added: 0 }
    }

    /// Adds `a b c`.
    pub(crate) fn add_product(&mut self, a: f64, b: f64, c: f64) {
        let [(negative_a, m_a, e_a), (negative_b, m_b, e_b), (negative_c, m_c, e_c)] = [a, b, c].map(parts);
        if m_a == 0 || m_b == 0 || m_c == 0 {
            return;
        }
        if self.added == CARRY_AFTER {
            self.carry();
        }
        self.added += 1;
        let sign = if negative_a ^ negative_b ^ negative_c { -1 } else { 1 };
        let product = u128::from(m_a) * u128::from(m_b);
        let place = (e_a + e_b + e_c - LEAST) as usize;
        self.add(sign, u128::from(product as u64) * u128::from(m_c), place);
        self.add(sign, (product >> 64) * u128::from(m_c), place + 64);
    }

    /// Adds `sign m 2^(place + LEAST)`.
    fn add(&mut self, sign: i64, m: u128, place: usize) {
        let bits = DIGIT_BITS as usize;
        for (half, place) in [(m as u64, place), ((m >> 64) as u64, place + 64)] {
            let shifted = u128::from(half) << (place % bits);
            for (k, digit) in self.digits[place / bits..][..3].iter_mut().enumerate() {
                *digit += sign * i64::from((shifted >> (bits * k)) as u32);
            }
        }
    }

    /// Brings all digits but the last into `0..2^32`; the last one keeps the sign.
    fn carry(&mut self) {
        let mut carry = 0;
        let last = self.digits.len() - 1;
        for digit in &mut self.digits[..last] {
            let sum = *digit + carry;
            *digit = sum & i64::from(u32::MAX);
            carry = sum >> DIGIT_BITS;
        }
        self.digits[last] += carry;
        self.added = 0;
    }

    /// The sign of the sum.
    pub(crate) fn sign(mut self) -> Ordering {
        self.carry();
        match self.digits.last() {
            Some(&last) if last < 0 => Ordering::Less,
            _ if self.digits.iter().any(|&digit| digit != 0) => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }
}

/// Whether the finite `x` is negative, and `(m, e)` with `|x| = m 2^e`, `e >= -1074`.
fn parts(x: f64) -> (bool, u64, i32) {
    const FRACTION: u32 = f64::MANTISSA_DIGITS - 1;
    let bits = x.to_bits();
    let (biased, fraction) = ((bits >> FRACTION & 0x7ff) as i32, bits & ((1 << FRACTION) - 1));
    let (m, biased) = if biased == 0 { (fraction, 1) } else { (fraction | 1 << FRACTION, biased) };
    (x.is_sign_negative(), m, biased - 1075)
}

#[cfg(test)]
mod tests {
    use num_rational::BigRational;
    use num_traits::{Signed, Zero};
    use proptest::prelude::*;

    use super::*;

    /// Numbers of every size, and small whole ones of which sums cancel.
    fn numbers() -> impl Strategy<Value = f64> {
        use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL};
        prop_oneof![NORMAL | SUBNORMAL | POSITIVE | NEGATIVE, (-3..4i32).prop_map(f64::from), Just(f64::MAX)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn long_sums_have_the_sign_of_the_exact_one(
            terms in proptest::collection::vec([numbers(), numbers(), numbers()], 0..6),
            cancelled in any::<bool>(),
        ) {
            let exact = |x: f64| BigRational::from_float(x).unwrap();
            let (mut long, mut sum) = (LongSum::zero(), BigRational::zero());
            let opposite = terms.iter().map(|&[a, b, c]| [-c, a, b]);
            for [a, b, c] in terms.iter().copied().chain(opposite.filter(|_| cancelled)) {
                long.add_product(a, b, c);
                sum += exact(a) * exact(b) * exact(c);
            }
            let sign = if sum.is_negative() { Ordering::Less } else { sum.cmp(&BigRational::zero()) };
            prop_assert_eq!(long.sign(), sign);
        }
    }
}
