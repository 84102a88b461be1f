//! The safeguard of the fast methods: takes back steps that do not help.

use std::collections::VecDeque;

use ndarray::Array1;

use super::Metric;
use super::drive::{Point, Task};
use super::fixed_point::blend;
use crate::Scalar;
use crate::error::Result;

/// A step is kept if it lowers the largest of the last `WINDOW` merits by the factor `DECREASE`.
const WINDOW: usize = 10;
const DECREASE: f64 = 0.99;

/// Judges each point by a merit, and offers a way back from bad ones.
///
/// Under a certificate the merit is `m(x) = |x - T(x)|_{D/R}` with the forward-backward step `T` of length `alpha`, and the way
/// back is `T` of the best point. `alpha` begins at 1, where `T(x) = Phi(W x + u)`. Each failure halves it, down to `1 / L`. From then on
/// the way back is a Peaceman-Rachford step, which contracts `m` by `q = sqrt(1 - delta / L)` from every point. So the largest merit of
/// any `WINDOW` kept points falls at least by the larger of `DECREASE` and `q` from one window to the next, whatever the fast method
/// does, and `m` lies between multiples of the distance to the equilibrium. Without a certificate the merit is the Euclidean norm of the residual and the way back a
/// damped fixed-point step from the best point, shorter after each failure.
pub(super) struct Guard<A> {
    recent: VecDeque<f64>,
    best: Option<Kept<A>>,
    /// The forward-backward step length under a certificate, the damping without.
    alpha: f64,
    on_the_way_back: bool,
}

struct Kept<A> {
    merit: f64,
    x: Array1<A>,
    z: Array1<A>,
    g: Array1<A>,
}

/// What to do with a point.
pub(super) enum Judgement<A> {
    /// The fast method goes on from it.
    Keep,
    /// The next iterate is this one instead, and what the fast method has learnt is void.
    TakeBack(Array1<A>),
}

impl<A: Scalar> Guard<A> {
    pub(super) fn new() -> Self {
        Self { recent: VecDeque::new(), best: None, alpha: 1.0, on_the_way_back: false }
    }

    /// The step length of the way back: a fast method should not mix in more than this.
    pub(super) fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Whether the point is good enough to be kept.
    pub(super) fn accepts(&self, task: &Task<'_, A>, at: &Point<A>) -> bool {
        self.clears_the_bar(self.merit(task, &at.x, &at.z, &at.g))
    }

    fn clears_the_bar(&self, merit: f64) -> bool {
        self.recent.is_empty() || merit <= DECREASE * self.recent.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// # Errors
    /// Those of the linear solve of a Peaceman-Rachford step.
    pub(super) fn judge(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Result<Judgement<A>> {
        let merit = self.merit(task, &at.x, &at.z, &at.g);
        let arrived = std::mem::take(&mut self.on_the_way_back) && self.came_back_well(task, merit);
        if arrived || self.clears_the_bar(merit) {
            self.keep(merit, at);
            return Ok(Judgement::Keep);
        }
        Ok(match self.way_back(task)? {
            Some(x) => {
                self.on_the_way_back = true;
                Judgement::TakeBack(x)
            }
            None => Judgement::Keep,
        })
    }

    /// A Peaceman-Rachford step contracts in exact arithmetic, so it is not questioned.
    fn came_back_well(&self, task: &Task<'_, A>, merit: f64) -> bool {
        let Some(best) = &self.best else { return true };
        match task.metric {
            Some(metric) => merit < best.merit || self.is_shortest(task, metric),
            None => merit <= 2.0 * best.merit,
        }
    }

    fn is_shortest(&self, task: &Task<'_, A>, metric: &Metric<'_, A>) -> bool {
        self.alpha <= metric.splitting_step(task.weights())
    }

    /// The step of the way back from the present point, without judgement; for a run of safe steps.
    pub(super) fn safe_step(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Result<Option<Array1<A>>> {
        self.on_the_way_back = true;
        task.metric.map(|metric| self.contracting_step(task, metric, &at.x, &at.z)).transpose()
    }

    fn contracting_step(
        &self,
        task: &Task<'_, A>,
        metric: &Metric<'_, A>,
        x: &Array1<A>,
        z: &Array1<A>,
    ) -> Result<Array1<A>> {
        if self.is_shortest(task, metric) {
            metric.peaceman_rachford(task, x, z)
        } else {
            Ok(metric.forward_backward(task.game.neurons(), self.alpha, x, z))
        }
    }

    fn keep(&mut self, merit: f64, at: &Point<A>) {
        if self.recent.len() == WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(merit);
        if self.best.as_ref().is_none_or(|best| merit < best.merit) {
            self.best = Some(Kept { merit, x: at.x.clone(), z: at.z.clone(), g: at.g.clone() });
        }
    }

    fn merit(&self, task: &Task<'_, A>, x: &Array1<A>, z: &Array1<A>, g: &Array1<A>) -> f64 {
        match task.metric {
            Some(metric) if self.alpha == 1.0 => metric.norm(&(x - g)),
            Some(metric) => metric.norm(&(x - &metric.forward_backward(task.game.neurons(), self.alpha, x, z))),
            None => x.iter().zip(g).map(|(x, g)| (*x - *g).to_double().powi(2)).sum::<f64>().sqrt(),
        }
    }

    /// Shortens the step and makes it from the best point.
    fn way_back(&mut self, task: &Task<'_, A>) -> Result<Option<Array1<A>>> {
        let Some(best) = self.best.take() else { return Ok(None) };
        let Some(metric) = task.metric else {
            self.alpha = (0.5 * self.alpha).max(1.0 / 64.0);
            let back = blend(&best.x, &best.g, self.alpha);
            self.best = Some(best);
            return Ok(Some(back));
        };
        let shortest = metric.splitting_step(task.weights());
        let before = self.alpha;
        self.alpha = (0.5 * before).max(shortest.min(before));
        let mut merit = best.merit;
        if self.alpha < before {
            merit = self.merit(task, &best.x, &best.z, &best.g);
            self.recent = VecDeque::from([merit]);
        }
        let back = self.contracting_step(task, metric, &best.x, &best.z);
        self.best = Some(Kept { merit, ..best });
        back.map(Some)
    }
}
