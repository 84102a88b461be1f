//! Weights that prove diagonal stability.

use std::fmt;

use ndarray::{Array1, ArrayBase, ArrayView1, Data, Ix1};

use super::bounds;
use super::check::Effort;
use super::majorant;
use super::method::Method;
use super::pencil::{Pencil, origin};
use super::sparse::{self, Sparse};
use super::weights::Weights;
use crate::Scalar;
use crate::error::{Error, Result};
use crate::linalg::decimal::AtLeast;
use crate::stability::subject::Matrix;
use crate::stability::{self, Condition, Implication, IntoSubject, Subject};

/// A proof that `A` is Lyapunov diagonally stable: positive weights `d` with `D A + A'D < 0`, `D = diag(d)`.
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::diagonal::{certify, Verdict};
/// let a = array![[-1.0, -4.0], [1.0, -1.0]];
/// let Verdict::Stable(certificate) = certify(&a)? else { panic!("an E-I pair with w_EE < 1") };
/// certificate.verify(&a)?;
/// let d = certificate.weights();
/// assert!(d.iter().all(|&d| d > 0.0));
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Certificate {
    weights: Weights,
    #[cfg_attr(feature = "serde", serde(skip))]
    values: Array1<f64>,
    margin_lower: f64,
    method: Method,
    iterations: usize,
}

impl Certificate {
    pub(super) fn new(weights: Weights, margin_lower: f64, method: Method, iterations: usize) -> Self {
        Self { values: weights.values(), weights, margin_lower, method, iterations }
    }

    /// What [`verify`](Self::verify) is to prove for given weights, unless they are not positive and finite.
    pub(crate) fn claimed(weights: &Array1<f64>, margin_lower: f64, method: Method) -> Option<Self> {
        let weights = Weights::new(weights.iter().copied(), std::iter::repeat_n(0, weights.len()))?;
        Some(Self::new(weights, margin_lower, method, 0))
    }

    /// Proves that the weights `d`, shape `(n,)`, certify the subject, and a margin near the largest that they have. They are kept
    /// up to a power of two common to all.
    ///
    /// Sparse matrices are proved by their Metzler majorant, up to 3,000 rows as dense ones, and beyond by a factorisation that
    /// fits into memory.
    ///
    /// # Errors
    /// [`Error::NotProved`] if they do not certify it, or it cannot be proved in `f64`; [`Error::Shape`],
    /// [`Error::NonFinite`] and [`Error::Invalid`] unless there is one finite positive weight per row; the
    /// errors of [`certify`](super::certify) for a bad matrix.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::stability::diagonal::{Certificate, Method};
    /// let a = array![[-1.0, 4.0], [-4.0, -1.0]];
    /// let certificate = Certificate::from_weights(&a, &array![1.0, 1.0])?;
    /// assert!(certificate.margin_lower() > 0.999 && certificate.method() == Method::Given);
    /// assert!(Certificate::from_weights(&a, &array![1.0, 9.0]).is_err());
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn from_weights<'a, B: Scalar, U: Data<Elem = B>>(
        subject: impl IntoSubject<'a>,
        d: &ArrayBase<U, Ix1>,
    ) -> Result<Self> {
        let (weights, subject) = (Weights::given(&d.mapv(Scalar::to_double))?, subject.into_subject()?);
        match subject.matrix() {
            Matrix::Dense(_) => Self::of_weights(weights, &Pencil::of(&subject), origin(&subject)),
            Matrix::Sparse(_) => sparse::certificate_of(weights, Sparse::of(&subject)),
        }
    }

    /// The certificate that weights are for `W + delta R^-1`.
    pub(super) fn of_weights(weights: Weights, pencil: &Pencil<'_>, delta: f64) -> Result<Self> {
        weights.fit(pencil.size())?;
        let margin = bounds::margin_of_weights(pencil, delta, &weights).ok_or_else(not_negative_definite)?;
        Ok(Self::new(weights, margin, Method::Given, 0))
    }

    /// The weights `d`, all positive (any common factor is as good). Shape `(n,)`.
    ///
    /// Long feed-forward chains need weights whose ratio no `f64` can hold. Entries out of range are then 0 or
    /// infinite here ([`weights_are_representable`](Self::weights_are_representable) says so), while the certificate
    /// itself keeps them exactly: see [`scaled_weights`](Self::scaled_weights).
    pub fn weights(&self) -> ArrayView1<'_, f64> {
        self.values.view()
    }

    /// Whether all of [`weights`](Self::weights) are finite, positive and normal numbers, and so exactly the certificate's.
    pub fn weights_are_representable(&self) -> bool {
        self.values.iter().all(|v| v.is_normal())
    }

    /// The weights as `m_i 2^(e_i)`: mantissas `1 <= m_i < 2` and exponents.
    pub fn scaled_weights(&self) -> (ArrayView1<'_, f64>, &[i32]) {
        (self.weights.mantissa.view(), &self.weights.exponent)
    }

    /// A proved lower bound on the margin: for these weights `D A + A'D + 2 delta D R^-1 < 0` for all `delta` up to it.
    /// `R = I` for a plain matrix. It is 0 where the weights are proved, but no margin is: within rounding errors of the boundary.
    pub fn margin_lower(&self) -> f64 {
        self.margin_lower
    }

    /// How the weights were found.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Interior-point steps that were taken.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Proves `D A + A'D < 0` and the margin again, for any subject, with rounding errors accounted for (theory 3.8).
    ///
    /// # Errors
    /// [`Error::NotProved`] if it does not hold or cannot be proved in `f64`; the errors of
    /// [`certify`](super::certify) for a bad matrix.
    pub fn verify<'a>(&self, subject: impl IntoSubject<'a>) -> Result<()> {
        let subject = subject.into_subject()?;
        match subject.matrix() {
            Matrix::Dense(_) => self.verify_pencil(&Pencil::of(&subject), origin(&subject)),
            Matrix::Sparse(_) => sparse::verify(self, Sparse::of(&subject)),
        }
    }

    /// An error unless it claims something that makes sense for a matrix of so many rows.
    pub(super) fn fits(&self, rows: usize) -> Result<()> {
        let fails = |reason: String| Err(Error::NotProved { reason });
        let weights = self.weights.len();
        if weights != rows {
            return fails(format!("the certificate has {weights} weights, the matrix {rows} rows"));
        }
        if !(self.margin_lower >= 0.0 && self.margin_lower.is_finite()) {
            return fails("the certificate contradicts itself".into());
        }
        Ok(())
    }

    /// Proves the sign and the margin again for `W + delta R^-1`.
    pub(super) fn verify_pencil(&self, pencil: &Pencil<'_>, delta: f64) -> Result<()> {
        self.fits(pencil.size())?;
        let fails = |reason: String| Err(Error::NotProved { reason });
        if bounds::proves_margin(pencil, delta, self.margin_lower, &self.weights, Effort::Full) {
            return Ok(());
        }
        if !bounds::proves_lower(pencil, delta, &self.weights) {
            return Err(not_negative_definite());
        }
        // The majorant's margin can be the exact one, which no factorisation proves.
        let (a, diagonal) = (pencil.matrix(), pencil.diagonal(delta).upper);
        match majorant::margin_of_weights(&a, &a.reversed_axes(), &diagonal, &pencil.rho, &self.values) {
            Some(margin) if margin >= self.margin_lower => Ok(()),
            _ => {
                let margin = AtLeast(self.margin_lower);
                fails(format!("D A + A'D is proved negative definite, but not with the margin {margin:e}"))
            }
        }
    }
}

/// Of `W - R^-1` of a network.
impl stability::Certificate for Certificate {
    type Subject<'a> = Subject<'a>;

    fn verify(&self, subject: &Subject<'_>) -> Result<()> {
        self.verify(subject)
    }

    fn margin(&self) -> Option<f64> {
        Some(self.margin_lower)
    }

    fn implies(&self) -> Implication {
        Condition::DiagonalStability.implies()
    }
}

fn not_negative_definite() -> Error {
    Error::NotProved { reason: "D A + A'D is not proved negative definite".into() }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "stable: diagonally stable with margin at least {:e}, proved by {} weights ({})",
            AtLeast(self.margin_lower),
            self.weights.len(),
            self.method
        )
    }
}
