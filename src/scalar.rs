//! The two floating-point types that the crate works in.

use std::borrow::Cow;
use std::fmt::{Debug, Display, LowerExp};
use std::iter::Sum;

use ndarray::ScalarOperand;
use num_traits::{Float, FloatConst, FromPrimitive, NumAssign};

use crate::linalg::Backend;

/// `f32` or `f64`; sealed.
///
/// Everything that describes networks, games and equilibria is generic over `Scalar`. Certificates are
/// computed in `f64` for both: a matrix of `f32` is exactly a matrix of `f64`.
///
/// ```
/// use neuronash::Scalar;
/// fn half<A: Scalar>() -> A { A::of(0.5) }
/// assert_eq!(half::<f32>().to_double(), half::<f64>());
/// ```
pub trait Scalar:
    Float
    + FloatConst
    + NumAssign
    + FromPrimitive
    + Sum
    + Default
    + Debug
    + Display
    + LowerExp
    + ScalarOperand
    + Send
    + Sync
    + Backend
    + 'static
{
    /// The nearest number of this type.
    fn of(x: f64) -> Self;
    /// The same number as an `f64`, exactly.
    fn to_double(self) -> f64;
    /// The least number of this type that is not below `x`.
    fn at_least(x: f64) -> Self;
    /// The same numbers as `f64`, exactly; borrowed if they are.
    fn doubles(values: &[Self]) -> Cow<'_, [f64]>;
}

impl Scalar for f32 {
    fn of(x: f64) -> Self {
        x as f32
    }
    fn to_double(self) -> f64 {
        f64::from(self)
    }
    fn at_least(x: f64) -> Self {
        let nearest = x as f32;
        if f64::from(nearest) < x { nearest.next_up() } else { nearest }
    }
    fn doubles(values: &[Self]) -> Cow<'_, [f64]> {
        values.iter().map(|&v| f64::from(v)).collect()
    }
}

impl Scalar for f64 {
    fn of(x: f64) -> Self {
        x
    }
    fn to_double(self) -> f64 {
        self
    }
    fn at_least(x: f64) -> Self {
        x
    }
    fn doubles(values: &[Self]) -> Cow<'_, [f64]> {
        Cow::Borrowed(values)
    }
}
