//! Log norms (matrix measures).

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, Data, Ix2};

use super::majorant::Enclosed;
use super::norm::NormWeights;
use super::{Majorant, Norm, NormKind, perron};
use crate::Scalar;
use crate::error::{Error, Result};
use crate::linalg::magnitude::{exponent_of_largest, factors, times_power_of_two};
use crate::linalg::rounding::{add_down, add_up, div_down, gamma, mul_down, mul_up, sub_down};
use crate::linalg::verified::proved_positive_definite;
use crate::linalg::{self, product};
use crate::stability::{Bounds, IntoSubject};

/// Bounds on the log norm `mu(A) = lim_{h -> 0+} (|I + h A| - 1) / h` of a matrix of shape `[n, n]`.
///
/// | norm | log norm |
/// |---|---|
/// | `sum w_i \|x_i\|` | `max_j a_jj + sum_{i != j} w_i \|a_ij\| / w_j` |
/// | `max \|x_i\| / v_i` | `max_i a_ii + sum_{j != i} \|a_ij\| v_j / v_i` |
/// | `sqrt(x' P x)` | smallest `b` with `P A + A' P <= 2 b P` |
///
/// Every solution of `x' = A x` obeys `|x(t)| <= e^{mu t} |x(0)|`. The l1 and l-infinity bounds are a few roundings
/// apart; the upper l2 bound is proved by a Cholesky factorisation, the lower by a Rayleigh quotient.
///
/// # Errors
/// An empty or non-square matrix, an entry that is not finite, or a norm of another dimension.
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::contraction::{Norm, log_norm};
///
/// let a = array![[-3.0, 1.0], [2.0, -4.0]];
/// assert_eq!(log_norm(&a, &Norm::linf())?.upper, -2.0);
/// assert_eq!(log_norm(&a, &Norm::l1())?.upper, -1.0);
/// assert!(log_norm(&a, &Norm::l2())?.contains(-3.5 + 2.5f64.sqrt()));
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn log_norm<A: Scalar, S: Data<Elem = A>>(a: &ArrayBase<S, Ix2>, norm: &Norm) -> Result<Bounds> {
    let majorant = Majorant::of(&a.into_subject()?);
    norm.check(a.nrows())?;
    match norm.kind() {
        NormKind::One => Ok(largest_row(&majorant.transposed(), &norm.diagonal_or_ones(a.nrows()))),
        NormKind::Infinity => Ok(largest_row(&majorant, &norm.diagonal_or_ones(a.nrows()))),
        NormKind::Two => quadratic(&a.mapv(Scalar::to_double), norm),
    }
}

/// The smallest log norm over all positive diagonal weights, for l1 or l-infinity, and a norm that attains the upper
/// bound: the spectral abscissa of the Metzler majorant, with its left or right Perron vector as weights.
///
/// # Errors
/// An empty or non-square matrix, an entry that is not finite, or the kind [`NormKind::Two`], whose best diagonal weights
/// are those of [Lyapunov diagonal stability](crate::stability).
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::contraction::{NormKind, log_norm, optimal_log_norm};
///
/// let a = array![[-2.0, 9.0], [-1.0, -2.0]]; // majorant [[-2, 9], [1, -2]]: abscissa 1, Perron vector (3, 1)
/// let (bounds, norm) = optimal_log_norm(&a, NormKind::Infinity)?;
/// assert!(bounds.contains(1.0) && bounds.width() < 1e-9);
/// assert!(log_norm(&a, &norm)?.upper <= bounds.upper);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn optimal_log_norm<'a>(subject: impl IntoSubject<'a>, kind: NormKind) -> Result<(Bounds, Norm)> {
    let subject = subject.into_subject()?;
    let majorant = Majorant::of(&subject);
    let majorant = match kind {
        NormKind::One => majorant.transposed(),
        NormKind::Infinity => majorant,
        NormKind::Two => return Err(Error::invalid("kind", kind, "l1 or l-infinity")),
    };
    let perron = perron::of_majorant(&majorant, &subject.diagonal_bounds(), &perron::PerronOptions::default());
    let bounds = perron.abscissa();
    Ok((bounds, Norm::diagonal(kind, perron.into_vector())?))
}

fn largest_row(m: &Majorant, v: &Array1<f64>) -> Bounds {
    let v = Enclosed::exact(&v.to_vec());
    let mut largest = Bounds { lower: f64::NEG_INFINITY, upper: f64::NEG_INFINITY };
    for (i, &d) in m.diagonal.iter().enumerate() {
        let off = m.quotient(i, &v, &v, |_| true);
        largest.lower = largest.lower.max(add_down(d, off.lower));
        largest.upper = largest.upper.max(add_up(d, off.upper));
    }
    largest
}

/// The largest eigenvalue of `P A + A' P` with respect to `2 P`.
fn quadratic(a: &Array2<f64>, norm: &Norm) -> Result<Bounds> {
    let n = a.nrows();
    let p = match norm.form() {
        NormWeights::Matrix(p) => p.clone(),
        _ => Array2::from_diag(&norm.diagonal_or_ones(n)),
    };
    let (value, x) = rightmost_pair(a, &p)?;
    let scale = a.iter().fold(0.0f64, |m, v| m.max(v.abs())).max(value.abs());
    let (pa, pa_magnitude) = match norm.form() {
        NormWeights::Matrix(p) => {
            (product(p.view(), a.view()), product(p.mapv(f64::abs).view(), a.mapv(f64::abs).view()))
        }
        _ => {
            let pa = Array2::from_shape_fn((n, n), |(i, j)| p[[i, i]] * a[[i, j]]);
            let magnitude = pa.mapv(f64::abs);
            (pa, magnitude)
        }
    };
    let mut step = scale.max(1e-270) * f64::EPSILON * n as f64;
    let mut upper = f64::INFINITY;
    for _ in 0..26 {
        if proved_above(value + step, &p, &pa, &pa_magnitude) {
            upper = value + step;
            break;
        }
        step *= 2.0;
    }
    Ok(Bounds { lower: rayleigh_below(a.view(), p.view(), x.view()), upper })
}

/// The rightmost eigenvalue of `sym(P^(1/2) A P^(-1/2))`, and its vector in the coordinates of `A`; to working precision.
fn rightmost_pair(a: &Array2<f64>, p: &Array2<f64>) -> Result<(f64, Array1<f64>)> {
    let (values, vectors) = linalg::eigh(p.view())?;
    // `P` is proved positive definite; eigenvalues that rounding hides only spoil the first guess.
    let floor = f64::EPSILON * f64::EPSILON * values[values.len() - 1];
    let values = values.mapv(|v| v.max(floor));
    let root = (&vectors * &values.mapv(f64::sqrt)).dot(&vectors.t());
    let inverse_root = (&vectors * &values.mapv(|v| 1.0 / v.sqrt())).dot(&vectors.t());
    let m = product(product(root.view(), a.view()).view(), inverse_root.view());
    let (values, vectors) = linalg::eigh((0.5 * (&m + &m.t())).view())?;
    let last = values.len() - 1;
    Ok((values[last], inverse_root.dot(&vectors.column(last))))
}

/// Whether `2 b P - P A - A' P > 0` is proved; `pa` approximates `P A` with magnitudes `|P| |A|`.
fn proved_above(b: f64, p: &Array2<f64>, pa: &Array2<f64>, pa_magnitude: &Array2<f64>) -> bool {
    let n = p.nrows();
    let g = gamma(n + 8);
    let s = Array2::from_shape_fn((n, n), |(i, j)| {
        let (i, j) = (i.max(j), i.min(j));
        2.0 * b * p[[i, j]] - (pa[[i, j]] + pa[[j, i]])
    });
    let error = Array2::from_shape_fn((n, n), |(i, j)| {
        let magnitude = 2.0 * b.abs() * p[[i, j]].abs() + (pa_magnitude[[i, j]] + pa_magnitude[[j, i]]);
        // The magnitudes themselves are rounded; the spare roundings in gamma cover that, the last term underflow.
        add_up(mul_up(2.0 * g, magnitude), 8.0 * n as f64 * f64::from_bits(1))
    });
    proved_positive_definite(s.view(), error.view())
}

/// A lower bound on the largest Rayleigh quotient `x' P A x / x' P x`, from an `x` near the one that attains it.
fn rayleigh_below(a: ArrayView2<'_, f64>, p: ArrayView2<'_, f64>, x: ArrayView1<'_, f64>) -> f64 {
    // With entries of size 1 at most, what underflows is not multiplied by large numbers later, so that all of it together is
    // less than the smallest normal number. `P` and `x` count up to factors.
    let unit = exponent_of_largest(a.iter().copied());
    let a = times_power_of_two(a, -unit);
    let p = times_power_of_two(p, -exponent_of_largest(p.iter().copied()));
    let x = times_power_of_two(x, -exponent_of_largest(x.iter().copied()));
    let g = 2.0 * gamma(3 * a.nrows() + 8);
    let enclose = |m: &dyn Fn(ArrayView1<'_, f64>) -> Array1<f64>, abs: &dyn Fn(ArrayView1<'_, f64>) -> Array1<f64>| {
        let value = x.dot(&m(x.view()));
        let magnitude = x.mapv(f64::abs);
        let radius = add_up(mul_up(g, magnitude.dot(&abs(magnitude.view()))), f64::MIN_POSITIVE);
        (sub_down(value, radius), add_up(value, radius))
    };
    let (p_abs, a_abs) = (p.mapv(f64::abs), a.mapv(f64::abs));
    let (numerator, _) = enclose(&|x| p.dot(&a.dot(&x)), &|x| p_abs.dot(&a_abs.dot(&x)));
    let (low, high) = enclose(&|x| p.dot(&x), &|x| p_abs.dot(&x));
    let proved = low > 0.0 && numerator.is_finite();
    if !proved {
        return f64::NEG_INFINITY;
    }
    let quotient = div_down(numerator, if numerator > 0.0 { high } else { low });
    factors(unit).into_iter().fold(quotient, mul_down)
}
