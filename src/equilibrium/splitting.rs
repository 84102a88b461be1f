//! Forward-backward and Peaceman-Rachford splitting in the certificate's metric.

use std::sync::Arc;

use ndarray::{Array1, Axis};

use super::Metric;
use super::drive::{Iterate, Next, Point, Task};
use super::krylov::{Effort, gmres};
use super::method::MethodName;
use crate::Scalar;
use crate::error::{Error, Result};
use crate::linalg::Lu;
use crate::network::{Weights, WeightsView};

/// `x <- T(x)`.
///
/// A step length that the user has not chosen begins at 1 and is halved, down to the guaranteed one, whenever `TRIAL`
/// steps have not shortened `|x - T(x)|_{D/R}` by the factor `GAIN`: a contraction that is seen is as good as one that is proved.
pub(super) struct ForwardBackwardIteration {
    alpha: f64,
    adaptive: bool,
    steps: usize,
    at_start: f64,
}

const TRIAL: usize = 20;
const GAIN: f64 = 0.995;

impl ForwardBackwardIteration {
    pub(super) fn new(step: Option<f64>) -> Self {
        Self { alpha: step.unwrap_or(1.0), adaptive: step.is_none(), steps: 0, at_start: f64::INFINITY }
    }
}

impl<A: Scalar> Iterate<A> for ForwardBackwardIteration {
    fn name(&self) -> MethodName {
        MethodName::ForwardBackward
    }

    fn next(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Result<Next<A>> {
        let metric = task.metric.ok_or_else(uncertified)?;
        let next = metric.forward_backward(task.game.neurons(), self.alpha, &at.x, &at.z);
        if !self.adaptive {
            return Ok(next.into());
        }
        let length = metric.norm(&(&next - &at.x));
        if self.steps == 0 {
            self.at_start = length;
        }
        self.steps += 1;
        let failed = length > 2.0 * self.at_start || (self.steps > TRIAL && length > GAIN * self.at_start);
        if self.steps > TRIAL || failed {
            self.steps = 0;
        }
        if failed {
            let guaranteed = metric.best_step(task.weights());
            self.alpha = (0.5 * self.alpha).max(guaranteed.min(self.alpha));
            return Ok(metric.forward_backward(task.game.neurons(), self.alpha, &at.x, &at.z).into());
        }
        Ok(next.into())
    }
}

/// `w <- w + 2 (J_A(2 x - w) - x)`, `x = J_B(w)`; the iterate that is shown is `J_A(2 x - w)`, which lies in the range of `Phi`.
pub(super) struct PeacemanRachfordIteration<A: Scalar> {
    resolvent: Arc<LinearResolvent<A>>,
    w: Option<Array1<A>>,
}

impl<A: Scalar> PeacemanRachfordIteration<A> {
    pub(super) fn new(resolvent: Arc<LinearResolvent<A>>) -> Self {
        Self { resolvent, w: None }
    }
}

impl<A: Scalar> Iterate<A> for PeacemanRachfordIteration<A> {
    fn name(&self) -> MethodName {
        MethodName::PeacemanRachford
    }

    fn next(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Result<Next<A>> {
        let metric = task.metric.ok_or_else(uncertified)?;
        let w = self.w.take().unwrap_or_else(|| self.resolvent.start(metric, task, at));
        let x = self.resolvent.solve(metric, task, &w)?;
        let reflected = &x + &(&x - &w);
        let y = metric.backward(task.game.neurons(), self.resolvent.alpha, reflected.view());
        let two = A::of(2.0);
        self.w = Some(w + &((&y - &x) * two));
        Ok(y.into())
    }
}

/// `J_B(w) = (I + alpha (I - R W))^{-1} (w + alpha R u)`, with the matrix factorised once for all inputs.
pub(super) struct LinearResolvent<A: Scalar> {
    alpha: f64,
    factor: Option<Lu<A>>,
}

/// Sparse networks up to this size are factorised as dense ones.
const DENSE_BELOW: usize = 1500;
/// Dense networks above this size are not factorised, unless the user asks for Newton's method.
pub(super) const FACTORISED_BELOW: usize = 8000;

impl<A: Scalar> LinearResolvent<A> {
    pub(super) fn new(weights: &Weights<A>, metric: &Metric<'_, A>, alpha: f64) -> Self {
        let factorise = match weights.view() {
            WeightsView::Dense(_) => weights.len() <= FACTORISED_BELOW,
            WeightsView::Sparse(_) => weights.len() <= DENSE_BELOW,
        };
        let factor = factorise.then(|| {
            let mut matrix = weights.to_dense();
            for (i, mut row) in matrix.axis_iter_mut(Axis(0)).enumerate() {
                row *= A::of(-alpha * metric.certificate().slope_bounds()[i]);
                row[i] += A::of(1.0 + alpha);
            }
            Lu::new(matrix.view(), "I + alpha (I - R W)")
        });
        Self { alpha, factor }
    }

    fn solve(&self, metric: &Metric<'_, A>, task: &Task<'_, A>, w: &Array1<A>) -> Result<Array1<A>> {
        let scale = |i: usize| A::of(self.alpha * metric.certificate().slope_bounds()[i]);
        let rhs = Array1::from_shape_fn(w.len(), |i| w[i] + scale(i) * task.input[i]);
        self.apply_inverse(metric, task, rhs)
    }

    /// `(I + alpha (I - R W))^{-1} v`.
    pub(super) fn apply_inverse(&self, metric: &Metric<'_, A>, task: &Task<'_, A>, v: Array1<A>) -> Result<Array1<A>> {
        let scale = |i: usize| A::of(self.alpha * metric.certificate().slope_bounds()[i]);
        match &self.factor {
            Some(lu) => lu.solve_vec(v.view()),
            None => {
                // In the variables of the metric's square root the matrix has a symmetric part of at least I.
                let root: Array1<A> = metric.rate_weights().iter().map(|m| A::of(m.sqrt())).collect();
                let product = |y: &Array1<A>| {
                    let x = y / &root;
                    let image = task.weights().dot(x.view());
                    Array1::from_shape_fn(y.len(), |i| A::of(1.0 + self.alpha) * y[i] - scale(i) * root[i] * image[i])
                };
                Ok(gmres(product, &(&v * &root), Effort::FULL)? / &root)
            }
        }
    }

    /// The `w` whose `J_B(w)` is the present iterate.
    fn start(&self, metric: &Metric<'_, A>, task: &Task<'_, A>, at: &Point<A>) -> Array1<A> {
        Array1::from_shape_fn(task.input.len(), |i| {
            A::of(1.0 + self.alpha) * at.x[i] - A::of(self.alpha * metric.certificate().slope_bounds()[i]) * at.z[i]
        })
    }
}

fn uncertified() -> Error {
    Error::invalid("certificate", "missing", "a certificate of this network, for splitting methods")
}
