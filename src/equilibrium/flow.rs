//! The flow of the network itself, followed until it rests, and Newton steps from there.

use std::ops::ControlFlow;
use std::time::Instant;

use ndarray::Array1;

use super::drive::{Iterate, Next, Point, Task};
use super::method::{Flow, MethodName};
use super::newton::direction;
use super::report::{Form, StopReason};
use super::splitting::FACTORISED_BELOW;
use crate::Scalar;
use crate::dynamics::{Step, StopReason as End, Trajectory};
use crate::error::{Error, Result};
use crate::game::NeuralGame;
use crate::network::{HopfieldNetwork, Weights, WeightsView};

/// The flow is first followed to this residual, and each time it has come to rest where Newton's method finds no
/// equilibrium, to one that is smaller by `TIGHTER`.
const FIRST_TOLERANCE: f64 = 1e-6;
const TIGHTER: f64 = 1e-3;
/// A Newton step must lower the residual by this factor.
const NEWTON_GAIN: f64 = 0.5;

pub(super) struct FlowIteration<A> {
    max_steps: usize,
    /// Where the flow has come to, in the network's own form.
    state: Option<Array1<A>>,
    tolerance: f64,
    steps: usize,
    /// The residual before the last of a run of Newton steps.
    polishing: Option<f64>,
    /// Why the flow ended, if it did not come to rest.
    ended: Option<StopReason>,
}

impl<A: Scalar> FlowIteration<A> {
    pub(super) fn new(options: Flow) -> Self {
        Self {
            max_steps: options.max_steps,
            state: None,
            tolerance: FIRST_TOLERANCE.max(smallest_tolerance::<A>()),
            steps: 0,
            polishing: None,
            ended: None,
        }
    }

    /// Follows the flow on until it rests, and tells the rates there.
    fn follow(&mut self, task: &Task<'_, A>) -> Result<Next<A>> {
        if let Some(reason) = self.ended {
            return Ok(Next::Stuck(reason));
        }
        let before = self.state.take().or_else(|| task.start.clone());
        let run = simulate(task, before, self.tolerance, (self.max_steps - self.steps).max(1))?;
        self.steps += run.steps() + run.rejected();
        let state = run.final_state().to_owned();
        self.ended = match run.stop() {
            End::Converged | End::CycleDetected { .. } if self.tighten() => None,
            // An observer that ends a run has seen the time limit pass; the solve ends with the next iterate.
            End::Interrupted => None,
            End::CycleDetected { .. } => Some(StopReason::Cycles),
            End::Diverged => Some(StopReason::Diverged),
            _ => Some(StopReason::Stalled),
        };
        if run.stop() == End::Diverged || state.iter().any(|v| !v.is_finite()) {
            return Ok(Next::Stuck(StopReason::Diverged));
        }
        self.polishing = (run.stop() != End::Interrupted && is_factorised(task.game)).then_some(f64::INFINITY);
        let mut rates = state.clone();
        if task.form == Form::Hopfield {
            task.game.neurons().activate(rates.view_mut());
        }
        self.state = Some(state);
        Ok(rates.into())
    }

    /// Whether the flow can be followed more closely still.
    fn tighten(&mut self) -> bool {
        let before = self.tolerance;
        self.tolerance = (TIGHTER * before).max(smallest_tolerance::<A>());
        self.tolerance < before && self.steps < self.max_steps
    }
}

impl<A: Scalar> Iterate<A> for FlowIteration<A> {
    fn name(&self) -> MethodName {
        MethodName::Flow
    }

    fn next(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Result<Next<A>> {
        if let Some(before) = self.polishing.take()
            && at.residual <= NEWTON_GAIN * before
        {
            match direction(task, at) {
                Ok(step) => {
                    self.polishing = Some(at.residual);
                    return Ok((&at.x + &step).into());
                }
                Err(Error::Singular { .. } | Error::NoConvergence { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        self.follow(task)
    }
}

/// What [`Simulation::until_converged`] allows, with room for rounding.
fn smallest_tolerance<A: Scalar>() -> f64 {
    500.0 * A::epsilon().to_double()
}

/// Whether Newton steps are affordable.
fn is_factorised<A: Scalar>(game: &NeuralGame<A>) -> bool {
    let is_dense = |weights: &Weights<A>| matches!(weights.view(), WeightsView::Dense(_));
    game.len() <= FACTORISED_BELOW || !game.synapses().is_some_and(is_dense)
}

fn simulate<A: Scalar>(
    task: &Task<'_, A>,
    from: Option<Array1<A>>,
    tolerance: f64,
    max_steps: usize,
) -> Result<Trajectory<A>> {
    let game = task.game.under(task.input.clone());
    let flow = match (task.form, game.circuit()) {
        (Form::Hopfield, Some(circuit)) => HopfieldNetwork::of_circuit(circuit).simulate(),
        _ => game.simulate(),
    };
    let flow = match &from {
        Some(state) => flow.initial(state),
        None => flow,
    };
    let deadline = task.deadline;
    let watch = move |_: &Step<'_, A>| match deadline {
        Some(deadline) if Instant::now() >= deadline => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    flow.until_converged(A::of(tolerance)).max_steps(max_steps).record_ends().observer(watch).run()
}
