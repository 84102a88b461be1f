//! Elimination of integer matrices without fractions.

use num_bigint::BigInt;
use num_traits::{One, Zero};

/// A matrix after Gauss-Jordan elimination: every pivot column is `denominator` in its own row and 0 in the others. All entries
/// are minors of the matrix, so that they stay short (Bareiss, Math. Comp. 22, 1968).
pub(super) struct Echelon {
    pub(super) rows: Vec<Vec<BigInt>>,
    /// The pivot column of each of the first rows; the rows after them are 0 in all columns in which pivots were looked for.
    pub(super) pivots: Vec<usize>,
    pub(super) denominator: BigInt,
}

impl Echelon {
    /// Looks for pivots in the first `columns` columns.
    pub(super) fn new(mut rows: Vec<Vec<BigInt>>, columns: usize) -> Self {
        let mut pivots = Vec::new();
        let mut denominator = BigInt::one();
        for column in 0..columns {
            let rank = pivots.len();
            let shortest = (rank..rows.len()).filter(|&i| !rows[i][column].is_zero());
            let Some(row) = shortest.min_by_key(|&i| rows[i][column].bits()) else { continue };
            rows.swap(rank, row);
            let pivot_row = rows[rank].clone();
            let pivot = &pivot_row[column];
            for (_, row) in rows.iter_mut().enumerate().filter(|(i, _)| *i != rank) {
                let factor = row[column].clone();
                for (entry, above) in row.iter_mut().zip(&pivot_row) {
                    if factor.is_zero() || above.is_zero() {
                        if !entry.is_zero() {
                            *entry = &*entry * pivot / &denominator;
                        }
                    } else {
                        *entry = (&*entry * pivot - &factor * above) / &denominator;
                    }
                }
            }
            denominator = pivot.clone();
            pivots.push(column);
        }
        Self { rows, pivots, denominator }
    }

    pub(super) fn rank(&self) -> usize {
        self.pivots.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Echelon;
    use num_bigint::BigInt;

    fn integers(rows: &[&[i64]]) -> Vec<Vec<BigInt>> {
        rows.iter().map(|row| row.iter().map(|&v| BigInt::from(v)).collect()).collect()
    }

    #[test]
    fn a_regular_system_is_solved() {
        // 2 x + y = 5, x - 3 y = -1: x = 2, y = 1.
        let solved = Echelon::new(integers(&[&[2, 1, 5], &[1, -3, -1]]), 2);
        assert_eq!(solved.pivots, [0, 1]);
        for (row, value) in solved.rows.iter().zip([2, 1]) {
            assert_eq!(row[2], &solved.denominator * BigInt::from(value));
        }
    }

    #[test]
    fn ranks_are_exact() {
        let rows = integers(&[&[1, 2, 3], &[4, 5, 6], &[7, 8, 9]]);
        assert_eq!(Echelon::new(rows, 3).rank(), 2);
        assert_eq!(Echelon::new(integers(&[&[0, 0], &[0, 7]]), 2).pivots, [1]);
    }
}
