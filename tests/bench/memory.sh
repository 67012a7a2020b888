#!/bin/bash
# Prints how much memory the server takes for an entry and for a membership, and how long it takes to start, for each number of people.
#
#   tests/bench/memory.sh [PEOPLE…] [--built DIR] [--keep]
#
# PEOPLE is 100000 unless given. What is resident is read from /proc after a fresh start and a second of searches: of a folder with ten people,
# of one with all of them, and of the same with ten groups that everybody is in (more than 100,000 people are more than one add may name).
# --built DIR takes programs that are there (DIR/bindery, DIR/examples/load); else they are built. BENCH_DIR is where the data lies (default:
# target/bench).
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
built="" keep=false people=()
while [ $# -gt 0 ]; do
    case $1 in
        --built) built=$2; shift ;;
        --keep) keep=true ;;
        [0-9]*) people+=("$1") ;;
        *) echo "memory.sh: unknown argument $1" >&2; exit 2 ;;
    esac
    shift
done
[ ${#people[@]} -gt 0 ] || people=(100000)
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

# Starts the server on so many people and uses it. Says: KB resident then, ms of wall clock and of processor until it listened.
measure() {
    local start end
    : >"$work/ready"
    start=$(date +%s%N)
    "$built/bindery" serve --config "$work/bindery/bindery.toml" >"$work/ready" 2>"$work/log" &
    server=$!
    until grep -q ^ready "$work/ready"; do
        kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
        sleep 0.01
    done
    end=$(date +%s%N)
    processor=$(awk -v ticks="$(getconf CLK_TCK)" '{ print int(($14 + $15) * 1000 / ticks) }' "/proc/$server/stat")
    # Memory that was only needed for the start goes back to the system when the allocator is next at work.
    "$built/examples/load" run --server bindery --address "$(sed -n 's#^ready.* ldap://\([^ ]*\).*#\1#p' "$work/ready")" --pid "$server" \
        --people "$1" --password-file "$work/password" --workload search --connections 8 --seconds 1 >"$work/use"
    sleep 2
    resident=$(awk '/VmRSS/ { print $2 }' "/proc/$server/status")
    elapsed=$(((end - start) / 1000000))
    stop
}

load() {
    "$built/bindery" import --config "$work/bindery/bindery.toml" "$1" >"$work/import" 2>&1 || { tail -5 "$work/import" >&2; exit 1; }
}

# A new installation with so many people.
install() {
    rm -rf "$work/bindery"
    "$built/bindery" init "$work/bindery" --suffix dc=bench,dc=example --admin-password-file "$work/password" --ldap 127.0.0.1:0 \
        --waive clear-text --waive second-factor --waiver-reason "measuring on loopback" >"$work/init" 2>&1 || { cat "$work/init" >&2; exit 1; }
    "$built/examples/load" people "$1" --without-suffix >"$work/people.ldif"
    load "$work/people.ldif"
}

printf 'bench admin pass phrase' >"$work/password"
printf '%10s %14s %14s %16s %18s %12s %12s\n' people 'LDIF octets' 'ten people, KB' 'octets/entry' 'octets/membership' 'start, ms' 'of CPU, ms'
for count in "${people[@]}"; do
    install 10
    measure 10
    few=$resident
    install "$count"
    octets=$(($(stat -c %s "$work/people.ldif") / count))
    measure "$count"
    of_people=$resident start=$elapsed start_processor=$processor
    awk -v count="$count" 'BEGIN {
        print "dn: ou=groups,dc=bench,dc=example\nobjectClass: organizationalUnit\nou: groups\n"
        for (group = 1; group <= 10; group++) {
            printf "dn: cn=g%d,ou=groups,dc=bench,dc=example\nobjectClass: groupOfNames\ncn: g%d\n", group, group
            for (i = 0; i < count; i++) printf "member: uid=p%07d,ou=people,dc=bench,dc=example\n", i
            print ""
        }
    }' >"$work/groups.ldif"
    load "$work/groups.ldif"
    measure "$count"
    memberships=$((count * 10))
    printf '%10d %14d %14d %16d %18d %12d %12d\n' "$count" "$octets" "$few" $(((of_people - few) * 1024 / (count - 10))) \
        $(((resident - of_people) * 1024 / memberships)) "$start" "$start_processor"
    rm -f "$work/people.ldif" "$work/groups.ldif"
done
