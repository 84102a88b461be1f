//! External inputs that change in time.

use std::cell::RefCell;
use std::fmt;

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayViewMut1, Data, Ix1, Ix2};

use super::ode::NODES;
use crate::Scalar;
use crate::error::{Error, Result};

type Function<'a, A> = dyn Fn(A, ArrayViewMut1<'_, A>) + 'a;

/// The input `u(t)` of a simulation.
pub(super) enum Input<'a, A> {
    /// The network's own.
    Constant,
    /// The network's own until the first time, then one row from each time on.
    Steps { times: Vec<A>, values: Array2<A> },
    /// Anything, written into a vector of shape `[n]`.
    Function(Box<Function<'a, A>>),
}

impl<A> fmt::Debug for Input<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Input::Constant => "Constant",
            Input::Steps { .. } => "Steps",
            Input::Function(_) => "Function",
        })
    }
}

/// A stretch of time without a jump of the input.
#[derive(Debug)]
pub(super) struct Segment<A> {
    pub(super) start: A,
    pub(super) end: A,
}

impl<'a, A: Scalar> Input<'a, A> {
    pub(super) fn steps<S, T>(times: &ArrayBase<S, Ix1>, values: &ArrayBase<T, Ix2>) -> Self
    where
        S: Data<Elem = A>,
        T: Data<Elem = A>,
    {
        Input::Steps { times: times.to_vec(), values: values.to_owned() }
    }

    pub(super) fn check(&self, n: usize) -> Result<()> {
        let Input::Steps { times, values } = self else { return Ok(()) };
        if values.dim() != (times.len(), n) {
            let expected = format!("[{}, {n}] (one row per time)", times.len());
            return Err(Error::shape("input_steps values", expected, values.shape()));
        }
        increasing("input_steps times", times)?;
        match values.indexed_iter().find(|(_, v)| !v.is_finite()) {
            None => Ok(()),
            Some(((k, i), v)) => Err(Error::NonFinite {
                argument: format!("input at t = {}", times[k]),
                index: vec![i],
                value: v.to_double(),
            }),
        }
    }

    /// Cuts `[start, end]` at the jumps.
    pub(super) fn segments(&self, start: A, end: A) -> Vec<Segment<A>> {
        let jumps = if let Input::Steps { times, .. } = self { times.as_slice() } else { &[] };
        let first = jumps.partition_point(|&t| t <= start);
        let mut cuts = vec![start];
        cuts.extend(jumps[first..].iter().copied().take_while(|&t| t < end));
        cuts.push(end);
        cuts.windows(2).map(|pair| Segment { start: pair[0], end: pair[1] }).collect()
    }

    pub(super) fn function(&self) -> Option<&Function<'a, A>> {
        match self {
            Input::Function(f) => Some(&**f),
            _ => None,
        }
    }
}

/// The input at the time of an evaluation.
pub(super) struct Current<'f, A> {
    input: &'f Input<'f, A>,
    own: ArrayView1<'f, A>,
    value: RefCell<Array1<A>>,
}

impl<'f, A: Scalar> Current<'f, A> {
    /// `own` is the network's input.
    pub(super) fn new(input: &'f Input<'f, A>, own: ArrayView1<'f, A>) -> Self {
        Self { input, own, value: RefCell::new(own.to_owned()) }
    }

    /// Brings a piecewise constant [`value`](Self::value) to the one that holds from time `t` on.
    pub(super) fn jump_to(&self, t: A) {
        let Input::Steps { times, values } = self.input else { return };
        let held = match times.partition_point(|&jump| jump <= t) {
            0 => self.own,
            k => values.row(k - 1),
        };
        self.value.borrow_mut().assign(&held);
    }

    /// Brings the [`value`](Self::value) of a function to time `t`.
    pub(super) fn move_to(&self, t: A) -> Result<()> {
        let Input::Function(function) = self.input else { return Ok(()) };
        let mut value = self.value.borrow_mut();
        function(t, value.view_mut());
        match value.iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(i) => Err(Error::NonFinite {
                argument: format!("input at t = {t}"),
                index: vec![i],
                value: value[i].to_double(),
            }),
        }
    }

    /// The time of the first feature of a function between `from` and `to` that the stages of a step do not show, if
    /// there is one that matters.
    ///
    /// The function is asked at places no more than `spacing` apart, and compared with the polynomial through its
    /// values at the stages. What it adds to the polynomial at one place, times the distance of the places, is an
    /// impulse to the neurons that the step did not give them; `weight` says for neuron `i` what it is in units of what
    /// a step may err. The root mean squares of all impulses must not add up to more than 1.
    pub(super) fn first_unseen(&self, from: A, to: A, spacing: A, weight: impl Fn(usize) -> A) -> Result<Option<A>> {
        const DISTINCT: usize = NODES.len() - 1;
        const ROUNDING: f64 = 16.0;

        let h = to - from;
        let places = (h / spacing).ceil().to_usize().unwrap_or(usize::MAX);
        if !matches!(self.input, Input::Function(_)) || places < 2 {
            return Ok(None);
        }
        let at = |s: f64| if s == 1.0 { to } else { from + h * A::of(s) };
        let mut stages = Vec::with_capacity(DISTINCT);
        for s in &NODES[..DISTINCT] {
            self.move_to(at(*s))?;
            stages.push(self.value().clone());
        }
        let distance = h / A::of(places as f64);
        let (mut total, mut first) = (A::zero(), None);
        for place in 1..places {
            let s = place as f64 / places as f64;
            self.move_to(at(s))?;
            let polynomial = interpolation_weights(&NODES[..DISTINCT], s).map(A::of);
            let mut squares = A::zero();
            for (i, &value) in self.value().iter().enumerate() {
                let (mut gap, mut size) = (value, value.abs());
                for (&c, stage) in polynomial.iter().zip(&stages) {
                    gap -= c * stage[i];
                    size += (c * stage[i]).abs();
                }
                let gap = (gap.abs() - A::of(ROUNDING) * A::epsilon() * size).max(A::zero());
                let impulse = gap * distance * weight(i);
                squares += impulse * impulse;
            }
            let share = (squares / A::of(self.own.len() as f64)).sqrt();
            total += share;
            if share * A::of(places as f64) > A::one() {
                first.get_or_insert(at(s));
            }
        }
        self.move_to(to)?;
        Ok(first.filter(|_| total > A::one()))
    }

    pub(super) fn value(&self) -> std::cell::Ref<'_, Array1<A>> {
        self.value.borrow()
    }
}

/// What the values at the nodes count in the value at `s` of the polynomial through them (Lagrange).
fn interpolation_weights(nodes: &[f64], s: f64) -> [f64; NODES.len() - 1] {
    std::array::from_fn(|k| {
        let others = nodes.iter().enumerate().filter(|(j, _)| *j != k);
        others.map(|(_, c)| (s - c) / (nodes[k] - c)).product()
    })
}

/// Checks that times are finite and strictly increasing.
pub(super) fn increasing<A: Scalar>(argument: &str, times: &[A]) -> Result<()> {
    if let Some((i, t)) = times.iter().enumerate().find(|(_, t)| !t.is_finite()) {
        return Err(Error::NonFinite { argument: argument.into(), index: vec![i], value: t.to_double() });
    }
    match times.windows(2).position(|w| w[0] >= w[1]) {
        None => Ok(()),
        Some(i) => Err(Error::invalid(
            format!("{argument}[{}]", i + 1),
            times[i + 1],
            format!("times above the one before, {}", times[i]),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polynomial_of_degree_five_shows_nothing_and_a_pulse_does() {
        let own = Array1::zeros(2);
        let smooth = Input::Function(Box::new(|t: f64, mut u: ArrayViewMut1<'_, f64>| {
            u[0] = 1e3 + t.powi(5) - 3.0 * t.powi(2);
            u[1] = -t;
        }));
        let unseen =
            |input: &Input<'_, f64>| Current::new(input, own.view()).first_unseen(1.0, 3.0, 0.01, |_| 1e9).unwrap();
        assert_eq!(unseen(&smooth), None);
        let pulse = Input::Function(Box::new(|t: f64, mut u: ArrayViewMut1<'_, f64>| {
            u[1] = if (2.0..2.02).contains(&t) { 1e-3 } else { 0.0 };
        }));
        assert!(unseen(&pulse).is_some_and(|t| (2.0..2.02).contains(&t)));
        assert_eq!(Current::new(&pulse, own.view()).first_unseen(1.0, 3.0, 0.01, |_| 1.0).unwrap(), None);
    }
}
