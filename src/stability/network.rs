//! Certificates of networks: Lyapunov diagonal stability of `W - R^{-1}` (theory 3.2).

use std::fmt;

use ndarray::{Array1, ArrayBase, ArrayView1, Data, Ix1};

use super::diagonal::{self, Certifier, Gain, Margin, Refutation, Undecided, Verdict};
use super::{self as stability, Condition, Implication, IntoSubject, Subject};
use crate::Scalar;
#[cfg(feature = "serde")]
use crate::check::positive_vector;
use crate::error::{Error, Result};
use crate::linalg::decimal::AtLeast;
use crate::linalg::magnitude::{Magnitude, weighted_norm};
use crate::network::{Circuit, Form, Network, neurons};

const NEED: &str = "a stability certificate";

impl<A: Scalar, F: Form> Network<A, F> {
    /// Decides whether `W - R^{-1}` is Lyapunov diagonally stable, `R = diag(rho)` with the slope bounds of the
    /// activations.
    ///
    /// If it is, the network has one equilibrium for every input and reaches it from every state, at a
    /// guaranteed rate (theory 2.3, 3.2, 3.3). Decided by [`diagonal::certify`], which takes a few products by `W` for large
    /// sparse weights.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded, or known from samples only, or all zero.
    pub fn certify(&self) -> Result<NetworkVerdict> {
        self.certify_with(&Certifier::default())
    }

    /// As [`certify`](Self::certify), with the limits, the threads and the observer of a [`Certifier`].
    ///
    /// # Errors
    /// As [`certify`](Self::certify).
    ///
    /// ```
    /// use std::time::Duration;
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::network::FiringRateNetwork;
    /// use neuronash::stability::diagonal::Certifier;
    /// let net = FiringRateNetwork::builder(array![[0.5, -4.0], [3.0, 0.0]]).activation(Relu).build()?;
    /// let certifier = Certifier::builder().time_limit(Duration::from_secs(10)).build()?;
    /// assert!(net.certify_with(&certifier)?.is_stable());
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn certify_with(&self, certifier: &Certifier) -> Result<NetworkVerdict> {
        NetworkVerdict::of_matrix(&self.circuit, certifier.certify(self)?)
    }

    /// Proves that the weights `d > 0`, shape `[n]`, certify `W - R^{-1}`, with a margin near the largest that they have.
    /// They are kept up to a power of two common to all.
    ///
    /// # Errors
    /// [`Error::NotProved`] if they do not certify it, or it cannot be proved in `f64`; [`Error::NotCertified`] if no
    /// margin above 0 can be proved for them; [`Error::Shape`], [`Error::NonFinite`] and [`Error::Invalid`] unless there is
    /// one finite positive weight per neuron; an activation whose slopes are unbounded, or known from samples only, or all zero.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::network::FiringRateNetwork;
    /// let net = FiringRateNetwork::builder(array![[0.5, -4.0], [2.0, 0.0]]).activation(Relu).build()?;
    /// // The coupling cancels: 2 times -4 and 4 times 2.
    /// let certificate = net.certify_weights(&array![2.0, 4.0])?;
    /// assert!(certificate.margin() > 0.499 && net.verify(&certificate).is_ok());
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn certify_weights<B: Scalar, S: Data<Elem = B>>(&self, d: &ArrayBase<S, Ix1>) -> Result<NetworkCertificate> {
        NetworkCertificate::of_weights(&self.circuit, d)
    }

    /// The stability margin `delta*(W - R^{-1}; R)` (theory 3.3), bounded from both sides: positive iff the network is Lyapunov
    /// diagonally stable. As [`diagonal::margin()`]: to 1e-9 relative for dense weights and up to 1,000 neurons, else in linear
    /// time and less close.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded, or known from samples only, or all zero.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::network::FiringRateNetwork;
    /// let net = FiringRateNetwork::builder(array![[0.5, -4.0], [3.0, 0.0]]).activation(Relu).build()?;
    /// let margin = net.margin()?;
    /// assert!(margin.lower() <= 0.5 && 0.5 <= margin.upper());
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn margin(&self) -> Result<Margin> {
        self.margin_with(&Certifier::default())
    }

    /// As [`margin`](Self::margin), to the tolerance and with the limits of a [`Certifier`].
    ///
    /// # Errors
    /// As [`margin`](Self::margin).
    pub fn margin_with(&self, certifier: &Certifier) -> Result<Margin> {
        certifier.margin(self)
    }

    /// The largest gain `g` for which the network with the weights `g W` is diagonally stable, bounded as the
    /// [`margin`](Self::margin). That of a [`Certifier`] is `margin_with(&certifier)?.max_gain()`.
    ///
    /// # Errors
    /// As [`margin`](Self::margin).
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Tanh;
    /// use neuronash::network::FiringRateNetwork;
    /// let net = FiringRateNetwork::builder(array![[0.5, -3.0], [2.0, 0.0]]).activation(Tanh::new()).build()?;
    /// let gain = net.max_gain()?;
    /// assert!(gain.lower() <= 2.0 && 2.0 <= gain.upper());
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn max_gain(&self) -> Result<Gain> {
        Ok(self.margin()?.max_gain())
    }

    /// What a margin of this network decides about it, without another search: a certificate whose own margin, on which
    /// rates and error bounds rest, is at least nine tenths of the best where rounding errors leave so much.
    ///
    /// # Errors
    /// As [`margin`](Self::margin); [`Error::NotProved`] for a margin that cannot be one of this network.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::network::FiringRateNetwork;
    /// let w = array![[0.0, 0.0, -1.5], [1.5, 0.0, 0.0], [0.0, 1.5, 0.0]];
    /// let net = FiringRateNetwork::builder(w).activation(Relu).build()?;
    /// let certificate = net.certify_by_margin(&net.margin()?)?.into_certificate()?;
    /// assert!(certificate.margin() > 0.22); // of 0.25
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn certify_by_margin(&self, margin: &Margin) -> Result<NetworkVerdict> {
        NetworkVerdict::of_matrix(&self.circuit, margin.verdict(self)?)
    }

    /// Proves again that no diagonal weights certify this network.
    ///
    /// # Errors
    /// [`Error::NotProved`] if the refutation is not one of this network; an activation whose slopes are unbounded, or
    /// known from samples only, or all zero.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::network::FiringRateNetwork;
    /// use neuronash::stability::NetworkVerdict;
    /// let net = |w| FiringRateNetwork::builder(array![[w, -1.0], [1.0, 0.0]]).activation(Relu).build();
    /// let NetworkVerdict::NotStable(refutation) = net(1.5)?.certify()? else { panic!("1.5 exceeds 1") };
    /// net(1.5)?.verify_refutation(&refutation)?;
    /// assert!(net(0.5)?.verify_refutation(&refutation).is_err());
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn verify_refutation(&self, refutation: &Refutation) -> Result<()> {
        refutation.verify(self)
    }

    /// Proves the weights and the margin of a certificate again for this network, without trusting where it came
    /// from; a stored one for example.
    ///
    /// # Errors
    /// [`Error::NotProved`] if they do not hold or cannot be proved in `f64`; [`Error::Invalid`] if it is for other
    /// weights or smaller slopes.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::network::FiringRateNetwork;
    /// let net = FiringRateNetwork::builder(array![[0.5, -4.0], [3.0, 0.0]]).activation(Relu).build()?;
    /// let certificate = net.certify()?.into_certificate()?;
    /// net.verify(&certificate)?;
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn verify(&self, certificate: &NetworkCertificate) -> Result<()> {
        certificate.verify(self)
    }
}

/// The answer to "does this network settle, whatever its input?".
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum NetworkVerdict {
    /// Yes, and this proves it.
    Stable(NetworkCertificate),
    /// Yes, and this proves it, but in numbers of which no bounds on rates and errors can be made: weights that span more than
    /// the range of `f64`, as those of long feed-forward chains, or a margin that is lost in rounding errors.
    ///
    /// The proof is one for the matrix `W - R^{-1}`; [`diagonal::Certificate::verify`] checks it again.
    StableWithoutBounds(diagonal::Certificate),
    /// Yes, up to a stated probability of error over the algorithm's random choices, for the matrix `W - R^{-1}`: networks too large
    /// for a proof without chance. No bounds on rates and errors are made from it.
    AlmostSurelyStable(diagonal::AlmostSureCertificate),
    /// No diagonal `D` proves it, and this proves that; some input or activation with the same slope bounds may still
    /// settle.
    NotStable(Refutation),
    /// Too near the boundary to say.
    Undecided(Undecided),
}

impl NetworkVerdict {
    /// What the verdict on the circuit's `W - R^{-1}` says about the network.
    pub(crate) fn of_matrix<A: Scalar>(circuit: &Circuit<A>, verdict: Verdict) -> Result<Self> {
        Ok(match verdict {
            Verdict::Stable(certificate) if why_without_bounds(&certificate).is_some() => {
                Self::StableWithoutBounds(certificate)
            }
            Verdict::Stable(certificate) => {
                let (weights, margin) = (certificate.weights().to_owned(), certificate.margin_lower());
                Self::Stable(NetworkCertificate::proved(circuit, weights, margin, certificate.method())?)
            }
            Verdict::AlmostSurelyStable(certificate) => Self::AlmostSurelyStable(certificate),
            Verdict::NotStable(refutation) => Self::NotStable(refutation),
            Verdict::Undecided(undecided) => Self::Undecided(undecided),
        })
    }

    /// Whether the network is proved to settle, whatever its input.
    pub fn is_stable(&self) -> bool {
        matches!(self, NetworkVerdict::Stable(_) | NetworkVerdict::StableWithoutBounds(_))
    }

    /// Whether it is proved that no diagonal `D` certifies the network.
    pub fn is_not_stable(&self) -> bool {
        matches!(self, NetworkVerdict::NotStable(_))
    }

    /// The certificate, if there is one; [`StableWithoutBounds`](NetworkVerdict::StableWithoutBounds) has none.
    pub fn certificate(&self) -> Option<&NetworkCertificate> {
        if let NetworkVerdict::Stable(certificate) = self { Some(certificate) } else { None }
    }

    /// The certificate, or the reason why there is none.
    ///
    /// # Errors
    /// [`Error::NotCertified`], with what is known instead, unless the verdict is [`Stable`](NetworkVerdict::Stable).
    pub fn into_certificate(self) -> Result<NetworkCertificate> {
        match self {
            NetworkVerdict::Stable(certificate) => Ok(certificate),
            other => Err(Error::NotCertified { reason: other.to_string() }),
        }
    }
}

impl fmt::Display for NetworkVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetworkVerdict::Stable(certificate) => certificate.fmt(f),
            NetworkVerdict::StableWithoutBounds(certificate) => {
                let why = why_without_bounds(certificate).unwrap_or("its numbers give none");
                write!(f, "network of {}: stable for every input, ", neurons(certificate.weights().len()))?;
                write!(f, "but without bounds on rates and errors: {why} ({})", certificate.method())
            }
            NetworkVerdict::AlmostSurelyStable(certificate) => certificate.fmt(f),
            NetworkVerdict::NotStable(refutation) => refutation.fmt(f),
            NetworkVerdict::Undecided(undecided) => undecided.fmt(f),
        }
    }
}

/// Why a proof for the matrix gives no bounds for the network, if it does not.
fn why_without_bounds(certificate: &diagonal::Certificate) -> Option<&'static str> {
    if !certificate.weights_are_representable() {
        Some("the weights D of the proof span more than the range of f64")
    } else if certificate.margin_lower() <= 0.0 {
        Some("no margin above 0 could be proved")
    } else {
        None
    }
}

/// Weights `D` and a margin `delta > 0` that are proved to satisfy `sym(D (R^{-1} - W)) >= delta D R^{-1}` (theory 3.3).
///
/// It holds for one synaptic matrix `W` and all activations with at most the slopes `R`; it can be used with every network
/// that has them, whatever its input, its time constants, its precision and the way in which its weights are stored. It keeps a
/// 64-bit hash of `W`, by which a network with other weights is refused; the hash protects from mistakes, not from forgery.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct NetworkCertificate {
    weights: Array1<f64>,
    slope_bounds: Array1<f64>,
    margin: f64,
    method: diagonal::Method,
    fingerprint: u64,
}

/// A certificate as it stands in a file. What can be seen without the network is checked.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct StoredCertificate {
    weights: Array1<f64>,
    slope_bounds: Array1<f64>,
    margin: f64,
    method: diagonal::Method,
    fingerprint: u64,
}

/// A verdict as it stands in a file.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
enum StoredVerdict {
    Stable(StoredCertificate),
    StableWithoutBounds(diagonal::StoredCertificate),
    AlmostSurelyStable(diagonal::StoredAlmostSure),
    NotStable(diagonal::StoredRefutation),
    Undecided(diagonal::StoredUndecided),
}

#[cfg(feature = "serde")]
super::read_as_claim!(NetworkCertificate, StoredCertificate);
#[cfg(feature = "serde")]
super::read_as_claim!(NetworkVerdict, StoredVerdict);

#[cfg(feature = "serde")]
impl TryFrom<StoredVerdict> for NetworkVerdict {
    type Error = Error;

    fn try_from(stored: StoredVerdict) -> Result<Self> {
        Ok(match stored {
            StoredVerdict::Stable(certificate) => Self::Stable(certificate.try_into()?),
            StoredVerdict::StableWithoutBounds(certificate) => Self::StableWithoutBounds(certificate.try_into()?),
            StoredVerdict::AlmostSurelyStable(certificate) => Self::AlmostSurelyStable(certificate.try_into()?),
            StoredVerdict::NotStable(refutation) => Self::NotStable(refutation.try_into()?),
            StoredVerdict::Undecided(undecided) => Self::Undecided(undecided.try_into()?),
        })
    }
}

#[cfg(feature = "serde")]
impl TryFrom<StoredCertificate> for NetworkCertificate {
    type Error = Error;

    fn try_from(stored: StoredCertificate) -> Result<Self> {
        let StoredCertificate { weights, slope_bounds, margin, method, fingerprint } = stored;
        positive_vector("weights", weights.view(), weights.len())?;
        positive_vector("slope_bounds", slope_bounds.view(), weights.len())?;
        if !(margin > 0.0 && margin.is_finite()) {
            return Err(Error::invalid("margin", margin, "finite numbers above 0"));
        }
        Ok(Self { weights, slope_bounds, margin, method, fingerprint })
    }
}

impl NetworkCertificate {
    /// The weights `D > 0`, shape `[n]`.
    pub fn weights(&self) -> ArrayView1<'_, f64> {
        self.weights.view()
    }

    /// The slope bounds `rho`, shape `[n]`.
    pub fn slope_bounds(&self) -> ArrayView1<'_, f64> {
        self.slope_bounds.view()
    }

    /// The proved margin `delta > 0`; the best one may be larger.
    pub fn margin(&self) -> f64 {
        self.margin
    }

    /// How the weights were found.
    pub fn method(&self) -> diagonal::Method {
        self.method
    }

    /// A certificate of this circuit from weights and a margin that the caller has proved.
    pub(crate) fn proved<A: Scalar>(
        circuit: &Circuit<A>,
        weights: Array1<f64>,
        margin: f64,
        method: diagonal::Method,
    ) -> Result<Self> {
        let fingerprint = circuit.weights.fingerprint();
        Ok(Self { weights, slope_bounds: proved_slopes(circuit)?, margin, method, fingerprint })
    }

    /// The certificate that the weights `d` are, with a margin near the largest that they have.
    fn of_weights<A: Scalar, B: Scalar, S: Data<Elem = B>>(
        circuit: &Circuit<A>,
        d: &ArrayBase<S, Ix1>,
    ) -> Result<Self> {
        let certificate =
            diagonal::Certificate::from_weights(Subject::of_weights(&circuit.weights, &proved_slopes(circuit)?)?, d)?;
        NetworkVerdict::of_matrix(circuit, Verdict::Stable(certificate))?.into_certificate()
    }

    /// As [`proved`](Self::proved), from a circuit's closed form.
    ///
    /// A closed form can prove more than the check of any network's certificate, [`verify`](Self::verify). Where that does not
    /// confirm the margin, the certificate has the one that it does confirm.
    pub(crate) fn of_closed_form<A: Scalar>(circuit: &Circuit<A>, weights: Array1<f64>, margin: f64) -> Result<Self> {
        if margin > 0.0 {
            let certificate = Self::proved(circuit, weights, margin, diagonal::Method::Given)?;
            match certificate.verify(Subject::of_weights(&circuit.weights, &proved_slopes(circuit)?)?) {
                Err(Error::NotProved { .. }) => Self::of_weights(circuit, &certificate.weights),
                verified => verified.map(|()| certificate),
            }
        } else {
            Err(Error::NotCertified { reason: "the circuit is proved stable, but with no margin above 0".into() })
        }
    }

    /// Proves the weights and the margin again for a network, or for any `(&w, &rho)`, without trusting where the certificate
    /// came from.
    ///
    /// # Errors
    /// [`Error::NotProved`] if they do not hold or cannot be proved in `f64`; [`Error::Invalid`] if it is for other weights or
    /// smaller slopes, or the subject has no slopes.
    pub fn verify<'a>(&self, subject: impl IntoSubject<'a>) -> Result<()> {
        let subject = subject.into_subject()?;
        let Some(rho) = subject.slopes() else {
            let allowed = "weights with slopes, `(&w, &rho)`, or a network";
            return Err(Error::invalid("subject", "a matrix without slopes", allowed));
        };
        self.is_of(rho, || subject.fingerprint())?;
        let contradiction = || Error::NotProved { reason: "the weights are not positive".into() };
        let claim =
            diagonal::Certificate::claimed(&self.weights, self.margin, self.method).ok_or_else(contradiction)?;
        // What is proved for the certificate's slopes holds for the network's, which are no larger.
        claim.verify(subject.with_slopes_of(&self.slope_bounds)?)
    }

    /// `|v|_{D/R} = (sum_i (d_i / rho_i) v_i^2)^{1/2}`, rounded outward; NaN if an entry is.
    pub(crate) fn norm_upper(&self, v: impl Iterator<Item = f64> + Clone) -> Magnitude {
        let entries = v.zip(self.weights.iter().zip(&self.slope_bounds));
        weighted_norm(entries.map(|(v, (&d, &rho))| (v, d, rho)))
    }

    /// An upper bound on every `|v_i|` of a vector with `|v|_{D/R} <= norm`, rounded outward.
    pub(crate) fn largest_entry(&self, norm: Magnitude) -> f64 {
        norm.times(self.largest_share()).upper()
    }

    /// `max_i (rho_i / d_i)^{1/2}`, rounded outward: how large an entry of a vector of norm 1 can be.
    fn largest_share(&self) -> Magnitude {
        let ratio = |(rho, d): (&f64, &f64)| rho / d;
        let pairs = || self.slope_bounds.iter().zip(&self.weights);
        // Among ratios that are normal numbers, one rounding can hide the largest; others are not even comparable.
        let largest = pairs().map(ratio).fold(0.0, f64::max);
        if largest.is_normal() {
            return Magnitude::of(largest).times(Magnitude::of(1.0 + 2.0 * f64::EPSILON)).root();
        }
        let squares = pairs().map(|(&rho, &d)| Magnitude::of(rho).over(Magnitude::of(d)));
        squares.fold(Magnitude::ZERO, Magnitude::max).root()
    }

    /// An error unless this circuit has the weights that were certified, and slopes that are no larger.
    pub(crate) fn fits<A: Scalar>(&self, circuit: &Circuit<A>) -> Result<()> {
        self.is_of(proved_slopes(circuit)?.view(), || circuit.weights.fingerprint())
    }

    /// An error unless it is one of a network with these slopes and the weights of this fingerprint.
    fn is_of(&self, rho: ArrayView1<'_, f64>, fingerprint: impl FnOnce() -> u64) -> Result<()> {
        if rho.len() != self.weights.len() {
            return Err(Error::shape("certificate", format!("[{}]", rho.len()), &[self.weights.len()]));
        }
        if fingerprint() != self.fingerprint {
            let allowed = "the certificate of a network with these weights, from its `certify()`";
            return Err(Error::invalid("certificate", "that of other weights", allowed));
        }
        match rho.iter().zip(&self.slope_bounds).position(|(rho, bound)| rho > bound) {
            None => Ok(()),
            Some(i) => Err(Error::invalid(
                format!("certificate, slope bound of neuron {i}"),
                self.slope_bounds[i],
                format!("at least {}, the largest slope of that neuron's activation", rho[i]),
            )),
        }
    }
}

/// The weights and the slopes of a network, whatever its time constants.
impl stability::Certificate for NetworkCertificate {
    type Subject<'a> = Subject<'a>;

    fn verify(&self, subject: &Subject<'_>) -> Result<()> {
        self.verify(subject)
    }

    fn margin(&self) -> Option<f64> {
        Some(self.margin)
    }

    fn implies(&self) -> Implication {
        Condition::DiagonalStability.implies()
    }
}

impl stability::Certificate for NetworkVerdict {
    type Subject<'a> = Subject<'a>;

    /// The bounds of an undecided verdict have nothing to prove them with.
    fn verify(&self, subject: &Subject<'_>) -> Result<()> {
        match self {
            NetworkVerdict::Stable(certificate) => certificate.verify(subject),
            NetworkVerdict::StableWithoutBounds(certificate) => certificate.verify(subject),
            NetworkVerdict::AlmostSurelyStable(certificate) => certificate.verify(subject),
            NetworkVerdict::NotStable(refutation) => refutation.verify(subject),
            NetworkVerdict::Undecided(_) => {
                Err(Error::NotProved { reason: "bounds of an undecided verdict come without a proof".into() })
            }
        }
    }

    fn margin(&self) -> Option<f64> {
        match self {
            NetworkVerdict::Stable(certificate) => Some(certificate.margin),
            NetworkVerdict::StableWithoutBounds(certificate) => Some(certificate.margin_lower()),
            NetworkVerdict::AlmostSurelyStable(certificate) => Some(certificate.margin_lower()),
            NetworkVerdict::NotStable(_) | NetworkVerdict::Undecided(_) => None,
        }
    }

    fn implies(&self) -> Implication {
        match self {
            NetworkVerdict::NotStable(_) | NetworkVerdict::Undecided(_) => Implication::nothing(),
            _ => Condition::DiagonalStability.implies(),
        }
    }

    fn error_probability(&self) -> Option<f64> {
        match self {
            NetworkVerdict::AlmostSurelyStable(certificate) => Some(certificate.error_probability()),
            _ => None,
        }
    }
}

impl fmt::Display for NetworkCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "network of {}: stable for every input, margin at least {:e} ({})",
            neurons(self.weights.len()),
            AtLeast(self.margin),
            self.method
        )
    }
}

/// `rho` as exact `f64` numbers on which proofs may rest.
pub(crate) fn proved_slopes<A: Scalar>(circuit: &Circuit<A>) -> Result<Array1<f64>> {
    Ok(circuit.proved_slopes(NEED)?.mapv(Scalar::to_double))
}
