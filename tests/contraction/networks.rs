use ndarray::{Array1, Array2, array};
use neuronash::activation::{Relu, Tanh};
use neuronash::network::{FiringRateNetwork, HopfieldNetwork, Weights};
use neuronash::stability::contraction::{Norm, NormKind, log_norm, perron};
use proptest::prelude::*;

use super::support::*;
use crate::connectome::scaled_connectomes;

const KINDS: [NormKind; 2] = [NormKind::One, NormKind::Infinity];

fn tanh(gain: f64) -> Tanh<f64> {
    Tanh::with_gain(gain).unwrap()
}

#[derive(Debug, Clone)]
struct Case {
    w: Array2<f64>,
    tau: Array1<f64>,
    gain: f64,
    x: Array1<f64>,
    y: Array1<f64>,
    u: Array1<f64>,
}

fn cases() -> impl Strategy<Value = Case> {
    (matrices(6), 0.1..2.0f64, 0.3..1.5f64).prop_flat_map(|(w, scale, gain)| {
        let n = w.nrows();
        let state = move || proptest::collection::vec(-2.0..2.0f64, n).prop_map(Array1::from_vec);
        let w = w * scale;
        (positive(n), state(), state(), state()).prop_map(move |(tau, x, y, u)| Case {
            w: w.clone(),
            tau,
            gain,
            x,
            y,
            u,
        })
    })
}

impl Case {
    fn firing_rate(&self) -> FiringRateNetwork<f64> {
        let builder = FiringRateNetwork::builder(Weights::dense(&self.w).unwrap());
        builder.time_constants(&self.tau).activation(tanh(self.gain)).build().unwrap()
    }

    fn hopfield(&self) -> HopfieldNetwork<f64> {
        self.firing_rate().to_hopfield()
    }

    fn check_trajectories(&self, flow: &dyn Fn(&Array1<f64>) -> Array1<f64>, norm: &Norm, rate: f64) {
        let (mut x, mut y) = (self.x.clone(), self.y.clone());
        let start = norm.eval(&(&x - &y)).unwrap();
        let h = 0.01;
        for step in 1..=150 {
            (x, y) = (rk4(flow, &x, h), rk4(flow, &y, h));
            let now = norm.eval(&(&x - &y)).unwrap();
            let bound = (-rate * h * f64::from(step)).exp() * start;
            assert!(now <= bound * (1.0 + 1e-6), "{now} > {bound} at step {step}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn trajectories_approach_each_other_at_the_stated_rate(case in cases()) {
        let phi = tanh(case.gain);
        for kind in KINDS {
            let c = case.firing_rate().contraction(kind).unwrap();
            let flow = firing_rate_flow(&case.w, &case.tau, &case.u, &phi);
            case.check_trajectories(&flow, c.norm(), c.rate());
            let c = case.hopfield().contraction(kind).unwrap();
            let flow = hopfield_flow(&case.w, &case.tau, &case.u, &phi);
            case.check_trajectories(&flow, c.norm(), c.rate());
        }
    }

    /// The rate is minus the largest log norm over all slopes, and a log norm is convex in each slope: vertices suffice.
    #[test]
    fn the_rate_is_the_worst_log_norm_over_all_slopes(case in cases()) {
        let n = case.tau.len();
        for kind in KINDS {
            let fr = case.firing_rate().contraction(kind).unwrap();
            let hopfield = case.hopfield().contraction(kind).unwrap();
            let (mut worst_fr, mut worst_hopfield) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
            for vertex in 0..1usize << n {
                let slope = Array1::from_shape_fn(n, |i| if vertex >> i & 1 == 1 { case.gain } else { 0.0 });
                let leak = Array2::<f64>::eye(n);
                let over_tau = case.tau.mapv(|t| 1.0 / t).insert_axis(ndarray::Axis(1));
                let j = (&case.w * &slope.clone().insert_axis(ndarray::Axis(1)) - &leak) * &over_tau;
                worst_fr = worst_fr.max(log_norm(&j, fr.norm()).unwrap().upper);
                let j = (&case.w * &slope - &leak) * &over_tau;
                worst_hopfield = worst_hopfield.max(log_norm(&j, hopfield.norm()).unwrap().upper);
            }
            prop_assert!((fr.rate() + worst_fr).abs() < 1e-9 * (1.0 + worst_fr.abs()));
            prop_assert!((hopfield.rate() + worst_hopfield).abs() < 1e-9 * (1.0 + worst_hopfield.abs()));
        }
    }

    #[test]
    fn the_best_rate_is_bounded_closely_and_no_weights_beat_it(case in cases(), v in positive(6)) {
        let v = v.slice(ndarray::s![..case.tau.len()]);
        for kind in KINDS {
            let norm = if kind == NormKind::One { Norm::weighted_l1(&v) } else { Norm::weighted_linf(&v) }.unwrap();
            let net = case.firing_rate();
            let best = net.contraction(kind).unwrap();
            prop_assert!(best.best_rate().width() < 1e-7, "{:?}", best.best_rate());
            prop_assert!(net.contraction_rate_in(&norm).unwrap() <= best.best_rate().upper);
            prop_assert_eq!(net.contraction_rate_in(best.norm()).unwrap(), best.rate());
        }
    }

    #[test]
    fn transposing_the_weights_swaps_forms_and_norms(case in cases()) {
        let transposed = Case { w: case.w.t().to_owned(), ..case.clone() };
        let close = |a: f64, b: f64| (a - b).abs() < 1e-8 * (1.0 + a.abs());
        let rate = |net: &FiringRateNetwork<f64>, kind| net.contraction(kind).unwrap().rate();
        let hopfield = transposed.hopfield();
        prop_assert!(close(rate(&case.firing_rate(), NormKind::Infinity), hopfield.contraction(NormKind::One).unwrap().rate()));
        prop_assert!(close(rate(&case.firing_rate(), NormKind::One), hopfield.contraction(NormKind::Infinity).unwrap().rate()));
        // The same W: slopes outside in one form are a similarity away from slopes inside in the other.
        let same = case.hopfield().contraction(NormKind::One).unwrap().rate();
        prop_assert!(close(rate(&case.firing_rate(), NormKind::Infinity), same));
    }

    #[test]
    fn mone_networks_have_the_rate_of_the_theory(w in matrices(6)) {
        let net = FiringRateNetwork::builder(Weights::dense(&w).unwrap()).activation(Relu).build().unwrap();
        let alpha = perron(&w).unwrap().abscissa();
        let c = net.contraction(NormKind::Infinity).unwrap();
        prop_assert!((c.rate() - (1.0 - alpha.upper.max(0.0))).abs() < 1e-8);
    }
}

#[test]
fn positive_scaling_of_time_scales_the_rate() {
    let w = array![[0.2, -0.5], [0.7, -0.1]];
    let build = |tau: f64| {
        let net = FiringRateNetwork::builder(Weights::dense(&w).unwrap()).time_constants(&array![tau, tau]);
        net.activation(Relu).build().unwrap().contraction(NormKind::Infinity).unwrap().rate()
    };
    assert!((build(0.02) - 50.0 * build(1.0)).abs() < 1e-10 * build(0.02));
}

#[test]
fn quadratic_norms_and_other_dimensions_are_refused() {
    let net = FiringRateNetwork::builder(Weights::dense(&array![[0.0]]).unwrap()).activation(Relu).build().unwrap();
    assert!(net.contraction_rate_in(&Norm::weighted_l1(&array![1.0, 1.0]).unwrap()).is_err());
    assert!(net.contraction_rate_in(&Norm::l2()).is_err());
}

#[test]
fn single_precision_networks_get_the_rate_of_their_exact_weights() {
    let w = array![[0.1f32, -0.3], [0.6, -0.2]];
    let single = FiringRateNetwork::builder(Weights::dense(&w).unwrap()).activation(Relu).build().unwrap();
    let double =
        FiringRateNetwork::builder(Weights::dense(&w.mapv(f64::from)).unwrap()).activation(Relu).build().unwrap();
    assert_eq!(single.contraction(NormKind::Infinity).unwrap(), double.contraction(NormKind::Infinity).unwrap());
}

#[test]
fn gains_that_norms_certify_on_the_connectome() {
    for (w, linf, euclidean) in
        scaled_connectomes().iter().zip([(0.646, 0.522), (1.000, 0.890)]).map(|(w, (a, b))| (w, a, b))
    {
        let alpha = perron(w).unwrap().abscissa();
        assert!(alpha.width() < 1e-9);
        assert!((1.0 / alpha.upper - linf).abs() < 5e-4);
        let mu = log_norm(w, &Norm::l2()).unwrap();
        assert!((1.0 / mu.upper - euclidean).abs() < 5e-4);
        let gain = 0.999 / alpha.upper;
        let net = FiringRateNetwork::builder(Weights::dense(&(w * gain)).unwrap()).activation(Relu).build().unwrap();
        let c = net.contraction(NormKind::Infinity).unwrap();
        assert!((c.rate() - 0.001).abs() < 1e-6 && c.is_contracting());
    }
}

/// What one neuron loses fast does not coarsen the rate of the other: both norms come as near to the slower leak as they like.
#[test]
fn rates_where_neurons_differ_in_scale() {
    for strong in [1.0, 1e4, 1e9, 1e14] {
        for kind in KINDS {
            let net = FiringRateNetwork::builder(array![[0.0, -strong], [0.0, -3.0 * strong]])
                .time_constants(&array![4.0, 0.2])
                .activation(Relu)
                .build()
                .unwrap();
            let rate = net.contraction(kind).unwrap().rate();
            assert!(rate <= 0.25 && rate > 0.25 - 1e-9, "{strong:e} {kind}: {rate:?}");
        }
    }
    let p = perron(&array![[1.0, 5.0], [0.0, -1e12]]).unwrap();
    assert!(p.abscissa().contains(1.0) && p.abscissa().width() < 1e-9, "{p}");
}
