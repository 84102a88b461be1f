//! Has the state come to rest, or only grown so large that its pace looks small?

use crate::Scalar;

/// Judges the residual of a run, how far the neurons are from where they are driven, against the size of its state.
///
/// A residual within the tolerance of the size is not enough: a rate that rises for ever at a constant pace meets that
/// once it is large. So a state larger than 1 is at rest only when its residual has also fallen to a half of what it was
/// when it first came within the tolerance, counted anew whenever the state has doubled.
#[derive(Debug)]
pub(super) struct Rest<A> {
    tolerance: A,
    /// The size at the start or when it had last doubled, and the largest residual since.
    since: Option<(A, A)>,
    /// The residual when it came within the tolerance.
    entry: Option<A>,
}

/// What the residual says of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Moving,
    AtRest,
    /// The state has outgrown the pace at which it grows: adding it to the state no longer changes the state.
    Lost,
}

impl<A: Scalar> Rest<A> {
    pub(super) fn new(tolerance: A) -> Self {
        Self { tolerance, since: None, entry: None }
    }

    /// Sees the next residual, and the size `max(1, max_i |x_i|)` of the state.
    pub(super) fn see(&mut self, residual: A, size: A) -> Verdict {
        let is_first = self.since.is_none();
        let (mut start, mut largest) = self.since.unwrap_or((size, residual));
        let doubled = size > A::of(2.0) * start;
        if doubled && largest.max(residual) <= A::of(4.0) * A::epsilon() * size {
            return Verdict::Lost;
        }
        // Where rounding hides whether the residual still falls, it must have fallen before, or have been there at first.
        let hidden = residual <= A::of(1000.0) * A::epsilon() * size;
        let had_fallen = is_first || residual <= largest / A::of(2.0);
        if doubled {
            (start, largest, self.entry) = (size, residual, None);
        }
        self.since = Some((start, largest.max(residual)));
        let within = residual <= self.tolerance * size;
        if !within {
            self.entry = None;
            return Verdict::Moving;
        }
        let entry = *self.entry.get_or_insert(residual);
        let at_rest = size <= A::one() || hidden && had_fallen || residual <= entry / A::of(2.0);
        if at_rest { Verdict::AtRest } else { Verdict::Moving }
    }
}

/// Notices that a flow near rest no longer comes closer to it.
///
/// An explicit method whose steps only the error estimate limits rides at the edge of its stability, where its errors
/// feed the fast modes as quickly as they decay: the residual stays at the integration tolerance times the fastest rate.
/// Half the steps, and everything decays.
#[derive(Debug)]
pub(super) struct Stagnation<A> {
    tolerance: A,
    /// The least residual before the present stretch of steps, and in it.
    before: A,
    least: A,
    steps: usize,
    began: A,
}

/// Steps over which the residual must have fallen by a hundredth.
const STRETCH: usize = 100;

/// Residuals above this many tolerances are not near rest.
const NEAR: f64 = 1000.0;

impl<A: Scalar> Stagnation<A> {
    pub(super) fn new(tolerance: A, t: A) -> Self {
        Self { tolerance, before: A::infinity(), least: A::infinity(), steps: 0, began: t }
    }

    /// Sees the residual after a step to time `t`; returns the longest step to allow from here, if a shorter one may help.
    pub(super) fn see(&mut self, t: A, residual: A, size: A, longest_step: A) -> Option<A> {
        self.steps += 1;
        self.least = self.least.min(residual);
        if self.steps < STRETCH {
            return None;
        }
        let mean = (t - self.began) / A::of(STRETCH as f64);
        let stuck = self.least > A::of(0.99) * self.before && self.least <= A::of(NEAR) * self.tolerance * size;
        (self.steps, self.began) = (0, t);
        self.before = self.before.min(self.least);
        self.least = A::infinity();
        // Steps that are as long as they may be are not at the edge of stability.
        (stuck && mean < A::of(0.9) * longest_step).then(|| mean / A::of(2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(tolerance: f64, seen: impl IntoIterator<Item = (f64, f64)>) -> (usize, Verdict) {
        let mut rest = Rest::new(tolerance);
        let mut last = (0, Verdict::Moving);
        for (k, (residual, size)) in seen.into_iter().enumerate() {
            last = (k, rest.see(residual, size));
            if last.1 != Verdict::Moving {
                break;
            }
        }
        last
    }

    #[test]
    fn a_falling_residual_comes_to_rest_and_a_constant_one_never() {
        let falling = |size: f64| (0..).map(move |k| (size * 0.5f64.powi(k), size));
        assert_eq!(verdict(1e-3, falling(1.0)), (10, Verdict::AtRest));
        assert_eq!(verdict(1e-3, falling(50.0)), (11, Verdict::AtRest));
        let rising = (0..100_000).map(|k| (1.0, f64::from(k).max(1.0)));
        assert_eq!(verdict(1e-3, rising).1, Verdict::Moving);
        // Ten times as large with every step, until the pace is lost in rounding.
        let fast = (0..30).map(|k| (1.0, 10f64.powi(k)));
        assert_eq!(verdict(1e-3, fast), (16, Verdict::Lost));
    }

    #[test]
    fn rest_at_the_start_is_rest() {
        assert_eq!(verdict(1e-9, [(0.0, 1e6)]), (0, Verdict::AtRest));
        assert_eq!(verdict(1e-9, [(1e-9, 1e6)]), (0, Verdict::AtRest));
        assert_eq!(verdict(1e-9, [(1e-5, 1e6), (9e-6, 1e6), (4e-6, 1e6)]), (2, Verdict::AtRest));
        // A jump onto the equilibrium.
        assert_eq!(verdict(1e-9, [(5.0, 1.0), (0.0, 5.0)]), (1, Verdict::AtRest));
    }
}
