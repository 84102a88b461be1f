//! The ascent and the ladder of proofs, against the interior point, exact arithmetic and closed forms.

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, array};
use neuronash::Error;
use neuronash::stability::diagonal::{
    Certifier, Gain, LinearOperator, Method, Proof, Verdict, ascend, certify, max_gain,
};
use num_rational::BigRational;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sprs::{CsMat, TriMat};

use super::{exact, is_positive_definite, ones, scaled_connectomes};

fn sparse(w: &Array2<f64>) -> CsMat<f64> {
    CsMat::csr_from_dense(w.view(), 0.0)
}

/// Excitatory and inhibitory columns with weights over a few orders of magnitude.
fn circuit(n: usize, degree: usize, rng: &mut StdRng) -> Array2<f64> {
    let mut w = Array2::zeros((n, n));
    for i in 0..n {
        for _ in 0..degree {
            let j = rng.random_range(0..n);
            let sign = if j % 5 == 0 { -4.0 } else { 1.0 };
            w[[i, j]] += sign * (2.0 * rng.random::<f64>() - 1.0).exp() / (degree as f64).sqrt();
        }
    }
    w
}

/// A torus of `k` by `k` neurons: each is excited by one neighbour and inhibited by another, the same everywhere. Its weights
/// commute with translations, so that equal weights `D` are best and the largest gain is `1 / max_k Re(symbol)`.
fn torus(k: usize, excitation: f64, inhibition: f64) -> (CsMat<f64>, f64) {
    let n = k * k;
    let mut w = TriMat::new((n, n));
    for u in 0..k {
        for v in 0..k {
            w.add_triplet(k * u + v, k * ((u + 1) % k) + v, excitation);
            w.add_triplet(k * u + v, k * u + (v + 1) % k, -inhibition);
        }
    }
    let angle = |m: usize| 2.0 * std::f64::consts::PI * m as f64 / k as f64;
    let most = (0..k).map(|m| angle(m).cos()).fold(f64::MIN, f64::max);
    let least = (0..k).map(|m| angle(m).cos()).fold(f64::MAX, f64::min);
    (w.to_csr(), 1.0 / (excitation * most - inhibition * least))
}

/// The gain in linear time, which matrices of this size take if they are asked for a proof.
fn by_products(w: &CsMat<f64>, rho: &Array1<f64>) -> Gain {
    let certifier = Certifier::builder().proof(Proof::DenseCholesky).build().unwrap();
    let gain = certifier.max_gain((w, rho)).unwrap();
    gain.margin().verify((w, rho)).unwrap();
    gain
}

fn in_order(gain: &Gain) {
    assert!(gain.lower() <= gain.upper(), "{gain}");
}

#[test]
fn the_connectomes_gain_by_products_alone() {
    let [w, _] = scaled_connectomes();
    let n = w.nrows();
    let best = max_gain((&w, &ones(n))).unwrap();
    let found = ascend(&w, &ones(n), 150).unwrap();
    assert!(found.steps() <= 150);
    // Weights of components that do not feed back need far more steps to grow apart than the gain shows.
    let estimate = found.gain_estimate();
    assert!(estimate > 0.995 * best.lower() && estimate < 1.0001 * best.upper(), "{estimate} for {best}");
    let gain = by_products(&sparse(&w), &ones(n));
    in_order(&gain);
    assert!(gain.lower() > 0.995 * best.lower() && gain.lower() <= best.upper(), "{gain} for {best}");
    assert!(gain.upper() < 1.02 * best.upper() && gain.upper() >= best.lower(), "{gain} for {best}");
    assert_eq!(gain.error_probability(), None);
}

#[test]
fn bounds_of_random_circuits_enclose_those_of_the_interior_point() {
    let mut rng = StdRng::seed_from_u64(31);
    for (n, degree) in [(40, 4), (120, 20), (150, 3)] {
        let w = circuit(n, degree, &mut rng);
        let rho = Array1::from_shape_simple_fn(n, || rng.random_range(0.5..2.0));
        let best = max_gain((&w, &rho)).unwrap();
        let gain = by_products(&sparse(&w), &rho);
        in_order(&gain);
        assert!(gain.lower() <= best.upper() && gain.upper() >= best.lower(), "{gain} for {best}");
        assert!(gain.lower() > 0.98 * best.lower(), "{n}, {degree}: {gain} for {best}");
        assert!(gain.upper() < 1.1 * best.upper(), "{n}, {degree}: {gain} for {best}");
    }
}

#[test]
fn every_proof_holds_in_exact_arithmetic() {
    let mut rng = StdRng::seed_from_u64(5);
    let mut proved = 0;
    for case in 0..12 {
        let w = circuit(9, 3, &mut rng);
        for proof in [Proof::HMatrix, Proof::SparseCholesky, Proof::DenseCholesky, Proof::Randomised] {
            let certifier = Certifier::builder().proof(proof).build().unwrap();
            let gain = certifier.max_gain((&sparse(&w), &ones(9))).unwrap();
            in_order(&gain);
            gain.margin().verify((&sparse(&w), &ones(9))).unwrap();
            assert!(gain.proof().is_none_or(|used| used == proof));
            assert_eq!(gain.error_probability().is_some(), gain.proof() == Some(Proof::Randomised));
            if gain.lower() == 0.0 {
                continue;
            }
            proved += 1;
            let (g, d): (BigRational, Vec<_>) =
                (exact(gain.lower()), gain.margin().weights().expect("one block").iter().map(|&d| exact(d)).collect());
            let own = |i: usize, j: usize| exact(f64::from(i == j)) - &g * exact(w[[i, j]]);
            let s = Array2::from_shape_fn((9, 9), |(i, j)| &d[i] * own(i, j) + &d[j] * own(j, i));
            assert!(is_positive_definite(s), "case {case}, {proof}: {gain}");
        }
    }
    assert!(proved >= 36, "{proved} proved");
}

#[test]
fn a_torus_beyond_dense_methods() {
    let (w, best) = torus(64, 1.0, 3.0);
    let n = w.rows();
    let gain = max_gain((&w, &ones(n))).unwrap();
    assert!(gain.lower() <= best * (1.0 + 1e-12) && gain.upper() >= best * (1.0 - 1e-12), "{gain} for {best}");
    assert!(gain.lower() > 0.99 * best && gain.upper() < 1.01 * best, "{gain} for {best}");
    let scaled = |part: f64| w.map(|v| part * best * v);
    // The majorant knows no difference between excitation and inhibition, and here it loses nothing by it.
    let opposed = |part: f64| {
        let mut both = TriMat::new((n, n));
        scaled(part).iter().for_each(|(&v, (i, j))| both.add_triplet(i, j, v));
        // A skew part changes nothing about S, but the majorant sees it.
        for i in 0..n {
            both.add_triplet(i, (i + n / 2 + 7) % n, 2.0);
            both.add_triplet((i + n / 2 + 7) % n, i, -2.0);
        }
        both.to_csr::<usize>()
    };
    let certifier = Certifier::builder().proof(Proof::Randomised).seed(3).build().unwrap();
    let stable = opposed(0.95);
    let verdict = certifier.certify((&stable, &ones(n))).unwrap();
    let Verdict::AlmostSurelyStable(accepted) = &verdict else { panic!("{verdict}") };
    assert!(!verdict.is_stable() && verdict.certificate().is_none());
    assert!(accepted.error_probability() < 1e-20 && accepted.seed() == 3);
    assert!(accepted.margin_lower() > 0.4 * 0.05 && accepted.margin_lower() <= 0.05 + 1e-9, "{accepted}");
    accepted.verify((&stable, &ones(n))).unwrap();
    assert!(accepted.verify((&opposed(1.06), &ones(n))).is_err());
    let verdict = certify((&stable, &ones(n))).unwrap();
    let certificate = verdict.certificate().unwrap_or_else(|| panic!("{verdict}"));
    assert_eq!(certificate.method(), Method::Ascent);
    certificate.verify((&stable, &ones(n))).unwrap();
    assert!(certificate.verify((&opposed(1.06), &ones(n))).is_err());
    let verdict = certify((&scaled(1.02), &ones(n))).unwrap();
    let refutation = verdict.refutation().unwrap_or_else(|| panic!("{verdict}"));
    refutation.verify((&scaled(1.02), &ones(n))).unwrap();
    // In single precision, with entries that it holds exactly.
    let single = stable.map(|&v| v as f32);
    let verdict = certify((&single, &Array1::<f32>::ones(n))).unwrap();
    verdict.certificate().unwrap_or_else(|| panic!("{verdict}")).verify((&single, &Array1::<f32>::ones(n))).unwrap();
}

#[test]
fn units_of_neurons_do_not_matter() {
    let mut rng = StdRng::seed_from_u64(8);
    let w = circuit(60, 6, &mut rng);
    let unit: Vec<f64> = (0..60).map(|_| 10f64.powf(rng.random_range(-6.0..6.0))).collect();
    let scaled = Array2::from_shape_fn((60, 60), |(i, j)| w[[i, j]] * unit[i] / unit[j]);
    let (plain, other) = (by_products(&sparse(&w), &ones(60)), by_products(&sparse(&scaled), &ones(60)));
    in_order(&other);
    assert!((plain.lower() / other.lower() - 1.0).abs() < 0.01, "{plain}, {other}");
    // Isolated neurons, sources, sinks and a chain of components, whose couplings cost nothing.
    let mut parts = Array2::zeros((140, 140));
    for at in [5, 75] {
        parts.slice_mut(ndarray::s![at..at + 60, at..at + 60]).assign(&w);
    }
    parts[[0, 7]] = 50.0;
    parts[[80, 6]] = -300.0;
    parts[[90, 139]] = 1e3;
    let whole = by_products(&sparse(&parts), &ones(140));
    in_order(&whole);
    assert!((plain.lower() / whole.lower() - 1.0).abs() < 0.01, "{plain}, {whole}");
    assert!(whole.upper() < 1.1 * whole.lower(), "{whole}");
}

#[test]
fn a_large_dense_matrix_takes_the_ascent_first() {
    let mut rng = StdRng::seed_from_u64(77);
    let n = 420;
    let w = circuit(n, 12, &mut rng);
    let estimate = ascend(&w, &ones(n), 60).unwrap().gain_estimate();
    let w = w * (0.96 * estimate);
    let verdict = certify((&w, &ones(n))).unwrap();
    assert_eq!(verdict.method(), Method::Ascent, "{verdict}");
    verdict.certificate().unwrap().verify((&w, &ones(n))).unwrap();
}

/// Products that belong to no common matrix, or are none.
struct Broken(f64);

impl LinearOperator for Broken {
    fn size(&self) -> usize {
        3
    }
    fn apply(&self, x: ArrayView2<'_, f64>, mut out: ArrayViewMut2<'_, f64>) {
        out.assign(&x);
    }
    fn apply_transposed(&self, x: ArrayView2<'_, f64>, mut out: ArrayViewMut2<'_, f64>) {
        out.assign(&x.mapv(|v| self.0 * v));
    }
}

#[test]
fn bad_operators_are_errors() {
    let rho = ones(3);
    assert!(matches!(ascend(&Broken(1.001), &rho, 10), Err(Error::Invalid { argument, .. }) if argument == "operator"));
    assert!(
        matches!(ascend(&Broken(f64::NAN), &rho, 10), Err(Error::NonFinite { argument, .. }) if argument.contains("W'x"))
    );
    assert!((ascend(&Broken(1.0), &rho, 10).unwrap().gain_estimate() - 1.0).abs() < 1e-12);
    assert!(matches!(ascend(&Broken(1.0), &ones(2), 10), Err(Error::Shape { .. })));
    assert!(matches!(ascend(&Broken(1.0), &array![1.0, -1.0, 1.0], 10), Err(Error::Invalid { .. })));
    assert!(matches!(ascend(&Broken(1.0), &rho, 0), Err(Error::Invalid { .. })));
    let single = by_products(&sparse(&array![[0.5]]), &ones(1));
    assert!(
        single.lower() <= 2.0 && single.lower() > 1.9 && single.upper() >= 2.0 && single.upper() < 2.001,
        "{single}"
    );
}

/// `rho(W)` of a nonnegative matrix to many digits, by plain power steps on `W + I`.
fn spectral_radius(w: &sprs::CsMat<f64>) -> f64 {
    let mut v = Array1::<f64>::ones(w.rows());
    let mut radius = 0.0;
    for _ in 0..2000 {
        let mut next = v.clone();
        w.iter().for_each(|(&x, (i, j))| next[i] += x * v[j]);
        radius = next.iter().fold(0.0_f64, |m, &x| m.max(x));
        v = next / radius;
    }
    radius - 1.0
}

#[test]
fn the_gain_of_nonnegative_weights_is_their_perron_root() {
    let mut rng = StdRng::seed_from_u64(4);
    for n in [50, 3500] {
        let mut w = sprs::TriMat::new((n, n));
        for i in 0..n {
            for _ in 0..10 {
                w.add_triplet(i, rng.random_range(0..n), rng.random_range(0.0..1.0));
            }
        }
        let w = w.to_csr::<usize>();
        let gain = by_products(&w, &ones(n));
        let exact = spectral_radius(&w).recip();
        assert!(gain.lower() <= exact * (1.0 + 1e-12) && exact * (1.0 - 1e-12) <= gain.upper(), "{gain} for {exact}");
        assert!(gain.upper() / gain.lower() < 1.0 + 1e-8 && gain.error_probability().is_none(), "{gain}");
    }
    // A chain has no loop and is stable at every gain.
    let mut chain = sprs::TriMat::new((4, 4));
    (1..4).for_each(|i| chain.add_triplet(i, i - 1, 7.0));
    let gain = by_products(&chain.to_csr(), &ones(4));
    assert!(gain.upper() == f64::INFINITY && gain.lower() > 1e3, "{gain}");
}
