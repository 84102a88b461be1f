//! What every run gives back: times, states, what was asked for along the way, and why it stopped.

#[cfg(feature = "serde")]
mod stored;

use std::fmt;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::Scalar;

/// Why a run stopped.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum StopReason<A> {
    /// The final time was reached.
    TimeReached,
    /// The state came to rest within the tolerance.
    Converged,
    /// The state came back to where it had been without coming to rest.
    CycleDetected {
        /// Time, or number of rounds, from one visit to the next.
        period: A,
    },
    /// The state grew beyond the divergence bound, or until its growth was lost in rounding; or it stopped being a number,
    /// as where an activation gives NaN or a neuron has no finite best response.
    Diverged,
    /// A limit was reached before anything else happened.
    LimitReached(Limit),
    /// The observer asked to stop.
    Interrupted,
}

/// The limit that a run reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Limit {
    /// The number of attempted steps or of rounds.
    Steps,
    /// The shortest step that still moves the time: the tolerances cannot be met in this precision.
    StepSize,
}

impl<A: Scalar> fmt::Display for StopReason<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StopReason::TimeReached => write!(f, "final time reached"),
            StopReason::Converged => write!(f, "converged"),
            StopReason::CycleDetected { period } => write!(f, "cycle of period {period} detected"),
            StopReason::Diverged => write!(f, "diverged"),
            StopReason::LimitReached(Limit::Steps) => write!(f, "limit on the number of steps reached"),
            StopReason::LimitReached(Limit::StepSize) => write!(f, "step size too small for this precision"),
            StopReason::Interrupted => write!(f, "stopped by the observer"),
        }
    }
}

/// A run of a network in time, or of its game in rounds.
///
/// For discrete play, time is the number of rounds (simultaneous, proximal) or sweeps (sequential) played.
///
/// ```
/// use ndarray::array;
/// use neuronash::activation::Identity;
/// use neuronash::dynamics::StopReason;
/// use neuronash::network::FiringRateNetwork;
///
/// let net = FiringRateNetwork::<f64>::builder(array![[0.0]]).activation(Identity).input(&array![1.0]).build()?;
/// let run = net.simulate().until(2.0).relative_tolerance(1e-9).record_energies().run()?;
/// assert_eq!(run.stop(), StopReason::TimeReached);
/// assert_eq!(run.states().dim(), (run.steps() + 1, 1));
/// for (t, x) in run.times().iter().zip(run.states().rows()) {
///     assert!((x[0] - (1.0 - (-t).exp())).abs() < 1e-8);
/// }
/// // The neuron lowers its energy x^2/2 - x.
/// let energies = run.energies().expect("asked for");
/// assert!(energies[[0, 0]] == 0.0 && energies[[run.steps(), 0]] < -0.3);
/// println!("{run}");
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        try_from = "stored::StoredTrajectory<A>",
        bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>")
    )
)]
pub struct Trajectory<A> {
    pub(super) times: Array1<A>,
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::matrix"))]
    pub(super) states: Array2<A>,
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::optional_matrix"))]
    pub(super) energies: Option<Array2<A>>,
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::optional_array"))]
    pub(super) exploitability: Option<Array1<A>>,
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::optional_array"))]
    pub(super) nash_conv: Option<Array1<A>>,
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::optional_array"))]
    pub(super) lyapunov: Option<Array1<A>>,
    pub(super) final_time: A,
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::array"))]
    pub(super) final_state: Array1<A>,
    pub(super) stop: StopReason<A>,
    pub(super) steps: usize,
    pub(super) rejected: usize,
    pub(super) evaluations: usize,
}

impl<A: Scalar> Trajectory<A> {
    /// The recorded times, shape `[samples]`.
    pub fn times(&self) -> ArrayView1<'_, A> {
        self.times.view()
    }

    /// The recorded states, shape `[samples, n]`: firing rates, or potentials for the Hopfield form.
    pub fn states(&self) -> ArrayView2<'_, A> {
        self.states.view()
    }

    /// Every neuron's energy `E_i` at the recorded times, shape `[samples, n]`, if asked for.
    pub fn energies(&self) -> Option<ArrayView2<'_, A>> {
        self.energies.as_ref().map(|e| e.view())
    }

    /// The exploitability, the most that one neuron can gain by itself, at the recorded times, shape `[samples]`, if
    /// asked for.
    pub fn exploitability(&self) -> Option<ArrayView1<'_, A>> {
        self.exploitability.as_ref().map(|e| e.view())
    }

    /// The sum of what all neurons can gain, each by itself (NashConv), at the recorded times, shape `[samples]`, if the
    /// exploitability was asked for.
    pub fn nash_conv(&self) -> Option<ArrayView1<'_, A>> {
        self.nash_conv.as_ref().map(|e| e.view())
    }

    /// The Lyapunov function at the recorded times, shape `[samples]`, if asked for.
    pub fn lyapunov(&self) -> Option<ArrayView1<'_, A>> {
        self.lyapunov.as_ref().map(|v| v.view())
    }

    /// The time at which the run stopped, recorded or not.
    pub fn final_time(&self) -> A {
        self.final_time
    }

    /// The state in which the run stopped, shape `[n]`, recorded or not.
    pub fn final_state(&self) -> ArrayView1<'_, A> {
        self.final_state.view()
    }

    /// Why the run stopped.
    pub fn stop(&self) -> StopReason<A> {
        self.stop
    }

    /// Whether the run stopped because it had come to rest.
    pub fn converged(&self) -> bool {
        self.stop == StopReason::Converged
    }

    /// Number of accepted steps, or of rounds.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Number of steps that were tried and rejected for their error; 0 for discrete play.
    pub fn rejected(&self) -> usize {
        self.rejected
    }

    /// Number of evaluations of the right-hand side, or of products by `W` for discrete play.
    pub fn evaluations(&self) -> usize {
        self.evaluations
    }
}

impl<A: Scalar> fmt::Display for Trajectory<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "trajectory of {}: {} at t = {} after {} steps ({} rejected, {} evaluations), {} samples",
            neurons(self.states.ncols()),
            self.stop,
            self.final_time,
            self.steps,
            self.rejected,
            self.evaluations,
            self.times.len(),
        )
    }
}

/// `1 neuron`, `2 neurons`.
fn neurons(n: usize) -> String {
    format!("{n} neuron{}", if n == 1 { "" } else { "s" })
}

/// What an observer sees after every step.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use ndarray::array;
/// use neuronash::activation::Identity;
/// use neuronash::dynamics::{Step, StopReason};
/// use neuronash::network::FiringRateNetwork;
///
/// let net = FiringRateNetwork::<f64>::builder(array![[0.0]]).activation(Identity).input(&array![1.0]).build()?;
/// let mut largest_move = 0.0_f64;
/// let mut before = 0.0;
/// let watch = |step: &Step<'_, f64>| {
///     largest_move = largest_move.max((step.state[0] - before).abs());
///     before = step.state[0];
///     if step.number < 10 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
/// };
/// let run = net.simulate().until(1e3).observer(watch).run()?;
/// assert_eq!((run.stop(), run.steps()), (StopReason::Interrupted, 10));
/// assert!(largest_move > 0.0);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Step<'a, A> {
    /// Number of steps or rounds so far; 0 for the initial state.
    pub number: usize,
    /// The time, or the number of rounds.
    pub time: A,
    /// The state, shape `[n]`.
    pub state: ArrayView1<'a, A>,
}
