//! The report as a table.

use std::fmt;

use super::{Answer, Condition, Finding, Measure, StabilityReport};
use crate::linalg::decimal::AtLeast;
use crate::network::neurons;
use crate::stability::Bounds;

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Condition::RowDominance => "row dominance",
            Condition::ColumnDominance => "column dominance",
            Condition::MetzlerInfinity => "l-infinity contraction",
            Condition::MetzlerOne => "l1 contraction",
            Condition::EuclideanLogNorm => "Euclidean log norm",
            Condition::SContraction => "S-contraction",
            Condition::DiagonalStability => "diagonal stability",
            Condition::PMatrix => "P-matrix",
            Condition::DStability => "D-stability",
            Condition::Hurwitz => "linear stability",
        })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Answer::Holds => "holds",
            Answer::Fails => "fails",
            Answer::Undecided => "undecided",
            Answer::Skipped(_) => "skipped",
        })
    }
}

/// One line a condition, at most 100 characters wide; then what the words of the last column mean.
impl fmt::Display for StabilityReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Stability of a network of {}", neurons(self.neurons))?;
        writeln!(
            f,
            "{:<22} {:<9} {:>11} {:>12} {:>8}  implies, if it holds",
            "condition", "answer", "rate/margin", "largest gain", "seconds"
        )?;
        for finding in &self.findings {
            writeln!(
                f,
                "{:<22} {:<9} {:>11} {:>12} {:>8.3}  {}",
                finding.condition,
                finding.answer,
                number(finding.margin, finding.numerical),
                number(finding.largest_gain, finding.numerical),
                finding.seconds,
                remark(finding)
            )?;
        }
        let shown = |word: &Word| self.findings.iter().any(|finding| says(finding, *word));
        for word in Word::ALL.iter().filter(|word| shown(word)) {
            write!(f, "\n  {:<10} {}", word.name(), word.meaning())?;
        }
        if self.findings.iter().any(|finding| finding.numerical) {
            write!(f, "\n  {:<10} from computed eigenvalues, not proved", "~")?;
        }
        for finding in &self.findings {
            if let Some(norm) = &finding.norm {
                write!(f, "\n  {} contracts in the {norm} norm", finding.condition)?;
            }
        }
        Ok(())
    }
}

/// The end that is proved whatever happens: the lower one. A tilde marks what is not proved.
fn number(bounds: Option<Bounds>, numerical: bool) -> String {
    let mark = if numerical { "~" } else { "" };
    match bounds {
        None => "-".into(),
        Some(b) if b.lower == f64::INFINITY => format!("{mark}any"),
        Some(b) if b.lower == 0.0 || (1e-4..1e4).contains(&b.lower.abs()) => format!("{mark}{:.6}", AtLeast(b.lower)),
        Some(b) => format!("{mark}{:.3e}", AtLeast(b.lower)),
    }
}

/// What a condition implies, in words that are explained below the table; or why it was skipped.
fn remark(finding: &Finding) -> String {
    match &finding.answer {
        Answer::Skipped(why) => why.clone(),
        _ => {
            Word::ALL.iter().filter(|word| says(finding, **word)).map(|word| word.name()).collect::<Vec<_>>().join(", ")
        }
    }
}

#[derive(Clone, Copy)]
enum Word {
    Unique,
    Contracts,
    Settles,
    Local,
    AnyTau,
}

impl Word {
    const ALL: [Word; 5] = [Word::Unique, Word::Contracts, Word::Settles, Word::Local, Word::AnyTau];

    fn name(self) -> &'static str {
        match self {
            Word::Unique => "unique",
            Word::Contracts => "contracts",
            Word::Settles => "settles",
            Word::Local => "local",
            Word::AnyTau => "any tau",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Word::Unique => "one equilibrium for every input",
            Word::Contracts => "any two trajectories approach each other exponentially in a norm",
            Word::Settles => "global exponential stability by a Lyapunov function",
            Word::Local => "stable where all slopes are largest, which says nothing about other states",
            Word::AnyTau => "whatever the time constants; without it, for those of the network",
        }
    }
}

fn says(finding: &Finding, word: Word) -> bool {
    let implication = finding.condition.implies();
    !matches!(finding.answer, Answer::Skipped(_))
        && match word {
            Word::Unique => implication.unique_equilibrium,
            Word::Contracts => implication.exponentially_stable == Some(Measure::Norm),
            Word::Settles => implication.exponentially_stable == Some(Measure::Lyapunov),
            Word::Local => implication.local_only,
            Word::AnyTau => implication.all_time_constants,
        }
}
