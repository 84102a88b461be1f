//! How an equilibrium responds to its input.

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, Data, Ix1};

use super::operator::ResponseOperator;
use crate::Scalar;
use crate::check::finite_vector;
use crate::error::Result;
use crate::network::FiringRateNetwork;

/// The response `dx*/du = (I - Lambda W)^{-1} Lambda` of an equilibrium to its input (theory 5.3), as an operator.
///
/// Dense networks are factorised once, on the neurons whose slope is not zero; large sparse ones are solved by restarted GMRES
/// to working precision. The inverse is never formed. At a kink of an activation the one-sided slope that
/// [`ActivationCost::derivative`](crate::activation::ActivationCost::derivative) gives is used.
///
/// ```
/// use ndarray::array;
/// use neuronash::activation::Relu;
/// use neuronash::network::FiringRateNetwork;
///
/// // An inhibition-stabilised pair: more input to the inhibitory neuron lowers its rate (Tsodyks et al. 1997).
/// let net = FiringRateNetwork::builder(array![[2.0, -2.5], [2.0, -0.5]])
///     .activation(Relu)
///     .input(&array![2.0, 0.0])
///     .build()?;
/// let eq = net.equilibrium().solve()?;
/// let response = net.response(&eq.state)?.apply(&array![0.0, 1.0])?;
/// assert!(response[1] < 0.0);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub struct Response<'a, A: Scalar> {
    operator: ResponseOperator<'a, A>,
    slopes: Array1<A>,
}

impl<A: Scalar> FiringRateNetwork<A> {
    /// The response of the equilibrium `x`, shape `[n]`, to changes of the input.
    ///
    /// # Errors
    /// A state of the wrong length or with entries that are not finite.
    pub fn response<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Response<'_, A>> {
        finite_vector("x", x.view(), self.len())?;
        let mut slopes = self.drive(x)?;
        self.circuit().slopes(slopes.view_mut());
        Ok(Response { operator: ResponseOperator::new(self.circuit(), slopes.clone(), None)?, slopes })
    }
}

impl<A: Scalar> Response<'_, A> {
    /// `dx*` for a small change `v` of the input, shape `[n]`: `(I - Lambda W)^{-1} Lambda v`.
    ///
    /// # Errors
    /// A vector of the wrong length or with entries that are not finite;
    /// [`Error::Singular`](crate::Error::Singular) if the equilibrium has no response, as at a fold;
    /// [`Error::NoConvergence`](crate::Error::NoConvergence) of GMRES on a large sparse network.
    pub fn apply<S: Data<Elem = A>>(&self, v: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        finite_vector("v", v.view(), self.slopes.len())?;
        self.operator.solve(v.view())
    }

    /// The adjoint, `Lambda (I - W' Lambda)^{-1} v`, shape `[n]`: the gradient with respect to the input of a function of
    /// the equilibrium whose gradient with respect to the rates is `v`.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply).
    pub fn apply_transposed<S: Data<Elem = A>>(&self, v: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        finite_vector("v", v.view(), self.slopes.len())?;
        self.operator.solve_transposed(v.view())
    }

    /// The whole matrix `dx*_i/du_j`, shape `[n, n]`.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply).
    pub fn matrix(&self) -> Result<Array2<A>> {
        self.operator.matrix()
    }

    /// The slopes `Lambda` at the equilibrium, shape `[n]`.
    pub fn slopes(&self) -> ArrayView1<'_, A> {
        self.slopes.view()
    }
}

impl<A: Scalar> std::fmt::Debug for Response<'_, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response").field("slopes", &self.slopes).finish_non_exhaustive()
    }
}
