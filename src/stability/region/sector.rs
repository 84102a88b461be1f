//! A network seen from one state: how drives, and with them slopes, vary around it.

use ndarray::{Array1, Array2};

use crate::Scalar;
use crate::error::{Error, Result};
use crate::linalg::rounding::{add_up, gamma, sub_down, sub_up};
use crate::network::{Circuit, FormKind};

/// More than what an operation loses that ends below the normal numbers.
pub(super) const UNDERFLOW: f64 = 1e-300;

/// The network around a centre `x^`, in deviations `e` from it: `T e' = T f(x^) + (-I + Lambda W) e` for rates,
/// `Lambda` the secant slopes from the drives of the centre to those of `x^ + e`; `-I + W Lambda` for potentials.
pub(super) struct Sector<'a, A> {
    circuit: &'a Circuit<A>,
    pub(super) form: FormKind,
    pub(super) weights: Array2<f64>,
    pub(super) time_constants: Array1<f64>,
    /// The drive of the centre, and how far off the exact one may be.
    pub(super) drive: Array1<f64>,
    pub(super) drive_error: Vec<f64>,
    /// Bounds on `|T f(x^)|`.
    pub(super) residual: Vec<f64>,
}

/// The slopes `c_i - h_i <= lambda_i <= c_i + h_i`.
pub(super) struct Slopes {
    pub(super) centre: Array1<f64>,
    pub(super) radius: Array1<f64>,
}

impl<'a, A: Scalar> Sector<'a, A> {
    /// Around the state `centre`, for activations computed to the given accuracy.
    pub(super) fn new(circuit: &'a Circuit<A>, form: FormKind, centre: &Array1<A>, accuracy: f64) -> Result<Self> {
        let weights = circuit.weights.to_dense().mapv(Scalar::to_double);
        let time_constants = circuit.time_constants().mapv(Scalar::to_double);
        let n = circuit.len();
        let mut sector = Self {
            circuit,
            form,
            weights,
            time_constants,
            drive: centre.mapv(Scalar::to_double),
            drive_error: vec![0.0; n],
            residual: vec![0.0; n],
        };
        match form {
            FormKind::FiringRate => {
                let x = centre.mapv(Scalar::to_double);
                let errors: Vec<f64> = vec![0.0; n];
                let (drive, drive_error) = sector.driven(&x, &errors);
                sector.drive = drive.mapv(|z| A::of(z).to_double());
                let rounded = drive.iter().zip(&sector.drive).map(|(z, a)| (z - a).abs());
                sector.drive_error = rounded.zip(drive_error).map(|(r, e)| add_up(r, e)).collect();
                let (y, y_error) = sector.rates(accuracy)?;
                sector.residual =
                    (0..n).map(|i| add_up((x[i] - y[i]).abs() * (1.0 + f64::EPSILON), y_error[i])).collect();
            }
            FormKind::Hopfield => {
                let (y, y_error) = sector.rates(accuracy)?;
                let (drive, drive_error) = sector.driven(&y, &y_error);
                let off = |i: usize| (sector.drive[i] - drive[i]).abs() * (1.0 + f64::EPSILON);
                sector.residual = (0..n).map(|i| add_up(off(i), drive_error[i])).collect();
            }
        }
        Ok(sector)
    }

    pub(super) fn len(&self) -> usize {
        self.drive.len()
    }

    /// `W x + u` with bounds on its errors, for `x` with errors up to `of_x`.
    fn driven(&self, x: &Array1<f64>, of_x: &[f64]) -> (Array1<f64>, Vec<f64>) {
        let rounding = gamma(2 * self.len() + 32);
        let rows = self.weights.outer_iter().zip(self.circuit.input.iter()).map(|(row, u)| {
            let u = u.to_double();
            let value = row.dot(x) + u;
            let size = row.iter().zip(x).fold(u.abs(), |s, (w, x)| s + (w * x).abs());
            let passed_on = row.iter().zip(of_x).fold(0.0, |s, (w, e)| s + w.abs() * e);
            (value, (size + value.abs()) * rounding + passed_on * (1.0 + rounding) + UNDERFLOW)
        });
        let (values, errors): (Vec<f64>, Vec<f64>) = rows.unzip();
        (Array1::from_vec(values), errors)
    }

    /// `Phi` of the exact drive, with bounds on its errors.
    fn rates(&self, accuracy: f64) -> Result<(Array1<f64>, Vec<f64>)> {
        let mut rates = Array1::zeros(self.len());
        let mut errors = vec![0.0; self.len()];
        for (i, &z) in self.drive.iter().enumerate() {
            let y = self.circuit.activation(i).activate(A::of(z)).to_double();
            let (_, steepest) =
                self.slopes_between(i, sub_down(z, self.drive_error[i]), add_up(z, self.drive_error[i]))?;
            if !(y.is_finite() && steepest.is_finite()) {
                let name = self.circuit.activation(i).name();
                let value = format!("a state at which {name} has rate {y} and slopes up to {steepest}");
                return Err(Error::invalid("x", value, "states with finite rates and slopes"));
            }
            let size = y.abs() + steepest * z.abs() + A::min_positive_value().to_double();
            rates[i] = y;
            errors[i] = 2.0 * accuracy * size + steepest * self.drive_error[i] * (1.0 + 4.0 * f64::EPSILON);
        }
        Ok((rates, errors))
    }

    /// Bounds on the slopes of neuron `i` at drives from `lower` to `upper`.
    fn slopes_between(&self, i: usize, lower: f64, upper: f64) -> Result<(f64, f64)> {
        let activation = self.circuit.activation(i);
        let range = activation.slope_range_on(-A::at_least(-lower), A::at_least(upper));
        if range.exact && range.min >= A::zero() && range.min <= range.max {
            return Ok((range.min.to_double(), range.max.to_double()));
        }
        let value = format!("an activation with slopes in [{}, {}], not known for certain", range.min, range.max);
        let allowed = "activations with declared slope bounds (`with_slope_range`, `with_slope_range_on`), on which a \
                       regional certificate can rest";
        Err(Error::invalid(activation.name(), value, allowed))
    }

    /// The slopes of all secants from a drive within `core` of the centre to one within `reach`; `None` if one of them
    /// has no bound.
    pub(super) fn secants(&self, core: &[f64], reach: &[f64]) -> Result<Option<Slopes>> {
        let mut slopes = Slopes { centre: Array1::zeros(self.len()), radius: Array1::zeros(self.len()) };
        for i in 0..self.len() {
            let (low, high) = self.secants_of(i, core[i], reach[i])?;
            if !high.is_finite() {
                return Ok(None);
            }
            let centre = 0.5 * (low + high);
            slopes.centre[i] = centre;
            slopes.radius[i] = sub_up(high, centre).max(sub_up(centre, low));
        }
        Ok(Some(slopes))
    }

    /// A secant slope is the mean of the slopes on its way. On a partition of the way, the mean over the first parts
    /// and a piece of the next lies between the means without the piece and with the whole part.
    fn secants_of(&self, i: usize, core: f64, reach: f64) -> Result<(f64, f64)> {
        const PARTS: usize = 32;
        let z = self.drive[i];
        let (left, right) = (sub_down(z, core), add_up(z, core));
        let (mut low, mut high) = self.slopes_between(i, left, right)?;
        let at_core = (low, high);
        let way = reach - core;
        if way <= 0.0 {
            return Ok(at_core);
        }
        for side in [-1.0, 1.0] {
            let start = if side < 0.0 { left } else { right };
            let (mut length, mut least, mut most) = (0.0, 0.0, 0.0);
            let mut from = start;
            for k in 1..=PARTS {
                // Parts are short where the secants are.
                let share = (k as f64 / PARTS as f64).powi(2);
                let to = if k < PARTS { start + side * way * share } else { z + side * reach };
                let to = if k == PARTS && side > 0.0 {
                    to.next_up()
                } else if k == PARTS {
                    to.next_down()
                } else {
                    to
                };
                let part = (to - from).abs();
                let (l, h) = self.slopes_between(i, from.min(to), from.max(to))?;
                (least, most, length) = (least + part * l, most + part * h, length + part);
                for inside in [0.0, 2.0 * core] {
                    let total = length + inside;
                    if total > 0.0 {
                        low = low.min((least + inside * at_core.0) / total);
                        high = high.max((most + inside * at_core.1) / total);
                    }
                }
                if k == 1 {
                    (low, high) = (low.min(l), high.max(h));
                }
                from = to;
            }
        }
        // Sums of nonnegative terms, each with a few roundings.
        let rounding = gamma(8 * PARTS);
        Ok((low * (1.0 - rounding), high * (1.0 + rounding)))
    }

    /// `-I + Lambda W` or `-I + W Lambda`, divided by the time constants.
    pub(super) fn jacobian(&self, slopes: &Array1<f64>) -> Array2<f64> {
        let slope = |i: usize, j: usize| if self.form == FormKind::FiringRate { slopes[i] } else { slopes[j] };
        Array2::from_shape_fn(self.weights.dim(), |(i, j)| {
            (slope(i, j) * self.weights[[i, j]] - if i == j { 1.0 } else { 0.0 }) / self.time_constants[i]
        })
    }

    /// The sizes of the terms of [`jacobian`](Self::jacobian), which cancel on its diagonal.
    pub(super) fn jacobian_sizes(&self, slopes: &Array1<f64>) -> Array2<f64> {
        let slope = |i: usize, j: usize| if self.form == FormKind::FiringRate { slopes[i] } else { slopes[j] };
        Array2::from_shape_fn(self.weights.dim(), |(i, j)| {
            ((slope(i, j) * self.weights[[i, j]]).abs() + if i == j { 1.0 } else { 0.0 }) / self.time_constants[i]
        })
    }

    /// `P B`, `B` the matrix by which changes of rates enter the flow: `T^{-1}` for rates, `T^{-1} W` for potentials.
    pub(super) fn entering(&self, p: &Array2<f64>) -> Array2<f64> {
        let scaled = p / &self.time_constants.view().insert_axis(ndarray::Axis(0));
        match self.form {
            FormKind::FiringRate => scaled,
            FormKind::Hopfield => crate::linalg::product(scaled.view(), self.weights.view()),
        }
    }

    /// Row `i` of the matrix that makes drives of deviations: `W` for rates, `I` for potentials.
    pub(super) fn observed(&self) -> Array2<f64> {
        match self.form {
            FormKind::FiringRate => self.weights.clone(),
            FormKind::Hopfield => Array2::eye(self.len()),
        }
    }
}
