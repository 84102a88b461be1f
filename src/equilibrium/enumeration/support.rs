//! The equilibria on one support: a linear system, solved with its rank.

use ndarray::{Array1, Array2};

use super::Continuum;
use crate::Scalar;
use crate::activation::LinearPiece;

/// A linear piece in double precision.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) lower: f64,
    pub(super) upper: f64,
    pub(super) slope: f64,
    pub(super) intercept: f64,
}

impl Piece {
    pub(super) fn new<A: Scalar>(piece: &LinearPiece<A>) -> Self {
        Self {
            lower: piece.lower.to_double(),
            upper: piece.upper.to_double(),
            slope: piece.slope.to_double(),
            intercept: piece.intercept.to_double(),
        }
    }

    pub(super) fn at(&self, z: f64) -> f64 {
        if self.slope == 0.0 { self.intercept } else { self.slope * z + self.intercept }
    }
}

/// An isolated solution.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) x: Vec<f64>,
    pub(super) z: Vec<f64>,
    pub(super) support: Vec<usize>,
}

impl Point {
    /// The rates are kept within their pieces' ranges, which rounding may have left.
    fn new(mut x: Vec<f64>, z: Vec<f64>, support: &[usize], pieces: &[Vec<Piece>]) -> Self {
        for ((x, &p), pieces) in x.iter_mut().zip(support).zip(pieces) {
            *x = x.max(pieces[p].at(pieces[p].lower)).min(pieces[p].at(pieces[p].upper));
        }
        Self { x, z, support: support.to_vec() }
    }
}

/// Solutions that are not isolated.
#[derive(Debug, Clone)]
pub(super) enum Flat {
    Line { base: Vec<f64>, direction: Vec<f64>, lower: f64, upper: f64, support: Vec<usize> },
    Undecided { dimension: usize, support: Vec<usize> },
}

/// What one support holds.
#[derive(Debug, Clone)]
pub(super) enum Found {
    Point(Point),
    Flat(Flat),
}

/// Solves `(I - S W) x = S u + c` on the support and keeps what lies within its pieces.
pub(super) fn solve(
    w: &Array2<f64>,
    u: &[f64],
    pieces: &[Vec<Piece>],
    support: &[usize],
    tolerance: f64,
) -> Option<Found> {
    let n = u.len();
    let piece = |i: usize| pieces[i][support[i]];
    let mut matrix = Array2::zeros((n, n));
    let mut rhs = vec![0.0; n];
    for i in 0..n {
        let p = piece(i);
        for j in 0..n {
            matrix[[i, j]] = -p.slope * w[[i, j]];
        }
        matrix[[i, i]] += 1.0;
        rhs[i] = p.slope * u[i] + p.intercept;
    }
    let system = Eliminated::new(matrix.clone());
    let mut x = system.particular(&rhs, tolerance)?;
    // One step of refinement.
    let left: Vec<f64> = (0..n).map(|i| rhs[i] - (0..n).map(|j| matrix[[i, j]] * x[j]).sum::<f64>()).collect();
    if let Some(correction) = system.particular(&left, f64::INFINITY) {
        x.iter_mut().zip(correction).for_each(|(x, c)| *x += c);
    }
    let drive =
        |x: &[f64]| -> Vec<f64> { (0..n).map(|i| u[i] + (0..n).map(|j| w[[i, j]] * x[j]).sum::<f64>()).collect() };
    let z = drive(&x);
    let slack: Vec<f64> = (0..n)
        .map(|i| {
            tolerance * (f64::MIN_POSITIVE.sqrt() + u[i].abs() + (0..n).map(|j| (w[[i, j]] * x[j]).abs()).sum::<f64>())
        })
        .collect();
    match system.null_space() {
        directions if directions.is_empty() => {
            let within = (0..n).all(|i| z[i] >= piece(i).lower - slack[i] && z[i] <= piece(i).upper + slack[i]);
            within.then(|| Found::Point(Point::new(x, z, support, pieces)))
        }
        mut directions if directions.len() == 1 => {
            let direction = directions.pop()?;
            let pushed: Vec<f64> = (0..n).map(|i| (0..n).map(|j| w[[i, j]] * direction[j]).sum::<f64>()).collect();
            let (mut lower, mut upper) = (f64::NEG_INFINITY, f64::INFINITY);
            for i in 0..n {
                let size: f64 = (0..n).map(|j| (w[[i, j]] * direction[j]).abs()).sum();
                let (low, high) = (piece(i).lower - slack[i] - z[i], piece(i).upper + slack[i] - z[i]);
                if pushed[i].abs() <= tolerance * size {
                    if low > 0.0 || high < 0.0 {
                        return None;
                    }
                } else {
                    let (a, b) = (low / pushed[i], high / pushed[i]);
                    lower = lower.max(a.min(b));
                    upper = upper.min(a.max(b));
                }
            }
            let reach = x.iter().fold(1.0, |m: f64, x| m.max(x.abs()));
            if lower > upper {
                None
            } else if upper - lower <= 4.0 * tolerance * reach {
                let middle = 0.5 * (lower + upper);
                x.iter_mut().zip(&direction).for_each(|(x, d)| *x += middle * d);
                let z = drive(&x);
                Some(Found::Point(Point::new(x, z, support, pieces)))
            } else {
                Some(Found::Flat(Flat::Line { base: x, direction, lower, upper, support: support.to_vec() }))
            }
        }
        directions => Some(Found::Flat(Flat::Undecided { dimension: directions.len(), support: support.to_vec() })),
    }
}

/// A square matrix after Gaussian elimination with complete pivoting, which shows its rank.
struct Eliminated {
    /// The multipliers below the diagonal, the triangle on and above it, rows and columns permuted.
    lu: Array2<f64>,
    rows: Vec<usize>,
    columns: Vec<usize>,
    rank: usize,
}

impl Eliminated {
    fn new(mut a: Array2<f64>) -> Self {
        let n = a.nrows();
        let (mut rows, mut columns): (Vec<usize>, Vec<usize>) = ((0..n).collect(), (0..n).collect());
        let size = a.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let mut rank = n;
        for k in 0..n {
            let mut best = (k, k, 0.0);
            for i in k..n {
                for j in k..n {
                    if a[[i, j]].abs() > best.2 {
                        best = (i, j, a[[i, j]].abs());
                    }
                }
            }
            if best.2 <= 32.0 * n as f64 * f64::EPSILON * size {
                rank = k;
                break;
            }
            for j in 0..n {
                a.swap([k, j], [best.0, j]);
            }
            rows.swap(k, best.0);
            for i in 0..n {
                a.swap([i, k], [i, best.1]);
            }
            columns.swap(k, best.1);
            for i in k + 1..n {
                let factor = a[[i, k]] / a[[k, k]];
                a[[i, k]] = factor;
                if factor != 0.0 {
                    for j in k + 1..n {
                        a[[i, j]] -= factor * a[[k, j]];
                    }
                }
            }
        }
        Self { lu: a, rows, columns, rank }
    }

    /// A solution, or `None` if the system has none to within the tolerance.
    fn particular(&self, rhs: &[f64], tolerance: f64) -> Option<Vec<f64>> {
        let n = rhs.len();
        let mut y: Vec<f64> = self.rows.iter().map(|&i| rhs[i]).collect();
        for i in 0..n {
            for k in 0..i.min(self.rank) {
                y[i] -= self.lu[[i, k]] * y[k];
            }
        }
        let scale = rhs.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        if y[self.rank..].iter().any(|v| v.abs() > tolerance * scale) {
            return None;
        }
        Some(self.back_substitute(y))
    }

    /// A basis of the null space, each vector with largest entry 1.
    fn null_space(&self) -> Vec<Vec<f64>> {
        let n = self.rows.len();
        (self.rank..n)
            .map(|free| {
                let mut y: Vec<f64> = (0..n).map(|i| if i < self.rank { -self.lu[[i, free]] } else { 0.0 }).collect();
                y.truncate(self.rank);
                y.resize(n, 0.0);
                let mut v = self.back_substitute(y);
                v[self.columns[free]] += 1.0;
                let largest = v.iter().copied().fold(0.0, |m: f64, x| if x.abs() > m.abs() { x } else { m });
                v.iter_mut().for_each(|x| *x /= largest);
                v
            })
            .collect()
    }

    /// Solves the leading triangle, free unknowns zero, and undoes the column permutation.
    fn back_substitute(&self, mut y: Vec<f64>) -> Vec<f64> {
        for i in (0..self.rank).rev() {
            for j in i + 1..self.rank {
                y[i] -= self.lu[[i, j]] * y[j];
            }
            y[i] /= self.lu[[i, i]];
        }
        let mut x = vec![0.0; y.len()];
        for k in 0..self.rank {
            x[self.columns[k]] = y[k];
        }
        x
    }
}

/// Solutions of all supports, each once.
pub(super) struct Solutions {
    pub(super) points: Vec<Point>,
    pub(super) continua: Vec<Flat>,
}

impl Solutions {
    /// A solution at a kink belongs to several supports, and the ends of a line to its neighbours.
    pub(super) fn gather(found: Vec<Found>, tolerance: f64) -> Self {
        let (mut all, mut continua) = (Vec::new(), Vec::new());
        for found in found {
            match found {
                Found::Point(point) => all.push(point),
                Found::Flat(flat) => continua.push(flat),
            }
        }
        all.sort_by(|p, q| {
            let order = |(a, b): (&f64, &f64)| a.total_cmp(b);
            p.x.iter().zip(&q.x).map(order).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        });
        let mut points: Vec<Point> = Vec::new();
        for point in all {
            let reach = tolerance.sqrt().min(1e3 * tolerance) * point.x.iter().fold(1.0, |m: f64, x| m.max(x.abs()));
            let near = |x: &[f64]| x.iter().zip(&point.x).all(|(a, b)| (a - b).abs() <= reach);
            if points.iter().any(|p| near(&p.x)) || continua.iter().any(|c| c.contains(&point.x, reach)) {
                continue;
            }
            points.push(point);
        }
        Self { points, continua }
    }
}

impl Flat {
    fn contains(&self, x: &[f64], reach: f64) -> bool {
        let Flat::Line { base, direction, lower, upper, .. } = self else { return false };
        let length: f64 = direction.iter().map(|d| d * d).sum();
        let t = x.iter().zip(base).zip(direction).map(|((x, b), d)| (x - b) * d).sum::<f64>() / length;
        let t = t.clamp(*lower, *upper);
        x.iter().zip(base).zip(direction).all(|((x, b), d)| (x - b - t * d).abs() <= reach)
    }

    pub(super) fn convert<A: Scalar>(self) -> Continuum<A> {
        let narrow = |v: Vec<f64>| -> Array1<A> { v.into_iter().map(A::of).collect() };
        match self {
            Flat::Line { base, direction, lower, upper, support } => Continuum::Line {
                base: narrow(base),
                direction: narrow(direction),
                lower: A::of(lower),
                upper: A::of(upper),
                support,
            },
            Flat::Undecided { dimension, support } => Continuum::Undecided { dimension, support },
        }
    }
}
