#!/bin/bash
# Shows that refused binds take the same time whatever is wrong with them: prints how long each kind took, as a distribution.
#
#   tests/bench/timing.sh [TRIES] [--built DIR]
#
# TRIES of each kind is 1000 unless given (about a minute and a half). --built DIR takes programs that are there (DIR/bindery,
# DIR/examples/load); else they are built. Nothing is judged: clocks of shared machines are noisy, the reader compares.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
tries=1000 built=""
while [ $# -gt 0 ]; do
    case $1 in
        --built) built=$2; shift ;;
        [0-9]*) tries=$1 ;;
        *) echo "timing.sh: unknown argument $1" >&2; exit 2 ;;
    esac
    shift
done
if [ -z "$built" ]; then
    (cd "$root" && cargo build -q --release --bin bindery --example load)
    built=${CARGO_TARGET_DIR:-$root/target}/release
fi

work=$(mktemp -d)
server=""
finish() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap finish EXIT

printf 'bench admin pass phrase' >"$work/password"
"$built/examples/load" people 100 --without-suffix >"$work/people.ldif"
"$built/bindery" init "$work/bindery" --suffix dc=bench,dc=example --admin-password-file "$work/password" --ldap 127.0.0.1:0 \
    --waive clear-text --waive second-factor --waiver-reason "timing on loopback" >"$work/init" 2>&1 || { cat "$work/init" >&2; exit 1; }
# Guesses are counted by address and held up elsewhere; here they are timed.
sed -i 's/^\[limits\]$/[limits]\nfailed-binds-per-second = 1000000/' "$work/bindery/bindery.toml"
# Who sends so many wrong passwords is held back otherwise.
printf '\n[limits.networks."127.0.0.0/8"]\nfailed-binds-per-second = 1000000\n' >>"$work/bindery/bindery.toml"
"$built/bindery" import --config "$work/bindery/bindery.toml" "$work/people.ldif" 2>"$work/import" || { cat "$work/import" >&2; exit 1; }
"$built/bindery" serve --config "$work/bindery/bindery.toml" >"$work/ready" 2>"$work/log" &
server=$!
address=""
for _ in $(seq 100); do
    address=$(sed -n 's#^ready.* ldap://\([^ ]*\).*#\1#p' "$work/ready" | head -1)
    [ -n "$address" ] && break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
[ -n "$address" ] || { echo "timing.sh: bindery did not start" >&2; cat "$work/log" >&2; exit 1; }
"$built/examples/load" timing --address "$address" --tries "$tries"
