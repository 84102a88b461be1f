//! Own energies that need not be convex: `w_ii rho_i >= 1`, or slopes that are unbounded or not known for certain.
//!
//! All stationary drives, the roots of `h(z) = z - w phi(z) - c`, are enclosed by subdividing an interval that holds
//! them. Since `phi` is monotone, `a - w phi(b) - c <= h <= b - w phi(a) - c` on `[a, b]`, so a cell is dropped only
//! when it holds no root, or when the convexity of `Psi` shows that its energies are above one already found. What is
//! left shrinks until `phi` is linear on it to rounding, as far as four samples tell, which happens at once on the
//! pieces of a piecewise-linear `phi`. Where `phi` is unbounded, its growth decides what happens at infinity, and where
//! that is not known the values at the farthest drives at which it is finite.

use super::best_response::BestResponse;
use super::own_energy::OwnEnergy;
use crate::Scalar;
use crate::activation::{Domain, Tail, farthest, outgrows_its_input};

/// More cells than any activation of the crate needs; after that, the cells that are left count as minimisers if their
/// energies agree.
const MOST_CELLS: usize = 1 << 16;

/// A drive `z`, its rate `s = phi(z)`, and where `E` goes from there.
#[derive(Debug, Clone, Copy)]
struct Point<A> {
    z: A,
    s: A,
    /// `h(z)`, set to 0 where it is within its rounding error.
    slope: A,
    energy: A,
}

/// An interval of drives.
#[derive(Debug, Clone, Copy)]
struct Cell<A> {
    low: Point<A>,
    high: Point<A>,
}

/// What is known about the minimisers within a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    /// None in the interior.
    None,
    /// One, where the slope crosses zero.
    Crossing,
    /// The energy is constant.
    Flat,
    Undecided,
}

/// What the energy does towards one end of the domain.
enum End<A> {
    /// It falls for ever.
    Falls,
    /// It is constant from this point on.
    Flat(Point<A>),
    /// No minimiser lies beyond this drive.
    Bounded(A),
}

/// What `h` approaches far out: `rise |z| + level`, with the sign of the slope outwards.
struct Line<A> {
    rise: A,
    level: A,
}

impl<A: Scalar> OwnEnergy<'_, A> {
    /// All global minimisers for a positive self-weight, whatever the slopes.
    pub(super) fn search(&self) -> BestResponse<A> {
        let domain = self.activation.domain();
        let mut candidates = Vec::new();
        let mut ends = [A::zero(); 2];
        for (end, (limit, outwards)) in ends.iter_mut().zip([(domain.upper, A::one()), (domain.lower, -A::one())]) {
            *end = match self.end(limit, outwards) {
                End::Falls => return BestResponse::unbounded(limit),
                End::Flat(point) => {
                    let (lower, upper) = (point.s.min(limit), point.s.max(limit));
                    candidates.push((point.energy, Domain { lower, upper }));
                    point.z
                }
                End::Bounded(z) => z,
            };
        }
        let [upper, lower] = ends;
        let mut best = self.point(lower);
        let kept = self.subdivide(self.first_cells(lower, upper), &mut best);
        for cluster in kept.chunk_by(|p, q| p.0.high.z == q.0.low.z) {
            candidates.push(self.minimiser(cluster));
        }
        self.least(candidates, best)
    }

    fn point(&self, z: A) -> Point<A> {
        let s = self.activation.activate(z);
        let slope = self.slope_at(z, s);
        let error = self.slope_error(z, s);
        // An infinite slope is one beyond the largest number, not one within its rounding error.
        let slope = if slope.abs() <= error && error.is_finite() { A::zero() } else { slope };
        let energy = self.at(s);
        // Energies are finite or `+inf`: `-inf` is an overflow, which says nothing.
        let energy = if energy == A::neg_infinity() { A::nan() } else { energy };
        Point { z, s, slope, energy }
    }

    /// What happens towards the domain's end `limit`, in the direction `outwards` (1 or -1).
    fn end(&self, limit: A, outwards: A) -> End<A> {
        if limit.is_finite() {
            // A root z = w phi(z) + c lies within w limit + c.
            return End::Bounded(self.self_weight * limit + self.drive);
        }
        let growth = self.activation.growth();
        match if outwards > A::zero() { growth.upper } else { growth.lower } {
            Tail::Subquadratic => End::Falls,
            Tail::Quadratic { slope, intercept } => {
                // The signs are those of the exact numbers.
                let rise = (-self.self_weight).mul_add(slope, A::one());
                let level = -outwards * self.self_weight.mul_add(intercept, self.drive);
                if rise < A::zero() || (rise == A::zero() && level < A::zero()) {
                    End::Falls
                } else {
                    self.sampled_end(outwards, Some(Line { rise, level }))
                }
            }
            Tail::Bounded | Tail::Superquadratic | Tail::Unknown => self.sampled_end(outwards, None),
        }
    }

    /// As [`end`](Self::end), from values of `phi`, where `h` is known to approach a line that does not fall outwards,
    /// or nothing is known.
    fn sampled_end(&self, outwards: A, known: Option<Line<A>>) -> End<A> {
        let two = A::of(2.0);
        let phi = |z: A| self.activation.activate(z);
        let Some(far) = farthest(phi, outwards) else { return End::Bounded(outwards * self.drive.abs().max(A::one())) };
        let slope_of = |near: &Point<A>, far: &Point<A>| (far.s - near.s) / (far.z - near.z);
        let mut cell = (self.point(far / two), self.point(far));
        if !self.is_linear(&cell.0, &cell.1) {
            let rises = cell.1.slope * outwards > A::zero() && (known.is_some() || !outgrows_its_input(phi, far));
            return if rises { End::Bounded(self.beyond_the_minima(far)) } else { End::Falls };
        }
        let slope = slope_of(&cell.0, &cell.1);
        let same = |m: A| (m - slope).abs() <= A::of(8.0) * A::epsilon() * slope.abs();
        let nearest = self.drive.abs().min(A::one()) / A::of(1024.0) + A::min_positive_value().sqrt();
        while cell.0.z.abs() > nearest {
            let next = (self.point(cell.0.z / two), cell.0);
            if !self.is_linear(&next.0, &next.1) || !same(slope_of(&next.0, &next.1)) {
                break;
            }
            cell = next;
        }
        let start = cell.0;
        let Line { rise, level } = known.unwrap_or_else(|| {
            let rise = A::one() - self.self_weight * slope;
            let rise = if rise.abs() <= A::of(8.0) * A::epsilon() { A::zero() } else { rise };
            Line { rise, level: start.slope * outwards }
        });
        if rise == A::zero() {
            match level {
                h if h < A::zero() => End::Falls,
                h if h > A::zero() => End::Bounded(start.z),
                _ => End::Flat(start),
            }
        } else if rise < A::zero() {
            End::Falls
        } else {
            let missing = (-start.slope * outwards / rise).max(A::zero());
            let beyond = missing * A::of(1.001) + start.z.abs();
            End::Bounded(start.z + outwards * beyond.min(A::max_value() / A::of(4.0)))
        }
    }

    /// A drive up to `far`, where the energy rises outwards, beyond which no minimum is looked for: as far out as
    /// energies do not overflow, or farther if they still fall there.
    fn beyond_the_minima(&self, far: A) -> A {
        let outwards = far.signum();
        let mut size = (A::max_value().sqrt() / A::of(1024.0)).max(self.drive.abs() * A::of(4.0));
        while size < far.abs() && self.point(outwards * size).slope * outwards <= A::zero() {
            size *= A::of(1024.0);
        }
        outwards * size.min(far.abs())
    }

    /// Cells that double in width away from zero, cut at the drive and at equal distances.
    fn first_cells(&self, lower: A, upper: A) -> Vec<Cell<A>> {
        const EQUAL: usize = 16;
        let two = A::of(2.0);
        let mut edges = vec![lower, upper, self.drive, A::zero()];
        let mut edge = A::of(1.0 / 1024.0);
        while edge < upper.abs().max(lower.abs()) {
            edges.extend([edge, -edge]);
            edge *= two;
        }
        if self.activation.domain().upper.is_finite() && self.activation.domain().lower.is_finite() {
            edges.extend((1..EQUAL).map(|k| {
                let part = A::of(k as f64 / EQUAL as f64);
                lower * (A::one() - part) + upper * part
            }));
        }
        edges.retain(|z| *z >= lower && *z <= upper);
        edges.sort_by(|p, q| p.partial_cmp(q).unwrap_or(std::cmp::Ordering::Equal));
        edges.dedup();
        let points: Vec<_> = edges.into_iter().map(|z| self.point(z)).collect();
        if let &[only] = points.as_slice() {
            return vec![Cell { low: only, high: only }];
        }
        points.windows(2).map(|pair| Cell { low: pair[0], high: pair[1] }).collect()
    }

    /// The cells with minimisers in order, narrowed down; `best` becomes the point with the least energy seen.
    fn subdivide(&self, mut cells: Vec<Cell<A>>, best: &mut Point<A>) -> Vec<(Cell<A>, Verdict)> {
        let improve = |best: &mut Point<A>, point: Point<A>| {
            if point.energy < best.energy || best.energy.is_nan() {
                *best = point;
            }
        };
        for cell in &cells {
            improve(best, cell.low);
            improve(best, cell.high);
        }
        let mut kept = Vec::new();
        let mut count = cells.len();
        while !cells.is_empty() {
            let mut next = Vec::new();
            for cell in cells {
                let verdict = self.judge(&cell, best);
                let z = (cell.low.z + cell.high.z) * A::of(0.5);
                let splits = verdict == Verdict::Undecided && z > cell.low.z && z < cell.high.z && count < MOST_CELLS;
                if splits {
                    let middle = self.point(z);
                    improve(best, middle);
                    next.push(Cell { low: cell.low, high: middle });
                    next.push(Cell { low: middle, high: cell.high });
                    count += 2;
                } else if verdict != Verdict::None {
                    kept.push((cell, verdict));
                }
            }
            cells = next;
        }
        kept.sort_by(|p, q| p.0.low.z.partial_cmp(&q.0.low.z).unwrap_or(std::cmp::Ordering::Equal));
        kept
    }

    fn judge(&self, cell: &Cell<A>, best: &Point<A>) -> Verdict {
        let Cell { low, high } = *cell;
        let error = self.slope_error(low.z, low.s).max(self.slope_error(high.z, high.s));
        let (least, most) = (self.slope_at(low.z, high.s), self.slope_at(high.z, low.s));
        if least > error || most < -error {
            return Verdict::None;
        }
        let noise =
            A::of(16.0) * A::epsilon() * (self.magnitude(best.s) + self.magnitude(low.s) + self.magnitude(high.s));
        if self.energy_bound(cell) > best.energy + noise {
            return Verdict::None;
        }
        if self.is_linear(&low, &high) {
            let zero = A::zero();
            return match (low.slope, high.slope) {
                (p, q) if p == zero && q == zero => Verdict::Flat,
                (p, q) if p <= zero && q >= zero => Verdict::Crossing,
                _ => Verdict::None,
            };
        }
        Verdict::Undecided
    }

    /// A lower bound on the energies in a cell: `Psi` lies above its tangents at the two ends, whose slopes are the
    /// ends' drives, and the concave rest above its chord.
    fn energy_bound(&self, cell: &Cell<A>) -> A {
        let Cell { low, high } = *cell;
        let width = high.s - low.s;
        let chord = -A::of(0.5) * self.self_weight * (low.s + high.s) - self.drive;
        let (from_low, from_high) = (low.z + chord, high.z + chord);
        if width <= A::zero() || from_low >= A::zero() || from_high <= A::zero() {
            return low.energy.min(high.energy);
        }
        // Where the two tangents meet.
        let run = (high.energy - low.energy - from_high * width) / (from_low - from_high);
        low.energy + from_low * run.max(A::zero()).min(width)
    }

    /// Whether `phi` follows its chord between two points to rounding, judged by four samples.
    fn is_linear(&self, p: &Point<A>, q: &Point<A>) -> bool {
        const AT: [f64; 4] = [0.113, 0.389, 0.618, 0.871];
        let tolerance = A::of(4.0) * A::epsilon() * p.s.abs().max(q.s.abs());
        AT.iter().all(|&part| {
            let part = A::of(part);
            let z = p.z * (A::one() - part) + q.z * part;
            // The chord at the sample itself, whose rounding matters when the slope is large.
            let chord = p.s + (q.s - p.s) * ((z - p.z) / (q.z - p.z));
            (self.activation.activate(z) - chord).abs() <= tolerance
        })
    }

    /// The minimiser within neighbouring cells: an interval if the energy is flat over one, a point otherwise.
    fn minimiser(&self, cluster: &[(Cell<A>, Verdict)]) -> (A, Domain<A>) {
        let flat = || cluster.iter().filter(|(_, verdict)| *verdict == Verdict::Flat).map(|(cell, _)| cell);
        if let (Some(first), Some(last)) = (flat().next(), flat().next_back())
            && !indistinct(first.low.s, last.high.s)
        {
            let energy = first.low.energy.min(last.high.energy);
            return (energy, Domain { lower: first.low.s, upper: last.high.s });
        }
        let (low, high) = (cluster[0].0.low, cluster[cluster.len() - 1].0.high);
        let s = if low.slope < A::zero() && high.slope > A::zero() {
            self.rate_of_root(low.z, high.z, (low.z + high.z) * A::of(0.5))
        } else {
            // At an end where the slope is zero to rounding, or on a plateau of it.
            let points = cluster.iter().flat_map(|(cell, _)| [cell.low, cell.high]);
            let flattest = points.reduce(|p, q| if q.slope.abs() < p.slope.abs() { q } else { p });
            flattest.map_or(low.s, |p| p.s)
        };
        (self.at(s), Domain { lower: s, upper: s })
    }

    /// The candidates of least energy, joined where they touch.
    fn least(&self, candidates: Vec<(A, Domain<A>)>, best: Point<A>) -> BestResponse<A> {
        let near = |d: &Domain<A>| if d.lower.is_finite() { d.lower } else { d.upper };
        let least = candidates.iter().map(|(energy, _)| *energy).fold(A::infinity(), A::min);
        let noise = |s: A| A::of(32.0) * A::epsilon() * (self.magnitude(s) + self.magnitude(best.s));
        if candidates.is_empty() || least > best.energy + noise(best.s) {
            return BestResponse::attained(vec![Domain { lower: best.s, upper: best.s }], best.energy);
        }
        let mut ties: Vec<Domain<A>> =
            candidates.into_iter().filter(|(energy, d)| *energy - least <= noise(near(d))).map(|(_, d)| d).collect();
        ties.sort_by(|p, q| p.lower.partial_cmp(&q.lower).unwrap_or(std::cmp::Ordering::Equal));
        ties.dedup_by(|next, kept| {
            let joined = next.lower <= kept.upper || indistinct(kept.upper, next.lower);
            if joined {
                kept.upper = kept.upper.max(next.upper);
            }
            joined
        });
        BestResponse::attained(ties, least)
    }
}

/// Whether energies cannot tell two rates near a minimum apart.
pub(super) fn indistinct<A: Scalar>(p: A, q: A) -> bool {
    (p - q).abs() <= A::of(8.0) * A::epsilon().sqrt() * (A::one() + p.abs().min(q.abs()))
}
