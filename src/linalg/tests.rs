use approx::assert_abs_diff_eq;
use ndarray::{Array2, ShapeBuilder, array, s};

use super::*;

fn sample(rows: usize, cols: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, cols), |(i, j)| ((3 * i + 7 * j + 1) as f64 * 0.618).sin())
}

fn max_abs(a: &Array2<f64>) -> f64 {
    a.iter().fold(0.0, |m, v| m.max(v.abs()))
}

#[test]
fn matmul_takes_any_memory_order_and_strides() {
    let (a, b) = (sample(5, 4), sample(4, 3));
    let expected = a.dot(&b);
    let column_major = Array2::from_shape_vec((5, 4).f(), a.t().iter().copied().collect()).unwrap();
    assert_abs_diff_eq!(max_abs(&(product(column_major.view(), b.view()) - &expected)), 0.0, epsilon = 1e-15);
    let wide = sample(10, 8);
    let strided = wide.slice(s![..;2, ..;2]);
    assert_abs_diff_eq!(max_abs(&(product(strided, b.view()) - strided.dot(&b))), 0.0, epsilon = 1e-15);
    let mut c = Array2::from_elem((3, 5).f(), 2.0).reversed_axes();
    f64::matmul(3.0, a.view(), b.view(), -1.0, c.view_mut());
    assert_abs_diff_eq!(max_abs(&(c - (3.0 * &expected - 2.0))), 0.0, epsilon = 1e-14);
}

#[test]
fn products_of_a_vector_agree_with_those_of_a_matrix() {
    for (rows, cols) in [(1, 1), (5, 4), (3, 40), (600, 300)] {
        let (a, x) = (sample(rows, cols), sample(cols, 1));
        let mut y = vec![f64::NAN; rows];
        f64::matvec(a.view(), x.as_slice().unwrap(), &mut y);
        assert_abs_diff_eq!(
            max_abs(&(a.dot(&x) - Array2::from_shape_vec((rows, 1), y).unwrap())),
            0.0,
            epsilon = 1e-12
        );
        let mut y = vec![f32::NAN; rows];
        f32::matvec(a.mapv(|v| v as f32).view(), &x.mapv(|v| v as f32).into_raw_vec_and_offset().0, &mut y);
        let y = Array2::from_shape_vec((rows, 1), y).unwrap().mapv(f64::from);
        assert_abs_diff_eq!(max_abs(&(a.dot(&x) - y)), 0.0, epsilon = 1e-3);
    }
}

#[test]
fn spd_kernels_agree_with_each_other() {
    let b = sample(6, 6);
    let a = b.dot(&b.t()) + Array2::<f64>::eye(6);
    let l = f64::cholesky(a.view()).unwrap();
    assert_abs_diff_eq!(max_abs(&(l.dot(&l.t()) - &a)), 0.0, epsilon = 1e-12);
    assert!(l.indexed_iter().all(|((i, j), &v)| i >= j || v == 0.0));
    let inverse = f64::inverse_spd(a.view()).unwrap();
    assert_abs_diff_eq!(max_abs(&(inverse.dot(&a) - Array2::<f64>::eye(6))), 0.0, epsilon = 1e-11);
    let (values, vectors) = eigh(a.view()).unwrap();
    let rebuilt = (&vectors * &values).dot(&vectors.t());
    assert_abs_diff_eq!(max_abs(&(rebuilt - &a)), 0.0, epsilon = 1e-12);
    for (p, q) in values.iter().zip(eigvalsh(a.view()).unwrap()) {
        assert_abs_diff_eq!(*p, q, epsilon = 1e-12);
    }
    assert!(f64::cholesky((-&a).view()).is_none());
    assert!(f64::inverse_spd((-&a).view()).is_none());
}

#[test]
fn lu_solves_both_ways_and_names_a_singular_matrix() {
    let a = sample(5, 5) + Array2::<f64>::eye(5) * 2.0;
    let b = sample(5, 2);
    let lu = Lu::new(a.view(), "a");
    assert_abs_diff_eq!(max_abs(&(a.dot(&lu.solve(b.view()).unwrap()) - &b)), 0.0, epsilon = 1e-12);
    assert_abs_diff_eq!(max_abs(&(a.t().dot(&lu.solve_transposed(b.view()).unwrap()) - &b)), 0.0, epsilon = 1e-12);
    let singular = Lu::new(array![[0.0, 0.0], [0.0, 0.0]].view(), "zero");
    assert_eq!(singular.solve_vec(array![1.0, 1.0].view()).unwrap_err(), Error::Singular { matrix: "zero".into() });
}

#[test]
fn lu_knows_the_sign_of_the_determinant() {
    let reverses = |a: &Array2<f64>| Lu::new(a.view(), "a").reverses();
    assert!(!reverses(&Array2::eye(4)) && !reverses(&array![[0.0, -2.0], [2.0, 0.0]]));
    assert!(reverses(&array![[0.0, 1.0], [1.0, 0.0]]) && reverses(&array![[-3.0]]));
    for n in [3, 5, 8, 40] {
        // Shifted by less than, and by more than, its one eigenvalue above 0, which is `n`.
        let a = Array2::from_shape_fn((n, n), |(i, j)| if i % 2 == j % 2 { 1.0 } else { -1.0 });
        let shifted = |s: f64| Array2::eye(n) * s - &a;
        assert!(reverses(&shifted(n as f64 - 0.5)) && !reverses(&shifted(n as f64 + 0.5)));
        // A cycle through all rows is even where their number is odd.
        let cycle = Array2::from_shape_fn((n, n), |(i, j)| f64::from(u8::from(j == (i + 1) % n)));
        assert_eq!(reverses(&cycle), n % 2 == 0);
    }
}

#[test]
fn eigenvalues_of_a_rotation_are_a_conjugate_pair() {
    let values = eigvals(array![[1.0, -2.0], [2.0, 1.0]].view()).unwrap();
    assert_abs_diff_eq!(values[0].re, 1.0, epsilon = 1e-14);
    assert_abs_diff_eq!(values[0].im, 2.0, epsilon = 1e-14);
    assert_abs_diff_eq!(values[1].im, -2.0, epsilon = 1e-14);
}

#[test]
fn factorisations_take_strided_views() {
    let b = sample(12, 12);
    let wide = b.dot(&b.t()) + Array2::<f64>::eye(12);
    let a = wide.slice(s![..;2, ..;2]);
    let inverse = f64::inverse_spd(a).unwrap();
    assert_abs_diff_eq!(max_abs(&(inverse.dot(&a) - Array2::<f64>::eye(6))), 0.0, epsilon = 1e-11);
    let product: f64 = eigvalsh(a).unwrap().iter().product();
    let pivots: f64 = f64::cholesky(a).unwrap().diag().iter().map(|l| l * l).product();
    let general: f64 = eigvals(a).unwrap().iter().map(|v| v.re).product();
    assert_abs_diff_eq!(product / pivots, 1.0, epsilon = 1e-10);
    assert_abs_diff_eq!(general / pivots, 1.0, epsilon = 1e-10);
    let x = Lu::new(a, "a").solve_vec(Array1::ones(6).view()).unwrap();
    assert_abs_diff_eq!((a.dot(&x) - 1.0).iter().fold(0.0, |m: f64, v| m.max(v.abs())), 0.0, epsilon = 1e-11);
}

/// As from a worker of a thread pool; the backend may use threads of its own on top.
#[test]
fn small_stacks_suffice_for_large_matrices() {
    let n = 500;
    let a = Array2::from_shape_fn((n, n), |(i, j)| 1.0 / (1.0 + i.abs_diff(j) as f64) + if i == j { 2.0 } else { 0.0 });
    let solved = |a: &Array2<f64>| {
        let x = Lu::new(a.view(), "a").solve_vec(Array1::ones(n).view()).unwrap();
        let inverse = f64::inverse_spd(a.view()).unwrap();
        (a.dot(&x) - 1.0).iter().chain(&(inverse.dot(a) - Array2::<f64>::eye(n))).fold(0.0, |m: f64, v| m.max(v.abs()))
    };
    std::thread::scope(|scope| {
        let callers = [(); 4]
            .map(|()| std::thread::Builder::new().stack_size(512 << 10).spawn_scoped(scope, || solved(&a)).unwrap());
        for caller in callers {
            assert_abs_diff_eq!(caller.join().unwrap(), 0.0, epsilon = 1e-11);
        }
    });
}

/// Powers of two change no digit: the spectrum scales with the matrix.
fn scales<A: Scalar>(exponents: &[i32]) {
    let base = sample(8, 8).mapv(A::of);
    let symmetric = &base + &base.t();
    let (general, even) = (eigvals(base.view()).unwrap(), eigvalsh(symmetric.view()).unwrap());
    for &e in exponents {
        let s = A::of(2.0).powi(e);
        let scaled = eigvals(base.mapv(|v| v * s).view()).unwrap();
        let error = scaled.iter().zip(&general).map(|(v, g)| (v.unscale(s) - g).norm().to_double()).fold(0.0, f64::max);
        assert!(error <= 1e2 * A::epsilon().to_double(), "2^{e}: {error:e}");
        let of_symmetric =
            [eigvalsh(symmetric.mapv(|v| v * s).view()).unwrap(), eigh(symmetric.mapv(|v| v * s).view()).unwrap().0];
        for values in of_symmetric {
            let error = (&values / s - &even).iter().map(|v| v.to_double().abs()).fold(0.0, f64::max);
            assert!(error <= 1e2 * A::epsilon().to_double(), "2^{e}: {error:e}");
        }
    }
}

#[test]
fn spectra_of_huge_and_tiny_matrices() {
    scales::<f64>(&[1015, 800, 520, 300, -300, -520, -800, -960]);
    scales::<f32>(&[120, 80, 40, -40, -80, -96]);
}

/// A proof that is found on some threads is found again on others.
#[cfg(feature = "rayon")]
#[test]
fn products_and_factors_do_not_depend_on_the_number_of_threads() {
    let n = 600;
    let b = sample(n, n);
    let a = product(b.view(), b.t()) + 10.0 * Array2::<f64>::eye(n);
    let computed = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut factor = a.clone();
            assert!(f64::cholesky_in_place(factor.view_mut()));
            let upper = Array2::from_shape_fn((n, n), |(i, j)| if i <= j { factor[[i, j]] } else { 0.0 });
            (product(a.view(), b.view()), upper)
        })
    };
    let one = computed(1);
    for threads in [2, 3, 8] {
        assert!(computed(threads) == one, "{threads} threads");
    }
}
