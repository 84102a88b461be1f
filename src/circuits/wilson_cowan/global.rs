//! What is proved about the circuit as a whole, for every input: one equilibrium, no cycles, and both (theory 5.1, 3.12 c).
//!
//! Equilibria are the roots of `F(x) = x - phi_E(w_EE x - w_EI g(x) + u_E)`, where `g`, the I nullcline, rises at least by
//! `G = mu_I w_IE/(1 + mu_I w_II)` if the slopes of `phi_I` are at least `mu_I`. So `F' >= 1 - rho_E (w_EE - w_EI G)`, and where that
//! is positive there is one root. The divergence of the flow is at most `(rho_E w_EE - 1)/tau_E - (1 + mu_I w_II)/tau_I`; where
//! that is negative, Bendixson's criterion excludes cycles, homoclinic orbits included. If trajectories are bounded as well, the
//! theorem of Poincare and Bendixson leaves nothing for them to approach but the one equilibrium.

use super::WilsonCowan;
use crate::Scalar;
use crate::activation::SlopeRange;
use crate::linalg::rounding::{add_down, add_up, mul_down, mul_up};

/// What is proved about a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Proved {
    pub(super) one_equilibrium: bool,
    pub(super) no_cycles: bool,
    pub(super) global: bool,
}

impl<A: Scalar> WilsonCowan<A> {
    /// Whether it is proved that the circuit has exactly one equilibrium, for these inputs and for all others: below the
    /// [`switch`](Self::switch), or where inhibition answers strongly enough everywhere,
    /// `(rho_E w_EE - 1)(1 + mu_I w_II) < rho_E mu_I w_EI w_IE` with the least slope `mu_I` of `phi_I` (theory 3.12 c). `false`
    /// says that it is not proved. Only [exact](crate::activation::SlopeRange::exact) slope bounds count.
    pub fn has_one_equilibrium(&self) -> bool {
        self.proved().one_equilibrium
    }

    /// Whether it is proved that the circuit has no cycle, for these inputs and for all others, by Bendixson's criterion:
    /// `(rho_E w_EE - 1)/tau_E < (1 + mu_I w_II)/tau_I` with the least slope `mu_I` of `phi_I` (theory 3.12 c). Every trajectory that
    /// stays bounded then ends at an equilibrium. `false` says that it is not proved. Only
    /// [exact](crate::activation::SlopeRange::exact) slope bounds count.
    pub fn excludes_cycles(&self) -> bool {
        self.proved().no_cycles
    }

    /// Whether it is proved that the circuit has one equilibrium and reaches it from every state, for these inputs and for all
    /// others: [one equilibrium](Self::has_one_equilibrium), [no cycles](Self::excludes_cycles), and no way to infinity, because the
    /// circuit is diagonally stable, or the range of `phi_E` is bounded, or, below the switch, that of `phi_I` is bounded on one side.
    ///
    /// ```
    /// use neuronash::activation::{LeakyRelu, Tanh};
    /// use neuronash::circuits::WilsonCowan;
    /// // Above the switch; the slopes of I are 1/2 and 1.
    /// let circuit = WilsonCowan::builder().w_ee(2.0).w_ei(2.0).w_ie(2.0).w_ii(0.5).tau_i(0.5).excitatory(Tanh::new());
    /// assert!(circuit.clone().inhibitory(LeakyRelu::new(0.5)?).build()?.is_globally_stable());
    /// assert!(!circuit.build()?.is_globally_stable()); // ReLU: silent I neurons do not answer.
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn is_globally_stable(&self) -> bool {
        self.proved().global
    }

    pub(super) fn proved(&self) -> Proved {
        let p = &self.parts;
        let (e, i) = (p.phi_e.slope_range(), p.phi_i.slope_range());
        let falls = |range: &SlopeRange<A>| range.exact && (range.min < A::zero() || range.min.is_nan());
        if falls(&e) || falls(&i) {
            return Proved { one_equilibrium: false, no_cycles: false, global: false };
        }
        let [w_ee, w_ei, w_ie, w_ii] = [p.w_ee, p.w_ei, p.w_ie, p.w_ii].map(Scalar::to_double);
        let rho = if e.exact { e.max.to_double() } else { f64::INFINITY };
        let mu = if i.exact { i.min.to_double() } else { 0.0 };
        // One rounding, whose sign is that of the exact number.
        let excess = if w_ee == 0.0 { -1.0 } else { rho.mul_add(w_ee, -1.0) };
        let excess = if excess == 0.0 { excess } else { excess.next_up() };
        let below = excess < 0.0;
        // Bounds on 1 + mu_I w_II: it stands on the side that must be the smaller one here, and on the other below.
        let [most, least] = [add_up(1.0, mul_up(mu, w_ii)), add_down(1.0, mul_down(mu, w_ii))];
        let answer = mul_down(mul_down(rho, mu), mul_down(w_ei, w_ie));
        let one_equilibrium = below || (rho.is_finite() && mul_up(excess, most) < answer);
        let loss = mul_down(p.tau_e.to_double(), least);
        let no_cycles = below || (rho.is_finite() && mul_up(excess, p.tau_i.to_double()) < loss);
        let (of_e, of_i) = (p.phi_e.domain(), p.phi_i.domain());
        let diagonally_stable = below && rho.is_finite() && i.exact && i.max.is_finite();
        let bounded = diagonally_stable
            || (of_e.lower.is_finite() && of_e.upper.is_finite())
            || (below && (w_ei == 0.0 || w_ie == 0.0 || of_i.lower.is_finite() || of_i.upper.is_finite()));
        Proved { one_equilibrium, no_cycles, global: one_equilibrium && no_cycles && bounded }
    }
}
