//! Regime maps: the circuit's regime over a grid of two parameters.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::Array2;
#[cfg(feature = "rayon")]
use rayon::prelude::*;

use super::{Regime, WilsonCowan};
use crate::Scalar;
use crate::error::{Error, Result};

/// The numbers that make up a [`WilsonCowan`] circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Parameter {
    /// Self-excitation `w_EE`.
    WEe,
    /// Inhibition `w_EI` of E by I.
    WEi,
    /// Excitation `w_IE` of I by E.
    WIe,
    /// Self-inhibition `w_II`.
    WIi,
    /// Time constant of E.
    TauE,
    /// Time constant of I.
    TauI,
    /// Input to E.
    UE,
    /// Input to I.
    UI,
}

/// What the circuit does at one place of a [`RegimeMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MapCell {
    /// The circuit's regime, as [`Equilibria::regime`](super::Equilibria::regime) defines it.
    pub regime: Option<Regime>,
    /// Number of equilibria.
    pub equilibria: usize,
    /// Number of stable equilibria.
    pub stable: usize,
    /// Whether the response to input to I is paradoxical at some stable equilibrium.
    pub paradoxical: bool,
    /// Whether it is proved that there is no cycle, as [`WilsonCowan::excludes_cycles`] tells; else a cycle may exist beside
    /// the equilibria.
    pub excludes_cycles: bool,
    /// Whether no equilibrium can have been missed, as [`Equilibria::is_complete`](super::Equilibria::is_complete) tells.
    pub complete: bool,
}

/// The regimes over a grid of two parameters.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RegimeMap<A> {
    /// The parameter along the first axis, and its values.
    pub first: (Parameter, Vec<A>),
    /// The parameter along the second axis, and its values.
    pub second: (Parameter, Vec<A>),
    /// Shape `[first, second]`.
    pub cells: Array2<MapCell>,
}

/// A sweep over two parameters; [`WilsonCowan::sweep`] starts one.
#[must_use]
pub struct Sweep<'a, A: Scalar> {
    circuit: &'a WilsonCowan<A>,
    first: (Parameter, Vec<A>),
    second: (Parameter, Vec<A>),
    observer: Option<Box<Observer<'a>>>,
}

/// What an observer sees whenever another row of the map is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepProgress {
    /// Rows that are done, those of the first parameter's values.
    pub done: usize,
    /// All rows.
    pub total: usize,
}

type Observer<'a> = dyn Fn(&SweepProgress) -> ControlFlow<()> + Sync + 'a;

impl<A: Scalar> WilsonCowan<A> {
    /// Prepares a sweep over two different parameters; all the others stay as they are in this circuit.
    ///
    /// ```
    /// use neuronash::activation::Tanh;
    /// use neuronash::circuits::WilsonCowan;
    /// use neuronash::circuits::wilson_cowan::{Parameter, Regime};
    ///
    /// let circuit = WilsonCowan::builder().w_ie(3.0).excitatory(Tanh::new()).inhibitory(Tanh::new()).build()?;
    /// let map = circuit.sweep(Parameter::WEe, &[0.5, 1.5], Parameter::WEi, &[0.0, 3.0]).run()?;
    /// assert_eq!(map.cells[[0, 0]].regime, Some(Regime::Monostable));
    /// assert_eq!(map.cells[[1, 0]].regime, Some(Regime::Bistable));
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn sweep<'a>(&'a self, first: Parameter, values: &[A], second: Parameter, others: &[A]) -> Sweep<'a, A> {
        Sweep { circuit: self, first: (first, values.to_vec()), second: (second, others.to_vec()), observer: None }
    }
}

impl<'a, A: Scalar> Sweep<'a, A> {
    /// Called whenever another row of the map is done, from any thread; `ControlFlow::Break(())` ends the sweep with
    /// [`Error::Interrupted`].
    pub fn observer(mut self, observer: impl Fn(&SweepProgress) -> ControlFlow<()> + Sync + 'a) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Fills the map, rows in parallel with feature `rayon`. The result does not depend on the number of threads.
    ///
    /// # Errors
    /// [`Error::Interrupted`] by the observer; twice the same parameter, no values, values that the circuit does not allow, or an activation that fails in the search
    /// for equilibria.
    pub fn run(self) -> Result<RegimeMap<A>> {
        if self.first.0 == self.second.0 {
            return Err(Error::invalid("second", self.second.0, "a parameter other than the first"));
        }
        for (name, (_, values)) in [("values of first", &self.first), ("values of second", &self.second)] {
            if values.is_empty() {
                return Err(Error::Empty { argument: name.into() });
            }
        }
        let total = self.first.1.len();
        let done = AtomicUsize::new(0);
        let row = |&value: &A| -> Result<Vec<MapCell>> {
            let circuit = self.circuit.with(self.first.0, value)?;
            let cells = self.second.1.iter().map(|&other| cell(&circuit.with(self.second.0, other)?)).collect();
            let finished = done.fetch_add(1, Ordering::Relaxed) + 1;
            let progress = SweepProgress { done: finished, total };
            if self.observer.as_ref().is_some_and(|observer| observer(&progress).is_break()) {
                return Err(Error::Interrupted { what: format!("the sweep, after {finished} of {total} rows,") });
            }
            cells
        };
        #[cfg(feature = "rayon")]
        let rows = self.first.1.par_iter().map(row).collect::<Result<Vec<_>>>()?;
        #[cfg(not(feature = "rayon"))]
        let rows = self.first.1.iter().map(row).collect::<Result<Vec<_>>>()?;
        let shape = (total, self.second.1.len());
        let cells = Array2::from_shape_vec(shape, rows.concat()).expect("every row has one cell per value");
        Ok(RegimeMap { first: self.first, second: self.second, cells })
    }
}

fn cell<A: Scalar>(circuit: &WilsonCowan<A>) -> Result<MapCell> {
    let equilibria = circuit.equilibria()?;
    Ok(MapCell {
        regime: equilibria.regime(),
        equilibria: equilibria.points().len(),
        stable: equilibria.stable().count(),
        paradoxical: equilibria.stable().any(|p| p.is_paradoxical()),
        excludes_cycles: equilibria.excludes_cycles(),
        complete: equilibria.is_complete(),
    })
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Parameter::WEe => "w_EE",
            Parameter::WEi => "w_EI",
            Parameter::WIe => "w_IE",
            Parameter::WIi => "w_II",
            Parameter::TauE => "tau_E",
            Parameter::TauI => "tau_I",
            Parameter::UE => "u_E",
            Parameter::UI => "u_I",
        })
    }
}

impl<A: Scalar> fmt::Display for RegimeMap<A> {
    /// One letter per cell (m, l, i, o, b, c, `?` for undecided and `-` for none), the first parameter to the right, the second upward.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = |(name, values): &(Parameter, Vec<A>)| match values.as_slice() {
            [] => format!("{name}, no values"),
            [only] => format!("{name} {only}"),
            [first, .., last] => format!("{name} {first} .. {last}"),
        };
        writeln!(f, "right: {}; up: {}", span(&self.first), span(&self.second))?;
        for j in (0..self.second.1.len()).rev() {
            let line: String = self.cells.column(j).iter().map(|cell| letter(cell.regime)).collect();
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

fn letter(regime: Option<Regime>) -> char {
    match regime {
        Some(Regime::Monostable) => 'm',
        Some(Regime::LocallyStable) => 'l',
        Some(Regime::InhibitionStabilised) => 'i',
        Some(Regime::Oscillatory) => 'o',
        Some(Regime::Bistable) => 'b',
        Some(Regime::Critical) => 'c',
        Some(Regime::Undecided) => '?',
        None => '-',
    }
}

impl<A: Scalar> fmt::Debug for Sweep<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweep").field("first", &self.first).field("second", &self.second).finish_non_exhaustive()
    }
}
