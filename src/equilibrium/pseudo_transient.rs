//! Pseudo-transient continuation: the flow by linearly implicit steps that grow into Newton's.

use ndarray::Array1;

use super::Metric;
use super::drive::{Iterate, Next, Point, Task};
use super::krylov::Effort;
use super::method::{MethodName, PseudoTransient};
use super::newton::respond;
use super::operator::{Coupling, ResponseOperator};
use crate::Scalar;
use crate::error::{Error, Result};

/// Above this error of the linearisation, relative to the residual at the start of the step, a step is taken back, and
/// made shorter by the factor `SHORTER`.
const TAKEN_BACK: f64 = 1.0;
const SHORTER: f64 = 0.25;
/// Below these errors the next step is that much longer.
const LONGER: [(f64, f64); 3] = [(0.01, 10.0), (0.1, 4.0), (0.3, 1.5)];
/// Above this error the next step is half as long.
const TOO_LONG: f64 = 0.7;
/// Steps between these, in units of the fastest time constant. The longest is Newton's step to working precision.
const SHORTEST: f64 = 1e-6;
const LONGEST: f64 = 1e20;
/// How often a step whose linear system cannot be solved is shortened, and by which factor.
const RETRIES: usize = 4;
const RETRY: f64 = 1.0 / 16.0;

pub(super) struct PseudoTransientIteration<A> {
    /// The length of the next step, in units of the fastest time constant.
    length: f64,
    trial: Option<Trial<A>>,
}

/// A step under way: where it began, and what it adds to the state.
struct Trial<A> {
    from: Point<A>,
    step: Array1<A>,
    /// In units of time.
    duration: f64,
}

impl<A: Scalar> PseudoTransientIteration<A> {
    pub(super) fn new(options: PseudoTransient) -> Self {
        Self { length: options.first_step, trial: None }
    }

    fn go_on_from(&mut self, task: &Task<'_, A>, from: Point<A>) -> Result<Array1<A>> {
        let fastest = task.game.time_constants().iter().copied().fold(A::infinity(), A::min).to_double();
        let mut retries = 0;
        loop {
            let duration = self.length * fastest;
            match implicit_step(task, &from, duration) {
                Ok(None) if self.length > SHORTEST => self.length = (SHORTER * self.length).max(SHORTEST),
                Ok(step) => {
                    let step = step.unwrap_or_else(|| &from.g - &from.x);
                    let next = &from.x + &step;
                    self.trial = Some(Trial { from, step, duration });
                    return Ok(next);
                }
                Err(Error::Singular { .. } | Error::NoConvergence { .. }) if retries < RETRIES => {
                    retries += 1;
                    self.length = (RETRY * self.length).max(SHORTEST);
                }
                Err(other) => return Err(other),
            }
        }
    }
}

/// `p` with `(T/h + I - Lambda J) p = -r`, `r = x - Phi(z)`, `J` the Jacobian of the drive (`W` for synapses).
///
/// With `S = I + T/h` it is `(I - M J)^{-1} q`, `q = -S^{-1} r`, `M = S^{-1} Lambda`. For short `h` the determinant is
/// positive. Where it is negative, `h` is longer than `1/mu` for a mode that grows at the rate `mu`, and `p` goes
/// against the flow along it: `None`.
///
/// # Errors
/// A singular matrix, or GMRES without convergence.
fn implicit_step<A: Scalar>(task: &Task<'_, A>, at: &Point<A>, duration: f64) -> Result<Option<Array1<A>>> {
    let damping = task.game.time_constants().mapv(|tau| A::of(1.0 + tau.to_double() / duration));
    let mut slopes = at.z.clone();
    task.game.neurons().slopes(slopes.view_mut());
    slopes /= &damping;
    let operator =
        ResponseOperator::new(Coupling::at(task, &at.x), slopes.view(), task.metric.map(Metric::certificate))
            .with_effort(Effort::COARSE);
    if operator.reverses() {
        return Ok(None);
    }
    respond(&operator, (&at.g - &at.x) / &damping).map(Some)
}

impl<A: Scalar> Iterate<A> for PseudoTransientIteration<A> {
    fn name(&self) -> MethodName {
        MethodName::PseudoTransient
    }

    fn next(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Result<Next<A>> {
        let Some(trial) = self.trial.take() else { return Ok(self.go_on_from(task, at.clone())?.into()) };
        let error = trial.relative_error(task, at);
        if (error.is_nan() || error > TAKEN_BACK) && self.length > SHORTEST {
            self.length = (SHORTER * self.length).max(SHORTEST);
            return Ok(self.go_on_from(task, trial.from)?.into());
        }
        let growth = LONGER.iter().find(|(bound, _)| error <= *bound).map_or(1.0, |(_, growth)| *growth);
        let factor = if error > TOO_LONG { 0.5 } else { growth };
        self.length = (factor * self.length).clamp(SHORTEST, LONGEST);
        Ok(self.go_on_from(task, at.clone())?.into())
    }
}

impl<A: Scalar> Trial<A> {
    /// `|f(x + p) + T p / h| / |f(x)|` with `f(x) = x - Phi(W x + u)`: 0 if `f` is affine along the step `p`.
    fn relative_error(&self, task: &Task<'_, A>, at: &Point<A>) -> f64 {
        let mut error = 0.0;
        for (i, &tau) in task.game.time_constants().iter().enumerate() {
            let rest = (at.x[i] - at.g[i]).to_double();
            error += (rest + tau.to_double() / self.duration * self.step[i].to_double()).powi(2);
        }
        error.sqrt() / self.from.length()
    }
}
