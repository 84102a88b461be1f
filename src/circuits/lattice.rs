//! Circuits that repeat in every column of a hexagonal lattice, as those of the fly's optic lobe do.
//!
//! A column holds one neuron of every cell type. A [`LatticeCircuit`] lists the connections of one column once, by the offset
//! between sender and receiver; a [`HexagonalLattice`] says which columns there are. Together they are the synaptic
//! matrix of an eye of any size.
//!
//! ```
//! use neuronash::circuits::lattice::{HexagonalLattice, LatticeCircuit};
//!
//! // Every neuron excites itself, and inhibits its neighbour to the right.
//! let mut circuit = LatticeCircuit::new(["cell"])?;
//! circuit.connect("cell", "cell", (0, 0), 0.5)?.connect("cell", "cell", (1, 0), -0.2)?;
//! let disc = HexagonalLattice::disc(1)?;
//! let weights = circuit.weights::<f64>(&disc)?;
//! assert_eq!((disc.columns(), weights.len()), (7, 7));
//! let (centre, right) = (disc.column_at((0, 0)).unwrap(), disc.column_at((1, 0)).unwrap());
//! assert_eq!(weights.get(right, centre), -0.2);
//! # Ok::<(), neuronash::Error>(())
//! ```

use std::collections::BTreeMap;

use ndarray::Array2;
use num_complex::Complex64;
use sprs::CsMat;

use crate::Scalar;
use crate::check::finite;
use crate::error::{Error, Result};
use crate::network::Weights;

/// Columns on a hexagonal lattice, by their axial coordinates `(u, v)`: the six neighbours of a column lie at `(1, 0)`, `(0, 1)`,
/// `(1, -1)` and the opposite offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HexagonalLattice {
    shape: Shape,
    positions: Vec<(i32, i32)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Disc(i32),
    Torus(i32),
}

impl HexagonalLattice {
    /// The largest radius and side: at most 2^30 columns.
    const LARGEST: usize = 1 << 14;

    /// All `3 r^2 + 3 r + 1` columns at most `radius` steps from the one at `(0, 0)`.
    ///
    /// # Errors
    /// A radius above 16,384.
    pub fn disc(radius: usize) -> Result<Self> {
        let r = Self::side("radius", radius, 0)?;
        let row = |u: i32| ((-r).max(-r - u)..=r.min(r - u)).map(move |v| (u, v));
        Ok(Self { shape: Shape::Disc(r), positions: (-r..=r).flat_map(row).collect() })
    }

    /// `size * size` columns `(u, v)`, `0 <= u, v < size`, whose opposite borders are joined. There are no border effects, and
    /// weights commute with translations.
    ///
    /// # Errors
    /// A size of 0 or above 16,384.
    pub fn torus(size: usize) -> Result<Self> {
        let k = Self::side("size", size, 1)?;
        Ok(Self { shape: Shape::Torus(k), positions: (0..k).flat_map(|u| (0..k).map(move |v| (u, v))).collect() })
    }

    fn side(argument: &str, value: usize, least: usize) -> Result<i32> {
        match i32::try_from(value) {
            Ok(side) if (least..=Self::LARGEST).contains(&value) => Ok(side),
            _ => Err(Error::invalid(argument, value, format!("{least}..={}", Self::LARGEST))),
        }
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.positions.len()
    }

    /// The axial coordinates of every column, in the order of their numbers.
    pub fn positions(&self) -> &[(i32, i32)] {
        &self.positions
    }

    /// The number of the column at a place; on a torus any coordinates name one, on a disc those outside name none.
    pub fn column_at(&self, (u, v): (i32, i32)) -> Option<usize> {
        match self.shape {
            Shape::Torus(k) => Some((u.rem_euclid(k) * k + v.rem_euclid(k)) as usize),
            Shape::Disc(r) => {
                let inside = u.abs() <= r && v.abs() <= r && u.checked_add(v)?.abs() <= r;
                inside.then(|| {
                    // Rows before this one: each of the first r + 1 is one column longer than the row before it.
                    let (u, v, r) = (i64::from(u), i64::from(v), i64::from(r));
                    let row = u + r;
                    let before = row * (r + 1) + row * (row - 1) / 2 - 2 * triangle(row - r - 1);
                    (before + v - (-r).max(-r - u)) as usize
                })
            }
        }
    }
}

/// `1 + 2 + ... + m`, 0 for `m <= 0`.
fn triangle(m: i64) -> i64 {
    let m = m.max(0);
    m * (m + 1) / 2
}

/// The cell types of a column and the connections between them.
#[derive(Debug, Clone, PartialEq)]
pub struct LatticeCircuit {
    types: Vec<String>,
    /// By receiver, sender and offset, so that none stands twice.
    connections: BTreeMap<(usize, usize, (i32, i32)), f64>,
}

impl LatticeCircuit {
    /// A circuit of these cell types, without connections so far.
    ///
    /// # Errors
    /// No type, or one name twice.
    pub fn new(types: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        let types: Vec<String> = types.into_iter().map(Into::into).collect();
        if types.is_empty() {
            return Err(Error::Empty { argument: "types".into() });
        }
        if let Some(i) = (1..types.len()).find(|&i| types[..i].contains(&types[i])) {
            return Err(Error::invalid(format!("types[{i}]"), &types[i], "names that differ from one another"));
        }
        Ok(Self { types, connections: BTreeMap::new() })
    }

    /// Reads a comma-separated list of connections with the columns `pre` and `post` (cell types), `du` and `dv` (the receiver
    /// sits at `(u + du, v + dv)` if the sender sits at `(u, v)`), `synapses` (a count) and `sign` (1 or -1). The weight is
    /// `sign * synapses`. Types are numbered in the order of their names (byte order).
    ///
    /// # Errors
    /// A file that cannot be read, a missing column, an offset that is not a whole number, a sign that is neither 1 nor -1, a
    /// negative count, the same connection twice.
    #[cfg(feature = "csv")]
    pub fn read(path: impl AsRef<std::path::Path>) -> Result<Self> {
        Self::gather(|list| list.read(path))
    }

    /// As [`read`](Self::read), from any reader; errors call it `name`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    #[cfg(feature = "csv")]
    pub fn read_from(reader: impl std::io::Read, name: &str) -> Result<Self> {
        Self::gather(|list| list.read_from(reader, name))
    }

    #[cfg(feature = "csv")]
    fn gather(
        read: impl FnOnce(&crate::network::read::EdgeList<'_, f64>) -> Result<crate::network::read::NamedWeights<f64>>,
    ) -> Result<Self> {
        use std::cell::RefCell;

        use crate::network::read::{Edge, EdgeList};
        let whole = |edge: &Edge<'_>, column: &str| {
            let offset = edge.number::<f64>(column)?;
            let fits = offset.fract() == 0.0 && offset.abs() <= f64::from(i16::MAX);
            if fits {
                Ok(offset as i32)
            } else {
                Err(edge.refuse(format!("`{column}` is {offset}; whole numbers are allowed")))
            }
        };
        let found = RefCell::new(BTreeMap::new());
        let list = EdgeList::new().weight(|edge| {
            let (synapses, sign) = (edge.number::<f64>("synapses")?, edge.number::<f64>("sign")?);
            if synapses < 0.0 || sign.abs() != 1.0 {
                return Err(edge.refuse("`synapses` must be at least 0 and `sign` 1 or -1"));
            }
            let offset = (whole(edge, "du")?, whole(edge, "dv")?);
            let key = (edge.get("post")?.to_owned(), edge.get("pre")?.to_owned(), offset);
            match found.borrow_mut().insert(key, sign * synapses) {
                None => Ok(sign * synapses),
                Some(_) => Err(edge.refuse("this connection stands in the list twice")),
            }
        });
        let named = read(&list)?;
        drop(list);
        let mut circuit = Self::new(named.names().iter().cloned())?;
        for ((post, pre, offset), weight) in found.into_inner() {
            circuit.connect(&pre, &post, offset, weight)?;
        }
        Ok(circuit)
    }

    /// Adds a connection from every neuron of type `pre`, at `(u, v)` say, to the one of type `post` at `(u + du, v + dv)`. Weights of the
    /// same connection add up.
    ///
    /// # Errors
    /// A type that the circuit does not have, a weight that is not finite, an offset beyond 32,767.
    pub fn connect(&mut self, pre: &str, post: &str, (du, dv): (i32, i32), weight: f64) -> Result<&mut Self> {
        let (pre, post) = (self.index("pre", pre)?, self.index("post", post)?);
        if du.abs().max(dv.abs()) > i32::from(i16::MAX) {
            return Err(Error::invalid("offset", format!("({du}, {dv})"), "offsets of at most 32,767 columns"));
        }
        let sum = self.connections.entry((post, pre, (du, dv))).or_insert(0.0);
        *sum = finite("weight", *sum + finite("weight", weight)?)?;
        Ok(self)
    }

    fn index(&self, argument: &str, name: &str) -> Result<usize> {
        let known = || format!("one of the {} types of the circuit", self.types.len());
        self.type_index(name).ok_or_else(|| Error::invalid(argument, name, known()))
    }

    /// All weights times `factor`.
    ///
    /// # Errors
    /// A factor that is not finite, or that makes a weight so.
    pub fn scaled(mut self, factor: f64) -> Result<Self> {
        finite("factor", factor)?;
        for weight in self.connections.values_mut() {
            *weight = finite("factor times a weight", *weight * factor)?;
        }
        Ok(self)
    }

    /// The names of the cell types.
    pub fn types(&self) -> &[String] {
        &self.types
    }

    /// The number of the cell type with this name.
    pub fn type_index(&self, name: &str) -> Option<usize> {
        self.types.iter().position(|t| t == name)
    }

    /// Number of connections of one column.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// The mean over the types of the sum of absolute weights that a neuron receives, where no border cuts any off.
    pub fn mean_in_degree(&self) -> f64 {
        self.connections.values().map(|w| w.abs()).sum::<f64>() / self.types.len() as f64
    }

    /// The number of the neuron of a type in a column: neurons are numbered column by column.
    pub fn neuron(&self, column: usize, type_index: usize) -> usize {
        column * self.types.len() + type_index
    }

    /// The synaptic matrix on a lattice, sparse, shape `[columns * types, columns * types]`. Connections that would leave a disc are
    /// cut off; on a torus smaller than an offset they wrap around, and those that then fall together add up.
    ///
    /// # Errors
    /// More neurons than a `u32` counts; weights that are not finite in the precision `A`.
    pub fn weights<A: Scalar>(&self, lattice: &HexagonalLattice) -> Result<Weights<A>> {
        let types = self.types.len();
        let n = lattice.columns() * types;
        if u32::try_from(n).is_err() {
            return Err(Error::invalid("lattice", format!("{n} neurons"), format!("at most {} neurons", u32::MAX)));
        }
        let entries = lattice.columns() * self.connections.len();
        let (mut starts, mut senders, mut values) =
            (Vec::with_capacity(n + 1), Vec::with_capacity(entries), Vec::with_capacity(entries));
        starts.push(0);
        let mut row: Vec<(usize, f64)> = Vec::new();
        for &(u, v) in lattice.positions() {
            for post in 0..types {
                let onto = (post, 0, (i32::MIN, i32::MIN))..(post + 1, 0, (i32::MIN, i32::MIN));
                let inside = self.connections.range(onto).filter_map(|(&(_, pre, (du, dv)), &weight)| {
                    Some((self.neuron(lattice.column_at((u - du, v - dv))?, pre), weight))
                });
                row.clear();
                row.extend(inside);
                row.sort_unstable_by_key(|&(sender, _)| sender);
                row.dedup_by(|later, kept| {
                    later.0 == kept.0 && {
                        kept.1 += later.1;
                        true
                    }
                });
                senders.extend(row.iter().map(|&(sender, _)| sender));
                values.extend(row.iter().map(|&(_, weight)| A::of(weight)));
                starts.push(senders.len());
            }
        }
        Weights::sparse(CsMat::new((n, n), starts, senders, values))
    }

    /// The matrix `W^(k)` of shape `[types, types]` that the weights on a torus act with on plane waves of wave vector
    /// `k = (k_u, k_v)`, in radians a column: `sum of weight * exp(-i (k_u du + k_v dv))`. On a torus of `K x K` columns the synaptic matrix is
    /// unitarily equivalent to the block diagonal matrix of all `W^(2 pi (a, b) / K)`, `0 <= a, b < K`.
    pub fn on_plane_waves(&self, (ku, kv): (f64, f64)) -> Array2<Complex64> {
        let mut symbol = Array2::zeros((self.types.len(), self.types.len()));
        for (&(post, pre, (du, dv)), &weight) in &self.connections {
            symbol[[post, pre]] += Complex64::from_polar(weight, -(ku * f64::from(du) + kv * f64::from(dv)));
        }
        symbol
    }
}
