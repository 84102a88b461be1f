//! Hurwitz matrices: all eigenvalues in the open left half plane.

use std::fmt;

use ndarray::{Array2, ArrayBase, ArrayView2, Data, Ix2};

use super::checked;
use crate::Scalar;
use crate::error::Result;
use crate::linalg;
use crate::linalg::balance::{in_units, powers_of_two, times_two_to};
use crate::linalg::decimal::AtMost;
use crate::linalg::half_plane::lyapunov_matrix;
use crate::stability::contraction::{Norm, log_norm};

/// The spectral abscissa of a matrix, and a proved bound on it.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Hurwitz {
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    abscissa: f64,
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    proved_below: f64,
    lyapunov: Option<Array2<f64>>,
}

impl Hurwitz {
    /// The largest real part of an eigenvalue as computed. The eigenvalue algorithm is backward stable: it is exact for a
    /// matrix within about `n eps |a|` of `a`, which is no bound on this number when eigenvalues are ill conditioned.
    pub fn abscissa(&self) -> f64 {
        self.abscissa
    }

    /// A proved upper bound on the spectral abscissa: the log norm of `a` in the norm of [`lyapunov`](Self::lyapunov), or
    /// infinite.
    pub fn proved_below(&self) -> f64 {
        self.proved_below
    }

    /// `P > 0` with `P A + A'P < 0`, shape `[n, n]`, if one was found and proved, and `f64` can hold it in the units of `a`.
    pub fn lyapunov(&self) -> Option<ArrayView2<'_, f64>> {
        self.lyapunov.as_ref().map(|p| p.view())
    }

    /// Whether the matrix is proved Hurwitz.
    pub fn is_proved(&self) -> bool {
        self.proved_below < 0.0
    }
}

impl fmt::Display for Hurwitz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spectral abscissa {:e} by eigenvalues, ", self.abscissa)?;
        if self.is_proved() {
            write!(f, "proved below {:e}", AtMost(self.proved_below))
        } else {
            f.write_str("not proved negative")
        }
    }
}

/// Whether all eigenvalues of `a`, shape `[n, n]`, have negative real parts: numerically by the eigenvalues, and with a proof
/// by a Lyapunov equation `P (A - s I) + (A - s I)' P = -2 I`, with `s` between the abscissa and 0, whose solution is then
/// checked with all rounding errors accounted for.
///
/// # Errors
/// An empty or non-square matrix, an entry that is not finite, or eigenvalues that do not converge.
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::matrix::hurwitz;
/// let h = hurwitz(&array![[-1.0, 100.0], [0.0, -2.0]])?;
/// assert!((h.abscissa() + 1.0).abs() < 1e-10 && h.is_proved() && h.proved_below() <= -0.8);
/// assert!(!hurwitz(&array![[0.0, 1.0], [-1.0, 0.0]])?.is_proved());
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn hurwitz<A: Scalar, S: Data<Elem = A>>(a: &ArrayBase<S, Ix2>) -> Result<Hurwitz> {
    let a = checked(a, "a")?;
    // Units that are powers of two change neither eigenvalues nor, if nothing underflows, a digit of the matrix.
    let exponents = powers_of_two(a.view());
    let negated: Vec<i32> = exponents.iter().map(|e| -e).collect();
    let balanced = in_units(a.view(), &exponents);
    if in_units(balanced.view(), &negated) != a {
        return in_given_units(a);
    }
    let mut found = in_given_units(balanced)?;
    // In the units of `a` it can be out of range, while what it proves stands.
    found.lyapunov = found.lyapunov.and_then(|p| {
        let own = Array2::from_shape_fn(p.dim(), |(i, j)| times_two_to(p[[i, j]], exponents[i] + exponents[j]));
        own.iter().zip(&p).all(|(own, p)| own.is_finite() && (*own == 0.0) == (*p == 0.0)).then_some(own)
    });
    Ok(found)
}

fn in_given_units(a: Array2<f64>) -> Result<Hurwitz> {
    let abscissa = linalg::eigvals(a.view())?.first().map_or(f64::NEG_INFINITY, |v| v.re);
    let unproved = Hurwitz { abscissa, proved_below: f64::INFINITY, lyapunov: None };
    if abscissa.is_nan() || abscissa >= 0.0 {
        return Ok(unproved);
    }
    for part in [0.9, 0.5, 0.0] {
        let shifted = &a - &Array2::from_diag_elem(a.nrows(), part * abscissa);
        let Some(p) = lyapunov_matrix(shifted.view()) else { continue };
        let Ok(norm) = Norm::quadratic(&p) else { continue };
        let proved_below = log_norm(&a, &norm)?.upper;
        if proved_below < 0.0 {
            return Ok(Hurwitz { abscissa, proved_below, lyapunov: Some(p) });
        }
    }
    Ok(unproved)
}
