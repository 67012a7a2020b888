#!/bin/bash
# Prints what a uid search, a modify, the rename of a leaf and the rename of everybody's superior cost the server, in microseconds of its
# processor time each, for each number of people: costs should stay the same.
#
#   tests/bench/growth.sh [PEOPLE…] [--built DIR] [--rounds N] [--seconds S] [--keep]
#
# PEOPLE is 10000 100000 unless given; a million people take some minutes to load and 4 GB of memory. Everybody (100,000 people at most, as many
# as one add may name) is in one group and one in ten of them in another, so that a rename has two groups to tell of. --built DIR takes programs that are there (DIR/bindery, DIR/examples/load); else
# they are built. Medians of N rounds (3) of S seconds (2). BENCH_DIR is where the data lies (default: target/bench).
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
built="" keep=false rounds=3 seconds=2 people=()
while [ $# -gt 0 ]; do
    case $1 in
        --built) built=$2; shift ;;
        --rounds) rounds=$2; shift ;;
        --seconds) seconds=$2; shift ;;
        --keep) keep=true ;;
        [0-9]*) people+=("$1") ;;
        *) echo "growth.sh: unknown argument $1" >&2; exit 2 ;;
    esac
    shift
done
[ ${#people[@]} -gt 0 ] || people=(10000 100000)
if [ -z "$built" ]; then
    (cd "$root" && cargo build -q --release --bin bindery --example load)
    built=${CARGO_TARGET_DIR:-$root/target}/release
fi

mkdir -p "${BENCH_DIR:-$root/target/bench}"
work=$(mktemp -d "${BENCH_DIR:-$root/target/bench}/XXXXXX")
server=""
stop() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; fi
    server=""
}
finish() {
    stop
    $keep || rm -rf "$work"
}
trap finish EXIT

load() {
    "$built/bindery" import --config "$work/bindery/bindery.toml" "$1" >"$work/import" 2>&1 || { tail -5 "$work/import" >&2; exit 1; }
}

# The median of the processor time for an operation: WORKLOAD CONNECTIONS [ARGUMENTS]
cost() {
    local workload=$1 connections=$2 round
    shift 2
    for round in $(seq "$rounds"); do
        "$built/examples/load" run --server bindery --address "$address" --pid "$server" --people "$count" --seed "$round" \
            --password-file "$work/password" --workload "$workload" --connections "$connections" --seconds "$seconds" "$@"
    done | sed 's/.*cpu_us=//; s/ .*//' | sort -n | sed -n "$(((rounds + 1) / 2))p"
}

printf 'bench admin pass phrase' >"$work/password"
printf '%10s %12s %12s %14s %18s\n' people 'uid search' modify 'rename leaf' 'rename superior'
for count in "${people[@]}"; do
    rm -rf "$work/bindery"
    "$built/bindery" init "$work/bindery" --suffix dc=bench,dc=example --admin-password-file "$work/password" --ldap 127.0.0.1:0 \
        --waive clear-text --waive second-factor --waiver-reason "measuring on loopback" >"$work/init" 2>&1 || { cat "$work/init" >&2; exit 1; }
    "$built/examples/load" people "$count" --without-suffix >"$work/people.ldif"
    load "$work/people.ldif"
    awk -v count="$count" 'BEGIN {
        print "dn: ou=leaf,dc=bench,dc=example\nobjectClass: organizationalUnit\nou: leaf\n"
        print "dn: ou=groups,dc=bench,dc=example\nobjectClass: organizationalUnit\nou: groups\n"
        split("all some", names, " ")
        if (count > 100000) count = 100000
        for (group = 1; group <= 2; group++) {
            printf "dn: cn=%s,ou=groups,dc=bench,dc=example\nobjectClass: groupOfNames\ncn: %s\n", names[group], names[group]
            print "member: ou=leaf,dc=bench,dc=example"
            for (i = 0; i < count; i += (group == 1 ? 1 : 10)) printf "member: uid=p%07d,ou=people,dc=bench,dc=example\n", i
            print ""
        }
    }' >"$work/groups.ldif"
    load "$work/groups.ldif"
    : >"$work/ready"
    "$built/bindery" serve --config "$work/bindery/bindery.toml" >"$work/ready" 2>"$work/log" &
    server=$!
    until address=$(sed -n 's#^ready.* ldap://\([^ ]*\).*#\1#p' "$work/ready" | head -1) && [ -n "$address" ]; do
        kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
        sleep 0.1
    done
    printf '%10d %12s %12s %14s %18s\n' "$count" "$(cost search 8)" "$(cost modify 8)" "$(cost rename 1 --renamed leaf)" \
        "$(cost rename 1 --renamed people)"
    stop
    rm -f "$work/people.ldif" "$work/groups.ldif"
done
