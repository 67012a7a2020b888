#!/bin/bash
# Prints what the journal costs, and how fast it is read: what the tree and its checkpoints take of the server's processor time while it records,
# what searches take that are recorded themselves, octets of a record, records verified a second and core, and how long an auditor waits.
#
#   tests/bench/journal.sh [RECORDS] [--built DIR] [--seconds S] [--keep]
#
# RECORDS is 100000 unless given: changes and logins by 64 connections until there are that many; ten million take about a quarter of an hour and 7 GB.
# --built DIR takes programs that are there (DIR/bindery, DIR/examples/load); else they are built. Costs are medians of three runs of S seconds
# (2). BENCH_DIR is where the data lies (default: target/bench).
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
built="" keep=false seconds=2 wanted=100000 people=2000
while [ $# -gt 0 ]; do
    case $1 in
        --built) built=$2; shift ;;
        --seconds) seconds=$2; shift ;;
        --keep) keep=true ;;
        [0-9]*) wanted=$1 ;;
        *) echo "journal.sh: unknown argument $1" >&2; exit 2 ;;
    esac
    shift
done
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

start() { # the configuration as it is
    : >"$work/ready"
    "$built/bindery" serve --config "$work/bindery/bindery.toml" >"$work/ready" 2>"$work/log" &
    server=$!
    until address=$(sed -n 's#^ready.* ldap://\([^ ]*\).*#\1#p' "$work/ready" | head -1) && [ -n "$address" ]; do
        kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
        sleep 0.1
    done
}

drive() { # WORKLOAD CONNECTIONS SECONDS SEED
    "$built/examples/load" run --server bindery --address "$address" --pid "$server" --people "$people" --seed "$4" \
        --password-file "$work/password" --workload "$1" --connections "$2" --seconds "$3"
}

field() { sed "s/.* $1=//; s/ .*//"; }
median() { sort -n | sed -n 2p; }
# Ticks of the processor that a thread of the server, or all of it, took so far.
ticks() { # [THREAD]
    local stat
    for stat in /proc/"$server"/task/*/stat; do
        if [ $# -eq 0 ] || grep -q "($1)" "$stat"; then cat "$stat"; fi
    done 2>/dev/null | sed 's/.*) //' | awk '{ ticks += $12 + $13 } END { print ticks + 0 }'
}
# What the notary takes of the server's processor time while it runs a workload, in percent.
share() { # WORKLOAD
    local round notary all
    for round in 1 2 3; do
        notary=$(ticks notary) all=$(ticks)
        drive "$1" 64 "$seconds" "$round" >/dev/null
        awk -v notary="$(($(ticks notary) - notary))" -v all="$(($(ticks) - all))" 'BEGIN { printf "%.1f\n", 100 * notary / all }'
    done | median
}
cost() { # WORKLOAD CONNECTIONS
    local round
    for round in 1 2 3; do drive "$1" "$2" "$seconds" "$round"; done | field cpu_us | median
}
# How long a command takes, in seconds, and of the processor.
taken() { # COMMAND…
    local TIMEFORMAT='%R %U %S'
    { time "$@" >/dev/null 2>"$work/said"; } 2>&1
}
bindery() { "$built/bindery" "$@" --config "$work/bindery/bindery.toml"; }

printf 'bench admin pass phrase' >"$work/password"
"$built/bindery" init "$work/bindery" --suffix dc=bench,dc=example --admin-password-file "$work/password" --ldap 127.0.0.1:0 \
    --waive clear-text --waive second-factor --waiver-reason "measuring on loopback" >"$work/init" 2>&1 || { cat "$work/init" >&2; exit 1; }
sed -i 's/^\[limits\]$/[limits]\nfailed-binds-per-second = 1000000/' "$work/bindery/bindery.toml"
printf '\n[limits.networks."127.0.0.0/8"]\nfailed-binds-per-second = 1000000\n' >>"$work/bindery/bindery.toml"
"$built/examples/load" people "$people" --without-suffix >"$work/people.ldif"
bindery import "$work/people.ldif" >"$work/import" 2>&1 || { tail -5 "$work/import" >&2; exit 1; }

start
echo "The tree and its checkpoints take, of the server's processor time (so that without them it would do at most as much more):"
printf '  %-42s %s %%\n' "changes by 64 connections" "$(share modify)" "right logins by 64 connections" "$(share bind)"
plain=$(cost search 8)
stop
cp "$work/bindery/bindery.toml" "$work/plain.toml"
printf '\n[journal]\nreads = "all"\n' >>"$work/bindery/bindery.toml"
start
echo "A uid search by 8 connections takes, in microseconds of the server's processor time:"
printf '  %-42s %s\n' "not recorded" "$plain" "recorded, durable before it is answered" "$(cost search 8)"
stop
cp "$work/plain.toml" "$work/bindery/bindery.toml"

start
# The server says in the same place how it is; a full queue of checkpoints is no reason to stop here.
records() { { bindery status 2>/dev/null || true; } | awk '/^durable sequence / { print $3 }'; }
round=0
while [ "$(records)" -lt "$wanted" ]; do
    round=$((round + 1))
    drive modify 64 5 "$round" >/dev/null
    drive bind 64 5 "$round" >/dev/null
done
drive bind-wrong 8 3 1 >/dev/null
stop
start
all=$(records)
echo "Of $all records:"
printf '  %-42s %s\n' "octets each, as they are written" "$(bindery journal stats 2>&1 | sed -n 's/.* octets in .* segments, \([0-9]*\) a record.*/\1/p')"
read -r _ user system <<<"$(taken bindery journal verify)"
printf '  %-42s %s\n' "verified a second of processor time" "$(awk -v all="$all" -v spent="$user" -v more="$system" 'BEGIN { printf "%d", all / (spent + more) }')"
echo "An auditor waits, in seconds (the first time, and then):"
minute=$(date -u -d '-1 minute' +%Y-%m-%dT%H:%M:%SZ)
ask() { # WORDS COMMAND…
    local words=$1 first again
    shift
    read -r first _ <<<"$(taken "$@")"
    read -r again _ <<<"$(taken "$@")"
    printf '  %-42s %s %s\n' "$words" "$first" "$again"
}
ask "refused logins of the last minute" bindery journal failed --since "$minute"
ask "logins of a person, the last minute" bindery journal logins uid=p0000007,ou=people,dc=bench,dc=example --since "$minute"
ask "changes to a person, the last minute" bindery journal changes uid=p0000007,ou=people,dc=bench,dc=example --since "$minute"
ask "first and last login of a person" bindery journal first-last uid=p0000007,ou=people,dc=bench,dc=example
ask "results that nobody ever had" bindery journal query --result 71
