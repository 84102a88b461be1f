//! States of the ODE library as linear combinations that are formed when they are needed.
//!
//! A Runge-Kutta stage is a sum of up to seven vectors. Adding them up one after the other reads and writes the sum each
//! time, which for long vectors costs more than the right-hand side. Here each sum is noted down, and formed in one parallel pass.

use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::rc::Rc;

use differential_equations::tolerance::Tolerance;
use differential_equations::traits::{Real, State};

/// `sum_k c_k v_k` of shared vectors, all of the same length.
#[derive(Clone)]
pub(super) struct Combination<T: Real> {
    n: usize,
    terms: Vec<(T, Rc<Vector<T>>)>,
    formed: OnceCell<Rc<Vector<T>>>,
    free: Rc<FreeList<T>>,
}

/// Vectors that are no longer used, for the next sums.
type FreeList<T> = RefCell<Vec<Vec<T>>>;

/// A vector that goes back to the free list.
struct Vector<T> {
    values: Vec<T>,
    free: Rc<FreeList<T>>,
}

impl<T> Drop for Vector<T> {
    fn drop(&mut self) {
        self.free.borrow_mut().push(std::mem::take(&mut self.values));
    }
}

/// Elements that are summed at a time, so that the sum stays in the first cache.
const PART: usize = 1 << 11;

impl<T: Real> Combination<T> {
    /// The vector itself.
    pub(super) fn of(values: &[T]) -> Self {
        let free = Rc::default();
        let vector = Rc::new(Vector { values: values.to_vec(), free: Rc::clone(&free) });
        Self { n: values.len(), terms: vec![(T::one(), vector)], formed: OnceCell::new(), free }
    }

    /// The values, shape `[n]`.
    pub(super) fn values(&self) -> &[T] {
        if let [(one, vector)] = self.terms.as_slice()
            && *one == T::one()
        {
            return &vector.values;
        }
        let form = || Rc::new(self.vector(|values| self.write(values)));
        &self.formed.get_or_init(form).values
    }

    /// Whether both are sums of the very same vectors with the same coefficients, in the same order.
    pub(super) fn is_same_sum(&self, other: &Self) -> bool {
        let mut pairs = self.terms.iter().zip(&other.terms);
        self.n == other.n
            && self.terms.len() == other.terms.len()
            && pairs.all(|((a, v), (b, w))| a == b && Rc::ptr_eq(v, w))
    }

    /// Becomes the vector that `fill` writes; it gets numbers that mean nothing.
    pub(super) fn assign(&mut self, fill: impl FnOnce(&mut [T])) {
        let vector = self.vector(fill);
        self.become_vector(Rc::new(vector));
    }

    fn vector(&self, fill: impl FnOnce(&mut [T])) -> Vector<T> {
        let mut values = self.free.borrow_mut().pop().unwrap_or_default();
        values.resize(self.n, T::zero());
        fill(&mut values);
        Vector { values, free: Rc::clone(&self.free) }
    }

    fn become_vector(&mut self, vector: Rc<Vector<T>>) {
        self.terms.clear();
        self.terms.push((T::one(), vector));
        self.formed.take();
    }

    fn push(&mut self, c: T, vector: &Rc<Vector<T>>) {
        if c == T::zero() {
            return;
        }
        match self.terms.iter_mut().find(|(_, v)| Rc::ptr_eq(v, vector)) {
            Some((sum, _)) => *sum += c,
            None => self.terms.push((c, Rc::clone(vector))),
        }
    }

    fn slices(&self) -> Vec<(T, &[T])> {
        match self.formed.get() {
            Some(vector) => vec![(T::one(), &vector.values)],
            None => self.terms.iter().map(|(c, v)| (*c, v.values.as_slice())).collect(),
        }
    }

    fn write(&self, out: &mut [T]) {
        let terms = self.slices();
        let fill = |k: usize, part: &mut [T]| add_up(&terms, k * PART, part);
        #[cfg(feature = "rayon")]
        if out.len() >= super::PARALLEL_FROM {
            use rayon::prelude::*;
            return out.par_chunks_mut(PART).enumerate().for_each(|(k, part)| fill(k, part));
        }
        out.chunks_mut(PART).enumerate().for_each(|(k, part)| fill(k, part));
    }

    /// The sum, over all parts, of what `f` makes of each part's values and its place; the same for any number of threads.
    fn sum_over_parts(&self, f: impl Fn(usize, &[T]) -> T + Sync) -> T {
        let (n, terms) = (self.n, self.slices());
        let part = |k: usize| {
            let mut values = vec![T::zero(); PART.min(n - k * PART)];
            add_up(&terms, k * PART, &mut values);
            f(k * PART, &values)
        };
        let parts = n.div_ceil(PART);
        #[cfg(feature = "rayon")]
        if n >= super::PARALLEL_FROM {
            use rayon::prelude::*;
            let sums: Vec<T> = (0..parts).into_par_iter().map(part).collect();
            return sums.into_iter().fold(T::zero(), |sum, v| sum + v);
        }
        (0..parts).map(part).fold(T::zero(), |sum, v| sum + v)
    }
}

/// Writes the part of a sum that begins at `start`.
fn add_up<T: Real>(terms: &[(T, &[T])], start: usize, out: &mut [T]) {
    let part = |values: &[T]| -> std::ops::Range<usize> { start..(start + out.len()).min(values.len()) };
    match terms {
        [] => out.fill(T::zero()),
        [(c, first), rest @ ..] => {
            let place = part(first);
            for (out, v) in out.iter_mut().zip(&first[place.clone()]) {
                *out = *c * *v;
            }
            for (c, values) in rest {
                for (out, v) in out.iter_mut().zip(&values[place.clone()]) {
                    *out += *c * *v;
                }
            }
        }
    }
}

impl<T: Real> State<T> for Combination<T> {
    fn len(&self) -> usize {
        self.n
    }

    fn get_component(&self, index: usize) -> T {
        self.values()[index]
    }

    fn set_component(&mut self, index: usize, value: T) {
        self.map_components_mut(|i, v| {
            if i == index {
                *v = value;
            }
        });
    }

    fn map_components_mut<F: FnMut(usize, &mut T)>(&mut self, mut f: F) {
        let vector = self.vector(|values| {
            self.write(values);
            values.iter_mut().enumerate().for_each(|(i, v)| f(i, v));
        });
        self.become_vector(Rc::new(vector));
    }

    fn zeros_like(&self) -> Self {
        Self { n: self.n, terms: Vec::new(), formed: OnceCell::new(), free: Rc::clone(&self.free) }
    }

    fn zeros() -> Self {
        Self { n: 0, terms: Vec::new(), formed: OnceCell::new(), free: Rc::default() }
    }

    fn mul_add_assign(&mut self, alpha: T, other: &Self) {
        self.add_scaled(alpha, other);
    }

    fn scale_mut(&mut self, alpha: T) {
        self.scale_by(alpha);
    }

    fn fill(&mut self, value: T) {
        if value == T::zero() {
            self.terms.clear();
            self.formed.take();
        } else {
            self.assign(|values| values.fill(value));
        }
    }

    fn copy_from_state(&mut self, other: &Self) {
        self.clone_from(other);
    }

    fn add_scaled(&mut self, alpha: T, other: &Self) -> &mut Self {
        if let Some(vector) = self.formed.take() {
            self.become_vector(vector);
        }
        match other.formed.get() {
            Some(vector) => self.push(alpha, vector),
            None => other.terms.iter().for_each(|(c, vector)| self.push(alpha * *c, vector)),
        }
        self
    }

    fn scale_by(&mut self, alpha: T) -> &mut Self {
        self.terms.iter_mut().for_each(|(c, _)| *c *= alpha);
        self.formed.take();
        self
    }

    fn norm_squared(&self) -> T {
        self.sum_over_parts(|_, part| part.iter().fold(T::zero(), |sum, v| sum + *v * *v))
    }

    fn diff_norm_squared(&self, other: &Self) -> T {
        self.minus(other).norm_squared()
    }

    fn error_norm(&self, y_new: &Self, err: &Self, atol: &Tolerance<T>, rtol: &Tolerance<T>) -> T {
        let (y, y_new) = (self.values(), y_new.values());
        err.sum_over_parts(|start, errors| {
            let place = start..start + errors.len();
            let states = y[place.clone()].iter().zip(&y_new[place.clone()]);
            errors.iter().zip(states).zip(place).fold(T::zero(), |sum, ((e, (a, b)), i)| {
                let scaled = *e / (atol[i] + rtol[i] * a.abs().max(b.abs()));
                sum + scaled * scaled
            })
        })
    }
}

impl<T: Real> fmt::Debug for Combination<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.values()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the library may do to a state.
    #[derive(Debug, Clone)]
    enum Operation {
        Add(f64, usize, usize),
        Scale(f64, usize),
        Fill(f64, usize),
        Copy(usize, usize),
        Assign(f64, usize),
        Set(usize, f64, usize),
        Look(usize),
    }

    fn operation() -> impl Strategy<Value = Operation> {
        let (c, k) = (-2.0..2.0_f64, 0..4_usize);
        prop_oneof![
            4 => (c.clone(), k.clone(), k.clone()).prop_map(|(c, from, to)| Operation::Add(c, from, to)),
            1 => (c.clone(), k.clone()).prop_map(|(c, k)| Operation::Scale(c, k)),
            1 => (prop_oneof![Just(0.0), c.clone()], k.clone()).prop_map(|(c, k)| Operation::Fill(c, k)),
            1 => (k.clone(), k.clone()).prop_map(|(from, to)| Operation::Copy(from, to)),
            1 => (c.clone(), k.clone()).prop_map(|(c, k)| Operation::Assign(c, k)),
            1 => (any::<usize>(), c, k.clone()).prop_map(|(i, c, k)| Operation::Set(i, c, k)),
            1 => k.prop_map(Operation::Look),
        ]
    }

    proptest! {
        #[test]
        fn combinations_are_what_vectors_are(
            n in prop_oneof![Just(1_usize), 2..50_usize, Just(PART + 3)],
            operations in prop::collection::vec(operation(), 0..40),
        ) {
            let mut vectors = vec![(0..n).map(|i| (i % 7) as f64 - 2.0).collect::<Vec<f64>>(); 4];
            let first = Combination::of(&vectors[0]);
            let mut states = [first.clone(), first.clone(), first.clone(), first];
            // What rounding may make of the largest numbers seen.
            let mut size = 10.0_f64;
            for operation in operations {
                match operation {
                    Operation::Add(c, from, to) => {
                        let (v, state) = (vectors[from].clone(), states[from].clone());
                        vectors[to].iter_mut().zip(&v).for_each(|(a, b)| *a += c * b);
                        states[to].add_scaled(c, &state);
                    }
                    Operation::Scale(c, k) => {
                        vectors[k].iter_mut().for_each(|v| *v *= c);
                        states[k].scale_by(c);
                    }
                    Operation::Fill(c, k) => {
                        vectors[k].fill(c);
                        states[k].fill(c);
                    }
                    Operation::Copy(from, to) => {
                        vectors[to] = vectors[from].clone();
                        states[to] = states[from].clone();
                    }
                    Operation::Assign(c, k) => {
                        vectors[k] = (0..n).map(|i| c * i as f64).collect();
                        states[k].assign(|out| out.iter_mut().enumerate().for_each(|(i, v)| *v = c * i as f64));
                    }
                    Operation::Set(i, c, k) => {
                        vectors[k][i % n] = c;
                        states[k].set_component(i % n, c);
                    }
                    Operation::Look(k) => prop_assert_eq!(states[k].values().len(), n),
                }
                size = vectors.iter().flatten().fold(size, |m, v| m.max(v.abs()));
            }
            let near = |a: f64, b: f64, scale: f64| (a - b).abs() <= 1e-12 * scale;
            for (state, v) in states.iter().zip(&vectors) {
                prop_assert!(state.values().iter().zip(v).all(|(a, b)| near(*a, *b, size)));
                let norm: f64 = v.iter().map(|v| v * v).sum();
                prop_assert!(near(state.norm_squared(), norm, n as f64 * size * size));
            }
            let (atol, rtol) = (Tolerance::Scalar(0.5), Tolerance::Scalar(0.1));
            let scaled = |i: usize| vectors[2][i] / (0.5 + 0.1 * vectors[0][i].abs().max(vectors[1][i].abs()));
            let expected: f64 = (0..n).map(|i| scaled(i).powi(2)).sum();
            let found = states[0].error_norm(&states[1], &states[2], &atol, &rtol);
            prop_assert!(near(found, expected, n as f64 * size * size));
        }
    }
}
