//! The few special functions that the closed forms need, without cancellation or overflow.

use crate::Scalar;

/// `tanh t`, without branches, so that a loop over a slice is carried out on vectors of numbers; to within 4 units in the last
/// place of `f64`.
///
/// `tanh t = m / (m + 2)` with `m = e^(2t) - 1`, and `m = 2^k p + (2^k - 1)` with `p = e^r - 1` from its power series, where
/// `2 |t| = k ln 2 + r`, `|r| <= ln 2 / 2`.
#[inline]
pub(super) fn tanh(t: f64) -> f64 {
    // A number so large that only whole numbers are left beside it, with 2^-52 of it in the last place.
    const WHOLE: f64 = 1.5 * (1_u64 << 52) as f64;
    // ln 2 in two parts; small multiples of the first are exact.
    const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    // Beyond, tanh is 1 to the last place.
    const LARGEST: f64 = 44.0;
    // 1/j! from j = 12 down to 2.
    const SERIES: [f64; 11] = [
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
    ];
    let twice = 2.0 * t.abs();
    // Written so that NaN stays NaN.
    let twice = if twice > LARGEST { LARGEST } else { twice };
    let shifted = twice * std::f64::consts::LOG2_E + WHOLE;
    let k = shifted - WHOLE;
    let r = (twice - k * LN_2_HIGH) - k * LN_2_LOW;
    let series = SERIES.iter().fold(1.0 / 6_227_020_800.0, |sum, c| sum * r + c);
    let p = r + r * r * series;
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    let m = power * p + (power - 1.0);
    (m / (m + 2.0)).copysign(t)
}

/// `1/(1 + e^{-t})`.
pub(super) fn logistic<A: Scalar>(t: A) -> A {
    let e = (-t.abs()).exp();
    if t >= A::zero() { A::one() / (A::one() + e) } else { e / (A::one() + e) }
}

/// `ln(1 + e^t)`.
pub(super) fn softplus<A: Scalar>(t: A) -> A {
    t.max(A::zero()) + (-t.abs()).exp().ln_1p()
}

/// The half-width of the interval on which `e^{-t}` is far from underflow.
pub(super) fn exp_range<A: Scalar>() -> A {
    A::of(0.8) * -A::min_positive_value().ln()
}

/// `(1+r) ln(1+r) - r >= 0` for `r >= -1`: the Bregman divergence of `s ln s` between `1+r` and 1.
pub(super) fn entropy_gap<A: Scalar>(r: A) -> A {
    if r.abs() < A::of(0.2) {
        // sum_{j>=2} (-r)^j / (j (j-1))
        return power_series(r * r, -r, |j| A::one() / ((j + A::of(1.0)) * (j + A::of(2.0))));
    }
    // Rounding may lead below -1.
    if r <= -A::one() { A::one() } else { (A::one() + r) * r.ln_1p() - r }
}

/// `(1+r)^{1+p} - 1 - (1+p) r >= 0` for `-1 <= r <= 1`, `p > 0`: the Bregman divergence of `s^{1+p}` between `1+r` and 1.
pub(super) fn power_gap<A: Scalar>(r: A, p: A) -> A {
    // Where nothing cancels below, the terms of the series may overflow.
    if r.abs() < A::of(0.25) && (p * r).abs() < A::one() {
        // sum_{j>=2} binom(1+p, j) r^j
        let mut term = (A::one() + p) * p * r * r / A::of(2.0);
        let (mut sum, mut j) = (A::zero(), A::of(2.0));
        while term != A::zero() && term.abs() >= sum.abs() * A::epsilon() / A::of(8.0) {
            sum += term;
            term = term * r * (A::one() + p - j) / (j + A::one());
            j += A::one();
        }
        return sum;
    }
    if r <= -A::one() {
        return p;
    }
    let growth = (p * r.ln_1p()).exp_m1();
    (growth - p * r) + r * growth
}

/// `e^{-v} - 1 + v >= 0`: the Bregman divergence of the exponential.
pub(super) fn exponential_gap<A: Scalar>(v: A) -> A {
    if v.abs() < A::of(0.3) {
        let mut term = v * v / A::of(2.0);
        let (mut sum, mut j) = (A::zero(), A::of(3.0));
        while term != A::zero() && term.abs() >= sum.abs() * A::epsilon() / A::of(8.0) {
            sum += term;
            term = -term * v / j;
            j += A::one();
        }
        return sum;
    }
    (-v).exp_m1() + v
}

/// `first * sum_j coefficient(j) x^j`, for `|x|` well below 1 and bounded coefficients.
pub(super) fn power_series<A: Scalar>(first: A, x: A, coefficient: impl Fn(A) -> A) -> A {
    let (mut power, mut sum, mut j) = (A::one(), A::zero(), A::zero());
    loop {
        let term = power * coefficient(j);
        sum += term;
        if term.is_nan() || term.abs() <= sum.abs() * A::epsilon() / A::of(8.0) {
            return first * sum;
        }
        power *= x;
        j += A::one();
    }
}

/// `sum_{j>=0} (-1)^j moment(j)` where the moments are those of a positive measure on `[0, 1]`.
///
/// Convergence is accelerated by Chebyshev polynomials (Cohen, Rodriguez Villegas, Zagier 2000, algorithm 1): 24 terms
/// leave a relative error of about `2 * 5.8^{-24}`, well below double precision, even at the edge of convergence.
pub(super) fn alternating_sum<A: Scalar>(moment: impl Fn(A) -> A) -> A {
    const TERMS: u32 = 24;
    let n = f64::from(TERMS);
    let d = (3.0 + 8f64.sqrt()).powi(TERMS as i32);
    let d = (d + 1.0 / d) / 2.0;
    let (mut b, mut c, mut sum) = (-1.0, -d, A::zero());
    for j in 0..TERMS {
        let k = f64::from(j);
        c = b - c;
        sum += A::of(c / d) * moment(A::of(k));
        b *= (k + n) * (k - n) / ((k + 0.5) * (k + 1.0));
    }
    sum
}

/// `B_{2k} / (2k+1)!` for `k >= 1`, `B` the Bernoulli numbers.
const BERNOULLI: [f64; 18] = [
    2.777_777_777_777_778e-2,
    -2.777_777_777_777_778e-4,
    4.724_111_866_969_01e-6,
    -9.185_773_074_661_964e-8,
    1.897_886_998_897_1e-9,
    -4.064_761_645_144_225_6e-11,
    8.921_691_020_456_452e-13,
    -1.993_929_586_072_107_4e-14,
    4.518_980_029_619_918e-16,
    -1.035_651_761_218_124_7e-17,
    2.395_218_621_026_186_5e-19,
    -5.581_785_874_325_009e-21,
    1.309_150_755_418_321_3e-22,
    -3.087_419_802_426_740_3e-24,
    7.315_975_652_702_203e-26,
    -1.740_845_657_234_001e-27,
    4.157_635_644_613_9e-29,
    -9.962_148_488_284_622e-31,
];

/// `sum_k B_{2k}/(2k+1)! weight(2k) s^{2k+1}` for `|s| <= 2`.
fn bernoulli_series<A: Scalar>(s: A, weight: impl Fn(f64) -> f64) -> A {
    let s2 = s * s;
    let mut power = s;
    let mut sum = A::zero();
    for (i, c) in BERNOULLI.iter().enumerate() {
        power *= s2;
        sum += A::of(c * weight(2.0 * (i as f64 + 1.0))) * power;
    }
    sum
}

/// `Li_2(1)`.
pub(super) const PI_SQUARED_SIXTH: f64 = std::f64::consts::PI * std::f64::consts::PI / 6.0;

/// `-Li_2(-e^t) = int_{-inf}^t ln(1 + e^s) ds` for `t <= 0`, `Li_2` the dilogarithm.
pub(super) fn softplus_integral<A: Scalar>(t: A) -> A {
    // With `l = ln(1 + e^t)`, Landen's identity gives `-Li_2(-e^t) = Li_2(1 - e^{-l}) + l^2/2`, and
    // `Li_2(1 - e^{-l}) = l - l^2/4 + sum_k B_{2k}/(2k+1)! l^{2k+1}`.
    let l = softplus(t);
    l + l * l / A::of(4.0) + bernoulli_series(l, |_| 1.0)
}

/// `Li_2(e^{-y}) - pi^2/6 = int_0^y ln(1 - e^{-s}) ds` for `y >= 0`.
pub(super) fn dilogarithm_deficit<A: Scalar>(y: A) -> A {
    if y <= A::of(2.0) {
        return softplus_inverse_integral(y) - y * y / A::of(2.0);
    }
    let u = (-y).exp();
    power_series(u, u, |j| A::one() / ((j + A::one()) * (j + A::one()))) - A::of(PI_SQUARED_SIXTH)
}

/// `int_0^y ln(e^s - 1) ds` for `0 <= y <= 2`.
pub(super) fn softplus_inverse_integral<A: Scalar>(y: A) -> A {
    if y == A::zero() {
        return y;
    }
    let smooth = y * y / A::of(4.0) + bernoulli_series(y, |m| 1.0 / m);
    y * (y.ln() - A::one()) + smooth
}

/// `1/(1 - e^{-s}) - 1/s - 1/2` for `|s| <= 2`: the smooth part of the second derivative of
/// [`softplus_inverse_integral`].
pub(super) fn softplus_curvature<A: Scalar>(s: A) -> A {
    if s == A::zero() {
        return s;
    }
    bernoulli_series(s, |m| m + 1.0) / s / s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tanh_is_that_of_the_standard_library() {
        let grid = (-200..=1400).map(|k| 10f64.powf(f64::from(k) / 1000.0 * 1.2));
        let tiny = (1..=320).map(|k| 10f64.powi(-k));
        for t in grid.chain(tiny).flat_map(|t| [t, -t]) {
            let (found, expected) = (tanh(t), t.tanh());
            let close = (found - expected).abs() <= 4.0 * f64::EPSILON * expected.abs();
            assert!(close || found == expected, "tanh {t} = {found:e}, not {expected:e}");
        }
        for (t, expected) in [(0.0, 0.0), (f64::INFINITY, 1.0), (f64::MAX, 1.0), (f64::NEG_INFINITY, -1.0), (19.5, 1.0)]
        {
            assert_eq!(tanh(t), expected);
        }
        assert!(tanh(-0.0).is_sign_negative() && tanh(f64::NAN).is_nan());
    }
}
