//! Schur diagonal stability: discrete time, rounds of play, and delays (theory 3.10).
//!
//! A square matrix `M` is *Schur diagonally stable* if some positive diagonal `D` has `M'D M < D`: in the norm
//! weighted by `D` it shrinks every vector. The least such norm, `s* = inf_D |M|_D`, is below 1 then. For a network `M
//! = R W`, with the slopes of its activations in `[-rho_i, rho_i]`, and
//!
//! - synchronous rounds `x+ = Phi(W x + u)` contract by `|M|_D` each, in that norm; where no neuron drives itself they
//!   are simultaneous best responses;
//! - the flow is globally exponentially stable whatever the common delay of its recurrent input;
//! - `W - R^{-1}` is Lyapunov diagonally stable, with `D/R` for weights.
//!
//! Both sides are proved. That `|M|_D < s`: by the verified definiteness of `s^2 D - M'D M`. That no `D` does better
//! than `s`: by a matrix `V` in which every row of `M V` is at least `s` times as long as that of `V`, for
//! `tr(V'(M'D M - s^2 D) V) = sum_i d_i (|(MV)_i|^2 - s^2 |V_i|^2) >= 0` then, whatever `D` is.
//!
//! Weights and witnesses come from [`diagonal`]: with the Cayley transform `A = (M + I)^{-1} (M - I)` and
//! `x = (I - A) y`, `|M x|_D^2 - |x|_D^2 = 2 y'(D A + A'D) y`, so `M` is Schur diagonally stable with the `D` with
//! which `A` is Lyapunov diagonally stable.

use std::fmt;

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, Axis, Data, Ix2};

use super::Bounds;
use super::contraction::perron;
use super::diagonal::{self, Verdict};
use super::local::fits_densely;
use crate::Scalar;
use crate::check::{finite_matrix, square};
use crate::error::{Error, Result};
use crate::linalg::decimal::{AtLeast, AtMost};
use crate::linalg::rounding::{div_down, gamma, mul_down, mul_up, sub_down};
use crate::linalg::verified::proved_positive_definite;
use crate::linalg::{Lu, eigvalsh, product};
use crate::network::{Form, Network, neurons};

/// How near to each other the bounds of [`norm`] are, relative.
const TOLERANCE: f64 = 1e-6;
/// Below what underflows in sums of products.
const UNDERFLOW: f64 = 1e-290;

/// Bounds on the least weighted norm of a matrix, `s* = inf_D |M|_D`, each with its proof.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SchurNorm {
    lower: f64,
    upper: f64,
    weights: Array1<f64>,
    witness: Option<Witness>,
}

/// `V` with rows of `M V`, or of `M'V`, that are long compared with its own.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
struct Witness {
    columns: Array2<f64>,
    of_transpose: bool,
}

/// Bounds on the least weighted norm `s* = inf_D |M|_D` of a square matrix, about 1e-6 apart, relative; `M` is Schur
/// diagonally stable iff it is below 1, and `g M` is iff `g < 1/s*`.
///
/// # Errors
/// [`Error::Shape`] unless `m` is square, [`Error::Empty`] if it has no rows, [`Error::NonFinite`] for NaN or infinite
/// entries.
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::schur;
///
/// // Diagonal weights make the norm of a nonnegative matrix its spectral radius.
/// let norm = schur::norm(&array![[0.0, 9.0], [0.01, 0.0]])?;
/// assert!(norm.lower() <= 0.3 && 0.3 <= norm.upper() && norm.is_stable());
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn norm<A: Scalar, S: Data<Elem = A>>(m: &ArrayBase<S, Ix2>) -> Result<SchurNorm> {
    checked(m)?;
    least_norm(&m.mapv(Scalar::to_double), |_| false)
}

/// As [`norm`], but left as soon as it is proved whether the matrix is Schur diagonally stable.
///
/// # Errors
/// As [`norm`].
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::schur;
///
/// // Lyapunov diagonally stable as `W - I`, but rounds of play diverge, and a delay makes it oscillate.
/// assert!(schur::certify(&array![[0.5, -4.0], [3.0, 0.0]])?.is_not_stable());
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn certify<A: Scalar, S: Data<Elem = A>>(m: &ArrayBase<S, Ix2>) -> Result<SchurNorm> {
    checked(m)?;
    least_norm(&m.mapv(Scalar::to_double), SchurNorm::is_decided)
}

impl<A: Scalar, F: Form> Network<A, F> {
    /// Bounds on the least weighted norm of `R W` (theory 3.10), `R` the slope bounds. Below 1, synchronous rounds
    /// converge and the flow is stable for every common delay, whatever the input.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded, known from samples only, or all zero; more than 20,000 neurons, for
    /// whom dense matrices do not fit.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Tanh;
    /// use neuronash::network::FiringRateNetwork;
    ///
    /// let net = FiringRateNetwork::builder(array![[0.0, -0.9], [0.9, 0.0]]).activation(Tanh::new()).build()?;
    /// let norm = net.schur_norm()?;
    /// assert!(norm.is_stable() && (norm.upper() - 0.9).abs() < 1e-5);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn schur_norm(&self) -> Result<SchurNorm> {
        least_norm(&self.scaled_weights()?, |_| false)
    }

    /// Proves both bounds of a norm again for this network, without trusting where they came from.
    ///
    /// # Errors
    /// [`Error::NotProved`] if one does not hold, or cannot be proved in `f64`; as [`schur_norm`](Self::schur_norm).
    pub fn verify_schur_norm(&self, norm: &SchurNorm) -> Result<()> {
        norm.verify(&self.scaled_weights()?)
    }

    /// Bounds on the spectral radius of `R |W|`. Below 1 the flow is globally exponentially stable whatever the delays
    /// of its synapses, each with its own (theory 3.10).
    ///
    /// # Errors
    /// As [`schur_norm`](Self::schur_norm).
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Tanh;
    /// use neuronash::network::FiringRateNetwork;
    ///
    /// let net = FiringRateNetwork::builder(array![[0.2, -0.9], [0.4, 0.0]]).activation(Tanh::new()).build()?;
    /// assert!(net.delay_radius()?.upper < 1.0);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn delay_radius(&self) -> Result<Bounds> {
        // Each entry has one rounding, and the radius grows with every entry.
        let sizes = self.scaled_weights()?.mapv(f64::abs);
        let Bounds { lower, upper } = perron(&sizes)?.abscissa();
        let outward = 2.0 * f64::EPSILON;
        Ok(Bounds { lower: (lower * (1.0 - outward) - UNDERFLOW).max(0.0), upper: upper * (1.0 + outward) + UNDERFLOW })
    }

    /// `R W`, each entry with one rounding.
    fn scaled_weights(&self) -> Result<Array2<f64>> {
        fits_densely(self.len(), "Schur diagonal stability")?;
        let rho = self.circuit().proved_slopes("Schur diagonal stability")?;
        let weights = self.weights().to_dense().mapv(Scalar::to_double);
        Ok(weights * &rho.mapv(Scalar::to_double).insert_axis(Axis(1)))
    }
}

impl SchurNorm {
    /// No `D` gives the matrix a smaller norm.
    pub fn lower(&self) -> f64 {
        self.lower
    }

    /// The norm for the [`weights`](Self::weights): each round shrinks distances at least to this share.
    pub fn upper(&self) -> f64 {
        self.upper
    }

    /// Both bounds.
    pub fn bounds(&self) -> Bounds {
        Bounds { lower: self.lower, upper: self.upper }
    }

    /// Bounds on the gain `g` up to which `g M` is Schur diagonally stable, `1/s*`.
    pub fn max_gain(&self) -> Bounds {
        let lower = if self.upper > 0.0 { div_down(1.0, self.upper) } else { f64::INFINITY };
        let upper = if self.lower > 0.0 { 1.0 / self.lower * (1.0 + f64::EPSILON) } else { f64::INFINITY };
        Bounds { lower, upper }
    }

    /// The diagonal of `D`, shape `[n]`.
    pub fn weights(&self) -> ArrayView1<'_, f64> {
        self.weights.view()
    }

    /// The columns `V` that prove the lower bound; `None` while it is 0.
    pub fn witness(&self) -> Option<ArrayView2<'_, f64>> {
        self.witness.as_ref().map(|w| w.columns.view())
    }

    /// Whether Schur diagonal stability is proved.
    pub fn is_stable(&self) -> bool {
        self.upper < 1.0
    }

    /// Whether it is proved that no `D` has `M'D M < D`.
    pub fn is_not_stable(&self) -> bool {
        self.lower >= 1.0
    }

    fn is_decided(&self) -> bool {
        self.is_stable() || self.is_not_stable()
    }

    /// Proves both bounds again for a matrix, without trusting where they came from.
    ///
    /// # Errors
    /// [`Error::NotProved`] if one does not hold for it, or cannot be proved in `f64`; a matrix that [`norm`] refuses.
    pub fn verify<A: Scalar, S: Data<Elem = A>>(&self, m: &ArrayBase<S, Ix2>) -> Result<()> {
        checked(m)?;
        let m = m.mapv(Scalar::to_double);
        let n = m.nrows();
        let refused = |reason: &str| Err(Error::NotProved { reason: reason.into() });
        let positive = self.weights.len() == n && self.weights.iter().all(|d| d.is_finite() && *d > 0.0);
        if !(positive && has_norm_below(&m, &self.weights, self.upper)) {
            return refused("the weights do not give the matrix this norm");
        }
        let below = match &self.witness {
            Some(w) if w.columns.nrows() == n && w.columns.iter().all(|v| v.is_finite()) => w.growth(&m),
            _ => 0.0,
        };
        if below < self.lower {
            return refused("the witness does not prove the lower bound on the norm");
        }
        Ok(())
    }
}

impl fmt::Display for SchurNorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match (self.is_stable(), self.is_not_stable()) {
            (true, _) => "Schur diagonally stable",
            (_, true) => "not Schur diagonally stable",
            _ => "Schur diagonal stability undecided",
        };
        write!(f, "{what} ({}): ", neurons(self.weights.len()))?;
        write!(f, "least weighted norm in [{:.6}, {:.6}]", AtLeast(self.lower), AtMost(self.upper))
    }
}

fn checked<A: Scalar, S: Data<Elem = A>>(m: &ArrayBase<S, Ix2>) -> Result<()> {
    square("m", m.nrows(), m.ncols())?;
    finite_matrix("m", m.view())
}

/// Narrows the bounds until they meet, or `enough` says so.
fn least_norm(m: &Array2<f64>, enough: impl Fn(&SchurNorm) -> bool) -> Result<SchurNorm> {
    const ROUNDS: usize = 40;
    /// The least factor by which a round is worth its cost.
    const PROGRESS: f64 = 1e-9;

    let n = m.nrows();
    let mut best = SchurNorm { lower: 0.0, upper: f64::INFINITY, weights: Array1::ones(n), witness: None };
    best.take_weights(m, Array1::ones(n));
    for round in 0..ROUNDS {
        if best.upper <= best.lower * (1.0 + TOLERANCE) || best.upper == 0.0 || enough(&best) {
            break;
        }
        let before = best.bounds();
        // First the question itself; then between the bounds.
        let scale = match round {
            0 => 1.0,
            _ if best.lower > 0.0 => (best.lower * best.upper).sqrt(),
            _ => 0.5 * best.upper,
        };
        let Some(cayley) = Cayley::of(m, scale) else { break };
        match diagonal::certify(&cayley.transform)? {
            Verdict::Stable(certificate) => best.take_weights(m, certificate.weights().to_owned()),
            Verdict::NotStable(refutation) => {
                let columns = cayley.columns(refutation.witness(), refutation.is_of_transpose());
                best.take_witness(m, Witness { columns, of_transpose: refutation.is_of_transpose() });
            }
            _ => break,
        }
        let after = best.bounds();
        let stuck = after.upper > before.upper * (1.0 - PROGRESS) && after.lower < before.lower * (1.0 + PROGRESS);
        if round > 0 && stuck {
            break;
        }
    }
    Ok(best)
}

impl SchurNorm {
    /// The least norm that is proved for these weights, if it is smaller than the one known.
    fn take_weights(&mut self, m: &Array2<f64>, weights: Array1<f64>) {
        const SLACK: [f64; 5] = [1e-13, 1e-11, 1e-9, 1e-7, 1e-4];
        /// Its square is far above what underflows.
        const LEAST: f64 = 1e-140;
        if !weights.iter().all(|d| d.is_finite() && *d > 0.0) {
            return;
        }
        let scale = weights.mapv(f64::sqrt);
        let scaled = (m * &scale.view().insert_axis(Axis(1))) / scale.view().insert_axis(Axis(0));
        let Ok(values) = eigvalsh(product(scaled.t(), scaled.view()).view()) else { return };
        let norm = values[values.len() - 1].max(0.0).sqrt();
        let proved = SLACK.iter().map(|slack| norm * (1.0 + slack) + LEAST);
        if let Some(norm) = proved.take_while(|s| *s < self.upper).find(|s| has_norm_below(m, &weights, *s)) {
            (self.upper, self.weights) = (norm, weights);
        }
    }

    fn take_witness(&mut self, m: &Array2<f64>, witness: Witness) {
        let growth = witness.growth(m);
        if growth > self.lower {
            (self.lower, self.witness) = (growth, Some(witness));
        }
    }
}

/// Whether `s^2 D - M'D M` is proved positive definite, also for matrices whose entries are off by one rounding.
fn has_norm_below(m: &Array2<f64>, weights: &Array1<f64>, s: f64) -> bool {
    let n = m.nrows();
    if !(s.is_finite() && s > 0.0) {
        return false;
    }
    let (square, rounding) = (mul_down(s, s), gamma(2 * n + 64));
    let weighted = m * &weights.view().insert_axis(Axis(1));
    let sizes = m.mapv(f64::abs);
    let image = product(m.t(), weighted.view());
    let image_size = product(sizes.t(), weighted.mapv(f64::abs).view());
    let mut form = Array2::zeros((n, n));
    let mut errors = Array2::zeros((n, n));
    for i in 0..n {
        for j in 0..=i {
            let own = if i == j { square * weights[i] } else { 0.0 };
            let value = own - image[[i, j]];
            let error = rounding * (own + image_size[[i, j]].max(image_size[[j, i]])) + UNDERFLOW;
            (form[[i, j]], form[[j, i]]) = (value, value);
            (errors[[i, j]], errors[[j, i]]) = (error, error);
        }
    }
    proved_positive_definite(form.view(), errors.view())
}

impl Witness {
    /// The least ratio of the length of a row of `M V` to that of `V`, rounded down, also for matrices whose entries
    /// are off by one rounding; rows of `V` that are 0 ask for nothing.
    fn growth(&self, m: &Array2<f64>) -> f64 {
        let m = if self.of_transpose { m.t() } else { m.view() };
        let rounding = gamma(2 * m.nrows() + 64);
        let image = product(m, self.columns.view());
        let size = product(m.mapv(f64::abs).view(), self.columns.mapv(f64::abs).view());
        let mut least = f64::INFINITY;
        for ((v, image), size) in self.columns.outer_iter().zip(image.outer_iter()).zip(size.outer_iter()) {
            let length = v.dot(&v) * (1.0 + rounding) + UNDERFLOW;
            if v.iter().all(|v| *v == 0.0) {
                continue;
            }
            let surely = image.iter().zip(size).map(|(y, s)| (y.abs() - mul_up(rounding, *s) - UNDERFLOW).max(0.0));
            let reached = surely.map(|y| y * y).sum::<f64>() * (1.0 - rounding);
            least = least.min(sub_down(reached, UNDERFLOW).max(0.0) / length);
        }
        if least.is_finite() { mul_down(least.sqrt(), 1.0 - 8.0 * f64::EPSILON) } else { 0.0 }
    }
}

/// The Cayley transform of `+-M/scale`, of the sign for which it is farther from singular.
struct Cayley {
    transform: Array2<f64>,
}

impl Cayley {
    fn of(m: &Array2<f64>, scale: f64) -> Option<Self> {
        let eye = Array2::<f64>::eye(m.nrows());
        let of_sign = |sign: f64| {
            let scaled = m * (sign / scale);
            let transform = Lu::new((&scaled + &eye).view(), "M + I").solve((&scaled - &eye).view()).ok()?;
            transform.iter().all(|v| v.is_finite()).then_some(transform)
        };
        let size = |a: &Array2<f64>| a.iter().map(|v| v * v).sum::<f64>();
        let transform = match (of_sign(1.0), of_sign(-1.0)) {
            (Some(a), Some(b)) => {
                if size(&a) <= size(&b) {
                    a
                } else {
                    b
                }
            }
            (one, other) => one.or(other)?,
        };
        Some(Self { transform })
    }

    /// `(I - A) Y` for a witness `Y` of `A`, or with `A'`; columns of size 1.
    fn columns(&self, y: ArrayView2<'_, f64>, of_transpose: bool) -> Array2<f64> {
        let a = if of_transpose { self.transform.t() } else { self.transform.view() };
        let columns = &y - &product(a, y);
        let largest = columns.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        if largest > 0.0 { columns / largest } else { columns }
    }
}
