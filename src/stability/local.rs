//! Stability near one state: the spectrum of the linearisation (theory 8.3).

use std::fmt;

use ndarray::{Array1, Array2, ArrayBase, Data, Ix1};
use num_complex::Complex;

use crate::Scalar;
use crate::activation::ActivationCost;
use crate::check::finite_vector;
use crate::error::{Error, Result};
use crate::linalg;
use crate::network::{Circuit, FiringRateNetwork, HopfieldNetwork, neurons};

/// Above this number of neurons a dense Jacobian no longer fits into ordinary memory.
const LARGEST: usize = 20_000;

impl<A: Scalar> FiringRateNetwork<A> {
    /// The spectrum of `T^{-1}(-I + Lambda W)`, `Lambda` the slopes at the drive of the rates `x`, shape `[n]`.
    ///
    /// ```
    /// use ndarray::array;
    /// use neuronash::activation::Relu;
    /// use neuronash::network::FiringRateNetwork;
    /// use neuronash::stability::local::Tendency;
    ///
    /// let net = FiringRateNetwork::builder(array![[2.0, -1.0], [1.0, 0.0]])
    ///     .activation(Relu)
    ///     .input(&array![1.0, 1.0])
    ///     .build()?;
    /// let local = net.linearise(&array![1.0, 1.0])?;
    /// assert_eq!(local.tendency(), Tendency::Marginal);
    /// assert!(local.kinks().is_empty());
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    ///
    /// # Errors
    /// Rates of the wrong length or not finite; more than 20,000 neurons, for whom the dense Jacobian does not fit;
    /// weights so large that the Jacobian or its eigenvalues overflow.
    pub fn linearise<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Linearisation<A>> {
        finite_vector("x", x.view(), self.len())?;
        let z = self.drive(x)?;
        let (slopes, kinks) = slopes_and_kinks(&self.circuit, &z)?;
        Linearisation::of_rates(&self.circuit, slopes, kinks)
    }
}

impl<A: Scalar> HopfieldNetwork<A> {
    /// The spectrum of `T^{-1}(-I + W Lambda)`, `Lambda` the slopes at the potentials `y`, shape `[n]`.
    ///
    /// # Errors
    /// Potentials of the wrong length or not finite; more than 20,000 neurons, for whom the dense Jacobian does not
    /// fit; weights so large that the Jacobian or its eigenvalues overflow.
    pub fn linearise<S: Data<Elem = A>>(&self, y: &ArrayBase<S, Ix1>) -> Result<Linearisation<A>> {
        finite_vector("y", y.view(), self.len())?;
        let (slopes, kinks) = slopes_and_kinks(&self.circuit, &y.to_owned())?;
        Linearisation::of_potentials(&self.circuit, slopes, kinks)
    }
}

/// What small disturbances of a state do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Tendency {
    /// They die out: every eigenvalue has a real part below minus the tolerance.
    Stable,
    /// Some grow: an eigenvalue has a real part above the tolerance.
    Unstable,
    /// The largest real part is within the tolerance of 0.
    Marginal,
}

/// The linearisation of a network at a state.
///
/// Near an equilibrium at which no neuron sits at a kink, [`tendency`](Self::tendency) decides. It is a floating-point
/// answer, not a proof.
///
/// ```
/// use ndarray::array;
/// use neuronash::activation::Tanh;
/// use neuronash::network::FiringRateNetwork;
///
/// // At rest at 0, where every slope is 1: the Jacobian is `W - I`, with the eigenvalues -0.5 +- 2i.
/// let net = FiringRateNetwork::<f64>::builder(array![[0.5, -2.0], [2.0, 0.5]]).activation(Tanh::new()).build()?;
/// let local = net.linearise(&array![0.0, 0.0])?;
/// assert!(local.is_stable());
/// assert!((local.spectral_abscissa() + 0.5).abs() < 1e-12);
/// assert!((local.eigenvalues()[0].im.abs() - 2.0).abs() < 1e-12);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Linearisation<A> {
    eigenvalues: Vec<Complex<A>>,
    slopes: Array1<A>,
    kinks: Vec<usize>,
    tolerance: A,
}

impl<A: Scalar> Linearisation<A> {
    /// `T^{-1}(-I + Lambda W)` for known slopes and kinks.
    pub(crate) fn of_rates(circuit: &Circuit<A>, slopes: Array1<A>, kinks: Vec<usize>) -> Result<Self> {
        let mut jacobian = circuit.weights.to_dense();
        for (mut row, &slope) in jacobian.rows_mut().into_iter().zip(&slopes) {
            row *= slope;
        }
        Self::of(circuit, jacobian, slopes, kinks)
    }

    /// `T^{-1}(-I + W Lambda)` for known slopes and kinks.
    pub(crate) fn of_potentials(circuit: &Circuit<A>, slopes: Array1<A>, kinks: Vec<usize>) -> Result<Self> {
        let jacobian = circuit.weights.to_dense() * &slopes;
        Self::of(circuit, jacobian, slopes, kinks)
    }

    /// Takes `Lambda W` or `W Lambda` and makes it the Jacobian.
    fn of(circuit: &Circuit<A>, mut jacobian: Array2<A>, slopes: Array1<A>, kinks: Vec<usize>) -> Result<Self> {
        jacobian.diag_mut().mapv_inplace(|v| v - A::one());
        for (mut row, &tau) in jacobian.rows_mut().into_iter().zip(&circuit.time_constants) {
            row /= tau;
        }
        let n = A::of(circuit.len() as f64);
        let overflows = || {
            let found = "so large that the Jacobian or its eigenvalues overflow";
            Error::invalid("weights", found, "weights over time constants, times slopes, well below the largest number")
        };
        let largest = jacobian.iter().fold(A::zero(), |m, v| m.max(v.abs()));
        if jacobian.iter().any(|v| !v.is_finite()) || !(n * largest).is_finite() {
            return Err(overflows());
        }
        // The squares of large entries overflow, those of their ratios do not.
        let unit = if largest > A::zero() { largest } else { A::one() };
        let size = unit * jacobian.iter().map(|&v| (v / unit) * (v / unit)).sum::<A>().sqrt();
        let eigenvalues = linalg::eigvals(jacobian.view())?;
        if eigenvalues.iter().any(|v| !(v.re.is_finite() && v.im.is_finite())) {
            return Err(overflows());
        }
        Ok(Self { eigenvalues, slopes, kinks, tolerance: A::of(10.0) * A::epsilon() * n * size })
    }

    /// The eigenvalues, by decreasing real part, in units of 1/time.
    pub fn eigenvalues(&self) -> &[Complex<A>] {
        &self.eigenvalues
    }

    /// The largest real part of an eigenvalue, in units of 1/time.
    pub fn spectral_abscissa(&self) -> A {
        self.eigenvalues.first().map_or_else(A::neg_infinity, |v| v.re)
    }

    /// The slopes `Lambda`, shape `[n]`.
    pub fn slopes(&self) -> &Array1<A> {
        &self.slopes
    }

    /// The neurons whose activation has different slopes on both sides of their drive; `Lambda` holds one of the two,
    /// and the true behaviour may be that of either, or of a mixture of both.
    pub fn kinks(&self) -> &[usize] {
        &self.kinks
    }

    /// The tolerance of [`tendency`](Self::tendency): `10 n` machine epsilons times the Frobenius norm of the Jacobian.
    pub fn tolerance(&self) -> A {
        self.tolerance
    }

    /// What small disturbances do, as far as the slopes `Lambda` tell.
    pub fn tendency(&self) -> Tendency {
        self.tendency_within(self.tolerance)
    }

    /// [`tendency`](Self::tendency) with another tolerance, in units of 1/time.
    pub fn tendency_within(&self, tolerance: A) -> Tendency {
        match self.spectral_abscissa() {
            abscissa if abscissa < -tolerance => Tendency::Stable,
            abscissa if abscissa > tolerance => Tendency::Unstable,
            _ => Tendency::Marginal,
        }
    }

    /// Whether small disturbances die out: [`Tendency::Stable`], and no neuron at a kink.
    pub fn is_stable(&self) -> bool {
        self.tendency() == Tendency::Stable && self.kinks.is_empty()
    }
}

impl fmt::Display for Tendency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tendency::Stable => "locally stable",
            Tendency::Unstable => "unstable",
            Tendency::Marginal => "marginal",
        })
    }
}

impl<A: Scalar> fmt::Display for Linearisation<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, spectral abscissa {:.6e}", self.tendency(), self.spectral_abscissa())?;
        match self.kinks.len() {
            0 => Ok(()),
            kinks => write!(f, ", {} at a kink", neurons(kinks)),
        }
    }
}

/// An error for networks that are too large for dense matrices, which `purpose` needs.
pub(crate) fn fits_densely(n: usize, purpose: &str) -> Result<()> {
    if n > LARGEST {
        let allowed = format!("at most {LARGEST} neurons for {purpose}");
        return Err(Error::invalid("network", neurons(n), allowed));
    }
    Ok(())
}

fn slopes_and_kinks<A: Scalar>(circuit: &Circuit<A>, z: &Array1<A>) -> Result<(Array1<A>, Vec<usize>)> {
    fits_densely(circuit.len(), "a dense spectrum")?;
    let rounding = |z: A| A::of(8.0) * A::epsilon() * z.abs().max(A::one());
    let mut slopes = z.clone();
    circuit.slopes(slopes.view_mut());
    let kinks = (0..z.len()).filter(|&i| has_kink(circuit.activation(i), z[i], rounding(z[i]))).collect();
    Ok((slopes, kinks))
}

/// Whether the slope jumps within `width` of `z`, the rounding error of the drive.
///
/// A smooth activation changes its slope there by about its curvature times the width, which is far below the jump that
/// counts.
pub(crate) fn has_kink<A: Scalar>(activation: &dyn ActivationCost<A>, z: A, width: A) -> bool {
    let (left, right) = (activation.derivative(z - width), activation.derivative(z + width));
    let steepest = activation.slope_range().max;
    let scale = if steepest.is_finite() { steepest } else { A::one().max(left).max(right) };
    (right - left).abs() > width.sqrt() * scale
}
