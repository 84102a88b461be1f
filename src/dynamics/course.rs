//! A flow under way: steps, samples, and when to stop.

use ndarray::ArrayView1;

use super::cycle::{Accuracy, Returns};
use super::field::{Features, NetworkField, larger};
use super::input::Segment;
use super::ode::{Attempt, Flow, StepControl};
use super::record::{Counts, Record, Sampling};
use super::rest::{Rest, Stagnation, Verdict};
use super::run::Observer;
use super::trajectory::{Limit, Step, StopReason, Trajectory};
use crate::Scalar;
use crate::error::Result;

/// A simulation whose options have been checked.
pub(super) struct Plan<A> {
    pub(super) initial: Vec<A>,
    pub(super) segments: Vec<Segment<A>>,
    pub(super) control: StepControl<A>,
    pub(super) features: Option<Features<A>>,
    pub(super) rest: Option<A>,
    pub(super) cycle_tolerance: Option<A>,
    pub(super) bound: A,
    pub(super) max_steps: usize,
}

/// A simulation under way.
pub(super) struct Course<'r, 'a, A: Scalar> {
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

impl<'r, 'a, A: Scalar> Course<'r, 'a, A> {
    pub(super) fn new(
        field: &'r NetworkField<'r, A>,
        plan: &'r Plan<A>,
        record: Record<'r, A>,
        sampling: &'r Sampling<A>,
        observer: Option<Observer<'a, A>>,
        time: A,
    ) -> Self {
        let (counts, state) = (Counts::default(), plan.initial.clone());
        Self { field, plan, sampling, observer, record, sampled: 0, counts, time, state }
    }

    pub(super) fn all_segments(&mut self) -> Result<StopReason<A>> {
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
        let mut flow = Flow::start(self.field, segment.start, &self.state, self.plan.control);
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
            self.sample(&flow, reached)?;
            if let Some(stop) = self.judge(watch.as_mut(), &mut flow) {
                return Ok(Some(stop));
            }
            if reached {
                return Ok(None);
            }
        }
    }

    fn keep(&mut self) {
        self.record.push(self.time, &self.state, Some(self.field.input().value().view()));
    }

    /// Records what the last step passed; at the end of a segment the input jumps before the end is recorded.
    fn sample(&mut self, flow: &Flow<'_, A>, at_end: bool) -> Result<()> {
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
                    self.record.push(t, &x, Some(input.value().view()));
                    self.sampled += 1;
                }
            }
        }
        Ok(())
    }

    /// Whether the run ends here.
    fn judge(&mut self, watch: Option<&mut Watch<A>>, flow: &mut Flow<'_, A>) -> Option<StopReason<A>> {
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
        let returns = watch.returns.as_mut()?;
        let suspected = returns.see(from, flow.time(), &self.state, |t| flow.interpolate(t))?;
        let period = self.confirm_cycle(suspected);
        if period.is_none() {
            returns.dismiss();
        }
        period.map(|period| StopReason::CycleDetected { period })
    }

    /// Follows the flow from here for some turns of about the length `suspected`, with a tolerance so fine that a slow
    /// spiral shows; returns the period of a cycle.
    fn confirm_cycle(&self, suspected: A) -> Option<A> {
        const TURNS: f64 = 6.5;

        let tolerance = self.plan.cycle_tolerance?;
        let control = self.plan.control.refined();
        let mut returns = Returns::confirming(tolerance, Accuracy::of(&control));
        // The input does not change any more, so that the time may begin anew, where it is not rounded.
        let mut flow = Flow::start(self.field, A::zero(), &self.state, control);
        let end = suspected * A::of(TURNS);
        for _ in 0..self.plan.max_steps {
            match flow.step(A::infinity()) {
                Attempt::Rejected => continue,
                Attempt::TooShort | Attempt::NotFinite => return None,
                Attempt::Accepted => {}
            }
            let (from, to) = (flow.previous_time(), flow.time());
            let period = returns.see(from, to, flow.state(), |t| flow.interpolate(t));
            if period.is_some() || to > end {
                return period;
            }
        }
        None
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

    pub(super) fn finish(mut self, stop: StopReason<A>) -> Trajectory<A> {
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
        let StepControl { longest_step, .. } = plan.control;
        let accuracy = Accuracy::of(&plan.control);
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
pub(super) fn arrived<A: Scalar>(t: A, end: A) -> bool {
    t >= end || end.is_finite() && end - t <= A::of(8.0) * A::epsilon() * t.abs().max(end.abs())
}
