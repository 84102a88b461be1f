#!/usr/bin/env bash
# A table of this crate beside the semidefinite solvers CSDP, DSDP and SDPA on the same problems, in one run.
# Usage: benches/peers.sh [n ...]      (Debian packages: coinor-csdp dsdp sdpa)
set -eu
cd "$(dirname "$0")/.."
for solver in csdp dsdp5 sdpa; do
    command -v "$solver" >/dev/null || echo "$solver is not installed; its column stays empty" >&2
done
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(nproc)}"
cargo bench --quiet --bench peers -- "$@"
