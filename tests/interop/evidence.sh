#!/usr/bin/env bash
# What the journal hands out (an export with its proof, the proof of one record, a bundle of evidence), verified by two programs that share no
# code: bindery itself and verify_journal.py. Usage: tests/interop/evidence.sh [PROGRAM]; without an argument the release build is used.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$(realpath "${1:-target/release/bindery}")
second=(/usr/bin/python3 tests/interop/verify_journal.py)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

passed=0
fail() {
    echo "FAILED: $1" >&2
    cat "$folder/out" >&2 || true
    exit 1
}
# Both must end with the code.
both() { # code file what
    local program_said=0 second_said=0
    "$program" journal verify "$2" --key "$folder/journal.pub" >"$folder/out" 2>&1 || program_said=$?
    "${second[@]}" "$folder/journal.pub" "$2" >>"$folder/out" 2>&1 || second_said=$?
    [ "$program_said $second_said" = "$1 $1" ] || fail "$3: $program_said and $second_said, not $1"
    passed=$((passed + 1))
    echo "  ok: $3"
}

printf 'correct horse battery staple' >"$folder/password"
installation=$folder/installation
"$program" init "$installation" --suffix dc=mercy,dc=example --admin-password-file "$folder/password" \
    --ldap 127.0.0.1:0 --ldaps 127.0.0.1:0 >"$folder/out"
configuration=$installation/bindery.toml
"$program" import --config "$configuration" src/command/demo/hospital.ldif >"$folder/out" 2>&1 || fail "import"
"$program" serve --config "$configuration" >"$folder/ready" 2>"$folder/log" &
server=$!
for _ in $(seq 300); do
    grep -q ^ready "$folder/ready" && break
    kill -0 $server 2>/dev/null || { cat "$folder/log" >&2; fail "the server did not start"; }
    sleep 0.1
done
kill -TERM $server
wait $server || fail "the server ended with $?"
"$program" journal verify --config "$configuration" >"$folder/out" || fail "verify"
cp "$installation/keys/journal.pub" "$folder/journal.pub"

# That the journal is read is recorded too, and nobody signed for that yet.
signed=$("$program" journal checkpoint --config "$configuration" | sed -n 2p)
"$program" journal export --config "$configuration" --out "$folder/export" 2>"$folder/out"
head -n "$signed" "$folder/export" >"$folder/all"
tail -n +100 "$folder/all" >"$folder/some"
for export in all some; do
    "$program" journal checkpoint "$folder/$export" --config "$configuration" >"$folder/out"
    both 0 "$folder/$export" "export $export"
    cp "$folder/$export.proof" "$folder/changed.proof"
    sed '7s/"result":0/"result":49/' "$folder/$export" >"$folder/changed"
    both 1 "$folder/changed" "export $export with a record changed"
    sed '7d' "$folder/$export" >"$folder/changed"
    both 2 "$folder/changed" "export $export with a record left out"
    sed '$d' "$folder/$export" >"$folder/changed"
    both 2 "$folder/changed" "export $export without the last record"
    sed '7h;7d;8G' "$folder/$export" >"$folder/changed"
    both 1 "$folder/changed" "export $export with two records swapped"
done
cp "$folder/all.proof" "$folder/export.proof"
both 3 "$folder/export" "export that goes further than its proof"
cp "$folder/some.proof" "$folder/export.proof"
both 3 "$folder/export" "export that begins before its proof"
rm "$folder/export.proof"
both 4 "$folder/export" "export without its proof"
"$program" journal prove 42 --config "$configuration" >"$folder/proof"
both 0 "$folder/proof" "proof of one record"
sed 's/^index 41$/index 40/' "$folder/proof" >"$folder/changed"
both 1 "$folder/changed" "the proof for another place"
"$program" journal evidence --from 20 --to 300 --for "an auditor" --about ou=people,dc=mercy,dc=example \
    --config "$configuration" --out "$folder/bundle" >"$folder/out"
both 0 "$folder/bundle" "bundle of evidence"
sed 's/^| for: an auditor$/| for: nobody/' "$folder/bundle" >"$folder/changed"
both 1 "$folder/changed" "the bundle with another cover"
sed '0,/"result":0/s//"result":1/' "$folder/bundle" >"$folder/changed"
both 1 "$folder/changed" "the bundle with a record changed"
echo "journal's proofs: $passed checks passed by two verifiers"
