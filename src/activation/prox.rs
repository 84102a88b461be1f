//! The proximal operator of an activation cost, with any step.

use super::numeric::{farthest, outgrows_its_input, sign_change};
use super::{ActivationCost, Tail};
use crate::Scalar;

/// `argmin_s E_act(s) + (s - z)^2/(2 step)`, from the stationary points `s = phi(y)`,
/// `g(y) = step y - (step - 1) phi(y) - z = 0`.
pub(super) fn prox<A: Scalar, T: ActivationCost<A> + ?Sized>(activation: &T, z: A, step: A) -> A {
    let zero = A::zero();
    if z.is_nan() || !(step.is_finite() && step > zero) {
        return A::nan();
    }
    if step == A::one() {
        return activation.activate(z);
    }
    let problem = Problem { activation, z, step };
    let (low, high) = (A::neg_infinity(), A::infinity());
    if step < A::one() {
        // g increases.
        return activation.activate(sign_change(|y| problem.slope(y) >= zero, low, high));
    }
    if let Some(towards) = problem.unbounded() {
        return towards;
    }
    let sources = match activation.steepest_input() {
        Some(steepest) => problem.stationary_around(steepest),
        None => problem.stationary_on_grid(),
    };
    problem.best(sources.into_iter().map(|y| activation.activate(y)))
}

struct Problem<'a, A, T: ?Sized> {
    activation: &'a T,
    z: A,
    step: A,
}

impl<A: Scalar, T: ActivationCost<A> + ?Sized> Problem<'_, A, T> {
    /// `g(y)`, which has the sign of the objective's slope at `phi(y)`.
    fn slope(&self, y: A) -> A {
        self.step * y - (self.step - A::one()) * self.activation.activate(y) - self.z
    }

    /// The objective times `step`.
    fn objective(&self, s: A) -> A {
        let half = A::of(0.5);
        self.step * self.activation.potential(s) - (self.step - A::one()) * half * s * s - self.z * s
    }

    /// Where the objective falls for ever, if it does; for a step above 1.
    fn unbounded(&self) -> Option<A> {
        let growth = self.activation.growth();
        [(growth.upper, A::one()), (growth.lower, -A::one())]
            .into_iter()
            .find(|&(tail, outwards)| self.falls(tail, outwards))
            .map(|(_, outwards)| outwards * A::infinity())
    }

    /// Whether the objective falls for ever in the direction `outwards` (1 or -1): `g` has the wrong sign far out.
    fn falls(&self, tail: Tail<A>, outwards: A) -> bool {
        let (zero, excess) = (A::zero(), self.step - A::one());
        match tail {
            Tail::Bounded | Tail::Superquadratic => false,
            Tail::Subquadratic => true,
            Tail::Quadratic { slope, intercept } => {
                let rise = self.step - excess * slope;
                rise < zero || (rise == zero && outwards * (excess * intercept + self.z) > zero)
            }
            Tail::Unknown => farthest(|y| self.activation.activate(y), outwards).is_some_and(|far| {
                let most = A::max_value() / (A::of(16.0) * (A::one() + self.step));
                let far = far.max(-most).min(most);
                outgrows_its_input(|y| self.activation.activate(y), far) || outwards * self.slope(far) <= zero
            }),
        }
    }

    /// The sources of the local minima, for slopes of `phi` that rise up to `steepest` and fall beyond: one at most on
    /// either side of the stretch where `phi' > step/(step - 1)`, on which `g` falls.
    fn stationary_around(&self, steepest: A) -> Vec<A> {
        let zero = A::zero();
        let critical = self.step / (self.step - A::one());
        let (low, high) = (A::neg_infinity(), A::infinity());
        let falls = |y: A| self.activation.derivative(y) > critical;
        let left = sign_change(falls, low, steepest);
        // The slope at the steepest input itself may be the one on its left.
        let right = sign_change(|y| y > steepest && !falls(y), steepest, high);
        let mut sources = Vec::with_capacity(2);
        if self.slope(left) >= zero {
            sources.push(sign_change(|y| self.slope(y) >= zero, low, left));
        }
        if self.slope(right) <= zero {
            sources.push(sign_change(|y| self.slope(y) >= zero, right, high));
        }
        if sources.is_empty() {
            // Only if rounding has hidden a double root.
            sources.push(sign_change(|y| self.slope(y) >= zero, low, high));
        }
        sources
    }

    /// The sources of the local minima that a grid of ratio `2^{1/8}` around 0 tells apart.
    fn stationary_on_grid(&self) -> Vec<A> {
        let zero = A::zero();
        let sizes: Vec<A> = (-160..=320).map(|j| A::of(2f64.powf(f64::from(j) / 8.0))).collect();
        let mut grid = vec![A::neg_infinity()];
        grid.extend(sizes.iter().rev().map(|&y| -y));
        grid.push(zero);
        grid.extend(sizes);
        grid.push(A::infinity());
        let reached = |y: A| if y.is_infinite() { y > zero } else { self.slope(y) >= zero };
        grid.windows(2)
            .filter(|w| !reached(w[0]) && reached(w[1]))
            .map(|w| sign_change(|y| self.slope(y) >= zero, w[0], w[1]))
            .collect()
    }

    /// The best of the rates; of rates that are equally good to rounding the one of least magnitude, and of two opposite
    /// ones the positive one.
    fn best(&self, rates: impl Iterator<Item = A>) -> A {
        let valued = rates.map(|s| (s, self.objective(s)));
        let best = valued.reduce(|(s, f), (t, g)| {
            let size = |r: A| {
                (self.step * self.activation.potential(r)).abs() + (self.step - A::one()) * r * r + (self.z * r).abs()
            };
            let tie = (f - g).abs() <= A::of(16.0) * A::epsilon() * size(s).max(size(t));
            let smaller = t.abs() < s.abs() || (t.abs() == s.abs() && t > s);
            if (tie && smaller) || (!tie && g < f) { (t, g) } else { (s, f) }
        });
        best.map_or(A::nan(), |(s, _)| s)
    }
}
