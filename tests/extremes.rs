//! What is proved holds for the exact numbers, however large, small or near each other they are: against rational arithmetic.

use ndarray::{Array1, Array2, array};
use neuronash::Scalar;
use neuronash::activation::{ActivationCost, FromFn, Identity, Logistic, NakaRushton, Relu, SlopeRange, Tanh, from_fn};
use neuronash::circuits::balance::RegulationBound;
use neuronash::circuits::{LateralInhibition, WilsonCowan};
use neuronash::equilibrium::{Anderson, FixedPoint, ForwardBackward, Method, Newton, Outcome};
use neuronash::network::{FiringRate, FiringRateNetwork, NetworkBuilder};
use neuronash::stability::contraction::{Norm, log_norm};
use neuronash::stability::diagonal::{Verdict, certify};
use neuronash::stability::{Answer, Condition, NetworkCertificate, ReportOptions};
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

type Q = BigRational;

fn q(x: f64) -> Q {
    Q::from_float(x).unwrap()
}

/// Whether `bound` is at least `value`; an infinite bound is.
fn above(bound: f64, value: &Q) -> bool {
    bound == f64::INFINITY || q(bound) >= *value
}

fn below(bound: f64, value: &Q) -> bool {
    bound == f64::NEG_INFINITY || q(bound) <= *value
}

fn power_of_two(e: i32) -> f64 {
    2f64.powi(e / 2) * 2f64.powi(e - e / 2)
}

fn linear(slope: f64) -> FromFn<f64, impl Fn(f64) -> f64 + Clone> {
    from_fn("linear", move |z: f64| slope * z).with_slope_range(0.0, slope).unwrap()
}

#[test]
fn a_rate_in_a_norm_whose_weights_underflow() {
    let net = FiringRateNetwork::builder(array![[0.0, 1e5], [1e5, 0.0]])
        .activation(Relu)
        .time_constants(&array![1e30, 1e30])
        .build()
        .unwrap();
    let rate = net.contraction_rate_in(&Norm::weighted_l1(&array![1e-300, 1e-300]).unwrap()).unwrap();
    assert!(below(rate, &((Q::one() - q(1e5)) / q(1e30))), "{rate:e}");
}

#[test]
fn error_bounds_through_weights_whose_squares_underflow() {
    let net = FiringRateNetwork::builder(array![[0.0, 1e-162], [0.0, 0.999e-20]])
        .population("a", 0..1, linear(1e163))
        .population("b", 1..2, linear(1e20))
        .input(&array![0.0, 1e-20])
        .build()
        .unwrap();
    let certificate = net.certify().unwrap().into_certificate().unwrap();
    let bound = net.lyapunov(&certificate).unwrap().error_bound(&array![2e4, 2e3]).unwrap().unwrap();
    // The equilibrium: x_2 = 1000, x_1 = 10 x_2.
    let x_2 = q(1e20) * q(1e-20) / (Q::one() - q(1e20) * q(0.999e-20));
    let x_1 = q(1e163) * q(1e-162) * x_2;
    assert!(above(bound.largest, &(x_1 - q(2e4)).abs()), "{bound:?}");
}

#[test]
fn an_activation_that_is_as_inaccurate_as_it_may_be() {
    let unit = f64::from(f32::EPSILON);
    let phi = from_fn("worst", move |z: f32| (f64::from(z) * (1.0 - 32.0 * unit)) as f32);
    let net = FiringRateNetwork::builder(array![[0f32]])
        .activation(phi.with_slope_range(0.0, 1.0).unwrap())
        .input(&array![1f32])
        .build()
        .unwrap();
    let certificate = net.certify().unwrap().into_certificate().unwrap();
    let found = net.equilibrium().certificate(&certificate).solve().unwrap();
    let error = Q::one() - q(f64::from(found.rates()[0]));
    assert!(above(found.report().error_bound.as_ref().unwrap().largest, &error));
    let lyapunov = net.lyapunov(&certificate).unwrap();
    assert!(above(lyapunov.error_bound(&found.rates()).unwrap().unwrap().largest, &error));
}

fn unconnected(slopes: [f64; 2]) -> FiringRateNetwork<f64> {
    FiringRateNetwork::builder(Array2::zeros((2, 2)))
        .population("a", 0..1, Tanh::with_gain(slopes[0]).unwrap())
        .population("b", 1..2, Tanh::with_gain(slopes[1]).unwrap())
        .build()
        .unwrap()
}

#[test]
fn regulation_bounds_whose_parts_underflow() {
    let net = unconnected([1.0, 1e-30]);
    let certificate = net.certify_weights(&array![power_of_two(1000), power_of_two(-1000)]).unwrap();
    let bound = RegulationBound::new(&net, &certificate).unwrap();
    assert!(bound.populations[[1, 1]] >= 1e-30 && bound.populations[[1, 1]] < 1.001e-30, "{bound:?}");
    assert!(bound.populations[[0, 0]] >= 1.0 && bound.populations[[0, 0]] < 1.001, "{bound:?}");
}

#[test]
fn sensitivities_in_weights_that_underflow() {
    for e in 70..76 {
        let rho = 1.4 * power_of_two(e);
        let net = unconnected([1.0, rho]);
        let certificate = net.certify_weights(&array![power_of_two(1000), power_of_two(-1000)]).unwrap();
        let bound = net.lyapunov(&certificate).unwrap().sensitivity(&array![0.0, 1.0]).unwrap();
        let scaled = q(bound.weighted) * q(certificate.margin());
        assert!(scaled.clone() * scaled >= q(certificate.weights()[1]) * q(rho), "{bound:?}");
        // The equilibrium moves by rho at the most, in any norm.
        assert!(bound.largest >= rho && bound.largest < 1.001 * rho, "{bound:?}");
    }
}

#[test]
fn sensitivities_to_the_smallest_changes() {
    let net = FiringRateNetwork::builder(array![[0.0]]).activation(linear(5.0)).build().unwrap();
    let certificate = net.certify().unwrap().into_certificate().unwrap();
    for units in 1..6 {
        let bound = net.lyapunov(&certificate).unwrap().sensitivity(&array![f64::from_bits(units)]).unwrap();
        assert!(bound.largest >= f64::from_bits(5 * units), "{bound:?}");
    }
}

#[test]
fn d_stability_is_not_refuted_by_a_rounded_diagonal() {
    let h = 1.0 / 3.0f64;
    let ulp = h.next_up() - h;
    let (w, c) = (h - ulp, 1.2 * ulp);
    let diagonal = q(w) - Q::new(1.into(), 3.into());
    assert!(diagonal.is_negative() && diagonal.clone() * diagonal > q(c) * q(c), "D-stable");
    let net =
        FiringRateNetwork::builder(array![[w, c], [c, w]]).activation(Tanh::with_gain(3.0).unwrap()).build().unwrap();
    let only = ReportOptions::default().only(&[Condition::DStability, Condition::PMatrix]);
    for finding in only.report(&net).unwrap().findings() {
        assert_ne!(finding.answer, Answer::Fails, "{:?}", finding.condition);
    }
}

#[test]
fn euclidean_log_norms_where_products_underflow() {
    for k in 0..200 {
        let a = 1e-172 * (1.0 + 0.0173 * f64::from(k));
        for weight in [1e300, 1.0, 1e-300] {
            let bounds = log_norm(&array![[a]], &Norm::weighted_l2(&array![weight]).unwrap()).unwrap();
            assert!(bounds.contains(a), "{a:e}, {weight:e}: {bounds}");
        }
    }
}

#[test]
fn slope_bounds_are_rounded_upward() {
    for bits in 1..40 {
        let gain = f32::from_bits(bits);
        let slope = Logistic::with_gain(gain).unwrap().slope_range().max;
        assert!(4.0 * f64::from(slope) >= f64::from(gain));
        let slope = NakaRushton::new(gain, 3.0, 1.0).unwrap().slope_range().max;
        assert!(3.0 * f64::from(slope) >= f64::from(gain));
    }
    let slope = NakaRushton::new(1.0, 1.0, 1_298_792_846_452_812.8).unwrap().slope_range().max;
    assert!((324_698_211_613_203.2..324_698_211_613_210.0).contains(&slope), "{slope}");
    // At k = 3 the largest slope is r/(12 s) 4^(4/3) 2^(2/3) = r/(12 s) 2^(10/3), and at k = 2 it is r/(8 s) 3^(3/2).
    for (r, s) in [(1.0, 1.0), (7.0, 0.3), (1e-308, 3.0), (1e300, 1e290), (1e-200, 1e120), (1e-320, 1e-3)] {
        let slope = |k: f64| q(NakaRushton::new(r, s, k).unwrap().slope_range().max) * q(s) / q(r);
        assert!((q(12.0) * slope(3.0)).pow(3) >= q(1024.0));
        assert!((q(8.0) * slope(2.0)).pow(2) >= q(27.0));
        assert!(slope(1.0) >= Q::one());
    }
}

/// The logistic function of the exact `gain (z - threshold)`.
fn exact_logistic<A: Scalar>(gain: A, threshold: A, z: A) -> f64 {
    let t = q(gain.to_double()) * (q(z.to_double()) - q(threshold.to_double()));
    let near = t.to_f64().unwrap();
    let rest = (t - q(near)).to_f64().unwrap();
    let e = (-near.abs()).exp();
    if near > 0.0 { 1.0 / (1.0 + e) } else { (e + e * rest) / (1.0 + e) }
}

fn logistic_is_accurate<A: Scalar>(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..2000 {
        let (gain, threshold) = (A::of(random.random_range(0.1..3.0)), A::of(random.random_range(0.0..400.0)));
        let z =
            A::of([0.0, random.random_range(-3.0..3.0), random.random_range(-500.0..500.0)][random.random_range(0..3)]);
        let phi = Logistic::with_gain_and_threshold(gain, threshold).unwrap();
        let (found, exact) = (phi.activate(z).to_double(), exact_logistic(gain, threshold, z));
        let drive = phi.slope_range().max.to_double() * z.to_double().abs();
        let allowed = 16.0 * A::epsilon().to_double() * (exact + drive) + A::min_positive_value().to_double();
        assert!((found - exact).abs() <= allowed, "{gain} {threshold} {z}: {found:e}, not {exact:e}");
    }
}

#[test]
fn logistic_rates_far_below_the_threshold_keep_their_digits() {
    logistic_is_accurate::<f64>(1);
    logistic_is_accurate::<f32>(2);
    let phi = Logistic::with_gain_and_threshold(0.3, 333.4).unwrap();
    let exact = exact_logistic(0.3, 333.4, 0.0);
    assert!((phi.activate(0.0) - exact).abs() <= 4.0 * f64::EPSILON * exact);
}

#[test]
fn naka_rushton_rates_at_inputs_whose_quotient_underflows() {
    let phi = NakaRushton::new(1e300, 1e200, 1.0).unwrap();
    let z = 1.234_567e-120;
    assert!((phi.activate(z) / (z * 1e100) - 1.0).abs() < 16.0 * f64::EPSILON);
}

#[test]
fn guaranteed_decay_is_rounded_down_and_its_envelope_up() {
    let (w, tau) = (f64::from_bits(0x3fef_ffd5_2278_7efe), 2.971_061_453_727_717_4e307);
    let net = FiringRateNetwork::builder(array![[w]]).activation(Relu).time_constants(&array![tau]).build().unwrap();
    let certificate = net.certify().unwrap().into_certificate().unwrap();
    let lyapunov = net.lyapunov(&certificate).unwrap();
    let rate = lyapunov.decay_rate();
    assert!(q(rate) * q(tau) <= q(2.0) * q(certificate.margin()), "{rate:e}");
    // Above the tangent 1 - rate t of the exponential, and never 0.
    for t in [tau, 1e300, 0.0] {
        assert!(above(lyapunov.envelope(1.0, t).unwrap(), &(Q::one() - q(rate) * q(t))));
    }
    let slow = FiringRateNetwork::builder(array![[0f32]]).activation(Relu).build().unwrap();
    let certificate = slow.certify().unwrap().into_certificate().unwrap();
    assert!(slow.lyapunov(&certificate).unwrap().envelope(1.0, 1e6).unwrap() > 0.0);
}

#[derive(Debug)]
struct Falling;

impl ActivationCost<f64> for Falling {
    fn name(&self) -> String {
        "falling".into()
    }
    fn activate(&self, z: f64) -> f64 {
        -z.tanh()
    }
    fn slope_range(&self) -> SlopeRange<f64> {
        SlopeRange::exact(-1.0, 1.0)
    }
}

/// Decreases between two neighbouring samples only.
#[derive(Debug)]
struct Secretive;

impl ActivationCost<f64> for Secretive {
    fn name(&self) -> String {
        "secretive".into()
    }
    fn activate(&self, z: f64) -> f64 {
        z - 2.0 * (z - 1.05).clamp(0.0, 1e-3) + 2.0 * (z - 1.06).clamp(0.0, 1e-3)
    }
    fn slope_range(&self) -> SlopeRange<f64> {
        SlopeRange::exact(-1.0, 3.0)
    }
}

#[test]
fn decreasing_activations_are_not_certified() {
    // It would have two stable equilibria, at x = tanh(3 x).
    let built = FiringRateNetwork::builder(array![[-3.0]]).activation(Falling).build();
    let error = built.unwrap_err().to_string();
    assert!(error.contains("falling") && error.contains("do not decrease"), "{error}");
    // One that samples do not show to decrease is refused by what it says of itself.
    let net = FiringRateNetwork::builder(array![[-3.0]]).activation(Secretive).build().unwrap();
    let error = net.certify().unwrap_err().to_string();
    assert!(error.contains("secretive") && error.contains("do not decrease"), "{error}");
    assert!(net.contraction_rate_in(&Norm::linf()).is_err());
}

#[test]
fn the_switch_of_a_wilson_cowan_circuit_is_found_exactly() {
    let mut random = StdRng::seed_from_u64(5);
    let circuit = |w_ee: f64, gain: f64| {
        WilsonCowan::builder().w_ee(w_ee).w_ei(1.0).excitatory(Tanh::with_gain(gain).unwrap()).build().unwrap()
    };
    for k in 0..300 {
        let gain: f64 = if k == 0 { 3.0 } else { random.random_range(0.2..9.0) };
        for w_ee in [(1.0 / gain).next_down(), 1.0 / gain, (1.0 / gain).next_up()] {
            let stable = q(w_ee) * q(gain) < Q::one();
            let circuit = circuit(w_ee, gain);
            assert_eq!(circuit.is_diagonally_stable().unwrap(), stable, "{w_ee} {gain}");
            if stable {
                let weights = circuit.certifying_weights().unwrap().unwrap();
                assert!(weights.iter().all(|w| w.is_finite() && *w > 0.0), "{weights:?}");
            }
        }
    }
}

#[test]
fn lateral_inhibition_is_never_decided_against_a_proof() {
    let check = |circuit: &LateralInhibition<f64>| {
        let claimed = circuit.is_diagonally_stable().unwrap();
        match certify((&circuit.weights(), &Array1::ones(2 * circuit.columns()))).unwrap() {
            Verdict::Stable(_) => assert!(claimed, "{circuit}"),
            Verdict::NotStable(_) => assert!(!claimed, "{circuit}"),
            _ => {}
        }
    };
    let of = |k: usize, [a, own, lateral, c, e]: [f64; 5]| {
        LateralInhibition::builder(k).w_ee(a).w_ei(own).w_ei_lateral(lateral).w_ie(c).w_ii(e).build().unwrap()
    };
    check(&of(
        2,
        [
            0.991_788_258_739_959_5,
            187_089_429_127_221.25,
            117.103_632_117_294_18,
            522_637_789_603_242.4,
            1_166_066.672_809_466_7,
        ],
    ));
    let mut random = StdRng::seed_from_u64(9);
    for _ in 0..60 {
        let weights = [0.0, 1.0, 1.0, 1.0, 1.0].map(|scale| scale * random.random_range(0.0..3.0f64));
        let circuit = of(random.random_range(2..4), weights);
        // At the boundary, and a few roundings from it.
        let margin = circuit.margin().unwrap();
        if (0.0..1.0).contains(&margin) {
            for nudge in [-4.0, -1.0, 0.0, 1.0, 4.0] {
                let w_ee = margin * (1.0 + nudge * f64::EPSILON);
                check(&circuit.clone().to_builder().w_ee(w_ee).build().unwrap());
            }
        }
    }
}

/// ReLU makes a rate of 0 of a drive of minus infinity, which is no number that a neuron can rest at.
#[test]
fn an_equilibrium_whose_drive_overflows_is_none() {
    let w = array![[0.0, 0.0, 0.0], [0.9, 0.0, 0.0], [0.0, f64::MIN, 0.0]];
    let net = FiringRateNetwork::builder(w).activation(Relu).input(&array![0.0, 2.0, 0.0]).build().unwrap();
    let hopfield = net.to_hopfield();
    let methods: [Method; 5] = [
        Method::Auto,
        FixedPoint::new().into(),
        Anderson::new().into(),
        ForwardBackward::new().into(),
        Newton::new().into(),
    ];
    for method in methods {
        for outcome in [net.equilibrium().method(method).outcome(), hopfield.equilibrium().method(method).outcome()] {
            assert!(matches!(outcome, Err(_) | Ok(Outcome::NotConverged(_))), "{method:?}");
        }
    }
}

/// Positive numbers from the smallest to the largest, of usual size as often.
fn magnitudes() -> impl Strategy<Value = f64> {
    prop_oneof![
        2 => (1.0..2.0f64, -1074i32..1023).prop_map(|(m, e)| m * power_of_two(e)),
        2 => 0.1..10.0f64,
        1 => prop_oneof![Just(f64::from_bits(1)), Just(1e308), Just(f64::MIN_POSITIVE), Just(1.0), Just(1e-160), Just(1e160)],
    ]
    .prop_map(|x| x.max(f64::from_bits(1)))
}

fn entries() -> impl Strategy<Value = f64> {
    prop_oneof![1 => Just(0.0), 4 => (magnitudes(), any::<bool>()).prop_map(|(x, negative)| if negative { -x } else { x })]
}

fn vectors(n: usize) -> impl Strategy<Value = Array1<f64>> {
    proptest::collection::vec(magnitudes(), n).prop_map(Array1::from_vec)
}

fn matrices(n: usize) -> impl Strategy<Value = Array2<f64>> {
    proptest::collection::vec(entries(), n * n).prop_map(move |v| Array2::from_shape_vec((n, n), v).unwrap())
}

/// `sum_{j != i} |m_ij| h_j`.
fn off_diagonal(m: &Array2<f64>, i: usize, h: impl Fn(usize) -> Q) -> Q {
    (0..m.ncols()).filter(|&j| j != i).map(|j| q(m[[i, j]]).abs() * h(j)).sum()
}

/// The slope-restricted rectifier `max(0, rho z)`, exact for powers of two unless it underflows or overflows.
fn rectifier(rho: f64) -> FromFn<f64, impl Fn(f64) -> f64 + Clone> {
    from_fn("rectifier", move |z: f64| if z > 0.0 { rho * z } else { 0.0 }).with_slope_range(0.0, rho).unwrap()
}

fn rectified(w: &Array2<f64>, rho: &Array1<f64>, tau: &Array1<f64>, u: &Array1<f64>) -> FiringRateNetwork<f64> {
    let builder = FiringRateNetwork::builder(w.clone()).time_constants(tau).input(u);
    let add = |builder: NetworkBuilder<f64, FiringRate>, (i, &rho): (usize, &f64)| {
        builder.population(format!("{i}"), i..i + 1, rectifier(rho))
    };
    rho.iter().enumerate().fold(builder, add).build().unwrap()
}

/// The solution of `M x = b` with `M` of positive principal minors.
fn solved(mut m: Array2<Q>, mut b: Vec<Q>) -> Option<Vec<Q>> {
    let n = b.len();
    for k in 0..n {
        if m[[k, k]].is_zero() {
            return None;
        }
        for i in 0..n {
            if i != k && !m[[i, k]].is_zero() {
                let f = &m[[i, k]] / &m[[k, k]];
                for j in 0..n {
                    let d = &f * &m[[k, j]];
                    m[[i, j]] -= d;
                }
                let d = &f * &b[k];
                b[i] -= d;
            }
        }
    }
    Some((0..n).map(|i| &b[i] / &m[[i, i]]).collect())
}

/// The equilibrium `x = max(0, R (W x + u))`, by trying every set of active neurons.
fn equilibrium(w: &Array2<f64>, rho: &Array1<f64>, u: &Array1<f64>) -> Option<Vec<Q>> {
    let n = u.len();
    (0..1usize << n).find_map(|active| {
        let on = |i: usize| active >> i & 1 == 1;
        let m = Array2::from_shape_fn((n, n), |(i, j)| {
            let identity = if i == j { Q::one() } else { Q::zero() };
            if on(i) { identity - q(rho[i]) * q(w[[i, j]]) } else { identity }
        });
        let x = solved(m, (0..n).map(|i| if on(i) { q(rho[i]) * q(u[i]) } else { Q::zero() }).collect())?;
        let drive = |i: usize| (0..n).map(|j| q(w[[i, j]]) * &x[j]).sum::<Q>() + q(u[i]);
        let consistent = |i: usize| if on(i) { !drive(i).is_negative() } else { !drive(i).is_positive() };
        (0..n).all(consistent).then_some(x)
    })
}

/// Weights that are certified at any scales: `W = R^{-1} S B S^{-1}` with a small `B`, the entries rounded.
#[derive(Debug, Clone)]
struct Certified {
    w: Array2<f64>,
    rho: Array1<f64>,
    u: Array1<f64>,
    x: Array1<f64>,
}

fn certified() -> impl Strategy<Value = Certified> {
    (1..4usize, prop_oneof![Just(40), Just(200), Just(500)]).prop_flat_map(|(n, range)| {
        let powers = move || proptest::collection::vec(-range..range, n);
        let small = proptest::collection::vec(prop_oneof![1 => Just(0.0), 2 => -0.4..0.4f64], n * n);
        (small, powers(), powers(), vectors(n), matrices(n)).prop_map(
            move |(b, s, rho, u, x): (Vec<f64>, Vec<i32>, Vec<i32>, _, Array2<f64>)| {
                let w = Array2::from_shape_fn((n, n), |(i, j)| {
                    [s[i], -s[j], -rho[i]].into_iter().fold(b[i * n + j], |w, e| w * power_of_two(e))
                });
                let rho = rho.into_iter().map(power_of_two).collect();
                Certified { w, rho, u, x: x.row(0).to_owned() }
            },
        )
    })
}

fn weighted_square(certificate: &NetworkCertificate, v: &[Q]) -> Q {
    let weights = certificate.weights().to_vec().into_iter().zip(certificate.slope_bounds().to_vec());
    weights.zip(v).map(|((d, rho), v)| q(d) / q(rho) * v * v).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn log_norms_and_rates((a, v, rho, tau) in (1..4usize).prop_flat_map(|n| (matrices(n), vectors(n), vectors(n), vectors(n)))) {
        let n = a.nrows();
        let linf = |m: &Array2<f64>| {
            let row = |i: usize| q(m[[i, i]]) + off_diagonal(m, i, |j| q(v[j])) / q(v[i]);
            (0..n).map(row).max().unwrap()
        };
        let transposed = a.t().to_owned();
        for (norm, exact) in [
            (Norm::weighted_linf(&v).unwrap(), linf(&a)),
            (Norm::weighted_l1(&v).unwrap(), linf(&transposed)),
        ] {
            let bounds = log_norm(&a, &norm).unwrap();
            prop_assert!(below(bounds.lower, &exact) && above(bounds.upper, &exact), "{}: {}", norm, bounds);
        }
        // Its first guess, an eigenvalue, may overflow.
        if let Ok(euclidean) = log_norm(&a, &Norm::weighted_l2(&v).unwrap()) {
            prop_assert!(euclidean.lower <= euclidean.upper, "{}", euclidean);
            let least = a.diag().iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(least <= euclidean.upper, "{} for {:e}", euclidean, least);
            prop_assert!(n > 1 || euclidean.lower <= least, "{} for {:e}", euclidean, least);
        }
        let net = rectified(&a, &rho, &tau, &Array1::zeros(n));
        let leak = |i: usize, gain: Q| (Q::one() - gain.max(Q::zero())) / q(tau[i]);
        let outer = |i: usize| leak(i, q(rho[i]) * (q(a[[i, i]]) + off_diagonal(&a, i, |j| q(v[j])) / q(v[i])));
        let inner = |i: usize| {
            let g = |j: usize| q(v[j]) / q(tau[j]);
            let own = (q(rho[i]) * q(a[[i, i]])).max(Q::zero());
            leak(i, own + off_diagonal(&transposed, i, |j| q(rho[j]) * g(j)) / g(i))
        };
        let rate = |norm: &Norm| net.contraction_rate_in(norm).unwrap();
        let (first, second) = (rate(&Norm::weighted_linf(&v).unwrap()), rate(&Norm::weighted_l1(&v).unwrap()));
        prop_assert!(below(first, &(0..n).map(outer).min().unwrap()), "{:e}", first);
        prop_assert!(below(second, &(0..n).map(inner).min().unwrap()), "{:e}", second);
    }

    #[test]
    fn bounds_of_certified_networks(Certified { w, rho, u, x } in certified()) {
        prop_assume!(w.iter().all(|v| v.is_finite()));
        let net = rectified(&w, &rho, &Array1::ones(u.len()), &u);
        let Ok(certificate) = net.certify().unwrap().into_certificate() else { return Ok(()) };
        let lyapunov = net.lyapunov(&certificate).unwrap();
        let rest = equilibrium(&w, &rho, &u).unwrap();
        // Without input the equilibrium is 0.
        let moved = lyapunov.sensitivity(&u).unwrap();
        prop_assert!(rest.iter().all(|x| above(moved.largest, x)), "{:?} for {:?}", moved, rest);
        if moved.weighted.is_finite() {
            prop_assert!(q(moved.weighted).pow(2) >= weighted_square(&certificate, &rest), "{:?}", moved);
        }
        let near = Array1::from_iter(rest.iter().map(|x| x.to_f64().unwrap()));
        for x in [&x, &near] {
            if x.iter().any(|x| !x.is_finite()) {
                continue;
            }
            let Some(bound) = lyapunov.error_bound(x).unwrap() else { continue };
            let error: Vec<Q> = x.iter().zip(&rest).map(|(&x, rest)| (q(x) - rest).abs()).collect();
            prop_assert!(error.iter().all(|e| above(bound.largest, e)), "{:?} for {:?}", bound, x);
            prop_assert!(q(bound.weighted).pow(2) >= weighted_square(&certificate, &error), "{:?}", bound);
        }
    }
}

#[test]
fn the_identity_is_certified_at_every_scale() {
    // The attack above is not empty: scales leave the certificate as it is.
    for e in [-400, 0, 400] {
        let w = array![[0.25, power_of_two(e)], [-power_of_two(-e), 0.25]];
        let net = FiringRateNetwork::builder(w).activation(Identity).build().unwrap();
        assert!(net.certify().unwrap().into_certificate().unwrap().margin() > 0.7);
    }
}
