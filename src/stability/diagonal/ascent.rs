//! Weights near the best from products by `W` and `W'` alone (theory 3.13 a).
//!
//! With `s = sqrt(d)` and `M = s R^(1/2) W R^(1/2) s^-1`, weights `d` prove the margin `-lambda_max(S)` of `W`, `S = (M + M')/2`,
//! and the gain `1/lambda_max(S)`. The largest eigenvalue of `S` is minimised over `log s`: its derivative is
//! `((M - M') X)_ii` for the density `X` of the top eigenvectors, which are followed from step to step.

use std::ops::ControlFlow;

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, Axis, Data, Ix1, Zip, concatenate, s};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::control::Stop;
use crate::check::positive_vector;
use crate::error::{Error, Result};
use crate::linalg::operator::{LinearOperator, check_products, finite_product};
use crate::linalg::{self};

/// Top eigenvectors that are followed.
const RANK: usize = 8;
/// Of the logarithm of a weight's root in one step.
const STEP: f64 = 0.03;
/// Steps with constant weights before the first, and after the last.
const WARM_UP: usize = 40;
const FINISH: usize = 60;
/// Decay of the averages of gradients and of their squares.
const MEAN: f64 = 0.9;
const SQUARE: f64 = 0.99;
/// Sets of eigenvectors, and the steps between them, that are kept for the witness.
const KEPT: usize = 4;
const APART: usize = 5;

/// Weights near the best for an operator, with estimates of what they give; nothing here is proved.
#[derive(Debug, Clone, PartialEq)]
pub struct Ascent {
    weights: Array1<f64>,
    largest: f64,
    pub(super) witnesses: Vec<Array2<f64>>,
    steps: usize,
    products: usize,
}

impl Ascent {
    /// The weights `d`, all positive. Shape `(n,)`.
    pub fn weights(&self) -> ArrayView1<'_, f64> {
        self.weights.view()
    }

    /// An estimate, usually from below, of the largest eigenvalue of `sym(s R^(1/2) W R^(1/2) s^-1)`, `s = sqrt(d)`. Its negative
    /// is the margin of `W` that the weights give.
    pub fn largest_eigenvalue(&self) -> f64 {
        self.largest
    }

    /// An estimate of the largest gain `g` for which the weights certify `g W - R^-1`; infinite if they do for every gain.
    pub fn gain_estimate(&self) -> f64 {
        if self.largest > 0.0 { 1.0 / self.largest } else { f64::INFINITY }
    }

    /// A `Y` of shape `(n, r)` for which all `(W Y Y')_ii rho_i / (Y Y')_ii` are about the largest eigenvalue, if the weights are near the
    /// best.
    pub fn witness(&self) -> ArrayView2<'_, f64> {
        self.witnesses[0].view()
    }

    /// Steps that changed the weights.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Vectors that were multiplied by `W` or by `W'`.
    pub fn products(&self) -> usize {
        self.products
    }
}

/// Weights near the best for an operator `W` and slopes `rho`, shape `(n,)`, by at most `steps` steps; 100 come within a
/// percent of the best gain of most networks.
///
/// # Errors
/// [`Error::NonFinite`] for a product that is not finite; [`Error::Invalid`] for products that belong to no common matrix, slopes
/// that are not positive and finite, or no steps; [`Error::Shape`] unless `rho` has one entry per row; [`Error::Empty`] for no rows.
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::diagonal::ascend;
/// // Two neurons that excite each other, and inhibition that costs nothing.
/// let w = array![[0.0, 0.5, -0.5], [2.0, 0.0, -2.0], [1.0, 1.0, 0.0]];
/// let found = ascend(&w, &array![1.0, 1.0, 1.0], 200)?;
/// assert!(found.gain_estimate() > 0.99);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn ascend<T: Data<Elem = f64>>(
    operator: &dyn LinearOperator,
    rho: &ArrayBase<T, Ix1>,
    steps: usize,
) -> Result<Ascent> {
    positive_vector("rho", rho.view(), operator.size())?;
    if steps == 0 {
        return Err(Error::invalid("steps", 0, "at least 1"));
    }
    check_products(operator)?;
    let rho = rho.to_owned();
    let mut climb = Climb::new(operator, &rho, balanced(operator, &rho)?)?;
    climb.run(steps, f64::NEG_INFINITY, &mut |_| ControlFlow::Continue(()))?;
    Ok(climb.finish()?.0)
}

/// `log s` that makes the norms of row and column `i` of `s R^(1/2) W R^(1/2) s^-1` about equal, from products with random signs: the
/// mean square of entry `i` of `W (v o signs)` is `sum_j w_ij^2 v_j^2`.
fn balanced(operator: &dyn LinearOperator, rho: &Array1<f64>) -> Result<Array1<f64>> {
    const SWEEPS: usize = 16;
    const PROBES: usize = 8;
    let n = operator.size();
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut log_s = Array1::<f64>::zeros(n);
    let mut average = Array1::<f64>::zeros(n);
    for sweep in 0..SWEEPS {
        let signs = Array2::from_shape_simple_fn((n, PROBES), || if random.random() { 1.0 } else { -1.0 });
        let (up, down) = scales(&log_s, &rho.mapv(f64::sqrt));
        let (mut into, mut out) = (Array2::zeros((n, PROBES)), Array2::zeros((n, PROBES)));
        operator.apply((&signs * &down).view(), out.view_mut());
        operator.apply_transposed((&signs * &up).view(), into.view_mut());
        finite_product("W x", &out)?;
        finite_product("W'x", &into)?;
        let square = |m: Array2<f64>, scale: &Array2<f64>| (m * scale).mapv(|v| v * v).sum_axis(Axis(1));
        let (rows, columns) = (square(out, &up), square(into, &down));
        Zip::from(&mut log_s).and(&rows).and(&columns).for_each(|log_s, &row, &column| {
            if row > 0.0 && column > 0.0 {
                *log_s += 0.125 * (column / row).ln();
            }
        });
        if 2 * sweep >= SWEEPS {
            average += &log_s;
        }
    }
    Ok(average / (SWEEPS / 2) as f64)
}

/// `s R^(1/2)` and `s^-1 R^(1/2)` as columns.
fn scales(log_s: &Array1<f64>, root_rho: &Array1<f64>) -> (Array2<f64>, Array2<f64>) {
    let scale =
        |sign: f64| Zip::from(log_s).and(root_rho).map_collect(|l, r| (sign * l).exp() * r).insert_axis(Axis(1));
    (scale(1.0), scale(-1.0))
}

/// Ritz vectors of one step, for the witness.
struct Snapshot {
    log_s: Array1<f64>,
    /// Ritz vectors times the roots of their shares in the density.
    y: Array2<f64>,
}

/// An ascent under way.
pub(super) struct Climb<'a> {
    operator: &'a dyn LinearOperator,
    root_rho: Array1<f64>,
    log_s: Array1<f64>,
    /// Ritz vectors as columns, and their values from the largest downwards.
    vectors: Array2<f64>,
    values: Array1<f64>,
    /// `M` and `M'` times the Ritz vectors.
    images: [Array2<f64>; 2],
    /// Whether the images are those for the present weights.
    current: bool,
    /// The directions of the last step, and their images.
    last: Option<[Array2<f64>; 3]>,
    size: f64,
    mean: Array1<f64>,
    square: Array1<f64>,
    best: (f64, Array1<f64>),
    kept: Vec<Snapshot>,
    steps: usize,
    products: usize,
    stop: Option<Stop>,
}

impl<'a> Climb<'a> {
    /// From weights `d = exp(2 log_s)`.
    pub(super) fn new(operator: &'a dyn LinearOperator, rho: &Array1<f64>, log_s: Array1<f64>) -> Result<Self> {
        let n = operator.size();
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let start = Array2::from_shape_simple_fn((n, RANK.min(n)), || random.random_range(-1.0..1.0));
        let mut climb = Self {
            operator,
            root_rho: rho.mapv(f64::sqrt),
            best: (f64::INFINITY, log_s.clone()),
            log_s,
            vectors: orthonormal(&start).0,
            values: Array1::zeros(0),
            images: [Array2::zeros((0, 0)), Array2::zeros((0, 0))],
            current: false,
            last: None,
            size: 0.0,
            mean: Array1::zeros(n),
            square: Array1::zeros(n),
            kept: Vec::new(),
            steps: 0,
            products: 0,
            stop: None,
        };
        let [right, left] = climb.multiply(&climb.vectors.clone())?;
        let image = 0.5 * (&right + &left);
        climb.size = (image.iter().map(|v| v * v).sum::<f64>() / climb.vectors.ncols().max(1) as f64).sqrt();
        Ok(climb)
    }

    /// `M x` and `M'x`.
    fn multiply(&mut self, x: &Array2<f64>) -> Result<[Array2<f64>; 2]> {
        self.products += 2 * x.ncols();
        let (up, down) = scales(&self.log_s, &self.root_rho);
        let mut right = Array2::zeros(x.dim());
        self.operator.apply((x * &down).view(), right.view_mut());
        finite_product("W x", &right)?;
        right *= &up;
        let mut left = Array2::zeros(x.dim());
        self.operator.apply_transposed((x * &up).view(), left.view_mut());
        finite_product("W'x", &left)?;
        left *= &down;
        Ok([right, left])
    }

    /// Moves the Ritz vectors towards the top eigenvectors of the present `S`: one step of LOBPCG (Knyazev, SIAM J. Sci. Comput. 23,
    /// 2001). The last directions serve as long as the weights do not change, and cost no products.
    fn follow(&mut self) -> Result<()> {
        if !self.current {
            self.images = self.multiply(&self.vectors.clone())?;
            self.last = None;
            self.current = true;
        }
        let v = &self.vectors;
        let image = 0.5 * (&self.images[0] + &self.images[1]);
        let values = (v * &image).sum_axis(Axis(0));
        let mut residual = &image - &(v * &values);
        for _ in 0..2 {
            let inside = linalg::product(v.t(), residual.view());
            residual -= &linalg::product(v.view(), inside.view());
        }
        let (w, rank) = orthonormal(&residual);
        let w = w.slice(s![.., ..rank]).to_owned();
        let [right, left] = self.multiply(&w)?;
        let join = |blocks: [&Array2<f64>; 3]| {
            concatenate(Axis(1), &blocks.map(|b| b.view())).expect("blocks of the same number of rows")
        };
        let none = Array2::zeros((self.vectors.nrows(), 0));
        let [p, p_right, p_left] = self.last.as_ref().map_or([&none; 3], |last| [&last[0], &last[1], &last[2]]);
        let count = self.vectors.ncols();
        let basis = join([&self.vectors, &w, p]);
        let (right, left) = (join([&self.images[0], &right, p_right]), join([&self.images[1], &left, p_left]));
        let projected = linalg::product(basis.t(), (0.5 * (&right + &left)).view());
        let gram = linalg::product(basis.t(), basis.view());
        let Some((values, turn)) = top_pairs(&projected, &gram, count) else { return Ok(()) };
        let combined = |turn: &Array2<f64>| [&basis, &right, &left].map(|b| linalg::product(b.view(), turn.view()));
        let mut without = turn.clone();
        without.slice_mut(s![..count, ..]).fill(0.0);
        let mut last = combined(&without);
        let lengths = last[0].map_axis(Axis(0), |c| c.dot(&c).sqrt());
        let inverse = lengths.mapv(|l| if l > 1e-150 { 1.0 / l } else { 0.0 });
        last.iter_mut().for_each(|block| *block *= &inverse);
        self.last = Some(last);
        let [vectors, right, left] = combined(&turn);
        self.vectors = vectors;
        self.images = [right, left];
        self.values = values;
        Ok(())
    }

    /// Follows with constant weights until the largest eigenvalue changes by less than `tolerance`, relative to the size of `S`.
    fn settle(&mut self, steps: usize, tolerance: f64) -> Result<()> {
        let (mut last, mut quiet) = (f64::INFINITY, 0);
        for _ in 0..steps {
            self.follow()?;
            let top = self.values.first().copied().unwrap_or(0.0);
            quiet = if (top - last).abs() <= tolerance * self.size.max(top.abs()) { quiet + 1 } else { 0 };
            last = top;
            if quiet == 3 {
                break;
            }
        }
        Ok(())
    }

    /// The shares of the Ritz vectors in the density that stands for the top eigenspace.
    fn shares(&self) -> Array1<f64> {
        let top = self.values[0];
        let temperature = 0.15 * self.size.max(0.1 * top.abs()) * 0.97_f64.powi(self.steps.min(140) as i32);
        let mut shares = self.values.mapv(|v| ((v - top) / temperature.max(f64::MIN_POSITIVE)).exp());
        shares /= shares.sum();
        shares
    }

    /// Climbs `steps` steps, or until the largest eigenvalue is below `enough`, or `proceed` ends it.
    pub(super) fn run(
        &mut self,
        steps: usize,
        enough: f64,
        proceed: &mut dyn FnMut(f64) -> ControlFlow<Stop>,
    ) -> Result<()> {
        self.settle(WARM_UP, 1e-3)?;
        for step in 0..steps {
            if let ControlFlow::Break(stop) = proceed(self.values.first().copied().unwrap_or(f64::INFINITY)) {
                self.stop = Some(stop);
                break;
            }
            self.follow()?;
            let Some(&top) = self.values.first() else { break };
            if top < self.best.0 {
                self.best = (top, self.log_s.clone());
            }
            if top < enough {
                break;
            }
            let shares = self.shares();
            let left_to_go = steps - step;
            if left_to_go <= 1 + (KEPT - 1) * APART && (left_to_go - 1).is_multiple_of(APART) {
                let y = &self.vectors * &shares.mapv(f64::sqrt);
                self.kept.push(Snapshot { log_s: self.log_s.clone(), y });
            }
            self.move_weights(&shares, if 5 * step < 4 * steps { 1.0 } else { 5.0 * left_to_go as f64 / steps as f64 });
        }
        Ok(())
    }

    /// One step of Adam (Kingma & Ba, ICLR 2015) in `log s`.
    fn move_weights(&mut self, shares: &Array1<f64>, part: f64) {
        self.steps += 1;
        self.current = false;
        let [right, left] = &self.images;
        let gradient = ((right - left) * &self.vectors).dot(shares);
        let k = self.steps.min(5000) as i32;
        let (mean_part, square_part) = (1.0 - MEAN.powi(k), 1.0 - SQUARE.powi(k));
        // Gradients of a hundred-thousandth of the usual ones need not make full steps.
        let tiny = (1e-5 * self.size / self.log_s.len() as f64).max(f64::MIN_POSITIVE);
        Zip::from(&mut self.log_s).and(&mut self.mean).and(&mut self.square).and(&gradient).for_each(
            |log_s, mean, square, &g| {
                *mean = MEAN * *mean + (1.0 - MEAN) * g;
                *square = SQUARE * *square + (1.0 - SQUARE) * g * g;
                *log_s -= part.min(1.0) * STEP * (*mean / mean_part) / ((*square / square_part).sqrt() + tiny);
            },
        );
    }

    /// The best weights so far, with the largest eigenvalue for them, and what ended the ascent early.
    pub(super) fn finish(mut self) -> Result<(Ascent, Option<Stop>)> {
        // The last weights against those of the least value, which may have been too low as it was not settled.
        self.settle(FINISH, 1e-7)?;
        let last = self.values.first().copied().unwrap_or(f64::INFINITY);
        if self.best.0 < last && self.best.1 != self.log_s {
            let here = (self.log_s.clone(), self.vectors.clone(), self.values.clone());
            (self.log_s, self.current) = (self.best.1.clone(), false);
            self.settle(FINISH, 1e-7)?;
            if self.values.first().is_some_and(|&top| top > last) {
                (self.log_s, self.vectors, self.values) = here;
            }
        }
        let shares = self.shares();
        let y = &self.vectors * &shares.mapv(f64::sqrt);
        self.kept.push(Snapshot { log_s: self.log_s.clone(), y });
        // All of them for the matrix W itself: the best weights' alone, then the average over the last steps.
        let unscaled = |snapshot: &Snapshot| {
            let scale = Zip::from(&snapshot.log_s).and(&self.root_rho).map_collect(|l, r| (-l).exp() * r);
            &snapshot.y * &scale.insert_axis(Axis(1))
        };
        let all: Vec<Array2<f64>> = self.kept.iter().map(unscaled).collect();
        let last = all.last().expect("one was just kept").clone();
        let views: Vec<ArrayView2<'_, f64>> = all.iter().map(|y| y.view()).collect();
        let average = concatenate(Axis(1), &views).expect("blocks of the same number of rows");
        let weights = self.log_s.mapv(|l| (2.0 * l).exp());
        let (steps, products) = (self.steps, self.products);
        Ok((Ascent { weights, largest: self.values[0], witnesses: vec![last, average], steps, products }, self.stop))
    }
}

/// An orthonormal basis of the span of the columns, and how many it has; the other columns are zero.
fn orthonormal(x: &Array2<f64>) -> (Array2<f64>, usize) {
    let lengths = x.map_axis(Axis(0), |c| c.dot(&c).sqrt());
    let largest = lengths.fold(0.0, |m: f64, &v| m.max(v));
    let inverse = lengths.mapv(|l| if l > 1e-14 * largest && l > 0.0 { 1.0 / l } else { 0.0 });
    let mut q = x * &inverse;
    let mut rank = 0;
    // The second pass removes what the first leaves of nearly dependent columns.
    for _ in 0..2 {
        let gram = linalg::product(q.t(), q.view());
        let Ok((values, turn)) = linalg::eigh(gram.view()) else { return (Array2::zeros(x.dim()), 0) };
        let top = values.fold(0.0, |m: f64, &v| m.max(v));
        let mut scaled = Array2::zeros(turn.dim());
        rank = 0;
        for (k, &value) in values.iter().enumerate().rev() {
            if value > 1e-12 * top && value > 0.0 {
                scaled.column_mut(rank).assign(&(&turn.column(k) / value.sqrt()));
                rank += 1;
            }
        }
        q = linalg::product(q.view(), scaled.view());
    }
    (q, rank)
}

/// The `count` largest eigenvalues of `projected x = value gram x` and their vectors, for a `gram` near the identity.
fn top_pairs(projected: &Array2<f64>, gram: &Array2<f64>, count: usize) -> Option<(Array1<f64>, Array2<f64>)> {
    let (values, turn) = linalg::eigh((0.5 * (gram + &gram.t())).view()).ok()?;
    let keep: Vec<usize> = (0..values.len()).filter(|&k| values[k] > 1e-8).collect();
    let whiten = turn.select(Axis(1), &keep) / values.select(Axis(0), &keep).mapv(f64::sqrt);
    let inner = whiten.t().dot(projected).dot(&whiten);
    let (values, turn) = linalg::eigh((0.5 * (&inner + &inner.t())).view()).ok()?;
    let top: Vec<usize> = (0..values.len()).rev().take(count).collect();
    Some((values.select(Axis(0), &top), whiten.dot(&turn.select(Axis(1), &top))))
}
