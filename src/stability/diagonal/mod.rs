//! Lyapunov diagonal stability: decided, measured and proved (theory 3).
//!
//! A square matrix `A` is *Lyapunov diagonally stable* (LDS) if some positive diagonal `D` has `D A + A'D < 0`. For a
//! network with synaptic matrix `W` and slopes of its activations in `[0, rho_i]`, LDS of `A = W - diag(rho)^-1` makes
//! every input lead to one globally attracting equilibrium, for all time constants (theory 3.2).
//!
//! By the theorem of Barker, Berman and Plemmons (Linear and Multilinear Algebra 5, 1978) exactly one of two
//! things exists: such a `D`, or a positive semidefinite `X != 0` with `(A X)_ii >= 0` for all `i`. [`certify`]
//! finds one of them and proves it, with all rounding errors accounted for; what it cannot prove it calls
//! [`Verdict::Undecided`]. A proof re-checks itself against any matrix: [`Certificate::verify`],
//! [`Refutation::verify`].
//!
//! The road, each step only if those before did not decide: a nonnegative diagonal entry and principal minors of two
//! rows, the strongly connected blocks one by one, structure that decides by itself (two rows, symmetrizable and
//! Metzler matrices), weights that balance rows and columns, exact null vectors of whole numbers, and a primal-dual
//! interior point written in matrix products, left as soon as one of its two sequences passes the check.
//!
//! ```
//! use ndarray::array;
//! use neuronash::stability::diagonal::{certify, Verdict};
//!
//! // An excitatory and an inhibitory neuron: W - I with W = [[0.5, -4], [3, 0]].
//! let a = array![[-0.5, -4.0], [3.0, -1.0]];
//! match certify(&a)? {
//!     Verdict::Stable(certificate) => println!("D = {}", certificate.weights()),
//!     Verdict::NotStable(refutation) => println!("Y = {}", refutation.witness()),
//!     Verdict::Undecided(undecided) => println!("margin in {:?}", undecided.bounds()),
//!     Verdict::AlmostSurelyStable(accepted) => println!("D = {}, by chance", accepted.weights()),
//! }
//! # Ok::<(), neuronash::Error>(())
//! ```

mod almost_sure;
mod ascent;
mod balance;
mod blocks;
mod bounds;
mod certifier;
mod check;
pub(crate) mod exact;
mod formed;
mod generator;
mod interior_point;
mod ladder;
mod large;
mod majorant;
mod margin;
mod metzler;
mod minors;
mod null_vector;
mod pencil;
mod randomised;
mod refine;
mod search;
mod sparse;
mod spectrum;
mod structure;
mod verdict;
mod weights;
mod witness;

use ndarray::{ArrayBase, Data, Ix1, Ix2};
use sprs::CsMat;

pub use almost_sure::AlmostSureCertificate;
pub use ascent::{Ascent, ascend};
pub use certifier::{Certifier, CertifierBuilder, Progress};
pub use generator::StableWeights;
pub use ladder::Proof;
pub use large::SparseGain;
pub use margin::{Gain, Margin};
pub use verdict::{Certificate, Method, Refutation, Stop, Undecided, Verdict};

use crate::Scalar;
use crate::error::Result;
pub use crate::linalg::operator::LinearOperator;

/// Decides, with proof, whether the square matrix `a` is Lyapunov diagonally stable.
///
/// The proof is for the exact real matrix whose entries are the given floating-point numbers, `f32` or `f64`. Entries over
/// 1e-150..1e150 and weights over any range are welcome.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless `a` is square, [`Error::Empty`](crate::Error::Empty) if it has no
/// rows, [`Error::NonFinite`](crate::Error::NonFinite) for NaN or infinite entries.
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::diagonal::certify;
/// // Diagonally stable although it contracts in no fixed quadratic norm for all activations.
/// assert!(certify(&array![[-1.0, 4.0], [-4.0, -1.0]])?.is_stable());
/// // Hurwitz, but not diagonally stable.
/// assert!(certify(&array![[1.0, -3.0], [3.0, -2.0]])?.is_not_stable());
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn certify<A: Scalar, S: Data<Elem = A>>(a: &ArrayBase<S, Ix2>) -> Result<Verdict> {
    Certifier::default().certify(a)
}

/// Decides whether `W - diag(rho)^-1` is diagonally stable; `w` has shape `(n, n)`, `rho` shape `(n,)`.
///
/// The diagonal `w_ii - 1/rho_i` is not a floating-point number in general: a verdict holds for the exact one, since it
/// is proved for both ends of an interval that contains it.
///
/// # Errors
/// As [`certify`]; [`Error::Shape`](crate::Error::Shape) unless `rho` has one entry per row,
/// [`Error::Invalid`](crate::Error::Invalid) unless all of them are positive and finite.
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::diagonal::certify_shifted;
/// let w = array![[0.9, -5.0], [4.0, 0.0]];
/// assert!(certify_shifted(&w, &array![1.0, 1.0])?.is_stable());
/// assert!(certify_shifted(&w, &array![1.2, 1.0])?.is_not_stable());
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn certify_shifted<A: Scalar, S: Data<Elem = A>, T: Data<Elem = A>>(
    w: &ArrayBase<S, Ix2>,
    rho: &ArrayBase<T, Ix1>,
) -> Result<Verdict> {
    Certifier::default().certify_shifted(w, rho)
}

/// Decides whether a sparse square matrix is diagonally stable: by principal minors of two rows, by Perron vectors if
/// it is Metzler (both answers then), or by its Metzler majorant (theory 3.6, 3.13) where that suffices.
///
/// The time is a small multiple of one sparse product per sweep, the memory that of the matrix in both storage
/// orders: 10^6 rows and 10^7 entries are fine. Matrices of up to 3,000 rows that these do not decide go the
/// dense road. For larger ones an ascent by products alone finds weights (theory 3.13), which are proved by the cheapest
/// of four [`Proof`]s; where no factorisation fits into memory, the verdict is [`Verdict::AlmostSurelyStable`].
///
/// # Errors
/// As [`certify`].
///
/// ```
/// use neuronash::stability::diagonal::certify_sparse;
/// use sprs::TriMat;
/// let mut a = TriMat::new((3, 3));
/// for i in 0..3 {
///     a.add_triplet(i, i, -1.0);
///     a.add_triplet(i, (i + 1) % 3, 0.9);
/// }
/// let a = a.to_csr::<usize>();
/// let verdict = certify_sparse(&a)?;
/// verdict.certificate().expect("the majorant is Hurwitz").verify_sparse(&a)?;
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn certify_sparse<A: Scalar>(a: &CsMat<A>) -> Result<Verdict> {
    Certifier::default().certify_sparse(a)
}

/// Decides whether a sparse `W - diag(rho)^-1` is diagonally stable, without rounding its diagonal.
///
/// # Errors
/// As [`certify_shifted`].
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::diagonal::certify_sparse_shifted;
/// use sprs::TriMat;
/// let mut w = TriMat::new((2, 2));
/// w.add_triplet(0, 1, 0.9);
/// w.add_triplet(1, 0, -0.9);
/// assert!(certify_sparse_shifted(&w.to_csr::<usize>(), &array![1.0, 1.0])?.is_stable());
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn certify_sparse_shifted<A: Scalar, T: Data<Elem = A>>(w: &CsMat<A>, rho: &ArrayBase<T, Ix1>) -> Result<Verdict> {
    Certifier::default().certify_sparse_shifted(w, rho)
}

/// The stability margin `delta*(A; R) = sup{delta : A + delta R^-1 is LDS}`, `R = diag(rho)`, bounded from both sides to
/// 1e-9 relative; `a` has shape `(n, n)`, `rho` shape `(n,)`.
///
/// # Errors
/// As [`certify_shifted`].
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::diagonal::margin;
/// // The secant criterion: with three neurons in a ring, the margin is 1 - b/2.
/// let a = array![[-1.0, 0.0, -1.5], [1.5, -1.0, 0.0], [0.0, 1.5, -1.0]];
/// let margin = margin(&a, &array![1.0, 1.0, 1.0])?;
/// assert!(margin.lower() <= 0.25 && 0.25 <= margin.upper());
/// assert!(margin.upper() - margin.lower() < 1e-9);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn margin<A: Scalar, S: Data<Elem = A>, T: Data<Elem = A>>(
    a: &ArrayBase<S, Ix2>,
    rho: &ArrayBase<T, Ix1>,
) -> Result<Margin> {
    Certifier::default().margin(a, rho)
}

/// The margin of `W - R^-1`, without rounding its diagonal: `delta*(W - R^-1; R) = 1 + delta*(W; R)`.
///
/// # Errors
/// As [`certify_shifted`].
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::diagonal::margin_shifted;
/// let margin = margin_shifted(&array![[0.0, 4.0], [-4.0, 0.0]], &array![1.0, 1.0])?;
/// assert!((margin.lower() - 1.0).abs() < 1e-9 && margin.upper() >= 1.0);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn margin_shifted<A: Scalar, S: Data<Elem = A>, T: Data<Elem = A>>(
    w: &ArrayBase<S, Ix2>,
    rho: &ArrayBase<T, Ix1>,
) -> Result<Margin> {
    Certifier::default().margin_shifted(w, rho)
}

/// The largest gain `g` for which `g W - diag(rho)^-1` is diagonally stable, bounded from both sides to 1e-9 relative.
///
/// # Errors
/// As [`certify_shifted`].
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::diagonal::max_gain;
/// let gain = max_gain(&array![[0.5, -3.0], [2.0, 0.0]], &array![1.0, 1.0])?;
/// assert!(gain.lower() <= 2.0 && 2.0 <= gain.upper());
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn max_gain<A: Scalar, S: Data<Elem = A>, T: Data<Elem = A>>(
    w: &ArrayBase<S, Ix2>,
    rho: &ArrayBase<T, Ix1>,
) -> Result<Gain> {
    Certifier::default().max_gain(w, rho)
}

/// Bounds on the largest gain `g` for which `g W - diag(rho)^-1` is diagonally stable, for a sparse `w` of any size (theory 3.13).
///
/// In time that grows linearly with the nonzeros, except where a factorisation that fits into memory proves the lower bound.
///
/// # Errors
/// As [`certify_shifted`].
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::diagonal::max_gain_sparse;
/// use sprs::TriMat;
/// // The secant criterion: the largest gain of three neurons in a ring of inhibition is 2.
/// let mut w = TriMat::new((3, 3));
/// for i in 0..3 {
///     w.add_triplet((i + 1) % 3, i, -1.0);
/// }
/// let gain = max_gain_sparse(&w.to_csr::<usize>(), &array![1.0, 1.0, 1.0])?;
/// assert!(gain.lower() <= 2.0 && 2.0 <= gain.upper() && gain.upper() - gain.lower() < 0.01);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn max_gain_sparse<A: Scalar, T: Data<Elem = A>>(w: &CsMat<A>, rho: &ArrayBase<T, Ix1>) -> Result<SparseGain> {
    Certifier::default().max_gain_sparse(w, rho)
}
