//! How far a state is from a Nash equilibrium.

use std::fmt;

use ndarray::{Array1, ArrayBase, Data, Ix1};

use super::NeuralGame;
use super::best_response::gather;
use crate::Scalar;
use crate::error::{Error, Result};

/// What every neuron would gain by moving, alone, to its best response (theory 2.2).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct Exploitability<A> {
    /// `E_i(x) - min_s E_i(s, x_-i) >= 0`, shape `[n]`; `+inf` where the rate is outside the activation's domain or the
    /// energy is unbounded below.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::array"))]
    pub gains: Array1<A>,
    /// A best response of each neuron, shape `[n]`, as in [`BestResponses::rates`](super::BestResponses::rates).
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::array"))]
    pub best_responses: Array1<A>,
}

impl<A: Scalar> Exploitability<A> {
    /// The largest gain; zero exactly at Nash equilibria.
    pub fn max(&self) -> A {
        self.gains.get(self.neuron()).copied().unwrap_or_else(A::zero)
    }

    /// The neuron with the largest gain, the first of several.
    pub fn neuron(&self) -> usize {
        let mut worst = 0;
        for (i, &gain) in self.gains.iter().enumerate() {
            if gain > self.gains[worst] || gain.is_nan() {
                worst = i;
            }
        }
        worst
    }

    /// The sum of all gains (NashConv); zero exactly at Nash equilibria.
    pub fn sum(&self) -> A {
        self.gains.sum()
    }
}

impl<A: Scalar> fmt::Display for Exploitability<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exploitability: at most {:e} (neuron {}), in total {:e}", self.max(), self.neuron(), self.sum())
    }
}

/// The outcome of a test for a Nash equilibrium, and the reason.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct NashTest<A> {
    /// The neuron that gains most by moving.
    pub neuron: usize,
    /// Its rate.
    pub rate: A,
    /// Its best response; infinite where its energy falls for ever.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub best_response: A,
    /// What it gains; `+inf` if its rate is outside its activation's domain or its energy is unbounded below.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub gain: A,
    /// The largest gain that still counts as none.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub tolerance: A,
}

impl<A: Scalar> NashTest<A> {
    /// Whether no neuron gains more than the tolerance.
    pub fn holds(&self) -> bool {
        self.gain <= self.tolerance
    }
}

impl<A: Scalar> fmt::Display for NashTest<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { neuron, rate, best_response, gain, tolerance } = self;
        if self.holds() {
            write!(f, "a Nash equilibrium: no neuron gains more than {gain} (tolerance {tolerance})")
        } else {
            write!(f, "no Nash equilibrium: neuron {neuron} gains {gain} by moving from {rate} to {best_response}")?;
            write!(f, " (tolerance {tolerance})")
        }
    }
}

impl<A: Scalar> NeuralGame<A> {
    /// What every neuron would gain by moving to its best response to the rates `x`, shape `[n]`; for synapses, one product by
    /// `W`.
    ///
    /// The gains are computed as `FY_i(x_i, z) - w_ii (x_i - s)^2/2` with the best response `s` and `z = w_ii s + c_i`,
    /// in which the large terms of the two energies have dropped out, so that tiny gains are still accurate. With
    /// `w_ii = 0` this is the Fenchel-Young gap (theory 3.2). Where the drive `z_i` is not affine in the neuron's own rate, the second
    /// term is `int_s^x (z_i(t) - z_i(s)) dt`.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Identity;
    /// use neuronash::network::FiringRateNetwork;
    ///
    /// let net = FiringRateNetwork::builder(array![[0.0, -1.0], [1.0, 0.0]]).activation(Identity).build()?;
    /// let exploitability = net.game().exploitability(&array![1e-9, 0.0])?;
    /// assert_eq!(exploitability.gains, array![5e-19, 5e-19]);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    ///
    /// # Errors
    /// Rates of the wrong length or not finite.
    pub fn exploitability<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Exploitability<A>> {
        let own = self.each_alone(x)?;
        let best_responses = gather(&own).rates;
        let gain = |i: usize| own[i].gain(x[i], best_responses[i]);
        Ok(Exploitability { gains: Array1::from_shape_fn(x.len(), gain), best_responses })
    }

    /// Whether the rates `x`, shape `[n]`, are a Nash equilibrium: no neuron gains more than `tolerance` (an energy) by
    /// moving alone (theory 2.2).
    ///
    /// Resting states of the dynamics are stationary points. They are Nash equilibria where all own energies are convex
    /// (`w_ii rho_i <= 1`), so always under a certificate; above that switch not in general, however stable they are,
    /// and never where the slope `lambda_i` of a neuron makes `lambda_i w_ii > 1`. Conversely a Nash equilibrium need
    /// not be stable. Stationary, Nash and stable are asked for side by side with [`standing`](Self::standing).
    ///
    /// # Errors
    /// Rates of the wrong length or not finite, or a tolerance that is negative or not a number.
    pub fn is_nash<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>, tolerance: A) -> Result<NashTest<A>> {
        if tolerance.is_nan() || tolerance < A::zero() {
            return Err(Error::invalid("tolerance", tolerance, "numbers that are at least 0"));
        }
        let exploitability = self.exploitability(x)?;
        let neuron = exploitability.neuron();
        Ok(NashTest {
            neuron,
            rate: x[neuron],
            best_response: exploitability.best_responses[neuron],
            gain: exploitability.gains[neuron],
            tolerance,
        })
    }
}
