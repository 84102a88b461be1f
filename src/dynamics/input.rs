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
    /// The constant input, or `None` if a function gives it.
    pub(super) input: Option<Array1<A>>,
    /// The constant input from the end on.
    pub(super) next_input: Option<Array1<A>>,
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

    /// Cuts `[start, end]` at the jumps; `own` is the network's input.
    pub(super) fn segments(&self, start: A, end: A, own: &Array1<A>) -> Vec<Segment<A>> {
        match self {
            Input::Constant => vec![Segment { start, end, input: Some(own.clone()), next_input: None }],
            Input::Function(_) => vec![Segment { start, end, input: None, next_input: None }],
            Input::Steps { times, values } => {
                let before = times.partition_point(|&t| t <= start);
                let row = |k: usize| if k == 0 { own.clone() } else { values.row(k - 1).to_owned() };
                let mut cuts = vec![start];
                cuts.extend(times[before..].iter().copied().take_while(|&t| t < end));
                let ends: Vec<A> = cuts[1..].iter().copied().chain([end]).collect();
                cuts.iter()
                    .zip(ends)
                    .enumerate()
                    .map(|(k, (&start, end))| {
                        let after = times.partition_point(|&t| t <= end);
                        Segment { start, end, input: Some(row(before + k)), next_input: Some(row(after)) }
                    })
                    .collect()
            }
        }
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
    function: Option<&'f Function<'f, A>>,
    value: RefCell<Array1<A>>,
}

impl<'f, A: Scalar> Current<'f, A> {
    pub(super) fn new(function: Option<&'f Function<'f, A>>, n: usize) -> Self {
        Self { function, value: RefCell::new(Array1::zeros(n)) }
    }

    pub(super) fn set(&self, value: &Array1<A>) {
        self.value.borrow_mut().assign(value);
    }

    /// Brings [`value`](Self::value) to time `t`.
    pub(super) fn move_to(&self, t: A) -> Result<()> {
        let Some(function) = self.function else { return Ok(()) };
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
