//! What the default methods of an activation are made of: quadrature, root finding and differences that use nothing but
//! values of a function.

mod derivative;
mod monotone;
mod quadrature;
mod tail;

pub(super) use derivative::{central_derivative, sampled_slopes};
pub(super) use monotone::{least_source, limits, sign_change};
pub(crate) use quadrature::integral;
pub(super) use quadrature::{gauss_kronrod, integral_to_infinity};
pub(crate) use tail::{farthest, outgrows_its_input};
