//! Own energies whose drive is not affine in the neuron's own rate.
//!
//! With `zeta(s)` the neuron's drive at its own rate `s`, a rate `s = phi(z)` is stationary exactly if `h(z) = z - zeta(phi(z))` is 0, and
//! `E'(s) = h(z)` along the graph of `phi`. Where bounds on the slope of `zeta` make the energy convex, the one root of `h` is bracketed.
//! Otherwise the local minima are where `h` crosses zero upwards between neighbouring points of a grid. The grid is refined wherever the
//! bounds leave room for a root; without bounds, evenly.

use ndarray::ArrayView1;

use super::InteractionCost;
use super::best_response::BestResponse;
use super::bracket::root;
use super::global::indistinct;
use crate::Scalar;
use crate::activation::{ActivationCost, Domain, farthest, integral};

/// The energy of one neuron, whose drive is what the interaction says it is.
#[derive(Clone, Copy)]
pub(super) struct GeneralEnergy<'a, A: Scalar> {
    pub(super) interaction: &'a dyn InteractionCost<A>,
    pub(super) neuron: usize,
    /// The rates of all; the neuron's own does not matter.
    pub(super) x: ArrayView1<'a, A>,
    pub(super) input: ArrayView1<'a, A>,
    /// Bounds on `zeta'`.
    pub(super) slopes: Option<(A, A)>,
    pub(super) activation: &'a dyn ActivationCost<A>,
}

/// A drive `z`, its rate `phi(z)`, the drive `zeta` at that rate, and `h`, set to 0 where it is within its rounding error.
#[derive(Clone, Copy)]
struct Point<A> {
    z: A,
    rate: A,
    zeta: A,
    h: A,
}

/// Points of the grid in the end, at most.
const MOST_POINTS: usize = 1 << 11;
/// Equal parts into which the interval of drives is cut at first.
const EQUAL: usize = 64;

impl<A: Scalar> GeneralEnergy<'_, A> {
    /// `zeta(s)`.
    pub(super) fn drive(&self, s: A) -> A {
        let mut x = self.x.to_owned();
        x[self.neuron] = s;
        self.interaction.drive_of(self.neuron, x.view(), self.input)
    }

    pub(super) fn interaction_cost(&self, s: A) -> A {
        let mut x = self.x.to_owned();
        x[self.neuron] = s;
        self.interaction.cost(self.neuron, x.view(), self.input)
    }

    fn at(&self, s: A) -> A {
        self.interaction_cost(s) + self.activation.cost(s)
    }

    /// All global minimisers.
    pub(super) fn minimise(&self) -> BestResponse<A> {
        let rho = self.activation.slope_range();
        if let Some((_, most)) = self.slopes {
            let steepest = if most > A::zero() { most * rho.max } else { A::zero() };
            if (rho.exact || most <= A::zero()) && steepest < A::one() {
                return self.strictly_convex(A::one() - steepest);
            }
        }
        self.search()
    }

    /// `E(x) - E(s) = FY(x, z) - int_s^x (zeta(t) - z) dt` with `z = zeta(s)`, for a best response `s`.
    pub(super) fn gain(&self, x: A, s: A) -> A {
        // An `s` that rounding made worse than `x` is no gain.
        self.rise(s, x).0.max(A::zero())
    }

    /// `E(x) - E(s)` for a stationary `s`, and the size of its terms.
    fn rise(&self, s: A, x: A) -> (A, A) {
        let z = self.drive(s);
        let gap = self.activation.fenchel_young(x, z);
        let bend = integral(|t| self.drive(t) - z, s, x, A::epsilon() * z.abs());
        (gap - bend, gap.abs() + bend.abs() + z.abs() * (x - s).abs())
    }

    fn point(&self, z: A) -> Point<A> {
        let rate = self.activation.activate(z);
        let zeta = self.drive(rate);
        let h = z - zeta;
        let rounding = A::of(16.0) * A::epsilon() * (z.abs() + zeta.abs());
        Point { z, rate, zeta, h: if h.abs() <= rounding { A::zero() } else { h } }
    }

    /// `h` rises with slope `least` or more.
    fn strictly_convex(&self, least: A) -> BestResponse<A> {
        let start = self.drive(self.activation.activate(A::zero()));
        // A little more than the bound, for its own rounding.
        let reach = -self.point(start).h / least * A::of(1.0 + 1e-3);
        let largest = A::max_value();
        let (low, high) = (start.min(start + reach).max(-largest), start.max(start + reach).min(largest));
        self.single(self.rate_of_root(low, high, start))
    }

    fn single(&self, s: A) -> BestResponse<A> {
        BestResponse::attained(vec![Domain { lower: s, upper: s }], self.at(s))
    }

    /// The rate at the root of `h` in a bracket.
    fn rate_of_root(&self, low: A, high: A, start: A) -> A {
        let value = |z: A| z - self.drive(self.activation.activate(z));
        let h = |z: A| {
            let step = A::epsilon().sqrt() * z.abs().max(A::one());
            let here = value(z);
            (here, (value(z + step) - here) / step)
        };
        self.activation.activate(root(h, low, high, start, start.abs()))
    }

    /// The best of the local minima between the points of a grid.
    fn search(&self) -> BestResponse<A> {
        let limits = self.activation.domain();
        let (mut edges, mut ends) = (vec![A::zero()], [A::zero(); 2]);
        for (end, (limit, outwards)) in ends.iter_mut().zip([(limits.lower, -A::one()), (limits.upper, A::one())]) {
            match self.beyond_the_minima(outwards, &mut edges) {
                Some(z) => *end = z,
                None => return BestResponse::unbounded(limit),
            }
        }
        let [low, high] = ends;
        edges.extend((0..=EQUAL).map(|k| {
            let part = A::of(k as f64 / EQUAL as f64);
            low * (A::one() - part) + high * part
        }));
        edges.retain(|z| *z >= low && *z <= high);
        edges.sort_by(|p, q| p.partial_cmp(q).unwrap_or(std::cmp::Ordering::Equal));
        edges.dedup();
        let points = self.refined(edges.into_iter().map(|z| self.point(z)).collect());
        self.least(self.local_minima(&points))
    }

    /// A drive beyond which the energy rises outwards wherever it was looked at; `None` if it falls as far as there are numbers.
    fn beyond_the_minima(&self, outwards: A, edges: &mut Vec<A>) -> Option<A> {
        let far = farthest(|z| self.activation.activate(z), outwards).unwrap_or(outwards).abs();
        let (mut size, mut end, mut rises) = (A::of(1.0 / 1024.0), A::zero(), false);
        while size <= far {
            let h = self.point(outwards * size).h * outwards;
            if h.is_nan() {
                break;
            }
            rises = h > A::zero();
            edges.push(outwards * size);
            let factor = if size < A::of(1e12) { A::of(2.0) } else { A::of(2f64.powi(32)) };
            if !rises {
                end = outwards * size * factor;
            }
            size *= factor;
        }
        rises.then(|| if end == A::zero() { outwards * A::of(1.0 / 1024.0) } else { end })
    }

    /// Splits the cells in which there may be a minimum: by the bounds on `zeta'`, or all of them.
    fn refined(&self, mut points: Vec<Point<A>>) -> Vec<Point<A>> {
        let narrow = |p: &Point<A>, q: &Point<A>| {
            (q.z - p.z).abs() <= A::of(64.0) * A::epsilon().sqrt() * (A::one() + p.z.abs().max(q.z.abs()))
        };
        loop {
            let wide: Vec<bool> =
                points.windows(2).map(|c| self.may_hold_a_root(&c[0], &c[1]) && !narrow(&c[0], &c[1])).collect();
            let splits = wide.iter().filter(|&&wide| wide).count();
            if splits == 0 || points.len() + splits > MOST_POINTS {
                return points;
            }
            let mut next = Vec::with_capacity(points.len() + splits);
            for (k, &point) in points.iter().enumerate() {
                next.push(point);
                if wide.get(k).copied().unwrap_or(false) {
                    next.push(self.point((point.z + points[k + 1].z) * A::of(0.5)));
                }
            }
            points = next;
        }
    }

    /// Whether more than the ends of a cell must be looked at: it may hold roots of `h` that they do not show.
    fn may_hold_a_root(&self, p: &Point<A>, q: &Point<A>) -> bool {
        let Some((least, most)) = self.slopes else { return true };
        let width = q.rate - p.rate;
        let (up, down) = (most.max(A::zero()) * width, (-least).max(A::zero()) * width);
        let (highest, lowest) = ((p.zeta + up).min(q.zeta + down), (p.zeta - down).max(q.zeta - up));
        p.z <= highest && q.z >= lowest
    }

    /// Where `h` goes from below 0 to above 0: a rate, or an interval of them over which it is 0.
    fn local_minima(&self, points: &[Point<A>]) -> Vec<Domain<A>> {
        let zero = A::zero();
        let mut minima = Vec::new();
        // The last point at which the energy falls.
        let mut falling: Option<usize> = None;
        for (k, point) in points.iter().enumerate() {
            if point.h < zero {
                falling = Some(k);
            } else if point.h > zero
                && let Some(before) = falling.take()
            {
                let (low, high) = match &points[before + 1..k] {
                    [] => {
                        let (from, to) = (points[before].z, point.z);
                        let s = self.rate_of_root(from, to, (from + to) * A::of(0.5));
                        (s, s)
                    }
                    flat => (flat[0].rate, flat[flat.len() - 1].rate),
                };
                minima.push(Domain { lower: low, upper: high });
            }
        }
        minima
    }

    /// The minima of least energy, joined where they touch.
    fn least(&self, minima: Vec<Domain<A>>) -> BestResponse<A> {
        let mut best: Vec<Domain<A>> = Vec::new();
        for minimum in minima {
            let Some(first) = best.first() else {
                best.push(minimum);
                continue;
            };
            let (rise, size) = self.rise(first.lower, minimum.lower);
            let noise = A::of(4096.0) * A::epsilon() * size;
            if rise < -noise {
                best = vec![minimum];
            } else if rise <= noise {
                match best.last_mut() {
                    Some(last) if indistinct(last.upper, minimum.lower) => last.upper = minimum.upper,
                    _ => best.push(minimum),
                }
            }
        }
        let Some(first) = best.first() else {
            // No number of `h` told a sign.
            return BestResponse::attained(vec![Domain { lower: A::nan(), upper: A::nan() }], A::nan());
        };
        let energy = self.at(first.lower);
        BestResponse::attained(best, energy)
    }
}
