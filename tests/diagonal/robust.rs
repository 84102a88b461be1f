//! Boxes of matrices: closed forms, and every vertex in exact arithmetic.

use ndarray::{Array1, Array2, array};
use neuronash::Error;
use neuronash::network::UncertainWeights;
use neuronash::stability::robust::{RobustCertificate, RobustVerdict};
use num_rational::BigRational;
use num_traits::{Signed, Zero};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn exact(x: f64) -> BigRational {
    BigRational::from_float(x).unwrap()
}

/// Whether a symmetric matrix of rationals is positive definite, by elimination.
fn is_definite(mut m: Vec<Vec<BigRational>>) -> bool {
    for k in 0..m.len() {
        if !m[k][k].is_positive() {
            return false;
        }
        let (done, rest) = m.split_at_mut(k + 1);
        let pivot = &done[k];
        for row in rest {
            let factor = &row[k] / &pivot[k];
            row.iter_mut().zip(pivot).skip(k).for_each(|(entry, above)| *entry -= &factor * above);
        }
    }
    true
}

/// `sym(D (R^{-1} - W)) > delta D R^{-1}` for a matrix, exactly.
fn holds(certificate: &RobustCertificate, w: &[Vec<BigRational>]) -> bool {
    let n = w.len();
    let d: Vec<BigRational> = certificate.weights().iter().map(|d| exact(*d)).collect();
    let rho: Vec<BigRational> = certificate.slope_bounds().iter().map(|r| exact(*r)).collect();
    let room = exact(2.0) * (exact(1.0) - exact(certificate.margin()));
    let entry = |i: usize, j: usize| {
        let leak = if i == j { &room * &d[i] / &rho[i] } else { BigRational::zero() };
        leak - &d[i] * &w[i][j] - &d[j] * &w[j][i]
    };
    is_definite((0..n).map(|i| (0..n).map(|j| entry(i, j)).collect()).collect())
}

fn vertex(of: &UncertainWeights, mut up: impl FnMut() -> bool) -> Vec<Vec<BigRational>> {
    let n = of.len();
    let mut entry = |i: usize, j: usize| {
        let (c, r) = (exact(of.centre()[[i, j]]), exact(of.radius()[[i, j]]));
        if up() { c + r } else { c - r }
    };
    (0..n).map(|i| (0..n).map(|j| entry(i, j)).collect()).collect()
}

fn random(rng: &mut StdRng, n: usize) -> UncertainWeights {
    let centre = Array2::from_shape_fn((n, n), |(i, j)| {
        let inhibits = if j % 2 == 1 { -1.0 } else { 1.0 };
        rng.random_range(0.0..1.2) * inhibits - if i == j { 0.4 } else { 0.0 }
    });
    let radius = centre.mapv(|c: f64| 0.1 * c.abs() + 0.02);
    UncertainWeights::new(&centre, &radius).unwrap()
}

#[test]
fn every_vertex_keeps_the_margin() {
    let mut rng = StdRng::seed_from_u64(1);
    let mut stable = 0;
    for round in 0..24 {
        let n = 2 + round % 3;
        let rough = random(&mut rng, n);
        let rho = Array1::from_shape_fn(n, |_| rng.random_range(0.5..1.5));
        match rough.certify(&rho).unwrap() {
            RobustVerdict::Stable(certificate) => {
                stable += 1;
                certificate.verify(&rough).unwrap();
                if n == 2 {
                    for bits in 0..16 {
                        let mut k = 0;
                        let w = vertex(&rough, || {
                            k += 1;
                            bits >> (k - 1) & 1 == 1
                        });
                        assert!(holds(&certificate, &w));
                    }
                } else {
                    (0..20).for_each(|_| assert!(holds(&certificate, &vertex(&rough, || rng.random()))));
                }
                let some = rng.random_range(0..n);
                let members = [some, (some + 1) % n];
                let part = certificate.restricted_to(&members).unwrap();
                part.verify(&rough.restricted_to(&members).unwrap()).unwrap();
                assert_eq!(part.margin(), certificate.margin());
            }
            RobustVerdict::NotStable(refutation) => refutation.verify((&rough.centre(), &rho)).unwrap(),
            RobustVerdict::Undecided(multiple) => {
                assert!(multiple < 1.0);
                if multiple > 1e-3 {
                    let widest = rough.certified_radius(&rho).unwrap().unwrap();
                    assert!(widest.multiple() < 1.0 && widest.multiple() > 0.5 * multiple);
                }
            }
        }
    }
    assert!(stable >= 9, "{stable}");
}

#[test]
fn unknown_signs_are_certified_up_to_the_perron_root() {
    let mut rng = StdRng::seed_from_u64(3);
    for n in [1, 2, 5, 9] {
        let w = Array2::from_shape_fn((n, n), |_| rng.random_range(-1.0..1.0));
        // The Perron root of R |W|, by powers.
        let rho = Array1::from_shape_fn(n, |_| rng.random_range(0.5..2.0));
        let m = &w.mapv(f64::abs) * &rho.view().insert_axis(ndarray::Axis(1));
        let mut v = Array1::<f64>::ones(n);
        let mut root = 0.0;
        for _ in 0..2000 {
            let next = m.dot(&v);
            root = next.sum() / v.sum();
            v = &next / next.sum();
        }
        let widest = UncertainWeights::unknown_signs(&w).unwrap().certified_radius(&rho).unwrap().unwrap();
        let ratio = widest.multiple() * root;
        assert!(ratio < 1.0 && ratio > 0.999, "{n}: {ratio}");
    }
}

#[test]
fn the_widest_box_is_proved_and_a_wider_one_holds_an_unstable_matrix() {
    // |w_ij| <= t for all entries: stable exactly for t < 1/n.
    for n in [2, 4] {
        let all = UncertainWeights::new(&Array2::<f64>::zeros((n, n)), &Array2::<f64>::ones((n, n))).unwrap();
        let widest = all.certified_radius(&Array1::<f64>::ones(n)).unwrap().unwrap();
        assert!((widest.multiple() * n as f64 - 1.0).abs() < 1e-4, "{}", widest.multiple());
        widest.certificate().verify(&all.with_radius_times(widest.multiple()).unwrap()).unwrap();
        let wider = all.with_radius_times(1.001 / n as f64).unwrap();
        assert!(matches!(wider.certify(&Array1::<f64>::ones(n)).unwrap(), RobustVerdict::Undecided(_)));
    }
}

#[test]
fn missing_synapses_are_boxes_that_hold_zero() {
    let w = array![[0.2, -3.0], [2.0, 0.1]];
    let known = UncertainWeights::new(&w, &Array2::<f64>::zeros((2, 2))).unwrap();
    let missing = known.or_missing().unwrap();
    assert!(missing.contains(&w) && missing.contains(&Array2::<f64>::zeros((2, 2))));
    assert!(missing.contains(&array![[0.2, 0.0], [2.0, 0.0]]) && !missing.contains(&array![[0.2, 0.1], [2.0, 0.0]]));
    let (low, high) = (array![[0.1, -0.3], [0.7, 1e-9]], array![[0.3, -0.1], [1.1, 1e9]]);
    let rough = UncertainWeights::between(&low, &high).unwrap();
    assert!(rough.contains(&low) && rough.contains(&high));
    let strong = certificate(&missing);
    assert!(matches!(strong, Err(Error::NotCertified { .. })), "{strong:?}");
    let weak = UncertainWeights::new(&array![[0.2, -0.7], [0.7, 0.1]], &Array2::<f64>::zeros((2, 2))).unwrap();
    certificate(&weak.or_missing().unwrap()).unwrap();
}

fn certificate(of: &UncertainWeights) -> neuronash::Result<RobustCertificate> {
    of.certify(&Array1::<f64>::ones(of.len()))?.into_certificate()
}

#[test]
fn bad_boxes_are_named() {
    let zeros = Array2::<f64>::zeros((2, 2));
    let fails = |found: neuronash::Result<UncertainWeights>, name: &str| match found.unwrap_err() {
        Error::Invalid { argument, .. } | Error::Shape { argument, .. } | Error::NonFinite { argument, .. } => {
            assert_eq!(argument, name);
        }
        other => panic!("{other}"),
    };
    fails(UncertainWeights::new(&zeros, &array![[0.0, 0.0], [-1.0, 0.0]]), "radius[1, 0]");
    fails(UncertainWeights::new(&zeros, &Array2::<f64>::zeros((3, 3))), "radius");
    fails(UncertainWeights::new(&array![[f64::NAN]], &array![[0.0]]), "centre");
    fails(UncertainWeights::between(&array![[1.0]], &array![[0.0]]), "lower[0, 0]");
    fails(UncertainWeights::new(&zeros, &zeros).unwrap().with_radius_times(-1.0), "factor");
    fails(UncertainWeights::new(&zeros, &zeros).unwrap().restricted_to(&[0, 2]), "members[1]");
    assert!(certificate(&UncertainWeights::new(&zeros, &zeros).unwrap()).unwrap().restricted_to(&[1, 1]).is_err());
}
