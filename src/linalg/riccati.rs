//! Algebraic Riccati equations by the matrix sign function; computed, not proved.

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};

use super::{Backend, Lu, product};

/// The least symmetric `P` with `A'P + P A + H + P G P = 0` for positive semidefinite `G` and `H`, up to rounding
/// errors: the one that makes `A + G P` Hurwitz. None if it is not found, as where there is none or `P` is not
/// positive definite.
///
/// The stable invariant subspace of the Hamiltonian matrix `[[A, G], [-H, -A']]` is spanned by `[I; P]`, and its
/// matrix sign `S` is -1 there: `(S + I) [I; P] = 0`, solved by least squares. The sign is found by Newton's iteration
/// (Roberts, "Linear model reduction and solution of the algebraic Riccati equation by use of the sign function", Int.
/// J. Control 32, 1980).
pub(crate) fn least_solution(
    a: ArrayView2<'_, f64>,
    g: ArrayView2<'_, f64>,
    h: ArrayView2<'_, f64>,
) -> Option<Array2<f64>> {
    let n = a.nrows();
    let upper = concatenate(Axis(1), &[a, g]).expect("blocks of one height");
    let lower = concatenate(Axis(1), &[(-&h).view(), (-&a.t()).view()]).expect("blocks of one height");
    let mut sign = sign(concatenate(Axis(0), &[upper.view(), lower.view()]).expect("blocks of one width"))?;
    sign.diag_mut().iter_mut().for_each(|v| *v += 1.0);
    let (left, right) = (sign.slice(s![.., ..n]), sign.slice(s![.., n..]));
    let normal = product(right.t(), right);
    let p = Lu::new(normal.view(), "Riccati equation").solve(product(right.t(), left).view()).ok()?;
    let p = (&p + &p.t()) * -0.5;
    (p.iter().all(|v| v.is_finite()) && f64::cholesky(p.view()).is_some()).then_some(p)
}

/// The matrix sign by Newton's iteration, scaled; None for matrices with eigenvalues next to the imaginary axis.
fn sign(mut s: Array2<f64>) -> Option<Array2<f64>> {
    const STEPS: usize = 40;
    /// The steps converge quadratically: after a change this small there is none left to make.
    const LAST_CHANGE: f64 = 1e-7;

    let norm = |m: &Array2<f64>| m.iter().map(|v| v * v).sum::<f64>().sqrt();
    let eye = Array2::<f64>::eye(s.nrows());
    for _ in 0..STEPS {
        let inverse = Lu::new(s.view(), "sign iterate").solve(eye.view()).ok()?;
        let scale = (norm(&inverse) / norm(&s)).sqrt();
        let next = 0.5 * (scale * &s + inverse / scale);
        let change = norm(&(&next - &s)) / norm(&next);
        s = next;
        if !change.is_finite() {
            return None;
        }
        if change < LAST_CHANGE {
            return Some(s);
        }
    }
    None
}
