//! Semismooth Newton.

use ndarray::Array1;

use super::Metric;
use super::drive::{Iterate, Point, Task};
use super::fixed_point::blend;
use super::guard::{Guard, Judgement};
use super::method::MethodName;
use super::operator::ResponseOperator;
use crate::Scalar;
use crate::error::{Error, Result};

/// Newton steps, made safe by the guard under a certificate and by a line search otherwise.
pub(super) struct NewtonIteration<A> {
    guard: Guard<A>,
    /// Contracting steps still to be made before the next Newton step, and how many follow the next failure.
    safe_steps: usize,
    after_failure: usize,
    search: Option<Search<A>>,
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
        Self { guard: Guard::new(), safe_steps: 0, after_failure: 1, search: None }
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

    fn searched(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Result<Array1<A>> {
        if let Some(mut search) = self.search.take() {
            let enough = (1.0 - 1e-4 * search.length) * length(&search.from);
            if length(at).is_nan() || length(at) > enough {
                search.length *= 0.5;
                if search.length < SHORTEST {
                    return Ok(blend(&search.from.x, &search.from.g, 0.5));
                }
                let next = &search.from.x + &(&search.direction * A::of(search.length));
                self.search = Some(search);
                return Ok(next);
            }
        }
        let direction = direction(task, at)?;
        let next = &at.x + &direction;
        self.search = Some(Search { from: at.clone(), direction, length: 1.0 });
        Ok(next)
    }
}

impl<A: Scalar> Iterate<A> for NewtonIteration<A> {
    fn name(&self) -> MethodName {
        MethodName::Newton
    }

    fn next(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Result<Array1<A>> {
        if task.metric.is_some() { self.guarded(task, at) } else { self.searched(task, at) }
    }
}

/// `p` with `(I - Lambda W) p = -r`, `r = x - Phi(z)`, as `p = -r + (I - Lambda W)^{-1} Lambda (-W r)`.
fn direction<A: Scalar>(task: &Task<'_, A>, at: &Point<A>) -> Result<Array1<A>> {
    let mut slopes = at.z.clone();
    task.circuit.slopes(slopes.view_mut());
    let step = &at.g - &at.x;
    let operator = ResponseOperator::new(task.circuit, slopes.view(), task.metric.map(Metric::certificate));
    let pushed = task.circuit.weights.dot(step.view());
    Ok(step + operator.solve(pushed.view())?)
}

fn length<A: Scalar>(at: &Point<A>) -> f64 {
    at.x.iter().zip(&at.g).map(|(x, g)| (*x - *g).to_double().powi(2)).sum::<f64>().sqrt()
}

fn singular() -> Error {
    Error::Singular { matrix: "I - Lambda W".into() }
}
