//! Lyapunov diagonal stability: verdicts against closed forms, proofs against exact rational arithmetic.

#[path = "diagonal/ascent.rs"]
mod ascent;
mod connectome;
#[path = "diagonal/robust.rs"]
mod robust;
mod diagonal {
    mod verified;
}

use std::ops::ControlFlow;

use connectome::{connectome, scaled_connectomes};
use ndarray::{Array1, Array2, ShapeBuilder, array};
use neuronash::Error;
use neuronash::stability::Bounds;
use neuronash::stability::diagonal::{
    Certificate, Certifier, Method, Refutation, StableWeights, Stop, Verdict, certify, margin, max_gain,
};
use num_rational::BigRational;
use num_traits::{Signed, Zero};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn exact(x: f64) -> BigRational {
    BigRational::from_float(x).expect("a finite number")
}

fn exact_matrix(a: &Array2<f64>) -> Array2<BigRational> {
    a.mapv(exact)
}

/// Whether a symmetric matrix is positive definite, by elimination in exact arithmetic.
fn is_positive_definite(mut m: Array2<BigRational>) -> bool {
    let n = m.nrows();
    for k in 0..n {
        if !m[[k, k]].is_positive() {
            return false;
        }
        for i in k + 1..n {
            let factor = &m[[i, k]] / &m[[k, k]];
            for j in k + 1..n {
                let change = &factor * &m[[k, j]];
                m[[i, j]] -= change;
            }
        }
    }
    true
}

/// `D A + A'D < 0` in exact arithmetic, for the weights as they are printed.
fn certifies(c: &Certificate, a: &Array2<BigRational>) -> bool {
    assert!(c.weights_are_representable());
    let d: Vec<BigRational> = c.weights().iter().map(|&d| exact(d)).collect();
    let n = a.nrows();
    is_positive_definite(Array2::from_shape_fn((n, n), |(i, j)| -(&d[i] * &a[[i, j]] + &d[j] * &a[[j, i]])))
}

/// `(A Y Y')_ii >= 0` for all `i`, or that of the transpose, and `Y != 0`, in exact arithmetic.
fn refutes(r: &Refutation, a: &Array2<BigRational>) -> bool {
    let a = if r.is_of_transpose() { a.t() } else { a.view() };
    let y = r.witness().mapv(exact);
    let (n, rank) = y.dim();
    y.iter().any(|v| !v.is_zero())
        && (0..n).all(|i| {
            let mut sum = BigRational::zero();
            for j in 0..n {
                for k in 0..rank {
                    sum += &a[[i, j]] * &y[[j, k]] * &y[[i, k]];
                }
            }
            !sum.is_negative()
        })
}

/// Panics unless the proof holds exactly; returns the verdict's name.
fn checked(a: &Array2<f64>) -> &'static str {
    let e = exact_matrix(a);
    match certify(a).unwrap() {
        Verdict::Stable(c) => {
            assert!(certifies(&c, &e), "false certificate ({}) for {a:?}", c.method());
            c.verify(a).unwrap();
            "stable"
        }
        Verdict::NotStable(r) => {
            assert!(refutes(&r, &e), "false refutation ({}) for {a:?}", r.method());
            r.verify(a).unwrap();
            "not_stable"
        }
        Verdict::Undecided(u) => {
            let Bounds { lower, upper } = u.bounds();
            assert!(lower <= upper, "{u}");
            "undecided"
        }
        _ => unreachable!(),
    }
}

fn normal(rng: &mut StdRng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

fn gaussian(n: usize, size: f64, rng: &mut StdRng) -> Array2<f64> {
    Array2::from_shape_simple_fn((n, n), || size * normal(rng)) - Array2::<f64>::eye(n)
}

#[test]
fn every_proof_for_small_random_matrices_holds_in_exact_arithmetic() {
    let mut rng = StdRng::seed_from_u64(1);
    let mut counts = std::collections::BTreeMap::new();
    for round in 0..1500 {
        let n = 1 + round % 6;
        let size = [0.2, 0.5, 1.0, 3.0][round / 6 % 4];
        let a = gaussian(n, size, &mut rng);
        *counts.entry(checked(&a)).or_insert(0) += 1;
    }
    println!("{counts:?}");
    assert_eq!(counts.get("undecided"), None, "{counts:?}");
}

/// `W - I` for a random network that obeys Dale's law, four fifths of it excitatory.
fn excitatory_inhibitory(n: usize, gain: f64, density: f64, rng: &mut StdRng) -> Array2<f64> {
    let excitatory = (4 * n).div_ceil(5);
    Array2::from_shape_fn((n, n), |(i, j)| {
        let size = if rng.random::<f64>() < density { gain * normal(rng).abs() / (n as f64).sqrt() } else { 0.0 };
        (if j < excitatory { size } else { -4.0 * size }) - if i == j { 1.0 } else { 0.0 }
    })
}

fn ones(n: usize) -> Array1<f64> {
    Array1::ones(n)
}

/// The proved margin, checked to be within `tolerance` of `expected` and to verify.
#[track_caller]
fn assert_margin(a: &Array2<f64>, expected: f64, tolerance: f64) {
    let m = margin(a).unwrap();
    assert!(m.lower() <= m.upper());
    assert!(m.lower() >= expected - tolerance && m.upper() <= expected + tolerance, "{m}, expected {expected}: {a:?}");
    m.verify(a).unwrap();
}

#[test]
fn near_the_boundary_no_proof_is_false() {
    let mut rng = StdRng::seed_from_u64(2);
    let mut undecided = [0; 6];
    let rounds = 1500;
    for round in 0..rounds {
        let n = 1 + round % 5;
        let mut a = gaussian(n, 1.0, &mut rng);
        if round % 3 == 0 {
            a = &a + &a.t();
        } else if round % 3 == 1 {
            a.mapv_inplace(f64::abs);
        }
        // Shift the matrix onto the boundary, then off it by a few units in the last place.
        let m = margin(&a).unwrap();
        let at = 0.5 * (m.lower() + m.upper());
        let offset = 1e-15 * f64::from(rng.random_range(-3..=3));
        a.diag_mut().mapv_inplace(|v| v + at * (1.0 + offset));
        undecided[n] += usize::from(checked(&a) == "undecided");
    }
    // Up to two rows everything is decided, on more rows at least half of it: a fifth of the rounds is for each size.
    assert_eq!(undecided[..3], [0; 3]);
    assert!(undecided[3..].iter().all(|&u| u <= rounds / 10), "{undecided:?}");
}

#[test]
fn one_and_two_rows_are_decided_exactly() {
    assert_eq!(checked(&array![[-1e-300]]), "stable");
    assert_eq!(checked(&array![[0.0]]), "not_stable");
    let mut rng = StdRng::seed_from_u64(3);
    for round in 0..3000 {
        let mut entry = || {
            let v: f64 = normal(&mut rng) * 10f64.powi(rng.random_range(-3..=3));
            if round % 4 == 0 { v.round() } else { v }
        };
        let (a11, a12, a21) = (-entry().abs(), entry(), entry());
        // Every other matrix is singular to rounding.
        let a22 = if round % 2 == 0 { -entry().abs() } else { a12 * a21 / a11 };
        let a = array![[a11, a12], [a21, if a22.is_finite() { a22 } else { 0.0 }]];
        let e = exact_matrix(&a);
        let det = &e[[0, 0]] * &e[[1, 1]] - &e[[0, 1]] * &e[[1, 0]];
        let stable = e[[0, 0]].is_negative() && e[[1, 1]].is_negative() && det.is_positive();
        assert_eq!(checked(&a), if stable { "stable" } else { "not_stable" }, "{a:?}");
    }
}

#[test]
fn secant_thresholds_of_cyclic_feedback() {
    for (n, threshold) in [(3, 2.0), (4, std::f64::consts::SQRT_2), (5, 1.2360679775)] {
        assert!((1.0 / (std::f64::consts::PI / f64::from(n)).cos() - threshold).abs() < 1e-10);
    }
    for n in 3..=8 {
        let secant = 1.0 / (std::f64::consts::PI / n as f64).cos();
        let ring = |b: f64| {
            let mut a = -Array2::<f64>::eye(n);
            for i in 0..n {
                a[[(i + 1) % n, i]] = if i + 1 == n { -b } else { b };
            }
            a
        };
        assert_eq!(checked(&ring(secant * (1.0 - 1e-9))), "stable", "n = {n}");
        assert_eq!(checked(&ring(secant * (1.0 + 1e-9))), "not_stable", "n = {n}");
        assert_margin(&ring(1.1), 1.0 - 1.1 / secant, 1e-9);
        // The largest gain of the ring without self-decay is the threshold itself.
        let w = ring(1.0) + Array2::<f64>::eye(n);
        let gain = max_gain((&w, &ones(n))).unwrap();
        assert!(
            gain.lower() <= secant * (1.0 + 1e-15) && secant <= gain.upper() * (1.0 + 1e-15),
            "{gain} against {secant}"
        );
        assert!(gain.upper() - gain.lower() < 1e-9 * secant, "{gain}");
    }
}

#[test]
fn symmetric_and_symmetrizable_margins_come_from_the_largest_eigenvalue() {
    let a = array![[-2.0, 1.0, 0.0], [1.0, -2.0, 1.0], [0.0, 1.0, -2.0]];
    let expected = 2.0 - 2f64.sqrt();
    assert_margin(&a, expected, 1e-12);
    assert_eq!(certify(&a).unwrap().method(), Method::Symmetrizable);
    // D^-1 A with D = diag(1, 16, 4): symmetrizable, and diagonally stable iff A is negative definite.
    let scaled = array![[1.0], [16.0], [4.0]];
    let b = &a / &scaled;
    assert_eq!(certify(&b).unwrap().method(), Method::Symmetrizable);
    checked(&b);
    let mut rng = StdRng::seed_from_u64(4);
    for n in [3, 7, 20] {
        let g = gaussian(n, 1.0, &mut rng);
        let psd = g.dot(&g.t());
        let stable = -&psd - 1e-3 * Array2::<f64>::eye(n);
        assert!(certify(&stable).unwrap().is_stable());
        let mut flipped = stable.clone();
        flipped.diag_mut().mapv_inplace(|v| v + psd.diag().sum());
        assert!(certify(&flipped).unwrap().is_not_stable());
    }
}

#[test]
fn metzler_matrices_are_stable_iff_hurwitz() {
    let mut rng = StdRng::seed_from_u64(5);
    for n in [2, 3, 10, 40] {
        // Row sums r on a positive vector of ones: the Perron root is r exactly.
        let mut a = gaussian(n, 1.0, &mut rng).mapv(|v| (v.abs() * 64.0).round() / 64.0);
        for root in [-0.25, 0.25, 0.0] {
            for i in 0..n {
                let others: f64 = (0..n).filter(|&j| j != i).map(|j| a[[i, j]]).sum();
                a[[i, i]] = root - others;
            }
            let verdict = certify(&a).unwrap();
            if root < 0.0 {
                assert!(verdict.is_stable(), "n = {n}");
                assert_margin(&a, -root, 1e-9);
            } else {
                // At root 0 the vector of ones is an exact refutation.
                assert!(verdict.is_not_stable(), "n = {n}, root {root}: {verdict}");
            }
        }
    }
}

#[test]
fn block_triangular_matrices_are_stable_iff_their_blocks_are() {
    let mut rng = StdRng::seed_from_u64(6);
    for (blocks, size) in [(2, 5), (8, 3), (60, 1)] {
        let n = blocks * size;
        let mut a = Array2::<f64>::zeros((n, n));
        for i in 0..n {
            for j in 0..n {
                if i / size == j / size {
                    a[[i, j]] = if i == j { -1.0 } else { 0.4 * normal(&mut rng) / size as f64 };
                } else if j / size < i / size {
                    a[[i, j]] = 3.0 * normal(&mut rng);
                }
            }
        }
        let verdict = certify(&a).unwrap();
        let certificate = verdict.certificate().unwrap_or_else(|| panic!("{verdict}"));
        assert!(certificate.weights_are_representable());
        if n <= 30 {
            assert!(certifies(certificate, &exact_matrix(&a)));
        }
        certificate.verify(&a).unwrap();
        // One bad block spoils the whole.
        a[[n - 1, n - 1]] = 0.5;
        let verdict = certify(&a).unwrap();
        verdict.refutation().unwrap_or_else(|| panic!("{verdict}")).verify(&a).unwrap();
    }
    // A chain whose weights no f64 can hold is certified all the same, and says so.
    let n = 2000;
    let chain = Array2::from_shape_fn((n, n), |(i, j)| {
        if i == j {
            -1.0
        } else if i == j + 1 {
            4.0
        } else {
            0.0
        }
    });
    let verdict = certify(&chain).unwrap();
    let certificate = verdict.certificate().unwrap_or_else(|| panic!("{verdict}"));
    assert!(!certificate.weights_are_representable());
    certificate.verify(&chain).unwrap();
}

#[test]
fn strong_antagonism_is_stable() {
    for b in [4.0, 1e3, 1e12] {
        assert_eq!(checked(&array![[-1.0, b], [-b, -1.0]]), "stable");
    }
    assert_margin(&array![[-1.0, 4.0], [-4.0, -1.0]], 1.0, 1e-12);
    let mut rng = StdRng::seed_from_u64(7);
    let g = gaussian(6, 1.0, &mut rng);
    assert_eq!(checked(&(1e6 * (&g - &g.t()) - Array2::<f64>::eye(6))), "stable");
}

/// Theory 6.2: `k` columns, each an excitatory and an inhibitory neuron.
#[test]
fn lateral_inhibition_agrees_with_its_closed_form() {
    let mut rng = StdRng::seed_from_u64(8);
    let mut counts = [0, 0];
    for round in 0..1000 {
        let k = 2 + round % 4;
        let mut up_to = |m: f64| m * rng.random::<f64>();
        let (a, own, lateral, c, e) = (up_to(1.2), up_to(3.0), up_to(3.0), up_to(4.0), up_to(2.0));
        let w = Array2::from_shape_fn((2 * k, 2 * k), |(i, j)| match (i % 2, j % 2, i / 2 == j / 2) {
            (0, 0, true) => a,
            (0, 1, true) => -own,
            (1, 0, true) => c,
            (1, 1, true) => -e,
            (0, 1, false) => -lateral,
            _ => 0.0,
        });
        let p = (1.0 - a) * (1.0 + e);
        let (common, difference) = (own + (k - 1) as f64 * lateral, own - lateral);
        let slack = difference * c + p;
        let gap = 2.0 * p.max(0.0).sqrt() - ((common * c + p).max(0.0).sqrt() - slack.max(0.0).sqrt());
        if slack.abs() < 1e-6 || gap.abs() < 1e-6 || (1.0 - a).abs() < 1e-6 {
            continue;
        }
        let expected = a < 1.0 && slack > 0.0 && gap > 0.0;
        let verdict = certify((&w, &ones(2 * k))).unwrap();
        assert_eq!((verdict.is_stable(), verdict.is_not_stable()), (expected, !expected), "{verdict}: {w:?}");
        counts[usize::from(expected)] += 1;
    }
    assert!(counts.iter().all(|&c| c > 100), "{counts:?}");
}

#[test]
fn verdicts_do_not_depend_on_order_scale_or_transposition() {
    let mut rng = StdRng::seed_from_u64(9);
    for round in 0..60 {
        let n = 3 + round % 10;
        let a = excitatory_inhibitory(n, [0.3, 0.6, 1.0][round % 3], 0.8, &mut rng);
        let verdict = checked_large(&a);
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, rng.random_range(0..=i));
        }
        let permuted = Array2::from_shape_fn((n, n), |(i, j)| a[[order[i], order[j]]]);
        assert_eq!(checked_large(&permuted), verdict);
        assert_eq!(checked_large(&a.t().to_owned()), verdict);
        // Row and column scalings by positive diagonals, as extreme as f64 allows the products to be.
        let scale: Vec<f64> = (0..2 * n).map(|_| 10f64.powf(rng.random_range(-60.0..60.0))).collect();
        let scaled = Array2::from_shape_fn((n, n), |(i, j)| scale[i] * a[[i, j]] * scale[n + j]);
        assert_eq!(checked_large(&scaled), verdict);
        let column_major = Array2::from_shape_vec((n, n).f(), a.t().iter().copied().collect()).unwrap();
        assert_eq!(checked_large(&column_major), verdict);
        let single = a.mapv(|v| v as f32);
        let verdict = certify(&single).unwrap();
        match &verdict {
            Verdict::Stable(c) => c.verify(&single).unwrap(),
            Verdict::NotStable(r) => r.verify(&single.mapv(f64::from)).unwrap(),
            other => panic!("{other}"),
        }
    }
}

/// The verdict's name; its proof is checked by the crate only.
#[track_caller]
fn checked_large(a: &Array2<f64>) -> &'static str {
    match certify(a).unwrap() {
        Verdict::Stable(c) => {
            c.verify(a).unwrap();
            "stable"
        }
        Verdict::NotStable(r) => {
            r.verify(a).unwrap();
            "not_stable"
        }
        other => panic!("{other}: {a:?}"),
    }
}

#[test]
fn margins_are_tight_on_both_sides_and_agree_with_verdicts() {
    let mut rng = StdRng::seed_from_u64(10);
    for (n, gain, density) in [(5, 0.4, 1.0), (12, 0.8, 0.6), (30, 0.3, 1.0), (60, 1.0, 0.2), (60, 0.2, 1.0)] {
        let w = excitatory_inhibitory(n, gain, density, &mut rng) + Array2::<f64>::eye(n);
        let rho = Array1::from_shape_fn(n, |i| 0.5 + (i % 3) as f64);
        let m = margin((&w, &rho)).unwrap();
        m.verify((&w, &rho)).unwrap();
        assert_eq!(m.stopped(), None, "{m}");
        assert!(m.upper() - m.lower() <= 1e-9 * m.upper().abs(), "{m}");
        let verdict = certify((&w, &rho)).unwrap();
        assert_eq!(
            (verdict.is_stable(), verdict.is_not_stable()),
            (m.lower() > 0.0, m.upper() < 0.0),
            "{m}: {verdict}"
        );
        if let Some(c) = verdict.certificate() {
            assert!(c.margin_lower() > 0.0 && c.margin_lower() <= m.upper(), "{} in {m}", c.margin_lower());
        }
        let gain = max_gain((&w, &rho)).unwrap();
        assert!(gain.upper() - gain.lower() <= 1e-9 * gain.upper(), "{gain}");
        for (factor, stable) in [(gain.lower() * (1.0 - 1e-9), true), (gain.upper() * (1.0 + 1e-9), false)] {
            assert_eq!(certify((&(factor * &w), &rho)).unwrap().is_stable(), stable, "gain {factor} of {gain}");
        }
        // A margin's proof does not hold for another matrix.
        assert!(m.verify((&(1.001 * &w), &rho)).is_err());
    }
}

#[test]
fn margins_decide_like_searches_of_their_own() {
    let mut rng = StdRng::seed_from_u64(16);
    let mut counts = std::collections::BTreeMap::new();
    for round in 0..120 {
        let n = 1 + round % 12;
        let mut a = gaussian(n, [0.3, 0.8, 2.0][round % 3] / (n as f64).sqrt(), &mut rng);
        match round % 4 {
            // Several strongly connected blocks, strongly coupled.
            0 => a.indexed_iter_mut().filter(|((i, j), _)| i / 3 < j / 3).for_each(|(_, v)| *v = 0.0),
            1 => a = excitatory_inhibitory(n, 0.6, 0.7, &mut rng),
            _ => {}
        }
        let rho = ones(n);
        let m = margin(&a).unwrap();
        let verdict = m.verdict(&a).unwrap();
        assert_eq!(verdict.is_stable(), certify(&a).unwrap().is_stable(), "{m}: {a:?}");
        *counts.entry(verdict.is_stable()).or_insert(0) += 1;
        match &verdict {
            Verdict::Stable(c) => {
                assert!(c.margin_lower() >= 0.9 * m.lower() && c.margin_lower() <= m.upper(), "{c} of {m}");
                assert!(certifies(c, &exact_matrix(&a)), "{a:?}");
                c.verify(&a).unwrap();
            }
            Verdict::NotStable(r) => {
                assert!(refutes(r, &exact_matrix(&a)), "{a:?}");
                r.verify(&a).unwrap();
            }
            other => panic!("{other}: {a:?}"),
        }
        // Of another matrix, nothing is claimed that does not hold for it.
        let other = -&a;
        match m.verdict(&other) {
            Ok(Verdict::Stable(c)) => c.verify(&other).unwrap(),
            Ok(Verdict::NotStable(r)) => r.verify(&other).unwrap(),
            Ok(undecided) => panic!("{undecided}"),
            Err(Error::NotProved { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(matches!(m.verdict((&a, &rho)), Err(Error::NotProved { .. })));
        assert!(matches!(m.verify((&a, &rho)), Err(Error::NotProved { .. })));
        assert!(matches!(m.verdict(&Array2::<f64>::zeros((n + 1, n + 1))), Err(Error::NotProved { .. })));
    }
    assert!(counts.values().all(|&c| c > 20), "{counts:?}");
}

#[test]
fn margins_a_thousandth_of_the_matrix_keep_nine_digits() {
    let mut rng = StdRng::seed_from_u64(14);
    let dense = gaussian(60, 0.3, &mut rng) + Array2::<f64>::eye(60);
    let sparse = excitatory_inhibitory(100, 2.0, 0.2, &mut rng) + Array2::<f64>::eye(100);
    for w in [dense, sparse] {
        let rho = ones(w.nrows());
        let gain = max_gain((&w, &rho)).unwrap();
        for part in [0.99, 0.999] {
            let w = part * gain.lower() * &w;
            let m = margin((&w, &rho)).unwrap();
            m.verify((&w, &rho)).unwrap();
            // Since g W - I = g (W + delta I) with delta = -1/g.
            assert!((m.upper() - (1.0 - part)).abs() < 1e-8, "{m}");
            assert_eq!(m.stopped(), None, "{m} after {} steps", m.iterations());
            assert!(m.upper() - m.lower() <= 1e-9 * m.upper(), "{m}");
            assert!(m.iterations() <= 40, "{m} after {} steps", m.iterations());
        }
    }
}

#[test]
fn every_gain_is_stable_if_the_weights_alone_are() {
    let gain = max_gain((&array![[-0.1, 5.0], [-5.0, -0.1]], &ones(2))).unwrap();
    assert!(gain.is_unbounded() && gain.lower() == f64::INFINITY && gain.upper() == f64::INFINITY, "{gain}");
    // On the very boundary: no upper bound exists, and the lower one is as large as rounding allows.
    let gain = max_gain((&array![[-0.1, 5.0], [-5.0, 0.0]], &ones(2))).unwrap();
    assert!(gain.lower() > 1e14 && gain.upper() == f64::INFINITY, "{gain}");
    let feed_forward = array![[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [1.0, 7.0, 0.0]];
    assert!(max_gain((&feed_forward, &ones(3))).unwrap().is_unbounded());
}

#[test]
fn shifted_diagonals_are_not_rounded() {
    // 1 - w is 0 in f64, but W - I is not: the exact diagonal decides.
    let just_below = 1f64.next_down();
    for (w, stable) in [(just_below, true), (1.0, false), (1f64.next_up(), false)] {
        let verdict = certify((&array![[w, -2.0], [2.0, 0.0]], &ones(2))).unwrap();
        assert_eq!((verdict.is_stable(), verdict.is_not_stable()), (stable, !stable), "{w}: {verdict}");
    }
    // w - 1 for a tiny w is not an f64; both ends of the interval agree.
    assert!(certify((&array![[1e-30]], &ones(1))).unwrap().is_stable());
}

#[test]
fn a_proof_does_not_hold_for_another_matrix() {
    let a = array![[-1.0, 2.0, 0.0], [-2.0, -1.0, 0.5], [0.1, 0.0, -1.0]];
    let verdict = certify(&a).unwrap();
    let certificate = verdict.certificate().unwrap();
    certificate.verify(&a).unwrap();
    for other in [-a.clone(), array![[-1.0, 2.0, 0.0], [2.0, -1.0, 0.5], [0.1, 0.0, -1.0]], Array2::zeros((3, 3))] {
        assert!(matches!(certificate.verify(&other), Err(Error::NotProved { .. })));
    }
    assert!(certificate.verify(&array![[-1.0]]).is_err());
    let b = array![[-1.0, 2.0], [2.0, -1.0]];
    let verdict = certify(&b).unwrap();
    let refutation = verdict.refutation().unwrap();
    refutation.verify(&b).unwrap();
    assert!(refutation.verify(&array![[-1.0, 0.5], [0.5, -1.0]]).is_err());
    assert!(refutation.verify(&a).is_err());
}

#[test]
fn bad_input_is_named() {
    let error = |a: Array2<f64>| certify(&a).unwrap_err();
    assert!(matches!(error(Array2::zeros((0, 0))), Error::Empty { .. }));
    assert!(matches!(error(Array2::zeros((2, 3))), Error::Shape { .. }));
    for v in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let found = error(array![[-1.0, 0.0], [v, -1.0]]);
        assert!(matches!(&found, Error::NonFinite { index, .. } if index == &[1, 0]), "{found}");
    }
    assert!(certify((&array![[0.0]], &array![0.0])).is_err());
    assert!(certify((&array![[0.0]], &array![f64::NAN])).is_err());
    assert!(certify((&array![[0.0]], &array![1.0, 1.0])).is_err());
    assert!(Certifier::builder().tolerance(0.0).build().is_err());
    assert!(Certifier::builder().tolerance(f64::NAN).build().is_err());
    assert!(Certifier::builder().max_iterations(0).build().is_err());
    assert!(Certifier::builder().threads(0).build().is_err());
}

#[test]
fn odd_numbers_are_fine() {
    let tiny = 5e-324;
    for a in [
        array![[-tiny]],
        array![[-tiny, 0.0], [0.0, -1e300]],
        array![[-1.0, tiny, 0.0], [0.0, -1.0, tiny], [tiny, 0.0, -1.0]],
        array![[-1e150, 1e150, 0.0], [-1e150, -1e150, 1e140], [1e140, 0.0, -1e150]],
        array![[-1e-150, 1e-150, 0.0], [-1e-150, -1e-150, 1e-160], [1e-160, 0.0, -1e-150]],
    ] {
        assert_eq!(checked(&a), "stable", "{a:?}");
    }
    assert_eq!(checked(&Array2::zeros((4, 4))), "not_stable");
    assert_eq!(checked(&array![[-1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [2.0, 1.0, -3.0]]), "not_stable");
}

#[test]
fn limits_end_the_search_honestly() {
    let mut rng = StdRng::seed_from_u64(11);
    // Gaussian weights near the boundary need the interior point.
    let w = gaussian(40, 0.75 / 40f64.sqrt(), &mut rng) + Array2::<f64>::eye(40);
    let rho = ones(40);
    let m = margin((&w, &rho)).unwrap();
    let a = &w * (0.999 / (1.0 - m.lower())) - Array2::<f64>::eye(40);
    assert!(certify(&a).unwrap().iterations() > 0);
    let limited = Certifier::builder().max_iterations(1).build().unwrap().certify(&a).unwrap();
    let Verdict::Undecided(u) = limited else { panic!("{limited}") };
    assert_eq!(u.reason(), Stop::IterationLimit);
    assert!(u.bounds().width() > 0.0);
    let late = Certifier::builder().time_limit(std::time::Duration::ZERO).build().unwrap().certify(&a).unwrap();
    assert!(matches!(late, Verdict::Undecided(u) if u.reason() == Stop::TimeLimit));
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = calls.clone();
    let cancelled = Certifier::builder()
        .observer(move |p| {
            seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if p.iterations >= 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .threads(1)
        .build()
        .unwrap()
        .certify(&a)
        .unwrap();
    assert!(matches!(cancelled, Verdict::Undecided(u) if u.reason() == Stop::Interrupted));
    assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), 3);
}

#[test]
fn refutations_of_sparse_matrices() {
    let sparse = |a: &Array2<f64>| sprs::CsMat::csr_from_dense(a.view(), 0.0);
    let mut rng = StdRng::seed_from_u64(31);
    let mut checked = 0;
    for case in 0..60 {
        let n = 4 + case % 20;
        let a = gaussian(n, 0.9, &mut rng).mapv(|v| if v.abs() < 0.7 { 0.0 } else { v }) - Array2::<f64>::eye(n);
        let Verdict::NotStable(refutation) = certify(&a).unwrap() else { continue };
        checked += 1;
        refutation.verify(&sparse(&a)).unwrap();
        refutation.verify(&sparse(&a).to_csc()).unwrap();
        // Another matrix: whatever is refuted for it is refuted by the dense check, too.
        let other = &a - 0.3 * &Array2::<f64>::eye(n);
        assert_eq!(refutation.verify(&sparse(&other)).is_ok(), refutation.verify(&other).is_ok(), "{refutation}");
        let far = &a - 40.0 * &Array2::<f64>::eye(n);
        assert!(matches!(refutation.verify(&sparse(&far)), Err(Error::NotProved { .. })));
        assert!(refutation.verify(&sparse(&Array2::<f64>::eye(n + 1))).is_err());
    }
    assert!(checked > 20, "{checked} refutations");

    // On the boundary the sign is found exactly; one unit in the last place beyond it, nothing is proved.
    let mut ring = array![[-1.0, 1.0, 0.0], [0.0, -1.0, 1.0], [1.0, 0.0, -1.0]];
    let verdict = certify(&ring).unwrap();
    let refutation = verdict.refutation().unwrap_or_else(|| panic!("{verdict}"));
    refutation.verify(&sparse(&ring)).unwrap();
    ring[[0, 0]] = (-1.0f64).next_down();
    assert!(refutation.verify(&sparse(&ring)).is_err());

    // W - R^-1, far too large for a dense copy.
    let n = 60_000;
    let mut w = sprs::TriMat::new((n, n));
    for i in 0..n {
        w.add_triplet(i, i, if i == 777 { 0.6 } else { -0.1 });
        w.add_triplet(i, (i + 1) % n, 0.9);
    }
    let w = w.to_csr::<usize>();
    let verdict = certify((&w, &(2.0 * ones(n)))).unwrap();
    let refutation = verdict.refutation().unwrap_or_else(|| panic!("{verdict}"));
    refutation.verify((&w, &(2.0 * ones(n)))).unwrap();
    assert!(refutation.verify((&w, &ones(n))).is_err());
}

#[test]
fn sparse_sweeps_can_be_interrupted() {
    let n = 5000;
    let mut a = sprs::TriMat::new((n, n));
    for i in 0..n {
        a.add_triplet(i, i, -1.0);
        // An odd number of negative weights: no signs make it Metzler, so that sweeps are needed.
        a.add_triplet(i, (i + 1) % n, if i == 0 { -0.99999 } else { 0.99999 });
    }
    let a = a.to_csr::<usize>();
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = calls.clone();
    let certifier = Certifier::builder()
        .observer(move |p| {
            assert!(p.size == 5000 && p.gap == f64::INFINITY);
            let call = seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if call == 9 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .build()
        .unwrap();
    let verdict = certifier.certify(&a).unwrap();
    assert!(matches!(&verdict, Verdict::Undecided(u) if u.reason() == Stop::Interrupted), "{verdict}");
    assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), 10);
}

#[test]
fn given_weights_are_proved_or_refused() {
    let a = array![[-1.0, 4.0, 0.0], [-4.0, -1.0, 0.0], [0.0, 3.0, -1.0]];
    let sparse = sprs::CsMat::csr_from_dense(a.view(), 0.0);
    let d = array![1.0, 1.0, 0.1];
    let certificate = Certificate::from_weights(&a, &d).unwrap();
    assert_eq!((certificate.method(), certificate.weights()), (Method::Given, array![4.0, 4.0, 0.4].view()));
    assert!(certifies(&certificate, &exact_matrix(&a)) && certificate.margin_lower() > 0.0);
    certificate.verify(&a).unwrap();
    Certificate::from_weights(&sparse, &d).unwrap().verify(&sparse).unwrap();
    let w = &a + &Array2::<f64>::eye(3);
    let shifted = Certificate::from_weights((&w, &ones(3)), &d).unwrap();
    shifted.verify((&w, &ones(3))).unwrap();
    let w = sprs::CsMat::csr_from_dense(w.view(), 0.0);
    assert_eq!(Certificate::from_weights((&w, &ones(3)), &d).unwrap(), shifted);
    assert!(matches!(Certificate::from_weights(&a, &array![1.0, 1.0, 1.0]), Err(Error::NotProved { .. })));
    assert!(matches!(Certificate::from_weights(&a, &array![1.0, 1.0]), Err(Error::Shape { .. })));
    assert!(matches!(Certificate::from_weights(&sparse, &array![1.0, 1.0]), Err(Error::Shape { .. })));
    assert!(matches!(Certificate::from_weights(&a, &array![1.0, 0.0, 1.0]), Err(Error::Invalid { .. })));
}

#[test]
fn sparse_certificates() {
    let n = 20_000;
    let mut rng = StdRng::seed_from_u64(12);
    let mut w = sprs::TriMat::new((n, n));
    for i in 0..n {
        for _ in 0..8 {
            let j = rng.random_range(0..n);
            if j != i {
                w.add_triplet(i, j, if j % 5 == 0 { -0.3 } else { 0.1 } * rng.random::<f64>());
            }
        }
    }
    let w = w.to_csr::<usize>();
    let rho = ones(n);
    let verdict = certify((&w, &rho)).unwrap();
    let certificate = verdict.certificate().unwrap_or_else(|| panic!("{verdict}"));
    assert_eq!(certificate.method(), Method::Metzler);
    certificate.verify((&w, &rho)).unwrap();
    assert!(certificate.margin_lower() > 0.0);
    assert!(certificate.verify((&w.map(|v| 100.0 * v), &rho)).is_err());
    // A hundred times as strong, some pair of neurons refutes it.
    let strong = w.map(|v| 100.0 * v);
    let verdict = certify((&strong, &rho)).unwrap();
    let refutation = verdict.refutation().unwrap_or_else(|| panic!("{verdict}"));
    assert_eq!(refutation.method(), Method::TwoByTwo);
    refutation.verify((&strong, &rho)).unwrap();
    // Too strong for the majorant and too large for dense methods, but what one gains the other loses.
    let mut antagonists = sprs::TriMat::new((n, n));
    for i in (0..n).step_by(2) {
        antagonists.add_triplet(i, i + 1, 9.0);
        antagonists.add_triplet(i + 1, i, -9.0);
    }
    let antagonists = antagonists.to_csr::<usize>();
    let verdict = certify((&antagonists, &rho)).unwrap();
    let certificate = verdict.certificate().unwrap_or_else(|| panic!("{verdict}"));
    certificate.verify((&antagonists, &rho)).unwrap();
    // What the majorant proves of a ring, the dense check accepts too.
    let ring = array![[-1.0, 0.75, 0.0], [0.0, -1.0, 0.75], [0.75, 0.0, -1.0]];
    let sparse = sprs::CsMat::csr_from_dense(ring.view(), 0.0);
    let verdict = certify(&sparse).unwrap();
    let certificate = verdict.certificate().unwrap();
    assert!(certificate.margin_lower() > 0.24 && certificate.margin_lower() <= 0.25, "{certificate}");
    certificate.verify(&sparse).unwrap();
    certificate.verify(&ring).unwrap();
    // Small ones take the dense road.
    let a = array![[-1.0, 4.0, 0.0], [-4.0, -1.0, 0.0], [0.0, 3.0, -1.0]];
    let sparse = sprs::CsMat::csr_from_dense(a.view(), 0.0);
    let verdict = certify(&sparse).unwrap();
    verdict.certificate().unwrap().verify(&sparse).unwrap();
    verdict.certificate().unwrap().verify(&a).unwrap();
}

#[test]
fn bounds_of_a_margin_are_handed_on_for_its_own_matrix_only() {
    let m = margin(&array![[-1.0]]).unwrap();
    assert!(matches!(m.verdict(&array![[5.0]]), Err(Error::NotProved { .. })));
}

#[test]
fn a_sparse_margin_beyond_all_floats_is_not_claimed() {
    let a = sprs::CsMat::csr_from_dense(array![[-1e50]].view(), 0.0);
    let rho = array![1e300];
    let verdict = certify((&a, &rho)).unwrap();
    let certificate = verdict.certificate().unwrap();
    certificate.verify((&a, &rho)).unwrap();
    assert!(certificate.margin_lower().is_finite());
}

#[test]
fn large_skew_parts_do_no_harm() {
    for size in [1e16, 1e100, 1e150, 1e300] {
        let pair = array![[-0.5, -size], [size, -1.0]];
        let triple = array![[-0.5, -size, 0.0], [size, -1.0, 1e-3 * size], [0.0, -1e-3 * size, -1.0]];
        for a in [pair, triple] {
            let verdict = certify(&a).unwrap();
            verdict.certificate().unwrap_or_else(|| panic!("{size}: {verdict}")).verify(&a).unwrap();
            let mut unstable = a.clone();
            unstable[[0, 0]] = 0.5;
            assert!(certify(&unstable).unwrap().is_not_stable());
        }
    }
}

/// Entries that differ by 200 powers of ten once kept the refinement of a step from ending.
#[test]
fn entries_far_apart_end_the_search() {
    let [a, b, c, d, e] =
        [4598249592579380317, 14983724231069484992, 12740998190432898984, 6218157401374948628, 11970348235337110978]
            .map(f64::from_bits);
    let w = array![[a, b, 0.0, c], [d, e, 0.0, 0.0], [0.0, c, a, b], [0.0, 0.0, d, e]];
    let [p, q] = [3.935016620147356, 0.35138342746859275];
    let rho = array![p, q, p, q];
    match certify((&w, &rho)).unwrap() {
        Verdict::Stable(c) => c.verify((&w, &rho)).unwrap(),
        Verdict::NotStable(r) => r.verify((&w, &rho)).unwrap(),
        _ => {}
    }
}

#[test]
fn two_thousand_rows() {
    let mut rng = StdRng::seed_from_u64(13);
    let a = excitatory_inhibitory(2000, 0.5, 0.05, &mut rng);
    checked_large(&a);
}

#[test]
fn margin_and_gain_of_the_connectome() {
    let w = connectome();
    let n = w.nrows();
    let degree = w.mapv(f64::abs).sum_axis(ndarray::Axis(1));
    let w = &w * (0.9 / degree.mean().unwrap());
    let rho = ones(n);
    let m = margin((&w, &rho)).unwrap();
    assert!(m.lower() <= m.upper() && m.upper() - m.lower() <= 1e-9 * m.upper(), "{m}");
    m.verify((&w, &rho)).unwrap();
    let verdict = m.verdict((&w, &rho)).unwrap();
    let certificate = verdict.certificate().unwrap();
    certificate.verify((&w, &rho)).unwrap();
    assert!(certificate.margin_lower() >= 0.9 * m.lower(), "{certificate} of {m}");
    let gain = m.max_gain();
    assert!(gain.upper() - gain.lower() <= 1e-9 * gain.upper(), "{gain}");
    assert!((0.9 * gain.lower() - 0.983).abs() < 5e-4, "{gain}");

    // Verdicts, found by another road, agree with the margin on both sides.
    let certificate = certify((&w, &rho)).unwrap();
    assert!(certificate.certificate().unwrap().margin_lower() <= m.upper());
    assert!(certify((&(&w * (gain.lower() * (1.0 - 1e-4))), &rho)).unwrap().is_stable());
    assert!(!certify((&(&w * (gain.upper() * (1.0 + 1e-4))), &rho)).unwrap().is_stable());
}

#[test]
fn gain_of_the_connectome_with_normalised_inputs() {
    let [_, w] = scaled_connectomes();
    let gain = max_gain((&w, &ones(w.nrows()))).unwrap();
    assert!(gain.lower() <= gain.upper() && gain.upper() - gain.lower() <= 1e-9 * gain.upper(), "{gain}");
    assert!((gain.lower() - 1.037).abs() < 5e-4, "{gain}");
}

/// Theory 9.1.
#[test]
fn stable_weights_have_their_margin_and_are_all_there_are() {
    let mut rng = StdRng::seed_from_u64(15);
    for round in 0..60 {
        let (n, rank, wanted) = (1 + round % 9, round % 4, [0.01, 0.3, 1.5][round % 3]);
        let d = Array1::from_shape_simple_fn(n, || 10f64.powf(rng.random_range(-2.0..2.0)));
        let l = Array2::from_shape_simple_fn((n, rank), || normal(&mut rng));
        let k = Array2::from_shape_simple_fn((n, n), || 5.0 * normal(&mut rng));
        let family = StableWeights::new(&d, wanted).unwrap();
        let w = family.weights(&l, &k).unwrap();
        let size = w.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
        let m = margin((&w, &ones(n))).unwrap();
        assert!(m.lower() >= wanted - 1e-9 * size, "{m} of {wanted}: {w}");
        // Back from W: sym(D (I - W)) - delta D is L L', and the skew part of D (I - W) is K - K'.
        let loss = (Array2::<f64>::eye(n) - &w) * d.view().insert_axis(ndarray::Axis(1));
        let cooperative = 0.5 * (&loss + &loss.t()) - Array2::from_diag(&(wanted * &d));
        assert!((&cooperative - &l.dot(&l.t())).iter().all(|e| e.abs() < 1e-12 * size * 100.0), "{cooperative}");
        let again = family.weights(&l, &(0.5 * &loss)).unwrap();
        assert!((&again - &w).iter().all(|e| e.abs() < 1e-12 * size), "{again} of {w}");
    }
    let family = StableWeights::new(&array![1.0_f32, 2.0], 0.5).unwrap();
    assert!(
        certify(&(family.weights(&array![[1.0_f32], [2.0]], &Array2::zeros((2, 2))).unwrap() - Array2::<f64>::eye(2)))
            .unwrap()
            .is_stable()
    );
    for margin in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(StableWeights::new(&array![1.0], margin), Err(Error::Invalid { .. })));
    }
    assert!(matches!(StableWeights::new(&Array1::<f64>::zeros(0), 1.0), Err(Error::Empty { .. })));
    assert!(matches!(StableWeights::new(&array![1.0, 0.0], 1.0), Err(Error::Invalid { .. })));
    assert!(matches!(StableWeights::new(&array![1.0, f64::NAN], 1.0), Err(Error::NonFinite { .. })));
    let family = StableWeights::new(&array![1.0, 2.0], 0.5).unwrap();
    assert!(matches!(family.weights(&Array2::<f64>::zeros((3, 1)), &Array2::zeros((2, 2))), Err(Error::Shape { .. })));
    assert!(matches!(family.weights(&Array2::<f64>::zeros((2, 1)), &Array2::zeros((2, 3))), Err(Error::Shape { .. })));
    assert!(matches!(
        family.weights(&Array2::from_elem((2, 1), f64::NAN), &Array2::zeros((2, 2))),
        Err(Error::NonFinite { .. })
    ));
}

/// Integers in `0..=largest` off the diagonal, and a diagonal that makes all columns sum to 0.
fn zero_column_sums(n: usize, largest: i32, negative: bool, rng: &mut StdRng) -> Array2<f64> {
    let lowest = if negative { -largest } else { 0 };
    let mut a = Array2::from_shape_simple_fn((n, n), || f64::from(rng.random_range(lowest..=largest)));
    a.diag_mut().fill(0.0);
    let sums = a.sum_axis(ndarray::Axis(0));
    a.diag_mut().assign(&-sums);
    a
}

#[test]
fn singular_matrices_of_whole_numbers_are_refuted_by_exact_null_vectors() {
    let mut rng = StdRng::seed_from_u64(1301);
    let reported = array![[-13.0, 5.0, 4.0], [8.0, -8.0, 7.0], [5.0, 3.0, -11.0]];
    assert_eq!((checked(&reported), checked(&reported.t().to_owned())), ("not_stable", "not_stable"));
    let mut transposed = 0;
    for case in 0..60 {
        let n = 3 + case * 37 / 59;
        let a = zero_column_sums(n, 9, case % 3 == 2, &mut rng);
        assert_eq!(checked(&a), "not_stable", "{a}");
        transposed += usize::from(certify(&a).unwrap().refutation().unwrap().is_of_transpose());
        let unit = |i: usize| (i as i32 * 7) % 81;
        let scaled = Array2::from_shape_fn((n, n), |(i, j)| a[[i, j]] * 2f64.powi(unit(i) - unit(j)));
        assert_eq!(checked(&scaled), "not_stable", "{a} in other units");
        let slopes = certify((&(&a + &Array2::<f64>::eye(n)), &ones(n))).unwrap();
        assert!(slopes.is_not_stable(), "{slopes}: {a}");
    }
    assert!(transposed >= 30, "{transposed} by the transpose");
    // A row that is a whole multiple of others, and a null vector that is not of ones.
    for _ in 0..40 {
        let n = rng.random_range(3..12);
        let mut a = zero_column_sums(n, 5, false, &mut rng);
        let scale: Vec<f64> = (0..n).map(|_| f64::from(rng.random_range(1..7))).collect();
        a.axis_iter_mut(ndarray::Axis(1)).zip(&scale).for_each(|(mut column, s)| column *= *s);
        assert_eq!(checked(&a), "not_stable", "{a}");
    }
    // Of a matrix near it nothing false is said.
    let mut near = reported.clone();
    near[[0, 0]] = (-13.0f64).next_down();
    assert_ne!(checked(&near), "not_stable");
}

#[test]
fn two_rows_refute_at_any_size() {
    for n in [3, 21, 400] {
        let mut w = Array2::<f64>::zeros((n, n));
        (w[[0, 1]], w[[1, 0]]) = (2.0, 2.0);
        (w[[0, 2]], w[[2, 0]]) = (3.0, -3.0);
        let verdict = certify((&w, &ones(n))).unwrap();
        assert_eq!(verdict.refutation().map(Refutation::method), Some(Method::TwoByTwo), "{verdict}");
    }
    for n in [3001, 200_000] {
        let mut w = sprs::TriMat::new((n, n));
        w.add_triplet(0, 1, 2.0);
        w.add_triplet(1, 0, 2.0);
        for i in 2..n {
            w.add_triplet(i, (i + 1) % n, -9.0);
        }
        let w = w.to_csr::<usize>();
        let verdict = certify((&w, &ones(n))).unwrap();
        let refutation = verdict.refutation().unwrap_or_else(|| panic!("{verdict}"));
        assert_eq!(refutation.method(), Method::TwoByTwo);
        refutation.verify((&w, &ones(n))).unwrap();
        assert_eq!(refutation.witness().iter().filter(|v| **v != 0.0).count(), 2);
    }
    // On the boundary, exactly, and one rounding beside it; and where the products of entries leave the range of f64.
    for (size, other) in [(1.0f64, 1.0f64), (1e200, 1e-200), (1e-170, 1e-170), (1e160, 1e160)] {
        let pair = |c: f64| {
            let mut a = -9.0 * size.max(other) * Array2::<f64>::eye(4);
            (a[[1, 1]], a[[2, 2]]) = (-3.0 * size, -5.0 * other);
            (a[[1, 2]], a[[2, 1]]) = (-3.0 * size, c * other);
            a[[0, 1]] = size.min(other);
            a
        };
        assert_eq!(checked(&pair(-5.0)), "not_stable");
        assert_eq!(checked(&pair((-5.0f64).next_down())), "not_stable");
        // The weights of such a matrix may be out of the range of `f64`.
        assert!(!certify(&pair((-5.0f64).next_up())).unwrap().is_not_stable());
        let verdict = certify(&pair(-4.0)).unwrap();
        verdict.certificate().unwrap_or_else(|| panic!("{verdict}")).verify(&pair(-4.0)).unwrap();
    }
}

#[test]
fn nonnegative_weights_are_decided_and_measured_by_perron_vectors_at_any_size() {
    let mut rng = StdRng::seed_from_u64(1302);
    // D B D^-1 with B of constant row sums has the Perron root of B, here 1.
    for n in [3, 30, 150, 3000] {
        let mut rows = vec![Vec::new(); n];
        for (i, row) in rows.iter_mut().enumerate() {
            row.push(((i + 1) % n, 0.5 + rng.random::<f64>()));
            for _ in 0..33.min(n - 1) {
                row.push((rng.random_range(0..n), rng.random::<f64>()));
            }
        }
        let scale: Vec<f64> = (0..n).map(|_| f64::exp2(4.0 * normal(&mut rng))).collect();
        let mut w = sprs::TriMat::new((n, n));
        let sign: Vec<f64> = (0..n).map(|i| if n == 30 && i % 3 == 0 { -1.0 } else { 1.0 }).collect();
        for (i, row) in rows.iter().enumerate() {
            let total: f64 = row.iter().map(|e| e.1).sum();
            for &(j, v) in row {
                w.add_triplet(i, j, sign[i] * sign[j] * v / total * scale[i] / scale[j]);
            }
        }
        let w = w.to_csr::<usize>();
        for (gain, stable) in [(1.0 - 1e-8, true), (1.0 + 1e-8, false), (0.4, true), (30.0, false)] {
            let w = w.map(|v| gain * v);
            let verdict = certify((&w, &ones(n))).unwrap();
            assert_eq!((verdict.is_stable(), verdict.is_not_stable()), (stable, !stable), "{n}, {gain}: {verdict}");
            if let Some(certificate) = verdict.certificate() {
                let margin = certificate.margin_lower();
                assert!((margin - (1.0 - gain)).abs() < 1e-10, "{n}: {certificate}");
                certificate.verify((&w, &ones(n))).unwrap();
            }
            if let Some(refutation) = verdict.refutation() {
                refutation.verify((&w, &ones(n))).unwrap();
            }
            if n < 1000 {
                let dense = w.to_dense();
                let verdict = certify((&dense, &ones(n))).unwrap();
                assert_eq!((verdict.is_stable(), verdict.is_not_stable()), (stable, !stable), "{n}, {gain}: {verdict}");
                verdict.certificate().iter().for_each(|c| c.verify((&dense, &ones(n))).unwrap());
            }
        }
        let dense = 0.5 * w.to_dense();
        let started = std::time::Instant::now();
        let bounds = margin((&dense, &ones(n))).unwrap();
        println!("n = {n}: {:?} for {bounds}", started.elapsed());
        assert!((bounds.lower() - 0.5).abs() < 1e-10 && (bounds.upper() - 0.5).abs() < 1e-10, "{n}: {bounds}");
        assert_eq!((bounds.iterations(), bounds.stopped()), (0, None));
        bounds.verify((&dense, &ones(n))).unwrap();
        let gain = bounds.max_gain();
        assert!(gain.lower() < 2.0 + 1e-9 && gain.upper() > 2.0 - 1e-9 && gain.bounds().width() < 1e-8, "{gain}");
        // On the boundary itself the bounds are as near, and say so.
        if n < 1000 {
            let bounds = margin((&w.to_dense(), &ones(n))).unwrap();
            assert!(bounds.bounds().width() < 1e-10 && bounds.bounds().contains(0.0), "{n}: {bounds}");
        }
    }
    // Slopes, and blocks one by one: a chain of rings.
    let n = 240;
    let mut w = Array2::<f64>::zeros((n, n));
    for i in 0..n {
        w[[i, if i % 4 == 3 { i - 3 } else { i + 1 }]] = 0.5 + 0.001 * (i / 4) as f64;
        if i >= 4 {
            w[[i, i - 4]] = 7.0;
        }
    }
    let rho = Array1::from_elem(n, 1.25);
    let bounds = margin((&w, &rho)).unwrap();
    let expected = 1.0 - 1.25 * (0.5 + 0.059);
    assert!((bounds.lower() - expected).abs() < 1e-10 && (bounds.upper() - expected).abs() < 1e-10, "{bounds}");
    bounds.verify((&w, &rho)).unwrap();
    assert!(certify((&w, &rho)).unwrap().is_stable());
    assert!(certify((&(1.5 * &w), &rho)).unwrap().is_not_stable());
}
