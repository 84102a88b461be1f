//! Weights that are known only roughly: a matrix of intervals.

use ndarray::{Array2, ArrayBase, ArrayView2, Data, Ix2, Zip};

use crate::Scalar;
use crate::check::{finite_matrix, square};
use crate::error::{Error, Result};
use crate::linalg::rounding::{add_up, mul_up, sub_down, sub_up};

/// All matrices `W` with `|w_ij - centre_ij| <= radius_ij`, shape `[n, n]`.
///
/// They stand for weights that were measured with errors, whose signs are not known, or that may be missing, and enclose the Jacobian of
/// a drive that is not linear (theory 3.11, 1.8).
///
/// ```
/// use ndarray::array;
/// use neuronash::network::UncertainWeights;
///
/// // A synapse of -4 known to a tenth, and one of 3 that may be missing.
/// let rough = UncertainWeights::between(&array![[0.5, -4.4], [0.0, 0.0]], &array![[0.5, -3.6], [3.0, 0.0]])?;
/// assert!(rough.contains(&array![[0.5, -4.0], [0.0, 0.0]]));
/// assert!(!rough.contains(&array![[0.5, -3.0], [0.0, 0.0]]));
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct UncertainWeights {
    centre: Array2<f64>,
    radius: Array2<f64>,
}

impl UncertainWeights {
    /// The matrices within `radius` of `centre`, both of shape `[n, n]`.
    ///
    /// # Errors
    /// Matrices that are not square, not of the same shape or not finite, and radii below 0.
    pub fn new<A: Scalar, B: Scalar, S: Data<Elem = A>, T: Data<Elem = B>>(
        centre: &ArrayBase<S, Ix2>,
        radius: &ArrayBase<T, Ix2>,
    ) -> Result<Self> {
        let (centre, radius) = (centre.mapv(Scalar::to_double), radius.mapv(Scalar::to_double));
        same_square("centre", &centre, "radius", &radius)?;
        match radius.indexed_iter().find(|(_, r)| **r < 0.0) {
            Some(((i, j), r)) => Err(Error::invalid(format!("radius[{i}, {j}]"), r, "numbers from 0 up")),
            None => Ok(Self { centre, radius }),
        }
    }

    /// The matrices between two others, shape `[n, n]`, entry by entry; the radii are rounded up.
    ///
    /// # Errors
    /// Matrices that are not square, not of the same shape or not finite, and entries of `lower` above those of `upper`.
    pub fn between<A: Scalar, B: Scalar, S: Data<Elem = A>, T: Data<Elem = B>>(
        lower: &ArrayBase<S, Ix2>,
        upper: &ArrayBase<T, Ix2>,
    ) -> Result<Self> {
        let (lower, upper) = (lower.mapv(Scalar::to_double), upper.mapv(Scalar::to_double));
        same_square("lower", &lower, "upper", &upper)?;
        if let Some(((i, j), low)) = lower.indexed_iter().find(|(at, low)| **low > upper[*at]) {
            let allowed = format!("at most {}, the upper one", upper[[i, j]]);
            return Err(Error::invalid(format!("lower[{i}, {j}]"), low, allowed));
        }
        let centre = Zip::from(&lower).and(&upper).map_collect(|&low, &high| 0.5 * low + 0.5 * high);
        let radius = Zip::from(&lower)
            .and(&upper)
            .and(&centre)
            .map_collect(|&low, &high, &centre| sub_up(high, centre).max(sub_up(centre, low)));
        Ok(Self { centre, radius })
    }

    /// Weights of known magnitude whose signs are not known: all between `-|w_ij|` and `|w_ij|`.
    ///
    /// # Errors
    /// A matrix that is not square or not finite.
    pub fn unknown_signs<A: Scalar, S: Data<Elem = A>>(w: &ArrayBase<S, Ix2>) -> Result<Self> {
        Self::new(&Array2::<f64>::zeros(w.dim()), &w.mapv(|w| w.to_double().abs()))
    }

    /// These weights, any of which may be missing as well: every interval is widened to hold 0.
    ///
    /// # Errors
    /// Intervals whose ends overflow.
    pub fn or_missing(&self) -> Result<Self> {
        let (centre, radius) = (&self.centre, &self.radius);
        let lower = Zip::from(centre).and(radius).map_collect(|&c, &r| sub_down(c, r).min(0.0));
        let upper = Zip::from(centre).and(radius).map_collect(|&c, &r| add_up(c, r).max(0.0));
        Self::between(&lower, &upper)
    }

    /// The same centre with `factor` times the radii, rounded up.
    ///
    /// # Errors
    /// A factor that is negative or not finite, or radii that overflow.
    pub fn with_radius_times(&self, factor: f64) -> Result<Self> {
        if !(factor >= 0.0 && factor.is_finite()) {
            return Err(Error::invalid("factor", factor, "finite numbers from 0 up"));
        }
        Self::new(&self.centre, &self.radius.mapv(|r| mul_up(r, factor)))
    }

    /// The neurons `members` among themselves, in that order: what is left when all others are silent.
    ///
    /// # Errors
    /// No members, or one that does not exist.
    pub fn restricted_to(&self, members: &[usize]) -> Result<Self> {
        members_exist(members, self.len())?;
        let block = |m: &Array2<f64>| {
            Array2::from_shape_fn((members.len(), members.len()), |(i, j)| m[[members[i], members[j]]])
        };
        Ok(Self { centre: block(&self.centre), radius: block(&self.radius) })
    }

    /// The number of neurons.
    pub fn len(&self) -> usize {
        self.centre.nrows()
    }

    /// Never: there is at least one neuron.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The centres, shape `[n, n]`.
    pub fn centre(&self) -> ArrayView2<'_, f64> {
        self.centre.view()
    }

    /// The radii, shape `[n, n]`.
    pub fn radius(&self) -> ArrayView2<'_, f64> {
        self.radius.view()
    }

    /// Whether `w`, shape `[n, n]`, is one of these matrices; of one at the very end of an interval rounding may say that it is not.
    pub fn contains<A: Scalar, S: Data<Elem = A>>(&self, w: &ArrayBase<S, Ix2>) -> bool {
        let is_near = |((at, &c), &r): (((usize, usize), &f64), &f64)| {
            let w = w[at].to_double();
            sub_up(w.max(c), w.min(c)) <= r
        };
        w.dim() == self.centre.dim() && self.centre.indexed_iter().zip(&self.radius).all(is_near)
    }

    /// Upper bounds on the magnitudes `|w_ij|`, shape `[n, n]`.
    pub fn magnitudes(&self) -> Array2<f64> {
        Zip::from(&self.centre).and(&self.radius).map_collect(|c, &r| add_up(c.abs(), r))
    }
}

/// That there are members, and that all are among `n` neurons.
pub(crate) fn members_exist(members: &[usize], n: usize) -> Result<()> {
    if members.is_empty() {
        return Err(Error::Empty { argument: "members".into() });
    }
    match members.iter().enumerate().find(|(k, i)| **i >= n || members[..*k].contains(i)) {
        Some((k, i)) => Err(Error::invalid(format!("members[{k}]"), i, format!("different neurons among 0..{n}"))),
        None => Ok(()),
    }
}

fn same_square(name: &str, a: &Array2<f64>, other: &str, b: &Array2<f64>) -> Result<()> {
    square(name, a.nrows(), a.ncols())?;
    if a.dim() != b.dim() {
        return Err(Error::shape(other, format!("[{}, {}]", a.nrows(), a.ncols()), b.shape()));
    }
    finite_matrix(name, a.view())?;
    finite_matrix(other, b.view())
}
