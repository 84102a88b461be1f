//! The printed account, part by part.

use std::collections::BTreeMap;
use std::error::Error;

use neuronash::equilibrium::{Equilibrium, Outcome};
use neuronash::game;
use neuronash::network::{FiringRateNetwork, Polarity};
use neuronash::stability::{Condition, Finding, NetworkVerdict, StabilityReport};

use crate::connectome::{Connectome, connections};
use crate::options::Options;

type Outcomes<T> = Result<T, Box<dyn Error>>;

fn heading(text: &str) {
    println!("\n{text}\n{}", "-".repeat(text.chars().count()));
}

/// Size, signs and Dale's law.
pub fn wiring(connectome: &Connectome) {
    println!("The chemical connectome of Caenorhabditis elegans (Fenyves et al. 2020)");
    heading("Wiring");
    let (mut excitatory, mut inhibitory, mut synapses) = (0, 0, 0.0);
    for (_, _, w) in connections(&connectome.synapses) {
        if w > 0.0 {
            excitatory += 1
        } else {
            inhibitory += 1
        }
        synapses += w.abs();
    }
    let total = excitatory + inhibitory;
    println!("{} neurons, {total} connections, {synapses} synapses", connectome.len());
    println!(
        "{excitatory} connections excite ({:.0}%), {inhibitory} inhibit; {:.1} synapses onto a neuron on average",
        100.0 * excitatory as f64 / total as f64,
        connectome.mean_in_degree
    );

    let dale = connectome.synapses.dale();
    println!(
        "Dale's law: {} neurons only excite, {} only inhibit, {} send nothing, {} do both",
        dale.excitatory(),
        dale.inhibitory(),
        dale.silent(),
        dale.violations().count()
    );
    let mut mixed: Vec<(usize, &str)> = dale
        .violations()
        .filter_map(|(j, polarity)| match polarity {
            Polarity::Mixed { offending, .. } => Some((offending.len(), connectome.names[j].as_str())),
            _ => None,
        })
        .collect();
    mixed.sort_by(|a, b| b.cmp(a));
    let worst: Vec<String> = mixed.iter().take(5).map(|(k, name)| format!("{name} ({k})")).collect();
    println!("  most connections of their rarer sign: {}", worst.join(", "));
}

/// Every stability condition at the chosen gain, and the largest gain under each; then the proof that all else rests on.
pub fn stability(
    connectome: &Connectome,
    network: &FiringRateNetwork<f64>,
    report: &StabilityReport,
    options: &Options,
) -> Outcomes<Vec<(Condition, f64)>> {
    heading(&format!("Stability at gain {}", options.gain));
    println!("{report}");

    println!("\nLargest gain under each condition (below it, the condition holds):");
    let gains = largest_gains(report, options.gain);
    for &(condition, gain) in &gains {
        println!("  {gain:>7.3}  {condition}");
    }

    if let Some(verdict) = report.verdict() {
        println!("\nThe proof: {verdict}");
    }
    if let Some(certificate) = report.verdict().and_then(NetworkVerdict::certificate) {
        let weights = certificate.weights();
        let ((low, least), (high, most)) = extremes(weights.iter());
        let name = |i: usize| &connectome.names[i];
        println!("Its weights range over a factor of {:.0}, from {} to {}.", most / least, name(low), name(high));
        let decay = network.lyapunov(certificate)?.decay_rate();
        println!("The Lyapunov function falls at least as fast as exp(-{decay:.4} t), t in time constants.");
    }
    Ok(gains)
}

/// The gain of the synapse counts, rather than of the network, up to which each condition holds.
fn largest_gains(report: &StabilityReport, gain: f64) -> Vec<(Condition, f64)> {
    let scaled = |f: &Finding| Some((f.condition, gain * f.largest_gain?.lower));
    report.findings().iter().filter_map(scaled).filter(|(_, g)| g.is_finite()).collect()
}

/// Position and value of the smallest and of the largest entry.
fn extremes<'a>(values: impl Iterator<Item = &'a f64> + Clone) -> ((usize, f64), (usize, f64)) {
    let ordered = |p: &(usize, &f64), q: &(usize, &f64)| p.1.total_cmp(q.1);
    let pick = |entry: Option<(usize, &f64)>| entry.map_or((0, f64::NAN), |(i, &v)| (i, v));
    (pick(values.clone().enumerate().min_by(ordered)), pick(values.enumerate().max_by(ordered)))
}

/// The equilibrium under the stimulus, if one is found.
pub fn rest(
    connectome: &Connectome,
    network: &FiringRateNetwork<f64>,
    verdict: &NetworkVerdict,
    options: &Options,
) -> Outcomes<Option<Equilibrium<f64>>> {
    let stimuli: Vec<String> = options.stimuli.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    heading(&format!("Rest under the input {}", stimuli.join(", ")));
    let mut solver = network.equilibrium();
    if let Some(certificate) = verdict.certificate() {
        solver = solver.certificate(certificate);
    }
    let outcome = solver.outcome()?;
    println!("{outcome}");
    let Outcome::Equilibrium(rest) = outcome else {
        println!("No equilibrium was found at this gain.");
        return Ok(None);
    };
    let exploitability = network.game().exploitability(&rest.state())?;
    println!(
        "Exploitability: no neuron can lower its energy by more than {:.1e} alone, all together by {:.1e}.",
        exploitability.max(),
        exploitability.sum()
    );
    let mut by_rate: Vec<usize> = (0..connectome.len()).collect();
    by_rate.sort_by(|&i, &j| rest.state()[j].abs().total_cmp(&rest.state()[i].abs()));
    let active = rest.state().iter().filter(|x| x.abs() > 1e-6).count();
    println!("{active} of {} neurons fire. The most active:", connectome.len());
    for row in by_rate[..12].chunks(4) {
        let cells: Vec<String> =
            row.iter().map(|&i| format!("{:>6} {:<9.4}", connectome.names[i], rest.state()[i])).collect();
        println!("  {}", cells.join(" "));
    }
    Ok(Some(rest))
}

/// Which relations are antagonistic: pairs that act on each other with opposite signs.
pub fn relations(connectome: &Connectome, network: &FiringRateNetwork<f64>, verdict: &NetworkVerdict) -> Outcomes<()> {
    heading("Relations");
    let w = network.weights();
    let mut pairs: Vec<(f64, usize, usize)> = connections(w)
        .filter(|&(i, j, v)| i < j && v != 0.0 && w.get(j, i) != 0.0)
        .map(|(i, j, v)| (v * w.get(j, i), i, j))
        .collect();
    pairs.sort_by(|p, q| p.0.total_cmp(&q.0));
    let antagonistic = pairs.iter().filter(|p| p.0 < 0.0).count();
    println!(
        "{} pairs act on each other: {antagonistic} with opposite signs (antagonistic), {} with equal signs.",
        pairs.len(),
        pairs.len() - antagonistic
    );
    let name = |i: usize| connectome.names[i].as_str();
    let strongest: Vec<String> = pairs.iter().take(6).map(|&(_, i, j)| format!("{}-{}", name(i), name(j))).collect();
    println!("Strongest antagonistic pairs: {}", strongest.join(", "));

    let mut partners: BTreeMap<usize, usize> = BTreeMap::new();
    for &(product, i, j) in &pairs {
        if product < 0.0 {
            *partners.entry(i).or_default() += 1;
            *partners.entry(j).or_default() += 1;
        }
    }
    let mut most: Vec<(usize, usize)> = partners.into_iter().map(|(i, k)| (k, i)).collect();
    most.sort_by(|p, q| q.0.cmp(&p.0).then(p.1.cmp(&q.1)));
    let most: Vec<String> = most.iter().take(8).map(|&(k, i)| format!("{} ({k})", name(i))).collect();
    println!("Neurons with most antagonistic partners: {}", most.join(", "));

    if let Some(certificate) = verdict.certificate() {
        let index = game::split(w, &certificate.weights())?.cooperation_index();
        if let Some(index) = index {
            println!(
                "Weighted by the certificate, {:.0}% of the interaction is common interest and {:.0}% zero-sum.",
                100.0 * index,
                100.0 * (1.0 - index)
            );
        }
    }
    Ok(())
}
