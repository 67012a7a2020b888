#!/usr/bin/env bash
# The README's tours against a demo of their own: every command in them is run, and what it prints has the shape and the facts that the README shows.
# Usage: tests/interop/tour.sh [PROGRAM] [--print]; without a program the release build is used.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$(realpath "${1:-target/release/bindery}")
root=$PWD
folder=$(mktemp -d)
server=
finish() {
    code=$?
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    [ $code -eq 0 ] || tail -20 "$folder/guide" "$folder/log" >&2 || true
    rm -rf "$folder"
    exit $code
}
trap finish EXIT
fail() {
    echo "FAILED: $1" >&2
    exit 1
}

export DEMO_LDAP=33891 DEMO_LDAPS=36361
mkdir "$folder/bin"
ln -s "$program" "$folder/bin/bindery"
cd "$folder"
"$program" demo --ldap-port $DEMO_LDAP --ldaps-port $DEMO_LDAPS >guide 2>log &
server=$!
for _ in $(seq 600); do
    grep -q '^Ctrl-C' guide && break
    kill -0 "$server" 2>/dev/null || fail "the demo ended before it was ready"
    sleep 0.1
done
grep -q '^Ctrl-C' guide || fail "the demo is not ready after a minute"
# What happened so far is signed for within a minute, and a grant that is for seconds is over by then.
export PATH=$folder/bin:$PATH
last=$(bindery journal query --config bindery-demo/bindery.toml --newest-first --limit 1 --format csv | tail -1 | cut -d, -f1)
for _ in $(seq 120); do
    [ "$(bindery journal checkpoint --config bindery-demo/bindery.toml | sed -n 2p)" -ge "$last" ] && break
    sleep 1
done
/usr/bin/python3 "$root/tests/interop/tour.py" "$root/README.md" "${@:2}"
