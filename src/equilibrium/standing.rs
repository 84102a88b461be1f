//! What a state is: stationary, Nash, locally stable. Three questions, three answers.

use std::fmt;

use ndarray::{Array1, ArrayBase, ArrayView1, Data, Ix1};

use super::Equilibrium;
use crate::Scalar;
use crate::error::{Error, Result};
use crate::game::{NashTest, NeuralGame, Own};
use crate::stability::local::{Linearisation, Tendency};

/// The answer to one question about a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Flag {
    /// It is so, to the tolerance.
    Yes,
    /// It is not so.
    No,
    /// Rounding errors, or a kink, hide what it is.
    Undecided,
}

/// Whether a state is stationary, a Nash equilibrium, and locally stable; [`NeuralGame::standing`] and
/// [`Equilibrium::standing`] make one.
///
/// The three are different questions (theory 2.2), and only these implications hold between their answers: a Nash
/// equilibrium is stationary; a stationary point is Nash when all own energies are convex (`w_ii rho_i <= 1`), as they
/// are under a certificate, which makes it locally stable besides.
///
/// * Stable and not Nash: an inhibition-stabilised state with `lambda_i w_ii > 1`, `lambda_i` the slope there. The
///   neuron sits at a local maximum of its own energy, `E_i'' = 1/lambda_i - w_ii < 0`.
/// * Nash and not stable: two neurons that excite each other strongly at the origin, `W = [[0, 2], [2, 0]]` with tanh, or a ring of
///   three.
///
/// They are floating-point answers, not proofs.
///
/// ```
/// use ndarray::array;
/// use neuronash::activation::Relu;
/// use neuronash::equilibrium::Flag;
/// use neuronash::network::FiringRateNetwork;
///
/// // Inhibition-stabilised: the E neuron alone would run away.
/// let net = FiringRateNetwork::builder(array![[1.5_f64, -4.0], [3.0, 0.0]])
///     .activation(Relu)
///     .input(&array![1.0, 0.0])
///     .build()?;
/// let eq = net.equilibrium().solve()?;
/// assert!((eq.state()[0] - 2.0 / 23.0).abs() < 1e-12);
/// let standing = eq.standing(&net.game())?;
/// assert_eq!(standing.stationary, Flag::Yes);
/// assert_eq!(standing.nash, Flag::No);
/// assert_eq!(standing.locally_stable, Flag::Yes);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct Standing<A> {
    /// Whether `max_i |x_i - phi_i((W x + u)_i)|` is within the tolerance: every neuron is stationary for its own
    /// energy.
    pub stationary: Flag,
    /// Whether no neuron can lower its own energy by moving alone, near or far. `No` where the state is not stationary,
    /// where a neuron gains more than the tolerance, or where one sits at a local maximum of its own energy
    /// (`lambda_i w_ii > 1`); undecided where `lambda_i w_ii` is 1 to rounding, and where it is above 1 on one side of
    /// a kink.
    pub nash: Flag,
    /// Whether small disturbances die out, by the eigenvalues of the linearisation. `No` where the state is not
    /// stationary; undecided at a kink, and where the spectral abscissa is 0 to rounding.
    pub locally_stable: Flag,
    /// `max_i |x_i - phi_i((W x + u)_i)|`.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub residual: A,
    /// What was tolerated of the residual; and, squared units aside, of a gain.
    pub tolerance: A,
    /// The neuron that gains most by moving, and what it gains.
    pub exploitability: NashTest<A>,
    /// The linearisation at the state, with its spectrum.
    pub local: Linearisation<A>,
}

impl<A: Scalar> NeuralGame<A> {
    /// Whether the rates `x`, shape `[n]`, are stationary, a Nash equilibrium, and locally stable under the firing-rate
    /// flow (theory 2.2, 8.3).
    ///
    /// A residual counts as none up to `tolerance max(1, max_i |x_i|)`, and a gain up to
    /// `tolerance max(1, max_i |x_i|)^2`.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Tanh;
    /// use neuronash::equilibrium::Flag;
    /// use neuronash::network::FiringRateNetwork;
    ///
    /// // A ring of inhibition at rest: no neuron gains by moving alone, and yet the state is unstable.
    /// let w = array![[0.0_f64, 0.0, -2.5], [-2.5, 0.0, 0.0], [0.0, -2.5, 0.0]];
    /// let net = FiringRateNetwork::builder(w).activation(Tanh::new()).build()?;
    /// let standing = net.game().standing(&array![0.0, 0.0, 0.0], 1e-12)?;
    /// assert_eq!((standing.stationary, standing.nash), (Flag::Yes, Flag::Yes));
    /// assert_eq!(standing.locally_stable, Flag::No);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    ///
    /// # Errors
    /// Rates of the wrong length or not finite, a tolerance that is negative or not finite, and those of
    /// [`linearise`](Self::linearise).
    pub fn standing<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>, tolerance: A) -> Result<Standing<A>> {
        if !(tolerance >= A::zero() && tolerance.is_finite()) {
            return Err(Error::invalid("tolerance", tolerance, "finite numbers that are at least 0"));
        }
        let size = x.iter().fold(A::one(), |m, v| m.max(v.abs()));
        let exploitability = self.is_nash(x, tolerance * size * size)?;
        let local = self.linearise(x)?;
        let residual = self.residual(x)?.iter().fold(A::zero(), |m, r| if r.is_nan() { *r } else { m.max(r.abs()) });
        let stationary = if residual <= tolerance * size { Flag::Yes } else { Flag::No };
        let stable = match (local.tendency(), local.kinks().is_empty()) {
            (Tendency::Stable, true) => Flag::Yes,
            (Tendency::Unstable, true) => Flag::No,
            _ => Flag::Undecided,
        };
        let only_if_stationary = |flag: Flag| if stationary == Flag::Yes { flag } else { Flag::No };
        Ok(Standing {
            stationary,
            nash: only_if_stationary(self.nash_flag(x.view(), &exploitability, &local)),
            locally_stable: only_if_stationary(stable),
            residual,
            tolerance: tolerance * size,
            exploitability,
            local,
        })
    }

    /// The answer for a stationary point: by what the neurons gain, and by the curvature of their own energies.
    fn nash_flag(&self, x: ArrayView1<'_, A>, exploitability: &NashTest<A>, local: &Linearisation<A>) -> Flag {
        if !exploitability.holds() {
            return Flag::No;
        }
        let own_slopes = self.own_slopes(x);
        // A slope is known to about the rounding error of the drive, magnified by the curvature of the activation.
        let rounding = A::epsilon().sqrt();
        let mut flag = Flag::Yes;
        for (i, (&slope, &(weight, most))) in local.slopes().iter().zip(&own_slopes).enumerate() {
            let excess = slope * weight - A::one();
            if excess > rounding && !local.kinks().contains(&i) {
                return Flag::No;
            }
            let is_convex = most <= A::zero() || most * self.activation_of(i).slope_range().max <= A::one();
            let at_kink = local.kinks().contains(&i);
            if !is_convex && (at_kink || excess > -rounding) {
                flag = Flag::Undecided;
            }
        }
        flag
    }
}

impl<A: Scalar> NeuralGame<A> {
    /// The slope `dz_i/dx_i` of each neuron's drive in its own rate, and a bound on it while the others stay.
    fn own_slopes(&self, x: ArrayView1<'_, A>) -> Vec<(A, A)> {
        if let Some(weights) = self.synapses() {
            return weights.diagonal().into_iter().map(|w| (w, w)).collect();
        }
        let mut unit = Array1::zeros(self.len());
        let mut column = unit.clone();
        let slope = |i: usize| {
            let most = match self.interaction().own(i, x, self.input()) {
                Own::Affine { self_weight, .. } => return (self_weight, self_weight),
                Own::Bounded { most, .. } => most,
                Own::Unknown => A::infinity(),
            };
            unit[i] = A::one();
            self.interaction().jacobian_product(x, self.input(), unit.view(), column.view_mut());
            unit[i] = A::zero();
            (column[i], most)
        };
        (0..self.len()).map(slope).collect()
    }
}

impl<A: Scalar> Equilibrium<A> {
    /// Whether the equilibrium is stationary, Nash, and locally stable, in the game of the firing-rate network that was
    /// solved, or of the [`to_firing_rate`](crate::network::HopfieldNetwork::to_firing_rate) form of the Hopfield
    /// network that was; both forms have the same eigenvalues at an equilibrium. Where the report's
    /// [`threshold`](super::SolveReport::threshold) is larger than the usual one, so is what is tolerated here.
    ///
    /// # Errors
    /// A game with another number of neurons, and those of [`linearise`](crate::network::FiringRateNetwork::linearise).
    pub fn standing(&self, game: &NeuralGame<A>) -> Result<Standing<A>> {
        let rates = self.rates();
        let size = rates.iter().fold(A::one(), |m, v| m.max(v.abs()));
        // The residual was measured with another order of summation.
        let rounding = A::of(64.0) * A::epsilon();
        let tolerance = A::of(self.report().threshold.max(self.report().residual)) / size + rounding;
        game.standing(&rates, tolerance)
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flag::Yes => "yes",
            Flag::No => "no",
            Flag::Undecided => "undecided",
        })
    }
}

impl<A: Scalar> fmt::Display for Standing<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "stationary: {} (residual {:e}); Nash: {} (largest gain {:e}); locally stable: {} (spectral abscissa {:e})",
            self.stationary,
            self.residual,
            self.nash,
            self.exploitability.gain,
            self.locally_stable,
            self.local.spectral_abscissa()
        )
    }
}
