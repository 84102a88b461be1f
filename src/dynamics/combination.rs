//! Linear combinations of long vectors.
//!
//! A Runge-Kutta stage is a sum of up to seven vectors. Adding them up one after the other reads and writes the sum each
//! time, which for long vectors costs more than the right-hand side. Here each sum is formed in one parallel pass.

use crate::Scalar;

/// Elements that are summed at a time, so that the sum stays in the first cache.
const PART: usize = 1 << 11;

/// Writes `sum_k c_k v_k`, all vectors of the length of `out`.
pub(super) fn write_sum<A: Scalar>(out: &mut [A], terms: &[(A, &[A])]) {
    let fill = |(k, part): (usize, &mut [A])| add_up(terms, k * PART, part);
    #[cfg(feature = "rayon")]
    if out.len() >= super::PARALLEL_FROM {
        use rayon::prelude::*;
        return out.par_chunks_mut(PART).enumerate().for_each(fill);
    }
    out.chunks_mut(PART).enumerate().for_each(fill);
}

/// The root mean square of `e_i / (absolute + relative max(|x_i|, |y_i|))` for the sum `e` of the terms; not finite
/// unless all of `e` and `y` are. The same for any number of threads.
pub(super) fn scaled_error<A: Scalar>(terms: &[(A, &[A])], x: &[A], y: &[A], absolute: A, relative: A) -> A {
    let n = x.len();
    let part = |k: usize| {
        let mut errors = [A::zero(); PART];
        let place = k * PART..n.min((k + 1) * PART);
        let errors = &mut errors[..place.len()];
        add_up(terms, place.start, errors);
        let states = x[place.clone()].iter().zip(&y[place]);
        errors.iter().zip(states).fold(A::zero(), |sum, (&e, (&a, &b))| {
            let scaled = e / (absolute + relative * a.abs().max(b.abs()));
            // The last term is 0, or NaN if `b` is not finite.
            sum + scaled * scaled + A::zero() * b
        })
    };
    let mean = |sum: A| (sum / A::of(n as f64)).sqrt();
    let parts = n.div_ceil(PART);
    #[cfg(feature = "rayon")]
    if n >= super::PARALLEL_FROM {
        use rayon::prelude::*;
        let sums: Vec<A> = (0..parts).into_par_iter().map(part).collect();
        return mean(sums.into_iter().sum());
    }
    mean((0..parts).map(part).sum())
}

/// Writes the part of a sum that begins at `start`.
fn add_up<A: Scalar>(terms: &[(A, &[A])], start: usize, out: &mut [A]) {
    let place = start..start + out.len();
    let Some(((c, first), rest)) = terms.split_first() else { return out.fill(A::zero()) };
    for (out, &v) in out.iter_mut().zip(&first[place.clone()]) {
        *out = *c * v;
    }
    for (c, values) in rest {
        for (out, &v) in out.iter_mut().zip(&values[place.clone()]) {
            *out += *c * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_norms_are_those_of_the_definition() {
        for n in [1, 5, PART, 3 * PART + 17, 40_000] {
            let vector = |k: usize| -> Vec<f64> { (0..n).map(|i| ((i * (k + 2)) as f64).sin()).collect() };
            let (a, b, c) = (vector(0), vector(1), vector(2));
            let mut sum = vec![f64::NAN; n];
            write_sum(&mut sum, &[(2.0, &a), (-0.5, &b), (0.25, &c)]);
            assert!((0..n).all(|i| (sum[i] - (2.0 * a[i] - 0.5 * b[i] + 0.25 * c[i])).abs() < 1e-15));
            let square = |i: usize| (sum[i] / (0.1 + 0.3 * b[i].abs().max(c[i].abs()))).powi(2);
            let expected = ((0..n).map(square).sum::<f64>() / n as f64).sqrt();
            let found = scaled_error(&[(1.0, sum.as_slice())], &b, &c, 0.1, 0.3);
            assert!((found - expected).abs() <= 1e-12 * expected);
            write_sum(&mut sum, &[]);
            assert!(sum.iter().all(|&v| v == 0.0));
            for bad in [f64::INFINITY, f64::NAN] {
                let mut y = c.clone();
                y[n / 2] = bad;
                assert!(scaled_error(&[(1.0, a.as_slice())], &b, &y, 0.1, 0.3).is_nan());
            }
        }
    }
}
