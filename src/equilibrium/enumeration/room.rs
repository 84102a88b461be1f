//! What the search may keep in memory.

use super::branch::Branch;
use super::support::{Found, Shape};

/// How the memory is shared out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Branches that the parallel search may start with.
    pub(super) front: usize,
    /// Branches that may wait in each part of it.
    pub(super) waiting: u64,
    /// Bytes for what is found.
    pub(super) stored: u64,
    /// Whether there is room for parts that run at the same time.
    #[cfg_attr(not(feature = "rayon"), allow(dead_code))]
    pub(super) parallel: bool,
}

impl Room {
    /// Shares out so many bytes for `n` neurons.
    ///
    /// # Errors
    /// The least number of bytes, if these are too few.
    pub(super) fn new(n: usize, memory: u64) -> Result<Self, u64> {
        const LEAST: u64 = 8;
        let n = n as u64;
        let (weights, branch) = (8 * n * n, Branch::bytes(n));
        let least = weights + 2 * LEAST * branch;
        if memory < least {
            return Err(least);
        }
        // One half for branches, of them one half for those that the parts begin with; one half for what is found.
        let half = (memory - weights) / 2;
        let branches = half / branch;
        #[cfg(feature = "rayon")]
        let threads = rayon::current_num_threads() as u64;
        #[cfg(not(feature = "rayon"))]
        let threads = 1;
        let parallel = threads > 1 && branches / (2 * threads) >= LEAST;
        let threads = if parallel { threads } else { 1 };
        let front = branches / 2;
        Ok(Self {
            front: usize::try_from(front).unwrap_or(usize::MAX),
            waiting: front / threads,
            stored: half / threads,
            parallel,
        })
    }

    /// About how many bytes something found takes until the end, with what is said of it there.
    pub(super) fn bytes(found: &Found, n: usize) -> u64 {
        let states = match found {
            Found::Unresolved => return 64,
            Found::Point(_) => 6,
            Found::Flat(flat) => match &flat.shape {
                Shape::Line { .. } => 6,
                Shape::Polyhedron { vertices, rays, .. } => 4 + 2 * (vertices.len() + rays.len()),
            },
        };
        512 + 16 * (states * n) as u64
    }
}
