//! What is made passes its check: margins, verdicts, certificates and refutations of matrices of many structures and sizes of
//! numbers, in both precisions, dense and sparse.

use ndarray::{Array1, Array2};
use neuronash::stability::diagonal::{Certificate, Verdict, certify, margin};
use neuronash::stability::{Bounds, IntoSubject, Subject};
use neuronash::{Error, Scalar};
use num_traits::Signed;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sprs::CsMat;

use crate::normal;

/// The two questions about a matrix.
#[derive(Debug, Clone, Copy)]
enum Question {
    Matrix,
    Shifted,
}

/// A matrix and slopes about which everything is asked.
struct Case<A> {
    w: Array2<A>,
    sparse: CsMat<A>,
    rho: Array1<A>,
}

type Check = Result<(), String>;

/// The matrix itself, with margins in terms of `rho`.
fn relative<'a, A: Scalar>(w: &'a Array2<A>, rho: &Array1<A>) -> Result<Subject<'a>, Error> {
    w.into_subject()?.relative_to(rho)
}

impl<A: Scalar + Signed> Case<A> {
    fn new(w: Array2<A>, rho: Array1<A>) -> Self {
        Self { sparse: CsMat::csr_from_dense(w.view(), A::zero()), w, rho }
    }

    /// An error that names the first thing that fails its check; otherwise the number of decisions.
    fn check(&self) -> Result<usize, String> {
        let mut decided = 0;
        for question in [Question::Matrix, Question::Shifted] {
            let failed = |what: &'static str| move |e: Error| format!("{what}, {question:?}: {e}");
            let (w, sparse, rho) = (&self.w, &self.sparse, &self.rho);
            let margin = match question {
                Question::Matrix => relative(w, rho).and_then(margin),
                Question::Shifted => margin((w, rho)),
            };
            let margin = margin.map_err(failed("margin"))?;
            let by_margin = match question {
                Question::Matrix => {
                    let verified = relative(w, rho).and_then(|subject| margin.verify(subject));
                    verified.and_then(|()| margin.verdict(relative(w, rho)?))
                }
                Question::Shifted => margin.verify((w, rho)).and_then(|()| margin.verdict((w, rho))),
            };
            let by_margin = by_margin.map_err(failed("verify margin"))?;
            let verdicts = match question {
                Question::Matrix => [certify(w), certify(sparse)],
                Question::Shifted => [certify((w, rho)), certify((sparse, rho))],
            };
            let [dense, by_rows] = verdicts.map(|verdict| verdict.map_err(failed("verdict")));
            for (name, verdict) in [("margin's verdict", by_margin), ("dense", dense?), ("sparse", by_rows?)] {
                self.check_verdict(question, &verdict).map_err(|e| format!("{name}, {question:?}: {e}"))?;
                decided += usize::from(verdict.is_stable() || verdict.is_not_stable());
                let Bounds { lower, upper } = margin.bounds();
                let contradicted = verdict.is_stable() && upper < 0.0 || verdict.is_not_stable() && lower > 0.0;
                if contradicted {
                    return Err(format!("{name}, {question:?}: {verdict} contradicts {margin}"));
                }
            }
        }
        Ok(decided)
    }

    fn check_verdict(&self, question: Question, verdict: &Verdict) -> Check {
        let (w, sparse, rho) = (&self.w, &self.sparse, &self.rho);
        let (dense, by_rows) = match (question, verdict) {
            (Question::Matrix, Verdict::Stable(c)) => (c.verify(w), c.verify(sparse)),
            (Question::Shifted, Verdict::Stable(c)) => (c.verify((w, rho)), c.verify((sparse, rho))),
            (Question::Matrix, Verdict::NotStable(r)) => (r.verify(w), r.verify(sparse)),
            (Question::Shifted, Verdict::NotStable(r)) => (r.verify((w, rho)), r.verify((sparse, rho))),
            (_, Verdict::Undecided(u)) => {
                let Bounds { lower, upper } = u.bounds();
                return if lower <= 0.0 && upper >= 0.0 { Ok(()) } else { Err(u.to_string()) };
            }
            _ => unreachable!(),
        };
        dense.map_err(|e| format!("{verdict}: {e}"))?;
        by_rows.map_err(|e| format!("{verdict}, by rows: {e}"))?;
        if let Verdict::Stable(c) = verdict
            && c.weights_are_representable()
        {
            let given = match question {
                Question::Matrix => Certificate::from_weights(w, &c.weights()),
                Question::Shifted => Certificate::from_weights((w, rho), &c.weights()),
            };
            let given = given.map_err(|e| format!("the weights of {verdict}: {e}"))?;
            self.check_given(question, &given).map_err(|e| format!("{given}: {e}"))?;
        }
        Ok(())
    }

    fn check_given(&self, question: Question, given: &Certificate) -> Result<(), Error> {
        match question {
            Question::Matrix => given.verify(&self.w),
            Question::Shifted => given.verify((&self.w, &self.rho)),
        }
    }
}

const STRUCTURES: usize = 8;

/// A random matrix of `n` rows with entries near 1.
fn structured(structure: usize, n: usize, rng: &mut StdRng) -> Array2<f64> {
    let mut a = Array2::from_shape_simple_fn((n, n), || 0.7 * normal(rng));
    a.diag_mut().mapv_inplace(|v| -v.abs() - 0.05);
    match structure {
        // Triangular; or with one neuron that only listens.
        0 => a.indexed_iter_mut().filter(|((i, j), _)| i < j).for_each(|(_, v)| *v = 0.0),
        1 => a.indexed_iter_mut().filter(|((i, j), _)| *j == n - 1 && i < j).for_each(|(_, v)| *v = 0.0),
        // Rings of feedback, far from and near the boundary.
        2 => {
            let gain =
                (1.0 / (std::f64::consts::PI / n as f64).cos()) * [0.5, 0.999999, 1.0, 1.5][rng.random_range(0..4)];
            a = Array2::from_shape_fn((n, n), |(i, j)| match (i + n - j) % n {
                0 => -1.0,
                1 if i == 0 => -gain,
                1 => gain,
                _ => 0.0,
            });
        }
        // Nonnegative weights, symmetric ones, strong antagonists.
        3 => a.indexed_iter_mut().filter(|((i, j), _)| i != j).for_each(|(_, v)| *v = 0.3 * v.abs()),
        4 => a = 0.3 * (&a + &a.t()),
        5 => a.indexed_iter_mut().filter(|((i, j), _)| i > j).for_each(|(_, v)| *v *= 1e8),
        // Whole numbers, often on the boundary.
        6 => a.mapv_inplace(f64::round),
        _ => {}
    }
    a
}

/// Everything about random matrices whose entries are multiplied by powers of ten up to `range`, in several ways.
fn check_all<A: Scalar + Signed>(cases: usize, range: i32, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut decided, mut failures) = (0, Vec::new());
    for case in 0..cases {
        let n = rng.random_range(1..7);
        let mut w = structured(case % STRUCTURES, n, &mut rng);
        let mut rho: Array1<f64> = Array1::from_shape_simple_fn(n, || rng.random_range(0.2..3.0));
        let mut size = || 10f64.powi(rng.random_range(-range..=range));
        match case / STRUCTURES % 5 {
            // Other units of rate, of weights, of slopes.
            1 => w *= size(),
            2 => {
                let (w_size, rho_size) = (size(), size());
                w *= w_size;
                rho /= if case % 2 == 0 { w_size } else { rho_size };
            }
            3 => {
                let units = Array1::from_shape_simple_fn(n, || size().sqrt());
                w = Array2::from_shape_fn((n, n), |(i, j)| units[i] * w[[i, j]] / units[j]);
            }
            // Here and there an entry that is subnormal, or nearly so.
            4 => {
                let least = A::min_positive_value().to_double();
                w.mapv_inplace(|v| if rng.random_bool(0.2) { v * least * rng.random_range(0.0..4.0) } else { v });
            }
            _ => {}
        }
        let case = Case::new(w.mapv(A::of), rho.mapv(A::of));
        match case.check() {
            Ok(count) => decided += count,
            Err(e) => failures.push(format!("{e}\n  {:?}\n  {:?}", case.w, case.rho)),
        }
    }
    println!("{decided} of {} decided", 6 * cases);
    let some = failures.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} of {cases} fail, such as\n{some}", failures.len());
    assert!(10 * decided > 9 * 6 * cases, "{decided} of {} decided", 6 * cases);
}

#[test]
fn whatever_is_made_in_double_precision_passes_its_check() {
    check_all::<f64>(800, 100, 41);
}

#[test]
fn whatever_is_made_in_single_precision_passes_its_check() {
    check_all::<f32>(400, 12, 42);
}

#[test]
fn a_margin_of_one_row_is_proved_for_any_slope() {
    let (w, rho) = (ndarray::array![[-0.1]], ndarray::array![0.3]);
    let margin = margin((&w, &rho)).unwrap();
    margin.verify((&w, &rho)).unwrap();
    assert!(margin.lower() <= 1.03 && 1.03 <= margin.upper() && margin.upper() - margin.lower() < 1e-15);
    assert!(margin.verdict((&w, &rho)).unwrap().is_stable());
}

/// Rings of six with weights of one, in large and in small units.
#[test]
fn a_margin_above_0_is_never_left_undecided() {
    for size in [1e-3, 1.0, 1e3] {
        for gain in [0.5, 0.9, 0.999, 0.999999, 1.0 - 1e-9, 1.0 - 1e-12, 1.0 - 1e-14] {
            let ring = gain / (std::f64::consts::PI / 6.0).cos();
            let a = Array2::from_shape_fn((6, 6), |(i, j)| match (i + 6 - j) % 6 {
                0 => -size,
                1 if i == 0 => -size * ring,
                1 => size * ring,
                _ => 0.0,
            });
            let margin = margin(&a).unwrap();
            let verdict = certify(&a).unwrap();
            assert!(verdict.is_stable() || margin.lower() <= 0.0, "{verdict}, {margin}");
            Case::new(a, Array1::ones(6)).check().unwrap();
        }
    }
}
