//! The search through supports.

use std::sync::atomic::{AtomicU64, Ordering};

use super::SearchLimit;
use super::branch::Branch;
use super::gather::{Seen, Solutions};
use super::problem::Problem;
use super::room::Room;
use super::support::{Found, is_uncontested};

/// How much the search may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) solutions: usize,
    pub(super) branches: u64,
    /// Supports that may be decided in exact arithmetic.
    pub(super) exact: u64,
    pub(super) room: Room,
}

/// What came of the search.
#[derive(Default)]
pub(super) struct Harvest {
    pub(super) solutions: Solutions,
    pub(super) ended_by: Option<SearchLimit>,
    pub(super) unresolved: u64,
    pub(super) branches: u64,
    exact: u64,
    bytes: u64,
}

/// After so many choices, branches are searched in parallel.
const SPLIT_DEPTH: usize = 5;

/// What a part of the search has done, for the parts after it to see.
#[derive(Debug, Default)]
struct Tally {
    work: AtomicWork,
    /// Solutions that no other support shares.
    uncontested: AtomicU64,
}

#[derive(Debug, Default)]
struct AtomicWork {
    branches: AtomicU64,
    exact: AtomicU64,
    bytes: AtomicU64,
}

/// What the limits count, of one part.
#[derive(Debug, Default, Clone, Copy)]
struct Work {
    branches: u64,
    /// Supports that needed exact arithmetic, whether or not they were still given it.
    exact: u64,
    /// About what the solutions found take.
    bytes: u64,
}

/// A solution, and what had been done in its part when it was found.
struct Record {
    found: Found,
    work: Work,
    /// Whether exact arithmetic was needed.
    exactly: bool,
}

/// A part of the search. Parts have an order, and the result is that of going through them one after the other, so that it does
/// not depend on which of them runs first: a part gives up only when those before it and itself reach a limit.
struct Part<'a> {
    problem: &'a Problem,
    limits: Limits,
    tallies: &'a [Tally],
    index: usize,
    work: Work,
    uncontested: u64,
    gave_up: bool,
    /// Branches that wait for others of this part, and how many may.
    waiting: u64,
    most_waiting: u64,
    seen: Seen,
    found: Vec<Record>,
}

/// What is left of a part when it is done.
struct Yield {
    work: Work,
    /// Whether it ended for want of memory for its branches.
    ran_full: bool,
    found: Vec<Record>,
}

pub(super) fn run(problem: &Problem, limits: Limits) -> Harvest {
    let alone = [Tally::default()];
    let mut first = Part::new(problem, limits, &alone, 0);
    let mut front = vec![Branch::root(problem)];
    for _ in 0..SPLIT_DEPTH {
        let most = front.len() * problem.pieces.iter().map(Vec::len).max().unwrap_or(1);
        if most > limits.room.front {
            break;
        }
        let mut next = Vec::new();
        for branch in front {
            next.extend(first.children(branch));
        }
        front = next;
    }
    let begun = first.finish();
    let tallies: Vec<Tally> = (0..=front.len()).map(|_| Tally::default()).collect();
    tallies[0].publish(begun.work, begun.found.iter().filter(|record| record.found.is_uncontested()).count() as u64);
    let search = |(k, branch): (usize, Branch)| {
        let mut part = Part::new(problem, limits, &tallies, k + 1);
        part.descend(branch);
        part.finish()
    };
    let front: Vec<(usize, Branch)> = front.into_iter().enumerate().collect();
    #[cfg(feature = "rayon")]
    let parts: Vec<Yield> = if limits.room.parallel {
        use rayon::prelude::*;
        front.into_par_iter().with_max_len(1).map(search).collect()
    } else {
        front.into_iter().map(search).collect()
    };
    #[cfg(not(feature = "rayon"))]
    let parts: Vec<Yield> = front.into_iter().map(search).collect();
    join(std::iter::once(begun).chain(parts), limits)
}

/// Goes through the parts in order, up to where a limit is reached.
fn join(parts: impl Iterator<Item = Yield>, limits: Limits) -> Harvest {
    let mut harvest = Harvest::default();
    for part in parts {
        for Record { found, work, exactly } in part.found {
            if harvest.branches + work.branches > limits.branches {
                break;
            }
            if exactly && harvest.exact + work.exact > limits.exact {
                continue;
            }
            let ended_by = if harvest.bytes + work.bytes > limits.room.stored {
                Some(SearchLimit::Memory)
            } else {
                harvest.unresolved += u64::from(matches!(found, Found::Unresolved));
                (!harvest.solutions.add(found, limits.solutions)).then_some(SearchLimit::Equilibria)
            };
            if ended_by.is_some() {
                harvest.ended_by = ended_by;
                harvest.branches += work.branches;
                return harvest;
            }
        }
        harvest.branches += part.work.branches;
        if harvest.branches > limits.branches {
            harvest.branches = limits.branches;
            harvest.ended_by = Some(SearchLimit::Branches);
            return harvest;
        }
        let left = limits.exact.saturating_sub(harvest.exact);
        harvest.unresolved += part.work.exact.saturating_sub(left);
        harvest.exact += part.work.exact;
        harvest.bytes += part.work.bytes;
        if part.ran_full {
            harvest.ended_by = Some(SearchLimit::Memory);
            return harvest;
        }
    }
    harvest
}

impl Tally {
    fn publish(&self, work: Work, uncontested: u64) {
        self.work.branches.store(work.branches, Ordering::Relaxed);
        self.work.exact.store(work.exact, Ordering::Relaxed);
        self.work.bytes.store(work.bytes, Ordering::Relaxed);
        self.uncontested.store(uncontested, Ordering::Relaxed);
    }
}

impl Found {
    fn is_uncontested(&self) -> bool {
        match self {
            Found::Point(point) => is_uncontested(&point.cell),
            Found::Flat(flat) => is_uncontested(&flat.cell),
            Found::Unresolved => false,
        }
    }
}

impl<'a> Part<'a> {
    fn new(problem: &'a Problem, limits: Limits, tallies: &'a [Tally], index: usize) -> Self {
        Self {
            problem,
            limits,
            tallies,
            index,
            work: Work::default(),
            uncontested: 0,
            gave_up: false,
            waiting: 0,
            most_waiting: limits.room.waiting,
            seen: Seen::default(),
            found: Vec::new(),
        }
    }

    fn finish(self) -> Yield {
        Yield { work: self.work, ran_full: self.waiting > self.most_waiting, found: self.found }
    }

    fn descend(&mut self, mut branch: Branch) {
        while let Some((parent, i)) = self.advance(branch) {
            let (first, last) = parent.possible[i];
            self.waiting += 1;
            if self.waiting > self.most_waiting {
                // It stays so, which tells why the part ended.
                self.gave_up = true;
                return;
            }
            for p in first..last {
                self.descend(parent.clone().choose(self.problem, i, p));
                if self.gave_up {
                    return;
                }
            }
            self.waiting -= 1;
            // The last child needs no parent beside it.
            branch = parent.choose(self.problem, i, last);
        }
    }

    /// The branches that the next choice makes.
    fn children(&mut self, branch: Branch) -> Vec<Branch> {
        let Some((parent, i)) = self.advance(branch) else { return Vec::new() };
        let (first, last) = parent.possible[i];
        (first..=last).map(|p| parent.clone().choose(self.problem, i, p)).collect()
    }

    /// Bounds the branch and makes all choices that are none, up to a neuron that has several pieces left. `None` if there is
    /// none; then the branch has been dealt with.
    fn advance(&mut self, mut branch: Branch) -> Option<(Branch, usize)> {
        loop {
            if self.gave_up {
                return None;
            }
            self.work.branches += 1;
            self.watch_limits();
            if !branch.contract(self.problem) {
                return None;
            }
            let Some(i) = branch.next(self.problem) else {
                self.settle(&branch);
                return None;
            };
            let (first, last) = branch.possible[i];
            if first < last {
                return Some((branch, i));
            }
            branch = branch.choose(self.problem, i, first);
        }
    }

    /// Decides a branch with all pieces chosen: by the bounds on its drives where they are clear, otherwise exactly.
    fn settle(&mut self, branch: &Branch) {
        let support: Vec<usize> = branch.possible.iter().map(|p| p.0).collect();
        if let Some(drives) = branch.drives() {
            let mut cell = Vec::with_capacity(support.len());
            for ((&(z, error), &p), pieces) in drives.iter().zip(&support).zip(&self.problem.pieces) {
                let piece = pieces[p];
                if z + error < piece.lower || z - error > piece.upper {
                    return;
                }
                if z - error > piece.lower && z + error < piece.upper {
                    cell.push(2 * p + 1);
                } else if error == 0.0 && (z == piece.lower || z == piece.upper) {
                    cell.push(if z == piece.lower { 2 * p } else { 2 * p + 2 });
                } else {
                    break;
                }
            }
            let is_clear = cell.len() == support.len();
            if is_clear && let Some(point) = self.problem.locate(&support, cell, &drives) {
                self.keep(Found::Point(point), false);
                return;
            }
        }
        self.work.exact += 1;
        let is_allowed = self.sum(|work| &work.exact) + self.work.exact <= self.limits.exact;
        if is_allowed && let Some(found) = self.problem.decide(&support) {
            self.keep(found, true);
        }
    }

    fn keep(&mut self, found: Found, exactly: bool) {
        if !self.seen.is_new(&found) {
            return;
        }
        self.uncontested += u64::from(found.is_uncontested());
        self.work.bytes += Room::bytes(&found, self.problem.len());
        self.found.push(Record { found, work: self.work, exactly });
    }

    /// What the parts before this one have done so far.
    fn sum(&self, of: fn(&AtomicWork) -> &AtomicU64) -> u64 {
        self.tallies[..self.index].iter().map(|tally| of(&tally.work).load(Ordering::Relaxed)).sum()
    }

    fn watch_limits(&mut self) {
        const PERIOD: u64 = 64;
        if !self.work.branches.is_multiple_of(PERIOD) {
            return;
        }
        self.tallies[self.index].publish(self.work, self.uncontested);
        let before = &self.tallies[..self.index];
        let uncontested: u64 = before.iter().map(|tally| tally.uncontested.load(Ordering::Relaxed)).sum();
        self.gave_up = self.sum(|work| &work.branches) + self.work.branches > self.limits.branches
            || self.sum(|work| &work.bytes) + self.work.bytes > self.limits.room.stored
            || uncontested + self.uncontested > self.limits.solutions as u64;
    }
}
