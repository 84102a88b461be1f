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
mod block;
mod blocks;
mod bounds;
mod certificate;
mod certifier;
mod check;
mod control;
pub(crate) mod exact;
mod formed;
mod generator;
mod interior_point;
mod ladder;
mod large;
mod majorant;
mod margin;
mod method;
mod metzler;
mod minors;
mod null_vector;
mod pencil;
mod randomised;
mod refine;
mod refutation;
mod search;
mod sparse;
mod spectrum;
mod structure;
mod verdict;
mod weights;
mod witness;

pub use almost_sure::AlmostSureCertificate;
#[cfg(feature = "serde")]
pub(in crate::stability) use almost_sure::Stored as StoredAlmostSure;
pub use ascent::{Ascent, ascend};
pub use certificate::Certificate;
pub use certifier::Certifier;
pub use control::{CertifierBuilder, Progress, Stop};
pub use generator::StableWeights;
pub use ladder::Proof;
pub use margin::{Gain, Margin};
pub use method::Method;
pub use refutation::Refutation;
#[cfg(feature = "serde")]
pub(in crate::stability) use verdict::stored::{StoredCertificate, StoredRefutation, StoredUndecided};
pub use verdict::{Undecided, Verdict};

use crate::error::Result;
pub use crate::linalg::operator::LinearOperator;
use crate::stability::IntoSubject;

/// Decides, with proof, whether a square matrix is Lyapunov diagonally stable: `A` itself, or `W - diag(rho)^-1` for a pair
/// `(&w, &rho)` or a network.
///
/// The proof is for the exact real matrix whose entries are the given floating-point numbers, `f32` or `f64`. Entries over
/// 1e-150..1e150 and weights over any range are welcome.
///
/// Sparse matrices are decided by principal minors of two rows, by Perron vectors if they are Metzler (both answers then), or
/// by their Metzler majorant (theory 3.6, 3.13) where that suffices. The time is a small multiple of one sparse product per
/// sweep, the memory that of the matrix in both storage orders: 10^6 rows and 10^7 entries are fine. Matrices of up to 3,000
/// rows that these do not decide go the dense road. For larger ones an ascent by products alone finds weights (theory 3.13),
/// which are proved by the cheapest of four [`Proof`]s; where no factorisation fits into memory, the verdict is
/// [`Verdict::AlmostSurelyStable`].
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless the matrix is square and has one slope per row,
/// [`Error::Empty`](crate::Error::Empty) if it has no rows, [`Error::NonFinite`](crate::Error::NonFinite) for NaN or infinite
/// entries, [`Error::Invalid`](crate::Error::Invalid) unless all slopes are positive; for networks, an activation whose slopes
/// are unbounded, or known from samples only, or all zero.
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::diagonal::certify;
/// use sprs::CsMat;
/// // Diagonally stable although it contracts in no fixed quadratic norm for all activations.
/// assert!(certify(&array![[-1.0, 4.0], [-4.0, -1.0]])?.is_stable());
/// // Hurwitz, but not diagonally stable.
/// assert!(certify(&array![[1.0, -3.0], [3.0, -2.0]])?.is_not_stable());
/// // W - R^-1 for the slope bounds of a network.
/// let w = array![[0.9, -5.0], [4.0, 0.0]];
/// assert!(certify((&w, &array![1.0, 1.0]))?.is_stable());
/// assert!(certify((&w, &array![1.2, 1.0]))?.is_not_stable());
/// let sparse = CsMat::csr_from_dense(w.view(), 0.0);
/// assert!(certify((&sparse, &array![1.0, 1.0]))?.is_stable());
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn certify<'a>(subject: impl IntoSubject<'a>) -> Result<Verdict> {
    Certifier::default().certify(subject)
}

/// The stability margin `delta*(A; R) = sup{delta : A + delta R^-1 is LDS}`, bounded from both sides to 1e-9 relative. For a
/// matrix itself `R = I`, unless [`Subject::relative_to`](crate::stability::Subject::relative_to) says otherwise; for a pair
/// `(&w, &rho)` or a network `A = W - R^-1`, whose diagonal is not rounded.
///
/// Sparse matrices of more than 1,000 rows are bounded in a time that grows linearly with the nonzeros, but for a factorisation
/// that fits into memory (theory 3.13); the bounds are then some per mille to per cent apart, and [`Margin::proof`] says how the
/// lower one was proved.
///
/// # Errors
/// As [`certify`].
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::diagonal::margin;
/// // The secant criterion: with three neurons in a ring, the margin is 1 - b/2.
/// let w = array![[0.0, 0.0, -1.5], [1.5, 0.0, 0.0], [0.0, 1.5, 0.0]];
/// let margin = margin((&w, &array![1.0, 1.0, 1.0]))?;
/// assert!(margin.lower() <= 0.25 && 0.25 <= margin.upper());
/// assert!(margin.upper() - margin.lower() < 1e-9);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn margin<'a>(subject: impl IntoSubject<'a>) -> Result<Margin> {
    Certifier::default().margin(subject)
}

/// The largest gain `g` for which `g W - diag(rho)^-1` is diagonally stable, bounded from both sides as the
/// [`margin`](margin()) that it comes from. For a matrix `A` itself, `W = A + I`.
///
/// # Errors
/// As [`certify`].
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::diagonal::max_gain;
/// let gain = max_gain((&array![[0.5, -3.0], [2.0, 0.0]], &array![1.0, 1.0]))?;
/// assert!(gain.lower() <= 2.0 && 2.0 <= gain.upper());
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn max_gain<'a>(subject: impl IntoSubject<'a>) -> Result<Gain> {
    Certifier::default().max_gain(subject)
}
