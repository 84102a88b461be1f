//! Weights from files: Matrix Market, comma-separated numbers, edge lists with names, NumPy's `.npy`.
//!
//! Each format has a function that takes a path and one that takes any [`Read`](std::io::Read) together with the name
//! that error messages give to the text. Malformed input is an [`Error::Parse`] with the file and the line, counted
//! from 1; a file that cannot be opened or read is an [`Error::Io`]. Numbers that are not finite, or that would become
//! 0 though they are not, also after rounding to the wanted type, are refused. No line is left out but blank ones and
//! comments, which are told from data by rules that each reader states. A byte-order mark at the start is passed over.
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

/// The number in `text`, in the range of the wanted type, or why it is none.
fn number<A: Scalar>(text: &[u8]) -> std::result::Result<A, String> {
    let text = text.trim_ascii();
    let Some(number) = std::str::from_utf8(text).ok().and_then(|t| t.parse::<f64>().ok()) else {
        return Err(format!("{} is not a number", shown(text)));
    };
    if number == 0.0 && !is_zero(text) {
        return Err(too_small(shown(text)));
    }
    in_range(number, || shown(text))
}

/// A number in the wanted type, or why it has none; `shown` is the number as the file gives it.
fn in_range<A: Scalar>(number: f64, shown: impl Fn() -> String) -> std::result::Result<A, String> {
    let rounded = A::of(number);
    if !rounded.is_finite() {
        Err(format!("{} is not a finite number", shown()))
    } else if rounded.is_zero() && number != 0.0 {
        Err(too_small(shown()))
    } else {
        Ok(rounded)
    }
}

fn too_small(shown: String) -> String {
    format!("{shown} is not 0, but smaller than any number of this type")
}

/// Whether the digits of a decimal number before its exponent are all 0.
fn is_zero(text: &[u8]) -> bool {
    let digits = text.split(|b| matches!(b, b'e' | b'E')).next().unwrap_or(text);
    !digits.iter().any(|b| matches!(b, b'1'..=b'9'))
}

/// A text without the byte-order mark that some programs put before it.
fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
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
