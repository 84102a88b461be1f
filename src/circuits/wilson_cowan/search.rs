//! All roots of the scalar equation that the equilibria of a Wilson-Cowan circuit solve.
//!
//! `w_II >= 0` makes the I nullcline the graph of a nondecreasing function `x_I = g(x_E)`. What is left is
//! `F(x) = x - phi_E(h(x)) = 0`, `h(x) = w_EE x - w_EI g(x) + u_E`. On an interval `[a, b]` the monotone parts bound `h`, and with it `F`,
//! from both sides: `a - phi_E(w_EE b - w_EI g(a) + u_E) <= F <= b - phi_E(w_EE a - w_EI g(b) + u_E)`; where the slopes are bounded,
//! `1 - rho_E max(0, w_EE - w_EI G) <= F' <= 1 + rho_E max(0, w_EI H - w_EE)`, `G = mu_I w_IE/(1 + mu_I w_II)` and
//! `H = rho_I w_IE/(1 + rho_I w_II)`, bounds it again. An interval goes only when a bound excludes a root, rounding included; the rest
//! are halved until they are as short as the resolution.

use super::WilsonCowan;
use super::equilibria::Equilibria;
use crate::Scalar;
use crate::activation::ActivationCost;
use crate::error::{Error, Result};
use crate::game::root;

/// The intervals that the search begins with, and the number at which it stops to halve them.
const FIRST: usize = 64;
const MOST: usize = 8192;

/// `F(x) = 0`, with bounds on `F'`.
pub(super) struct ScalarEquation<'a, A: Scalar> {
    circuit: &'a WilsonCowan<A>,
    /// `1 - rho_E max(0, w_EE - w_EI G) <= F'`; minus infinity if the slopes are unbounded.
    pub(super) least_slope: A,
    /// `F' <= 1 + rho_E max(0, w_EI H - w_EE)`.
    largest_slope: A,
    /// `H`, above which the slope of `g` does not rise.
    steepest_answer: A,
    /// A rate of the size that the inputs give.
    pub(super) scale: A,
}

/// The functions at one E rate.
#[derive(Clone, Copy)]
pub(super) struct Node<A> {
    x: A,
    g: A,
    pub(super) f: A,
    /// `|F| <= noise` may be rounding.
    noise: A,
}

impl<'a, A: Scalar> ScalarEquation<'a, A> {
    pub(super) fn new(circuit: &'a WilsonCowan<A>) -> Self {
        let p = &circuit.parts;
        let one = A::one();
        // Bounds that were only sampled prove nothing.
        let [rho_e, rho_i] = [&p.phi_e, &p.phi_i].map(|phi| {
            let range = phi.slope_range();
            if range.exact { range.max } else { A::infinity() }
        });
        let range = p.phi_i.slope_range();
        let mu_i = if range.exact { range.min.max(A::zero()) } else { A::zero() };
        let weakest_answer = mu_i * p.w_ie / (one + mu_i * p.w_ii);
        let times = |rho: A, w: A| if w == A::zero() { A::zero() } else { rho * w };
        let steepest_answer = if p.w_ie == A::zero() {
            A::zero()
        } else if rho_i.is_finite() {
            rho_i * p.w_ie / (one + rho_i * p.w_ii)
        } else {
            p.w_ie / p.w_ii
        };
        let scale = one + p.u_e.abs() + p.u_i.abs() + p.phi_e.activate(A::zero()).abs();
        Self {
            circuit,
            least_slope: one - times(rho_e, (p.w_ee - p.w_ei * weakest_answer).max(A::zero())),
            largest_slope: one + times(rho_e, (times(steepest_answer, p.w_ei) - p.w_ee).max(A::zero())),
            steepest_answer,
            scale,
        }
    }

    /// The I rate that balances its own equation: the root of the increasing function `s - phi_I(c - w_II s)`.
    pub(super) fn g(&self, x: A) -> Result<A> {
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

    pub(super) fn at(&self, x: A) -> Result<Node<A>> {
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

    pub(super) fn search(&self, [lower, upper]: [A; 2]) -> Result<Equilibria<A>> {
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
        let mut decided = live.len() <= MOST;
        let mut resolution = live.iter().map(|(a, b)| b.x - a.x).fold(resolution, A::max);

        let mut roots = Vec::new();
        let mut continua: Vec<[A; 2]> = Vec::new();
        for nodes in clusters(&live) {
            let listed = roots.len();
            self.roots_of_cluster(&nodes, &mut roots, &mut continua)?;
            let here = &roots[listed..];
            decided &= !here.is_empty();
            // What no bound excluded between the roots of a cluster may hold others: they are told apart from these no further.
            for node in &nodes {
                let within = continua.iter().any(|[first, last]| *first <= node.x && node.x <= *last);
                if !within && !here.is_empty() {
                    let nearest = here.iter().map(|root: &A| (*root - node.x).abs()).fold(A::infinity(), A::min);
                    resolution = resolution.max(nearest);
                }
            }
        }
        roots.sort_by(|p, q| p.partial_cmp(q).expect("roots are finite"));
        let near =
            |p: A, q: A| (p - q).abs() <= A::of(16.0) * A::epsilon() * (p.abs() + q.abs() + A::min_positive_value());
        roots.dedup_by(|p, q| near(*p, *q));
        let points =
            roots.into_iter().map(|x| Ok(self.circuit.operating_point([x, self.g(x)?]))).collect::<Result<Vec<_>>>()?;
        let proved = self.circuit.proved();
        let everywhere = decided && self.none_beyond([lower, upper])?;
        let complete = everywhere || (proved.one_equilibrium && points.len() == 1);
        Ok(Equilibria { points, continua, searched: [lower, upper], resolution, complete, proved })
    }

    /// Whether no E rate outside the interval can be an equilibrium.
    fn none_beyond(&self, [lower, upper]: [A; 2]) -> Result<bool> {
        let domain = self.circuit.excitatory().domain();
        Ok(lower <= domain.lower && (upper >= domain.upper || self.none_above(upper)?))
    }

    /// Whether `F` keeps its sign for all E rates above `x`.
    ///
    /// The slope of a `phi_I` that is convex from there on grows along its nullcline. So where inhibition outweighs self-excitation at `x` it does so
    /// from there on: the drive of E falls and `F` rises. Where on the other hand even the largest answer of I leaves enough
    /// self-excitation, the drive of E rises, with it the slope of such a `phi_E`, and `F` falls.
    fn none_above(&self, x: A) -> Result<bool> {
        let p = &self.circuit.parts;
        let convex_above = |phi: &dyn ActivationCost<A>, z: A| {
            let last = phi.linear_pieces().and_then(|pieces| pieces.last().copied());
            phi.steepest_input() == Some(A::infinity()) || last.is_some_and(|last| z > last.lower)
        };
        let small = A::one() + A::of(64.0) * A::epsilon();
        let node = self.at(x)?;
        if node.f > node.noise {
            let drive = p.w_ie * x - p.w_ii * node.g + p.u_i;
            let slope = p.phi_i.derivative(drive);
            let answer = slope * p.w_ie / (A::one() + slope * p.w_ii);
            return Ok(convex_above(&*p.phi_i, drive) && p.w_ei * answer >= p.w_ee * small);
        }
        let left = if p.w_ei == A::zero() { p.w_ee } else { p.w_ee - p.w_ei * self.steepest_answer };
        let drive = p.w_ee * x - p.w_ei * node.g + p.u_e;
        let slope = p.phi_e.derivative(drive);
        Ok(node.f < -node.noise && convex_above(&*p.phi_e, drive) && left > A::zero() && slope * left >= small)
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
