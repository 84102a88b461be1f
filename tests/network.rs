//! Networks: weights, products, builders, readers, Dale's law.

use ndarray::{Array1, Array2, ShapeBuilder, array, s};
use neuronash::activation::{Identity, Relu, Tanh};
use neuronash::network::{FiringRateNetwork, HopfieldNetwork, Weights};
use neuronash::{Error, Scalar};
use proptest::prelude::*;
use sprs::{CsMat, TriMat};

/// A reproducible matrix, a fraction of whose entries is zero.
fn matrix(n: usize, seed: u64, zeros: f64) -> Array2<f64> {
    use rand::{Rng, SeedableRng};
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    Array2::from_shape_fn((n, n), |_| if rng.random::<f64>() < zeros { 0.0 } else { rng.random_range(-1.0..1.0) })
}

fn assert_close(a: &Array1<f64>, b: &Array1<f64>) {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).for_each(|(p, q)| assert!((p - q).abs() <= 1e-14 * (1.0 + q.abs()), "{a} {b}"));
}

fn to_sparse(w: &Array2<f64>) -> CsMat<f64> {
    let mut triplets = TriMat::new(w.dim());
    for ((i, j), &v) in w.indexed_iter().filter(|(_, v)| **v != 0.0) {
        triplets.add_triplet(i, j, v);
    }
    triplets.to_csr()
}

#[test]
fn every_memory_order_and_ownership_builds_the_same_network() {
    let w = matrix(5, 1, 0.3);
    let mut fortran = Array2::zeros((5, 5).f());
    fortran.assign(&w);
    let mut big = Array2::zeros((10, 15));
    big.slice_mut(s![..;2, ..;3]).assign(&w);
    let mut reversed = w.clone();
    reversed.invert_axis(ndarray::Axis(0));
    let mut reversed_owner = reversed.as_standard_layout().into_owned();
    reversed_owner.invert_axis(ndarray::Axis(0));
    let csr = to_sparse(&w);
    let nets = [
        FiringRateNetwork::builder(&w),
        FiringRateNetwork::builder(w.clone()),
        FiringRateNetwork::builder(w.view()),
        FiringRateNetwork::builder(&w.view()),
        FiringRateNetwork::builder(fortran.clone()),
        FiringRateNetwork::builder(&fortran),
        FiringRateNetwork::builder(big.slice(s![..;2, ..;3])),
        FiringRateNetwork::builder(reversed_owner),
        FiringRateNetwork::builder(w.to_shared()),
        FiringRateNetwork::builder(&csr),
        FiringRateNetwork::builder(csr.to_csc()),
        FiringRateNetwork::builder(Weights::dense(&w)),
        FiringRateNetwork::builder(&Weights::sparse(csr).unwrap()),
    ];
    let x = array![1.0, -2.0, 3.0, 0.5, 0.25];
    for builder in nets {
        let net = builder.activation(Tanh::new()).build().unwrap();
        assert_eq!(net.weights().to_dense(), w);
        assert_eq!(net.weights().diagonal(), w.diag());
        assert_close(&net.drive(&x).unwrap(), &w.dot(&x));
        for i in 0..5 {
            let row: Vec<_> = net.weights().row(i).collect();
            let expected: Vec<_> = (0..5).filter(|&j| w[[i, j]] != 0.0).map(|j| (j, w[[i, j]])).collect();
            assert_eq!(row, expected);
            for j in 0..5 {
                assert_eq!(net.weights().get(i, j), w[[i, j]]);
            }
        }
        assert_eq!(net.weights().row(5).count(), 0);
    }
}

fn products<A: Scalar>(n: usize, zeros: f64, tolerance: f64) {
    let w = matrix(n, n as u64, zeros);
    let x = matrix(n, 77, 0.1);
    let cast = |m: &Array2<f64>| m.mapv(A::of);
    let dense = Weights::dense(&cast(&w)).unwrap();
    let sparse = Weights::sparse(to_sparse(&w).map(|&v| A::of(v))).unwrap();
    let column = cast(&x).column(0).to_owned();
    let strided = cast(&x);
    for weights in [&dense, &sparse] {
        let near = |a: A, b: f64| assert!((a.to_double() - b).abs() <= tolerance * n as f64, "{a} {b}");
        let product = weights.product(&column).unwrap();
        assert_eq!(product, weights.product(&strided.column(0)).unwrap());
        product.iter().zip(&w.dot(&x.column(0))).for_each(|(&a, &b)| near(a, b));
        let transposed = weights.transposed_product(&column).unwrap();
        transposed.iter().zip(&w.t().dot(&x.column(0))).for_each(|(&a, &b)| near(a, b));
        let thin = cast(&x).slice(s![.., ..n.min(3)]).to_owned();
        let all = weights.matrix_product(&thin).unwrap();
        all.iter().zip(&w.dot(&x.slice(s![.., ..n.min(3)]))).for_each(|(&a, &b)| near(a, b));
        assert!(matches!(weights.product(&Array1::zeros(n + 1)), Err(Error::Shape { .. })));
        assert!(matches!(weights.transposed_product(&Array1::zeros(n - 1)), Err(Error::Shape { .. })));
        assert!(matches!(weights.matrix_product(&Array2::zeros((n + 1, 1))), Err(Error::Shape { .. })));
    }
}

#[test]
fn products_agree_with_ndarray() {
    for n in [1, 2, 15, 16, 17, 33, 300, 531] {
        products::<f64>(n, 0.5, 1e-15);
        products::<f32>(n, 0.0, 1e-6);
    }
}

#[test]
fn products_do_not_depend_on_the_number_of_threads() {
    let w = Weights::dense(&matrix(700, 3, 0.0)).unwrap();
    let x = matrix(700, 4, 0.0).column(0).to_owned();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (w.product(&x).unwrap(), w.transposed_product(&x).unwrap()))
    };
    assert_eq!(run(1), run(2));
    assert_eq!(run(1), run(5));
}

#[test]
fn triplets_are_checked_and_added_up() {
    let w = Weights::from_triplets(3, [(2, 0, 1.0), (0, 1, -1.0), (2, 0, 0.5)]).unwrap();
    assert_eq!(w.to_dense(), array![[0.0, -1.0, 0.0], [0.0, 0.0, 0.0], [1.5, 0.0, 0.0]]);
    assert_eq!(w.stored(), 2);
    let error = Weights::from_triplets(3, [(0, 0, 1.0), (1, 3, 1.0)]).unwrap_err();
    assert_eq!(error.to_string(), "`weights, entry 1` is at (1, 3); allowed: indices in 0..3");
    assert!(matches!(Weights::from_triplets(3, [(usize::MAX, 0, 1.0)]), Err(Error::Invalid { .. })));
    assert!(matches!(Weights::from_triplets(0, [(0, 0, 1.0)]), Err(Error::Empty { .. })));
    assert!(matches!(Weights::from_triplets(usize::MAX, [(0, 0, 1.0)]), Err(Error::Invalid { .. })));
    assert!(matches!(Weights::from_triplets(usize::MAX / 8, [(0, 0, 1.0)]), Err(Error::Invalid { .. })));
    let error = Weights::from_triplets(2, [(0, 1, f64::NAN)]).unwrap_err();
    assert_eq!(error.to_string(), "`weights`[0][1] is NaN; only finite numbers are allowed");
    let error = Weights::from_triplets(2, [(0, 1, f64::MAX), (0, 1, f64::MAX)]).unwrap_err();
    assert_eq!(error.to_string(), "`weights`[0][1] is inf; only finite numbers are allowed");
}

#[test]
fn a_sliced_sparse_matrix_is_stored_properly() {
    let w = matrix(6, 9, 0.4);
    let tall = {
        let mut t = TriMat::new((8, 6));
        t.add_triplet(0, 1, 9.0);
        for ((i, j), &v) in w.indexed_iter().filter(|(_, v)| **v != 0.0) {
            t.add_triplet(i + 1, j, v);
        }
        t.to_csr::<usize>()
    };
    let weights = Weights::sparse(tall.slice_outer(1..7).to_owned()).unwrap();
    assert_eq!(weights.to_dense(), w);
    assert_close(&weights.product(&w.column(0)).unwrap(), &w.dot(&w.column(0)));
}

#[test]
fn bad_parts_are_named() {
    let w = array![[0.0, 1.0], [1.0, 0.0]];
    let build = |b: neuronash::network::FiringRateBuilder<f64>| b.activation(Relu).build().unwrap_err().to_string();
    let ok = || FiringRateNetwork::builder(&w);
    assert_eq!(
        build(FiringRateNetwork::builder(Array2::zeros((0, 0)))),
        "`weights` is empty; at least one entry is needed"
    );
    assert_eq!(
        build(FiringRateNetwork::builder(Array2::zeros((2, 3)))),
        "`weights` has shape [2, 3]; expected a square matrix"
    );
    assert_eq!(
        build(FiringRateNetwork::builder(array![[f64::INFINITY]])),
        "`weights`[0][0] is inf; only finite numbers are allowed"
    );
    assert_eq!(build(ok().time_constants(&array![1.0, 0.0])), "`time_constants[1]` is 0; allowed: numbers above 0");
    assert_eq!(build(ok().time_constants(&array![1.0])), "`time_constants` has shape [1]; expected [2]");
    assert_eq!(build(ok().input(&array![f64::NAN, 1.0])), "`input`[0] is NaN; only finite numbers are allowed");
    assert_eq!(
        ok().build().unwrap_err().to_string(),
        "`activation` is missing for neuron 0; allowed: one activation for all, or populations that cover every neuron"
    );
    let error = ok().population("E", 0..2, Relu).population("I", 1..2, Identity).build().unwrap_err();
    assert_eq!(error.to_string(), "`population `I`` is neuron 1; allowed: each neuron in one population only");
}

proptest! {
    #[test]
    fn both_forms_have_the_same_equilibria(seed in 0u64..1000, n in 1usize..8) {
        let w = matrix(n, seed, 0.2);
        let u = matrix(n, seed + 1, 0.0).row(0).to_owned();
        let fr = FiringRateNetwork::builder(&w).activation(Tanh::new()).input(&u).build().unwrap();
        let hopfield = fr.to_hopfield();
        let y = matrix(n, seed + 2, 0.0).row(0).to_owned();
        let x = fr.activate(&y).unwrap();
        // y - (W Phi(y) + u) and the drive of the rates that belong to y are one and the same.
        let residual = hopfield.residual(&y).unwrap();
        prop_assert!((&residual - &(&y - &fr.drive(&x).unwrap())).iter().all(|d| d.abs() < 1e-14));
        let direct = HopfieldNetwork::builder(&w).activation(Tanh::new()).input(&u).build().unwrap();
        prop_assert_eq!(direct.residual(&y).unwrap(), residual);
        prop_assert_eq!(hopfield.to_firing_rate().residual(&x).unwrap(), fr.residual(&x).unwrap());
    }
}
