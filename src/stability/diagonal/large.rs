//! Sparse matrices that are too large for dense methods: the ascent for weights and witness, then the ladder of proofs.

use std::ops::ControlFlow;

use ndarray::{Array1, Array2, ArrayView2, Zip};
use sprs::CsMat;

use super::almost_sure::AlmostSureCertificate;
use super::ascent::{Ascent, Climb};
use super::certificate::Certificate;
use super::check;
use super::control::{Control, Stop};
use super::ladder::{ATTEMPTS, Allowed, Ladder, Proof, Proved};
use super::method::Method;
use super::metzler::Metzler;
use super::pencil::Diagonal;
use super::refine::refined;
use super::refutation::Refutation;
use super::sparse::Sparse;
use super::verdict::{Undecided, Verdict};
use super::weights::Weights;
use crate::linalg::components::strongly_connected;
use crate::linalg::operator::{LinearOperator, gather};
use crate::linalg::rounding::{add_up, sub_down, sub_up};

/// Steps of the ascent.
const STEPS: usize = 100;
/// Sweeps that balance rows and columns before it.
const BALANCING: usize = 40;
/// How small the couplings between strongly connected components are made, relative to their own largest eigenvalue.
const COUPLING: f64 = 1e-3;
/// Bytes of a factor when a proof is checked again.
const MEMORY: usize = 1 << 30;

/// A sparse matrix by rows, and its transpose by rows, for products without races.
struct Both {
    rows: CsMat<f64>,
    transposed: CsMat<f64>,
}

impl Both {
    fn new(rows: CsMat<f64>) -> Self {
        let transposed = rows.to_csc().transpose_into();
        Self { rows, transposed }
    }

    /// The principal submatrix of the given indices; `place` is scratch, all `usize::MAX`.
    fn block(&self, indices: &[usize], place: &mut [usize]) -> Self {
        for (k, &i) in indices.iter().enumerate() {
            place[i] = k;
        }
        let (mut starts, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
        for &i in indices {
            if let Some(row) = self.rows.outer_view(i) {
                for (j, &v) in row.iter().filter(|&(j, _)| place[j] != usize::MAX) {
                    columns.push(place[j]);
                    values.push(v);
                }
            }
            starts.push(columns.len());
        }
        indices.iter().for_each(|&i| place[i] = usize::MAX);
        let m = indices.len();
        Self::new(CsMat::new((m, m), starts, columns, values))
    }
}

impl LinearOperator for Both {
    fn size(&self) -> usize {
        self.rows.rows()
    }

    fn apply(&self, x: ArrayView2<'_, f64>, out: ndarray::ArrayViewMut2<'_, f64>) {
        gather(&self.rows, x, out);
    }

    fn apply_transposed(&self, x: ArrayView2<'_, f64>, out: ndarray::ArrayViewMut2<'_, f64>) {
        gather(&self.transposed, x, out);
    }
}

/// What the ascent found.
struct Found {
    both: Both,
    d: Array1<f64>,
    /// An estimate of the largest eigenvalue for `d`.
    top: f64,
    /// By estimate, `W + delta R^-1` is refuted from `delta = -bound` on by the witness.
    witness: Option<(f64, Array2<f64>)>,
    steps: usize,
}

/// `log s` that makes the norms of row and column `i` of `s R^(1/2) W R^(1/2) s^-1` about equal off the diagonal.
fn balanced(both: &Both, rho: &Array1<f64>) -> Array1<f64> {
    let n = rho.len();
    let mut d = Array1::<f64>::ones(n);
    let sum = |m: &CsMat<f64>, i: usize, factor: &dyn Fn(usize) -> f64| -> f64 {
        let range = m.indptr().outer_inds_sz(i);
        let entries = m.indices()[range.clone()].iter().zip(&m.data()[range]);
        entries.filter(|&(&j, _)| j != i).map(|(&j, &v)| (v * factor(j)).powi(2)).sum()
    };
    for _ in 0..BALANCING {
        let root = Zip::from(&d).and(rho).map_collect(|d, r| (d * r).sqrt());
        let inverse = Zip::from(&d).and(rho).map_collect(|d, r| (r / d).sqrt());
        let mut moved = 0.0_f64;
        let next = Array1::from_shape_fn(n, |i| {
            let (into, out) = (sum(&both.transposed, i, &|j| root[j]), sum(&both.rows, i, &|j| inverse[j]));
            let target = (into / out).sqrt();
            if target > 1e-100 && target < 1e100 { (d[i] * target).sqrt() } else { d[i] }
        });
        Zip::from(&next).and(&d).for_each(|a, b| moved = moved.max((a / b).ln().abs()));
        d = next;
        if moved < 0.05 {
            break;
        }
    }
    d.mapv(|d| 0.5 * d.ln())
}

/// Climbs on one strongly connected component, until it is clear that others have larger eigenvalues than `enough`.
fn climb(
    both: &Both,
    rho: &Array1<f64>,
    steps: usize,
    enough: f64,
    control: &mut Control<'_>,
) -> Result<(Ascent, Option<Stop>), Stop> {
    let n = rho.len();
    let mut climb = Climb::new(both, rho, balanced(both, rho)).map_err(|_| Stop::Range)?;
    climb.run(steps, enough, &mut |_| control.proceed_with_sweep(n)).map_err(|_| Stop::Range)?;
    climb.finish().map_err(|_| Stop::Range)
}

/// Weights, and a witness, for the whole.
fn find(rows: CsMat<f64>, rho: &Array1<f64>, control: &mut Control<'_>) -> Result<Found, Stop> {
    let n = rho.len();
    let both = Both::new(rows);
    let edges = both.rows.iter().filter(|&(&v, (i, j))| v != 0.0 && i != j).map(|(_, place)| place);
    let components = strongly_connected(n, edges);
    let own: Vec<f64> = (0..n).map(|i| both.rows.get(i, i).copied().unwrap_or(0.0)).collect();
    if components.len() == 1 && n > 1 {
        let (ascent, _) = climb(&both, rho, STEPS, f64::NEG_INFINITY, control)?;
        let d = ascent.weights().to_owned();
        let witness = best_witness(&both.rows, &own, rho, &d, &ascent.witnesses);
        return Ok(Found { both, d, top: ascent.largest_eigenvalue(), witness, steps: ascent.steps() });
    }
    let mut log_s = Array1::<f64>::zeros(n);
    let mut place = vec![usize::MAX; n];
    let mut order: Vec<usize> = (0..components.len()).collect();
    order.sort_by_key(|&k| std::cmp::Reverse(components[k].len()));
    // Single rows have the largest eigenvalue w_ii rho_i, and a vector that says so.
    let mut top = f64::NEG_INFINITY;
    let mut witness = None;
    let mut steps = 0;
    for &k in &order {
        let indices = &components[k];
        let value = if let [i] = indices[..] {
            let value = own[i] * rho[i];
            if value > top {
                let mut y = Array2::zeros((n, 1));
                y[[i, 0]] = 1.0;
                witness = Some((value, y));
            }
            value
        } else {
            let part = both.block(indices, &mut place);
            let part_rho = Array1::from_iter(indices.iter().map(|&i| rho[i]));
            let part_own: Vec<f64> = indices.iter().map(|&i| own[i]).collect();
            let enough = if top > 0.0 { 0.9 * top } else { f64::NEG_INFINITY };
            let (ascent, _) = climb(&part, &part_rho, STEPS, enough, control)?;
            steps += ascent.steps();
            let d = ascent.weights().to_owned();
            for (&i, d) in indices.iter().zip(&d) {
                log_s[i] = 0.5 * d.ln();
            }
            if ascent.largest_eigenvalue() > top {
                let found = best_witness(&part.rows, &part_own, &part_rho, &d, &ascent.witnesses);
                if let Some((bound, y)) = found
                    && witness.as_ref().is_none_or(|(old, _)| bound > *old)
                {
                    witness = Some((bound, super::blocks::padded(&y, indices, n)));
                }
            }
            ascent.largest_eigenvalue()
        };
        top = top.max(value);
    }
    separate(&both, rho, &components, &mut log_s, top);
    let climb = Climb::new(&both, rho, log_s).map_err(|_| Stop::Range)?;
    let (ascent, _) = climb.finish().map_err(|_| Stop::Range)?;
    let d = ascent.weights().to_owned();
    Ok(Found { both, d, top: ascent.largest_eigenvalue(), witness, steps })
}

/// Scales components down, one after the other, until what couples each to those before it is small.
fn separate(both: &Both, rho: &Array1<f64>, components: &[Vec<usize>], log_s: &mut Array1<f64>, top: f64) {
    let n = rho.len();
    let mut member = vec![0; n];
    for (k, indices) in components.iter().enumerate() {
        indices.iter().for_each(|&i| member[i] = k);
    }
    let scale = if top > 0.0 { top } else { 1.0 };
    for (k, indices) in components.iter().enumerate() {
        let mut squares = 0.0;
        for &i in indices {
            let Some(row) = both.rows.outer_view(i) else { continue };
            for (j, &v) in row.iter().filter(|&(j, _)| member[j] != k) {
                squares += (0.5 * v * (rho[i] * rho[j]).sqrt() * (log_s[i] - log_s[j]).exp()).powi(2);
            }
        }
        let allowed = COUPLING * scale * (indices.len() as f64 / n as f64).sqrt();
        let shift = (allowed / squares.sqrt()).ln().min(0.0);
        if shift < 0.0 {
            indices.iter().for_each(|&i| log_s[i] += shift);
        }
    }
    let (low, high) = log_s.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    *log_s -= low.midpoint(high);
}

/// The best refutation that the Ritz vectors give.
fn best_witness(
    rows: &CsMat<f64>,
    own: &[f64],
    rho: &Array1<f64>,
    d: &Array1<f64>,
    witnesses: &[Array2<f64>],
) -> Option<(f64, Array2<f64>)> {
    let weight = d / rho;
    let found = witnesses.iter().filter_map(|y| refined(&rows.view(), own, rho, y, &weight));
    found.max_by(|p, q| p.0.total_cmp(&q.0))
}

/// The least `delta` near `-bound` from which on the witness is proved to refute `W + delta R^-1`.
fn proved_upper(rows: &CsMat<f64>, own: &[f64], rho: &Array1<f64>, bound: f64, y: &Array2<f64>) -> Option<f64> {
    let mut slack = 16.0 * f64::EPSILON * (1.0 + bound.abs());
    for _ in 0..10 {
        let delta = -bound + slack;
        let diagonal = Diagonal::new(own.iter().copied(), rho, delta);
        if check::proves_not_stable_by_rows(&rows.view(), diagonal.lower(), y.view()) {
            return Some(delta);
        }
        slack *= 8.0;
    }
    None
}

/// Decides a matrix that its majorant does not.
pub(super) fn certify(a: Sparse, control: &mut Control<'_>) -> Verdict {
    let Sparse { rows, rho, delta, diagonal, .. } = a;
    let undecided =
        |lower, upper, steps, stop| Verdict::Undecided(Undecided::new((lower, upper), Method::Ascent, steps, stop));
    // The diagonal alone bounds the margin from above.
    let simple = diagonal.lower.iter().zip(&rho).fold(f64::INFINITY, |m, (&d, &rho)| m.min((-d * rho).next_up()));
    let own: Vec<f64> = (0..rho.len()).map(|i| rows.get(i, i).copied().unwrap_or(0.0)).collect();
    let found = match find(rows, &rho, control) {
        Ok(found) => found,
        Err(stop) => return undecided(f64::NEG_INFINITY, simple, 0, stop),
    };
    let (d, steps) = (&found.d, found.steps);
    let room = -delta - found.top;
    let ladder = Ladder::new(&found.both.rows, &found.both.transposed, &rho, d, control.proofs());
    if let Some(ladder) = &ladder
        && room > 0.0
        && let Some(weights) = Weights::new(d.iter().copied(), std::iter::repeat_n(0, d.len()))
    {
        for part in [0.9, 0.5].into_iter().take(ATTEMPTS) {
            let margin = part * room;
            if let Some(proved) = ladder.prove(add_up(delta, margin), found.top) {
                return verdict_of(weights, margin, steps, &proved);
            }
        }
    }
    let upper = found.witness.as_ref().and_then(|(bound, y)| proved_upper(&found.both.rows, &own, &rho, *bound, y));
    if let (Some((_, y)), Some(upper)) = (&found.witness, upper)
        && upper <= delta
        && check::proves_not_stable_by_rows(&found.both.rows.view(), diagonal.lower(), y.view())
    {
        return Verdict::NotStable(Refutation::new(y.clone(), Method::Ascent, steps));
    }
    let upper = upper.map_or(simple, |u| sub_up(u, delta).min(simple));
    // What is proved from below even so; bounds are no matter of chance.
    let slack = 0.05 * found.top.abs();
    let lower = ladder.filter(|l| l.prove_without_draws(-found.top - slack).is_some());
    let lower = lower.map_or(f64::NEG_INFINITY, |_| sub_down(-found.top - slack, delta));
    let stop = if ladder_in_range(d) { Stop::NearBoundary } else { Stop::Range };
    undecided(lower, upper, steps, stop)
}

fn ladder_in_range(d: &Array1<f64>) -> bool {
    d.iter().all(|&v| v > 1e-70 && v < 1e70)
}

fn verdict_of(weights: Weights, margin: f64, steps: usize, proved: &Proved) -> Verdict {
    match proved.error_probability {
        None => Verdict::Stable(Certificate::new(weights, margin, Method::Ascent, steps)),
        Some(_) => Verdict::AlmostSurelyStable(AlmostSureCertificate::new(weights, margin, proved.seed, proved.steps)),
    }
}

/// Whether weights prove a margin, by deterministic proofs.
pub(super) fn proves(d: &Array1<f64>, margin: f64, a: Sparse) -> bool {
    let allowed = Allowed { only: None, memory: MEMORY, seed: 0 };
    let both = Both::new(a.rows);
    Ladder::new(&both.rows, &both.transposed, &a.rho, d, allowed)
        .is_some_and(|ladder| ladder.prove_without_draws(add_up(a.delta, margin)).is_some())
}

/// Whether weights prove a margin by a randomised proof with fresh draws.
pub(super) fn proves_by_draws(d: &Array1<f64>, margin: f64, a: Sparse, seed: u64) -> bool {
    let allowed = Allowed { only: Some(Proof::Randomised), memory: 0, seed };
    let both = Both::new(a.rows);
    Ladder::new(&both.rows, &both.transposed, &a.rho, d, allowed).is_some_and(|ladder| {
        let delta = add_up(a.delta, margin);
        let top = super::randomised::spectrum_ends(ladder.part()).map_or(f64::NEG_INFINITY, |ends| ends.1);
        ladder.prove_by_draws(delta, top).is_some()
    })
}

/// The certificate that given weights are, by deterministic proofs.
pub(super) fn certificate_of(weights: Weights, a: Sparse) -> Option<Certificate> {
    let allowed = Allowed { only: None, memory: MEMORY, seed: 0 };
    let both = Both::new(a.rows);
    let ladder = Ladder::new(&both.rows, &both.transposed, &a.rho, &weights.values(), allowed)?;
    let room = -a.delta - super::randomised::spectrum_ends(ladder.part())?.1;
    let proved = |margin: &f64| ladder.prove_without_draws(add_up(a.delta, *margin)).is_some();
    let margin = [0.95, 0.5].map(|part| part * room).into_iter().filter(|&m| m > 0.0).find(proved)?;
    Some(Certificate::new(weights, margin, Method::Given, 0))
}

/// Bounds on the `delta` up to which `W + delta R^-1` is diagonally stable, with the weights and the witness that they come from.
#[derive(Debug)]
pub(super) struct LinearBounds {
    /// It is for every `delta` up to it; minus infinity where none was proved.
    pub(super) lower: f64,
    /// It is for no `delta` above it; infinite where none was proved.
    pub(super) upper: f64,
    pub(super) weights: Array1<f64>,
    pub(super) witness: Option<Array2<f64>>,
    /// How the lower bound was proved, if it was.
    pub(super) proof: Option<Proved>,
    /// Of the ascent.
    pub(super) steps: usize,
}

impl LinearBounds {
    /// What is known of a matrix of `n` rows before it was looked at.
    pub(super) fn none(n: usize) -> Self {
        let (lower, upper) = (f64::NEG_INFINITY, f64::INFINITY);
        Self { lower, upper, weights: Array1::ones(n), witness: None, proof: None, steps: 0 }
    }
}

/// Bounds on the margin of `W + delta R^-1`.
pub(super) fn margin(a: Sparse, control: &mut Control<'_>) -> Result<LinearBounds, Stop> {
    let by_perron = match a.by_perron(control) {
        ControlFlow::Break(stop) => return Err(stop),
        ControlFlow::Continue(None) => None,
        ControlFlow::Continue(Some((matrix, weights, witness))) => margin_of_metzler(&a, &matrix, weights, witness),
    };
    if let Some(margin) = by_perron {
        return Ok(margin);
    }
    let Sparse { rows, rho, .. } = a;
    let own: Vec<f64> = (0..rho.len()).map(|i| rows.get(i, i).copied().unwrap_or(0.0)).collect();
    let found = find(rows, &rho, control)?;
    let upper = found.witness.as_ref().and_then(|(bound, y)| proved_upper(&found.both.rows, &own, &rho, *bound, y));
    let upper = upper.unwrap_or(f64::INFINITY);
    let ladder = Ladder::new(&found.both.rows, &found.both.transposed, &rho, &found.d, control.proofs());
    let scale = ladder.as_ref().map_or(1.0, |l| l.part().absolute_norm());
    let (mut lower, mut proof) = (f64::NEG_INFINITY, None);
    if let Some(ladder) = ladder {
        let randomised = control.proofs().only == Some(Proof::Randomised) || !ladder.factors_fit();
        let slacks: &[f64] = if randomised { &[3e-3, 3e-2] } else { &[1e-5, 3e-4, 3e-3, 1e-2, 4e-2] };
        // Last what an H-matrix proves in any case, without chance.
        let last = (!randomised || control.proofs().only.is_none()).then_some(scale * 1.001);
        let claims = slacks.iter().map(|slack| found.top + slack * found.top.abs().max(1e-9 * scale)).chain(last);
        for claim in claims {
            let mu = claim + 4.0 * ladder.part().error();
            let proved = if claim > scale { ladder.prove_without_draws(-mu) } else { ladder.prove(-mu, found.top) };
            if let Some(proved) = proved {
                (lower, proof) = (-mu, Some(proved));
                break;
            }
        }
    }
    let witness = found.witness.map(|(_, y)| y).filter(|_| upper.is_finite());
    Ok(LinearBounds { lower, upper, weights: found.d, witness, proof, steps: found.steps })
}

/// Both bounds from the Perron vectors of a Metzler matrix.
fn margin_of_metzler(
    a: &Sparse,
    matrix: &Metzler<'_>,
    weights: Option<Weights>,
    witness: Array2<f64>,
) -> Option<LinearBounds> {
    let weights = weights?;
    // Stable for all `delta` below the margin, not at it.
    let lower = matrix.margin(&weights)?.next_down();
    let n = a.rho.len();
    let own: Vec<f64> = (0..n).map(|i| a.rows.get(i, i).copied().unwrap_or(0.0)).collect();
    let y = witness.column(0);
    let quotient = |i: usize| {
        let row = a.rows.outer_view(i).expect("a row of the matrix");
        a.rho[i] * row.iter().map(|(j, w)| w * y[j]).sum::<f64>() / y[i]
    };
    let least = (0..n).filter(|&i| y[i] != 0.0).map(quotient).fold(f64::INFINITY, f64::min);
    let upper = proved_upper(&a.rows, &own, &a.rho, least, &witness).unwrap_or(f64::INFINITY);
    let proof = Proved { proof: Proof::HMatrix, error_probability: None, seed: 0, steps: 0 };
    let (weights, witness) = (weights.values(), Some(witness).filter(|_| upper.is_finite()));
    Some(LinearBounds { lower, upper, weights, witness, proof: Some(proof), steps: 0 })
}
