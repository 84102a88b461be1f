//! Equilibria that are not isolated.

use ndarray::Array1;

use super::Form;
use super::problem::Problem;
use super::support::{Flat, Shape, State};
use crate::Scalar;

/// All equilibria of a support on which they are not isolated. No continuum is part of another.
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
    /// The equilibria of a polyhedron of dimension 2 or more: all weighted means of the vertices plus all sums of nonnegative
    /// multiples of the rays. These are rates, or potentials for a Hopfield network.
    Polyhedron {
        /// The dimension, at least 2.
        dimension: usize,
        /// The corners, at least one, each of shape `[n]`; of a polyhedron that contains whole lines, one point for each
        /// corner of a section across them.
        vertices: Vec<Array1<A>>,
        /// The directions in which it is unbounded, each of shape `[n]` and with a largest entry of size 1; a whole line is
        /// two opposite rays. None if it is bounded.
        rays: Vec<Array1<A>>,
        /// For each neuron the piece of its activation, counted from the left.
        support: Vec<usize>,
    },
}

impl<A: Scalar> Continuum<A> {
    /// The dimension, at least 1.
    pub fn dimension(&self) -> usize {
        match self {
            Self::Line { .. } => 1,
            Self::Polyhedron { dimension, .. } => *dimension,
        }
    }

    /// For each neuron the piece of its activation, counted from the left.
    pub fn support(&self) -> &[usize] {
        match self {
            Self::Line { support, .. } | Self::Polyhedron { support, .. } => support,
        }
    }

    /// An equilibrium away from the rim, shape `[n]`: rates, or potentials for a Hopfield network.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use neuronash::activation::Relu;
    /// use neuronash::network::FiringRateNetwork;
    ///
    /// // Three neurons that share one unit of activity in any way.
    /// let w = array![[0.0, -1.0, -1.0], [-1.0, 0.0, -1.0], [-1.0, -1.0, 0.0]];
    /// let net = FiringRateNetwork::builder(w).activation(Relu).input(&Array1::ones(3)).build()?;
    /// let all = net.all_equilibria().find()?;
    /// assert_eq!((all.equilibria.len(), all.continua.len()), (0, 1));
    /// assert_eq!(all.continua[0].dimension(), 2);
    /// let shares: Array1<f64> = all.continua[0].inner_state();
    /// assert!(shares.iter().all(|x| (x - 1.0 / 3.0).abs() < 1e-15));
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn inner_state(&self) -> Array1<A> {
        match self {
            Self::Line { base, direction, lower, upper, .. } => {
                let t = match (lower.is_finite(), upper.is_finite()) {
                    (true, true) => A::of(0.5) * (*lower + *upper),
                    (true, false) => *lower + A::one(),
                    (false, true) => *upper - A::one(),
                    (false, false) => A::zero(),
                };
                base + &(direction * t)
            }
            Self::Polyhedron { vertices, rays, .. } => {
                let share = A::one() / A::of(vertices.len() as f64);
                let mean = vertices.iter().fold(Array1::zeros(vertices[0].len()), |sum, v| sum + v * share);
                rays.iter().fold(mean, |sum, ray| sum + ray)
            }
        }
    }
}

impl Flat {
    /// The continuum in the network's numbers.
    pub(super) fn convert<A: Scalar>(self, problem: &Problem, form: Form) -> Continuum<A> {
        let of = |state: State| match form {
            Form::FiringRate => state.x,
            Form::Hopfield => state.z,
        };
        let narrow = |state: State| -> Array1<A> { of(state).into_iter().map(A::of).collect() };
        let Flat { shape, support, .. } = self;
        match shape {
            Shape::Polyhedron { dimension, vertices, rays } => Continuum::Polyhedron {
                dimension,
                vertices: vertices.into_iter().map(narrow).collect(),
                rays: rays.into_iter().map(narrow).collect(),
                support,
            },
            Shape::Line { base, span, lower, upper } => {
                let base = narrow(base.within(&problem.pieces, &support));
                let mut direction = of(span);
                let longest = direction.iter().copied().fold(0.0, |m: f64, x| if x.abs() > m.abs() { x } else { m });
                direction.iter_mut().for_each(|d| *d /= longest);
                let direction: Array1<A> = direction.into_iter().map(A::of).collect();
                let (lower, upper) = if longest < 0.0 { (upper, lower) } else { (lower, upper) };
                let along = |t: f64| if t == 0.0 { 0.0 } else { t * longest };
                let ranges: Vec<(f64, f64)> = support
                    .iter()
                    .zip(&problem.pieces)
                    .map(|(&p, pieces)| match form {
                        Form::FiringRate => pieces[p].range(),
                        Form::Hopfield => (pieces[p].lower, pieces[p].upper),
                    })
                    .collect();
                let end = |t: f64| inwards(A::of(along(t)), &base, &direction, &ranges);
                let (lower, upper) = (end(lower), end(upper));
                Continuum::Line { base, direction, lower, upper, support }
            }
        }
    }
}

/// The end of a line, moved towards its base by as much as rounding puts the state there outside the ranges.
fn inwards<A: Scalar>(mut t: A, base: &Array1<A>, direction: &Array1<A>, ranges: &[(f64, f64)]) -> A {
    const MOST: usize = 64;
    for _ in 0..MOST {
        let overshoot = |i: usize| {
            let state = base[i] + t * direction[i];
            let (low, high) = ranges[i];
            let outside = (A::of(low) - state).max(state - A::of(high));
            if direction[i] == A::zero() { A::zero() } else { outside / direction[i].abs() }
        };
        let worst = (0..base.len()).map(overshoot).fold(A::zero(), A::max);
        if !t.is_finite() || t == A::zero() || worst <= A::zero() {
            break;
        }
        let shorter = t.abs() - worst.max(A::epsilon() * t.abs());
        t = shorter.max(A::zero()) * t.signum();
    }
    t
}
