//! Adaptive steps of an explicit Runge-Kutta pair with dense output: Dormand and Prince, "A family of embedded
//! Runge-Kutta formulae", J. Comput. Appl. Math. 6 (1980), with the continuous extension and the step control of
//! Hairer, Norsett and Wanner, *Solving Ordinary Differential Equations I*, II.4 to II.6.
//!
//! The pair is explicit, which suits these flows: every right-hand side costs one product by `W`, and their
//! stiffness is only the spread of the time constants.

use super::combination::{scaled_error, write_sum};
use crate::Scalar;

/// The right-hand side of `x' = f(t, x)`.
pub(super) trait Field<A> {
    /// Writes `f(t, x)` into `dx`.
    fn derivative(&self, t: A, x: &[A], dx: &mut [A]);

    /// Asked of a step that keeps the tolerances, from the state `x` at time `from` to the time `to`: a shorter step to
    /// try in its place, because of something between its stages that they did not see.
    fn shorter_step(&self, _from: A, _to: A, _x: &[A]) -> Option<A> {
        None
    }
}

/// How accurate every step has to be, and how long it may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepControl<A> {
    pub(super) relative: A,
    pub(super) absolute: A,
    pub(super) first_step: A,
    pub(super) longest_step: A,
}

impl<A: Scalar> StepControl<A> {
    /// Tolerances fine enough to tell a slow spiral from a cycle: 10^-4 of these, and 1e-10 at most, but rounding
    /// errors do not dominate.
    pub(super) fn refined(self) -> Self {
        let finest = A::of(100.0) * A::epsilon();
        let relative = (A::of(1e-4) * self.relative).min(A::of(1e-10)).max(finest).min(self.relative);
        Self { relative, absolute: self.absolute * (relative / self.relative), ..self }
    }
}

/// What became of one attempted step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    Accepted,
    Rejected,
    /// The step that the tolerances ask for no longer moves the time.
    TooShort,
    /// No step, however short, leads to finite numbers.
    NotFinite,
}

const STAGES: usize = 7;

/// Where within a step the stages are. The last one is at its end, and is the first of the next step.
pub(super) const NODES: [f64; STAGES] = [0.0, 1.0 / 5.0, 3.0 / 10.0, 4.0 / 5.0, 8.0 / 9.0, 1.0, 1.0];

/// Row `i`: how stage `i + 1` is made of those before it; the last row is the solution of order 5.
const WEIGHTS: [&[f64]; STAGES - 1] = [
    &[1.0 / 5.0],
    &[3.0 / 40.0, 9.0 / 40.0],
    &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
    &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
    &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
    &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
];

/// The difference of the solutions of orders 5 and 4.
const ERROR: [f64; STAGES] =
    [71.0 / 57600.0, 0.0, -71.0 / 16695.0, 71.0 / 1920.0, -17253.0 / 339200.0, 22.0 / 525.0, -1.0 / 40.0];

/// What the continuous extension of order 4 adds to the cubic through both ends, times `h s^2 (1 - s)^2`.
const DENSE: [f64; STAGES] = [
    -12715105075.0 / 11282082432.0,
    0.0,
    87487479700.0 / 32700410799.0,
    -10690763975.0 / 1880347072.0,
    701980252875.0 / 199316789632.0,
    -1453857185.0 / 822651844.0,
    69997945.0 / 29380423.0,
];

/// Step control by the last two errors (proportional and integral), and how far a step may change at once.
const SAFETY: f64 = 0.9;
const INTEGRAL: f64 = 0.04;
const PROPORTIONAL: f64 = 0.2 - 0.75 * INTEGRAL;
const MOST_SHRINKING: f64 = 0.2;
const MOST_GROWTH: f64 = 10.0;
/// After a step that leads to numbers that are not finite, which have no error to go by.
const OUT_OF_RANGE: f64 = 0.1;

/// A flow that advances step by step.
pub(super) struct Flow<'f, A> {
    field: &'f dyn Field<A>,
    control: StepControl<A>,
    t: A,
    x: Vec<A>,
    step: A,
    /// The step before: where it began, and the state there; its stages are still there until the next attempt.
    previous_t: A,
    previous_x: Vec<A>,
    stages: [Vec<A>; STAGES],
    argument: Vec<A>,
    /// Whether the last stage is that of an accepted step.
    accepted: bool,
    previous_error: A,
    /// Whether the last attempt was rejected: the step after it does not grow.
    rejected: bool,
    /// Whether the last attempt led to finite numbers.
    finite: bool,
}

impl<'f, A: Scalar> Flow<'f, A> {
    /// A flow from the state `x` at time `t`.
    pub(super) fn start(field: &'f dyn Field<A>, t: A, x: &[A], control: StepControl<A>) -> Self {
        let zeros = || vec![A::zero(); x.len()];
        let mut stages = std::array::from_fn(|_| zeros());
        field.derivative(t, x, &mut stages[0]);
        let finite = stages[0].iter().all(|dx| dx.is_finite());
        Self {
            field,
            control,
            t,
            x: x.to_vec(),
            step: control.first_step.min(control.longest_step),
            previous_t: t,
            previous_x: x.to_vec(),
            stages,
            argument: zeros(),
            accepted: false,
            previous_error: A::of(1e-4),
            rejected: false,
            finite,
        }
    }

    /// Tries one step that ends at `limit` at the latest.
    ///
    /// The last evaluation of the field in an accepted step is at the step's end, unless the field asks itself for
    /// more.
    pub(super) fn step(&mut self, limit: A) -> Attempt {
        if self.accepted {
            // The first stage is the last one of the step before.
            self.stages.swap(0, STAGES - 1);
            self.accepted = false;
        } else if !self.finite && self.stages[0].iter().any(|dx| !dx.is_finite()) {
            return Attempt::NotFinite;
        }
        let remaining = limit - self.t;
        // Stretching the last step by a tenth spares a sliver of a step behind it.
        let (h, end) =
            if self.step * A::of(1.1) >= remaining { (remaining, limit) } else { (self.step, self.t + self.step) };
        if end <= self.t || h <= A::zero() {
            return if self.finite { Attempt::TooShort } else { Attempt::NotFinite };
        }
        let error = self.try_stages(h, end);
        self.finite = error.is_finite();
        let had_rejected = std::mem::replace(&mut self.rejected, true);
        if !self.finite {
            self.step = h * A::of(OUT_OF_RANGE);
            return Attempt::Rejected;
        }
        let proportional = error.powf(A::of(PROPORTIONAL)) / A::of(SAFETY);
        if error > A::one() {
            self.step = h * proportional.recip().max(A::of(MOST_SHRINKING));
            return Attempt::Rejected;
        }
        if let Some(shorter) = self.field.shorter_step(self.t, end, &self.x) {
            self.step = shorter.min(h * A::of(SAFETY));
            return Attempt::Rejected;
        }
        let factor = self.previous_error.powf(A::of(INTEGRAL)) / proportional;
        let most = if had_rejected { A::one() } else { A::of(MOST_GROWTH) };
        self.step = (h * factor.max(A::of(MOST_SHRINKING)).min(most)).min(self.control.longest_step);
        self.rejected = false;
        self.previous_error = error.max(A::of(1e-4));
        (self.previous_t, self.t) = (self.t, end);
        // The argument of the last stage is the new state.
        std::mem::swap(&mut self.previous_x, &mut self.x);
        std::mem::swap(&mut self.x, &mut self.argument);
        self.accepted = true;
        Attempt::Accepted
    }

    /// Evaluates all stages but the first of a step of length `h`; returns the error in units of the tolerances.
    fn try_stages(&mut self, h: A, end: A) -> A {
        for (i, weights) in WEIGHTS.iter().enumerate() {
            write_sum(&mut self.argument, &terms(&self.x, h, weights, &self.stages));
            let t = if NODES[i + 1] == 1.0 { end } else { self.t + h * A::of(NODES[i + 1]) };
            self.field.derivative(t, &self.argument, &mut self.stages[i + 1]);
        }
        let errors = changes(h, &ERROR, &self.stages);
        scaled_error(&errors, &self.x, &self.argument, self.control.absolute, self.control.relative)
    }

    /// Makes no later step longer than this.
    pub(super) fn shorten(&mut self, longest_step: A) {
        self.control.longest_step = longest_step;
        self.step = self.step.min(longest_step);
    }

    /// The time reached.
    pub(super) fn time(&self) -> A {
        self.t
    }

    /// The time before the last accepted step.
    pub(super) fn previous_time(&self) -> A {
        self.previous_t
    }

    /// The state at [`time`](Self::time).
    pub(super) fn state(&self) -> &[A] {
        &self.x
    }

    /// The state at a time within the step that was accepted just now.
    pub(super) fn interpolate(&self, t: A) -> Vec<A> {
        debug_assert!(self.accepted, "the stages are those of another attempt");
        let h = self.t - self.previous_t;
        let s = (t - self.previous_t) / h;
        let rest = A::one() - s;
        let way = s * s * (A::of(3.0) - A::of(2.0) * s);
        let bump = (s * rest).powi(2);
        let mut of_stages = DENSE.map(|weight| bump * A::of(weight));
        of_stages[0] += s * rest * rest;
        of_stages[STAGES - 1] -= s * s * rest;
        let stages = of_stages.iter().zip(&self.stages).map(|(&c, stage)| (c * h, stage.as_slice()));
        let mut terms: Vec<_> = stages.collect();
        terms.extend([(A::one() - way, self.previous_x.as_slice()), (way, self.x.as_slice())]);
        let mut x = vec![A::zero(); self.x.len()];
        write_sum(&mut x, &terms);
        x
    }
}

/// The terms of `h sum_k weights_k stages_k + x`, without those that are 0. The state comes last, so that what it
/// rounds away is part of the sum and not of every term.
fn terms<'s, A: Scalar>(x: &'s [A], h: A, weights: &[f64], stages: &'s [Vec<A>]) -> Vec<(A, &'s [A])> {
    let mut terms = changes(h, weights, stages);
    terms.push((A::one(), x));
    terms
}

fn changes<'s, A: Scalar>(h: A, weights: &[f64], stages: &'s [Vec<A>]) -> Vec<(A, &'s [A])> {
    let present = weights.iter().zip(stages).filter(|(w, _)| **w != 0.0);
    present.map(|(&w, stage)| (h * A::of(w), stage.as_slice())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `x' = t^p`, of which an order of at least `p + 1` makes no error.
    struct Power(i32);

    impl Field<f64> for Power {
        fn derivative(&self, t: f64, _x: &[f64], dx: &mut [f64]) {
            dx[0] = t.powi(self.0);
        }
    }

    /// `x'' = -x`.
    struct Circle;

    impl Field<f64> for Circle {
        fn derivative(&self, _t: f64, x: &[f64], dx: &mut [f64]) {
            (dx[0], dx[1]) = (-x[1], x[0]);
        }
    }

    fn one_step<'f>(field: &'f dyn Field<f64>, t: f64, x: &[f64], h: f64) -> Flow<'f, f64> {
        let control = StepControl { relative: 1e300, absolute: 1e300, first_step: h, longest_step: h };
        let mut flow = Flow::start(field, t, x, control);
        assert_eq!(flow.step(f64::INFINITY), Attempt::Accepted);
        assert_eq!((flow.time(), flow.previous_time()), (t + h, t));
        flow
    }

    #[test]
    fn the_tableau_is_consistent() {
        for (i, row) in WEIGHTS.iter().enumerate() {
            assert!((row.iter().sum::<f64>() - NODES[i + 1]).abs() < 1e-14);
        }
        assert!(ERROR.iter().sum::<f64>().abs() < 1e-15 && DENSE.iter().sum::<f64>().abs() < 1e-14);
        // Both formulas are exact for the powers that their orders allow, and not for the next.
        let moment = |weights: &[f64], p: i32| weights.iter().zip(NODES).map(|(w, c)| w * c.powi(p)).sum::<f64>();
        for p in 0..5 {
            assert!((moment(WEIGHTS[5], p) - 1.0 / f64::from(p + 1)).abs() < 1e-14, "{p}");
            assert_eq!(moment(&ERROR, p).abs() < 1e-14, p < 4, "{p}");
        }
        assert!((moment(WEIGHTS[5], 5) - 1.0 / 6.0).abs() > 1e-5);
    }

    #[test]
    fn polynomials_within_the_orders_are_met_exactly() {
        for p in 0..=4 {
            let integral = |t: f64| t.powi(p + 1) / f64::from(p + 1);
            let field = Power(p);
            let flow = one_step(&field, 1.0, &[integral(1.0)], 2.0);
            assert!((flow.state()[0] - integral(3.0)).abs() < 1e-12, "{p}");
            if p <= 3 {
                for t in [1.0, 1.2, 1.7, 2.4, 2.9, 3.0] {
                    assert!((flow.interpolate(t)[0] - integral(t)).abs() < 1e-12, "{p} {t}");
                }
            }
        }
    }

    #[test]
    fn errors_fall_with_the_orders() {
        let errors = |h: f64| {
            let flow = one_step(&Circle, 0.0, &[1.0, 0.0], h);
            let gap = |x: &[f64], t: f64| (x[0] - t.cos()).hypot(x[1] - t.sin());
            let between = [0.2, 0.5, 0.7].map(|s| gap(&flow.interpolate(s * h), s * h)).into_iter().fold(0.0, f64::max);
            (gap(flow.state(), h), between)
        };
        for h in [0.4, 0.2] {
            let ((end, between), (half_end, half_between)) = (errors(h), errors(h / 2.0));
            // One step of order p is off by h^(p + 1).
            assert!((55.0..75.0).contains(&(end / half_end)), "{}", end / half_end);
            assert!((28.0..40.0).contains(&(between / half_between)), "{}", between / half_between);
        }
    }
}
