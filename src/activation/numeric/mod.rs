//! What the default methods of an activation are made of: quadrature, root finding and differences that use nothing but
//! values of a function.

mod quadrature;

pub(super) use quadrature::gauss_kronrod;
