//! Proofs that can be checked again, and claims that have to be before they count.

use std::fmt;

use crate::error::Result;

use super::{Implication, IntoSubject};

/// A proof about subjects of some kind that can be checked again, whoever made it.
///
/// Every proof of this crate is one; others may be added, about subjects of their own.
///
/// ```
/// use ndarray::array;
/// use neuronash::Result;
/// use neuronash::stability::{Certificate, IntoSubject, Subject};
///
/// /// That no neuron drives itself as strongly as it leaks.
/// struct NegativeDiagonal;
///
/// impl Certificate for NegativeDiagonal {
///     type Subject<'a> = Subject<'a>;
///     fn verify(&self, subject: &Subject<'_>) -> Result<()> {
///         let fails = |_| neuronash::Error::NotProved { reason: "a diagonal entry is not below 0".into() };
///         subject.to_dense().diag().iter().all(|&v| v < 0.0).then_some(()).ok_or(()).map_err(fails)
///     }
/// }
///
/// let a = array![[-1.0, 2.0], [0.0, -1.0]];
/// assert!(NegativeDiagonal.verify(&(&a).into_subject()?).is_ok());
/// # Ok::<(), neuronash::Error>(())
/// ```
pub trait Certificate {
    /// What it is about.
    type Subject<'a>;

    /// Proves it for a subject, without trusting where the certificate came from.
    ///
    /// # Errors
    /// [`Error::NotProved`](crate::Error::NotProved) if it does not hold for the subject, or cannot be proved in `f64`.
    fn verify(&self, subject: &Self::Subject<'_>) -> Result<()>;

    /// The margin, or for contraction the rate, that it proves; `None` for proofs of something else.
    fn margin(&self) -> Option<f64> {
        None
    }

    /// What it says about a network; nothing, unless it says otherwise.
    fn implies(&self) -> Implication {
        Implication::nothing()
    }

    /// A bound on the probability, over an algorithm's random choices, that it was accepted and is false; `None` if chance played
    /// no part.
    fn error_probability(&self) -> Option<f64> {
        None
    }
}

/// What someone says is a proof: read from a file, or handed in. It says nothing until [`verify`](Self::verify) has made the
/// proof of it.
///
/// With the feature `serde`, proofs are written as they are and read back as claims:
///
/// ```
/// # #[cfg(feature = "serde")] {
/// use ndarray::array;
/// use neuronash::stability::Claim;
/// use neuronash::stability::diagonal::{Certificate, certify};
///
/// let a = array![[-1.0, -4.0], [1.0, -1.0]];
/// let stored = serde_json::to_string(certify(&a)?.certificate().expect("stable")).expect("numbers");
/// let claim: Claim<Certificate> = serde_json::from_str(&stored).expect("as it was written");
/// let other = array![[1.0, -4.0], [1.0, -1.0]];
/// assert!(claim.clone().verify(&other).is_err());
/// let certificate = claim.verify(&a)?;
/// assert!(certificate.margin_lower() > 0.0);
/// # }
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Claim<C> {
    claimed: C,
}

impl<C: Certificate> Claim<C> {
    /// The claim that a certificate makes of any subject.
    pub fn new(certificate: C) -> Self {
        Self { claimed: certificate }
    }

    /// The certificate, proved for the subject.
    ///
    /// # Errors
    /// [`Error::NotProved`](crate::Error::NotProved) if it does not hold for the subject, or cannot be proved in `f64`; the errors
    /// of [`IntoSubject::into_subject`] for a bad one.
    pub fn verify<'a>(self, subject: impl IntoSubject<'a, C::Subject<'a>>) -> Result<C> {
        self.claimed.verify(&subject.into_subject()?)?;
        Ok(self.claimed)
    }
}

/// Without its numbers, which say nothing yet.
impl<C> fmt::Debug for Claim<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").finish_non_exhaustive()
    }
}

/// Reads claims of a type of proof back, from the form in which it is stored.
#[cfg(feature = "serde")]
macro_rules! read_as_claim {
    ($certificate:ty, $stored:ty) => {
        impl<'de> serde::Deserialize<'de> for $crate::stability::Claim<$certificate> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let stored = <$stored as serde::Deserialize>::deserialize(deserializer)?;
                let claimed = <$certificate>::try_from(stored).map_err(serde::de::Error::custom)?;
                Ok($crate::stability::Claim::new(claimed))
            }
        }
    };
}
#[cfg(feature = "serde")]
pub(crate) use read_as_claim;
