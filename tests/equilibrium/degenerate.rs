//! Enumeration where drives are at kinks and supports are singular, against exact arithmetic.

use std::collections::BTreeSet;

use ndarray::{Array1, Array2, array, s};
use neuronash::Error;
use neuronash::activation::{ClippedLinear, Identity, Relu};
use neuronash::equilibrium::{Continuum, EquilibriumSet, SearchLimit};
use neuronash::network::FiringRateNetwork;
use num_rational::Ratio;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::enumeration::exact;
use super::laws::{matrix, vector};
use super::{distance, relu};

type Q = Ratio<i128>;

enum Solution {
    None,
    One(Vec<Q>),
    Many,
}

/// Solves equations in `n` unknowns, each a row with its right-hand side last.
fn solve(mut rows: Vec<Vec<Q>>, n: usize) -> Solution {
    let zero = Q::from(0);
    let mut rank = 0;
    for j in 0..n {
        let Some(pivot) = (rank..rows.len()).find(|&i| rows[i][j] != zero) else { continue };
        rows.swap(rank, pivot);
        let pivot_row = rows[rank].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(i, row)| *i != rank && row[j] != zero) {
            let factor = row[j] / pivot_row[j];
            row.iter_mut().zip(&pivot_row).for_each(|(v, p)| *v -= factor * p);
        }
        rank += 1;
    }
    if rows[rank..].iter().any(|row| row[n] != zero) {
        Solution::None
    } else if rank < n {
        Solution::Many
    } else {
        Solution::One((0..n).map(|j| rows[j][n] / rows[j][j]).collect())
    }
}

/// The problem `x >= 0`, `v = x - W x - u >= 0`, complementary, in integers: the equilibria of a ReLU network.
struct Complementarity {
    w: Vec<Vec<Q>>,
    u: Vec<Q>,
}

/// A polyhedron of solutions: corners and directions.
#[derive(Debug, Clone, PartialEq)]
struct Polyhedron {
    vertices: BTreeSet<Vec<Q>>,
    rays: BTreeSet<Vec<Q>>,
}

/// All solutions; those that are isolated with the neurons that are at a kink.
struct Exact {
    isolated: Vec<(Vec<Q>, Vec<usize>)>,
    continua: Vec<Polyhedron>,
}

impl Complementarity {
    fn new(w: &Array2<f64>, u: &Array1<f64>) -> Self {
        let integer = |x: &f64| Q::from(*x as i128);
        Self {
            w: w.rows().into_iter().map(|row| row.iter().map(integer).collect()).collect(),
            u: u.iter().map(integer).collect(),
        }
    }

    /// `v_i = 0` as an equation, for the directions in which rates may go without the input.
    fn balance(&self, i: usize, with_input: bool) -> Vec<Q> {
        let entry = |(j, w): (usize, &Q)| Q::from(i128::from(i == j)) - w;
        let rhs = if with_input { self.u[i] } else { Q::from(0) };
        self.w[i].iter().enumerate().map(entry).chain([rhs]).collect()
    }

    fn slack(&self, i: usize, x: &[Q], with_input: bool) -> Q {
        let row = self.balance(i, with_input);
        row.iter().zip(x).map(|(a, x)| a * x).sum::<Q>() - row[x.len()]
    }

    fn is_feasible(&self, x: &[Q], with_input: bool) -> bool {
        let zero = Q::from(0);
        (0..x.len()).all(|i| {
            let slack = self.slack(i, x, with_input);
            x[i] >= zero && slack >= zero && (x[i] == zero || slack == zero)
        })
    }

    fn silent(&self, i: usize) -> Vec<Q> {
        (0..=self.u.len()).map(|j| Q::from(i128::from(i == j))).collect()
    }

    /// The corners of the polyhedra of all supports, or their extreme directions of sum 1: what is alone in making some of
    /// `x_i = 0` and `v_i = 0` true, at least one for each neuron.
    fn extremes(&self, with_input: bool) -> BTreeSet<Vec<Q>> {
        let n = self.u.len();
        let mut all = BTreeSet::new();
        for mut code in 0..3_usize.pow(n as u32) {
            let mut rows = Vec::new();
            for i in 0..n {
                let kind = code % 3;
                code /= 3;
                if kind != 1 {
                    rows.push(self.silent(i));
                }
                if kind != 0 {
                    rows.push(self.balance(i, with_input));
                }
            }
            if !with_input {
                rows.push(vec![Q::from(1); n + 1]);
            }
            if let Solution::One(x) = solve(rows, n) {
                all.extend(self.is_feasible(&x, with_input).then_some(x));
            }
        }
        all
    }

    fn equations(&self, mask: usize) -> Vec<Vec<Q>> {
        (0..self.u.len()).map(|i| if mask >> i & 1 == 1 { self.balance(i, true) } else { self.silent(i) }).collect()
    }

    fn solve(&self) -> Exact {
        let n = self.u.len();
        let mut points = BTreeSet::new();
        let mut is_regular = true;
        for mask in 0..1_usize << n {
            match solve(self.equations(mask), n) {
                Solution::None => {}
                Solution::Many => is_regular = false,
                Solution::One(x) if self.is_feasible(&x, true) => {
                    points.insert(x);
                }
                Solution::One(_) => {}
            }
        }
        let mut continua: Vec<Polyhedron> = Vec::new();
        if !is_regular {
            let (corners, directions) = (self.extremes(true), self.extremes(false));
            for mask in 0..1_usize << n {
                let belongs = |x: &Vec<Q>, with_input: bool| {
                    (0..n).all(|i| {
                        let slack = self.slack(i, x, with_input);
                        if mask >> i & 1 == 1 { slack == Q::from(0) } else { x[i] == Q::from(0) }
                    })
                };
                let vertices: BTreeSet<_> = corners.iter().filter(|x| belongs(x, true)).cloned().collect();
                let rays: BTreeSet<_> = directions.iter().filter(|x| belongs(x, false)).cloned().collect();
                if vertices.is_empty() || vertices.len() + rays.len() < 2 {
                    continue;
                }
                let new = Polyhedron { vertices, rays };
                if !continua.iter().any(|old| new.is_part_of(old)) {
                    continua.retain(|old| !old.is_part_of(&new));
                    continua.push(new);
                }
            }
            points.extend(corners);
        }
        points.retain(|x| !continua.iter().any(|c| c.vertices.contains(x)));
        let kinks =
            |x: &Vec<Q>| (0..n).filter(|&i| x[i] == Q::from(0) && self.slack(i, x, true) == Q::from(0)).collect();
        Exact { isolated: points.into_iter().map(|x| (x.clone(), kinks(&x))).collect(), continua }
    }
}

impl Polyhedron {
    fn is_part_of(&self, other: &Self) -> bool {
        self.vertices.is_subset(&other.vertices) && self.rays.is_subset(&other.rays)
    }

    fn dimension(&self) -> usize {
        let first = self.vertices.first().expect("a polyhedron has a corner");
        let n = first.len();
        let spans = self.vertices.iter().skip(1).map(|v| v.iter().zip(first).map(|(a, b)| a - b).collect());
        let mut rows: Vec<Vec<Q>> = spans.chain(self.rays.iter().cloned()).collect();
        (0..n)
            .filter(|&j| {
                let Some(pivot) = rows.iter().position(|row| row[j] != Q::from(0)) else { return false };
                let pivot = rows.swap_remove(pivot);
                for row in &mut rows {
                    let factor = row[j] / pivot[j];
                    row.iter_mut().zip(&pivot).for_each(|(v, p)| *v -= factor * p);
                }
                true
            })
            .count()
    }
}

fn double(x: &[Q]) -> Array1<f64> {
    x.iter().map(|x| *x.numer() as f64 / *x.denom() as f64).collect()
}

fn is_near(x: &Array1<f64>, y: &Array1<f64>) -> bool {
    x.iter().zip(y).all(|(x, y)| (x - y).abs() <= 1e-12 * y.abs())
}

fn agree(w: &Array2<f64>, u: &Array1<f64>) -> Exact {
    let found = relu(w, u).all_equilibria().find().unwrap();
    let expected = Complementarity::new(w, u).solve();
    assert!(found.complete && found.unresolved == 0, "{w} {u} {found}");
    assert_eq!(found.equilibria.len(), expected.isolated.len(), "{w} {u} {found} {:?}", expected.isolated);
    for (x, kinks) in &expected.isolated {
        let x = double(x);
        let e = found.equilibria.iter().find(|e| is_near(&e.state, &x)).unwrap_or_else(|| panic!("{w} {u} {x}"));
        assert_eq!(&e.at_kink, kinks, "{w} {u} {e}");
        assert!(kinks.iter().all(|&i| e.state[i] == 0.0 && e.drive[i] == 0.0));
    }
    assert_eq!(found.continua.len(), expected.continua.len(), "{w} {u} {:?} {:?}", found.continua, expected.continua);
    for polyhedron in &expected.continua {
        let is_this = |continuum: &Continuum<f64>| {
            let (vertices, rays) = match continuum {
                Continuum::Line { base, direction, lower, upper, .. } => {
                    let ends = [*lower, *upper].into_iter().filter(|t| *t != 0.0);
                    let (far, near): (Vec<f64>, Vec<f64>) = ends.partition(|t| t.is_infinite());
                    let mut vertices = vec![base.clone()];
                    vertices.extend(near.iter().map(|t| base + &(direction * *t)));
                    (vertices, far.iter().map(|t| direction * t.signum()).collect())
                }
                Continuum::Polyhedron { vertices, rays, .. } => (vertices.clone(), rays.clone()),
                _ => unreachable!(),
            };
            let has = |all: &[Array1<f64>], x: &[Q]| {
                let x = double(x);
                all.iter().any(|v| distance(v, &x) <= 1e-12 * x.iter().fold(1.0, |m: f64, x| m.max(*x)))
            };
            let unit: Vec<Array1<f64>> = rays.iter().map(|ray: &Array1<f64>| ray / ray.sum()).collect();
            continuum.dimension() == polyhedron.dimension()
                && vertices.len() == polyhedron.vertices.len()
                && polyhedron.vertices.iter().all(|x| has(&vertices, x))
                && rays.len() == polyhedron.rays.len()
                && polyhedron.rays.iter().all(|x| has(&unit, x))
        };
        assert!(found.continua.iter().any(is_this), "{w} {u} {:?} {polyhedron:?}", found.continua);
    }
    expected
}

/// Thousands of networks of small integers: kinks and singular supports of all dimensions come up in many of them.
#[test]
fn integer_networks_are_decided_exactly() {
    let (mut kinks, mut several, mut lines, mut higher) = (0, 0, 0, 0);
    for (n, size, count) in [(2, 2, 400), (3, 1, 500), (3, 3, 1500), (4, 2, 400), (4, 4, 400), (5, 3, 100), (6, 3, 30)]
    {
        for seed in 0..count {
            let mut rng = StdRng::seed_from_u64(1_000_000 * n as u64 + 10_000 * size as u64 + seed);
            let mut entry = || f64::from(rng.random_range(-size..=size));
            let w = Array2::from_shape_simple_fn((n, n), &mut entry);
            let exact = agree(&w, &Array1::from_shape_simple_fn(n, &mut entry));
            kinks += exact.isolated.iter().filter(|(_, kinks)| !kinks.is_empty()).count();
            several += usize::from(exact.isolated.len() > 1);
            lines += exact.continua.iter().filter(|c| c.dimension() == 1).count();
            higher += exact.continua.iter().filter(|c| c.dimension() > 1).count();
        }
    }
    assert!(kinks > 500 && several > 300 && lines > 200, "{kinks} {several} {lines}");
    // `W = I - a b'` and inputs along `a`.
    for (n, count) in [(3, 200), (4, 100), (5, 20)] {
        for seed in 0..count {
            let mut rng = StdRng::seed_from_u64(9_000_000 + 1000 * n as u64 + seed);
            let mut vector = || Array1::from_shape_simple_fn(n, || f64::from(rng.random_range(-1..=3)));
            let (a, b, at) = (vector(), vector(), vector()[0]);
            let w = Array2::from_shape_fn((n, n), |(i, j)| f64::from(u8::from(i == j)) - a[i] * b[j]);
            higher += agree(&w, &(&a * at)).continua.iter().filter(|c| c.dimension() > 1).count();
        }
    }
    assert!(higher > 100, "{higher}");
}

#[test]
fn an_equilibrium_at_a_kink_is_listed_once() {
    let w = array![[-1.0, 3.0, 3.0], [0.0, 2.0, 0.0], [-1.0, 3.0, -3.0]];
    let all = relu(&w, &array![1.0, 0.0, 1.0]).all_equilibria().find().unwrap();
    let there = all.equilibria.iter().filter(|e| distance(&e.state, &array![7.0 / 11.0, 0.0, 1.0 / 11.0]) < 1e-9);
    assert_eq!(
        there.map(|e| (e.state[1], e.drive[1], e.at_kink.as_slice())).collect::<Vec<_>>(),
        [(0.0, 0.0, &[1][..])]
    );
    agree(&w, &array![1.0, 0.0, 1.0]);
}

#[test]
fn a_singular_support_without_equilibria_is_seen_to_have_none() {
    // The drive of the last neuron is positive on the whole line of solutions of the others.
    let mut m = Array2::<f64>::zeros((5, 5));
    m.slice_mut(s![0, 1..]).fill(1.0);
    m.slice_mut(s![1..4, 0]).fill(5.0);
    m[[4, 0]] = 1.0;
    let all = relu(&(Array2::eye(5) - &m), &Array1::ones(5)).all_equilibria().find().unwrap();
    assert!(all.complete && all.continua.is_empty() && all.unresolved == 0, "{all}");
    assert_eq!(all.equilibria.iter().map(|e| e.state.to_vec()).collect::<Vec<_>>(), [[1.0, 0.0, 0.0, 0.0, 1.0]]);
}

#[test]
fn planes_of_equilibria_are_described() {
    // Two neurons that keep what they have, and one that is silent.
    let w = Array2::from_diag(&array![1.0, 1.0, 0.0]);
    let all = relu(&w, &array![0.0, 0.0, 0.0]).all_equilibria().find().unwrap();
    assert!(all.complete && all.equilibria.is_empty(), "{all}");
    let [Continuum::Polyhedron { dimension: 2, vertices, rays, .. }] = &all.continua[..] else { panic!("{all:?}") };
    assert_eq!((vertices.as_slice(), rays.len()), ([array![0.0, 0.0, 0.0]].as_slice(), 2));
    assert_eq!(all.continua[0].inner_state(), array![1.0, 1.0, 0.0]);
    // The same between limits, one of the two with a limit that its input reaches.
    let net = FiringRateNetwork::builder(&w)
        .population("small", 0..1, ClippedLinear::new(0.0, 0.5).unwrap())
        .population("others", 1..3, ClippedLinear::new(-0.25, 1.0).unwrap())
        .build()
        .unwrap();
    let all = net.all_equilibria().find().unwrap();
    let [Continuum::Polyhedron { dimension: 2, vertices, rays, .. }] = &all.continua[..] else { panic!("{all:?}") };
    let corners = [[0.0, -0.25], [0.0, 1.0], [0.5, -0.25], [0.5, 1.0]].map(|[a, b]| array![a, b, 0.0]);
    assert_eq!((vertices.as_slice(), rays.is_empty()), (corners.as_slice(), true));
    for continuum in [&all.continua[0], &net.to_hopfield().all_equilibria().find().unwrap().continua[0]] {
        assert_eq!(continuum.inner_state(), array![0.25, 0.375, 0.0]);
        assert_eq!((continuum.dimension(), continuum.support()), (2, [1, 1, 1].as_slice()));
    }
    // All of space.
    let net = FiringRateNetwork::<f64>::builder(Array2::eye(3)).activation(Identity).build().unwrap();
    let all = net.all_equilibria().find().unwrap();
    let [Continuum::Polyhedron { dimension: 3, vertices, rays, .. }] = &all.continua[..] else { panic!("{all:?}") };
    assert_eq!((vertices.len(), rays.len()), (1, 6));
    // Ten neurons that share one unit of activity: a simplex.
    let w = Array2::from_shape_fn((10, 10), |(i, j)| if i == j { 0.0 } else { -1.0 });
    let all = relu(&w, &Array1::ones(10)).all_equilibria().find().unwrap();
    let [Continuum::Polyhedron { dimension: 9, vertices, rays, .. }] = &all.continua[..] else { panic!("{all}") };
    assert!(all.complete && all.equilibria.is_empty() && vertices.len() == 10 && rays.is_empty());
}

#[test]
fn nearly_singular_supports_are_decided() {
    // Eigenvalue 1 of W to rounding but not exactly: 1 - 0.3 is not 0.7 for doubles.
    let w = array![[0.1 + 0.2, 0.7], [0.7, 0.3]];
    let all = relu(&w, &array![1.0, 1.0]).all_equilibria().find().unwrap();
    assert!(all.complete && all.continua.is_empty(), "{all:?}");
    let m = |i: usize| exact(1.0) - exact(w[[i, i]]);
    let determinant = m(0) * m(1) - exact(0.7) * exact(0.7);
    let is_positive = determinant > exact(0.0);
    assert_eq!(all.equilibria.len(), usize::from(is_positive), "{all}");
}

#[test]
fn what_exact_arithmetic_may_not_decide_is_counted() {
    let net = relu(&array![[0.0, -1.0], [-1.0, 0.0]], &array![1.0, 1.0]);
    assert!(net.all_equilibria().find().unwrap().complete);
    let some = net.all_equilibria().max_exact_supports(0).find().unwrap();
    assert!(!some.complete && some.unresolved == 3 && some.ended_by.is_none(), "{some:?}");
    assert!(some.to_string().ends_with("3 supports unresolved"), "{some}");
    // Equilibria beyond the numbers: 2^-53 x = 2^1000.
    let all = relu(&array![[1.0 - 2f64.powi(-53)]], &array![2f64.powi(1000)]).all_equilibria().find().unwrap();
    assert!(!all.complete && all.unresolved == 1, "{all:?}");
}

#[test]
fn memory_is_limited() {
    let n = 20;
    let w = Array2::from_shape_fn((n, n), |(i, j)| if i == j { 0.0 } else { -2.0 });
    let net = relu(&w, &Array1::ones(n));
    match net.all_equilibria().max_memory(100_000).find() {
        Err(Error::Invalid { argument, allowed, .. }) => {
            assert!(argument == "max_memory" && allowed.contains("for 20 neurons"), "{allowed}");
        }
        other => panic!("{other:?}"),
    }
    let few = || net.all_equilibria().max_equilibria(usize::MAX).max_memory(1 << 21).find().unwrap();
    let some = few();
    assert_eq!((some.complete, some.ended_by), (false, Some(SearchLimit::Memory)));
    assert!((20..1000).contains(&some.equilibria.len()), "{some}");
    assert!(some.to_string().contains("the limit on memory was reached"), "{some}");
    assert_eq!(some, few());
}

/// Without input, every support of a ReLU network has the state of rest, at all kinks.
#[test]
fn rest_without_input_is_one_equilibrium() {
    let w = Array2::from_shape_fn((12, 12), |(i, j)| if i == j { -5.0 } else { -0.7 - 0.1 * ((i * j) % 3) as f64 });
    let all = relu(&w, &Array1::zeros(12)).all_equilibria().max_exact_supports(0).find().unwrap();
    assert!(all.complete && all.equilibria.len() == 1, "{all}");
    assert_eq!(all.equilibria[0].at_kink, (0..12).collect::<Vec<_>>());
}

fn network(w: &Array2<f64>, u: &Array1<f64>, limits: Option<&[f64]>) -> FiringRateNetwork<f64> {
    let builder = FiringRateNetwork::builder(w).input(u);
    match limits {
        None => builder.activation(Relu),
        Some(limits) => limits.iter().enumerate().fold(builder, |builder, (i, &limit)| {
            builder.population(i.to_string(), i..i + 1, ClippedLinear::new(0.0, limit).unwrap())
        }),
    }
    .build()
    .unwrap()
}

/// Kinks and Nash of each equilibrium, the dimensions of the continua, and whether all is known.
type Flags = (Vec<(Vec<usize>, bool)>, Vec<usize>, bool, u64);

/// What may depend neither on units nor on the order of the neurons, for each equilibrium with its kinks in their new places.
fn flags(all: &EquilibriumSet<f64>, place: &[usize]) -> Flags {
    let moved = |kinks: &[usize]| -> Vec<usize> {
        let moved: BTreeSet<usize> = kinks.iter().map(|&i| place[i]).collect();
        moved.into_iter().collect()
    };
    let mut of_each: Vec<_> = all.equilibria.iter().map(|e| (moved(&e.at_kink), e.is_nash)).collect();
    of_each.sort();
    let mut dimensions: Vec<usize> = all.continua.iter().map(Continuum::dimension).collect();
    dimensions.sort();
    (of_each, dimensions, all.complete, all.unresolved)
}

fn units_and_order_do_not_matter(
    w: &Array2<f64>,
    u: &Array1<f64>,
    powers: &[i32],
    order: &[usize],
    bounded: bool,
) -> Result<(), TestCaseError> {
    let n = u.len();
    let unit: Vec<f64> = powers[..n].iter().map(|&k| 2f64.powi(k)).collect();
    let ones = vec![1.0; n];
    let here: Vec<usize> = (0..n).collect();
    let plain = network(w, u, bounded.then_some(&ones)).all_equilibria().find().unwrap();
    let scaled_w = Array2::from_shape_fn((n, n), |(i, j)| unit[i] * w[[i, j]] / unit[j]);
    let scaled_u = Array1::from_shape_fn(n, |i| unit[i] * u[i]);
    let scaled = network(&scaled_w, &scaled_u, bounded.then_some(&unit)).all_equilibria().find().unwrap();
    prop_assert_eq!(flags(&plain, &here), flags(&scaled, &here), "{} {}", plain, scaled);
    for (p, e) in plain.equilibria.iter().flat_map(|p| scaled.equilibria.iter().map(move |e| (p, e))) {
        if p.support == e.support {
            let same = (0..n).all(|i| (p.state[i] * unit[i] - e.state[i]).abs() <= 1e-12 * e.state[i].abs());
            prop_assert!(same, "{} {}", p, e);
        }
    }
    let place: Vec<usize> = (0..n).map(|i| order.iter().filter(|&&k| k < n).position(|&k| k == i).unwrap()).collect();
    let from = |k: usize| place.iter().position(|&p| p == k).unwrap();
    let moved_w = Array2::from_shape_fn((n, n), |(i, j)| w[[from(i), from(j)]]);
    let moved_u = Array1::from_shape_fn(n, |i| u[from(i)]);
    let moved = network(&moved_w, &moved_u, bounded.then_some(&ones)).all_equilibria().find().unwrap();
    prop_assert_eq!(flags(&plain, &place), flags(&moved, &here), "{} {}", plain, moved);
    Ok(())
}

const LARGEST: usize = 5;

fn units() -> impl Strategy<Value = Vec<i32>> {
    proptest::collection::vec(-40..=40, LARGEST)
}

fn order() -> impl Strategy<Value = Vec<usize>> {
    Just((0..LARGEST).collect::<Vec<_>>()).prop_shuffle()
}

fn integers(n: usize) -> impl Strategy<Value = (Array2<f64>, Array1<f64>)> {
    let entries = |count| proptest::collection::vec((-3..=3).prop_map(f64::from), count);
    (entries(n * n), entries(n)).prop_map(move |(w, u)| (Array2::from_shape_vec((n, n), w).unwrap(), Array1::from(u)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_depends_on_units_or_order(
        (w, u) in (1..=LARGEST).prop_flat_map(|n| (matrix(n, 1.5), vector(n, 1.5))),
        powers in units(), order in order(), bounded: bool
    ) {
        units_and_order_do_not_matter(&w, &u, &powers, &order, bounded)?;
    }

    #[test]
    fn nothing_depends_on_units_or_order_of_integer_networks(
        (w, u) in (1..=LARGEST).prop_flat_map(integers), powers in units(), order in order(), bounded: bool
    ) {
        units_and_order_do_not_matter(&w, &u, &powers, &order, bounded)?;
    }
}
