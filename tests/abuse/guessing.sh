#!/bin/bash
# Guesses passwords at a server of its own on loopback, as attackers do: one password over many accounts (spraying), lists of stolen pairs
# (stuffing), keeping somebody out by failing for him, one one-time code used twice at once, and time as a tell-tale. Prints what was tried, what
# succeeded, who was locked, and what the journal says. Fails where a guess succeeded, where somebody was kept out who must get in, or where one code let
# two in.
#
#   tests/abuse/guessing.sh [--built DIR]
#
# --built DIR takes a program that is there (DIR/bindery); else it is built. Needs python3, nothing beside it, and takes about a minute.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
built=""
while [ $# -gt 0 ]; do
    case $1 in
        --built) built=$2; shift ;;
        *) echo "guessing.sh: unknown argument $1" >&2; exit 2 ;;
    esac
    shift
done
if [ -z "$built" ]; then
    (cd "$root" && cargo build -q --release --bin bindery)
    built=${CARGO_TARGET_DIR:-$root/target}/release
fi

work=$(mktemp -d)
server=""
finish() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap finish EXIT

configuration=$work/bindery/bindery.toml
printf 'guessing admin pass phrase' >"$work/password"
python3 "$root/tests/abuse/guessing.py" people >"$work/people.ldif"
"$built/bindery" init "$work/bindery" --suffix dc=guess,dc=example --admin-password-file "$work/password" --ldap 127.0.0.1:0 \
    --waive clear-text --waiver-reason "guessing on loopback" >"$work/init" 2>&1 || { cat "$work/init" >&2; exit 1; }
"$built/bindery" import --config "$configuration" "$work/people.ldif" 2>"$work/import" || { cat "$work/import" >&2; exit 1; }
"$built/bindery" serve --config "$configuration" >"$work/ready" 2>"$work/log" &
server=$!
for _ in $(seq 200); do
    grep -q '^ready' "$work/ready" && break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
address=$(sed -n 's#^ready.* ldap://\([^ ]*\).*#\1#p' "$work/ready" | head -1)
[ -n "$address" ] || { echo "guessing.sh: bindery did not start" >&2; cat "$work/log" >&2; exit 1; }
python3 "$root/tests/abuse/guessing.py" attack "$address" "$built/bindery" "$configuration"
kill "$server"
wait "$server" || { echo "guessing.sh: the server did not end in order" >&2; tail -n 50 "$work/log" >&2; exit 1; }
server=""
if grep -E 'panicked|broke down' "$work/log" >&2; then exit 1; fi
