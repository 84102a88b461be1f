//! Certificates of games with any interaction: the Jacobian of the drive lies in a box of matrices (theory 1.8, 3.11).

use ndarray::{Array1, ArrayBase, Data, Ix1};

use super::distance::ErrorBound;
use super::local::fits_densely;
use super::lyapunov::{decay_rate, envelope};
use super::robust::{RobustCertificate, RobustVerdict};
use crate::Scalar;
use crate::check::{finite_vector, length};
use crate::error::{Error, Result};
use crate::game::NeuralGame;
use crate::linalg::magnitude::{Magnitude, weighted_norm};
use crate::linalg::rounding::{add_up, div_up, mul_up, sub_down, sub_up};
use crate::network::UncertainWeights;

const NEED: &str = "a stability certificate";

impl<A: Scalar> NeuralGame<A> {
    /// Looks for weights that certify `J - R^{-1}` for every `J` that the interaction's
    /// [`jacobian_enclosure`](crate::game::InteractionCost::jacobian_enclosure) holds, under the game's input.
    ///
    /// If there are any, the game has one equilibrium, which is its Nash equilibrium, and reaches it from every state of the interaction's
    /// domain, at a guaranteed rate (theory 1.8, 3.3). For networks with synapses,
    /// [`Network::certify`](crate::network::Network::certify) proves as much for every input at once.
    ///
    /// # Errors
    /// An interaction without an enclosure, or one of another size; more than 20,000 neurons, for whom it does not fit; an activation
    /// whose slopes are unbounded, or known from samples only, or all zero.
    pub fn certify(&self) -> Result<RobustVerdict> {
        self.enclosure()?.certify(&self.neurons().proved_slopes(NEED)?)
    }

    /// Proves a certificate again for this game, under its input.
    ///
    /// # Errors
    /// [`Error::NotProved`] if that cannot be proved, or if it is for smaller slopes; those of [`certify`](Self::certify).
    pub fn verify(&self, certificate: &RobustCertificate) -> Result<()> {
        let rho = self.neurons().proved_slopes(NEED)?;
        certificate.verify(&self.enclosure()?)?;
        match rho.iter().zip(certificate.slope_bounds()).position(|(rho, bound)| rho.to_double() > *bound) {
            None => Ok(()),
            Some(i) => Err(Error::NotProved { reason: format!("the activation of neuron {i} has larger slopes") }),
        }
    }

    /// The Lyapunov function that a certificate of this game gives; it is proved again.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn lyapunov(&self, certificate: &RobustCertificate) -> Result<GameLyapunov<A>> {
        self.verify(certificate)?;
        let enclosure = self.enclosure()?;
        Ok(GameLyapunov { game: self.clone(), certificate: certificate.clone(), enclosure })
    }

    fn enclosure(&self) -> Result<UncertainWeights> {
        fits_densely(self.len(), NEED)?;
        let enclosure = self.interaction().jacobian_enclosure(self.input()).ok_or_else(|| {
            let found = format!("{}, without an enclosure of its Jacobian", self.interaction().name());
            Error::invalid("interaction", found, "interactions that override `jacobian_enclosure`")
        })?;
        if enclosure.len() == self.len() {
            Ok(enclosure)
        } else {
            let n = self.len();
            Err(Error::shape("jacobian_enclosure", format!("[{n}, {n}]"), &[enclosure.len(), enclosure.len()]))
        }
    }
}

/// `V(x) = sum_i (d_i/tau_i) FY_i(x_i, z_i(x))` of a certified game, with its guarantees for all states of the interaction's domain.
#[derive(Debug, Clone)]
pub struct GameLyapunov<A: Scalar> {
    game: NeuralGame<A>,
    certificate: RobustCertificate,
    enclosure: UncertainWeights,
}

impl<A: Scalar> GameLyapunov<A> {
    /// The certificate that it rests on.
    pub fn certificate(&self) -> &RobustCertificate {
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
        finite_vector("x", x.view(), self.game.len())?;
        let (z, d, tau) = (self.game.drive(x)?, self.certificate.weights(), self.game.time_constants());
        Ok(Array1::from_shape_fn(x.len(), |i| {
            A::of(d[i]) / tau[i] * self.game.activation_of(i).fenchel_young(x[i], z[i])
        }))
    }

    /// The guaranteed rate `min(1, 2 delta)/max tau` in `dV/dt <= -rate V`, rounded downward, per unit of time.
    pub fn decay_rate(&self) -> f64 {
        decay_rate(self.certificate.margin(), self.game.time_constants())
    }

    /// The guaranteed envelope `V(x(t)) <= V(x(0)) exp(-rate t)` after the time `t`, given the value `V(x(0))`, rounded upward.
    ///
    /// # Errors
    /// An initial value that is negative or NaN, which `V` never is; a time that is negative or not finite.
    pub fn envelope(&self, initial: A, t: A) -> Result<A> {
        envelope(self.decay_rate(), initial, t)
    }

    /// How far the rates `x`, shape `[n]`, can be from the one equilibrium `x*`:
    /// `|x - x*|_{D/R} <= |x - q|_{D/R} + |R v|_{D/R}/delta`, where `q = Phi(z(x))` and `v = z(x) - z(q)` is bounded by the enclosure,
    /// `|v| <= M |x - q|`, `M` the magnitudes in it (theory 3.5 with mean values of the Jacobian).
    ///
    /// Every rounding error is counted: of the drives by what the interaction says of its
    /// [`rounding_errors`](crate::game::InteractionCost::rounding_errors); of the computed activations it is assumed that
    /// `|fl(phi(z)) - phi(z)| <= accuracy (|phi(z)| + rho |z|)` with an accuracy of 16 machine epsilons. `None` if the interaction says
    /// nothing, at rates outside its domain, or if the bound overflows.
    ///
    /// # Errors
    /// Rates of the wrong length or not finite; rounding errors of the wrong length.
    pub fn error_bound<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Option<ErrorBound>> {
        finite_vector("x", x.view(), self.game.len())?;
        let interaction = self.game.interaction();
        let inside = |(i, &x): (usize, &A)| interaction.domain(i).contains(x);
        let Some(rounding) = interaction.rounding_errors(x.view(), self.game.input()) else { return Ok(None) };
        length("rounding_errors", rounding.len(), x.len())?;
        let z = self.game.drive(x)?;
        if !x.iter().enumerate().all(inside) || z.iter().any(|z| !z.is_finite()) {
            return Ok(None);
        }
        let mut y = z.clone();
        self.game.neurons().activate(y.view_mut());
        let accuracy = 16.0 * A::epsilon().to_double();
        let (d, rho) = (self.certificate.weights(), self.certificate.slope_bounds());
        // Relative to computed values, what is relative to exact ones is a little more.
        let seen = div_up(accuracy, sub_down(1.0, accuracy));
        let away = Array1::from_shape_fn(x.len(), |i| {
            let (x, y, z) = (x[i].to_double(), y[i].to_double(), z[i].to_double());
            let scale = add_up(y.abs(), mul_up(rho[i], z.abs())).max(A::min_positive_value().to_double());
            add_up(sub_up(x.max(y), x.min(y)), mul_up(seen, scale))
        });
        let magnitudes = self.enclosure.magnitudes();
        let pushed = (0..x.len()).map(|i| {
            let moved =
                magnitudes.row(i).iter().zip(&away).fold(rounding[i], |sum, (m, r)| add_up(sum, mul_up(*m, *r)));
            (mul_up(rho[i], moved), d[i], rho[i])
        });
        let outward = Magnitude::of(1.0 + 4.0 * (x.len() as f64 + 16.0) * f64::EPSILON);
        let moved = weighted_norm(pushed).over(Magnitude::of(self.certificate.margin()));
        let first = weighted_norm((0..x.len()).map(|i| (away[i], d[i], rho[i])));
        let weighted = first.plus(moved).times(outward);
        let share = |i: usize| weighted_norm(std::iter::once((1.0, rho[i], d[i])));
        let largest = (0..x.len()).map(share).fold(Magnitude::ZERO, Magnitude::max).times(weighted).upper();
        let weighted = weighted.upper();
        let is_finite = weighted.is_finite() && largest.is_finite();
        Ok(is_finite.then_some(ErrorBound { weighted, largest, activation_accuracy: accuracy }))
    }
}
