//! The delay of the E-I loop that makes it oscillate (theory 3.10).

use super::WilsonCowan;
use crate::Scalar;
use crate::error::Result;

impl<A: Scalar> WilsonCowan<A> {
    /// The loop delay, from E to I and back, at which an equilibrium at the given rates `[x_E, x_I]` loses its
    /// stability, in units of time; self-connections count as undelayed. Infinite if no delay does, `None` if the
    /// equilibrium is not stable without.
    ///
    /// With the slopes `lambda` there, `p = 1 - lambda_E w_EE`, `q = 1 + lambda_I w_II` and
    /// `L = lambda_E lambda_I w_EI w_IE`, the linearisation has the characteristic equation
    /// `(tau_E s + p)(tau_I s + q) + L e^{-s theta} = 0`. Roots reach the imaginary axis at `i w` with
    /// `(p^2 + w^2 tau_E^2)(q^2 + w^2 tau_I^2) = L^2`, which has one solution `w > 0` iff `L > |p| q`, when
    /// `theta = (pi - arg(p + i w tau_E) - arg(q + i w tau_I))/w`.
    ///
    /// Diagonal stability alone tolerates no delay in general: the circuit below is diagonally stable, and oscillates
    /// if its loop takes more than an eighth of its time constant.
    ///
    /// ```
    /// use neuronash::circuits::WilsonCowan;
    ///
    /// let circuit = WilsonCowan::builder().w_ee(0.5).w_ei(4.0).w_ie(3.0).u_e(5.0).build()?;
    /// let x_e = 5.0 / 12.5; // both neurons active, of slope 1
    /// let delay: f64 = circuit.critical_delay([x_e, 3.0 * x_e])?.expect("a stable equilibrium");
    /// assert!((delay - 0.129).abs() < 5e-4);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    ///
    /// # Errors
    /// Rates that are not finite.
    pub fn critical_delay(&self, rates: [A; 2]) -> Result<Option<A>> {
        let point = self.linearise(rates)?;
        if !point.is_stable() {
            return Ok(None);
        }
        let parts = &self.parts;
        let [l_e, l_i] = point.slopes();
        let (p, q) = (A::one() - l_e * parts.w_ee, A::one() + l_i * parts.w_ii);
        // The product overflows no sooner than the weights seen by the network.
        let loop_gain = (l_e * parts.w_ei) * (l_i * parts.w_ie);
        let excess = (loop_gain - p.abs() * q) * (loop_gain + p.abs() * q);
        if excess <= A::zero() {
            return Ok(Some(A::infinity()));
        }
        let (a, b) = (parts.tau_e * parts.tau_e, parts.tau_i * parts.tau_i);
        let middle = p * p * b + q * q * a;
        let four = A::of(4.0);
        let square = (excess + excess) / (middle + (middle * middle + four * a * b * excess).sqrt());
        let frequency = square.sqrt();
        let angle = (frequency * parts.tau_e).atan2(p) + (frequency * parts.tau_i).atan2(q);
        Ok(Some((A::PI() - angle) / frequency))
    }
}
