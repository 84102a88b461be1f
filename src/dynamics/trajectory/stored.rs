//! Trajectories as they stand in a file.

use ndarray::{Array1, Array2};

use super::{StopReason, Trajectory};
use crate::Scalar;
use crate::check::length;
use crate::error::{Error, Result};

#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "A: Scalar + serde::Deserialize<'de>"))]
pub(super) struct StoredTrajectory<A> {
    times: Array1<A>,
    #[serde(with = "crate::extended::matrix")]
    states: Array2<A>,
    #[serde(with = "crate::extended::optional_matrix")]
    energies: Option<Array2<A>>,
    #[serde(with = "crate::extended::optional_array")]
    exploitability: Option<Array1<A>>,
    #[serde(with = "crate::extended::optional_array")]
    nash_conv: Option<Array1<A>>,
    #[serde(with = "crate::extended::optional_array")]
    lyapunov: Option<Array1<A>>,
    final_time: A,
    #[serde(with = "crate::extended::array")]
    final_state: Array1<A>,
    stop: StopReason<A>,
    steps: usize,
    rejected: usize,
    evaluations: usize,
}

impl<A: Scalar> TryFrom<StoredTrajectory<A>> for Trajectory<A> {
    type Error = Error;

    fn try_from(stored: StoredTrajectory<A>) -> Result<Self> {
        let (samples, n) = stored.states.dim();
        length("times", stored.times.len(), samples)?;
        length("final_state", stored.final_state.len(), n)?;
        for (argument, values) in [
            ("exploitability", &stored.exploitability),
            ("nash_conv", &stored.nash_conv),
            ("lyapunov", &stored.lyapunov),
        ] {
            length(argument, values.as_ref().map_or(samples, |values| values.len()), samples)?;
        }
        if let Some(energies) = stored.energies.as_ref().filter(|energies| energies.dim() != (samples, n)) {
            return Err(Error::shape("energies", format!("[{samples}, {n}]"), energies.shape()));
        }
        Ok(Self {
            times: stored.times,
            states: stored.states,
            energies: stored.energies,
            exploitability: stored.exploitability,
            nash_conv: stored.nash_conv,
            lyapunov: stored.lyapunov,
            final_time: stored.final_time,
            final_state: stored.final_state,
            stop: stored.stop,
            steps: stored.steps,
            rejected: stored.rejected,
            evaluations: stored.evaluations,
        })
    }
}
