//! Eigenvalues, of matrices of any scale: a power of two, which changes no digit, brings the largest entry near 1 for the
//! backend.

use ndarray::{Array1, Array2, ArrayView2, CowArray, Ix2};
use num_complex::Complex;

use super::Backend;
use super::balance::{DiagonalBlock, diagonal_blocks, times_two_to};
use super::magnitude::{exponent_of_largest, factors};
use crate::Scalar;
use crate::error::{Error, Result};

/// Eigenvalues of a square matrix, sorted by decreasing real part, then by decreasing imaginary part.
///
/// They are those of its balanced irreducible blocks, computed in double precision, and do not depend on the units of
/// `a`.
pub(crate) fn eigvals<A: Scalar>(a: ArrayView2<'_, A>) -> Result<Vec<Complex<A>>> {
    let values = eigvals_of_blocks(&diagonal_blocks(a.mapv(Scalar::to_double).view()))?;
    Ok(values.into_iter().map(|v| Complex::new(A::of(v.re), A::of(v.im))).collect())
}

/// The eigenvalues of all blocks, sorted as [`eigvals`] does.
pub(crate) fn eigvals_of_blocks(blocks: &[DiagonalBlock]) -> Result<Vec<Complex<f64>>> {
    let mut values = Vec::new();
    for block in blocks {
        let back = |v: f64| times_two_to(v, block.exponent);
        values.extend(eigvals_near_one(block.balanced.view())?.iter().map(|v| Complex::new(back(v.re), back(v.im))));
    }
    values.sort_by(|p, q| q.re.total_cmp(&p.re).then(q.im.total_cmp(&p.im)));
    Ok(values)
}

/// Eigenvalues of a matrix whose largest entry is near 1, in no particular order.
///
/// The shifted QR iteration of a backend can fail on a matrix and succeed on one that is orthogonally similar to it, which
/// has the same eigenvalues up to rounding errors.
fn eigvals_near_one(a: ArrayView2<'_, f64>) -> Result<Vec<Complex<f64>>> {
    if a.len() == 1 {
        return Ok(vec![Complex::new(a[[0, 0]], 0.0)]);
    }
    let found = f64::eigvals(a).filter(|values| has_moments(values, a)).or_else(|| {
        (1..=RETRIES).find_map(|k| {
            let similar = reflected(a, k);
            f64::eigvals(similar.view()).filter(|values| has_moments(values, a))
        })
    });
    found.ok_or_else(no_convergence)
}

/// Eigenvalues (ascending) and orthonormal eigenvectors (columns) of a symmetric matrix.
pub(crate) fn eigh<A: Scalar>(a: ArrayView2<'_, A>) -> Result<(Array1<A>, Array2<A>)> {
    let (a, scale) = normalised(a);
    let (values, vectors) = A::eigh(a.view()).ok_or_else(no_convergence)?;
    Ok((values * scale, vectors))
}

/// Eigenvalues (ascending) of a symmetric matrix.
pub(crate) fn eigvalsh<A: Scalar>(a: ArrayView2<'_, A>) -> Result<Array1<A>> {
    let (a, scale) = normalised(a);
    Ok(A::eigvalsh(a.view()).ok_or_else(no_convergence)? * scale)
}

/// `a / scale` with the power of two `scale` that brings the largest entry near 1.
fn normalised<A: Scalar>(a: ArrayView2<'_, A>) -> (CowArray<'_, A, Ix2>, A) {
    let exponent = exponent_of_largest(a.iter().copied());
    if (-1..=0).contains(&exponent) {
        return (a.into(), A::one());
    }
    let [half, rest] = factors(exponent).map(A::of);
    let scale = half * rest;
    (a.mapv(|v| v / scale).into(), scale)
}

fn no_convergence() -> Error {
    Error::NoConvergence { what: "eigenvalue decomposition".into() }
}

const RETRIES: usize = 4;

/// Whether the values add up to the trace of `a`, and their squares to that of its square, up to rounding errors.
fn has_moments<A: Scalar>(values: &[Complex<A>], a: ArrayView2<'_, A>) -> bool {
    let a = a.mapv(Scalar::to_double);
    let (mut first, mut second) = (-a.diag().sum(), -(&a * &a.t()).sum());
    for v in values {
        let (re, im) = (v.re.to_double(), v.im.to_double());
        first += re;
        second += re * re - im * im;
    }
    let n = values.len() as f64;
    let norm = (&a * &a).sum().sqrt();
    let allowed = 100.0 * n * A::epsilon().to_double() * norm;
    first.abs() <= n.sqrt() * allowed && second.abs() <= 2.0 * norm * allowed
}

/// `Q A Q` with the reflection `Q = I - 2 v v' / v'v` along a vector without symmetries, another one for each `k`.
fn reflected<A: Scalar>(a: ArrayView2<'_, A>, k: usize) -> Array2<A> {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let v = Array1::from_shape_fn(a.nrows(), |i| A::of((GOLDEN * ((i + 1) * k) as f64).fract() - 0.5));
    let half = v.dot(&v) / A::of(2.0);
    let outer = |x: &Array1<A>, y: &Array1<A>| Array2::from_shape_fn((x.len(), y.len()), |(i, j)| x[i] * y[j] / half);
    let left = &a - &outer(&v, &a.t().dot(&v));
    &left - &outer(&left.dot(&v), &v)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `b - 1` and `-1 - b (k - 1)` for `k` neurons that inhibit each other by `b`, and -1 for each of the silent ones.
    fn mutual_inhibition<A: Scalar>(b: A, firing: &[bool]) -> (Array2<A>, Vec<f64>) {
        let n = firing.len();
        let a = Array2::from_shape_fn((n, n), |(i, j)| match i == j {
            true => -A::one(),
            false if firing[i] => -b,
            false => A::zero(),
        });
        let k = firing.iter().filter(|&&f| f).count();
        let b = b.to_double();
        let mut values = vec![b - 1.0; k - 1];
        values.extend(vec![-1.0; n - k]);
        values.push(-1.0 - b * (k - 1) as f64);
        (a, values)
    }

    fn agree<A: Scalar>(b: A, firing: &[bool]) {
        let (a, expected) = mutual_inhibition(b, firing);
        let found = eigvals(a.view()).unwrap();
        assert_eq!(found.len(), expected.len());
        for (v, e) in found.iter().zip(expected) {
            let error = (v.re.to_double() - e).abs().max(v.im.to_double().abs());
            assert!(error <= 1e3 * A::epsilon().to_double() * (1.0 + e.abs()), "{firing:?}: {v} is not {e}");
        }
    }

    fn subset(digits: &str) -> Vec<bool> {
        digits.chars().map(|c| c == '1').collect()
    }

    /// On the first three the iteration of faer 0.24 ends early, and leaves eigenvalues at 0.
    #[test]
    fn repeated_eigenvalues_are_all_found() {
        agree(2.0, &subset("01100010110000101"));
        agree(1.5, &subset("00010001100001001"));
        agree(1.1, &subset("01001110000001100"));
        for pattern in 1..1u32 << 13 {
            let firing: Vec<bool> = (0..13).map(|i| pattern >> i & 1 == 1).collect();
            agree(1.5f32, &firing);
            agree(2.0f64, &firing);
        }
    }

    #[test]
    fn a_reflection_keeps_the_eigenvalues() {
        let a = Array2::from_shape_fn((9, 9), |(i, j)| ((7 * i + 3 * j) as f64).sin());
        let expected = eigvals(a.view()).unwrap();
        for k in 1..=RETRIES {
            let similar = reflected(a.view(), k);
            assert!((&similar - &a).iter().any(|d| d.abs() > 0.1));
            let found = eigvals(similar.view()).unwrap();
            assert!(found.iter().zip(&expected).all(|(f, e)| (f - e).norm() < 1e-12), "{found:?} {expected:?}");
        }
    }

    #[test]
    fn values_of_another_matrix_are_told_apart() {
        let (a, _) = mutual_inhibition(2.0, &subset("0111001"));
        let values = eigvals(a.view()).unwrap();
        assert!(has_moments(&values, a.view()));
        for i in 0..values.len() {
            let mut wrong = values.clone();
            wrong[i] = Complex::new(0.0, 0.0);
            assert!(!has_moments(&wrong, a.view()));
        }
        let rotation = ndarray::array![[0.0, -1.0], [1.0, 0.0]];
        assert!(!has_moments(&[Complex::new(0.0, 0.0); 2], rotation.view()));
    }
}
