#!/bin/bash
# Injects faults into real installations and prints the table of faults survived and found (Markdown) on standard output.
#
#   tests/crash/run.sh [ROUNDS] [--seed S] [--only kill,backup,import,power,full,flip,cut,missing] [--folder DIR]
#
# ROUNDS of each row (200 unless given; the full disk's are shared out over tmpfs and ext4). Needs root, /dev/fuse, loop devices and
# e2fsprogs; where one is missing it says so and fails. Power is cut on ext4 on a disk that forgets what was not flushed (tests/crash/faults/device.rs);
# before the first cut it is shown that this disk loses what was not synced, and nothing else. Data folders that should not look as they do
# are kept below DIR (default: target/crash). CRASH_PROFILE=dev takes the debug build.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
rounds=200
if [ $# -gt 0 ] && [[ $1 =~ ^[0-9]+$ ]]; then
    rounds=$1
    shift
fi
folder=${CARGO_TARGET_DIR:-$root/target}/crash
for ((at = 1; at < $#; at++)); do
    if [ "${!at}" = --folder ]; then
        next=$((at + 1))
        folder=${!next}
    fi
done
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# What the program could not undo because it was killed itself. Only what lies below the folder is touched.
clean_up() {
    local mount device
    while read -r mount; do
        umount "$mount" 2>/dev/null || umount --lazy "$mount" 2>/dev/null || true
    done < <(awk -v folder="$folder/" 'index($2, folder) == 1 { print $2 }' /proc/mounts | tac)
    while read -r device; do
        losetup --detach "$device" 2>/dev/null || true
    done < <(losetup --list --noheadings --output NAME,BACK-FILE 2>/dev/null | awk -v folder="$folder/" 'index($2, folder) == 1 { print $1 }')
}
trap clean_up EXIT
trap 'exit 130' INT TERM
clean_up

cd "$root"
cargo test --quiet --profile "${CRASH_PROFILE:-release}" --test faults --no-run
cargo test --quiet --profile "${CRASH_PROFILE:-release}" --test faults -- --rounds "$rounds" --folder "$folder" "$@"
