//! The safeguard of the fast methods: takes back steps that do not help.

use std::collections::VecDeque;

use ndarray::Array1;

use super::drive::{Point, Task};
use super::fixed_point::blend;
use crate::Scalar;

/// A step is kept if it lowers the largest of the last `WINDOW` merits by the factor `DECREASE`.
const WINDOW: usize = 10;
const DECREASE: f64 = 0.99;

/// Judges each point by a merit, and offers a way back from bad ones.
///
/// Under a certificate the merit is `m(x) = |x - T(x)|_{D/R}` with the forward-backward step `T` of length `alpha`, and the way
/// back is `T` of the best point. `alpha` begins at 1, where `T(x) = Phi(W x + u)`. Each failure shortens it, down to the
/// length at which the certificate guarantees that `T` contracts by some `q < 1`, so that `m(T(x)) <= q m(x)`. It is
/// shortened finitely often; from then on the largest merit of any `WINDOW` kept points falls at least by the larger of
/// `DECREASE` and `q` from one window to the next, whatever the fast method does, and `m` lies between multiples of the
/// distance to the equilibrium. Without a certificate the merit is the Euclidean norm of the residual and the way back a
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

    pub(super) fn judge(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Judgement<A> {
        let merit = self.merit(task, &at.x, &at.z, &at.g);
        let arrived = std::mem::take(&mut self.on_the_way_back) && self.came_back_well(task, merit);
        if arrived || self.clears_the_bar(merit) {
            self.keep(merit, at);
            return Judgement::Keep;
        }
        match self.way_back(task) {
            Some(x) => {
                self.on_the_way_back = true;
                Judgement::TakeBack(x)
            }
            None => Judgement::Keep,
        }
    }

    /// At the guaranteed length the way back contracts in exact arithmetic, so it is not questioned.
    fn came_back_well(&self, task: &Task<'_, A>, merit: f64) -> bool {
        let Some(best) = &self.best else { return true };
        match task.metric {
            Some(metric) => merit < best.merit || self.alpha <= metric.best_step(&task.circuit.weights),
            None => merit <= 2.0 * best.merit,
        }
    }

    /// The forward-backward step from the present point, without judgement; for a run of safe steps.
    pub(super) fn safe_step(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Option<Array1<A>> {
        self.on_the_way_back = true;
        Some(task.metric?.forward_backward(task.circuit, self.alpha, &at.x, &at.z))
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
            Some(metric) => metric.norm(&(x - &metric.forward_backward(task.circuit, self.alpha, x, z))),
            None => x.iter().zip(g).map(|(x, g)| (*x - *g).to_double().powi(2)).sum::<f64>().sqrt(),
        }
    }

    /// Shortens the step and makes it from the best point.
    fn way_back(&mut self, task: &Task<'_, A>) -> Option<Array1<A>> {
        let best = self.best.take()?;
        let back = match task.metric {
            Some(metric) => {
                let guaranteed = metric.best_step(&task.circuit.weights);
                let before = self.alpha;
                self.alpha = (0.5 * before).max(guaranteed.min(before));
                let back = metric.forward_backward(task.circuit, self.alpha, &best.x, &best.z);
                let merit = if self.alpha < before { metric.norm(&(&best.x - &back)) } else { best.merit };
                if self.alpha < before {
                    self.recent = VecDeque::from([merit]);
                }
                self.best = Some(Kept { merit, ..best });
                return Some(back);
            }
            None => {
                self.alpha = (0.5 * self.alpha).max(1.0 / 64.0);
                blend(&best.x, &best.g, self.alpha)
            }
        };
        self.best = Some(best);
        Some(back)
    }
}
