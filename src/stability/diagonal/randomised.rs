//! The randomised proof (theory 3.13 b): `lambda_max(T) < mu` by a Chebyshev recurrence on random vectors.
//!
//! With `2t(x) = alpha x + beta`, `p_0 = b`, `p_1 = t(T) b`, `p_(j+1) = 2t(T) p_j - p_(j-1)` and the exact recurrence perturbed by
//! errors `e_j`, an eigenvalue `lambda >= mu` with unit vector `v` has
//! `v'p_k = T_k(t) v'b + sum_j U_(k-j)(t) v'e_j` at `t = t(lambda) >= t(mu) > 1`. With `eta = acosh t(mu)`,
//! `U_(k-j)/T_k <= e^(-(j-1) eta)/sinh eta`, which falls with `t`, so that
//! `|p_k| >= T_k(t(mu)) (|v'b| - sum_j e^(-(j-1) eta) |e_j|/sinh eta)`. If some `|p_k|` is less than that with `theta` for
//! `|v'b|`, then `|v'b| < theta`, of which a Gaussian `b` has a probability of at most `theta sqrt(2/pi)`; `m` independent vectors
//! have its `m`-th power. That is a fact about each `k`, so that the recurrence may end at the first one that will do.

use ndarray::Array2;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::formed::SymmetricPart;
use crate::linalg;
use crate::linalg::rounding::{add_down, add_up, div_up, gamma, mul_down, mul_up, sub_down};

/// Vectors that are drawn.
pub(super) const DRAWS: usize = 4;
/// The overlap with an eigenvector that a vector is not expected to fall short of.
pub(super) const THETA: f64 = 1e-5;
/// Gaussians are computed from exponentials and cosines with an error of at most this part of the pair's length.
const GAUSSIAN_ERROR: f64 = 64.0 * f64::EPSILON;

/// An upper bound on the probability that a false claim is accepted.
pub(super) fn error_probability(theta: f64, draws: usize, attempts: usize) -> f64 {
    let one = mul_up(theta, (2.0 / std::f64::consts::PI).sqrt().next_up());
    (0..draws).fold(attempts as f64, |p, _| mul_up(p, one))
}

/// The ends of the spectrum as far as some Lanczos steps find them, from within.
pub(super) fn spectrum_ends(t: &SymmetricPart) -> Option<(f64, f64)> {
    const STEPS: usize = 30;
    let n = t.size();
    let mut random = ChaCha20Rng::seed_from_u64(2);
    let mut v: Vec<f64> = (0..n).map(|_| relative_uniform(&mut random) - 0.5).collect();
    let (mut before, mut image) = (vec![0.0; n], vec![0.0; n]);
    let mut projected = Array2::zeros((STEPS, STEPS));
    let (mut length, mut steps) = (norm_of(&v), 0);
    for k in 0..STEPS {
        if length.is_nan() || length <= 1e-200 {
            break;
        }
        v.iter_mut().for_each(|v| *v /= length);
        t.multiply::<1>(&v, &mut image);
        let own: f64 = v.iter().zip(&image).map(|(a, b)| a * b).sum();
        projected[[k, k]] = own;
        steps = k + 1;
        for ((next, v), before) in image.iter_mut().zip(&v).zip(&before) {
            *next -= own * v + if k > 0 { length * before } else { 0.0 };
        }
        let next_length = norm_of(&image);
        if k + 1 < STEPS && next_length > 1e-12 * own.abs() {
            projected[[k, k + 1]] = next_length;
            projected[[k + 1, k]] = next_length;
        } else {
            break;
        }
        std::mem::swap(&mut before, &mut v);
        std::mem::swap(&mut v, &mut image);
        length = next_length;
    }
    let values = linalg::eigvalsh(projected.slice(ndarray::s![..steps, ..steps])).ok()?;
    Some((*values.first()?, *values.last()?))
}

fn norm_of(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// What a randomised proof rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Draw {
    pub(super) theta: f64,
    pub(super) seed: u64,
}

/// Whether `lambda_max(T) < mu` is accepted: of a false claim with a probability of at most
/// `(theta sqrt(2/pi))^DRAWS` over the draws. `top` is near the largest eigenvalue, `steps` the most steps of the recurrence.
///
/// Returns the number of steps that it took.
pub(super) fn accepted(t: &SymmetricPart, mu: f64, top: f64, draw: Draw, steps: usize) -> Option<usize> {
    let (least, largest) = spectrum_ends(t)?;
    let spread = largest.max(top) - least;
    for widening in [0.02, 0.2] {
        let low = least - widening * spread;
        // What lies between `high` and `mu` grows, but less than what lies above `mu` would.
        let high = largest.max(top).min(mu - 0.25 * (mu - largest.max(top)).abs());
        match recurrence(t, mu, (low, high), draw, steps) {
            End::Accepted(steps) => return Some(steps),
            End::Grown => {}
            End::Refused => return None,
        }
    }
    None
}

enum End {
    Accepted(usize),
    /// The vectors grew by what lies below the interval.
    Grown,
    Refused,
}

fn recurrence(t: &SymmetricPart, mu: f64, (low, high): (f64, f64), draw: Draw, steps: usize) -> End {
    let n = t.size();
    let width = high - low;
    if !(width > 0.0 && width.is_finite() && high < mu) {
        return End::Refused;
    }
    // Two floating-point numbers, which define t exactly.
    let (alpha, beta) = (4.0 / width, -2.0 * (high + low) / width);
    let at_mu = 0.5 * add_down(mul_down(alpha, mu), beta);
    let above = sub_down(at_mu, 1.0);
    if !(above > 0.0 && above.is_finite()) {
        return End::Refused;
    }
    // Logarithms, roots and exponentials are accurate to a few units in the last place; far less is asked of them.
    let eta = (above + (above * (2.0 + above)).sqrt()).ln_1p() * (1.0 - 1e-13);
    let sinh = eta.sinh() * (1.0 - 1e-13);
    let norm = t.absolute_norm();
    if !norm.is_finite() {
        return End::Refused;
    }
    let of_step = gamma(2 * (t.fullest() + 8));
    let mut random = generator(t, draw.seed);
    let mut present: Vec<f64> = gaussians(&mut random, n * DRAWS);
    let mut before = vec![0.0; n * DRAWS];
    let mut image = vec![0.0; n * DRAWS];
    let mut length = lengths(&present);
    let mut length_before = [0.0; DRAWS];
    // Of the draws themselves, which are rounded Gaussians, in pairs of neighbouring vectors.
    let mut rounding = [mul_up(GAUSSIAN_ERROR, length.iter().fold(0.0, |sum, &l| add_up(sum, l))); DRAWS];
    // Twice what a true claim takes, since a false one never ends.
    let longest = length.iter().copied().fold(0.0, f64::max);
    let expected = 2.0 * (2.0 * longest / draw.theta).ln() / eta + 20.0;
    for k in 1..=steps.min(expected as usize) {
        t.multiply::<DRAWS>(&present, &mut image);
        let half = if k == 1 { 0.5 } else { 1.0 };
        let (a, b) = (half * alpha, half * beta);
        for ((next, p), q) in image.iter_mut().zip(&present).zip(&before) {
            *next = (a * *next + b * p) - q;
        }
        let decay = (-((k - 1) as f64) * eta).exp() * (1.0 + 1e-12);
        for c in 0..DRAWS {
            let size = add_up(mul_up(add_up(mul_up(alpha, norm), beta.abs()), length[c]), length_before[c]);
            let error = add_up(mul_up(of_step, size), 1e-250);
            rounding[c] = add_up(rounding[c], div_up(mul_up(decay, error), sinh));
        }
        std::mem::swap(&mut before, &mut present);
        std::mem::swap(&mut present, &mut image);
        length_before = length;
        length = lengths(&present);
        let grown = (k as f64 * eta).cosh() * (1.0 - 1e-11);
        let enough = |c: usize| length[c] < mul_down(grown, sub_down(draw.theta, rounding[c]));
        if (0..DRAWS).all(enough) {
            return End::Accepted(k);
        }
        if (0..DRAWS).any(|c| rounding[c] >= draw.theta || !length[c].is_finite()) {
            return End::Refused;
        }
        // Nothing between `low` and `high` grows, and beyond `high` less than by `grown`.
        if (0..DRAWS).any(|c| length[c] > 1e6 * (n as f64).sqrt() * grown) {
            return End::Grown;
        }
    }
    End::Refused
}

/// Upper bounds on the lengths of interleaved vectors.
fn lengths(x: &[f64]) -> [f64; DRAWS] {
    let mut sums = [0.0; DRAWS];
    for row in x.chunks_exact(DRAWS) {
        for (sum, v) in sums.iter_mut().zip(row) {
            *sum += v * v;
        }
    }
    // Squares below the normal range are covered by the last term.
    sums.map(|sum: f64| sum.sqrt() * (1.0 + gamma(2 * (x.len() / DRAWS + 8))) + 1e-140)
}

/// The generator for a matrix and a seed: drawn after the matrix is fixed, since it depends on it.
fn generator(t: &SymmetricPart, seed: u64) -> ChaCha20Rng {
    let mut key = [0; 32];
    for (part, word) in key.chunks_exact_mut(8).zip([seed, t.fingerprint(), t.size() as u64, t.entries() as u64]) {
        part.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha20Rng::from_seed(key)
}

/// A uniform number in `(0, 1)` with 53 significant bits, however small it is.
fn relative_uniform(random: &mut ChaCha20Rng) -> f64 {
    let mut scale = 1.0;
    loop {
        let bits = random.next_u64();
        if bits != 0 {
            // The leading one is where the uniform number lies; fresh bits fill its significand.
            let exponent = bits.leading_zeros() as i32 + 1;
            let significand = (random.next_u64() >> 12) as f64 + 0.5;
            return scale * (1.0 + significand / (1_u64 << 52) as f64) * 2f64.powi(-exponent);
        }
        scale *= 2f64.powi(-64);
    }
}

/// Standard Gaussians by Box and Muller, each within [`GAUSSIAN_ERROR`] times its pair's length of one of an exact sample.
fn gaussians(random: &mut ChaCha20Rng, count: usize) -> Vec<f64> {
    let mut all = Vec::with_capacity(count + 1);
    while all.len() < count {
        // An exponential of small relative error on either side: near 1 its logarithm is small.
        let upper_half = random.next_u64() & 1 == 1;
        let u = relative_uniform(random);
        let exponential = if upper_half { -(-0.5 * u).ln_1p() } else { std::f64::consts::LN_2 - u.ln() };
        let radius = (2.0 * exponential).sqrt();
        let angle = 2.0 * std::f64::consts::PI * relative_uniform(random);
        all.push(radius * angle.cos());
        all.push(radius * angle.sin());
    }
    all.truncate(count);
    all
}

/// A seed that nobody could foresee, from the keys that the standard library draws from the system for its hash maps.
pub(super) fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;
    use sprs::{CsMat, TriMat};

    use super::*;

    /// A symmetric matrix with the eigenvalue 1, exactly, and all others between -1 and 1/2.
    fn planted(n: usize) -> SymmetricPart {
        let mut w = TriMat::new((n, n));
        w.add_triplet(0, 1, 1.0);
        w.add_triplet(1, 0, 1.0);
        for i in 2..n {
            w.add_triplet(i, i, -1.0 + 1.5 * (i - 2) as f64 / n as f64);
        }
        let w: CsMat<f64> = w.to_csr();
        let ones = Array1::ones(n);
        SymmetricPart::new(&w, &w.to_csc().transpose_into(), &ones, &ones).expect("numbers near 1")
    }

    #[test]
    fn false_claims_are_accepted_no_more_often_than_the_bound_says() {
        // So large a theta that it happens; the planted eigenvalue alone lies above the interval.
        let (t, theta, trials) = (planted(10), 0.5, 4000);
        let accepted = (0..trials)
            .filter(|&seed| {
                let end = recurrence(&t, 1.0 - 1e-9, (-1.0, 0.5), Draw { theta, seed }, 1000);
                matches!(end, End::Accepted(_))
            })
            .count();
        let bound = error_probability(theta, DRAWS, 1);
        let (rate, deviation) = (accepted as f64 / trials as f64, (bound / trials as f64).sqrt());
        assert!(rate <= bound + 4.0 * deviation, "{rate} accepted, the bound is {bound}");
        // And not much less often, so that the test sees what it should.
        assert!(rate > 0.6 * bound, "{rate} accepted, the bound is {bound}");
    }

    #[test]
    fn claims_false_by_a_millionth_are_refused_and_true_ones_accepted() {
        let t = planted(500);
        for seed in 0..20 {
            let draw = Draw { theta: THETA, seed };
            for below in [1e-6, 1e-9, 1e-13, 0.1, 0.49] {
                assert_eq!(accepted(&t, 1.0 - below, 1.0, draw, 3000), None, "{below} too small");
                // Even where the interval ends well below the claim.
                let end = recurrence(&t, 1.0 - below, (-1.0, 0.5), draw, 3000);
                assert!(!matches!(end, End::Accepted(_)), "{below} too small");
            }
            for above in [1e-3, 1e-2, 0.1, 1.0] {
                let steps = accepted(&t, 1.0 + above, 1.0, draw, 3000);
                assert!(steps.is_some_and(|k| k < 2000), "{above} above: {steps:?} steps");
            }
        }
    }

    #[test]
    fn gaussians_have_their_moments() {
        let mut random = ChaCha20Rng::seed_from_u64(1);
        let all = gaussians(&mut random, 400_000);
        let moment = |k: i32| all.iter().map(|v| v.powi(k)).sum::<f64>() / all.len() as f64;
        for (k, expected) in [(1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0), (6, 15.0)] {
            assert!((moment(k) - expected).abs() < 0.01 * 4f64.powi(k / 2 + 1).min(40.0), "{k}: {}", moment(k));
        }
        let small = all.iter().filter(|v| v.abs() < 0.01).count() as f64 / all.len() as f64;
        assert!((small - 0.007979).abs() < 0.0006, "{small}");
        let uniform: Vec<f64> = (0..100_000).map(|_| relative_uniform(&mut random)).collect();
        let mean = uniform.iter().sum::<f64>() / uniform.len() as f64;
        assert!((mean - 0.5).abs() < 0.005 && uniform.iter().all(|&u| u > 0.0 && u < 1.0), "{mean}");
    }

    #[test]
    fn the_bound_on_the_probability_is_the_one_of_the_theory() {
        let p = error_probability(THETA, DRAWS, 1);
        assert!(p > 4.05e-21 && p < 4.06e-21, "{p:e}");
    }
}
