//! The two figures.

use std::path::PathBuf;

use ndarray::Array1;
use neuronash::equilibrium::Equilibrium;
use neuronash::network::FiringRateNetwork;
use neuronash::stability::Condition;

use crate::connectome::Connectome;
use crate::options::Options;
use crate::plot::{Axis, BLACK, BLUE, Dash, Figure, GREEN, GREY, ORANGE, Outcome, PURPLE, Panel, RED, SKY};

/// The largest certified gain under each condition, as bars.
pub fn gains(bars: &[(Condition, f64)], options: &Options) -> Outcome<PathBuf> {
    let longest = bars.iter().map(|(_, g)| *g).fold(options.gain, f64::max);
    let mut panel = Panel::new(
        "What each condition certifies",
        Axis::new("largest gain (all weights multiplied by it)", 0.0..1.7 * longest),
        Axis::categories("", &vec![""; bars.len()]),
    );
    for (k, (condition, gain)) in bars.iter().enumerate() {
        let color = if *condition == Condition::DiagonalStability { BLUE } else { SKY };
        let y = (bars.len() - 1 - k) as f64;
        panel = panel.area([[0.0, y + 0.15], [*gain, y + 0.85]], color, 0.85, "");
        panel = panel.note([1.04 * longest, y + 0.5], &format!("{gain:.3}  {condition}"), BLACK);
    }
    panel = panel.styled(
        vec![[options.gain, 0.0], [options.gain, bars.len() as f64]],
        RED,
        2,
        Dash::Dashed,
        &format!("chosen gain {}", options.gain),
    );
    Figure::new("celegans_gains", 800, 420).panel(panel).save_in(&options.out)
}

/// Rates over time to rest, and at rest by transmitter.
pub fn rates(
    connectome: &Connectome,
    network: &FiringRateNetwork<f64>,
    rest: Option<&Equilibrium<f64>>,
    options: &Options,
) -> Outcome<PathBuf> {
    let end = 80.0;
    let times = Array1::linspace(0.0, end, 321);
    let trajectory = network.simulate().initial(&Array1::zeros(connectome.len())).record_at(&times).until(end).run()?;
    let last = trajectory.states().row(trajectory.states().nrows() - 1).to_owned();
    let at_rest = rest.map_or(last, |r| r.state().to_owned());

    let mut order: Vec<usize> = (0..connectome.len()).collect();
    order.sort_by(|&i, &j| at_rest[j].abs().total_cmp(&at_rest[i].abs()));
    let top = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0f64, f64::max).max(1e-3);
    let bottom = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0f64, f64::min);
    let high = 1.05 * top(&mut trajectory.states().iter().copied().chain(at_rest.iter().copied()));
    let low = 1.05 * bottom(&mut trajectory.states().iter().copied().chain(at_rest.iter().copied()));

    let mut over_time = Panel::new(
        "From silence to rest",
        Axis::new("time (time constants)", 0.0..end),
        Axis::new("firing rate (dimensionless)", low..high),
    );
    let curve = |i: usize| -> Vec<[f64; 2]> {
        trajectory.times().iter().zip(trajectory.states().column(i)).map(|(&t, &x)| [t, x]).collect()
    };
    for &i in order.iter().skip(6) {
        if at_rest[i].abs() > 1e-3 * high {
            over_time = over_time.styled(curve(i), GREY, 1, Dash::Solid, "other neurons");
        }
    }
    for (&i, color) in order.iter().zip([BLUE, RED, GREEN, ORANGE, PURPLE, SKY]) {
        over_time = over_time.line(curve(i), color, &connectome.names[i]);
    }

    let types = ["ACh", "Glu", "GABA", "unknown"];
    let mut by_type = Panel::new(
        "At rest, by transmitter",
        Axis::categories("dominant transmitter", &types),
        Axis::new("firing rate (dimensionless)", low..high),
    );
    for (k, name) in types.iter().enumerate() {
        let members: Vec<usize> = (0..connectome.len()).filter(|&i| connectome.transmitters[i] == *name).collect();
        // Neighbours in the alphabet side by side, so that dots do not hide each other.
        let spread = |m: usize| k as f64 + 0.5 + 0.7 * ((m as f64 + 0.5) / members.len() as f64 - 0.5);
        let dots = members.iter().enumerate().map(|(m, &i)| [spread(m), at_rest[i]]).collect();
        by_type = by_type.dots(dots, BLUE, 2, true, "");
    }
    Figure::new("celegans_rest", 1000, 460).panel(over_time).panel(by_type).save_in(&options.out)
}
