//! What a decision about a matrix hands over: a proof of stability, a refutation, or bounds.

#[cfg(feature = "serde")]
pub(super) mod stored;

use std::fmt;

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, Data, Ix1};

use super::almost_sure::AlmostSureCertificate;
use super::bounds;
use super::check::{self, Effort};
use super::majorant;
use super::pencil::{Diagonal, Pencil, origin};
use super::sparse::{self, Sparse};
use super::weights::Weights;
use crate::Scalar;
use crate::error::{Error, Result};
use crate::linalg::decimal::{AtLeast, AtMost};
use crate::stability::subject::Matrix;
use crate::stability::{self, Bounds, Condition, Implication, IntoSubject, Subject};

/// The answer to "is this matrix Lyapunov diagonally stable?".
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Verdict {
    /// Yes, with a `D` that proves it.
    Stable(Certificate),
    /// Yes, with a `D`, up to a stated probability of error over the algorithm's random choices: sparse matrices that are too large
    /// for a factorisation.
    AlmostSurelyStable(AlmostSureCertificate),
    /// No, with an `X` that proves it.
    NotStable(Refutation),
    /// Too near the boundary, or out of time; with proved bounds on the margin.
    Undecided(Undecided),
}

impl stability::Certificate for Verdict {
    type Subject<'a> = Subject<'a>;

    /// The bounds of an undecided verdict have nothing to prove them with.
    fn verify(&self, subject: &Subject<'_>) -> Result<()> {
        match self {
            Verdict::Stable(certificate) => certificate.verify(subject),
            Verdict::AlmostSurelyStable(certificate) => certificate.verify(subject),
            Verdict::NotStable(refutation) => refutation.verify(subject),
            Verdict::Undecided(_) => {
                Err(Error::NotProved { reason: "bounds of an undecided verdict come without a proof".into() })
            }
        }
    }

    fn margin(&self) -> Option<f64> {
        match self {
            Verdict::Stable(certificate) => Some(certificate.margin_lower),
            Verdict::AlmostSurelyStable(certificate) => Some(certificate.margin_lower()),
            Verdict::NotStable(_) | Verdict::Undecided(_) => None,
        }
    }

    fn implies(&self) -> Implication {
        match self {
            Verdict::Stable(certificate) => certificate.implies(),
            Verdict::AlmostSurelyStable(certificate) => certificate.implies(),
            Verdict::NotStable(_) | Verdict::Undecided(_) => Implication::nothing(),
        }
    }

    fn error_probability(&self) -> Option<f64> {
        self.almost_sure_certificate().map(AlmostSureCertificate::error_probability)
    }
}

impl Verdict {
    /// Whether stability is proved.
    pub fn is_stable(&self) -> bool {
        matches!(self, Verdict::Stable(_))
    }

    /// Whether instability is proved.
    pub fn is_not_stable(&self) -> bool {
        matches!(self, Verdict::NotStable(_))
    }

    /// The certificate, if stability is proved.
    pub fn certificate(&self) -> Option<&Certificate> {
        if let Verdict::Stable(c) = self { Some(c) } else { None }
    }

    /// The weights with a probability of error, if that is the answer.
    pub fn almost_sure_certificate(&self) -> Option<&AlmostSureCertificate> {
        if let Verdict::AlmostSurelyStable(c) = self { Some(c) } else { None }
    }

    /// The refutation, if instability is proved.
    pub fn refutation(&self) -> Option<&Refutation> {
        if let Verdict::NotStable(r) = self { Some(r) } else { None }
    }

    /// How the verdict was found.
    pub fn method(&self) -> Method {
        match self {
            Verdict::Stable(c) => c.method,
            Verdict::AlmostSurelyStable(_) => Method::Ascent,
            Verdict::NotStable(r) => r.method,
            Verdict::Undecided(u) => u.method,
        }
    }

    /// Interior-point steps that were taken, over all strongly connected blocks; for large sparse matrices those of the ascent, or
    /// of the randomised proof.
    pub fn iterations(&self) -> usize {
        match self {
            Verdict::Stable(c) => c.iterations,
            Verdict::AlmostSurelyStable(c) => c.steps(),
            Verdict::NotStable(r) => r.iterations,
            Verdict::Undecided(u) => u.iterations,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Stable(c) => c.fmt(f),
            Verdict::AlmostSurelyStable(c) => c.fmt(f),
            Verdict::NotStable(r) => r.fmt(f),
            Verdict::Undecided(u) => u.fmt(f),
        }
    }
}

/// How a certificate or a refutation was found. The proof does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Method {
    /// From the sign of a diagonal entry.
    Diagonal,
    /// The closed form for two rows, or a principal minor of two rows.
    TwoByTwo,
    /// The matrix is symmetric, or a positive diagonal makes it so.
    Symmetrizable,
    /// Nonnegative vectors of the Metzler matrix, or of the Metzler majorant.
    Metzler,
    /// Weights that balance rows and columns.
    Balancing,
    /// Descent of the largest eigenvalue of the symmetric part, by products alone.
    Ascent,
    /// The primal-dual interior point.
    InteriorPoint,
    /// An exact null vector of whole numbers, of the matrix or of its transpose.
    NullVector,
    /// The certificates of the strongly connected blocks, put together.
    Blocks,
    /// The search for the margin.
    Margin,
    /// They were given: by the caller, or by a circuit's closed form.
    Given,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Diagonal => "diagonal",
            Method::TwoByTwo => "two_by_two",
            Method::Symmetrizable => "symmetrizable",
            Method::Metzler => "metzler",
            Method::Balancing => "balancing",
            Method::Ascent => "ascent",
            Method::InteriorPoint => "interior_point",
            Method::NullVector => "null_vector",
            Method::Blocks => "blocks",
            Method::Margin => "margin",
            Method::Given => "given",
        })
    }
}

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

/// It says of no network that it does not settle.
impl stability::Certificate for Refutation {
    type Subject<'a> = Subject<'a>;

    fn verify(&self, subject: &Subject<'_>) -> Result<()> {
        self.verify(subject)
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

/// A proof that `A` is not Lyapunov diagonally stable: a `Y` for which `X = Y Y'` has `(A X)_ii >= 0` for all `i`, or
/// `(A'X)_ii >= 0` for all `i`.
///
/// For any positive diagonal `D` the first gives `tr(X (D A + A'D)) = 2 sum d_i (A X)_ii >= 0` (theory 3.1), so that
/// `D A + A'D` is not negative definite. The second gives `tr(D^-1 X D^-1 (D A + A'D)) = 2 sum (A'X)_ii / d_i >= 0`:
/// `A` is diagonally stable iff its transpose is (theory 3.14). [`is_of_transpose`](Self::is_of_transpose) tells which
/// it is; the second is handed over only where no exact witness of the first kind was found.
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::diagonal::{certify, Verdict};
/// let a = array![[-1.0, 2.0], [2.0, -1.0]];
/// let Verdict::NotStable(refutation) = certify(&a)? else { panic!("1 is an eigenvalue") };
/// refutation.verify(&a)?;
/// let y = refutation.witness();
/// let ax = a.dot(&y).dot(&y.t());
/// assert!(ax.diag().iter().all(|&v| v >= 0.0));
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Refutation {
    witness: Array2<f64>,
    transposed: bool,
    method: Method,
    iterations: usize,
}

impl Refutation {
    pub(super) fn new(witness: Array2<f64>, method: Method, iterations: usize) -> Self {
        Self { witness, transposed: false, method, iterations }
    }

    /// The refutation of `A` that a witness for its transpose is.
    pub(super) fn of_transpose(witness: Array2<f64>, method: Method, iterations: usize) -> Self {
        Self { witness, transposed: true, method, iterations }
    }

    /// The matrix `Y`, shape `(n, r)` with `1 <= r <= n`. Rows of zeros are those that the refutation does not need:
    /// the others already span a principal submatrix that is not diagonally stable.
    pub fn witness(&self) -> ArrayView2<'_, f64> {
        self.witness.view()
    }

    /// Whether the witness is one for the transpose: `(A'Y Y')_ii >= 0` for all `i`, in place of `(A Y Y')_ii >= 0`.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::stability::diagonal::certify;
    /// // Every column sums to 0, so that (1, 1, 1) is a null vector of the transpose.
    /// let a = array![[-5.0, 1.0, 3.0], [2.0, -4.0, 4.0], [3.0, 3.0, -7.0]];
    /// let verdict = certify(&a)?;
    /// let refutation = verdict.refutation().expect("the matrix is singular");
    /// refutation.verify(&a)?;
    /// let y = refutation.witness();
    /// let of = if refutation.is_of_transpose() { a.t() } else { a.view() };
    /// assert!(of.dot(&y).dot(&y.t()).diag().iter().all(|&v| v >= 0.0));
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn is_of_transpose(&self) -> bool {
        self.transposed
    }

    /// How the witness was found.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Interior-point steps that were taken.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Proves `(A Y Y')_ii >= 0`, or the same of the transpose, again, for any subject, with rounding errors accounted
    /// for (theory 3.8); for sparse ones in `O(nonzeros)` for each column of the witness.
    ///
    /// # Errors
    /// [`Error::NotProved`] if it does not hold or cannot be proved in `f64`; the errors of
    /// [`certify`](super::certify) for a bad matrix.
    pub fn verify<'a>(&self, subject: impl IntoSubject<'a>) -> Result<()> {
        let subject = subject.into_subject()?;
        match subject.matrix() {
            Matrix::Dense(_) => {
                let pencil = Pencil::of(&subject);
                self.verify_pencil(&pencil, &pencil.diagonal(origin(&subject)))
            }
            Matrix::Sparse(_) => sparse::verify_refutation(self, &Sparse::of(&subject)),
        }
    }

    /// An error unless the witness is for a matrix of so many rows.
    pub(super) fn fits(&self, rows: usize) -> Result<()> {
        let own = self.witness.nrows();
        if own == rows {
            return Ok(());
        }
        Err(Error::NotProved { reason: format!("the witness has {own} rows, the matrix {rows}") })
    }

    fn verify_pencil(&self, pencil: &Pencil<'_>, diagonal: &Diagonal) -> Result<()> {
        self.fits(pencil.size())?;
        let a = pencil.matrix();
        let a = if self.transposed { a.reversed_axes() } else { a };
        if check::proves_not_stable(a, diagonal.lower(), self.witness.view()) { Ok(()) } else { Err(self.not_proved()) }
    }

    pub(super) fn not_proved(&self) -> Error {
        let product = if self.transposed { "A'Y Y'" } else { "A Y Y'" };
        Error::NotProved { reason: format!("({product})_ii >= 0 is not proved for every i") }
    }
}

impl fmt::Display for Refutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, rank) = self.witness.dim();
        let of = if self.transposed { " for the transpose" } else { "" };
        write!(
            f,
            "not stable: no diagonal weights exist, proved by a witness{of} of {n} rows and rank at most {rank} ({})",
            self.method
        )
    }
}

/// No verdict, but proved bounds on the margin `delta*(A; R) = sup{delta : A + delta R^-1 is LDS}`, `R = I` for a
/// plain matrix.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Undecided {
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    lower: f64,
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    upper: f64,
    method: Method,
    iterations: usize,
    reason: Stop,
}

/// Why a search ended without a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Stop {
    /// Rounding errors hide on which side of the boundary the matrix lies.
    NearBoundary,
    /// The limit on interior-point steps was reached.
    IterationLimit,
    /// The time limit was reached.
    TimeLimit,
    /// The observer asked to stop.
    Interrupted,
    /// The numbers of a proof leave the range of `f64`.
    Range,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stop::NearBoundary => "too near the boundary for double precision",
            Stop::IterationLimit => "iteration limit reached",
            Stop::TimeLimit => "time limit reached",
            Stop::Interrupted => "interrupted by the observer",
            Stop::Range => "the proof would leave the range of double precision",
        })
    }
}

impl Undecided {
    /// Bounds beyond 0 are moved to it: the margins on both sides of it are for those who make a certificate or a refutation
    /// of them.
    pub(super) fn new((lower, upper): (f64, f64), method: Method, iterations: usize, reason: Stop) -> Self {
        Self { lower: lower.min(0.0), upper: upper.max(0.0), method, iterations, reason }
    }

    /// Proved bounds on the margin, `lower <= 0 <= upper`. Infinite where nothing is proved.
    pub fn bounds(&self) -> Bounds {
        Bounds { lower: self.lower, upper: self.upper }
    }

    /// The last method that was tried.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Interior-point steps that were taken.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Why the search ended.
    pub fn reason(&self) -> Stop {
        self.reason
    }
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lower, upper) = (AtLeast(self.lower), AtMost(self.upper));
        write!(f, "undecided ({}): the margin lies in [{lower:e}, {upper:e}]", self.reason)
    }
}
