#!/usr/bin/env bash
# Equilibria of a dense certified E-I network: SciPy and this crate in one run, as a table with ratios.
# usage: benches/scipy_peers.sh [N]   (needs python3 with numpy and scipy)
set -euo pipefail
cd "$(dirname "$0")/.."
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cargo bench -q --bench scipy_peers --no-run
{
    python3 benches/scipy_peers.py "$directory" "${1:-2000}"
    cargo bench -q --bench scipy_peers -- "$directory"
} | tee "$directory/all" | grep '^#' || true
python3 - "$directory/all" <<'PY'
import csv, sys
rows = [r for r in csv.reader(open(sys.argv[1])) if len(r) == 5 and not r[0].startswith("#")]
print(f"{'activation':12}{'solver':26}{'seconds':>10}{'residual':>11}{'of the best SciPy':>19}")
for name in dict.fromkeys(r[1] for r in rows):
    best = min(float(r[3]) for r in rows if r[1] == name and r[0] == "scipy")
    for who, _, method, seconds, residual in (r for r in rows if r[1] == name):
        print(f"{name:12}{who + ' ' + method:26}{float(seconds):10.4f}{residual:>11}{float(seconds) / best:19.2f}")
PY
