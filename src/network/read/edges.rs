//! Sparse weights as a list of named connections.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

use ::csv::ByteRecord;

use super::csv::Table;
use super::{Origin, from_path, number, shown};
use crate::Scalar;
use crate::error::{Error, Result};
use crate::network::Weights;

type WeightOf<'a, A> = Box<dyn Fn(&Edge<'_>) -> Result<A> + 'a>;

/// Reads a comma-separated list of connections, one a line, under a header line that names the columns.
///
/// Column `pre` names the sending neuron, `post` the receiving one and `weight` holds the weight `w[post, pre]`, unless
/// other columns or another rule are given. Several lines for the same pair add up. Neurons are numbered in the order
/// of their names (byte order).
///
/// Every line below the header is a connection, save blank ones and those that [`comments`](Self::comments) marks: a
/// name may begin with any character. Lines that start with `#` before the header are skipped.
///
/// ```
/// use neuronash::network::read::EdgeList;
///
/// let text = "pre,post,synapses,transmitter\nA,B,3,ACh\nC,B,2,GABA\n";
/// let connectome = EdgeList::new()
///     .weight(|edge| Ok(if edge.get("transmitter")? == "GABA" { -1.0 } else { 1.0 } * edge.number::<f64>("synapses")?))
///     .read_from(text.as_bytes(), "three neurons")?;
/// assert_eq!(connectome.names(), ["A", "B", "C"]);
/// assert_eq!(connectome.weights().get(1, 2), -2.0);
/// # Ok::<(), neuronash::Error>(())
/// ```
#[must_use]
pub struct EdgeList<'a, A> {
    pre: String,
    post: String,
    comment: Option<u8>,
    weight: WeightOf<'a, A>,
}

/// One line of an edge list.
#[derive(Debug)]
pub struct Edge<'a> {
    table: &'a Table<'a>,
    columns: &'a [String],
    record: &'a ByteRecord,
}

/// Weights whose neurons have names.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        try_from = "Unchecked<A>",
        bound(serialize = "A: Scalar + serde::Serialize", deserialize = "A: Scalar + serde::Deserialize<'de>")
    )
)]
pub struct NamedWeights<A> {
    names: Vec<String>,
    weights: Weights<A>,
}

/// Names and weights as they stand in a file.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "A: Scalar + serde::Deserialize<'de>"))]
struct Unchecked<A> {
    names: Vec<String>,
    weights: Weights<A>,
}

#[cfg(feature = "serde")]
impl<A: Scalar> TryFrom<Unchecked<A>> for NamedWeights<A> {
    type Error = Error;

    fn try_from(Unchecked { names, weights }: Unchecked<A>) -> Result<Self> {
        if names.len() != weights.len() {
            return Err(Error::shape("names", format!("[{}]", weights.len()), &[names.len()]));
        }
        match names.windows(2).find(|pair| pair[0] >= pair[1]) {
            Some(pair) => {
                Err(Error::invalid("names", format!("{:?} before {:?}", pair[0], pair[1]), "names in increasing order"))
            }
            None => Ok(Self { names, weights }),
        }
    }
}

impl<A: Scalar> Default for EdgeList<'_, A> {
    fn default() -> Self {
        let weight = Box::new(|edge: &Edge<'_>| edge.number("weight"));
        Self { pre: "pre".into(), post: "post".into(), comment: None, weight }
    }
}

impl<'a, A: Scalar> EdgeList<'a, A> {
    /// Columns `pre`, `post` and `weight`.
    pub fn new() -> Self {
        Self::default()
    }

    /// The columns that name the sending and the receiving neuron.
    pub fn columns(mut self, pre: impl Into<String>, post: impl Into<String>) -> Self {
        (self.pre, self.post) = (pre.into(), post.into());
        self
    }

    /// Skips all lines that start with this byte, such as `b'#'`.
    pub fn comments(mut self, start: u8) -> Self {
        self.comment = Some(start);
        self
    }

    /// How a line's weight follows from its columns; [`Edge::number`], [`Edge::get`] and [`Edge::refuse`] make the
    /// errors.
    pub fn weight(mut self, weight: impl Fn(&Edge<'_>) -> Result<A> + 'a) -> Self {
        self.weight = Box::new(weight);
        self
    }

    /// Reads a file.
    ///
    /// # Errors
    /// A file that cannot be read, a missing column, an empty name, what the weight rule refuses, or no connection at
    /// all.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<NamedWeights<A>> {
        from_path(path.as_ref(), |file, name| self.read_from(file, name))
    }

    /// Reads a text, which errors call `name`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_from(&self, reader: impl Read, name: &str) -> Result<NamedWeights<A>> {
        let table = Table::new(Origin { name }, reader, self.comment)?;
        let mut records = table.records(true);
        let header = records.byte_headers().map_err(|error| table.failure(error))?;
        let columns: Vec<String> =
            header.iter().map(|c| String::from_utf8_lossy(c.trim_ascii()).into_owned()).collect();
        for column in [&self.pre, &self.post] {
            if !columns.contains(column) {
                return Err(table.error(header, format!("no column `{column}`")));
            }
        }
        let mut numbers = BTreeMap::new();
        let mut edges = Vec::new();
        let mut record = ByteRecord::new();
        while records.read_byte_record(&mut record).map_err(|error| table.failure(error))? {
            let edge = Edge { table: &table, columns: &columns, record: &record };
            if record.len() != columns.len() {
                return Err(edge.refuse(format!("{} fields under {} columns", record.len(), columns.len())));
            }
            let mut neuron = |column: &str| -> Result<usize> {
                let name = edge.get(column)?;
                if name.is_empty() {
                    return Err(edge.refuse(format!("column `{column}` is empty")));
                }
                let next = numbers.len();
                Ok(*numbers.entry(name.to_owned()).or_insert(next))
            };
            let (pre, post) = (neuron(&self.pre)?, neuron(&self.post)?);
            let weight = (self.weight)(&edge)?;
            if !weight.is_finite() {
                return Err(edge.refuse(format!("the weight is {weight}; only finite numbers are allowed")));
            }
            edges.push((post, pre, weight));
        }
        if edges.is_empty() {
            return Err(table.origin.parse(table.last_line(), "no connections"));
        }
        let mut place = vec![0; numbers.len()];
        for (rank, &first_seen) in numbers.values().enumerate() {
            place[first_seen] = rank;
        }
        let placed = edges.into_iter().map(|(post, pre, w)| (place[post], place[pre], w));
        let weights = Weights::from_triplets(numbers.len(), placed)?;
        Ok(NamedWeights { names: numbers.into_keys().collect(), weights })
    }
}

impl<A> fmt::Debug for EdgeList<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgeList").field("pre", &self.pre).field("post", &self.post).finish_non_exhaustive()
    }
}

impl Edge<'_> {
    /// The text in a column, without the spaces around it.
    ///
    /// # Errors
    /// No such column, or text that is not UTF-8.
    pub fn get(&self, column: &str) -> Result<&str> {
        let field = self.field(column)?;
        std::str::from_utf8(field).map_err(|_| self.refuse(format!("{} is not UTF-8", shown(field))))
    }

    /// The number in a column.
    ///
    /// # Errors
    /// No such column, or text that is not a finite number.
    pub fn number<A: Scalar>(&self, column: &str) -> Result<A> {
        number(self.field(column)?).map_err(|message| self.refuse(message))
    }

    /// The error that refuses this line.
    pub fn refuse(&self, message: impl Into<String>) -> Error {
        self.table.error(self.record, message)
    }

    fn field(&self, column: &str) -> Result<&[u8]> {
        let place = self.columns.iter().position(|c| c == column);
        let field = place.and_then(|k| self.record.get(k));
        field.map(<[u8]>::trim_ascii).ok_or_else(|| self.refuse(format!("no column `{column}`")))
    }
}

impl<A: Scalar> NamedWeights<A> {
    /// The neurons' names in the order of their numbers, length `n`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of the neuron with this name.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.names.binary_search_by(|n| n.as_str().cmp(name)).ok()
    }

    /// The sparse weights.
    pub fn weights(&self) -> &Weights<A> {
        &self.weights
    }

    /// Names and weights.
    pub fn into_parts(self) -> (Vec<String>, Weights<A>) {
        (self.names, self.weights)
    }
}
