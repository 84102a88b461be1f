//! S-contraction: contraction in a full quadratic norm, by the S-procedure with a diagonal multiplier (theory 4.3).
//!
//! # The reduction to a diagonal search
//! With `T = I`, slopes in `[0, 1]` and `c < 1`, substituting `x = (y + y') / (2 (1 - c))` turns the block inequality into
//! `[[P, -W'Q], [-QW, 4 (1-c) Q - QW - W'Q - P]] >= 0`. For fixed `Q` a `P` exists iff the trigonometric polynomial
//! `4 (1-c) Q - (1 + e^{ia}) QW - (1 + e^{-ia}) W'Q` is nonnegative for all angles (spectral factorisation), that is, with
//! `r = 1 - c` and `w` in the numerical range of `Q^(1/2) W Q^(-1/2)`,
//!
//! ```text
//! (|w| + Re w) / 2 <= r   for all w:   the numerical range lies in a parabola with focus 0.
//! ```
//!
//! So the largest `c` is a search over the `n` entries of `Q`, with an inequality of order `n` for each of a few angles, and
//! `P` follows from a Riccati equation. An angle `z = cos(p) e^{ip}` also gives the *refutation*: matrices `X_k >= 0` with
//! `Re sum (z_k W X_k)_ii >= r sum (X_k)_ii` for all `i` show that no rate above `1 - r` can be certified, because the block
//! inequality tested with `(z y / (1-c), y)` says `2 (1-c) Q >= z QW + conj(z) W'Q` for every `z` in the disc `|z|^2 <= Re z`.

mod check;
mod generator;
mod margin;
mod riccati;
mod search;

use std::fmt;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use super::Norm;
use crate::Scalar;
use crate::error::{Error, Result};
use crate::linalg;
use crate::linalg::balance::{in_units, powers_of_two};
use crate::linalg::decimal::{AtLeast, AtMost};
use crate::linalg::rounding::{add_up, div_up, mul_up, sub_up};
use crate::network::{self, FormKind as Form, Network};
use crate::stability::local::fits_densely;
use crate::stability::{self, Bounds, Condition, Implication, IntoSubject, Subject};

pub use generator::SContractingWeights;

/// What the block inequality is made of. Slopes are in `[0, 1]`: `w` is `R W` for firing-rate networks and `W R` for
/// Hopfield networks, each entry with one rounding.
#[derive(Debug, Clone)]
struct Model {
    form: Form,
    w: Array2<f64>,
    tau: Array1<f64>,
}

impl Model {
    /// Of a network, of a pair `(&w, &rho)` with time constants 1, or of a matrix `W` with slopes 1, too.
    fn of(subject: &Subject<'_>) -> Result<Self> {
        fits_densely(subject.size(), "S-contraction")?;
        let (form, w) = (subject.form(), subject.to_dense().into_owned());
        Ok(Self::new(form, w, subject.time_constants(), subject.rho()))
    }

    fn new(form: Form, mut w: Array2<f64>, tau: Array1<f64>, rho: ArrayView1<'_, f64>) -> Self {
        for ((i, j), v) in w.indexed_iter_mut() {
            *v *= rho[if form == Form::FiringRate { i } else { j }];
        }
        Self { form, w, tau }
    }

    fn len(&self) -> usize {
        self.w.nrows()
    }

    /// The firing-rate model whose certificates correspond: of `W'` for the Hopfield form.
    fn as_firing_rate(&self) -> Self {
        let w = if self.form == Form::Hopfield { self.w.t().as_standard_layout().into_owned() } else { self.w.clone() };
        Self { form: Form::FiringRate, w, tau: self.tau.clone() }
    }

    /// The common time constant, if there is one.
    fn common_tau(&self) -> Option<f64> {
        self.tau.iter().all(|&t| t == self.tau[0]).then(|| self.tau[0])
    }
}

/// A proved S-contraction rate with its certificate, and a proof of how much better any other could be.
///
/// The certificate is `(P, Q, c)` with `P > 0` symmetric, `Q > 0` diagonal and, for firing-rate networks,
///
/// ```text
/// [ -(P T^{-1} + T^{-1} P) + 2 c P    P T^{-1} + W'Q ]
/// [        T^{-1} P + Q W                  -2 Q      ]  <  0,
/// ```
///
/// which for `T = I` is theory 4.3; Hopfield networks have `P T^{-1} W + Q` in the corner. `W` stands for `R W` and `W R` when
/// slopes are bounded by `rho` instead of 1. Any two trajectories `x, y` then have
/// `|x(t) - y(t)|_P <= e^{-c t} |x(0) - y(0)|_P`.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SContraction {
    form: Form,
    p: Array2<f64>,
    q: Array1<f64>,
    rate: f64,
    refutation: Refutation,
    upper: f64,
}

/// A certificate as it stands in a file.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Stored {
    form: Form,
    p: Array2<f64>,
    q: Array1<f64>,
    rate: f64,
    refutation: Refutation,
    upper: f64,
}

#[cfg(feature = "serde")]
impl TryFrom<Stored> for SContraction {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self> {
        let Stored { form, p, q, rate, refutation, upper } = stored;
        Ok(Self { form, p, q, rate, refutation, upper })
    }
}

#[cfg(feature = "serde")]
crate::stability::read_as_claim!(SContraction, Stored);

/// For the time constants of the network.
impl stability::Certificate for SContraction {
    type Subject<'a> = Subject<'a>;

    fn verify(&self, subject: &Subject<'_>) -> Result<()> {
        self.verify(subject)
    }

    fn margin(&self) -> Option<f64> {
        Some(self.rate)
    }

    fn implies(&self) -> Implication {
        if self.is_contracting() { Condition::SContraction.implies() } else { Implication::nothing() }
    }
}

/// Multipliers that prove that no larger rate has a certificate.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Refutation {
    multipliers: Vec<Multiplier>,
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Multiplier {
    /// `z` as real and imaginary part.
    z: (f64, f64),
    /// `X = Y Y'` in the real form `[[Re, -Im], [Im, Re]]`, or of order `n` for real `z`.
    y: Array2<f64>,
}

impl SContraction {
    /// The proved rate `c`, per unit of time; a rate of 0 or below does not prove stability.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Proved bounds on the largest rate that a certificate `(P, Q, c)` can have.
    pub fn best_rate(&self) -> Bounds {
        Bounds { lower: self.rate, upper: self.upper }
    }

    /// Whether the proved rate is positive.
    pub fn is_contracting(&self) -> bool {
        self.rate > 0.0
    }

    /// `P`, shape `[n, n]`: the network contracts in `sqrt(x' P x)`.
    pub fn p(&self) -> ArrayView2<'_, f64> {
        self.p.view()
    }

    /// The diagonal of `Q`, shape `[n]`. With `c > 0` it also certifies that `W - I` is Lyapunov diagonally stable,
    /// where `W` stands for `R W` or `W R` as above: the block inequality at `(x, x)` says `2 c x'P x + 2 x'Q(W - I)x <
    /// 0`.
    pub fn q(&self) -> ArrayView1<'_, f64> {
        self.q.view()
    }

    /// The norm `sqrt(x' P x)`.
    pub fn norm(&self) -> Norm {
        Norm::proved_quadratic(self.p.clone())
    }

    /// Proves the certificate again for a network, for a pair `(&w, &rho)` as a firing-rate network with `T = I`, or for the
    /// weights `W` of such a network with slopes in `[0, 1]`; independent of how it was found.
    ///
    /// # Errors
    /// [`Error::NotProved`] if the inequality cannot be proved, and as [`s_contraction`] for a bad subject.
    pub fn verify<'a>(&self, subject: impl IntoSubject<'a>) -> Result<()> {
        self.verify_model(&Model::of(&subject.into_subject()?)?)
    }

    fn verify_model(&self, model: &Model) -> Result<()> {
        let failed = |reason: &str| Err(Error::NotProved { reason: reason.into() });
        let n = model.len();
        let fit = |y: &Array2<f64>| y.nrows() == n || y.nrows() == 2 * n;
        if self.p.dim() != (n, n) || self.q.len() != n || !self.refutation.multipliers.iter().all(|m| fit(&m.y)) {
            return failed("its matrices are not for so many neurons");
        }
        if model.form != self.form {
            return failed("the certificate belongs to the other form of network");
        }
        if !check::proves_rate(model, &self.p, &self.q, self.rate) {
            return failed("the block inequality is not proved");
        }
        if self.upper.is_nan() || self.rate > self.upper {
            return failed("the proved rate exceeds the bound on all rates");
        }
        let best = self.refutation.largest_rate(model);
        if best > self.upper { failed("a larger rate is not ruled out") } else { Ok(()) }
    }
}

impl fmt::Display for SContraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, upper) = (AtLeast(self.rate), AtMost(self.upper));
        write!(f, "S-contracts at rate {rate:e} (no certificate exceeds {upper:e})")
    }
}

/// How closely to search for the largest S-contraction rate; checked where it is used.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SContractionOptions {
    tolerance: f64,
}

impl Default for SContractionOptions {
    /// Tolerance 1e-6.
    fn default() -> Self {
        Self { tolerance: 1e-6 }
    }
}

impl SContractionOptions {
    /// Stops when the bounds of the rate are this close, relative to the larger of 1 and `1 - c` (with `T = I`); in `[1e-10, 1)`,
    /// `1e-6` if not given.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// As [`s_contraction`], with these options.
    ///
    /// # Errors
    /// A tolerance that is not allowed, and as [`s_contraction`].
    pub fn solve<'a>(&self, subject: impl IntoSubject<'a>) -> Result<SContraction> {
        self.of_model(&Model::of(&subject.into_subject()?)?)
    }

    fn of_model(&self, model: &Model) -> Result<SContraction> {
        if !(1e-10..1.0).contains(&self.tolerance) {
            return Err(Error::invalid("tolerance", self.tolerance, "numbers in [1e-10, 1)"));
        }
        let mut dual = model.as_firing_rate();
        // In units in which the weights are balanced, which neither the rates nor their proofs depend on.
        let units = powers_of_two(dual.w.view());
        dual.w = in_units(dual.w.view(), &units);
        let found = search::best_diagonal(&dual.w, self.tolerance)?;
        let (p, q, rate) = certificate(model, &dual, &units, &found)?;
        let refutation = Refutation::new(&dual, &found.multipliers)?.in_own_units(&units);
        let upper = refutation.largest_rate(model).max(rate);
        Ok(SContraction { form: model.form, p, q, rate, refutation, upper })
    }
}

/// The largest S-contraction rate with its certificate (theory 4.3): of a network, of a pair `(&w, &rho)` as a firing-rate network
/// with `T = I`, or of such a network with the weights `W` and slopes in `[0, 1]` where a matrix alone is given.
///
/// For equal time constants the search comes within its tolerance of the best rate. For unequal ones it keeps the `Q` that is
/// best for equal ones: the rate is proved for the time constants of the network by the block inequality with them in it, and
/// may be far from the best; only the upper bound `1 / max tau` is stated.
///
/// # Errors
/// As [`IntoSubject::into_subject`]; more than 20,000 rows; weights so badly scaled that no certificate survives rounding.
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::contraction::s_contraction;
///
/// // Symmetric: the best rate is 1 - max(largest eigenvalue, 0).
/// let w = array![[0.0, 0.5], [0.5, 0.0]];
/// let best = s_contraction(&w)?;
/// assert!((best.rate() - 0.5).abs() < 1e-6 && best.best_rate().upper < 0.5 + 1e-6);
/// best.verify(&w)?;
/// // Stable for every input, but contracting in no fixed quadratic norm.
/// assert!(s_contraction(&array![[0.0, 4.0], [-4.0, 0.0]])?.best_rate().upper < 0.0);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn s_contraction<'a>(subject: impl IntoSubject<'a>) -> Result<SContraction> {
    SContractionOptions::default().solve(subject)
}

impl<A: Scalar, F: network::Form> Network<A, F> {
    /// The largest S-contraction rate with its certificate, as [`s_contraction`] finds it.
    ///
    /// A rate speaks of the time constants of this network alone. At others it need not contract in any norm; what a positive
    /// rate proves for all of them is diagonal stability of `W - R^{-1}` (theory 3.3), with the weights [`q`](SContraction::q).
    ///
    /// # Errors
    /// As [`s_contraction`].
    pub fn s_contraction(&self) -> Result<SContraction> {
        s_contraction(self)
    }
}

type Certificate = (Array2<f64>, Array1<f64>, f64);

/// `(P, Q, c)` that passes the rigorous check, with `c` as large as rounding allows for the `Q` found for the weights
/// of `dual`, which are those of the model times `2^(e_i - e_j)` with the exponents `units`; a `Q` whose entries
/// differ too much for double precision is drawn towards `I`.
fn certificate(model: &Model, dual: &Model, units: &[i32], found: &search::Found) -> Result<Certificate> {
    for power in [1.0, 0.75, 0.5, 0.25, 0.0] {
        let (q, r) = if power == 1.0 {
            (found.q.clone(), found.r)
        } else {
            let q = found.q.mapv(|v| v.powf(power));
            let r = search::attained(&dual.w, &q);
            (q, r)
        };
        let attempt = |c: f64| {
            let mut p = riccati::interior_solution(dual, &q, c)?;
            let mut q = q.clone();
            p.indexed_iter_mut().for_each(|((i, j), p)| *p *= 2f64.powi(units[i] + units[j]));
            q.iter_mut().zip(units).for_each(|(q, e)| *q *= 2f64.powi(2 * e));
            let (p, q) = model.own_certificate(p, q)?;
            check::proves_rate(model, &p, &q, c).then_some((p, q, c))
        };
        let proved = match dual.common_tau() {
            Some(tau) => largest_near(attempt, r, tau),
            None => largest_by_halving(attempt, r, &dual.tau),
        };
        if let Some(proved) = proved {
            return Ok(proved);
        }
    }
    Err(Error::NoConvergence { what: "the search for an S-contraction certificate".into() })
}

/// The largest provable `c` just below `(1 - r) / tau`.
fn largest_near(attempt: impl Fn(f64) -> Option<Certificate>, r: f64, tau: f64) -> Option<Certificate> {
    (0..10).find_map(|k| attempt((1.0 - r - 1e-9 * 5f64.powi(k) * r.max(1.0)) / tau))
}

/// The largest provable `c` below `1 / max tau`: first ever larger steps down, then halving.
fn largest_by_halving(attempt: impl Fn(f64) -> Option<Certificate>, r: f64, tau: &Array1<f64>) -> Option<Certificate> {
    let slowest = tau.iter().map(|t| 1.0 / t).fold(f64::INFINITY, f64::min);
    let fastest = tau.iter().map(|t| 1.0 / t).fold(0.0, f64::max);
    let (mut high, mut reach) = (slowest, 1e-6 * slowest);
    let mut best = loop {
        if let Some(proved) = attempt(slowest - reach) {
            break proved;
        }
        (high, reach) = (slowest - reach, 4.0 * reach);
        if reach > 1e4 * fastest * r.max(1.0) || !reach.is_finite() {
            return None;
        }
    };
    for _ in 0..24 {
        let middle = 0.5 * (best.2 + high);
        match attempt(middle) {
            Some(proved) => best = proved,
            None => high = middle,
        }
    }
    Some(best)
}

impl Model {
    /// Turns the `(P, Q)` of [`as_firing_rate`](Self::as_firing_rate) into that of the model itself.
    fn own_certificate(&self, p: Array2<f64>, q: Array1<f64>) -> Option<(Array2<f64>, Array1<f64>)> {
        if self.form == Form::FiringRate {
            return Some((p, q));
        }
        let n = self.len();
        let inverse = <f64 as linalg::Backend>::inverse_spd(p.view())?;
        let scaled = Array2::from_shape_fn((n, n), |(i, j)| {
            let (i, j) = (i.max(j), i.min(j));
            self.tau[i] * inverse[[i, j]] * self.tau[j]
        });
        Some((scaled, q.mapv(|v| 1.0 / v)))
    }
}

impl Refutation {
    /// Factors the multipliers, keeping as much of their spectrum as gives the best proof.
    fn new(dual: &Model, multipliers: &[(f64, Array2<f64>)]) -> Result<Self> {
        if dual.common_tau().is_none() {
            return Ok(Self::default());
        }
        let spectra = multipliers.iter().map(|(_, x)| linalg::eigh(x.view())).collect::<Result<Vec<_>>>()?;
        let top = spectra.iter().flat_map(|(values, _)| values).fold(0.0f64, |m, &v| m.max(v));
        let with_cutoff = |cutoff: f64| {
            let mut refutation = Self::default();
            for ((phi, x), (values, vectors)) in multipliers.iter().zip(&spectra) {
                let kept: Vec<usize> = (0..values.len()).filter(|&k| values[k] > cutoff * top).collect();
                if !kept.is_empty() {
                    // Rows that are zero in X stay exactly zero.
                    let entry = |i: usize, k: usize| vectors[[i, kept[k]]] * values[kept[k]].sqrt();
                    let column = |i: usize, k: usize| if x[[i, i]] == 0.0 { 0.0 } else { entry(i, k) };
                    let y = Array2::from_shape_fn((values.len(), kept.len()), |(i, k)| column(i, k));
                    refutation.multipliers.push(Multiplier { z: inside_disc(*phi), y });
                }
            }
            let rate = refutation.largest_rate(dual);
            (refutation, rate)
        };
        let best = [0.0, 1e-12, 1e-9, 1e-6].into_iter().map(with_cutoff).min_by(|a, b| a.1.total_cmp(&b.1));
        Ok(best.map(|(refutation, _)| refutation).unwrap_or_default())
    }

    /// The multipliers of `W` from those of the entries `2^(e_i - e_j) w_ij`.
    fn in_own_units(mut self, units: &[i32]) -> Self {
        for multiplier in &mut self.multipliers {
            for (a, mut row) in multiplier.y.rows_mut().into_iter().enumerate() {
                row *= 2f64.powi(-units[a % units.len()]);
            }
        }
        self
    }

    /// A rate that is proved not to be exceeded by any certificate for the model.
    fn largest_rate(&self, model: &Model) -> f64 {
        let leak = model.tau.iter().map(|&t| div_up(1.0, t)).fold(f64::INFINITY, f64::min);
        let Some(tau) = model.common_tau() else { return leak };
        let dual = model.as_firing_rate();
        let n = dual.len();
        let in_disc = |z: (f64, f64)| z == (1.0, 0.0) || add_up(mul_up(z.0, z.0), mul_up(z.1, z.1)) <= z.0;
        if self.multipliers.is_empty() || !self.multipliers.iter().all(|m| in_disc(m.z)) {
            return leak;
        }
        let form = |m: &Multiplier| {
            if m.y.nrows() == n && m.z.1 == 0.0 {
                dual.w.mapv(|v| m.z.0 * v)
            } else {
                search::real_form(&dual.w, m.z.0, m.z.1)
            }
        };
        let blocks: Vec<_> = self.multipliers.iter().map(|m| (form(m), &m.y)).collect();
        let r = check::proved_shift(&blocks, n, 4.0 * f64::EPSILON);
        if r.is_finite() { div_up(sub_up(1.0, r), tau).min(leak) } else { leak }
    }
}

/// `cos(phi) e^{i phi}`, moved a few roundings into the disc `|z|^2 <= Re z`.
fn inside_disc(phi: f64) -> (f64, f64) {
    if phi == 0.0 {
        return (1.0, 0.0);
    }
    let shrink = 1.0 - 8.0 * f64::EPSILON;
    (shrink * phi.cos() * phi.cos(), shrink * phi.cos() * phi.sin())
}
