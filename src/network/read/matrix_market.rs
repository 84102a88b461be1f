//! Weights in the Matrix Market exchange format.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use ndarray::Array2;

use super::{Origin, from_path, number, shown, without_mark};
use crate::Scalar;
use crate::error::{Error, Result};
use crate::network::Weights;

/// Weights from a Matrix Market file (`.mtx`): sparse from the `coordinate` format, dense from `array`.
///
/// Fields `real`, `integer`, `unsigned-integer` and `pattern` (all weights 1) and symmetries `general`, `symmetric` and
/// `skew-symmetric` are read. Symmetric and skew-symmetric files list one triangle: the lower one by the standard; a
/// coordinate file may list the upper one instead, and a skew-symmetric one zeros on the diagonal. Coordinates that
/// are listed more than once add up. A banner that begins with one `%` instead of two is read as well. Comments are
/// lines that start with `%`. Format: Boisvert, Pozo, Remington, "The Matrix Market exchange formats", NISTIR 5935.
///
/// # Errors
/// A file that cannot be read, is malformed, complex or not square, or whose indices or number of entries are not those
/// that its size line announces.
pub fn matrix_market<A: Scalar>(path: impl AsRef<Path>) -> Result<Weights<A>> {
    from_path(path.as_ref(), |file, name| matrix_market_from(file, name))
}

/// As [`matrix_market`], from any reader; errors call it `name`.
///
/// # Errors
/// As [`matrix_market`].
pub fn matrix_market_from<A: Scalar>(reader: impl Read, name: &str) -> Result<Weights<A>> {
    let mut lines = Lines::new(Origin { name }, reader);
    let header = Header::read(&mut lines)?;
    match header.format {
        Format::Coordinate => coordinate(&mut lines, &header),
        Format::Array => array(&mut lines, &header),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Format {
    Coordinate,
    Array,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Symmetry {
    General,
    Symmetric,
    Skew,
}

struct Header {
    format: Format,
    pattern: bool,
    symmetry: Symmetry,
}

impl Header {
    fn read(lines: &mut Lines<'_, impl Read>) -> Result<Self> {
        if !lines.advance()? {
            return Err(lines.error("the text is empty"));
        }
        let text = String::from_utf8_lossy(&lines.buffer).to_ascii_lowercase();
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let &["%%matrixmarket" | "%matrixmarket", object, format, field, symmetry] = words.as_slice() else {
            return Err(lines.error("the first line is not `%%MatrixMarket matrix FORMAT FIELD SYMMETRY`"));
        };
        if object != "matrix" {
            return Err(lines.error(format!("object {object:?}; only `matrix` is read")));
        }
        let format = match format {
            "coordinate" => Format::Coordinate,
            "array" => Format::Array,
            other => return Err(lines.error(format!("format {other:?}; allowed: coordinate, array"))),
        };
        let pattern = match field {
            "real" | "integer" | "unsigned-integer" => false,
            "pattern" if format == Format::Coordinate => true,
            "pattern" => return Err(lines.error("field `pattern` goes with format `coordinate` only")),
            other => {
                return Err(lines.error(format!("field {other:?}; allowed: real, integer, unsigned-integer, pattern")));
            }
        };
        let symmetry = match symmetry {
            "general" => Symmetry::General,
            "symmetric" => Symmetry::Symmetric,
            "skew-symmetric" if !pattern => Symmetry::Skew,
            "skew-symmetric" => return Err(lines.error("a `pattern` cannot be skew-symmetric")),
            other => {
                return Err(lines.error(format!("symmetry {other:?}; allowed: general, symmetric, skew-symmetric")));
            }
        };
        Ok(Self { format, pattern, symmetry })
    }
}

fn coordinate<A: Scalar>(lines: &mut Lines<'_, impl Read>, header: &Header) -> Result<Weights<A>> {
    let [rows, columns, count] = lines.sizes("rows, columns and the number of entries")?;
    let n = lines.square(rows, columns)?;
    let mut entries = Vec::new();
    // Whether the file lists the lower triangle, once that is known.
    let mut triangle = None;
    for k in 0..count {
        if !lines.next_data()? {
            return Err(lines.error(format!("the text ends after {k} of {count} entries")));
        }
        let mut words = lines.words();
        let (row, column) = (words.next(), words.next());
        let value = if header.pattern { None } else { words.next() };
        let (Some(row), Some(column), true, None) = (row, column, header.pattern || value.is_some(), words.next())
        else {
            let wanted = if header.pattern { "row and column" } else { "row, column and value" };
            return Err(lines.error(format!("{} is not {wanted}", shown(&lines.buffer))));
        };
        let (i, j) = (lines.index("row", row, n)?, lines.index("column", column, n)?);
        let value = value.map_or(Ok(A::one()), |v| lines.number(v))?;
        entries.push((i, j, value));
        if header.symmetry == Symmetry::General {
            continue;
        }
        let skew = header.symmetry == Symmetry::Skew;
        if i == j {
            if skew && !value.is_zero() {
                return Err(lines.error("a skew-symmetric matrix has zeros on the diagonal"));
            }
            continue;
        }
        if *triangle.get_or_insert(i > j) != (i > j) {
            return Err(
                lines.error("entries on both sides of the diagonal, where the symmetry leaves one to be listed")
            );
        }
        entries.push((j, i, if skew { -value } else { value }));
    }
    lines.finish(count)?;
    Weights::from_triplets(n, entries).map_err(|error| lines.error(error.to_string()))
}

fn array<A: Scalar>(lines: &mut Lines<'_, impl Read>, header: &Header) -> Result<Weights<A>> {
    let [rows, columns] = lines.sizes("rows and columns")?;
    let n = lines.square(rows, columns)?;
    let square = n.checked_mul(n);
    let triangle = n.checked_add(1).and_then(|m| n.checked_mul(m)).map(|p| p / 2);
    let counts = match header.symmetry {
        Symmetry::General => square.map(|all| (all, all)),
        Symmetry::Symmetric => triangle.map(|all| (all, all)),
        // Some programs write the zeros of the diagonal.
        Symmetry::Skew => triangle.map(|all| (all - n, all)),
    };
    let Some((least, most)) = counts else {
        return Err(lines.error(format!("{n} x {n} entries do not fit in memory")));
    };
    let mut values: Vec<A> = Vec::new();
    while lines.next_data()? {
        for word in lines.words() {
            values.push(lines.number(word)?);
        }
        if values.len() > most {
            return Err(lines.error(format!("more than the announced {most} entries")));
        }
    }
    let found = values.len();
    if found != least && found != most {
        let or_more = if least < most { format!(", or {most} with those on the diagonal") } else { String::new() };
        return Err(lines.error(format!("the text ends after {found} of {least} entries{or_more}")));
    }
    // Entry k of the file is the k-th of the stored triangle, column by column.
    let first_row = |j: usize| match header.symmetry {
        Symmetry::General => 0,
        Symmetry::Skew if found < most => j + 1,
        Symmetry::Symmetric | Symmetry::Skew => j,
    };
    let mut all = Array2::zeros((n, n));
    let mut values = values.into_iter();
    for j in 0..n {
        for (i, value) in (first_row(j)..n).zip(&mut values) {
            all[[i, j]] = value;
            match header.symmetry {
                Symmetry::General => {}
                Symmetry::Symmetric => all[[j, i]] = value,
                Symmetry::Skew if i == j && !value.is_zero() => {
                    return Err(lines.error("a skew-symmetric matrix has zeros on the diagonal"));
                }
                Symmetry::Skew if i == j => all[[i, i]] = A::zero(),
                Symmetry::Skew => all[[j, i]] = -value,
            }
        }
    }
    Weights::from_dense(all)
}

/// The lines of a text, one at a time, with their number.
struct Lines<'a, R: Read> {
    origin: Origin<'a>,
    reader: BufReader<R>,
    buffer: Vec<u8>,
    line: usize,
}

impl<'a, R: Read> Lines<'a, R> {
    fn new(origin: Origin<'a>, reader: R) -> Self {
        Self { origin, reader: BufReader::new(reader), buffer: Vec::new(), line: 0 }
    }

    /// Goes on to the next line; at the end of the text the number stays at the last one.
    fn advance(&mut self) -> Result<bool> {
        self.buffer.clear();
        let read = self.reader.read_until(b'\n', &mut self.buffer).map_err(|error| self.origin.io(&error))?;
        if self.line == 0 && without_mark(&self.buffer).len() < self.buffer.len() {
            self.buffer = without_mark(&self.buffer).to_vec();
        }
        self.line += usize::from(read > 0);
        Ok(read > 0)
    }

    /// Goes on to the next line that is neither blank nor a comment.
    fn next_data(&mut self) -> Result<bool> {
        while self.advance()? {
            let text = self.buffer.trim_ascii();
            if !text.is_empty() && text[0] != b'%' {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn words(&self) -> impl Iterator<Item = &[u8]> {
        self.buffer.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
    }

    fn sizes<const K: usize>(&mut self, what: &str) -> Result<[usize; K]> {
        if !self.next_data()? {
            return Err(self.error(format!("the text ends before the line with {what}")));
        }
        let sizes: Option<Vec<usize>> = self.words().map(integer).collect();
        sizes
            .and_then(|s| s.try_into().ok())
            .ok_or_else(|| self.error(format!("{} is not {what}", shown(self.buffer.trim_ascii()))))
    }

    fn square(&self, rows: usize, columns: usize) -> Result<usize> {
        match (rows, columns) {
            (0, 0) => Err(self.error("the matrix is empty")),
            (r, c) if r == c => Ok(r),
            (r, c) => Err(self.error(format!("the matrix is {r} x {c}; weights are square"))),
        }
    }

    /// An index that the file counts from 1, counted from 0.
    fn index(&self, what: &str, word: &[u8], n: usize) -> Result<usize> {
        match integer(word) {
            Some(i) if (1..=n).contains(&i) => Ok(i - 1),
            Some(i) => Err(self.error(format!("{what} {i} is outside 1..={n}"))),
            None => Err(self.error(format!("{what} {} is not an index", shown(word)))),
        }
    }

    fn number<A: Scalar>(&self, word: &[u8]) -> Result<A> {
        number(word).map_err(|message| self.error(message))
    }

    /// Checks that nothing is left.
    fn finish(&mut self, count: usize) -> Result<()> {
        if self.next_data()? { Err(self.error(format!("more than the announced {count} entries"))) } else { Ok(()) }
    }

    fn error(&self, message: impl Into<String>) -> Error {
        self.origin.parse(self.line.max(1), message)
    }
}

fn integer(word: &[u8]) -> Option<usize> {
    std::str::from_utf8(word).ok()?.parse().ok()
}
