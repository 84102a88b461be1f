//! Lyapunov diagonal stability: verdicts against closed forms, proofs against exact rational arithmetic.

use ndarray::Array2;
use neuronash::stability::diagonal::{Certificate, Refutation, Verdict, certify};
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

/// `(A Y Y')_ii >= 0` for all `i` and `Y != 0`, in exact arithmetic.
fn refutes(r: &Refutation, a: &Array2<BigRational>) -> bool {
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
            let (lower, upper) = u.bounds();
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
