//! All equilibria of a piecewise-linear network.
//!
//! On a *support*, a choice of one linear piece for each neuron, the equilibria solve one linear system. The search
//! assigns pieces neuron by neuron and eliminates each rate as its piece is known, so that the drives stay affine in
//! the rates that are left; interval bounds on them cut off branches without equilibria. What is left at the end of a
//! branch is solved afresh. For ReLU the problem is the linear complementarity problem `LCP(I - W, -u)` (theory 2.4), and
//! supports are sets of active neurons.

mod search;
mod support;

use std::fmt;

use ndarray::Array1;

use crate::Scalar;
use crate::error::{Error, Result};
use crate::network::FiringRateNetwork;
use crate::stability::local::{Linearisation, Tendency, fits_densely};

use search::Search;
use support::{Piece, Solutions};

/// Looks for all equilibria of a network whose activations are all piecewise linear; made by
/// [`FiringRateNetwork::all_equilibria`].
///
/// ```
/// use ndarray::array;
/// use neuronash::activation::Relu;
/// use neuronash::network::FiringRateNetwork;
///
/// // Two neurons that inhibit each other: either may win, and the balance between them is unstable.
/// let net = FiringRateNetwork::builder(array![[0.0, -2.0], [-2.0, 0.0]])
///     .activation(Relu)
///     .input(&array![1.0, 1.0])
///     .build()?;
/// let all = net.all_equilibria().find()?;
/// assert_eq!(all.equilibria.len(), 3);
/// assert_eq!(all.stable().count(), 2);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Enumeration<'a, A: Scalar> {
    network: &'a FiringRateNetwork<A>,
    max_equilibria: usize,
    max_branches: u64,
    tolerance: f64,
}

/// All equilibria of a piecewise-linear network, as far as the limits allowed.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct EquilibriumSet<A> {
    /// The isolated equilibria, ordered by their rates.
    pub equilibria: Vec<IsolatedEquilibrium<A>>,
    /// Supports with a whole continuum of equilibria: `I - Lambda W` is singular there.
    pub continua: Vec<Continuum<A>>,
    /// Whether the search went through all supports; `false` if a limit ended it.
    pub complete: bool,
    /// Branches of the search that were looked at; without pruning there are as many as supports.
    pub branches: u64,
}

/// One equilibrium of a piecewise-linear network.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct IsolatedEquilibrium<A> {
    /// The firing rates, shape `[n]`.
    pub state: Array1<A>,
    /// The synaptic drives, shape `[n]`.
    pub drive: Array1<A>,
    /// For each neuron the piece of its activation, counted from the left.
    pub support: Vec<usize>,
    /// Neurons whose drive is at a kink of their activation.
    pub at_kink: Vec<usize>,
    /// The linearisation there, with its spectrum.
    pub local: Linearisation<A>,
    /// Whether it is a Nash equilibrium: no neuron can lower its own energy alone.
    pub is_nash: bool,
}

impl<A: Scalar> fmt::Display for IsolatedEquilibrium<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nash = if self.is_nash { "Nash" } else { "not Nash" };
        write!(f, "rates {:.6}: {}, {nash}", self.state, self.local)
    }
}

/// A support on which the equilibria are not isolated.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub enum Continuum<A> {
    /// The equilibria `base + t direction` for all `t` in `[lower, upper]`.
    Line {
        /// One solution of the support's linear system, shape `[n]`.
        base: Array1<A>,
        /// The direction, of largest entry 1, shape `[n]`.
        direction: Array1<A>,
        /// Smallest `t`, or `-inf`.
        #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
        lower: A,
        /// Largest `t`, or `inf`.
        #[cfg_attr(feature = "serde", serde(with = "crate::extended"))]
        upper: A,
        /// For each neuron the piece of its activation, counted from the left.
        support: Vec<usize>,
    },
    /// The support's linear system has a space of solutions of this dimension, above 1. Bounds on the drives do not
    /// rule it out, but whether it holds equilibria has not been decided.
    Undecided {
        /// The dimension.
        dimension: usize,
        /// For each neuron the piece of its activation, counted from the left.
        support: Vec<usize>,
    },
}

impl<A: Scalar> FiringRateNetwork<A> {
    /// Looks for all equilibria; for networks of up to about 20 neurons with piecewise-linear activations.
    pub fn all_equilibria(&self) -> Enumeration<'_, A> {
        Enumeration { network: self, max_equilibria: 10_000, max_branches: 50_000_000, tolerance: 1e-9 }
    }
}

impl<A: Scalar> Enumeration<'_, A> {
    /// The largest number of equilibria to report, at least 1; 10,000 if not given.
    pub fn max_equilibria(mut self, equilibria: usize) -> Self {
        self.max_equilibria = equilibria;
        self
    }

    /// The largest number of branches to look at, at least 1; 50 million if not given.
    pub fn max_branches(mut self, branches: u64) -> Self {
        self.max_branches = branches;
        self
    }

    /// How far, relative to the sizes of the terms that make it up, a drive may lie outside its piece, and two equilibria
    /// from each other while they count as one; in `(0, 1e-3]`, `1e-9` if not given. All arithmetic is in `f64`.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Searches all supports.
    ///
    /// # Errors
    /// An activation that is not piecewise linear, more than 20,000 neurons, options that are not allowed, or no convergence of an
    /// eigenvalue decomposition.
    pub fn find(self) -> Result<EquilibriumSet<A>> {
        self.check()?;
        let net = self.network;
        let n = net.len();
        fits_densely(n, "the search for all equilibria")?;
        let mut pieces: Vec<Vec<Piece>> = Vec::with_capacity(n);
        for i in 0..n {
            let activation = net.circuit().activation(i);
            let Some(of_neuron) = activation.linear_pieces() else {
                return Err(Error::invalid(
                    format!("activation of neuron {i}"),
                    activation.name(),
                    "piecewise-linear activations",
                ));
            };
            pieces.push(of_neuron.iter().map(Piece::new).collect());
        }
        let w = net.weights().to_dense().mapv(|w| w.to_double());
        let u = net.input().iter().map(|u| u.to_double()).collect();
        let search = Search::new(w, u, pieces, self.tolerance, self.max_branches);
        let found = search.run();
        let mut solutions = Solutions::gather(found.supports, self.tolerance);
        let complete = found.complete && solutions.points.len() <= self.max_equilibria;
        solutions.points.truncate(self.max_equilibria);
        let mut equilibria = Vec::with_capacity(solutions.points.len());
        for point in solutions.points {
            let at_kink = search.kinks(&point);
            let state: Array1<A> = point.x.iter().map(|x| A::of(*x)).collect();
            let local = net.linearise(&state)?;
            let is_nash = is_nash(net, &state, self.tolerance)?;
            equilibria.push(IsolatedEquilibrium {
                drive: point.z.iter().map(|z| A::of(*z)).collect(),
                state,
                support: point.support,
                at_kink,
                local,
                is_nash,
            });
        }
        let continua = solutions.continua.into_iter().map(|c| c.convert()).collect();
        Ok(EquilibriumSet { equilibria, continua, complete, branches: found.branches })
    }

    fn check(&self) -> Result<()> {
        if self.max_equilibria == 0 {
            return Err(Error::invalid("max_equilibria", 0, "at least 1"));
        }
        if self.max_branches == 0 {
            return Err(Error::invalid("max_branches", 0, "at least 1"));
        }
        if !(self.tolerance > 0.0 && self.tolerance <= 1e-3) {
            return Err(Error::invalid("tolerance", self.tolerance, "numbers in (0, 1e-3]"));
        }
        Ok(())
    }
}

/// Nash up to the rounding of the state, whose effect on an energy is of the order of the energy's terms.
fn is_nash<A: Scalar>(net: &FiringRateNetwork<A>, state: &Array1<A>, tolerance: f64) -> Result<bool> {
    let reach = state.iter().chain(net.input()).fold(A::one(), |m, v| m.max(v.abs()));
    let tolerance = A::of(tolerance).max(A::of(64.0) * A::epsilon()) * reach * reach;
    Ok(net.game().is_nash(state, tolerance)?.holds())
}

impl<A: Scalar> IsolatedEquilibrium<A> {
    /// Whether small disturbances die out. `false` also where the linearisation does not tell: at a kink, or with an
    /// eigenvalue on the imaginary axis.
    pub fn is_stable(&self) -> bool {
        self.at_kink.is_empty() && self.local.tendency() == Tendency::Stable
    }

    /// Whether some small disturbances grow. `false` also where the linearisation does not tell.
    pub fn is_unstable(&self) -> bool {
        self.at_kink.is_empty() && self.local.tendency() == Tendency::Unstable
    }
}

impl<A: Scalar> EquilibriumSet<A> {
    /// The equilibria that are locally stable.
    pub fn stable(&self) -> impl Iterator<Item = &IsolatedEquilibrium<A>> {
        self.equilibria.iter().filter(|e| e.is_stable())
    }
}

impl<A: Scalar> fmt::Display for EquilibriumSet<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |test: fn(&IsolatedEquilibrium<A>) -> bool| self.equilibria.iter().filter(|e| test(e)).count();
        let (stable, unstable) = (count(IsolatedEquilibrium::is_stable), count(IsolatedEquilibrium::is_unstable));
        write!(
            f,
            "{} equilibria ({stable} stable, {unstable} unstable, {} undecided; {} Nash), {} continua, {}",
            self.equilibria.len(),
            self.equilibria.len() - stable - unstable,
            count(|e| e.is_nash),
            self.continua.len(),
            if self.complete { "all supports searched" } else { "not all supports searched" }
        )
    }
}
