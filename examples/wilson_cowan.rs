//! The Wilson-Cowan circuit on both sides of its switch: phase portraits, regimes, energies and the Lyapunov function.
//!
//! `cargo run --release --example wilson_cowan [FOLDER]` writes the figures into FOLDER, `docs/figures` if none is given.

mod plot;

use std::ops::ControlFlow;

use ndarray::{Array1, array};
use neuronash::activation::{Logistic, Tanh};
use neuronash::circuits::WilsonCowan;
use neuronash::circuits::wilson_cowan::{MapCell, Parameter, Regime, RegimeMap, Window};
use plot::{Axis, BLACK, BLUE, Dash, Figure, GREEN, GREY, ORANGE, Outcome, PURPLE, Panel, RED, SKY, YELLOW};

const BELOW: f64 = 0.6;
const ABOVE: f64 = 2.4;

/// Whether a cell of the regime map is of one kind.
type CellTest = Box<dyn Fn(&MapCell) -> bool>;

fn main() -> Outcome {
    let paths = [phase_portraits()?, energies()?, regime_map()?, lyapunov()?];
    for path in paths {
        println!("{path}");
    }
    Ok(())
}

/// Steepest slope 1, so that the switch is at `w_EE = 1`. Times in ms, rates as fractions of the largest one.
fn circuit(w_ee: f64) -> neuronash::Result<WilsonCowan<f64>> {
    let neuron = Logistic::with_gain_and_threshold(4.0, 0.5)?;
    WilsonCowan::builder()
        .w_ee(w_ee)
        .w_ei(2.0)
        .w_ie(2.4)
        .tau_e(10.0)
        .tau_i(15.0)
        .u_e(0.3)
        .u_i(-0.7)
        .excitatory(neuron)
        .inhibitory(neuron)
        .build()
}

fn phase_portraits() -> Outcome<String> {
    let mut figure = Figure::new("phase_portraits", 1000, 560);
    for (w_ee, side) in [(BELOW, "below"), (ABOVE, "above")] {
        let circuit = circuit(w_ee)?;
        let equilibria = circuit.equilibria()?;
        println!(
            "w_EE = {w_ee}, {side} the switch at {}: {}",
            circuit.switch()?,
            if circuit.is_diagonally_stable()? { "diagonally stable" } else { "not diagonally stable" }
        );
        print!("{equilibria}");
        for point in equilibria.points() {
            println!("  dx_I/du_I = {:+.4}", point.response()[[1, 1]]);
        }

        let window = Window { x_e: [0.0, 1.0], x_i: [0.0, 1.0] };
        let nullclines = circuit.nullclines(window, 400)?;
        let mut panel = Panel::new(
            &format!("w_{{EE}} = {w_ee}, {side} the switch"),
            Axis::new("E rate x_{E} (fraction of maximum)", 0.0..1.0),
            Axis::new("I rate x_{I} (fraction of maximum)", 0.0..1.0),
        );
        for start in [[0.02, 0.9], [0.95, 0.05], [0.9, 0.95], [0.05, 0.05], [0.55, 0.45]] {
            let times = Array1::linspace(0.0, 300.0, 1201);
            let run = circuit
                .network()
                .simulate()
                .initial(&array![start[0], start[1]])
                .until(300.0)
                .record_at(&times)
                .run()?;
            let curve: Vec<[f64; 2]> = run.states().outer_iter().map(|x| [x[0], x[1]]).collect();
            panel = panel.direction(&curve, 0.024, GREY).styled(curve, GREY, 1, Dash::Solid, "trajectories");
        }
        for piece in nullclines.excitatory {
            panel = panel.styled(piece, RED, 3, Dash::Solid, "E nullcline");
        }
        for piece in nullclines.inhibitory {
            panel = panel.styled(piece, BLUE, 3, Dash::Dashed, "I nullcline");
        }
        for point in equilibria.points() {
            let label = if point.is_stable() { "stable equilibrium" } else { "unstable equilibrium" };
            panel = panel.dots(vec![point.rates()], BLACK, 6, point.is_stable(), label);
        }
        figure = figure.panel(panel);
        println!();
    }
    Ok(figure.save()?.display().to_string())
}

fn energies() -> Outcome<String> {
    let mut panels = [("E", -0.1..0.15), ("I", -0.2..0.2)].map(|(name, range)| {
        Panel::new(
            &format!("Energy of {name} along its own rate"),
            Axis::new(&format!("rate x_{{{name}}} (fraction of maximum)"), 0.0..1.0),
            Axis::new(&format!("energy of {name} (dimensionless)"), range),
        )
    });
    for (w_ee, color, dash, side) in [(BELOW, BLUE, Dash::Solid, "below"), (ABOVE, RED, Dash::Dashed, "above")] {
        let circuit = circuit(w_ee)?;
        let network = circuit.network();
        let game = network.game();
        let rates = circuit.equilibria()?.points()[0].rates();
        let label = format!("w_{{EE}} = {w_ee}, {side} the switch");
        panels = [(0, panels[0].clone()), (1, panels[1].clone())].map(|(neuron, panel)| {
            let energy = |s: f64| {
                let mut x = array![rates[0], rates[1]];
                x[neuron] = s;
                game.energy(neuron, &x).map_or(f64::NAN, |e| e.total)
            };
            let curve = (0..=200).map(|i| i as f64 / 200.0).map(|s| [s, energy(s)]).collect();
            let here = vec![[rates[neuron], energy(rates[neuron])]];
            panel.styled(curve, color, 3, dash, &label).dots(
                here,
                color,
                6,
                w_ee < 1.0,
                &format!("equilibrium, {side}"),
            )
        });
    }
    let [e, i] = panels;
    Ok(Figure::new("own_energies", 1000, 520).panel(e).panel(i).save()?.display().to_string())
}

fn lyapunov() -> Outcome<String> {
    let network = circuit(BELOW)?.network();
    let certificate = network.certify()?.into_certificate()?;
    let function = network.lyapunov(&certificate)?;
    println!("below the switch: {certificate}");
    println!("the Lyapunov function falls at least like exp(-{:.4} t / ms)\n", function.decay_rate());

    let end = 150.0;
    let times = Array1::linspace(0.0, end, 301);
    let mut panel = Panel::new(
        &format!("Lyapunov function along trajectories, w_{{EE}} = {BELOW}"),
        Axis::new("time (ms)", 0.0..end),
        Axis::decades("V(x(t)) / V(x(0))", -8.0..0.3),
    );
    let starts =
        [([0.02, 0.9], BLUE, Dash::Solid), ([0.95, 0.05], ORANGE, Dash::Solid), ([0.9, 0.95], GREEN, Dash::Solid)];
    for (start, color, dash) in starts {
        let run = network
            .simulate()
            .initial(&array![start[0], start[1]])
            .relative_tolerance(1e-10)
            .absolute_tolerance(1e-12)
            .until(end)
            .record_at(&times)
            .run()?;
        let first = function.value(&run.states().row(0))?;
        let mut curve = Vec::new();
        for (t, x) in times.iter().zip(run.states().outer_iter()) {
            curve.push([*t, (function.value(&x)? / first).log10()]);
        }
        panel = panel.styled(curve, color, 3, dash, &format!("from x_{{E}} = {}, x_{{I}} = {}", start[0], start[1]));
    }
    let mut envelope = Vec::new();
    for &t in &times {
        envelope.push([t, function.envelope(1.0, t)?.log10()]);
    }
    let panel = panel.styled(envelope, BLACK, 3, Dash::Dashed, "guaranteed envelope");
    Ok(Figure::new("lyapunov_function", 900, 560).panel(panel).save()?.display().to_string())
}

fn regime_map() -> Outcome<String> {
    let (w_ie, w_ii, tau_e, tau_i) = (1.5, 0.5, 10.0, 10.0);
    let (n, top) = (121, 4.0);
    let values: Vec<f64> = (0..n).map(|i| top * (i as f64 + 0.5) / n as f64).collect();
    let mut figure = Figure::new("regime_map", 1100, 700);
    for (u_e, title) in [(0.0, "Regimes without input (tanh neurons)"), (1.0, "Regimes with input u_{E} = 1")] {
        let circuit = WilsonCowan::builder()
            .w_ie(w_ie)
            .w_ii(w_ii)
            .tau_e(tau_e)
            .tau_i(tau_i)
            .u_e(u_e)
            .excitatory(Tanh::new())
            .inhibitory(Tanh::new())
            .build()?;
        let started = std::time::Instant::now();
        let map = circuit
            .sweep(Parameter::WEe, &values, Parameter::WEi, &values)
            .observer(|progress| {
                if progress.done % 40 == 0 {
                    eprintln!("regime map: row {} of {}", progress.done, progress.total);
                }
                ControlFlow::Continue(())
            })
            .run()?;
        println!("regime map: {} circuits in {:.2} s", n * n, started.elapsed().as_secs_f64());

        let mut panel = Panel::new(
            title,
            Axis::new("self-excitation w_{EE} (dimensionless)", 0.0..top),
            Axis::new("inhibition w_{EI} (dimensionless)", 0.0..top),
        );
        let regime = |regime| move |cell: &MapCell| cell.regime == Some(regime);
        let beside =
            |regime, excluded| move |cell: &MapCell| cell.regime == Some(regime) && cell.excludes_cycles == excluded;
        let kinds: [(CellTest, _, _, _); 9] = [
            (Box::new(regime(Regime::Monostable)), SKY, 0.65, "one equilibrium that attracts every state: proved"),
            (Box::new(beside(Regime::LocallyStable, true)), BLUE, 0.6, "locally stable, no cycle: proved"),
            (Box::new(beside(Regime::LocallyStable, false)), BLUE, 0.25, "locally stable, cycles not excluded"),
            (
                Box::new(beside(Regime::InhibitionStabilised, true)),
                GREEN,
                0.75,
                "inhibition-stabilised, no cycle: proved",
            ),
            (
                Box::new(beside(Regime::InhibitionStabilised, false)),
                GREEN,
                0.3,
                "inhibition-stabilised, cycles not excluded",
            ),
            (Box::new(regime(Regime::Oscillatory)), ORANGE, 0.65, "oscillatory"),
            (Box::new(regime(Regime::Bistable)), PURPLE, 0.65, "bistable"),
            (Box::new(regime(Regime::Critical)), YELLOW, 0.65, "critical"),
            (Box::new(regime(Regime::Undecided)), GREY, 0.65, "undecided"),
        ];
        for (belongs, color, strength, label) in kinds {
            for corners in runs(&map, belongs, top) {
                panel = panel.area(corners, color, strength, label);
            }
        }
        panel = panel.styled(vec![[1.0, 0.0], [1.0, top]], BLACK, 3, Dash::Solid, "switch, w_{EE} = 1 / ρ_{E}");
        if u_e == 0.0 {
            let fold = |w_ee: f64| [w_ee, (w_ee - 1.0) * (1.0 + w_ii) / w_ie];
            let fold = (0..=100).map(|i| fold(top * i as f64 / 100.0)).collect();
            let hopf = 1.0 + tau_e * (1.0 + w_ii) / tau_i;
            panel = panel.styled(fold, BLACK, 2, Dash::Dashed, "determinant 0 at the origin").styled(
                vec![[hopf, 0.0], [hopf, top]],
                BLACK,
                2,
                Dash::Dotted,
                "trace 0 at the origin",
            );
        }
        figure = figure.panel(panel);
    }
    Ok(figure.save()?.display().to_string())
}

/// The cells of one kind, neighbours in a column joined to one rectangle.
fn runs(map: &RegimeMap<f64>, belongs: impl Fn(&MapCell) -> bool, top: f64) -> Vec<[[f64; 2]; 2]> {
    let (columns, rows) = map.cells.dim();
    let (width, height) = (top / columns as f64, top / rows as f64);
    let mut rectangles = Vec::new();
    for (i, column) in map.cells.outer_iter().enumerate() {
        let mut j = 0;
        while j < rows {
            let first = j;
            while j < rows && belongs(&column[j]) {
                j += 1;
            }
            if j > first {
                let left = i as f64 * width;
                rectangles.push([[left, first as f64 * height], [left + width, j as f64 * height]]);
            }
            j += 1;
        }
    }
    rectangles
}
