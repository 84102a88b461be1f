//! Stability that holds up to a stated probability of error over the algorithm's random choices.

use std::fmt;

use ndarray::{Array1, ArrayView1};

use super::ladder::ATTEMPTS;
use super::large;
use super::randomised::{DRAWS, THETA, error_probability, fresh_seed};
use super::sparse::Sparse;
use super::weights::Weights;
use crate::error::{Error, Result};
use crate::linalg::decimal::{AtLeast, AtMost};
use crate::stability::{self, Condition, Implication, IntoSubject, Subject};

/// Positive weights `d` for which `D A + A'D < 0` and a margin were accepted by a randomised proof (theory 3.13): if they were
/// false, the algorithm would have accepted them with a probability of at most
/// [`error_probability`](Self::error_probability) over its random choices.
///
/// It is not a [`Certificate`](super::Certificate), and does not call itself proved. Rounding errors are accounted for.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AlmostSureCertificate {
    weights: Weights,
    #[cfg_attr(feature = "serde", serde(skip))]
    values: Array1<f64>,
    margin_lower: f64,
    seed: u64,
    steps: usize,
}

/// A certificate as it stands in a file. What it claims of a matrix is for `verify`.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
pub(in crate::stability) struct Stored {
    weights: Weights,
    margin_lower: f64,
    seed: u64,
    steps: usize,
}

#[cfg(feature = "serde")]
impl TryFrom<Stored> for AlmostSureCertificate {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self> {
        let Stored { weights, margin_lower, seed, steps } = stored;
        if !(margin_lower >= 0.0 && margin_lower.is_finite()) {
            return Err(Error::invalid("margin_lower", margin_lower, "finite numbers, at least 0"));
        }
        Ok(Self::new(weights, margin_lower, seed, steps))
    }
}

#[cfg(feature = "serde")]
crate::stability::read_as_claim!(AlmostSureCertificate, Stored);

/// Of `W - R^-1` of a network, with its probability of error.
impl stability::Certificate for AlmostSureCertificate {
    type Subject<'a> = Subject<'a>;

    fn verify(&self, subject: &Subject<'_>) -> Result<()> {
        self.verify(subject)
    }

    fn margin(&self) -> Option<f64> {
        Some(self.margin_lower)
    }

    fn implies(&self) -> Implication {
        Condition::DiagonalStability.implies()
    }

    fn error_probability(&self) -> Option<f64> {
        Some(self.error_probability())
    }
}

impl AlmostSureCertificate {
    pub(super) fn new(weights: Weights, margin_lower: f64, seed: u64, steps: usize) -> Self {
        Self { values: weights.values(), weights, margin_lower, seed, steps }
    }

    /// The weights `d`, all positive (any common factor is as good). Shape `(n,)`.
    pub fn weights(&self) -> ArrayView1<'_, f64> {
        self.values.view()
    }

    /// The margin that was accepted together with the weights: `D A + A'D + 2 delta D R^-1 < 0` for all `delta` up to it.
    pub fn margin_lower(&self) -> f64 {
        self.margin_lower
    }

    /// An upper bound on the probability that a false claim is accepted, over the random choices of the algorithm:
    /// `2 (theta sqrt(2/pi))^4` with `theta = 1e-5`, below 1e-20.
    pub fn error_probability(&self) -> f64 {
        error_probability(THETA, DRAWS, ATTEMPTS)
    }

    /// The seed of the generator (ChaCha20, keyed by the seed and the matrix).
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Steps of the Chebyshev recurrence.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Checks the weights and the margin again for a subject, with fresh draws.
    ///
    /// # Errors
    /// [`Error::NotProved`] if they are not accepted; the errors of [`certify`](super::certify()) for a bad subject.
    pub fn verify<'a>(&self, subject: impl IntoSubject<'a>) -> Result<()> {
        let a = Sparse::of(&subject.into_subject()?);
        let (own, rows) = (self.weights.len(), a.size());
        if own != rows {
            return Err(Error::NotProved { reason: format!("there are {own} weights, and {rows} rows") });
        }
        if large::proves_by_draws(&self.values, self.margin_lower, a, fresh_seed()) {
            Ok(())
        } else {
            Err(Error::NotProved { reason: "fresh draws do not accept the weights and the margin".into() })
        }
    }
}

impl fmt::Display for AlmostSureCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "almost surely stable: diagonally stable with margin at least {:e} by {} weights, with probability of error at most \
             {:e} over the algorithm's random choices (seed {})",
            AtLeast(self.margin_lower),
            self.weights.len(),
            AtMost(self.error_probability()),
            self.seed
        )
    }
}
