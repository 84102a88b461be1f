#!/usr/bin/env bash
# Equilibria of a dense certified E-I network: SciPy and this crate in turns, the quickest of all turns as a table with ratios.
# usage: benches/scipy_peers.sh [N [TURNS]]   (needs python3 with numpy and scipy)
set -euo pipefail
cd "$(dirname "$0")/.."
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cargo bench -q --bench scipy_peers --no-run
python3 benches/scipy_peers.py write "$directory" "${1:-2000}"
for _ in $(seq "${2:-5}"); do
    python3 benches/scipy_peers.py time "$directory"
    cargo bench -q --bench scipy_peers -- "$directory"
done >"$directory/all"
python3 - "$directory/all" <<'PY'
import csv, sys
lines = open(sys.argv[1]).read().splitlines()
print(*dict.fromkeys(line for line in lines if line.startswith("#")), sep="\n")
rows = [r for r in csv.reader(lines) if len(r) == 5 and not r[0].startswith("#")]
best = {}
for who, name, method, seconds, residual in rows:
    key = (name, who, method)
    best[key] = min(best.get(key, (float("inf"), "")), (float(seconds), residual))
print(f"{'activation':12}{'solver':28}{'ms':>10}{'residual':>11}{'ours / it':>11}")
for (name, who, method), (seconds, residual) in sorted(best.items()):
    ours = best[name, "neuronash", "default"][0]
    print(f"{name:12}{who + ' ' + method:28}{1e3 * seconds:10.2f}{residual:>11}{ours / seconds:11.2f}")
PY
