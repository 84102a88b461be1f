//! The one loop that drives every method, for one input or for many in step.

use std::time::{Duration, Instant};

use ndarray::{Array1, Array2, Axis};

use super::precision::{Drive, Precision};
use super::report::{Attempt, Equilibrium, Form, NotConverged, Outcome, SolveReport, StopReason, Uniqueness};
use super::{MethodName, Metric, Observer, Progress};
use crate::Scalar;
use crate::error::{Error, Result};
use crate::game::NeuralGame;
use crate::network::{Neurons, Weights};
use crate::stability::{
    CheckedProduct, ErrorBound, activation_scale, checked_products, drive_error_bound, error_bound,
};

/// An iterate with its drive `z`, `W x + u` for synapses, its image `g = Phi(z)` and `max |x - g|`.
#[derive(Debug, Clone)]
pub(super) struct Point<A> {
    pub(super) x: Array1<A>,
    pub(super) z: Array1<A>,
    pub(super) g: Array1<A>,
    pub(super) residual: f64,
}

impl<A: Scalar> Point<A> {
    /// The residual is infinite where the drive, or the image, is not finite: a drive of `-inf` has a rate of 0 in many
    /// activations, and would pass for an equilibrium.
    fn evaluate(neurons: &Neurons<A>, x: Array1<A>, z: Array1<A>) -> Self {
        let mut g = z.clone();
        neurons.activate(g.view_mut());
        let residual = if z.iter().all(|v| v.is_finite()) { distance(&x, &g) } else { f64::INFINITY };
        Self { x, z, g, residual }
    }

    /// The Euclidean norm of `x - g`.
    pub(super) fn length(&self) -> f64 {
        self.x.iter().zip(&self.g).map(|(x, g)| (*x - *g).to_double().powi(2)).sum::<f64>().sqrt()
    }
}

/// What a method may know of the problem.
pub(super) struct Task<'a, A: Scalar> {
    pub(super) game: &'a NeuralGame<A>,
    pub(super) form: Form,
    pub(super) input: Array1<A>,
    pub(super) metric: Option<&'a Metric<'a, A>>,
    /// The state of the network's own form that the user gave to start from.
    pub(super) start: Option<Array1<A>>,
    /// When the time limit is reached, for methods whose iterations are long.
    pub(super) deadline: Option<Instant>,
}

impl<'a, A: Scalar> Task<'a, A> {
    /// The weights, for methods that only networks with synapses have.
    pub(super) fn weights(&self) -> &'a Weights<A> {
        self.game.synapses().expect("methods that need weights are refused where there are none")
    }

    /// The bound on the potentials of a certified Hopfield network, from the bound on its rates.
    fn potential_error_bound(
        &self,
        rates: Option<&ErrorBound>,
        potentials: &Array1<A>,
        product: Option<&CheckedProduct>,
    ) -> Option<f64> {
        if self.form == Form::FiringRate {
            return None;
        }
        drive_error_bound(self.weights(), self.metric?.certificate(), potentials, &self.input, product?, rates?)
    }
}

/// A method: from the present point to the next iterate.
pub(super) trait Iterate<A: Scalar>: Send {
    fn name(&self) -> MethodName;
    /// # Errors
    /// A linear system without a unique solution, or whose solution was not found, is a failure of the method; others
    /// end the solve.
    fn next(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Result<Next<A>>;
}

/// What a method makes of a point.
pub(super) enum Next<A> {
    /// The next iterate.
    To(Array1<A>),
    /// Nothing: the method has come to its end.
    Stuck(StopReason),
}

impl<A> From<Array1<A>> for Next<A> {
    fn from(iterate: Array1<A>) -> Self {
        Next::To(iterate)
    }
}

/// Where a method begins that follows another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// At the iterate with the least residual so far.
    Best,
    /// Where the solve began.
    Start,
}

/// A method with its share of the iterations and of patience.
pub(super) struct Stage<A: Scalar> {
    pub(super) iterate: Box<dyn Iterate<A>>,
    pub(super) budget: usize,
    /// Iterations without progress after which the method gives up.
    pub(super) patience: usize,
    /// Whether it converges in the end, so that only rounding errors are a reason to give up.
    pub(super) guaranteed: bool,
    pub(super) begin: Begin,
}

/// When to stop, and who watches.
pub(super) struct Limits<'a> {
    pub(super) tolerance: f64,
    pub(super) absolute_tolerance: f64,
    pub(super) max_iterations: usize,
    pub(super) time_limit: Option<Duration>,
    pub(super) observer: Option<&'a Observer>,
    pub(super) activation_accuracy: f64,
}

impl Limits<'_> {
    fn threshold<A: Scalar>(&self, x: &Array1<A>) -> f64 {
        self.absolute_tolerance.max(self.tolerance * largest(x))
    }
}

/// One input on its way through the stages.
pub(super) struct Column<'a, A: Scalar> {
    index: usize,
    task: Task<'a, A>,
    stages: std::vec::IntoIter<Stage<A>>,
    stage: Stage<A>,
    phase: Phase<A>,
    /// The rates at which the solve began; `None` for 0.
    start: Option<Array1<A>>,
    precision: Precision<'a, A>,
    best: Option<Point<A>>,
    attempts: Vec<Attempt>,
    iterations: usize,
    iterations_of_stage: usize,
    best_of_stage: f64,
    last_progress: usize,
    /// Whether the drive of the present iterate was computed in full precision.
    full: bool,
    /// The residual and the iteration of the last candidate that failed its check.
    failed_candidate: Option<(f64, usize)>,
    /// An iterate whose residual passed, but not that of its image: `Phi(W x + u)` expands rounding errors there.
    passed_itself: Option<(Point<A>, Option<ErrorBound>)>,
}

enum Phase<A: Scalar> {
    /// The drive of this iterate is needed.
    Product(Array1<A>),
    /// The drive is known.
    Evaluate(Array1<A>, Drive<A>),
    /// Looks like an equilibrium, and must pass the check: a product by `W` at its image.
    Check(Box<Point<A>>),
    /// Stopped without one; a product at the best iterate gives its residual and tells whether rounding errors are to blame.
    Failed(StopReason),
    Done(Box<Outcome<A>>),
}

impl<'a, A: Scalar> Column<'a, A> {
    /// `initial` is `None` for a start at rest, where the drive by synapses is the input itself and needs no product.
    pub(super) fn new(
        index: usize,
        task: Task<'a, A>,
        initial: Option<Array1<A>>,
        precision: Precision<'a, A>,
        stages: Vec<Stage<A>>,
    ) -> Option<Self> {
        let start = initial.clone();
        let phase = match initial {
            Some(x) => Phase::Product(x),
            None if task.game.synapses().is_none() => Phase::Product(Array1::zeros(task.input.len())),
            None => Phase::Evaluate(Array1::zeros(task.input.len()), Drive { z: task.input.clone(), full: true }),
        };
        let mut stages = stages.into_iter();
        Some(Self {
            index,
            stage: stages.next()?,
            task,
            stages,
            phase,
            start,
            precision,
            best: None,
            attempts: Vec::new(),
            iterations: 0,
            iterations_of_stage: 0,
            best_of_stage: f64::INFINITY,
            last_progress: 0,
            full: true,
            failed_candidate: None,
            passed_itself: None,
        })
    }
}

/// Runs all columns to their ends; each sweep makes one product by `W` for all of them.
///
/// # Errors
/// Those of the methods, other than linear systems that could not be solved, which count as failures of the method.
pub(super) fn run<A: Scalar>(
    game: &NeuralGame<A>,
    mut columns: Vec<Column<'_, A>>,
    limits: &Limits<'_>,
) -> Result<Vec<Outcome<A>>> {
    let start = Instant::now();
    loop {
        let mut pending: Vec<&mut Column<'_, A>> =
            columns.iter_mut().filter(|c| !matches!(c.phase, Phase::Done(_))).collect();
        if pending.is_empty() {
            break;
        }
        multiply(game, &mut pending);
        for_each(&mut pending, |column| column.advance(limits, start))?;
        let mut checks: Vec<&mut Column<'_, A>> =
            pending.into_iter().filter(|c| matches!(c.phase, Phase::Check(_) | Phase::Failed(_))).collect();
        check(game, &mut checks, limits, start)?;
    }
    Ok(columns
        .into_iter()
        .filter_map(|c| match c.phase {
            Phase::Done(outcome) => Some(*outcome),
            _ => None,
        })
        .collect())
}

/// The drives of all iterates that wait for one: several are served by one product.
fn multiply<A: Scalar>(game: &NeuralGame<A>, columns: &mut [&mut Column<'_, A>]) {
    let mut waiting: Vec<(&mut Column<'_, A>, Array1<A>)> = Vec::with_capacity(columns.len());
    for column in columns {
        match std::mem::replace(&mut column.phase, Phase::Failed(StopReason::Diverged)) {
            Phase::Product(x) => waiting.push((column, x)),
            other => column.phase = other,
        }
    }
    let Some(weights) = game.synapses().filter(|_| waiting.len() > 1) else {
        for (column, x) in waiting {
            let drive = column.precision.drive(&x, &column.task.input);
            column.phase = Phase::Evaluate(x, drive);
        }
        return;
    };
    let mut states = Array2::zeros((weights.len(), waiting.len()));
    for (mut state, (_, x)) in states.axis_iter_mut(Axis(1)).zip(&waiting) {
        state.assign(x);
    }
    let products = weights.dot_matrix(states.view());
    for ((column, x), product) in waiting.into_iter().zip(products.axis_iter(Axis(1))) {
        column.phase = Phase::Evaluate(x, Drive { z: &product + &column.task.input, full: true });
    }
}

impl<A: Scalar> Column<'_, A> {
    /// One step of the method from the evaluated iterate.
    fn advance(&mut self, limits: &Limits<'_>, start: Instant) -> Result<()> {
        let (x, drive) = match std::mem::replace(&mut self.phase, Phase::Failed(StopReason::Diverged)) {
            Phase::Evaluate(x, drive) => (x, drive),
            other => {
                self.phase = other;
                return Ok(());
            }
        };
        self.full = drive.full;
        let point = Point::evaluate(self.task.game.neurons(), x, drive.z);
        let residual = point.residual;
        self.iterations += 1;
        self.iterations_of_stage += 1;
        if !self.precision.see(&point, self.full) {
            self.distrust();
        }
        if residual < self.best_of_stage {
            if residual < 0.999 * self.best_of_stage {
                self.last_progress = self.iterations_of_stage;
            }
            self.best_of_stage = residual;
        }
        if residual.is_finite() && self.best.as_ref().is_none_or(|best| residual < best.residual) {
            self.best = Some(point.clone());
        }
        if let Some(observer) = limits.observer {
            let progress = Progress {
                column: self.index,
                method: self.stage.iterate.name(),
                iterations: self.iterations,
                residual,
                elapsed: start.elapsed(),
            };
            if observer(&progress).is_break() {
                return self.finish_early(StopReason::Interrupted);
            }
        }
        if residual.is_finite() && residual <= limits.threshold(&point.g) && self.worth_a_check(residual) {
            self.phase = Phase::Check(Box::new(point));
            return Ok(());
        }
        self.step(&point, limits, start)
    }

    /// Forgets residuals that single precision may have understated.
    fn distrust(&mut self) {
        self.best = None;
        (self.best_of_stage, self.last_progress) = (f64::INFINITY, self.iterations_of_stage);
    }

    /// A check costs a product, so after a failed one the residual must fall, or some iterations pass.
    fn worth_a_check(&self, residual: f64) -> bool {
        self.failed_candidate.is_none_or(|(before, at)| residual <= 0.3 * before || self.iterations >= at + 10)
    }

    /// Asks the method, or the next one, for an iterate.
    fn step(&mut self, point: &Point<A>, limits: &Limits<'_>, start: Instant) -> Result<()> {
        if limits.time_limit.is_some_and(|limit| start.elapsed() >= limit) {
            return self.finish_early(StopReason::TimeLimit);
        }
        if self.iterations >= limits.max_iterations {
            return self.finish_early(StopReason::IterationLimit);
        }
        let failure = if !point.residual.is_finite() {
            StopReason::Diverged
        } else if self.iterations_of_stage - self.last_progress >= self.stage.patience {
            if self.precision.give_up_rounding() {
                self.distrust();
                self.phase = Phase::Product(point.x.clone());
                return Ok(());
            }
            StopReason::Stalled
        } else if self.iterations_of_stage >= self.stage.budget {
            StopReason::IterationLimit
        } else {
            match self.stage.iterate.next(&self.task, point) {
                Ok(Next::To(x)) if x.iter().all(|v| v.is_finite()) => {
                    self.phase = Phase::Product(x);
                    return Ok(());
                }
                Ok(Next::To(_)) => StopReason::Diverged,
                Ok(Next::Stuck(reason)) => reason,
                Err(Error::Singular { .. }) => StopReason::Singular,
                Err(Error::NoConvergence { .. }) => StopReason::LinearSolver,
                Err(other) => return Err(other),
            }
        };
        self.fail(failure)
    }

    /// The method has failed: goes on with the next one, if there is one.
    fn fail(&mut self, reason: StopReason) -> Result<()> {
        let Some(next) = self.stages.next().filter(|_| self.passed_itself.is_none()) else {
            self.phase = Phase::Failed(reason);
            return Ok(());
        };
        self.record(reason);
        self.stage = next;
        (self.iterations_of_stage, self.last_progress, self.best_of_stage) = (0, 0, f64::INFINITY);
        let restart = match self.stage.begin {
            Begin::Best => self.best.as_ref().map(|best| best.x.clone()),
            Begin::Start => self.start.clone(),
        };
        let restart = restart.unwrap_or_else(|| Array1::zeros(self.task.input.len()));
        self.phase = Phase::Product(restart);
        Ok(())
    }

    fn finish_early(&mut self, reason: StopReason) -> Result<()> {
        self.phase = Phase::Failed(reason);
        Ok(())
    }

    fn record(&mut self, stop: StopReason) {
        self.attempts.push(Attempt {
            method: self.stage.iterate.name(),
            iterations: self.iterations_of_stage,
            residual: self.best_of_stage,
            stop,
        });
    }

    fn report(&mut self, residual: f64, threshold: f64, stop: StopReason, start: Instant) -> SolveReport {
        if stop == StopReason::Converged {
            self.best_of_stage = residual;
        }
        self.record(stop);
        SolveReport {
            method: self.stage.iterate.name(),
            iterations: self.iterations,
            residual,
            threshold,
            stop,
            uniqueness: if self.task.metric.is_some() { Uniqueness::Proved } else { Uniqueness::NotProved },
            error_bound: None,
            potential_error_bound: None,
            attempts: std::mem::take(&mut self.attempts),
            elapsed: start.elapsed(),
        }
    }
}

/// The last word on candidates and on failures: one product in double precision with its error bound.
fn check<A: Scalar>(
    game: &NeuralGame<A>,
    columns: &mut [&mut Column<'_, A>],
    limits: &Limits<'_>,
    start: Instant,
) -> Result<()> {
    if columns.is_empty() {
        return Ok(());
    }
    let zeros = Array1::zeros(game.len());
    let (drives, scales) = {
        let pairs: Vec<_> = columns
            .iter()
            .map(|column| {
                let state = match &column.phase {
                    Phase::Check(point) => Some((&point.g, &point.z)),
                    _ => column.best.as_ref().map(|best| (&best.x, &best.z)),
                };
                let certificate = column.task.metric.map(Metric::certificate);
                match state {
                    Some((y, z)) => (y, activation_scale(y, z, certificate)),
                    None => (&zeros, vec![0.0; game.len()]),
                }
            })
            .collect();
        let inputs = columns.iter().map(|column| &column.task.input);
        let drives: Vec<CheckedDrive<A>> = match game.synapses() {
            Some(weights) => {
                let products = checked_products(weights, &pairs).into_iter();
                products.zip(inputs).map(|(product, input)| CheckedDrive::of_product(product, input)).collect()
            }
            None => {
                let drive = |(y, input): (&Array1<A>, &Array1<A>)| game.drive_under(y.view(), input.view());
                let states = pairs.iter().map(|(y, _)| *y);
                states.zip(inputs).map(|pair| CheckedDrive { z: drive(pair), product: None }).collect()
            }
        };
        (drives, pairs.into_iter().map(|(_, scale)| scale).collect::<Vec<_>>())
    };
    for ((column, drive), scale) in columns.iter_mut().zip(drives).zip(scales) {
        match std::mem::replace(&mut column.phase, Phase::Failed(StopReason::Diverged)) {
            Phase::Check(point) => column.confirm(*point, &drive, &scale, limits, start)?,
            Phase::Failed(reason) => column.give_up(reason, &drive, limits, start)?,
            other => column.phase = other,
        }
    }
    Ok(())
}

impl<A: Scalar> Column<'_, A> {
    /// `y = Phi(z)` is an equilibrium if its own residual passes; otherwise the method goes on.
    fn confirm(
        &mut self,
        point: Point<A>,
        drive: &CheckedDrive<A>,
        scale: &[f64],
        limits: &Limits<'_>,
        start: Instant,
    ) -> Result<()> {
        let image = Point::evaluate(self.task.game.neurons(), point.g.clone(), drive.z.clone());
        let threshold = limits.threshold(&image.x);
        let proof = self.task.metric.zip(drive.product.as_ref()).filter(|_| image.residual.is_finite());
        let bound = proof.and_then(|(metric, product)| {
            error_bound(
                self.task.weights(),
                metric.certificate(),
                &point.z,
                &self.task.input,
                scale,
                product,
                limits.activation_accuracy,
            )
        });
        if image.residual.is_finite() && image.residual <= threshold {
            let mut report = self.report(image.residual, threshold, StopReason::Converged, start);
            report.potential_error_bound =
                self.task.potential_error_bound(bound.as_ref(), &image.z, drive.product.as_ref());
            report.error_bound = bound;
            let equilibrium = Equilibrium::new(self.task.form, image.x, image.z, report);
            self.phase = Phase::Done(Box::new(Outcome::Equilibrium(equilibrium)));
            return Ok(());
        }
        if self.passes_itself(&point, limits) {
            let certificate = self.task.metric.map(Metric::certificate);
            let bound = bound
                .zip(certificate)
                .and_then(|(bound, certificate)| bound.moved(point.x.view(), point.g.view(), certificate));
            self.passed_itself = Some((point.clone(), bound));
        }
        self.failed_candidate = Some((point.residual, self.iterations));
        self.precision.move_to(image);
        self.step(&point, limits, start)
    }

    /// Whether a candidate is an equilibrium to the tolerance as it stands, and better than one known before. Potentials are those
    /// of the image in any case.
    fn passes_itself(&self, point: &Point<A>, limits: &Limits<'_>) -> bool {
        let known = self.passed_itself.as_ref().map_or(f64::INFINITY, |(known, _)| known.residual);
        let in_domain = |(i, &x): (usize, &A)| self.task.game.activation_of(i).domain().contains(x);
        self.task.form == Form::FiringRate
            && self.full
            && point.residual < known
            && point.residual <= limits.threshold(&point.x)
            && point.x.iter().enumerate().all(in_domain)
    }

    /// Whether the residual is no larger than what the rounding errors of the drives, and what the activations make of
    /// them, let it be.
    fn is_noise(&self, point: &Point<A>, drive: &CheckedDrive<A>) -> bool {
        let roundings = A::of(16.0) * A::epsilon();
        let magnitude = |i: usize| match &drive.product {
            Some(product) => A::of(product.magnitude[i]),
            None => drive.z[i].abs() + point.x[i].abs(),
        };
        let error = |i: usize| roundings * (magnitude(i) + self.task.input[i].abs());
        let largest = (0..point.z.len()).map(error).fold(A::zero(), A::max);
        let within = |i: usize| {
            let (z, phi) = (point.z[i], self.task.game.activation_of(i));
            let spread = phi.activate(z + error(i)) - phi.activate(z - error(i));
            (point.x[i] - point.g[i]).abs() <= spread + roundings * point.x[i].abs()
        };
        point.residual <= largest.to_double() || (0..point.z.len()).all(within)
    }

    fn give_up(
        &mut self,
        reason: StopReason,
        drive: &CheckedDrive<A>,
        limits: &Limits<'_>,
        start: Instant,
    ) -> Result<()> {
        if let Some((point, bound)) = self.passed_itself.take() {
            let threshold = limits.threshold(&point.x);
            let mut report = self.report(point.residual, threshold, StopReason::Converged, start);
            report.error_bound = bound;
            let equilibrium = Equilibrium::new(self.task.form, point.x, point.z, report);
            self.phase = Phase::Done(Box::new(Outcome::Equilibrium(equilibrium)));
            return Ok(());
        }
        if let Some(best) = self.best.take() {
            self.best = Some(Point::evaluate(self.task.game.neurons(), best.x, drive.z.clone()));
        }
        let best = self.best.as_ref().map_or(f64::INFINITY, |best| best.residual);
        let stop = match reason {
            StopReason::Stalled if self.best.as_ref().is_some_and(|best| self.is_noise(best, drive)) => {
                StopReason::PrecisionLimit
            }
            StopReason::Stalled if self.stage.guaranteed && best.is_finite() => {
                self.last_progress = self.iterations_of_stage;
                if let Some(best) = self.best.clone() {
                    return self.step(&best, limits, start);
                }
                reason
            }
            _ => reason,
        };
        let (rates, drive) = match self.best.take() {
            Some(best) => (best.x, best.z),
            None => (Array1::zeros(self.task.input.len()), self.task.input.clone()),
        };
        let threshold = limits.threshold(&rates);
        let last = match self.task.form {
            Form::FiringRate => rates,
            Form::Hopfield => drive,
        };
        let report = self.report(best, threshold, stop, start);
        self.phase = Phase::Done(Box::new(Outcome::NotConverged(NotConverged { last, report })));
        Ok(())
    }
}

/// The drive at a state in full precision; for synapses with the product that it is made of.
struct CheckedDrive<A> {
    z: Array1<A>,
    product: Option<CheckedProduct>,
}

impl<A: Scalar> CheckedDrive<A> {
    fn of_product(product: CheckedProduct, input: &Array1<A>) -> Self {
        let z = Array1::from_shape_fn(input.len(), |i| A::of(product.value[i] + input[i].to_double()));
        Self { z, product: Some(product) }
    }
}

/// `max |x_i - y_i|`; not finite if an entry of either is not.
fn distance<A: Scalar>(x: &Array1<A>, y: &Array1<A>) -> f64 {
    let mut largest = A::zero();
    for (x, y) in x.iter().zip(y) {
        let d = (*x - *y).abs();
        if !d.is_finite() {
            return f64::INFINITY;
        }
        largest = largest.max(d);
    }
    largest.to_double()
}

fn largest<A: Scalar>(x: &Array1<A>) -> f64 {
    x.iter().fold(A::zero(), |m, v| m.max(v.abs())).to_double()
}

fn for_each<T: Send>(items: &mut [&mut T], f: impl Fn(&mut T) -> Result<()> + Sync) -> Result<()> {
    #[cfg(feature = "rayon")]
    if items.len() > 1 {
        use rayon::prelude::*;
        return items.par_iter_mut().map(|item| f(item)).collect();
    }
    items.iter_mut().try_for_each(|item| f(item))
}
