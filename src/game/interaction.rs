//! What neurons do to each other: an open trait, of which synapses are the built-in implementation.

use std::fmt::Debug;

use ndarray::{Array1, Array2, ArrayView1, ArrayViewMut1, Zip};

use crate::Scalar;
use crate::activation::{Domain, integral};
use crate::network::{UncertainWeights, Weights};

/// An interaction: the drives `z(x, u) = x - F(x, u)` of `n` neurons, where `F_i = dE_int_i/dx_i` is the slope of neuron `i`'s
/// interaction cost in its own rate (theory 1.8). The flow is `T x' = -x + Phi(z(x, u))`.
///
/// [`Weights`] implement it: synapses have the drives `W x + u`. Divisive normalisation, shunting inhibition, terms of three
/// neurons and synapses that depend on the input are others. A [`NeuralGame`](super::NeuralGame) takes any of them.
///
/// Required are the number of neurons and their drives; the rest has defaults:
///
/// | method | default | what is lost by it |
/// |---|---|---|
/// | [`drive_of`](Self::drive_of) | one entry of [`drive`](Self::drive) | play in turn costs all drives for every move |
/// | [`own`](Self::own) | [`Own::Unknown`] | best responses are judged by samples along the neuron's rate |
/// | [`cost`](Self::cost) | quadrature along the neuron's rate | about 1e-13 of the cost, and 15 to 10^4 drives |
/// | [`jacobian_product`](Self::jacobian_product) | differences | half of the digits; no [`linearise`](super::NeuralGame::linearise) |
/// | [`domain`](Self::domain) | all rates | |
/// | [`jacobian_enclosure`](Self::jacobian_enclosure) | none | nothing is certified |
/// | [`rounding_errors`](Self::rounding_errors) | none | certified games have no error bounds |
///
/// The rates `x`, the input `u` and the drives `z` have shape `[n]`. All methods are pure: the same arguments, the same answer.
/// A network holds one `Arc<dyn InteractionCost<A>>` and makes one virtual call per step.
///
/// ```
/// use ndarray::{ArrayView1, ArrayViewMut1, array};
/// use neuronash::activation::Relu;
/// use neuronash::game::{InteractionCost, NeuralGame};
///
/// /// Every neuron is driven by its input, divided by one plus the rates of all.
/// #[derive(Debug)]
/// struct Pool(usize);
///
/// impl InteractionCost<f64> for Pool {
///     fn neurons(&self) -> usize {
///         self.0
///     }
///     fn drive(&self, x: ArrayView1<'_, f64>, u: ArrayView1<'_, f64>, mut z: ArrayViewMut1<'_, f64>) {
///         z.assign(&(&u / (1.0 + x.sum())));
///     }
/// }
///
/// let game = NeuralGame::builder(Pool(2)).activation(Relu).input(&array![4.0, 2.0]).build()?;
/// // s (1 + s) = 6 for the sum s of the rates.
/// let rest = game.equilibrium().solve()?;
/// assert!((rest.state()[0] - 4.0 / 3.0).abs() < 1e-11);
/// assert!(game.is_nash(&rest.state(), 1e-10)?.holds());
/// # Ok::<(), neuronash::Error>(())
/// ```
pub trait InteractionCost<A: Scalar>: Debug + Send + Sync {
    /// A short name with parameters, for messages.
    fn name(&self) -> String {
        "interaction".into()
    }

    /// The number of neurons, at least 1.
    fn neurons(&self) -> usize;

    /// Writes the drives `z(x, u)` of all neurons.
    fn drive(&self, x: ArrayView1<'_, A>, u: ArrayView1<'_, A>, z: ArrayViewMut1<'_, A>);

    /// The drive of one neuron.
    fn drive_of(&self, neuron: usize, x: ArrayView1<'_, A>, u: ArrayView1<'_, A>) -> A {
        let mut z = Array1::zeros(self.neurons());
        self.drive(x, u, z.view_mut());
        z[neuron]
    }

    /// What is known of a neuron's drive as a function of its own rate, while the others stay at `x`. It must not depend on
    /// `x[neuron]` itself.
    fn own(&self, neuron: usize, x: ArrayView1<'_, A>, u: ArrayView1<'_, A>) -> Own<A> {
        let _ = (neuron, x, u);
        Own::Unknown
    }

    /// The interaction cost `E_int_i = int_0^{x_i} (s - z_i(s, x_-i, u)) ds`, from the end of the domain nearest to 0 if it does
    /// not hold 0. A constant that does not depend on the neuron's own rate may be added.
    fn cost(&self, neuron: usize, x: ArrayView1<'_, A>, u: ArrayView1<'_, A>) -> A {
        let domain = self.domain(neuron);
        let from = A::zero().max(domain.lower).min(domain.upper);
        let mut along = x.to_owned();
        let place = std::cell::RefCell::new(&mut along);
        let pull = |s: A| {
            let mut along = place.borrow_mut();
            along[neuron] = s;
            s - self.drive_of(neuron, along.view(), u)
        };
        let noise = A::epsilon() * (x[neuron].abs() + self.drive_of(neuron, x, u).abs());
        integral(pull, from, x[neuron], noise)
    }

    /// Writes `J v`, where `J` is the Jacobian of the drives with respect to the rates at `x`.
    ///
    /// The default takes central differences, for which the drives are asked at rates a little outside the domain if `x` lies
    /// at its end. They are good enough for Newton's method, and for nothing that is called a bound.
    fn jacobian_product(
        &self,
        x: ArrayView1<'_, A>,
        u: ArrayView1<'_, A>,
        v: ArrayView1<'_, A>,
        mut out: ArrayViewMut1<'_, A>,
    ) {
        let largest = |v: ArrayView1<'_, A>| v.iter().fold(A::zero(), |m, v| m.max(v.abs()));
        let length = largest(v);
        if length == A::zero() {
            return out.fill(A::zero());
        }
        let step = A::epsilon().cbrt() * (A::one() + largest(x)) / length;
        let mut behind = Array1::zeros(x.len());
        let moved = |sign: A| Zip::from(x).and(v).map_collect(|&x, &v| x + sign * step * v);
        self.drive(moved(A::one()).view(), u, out.view_mut());
        self.drive(moved(-A::one()).view(), u, behind.view_mut());
        out.zip_mut_with(&behind, |ahead, &behind| *ahead = (*ahead - behind) / (step + step));
    }

    /// Whether [`jacobian_product`](Self::jacobian_product) is overridden by one that is exact to rounding.
    fn has_jacobian(&self) -> bool {
        false
    }

    /// A box of matrices that holds the Jacobian of the drives at all rates of the domain, under the input `u`: with it,
    /// [`NeuralGame::certify`](super::NeuralGame::certify) may prove that the game settles. Proofs rest on it.
    fn jacobian_enclosure(&self, u: ArrayView1<'_, A>) -> Option<UncertainWeights> {
        let _ = u;
        None
    }

    /// Bounds on the rounding errors of the computed [`drive`](Self::drive) at `x`, shape `[n]`: with them, a certified game tells how far
    /// a state can be from its equilibrium. Proofs rest on them.
    fn rounding_errors(&self, x: ArrayView1<'_, A>, u: ArrayView1<'_, A>) -> Option<Array1<f64>> {
        let _ = (x, u);
        None
    }

    /// The rates of a neuron for which the interaction is defined. They must hold all rates of its activation, whose
    /// [domain](crate::activation::ActivationCost::domain) the flow never leaves once it is there.
    fn domain(&self, neuron: usize) -> Domain<A> {
        let _ = neuron;
        Domain::everything()
    }
}

/// What is known of a neuron's drive as a function of its own rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Own<A> {
    /// `z_i = self_weight x_i + others`: best responses are found as for synapses, ties included (theory 2.1). Both numbers are
    /// those of the others and of the input alone.
    Affine {
        /// `dz_i/dx_i`.
        self_weight: A,
        /// The drive at the rate 0.
        others: A,
    },
    /// `least <= dz_i/dx_i <= most` over the neuron's domain, while the others stay. With `most rho_i < 1` the best response is
    /// unique and is found by a bracketed Newton's method. Otherwise every stationary rate that the bounds do not rule out is
    /// looked for in an interval of drives that is chosen by samples.
    Bounded {
        /// A lower bound on `dz_i/dx_i`.
        least: A,
        /// An upper bound on `dz_i/dx_i`.
        most: A,
    },
    /// Nothing. Best responses are the best of the local minima that show on a grid of about a thousand drives.
    Unknown,
}

/// Synapses: `z = W x + u`, with the interaction cost `x_i^2/2 - w_ii x_i^2/2 - x_i (sum_{j != i} w_ij x_j + u_i)` (theory 1.3).
impl<A: Scalar> InteractionCost<A> for Weights<A> {
    fn name(&self) -> String {
        "synapses".into()
    }

    fn neurons(&self) -> usize {
        self.len()
    }

    fn drive(&self, x: ArrayView1<'_, A>, u: ArrayView1<'_, A>, mut z: ArrayViewMut1<'_, A>) {
        self.dot_into(x, z.view_mut());
        let zip = Zip::from(z).and(u);
        let add = |z: &mut A, &u: &A| *z += u;
        #[cfg(feature = "rayon")]
        if x.len() >= 1 << 15 {
            return zip.par_for_each(add);
        }
        zip.for_each(add);
    }

    fn drive_of(&self, neuron: usize, x: ArrayView1<'_, A>, u: ArrayView1<'_, A>) -> A {
        self.row(neuron).map(|(j, w)| w * x[j]).sum::<A>() + u[neuron]
    }

    fn own(&self, neuron: usize, x: ArrayView1<'_, A>, u: ArrayView1<'_, A>) -> Own<A> {
        let others: A = self.row(neuron).filter(|&(j, _)| j != neuron).map(|(j, w)| w * x[j]).sum();
        Own::Affine { self_weight: self.get(neuron, neuron), others: others + u[neuron] }
    }

    fn cost(&self, neuron: usize, x: ArrayView1<'_, A>, u: ArrayView1<'_, A>) -> A {
        let Own::Affine { self_weight, others } = self.own(neuron, x, u) else { return A::nan() };
        affine_cost(self_weight, others, x[neuron])
    }

    fn jacobian_product(
        &self,
        _x: ArrayView1<'_, A>,
        _u: ArrayView1<'_, A>,
        v: ArrayView1<'_, A>,
        out: ArrayViewMut1<'_, A>,
    ) {
        self.dot_into(v, out);
    }

    fn has_jacobian(&self) -> bool {
        true
    }

    fn jacobian_enclosure(&self, _u: ArrayView1<'_, A>) -> Option<UncertainWeights> {
        let w = self.to_dense();
        UncertainWeights::new(&w, &Array2::<f64>::zeros(w.dim())).ok()
    }

    /// `gamma_k (|W| |x| + |u|)` for `k` terms, whatever the order of summation.
    fn rounding_errors(&self, x: ArrayView1<'_, A>, u: ArrayView1<'_, A>) -> Option<Array1<f64>> {
        let unit = A::epsilon().to_double();
        let error = |i: usize| {
            let (mut size, mut terms) = (u[i].to_double().abs(), 4.0);
            for (j, w) in self.row(i) {
                size += (w.to_double() * x[j].to_double()).abs();
                terms += 1.0;
            }
            // Twice the unit roundoff, for the roundings of the bound itself, and what may underflow.
            2.0 * terms * unit * size / (1.0 - terms * unit) + terms * A::min_positive_value().to_double()
        };
        Some((0..self.len()).map(error).collect())
    }
}

/// `s^2/2 - w s^2/2 - c s`.
pub(super) fn affine_cost<A: Scalar>(self_weight: A, others: A, rate: A) -> A {
    rate * (A::of(0.5) * rate * (A::one() - self_weight) - others)
}
