//! Populations: named groups of neurons that share an activation.

use std::ops::Range;
use std::sync::Arc;

use crate::activation::ActivationCost;

/// Which neurons belong to a population.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Members {
    /// Neighbours in the numbering.
    Range(Range<usize>),
    /// Any neurons, in any order.
    List(Vec<usize>),
}

impl Members {
    /// Number of members.
    pub fn len(&self) -> usize {
        match self {
            Members::Range(r) => r.len(),
            Members::List(v) => v.len(),
        }
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The members' numbers.
    pub fn iter(&self) -> Box<dyn Iterator<Item = usize> + '_> {
        match self {
            Members::Range(r) => Box::new(r.clone()),
            Members::List(v) => Box::new(v.iter().copied()),
        }
    }
}

impl From<Range<usize>> for Members {
    fn from(range: Range<usize>) -> Self {
        Members::Range(range)
    }
}

impl From<Vec<usize>> for Members {
    fn from(list: Vec<usize>) -> Self {
        Members::List(list)
    }
}

/// A named group of neurons with one activation.
#[derive(Debug, Clone)]
pub struct Population<A> {
    pub(super) name: String,
    pub(super) members: Members,
    pub(super) activation: Arc<dyn ActivationCost<A>>,
}

impl<A> Population<A> {
    pub(crate) fn new(name: String, members: Members, activation: Arc<dyn ActivationCost<A>>) -> Self {
        Self { name, members, activation }
    }

    /// The population's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The neurons in it.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Their activation cost.
    pub fn activation(&self) -> &dyn ActivationCost<A> {
        &*self.activation
    }
}
