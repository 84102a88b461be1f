//! What a support holds, in exact arithmetic.
//!
//! On a support, `x_i = s_i z_i + c_i` with `z = W x + u` is a linear system. Its solutions are affine in as many parameters as
//! the system lacks in rank, and so are the drives; that each drive lies in its piece makes a polyhedron of them. Its
//! generators show whether it is empty, a point, a line or more, and which drives are at a kink on all of it.

use num_bigint::BigInt;
use num_traits::{Signed, Zero};

use super::cone::{Cone, product};
use super::dyadic::{Dyadic, aligned, dot, quotient};
use super::echelon::Echelon;
use super::problem::Problem;
use super::support::{Flat, Found, Point, Shape, State};

/// The most arithmetic for the linear system of one support, in products of 64-bit words: some seconds.
const MOST_WORK: u128 = 1 << 32;
/// The most corners and rays of one polyhedron, also on the way to it.
const MOST_GENERATORS: usize = 512;

/// A linear system that would take more than [`MOST_WORK`].
struct TooMuchWork;

/// The solutions of a support's linear system. Rates and drives are linear in `(1, t)`, the parameters `t` being the rates that
/// the system leaves open; all of it times a positive integer.
struct Solutions {
    scale: Dyadic,
    rates: Vec<Vec<Dyadic>>,
    drives: Vec<Vec<Dyadic>>,
}

impl Problem {
    /// Decides the support: `None` if it has no equilibrium.
    pub(super) fn decide(&self, support: &[usize]) -> Option<Found> {
        let Ok(solutions) = self.solutions(support) else { return Some(Found::Unresolved) };
        let solutions = solutions?;
        let homogeneous = solutions.rates.first().map_or(1, Vec::len);
        // The first coordinate is the 1 of `(1, t)`.
        let mut constraints = vec![vec![BigInt::zero(); homogeneous]];
        constraints[0][0] = BigInt::from(1);
        let mut ends = Vec::new();
        for (i, drive) in solutions.drives.iter().enumerate() {
            let piece = self.pieces[i][support[i]];
            for (end, is_lower) in [(piece.lower, true), (piece.upper, false)] {
                if end.is_finite() {
                    let mut inside = drive.clone();
                    inside[0] = inside[0].minus(&Dyadic::of(end).times(&solutions.scale));
                    if !is_lower {
                        inside.iter_mut().for_each(|v| *v = v.negated());
                    }
                    ends.push((i, is_lower));
                    constraints.push(aligned(&inside));
                }
            }
        }
        let Some(cone) = Cone::new(homogeneous, &constraints, MOST_GENERATORS) else { return Some(Found::Unresolved) };
        if cone.rays.iter().all(|ray| ray[0].is_zero()) {
            return None;
        }
        let mut cell: Vec<usize> = support.iter().map(|p| 2 * p + 1).collect();
        for ((i, is_lower), constraint) in ends.into_iter().zip(&constraints[1..]) {
            if cone.rays.iter().all(|ray| product(constraint, ray).is_zero()) {
                cell[i] = if is_lower { 2 * support[i] } else { 2 * support[i] + 2 };
            }
        }
        Some(self.describe_exactly(support, cell, &solutions, &cone))
    }

    /// The solutions of a support's linear system, if there are any.
    fn solutions(&self, support: &[usize]) -> Result<Option<Solutions>, TooMuchWork> {
        let n = self.len();
        let slopes: Vec<Dyadic> = support.iter().zip(&self.pieces).map(|(&p, all)| Dyadic::of(all[p].slope)).collect();
        let intercept = |i: usize| &self.intercepts[i][support[i]];
        let weight = |i: usize, j: usize| Dyadic::of(self.weights[[i, j]]);
        let (active, flat): (Vec<usize>, Vec<usize>) = (0..n).partition(|&i| !slopes[i].is_zero());
        // What the inputs and the neurons on flat pieces, whose rates are known, give to each drive.
        let known: Vec<Dyadic> = (0..n)
            .map(|i| {
                let input = Dyadic::of(self.input[i]);
                flat.iter().fold(input, |sum, &j| sum.plus(&weight(i, j).times(intercept(j))))
            })
            .collect();
        let one = Dyadic::of(1.0);
        let rows: Vec<Vec<BigInt>> = active
            .iter()
            .map(|&i| {
                let entry = |&j: &usize| {
                    let term = slopes[i].times(&weight(i, j)).negated();
                    if i == j { one.plus(&term) } else { term }
                };
                let rhs = intercept(i).plus(&slopes[i].times(&known[i]));
                aligned(&active.iter().map(entry).chain([rhs]).collect::<Vec<_>>())
            })
            .collect();
        let m = active.len();
        let bits = rows.iter().flatten().map(BigInt::bits).max().unwrap_or(0);
        let words = u128::from(bits) * m as u128 / 64 + 1;
        if (m as u128).pow(3) * words * words > MOST_WORK {
            return Err(TooMuchWork);
        }
        let system = Echelon::new(rows, m);
        if system.rows[system.rank()..].iter().any(|row| !row[m].is_zero()) {
            return Ok(None);
        }
        let free: Vec<usize> = (0..m).filter(|k| !system.pivots.contains(k)).collect();
        let sign = BigInt::from(if system.denominator.is_negative() { -1 } else { 1 });
        let scale = Dyadic::integer(&(&sign * &system.denominator));
        let zeros = vec![Dyadic::zero(); 1 + free.len()];
        let mut rates = vec![zeros; n];
        for &j in &flat {
            rates[j][0] = intercept(j).times(&scale);
        }
        for (row, &pivot) in system.rows.iter().zip(&system.pivots) {
            let rate = &mut rates[active[pivot]];
            rate[0] = Dyadic::integer(&(&sign * &row[m]));
            for (k, &column) in free.iter().enumerate() {
                rate[1 + k] = Dyadic::integer(&(-&sign * &row[column]));
            }
        }
        for (k, &column) in free.iter().enumerate() {
            rates[active[column]][1 + k] = scale.clone();
        }
        let drives = (0..n)
            .map(|i| {
                let mut drive = vec![Dyadic::zero(); 1 + free.len()];
                drive[0] = known[i].times(&scale);
                for &j in active.iter().filter(|&&j| self.weights[[i, j]] != 0.0) {
                    let weight = weight(i, j);
                    for (sum, part) in drive.iter_mut().zip(&rates[j]) {
                        *sum = sum.plus(&weight.times(part));
                    }
                }
                drive
            })
            .collect();
        Ok(Some(Solutions { scale, rates, drives }))
    }

    /// The polyhedron of these generators, in numbers; unresolved if they are too large for the network's.
    fn describe_exactly(&self, support: &[usize], cell: Vec<usize>, solutions: &Solutions, cone: &Cone) -> Found {
        let generators = cone.rays.iter().chain(&cone.lines).cloned().collect();
        let dimension =
            Echelon::new(generators, cone.lines.first().or(cone.rays.first()).map_or(0, Vec::len)).rank() - 1;
        let (ends, mut rays): (Vec<_>, Vec<_>) = cone.rays.iter().cloned().partition(|ray| ray[0].is_positive());
        for line in &cone.lines {
            rays.extend([line.clone(), line.iter().map(|v| -v).collect()]);
        }
        let mut corners: Vec<(State, Vec<BigInt>)> = ends.into_iter().map(|end| (solutions.at(&end), end)).collect();
        corners.sort_by(|(p, _), (q, _)| p.order(q));
        let support = support.to_vec();
        let vast = |state: &State| state.x.iter().chain(&state.z).any(|v| v.abs() > self.largest);
        if corners.iter().any(|(state, _)| vast(state)) {
            return Found::Unresolved;
        }
        let shape = match (dimension, &corners[..]) {
            (0, _) => {
                let State { x, z } = corners.swap_remove(0).0.within(&self.pieces, &support);
                return Found::Point(Point { x, z, support, cell });
            }
            (1, [(base, from), (_, to)]) => {
                let span: Vec<BigInt> = to.iter().zip(from).map(|(b, a)| b * &from[0] - a * &to[0]).collect();
                let span = solutions.along(&span, &(&from[0] * &to[0]));
                Shape::Line { base: base.clone(), span, lower: 0.0, upper: 1.0 }
            }
            (1, _) => {
                let lower = if cone.lines.is_empty() { 0.0 } else { f64::NEG_INFINITY };
                let span = solutions.direction(&rays[0]);
                Shape::Line { base: corners.swap_remove(0).0, span, lower, upper: f64::INFINITY }
            }
            _ => {
                let vertices = corners.into_iter().map(|(state, _)| state.within(&self.pieces, &support)).collect();
                let mut rays: Vec<State> = rays.iter().map(|ray| solutions.direction(ray)).collect();
                rays.sort_by(State::order);
                Shape::Polyhedron { dimension, vertices, rays }
            }
        };
        Found::Flat(Flat { shape, support, cell })
    }
}

impl Solutions {
    /// Rates and drives at a generator that is a point.
    fn at(&self, generator: &[BigInt]) -> State {
        self.along(generator, &generator[0])
    }

    /// The rates and drives of a generator, over a divisor.
    fn along(&self, generator: &[BigInt], divisor: &BigInt) -> State {
        let divisor = self.scale.times(&Dyadic::integer(divisor));
        let of = |forms: &[Vec<Dyadic>]| forms.iter().map(|form| quotient(&dot(form, generator), &divisor)).collect();
        State { x: of(&self.rates), z: of(&self.drives) }
    }

    /// The direction of a generator that is a ray: rates and drives each with a largest entry of size 1.
    fn direction(&self, generator: &[BigInt]) -> State {
        let of = |forms: &[Vec<Dyadic>]| {
            let values: Vec<Dyadic> = forms.iter().map(|form| dot(form, generator)).collect();
            let sizes: Vec<BigInt> = aligned(&values).iter().map(BigInt::abs).collect();
            let largest =
                (0..sizes.len()).max_by_key(|&i| (&sizes[i], std::cmp::Reverse(i))).expect("there are neurons");
            let size = &values[largest];
            let sign = if aligned(&values)[largest].is_negative() { -1.0 } else { 1.0 };
            values.iter().map(|v| sign * quotient(v, size)).collect()
        };
        State { x: of(&self.rates), z: of(&self.drives) }
    }
}
