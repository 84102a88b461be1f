//! Flows in time.

use std::ops::ControlFlow;

use ndarray::{ArrayBase, ArrayView1, ArrayViewMut1, Data, Ix1, Ix2};

use super::cycle::{Accuracy, Returns};
use super::field::{Form, NetworkField, larger};
use super::input::{Current, Input, Segment, increasing};
use super::ode::{Attempt, StepControl, Stepper};
use super::options::{Observer, RunOptions, require, run_options};
use super::record::{Counts, Record, Sampling};
use super::rest::{Rest, Stagnation, Verdict};
use super::trajectory::{Limit, Step, StopReason, Trajectory};
use crate::Scalar;
use crate::check::finite;
use crate::error::{Error, Result};
use crate::game::Game;
use crate::network::{Circuit, FiringRateNetwork, HopfieldNetwork};
use crate::stability::NetworkCertificate;

impl<A: Scalar> FiringRateNetwork<A> {
    /// Starts a simulation of `T x' = -x + Phi(W x + u(t))`, the proximal pseudo-gradient flow of the game (theory
    /// 1.4).
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::network::FiringRateNetwork;
    ///
    /// let net = FiringRateNetwork::<f64>::builder(&array![[0.5, -1.0], [1.0, -0.5]])
    ///     .activation(Relu)
    ///     .input(&array![1.0, 0.0])
    ///     .build()?;
    /// let run = net.simulate().until_converged(1e-9).run()?;
    /// assert!(run.converged());
    /// // x_E = 0.5 x_E - x_I + 1 and x_I = x_E - 0.5 x_I
    /// assert!((run.final_state()[0] - 6.0 / 7.0).abs() < 1e-8);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn simulate(&self) -> Simulation<'_, A> {
        Simulation::new(&self.circuit, Form::FiringRate)
    }
}

impl<'a, A: Scalar> Game<'a, A> {
    /// Starts a simulation of continuous best-response dynamics `T x' = -x + BR(x)` under the input `u(t)` (theory 2.1).
    ///
    /// Where no neuron excites or inhibits itself this is the firing-rate flow. Where a neuron's own energy is not
    /// convex (`w_ii rho_i > 1`) its best response jumps, and the integration may end at a jump that it cannot leave
    /// with [`Limit::StepSize`].
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::network::FiringRateNetwork;
    ///
    /// let net = FiringRateNetwork::builder(array![[0.5, -1.0], [1.0, -0.5]])
    ///     .activation(Relu)
    ///     .input(&array![1.0, 0.0])
    ///     .build()?;
    /// let run = net.game().best_response_flow().until_converged(1e-9).record_exploitability().run()?;
    /// let left = run.exploitability().expect("asked for");
    /// assert!(left[0] > 0.5 && left[left.len() - 1] < 1e-12);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn best_response_flow(&self) -> Simulation<'a, A> {
        Simulation::new(&self.network().circuit, Form::BestResponse)
    }
}

impl<A: Scalar> HopfieldNetwork<A> {
    /// Starts a simulation of `T y' = -y + W Phi(y) + u(t)`; states are membrane potentials.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::network::HopfieldNetwork;
    ///
    /// let net = HopfieldNetwork::<f64>::builder(array![[0.0, -1.0], [1.0, 0.0]])
    ///     .activation(Relu)
    ///     .input(&array![1.0, 0.0])
    ///     .build()?;
    /// let run = net.simulate().until_converged(1e-9).run()?;
    /// // y_1 = 1 - max(0, y_2) and y_2 = max(0, y_1)
    /// assert!(run.converged() && (run.final_state()[0] - 0.5).abs() < 1e-8);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn simulate(&self) -> Simulation<'_, A> {
        Simulation::new(&self.circuit, Form::Hopfield)
    }
}

/// A flow in time, from its initial state until a time, until rest, or until an observer stops it.
///
/// Everything is checked at [`run`](Self::run). Integration is by the Dormand-Prince 5(4) pair with dense output
/// (Hairer, Norsett, Wanner, *Solving Ordinary Differential Equations I*, II.5); the local error of neuron `i` is held
/// below `absolute + relative |x_i|` in the root mean square.
///
/// The pair is explicit: its steps are never much longer than the fastest time scale, so that time constants of 1e-5 and
/// 1 need about as many steps as their ratio. [`max_steps`](Self::max_steps) decides how long to go on.
///
/// The state is recorded after every step unless something else is asked for, `n` numbers each: 3000 neurons and
/// 100,000 steps take 2.4 GB in `f64`. [`record_ends`](Self::record_ends) and [`record_at`](Self::record_at) keep
/// less, and an [`observer`](Self::observer) sees every step without any record.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use ndarray::array;
/// use neuronash::activation::Relu;
/// use neuronash::network::FiringRateNetwork;
///
/// let net = FiringRateNetwork::<f64>::builder(array![[0.0, -0.5], [0.5, 0.0]]).activation(Relu).build()?;
/// // A pulse into the first neuron from t = 1 to t = 2, seen at three times.
/// let pulse = net
///     .simulate()
///     .input_steps(&array![1.0, 2.0], &array![[1.0, 0.0], [0.0, 0.0]])
///     .until(10.0)
///     .record_at(&array![1.0, 2.0, 10.0])
///     .run()?;
/// assert_eq!(pulse.states().row(0), array![0.0, 0.0]);
/// assert!(pulse.states()[[1, 0]] > 0.5 && pulse.states()[[2, 0]] < 1e-3);
///
/// // An input that oscillates, until the first neuron has fired at 0.4 once.
/// let driven = net
///     .simulate()
///     .input_function(|t, mut u| u.assign(&array![t.sin(), 0.0]))
///     .until(100.0)
///     .record_ends()
///     .observer(|step| if step.state[0] > 0.4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
///     .run()?;
/// assert!(driven.final_state()[0] > 0.4 && driven.final_time() < 5.0);
/// assert_eq!(driven.times().len(), 2);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[must_use]
pub struct Simulation<'a, A> {
    circuit: &'a Circuit<A>,
    form: Form,
    start: A,
    end: Option<A>,
    rest: Option<A>,
    relative: Option<A>,
    absolute: Option<A>,
    longest_step: Option<A>,
    max_steps: usize,
    input: Input<'a, A>,
    options: RunOptions<'a, A>,
    /// Whether the tolerance of cycles is the default, which follows the integration tolerance.
    usual_cycles: bool,
}

run_options!(Simulation, "state", "step");

impl<'a, A: Scalar> Simulation<'a, A> {
    fn new(circuit: &'a Circuit<A>, form: Form) -> Self {
        Self {
            circuit,
            form,
            start: A::zero(),
            end: None,
            rest: None,
            relative: None,
            absolute: None,
            longest_step: None,
            max_steps: 100_000,
            input: Input::Constant,
            options: RunOptions::new(A::epsilon().sqrt().sqrt()),
            usual_cycles: true,
        }
    }

    /// The initial time; 0 if not given.
    pub fn from_time(mut self, start: A) -> Self {
        self.start = start;
        self
    }

    /// Runs until this time at the latest.
    pub fn until(mut self, end: A) -> Self {
        self.end = Some(end);
        self
    }

    /// Runs until the state is at rest, `max_i |tau_i x_i'| <= tolerance max(1, max_i |x_i|)` after the last jump of the
    /// input, or until it is found to cycle.
    ///
    /// A state above 1 in magnitude must besides be coming to rest: the left side, the residual, must have fallen to a
    /// half of what it was when the inequality first held, and again after every doubling of the state. Without that, a
    /// rate that rises for ever at a constant pace would seem at rest once it is large; it ends as
    /// [`StopReason::Diverged`] or at a limit. A drift slower than the tolerance in a state below 1 does count as rest.
    ///
    /// The integration tolerances must be at most a tenth of this one; not given, the relative one is a hundredth (1e-6 at
    /// most, 1e-4 for `f32`), and the tolerance itself must then be at least 400 machine epsilons. Near rest the steps of
    /// an explicit method are as long as its stability allows, and its errors may keep the residual above the tolerance: if the
    /// residual, at most 1000 tolerances, has not fallen over 100 steps, later steps are at most half as long as those
    /// were, which lets every mode decay.
    pub fn until_converged(mut self, tolerance: A) -> Self {
        self.rest = Some(tolerance);
        self
    }

    /// Relative tolerance of the local error, between 4 machine epsilons and 0.1; 1e-6 if not given (1e-4 for `f32`).
    pub fn relative_tolerance(mut self, tolerance: A) -> Self {
        self.relative = Some(tolerance);
        self
    }

    /// Absolute tolerance of the local error, above 0; a thousandth of the relative one if not given.
    pub fn absolute_tolerance(mut self, tolerance: A) -> Self {
        self.absolute = Some(tolerance);
        self
    }

    /// The longest step, above 0; without limit if not given.
    pub fn longest_step(mut self, step: A) -> Self {
        self.longest_step = Some(step);
        self
    }

    /// Stops after this number of attempted steps; 100,000 if not given.
    pub fn max_steps(mut self, steps: usize) -> Self {
        self.max_steps = steps;
        self
    }

    /// How closely the state must return, relative to the size of its cycle, to count as a cycle in a run
    /// [until converged](Self::until_converged); `None` never looks for cycles. If not given, 10,000 times the relative
    /// integration tolerance, and at most the fourth root of the machine epsilon (1.2e-4, 0.019 for `f32`).
    ///
    /// Three returns in a row must be that close, and must not drift: from one to the next the state moves by no more than
    /// the integration tolerance times the steps in between, or by so much less each time that what is left is within
    /// the tolerance of the cycle. So a slow spiral is not a cycle, unless it gains or loses less per turn than the integration
    /// may err; nor is a loop smaller than about 100 errors of a step.
    pub fn cycle_tolerance(mut self, tolerance: Option<A>) -> Self {
        self.options.cycle_tolerance = tolerance;
        self.usual_cycles = false;
        self
    }

    /// An input that jumps: row `k` of `values` (shape `[times, n]`) holds from `times[k]` until the next time; before
    /// the first time the network's own input holds. The integration restarts at every jump, and what is recorded
    /// at the time of a jump is under the input that holds from then on. Takes the place of an
    /// [`input_function`](Self::input_function) given before.
    pub fn input_steps<S, T>(mut self, times: &ArrayBase<S, Ix1>, values: &ArrayBase<T, Ix2>) -> Self
    where
        S: Data<Elem = A>,
        T: Data<Elem = A>,
    {
        self.input = Input::steps(times, values);
        self
    }

    /// An input `u(t)`: the function gets the time and writes all entries of the vector of shape `[n]`, which holds
    /// the values of the call before (0 at the first call). It should be continuous; a number that is not finite ends
    /// the run with an error that names the time. Takes the place of [`input_steps`](Self::input_steps) given before.
    pub fn input_function(mut self, input: impl Fn(A, ArrayViewMut1<'_, A>) + 'a) -> Self {
        self.input = Input::Function(Box::new(input));
        self
    }

    /// Records at these times, interpolated within the steps, instead of after every step. They must increase and lie
    /// between the initial and the final time. Takes the place of [`record_ends`](Self::record_ends) given before.
    pub fn record_at<S: Data<Elem = A>>(mut self, times: &ArrayBase<S, Ix1>) -> Self {
        self.options.sampling = Sampling::Times(times.to_vec());
        self
    }

    /// Records the Lyapunov function `V_H` of the certified Hopfield form about its equilibrium `y*`, shape `[n]`, at
    /// every sample.
    ///
    /// Any finite potentials are taken for `y*`; away from the equilibrium the values are still a distance between the two
    /// states, but need not fall along the flow.
    pub fn record_lyapunov_about<S: Data<Elem = A>>(
        mut self,
        certificate: &NetworkCertificate,
        equilibrium: &ArrayBase<S, Ix1>,
    ) -> Self {
        self.options.wishes.lyapunov = Some((certificate.clone(), Some(equilibrium.to_owned())));
        self
    }

    /// Runs the flow.
    ///
    /// # Errors
    /// An initial state, input or time that is not finite or has the wrong shape; tolerances, limits or times outside
    /// what their setters allow; neither [`until`](Self::until) nor [`until_converged`](Self::until_converged); an
    /// input function together with [`until_converged`](Self::until_converged), since nothing rests under an input
    /// that may change.
    pub fn run(mut self) -> Result<Trajectory<A>> {
        let plan = self.check()?;
        let input = Current::new(&self.input, &self.circuit.input);
        let field = NetworkField::new(self.circuit, self.form, input, self.rest.is_some());
        let mut run = Run {
            field: &field,
            record: Record::new(self.circuit, self.form == Form::Hopfield, std::mem::take(&mut self.options.wishes))?,
            counts: Counts::default(),
            sampling: &self.options.sampling,
            sampled: 0,
            observer: self.options.observer.take(),
            plan: &plan,
            state: plan.initial.clone(),
            time: self.start,
        };
        let stop = run.all_segments()?;
        Ok(run.finish(stop))
    }

    fn check(&self) -> Result<Plan<A>> {
        let n = self.circuit.len();
        let initial = self.options.check(n)?.to_vec();
        finite("from_time", self.start)?;
        let end = match (self.end, self.rest) {
            (None, None) => {
                return Err(Error::invalid("until", "not given", "a final time, or `until_converged`"));
            }
            (None, Some(_)) => A::infinity(),
            (Some(end), _) => {
                finite("until", end)?;
                let allowed = format!("times above the initial time {} by more than rounding", self.start);
                require("until", end, !arrived(self.start, end), allowed)?;
                end
            }
        };
        let (relative, absolute) = self.check_tolerances()?;
        let usual = if self.usual_cycles { A::of(1e4) * relative } else { A::infinity() };
        if let Some(step) = self.longest_step {
            require("longest_step", step, step > A::zero(), "numbers above 0")?;
        }
        if self.max_steps == 0 {
            return Err(Error::invalid("max_steps", 0, "at least 1"));
        }
        if let (Some(_), Some(_)) = (self.rest, self.input.function()) {
            let allowed = "constant or piecewise constant inputs";
            return Err(Error::invalid("until_converged", "given with an input function", allowed));
        }
        if let Sampling::Times(times) = &self.options.sampling {
            self.check_samples(times, end)?;
        }
        self.input.check(n)?;
        let fastest = self.circuit.time_constants.iter().copied().fold(A::infinity(), A::min);
        Ok(Plan {
            initial,
            segments: self.input.segments(self.start, end),
            control: StepControl {
                relative,
                absolute,
                first_step: fastest * A::of(0.01),
                longest_step: self.longest_step.unwrap_or_else(A::infinity),
            },
            rest: self.rest,
            cycle_tolerance: self.options.cycle_tolerance.filter(|_| self.rest.is_some()).map(|t| t.min(usual)),
            bound: self.options.divergence_bound,
            max_steps: self.max_steps,
        })
    }

    fn check_tolerances(&self) -> Result<(A, A)> {
        let smallest = A::of(4.0) * A::epsilon();
        let mut default = A::of(1e-6).max(A::epsilon() * A::of(1000.0));
        if let Some(rest) = self.rest {
            // The relative tolerance bounds it from below: the one given, or a hundredth of it.
            let least = if self.relative.is_some() { A::of(10.0) * smallest } else { A::of(100.0) * smallest };
            let allowed = format!("numbers between {least} and 1");
            require("until_converged", rest, rest >= least && rest <= A::one(), allowed)?;
            default = default.min(rest / A::of(100.0));
        }
        let relative = self.relative.unwrap_or(default);
        let largest = self.rest.map_or(A::of(0.1), |rest| A::of(0.1) * rest);
        let allowed = format!("numbers between {smallest} and {largest}");
        require("relative_tolerance", relative, relative >= smallest && relative <= largest, allowed)?;
        let absolute = self.absolute.unwrap_or(relative * A::of(1e-3));
        let largest = self.rest.map_or(A::max_value(), |rest| A::of(0.1) * rest);
        let allowed = absolute > A::zero() && absolute <= largest;
        require("absolute_tolerance", absolute, allowed, format!("numbers above 0 and up to {largest}"))?;
        Ok((relative, absolute))
    }

    fn check_samples(&self, times: &[A], end: A) -> Result<()> {
        increasing("record_at", times)?;
        match times.iter().find(|&&t| t < self.start || t > end) {
            None => Ok(()),
            Some(t) => Err(Error::invalid("record_at", t, format!("times from {} to {end}", self.start))),
        }
    }
}

impl<A: Scalar> std::fmt::Debug for Simulation<'_, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation")
            .field("form", &self.form)
            .field("initial", &self.options.initial)
            .field("from_time", &self.start)
            .field("until", &self.end)
            .field("until_converged", &self.rest)
            .field("input", &self.input)
            .field("sampling", &self.options.sampling)
            .finish_non_exhaustive()
    }
}

/// A simulation whose options have been checked.
struct Plan<A> {
    initial: Vec<A>,
    segments: Vec<Segment<A>>,
    control: StepControl<A>,
    rest: Option<A>,
    cycle_tolerance: Option<A>,
    bound: A,
    max_steps: usize,
}

/// A simulation under way.
struct Run<'r, 'a, A> {
    field: &'r NetworkField<'r, A>,
    plan: &'r Plan<A>,
    sampling: &'r Sampling<A>,
    observer: Option<Observer<'a, A>>,
    record: Record<'r, A>,
    /// How many of the sample times have passed.
    sampled: usize,
    counts: Counts,
    time: A,
    state: Vec<A>,
}

impl<A: Scalar> Run<'_, '_, A> {
    fn all_segments(&mut self) -> Result<StopReason<A>> {
        if let Some(stop) = self.begin()? {
            return Ok(stop);
        }
        let last = self.plan.segments.len() - 1;
        for (k, segment) in self.plan.segments.iter().enumerate() {
            if let Some(stop) = self.one_segment(segment, k == last)? {
                return Ok(stop);
            }
        }
        Ok(StopReason::TimeReached)
    }

    fn begin(&mut self) -> Result<Option<StopReason<A>>> {
        self.field.input().jump_to(self.time);
        self.field.input().move_to(self.time)?;
        match self.sampling {
            Sampling::Times(times) if times.first() != Some(&self.time) => {}
            Sampling::Times(_) => {
                self.sampled = 1;
                self.keep();
            }
            _ => self.keep(),
        }
        Ok(self.ask_observer())
    }

    fn one_segment(&mut self, segment: &Segment<A>, is_last: bool) -> Result<Option<StopReason<A>>> {
        self.field.input().jump_to(segment.start);
        let mut watch = Watch::new(self.plan, segment.start).filter(|_| is_last);
        if let Some(stop) = watch.as_mut().and_then(|watch| self.judge_rest(watch)) {
            return Ok(Some(stop));
        }
        let mut flow = A::flow(self.field, segment.start, segment.end, &self.state, self.plan.control);
        loop {
            if self.counts.steps + self.counts.rejected >= self.plan.max_steps {
                return Ok(Some(StopReason::LimitReached(Limit::Steps)));
            }
            let attempt = flow.step(segment.end);
            if let Some(fault) = self.field.take_fault() {
                return Err(fault);
            }
            match attempt {
                Attempt::Accepted => self.counts.steps += 1,
                Attempt::Rejected => {
                    self.counts.rejected += 1;
                    continue;
                }
                Attempt::TooShort => return Ok(Some(StopReason::LimitReached(Limit::StepSize))),
                Attempt::NotFinite => return Ok(Some(StopReason::Diverged)),
            }
            let reached = arrived(flow.time(), segment.end);
            self.time = if reached { segment.end } else { flow.time() };
            self.state.copy_from_slice(flow.state());
            self.sample(&mut *flow, reached)?;
            if let Some(stop) = self.judge(watch.as_mut(), &mut *flow) {
                return Ok(Some(stop));
            }
            if reached {
                return Ok(None);
            }
        }
    }

    fn keep(&mut self) {
        self.record.push(self.time, &self.state, self.field.input().value().view());
    }

    /// Records what the last step passed; at the end of a segment the input jumps before the end is recorded.
    fn sample(&mut self, flow: &mut dyn Stepper<A>, at_end: bool) -> Result<()> {
        let (input, time) = (self.field.input(), self.time);
        let jump = || {
            if at_end {
                input.jump_to(time);
            }
        };
        match self.sampling {
            Sampling::Ends => jump(),
            Sampling::Steps => {
                jump();
                self.keep();
            }
            Sampling::Times(times) => {
                while let Some(&t) = times.get(self.sampled).filter(|&&t| t <= self.time) {
                    let x = if t < flow.time() { flow.interpolate(t) } else { self.state.clone() };
                    if t >= self.time {
                        jump();
                    }
                    input.move_to(t)?;
                    self.record.push(t, &x, input.value().view());
                    self.sampled += 1;
                }
            }
        }
        Ok(())
    }

    /// Whether the run ends here.
    fn judge(&mut self, watch: Option<&mut Watch<A>>, flow: &mut dyn Stepper<A>) -> Option<StopReason<A>> {
        let size = self.size();
        if size.is_nan() || size > self.plan.bound {
            return Some(StopReason::Diverged);
        }
        if let Some(stop) = self.ask_observer() {
            return Some(stop);
        }
        let watch = watch?;
        if let Some(stop) = self.judge_rest(watch) {
            return Some(stop);
        }
        if let Some(step) = watch.stagnation.see(self.time, watch.residual, size, watch.longest_step) {
            watch.longest_step = step;
            flow.shorten(step);
        }
        let from = flow.previous_time();
        let period = watch.returns.as_mut()?.see(from, flow.time(), &self.state, |t| flow.interpolate(t))?;
        Some(StopReason::CycleDetected { period })
    }

    fn judge_rest(&self, watch: &mut Watch<A>) -> Option<StopReason<A>> {
        watch.residual = self.field.residual(self.time, &self.state);
        match watch.rest.see(watch.residual, self.size()) {
            Verdict::Moving => None,
            Verdict::AtRest => Some(StopReason::Converged),
            Verdict::Lost => Some(StopReason::Diverged),
        }
    }

    /// `max(1, max_i |x_i|)`, or NaN.
    fn size(&self) -> A {
        self.state.iter().map(|x| x.abs()).fold(A::one(), larger)
    }

    fn ask_observer(&mut self) -> Option<StopReason<A>> {
        let step = Step { number: self.counts.steps, time: self.time, state: ArrayView1::from(&self.state) };
        let told = self.observer.as_mut()?(&step);
        told.is_break().then_some(StopReason::Interrupted)
    }

    fn finish(mut self, stop: StopReason<A>) -> Trajectory<A> {
        let unseen = self.record.last_time() != Some(self.time);
        if unseen && !matches!(self.sampling, Sampling::Times(_)) {
            self.keep();
        }
        self.counts.evaluations = self.field.evaluations();
        self.record.finish(self.time, &self.state, stop, self.counts)
    }
}

/// What is watched after the last jump of the input in a run until rest.
struct Watch<A> {
    rest: Rest<A>,
    residual: A,
    stagnation: Stagnation<A>,
    longest_step: A,
    returns: Option<Returns<A>>,
}

impl<A: Scalar> Watch<A> {
    /// A watch from time `t`, if the plan asks for rest.
    fn new(plan: &Plan<A>, t: A) -> Option<Self> {
        let StepControl { relative, absolute, longest_step, .. } = plan.control;
        let accuracy = Accuracy { relative, absolute };
        plan.rest.map(|tolerance| Self {
            rest: Rest::new(tolerance),
            residual: A::infinity(),
            stagnation: Stagnation::new(tolerance, t),
            longest_step,
            returns: plan.cycle_tolerance.map(|tolerance| Returns::new(tolerance, accuracy)),
        })
    }
}

/// Whether a sum of steps has arrived at the time, up to rounding.
fn arrived<A: Scalar>(t: A, end: A) -> bool {
    t >= end || end.is_finite() && end - t <= A::of(8.0) * A::epsilon() * t.abs().max(end.abs())
}
