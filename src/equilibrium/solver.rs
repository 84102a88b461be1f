//! The builder: options, their checks, and the choice of methods.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, Axis, Data, Ix1, Ix2};

use super::anderson::AndersonIteration;
use super::drive::{Begin, Column, Iterate, Limits, Stage, Task, run};
use super::flow::FlowIteration;
use super::newton::NewtonIteration;
use super::precision::Precision;
use super::pseudo_transient::PseudoTransientIteration;
use super::report::{Equilibrium, Form, Outcome};
use super::splitting::{FACTORISED_BELOW, ForwardBackwardIteration, LinearResolvent, PeacemanRachfordIteration};
use super::support_enumeration::{SupportEnumerationIteration, is_cheap};
use super::{Anderson, Flow, Method, Metric, Observer, Progress, PseudoTransient, SupportEnumeration};
use crate::Scalar;
use crate::check::{finite_matrix, finite_vector};
use crate::error::{Error, Result};
use crate::game::NeuralGame;
use crate::network::WeightsView;
use crate::stability::NetworkCertificate;

/// Looks for equilibria of one network; made by `equilibrium()` of either form of a network, and of a
/// [`NeuralGame`](crate::game::NeuralGame) of any interaction. What is said here of `W x + u` holds for its drive `z(x, u)`, and of `W` for
/// the Jacobian of the drive; certificates, and what needs them, are for synapses.
///
/// All options are checked when the solve begins.
#[must_use]
pub struct EquilibriumSolver<'a, A: Scalar> {
    game: NeuralGame<A>,
    form: Form,
    initial: Initial<A>,
    method: Method,
    tolerance: f64,
    absolute_tolerance: Option<f64>,
    max_iterations: usize,
    time_limit: Option<Duration>,
    observer: Option<Arc<Observer>>,
    certificate: Option<&'a NetworkCertificate>,
    activation_accuracy: f64,
}

/// Where to start.
enum Initial<A> {
    Rest,
    Shared(Array1<A>),
    /// A column for each input.
    Each(Array2<A>),
}

impl<A> Initial<A> {
    fn of(&self, input: usize) -> Option<ArrayView1<'_, A>> {
        match self {
            Initial::Rest => None,
            Initial::Shared(state) => Some(state.view()),
            Initial::Each(states) => Some(states.column(input)),
        }
    }
}

/// Networks up to this size begin with Newton's method.
const NEWTON_FIRST: usize = 200;
/// Iterations without progress before a method that the user chose gives up.
const PATIENCE: usize = 500;
/// How long [`Method::Auto`] follows the flow, in steps times synapses, and at least.
const MOST_FLOW_PRODUCTS: usize = 400_000_000;
const LEAST_FLOW_STEPS: usize = 5_000;

impl<'a, A: Scalar> EquilibriumSolver<'a, A> {
    pub(crate) fn new(game: NeuralGame<A>, form: Form) -> Self {
        let unit = A::epsilon().to_double();
        Self {
            game,
            form,
            initial: Initial::Rest,
            method: Method::Auto,
            tolerance: (64.0 * unit).max(1e-12),
            absolute_tolerance: None,
            max_iterations: 100_000,
            time_limit: None,
            observer: None,
            certificate: None,
            activation_accuracy: 16.0 * unit,
        }
    }

    /// Where to start, shape `[n]`, for instance the equilibrium for a similar input: rates of a firing-rate network, potentials
    /// of a Hopfield network; one for all inputs. The rates 0 if not given.
    pub fn initial<S: Data<Elem = A>>(mut self, state: &ArrayBase<S, Ix1>) -> Self {
        self.initial = Initial::Shared(state.to_owned());
        self
    }

    /// Where to start for each of many inputs, shape `[n, m]`.
    pub fn initial_states<S: Data<Elem = A>>(mut self, states: &ArrayBase<S, Ix2>) -> Self {
        self.initial = Initial::Each(states.to_owned());
        self
    }

    /// The method; [`Method::Auto`] if not given.
    pub fn method(mut self, method: impl Into<Method>) -> Self {
        self.method = method.into();
        self
    }

    /// Converged when `max_i |x_i - phi_i((W x + u)_i)|` is at most this times `max_i |x_i|`, or at most the absolute
    /// tolerance. At least the machine epsilon and below 1; `1e-12` for `f64` and `7.6e-6` for `f32` if not given.
    pub fn tolerance(mut self, relative: f64) -> Self {
        self.tolerance = relative;
        self
    }

    /// The residual, in units of rate, that always counts as converged; equal to the relative tolerance (of a rate of 1)
    /// if not given. May be 0.
    pub fn absolute_tolerance(mut self, absolute: f64) -> Self {
        self.absolute_tolerance = Some(absolute);
        self
    }

    /// The limit on iterations, of all methods together, at least 1; 100,000 if not given.
    pub fn max_iterations(mut self, limit: usize) -> Self {
        self.max_iterations = limit;
        self
    }

    /// The limit on time; none if not given. The iteration that is under way is finished first.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// Called after every iteration; `ControlFlow::Break(())` ends the solve. With many inputs it is called from
    /// several threads, with [`Progress::column`] telling the input.
    pub fn observer(mut self, observer: impl Fn(&Progress) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// The certificate of this network, from its `certify()`: the report then says that the equilibrium is the only one and
    /// bounds the distance of the rates to it ([`SolveReport::error_bound`](super::SolveReport::error_bound)), for a Hopfield network
    /// also that of the potentials, the fast methods cannot fail, and the splitting methods can be used.
    ///
    /// A certificate of other weights or of smaller slopes is an error. The check is free for the network that was certified and
    /// for copies of it with another input; a network that was built anew reads its weights once, at its first use.
    pub fn certificate(mut self, certificate: &'a NetworkCertificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// The accuracy of computed activations that the error bound assumes,
    /// `|fl(phi(z)) - phi(z)| <= accuracy (|phi(z)| + rho |z|)`; 16 machine epsilons if not given. Below 1.
    pub fn activation_accuracy(mut self, accuracy: f64) -> Self {
        self.activation_accuracy = accuracy;
        self
    }

    /// The equilibrium for the network's input.
    ///
    /// # Errors
    /// Options that are not allowed, and [`Error::NotConverged`]; [`outcome`](Self::outcome) gives the last iterate and
    /// the report in that case.
    pub fn solve(self) -> Result<Equilibrium<A>> {
        self.outcome()?.into_equilibrium()
    }

    /// As [`solve`](Self::solve), but no convergence is an outcome instead of an error.
    ///
    /// # Errors
    /// Options that are not allowed.
    pub fn outcome(self) -> Result<Outcome<A>> {
        let input = self.game.input().to_owned().insert_axis(Axis(1));
        let mut outcomes = self.run(input)?;
        outcomes.pop().ok_or_else(|| Error::NoConvergence { what: "the solve".into() })
    }

    /// One outcome for each column of `inputs`, shape `[n, m]`, instead of the network's own input.
    ///
    /// All are solved in step: one matrix product by `W` serves all of them, factorisations that do not depend on the
    /// input are shared, and the rest runs in parallel.
    ///
    /// # Errors
    /// Options that are not allowed, a matrix of the wrong shape or with entries that are not finite.
    pub fn solve_inputs<S: Data<Elem = A>>(self, inputs: &ArrayBase<S, Ix2>) -> Result<Vec<Outcome<A>>> {
        matrix("inputs", inputs, self.game.len(), None)?;
        self.run(inputs.to_owned())
    }

    fn run(self, inputs: Array2<A>) -> Result<Vec<Outcome<A>>> {
        let (n, m) = inputs.dim();
        self.check(n, m)?;
        let metric = self.metric()?;
        let deadline = self.time_limit.and_then(|limit| Instant::now().checked_add(limit));
        let plan = Plan::new(&self.game, metric.as_ref(), self.method);
        let mut columns = Vec::with_capacity(m);
        for (k, input) in inputs.axis_iter(Axis(1)).enumerate() {
            let start = self.initial.of(k).map(|state| state.to_owned());
            let initial = start.clone().map(|state| self.rates_of(state));
            let task = Task {
                game: &self.game,
                form: self.form,
                input: input.to_owned(),
                metric: metric.as_ref(),
                start,
                deadline,
            };
            // Products for many inputs at once are bound by arithmetic, not by reading the weights.
            let precision = if m == 1 { Precision::mixed(&self.game) } else { Precision::full(&self.game) };
            columns.extend(Column::new(k, task, initial, precision, plan.stages()));
        }
        let limits = Limits {
            tolerance: self.tolerance,
            absolute_tolerance: self.absolute_tolerance.unwrap_or(self.tolerance),
            max_iterations: self.max_iterations,
            time_limit: self.time_limit,
            observer: self.observer.as_deref(),
            activation_accuracy: self.activation_accuracy,
        };
        run(&self.game, columns, &limits)
    }

    fn check(&self, n: usize, m: usize) -> Result<()> {
        let unit = A::epsilon().to_double();
        if !(self.tolerance >= unit && self.tolerance < 1.0) {
            return Err(Error::invalid("tolerance", self.tolerance, format!("numbers in [{unit:e}, 1)")));
        }
        if let Some(absolute) = self.absolute_tolerance
            && !(absolute >= 0.0 && absolute.is_finite())
        {
            return Err(Error::invalid("absolute_tolerance", absolute, "finite numbers, at least 0"));
        }
        if self.max_iterations == 0 {
            return Err(Error::invalid("max_iterations", 0, "at least 1"));
        }
        if !(self.activation_accuracy >= 0.0 && self.activation_accuracy < 1.0) {
            return Err(Error::invalid("activation_accuracy", self.activation_accuracy, "numbers in [0, 1)"));
        }
        self.method.check()?;
        if self.method.needs_certificate() && self.certificate.is_none() {
            return Err(Error::invalid(
                "certificate",
                "missing",
                "a certificate of this network, which splitting methods need",
            ));
        }
        match &self.initial {
            Initial::Rest => Ok(()),
            Initial::Shared(state) => finite_vector("initial", state.view(), n),
            Initial::Each(states) => matrix("initial_states", states, n, Some(m)),
        }
    }

    /// The rates that a state of the network's form stands for.
    fn rates_of(&self, mut state: Array1<A>) -> Array1<A> {
        if self.form == Form::Hopfield {
            self.game.neurons().activate(state.view_mut());
        }
        state
    }

    fn metric(&self) -> Result<Option<Metric<'a, A>>> {
        let Some(certificate) = self.certificate else { return Ok(None) };
        let Some(circuit) = self.game.circuit() else {
            let found = "given for an interaction other than synapses";
            return Err(Error::invalid("certificate", found, "the certificate of a network with these weights"));
        };
        certificate.fits(&circuit)?;
        Ok(Some(Metric::new(certificate)))
    }
}

/// The methods to try, in order, with what they share between inputs.
struct Plan<A: Scalar> {
    steps: Vec<Step>,
    /// Under a certificate all methods but the plain fixed point converge in the end.
    guaranteed: bool,
    resolvent: Option<Arc<LinearResolvent<A>>>,
}

/// One method of a plan, with its share of the iterations and of patience.
#[derive(Clone, Copy)]
struct Step {
    method: Method,
    budget: usize,
    patience: usize,
    begin: Begin,
}

impl Step {
    fn new(method: impl Into<Method>, budget: usize, patience: usize) -> Self {
        Self { method: method.into(), budget, patience, begin: Begin::Best }
    }

    /// A method that goes on until it finds something or knows itself that it cannot.
    fn last(method: impl Into<Method>) -> Self {
        Self::new(method, usize::MAX, usize::MAX)
    }

    fn beginning_at_the_start(self) -> Self {
        Self { begin: Begin::Start, ..self }
    }
}

impl<A: Scalar> Plan<A> {
    fn new(game: &NeuralGame<A>, metric: Option<&Metric<'_, A>>, method: Method) -> Self {
        let steps = match method {
            Method::Auto => automatic(game, metric.is_some()),
            Method::Flow(_) | Method::SupportEnumeration(_) => vec![Step::last(method)],
            chosen => vec![Step::new(chosen, usize::MAX, PATIENCE)],
        };
        let resolvent = match (method, metric, game.synapses()) {
            (Method::PeacemanRachford(m), Some(metric), Some(weights)) => {
                let alpha = m.step.unwrap_or_else(|| metric.splitting_step(weights));
                Some(Arc::new(LinearResolvent::new(weights, metric, alpha)))
            }
            _ => None,
        };
        Self { steps, guaranteed: metric.is_some(), resolvent }
    }

    fn stages(&self) -> Vec<Stage<A>> {
        let chosen = self.steps.len() == 1;
        let stage = |&Step { method, budget, patience, begin }: &Step| {
            let iterate: Box<dyn Iterate<A>> = match method {
                Method::Auto | Method::Newton(_) => Box::new(NewtonIteration::new()),
                Method::Anderson(m) => Box::new(AndersonIteration::new(m)),
                Method::FixedPoint(m) => Box::new(m),
                Method::ForwardBackward(m) => Box::new(ForwardBackwardIteration::new(m.step)),
                Method::PeacemanRachford(_) => Box::new(PeacemanRachfordIteration::new(self.resolvent.clone()?)),
                Method::PseudoTransient(m) => Box::new(PseudoTransientIteration::new(m)),
                Method::Flow(m) => Box::new(FlowIteration::new(m)),
                Method::SupportEnumeration(m) => Box::new(SupportEnumerationIteration::new(m, chosen)),
            };
            let sure = match method {
                Method::ForwardBackward(m) => m.step.is_none(),
                Method::Newton(_) | Method::Anderson(_) | Method::PeacemanRachford(_) => budget == usize::MAX,
                _ => false,
            };
            Some(Stage { iterate, budget, patience, guaranteed: sure && self.guaranteed, begin })
        };
        self.steps.iter().filter_map(stage).collect()
    }
}

/// The plan of [`Method::Auto`], which says what it is.
///
/// Small networks: a factorisation costs less than the products it saves. Under a certificate the last resort is the
/// guarded method that cannot fail. Without one, small networks begin with pseudo-transient continuation, since it
/// prefers the equilibrium that the flow goes to; the methods at the end begin where the solve began, for the same
/// reason.
fn automatic<A: Scalar>(game: &NeuralGame<A>, certified: bool) -> Vec<Step> {
    let n = game.len();
    let weights = game.synapses().map(|weights| weights.view());
    let dense = matches!(weights, Some(WeightsView::Dense(_)));
    let factorised = !dense || n <= FACTORISED_BELOW;
    let (newton, anderson, continuation) = (super::Newton::new(), Anderson::new(), PseudoTransient::new());
    if certified {
        let guarded = Step::new(if factorised { newton.into() } else { Method::from(anderson) }, usize::MAX, PATIENCE);
        return match n <= NEWTON_FIRST {
            true => vec![Step::new(newton, 100, 30), Step::new(anderson, 500, 100), guarded],
            false if factorised => vec![Step::new(anderson, 500, 100), Step::new(newton, 50, 20), guarded],
            false => vec![Step::new(anderson, 500, 100), guarded],
        };
    }
    let mut plan = Vec::new();
    if n <= NEWTON_FIRST {
        plan.push(Step::new(continuation, 300, 100));
        plan.push(Step::new(newton, 100, 30));
        plan.push(Step::new(anderson, 500, 100));
    } else {
        plan.push(Step::new(anderson, 500, 100));
        if factorised {
            plan.push(Step::new(continuation, 100, 50).beginning_at_the_start());
            plan.push(Step::new(newton, 50, 20));
        }
    }
    let synapses = match weights {
        Some(WeightsView::Dense(w)) => w.len(),
        Some(WeightsView::Sparse(w)) => w.nnz().max(1),
        None => n.saturating_mul(n),
    };
    let steps = (MOST_FLOW_PRODUCTS / synapses).clamp(LEAST_FLOW_STEPS, Flow::new().max_steps);
    plan.push(Step::last(Flow::new().max_steps(steps)).beginning_at_the_start());
    if is_cheap(game) {
        plan.push(Step::last(SupportEnumeration::new().max_branches(100_000)).beginning_at_the_start());
    }
    plan
}

fn matrix<A: Scalar, S: Data<Elem = A>>(
    argument: &str,
    x: &ArrayBase<S, Ix2>,
    n: usize,
    columns: Option<usize>,
) -> Result<()> {
    if x.nrows() != n || columns.is_some_and(|m| m != x.ncols()) {
        let expected = columns.map_or_else(|| format!("[{n}, any]"), |m| format!("[{n}, {m}]"));
        return Err(Error::shape(argument, expected, x.shape()));
    }
    finite_matrix(argument, x.view())
}

impl<A: Scalar> fmt::Debug for EquilibriumSolver<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EquilibriumSolver")
            .field("neurons", &self.game.len())
            .field("method", &self.method)
            .field("tolerance", &self.tolerance)
            .field("max_iterations", &self.max_iterations)
            .field("certified", &self.certificate.is_some())
            .finish_non_exhaustive()
    }
}
