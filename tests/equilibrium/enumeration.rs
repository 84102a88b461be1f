//! All equilibria of small piecewise-linear networks.

use std::cell::RefCell;

use ndarray::{Array1, Array2, array};
use neuronash::Error;
use neuronash::activation::ClippedLinear;
use neuronash::equilibrium::Continuum;
use neuronash::network::FiringRateNetwork;
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
    // Two dimensions: x1 + x2 + x3 = 1.
    let w = Array2::from_shape_fn((3, 3), |(i, j)| if i == j { 0.0 } else { -1.0 });
    let all = relu(&w, &Array1::ones(3)).all_equilibria().find().unwrap();
    assert!(all.continua.iter().any(|c| matches!(c, Continuum::Undecided { dimension: 2, .. })));
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
    assert!(net.all_equilibria().tolerance(f64::NAN).find().is_err());
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
