//! What is asked about: a matrix, or the weights and slope bounds of a network.

use std::any::Any;
use std::borrow::Cow;

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, CowArray, Data, Ix1, Ix2};
use sprs::CsMat;

use crate::Scalar;
use crate::check::{finite_matrix, non_finite, positive_vector, square};
use crate::error::{Error, Result};
use crate::linalg::rounding::{div_down, div_up, sub_down, sub_up};
use crate::network::{Circuit, Form, FormKind, Network, Weights, WeightsView, fingerprint_of};

use super::Bounds;

const NEED: &str = "a stability certificate";

/// What a question or a proof is about: a matrix `A`, or synaptic weights `W` with slope bounds `rho`, which stand for
/// `A = W - R^{-1}`, `R = diag(rho)`; dense or sparse, checked once.
///
/// Functions take anything that [`IntoSubject`] makes one: a dense matrix (any ndarray owner, any memory order), a `CsMat`,
/// [`Weights`], a pair `(&w, &rho)`, or a network. Numbers of `f64` in row-major order are borrowed, others copied.
///
/// The diagonal `w_ii - 1/rho_i` is no floating-point number in general. What is proved of a pair or a network holds for the
/// exact one, since it is proved for both ends of an interval that contains it.
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::{IntoSubject, diagonal};
///
/// let w = array![[0.5, -4.0], [3.0, 0.0]];
/// // One check of the arguments for several questions.
/// let subject = (&w, &array![1.0, 1.0]).into_subject()?;
/// assert!(diagonal::certify(&subject)?.is_stable());
/// assert!(diagonal::margin(&subject)?.bounds().contains(0.5));
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    matrix: Matrix<'a>,
    /// The diagonal of `R`: the unit of the margin, and what is subtracted if `shifted`.
    rho: CowArray<'a, f64, Ix1>,
    /// Whether the question is about `W - R^{-1}`.
    shifted: bool,
    flow: Option<Flow<'a>>,
}

/// A square matrix of finite numbers.
#[derive(Debug, Clone)]
pub(crate) enum Matrix<'a> {
    /// In standard layout.
    Dense(CowArray<'a, f64, Ix2>),
    Sparse(Cow<'a, CsMat<f64>>),
}

/// What a network adds to its weights and slopes: how its states move.
#[derive(Debug, Clone)]
struct Flow<'a> {
    form: FormKind,
    tau: CowArray<'a, f64, Ix1>,
}

/// What can be made a [`Subject`]; other proofs than those of this crate may be about subjects `S` of their own.
///
/// | given | the subject |
/// |---|---|
/// | `&a`: a matrix of ndarray, a `CsMat`, or [`Weights`] | the matrix `A` itself |
/// | `(&w, &rho)` | `W - R^{-1}`; as a network, the firing-rate form with time constants 1 |
/// | `&net` | `W - R^{-1}` with the slope bounds of its activations |
/// | a subject, or a reference to one | itself |
pub trait IntoSubject<'a, S = Subject<'a>> {
    /// Checks and converts.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the matrix is square and has one slope per row, [`Error::Empty`] if it has no rows,
    /// [`Error::NonFinite`] for NaN or infinite entries, [`Error::Invalid`] for slopes that are not positive; for networks, an
    /// activation whose slopes are unbounded, or known from samples only, or all zero.
    fn into_subject(self) -> Result<S>;
}

impl<'a> Subject<'a> {
    fn of_matrix(matrix: Matrix<'a>) -> Self {
        let rho = Array1::ones(matrix.size()).into();
        Self { matrix, rho, shifted: false, flow: None }
    }

    fn with_slopes<B: Scalar, T: Data<Elem = B>>(matrix: Matrix<'a>, rho: &ArrayBase<T, Ix1>) -> Result<Self> {
        positive_vector("rho", rho.view(), matrix.size())?;
        Ok(Self { matrix, rho: rho.mapv(Scalar::to_double).into(), shifted: true, flow: None })
    }

    pub(crate) fn of_circuit<A: Scalar>(circuit: &'a Circuit<A>, form: FormKind) -> Result<Self> {
        let rho = circuit.proved_slopes(NEED)?;
        let mut subject = Self::with_slopes(Matrix::of_weights(&circuit.weights)?, &rho)?;
        subject.flow = Some(Flow { form, tau: circuit.time_constants().mapv(Scalar::to_double).into() });
        Ok(subject)
    }

    /// The weights of a circuit with slopes of their own.
    pub(crate) fn of_weights<A: Scalar>(weights: &'a Weights<A>, rho: &Array1<f64>) -> Result<Self> {
        Self::with_slopes(Matrix::of_weights(weights)?, rho)
    }

    /// The same matrix with margins in terms of `rho`, shape `[n]`: [`margin`](super::diagonal::margin()) then bounds the
    /// largest `delta` for which `A + delta R^{-1}` is diagonally stable. Of a pair or a network it is in terms of its slopes
    /// already, of a matrix otherwise in those of `R = I`.
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Invalid`] unless there is one positive number per row; [`Error::Invalid`] for a subject with
    /// slopes.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::stability::{IntoSubject, diagonal};
    /// let a = array![[-1.0, 0.0], [0.0, -1.0]];
    /// let margin = diagonal::margin((&a).into_subject()?.relative_to(&array![2.0, 3.0])?)?;
    /// assert!(margin.bounds().contains(2.0));
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn relative_to<B: Scalar, T: Data<Elem = B>>(mut self, rho: &ArrayBase<T, Ix1>) -> Result<Self> {
        if self.shifted {
            return Err(Error::invalid("subject", "weights with slopes", "a matrix itself"));
        }
        positive_vector("rho", rho.view(), self.size())?;
        self.rho = rho.mapv(Scalar::to_double).into();
        Ok(self)
    }

    /// Number of rows.
    pub fn size(&self) -> usize {
        self.rho.len()
    }

    /// The slope bounds `rho`, shape `[n]`; `None` for a matrix itself.
    pub fn slopes(&self) -> Option<ArrayView1<'_, f64>> {
        self.shifted.then(|| self.rho.view())
    }

    /// `A`, or `W` of a pair or a network, as a dense matrix of shape `[n, n]`; a copy where it is sparse.
    pub fn to_dense(&self) -> CowArray<'_, f64, Ix2> {
        match &self.matrix {
            Matrix::Dense(w) => w.view().into(),
            Matrix::Sparse(w) => w.to_dense().into(),
        }
    }

    pub(crate) fn matrix(&self) -> &Matrix<'a> {
        &self.matrix
    }

    /// The unit of the margin, ones unless there are slopes.
    pub(crate) fn rho(&self) -> ArrayView1<'_, f64> {
        self.rho.view()
    }

    pub(crate) fn is_shifted(&self) -> bool {
        self.shifted
    }

    /// The diagonal of `A`, or of `W` of a pair or a network.
    pub(crate) fn diagonal(&self) -> Vec<f64> {
        match &self.matrix {
            Matrix::Dense(w) => w.diag().to_vec(),
            Matrix::Sparse(w) => (0..w.rows()).map(|i| w.get(i, i).copied().unwrap_or(0.0)).collect(),
        }
    }

    /// Bounds on the diagonal of `A`, or of `W - R^{-1}`, each with two roundings.
    pub(crate) fn diagonal_bounds(&self) -> Vec<Bounds> {
        let leak = |rho: f64| match self.shifted {
            true => Bounds { lower: div_down(1.0, rho), upper: div_up(1.0, rho) },
            false => Bounds { lower: 0.0, upper: 0.0 },
        };
        let entry = |(w, &rho): (f64, &f64)| {
            let leak = leak(rho);
            Bounds { lower: sub_down(w, leak.upper), upper: sub_up(w, leak.lower) }
        };
        self.diagonal().into_iter().zip(&self.rho).map(entry).collect()
    }

    /// How states move, for proofs about trajectories.
    pub(crate) fn form(&self) -> FormKind {
        self.flow.as_ref().map_or(FormKind::FiringRate, |flow| flow.form)
    }

    /// The time constants, ones where nothing is known of them.
    pub(crate) fn time_constants(&self) -> Array1<f64> {
        self.flow.as_ref().map_or_else(|| Array1::ones(self.size()), |flow| flow.tau.to_owned())
    }

    /// A number that tells the matrix from others: that of [`Weights`] of the same real matrix.
    pub(crate) fn fingerprint(&self) -> u64 {
        match &self.matrix {
            Matrix::Dense(w) => fingerprint_of(w.indexed_iter().map(|((i, j), &v)| (i, j, v))),
            Matrix::Sparse(w) => fingerprint_of(w.iter().map(|(&v, (i, j))| (i, j, v))),
        }
    }

    /// The weights of a subject that has slopes, with other slopes.
    pub(crate) fn with_slopes_of(&self, rho: &Array1<f64>) -> Result<Subject<'_>> {
        let mut other = self.reborrowed();
        positive_vector("slope_bounds", rho.view(), self.size())?;
        other.rho = rho.clone().into();
        Ok(other)
    }

    /// The same subject, borrowed.
    fn reborrowed(&self) -> Subject<'_> {
        let matrix = match &self.matrix {
            Matrix::Dense(w) => Matrix::Dense(w.view().into()),
            Matrix::Sparse(w) => Matrix::Sparse(Cow::Borrowed(w)),
        };
        let flow = self.flow.as_ref().map(|flow| Flow { form: flow.form, tau: flow.tau.view().into() });
        Subject { matrix, rho: self.rho.view().into(), shifted: self.shifted, flow }
    }
}

impl<'a> Matrix<'a> {
    fn of_dense<A: Scalar, S: Data<Elem = A>>(a: &'a ArrayBase<S, Ix2>, argument: &str) -> Result<Self> {
        let n = a.nrows();
        square(argument, n, a.ncols())?;
        finite_matrix(argument, a.view())?;
        Ok(Self::of_finite(a.view()))
    }

    fn of_finite<A: Scalar>(a: ArrayView2<'a, A>) -> Self {
        let shape = a.dim();
        let fits = "as many numbers as the matrix has";
        Matrix::Dense(match a.to_slice().map(A::doubles) {
            Some(Cow::Borrowed(doubles)) => ArrayView2::from_shape(shape, doubles).expect(fits).into(),
            Some(Cow::Owned(doubles)) => Array2::from_shape_vec(shape, doubles).expect(fits).into(),
            None => Array2::from_shape_fn(shape, |at| a[at].to_double()).into(),
        })
    }

    fn of_sparse<A: Scalar>(a: &'a CsMat<A>, argument: &str) -> Result<Self> {
        square(argument, a.rows(), a.cols())?;
        if let Some((&value, (i, j))) = a.iter().find(|(v, _)| !v.is_finite()) {
            return Err(non_finite(argument, vec![i, j], value));
        }
        Self::of_finite_sparse(a)
    }

    fn of_finite_sparse<A: Scalar>(a: &'a CsMat<A>) -> Result<Self> {
        if u32::try_from(a.rows()).is_err() {
            return Err(Error::invalid("subject", format!("of {} rows", a.rows()), "fewer than 2^32 rows"));
        }
        Ok(Matrix::Sparse(match (a as &dyn Any).downcast_ref::<CsMat<f64>>() {
            Some(doubles) => Cow::Borrowed(doubles),
            None => Cow::Owned(a.map(|v| v.to_double())),
        }))
    }

    fn of_weights<A: Scalar>(weights: &'a Weights<A>) -> Result<Self> {
        match weights.view() {
            WeightsView::Dense(w) => Ok(Self::of_finite(w)),
            WeightsView::Sparse(w) => Self::of_finite_sparse(w),
        }
    }

    fn size(&self) -> usize {
        match self {
            Matrix::Dense(w) => w.nrows(),
            Matrix::Sparse(w) => w.rows(),
        }
    }
}

impl<'a> IntoSubject<'a> for Subject<'a> {
    fn into_subject(self) -> Result<Subject<'a>> {
        Ok(self)
    }
}

impl<'a> IntoSubject<'a> for &'a Subject<'_> {
    fn into_subject(self) -> Result<Subject<'a>> {
        Ok(self.reborrowed())
    }
}

impl<'a, A: Scalar, S: Data<Elem = A>> IntoSubject<'a> for &'a ArrayBase<S, Ix2> {
    fn into_subject(self) -> Result<Subject<'a>> {
        Ok(Subject::of_matrix(Matrix::of_dense(self, "a")?))
    }
}

impl<'a, A: Scalar> IntoSubject<'a> for &'a CsMat<A> {
    fn into_subject(self) -> Result<Subject<'a>> {
        Ok(Subject::of_matrix(Matrix::of_sparse(self, "a")?))
    }
}

impl<'a, A: Scalar> IntoSubject<'a> for &'a Weights<A> {
    fn into_subject(self) -> Result<Subject<'a>> {
        Ok(Subject::of_matrix(Matrix::of_weights(self)?))
    }
}

impl<'a, A: Scalar, S: Data<Elem = A>, T: Data<Elem = A>> IntoSubject<'a>
    for (&'a ArrayBase<S, Ix2>, &ArrayBase<T, Ix1>)
{
    fn into_subject(self) -> Result<Subject<'a>> {
        Subject::with_slopes(Matrix::of_dense(self.0, "w")?, self.1)
    }
}

impl<'a, A: Scalar, T: Data<Elem = A>> IntoSubject<'a> for (&'a CsMat<A>, &ArrayBase<T, Ix1>) {
    fn into_subject(self) -> Result<Subject<'a>> {
        Subject::with_slopes(Matrix::of_sparse(self.0, "w")?, self.1)
    }
}

impl<'a, A: Scalar, T: Data<Elem = A>> IntoSubject<'a> for (&'a Weights<A>, &ArrayBase<T, Ix1>) {
    fn into_subject(self) -> Result<Subject<'a>> {
        Subject::with_slopes(Matrix::of_weights(self.0)?, self.1)
    }
}

impl<'a, A: Scalar, F: Form> IntoSubject<'a> for &'a Network<A, F> {
    fn into_subject(self) -> Result<Subject<'a>> {
        Subject::of_circuit(self.circuit(), F::KIND)
    }
}
