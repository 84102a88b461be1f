//! How an equilibrium responds to its input.

use std::sync::OnceLock;

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, Data, Ix1};

use super::Form;
use super::operator::{Coupling, ResponseOperator};
use crate::Scalar;
use crate::check::finite_vector;
use crate::error::Result;
use crate::network::{Circuit, FiringRateNetwork, HopfieldNetwork};
use crate::stability::NetworkCertificate;

/// The response `dx*/du = (I - Lambda W)^{-1} Lambda` of an equilibrium to its input (theory 5.3), as an operator; for the
/// potentials of a Hopfield network `dy*/du = (I - W Lambda)^{-1} = I + W dx*/du`.
///
/// Dense networks are factorised once, on the neurons whose slope is not zero; large sparse ones are solved by restarted GMRES
/// to working precision, which converges for certain when the network's [`certificate`](Self::certificate) is given. The inverse
/// is never formed. At a kink of an activation the one-sided slope that
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
/// let response = net.response(&eq.state())?.apply(&array![0.0, 1.0])?;
/// assert!(response[1] < 0.0);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub struct Response<'a, A: Scalar> {
    circuit: &'a Circuit<A>,
    form: Form,
    certificate: Option<&'a NetworkCertificate>,
    /// Made at its first use, when it is known whether there is a certificate.
    operator: OnceLock<ResponseOperator<'a, A>>,
    slopes: Array1<A>,
}

impl<A: Scalar> FiringRateNetwork<A> {
    /// The response of the equilibrium `x`, shape `[n]`, to changes of the input.
    ///
    /// Whether `x` is an equilibrium is not checked: at other rates the formula is evaluated with the slopes there.
    ///
    /// # Errors
    /// A state of the wrong length or with entries that are not finite.
    pub fn response<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Response<'_, A>> {
        finite_vector("x", x.view(), self.len())?;
        let mut slopes = self.drive(x)?;
        self.circuit().slopes(slopes.view_mut());
        Ok(Response::new(self.circuit(), Form::FiringRate, slopes))
    }
}

impl<A: Scalar> HopfieldNetwork<A> {
    /// The response `dy*/du = (I - W Lambda)^{-1}` of the equilibrium `y`, potentials of shape `[n]`, to changes of the input.
    ///
    /// Whether `y` is an equilibrium is not checked: at other potentials the formula is evaluated with the slopes there.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::network::HopfieldNetwork;
    ///
    /// let net = HopfieldNetwork::builder(array![[0.5]]).activation(Relu).input(&array![1.0]).build()?;
    /// let eq = net.equilibrium().solve()?;
    /// let response = net.response(&eq.state())?.apply(&array![1.0])?;
    /// assert!((response[0] - 2.0_f64).abs() < 1e-12);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    ///
    /// # Errors
    /// Potentials of the wrong length or with entries that are not finite.
    pub fn response<S: Data<Elem = A>>(&self, y: &ArrayBase<S, Ix1>) -> Result<Response<'_, A>> {
        finite_vector("y", y.view(), self.len())?;
        let mut slopes = y.to_owned();
        self.circuit().slopes(slopes.view_mut());
        Ok(Response::new(self.circuit(), Form::Hopfield, slopes))
    }
}

impl<'a, A: Scalar> Response<'a, A> {
    fn new(circuit: &'a Circuit<A>, form: Form, slopes: Array1<A>) -> Self {
        Self { circuit, form, certificate: None, operator: OnceLock::new(), slopes }
    }

    /// The certificate of this network, from its `certify()`: in its metric GMRES on a large sparse network converges from
    /// every state, since the matrix it solves has a symmetric part of at least `min(1, delta)`.
    ///
    /// A certificate of other weights or of smaller slopes is an error at the first use.
    #[must_use]
    pub fn certificate(mut self, certificate: &'a NetworkCertificate) -> Self {
        self.certificate = Some(certificate);
        self.operator = OnceLock::new();
        self
    }

    fn operator(&self) -> Result<&ResponseOperator<'a, A>> {
        if self.operator.get().is_none()
            && let Some(certificate) = self.certificate
        {
            certificate.fits(self.circuit)?;
        }
        let make =
            || ResponseOperator::new(Coupling::Synapses(&self.circuit.weights), self.slopes.view(), self.certificate);
        Ok(self.operator.get_or_init(make))
    }

    /// `dx*` for a small change `v` of the input, shape `[n]`: `(I - Lambda W)^{-1} Lambda v`; for a Hopfield network `dy*`,
    /// `(I - W Lambda)^{-1} v`.
    ///
    /// # Errors
    /// A vector of the wrong length or with entries that are not finite; a certificate that does not fit;
    /// [`Error::Singular`](crate::Error::Singular) if the equilibrium has no response, as at a fold;
    /// [`Error::NoConvergence`](crate::Error::NoConvergence) of GMRES on a large sparse network.
    pub fn apply<S: Data<Elem = A>>(&self, v: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        finite_vector("v", v.view(), self.slopes.len())?;
        let rates = self.operator()?.solve(v.view())?;
        Ok(match self.form {
            Form::FiringRate => rates,
            Form::Hopfield => self.circuit.weights.dot(rates.view()) + v,
        })
    }

    /// The adjoint, `Lambda (I - W' Lambda)^{-1} v`, shape `[n]`: the gradient with respect to the input of a function of
    /// the equilibrium whose gradient with respect to the rates is `v`; for a Hopfield network `(I - Lambda W')^{-1} v`, where `v` is
    /// the gradient with respect to the potentials.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply).
    pub fn apply_transposed<S: Data<Elem = A>>(&self, v: &ArrayBase<S, Ix1>) -> Result<Array1<A>> {
        finite_vector("v", v.view(), self.slopes.len())?;
        match self.form {
            Form::FiringRate => self.operator()?.solve_transposed(v.view()),
            Form::Hopfield => {
                let pulled = self.circuit.weights.dot_transposed(v.view());
                Ok(self.operator()?.solve_transposed(pulled.view())? + v)
            }
        }
    }

    /// The whole matrix `dx*_i/du_j`, shape `[n, n]`; for a Hopfield network `dy*_i/du_j`.
    ///
    /// # Errors
    /// More than 20,000 neurons, for whom the dense matrix does not fit, and as for [`apply`](Self::apply).
    pub fn matrix(&self) -> Result<Array2<A>> {
        let rates = self.operator()?.matrix()?;
        Ok(match self.form {
            Form::FiringRate => rates,
            Form::Hopfield => {
                let mut potentials = self.circuit.weights.dot_matrix(rates.view());
                potentials.diag_mut().mapv_inplace(|v| v + A::one());
                potentials
            }
        })
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
