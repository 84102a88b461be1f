//! What a solve hands back.

use std::fmt;
use std::time::Duration;

use ndarray::{Array1, ArrayView1};

use super::MethodName;
use crate::Scalar;
#[cfg(feature = "serde")]
use crate::check::finite_vector;
use crate::error::{Error, Result};
use crate::linalg::decimal::AtMost;
use crate::network::neurons;
use crate::stability::ErrorBound;

/// How a solve ended.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[must_use]
pub enum Outcome<A> {
    /// An equilibrium, checked against the tolerance after the solver had finished.
    Equilibrium(Equilibrium<A>),
    /// No equilibrium: the last word of the solvers, and why they stopped.
    NotConverged(NotConverged<A>),
}

/// An equilibrium `x = Phi(W x + u)`, `y = W x + u`, to within the tolerance of its report.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(
        try_from = "StoredEquilibrium<A>",
        bound(serialize = "A: serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>")
    )
)]
pub struct Equilibrium<A> {
    form: Form,
    state: Array1<A>,
    /// The state of the other form at the same equilibrium.
    other: Array1<A>,
    report: SolveReport,
}

/// Which of the two states of an equilibrium is the network's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Form {
    /// Its states are rates.
    FiringRate,
    /// Its states are potentials.
    Hopfield,
}

/// An equilibrium as it stands in a file.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct StoredEquilibrium<A> {
    form: Form,
    state: Array1<A>,
    other: Array1<A>,
    report: SolveReport,
}

#[cfg(feature = "serde")]
impl<A: Scalar> TryFrom<StoredEquilibrium<A>> for Equilibrium<A> {
    type Error = Error;

    fn try_from(stored: StoredEquilibrium<A>) -> Result<Self> {
        let StoredEquilibrium { form, state, other, report } = stored;
        finite_vector("state", state.view(), state.len())?;
        finite_vector("other", other.view(), state.len())?;
        Ok(Self { form, state, other, report })
    }
}

/// The best iterate of a solve that found no equilibrium.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct NotConverged<A> {
    /// The iterate with the least residual, shape `[n]`: rates, or potentials for the Hopfield form. It is not an equilibrium.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::array"))]
    pub last: Array1<A>,
    /// What was tried, and why it stopped.
    pub report: SolveReport,
}

/// Why a solver stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum StopReason {
    /// The residual fell below the tolerance.
    Converged,
    /// The limit on iterations was reached.
    IterationLimit,
    /// The limit on time was reached.
    TimeLimit,
    /// The observer asked to stop.
    Interrupted,
    /// The residual has not fallen for many iterations: the iterates cycle or hold still away from an equilibrium.
    Stalled,
    /// The residual is as small as the rounding errors of `W x + u` let it be, but above the tolerance.
    PrecisionLimit,
    /// The iterates left the range of finite numbers.
    Diverged,
    /// A linear system on the way had no unique solution.
    Singular,
    /// The iterative solver of a linear system on the way did not converge.
    LinearSolver,
    /// The flow cycles from this start.
    Cycles,
    /// All supports of the piecewise-linear network were searched, and none holds an equilibrium.
    NoEquilibrium,
}

/// Whether the equilibrium is proved to be the only one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Uniqueness {
    /// A certificate proves that there is one equilibrium for this, and every, input.
    Proved,
    /// No certificate was given: there may be other equilibria.
    #[default]
    NotProved,
}

/// One method's part in a solve.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Attempt {
    /// The method.
    pub method: MethodName,
    /// Its iterations; each evaluates `Phi(W x + u)` once, besides what the method itself needs.
    pub iterations: usize,
    /// The least residual that it reached, `max_i |x_i - phi_i((W x + u)_i)|`.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub residual: f64,
    /// Why it stopped.
    pub stop: StopReason,
}

/// How a solve went; the same for all methods. What is proved of it is not read back: what is read is no proof.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SolveReport {
    /// The method that had the last word.
    pub method: MethodName,
    /// Iterations of all methods together; each evaluates `Phi(W x + u)` once, besides what the method itself needs.
    pub iterations: usize,
    /// `max_i |x_i - phi_i((W x + u)_i)|` at the reported state, in units of rate.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    pub residual: f64,
    /// The residual that was asked for: the larger of the absolute tolerance and the tolerance times `max_i |x_i|`.
    pub threshold: f64,
    /// Why the last method stopped.
    pub stop: StopReason,
    /// Whether the equilibrium is proved to be the only one.
    #[cfg_attr(feature = "serde", serde(skip_deserializing))]
    pub uniqueness: Uniqueness,
    /// The guaranteed distance of the rates to those of the one equilibrium, when the network is certified; for either form.
    #[cfg_attr(feature = "serde", serde(skip_deserializing))]
    pub error_bound: Option<ErrorBound>,
    /// The guaranteed `max_i |y_i - y*_i|` of the potentials `y = W x + u`, when the network is a certified Hopfield network.
    /// It follows from the bound on the rates by `|(W e)_i| <= (sum_j w_ij^2 rho_j / d_j)^{1/2} |e|_{D/R}`, rounded outward.
    #[cfg_attr(feature = "serde", serde(skip_deserializing))]
    pub potential_error_bound: Option<f64>,
    /// Every method that was tried, in order.
    pub attempts: Vec<Attempt>,
    /// Time taken; for many inputs at once, until this one was done.
    pub elapsed: Duration,
}

impl<A: Scalar> Outcome<A> {
    /// The equilibrium, if there is one.
    pub fn equilibrium(&self) -> Option<&Equilibrium<A>> {
        match self {
            Outcome::Equilibrium(e) => Some(e),
            Outcome::NotConverged(_) => None,
        }
    }

    /// The report, of either ending.
    pub fn report(&self) -> &SolveReport {
        match self {
            Outcome::Equilibrium(e) => &e.report,
            Outcome::NotConverged(n) => &n.report,
        }
    }

    /// The equilibrium, or the error [`Error::NotConverged`].
    ///
    /// # Errors
    /// No convergence.
    pub fn into_equilibrium(self) -> Result<Equilibrium<A>> {
        match self {
            Outcome::Equilibrium(e) => Ok(e),
            Outcome::NotConverged(n) => Err(Error::NotConverged {
                method: n.report.method.to_string(),
                reason: n.report.stop.to_string(),
                iterations: n.report.iterations,
                residual: n.report.residual,
                threshold: n.report.threshold,
                advice: n.report.advice().unwrap_or_default().to_string(),
            }),
        }
    }
}

impl SolveReport {
    /// What else to try where no equilibrium was found; `None` where one was.
    pub fn advice(&self) -> Option<&'static str> {
        let tried = |method: MethodName| self.attempts.iter().any(|attempt| attempt.method == method);
        let certified = self.uniqueness == Uniqueness::Proved;
        Some(match self.stop {
            StopReason::Converged => return None,
            StopReason::IterationLimit => "allow more with `max_iterations`",
            StopReason::TimeLimit => "allow more with `time_limit`",
            StopReason::Interrupted => "go on from the last state with `initial`",
            StopReason::PrecisionLimit => "ask for a larger `tolerance`, or solve in `f64`",
            StopReason::NoEquilibrium => {
                "there is none to be found: change the input, weaken the excitation, or let the activation saturate"
            }
            _ if !certified && !tried(MethodName::Flow) => "try `Method::Auto`, which goes on with other methods",
            StopReason::Diverged => {
                "try other starts with `initial`, weaken the excitation, or let the activation saturate; \
                 `all_equilibria` decides for about 20 piecewise-linear neurons"
            }
            StopReason::Cycles => {
                "see the cycle with `simulate`, try other starts with `initial`, or ask `certify` whether the network can \
                 settle; `all_equilibria` decides for about 20 piecewise-linear neurons"
            }
            _ => {
                "try other starts with `initial`, follow `simulate` for longer, or give a `certificate`, with which \
                 a solve cannot fail; `all_equilibria` decides for about 20 piecewise-linear neurons"
            }
        })
    }
}

impl<A: Scalar> Equilibrium<A> {
    pub(super) fn new(form: Form, rates: Array1<A>, drive: Array1<A>, report: SolveReport) -> Self {
        let (state, other) = match form {
            Form::FiringRate => (rates, drive),
            Form::Hopfield => (drive, rates),
        };
        Self { form, state, other, report }
    }

    /// The state of the network that was solved, shape `[n]`: the rates `x` of a firing-rate network, the potentials
    /// `y = W x + u` of a Hopfield network.
    pub fn state(&self) -> ArrayView1<'_, A> {
        self.state.view()
    }

    /// [`state`](Self::state) without a copy.
    pub fn into_state(self) -> Array1<A> {
        self.state
    }

    /// The firing rates `x`, shape `[n]`, each in the closed range of its activation.
    pub fn rates(&self) -> ArrayView1<'_, A> {
        match self.form {
            Form::FiringRate => self.state.view(),
            Form::Hopfield => self.other.view(),
        }
    }

    /// The synaptic drives `W x + u`, shape `[n]`: the potentials `y` of the Hopfield form.
    pub fn drive(&self) -> ArrayView1<'_, A> {
        match self.form {
            Form::FiringRate => self.other.view(),
            Form::Hopfield => self.state.view(),
        }
    }

    /// How it was found, and how good it is.
    pub fn report(&self) -> &SolveReport {
        &self.report
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StopReason::Converged => "converged",
            StopReason::IterationLimit => "iteration limit reached",
            StopReason::TimeLimit => "time limit reached",
            StopReason::Interrupted => "stopped by the observer",
            StopReason::Stalled => "no progress: the iterates cycle or hold still away from an equilibrium",
            StopReason::PrecisionLimit => "rounding errors of the synaptic drive exceed the tolerance",
            StopReason::Diverged => "the iterates left the range of finite numbers",
            StopReason::Singular => "a linear system had no unique solution",
            StopReason::LinearSolver => "the iterative solver of a linear system did not converge",
            StopReason::Cycles => "the flow cycles from this start",
            StopReason::NoEquilibrium => "all supports searched, and none holds an equilibrium",
        })
    }
}

impl fmt::Display for SolveReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} after {} iterations ({}), residual {:.1e}",
            self.stop, self.iterations, self.method, self.residual
        )?;
        match (&self.error_bound, self.uniqueness) {
            (Some(bound), _) => write!(f, "; unique, {bound}"),
            (None, Uniqueness::Proved) => write!(f, "; uniqueness proved"),
            (None, Uniqueness::NotProved) => write!(f, "; uniqueness not proved"),
        }?;
        self.potential_error_bound.map_or(Ok(()), |bound| write!(f, ", its potentials within {:.1e}", AtMost(bound)))
    }
}

impl<A: Scalar> fmt::Display for Outcome<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.equilibrium().is_some() { "equilibrium" } else { "not an equilibrium" };
        write!(f, "{word}: {}", self.report())?;
        self.report().advice().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

impl<A: Scalar> fmt::Display for Equilibrium<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "equilibrium of {}: {}", neurons(self.state.len()), self.report)
    }
}
