//! Proofs of which side of the imaginary axis eigenvalues are on.

use ndarray::{Array2, ArrayView2};

use super::rounding::{add_up, gamma, mul_up};
use super::verified::proved_positive_definite;
use super::{Backend, Lu, product};

/// What is proved of the eigenvalues of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HalfPlane {
    /// All are in the open left half plane.
    Left,
    /// At least one is in the open right half plane.
    Right,
    /// Nothing.
    Unknown,
}

/// Where the eigenvalues of every matrix `A` with `|A - a| <= error` (entrywise) are, for `a` balanced and of scale 1.
///
/// Lyapunov's theorem, and Ostrowski and Schneider's (1962), both by one symmetric `P` with `P A + A'P < 0`: no
/// eigenvalue is on the imaginary axis then. All are left of it if `P > 0`, and if `x'P x < 0` for some `x`, at least
/// one is right of it. Where `P` comes from does not matter; that the inequalities hold is proved with all rounding
/// errors accounted for.
pub(crate) fn half_plane(a: ArrayView2<'_, f64>, error: ArrayView2<'_, f64>) -> HalfPlane {
    let n = a.nrows();
    if trace_is_positive(a, error) {
        return HalfPlane::Right;
    }
    if lyapunov_inequality_holds(Array2::eye(n).view(), a, error) {
        return HalfPlane::Left;
    }
    let Some(p) = lyapunov_matrix(a) else { return HalfPlane::Unknown };
    if !lyapunov_inequality_holds(p.view(), a, error) {
        return HalfPlane::Unknown;
    }
    if proved_positive_definite(p.view(), Array2::zeros((n, n)).view()) {
        HalfPlane::Left
    } else if has_negative_direction(p.view()) {
        HalfPlane::Right
    } else {
        HalfPlane::Unknown
    }
}

/// A symmetric `P` with `P A + A'P = -(I + S'S)`, up to rounding errors, where `S` is the matrix sign of `A`; for a
/// Hurwitz matrix `S = -I`. None if `A` has eigenvalues so near the imaginary axis that its sign is not found.
///
/// The sign of `[[A', I], [0, -A]]` is `[[S', Y], [0, -S]]`. It commutes with its matrix, so `A'Y + Y A = S + S'`, and
/// its square is the identity, so `S'Y = Y S`: with `P = -Y S`, `A'P + P A = -(I + S'S)`. The signs are found by
/// Newton's iteration (Roberts, "Linear model reduction and solution of the algebraic Riccati equation by use of the
/// sign function", Int. J. Control 32, 1980).
pub(crate) fn lyapunov_matrix(a: ArrayView2<'_, f64>) -> Option<Array2<f64>> {
    let (s, y) = sign_of_extended(a, Array2::eye(a.nrows()))?;
    symmetric_part(&-product(y.view(), s.view()))
}

/// The symmetric `P` with `P A + A'P = -Q` for a Hurwitz matrix `A` and a symmetric `Q`, up to rounding errors; as
/// [`lyapunov_matrix`], with `Q` in the corner.
pub(crate) fn lyapunov_solution(a: ArrayView2<'_, f64>, q: ArrayView2<'_, f64>) -> Option<Array2<f64>> {
    let (_, y) = sign_of_extended(a, q.to_owned())?;
    symmetric_part(&(0.5 * y))
}

/// The blocks `(S, Y)` of the sign of `[[A', C], [0, -A]]`, which is `[[S', Y], [0, -S]]`.
fn sign_of_extended(a: ArrayView2<'_, f64>, corner: Array2<f64>) -> Option<(Array2<f64>, Array2<f64>)> {
    const STEPS: usize = 80;
    /// The steps converge quadratically: after a change this small there is none left to make.
    const LAST_CHANGE: f64 = 1e-7;

    let eye = Array2::<f64>::eye(a.nrows());
    let norm = |m: &Array2<f64>| m.iter().map(|v| v * v).sum::<f64>().sqrt();
    let (mut s, mut y) = (a.to_owned(), corner);
    for _ in 0..STEPS {
        let inverse = Lu::new(s.view(), "sign iterate").solve(eye.view()).ok()?;
        let scale = (norm(&inverse) / norm(&s)).sqrt();
        let mapped = product(product(inverse.t(), y.view()).view(), inverse.view());
        let next = 0.5 * (scale * &s + inverse / scale);
        y = 0.5 * (scale * &y + mapped / scale);
        let change = norm(&(&next - &s)) / norm(&next);
        s = next;
        if !change.is_finite() {
            return None;
        }
        if change < LAST_CHANGE {
            return Some((s, y));
        }
    }
    None
}

/// A symmetric matrix without its rounding errors; `None` if it is not finite.
fn symmetric_part(p: &Array2<f64>) -> Option<Array2<f64>> {
    let half = Array2::from_shape_fn(p.dim(), |(i, j)| 0.5 * (p[[i.max(j), i.min(j)]] + p[[i.min(j), i.max(j)]]));
    half.iter().all(|v| v.is_finite()).then_some(half)
}

/// Whether `P A + A'P` is proved negative definite for every `A` within `error` of `a`; `p` is symmetric.
fn lyapunov_inequality_holds(p: ArrayView2<'_, f64>, a: ArrayView2<'_, f64>, error: ArrayView2<'_, f64>) -> bool {
    /// Above all that underflows in a product of entries that are not above 1, times as many of them as there can be.
    const UNDERFLOW: f64 = 1e-300;

    let n = p.nrows();
    let rounding = gamma(2 * n + 16);
    let largest = p.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
    let pa = product(p, a);
    let magnitude = p.mapv(f64::abs);
    let of_product = product(magnitude.view(), a.mapv(f64::abs).view());
    let of_matrix = product(magnitude.view(), error);
    let underflow = UNDERFLOW * largest;
    // Sums of nonnegative numbers are themselves rounded by no more than the factor.
    let entry = |i: usize, j: usize| rounding * of_product[[i, j]] + of_matrix[[i, j]];
    let bound = |i: usize, j: usize, v: f64| {
        let sum = (entry(i, j) + entry(j, i) + f64::EPSILON * v.abs()) * (1.0 + 2.0 * rounding);
        add_up(sum, underflow)
    };
    let s = Array2::from_shape_fn((n, n), |(i, j)| -(pa[[i, j]] + pa[[j, i]]));
    let errors = Array2::from_shape_fn((n, n), |(i, j)| bound(i.max(j), i.min(j), s[[i, j]]));
    proved_positive_definite(s.view(), errors.view())
}

/// Whether some `x` is proved to have `x'P x < 0`.
fn has_negative_direction(p: ArrayView2<'_, f64>) -> bool {
    if p.diag().iter().any(|&v| v < 0.0) {
        return true;
    }
    let Some((_, vectors)) = f64::eigh(p) else { return false };
    let x = vectors.column(0);
    let bound = product(p.mapv(f64::abs).view(), x.mapv(f64::abs).insert_axis(ndarray::Axis(1)).view());
    let value = x.dot(&product(p, x.insert_axis(ndarray::Axis(1))).column(0));
    let size = x.iter().zip(bound.column(0)).map(|(x, b)| x.abs() * b).sum::<f64>();
    // All that underflows is below the last term.
    add_up(value, add_up(mul_up(gamma(4 * p.nrows() + 32), size), 1e-290)) < 0.0
}

/// Whether the trace, the sum of all eigenvalues, is proved positive.
fn trace_is_positive(a: ArrayView2<'_, f64>, error: ArrayView2<'_, f64>) -> bool {
    let (mut sum, mut size) = (0.0, 0.0);
    for (&v, &e) in a.diag().iter().zip(error.diag()) {
        sum += v;
        size += v.abs() * gamma(2 * a.nrows() + 16) + e;
    }
    sum > size * (1.0 + gamma(2 * a.nrows() + 16))
}
