#!/bin/bash
# Runs the simulation with many seeds, on all cores, and prints what was injected and found. Stops at the first seed that fails.
#
#   tests/simulation/run.sh [SEEDS] [FIRST]
#
# SEEDS is 10000 and FIRST is 1 unless given. With BINDERY_SIMULATION_TRACE=1 everything that happens is told: for one seed.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
export BINDERY_SIMULATION_SEEDS=${1:-10000} BINDERY_SIMULATION_FIRST=${2:-1}
cd "$root"
cargo test -q --release --test simulation --no-run
start=$(date +%s)
if ! cargo test -q --release --test simulation -- --exact --nocapture every_seed_ends_in_what_was_acknowledged; then
    echo "simulation: a seed failed; the line with replay says how to run it again" >&2
    exit 1
fi
echo "$BINDERY_SIMULATION_SEEDS seeds from $BINDERY_SIMULATION_FIRST in $(($(date +%s) - start)) s"
