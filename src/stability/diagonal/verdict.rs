//! What a decision about a matrix hands over: a proof of stability, a refutation, or bounds.

#[cfg(feature = "serde")]
pub(super) mod stored;

use std::fmt;

use super::almost_sure::AlmostSureCertificate;
use super::certificate::Certificate;
use super::control::Stop;
use super::method::Method;
use super::refutation::Refutation;
use crate::error::{Error, Result};
use crate::linalg::decimal::{AtLeast, AtMost};
use crate::stability::{self, Bounds, Implication, Subject};

/// The answer to "is this matrix Lyapunov diagonally stable?".
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Verdict {
    /// Yes, with a `D` that proves it.
    Stable(Certificate),
    /// Yes, with a `D`, up to a stated probability of error over the algorithm's random choices: sparse matrices that are too large
    /// for a factorisation.
    AlmostSurelyStable(AlmostSureCertificate),
    /// No, with an `X` that proves it.
    NotStable(Refutation),
    /// Too near the boundary, or out of time; with proved bounds on the margin.
    Undecided(Undecided),
}

impl stability::Certificate for Verdict {
    type Subject<'a> = Subject<'a>;

    /// The bounds of an undecided verdict have nothing to prove them with.
    fn verify(&self, subject: &Subject<'_>) -> Result<()> {
        match self {
            Verdict::Stable(certificate) => certificate.verify(subject),
            Verdict::AlmostSurelyStable(certificate) => certificate.verify(subject),
            Verdict::NotStable(refutation) => refutation.verify(subject),
            Verdict::Undecided(_) => {
                Err(Error::NotProved { reason: "bounds of an undecided verdict come without a proof".into() })
            }
        }
    }

    fn margin(&self) -> Option<f64> {
        match self {
            Verdict::Stable(certificate) => Some(certificate.margin_lower()),
            Verdict::AlmostSurelyStable(certificate) => Some(certificate.margin_lower()),
            Verdict::NotStable(_) | Verdict::Undecided(_) => None,
        }
    }

    fn implies(&self) -> Implication {
        match self {
            Verdict::Stable(certificate) => certificate.implies(),
            Verdict::AlmostSurelyStable(certificate) => certificate.implies(),
            Verdict::NotStable(_) | Verdict::Undecided(_) => Implication::nothing(),
        }
    }

    fn error_probability(&self) -> Option<f64> {
        self.almost_sure_certificate().map(AlmostSureCertificate::error_probability)
    }
}

impl Verdict {
    /// Whether stability is proved.
    pub fn is_stable(&self) -> bool {
        matches!(self, Verdict::Stable(_))
    }

    /// Whether instability is proved.
    pub fn is_not_stable(&self) -> bool {
        matches!(self, Verdict::NotStable(_))
    }

    /// The certificate, if stability is proved.
    pub fn certificate(&self) -> Option<&Certificate> {
        if let Verdict::Stable(c) = self { Some(c) } else { None }
    }

    /// The weights with a probability of error, if that is the answer.
    pub fn almost_sure_certificate(&self) -> Option<&AlmostSureCertificate> {
        if let Verdict::AlmostSurelyStable(c) = self { Some(c) } else { None }
    }

    /// The refutation, if instability is proved.
    pub fn refutation(&self) -> Option<&Refutation> {
        if let Verdict::NotStable(r) = self { Some(r) } else { None }
    }

    /// How the verdict was found.
    pub fn method(&self) -> Method {
        match self {
            Verdict::Stable(c) => c.method(),
            Verdict::AlmostSurelyStable(_) => Method::Ascent,
            Verdict::NotStable(r) => r.method(),
            Verdict::Undecided(u) => u.method,
        }
    }

    /// Interior-point steps that were taken, over all strongly connected blocks; for large sparse matrices those of the ascent, or
    /// of the randomised proof.
    pub fn iterations(&self) -> usize {
        match self {
            Verdict::Stable(c) => c.iterations(),
            Verdict::AlmostSurelyStable(c) => c.steps(),
            Verdict::NotStable(r) => r.iterations(),
            Verdict::Undecided(u) => u.iterations,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Stable(c) => c.fmt(f),
            Verdict::AlmostSurelyStable(c) => c.fmt(f),
            Verdict::NotStable(r) => r.fmt(f),
            Verdict::Undecided(u) => u.fmt(f),
        }
    }
}

/// No verdict, but proved bounds on the margin `delta*(A; R) = sup{delta : A + delta R^-1 is LDS}`, `R = I` for a
/// plain matrix.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Undecided {
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    lower: f64,
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    upper: f64,
    method: Method,
    iterations: usize,
    reason: Stop,
}

impl Undecided {
    /// Bounds beyond 0 are moved to it: the margins on both sides of it are for those who make a certificate or a refutation
    /// of them.
    pub(super) fn new((lower, upper): (f64, f64), method: Method, iterations: usize, reason: Stop) -> Self {
        Self { lower: lower.min(0.0), upper: upper.max(0.0), method, iterations, reason }
    }

    /// Proved bounds on the margin, `lower <= 0 <= upper`. Infinite where nothing is proved.
    pub fn bounds(&self) -> Bounds {
        Bounds { lower: self.lower, upper: self.upper }
    }

    /// The last method that was tried.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Interior-point steps that were taken.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Why the search ended.
    pub fn reason(&self) -> Stop {
        self.reason
    }
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lower, upper) = (AtLeast(self.lower), AtMost(self.upper));
        write!(f, "undecided ({}): the margin lies in [{lower:e}, {upper:e}]", self.reason)
    }
}
