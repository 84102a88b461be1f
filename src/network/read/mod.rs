//! Weights from files: Matrix Market, comma-separated numbers, edge lists with names, NumPy's `.npy`.
//!
//! Each format has a function that takes a path and one that takes any [`Read`](std::io::Read) together with the name
//! that error messages give to the text. Malformed input is an [`Error::Parse`] with the file and the line, counted from
//! 1; a file that cannot be opened or read is an [`Error::Io`]. Numbers that are not finite, also
//! after rounding to the wanted type, are refused.
//!
//! ```
//! use neuronash::network::{FiringRateNetwork, read};
//!
//! let text = "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 2 -0.5\n";
//! let weights = read::matrix_market_from::<f64>(text.as_bytes(), "two.mtx")?;
//! assert_eq!(weights.get(0, 1), -0.5);
//!
//! let error = read::matrix_market_from::<f64>(text.replace("1 2", "1 3").as_bytes(), "two.mtx").unwrap_err();
//! assert_eq!(error.to_string(), "two.mtx:3: column 3 is outside 1..=2");
//! # Ok::<(), neuronash::Error>(())
//! ```

#[cfg(feature = "csv")]
mod csv;
#[cfg(feature = "csv")]
mod edges;
mod matrix_market;
#[cfg(feature = "npy")]
mod npy;

#[cfg(feature = "csv")]
pub use self::csv::{csv, csv_from};
#[cfg(feature = "csv")]
pub use edges::{Edge, EdgeList, NamedWeights};
pub use matrix_market::{matrix_market, matrix_market_from};
#[cfg(feature = "npy")]
pub use npy::{npy, npy_from};

use std::fs::File;
use std::io;
use std::path::Path;

use crate::Scalar;
use crate::error::{Error, Result};

/// Where a text comes from, to name it in errors.
#[derive(Debug, Clone, Copy)]
struct Origin<'a> {
    name: &'a str,
}

impl Origin<'_> {
    fn parse(&self, line: usize, message: impl Into<String>) -> Error {
        Error::Parse { file: self.name.into(), line, message: message.into() }
    }

    fn io(&self, error: &io::Error) -> Error {
        Error::Io { file: self.name.into(), message: error.to_string() }
    }
}

/// The number in `text`, finite in the wanted type, or why it is none.
fn number<A: Scalar>(text: &[u8]) -> std::result::Result<A, String> {
    let text = text.trim_ascii();
    let number = std::str::from_utf8(text).ok().and_then(|t| t.parse::<f64>().ok());
    match number.map(A::of) {
        Some(v) if v.is_finite() => Ok(v),
        Some(_) => Err(format!("{} is not a finite number", shown(text))),
        None => Err(format!("{} is not a number", shown(text))),
    }
}

/// A piece of a file as an error message shows it.
fn shown(text: &[u8]) -> String {
    const LONGEST: usize = 40;
    let text = String::from_utf8_lossy(text);
    let mut shown: String = text.chars().take(LONGEST).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    format!("{shown:?}")
}

/// Opens a file and hands it on with its name.
fn from_path<T>(path: &Path, read: impl FnOnce(File, &str) -> Result<T>) -> Result<T> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Origin { name: &name }.io(&error))?;
    read(file, &name)
}
