//! All equilibria of small piecewise-linear networks.

use std::cell::RefCell;

use ndarray::{Array1, Array2, array};
use neuronash::Error;
use neuronash::activation::{ActivationCost, ClippedLinear, LinearPiece, Relu};
use neuronash::equilibrium::{Continuum, EquilibriumSet, SearchLimit};
use neuronash::network::FiringRateNetwork;
use num_rational::BigRational;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::laws::{matrix, stable_weights, vector};
use super::{distance, proof, random_vector, relu, tanh};

/// Solves `A x = b` by Gauss-Jordan with row pivoting; `None` if a pivot is tiny.
fn gauss(mut a: Array2<f64>, mut b: Array1<f64>) -> Option<Array1<f64>> {
    let n = b.len();
    for k in 0..n {
        let p = (k..n).max_by(|&i, &j| a[[i, k]].abs().total_cmp(&a[[j, k]].abs()))?;
        if a[[p, k]].abs() < 1e-12 {
            return None;
        }
        for j in 0..n {
            a.swap([k, j], [p, j]);
        }
        b.swap(k, p);
        for i in (0..n).filter(|&i| i != k) {
            let f = a[[i, k]] / a[[k, k]];
            for j in 0..n {
                let v = a[[k, j]];
                a[[i, j]] -= f * v;
            }
            b[i] -= f * b[k];
        }
    }
    Some(Array1::from_shape_fn(n, |i| b[i] / a[[i, i]]))
}

/// All solutions of `x >= 0`, `(I - W) x - u >= 0`, complementary, by trying every support.
fn exhaustive_lcp(w: &Array2<f64>, u: &Array1<f64>) -> Vec<Array1<f64>> {
    let n = u.len();
    let mut all = Vec::new();
    for mask in 0..1_usize << n {
        let active: Vec<usize> = (0..n).filter(|i| mask >> i & 1 == 1).collect();
        let a = Array2::from_shape_fn((active.len(), active.len()), |(i, j)| {
            f64::from(u8::from(i == j)) - w[[active[i], active[j]]]
        });
        let Some(part) = gauss(a, active.iter().map(|&i| u[i]).collect()) else { continue };
        let mut x = Array1::zeros(n);
        active.iter().zip(&part).for_each(|(&i, v)| x[i] = *v);
        let slack = &x - &w.dot(&x) - u;
        if x.iter().all(|v| *v >= 0.0) && (0..n).all(|i| mask >> i & 1 == 1 || slack[i] >= 0.0) {
            all.push(x);
        }
    }
    all
}

/// Theory 2.4, whatever the number of solutions.
#[test]
fn enumeration_agrees_with_exhaustive_complementarity() {
    let counts = RefCell::new([0; 8]);
    let networks = (1..=6_usize).prop_flat_map(|n| (matrix(n, 1.5), vector(n, 1.5)));
    let mut runner = TestRunner::new(ProptestConfig { cases: 400, ..ProptestConfig::with_source_file(file!()) });
    let law = |(w, mut u): (Array2<f64>, Array1<f64>)| {
        u += 0.5;
        let expected = exhaustive_lcp(&w, &u);
        let found = relu(&w, &u).all_equilibria().find().unwrap();
        prop_assert!(found.complete && found.continua.is_empty());
        prop_assert_eq!(found.equilibria.len(), expected.len());
        for x in &expected {
            let near = |e: &Array1<f64>| distance(e, x) < 1e-9 * x.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
            prop_assert!(found.equilibria.iter().any(|e| near(&e.state)));
        }
        counts.borrow_mut()[expected.len().min(7)] += 1;
        Ok(())
    };
    runner.run(&networks, law).unwrap();
    let counts = counts.into_inner();
    let several: usize = counts[2..].iter().sum();
    assert!(counts[0] > 50 && counts[1] > 100 && several > 15, "{counts:?}");
}

/// All principal minors, smallest first.
fn smallest_principal_minor(m: &Array2<f64>) -> f64 {
    fn det(m: &Array2<f64>, rows: &[usize], columns: &[usize]) -> f64 {
        let Some((&i, rest)) = rows.split_first() else { return 1.0 };
        columns
            .iter()
            .enumerate()
            .map(|(k, &j)| {
                let others: Vec<usize> = columns.iter().copied().filter(|&c| c != j).collect();
                (if k % 2 == 0 { 1.0 } else { -1.0 }) * m[[i, j]] * det(m, rest, &others)
            })
            .sum()
    }
    let n = m.nrows();
    (1..1_usize << n)
        .map(|mask| {
            let set: Vec<usize> = (0..n).filter(|i| mask >> i & 1 == 1).collect();
            det(m, &set, &set)
        })
        .fold(f64::INFINITY, f64::min)
}

/// Theory 2.4.
#[test]
fn equilibria_are_unique_for_all_inputs_iff_i_minus_w_is_a_p_matrix() {
    let (mut with, mut without) = (0, 0);
    for seed in 0..150 {
        let mut rng = StdRng::seed_from_u64(5000 + seed);
        let w = Array2::from_shape_simple_fn((3, 3), || rng.random_range(-1.6..1.3));
        let minor = smallest_principal_minor(&(Array2::eye(3) - &w));
        if minor.abs() < 0.2 {
            continue;
        }
        let unique = |rng: &mut StdRng| {
            let u = Array1::from_shape_simple_fn(3, || rng.random_range(-1.0..1.0));
            relu(&w, &u).all_equilibria().find().unwrap().equilibria.len() == 1
        };
        if minor > 0.0 {
            with += 1;
            assert!((0..60).all(|_| unique(&mut rng)));
        } else {
            without += 1;
            assert!((0..2000).any(|_| !unique(&mut rng)), "seed {seed}: {w}");
        }
    }
    assert!(with > 15 && without > 15, "{with} {without}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn certified_networks_have_exactly_one_equilibrium((w, u) in stable_weights(1..=10)) {
        let net = relu(&w, &u);
        let all = net.all_equilibria().find().unwrap();
        prop_assert_eq!(all.equilibria.len(), 1);
        prop_assert!(!all.equilibria[0].is_unstable());
        let eq = net.equilibrium().certificate(&proof(&net)).solve().unwrap();
        prop_assert!(distance(&eq.state(), &all.equilibria[0].state) <= 1e-9);
    }
}

#[test]
fn twenty_neurons_are_searched_with_pruning() {
    let mut rng = StdRng::seed_from_u64(97);
    let w = Array2::from_shape_fn((20, 20), |(i, j)| if i == j { 0.0 } else { -rng.random_range(0.5..1.5) });
    let net = relu(&w, &Array1::ones(20));
    let all = net.all_equilibria().find().unwrap();
    assert!(all.complete && all.branches < 1 << 20, "{all} {}", all.branches);
    assert!(all.equilibria.len() > 10);
    for e in &all.equilibria {
        assert!(net.residual(&e.state).unwrap().iter().all(|r| r.abs() < 1e-11));
    }
    let few = net.all_equilibria().max_equilibria(3).find().unwrap();
    assert!(!few.complete && few.equilibria.len() == 3);
    assert!(!net.all_equilibria().max_branches(10).find().unwrap().complete);
}

#[test]
fn continua_are_reported() {
    // x = relu(x): every x >= 0.
    let all = relu(&array![[1.0]], &array![0.0]).all_equilibria().find().unwrap();
    assert!(all.equilibria.is_empty());
    let [Continuum::Line { base, direction, lower, upper, .. }] = all.continua.as_slice() else { panic!("{all:?}") };
    assert!((base[0] + lower * direction[0]).abs() < 1e-9 && *upper == f64::INFINITY);
    // x1 + x2 = 1 on a segment, while the third neuron is on its own.
    let w = array![[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.5]];
    let all = relu(&w, &array![1.0, 1.0, 1.0]).all_equilibria().find().unwrap();
    assert!(all.equilibria.is_empty(), "{all}");
    let [Continuum::Line { base, direction, lower, upper, .. }] = all.continua.as_slice() else { panic!("{all:?}") };
    let mut ends = [base + &(direction * *lower), base + &(direction * *upper)];
    ends.sort_by(|p, q| p[0].total_cmp(&q[0]));
    assert!(distance(&ends[0], &array![0.0, 1.0, 2.0]) < 1e-7 && distance(&ends[1], &array![1.0, 0.0, 2.0]) < 1e-7);
    // No equilibrium at all: singular and inconsistent.
    let none = relu(&array![[1.0]], &array![1.0]).all_equilibria().find().unwrap();
    assert!(none.complete && none.equilibria.is_empty() && none.continua.is_empty());
}

#[test]
fn a_drive_at_a_kink_leaves_stability_undecided() {
    let all = relu(&array![[0.5]], &array![0.0]).all_equilibria().find().unwrap();
    assert_eq!(all.equilibria.len(), 1);
    assert_eq!(all.equilibria[0].at_kink, vec![0]);
    assert!(!all.equilibria[0].is_stable() && !all.equilibria[0].is_unstable());
}

#[test]
fn enumeration_refuses_what_it_cannot_do() {
    let net = tanh(&array![[0.5]], &array![1.0]);
    assert!(
        matches!(net.all_equilibria().find(), Err(Error::Invalid { argument, .. }) if argument.contains("neuron 0"))
    );
    let net = relu(&array![[0.5]], &array![1.0]);
    assert!(net.all_equilibria().max_equilibria(0).find().is_err());
    assert!(net.all_equilibria().max_branches(0).find().is_err());
}

#[test]
fn equilibria_with_convex_own_energies_are_nash_and_others_need_not_be() {
    // w_11 = 2: on the active side the own energy is concave, so the equilibrium there is the neuron's worst choice.
    let w = array![[2.0, -3.0], [3.0, -1.0]];
    let all = FiringRateNetwork::builder(&w)
        .activation(ClippedLinear::new(0.0, 1.0).unwrap())
        .input(&array![0.1, -0.5])
        .build()
        .unwrap()
        .all_equilibria()
        .find()
        .unwrap();
    assert!(!all.equilibria.is_empty());
    for e in &all.equilibria {
        let inside = e.support[0] == 1;
        assert!(!inside || !e.is_nash, "{e:?}");
    }
    for seed in 0..40 {
        let mut rng = StdRng::seed_from_u64(7000 + seed);
        let w = Array2::from_shape_fn((5, 5), |(i, j)| {
            if i == j { rng.random_range(-1.0..1.0) } else { rng.random_range(-2.0..2.0) }
        });
        let net = FiringRateNetwork::builder(&w)
            .activation(ClippedLinear::new(0.0, 1.0).unwrap())
            .input(&random_vector(5, 7100 + seed, 1.0))
            .build()
            .unwrap();
        let all = net.all_equilibria().find().unwrap();
        // A continuous map of a cube into itself has a fixed point (Brouwer).
        assert!(all.complete && !all.equilibria.is_empty());
        assert!(all.equilibria.iter().all(|e| e.is_nash));
        for e in &all.equilibria {
            assert!(net.residual(&e.state).unwrap().iter().all(|r| r.abs() < 1e-12));
        }
    }
}

fn clipped(w: &Array2<f64>, u: &Array1<f64>, limit: f64) -> FiringRateNetwork<f64> {
    let activation = ClippedLinear::new(0.0, limit).unwrap();
    FiringRateNetwork::builder(w).activation(activation).input(u).build().unwrap()
}

pub fn exact(x: f64) -> BigRational {
    BigRational::from_float(x).unwrap()
}

/// What one support of a ReLU network holds, in exact arithmetic.
enum Exact {
    Nothing,
    One(Vec<BigRational>),
    Many,
}

fn exact_support(w: &Array2<f64>, u: &Array1<f64>, mask: usize) -> Exact {
    let zero = exact(0.0);
    let active: Vec<usize> = (0..u.len()).filter(|i| mask >> i & 1 == 1).collect();
    let row = |&i: &usize| -> Vec<BigRational> {
        let entries = active.iter().map(|&j| exact(f64::from(u8::from(i == j))) - exact(w[[i, j]]));
        entries.chain([exact(u[i])]).collect()
    };
    let mut rows: Vec<Vec<BigRational>> = active.iter().map(row).collect();
    let m = active.len();
    let mut rank = 0;
    for j in 0..m {
        let Some(pivot) = (rank..m).find(|&i| rows[i][j] != zero) else { continue };
        rows.swap(rank, pivot);
        let pivot_row = rows[rank].clone();
        for i in (0..m).filter(|&i| i != rank) {
            let factor = rows[i][j].clone() / pivot_row[j].clone();
            rows[i].iter_mut().zip(&pivot_row).for_each(|(v, p)| *v -= factor.clone() * p);
        }
        rank += 1;
    }
    if rank < m {
        return if rows[rank..].iter().any(|row| row[m] != zero) { Exact::Nothing } else { Exact::Many };
    }
    let mut x = vec![zero.clone(); u.len()];
    for (k, &i) in active.iter().enumerate() {
        x[i] = rows[k][m].clone() / rows[k][k].clone();
    }
    let drive = |i: usize| (0..u.len()).fold(exact(u[i]), |sum, j| sum + exact(w[[i, j]]) * &x[j]);
    let fits = |i: usize| if mask >> i & 1 == 1 { x[i] >= zero } else { drive(i) <= zero };
    if (0..u.len()).all(fits) { Exact::One(x) } else { Exact::Nothing }
}

/// All equilibria of a ReLU network, each once; `None` if a support may have a continuum.
fn exact_equilibria(w: &Array2<f64>, u: &Array1<f64>) -> Option<Vec<Array1<f64>>> {
    let mut all: Vec<Vec<BigRational>> = Vec::new();
    for mask in 0..1_usize << u.len() {
        match exact_support(w, u, mask) {
            Exact::Nothing => {}
            Exact::Many => return None,
            Exact::One(x) if all.contains(&x) => {}
            Exact::One(x) => all.push(x),
        }
    }
    Some(all.iter().map(|x| x.iter().map(ratio).collect()).collect())
}

/// A ratio of any size as a double, to a few roundings.
fn ratio(x: &BigRational) -> f64 {
    let parts = [x.numer(), x.denom()].map(|part| {
        let bits = part.bits();
        let shift = bits.saturating_sub(60);
        ((part >> shift).to_string().parse::<f64>().unwrap(), shift as i32)
    });
    parts[0].0 / parts[1].0 * 2f64.powi(parts[0].1 - parts[1].1)
}

/// Halves, so that kinks and singular supports come up.
fn grid(n: usize, m: i32) -> impl Strategy<Value = (Array2<f64>, Array1<f64>)> {
    let half = move || (-m..=m).prop_map(|k| 0.5 * f64::from(k));
    let weights = proptest::collection::vec(half(), n * n);
    (weights, proptest::collection::vec(half(), n))
        .prop_map(move |(w, u)| (Array2::from_shape_vec((n, n), w).unwrap(), Array1::from(u)))
}

fn agree(found: &EquilibriumSet<f64>, expected: &[Array1<f64>], units: &[f64]) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.equilibria.len(), expected.len(), "{} {:?}", found, expected);
    for x in expected {
        let near = |y: &Array1<f64>| {
            let size = x.iter().zip(units).fold(0.0, |m: f64, (x, s)| m.max((x * s).abs()));
            x.iter().zip(y).zip(units).all(|((x, y), s)| (x * s - y).abs() <= 1e-12 * (x * s).abs() + 1e-280 * size)
        };
        prop_assert!(found.equilibria.iter().any(|e| near(&e.state)), "{} {}", found, x);
    }
    Ok(())
}

/// Also after every neuron's rate has been given a unit of its own: `x_i -> s_i x_i`, `w_ij -> s_i w_ij / s_j`, `u_i -> s_i u_i`.
#[test]
fn equilibria_are_those_of_exact_arithmetic_in_all_units() {
    let counts = RefCell::new([0; 8]);
    let networks = (1..=4_usize).prop_flat_map(|n| (grid(n, 4), proptest::collection::vec(-40..=40, n)));
    let mut runner = TestRunner::new(ProptestConfig { cases: 600, ..ProptestConfig::with_source_file(file!()) });
    let law = |((w, u), powers): ((Array2<f64>, Array1<f64>), Vec<i32>)| {
        let Some(expected) = exact_equilibria(&w, &u) else { return Ok(()) };
        let ones = vec![1.0; u.len()];
        let plain = relu(&w, &u).all_equilibria().find().unwrap();
        prop_assert!(plain.complete && plain.continua.is_empty(), "{}", plain);
        agree(&plain, &expected, &ones)?;
        let units: Vec<f64> = powers.iter().map(|&k| 2f64.powi(k)).collect();
        let scaled_w = Array2::from_shape_fn(w.dim(), |(i, j)| units[i] * w[[i, j]] / units[j]);
        let scaled_u = Array1::from_shape_fn(u.len(), |i| units[i] * u[i]);
        let scaled = relu(&scaled_w, &scaled_u).all_equilibria().find().unwrap();
        prop_assert!(scaled.complete && scaled.continua.is_empty(), "{}", scaled);
        agree(&scaled, &expected, &units)?;
        let nash = |all: &EquilibriumSet<f64>| all.equilibria.iter().filter(|e| e.is_nash).count();
        prop_assert_eq!(nash(&plain), nash(&scaled));
        counts.borrow_mut()[expected.len().min(7)] += 1;
        Ok(())
    };
    runner.run(&networks, law).unwrap();
    let counts = counts.into_inner();
    assert!(counts[0] > 30 && counts[1] > 100 && counts[2..].iter().sum::<usize>() > 15, "{counts:?}");
}

fn scaling_by_powers_of_two_is_exact(
    w: &Array2<f64>,
    u: &Array1<f64>,
    k: i32,
    bounded: bool,
) -> Result<(), TestCaseError> {
    let unit = 2f64.powi(k);
    let net = |s: f64| if bounded { clipped(w, &(u * s), s) } else { relu(w, &(u * s)) };
    let (plain, scaled) = (net(1.0).all_equilibria().find().unwrap(), net(unit).all_equilibria().find().unwrap());
    prop_assert_eq!(plain.equilibria.len(), scaled.equilibria.len(), "{} {}", plain, scaled);
    for (p, q) in plain.equilibria.iter().zip(&scaled.equilibria) {
        prop_assert_eq!(&p.state * unit, q.state.clone());
        prop_assert_eq!(&p.drive * unit, q.drive.clone());
        prop_assert_eq!((&p.support, &p.at_kink, p.is_nash), (&q.support, &q.at_kink, q.is_nash));
        prop_assert_eq!(&p.local, &q.local);
        prop_assert_eq!((p.is_stable(), p.is_unstable()), (q.is_stable(), q.is_unstable()));
    }
    prop_assert_eq!(plain.continua.len(), scaled.continua.len());
    for pair in plain.continua.iter().zip(&scaled.continua) {
        match pair {
            (
                Continuum::Line { base: b, direction: d, lower: l, upper: h, .. },
                Continuum::Line { base, direction, lower, upper, .. },
            ) => {
                prop_assert_eq!((b * unit, d, l * unit, h * unit), (base.clone(), direction, *lower, *upper));
            }
            (
                Continuum::Polyhedron { vertices: v, rays: r, dimension: d, .. },
                Continuum::Polyhedron { vertices, rays, dimension, .. },
            ) => {
                let v: Vec<Array1<f64>> = v.iter().map(|v| v * unit).collect();
                prop_assert_eq!((&v, r, d), (vertices, rays, dimension));
            }
            (p, q) => prop_assert!(false, "{:?} {:?}", p, q),
        }
    }
    prop_assert_eq!(plain.complete, scaled.complete);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn units_of_rate_do_not_matter((w, u) in (1..=4_usize).prop_flat_map(|n| grid(n, 4)), k in -60..60, bounded: bool) {
        scaling_by_powers_of_two_is_exact(&w, &u, k, bounded)?;
    }

    #[test]
    fn units_of_rate_do_not_matter_off_the_grid(
        (w, u) in (1..=5_usize).prop_flat_map(|n| (matrix(n, 1.5), vector(n, 1.5))), k in -60..60, bounded: bool
    ) {
        scaling_by_powers_of_two_is_exact(&w, &u, k, bounded)?;
    }

    #[test]
    fn nash_flags_are_those_of_the_game((w, u) in (1..=4_usize).prop_flat_map(|n| grid(n, 4)), bounded: bool) {
        // With a self-weight of 1 the own energy is flat to rounding, which the game takes at its word.
        prop_assume!(bounded || w.diag().iter().all(|w| *w != 1.0));
        let net = if bounded { clipped(&w, &u, 1.0) } else { relu(&w, &u) };
        for e in net.all_equilibria().find().unwrap().equilibria {
            let reach = e.state.iter().chain(&u).fold(1.0, |m: f64, v| m.max(v.abs()));
            prop_assert_eq!(e.is_nash, net.game().is_nash(&e.state, 1e-9 * reach * reach).unwrap().holds(), "{}", e);
        }
    }
}

#[test]
fn small_rates_are_rates() {
    for unit in [1.0, 1e-6, 300e-12, 1e9] {
        let pair = relu(&array![[0.0, -2.0], [-2.0, 0.0]], &array![unit, unit]).all_equilibria().find().unwrap();
        assert_eq!((pair.equilibria.len(), pair.stable().count()), (3, 2), "{unit}: {pair}");
        let switch = clipped(&array![[2.0]], &array![-0.1 * unit], unit).all_equilibria().find().unwrap();
        assert_eq!(switch.equilibria.len(), 3, "{unit}: {switch}");
        let nash: Vec<bool> = switch.equilibria.iter().map(|e| e.is_nash).collect();
        assert_eq!(nash, [false, false, true], "{unit}");
    }
}

#[test]
fn steep_weights_do_not_make_a_system_singular() {
    let all = relu(&array![[0.0, 0.0], [1e7, 0.0]], &array![1.0, 1.0]).all_equilibria().find().unwrap();
    assert!(all.complete && all.equilibria.len() == 1 && all.equilibria[0].state == array![1.0, 1e7 + 1.0], "{all:?}");
    let all = relu(&array![[0.0, -1e12], [1e12, 0.0]], &array![1.0, 1.0]).all_equilibria().find().unwrap();
    assert!(all.complete && all.continua.is_empty() && all.equilibria.len() == 1, "{all:?}");
    let state = &all.equilibria[0].state;
    assert!(state[0] < 1e-11 && (state[1] - 1.0).abs() < 1e-11, "{state}");
}

#[test]
fn singular_supports_without_solutions_hide_nothing() {
    let w = Array2::from_shape_fn((3, 3), |(i, j)| if i == j { 0.0 } else { -1.0 });
    let all = relu(&w, &array![1.0, 1.1, 1.3]).all_equilibria().find().unwrap();
    assert!(all.complete && all.equilibria.len() == 1, "{all:?}");
}

#[test]
fn ends_of_continua_are_states_of_the_network() {
    let nets = [
        relu(&array![[0.0, -1.0], [-1.0, 0.0]], &array![1.0, 1.0]),
        relu(&array![[0.0, -1.0], [-1.0, 0.0]], &array![0.1, 0.1]),
        relu(&array![[0.0, -0.5], [-2.0, 0.0]], &array![0.35, 0.7]),
        clipped(&array![[1.0]], &array![0.0], 0.3),
        clipped(&array![[0.0, 1.0], [1.0, 0.0]], &array![0.25, -0.25], 0.7),
    ];
    for net in nets {
        for form in [net.all_equilibria().find().unwrap(), net.to_hopfield().all_equilibria().find().unwrap()] {
            assert!(form.equilibria.is_empty() && form.continua.len() == 1, "{form:?}");
        }
        let domain = net.activation(0).unwrap().domain();
        let all = net.all_equilibria().find().unwrap();
        let Continuum::Line { base, direction, lower, upper, .. } = &all.continua[0] else { panic!("{all:?}") };
        for t in [*lower, *upper] {
            let x = base + &(direction * t);
            assert!(x.iter().all(|x| *x >= domain.lower && *x <= domain.upper), "{x}");
            assert!(net.residual(&x).unwrap().iter().all(|r| r.abs() < 1e-15), "{x}");
            // A true end: a little beyond, the state is none.
            let beyond = base + &(direction * (t + 1e-9 * (upper - lower) * (2.0 * t - lower - upper).signum()));
            assert!(net.residual(&beyond).unwrap().iter().any(|r| r.abs() > 1e-11), "{beyond}");
        }
        let all = net.to_hopfield().all_equilibria().find().unwrap();
        let Continuum::Line { base, direction, lower, upper, .. } = &all.continua[0] else { panic!("{all:?}") };
        for t in [*lower, 0.5 * (lower + upper), *upper] {
            let y = base + &(direction * t);
            assert!(net.to_hopfield().residual(&y).unwrap().iter().all(|r| r.abs() < 1e-15), "{y}");
        }
    }
}

#[test]
fn limits_end_the_search() {
    // Every set of winners but the empty one is an equilibrium.
    let n = 20;
    let w = Array2::from_shape_fn((n, n), |(i, j)| if i == j { 0.0 } else { -2.0 });
    let net = relu(&w, &Array1::ones(n));
    let some = net.all_equilibria().max_equilibria(500).find().unwrap();
    assert_eq!((some.equilibria.len(), some.complete, some.ended_by), (500, false, Some(SearchLimit::Equilibria)));
    assert!(some.branches < 10_000 && some.to_string().contains("the limit on equilibria was reached"), "{some}");
    assert_eq!(some, net.all_equilibria().max_equilibria(500).find().unwrap());
    let some = net.all_equilibria().max_branches(3000).find().unwrap();
    assert_eq!((some.branches, some.complete, some.ended_by), (3000, false, Some(SearchLimit::Branches)));
    assert_eq!(some, net.all_equilibria().max_branches(3000).find().unwrap());
    // Exactly as many as are allowed are all of them.
    let net = relu(&w.slice(ndarray::s![..6, ..6]).to_owned(), &Array1::ones(6));
    let all = net.all_equilibria().max_equilibria(63).find().unwrap();
    assert!(all.complete && all.equilibria.len() == 63);
    assert!(!net.all_equilibria().max_equilibria(62).find().unwrap().complete);
}

#[test]
fn a_single_equilibrium_is_called_one() {
    let all = relu(&array![[0.5]], &array![1.0]).all_equilibria().find().unwrap();
    assert!(all.to_string().starts_with("1 equilibrium (1 stable"), "{all}");
    let all = relu(&array![[1.0]], &array![0.0]).all_equilibria().find().unwrap();
    assert!(all.to_string().contains("0 equilibria") && all.to_string().contains("1 continuum,"), "{all}");
}

/// A ReLU that says of itself what it is told.
#[derive(Debug)]
struct Claims(Vec<LinearPiece<f64>>);

impl ActivationCost<f64> for Claims {
    fn name(&self) -> String {
        "claims".into()
    }
    fn activate(&self, z: f64) -> f64 {
        Relu.activate(z)
    }
    fn linear_pieces(&self) -> Option<Vec<LinearPiece<f64>>> {
        Some(self.0.clone())
    }
}

#[test]
fn pieces_are_checked() {
    let piece = |lower: f64, upper: f64, slope: f64| LinearPiece { lower, upper, slope, intercept: 0.0 };
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let find = |pieces: Vec<LinearPiece<f64>>| {
        let net =
            FiringRateNetwork::builder(array![[0.5]]).activation(Claims(pieces)).input(&array![1.0]).build().unwrap();
        net.all_equilibria().find().map(|all| all.equilibria.len())
    };
    assert_eq!(find(vec![piece(-inf, 0.0, 0.0), piece(0.0, inf, 1.0)]), Ok(1));
    assert_eq!(find(vec![piece(-inf, 0.0, 0.0), piece(0.0, 3.0, 1.0), piece(3.0, inf, 1.0)]), Ok(1));
    let shifted = LinearPiece { intercept: 1e-3, ..piece(0.0, inf, 1.0) };
    for (wrong, complaint) in [
        (vec![], "is empty"),
        (vec![piece(0.0, inf, 1.0)], "not at -inf"),
        (vec![piece(-inf, 0.0, 0.0)], "not at inf"),
        (vec![piece(-inf, 0.0, 0.0), piece(1.0, inf, 1.0)], "begin at 1"),
        (vec![piece(-inf, 1.0, 0.0), piece(0.0, inf, 1.0)], "begin at 0"),
        (vec![piece(0.0, inf, 1.0), piece(-inf, 0.0, 0.0)], "not at -inf"),
        (vec![piece(-inf, 0.0, 0.0), piece(0.0, 0.0, 1.0), piece(0.0, inf, 1.0)], "piece 1 from 0 to 0"),
        (vec![piece(-inf, nan, 0.0), piece(nan, inf, 1.0)], "NaN"),
        (vec![piece(-inf, 0.0, 0.0), piece(0.0, inf, nan)], "slope NaN"),
        (vec![piece(-inf, 0.0, 0.0), piece(0.0, inf, inf)], "slope inf"),
        (vec![piece(-inf, 0.0, -1.0), piece(0.0, inf, 1.0)], "slope -1"),
        (vec![piece(-inf, 0.0, 0.0), piece(0.0, inf, 2.0)], "where activate() gives"),
        (vec![piece(-inf, 0.0, 0.0), shifted], "where activate() gives"),
        (vec![piece(-inf, inf, 1.0)], "where activate() gives"),
    ] {
        let error = find(wrong.clone()).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }) && error.to_string().contains("claims"), "{error}");
        assert!(error.to_string().contains(complaint), "{wrong:?}: {error}");
    }
}

#[test]
fn both_forms_have_the_same_equilibria() {
    for seed in 0..20 {
        let mut rng = StdRng::seed_from_u64(8000 + seed);
        let w = Array2::from_shape_simple_fn((4, 4), || rng.random_range(-2.0..2.0));
        let net = FiringRateNetwork::builder(&w)
            .activation(ClippedLinear::new(-0.5, 1.0).unwrap())
            .time_constants(&array![1.0, 2.0, 0.5, 3.0])
            .input(&random_vector(4, 8100 + seed, 1.0))
            .build()
            .unwrap();
        let hopfield = net.to_hopfield();
        let (rates, potentials) = (net.all_equilibria().find().unwrap(), hopfield.all_equilibria().find().unwrap());
        assert_eq!(rates.equilibria.len(), potentials.equilibria.len());
        for (p, q) in rates.equilibria.iter().zip(&potentials.equilibria) {
            assert_eq!((&p.state, &p.drive), (&q.rates, &q.state));
            assert_eq!((&p.rates, &q.drive, p.is_nash), (&q.rates, &p.drive, q.is_nash));
            assert!(hopfield.residual(&q.state).unwrap().iter().all(|r| r.abs() < 1e-12));
            assert_eq!(p.local, net.linearise(&p.state).unwrap());
            assert_eq!(q.local, hopfield.linearise(&q.state).unwrap());
        }
    }
}
