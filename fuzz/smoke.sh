#!/bin/sh
# Runs every fuzz target for some seconds each. Fails when one crashes, hangs or cannot be built.
set -eu

seconds=${1:?usage: fuzz/smoke.sh SECONDS}
cd "$(dirname "$0")/.."

if ! cargo fuzz --version >/dev/null 2>&1; then
    cargo install --locked --version 0.13.2 cargo-fuzz
fi

# What the compiler would find without a sanitizer it finds in debug assertions and overflow checks, which cargo-fuzz leaves on.
cargo fuzz build --sanitizer none

for target in $(cargo fuzz list); do
    echo "fuzz: $target for $seconds seconds"
    mkdir -p "fuzz/target/corpus/$target" "fuzz/corpus/$target"
    # The first folder takes what is found, the second only gives its seeds.
    cargo fuzz run --sanitizer none "$target" "fuzz/target/corpus/$target" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
done
