//! Proofs of positive definiteness by a sparse Cholesky factorisation.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::LltRegularization;
use faer::sparse::linalg::cholesky::{
    CholeskySymbolicParams, SymbolicCholesky, SymmetricOrdering, factorize_symbolic_cholesky,
};
use faer::sparse::{SparseColMatRef, SymbolicSparseColMatRef};
use faer::{Side, Spec};

use super::verified::{U, UNDERFLOW};

/// The upper triangle of a sparse symmetric matrix by columns, each sorted by row and ended by its diagonal entry.
pub(crate) struct UpperTriangle {
    pub(crate) starts: Vec<usize>,
    pub(crate) rows: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

/// A factorisation that is planned, not yet made: a permutation by approximate minimum degree, and the fill that it causes.
pub(crate) struct Plan {
    symbolic: SymbolicCholesky<usize>,
}

impl UpperTriangle {
    fn size(&self) -> usize {
        self.starts.len() - 1
    }

    fn pattern(&self) -> SymbolicSparseColMatRef<'_, usize> {
        SymbolicSparseColMatRef::new_checked(self.size(), self.size(), &self.starts, None, &self.rows)
    }

    /// Plans a factorisation; `None` if the plan itself does not fit into memory.
    pub(crate) fn plan(&self) -> Option<Plan> {
        let (order, parameters) = (SymmetricOrdering::Amd, CholeskySymbolicParams::default());
        let symbolic = factorize_symbolic_cholesky(self.pattern(), Side::Upper, order, parameters).ok()?;
        Some(Plan { symbolic })
    }
}

impl Plan {
    /// Entries of the factor.
    pub(crate) fn entries(&self) -> usize {
        self.symbolic.len_val()
    }

    /// Whether the matrix, which has the pattern of the plan, is *proved* positive definite.
    ///
    /// As in `verified`: a factorisation of `S - c I` that runs to completion proves it where `c >= sum_i gamma_(k_i+1) S_ii`
    /// with the number `k_i` of nonzeros in row `i` of the factor, since only those are multiplied; the `k_i` sum up to the
    /// entries of the factor, so that this is at most `max S_ii` times their number, each with two roundings (Rump,
    /// "Verification of positive definiteness", BIT 46, 2006). Zeros of the fill that are stored change no sum.
    pub(crate) fn proves_positive_definite(&self, mut s: UpperTriangle) -> bool {
        let n = s.size();
        let ends: Vec<usize> = s.starts[1..].iter().map(|&end| end - 1).collect();
        let largest = ends.iter().map(|&e| s.values[e]).fold(0.0, f64::max);
        let roundings = 2.0 * self.entries() as f64 + 32.0 * n as f64;
        if !largest.is_finite() || roundings * U > 0.1 {
            return false;
        }
        // Row by row, gamma_k is at most 1.2 k u where all roundings together are below 0.1.
        let amount = 1.2 * roundings * U * largest + UNDERFLOW;
        for &end in &ends {
            let v = s.values[end];
            s.values[end] = v * (1.0 - 4.0 * U) - amount * (1.0 + 8.0 * U);
            if s.values[end].is_nan() || s.values[end] <= 0.0 {
                return false;
            }
        }
        let par = faer::get_global_parallelism();
        let mut factor = vec![0.0; self.entries()];
        let request = self.symbolic.factorize_numeric_llt_scratch::<f64>(par, Spec::default());
        let Ok(mut memory) = MemBuffer::try_new(request) else { return false };
        let matrix = SparseColMatRef::new(s.pattern(), &s.values);
        let done = self.symbolic.factorize_numeric_llt::<f64>(
            &mut factor,
            matrix,
            Side::Upper,
            LltRegularization::default(),
            par,
            MemStack::new(&mut memory),
            Spec::default(),
        );
        // A pivot that is not a number would have spread.
        done.is_ok() && factor.iter().all(|v| v.is_finite())
    }
}
