//! The game: energies, best responses, Nash tests, global energies, splits.

use std::sync::Arc;

use ndarray::{Array1, Array2, array};
use neuronash::activation::{
    ActivationCost, Algebraic, Arctan, ClippedLinear, Domain, Identity, LeakyRelu, Logistic, NakaRushton, PowerLaw,
    RectifiedThreshold, Relu, SlopeRange, SoftThreshold, Softplus, Tail, Tanh, from_fn,
};
use neuronash::dynamics::StopReason;
use neuronash::game::{BestResponse, NeuralGame, Obstruction, split, symmetrizing_weights, zero_sum_weights};
use neuronash::network::{FiringRateNetwork, Weights};
use neuronash::{Error, Scalar};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A piecewise-linear activation through `(0, 0)`: slope `slopes[k]` between `kinks[k - 1]` and `kinks[k]`.
#[derive(Debug, Clone)]
struct Pieces {
    kinks: Vec<f64>,
    slopes: Vec<f64>,
}

impl Pieces {
    /// The knots `(z, phi(z), Psi*(z))` and the integrals between them, from the kink at or before 0.
    fn phi(&self, z: f64) -> f64 {
        let mut total = 0.0;
        for (k, slope) in self.slopes.iter().enumerate() {
            let low = if k == 0 { f64::NEG_INFINITY } else { self.kinks[k - 1] };
            let high = self.kinks.get(k).copied().unwrap_or(f64::INFINITY);
            total += slope * (z.clamp(low, high) - 0.0f64.clamp(low, high));
        }
        total
    }

    fn integral(&self, z: f64) -> f64 {
        let mut knots: Vec<f64> = self.kinks.iter().copied().filter(|k| (*k - z) * *k < 0.0).collect();
        knots.extend([0.0, z]);
        knots.sort_by(f64::total_cmp);
        let area: f64 = knots.windows(2).map(|p| 0.5 * (p[1] - p[0]) * (self.phi(p[0]) + self.phi(p[1]))).sum();
        if z < 0.0 { -area } else { area }
    }
}

impl ActivationCost<f64> for Pieces {
    fn name(&self) -> String {
        "pieces".into()
    }
    fn activate(&self, z: f64) -> f64 {
        self.phi(z)
    }
    fn derivative(&self, z: f64) -> f64 {
        self.slopes[self.kinks.iter().filter(|k| **k < z).count()]
    }
    fn inverse(&self, x: f64) -> f64 {
        let mut knots: Vec<f64> = self.kinks.clone();
        knots.push(0.0);
        knots.sort_by(f64::total_cmp);
        let k = knots.iter().filter(|z| self.phi(**z) < x).count();
        let anchor = if k == 0 { knots[0] } else { knots[k - 1] };
        let beyond = if k == 0 { anchor - 1.0 } else { anchor + 1e-9 };
        let slope = self.derivative(beyond);
        anchor + if x == self.phi(anchor) { 0.0 } else { (x - self.phi(anchor)) / slope }
    }
    fn potential(&self, x: f64) -> f64 {
        let domain = self.domain();
        if x < domain.lower || x > domain.upper {
            return f64::INFINITY;
        }
        let z = self.inverse(x);
        x * z - self.integral(z)
    }
    fn conjugate(&self, z: f64) -> f64 {
        self.integral(z)
    }
    fn domain(&self) -> Domain<f64> {
        let (first, last) = (self.kinks[0], self.kinks[self.kinks.len() - 1]);
        let lower = if self.slopes[0] == 0.0 { self.phi(first) } else { f64::NEG_INFINITY };
        let upper = if self.slopes[self.slopes.len() - 1] == 0.0 { self.phi(last) } else { f64::INFINITY };
        Domain::new(lower, upper)
    }
    fn slope_range(&self) -> SlopeRange<f64> {
        let min = self.slopes.iter().copied().fold(f64::INFINITY, f64::min);
        let max = self.slopes.iter().copied().fold(0.0, f64::max);
        SlopeRange::exact(min, max)
    }
}

/// One activation of every family.
fn family<A: Scalar>() -> Vec<(&'static str, Arc<dyn ActivationCost<A>>)> {
    let a = A::of;
    vec![
        ("identity", Arc::new(Identity)),
        ("ReLU", Arc::new(Relu)),
        ("leaky ReLU", Arc::new(LeakyRelu::new(a(0.25)).unwrap())),
        ("clipped", Arc::new(ClippedLinear::new(a(-0.5), a(2.0)).unwrap())),
        ("soft threshold", Arc::new(SoftThreshold::new(a(0.5)).unwrap())),
        ("rectified threshold", Arc::new(RectifiedThreshold::new(a(0.5)).unwrap())),
        ("tanh", Arc::new(Tanh::with_gain(a(2.0)).unwrap())),
        ("logistic", Arc::new(Logistic::with_gain_and_threshold(a(6.0), a(0.5)).unwrap())),
        ("arctan", Arc::new(Arctan)),
        ("algebraic", Arc::new(Algebraic)),
        ("softplus", Arc::new(Softplus::with_gain(a(3.0)).unwrap())),
        ("power law", Arc::new(PowerLaw::new(a(2.0)).unwrap())),
        ("Naka-Rushton", Arc::new(NakaRushton::new(a(5.0), a(1.0), a(3.0)).unwrap())),
    ]
}

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

fn alone<A: Scalar>(w: A, u: A, activation: impl ActivationCost<A> + 'static) -> FiringRateNetwork<A> {
    let weights = Array2::from_elem((1, 1), w);
    FiringRateNetwork::builder(weights).activation(activation).input(&Array1::from_elem(1, u)).build().unwrap()
}

fn alone_with<A: Scalar>(w: A, u: A, activation: Arc<dyn ActivationCost<A>>) -> FiringRateNetwork<A> {
    let weights = Array2::from_elem((1, 1), w);
    let builder = FiringRateNetwork::builder(weights).shared_population("all", 0..1, activation);
    builder.input(&Array1::from_elem(1, u)).build().unwrap()
}

fn respond<A: Scalar>(w: A, u: A, activation: impl ActivationCost<A> + 'static) -> BestResponse<A> {
    alone(w, u, activation).game().best_response(0, &Array1::zeros(1)).unwrap()
}

/// A network of `n` neurons, half ReLU, half tanh, with self-weights below `most`.
fn mixed(n: usize, seed: u64, most: f64) -> FiringRateNetwork<f64> {
    let mut rng = rng(seed);
    let mut w = Array2::from_shape_fn((n, n), |_| rng.random_range(-1.0..1.0));
    for i in 0..n {
        w[[i, i]] = rng.random_range(-2.0..most);
    }
    let u = Array1::from_shape_fn(n, |_| rng.random_range(-1.0..1.0));
    FiringRateNetwork::builder(w)
        .population("rectified", 0..n / 2, Relu)
        .population("saturating", n / 2..n, Tanh::new())
        .input(&u)
        .build()
        .unwrap()
}

/// Rates within every activation's domain.
fn state(net: &FiringRateNetwork<f64>, seed: u64) -> Array1<f64> {
    let mut rng = rng(seed);
    net.activate(&Array1::from_shape_fn(net.len(), |_| rng.random_range(-2.0..2.0))).unwrap()
}

/// The worst of 1,000 deviations: how far below `least` one of them takes the neuron.
fn advantage(game: &NeuralGame<f64>, i: usize, x: &Array1<f64>, least: f64, seed: u64) -> f64 {
    let mut rng = rng(seed);
    let Domain { lower, upper, .. } = game.activation(i).unwrap().domain();
    let mut x = x.clone();
    let here = x[i];
    let mut worst = f64::NEG_INFINITY;
    for k in 0..1000 {
        let wide = 10f64.powf(rng.random_range(-12.0..4.0)) * if rng.random() { 1.0 } else { -1.0 };
        x[i] = match k % 3 {
            0 if lower.is_finite() && upper.is_finite() => rng.random_range(lower..=upper),
            1 => here + wide,
            _ => wide,
        }
        .clamp(lower, upper);
        let energy = game.energy(i, &x).unwrap();
        let magnitude = energy.interaction.abs() + energy.activation.abs() + x[i] * x[i];
        worst = worst.max(least - energy.total - 1e-13 * (magnitude + least.abs()) - 1e-15);
    }
    worst
}

proptest! {
    #[test]
    fn energies_of_one_and_of_all_agree_and_add_up(seed in 0u64..10_000, n in 2usize..12) {
        let net = mixed(n, seed, 3.0);
        let x = state(&net, seed + 1);
        let all = net.game().energies(&x).unwrap();
        for i in 0..n {
            let one = net.game().energy(i, &x).unwrap();
            let w = net.weights();
            let c: f64 = (0..n).filter(|&j| j != i).map(|j| w.get(i, j) * x[j]).sum::<f64>() + net.input()[i];
            let interaction = 0.5 * x[i] * x[i] - 0.5 * w.get(i, i) * x[i] * x[i] - c * x[i];
            let total = -0.5 * w.get(i, i) * x[i] * x[i] - c * x[i] + net.activation(i).unwrap().potential(x[i]);
            for (found, expected) in [
                (one.interaction, interaction),
                (all.interaction[i], interaction),
                (one.total, total),
                (all.total[i], total),
                (all.interaction[i] + all.activation[i], all.total[i]),
            ] {
                prop_assert!((found - expected).abs() < 1e-12, "{found} {expected}");
            }
        }
    }

    #[test]
    fn derivatives_match_finite_differences(seed in 0u64..10_000, n in 2usize..8) {
        let net = mixed(n, seed, 3.0);
        let game = net.game();
        // Inside every domain, away from the rectifier's end.
        let x = state(&net, seed + 1).mapv(|v| v * 0.9) + &Array1::from_shape_fn(n, |i| if i < n / 2 { 0.1 } else { 0.0 });
        let z = net.drive(&x).unwrap();
        let f = game.pseudo_gradient(&x).unwrap();
        for i in 0..n {
            let h = 1e-5;
            let at = |d: f64| {
                let mut y = x.clone();
                y[i] += d;
                game.energy(i, &y).unwrap()
            };
            let slope = |g: &dyn Fn(f64) -> f64| (g(h) - g(-h)) / (2.0 * h);
            let interaction = slope(&|d| at(d).interaction);
            prop_assert!((interaction - f[i]).abs() < 1e-7, "{interaction} {}", f[i]);
            let total = slope(&|d| at(d).total);
            let expected = net.activation(i).unwrap().inverse(x[i]) - z[i];
            prop_assert!((total - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{total} {expected}");
        }
    }

    #[test]
    fn no_deviation_beats_a_best_response(seed in 0u64..10_000) {
        // Self-weights of both signs; tanh neurons also far above the switch.
        let mut net = mixed(6, seed, 0.99);
        let mut w = net.weights().to_dense();
        for i in 3..6 {
            w[[i, i]] = rng(seed + 7).random_range(-1.0..1.0f64).signum() * 10f64.powf(rng(seed + i as u64).random_range(-1.0..1.5));
        }
        net = FiringRateNetwork::builder(w).population("r", 0..3, Relu).population("t", 3..6, Tanh::with_gain(1.5).unwrap())
            .input(&net.input()).build().unwrap();
        let x = state(&net, seed + 1);
        let game = net.game();
        let all = game.best_responses(&x).unwrap();
        for i in 0..6 {
            let one = game.best_response(i, &x).unwrap();
            let rate = one.rate().unwrap();
            prop_assert!((rate - all.rates[i]).abs() < 1e-9 * (1.0 + rate.abs()), "{one} {all}");
            let mut best = x.clone();
            best[i] = rate;
            let least = game.energy(i, &best).unwrap().total;
            prop_assert!((least - one.energy()).abs() < 1e-12 * (1.0 + least.abs()));
            prop_assert!((least - all.energies[i]).abs() < 1e-12 * (1.0 + least.abs()));
            let advantage = advantage(&game, i, &best, least, seed + 3);
            prop_assert!(advantage <= 0.0, "neuron {i}: {one}, beaten by {advantage}");
            // Stationary, because tanh has no corners and the rectifier's is at zero.
            let w = net.weights().get(i, i);
            let c = net.drive(&x).unwrap()[i] - w * x[i];
            let image = net.activation(i).unwrap().activate(w * rate + c);
            prop_assert!((image - rate).abs() < 1e-9 * (1.0 + w.abs()), "{image} {rate}");
        }
    }

    #[test]
    fn no_deviation_beats_a_best_response_of_many_pieces(
        seed in 0u64..10_000, pieces in 1usize..7, w in 0.0f64..4.0, u in -3.0f64..3.0, bounded: bool, integer: bool,
    ) {
        let mut rng = rng(seed);
        let round = |v: f64| if integer { v.round() } else { v };
        let mut kinks: Vec<f64> = (0..pieces).map(|_| round(rng.random_range(-4.0..4.0))).collect();
        kinks.sort_by(f64::total_cmp);
        kinks.dedup();
        let mut slopes: Vec<f64> = (0..=kinks.len()).map(|_| round(rng.random_range(0.0..2.0))).collect();
        // A flat piece in the middle has no inverse; keep those at the ends only.
        let last = slopes.len() - 1;
        slopes[1..last.max(1)].iter_mut().for_each(|s| *s = s.max(0.125));
        if bounded {
            (slopes[0], slopes[last]) = (0.0, 0.0);
        }
        let phi = Pieces { kinks, slopes };
        let (w, u) = (round(w), round(u));
        let net = alone(w, u, phi.clone());
        match respond(w, u, phi.clone()) {
            BestResponse::Unbounded { towards } => {
                let far = |s: f64| net.game().energy(0, &array![s.copysign(towards)]).unwrap().total;
                prop_assert!(far(1e12) < far(1e8) && far(1e12) < -1e6, "{phi:?} {w} {u}");
            }
            response => {
                let Domain { lower, upper, .. } = phi.domain();
                for m in response.minimisers() {
                    let inside = |end: f64| if end.is_finite() { end } else { (1e3 * end.signum()).clamp(m.lower, m.upper) };
                    for s in [inside(m.lower), inside(m.upper)] {
                        let energy = net.game().energy(0, &array![s]).unwrap().total;
                        prop_assert!((energy - response.energy()).abs() < 1e-12 * (1.0 + s * s), "{phi:?} {response} {energy}");
                        prop_assert!((lower..=upper).contains(&s));
                    }
                }
                let advantage = advantage(&net.game(), 0, &array![response.rate().unwrap()], response.energy(), seed);
                prop_assert!(advantage <= 0.0, "{phi:?} {w} {u}: {response}, beaten by {advantage}");
            }
        }
    }

    #[test]
    fn no_deviation_beats_a_best_response_of_any_family(
        k in 0usize..13, exponent in -2.0f64..2.0, sign in prop::sample::select(vec![-1.0, 0.0, 1.0]), u in -3.0f64..3.0,
        seed in 0u64..10_000,
    ) {
        let w = sign * 10f64.powf(exponent);
        let (name, phi) = family::<f64>().swap_remove(k);
        let net = alone_with(w, u, phi);
        let game = net.game();
        match game.best_response(0, &array![0.0]).unwrap() {
            BestResponse::Unbounded { towards } => {
                let far = |s: f64| game.energy(0, &array![s.copysign(towards)]).unwrap().total;
                prop_assert!(w > 0.0 && far(1e12) < far(1e8) && far(1e12) < -1e3, "{name} {w} {u}");
            }
            response => {
                let rate = response.rate().unwrap();
                let energy = game.energy(0, &array![rate]).unwrap().total;
                prop_assert!((energy - response.energy()).abs() <= 1e-13 * (1.0 + rate * rate * (1.0 + w.abs())));
                let image = net.activation(0).unwrap().activate(w * rate + u);
                let slope = net.activation(0).unwrap().derivative(w * rate + u).max(1.0);
                let error = 1e-13 * slope * (1.0 + w.abs() + u.abs() + rate.abs());
                prop_assert!((image - rate).abs() <= error, "{name} {w} {u}: {response}, image {image}");
                let advantage = advantage(&game, 0, &array![rate], response.energy(), seed);
                prop_assert!(advantage <= 0.0, "{name} {w} {u}: {response}, beaten by {advantage}");
            }
        }
    }

    #[test]
    fn single_precision_agrees_with_double(
        k in 0usize..13, exponent in -2.0f64..1.0, sign in prop::sample::select(vec![-1.0, 0.0, 1.0]), u in -3.0f64..3.0,
    ) {
        let w = (sign * 10f64.powf(exponent)) as f32;
        let u = u as f32;
        let (name, phi) = family::<f32>().swap_remove(k);
        let single = alone_with(w, u, phi).game().best_response(0, &array![0.0]).unwrap();
        let double = alone_with(f64::from(w), f64::from(u), family::<f64>().swap_remove(k).1).game().best_response(0, &array![0.0]).unwrap();
        match (&single, &double) {
            (BestResponse::Unbounded { .. }, BestResponse::Unbounded { .. }) => {}
            _ => {
                let scale = 1.0 + double.rate().unwrap().powi(2) * (1.0 + f64::from(w).abs());
                let difference = f64::from(single.energy()) - double.energy();
                prop_assert!(difference.abs() < 1e-5 * scale, "{name} {w} {u}: {single}, {double}");
            }
        }
    }

    #[test]
    fn gains_are_energy_differences(seed in 0u64..10_000) {
        let net = mixed(6, seed, 0.99);
        let x = state(&net, seed + 1);
        let exploitability = net.game().exploitability(&x).unwrap();
        let energies = net.game().energies(&x).unwrap();
        let least = net.game().best_responses(&x).unwrap().energies;
        for i in 0..6 {
            prop_assert!(exploitability.gains[i] >= 0.0);
            prop_assert!((exploitability.gains[i] - (energies.total[i] - least[i])).abs() < 1e-12 * (1.0 + energies.total[i].abs() + least[i].abs()));
        }
        prop_assert_eq!(exploitability.max(), exploitability.gains.iter().copied().fold(0.0, f64::max));
        prop_assert!((exploitability.sum() - exploitability.gains.sum()).abs() < 1e-15);
        prop_assert_eq!(exploitability.gains[exploitability.neuron()], exploitability.max());
    }

    #[test]
    fn equilibria_with_convex_own_energies_are_nash(seed in 0u64..10_000, n in 2usize..10) {
        // A contraction, so that plain iteration finds the equilibrium.
        let mut rng = rng(seed);
        let w = Array2::from_shape_fn((n, n), |_| rng.random_range(-0.9..0.9) / n as f64);
        let net = FiringRateNetwork::builder(&w)
            .population("a", 0..n / 2, Relu)
            .population("b", n / 2..n, Tanh::new())
            .input(&Array1::from_shape_fn(n, |_| rng.random_range(-1.0..1.0)))
            .build().unwrap();
        let mut x = Array1::zeros(n);
        for _ in 0..400 {
            x = net.activate(&net.drive(&x).unwrap()).unwrap();
        }
        let exploitability = net.game().exploitability(&x).unwrap();
        prop_assert!(exploitability.max() < 1e-28, "{exploitability}");
        prop_assert!(net.game().is_nash(&x, 1e-28).unwrap().holds());
        prop_assert!(net.game().best_responses(&x).unwrap().rates.iter().zip(&x).all(|(s, x)| (s - x).abs() < 1e-14));
        // Away from it, some neuron gains.
        x[0] += 0.25;
        let test = net.game().is_nash(&x, 1e-9).unwrap();
        prop_assert!(!test.holds() && test.gain > 1e-9 && test.best_response != test.rate);
    }

    #[test]
    fn the_global_energy_follows_the_players_own(seed in 0u64..10_000, n in 2usize..10, density in 0.2f64..1.0) {
        let mut rng = rng(seed);
        let mut w = Array2::zeros((n, n));
        let m = Array1::from_shape_fn(n, |_| 2f64.powf(rng.random_range(-3.0..3.0)));
        for i in 0..n {
            for j in 0..=i {
                if rng.random::<f64>() < density {
                    let s: f64 = rng.random_range(-1.0..1.0);
                    (w[[i, j]], w[[j, i]]) = (s / m[i], s / m[j]);
                }
            }
        }
        let u = Array1::from_shape_fn(n, |_| rng.random_range(-1.0..1.0));
        let net = FiringRateNetwork::builder(&w).population("a", 0..n / 2, Relu).population("b", n / 2..n, Tanh::new())
            .input(&u).build().unwrap();
        let potential = net.potential(0.0).unwrap().unwrap();
        let found = potential.weights();
        let scaled = Array2::from_shape_fn((n, n), |(i, j)| found[i] * w[[i, j]]);
        prop_assert!((&scaled - &scaled.t()).iter().all(|d| d.abs() <= 1e-12 * scaled.iter().fold(0.0f64, |a, b| a.max(b.abs()))));
        prop_assert!(found.iter().all(|&m| m > 0.0));
        let x = state(&net, seed + 1);
        let y = state(&net, seed + 2);
        let gradient = potential.gradient(&x).unwrap();
        for i in 0..n {
            let mut moved = x.clone();
            moved[i] = y[i];
            let all = potential.energy(&moved).unwrap() - potential.energy(&x).unwrap();
            let own = net.game().energy(i, &moved).unwrap().total - net.game().energy(i, &x).unwrap().total;
            prop_assert!((all - found[i] * own).abs() < 1e-11 * (1.0 + found.sum()), "{all} {own}");
            let expected = found[i] * (net.activation(i).unwrap().inverse(x[i]) - net.drive(&x).unwrap()[i]);
            prop_assert!((gradient[i] - expected).abs() < 1e-12 * (1.0 + expected.abs()));
        }
        // Any change of one weight on a cycle is noticed.
        let sparse = Weights::from_triplets(n, w.indexed_iter().filter(|(_, v)| **v != 0.0).map(|((i, j), &v)| (i, j, v))).unwrap();
        prop_assert_eq!(symmetrizing_weights(&sparse, 0.0).unwrap().unwrap(), found);
    }

    #[test]
    fn the_split_adds_up(seed in 0u64..10_000, n in 1usize..8) {
        let mut rng = rng(seed);
        let w: Array2<f64> = Array2::from_shape_fn((n, n), |_| if rng.random::<f64>() < 0.6 { rng.random_range(-1.0..1.0) } else { 0.0 });
        let d = Array1::from_shape_fn(n, |_| rng.random_range(0.1..3.0));
        let dense: neuronash::game::Split<f64> = split(&Weights::dense(&w).unwrap(), &d).unwrap();
        let triplets = w.indexed_iter().filter(|(_, v)| **v != 0.0).map(|((i, j), &v)| (i, j, v));
        let sparse = split(&Weights::from_triplets(n, triplets).unwrap(), &d).unwrap();
        let (s, k) = (dense.potential.to_dense(), dense.zero_sum.to_dense());
        prop_assert_eq!(&s, &s.t());
        prop_assert_eq!(&k, &k.t().mapv(|v| -v));
        for ((i, j), &v) in w.indexed_iter() {
            prop_assert!((s[[i, j]] + k[[i, j]] - d[i] * v).abs() < 1e-15);
        }
        prop_assert!((&sparse.potential.to_dense() - &s).iter().all(|v| v.abs() < 1e-15));
        prop_assert!((&sparse.zero_sum.to_dense() - &k).iter().all(|v| v.abs() < 1e-15));
        match (dense.cooperation_index(), sparse.cooperation_index()) {
            (Some(p), Some(q)) => prop_assert!((p - q).abs() < 1e-14 && (0.0..=1.0).contains(&p)),
            (None, None) => prop_assert!((0..n).all(|i| (0..n).all(|j| i == j || w[[i, j]] == 0.0))),
            other => prop_assert!(false, "{other:?}"),
        }
    }
}

#[test]
fn states_outside_the_domain_cost_infinitely_much() {
    let net = mixed(4, 1, 0.5);
    let x = array![-1.0, 0.5, 1.5, 0.0];
    let energies = net.game().energies(&x).unwrap();
    assert_eq!(energies.total.mapv(f64::is_finite), array![false, true, false, true]);
    assert_eq!(energies.total[0], f64::INFINITY);
    let exploitability = net.game().exploitability(&x).unwrap();
    assert_eq!(
        (exploitability.max(), exploitability.sum(), exploitability.neuron()),
        (f64::INFINITY, f64::INFINITY, 0)
    );
    let test = net.game().is_nash(&x, 1e100).unwrap();
    assert!(!test.holds());
    assert!(test.to_string().starts_with("no Nash equilibrium: neuron 0 gains inf by moving from -1 to "), "{test}");
}

#[test]
fn tiny_gains_are_accurate() {
    // One step of 1e-9 off the best response costs 5e-19 with w = 0 and (1 - w)/2 of its square otherwise.
    for (w, drive) in [(0.0f64, 3.0f64), (-4.0, 100.0), (0.75, 1e3)] {
        let net = alone(w, drive, Relu);
        let best = net.game().best_response(0, &array![0.0]).unwrap().rate().unwrap();
        assert!((best - drive / (1.0 - w)).abs() < 1e-12 * best);
        let step = best * 2f64.powi(-30);
        let gain = net.game().exploitability(&array![best + step]).unwrap().max();
        let expected = 0.5 * (1.0 - w) * step * step;
        assert!((gain / expected - 1.0).abs() < 1e-5, "{gain} {expected}");
    }
}

#[test]
fn the_switch_at_one() {
    // Below the switch one best response, above it two for a torn neuron, and one once an input decides.
    assert!(respond(0.99, 0.0, Tanh::new()).is_unique());
    assert_eq!(respond(1.0, 0.0, Tanh::new()).minimisers().len(), 1);
    assert!(respond(1.0f64, 0.0, Tanh::new()).rate().unwrap().abs() < 1e-6);
    for w in [1.001, 1.5, 2.0, 10.0, 1e6] {
        let torn = respond(w, 0.0, Tanh::new());
        let rates: Vec<f64> = torn.minimisers().iter().map(|m| m.lower).collect();
        assert_eq!(rates.len(), 2, "{torn}");
        assert!(torn.minimisers().iter().all(|m| m.lower == m.upper));
        assert!((rates[0] + rates[1]).abs() < 1e-12);
        assert!((rates[1] - (w * rates[1]).tanh()).abs() < 1e-12 && rates[1] > 0.0);
        assert_eq!(torn.rate(), Some(rates[1]));
        let decided = respond(w, -1e-3, Tanh::new());
        assert!(decided.is_unique() && decided.rate().unwrap() < 0.0);
    }
    let torn = respond(2.0f32, 0.0, Tanh::new());
    assert_eq!(torn.minimisers().len(), 2);
    assert!((torn.minimisers()[1].lower - 0.957_504).abs() < 1e-6);
}

#[test]
fn rectifiers_run_away_or_stay_silent() {
    let unbounded = |response: BestResponse<f64>| match response {
        BestResponse::Unbounded { towards } => towards,
        other => panic!("{other}"),
    };
    assert_eq!(unbounded(respond(1.5, 0.0, Relu)), f64::INFINITY);
    assert_eq!(unbounded(respond(1.5, -1e12, Relu)), f64::INFINITY);
    assert_eq!(unbounded(respond(1.0, 1e-9, Relu)), f64::INFINITY);
    assert_eq!(unbounded(respond(1.0 + f64::EPSILON * 64.0, -1.0, Relu)), f64::INFINITY);
    assert_eq!(unbounded(respond(1.0, -2.0, Identity)), f64::NEG_INFINITY);
    assert_eq!(unbounded(respond(3.0, 0.0, Identity)), f64::INFINITY);
    assert_eq!(respond(1.0, -1e-9, Relu).rate(), Some(0.0));
    assert!(respond(1.0, -1e-9, Relu).is_unique());
    let flat = respond(1.0, 0.0, Relu);
    assert_eq!(flat.minimisers(), [Domain::new(0.0, f64::INFINITY)]);
    assert_eq!((flat.energy(), flat.rate(), flat.is_unique()), (0.0, Some(0.0), false));
    let flat = respond(1.0, 0.0, Identity);
    assert_eq!(flat.minimisers(), [Domain::new(f64::NEG_INFINITY, f64::INFINITY)]);
    let one: f64 = respond(0.999_999, 1.0, Relu).rate().unwrap();
    assert!((one / 1e6 - 1.0).abs() < 1e-9);

    let net = alone(1.5, 0.0, Relu);
    let all = net.game().best_responses(&array![1.0]).unwrap();
    assert_eq!((all.rates[0], all.energies[0]), (f64::INFINITY, f64::NEG_INFINITY));
    assert_eq!(all.unbounded().collect::<Vec<_>>(), [0]);
    assert!(all.to_string().contains("falls for ever towards inf"));
    let test = net.game().is_nash(&array![0.0], 1.0).unwrap();
    assert_eq!((test.holds(), test.gain, test.best_response), (false, f64::INFINITY, f64::INFINITY));
}

#[test]
fn ties_between_corners() {
    // Clipping to [-1, 1] with w = 3: the ends tie at zero drive; with a flat energy everything ties.
    let clip = Pieces { kinks: vec![-1.0, 1.0], slopes: vec![0.0, 1.0, 0.0] };
    let ends = respond(3.0, 0.0, clip.clone());
    assert_eq!(ends.minimisers(), [Domain::new(-1.0, -1.0), Domain::new(1.0, 1.0)]);
    assert_eq!(ends.energy(), -1.0);
    assert_eq!(respond(1.0, 0.0, clip.clone()).minimisers(), [Domain::new(-1.0, 1.0)]);
    assert_eq!(respond(3.0, 0.25, clip.clone()).minimisers(), [Domain::new(1.0, 1.0)]);
    assert_eq!(respond(1.0, -0.25, clip.clone()).minimisers(), [Domain::new(-1.0, -1.0)]);
    let net = alone(3.0, 0.0, clip);
    let all = net.game().best_responses(&array![0.0]).unwrap();
    assert_eq!(all.ties().map(|(i, r)| (i, r.minimisers().len())).collect::<Vec<_>>(), [(0, 2)]);
    assert!(net.game().is_nash(&array![-1.0], 0.0).unwrap().holds());
    assert!(net.game().is_nash(&array![1.0], 0.0).unwrap().holds());
    // The middle is an equilibrium of the dynamics, but no Nash equilibrium.
    assert_eq!(net.residual(&array![0.0]).unwrap(), array![0.0]);
    let test = net.game().is_nash(&array![0.0], 0.5).unwrap();
    assert!(!test.holds() && (test.gain - 1.0).abs() < 1e-12);

    // Slopes 1/2 up to 2, then 2: with w = 1/2 flat beyond the corner, above the one minimum at 0 or level with it.
    let bent = Pieces { kinks: vec![2.0], slopes: vec![0.5, 2.0] };
    assert_eq!(respond(0.5, 0.0, bent.clone()).rate(), Some(0.0));
    assert!(respond(0.5, 0.0, bent.clone()).is_unique());
    let level = respond(0.5, 1.5, bent.clone());
    let [level] = level.minimisers() else { panic!() };
    assert!((level.lower - 1.0).abs() < 1e-12 && level.upper == f64::INFINITY);
    assert!(matches!(respond(0.5, 1.6, bent), BestResponse::Unbounded { towards } if towards > 0.0));
}

#[test]
fn impossible_arguments_are_refused() {
    let net = mixed(3, 5, 0.5);
    let game = net.game();
    let x = array![0.0, 0.0, 0.0];
    assert!(matches!(game.energies(&array![0.0]), Err(Error::Shape { .. })));
    assert!(matches!(game.energies(&array![0.0, f64::NAN, 0.0]), Err(Error::NonFinite { .. })));
    assert!(matches!(game.energy(3, &x), Err(Error::Invalid { .. })));
    assert!(matches!(game.best_response(3, &x), Err(Error::Invalid { .. })));
    assert!(matches!(game.best_responses(&array![f64::INFINITY, 0.0, 0.0]), Err(Error::NonFinite { .. })));
    assert!(matches!(game.pseudo_gradient(&array![0.0]), Err(Error::Shape { .. })));
    assert!(matches!(game.exploitability(&array![0.0]), Err(Error::Shape { .. })));
    for tolerance in [f64::NAN, -1.0] {
        assert!(matches!(game.is_nash(&x, tolerance), Err(Error::Invalid { .. })));
        assert!(matches!(net.potential(tolerance), Err(Error::Invalid { .. })));
    }
    for d in [array![1.0, 0.0, 1.0], array![1.0, 1.0, -1.0]] {
        assert!(matches!(split(net.weights(), &d), Err(Error::Invalid { .. })));
    }
    assert!(matches!(split(net.weights(), &array![1.0]), Err(Error::Shape { .. })));
    assert!(matches!(split(net.weights(), &array![1.0, f64::NAN, 1.0]), Err(Error::NonFinite { .. })));
    let huge = Weights::dense(&array![[0.0, 1e200], [1e200, 0.0]]).unwrap();
    assert!(matches!(split(&huge, &array![1e200, 1.0]), Err(Error::NonFinite { .. })));
    let wide = Weights::dense(&array![[0.0, 1e200], [1e-200, 0.0]]).unwrap();
    assert!(matches!(symmetrizing_weights(&wide, 0.0), Err(Error::Invalid { .. })));
}

#[test]
fn no_global_energy_and_why() {
    let reason = |w: Array2<f64>| symmetrizing_weights(&Weights::dense(&w).unwrap(), 0.0).unwrap().unwrap_err();
    assert_eq!(reason(array![[0.0, 0.0], [1.0, 0.0]]), Obstruction::OneWay { from: 0, to: 1 });
    let signs = reason(array![[0.0, -1.0], [1.0, 0.0]]);
    assert_eq!(signs, Obstruction::Signs { pair: [0, 1], weights: [-1.0, 1.0] });
    // A ring of integers whose two products differ by one.
    let close = |p: f64| array![[0.0, 7.0, 1.0], [p, 0.0, 11.0], [13.0, 1.0, 0.0]];
    let cycle = reason(close(1000.0));
    let Obstruction::Cycle { forwards, backwards, .. } = cycle else { panic!("{cycle}") };
    assert_eq!((forwards.max(backwards), forwards.min(backwards)), (1001.0, 1000.0));
    let mut neurons = cycle.cycle();
    neurons.sort_unstable();
    assert_eq!(neurons, [0, 1, 2]);
    assert!(cycle.to_string().contains("multiply to"));
    assert!(symmetrizing_weights(&Weights::dense(&close(1001.0)).unwrap(), 0.0).unwrap().is_ok());
    assert!(symmetrizing_weights(&Weights::dense(&close(1000.0)).unwrap(), 0.002).unwrap().is_ok());
    // Symmetric weights are their own witnesses; parts that are not connected start again at 1.
    let block = array![[5.0, 2.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, -4.0], [0.0, 0.0, -1.0, 3.0]];
    assert_eq!(symmetrizing_weights(&Weights::dense(&block).unwrap(), 0.0).unwrap(), Ok(array![1.0, 1.0, 1.0, 4.0]));
}

#[test]
fn hopfields_energy() {
    let w = array![[0.0, 1.0, -2.0], [1.0, 0.5, 0.0], [-2.0, 0.0, 0.0]];
    let u = array![0.5, -1.0, 0.25];
    let net = FiringRateNetwork::builder(&w).activation(Tanh::new()).input(&u).build().unwrap();
    let x = array![0.3, -0.6, 0.9];
    let psi: f64 = x.iter().map(|&v| Tanh::<f64>::new().potential(v)).sum();
    let expected = -0.5 * x.dot(&w.dot(&x)) - u.dot(&x) + psi;
    let potential = net.potential(0.0).unwrap().unwrap();
    assert_eq!(potential.weights(), array![1.0, 1.0, 1.0]);
    assert!((potential.energy(&x).unwrap() - expected).abs() < 1e-14);
    assert_eq!(potential.energy(&array![2.0, 0.0, 0.0]).unwrap(), f64::INFINITY);
    assert!(matches!(potential.energy(&array![0.0]), Err(Error::Shape { .. })));
}

#[test]
fn an_excitatory_inhibitory_pair_is_zero_sum() {
    let (ei, ie) = (3.0f64, 0.7);
    let weights = Weights::dense(&array![[1.2, -ei], [ie, -0.4]]).unwrap();
    let d = zero_sum_weights(&weights, 0.0).unwrap().unwrap();
    assert!((d[0] * ei - d[1] * ie).abs() < 1e-15);
    let parts = split(&weights, &d).unwrap();
    assert!(parts.cooperation_index().unwrap() < 1e-30);
    assert!(parts.potential.get(0, 1).abs() < 1e-15);
    let allies = Weights::dense(&array![[0.0, 1.0], [2.0, 0.0]]).unwrap();
    assert!(matches!(zero_sum_weights(&allies, 0.0).unwrap(), Err(Obstruction::Signs { .. })));
    let d = symmetrizing_weights(&allies, 0.0).unwrap().unwrap();
    assert_eq!(split(&allies, &d).unwrap().cooperation_index(), Some(1.0));
    let feed_forward = Weights::dense(&array![[0.0, 0.0], [5.0, 0.0]]).unwrap();
    assert_eq!(split(&feed_forward, &array![1.0, 2.0]).unwrap().cooperation_index(), Some(0.5));
    let silent = Weights::dense(&array![[3.0, 0.0], [0.0, 1.0]]).unwrap();
    assert_eq!(split(&silent, &array![1.0, 2.0]).unwrap().cooperation_index(), None);
}

#[test]
fn a_neuron_that_inhibits_itself_strongly_stays_where_it_is_best() {
    // The root in the drive lies next to 0, far below the drive of 3 to 5e9, whose rounding errors do not hide it.
    for (w, c, gain) in [(-1e6, 5e5, 1e6), (-1e10, 5e9, 1.0), (-1e2, 3e1, 1e9), (-1e1, 3.0, 1e12), (-1e3, 5e2, 1.0)] {
        // The drive atanh(s)/gain of the rate s is so small next to c that it is found by repeated substitution.
        let s: f64 = (0..50).fold(c / -w, |s: f64, _| (c - s.atanh() / gain) / -w);
        let tanh = Tanh::with_gain(gain).unwrap();
        let net = FiringRateNetwork::builder(array![[w]]).activation(tanh).input(&array![c]).build().unwrap();
        let best = net.game().best_response(0, &array![0.0]).unwrap().rate().unwrap();
        assert!((best - s).abs() <= 1e-15, "self-weight {w}, gain {gain}: {best} instead of {s}");
        let test = net.game().is_nash(&array![s], 1e-12).unwrap();
        assert!(test.holds(), "self-weight {w}, gain {gain}: {test}");
    }
}

/// That a neuron alone with this self-weight and input has no best response, whatever is asked.
fn falls_for_ever<A: Scalar>(w: A, u: A, phi: Arc<dyn ActivationCost<A>>) {
    let what = format!("{}, self-weight {w}, input {u}", phi.name());
    let net = alone_with(w, u, phi);
    let x = Array1::from_elem(1, A::one());
    let response = net.game().best_response(0, &x).unwrap();
    assert_eq!(response, BestResponse::Unbounded { towards: A::infinity() }, "{what}");
    assert_eq!(net.game().exploitability(&x).unwrap().max(), A::infinity(), "{what}");
    let test = net.game().is_nash(&x, A::of(1e6)).unwrap();
    assert!(!test.holds() && test.best_response == A::infinity(), "{what}");
    let play = net.game().play().initial(&x).max_rounds(100).run().unwrap();
    assert_eq!(play.stop(), StopReason::Diverged, "{what}");
}

#[test]
fn energies_of_self_exciting_power_laws_fall_for_ever() {
    let exponents = [1.001, 1.5, 2.0, 2.04, 2.1, 2.5, 3.0, 3.7, 4.0, 5.0, 6.0, 40.0];
    for k in exponents {
        for w in [1e-8, 1e-3, 0.5, 1.0, 7.0, 1e5] {
            for u in [-1e3, -0.5, 0.0, 2.0] {
                falls_for_ever::<f64>(w, u, Arc::new(PowerLaw::new(k).unwrap()));
                falls_for_ever::<f32>(w as f32, u as f32, Arc::new(PowerLaw::new(k as f32).unwrap()));
                // The energy k/(k+1) s^{1+1/k} - w s^2/2 - u s where its second term is a million times its first.
                let s = (1e6 / w).powf(k / (k - 1.0)).max(1e6 * u.abs() / w);
                if s < 1e150 {
                    let energy = k / (k + 1.0) * s.powf(1.0 + 1.0 / k) - 0.5 * w * s * s - u * s;
                    assert!(energy < -1e6, "{k} {w} {u}: {energy}");
                }
            }
        }
    }
    // Below 1 the cost outgrows every multiple of the square.
    let calm = respond(1e3f64, 0.0, PowerLaw::new(0.5).unwrap());
    assert!((calm.rate().unwrap() / 1e3 - 1.0).abs() < 1e-12, "{calm}");
}

#[test]
fn energies_of_closures_fall_for_ever_or_not() {
    // With the slopes undeclared, everything at infinity is judged by values.
    for w in [1e-3, 0.5, 1.0, 7.0] {
        for k in [1.5, 2.0, 2.1, 3.0, 6.0, 40.0] {
            falls_for_ever::<f64>(w, -0.5, Arc::new(from_fn("power", move |z: f64| z.max(0.0).powf(k))));
            falls_for_ever::<f32>(w as f32, -0.5, Arc::new(from_fn("power", move |z: f32| z.max(0.0).powf(k as f32))));
        }
        falls_for_ever::<f64>(w, -0.5, Arc::new(from_fn("exponential", f64::exp)));
        falls_for_ever::<f64>(w, -0.5, Arc::new(from_fn("sinh", f64::sinh)));
        let logarithmic = |z: f64| if z > 0.0 { z * z.ln_1p() } else { 0.0 };
        falls_for_ever::<f64>(w, -0.5, Arc::new(from_fn("z ln(1 + z)", logarithmic)));
    }
    // z^2/(1 + z) approaches z - 1, and overflows on the way: with w = 1 the slope of the energy tends to 1 - c.
    let bend = || from_fn("bend", |z: f64| if z > 0.0 { z * z / (1.0 + z) } else { 0.0 });
    let rate = |z: f64| z * z / (1.0 + z);
    for (w, c) in [(2.0, -5.0), (1.0, 1.5), (1.0 + 1e-9, -1.0)] {
        falls_for_ever::<f64>(w, c, Arc::new(bend()));
    }
    for c in [0.5f64, 0.9, 0.25] {
        let found = respond(1.0, c, bend()).rate().unwrap();
        assert!((found - rate(c / (1.0 - c))).abs() < 1e-8, "{c}: {found}");
    }
    for (w, c) in [(0.5f64, 3.0f64), (0.9, 1.0), (0.999, 5.0)] {
        // (1 - w) z^2 + (1 - c) z - c = 0.
        let (p, q) = (1.0 - w, 1.0 - c);
        let z = (-q + (q * q + 4.0 * p * c).sqrt()) / (2.0 * p);
        let found = respond(w, c, bend()).rate().unwrap();
        assert!((found / rate(z) - 1.0).abs() < 1e-9, "{w} {c}: {found}");
    }
    // The same overflow in a proximal step of 2: y^2 + (2 - z) y - z = 0.
    for z in [0.5f64, 3.0, 40.0] {
        let y = (z - 2.0 + ((z - 2.0) * (z - 2.0) + 4.0 * z).sqrt()) / 2.0;
        assert!((bend().prox(z, 2.0) / rate(y) - 1.0).abs() < 1e-9, "{z}: {}", bend().prox(z, 2.0));
    }
    assert_eq!(PowerLaw::new(1.001).unwrap().prox(1.0, 1.0005), f64::INFINITY);
    // sqrt(1 + |z|) - 1 grows more slowly than any line.
    let slow = || from_fn("slow", |z: f64| z.signum() * ((1.0 + z.abs()).sqrt() - 1.0));
    // Psi'(s) = s^2 + 2 s for s >= 0, so that s^2 + (2 - w) s = |c| at the best response of the sign of c.
    for (w, c) in [(3.0f64, 1.0f64), (100.0, 0.0), (0.1, -4.0)] {
        let size = ((w - 2.0) + ((w - 2.0) * (w - 2.0) + 4.0 * c.abs()).sqrt()) / 2.0;
        let s = respond(w, c, slow()).rate().unwrap();
        assert!((s / size.copysign(c) - 1.0).abs() < 1e-9, "{w} {c}: {s}");
    }
}

#[test]
fn the_switch_is_exact_where_the_slope_at_infinity_is_known() {
    let steep = 1f64.next_up();
    assert_eq!(respond(steep, -1.0, Relu), BestResponse::Unbounded { towards: f64::INFINITY });
    assert_eq!(respond(steep, -1e12, Identity), BestResponse::Unbounded { towards: f64::INFINITY });
    // Shifted lines: at w = 1 the slope of the energy tends to the threshold less the drive.
    let shifted = |c: f64| respond(1.0, c, RectifiedThreshold::new(0.5).unwrap());
    assert_eq!(shifted(0.5f64.next_up()), BestResponse::Unbounded { towards: f64::INFINITY });
    assert_eq!(shifted(0.5f64.next_down()).rate(), Some(0.0));
    assert_eq!(shifted(0.5).minimisers(), [Domain::new(0.0, f64::INFINITY)]);
    assert_eq!(respond(1.0, 1e-12, Softplus::new()), BestResponse::Unbounded { towards: f64::INFINITY });
    assert!(respond(1.0, -1e-3, Softplus::new()).rate().is_some());
}

#[test]
fn growths_of_the_families() {
    let quadratic = |slope: f64, intercept: f64| Tail::Quadratic { slope, intercept };
    for (name, phi) in family::<f64>() {
        let (lower, upper) = match name {
            "identity" => (quadratic(1.0, 0.0), quadratic(1.0, 0.0)),
            "leaky ReLU" => (quadratic(0.25, 0.0), quadratic(1.0, 0.0)),
            "soft threshold" => (quadratic(1.0, 0.5), quadratic(1.0, -0.5)),
            "ReLU" | "softplus" => (Tail::Bounded, quadratic(1.0, 0.0)),
            "rectified threshold" => (Tail::Bounded, quadratic(1.0, -0.5)),
            "power law" => (Tail::Bounded, Tail::Subquadratic),
            _ => (Tail::Bounded, Tail::Bounded),
        };
        let growth = phi.growth();
        assert_eq!((growth.lower, growth.upper), (lower, upper), "{name}");
        if let Tail::Quadratic { slope, intercept } = growth.upper {
            assert!((phi.activate(1e6) - (slope * 1e6 + intercept)).abs() < 1e-9, "{name}");
        }
    }
    assert_eq!(from_fn("line", |z: f64| z).growth().upper, Tail::Unknown);
}
