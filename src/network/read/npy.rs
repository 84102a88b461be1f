//! Dense weights in NumPy's binary format.

use std::io::Read;
use std::path::Path;

use ndarray::{Array2, Ix2, ShapeBuilder};
use ndarray_npy::ReadableElement;
use ndarray_npy::npy::header::Header;
use num_traits::ToPrimitive;

use super::{Origin, from_path, in_range};
use crate::Scalar;
use crate::error::{Error, Result};
use crate::network::Weights;

/// Dense weights from a `.npy` file of shape `[n, n]`: floats of 32 or 64 bits or integers of 8 to 64 bits, either byte
/// order, C or Fortran memory order. Numbers are rounded to the wanted type.
///
/// # Errors
/// A file that cannot be read, is malformed (line 0: the format has no lines) or holds numbers that are not finite, or
/// that are too small for the wanted type.
pub fn npy<A: Scalar>(path: impl AsRef<Path>) -> Result<Weights<A>> {
    from_path(path.as_ref(), |file, name| npy_from(file, name))
}

/// As [`npy`](fn@npy), from any reader; errors call it `name`.
///
/// # Errors
/// As [`npy`](fn@npy).
pub fn npy_from<A: Scalar>(mut reader: impl Read, name: &str) -> Result<Weights<A>> {
    let origin = Origin { name };
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|error| origin.io(&error))?;
    check_header_length(origin, &bytes)?;
    let mut rest = bytes.as_slice();
    let header = Header::from_reader(&mut rest).map_err(|error| origin.parse(0, error.to_string()))?;
    let &[rows, columns] = header.shape.as_slice() else {
        return Err(origin.parse(0, format!("shape {:?}; weights are square matrices", header.shape)));
    };
    if rows != columns || rows == 0 {
        return Err(origin.parse(0, format!("shape {:?}; weights are square matrices", header.shape)));
    }
    let described = header.type_descriptor.to_string();
    let kind = described.trim_matches('\'').trim_start_matches(['<', '>', '|', '=']);
    let array = File { origin, header: &header, n: rows, data: rest };
    let weights = match kind {
        "f8" => array.read::<f64, A>(),
        "f4" => array.read::<f32, A>(),
        "i8" => array.read::<i64, A>(),
        "i4" => array.read::<i32, A>(),
        "i2" => array.read::<i16, A>(),
        "i1" => array.read::<i8, A>(),
        "u8" => array.read::<u64, A>(),
        "u4" => array.read::<u32, A>(),
        "u2" => array.read::<u16, A>(),
        "u1" => array.read::<u8, A>(),
        _ => Err(origin.parse(0, format!("element type {described}; allowed: f4, f8, i1 to i8, u1 to u8"))),
    }?;
    Weights::from_dense(weights).map_err(|error| origin.parse(0, error.to_string()))
}

/// An array after its header.
struct File<'a> {
    origin: Origin<'a>,
    header: &'a Header,
    n: usize,
    data: &'a [u8],
}

impl File<'_> {
    fn read<T: ReadableElement + ToPrimitive, A: Scalar>(&self) -> Result<Array2<A>> {
        let n = self.n;
        let bytes = n.checked_mul(n).and_then(|count| count.checked_mul(size_of::<T>()));
        if bytes != Some(self.data.len()) {
            let found = self.data.len();
            let message = format!("{found} bytes of data where shape ({n}, {n}) needs {n} x {n} x {}", size_of::<T>());
            return Err(self.origin.parse(0, message));
        }
        let values = T::read_to_end_exact_vec(self.data, &self.header.type_descriptor, n * n)
            .map_err(|error| self.fail(error))?;
        let converted = values.into_iter().enumerate().map(|(k, v)| {
            let v = v.to_f64().expect("every number of these types has a nearest double");
            // Where the file's order is Fortran's, columns come first.
            let (row, column) = if self.header.layout.is_fortran() { (k % n, k / n) } else { (k / n, k % n) };
            in_range(v, || format!("entry [{row}][{column}], {v:e},")).map_err(|message| self.origin.parse(0, message))
        });
        let values = converted.collect::<Result<Vec<A>>>()?;
        let shape = Ix2(n, n).set_f(self.header.layout.is_fortran());
        Array2::from_shape_vec(shape, values).map_err(|error| self.fail(error))
    }

    fn fail(&self, error: impl std::fmt::Display) -> Error {
        self.origin.parse(0, error.to_string())
    }
}

/// Refuses headers that announce more than there is or nest deeper than any array's description.
fn check_header_length(origin: Origin<'_>, bytes: &[u8]) -> Result<()> {
    const DEEPEST: usize = 16;
    let (start, length) = match bytes {
        [_, _, _, _, _, _, 1, _, a, b, ..] => (10, u32::from_le_bytes([*a, *b, 0, 0])),
        [_, _, _, _, _, _, _, _, a, b, c, d, ..] => (12, u32::from_le_bytes([*a, *b, *c, *d])),
        _ => return Err(origin.parse(0, "not a .npy file: shorter than any header")),
    };
    let Some(header) = bytes[start..].get(..length as usize) else {
        return Err(origin.parse(0, "the text ends within the header"));
    };
    if header.iter().filter(|b| matches!(b, b'(' | b'[' | b'{')).count() > DEEPEST {
        return Err(origin.parse(0, "the header does not describe a plain array"));
    }
    Ok(())
}
