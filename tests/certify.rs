//! The contract of the `certify` example: what it accepts, prints and exits with.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ndarray::{Array1, Array2, array};
use ndarray_npy::write_npy;
use neuronash::stability::diagonal::{Verdict, certify, margin};
use serde_json::Value;

const FIELDS: [&str; 13] = [
    "verdict",
    "n",
    "method",
    "iterations",
    "seconds",
    "margin_lower",
    "margin_upper",
    "max_gain_lower",
    "max_gain_upper",
    "weights",
    "witness",
    "witness_of_transpose",
    "error_probability",
];

/// The example that the same `cargo test` has built, or that is built now if only this test was asked for.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).expect("a test lies in <target>/<profile>/deps");
    let program = profile.join("examples").join(format!("certify{}", std::env::consts::EXE_SUFFIX));
    if !program.exists() {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--example", "certify", "--manifest-path"]);
        cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
        cargo.arg("--target-dir").arg(profile.parent().expect("<target>"));
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success());
    }
    program
}

/// A file of this name, in a folder of its own for each test.
fn file(test: &str, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
    let path = place(test, name);
    std::fs::write(&path, contents).unwrap();
    path
}

fn place(test: &str, name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("certify").join(test);
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

fn run<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Output {
    Command::new(program()).args(arguments).output().unwrap()
}

/// The one JSON object on the one line that is printed for any verdict.
fn report<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Value {
    let output = run(arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty() && text.ends_with('\n') && text.lines().count() == 1, "{text:?}");
    let value: Value = serde_json::from_str(&text).unwrap();
    let mut fields: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = FIELDS.to_vec();
    fields.sort_unstable();
    expected.sort_unstable();
    assert_eq!(fields, expected);
    value
}

/// The message for bad input, after the name of the program.
fn refusal<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> String {
    let output = run(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(output.stdout.is_empty());
    message.strip_prefix("certify: ").unwrap_or_else(|| panic!("{message}")).trim_end().into()
}

fn csv(a: &Array2<f64>) -> String {
    let line = |row: ndarray::ArrayView1<'_, f64>| row.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>().join(",");
    a.rows().into_iter().map(|row| line(row) + "\n").collect()
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// A stable matrix whose weights are not round numbers.
fn stable() -> Array2<f64> {
    array![[-1.0, 2.0, 0.3], [-0.7, -1.1, 0.9], [0.1, -1.3, -0.8]]
}

#[test]
fn stable_matrices_come_with_the_very_weights_of_the_library() {
    let a = stable();
    let verdict = certify(&a).unwrap();
    let certificate = verdict.certificate().unwrap();
    let path = file("stable", "a.csv", csv(&a));
    let answer = report([&path]);
    assert_eq!((answer["verdict"].as_str(), answer["n"].as_u64()), (Some("stable"), Some(3)));
    assert_eq!(answer["method"], certificate.method().to_string());
    assert_eq!(answer["iterations"], certificate.iterations());
    assert!(answer["seconds"].as_f64().unwrap() >= 0.0);
    assert_eq!(numbers(&answer["weights"]), certificate.weights().to_vec());
    let absent = ["witness", "margin_lower", "margin_upper", "max_gain_lower", "max_gain_upper"];
    assert!(absent.iter().all(|field| answer[field].is_null()));

    let (mtx, npy) = (place("stable", "a.mtx"), place("stable", "a.npy"));
    write_npy(&npy, &a).unwrap();
    let entries: String = a.t().iter().map(|v| format!("{v:?}\n")).collect();
    std::fs::write(&mtx, format!("%%MatrixMarket matrix array real general\n3 3\n{entries}")).unwrap();
    for path in [mtx, npy] {
        assert_eq!(report([path])["weights"], answer["weights"]);
    }

    let out = place("stable", "weights.txt");
    report([OsStr::new("--weights-out"), out.as_os_str(), path.as_os_str()]);
    let written: Vec<f64> = std::fs::read_to_string(out).unwrap().lines().map(|l| l.parse().unwrap()).collect();
    assert_eq!(written, certificate.weights().to_vec());
}

#[test]
fn unstable_matrices_come_with_a_witness() {
    let a = array![[-1.0, 2.0, 0.1], [2.0, -1.0, 0.0], [0.3, 0.0, -1.0]];
    let Verdict::NotStable(refutation) = certify(&a).unwrap() else { panic!("1 is an eigenvalue") };
    let answer = report([file("unstable", "a.csv", csv(&a))]);
    assert_eq!(answer["verdict"], "not_stable");
    let rows: Vec<Vec<f64>> = answer["witness"].as_array().unwrap().iter().map(numbers).collect();
    let expected: Vec<Vec<f64>> = refutation.witness().rows().into_iter().map(|row| row.to_vec()).collect();
    assert_eq!(rows, expected);
    assert!(answer["weights"].is_null());
}

#[test]
fn undecided_matrices_have_neither() {
    // Singular but for the rounding of its entries, so that nothing tells on which side of the boundary it is.
    let b = Array2::from_shape_fn((8, 7), |(i, j)| ((3 * i + 5 * j) as f64 + 0.1 * (i * j) as f64).sin());
    let a = -b.dot(&b.t());
    assert!(matches!(certify(&a).unwrap(), Verdict::Undecided(_)), "{:?}", certify(&a));
    let answer = report([file("undecided", "a.csv", csv(&a))]);
    assert_eq!(answer["verdict"], "undecided");
    assert!(answer["weights"].is_null() && answer["witness"].is_null());
}

#[test]
fn margins_and_gains() {
    let a = stable();
    let path = file("margins", "a.csv", csv(&a));
    let own = margin(&a).unwrap();
    let answer = report([OsStr::new("--margin"), OsStr::new("--max-gain"), path.as_os_str()]);
    let bounds = |answer: &Value, of: &str| {
        ["lower", "upper"].map(|side| answer[format!("{of}_{side}")].as_f64().unwrap_or_else(|| panic!("{answer}")))
    };
    let certified = certify(&a).unwrap().certificate().unwrap().margin_lower();
    assert_eq!(bounds(&answer, "margin"), [own.lower().max(certified), own.upper()]);
    assert_eq!(bounds(&answer, "max_gain"), [own.max_gain().lower(), own.max_gain().upper()]);
    assert!(report([OsStr::new("--margin"), path.as_os_str()])["max_gain_lower"].is_null());
    assert!(report([OsStr::new("--max-gain"), path.as_os_str()])["margin_lower"].is_null());

    // W of a network: A = W - I.
    let w = array![[0.2, -0.9], [0.8, 0.1]];
    let network = file("margins", "w.csv", csv(&w));
    let answer = report(["--network", "--margin", network.to_str().unwrap()]);
    // The margin decides, without a search of its own.
    let own = margin((&w, &Array1::ones(2))).unwrap();
    let verdict = own.verdict((&w, &Array1::ones(2))).unwrap();
    let certificate = verdict.certificate().unwrap();
    assert_eq!(numbers(&answer["weights"]), certificate.weights().to_vec());
    assert_eq!(
        (answer["method"].as_str(), answer["iterations"].as_u64()),
        (Some("margin"), Some(own.iterations() as u64))
    );
    assert!(certify((&w, &Array1::ones(2))).unwrap().is_stable());
    assert_eq!(bounds(&answer, "margin"), [own.lower().max(certificate.margin_lower()), own.upper()]);

    // Every gain: any finite number is a lower bound, and there is no upper one.
    let answer = report([
        OsStr::new("--network"),
        OsStr::new("--max-gain"),
        file("margins", "free.csv", "-0.1,-0.8\n0.9,-0.2\n").as_os_str(),
    ]);
    assert_eq!(answer["max_gain_lower"].as_f64(), Some(f64::MAX));
    assert!(answer["max_gain_upper"].is_null());
}

#[test]
fn bad_files_are_refused() {
    let bad = |name: &str, contents: &[u8]| refusal([file("bad", name, contents)]);
    assert!(bad("text.csv", b"1,2\n3,x\n").contains("text.csv:2:"));
    assert!(bad("ragged.csv", b"1,2\n3\n").contains("ragged.csv:2:"));
    assert!(bad("oblong.csv", b"1,2\n").contains("square"));
    assert!(bad("nan.csv", b"1,nan\n0,1\n").contains("nan.csv:1:"));
    assert!(bad("infinite.csv", b"1,2\n0,1e999\n").contains("infinite.csv:2:"));
    assert!(bad("empty.csv", b"").contains("empty.csv:"));
    assert!(bad("head.mtx", b"2 2\n1\n2\n").contains("head.mtx:1:"));
    assert!(bad("outside.mtx", b"%%MatrixMarket matrix coordinate real general\n2 2 1\n3 1 1.0\n").contains("mtx:3:"));
    assert!(bad("oblong.mtx", b"%%MatrixMarket matrix coordinate real general\n2 3 0\n").contains("square"));
    assert!(bad("short.npy", b"\x93NUMPY\x01\x00").contains("short.npy"));
    let npy = |name: &str, a: &Array2<f64>| {
        let path = place("bad", name);
        write_npy(&path, a).unwrap();
        refusal([path])
    };
    assert!(npy("oblong.npy", &array![[1.0, 2.0]]).contains("square"));
    assert!(npy("nan.npy", &array![[f64::NAN]]).contains("nan.npy"));
    assert!(bad("matrix.txt", b"1\n").contains("must end in .csv, .mtx or .npy"));
    assert!(refusal([place("bad", "missing.csv")]).contains("missing.csv"));
}

#[test]
fn bad_arguments_are_refused() {
    let path = file("arguments", "a.csv", "-1\n");
    let path = path.to_str().unwrap();
    assert!(refusal(["--verbose", path]).starts_with("unknown option --verbose\nusage: certify"));
    assert!(refusal([path, path]).starts_with("more than one file"));
    assert!(refusal(Vec::<&str>::new()).starts_with("no file given"));
    assert!(refusal([path, "--weights-out"]).contains("needs a file name"));
    let nowhere = format!("{path}/weights.txt");
    assert!(refusal(["--weights-out", &nowhere, path]).contains("weights.txt"));
    assert!(String::from_utf8(run(["--help"]).stdout).unwrap().starts_with("usage: certify"));
}
