//! Activations in other units of input and rate.

use super::parameter::{finite, positive};
use super::{ActivationCost, Domain, Growth, LinearPiece, SlopeRange, Tail, numeric, prox};
use crate::Scalar;
use crate::error::Result;
use crate::linalg::rounding::{mul_down, mul_up, sub_down, sub_up};

/// `phi(z) = a f(b (z - h)) + c`, where `f` is another activation: amplitude `a`, gain `b`, threshold `h`, offset `c`.
///
/// All closed forms of `f` are kept, with `y = (x - c)/a` and `w = b (z - h)`:
///
/// - `Psi(x) = (a/b) Psi_f(y) + h (x - c)` and `Psi*(z) = (a/b) Psi*_f(w) + c z`,
/// - the Fenchel-Young gap of `(x, z)` is `a/b` times that of `(y, w)`,
/// - slopes are multiplied by `a b`, pieces and kinks move to `h + w/b`.
///
/// Relative errors are those of `f`, and what the rounding of `y` and `w` makes of them.
///
/// ```
/// use neuronash::activation::{ActivationCost, Logistic, PowerLaw, Scaled};
///
/// // The power law of supralinear networks, `0.3 max(0, z)^2`.
/// let supralinear = Scaled::new(PowerLaw::new(2.0)?).with_amplitude(0.3)?;
/// assert_eq!(supralinear.activate(2.0), 0.3 * 4.0);
///
/// // Wilson and Cowan's logistic, moved so that it is 0 at rest: `S(1.3 (z - 4)) - S(-1.3 * 4)`.
/// let e = Scaled::new(Logistic::with_gain_and_threshold(1.3, 4.0)?).vanishing_at_rest()?;
/// assert_eq!(e.activate(0.0), 0.0);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "A: Scalar + serde::Serialize, P: serde::Serialize",
        deserialize = "A: Scalar + serde::Deserialize<'de>, P: serde::Deserialize<'de>"
    ))
)]
pub struct Scaled<A, P> {
    activation: P,
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::parameter::deserialized::positive"))]
    amplitude: A,
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::parameter::deserialized::positive"))]
    gain: A,
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::parameter::deserialized::finite"))]
    threshold: A,
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::parameter::deserialized::finite"))]
    offset: A,
}

impl<A: Scalar, P: ActivationCost<A>> Scaled<A, P> {
    /// The activation itself: amplitude 1, gain 1, threshold 0, offset 0.
    pub fn new(activation: P) -> Self {
        Self { activation, amplitude: A::one(), gain: A::one(), threshold: A::zero(), offset: A::zero() }
    }

    /// The amplitude `a`, in units of rate.
    ///
    /// # Errors
    /// Unless it is positive and finite.
    pub fn with_amplitude(self, amplitude: A) -> Result<Self> {
        Ok(Self { amplitude: positive("amplitude", amplitude)?, ..self })
    }

    /// The gain `b`, in units of 1/input.
    ///
    /// # Errors
    /// Unless it is positive and finite.
    pub fn with_gain(self, gain: A) -> Result<Self> {
        Ok(Self { gain: positive("gain", gain)?, ..self })
    }

    /// The threshold `h`, in units of input.
    ///
    /// # Errors
    /// Unless it is finite.
    pub fn with_threshold(self, threshold: A) -> Result<Self> {
        Ok(Self { threshold: finite("threshold", threshold)?, ..self })
    }

    /// The offset `c`, in units of rate.
    ///
    /// # Errors
    /// Unless it is finite.
    pub fn with_offset(self, offset: A) -> Result<Self> {
        Ok(Self { offset: finite("offset", offset)?, ..self })
    }

    /// The offset at which `phi(0) = 0` for the amplitude, gain and threshold as they are now.
    ///
    /// # Errors
    /// If the rate without an offset is not finite at 0.
    pub fn vanishing_at_rest(self) -> Result<Self> {
        let offset = -self.amplitude * self.activation.activate(self.inner_drive(A::zero()));
        self.with_offset(offset)
    }

    /// The activation `f`.
    pub fn activation(&self) -> &P {
        &self.activation
    }

    /// The amplitude `a`.
    pub fn amplitude(&self) -> A {
        self.amplitude
    }

    /// The gain `b`.
    pub fn gain(&self) -> A {
        self.gain
    }

    /// The threshold `h`.
    pub fn threshold(&self) -> A {
        self.threshold
    }

    /// The offset `c`.
    pub fn offset(&self) -> A {
        self.offset
    }

    /// `w = b (z - h)`.
    fn inner_drive(&self, z: A) -> A {
        self.gain * (z - self.threshold)
    }

    /// `h + w/b`.
    fn outer_drive(&self, w: A) -> A {
        self.threshold + w / self.gain
    }

    /// `a y + c`.
    fn outer_rate(&self, y: A) -> A {
        self.amplitude * y + self.offset
    }

    /// `y = (x - c)/a`. Rates within the domain stay in it, and its ends are the ends.
    fn inner_rate(&self, x: A) -> A {
        let (inner, outer) = (self.activation.domain(), self.domain());
        let y = (x - self.offset) / self.amplitude;
        if x == outer.lower {
            inner.lower
        } else if x == outer.upper {
            inner.upper
        } else if outer.contains(x) {
            y.max(inner.lower).min(inner.upper)
        } else if inner.contains(y) {
            // Outside by less than the rounding of `y`.
            if x < outer.lower { A::neg_infinity() } else { A::infinity() }
        } else {
            y
        }
    }

    /// `a/b`, the unit of cost.
    fn cost_unit(&self) -> A {
        self.amplitude / self.gain
    }

    /// Of the drives at which `f` has the value that it has at `w`, which is the nearest to 0 of them, the nearest to
    /// `goal`.
    fn nearest_source(&self, w: A, y: A, goal: A) -> A {
        let towards = if goal < w { -A::one() } else { A::one() };
        let step = A::of(8.0) * (w.abs() * A::epsilon() + A::min_positive_value());
        let leaves_zero = w == A::zero() || (w < A::zero()) == (goal < w);
        if !w.is_finite() || !leaves_zero || self.activation.derivative(w + towards * step) != A::zero() {
            return w;
        }
        if goal < w {
            numeric::sign_change(|v| self.activation.activate(v) >= y, goal, w)
        } else {
            // The last drive that has the value, from below.
            let beyond = numeric::sign_change(|v| self.activation.activate(v) > y, w, goal);
            if self.activation.activate(beyond) > y { beyond - (beyond.abs() * A::epsilon()) } else { beyond }
        }
    }
}

/// The products of `a b` and slopes, rounded outwards.
fn times_slopes<A: Scalar>(amplitude: A, gain: A, slopes: SlopeRange<A>) -> SlopeRange<A> {
    let [a, b, min, max] = [amplitude, gain, slopes.min, slopes.max].map(Scalar::to_double);
    let lower = if min >= 0.0 { mul_down(mul_down(a, b), min) } else { mul_down(mul_up(a, b), min) };
    let upper = mul_up(mul_up(a, b), max);
    SlopeRange { min: at_most(lower), max: A::at_least(upper), exact: slopes.exact }
}

/// The largest number that is not above `x`.
fn at_most<A: Scalar>(x: f64) -> A {
    -A::at_least(-x)
}

impl<A: Scalar, P: ActivationCost<A>> ActivationCost<A> for Scaled<A, P> {
    fn name(&self) -> String {
        let Self { amplitude, gain, threshold, offset, .. } = *self;
        let (zero, one) = (A::zero(), A::one());
        let parts = [("amplitude", amplitude, one), ("gain", gain, one), ("threshold", threshold, zero)];
        let named = parts.into_iter().chain([("offset", offset, zero)]).filter(|(_, value, usual)| value != usual);
        let list: Vec<String> = named.map(|(name, value, _)| format!("{name} {value}")).collect();
        let inner = self.activation.name();
        if list.is_empty() { inner } else { format!("{inner} scaled by {}", list.join(", ")) }
    }
    fn activate(&self, z: A) -> A {
        self.outer_rate(self.activation.activate(self.inner_drive(z)))
    }
    fn derivative(&self, z: A) -> A {
        self.amplitude * (self.gain * self.activation.derivative(self.inner_drive(z)))
    }
    fn inverse(&self, x: A) -> A {
        if !self.domain().contains(x) {
            return A::nan();
        }
        let y = self.inner_rate(x);
        let goal = self.inner_drive(A::zero());
        if self.activation.activate(goal) == y {
            return A::zero();
        }
        self.outer_drive(self.nearest_source(self.activation.inverse(y), y, goal))
    }
    fn potential(&self, x: A) -> A {
        let price = self.cost_unit() * self.activation.potential(self.inner_rate(x));
        if price == A::infinity() || self.threshold == A::zero() {
            return price;
        }
        price + self.threshold * (x - self.offset)
    }
    fn conjugate(&self, z: A) -> A {
        let inner = self.cost_unit() * self.activation.conjugate(self.inner_drive(z));
        if self.offset == A::zero() { inner } else { inner + self.offset * z }
    }
    fn domain(&self) -> Domain<A> {
        let Domain { lower, upper } = self.activation.domain();
        Domain::new(self.outer_rate(lower), self.outer_rate(upper))
    }
    fn slope_range(&self) -> SlopeRange<A> {
        times_slopes(self.amplitude, self.gain, self.activation.slope_range())
    }
    fn slope_range_on(&self, lower: A, upper: A) -> SlopeRange<A> {
        let [b, h, from, to] = [self.gain, self.threshold, lower, upper].map(Scalar::to_double);
        let (below, above) = (sub_down(from, h), sub_up(to, h));
        let inner = self.activation.slope_range_on(at_most(mul_down(b, below)), A::at_least(mul_up(b, above)));
        times_slopes(self.amplitude, self.gain, inner)
    }
    fn steepest_input(&self) -> Option<A> {
        self.activation.steepest_input().map(|w| self.outer_drive(w))
    }
    fn linear_pieces(&self) -> Option<Vec<LinearPiece<A>>> {
        let scaled = |piece: LinearPiece<A>| {
            let slope = self.amplitude * (self.gain * piece.slope);
            LinearPiece {
                lower: self.outer_drive(piece.lower),
                upper: self.outer_drive(piece.upper),
                slope,
                intercept: self.outer_rate(piece.intercept) - slope * self.threshold,
            }
        };
        Some(self.activation.linear_pieces()?.into_iter().map(scaled).collect())
    }
    fn growth(&self) -> Growth<A> {
        let scaled = |tail| match tail {
            Tail::Quadratic { slope, intercept } => {
                let slope = self.amplitude * (self.gain * slope);
                Tail::Quadratic { slope, intercept: self.outer_rate(intercept) - slope * self.threshold }
            }
            other => other,
        };
        let Growth { lower, upper } = self.activation.growth();
        Growth { lower: scaled(lower), upper: scaled(upper) }
    }
    fn cost(&self, x: A) -> A {
        let half = A::of(0.5);
        let inner = self.cost_unit() * self.activation.cost(self.inner_rate(x));
        if inner == A::infinity() {
            return inner;
        }
        // (a/b) Psi_f(y) - x^2/2 with the square that f's cost lacks, of which nothing is left where a b = 1 and h = c
        // = 0.
        let above = x - self.offset;
        let excess = A::one() / (self.amplitude * self.gain) - A::one();
        let square = if excess == A::zero() { excess } else { half * excess * above * above };
        let tilt = self.threshold - self.offset;
        let linear = if tilt == A::zero() { tilt } else { tilt * above };
        inner + square + linear - half * self.offset * self.offset
    }
    fn prox(&self, z: A, step: A) -> A {
        if !(step > A::zero() && step < A::one()) {
            return prox::prox(self, z, step);
        }
        let scale = step + self.amplitude * self.gain * (A::one() - step);
        let drive = self.gain * ((z - self.offset) + step * (self.offset - self.threshold)) / scale;
        let inner_step = step / scale;
        if inner_step.is_normal() && drive.is_finite() {
            self.outer_rate(self.activation.prox(drive, inner_step))
        } else {
            prox::prox(self, z, step)
        }
    }
    fn fenchel_young(&self, x: A, z: A) -> A {
        self.cost_unit() * self.activation.fenchel_young(self.inner_rate(x), self.inner_drive(z))
    }
    fn activate_slice(&self, z: &mut [A]) {
        z.iter_mut().for_each(|v| *v = self.inner_drive(*v));
        self.activation.activate_slice(z);
        z.iter_mut().for_each(|v| *v = self.outer_rate(*v));
    }
    fn derivative_slice(&self, z: &mut [A]) {
        z.iter_mut().for_each(|v| *v = self.inner_drive(*v));
        self.activation.derivative_slice(z);
        z.iter_mut().for_each(|v| *v = self.amplitude * (self.gain * *v));
    }
}
