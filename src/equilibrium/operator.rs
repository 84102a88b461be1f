//! The linearised network `(I - Lambda W)^{-1} Lambda`: Newton's steps and the response to inputs are its products.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use super::drive::Task;
use super::krylov::{Effort, gmres};
use crate::Scalar;
use crate::error::{Error, Result};
use crate::game::NeuralGame;
use crate::linalg::Lu;
use crate::network::{Weights, WeightsView};
use crate::stability::NetworkCertificate;
use crate::stability::local::fits_densely;

/// Sparse networks with at most this many active neurons are factorised as dense ones.
const DENSE_BELOW: usize = 1500;

/// Interactions other than synapses are factorised up to this number of active neurons: as many products by the Jacobian make it
/// dense.
const FACTORISED_PRODUCTS: usize = 300;

/// How the drives depend on the rates near a state.
#[derive(Clone)]
pub(super) enum Coupling<'a, A: Scalar> {
    /// By the weights, at every state.
    Synapses(&'a Weights<A>),
    /// By the Jacobian of the drive at these rates.
    Jacobian { game: &'a NeuralGame<A>, x: Array1<A>, input: Array1<A> },
}

impl<'a, A: Scalar> Coupling<'a, A> {
    pub(super) fn at(task: &Task<'a, A>, x: &Array1<A>) -> Self {
        match task.game.synapses() {
            Some(weights) => Coupling::Synapses(weights),
            None => Coupling::Jacobian { game: task.game, x: x.clone(), input: task.input.clone() },
        }
    }

    fn len(&self) -> usize {
        match self {
            Coupling::Synapses(weights) => weights.len(),
            Coupling::Jacobian { x, .. } => x.len(),
        }
    }

    /// `W v`, or `J v`.
    pub(super) fn dot(&self, v: ArrayView1<'_, A>) -> Array1<A> {
        match self {
            Coupling::Synapses(weights) => weights.dot(v),
            Coupling::Jacobian { game, x, input } => {
                let mut out = Array1::zeros(v.len());
                game.interaction().jacobian_product(x.view(), input.view(), v, out.view_mut());
                out
            }
        }
    }

    /// `W' v`; only responses ask for it, and only networks with synapses have them.
    fn dot_transposed(&self, v: ArrayView1<'_, A>) -> Array1<A> {
        match self {
            Coupling::Synapses(weights) => weights.dot_transposed(v),
            Coupling::Jacobian { .. } => unreachable!("transposes are asked for with synapses only"),
        }
    }

    /// The rows and columns of these neurons.
    fn block(&self, members: &[usize]) -> Array2<A> {
        match self {
            Coupling::Synapses(weights) => match weights.view() {
                WeightsView::Dense(w) => gather(w, members),
                WeightsView::Sparse(_) => {
                    let mut place = vec![usize::MAX; weights.len()];
                    members.iter().enumerate().for_each(|(k, &i)| place[i] = k);
                    let mut block = Array2::zeros((members.len(), members.len()));
                    for (row, &i) in members.iter().enumerate() {
                        for (j, w) in weights.row(i).filter(|(j, _)| place[*j] != usize::MAX) {
                            block[[row, place[j]]] = w;
                        }
                    }
                    block
                }
            },
            Coupling::Jacobian { .. } => {
                let mut block = Array2::zeros((members.len(), members.len()));
                let mut unit = Array1::zeros(self.len());
                for (k, &j) in members.iter().enumerate() {
                    unit[j] = A::one();
                    let column = self.dot(unit.view());
                    unit[j] = A::zero();
                    members.iter().enumerate().for_each(|(row, &i)| block[[row, k]] = column[i]);
                }
                block
            }
        }
    }
}

/// `(I - Lambda W)^{-1} Lambda` for fixed slopes `Lambda`, without forming the inverse.
///
/// Neurons of slope 0 do not respond and drop out. On the others, with `a = sqrt(d lambda)`, `b = sqrt(lambda / d)`, the operator is
/// `b (I - a W b)^{-1} a`. If `D` certifies the network with margin `delta`, the symmetric part of `I - a W b` is at least
/// `min(1, delta) I`, for all slopes alike, so that restarted GMRES converges whatever its restart length
/// (Eisenstat, Elman & Schultz, SIAM J. Numer. Anal. 20, 1983).
pub(super) struct ResponseOperator<'a, A: Scalar> {
    coupling: Coupling<'a, A>,
    active: Vec<usize>,
    /// `sqrt(d lambda)` and `sqrt(lambda / d)` of the active neurons.
    into: Array1<A>,
    out_of: Array1<A>,
    kernel: Kernel<A>,
    effort: Effort,
}

enum Kernel<A: Scalar> {
    /// `I - a W b` on the active neurons, factorised.
    Factor(Lu<A>),
    /// `a W b` is applied as it is.
    Product,
}

impl<'a, A: Scalar> ResponseOperator<'a, A> {
    /// Without a certificate, `D = I`.
    pub(super) fn new(
        coupling: Coupling<'a, A>,
        slopes: ArrayView1<'_, A>,
        certificate: Option<&NetworkCertificate>,
    ) -> Self {
        let active: Vec<usize> = (0..slopes.len()).filter(|&i| slopes[i] > A::zero()).collect();
        let weight = |i: usize| certificate.map_or(1.0, |certificate| certificate.weights()[i]);
        let into: Array1<A> = active.iter().map(|&i| A::of((weight(i) * slopes[i].to_double()).sqrt())).collect();
        let out_of: Array1<A> = active.iter().map(|&i| A::of((slopes[i].to_double() / weight(i)).sqrt())).collect();
        let factorised = match &coupling {
            Coupling::Synapses(weights) => match weights.view() {
                WeightsView::Dense(_) => true,
                WeightsView::Sparse(_) => active.len() <= DENSE_BELOW,
            },
            Coupling::Jacobian { .. } => active.len() <= FACTORISED_PRODUCTS,
        };
        let kernel =
            if factorised { Kernel::Factor(factor(&coupling, &active, &into, &out_of)) } else { Kernel::Product };
        Self { coupling, active, into, out_of, kernel, effort: Effort::FULL }
    }

    pub(super) fn coupling(&self) -> &Coupling<'a, A> {
        &self.coupling
    }

    /// With less effort where the linear systems are solved by iteration.
    pub(super) fn with_effort(self, effort: Effort) -> Self {
        Self { effort, ..self }
    }

    /// Whether `I - Lambda W` has a negative determinant; unknown, so taken not to, where it is not factorised.
    pub(super) fn reverses(&self) -> bool {
        match &self.kernel {
            Kernel::Factor(lu) => lu.reverses(),
            Kernel::Product => false,
        }
    }

    /// `(I - Lambda W)^{-1} Lambda v`.
    ///
    /// # Errors
    /// A singular matrix, or GMRES without convergence.
    pub(super) fn solve(&self, v: ArrayView1<'_, A>) -> Result<Array1<A>> {
        self.apply(v, false)
    }

    /// `Lambda (I - W' Lambda)^{-1} v`, the transpose.
    ///
    /// # Errors
    /// As for [`solve`](Self::solve).
    pub(super) fn solve_transposed(&self, v: ArrayView1<'_, A>) -> Result<Array1<A>> {
        self.apply(v, true)
    }

    fn apply(&self, v: ArrayView1<'_, A>, transposed: bool) -> Result<Array1<A>> {
        let (into, out_of) = if transposed { (&self.out_of, &self.into) } else { (&self.into, &self.out_of) };
        let rhs: Array1<A> = self.active.iter().zip(into).map(|(&i, &s)| s * v[i]).collect();
        let y = match &self.kernel {
            _ if rhs.is_empty() => rhs,
            Kernel::Factor(lu) => {
                let rhs = rhs.insert_axis(Axis(1));
                let y = if transposed { lu.solve_transposed(rhs.view())? } else { lu.solve(rhs.view())? };
                y.remove_axis(Axis(1))
            }
            Kernel::Product => gmres(|y| self.kernel_product(y, transposed), &rhs, self.effort)?,
        };
        let mut full = Array1::zeros(v.len());
        for ((&i, &s), y) in self.active.iter().zip(out_of).zip(y) {
            full[i] = s * y;
        }
        Ok(full)
    }

    /// The operator as a matrix, `[n, n]`.
    ///
    /// # Errors
    /// More neurons than a dense matrix has room for, and as for [`solve`](Self::solve).
    pub(super) fn matrix(&self) -> Result<Array2<A>> {
        let n = self.coupling.len();
        fits_densely(n, "the matrix of a response")?;
        let mut full = Array2::zeros((n, n));
        match &self.kernel {
            Kernel::Factor(lu) if !self.active.is_empty() => {
                let columns = lu.solve(Array2::from_diag(&self.into).view())?;
                for (row, &i) in self.active.iter().enumerate() {
                    for (column, &j) in self.active.iter().enumerate() {
                        full[[i, j]] = self.out_of[row] * columns[[row, column]];
                    }
                }
            }
            _ => {
                for &j in &self.active {
                    let mut unit = Array1::zeros(n);
                    unit[j] = A::one();
                    full.column_mut(j).assign(&self.solve(unit.view())?);
                }
            }
        }
        Ok(full)
    }

    /// `(I - a W b) y`, or its transpose.
    fn kernel_product(&self, y: &Array1<A>, transposed: bool) -> Array1<A> {
        let (into, out_of) = if transposed { (&self.out_of, &self.into) } else { (&self.into, &self.out_of) };
        let mut full = Array1::zeros(self.coupling.len());
        for ((&i, &s), &y) in self.active.iter().zip(out_of).zip(y) {
            full[i] = s * y;
        }
        let image = if transposed { self.coupling.dot_transposed(full.view()) } else { self.coupling.dot(full.view()) };
        self.active.iter().zip(into).zip(y).map(|((&i, &s), &y)| y - s * image[i]).collect()
    }
}

fn factor<A: Scalar>(coupling: &Coupling<'_, A>, active: &[usize], into: &Array1<A>, out_of: &Array1<A>) -> Lu<A> {
    let mut matrix = coupling.block(active);
    for ((row, mut entries), &s) in matrix.axis_iter_mut(Axis(0)).enumerate().zip(into) {
        ndarray::Zip::from(&mut entries).and(out_of).for_each(|w, &b| *w = -s * *w * b);
        entries[row] += A::one();
    }
    Lu::new(matrix.view(), "I - Lambda W")
}

fn gather<A: Scalar>(w: ArrayView2<'_, A>, active: &[usize]) -> Array2<A> {
    if active.len() == w.nrows() {
        return w.to_owned();
    }
    Array2::from_shape_fn((active.len(), active.len()), |(i, j)| w[[active[i], active[j]]])
}

pub(super) fn no_convergence() -> Error {
    Error::NoConvergence { what: "GMRES for I - Lambda W".into() }
}
