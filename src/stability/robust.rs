//! Certificates for weights that are known only roughly (theory 3.11).
//!
//! Let every `|w_ij - c_ij| <= r_ij`, `C = D r + r'D` and `eta_i = (C v)_i/v_i` for some `v > 0`. The symmetric part that the uncertainty
//! adds has entries of at most `C`, so that `diag(eta)` minus it is diagonally dominant in the scale of `v`, and not negative. So
//!
//! ```text
//! -(D A + A'D) - diag(eta) > 0,    A = c - R^{-1},
//! ```
//!
//! certifies all of them. With `E = diag(eta)/2 D^{-1}` this is the certificate `D` of the single matrix `c + E`, which is proved as any
//! other is: rounding `E` up only makes it harder.

use std::fmt;

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, Data, Ix1};

use super::diagonal::{self, Certifier, Refutation, Verdict};
use crate::Scalar;
use crate::check::positive_vector;
use crate::error::{Error, Result};
use crate::linalg::decimal::AtLeast;
use crate::linalg::perron::noda;
use crate::linalg::rounding::{add_up, div_up, mul_up};
use crate::linalg::verified::proved_positive_definite;
use crate::network::{UncertainWeights, neurons};

/// Rounds in which the weights `D` are fitted to the vector `v` and the vector to them.
const ROUNDS: usize = 6;
/// Bisections of the radius, and doublings before them.
const BISECTIONS: usize = 30;
const DOUBLINGS: usize = 40;
/// The part of the radius reached at which the weights are fitted again: at the radius itself no margin is left.
const INSIDE: f64 = 0.9;

/// Weights `D` and a margin `delta > 0` that are proved to satisfy `sym(D (R^{-1} - W)) >= delta D R^{-1}` for every `W` of a box.
///
/// Networks with any of these matrices, and any activations with at most the slopes `R`, have one equilibrium for every input and reach it
/// from every state (theory 3.2, 3.3).
///
/// ```
/// use ndarray::array;
/// use neuronash::network::UncertainWeights;
///
/// let rough = UncertainWeights::new(&array![[0.5, -4.0], [3.0, 0.0]], &array![[0.1, 0.2], [0.2, 0.1]])?;
/// let certificate = rough.certify(&array![1.0, 1.0])?.into_certificate()?;
/// certificate.verify(&rough)?;
/// assert!(certificate.margin() > 0.0 && certificate.margin() < 0.4);
/// // Ten times as rough is too much: an excitatory neuron that drives itself by 1.5 might be among them.
/// assert!(certificate.verify(&rough.with_radius_times(10.0)?).is_err());
/// // Silencing the second neuron leaves a certificate.
/// certificate.restricted_to(&[0])?.verify(&rough.restricted_to(&[0])?)?;
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RobustCertificate {
    weights: Array1<f64>,
    slope_bounds: Array1<f64>,
    /// The vector `v`.
    scale: Array1<f64>,
    margin: f64,
}

/// The answer to "is every one of these matrices diagonally stable, by the same weights?".
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum RobustVerdict {
    /// Yes, and this proves it.
    Stable(RobustCertificate),
    /// No: the matrix at the centre is not, and this proves that.
    NotStable(Refutation),
    /// Not proved. A box with the same centre and this multiple of the radii is, by a certificate of its own; 0 if none is.
    Undecided(f64),
}

/// The largest box around a centre for which a proof was found.
#[derive(Debug, Clone, PartialEq)]
pub struct CertifiedRadius {
    multiple: f64,
    certificate: RobustCertificate,
}

impl CertifiedRadius {
    /// The multiple of the radii that was asked about; infinite radii are never reached, but `f64::MAX` may be where nothing is uncertain.
    pub fn multiple(&self) -> f64 {
        self.multiple
    }

    /// The proof for [`with_radius_times`](UncertainWeights::with_radius_times) this multiple.
    pub fn certificate(&self) -> &RobustCertificate {
        &self.certificate
    }
}

impl UncertainWeights {
    /// Looks for weights that certify `W - R^{-1}` for every `W` of the box, with the slope bounds `rho > 0`, shape `[n]`.
    ///
    /// The condition is sufficient, not necessary: on random networks of 6 neurons it proves 0.6 to 0.8 of the radius at which attacks
    /// begin to succeed (theory 3.11).
    ///
    /// # Errors
    /// Slope bounds of the wrong length, not finite or not positive.
    pub fn certify<A: Scalar, S: Data<Elem = A>>(&self, rho: &ArrayBase<S, Ix1>) -> Result<RobustVerdict> {
        let rho = self.slopes(rho)?;
        let start = match diagonal::certify((&self.centre(), &rho))? {
            Verdict::NotStable(refutation) => return Ok(RobustVerdict::NotStable(refutation)),
            Verdict::Stable(certificate) if certificate.weights_are_representable() => certificate.weights().to_owned(),
            _ => return Ok(RobustVerdict::Undecided(0.0)),
        };
        let (multiple, d) = Search { of: self, rho: &rho }.from(start, Some(1.0));
        if multiple >= 1.0
            && let Ok(certificate) = self.certificate_of(&rho, &d)
        {
            return Ok(RobustVerdict::Stable(certificate));
        }
        // The bisection ends within rounding of the boundary; the proof asks for a little more room.
        Ok(RobustVerdict::Undecided(multiple.min(1.0 - 1e-9)))
    }

    /// The largest multiple of the radii for which weights are found that certify the box, and its proof; `None` if not even the centre is
    /// certified. It is a bound from below on the largest multiple for which all matrices are stable.
    ///
    /// # Errors
    /// As [`certify`](Self::certify).
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::network::UncertainWeights;
    ///
    /// // One neuron with a self-weight of 0.5, give or take: all up to 1.
    /// let rough = UncertainWeights::new(&array![[0.5]], &array![[0.1]])?;
    /// let widest = rough.certified_radius(&array![1.0])?.expect("the centre is stable");
    /// assert!(widest.multiple() > 4.99 && widest.multiple() < 5.0);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn certified_radius<A: Scalar, S: Data<Elem = A>>(
        &self,
        rho: &ArrayBase<S, Ix1>,
    ) -> Result<Option<CertifiedRadius>> {
        let rho = self.slopes(rho)?;
        let start = match diagonal::certify((&self.centre(), &rho))? {
            Verdict::Stable(certificate) if certificate.weights_are_representable() => certificate.weights().to_owned(),
            _ => return Ok(None),
        };
        let (mut multiple, d) = Search { of: self, rho: &rho }.from(start, None);
        // A little inside, where a margin is left.
        for _ in 0..BISECTIONS {
            multiple *= 1.0 - 1e-6;
            if let Ok(certificate) = self.with_radius_times(multiple)?.certificate_of(&rho, &d) {
                return Ok(Some(CertifiedRadius { multiple, certificate }));
            }
        }
        Ok(None)
    }

    /// Proves that the weights `d > 0`, shape `[n]`, certify `W - R^{-1}` for every `W` of the box.
    ///
    /// # Errors
    /// [`Error::NotProved`] if that cannot be proved, and [`Error::NotCertified`] if it can, but no margin above 0; slope bounds or
    /// weights of the wrong length, not finite or not positive.
    pub fn certify_weights<A: Scalar, S: Data<Elem = A>, T: Data<Elem = f64>>(
        &self,
        rho: &ArrayBase<S, Ix1>,
        d: &ArrayBase<T, Ix1>,
    ) -> Result<RobustCertificate> {
        let rho = self.slopes(rho)?;
        positive_vector("d", d.view(), self.len())?;
        self.certificate_of(&rho, &d.to_owned())
    }

    fn slopes<A: Scalar, S: Data<Elem = A>>(&self, rho: &ArrayBase<S, Ix1>) -> Result<Array1<f64>> {
        positive_vector("rho", rho.view(), self.len())?;
        Ok(rho.mapv(Scalar::to_double))
    }

    fn certificate_of(&self, rho: &Array1<f64>, d: &Array1<f64>) -> Result<RobustCertificate> {
        let scale = self.scale(rho, d);
        let hardest = self.hardest(d, &scale);
        let proof = diagonal::Certificate::from_weights((&hardest, rho), d)?;
        if proof.margin_lower() <= 0.0 {
            return Err(Error::NotCertified { reason: "no margin above 0 could be proved".into() });
        }
        let certificate =
            RobustCertificate { weights: d.clone(), slope_bounds: rho.clone(), scale, margin: proof.margin_lower() };
        certificate.verify(self)?;
        Ok(certificate)
    }

    /// `v`: near the Perron vector of `R D^{-1} C`, which makes all `eta_i` the same part of the leak `d_i/rho_i`.
    fn scale(&self, rho: &Array1<f64>, d: &Array1<f64>) -> Array1<f64> {
        const FLOOR: f64 = 1e-9;
        let n = self.len();
        let r = self.radius();
        let spread = Array2::from_shape_fn((n, n), |(i, j)| rho[i] * (r[[i, j]] + r[[j, i]] * (d[j] / d[i])));
        let largest = spread.fold(0.0, |m: f64, &x| m.max(x));
        if largest == 0.0 || !largest.is_finite() {
            return Array1::ones(n);
        }
        // A little of everything makes it irreducible.
        let spread = spread.mapv(|x| x / largest + FLOOR);
        let (v, _) = noda(spread.view(), Array1::ones(n), 1e-6);
        let top = v.fold(0.0, |m: f64, &x| m.max(x));
        if v.iter().all(|x| x.is_finite()) && top > 0.0 { v.mapv(|x| (x / top).max(FLOOR)) } else { Array1::ones(n) }
    }

    /// `E`: upper bounds on `eta_i/(2 d_i)`.
    fn excess(&self, d: &Array1<f64>, v: &Array1<f64>) -> Array1<f64> {
        let r = self.radius();
        Array1::from_shape_fn(self.len(), |i| {
            let share = |j: usize| {
                let both = add_up(mul_up(d[i], r[[i, j]]), mul_up(d[j], r[[j, i]]));
                mul_up(both, div_up(v[j], v[i]))
            };
            let eta = (0..self.len()).fold(0.0, |sum, j| add_up(sum, share(j)));
            div_up(0.5 * eta, d[i]).next_up()
        })
    }

    /// `c + E`.
    fn hardest(&self, d: &Array1<f64>, v: &Array1<f64>) -> Array2<f64> {
        let mut hardest = self.centre().to_owned();
        for (c, e) in hardest.diag_mut().iter_mut().zip(self.excess(d, v)) {
            *c = add_up(*c, e);
        }
        hardest
    }
}

/// The search for weights that certify as wide a box as can be.
struct Search<'a> {
    of: &'a UncertainWeights,
    rho: &'a Array1<f64>,
}

impl Search<'_> {
    /// The widest multiple found, at most `enough`, with its weights: from the weights of the centre, and from those that the Perron
    /// vectors of the largest magnitudes give, which are best if nothing is known of signs.
    fn from(&self, start: Array1<f64>, enough: Option<f64>) -> (f64, Array1<f64>) {
        let (multiple, d, _) = self.widest(start, enough);
        if enough.is_some_and(|enough| multiple >= enough) {
            return (multiple, d);
        }
        match self.of_magnitudes() {
            Some(other) => {
                let (other_multiple, other, _) = self.widest(other, enough);
                if other_multiple > multiple { (other_multiple, other) } else { (multiple, d) }
            }
            None => (multiple, d),
        }
    }

    /// `d_i = rho_i l_i/v_i` for the left and right Perron vectors of `R |W|`, `|W|` the largest magnitudes.
    fn of_magnitudes(&self) -> Option<Array1<f64>> {
        const FLOOR: f64 = 1e-12;
        let mut m = self.of.magnitudes();
        m.rows_mut().into_iter().zip(self.rho).for_each(|(mut row, rho)| row.mapv_inplace(|x| x * rho));
        let largest = m.fold(0.0, |m: f64, &x| m.max(x));
        if largest == 0.0 || !largest.is_finite() {
            return None;
        }
        let m = m.mapv(|x| x / largest + FLOOR);
        let ones = || Array1::ones(self.of.len());
        let (v, _) = noda(m.view(), ones(), 1e-9);
        let (l, _) = noda(m.t(), ones(), 1e-9);
        let d = self.rho * &(&l / &v);
        d.iter().all(|d| d.is_normal() && *d > 0.0).then_some(d)
    }

    /// The widest multiple found, at most `enough`, with its weights and its vector.
    fn widest(&self, start: Array1<f64>, enough: Option<f64>) -> (f64, Array1<f64>, Array1<f64>) {
        let v = self.of.scale(self.rho, &start);
        let mut best = (self.reach(&start, &v, enough), start, v);
        for _ in 0..ROUNDS {
            if enough.is_some_and(|enough| best.0 >= enough) {
                break;
            }
            let Some(d) = self.refitted(&best) else { break };
            let v = self.of.scale(self.rho, &d);
            let reach = self.reach(&d, &v, enough);
            let gain = reach > best.0 * (1.0 + 1e-3);
            if reach > best.0 {
                best = (reach, d, v);
            }
            if !gain {
                break;
            }
        }
        best
    }

    /// Weights with nearly the best margin for the hardest matrix a little inside of what is reached.
    fn refitted(&self, (reach, d, v): &(f64, Array1<f64>, Array1<f64>)) -> Option<Array1<f64>> {
        let inside = self.of.with_radius_times((INSIDE * reach).min(f64::MAX)).ok()?;
        let hardest = inside.hardest(d, v);
        let certifier = Certifier::builder().tolerance(1e-4).build().ok()?;
        let margin = certifier.margin((&hardest, self.rho)).ok()?;
        match margin.verdict((&hardest, self.rho)).ok()? {
            Verdict::Stable(found) if found.weights_are_representable() => Some(found.weights().to_owned()),
            _ => None,
        }
    }

    /// The largest multiple of the radii that these weights certify, from below.
    fn reach(&self, d: &Array1<f64>, v: &Array1<f64>, enough: Option<f64>) -> f64 {
        let n = self.of.len();
        let centre = self.of.centre();
        let nominal = Array2::from_shape_fn((n, n), |(i, j)| {
            let leak = if i == j { 2.0 * d[i] / self.rho[i] } else { 0.0 };
            leak - d[i] * centre[[i, j]] - d[j] * centre[[j, i]]
        });
        let eta = self.of.excess(d, v) * d * 2.0;
        let none = Array2::zeros((n, n));
        let holds = |multiple: f64| {
            let mut left = nominal.clone();
            left.diag_mut().zip_mut_with(&eta, |left, eta| *left -= multiple * eta);
            left.iter().all(|x| x.is_finite()) && proved_positive_definite(left.view(), none.view())
        };
        if let Some(enough) = enough
            && holds(enough)
        {
            return enough;
        }
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..DOUBLINGS {
            if !holds(high) {
                break;
            }
            (low, high) = (high, 2.0 * high);
        }
        for _ in 0..BISECTIONS {
            let middle = 0.5 * (low + high);
            if holds(middle) { low = middle } else { high = middle }
        }
        low
    }
}

impl RobustCertificate {
    /// The weights `D > 0`, shape `[n]`.
    pub fn weights(&self) -> ArrayView1<'_, f64> {
        self.weights.view()
    }

    /// The slope bounds `rho`, shape `[n]`.
    pub fn slope_bounds(&self) -> ArrayView1<'_, f64> {
        self.slope_bounds.view()
    }

    /// The proved margin `delta > 0`, of all matrices of the box.
    pub fn margin(&self) -> f64 {
        self.margin
    }

    /// Proves the weights and the margin again for every matrix of a box, without trusting where the certificate came from.
    ///
    /// # Errors
    /// [`Error::NotProved`] if that cannot be proved; [`Error::Shape`] for a box of another size.
    pub fn verify(&self, of: &UncertainWeights) -> Result<()> {
        if of.len() != self.weights.len() {
            let n = self.weights.len();
            return Err(Error::shape("weights", format!("[{n}, {n}]"), &[of.len(), of.len()]));
        }
        let hardest = of.hardest(&self.weights, &self.scale);
        if !hardest.iter().all(|x| x.is_finite()) {
            return Err(Error::NotProved { reason: "the bound on the uncertainty overflows".into() });
        }
        let not_positive = || Error::NotProved { reason: "the weights are not positive".into() };
        let claim = diagonal::Certificate::claimed(&self.weights, self.margin, diagonal::Method::Given);
        claim.ok_or_else(not_positive)?.verify((&hardest, &self.slope_bounds))
    }

    /// The certificate of the neurons `members` among themselves, in that order: silencing all others leaves its weights and its margin
    /// (theory 3.11).
    ///
    /// # Errors
    /// No members, members that do not exist, or one that is given twice.
    pub fn restricted_to(&self, members: &[usize]) -> Result<Self> {
        crate::network::members_exist(members, self.weights.len())?;
        let part = |v: &Array1<f64>| members.iter().map(|&i| v[i]).collect();
        Ok(Self {
            weights: part(&self.weights),
            slope_bounds: part(&self.slope_bounds),
            scale: part(&self.scale),
            margin: self.margin,
        })
    }
}

impl RobustVerdict {
    /// Whether all matrices of the box are proved stable.
    pub fn is_stable(&self) -> bool {
        matches!(self, RobustVerdict::Stable(_))
    }

    /// The certificate, or the reason why there is none.
    ///
    /// # Errors
    /// [`Error::NotCertified`], with what is known instead.
    pub fn into_certificate(self) -> Result<RobustCertificate> {
        match self {
            RobustVerdict::Stable(certificate) => Ok(certificate),
            other => Err(Error::NotCertified { reason: other.to_string() }),
        }
    }
}

impl fmt::Display for RobustCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = neurons(self.weights.len());
        write!(f, "uncertain network of {n}: stable, margin at least {:e}", AtLeast(self.margin))
    }
}

impl fmt::Display for RobustVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RobustVerdict::Stable(certificate) => certificate.fmt(f),
            RobustVerdict::NotStable(refutation) => write!(f, "at the centre: {refutation}"),
            RobustVerdict::Undecided(multiple) => {
                write!(f, "undecided: proved for {:e} of the radii", AtLeast(*multiple))
            }
        }
    }
}
