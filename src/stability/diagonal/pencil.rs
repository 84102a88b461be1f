//! The matrices `W + delta R^-1`, of which every question here is about.

use std::borrow::Cow;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use super::exact::Expansion;
use super::weights::{frexp, ldexp};
use crate::linalg::rounding::{add_down, add_up, div_down, div_up, mul_down, mul_up};
use crate::stability::Subject;
use crate::stability::subject::Matrix;

/// `W + delta R^-1` with `R = diag(rho)`: a matrix whose diagonal moves with `delta`.
///
/// A plain matrix has `rho = 1` and the `delta` [`OF_MATRIX`]; the matrix `W - R^-1` of a network has [`OF_SHIFTED`].
#[derive(Debug, Clone)]
pub(super) struct Pencil<'a> {
    /// `W`, row by row.
    entries: Cow<'a, [f64]>,
    pub(super) rho: Array1<f64>,
}

/// The `delta` of the question about a matrix `W` itself.
pub(super) const OF_MATRIX: f64 = 0.0;
/// The `delta` of the question about `W - R^-1`.
pub(super) const OF_SHIFTED: f64 = -1.0;

/// An interval that contains each diagonal entry of `W + delta R^-1`.
#[derive(Debug, Clone)]
pub(super) struct Diagonal {
    pub(super) lower: Array1<f64>,
    pub(super) upper: Array1<f64>,
}

/// The `delta` of the question that a subject asks.
pub(super) fn origin(subject: &Subject<'_>) -> f64 {
    if subject.is_shifted() { OF_SHIFTED } else { OF_MATRIX }
}

impl<'a> Pencil<'a> {
    pub(super) fn of(subject: &'a Subject<'_>) -> Self {
        let rho = subject.rho().to_owned();
        match subject.matrix() {
            Matrix::Dense(w) => {
                Self { entries: Cow::Borrowed(w.as_slice().expect("a subject's matrix is in standard layout")), rho }
            }
            Matrix::Sparse(w) => Pencil::new(w.to_dense(), rho),
        }
    }

    pub(super) fn new(w: Array2<f64>, rho: Array1<f64>) -> Pencil<'static> {
        let w = if w.is_standard_layout() { w } else { w.as_standard_layout().into_owned() };
        Pencil { entries: Cow::Owned(w.into_raw_vec_and_offset().0), rho }
    }

    /// The same `W` with other slopes.
    pub(super) fn with_slopes(&self, rho: Array1<f64>) -> Pencil<'_> {
        Pencil { entries: Cow::Borrowed(&self.entries), rho }
    }

    pub(super) fn size(&self) -> usize {
        self.rho.len()
    }

    pub(super) fn matrix(&self) -> ArrayView2<'_, f64> {
        let n = self.size();
        ArrayView2::from_shape((n, n), &self.entries).expect("a pencil has n^2 entries")
    }

    /// The diagonal of `W`.
    pub(super) fn own(&self) -> ArrayView1<'_, f64> {
        self.matrix().into_diag()
    }

    /// Bounds on the diagonal of `W + delta R^-1`: exact where the arithmetic is.
    pub(super) fn diagonal(&self, delta: f64) -> Diagonal {
        Diagonal::new(self.own().iter().copied(), &self.rho, delta)
    }

    /// Bounds on `-w_ii rho_i`, the `delta` at which each diagonal entry is zero.
    pub(super) fn zero_crossings(&self) -> Vec<(f64, f64)> {
        let bounds = |(&w, &rho): (&f64, &f64)| (mul_down(0.0 - w, rho), mul_up(0.0 - w, rho));
        self.own().iter().zip(&self.rho).map(bounds).collect()
    }

    /// The principal pencil of the given rows and columns.
    pub(super) fn block(&self, indices: &[usize]) -> Pencil<'static> {
        let w = self.matrix().select(Axis(0), indices).select(Axis(1), indices);
        Pencil::new(w, self.rho.select(Axis(0), indices))
    }
}

impl Diagonal {
    /// Bounds on `w_ii + delta / rho_i`.
    pub(super) fn new(w: impl Iterator<Item = f64>, rho: &Array1<f64>, delta: f64) -> Self {
        let (lower, upper): (Vec<f64>, Vec<f64>) = w.zip(rho).map(|(w, &rho)| shifted(w, delta, rho)).unzip();
        Self { lower: lower.into(), upper: upper.into() }
    }

    pub(super) fn block(&self, indices: &[usize]) -> Self {
        Self { lower: self.lower.select(Axis(0), indices), upper: self.upper.select(Axis(0), indices) }
    }

    pub(super) fn upper(&self) -> ArrayView1<'_, f64> {
        self.upper.view()
    }

    pub(super) fn lower(&self) -> ArrayView1<'_, f64> {
        self.lower.view()
    }
}

/// An interval that contains `w + delta / rho`, a single point if the floating-point result is exact.
///
/// It is a few units in the last place of its own ends wide, however much cancels, and its ends have the sign of the exact
/// number or are 0: what [`Pencil::zero_crossings`] bounds is confirmed here.
fn shifted(w: f64, delta: f64, rho: f64) -> (f64, f64) {
    if delta == 0.0 {
        return (w, w);
    }
    let (low, high) = (add_down(w, div_down(delta, rho)), add_up(w, div_up(delta, rho)));
    // Where little cancels, two roundings do little harm.
    if low == high || high - low <= 4.0 * f64::EPSILON * low.abs().min(high.abs()) {
        return (low, high);
    }
    match over_common_denominator(w, delta, rho) {
        Some((lower, upper)) => (low.max(lower), high.min(upper)),
        None => (low, high),
    }
}

/// Bounds on `(w rho + delta) / rho` from the exact numerator; `None` where nothing cancels, because one of its terms is far
/// larger than the other.
fn over_common_denominator(w: f64, delta: f64, rho: f64) -> Option<(f64, f64)> {
    const FAR: i32 = 200;
    if w == 0.0 {
        return None;
    }
    let ((m_w, e_w), (m_delta, e_delta), (m_rho, e_rho)) = (frexp(w), frexp(delta), frexp(rho));
    let (product, top) = (e_w + e_rho, e_delta.max(e_w + e_rho));
    if e_delta < top - FAR || product < top - FAR {
        return None;
    }
    let mut numerator = Expansion::default();
    numerator.add_product(ldexp(m_w, product - top), m_rho)?;
    numerator.add(ldexp(m_delta, e_delta - top));
    let (low, high) = numerator.bounds();
    let exponent = top - e_rho;
    Some((-scaled_up(div_up(-low, m_rho), exponent), scaled_up(div_up(high, m_rho), exponent)))
}

/// A bound from above on `x 2^e`; not above 0 unless `x` is.
fn scaled_up(x: f64, e: i32) -> f64 {
    let scaled = ldexp(x, e);
    if x == 0.0 || (scaled.abs() > f64::MIN_POSITIVE && scaled.is_finite()) {
        return scaled;
    }
    if scaled.is_infinite() {
        return if x < 0.0 { f64::MIN } else { scaled };
    }
    // Off by at most two of the smallest numbers.
    let above = scaled.next_up().next_up();
    if x < 0.0 { above.min(0.0) } else { above }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_rational::BigRational;
    use num_traits::Signed;
    use proptest::prelude::*;

    /// Positive numbers of moderate and of every size.
    fn positive() -> impl Strategy<Value = f64> {
        use proptest::num::f64::{NORMAL, POSITIVE, SUBNORMAL};
        prop_oneof![
            0.2..3.0,
            POSITIVE | NORMAL | SUBNORMAL,
            (0.5..2.0f64).prop_map(|x| x * 1e-310),
            (1..9u8).prop_map(f64::from)
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn diagonals_are_enclosed_and_vanish_where_their_zero_crossings_say(
            size in positive(), rho in positive(), delta in positive(), signs in any::<[bool; 2]>(), near in -2..3i32,
        ) {
            let exact = |x: f64| BigRational::from_float(x).unwrap();
            let w = if signs[0] { size } else { -size };
            let pencil = Pencil::new(Array2::from_elem((1, 1), w), Array1::from_elem(1, rho));
            let (low, high) = pencil.zero_crossings()[0];
            let crossing = -exact(w) * exact(rho);
            prop_assert!(low == f64::NEG_INFINITY || exact(low) <= crossing);
            prop_assert!(high == f64::INFINITY || exact(high) >= crossing);
            let steps = |x: f64| (0..near.abs()).fold(x, |x, _| if near < 0 { x.next_down() } else { x.next_up() });
            for delta in [if signs[1] { delta } else { -delta }, low, high, steps(low)] {
                if !delta.is_finite() {
                    continue;
                }
                let (lower, upper) = shifted(w, delta, rho);
                let value = exact(w) + exact(delta) / exact(rho);
                prop_assert!(lower == f64::NEG_INFINITY || exact(lower) <= value, "{lower:e} of {w:e} {delta:e} {rho:e}");
                prop_assert!(upper == f64::INFINITY || exact(upper) >= value, "{upper:e} of {w:e} {delta:e} {rho:e}");
                prop_assert!(upper <= 0.0 || value.is_positive(), "{upper:e} of {w:e} {delta:e} {rho:e}");
                prop_assert!(lower >= 0.0 || value.is_negative(), "{lower:e} of {w:e} {delta:e} {rho:e}");
                // Narrow, wherever the numbers are normal ones.
                if lower.is_normal() && upper.is_normal() {
                    prop_assert!(upper - lower <= 8.0 * f64::EPSILON * upper.abs(), "{lower:e} {upper:e}");
                }
            }
        }
    }

    #[test]
    fn shifted_diagonals_are_enclosed_and_exact_where_f64_is() {
        assert_eq!(shifted(0.5, -1.0, 1.0), (-0.5, -0.5));
        assert_eq!(shifted(3.0, 1.0, 4.0), (3.25, 3.25));
        let exact = |x: f64| BigRational::from_float(x).unwrap();
        for (w, delta, rho) in
            [(0.1, -1.0, 1.0), (1e-30, -1.0, 1.0), (0.3, -1.0, 3.0), (1e17, 0.1, 7.0), (-1.0, 1.0, 1.0)]
        {
            let (low, high) = shifted(w, delta, rho);
            let value = exact(w) + exact(delta) / exact(rho);
            assert!(exact(low) <= value && value <= exact(high), "{w} + {delta}/{rho}");
            assert!(high - low <= 4e-16 * 4.0 * (w.abs() + (delta / rho).abs()), "{w} + {delta}/{rho}: {}", high - low);
        }
    }
}
