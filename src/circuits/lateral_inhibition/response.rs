//! What the circuit answers to an input.

use std::fmt;

use ndarray::{Array1, ArrayBase, ArrayView1, Data, Ix1};

use super::{LateralInhibition, contrast};
use crate::Scalar;
use crate::dynamics::StopReason;
use crate::error::{Error, Result};
use crate::stability::NetworkCertificate;

/// The state that a [`LateralInhibition`] circuit reaches from silence.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LateralResponse<A> {
    /// The rates of all neurons, shape `[2k]`, order `E1, I1, E2, ...`.
    pub state: Array1<A>,
    /// A proved bound on the distance of every rate to the one true equilibrium; `None` where there is no proof that the
    /// circuit has only one.
    pub error_bound: Option<f64>,
}

impl<A: Scalar> LateralInhibition<A> {
    /// The state that the circuit settles in, starting from silence, for an input of shape `[k]`.
    ///
    /// A circuit that is proved stable has one equilibrium, wherever it starts; it is found by the equilibrium solver and comes with an
    /// error bound. Any other circuit, and one whose activations have no known slope bounds for a proof to rest on, is followed
    /// in time, so that it is the flow that decides who wins.
    ///
    /// # Errors
    /// An input of the wrong length or with entries that are not finite, and [`Error::NotConverged`] for a circuit that does
    /// not come to rest.
    pub fn respond<S: Data<Elem = A>>(&self, input: &ArrayBase<S, Ix1>) -> Result<LateralResponse<A>> {
        let network = self.network(input)?;
        let certificate = if self.proved_slopes().is_ok() { self.certify()? } else { None };
        if let Some(certificate) = certificate.filter(|certificate| certificate.margin > 0.0) {
            // Proved in closed form a moment ago; the network's own check would cost more than the solution.
            let weights = certificate.weights(self.columns())?;
            let proof = NetworkCertificate::of_closed_form(network.circuit(), weights, certificate.margin)?;
            let equilibrium = network.equilibrium().certificate(&proof).solve()?;
            let error_bound = equilibrium.report().error_bound.as_ref().map(|bound| bound.largest);
            return Ok(LateralResponse { state: equilibrium.into_state(), error_bound });
        }
        let tolerance = A::epsilon().powf(A::of(0.6));
        let run = network.simulate().until_converged(tolerance).divergence_bound(A::of(1e9)).record_ends().run()?;
        if run.stop() != StopReason::Converged {
            let residual = network.residual(&run.final_state())?;
            return Err(Error::NotConverged {
                method: "simulation from silence".into(),
                reason: run.stop().to_string(),
                iterations: run.steps(),
                residual: residual.iter().fold(0.0, |max: f64, r| max.max(r.abs().to_double())),
                threshold: tolerance.to_double(),
                advice: "change the input, or weaken the excitation".into(),
            });
        }
        Ok(LateralResponse { state: run.final_state().to_owned(), error_bound: None })
    }
}

impl<A: Scalar> LateralResponse<A> {
    /// The E rates, one for each column, shape `[k]`.
    pub fn excitatory(&self) -> ArrayView1<'_, A> {
        self.state.slice(ndarray::s![..;2])
    }

    /// The I rates, one for each column, shape `[k]`.
    pub fn inhibitory(&self) -> ArrayView1<'_, A> {
        self.state.slice(ndarray::s![1..;2])
    }

    /// Michelson contrast of the E rates.
    ///
    /// # Errors
    /// Negative rates, which some activations have.
    pub fn contrast(&self) -> Result<A> {
        contrast(&self.excitatory())
    }
}

impl<A: Scalar> fmt::Display for LateralResponse<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E rates {:.6}", self.excitatory())
    }
}
