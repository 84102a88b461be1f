use ndarray::{Array1, Array2, array};
use neuronash::Error;
use neuronash::stability::contraction::{Norm, NormKind, log_norm, optimal_log_norm};
use num_rational::BigRational;
use num_traits::{Signed, Zero};
use proptest::prelude::*;

use super::support::*;

fn exact(x: f64) -> BigRational {
    BigRational::from_float(x).unwrap()
}

/// `max_i a_ii + sum_j |a_ij| v_j / v_i`, exactly.
fn exact_linf(a: &Array2<f64>, v: &Array1<f64>) -> BigRational {
    let row = |i: usize| {
        let off = |j: usize| if i == j { BigRational::zero() } else { exact(a[[i, j]]).abs() * exact(v[j]) };
        exact(a[[i, i]]) + (0..v.len()).map(off).sum::<BigRational>() / exact(v[i])
    };
    (0..v.len()).map(row).max().unwrap()
}

fn with_weights() -> impl Strategy<Value = (Array2<f64>, Array1<f64>)> {
    matrices(6).prop_flat_map(|a| (positive(a.nrows()), Just(a)).prop_map(|(v, a)| (a, v)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn l1_and_linf_enclose_exact_rational_values((a, v) in with_weights()) {
        let linf = log_norm(&a, &Norm::weighted_linf(&v).unwrap()).unwrap();
        let value = exact_linf(&a, &v);
        prop_assert!(exact(linf.lower) <= value && value <= exact(linf.upper));
        prop_assert!(linf.width() <= 1e-14 * (1.0 + linf.upper.abs()));
        // |x| = sum w_i |x_i| is dual to max |x_i| / w_i.
        let l1 = log_norm(&a, &Norm::weighted_l1(&v).unwrap()).unwrap();
        prop_assert_eq!(l1, log_norm(&a.t(), &Norm::weighted_linf(&v).unwrap()).unwrap());
    }

    #[test]
    fn l2_encloses_the_symmetric_eigenvalue((a, d) in with_weights()) {
        let root = d.mapv(f64::sqrt);
        let b = Array2::from_shape_fn(a.dim(), |(i, j)| root[i] * a[[i, j]] / root[j]);
        let value = largest_symmetric_eigenvalue(&(0.5 * (&b + &b.t())));
        let diagonal = log_norm(&a, &Norm::weighted_l2(&d).unwrap()).unwrap();
        let full = log_norm(&a, &Norm::quadratic(&Array2::from_diag(&d)).unwrap()).unwrap();
        for bounds in [diagonal, full] {
            prop_assert!(bounds.lower <= value + 1e-12 && value - 1e-12 <= bounds.upper);
            prop_assert!(bounds.width() <= 1e-11 * (1.0 + value.abs()), "{bounds:?}");
        }
    }

    #[test]
    fn log_norms_are_subadditive_shift_and_bound_the_spectrum(
        (a, v) in with_weights(), c in -2.0..2.0f64, seed in matrices(6),
    ) {
        let n = a.nrows();
        let b = Array2::from_shape_fn((n, n), |(i, j)| seed[[i % seed.nrows(), j % seed.nrows()]] * 0.7);
        let norms =
            [Norm::weighted_l1(&v).unwrap(), Norm::weighted_l2(&v).unwrap(), Norm::weighted_linf(&v).unwrap()];
        for norm in norms {
            let of = |m: &Array2<f64>| log_norm(m, &norm).unwrap();
            prop_assert!(of(&(&a + &b)).lower <= of(&a).upper + of(&b).upper + 1e-12);
            prop_assert!((of(&(&a + c * Array2::<f64>::eye(n))).upper - of(&a).upper - c).abs() < 1e-11);
            prop_assert!(spectral_abscissa(&a) <= of(&a).upper + 1e-10);
        }
    }

    #[test]
    fn optimal_weights_beat_random_ones((a, v) in with_weights()) {
        for (kind, norm) in [(NormKind::One, Norm::weighted_l1(&v)), (NormKind::Infinity, Norm::weighted_linf(&v))] {
            let (best, optimal) = optimal_log_norm(&a, kind).unwrap();
            prop_assert!(best.lower <= log_norm(&a, &norm.unwrap()).unwrap().upper);
            prop_assert!(log_norm(&a, &optimal).unwrap().upper <= best.upper);
            prop_assert!(best.width() < 1e-8, "{best:?}");
        }
    }
}

#[test]
fn the_limit_that_defines_a_log_norm() {
    let a = array![[-1.0, 2.5, 0.0], [-0.5, 0.25, 1.0], [3.0, -2.0, -4.0]];
    let h = 1e-7;
    let step: Array2<f64> = Array2::<f64>::eye(3) + h * &a;
    let linf = step.map_axis(ndarray::Axis(1), |r| r.iter().map(|v| v.abs()).sum::<f64>());
    let l1 = step.map_axis(ndarray::Axis(0), |r| r.iter().map(|v| v.abs()).sum::<f64>());
    let l2 = largest_symmetric_eigenvalue(&step.t().dot(&step)).sqrt();
    let max = |v: Array1<f64>| v.iter().fold(0.0f64, |m, &x| m.max(x));
    for (norm, induced) in [(Norm::l1(), max(l1)), (Norm::l2(), l2), (Norm::linf(), max(linf))] {
        assert!((log_norm(&a, &norm).unwrap().upper - (induced - 1.0) / h).abs() < 1e-5, "{norm}");
    }
}

#[test]
fn single_precision_is_taken_exactly() {
    let a = array![[0.1f32, 0.2], [0.3, -0.4]];
    let b = a.mapv(f64::from);
    for norm in [Norm::l1(), Norm::l2(), Norm::linf()] {
        assert_eq!(log_norm(&a, &norm).unwrap(), log_norm(&b, &norm).unwrap());
    }
}

#[test]
fn bad_input_is_named() {
    let nan = array![[0.0, f64::NAN], [0.0, 0.0]];
    assert!(matches!(log_norm(&nan, &Norm::l1()), Err(Error::NonFinite { index, .. }) if index == [0, 1]));
    assert!(matches!(log_norm(&Array2::<f64>::zeros((0, 0)), &Norm::l2()), Err(Error::Empty { .. })));
    assert!(matches!(log_norm(&Array2::<f64>::zeros((2, 3)), &Norm::l2()), Err(Error::Shape { .. })));
    assert!(matches!(Norm::weighted_l1(&array![1.0, 0.0]), Err(Error::Invalid { .. })));
    assert!(matches!(Norm::weighted_linf(&array![1.0, f64::INFINITY]), Err(Error::NonFinite { .. })));
    assert!(matches!(Norm::quadratic(&array![[1.0, 2.0], [2.0, 1.0]]), Err(Error::Invalid { .. })));
    assert!(matches!(Norm::quadratic(&array![[1.0, 0.5], [0.4, 1.0]]), Err(Error::Invalid { .. })));
    let three = Norm::weighted_l1(&array![1.0, 1.0, 1.0]).unwrap();
    assert!(matches!(log_norm(&array![[1.0]], &three), Err(Error::Shape { .. })));
    assert!(matches!(optimal_log_norm(&array![[1.0]], NormKind::Two), Err(Error::Invalid { .. })));
}

#[test]
fn extreme_magnitudes_stay_bounded_on_the_safe_side() {
    let a = array![[-1e-300, 1e-310], [5e-324, -1e300]];
    for norm in [Norm::l1(), Norm::linf()] {
        let b = log_norm(&a, &norm).unwrap();
        assert!(b.lower <= b.upper && b.upper < 0.0, "{norm}: {b:?}");
    }
    let huge = Array2::from_elem((3, 3), 1.7e308);
    assert_eq!(log_norm(&huge, &Norm::linf()).unwrap().upper, f64::INFINITY);
}
