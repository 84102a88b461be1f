//! The same problem by this crate and by general semidefinite solvers, in one run; called by `peers.sh`.
//!
//! The problem is `max t` subject to `-(DA + A'D) - t I >= 0`, `d >= 0`, `sum d <= n`, for a random excitatory-inhibitory
//! network near its largest certified gain. The peers solve it to their default tolerance, without proof. Ours is timed
//! twice: the margin to nine digits with proofs from both sides, which is more than a full solve, and the proved verdict.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ndarray::{Array1, Array2};
use neuronash::stability::diagonal::{certify, margin};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// How long a peer may take.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![50, 100, 200] } else { sizes };
    let folder = std::env::temp_dir().join(format!("neuronash-peers-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a writable temporary folder");
    println!(
        "| n | verdict, proved (s) | margin to 1e-9, proved (s) | CSDP (s) | DSDP (s) | SDPA (s) | fastest peer / margin |"
    );
    println!("|---|---|---|---|---|---|---|");
    for n in sizes {
        row(n, &folder);
    }
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
}

fn row(n: usize, folder: &Path) {
    let a = network(n);
    let verdict = best_of_three(|| drop(certify(&a).expect("a square matrix")));
    let full = best_of_three(|| drop(margin(&a).expect("a square matrix")));
    let file = folder.join("problem.dat-s");
    std::fs::write(&file, sdpa_format(&a)).expect("a writable temporary folder");
    let out = folder.join("solution");
    let csdp = timed(Command::new("csdp").arg(&file).arg(&out), folder);
    let dsdp = timed(Command::new("dsdp5").arg(&file), folder);
    let sdpa = timed(Command::new("sdpa").arg(&file).arg(&out), folder);
    let show = |time: Option<f64>| time.map_or("-".to_string(), |t| format!("{t:.2}"));
    let fastest = [csdp, dsdp, sdpa].into_iter().flatten().fold(f64::INFINITY, f64::min);
    let ratio = if fastest.is_finite() { format!("{:.0}", fastest / full) } else { "-".into() };
    println!("| {n} | {verdict:.3} | {full:.3} | {} | {} | {} | {ratio} |", show(csdp), show(dsdp), show(sdpa));
}

/// `W - I` for a random network that obeys Dale's law, at 0.99 of its largest certified gain.
fn network(n: usize) -> Array2<f64> {
    let mut rng = StdRng::seed_from_u64(n as u64);
    let w = Array2::from_shape_fn((n, n), |(_, j)| {
        let size: f64 = rng.random::<f64>() / n as f64;
        if rng.random::<f64>() > 0.2 {
            0.0
        } else if j < 4 * n / 5 {
            size
        } else {
            -4.0 * size
        }
    });
    let gain = margin((&w, &Array1::ones(n))).expect("a square matrix").max_gain().lower();
    0.99 * gain * w - Array2::<f64>::eye(n)
}

fn best_of_three(mut run: impl FnMut()) -> f64 {
    (0..3)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

/// The problem in the sparse SDPA format: minimise `-t` over `x = (d, t)` with `sum x_i F_i - F_0 >= 0`.
fn sdpa_format(a: &Array2<f64>) -> String {
    let n = a.nrows();
    let mut text = format!("{}\n2\n{n} -{}\n", n + 1, n + 1);
    text.push_str(&"0 ".repeat(n));
    text.push_str("-1\n");
    let mut entry = |matrix: usize, block: usize, i: usize, j: usize, value: f64| {
        writeln!(text, "{matrix} {block} {i} {j} {value:e}").expect("a string grows");
    };
    entry(0, 2, n + 1, n + 1, -(n as f64));
    for i in 0..n {
        for j in 0..n {
            let value = if i == j { -2.0 * a[[i, i]] } else { -a[[i, j]] };
            if value != 0.0 {
                entry(i + 1, 1, i.min(j) + 1, i.max(j) + 1, value);
            }
        }
        entry(i + 1, 2, i + 1, i + 1, 1.0);
        entry(i + 1, 2, n + 1, n + 1, -1.0);
    }
    for i in 0..n {
        entry(n + 1, 1, i + 1, i + 1, -1.0);
    }
    text
}

/// Seconds that a peer took, or `None` if it is not installed or was stopped. It leaves its files in `folder`.
fn timed(command: &mut Command, folder: &Path) -> Option<f64> {
    let start = Instant::now();
    let mut child = command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    loop {
        if child.try_wait().ok()?.is_some() {
            return Some(start.elapsed().as_secs_f64());
        }
        if start.elapsed() > PATIENCE {
            child.kill().ok()?;
            child.wait().ok()?;
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
