//! What a column answers to an input, layer by layer.

use std::fmt;

use ndarray::{Array1, ArrayBase, Data, Ix1};

use super::super::lateral_inhibition::LateralResponse;
use super::CorticalColumn;
use crate::Scalar;
use crate::error::{Error, Result};

/// The state that every layer of a [`CorticalColumn`] settles in.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ColumnResponse<A> {
    /// One response per layer, input layer first.
    pub layers: Vec<LateralResponse<A>>,
}

impl<A: Scalar> CorticalColumn<A> {
    /// The state of every layer for an input of shape `[k]` to the first, from silence.
    ///
    /// Since no layer drives an earlier one, the layers are solved in turn, each with the settled rates of the one before as its
    /// input. The error bounds are those of each layer for this input.
    ///
    /// # Errors
    /// As [`LateralInhibition::respond`](super::super::LateralInhibition::respond), for any layer.
    pub fn respond<S: Data<Elem = A>>(&self, input: &ArrayBase<S, Ix1>) -> Result<ColumnResponse<A>> {
        let mut u = input.to_owned();
        let mut layers = Vec::with_capacity(self.depth());
        for (l, layer) in self.layers().iter().enumerate() {
            let response = layer.respond(&u)?;
            if let Some(coupling) = self.couplings().get(l) {
                u = response.excitatory().mapv(|x| coupling.gain * x + coupling.offset);
            }
            layers.push(response);
        }
        Ok(ColumnResponse { layers })
    }
}

impl<A: Scalar> ColumnResponse<A> {
    /// Michelson contrast of the E rates of every layer.
    ///
    /// # Errors
    /// Negative rates, which some activations have.
    pub fn contrasts(&self) -> Result<Vec<A>> {
        self.layers.iter().map(LateralResponse::contrast).collect()
    }

    /// Number of layers after which the contrast reaches `target`; `None` if it never does.
    ///
    /// # Errors
    /// A target outside `(0, 1]`, or negative rates.
    pub fn layers_needed(&self, target: A) -> Result<Option<usize>> {
        if !(target > A::zero() && target <= A::one()) {
            return Err(Error::invalid("target", target, "contrasts above 0 and at most 1"));
        }
        Ok(self.contrasts()?.iter().position(|c| *c >= target).map(|l| l + 1))
    }

    /// The state of the whole column, shape `[2 k L]`, in the order of [`CorticalColumn::network`].
    pub fn state(&self) -> Array1<A> {
        self.layers.iter().flat_map(|layer| layer.state.iter().copied()).collect()
    }
}

impl<A: Scalar> fmt::Display for ColumnResponse<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (l, layer) in self.layers.iter().enumerate() {
            writeln!(f, "layer {}: {layer}", l + 1)?;
        }
        Ok(())
    }
}
