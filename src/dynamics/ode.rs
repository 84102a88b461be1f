//! The only door to the ODE library: one adaptive step of the Dormand-Prince 5(4) pair with dense output.
//!
//! The pair is explicit, which suits these flows: every right-hand side costs one product by `W`, and their
//! stiffness is only the spread of the time constants.

use std::cell::RefCell;

use differential_equations::error::Error as LibraryError;
use differential_equations::interpolate::Interpolation;
use differential_equations::methods::{DormandPrince, ExplicitRungeKutta, Ordinary};
use differential_equations::ode::{ODE, OrdinaryNumericalMethod};
use differential_equations::status::Status;
use differential_equations::traits::{Real, State};

use super::combination::Combination;

/// The right-hand side of `x' = f(t, x)`.
pub(crate) trait Field<A> {
    /// Writes `f(t, x)` into `dx`.
    fn derivative(&self, t: A, x: &[A], dx: &mut [A]);
}

/// How accurate every step has to be, and how long it may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepControl<A> {
    pub(crate) relative: A,
    pub(crate) absolute: A,
    pub(crate) first_step: A,
    pub(crate) longest_step: A,
}

/// What became of one attempted step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    Accepted,
    Rejected,
    /// The step that the tolerances ask for no longer moves the time.
    TooShort,
    /// No step, however short, leads to finite numbers.
    NotFinite,
}

/// A flow that advances step by step.
pub(crate) trait Stepper<A> {
    /// Tries one step that ends at `limit` at the latest.
    ///
    /// The last evaluation of the field in an accepted step is at the step's end.
    fn step(&mut self, limit: A) -> Attempt;
    /// Makes no later step longer than this.
    fn shorten(&mut self, longest_step: A);
    /// The time reached.
    fn time(&self) -> A;
    /// The time before the last accepted step.
    fn previous_time(&self) -> A;
    /// The state at [`time`](Self::time).
    fn state(&self) -> &[A];
    /// The state at a time within the last accepted step.
    fn interpolate(&mut self, t: A) -> Vec<A>;
}

/// Scalars that the ODE library can integrate.
pub trait Integrate: Sized {
    /// A flow from the state `x` at time `t`; its steps will end at `limit` at the latest.
    #[allow(private_interfaces)]
    fn flow<'f>(
        field: &'f dyn Field<Self>,
        t: Self,
        limit: Self,
        x: &[Self],
        control: StepControl<Self>,
    ) -> Box<dyn Stepper<Self> + 'f>;
}

macro_rules! integrate {
    ($scalar:ty) => {
        impl Integrate for $scalar {
            #[allow(private_interfaces)]
            fn flow<'f>(
                field: &'f dyn Field<Self>,
                t: Self,
                limit: Self,
                x: &[Self],
                control: StepControl<Self>,
            ) -> Box<dyn Stepper<Self> + 'f> {
                Box::new(Flow::<$scalar>::start(field, t, limit, x, control))
            }
        }
    };
}

integrate!(f32);
integrate!(f64);

type Method<T> = ExplicitRungeKutta<Ordinary, DormandPrince, T, Combination<T>, 5, 7, 7>;

struct Equation<'f, T: Real> {
    field: &'f dyn Field<T>,
    last: RefCell<Option<Evaluation<T>>>,
    /// What the field gave since the last step began, the same shared vectors as the library's own stages.
    stages: RefCell<Vec<Combination<T>>>,
}

/// The field at a time and a state.
struct Evaluation<T: Real> {
    t: T,
    x: Combination<T>,
    dx: Combination<T>,
}

impl<T: Real> ODE<T, Combination<T>> for Equation<'_, T> {
    /// The last stage of a step is at the step's end, where the library asks again: the pair is "first same as last".
    fn diff(&self, t: T, x: &Combination<T>, dx: &mut Combination<T>) {
        let mut last = self.last.borrow_mut();
        match &*last {
            Some(known) if known.t == t && known.x.is_same_sum(x) => dx.clone_from(&known.dx),
            _ => {
                dx.assign(|dx| self.field.derivative(t, x.values(), dx));
                self.stages.borrow_mut().push(dx.clone());
                *last = Some(Evaluation { t, x: x.clone(), dx: dx.clone() });
            }
        }
    }
}

/// The weights of the seven stages in the last term of the pair's continuous extension (Hairer, Norsett, Wanner, II.6).
const DENSE: [f64; 7] = [
    -12715105075.0 / 11282082432.0,
    0.0,
    87487479700.0 / 32700410799.0,
    -10690763975.0 / 1880347072.0,
    701980252875.0 / 199316789632.0,
    -1453857185.0 / 822651844.0,
    69997945.0 / 29380423.0,
];

struct Flow<'f, T: Real> {
    equation: Equation<'f, T>,
    method: Method<T>,
    /// The field where the next step begins: the first stage, which the pair does not evaluate again.
    first: Option<Combination<T>>,
    /// The seven stages of the last accepted step, or none.
    dense: Vec<Combination<T>>,
    control: StepControl<T>,
    limit: T,
    begun: bool,
}

impl<'f, T: Real> Flow<'f, T> {
    fn start(field: &'f dyn Field<T>, t: T, limit: T, x: &[T], control: StepControl<T>) -> Self {
        let equation = Equation { field, last: RefCell::new(None), stages: RefCell::default() };
        let mut flow =
            Self { equation, method: Method::dopri5(), first: None, dense: Vec::new(), control, limit, begun: false };
        flow.restart(t, Combination::of(x), control.first_step);
        flow
    }

    /// Starts afresh from a state: what the method remembers of earlier steps is forgotten.
    fn restart(&mut self, t: T, x: Combination<T>, step: T) {
        let step = step.min(self.control.longest_step).min(self.limit - t);
        self.method = Method::dopri5()
            .rtol(self.control.relative)
            .atol(self.control.absolute)
            .h0(step)
            .h_max(self.control.longest_step)
            .max_steps(usize::MAX);
        self.dense.clear();
        self.equation.stages.borrow_mut().clear();
        if self.method.init(&self.equation, t, self.limit, &x).is_err() {
            // The library refuses an empty span or a step of length zero; the first step then reports `TooShort`.
            self.method.set_h(T::zero());
        }
        self.method.set_status(Status::Solving);
        self.first = self.equation.last.borrow().as_ref().map(|last| last.dx.clone());
    }

    /// Whether the field gave finite numbers when it was last asked.
    fn is_finite(&self) -> bool {
        self.equation.last.borrow().as_ref().is_none_or(|last| last.dx.values().iter().all(|dx| dx.is_finite()))
    }

    /// Why there is no step that moves the time.
    fn no_step(&self) -> Attempt {
        if self.is_finite() { Attempt::TooShort } else { Attempt::NotFinite }
    }

    /// Keeps the stages of a step that was accepted.
    fn keep_stages(&mut self) {
        let mut stages = self.equation.stages.borrow_mut();
        self.dense.clear();
        if stages.len() + 1 == DENSE.len() {
            self.dense.extend(self.first.take());
            self.dense.append(&mut stages);
        }
        self.first = self.equation.last.borrow().as_ref().map(|last| last.dx.clone());
    }
}

impl<T: Real> Stepper<T> for Flow<'_, T> {
    fn step(&mut self, limit: T) -> Attempt {
        let (t, h) = (self.method.t(), self.method.h());
        let remaining = limit - t;
        // Stretching the last step by a tenth spares a sliver of a step behind it.
        if h * T::from_subset(&1.1) >= remaining {
            self.method.set_h(remaining);
        }
        let moves = t + self.method.h() > t;
        if !moves || !self.begun && !self.is_finite() {
            return self.no_step();
        }
        self.begun = true;
        self.equation.stages.borrow_mut().clear();
        match self.method.step(&self.equation) {
            Ok(_) if matches!(self.method.status(), Status::RejectedStep) => Attempt::Rejected,
            Ok(_) => {
                self.keep_stages();
                Attempt::Accepted
            }
            Err(LibraryError::Stiffness { t, y }) => {
                // Stiffness costs steps, not correctness: the user's step limit decides how long to go on.
                let h = self.method.h();
                self.restart(t, y, h);
                Attempt::Rejected
            }
            Err(_) => self.no_step(),
        }
    }

    fn shorten(&mut self, longest_step: T) {
        self.control.longest_step = longest_step;
        self.method.h_max = longest_step;
        self.method.set_h(self.method.h().min(longest_step));
    }

    fn time(&self) -> T {
        self.method.t()
    }

    fn previous_time(&self) -> T {
        self.method.t_prev()
    }

    fn state(&self) -> &[T] {
        self.method.y().values()
    }

    /// Version 0.7.0 of the library leaves the last term of the continuous extension zero (it keeps its weights in a row
    /// that it does not read), which makes it a cubic; the term is added here.
    fn interpolate(&mut self, t: T) -> Vec<T> {
        let Ok(mut x) = self.method.interpolate(t) else { return self.state().to_vec() };
        let from = self.method.t_prev();
        let h = self.method.t() - from;
        let s = (t - from) / h;
        let bump = h * (s * (T::one() - s)).powi(2);
        for (weight, stage) in DENSE.iter().zip(&self.dense) {
            x.add_scaled(bump * T::from_subset(weight), stage);
        }
        x.values().to_vec()
    }
}
