//! Has the state come back to where it was?

use super::field::larger;
use crate::Scalar;

/// Finds periods of a flow by its returns to a plane through an earlier state (a Poincare section).
///
/// The plane passes through an anchor, at right angles to the velocity there; the anchor moves on at step numbers
/// that double each time (Brent), so that any transient is left behind. The flow has a cycle once several consecutive
/// returns meet the plane at the anchor, compared with how far the state went in between, and the returns have nowhere
/// else to go: their steps from one to the next are within the integration error, or shrink so fast that what is left of
/// them is short. A slow spiral, inward or outward, fails the last: its returns drift on at their pace.
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
    /// The last point on the plane, and how long the last two ways from one to the next were.
    point: Vec<A>,
    ways: [A; 2],
    tolerance: A,
    accuracy: Accuracy<A>,
}

/// What the integration allows in one step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accuracy<A> {
    pub(super) relative: A,
    pub(super) absolute: A,
}

impl<A: Scalar> Accuracy<A> {
    /// The largest error of an entry in one step: the tolerance is of the root mean square.
    fn of_one_step(&self, x: &[A]) -> A {
        let size = x.iter().map(|x| x.abs()).fold(A::zero(), larger);
        A::of(x.len() as f64).sqrt() * (self.absolute + self.relative * size)
    }
}

/// A cycle must be larger than this many errors of a step: rounding and the noise of an integration also come back.
const VISIBLE: f64 = 100.0;

/// How many consecutive returns make a cycle: a slowly decaying spiral passes close by once, not every time.
const RETURNS: usize = 3;

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
            ways: [A::infinity(); 2],
            tolerance,
            accuracy,
        }
    }

    /// Sees the state `x` at time `t` after a step from `from`; `at` gives the state at times in between. Returns the
    /// period once there is one.
    pub(super) fn see(&mut self, from: A, t: A, x: &[A], mut at: impl FnMut(A) -> Vec<A>) -> Option<A> {
        if self.anchor.is_empty() || self.age >= self.lifetime {
            return self.drop_anchor(t, x, at(from));
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
            self.hits = 0;
            self.ways = [A::infinity(); 2];
            return None;
        }
        self.hits += 1;
        let from = if self.hits == 1 { &self.anchor } else { &self.point };
        let way = distance(&state, from);
        let period = if self.hits == 1 { time - self.anchored_at } else { time - self.last_hit };
        self.last_hit = time;
        let step_error = self.accuracy.of_one_step(&state);
        let explained = step_error * A::of(self.age as f64) / A::of(self.hits as f64);
        let settled = way <= explained || self.left(way) <= near;
        self.ways = [self.ways[1], way];
        self.point = state;
        let visible = self.farthest > A::of(VISIBLE) * step_error;
        (self.hits >= RETURNS && visible && settled).then_some(period)
    }

    /// How far the returns still go if their ways shrink as before: a geometric series.
    fn left(&self, way: A) -> A {
        let ratio = (way / self.ways[1]).max(self.ways[1] / self.ways[0]);
        if ratio < A::one() { way * ratio / (A::one() - ratio) } else { A::infinity() }
    }

    fn drop_anchor(&mut self, t: A, x: &[A], before: Vec<A>) -> Option<A> {
        self.lifetime = if self.anchor.is_empty() { self.lifetime } else { 2 * self.lifetime };
        self.velocity = x.iter().zip(&before).map(|(&a, &b)| a - b).collect();
        self.anchor = x.to_vec();
        self.anchored_at = t;
        (self.age, self.hits) = (0, 0);
        self.ways = [A::infinity(); 2];
        (self.side, self.farthest) = (A::zero(), A::zero());
        None
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

/// Finds periods of a map `x_{k+1} = G(x_k)`, which has no memory but its state, with one stored state (Brent).
#[derive(Debug)]
pub(super) struct Recurrence<A> {
    anchor: Vec<A>,
    age: usize,
    lifetime: usize,
    farthest: A,
    tolerance: A,
}

impl<A: Scalar> Recurrence<A> {
    /// `tolerance` is relative to the farthest distance from the stored state.
    pub(super) fn new(tolerance: A) -> Self {
        Self { anchor: Vec::new(), age: 0, lifetime: 1, farthest: A::zero(), tolerance }
    }

    /// Sees the next state; returns the number of rounds since it was last there.
    pub(super) fn see(&mut self, x: &[A]) -> Option<usize> {
        if self.anchor.is_empty() || self.age >= self.lifetime {
            self.lifetime = if self.anchor.is_empty() { self.lifetime } else { 2 * self.lifetime };
            self.anchor = x.to_vec();
            (self.age, self.farthest) = (0, A::zero());
            return None;
        }
        self.age += 1;
        let back = distance(x, &self.anchor);
        self.farthest = self.farthest.max(back);
        (back <= self.tolerance * self.farthest && self.age > 1).then_some(self.age)
    }
}

fn distance<A: Scalar>(x: &[A], y: &[A]) -> A {
    x.iter().zip(y).map(|(&a, &b)| (a - b).abs()).fold(A::zero(), larger)
}
