//! How far a matrix is from the boundary of diagonal stability, proved from both sides.

mod gain;
mod linear;
#[cfg(feature = "serde")]
mod stored;

use std::borrow::Cow;
use std::fmt;
use std::ops::ControlFlow;

use ndarray::{Array1, Array2, ArrayView2};

pub use gain::Gain;

use super::Proof;
use super::balance::Balanced;
use super::blocks::{self, padded, strong_components};
use super::bounds;
use super::certificate::Certificate;
use super::check::Effort;
use super::control::{Control, Stop};
use super::interior_point::{Goal, InteriorPoint, Step, Waypoint};
use super::ladder::ATTEMPTS;
use super::method::Method;
use super::metzler;
use super::pencil::{OF_MATRIX, OF_SHIFTED, Pencil, origin};
use super::randomised::{DRAWS, THETA, error_probability};
use super::refutation::Refutation;
use super::structure;
use super::verdict::{Undecided, Verdict};
use super::weights::Weights;
use super::witness;
use crate::error::{Error, Result};
use crate::linalg::decimal::{AtLeast, AtMost};
use crate::linalg::rounding::{add_up, sub_down, sub_up};
use crate::stability::local::fits_densely;
use crate::stability::subject::Matrix;
use crate::stability::{self, Bounds, Condition, Implication, IntoSubject, Subject};

/// Proved bounds on the stability margin `delta*(A; R) = sup{delta : A + delta R^-1 is LDS}` (theory 3.3).
///
/// The margin is positive iff `A` is diagonally stable.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Margin {
    /// The question was about `W + (delta + origin) R^-1`.
    origin: f64,
    /// A bound from above for the pencil `W + delta R^-1`.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    upper: f64,
    /// What is proved from below of the strongly connected blocks, in an order in which the matrix is block lower triangular.
    blocks: Vec<BlockBound>,
    witness: Array2<f64>,
    iterations: usize,
    stop: Option<Stop>,
    /// Of a sparse matrix bounded in linear time: how the lower bound was proved.
    linear: Option<Linear>,
}

/// How the lower bound of a sparse matrix was proved.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Linear {
    /// None if no lower bound was.
    proof: Option<Proof>,
    /// Of a randomised proof.
    seed: u64,
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "stored::StoredBlock"))]
struct BlockBound {
    indices: Vec<usize>,
    /// For the block's part of the pencil: as it was proved, so that the same is proved again.
    #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
    lower: f64,
    /// Weights that prove the lower bound; none for a block of one row, where nothing is to choose.
    weights: Option<Weights>,
}

impl stability::Certificate for Margin {
    type Subject<'a> = Subject<'a>;

    fn verify(&self, subject: &Subject<'_>) -> Result<()> {
        self.verify(subject)
    }

    fn margin(&self) -> Option<f64> {
        Some(self.lower())
    }

    fn implies(&self) -> Implication {
        if self.lower() > 0.0 { Condition::DiagonalStability.implies() } else { Implication::nothing() }
    }

    fn error_probability(&self) -> Option<f64> {
        self.error_probability()
    }
}

impl BlockBound {
    fn is_proved(&self, pencil: &Pencil<'_>) -> bool {
        let part = pencil.block(&self.indices);
        match &self.weights {
            _ if self.lower == f64::NEG_INFINITY => true,
            None => bounds::one_row_proves_lower(&part, self.lower),
            Some(weights) => bounds::proves_lower(&part, self.lower, weights),
        }
    }
}

impl Margin {
    /// A bound from below for the pencil `W + delta R^-1`.
    fn lower_of_pencil(&self) -> f64 {
        self.blocks.iter().fold(f64::INFINITY, |least, block| least.min(block.lower))
    }

    /// A proved lower bound: `A + delta R^-1` is diagonally stable for every `delta` below it.
    pub fn lower(&self) -> f64 {
        sub_down(self.lower_of_pencil(), self.origin)
    }

    /// A proved upper bound: `A + delta R^-1` is diagonally stable for no `delta` above it.
    pub fn upper(&self) -> f64 {
        sub_up(self.upper, self.origin)
    }

    /// Both bounds.
    pub fn bounds(&self) -> Bounds {
        Bounds { lower: self.lower(), upper: self.upper() }
    }

    /// A `Y`, shape `(n, r)`, that refutes diagonal stability at the upper bound: `((A + delta R^-1) Y Y')_ii >= 0`.
    pub fn witness(&self) -> ArrayView2<'_, f64> {
        self.witness.view()
    }

    /// Interior-point steps that were taken, over all strongly connected blocks.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// The largest gain `g* = sup{g > 0 : g W - R^-1 is LDS}` for the `W` with `A = W - R^-1`.
    pub fn max_gain(&self) -> Gain {
        Gain { margin: self.clone() }
    }

    /// Why the search ended before the bounds were within the tolerance, or `None` if they are.
    pub fn stopped(&self) -> Option<Stop> {
        self.stop
    }

    /// How the lower bound was proved for a sparse matrix of more than 1,000 rows, which both bounds are then some per mille to
    /// per cent away from; `None` for others, and where no lower bound was proved.
    pub fn proof(&self) -> Option<Proof> {
        self.linear.and_then(|linear| linear.proof)
    }

    /// An upper bound on the probability, over the random choices of the proof, that a false lower bound was accepted; `None` if
    /// it is proved without chance. The upper bound always is.
    pub fn error_probability(&self) -> Option<f64> {
        (self.proof() == Some(Proof::Randomised)).then(|| error_probability(THETA, DRAWS, ATTEMPTS))
    }

    /// Weights `d`, shape `(n,)`, that prove the lower bound; `None` for a matrix of several strongly connected blocks, which
    /// have weights of their own.
    pub fn weights(&self) -> Option<Array1<f64>> {
        let [block] = self.blocks.as_slice() else { return None };
        block.weights.as_ref().map(Weights::values)
    }

    fn how_proved(&self) -> String {
        match (self.linear, self.error_probability()) {
            (Some(Linear { proof: None, .. }), _) => "the upper bound proved".into(),
            (_, Some(p)) => {
                let p = AtMost(p);
                let of_error = format!("with probability of error at most {p:e} over the algorithm's random choices");
                format!("the upper bound proved, the lower one {of_error}")
            }
            (Some(Linear { proof: Some(proof), .. }), None) => format!("both proved ({proof})"),
            (None, None) => "both proved".into(),
        }
    }

    /// Proves both bounds again, for any subject, as [`margin`](super::margin()) was asked about it.
    ///
    /// # Errors
    /// [`Error::NotProved`] if they do not hold, cannot be proved in `f64`, or are an answer to another question (about `A` in
    /// place of `W - R^-1`, or the other way round); the errors of [`margin`](super::margin()) for a bad subject.
    pub fn verify<'a>(&self, subject: impl IntoSubject<'a>) -> Result<()> {
        let subject = subject.into_subject()?;
        if self.linear.is_some() {
            return linear::verify(self, &subject);
        }
        fits_in_memory(&subject)?;
        self.verify_pencil(&Pencil::of(&subject), origin(&subject))
    }

    /// What the bounds decide about the subject that the margin is of: a certificate whose own margin is at least nine tenths of
    /// the lower bound where rounding errors leave so much, or a refutation. Another search is not needed. Of a matrix with
    /// margins in terms of other slopes than 1, the weights have such a margin, but the certificate has that for `R = I`.
    ///
    /// # Errors
    /// [`Error::NotProved`] for a subject that the margin cannot be of; the errors of [`margin`](super::margin()) for a bad one.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::stability::diagonal::margin;
    /// let a = array![[-1.0, 0.0, -1.5], [1.5, -1.0, 0.0], [0.0, 1.5, -1.0]];
    /// let verdict = margin(&a)?.verdict(&a)?;
    /// let certificate = verdict.certificate().expect("the margin is 0.25");
    /// certificate.verify(&a)?;
    /// assert!(certificate.margin_lower() > 0.22);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn verdict<'a>(&self, subject: impl IntoSubject<'a>) -> Result<Verdict> {
        let subject = subject.into_subject()?;
        if self.linear.is_some() {
            return linear::verdict(self, &subject);
        }
        fits_in_memory(&subject)?;
        self.verdict_of_pencil(&Pencil::of(&subject), origin(&subject))
    }

    fn verify_pencil(&self, pencil: &Pencil<'_>, origin: f64) -> Result<()> {
        self.fits(pencil, origin)?;
        if !self.blocks.iter().all(|block| block.is_proved(pencil)) {
            return not_proved("the lower bound is not proved");
        }
        if !self.proves_upper(pencil) {
            return not_proved("the upper bound is not proved");
        }
        Ok(())
    }

    fn proves_upper(&self, pencil: &Pencil<'_>) -> bool {
        self.upper == f64::INFINITY || bounds::proves_upper(pencil, self.upper, &self.witness)
    }

    fn verdict_of_pencil(&self, pencil: &Pencil<'_>, origin: f64) -> Result<Verdict> {
        self.fits(pencil, origin)?;
        let method = Method::Margin;
        if self.upper <= self.origin && bounds::proves_upper(pencil, self.origin, &self.witness) {
            return Ok(Verdict::NotStable(Refutation::new(self.witness.clone(), method, self.iterations)));
        }
        // Blocks at their own margins would leave no room for the couplings between them, and little room spreads weights.
        // The first part is above the promised nine tenths since `delta` is rounded on the scale of the diagonal.
        let margin = self.lower();
        let whole = (self.blocks.len() == 1).then_some(1.0);
        let parts = whole.into_iter().chain([0.91, 0.7, 0.3]).map(|part| part * margin).take_while(|_| margin > 0.0);
        let mut certificates = parts.filter_map(|margin| {
            let weights = self.weights_with(pencil, margin)?;
            self.certificate(pencil, weights, margin)
        });
        if let Some(first) = certificates.next() {
            let in_range = first.weights_are_representable();
            let other = if in_range { None } else { certificates.find(Certificate::weights_are_representable) };
            return Ok(Verdict::Stable(other.unwrap_or(first)));
        }
        if margin > 0.0
            && let Some(weights) = self.weights_with(pencil, 0.0)
            && let Some(margin) = bounds::margin_of_weights(pencil, self.origin, &weights)
            && let Some(certificate) = self.certificate(pencil, weights, margin)
        {
            return Ok(Verdict::Stable(certificate));
        }
        // What is handed over undecided are bounds on the margin of this matrix.
        self.verify_pencil(pencil, origin)?;
        let stop = self.stop.unwrap_or(Stop::NearBoundary);
        Ok(Verdict::Undecided(Undecided::new((self.lower(), self.upper()), method, self.iterations, stop)))
    }

    /// The certificate that weights and a margin in terms of `R` are. One of a matrix itself knows no slopes: it has the margin
    /// that is proved for `R = I`.
    fn certificate(&self, pencil: &Pencil<'_>, weights: Weights, margin: f64) -> Option<Certificate> {
        if self.origin == OF_SHIFTED || pencil.rho.iter().all(|&rho| rho == 1.0) {
            return Some(Certificate::new(weights, margin, Method::Margin, self.iterations));
        }
        let plain = pencil.with_slopes(Array1::ones(pencil.size()));
        let margin = bounds::margin_of_weights(&plain, OF_MATRIX, &weights)?;
        Some(Certificate::new(weights, margin, Method::Margin, self.iterations))
    }

    /// Weights that are proved to certify the matrix with the given margin, put together from those of the blocks.
    fn weights_with(&self, pencil: &Pencil<'_>, margin: f64) -> Option<Weights> {
        let diagonal = pencil.diagonal(add_up(self.origin, margin));
        let of_block = |block: &BlockBound| block.weights.clone().or_else(|| Weights::new([1.0], [0]));
        let proves = |weights: &Weights| bounds::proves_margin(pencil, self.origin, margin, weights, Effort::Full);
        if let [block] = self.blocks.as_slice() {
            return of_block(block).filter(proves);
        }
        let components: Vec<Vec<usize>> = self.blocks.iter().map(|block| block.indices.clone()).collect();
        let parts: Option<Vec<_>> = self
            .blocks
            .iter()
            .map(|block| Some((pencil.block(&block.indices), diagonal.block(&block.indices), of_block(block)?)))
            .collect();
        blocks::assembled(pencil, &components, &parts?).find(proves)
    }

    /// Whether the margin answers this question.
    fn answers(&self, origin: f64) -> Result<()> {
        if self.origin == origin {
            return Ok(());
        }
        not_proved(if origin == OF_MATRIX {
            "it is a margin of `W - R^-1`"
        } else {
            "it is not a margin of `W - R^-1`"
        })
    }

    /// Whether the margin can be one of this pencil and question.
    fn fits(&self, pencil: &Pencil<'_>, origin: f64) -> Result<()> {
        self.answers(origin)?;
        let n = pencil.size();
        let mut place = vec![usize::MAX; n];
        for (k, block) in self.blocks.iter().enumerate() {
            let fitting = block.weights.as_ref().map_or(1, Weights::len) == block.indices.len();
            for &i in &block.indices {
                if i >= n || place[i] != usize::MAX || !fitting {
                    return not_proved("the blocks are not a partition of the rows");
                }
                place[i] = k;
            }
        }
        if place.contains(&usize::MAX) || self.witness.nrows() != n {
            return not_proved("the blocks are not a partition of the rows");
        }
        if pencil.matrix().indexed_iter().any(|((i, j), &v)| v != 0.0 && place[i] < place[j]) {
            return not_proved("the matrix is not block triangular as the lower bound needs it");
        }
        Ok(())
    }
}

/// A sparse matrix is made dense to check what a dense search found.
fn fits_in_memory(subject: &Subject<'_>) -> Result<()> {
    match subject.matrix() {
        Matrix::Dense(_) => Ok(()),
        Matrix::Sparse(_) => fits_densely(subject.size(), "a margin proved by dense matrices"),
    }
}

fn not_proved(reason: &str) -> Result<()> {
    Err(Error::NotProved { reason: reason.into() })
}

impl fmt::Display for Margin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "margin in [{:e}, {:e}], {}", AtLeast(self.lower()), AtMost(self.upper()), self.how_proved())?;
        self.stop.map_or(Ok(()), |stop| write!(f, " (the search ended early: {stop})"))
    }
}

/// What is proved about one strongly connected block so far.
struct Proved {
    lower: f64,
    weights: Option<Weights>,
    upper: f64,
    witness: Option<Array2<f64>>,
}

impl Proved {
    fn raise(&mut self, pencil: &Pencil<'_>, candidate: f64, weights: &Weights) -> bool {
        let better = candidate > self.lower && bounds::proves_lower(pencil, candidate, weights);
        if better {
            self.lower = candidate;
            self.weights = Some(weights.clone());
        }
        better
    }

    fn cut(&mut self, pencil: &Pencil<'_>, candidate: f64, y: &Array2<f64>) -> bool {
        let better = candidate < self.upper && bounds::proves_upper(pencil, candidate, y);
        if better {
            self.upper = candidate;
            self.witness = Some(y.clone());
        }
        better
    }

    /// Cuts at the first of several candidates, from a few rounding errors above `bound` outwards, that `y` proves.
    fn cut_near(&mut self, pencil: &Pencil<'_>, balanced: &Balanced, bound: f64, y: &Array2<f64>) {
        for factor in [2.0, 16.0, 128.0, 1024.0, 8192.0, 65536.0] {
            if self.cut(pencil, balanced.margin(bound + factor * f64::EPSILON * (1.0 + bound.abs())), y) {
                break;
            }
        }
    }

    fn within(&self, wanted: &Wanted) -> bool {
        self.upper - self.lower <= wanted.distance(self.upper)
    }
}

/// How far apart the bounds may be.
struct Wanted {
    tolerance: f64,
    origin: f64,
}

impl Wanted {
    /// For bounds near `delta`: relative to the margin `delta - origin`, and to `delta` itself, which the largest gain
    /// depends on.
    fn distance(&self, delta: f64) -> f64 {
        self.tolerance * (delta - self.origin).abs().min(delta.abs())
    }
}

/// Rows above which the margin of a sparse matrix is bounded in linear time.
const DENSE: usize = 1000;

/// Bounds on the margin of the subject's matrix.
pub(super) fn compute(subject: &Subject<'_>, control: &mut Control<'_>) -> Margin {
    match subject.matrix() {
        Matrix::Sparse(w) if w.rows() > DENSE || control.proofs().only.is_some() => linear::compute(subject, control),
        _ => of_pencil(&Pencil::of(subject), origin(subject), control),
    }
}

/// Bounds on the margin of `W + (delta + origin) R^-1`.
fn of_pencil(pencil: &Pencil<'_>, origin: f64, control: &mut Control<'_>) -> Margin {
    let n = pencil.size();
    let mut upper = f64::INFINITY;
    let mut witness = Array2::zeros((n, 1));
    let mut blocks = Vec::new();
    let mut stop = None;
    let components = strong_components(pencil.matrix());
    let reducible = components.len() > 1;
    for indices in components {
        control.next_block();
        let part: Cow<'_, Pencil<'_>> =
            if reducible { Cow::Owned(pencil.block(&indices)) } else { Cow::Borrowed(pencil) };
        let wanted = Wanted { tolerance: control.tolerance(), origin };
        let (proved, stopped) = block(&part, upper, &wanted, control);
        if proved.upper < upper {
            upper = proved.upper;
            if let Some(y) = &proved.witness {
                witness = padded(y, &indices, n);
            }
        }
        stop = stop.or(stopped);
        blocks.push(BlockBound { indices, lower: proved.lower, weights: proved.weights });
    }
    Margin { origin, upper, blocks, witness, iterations: control.iterations, stop, linear: None }
}

/// Bounds for one strongly connected block; those above `enough`, the margin of another block, need not be tight.
fn block(pencil: &Pencil<'_>, enough: f64, wanted: &Wanted, control: &mut Control<'_>) -> (Proved, Option<Stop>) {
    let mut proved = Proved { lower: f64::NEG_INFINITY, weights: None, upper: f64::INFINITY, witness: None };
    // The diagonal alone: X = e_i e_i' for the smallest -w_ii rho_i.
    let n = pencil.size();
    let ends = pencil.zero_crossings();
    let (tightest, &(low, high)) = match ends.iter().enumerate().min_by(|p, q| p.1.1.total_cmp(&q.1.1)) {
        Some(end) => end,
        None => return (proved, Some(Stop::Range)),
    };
    let mut y = Array2::zeros((n, 1));
    y[[tightest, 0]] = 1.0;
    proved.cut(pencil, high, &y);
    if n == 1 {
        if bounds::one_row_proves_lower(pencil, low) {
            proved.lower = low;
        }
        return (proved, None);
    }
    let done = |proved: &Proved| proved.within(wanted) || proved.lower >= enough;
    if let Some(metzler::Measured { lower, weights, upper, witness }) = metzler::measure(pencil) {
        (proved.lower, proved.weights) = (lower, Some(weights));
        if upper < proved.upper {
            (proved.upper, proved.witness) = (upper, Some(witness));
        }
        if done(&proved) {
            return (proved, None);
        }
        // Relative to the abscissa the bounds are as near as they should be: what is missing of the margin is lost in
        // rounding errors.
        if proved.upper - proved.lower <= wanted.tolerance * proved.upper.abs() {
            return (proved, Some(Stop::NearBoundary));
        }
    }

    // Structure, and the weights that balance rows and columns.
    let balanced = Balanced::new(pencil.matrix(), pencil.own(), pencil.rho.clone());
    let guesses = structure::margin_candidates(pencil);
    let ones = Array1::ones(n);
    for weights in guesses.weights.into_iter().chain(balanced.weights(&ones)) {
        if proved.raise(pencil, enough, &weights) {
            return (proved, None);
        }
        if let Some(candidate) = bounds::lower(pencil, &weights) {
            proved.raise(pencil, candidate, &weights);
        }
    }
    if let Some(y) = guesses.witness
        && let Some(candidate) = bounds::upper(pencil, &y)
    {
        proved.cut(pencil, candidate, &y);
    }
    if done(&proved) {
        return (proved, None);
    }
    // The path, and its last part again in the metric of the weights so far where rounding errors end it early.
    const FUTILE_PASSES: usize = 2;
    let mut metric = balanced.in_better_metric();
    let (mut from, mut futile) = (None, 0);
    while futile < FUTILE_PASSES {
        let width = proved.upper - proved.lower;
        let (end, stop) = follow_path(pencil, &metric, from, &mut proved, wanted, &done, control);
        if stop != Some(Stop::NearBoundary) {
            return (proved, stop);
        }
        futile = if proved.upper - proved.lower < 0.7 * width { 0 } else { futile + 1 };
        metric = metric.rescaled(&end.d);
        from = Some(end);
    }
    (proved, Some(Stop::NearBoundary))
}

/// Follows the central path to the margin, proving both bounds once they are about to be tight. Returns the end of
/// the path, and why it ended if the bounds are not as near as wanted.
fn follow_path(
    pencil: &Pencil<'_>,
    balanced: &Balanced,
    from: Option<Waypoint>,
    proved: &mut Proved,
    wanted: &Wanted,
    done: &impl Fn(&Proved) -> bool,
    control: &mut Control<'_>,
) -> (Waypoint, Option<Stop>) {
    let mut point = match from {
        Some(from) => InteriorPoint::resumed(balanced.b.view(), from),
        None => InteriorPoint::new(balanced.b.view(), Goal::Margin),
    };
    // Steps in a row that made little progress: on a curved part of the path, or drowned in rounding errors.
    let (mut least_gap, mut idle) = (f64::INFINITY, 0);
    loop {
        if let ControlFlow::Break(stop) = control.proceed(&point) {
            prove(pencil, balanced, &point, proved, done);
            return (point.waypoint(), Some(stop));
        }
        let stalled = point.step() == Step::Stalled;
        if !stalled {
            control.count();
        }
        let gap = point.gap();
        idle = if gap < 0.7 * least_gap { 0 } else { idle + 1 };
        least_gap = least_gap.min(gap);
        let near = gap < 1e-5;
        let within = balanced.margin(gap) < 4.0 * wanted.distance(balanced.margin(point.delta));
        let over = stalled || idle >= if near { 3 } else { 12 };
        if within || (near && idle > 0) || over {
            prove(pencil, balanced, &point, proved, done);
            if done(proved) {
                return (point.waypoint(), None);
            }
        }
        if over {
            return (point.waypoint(), Some(Stop::NearBoundary));
        }
    }
}

/// Proves what the iterates say about the margin: a little inwards of them and, if that is not enough, what eigenvalues say.
fn prove(
    pencil: &Pencil<'_>,
    balanced: &Balanced,
    point: &InteriorPoint<'_>,
    proved: &mut Proved,
    done: &impl Fn(&Proved) -> bool,
) {
    let n = pencil.size() as f64;
    let weights = balanced.weights(&point.d);
    // Z = S - 2 delta D > 0 proves delta for these weights.
    if let Some(weights) = &weights {
        let rounding = f64::EPSILON * n * (1.0 + point.delta.abs());
        for slack in [1.0, 2.0, 4.0, 32.0, n, 16.0 * n] {
            if proved.raise(pencil, balanced.margin(point.delta - slack * rounding), weights) {
                break;
            }
        }
    }
    if let Some(candidate) = witness::best(balanced.b.view(), point.x.view(), true)
        && let Some(y) = candidate.factor(point.x.view())
    {
        proved.cut_near(pencil, balanced, candidate.bound, &balanced.witness(y));
    }
    if done(proved) {
        return;
    }

    // Far from the margin the weights prove more than the delta of the iterate; near it, the witness does without what
    // is rounding.
    if let Some(weights) = &weights
        && let Some(candidate) = bounds::lower(pencil, weights)
    {
        proved.raise(pencil, candidate, weights);
    }
    if proved.upper - proved.lower < 1e-3 * proved.upper.abs()
        && let Some((bound, y)) = witness::low_rank(balanced.b.view(), point.x.view())
    {
        proved.cut_near(pencil, balanced, bound, &balanced.witness(y));
    }
}
