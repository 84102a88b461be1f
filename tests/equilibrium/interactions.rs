//! Interactions other than synapses, against closed forms and brute force.

use ndarray::{Array1, Array2, ArrayView1, ArrayViewMut1, array};
use neuronash::Error;
use neuronash::activation::{Domain, Logistic, Relu, Tanh};
use neuronash::dynamics::{Cyclic, Damped, PlayRule, Proximal, Random, Simultaneous};
use neuronash::equilibrium::{Anderson, Flag, Method, Newton, PseudoTransient, SupportEnumeration};
use neuronash::game::{InteractionCost, NeuralGame, Own};
use neuronash::network::{FiringRateNetwork, UncertainWeights, Weights};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Divisive normalisation: `z_i = (sum_j w_ij x_j + u_i)/(1 + sum_j g_ij x_j)` for rates from 0 up.
#[derive(Debug, Clone)]
struct Divisive {
    w: Array2<f64>,
    g: Array2<f64>,
    /// Whether it says what it knows of its own rates and of its Jacobian.
    tells: bool,
}

impl Divisive {
    /// Numerator and denominator of one drive.
    fn parts(&self, i: usize, x: ArrayView1<'_, f64>, u: ArrayView1<'_, f64>) -> (f64, f64) {
        (self.w.row(i).dot(&x) + u[i], 1.0 + self.g.row(i).dot(&x))
    }
}

impl InteractionCost<f64> for Divisive {
    fn neurons(&self) -> usize {
        self.w.nrows()
    }
    fn drive(&self, x: ArrayView1<'_, f64>, u: ArrayView1<'_, f64>, mut z: ArrayViewMut1<'_, f64>) {
        for (i, z) in z.iter_mut().enumerate() {
            let (above, below) = self.parts(i, x, u);
            *z = above / below;
        }
    }
    fn own(&self, i: usize, x: ArrayView1<'_, f64>, u: ArrayView1<'_, f64>) -> Own<f64> {
        if !self.tells {
            return Own::Unknown;
        }
        // (a + w s)/(b + g s) has the slope (w b - a g)/(b + g s)^2, which is steepest at s = 0.
        let (above, below) = self.parts(i, x, u);
        let (a, b) = (above - self.w[[i, i]] * x[i], below - self.g[[i, i]] * x[i]);
        let steepest = (self.w[[i, i]] * b - a * self.g[[i, i]]) / (b * b);
        Own::Bounded { least: steepest.min(0.0), most: steepest.max(0.0) }
    }
    fn jacobian_product(
        &self,
        x: ArrayView1<'_, f64>,
        u: ArrayView1<'_, f64>,
        v: ArrayView1<'_, f64>,
        mut out: ArrayViewMut1<'_, f64>,
    ) {
        for (i, out) in out.iter_mut().enumerate() {
            let (above, below) = self.parts(i, x, u);
            *out = (self.w.row(i).dot(&v) - above / below * self.g.row(i).dot(&v)) / below;
        }
    }
    fn has_jacobian(&self) -> bool {
        self.tells
    }
    fn domain(&self, _neuron: usize) -> Domain<f64> {
        Domain::new(0.0, f64::INFINITY)
    }
    /// For weights and inputs from 0 up: `0 <= z_i <= most_i`, and `J_ij = (w_ij - z_i g_ij)/(1 + ...)`.
    fn jacobian_enclosure(&self, u: ArrayView1<'_, f64>) -> Option<UncertainWeights> {
        let most = |i: usize| {
            let ratios = self.w.row(i).into_iter().zip(self.g.row(i)).map(|(w, g)| if *w > 0.0 { w / g } else { 0.0 });
            // A little more, for the rounding of the quotients.
            ratios.fold(u[i], f64::max) * (1.0 + 1e-12)
        };
        let lower = Array2::from_shape_fn(self.w.dim(), |(i, j)| {
            (self.w[[i, j]] - most(i) * self.g[[i, j]]).min(0.0) * (1.0 + 1e-12)
        });
        let told = self.tells && self.w.iter().chain(u).all(|v| *v >= 0.0);
        if told { UncertainWeights::between(&lower, &self.w).ok() } else { None }
    }
    fn rounding_errors(&self, x: ArrayView1<'_, f64>, u: ArrayView1<'_, f64>) -> Option<Array1<f64>> {
        let k = (4 * x.len() + 16) as f64 * f64::EPSILON;
        let error = |i: usize| {
            let size = self.w.row(i).iter().zip(x).map(|(w, x)| (w * x).abs()).sum::<f64>() + u[i].abs();
            let (above, below) = self.parts(i, x, u);
            k * (size / below + (above / below).abs())
        };
        Some((0..x.len()).map(error).collect())
    }
}

/// Terms of three neurons: `z_i = sum_j w_ij x_j + u_i + v x_{i+1} x_{i+2}`.
#[derive(Debug, Clone)]
struct Triplets {
    w: Array2<f64>,
    v: f64,
}

impl Triplets {
    fn others(&self, i: usize) -> (usize, usize) {
        let n = self.w.nrows();
        ((i + 1) % n, (i + 2) % n)
    }
}

impl InteractionCost<f64> for Triplets {
    fn neurons(&self) -> usize {
        self.w.nrows()
    }
    fn drive(&self, x: ArrayView1<'_, f64>, u: ArrayView1<'_, f64>, mut z: ArrayViewMut1<'_, f64>) {
        for (i, z) in z.iter_mut().enumerate() {
            let (j, k) = self.others(i);
            *z = self.w.row(i).dot(&x) + u[i] + self.v * x[j] * x[k];
        }
    }
    fn own(&self, i: usize, x: ArrayView1<'_, f64>, u: ArrayView1<'_, f64>) -> Own<f64> {
        let self_weight = self.w[[i, i]];
        Own::Affine { self_weight, others: self.drive_of(i, x, u) - self_weight * x[i] }
    }
}

fn random(rng: &mut StdRng, n: usize, low: f64, high: f64) -> Array2<f64> {
    Array2::from_shape_fn((n, n), |_| rng.random_range(low..high))
}

fn rules() -> Vec<Box<dyn PlayRule<f64>>> {
    vec![
        Box::new(Simultaneous),
        Box::new(Cyclic),
        Box::new(Random::new(3)),
        Box::new(Damped::new(0.5, Proximal::new(0.7, Cyclic))),
    ]
}

#[test]
fn one_divisive_rectifier_rests_at_the_root_of_its_quadratic() {
    for (w, g, u) in [(0.5, 1.0, 2.0), (0.0, 0.3, 5.0), (3.0, 2.0, 0.1), (-1.0, 4.0, 7.0), (1.0, 1.0, 1.0)] {
        let b: f64 = 1.0 - w;
        let root = (-b + (b * b + 4.0 * g * u).sqrt()) / (2.0 * g);
        for tells in [true, false] {
            let interaction = Divisive { w: array![[w]], g: array![[g]], tells };
            let game = NeuralGame::builder(interaction).activation(Relu).input(&array![u]).build().unwrap();
            let mut methods = vec![Method::Auto, Newton::new().into(), PseudoTransient::new().into()];
            if w == 0.5 {
                // Where `z(x)` contracts. Elsewhere Anderson's iterates alone may cycle.
                methods.push(Anderson::new().into());
            }
            for method in methods {
                let rest = game.equilibrium().method(method).solve().unwrap();
                assert!((rest.state()[0] - root).abs() < 1e-10 * root.max(1.0), "{w} {g} {u} {method:?}: {rest:?}");
            }
            let flow = game.simulate().until_converged(1e-10).run().unwrap();
            assert!((flow.final_state()[0] - root).abs() < 1e-8, "{flow}");
            // Alone, the neuron's best response is where it rests, and E = x^2/2 - int (w t + u)/(1 + g t) + Psi - x^2/2.
            let best = game.best_response(0, &array![0.3]).unwrap();
            assert!(best.is_unique() && (best.rate().unwrap() - root).abs() < 1e-9 * root.max(1.0), "{best}");
            let integral = |x: f64| w * x / g + (u - w / g) * (g * x).ln_1p() / g;
            for x in [0.0, 0.4, root, 2.5] {
                let energy = game.energy(0, &array![x]).unwrap();
                assert!((energy.interaction - (x * x / 2.0 - integral(x))).abs() < 1e-12 * (1.0 + integral(x).abs()));
                assert!((energy.activation).abs() < 1e-15);
                let gain = game.exploitability(&array![x]).unwrap().gains[0];
                let exact = (x * x / 2.0 - integral(x)) - (root * root / 2.0 - integral(root));
                assert!((gain - exact).abs() < 1e-9 * (1.0 + exact), "{gain} {exact}");
            }
        }
    }
}

#[test]
fn best_responses_are_those_of_a_grid() {
    let mut rng = StdRng::seed_from_u64(11);
    let mut unlike = 0;
    for round in 0..8 {
        let (w, g) = (random(&mut rng, 3, -4.0, 12.0), random(&mut rng, 3, 0.0, 2.0));
        let u = Array1::from_shape_fn(3, |_| rng.random_range(-4.0..2.0));
        let x = Array1::from_shape_fn(3, |_| rng.random_range(0.05..0.95));
        for tells in [true, false] {
            let interaction = Divisive { w: w.clone(), g: g.clone(), tells };
            let game = NeuralGame::builder(interaction).activation(Logistic::new()).input(&u).build().unwrap();
            let exploitability = game.exploitability(&x).unwrap();
            for i in 0..3 {
                let best = game.best_response(i, &x).unwrap();
                let mut moved = x.clone();
                let mut energy = |s: f64| {
                    moved[i] = s;
                    game.energy(i, &moved).unwrap().total
                };
                let grid = (1..100).map(|k| energy(f64::from(k) / 100.0)).fold(f64::INFINITY, f64::min);
                assert!(best.energy() <= grid + 1e-12, "{round} {i}: {best} against {grid}");
                assert!(best.energy() >= grid - 0.1, "{round} {i}: {best} against {grid}");
                let gain = energy(x[i]) - best.energy();
                assert!((gain - exploitability.gains[i]).abs() < 1e-10 * (1.0 + gain), "{gain}");
                let rate = best.rate().unwrap();
                unlike += usize::from((rate - x[i]).abs() > 0.3);
            }
        }
    }
    assert!(unlike > 8, "{unlike}");
}

#[test]
fn two_minima_are_told_apart_or_tied() {
    // z(s) = 12 s - 6 by a nonlinear road, for which the logistic has two equal wells about 1/2.
    #[derive(Debug)]
    struct Disguised(f64);
    impl InteractionCost<f64> for Disguised {
        fn neurons(&self) -> usize {
            1
        }
        fn drive(&self, x: ArrayView1<'_, f64>, u: ArrayView1<'_, f64>, mut z: ArrayViewMut1<'_, f64>) {
            z[0] = 12.0 * x[0] - 6.0 + u[0];
        }
        fn own(&self, _: usize, _: ArrayView1<'_, f64>, _: ArrayView1<'_, f64>) -> Own<f64> {
            if self.0 > 0.0 { Own::Bounded { least: 0.0, most: self.0 } } else { Own::Unknown }
        }
    }
    let weights = Weights::dense(&array![[12.0]]).unwrap();
    for bound in [0.0, 12.0, 20.0] {
        for u in [0.0, 1e-3, -0.2] {
            let game =
                |interaction| NeuralGame::builder(interaction).activation(Logistic::new()).input(&array![u]).build();
            let found = game(Disguised(bound)).unwrap().best_response(0, &array![0.2]).unwrap();
            let synapses = NeuralGame::builder(weights.clone()).activation(Logistic::new());
            let exact = synapses.input(&array![u - 6.0]).build().unwrap().best_response(0, &array![0.2]).unwrap();
            assert_eq!(found.minimisers().len(), exact.minimisers().len(), "{bound} {u}: {found}, {exact}");
            for (p, q) in found.minimisers().iter().zip(exact.minimisers()) {
                assert!((p.lower - q.lower).abs() < 1e-9 && (p.upper - q.upper).abs() < 1e-9, "{found}, {exact}");
            }
        }
    }
}

#[test]
fn a_pool_of_naka_and_rushton_rests_where_its_sum_says() {
    /// `z_i = u_i^2/(s^2 + sum_j x_j)`.
    #[derive(Debug)]
    struct Pool(f64);
    impl InteractionCost<f64> for Pool {
        fn neurons(&self) -> usize {
            2
        }
        fn drive(&self, x: ArrayView1<'_, f64>, u: ArrayView1<'_, f64>, mut z: ArrayViewMut1<'_, f64>) {
            z.assign(&u.mapv(|u| u * u / (self.0 * self.0 + x.sum())));
        }
        fn own(&self, i: usize, x: ArrayView1<'_, f64>, u: ArrayView1<'_, f64>) -> Own<f64> {
            Own::Bounded { least: -(u[i] / (self.0 * self.0 + x[1 - i])).powi(2), most: 0.0 }
        }
        fn domain(&self, _: usize) -> Domain<f64> {
            Domain::new(0.0, f64::INFINITY)
        }
    }
    let u = array![2.0, 0.7];
    let s: f64 = 1.3;
    let squares = u.dot(&u);
    let sum = ((s.powi(4) + 4.0 * squares).sqrt() - s * s) / 2.0;
    let rest = u.mapv(|u: f64| u * u / (s * s + sum));
    let game = NeuralGame::builder(Pool(s)).activation(Relu).input(&u).build().unwrap();
    let near = |x: ArrayView1<'_, f64>, tolerance: f64| (&x - &rest).iter().all(|d| d.abs() < tolerance);
    assert!(near(game.equilibrium().solve().unwrap().state(), 1e-10));
    assert!(near(game.simulate().until_converged(1e-10).run().unwrap().final_state(), 1e-8));
    assert!(near(game.best_response_flow().until_converged(1e-8).run().unwrap().final_state(), 1e-6));
    for rule in rules() {
        let name = format!("{rule:?}");
        let play = game.play().rule(rule).tolerance(1e-9).record_exploitability().run().unwrap();
        assert!(play.converged() && near(play.final_state(), 1e-7), "{name}: {play}");
        assert!(play.exploitability().unwrap()[play.steps()] < 1e-12);
    }
    // Many inputs at once, and an input that jumps on the way.
    let inputs = array![[2.0, 1.0], [0.7, 1.0]];
    let each = game.equilibrium().solve_inputs(&inputs).unwrap();
    assert!(near(each[0].equilibrium().unwrap().state(), 1e-10));
    let other = game.with_input(&array![1.0, 1.0]).unwrap();
    let jump = other.simulate().input_steps(&array![1.0], &u.clone().insert_axis(ndarray::Axis(0)));
    assert!(near(jump.until_converged(1e-10).run().unwrap().final_state(), 1e-8));
    assert!(game.is_nash(&rest, 1e-10).unwrap().holds());
}

#[test]
fn terms_of_three_neurons_have_their_closed_forms() {
    let mut rng = StdRng::seed_from_u64(2);
    for n in [3, 5] {
        let mut w = random(&mut rng, n, -0.4, 0.4);
        w[[0, 0]] = 0.0;
        let u = Array1::from_shape_fn(n, |_| rng.random_range(-1.0..1.0));
        let x = Array1::from_shape_fn(n, |_| rng.random_range(-0.9..0.9));
        let interaction = Triplets { w: w.clone(), v: 0.3 };
        let game = NeuralGame::builder(interaction).activation(Tanh::new()).input(&u).build().unwrap();
        for i in 0..n {
            let c = w.row(i).dot(&x) - w[[i, i]] * x[i] + u[i] + 0.3 * x[(i + 1) % n] * x[(i + 2) % n];
            let energy = game.energy(i, &x).unwrap();
            let interaction = x[i] * x[i] / 2.0 * (1.0 - w[[i, i]]) - c * x[i];
            assert!((energy.interaction - interaction).abs() < 1e-14);
            let best = game.best_response(i, &x).unwrap().rate().unwrap();
            assert!((best - (w[[i, i]] * best + c).tanh()).abs() < 1e-14);
        }
        let rest = game.equilibrium().solve().unwrap();
        for method in [Method::from(Anderson::new()), Newton::new().into()] {
            let other = game.equilibrium().method(method).solve().unwrap();
            assert!((&other.state() - &rest.state()).iter().all(|d| d.abs() < 1e-9));
        }
        assert!(game.residual(&rest.state()).unwrap().iter().all(|r| r.abs() < 1e-11));
        assert!(game.is_nash(&rest.state(), 1e-12).unwrap().holds());
    }
}

#[test]
fn synapses_are_one_interaction_of_many() {
    let mut rng = StdRng::seed_from_u64(5);
    let w = random(&mut rng, 6, -0.5, 0.5);
    let u = Array1::from_shape_fn(6, |_| rng.random_range(-1.0..1.0));
    let x = Array1::from_shape_fn(6, |_| rng.random_range(-0.9..0.9));
    let net = FiringRateNetwork::builder(w.clone()).activation(Tanh::new()).input(&u).build().unwrap();
    let weights = Weights::dense(&w).unwrap();
    let game = NeuralGame::builder(weights).activation(Tanh::new()).input(&u).build().unwrap();
    let close = |a: &Array1<f64>, b: &Array1<f64>| (a - b).iter().all(|d| d.abs() < 1e-12);
    let synaptic = net.game();
    assert!(close(&game.energies(&x).unwrap().total, &synaptic.energies(&x).unwrap().total));
    assert!(close(&game.exploitability(&x).unwrap().gains, &synaptic.exploitability(&x).unwrap().gains));
    assert!(close(&game.pseudo_gradient(&x).unwrap(), &synaptic.pseudo_gradient(&x).unwrap()));
    let (rest, other) = (game.equilibrium().solve().unwrap(), net.equilibrium().solve().unwrap());
    assert!((&rest.state() - &other.state()).iter().all(|d| d.abs() < 1e-11));
    let end = |s: neuronash::dynamics::Simulation<'_, f64>| s.initial(&x).until(3.0).run().unwrap();
    let (flow, other_flow) = (end(game.simulate()), end(net.simulate()));
    assert!(close(&flow.final_state().to_owned(), &other_flow.final_state().to_owned()));
    let (flow, other_flow) = (end(game.best_response_flow()), end(synaptic.best_response_flow()));
    assert!(close(&flow.final_state().to_owned(), &other_flow.final_state().to_owned()));
    for (rule, other) in rules().into_iter().zip(rules()) {
        let (play, other) = (game.play().rule(rule).run().unwrap(), synaptic.play().rule(other).run().unwrap());
        assert!(close(&play.final_state().to_owned(), &other.final_state().to_owned()));
    }
    let (local, other) = (game.linearise(&rest.state()).unwrap(), net.linearise(&rest.state()).unwrap());
    assert_eq!(local, other);
    let standing = game.standing(&rest.state(), 1e-10).unwrap();
    assert_eq!((standing.nash, standing.locally_stable), (Flag::Yes, Flag::Yes));
}

#[test]
fn linearised_divisive_networks_have_the_spectrum_of_their_jacobian() {
    let mut rng = StdRng::seed_from_u64(7);
    let (w, g) = (random(&mut rng, 2, -0.5, 0.5), random(&mut rng, 2, 0.0, 1.0));
    let interaction = Divisive { w, g, tells: true };
    let game = NeuralGame::builder(interaction.clone()).activation(Relu).input(&array![2.0, 3.0]).build().unwrap();
    let rest = game.equilibrium().solve().unwrap();
    let local = game.linearise(&rest.state()).unwrap();
    assert!(rest.state().iter().all(|&x| x > 0.1));
    // Trace and determinant of J - I, from differences of the drive.
    let x = rest.state().to_owned();
    let entry = |i: usize, j: usize| {
        let (mut ahead, mut behind) = (x.clone(), x.clone());
        (ahead[j], behind[j]) = (x[j] + 1e-5, x[j] - 1e-5);
        (game.drive(&ahead).unwrap()[i] - game.drive(&behind).unwrap()[i]) / 2e-5 - if i == j { 1.0 } else { 0.0 }
    };
    let (trace, determinant) = (entry(0, 0) + entry(1, 1), entry(0, 0) * entry(1, 1) - entry(0, 1) * entry(1, 0));
    let [p, q] = local.eigenvalues() else { panic!("two eigenvalues") };
    assert!(((p + q).re - trace).abs() < 1e-8 && ((p * q).re - determinant).abs() < 1e-8);
    let standing = rest.standing(&game).unwrap();
    assert_eq!((standing.stationary, standing.nash), (Flag::Yes, Flag::Yes));

    let silent = Divisive { tells: false, ..interaction };
    let silent = NeuralGame::builder(silent).activation(Relu).input(&array![2.0, 3.0]).build().unwrap();
    assert!(matches!(silent.linearise(&x), Err(Error::Invalid { argument, .. }) if argument == "interaction"));
}

#[test]
fn certified_divisive_games_keep_what_is_guaranteed() {
    let mut rng = StdRng::seed_from_u64(21);
    let mut certified = 0;
    for _ in 0..12 {
        let (w, g) = (random(&mut rng, 3, 0.0, 0.4), random(&mut rng, 3, 0.1, 0.5));
        let u = Array1::from_shape_fn(3, |_| rng.random_range(0.0..1.5));
        let tau = Array1::from_shape_fn(3, |_| rng.random_range(0.5..2.0));
        let interaction = Divisive { w, g, tells: true };
        let enclosure = interaction.jacobian_enclosure(u.view()).unwrap();
        let builder = NeuralGame::builder(interaction.clone()).activation(Relu).input(&u).time_constants(&tau);
        let game = builder.build().unwrap();
        // The Jacobian at random states lies in the box.
        for _ in 0..50 {
            let x = Array1::from_shape_fn(3, |_| rng.random_range(0.0..1f64).powi(3) * 20.0);
            let mut jacobian = Array2::zeros((3, 3));
            for (j, column) in jacobian.columns_mut().into_iter().enumerate() {
                let mut unit = Array1::zeros(3);
                unit[j] = 1.0;
                interaction.jacobian_product(x.view(), u.view(), unit.view(), column);
            }
            assert!(enclosure.contains(&jacobian), "{x}");
        }
        let Ok(certificate) = game.certify().unwrap().into_certificate() else { continue };
        certified += 1;
        game.verify(&certificate).unwrap();
        let lyapunov = game.lyapunov(&certificate).unwrap();
        let rest = game.equilibrium().solve().unwrap();
        assert!(game.is_nash(&rest.state(), 1e-10).unwrap().holds());
        for _ in 0..4 {
            let start = Array1::from_shape_fn(3, |_| rng.random_range(0.0..5.0));
            let bound = lyapunov.error_bound(&start).unwrap().unwrap();
            let away = (&start - &rest.state()).iter().fold(0.0, |m: f64, d| m.max(d.abs()));
            assert!(away <= bound.largest, "{away} {bound}");
            let run = game.simulate().initial(&start).until(5.0).relative_tolerance(1e-9).run().unwrap();
            let first = lyapunov.value(&start).unwrap();
            for (&t, x) in run.times().iter().zip(run.states().rows()) {
                assert!(lyapunov.value(&x).unwrap() <= lyapunov.envelope(first, t).unwrap() + 1e-8);
            }
        }
        let bound = lyapunov.error_bound(&rest.state()).unwrap().unwrap();
        assert!(bound.largest < 1e-9, "{bound}");
        assert!(lyapunov.error_bound(&array![-1.0, 0.0, 0.0]).unwrap().is_none());
        // Another input has another enclosure.
        let louder = game.with_input(&(&u + 50.0)).unwrap();
        assert!(matches!(louder.verify(&certificate), Err(Error::NotProved { .. })));
    }
    assert!(certified >= 6, "{certified}");
}

#[test]
fn synapses_are_certified_as_a_box_of_no_width() {
    let w = array![[0.5, -4.0], [3.0, 0.0]];
    let net = FiringRateNetwork::builder(w.clone()).activation(Relu).input(&array![1.0, 0.0]).build().unwrap();
    let game =
        NeuralGame::builder(Weights::dense(&w).unwrap()).activation(Relu).input(&array![1.0, 0.0]).build().unwrap();
    let certificate = game.certify().unwrap().into_certificate().unwrap();
    assert!(certificate.margin() > 0.4 && certificate.margin() <= 0.5);
    let proof = net.certify_weights(&certificate.weights()).unwrap();
    let (ours, theirs) = (game.lyapunov(&certificate).unwrap(), net.lyapunov(&proof).unwrap());
    let x = array![0.3_f64, 0.7];
    assert!((ours.value(&x).unwrap() - theirs.value(&x).unwrap()).abs() < 1e-14);
    let (a, b) = (ours.error_bound(&x).unwrap().unwrap(), theirs.error_bound(&x).unwrap().unwrap());
    // |M| |r| in place of |W r| is larger, here by less than a factor of 2.
    assert!(a.weighted >= b.weighted * (1.0 - 1e-6) && a.weighted < 2.0 * b.weighted, "{a:?} {b:?}");
}

#[test]
fn a_large_game_is_solved_by_products_alone() {
    let mut rng = StdRng::seed_from_u64(9);
    let n = 400;
    let scale = 1.0 / n as f64;
    let interaction =
        Divisive { w: random(&mut rng, n, -scale, scale), g: random(&mut rng, n, 0.0, scale), tells: true };
    let u = Array1::from_shape_fn(n, |_| rng.random_range(0.5..2.0));
    let game = NeuralGame::builder(interaction).activation(Relu).input(&u).build().unwrap();
    let newton = game.equilibrium().method(Newton::new()).solve().unwrap();
    let anderson = game.equilibrium().method(Anderson::new()).solve().unwrap();
    assert!((&newton.state() - &anderson.state()).iter().all(|d| d.abs() < 1e-10));
}

#[test]
fn what_needs_synapses_or_leaves_the_domain_is_named() {
    let argument = |error: Error| match error {
        Error::Invalid { argument, .. } => argument,
        Error::Shape { argument, .. } => argument,
        other => panic!("{other}"),
    };
    let divisive = || Divisive { w: array![[0.2]], g: array![[1.0]], tells: true };
    let outside = NeuralGame::builder(divisive()).activation(Tanh::new()).build().unwrap_err();
    assert!(argument(outside).starts_with("population all"));
    let game = NeuralGame::builder(divisive()).activation(Relu).input(&array![1.0]).build().unwrap();
    let search = game.equilibrium().method(SupportEnumeration::new()).solve().unwrap_err();
    assert_eq!(argument(search), "method");
    let net = FiringRateNetwork::builder(array![[0.2]]).activation(Relu).build().unwrap();
    let certificate = net.certify().unwrap().into_certificate().unwrap();
    assert_eq!(argument(game.equilibrium().certificate(&certificate).solve().unwrap_err()), "certificate");
    assert_eq!(argument(game.play().record_lyapunov(&certificate).run().unwrap_err()), "record_lyapunov");
    assert_eq!(
        argument(game.simulate().record_lyapunov(&certificate).until(1.0).run().unwrap_err()),
        "record_lyapunov"
    );
    assert_eq!(argument(game.best_response(1, &array![0.0]).unwrap_err()), "neuron");
    assert_eq!(argument(game.with_input(&array![1.0, 2.0]).unwrap_err()), "input");
}
