#!/bin/bash
# Attacks a server of its own on loopback in every way that bad clients have, and prints what became of it: memory before, at its most and
# after, the server's own counts, and how long a well-behaved client's searches took beside it. Fails where memory was not bounded or others
# were not served.
#
#   tests/abuse/run.sh [--short] [--only NAME] [--built DIR]
#
# --short: under a minute, for every check. --built DIR takes programs that are there (DIR/bindery, DIR/examples/abuse); else they are built.
# The full run wants root, for 100,000 connections at once; else it opens as many as it may and says how many that were.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
built="" arguments=() people=20000
while [ $# -gt 0 ]; do
    case $1 in
        --built) built=$2; shift ;;
        --short) arguments+=(--short); people=2000 ;;
        --only) arguments+=(--only "$2"); shift ;;
        *) echo "run.sh: unknown argument $1" >&2; exit 2 ;;
    esac
    shift
done
if [ -z "$built" ]; then
    (cd "$root" && cargo build -q --release --bin bindery --example abuse)
    built=${CARGO_TARGET_DIR:-$root/target}/release
fi
[ "$(id -u)" != 0 ] || ulimit -n "$(cat /proc/sys/fs/nr_open)" 2>/dev/null || true

work=$(mktemp -d)
server=""
finish() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap finish EXIT

configuration=$work/bindery/bindery.toml
printf 'abuse admin pass phrase' >"$work/password"
"$built/examples/abuse" people "$people" >"$work/people.ldif"
"$built/bindery" init "$work/bindery" --suffix dc=abuse,dc=example --admin-password-file "$work/password" --ldap 127.0.0.1:0 \
    --ldaps 127.0.0.1:0 --waive clear-text --waive second-factor --waiver-reason "abuse on loopback" >"$work/init" 2>&1 || { cat "$work/init" >&2; exit 1; }
"$built/bindery" import --config "$configuration" "$work/people.ldif" 2>"$work/import" || { cat "$work/import" >&2; exit 1; }
"$built/bindery" serve --config "$configuration" >"$work/ready" 2>"$work/log" &
server=$!
for _ in $(seq 200); do
    grep -q '^ready' "$work/ready" && break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
address() {
    sed -n "s#^ready.* $1://\([^ ]*\).*#\1#p" "$work/ready" | head -1
}
[ -n "$(address ldap)" ] || { echo "run.sh: bindery did not start" >&2; cat "$work/log" >&2; exit 1; }
"$built/examples/abuse" run --ldap "$(address ldap)" --ldaps "$(address ldaps)" --ca "$work/bindery/tls/server.pem" --pid "$server" \
    --log "$work/log" --password-file "$work/password" --people "$people" "${arguments[@]}" || { tail -n 50 "$work/log" >&2; exit 1; }
kill "$server"
wait "$server" || { echo "run.sh: the server did not end in order" >&2; tail -n 50 "$work/log" >&2; exit 1; }
server=""
if grep -E 'panicked|broke down' "$work/log" >&2; then exit 1; fi
"$built/bindery" check --config "$configuration" >"$work/check" 2>&1 || { cat "$work/check" >&2; exit 1; }
