//! The wiring: who connects to whom, how strongly, and with which sign.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use neuronash::network::read::EdgeList;
use neuronash::network::{Weights, WeightsView};

/// Signed synapse counts between named neurons.
pub struct Connectome {
    /// Names in ASCII order; the numbering of everything else.
    pub names: Vec<String>,
    /// The dominant transmitter of each neuron that sends, `unknown` for the others.
    pub transmitters: Vec<String>,
    /// Entry `[post, pre]` is the signed number of synapses.
    pub synapses: Weights<f64>,
    /// The mean number of synapses that a neuron receives.
    pub mean_in_degree: f64,
}

/// The sign of a connection: as predicted where the prediction is clear, otherwise by the sender's transmitter.
fn sign(polarity: &str, transmitter: &str) -> f64 {
    match (polarity, transmitter) {
        ("excitatory", _) => 1.0,
        ("inhibitory", _) | (_, "GABA") => -1.0,
        _ => 1.0,
    }
}

impl Connectome {
    /// Reads the columns `pre, post, synapses, polarity, pre_transmitter`.
    pub fn read(path: &Path) -> neuronash::Result<Self> {
        let transmitter_of = RefCell::new(BTreeMap::new());
        let (names, synapses) = EdgeList::new()
            .weight(|edge| {
                let transmitter = edge.get("pre_transmitter")?;
                transmitter_of.borrow_mut().insert(edge.get("pre")?.to_string(), transmitter.to_string());
                Ok(sign(edge.get("polarity")?, transmitter) * edge.number::<f64>("synapses")?)
            })
            .read(path)?
            .into_parts();
        let transmitter_of = transmitter_of.into_inner();
        let transmitters =
            names.iter().map(|n| transmitter_of.get(n).map_or("unknown", String::as_str).to_string()).collect();
        let mean_in_degree = connections(&synapses).map(|(_, _, w)| w.abs()).sum::<f64>() / names.len() as f64;
        Ok(Self { names, transmitters, synapses, mean_in_degree })
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// `gain` times the signed counts over the mean in-degree.
    pub fn weights(&self, gain: f64) -> neuronash::Result<Weights<f64>> {
        let scale = gain / self.mean_in_degree;
        Weights::from_triplets(self.len(), connections(&self.synapses).map(|(i, j, w)| (i, j, scale * w)))
    }

    /// The number of a neuron, or a message with the nearest names.
    pub fn number(&self, name: &str) -> Result<usize, String> {
        self.names.iter().position(|n| n == name).ok_or_else(|| {
            let near = nearest(name, self.names.iter().map(String::as_str));
            format!("unknown neuron `{name}`; did you mean {}?", crate::options::list(&near, ""))
        })
    }
}

/// The stored weights as `(post, pre, weight)`.
pub fn connections(weights: &Weights<f64>) -> impl Iterator<Item = (usize, usize, f64)> {
    let entries: Vec<_> = match weights.view() {
        WeightsView::Sparse(w) => w.iter().map(|(&v, (i, j))| (i, j, v)).collect(),
        WeightsView::Dense(w) => w.indexed_iter().map(|((i, j), &v)| (i, j, v)).collect(),
        _ => Vec::new(),
    };
    entries.into_iter()
}

/// The three candidates nearest to `name` by edit distance, ignoring case.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let wanted = name.to_lowercase();
    let mut by_distance: Vec<(usize, &str)> =
        candidates.into_iter().map(|c| (strsim::damerau_levenshtein(&wanted, &c.to_lowercase()), c)).collect();
    by_distance.sort();
    by_distance.into_iter().take(3).map(|(_, c)| c.to_string()).collect()
}
