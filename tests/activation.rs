//! Activation costs against high-precision references, laws of convex analysis, and one another.

use neuronash::Scalar;
use neuronash::activation::*;

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
