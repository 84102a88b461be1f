//! The Fenchel-Young Lyapunov function of a certified network, and what its certificate guarantees.
//!
//! `FY_i(x, z) = Psi_i(x) + Psi*_i(z) - x z >= 0` vanishes exactly at `x = phi_i(z)`. If `D` certifies `W - R^{-1}`, then
//!
//! ```text
//! V(x) = sum_i (d_i / tau_i) FY_i(x_i, (W x + u)_i)
//! ```
//!
//! falls along every trajectory of the firing-rate network until it rests, at least at the rate
//! `min(1, 2 delta) / max tau` (theory 3.2, 3.3). In the game, where no neuron excites or inhibits itself, it is the
//! weighted sum of what every neuron can still gain by itself.

use std::fmt;

use ndarray::{Array1, ArrayBase, ArrayView1, Data, Ix1};

use super::NetworkCertificate;
use super::distance::{ErrorBound, bound_image};
use crate::Scalar;
use crate::check::finite_vector;
use crate::error::{Error, Result};
use crate::linalg::decimal::AtMost;
use crate::linalg::magnitude::Magnitude;
use crate::linalg::rounding::{div_down, mul_down, mul_up};
use crate::network::{Circuit, FiringRateNetwork, HopfieldNetwork};

impl<A: Scalar> FiringRateNetwork<A> {
    /// The Lyapunov function that a certificate of this network gives.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::network::FiringRateNetwork;
    ///
    /// let net = FiringRateNetwork::builder(array![[0.5, -1.0], [1.0, -0.5]])
    ///     .activation(Relu)
    ///     .input(&array![1.0, 0.0])
    ///     .build()?;
    /// let certificate = net.certify()?.into_certificate()?;
    /// let lyapunov = net.lyapunov(&certificate)?;
    /// let rest = array![6.0 / 7.0, 4.0 / 7.0];
    /// assert!(lyapunov.value(&rest)? < 1e-30);
    /// assert!(lyapunov.value(&array![1.0, 1.0])? > 0.0);
    /// assert_eq!(lyapunov.value(&array![-1.0, 1.0])?, f64::INFINITY);
    /// let bound = lyapunov.error_bound(&array![0.85, 0.57])?.expect("no overflow");
    /// assert!(bound.largest > 0.85 - rest[0] && bound.largest < 0.1);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    ///
    /// # Errors
    /// A certificate of other weights or of smaller slopes.
    pub fn lyapunov<'a>(&'a self, certificate: &NetworkCertificate) -> Result<LyapunovFunction<'a, A>> {
        LyapunovFunction::new(&self.circuit, certificate)
    }
}

/// `V(x) = sum_i (d_i/tau_i) FY_i(x_i, (W x + u)_i)` of a certified firing-rate network, with its guarantees.
///
/// They hold for the network that the certificate was proved for.
///
/// ```
/// use ndarray::array;
/// use neuronash::activation::Relu;
/// use neuronash::network::FiringRateNetwork;
///
/// let net = FiringRateNetwork::builder(array![[0.5, -1.0], [1.0, -0.5]])
///     .activation(Relu)
///     .input(&array![1.0, 0.0])
///     .build()?;
/// let certificate = net.certify()?.into_certificate()?;
/// let lyapunov = net.lyapunov(&certificate)?;
/// let run = net.simulate().initial(&array![2.0, 0.5]).until(5.0).run()?;
/// let start = lyapunov.value(&run.states().row(0))?;
/// for (&t, x) in run.times().iter().zip(run.states().rows()) {
///     assert!(lyapunov.value(&x)? <= lyapunov.envelope(start, t)? + 1e-9);
/// }
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LyapunovFunction<'a, A> {
    circuit: &'a Circuit<A>,
    certificate: NetworkCertificate,
}

impl<'a, A: Scalar> LyapunovFunction<'a, A> {
    pub(crate) fn new(circuit: &'a Circuit<A>, certificate: &NetworkCertificate) -> Result<Self> {
        certificate.fits(circuit)?;
        Ok(Self { circuit, certificate: certificate.clone() })
    }

    /// The certificate that it rests on.
    pub fn certificate(&self) -> &NetworkCertificate {
        &self.certificate
    }

    /// `V(x)` at the rates `x`, shape `[n]`; `+inf` if some rate is outside its activation's domain.
    ///
    /// # Errors
    /// Rates of the wrong length or not finite.
    pub fn value<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<A> {
        Ok(self.terms(x)?.sum())
    }

    /// Every neuron's part `(d_i/tau_i) FY_i(x_i, z_i)` of `V(x)`, shape `[n]`.
    ///
    /// # Errors
    /// Rates of the wrong length or not finite.
    pub fn terms<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        finite_vector("x", x.view(), self.circuit.len())?;
        Ok(self.terms_under(x.view(), self.circuit.input.view()))
    }

    /// [`terms`](Self::terms) under another input.
    pub(crate) fn terms_under(&self, x: ArrayView1<'_, A>, input: ArrayView1<'_, A>) -> Array1<A> {
        let mut terms = self.circuit.weights.dot(x);
        terms += &input;
        let weights = self.certificate.weights();
        for (i, (z, &x)) in terms.iter_mut().zip(x).enumerate() {
            let weight = A::of(weights[i]) / self.circuit.time_constants()[i];
            *z = weight * self.circuit.activation(i).fenchel_young(x, *z);
        }
        terms
    }

    /// The guaranteed rate `min(1, 2 delta) / max tau` in `dV/dt <= -rate V`, rounded downward, per unit of time.
    pub fn decay_rate(&self) -> f64 {
        decay_rate(self.certificate.margin(), self.circuit.time_constants().view())
    }

    /// The guaranteed envelope `V(x(t)) <= V(x(0)) exp(-rate t)` after the time `t`, given the value `V(x(0))`, rounded upward.
    ///
    /// # Errors
    /// An initial value that is negative or NaN, which `V` never is; a time that is negative or not finite.
    pub fn envelope(&self, initial: A, t: A) -> Result<A> {
        envelope(self.decay_rate(), initial, t)
    }

    /// How far the equilibrium can move when the input changes by `v`, shape `[n]`:
    /// `|x* - x**|_{D/R} <= |R v|_{D/R} / delta` (theory 3.4), rounded outward.
    ///
    /// # Errors
    /// A change of the wrong length or not finite.
    pub fn sensitivity<S: Data<Elem = A>>(&self, v: &ArrayBase<S, Ix1>) -> Result<SensitivityBound> {
        finite_vector("v", v.view(), self.circuit.len())?;
        let driven = v.iter().zip(self.certificate.slope_bounds()).map(|(v, &rho)| mul_up(v.to_double().abs(), rho));
        let weighted = self.certificate.norm_upper(driven).over(Magnitude::of(self.certificate.margin()));
        Ok(SensitivityBound { weighted: weighted.upper(), largest: self.certificate.largest_entry(weighted) })
    }

    /// How far the rates `x`, shape `[n]`, can be from the one equilibrium `x*`:
    /// `|x - x*|_{D/R} <= |r|_{D/R} + |R W r|_{D/R} / delta` with `r = x - Phi(W x + u)` (theory 3.5). Two products by `W`.
    ///
    /// Every rounding error is counted, and of the computed activations it is assumed that
    /// `|fl(phi(z)) - phi(z)| <= accuracy (|phi(z)| + rho |z|)` with an accuracy of 16 machine epsilons. `None` if the
    /// bound overflows.
    ///
    /// # Errors
    /// Rates of the wrong length or not finite.
    pub fn error_bound<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Option<ErrorBound>> {
        finite_vector("x", x.view(), self.circuit.len())?;
        let mut z = self.circuit.weights.dot(x.view());
        z += &*self.circuit.input;
        if z.iter().any(|z| !z.is_finite()) {
            return Ok(None);
        }
        let accuracy = 16.0 * A::epsilon().to_double();
        let (y, bound) = bound_image(self.circuit, &self.certificate, &z, accuracy);
        // The bound is of y = Phi(z), for any z, with the exact v = z - u - W y in place of W r.
        Ok(bound.and_then(|bound| bound.moved(x.view(), y.view(), &self.certificate)))
    }
}

/// `min(1, 2 delta)/max tau`, rounded downward.
pub(super) fn decay_rate<A: Scalar>(margin: f64, time_constants: ArrayView1<'_, A>) -> f64 {
    let slowest = time_constants.iter().map(|tau| tau.to_double()).fold(0.0, f64::max);
    div_down((2.0 * margin).min(1.0), slowest)
}

/// `initial exp(-rate t)`, rounded upward.
pub(super) fn envelope<A: Scalar>(rate: f64, initial: A, t: A) -> Result<A> {
    if initial.is_nan() || initial < A::zero() {
        return Err(Error::invalid("initial", initial, "numbers from 0 up, and infinity"));
    }
    if !(t.is_finite() && t >= A::zero()) {
        return Err(Error::invalid("t", t, "finite numbers from 0 up"));
    }
    // The exponential of the standard library is within an ulp or so, but may underflow to 0.
    let factor = (-mul_down(rate, t.to_double())).exp() * (1.0 + 8.0 * f64::EPSILON);
    Ok(A::at_least(mul_up(initial.to_double(), factor.next_up())))
}

/// How far the equilibrium of a certified network can move; proved.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SensitivityBound {
    /// Upper bound on `|x* - x**|_{D/R}`, the norm weighted by `d_i / rho_i`.
    pub weighted: f64,
    /// Upper bound on `max_i |x*_i - x**_i|`, in units of rate.
    pub largest: f64,
}

impl fmt::Display for SensitivityBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the equilibrium moves by at most {:.3e} in any rate", AtMost(self.largest))
    }
}

impl<A: Scalar> HopfieldNetwork<A> {
    /// The Lyapunov function of a certified network in the membrane-potential form, given its equilibrium `y*`, shape
    /// `[n]`.
    ///
    /// Any finite potentials are taken for `y*`. Away from the equilibrium the value is still the weighted Bregman divergence
    /// between the two, a measure of distance, but nothing makes it fall along the flow. As `y*` nears the
    /// equilibrium, so does the function.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Tanh;
    /// use neuronash::network::FiringRateNetwork;
    ///
    /// let net = FiringRateNetwork::builder(array![[0.5, -1.0], [1.0, -0.5]])
    ///     .activation(Tanh::new())
    ///     .build()?;
    /// let certificate = net.certify()?.into_certificate()?;
    /// let potentials = net.to_hopfield();
    /// // Without input they rest at 0.
    /// let lyapunov = potentials.lyapunov(&certificate, &array![0.0, 0.0])?;
    /// assert_eq!(lyapunov.value(&array![0.0, 0.0])?, 0.0);
    /// let run = potentials.simulate().initial(&array![2.0, -1.0]).until(3.0).run()?;
    /// let values = run.states().rows().into_iter().map(|y| lyapunov.value(&y)).collect::<Result<Vec<f64>, _>>()?;
    /// assert!(values.windows(2).all(|pair| pair[1] < pair[0]));
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    ///
    /// # Errors
    /// A certificate of other weights or of smaller slopes; an equilibrium of the wrong length or not
    /// finite.
    pub fn lyapunov<'a, S: Data<Elem = A>>(
        &'a self,
        certificate: &NetworkCertificate,
        equilibrium: &ArrayBase<S, Ix1>,
    ) -> Result<HopfieldLyapunov<'a, A>> {
        HopfieldLyapunov::new(&self.circuit, certificate, equilibrium.to_owned())
    }
}

/// `V_H(y) = sum_i d_i tau_i B_i(y_i, y*_i)` of a certified Hopfield network, `B_i` the Bregman divergence of `Psi*_i`
/// (theory 3.2; Forti and Tesi 1995).
///
/// It never increases, and strictly decreases while the rates `Phi(y)` differ from those at rest.
///
/// ```
/// use ndarray::array;
/// use neuronash::activation::Identity;
/// use neuronash::network::HopfieldNetwork;
///
/// let net = HopfieldNetwork::<f64>::builder(array![[0.0, -1.0], [1.0, 0.0]]).activation(Identity).build()?;
/// let certificate = net.certify()?.into_certificate()?;
/// let lyapunov = net.lyapunov(&certificate, &array![0.0, 0.0])?;
/// // Without input `y* = 0`, and `B_i(y, 0) = y^2/2` for the identity.
/// let (y, d) = (array![2.0, 1.0], lyapunov.certificate().weights());
/// assert!((lyapunov.value(&y)? - (4.0 * d[0] + d[1]) / 2.0).abs() < 1e-12);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct HopfieldLyapunov<'a, A> {
    circuit: &'a Circuit<A>,
    certificate: NetworkCertificate,
    /// `Phi(y*)`.
    rates: Array1<A>,
}

impl<'a, A: Scalar> HopfieldLyapunov<'a, A> {
    pub(crate) fn new(circuit: &'a Circuit<A>, certificate: &NetworkCertificate, rest: Array1<A>) -> Result<Self> {
        certificate.fits(circuit)?;
        finite_vector("equilibrium", rest.view(), circuit.len())?;
        let mut rates = rest;
        circuit.activate(rates.view_mut());
        Ok(Self { circuit, certificate: certificate.clone(), rates })
    }

    /// The certificate that it rests on.
    pub fn certificate(&self) -> &NetworkCertificate {
        &self.certificate
    }

    /// `V_H(y)` at the potentials `y`, shape `[n]`.
    ///
    /// # Errors
    /// Potentials of the wrong length or not finite.
    pub fn value<S: Data<Elem = A>>(&self, y: &ArrayBase<S, Ix1>) -> Result<A> {
        finite_vector("y", y.view(), self.circuit.len())?;
        Ok(self.value_at(y.view()))
    }

    /// `B_i(y, y*) = FY_i(phi_i(y*), y)`, because `Psi*_i(y*) = phi_i(y*) y* - Psi_i(phi_i(y*))`.
    pub(crate) fn value_at(&self, y: ArrayView1<'_, A>) -> A {
        let weights = self.certificate.weights();
        let term = |(i, &y): (usize, &A)| {
            let weight = A::of(weights[i]) * self.circuit.time_constants()[i];
            weight * self.circuit.activation(i).fenchel_young(self.rates[i], y)
        };
        y.iter().enumerate().map(term).sum()
    }
}
