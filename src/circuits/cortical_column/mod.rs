//! The cortical column: layers of lateral inhibition, one behind the other, that sharpen contrast (theory 7).

mod certificate;
mod design;
mod prediction;
mod response;

pub use certificate::{ColumnCertificate, ColumnParameters, ColumnRefutation, ColumnVerdict};
pub use design::{ColumnDesign, DesignedColumn};
pub use prediction::{LawEnd, PredictedContrast};
pub use response::ColumnResponse;

use std::fmt;

use ndarray::{Array1, ArrayBase, Data, Ix1};
use sprs::TriMat;

use super::LateralInhibition;
use super::parameters::{countable, positive};
use crate::Scalar;
use crate::check::finite;
use crate::error::{Error, Result};
use crate::network::{FiringRateNetwork, Members, Weights};

/// How one layer drives the next: `u_j = gain x_Ej + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Coupling<A> {
    /// Weight from each E neuron onto the E neuron of the same column in the next layer, above 0.
    pub gain: A,
    /// Constant input to the E neurons of the next layer.
    pub offset: A,
}

/// `L` layers of [`LateralInhibition`] with the same number `k` of columns; the E rates of one layer drive the next.
///
/// As a network, neurons are numbered layer by layer, within a layer `E1, I1, E2, I2, ...`: `2 k L` neurons, stored
/// sparse.
///
/// ```
/// use ndarray::array;
/// use neuronash::circuits::cortical_column::{ColumnVerdict, CorticalColumn, Coupling};
/// use neuronash::circuits::LateralInhibition;
///
/// let layer = LateralInhibition::<f64>::builder(2).w_ee(0.5).w_ei(1.0).w_ei_lateral(0.5).w_ie(1.0).build()?;
/// let column = CorticalColumn::uniform(layer, 4, Coupling { gain: 2.0, offset: 0.0 })?;
/// // Each layer doubles the contrast: from 1 % to 16 %.
/// let predicted = column.predicted_contrast(&array![1.01, 0.99])?;
/// assert!((predicted.layers[3] - 0.16).abs() < 1e-12);
/// let ColumnVerdict::Stable(certificate) = column.certify()? else { panic!("every layer is stable") };
/// certificate.verify(&column)?;
/// # Ok::<(), neuronash::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CorticalColumn<A: Scalar> {
    layers: Vec<LateralInhibition<A>>,
    couplings: Vec<Coupling<A>>,
}

impl<A: Scalar> CorticalColumn<A> {
    /// A column of the given layers, input layer first, with one coupling between each two neighbours.
    ///
    /// # Errors
    /// No layers, layers with different numbers of columns, a number of couplings other than one less than that of
    /// layers, gains that are not positive, offsets that are not finite.
    pub fn new(layers: Vec<LateralInhibition<A>>, couplings: Vec<Coupling<A>>) -> Result<Self> {
        let Some(first) = layers.first() else {
            return Err(Error::Empty { argument: "layers".into() });
        };
        let k = first.columns();
        if let Some((l, layer)) = layers.iter().enumerate().find(|(_, layer)| layer.columns() != k) {
            return Err(Error::invalid(
                format!("layers[{l}]"),
                format!("a circuit of {} columns", layer.columns()),
                format!("circuits of {k} columns, like the first"),
            ));
        }
        if couplings.len() + 1 != layers.len() {
            return Err(Error::shape("couplings", format!("[{}]", layers.len() - 1), &[couplings.len()]));
        }
        for (l, coupling) in couplings.iter().enumerate() {
            positive(&format!("couplings[{l}].gain"), coupling.gain)?;
            finite(&format!("couplings[{l}].offset"), coupling.offset)?;
        }
        Ok(Self { layers, couplings })
    }

    /// A column of `depth >= 1` layers that are all alike.
    ///
    /// # Errors
    /// A depth of 0 or beyond what memory can hold, a gain that is not positive, an offset that is not finite.
    pub fn uniform(layer: LateralInhibition<A>, depth: usize, coupling: Coupling<A>) -> Result<Self> {
        if depth == 0 {
            return Err(Error::invalid("depth", depth, "1 or more layers"));
        }
        countable::<LateralInhibition<A>>("depth", depth, 1)?;
        Self::new(vec![layer; depth], vec![coupling; depth - 1])
    }

    /// The layers, input layer first.
    pub fn layers(&self) -> &[LateralInhibition<A>] {
        &self.layers
    }

    /// The couplings; entry `l` leads from layer `l` to layer `l + 1`.
    pub fn couplings(&self) -> &[Coupling<A>] {
        &self.couplings
    }

    /// Number of layers `L`.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// Number of columns `k` in each layer.
    pub fn columns(&self) -> usize {
        self.layers[0].columns()
    }

    /// Number of neurons, `2 k L`.
    pub fn neurons(&self) -> usize {
        2 * self.columns() * self.depth()
    }

    /// The column as one sparse network with populations `E1`, `I1`, `E2`, ..., a pair for each layer; `input` has shape
    /// `[k]` and reaches the E neurons of the first layer.
    ///
    /// # Errors
    /// An input of the wrong length or with entries that are not finite.
    pub fn network<S: Data<Elem = A>>(&self, input: &ArrayBase<S, Ix1>) -> Result<FiringRateNetwork<A>> {
        let (k, n) = (self.columns(), self.neurons());
        crate::check::finite_vector("input", input.view(), k)?;
        let mut weights = TriMat::new((n, n));
        let mut u = Array1::zeros(n);
        let mut tau = Array1::zeros(n);
        for (l, layer) in self.layers.iter().enumerate() {
            let first = 2 * k * l;
            for ((i, j), &w) in layer.weights().indexed_iter().filter(|(_, w)| **w != A::zero()) {
                weights.add_triplet(first + i, first + j, w);
            }
            for j in 0..k {
                let e = first + 2 * j;
                tau[e] = layer.tau_e();
                tau[e + 1] = layer.tau_i();
                u[e] = if l == 0 { input[j] } else { self.couplings[l - 1].offset };
                if l > 0 {
                    weights.add_triplet(e, e - 2 * k, self.couplings[l - 1].gain);
                }
            }
        }
        let mut builder = FiringRateNetwork::builder(Weights::sparse(weights.to_csr())?).time_constants(&tau).input(&u);
        for (l, layer) in self.layers.iter().enumerate() {
            let every_other = |start: usize| Members::List((2 * k * l + start..2 * k * (l + 1)).step_by(2).collect());
            let (phi_e, phi_i) = layer.activations();
            builder = builder.shared_population(format!("E{}", l + 1), every_other(0), phi_e).shared_population(
                format!("I{}", l + 1),
                every_other(1),
                phi_i,
            );
        }
        builder.build()
    }

    /// Whether the column is Lyapunov diagonally stable: iff every layer is (theory 7.1), as
    /// [`LateralInhibition::is_diagonally_stable`] decides.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded, known from samples only, or all zero.
    pub fn is_diagonally_stable(&self) -> Result<bool> {
        self.layers.iter().try_fold(true, |all, layer| Ok(layer.is_diagonally_stable()? && all))
    }

    /// The stability margin `delta*` of theory 3.3: the smallest of the layers' margins, since weights between layers cost
    /// none.
    ///
    /// # Errors
    /// An activation whose slopes are unbounded, known from samples only, or all zero.
    pub fn margin(&self) -> Result<A> {
        self.layers.iter().try_fold(A::infinity(), |least, layer| Ok(least.min(layer.margin()?)))
    }
}

impl<A: Scalar> fmt::Display for CorticalColumn<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "cortical column: {} layers of {} columns, {} neurons",
            self.depth(),
            self.columns(),
            self.neurons()
        )?;
        for (l, layer) in self.layers.iter().enumerate() {
            writeln!(f, "  layer {}: {layer}", l + 1)?;
        }
        Ok(())
    }
}
