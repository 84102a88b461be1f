//! What all kinds of runs can be asked: where to begin, when to stop, what to record and who watches.

use std::ops::ControlFlow;

use ndarray::{Array1, ArrayBase, Data, Ix1};

use super::record::{Sampling, Wishes};
use super::trajectory::Step;
#[cfg(doc)]
use super::trajectory::StopReason;
use crate::Scalar;
use crate::check::finite_vector;
use crate::error::{Error, Result};
use crate::stability::NetworkCertificate;

pub(super) type Observer<'a, A> = Box<dyn FnMut(&Step<'_, A>) -> ControlFlow<()> + 'a>;

/// A run that is being prepared: a flow in time, [`Simulation`](super::Simulation), or play in rounds, [`Play`](super::Play). Everything is
/// checked when it is run.
#[must_use]
pub struct Run<'a, A: Scalar, K> {
    /// What only one kind of run has.
    pub(super) kind: K,
    initial: Option<Array1<A>>,
    /// How closely the state must return to count as a cycle; `None` does not look.
    pub(super) cycle_tolerance: Option<A>,
    pub(super) divergence_bound: A,
    pub(super) sampling: Sampling<A>,
    pub(super) wishes: Wishes<A>,
    pub(super) observer: Option<Observer<'a, A>>,
}

impl<'a, A: Scalar, K> Run<'a, A, K> {
    pub(super) fn of(kind: K, cycle_tolerance: A) -> Self {
        Self {
            kind,
            initial: None,
            cycle_tolerance: Some(cycle_tolerance),
            divergence_bound: A::max_value().sqrt(),
            sampling: Sampling::Steps,
            wishes: Wishes::default(),
            observer: None,
        }
    }

    /// The initial state, shape `[n]`; 0 if not given.
    pub fn initial<S: Data<Elem = A>>(mut self, state: &ArrayBase<S, Ix1>) -> Self {
        self.initial = Some(state.to_owned());
        self
    }

    /// Stops with [`StopReason::Diverged`] once some entry of the state is above this bound in magnitude, or when a best response is
    /// infinite because the energy is unbounded below; the square root of the largest number if not given.
    pub fn divergence_bound(mut self, bound: A) -> Self {
        self.divergence_bound = bound;
        self
    }

    /// Records the initial and the last state only. Of all setters of what is recorded when, the last one given holds.
    pub fn record_ends(mut self) -> Self {
        self.sampling = Sampling::Ends;
        self
    }

    /// Records every player's energy `E_i` (theory 1.4) whenever the state is recorded, under the input at that time; for potentials,
    /// those of the rates `Phi(y)`.
    pub fn record_energies(mut self) -> Self {
        self.wishes.energies = true;
        self
    }

    /// Records the exploitability and NashConv (theory 2.2) whenever the state is recorded, under the input at that time; for
    /// potentials, those of the rates `Phi(y)`.
    pub fn record_exploitability(mut self) -> Self {
        self.wishes.exploitability = true;
        self
    }

    /// Records the Lyapunov function `V` of the certified firing-rate form (theory 3.2) whenever the state is recorded, under the input
    /// at that time. It falls along the flow; play in rounds may raise it.
    pub fn record_lyapunov(mut self, certificate: &NetworkCertificate) -> Self {
        self.wishes.lyapunov = Some((certificate.clone(), None));
        self
    }

    /// Calls `observer` with the initial state and after every step or round; `ControlFlow::Break(())` ends the run.
    pub fn observer(mut self, observer: impl FnMut(&Step<'_, A>) -> ControlFlow<()> + 'a) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// The initial state of `n` neurons, once everything that all kinds of runs share is found to be allowed.
    pub(super) fn check_initial(&self, n: usize) -> Result<Array1<A>> {
        if let Some(tolerance) = self.cycle_tolerance {
            let allowed = tolerance > A::zero() && tolerance < A::one();
            require("cycle_tolerance", tolerance, allowed, "numbers between 0 and 1, or None")?;
        }
        let bound = self.divergence_bound;
        require("divergence_bound", bound, bound > A::zero(), "numbers above 0")?;
        let Some(initial) = &self.initial else { return Ok(Array1::zeros(n)) };
        finite_vector("initial", initial.view(), n)?;
        Ok(initial.clone())
    }

    pub(super) fn initial_given(&self) -> Option<&Array1<A>> {
        self.initial.as_ref()
    }
}

/// An error about `argument` unless `holds`; NaN must make `holds` false.
pub(super) fn require<A: Scalar>(argument: &str, value: A, holds: bool, allowed: impl Into<String>) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::invalid(argument, value, allowed)) }
}
