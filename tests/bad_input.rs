//! Arbitrary input for the public constructors and readers: errors that name the argument, never a panic.
//!
//! To cover another constructor, add a test with a strategy of this file (`number`, `matrix`, `vector`, `text`) and
//! drop the result: a panic fails the test. Whatever a constructor accepts must also work, so accepted networks and games are
//! exercised.

use std::sync::Arc;

use ndarray::{Array1, Array2, ShapeBuilder};
use neuronash::activation::{
    ActivationCost, ClippedLinear, LeakyRelu, Logistic, NakaRushton, PowerLaw, RectifiedThreshold, Relu, SoftThreshold,
    Softplus, Tanh,
};
use neuronash::circuits::cortical_column::Coupling;
use neuronash::circuits::lateral_inhibition::{contrast, contrast_after, variation};
use neuronash::circuits::wilson_cowan::Parameter;
use neuronash::circuits::{ColumnDesign, CorticalColumn, LateralInhibition, WilsonCowan};
use neuronash::dynamics::{Damped, Proximal, Simulation, Simultaneous};
use neuronash::equilibrium::{Anderson, FixedPoint, ForwardBackward, Method, Newton, Outcome, PeacemanRachford};
use neuronash::game::{split, symmetrizing_weights, zero_sum_weights};
use neuronash::network::read::{self, EdgeList};
use neuronash::network::{FiringRateNetwork, HopfieldNetwork, Members, Weights};
use neuronash::stability::contraction::{PerronOptions, SContractionOptions};
use neuronash::stability::diagonal::{Certifier, Verdict, certify, margin, max_gain};
use neuronash::{Error, Result};
use proptest::collection::vec;
use proptest::prelude::*;
use sprs::TriMat;

type Setter = fn(Simulation<'_, f64>, f64) -> Simulation<'_, f64>;

/// Ordinary numbers, and those that break things.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -3.0f64..3.0,
        2 => (-3i32..4).prop_map(f64::from),
        2 => prop::sample::select(vec![
            0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 1e-160,
            1e160, 1e300, -1e300, f64::EPSILON,
        ]),
        1 => any::<f64>(),
    ]
}

/// Numbers that are finite, so that networks are accepted often.
fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![8 => -3.0f64..3.0, 2 => (-3i32..4).prop_map(f64::from), 1 => number().prop_filter("finite", |v| v.is_finite())]
}

fn vector(entry: impl Strategy<Value = f64>, length: std::ops::Range<usize>) -> impl Strategy<Value = Array1<f64>> {
    vec(entry, length).prop_map(Array1::from_vec)
}

/// Matrices of any shape (mostly square) and memory order.
fn matrix() -> impl Strategy<Value = Array2<f64>> {
    (0usize..5, 0usize..5, any::<[bool; 4]>()).prop_flat_map(|(rows, columns, [oblong, clean, fortran, flipped])| {
        let columns = if oblong && flipped { columns } else { rows };
        let entry = if clean || !flipped { finite().boxed() } else { number().boxed() };
        vec(entry, rows * columns).prop_map(move |entries| {
            let mut w = Array2::from_shape_vec((rows, columns).set_f(fortran), entries).unwrap();
            if flipped {
                w.invert_axis(ndarray::Axis(1));
            }
            w
        })
    })
}

/// Bytes that look a little like the formats read here.
fn text(words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        8 => prop::sample::select(words.to_vec()).prop_map(|w| w.as_bytes().to_vec()),
        4 => (0u64..6).prop_map(|v| v.to_string().into_bytes()),
        1 => number().prop_map(|v| v.to_string().into_bytes()),
        1 => vec(any::<u8>(), 0..6),
    ];
    vec(word, 0..24).prop_map(|words| words.concat())
}

/// A malformed file is the file's fault.
fn expect_parse<T>(result: Result<T>) {
    if let Err(error) = result {
        assert!(matches!(error, Error::Parse { ref file, .. } if file == "the file"), "{error:?}");
        assert!(error.to_string().starts_with("the file:"));
    }
}

fn exercise(net: &FiringRateNetwork<f64>, x: &Array1<f64>) {
    let game = net.game();
    let _ = (net.drive(x), net.residual(x), net.activate(x), net.slopes(x), net.to_hopfield().residual(x));
    let _ = (net.weights().product(x), net.weights().transposed_product(x), net.weights().dale().to_string());
    let _ = (game.energies(x), game.energy(x.len(), x), game.energy(0, x), game.pseudo_gradient(x));
    let _ = (game.best_response(0, x).map(|r| r.to_string()), game.best_responses(x).map(|r| r.to_string()));
    for neuron in [0, net.len() - 1, net.len(), usize::MAX] {
        let exists = neuron < net.len();
        assert_eq!(net.population_of(neuron).is_some(), exists);
        assert_eq!(net.activation(neuron).is_some(), exists);
        assert!(exists || net.weights().row(neuron).next().is_none());
        assert_eq!(net.weights().dale().polarity(neuron).is_some(), exists);
        assert!(exists || net.weights().get(neuron, 0) == 0.0 && net.weights().get(0, neuron) == 0.0);
        assert!(exists || (game.energy(neuron, x).is_err() && game.best_response(neuron, x).is_err()));
    }
    let _ = (game.exploitability(x).map(|e| e.to_string()), game.is_nash(x, 1e-9).map(|t| t.to_string()));
    if let Ok(Ok(potential)) = net.potential(1e-9) {
        let _ = (potential.energy(x), potential.gradient(x));
    }
    let _ = split(net.weights(), x).map(|s| s.to_string());
    let _ = (symmetrizing_weights(net.weights(), x[0]), zero_sum_weights(net.weights(), 0.0));
}

proptest! {
    #[test]
    fn weights(w in matrix()) {
        let accepted = w.nrows() == w.ncols() && !w.is_empty() && w.iter().all(|v| v.is_finite());
        prop_assert_eq!(Weights::dense(&w).is_ok(), accepted);
        let single = w.mapv(|v| v as f32);
        let accepted = accepted && single.iter().all(|v| v.is_finite());
        prop_assert_eq!(FiringRateNetwork::builder(single).activation(Relu).build().is_ok(), accepted);
        let mut triplets = TriMat::new(w.dim());
        for ((i, j), &v) in w.indexed_iter() {
            triplets.add_triplet(i, j, v);
        }
        let sparse: sprs::CsMat<f64> = triplets.to_csc();
        prop_assert_eq!(Weights::sparse(sparse).is_ok(), Weights::dense(&w).is_ok());
    }

    #[test]
    fn triplets(
        n in prop_oneof![8 => 0usize..6, 1 => Just(usize::MAX), 1 => Just(usize::MAX / 4)],
        entries in vec((prop_oneof![9 => 0usize..6, 1 => any::<usize>()], 0usize..6, number()), 0..12),
    ) {
        let inside = entries.iter().all(|&(i, j, v)| i < n && j < n && v.is_finite());
        let accepted = Weights::from_triplets(n, entries).is_ok();
        prop_assert!(!accepted || (inside && n > 0));
    }

    #[test]
    fn networks(
        w in matrix(),
        tau in prop::option::of(vector(number(), 0..5)),
        input in prop::option::of(vector(number(), 0..5)),
        x in vector(number(), 1..5),
        members in vec((0usize..6, 0usize..6), 0..3),
    ) {
        let mut builder = FiringRateNetwork::builder(&w);
        let mut hopfield = HopfieldNetwork::builder(&w);
        if let Some(tau) = &tau {
            (builder, hopfield) = (builder.time_constants(tau), hopfield.time_constants(tau));
        }
        if let Some(input) = &input {
            (builder, hopfield) = (builder.input(input), hopfield.input(input));
        }
        let simple = builder.clone().activation(Relu).build();
        prop_assert_eq!(simple.is_ok(), hopfield.activation(Relu).build().is_ok());
        for (k, (a, b)) in members.into_iter().enumerate() {
            let members = if k == 2 { Members::from(vec![a, b]) } else { Members::from(a..b) };
            builder = builder.population(format!("p{a}"), members, Relu);
        }
        let grouped = builder.build();
        for net in [simple, grouped].into_iter().flatten() {
            exercise(&net, &x);
            let _ = net.with_input(&x);
        }
    }

    #[test]
    fn games(
        n in 1usize..4,
        family in 0usize..9,
        parameters in [finite(), finite(), finite()],
        entries in vec(finite(), 9),
        input in vector(finite(), 3..4),
        x in vector(number(), 3..4),
    ) {
        let w = Array2::from_shape_fn((n, n), |(i, j)| entries[3 * i + j]);
        let Some(phi) = activation(family, parameters) else { return Ok(()) };
        let builder = FiringRateNetwork::builder(w).shared_population("all", 0..n, phi);
        let net = builder.input(&input.slice(ndarray::s![..n])).build().unwrap();
        let x = x.slice(ndarray::s![..n]).to_owned();
        exercise(&net, &x);
    }

    #[test]
    fn csv(bytes in text(&[",", "\n", ",", "\r\n", "\"", "#", "1", "-2.5", "1e999", "nan", " ", "1,2\n3,4\n", "x"])) {
        expect_parse(read::csv_from::<f64>(&bytes[..], "the file"));
        expect_parse(read::csv_from::<f32>(&bytes[..], "the file"));
    }

    #[test]
    fn edge_lists(
        head in prop::sample::select(vec!["pre,post,weight\n", "post,pre,weight,x\n", "pre,post\n", ""]),
        bytes in text(&[",", "\n", "A", "B", "A,B,1\n", "B,A,-1,q\n", "\"", "#", "nan"]),
    ) {
        let bytes = [head.as_bytes(), &bytes].concat();
        match EdgeList::<f64>::new().read_from(&bytes[..], "the file") {
            Ok(named) => prop_assert_eq!(named.names().len(), named.weights().len()),
            error => expect_parse(error),
        }
    }

    #[test]
    fn matrix_market(
        head in prop::sample::select(vec![
            "%%MatrixMarket matrix coordinate real general\n", "%%MatrixMarket matrix coordinate pattern symmetric\n",
            "%%MatrixMarket matrix array real skew-symmetric\n", "%%MatrixMarket matrix array integer general\n",
            "%%matrixmarket MATRIX coordinate integer symmetric\n2 2 1\n", "%%MatrixMarket matrix array real symmetric\n1 1\n",
            "%%MatrixMarket", "",
        ]),
        bytes in text(&[
            " ", "\n", "1 1 1\n", "2 1 -0.5\n", "2 2 1\n", "3 3 2\n", "1\n", "%", "-1", "real", "general",
            "18446744073709551615 18446744073709551615 1\n", "4611686018427387904 4611686018427387904\n",
            "2 2 18446744073709551615\n",
        ]),
    ) {
        let bytes = [head.as_bytes(), &bytes].concat();
        // The sizes between those that fit and those that never do depend on the machine.
        let sizes = String::from_utf8_lossy(&bytes).split_whitespace().filter_map(|w| w.parse::<u64>().ok()).collect::<Vec<_>>();
        prop_assume!(sizes.iter().all(|n| !(1 << 16..=1 << 50).contains(n)));
        expect_parse(read::matrix_market_from::<f64>(&bytes[..], "the file"));
    }

    #[test]
    fn npy(
        kind in prop::sample::select(vec!["<f8", ">f4", "<i2", "|u1", "|b1", "<c16", "", "[('a', '<f8')]"]),
        fortran: bool,
        shape in prop::sample::select(vec!["(1, 1)", "(2, 2)", "(2, 3)", "()", "(3,)", "(0, 0)", "(-1, -1)", "((((((((((((((((((",
            "(4294967296, 4294967296)", "(18446744073709551615, 1)", "(99999999999999999999999, 2)"]),
        data in vec(any::<u8>(), 0..40),
        damage in prop::option::of((0usize..120, any::<u8>())),
        version in 0u8..5,
        keep in 0usize..200,
    ) {
        let fortran = if fortran { "True" } else { "False" };
        let header = format!("{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let length = (header.len() as u32).to_le_bytes();
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        bytes.extend(if version <= 1 { &length[..2] } else { &length[..] });
        bytes.extend(header.into_bytes());
        bytes.extend(data);
        if let Some((at, value)) = damage && at < bytes.len() {
            bytes[at] = value;
        }
        bytes.truncate(keep);
        expect_parse(read::npy_from::<f64>(&bytes[..], "the file"));
        expect_parse(read::npy_from::<f32>(&bytes[..], "the file"));
    }

    #[test]
    fn any_bytes_at_all(bytes in vec(any::<u8>(), 0..200)) {
        expect_parse(read::csv_from::<f64>(&bytes[..], "the file"));
        expect_parse(EdgeList::<f64>::new().read_from(&bytes[..], "the file"));
        expect_parse(read::matrix_market_from::<f64>(&bytes[..], "the file"));
        expect_parse(read::npy_from::<f64>(&bytes[..], "the file"));
    }

    #[test]
    fn circuits(
        columns in prop_oneof![4 => 0usize..4, 1 => any::<usize>(), 1 => Just(usize::MAX / 2)],
        depth in prop_oneof![4 => 0usize..4, 1 => Just(usize::MAX), 1 => Just(usize::MAX / 2)],
        p in [number(), number(), number(), number(), number()],
        input in vector(number(), 0..5),
    ) {
        let [a, b, c, d, e] = p;
        let layer = LateralInhibition::builder(columns).w_ee(a).w_ei(b).w_ei_lateral(c).w_ie(d).w_ii(e).build();
        if let Ok(layer) = layer && columns < 4 {
            let _ = (layer.network(&input), layer.margin(), layer.certifying_ratio(a), layer.contrast_gain());
            let _ = (layer.precision_floor(a), layer.predicted_winner(&input, c), contrast(&input));
            let _ = (contrast_after(&input, a, depth), variation(&input));
            if let Ok(Some(certificate)) = layer.certify() {
                certificate.verify(&layer).unwrap();
                prop_assert!(certificate.weights(usize::MAX).is_err());
            }
            let coupling = Coupling { gain: b, offset: c };
            if let Ok(column) = CorticalColumn::uniform(layer, depth, coupling) {
                let _ = (column.network(&input), column.predicted_contrast(&input), column.layers_needed(&input, a));
                if let Some(certificate) = column.certify().unwrap().certificate() {
                    certificate.verify(&column).unwrap();
                    prop_assert!(certificate.weights(usize::MAX).is_err());
                }
            }
        }
        let design = ColumnDesign::new(columns).contrast_gain(a).margin(b).w_ee(c).w_ii(d).w_ie(e);
        let _ = (design.largest_contrast_gain(), design.clone().layers(depth).solve());
        // Gains next to 1 ask for as many layers as memory holds.
        if a > 1.5 {
            let _ = (design.clone().contrasts(b, c).solve(), design.input(&input, c).solve());
        }
    }

    #[test]
    fn wilson_cowan(p in [number(), number(), number(), number(), number(), number(), number(), number()], z in number()) {
        let [a, b, c, d, e, f, g, h] = p;
        let builder = WilsonCowan::builder().w_ee(a).w_ei(b).w_ie(c).w_ii(d).tau_e(e).tau_i(f).u_e(g).u_i(h);
        for built in [builder.clone().build(), builder.excitatory(Tanh::new()).inhibitory(Tanh::new()).build()] {
            let Ok(circuit) = built else { continue };
            let _ = (circuit.switch(), circuit.is_diagonally_stable(), circuit.margin(), circuit.certifying_weights());
            let _ = (circuit.split(), circuit.linearise([z, a]), circuit.inhibitory_rate(z), circuit.with(Parameter::TauE, z));
            let _ = (circuit.equilibria().map(|e| e.regime()), circuit.equilibria_within(z, a).map(|e| e.regime()));
            let _ = circuit.sweep(Parameter::WEe, &[z], Parameter::WEi, &[a, z]).run();
            exercise(&circuit.network(), &ndarray::array![z, a]);
        }
    }

    #[test]
    fn simulations(
        entries in vec(finite(), 9),
        initial in prop::option::of(vector(number(), 2..5)),
        options in [number(), number(), number(), number(), number(), number()],
        given in any::<[bool; 6]>(),
        steps in 0usize..60,
        times in vector(number(), 0..4),
    ) {
        let w = Array2::from_shape_vec((3, 3), entries).unwrap();
        let net = FiringRateNetwork::builder(w).activation(Relu).input(&Array1::ones(3)).build().unwrap();
        let hopfield = net.to_hopfield();
        for start in [net.simulate(), hopfield.simulate(), net.game().best_response_flow()] {
            let mut run = start.max_steps(steps);
            let setters: [Setter; 6] = [
                |run, v| run.until(v), |run, v| run.until_converged(v), |run, v| run.relative_tolerance(v),
                |run, v| run.absolute_tolerance(v), |run, v| run.longest_step(v), |run, v| run.cycle_tolerance(Some(v)),
            ];
            for ((set, v), _) in setters.into_iter().zip(options).zip(given).filter(|(_, given)| *given) {
                run = set(run, v);
            }
            if let Some(initial) = &initial {
                run = run.initial(initial);
            }
            if !times.is_empty() {
                run = run.record_at(&times);
            }
            let _ = run.divergence_bound(options[5].abs()).record_energies().record_exploitability().run();
        }
        let mut play = net.game().play().max_rounds(steps).tolerance(options[0]).rule(Damped::new(options[1], Simultaneous));
        if given[0] {
            play = play.rule(Damped::new(options[1], Proximal::new(options[2], Simultaneous)));
            play = play.cycle_tolerance(Some(options[3]));
        }
        if let Some(initial) = &initial {
            play = play.initial(initial);
        }
        let _ = play.record_exploitability().run();
    }

    #[test]
    fn inputs_of_simulations(times in vector(number(), 0..4), values in matrix(), value in number()) {
        let net = FiringRateNetwork::builder(ndarray::array![[0.5, -1.0], [1.0, 0.0]]).activation(Relu).build().unwrap();
        let _ = net.simulate().until(2.0).max_steps(50).input_steps(&times, &values).run();
        let _ = net.simulate().until(2.0).max_steps(50).input_function(|_, mut u| u.fill(value)).run();
    }

    #[test]
    fn solves(
        entries in vec(finite(), 9),
        input in vector(finite(), 3..4),
        initial in prop::option::of(vector(number(), 2..5)),
        options in [number(), number(), number(), number()],
        iterations in 0usize..200,
        memory in 0usize..4,
        inputs in matrix(),
    ) {
        let w = Array2::from_shape_vec((3, 3), entries).unwrap();
        let net = FiringRateNetwork::builder(w).activation(Relu).input(&input).build().unwrap();
        let hopfield = net.to_hopfield();
        let [tolerance, absolute, accuracy, share] = options;
        let methods: [Method; 6] = [
            Method::Auto, FixedPoint::new().damping(share).into(), Anderson::new().memory(memory).mixing(share).into(),
            ForwardBackward::new().step(share).into(), PeacemanRachford::new().step(share).into(), Newton::new().into(),
        ];
        let certificate = net.certify().unwrap().into_certificate().ok();
        for method in methods {
            for start in [net.equilibrium(), hopfield.equilibrium()] {
                let mut start = start.method(method).max_iterations(iterations);
                if let Some(certificate) = &certificate {
                    start = start.certificate(certificate);
                }
                let _ = start.solve_inputs(&inputs);
            }
            for start in [net.equilibrium(), hopfield.equilibrium()] {
                let mut start = start.method(method).max_iterations(iterations);
                if let Some(initial) = &initial {
                    start = start.initial(initial);
                }
                if let Ok(Outcome::Equilibrium(eq)) = start.outcome() {
                    prop_assert!(eq.rates().iter().chain(&eq.drive()).all(|x| x.is_finite()));
                    let _ = (net.response(&eq.rates()).and_then(|r| r.apply(&input)), net.linearise(&eq.rates()));
                }
            }
            let _ = net.equilibrium().method(method).tolerance(tolerance).max_iterations(50).outcome();
            let _ = net.equilibrium().method(method).absolute_tolerance(absolute).max_iterations(50).outcome();
            let _ = net.equilibrium().method(method).activation_accuracy(accuracy).max_iterations(50).outcome();
        }
        let _ = net.all_equilibria().max_equilibria(memory).max_branches(iterations as u64).find();
        let _ = initial.map(|x| (net.response(&x).and_then(|r| r.matrix()), net.linearise(&x), hopfield.linearise(&x)));
    }

    #[test]
    fn certifiers(a in matrix(), rho in vector(number(), 0..5), tolerance in number(), steps in 0usize..30) {
        let verdict = certify(&a);
        let accepted = a.nrows() == a.ncols() && !a.is_empty() && a.iter().all(|v| v.is_finite());
        prop_assert_eq!(verdict.is_ok(), accepted);
        match &verdict {
            Ok(Verdict::Stable(certificate)) => certificate.verify(&a).unwrap(),
            Ok(Verdict::NotStable(refutation)) => refutation.verify(&a).unwrap(),
            _ => {}
        }
        let mut triplets = TriMat::new(a.dim());
        for ((i, j), &v) in a.indexed_iter() {
            triplets.add_triplet(i, j, v);
        }
        let sparse: sprs::CsMat<f64> = triplets.to_csr();
        let _ = (certify(&sparse), certify((&sparse, &rho)), certify((&a, &rho)));
        let _ = (margin(&a), margin((&a, &rho)), max_gain((&a, &rho)));
        if let Ok(certifier) = Certifier::builder().tolerance(tolerance).max_iterations(steps).build() {
            prop_assert!(steps > 0 && (1e-14..1.0).contains(&tolerance));
            let _ = (certifier.certify(&a), certifier.margin((&a, &rho)));
        }
        let _ = PerronOptions::default().tolerance(tolerance).max_iterations(steps).solve(&a);
        let _ = SContractionOptions::default().tolerance(tolerance.max(1e-3)).solve(&a);
    }

    #[test]
    fn activations(p in [number(), number(), number()], z in number(), x in number()) {
        for family in 0..9 {
            if let Some(phi) = activation(family, p) {
                let _ = (phi.name(), phi.domain(), phi.slope_range());
                let _ = (phi.activate(z), phi.derivative(z), phi.inverse(x), phi.potential(x), phi.conjugate(z));
                let _ = (phi.cost(x), phi.fenchel_young(x, z));
            }
        }
    }
}

fn activation(family: usize, [p, q, r]: [f64; 3]) -> Option<Arc<dyn ActivationCost<f64>>> {
    Some(match family {
        0 => Arc::new(LeakyRelu::new(p).ok()?),
        1 => Arc::new(ClippedLinear::new(p, q).ok()?),
        2 => Arc::new(SoftThreshold::new(p).ok()?),
        3 => Arc::new(RectifiedThreshold::new(p).ok()?),
        4 => Arc::new(Tanh::with_gain(p).ok()?),
        5 => Arc::new(Logistic::with_gain_and_threshold(p, q).ok()?),
        6 => Arc::new(Softplus::with_gain(p).ok()?),
        7 => Arc::new(PowerLaw::new(p).ok()?),
        _ => Arc::new(NakaRushton::new(p, q, r).ok()?),
    })
}
