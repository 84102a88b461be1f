//! Regional certificates: proved ellipsoids against simulations from a thousand points of each.

use ndarray::{Array1, Array2, array};
use neuronash::Scalar;
use neuronash::activation::{Logistic, PowerLaw, Relu, Scaled, Tanh, from_fn};
use neuronash::network::FiringRateNetwork;
use neuronash::stability::region::{RegionCertificate, RegionOptions};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// The supralinear network of Hennequin et al. (2018) at input `(h, h)`, times in ms.
fn supralinear(h: f64) -> FiringRateNetwork<f64> {
    FiringRateNetwork::builder(array![[1.25, -0.65], [1.2, -0.5]])
        .activation(Scaled::new(PowerLaw::new(2.0).unwrap()).with_amplitude(0.3).unwrap())
        .time_constants(&array![20.0, 10.0])
        .input(&array![h, h])
        .build()
        .unwrap()
}

/// Starts on the boundary of the region and simulates by Runge and Kutta's method: no state leaves it, all reach the
/// centre, and distances keep the proved envelope.
fn basin_holds(net: &FiringRateNetwork<f64>, region: &RegionCertificate, starts: usize, step: f64, steps: usize) {
    let (n, centre) = (net.len(), region.centre().to_owned());
    let mut rng = StdRng::seed_from_u64(7);
    let flow = |x: &Array1<f64>| -net.residual(x).unwrap() / net.time_constants();
    for _ in 0..starts {
        let direction: Array1<f64> = (0..n).map(|_| rng.random_range(-1.0..1.0)).collect();
        let length = region.distance(&(&centre + &direction)).unwrap();
        let mut x = &centre + &(&direction * ((1.0 - 1e-9) / length));
        let start = x.clone();
        for k in 1..=steps {
            let k1 = flow(&x);
            let k2 = flow(&(&x + &(0.5 * step * &k1)));
            let k3 = flow(&(&x + &(0.5 * step * &k2)));
            let k4 = flow(&(&x + &(step * &k3)));
            x = x + (k1 + 2.0 * k2 + 2.0 * k3 + k4) * (step / 6.0);
            if k % 8 == 1 {
                let (now, bound) = (region.distance(&x).unwrap(), region.envelope(&start, step * k as f64).unwrap());
                // The method's own error is far below the slack.
                assert!(now <= bound + 1e-4, "distance {now} after {k} steps, at most {bound} proved");
            }
        }
        let left = region.distance(&x).unwrap();
        assert!(left < 0.2, "{left} of the region after {steps} steps from {start}");
    }
}

#[test]
fn supralinear_networks_have_regions_at_every_input() {
    // Rates (data/published_circuits.py), and half-widths that a single Lyapunov equation gives (theory 3.12).
    let table = [
        (1.0, [0.474721, 0.516100], [0.156, 0.583]),
        (2.0, [3.260896, 4.275699], [0.148, 0.472]),
        (5.0, [8.454332, 15.783580], [0.808, 2.25]),
        (15.0, [11.209258, 35.229149], [1.045, 3.24]),
    ];
    for (h, rates, least) in table {
        let net = supralinear(h);
        assert!(net.certify().is_err());
        let region = net.certify_region(&array![rates[0], rates[1]]).unwrap();
        let alone = region.single_displacements();
        for i in 0..2 {
            assert!((region.centre()[i] - rates[i]).abs() < 1e-6);
            assert!(region.equilibrium_error()[i] < 1e-8, "{:?}", region.equilibrium_error());
            assert!(alone[i] >= least[i] && region.half_widths()[i] >= alone[i], "h = {h}: {alone}");
        }
        net.verify_region(&region).unwrap();
        assert!(supralinear(h + 0.1).verify_region(&region).is_err());
        basin_holds(&net, &region, 1000, 1.0, 300);
    }
}

#[test]
fn inhibition_stabilised_states_contract_at_the_rate_asked_for() {
    let net = supralinear(5.0);
    let x = array![8.454332, 15.783580];
    let decay = -net.linearise(&x).unwrap().spectral_abscissa();
    let fast = RegionOptions::default().rate(0.5 * decay).firing_rate(&net, &x).unwrap();
    let slow = net.certify_region(&x).unwrap();
    assert!(fast.rate() == 0.5 * decay && fast.half_widths()[0] < slow.half_widths()[0]);
    basin_holds(&net, &fast, 100, 1.0, 100);
    let error = RegionOptions::default().rate(1.1 * decay).firing_rate(&net, &x).unwrap_err().to_string();
    assert!(error.contains("`rate`") && error.contains("decay of the linearisation"), "{error}");
}

#[test]
fn each_stable_state_of_a_bistable_circuit_has_its_basin() {
    // Two neurons that inhibit each other: one or the other wins, and the saddle between them is refused.
    let net = FiringRateNetwork::builder(array![[0.0, -3.0], [-3.0, 0.0]])
        .activation(Tanh::new())
        .time_constants(&array![1.0, 2.0])
        .build()
        .unwrap();
    let winner = net.equilibrium().initial(&array![0.9, -0.9]).solve().unwrap().into_state();
    let (one, other) = (net.certify_region(&winner).unwrap(), net.certify_region(&-&winner).unwrap());
    for region in [&one, &other] {
        basin_holds(&net, region, 1000, 0.1, 200);
    }
    // The states are 2 apart for each neuron.
    assert!(
        one.half_widths()[0] > 0.5 && !one.contains(&-&winner).unwrap() && !one.contains(&array![0.0, 0.0]).unwrap()
    );
    let error = net.certify_region(&array![0.0, 0.0]).unwrap_err().to_string();
    assert!(error.contains("unstable"), "{error}");
}

/// `-1 + eps` along edges, `-1 - delta` else (Curto et al.), inputs 1.
fn threshold_linear(edges: &Array2<bool>, eps: f64, delta: f64) -> FiringRateNetwork<f64> {
    let weight = |(i, j): (usize, usize)| match (i == j, edges[[i, j]]) {
        (true, _) => 0.0,
        (_, true) => -1.0 + eps,
        (_, false) => -1.0 - delta,
    };
    let w = Array2::from_shape_fn(edges.dim(), weight);
    FiringRateNetwork::builder(w).activation(Relu).input(&Array1::ones(edges.nrows())).build().unwrap()
}

#[test]
fn every_permitted_set_of_a_threshold_linear_network_has_its_region() {
    // Two cliques of two, which exclude each other.
    let clique = |i: usize| i / 2;
    let edges = Array2::from_shape_fn((4, 4), |(i, j)| clique(i) == clique(j));
    let net = threshold_linear(&edges, 0.25, 0.5);
    let found = net.all_equilibria().find().unwrap();
    let stable: Vec<_> = found.stable().collect();
    assert_eq!(stable.len(), 2);
    for state in stable {
        let region = net.certify_region(&state.state).unwrap();
        basin_holds(&net, &region, 1000, 0.1, 150);
        assert!(region.single_displacements().iter().all(|&d| d > 0.05), "{region}");
    }
}

#[test]
fn ring_attractors_are_refused_as_a_continuum() {
    let n = 16;
    let angle = |i: usize| std::f64::consts::TAU * i as f64 / n as f64;
    let w = Array2::from_shape_fn((n, n), |(i, j)| (-2.0 + 4.0 * (angle(i) - angle(j)).cos()) / n as f64);
    let net = FiringRateNetwork::builder(w).activation(Relu).input(&Array1::ones(n)).build().unwrap();
    let x = net.equilibrium().initial(&Array1::from_shape_fn(n, |i| (angle(i) - 0.1).cos().max(0.0))).solve().unwrap();
    let error = net.certify_region(&x.state()).unwrap_err().to_string();
    assert!(error.contains("continuum"), "{error}");
}

#[test]
fn states_that_are_none_and_slopes_that_are_not_known_are_errors() {
    let net = supralinear(2.0);
    let error = net.certify_region(&array![30.0, 0.0]).unwrap_err().to_string();
    assert!(error.contains("`x`") && error.contains("equilibrium"), "{error}");
    assert!(net.certify_region(&array![1.0]).is_err());
    assert!(net.certify_region(&array![f64::NAN, 1.0]).is_err());
    let bend = |z: f64| if z > 0.0 { z / (1.0 + z) } else { 0.0 };
    let vague = FiringRateNetwork::builder(array![[0.0]]).activation(from_fn("bend", bend)).input(&array![1.0]);
    let error = vague.build().unwrap().certify_region(&array![0.5]).unwrap_err().to_string();
    assert!(error.contains("bend") && error.contains("with_slope_range_on"), "{error}");
}

#[test]
fn both_precisions_and_both_forms_have_regions() {
    fn region<A: Scalar>() -> (RegionCertificate, RegionCertificate) {
        let a = A::of;
        let w = array![[a(6.0), a(-4.0)], [a(5.0), a(-2.0)]];
        let phi = Logistic::with_gain_and_threshold(a(1.0), a(1.0)).unwrap();
        let input = array![a(0.5), a(0.25)];
        let net = FiringRateNetwork::builder(w).activation(phi).input(&input).build().unwrap();
        let x = net.equilibrium().initial(&array![a(0.4), a(0.4)]).solve().unwrap();
        let rates = net.certify_region(&x.state()).unwrap();
        let hopfield = net.to_hopfield();
        let potentials = hopfield.certify_region(&net.drive(&x.state()).unwrap()).unwrap();
        hopfield.verify_region(&potentials).unwrap();
        assert!(hopfield.verify_region(&rates).is_err());
        (rates, potentials)
    }
    let (double, single) = (region::<f64>(), region::<f32>());
    for (d, s) in [(double.0, single.0), (double.1, single.1)] {
        assert!(d.equilibrium_error()[0] < 1e-10 && s.equilibrium_error()[0] < 1e-2);
        let ratio = s.half_widths()[0] / d.half_widths()[0];
        assert!((0.1..1.1).contains(&ratio), "{d}\n{s}");
    }
}

#[test]
fn regions_are_proved_again_and_only_for_their_network() {
    let net = supralinear(5.0);
    let region = net.certify_region(&array![8.454332, 15.783580]).unwrap();
    net.verify_region(&region).unwrap();
    assert!(supralinear(15.0).verify_region(&region).is_err());
}

#[test]
fn random_networks_of_thirty_neurons_have_regions() {
    let n = 30;
    let mut rng = StdRng::seed_from_u64(3);
    let w = Array2::from_shape_fn((n, n), |(_, j)| {
        let sign = if j < 20 { 0.12 } else { -0.2 };
        sign * rng.random_range(0.0..1.0)
    });
    let net = FiringRateNetwork::builder(w)
        .activation(Scaled::new(PowerLaw::new(2.0).unwrap()).with_amplitude(0.3).unwrap())
        .input(&Array1::from_elem(n, 1.5))
        .build()
        .unwrap();
    let x = net.equilibrium().initial(&Array1::from_elem(n, 0.3)).solve().unwrap();
    let region = net.certify_region(&x.state()).unwrap();
    basin_holds(&net, &region, 20, 0.1, 600);
}
