//! From a circuit's closed form to a certificate of its network.

use ndarray::Array1;

use crate::Scalar;
use crate::error::{Error, Result};
use crate::network::FiringRateNetwork;
use crate::stability::NetworkCertificate;

/// The certificate of a network whose weights `D` and margin a closed form has proved.
///
/// The closed form knows more than the network's own check, which sees a matrix of rounded products: next to the border of
/// stability it may not find again what is true. So the margin is lowered to what the network proves of these weights where it
/// does not prove the whole, and what is returned passes [`FiringRateNetwork::verify`].
///
/// # Errors
/// [`Error::NotCertified`] if the margin is 0, or the network's check proves none above 0.
pub(super) fn of_network<A: Scalar>(
    network: &FiringRateNetwork<A>,
    weights: Array1<f64>,
    margin: f64,
) -> Result<NetworkCertificate> {
    let certificate = NetworkCertificate::of_closed_form(network.circuit(), weights, margin)?;
    if network.verify(&certificate).is_ok() {
        return Ok(certificate);
    }
    let lowered = network.certify_weights(&certificate.weights()).and_then(|lowered| {
        network.verify(&lowered)?;
        Ok(lowered)
    });
    lowered.map_err(|error| Error::NotCertified {
        reason: format!(
            "the circuit is proved stable with margin {margin}, but the check of its network cannot prove it again: {error}"
        ),
    })
}
