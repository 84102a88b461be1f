//! All equilibria of a piecewise-linear network.
//!
//! On a *support*, a choice of one linear piece for each neuron, the equilibria solve one linear system. The search
//! assigns pieces neuron by neuron and eliminates each rate as its piece is known, so that the drives stay affine in
//! the rates that are left; interval bounds on them cut off branches without equilibria. At the end of a branch the bounds on
//! the drives decide where they are clear. What they leave open, a drive near a kink or a system near a singular one, is
//! decided in exact arithmetic: floating-point numbers are rational, and so is all that follows from them. Nothing depends on a
//! tolerance, and so nothing on units or on the order of the neurons. For ReLU the problem is the linear complementarity problem `LCP(I - W, -u)` (theory 2.4), and supports are sets of active
//! neurons.

mod branch;
mod cone;
mod continuum;
mod dyadic;
mod echelon;
mod elimination;
mod exact;
mod gather;
mod nash;
mod pieces;
mod problem;
mod room;
mod search;
mod support;

use std::fmt;

use ndarray::Array1;

use crate::Scalar;
use crate::error::{Error, Result};
use crate::network::{Circuit, FiringRateNetwork, HopfieldNetwork};
use crate::stability::local::{Linearisation, Tendency, fits_densely};

use super::Form;
pub use continuum::Continuum;
use dyadic::Dyadic;
use pieces::Piece;
use problem::Problem;
use room::Room;
use search::Limits;
use support::{Point, is_interior};

/// Looks for all equilibria of a network whose activations are all piecewise linear; made by
/// [`FiringRateNetwork::all_equilibria`] and [`HopfieldNetwork::all_equilibria`].
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
    circuit: &'a Circuit<A>,
    form: Form,
    max_equilibria: usize,
    max_branches: u64,
    max_exact_supports: u64,
    max_memory: u64,
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
    /// Equilibria that are not isolated, where `I - Lambda W` is singular.
    pub continua: Vec<Continuum<A>>,
    /// Whether no equilibrium can have been missed: no limit ended the search, and no support is unresolved.
    pub complete: bool,
    /// The limit that ended the search, if one did.
    pub ended_by: Option<SearchLimit>,
    /// Supports that were not decided, so that an equilibrium there may have been missed: those that rounding errors leave open
    /// after [`Enumeration::max_exact_supports`] others, that would take some seconds of exact arithmetic each, whose equilibria
    /// make a polyhedron of hundreds of corners, or whose equilibria overflow.
    pub unresolved: u64,
    /// Branches of the search that were looked at; without pruning there are as many as supports.
    pub branches: u64,
}

/// What ended a search before it went through all supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SearchLimit {
    /// [`Enumeration::max_equilibria`].
    Equilibria,
    /// [`Enumeration::max_branches`].
    Branches,
    /// [`Enumeration::max_memory`].
    Memory,
}

/// One equilibrium of a piecewise-linear network.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct IsolatedEquilibrium<A> {
    /// The state of the network, shape `[n]`: firing rates, or potentials for a Hopfield network.
    pub state: Array1<A>,
    /// The firing rates, shape `[n]`.
    pub rates: Array1<A>,
    /// The synaptic drives `W x + u` at the rates `x`, which are the potentials of the Hopfield form, shape `[n]`.
    pub drive: Array1<A>,
    /// For each neuron the piece of its activation, counted from the left.
    pub support: Vec<usize>,
    /// Neurons whose drive is at a kink of their activation.
    pub at_kink: Vec<usize>,
    /// The linearisation there, with its spectrum.
    pub local: Linearisation<A>,
    /// Whether it is a Nash equilibrium: no neuron can lower its own energy alone. It is judged at the equilibrium itself, to
    /// which `state` is rounded: a neuron whose own energy is flat there (`w_ii` times its slope is 1) gains nothing, while
    /// [`is_nash`](crate::game::NeuralGame::is_nash) finds a tiny slope at the rounded state, which leads far down.
    pub is_nash: bool,
}

impl<A: Scalar> fmt::Display for IsolatedEquilibrium<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nash = if self.is_nash { "Nash" } else { "not Nash" };
        write!(f, "rates {:.6}: {}, {nash}", self.rates, self.local)
    }
}

impl<A: Scalar> FiringRateNetwork<A> {
    /// Looks for all equilibria `x = Phi(W x + u)`; for networks of up to about 20 neurons with piecewise-linear activations.
    pub fn all_equilibria(&self) -> Enumeration<'_, A> {
        Enumeration::new(self.circuit(), Form::FiringRate)
    }
}

impl<A: Scalar> HopfieldNetwork<A> {
    /// Looks for all equilibria `y = W Phi(y) + u`; for networks of up to about 20 neurons with piecewise-linear activations.
    /// They are those of the firing-rate form, `y = W x + u` at the rates `x = Phi(y)` (theory 1.4). States and continua that are
    /// found are potentials, shape `[n]`, and their linearisation is that of the potentials;
    /// [`rates`](IsolatedEquilibrium::rates) has the rates.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::network::HopfieldNetwork;
    ///
    /// let net = HopfieldNetwork::builder(array![[0.0, -2.0], [-2.0, 0.0]])
    ///     .activation(Relu)
    ///     .input(&array![1.0, 1.0])
    ///     .build()?;
    /// let all = net.all_equilibria().find()?;
    /// assert_eq!(all.equilibria.len(), 3);
    /// assert_eq!(all.equilibria[0].state, array![-1.0, 1.0]);
    /// assert_eq!(all.equilibria[0].rates, array![0.0, 1.0]);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn all_equilibria(&self) -> Enumeration<'_, A> {
        Enumeration::new(self.circuit(), Form::Hopfield)
    }
}

impl<'a, A: Scalar> Enumeration<'a, A> {
    fn new(circuit: &'a Circuit<A>, form: Form) -> Self {
        Self {
            circuit,
            form,
            max_equilibria: 10_000,
            max_branches: 50_000_000,
            max_exact_supports: 1_000_000,
            max_memory: 2 << 30,
        }
    }

    /// The largest number of equilibria and continua to report, at least 1; 10,000 if not given. The search ends at the first
    /// one beyond.
    pub fn max_equilibria(mut self, equilibria: usize) -> Self {
        self.max_equilibria = equilibria;
        self
    }

    /// The largest number of branches to look at, at least 1; 50 million if not given.
    pub fn max_branches(mut self, branches: u64) -> Self {
        self.max_branches = branches;
        self
    }

    /// The largest number of supports to decide in exact arithmetic; a million if not given, which takes minutes for 20
    /// neurons. Few networks need any of it: those with drives exactly or nearly at a kink, or with supports that are singular
    /// or nearly so. Supports beyond are counted as [`unresolved`](EquilibriumSet::unresolved), and the search goes on.
    pub fn max_exact_supports(mut self, supports: u64) -> Self {
        self.max_exact_supports = supports;
        self
    }

    /// About the most memory to take, in bytes; 2 GiB if not given. `n` neurons need at least `264 n^2` bytes and some more. The
    /// search ends where the branches that wait, or what has been found, would take more.
    pub fn max_memory(mut self, bytes: u64) -> Self {
        self.max_memory = bytes;
        self
    }

    /// Searches all supports.
    ///
    /// # Errors
    /// An activation that is not piecewise linear, or whose
    /// [`linear_pieces`](crate::activation::ActivationCost::linear_pieces) are not in order, leave gaps, have a slope that is
    /// negative or not finite, or disagree with its function; more neurons than [`max_memory`](Self::max_memory) allows; options
    /// that are not allowed; no convergence of an eigenvalue decomposition.
    pub fn find(self) -> Result<EquilibriumSet<A>> {
        self.check()?;
        let circuit = self.circuit;
        let n = circuit.len();
        fits_densely(n, "the search for all equilibria")?;
        let room = Room::new(n, self.max_memory).map_err(|least| {
            Error::invalid("max_memory", self.max_memory, format!("at least {least} bytes for {n} neurons"))
        })?;
        let (pieces, intercepts) = self.pieces()?.into_iter().unzip();
        let problem = Problem {
            weights: circuit.weights.to_dense().mapv(|w| w.to_double()),
            input: circuit.input.iter().map(|u| u.to_double()).collect(),
            pieces,
            intercepts,
            largest: A::max_value().to_double(),
        };
        let limits = Limits {
            solutions: self.max_equilibria,
            branches: self.max_branches,
            exact: self.max_exact_supports,
            room,
        };
        let found = search::run(&problem, limits);
        let (points, continua) = found.solutions.finish();
        let describe = |point: Point| self.describe(&problem, point);
        #[cfg(feature = "rayon")]
        let equilibria = {
            use rayon::prelude::*;
            points.into_par_iter().map(describe).collect::<Result<_>>()?
        };
        #[cfg(not(feature = "rayon"))]
        let equilibria = points.into_iter().map(describe).collect::<Result<_>>()?;
        Ok(EquilibriumSet {
            equilibria,
            continua: continua.into_iter().map(|flat| flat.convert(&problem, self.form)).collect(),
            complete: found.ended_by.is_none() && found.unresolved == 0,
            ended_by: found.ended_by,
            unresolved: found.unresolved,
            branches: found.branches,
        })
    }

    /// The pieces of each neuron's activation, and their unrounded intercepts; those of a population are checked once.
    fn pieces(&self) -> Result<Vec<(Vec<Piece>, Vec<Dyadic>)>> {
        let circuit = self.circuit;
        let mut of_population: Vec<Option<(Vec<Piece>, Vec<Dyadic>)>> = vec![None; circuit.neurons.populations.len()];
        let of_neuron = |i: usize| {
            let known = &mut of_population[circuit.neurons.population_of[i] as usize];
            match known {
                Some(pieces) => Ok(pieces.clone()),
                None => Ok(known.insert(Piece::all_of(circuit.activation(i), i)?).clone()),
            }
        };
        (0..circuit.len()).map(of_neuron).collect()
    }

    /// An isolated equilibrium with what is known about its surroundings.
    fn describe(&self, problem: &Problem, point: Point) -> Result<IsolatedEquilibrium<A>> {
        let is_nash = problem.is_nash(&point);
        let slope = |i: usize, p: usize| problem.pieces[i][p].slope;
        let bends = |i: usize, cell: usize| {
            let right = cell / 2;
            !is_interior(cell) && right > 0 && right < problem.pieces[i].len() && slope(i, right - 1) != slope(i, right)
        };
        let at_kink: Vec<usize> = (0..problem.len()).filter(|&i| bends(i, point.cell[i])).collect();
        // The slopes of the support itself, which no rounding of the state takes to another piece.
        let slopes = point.support.iter().enumerate().map(|(i, &p)| A::of(slope(i, p))).collect();
        let local = match self.form {
            Form::FiringRate => Linearisation::of_rates(self.circuit, slopes, at_kink.clone())?,
            Form::Hopfield => Linearisation::of_potentials(self.circuit, slopes, at_kink.clone())?,
        };
        let rates: Array1<A> = point.x.iter().map(|x| A::of(*x)).collect();
        let drive: Array1<A> = point.z.iter().map(|z| A::of(*z)).collect();
        let state = match self.form {
            Form::FiringRate => rates.clone(),
            Form::Hopfield => drive.clone(),
        };
        Ok(IsolatedEquilibrium { state, rates, drive, support: point.support, at_kink, local, is_nash })
    }

    fn check(&self) -> Result<()> {
        if self.max_equilibria == 0 {
            return Err(Error::invalid("max_equilibria", 0, "at least 1"));
        }
        if self.max_branches == 0 {
            return Err(Error::invalid("max_branches", 0, "at least 1"));
        }
        Ok(())
    }
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
        let (all, continua) = (self.equilibria.len(), self.continua.len());
        write!(
            f,
            "{all} {} ({stable} stable, {unstable} unstable, {} undecided; {} Nash), {continua} {}, ",
            if all == 1 { "equilibrium" } else { "equilibria" },
            all - stable - unstable,
            count(|e| e.is_nash),
            if continua == 1 { "continuum" } else { "continua" },
        )?;
        f.write_str(match self.ended_by {
            None => "all supports searched",
            Some(SearchLimit::Equilibria) => "not all supports searched: the limit on equilibria was reached",
            Some(SearchLimit::Branches) => "not all supports searched: the limit on branches was reached",
            Some(SearchLimit::Memory) => "not all supports searched: the limit on memory was reached",
        })?;
        match self.unresolved {
            0 => Ok(()),
            1 => f.write_str(", 1 support unresolved"),
            many => write!(f, ", {many} supports unresolved"),
        }
    }
}
