//! Matrices with nonnegative off-diagonal entries, up to the signs of a diagonal similarity, decided and measured by
//! Perron vectors in products by the matrix alone (theory 3.6, 3.13 d).
//!
//! For such a `W` the pencil `W + delta R^-1` is diagonally stable iff it is Hurwitz: the margin `delta*(W; R)` is
//! minus the spectral abscissa of `R W`. With positive right and left eigenvectors `v` and `l` of `R W`, the weights `D
//! = R diag(l/v)` attain it, and `X = v v'` refutes what is above, since `(A X)_ii = (A v)_i v_i`. Signs `s` with `s_i
//! w_ij s_j >= 0` change `v` to `s v`, and `D` not.

use ndarray::{Array1, Array2, Axis, Zip};

use super::block::{Block, Outcome};
use super::bounds;
use super::method::Method;
use super::pencil::Pencil;
use super::weights::Weights;
use crate::linalg::rounding::{add_up, mul_up, sub_down};
use crate::stability::contraction::{Enclosed, Majorant, PerronOptions, search_vector, search_vector_while};
use crate::stability::similarity::{entries, signature};

/// A matrix `W` that signs make Metzler, by the magnitudes of its rows and columns, with slopes `R`.
pub(super) struct Metzler<'a> {
    rows: Majorant,
    columns: Majorant,
    signs: Array1<f64>,
    rho: &'a Array1<f64>,
}

impl<'a> Metzler<'a> {
    /// `None` if no signs make the matrix Metzler.
    pub(super) fn of_pencil(pencil: &'a Pencil<'a>) -> Option<Self> {
        let signs = signature(pencil.size(), entries(pencil.matrix()))?;
        Some(Self::new(Majorant::of_dense(pencil.matrix()), signs, &pencil.rho))
    }

    /// Of the majorant of a matrix, and the signs that make it Metzler.
    pub(super) fn new(rows: Majorant, signs: Array1<f64>, rho: &'a Array1<f64>) -> Self {
        Self { columns: rows.transposed(), rows, signs, rho }
    }

    /// Right and left Perron vectors of `R W`, to working precision, and the strongly connected component of every row.
    fn vectors(&self, proceed: &dyn Fn() -> bool) -> (Array1<f64>, Array1<f64>, Vec<u32>) {
        let (rho, ones) = (self.rho.to_vec(), vec![1.0; self.rho.len()]);
        let search = |m: Majorant| search_vector_while(&m, &PerronOptions::default(), proceed);
        let right = search(self.rows.clone().scaled(&rho, &ones));
        let left = search(self.columns.clone().scaled(&ones, &rho));
        (right.vector.into(), left.vector.into(), right.component)
    }

    /// Weights near the best, and the vector of the component with the largest abscissa, padded by zeros.
    ///
    /// The search for them ends where it is once `proceed`, asked before each product, says no.
    pub(super) fn candidates(&self, proceed: &dyn Fn() -> bool) -> (Option<Weights>, Array2<f64>) {
        let (right, left, component) = self.vectors(proceed);
        let d = Zip::from(&left).and(&right).and(self.rho).map_collect(|l, v, rho| l / v * rho);
        let weights = Weights::new(d, std::iter::repeat_n(0, right.len()));
        let mut least = vec![f64::INFINITY; component.iter().max().map_or(0, |&c| c as usize + 1)];
        for (i, &c) in component.iter().enumerate() {
            let inputs: f64 = self.rows.row(i).filter(|&(j, _)| component[j] == c).map(|(j, w)| w * right[j]).sum();
            let ratio = self.rho[i] * (self.rows.diagonal[i] + inputs / right[i]);
            least[c as usize] = least[c as usize].min(ratio);
        }
        let leading = (0..least.len()).max_by(|&a, &b| least[a].total_cmp(&least[b])).unwrap_or(0);
        let signed = |i: usize, &v: &f64, s: &f64| if component[i] as usize == leading { s * v } else { 0.0 };
        let witness = Zip::indexed(&right).and(&self.signs).map_collect(signed);
        (weights, witness.insert_axis(Axis(1)))
    }

    /// A proved `m` such that the weights certify `W + delta R^-1` for every `delta < m`, near the largest there is.
    ///
    /// Up to signs, `S = -(D(W + delta R^-1) + (..)')` has no positive entry off the diagonal, so that it is positive
    /// definite if `S v > 0` for some `v > 0`; of all, the Perron vector of `(R W + R D^-1 W'D)/2` serves the largest
    /// `delta`, and is found anew for any weights.
    pub(super) fn margin(&self, weights: &Weights) -> Option<f64> {
        let d = weights.values();
        let usable = |x: &f64| (1e-150..1e150).contains(x);
        if d.len() != self.rho.len() || !d.iter().all(usable) {
            return None;
        }
        let similar = Majorant::mean(
            &self.rows.clone().scaled(&self.rho.to_vec(), &vec![1.0; d.len()]),
            &self.columns.clone().scaled(&(self.rho / &d).to_vec(), &d.to_vec()),
        );
        let found = search_vector(&similar, &PerronOptions::default());
        let v = Enclosed::exact(&found.vector);
        let dv = v.times(&d.to_vec());
        let mut margin = f64::INFINITY;
        for i in 0..d.len() {
            let row = self.rows.quotient(i, &v, &v, |_| true).upper;
            let column = self.columns.quotient(i, &dv, &dv, |_| true).upper;
            let gain = add_up(self.rows.diagonal[i], mul_up(0.5, add_up(row, column)));
            margin = margin.min(-mul_up(self.rho[i], gain));
        }
        margin.is_finite().then_some(margin)
    }

    /// What [`margin`](Self::margin) leaves above `delta`, such that `delta` plus it is below that margin, even rounded
    /// upward.
    pub(super) fn margin_above(&self, delta: f64, weights: &Weights) -> Option<f64> {
        let margin = self.margin(weights)?;
        let above = sub_down(margin.next_down().next_down(), delta);
        (above > 0.0 && add_up(delta, above) < margin).then_some(above)
    }
}

/// Decides a Metzler matrix, reducible or not, unless it is within rounding errors of the boundary.
pub(super) fn decide(block: &Block<'_>) -> Option<Outcome> {
    let matrix = Metzler::of_pencil(block.pencil)?;
    let method = Method::Metzler;
    let (weights, witness) = matrix.candidates(&|| true);
    if let Some(weights) = &weights
        && matrix.margin(weights).is_some_and(|margin| block.delta < margin)
    {
        return Some(Outcome::Stable { weights: weights.clone(), method });
    }
    block.not_stable(witness, method).or_else(|| block.stable(weights, method))
}

/// Bounds on the margin of a Metzler pencil with the weights and the witness that prove them.
pub(super) struct Measured {
    pub(super) lower: f64,
    pub(super) weights: Weights,
    pub(super) upper: f64,
    pub(super) witness: Array2<f64>,
}

pub(super) fn measure(pencil: &Pencil<'_>) -> Option<Measured> {
    let matrix = Metzler::of_pencil(pencil)?;
    let (weights, witness) = matrix.candidates(&|| true);
    let weights = weights?;
    let lower = matrix.margin(&weights)?.next_down();
    let upper = bounds::upper(pencil, &witness)?;
    Some(Measured { lower, weights, upper, witness })
}
