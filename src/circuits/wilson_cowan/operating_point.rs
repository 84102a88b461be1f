//! One equilibrium and its linearisation: regime, responses, and who gains by them (theory 5.2, 5.3).

use std::cmp::Ordering;
use std::fmt;

use ndarray::{Array2, array};
use num_complex::Complex;

use super::WilsonCowan;
use crate::Scalar;
use crate::stability::local::has_kink;

/// What is known of an equilibrium by its linearisation, with the slopes `lambda_E`, `lambda_I` there, or of a circuit as a whole
/// ([`Equilibria::regime`](super::Equilibria::regime)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Regime {
    /// Of circuits only: one equilibrium, proved to be the only one and to attract every state, for every input.
    Monostable,
    /// `lambda_E w_EE < 1`, which makes the linearisation stable: E returns even with I frozen. It says nothing about states
    /// further away: a cycle, or another resting state, may exist beside this one.
    LocallyStable,
    /// `lambda_E w_EE >= 1`, yet the linearisation is stable: E alone would not return, I holds it. As for
    /// [`LocallyStable`](Self::LocallyStable), a cycle may exist beside it.
    InhibitionStabilised,
    /// `lambda_E w_EE > 1`, positive determinant and trace: spirals or runs outward; with bounded activations onto a limit cycle
    /// (or another equilibrium).
    Oscillatory,
    /// `lambda_E w_EE > 1`, negative determinant: a saddle, the watershed between two outcomes.
    Bistable,
    /// On a border to working precision: a trace or determinant of zero, or a kink of an activation at the equilibrium.
    Critical,
    /// Of circuits only: the search for equilibria is not [complete](super::Equilibria::is_complete), and what it found does not
    /// decide.
    Undecided,
}

/// What the E-I relation is at a stable equilibrium.
///
/// Let the input to E grow by `du`. By the envelope theorem the neurons' energies at equilibrium (theory 1.4) change by
/// `dE_E = -x_E (1 - lambda_E w_EE)(1 + lambda_I w_II)/Delta du` and `dE_I = -w_IE x_I lambda_E (1 + lambda_I w_II)/Delta du`: at a
/// stable equilibrium with active neurons I always gains, and E gains too below the switch and loses above it.
/// The sign of `(1 - lambda_E w_EE)/Delta` is also that of the response `dx_I/du_I`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Relation {
    /// More drive to E lowers the energies of both; I follows its own input (`dx_I/du_I > 0`).
    Cooperative,
    /// More drive to E lowers the energy of one and raises that of the other; I goes against its own input
    /// (`dx_I/du_I < 0`): the paradoxical effect.
    Antagonistic,
    /// I does not answer to its own input: a silent or saturated I, or `w_EE` exactly at the local switch.
    Neutral,
}

/// An equilibrium of a [`WilsonCowan`] circuit, with the linearisation `J = T^{-1}(Lambda W - I)` there.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct OperatingPoint<A> {
    rates: [A; 2],
    drives: [A; 2],
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::pair"))]
    slopes: [A; 2],
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    trace: A,
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    determinant: A,
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::square"))]
    response: [[A; 2]; 2],
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    local_self_excitation: A,
    regime: Regime,
}

impl<A: Scalar> WilsonCowan<A> {
    /// The linearisation at given rates `[x_E, x_I]`, meant for equilibria; elsewhere it is that of the flow at this state.
    ///
    /// # Errors
    /// Rates that are not finite.
    pub fn linearise(&self, rates: [A; 2]) -> crate::Result<OperatingPoint<A>> {
        super::finite("rates", rates[0])?;
        super::finite("rates", rates[1])?;
        Ok(self.operating_point(rates))
    }

    pub(super) fn operating_point(&self, rates: [A; 2]) -> OperatingPoint<A> {
        let p = &self.parts;
        let [x_e, x_i] = rates;
        let drives = [p.w_ee * x_e - p.w_ei * x_i + p.u_e, p.w_ie * x_e - p.w_ii * x_i + p.u_i];
        let slopes = [p.phi_e.derivative(drives[0]), p.phi_i.derivative(drives[1])];
        let one = A::one();
        let [l_e, l_i] = slopes;
        let excitation = one - l_e * p.w_ee;
        let inhibition = one + l_i * p.w_ii;
        let loop_gain = l_e * l_i * p.w_ei * p.w_ie;
        let delta = excitation * inhibition + loop_gain;
        let trace = -excitation / p.tau_e - inhibition / p.tau_i;

        // Rounding in the slopes, and the distance to a kink seen through the drives' own rounding.
        let small = A::of(64.0) * A::epsilon();
        let delta_scale = (one + l_e * p.w_ee) * inhibition + loop_gain;
        let trace_scale = (one + l_e * p.w_ee) / p.tau_e + inhibition / p.tau_i;
        // What rounds a drive is what it is made of, in whatever units; a drive of 0 has no rounding errors.
        let least = A::min_positive_value();
        let scales = [
            least + p.w_ee * x_e.abs() + p.w_ei * x_i.abs() + p.u_e.abs(),
            least + p.w_ie * x_e.abs() + p.w_ii * x_i.abs() + p.u_i.abs(),
        ];
        let critical = delta.abs() <= small * delta_scale
            || (delta > A::zero() && trace.abs() <= small * trace_scale)
            || has_kink(&*p.phi_e, drives[0], small * scales[0])
            || has_kink(&*p.phi_i, drives[1], small * scales[1]);
        let regime = if critical {
            Regime::Critical
        } else if excitation > A::zero() {
            Regime::LocallyStable
        } else if delta < A::zero() {
            Regime::Bistable
        } else if trace > A::zero() {
            Regime::Oscillatory
        } else {
            Regime::InhibitionStabilised
        };
        OperatingPoint {
            rates,
            drives,
            slopes,
            trace,
            determinant: delta / (p.tau_e * p.tau_i),
            response: [
                [l_e * inhibition / delta, -loop_gain_of(l_e, l_i, p.w_ei) / delta],
                [loop_gain_of(l_e, l_i, p.w_ie) / delta, l_i * excitation / delta],
            ],
            local_self_excitation: l_e * p.w_ee,
            regime,
        }
    }
}

fn loop_gain_of<A: Scalar>(l_e: A, l_i: A, weight: A) -> A {
    l_e * l_i * weight
}

impl<A: Scalar> OperatingPoint<A> {
    /// The rates `[x_E, x_I]`.
    pub fn rates(&self) -> [A; 2] {
        self.rates
    }

    /// The synaptic drives `[z_E, z_I]`, `z = W x + u`.
    pub fn drives(&self) -> [A; 2] {
        self.drives
    }

    /// The slopes `[lambda_E, lambda_I]` of the activations there.
    pub fn slopes(&self) -> [A; 2] {
        self.slopes
    }

    /// `lambda_E w_EE`: above 1, E alone would run away.
    pub fn local_self_excitation(&self) -> A {
        self.local_self_excitation
    }

    /// Trace of `J`, `(lambda_E w_EE - 1)/tau_E - (1 + lambda_I w_II)/tau_I`.
    pub fn trace(&self) -> A {
        self.trace
    }

    /// Determinant of `J`, `Delta/(tau_E tau_I)` with
    /// `Delta = (1 - lambda_E w_EE)(1 + lambda_I w_II) + lambda_E lambda_I w_EI w_IE`.
    pub fn determinant(&self) -> A {
        self.determinant
    }

    /// The two eigenvalues of `J`, the one with the larger real part (or positive imaginary part) first.
    pub fn eigenvalues(&self) -> [Complex<A>; 2] {
        let half = self.trace / A::of(2.0);
        let square = half * half - self.determinant;
        if square < A::zero() {
            let im = (-square).sqrt();
            return [Complex::new(half, im), Complex::new(half, -im)];
        }
        // The root of larger magnitude first, the other from the product: no cancellation.
        let large = if half >= A::zero() { half + square.sqrt() } else { half - square.sqrt() };
        let small = if large == A::zero() { A::zero() } else { self.determinant / large };
        let (re, im) = (A::zero(), A::zero());
        [Complex::new(re + large.max(small), im), Complex::new(re + large.min(small), im)]
    }

    /// Whether the linearisation is stable: negative trace, positive determinant, not [`Regime::Critical`].
    pub fn is_stable(&self) -> bool {
        matches!(self.regime, Regime::LocallyStable | Regime::InhibitionStabilised)
    }

    /// The regime.
    pub fn regime(&self) -> Regime {
        self.regime
    }

    /// `dx*/du = (I - Lambda W)^{-1} Lambda`, shape `[2, 2]`; entry `[i, j]` is the change of rate `i` per unit input to `j`.
    /// Not finite where the determinant vanishes.
    pub fn response(&self) -> Array2<A> {
        let r = &self.response;
        array![[r[0][0], r[0][1]], [r[1][0], r[1][1]]]
    }

    /// Whether more input to I lowers the rate of I at this equilibrium: `dx_I/du_I < 0`.
    pub fn is_paradoxical(&self) -> bool {
        self.response[1][1] < A::zero()
    }

    /// Whether E and I gain together or one at the cost of the other, by the sign of `dx_I/du_I`. `None` unless the equilibrium is
    /// [stable](Self::is_stable): the rates do not follow an equilibrium that they leave.
    pub fn relation(&self) -> Option<Relation> {
        let follows = self.response[1][1];
        self.is_stable().then(|| match follows.partial_cmp(&A::zero()) {
            Some(Ordering::Greater) => Relation::Cooperative,
            Some(Ordering::Less) => Relation::Antagonistic,
            _ => Relation::Neutral,
        })
    }
}

impl fmt::Display for Regime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Regime::Monostable => "monostable",
            Regime::LocallyStable => "locally stable",
            Regime::InhibitionStabilised => "inhibition-stabilised",
            Regime::Oscillatory => "oscillatory",
            Regime::Bistable => "bistable",
            Regime::Critical => "critical",
            Regime::Undecided => "undecided",
        })
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Relation::Cooperative => "cooperative",
            Relation::Antagonistic => "antagonistic",
            Relation::Neutral => "neutral",
        })
    }
}

impl<A: Scalar> fmt::Display for OperatingPoint<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = f.precision().unwrap_or(4);
        let [x_e, x_i] = self.rates;
        let [first, second] = self.eigenvalues();
        write!(f, "x_E = {x_e:.precision$}, x_I = {x_i:.precision$}: {}, ", self.regime)?;
        if let Some(relation) = self.relation() {
            write!(f, "{relation}, ")?;
        }
        write!(f, "eigenvalues {first:.precision$} and {second:.precision$}")
    }
}
