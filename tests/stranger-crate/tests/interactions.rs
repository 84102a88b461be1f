//! Interactions from outside are solved, played and certified, and keep what the certificate guarantees.

use ndarray::{Array1, Array2, array};
use neuronash::activation::{ClippedLinear, Relu};
use neuronash::dynamics::{Damped, Proximal, Simultaneous};
use neuronash::game::{InteractionCost, NeuralGame};
use stranger::interactions::{DivisivePool, Triplets};
use stranger::rules::Inertial;

/// Rates spread over `[0, size]` without a pattern.
fn start(n: usize, k: usize, size: f64) -> Array1<f64> {
    Array1::from_shape_fn(n, |i| size * ((i + 1) as f64 * (k + 2) as f64 * 0.618_033_988_7).fract())
}

/// Certifies a game and holds it to the guarantees from several starts.
fn keeps_its_guarantees(game: &NeuralGame<f64>, size: f64) {
    let certificate = game.certify().unwrap().into_certificate().unwrap();
    let lyapunov = game.lyapunov(&certificate).unwrap();
    let rest = game.equilibrium().solve().unwrap().state().to_owned();
    assert!(game.is_nash(&rest, 1e-10).unwrap().holds());
    assert!(lyapunov.error_bound(&rest).unwrap().unwrap().largest < 1e-9);
    for k in 0..5 {
        let start = start(game.len(), k, size);
        let run = game.simulate().initial(&start).until(6.0).relative_tolerance(1e-9).run().unwrap();
        let first = lyapunov.value(&start).unwrap();
        for (&t, x) in run.times().iter().zip(run.states().rows()) {
            assert!(lyapunov.value(&x).unwrap() <= lyapunov.envelope(first, t).unwrap() + 1e-8);
            let away = (&x - &rest).iter().fold(0.0, |m: f64, d| m.max(d.abs()));
            assert!(away <= lyapunov.error_bound(&x).unwrap().unwrap().largest);
        }
    }
}

fn pool() -> NeuralGame<f64> {
    let weights = array![[0.2, 0.1, 0.0], [0.0, 0.3, 0.1], [0.2, 0.0, 0.1]];
    let interaction = DivisivePool { weights, pool: 0.25 };
    let u = array![0.6, 1.0, 0.3];
    NeuralGame::builder(interaction).activation(Relu).input(&u).time_constants(&array![1.0, 2.0, 0.5]).build().unwrap()
}

#[test]
fn a_divisive_pool_keeps_its_guarantees() {
    keeps_its_guarantees(&pool(), 4.0);
}

#[test]
fn one_divisive_neuron_rests_where_its_quadratic_says() {
    // x (1 + g x) = w x + u.
    let (w, g, u): (f64, f64, f64) = (0.4, 0.5, 1.2);
    let interaction = DivisivePool { weights: array![[w]], pool: g };
    let game = NeuralGame::builder(interaction).activation(Relu).input(&array![u]).build().unwrap();
    let root = ((w - 1.0) + ((1.0 - w).powi(2) + 4.0 * g * u).sqrt()) / (2.0 * g);
    assert!((game.equilibrium().solve().unwrap().state()[0] - root).abs() < 1e-11);
    assert!((game.best_response(0, &array![0.0]).unwrap().rate().unwrap() - root).abs() < 1e-11);
}

#[test]
fn terms_of_three_neurons_keep_their_guarantees() {
    let weights = array![[0.1, -0.6, 0.0, 0.1], [0.5, 0.0, -0.4, 0.0], [0.0, 0.3, 0.2, -0.5], [0.4, 0.0, 0.2, -0.1]];
    let interaction = Triplets { weights, strength: 0.15 };
    let unit = ClippedLinear::new(0.0, 1.0).unwrap();
    let u = array![0.5, 0.4, 0.3, 0.2];
    let game = NeuralGame::builder(interaction).activation(unit).input(&u).build().unwrap();
    keeps_its_guarantees(&game, 1.0);
}

#[test]
fn enclosures_hold_the_jacobians() {
    let triplets = Triplets { weights: array![[0.1, -0.6, 0.2], [0.5, 0.0, -0.4], [0.0, 0.3, 0.2]], strength: -0.3 };
    let pool = DivisivePool { weights: array![[0.2, 0.1], [0.0, 0.3]], pool: 0.7 };
    let cases: [(&dyn InteractionCost<f64>, f64); 2] = [(&triplets, 1.0), (&pool, 9.0)];
    for (interaction, size) in cases {
        let n = interaction.neurons();
        let u = Array1::from_elem(n, 0.7);
        let enclosure = interaction.jacobian_enclosure(u.view()).unwrap();
        for k in 0..40 {
            let x = start(n, k, size);
            let mut jacobian = Array2::zeros((n, n));
            for (j, column) in jacobian.columns_mut().into_iter().enumerate() {
                let mut unit = Array1::zeros(n);
                unit[j] = 1.0;
                interaction.jacobian_product(x.view(), u.view(), unit.view(), column);
            }
            assert!(enclosure.contains(&jacobian), "{x}");
        }
    }
}

#[test]
fn a_rule_of_their_own_reaches_the_equilibrium_and_can_be_combined() {
    let game = pool();
    let rest = game.equilibrium().solve().unwrap().state().to_owned();
    let near = |x: ndarray::ArrayView1<'_, f64>| (&x - &rest).iter().all(|d| d.abs() < 1e-8);
    let play = game.play().rule(Inertial::new(0.3)).tolerance(1e-10).run().unwrap();
    assert!(play.converged() && near(play.final_state()), "{play}");
    let play = game.play().rule(Damped::new(0.5, Inertial::new(0.3))).tolerance(1e-10).run().unwrap();
    assert!(play.converged() && near(play.final_state()), "{play}");
    let play = game.play().rule(Proximal::new(1.0, Inertial::new(0.2))).tolerance(1e-10).run().unwrap();
    assert!(play.converged() && near(play.final_state()), "{play}");
    assert!(game.play().rule(Inertial::new(1.5)).run().is_err());
    let two = game.play().rule(Inertial::new(0.0)).max_rounds(3).run().unwrap();
    assert_eq!(two.states(), game.play().rule(Simultaneous).max_rounds(3).run().unwrap().states());
}
