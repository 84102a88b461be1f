//! Noise: how rates fluctuate around an equilibrium (theory 3.15).
//!
//! Noise of small amplitude moves a network as its linearisation `J` says: the covariance solves a Lyapunov equation,
//! and the power spectra follow from the resolvent of `J`. A path of the nonlinear network by Euler and Maruyama's
//! method tells how far that goes.

use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix1, s};
use num_complex::Complex;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Scalar;
use crate::check::finite_vector;
use crate::error::{Error, Result};
use crate::linalg::half_plane::lyapunov_solution;
use crate::linalg::{Lu, product};
use crate::network::FiringRateNetwork;
use crate::stability::local::{Linearisation, Tendency, fits_densely};

/// Noise that drives a firing-rate network, `T x' = -x + Phi(W x + u) + xi`, independent for each neuron.
///
/// ```
/// use ndarray::array;
/// use neuronash::stability::noise::Noise;
///
/// let white = Noise::white(&array![0.1, 0.2])?;
/// let slow = Noise::ornstein_uhlenbeck(&array![0.1, 0.2], 50.0)?;
/// assert!(Noise::white(&array![-0.1]).is_err() && white != slow);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Noise {
    /// The intensity of white noise, or the standard deviation of the other.
    sizes: Array1<f64>,
    /// The correlation time; none for white noise.
    correlation_time: Option<f64>,
}

impl Noise {
    /// White noise, `xi dt = sigma dB`: intensities `sigma >= 0`, shape `[n]`, in units of rate times the square root
    /// of time.
    ///
    /// # Errors
    /// Unless all are finite and at least 0.
    pub fn white<A: Scalar, S: Data<Elem = A>>(sigma: &ArrayBase<S, Ix1>) -> Result<Self> {
        Ok(Self { sizes: sizes("sigma", sigma)?, correlation_time: None })
    }

    /// Ornstein-Uhlenbeck noise, `tau dxi = -xi dt + sqrt(2 tau) s dB`: standard deviations `s >= 0`, shape `[n]`, in
    /// units of rate, and one correlation time `tau > 0`.
    ///
    /// # Errors
    /// Unless all are finite and in that range.
    pub fn ornstein_uhlenbeck<A: Scalar, S: Data<Elem = A>>(
        deviations: &ArrayBase<S, Ix1>,
        correlation_time: f64,
    ) -> Result<Self> {
        if !(correlation_time.is_finite() && correlation_time > 0.0) {
            return Err(Error::invalid("correlation_time", correlation_time, "finite numbers above 0"));
        }
        Ok(Self { sizes: sizes("deviations", deviations)?, correlation_time: Some(correlation_time) })
    }

    fn fits(&self, n: usize) -> Result<()> {
        finite_vector("noise", self.sizes.view(), n)
    }
}

fn sizes<A: Scalar, S: Data<Elem = A>>(argument: &str, values: &ArrayBase<S, Ix1>) -> Result<Array1<f64>> {
    finite_vector(argument, values.view(), values.len())?;
    match values.iter().find(|v| **v < A::zero()) {
        Some(v) => Err(Error::invalid(argument, v, "finite numbers that are at least 0")),
        None => Ok(values.mapv(Scalar::to_double)),
    }
}

/// Fluctuations around an equilibrium, to first order in the noise.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fluctuations {
    jacobian: Array2<f64>,
    time_constants: Array1<f64>,
    noise: Noise,
    covariance: Array2<f64>,
}

impl<A: Scalar> FiringRateNetwork<A> {
    /// How the rates fluctuate around the exponentially stable equilibrium `x`, shape `[n]`, to first order in the
    /// noise: with `J` the linearisation there and `Q = diag(sigma_i^2/tau_i^2)`, the covariance `C` solves `J C + C
    /// J' + Q = 0` (theory 3.15). Computed, not proved.
    ///
    /// # Errors
    /// Rates or noise of another length or not finite; [`Error::NotCertified`] unless the linearisation is stable and
    /// no neuron at a kink; more than 20,000 neurons.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Identity;
    /// use neuronash::network::FiringRateNetwork;
    /// use neuronash::stability::noise::Noise;
    ///
    /// // One leaky neuron: variance sigma^2 / (2 tau (1 - w)).
    /// let net = FiringRateNetwork::builder(array![[0.5]]).activation(Identity).time_constants(&array![10.0]).build()?;
    /// let around = net.fluctuations(&array![0.0], &Noise::white(&array![2.0])?)?;
    /// assert!((around.covariance()[[0, 0]] - 0.4).abs() < 1e-12);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn fluctuations<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>, noise: &Noise) -> Result<Fluctuations> {
        finite_vector("x", x.view(), self.len())?;
        noise.fits(self.len())?;
        fits_densely(self.len(), "a covariance")?;
        let local = self.linearise(x)?;
        if !local.is_stable() {
            return Err(Error::NotCertified { reason: why_not(&local) });
        }
        let weights = self.weights().to_dense().mapv(Scalar::to_double);
        let slopes = local.slopes().mapv(Scalar::to_double);
        let time_constants = self.time_constants().mapv(Scalar::to_double);
        let jacobian = Array2::from_shape_fn(weights.dim(), |(i, j)| {
            (slopes[i] * weights[[i, j]] - if i == j { 1.0 } else { 0.0 }) / time_constants[i]
        });
        let covariance = covariance(&jacobian, &time_constants, noise).ok_or_else(|| Error::NotCertified {
            reason: "the Lyapunov equation of the covariance is too near singular".into(),
        })?;
        Ok(Fluctuations { jacobian, time_constants, noise: noise.clone(), covariance })
    }

    /// One path of `T dx = (-x + Phi(W x + u)) dt + noise`, by Euler and Maruyama's method with a fixed step: the
    /// states at the times `0, step, ..., count step`, shape `[count + 1, n]`. Ornstein-Uhlenbeck noise is drawn from
    /// its exact transition, and starts stationary. The same seed gives the same path.
    ///
    /// The method is of strong order 1 in the step, since the noise does not depend on the state; steps must be well
    /// below the shortest time constant.
    ///
    /// # Errors
    /// A start or noise of another length or not finite; a step that is not positive, or not below the shortest time
    /// constant; a path that leaves the range of numbers.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Tanh;
    /// use neuronash::network::FiringRateNetwork;
    /// use neuronash::stability::noise::Noise;
    ///
    /// let net = FiringRateNetwork::builder(array![[0.0, -2.0], [2.0, 0.0]]).activation(Tanh::new()).build()?;
    /// let path = net.noisy_path(&array![1.0, 0.0], &Noise::white(&array![0.1, 0.1])?, 0.01, 1000, 7)?;
    /// assert_eq!(path.dim(), (1001, 2));
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn noisy_path<S: Data<Elem = A>>(
        &self,
        start: &ArrayBase<S, Ix1>,
        noise: &Noise,
        step: f64,
        count: usize,
        seed: u64,
    ) -> Result<Array2<A>> {
        finite_vector("start", start.view(), self.len())?;
        noise.fits(self.len())?;
        let shortest = self.time_constants().iter().fold(f64::INFINITY, |m, t| m.min(t.to_double()));
        if !(step > 0.0 && step < shortest) {
            let allowed = format!("numbers above 0 and below the shortest time constant, {shortest}");
            return Err(Error::invalid("step", step, allowed));
        }
        let mut normal = Normal::new(seed);
        let mut coloured = noise.sizes.mapv(|s| s * normal.draw());
        let kept = noise.correlation_time.map(|tau| (-step / tau).exp());
        let mut path = Array2::zeros((count + 1, self.len()));
        let mut x = start.to_owned();
        path.row_mut(0).assign(&x);
        for k in 1..=count {
            let residual = self.residual(&x)?;
            for i in 0..self.len() {
                let tau = self.circuit().time_constants()[i].to_double();
                let push = match kept {
                    None => noise.sizes[i] * step.sqrt() * normal.draw(),
                    Some(_) => coloured[i] * step,
                };
                x[i] += A::of((push - residual[i].to_double() * step) / tau);
            }
            if let Some(kept) = kept {
                let fresh = (1.0 - kept * kept).sqrt();
                coloured.zip_mut_with(&noise.sizes, |c, s| *c = kept * *c + fresh * s * normal.draw());
            }
            finite_vector("path", x.view(), self.len())?;
            path.row_mut(k).assign(&x);
        }
        Ok(path)
    }
}

fn why_not<A: Scalar>(local: &Linearisation<A>) -> String {
    match local.tendency() {
        Tendency::Stable => "a neuron is at a kink of its activation, where there is no linearisation".into(),
        _ => format!("the linearisation is not stable: {local}"),
    }
}

/// The covariance of the rates; that of the noise and the rates together if the noise has a memory.
fn covariance(jacobian: &Array2<f64>, time_constants: &Array1<f64>, noise: &Noise) -> Option<Array2<f64>> {
    let n = jacobian.nrows();
    let squares = &noise.sizes * &noise.sizes;
    match noise.correlation_time {
        None => {
            let q = Array2::from_diag(&(squares / (time_constants * time_constants)));
            lyapunov_solution(jacobian.t(), q.view())
        }
        Some(tau) => {
            let mut extended = Array2::zeros((2 * n, 2 * n));
            extended.slice_mut(s![..n, ..n]).assign(jacobian);
            let mut q = Array2::zeros((2 * n, 2 * n));
            for i in 0..n {
                extended[[i, n + i]] = 1.0 / time_constants[i];
                extended[[n + i, n + i]] = -1.0 / tau;
                q[[n + i, n + i]] = 2.0 * squares[i] / tau;
            }
            Some(lyapunov_solution(extended.t(), q.view())?.slice(s![..n, ..n]).to_owned())
        }
    }
}

impl Fluctuations {
    /// The covariance of the rates, shape `[n, n]`.
    pub fn covariance(&self) -> ArrayView2<'_, f64> {
        self.covariance.view()
    }

    /// The cross-spectral density `(i w - J)^{-1} Q(w) (i w - J)^{-*}` at the angular frequency `w`, shape `[n, n]`;
    /// its integral over all `w` is `2 pi` times the covariance. The power spectra are its diagonal.
    ///
    /// `Q(w) = diag(sigma_i^2/tau_i^2)` for white noise, `diag(2 tau s_i^2/(1 + w^2 tau^2)/tau_i^2)` for
    /// Ornstein-Uhlenbeck noise.
    ///
    /// # Errors
    /// A frequency that is not finite, or at which the resolvent is too near singular.
    pub fn spectrum(&self, frequency: f64) -> Result<Array2<Complex<f64>>> {
        if !frequency.is_finite() {
            return Err(Error::NonFinite { argument: "frequency".into(), index: vec![], value: frequency });
        }
        let n = self.jacobian.nrows();
        // The real form of (i w - J)(X + i Y) = B.
        let mut system = Array2::zeros((2 * n, 2 * n));
        system.slice_mut(s![..n, ..n]).assign(&-&self.jacobian);
        system.slice_mut(s![n.., n..]).assign(&-&self.jacobian);
        let mut right = Array2::zeros((2 * n, n));
        for i in 0..n {
            (system[[i, n + i]], system[[n + i, i]]) = (-frequency, frequency);
            right[[i, i]] = self.noise_amplitude(i, frequency);
        }
        let solved = Lu::new(system.view(), "resolvent").solve(right.view())?;
        let (re, im) = (solved.slice(s![..n, ..]), solved.slice(s![n.., ..]));
        let real = product(re, re.t()) + product(im, im.t());
        let imaginary = product(im, re.t()) - product(re, im.t());
        Ok(Array2::from_shape_fn((n, n), |(i, j)| Complex::new(real[[i, j]], imaginary[[i, j]])))
    }

    /// The root of `Q_ii(w)`.
    fn noise_amplitude(&self, i: usize, frequency: f64) -> f64 {
        let colour = match self.noise.correlation_time {
            None => 1.0,
            Some(tau) => (2.0 * tau).sqrt() / 1f64.hypot(frequency * tau),
        };
        colour * self.noise.sizes[i] / self.time_constants[i]
    }
}

/// Standard normal numbers by Box and Muller's method.
struct Normal {
    random: ChaCha8Rng,
    spare: Option<f64>,
}

impl Normal {
    fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), spare: None }
    }

    fn draw(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let (radius, angle): (f64, f64) = (1.0 - self.random.random::<f64>(), self.random.random::<f64>());
        let (sine, cosine) = (std::f64::consts::TAU * angle).sin_cos();
        let length = (-2.0 * radius.ln()).sqrt();
        self.spare = Some(length * sine);
        length * cosine
    }
}
