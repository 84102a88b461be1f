//! Flows in time.

use ndarray::{ArrayBase, ArrayViewMut1, Data, Ix1, Ix2};

use super::course::{Course, Plan, arrived};
use super::field::{Features, Form, NetworkField};
use super::input::{Current, Input, increasing};
use super::ode::StepControl;
use super::record::{Players, Record, Sampling};
use super::run::{Run, require};
use super::trajectory::Trajectory;
#[cfg(doc)]
use super::trajectory::{Limit, StopReason};
use crate::Scalar;
use crate::check::finite;
use crate::error::{Error, Result};
use crate::game::NeuralGame;
use crate::network::{FiringRateNetwork, HopfieldNetwork};
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
    pub fn simulate<'a>(&self) -> Simulation<'a, A> {
        self.game().simulate()
    }
}

impl<A: Scalar> NeuralGame<A> {
    /// Starts a simulation of `T x' = -x + Phi(z(x, u(t)))`, the proximal pseudo-gradient flow of the game (theory 1.4, 1.8); for synapses,
    /// [`FiringRateNetwork::simulate`].
    pub fn simulate<'a>(&self) -> Simulation<'a, A> {
        Simulation::new(self.clone(), Form::FiringRate)
    }

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
    pub fn best_response_flow<'a>(&self) -> Simulation<'a, A> {
        Simulation::new(self.clone(), Form::BestResponse)
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
    pub fn simulate<'a>(&self) -> Simulation<'a, A> {
        Simulation::new(NeuralGame::of_circuit(self.circuit()), Form::Hopfield)
    }
}

/// Places within one step at which an input function is looked at, at most.
const MOST_PLACES: f64 = 1024.0;

/// A flow in time, from its initial state until a time, until rest, or until an observer stops it.
///
/// Everything is checked at [`run`](Run::run). Integration is by the Dormand-Prince 5(4) pair with dense output
/// (Hairer, Norsett, Wanner, *Solving Ordinary Differential Equations I*, II.5); the local error of neuron `i` is held
/// below `absolute + relative |x_i|` in the root mean square.
///
/// The pair is explicit: its steps are never much longer than the fastest time scale, so that time constants of 1e-5 and
/// 1 need about as many steps as their ratio. [`max_steps`](Run::max_steps) decides how long to go on.
///
/// The state is recorded after every step unless something else is asked for, `n` numbers each: 3000 neurons and
/// 100,000 steps take 2.4 GB in `f64`. [`record_ends`](Run::record_ends) and [`record_at`](Run::record_at) keep
/// less, and an [`observer`](Run::observer) sees every step without any record.
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
pub type Simulation<'a, A> = Run<'a, A, InTime<'a, A>>;

/// What [`Simulation`] has of its own.
pub struct InTime<'a, A: Scalar> {
    game: NeuralGame<A>,
    form: Form,
    start: A,
    end: Option<A>,
    rest: Option<A>,
    relative: Option<A>,
    absolute: Option<A>,
    longest_step: Option<A>,
    max_steps: usize,
    input: Input<'a, A>,
    shortest_feature: Option<A>,
    /// Whether the tolerance of cycles is the default, which follows the integration tolerance.
    usual_cycles: bool,
}

impl<'a, A: Scalar> Simulation<'a, A> {
    fn new(game: NeuralGame<A>, form: Form) -> Self {
        let kind = InTime {
            game,
            form,
            start: A::zero(),
            end: None,
            rest: None,
            relative: None,
            absolute: None,
            longest_step: None,
            max_steps: 100_000,
            input: Input::Constant,
            shortest_feature: None,
            usual_cycles: true,
        };
        Run::of(kind, A::epsilon().sqrt().sqrt())
    }

    /// The initial time; 0 if not given.
    pub fn from_time(mut self, start: A) -> Self {
        self.kind.start = start;
        self
    }

    /// Runs until this time at the latest.
    pub fn until(mut self, end: A) -> Self {
        self.kind.end = Some(end);
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
        self.kind.rest = Some(tolerance);
        self
    }

    /// Relative tolerance of the local error, between 4 machine epsilons and 0.1; 1e-6 if not given (1e-4 for `f32`).
    pub fn relative_tolerance(mut self, tolerance: A) -> Self {
        self.kind.relative = Some(tolerance);
        self
    }

    /// Absolute tolerance of the local error, above 0; a thousandth of the relative one if not given.
    pub fn absolute_tolerance(mut self, tolerance: A) -> Self {
        self.kind.absolute = Some(tolerance);
        self
    }

    /// The longest step, above 0; without limit if not given.
    pub fn longest_step(mut self, step: A) -> Self {
        self.kind.longest_step = Some(step);
        self
    }

    /// Stops after this number of attempted steps; 100,000 if not given.
    pub fn max_steps(mut self, steps: usize) -> Self {
        self.kind.max_steps = steps;
        self
    }

    /// How closely the state must return, relative to the size of its cycle, to count as a cycle in a run
    /// [until converged](Self::until_converged); `None` never looks for cycles. If not given, 10,000 times the relative
    /// integration tolerance, and at most the fourth root of the machine epsilon (1.2e-4, 0.019 for `f32`).
    ///
    /// Three returns in a row must be that close, and must not drift. That is found out by following the flow for a few
    /// more turns with a tolerance of at most 1e-10 (100 machine epsilons for `f32`), and at most 10^-4 of the relative
    /// one if that is above 100 machine epsilons: from one return to the next the state must move by no more than this
    /// finer tolerance times the steps of a turn, or by so much less each time that what is left is within a quarter of
    /// the tolerance of the cycle. So a slow spiral is not a cycle, unless it gains or loses less per turn than the
    /// finer integration may err, about 1e-8 of its size at worst in `f64`; nor is a loop smaller than about 100 errors
    /// of a step. The period is the least one, to the finer tolerance.
    pub fn cycle_tolerance(mut self, tolerance: Option<A>) -> Self {
        self.cycle_tolerance = tolerance;
        self.kind.usual_cycles = false;
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
        self.kind.input = Input::steps(times, values);
        self
    }

    /// An input `u(t)`: the function gets the time and writes all entries of the vector of shape `[n]`, which holds
    /// the values of the call before (0 at the first call). It should be continuous; a number that is not finite ends
    /// the run with an error that names the time. Takes the place of [`input_steps`](Self::input_steps) given before.
    ///
    /// No pulse is stepped over that lasts at least as long as the [`shortest_feature`](Self::shortest_feature), a
    /// tenth of the shortest time constant if not given. Where an input of shorter features is known to jump,
    /// `input_steps` meets the jumps exactly.
    pub fn input_function(mut self, input: impl Fn(A, ArrayViewMut1<'_, A>) + 'a) -> Self {
        self.kind.input = Input::Function(Box::new(input));
        self
    }

    /// The length of the shortest feature of the [input function](Self::input_function), above 0; a tenth of the
    /// shortest time constant if not given.
    ///
    /// The stages of a step see the input at six times, and a long step could pass over all that happens between them.
    /// So before a step is taken, the function is also asked at times no more than half of this length apart, and
    /// compared with the polynomial through what the stages saw. If the difference would move the neurons by more than
    /// the tolerance of a step, the step is tried again, no longer than up to there. Whatever lasts at least this long
    /// is asked about at least once, and usually twice. Of shorter features nothing is guaranteed.
    ///
    /// A step is at most 512 such lengths long, so that a run which asks for too much of this ends with
    /// [`Limit::Steps`]. Steps shorter than half of the length cost nothing more; longer ones cost one call of the
    /// function for every half of the length, and six more.
    pub fn shortest_feature(mut self, length: A) -> Self {
        self.kind.shortest_feature = Some(length);
        self
    }

    /// Records at these times, interpolated within the steps, instead of after every step. They must increase and lie
    /// between the initial and the final time. Takes the place of [`record_ends`](Self::record_ends) given before.
    pub fn record_at<S: Data<Elem = A>>(mut self, times: &ArrayBase<S, Ix1>) -> Self {
        self.sampling = Sampling::Times(times.to_vec());
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
        self.wishes.lyapunov = Some((certificate.clone(), Some(equilibrium.to_owned())));
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
        let InTime { game, form, start, rest, input, .. } = &self.kind;
        let current = Current::new(input, game.input());
        let field = NetworkField::new(game, *form, current, plan.features, rest.is_some());
        let players = Players::Neurons { game: game.clone(), potentials: *form == Form::Hopfield };
        let circuit = game.circuit();
        let record = Record::new(game.len(), players, circuit.as_ref(), std::mem::take(&mut self.wishes))?;
        let observer = self.observer.take();
        let mut course = Course::new(&field, &plan, record, &self.sampling, observer, *start);
        let stop = course.all_segments()?;
        Ok(course.finish(stop))
    }

    fn check(&self) -> Result<Plan<A>> {
        let n = self.kind.game.len();
        let initial = self.check_initial(n)?.to_vec();
        finite("from_time", self.kind.start)?;
        let end = match (self.kind.end, self.kind.rest) {
            (None, None) => {
                return Err(Error::invalid("until", "not given", "a final time, or `until_converged`"));
            }
            (None, Some(_)) => A::infinity(),
            (Some(end), _) => {
                finite("until", end)?;
                let allowed = format!("times above the initial time {} by more than rounding", self.kind.start);
                require("until", end, !arrived(self.kind.start, end), allowed)?;
                end
            }
        };
        let (relative, absolute) = self.check_tolerances()?;
        let usual = if self.kind.usual_cycles { A::of(1e4) * relative } else { A::infinity() };
        if let Some(step) = self.kind.longest_step {
            require("longest_step", step, step > A::zero(), "numbers above 0")?;
        }
        if self.kind.max_steps == 0 {
            return Err(Error::invalid("max_steps", 0, "at least 1"));
        }
        if let (Some(_), Some(_)) = (self.kind.rest, self.kind.input.function()) {
            let allowed = "constant or piecewise constant inputs";
            return Err(Error::invalid("until_converged", "given with an input function", allowed));
        }
        if let Sampling::Times(times) = &self.sampling {
            self.check_samples(times, end)?;
        }
        self.kind.input.check(n)?;
        let fastest = self.kind.game.time_constants().iter().copied().fold(A::infinity(), A::min);
        let features = self.check_features(fastest)?.map(|spacing| Features { spacing, relative, absolute });
        let longest_step = self.kind.longest_step.unwrap_or_else(A::infinity);
        let seen_through = features.map_or_else(A::infinity, |f| A::of(MOST_PLACES) * f.spacing);
        Ok(Plan {
            initial,
            segments: self.kind.input.segments(self.kind.start, end),
            control: StepControl {
                relative,
                absolute,
                first_step: fastest * A::of(0.01),
                longest_step: longest_step.min(seen_through),
            },
            features,
            rest: self.kind.rest,
            cycle_tolerance: self.cycle_tolerance.filter(|_| self.kind.rest.is_some()).map(|t| t.min(usual)),
            bound: self.divergence_bound,
            max_steps: self.kind.max_steps,
        })
    }

    fn check_tolerances(&self) -> Result<(A, A)> {
        let smallest = A::of(4.0) * A::epsilon();
        let mut default = A::of(1e-6).max(A::epsilon() * A::of(1000.0));
        if let Some(rest) = self.kind.rest {
            // The relative tolerance bounds it from below: the one given, or a hundredth of it.
            let least = if self.kind.relative.is_some() { A::of(10.0) * smallest } else { A::of(100.0) * smallest };
            let allowed = format!("numbers between {least} and 1");
            require("until_converged", rest, rest >= least && rest <= A::one(), allowed)?;
            default = default.min(rest / A::of(100.0));
        }
        let relative = self.kind.relative.unwrap_or(default);
        let largest = self.kind.rest.map_or(A::of(0.1), |rest| A::of(0.1) * rest);
        let allowed = format!("numbers between {smallest} and {largest}");
        require("relative_tolerance", relative, relative >= smallest && relative <= largest, allowed)?;
        let absolute = self.kind.absolute.unwrap_or(relative * A::of(1e-3));
        let largest = self.kind.rest.map_or(A::max_value(), |rest| A::of(0.1) * rest);
        let allowed = absolute > A::zero() && absolute <= largest;
        require("absolute_tolerance", absolute, allowed, format!("numbers above 0 and up to {largest}"))?;
        Ok((relative, absolute))
    }

    /// How far apart an input function may be looked at, if there is one.
    fn check_features(&self, fastest: A) -> Result<Option<A>> {
        if self.kind.input.function().is_none() {
            return match self.kind.shortest_feature {
                None => Ok(None),
                Some(_) => {
                    Err(Error::invalid("shortest_feature", "given without an input function", "an `input_function`"))
                }
            };
        }
        let length = self.kind.shortest_feature.unwrap_or(A::of(0.1) * fastest);
        let spacing = length / A::of(2.0);
        let allowed = spacing > A::zero() && spacing.is_finite();
        require("shortest_feature", length, allowed, "finite numbers above 0")?;
        Ok(Some(spacing))
    }

    fn check_samples(&self, times: &[A], end: A) -> Result<()> {
        increasing("record_at", times)?;
        match times.iter().find(|&&t| t < self.kind.start || t > end) {
            None => Ok(()),
            Some(t) => Err(Error::invalid("record_at", t, format!("times from {} to {end}", self.kind.start))),
        }
    }
}

impl<A: Scalar> std::fmt::Debug for Simulation<'_, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation")
            .field("form", &self.kind.form)
            .field("initial", &self.initial_given())
            .field("from_time", &self.kind.start)
            .field("until", &self.kind.end)
            .field("until_converged", &self.kind.rest)
            .field("input", &self.kind.input)
            .field("sampling", &self.sampling)
            .finish_non_exhaustive()
    }
}
