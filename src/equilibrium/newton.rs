//! Semismooth Newton.

use ndarray::Array1;

use super::Metric;
use super::drive::{Iterate, Next, Point, Task};
use super::guard::{Guard, Judgement};
use super::method::{MethodName, PseudoTransient};
use super::operator::{Coupling, ResponseOperator};
use super::pseudo_transient::PseudoTransientIteration;
use crate::Scalar;
use crate::error::{Error, Result};

/// Newton steps, made safe by the guard under a certificate and by a line search otherwise.
pub(super) struct NewtonIteration<A> {
    guard: Guard<A>,
    /// Contracting steps still to be made before the next Newton step, and how many follow the next failure.
    safe_steps: usize,
    after_failure: usize,
    search: Option<Search<A>>,
    /// Where the method began, without a certificate.
    start: Option<Array1<A>>,
    /// Goes on once the line search has failed without a certificate.
    continuation: Option<PseudoTransientIteration<A>>,
}

/// A line search under way: the point it started from, the direction and the present step length.
struct Search<A> {
    from: Point<A>,
    direction: Array1<A>,
    length: f64,
}

/// The shortest step that the line search tries before it gives the direction up.
const SHORTEST: f64 = 1.0 / 1024.0;
/// The same under a certificate, where there is a better way back.
const SHORTEST_GUARDED: f64 = 1.0 / 32.0;

impl<A: Scalar> NewtonIteration<A> {
    pub(super) fn new() -> Self {
        Self { guard: Guard::new(), safe_steps: 0, after_failure: 1, search: None, start: None, continuation: None }
    }

    fn guarded(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Result<Array1<A>> {
        if let Some(mut search) = self.search.take()
            && !self.guard.accepts(task, at)
            && search.length > SHORTEST_GUARDED
        {
            search.length *= 0.5;
            let next = &search.from.x + &(&search.direction * A::of(search.length));
            self.search = Some(search);
            return Ok(next);
        }
        match self.guard.judge(task, at)? {
            Judgement::TakeBack(x) => {
                self.safe_steps = self.after_failure - 1;
                self.after_failure = (2 * self.after_failure).min(64);
                return Ok(x);
            }
            Judgement::Keep if self.safe_steps > 0 => {
                self.safe_steps -= 1;
                if let Some(x) = self.guard.safe_step(task, at)? {
                    return Ok(x);
                }
            }
            Judgement::Keep => {}
        }
        match direction(task, at) {
            Ok(direction) => {
                let next = &at.x + &direction;
                self.search = Some(Search { from: at.clone(), direction, length: 1.0 });
                Ok(next)
            }
            // Regular in exact arithmetic; if rounding says otherwise the safe step still contracts.
            Err(Error::Singular { .. }) => self.guard.safe_step(task, at)?.ok_or_else(singular),
            Err(other) => Err(other),
        }
    }

    fn searched(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Result<Next<A>> {
        if let Some(continuation) = &mut self.continuation {
            return continuation.next(task, at);
        }
        let start = self.start.get_or_insert_with(|| at.x.clone());
        if let Some(mut search) = self.search.take() {
            let enough = (1.0 - 1e-4 * search.length) * search.from.length();
            if at.length().is_nan() || at.length() > enough {
                search.length *= 0.5;
                if search.length < SHORTEST {
                    // A local minimum of the residual, from which no descent leads away.
                    self.continuation = Some(PseudoTransientIteration::new(PseudoTransient::new()));
                    return Ok(start.clone().into());
                }
                let next = &search.from.x + &(&search.direction * A::of(search.length));
                self.search = Some(search);
                return Ok(next.into());
            }
        }
        match direction(task, at) {
            Ok(direction) => {
                let next = &at.x + &direction;
                self.search = Some(Search { from: at.clone(), direction, length: 1.0 });
                Ok(next.into())
            }
            Err(Error::Singular { .. }) => {
                self.continuation = Some(PseudoTransientIteration::new(PseudoTransient::new()));
                Ok(start.clone().into())
            }
            Err(other) => Err(other),
        }
    }
}

impl<A: Scalar> Iterate<A> for NewtonIteration<A> {
    fn name(&self) -> MethodName {
        MethodName::Newton
    }

    fn next(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Result<Next<A>> {
        if task.metric.is_some() { Ok(self.guarded(task, at)?.into()) } else { self.searched(task, at) }
    }
}

/// `p` with `(I - Lambda J) p = -r`, `r = x - Phi(z)`, `J` the Jacobian of the drive (`W` for synapses): Newton's step.
///
/// # Errors
/// A singular matrix, or GMRES without convergence.
pub(super) fn direction<A: Scalar>(task: &Task<'_, A>, at: &Point<A>) -> Result<Array1<A>> {
    let mut slopes = at.z.clone();
    task.game.neurons().slopes(slopes.view_mut());
    let coupling = Coupling::at(task, &at.x);
    let operator = ResponseOperator::new(coupling, slopes.view(), task.metric.map(Metric::certificate));
    respond(&operator, &at.g - &at.x)
}

/// `q + (I - M J)^{-1} M J q`, which is `(I - M J)^{-1} q`, for the operator of slopes `M`.
pub(super) fn respond<A: Scalar>(operator: &ResponseOperator<'_, A>, q: Array1<A>) -> Result<Array1<A>> {
    let pushed = operator.coupling().dot(q.view());
    Ok(q + operator.solve(pushed.view())?)
}

fn singular() -> Error {
    Error::Singular { matrix: "I - Lambda W".into() }
}
