//! Certificates of regions: what is proved near one state where nothing is for all (theory 3.12).
//!
//! Where slopes have no bound, or the network has several stable states, no certificate holds on the whole space.
//! Around an exponentially stable equilibrium a *sector certificate* proves an ellipsoid to be invariant, with all of
//! its trajectories tending to one equilibrium at a known rate: for power laws, inhibition-stabilised states, and each
//! stable state of a bistable circuit.
//!
//! Let `x^` be the centre, a floating-point state near the equilibrium. For a state `x^ + e`, neuron `i` has the drive
//! `z_i + (W e)_i`, and its rate is off by `lambda_i (W e)_i`, with the slope `lambda_i` of a secant of its
//! activation. Where `|e|_P <= 1` these slopes are in `[c_i - h_i, c_i + h_i]`. If `sym(P T^{-1} (-I + Lambda W)) <=
//! -c P` for all of them, then `d|e|_P/dt <= -c |e|_P + |f(x^)|_P`, `f(x^)` being the flow at the centre. So
//!
//! - every ellipsoid `{|e|_P <= s}` with `|f(x^)|_P/c <= s <= 1` is invariant,
//! - all trajectories from the largest enter the smallest; within twice it, where the same inequality holds for the
//!   slopes themselves, they tend to each other at the rate `c`: so there is one equilibrium, and all reach it.
//!
//! The inequality for all slopes follows from one linear matrix inequality with positive multipliers `Q` (the
//! S-procedure), which is proved with all rounding errors accounted for.

mod proof;
mod search;
mod sector;

use std::fmt;

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, Data, Ix1};

use crate::Scalar;
use crate::check::finite_vector;
use crate::error::{Error, Result};
use crate::linalg::Lu;
use crate::linalg::decimal::{AtLeast, AtMost};
use crate::linalg::rounding::{add_up, gamma};
use crate::network::{Circuit, FiringRateNetwork, FormKind, HopfieldNetwork, neurons};
use crate::stability::local::{Linearisation, Tendency};
use sector::Sector;

/// Above this number of neurons the search takes minutes.
const LARGEST: usize = 1_000;

/// What a regional certificate is asked for.
///
/// ```
/// use ndarray::array;
/// use neuronash::activation::Tanh;
/// use neuronash::network::FiringRateNetwork;
/// use neuronash::stability::region::RegionOptions;
///
/// // At 0 the linearisation has the rate 0.5; half of it holds in a smaller region.
/// let net = FiringRateNetwork::builder(array![[0.5, -2.0], [2.0, 0.5]]).activation(Tanh::new()).build()?;
/// let fast = RegionOptions::default().rate(0.25).firing_rate(&net, &array![0.0, 0.0])?;
/// let large = net.certify_region(&array![0.0, 0.0])?;
/// assert!(fast.rate() == 0.25 && large.half_widths()[0] > fast.half_widths()[0]);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RegionOptions {
    rate: Option<f64>,
    activation_accuracy: Option<f64>,
}

impl RegionOptions {
    /// The rate of contraction, in units of 1/time, that the region shall have: above 0, and below the decay of the
    /// linearisation. A hundredth of that decay if not given, or more where
    /// rounding errors ask for it. The larger the rate, the smaller the region.
    #[must_use]
    pub fn rate(mut self, rate: f64) -> Self {
        self.rate = Some(rate);
        self
    }

    /// The assumed accuracy of computed activations, `|fl(phi(z)) - phi(z)| <= accuracy (|phi(z)| + rho |z|)` with
    /// `rho` the slopes nearby; 16 machine epsilons if not given.
    #[must_use]
    pub fn activation_accuracy(mut self, accuracy: f64) -> Self {
        self.activation_accuracy = Some(accuracy);
        self
    }

    /// As [`FiringRateNetwork::certify_region`], with these options.
    ///
    /// # Errors
    /// As there; options out of range.
    pub fn firing_rate<A: Scalar, S: Data<Elem = A>>(
        &self,
        network: &FiringRateNetwork<A>,
        x: &ArrayBase<S, Ix1>,
    ) -> Result<RegionCertificate> {
        finite_vector("x", x.view(), network.len())?;
        let residual = |x: &Array1<A>| network.residual(x);
        let x = polished(network.circuit(), FormKind::FiringRate, x.to_owned(), residual)?;
        self.prove(network.circuit(), FormKind::FiringRate, &x, &network.linearise(&x)?)
    }

    /// As [`HopfieldNetwork::certify_region`], with these options.
    ///
    /// # Errors
    /// As there; options out of range.
    pub fn hopfield<A: Scalar, S: Data<Elem = A>>(
        &self,
        network: &HopfieldNetwork<A>,
        y: &ArrayBase<S, Ix1>,
    ) -> Result<RegionCertificate> {
        finite_vector("y", y.view(), network.len())?;
        let residual = |y: &Array1<A>| network.residual(y);
        let y = polished(network.circuit(), FormKind::Hopfield, y.to_owned(), residual)?;
        self.prove(network.circuit(), FormKind::Hopfield, &y, &network.linearise(&y)?)
    }

    fn prove<A: Scalar>(
        &self,
        circuit: &Circuit<A>,
        form: FormKind,
        centre: &Array1<A>,
        local: &Linearisation<A>,
    ) -> Result<RegionCertificate> {
        /// Of the largest ellipsoid found, in the order in which they are tried.
        const SHARES: [f64; 7] = [1.0, 0.999, 0.99, 0.95, 0.8, 0.5, 0.1];

        let accuracy = self.accuracy::<A>()?;
        let sector = Sector::new(circuit, form, centre, accuracy)?;
        let refused =
            |why: &str| Error::NotCertified { reason: format!("no region was proved around the state: {why}") };
        let mut why = "the rate is too near the decay of the linearisation, or slopes nearby have no bound";
        for rate in self.rates_below(local)? {
            let Some(found) = search::largest(&sector, rate)? else { continue };
            why = "the region is not much larger than the rounding errors, or is lost in them";
            for share in SHARES {
                let scale = 1.0 / (share * share);
                let (p, q) = (&found.p * scale, &found.q * scale);
                if let Some(proved) = proof::prove(&sector, &p, &q, rate)? {
                    return Ok(RegionCertificate {
                        form,
                        centre: centre.mapv(Scalar::to_double),
                        shape: p,
                        multipliers: q,
                        rate,
                        activation_accuracy: accuracy,
                        offset: proved.offset,
                        half_widths: proved.half_widths,
                        drives: sector.drive.clone(),
                        drive_deviations: proved.drives,
                    });
                }
            }
        }
        Err(refused(why))
    }

    /// The rate asked for; or shares of the decay of the linearisation, the larger ones for regions in which rounding
    /// errors count.
    fn rates_below<A: Scalar>(&self, local: &Linearisation<A>) -> Result<Vec<f64>> {
        const SHARES: [f64; 3] = [0.01, 0.1, 0.4];
        let abscissa = local.spectral_abscissa().to_double();
        let refused = |why: String| Err(Error::NotCertified { reason: format!("no region around the state: {why}") });
        match local.tendency() {
            Tendency::Unstable => refused(format!("the linearisation is unstable (spectral abscissa {abscissa:.3e})")),
            Tendency::Marginal => refused(format!(
                "the linearisation is marginal (spectral abscissa {abscissa:.3e}): as on a continuum of equilibria (a ring or \
                 line attractor), no neighbourhood of the state is drawn to one equilibrium"
            )),
            Tendency::Stable => match self.rate {
                None => Ok(SHARES.map(|share| share * -abscissa).to_vec()),
                Some(rate) if rate > 0.0 && rate < -abscissa => Ok(vec![rate]),
                Some(rate) => {
                    let allowed = format!("rates above 0 and below {}, the decay of the linearisation", -abscissa);
                    Err(Error::invalid("rate", rate, allowed))
                }
            },
        }
    }

    fn accuracy<A: Scalar>(&self) -> Result<f64> {
        let accuracy = self.activation_accuracy.unwrap_or(16.0 * A::epsilon().to_double());
        if (0.0..0.25).contains(&accuracy) {
            Ok(accuracy)
        } else {
            Err(Error::invalid("activation_accuracy", accuracy, "numbers that are at least 0 and below 0.25"))
        }
    }
}

/// The state after a few steps of Newton's method, which must not lead far away.
fn polished<A: Scalar>(
    circuit: &Circuit<A>,
    form: FormKind,
    state: Array1<A>,
    residual: impl Fn(&Array1<A>) -> Result<Array1<A>>,
) -> Result<Array1<A>> {
    const STEPS: usize = 6;
    /// A residual above it, relative to the size of the state, is none of an equilibrium.
    const FAR: f64 = 1e-3;

    if circuit.len() > LARGEST {
        let allowed = format!("at most {LARGEST} neurons for a certificate of a region");
        return Err(Error::invalid("network", neurons(circuit.len()), allowed));
    }
    let norm = |r: &Array1<A>| r.iter().fold(0.0, |m: f64, v| m.max(v.to_double().abs()));
    let weights = circuit.weights.to_dense();
    let (mut best, mut rest) = (state.clone(), residual(&state)?);
    for _ in 0..STEPS {
        let mut slopes = match form {
            FormKind::FiringRate => circuit.weights.dot(best.view()) + &*circuit.input,
            FormKind::Hopfield => best.clone(),
        };
        circuit.slopes(slopes.view_mut());
        let slope = |i: usize, j: usize| if form == FormKind::FiringRate { slopes[i] } else { slopes[j] };
        let jacobian = Array2::from_shape_fn(weights.dim(), |(i, j)| {
            if i == j { A::one() - slope(i, j) * weights[[i, j]] } else { -slope(i, j) * weights[[i, j]] }
        });
        let Ok(step) = Lu::new(jacobian.view(), "Newton step").solve_vec(rest.view()) else { break };
        let next = &best - &step;
        let left = residual(&next)?;
        if norm(&left).partial_cmp(&norm(&rest)) != Some(std::cmp::Ordering::Less) {
            break;
        }
        (best, rest) = (next, left);
    }
    let (moved, size) = (norm(&(&best - &state)), norm(&state).max(norm(&best)).max(1.0));
    if norm(&rest) > FAR * size || moved > 0.1 * size {
        let argument = if form == FormKind::FiringRate { "x" } else { "y" };
        let value = format!("a state with residuals up to {:.3e}", norm(&residual(&state)?));
        return Err(Error::invalid(
            argument,
            value,
            "states near an equilibrium, as `equilibrium().solve()` finds them",
        ));
    }
    Ok(best)
}

impl<A: Scalar> FiringRateNetwork<A> {
    /// Proves a region of rates around an exponentially stable equilibrium `x`, shape `[n]`: an ellipsoid that is
    /// invariant, and from all of which the network reaches one equilibrium (theory 3.12).
    ///
    /// It needs no bounds on slopes beyond the region, so it holds for power laws, inhibition-stabilised states and
    /// each stable state of several. The ellipsoid is as large as the search makes it; some seconds for 100 neurons.
    /// `x` may be off by what a few steps of Newton's method put right.
    ///
    /// # Errors
    /// Rates of the wrong length, not finite, or not near an equilibrium; [`Error::NotCertified`] for an equilibrium
    /// that is not exponentially stable, as all of a continuum are, or for which no proof is found; activations whose
    /// slopes nearby are not known for certain; more than 1,000 neurons.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::{PowerLaw, Scaled};
    /// use neuronash::network::FiringRateNetwork;
    ///
    /// // A supralinear network that its inhibition stabilises at this input: the slope of E times 1.25 is 2.5.
    /// let net = FiringRateNetwork::builder(array![[1.25, -0.65], [1.2, -0.5]])
    ///     .activation(Scaled::new(PowerLaw::new(2.0)?).with_amplitude(0.3)?)
    ///     .time_constants(&array![20.0, 10.0])
    ///     .input(&array![2.0, 2.0])
    ///     .build()?;
    /// assert!(net.certify().is_err()); // its slopes have no bound
    /// let region = net.certify_region(&array![3.2609, 4.2757])?;
    /// assert!(region.contains(&array![3.5, 4.5])?);
    /// // From there the distance falls at this rate, in 1/ms, or faster.
    /// assert!(region.rate() > 1e-4);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn certify_region<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<RegionCertificate> {
        RegionOptions::default().firing_rate(self, x)
    }

    /// Proves a regional certificate again for this network, without trusting where it came from.
    ///
    /// # Errors
    /// [`Error::NotProved`] if it does not hold for this network and its input, or cannot be proved in `f64`.
    pub fn verify_region(&self, region: &RegionCertificate) -> Result<()> {
        region.verify(self.circuit(), FormKind::FiringRate)
    }
}

impl<A: Scalar> HopfieldNetwork<A> {
    /// Proves a region of potentials around an exponentially stable equilibrium `y`, shape `[n]`; otherwise as
    /// [`FiringRateNetwork::certify_region`].
    ///
    /// # Errors
    /// As there.
    pub fn certify_region<S: Data<Elem = A>>(&self, y: &ArrayBase<S, Ix1>) -> Result<RegionCertificate> {
        RegionOptions::default().hopfield(self, y)
    }

    /// Proves a regional certificate again for this network, without trusting where it came from.
    ///
    /// # Errors
    /// [`Error::NotProved`] if it does not hold for this network and its input, or cannot be proved in `f64`.
    pub fn verify_region(&self, region: &RegionCertificate) -> Result<()> {
        region.verify(self.circuit(), FormKind::Hopfield)
    }
}

/// An ellipsoid `{x^ + e : e'P e <= 1}` of states that is proved invariant, with one equilibrium, which all of its
/// trajectories reach (theory 3.12).
///
/// The norm `|e|_P = (e'P e)^{1/2}` counts in units of the region: it is 1 on its boundary. From any state of the
/// region `|x(t) - x^|_P <= e^{-c t} |x(0) - x^|_P + offset`, where the [`offset`](Self::offset) bounds the distance
/// of the equilibrium from the centre. It holds for the network and the input that it was made for.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RegionCertificate {
    form: FormKind,
    centre: Array1<f64>,
    shape: Array2<f64>,
    multipliers: Array1<f64>,
    rate: f64,
    activation_accuracy: f64,
    offset: f64,
    half_widths: Array1<f64>,
    drives: Array1<f64>,
    drive_deviations: Array1<f64>,
}

impl RegionCertificate {
    /// The centre `x^`, shape `[n]`: rates, or the potentials of a Hopfield network.
    pub fn centre(&self) -> ArrayView1<'_, f64> {
        self.centre.view()
    }

    /// The matrix `P` of the ellipsoid, shape `[n, n]`.
    pub fn shape(&self) -> ArrayView2<'_, f64> {
        self.shape.view()
    }

    /// The rate `c` at which distances from the equilibrium fall, in units of 1/time.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// How far the one equilibrium of the region can be from the centre, in the norm of `P`.
    pub fn offset(&self) -> f64 {
        self.offset
    }

    /// How far the rate or potential of each neuron of the one equilibrium can be from the centre, shape `[n]`.
    pub fn equilibrium_error(&self) -> Array1<f64> {
        self.half_widths.mapv(|w| crate::linalg::rounding::mul_up(w, self.offset))
    }

    /// The largest deviation of each neuron from the centre within the region, shape `[n]`, rounded up.
    pub fn half_widths(&self) -> ArrayView1<'_, f64> {
        self.half_widths.view()
    }

    /// How far each neuron alone can be moved from the centre while the others stay there, `P_ii^{-1/2}`, shape `[n]`.
    pub fn single_displacements(&self) -> Array1<f64> {
        self.shape.diag().mapv(|v| 1.0 / v.sqrt())
    }

    /// The drives of each neuron within the region, from the lowest to the highest, shape `[n]` each: bounds.
    pub fn drives(&self) -> (Array1<f64>, Array1<f64>) {
        (&self.drives - &self.drive_deviations, &self.drives + &self.drive_deviations)
    }

    /// `|x - x^|_P`, rounded up: at most 1 in the region.
    ///
    /// # Errors
    /// A state of the wrong length or not finite.
    pub fn distance<A: Scalar, S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<f64> {
        finite_vector("x", x.view(), self.centre.len())?;
        let e: Array1<f64> = x.iter().zip(&self.centre).map(|(x, c)| x.to_double() - c).collect();
        let size = e.mapv(f64::abs);
        let rounding = gamma(4 * e.len() + 32);
        let square = e.dot(&self.shape.dot(&e)) + rounding * size.dot(&self.shape.mapv(f64::abs).dot(&size));
        Ok((square + sector::UNDERFLOW).sqrt().next_up())
    }

    /// Whether a state is proved to lie in the region.
    ///
    /// # Errors
    /// A state of the wrong length or not finite.
    pub fn contains<A: Scalar, S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<bool> {
        Ok(self.distance(x)? <= 1.0)
    }

    /// A bound on the distance from the centre after a time `t >= 0`, in the norm of `P`, for a start `x` in the
    /// region; infinite outside.
    ///
    /// # Errors
    /// A state of the wrong length or not finite.
    pub fn envelope<A: Scalar, S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>, t: f64) -> Result<f64> {
        let start = self.distance(x)?;
        if !(start <= 1.0 && t >= 0.0) {
            return Ok(f64::INFINITY);
        }
        Ok(add_up((-self.rate * t).exp() * start * (1.0 + 8.0 * f64::EPSILON), self.offset))
    }

    fn verify<A: Scalar>(&self, circuit: &Circuit<A>, form: FormKind) -> Result<()> {
        let n = circuit.len();
        let refused = |reason: &str| Error::NotProved { reason: reason.into() };
        let fits =
            self.form == form && self.centre.len() == n && self.shape.dim() == (n, n) && self.multipliers.len() == n;
        let numbers = self.centre.iter().chain(&self.shape).chain(&self.multipliers).all(|v| v.is_finite());
        let symmetric = self.shape == self.shape.t();
        let positive = self.rate > 0.0 && self.multipliers.iter().all(|&q| q > 0.0);
        let accuracy = self.activation_accuracy >= 0.0 && self.activation_accuracy < 0.25;
        if !(fits && numbers && symmetric && positive && accuracy) {
            return Err(refused("the region is none of a network with this many neurons in this form"));
        }
        let centre = self.centre.mapv(A::of);
        if centre.iter().zip(&self.centre).any(|(a, c)| a.to_double() != *c) {
            return Err(refused("the centre of the region is no state in this precision"));
        }
        let sector = Sector::new(circuit, form, &centre, self.activation_accuracy)?;
        match proof::prove(&sector, &self.shape, &self.multipliers, self.rate)? {
            Some(proved)
                if proved.offset <= self.offset
                    && proved.half_widths == self.half_widths
                    && proved.drives == self.drive_deviations
                    && sector.drive == self.drives =>
            {
                Ok(())
            }
            _ => Err(refused("the region is not proved for this network and its input")),
        }
    }
}

impl fmt::Display for RegionCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.half_widths.iter().copied().fold(0.0, f64::max);
        let alone = self.single_displacements().iter().copied().fold(f64::INFINITY, f64::min);
        write!(f, "region of {}: invariant, with one equilibrium, reached ", neurons(self.centre.len()))?;
        write!(f, "at rate {:.3e} or faster; half-widths up to {:.3e}, ", AtLeast(self.rate), AtMost(widest))?;
        write!(f, "any neuron alone may be off by {alone:.3e}")
    }
}
