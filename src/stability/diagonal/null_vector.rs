//! Exact null vectors of whole numbers (theory 3.14).
//!
//! A singular matrix with a negative diagonal can lie on the boundary of diagonal stability, where only exact
//! refutations exist. With `A x = 0`, `X = x x'` is one; with `A'x = 0` it is one for the transpose.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::block::{Block, Outcome};
use super::method::Method;
use super::weights::ldexp;
use crate::linalg::Lu;
use crate::linalg::balance::{in_units, powers_of_two};

/// Multiples of the unit vector that are tried.
const LARGEST_NUMBER: u32 = 4096;
/// Candidates that are checked exactly.
const MOST_CHECKS: usize = 8;

/// A refutation by a null vector of whole numbers, of the matrix or of its transpose.
pub(super) fn refutation(block: &Block<'_>) -> Option<Outcome> {
    let n = block.pencil.size();
    // Powers of two keep whole numbers whole, and undo units of measurement that are powers of two.
    let exponents = powers_of_two(block.pencil.matrix());
    let mut a = in_units(block.pencil.matrix(), &exponents);
    a.diag_mut().assign(&block.diagonal.lower);
    let [right, left] = null_vectors(a.view())?;
    // The transpose is scaled by the inverse powers.
    let witness =
        |x: &Array1<f64>, sign: i32| Array2::from_shape_fn((n, 1), |(i, _)| ldexp(x[i], -sign * exponents[i]));
    let method = Method::NullVector;
    let of_matrix = |x: &Array1<f64>| block.not_stable(witness(x, 1), method);
    let of_transpose = |x: &Array1<f64>| block.not_stable_by_transpose(witness(x, -1), method);
    let tried = |x: Option<Array1<f64>>, proves: &dyn Fn(&Array1<f64>) -> Option<Outcome>| {
        x.and_then(|x| whole_multiples(&x).take(MOST_CHECKS).find_map(|x| proves(&x)))
    };
    tried(right, &of_matrix).or_else(|| tried(left, &of_transpose))
}

/// Approximate null vectors of `A` and of `A'`, each with largest entry 1; `None` if the matrix is clearly not
/// singular.
fn null_vectors(a: ArrayView2<'_, f64>) -> Option<[Option<Array1<f64>>; 2]> {
    let n = a.nrows();
    let size = a.fold(0.0, |m: f64, v| m.max(v.abs()));
    if !(size > 0.0 && size.is_finite()) {
        return None;
    }
    // A shift below the rounding errors of the factorisation: singular systems have no solution.
    let mut shifted = a.to_owned();
    shifted.diag_mut().mapv_inplace(|d| d - 1e-15 * size);
    let lu = Lu::new(shifted.view(), "a matrix near a singular one");
    let approximate = |transposed: bool| {
        let mut x = Array1::from_shape_fn(n, |i| 1.0 + 0.5 * (1.618 * i as f64).sin());
        for _ in 0..3 {
            let b = x.view().insert_axis(Axis(1));
            let next = if transposed { lu.solve_transposed(b) } else { lu.solve(b) };
            let next = next.ok()?.remove_axis(Axis(1));
            let largest = next.fold(0.0, |m: f64, &v| if v.abs() > m.abs() { v } else { m });
            if largest == 0.0 {
                return None;
            }
            x = next / largest;
        }
        let image = if transposed { a.t().dot(&x) } else { a.dot(&x) };
        image.iter().all(|v| v.abs() <= 1e-11 * n as f64 * size).then_some(x)
    };
    let vectors = [approximate(false), approximate(true)];
    vectors.iter().any(Option::is_some).then_some(vectors)
}

/// Vectors of whole numbers of which `x`, with largest entry 1, may be a multiple.
fn whole_multiples(x: &Array1<f64>) -> impl Iterator<Item = Array1<f64>> {
    (1..=LARGEST_NUMBER).map(f64::from).filter_map(|denominator| {
        let near = |v: &f64| {
            let scaled = v * denominator;
            (scaled - scaled.round()).abs() < 1e-6
        };
        x.iter().all(near).then(|| x.mapv(|v| (v * denominator).round()))
    })
}
