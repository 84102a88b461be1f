//! All equilibria of a piecewise-linear network.
//!
//! On a *support*, a choice of one linear piece for each neuron, the equilibria solve one linear system. The search
//! assigns pieces neuron by neuron and eliminates each rate as its piece is known, so that the drives stay affine in
//! the rates that are left; interval bounds on them cut off branches without equilibria. What is left at the end of a
//! branch is solved afresh, in the units of the problem: no number is small but beside the terms that it is the sum of. For
//! ReLU the problem is the linear complementarity problem `LCP(I - W, -u)` (theory 2.4), and supports are sets of active
//! neurons.

mod elimination;
mod gather;
mod line;
mod nash;
mod pieces;
mod problem;
mod residue;
mod search;
mod support;

use std::fmt;

use ndarray::Array1;

use crate::Scalar;
use crate::error::{Error, Result};
use crate::network::{Circuit, FiringRateNetwork, HopfieldNetwork};
use crate::stability::local::{Linearisation, Tendency, fits_densely};

use super::Form;
use pieces::Piece;
use problem::Problem;
use search::Limits;
use support::{Flat, Point, is_interior};

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
    /// Whether no equilibrium can have been missed: no limit ended the search, and no support is unresolved.
    pub complete: bool,
    /// The limit that ended the search, if one did.
    pub ended_by: Option<SearchLimit>,
    /// Supports whose linear system is so close to singular that it could not be solved: an equilibrium there may have
    /// been missed.
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
    /// [`Game::is_nash`](crate::game::Game::is_nash) finds a tiny slope at the rounded state, which leads far down.
    pub is_nash: bool,
}

impl<A: Scalar> fmt::Display for IsolatedEquilibrium<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nash = if self.is_nash { "Nash" } else { "not Nash" };
        write!(f, "rates {:.6}: {}, {nash}", self.rates, self.local)
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
    /// The equilibria `base + t direction` for all `t` in `[lower, upper]`: rates, or potentials for a Hopfield network.
    Line {
        /// One of them, shape `[n]`: the state at an end, if there is one, at which `t` is 0.
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
        Self { circuit, form, max_equilibria: 10_000, max_branches: 50_000_000, tolerance: 1e-9 }
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

    /// How far a drive may lie outside its piece, relative to the sizes of the terms that make it up, and within twice that it
    /// counts as at a kink; in `(0, 1e-3]`, `1e-9` if not given. What nearly solves the equations in this sense is left out where an
    /// equilibrium that solves them to rounding has its drives at the same kinks and in the same pieces. All arithmetic is in `f64`.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Searches all supports.
    ///
    /// # Errors
    /// An activation that is not piecewise linear, or whose
    /// [`linear_pieces`](crate::activation::ActivationCost::linear_pieces) are not in order, leave gaps, have a slope that is
    /// negative or not finite, or disagree with its function; more than 20,000 neurons; options that are not allowed; no convergence of
    /// an eigenvalue decomposition.
    pub fn find(self) -> Result<EquilibriumSet<A>> {
        self.check()?;
        let circuit = self.circuit;
        let n = circuit.len();
        fits_densely(n, "the search for all equilibria")?;
        let problem = Problem {
            weights: circuit.weights.to_dense().mapv(|w| w.to_double()),
            input: circuit.input.iter().map(|u| u.to_double()).collect(),
            pieces: self.pieces()?,
            tolerance: self.tolerance,
        };
        let found = search::run(&problem, Limits { solutions: self.max_equilibria, branches: self.max_branches });
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
            continua: continua.into_iter().map(|flat| self.convert(&problem, flat)).collect(),
            complete: found.ended_by.is_none() && found.unresolved == 0,
            ended_by: found.ended_by,
            unresolved: found.unresolved,
            branches: found.branches,
        })
    }

    /// The pieces of each neuron's activation; those of a population are checked once.
    fn pieces(&self) -> Result<Vec<Vec<Piece>>> {
        let circuit = self.circuit;
        let mut of_population: Vec<Option<Vec<Piece>>> = vec![None; circuit.populations.len()];
        let of_neuron = |i: usize| {
            let known = &mut of_population[circuit.population_of[i] as usize];
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

    fn convert(&self, problem: &Problem, flat: Flat) -> Continuum<A> {
        match flat {
            Flat::Undecided { dimension, support } => Continuum::Undecided { dimension, support },
            Flat::Line { line, support } => {
                let line = match self.form {
                    Form::FiringRate => line,
                    Form::Hopfield => line.of_potentials(problem, &support),
                };
                let ranges: Vec<(f64, f64)> = support
                    .iter()
                    .zip(&problem.pieces)
                    .map(|(&p, pieces)| match self.form {
                        Form::FiringRate => pieces[p].range(),
                        Form::Hopfield => (pieces[p].lower, pieces[p].upper),
                    })
                    .collect();
                line.convert(&ranges, support)
            }
        }
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
        })?;
        match self.unresolved {
            0 => Ok(()),
            1 => f.write_str(", 1 support unresolved"),
            many => write!(f, ", {many} supports unresolved"),
        }
    }
}
