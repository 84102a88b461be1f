//! Matrices split in two, so that a product of their leading parts has no rounding errors.
//!
//! (Ozaki, Ogita, Oishi, Rump, "Error-free transformations of matrix multiplication", Numer. Algorithms 59, 2012.)

use ndarray::{Array2, Zip};

/// `M = high + low` with entries of `high` whole multiples of a quantum `2^-bits`, and those of `low` at most half of it.
///
/// A product of two such high parts is exact, in any order of summation, where all sums of absolute products stay
/// below `2^(52 - 2 bits)`.
pub(crate) struct Split {
    pub(crate) high: Array2<f64>,
    pub(crate) low: Array2<f64>,
}

impl Split {
    /// Splits a matrix of entries below `2^(51 - bits)`.
    pub(crate) fn new(m: Array2<f64>, bits: u32) -> Self {
        // Adding and taking away 1.5 * 2^52 quanta rounds to whole multiples of one.
        let round = 1.5 * ((1_u64 << 52) >> bits) as f64;
        let (mut high, mut low) = (m.clone(), m);
        Zip::from(&mut high).and(&mut low).for_each(|high, low| {
            *high = (*high + round) - round;
            *low -= *high;
        });
        Self { high, low }
    }
}
