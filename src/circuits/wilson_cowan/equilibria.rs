//! All equilibria of a Wilson-Cowan circuit. If both activations are piecewise linear, the supports are enumerated; other
//! circuits are searched exhaustively on one scalar equation.
//!
//! `w_II >= 0` makes the I nullcline the graph of a nondecreasing function `x_I = g(x_E)`. What is left is
//! `F(x) = x - phi_E(h(x)) = 0`, `h(x) = w_EE x - w_EI g(x) + u_E`. On an interval `[a, b]` the monotone parts bound `h`, and with it `F`, from both sides:
//! `a - phi_E(w_EE b - w_EI g(a) + u_E) <= F <= b - phi_E(w_EE a - w_EI g(b) + u_E)`; where the slopes are bounded,
//! `1 - rho_E w_EE <= F' <= 1 + rho_E max(0, w_EI G - w_EE)`, `G = rho_I w_IE/(1 + rho_I w_II)`, bounds it again. An interval goes only
//! when a bound excludes a root, rounding included; the rest are halved until they are as short as the resolution.

use std::fmt;

use super::{OperatingPoint, Regime, WilsonCowan};
use crate::Scalar;
use crate::activation::ActivationCost;
use crate::equilibrium::Continuum;
use crate::error::{Error, Result};
use crate::game::root;

/// The intervals that the search begins with, and the number at which it stops to halve them.
const FIRST: usize = 64;
const MOST: usize = 8192;

/// All equilibria of a circuit whose E rate lies in the searched interval, in order of growing E rate.
///
/// Every equilibrium there is within `resolution` of a listed point or of a listed continuum; equilibria closer together than the
/// resolution may be listed as one.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct Equilibria<A> {
    points: Vec<OperatingPoint<A>>,
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::pairs"))]
    continua: Vec<[A; 2]>,
    #[cfg_attr(feature = "serde", serde(with = "crate::extended::pair"))]
    searched: [A; 2],
    resolution: A,
    proved_unique: bool,
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
        let all = self.network().all_equilibria().tolerance(tolerance).find()?;
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
        Ok(Equilibria {
            points: rates.into_iter().map(|x| self.operating_point(x)).collect(),
            continua: merged(continua),
            searched: [domain.lower, domain.upper],
            resolution: A::of(tolerance),
            proved_unique: ScalarEquation::new(self).least_slope > A::zero(),
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

    /// The regime of the circuit as a whole. Below the switch it is [`Regime::Monostable`]. Above it: two or more stable equilibria make it
    /// [`Regime::Bistable`]; a single one gives its own regime; none, with an unstable equilibrium that is no saddle,
    /// makes it [`Regime::Oscillatory`]. A continuum, or a critical equilibrium beside fewer than two stable ones, makes
    /// it [`Regime::Critical`]. `None` if there is no equilibrium, or nothing but saddles: rates grow without bound.
    pub fn regime(&self) -> Option<Regime> {
        if self.proved_unique {
            return Some(Regime::Monostable);
        }
        let has = |regime| self.points.iter().any(|p| p.regime() == regime);
        let stable: Vec<_> = self.stable().collect();
        if !self.continua.is_empty() {
            Some(Regime::Critical)
        } else if stable.len() >= 2 {
            Some(Regime::Bistable)
        } else if has(Regime::Critical) {
            Some(Regime::Critical)
        } else if let [one] = stable[..] {
            Some(one.regime())
        } else {
            has(Regime::Oscillatory).then_some(Regime::Oscillatory)
        }
    }
}

/// `F(x) = 0`, with bounds on `F'`.
struct ScalarEquation<'a, A: Scalar> {
    circuit: &'a WilsonCowan<A>,
    /// `1 - rho_E w_EE <= F'`; minus infinity if the slopes are unbounded.
    least_slope: A,
    /// `F' <= 1 + rho_E max(0, w_EI G - w_EE)`.
    largest_slope: A,
    /// A rate of the size that the inputs give.
    scale: A,
}

/// The functions at one E rate.
#[derive(Clone, Copy)]
struct Node<A> {
    x: A,
    g: A,
    f: A,
    /// `|F| <= noise` may be rounding.
    noise: A,
}

impl<'a, A: Scalar> ScalarEquation<'a, A> {
    fn new(circuit: &'a WilsonCowan<A>) -> Self {
        let p = &circuit.parts;
        let one = A::one();
        // Bounds that were only sampled prove nothing.
        let [rho_e, rho_i] = [&p.phi_e, &p.phi_i].map(|phi| {
            let range = phi.slope_range();
            if range.exact { range.max } else { A::infinity() }
        });
        let times = |rho: A, w: A| if w == A::zero() { A::zero() } else { rho * w };
        let response = if p.w_ie == A::zero() {
            A::zero()
        } else if rho_i.is_finite() {
            rho_i * p.w_ie / (one + rho_i * p.w_ii)
        } else {
            p.w_ie / p.w_ii
        };
        let scale = one + p.u_e.abs() + p.u_i.abs() + p.phi_e.activate(A::zero()).abs();
        Self {
            circuit,
            least_slope: one - times(rho_e, p.w_ee),
            largest_slope: one + times(rho_e, (times(response, p.w_ei) - p.w_ee).max(A::zero())),
            scale,
        }
    }

    /// The I rate that balances its own equation: the root of the increasing function `s - phi_I(c - w_II s)`.
    fn g(&self, x: A) -> Result<A> {
        let p = &self.circuit.parts;
        let phi = &*p.phi_i;
        let drive = p.w_ie * x + p.u_i;
        let free = value(phi, drive)?;
        if p.w_ii == A::zero() {
            return Ok(free);
        }
        let residual = |s: A| {
            let z = drive - p.w_ii * s;
            (s - phi.activate(z), A::one() + p.w_ii * phi.derivative(z))
        };
        let start = free / (A::one() + p.w_ii * phi.derivative(drive));
        let rate = root(residual, free.min(A::zero()), free.max(A::zero()), start, A::zero());
        // The search ends where the activation gives no number.
        value(phi, drive - p.w_ii * rate).map(|_| rate)
    }

    fn at(&self, x: A) -> Result<Node<A>> {
        let p = &self.circuit.parts;
        let phi = &*p.phi_e;
        let g = self.g(x)?;
        let h = p.w_ee * x - p.w_ei * g + p.u_e;
        let spread = self.drive_noise(x, g);
        let rate = value(phi, h)?;
        let noise = A::of(4.0) * A::epsilon() * (x.abs() + rate.abs())
            + (value(phi, h + spread)? - value(phi, h - spread)?).abs();
        Ok(Node { x, g, f: x - rate, noise })
    }

    /// A bound on the rounding error of `h`, that of `g` included.
    fn drive_noise(&self, x: A, g: A) -> A {
        let p = &self.circuit.parts;
        let inner = if p.w_ii > A::zero() {
            g.abs() + (p.w_ie * x.abs() + p.u_i.abs() + p.w_ii * g.abs()) / p.w_ii.max(A::one())
        } else {
            g.abs()
        };
        A::of(16.0) * A::epsilon() * (p.w_ee * x.abs() + p.w_ei * inner + p.u_e.abs())
    }

    /// Whether `F` has no root between two nodes.
    fn excludes(&self, a: &Node<A>, b: &Node<A>) -> Result<bool> {
        let zero = A::zero();
        if (a.f > a.noise) != (b.f > b.noise) || (a.f < -a.noise) != (b.f < -b.noise) {
            return Ok(false);
        }
        if a.f.abs() <= a.noise {
            return Ok(false);
        }
        let p = &self.circuit.parts;
        let slack = self.drive_noise(a.x.abs().max(b.x.abs()), a.g.abs().max(b.g.abs()));
        let rounding = |rate: A| A::of(8.0) * A::epsilon() * rate.abs();
        if a.f > zero {
            let rate = value(&*p.phi_e, p.w_ee * b.x - p.w_ei * a.g + p.u_e + slack)?;
            if a.x - rate - rounding(rate) - rounding(a.x) > zero {
                return Ok(true);
            }
        } else {
            let rate = value(&*p.phi_e, p.w_ee * a.x - p.w_ei * b.g + p.u_e - slack)?;
            if b.x - rate + rounding(rate) + rounding(b.x) < zero {
                return Ok(true);
            }
        }
        let (least, largest) = (self.least_slope, self.largest_slope);
        if !(least.is_finite() && largest.is_finite()) {
            return Ok(false);
        }
        let (width, steepness) = (b.x - a.x, largest - least);
        // The extreme value that lines of the extreme slopes through both ends allow in between.
        let (from_a, to_b) = if a.f > zero { (least, largest) } else { (largest, least) };
        if steepness <= zero {
            return Ok(true);
        }
        let t = (a.f - b.f + to_b * width) / (to_b - from_a);
        let extreme = if t <= zero {
            a.f
        } else if t >= width {
            b.f
        } else {
            a.f + from_a * t
        };
        Ok(extreme.abs() > a.noise + b.noise && (extreme > zero) == (a.f > zero))
    }

    fn search(&self, [lower, upper]: [A; 2]) -> Result<Equilibria<A>> {
        let fineness = A::epsilon().sqrt() * A::of(4.0);
        let span = upper - lower;
        let resolution = fineness * span.min(self.scale.max(lower.abs().min(upper.abs())));
        let mut live = Vec::with_capacity(FIRST);
        let mut left = self.at(lower)?;
        for i in 1..=FIRST {
            let x = if i == FIRST { upper } else { lower + span * A::of(i as f64 / FIRST as f64) };
            let right = self.at(x)?;
            if !self.excludes(&left, &right)? {
                live.push((left, right));
            }
            left = right;
        }
        while live.len() <= MOST && live.iter().any(|(a, b)| b.x - a.x > resolution) {
            let mut halves = Vec::with_capacity(live.len() + 8);
            let mut halved = false;
            for (a, b) in live {
                let x = a.x + (b.x - a.x) / A::of(2.0);
                if b.x - a.x <= resolution || x <= a.x || x >= b.x {
                    halves.push((a, b));
                    continue;
                }
                halved = true;
                let middle = self.at(x)?;
                for (a, b) in [(a, middle), (middle, b)] {
                    if !self.excludes(&a, &b)? {
                        halves.push((a, b));
                    }
                }
            }
            live = halves;
            if !halved || live.iter().all(|(a, b)| b.x - a.x <= A::of(4.0) * A::epsilon() * (a.x.abs() + b.x.abs())) {
                break;
            }
        }
        let resolution = live.iter().map(|(a, b)| b.x - a.x).fold(resolution, A::max);

        let mut roots = Vec::new();
        let mut continua = Vec::new();
        for nodes in clusters(&live) {
            self.roots_of_cluster(&nodes, &mut roots, &mut continua)?;
        }
        roots.sort_by(|p, q| p.partial_cmp(q).expect("roots are finite"));
        let near =
            |p: A, q: A| (p - q).abs() <= A::of(16.0) * A::epsilon() * (p.abs() + q.abs() + A::min_positive_value());
        roots.dedup_by(|p, q| near(*p, *q));
        let points =
            roots.into_iter().map(|x| Ok(self.circuit.operating_point([x, self.g(x)?]))).collect::<Result<Vec<_>>>()?;
        Ok(Equilibria {
            points,
            continua,
            searched: [lower, upper],
            resolution,
            proved_unique: self.least_slope > A::zero(),
        })
    }

    /// Roots between the nodes of one run of short intervals that no bound excluded.
    fn roots_of_cluster(&self, nodes: &[Node<A>], roots: &mut Vec<A>, continua: &mut Vec<[A; 2]>) -> Result<()> {
        let flat = |n: &Node<A>| n.f.abs() <= n.noise;
        let mut i = 0;
        while i < nodes.len() {
            if flat(&nodes[i]) {
                let first = i;
                while i + 1 < nodes.len() && flat(&nodes[i + 1]) {
                    i += 1;
                }
                // Neighbouring nodes a resolution apart that all vanish to rounding: a piece of curve, unless the
                // function merely touches zero there.
                if i > first + 8 {
                    continua.push([nodes[first].x, nodes[i].x]);
                    roots.extend([nodes[first].x, nodes[i].x]);
                } else {
                    let best =
                        nodes[first..=i].iter().min_by(|p, q| p.f.abs().partial_cmp(&q.f.abs()).expect("finite"));
                    roots.extend(best.map(|n| n.x));
                }
            } else if i + 1 < nodes.len() && !flat(&nodes[i + 1]) {
                let (a, b) = (&nodes[i], &nodes[i + 1]);
                if (a.f > A::zero()) != (b.f > A::zero()) {
                    roots.push(self.bisect(*a, *b)?);
                } else {
                    let falls_into = i == 0 || nodes[i - 1].f.abs() >= a.f.abs() || nodes[i].f.abs() >= b.f.abs();
                    let rises_out = i + 2 >= nodes.len() || nodes[i + 2].f.abs() >= b.f.abs();
                    if falls_into && rises_out {
                        self.touch(*a, *b, roots)?;
                    }
                }
            }
            i += 1;
        }
        Ok(())
    }

    /// The root between two nodes of opposite sign, to rounding.
    fn bisect(&self, mut a: Node<A>, mut b: Node<A>) -> Result<A> {
        loop {
            let x = a.x + (b.x - a.x) / A::of(2.0);
            if x <= a.x || x >= b.x {
                return Ok(if a.f.abs() < b.f.abs() { a.x } else { b.x });
            }
            let middle = self.at(x)?;
            if middle.f == A::zero() {
                return Ok(x);
            }
            if (middle.f > A::zero()) == (a.f > A::zero()) { a = middle } else { b = middle }
        }
    }

    /// Looks for a double root, or two close ones, between two nodes of the same sign: a golden-section search for the
    /// smallest `|F|`.
    fn touch(&self, a: Node<A>, b: Node<A>, roots: &mut Vec<A>) -> Result<()> {
        let golden = A::of(0.618_033_988_749_894_9);
        let (mut low, mut high) = (a, b);
        let mut inner = self.at(high.x - golden * (high.x - low.x))?;
        let mut outer = self.at(low.x + golden * (high.x - low.x))?;
        for _ in 0..60 {
            for n in [inner, outer] {
                if n.f.abs() <= n.noise {
                    roots.push(n.x);
                    return Ok(());
                }
                if (n.f > A::zero()) != (a.f > A::zero()) {
                    roots.push(self.bisect(a, n)?);
                    roots.push(self.bisect(n, b)?);
                    return Ok(());
                }
            }
            if inner.f.abs() < outer.f.abs() {
                high = outer;
                outer = inner;
                inner = self.at(high.x - golden * (high.x - low.x))?;
            } else {
                low = inner;
                inner = outer;
                outer = self.at(low.x + golden * (high.x - low.x))?;
            }
            if !(low.x < inner.x && inner.x < outer.x && outer.x < high.x) {
                break;
            }
        }
        Ok(())
    }
}

/// Runs of intervals that share ends, as lists of nodes.
fn clusters<A: Scalar>(live: &[(Node<A>, Node<A>)]) -> Vec<Vec<Node<A>>> {
    let mut clusters: Vec<Vec<Node<A>>> = Vec::new();
    for &(a, b) in live {
        match clusters.last_mut() {
            Some(run) if run.last().is_some_and(|n| n.x == a.x) => run.push(b),
            _ => clusters.push(vec![a, b]),
        }
    }
    clusters
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

fn value<A: Scalar>(phi: &dyn ActivationCost<A>, z: A) -> Result<A> {
    let x = phi.activate(z);
    if x.is_finite() {
        Ok(x)
    } else {
        Err(Error::NonFinite {
            argument: format!("activation {} at {z}", phi.name()),
            index: Vec::new(),
            value: x.to_double(),
        })
    }
}

impl<A: Scalar> fmt::Display for Equilibria<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} equilibria with E rates in [{}, {}]", self.points.len(), self.searched[0], self.searched[1])?;
        for point in &self.points {
            writeln!(f, "  {point}")?;
        }
        Ok(())
    }
}
