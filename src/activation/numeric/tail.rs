//! What values far out tell about a nondecreasing function.

use crate::Scalar;

/// The farthest drive in the direction `outwards` (1 or -1), to a factor of 2, such that `phi` has finite values there
/// and half way there that do not fall outwards; `None` if there is none above the square root of the smallest number.
///
/// Values that are not finite, or that fall, are signs of an overflow inside `phi`.
pub(crate) fn farthest<A: Scalar>(phi: impl Fn(A) -> A, outwards: A) -> Option<A> {
    let (two, most) = (A::of(2.0), A::max_value() / A::of(1024.0));
    let usable = |size: A| {
        let (near, far) = (outwards * phi(outwards * size / two), outwards * phi(outwards * size));
        near.is_finite() && far.is_finite() && near <= far
    };
    let mut size = most;
    while !usable(size) {
        size /= A::of(64.0);
        if size < A::min_positive_value().sqrt() {
            return None;
        }
    }
    while size < most && usable(size * two) {
        size *= two;
    }
    Some(outwards * size)
}

/// Whether `phi` grows clearly faster than its input between `far/2` and `far`: by a power of more than 1.0001.
pub(crate) fn outgrows_its_input<A: Scalar>(phi: impl Fn(A) -> A, far: A) -> bool {
    let ratio = phi(far) / phi(far * A::of(0.5));
    ratio.log2() > A::of(1.0 + 1e-4).max(A::one() + A::of(64.0) * A::epsilon())
}
