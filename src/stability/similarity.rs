//! Diagonal similarities that change no digit of a matrix, by signs and by powers of two, and what they reveal.

use ndarray::{Array1, ArrayView2};

/// Integers on the nodes of a graph that are known up to differences along its edges (a union-find with offsets).
struct Potentials {
    parent: Vec<usize>,
    /// Of a node, minus that of its parent.
    offset: Vec<i64>,
}

impl Potentials {
    fn new(n: usize) -> Self {
        Self { parent: (0..n).collect(), offset: vec![0; n] }
    }

    /// The root of a node, and the node's potential minus the root's.
    fn find(&mut self, i: usize) -> (usize, i64) {
        let mut path = Vec::new();
        let mut at = i;
        while self.parent[at] != at {
            path.push(at);
            at = self.parent[at];
        }
        let mut sum = 0;
        for &node in path.iter().rev() {
            sum += self.offset[node];
            (self.parent[node], self.offset[node]) = (at, sum);
        }
        (at, self.offset[i])
    }

    /// Demands that the potential of `i` minus that of `j` is `difference`; returns by how much what is known
    /// contradicts it.
    fn demand(&mut self, i: usize, j: usize, difference: i64) -> i64 {
        let ((root_i, of_i), (root_j, of_j)) = (self.find(i), self.find(j));
        if root_i == root_j {
            return of_i - of_j - difference;
        }
        (self.parent[root_i], self.offset[root_i]) = (root_j, difference + of_j - of_i);
        0
    }
}

/// Signs `s` for which `s_i a_ij s_j >= 0` for all entries off the diagonal, if there are any: the matrix is then
/// similar to a Metzler matrix, which has the same principal minors, the same eigenvalues for all time constants, and
/// is diagonally stable with it.
pub(crate) fn signature(n: usize, entries: impl Iterator<Item = (usize, usize, f64)>) -> Option<Array1<f64>> {
    let mut signs = Potentials::new(n);
    for (i, j, v) in entries {
        if i != j && v != 0.0 && signs.demand(i, j, i64::from(v < 0.0)) % 2 != 0 {
            return None;
        }
    }
    Some((0..n).map(|i| if signs.find(i).1 % 2 == 0 { 1.0 } else { -1.0 }).collect())
}

/// The entries of a dense matrix, for [`signature`].
pub(crate) fn entries(a: ArrayView2<'_, f64>) -> impl Iterator<Item = (usize, usize, f64)> {
    a.into_indexed_iter().map(|((i, j), &v)| (i, j, v))
}

/// Whether some powers of two `d` make `d_i a_ij = d_j a_ji` for all entries, exactly: a symmetric matrix in other
/// units.
pub(crate) fn is_symmetric_in_some_units(a: ArrayView2<'_, f64>) -> bool {
    let n = a.nrows();
    let mut units = Potentials::new(n);
    for i in 0..n {
        for j in 0..i {
            let (ij, ji) = (a[[i, j]], a[[j, i]]);
            if ij == 0.0 && ji == 0.0 {
                continue;
            }
            match power_of_two(ij, ji) {
                Some(e) if units.demand(j, i, e) == 0 => {}
                _ => return false,
            }
        }
    }
    true
}

/// The `e` with `x = 2^e y`, if there is one and the quotient is a normal number.
fn power_of_two(x: f64, y: f64) -> Option<i64> {
    const MANTISSA: u64 = (1 << 52) - 1;
    let quotient = x / y;
    let exact = quotient > 0.0 && quotient.is_normal() && quotient.to_bits() & MANTISSA == 0 && quotient * y == x;
    exact.then(|| ((quotient.to_bits() >> 52) & 0x7ff) as i64 - 1023)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn signs_are_found_where_every_cycle_has_an_even_number_of_negative_edges() {
        let signs = |a: &Array2<f64>| signature(a.nrows(), entries(a.view()));
        for a in [array![[-1.0, -2.0], [-2.0, 3.0]], array![[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]]] {
            let s = signs(&a).expect("an even cycle");
            assert!(a.indexed_iter().all(|((i, j), v)| i == j || s[i] * v * s[j] >= 0.0), "{a}: {s}");
        }
        assert_eq!(signs(&array![[0.0, 1.0], [-1.0, 0.0]]), None);
        assert_eq!(signs(&array![[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]]), None);
    }

    #[test]
    fn a_symmetric_matrix_is_recognised_in_any_units() {
        let n = 6;
        let a = Array2::from_shape_fn((n, n), |(i, j)| if i + j == 4 { 0.0 } else { ((i * j + i + j) as f64).sin() });
        let units = [3, -40, 17, 0, 40, -5];
        let scaled = Array2::from_shape_fn((n, n), |(i, j)| a[[i, j]] * 2f64.powi(units[i] - units[j]));
        assert!(is_symmetric_in_some_units(a.view()) && is_symmetric_in_some_units(scaled.view()));
        for change in [|v: f64| v.next_up(), |v: f64| 2.0 * v, |v: f64| -v, |_| 0.0] {
            let mut other = scaled.clone();
            other[[1, 5]] = change(other[[1, 5]]);
            assert!(!is_symmetric_in_some_units(other.view()));
        }
    }
}
