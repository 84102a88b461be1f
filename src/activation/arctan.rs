//! The arc tangent.

use super::special::power_series;
use super::{ActivationCost, Domain, SlopeRange, slopes};
use crate::Scalar;

/// `phi(z) = (2/pi) atan(pi z/2)`; `Psi(x) = -(4/pi^2) ln cos(pi x/2)` on `(-1, 1)`, which grows without bound towards
/// both ends.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Arctan;

/// `ln cos(pi x/2)` for `0 <= x <= 1`.
fn ln_cos<A: Scalar>(x: A) -> A {
    let a = A::FRAC_PI_2();
    if x < A::of(0.5) {
        let s = (a * x).sin();
        A::of(0.5) * (-s * s).ln_1p()
    } else {
        (a * (A::one() - x)).sin().ln()
    }
}

/// `ln(1 + y^2)/2`.
fn ln_hypot<A: Scalar>(y: A) -> A {
    let y = y.abs();
    let half = A::of(0.5);
    if y < A::one() { half * (y * y).ln_1p() } else { y.ln() + half * (A::one() / y / y).ln_1p() }
}

/// `-ln(1 - e) - e >= 0`.
fn log_excess<A: Scalar>(e: A) -> A {
    if e.abs() < A::of(0.2) { power_series(e * e, e, |j| A::one() / (j + A::of(2.0))) } else { -(-e).ln_1p() - e }
}

/// `sin d - d`.
fn sine_excess<A: Scalar>(d: A) -> A {
    let mut term = -d * d * d / A::of(6.0);
    let (mut sum, mut j) = (A::zero(), A::of(4.0));
    while term.abs() > sum.abs() * A::epsilon() / A::of(8.0) {
        sum += term;
        term = -term * d * d / (j * (j + A::one()));
        j += A::of(2.0);
    }
    sum
}

impl<A: Scalar> ActivationCost<A> for Arctan {
    fn name(&self) -> String {
        "arctan".into()
    }
    fn activate(&self, z: A) -> A {
        (A::FRAC_PI_2() * z).atan() / A::FRAC_PI_2()
    }
    fn derivative(&self, z: A) -> A {
        let y = (A::FRAC_PI_2() * z).abs();
        if y < A::one() { A::one() / (A::one() + y * y) } else { A::one() / y / (y + A::one() / y) }
    }
    fn inverse(&self, x: A) -> A {
        let a = A::FRAC_PI_2();
        let size = x.abs();
        if size > A::one() {
            return A::nan();
        }
        if size < A::of(0.5) { (a * x).tan() / a } else { (A::one() / ((a * (A::one() - size)).tan() * a)).copysign(x) }
    }
    fn potential(&self, x: A) -> A {
        let size = x.abs();
        if size >= A::one() {
            return A::infinity();
        }
        -ln_cos(size) / A::FRAC_PI_2() / A::FRAC_PI_2()
    }
    fn conjugate(&self, z: A) -> A {
        if z.is_infinite() {
            return A::infinity();
        }
        let a = A::FRAC_PI_2();
        let y = a * z;
        // (2/pi) z atan y instead of y atan y/a^2 keeps clear of overflow.
        z * (y.atan() / a) - ln_hypot(y) / a / a
    }
    fn domain(&self) -> Domain<A> {
        Domain::new(-A::one(), A::one())
    }
    fn slope_range(&self) -> SlopeRange<A> {
        SlopeRange::exact(A::zero(), A::one())
    }
    fn slope_range_on(&self, lower: A, upper: A) -> SlopeRange<A> {
        let roundings = |_| A::of(12.0);
        slopes::rising_and_falling(self.slope_range(), A::zero(), (lower, upper), |z| self.derivative(z), roundings)
    }
    fn steepest_input(&self) -> Option<A> {
        Some(A::zero())
    }
    fn cost(&self, x: A) -> A {
        let half = A::of(0.5);
        if x.abs() > A::of(0.3) {
            return self.potential(x) - half * x * x;
        }
        // With y = pi x/2 and s = sin y: -ln cos y - y^2/2 = (-ln(1 - s^2) - s^2)/2 + (s^2 - y^2)/2.
        let y = A::FRAC_PI_2() * x;
        let s = y.sin();
        half * (log_excess(s * s) + sine_excess(y) * (s + y)) / A::FRAC_PI_2() / A::FRAC_PI_2()
    }
    fn fenchel_young(&self, x: A, z: A) -> A {
        let (a, one, half) = (A::FRAC_PI_2(), A::one(), A::of(0.5));
        if x.abs() >= one || z.is_infinite() {
            return A::infinity();
        }
        // By symmetry z >= 0. In angles, x = sin-like `alpha`, phi(z) = `theta`, and with `delta = alpha - theta` the gap is
        // -(delta tan(theta) + ln(cos(alpha)/cos(theta))) (2/a)^2.
        let (x, z) = if z < A::zero() { (-x, -z) } else { (x, z) };
        let slope = a * z;
        let delta = if slope > one && x > half { (one / slope).atan() - a * (one - x) } else { a * x - slope.atan() };
        if delta.abs() > half {
            return -(delta / a) * z - (ln_cos(x.abs()) + ln_hypot(slope)) / a / a;
        }
        // cos(alpha)/cos(theta) = cos(delta) - tan(theta) sin(delta) = 1 - e
        let s = (half * delta).sin();
        let versine = A::of(2.0) * s * s;
        let e = slope * delta.sin() + versine;
        (log_excess(e) + versine + slope * sine_excess(delta)) / a / a
    }
}
