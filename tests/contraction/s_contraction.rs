use faer::Mat;
use ndarray::{Array1, Array2, array};
use neuronash::activation::{Relu, Tanh};
use neuronash::network::{FiringRateNetwork, HopfieldNetwork, Weights};
use neuronash::stability::contraction::{SContractingWeights, SContraction, SContractionOptions, s_contraction};
use num_rational::BigRational;
use num_traits::Signed;
use proptest::prelude::*;

use super::support::*;

/// Whether minus the block matrix of theory 4.3 is positive definite, in rational arithmetic.
fn block_holds_exactly(w: &Array2<f64>, c: &SContraction) -> bool {
    let n = w.nrows();
    let exact = |x: f64| BigRational::from_float(x).unwrap();
    let two = exact(2.0);
    let leak = &two * (exact(1.0) - exact(c.rate()));
    let corner = |i: usize, j: usize| exact(c.p()[[i, j]]) + exact(w[[j, i]]) * exact(c.q()[j]);
    let mut m = Array2::from_shape_fn((2 * n, 2 * n), |(i, j)| match (i < n, j < n) {
        (true, true) => &leak * exact(c.p()[[i, j]]),
        (true, false) => -corner(i, j - n),
        (false, true) => -corner(j, i - n),
        (false, false) => {
            if i == j {
                &two * exact(c.q()[i - n])
            } else {
                exact(0.0)
            }
        }
    });
    for k in 0..2 * n {
        if !m[[k, k]].is_positive() {
            return false;
        }
        for i in k + 1..2 * n {
            let factor = &m[[i, k]] / &m[[k, k]];
            for j in k + 1..2 * n {
                let update = &factor * &m[[k, j]];
                m[[i, j]] -= update;
            }
        }
    }
    true
}

/// `(|w| + Re w) / 2` at the numerical range of `Q^(1/2) W Q^(-1/2)`, by complex Hermitian eigenvalues on a fine grid.
fn parabola_radius(w: &Array2<f64>, q: &Array1<f64>) -> f64 {
    let n = w.nrows();
    let scaled = |i: usize, j: usize| (q[i] / q[j]).sqrt() * w[[i, j]];
    let mut top = 0.0f64;
    for k in 0..400 {
        let phi = std::f64::consts::FRAC_PI_2 * k as f64 / 400.0;
        let z = faer::c64::new(phi.cos() * phi.cos(), phi.cos() * phi.sin());
        let hermitian = Mat::from_fn(n, n, |i, j| {
            let (a, b) = (z * scaled(i, j), z.conj() * scaled(j, i));
            0.5 * (a + b)
        });
        top = top.max(*hermitian.self_adjoint_eigenvalues(faer::Side::Lower).unwrap().last().unwrap());
    }
    top
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn certificates_hold_and_bounds_meet(w in matrices(6), scale in 0.2..3.0f64) {
        let w = w * scale;
        let c = s_contraction(&w).unwrap();
        prop_assert!(w.nrows() > 4 || block_holds_exactly(&w, &c));
        prop_assert!(c.q().iter().all(|&q| q > 0.0));
        c.verify(&w).unwrap();
        let r = (1.0 - c.rate()).max(1.0);
        prop_assert!(c.best_rate().width() <= 1e-4 * r, "{:?}", c.best_rate());
        // The certificate's own Q explains its rate.
        prop_assert!((parabola_radius(&w, &c.q().to_owned()) - (1.0 - c.rate())).abs() <= 2e-3 * r);
    }

    #[test]
    fn no_diagonal_does_better_than_the_upper_bound(w in matrices(5), q in positive(5)) {
        let q = q.slice(ndarray::s![..w.nrows()]).to_owned();
        let c = s_contraction(&w).unwrap();
        // The grid misses the peak by little; the peak is what counts.
        prop_assert!(1.0 - parabola_radius(&w, &q) <= c.best_rate().upper + 1e-4);
    }

    #[test]
    fn symmetric_weights_have_the_closed_form(b in matrices(7), scale in 0.2..2.0f64) {
        let w = (&b + &b.t()) * (0.5 * scale);
        let c = s_contraction(&w).unwrap();
        let exact = 1.0 - largest_symmetric_eigenvalue(&w).max(0.0);
        prop_assert!(c.rate() <= exact + 1e-9 && exact <= c.best_rate().upper + 1e-9);
        prop_assert!((c.rate() - exact).abs() < 2e-6 * (2.0 - exact), "{} {exact}", c.rate());
    }

    #[test]
    fn generated_weights_are_certified_at_their_rate(
        b in matrices(5), s in matrices(5), q in positive(5), rate in -0.5..0.95f64, fill in 0.0..1.0f64,
    ) {
        let n = b.nrows();
        let p = b.dot(&b.t()) + 0.3 * Array2::<f64>::eye(n);
        let p = 0.5 * (&p + &p.t());
        let s = Array2::from_shape_fn((n, n), |(i, j)| s[[i % s.nrows(), j % s.nrows()]]);
        let size = largest_symmetric_eigenvalue(&s.t().dot(&s)).sqrt();
        let s = if size > 0.0 { s * (fill / size) } else { s };
        let q = q.slice(ndarray::s![..n]);
        let w = SContractingWeights::new(&p, &q, rate).unwrap().weights(&s).unwrap();
        let c = s_contraction(&w).unwrap();
        prop_assert!(c.best_rate().upper >= rate - 1e-9);
        prop_assert!(c.rate() >= rate - 1e-5 * (2.0 - rate), "{} < {rate}", c.rate());
    }

    #[test]
    fn transposing_the_weights_swaps_the_two_forms(w in matrices(6)) {
        let fr = FiringRateNetwork::builder(Weights::dense(&w).unwrap()).activation(Relu).build().unwrap();
        let hopfield = HopfieldNetwork::builder(Weights::dense(&w.t()).unwrap()).activation(Relu).build().unwrap();
        let (a, b) = (fr.s_contraction().unwrap(), hopfield.s_contraction().unwrap());
        prop_assert!((a.rate() - b.rate()).abs() < 1e-5 * (2.0 - a.rate()));
        a.verify(&fr).unwrap();
        b.verify(&hopfield).unwrap();
        prop_assert!(a.verify(&hopfield).is_err());
    }

    #[test]
    fn trajectories_contract_in_the_norm_of_p(
        w in matrices(5), tau in positive(5), common in any::<bool>(), gain in 0.3..1.5f64,
        x in proptest::collection::vec(-2.0..2.0f64, 5), y in proptest::collection::vec(-2.0..2.0f64, 5),
    ) {
        let n = w.nrows();
        let tau = if common { Array1::from_elem(n, tau[0]) } else { tau.slice(ndarray::s![..n]).to_owned() };
        let phi = Tanh::with_gain(gain).unwrap();
        let net = FiringRateNetwork::builder(Weights::dense(&w).unwrap()).time_constants(&tau).activation(phi).build().unwrap();
        let u = Array1::zeros(n);
        let fr = net.s_contraction().unwrap();
        fr.verify(&net).unwrap();
        let hopfield = net.to_hopfield().s_contraction().unwrap();
        hopfield.verify(&net.to_hopfield()).unwrap();
        let (a, b) = (firing_rate_flow(&w, &tau, &u, &phi), hopfield_flow(&w, &tau, &u, &phi));
        let flow_of = |first: bool, x: &Array1<f64>| if first { a(x) } else { b(x) };
        for (first, c) in [(true, &fr), (false, &hopfield)] {
            let flow = &|x: &Array1<f64>| flow_of(first, x);
            let norm = c.norm();
            let (mut x, mut y) = (Array1::from_vec(x[..n].to_vec()), Array1::from_vec(y[..n].to_vec()));
            let start = norm.eval(&(&x - &y)).unwrap();
            for step in 1..=100 {
                (x, y) = (rk4(flow, &x, 0.01), rk4(flow, &y, 0.01));
                let now = norm.eval(&(&x - &y)).unwrap();
                prop_assert!(now <= (-c.rate() * 0.01 * f64::from(step)).exp() * start * (1.0 + 1e-6));
            }
        }
    }
}

#[test]
fn stable_but_contracting_in_no_fixed_quadratic_norm() {
    let w = array![[0.0, 4.0], [-4.0, 0.0]];
    let c = s_contraction(&w).unwrap();
    assert!(!c.is_contracting());
    // Numerical range [-4i, 4i] for every Q that balances the pair: r = 2.
    assert!((c.rate() + 1.0).abs() < 1e-5 && (c.best_rate().upper + 1.0).abs() < 1e-5, "{:?}", c.best_rate());
}

#[test]
fn known_optima_of_small_matrices() {
    // A nilpotent coupling costs nothing in the limit; an inhibitory self-weight neither.
    let c = s_contraction(&array![[0.0, 3.0], [0.0, 0.0]]).unwrap();
    assert!(c.rate() > 0.99 && c.best_rate().upper <= 1.0, "{:?}", c.best_rate());
    let c = s_contraction(&array![[-2.0]]).unwrap();
    assert!(c.rate() > 1.0 - 1e-6 && c.best_rate().upper == 1.0);
    let c = s_contraction(&array![[0.25]]).unwrap();
    assert!((c.rate() - 0.75).abs() < 1e-6 && (c.best_rate().upper - 0.75).abs() < 1e-6);
    let c = s_contraction(&Array2::<f64>::zeros((3, 3))).unwrap();
    assert!(c.rate() > 1.0 - 1e-6);
}

#[test]
fn certificates_do_not_hold_for_other_weights() {
    let w = array![[0.1, -0.8], [0.9, 0.2]];
    let c = s_contraction(&w).unwrap();
    c.verify(&w).unwrap();
    assert!(c.verify(&(&w * 1.01)).is_err());
    assert!(c.verify(&Array2::<f64>::zeros((3, 3))).is_err());
    assert!(c.verify(&array![[f64::NAN, 0.0], [0.0, 0.0]]).is_err());
}

#[test]
fn time_constants_scale_the_rate_and_bad_options_are_refused() {
    let w = array![[0.1, -0.8], [0.9, 0.2]];
    let net = FiringRateNetwork::builder(Weights::dense(&w).unwrap()).time_constants(&array![0.01, 0.01]);
    let fast = net.activation(Relu).build().unwrap().s_contraction().unwrap();
    let slow = s_contraction(&w).unwrap();
    assert!((fast.rate() - 100.0 * slow.rate()).abs() < 1e-4 * fast.rate().abs());
    for tolerance in [0.0, 1.0, f64::NAN] {
        let error = SContractionOptions::default().tolerance(tolerance).solve(&array![[0.5]]).unwrap_err();
        assert!(error.to_string().contains("`tolerance`"), "{error}");
    }
    assert!(SContractingWeights::new(&array![[1.0]], &array![0.0], 0.5).is_err());
    assert!(SContractingWeights::new(&array![[1.0]], &array![1.0], 1.5).is_err());
    let family = SContractingWeights::new(&array![[1.0]], &array![1.0], 0.5).unwrap();
    assert!(family.weights(&array![[1.1]]).is_err());
}

#[test]
fn time_constants_without_a_reciprocal_end_the_search() {
    for tau in [array![5e-324, 1.0], array![5e-324, 6e-324], array![1.0, f64::MAX], array![1e-308, 1e308]] {
        let net = FiringRateNetwork::builder(array![[3.0, 1.0], [2.0, 0.5]]).time_constants(&tau).activation(Relu);
        let net = net.build().unwrap();
        if let Ok(c) = net.s_contraction() {
            c.verify(&net).unwrap();
        }
    }
}

#[test]
fn options_reach_every_kind_of_network() {
    let w = array![[0.3, -0.9], [0.7, -0.2]];
    let options = SContractionOptions::default().tolerance(1e-3);
    let net = FiringRateNetwork::builder(&w).activation(Tanh::new()).build().unwrap();
    // Slopes up to 1 and time constants 1: the network is its matrix.
    assert_eq!(options.solve(&net).unwrap(), options.solve(&w).unwrap());
    let hopfield = options.solve(&net.to_hopfield()).unwrap();
    hopfield.verify(&net.to_hopfield()).unwrap();
    let close = net.s_contraction().unwrap().best_rate();
    let loose = options.solve(&w).unwrap().best_rate();
    assert!(loose.lower <= close.upper && close.lower <= loose.upper && loose.width() <= 4e-3, "{close} {loose}");
}

#[test]
fn rates_agree_with_a_general_conic_solver() {
    let text = include_str!("../data/clarabel/s_contraction.csv");
    let mut count = 0;
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let n: usize = fields[0].parse().unwrap();
        let rate: f64 = fields[1].parse().unwrap();
        let entries = fields[3].split(' ').map(|v| v.parse::<f64>().unwrap()).collect();
        let w = Array2::from_shape_vec((n, n), entries).unwrap();
        let c = s_contraction(&w).unwrap();
        assert!((c.rate() - rate).abs() < 5e-6 && (c.best_rate().upper - rate).abs() < 5e-6, "{rate}: {c}");
        count += 1;
    }
    assert_eq!(count, 18);
}

#[test]
fn single_precision_weights_are_taken_exactly() {
    let w = array![[0.1f32, -0.8], [0.9, 0.2]];
    let double = w.mapv(f64::from);
    assert_eq!(s_contraction(&w).unwrap(), s_contraction(&double).unwrap());
    s_contraction(&w).unwrap().verify(&double).unwrap();
}
