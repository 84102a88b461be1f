//! The report as a table.

use std::fmt;

use super::{Answer, Condition, Finding, Measure, StabilityReport};
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

impl fmt::Display for StabilityReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Stability of a network of {} neurons", self.neurons)?;
        writeln!(
            f,
            "{:<23} {:<9} {:>12} {:>12} {:>9}  implies, if it holds",
            "condition", "answer", "rate/margin", "largest gain", "seconds"
        )?;
        for finding in &self.findings {
            let implied = match &finding.answer {
                Answer::Skipped(why) => why.clone(),
                _ => implied(finding),
            };
            writeln!(
                f,
                "{:<23} {:<9} {:>12} {:>12} {:>9.3}  {}",
                finding.condition,
                finding.answer,
                number(finding.margin),
                number(finding.largest_gain),
                finding.seconds,
                implied
            )?;
        }
        Ok(())
    }
}

/// The end that is proved whatever happens: the lower one.
fn number(bounds: Option<Bounds>) -> String {
    match bounds {
        None => "-".into(),
        Some(b) if b.lower == f64::INFINITY => "any".into(),
        Some(b) => format!("{:.6}", b.lower),
    }
}

fn implied(finding: &Finding) -> String {
    let implication = finding.condition.implies();
    let mut parts = Vec::new();
    if implication.unique_equilibrium {
        parts.push("one equilibrium for every input".to_owned());
    }
    match implication.exponentially_stable {
        Some(Measure::Norm) => {
            let norm = finding.norm.as_ref().map_or_else(|| "a norm".to_owned(), |n| format!("the {n} norm"));
            parts.push(format!("global exponential stability in {norm}"));
        }
        Some(Measure::Lyapunov) => parts.push("global exponential stability by a Lyapunov function".to_owned()),
        None => {}
    }
    if implication.local_only {
        parts.push("stable where all slopes are largest".to_owned());
    }
    if implication.all_time_constants {
        parts.push("for all time constants".to_owned());
    }
    parts.join(", ")
}
