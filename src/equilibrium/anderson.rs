//! Anderson acceleration.

use std::collections::VecDeque;

use ndarray::Array1;

use super::drive::{Iterate, Next, Point, Task};
use super::guard::{Guard, Judgement};
use super::method::{Anderson, MethodName};
use crate::Scalar;
use crate::error::Result;

/// Differences that depend on newer ones to this relative accuracy (squared) are left out of the combination.
const DEPENDENT: f64 = 1e-12;

/// The iteration's memory: differences of iterates and of residuals, newest first.
pub(super) struct AndersonIteration<A> {
    options: Anderson,
    guard: Guard<A>,
    last: Option<(Array1<A>, Array1<A>)>,
    steps: VecDeque<Step<A>>,
    /// `gram[i][j] = <df_i, df_j>` for `j <= i` (older with newer).
    gram: VecDeque<Vec<f64>>,
}

struct Step<A> {
    dx: Array1<A>,
    df: Array1<A>,
}

impl<A: Scalar> AndersonIteration<A> {
    pub(super) fn new(options: Anderson) -> Self {
        Self { options, guard: Guard::new(), last: None, steps: VecDeque::new(), gram: VecDeque::new() }
    }

    fn forget(&mut self) {
        self.last = None;
        self.steps.clear();
        self.gram.clear();
    }

    fn remember(&mut self, step: Step<A>) {
        if self.steps.len() == self.options.memory {
            self.steps.pop_back();
            self.gram.pop_back();
        }
        // Row i holds the products with itself and all newer differences, so a newer one extends every row.
        for (row, older) in self.gram.iter_mut().zip(&self.steps) {
            row.push(inner(&older.df, &step.df));
        }
        self.gram.push_front(vec![inner(&step.df, &step.df)]);
        self.steps.push_front(step);
    }

    /// `<df_i, df_j>` with `i >= j`, counted from the newest.
    fn product(&self, i: usize, j: usize) -> f64 {
        self.gram[i][i - j]
    }

    /// The coefficients `c` that minimise `|f - sum c_i df_i|`, by a Cholesky factorisation that takes the differences
    /// from the newest to the oldest and leaves out those that depend on newer ones.
    fn coefficients(&self, f: &Array1<A>) -> Vec<f64> {
        let m = self.steps.len();
        let dependent = DEPENDENT.max(100.0 * A::epsilon().to_double());
        let mut kept: Vec<usize> = Vec::with_capacity(m);
        let mut factor: Vec<Vec<f64>> = Vec::with_capacity(m);
        let mut rhs: Vec<f64> = Vec::with_capacity(m);
        for i in 0..m {
            let mut row: Vec<f64> = Vec::with_capacity(kept.len() + 1);
            for (k, &j) in kept.iter().enumerate() {
                let done: f64 = row.iter().zip(&factor[k]).map(|(a, b)| a * b).sum();
                row.push((self.product(i, j) - done) / factor[k][k]);
            }
            let length = self.product(i, i);
            let rest = length - row.iter().map(|v| v * v).sum::<f64>();
            if rest.is_nan() || rest <= dependent * length {
                continue;
            }
            let done: f64 = row.iter().zip(&rhs).map(|(a, b)| a * b).sum();
            rhs.push((inner(&self.steps[i].df, f) - done) / rest.sqrt());
            row.push(rest.sqrt());
            kept.push(i);
            factor.push(row);
        }
        for k in (0..kept.len()).rev() {
            let done: f64 = (k + 1..kept.len()).map(|l| factor[l][k] * rhs[l]).sum();
            rhs[k] = (rhs[k] - done) / factor[k][k];
        }
        let mut all = vec![0.0; m];
        for (&i, c) in kept.iter().zip(rhs) {
            all[i] = c;
        }
        all
    }
}

impl<A: Scalar> Iterate<A> for AndersonIteration<A> {
    fn name(&self) -> MethodName {
        MethodName::Anderson
    }

    fn next(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Result<Next<A>> {
        if let Judgement::TakeBack(x) = self.guard.judge(task, at)? {
            self.forget();
            return Ok(x.into());
        }
        let f = &at.g - &at.x;
        if let Some((x, earlier)) = self.last.take() {
            self.remember(Step { dx: &at.x - &x, df: &f - &earlier });
        }
        let coefficients = self.coefficients(&f);
        let mixing = A::of(self.options.mixing.min(self.guard.alpha()));
        let mut next = at.x.clone();
        next.scaled_add(mixing, &f);
        for (step, c) in self.steps.iter().zip(coefficients) {
            if c != 0.0 {
                next.scaled_add(-A::of(c), &step.dx);
                next.scaled_add(-A::of(c) * mixing, &step.df);
            }
        }
        self.last = Some((at.x.clone(), f));
        Ok(next.into())
    }
}

fn inner<A: Scalar>(a: &Array1<A>, b: &Array1<A>) -> f64 {
    a.dot(b).to_double()
}
