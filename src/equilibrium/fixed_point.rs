//! The damped fixed-point iteration.

use ndarray::Array1;

use super::drive::{Iterate, Next, Point, Task};
use super::method::{FixedPoint, MethodName};
use crate::Scalar;
use crate::error::Result;

impl<A: Scalar> Iterate<A> for FixedPoint {
    fn name(&self) -> MethodName {
        MethodName::FixedPoint
    }

    fn next(&mut self, _task: &Task<'_, A>, at: &Point<A>) -> Result<Next<A>> {
        Ok(blend(&at.x, &at.g, self.damping).into())
    }
}

/// `x + theta (g - x)`.
pub(super) fn blend<A: Scalar>(x: &Array1<A>, g: &Array1<A>, theta: f64) -> Array1<A> {
    if theta == 1.0 {
        return g.clone();
    }
    let theta = A::of(theta);
    ndarray::Zip::from(x).and(g).map_collect(|&x, &g| x + theta * (g - x))
}
