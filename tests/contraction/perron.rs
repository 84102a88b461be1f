use ndarray::{Array2, array};
use neuronash::network::Weights;
use neuronash::stability::contraction::{PerronOptions, perron};
use proptest::prelude::*;
use sprs::{CsMat, TriMat};

use super::support::*;

fn sparse(a: &Array2<f64>) -> CsMat<f64> {
    let mut t = TriMat::new(a.dim());
    for ((i, j), &v) in a.indexed_iter().filter(|(_, v)| **v != 0.0) {
        t.add_triplet(i, j, v);
    }
    t.to_csc()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn both_bounds_hold_and_meet(a in matrices(8)) {
        let p = perron(&a).unwrap();
        let value = spectral_abscissa(&metzler_majorant(&a));
        // Eigenvalues of defective matrices are only accurate to a root of the unit roundoff.
        prop_assert!(p.abscissa().lower <= value + 1e-3 && value - 1e-3 <= p.abscissa().upper);
        prop_assert!(p.abscissa().width() <= 1e-8, "{:?}", p.abscissa());
        prop_assert!(p.vector().iter().all(|&v| v > 0.0));
        prop_assert_eq!(p.clone().into_vector(), p.vector().to_owned());
        let image = metzler_majorant(&a).dot(&p.vector());
        prop_assert!(image.iter().zip(p.vector()).all(|(y, v)| *y <= p.abscissa().upper * v + 1e-12 * v));
    }

    #[test]
    fn sparse_and_dense_agree(a in matrices(8)) {
        let dense = perron(&a).unwrap();
        prop_assert_eq!(&perron(&sparse(&a)).unwrap(), &dense);
        prop_assert_eq!(&perron(&Weights::dense(&a).unwrap()).unwrap(), &dense);
    }
}

#[test]
fn a_ring_has_all_ones() {
    let n = 20_000;
    let mut t = TriMat::new((n, n));
    for i in 0..n {
        t.add_triplet(i, (i + 1) % n, if i % 3 == 0 { -2.0 } else { 2.0 });
        t.add_triplet(i, i, -1.0);
    }
    let p = perron(&t.to_csr::<usize>()).unwrap();
    assert_eq!((p.abscissa().lower, p.abscissa().upper), (1.0, 1.0));
}

#[test]
fn a_long_chain_of_components_keeps_its_weights_in_range() {
    // Feed-forward: the abscissa is the largest diagonal entry, attained in the limit of ever larger weights.
    let n = 50_000;
    let mut t = TriMat::new((n, n));
    for i in 0..n {
        t.add_triplet(i, i, if i == n / 2 { -0.5 } else { -1.0 });
        if i > 0 {
            t.add_triplet(i, i - 1, 0.4);
        }
    }
    let p = perron(&t.to_csr::<usize>()).unwrap();
    assert!(p.abscissa().contains(-0.5) && p.abscissa().width() < 1e-8, "{:?}", p.abscissa());
}

#[test]
fn equal_blocks_in_series_are_bounded_honestly() {
    // A Jordan chain of 400 equal diagonal entries: weights of double precision cannot come arbitrarily close.
    let n = 400;
    let a = Array2::from_shape_fn((n, n), |(i, j)| f64::from(u8::from(i == j + 1)) - f64::from(u8::from(i == j)));
    let p = perron(&a).unwrap();
    assert!(p.abscissa().contains(-1.0) && p.abscissa().upper < 0.0, "{:?}", p.abscissa());
}

#[test]
fn nearly_reducible_and_stiff_components_converge() {
    let a = array![[0.0, 1e-12, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]];
    let p = perron(&a).unwrap();
    assert!(p.abscissa().contains(1e-4) && p.abscissa().width() < 1e-10, "{:?}", p.abscissa());
    let stiff = array![[-1e6, 1e3], [1.0, -1e-3]];
    assert!(perron(&stiff).unwrap().abscissa().width() < 1e-5);
}

#[test]
fn few_iterations_still_give_true_bounds() {
    let a = Array2::from_shape_fn((40, 40), |(i, j)| ((3 * i + 7 * j) % 11) as f64 - 3.0);
    let exact = perron(&a).unwrap().abscissa();
    let rough = PerronOptions::default().max_iterations(1).solve(&a).unwrap().abscissa();
    assert!(rough.lower <= exact.lower && exact.upper <= rough.upper && rough.width() > 1e-3);
    assert!(
        PerronOptions::default().tolerance(f64::NAN).solve(&a).unwrap_err().to_string().contains("`tolerance` is NaN")
    );
    assert!(PerronOptions::default().tolerance(1.0).solve(&a).is_err());
    assert!(
        PerronOptions::default().max_iterations(0).solve(&a).unwrap_err().to_string().contains("`max_iterations` is 0")
    );
}

#[test]
fn huge_entries_of_a_chain_end_the_search() {
    for size in [1e100, 1e200, 1e308] {
        let chain = perron(&array![[0.0, size, 0.0], [0.0, 0.0, size], [0.0, 0.0, 0.0]]).unwrap().abscissa();
        assert!(chain.lower == 0.0 && chain.upper > 0.0 && chain.upper <= size, "{chain}");
    }
    let p = perron(&array![[-f64::MAX, f64::MAX], [0.0, f64::MAX]]).unwrap().abscissa();
    assert!(p.contains(f64::MAX), "{p}");
}

#[test]
fn zero_and_diagonal_matrices() {
    let p = perron(&Array2::<f64>::zeros((3, 3))).unwrap();
    assert_eq!((p.abscissa().lower, p.abscissa().upper), (0.0, 0.0));
    let p = perron(&array![[-2.0, 0.0], [0.0, -3.0]]).unwrap();
    assert_eq!((p.abscissa().lower, p.abscissa().upper), (-2.0, -2.0));
    assert!(perron(&array![[f64::NEG_INFINITY]]).is_err());
}
