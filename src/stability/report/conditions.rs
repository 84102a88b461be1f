//! How each condition is examined.

use std::cell::OnceCell;

use ndarray::{Array1, Array2, ArrayView2};

use super::implications::Kind;
use super::{Answer, Condition, Finding};
use crate::Scalar;
use crate::error::Result;
use crate::linalg;
use crate::linalg::balance::{in_units, powers_of_two};
use crate::linalg::rounding::{div_down, div_up, gamma, sub_down, sub_up};
use crate::linalg::verified::proved_positive_definite;
use crate::network::{Form, FormKind, Network};
use crate::stability::contraction::{Contraction, Norm, NormKind, SContraction, log_norm, perron};
use crate::stability::diagonal::{Certifier, Verdict};
use crate::stability::local::fits_densely;
use crate::stability::matrix::{PMatrix, Structure, enclosed, hurwitz, refuting_minor, small_minor, structure};
use crate::stability::network::proved_slopes;
use crate::stability::{Bounds, NetworkVerdict};

/// A network, seen through what the conditions need.
pub(super) struct Examined<'a> {
    /// `R W` or `W R`, each entry with one rounding.
    w: Array2<f64>,
    /// `W` itself.
    weights: Array2<f64>,
    rho: Array1<f64>,
    tau: Array1<f64>,
    /// The norm in which a slope multiplies a whole row of the majorant.
    slope_norm: NormKind,
    certifier: &'a Certifier,
    verdict: OnceCell<Verdict>,
    structure: OnceCell<Structure>,
    network_verdict: Box<dyn Fn(Verdict) -> Result<NetworkVerdict> + 'a>,
    contraction: Box<dyn Fn(NormKind) -> Result<Contraction> + 'a>,
    s_contraction: Box<dyn Fn() -> Result<SContraction> + 'a>,
}

impl<'a> Examined<'a> {
    pub(super) fn new<A: Scalar, F: Form>(net: &'a Network<A, F>, certifier: &'a Certifier) -> Result<Self> {
        fits_densely(net.len(), "a stability report")?;
        let rho = proved_slopes(&net.circuit)?;
        let weights = net.weights().to_dense().mapv(Scalar::to_double);
        // Where a slope multiplies a row of the weights, and where a column.
        let (axis, slope_norm) = match F::KIND {
            FormKind::FiringRate => (ndarray::Axis(1), NormKind::Infinity),
            FormKind::Hopfield => (ndarray::Axis(0), NormKind::One),
        };
        Ok(Self {
            w: &weights * &rho.view().insert_axis(axis),
            weights,
            rho,
            tau: net.time_constants().mapv(Scalar::to_double),
            slope_norm,
            certifier,
            verdict: OnceCell::new(),
            structure: OnceCell::new(),
            network_verdict: Box::new(|verdict| NetworkVerdict::of_matrix(&net.circuit, verdict)),
            contraction: Box::new(|kind| net.contraction(kind)),
            s_contraction: Box::new(|| net.s_contraction()),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.w.nrows()
    }

    /// Fills in everything but the time.
    pub(super) fn examine(&self, finding: &mut Finding) -> Result<()> {
        match finding.condition {
            Condition::RowDominance => self.log_norm(finding, Norm::linf()),
            Condition::ColumnDominance => self.log_norm(finding, Norm::l1()),
            Condition::EuclideanLogNorm => self.log_norm(finding, Norm::l2()),
            Condition::MetzlerInfinity => self.metzler(finding, NormKind::Infinity),
            Condition::MetzlerOne => self.metzler(finding, NormKind::One),
            Condition::SContraction => self.s_contraction(finding),
            Condition::DiagonalStability => self.diagonal_stability(finding),
            Condition::PMatrix => self.p_matrix(finding),
            Condition::DStability => self.d_stability(finding),
            Condition::Hurwitz => self.hurwitz(finding),
        }
    }

    /// `mu(W) < 1`.
    fn log_norm(&self, finding: &mut Finding, norm: Norm) -> Result<()> {
        let mu = self.widened(log_norm(&self.w, &norm)?, &norm);
        let margin = one_minus(mu);
        finding.answer = positive(margin);
        finding.margin = Some(margin);
        finding.largest_gain = Some(inverse(mu));
        Ok(())
    }

    /// Bounds on the log norm of the exact `R W` from those of the rounded one.
    fn widened(&self, mu: Bounds, norm: &Norm) -> Bounds {
        if self.rho.iter().all(|&r| r == 1.0) {
            return mu;
        }
        let sums = |axis| self.w.mapv(f64::abs).sum_axis(axis).fold(0.0f64, |m, &v| m.max(v));
        let size = match norm.kind() {
            NormKind::Infinity => sums(ndarray::Axis(1)),
            NormKind::One => sums(ndarray::Axis(0)),
            NormKind::Two => sums(ndarray::Axis(0)).max(sums(ndarray::Axis(1))),
        };
        let radius = 2.0 * f64::EPSILON * size + f64::MIN_POSITIVE;
        Bounds { lower: sub_down(mu.lower, radius), upper: sub_up(mu.upper, -radius) }
    }

    fn metzler(&self, finding: &mut Finding, kind: NormKind) -> Result<()> {
        let c = (self.contraction)(kind)?;
        finding.answer = positive(c.best_rate());
        finding.margin = Some(c.best_rate());
        if kind == self.slope_norm {
            // The rate is positive iff the majorant of W has abscissa below 1, whatever the time constants.
            finding.largest_gain = Some(inverse(self.majorant_abscissa()?));
        }
        if finding.answer == Answer::Holds {
            finding.norm = Some(c.norm().clone());
        }
        Ok(())
    }

    /// The abscissa grows with every entry of a Metzler matrix, so that rounded products by slopes are bounded by others.
    fn majorant_abscissa(&self) -> Result<Bounds> {
        if self.rho.iter().all(|&r| r == 1.0) {
            return Ok(perron(&self.w)?.abscissa());
        }
        let widened = |sign: f64| {
            Array2::from_shape_fn(self.w.dim(), |(i, j)| {
                let v = if i == j { self.w[[i, j]] } else { self.w[[i, j]].abs() };
                let underflow = if self.weights[[i, j]] == 0.0 { 0.0 } else { f64::MIN_POSITIVE };
                v + sign * (2.0 * f64::EPSILON * v.abs() + underflow)
            })
        };
        let mut lower = widened(-1.0);
        lower.indexed_iter_mut().filter(|((i, j), _)| i != j).for_each(|(_, v)| *v = v.max(0.0));
        Ok(Bounds { lower: perron(&lower)?.abscissa().lower, upper: perron(&widened(1.0))?.abscissa().upper })
    }

    fn s_contraction(&self, finding: &mut Finding) -> Result<()> {
        let c = (self.s_contraction)()?;
        finding.answer = positive(c.best_rate());
        finding.margin = Some(c.best_rate());
        let tau = self.tau[0];
        if self.tau.iter().all(|&t| t == tau) {
            // The rate at gain g is (1 - g r) / tau.
            let rate = c.best_rate();
            let r = Bounds { lower: 1.0 - rate.upper * tau, upper: 1.0 - rate.lower * tau };
            let slack = 4.0 * f64::EPSILON * (1.0 + r.upper.abs());
            finding.largest_gain = Some(inverse(Bounds { lower: (r.lower - slack).max(0.0), upper: r.upper + slack }));
        }
        if finding.answer == Answer::Holds {
            finding.norm = Some(c.norm());
        }
        Ok(())
    }

    fn diagonal_stability(&self, finding: &mut Finding) -> Result<()> {
        let margin = self.certifier.margin((&self.weights, &self.rho))?;
        // A margin is a verdict with tighter proofs than a search for the sign alone finds.
        if self.verdict.get().is_none()
            && let verdict @ (Verdict::Stable(_) | Verdict::NotStable(_)) =
                margin.verdict((&self.weights, &self.rho))?
        {
            self.verdict.get_or_init(|| verdict);
        }
        let mut bounds = margin.bounds();
        let verdict = self.verdict()?;
        if let Some(certificate) = verdict.certificate() {
            bounds.lower = bounds.lower.max(certificate.margin_lower());
        }
        finding.answer = match verdict {
            Verdict::Stable(_) => Answer::Holds,
            Verdict::NotStable(_) => Answer::Fails,
            Verdict::AlmostSurelyStable(_) | Verdict::Undecided(_) => positive(bounds),
        };
        if finding.answer == Answer::Fails {
            // A witness that is exact where the search for the margin is not.
            bounds.upper = bounds.upper.min(0.0);
        }
        finding.margin = Some(bounds);
        finding.largest_gain = Some(margin.max_gain().bounds());
        Ok(())
    }

    fn p_matrix(&self, finding: &mut Finding) -> Result<()> {
        // I - R W is R times R^{-1} - W: the signs of the minors are the same.
        let mut lower = -&self.weights;
        for i in 0..self.len() {
            lower[[i, i]] = sub_down(div_down(1.0, self.rho[i]), self.weights[[i, i]]);
        }
        let upper = self.negated_upper();
        finding.answer = match enclosed(&lower, &upper) {
            Some(PMatrix::Yes) => Answer::Holds,
            Some(PMatrix::No { .. }) => Answer::Fails,
            Some(PMatrix::Undecided) => Answer::Undecided,
            None if small_minor(&upper).is_some() => Answer::Fails,
            None => Answer::Undecided,
        };
        // Of matrices of some structure the verdict decides both ways.
        if finding.answer == Answer::Undecided {
            finding.answer = match self.verdict()? {
                Verdict::Stable(_) => Answer::Holds,
                Verdict::NotStable(_) if self.structure().decides() => Answer::Fails,
                _ => Answer::Undecided,
            };
        }
        Ok(())
    }

    fn d_stability(&self, finding: &mut Finding) -> Result<()> {
        finding.answer = match self.verdict()? {
            Verdict::Stable(_) => Answer::Holds,
            Verdict::NotStable(_) if self.structure().decides() => Answer::Fails,
            _ if refuting_minor(self.negated_upper()).is_some() => Answer::Fails,
            _ => Answer::Undecided,
        };
        Ok(())
    }

    /// Whether a minor of one or two rows refutes the condition, for networks for whom the rest is too costly.
    pub(super) fn refuted_by_small_minor(&self, condition: Condition) -> bool {
        match condition {
            Condition::DiagonalStability | Condition::PMatrix => small_minor(&self.negated_upper()).is_some(),
            Condition::DStability => self.len() > 20 && refuting_minor(self.negated_upper()).is_some(),
            _ => false,
        }
    }

    /// Of `W - R^{-1}`, whose diagonal does not matter for it.
    fn structure(&self) -> Structure {
        *self.structure.get_or_init(|| structure(self.weights.view()))
    }

    pub(super) fn kind(&self) -> Kind {
        Kind { slope_norm: self.slope_norm, structure: self.structure() }
    }

    /// `R^{-1} - W` with its diagonal rounded upward.
    fn negated_upper(&self) -> Array2<f64> {
        let mut upper = -&self.weights;
        for i in 0..self.len() {
            upper[[i, i]] = sub_up(div_up(1.0, self.rho[i]), self.weights[[i, i]]);
        }
        upper
    }

    /// The verdict on `W - R^{-1}`, which several conditions rest on; found once.
    fn verdict(&self) -> Result<&Verdict> {
        if let Some(verdict) = self.verdict.get() {
            return Ok(verdict);
        }
        let verdict = self.certifier.certify((&self.weights, &self.rho))?;
        Ok(self.verdict.get_or_init(|| verdict))
    }

    /// What is known about the network as a whole; `None` if no condition asked.
    pub(super) fn into_network_verdict(self) -> Result<Option<NetworkVerdict>> {
        self.verdict.into_inner().map(self.network_verdict).transpose()
    }

    /// Whether the positive definite `p` has `P A + A'P < 0` for the exact `A = T^{-1} (W - I)`, of which `jacobian` is a rounded
    /// copy.
    fn proves_hurwitz(&self, p: ArrayView2<'_, f64>, jacobian: &Array2<f64>) -> bool {
        let n = self.len();
        // `w - 1` may cancel, so the roundings of `A` are measured by `|w| + 1`; the other terms cover underflow, in `R W` before
        // it is divided by `tau`, and after.
        let size = Array2::from_shape_fn((n, n), |(i, j)| {
            (self.w[[i, j]].abs() + if i == j { 1.0 } else { f64::MIN_POSITIVE }) / self.tau[i] + 1e-290
        });
        let product = linalg::product(p, jacobian.view());
        let magnitude = linalg::product(p.mapv(f64::abs).view(), size.view());
        // Twice what the roundings of `A`, of the product and of the sum can come to.
        let error = 2.0 * gamma(n + 12);
        let symmetric = -(&product + &product.t());
        let radius = (&magnitude + &magnitude.t()).mapv(|m| error * m + 1e-290);
        proved_positive_definite(symmetric.view(), radius.view())
    }

    fn hurwitz(&self, finding: &mut Finding) -> Result<()> {
        let n = self.len();
        let jacobian =
            Array2::from_shape_fn((n, n), |(i, j)| (self.w[[i, j]] - if i == j { 1.0 } else { 0.0 }) / self.tau[i]);
        let balanced = in_units(jacobian.view(), &powers_of_two(jacobian.view()));
        // It follows from diagonal stability, where that is known.
        let follows = self.verdict.get().is_some_and(Verdict::is_stable);
        let (abscissa, proved) = if follows {
            (linalg::eigvals(balanced.view())?.first().map_or(f64::NEG_INFINITY, |v| v.re), true)
        } else {
            let found = hurwitz(&jacobian)?;
            (found.abscissa(), found.lyapunov().is_some_and(|p| self.proves_hurwitz(p, &jacobian)))
        };
        let size = balanced.iter().map(|v| v * v).sum::<f64>().sqrt();
        finding.answer = if proved {
            Answer::Holds
        } else if abscissa > n as f64 * f64::EPSILON * size {
            Answer::Fails
        } else {
            Answer::Undecided
        };
        finding.numerical = true;
        finding.margin = Some(Bounds { lower: -abscissa, upper: -abscissa });
        if self.tau.iter().all(|&t| t == self.tau[0]) {
            let own = in_units(self.w.view(), &powers_of_two(self.w.view()));
            let rightmost = linalg::eigvals(own.view())?.first().map_or(0.0, |v| v.re);
            finding.largest_gain = Some(inverse(Bounds { lower: rightmost, upper: rightmost }));
        }
        Ok(())
    }
}

fn positive(margin: Bounds) -> Answer {
    if margin.lower > 0.0 {
        Answer::Holds
    } else if margin.upper <= 0.0 {
        Answer::Fails
    } else {
        Answer::Undecided
    }
}

fn one_minus(x: Bounds) -> Bounds {
    Bounds { lower: sub_down(1.0, x.upper), upper: sub_up(1.0, x.lower) }
}

/// Bounds on `1 / x`, infinite where `x` is not positive: the largest `g` with `g x < 1`.
fn inverse(x: Bounds) -> Bounds {
    let of = |x: f64, divide: fn(f64, f64) -> f64| if x > 0.0 { divide(1.0, x) } else { f64::INFINITY };
    Bounds { lower: of(x.upper, div_down), upper: of(x.lower, div_up) }
}
