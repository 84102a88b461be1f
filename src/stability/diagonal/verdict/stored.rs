//! Proofs as they stand in a file. What is read back has parts that fit each other; what it claims of a matrix is for `verify`.

use ndarray::Array2;

use super::{AlmostSureCertificate, Certificate, Method, Refutation, Stop, Undecided, Verdict};
use crate::check::finite_matrix;
use crate::error::{Error, Result};
use crate::stability::diagonal::almost_sure;
use crate::stability::diagonal::weights::Weights;
use crate::stability::read_as_claim;

read_as_claim!(Certificate, StoredCertificate);
read_as_claim!(Refutation, StoredRefutation);
read_as_claim!(Verdict, StoredVerdict);

#[derive(serde::Deserialize)]
enum StoredVerdict {
    Stable(StoredCertificate),
    AlmostSurelyStable(almost_sure::Stored),
    NotStable(StoredRefutation),
    Undecided(StoredUndecided),
}

#[derive(serde::Deserialize)]
pub(in crate::stability) struct StoredCertificate {
    weights: Weights,
    margin_lower: f64,
    method: Method,
    iterations: usize,
}

#[derive(serde::Deserialize)]
pub(in crate::stability) struct StoredRefutation {
    witness: Array2<f64>,
    transposed: bool,
    method: Method,
    iterations: usize,
}

#[derive(serde::Deserialize)]
pub(in crate::stability) struct StoredUndecided {
    #[serde(with = "crate::extended")]
    lower: f64,
    #[serde(with = "crate::extended")]
    upper: f64,
    method: Method,
    iterations: usize,
    reason: Stop,
}

impl TryFrom<StoredVerdict> for Verdict {
    type Error = Error;

    fn try_from(stored: StoredVerdict) -> Result<Self> {
        Ok(match stored {
            StoredVerdict::Stable(certificate) => Verdict::Stable(certificate.try_into()?),
            StoredVerdict::AlmostSurelyStable(certificate) => {
                Verdict::AlmostSurelyStable(AlmostSureCertificate::try_from(certificate)?)
            }
            StoredVerdict::NotStable(refutation) => Verdict::NotStable(refutation.try_into()?),
            StoredVerdict::Undecided(undecided) => Verdict::Undecided(undecided.try_into()?),
        })
    }
}

impl TryFrom<StoredCertificate> for Certificate {
    type Error = Error;

    fn try_from(stored: StoredCertificate) -> Result<Self> {
        let margin = stored.margin_lower;
        if !(margin >= 0.0 && margin.is_finite()) {
            return Err(Error::invalid("margin_lower", margin, "finite numbers, at least 0"));
        }
        Ok(Self::new(stored.weights, margin, stored.method, stored.iterations))
    }
}

impl TryFrom<StoredRefutation> for Refutation {
    type Error = Error;

    fn try_from(stored: StoredRefutation) -> Result<Self> {
        check_witness(&stored.witness)?;
        let StoredRefutation { witness, transposed, method, iterations } = stored;
        Ok(if transposed {
            Self::of_transpose(witness, method, iterations)
        } else {
            Self::new(witness, method, iterations)
        })
    }
}

impl TryFrom<StoredUndecided> for Undecided {
    type Error = Error;

    fn try_from(stored: StoredUndecided) -> Result<Self> {
        check_bounds(stored.lower, stored.upper)?;
        Ok(Self::new((stored.lower, stored.upper), stored.method, stored.iterations, stored.reason))
    }
}

/// An error unless it is finite, of shape `(n, r)` with `1 <= r <= n`.
pub(in crate::stability::diagonal) fn check_witness(witness: &Array2<f64>) -> Result<()> {
    let (n, rank) = witness.dim();
    if rank == 0 || rank > n {
        return Err(Error::shape("witness", "[n, r] with 1 <= r <= n", &[n, rank]));
    }
    finite_matrix("witness", witness.view())
}

/// An error unless `lower <= upper`; either may be infinite.
pub(in crate::stability::diagonal) fn check_bounds(lower: f64, upper: f64) -> Result<()> {
    if lower <= upper { Ok(()) } else { Err(Error::invalid("lower", lower, format!("at most `upper`, {upper}"))) }
}
