//! Contraction certificates: norms in which any two trajectories approach each other at a proved rate.
//!
//! A network contracts at rate `c > 0` in a norm when `|x(t) - y(t)| <= e^{-c t} |x(0) - y(0)|` for any two of its
//! trajectories under the same input. It then has exactly one equilibrium for every input, and reaches it exponentially.
//!
//! - [`log_norm`]: the log norm (matrix measure) of a matrix in a weighted l1, l2 or l-infinity norm, bounded on both
//!   sides; [`optimal_log_norm`] also finds the best diagonal weights for l1 and l-infinity.
//! - [`perron`]: the spectral abscissa and Perron vector of a Metzler majorant, the tool behind those weights.
//! - [`FiringRateNetwork::contraction`](crate::network::FiringRateNetwork::contraction) and
//!   [`HopfieldNetwork::contraction`](crate::network::HopfieldNetwork::contraction): rates of networks (theory 4.1),
//!   with any time constants and slope bounds.
//!
//! - [`s_contraction`]: the largest rate in any quadratic norm that the S-procedure can certify (theory 4.3).
//!
//! All stated bounds are rounded outward: they hold for the exact real matrix whose entries are the given floats.

mod log_norm;
mod majorant;
mod norm;
mod perron;
mod rates;
mod s_contraction;

pub use log_norm::{log_norm, optimal_log_norm};
pub use norm::{Norm, NormKind};
pub use perron::{Perron, PerronOptions, perron};
pub use rates::Contraction;
pub use s_contraction::{SContractingWeights, SContraction, SContractionOptions, s_contraction};

pub(in crate::stability) use majorant::Enclosed;
pub(crate) use majorant::Majorant;
pub(in crate::stability) use perron::{search_vector, search_vector_while};
