//! Columns to order: a wanted contrast gain for each layer, a wanted margin, and the weights that have both (theory 7.3).
//!
//! With `p_0 = (1-a)(1+e)`, `s = b_s c` and `l = b_l c` the gain is `Gamma = (p_0 + s + (k-1) l)/(p_0 + s - l)`, and the
//! margin is the `delta` at which `p_delta = (1 - delta - a)(1 - delta + e)` meets the border of theory 6.2. On the border,
//! `p_delta + s - l = p_delta v^2` and `p_delta + s + (k-1) l = p_delta (v+2)^2` for some `v >= 0`. Among all circuits of
//! one gain the margin is largest at `v + 1 = r = (Gamma+1)/(Gamma-1)`, where `p_delta = p_0/r^2`; among all circuits of
//! one margin the gain is largest there too: `Gamma = (sqrt(p_0) + sqrt(p_delta))/(sqrt(p_0) - sqrt(p_delta))`. If this
//! asks for `s < 0` (only with more than four columns) the best is `s = 0`, no inhibition of a column by itself.

use std::fmt;

use ndarray::{Array1, ArrayBase, Data, Ix1};

use super::super::LateralInhibition;
use super::super::lateral_inhibition::{Pattern, contrast};
use super::super::parameters::{magnitude, positive};
use super::{ColumnCertificate, CorticalColumn, Coupling};
use crate::Scalar;
use crate::check::finite;
use crate::error::{Error, Result};

/// What a column should be able to do. ReLU neurons; the mean rate stays the same from layer to layer.
///
/// ```
/// use neuronash::circuits::ColumnDesign;
///
/// let designed = ColumnDesign::new(2).contrast_gain(3.0).margin(0.2).contrasts(0.01, 0.9).solve()?;
/// // 0.01 * 3^5 > 0.9 > 0.01 * 3^4.
/// assert_eq!(designed.column.depth(), 5);
/// designed.certificate.verify(&designed.column)?;
///
/// // With more columns contrast grows more slowly: this many for one column that stands out among ten.
/// let ten = ColumnDesign::new(10).contrast_gain(3.0).margin(0.2).contrasts(0.01, 0.9).solve()?;
/// assert_eq!(ten.column.depth(), 6);
///
/// let impossible = ColumnDesign::new(2).contrast_gain(20.0).margin(0.2).solve();
/// assert!(impossible.unwrap_err().to_string().contains("at most 9"));
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[must_use]
pub struct ColumnDesign<A> {
    columns: usize,
    gain: A,
    margin: A,
    w_ee: A,
    w_ii: A,
    w_ie: A,
    depth: Depth<A>,
}

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Depth<A> {
    Layers(usize),
    Contrasts { initial: A, target: A },
    Input { input: Array1<A>, target: A },
}

/// A column and the proof that it is stable.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DesignedColumn<A: Scalar> {
    /// The column.
    pub column: CorticalColumn<A>,
    /// The proof, with the wanted margin.
    pub certificate: ColumnCertificate,
    /// The largest margin that these weights have.
    pub largest_margin: A,
    /// The contrast gain of each layer.
    pub contrast_gain: A,
}

impl<A: Scalar> ColumnDesign<A> {
    /// One layer of `columns >= 2` columns with contrast gain 2 and margin 0.1; no self-excitation, no self-inhibition,
    /// `w_IE = 1`.
    pub fn new(columns: usize) -> Self {
        Self {
            columns,
            gain: A::of(2.0),
            margin: A::of(0.1),
            w_ee: A::zero(),
            w_ii: A::zero(),
            w_ie: A::one(),
            depth: Depth::Layers(1),
        }
    }

    /// The contrast gain of each layer, 1 or more.
    pub fn contrast_gain(mut self, gain: A) -> Self {
        self.gain = gain;
        self
    }

    /// The stability margin `delta` that the certificate must prove, above 0 and below 1.
    pub fn margin(mut self, margin: A) -> Self {
        self.margin = margin;
        self
    }

    /// Self-excitation `w_EE`.
    pub fn w_ee(mut self, weight: A) -> Self {
        self.w_ee = weight;
        self
    }

    /// Self-inhibition `w_II`.
    pub fn w_ii(mut self, weight: A) -> Self {
        self.w_ii = weight;
        self
    }

    /// Excitation `w_IE` of I by E, above 0. It only sets the scale of the I rates.
    pub fn w_ie(mut self, weight: A) -> Self {
        self.w_ie = weight;
        self
    }

    /// As many layers as this.
    pub fn layers(mut self, depth: usize) -> Self {
        self.depth = Depth::Layers(depth);
        self
    }

    /// As many layers as raise the Michelson contrast from `initial` to `target` or more for *every* input of this contrast, whatever
    /// its pattern. For two columns there is only one pattern; for more, contrast grows most slowly where one column is above
    /// all others, from `c` to `G c/(1 + (G - 1)(1 - 2/k) c)` in layers whose gains multiply to `G` (theory 6.1, 7.2).
    pub fn contrasts(mut self, initial: A, target: A) -> Self {
        self.depth = Depth::Contrasts { initial, target };
        self
    }

    /// As many layers as raise the Michelson contrast of this one input, shape `[columns]`, to `target` or more.
    ///
    /// ```
    /// use ndarray::Array1;
    /// use neuronash::circuits::ColumnDesign;
    /// // Contrast 0.01 in all three; the more columns are above the mean, the sooner the others fall silent.
    /// let layers = |u: [f64; 4]| {
    ///     ColumnDesign::new(4).contrast_gain(1.5).input(&Array1::from_iter(u), 0.9).solve().map(|d| d.column.depth())
    /// };
    /// assert_eq!(layers([1.01, 0.99, 0.99, 0.99])?, 13);
    /// assert_eq!(layers([1.01, 1.01, 0.99, 0.99])?, 12);
    /// assert_eq!(layers([1.01, 1.01, 1.01, 0.99])?, 11);
    /// # Ok::<(), neuronash::Error>(())
    /// ```
    pub fn input<S: Data<Elem = A>>(mut self, input: &ArrayBase<S, Ix1>, target: A) -> Self {
        self.depth = Depth::Input { input: input.to_owned(), target };
        self
    }

    /// The supremum of the contrast gains that a layer with this margin can have, given `w_EE`, `w_II` and the number of
    /// columns.
    ///
    /// # Errors
    /// Parameters outside what their setters allow; [`Error::Infeasible`] if no layer has this margin
    /// (`margin >= 1 - w_EE`).
    pub fn largest_contrast_gain(&self) -> Result<A> {
        self.check()?;
        let (one, two) = (A::one(), A::of(2.0));
        let p_delta = (one - self.margin - self.w_ee) * (one - self.margin + self.w_ii);
        let quotient = self.p() / p_delta;
        let v = (quotient.sqrt() - one).max(one - A::of(4.0 / self.columns as f64));
        let q = quotient - one;
        Ok((q + (v + two).powi(2)) / (q + v * v))
    }

    /// The weights: those of the wanted gain with the largest margin, and the proof of the wanted margin.
    ///
    /// # Errors
    /// [`Error::Infeasible`] with the reason, the largest gain at this margin and the largest margin at this gain, if no
    /// weights have both; parameters outside what their setters allow.
    pub fn solve(&self) -> Result<DesignedColumn<A>> {
        self.check()?;
        let layer = self.best_layer()?;
        let largest_margin = layer.margin()?;
        if largest_margin <= self.margin {
            return self.infeasible(largest_margin);
        }
        let contrast_gain = layer.contrast_gain()?.unwrap_or_else(A::one);
        let depth = self.layers_needed(contrast_gain)?;
        let coupling = Coupling { gain: A::one() / layer.gains()?.common, offset: A::zero() };
        let column = CorticalColumn::uniform(layer, depth, coupling)?;
        match column.certify_margin(self.margin.to_double())? {
            Some(certificate) => Ok(DesignedColumn { column, certificate, largest_margin, contrast_gain }),
            None => self.infeasible(largest_margin),
        }
    }

    /// The depth that was asked for, with layers of this contrast gain.
    fn layers_needed(&self, gain: A) -> Result<usize> {
        let (pattern, initial, target) = match &self.depth {
            Depth::Layers(depth) => return Ok(*depth),
            &Depth::Contrasts { initial, target } => {
                if !(initial > A::zero() && initial <= A::one()) {
                    return Err(Error::invalid("initial", initial, "contrasts above 0 and at most 1"));
                }
                (Pattern::slowest(initial, self.columns), initial, target)
            }
            Depth::Input { input, target } => {
                crate::check::length("input", input.len(), self.columns)?;
                (Pattern::of("input", input)?, contrast(input)?, *target)
            }
        };
        pattern.layers_needed(gain, target)?.map(|layers| layers.max(1)).ok_or_else(|| Error::Infeasible {
            wanted: format!("a contrast of {target} from {initial}"),
            reason: format!("with a contrast gain of {gain} no number of layers is enough"),
        })
    }

    /// The layer of the wanted gain with the largest margin.
    fn best_layer(&self) -> Result<LateralInhibition<A>> {
        let (one, two) = (A::one(), A::of(2.0));
        let (k, p) = (A::of(self.columns as f64), self.p());
        let inverse = (self.gain - one) / (self.gain + one);
        let own = if self.gain > one {
            (p * (A::of(4.0) * inverse / k + one - two * inverse)).max(A::zero())
        } else {
            A::zero()
        };
        let lateral = (self.gain - one) * (p + own) / (self.gain + k - one);
        LateralInhibition::builder(self.columns)
            .w_ee(self.w_ee)
            .w_ii(self.w_ii)
            .w_ie(self.w_ie)
            .w_ei(own / self.w_ie)
            .w_ei_lateral(lateral / self.w_ie)
            .build()
    }

    fn infeasible<T>(&self, largest_margin: A) -> Result<T> {
        let largest_gain = self.largest_contrast_gain()?;
        Err(Error::Infeasible {
            wanted: format!("a contrast gain of {} with margin {}", self.gain, self.margin),
            reason: format!(
                "with w_EE = {}, w_II = {} and {} columns, margin {} allows gains of at most {largest_gain:.4}, and gain \
                 {} allows margins of at most {largest_margin:.4}",
                self.w_ee, self.w_ii, self.columns, self.margin, self.gain
            ),
        })
    }

    fn p(&self) -> A {
        (A::one() - self.w_ee) * (A::one() + self.w_ii)
    }

    fn check(&self) -> Result<()> {
        if self.columns < 2 {
            return Err(Error::invalid("columns", self.columns, "2 or more"));
        }
        if finite("contrast_gain", self.gain)? < A::one() {
            return Err(Error::invalid(
                "contrast_gain",
                self.gain,
                "1 or more: lateral inhibition never lowers contrast",
            ));
        }
        if !(self.margin > A::zero() && self.margin < A::one()) {
            return Err(Error::invalid("margin", self.margin, "numbers above 0 and below 1"));
        }
        magnitude("w_ii", self.w_ii)?;
        positive("w_ie", self.w_ie)?;
        if self.margin >= A::one() - magnitude("w_ee", self.w_ee)? {
            return Err(Error::Infeasible {
                wanted: format!("margin {} with w_EE = {}", self.margin, self.w_ee),
                reason: format!("the margin is below 1 - w_EE = {}, whatever the inhibition", A::one() - self.w_ee),
            });
        }
        Ok(())
    }
}

impl<A: Scalar> fmt::Display for DesignedColumn<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} layers of {} columns, contrast gain {:.6} each, margin {} proved of {:.6} at most",
            self.column.depth(),
            self.column.columns(),
            self.contrast_gain,
            self.certificate.margin(),
            self.largest_margin
        )
    }
}
