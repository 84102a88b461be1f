//! Every known answer to "is my circuit stable, in what sense, and by how much?", in one table.

mod conditions;
mod display;
mod implications;

use std::collections::BTreeMap;
use std::time::Instant;

use crate::Scalar;
use crate::error::Result;
use crate::network::{Form, Network};
use crate::stability::contraction::Norm;
use crate::stability::diagonal::Certifier;
use crate::stability::{Bounds, NetworkVerdict};

use conditions::Examined;

/// A condition on a network. `W` stands for `R W` (firing-rate form) or `W R` (Hopfield form), `R` the slope bounds, so that
/// slopes are in `[0, 1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Condition {
    /// The rows of `W - I` are dominated by their diagonal entries.
    RowDominance,
    /// The columns of `W - I` are dominated by their diagonal entries.
    ColumnDominance,
    /// Contraction in a weighted l-infinity norm: the Metzler majorant of `W` has spectral abscissa below 1.
    MetzlerInfinity,
    /// Contraction in a weighted l1 norm.
    MetzlerOne,
    /// `mu_2(W) < 1`: the symmetric part of `W - I` is negative definite, that is, diagonally stable with `D = I`.
    EuclideanLogNorm,
    /// Contraction in a quadratic norm by the S-procedure, at the time constants of the network. At others diagonal
    /// stability with `D = Q` is what remains of it (theory 4.3).
    SContraction,
    /// Lyapunov diagonal stability of `W - R^{-1}`.
    DiagonalStability,
    /// `I - W` is a P-matrix.
    PMatrix,
    /// `T^{-1} (W - I)` is Hurwitz for all time constants `T`.
    DStability,
    /// `T^{-1} (W - I)` is Hurwitz for the time constants of the network: where all slopes are largest, the linearisation is
    /// stable. Necessary for diagonal stability.
    Hurwitz,
}

impl Condition {
    /// All conditions, each after those that it follows from (theory 2.4), but for contraction in the second of the two
    /// norms below.
    ///
    /// - Dominance, by rows or by columns, implies that the Metzler majorant of `W - I` is Hurwitz. That is contraction
    ///   in l-infinity for firing-rate networks, in l1 for Hopfield networks, where a slope multiplies a whole row or
    ///   column of `W`. Contraction in the other norm implies it, and does not follow from dominance where self-weights
    ///   are negative.
    /// - A Hurwitz majorant implies diagonal stability (theory 3.6); the Euclidean log norm (with `D = I`) and
    ///   S-contraction (with `D = Q`, theory 4.3) imply it, too, and none of these three roads implies another.
    /// - From diagonal stability follow the P-matrix and D-stability (theory 2.4, 3.3), from D-stability that the
    ///   linearisation is stable.
    /// - If `W` is symmetric, or has no negative entry off its diagonal, up to units and signs, diagonal stability, the
    ///   P-matrix, D-stability and linear stability are the same.
    ///
    /// A [`StabilityReport`] draws all these conclusions, both ways: what follows from a condition that holds, holds;
    /// what a condition that fails follows from, fails.
    pub const ALL: [Condition; 10] = [
        Condition::RowDominance,
        Condition::ColumnDominance,
        Condition::MetzlerInfinity,
        Condition::MetzlerOne,
        Condition::EuclideanLogNorm,
        Condition::SContraction,
        Condition::DiagonalStability,
        Condition::PMatrix,
        Condition::DStability,
        Condition::Hurwitz,
    ];

    /// What the condition says about the network when it holds.
    ///
    /// | condition | one equilibrium for every input | global exponential stability | any time constants |
    /// |---|---|---|---|
    /// | dominance, Metzler majorant | contraction has one | in a weighted l-infinity or l1 norm (theory 4.1, Davydov, Proskurnikov and Bullo) | yes: `T^-1` multiplies each row of a Hurwitz Metzler matrix; the norm may depend on `T` |
    /// | Euclidean log norm | as diagonal stability | as diagonal stability, with `D = I`; no contraction in the Euclidean norm itself (theory 4.2) | yes |
    /// | S-contraction | contraction has one | in the norm of `P` (theory 4.3, Gokhale, Proskurnikov, Kawano and Bullo) | no: at other `T` no quadratic norm may contract (theory 4.3); what holds there is diagonal stability with `D = Q` |
    /// | diagonal stability | theory 2.3, Rosen | by the Fenchel-Young function (theory 3.2, 3.3, Forti and Tesi) | yes: the same `D` (theory 3.3) |
    /// | P-matrix | iff, over all slopes in `[0, rho]` (theory 2.4) | nothing | of uniqueness: equilibria do not depend on `T` |
    /// | D-stability | nothing | nothing: of the linearisation at the largest slopes only | by definition |
    /// | linear stability | nothing | nothing: as D-stability | no |
    pub fn implies(self) -> Implication {
        use Condition::*;
        let (unique, exponential, all_tau) = match self {
            RowDominance | ColumnDominance | MetzlerInfinity | MetzlerOne => (true, Some(Measure::Norm), true),
            SContraction => (true, Some(Measure::Norm), false),
            EuclideanLogNorm | DiagonalStability => (true, Some(Measure::Lyapunov), true),
            PMatrix => (true, None, true),
            DStability => (false, None, true),
            Hurwitz => (false, None, false),
        };
        Implication {
            unique_equilibrium: unique,
            exponentially_stable: exponential,
            all_time_constants: all_tau,
            local_only: matches!(self, DStability | Hurwitz),
        }
    }
}

/// What a condition says about a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Implication {
    /// One equilibrium for every input.
    pub unique_equilibrium: bool,
    /// Global exponential stability, and in what it is measured.
    pub exponentially_stable: Option<Measure>,
    /// Whether what is said of stability (or of uniqueness) holds for all time constants, not only those of the
    /// network; of S-contraction it is the uniqueness alone that does.
    pub all_time_constants: bool,
    /// Whether it speaks only of the linearisation where all slopes are largest.
    pub local_only: bool,
}

impl Implication {
    /// That a condition, or a proof, says nothing about a network.
    pub fn nothing() -> Self {
        Self { unique_equilibrium: false, exponentially_stable: None, all_time_constants: false, local_only: false }
    }
}

/// What shrinks exponentially.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Measure {
    /// The distance of any two trajectories in a norm.
    Norm,
    /// The Fenchel-Young Lyapunov function.
    Lyapunov,
}

/// Whether a condition holds.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Answer {
    /// Proved to hold.
    Holds,
    /// Proved not to hold; for [`Condition::Hurwitz`], and where nothing but that line says it, found so numerically,
    /// as [`Finding::numerical`] says.
    Fails,
    /// Neither is proved.
    Undecided,
    /// Not tried, and why.
    Skipped(String),
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Finding {
    /// The condition.
    pub condition: Condition,
    /// Whether it holds.
    pub answer: Answer,
    /// By how much: a contraction rate per unit of time for contraction conditions, the margin of 3.3 for diagonal stability,
    /// `1 - mu_2(W)` for the Euclidean log norm, the least dominance for dominance, and minus the spectral abscissa for
    /// Hurwitz. Proved, unless `numerical`.
    pub margin: Option<Bounds>,
    /// Bounds on the gain `g` up to which the condition holds for `g W`; infinite if it holds for every gain. Proved, unless
    /// `numerical`.
    pub largest_gain: Option<Bounds>,
    /// Whether `margin` and `largest_gain`, and an answer that the condition fails, come from computed eigenvalues, whose errors
    /// nothing bounds. An answer that it holds is proved all the same; an answer that it fails is, too, where another
    /// proved line implies it.
    pub numerical: bool,
    /// The norm of a contraction condition that holds.
    pub norm: Option<Norm>,
    /// Time spent, in seconds.
    pub seconds: f64,
}

/// Which conditions hold for a network.
///
/// It can be written, but not read back: what is read is no proof.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct StabilityReport {
    neurons: usize,
    findings: Vec<Finding>,
    verdict: Option<NetworkVerdict>,
}

impl StabilityReport {
    /// One line per condition, in the order of [`Condition::ALL`].
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The line of one condition.
    pub fn finding(&self, condition: Condition) -> Option<&Finding> {
        self.findings.iter().find(|f| f.condition == condition)
    }

    /// The verdict on diagonal stability with its proof, from the margin if the report has one
    /// ([`Network::certify_by_margin`]), else as [`Network::certify`] would give it for dense weights;
    /// `None` if no condition of the report rests on it.
    pub fn verdict(&self) -> Option<&NetworkVerdict> {
        self.verdict.as_ref()
    }

    /// Whether the condition is proved to hold.
    pub fn holds(&self, condition: Condition) -> bool {
        self.finding(condition).is_some_and(|f| f.answer == Answer::Holds)
    }

    /// Whether it is proved that there is one equilibrium for every input.
    pub fn has_unique_equilibrium(&self) -> bool {
        self.proved().any(|f| f.condition.implies().unique_equilibrium)
    }

    /// Whether global exponential stability is proved.
    pub fn is_globally_stable(&self) -> bool {
        self.proved().any(|f| f.condition.implies().exponentially_stable.is_some())
    }

    /// The contraction condition with the largest proved rate, if one holds.
    pub fn fastest_contraction(&self) -> Option<&Finding> {
        let rate = |f: &&Finding| f.margin.map_or(f64::NEG_INFINITY, |m| m.lower);
        self.proved().filter(|f| f.norm.is_some()).max_by(|a, b| rate(a).total_cmp(&rate(b)))
    }

    fn proved(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| f.answer == Answer::Holds)
    }
}

/// Which conditions to try, and up to which size.
///
/// ```
/// use ndarray::array;
/// use neuronash::activation::Relu;
/// use neuronash::network::{FiringRateNetwork, Weights};
/// use neuronash::stability::{Condition, ReportOptions};
///
/// let net = FiringRateNetwork::builder(Weights::dense(&array![[0.5, -4.0], [3.0, 0.0]])?).activation(Relu).build()?;
/// let report = ReportOptions::default().without(Condition::SContraction).report(&net)?;
/// assert!(report.holds(Condition::DiagonalStability) && !report.holds(Condition::MetzlerInfinity));
/// println!("{report}");
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ReportOptions {
    largest: BTreeMap<Condition, usize>,
    #[cfg_attr(feature = "serde", serde(skip))]
    certifier: Certifier,
}

impl Default for ReportOptions {
    /// Everything, but S-contraction up to 150 neurons and other conditions on dense matrices up to 2,000 only. Beyond,
    /// what minors of one or two rows refute is still said.
    fn default() -> Self {
        let largest = |c: Condition| match c {
            Condition::MetzlerInfinity | Condition::MetzlerOne => usize::MAX,
            Condition::SContraction => 150,
            _ => 2_000,
        };
        let largest = Condition::ALL.into_iter().map(|c| (c, largest(c))).collect();
        Self { largest, certifier: Certifier::default() }
    }
}

impl ReportOptions {
    /// Leaves a condition out of the report.
    #[must_use]
    pub fn without(mut self, condition: Condition) -> Self {
        self.largest.remove(&condition);
        self
    }

    /// Puts only these conditions into the report.
    #[must_use]
    pub fn only(mut self, conditions: &[Condition]) -> Self {
        self.largest.retain(|c, _| conditions.contains(c));
        self
    }

    /// Tries a condition for networks of up to `n` neurons.
    #[must_use]
    pub fn up_to(mut self, condition: Condition, n: usize) -> Self {
        self.largest.insert(condition, n);
        self
    }

    /// Decides diagonal stability, and finds its margin, with the tolerance and the limits of this certifier; they hold for each
    /// of the two searches by itself. It is not stored with the options.
    #[must_use]
    pub fn certifier(mut self, certifier: Certifier) -> Self {
        self.certifier = certifier;
        self
    }

    /// The report on a network.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded, known from samples only, or all zero; more than 20,000 neurons, for whom the
    /// dense matrices do not fit; failures of the linear algebra.
    pub fn report<A: Scalar, F: Form>(&self, net: &Network<A, F>) -> Result<StabilityReport> {
        self.examine(Examined::new(net, &self.certifier)?)
    }

    fn examine(&self, subject: Examined<'_>) -> Result<StabilityReport> {
        let mut findings = Vec::new();
        for (&condition, &largest) in &self.largest {
            let start = Instant::now();
            let mut finding = Finding {
                condition,
                answer: Answer::Undecided,
                margin: None,
                largest_gain: None,
                numerical: false,
                norm: None,
                seconds: 0.0,
            };
            if subject.len() > largest {
                finding.answer = if subject.refuted_by_small_minor(condition) {
                    Answer::Fails
                } else {
                    Answer::Skipped(format!("more than {largest} neurons"))
                };
            } else {
                subject.examine(&mut finding)?;
            }
            finding.seconds = start.elapsed().as_secs_f64();
            findings.push(finding);
        }
        implications::complete(&mut findings, subject.kind());
        Ok(StabilityReport { neurons: subject.len(), findings, verdict: subject.into_network_verdict()? })
    }
}

impl<A: Scalar, F: Form> Network<A, F> {
    /// Which stability conditions hold, each with its rate or margin, the largest gain, the time it took and what it implies.
    /// [`ReportOptions`] leaves parts out.
    ///
    /// # Errors
    /// As [`ReportOptions::report`].
    pub fn stability_report(&self) -> Result<StabilityReport> {
        ReportOptions::default().report(self)
    }
}
