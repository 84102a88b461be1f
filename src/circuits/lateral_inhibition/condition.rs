//! The closed form of Lyapunov diagonal stability for a ring of columns that all inhibit each other (theory 6.2).
//!
//! Exchanging columns leaves the matrix as it is, so only weights `D = I_k (x) diag(1, d)` need to be looked at, and with them the
//! quadratic form splits into two modes, each a 2 x 2 matrix `[[-alpha, -b], [c, -gamma]]`: the common mode, where all columns move
//! together (`b = B`), and the difference modes (`b = beta`). Mode `b` is certified by `d` iff `alpha > 0` and
//! `(b - d c)^2 < 4 d p`, `p = alpha gamma`, that is iff `p + b c > 0` and
//! `|sqrt(p + b c) - sqrt(p)| < c sqrt(d) < sqrt(p + b c) + sqrt(p)`.
//! Slope bounds `rho` other than 1 enter only through `alpha = 1/rho_E - a` and `gamma = 1/rho_I + e`: no rescaling is needed.

use std::cmp::Ordering;

use crate::Scalar;
use crate::stability::diagonal::exact::Expansion;

/// The two modes of the circuit at the slope bounds `rho`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Modes<A> {
    /// `a rho_E`.
    pub(super) self_excitation: A,
    /// `e rho_I`.
    pub(super) self_inhibition: A,
    pub(super) rho_e: A,
    pub(super) rho_i: A,
    pub(super) c: A,
    /// `B = b_s + (k - 1) b_l`.
    pub(super) common: A,
    /// `beta = b_s - b_l`.
    pub(super) difference: A,
}

impl<A: Scalar> Modes<A> {
    /// `alpha` when every slope bound is divided by `1 - margin`.
    fn alpha(&self, margin: A) -> A {
        (A::one() - margin - self.self_excitation) / self.rho_e
    }

    fn gamma(&self, margin: A) -> A {
        (A::one() - margin + self.self_inhibition) / self.rho_i
    }

    /// `p = alpha gamma`.
    pub(super) fn p(&self, margin: A) -> A {
        self.alpha(margin) * self.gamma(margin)
    }

    /// The open interval of `d` whose weights `diag(1, d)` certify every column with this margin; `None` if there is none.
    pub(super) fn ratios(&self, margin: A) -> Option<(A, A)> {
        if !(self.alpha(margin) > A::zero() && self.gamma(margin) > A::zero()) {
            return None;
        }
        let p = self.p(margin);
        let root = p.sqrt();
        let mut lower = A::zero();
        let mut upper = A::infinity();
        for b in [self.common, self.difference] {
            let q = p + b * self.c;
            if !(q > A::zero() && p > A::zero()) {
                return None;
            }
            let sum = q.sqrt() + root;
            // (sqrt q - sqrt p)/c without the cancellation, and right for c = 0.
            lower = lower.max((b / sum).powi(2));
            if self.c > A::zero() {
                upper = upper.min((sum / self.c).powi(2));
            }
        }
        (lower < upper).then_some((lower, upper))
    }

    /// One `d` well inside [`ratios`](Self::ratios).
    pub(super) fn ratio(&self, margin: A) -> Option<A> {
        let (lower, upper) = self.ratios(margin)?;
        let two = A::of(2.0);
        Some(match (lower > A::zero(), upper.is_finite()) {
            (true, true) => lower.sqrt() * upper.sqrt(),
            (true, false) => two * lower,
            (false, true) => upper / two,
            (false, false) => A::one(),
        })
    }

    /// `p` must exceed this for the circuit to be Lyapunov diagonally stable: squaring
    /// `sqrt(B c + p) - sqrt(beta c + p) = 2 sqrt(p)` twice gives `p = c (B - beta)^2 / (8 (B + beta))`, a true root while
    /// `B + 3 beta >= 0`; below that the difference mode, `p = -beta c`, binds first.
    pub(super) fn smallest_p(&self) -> A {
        let sum = self.common + self.difference;
        if self.common == self.difference {
            A::zero().max(-self.difference * self.c)
        } else if self.common + A::of(3.0) * self.difference >= A::zero() {
            let lateral = self.common - self.difference;
            self.c * (lateral * (lateral / (A::of(8.0) * sum)))
        } else {
            -self.difference * self.c
        }
    }

    /// The largest margin `delta*` (theory 3.3): the `1 - delta` at which `p` has fallen to
    /// [`smallest_p`](Self::smallest_p), the larger root of a quadratic.
    pub(super) fn margin(&self) -> A {
        let (a, e) = (self.self_excitation, self.self_inhibition);
        let scaled = self.smallest_p() * self.rho_e * self.rho_i;
        let root = (a + e).hypot(A::of(2.0) * scaled.sqrt());
        let s = if a >= e { (a - e + root) / A::of(2.0) } else { A::of(2.0) * (a * e + scaled) / (e - a + root) };
        // Weights whose products overflow are far beyond any stability.
        if s.is_nan() { A::neg_infinity() } else { A::one() - s }
    }
}

/// The weights of the circuit and the slope bounds, as they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exact {
    pub(super) columns: f64,
    pub(super) w_ee: f64,
    /// `b_s`
    pub(super) own: f64,
    /// `b_l`
    pub(super) lateral: f64,
    pub(super) w_ie: f64,
    pub(super) w_ii: f64,
    pub(super) rho: [f64; 2],
}

impl Exact {
    /// Whether the circuit is Lyapunov diagonally stable, from the signs of exact sums of products; `None` if a product leaves the
    /// range in which it is exact.
    ///
    /// With everything multiplied by `rho_E rho_I`, it is the condition of [`Modes::smallest_p`].
    pub(super) fn is_stable(&self) -> Option<bool> {
        let &Self { columns: k, w_ee, own, lateral, w_ie, w_ii, rho: [rho_e, rho_i] } = self;
        let mut alpha = Expansion::default();
        alpha.add(1.0);
        alpha.add_product(-w_ee, rho_e)?;
        if alpha.sign() != Ordering::Greater || w_ie == 0.0 || lateral == 0.0 {
            return Some(alpha.sign() == Ordering::Greater);
        }
        let mut gamma = Expansion::default();
        gamma.add(1.0);
        gamma.add_product(w_ii, rho_i)?;
        let p = alpha.product(&gamma)?;
        let times = |e: &Expansion, factor: f64| {
            let mut product = Expansion::default();
            product.add_multiple(e, factor).map(|()| product)
        };
        let sum = |own_times: f64, lateral_times: f64| {
            let mut sum = Expansion::default();
            sum.add_product(own, own_times)?;
            sum.add_product(lateral, lateral_times).map(|()| sum)
        };
        // c rho_E rho_I
        let mut c = Expansion::default();
        c.add_product(w_ie, rho_e)?;
        let c = times(&c, rho_i)?;
        // B + 3 beta
        let (left, right) = if sum(4.0, k - 4.0)?.sign() == Ordering::Less {
            (p, c.product(&sum(-1.0, 1.0)?)?)
        } else {
            let lateral = times(&sum(0.0, k)?, lateral).and_then(|square| times(&square, k))?;
            (p.product(&sum(16.0, 8.0 * (k - 2.0))?)?, c.product(&lateral)?)
        };
        Some(left.minus(&right).sign() == Ordering::Greater)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modes(a: f64, bs: f64, bl: f64, c: f64, e: f64, k: f64) -> Modes<f64> {
        Modes {
            self_excitation: a,
            self_inhibition: e,
            rho_e: 1.0,
            rho_i: 1.0,
            c,
            common: bs + (k - 1.0) * bl,
            difference: bs - bl,
        }
    }

    #[test]
    fn margin_is_where_the_interval_of_ratios_closes() {
        for (a, bs, bl, c, e, k) in [
            (0.2, 1.0, 0.3, 1.0, 0.1, 2.0),
            (0.0, 0.1, 0.4, 1.5, 0.0, 2.0),
            (0.4, 0.0, 0.2, 0.7, 0.6, 5.0),
            (0.9, 3.0, 2.0, 4.0, 1.0, 3.0),
            (1.4, 3.0, 2.0, 4.0, 1.0, 3.0),
        ] {
            let m = modes(a, bs, bl, c, e, k);
            let margin = m.margin();
            assert!(m.ratios(margin - 1e-9).is_some(), "{m:?}");
            assert!(m.ratios(margin + 1e-9).is_none(), "{m:?}");
            assert_eq!(margin > 0.0, m.ratios(0.0).is_some());
        }
    }

    #[test]
    fn edges_without_lateral_or_feedback_weights() {
        // c = 0: triangular, any large d.
        let (lower, upper) = modes(0.5, 1.0, 1.0, 0.0, 0.0, 3.0).ratios(0.0).unwrap();
        assert!((lower - 9.0 / (4.0 * 0.5)).abs() < 1e-12);
        assert_eq!(upper, f64::INFINITY);
        // b = 0: any small d.
        let (lower, upper) = modes(0.5, 0.0, 0.0, 2.0, 0.0, 3.0).ratios(0.0).unwrap();
        assert_eq!(lower, 0.0);
        assert!((upper - 4.0 * 0.5 / 4.0).abs() < 1e-12);
        // Without lateral weights the margin is that of one Wilson-Cowan pair.
        assert!((modes(0.3, 2.0, 0.0, 2.0, 0.7, 3.0).margin() - 0.7).abs() < 1e-12);
        assert_eq!(modes(0.3, 0.0, 0.0, 0.0, 0.7, 3.0).ratio(0.0), Some(1.0));
    }
}
