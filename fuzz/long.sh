#!/bin/sh
# Runs fuzz targets for long, with the address sanitizer, one after the other or as many at once as said; what is found is kept in
# fuzz/corpus, cut down to the inputs that add something. Fails when one crashes, hangs or grows beyond 2 GiB.
set -eu

seconds=${1:?usage: fuzz/long.sh SECONDS [JOBS [TARGET...]]; an hour for each target is 3600}
jobs=${2:-1}
shift; [ $# -eq 0 ] || shift
cd "$(dirname "$0")/.."

if ! cargo fuzz --version >/dev/null 2>&1; then
    cargo install --locked --version 0.13.2 cargo-fuzz
fi

# The stable compiler brings the sanitizer's runtime, but only lets those use it who say that they know.
export RUSTC_BOOTSTRAP=1
cargo fuzz build --sanitizer address

search() {
    target=$1
    mkdir -p "fuzz/target/corpus/$target" "fuzz/corpus/$target" fuzz/target/logs
    if cargo fuzz run --sanitizer address "$target" "fuzz/target/corpus/$target" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 >"fuzz/target/logs/$target" 2>&1; then
        # Only small inputs are kept: the folder is for reading and for a quick start, not a copy of everything.
        cargo fuzz run --sanitizer address "$target" "fuzz/corpus/$target" "fuzz/target/corpus/$target" -- \
            -merge=1 -max_len=1024 >>"fuzz/target/logs/$target" 2>&1
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "fuzz/target/logs/$target" | head -n 1)
        echo "$target: $seconds seconds, $runs runs, nothing found; $(ls "fuzz/corpus/$target" | wc -l) inputs kept"
    else
        echo "$target: FAILED, see fuzz/artifacts/$target and fuzz/target/logs/$target"
        tail -n 40 "fuzz/target/logs/$target"
        return 1
    fi
}

[ $# -gt 0 ] || set -- $(cargo fuzz list)
failed=0
running=""
for target in "$@"; do
    search "$target" &
    running="$running $!"
    while [ "$(echo $running | wc -w)" -ge "$jobs" ]; do
        set -- $running
        wait "$1" || failed=1
        shift
        running="$*"
    done
done
for job in $running; do
    wait "$job" || failed=1
done
exit $failed
