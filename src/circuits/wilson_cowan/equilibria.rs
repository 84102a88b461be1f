//! All equilibria of a Wilson-Cowan circuit. If both activations are piecewise linear, the supports are enumerated; other
//! circuits are searched exhaustively on one scalar equation.

use std::fmt;

use super::global::Proved;
use super::search::ScalarEquation;
use super::{OperatingPoint, Regime, WilsonCowan};
use crate::Scalar;
use crate::equilibrium::Continuum;
use crate::error::{Error, Result};

/// All equilibria of a circuit whose E rate lies in the searched interval, in order of growing E rate.
///
/// If the search is [complete](Self::is_complete), every equilibrium of the circuit is within [`resolution`](Self::resolution) of a listed
/// point or of a listed continuum; equilibria closer together than the resolution may be listed as one.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct Equilibria<A> {
    pub(super) points: Vec<OperatingPoint<A>>,
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::pairs"))]
    pub(super) continua: Vec<[A; 2]>,
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::pair"))]
    pub(super) searched: [A; 2],
    pub(super) resolution: A,
    pub(super) complete: bool,
    pub(super) proved: Proved,
}

impl<A: Scalar> WilsonCowan<A> {
    /// All equilibria. Searched are all E rates that can be an equilibrium: all rates if both activations are piecewise
    /// linear, the range of `phi_E` if it is bounded, and below the switch an interval that must hold the one equilibrium. Only for
    /// an unbounded, smooth `phi_E` above the switch does the search end, at a thousand times the scale of the inputs;
    /// [`Equilibria::searched`] tells, and [`equilibria_within`](Self::equilibria_within) searches elsewhere.
    ///
    /// # Errors
    /// An activation that returns a number that is not finite within the searched interval.
    pub fn equilibria(&self) -> Result<Equilibria<A>> {
        if self.excitatory().linear_pieces().is_some() && self.inhibitory().linear_pieces().is_some() {
            return self.enumerate();
        }
        let problem = ScalarEquation::new(self);
        let domain = self.excitatory().domain();
        let (mut lower, mut upper) = (domain.lower, domain.upper);
        if !(lower.is_finite() && upper.is_finite()) {
            let start = A::zero().max(lower).min(upper);
            let reach = if problem.least_slope > A::zero() {
                let f = problem.at(start)?.f;
                A::of(2.0) * f.abs() / problem.least_slope + A::epsilon() + start.abs() * A::epsilon()
            } else {
                A::of(1e3) * problem.scale
            };
            lower = lower.max(start - reach);
            upper = upper.min(start + reach);
        }
        problem.search([lower, upper])
    }

    /// All equilibria whose E rate lies between `lower` and `upper`.
    ///
    /// # Errors
    /// Limits that are not finite or in the wrong order, or an activation that returns a number that is not finite between them.
    pub fn equilibria_within(&self, lower: A, upper: A) -> Result<Equilibria<A>> {
        super::finite("lower", lower)?;
        super::finite("upper", upper)?;
        if lower > upper {
            return Err(Error::invalid("upper", upper, format!("numbers from `lower` = {lower} on")));
        }
        ScalarEquation::new(self).search([lower, upper])
    }

    /// The rate of I that balances its own equation when E fires at `x_e`: the I nullcline as a function of the E rate.
    ///
    /// # Errors
    /// A rate that is not finite, or an I activation that returns a number that is not finite.
    pub fn inhibitory_rate(&self, x_e: A) -> Result<A> {
        super::finite("x_e", x_e)?;
        ScalarEquation::new(self).g(x_e)
    }
}

impl<A: Scalar> WilsonCowan<A> {
    /// Goes through the pieces of both activations.
    fn enumerate(&self) -> Result<Equilibria<A>> {
        let tolerance = 1e3 * A::epsilon().to_double();
        let all = self.network().all_equilibria().find()?;
        let mut rates: Vec<[A; 2]> = all.equilibria.iter().map(|e| [e.state[0], e.state[1]]).collect();
        let mut continua = Vec::new();
        for continuum in &all.continua {
            if let Continuum::Line { base, direction, lower, upper, .. } = continuum {
                // An endless line that is parallel to an axis stays at its rate.
                let along =
                    |i: usize, t: A| if direction[i] == A::zero() { base[i] } else { base[i] + t * direction[i] };
                let ends = [*lower, *upper].map(|t| [along(0, t), along(1, t)]);
                rates.extend(ends.iter().filter(|x| x.iter().all(|v| v.is_finite())));
                continua.push([ends[0][0].min(ends[1][0]), ends[0][0].max(ends[1][0])]);
            }
        }
        rates.sort_by(|p, q| p.partial_cmp(q).expect("rates are numbers"));
        let near = |p: A, q: A| (p - q).abs() <= A::of(tolerance) * (p.abs() + q.abs());
        rates.dedup_by(|p, q| near(p[0], q[0]) && near(p[1], q[1]));
        let domain = self.excitatory().domain();
        let proved = self.proved();
        let points: Vec<_> = rates.into_iter().map(|x| self.operating_point(x)).collect();
        let decided = all.complete && all.continua.iter().all(|c| matches!(c, Continuum::Line { .. }));
        Ok(Equilibria {
            complete: decided || (proved.one_equilibrium && points.len() == 1),
            points,
            continua: merged(continua),
            searched: [domain.lower, domain.upper],
            resolution: A::of(tolerance),
            proved,
        })
    }
}

impl<A: Scalar> Equilibria<A> {
    /// The equilibria, in order of growing E rate.
    pub fn points(&self) -> &[OperatingPoint<A>] {
        &self.points
    }

    /// Intervals of E rates all of which are equilibria (degenerate circuits only); their ends are among the points.
    pub fn continua(&self) -> &[[A; 2]] {
        &self.continua
    }

    /// The interval of E rates that was searched.
    pub fn searched(&self) -> [A; 2] {
        self.searched
    }

    /// How far apart two equilibria must be to be told apart; for piecewise-linear activations relative to their rates.
    pub fn resolution(&self) -> A {
        self.resolution
    }

    /// The equilibria whose linearisation is stable.
    pub fn stable(&self) -> impl Iterator<Item = &OperatingPoint<A>> {
        self.points.iter().filter(|p| p.is_stable())
    }

    /// Whether no equilibrium of the circuit can have been missed: all E rates were searched, and everywhere it was decided whether
    /// there is one. Not so if the searched interval ends where there may be more, if the function of which equilibria are the
    /// roots comes so close to 0 without a sign change that rounding or the resolution hides whether it gets there, or if the
    /// [enumeration](crate::equilibrium::EquilibriumSet::complete) of a piecewise-linear circuit leaves a support undecided.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether it is proved that the circuit has no cycle, as [`WilsonCowan::excludes_cycles`] tells.
    pub fn excludes_cycles(&self) -> bool {
        self.proved.no_cycles
    }

    /// The regime of the circuit as a whole.
    ///
    /// [`Regime::Monostable`] iff one globally attracting equilibrium is proved ([`WilsonCowan::is_globally_stable`]), as it is below
    /// the switch. Else two or more stable equilibria make it [`Regime::Bistable`], and a search that is not
    /// [complete](Self::is_complete) and found fewer makes it [`Regime::Undecided`]. A single stable equilibrium gives its own
    /// regime, [`Regime::LocallyStable`] or [`Regime::InhibitionStabilised`]; a cycle may exist beside it unless
    /// [`excludes_cycles`](Self::excludes_cycles). None, with an unstable equilibrium that is no saddle, makes it
    /// [`Regime::Oscillatory`]. A continuum, or a critical equilibrium beside fewer than two stable ones, makes it
    /// [`Regime::Critical`]. `None` if there is no equilibrium, or nothing but saddles: rates grow without bound.
    pub fn regime(&self) -> Option<Regime> {
        if self.proved.global {
            return Some(Regime::Monostable);
        }
        let has = |regime| self.points.iter().any(|p| p.regime() == regime);
        let stable: Vec<_> = self.stable().collect();
        if !self.continua.is_empty() {
            Some(Regime::Critical)
        } else if stable.len() >= 2 {
            Some(Regime::Bistable)
        } else if !self.complete {
            Some(Regime::Undecided)
        } else if has(Regime::Critical) {
            Some(Regime::Critical)
        } else if let [one] = stable[..] {
            Some(one.regime())
        } else {
            has(Regime::Oscillatory).then_some(Regime::Oscillatory)
        }
    }
}

/// Unions of intervals that overlap: a drive at a kink belongs to two pieces, and the same line is found twice.
fn merged<A: Scalar>(mut intervals: Vec<[A; 2]>) -> Vec<[A; 2]> {
    intervals.sort_by(|p, q| p.partial_cmp(q).expect("rates are numbers"));
    intervals.dedup_by(|next, last| {
        let overlaps = next[0] <= last[1];
        if overlaps {
            last[1] = last[1].max(next[1]);
        }
        overlaps
    });
    intervals
}

impl<A: Scalar> fmt::Display for Equilibria<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.complete { "" } else { "; there may be more" };
        let [lower, upper] = self.searched;
        writeln!(f, "{} equilibria with E rates in [{lower}, {upper}]{more}", self.points.len())?;
        for point in &self.points {
            writeln!(f, "  {point}")?;
        }
        Ok(())
    }
}
