//! A number that tells one synaptic matrix from another.

use super::Weights;
use crate::Scalar;

/// A 64-bit hash of the exact real matrix: of the places and values of all entries that are not zero, however they are stored
/// and in whichever precision.
///
/// Entry by entry the folded product of wyhash (Wang Yi), added up, so that the order does not matter. It tells apart
/// matrices that were mixed up, not ones that were made to deceive.
pub(super) fn fingerprint<A: Scalar>(weights: &Weights<A>) -> u64 {
    let row = |i: usize| {
        let key = key_of(i);
        weights.row(i).map(|(j, w)| entry(key, j, w.to_double())).fold(0, u64::wrapping_add)
    };
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;
        (0..weights.len()).into_par_iter().with_min_len(64).map(row).reduce(|| 0, u64::wrapping_add)
    }
    #[cfg(not(feature = "rayon"))]
    (0..weights.len()).map(row).fold(0, u64::wrapping_add)
}

/// The same from the entries, of which each place has one.
pub(crate) fn fingerprint_of(entries: impl Iterator<Item = (usize, usize, f64)>) -> u64 {
    entries.filter(|&(_, _, w)| w != 0.0).map(|(i, j, w)| entry(key_of(i), j, w)).fold(0, u64::wrapping_add)
}

fn key_of(row: usize) -> u64 {
    fold(row as u64 ^ KEYS[0], KEYS[1])
}

fn entry(key: u64, column: usize, w: f64) -> u64 {
    fold(w.to_bits() ^ KEYS[2], fold(column as u64 ^ key, KEYS[3]))
}

const KEYS: [u64; 4] = [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3, 0x5899_65cc_7537_4cc3];

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}
