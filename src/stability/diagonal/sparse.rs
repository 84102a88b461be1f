//! Sparse matrices of any size: refutations by two rows, Perron vectors of Metzler matrices, and certificates by the
//! Metzler majorant.

use std::cell::Cell;
use std::ops::ControlFlow;

use ndarray::{Array1, Array2};
use sprs::{CsMat, CsMatView};

use super::blocks;
use super::certificate::Certificate;
use super::check;
use super::control::{Control, Stop};
use super::large;
use super::majorant::{self, Rows};
use super::method::Method;
use super::metzler::Metzler;
use super::minors;
use super::pencil::{Diagonal, Pencil, origin};
use super::refutation::Refutation;
use super::verdict::{Undecided, Verdict};
use super::weights::Weights;
use crate::error::{Error, Result};
use crate::stability::Subject;
use crate::stability::contraction::Majorant;
use crate::stability::similarity::signature;
use crate::stability::subject::Matrix;

impl Rows for CsMatView<'_, f64> {
    fn size(&self) -> usize {
        self.rows()
    }

    fn off_diagonal(&self, i: usize, mut visit: impl FnMut(usize, f64)) {
        for (j, &v) in self.outer_view(i).expect("a row of the matrix").iter() {
            if v != 0.0 && i != j {
                visit(j, v);
            }
        }
    }
}

/// A Metzler matrix with the weights and the witness that its Perron vectors are.
type ByPerron<'a> = (Metzler<'a>, Option<Weights>, Array2<f64>);

/// Up to this many rows a sparse matrix that its majorant does not decide is treated as a dense one.
const DENSE: usize = 3000;

/// A sparse matrix `W + delta R^-1` in both storage orders.
pub(super) struct Sparse {
    pub(super) rows: CsMat<f64>,
    columns: CsMat<f64>,
    pub(super) rho: Array1<f64>,
    pub(super) delta: f64,
    pub(super) diagonal: Diagonal,
}

impl Sparse {
    /// The subject's matrix at the `delta` of its question.
    pub(super) fn of(subject: &Subject<'_>) -> Self {
        Self::at(subject, origin(subject))
    }

    /// The subject's matrix at another `delta`.
    pub(super) fn at(subject: &Subject<'_>, delta: f64) -> Self {
        let rows = match subject.matrix() {
            Matrix::Sparse(w) => w.to_csr(),
            Matrix::Dense(w) => CsMat::csr_from_dense(w.view(), 0.0),
        };
        let (columns, rho) = (rows.to_csc(), subject.rho().to_owned());
        let diagonal = rows.outer_iterator().enumerate().map(|(i, row)| row.get(i).copied().unwrap_or(0.0));
        let diagonal = Diagonal::new(diagonal, &rho, delta);
        Self { rows, columns, rho, delta, diagonal }
    }

    pub(super) fn size(&self) -> usize {
        self.rho.len()
    }

    /// A proved lower bound on the margin of `A` for weights and a test vector, in terms of `R`.
    fn proved_margin(&self, d: &Array1<f64>, v: &Array1<f64>) -> Option<f64> {
        majorant::proved_margin(
            &self.rows.view(),
            &self.columns.transpose_view(),
            &self.diagonal.upper,
            &self.rho,
            d,
            v,
        )
    }

    /// Positive vectors with `M v < 0` and `M'l < 0` for the Metzler majorant `M`, if they are found.
    fn majorant_vectors(&self, control: &Control<'_>) -> ControlFlow<Stop, Option<[Array1<f64>; 2]>> {
        if !self.diagonal.upper.iter().all(|&d| d < 0.0) {
            return ControlFlow::Continue(None);
        }
        let proceed = || control.proceed_with_sweep(self.rho.len());
        let (diagonal, sweeps) = (&self.diagonal.upper, majorant::SWEEPS);
        let rows = self.rows.view();
        let Some(v) = majorant::interruptible_negative_vector(&rows, diagonal, sweeps, proceed)? else {
            return ControlFlow::Continue(None);
        };
        let columns = self.columns.transpose_view();
        let l = majorant::interruptible_negative_vector(&columns, diagonal, sweeps, proceed)?;
        ControlFlow::Continue(l.map(|l| [v, l]))
    }

    /// Vectors that prove larger margins than the given ones.
    fn towards_perron(&self, v: &Array1<f64>, l: &Array1<f64>) -> (Array1<f64>, Array1<f64>) {
        let (diagonal, rho) = (&self.diagonal.upper, &self.rho);
        let right = majorant::towards_perron(&self.rows.view(), diagonal, rho, v);
        (right, majorant::towards_perron(&self.columns.transpose_view(), diagonal, rho, l))
    }

    /// The margin that the majorant proves for the weights `d`, if any.
    fn margin_of_weights(&self, d: &Array1<f64>) -> Option<f64> {
        if !self.diagonal.upper.iter().all(|&v| v < 0.0) {
            return None;
        }
        let weights = Weights::new(d.iter().copied(), std::iter::repeat_n(0, d.len()))?;
        if let Some(margin) = self.metzler().and_then(|matrix| matrix.margin_above(self.delta, &weights)) {
            return Some(margin);
        }
        let (rows, columns) = (self.rows.view(), self.columns.transpose_view());
        majorant::margin_of_weights(&rows, &columns, &self.diagonal.upper, &self.rho, d)
    }

    /// `W` if signs make it Metzler.
    pub(super) fn metzler(&self) -> Option<Metzler<'_>> {
        let signs = signature(self.rho.len(), self.rows.iter().map(|(&v, (i, j))| (i, j, v)))?;
        Some(Metzler::new(Majorant::of_sparse(self.rows.view()), signs, &self.rho))
    }

    /// `NotStable` if the witness proves it.
    fn refuted(&self, y: Array2<f64>, method: Method) -> Option<Verdict> {
        check::proves_not_stable_by_rows(&self.rows.view(), self.diagonal.lower(), y.view())
            .then(|| Verdict::NotStable(Refutation::new(y, method, 0)))
    }

    /// `W` if signs make it Metzler, and what its Perron vectors are.
    pub(super) fn by_perron(&self, control: &Control<'_>) -> ControlFlow<Stop, Option<ByPerron<'_>>> {
        let Some(matrix) = self.metzler() else { return ControlFlow::Continue(None) };
        let stopped = Cell::new(None);
        let proceed = || match control.proceed_with_sweep(self.rho.len()) {
            _ if stopped.get().is_some() => false,
            ControlFlow::Continue(()) => true,
            ControlFlow::Break(stop) => {
                stopped.set(Some(stop));
                false
            }
        };
        let (weights, witness) = matrix.candidates(&proceed);
        match stopped.get() {
            Some(stop) => ControlFlow::Break(stop),
            None => ControlFlow::Continue(Some((matrix, weights, witness))),
        }
    }

    /// What the diagonal, principal minors of two rows, and Perron vectors decide.
    fn by_structure(&self, control: &Control<'_>) -> ControlFlow<Stop, Option<Verdict>> {
        let n = self.rho.len();
        let found = |verdict: Verdict| ControlFlow::Continue(Some(verdict));
        if let Some(i) = self.diagonal.lower.iter().position(|&d| d >= 0.0) {
            let mut y = Array2::zeros((n, 1));
            y[[i, 0]] = 1.0;
            return found(Verdict::NotStable(Refutation::new(y, Method::Diagonal, 0)));
        }
        let rows = self.rows.view();
        let entry = |i: usize, j: usize| self.rows.get(i, j).copied().unwrap_or(0.0);
        let proves = |y: &Array2<f64>| check::proves_not_stable_by_rows(&rows, self.diagonal.lower(), y.view());
        if let Some(y) = minors::witness(&rows, entry, &self.diagonal.lower, proves) {
            return found(Verdict::NotStable(Refutation::new(y, Method::TwoByTwo, 0)));
        }
        let Some((matrix, weights, witness)) = self.by_perron(control)? else { return ControlFlow::Continue(None) };
        if let Some(weights) = weights
            && let Some(margin) = matrix.margin_above(self.delta, &weights)
        {
            return found(Verdict::Stable(Certificate::new(weights, margin, Method::Metzler, 0)));
        }
        ControlFlow::Continue(self.refuted(witness, Method::Metzler))
    }

    fn dense(&self) -> Pencil<'static> {
        Pencil::new(self.rows.to_dense(), self.rho.clone())
    }
}

/// Decides what the Metzler majorant decides, in O(nonzeros); beyond that, matrices of moderate size are treated as
/// dense.
pub(super) fn certify(a: Sparse, control: &mut Control<'_>) -> Verdict {
    let n = a.size();
    let vectors = match a.by_structure(control) {
        ControlFlow::Continue(Some(verdict)) => return verdict,
        ControlFlow::Continue(None) => a.majorant_vectors(control),
        ControlFlow::Break(stop) => ControlFlow::Break(stop),
    };
    let stop = match vectors {
        ControlFlow::Continue(Some([v, l])) => {
            let refined = a.towards_perron(&v, &l);
            let proved = |(v, l): (Array1<f64>, Array1<f64>)| {
                // The weights as they are handed out, which differ by a power of two.
                let weights = Weights::new(l / &v, std::iter::repeat_n(0, n))?;
                Some((a.proved_margin(&weights.values(), &v)?, weights))
            };
            let best = [refined, (v, l)].into_iter().filter_map(proved).max_by(|p, q| p.0.total_cmp(&q.0));
            if let Some((margin, weights)) = best {
                return Verdict::Stable(Certificate::new(weights, margin, Method::Metzler, 0));
            }
            None
        }
        ControlFlow::Continue(None) => None,
        ControlFlow::Break(stop) => Some(stop),
    };
    let Some(stop) = stop else {
        let dense = n <= DENSE;
        return if dense { blocks::certify(&a.dense(), a.delta, control) } else { large::certify(a, control) };
    };
    let upper = a.diagonal.lower.iter().zip(&a.rho).fold(f64::INFINITY, |m, (&d, &rho)| m.min((-d * rho).next_up()));
    Verdict::Undecided(Undecided::new((f64::NEG_INFINITY, upper), Method::Metzler, 0, stop))
}

/// The certificate that given weights are, with the margin that is proved for them.
pub(super) fn certificate_of(weights: Weights, a: Sparse) -> Result<Certificate> {
    let n = a.size();
    weights.fit(n)?;
    if let Some(margin) = a.margin_of_weights(&weights.values()) {
        return Ok(Certificate::new(weights, margin, Method::Given, 0));
    }
    if n <= DENSE {
        return Certificate::of_weights(weights, &a.dense(), a.delta);
    }
    large::certificate_of(weights, a).ok_or_else(not_proved_by_majorant)
}

fn not_proved_by_majorant() -> Error {
    let reason =
        "neither the Metzler majorant nor a factorisation that fits into memory proves D A + A'D negative definite";
    Error::NotProved { reason: reason.into() }
}

/// Proves a refutation for a sparse matrix again, in `O(nonzeros)` for each column of the witness.
pub(super) fn verify_refutation(refutation: &Refutation, a: &Sparse) -> Result<()> {
    refutation.fits(a.size())?;
    let rows = if refutation.is_of_transpose() { a.columns.transpose_view() } else { a.rows.view() };
    if check::proves_not_stable_by_rows(&rows, a.diagonal.lower(), refutation.witness()) {
        Ok(())
    } else {
        Err(refutation.not_proved())
    }
}

/// Proves a certificate for a sparse matrix again: by the majorant, or as a dense matrix of moderate size.
pub(super) fn verify(certificate: &Certificate, a: Sparse) -> Result<()> {
    let n = a.size();
    certificate.fits(n)?;
    if certificate.weights_are_representable()
        && a.margin_of_weights(&certificate.weights().to_owned())
            .is_some_and(|margin| margin >= certificate.margin_lower())
    {
        return Ok(());
    }
    if n <= DENSE {
        return certificate.verify_pencil(&a.dense(), a.delta);
    }
    if large::proves(&certificate.weights().to_owned(), certificate.margin_lower(), a) {
        return Ok(());
    }
    Err(not_proved_by_majorant())
}
