//! Neural circuits as games, with proofs that they are stable.
//!
//! Give it a synaptic matrix; it tells you, with a proof you can re-check, whether the circuit settles for every input,
//! how fast, to which rates, and what each neuron gains by it.
//!
//! In an excitatory-inhibitory network the weights are asymmetric, so there is no global energy. Instead each neuron
//! has its own energy, and the firing-rate dynamics `T x' = -x + Phi(W x + u)` is the proximal pseudo-gradient play of
//! that game. Its resting states are the points at which every neuron is stationary for its own energy. A Lyapunov
//! diagonal stability certificate, a positive diagonal `D` with `D A + A'D < 0` for `A = W - R^{-1}`, proves that there is
//! one such point for every input, that it is the Nash equilibrium of the game, and that play settles there at a known rate
//! (Betteti, Retnaraj, Davydov, Cortes, Bullo, arXiv 2512.05252). Above the switch `w_ii rho_i = 1` resting states need not
//! be Nash equilibria: of the stable resting states of random E-I pairs with `w_EE > 1`, 2,001 of 3,524 are not (theory 2.2).
//!
//! ```
//! use ndarray::array;
//! use neuronash::activation::Relu;
//! use neuronash::network::FiringRateNetwork;
//!
//! // Entry [i, j] is the weight onto i from j: an excitatory and an inhibitory neuron.
//! let net = FiringRateNetwork::builder(array![[0.5, -4.0], [3.0, 0.0]]).activation(Relu).input(&array![1.0, 0.0]).build()?;
//! let certificate = net.certify()?.into_certificate()?;
//! let rest = net.equilibrium().certificate(&certificate).solve()?;
//! assert!(net.game().is_nash(&rest.state(), 1e-12)?.holds());
//! println!("{certificate}\n{rest}");
//! # Ok::<(), neuronash::Error>(())
//! ```
//!
//! # Where to look
//!
//! | question | module |
//! |---|---|
//! | what does firing cost a neuron? | [`activation`]: the trait [`ActivationCost`](activation::ActivationCost) and its families |
//! | who is connected to whom? | [`network`]: firing-rate and Hopfield networks, readers for weights, weights that are known only roughly |
//! | what does each neuron gain? | [`game`]: energies, best responses, exploitability, Nash tests, for synapses and any other [`InteractionCost`](game::InteractionCost) |
//! | does it settle, with what proof? | [`stability`]: [`diagonal`](stability::diagonal) certificates of plain matrices, [`contraction`](stability::contraction), [`robust`](stability::robust) certificates of uncertain weights, the Lyapunov function, one report |
//! | where does it rest? | [`equilibrium`]: solvers with error bounds, all equilibria of small networks, responses |
//! | how does it get there? | [`dynamics`]: flows in time and rounds of play by any [`PlayRule`](dynamics::PlayRule) |
//! | what do model circuits do? | [`circuits`]: Wilson-Cowan, lateral inhibition, cortical columns, balance |
//!
//! The theorems behind it, in the numbering that the documentation uses ("theory 3.2"), are in [`theory`]; a tutorial is in
//! [`guide`].
//!
//! # What is proved
//!
//! [`Verdict::Stable`](stability::diagonal::Verdict::Stable) and [`NotStable`](stability::diagonal::Verdict::NotStable)
//! hold for the exact real matrix whose entries are the given floating-point numbers: rounding errors are bounded, not
//! ignored. So are margins, largest gains, contraction rates, P-matrix verdicts, and distances to the one equilibrium given
//! activations accurate to 16 machine epsilons. Everything else states its tolerance. Networks are generic over `f32` and `f64` ([`Scalar`]); certificates
//! are computed in `f64` for both.
//!
//! # Features
//!
//! - `rayon` (default): products, factorisations and sweeps in parallel.
//! - `csv`, `npy` (default): weights from comma-separated and NumPy files.
//! - `serde`: weights, results and options can be serialised.
//! - `lapack`: dense linear algebra through LAPACK in place of `faer`; `openblas-system`, `openblas-static`,
//!   `netlib-system`, `netlib-static`, `intel-mkl-system` and `intel-mkl-static` choose who provides it.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs)]
#![deny(unsafe_code)]

pub mod activation;
mod check;
pub mod circuits;
pub mod dynamics;
pub mod equilibrium;
mod error;
#[cfg(feature = "serde")]
mod extended;
pub mod game;
mod linalg;
pub mod network;
mod scalar;
pub mod stability;

pub use error::{Error, Result};
pub use scalar::Scalar;
// Arguments and results are arrays of these two crates.
pub use {ndarray, sprs};

#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/guide.md")]
pub mod guide {}

#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/theory.md")]
pub mod theory {}

/// Compiles and runs the code of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
