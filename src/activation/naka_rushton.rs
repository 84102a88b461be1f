//! The Naka-Rushton (hyperbolic ratio) function.

use super::numeric::gauss_kronrod;
use super::parameter::positive;
use super::special::{alternating_sum, power_series};
use super::{ActivationCost, Domain, SlopeRange, slopes};
use crate::Scalar;
use crate::error::Result;
use crate::linalg::magnitude::Magnitude;

/// `phi(z) = r z^k/(s^k + z^k)` for `z > 0`, else 0: a rate that saturates at `r`, reaches half of it at `z = s`, and rises
/// with exponent `k`.
///
/// `Psi(x) = r s B(x/r; 1 + 1/k, 1 - 1/k)` on `[0, r]`, the incomplete beta function; `+inf` at `x = r` if `k <= 1`.
/// The largest slope is `r/(4 k s) (k+1)^{1+1/k} (k-1)^{1-1/k}` for `k >= 1`; for `k < 1` slopes are unbounded near 0.
/// Costs lose a factor of about `1/k` in accuracy for `k < 1` and may overflow to NaN below `k = 0.01`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "A: Scalar + serde::Deserialize<'de>")))]
pub struct NakaRushton<A> {
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::parameter::deserialized::positive"))]
    max_rate: A,
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::parameter::deserialized::positive"))]
    half_input: A,
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::parameter::deserialized::positive"))]
    exponent: A,
}

impl<A: Scalar> NakaRushton<A> {
    /// The largest rate `r`, the input `s` at which half of it is reached, and the exponent `k`; all positive and finite.
    pub fn new(max_rate: A, half_input: A, exponent: A) -> Result<Self> {
        Ok(Self {
            max_rate: positive("max_rate", max_rate)?,
            half_input: positive("half_input", half_input)?,
            exponent: positive("exponent", exponent)?,
        })
    }

    /// The largest rate `r`.
    pub fn max_rate(&self) -> A {
        self.max_rate
    }

    /// The input `s` at which the rate is `r/2`.
    pub fn half_input(&self) -> A {
        self.half_input
    }

    /// The exponent `k`.
    pub fn exponent(&self) -> A {
        self.exponent
    }

    /// `(phi/r, 1 - phi/r)` at `v = z/s > 0`.
    fn fractions(&self, v: A) -> (A, A) {
        let one = A::one();
        if v <= one {
            let power = v.powf(self.exponent);
            (power / (one + power), one / (one + power))
        } else {
            let power = v.powf(-self.exponent);
            (one / (one + power), power / (one + power))
        }
    }

    /// `v = phi^{-1}(x)/s` where `phi/r = u` and `1 - phi/r = rest`.
    fn ratio(&self, u: A, rest: A) -> A {
        (u / rest).powf(A::one() / self.exponent)
    }

    /// `int_0^v w^k/(1 + w^k) dw` for `0 <= v <= 1`.
    fn rise(&self, v: A) -> A {
        let (k, one) = (self.exponent, A::one());
        let power = v.powf(k);
        // v^{k+1} (1/(k+1) - v^k/(2k+1) + ...)
        v * power * alternating_sum(|j: A| power.powf(j) / (k * (j + one) + one))
    }

    /// `int dw/(1 + w^k)` from `v >= 1` to `v e^y`, `y >= 0`.
    fn tail_between(&self, v: A, y: A) -> A {
        let (k, one) = (self.exponent, A::one());
        let power = v.powf(-k);
        // v^{1-k} (E_0 - v^{-k} E_1 + ...) with v^q E_j = int w^{-k (j+1)} dw
        let sum = alternating_sum(|j: A| {
            let q = one - k * (j + one);
            power.powf(j) * if q == A::zero() { y } else { (q * y).exp_m1() / q }
        });
        v * power * sum
    }

    /// `Psi(x)/(r s)` from `u = x/r` and `1 - u`.
    fn scaled_potential(&self, u: A, rest: A) -> A {
        let (k, one) = (self.exponent, A::one());
        if rest == A::zero() {
            let p = A::PI() / k;
            return if k > one { p / p.sin() } else { A::infinity() };
        }
        let v = self.ratio(u, rest);
        if v <= one {
            u * v - self.rise(v)
        } else {
            ((one - self.rise(one)) + self.tail_between(one, odds_above_half(u, rest) / k)) - rest * v
        }
    }
}

impl<A: Scalar> ActivationCost<A> for NakaRushton<A> {
    fn name(&self) -> String {
        format!("Naka-Rushton(max rate {}, half input {}, exponent {})", self.max_rate, self.half_input, self.exponent)
    }
    fn activate(&self, z: A) -> A {
        if z <= A::zero() {
            return A::zero();
        }
        let v = z / self.half_input;
        if v >= A::min_positive_value() {
            return self.max_rate * self.fractions(v).0;
        }
        // The quotient lost digits, which matters if the largest rate is huge: it is taken larger, and its power smaller.
        let large = A::one() / A::epsilon();
        self.max_rate * large.powf(-self.exponent) * (z * large / self.half_input).powf(self.exponent)
    }
    fn derivative(&self, z: A) -> A {
        if z <= A::zero() {
            return A::zero();
        }
        let one = A::one();
        let v = z / self.half_input;
        let (power, exponent) = if v <= one {
            (v.powf(self.exponent), self.exponent - one)
        } else {
            (v.powf(-self.exponent), -self.exponent - one)
        };
        let s = one + power;
        self.max_rate * (self.exponent * v.powf(exponent) / (s * s) / self.half_input)
    }
    fn inverse(&self, x: A) -> A {
        if x < A::zero() || x > self.max_rate {
            return A::nan();
        }
        self.half_input * self.ratio(x, self.max_rate - x)
    }
    fn potential(&self, x: A) -> A {
        if x < A::zero() || x > self.max_rate {
            return A::infinity();
        }
        let r = self.max_rate;
        r * (self.half_input * self.scaled_potential(x / r, (r - x) / r))
    }
    fn conjugate(&self, z: A) -> A {
        if z <= A::zero() {
            return A::zero();
        }
        let (one, s) = (A::one(), self.half_input);
        let v = z / s;
        if v.is_infinite() {
            return self.max_rate * z;
        }
        if v <= one {
            self.max_rate * (s * self.rise(v))
        } else {
            self.max_rate * ((z - s) + s * (self.rise(one) - self.tail_between(one, v.ln())))
        }
    }
    fn domain(&self) -> Domain<A> {
        Domain::new(A::zero(), self.max_rate)
    }
    fn slope_range(&self) -> SlopeRange<A> {
        if self.exponent < A::one() {
            return SlopeRange::exact(A::zero(), A::infinity());
        }
        let [r, s, k] = [self.max_rate, self.half_input, self.exponent].map(Scalar::to_double);
        // (k+1)^{1+1/k} (k-1)^{1-1/k}/(4k), in factors of which none loses digits: the last is raised to 1/k, and its logarithm
        // magnifies the rounding of 1/k. Twice the roundings are added.
        let shape = if k == 1.0 {
            1.0
        } else {
            let power = ((k + 1.0) / (k - 1.0)).powf(1.0 / k);
            (k + 1.0) / 4.0 * ((k - 1.0) / k) * power * (1.0 + (10.0 + power.ln()) * f64::EPSILON)
        };
        let most = Magnitude::of(r).times(Magnitude::of(shape)).over(Magnitude::of(s));
        SlopeRange::exact(A::zero(), A::at_least(most.upper()))
    }
    fn slope_range_on(&self, lower: A, upper: A) -> SlopeRange<A> {
        // Parameters and powers of usual size, of which no intermediate result underflows.
        let usual = |v: A| v > A::epsilon().powi(5) && v < A::epsilon().powi(-5);
        let [r, s, k] = [self.max_rate, self.half_input, self.exponent];
        let roundings = |z: A| {
            if z <= A::zero() {
                return A::zero();
            }
            let height = (k + A::one()) * (z / s).ln();
            if usual(r) && usual(s) && usual(k) && usual(height.abs().exp()) {
                A::of(16.0) + A::of(4.0) * (k + height.abs())
            } else {
                A::infinity()
            }
        };
        let steepest = self.steepest_input().expect("an S shape has a steepest input");
        slopes::rising_and_falling(self.slope_range(), steepest, (lower, upper), |z| self.derivative(z), roundings)
    }
    fn steepest_input(&self) -> Option<A> {
        let (k, one) = (self.exponent, A::one());
        Some(if k <= one { A::zero() } else { self.half_input * ((k - one) / (k + one)).powf(one / k) })
    }
    fn cost(&self, x: A) -> A {
        let (r, s, one) = (self.max_rate, self.half_input, A::one());
        let u = x / r;
        if self.exponent != one || !(A::zero()..A::of(0.25)).contains(&u) {
            return self.potential(x) - A::of(0.5) * x * x;
        }
        // Psi = r s (-u - ln(1-u)) begins with r s u^2/2, which may be all but x^2/2: r s sum_{j>=3} u^j/j is the rest.
        let rest = power_series(u * u * u, u, |j| one / (j + A::of(3.0)));
        r * (s * rest + A::of(0.5) * (s - r) * u * u)
    }
    fn fenchel_young(&self, x: A, z: A) -> A {
        let (r, s) = (self.max_rate, self.half_input);
        if x < A::zero() || x > r || (x == r && self.exponent <= A::one()) {
            return A::infinity();
        }
        if z <= A::zero() {
            return self.potential(x) - x * z;
        }
        if x == A::zero() {
            return self.conjugate(z);
        }
        let v = z / s;
        if v.is_infinite() {
            return if x == r { A::zero() } else { (r - x) * z };
        }
        r * (s * self.scaled_gap(x / r, (r - x) / r, v))
    }
}

impl<A: Scalar> NakaRushton<A> {
    /// The Fenchel-Young gap over `r s`, from `u = x/r > 0`, `rest = 1 - u` and `v = z/s > 0`.
    fn scaled_gap(&self, u: A, rest: A, v: A) -> A {
        let (k, one) = (self.exponent, A::one());
        let (p, p_rest) = self.fractions(v);
        // Log-odds of u relative to those of p = phi(z)/r.
        let d = if p < A::of(0.5) { u - p } else { p_rest - rest };
        let odds = if rest == A::zero() { A::infinity() } else { ln_ratio(u, p, d) - ln_ratio(rest, p_rest, -d) };
        let panels = (odds.abs() / k.min(one)).ceil();
        if panels <= A::of(24.0) {
            // int (u - phi(w)/r) dw from v to phi^{-1}(x)/s, over the log-odds of phi(w), as a product of factors that
            // do not cancel.
            let integrand = |part: A| {
                let rise = (odds * part).exp();
                let fraction = p * rise / (p_rest + p * rise);
                fraction * rest * (odds * (one - part)).exp_m1() * (odds * part / k).exp()
            };
            let (mut sum, mut i) = (A::zero(), A::zero());
            while i < panels {
                sum += gauss_kronrod(integrand, i / panels, (i + one) / panels).0;
                i += one;
            }
            return odds * v / k * sum;
        }
        let w = if rest == A::zero() { A::infinity() } else { self.ratio(u, rest) };
        match (v <= one, w <= one) {
            (true, true) => u * (w - v) - (self.rise(w) - self.rise(v)),
            (true, false) => {
                let below = (one - v) - (self.rise(one) - self.rise(v));
                let above = self.tail_between(one, odds_above_half(u, rest) / k);
                below + (above - times_rest(rest, w - v))
            }
            (false, true) => {
                let above = (v - one) - self.tail_between(one, v.ln());
                above + (self.rise(one) - self.rise(w)) - u * (v - w)
            }
            // The tail is summed upwards from the lower of its ends.
            (false, false) if odds < A::zero() => rest * (v - w) - self.tail_between(w, -odds / k),
            (false, false) => self.tail_between(v, odds / k) - times_rest(rest, w - v),
        }
    }
}

/// `ln(a/b)` where `a - b = d`.
fn ln_ratio<A: Scalar>(a: A, b: A, d: A) -> A {
    if d.abs() < A::of(0.5) * b { (d / b).ln_1p() } else { a.ln() - b.ln() }
}

/// `ln(u/rest)`.
fn odds_above_half<A: Scalar>(u: A, rest: A) -> A {
    u.ln() - rest.ln()
}

/// `rest * width`, which tends to 0 with `rest` however large the width.
fn times_rest<A: Scalar>(rest: A, width: A) -> A {
    if rest == A::zero() { rest } else { rest * width }
}
