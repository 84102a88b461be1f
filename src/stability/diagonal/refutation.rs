//! Witnesses that refute diagonal stability.

use std::fmt;

use ndarray::{Array2, ArrayView2};

use super::check;
use super::method::Method;
use super::pencil::{Diagonal, Pencil, origin};
use super::sparse::{self, Sparse};
use crate::error::{Error, Result};
use crate::stability::subject::Matrix;
use crate::stability::{self, IntoSubject, Subject};

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

/// It says of no network that it does not settle.
impl stability::Certificate for Refutation {
    type Subject<'a> = Subject<'a>;

    fn verify(&self, subject: &Subject<'_>) -> Result<()> {
        self.verify(subject)
    }
}
