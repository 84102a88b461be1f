//! Margins as they stand in a file. What is read back has parts that fit each other; what it claims of a matrix is for `verify`.

use ndarray::Array2;

use super::{BlockBound, Gain, Linear, Margin};
use crate::error::{Error, Result};
use crate::stability::diagonal::control::Stop;
use crate::stability::diagonal::pencil::{OF_MATRIX, OF_SHIFTED};
use crate::stability::diagonal::verdict::stored::{check_bounds, check_witness};
use crate::stability::diagonal::weights::Weights;
use crate::stability::read_as_claim;

read_as_claim!(Margin, StoredMargin);
read_as_claim!(Gain, StoredGain);

#[derive(serde::Deserialize)]
struct StoredGain {
    margin: StoredMargin,
}

impl TryFrom<StoredGain> for Gain {
    type Error = Error;

    fn try_from(stored: StoredGain) -> Result<Self> {
        Ok(Self { margin: stored.margin.try_into()? })
    }
}

#[derive(serde::Deserialize)]
pub(super) struct StoredMargin {
    origin: f64,
    #[serde(with = "crate::extended")]
    upper: f64,
    blocks: Vec<BlockBound>,
    witness: Array2<f64>,
    iterations: usize,
    stop: Option<Stop>,
    linear: Option<Linear>,
}

#[derive(serde::Deserialize)]
pub(super) struct StoredBlock {
    indices: Vec<usize>,
    #[serde(with = "crate::extended")]
    lower: f64,
    weights: Option<Weights>,
}

impl TryFrom<StoredMargin> for Margin {
    type Error = Error;

    fn try_from(stored: StoredMargin) -> Result<Self> {
        let StoredMargin { origin, upper, blocks, witness, iterations, stop, linear } = stored;
        if ![OF_MATRIX, OF_SHIFTED].contains(&origin) {
            return Err(Error::invalid("origin", origin, "0 for a matrix, -1 for `W - R^-1`"));
        }
        check_witness(&witness)?;
        let n = witness.nrows();
        let mut rows: Vec<usize> = blocks.iter().flat_map(|block| block.indices.iter().copied()).collect();
        rows.sort_unstable();
        if !rows.iter().copied().eq(0..n) {
            return Err(Error::invalid(
                "blocks",
                format!("of the rows {rows:?}"),
                format!("each of the rows 0..{n} once"),
            ));
        }
        let least = blocks.iter().fold(f64::INFINITY, |least, block| least.min(block.lower));
        check_bounds(least, upper)?;
        Ok(Self { origin, upper, blocks, witness, iterations, stop, linear })
    }
}

impl TryFrom<StoredBlock> for BlockBound {
    type Error = Error;

    fn try_from(stored: StoredBlock) -> Result<Self> {
        let StoredBlock { indices, lower, weights } = stored;
        let rows = indices.len();
        if lower.is_nan() {
            return Err(Error::invalid("lower", lower, "numbers"));
        }
        if let Some(weights) = &weights
            && weights.len() != rows
        {
            return Err(Error::shape("weights", format!("[{rows}]"), &[weights.len()]));
        }
        Ok(Self { indices, lower, weights })
    }
}
