//! Stability near one state: the spectrum of the linearisation (theory 8.3).

use std::fmt;

use ndarray::{Array1, Array2, ArrayBase, Data, Ix1};
use num_complex::Complex;

use crate::Scalar;
use crate::activation::ActivationCost;
use crate::check::finite_vector;
use crate::error::{Error, Result};
use crate::game::NeuralGame;
use crate::linalg::balance::{DiagonalBlock, diagonal_blocks, times_two_to};
use crate::linalg::half_plane::{HalfPlane, half_plane};
use crate::linalg::spectrum::eigvals_of_blocks;
use crate::network::{Circuit, FiringRateNetwork, HopfieldNetwork, Neurons, neurons};

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
        self.game().linearise(x)
    }
}

impl<A: Scalar> NeuralGame<A> {
    /// The spectrum of `T^{-1}(-I + Lambda J)`, `J` the Jacobian of the drive at the rates `x`, shape `[n]`, and `Lambda` the slopes at
    /// their drive. For synapses `J = W`. Otherwise `n` products by `J` are taken, and [`Tendency`] is that of the `J` so found.
    ///
    /// # Errors
    /// Rates of the wrong length or not finite; more than 20,000 neurons, for whom the dense Jacobian does not fit; one that overflows;
    /// an interaction without [exact products](crate::game::InteractionCost::has_jacobian) by its Jacobian.
    pub fn linearise<S: Data<Elem = A>>(&self, x: &ArrayBase<S, Ix1>) -> Result<Linearisation<A>> {
        finite_vector("x", x.view(), self.len())?;
        let (slopes, kinks) = slopes_and_kinks(self.neurons(), &self.drive(x)?)?;
        let jacobian = match self.synapses() {
            Some(weights) => weights.to_dense(),
            None if self.interaction().has_jacobian() => {
                let mut jacobian = Array2::zeros((self.len(), self.len()));
                let mut unit = Array1::zeros(self.len());
                for (j, column) in jacobian.columns_mut().into_iter().enumerate() {
                    unit[j] = A::one();
                    self.interaction().jacobian_product(x.view(), self.input(), unit.view(), column);
                    unit[j] = A::zero();
                }
                jacobian
            }
            None => {
                let allowed = "interactions that override `jacobian_product` and `has_jacobian`";
                return Err(Error::invalid("interaction", self.interaction().name(), allowed));
            }
        };
        Linearisation::of(&jacobian, &self.neurons().time_constants, |i, _| i, slopes, kinks)
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
        let (slopes, kinks) = slopes_and_kinks(&self.circuit.neurons, &y.to_owned())?;
        Linearisation::of_potentials(&self.circuit, slopes, kinks)
    }
}

/// What small disturbances of a state do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Tendency {
    /// They die out: every eigenvalue is proved to have a negative real part.
    Stable,
    /// Some grow: an eigenvalue is proved to have a positive real part.
    Unstable,
    /// Neither is proved: the largest real part is 0, or so near to it, for a matrix as far from normal as this one,
    /// that rounding errors of double precision hide its sign.
    Marginal,
}

#[cfg(feature = "serde")]
impl Tendency {
    fn unproved() -> Self {
        Tendency::Marginal
    }
}

/// The linearisation of a network at a state.
///
/// Near an equilibrium at which no neuron sits at a kink, [`tendency`](Self::tendency) decides. It is proved for the
/// Jacobian that belongs to the weights, time constants and slopes as the floating-point numbers that they are: by a
/// symmetric `P` with `P J + J'P < 0`, which has all eigenvalues of `J` on the left of the imaginary axis if `P > 0`,
/// and some on its right if `P` is indefinite or negative (Lyapunov; Ostrowski and Schneider 1962). How near to the
/// true ones the slopes are is up to the state and the activation.
///
/// The matrix is first cut into its irreducible blocks, which are balanced by powers of two. So neither the eigenvalues
/// nor the tendency depend on the units in which the rates of the neurons are measured.
///
/// The eigenvalues themselves are computed and not proved; those of a matrix far from normal may be far off, and one
/// next to 0 may have the other sign than the tendency says.
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
    /// What is read back is no proof.
    #[cfg_attr(feature = "serde", serde(skip_deserializing, default = "Tendency::unproved"))]
    tendency: Tendency,
}

impl<A: Scalar> Linearisation<A> {
    /// `T^{-1}(-I + Lambda W)` for known slopes and kinks.
    pub(crate) fn of_rates(circuit: &Circuit<A>, slopes: Array1<A>, kinks: Vec<usize>) -> Result<Self> {
        Self::of(&circuit.weights.to_dense(), circuit.time_constants(), |i, _| i, slopes, kinks)
    }

    /// `T^{-1}(-I + W Lambda)` for known slopes and kinks.
    pub(crate) fn of_potentials(circuit: &Circuit<A>, slopes: Array1<A>, kinks: Vec<usize>) -> Result<Self> {
        Self::of(&circuit.weights.to_dense(), circuit.time_constants(), |_, j| j, slopes, kinks)
    }

    /// The linearisation in which weight `(i, j)` goes with the slope of neuron `slope_of(i, j)`.
    fn of(
        weights: &Array2<A>,
        time_constants: &Array1<A>,
        slope_of: impl Fn(usize, usize) -> usize,
        slopes: Array1<A>,
        kinks: Vec<usize>,
    ) -> Result<Self> {
        let entry = |(i, j): (usize, usize)| {
            let (w, slope) = (weights[[i, j]].to_double(), slopes[slope_of(i, j)].to_double());
            let tau = time_constants[i].to_double();
            let sum = w.mul_add(slope, if i == j { -1.0 } else { 0.0 });
            let is_zero = if i == j { sum == 0.0 } else { w == 0.0 || slope == 0.0 };
            match sum / tau {
                // What underflows is not nothing.
                0.0 if !is_zero => f64::from_bits(1).copysign(if i == j { sum } else { w }),
                rate => rate,
            }
        };
        let jacobian = Array2::from_shape_fn(weights.dim(), entry);
        let overflows = || {
            let found = "so large that the Jacobian or its eigenvalues overflow";
            Error::invalid("weights", found, "weights over time constants, times slopes, well below the largest number")
        };
        if jacobian.iter().any(|v| !v.is_finite()) {
            return Err(overflows());
        }
        let blocks = diagonal_blocks(jacobian.view());
        let eigenvalues: Vec<Complex<A>> =
            eigvals_of_blocks(&blocks)?.iter().map(|v| Complex::new(A::of(v.re), A::of(v.im))).collect();
        if eigenvalues.iter().any(|v| !(v.re.is_finite() && v.im.is_finite())) {
            return Err(overflows());
        }
        let mut tendency = Tendency::Stable;
        for block in &blocks {
            match half_plane(block.balanced.view(), rounding_errors(block, &jacobian, time_constants).view()) {
                HalfPlane::Left => {}
                HalfPlane::Unknown => tendency = Tendency::Marginal,
                HalfPlane::Right => {
                    tendency = Tendency::Unstable;
                    break;
                }
            }
        }
        Ok(Self { eigenvalues, slopes, kinks, tendency })
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

    /// What small disturbances do, as far as the slopes `Lambda` tell: proved, unless [`Tendency::Marginal`].
    pub fn tendency(&self) -> Tendency {
        self.tendency
    }

    /// Whether small disturbances die out: [`Tendency::Stable`], and no neuron at a kink.
    pub fn is_stable(&self) -> bool {
        self.tendency() == Tendency::Stable && self.kinks.is_empty()
    }
}

/// Bounds on the errors of a balanced block of the Jacobian: two roundings for each entry, and what underflowed.
fn rounding_errors<A: Scalar>(
    block: &DiagonalBlock,
    jacobian: &Array2<f64>,
    time_constants: &Array1<A>,
) -> Array2<f64> {
    /// Entries above it are free of underflow.
    const SAFE: f64 = 1e-290;
    const LEAST: f64 = 4.0 * f64::MIN_POSITIVE * f64::EPSILON;

    Array2::from_shape_fn(block.balanced.dim(), |(i, j)| {
        let (row, column) = (block.members[i], block.members[j]);
        let rounded = 2.0 * f64::EPSILON * block.balanced[[i, j]].abs() + LEAST;
        let v = jacobian[[row, column]];
        if v == 0.0 || v.abs() >= SAFE {
            return rounded;
        }
        let underflow = LEAST + LEAST / time_constants[row].to_double();
        rounded + 2.0 * times_two_to(underflow, block.scale[i] - block.scale[j] - block.exponent)
    })
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

fn slopes_and_kinks<A: Scalar>(members: &Neurons<A>, z: &Array1<A>) -> Result<(Array1<A>, Vec<usize>)> {
    fits_densely(members.len(), "a dense spectrum")?;
    let rounding = |z: A| A::of(8.0) * A::epsilon() * z.abs().max(A::one());
    let mut slopes = z.clone();
    members.slopes(slopes.view_mut());
    let kinks = (0..z.len()).filter(|&i| has_kink(members.activation(i), z[i], rounding(z[i]))).collect();
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
