//! Checks of arguments. Each names the argument, what is wrong with it and what is allowed.

use ndarray::{ArrayView1, ArrayView2};

use crate::Scalar;
use crate::error::{Error, Result};

/// That a number is finite.
pub(crate) fn finite<A: Scalar>(argument: &str, value: A) -> Result<A> {
    if value.is_finite() { Ok(value) } else { Err(non_finite(argument, Vec::new(), value)) }
}

/// That a vector has `n` entries.
pub(crate) fn length(argument: &str, found: usize, n: usize) -> Result<()> {
    if found == n { Ok(()) } else { Err(Error::shape(argument, format!("[{n}]"), &[found])) }
}

/// That a vector has `n` entries, all finite.
pub(crate) fn finite_vector<A: Scalar>(argument: &str, v: ArrayView1<'_, A>, n: usize) -> Result<()> {
    length(argument, v.len(), n)?;
    match v.iter().position(|x| !x.is_finite()) {
        Some(i) => Err(non_finite(argument, vec![i], v[i])),
        None => Ok(()),
    }
}

/// That a vector has `n` entries, all positive and finite.
pub(crate) fn positive_vector<A: Scalar>(argument: &str, v: ArrayView1<'_, A>, n: usize) -> Result<()> {
    finite_vector(argument, v, n)?;
    match v.iter().position(|&x| x <= A::zero()) {
        Some(i) => Err(Error::invalid(format!("{argument}[{i}]"), v[i], "numbers above 0")),
        None => Ok(()),
    }
}

/// That a matrix is square and not empty.
pub(crate) fn square(argument: &str, rows: usize, cols: usize) -> Result<()> {
    if rows == 0 && cols == 0 {
        return Err(Error::Empty { argument: argument.into() });
    }
    if rows != cols {
        return Err(Error::shape(argument, "a square matrix", &[rows, cols]));
    }
    Ok(())
}

/// That all entries of a matrix are finite.
pub(crate) fn finite_matrix<A: Scalar>(argument: &str, m: ArrayView2<'_, A>) -> Result<()> {
    match m.indexed_iter().find(|(_, v)| !v.is_finite()) {
        Some(((i, j), &v)) => Err(non_finite(argument, vec![i, j], v)),
        None => Ok(()),
    }
}

/// The error about a number that is NaN or infinite, at an index if the argument has several.
pub(crate) fn non_finite<A: Scalar>(argument: &str, index: Vec<usize>, value: A) -> Error {
    Error::NonFinite { argument: argument.into(), index, value: value.to_double() }
}
