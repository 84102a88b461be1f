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

#[test]
fn defaults_from_phi_alone_agree_with_the_reference_table() {
    let mut worst = std::collections::BTreeMap::new();
    for row in reference().iter().filter(|r| r.arguments.iter().all(|a| a.abs() < 1e9)) {
        let a = Bare(built_in::<f64>(row.activation, &row.parameters));
        let t = std::time::Instant::now();
        let got = evaluate(&a, row);
        let dt = t.elapsed().as_secs_f64();
        let error = if got == row.value { 0.0 } else { (got - row.value).abs() / row.value.abs() };
        let e = worst.entry((row.method, row.activation)).or_insert(vec![]);
        e.push((
            error / (1.0 + row.condition),
            error,
            format!("{:?}", row.parameters),
            row.arguments.clone(),
            got,
            row.value,
            dt,
        ));
    }
    for (k, mut v) in worst {
        v.sort_by(|a, b| b.0.total_cmp(&a.0));
        println!("{k:?} median {:e} tmax {:e}", v[v.len() / 2].0, v.iter().map(|x| x.6).fold(0.0, f64::max));
        for x in v.iter().take(3) {
            println!("     {:.1e} {:.1e} {} {:?} {:e} {:e} {:e}", x.0, x.1, x.2, x.3, x.4, x.5, x.6);
        }
    }
}
