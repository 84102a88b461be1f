//! What all kinds of runs can be asked: where to begin, when to stop, what to record and who watches.

use std::ops::ControlFlow;

use ndarray::Array1;

use super::record::{Sampling, Wishes};
use super::trajectory::Step;
use crate::Scalar;
use crate::check::finite_vector;
use crate::error::{Error, Result};

pub(super) type Observer<'a, A> = Box<dyn FnMut(&Step<'_, A>) -> ControlFlow<()> + 'a>;

/// The options that simulations and discrete play share; [`run_options`] writes their setters.
pub(super) struct RunOptions<'a, A> {
    pub(super) initial: Option<Array1<A>>,
    /// How closely the state must return to count as a cycle; `None` does not look.
    pub(super) cycle_tolerance: Option<A>,
    pub(super) divergence_bound: A,
    pub(super) sampling: Sampling<A>,
    pub(super) wishes: Wishes<A>,
    pub(super) observer: Option<Observer<'a, A>>,
}

impl<A: Scalar> RunOptions<'_, A> {
    pub(super) fn new(cycle_tolerance: A) -> Self {
        Self {
            initial: None,
            cycle_tolerance: Some(cycle_tolerance),
            divergence_bound: A::max_value().sqrt(),
            sampling: Sampling::Steps,
            wishes: Wishes::default(),
            observer: None,
        }
    }

    /// The initial state of `n` neurons, once everything is found to be allowed.
    pub(super) fn check(&self, n: usize) -> Result<Array1<A>> {
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
}

/// An error about `argument` unless `holds`; NaN must make `holds` false.
pub(super) fn require<A: Scalar>(argument: &str, value: A, holds: bool, allowed: impl Into<String>) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::invalid(argument, value, allowed)) }
}

/// The setters of a builder with a field `options: RunOptions`; `$state` and `$step` are what it calls its states and steps.
macro_rules! run_options {
    ($builder:ident, $state:literal, $step:literal) => {
        impl<'a, A: Scalar> $builder<'a, A> {
            #[doc = concat!("The initial ", $state, ", shape `[n]`; 0 if not given.")]
            pub fn initial<S: Data<Elem = A>>(mut self, state: &ArrayBase<S, Ix1>) -> Self {
                self.options.initial = Some(state.to_owned());
                self
            }

            /// Stops with [`StopReason::Diverged`] once some entry of the state is above this bound in magnitude, or when a neuron's
            /// best response is infinite because its energy is unbounded below; the square root of the largest number if not given.
            pub fn divergence_bound(mut self, bound: A) -> Self {
                self.options.divergence_bound = bound;
                self
            }

            #[doc = concat!("Records the initial and the last ", $state, " only. Of all setters of what is recorded when, the last")]
            /// one given holds.
            pub fn record_ends(mut self) -> Self {
                self.options.sampling = Sampling::Ends;
                self
            }

            #[doc = concat!("Records every neuron's energy `E_i` (theory 1.4) after every ", $step, " that is recorded, under the")]
            /// input at that time; for potentials, those of the rates `Phi(y)`.
            pub fn record_energies(mut self) -> Self {
                self.options.wishes.energies = true;
                self
            }

            #[doc = concat!("Records the exploitability and NashConv (theory 2.2) after every ", $step, " that is recorded, under the")]
            /// input at that time; for potentials, those of the rates `Phi(y)`.
            pub fn record_exploitability(mut self) -> Self {
                self.options.wishes.exploitability = true;
                self
            }

            #[doc = concat!("Records the Lyapunov function `V` of the certified firing-rate form (theory 3.2) after every ", $step)]
            /// that is recorded, under the input at that time. It falls along the flow; play in rounds may raise it.
            pub fn record_lyapunov(mut self, certificate: &NetworkCertificate) -> Self {
                self.options.wishes.lyapunov = Some((certificate.clone(), None));
                self
            }

            #[doc = concat!("Calls `observer` with the initial ", $state, " and after every ", $step, "; `ControlFlow::Break(())` ends the run.")]
            pub fn observer(mut self, observer: impl FnMut(&Step<'_, A>) -> ControlFlow<()> + 'a) -> Self {
                self.options.observer = Some(Box::new(observer));
                self
            }
        }
    };
}
pub(super) use run_options;
