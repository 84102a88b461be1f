//! All supports of a piecewise-linear network, for the equilibria among them.

use std::collections::VecDeque;

use ndarray::Array1;

use super::drive::{Iterate, Next, Point, Task};
use super::enumeration::{Continuum, EquilibriumSet};
use super::method::{MethodName, SupportEnumeration};
use super::report::StopReason;
use crate::Scalar;
use crate::error::{Error, Result};
use crate::game::NeuralGame;
use crate::network::FiringRateNetwork;

pub(super) struct SupportEnumerationIteration<A> {
    options: SupportEnumeration,
    found: Option<Found<A>>,
    /// Whether a network that cannot be enumerated is an error, or a failure of this method only.
    chosen: bool,
}

/// The equilibria that have not been tried yet, and what it means if there is none.
struct Found<A> {
    left: VecDeque<Array1<A>>,
    otherwise: StopReason,
}

impl<A: Scalar> SupportEnumerationIteration<A> {
    pub(super) fn new(options: SupportEnumeration, chosen: bool) -> Self {
        Self { options, found: None, chosen }
    }

    fn search(&self, task: &Task<'_, A>, at: &Array1<A>) -> Result<Found<A>> {
        let Some(circuit) = task.game.under(task.input.clone()).circuit() else {
            let found = "support enumeration for an interaction other than synapses";
            return Err(Error::invalid("method", found, "support enumeration for networks with synapses"));
        };
        let net = FiringRateNetwork::of_circuit(circuit);
        let search = net.all_equilibria().max_branches(self.options.max_branches);
        match search.find() {
            Ok(set) => Ok(Found { otherwise: verdict(&set), left: in_order(set, at) }),
            Err(Error::Invalid { .. } | Error::NoConvergence { .. }) if !self.chosen => {
                Ok(Found { otherwise: StopReason::Stalled, left: VecDeque::new() })
            }
            Err(other) => Err(other),
        }
    }
}

impl<A: Scalar> Iterate<A> for SupportEnumerationIteration<A> {
    fn name(&self) -> MethodName {
        MethodName::SupportEnumeration
    }

    fn next(&mut self, task: &Task<'_, A>, at: &Point<A>) -> Result<Next<A>> {
        if self.found.is_none() {
            self.found = Some(self.search(task, &at.x)?);
        }
        let found = self.found.as_mut().expect("the search has just been made");
        Ok(found.left.pop_front().map_or(Next::Stuck(found.otherwise), Next::To))
    }
}

fn verdict<A: Scalar>(set: &EquilibriumSet<A>) -> StopReason {
    let none = set.equilibria.is_empty() && set.continua.is_empty();
    if set.complete && none { StopReason::NoEquilibrium } else { StopReason::Stalled }
}

/// The stable equilibria, then the others, each by their distance from `start`; then a point of each continuum.
fn in_order<A: Scalar>(set: EquilibriumSet<A>, start: &Array1<A>) -> VecDeque<Array1<A>> {
    let mut points: Vec<(bool, f64, Array1<A>)> = Vec::with_capacity(set.equilibria.len());
    for e in set.equilibria {
        let unstable = !e.is_stable();
        let distance = e.rates.iter().zip(start).map(|(x, s)| (*x - *s).to_double().powi(2)).sum::<f64>();
        points.push((unstable, distance, e.rates));
    }
    points.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let of_continua = set.continua.into_iter().filter_map(|continuum| match continuum {
        Continuum::Line { base, .. } => Some(base),
        _ => None,
    });
    points.into_iter().map(|(_, _, rates)| rates).chain(of_continua).collect()
}

/// Whether an enumeration is cheap and possible: few neurons, all of them piecewise linear.
pub(super) fn is_cheap<A: Scalar>(game: &NeuralGame<A>) -> bool {
    const NEURONS: usize = 12;
    game.synapses().is_some()
        && game.len() <= NEURONS
        && game.populations().iter().all(|p| p.activation().linear_pieces().is_some())
}
