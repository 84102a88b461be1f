//! Signs of sums of products of floating-point numbers, exactly.
//!
//! A sum is held as an expansion: a list of numbers of which no two overlap, smallest first, so that its sign is
//! that of the last (Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric
//! predicates", Discrete & Computational Geometry 18, 1997). Exact as long as nothing underflows or overflows,
//! which [`Expansion::product`] checks.

use std::cmp::Ordering;

/// A number as a sum of floating-point numbers that do not overlap.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expansion(Vec<f64>);

/// The error of a product of this size is a normal number, and sums of up to 2^60 such products stay finite.
const SAFE: std::ops::Range<f64> = 1e-250..1e250;

/// `(s, e)` with `s = fl(a + b)` and `s + e = a + b`.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let bb = s - a;
    (s, (a - (s - bb)) + (b - bb))
}

impl Expansion {
    /// Adds one number.
    pub(crate) fn add(&mut self, x: f64) {
        let mut carry = x;
        let mut kept = 0;
        for k in 0..self.0.len() {
            let (sum, error) = two_sum(carry, self.0[k]);
            carry = sum;
            if error != 0.0 {
                self.0[kept] = error;
                kept += 1;
            }
        }
        self.0.truncate(kept);
        if carry != 0.0 {
            self.0.push(carry);
        }
    }

    /// Adds `a b`; `None` if the product leaves the range where it is exact.
    pub(crate) fn add_product(&mut self, a: f64, b: f64) -> Option<()> {
        let high = a * b;
        if a == 0.0 || b == 0.0 {
            return Some(());
        }
        if !SAFE.contains(&high.abs()) {
            return None;
        }
        self.add(a.mul_add(b, -high));
        self.add(high);
        Some(())
    }

    /// Adds `other x`; `None` if a partial product leaves the range where it is exact.
    pub(crate) fn add_multiple(&mut self, other: &Self, x: f64) -> Option<()> {
        other.0.iter().try_for_each(|&part| self.add_product(part, x))
    }

    /// The product of two expansions; `None` if a partial product leaves the range where it is exact.
    pub(crate) fn product(&self, other: &Self) -> Option<Self> {
        let mut result = Self::default();
        for &a in &self.0 {
            for &b in &other.0 {
                result.add_product(a, b)?;
            }
        }
        Some(result)
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        let mut result = self.clone();
        other.0.iter().for_each(|&x| result.add(-x));
        result
    }

    /// The number, to a few units in the last place.
    pub(crate) fn value(&self) -> f64 {
        self.0.iter().sum()
    }

    /// The sign of the number.
    pub(crate) fn sign(&self) -> Ordering {
        self.0.last().copied().unwrap_or(0.0).partial_cmp(&0.0).unwrap_or(Ordering::Equal)
    }
}

/// `sum of a_k b_k`, exactly; `None` if a product leaves the range where it is exact.
pub(crate) fn dot(a: impl IntoIterator<Item = f64>, b: impl IntoIterator<Item = f64>) -> Option<Expansion> {
    let mut sum = Expansion::default();
    for (x, y) in a.into_iter().zip(b) {
        sum.add_product(x, y)?;
    }
    Some(sum)
}
