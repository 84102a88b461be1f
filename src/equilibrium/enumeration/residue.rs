//! Whether a singular system has no solution, decided in exact arithmetic.
//!
//! Floating-point numbers are integers times powers of two, so that a matrix of them has an image in a finite field, whose
//! rank is at most the true one. Where the augmented matrix has a larger rank there than the matrix, the system is
//! inconsistent, unless the prime divides every nonzero minor that shows the true rank of the matrix: about one chance in
//! `2^64`.

/// The largest prime below `2^64`.
const PRIME: u64 = u64::MAX - 58;

/// A number modulo the prime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Residue(u64);

impl Residue {
    pub(super) const ZERO: Self = Self(0);
    pub(super) const ONE: Self = Self(1);

    /// The image of a finite number.
    pub(super) fn of(x: f64) -> Self {
        let (bits, two) = (x.to_bits(), Self(2));
        let (biased, fraction) = (bits >> 52 & 0x7ff, bits & ((1 << 52) - 1));
        let (mantissa, exponent) =
            if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased as i64 - 1075) };
        let power = if exponent < 0 { two.inverse() } else { two }.power(exponent.unsigned_abs());
        let size = Self(mantissa).times(power);
        if x < 0.0 { Self::ZERO.minus(size) } else { size }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self(((u128::from(self.0) + u128::from(other.0)) % u128::from(PRIME)) as u64)
    }

    pub(super) fn minus(self, other: Self) -> Self {
        self.plus(Self((PRIME - other.0) % PRIME))
    }

    pub(super) fn times(self, other: Self) -> Self {
        Self((u128::from(self.0) * u128::from(other.0) % u128::from(PRIME)) as u64)
    }

    fn power(self, mut exponent: u64) -> Self {
        let (mut base, mut power) = (self, Self::ONE);
        while exponent > 0 {
            if exponent & 1 == 1 {
                power = power.times(base);
            }
            base = base.times(base);
            exponent >>= 1;
        }
        power
    }

    fn inverse(self) -> Self {
        self.power(PRIME - 2)
    }
}

/// Whether the last column of an augmented matrix is independent of the others.
pub(super) fn is_inconsistent(mut rows: Vec<Vec<Residue>>) -> bool {
    let unknowns = rows.first().map_or(0, |row| row.len() - 1);
    let mut rank = 0;
    for j in 0..unknowns {
        let Some(pivot) = (rank..rows.len()).find(|&i| rows[i][j] != Residue::ZERO) else { continue };
        rows.swap(rank, pivot);
        let (above, below) = rows.split_at_mut(rank + 1);
        let pivot_row = &above[rank];
        let inverse = pivot_row[j].inverse();
        for row in below {
            let factor = row[j].times(inverse);
            if factor != Residue::ZERO {
                for (v, p) in row[j..].iter_mut().zip(&pivot_row[j..]) {
                    *v = v.minus(factor.times(*p));
                }
            }
        }
        rank += 1;
    }
    rows[rank..].iter().any(|row| row[unknowns] != Residue::ZERO)
}

#[cfg(test)]
mod tests {
    use super::{PRIME, Residue, is_inconsistent};

    #[test]
    fn numbers_keep_their_sums_and_products() {
        for (a, b) in [(0.5, 0.25), (-3.0, 7.0), (0.1, 1e-3), (2f64.powi(61), -1.0), (1e300, 1e-300), (5e-324, 1.0)] {
            let (p, q) = (Residue::of(a), Residue::of(b));
            assert_eq!(p.plus(q).minus(q), p);
            assert_eq!(Residue::of(-a).plus(p), Residue::ZERO);
            assert_eq!(Residue::of(2.0 * a), p.plus(p));
            assert_eq!(q.times(q.inverse()), Residue::ONE);
        }
        assert_eq!(Residue::of(0.75).plus(Residue::of(0.25)), Residue::ONE);
        assert_eq!(Residue::of(-1.0), Residue(PRIME - 1));
    }

    #[test]
    fn inconsistency_is_decided_without_rounding() {
        let augmented = |rows: &[[f64; 3]]| rows.iter().map(|r| r.map(Residue::of).to_vec()).collect::<Vec<_>>();
        assert!(is_inconsistent(augmented(&[[1.0, 1.0, 1.0], [1.0, 1.0, 1.0 + f64::EPSILON]])));
        assert!(!is_inconsistent(augmented(&[[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])));
        assert!(!is_inconsistent(augmented(&[[1.0, 1.0, 1.0], [1.0, 1.0 + f64::EPSILON, 3.0]])));
        assert!(is_inconsistent(augmented(&[[0.0, 0.0, 1.0], [0.0, 1e-300, 1.0]])));
        assert!(!is_inconsistent(augmented(&[[0.0, 0.0, 0.0], [0.0, 1e-300, 1.0]])));
    }
}
