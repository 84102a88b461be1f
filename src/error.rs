//! The one error type of the crate.

/// What went wrong, in which argument, and what is allowed there.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An array has the wrong shape.
    #[error("`{argument}` has shape {found}; expected {expected}")]
    Shape {
        /// The argument at fault.
        argument: String,
        /// The shape that is allowed.
        expected: String,
        /// The shape that was given.
        found: String,
    },
    /// An array has no entries where at least one is needed.
    #[error("`{argument}` is empty; at least one entry is needed")]
    Empty {
        /// The argument at fault.
        argument: String,
    },
    /// An entry is NaN or infinite.
    #[error("`{argument}`{at} is {value}; only finite numbers are allowed", at = display_index(index))]
    NonFinite {
        /// The argument at fault.
        argument: String,
        /// Where the entry stands: one index for vectors, two for matrices, none for scalars.
        index: Vec<usize>,
        /// The entry.
        value: f64,
    },
    /// A number, index or option is outside the allowed set.
    #[error("`{argument}` is {value}; allowed: {allowed}")]
    Invalid {
        /// The argument at fault.
        argument: String,
        /// What was given.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A bounded slope is needed, but the activation has none.
    #[error(
        "activation `{activation}` has slopes in [{min}, inf); {needed_by} needs a finite upper bound on the slope"
    )]
    UnboundedSlope {
        /// The activation's name.
        activation: String,
        /// The smallest slope.
        min: f64,
        /// What needed the bound.
        needed_by: String,
    },
    /// A file or text cannot be read as what it should hold.
    #[error("{file}:{line}: {message}")]
    Parse {
        /// The file, or a name for the text.
        file: String,
        /// Line number, counted from 1; 0 when the format has no lines.
        line: usize,
        /// What is wrong with the line.
        message: String,
    },
    /// The operating system refused to read or write.
    #[error("{file}: {message}")]
    Io {
        /// The file.
        file: String,
        /// The system's message.
        message: String,
    },
    /// A matrix has no inverse to working precision.
    #[error("{matrix} is singular to working precision")]
    Singular {
        /// Which matrix.
        matrix: String,
    },
    /// An iteration inside a factorisation did not converge.
    #[error("{what} did not converge")]
    NoConvergence {
        /// Which computation.
        what: String,
    },
    /// What was asked for cannot be had, whatever else is chosen.
    #[error("{wanted} is impossible: {reason}")]
    Infeasible {
        /// What was asked for.
        wanted: String,
        /// Why it cannot be, and what can.
        reason: String,
    },
    /// No equilibrium was found.
    #[error(
        "no equilibrium found in {iterations} iterations ({method}): {reason}; residual {residual:e} where \
         {threshold:e} was asked for; {advice}"
    )]
    NotConverged {
        /// The last method that was tried.
        method: String,
        /// Why it stopped.
        reason: String,
        /// Iterations of all methods together.
        iterations: usize,
        /// The least residual that was reached.
        residual: f64,
        /// The residual that was asked for.
        threshold: f64,
        /// What else to try.
        advice: String,
    },
    /// An observer asked to stop a computation that has nothing to show for its part.
    #[error("{what} was stopped by its observer")]
    Interrupted {
        /// What was stopped, and where.
        what: String,
    },
    /// There is no certificate to hand over.
    #[error("no certificate: {reason}")]
    NotCertified {
        /// What is known instead.
        reason: String,
    },
    /// A proof does not hold for the matrix it was checked against.
    #[error("the proof does not hold for this matrix: {reason}")]
    NotProved {
        /// Which check failed.
        reason: String,
    },
}

/// Result with the crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

fn display_index(index: &[usize]) -> String {
    index.iter().map(|i| format!("[{i}]")).collect()
}

/// A number of many digits in exponential notation: the largest `f64` has 309.
fn readable(value: String) -> String {
    const LONGEST: usize = 24;
    match value.parse::<f64>() {
        Ok(number) if value.len() > LONGEST => format!("{number:e}"),
        _ => value,
    }
}

impl Error {
    pub(crate) fn invalid(
        argument: impl Into<String>,
        value: impl std::fmt::Display,
        allowed: impl Into<String>,
    ) -> Self {
        Error::Invalid { argument: argument.into(), value: readable(value.to_string()), allowed: allowed.into() }
    }

    pub(crate) fn shape(argument: impl Into<String>, expected: impl Into<String>, found: &[usize]) -> Self {
        Error::Shape { argument: argument.into(), expected: expected.into(), found: format!("{found:?}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_any_size_are_readable() {
        let shown = |value: f64| Error::invalid("x", value, "1").to_string();
        assert_eq!(shown(f64::MAX), "`x` is 1.7976931348623157e308; allowed: 1");
        assert_eq!(shown(-0.1), "`x` is -0.1; allowed: 1");
        let words = "a long description, which is no number";
        assert_eq!(Error::invalid("x", words, "1").to_string(), format!("`x` is {words}; allowed: 1"));
    }
}
