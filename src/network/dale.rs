//! Dale's law: a neuron either excites all its targets or inhibits all of them.

use std::fmt;

use super::Weights;
use crate::Scalar;

/// What the weights from one neuron (a column of `W`) say about it.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Polarity<A> {
    /// All nonzero weights are positive.
    Excitatory,
    /// All nonzero weights are negative.
    Inhibitory,
    /// All weights are zero.
    Silent,
    /// Weights of both signs, against Dale's law.
    Mixed {
        /// Number of positive weights.
        excitatory: usize,
        /// Number of negative weights.
        inhibitory: usize,
        /// The weights of the rarer sign (the negative ones if there are as many of each), as the receiving neuron `i`
        /// and the weight `w_ij`.
        offending: Vec<(usize, A)>,
    },
}

/// Whether a network obeys Dale's law, neuron by neuron.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DaleReport<A> {
    polarities: Vec<Polarity<A>>,
}

impl<A: Scalar> Weights<A> {
    /// Checks Dale's law: every column of `W` has one sign (E: `>= 0`, I: `<= 0`).
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::network::{Polarity, Weights};
    ///
    /// let w = Weights::dense(&array![[0.5, -1.0, 0.0], [1.0, -0.5, 0.0], [-0.1, 0.0, 0.0]])?;
    /// let dale = w.dale();
    /// assert!(!dale.holds());
    /// assert_eq!((dale.inhibitory(), dale.silent()), (1, 1));
    /// assert_eq!(
    ///     dale.polarity(0),
    ///     Some(&Polarity::Mixed { excitatory: 2, inhibitory: 1, offending: vec![(2, -0.1)] })
    /// );
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn dale(&self) -> DaleReport<A> {
        let n = self.len();
        let mut counts = vec![[0usize; 2]; n];
        for i in 0..n {
            for (j, w) in self.row(i) {
                counts[j][usize::from(w < A::zero())] += 1;
            }
        }
        let mut polarities: Vec<Polarity<A>> = counts
            .iter()
            .map(|&[excitatory, inhibitory]| match (excitatory, inhibitory) {
                (0, 0) => Polarity::Silent,
                (_, 0) => Polarity::Excitatory,
                (0, _) => Polarity::Inhibitory,
                _ => Polarity::Mixed { excitatory, inhibitory, offending: Vec::new() },
            })
            .collect();
        for i in 0..n {
            for (j, w) in self.row(i) {
                if let Polarity::Mixed { excitatory, inhibitory, offending } = &mut polarities[j]
                    && (w < A::zero()) == (*inhibitory <= *excitatory)
                {
                    offending.push((i, w));
                }
            }
        }
        DaleReport { polarities }
    }
}

impl<A: Scalar> DaleReport<A> {
    /// Whether no neuron has weights of both signs.
    pub fn holds(&self) -> bool {
        self.violations().next().is_none()
    }

    /// The polarity of every neuron, length `n`.
    pub fn polarities(&self) -> &[Polarity<A>] {
        &self.polarities
    }

    /// The polarity of one neuron; `None` if there is no such neuron.
    pub fn polarity(&self, neuron: usize) -> Option<&Polarity<A>> {
        self.polarities.get(neuron)
    }

    /// Number of excitatory neurons.
    pub fn excitatory(&self) -> usize {
        self.count(|p| matches!(p, Polarity::Excitatory))
    }

    /// Number of inhibitory neurons.
    pub fn inhibitory(&self) -> usize {
        self.count(|p| matches!(p, Polarity::Inhibitory))
    }

    /// Number of neurons without any weight onto others or themselves.
    pub fn silent(&self) -> usize {
        self.count(|p| matches!(p, Polarity::Silent))
    }

    /// The neurons with weights of both signs.
    pub fn violations(&self) -> impl Iterator<Item = (usize, &Polarity<A>)> {
        self.polarities.iter().enumerate().filter(|(_, p)| matches!(p, Polarity::Mixed { .. }))
    }

    fn count(&self, which: impl Fn(&Polarity<A>) -> bool) -> usize {
        self.polarities.iter().filter(|p| which(p)).count()
    }
}

impl<A: Scalar> fmt::Display for DaleReport<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (e, i, silent) = (self.excitatory(), self.inhibitory(), self.silent());
        let mixed = self.violations().count();
        write!(f, "{e} excitatory, {i} inhibitory, {silent} silent, {mixed} mixed")?;
        match self.violations().next() {
            Some((j, Polarity::Mixed { excitatory, inhibitory, offending })) => {
                write!(f, "; neuron {j} has {excitatory} positive and {inhibitory} negative weights")?;
                offending.first().map_or(Ok(()), |(to, w)| write!(f, ", among them {w} onto neuron {to}"))
            }
            _ => f.write_str("; Dale's law holds"),
        }
    }
}
