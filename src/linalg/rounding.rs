//! Directed rounding: each function returns a bound on the exact result of one operation on two floats.
//!
//! Exact results are returned as they are (found by error-free transformations), so that bounds on matrices of
//! small integers stay sharp. Overflow gives an infinite bound on the safe side, or a finite one that is still a bound.

/// Below this magnitude, 2^-968, the rounding error of a product may itself underflow: products of two significands have up to
/// 106 bits, and their last one must not fall below 2^-1074.
const SAFE_PRODUCT: f64 = 4.0 * f64::MIN_POSITIVE / f64::EPSILON;

/// A bound from above on `a + b`.
pub(crate) fn add_up(a: f64, b: f64) -> f64 {
    let s = a + b;
    if sum_error(a, b, s) > 0.0 { s.next_up() } else { overflow_up(s, a.is_infinite() || b.is_infinite()) }
}

/// A bound from below on `a + b`.
pub(crate) fn add_down(a: f64, b: f64) -> f64 {
    -add_up(-a, -b)
}

/// A bound from above on `a - b`.
pub(crate) fn sub_up(a: f64, b: f64) -> f64 {
    add_up(a, -b)
}

/// A bound from below on `a - b`.
pub(crate) fn sub_down(a: f64, b: f64) -> f64 {
    add_down(a, -b)
}

/// A bound from above on `a b`.
pub(crate) fn mul_up(a: f64, b: f64) -> f64 {
    let p = a * b;
    if a == 0.0 || b == 0.0 {
        return p;
    }
    if !p.is_finite() {
        return overflow_up(p, a.is_infinite() || b.is_infinite());
    }
    if is_negative_zero(p) {
        return p;
    }
    if p.abs() < SAFE_PRODUCT || a.mul_add(b, -p) > 0.0 { p.next_up() } else { p }
}

/// A bound from below on `a b`.
pub(crate) fn mul_down(a: f64, b: f64) -> f64 {
    -mul_up(-a, b)
}

/// A bound from above on `a / b`.
pub(crate) fn div_up(a: f64, b: f64) -> f64 {
    let q = a / b;
    if a == 0.0 {
        return q;
    }
    if !q.is_finite() {
        return overflow_up(q, a.is_infinite() || b == 0.0);
    }
    if is_negative_zero(q) {
        return q;
    }
    let exact = a.abs() >= SAFE_PRODUCT && q.abs() >= SAFE_PRODUCT && q.mul_add(b, -a) == 0.0;
    if exact { q } else { q.next_up() }
}

/// A bound from below on `a / b`.
pub(crate) fn div_down(a: f64, b: f64) -> f64 {
    -div_up(-a, b)
}

/// `gamma_k = k u / (1 - k u)` rounded up, `u` the unit roundoff; infinite when `k u >= 1`.
pub(crate) fn gamma(k: usize) -> f64 {
    let ku = mul_up(k as f64, 0.5 * f64::EPSILON);
    if ku >= 1.0 { f64::INFINITY } else { div_up(ku, sub_down(1.0, ku)) }
}

/// `a + b - s` for the rounded sum `s` (exact unless something overflowed; then zero).
fn sum_error(a: f64, b: f64, s: f64) -> f64 {
    let b_seen = s - a;
    let error = (a - (s - b_seen)) + (b - b_seen);
    if error.is_finite() { error } else { 0.0 }
}

/// What underflowed from below is below 0, which is nearer to it than the least positive number: bounds from below on products
/// and quotients of positive numbers are never negative.
fn is_negative_zero(rounded: f64) -> bool {
    rounded == 0.0 && rounded.is_sign_negative()
}

/// The largest finite number bounds from above what a negative overflow stands for.
fn overflow_up(rounded: f64, operand_was_infinite: bool) -> f64 {
    if rounded == f64::NEG_INFINITY && !operand_was_infinite { f64::MIN } else { rounded }
}

#[cfg(test)]
mod tests {
    use num_rational::BigRational;
    use proptest::prelude::*;

    use super::*;

    fn exact(x: f64) -> BigRational {
        BigRational::from_float(x).unwrap()
    }

    fn numbers() -> impl Strategy<Value = f64> {
        prop_oneof![
            -1e3..1e3,
            proptest::num::f64::NORMAL,
            proptest::num::f64::SUBNORMAL,
            (-50i32..50).prop_map(f64::from),
            (0.5..2.0f64).prop_map(|x| x * 1e-160),
        ]
    }

    /// `down <= exact <= up`, at most two floats apart, and equal if the exact value is a float of usual size.
    fn encloses(down: f64, up: f64, value: &BigRational) -> bool {
        let above = up == f64::INFINITY || exact(up) >= *value;
        let below = down == f64::NEG_INFINITY || exact(down) <= *value;
        above && below && down.next_up().next_up() >= up
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn results_enclose_the_exact_ones(a in numbers(), b in numbers()) {
            prop_assert!(encloses(add_down(a, b), add_up(a, b), &(exact(a) + exact(b))));
            prop_assert!(encloses(sub_down(a, b), sub_up(a, b), &(exact(a) - exact(b))));
            prop_assert!(encloses(mul_down(a, b), mul_up(a, b), &(exact(a) * exact(b))));
            if b != 0.0 {
                prop_assert!(encloses(div_down(a, b), div_up(a, b), &(exact(a) / exact(b))));
            }
        }
    }

    #[test]
    fn products_near_the_end_of_the_normal_range() {
        // Their product is below 2^-969, and 2^-1075 above a floating-point number.
        let (a, b) = (f64::from_bits(0x23ff_ffff_ffff_cfc7), f64::from_bits(0x1f4c_7b82_aa2b_41f7));
        assert!(encloses(mul_down(a, b), mul_up(a, b), &(exact(a) * exact(b))));
        // Bounds on positive numbers keep their sign when they underflow.
        let tiny = f64::from_bits(1);
        assert!(mul_down(tiny, 0.1).is_sign_positive() && div_down(tiny, 1e10).is_sign_positive());
        assert_eq!((mul_down(tiny, 0.1), mul_up(tiny, 0.1)), (0.0, tiny));
        assert_eq!((div_down(tiny, 1e10), div_up(tiny, 1e10)), (0.0, tiny));
        assert_eq!((mul_down(-tiny, 0.1), mul_up(-tiny, 0.1)), (-tiny, 0.0));
    }

    #[test]
    fn exact_results_stay_sharp() {
        assert_eq!((add_up(0.5, 3.0), mul_up(0.5, 3.0), div_up(3.0, 4.0)), (3.5, 1.5, 0.75));
        assert!(add_up(1.0, 1e-30) > 1.0 && add_down(1.0, 1e-30) == 1.0);
        assert!(gamma(10) >= 10.0 * f64::EPSILON / 2.0 && gamma(usize::MAX).is_infinite());
    }
}
