//! Stability conditions of matrices, what they imply for each other, and the report on a network.

mod connectome;
#[path = "contraction/support.rs"]
#[allow(dead_code)]
mod support;

use connectome::scaled_connectomes;
use ndarray::{Array2, Axis, array};
use neuronash::activation::{Relu, Tanh};
use neuronash::network::{FiringRateNetwork, HopfieldNetwork, Weights};
use neuronash::stability::contraction::{perron, s_contraction};
use neuronash::stability::diagonal::Certifier;
use neuronash::stability::diagonal::certify;
use neuronash::stability::matrix::{DStability, PMatrix, d_stability, diagonal_dominance, hurwitz, p_matrix};
use neuronash::stability::{Answer, Condition, ReportOptions, StabilityReport};
use num_rational::BigRational;
use num_traits::{One, Signed};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use support::*;

fn exact(x: f64) -> BigRational {
    BigRational::from_float(x).unwrap()
}

/// A principal minor in rational arithmetic.
fn exact_minor(m: &Array2<f64>, rows: &[usize]) -> BigRational {
    let k = rows.len();
    let mut a = Array2::from_shape_fn((k, k), |(i, j)| exact(m[[rows[i], rows[j]]]));
    let mut determinant = BigRational::one();
    for c in 0..k {
        let Some(pivot) = (c..k).find(|&r| a[[r, c]] != exact(0.0)) else { return exact(0.0) };
        if pivot != c {
            for j in 0..k {
                a.swap([pivot, j], [c, j]);
            }
            determinant = -determinant;
        }
        determinant *= &a[[c, c]];
        for i in c + 1..k {
            let factor = &a[[i, c]] / &a[[c, c]];
            for j in c..k {
                let update = &factor * &a[[c, j]];
                a[[i, j]] -= update;
            }
        }
    }
    determinant
}

fn subsets(n: usize) -> impl Iterator<Item = Vec<usize>> {
    (1usize..1 << n).map(move |set| (0..n).filter(|i| set >> i & 1 == 1).collect())
}

/// Weights with small integers over 4: many minors are exactly zero.
fn coarse(n: usize) -> impl Strategy<Value = Array2<f64>> {
    proptest::collection::vec(-6i32..6, n * n)
        .prop_map(move |v| Array2::from_shape_vec((n, n), v.into_iter().map(|x| f64::from(x) / 4.0).collect()).unwrap())
}

/// Excitatory and inhibitory columns, at a scale where every level of the hierarchy occurs.
fn circuits() -> impl Strategy<Value = Array2<f64>> {
    (1usize..6, 0.1..4.0f64).prop_flat_map(|(n, scale)| {
        let signs = proptest::collection::vec(prop_oneof![Just(1.0), Just(-1.0)], n);
        let entries = proptest::collection::vec(prop_oneof![2 => 0.0..1.0f64, 1 => Just(0.0)], n * n);
        (signs, entries).prop_map(move |(s, e)| Array2::from_shape_fn((n, n), |(i, j)| scale * s[j] * e[i * n + j]))
    })
}

fn minus_identity(w: &Array2<f64>) -> Array2<f64> {
    w - &Array2::<f64>::eye(w.nrows())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2500))]

    #[test]
    fn each_condition_implies_the_weaker_ones(w in prop_oneof![matrices(6), circuits()], tau in positive(6)) {
        let a = minus_identity(&w);
        let abscissa_of_majorant = perron(&a).unwrap().abscissa().upper;
        let lds = certify(&a).unwrap();
        if diagonal_dominance(&a).unwrap().holds() {
            prop_assert!(perron(&a).unwrap().abscissa().lower < 0.0 && !lds.is_not_stable());
        }
        if abscissa_of_majorant < 0.0 {
            prop_assert!(!lds.is_not_stable());
        }
        // Nearer to the border rounding errors may leave it open.
        let size = a.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        if abscissa_of_majorant < -1e-6 * size {
            prop_assert!(lds.is_stable(), "{lds}");
        }
        if let Some(certificate) = lds.certificate() {
            prop_assert_eq!(d_stability(&a).unwrap(), DStability::Yes);
            let p = p_matrix(&-&a).unwrap();
            prop_assert!(!p.is_no());
            if certificate.margin_lower() > 1e-3 * size {
                prop_assert_eq!(p, PMatrix::Yes);
            }
            let tau = tau.slice(ndarray::s![..a.nrows()]).to_owned().insert_axis(Axis(1));
            prop_assert!(spectral_abscissa(&(&a / &tau)) < 1e-9);
        }
        if hurwitz(&a).unwrap().is_proved() {
            prop_assert!(spectral_abscissa(&a) < 0.0);
        } else {
            prop_assert!(spectral_abscissa(&a) > -1e-6, "{}", spectral_abscissa(&a));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn s_contraction_implies_diagonal_stability(w in circuits()) {
        let c = s_contraction(&w).unwrap();
        if c.is_contracting() {
            let verdict = certify(&minus_identity(&w)).unwrap();
            prop_assert!(!verdict.is_not_stable());
            // With D = Q, by the block inequality.
            let d = c.q().to_owned().insert_axis(Axis(1));
            let da = &minus_identity(&w) * &d;
            prop_assert!(largest_symmetric_eigenvalue(&(&da + &da.t())) < 1e-9 * d.sum());
        }
    }

    #[test]
    fn p_matrices_have_all_principal_minors_positive(m in (1usize..6).prop_flat_map(coarse)) {
        let lowest = subsets(m.nrows()).map(|s| exact_minor(&m, &s)).min().unwrap();
        match p_matrix(&m).unwrap() {
            PMatrix::Yes => prop_assert!(lowest.is_positive()),
            PMatrix::No { minor } => prop_assert!(!exact_minor(&m, &minor).is_positive()),
            _ => prop_assert!(lowest.abs() < exact(1e-12)),
        }
    }

    #[test]
    fn a_d_unstable_answer_has_unstable_time_constants(a in (2usize..5).prop_flat_map(coarse)) {
        if let DStability::No { minor } = d_stability(&a).unwrap() {
            let negative = subsets(minor.len())
                .map(|s| s.iter().map(|&k| minor[k]).collect::<Vec<_>>())
                .find(|s| exact_minor(&(-&a), s).is_negative());
            let Some(fast) = negative else { return Err(TestCaseError::fail("no negative minor")) };
            // The group has a positive eigenvalue, and the others are too slow to interfere.
            let tau = Array2::from_shape_fn((a.nrows(), 1), |(i, _)| if fast.contains(&i) { 1.0 } else { 1e8 });
            prop_assert!(spectral_abscissa(&(&a / &tau)) > 1e-6);
        }
    }
}

#[test]
fn the_p_matrix_test_reaches_twenty_neurons() {
    let n = 20;
    let m = Array2::from_shape_fn((n, n), |(i, j)| {
        if i == j {
            1.0
        } else if i < j {
            0.9
        } else {
            -0.9
        }
    });
    assert_eq!(p_matrix(&m).unwrap(), PMatrix::Yes);
    let mut m = Array2::from_shape_fn((n, n), |(i, j)| if i == j { 1.0 } else { 0.01 * ((i * j) % 7) as f64 });
    (m[[3, 17]], m[[17, 3]]) = (2.0, 0.6);
    assert!(matches!(p_matrix(&m).unwrap(), PMatrix::No { minor } if minor.contains(&3) && minor.contains(&17)));
}

#[test]
fn larger_matrices_get_one_sided_certificates() {
    let n = 60;
    let skew = Array2::from_shape_fn((n, n), |(i, j)| {
        if i == j {
            1.0
        } else if i < j {
            0.5
        } else {
            -0.5
        }
    });
    assert_eq!(p_matrix(&skew).unwrap(), PMatrix::Yes);
    let mut bad = skew.clone();
    bad[[50, 50]] = 0.0;
    assert_eq!(p_matrix(&bad).unwrap(), PMatrix::No { minor: vec![50] });
    let mut bad = skew;
    (bad[[7, 9]], bad[[9, 7]]) = (2.0, 2.0);
    assert_eq!(p_matrix(&bad).unwrap(), PMatrix::No { minor: vec![7, 9] });
}

#[test]
fn hurwitz_proofs_survive_bad_conditioning_and_refuse_the_axis() {
    let jordan = Array2::from_shape_fn((8, 8), |(i, j)| {
        if i == j {
            -1.0
        } else if j == i + 1 {
            2.0
        } else {
            0.0
        }
    });
    let h = hurwitz(&jordan).unwrap();
    assert!(h.is_proved(), "{h:?}");
    assert!(!hurwitz(&array![[0.0, 1.0], [-1.0, 0.0]]).unwrap().is_proved());
    assert!(!hurwitz(&array![[1e-14]]).unwrap().is_proved());
    assert!(hurwitz(&array![[-1e-14]]).unwrap().is_proved());
    assert!(hurwitz(&array![[f64::NAN]]).is_err());
    assert!(p_matrix(&Array2::<f64>::zeros((0, 0))).is_err());
    assert!(d_stability(&Array2::<f64>::zeros((1, 2))).is_err());
}

fn network(w: &Array2<f64>) -> FiringRateNetwork<f64> {
    FiringRateNetwork::builder(Weights::dense(w).unwrap()).activation(Relu).build().unwrap()
}

#[test]
fn the_report_tells_diagonal_stability_from_contraction() {
    let report = network(&array![[0.0, 4.0], [-4.0, 0.0]]).stability_report().unwrap();
    for (condition, holds) in [
        (Condition::RowDominance, false),
        (Condition::MetzlerInfinity, false),
        (Condition::SContraction, false),
        (Condition::EuclideanLogNorm, true),
        (Condition::DiagonalStability, true),
        (Condition::PMatrix, true),
        (Condition::DStability, true),
        (Condition::Hurwitz, true),
    ] {
        let finding = report.finding(condition).unwrap();
        assert_eq!(finding.answer, if holds { Answer::Holds } else { Answer::Fails }, "{condition}\n{report}");
    }
    assert!(report.has_unique_equilibrium() && report.is_globally_stable() && report.fastest_contraction().is_none());
    assert_eq!(report.findings().len(), Condition::ALL.len());
    let text = report.to_string();
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    for condition in Condition::ALL {
        assert!(text.contains(&condition.to_string()), "{text}");
    }
}

#[test]
fn the_report_hands_over_the_proof() {
    for w in [array![[0.0, 4.0], [-4.0, 0.0]], array![[0.0, -2.0], [-2.0, 0.0]]] {
        let net = network(&w);
        let report = net.stability_report().unwrap();
        let by_margin = net.certify_by_margin(&net.margin().unwrap()).unwrap();
        assert_eq!(report.verdict(), Some(&by_margin));
        assert_eq!(by_margin.is_stable(), net.certify().unwrap().is_stable());
        if let Some(certificate) = by_margin.certificate() {
            net.verify(certificate).unwrap();
            assert!(
                certificate.margin()
                    >= 0.9 * report.finding(Condition::DiagonalStability).unwrap().margin.unwrap().lower
            );
        }
        let brief = ReportOptions::default().only(&[Condition::RowDominance]).report(&net).unwrap();
        assert!(brief.verdict().is_none());
    }
}

#[test]
fn the_report_calls_linear_stability_proved_only_where_it_is() {
    let only = ReportOptions::default().only(&[Condition::Hurwitz]);
    let report = |w: &Array2<f64>| only.report(&network(w)).unwrap();
    // Hurwitz, but not diagonally stable: proved by a Lyapunov inequality of its own.
    let spiral = array![[2.0, -3.0], [3.0, -1.0]];
    assert!(certify(&minus_identity(&spiral)).unwrap().is_not_stable());
    let proved = report(&spiral);
    assert!(proved.holds(Condition::Hurwitz) && proved.findings()[0].numerical, "{proved}");
    assert!(proved.to_string().contains('~') && proved.to_string().contains("not proved"), "{proved}");
    // Its eigenvalues are those of diag(-1e-3), but rounding errors in W could move them across the axis.
    let n = 12;
    let jordan = Array2::from_shape_fn((n, n), |(i, j)| match (i, j) {
        (i, j) if i == j => 1.0 - 1e-3,
        (i, j) if j == i + 1 => 1.0,
        (i, j) if i + 1 == n && j == 0 => 1e-36,
        _ => 0.0,
    });
    let doubtful = report(&jordan);
    assert_ne!(doubtful.findings()[0].answer, Answer::Holds, "{doubtful}");
    // Other findings are proved through and through.
    let whole = network(&array![[0.0, 4.0], [-4.0, 0.0]]).stability_report().unwrap();
    assert!(whole.findings().iter().all(|f| f.numerical == (f.condition == Condition::Hurwitz)), "{whole}");
}

#[test]
fn answers_about_matrices_are_said_in_words() {
    let a = array![[1.0, -3.0], [3.0, -2.0]];
    assert!(hurwitz(&a).unwrap().to_string().contains("proved below -"));
    assert!(hurwitz(&-&a).unwrap().to_string().contains("not proved negative"));
    assert!(diagonal_dominance(&a).unwrap().to_string().contains("rows in [-4e0, "));
    assert!(p_matrix(&-&a).unwrap().to_string().contains("not a P-matrix: the minor of rows and columns [0]"));
    assert!(d_stability(&a).unwrap().to_string().contains("not D-stable: rows and columns [0]"));
    assert_eq!(p_matrix(&Array2::<f64>::eye(2)).unwrap().to_string(), "a P-matrix, proved");
    assert_eq!(d_stability(&-Array2::<f64>::eye(2)).unwrap().to_string(), "D-stable, proved");
    assert!(perron(&array![[0.0, 1.0], [1.0, 0.0]]).unwrap().to_string().starts_with("spectral abscissa in ["));
}

#[test]
fn a_bistable_pair_fails_everything() {
    let report = network(&array![[0.0, -2.0], [-2.0, 0.0]]).stability_report().unwrap();
    assert!(report.findings().iter().all(|f| f.answer == Answer::Fails), "{report}");
    assert!(!report.has_unique_equilibrium() && !report.is_globally_stable());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Slopes and time constants other than 1: the report's answers obey the hierarchy and its gains are where answers flip.
    #[test]
    fn reports_are_consistent(w in circuits(), tau in positive(6), gain in 0.3..2.0f64) {
        let tau = tau.slice(ndarray::s![..w.nrows()]).to_owned();
        let build = |w: &Array2<f64>| {
            FiringRateNetwork::builder(Weights::dense(w).unwrap())
                .time_constants(&tau)
                .activation(Tanh::with_gain(gain).unwrap())
                .build()
                .unwrap()
        };
        let report = build(&w).stability_report().unwrap();
        let fails = |c: Condition| report.finding(c).unwrap().answer == Answer::Fails;
        for strong in [Condition::RowDominance, Condition::ColumnDominance, Condition::MetzlerInfinity,
            Condition::MetzlerOne, Condition::EuclideanLogNorm, Condition::SContraction] {
            prop_assert!(!(report.holds(strong) && fails(Condition::DiagonalStability)), "{report}");
        }
        if report.holds(Condition::DiagonalStability) {
            prop_assert!(!fails(Condition::PMatrix) && !fails(Condition::DStability) && !fails(Condition::Hurwitz), "{report}");
        }
        let options = ReportOptions::default().without(Condition::SContraction);
        for finding in report.findings() {
            let Some(g) = finding.largest_gain.filter(|g| g.lower < 1e9 && finding.condition != Condition::SContraction)
            else { continue };
            prop_assert!(g.lower <= g.upper);
            let below = options.report(&build(&(&w * (0.999 * g.lower)))).unwrap();
            prop_assert!(below.holds(finding.condition), "{} at {}: {below}", finding.condition, g.lower);
            if g.upper.is_finite() {
                let above = options.report(&build(&(&w * (1.001 * g.upper)))).unwrap();
                prop_assert!(!above.holds(finding.condition), "{} at {}: {above}", finding.condition, g.upper);
            }
        }
    }
}

#[test]
fn gains_of_every_condition_on_the_connectome() {
    let expected = [
        (Condition::EuclideanLogNorm, [0.522, 0.890]),
        (Condition::MetzlerInfinity, [0.646, 1.000]),
        (Condition::DiagonalStability, [0.983, 1.037]),
        (Condition::Hurwitz, [1.178, 1.040]),
    ];
    let conditions: Vec<Condition> = expected.iter().map(|e| e.0).collect();
    for (k, w) in scaled_connectomes().iter().enumerate() {
        let report = ReportOptions::default().only(&conditions).report(&network(w)).unwrap();
        for (condition, gains) in &expected {
            let gain = report.finding(*condition).unwrap().largest_gain.unwrap();
            assert!(
                (gain.lower - gains[k]).abs() < 5e-4 && (gain.upper - gains[k]).abs() < 5e-4,
                "{condition}: {gain}"
            );
        }
    }
}

#[test]
fn large_networks_skip_what_is_too_costly() {
    let report = network(&(Array2::<f64>::eye(160) * 0.5));
    let report = ReportOptions::default().up_to(Condition::DiagonalStability, 100).report(&report).unwrap();
    assert!(
        matches!(&report.finding(Condition::SContraction).unwrap().answer, Answer::Skipped(why) if why.contains("150"))
    );
    assert!(matches!(&report.finding(Condition::DiagonalStability).unwrap().answer, Answer::Skipped(_)));
    assert!(report.holds(Condition::MetzlerInfinity));
    let text = report.to_string();
    assert!(text.contains("skipped") && text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[cfg(feature = "serde")]
#[test]
fn reports_are_written_and_certificates_read_back_as_claims() {
    // Every gain is diagonally stable here, so that infinite bounds are among the numbers.
    let net = network(&array![[-0.1, -0.8], [0.9, -0.2]]);
    let report = net.stability_report().unwrap();
    assert!(report.finding(Condition::DiagonalStability).unwrap().largest_gain.unwrap().lower.is_infinite());
    let stored = serde_json::to_value(&report).unwrap();
    assert_eq!(stored["findings"].as_array().unwrap().len(), report.findings().len());
    assert!(stored["findings"].as_array().unwrap().iter().any(|f| f["largest_gain"]["lower"] == "inf"), "{stored}");
    let c = net.s_contraction().unwrap();
    let claim: neuronash::stability::Claim<neuronash::stability::contraction::SContraction> =
        serde_json::from_str(&serde_json::to_string(&c).unwrap()).unwrap();
    assert_eq!(claim.verify(&net).unwrap(), c);
}

/// Weights of many kinds: without structure, symmetric, nonnegative, nonnegative up to signs, antagonistic, of Dale's
/// law, layered, of whole numbers on the boundary, and with strong inhibition of themselves.
fn weights_of_some_kind(n: usize, kind: usize, rng: &mut StdRng) -> Array2<f64> {
    let size = 2f64.powf(rng.random_range(-2.0..2.0)) / (n as f64).sqrt();
    let density = [0.2, 0.6, 1.0][rng.random_range(0..3)];
    let mut w = Array2::from_shape_simple_fn((n, n), || {
        if rng.random::<f64>() < density { size * rng.random_range(-1.0..1.0) } else { 0.0 }
    });
    let signs: Vec<f64> = (0..n).map(|_| if rng.random() { 1.0 } else { -1.0 }).collect();
    match kind {
        0 => {}
        1 => w = &w + &w.t(),
        2 => w.mapv_inplace(f64::abs),
        3 => w.indexed_iter_mut().for_each(|((i, j), v)| *v = v.abs() * signs[i] * signs[j]),
        4 => w = 3.0 * (&w - &w.t()) + 0.3 * &w,
        5 => w.indexed_iter_mut().for_each(|((_, j), v)| *v = v.abs() * signs[j]),
        6 => w.indexed_iter_mut().filter(|((i, j), _)| i / 2 < j / 2).for_each(|(_, v)| *v = 0.0),
        7 => {
            // Whole columns that sum to 1: `W - I` is singular.
            w = Array2::from_shape_simple_fn((n, n), || f64::from(rng.random_range(0..3)));
            let sums = w.sum_axis(Axis(0));
            for i in 0..n {
                w[[i, i]] += 1.0 - sums[i];
            }
        }
        8 => w.diag_mut().mapv_inplace(|v| v - 2.0),
        _ => w.mapv_inplace(|v| (4.0 * v / size).round() / 4.0),
    }
    w
}

/// Whether the first condition implies the second one, for slopes that multiply rows of `W` (firing rates) or columns.
fn implies(strong: Condition, weak: Condition, firing_rate: bool) -> bool {
    use Condition::*;
    let rank = |c: Condition| match c {
        RowDominance | ColumnDominance => 0,
        MetzlerInfinity | MetzlerOne => 1,
        EuclideanLogNorm | SContraction => 1,
        DiagonalStability => 2,
        PMatrix | DStability => 3,
        Hurwitz => 4,
        _ => unreachable!("no other condition so far"),
    };
    let majorant = if firing_rate { MetzlerInfinity } else { MetzlerOne };
    match (strong, weak) {
        (PMatrix, Hurwitz) => false,
        (RowDominance | ColumnDominance | MetzlerInfinity | MetzlerOne, c) if c == majorant => strong != majorant,
        (_, c) => rank(strong) < rank(c) && rank(c) >= 2,
    }
}

fn assert_no_contradiction(report: &StabilityReport, firing_rate: bool, context: &dyn std::fmt::Debug) {
    for strong in Condition::ALL {
        for weak in Condition::ALL.into_iter().filter(|&weak| implies(strong, weak, firing_rate)) {
            let (Some(s), Some(w)) = (report.finding(strong), report.finding(weak)) else { continue };
            let skipped = |answer: &Answer| matches!(answer, Answer::Skipped(_));
            let holds = s.answer != Answer::Holds || w.answer == Answer::Holds || skipped(&w.answer);
            let fails = w.answer != Answer::Fails || s.answer == Answer::Fails || skipped(&s.answer);
            assert!(holds && fails, "{strong} and {weak}: {report}\n{context:?}");
        }
    }
}

/// Reports on `cases` networks of up to 60 neurons; how often each answer was given.
fn reports_without_contradiction(cases: usize, seed: u64) -> std::collections::BTreeMap<(Condition, String), usize> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut counts = std::collections::BTreeMap::new();
    let certifier = Certifier::builder().tolerance(1e-3).max_iterations(40).build().unwrap();
    for case in 0..cases {
        // Mostly small, and few of the sizes at which all minors take long.
        let n = match case % 100 {
            0 => rng.random_range(13..=60),
            1..=3 => rng.random_range(21..=60),
            4..=10 => rng.random_range(7..=12),
            _ => rng.random_range(1..=6),
        };
        let w = weights_of_some_kind(n, case % 10, &mut rng);
        let tau =
            ndarray::Array1::from_shape_simple_fn(n, || if case % 4 < 2 { 1.0 } else { rng.random_range(0.2..5.0) });
        let gain = if case % 3 == 0 { rng.random_range(0.5..1.5) } else { 1.0 };
        let options = ReportOptions::default()
            .certifier(certifier.clone())
            .up_to(Condition::SContraction, if case % 5 == 0 { 8 } else { 0 })
            .up_to(Condition::PMatrix, if (15..=20).contains(&n) { 12 } else { n });
        let firing_rate = case % 7 < 5;
        let report = if firing_rate {
            let net = FiringRateNetwork::builder(Weights::dense(&w).unwrap())
                .time_constants(&tau)
                .activation(Tanh::with_gain(gain).unwrap())
                .build()
                .unwrap();
            options.report(&net).unwrap()
        } else {
            let net = HopfieldNetwork::builder(Weights::dense(&w).unwrap())
                .time_constants(&tau)
                .activation(Tanh::with_gain(gain).unwrap())
                .build()
                .unwrap();
            options.report(&net).unwrap()
        };
        assert_no_contradiction(&report, firing_rate, &w);
        for finding in report.findings() {
            *counts
                .entry((finding.condition, format!("{:?}", finding.answer).split('(').next().unwrap().to_string()))
                .or_insert(0) += 1;
        }
    }
    counts
}

#[test]
fn no_report_contradicts_itself() {
    let counts = reports_without_contradiction(1_000, 13);
    println!("{counts:?}");
}

#[test]
#[ignore = "ten thousand reports take ten times as long as the test above"]
fn no_report_of_ten_thousand_contradicts_itself() {
    println!("{:?}", reports_without_contradiction(10_000, 2026));
}

fn pair(n: usize) -> Array2<f64> {
    let mut w = Array2::zeros((n, n));
    (w[[0, 1]], w[[1, 0]]) = (2.0, 2.0);
    w
}

#[test]
fn two_neurons_refute_what_they_refute_among_any_number() {
    let refuted = [Condition::DiagonalStability, Condition::PMatrix, Condition::DStability];
    // 3,001 neurons are above the sizes that are tried at all.
    for n in [2, 21, 300, 3001] {
        let report = ReportOptions::default().only(&refuted).report(&network(&pair(n))).unwrap();
        assert!(report.findings().iter().all(|f| f.answer == Answer::Fails && !f.numerical), "{report}");
    }
    // Beside antagonists that leave nothing symmetric or Metzler.
    let mut w = pair(30);
    (w[[7, 9]], w[[9, 7]]) = (1.0, -1.0);
    let report = ReportOptions::default().only(&refuted).report(&network(&w)).unwrap();
    assert!(report.findings().iter().all(|f| f.answer == Answer::Fails), "{report}");
    assert_eq!(p_matrix(&(Array2::<f64>::eye(30) - &w)).unwrap(), PMatrix::No { minor: vec![0, 1] });
    assert_eq!(d_stability(&minus_identity(&w)).unwrap(), DStability::No { minor: vec![0, 1] });
}

#[test]
fn symmetric_and_metzler_matrices_are_decided_in_every_sense() {
    let units = |w: &Array2<f64>| {
        Array2::from_shape_fn(w.dim(), |(i, j)| w[[i, j]] * 2f64.powi((i as i32 % 5) - (j as i32 % 5)))
    };
    let n = 21;
    // Spectral radius 2, by groups of eleven neurons.
    let uniform = Array2::from_shape_fn((n, n), |(i, j)| if i == j { 0.0 } else { 0.1 });
    let signed = Array2::from_shape_fn((n, n), |(i, j)| uniform[[i, j]] * if (i + j) % 2 == 0 { 1.0 } else { -1.0 });
    let mut cooperative = uniform.clone();
    cooperative.indexed_iter_mut().for_each(|((i, j), v)| *v *= 1.0 + 0.03 * ((i + 2 * j) as f64).sin());
    // A symmetric matrix with entries of both signs, whose sum over three rows is too much.
    let mut mixed =
        Array2::from_shape_fn((n, n), |(i, j)| if i == j { 0.0 } else { 0.01 * ((i + j + i * j) as f64).sin() });
    for (i, j) in [(2, 5), (5, 8), (2, 8)] {
        (mixed[[i, j]], mixed[[j, i]]) = (0.6, 0.6);
    }
    for w in [uniform.clone(), signed, cooperative, mixed].iter().flat_map(|w| [w.clone(), units(w)]) {
        let report = ReportOptions::default().report(&network(&w)).unwrap();
        for condition in [Condition::DiagonalStability, Condition::PMatrix, Condition::DStability, Condition::Hurwitz] {
            assert_eq!(report.finding(condition).unwrap().answer, Answer::Fails, "{report}");
        }
        let PMatrix::No { minor } = p_matrix(&(Array2::<f64>::eye(n) - &w)).unwrap() else { panic!("{w}") };
        assert!(!exact_minor(&(Array2::<f64>::eye(n) - &w), &minor).is_positive(), "{minor:?}");
        assert!(matches!(d_stability(&minus_identity(&w)).unwrap(), DStability::NotHurwitz | DStability::No { .. }));
        let half = ReportOptions::default().report(&network(&(0.4 * &w))).unwrap();
        for condition in [Condition::DiagonalStability, Condition::PMatrix, Condition::DStability, Condition::Hurwitz] {
            assert!(half.holds(condition), "{half}");
        }
    }
    // Of nonnegative matrices it is not so: two rings of eleven have all principal minors positive, and no weights.
    let rings = Array2::from_shape_fn((22, 22), |(i, j)| match (i / 11 == j / 11, (i + 22 - j) % 11) {
        (true, 0) => 1.0,
        (true, 1) => 3.0,
        _ => 0.0,
    });
    assert!(certify(&-&rings).unwrap().is_not_stable());
    assert!(!p_matrix(&rings).unwrap().is_no());
    let PMatrix::No { minor } = p_matrix(&(Array2::<f64>::eye(n) - &uniform)).unwrap() else { panic!() };
    assert_eq!(minor.len(), 11);
    // On the boundary: singular, with no negative minor.
    for a in [array![[-1.0, 1.0], [1.0, -1.0]], array![[-2.0, 1.0, 1.0], [1.0, -2.0, 1.0], [1.0, 1.0, -2.0]]] {
        assert_eq!(d_stability(&a).unwrap(), DStability::NotHurwitz);
        assert!(p_matrix(&-&a).unwrap().is_no());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// Rates measured in other units, and neurons in another order, change no answer that does not itself speak of
    /// units.
    #[test]
    fn answers_do_not_depend_on_units_or_order(
        (kind, n, seed) in (0usize..9, 1usize..9, 0u64..1 << 40),
        units in proptest::collection::vec(-40i32..=40, 9),
        order in Just((0..9).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let kind = if kind == 7 { 0 } else { kind };
        let w = weights_of_some_kind(n, kind, &mut StdRng::seed_from_u64(seed));
        let order: Vec<usize> = order.into_iter().filter(|&i| i < n).collect();
        let changed = Array2::from_shape_fn((n, n), |(i, j)| w[[order[i], order[j]]] * 2f64.powi(units[i] - units[j]));
        let options = ReportOptions::default();
        let (own, other) = (options.report(&network(&w)).unwrap(), options.report(&network(&changed)).unwrap());
        for (a, b) in own.findings().iter().zip(other.findings()) {
            let of_units =
                [Condition::RowDominance, Condition::ColumnDominance, Condition::EuclideanLogNorm].contains(&a.condition);
            prop_assert!(of_units || a.answer == b.answer, "{}: {own}\n{other}\n{w}\n{units:?} {order:?}", a.condition);
        }
    }
}

/// `exp(t a)` by its series.
fn flow(a: &Array2<f64>, t: f64) -> Array2<f64> {
    let halvings = 12;
    let small = a * (t / f64::from(1 << halvings));
    let mut term = Array2::<f64>::eye(a.nrows());
    let mut sum = term.clone();
    for k in 1..30 {
        term = term.dot(&small) / f64::from(k);
        sum += &term;
    }
    (0..halvings).fold(sum, |m, _| m.dot(&m))
}

/// Theory 4.3: a positive S-contraction rate speaks of its own time constants only.
#[test]
fn s_contraction_does_not_carry_over_to_other_time_constants() {
    let w = array![[0.9946, -0.6488], [0.8592, 0.0]];
    let with = |tau: &ndarray::Array1<f64>| {
        FiringRateNetwork::builder(Weights::dense(&w).unwrap()).time_constants(tau).activation(Relu).build().unwrap()
    };
    let report = with(&array![1.0, 1.0]).stability_report().unwrap();
    let rate = report.finding(Condition::SContraction).unwrap().margin.unwrap();
    assert!(report.holds(Condition::SContraction) && (rate.lower - 0.0054).abs() < 1e-4, "{report}");
    assert!(!Condition::SContraction.implies().all_time_constants);
    let text = report.to_string();
    let line = text.lines().find(|line| line.starts_with("S-contraction")).unwrap();
    assert!(line.contains("contracts") && !line.contains("any tau"), "{text}");

    // At tau = (1, 178) slopes may follow a schedule along which trajectories part, whatever the norm.
    let tau = array![[1.0], [178.0]];
    let schedule =
        [([1.0, 1.0], 26.32), ([0.0, 1.0], 0.58), ([1.0, 1.0], 1.005), ([1.0, 0.0], 181.5), ([1.0, 1.0], 1.719)];
    let monodromy = schedule.iter().fold(Array2::<f64>::eye(2), |m, (slopes, t)| {
        let lambda = array![[slopes[0]], [slopes[1]]];
        flow(&((&w * &lambda - Array2::<f64>::eye(2)) / &tau), *t).dot(&m)
    });
    let (trace, det) =
        (monodromy.diag().sum(), monodromy[[0, 0]] * monodromy[[1, 1]] - monodromy[[0, 1]] * monodromy[[1, 0]]);
    let discriminant = trace * trace - 4.0 * det;
    let radius = if discriminant < 0.0 { det.sqrt() } else { 0.5 * (trace.abs() + discriminant.sqrt()) };
    assert!((radius - 3.187).abs() < 2e-3, "{radius}");
    let slow = with(&array![1.0, 178.0]);
    assert!(!slow.s_contraction().unwrap().is_contracting());
    // What remains is diagonal stability, with D = Q.
    let q = with(&array![1.0, 1.0]).s_contraction().unwrap().q().to_owned();
    assert!(slow.certify_weights(&q).unwrap().margin() > 0.0);
    assert!(slow.stability_report().unwrap().is_globally_stable());
}
