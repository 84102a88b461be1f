//! The search for a large ellipsoid; what it finds is proved afterwards.
//!
//! For given secant slopes with centre `c` and radius `h`, and multipliers `Q`, the ellipsoids `{e : e'P e <= 1}` of
//! theory 3.12 (b) are those with `P J + J'P + C'hQhC + P B Q^{-1} B'P <= 0`, `J` at the slopes `c` plus the rate: the
//! least `P`, the largest of them, solves the Riccati equation. Its drives vary by other amounts than those that the
//! slopes were taken for. So two steps take turns: the largest multiple of an ellipsoid for which the inequality holds
//! with the best multipliers, and the least `P` for the slopes of a slightly larger multiple of it.

use ndarray::{Array1, Array2, Axis};

use super::sector::{Sector, Slopes};
use crate::Scalar;
use crate::error::Result;
use crate::linalg::half_plane::lyapunov_matrix;
use crate::linalg::{Backend, eigh, eigvals, product, riccati};

/// An ellipsoid `{e : e'P e <= 1}` and the multipliers of its proof.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) p: Array2<f64>,
    pub(super) q: Array1<f64>,
}

/// The largest ellipsoid by volume that was found, which contracts at the rate `c`.
pub(super) fn largest<A: Scalar>(sector: &Sector<'_, A>, c: f64) -> Result<Option<Candidate>> {
    const ROUNDS: usize = 25;
    const FIRST_GROWTH: f64 = 1.2;
    const LEAST_GROWTH: f64 = 1.005;
    /// A gain in the mean logarithm of the axes that is worth another round.
    const WORTHWHILE: f64 = 1e-3;

    let search = Search { sector, c, observed: sector.observed() };
    let Some(start) = search.start()? else { return Ok(None) };
    let Some((mut best, mut bounded)) = search.blown_up(start, 2.0)? else { return Ok(None) };
    let mut growth = FIRST_GROWTH;
    for _ in 0..ROUNDS {
        if !bounded {
            break;
        }
        let size = size(&best.p);
        let mut next = None;
        while growth > LEAST_GROWTH {
            if let Some(refitted) = search.refitted(&best, growth)?
                && let Some(grown) = search.blown_up(refitted, 1.25)?
                && self::size(&grown.0.p) > size + WORTHWHILE
            {
                next = Some(grown);
                break;
            }
            growth = 1.0 + 0.5 * (growth - 1.0);
        }
        let Some(next) = next else { break };
        (best, bounded) = next;
    }
    Ok(Some(best))
}

/// The mean logarithm of the axes.
fn size(p: &Array2<f64>) -> f64 {
    let Some(factor) = f64::cholesky(p.view()) else { return f64::NEG_INFINITY };
    -factor.diag().iter().map(|v| v.ln()).sum::<f64>() / p.nrows() as f64
}

struct Search<'a, A> {
    sector: &'a Sector<'a, A>,
    c: f64,
    observed: Array2<f64>,
}

impl<A: Scalar> Search<'_, A> {
    /// `P` from the linearisation, which every exponentially stable equilibrium has.
    fn start(&self) -> Result<Option<Candidate>> {
        let n = self.sector.len();
        let nowhere = vec![0.0; n];
        let Some(slopes) = self.sector.secants(&self.sector.drive_error, &nowhere)? else { return Ok(None) };
        let Some(p) = lyapunov_matrix(self.jacobian(&slopes).view()) else { return Ok(None) };
        if f64::cholesky(p.view()).is_none() {
            return Ok(None);
        }
        let q = Array1::from_elem(n, p.diag().sum() / n as f64);
        Ok(Some(Candidate { p, q }))
    }

    /// The Jacobian at the centre of the slopes, plus the rate.
    fn jacobian(&self, slopes: &Slopes) -> Array2<f64> {
        let mut jacobian = self.sector.jacobian(&slopes.centre);
        jacobian.diag_mut().iter_mut().for_each(|v| *v += self.c);
        jacobian
    }

    /// The slopes over the drives of `{e'P e <= r^2}`.
    fn slopes(&self, p: &Array2<f64>, r: f64) -> Result<Option<Slopes>> {
        let Some(inverse) = f64::inverse_spd(p.view()) else { return Ok(None) };
        let images = product(self.observed.view(), inverse.view());
        let reach = images.outer_iter().zip(self.observed.outer_iter()).map(|(image, row)| image.dot(&row));
        let reach: Vec<f64> = reach.map(|v| r * v.max(0.0).sqrt()).collect();
        self.sector.secants(&self.sector.drive_error, &reach)
    }

    /// The largest multiple of an ellipsoid that contracts, found by steps of a factor, and whether it is bounded:
    /// whether a larger one was tried that does not.
    fn blown_up(&self, Candidate { p, mut q }: Candidate, step: f64) -> Result<Option<(Candidate, bool)>> {
        const STEPS: usize = 60;
        const BISECTIONS: usize = 6;
        let mut r = 1.0;
        let (mut good, mut bad) = (None, None);
        let whitening = Whitening::new(&p);
        let Some(whitening) = whitening else { return Ok(None) };
        for _ in 0..STEPS {
            match self.multipliers(&p, &q, r, &whitening)? {
                Some(found) => {
                    (good, q) = (Some((r, found.clone())), found);
                    r *= step;
                }
                None => {
                    bad = Some(r);
                    r /= step;
                }
            }
            if good.is_some() && bad.is_some() {
                break;
            }
        }
        let Some((mut good, mut q)) = good else { return Ok(None) };
        if let Some(mut bad) = bad {
            for _ in 0..BISECTIONS {
                let middle = 0.5 * (good + bad);
                match self.multipliers(&p, &q, middle, &whitening)? {
                    Some(found) => (good, q) = (middle, found),
                    None => bad = middle,
                }
            }
        }
        // A little inside, so that the proof has room.
        let r = good * (1.0 - 1e-4);
        Ok(Some((Candidate { p: p / (r * r), q: q / (r * r) }, bad.is_some())))
    }

    /// Multipliers for the ellipsoid at factor `r`, in the units of `P`; `None` if none were found.
    ///
    /// At the best `Q` the two terms that it weighs are equal, neuron by neuron, in the density of the critical
    /// directions.
    fn multipliers(&self, p: &Array2<f64>, q: &Array1<f64>, r: f64, w: &Whitening) -> Result<Option<Array1<f64>>> {
        const STEPS: usize = 14;
        /// The width of the softmax over the critical directions, relative to the largest eigenvalue in size.
        const TEMPERATURE: f64 = 0.03;
        let Some(slopes) = self.slopes(p, r)? else { return Ok(None) };
        let jacobian = self.jacobian(&slopes);
        let moved = product(p.view(), jacobian.view());
        let linear = &moved + &moved.t();
        let entering = self.sector.entering(p);
        let varying = slopes.radius.mapv(|h| h > 0.0);
        let gains = &self.observed * &slopes.radius.view().insert_axis(Axis(1));
        let mut q = q.clone();
        for step in 0..STEPS {
            let active = |i: usize, v: f64| if varying[i] { v } else { 0.0 };
            let weighted = &gains * &q.view().insert_axis(Axis(1));
            let inverse = Array1::from_shape_fn(q.len(), |i| active(i, 1.0 / q[i]));
            let entered = &entering * &inverse.view().insert_axis(Axis(0));
            let form = &linear + &product(gains.t(), weighted.view()) + &product(entered.view(), entering.t());
            let (values, vectors) = match eigh(w.applied(&form).view()) {
                Ok(found) => found,
                Err(_) => return Ok(None),
            };
            let top = values[values.len() - 1];
            if top < 0.0 {
                return Ok(Some(q));
            }
            if step + 1 == STEPS || !top.is_finite() {
                break;
            }
            let width = TEMPERATURE * values.iter().fold(0.0, |m: f64, v| m.max(v.abs())) + f64::MIN_POSITIVE;
            let shares = values.mapv(|v| ((v - top) / width).exp());
            // Square roots of the density, as columns.
            let critical = w.direction(&(&vectors * &shares.mapv(f64::sqrt).view().insert_axis(Axis(0))));
            let norms = |m: &Array2<f64>| m.map_axis(Axis(1), |row| row.dot(&row));
            let entered = norms(&product(entering.t(), critical.view()));
            let observed = norms(&product(gains.view(), critical.view()));
            for i in 0..q.len() {
                let balance = (entered[i] / observed[i]).sqrt();
                if varying[i] && balance.is_finite() && balance > 0.0 {
                    q[i] = (q[i] * balance).sqrt();
                }
            }
        }
        Ok(None)
    }

    /// The least `P` for the slopes of the ellipsoid at factor `growth`.
    fn refitted(&self, candidate: &Candidate, growth: f64) -> Result<Option<Candidate>> {
        /// What keeps `P` away from singular, as a share of the decay.
        const FLOOR: f64 = 1e-2;
        let Candidate { p, q } = candidate;
        let Some(slopes) = self.slopes(p, growth)? else { return Ok(None) };
        let jacobian = self.jacobian(&slopes);
        let decay = match eigvals(jacobian.view()) {
            Ok(values) => -values.iter().fold(f64::NEG_INFINITY, |m, v| m.max(v.re)),
            Err(_) => return Ok(None),
        };
        if decay.is_nan() || decay <= 0.0 {
            return Ok(None);
        }
        let q = q / (growth * growth);
        let weights = Array1::from_shape_fn(q.len(), |i| slopes.radius[i] * slopes.radius[i] * q[i]);
        let weighted = &self.observed * &weights.view().insert_axis(Axis(1));
        let h = product(self.observed.t(), weighted.view()) + p * (FLOOR * decay / (growth * growth));
        let inverse = Array1::from_shape_fn(q.len(), |i| if slopes.radius[i] > 0.0 { 1.0 / q[i] } else { 0.0 });
        let b = self.sector.entering(&Array2::eye(q.len()));
        let entered = &b * &inverse.view().insert_axis(Axis(0));
        let g = product(entered.view(), b.t());
        Ok(riccati::least_solution(jacobian.view(), g.view(), h.view()).map(|p| Candidate { p, q }))
    }
}

/// The coordinates in which `P` is the identity.
struct Whitening {
    /// The inverse of the Cholesky factor `L`, `P = L L'`.
    inverse: Array2<f64>,
}

impl Whitening {
    fn new(p: &Array2<f64>) -> Option<Self> {
        let factor = f64::cholesky(p.view())?;
        let inverse = crate::linalg::Lu::new(factor.view(), "factor").solve(Array2::eye(p.nrows()).view()).ok()?;
        Some(Self { inverse })
    }

    /// `L^{-1} S L^{-T}`, symmetric.
    fn applied(&self, s: &Array2<f64>) -> Array2<f64> {
        let once = product(self.inverse.view(), s.view());
        let twice = product(once.view(), self.inverse.t());
        (&twice + &twice.t()) * 0.5
    }

    /// `L^{-T} v`.
    fn direction(&self, v: &Array2<f64>) -> Array2<f64> {
        product(self.inverse.t(), v.view())
    }
}
