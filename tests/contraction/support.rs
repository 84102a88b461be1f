use faer::Mat;
use ndarray::{Array1, Array2, ArrayView2};
use neuronash::activation::ActivationCost;
use proptest::prelude::*;

/// Square matrices of size 1 to `max` with entries in [-1, 1], a share of them zero.
pub fn matrices(max: usize) -> impl Strategy<Value = Array2<f64>> {
    (1..=max).prop_flat_map(|n| {
        let entry = prop_oneof![3 => -1.0..1.0f64, 1 => Just(0.0)];
        proptest::collection::vec(entry, n * n).prop_map(move |v| Array2::from_shape_vec((n, n), v).unwrap())
    })
}

pub fn positive(n: usize) -> impl Strategy<Value = Array1<f64>> {
    proptest::collection::vec(0.2..5.0f64, n).prop_map(Array1::from_vec)
}

pub fn to_faer(a: ArrayView2<'_, f64>) -> Mat<f64> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[[i, j]])
}

pub fn spectral_abscissa(a: &Array2<f64>) -> f64 {
    to_faer(a.view()).eigenvalues().unwrap().iter().fold(f64::NEG_INFINITY, |m, v| m.max(v.re))
}

pub fn largest_symmetric_eigenvalue(a: &Array2<f64>) -> f64 {
    let m = to_faer(a.view());
    *m.self_adjoint_eigenvalues(faer::Side::Lower).unwrap().last().unwrap()
}

pub fn metzler_majorant(a: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn(a.dim(), |(i, j)| if i == j { a[[i, j]] } else { a[[i, j]].abs() })
}

/// The classical Runge-Kutta step.
pub fn rk4(f: &dyn Fn(&Array1<f64>) -> Array1<f64>, x: &Array1<f64>, h: f64) -> Array1<f64> {
    let k1 = f(x);
    let k2 = f(&(x + 0.5 * h * &k1));
    let k3 = f(&(x + 0.5 * h * &k2));
    let k4 = f(&(x + h * &k3));
    x + &((k1 + 2.0 * k2 + 2.0 * k3 + k4) * (h / 6.0))
}

pub fn firing_rate_flow<'a>(
    w: &'a Array2<f64>,
    tau: &'a Array1<f64>,
    u: &'a Array1<f64>,
    phi: &'a dyn ActivationCost<f64>,
) -> impl Fn(&Array1<f64>) -> Array1<f64> + 'a {
    move |x| ((w.dot(x) + u).mapv(|z| phi.activate(z)) - x) / tau
}

pub fn hopfield_flow<'a>(
    w: &'a Array2<f64>,
    tau: &'a Array1<f64>,
    u: &'a Array1<f64>,
    phi: &'a dyn ActivationCost<f64>,
) -> impl Fn(&Array1<f64>) -> Array1<f64> + 'a {
    move |y| (w.dot(&y.mapv(|z| phi.activate(z))) + u - y) / tau
}
