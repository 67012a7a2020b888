#!/bin/bash
# Prints how fast the sessions of an account that is disabled end while many others are open, and what searches of another client notice.
#
#   tests/bench/sessions.sh [SESSIONS] [--built DIR]
#
# SESSIONS is 10000 unless given: 100 of each account, from addresses 127.0.1.1 on, each on a connection of its own. Client and server need as
# many open files each (ulimit -n). --built DIR takes a program that is there (DIR/bindery); else it is built. Nothing is judged: the reader
# compares the lines. What is measured is described in sessions.py.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
sessions=10000 built=""
while [ $# -gt 0 ]; do
    case $1 in
        --built) built=$2; shift ;;
        [0-9]*) sessions=$1 ;;
        *) echo "sessions.sh: unknown argument $1" >&2; exit 2 ;;
    esac
    shift
done
if [ -z "$built" ]; then
    (cd "$root" && cargo build -q --release --bin bindery)
    built=${CARGO_TARGET_DIR:-$root/target}/release
fi
files=$((sessions + 500))
[ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge "$files" ] || ulimit -n "$files" ||
    { echo "sessions.sh: $files files must be allowed to be open (ulimit -n)" >&2; exit 2; }

work=$(mktemp -d)
server=""
finish() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap finish EXIT

printf 'bench admin pass phrase' >"$work/password"
"$built/bindery" init "$work/bindery" --suffix dc=bench,dc=example --admin-password-file "$work/password" --ldap 127.0.0.1:0 \
    --waive clear-text --waive second-factor --waiver-reason "measuring on loopback" >"$work/init" 2>&1 || { cat "$work/init" >&2; exit 1; }
# Waivers are for 127.0.0.1 alone, so are the rules not: logins from the whole loopback network are in clear here.
sed -i "s|^\[limits\]\$|[limits]\nconnections = $((sessions + 100))|" "$work/bindery/bindery.toml"
python3 "$root/tests/bench/sessions.py" people "$sessions" >"$work/people.ldif"
"$built/bindery" import --config "$work/bindery/bindery.toml" "$work/people.ldif" >"$work/import" 2>&1 || { tail -5 "$work/import" >&2; exit 1; }
: >"$work/ready"
"$built/bindery" serve --config "$work/bindery/bindery.toml" >"$work/ready" 2>"$work/log" &
server=$!
until grep -q ^ready "$work/ready"; do
    kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
    sleep 0.05
done
port=$(sed -n 's#^ready.* ldap://127.0.0.1:\([0-9]*\).*#\1#p' "$work/ready")
python3 "$root/tests/bench/sessions.py" run "$sessions" "$port" "$server" "$work/password"
