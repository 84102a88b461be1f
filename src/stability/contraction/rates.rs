//! Contraction rates of networks in weighted l1 and l-infinity norms.

use std::fmt;

use ndarray::Array1;

use super::majorant::Enclosed;
use super::perron::{PerronOptions, search_vector};
use super::{Majorant, Norm, NormKind};
use crate::Scalar;
use crate::error::{Error, Result};
use crate::linalg::decimal::AtLeast;
use crate::linalg::rounding::{add_down, add_up, div_down, div_up, mul_down, mul_up, sub_down, sub_up};
use crate::network::{self, FormKind, Network};
use crate::stability::{self, Bounds, Condition, Implication, IntoSubject, Subject};

/// A contraction rate of a network with the norm it is proved in.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Contraction {
    rate: Bounds,
    norm: Norm,
}

impl Contraction {
    /// The proved rate `c`, per unit of time: `|x(t) - y(t)| <= e^{-c t} |x(0) - y(0)|` in [`norm`](Self::norm). Rates of
    /// 0 and below are no proof of stability, only a bound on how fast trajectories may part.
    pub fn rate(&self) -> f64 {
        self.rate.lower
    }

    /// Bounds on the best rate that the method can prove with any weights: the proved rate below, and above a rate that
    /// no weights exceed.
    pub fn best_rate(&self) -> Bounds {
        self.rate
    }

    /// Whether the rate is positive, so that the network is contracting.
    pub fn is_contracting(&self) -> bool {
        self.rate.lower > 0.0
    }

    /// The norm of the proved rate.
    pub fn norm(&self) -> &Norm {
        &self.norm
    }
}

/// A rate as it stands in a file.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Stored {
    rate: Bounds,
    norm: Norm,
}

#[cfg(feature = "serde")]
impl TryFrom<Stored> for Contraction {
    type Error = Error;

    fn try_from(Stored { rate, norm }: Stored) -> Result<Self> {
        Ok(Self { rate, norm })
    }
}

#[cfg(feature = "serde")]
crate::stability::read_as_claim!(Contraction, Stored);

impl Contraction {
    /// Proves the rate in its norm again, and that no weights give more than the upper bound.
    ///
    /// # Errors
    /// [`Error::NotProved`] if it does not hold for the subject; as [`Network::contraction_rate_in`] for a bad one.
    pub fn verify<'a>(&self, subject: impl IntoSubject<'a>) -> Result<()> {
        let subject = subject.into_subject()?;
        let fails = |reason: &str| Err(Error::NotProved { reason: reason.into() });
        let Bounds { lower, upper } = self.rate;
        if self.norm.kind() == NormKind::Two || self.norm.check(subject.size()).is_err() {
            return fails("the norm is none of l1 or l-infinity with a weight for each neuron");
        }
        let setting = Setting::new(&subject, self.norm.kind())?;
        let proved = lower <= setting.rate_in(&self.norm).lower;
        if !proved {
            return fails("the rate is not proved in this norm");
        }
        if upper >= setting.optimal()?.rate.upper { Ok(()) } else { fails("larger rates are not ruled out") }
    }
}

/// For the time constants of the network; for others the norm may be another one.
impl stability::Certificate for Contraction {
    type Subject<'a> = Subject<'a>;

    fn verify(&self, subject: &Subject<'_>) -> Result<()> {
        self.verify(subject)
    }

    fn margin(&self) -> Option<f64> {
        Some(self.rate.lower)
    }

    fn implies(&self) -> Implication {
        if self.is_contracting() { Condition::MetzlerInfinity.implies() } else { Implication::nothing() }
    }
}

impl fmt::Display for Contraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "contracts at rate {:e} in the {} norm", AtLeast(self.rate.lower), self.norm)
    }
}

impl<A: Scalar, F: network::Form> Network<A, F> {
    /// The largest contraction rate in a weighted l1 or l-infinity norm, with the weights (theory 4.1).
    ///
    /// Slopes may be anywhere in `[0, rho_i]` and time constants differ. With `M` the Metzler majorant of `W`
    /// for l-infinity and of `W'` for l1, and weights `g` (`v` for l-infinity, `w_i / tau_i` for l1), the rate is
    /// the smallest over `k` of
    /// - `(1 - rho_k max(0, (M g)_k / g_k)) / tau_k` for firing-rate networks in l-infinity and Hopfield networks
    ///   in l1: the slope multiplies the whole row;
    /// - `(1 - max(0, rho_k m_kk) - sum_{j != k} m_kj rho_j g_j / g_k) / tau_k` otherwise.
    ///
    /// The best `g` is a Perron vector, of `T^{-1}(R M - I)` in the first case. Transposing `W` swaps the
    /// two forms of the network and the two norms.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded, known from samples only, or all zero.
    pub fn contraction(&self, kind: NormKind) -> Result<Contraction> {
        Setting::new(&self.into_subject()?, kind)?.optimal()
    }

    /// The contraction rate that the same formula gives in a norm of the user's choice, l1 or l-infinity.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded, known from samples only, or all zero; a norm of another dimension, or an l2 norm.
    pub fn contraction_rate_in(&self, norm: &Norm) -> Result<f64> {
        norm.check(self.len())?;
        Ok(Setting::new(&self.into_subject()?, norm.kind())?.rate_in(norm).lower)
    }
}

/// One network and one kind of norm, in the orientation where both norms read alike.
struct Setting {
    kind: NormKind,
    /// The Metzler majorant of `W`, transposed for l1.
    m: Majorant,
    tau: Array1<f64>,
    rho: Array1<f64>,
    /// Whether the slope of the row multiplies the whole row.
    outer: bool,
}

impl Setting {
    fn new(subject: &Subject<'_>, kind: NormKind) -> Result<Self> {
        let (rho, tau, form) = (subject.rho().to_owned(), subject.time_constants(), subject.form());
        let m = Majorant::of(subject);
        let m = match kind {
            NormKind::One => m.transposed(),
            NormKind::Infinity => m,
            NormKind::Two => return Err(Error::invalid("kind", kind, "l1 or l-infinity")),
        };
        let outer = (form == FormKind::FiringRate) == (kind == NormKind::Infinity);
        Ok(Self { kind, m, tau, rho, outer })
    }

    fn optimal(&self) -> Result<Contraction> {
        let found = search_vector(&self.generator(), &PerronOptions::default());
        let weights = match self.kind {
            NormKind::One => found.vector.iter().zip(&self.tau).map(|(g, t)| g * t).collect(),
            _ => Array1::from_vec(found.vector.clone()),
        };
        let norm = Norm::diagonal(self.kind, weights)?;
        let g = Enclosed::exact(&found.vector);
        let h = self.h(&g);
        let of_generator = |i: usize, component: Option<u32>| {
            let off = self.m.quotient(i, &h, &g, |j| component.is_none_or(|c| found.component[j] == c));
            let loss = self.loss(i, off);
            Bounds { lower: -loss.upper, upper: -loss.lower }
        };
        let slowest = self.tau.iter().map(|&t| div_up(1.0, t)).fold(f64::INFINITY, f64::min);
        let upper = slowest.min(-found.collatz_wielandt(of_generator).lower);
        let lower = self.rate_in(&norm).lower;
        Ok(Contraction { rate: Bounds { lower, upper: upper.max(lower) }, norm })
    }

    /// `T^{-1}(R M - I)`, or `T^{-1}(M^+ R - I)` with the diagonal of `M` clipped at 0; to working precision.
    fn generator(&self) -> Majorant {
        let ones = vec![1.0; self.tau.len()];
        let over_tau: Vec<f64> = self.tau.iter().map(|t| 1.0 / t).collect();
        let mut b = self.m.clone();
        if self.outer {
            let left: Vec<f64> = self.rho.iter().zip(&over_tau).map(|(r, t)| r * t).collect();
            b = b.scaled(&left, &ones);
        } else {
            for d in &mut b.diagonal {
                *d = d.max(0.0);
            }
            b = b.scaled(&over_tau, &self.rho.to_vec());
        }
        for (d, t) in b.diagonal.iter_mut().zip(&over_tau) {
            *d -= t;
        }
        b
    }

    /// What multiplies the magnitudes of a row: `g`, or `rho g`.
    fn h(&self, g: &Enclosed) -> Enclosed {
        if self.outer { g.clone() } else { g.times(&self.rho.to_vec()) }
    }

    /// Bounds on minus the `i`-th Collatz-Wielandt quotient of the generator, given the off-diagonal sum of its row.
    fn loss(&self, i: usize, off: Bounds) -> Bounds {
        let (d, rho, tau) = (self.m.diagonal[i], self.rho[i], self.tau[i]);
        let gain = if self.outer {
            Bounds { lower: mul_down(rho, add_down(d, off.lower)), upper: mul_up(rho, add_up(d, off.upper)) }
        } else {
            let d = d.max(0.0);
            Bounds { lower: add_down(mul_down(rho, d), off.lower), upper: add_up(mul_up(rho, d), off.upper) }
        };
        Bounds { lower: over(sub_down(1.0, gain.upper), tau).0, upper: over(sub_up(1.0, gain.lower), tau).1 }
    }

    fn rate_in(&self, norm: &Norm) -> Bounds {
        let weights = Enclosed::exact(&norm.diagonal_or_ones(self.tau.len()).to_vec());
        let g = if self.kind == NormKind::One { weights.over(&self.tau.to_vec()) } else { weights };
        let h = self.h(&g);
        let mut rate = Bounds { lower: f64::INFINITY, upper: f64::INFINITY };
        for (i, &tau) in self.tau.iter().enumerate() {
            let loss = self.loss(i, self.m.quotient(i, &h, &g, |_| true));
            // A slope of 0 is always possible, and leaves the leak alone.
            rate.lower = rate.lower.min(loss.lower.min(div_down(1.0, tau)));
            rate.upper = rate.upper.min(loss.upper.min(div_up(1.0, tau)));
        }
        rate
    }
}

/// `x / tau` rounded down and up.
fn over(x: f64, tau: f64) -> (f64, f64) {
    (div_down(x, tau), div_up(x, tau))
}
