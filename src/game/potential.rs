//! The global energy of symmetric and diagonally symmetrizable networks.

use ndarray::{Array1, ArrayBase, ArrayView1, Data, Ix1};

use super::scaling::{Obstruction, symmetrizing_weights};
use crate::Scalar;
use crate::check::finite_vector;
use crate::error::Result;
use crate::network::FiringRateNetwork;

/// The global energy `E(x) = -x'MWx/2 - (Mu)'x + sum_i m_i Psi_i(x_i)` of a network for which `M W` is symmetric.
///
/// When one neuron moves, the global energy changes by `m_i` times the change of its own energy, so the game is a
/// weighted potential game, and `E` never increases along firing-rate trajectories (theory 1.6). With `M = I` this is
/// Hopfield's energy.
#[derive(Debug, Clone)]
pub struct Potential<'a, A> {
    net: &'a FiringRateNetwork<A>,
    weights: Array1<A>,
}

impl<A: Scalar> FiringRateNetwork<A> {
    /// The global energy, or the cycle that rules one out: [`symmetrizing_weights`] says how it is found and what
    /// `tolerance` means.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::network::FiringRateNetwork;
    ///
    /// let net = FiringRateNetwork::builder(array![[0.0, 2.0], [1.0, 0.0]]).activation(Relu).build()?;
    /// let potential = net.potential(0.0)?.expect("two neurons that excite each other");
    /// assert_eq!(potential.weights(), array![1.0, 2.0]);
    /// assert_eq!(potential.energy(&array![1.0, 1.0])?, -0.5);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    ///
    /// # Errors
    /// A tolerance outside `[0, 1)`, or weights so far apart that `m` overflows.
    pub fn potential(&self, tolerance: A) -> Result<std::result::Result<Potential<'_, A>, Obstruction<A>>> {
        let weights = symmetrizing_weights(self.weights(), tolerance)?;
        Ok(weights.map(|weights| Potential { net: self, weights }))
    }
}

impl<A: Scalar> Potential<'_, A> {
    /// The neurons' weights `m` in the global energy, shape `[n]`: positive, and 1 at the first neuron of every
    /// connected part of the network.
    pub fn weights(&self) -> ArrayView1<'_, A> {
        self.weights.view()
    }

    /// The global energy at the rates `x`, shape `[n]`; `+inf` if a rate is outside its activation's domain.
    ///
    /// # Errors
    /// Rates of the wrong length or not finite.
    pub fn energy<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<A> {
        finite_vector("x", x.view(), self.net.len())?;
        let product = self.net.weights().dot(x.view());
        let input = self.net.input();
        let share = |i: usize| {
            let psi = self.net.circuit().activation(i).potential(x[i]);
            self.weights[i] * (psi - x[i] * (A::of(0.5) * product[i] + input[i]))
        };
        Ok((0..x.len()).map(share).sum())
    }

    /// The gradient `m_i dE_i/dx_i = m_i (phi_i^{-1}(x_i) - (W x + u)_i)`, shape `[n]`; NaN where a rate is outside its
    /// activation's domain.
    ///
    /// # Errors
    /// Rates of the wrong length or not finite.
    pub fn gradient<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        finite_vector("x", x.view(), self.net.len())?;
        let z = self.net.drive(x)?;
        Ok(Array1::from_shape_fn(x.len(), |i| {
            self.weights[i] * (self.net.circuit().activation(i).inverse(x[i]) - z[i])
        }))
    }
}
