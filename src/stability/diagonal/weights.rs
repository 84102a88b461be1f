//! Positive diagonal weights whose range may exceed that of `f64`.

#[cfg(feature = "serde")]
mod stored;

use ndarray::Array1;

use crate::check::{length, positive_vector};
use crate::error::Result;

/// `2^e` for `-1022 <= e <= 1023`.
#[inline]
fn power_of_two(e: i32) -> f64 {
    f64::from_bits(((1023 + i64::from(e)) as u64) << 52)
}

/// `x 2^e`: exact unless the result leaves the normal range of `f64`. A result that underflows is off by at most
/// two of the smallest subnormal numbers; one that overflows is infinite.
#[inline]
pub(super) fn ldexp(x: f64, e: i32) -> f64 {
    if (-1022..=1023).contains(&e) {
        return x * power_of_two(e);
    }
    if x == 0.0 {
        return x;
    }
    // A nonzero f64 spans 2^-1074 to 2^1024, so more than 2100 powers of two say no more than 2100 do.
    let (mut x, mut e) = (x, e.clamp(-2200, 2200));
    while e > 1023 {
        x *= power_of_two(1023);
        e -= 1023;
    }
    while e < -1022 {
        x *= power_of_two(-1022);
        e += 1022;
    }
    x * power_of_two(e)
}

/// `(m, e)` with `x = m 2^e` and `1 <= |m| < 2`, exactly; `x` is finite and not zero.
#[inline]
pub(super) fn frexp(x: f64) -> (f64, i32) {
    let (x, offset) = if x.abs() < f64::MIN_POSITIVE { (x * power_of_two(64), -64) } else { (x, 0) };
    let e = ((x.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    (x * power_of_two(-e.clamp(-1022, 1022)) * if e > 1022 { 0.5 } else { 1.0 }, e + offset)
}

/// Weights `m_i 2^(e_i)` with `1 <= m_i < 2`.
///
/// The certificate of a long feed-forward chain needs weights whose ratio no `f64` can hold, so the exponents are
/// kept apart.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "stored::StoredWeights"))]
pub(super) struct Weights {
    pub(super) mantissa: Array1<f64>,
    pub(super) exponent: Vec<i32>,
}

impl Weights {
    /// The weights `values[i] 2^(shift[i])`, or `None` unless all values are positive and finite.
    pub(super) fn new(values: impl IntoIterator<Item = f64>, shift: impl IntoIterator<Item = i32>) -> Option<Self> {
        let (mantissa, exponent): (Vec<f64>, Vec<i32>) = values
            .into_iter()
            .zip(shift)
            .map(|(value, shift)| {
                if value > 0.0 && value.is_finite() {
                    let (m, e) = frexp(value);
                    (m, e + shift)
                } else {
                    (f64::NAN, 0)
                }
            })
            .unzip();
        mantissa.iter().all(|m| m.is_finite()).then(|| Self { mantissa: mantissa.into(), exponent })
    }

    /// Weights that a caller gives, all positive and finite.
    pub(super) fn given(d: &Array1<f64>) -> Result<Self> {
        positive_vector("d", d.view(), d.len())?;
        let (mantissa, exponent): (Vec<f64>, Vec<i32>) = d.iter().map(|&d| frexp(d)).unzip();
        Ok(Self { mantissa: mantissa.into(), exponent })
    }

    /// An error unless there is one for each of so many rows.
    pub(super) fn fit(&self, rows: usize) -> Result<()> {
        length("d", self.len(), rows)
    }

    pub(super) fn len(&self) -> usize {
        self.exponent.len()
    }

    /// The weights as `f64`, multiplied by the one power of two that centres their exponents. Those out of range
    /// are 0 or infinite.
    pub(super) fn values(&self) -> Array1<f64> {
        let (low, high) = self.exponent.iter().fold((i32::MAX, i32::MIN), |(l, h), &e| (l.min(e), h.max(e)));
        let centre = low.midpoint(high);
        self.mantissa
            .iter()
            .zip(&self.exponent)
            .map(|(&m, &e)| {
                let e = e - centre;
                if e < -1022 { 0.0 } else { ldexp(m, e) }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frexp_and_ldexp_invert_each_other_over_the_whole_range() {
        for x in [1.0, -1.5, 3.0e-308, 5e-324, 4.4e-320, f64::MAX, f64::MIN_POSITIVE, -1.0e150] {
            let (m, e) = frexp(x);
            assert!((1.0..2.0).contains(&m.abs()), "{x}: mantissa {m}");
            assert_eq!(ldexp(m, e), x);
        }
        assert_eq!(ldexp(5e-324, 2097), ldexp(1.0, 1023));
        assert_eq!(ldexp(1.0, -3000), 0.0);
        assert_eq!(ldexp(1.0, 3000), f64::INFINITY);
    }

    #[test]
    fn weights_keep_ratios_that_no_f64_holds() {
        let w = Weights::new([3.0, 1.0], [0, -5000]).unwrap();
        assert_eq!((w.mantissa[0], w.exponent[0], w.exponent[1]), (1.5, 1, -5000));
        assert_eq!(w.values().to_vec(), [f64::INFINITY, 0.0]);
        assert!(Weights::new([0.0], [0]).is_none());
    }
}
