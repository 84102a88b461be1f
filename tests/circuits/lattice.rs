//! Circuits on a hexagonal lattice against their definition, plane waves, and the figures of the fly's optic lobe.

use std::collections::BTreeMap;

use ndarray::Array1;
#[cfg(feature = "csv")]
use ndarray::Array2;
use neuronash::circuits::lattice::{HexagonalLattice, LatticeCircuit};
#[cfg(feature = "csv")]
use neuronash::network::WeightsView;
#[cfg(feature = "csv")]
use neuronash::stability::diagonal::max_gain;
use num_complex::Complex64;
use proptest::prelude::*;

const NAMES: [&str; 3] = ["A", "B", "C"];

fn circuit_of(connections: &[(usize, usize, (i32, i32), f64)]) -> LatticeCircuit {
    let mut circuit = LatticeCircuit::new(NAMES).unwrap();
    for &(pre, post, offset, weight) in connections {
        circuit.connect(NAMES[pre], NAMES[post], offset, weight).unwrap();
    }
    circuit
}

fn connections() -> impl Strategy<Value = Vec<(usize, usize, (i32, i32), f64)>> {
    prop::collection::vec((0..3usize, 0..3usize, (-3..4i32, -3..4i32), -2.0..2.0f64), 1..20)
}

fn steps((u, v): (i32, i32)) -> i32 {
    u.abs().max(v.abs()).max((u + v).abs())
}

#[test]
fn a_disc_holds_the_columns_within_its_radius() {
    for radius in 0..8 {
        let disc = HexagonalLattice::disc(radius).unwrap();
        assert_eq!(disc.columns(), 3 * radius * radius + 3 * radius + 1);
        let r = radius as i32;
        for u in -r - 2..=r + 2 {
            for v in -r - 2..=r + 2 {
                let column = disc.column_at((u, v));
                assert_eq!(column.is_some(), steps((u, v)) <= r, "({u}, {v}) in radius {r}");
                assert!(column.is_none_or(|c| disc.positions()[c] == (u, v)));
            }
        }
    }
    assert!(HexagonalLattice::disc(20_000).unwrap_err().to_string().contains("`radius` is 20000"));
    assert!(HexagonalLattice::torus(0).unwrap_err().to_string().contains("`size` is 0"));
}

proptest! {
    #[test]
    fn weights_are_what_the_offsets_say(list in connections(), size in 1..5usize, torus: bool) {
        let circuit = circuit_of(&list);
        let lattice = if torus { HexagonalLattice::torus(size) } else { HexagonalLattice::disc(size) }.unwrap();
        let mut expected = BTreeMap::new();
        for &(u, v) in lattice.positions() {
            for &(pre, post, (du, dv), weight) in &list {
                if let Some(receiver) = lattice.column_at((u + du, v + dv)) {
                    let from = circuit.neuron(lattice.column_at((u, v)).unwrap(), pre);
                    *expected.entry((circuit.neuron(receiver, post), from)).or_insert(0.0) += weight;
                }
            }
        }
        let weights = circuit.weights::<f64>(&lattice).unwrap();
        for i in 0..weights.len() {
            for j in 0..weights.len() {
                let wanted: f64 = expected.get(&(i, j)).copied().unwrap_or(0.0);
                prop_assert!((weights.get(i, j) - wanted).abs() < 1e-13);
            }
        }
        let single = circuit.weights::<f32>(&lattice).unwrap();
        prop_assert!((f64::from(single.get(0, 0)) - weights.get(0, 0)).abs() < 1e-5);
    }

    #[test]
    fn plane_waves_are_mapped_by_their_own_small_matrix(list in connections(), size in 1..6usize, a in 0..6usize, b in 0..6usize) {
        let circuit = circuit_of(&list);
        let torus = HexagonalLattice::torus(size).unwrap();
        let weights = circuit.weights::<f64>(&torus).unwrap().to_dense();
        let turn = std::f64::consts::TAU / size as f64;
        let (ku, kv) = (turn * a as f64, turn * b as f64);
        let symbol = circuit.on_plane_waves((ku, kv));
        let wave = |(u, v): (i32, i32)| Complex64::from_polar(1.0, ku * f64::from(u) + kv * f64::from(v));
        for pre in 0..3 {
            let mut parts = [Array1::<f64>::zeros(weights.nrows()), Array1::zeros(weights.nrows())];
            for (column, &place) in torus.positions().iter().enumerate() {
                parts[0][circuit.neuron(column, pre)] = wave(place).re;
                parts[1][circuit.neuron(column, pre)] = wave(place).im;
            }
            let [re, im] = parts.map(|part| weights.dot(&part));
            for (column, &place) in torus.positions().iter().enumerate() {
                for post in 0..3 {
                    let i = circuit.neuron(column, post);
                    let found = Complex64::new(re[i], im[i]);
                    prop_assert!((found - symbol[[post, pre]] * wave(place)).norm() < 1e-11);
                }
            }
        }
    }
}

/// The largest eigenvalue of a Hermitian matrix, by power steps on a shifted square.
#[cfg(feature = "csv")]
fn largest_eigenvalue(h: &Array2<Complex64>) -> f64 {
    let n = h.nrows();
    let shift = h.rows().into_iter().map(|row| row.iter().map(|v| v.norm()).sum::<f64>()).fold(0.0, f64::max);
    let mut power = h + &(Array2::<Complex64>::eye(n) * Complex64::new(shift, 0.0));
    for _ in 0..16 {
        let size = power.iter().map(|v| v.norm()).fold(0.0, f64::max);
        power = power.mapv(|v| v / size);
        power = power.dot(&power);
    }
    let column = (0..n).max_by(|&i, &j| power[[i, i]].re.total_cmp(&power[[j, j]].re)).unwrap();
    let x = power.column(column).to_owned();
    let hx = h.dot(&x);
    let dot = |a: &Array1<Complex64>| a.iter().zip(&x).map(|(a, x)| (x.conj() * a).re).sum::<f64>();
    dot(&hx) / dot(&x)
}

#[cfg(feature = "csv")]
#[test]
fn the_optic_lobe_has_its_published_size_and_gain() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/fly_optic_lobe_columns.csv");
    let circuit = LatticeCircuit::read(path).unwrap();
    assert_eq!((circuit.types().len(), circuit.connections()), (65, 2140));
    assert!((circuit.mean_in_degree() - 124.4193).abs() < 5e-5);
    let scale = circuit.mean_in_degree().recip();
    let circuit = circuit.scaled(scale).unwrap();
    // The Euclidean log norm on a torus of 4 x 4 columns, computed apart with NumPy: its gain is 0.687976.
    let mut largest = f64::NEG_INFINITY;
    for a in 0..4 {
        for b in 0..=2 {
            let quarter = std::f64::consts::FRAC_PI_2;
            let w = circuit.on_plane_waves((quarter * f64::from(a), quarter * f64::from(b)));
            let symmetric = (&w + &w.t().mapv(|v| v.conj())) * Complex64::new(0.5, 0.0);
            largest = largest.max(largest_eigenvalue(&symmetric));
        }
    }
    assert!((largest.recip() - 0.687976).abs() < 1e-6, "{}", largest.recip());
    let disc = circuit.weights::<f64>(&HexagonalLattice::disc(3).unwrap()).unwrap();
    let WeightsView::Sparse(w) = disc.view() else { panic!("weights of a lattice are sparse") };
    assert_eq!(w.rows(), 37 * 65);
}

#[cfg(feature = "csv")]
#[test]
fn bad_lists_are_refused_with_their_line() {
    let refused = |text: &str| LatticeCircuit::read_from(text.as_bytes(), "list").unwrap_err().to_string();
    let line = |fields: &str| refused(&format!("pre,post,du,dv,synapses,sign\n{fields}\n"));
    assert_eq!(line("A,B,0.5,0,1,1"), "list:2: `du` is 0.5; whole numbers are allowed");
    assert_eq!(line("A,B,0,0,1,2"), "list:2: `synapses` must be at least 0 and `sign` 1 or -1");
    assert_eq!(line("A,B,0,0,1,1\nA,B,0,0,2,1"), "list:3: this connection stands in the list twice");
    assert!(refused("pre,post,du,dv,synapses\nA,B,0,0,1").contains("no column `sign`"));
    let mut circuit = LatticeCircuit::new(["A"]).unwrap();
    assert!(circuit.connect("A", "B", (0, 0), 1.0).unwrap_err().to_string().contains("`post` is B"));
    assert!(circuit.connect("A", "A", (0, 0), f64::NAN).is_err());
    assert!(LatticeCircuit::new(["A", "A"]).unwrap_err().to_string().contains("types[1]"));
}

/// On a torus weights `D` that are alike in all columns lose nothing, so that no gain exceeds that of any one of the matrices on
/// plane waves; that of the constant wave is real, and the interior point bounds its gain.
#[cfg(feature = "csv")]
#[test]
fn the_certified_gain_of_the_optic_lobe_comes_near_what_plane_waves_allow() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/fly_optic_lobe_columns.csv");
    let circuit = LatticeCircuit::read(path).unwrap();
    let scale = circuit.mean_in_degree().recip();
    let circuit = circuit.scaled(scale).unwrap();
    let constant = circuit.on_plane_waves((0.0, 0.0)).mapv(|v| v.re);
    let most = max_gain((&constant, &Array1::<f64>::ones(65))).unwrap();
    // Over all waves of tori of 4, 6 and 13 columns a search of its own, in Python, found weights for 1.50093.
    assert!((most.upper() - 1.50095).abs() < 1e-4, "{most}");
    let weights = circuit.weights::<f64>(&HexagonalLattice::torus(7).unwrap()).unwrap();
    let WeightsView::Sparse(w) = weights.view() else { panic!("weights of a lattice are sparse") };
    let gain = max_gain((w, &Array1::<f64>::ones(w.rows()))).unwrap();
    assert!(gain.lower() <= most.upper() && gain.lower() >= 0.99 * most.lower(), "{gain} for {most}");
    assert!(gain.upper() >= 0.999 * most.lower(), "{gain} for {most}");
}
