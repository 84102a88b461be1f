//! The Wilson-Cowan model: one excitatory (E) and one inhibitory (I) population (theory 5).

mod delay;
mod equilibria;
mod global;
mod nullclines;
mod operating_point;
mod search;
mod sweep;

pub use equilibria::Equilibria;
pub use nullclines::{Nullclines, Window};
pub use operating_point::{OperatingPoint, Regime, Relation};
pub use sweep::{MapCell, Parameter, RegimeMap, Sweep, SweepProgress};

use std::fmt;
use std::sync::Arc;

use ndarray::{Array2, array};

use super::parameters::{magnitude, positive, two_activations};
use crate::Scalar;
use crate::activation::{self, ActivationCost, Relu};
use crate::check::finite;
use crate::error::Result;
use crate::game::{Split, split};
use crate::network::{FiringRateNetwork, Weights};

/// A Wilson-Cowan circuit:
/// `tau_E x_E' = -x_E + phi_E(w_EE x_E - w_EI x_I + u_E)`, `tau_I x_I' = -x_I + phi_I(w_IE x_E - w_II x_I + u_I)`.
///
/// All weights are magnitudes, `>= 0`. As a network, neuron 0 is E and neuron 1 is I.
///
/// The one weight that decides about stability is `w_EE` (theory 5.1): below the [`switch`](Self::switch) `1/rho_E` the
/// circuit has one equilibrium, globally exponentially stable for every input, whatever the other three weights are. Above
/// it the circuit may be inhibition-stabilised, oscillate, or be bistable.
///
/// ```
/// use neuronash::activation::Tanh;
/// use neuronash::circuits::WilsonCowan;
/// use neuronash::circuits::wilson_cowan::Regime;
///
/// let circuit = WilsonCowan::builder()
///     .w_ee(2.0).w_ei(3.0).w_ie(3.0).w_ii(0.5)
///     .tau_i(0.5)
///     .excitatory(Tanh::new())
///     .inhibitory(Tanh::new())
///     .build()?;
/// assert_eq!(circuit.switch()?, 1.0);
/// assert!(!circuit.is_diagonally_stable()?);
/// let equilibria = circuit.equilibria()?;
/// assert_eq!(equilibria.points().len(), 1);
/// let origin = &equilibria.points()[0];
/// assert_eq!(origin.regime(), Regime::InhibitionStabilised);
/// assert!(origin.is_paradoxical());
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct WilsonCowan<A: Scalar> {
    parts: WilsonCowanBuilder<A>,
}

/// Gathers the parameters of a [`WilsonCowan`] circuit; all are checked at [`build`](Self::build).
#[derive(Debug, Clone)]
#[must_use]
pub struct WilsonCowanBuilder<A: Scalar> {
    w_ee: A,
    w_ei: A,
    w_ie: A,
    w_ii: A,
    tau_e: A,
    tau_i: A,
    u_e: A,
    u_i: A,
    phi_e: Arc<dyn ActivationCost<A>>,
    phi_i: Arc<dyn ActivationCost<A>>,
}

two_activations!(WilsonCowan, WilsonCowanBuilder);

impl<A: Scalar> WilsonCowan<A> {
    /// Starts a circuit: weights and inputs 0, time constants 1, ReLU neurons.
    pub fn builder() -> WilsonCowanBuilder<A> {
        let (zero, one) = (A::zero(), A::one());
        WilsonCowanBuilder {
            w_ee: zero,
            w_ei: zero,
            w_ie: zero,
            w_ii: zero,
            tau_e: one,
            tau_i: one,
            u_e: zero,
            u_i: zero,
            phi_e: Arc::new(Relu),
            phi_i: Arc::new(Relu),
        }
    }

    /// A builder that holds this circuit's parameters, to change some of them.
    pub fn to_builder(&self) -> WilsonCowanBuilder<A> {
        self.parts.clone()
    }

    /// The value of one parameter.
    pub fn get(&self, parameter: Parameter) -> A {
        let p = &self.parts;
        match parameter {
            Parameter::WEe => p.w_ee,
            Parameter::WEi => p.w_ei,
            Parameter::WIe => p.w_ie,
            Parameter::WIi => p.w_ii,
            Parameter::TauE => p.tau_e,
            Parameter::TauI => p.tau_i,
            Parameter::UE => p.u_e,
            Parameter::UI => p.u_i,
        }
    }

    /// The same circuit with one parameter changed.
    ///
    /// # Errors
    /// A value that the builder does not allow for this parameter.
    pub fn with(&self, parameter: Parameter, value: A) -> Result<Self> {
        self.to_builder().set(parameter, value).build()
    }

    /// The synaptic matrix `[[w_EE, -w_EI], [w_IE, -w_II]]`.
    pub fn weights(&self) -> Array2<A> {
        let p = &self.parts;
        array![[p.w_ee, -p.w_ei], [p.w_ie, -p.w_ii]]
    }

    /// The circuit as a network with populations `E` (neuron 0) and `I` (neuron 1); through it as a game, a flow in time, and
    /// whatever else a network can be asked.
    pub fn network(&self) -> FiringRateNetwork<A> {
        let p = &self.parts;
        Weights::dense(&self.weights())
            .and_then(|weights| {
                FiringRateNetwork::builder(weights)
                    .time_constants(&array![p.tau_e, p.tau_i])
                    .input(&array![p.u_e, p.u_i])
                    .shared_population("E", 0..1, p.phi_e.clone())
                    .shared_population("I", 1..2, p.phi_i.clone())
                    .build()
            })
            .expect("the circuit's own builder has checked every part")
    }

    /// `1/rho_E`: the value of `w_EE` at which the circuit stops being stable whatever its other weights, inputs and time
    /// constants are.
    ///
    /// # Errors
    /// An E activation whose slopes are unbounded: no `w_EE > 0` is safe then.
    pub fn switch(&self) -> Result<A> {
        Ok(A::one() / self.rho(self.excitatory(), "the switch of the Wilson-Cowan circuit")?)
    }

    /// Whether the circuit is Lyapunov diagonally stable, in closed form and exactly: iff `w_EE < 1/rho_E` (theory 5.1).
    ///
    /// # Errors
    /// An activation whose slopes are unbounded, known from samples only, or all zero.
    pub fn is_diagonally_stable(&self) -> Result<bool> {
        Ok(self.margin()? > A::zero())
    }

    /// The stability margin `delta* = 1 - rho_E w_EE` of theory 3.3, in closed form.
    ///
    /// With a margin `delta` in place of 0 the two diagonal entries of `W - (1 - delta) R^{-1}` and the product of the off-diagonal ones
    /// have the signs they need as long as `w_EE < (1 - delta)/rho_E`.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded, known from samples only, or all zero.
    pub fn margin(&self) -> Result<A> {
        let what = "the stability margin of the Wilson-Cowan circuit";
        self.rho(self.inhibitory(), what)?;
        // One rounding, so that its sign is that of the exact margin.
        Ok(self.parts.w_ee.mul_add(-self.rho(self.excitatory(), what)?, A::one()))
    }

    /// Weights `D = diag(d_E, d_I)` that certify the circuit, `None` above the switch.
    ///
    /// If both cross weights are positive, `D = diag(w_IE, w_EI)`: the cross terms cancel and the full margin is attained. If
    /// one of them is zero the circuit is a cascade, and the population that listens gets a small enough weight.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded, known from samples only, or all zero.
    pub fn certifying_weights(&self) -> Result<Option<[A; 2]>> {
        if !self.is_diagonally_stable()? {
            return Ok(None);
        }
        let (w_ei, w_ie) = (self.parts.w_ei, self.parts.w_ie);
        let what = "the certificate of the Wilson-Cowan circuit";
        let alpha = self.margin()? / self.rho(self.excitatory(), what)?;
        let gamma = A::one() / self.rho(self.inhibitory(), what)? + self.parts.w_ii;
        // Stable iff (d_E w_EI - d_I w_IE)^2 < 4 d_E d_I alpha gamma.
        let slack = A::of(2.0) * alpha * gamma;
        Ok(Some(match (w_ei > A::zero(), w_ie > A::zero()) {
            (true, true) => {
                let scale = w_ei.max(w_ie);
                [w_ie / scale, w_ei / scale]
            }
            (true, false) => [slack / (w_ei * w_ei + slack), w_ei * w_ei / (w_ei * w_ei + slack)],
            (false, true) => [w_ie * w_ie / (w_ie * w_ie + slack), slack / (w_ie * w_ie + slack)],
            (false, false) => [A::one(), A::one()],
        }))
    }

    /// The parts of `D W = S + K` (theory 1.7) for the weights `D = diag(w_IE, w_EI)` that make the E-I coupling purely
    /// zero-sum: `K` holds the whole coupling, and what is left to decide about stability is `S = diag(w_IE w_EE, -w_EI w_II)`,
    /// the potential part. `None` unless both cross weights are positive: one-way influence is no game between the two.
    ///
    /// # Errors
    /// Weights whose products overflow.
    pub fn split(&self) -> Result<Option<Split<A>>> {
        let (w_ei, w_ie) = (self.parts.w_ei, self.parts.w_ie);
        if w_ei == A::zero() || w_ie == A::zero() {
            return Ok(None);
        }
        split(&Weights::dense(&self.weights())?, &array![w_ie, w_ei]).map(Some)
    }

    /// The slope bound that the closed forms of stability rest on.
    fn rho(&self, phi: &dyn ActivationCost<A>, needed_by: &str) -> Result<A> {
        phi.slope_range().proved(&phi.name(), needed_by)
    }
}

impl<A: Scalar> WilsonCowanBuilder<A> {
    /// Activations that others hold too.
    pub(in crate::circuits) fn shared_activations(
        mut self,
        phi_e: Arc<dyn ActivationCost<A>>,
        phi_i: Arc<dyn ActivationCost<A>>,
    ) -> Self {
        (self.phi_e, self.phi_i) = (phi_e, phi_i);
        self
    }

    /// Self-excitation `w_EE >= 0`.
    pub fn w_ee(self, weight: A) -> Self {
        self.set(Parameter::WEe, weight)
    }

    /// Inhibition `w_EI >= 0` of E by I.
    pub fn w_ei(self, weight: A) -> Self {
        self.set(Parameter::WEi, weight)
    }

    /// Excitation `w_IE >= 0` of I by E.
    pub fn w_ie(self, weight: A) -> Self {
        self.set(Parameter::WIe, weight)
    }

    /// Self-inhibition `w_II >= 0`.
    pub fn w_ii(self, weight: A) -> Self {
        self.set(Parameter::WIi, weight)
    }

    /// Time constant of E, above 0.
    pub fn tau_e(self, tau: A) -> Self {
        self.set(Parameter::TauE, tau)
    }

    /// Time constant of I, above 0.
    pub fn tau_i(self, tau: A) -> Self {
        self.set(Parameter::TauI, tau)
    }

    /// External input to E.
    pub fn u_e(self, input: A) -> Self {
        self.set(Parameter::UE, input)
    }

    /// External input to I.
    pub fn u_i(self, input: A) -> Self {
        self.set(Parameter::UI, input)
    }

    /// Any one of the numbers.
    pub fn set(mut self, parameter: Parameter, value: A) -> Self {
        *match parameter {
            Parameter::WEe => &mut self.w_ee,
            Parameter::WEi => &mut self.w_ei,
            Parameter::WIe => &mut self.w_ie,
            Parameter::WIi => &mut self.w_ii,
            Parameter::TauE => &mut self.tau_e,
            Parameter::TauI => &mut self.tau_i,
            Parameter::UE => &mut self.u_e,
            Parameter::UI => &mut self.u_i,
        } = value;
        self
    }

    /// Checks everything once.
    ///
    /// # Errors
    /// Weights that are negative or not finite, time constants that are not positive, inputs that are not finite, activations
    /// that samples show to decrease or to leave what they declare.
    pub fn build(self) -> Result<WilsonCowan<A>> {
        for (name, weight) in [("w_ee", self.w_ee), ("w_ei", self.w_ei), ("w_ie", self.w_ie), ("w_ii", self.w_ii)] {
            magnitude(name, weight)?;
        }
        positive("tau_e", self.tau_e)?;
        positive("tau_i", self.tau_i)?;
        activation::check(&*self.phi_e, "excitatory")?;
        activation::check(&*self.phi_i, "inhibitory")?;
        finite("u_e", self.u_e)?;
        finite("u_i", self.u_i)?;
        Ok(WilsonCowan { parts: self })
    }
}

impl<A: Scalar> fmt::Display for WilsonCowan<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p = &self.parts;
        write!(
            f,
            "Wilson-Cowan: w_EE {}, w_EI {}, w_IE {}, w_II {}, tau_E {}, tau_I {}, u_E {}, u_I {}, E {}, I {}",
            p.w_ee,
            p.w_ei,
            p.w_ie,
            p.w_ii,
            p.tau_e,
            p.tau_i,
            p.u_e,
            p.u_i,
            p.phi_e.name(),
            p.phi_i.name()
        )
    }
}
