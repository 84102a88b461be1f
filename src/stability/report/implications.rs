//! What the conditions imply for each other, and a report that says so throughout.

use super::{Answer, Condition, Finding};
use crate::stability::contraction::NormKind;
use crate::stability::matrix::Structure;

/// What there is to know of a network before its implications are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    /// The norm in which a slope multiplies a whole row of the majorant: l-infinity for firing-rate networks, l1 for
    /// Hopfield ones.
    pub(super) slope_norm: NormKind,
    /// Of `W - R^-1`.
    pub(super) structure: Structure,
}

/// All pairs of a condition and one that follows from it, for a kind of network; together with their chains they are
/// all that is proved here. `W` stands for `R W` or `W R` as in [`Condition`].
fn arrows(kind: Kind) -> Vec<(Condition, Condition)> {
    use Condition::*;
    let (majorant, other) = match kind.slope_norm {
        NormKind::One => (MetzlerOne, MetzlerInfinity),
        _ => (MetzlerInfinity, MetzlerOne),
    };
    let mut arrows = vec![
        // A dominated Metzler majorant of `W - I` is Hurwitz, by rows with the vector of ones, by columns since its
        // transpose is.
        (RowDominance, majorant),
        (ColumnDominance, majorant),
        // The other norm needs the same of the majorant with its diagonal raised to 0 where it is negative: the slopes
        // of a neuron and of its inputs vary apart. So it implies the first and does not follow from dominance.
        (other, majorant),
        // Theory 3.6, with `D` from the Perron vectors.
        (majorant, DiagonalStability),
        // With `D = R^-1` or `R`, by definition.
        (EuclideanLogNorm, DiagonalStability),
        // With `D = Q` (theory 4.3): the block inequality at `(x, x)` says `2 c x'Px + 2 x'Q(W - I)x < 0`, whatever
        // `T`.
        (SContraction, DiagonalStability),
        // Theory 2.4: `D A + A'D < 0` holds for all principal submatrices, and a matrix with it is Hurwitz, so that
        // `-A` has positive minors.
        (DiagonalStability, PMatrix),
        // Theory 3.3: `D T` certifies `T^-1 A`.
        (DiagonalStability, DStability),
        // The time constants of the network are some.
        (DStability, Hurwitz),
    ];
    if kind.structure.decides() {
        // All four are the same (see `Structure`).
        arrows.extend([(PMatrix, DiagonalStability), (Hurwitz, DiagonalStability)]);
    }
    if kind.structure.metzler {
        // The matrix is its own majorant, up to signs.
        arrows.push((DiagonalStability, majorant));
    }
    arrows
}

/// Answers what other lines answer already: a condition holds if one holds that it follows from, and fails if one fails
/// that follows from it. A proof counts more than a computed eigenvalue; conditions that were not tried stay untried.
///
/// # Panics
/// If two proofs contradict each other.
pub(super) fn complete(findings: &mut [Finding], kind: Kind) {
    let arrows = arrows(kind);
    let place = |findings: &[Finding], condition| findings.iter().position(|f| f.condition == condition);
    loop {
        let mut changed = false;
        for &(strong, weak) in &arrows {
            let (Some(s), Some(w)) = (place(findings, strong), place(findings, weak)) else { continue };
            if findings[s].answer == Answer::Holds {
                match (&findings[w].answer, findings[w].numerical) {
                    (Answer::Undecided, _) | (Answer::Fails, true) => {
                        findings[w].answer = Answer::Holds;
                        changed = true;
                    }
                    (Answer::Fails, false) => panic!("{strong} is proved, and so is that {weak}, which follows, fails"),
                    _ => {}
                }
            }
        }
        if !changed {
            break;
        }
    }
    loop {
        let mut changed = false;
        for &(strong, weak) in &arrows {
            let (Some(s), Some(w)) = (place(findings, strong), place(findings, weak)) else { continue };
            if findings[w].answer == Answer::Fails && findings[s].answer == Answer::Undecided {
                findings[s].answer = Answer::Fails;
                findings[s].numerical |= findings[w].numerical;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
}
