//! Activation costs against high-precision references, laws of convex analysis, and one another.

use neuronash::Scalar;
use neuronash::activation::*;
use neuronash::network::FiringRateNetwork;
use proptest::prelude::*;

type Shared<A> = Box<dyn ActivationCost<A>>;

fn built_in<A: Scalar>(name: &str, p: &[f64]) -> Shared<A> {
    let p: Vec<A> = p.iter().map(|&v| A::of(v)).collect();
    match name {
        "Identity" => Box::new(Identity),
        "Relu" => Box::new(Relu),
        "LeakyRelu" => Box::new(LeakyRelu::new(p[0]).unwrap()),
        "ClippedLinear" => Box::new(ClippedLinear::new(p[0], p[1]).unwrap()),
        "SoftThreshold" => Box::new(SoftThreshold::new(p[0]).unwrap()),
        "RectifiedThreshold" => Box::new(RectifiedThreshold::new(p[0]).unwrap()),
        "Tanh" => Box::new(Tanh::with_gain(p[0]).unwrap()),
        "Logistic" => Box::new(Logistic::with_gain_and_threshold(p[0], p[1]).unwrap()),
        "Arctan" => Box::new(Arctan),
        "Algebraic" => Box::new(Algebraic),
        "Softplus" => Box::new(Softplus::with_gain(p[0]).unwrap()),
        "PowerLaw" => Box::new(PowerLaw::new(p[0]).unwrap()),
        "NakaRushton" => Box::new(NakaRushton::new(p[0], p[1], p[2]).unwrap()),
        other => panic!("unknown activation {other}"),
    }
}

struct Row {
    activation: &'static str,
    parameters: Vec<f64>,
    method: &'static str,
    arguments: Vec<f64>,
    value: f64,
    condition: f64,
}

/// Rows of the table that `data/activation_reference.py` made.
fn reference() -> Vec<Row> {
    let numbers = |s: &str| s.split_whitespace().map(|v| v.parse().unwrap()).collect::<Vec<f64>>();
    include_str!("data/activation_reference.csv")
        .lines()
        .skip(1)
        .map(|line| {
            let f: Vec<&'static str> = line.split(',').collect();
            Row {
                activation: f[0],
                parameters: numbers(f[1]),
                method: f[2],
                arguments: numbers(f[3]),
                value: f[4].parse().unwrap(),
                condition: f[5].parse().unwrap(),
            }
        })
        .collect()
}

fn evaluate<A: Scalar>(activation: &dyn ActivationCost<A>, row: &Row) -> A {
    let a = A::of(row.arguments[0]);
    match row.method {
        "activate" => activation.activate(a),
        "derivative" => activation.derivative(a),
        "conjugate" => activation.conjugate(a),
        "inverse" => activation.inverse(a),
        "potential" => activation.potential(a),
        "cost" => activation.cost(a),
        "fenchel_young" => activation.fenchel_young(a, A::of(row.arguments[1])),
        "prox" => activation.prox(a, A::of(row.arguments[1])),
        other => panic!("unknown method {other}"),
    }
}

/// Checks all rows; an error may be `tolerance + 4 eps condition`, relative to the value.
fn check<A: Scalar>(tolerance: f64, usable: impl Fn(&Row) -> bool) {
    let eps = A::epsilon().to_double();
    let (least, most) = (A::min_positive_value().to_double(), A::max_value().to_double());
    let mut worst = std::collections::BTreeMap::new();
    let mut failures = Vec::new();
    let mut checked = 0;
    for row in reference().iter().filter(|r| usable(r)) {
        let activation = built_in::<A>(row.activation, &row.parameters);
        let got = evaluate(&*activation, row).to_double();
        let expected = if row.value.abs() > most { row.value.signum() * f64::INFINITY } else { row.value };
        let error = if got == expected || (got.abs() < 4.0 * least && expected.abs() < 4.0 * least) {
            0.0
        } else {
            (got - expected).abs() / expected.abs()
        };
        checked += 1;
        let share = error / (tolerance + 4.0 * eps * row.condition);
        let entry = worst.entry((row.activation, row.method)).or_insert((0.0, 0.0));
        if share.is_nan() || share > entry.0 {
            *entry = (share, error);
        }
        if share.is_nan() || share > 1.0 {
            failures.push(format!(
                "{} {:?} {}({:?}) = {got:e}, expected {expected:e}, relative error {error:.1e}, condition {:.1e}",
                row.activation, row.parameters, row.method, row.arguments, row.condition
            ));
        }
    }
    for ((activation, method), (share, error)) in worst {
        println!("{activation:>20} {method:>14}: worst error {error:.1e}, {share:.2} of the allowance");
    }
    assert!(failures.is_empty(), "{} of {checked} rows failed:\n{}", failures.len(), failures.join("\n"));
    assert!(checked > 1000);
}

#[test]
fn double_precision_agrees_with_the_reference_table() {
    check::<f64>(1e-12, |_| true);
}

#[test]
fn single_precision_agrees_with_the_reference_table() {
    // Arguments that single precision can tell from 0, infinity and the ends of the domain.
    check::<f32>(1e-4, |row| {
        let distinct = |a: f64| {
            let end = |e: f64| a != e && a as f32 == e as f32;
            (a == 0.0 || (1e-30..1e30).contains(&a.abs()))
                && !end(1.0)
                && !end(-1.0)
                && !row.parameters.iter().any(|&p| end(p))
        };
        row.arguments.iter().all(|&a| distinct(a)) && row.condition < 1e3
    });
}

/// Another activation seen through its `activate` only, so that everything else is the trait's default.
#[derive(Debug)]
struct Bare<A>(Shared<A>);

impl<A: Scalar> ActivationCost<A> for Bare<A> {
    fn name(&self) -> String {
        format!("bare {}", self.0.name())
    }
    fn activate(&self, z: A) -> A {
        self.0.activate(z)
    }
}

/// The cost of another activation, seen as a [`CostFunction`].
#[derive(Debug)]
struct CostOf(Shared<f64>);

impl CostFunction<f64> for CostOf {
    fn name(&self) -> String {
        format!("cost of {}", self.0.name())
    }
    fn cost(&self, x: f64) -> f64 {
        self.0.cost(x)
    }
    fn derivative(&self, x: f64) -> f64 {
        self.0.inverse(x) - x
    }
    fn domain(&self) -> Domain<f64> {
        self.0.domain()
    }
}

/// Checks rows against the table: `allowed(method)` is the relative error that a method may have beyond its condition.
/// Constants of integration are taken out of potentials by the activation's own value at a reference point.
fn check_derived(name: &str, derive: impl Fn(Shared<f64>) -> Shared<f64>, allowed: impl Fn(&Row) -> Option<f64>) {
    let mut failures = Vec::new();
    let mut checked = 0;
    for row in reference() {
        let Some(tolerance) = allowed(&row) else { continue };
        let original = built_in::<f64>(row.activation, &row.parameters);
        let rest = original.potential(original.activate(0.0));
        let derived = derive(built_in::<f64>(row.activation, &row.parameters));
        let shift = derived.potential(original.activate(0.0)) - rest;
        let got = evaluate(&*derived, &row)
            + match row.method {
                "potential" | "cost" => -shift,
                "conjugate" => shift,
                _ => 0.0,
            };
        checked += 1;
        let scale = row.value.abs()
            + if matches!(row.method, "potential" | "cost" | "conjugate") { rest.abs() } else { 0.0 }
            + if row.method == "cost" { row.arguments[0].powi(2) } else { 0.0 };
        let error = if got == row.value { 0.0 } else { (got - row.value).abs() / scale };
        if error.is_nan() || error > tolerance * (1.0 + row.condition) {
            failures.push(format!(
                "{name} {} {:?} {}({:?}) = {got:e}, expected {:e}, error {error:.1e}",
                row.activation, row.parameters, row.method, row.arguments, row.value
            ));
        }
    }
    assert!(checked > 3000, "{checked}");
    assert!(failures.is_empty(), "{} of {checked} rows failed:\n{}", failures.len(), failures.join("\n"));
}

/// Whether a rate is one of the ends of the activation's domain.
fn at_an_end(row: &Row) -> bool {
    let Domain { lower, upper, .. } = built_in::<f64>(row.activation, &row.parameters).domain();
    let x = row.arguments[0];
    matches!(row.method, "inverse" | "potential" | "cost" | "fenchel_young") && (x == lower || x == upper)
}

#[test]
fn defaults_from_phi_alone_agree_with_the_reference_table() {
    check_derived(
        "bare",
        |a| Box::new(Bare(a)),
        |row| {
            let moderate = row.arguments.iter().all(|a| a.abs() < 1e9 && (*a == 0.0 || a.abs() > 1e-9));
            match row.method {
                _ if !moderate || row.value.abs() < 1e-290 => None,
                // What phi tends to cannot be told from what it reaches, nor 1/w from a slightly faster fall.
                "inverse" if at_an_end(row) => None,
                _ if at_an_end(row) && row.activation == "NakaRushton" && row.parameters[2] < 1.02 => None,
                _ if at_an_end(row) => Some(1e-8),
                // A finite difference is exact only relative to the values that it comes from.
                "derivative" if row.arguments[0].abs() < 20.0 && row.arguments[0] != 0.0 && row.value > 1e-3 => {
                    Some(1e-7)
                }
                "derivative" => None,
                _ => Some(1e-12),
            }
        },
    );
}

#[test]
fn activations_from_a_cost_alone_agree_with_the_reference_table() {
    check_derived(
        "cost",
        |a| Box::new(FromCost::new(CostOf(a)).unwrap()),
        |row| {
            let moderate = row.arguments.iter().all(|a| a.abs() < 1e6 && (*a == 0.0 || a.abs() > 1e-6));
            match row.method {
                _ if !moderate || row.value.abs() < 1e-12 => None,
                // Rates next to an end have few digits of the distance to it.
                "fenchel_young" if (row.arguments[0].abs() - 1.0).abs() < 1e-4 => None,
                "derivative" if row.arguments[0].abs() < 3.0 && row.arguments[0] != 0.0 && row.value > 1e-2 => {
                    Some(1e-7)
                }
                "derivative" => None,
                _ => Some(1e-11),
            }
        },
    );
}

fn all<A: Scalar>() -> Vec<Shared<A>> {
    let mut seen = std::collections::BTreeSet::new();
    reference()
        .iter()
        .filter(|r| seen.insert(format!("{} {:?}", r.activation, r.parameters)))
        .map(|r| built_in(r.activation, &r.parameters))
        .collect()
}

/// Rates of the domain: its ends if finite, and fractions of the way between them or of a few units beyond.
fn rate_in<A: Scalar>(domain: Domain<A>, fraction: A) -> A {
    let lower = if domain.lower.is_finite() { domain.lower } else { A::of(-5.0) };
    let upper = if domain.upper.is_finite() { domain.upper } else { A::of(5.0) };
    (lower + (upper - lower) * fraction).max(lower).min(upper)
}

/// The laws of theory 1.1 and 1.2 at one drive and one rate; `slack` is in units of the terms that a law compares.
fn laws<A: Scalar>(phi: &dyn ActivationCost<A>, z: A, fraction: A, step: A, slack: A) {
    let name = phi.name();
    let (half, one) = (A::of(0.5), A::one());
    let x = rate_in(phi.domain(), fraction);
    let m = phi.activate(z);
    assert!(phi.domain().contains(m), "{name}: phi({z}) = {m} outside the domain");

    // The gap is not negative, is the sum of its parts, and vanishes on the graph.
    let gap = phi.fenchel_young(x, z);
    let parts = phi.potential(x) + phi.conjugate(z) - x * z;
    let size = one + phi.potential(x).abs() + phi.conjugate(z).abs() + (x * z).abs();
    assert!(gap >= A::zero(), "{name}: gap({x}, {z}) = {gap}");
    assert!(gap == parts || (gap - parts).abs() <= slack * size, "{name}: gap({x}, {z}) = {gap}, not {parts}");
    let source = phi.inverse(x);
    let on_graph = [(m, z), (x, source)];
    for (x, z) in on_graph.into_iter().filter(|(_, z)| z.is_finite()) {
        let size = one + phi.potential(x).abs() + (x * z).abs();
        assert!(phi.fenchel_young(x, z) <= slack * size, "{name}: gap({x}, {z}) on the graph");
    }

    // phi is the prox of its cost; no rate does better, with this step nor with another.
    assert_eq!(phi.prox(z, one), m, "{name}: prox at {z}");
    for step in [one, step] {
        let best = phi.prox(z, step);
        let objective = |s: A| step * phi.cost(s) + half * (s - z) * (s - z);
        if best.is_infinite() {
            assert!(phi.slope_range().max > one, "{name}: prox({z}, {step}) = {best}");
            assert!(objective(A::of(1e8)) < objective(phi.activate(z)), "{name}: bounded at {z}, {step}");
            continue;
        }
        for k in 0..40 {
            let s = rate_in(phi.domain(), A::of(f64::from(k) / 39.0));
            let size = one + z * z + s * s + step * (phi.potential(s).abs() + s * s);
            assert!(
                objective(best) <= objective(s) + slack * size,
                "{name}: prox({z}, {step}) = {best} costs {}, {s} only {}",
                objective(best),
                objective(s)
            );
        }
    }

    // Slopes keep their bounds.
    let SlopeRange { min, max, .. } = phi.slope_range();
    let next = z + step;
    let secant = (phi.activate(next) - m) / (next - z);
    let rounding = slack * (one + m.abs() + phi.activate(next).abs()) / (next - z);
    for slope in [secant, phi.derivative(z)] {
        assert!(slope >= min - rounding && slope <= max + rounding, "{name}: slope {slope} at {z} of [{min}, {max}]");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn laws_hold_for_built_in_activations(z in -12.0..12.0f64, fraction in -0.1..1.1f64, step in 0.01..6.0f64) {
        for phi in all::<f64>() {
            laws(&*phi, z, fraction, step, 1e-12);
        }
        for phi in all::<f32>() {
            laws(&*phi, z as f32, fraction as f32, step as f32, 1e-4);
        }
    }

    #[test]
    fn any_parameters_give_an_error_or_an_activation_without_nan(
        p in prop::array::uniform3(prop_oneof![prop::num::f64::ANY, -3.0..30.0f64]),
        z in prop_oneof![prop::num::f64::NORMAL, -30.0..30.0f64],
        fraction in 0.0..1.0f64,
    ) {
        let made: Vec<(&str, neuronash::Result<Shared<f64>>)> = vec![
            ("leak", LeakyRelu::new(p[0]).map(|a| Box::new(a) as _)),
            ("lower|upper", ClippedLinear::new(p[0], p[1]).map(|a| Box::new(a) as _)),
            ("threshold", SoftThreshold::new(p[0]).map(|a| Box::new(a) as _)),
            ("threshold", RectifiedThreshold::new(p[0]).map(|a| Box::new(a) as _)),
            ("gain", Tanh::with_gain(p[0]).map(|a| Box::new(a) as _)),
            ("gain|threshold", Logistic::with_gain_and_threshold(p[0], p[1]).map(|a| Box::new(a) as _)),
            ("gain", Softplus::with_gain(p[0]).map(|a| Box::new(a) as _)),
            ("exponent", PowerLaw::new(p[0]).map(|a| Box::new(a) as _)),
            ("max_rate|half_input|exponent", NakaRushton::new(p[0], p[1], p[2]).map(|a| Box::new(a) as _)),
        ];
        for (arguments, result) in made {
            match result {
                Err(error) => {
                    let text = error.to_string();
                    prop_assert!(arguments.split('|').any(|a| text.contains(&format!("`{a}`"))), "{text}");
                }
                Ok(phi) => {
                    let x = rate_in(phi.domain(), fraction);
                    let values = [phi.activate(z), phi.derivative(z), phi.inverse(x), phi.slope_range().max];
                    prop_assert!(values.iter().all(|v| !v.is_nan()), "{} at {z}, {x}: {values:?}", phi.name());
                    let gentle = !phi.name().starts_with("Naka") || p[2] >= 0.01;
                    let ordinary = gentle && p.iter().chain([&z]).all(|v| v.abs() < 1e60 && v.abs() > 1e-60);
                    let costs = [phi.potential(x), phi.conjugate(z), phi.cost(x), phi.fenchel_young(x, z), phi.prox(z, 0.5)];
                    prop_assert!(!ordinary || costs.iter().all(|v| !v.is_nan()), "{} at {z}, {x}: {costs:?}", phi.name());
                }
            }
        }
    }
}

#[test]
fn nan_gives_nan_and_extremes_do_not() {
    fn check<A: Scalar>() {
        for phi in all::<A>() {
            let (name, nan) = (phi.name(), A::nan());
            let one = |m: &str, f: &dyn Fn(A) -> A| assert!(f(nan).is_nan(), "{name}: {m}(NaN) = {}", f(nan));
            one("activate", &|v| phi.activate(v));
            one("derivative", &|v| phi.derivative(v));
            one("inverse", &|v| phi.inverse(v));
            one("potential", &|v| phi.potential(v));
            one("conjugate", &|v| phi.conjugate(v));
            one("cost", &|v| phi.cost(v));
            one("prox", &|v| phi.prox(v, A::of(0.5)));
            one("prox step", &|v| phi.prox(A::one(), v));
            one("gap x", &|v| phi.fenchel_young(v, A::one()));
            one("gap z", &|v| phi.fenchel_young(rate_in(phi.domain(), A::of(0.5)), v));
            assert!(phi.prox(A::one(), A::zero()).is_nan() && phi.prox(A::one(), -A::one()).is_nan());
            let far = A::max_value() / A::of(1e8);
            for z in [far, -far, A::infinity(), A::neg_infinity(), A::min_positive_value()] {
                let values = [phi.activate(z), phi.derivative(z), phi.conjugate(z)];
                assert!(values.iter().all(|v| !v.is_nan()), "{name} at {z}: {values:?}");
                let x = rate_in(phi.domain(), A::of(0.5));
                assert!(!phi.fenchel_young(x, z).is_nan(), "{name}: gap({x}, {z})");
            }
            let Domain { lower, upper, .. } = phi.domain();
            if lower.is_finite() {
                let x = lower - A::one();
                assert!(phi.inverse(x).is_nan() && phi.potential(x) == A::infinity() && phi.cost(x) == A::infinity());
                assert_eq!(phi.fenchel_young(x, A::one()), A::infinity());
            }
            if upper.is_finite() {
                let x = upper + A::one();
                assert!(phi.inverse(x).is_nan() && phi.potential(x) == A::infinity() && phi.cost(x) == A::infinity());
                assert_eq!(phi.fenchel_young(x, A::one()), A::infinity());
            }
        }
    }
    check::<f64>();
    check::<f32>();
}

#[test]
fn slices_are_the_scalars_applied_to_each_entry() {
    for phi in all::<f64>() {
        let z: Vec<f64> = (-40..40).map(|i| f64::from(i) * 0.37).collect();
        let (mut values, mut slopes) = (z.clone(), z.clone());
        phi.activate_slice(&mut values);
        phi.derivative_slice(&mut slopes);
        for ((z, v), s) in z.iter().zip(values).zip(slopes) {
            assert_eq!((v, s), (phi.activate(*z), phi.derivative(*z)), "{}", phi.name());
        }
    }
}

#[test]
fn slope_ranges_say_what_is_known() {
    let rho = |phi: &dyn ActivationCost<f64>| phi.slope_range().max;
    assert_eq!(rho(&PowerLaw::new(2.0).unwrap()), f64::INFINITY);
    assert_eq!(rho(&NakaRushton::new(1.0, 1.0, 0.5).unwrap()), f64::INFINITY);
    assert_eq!(rho(&NakaRushton::new(3.0, 2.0, 1.0).unwrap()), 1.5);
    // k = 2: the largest slope is 3 sqrt(3)/8 r/s, at z = s/sqrt(3).
    let k2 = NakaRushton::new(100.0, 20.0, 2.0).unwrap();
    let expected = 5.0 * 27f64.sqrt() / 8.0;
    assert!(rho(&k2) >= expected && rho(&k2) < expected * (1.0 + 1e-14));
    assert!((ActivationCost::<f64>::derivative(&k2, 20.0 / 3f64.sqrt()) - expected).abs() < 1e-14 * expected);
    let error = PowerLaw::new(2.0).unwrap().slope_range().bounded("power law", "certify").unwrap_err();
    assert!(error.to_string().contains("certify needs a finite upper bound"));
}

#[test]
fn impossible_declarations_are_errors() {
    let phi = || from_fn("phi", |z: f64| z);
    assert!(phi().with_slope_range(-1.0, 1.0).is_err());
    assert!(phi().with_slope_range(0.5, 0.25).is_err());
    assert!(phi().with_slope_range(0.0, f64::NAN).is_err());
    assert!(phi().with_domain(1.0, 1.0).is_err());
    assert!(phi().with_domain(f64::NAN, 1.0).is_err());

    /// `-x^2`: the sum with `x^2/2` is concave.
    #[derive(Debug)]
    struct Reward;
    impl CostFunction<f64> for Reward {
        fn name(&self) -> String {
            "reward".into()
        }
        fn cost(&self, x: f64) -> f64 {
            -x * x
        }
        fn derivative(&self, x: f64) -> f64 {
            -2.0 * x
        }
        fn domain(&self) -> Domain<f64> {
            Domain::new(0.0, 1.0)
        }
    }
    let error = FromCost::new(Reward).unwrap_err().to_string();
    assert!(error.contains("`cost`") && error.contains("does not fall"), "{error}");
}

/// A family member and the same function as another one in other units.
fn same_function_twice() -> Vec<(Shared<f64>, Shared<f64>)> {
    let of = |f: Shared<f64>, [a, b, h, c]: [f64; 4]| -> Shared<f64> {
        let scaled = Scaled::new(Seen(f)).with_amplitude(a).unwrap().with_gain(b).unwrap();
        Box::new(scaled.with_threshold(h).unwrap().with_offset(c).unwrap())
    };
    vec![
        (built_in("Logistic", &[1.3, 4.0]), of(built_in("Logistic", &[1.0, 0.0]), [1.0, 1.3, 4.0, 0.0])),
        (built_in("Tanh", &[1.7]), of(built_in("Logistic", &[1.0, 0.0]), [2.0, 3.4, 0.0, -1.0])),
        (built_in("Tanh", &[2.0]), of(built_in("Tanh", &[1.0]), [1.0, 2.0, 0.0, 0.0])),
        (
            built_in("NakaRushton", &[3.0, 2.0, 2.5]),
            of(built_in("NakaRushton", &[1.0, 1.0, 2.5]), [3.0, 0.5, 0.0, 0.0]),
        ),
        (built_in("RectifiedThreshold", &[0.5]), of(built_in("Relu", &[]), [1.0, 1.0, 0.5, 0.0])),
        (built_in("RectifiedThreshold", &[-0.5]), of(built_in("Relu", &[]), [2.0, 0.5, -0.5, 0.0])),
        (built_in("ClippedLinear", &[1.0, 3.0]), of(built_in("ClippedLinear", &[-1.0, 1.0]), [1.0, 1.0, 2.0, 2.0])),
        (built_in("ClippedLinear", &[-3.0, -1.0]), of(built_in("ClippedLinear", &[0.0, 1.0]), [2.0, 0.5, -3.0, -3.0])),
        (built_in("Softplus", &[2.0]), of(built_in("Softplus", &[1.0]), [0.5, 2.0, 0.0, 0.0])),
        (built_in("PowerLaw", &[2.0]), of(built_in("PowerLaw", &[2.0]), [0.25, 2.0, 0.0, 0.0])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn scaled_activations_are_the_same_functions_in_other_units(
        z in -6.0..6.0f64, fraction in 0.0..=1.0f64, step in 0.05..3.0f64,
    ) {
        for (plain, scaled) in same_function_twice() {
            let name = scaled.name();
            let near = |what: &str, a: f64, b: f64| {
                let same = a == b || (a - b).abs() <= 1e-12 * (1.0 + a.abs());
                prop_assert!(same, "{name}: {what} is {b}, not {a}");
                Ok(())
            };
            let x = rate_in(plain.domain(), fraction);
            near("phi", plain.activate(z), scaled.activate(z))?;
            near("slope", plain.derivative(z), scaled.derivative(z))?;
            near("inverse", plain.inverse(x), scaled.inverse(x))?;
            // Both pairs are exact conjugates, whose constants may differ.
            let shift = scaled.potential(plain.activate(0.0)) - plain.potential(plain.activate(0.0));
            near("Psi", plain.potential(x) + shift, scaled.potential(x))?;
            near("cost", plain.cost(x) + shift, scaled.cost(x))?;
            near("Psi*", plain.conjugate(z) - shift, scaled.conjugate(z))?;
            near("gap", plain.fenchel_young(x, z), scaled.fenchel_young(x, z))?;
            let (p, q) = (plain.prox(z, step), scaled.prox(z, step));
            prop_assert!(p == q || (p - q).abs() < 1e-7 * (1.0 + p.abs()), "{name}: prox({z}, {step}) is {q}, not {p}");
            prop_assert_eq!(plain.domain(), scaled.domain());
            let (p, q) = (plain.slope_range(), scaled.slope_range());
            prop_assert!((p.min - q.min).abs() < 1e-14 && (p.max == q.max || (p.max - q.max).abs() < 1e-14 * p.max));
        }
    }

    #[test]
    fn laws_hold_in_any_units(
        z in -8.0..8.0f64, fraction in -0.1..1.1f64, step in 0.01..3.0f64,
        amplitude in 0.2..4.0f64, gain in 0.2..4.0f64, threshold in -3.0..3.0f64, offset in -1.0..1.0f64,
    ) {
        for f in all::<f64>() {
            let phi = Scaled::new(Seen(f)).with_amplitude(amplitude).unwrap().with_gain(gain).unwrap();
            let phi = phi.with_threshold(threshold).unwrap().with_offset(offset).unwrap();
            laws(&phi, z, fraction, step, 1e-10);
        }
        for f in all::<f32>() {
            let phi = Scaled::new(Seen(f)).with_amplitude(amplitude as f32).unwrap().with_gain(gain as f32).unwrap();
            let phi = phi.with_threshold(threshold as f32).unwrap().with_offset(offset as f32).unwrap();
            laws(&phi, z as f32, fraction as f32, step as f32, 1e-3);
        }
    }

    #[test]
    fn slopes_on_an_interval_are_bounds_and_sharp(from in -9.0..9.0f64, width in 0.0..6.0f64, shift in -2.0..2.0f64) {
        let scaled = all::<f64>().into_iter().map(|f| -> Shared<f64> {
            Box::new(Scaled::new(Seen(f)).with_gain(1.7).unwrap().with_threshold(shift).unwrap())
        });
        for phi in all::<f64>().into_iter().chain(scaled) {
            let (name, to) = (phi.name(), from + width);
            let SlopeRange { min, max, exact, .. } = phi.slope_range_on(from, to);
            let seen: Vec<f64> = (0..=400).map(|k| phi.derivative(from + width * f64::from(k) / 400.0)).collect();
            let least = seen.iter().copied().fold(f64::INFINITY, f64::min);
            let most = seen.iter().copied().fold(0.0, f64::max);
            let tiny = 1e-14 * most;
            prop_assert!(exact && min <= least + tiny && most <= max + tiny, "{name} on [{from}, {to}]: [{min}, {max}]");
            let narrow = phi.slope_range_on(f64::from(from as f32), f64::from(to as f32));
            let single = Scaled::new(Relu).with_threshold(shift as f32).unwrap().slope_range_on(from as f32, to as f32);
            prop_assert!(single.max >= single.min && narrow.exact);
            // Sharp, away from kinks and infinite slopes, where all slopes that only touch the interval count.
            let kink = phi.linear_pieces().is_some() || !max.is_finite() || max > phi.slope_range().max * 0.999;
            if !kink {
                prop_assert!(max <= most * 1.0001 + 1e-9 && min >= least * 0.9999 - 1e-9, "{name}: [{min}, {max}]");
            }
        }
    }
}

#[test]
fn slopes_of_rectifiers_are_exact_where_they_are_silent() {
    for phi in [built_in::<f64>("PowerLaw", &[2.0]), built_in("NakaRushton", &[100.0, 20.0, 2.0])] {
        assert_eq!(phi.slope_range_on(-3.0, 0.0), SlopeRange::exact(0.0, 0.0));
        assert_eq!(phi.slope_range_on(-3.0, 1.0).min, 0.0);
    }
    // NaN and an empty interval give what holds everywhere.
    let tanh = Tanh::<f64>::new();
    assert_eq!(tanh.slope_range_on(f64::NAN, 1.0), tanh.slope_range());
    assert_eq!(tanh.slope_range_on(f64::NEG_INFINITY, f64::INFINITY), tanh.slope_range());
    let far = tanh.slope_range_on(400.0, f64::INFINITY);
    assert!(far.min == 0.0 && far.max < 1e-15);
}

#[test]
fn units_that_make_no_sense_are_errors() {
    let phi = || Scaled::new(Logistic::<f64>::new());
    for (argument, error) in [
        ("amplitude", phi().with_amplitude(0.0)),
        ("amplitude", phi().with_amplitude(f64::INFINITY)),
        ("gain", phi().with_gain(-1.0)),
        ("threshold", phi().with_threshold(f64::NAN)),
        ("offset", phi().with_offset(f64::INFINITY)),
    ] {
        let text = error.unwrap_err().to_string();
        assert!(text.contains(&format!("`{argument}`")), "{text}");
    }
    let rest = Scaled::new(Logistic::with_gain_and_threshold(1.3, 4.0).unwrap()).vanishing_at_rest().unwrap();
    assert_eq!(rest.activate(0.0), 0.0);
    assert_eq!(rest.domain().lower, rest.offset());
    assert_eq!(rest.inverse(0.0), 0.0);
    assert!(rest.name().contains("offset"));
    let declared = from_fn("exponential", f64::exp).with_slope_range_on(|_, _| (0.0, 0.5));
    let refused = taken(declared).unwrap_err();
    assert!(refused.contains("intervals of drives"), "{refused}");
}

#[cfg(feature = "serde")]
#[test]
fn stored_activations_are_checked_like_new_ones() {
    let saved = serde_json::to_string(&NakaRushton::new(1.0, 2.0, 3.0).unwrap()).unwrap();
    assert_eq!(saved, r#"{"max_rate":1.0,"half_input":2.0,"exponent":3.0}"#);
    assert_eq!(serde_json::from_str::<NakaRushton<f64>>(&saved).unwrap(), NakaRushton::new(1.0, 2.0, 3.0).unwrap());
    assert!(serde_json::from_str::<Tanh<f64>>(r#"{"gain":-1.0}"#).is_err());
    assert!(serde_json::from_str::<LeakyRelu<f64>>(r#"{"leak":2.0}"#).is_err());
    let scaled = Scaled::new(PowerLaw::new(2.0).unwrap()).with_amplitude(0.3).unwrap();
    let saved = serde_json::to_string(&scaled).unwrap();
    assert_eq!(serde_json::from_str::<Scaled<f64, PowerLaw<f64>>>(&saved).unwrap(), scaled);
    assert!(serde_json::from_str::<Scaled<f64, PowerLaw<f64>>>(&saved.replace("0.3", "-0.3")).is_err());
    assert!(serde_json::from_str::<ClippedLinear<f64>>(r#"{"lower":2.0,"upper":1.0}"#).is_err());
    let clipped = ClippedLinear::new(0.0, 1.0).unwrap();
    let back = serde_json::from_str::<ClippedLinear<f64>>(&serde_json::to_string(&clipped).unwrap()).unwrap();
    assert_eq!(back, clipped);
}

/// Whether a network takes an activation, or why not.
fn taken<A: Scalar>(phi: impl ActivationCost<A> + 'static) -> Result<(), String> {
    let weights = ndarray::Array2::<A>::zeros((2, 2));
    let builder = FiringRateNetwork::builder(weights).population("quiet", 0..1, Identity).population("E", 1..2, phi);
    builder.build().map(|_| ()).map_err(|error| error.to_string())
}

fn decreasing<A: Scalar>() {
    let one = A::one();
    let silu = move |z: A| z / (one + (-z).exp());
    let silu_refused = |result: Result<(), String>| {
        let message = result.unwrap_err();
        assert!(message.contains("`population E`") && message.contains("SiLU"), "{message}");
        assert!(message.contains("do not decrease") && message.contains("phi(-"), "{message}");
    };
    silu_refused(taken(from_fn("SiLU", silu)));
    // The steepest slope is 1.0998, so the upper bound is one; the lower bound is none.
    silu_refused(taken(from_fn("SiLU", silu).with_slope_range(A::zero(), A::of(1.1)).unwrap()));
    let gelu = move |z: A| z / (one + (A::of(-1.702) * z).exp());
    let mish = |z: A| z * z.exp().ln_1p().tanh();
    let scaled = move |z: A| A::of(0.1) * silu(A::of(100.0) * z);
    let cubic = |z: A| z * z * z - z;
    for refused in [
        taken(from_fn("gelu", gelu)),
        taken(from_fn("mish", mish)),
        taken(from_fn("scaled SiLU", scaled)),
        taken(from_fn("sine", A::sin)),
        taken(from_fn("falling", |z: A| -z)),
        taken(from_fn("cubic", cubic)),
    ] {
        assert!(refused.unwrap_err().contains("do not decrease"));
    }
}

#[test]
fn activations_that_decrease_are_refused() {
    decreasing::<f32>();
    decreasing::<f64>();
}

fn contradictory<A: Scalar>() {
    let a = A::of;
    let declared = |min: f64, max: f64, phi: fn(A) -> A| {
        taken(from_fn("phi", phi).with_slope_range(a(min), a(max)).unwrap()).unwrap_err()
    };
    let steep = declared(0.0, 1.0, |z| A::of(1.01) * z);
    assert!(steep.contains("`population E`") && steep.contains("outside its declared slopes [0, 1]"), "{steep}");
    assert!(steep.contains("the slope from z = "), "{steep}");
    assert!(declared(0.0, 1.0, |z| (z + z).tanh()).contains("declared slopes"));
    assert!(declared(0.5, 1.0, A::tanh).contains("declared slopes"));
    let outside = taken(from_fn("tanh", A::tanh).with_domain(A::zero(), A::one()).unwrap()).unwrap_err();
    assert!(outside.contains("declared range [0, 1]") && outside.contains("phi(-"), "{outside}");
    assert!(taken(from_fn("tanh", A::tanh).with_domain(-A::one(), a(0.75)).unwrap()).is_err());
}

#[test]
fn declarations_that_samples_contradict_are_refused() {
    contradictory::<f32>();
    contradictory::<f64>();
}

/// Formulas that lose digits, overflow or are not monotone in the last place, as they are written by hand.
fn rough<A: Scalar>(gain: f64) {
    let (one, two, b) = (A::one(), A::of(2.0), A::of(gain));
    let named = |name: &str, phi: Result<(), String>| {
        if let Err(message) = phi {
            panic!("{name}, gain {gain:e}: {message}");
        }
    };
    // As much above the exact slope bound as the formula may err.
    let declared = |name: &'static str, slope: A, phi: Box<dyn Fn(A) -> A + Send + Sync>| {
        named(name, taken(from_fn(name, phi).with_slope_range(A::zero(), slope).unwrap()));
    };
    declared(
        "tanh by exponentials",
        b,
        Box::new(move |z| {
            let (p, q) = ((b * z).exp(), (-b * z).exp());
            (p - q) / (p + q)
        }),
    );
    declared("tanh by one exponential", b, Box::new(move |z| one - two / ((two * b * z).exp() + one)));
    declared("logistic by tanh", b / A::of(4.0), Box::new(move |z| (one + (b * z / two).tanh()) / two));
    declared("softplus", one, Box::new(move |z| (one + (b * z).exp()).ln() / b));
    declared("saturating", b, Box::new(move |z| if z > A::zero() { one - (-b * z).exp() } else { A::zero() }));
    declared("shifted", one, Box::new(move |z| (z + A::of(300.0)) - A::of(300.0)));
    declared("quotient", one, Box::new(move |z| if z > A::zero() { z * z / (b + z) } else { A::zero() }));
    declared("hyperbola", one, Box::new(move |z| (z + (z * z + b).sqrt()) / two));
    declared("arctan", b, Box::new(move |z| (b * z).atan()));
    named("exponential", taken(from_fn("exponential", move |z: A| (b * z).exp())));
    named("logarithm", taken(from_fn("logarithm", move |z: A| z.signum() * (b * z.abs()).ln_1p())));
}

#[test]
fn honest_activations_are_taken() {
    for j in -12..=12 {
        let gain = 10f64.powf(f64::from(j) / 2.0);
        rough::<f32>(gain);
        rough::<f64>(gain);
    }
    let mut seen = std::collections::BTreeSet::new();
    for row in reference() {
        if seen.insert(format!("{} {:?}", row.activation, row.parameters)) {
            taken::<f64>(Bare(built_in(row.activation, &row.parameters))).unwrap();
            taken::<f32>(Bare(built_in(row.activation, &row.parameters))).unwrap();
            taken::<f64>(Seen(built_in(row.activation, &row.parameters))).unwrap();
            taken::<f32>(Seen(built_in(row.activation, &row.parameters))).unwrap();
        }
    }
    assert!(seen.len() > 20, "{}", seen.len());
}

/// A boxed activation, by value.
#[derive(Debug)]
struct Seen<A>(Shared<A>);

macro_rules! forwarded {
    ($($method:ident($($argument:ident),*) -> $result:ty),* $(,)?) => {
        impl<A: Scalar> ActivationCost<A> for Seen<A> {
            $(fn $method(&self $(, $argument: A)*) -> $result {
                self.0.$method($($argument),*)
            })*
        }
    };
}

forwarded! {
    name() -> String,
    activate(z) -> A,
    derivative(z) -> A,
    inverse(x) -> A,
    potential(x) -> A,
    conjugate(z) -> A,
    domain() -> Domain<A>,
    slope_range() -> SlopeRange<A>,
    slope_range_on(lower, upper) -> SlopeRange<A>,
    steepest_input() -> Option<A>,
    linear_pieces() -> Option<Vec<LinearPiece<A>>>,
    growth() -> Growth<A>,
    cost(x) -> A,
    prox(z, step) -> A,
    fenchel_young(x, z) -> A,
}
