//! Fluctuations against closed forms of a pair, integrals of spectra and long simulations.

use ndarray::{Array1, Array2, array};
use neuronash::Scalar;
use neuronash::activation::{Identity, PowerLaw, Relu, Scaled};
use neuronash::network::FiringRateNetwork;
use neuronash::stability::noise::Noise;

/// Two neurons that rotate: `x' = -x - b y`, `y' = b x - y`.
fn pair<A: Scalar>(b: f64) -> FiringRateNetwork<A> {
    let b = A::of(b);
    FiringRateNetwork::builder(array![[A::zero(), -b], [b, A::zero()]]).activation(Identity).build().unwrap()
}

#[test]
fn a_rotating_pair_has_its_closed_forms() {
    fn check<A: Scalar>() {
        let (b, sigma) = (3.0, 0.5);
        let noise = Noise::white(&array![A::of(sigma), A::of(sigma)]).unwrap();
        let around = pair::<A>(b).fluctuations(&Array1::zeros(2), &noise).unwrap();
        // C = sigma^2/2 I, and the spectrum sigma^2 (1 + b^2 + w^2)/((1 + b^2 - w^2)^2 + 4 w^2) of either.
        let expected = Array2::<f64>::eye(2) * (sigma * sigma / 2.0);
        assert!((&around.covariance() - &expected).iter().all(|e| e.abs() < 1e-14));
        for w in [0.0, 1.0, 3.0, 10.0] {
            let square: f64 = 1.0 + b * b;
            let power = sigma * sigma * (square + w * w) / ((square - w * w).powi(2) + 4.0 * w * w);
            let spectrum = around.spectrum(w).unwrap();
            for i in 0..2 {
                assert!((spectrum[[i, i]].re - power).abs() < 1e-12 * power && spectrum[[i, i]].im.abs() < 1e-15);
            }
            assert!((spectrum[[0, 1]] - spectrum[[1, 0]].conj()).norm() < 1e-14);
        }
    }
    check::<f64>();
    check::<f32>();
}

#[test]
fn coloured_noise_through_one_neuron_has_its_closed_form() {
    // Two filters in a row: s^2 tau_n/((1 - w)(tau + (1 - w) tau_n)) for x' = (-(1 - w) x + xi)/tau.
    let (w, tau, correlation, s) = (0.5, 10.0, 4.0, 0.3);
    let net =
        FiringRateNetwork::builder(array![[w]]).activation(Identity).time_constants(&array![tau]).build().unwrap();
    let noise = Noise::ornstein_uhlenbeck(&array![s], correlation).unwrap();
    let around = net.fluctuations(&array![0.0], &noise).unwrap();
    let leak = 1.0 - w;
    let expected = s * s * correlation / (leak * (tau + leak * correlation));
    assert!((around.covariance()[[0, 0]] - expected).abs() < 1e-13, "{}", around.covariance());
}

fn supralinear() -> (FiringRateNetwork<f64>, Array1<f64>) {
    let net = FiringRateNetwork::builder(array![[1.25, -0.65], [1.2, -0.5]])
        .activation(Scaled::new(PowerLaw::new(2.0).unwrap()).with_amplitude(0.3).unwrap())
        .time_constants(&array![20.0, 10.0])
        .input(&array![5.0, 5.0])
        .build()
        .unwrap();
    let x = net.equilibrium().initial(&array![8.454, 15.783]).solve().unwrap().into_state();
    (net, x)
}

#[test]
fn covariances_are_the_integrals_of_their_spectra_and_those_of_long_paths() {
    let (net, x) = supralinear();
    for noise in [Noise::white(&array![0.4, 0.2]).unwrap(), Noise::ornstein_uhlenbeck(&array![0.2, 0.1], 15.0).unwrap()]
    {
        let around = net.fluctuations(&x, &noise).unwrap();
        let c = around.covariance();
        // The trapezoidal rule with w = tan(a)/10.
        let count = 2000;
        let mut integral = Array2::<f64>::zeros((2, 2));
        for k in -count + 1..count {
            let a = std::f64::consts::FRAC_PI_2 * f64::from(k) / f64::from(count);
            let weight = 0.1 / a.cos().powi(2) * std::f64::consts::FRAC_PI_2 / f64::from(count);
            integral += &around.spectrum(0.1 * a.tan()).unwrap().mapv(|v| v.re * weight / std::f64::consts::TAU);
        }
        assert!((&integral - &c).iter().all(|e| e.abs() < 3e-3 * c[[1, 1]]), "{integral}\n{c}");

        let path = net.noisy_path(&x, &noise, 0.5, 400_000, 3).unwrap();
        assert_eq!(path, net.noisy_path(&x, &noise, 0.5, 400_000, 3).unwrap());
        let mean = path.mean_axis(ndarray::Axis(0)).unwrap();
        let centred = &path - &mean;
        let sampled = centred.t().dot(&centred) / path.nrows() as f64;
        for (s, c) in sampled.iter().zip(&c) {
            assert!((s - c).abs() < 0.1 * around.covariance()[[1, 1]], "{sampled}\n{}", around.covariance());
        }
    }
}

#[test]
fn noise_around_what_is_not_stable_is_refused() {
    let net = pair::<f64>(1.0);
    let noise = Noise::white(&array![1.0, 1.0]).unwrap();
    assert!(net.fluctuations(&array![0.0], &noise).is_err());
    assert!(net.fluctuations(&array![0.0, 0.0], &Noise::white(&array![1.0]).unwrap()).is_err());
    assert!(net.noisy_path(&array![0.0, 0.0], &noise, 1.5, 10, 0).unwrap_err().to_string().contains("`step`"));
    let wild = FiringRateNetwork::builder(array![[2.0]]).activation(Identity).build().unwrap();
    let one = Noise::white(&array![1.0]).unwrap();
    assert!(wild.fluctuations(&array![0.0], &one).unwrap_err().to_string().contains("not stable"));
    let kink = FiringRateNetwork::builder(array![[0.5]]).activation(Relu).build().unwrap();
    assert!(kink.fluctuations(&array![0.0], &one).unwrap_err().to_string().contains("kink"));
    assert!(Noise::ornstein_uhlenbeck(&array![1.0], 0.0).is_err());
}
