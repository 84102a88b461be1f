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
/// Under a certificate the merit is `m(x) = |x - Phi(W x + u)|_{D/R}` as long as no step has failed; from the first failure on,
/// `m(x) = |x - T(x)|_{D/R}` with the forward-backward step `T`, which contracts by `q < 1`. The way back is `T` of the best
/// point, with `m(T(x)) <= q m(x)`. So the largest merit of any `WINDOW` kept points falls by `max(DECREASE, q)` from
/// one window to the next whatever the fast method does, and both merits lie between multiples of the distance to the
/// equilibrium. Without a certificate the merit is the Euclidean norm of the residual and the way back a damped
/// fixed-point step from the best point, shorter after each failure.
pub(super) struct Guard<A> {
    recent: VecDeque<f64>,
    best: Option<Kept<A>>,
    /// The forward-backward step length, once it is needed.
    alpha: Option<f64>,
    damping: f64,
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
        Self { recent: VecDeque::new(), best: None, alpha: None, damping: 1.0, on_the_way_back: false }
    }

    pub(super) fn judge(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Judgement<A> {
        let merit = self.merit(task, &at.x, &at.z, &at.g);
        let bar = DECREASE * self.recent.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let first = self.recent.is_empty();
        let back_home = std::mem::take(&mut self.on_the_way_back)
            && (task.metric.is_some() || self.best.as_ref().is_none_or(|best| merit <= 2.0 * best.merit));
        if first || merit <= bar || back_home {
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

    /// The forward-backward step from the present point, without judgement; for a run of safe steps.
    pub(super) fn safe_step(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Option<Array1<A>> {
        let metric = task.metric?;
        let alpha = *self.alpha.get_or_insert_with(|| metric.best_step(&task.circuit.weights));
        self.on_the_way_back = true;
        Some(metric.forward_backward(task.circuit, alpha, &at.x, &at.z))
    }

    fn keep(&mut self, merit: f64, at: &Point<A>) {
        if self.recent.len() == WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(merit);
        if self.best.as_ref().is_none_or(|best| merit < best.merit) {
            self.best = Some(Kept { merit, x: at.x.clone(), z: at.z.clone(), g: at.g.clone() });
            self.damping = 1.0;
        }
    }

    fn merit(&self, task: &Task<'_, A>, x: &Array1<A>, z: &Array1<A>, g: &Array1<A>) -> f64 {
        match (task.metric, self.alpha) {
            (Some(metric), Some(alpha)) => metric.norm(&(x - &metric.forward_backward(task.circuit, alpha, x, z))),
            (Some(metric), None) => metric.norm(&(x - g)),
            (None, _) => x.iter().zip(g).map(|(x, g)| (*x - *g).to_double().powi(2)).sum::<f64>().sqrt(),
        }
    }

    fn way_back(&mut self, task: &Task<'_, A>) -> Option<Array1<A>> {
        let best = self.best.take()?;
        let back = match task.metric {
            Some(metric) => {
                let alpha = self.alpha.unwrap_or_else(|| metric.best_step(&task.circuit.weights));
                let back = metric.forward_backward(task.circuit, alpha, &best.x, &best.z);
                if self.alpha.replace(alpha).is_none() {
                    let merit = metric.norm(&(&best.x - &back));
                    self.recent = VecDeque::from([merit]);
                    self.best = Some(Kept { merit, ..best });
                    return Some(back);
                }
                back
            }
            None => {
                let back = blend(&best.x, &best.g, self.damping);
                self.damping = (0.5 * self.damping).max(1.0 / 64.0);
                back
            }
        };
        self.best = Some(best);
        Some(back)
    }
}
