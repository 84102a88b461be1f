//! Roots of functions that cross zero upwards.

use crate::Scalar;

/// A root of `h` between `low` and `high`, where `h(low) <= 0 <= h(high)`: to about the spacing of numbers of size
/// `|root| + scale` if `|h|` falls to the rounding errors of such numbers there, else to that of numbers of size `|root|`.
///
/// Newton's method from `start` inside a bracket, which is halved whenever three steps have not halved it. `h` returns
/// its value and its derivative; a wrong derivative costs steps, not correctness.
pub(crate) fn root<A: Scalar>(h: impl Fn(A) -> (A, A), mut low: A, mut high: A, start: A, scale: A) -> A {
    // Halvings from the widest bracket of an f64 to its smallest number, three steps each.
    const MOST: usize = 3 * 2100;
    let middle = |low: A, high: A| low * A::of(0.5) + high * A::of(0.5);
    let mut z = if start >= low && start <= high { start } else { middle(low, high) };
    let mut best = (A::infinity(), z);
    let mut target = (high - low) * A::of(0.5);
    let mut steps = 0;
    for _ in 0..MOST {
        let (value, slope) = h(z);
        if value.abs() < best.0 {
            best = (value.abs(), z);
        }
        if value > A::zero() {
            high = z;
        } else if value < A::zero() {
            low = z;
        } else {
            return z;
        }
        // Rounding hides how `h` goes on once its value is this small. Until then a bracket as narrow as the scale allows
        // may still hold most of a steep rise, and is closed on.
        let hidden = best.0 <= A::of(4.0) * A::epsilon() * (z.abs() + scale);
        let size = if hidden { z.abs() + scale } else { z.abs() };
        let spacing = A::of(2.0) * A::epsilon() * size + A::min_positive_value();
        if high - low <= spacing {
            break;
        }
        steps += 1;
        let newton = z - value / slope;
        // A step shorter than the spacing is lengthened, so that the bracket closes from both sides.
        let newton = if (newton - z).abs() < spacing { z - spacing * value.signum() } else { newton };
        z = if high - low > target && steps == 3 || !(newton > low && newton < high) {
            middle(low, high)
        } else {
            newton
        };
        if high - low <= target || steps == 3 {
            target = (high - low) * A::of(0.5);
            steps = 0;
        }
    }
    best.1
}
