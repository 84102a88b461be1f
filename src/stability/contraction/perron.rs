//! Perron vectors of Metzler majorants, with Collatz-Wielandt bounds.

mod search;

use std::fmt;

use ndarray::{Array1, ArrayView1};

use super::Majorant;
use super::majorant::Enclosed;
use crate::error::{Error, Result};
use crate::linalg::decimal::{AtLeast, AtMost};
use crate::linalg::rounding::{add_down, add_up};
use crate::stability::{Bounds, IntoSubject};

/// The spectral abscissa of a Metzler majorant, bounded on both sides, with the positive vector that proves the upper
/// bound.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Perron {
    abscissa: Bounds,
    vector: Array1<f64>,
    iterations: usize,
}

impl Perron {
    /// Proved bounds on the spectral abscissa.
    pub fn abscissa(&self) -> Bounds {
        self.abscissa
    }

    /// A vector `v > 0` of shape `[n]` with `M v <= abscissa.upper v`.
    pub fn vector(&self) -> ArrayView1<'_, f64> {
        self.vector.view()
    }

    /// [`vector`](Self::vector) without a copy.
    pub fn into_vector(self) -> Array1<f64> {
        self.vector
    }

    /// Products by the matrix that the search took.
    pub fn iterations(&self) -> usize {
        self.iterations
    }
}

impl fmt::Display for Perron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bounds { lower, upper } = self.abscissa;
        let (lower, upper) = (AtLeast(lower), AtMost(upper));
        write!(f, "spectral abscissa in [{lower:e}, {upper:e}], both proved, after {} products", self.iterations)
    }
}

/// How long and how closely to search for a Perron vector; checked at [`solve`](Self::solve). The bounds are proved whatever the
/// options.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PerronOptions {
    tolerance: f64,
    max_iterations: usize,
}

impl Default for PerronOptions {
    /// Tolerance 1e-12, at most 2,000 products.
    fn default() -> Self {
        Self { tolerance: 1e-12, max_iterations: 2_000 }
    }
}

impl PerronOptions {
    /// Stops when the bounds of a strongly connected component are this close, relative to its largest row sum; in `[0, 1)`,
    /// `1e-12` if not given.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Stops after this many products in each strongly connected component, at least 1; 2,000 if not given.
    #[must_use]
    pub fn max_iterations(mut self, products: usize) -> Self {
        self.max_iterations = products;
        self
    }

    /// Finds the Perron vector of the Metzler majorant of the subject's matrix.
    ///
    /// # Errors
    /// Options that are not allowed, and as [`perron`].
    pub fn solve<'a>(&self, subject: impl IntoSubject<'a>) -> Result<Perron> {
        if !(0.0..1.0).contains(&self.tolerance) {
            return Err(Error::invalid("tolerance", self.tolerance, "numbers in [0, 1)"));
        }
        if self.max_iterations == 0 {
            return Err(Error::invalid("max_iterations", 0, "at least 1"));
        }
        let subject = subject.into_subject()?;
        Ok(of_majorant(&Majorant::of(&subject), &subject.diagonal_bounds(), self))
    }
}

/// The spectral abscissa and a Perron vector of the Metzler majorant of the subject's matrix (diagonal kept, magnitudes off it).
///
/// The search is a power iteration on each strongly connected component, shifted to a nonnegative matrix with a positive
/// diagonal, finished by Noda's inverse iteration where components are small; the components' vectors are scaled along
/// the graph so that couplings between components cost almost nothing. The bounds are those of Collatz and Wielandt,
/// `min_C (M v)_i / v_i <= abscissa <= max_i (M v)_i / v_i` with the minimum over one component `C` and inside it,
/// evaluated with directed rounding: they hold however far the search came.
///
/// # Errors
/// As [`IntoSubject::into_subject`].
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::contraction::perron;
///
/// let p = perron(&array![[0.0, 4.0], [-1.0, 0.0]])?; // majorant [[0, 4], [1, 0]]
/// assert!(p.abscissa().contains(2.0) && p.abscissa().width() < 1e-9);
/// assert!((p.vector()[0] / p.vector()[1] - 2.0).abs() < 1e-9);
/// # Ok::<(), neuronash::Error>(())
/// ```
pub fn perron<'a>(subject: impl IntoSubject<'a>) -> Result<Perron> {
    PerronOptions::default().solve(subject)
}

/// Of a majorant whose diagonal lies within the given bounds.
pub(super) fn of_majorant(m: &Majorant, diagonal: &[Bounds], options: &PerronOptions) -> Perron {
    let found = search::search(m, options);
    let v = Enclosed::exact(&found.vector);
    let row = |i: usize, component: Option<u32>| {
        let off = m.quotient(i, &v, &v, |j| component.is_none_or(|c| found.component[j] == c));
        Bounds { lower: add_down(diagonal[i].lower, off.lower), upper: add_up(diagonal[i].upper, off.upper) }
    };
    let abscissa = found.collatz_wielandt(row);
    Perron { abscissa, vector: Array1::from_vec(found.vector), iterations: found.iterations }
}

pub(in crate::stability) use search::{search as search_vector, search_while as search_vector_while};
