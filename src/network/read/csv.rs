//! Dense weights as comma-separated numbers.

use std::io::{BufRead, Read};
use std::path::Path;

use ::csv::{ByteRecord, Position, Reader, ReaderBuilder};
use ndarray::Array2;

use super::{Origin, from_path, number, without_mark};
use crate::Scalar;
use crate::error::{Error, Result};
use crate::network::Weights;

/// Dense weights from comma-separated numbers: line `i` of `n` holds the `n` weights onto neuron `i`.
///
/// There is no header line. Blank lines are skipped, and so are lines that start with `#` before the first row; further
/// down such a line is refused like any other that does not hold numbers.
///
/// # Errors
/// A file that cannot be read, a field that is not a finite number, or lines that do not make a square matrix.
pub fn csv<A: Scalar>(path: impl AsRef<Path>) -> Result<Weights<A>> {
    from_path(path.as_ref(), |file, name| csv_from(file, name))
}

/// As [`csv`](fn@csv), from any reader; errors call it `name`.
///
/// ```
/// use neuronash::network::read;
///
/// let weights = read::csv_from::<f32>("0, -1\n2, 0.5\n".as_bytes(), "two.csv")?;
/// assert_eq!(weights.get(1, 0), 2.0);
/// # Ok::<(), neuronash::Error>(())
/// ```
///
/// # Errors
/// As [`csv`](fn@csv).
pub fn csv_from<A: Scalar>(reader: impl Read, name: &str) -> Result<Weights<A>> {
    let table = Table::new(Origin { name }, reader, None)?;
    let mut records = table.records(false);
    let mut record = ByteRecord::new();
    let mut values: Vec<A> = Vec::new();
    let (mut n, mut rows) = (0, 0);
    while records.read_byte_record(&mut record).map_err(|error| table.failure(error))? {
        if rows == 0 {
            n = record.len();
        } else if record.len() != n {
            return Err(table.error(&record, format!("{} fields where the first row has {n}", record.len())));
        }
        if rows == n {
            return Err(table.error(&record, format!("more than {n} rows of {n} fields; weights are square")));
        }
        for field in &record {
            values.push(number(field).map_err(|message| table.error(&record, message))?);
        }
        rows += 1;
    }
    match Array2::from_shape_vec((n, n), values) {
        Ok(all) if n > 0 => Weights::from_dense(all),
        _ => {
            let message = format!("the text ends after {rows} rows of {n} fields; weights are square");
            Err(table.origin.parse(table.last_line(), message))
        }
    }
}

/// A comma-separated text and where it comes from.
#[derive(Debug)]
pub(super) struct Table<'a> {
    pub(super) origin: Origin<'a>,
    text: Vec<u8>,
    /// Where the blank lines and comments before the first record end.
    head: usize,
    /// The byte that marks lines as comments further down.
    comment: Option<u8>,
}

impl<'a> Table<'a> {
    /// Lines before the first record that start with `#`, or with `comment`, are comments.
    pub(super) fn new(origin: Origin<'a>, mut reader: impl Read, comment: Option<u8>) -> Result<Self> {
        let mut text = Vec::new();
        reader.read_to_end(&mut text).map_err(|error| origin.io(&error))?;
        let mut rest = without_mark(&text);
        while let Some(&first) = rest.first()
            && (matches!(first, b'#' | b'\n' | b'\r') || Some(first) == comment)
        {
            let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r')).map_or(rest.len(), |end| end + 1);
            rest = &rest[end..];
        }
        let head = text.len() - rest.len();
        let table = Self { origin, text, head, comment };
        match table.text.windows(2).position(|pair| pair[0] == b'\r' && pair[1] != b'\n') {
            // A comment is taken to end at a line feed.
            Some(at) if comment.is_some() => {
                let line = 1 + table.text[..at].iter().filter(|&&b| b == b'\n').count();
                Err(origin.parse(line, "a carriage return without a line feed, where comments are to be skipped"))
            }
            _ => Ok(table),
        }
    }

    /// The records of the text, whose first one names the columns if there are `headers`.
    pub(super) fn records(&self, headers: bool) -> Reader<&[u8]> {
        let mut options = ReaderBuilder::new();
        options.has_headers(headers).flexible(true).comment(self.comment);
        options.from_reader(&self.text[self.head..])
    }

    /// The error on the line where a record starts.
    pub(super) fn error(&self, record: &ByteRecord, message: impl Into<String>) -> Error {
        self.origin.parse(self.line(record.position()), message)
    }

    pub(super) fn failure(&self, error: ::csv::Error) -> Error {
        let line = self.line(error.position());
        match error.into_kind() {
            ::csv::ErrorKind::Io(error) => self.origin.io(&error),
            kind => self.origin.parse(line, format!("{kind:?}")),
        }
    }

    pub(super) fn last_line(&self) -> usize {
        self.text.lines().count().max(1)
    }

    /// The line of the first record at or after a place. The reader's own positions come before the blank lines
    /// and comments that it skips.
    fn line(&self, reached: Option<&Position>) -> usize {
        let reached = self.head + reached.map_or(0, |p| p.byte() as usize);
        let (before, mut after) = self.text.split_at(reached.min(self.text.len()));
        let mut line = 1 + before.iter().filter(|&&b| b == b'\n').count();
        while let Some(end) = after.iter().position(|&b| b == b'\n') {
            if !matches!(after[0], b'\n' | b'\r') && Some(after[0]) != self.comment {
                break;
            }
            line += 1;
            after = &after[end + 1..];
        }
        line
    }
}
