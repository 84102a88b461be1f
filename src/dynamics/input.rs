//! External inputs that change in time.

use std::cell::RefCell;
use std::fmt;

use ndarray::{Array1, Array2, ArrayBase, ArrayViewMut1, Data, Ix1, Ix2};

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
    own: &'f Array1<A>,
    value: RefCell<Array1<A>>,
}

impl<'f, A: Scalar> Current<'f, A> {
    /// `own` is the network's input.
    pub(super) fn new(input: &'f Input<'f, A>, own: &'f Array1<A>) -> Self {
        Self { input, own, value: RefCell::new(own.clone()) }
    }

    /// Brings a piecewise constant [`value`](Self::value) to the one that holds from time `t` on.
    pub(super) fn jump_to(&self, t: A) {
        let Input::Steps { times, values } = self.input else { return };
        let held = match times.partition_point(|&jump| jump <= t) {
            0 => self.own.view(),
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

    pub(super) fn value(&self) -> std::cell::Ref<'_, Array1<A>> {
        self.value.borrow()
    }
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
