//! Nullclines: where one of the two rates stands still.

use std::fmt;

use super::WilsonCowan;
use crate::Scalar;
use crate::error::{Error, Result};

/// A rectangle of rates, for curves and pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Window<A> {
    /// Smallest and largest rate of E.
    pub x_e: [A; 2],
    /// Smallest and largest rate of I.
    pub x_i: [A; 2],
}

/// The two nullclines inside a window, as polylines of points `[x_E, x_I]`.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Nullclines<A> {
    /// Where E stands still: `x_E = phi_E(w_EE x_E - w_EI x_I + u_E)`. Several pieces where the curve leaves the window.
    pub excitatory: Vec<Vec<[A; 2]>>,
    /// Where I stands still: `x_I = phi_I(w_IE x_E - w_II x_I + u_I)`, a nondecreasing function of `x_E`.
    pub inhibitory: Vec<Vec<[A; 2]>>,
}

impl<A: Scalar> WilsonCowan<A> {
    /// Both nullclines inside `window`, sampled at `samples` places each.
    ///
    /// The E nullcline is followed along its drive `z`: `x_E = phi_E(z)`, `x_I = (w_EE x_E + u_E - z)/w_EI`, which goes
    /// through folds and vertical pieces. Without inhibition of E (`w_EI = 0`) it is a vertical line at each E rate that
    /// balances itself.
    ///
    /// # Errors
    /// A window that is empty or not finite, fewer than 2 samples, or an activation that returns a number that is not finite.
    pub fn nullclines(&self, window: Window<A>, samples: usize) -> Result<Nullclines<A>> {
        for (name, [low, high]) in [("window.x_e", window.x_e), ("window.x_i", window.x_i)] {
            super::finite(name, low)?;
            super::finite(name, high)?;
            if low >= high {
                return Err(Error::invalid(name, format!("[{low}, {high}]"), "an interval of positive length"));
            }
        }
        if samples < 2 {
            return Err(Error::invalid("samples", samples, "2 or more"));
        }
        Ok(Nullclines {
            excitatory: self.excitatory_nullcline(window, samples)?,
            inhibitory: self.inhibitory_nullcline(window, samples)?,
        })
    }

    fn excitatory_nullcline(&self, window: Window<A>, samples: usize) -> Result<Vec<Vec<[A; 2]>>> {
        let p = &self.parts;
        if p.w_ei == A::zero() {
            let alone = self.equilibria_within(window.x_e[0], window.x_e[1])?;
            return Ok(alone
                .points()
                .iter()
                .map(|point| window.x_i.iter().map(|&x_i| [point.rates()[0], x_i]).collect())
                .collect());
        }
        let z_low = p.w_ee * window.x_e[0] - p.w_ei * window.x_i[1] + p.u_e;
        let z_high = p.w_ee * window.x_e[1] - p.w_ei * window.x_i[0] + p.u_e;
        let curve = grid(z_low, z_high, samples).map(|z| {
            let x_e = p.phi_e.activate(z);
            Ok([x_e, (p.w_ee * x_e + p.u_e - z) / p.w_ei])
        });
        pieces(curve, window)
    }

    fn inhibitory_nullcline(&self, window: Window<A>, samples: usize) -> Result<Vec<Vec<[A; 2]>>> {
        let curve = grid(window.x_e[0], window.x_e[1], samples).map(|x_e| Ok([x_e, self.inhibitory_rate(x_e)?]));
        pieces(curve, window)
    }
}

fn grid<A: Scalar>(low: A, high: A, samples: usize) -> impl Iterator<Item = A> {
    (0..samples).map(move |i| low + (high - low) * A::of(i as f64 / (samples - 1) as f64))
}

/// The parts of a curve inside the window, each extended to the point where it crosses the border.
fn pieces<A: Scalar>(curve: impl Iterator<Item = Result<[A; 2]>>, window: Window<A>) -> Result<Vec<Vec<[A; 2]>>> {
    let inside = |[x, y]: [A; 2]| x >= window.x_e[0] && x <= window.x_e[1] && y >= window.x_i[0] && y <= window.x_i[1];
    let mut pieces: Vec<Vec<[A; 2]>> = Vec::new();
    let mut previous: Option<[A; 2]> = None;
    for point in curve {
        let point = point?;
        let was_inside = previous.is_some_and(inside);
        match (was_inside, inside(point)) {
            (true, true) => pieces.last_mut().expect("a piece is open").push(point),
            (false, true) => {
                let entry = previous.map(|outside| crossing(point, outside, window));
                pieces.push(entry.into_iter().chain([point]).collect());
            }
            (true, false) => {
                let last = previous.expect("there was a point inside");
                pieces.last_mut().expect("a piece is open").push(crossing(last, point, window));
            }
            (false, false) => {}
        }
        previous = Some(point);
    }
    Ok(pieces)
}

/// Where the segment from a point inside to one outside leaves the window.
fn crossing<A: Scalar>(inside: [A; 2], outside: [A; 2], window: Window<A>) -> [A; 2] {
    let mut t = A::one();
    for (axis, [low, high]) in [window.x_e, window.x_i].into_iter().enumerate() {
        let step = outside[axis] - inside[axis];
        let limit = if outside[axis] > high {
            high
        } else if outside[axis] < low {
            low
        } else {
            continue;
        };
        t = t.min((limit - inside[axis]) / step);
    }
    let along =
        |axis: usize, [low, high]: [A; 2]| (inside[axis] + t * (outside[axis] - inside[axis])).max(low).min(high);
    [along(0, window.x_e), along(1, window.x_i)]
}

impl<A: Scalar> fmt::Display for Nullclines<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |pieces: &[Vec<[A; 2]>]| (pieces.len(), pieces.iter().map(Vec::len).sum::<usize>());
        let ((pe, ne), (pi, ni)) = (count(&self.excitatory), count(&self.inhibitory));
        write!(f, "E nullcline: {ne} points in {pe} pieces; I nullcline: {ni} points in {pi} pieces")
    }
}
