//! Has the state come back to where it was?

use super::field::larger;
use super::ode::StepControl;
use crate::Scalar;

/// Finds periods of a flow by its returns to a plane through an earlier state (a Poincare section).
///
/// The plane passes through an anchor, at right angles to the velocity there; the anchor moves on at step numbers
/// that double each time (Brent), so that any transient is left behind. The flow may have a cycle once several
/// returns meet the plane at the anchor, compared with how far the state went in between, and the returns seem to have
/// nowhere else to go: their steps from one to the next are within the integration error, or shrink so fast that what
/// is left of them is short.
///
/// That is a suspicion: a spiral may lose less per turn than the integration errs. It is confirmed by following the
/// flow once more from there, with a tolerance so much finer that a slow spiral shows; see [`Returns::confirming`].
#[derive(Debug)]
pub(super) struct Returns<A> {
    anchor: Vec<A>,
    velocity: Vec<A>,
    anchored_at: A,
    /// Steps since the anchor was set, and after how many it moves on.
    age: usize,
    lifetime: usize,
    side: A,
    farthest: A,
    hits: usize,
    last_hit: A,
    /// The last point on the plane near the anchor.
    point: Vec<A>,
    ways: Ways<A>,
    tolerance: A,
    accuracy: Accuracy<A>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A period that shows is a suspicion.
    Suspecting,
    /// The anchor stays, and what is left of the ways must be shorter.
    Confirming,
    /// Only the time until the next return is still to be measured.
    Measuring,
}

/// How long the last three ways from one return to the next were.
#[derive(Debug, Clone, Copy)]
struct Ways<A>([A; 3]);

impl<A: Scalar> Ways<A> {
    fn none() -> Self {
        Self([A::infinity(); 3])
    }

    fn push(&mut self, way: A) {
        self.0 = [self.0[1], self.0[2], way];
    }

    /// How far the returns still go, for ways known up to `noise`: nowhere if the last one is within the noise, and
    /// else the sum of a geometric series if they shrink, each as before or faster. Infinite before there are three.
    fn left(&self, noise: A) -> A {
        let [first, second, last] = self.0;
        if first.is_infinite() {
            return first;
        }
        if last <= noise {
            return A::zero();
        }
        // From above, so that noise does not pass for shrinking.
        let ratio = |next: A, before: A| if before > noise { (next + noise) / (before - noise) } else { A::infinity() };
        let ratio = ratio(last, second).max(ratio(second, first));
        if ratio < A::one() { last * ratio / (A::one() - ratio) } else { A::infinity() }
    }
}

/// What the integration allows in one step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accuracy<A> {
    relative: A,
    absolute: A,
}

impl<A: Scalar> Accuracy<A> {
    pub(super) fn of(control: &StepControl<A>) -> Self {
        Self { relative: control.relative, absolute: control.absolute }
    }

    /// The largest error of an entry in one step: the tolerance is of the root mean square.
    fn of_one_step(&self, x: &[A]) -> A {
        let size = x.iter().map(|x| x.abs()).fold(A::zero(), larger);
        A::of(x.len() as f64).sqrt() * (self.absolute + self.relative * size)
    }
}

/// A cycle must be larger than this many errors of a step: rounding and the noise of an integration also come back.
const VISIBLE: f64 = 100.0;

/// How many returns make a cycle: a slowly decaying spiral passes close by once, not every time.
const RETURNS: usize = 3;

/// The part of what counts as near that may be left of the ways of a cycle: whatever returns within its period, however
/// the ways alternate, is then seen to.
const LEFT: f64 = 0.25;

impl<A: Scalar> Returns<A> {
    /// `tolerance` is relative to the farthest distance from the anchor.
    pub(super) fn new(tolerance: A, accuracy: Accuracy<A>) -> Self {
        Self {
            anchor: Vec::new(),
            velocity: Vec::new(),
            anchored_at: A::zero(),
            age: 0,
            lifetime: 32,
            side: A::zero(),
            farthest: A::zero(),
            hits: 0,
            last_hit: A::zero(),
            point: Vec::new(),
            ways: Ways::none(),
            tolerance,
            accuracy,
            stage: Stage::Suspecting,
        }
    }

    /// Returns whose first anchor stays, for a flow integrated with `accuracy`: the period that they find is confirmed,
    /// and the least one.
    pub(super) fn confirming(tolerance: A, accuracy: Accuracy<A>) -> Self {
        Self { lifetime: usize::MAX, stage: Stage::Confirming, ..Self::new(tolerance, accuracy) }
    }

    /// Moves the anchor on at the next step, after a suspicion that was not confirmed.
    pub(super) fn dismiss(&mut self) {
        self.age = self.lifetime;
    }

    /// Sees the state `x` at time `t` after a step from `from`; `at` gives the state at times in between. Returns the
    /// period once there is one.
    pub(super) fn see(&mut self, from: A, t: A, x: &[A], mut at: impl FnMut(A) -> Vec<A>) -> Option<A> {
        if self.anchor.is_empty() || self.age >= self.lifetime {
            self.drop_anchor(t, x, at(from));
            return None;
        }
        self.age += 1;
        self.farthest = self.farthest.max(distance(x, &self.anchor));
        let side = self.side_of(x);
        let crossed = self.side < A::zero() && side >= A::zero();
        self.side = side;
        if !crossed {
            return None;
        }
        let (time, state) = self.crossing(from, t, at);
        let near = self.tolerance * self.farthest;
        if distance(&state, &self.anchor) > near {
            return None;
        }
        if self.stage == Stage::Measuring {
            return Some(time - self.last_hit);
        }
        self.hits += 1;
        let before = if self.hits == 1 { &self.anchor } else { &self.point };
        self.ways.push(distance(&state, before));
        let period = if self.hits == 1 { time - self.anchored_at } else { time - self.last_hit };
        self.last_hit = time;
        let step_error = self.accuracy.of_one_step(&state);
        let noise = step_error * A::of(self.age as f64) / A::of(self.hits as f64);
        self.point = state;
        let visible = self.farthest > A::of(VISIBLE) * step_error;
        let settled = match self.stage {
            Stage::Suspecting => self.ways.left(noise) <= near || self.ways.left(A::zero()) <= near,
            _ => self.ways.left(noise) <= A::of(LEFT) * near,
        };
        if self.hits < RETURNS || !visible || !settled {
            return None;
        }
        if self.stage == Stage::Confirming {
            self.anchor.clone_from(&self.point);
            self.stage = Stage::Measuring;
            return None;
        }
        Some(period)
    }

    fn drop_anchor(&mut self, t: A, x: &[A], before: Vec<A>) {
        self.lifetime = if self.anchor.is_empty() { self.lifetime } else { self.lifetime.saturating_mul(2) };
        self.velocity = x.iter().zip(&before).map(|(&a, &b)| a - b).collect();
        self.anchor = x.to_vec();
        self.anchored_at = t;
        (self.age, self.hits) = (0, 0);
        self.ways = Ways::none();
        (self.side, self.farthest) = (A::zero(), A::zero());
    }

    fn side_of(&self, x: &[A]) -> A {
        x.iter().zip(&self.anchor).zip(&self.velocity).map(|((&x, &a), &v)| (x - a) * v).sum()
    }

    /// Bisects for the time at which the step from `from` to `to` passes the plane.
    fn crossing(&self, mut from: A, mut to: A, mut at: impl FnMut(A) -> Vec<A>) -> (A, Vec<A>) {
        let mut state = at(to);
        loop {
            let middle = from + (to - from) / A::of(2.0);
            if middle <= from || middle >= to {
                return (to, state);
            }
            let candidate = at(middle);
            if self.side_of(&candidate) >= A::zero() {
                (to, state) = (middle, candidate);
            } else {
                from = middle;
            }
        }
    }
}

/// Finds the least period of a map `x_{k+1} = G(x_k)`, which has no memory but its state, with two stored states.
///
/// A state that comes back to an earlier one (Brent) is watched: its next returns, as many rounds later each, must come
/// no nearer and go no farther than rounding explains, or ever less far. So neither a slow approach to a state of rest
/// that turns in every round nor a slow growth is a cycle. The first return of what has so settled tells the period.
#[derive(Debug)]
pub(super) struct Recurrence<A> {
    anchor: Vec<A>,
    age: usize,
    lifetime: usize,
    farthest: A,
    tolerance: A,
    watched: Option<Watched<A>>,
}

/// A state that has come back after some number of rounds.
#[derive(Debug)]
struct Watched<A> {
    rounds: usize,
    point: Vec<A>,
    /// Rounds since the point.
    age: usize,
    ways: Ways<A>,
    near: A,
    settled: bool,
}

/// What one round may add to a state by rounding, in machine epsilons of its size.
const ROUNDING: f64 = 16.0;

impl<A: Scalar> Recurrence<A> {
    /// `tolerance` is relative to the farthest distance from the stored state.
    pub(super) fn new(tolerance: A) -> Self {
        Self { anchor: Vec::new(), age: 0, lifetime: 1, farthest: A::zero(), tolerance, watched: None }
    }

    /// Sees the next state; returns the period once it is sure.
    pub(super) fn see(&mut self, x: &[A]) -> Option<usize> {
        if let Some(watched) = &mut self.watched {
            return match watched.see(x) {
                Seen::Nothing => None,
                Seen::Period(rounds) => Some(rounds),
                Seen::Lost => {
                    self.drop_anchor(x);
                    None
                }
            };
        }
        if self.anchor.is_empty() || self.age >= self.lifetime {
            self.lifetime = if self.anchor.is_empty() { self.lifetime } else { 2 * self.lifetime };
            self.drop_anchor(x);
            return None;
        }
        self.age += 1;
        let back = distance(x, &self.anchor);
        self.farthest = self.farthest.max(back);
        let near = self.tolerance * self.farthest;
        if back <= near && self.age > 1 {
            let mut ways = Ways::none();
            ways.push(back);
            self.watched = Some(Watched { rounds: self.age, point: x.to_vec(), age: 0, ways, near, settled: false });
        }
        None
    }

    fn drop_anchor(&mut self, x: &[A]) {
        self.anchor = x.to_vec();
        (self.age, self.farthest) = (0, A::zero());
        self.watched = None;
    }
}

enum Seen {
    Nothing,
    Period(usize),
    Lost,
}

impl<A: Scalar> Watched<A> {
    fn see(&mut self, x: &[A]) -> Seen {
        self.age += 1;
        let is_due = self.age == self.rounds;
        if !is_due && !self.settled {
            return Seen::Nothing;
        }
        let way = distance(x, &self.point);
        let is_near = way <= self.near;
        if self.settled {
            return match (is_near, self.age) {
                // A state that stays is at rest.
                (true, 1) => Seen::Lost,
                (true, period) => Seen::Period(period),
                (false, _) if is_due => Seen::Lost,
                (false, _) => Seen::Nothing,
            };
        }
        if !is_near {
            return Seen::Lost;
        }
        self.ways.push(way);
        self.point.copy_from_slice(x);
        self.age = 0;
        let size = x.iter().map(|x| x.abs()).fold(A::zero(), larger);
        let noise = A::of(ROUNDING) * A::epsilon() * size;
        self.settled = self.ways.left(noise) <= A::of(LEFT) * self.near;
        Seen::Nothing
    }
}

fn distance<A: Scalar>(x: &[A], y: &[A]) -> A {
    x.iter().zip(y).map(|(&a, &b)| (a - b).abs()).fold(A::zero(), larger)
}
