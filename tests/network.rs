//! Networks: weights, products, builders, readers, Dale's law.

use ndarray::{Array1, Array2, ShapeBuilder, array, s};
use neuronash::activation::{Identity, Relu, Tanh};
use neuronash::network::read::{self, EdgeList};
use neuronash::network::{FiringRate, FiringRateNetwork, HopfieldNetwork, NetworkBuilder, Polarity, Weights};
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
#[allow(clippy::needless_borrows_for_generic_args)]
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
    let build = |b: NetworkBuilder<f64, FiringRate>| b.activation(Relu).build().unwrap_err().to_string();
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
    assert_eq!(
        error.to_string(),
        "`population I` is given neuron 1, which is taken; allowed: each neuron in one population only"
    );
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

/// The message of a refused text.
fn refused<T: std::fmt::Debug>(result: neuronash::Result<T>) -> String {
    match result.unwrap_err() {
        error @ (Error::Parse { .. } | Error::Io { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn csv_numbers() {
    let read = |text: &str| read::csv_from::<f64>(text.as_bytes(), "w.csv");
    let w = read("# weights\n1, -2.5e-1\n\n  0,3\r\n").unwrap();
    assert_eq!(w.to_dense(), array![[1.0, -0.25], [0.0, 3.0]]);
    assert_eq!(refused(read("1,2\r\n3,x\r\n")), "w.csv:2: \"x\" is not a number");
    assert_eq!(refused(read("1,2\n3,x y\n")), "w.csv:2: \"x y\" is not a number");
    assert_eq!(refused(read("1,2\n\n3,nan\n")), "w.csv:3: \"nan\" is not a finite number");
    assert_eq!(refused(read("\r\n# a\n\n#b\r\n1,2\n3,nan\n")), "w.csv:6: \"nan\" is not a finite number");
    assert_eq!(refused(read("1,2\n\n3\n")), "w.csv:3: 1 fields where the first row has 2");
    assert_eq!(refused(read("1,2\n3,4\n5,6\n")), "w.csv:3: more than 2 rows of 2 fields; weights are square");
    assert_eq!(refused(read("1,2\n")), "w.csv:1: the text ends after 1 rows of 2 fields; weights are square");
    assert_eq!(refused(read("")), "w.csv:1: the text ends after 0 rows of 0 fields; weights are square");
    assert_eq!(refused(read("1,2\n3,\n")), "w.csv:2: \"\" is not a number");
    assert_eq!(
        refused(read::csv_from::<f32>("1e300\n".as_bytes(), "w.csv")),
        "w.csv:1: \"1e300\" is not a finite number"
    );
    assert!(refused(read::csv::<f64>("no/such/file.csv")).starts_with("no/such/file.csv: "));
    assert!(refused(read::csv::<f64>(std::env::temp_dir())).starts_with(std::env::temp_dir().to_str().unwrap()));
}

#[test]
fn no_line_is_lost() {
    let read = |text: &str| read::csv_from::<f64>(text.as_bytes(), "w.csv");
    assert_eq!(refused(read("1,2\n# 3,4\n5,6\n")), "w.csv:2: \"# 3\" is not a number");
    assert_eq!(read("\u{feff}# a head\n1,2\n3,4\n").unwrap().to_dense(), array![[1.0, 2.0], [3.0, 4.0]]);
    // Carriage returns alone end lines, too.
    assert_eq!(read("# a head\r1,2\r3,4\r").unwrap().to_dense(), array![[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(read("\r1,2\r3,4").unwrap().to_dense(), array![[1.0, 2.0], [3.0, 4.0]]);

    let edges = || EdgeList::<f64>::new();
    // A neuron whose name begins with #, as Python's csv module writes it.
    let text = "# two chains\npre,post,weight\nA,B,1\n#C,A,2\nB,A,3\n";
    let named = edges().read_from(text.as_bytes(), "e.csv").unwrap();
    assert_eq!(named.names(), ["#C", "A", "B"]);
    assert_eq!(named.weights().to_dense(), array![[0.0, 0.0, 0.0], [2.0, 0.0, 3.0], [0.0, 1.0, 0.0]]);
    let asked = edges().comments(b'#').read_from(text.as_bytes(), "e.csv").unwrap();
    assert_eq!(asked.names(), ["A", "B"]);
    let text = "% head\npre,post,weight\n% C,A,2\nA,B,x\n";
    let asked = edges().comments(b'%').read_from(text.as_bytes(), "e.csv");
    assert_eq!(refused(asked), "e.csv:4: \"x\" is not a number");
    let text = "pre,post,weight\r#C,A,2\rA,B,1\r";
    assert_eq!(edges().read_from(text.as_bytes(), "e.csv").unwrap().names(), ["#C", "A", "B"]);
    assert!(refused(edges().comments(b'#').read_from(text.as_bytes(), "e.csv")).contains("carriage return"));
}

#[test]
fn numbers_do_not_vanish() {
    let csv = |text: &str| read::csv_from::<f64>(text.as_bytes(), "w.csv").map(|w| w.get(0, 0));
    for tiny in ["-1e-400", "0.0001e-330", "+3E-9999"] {
        assert_eq!(refused(csv(tiny)), format!("w.csv:1: {tiny:?} is not 0, but smaller than any number of this type"));
    }
    for zero in ["0", "-0.0", "0e5", "0.000E-999", "+.0"] {
        assert_eq!(csv(zero), Ok(0.0), "{zero}");
    }
    assert_eq!(csv("5e-324"), Ok(5e-324));
    let single = |text: &str| read::csv_from::<f32>(text.as_bytes(), "w.csv").map(|w| w.get(0, 0));
    assert_eq!(single("1e-45"), Ok(1e-45));
    assert!(refused(single("1e-50")).contains("smaller than any number"));
    let edges = EdgeList::<f64>::new().read_from("pre,post,weight\nA,B,1e-400\n".as_bytes(), "e.csv");
    assert_eq!(refused(edges), "e.csv:2: \"1e-400\" is not 0, but smaller than any number of this type");
    let text = "%%MatrixMarket matrix coordinate real general\n1 1 1\n1 1 -1e-400\n";
    assert!(refused(read::matrix_market_from::<f64>(text.as_bytes(), "w.mtx")).starts_with("w.mtx:3: \"-1e-400\""));
    let mut npy = Vec::new();
    ndarray_npy::WriteNpyExt::write_npy(&array![[1.0, 2.0], [1e-60, 0.0]], &mut npy).unwrap();
    assert!(refused(read::npy_from::<f32>(&npy[..], "w.npy")).starts_with("w.npy:0: entry [1][0], "));
    assert!(read::npy_from::<f64>(&npy[..], "w.npy").is_ok());
}

#[test]
fn edge_lists() {
    let text = "post,pre,weight\nB, A ,2\nA,C,-1\nB,A,0.5\n";
    let named = EdgeList::<f64>::new().read_from(text.as_bytes(), "e.csv").unwrap();
    assert_eq!(named.names(), ["A", "B", "C"]);
    assert_eq!(named.index_of("C"), Some(2));
    assert_eq!(named.index_of("D"), None);
    assert_eq!(named.weights().to_dense(), array![[0.0, 0.0, -1.0], [2.5, 0.0, 0.0], [0.0, 0.0, 0.0]]);
    let read = |text: &str| EdgeList::<f64>::new().read_from(text.as_bytes(), "e.csv");
    assert_eq!(refused(read("a,b,c\n")), "e.csv:1: no column `pre`");
    assert_eq!(refused(read("pre,post\nA,B\n")), "e.csv:2: no column `weight`");
    assert_eq!(refused(read("pre,post,weight\nA,B,1\nA,,1\n")), "e.csv:3: column `post` is empty");
    assert_eq!(refused(read("pre,post,weight\nA,B,1\nA,B\n")), "e.csv:3: 2 fields under 3 columns");
    assert_eq!(refused(read("pre,post,weight\nA,B,one\n")), "e.csv:2: \"one\" is not a number");
    assert_eq!(refused(read("pre,post,weight\n")), "e.csv:1: no connections");
    let picky = EdgeList::new().weight(|edge| Err::<f32, _>(edge.refuse("not today")));
    assert_eq!(refused(picky.read_from("pre,post\nA,B\n".as_bytes(), "e.csv")), "e.csv:2: not today");
}

#[test]
fn matrix_market_formats() {
    let read = |text: &str| read::matrix_market_from::<f64>(text.as_bytes(), "w.mtx").map(|w| w.to_dense());
    let head = |kind: &str, rest: &str| format!("%%MatrixMarket matrix {kind}\n% a comment\n\n{rest}");
    let full = array![[1.0, 0.0, 3.0], [0.0, 0.0, 0.0], [0.5, 0.0, 0.0]];
    let ok = [
        ("coordinate real general", "3 3 3\n1 1 1\n3 1 0.5\n1 3 3.0\n", full.clone()),
        ("coordinate real general", "3 3 4\n1 1 0.25\n3 1 0.5\n1 3 3.0\n\n1 1 .75", full.clone()),
        ("array real general", "3 3\n1\n0\n.5\n0\n0\n0\n3\n0\n0\n", full),
        ("coordinate integer symmetric", "2 2 2\n2 1 -4\n2 2 1\n", array![[0.0, -4.0], [-4.0, 1.0]]),
        ("coordinate real skew-symmetric", "2 2 1\n2 1 -4\n", array![[0.0, 4.0], [-4.0, 0.0]]),
        ("coordinate pattern symmetric", "2 2 2\n2 1\n1 1\n", array![[1.0, 1.0], [1.0, 0.0]]),
        ("array real symmetric", "2 2\n1\n2\n3\n", array![[1.0, 2.0], [2.0, 3.0]]),
        ("coordinate unsigned-integer general", "2 2 2\n1 2 3\n2 1 1\n", array![[0.0, 3.0], [1.0, 0.0]]),
        ("coordinate real symmetric", "2 2 2\n1 1 -1\n1 2 0.5\n", array![[-1.0, 0.5], [0.5, 0.0]]),
        ("coordinate real symmetric", "2 2 2\n1 2 0.25\n1 2 0.25\n", array![[0.0, 0.5], [0.5, 0.0]]),
        ("coordinate real skew-symmetric", "2 2 2\n1 2 -4\n2 2 0\n", array![[0.0, -4.0], [4.0, 0.0]]),
        ("array integer skew-symmetric", "2 2\n0\n-1\n0\n", array![[0.0, 1.0], [-1.0, 0.0]]),
        (
            "array integer skew-symmetric",
            "3 3\n0 1 2\n0 3\n0\n",
            array![[0.0, -1.0, -2.0], [1.0, 0.0, -3.0], [2.0, 3.0, 0.0]],
        ),
        ("array integer skew-symmetric", "1 1\n", array![[0.0]]),
        ("array integer skew-symmetric", "3 3\n1 2\n3\n", array![[0.0, -1.0, -2.0], [1.0, 0.0, -3.0], [2.0, 3.0, 0.0]]),
    ];
    for (kind, rest, expected) in ok {
        assert_eq!(read(&head(kind, rest)).unwrap(), expected, "{kind}");
        assert_eq!(read(&head(&kind.to_uppercase(), rest)).unwrap(), expected, "{kind}");
    }
    let bad = [
        ("coordinate real general", "2 2 2\n1 1 1\n", "w.mtx:5: the text ends after 1 of 2 entries"),
        ("coordinate real general", "2 2 1\n1 1 1\n\n1 2 3\n", "w.mtx:7: more than the announced 1 entries"),
        ("coordinate real general", "2 2 1\n0 1 1\n", "w.mtx:5: row 0 is outside 1..=2"),
        ("coordinate real general", "2 2 1\n1 3 1\n", "w.mtx:5: column 3 is outside 1..=2"),
        ("coordinate real general", "2 2 1\n1 -3 1\n", "w.mtx:5: column \"-3\" is not an index"),
        ("coordinate real general", "2 2 1\n1 1\n", "w.mtx:5: \"1 1\\n\" is not row, column and value"),
        ("coordinate real general", "2 2 1\n1 1 1 1\n", "w.mtx:5: \"1 1 1 1\\n\" is not row, column and value"),
        ("coordinate real general", "2 2 1\n1 1 x\n", "w.mtx:5: \"x\" is not a number"),
        ("coordinate real general", "2 2 1\n1 1 inf\n", "w.mtx:5: \"inf\" is not a finite number"),
        ("coordinate real general", "2 3 1\n1 1 1\n", "w.mtx:4: the matrix is 2 x 3; weights are square"),
        ("coordinate real general", "0 0 0\n", "w.mtx:4: the matrix is empty"),
        ("coordinate real general", "2 2\n", "w.mtx:4: \"2 2\" is not rows, columns and the number of entries"),
        (
            "coordinate real general",
            "",
            "w.mtx:3: the text ends before the line with rows, columns and the number of entries",
        ),
        (
            "coordinate real symmetric",
            "2 2 2\n1 2 1\n2 1 1\n",
            "w.mtx:6: entries on both sides of the diagonal, where the symmetry leaves one to be listed",
        ),
        (
            "coordinate real skew-symmetric",
            "2 2 1\n1 1 1\n",
            "w.mtx:5: a skew-symmetric matrix has zeros on the diagonal",
        ),
        ("array real skew-symmetric", "2 2\n0\n1\n2\n", "w.mtx:7: a skew-symmetric matrix has zeros on the diagonal"),
        (
            "array real skew-symmetric",
            "2 2\n0\n1\n",
            "w.mtx:6: the text ends after 2 of 1 entries, or 3 with those on the diagonal",
        ),
        (
            "coordinate complex general",
            "",
            "w.mtx:1: field \"complex\"; allowed: real, integer, unsigned-integer, pattern",
        ),
        ("array real hermitian", "", "w.mtx:1: symmetry \"hermitian\"; allowed: general, symmetric, skew-symmetric"),
        ("array pattern general", "", "w.mtx:1: field `pattern` goes with format `coordinate` only"),
        ("array real general", "2 2\n1\n2\n3\n", "w.mtx:7: the text ends after 3 of 4 entries"),
        ("array real general", "2 2\n1\n2\n3\n4\n5\n", "w.mtx:9: more than the announced 4 entries"),
        ("array real general", "1 1\n1e999\n", "w.mtx:5: \"1e999\" is not a finite number"),
        (
            "array real general",
            "18446744073709551615 18446744073709551615\n",
            "w.mtx:4: 18446744073709551615 x 18446744073709551615 entries do not fit in memory",
        ),
    ];
    for (kind, rest, expected) in bad {
        assert_eq!(refused(read(&head(kind, rest))), expected);
    }
    let marked = "\u{feff}%%MatrixMarket matrix coordinate real general\n1 1 1\n1 1 -1\n";
    assert_eq!(read(marked).unwrap(), array![[-1.0]]);
    let single = "%MatrixMarket matrix coordinate pattern symmetric\n3 3 2\n2 1\n3 2\n";
    assert_eq!(read(single).unwrap(), array![[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]);
    assert_eq!(refused(read("")), "w.mtx:1: the text is empty");
    assert!(refused(read("%%MatrixMarket vector\n")).starts_with("w.mtx:1: the first line is not"));
    let sums = "2 2 2\n1 1 1e308\n1 1 1e308\n";
    assert!(refused(read(&head("coordinate real general", sums))).contains("only finite numbers"));
}

#[test]
fn npy_types_and_orders() {
    use ndarray_npy::WriteNpyExt;
    fn bytes<T: WriteNpyExt>(array: &T) -> Vec<u8> {
        let mut out = Vec::new();
        array.write_npy(&mut out).unwrap();
        out
    }
    let w = array![[1.0, -2.0], [3.0, 100.0]];
    let mut fortran = Array2::zeros((2, 2).f());
    fortran.assign(&w);
    let positive = w.mapv(f64::abs);
    let big_endian = {
        let mut file = bytes(&w.mapv(|v| f64::from_be_bytes(v.to_le_bytes())));
        let at = file.windows(3).position(|part| part == b"<f8").unwrap();
        file[at] = b'>';
        file
    };
    let files = [
        (bytes(&w), &w),
        (bytes(&fortran), &w),
        (big_endian, &w),
        (bytes(&w.mapv(|v| v as f32)), &w),
        (bytes(&w.mapv(|v| v as i64)), &w),
        (bytes(&w.mapv(|v| v as i32)), &w),
        (bytes(&w.mapv(|v| v as i16)), &w),
        (bytes(&w.mapv(|v| v as i8)), &w),
        (bytes(&positive.mapv(|v| v as u64)), &positive),
        (bytes(&positive.mapv(|v| v as u32)), &positive),
        (bytes(&positive.mapv(|v| v as u16)), &positive),
        (bytes(&positive.mapv(|v| v as u8)), &positive),
    ];
    for (file, expected) in &files {
        assert_eq!(read::npy_from::<f64>(&file[..], "w.npy").unwrap().to_dense(), *expected);
        assert_eq!(read::npy_from::<f32>(&file[..], "w.npy").unwrap().to_dense(), expected.mapv(|v| v as f32));
    }
    let refuse = |file: &[u8]| refused(read::npy_from::<f64>(file, "w.npy"));
    let good = bytes(&w);
    assert!(refuse(&good[..good.len() - 1]).starts_with("w.npy:0: 31 bytes of data"));
    assert!(refuse(&[&good[..], &[0]].concat()).starts_with("w.npy:0: 33 bytes of data"));
    assert_eq!(refuse(&good[..40]), "w.npy:0: the text ends within the header");
    assert!(refuse(&bytes(&Array1::<f64>::zeros(4))).starts_with("w.npy:0: shape [4]"));
    assert!(refuse(&bytes(&Array2::<f64>::zeros((2, 3)))).starts_with("w.npy:0: shape [2, 3]"));
    assert!(refuse(&bytes(&Array2::<f64>::zeros((0, 0)))).starts_with("w.npy:0: shape [0, 0]"));
    assert!(refuse(&bytes(&array![[true]])).starts_with("w.npy:0: element type '|b1'"));
    assert!(refuse(&bytes(&array![[f64::NAN]])).contains("NaN"));
    let claim = |shape: &str| {
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}\n");
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), &[0; 8]].concat()
    };
    assert_eq!(read::npy_from::<f64>(&claim("(1, 1)")[..], "w.npy").unwrap().to_dense(), array![[0.0]]);
    assert!(refuse(&claim("(4000000000, 4000000000)")).contains("8 bytes of data"));
    assert!(refuse(&claim("(9999999999999999999999, 1)")).starts_with("w.npy:0: "));
    assert!(refuse(&claim(&"(".repeat(60000))).contains("plain array"));
    assert!(refuse(b"PK").contains("not a .npy file"));
}

#[test]
fn dales_law() {
    let w = array![[1.0, -2.0, 0.0, 0.5], [0.0, -1.0, 0.0, -0.5], [3.0, 0.0, 0.0, -0.0], [0.0, 0.0, 0.0, 0.0]];
    for weights in [Weights::dense(&w).unwrap(), Weights::sparse(to_sparse(&w)).unwrap()] {
        let dale = weights.dale();
        assert_eq!(dale.polarities()[..3], [Polarity::Excitatory, Polarity::Inhibitory, Polarity::Silent]);
        let mixed = Polarity::Mixed { excitatory: 1, inhibitory: 1, offending: vec![(1, -0.5)] };
        assert_eq!(dale.violations().collect::<Vec<_>>(), [(3, &mixed)]);
        assert_eq!((dale.excitatory(), dale.inhibitory(), dale.silent(), dale.holds()), (1, 1, 1, false));
        assert_eq!(dale.polarity(4), None);
        assert_eq!(
            dale.to_string(),
            "1 excitatory, 1 inhibitory, 1 silent, 1 mixed; neuron 3 has 1 positive and 1 negative weights, \
             among them -0.5 onto neuron 1"
        );
    }
    let lawful = Weights::dense(&array![[1.0, -2.0], [0.0, -1.0]]).unwrap().dale();
    assert!(lawful.holds() && lawful.to_string().ends_with("Dale's law holds"));
}

#[test]
fn populations_have_names() {
    let net = FiringRateNetwork::builder(Array2::<f64>::zeros((5, 5)))
        .population("E", vec![4, 0, 2], Relu)
        .population("I", 1..2, Tanh::new())
        .population("rest", vec![3], Identity)
        .build()
        .unwrap();
    assert_eq!(net.population("E").unwrap().members().iter().collect::<Vec<_>>(), [4, 0, 2]);
    assert_eq!(net.population("I").unwrap().members().len(), 1);
    assert!(net.population("e").is_none());
    assert_eq!(net.population_of(2).unwrap().name(), "E");
    assert!(net.population_of(5).is_none() && net.activation(5).is_none());
    assert_eq!(net.activation(1).unwrap().activate(0.5), 0.5f64.tanh());
    let ranges = net.slope_ranges();
    assert!(ranges.iter().all(|r| r.is_mone()) && (ranges[3].min, ranges[0].min) == (1.0, 0.0));
    let steep = FiringRateNetwork::builder(array![[0.0]]).activation(Tanh::with_gain(1.5).unwrap()).build().unwrap();
    assert!(!steep.slope_ranges()[0].is_mone());
    assert_eq!(net.populations().iter().map(|p| p.name()).collect::<Vec<_>>(), ["E", "I", "rest"]);
    let x = net.activate(&array![-1.0, 1.0, 2.0, -3.0, 4.0]).unwrap();
    assert_eq!(x, array![0.0, 1f64.tanh(), 2.0, -3.0, 4.0]);
    let error = |members: Vec<usize>, name: &str| {
        let builder = FiringRateNetwork::builder(Array2::<f64>::zeros((2, 2))).population("E", 0..1, Relu);
        builder.population(name, members, Relu).build().unwrap_err().to_string()
    };
    assert_eq!(error(vec![], "I"), "`population I` is empty; at least one entry is needed");
    assert_eq!(error(vec![2], "I"), "`population I` is given neuron 2; allowed: neurons 0..2");
    assert_eq!(error(vec![1], "E"), "`population name` is E; allowed: names that differ from each other");
}

#[test]
fn networks_share_their_weights() {
    let net = FiringRateNetwork::builder(matrix(3, 1, 0.0)).activation(Tanh::new()).build().unwrap();
    let other = net.clone().with_input(&array![1.0, 2.0, 3.0]).unwrap();
    assert!(std::ptr::eq(net.weights(), other.weights()));
    assert!(std::ptr::eq(net.weights(), net.to_hopfield().weights()));
    assert!(matches!(net.with_input(&array![1.0]), Err(Error::Shape { .. })));
}

#[test]
fn the_worms_connectome() {
    let edges = EdgeList::<f64>::new().weight(|edge| {
        let sign = match edge.get("polarity")? {
            "excitatory" => 1.0,
            "inhibitory" => -1.0,
            _ if edge.get("pre_transmitter")? == "GABA" => -1.0,
            _ => 1.0,
        };
        Ok(sign * edge.number::<f64>("synapses")?)
    });
    let worm = edges.read(concat!(env!("CARGO_MANIFEST_DIR"), "/data/celegans_chemical_synapses.csv")).unwrap();
    assert_eq!((worm.names().len(), worm.weights().stored()), (297, 3638));
    let synapses: f64 = (0..297).flat_map(|i| worm.weights().row(i)).map(|(_, w)| w.abs()).sum();
    assert_eq!(synapses, 20_589.0);
}
