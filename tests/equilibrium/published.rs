//! Published circuits against `data/published_circuits.csv`, which `data/published_circuits.py` makes from their
//! equations.

use ndarray::{Array1, Array2, array};
use neuronash::activation::{PowerLaw, Relu, Scaled, from_fn};
use neuronash::network::FiringRateNetwork;

/// The values of one row.
fn published(circuit: &str, parameter: f64) -> Vec<f64> {
    let row = include_str!("../data/published_circuits.csv").lines().skip(1).find_map(|line| {
        let f: Vec<&str> = line.split(',').collect();
        (f[0] == circuit && f[1].parse() == Ok(parameter)).then(|| f[2].to_owned())
    });
    row.expect("a row of the table").split(' ').map(|v| v.parse().unwrap()).collect()
}

#[test]
fn supralinear_networks_become_paradoxical_between_inputs_1_and_2() {
    for (h, printed) in [
        (1.0, [0.474721, 0.516100]),
        (2.0, [3.260896, 4.275699]),
        (5.0, [8.454332, 15.783580]),
        (15.0, [11.209258, 35.229149]),
    ] {
        let net = FiringRateNetwork::builder(array![[1.25, -0.65], [1.2, -0.5]])
            .activation(Scaled::new(PowerLaw::new(2.0).unwrap()).with_amplitude(0.3).unwrap())
            .time_constants(&array![20.0, 10.0])
            .input(&array![h, h])
            .build()
            .unwrap();
        let expected = published("supralinear", h);
        // The rates of the state that it reaches from rest.
        let run = net.simulate().initial(&array![0.0, 0.0]).until(3000.0).run().unwrap();
        let reached = run.states().row(run.states().nrows() - 1).to_owned();
        let x = net.equilibrium().initial(&reached).solve().unwrap().into_state();
        for i in 0..2 {
            assert!((x[i] - expected[i]).abs() < 1e-8 * expected[i] && (x[i] - printed[i]).abs() < 1e-6, "{x}");
        }
        let response = net.response(&x).unwrap().matrix().unwrap()[[1, 1]];
        assert!((response - expected[2]).abs() < 1e-6 * expected[2].abs(), "{response}");
        assert_eq!(response < 0.0, h > 1.0);
        assert!(net.linearise(&x).unwrap().is_stable());
    }
}

#[test]
fn the_response_of_sst_to_vip_reverses_with_the_baseline() {
    let w = array![
        [2.4167, -0.3329, -0.8039, 0.0],
        [2.9706, -3.4554, -2.1291, 0.0],
        [4.6440, 0.0, 0.0, -2.7896],
        [0.7162, 0.0, -0.1560, 0.0]
    ];
    let f_i = |g: f64, t: f64| {
        from_fn("f-I curve", move |z: f64| {
            let v = z / g - 20.0;
            if v == 0.0 { 0.1 / t } else { v / (10.0 * t * -(-v).exp_m1()) }
        })
    };
    for (name, input, start, printed) in [
        ("cell types low", array![115.03, 233.66, 94.31, 89.91], array![1.0, 10.0, 3.0, 2.0], -0.24170),
        ("cell types high", array![147.2512, 386.7281, 40.2657, 98.4368], array![30.0, 50.0, 30.0, 20.0], 0.84384),
    ] {
        let net = FiringRateNetwork::builder(&w)
            .population("E", 0..1, f_i(6.25, 0.0288))
            .population("PV", 1..2, f_i(10.0, 0.008))
            .population("SST", 2..3, f_i(5.0, 0.016))
            .population("VIP", 3..4, f_i(5.0, 0.016))
            .time_constants(&Array1::from_elem(4, 2.0))
            .input(&input)
            .build()
            .unwrap();
        let x = net.equilibrium().initial(&start).solve().unwrap().into_state();
        let expected = published(name, 0.0);
        assert!(x.iter().zip(&expected).all(|(x, e)| (x - e).abs() < 1e-6 * e), "{x}");
        let response = net.response(&x).unwrap().matrix().unwrap()[[2, 3]];
        assert!((response - printed).abs() < 5e-6 && (response - expected[4]).abs() < 1e-6, "{response}");
    }
}

#[test]
fn threshold_linear_networks_have_the_published_numbers_of_fixed_points() {
    let count = |sizes: &[usize], eps: f64, delta: f64| {
        let part: Vec<usize> = sizes.iter().enumerate().flat_map(|(p, &s)| std::iter::repeat_n(p, s)).collect();
        let n = part.len();
        // Edges j -> i from every node of a part to every node of the next.
        let w = Array2::from_shape_fn((n, n), |(i, j)| match (i == j, part[i] == (part[j] + 1) % sizes.len()) {
            (true, _) => 0.0,
            (_, true) => -1.0 + eps,
            (_, false) => -1.0 - delta,
        });
        let net = FiringRateNetwork::builder(w).activation(Relu).input(&Array1::ones(n)).build().unwrap();
        let all = net.all_equilibria().find().unwrap();
        assert!(all.complete);
        all.equilibria.len()
    };
    for (name, sizes, (eps, delta)) in [
        ("1-1-1", &[1, 1, 1][..], (0.25, 0.5)),
        ("2-2-2", &[2, 2, 2], (0.75, 4.0)),
        ("3-2-1", &[3, 2, 1], (0.75, 4.0)),
        ("2-2-2-2-2", &[2, 2, 2, 2, 2], (0.75, 4.0)),
    ] {
        let expected = published(&format!("threshold-linear {name}"), 0.0)[0] as usize;
        assert_eq!(count(sizes, eps, delta), expected, "{name}");
    }
}

#[test]
fn ring_attractors_have_the_published_bumps() {
    let n = 256;
    let angle = |i: usize| std::f64::consts::TAU * i as f64 / n as f64;
    let ring = |j2: f64| {
        let w = Array2::from_shape_fn((n, n), |(i, j)| (-2.0 + j2 * (angle(i) - angle(j)).cos()) / n as f64);
        FiringRateNetwork::builder(w).activation(Relu).input(&Array1::ones(n)).build().unwrap()
    };
    assert!(ring(1.99).certify().unwrap().is_stable() && ring(2.01).certify().unwrap().is_not_stable());
    for j2 in [3.0, 4.0, 6.0] {
        let net = ring(j2);
        let mut x = Array1::from_shape_fn(n, |i| angle(i).cos().max(0.0));
        for _ in 0..3000 {
            x = &x - 0.2 * net.residual(&x).unwrap();
            // Keeps the bump, which could stand anywhere, where it is.
            x = Array1::from_shape_fn(n, |i| 0.5 * (x[i] + x[(n - i) % n]));
        }
        assert!(net.residual(&x).unwrap().iter().all(|r| r.abs() < 1e-5));
        let rest = net.equilibrium().initial(&x).solve().unwrap();
        let peak = rest.state().iter().copied().fold(0.0, f64::max);
        assert!((peak - published("ring", j2)[0]).abs() < 5e-5, "J2 = {j2}: {peak}");
    }
}
