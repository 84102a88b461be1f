//! Equilibria of `T x' = -x + Phi(W x + u)`: the rates `x = Phi(W x + u)`, found by several solvers with one report.
//!
//! [`FiringRateNetwork::equilibrium`] starts a solve; [`EquilibriumSolver`] takes its options. What comes back is
//! either an [`Equilibrium`] or a [`NotConverged`], never a state of doubtful standing:
//!
//! * every state that is reported as an equilibrium has been checked by one more product by `W`, after the solver
//!   had finished;
//! * when the network is certified (theory 3.3), the report carries a bound, rounded outward, on the distance to the
//!   one true equilibrium (theory 3.5), and [`Uniqueness::Proved`].
//!
//! An equilibrium is a point at which every neuron is stationary for its own energy, and no more (theory 2.2). Whether
//! it is a Nash equilibrium, and whether small disturbances die out, are two further questions: [`Standing`] answers
//! all three, each by itself. A certificate answers them with yes for the one equilibrium that there is. Without one, a
//! neuron with
//! `w_ii rho_i > 1` may sit at a local maximum of its own energy in a state that is stable.
//!
//! The first solve of a dense network of 500 or more neurons in `f64` makes a copy of the weights in `f32`, which the network and its
//! copies keep: half as much memory again. Iterations read the copy where that is accurate enough; states, residuals and bounds
//! that are reported rest on the weights themselves.
//!
//! ```
//! use ndarray::array;
//! use neuronash::activation::Relu;
//! use neuronash::network::FiringRateNetwork;
//!
//! let net = FiringRateNetwork::builder(array![[0.5_f64, -1.0], [1.0, -0.5]])
//!     .activation(Relu)
//!     .input(&array![1.0, 0.0])
//!     .build()?;
//! let eq = net.equilibrium().solve()?;
//! assert!((eq.state()[0] - 6.0 / 7.0).abs() < 1e-12);
//! # Ok::<(), neuronash::Error>(())
//! ```

mod anderson;
mod drive;
mod enumeration;
mod fixed_point;
mod flow;
mod guard;
mod krylov;
mod method;
mod metric;
mod newton;
mod operator;
mod precision;
mod pseudo_transient;
mod report;
mod response;
mod solver;
mod splitting;
mod standing;
mod support_enumeration;

pub use enumeration::{Continuum, Enumeration, EquilibriumSet, IsolatedEquilibrium, SearchLimit};
pub use method::{
    Anderson, FixedPoint, Flow, ForwardBackward, Method, MethodName, Newton, PeacemanRachford, PseudoTransient,
    SupportEnumeration,
};
pub use report::{Attempt, Equilibrium, NotConverged, Outcome, SolveReport, StopReason, Uniqueness};
pub use response::Response;
pub use solver::EquilibriumSolver;
pub use standing::{Flag, Standing};

use metric::Metric;
pub(crate) use report::Form;

use std::ops::ControlFlow;
use std::time::Duration;

use crate::Scalar;
use crate::game::NeuralGame;
use crate::network::{FiringRateNetwork, HopfieldNetwork};

impl<A: Scalar> NeuralGame<A> {
    /// Looks for an equilibrium `x = Phi(z(x, u))` of any interaction; see [`EquilibriumSolver`].
    ///
    /// Newton's method takes products by the Jacobian of the drive. Of interactions other than synapses nothing is proved, and the methods
    /// that need weights ([`ForwardBackward`], [`PeacemanRachford`], [`SupportEnumeration`]) are errors.
    pub fn equilibrium<'a>(&self) -> EquilibriumSolver<'a, A> {
        EquilibriumSolver::new(self.clone(), Form::FiringRate)
    }
}

impl<A: Scalar> FiringRateNetwork<A> {
    /// Looks for an equilibrium `x = Phi(W x + u)`; see [`EquilibriumSolver`].
    pub fn equilibrium<'a>(&self) -> EquilibriumSolver<'a, A> {
        self.game().equilibrium()
    }
}

impl<A: Scalar> HopfieldNetwork<A> {
    /// Looks for an equilibrium `y = W Phi(y) + u`; see [`EquilibriumSolver`]. States are potentials: those to start from and those
    /// that are found. The iterations are those of the firing-rate form, and so are the residual and the tolerance.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Tanh;
    /// use neuronash::network::HopfieldNetwork;
    ///
    /// let net = HopfieldNetwork::builder(array![[0.0_f64, -2.0], [1.5, 0.0]])
    ///     .activation(Tanh::new())
    ///     .input(&array![1.0, 0.5])
    ///     .build()?;
    /// let eq = net.equilibrium().solve()?;
    /// assert!(net.residual(&eq.state())?.iter().all(|r| r.abs() < 1e-11));
    /// assert!(net.linearise(&eq.state())?.is_stable());
    /// let certificate = net.certify()?.into_certificate()?;
    /// assert!(net.lyapunov(&certificate, &eq.state())?.value(&array![0.0, 0.0])? > 0.0);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn equilibrium<'a>(&self) -> EquilibriumSolver<'a, A> {
        EquilibriumSolver::new(NeuralGame::of_circuit(self.circuit()), Form::Hopfield)
    }
}

/// What an observer sees after every iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Which input is being solved: the column of the matrix of inputs, 0 for a single solve.
    pub column: usize,
    /// The method at work.
    pub method: MethodName,
    /// Iterations so far, over all methods that were tried.
    pub iterations: usize,
    /// `max_i |x_i - phi_i((W x + u)_i)|` at the present iterate.
    pub residual: f64,
    /// Time since the solve began.
    pub elapsed: Duration,
}

/// Called after every iteration; `ControlFlow::Break(())` ends the solve.
pub(crate) type Observer = dyn Fn(&Progress) -> ControlFlow<()> + Send + Sync;
