#!/usr/bin/env bash
# The journal of a real installation as DICOM audit messages and as FHIR AuditEvents, each judged by somebody else's validator: jing with a
# RELAX NG grammar of PS3.15 A.5, and the models of the Python package fhir.resources (R4B: AuditEvent is that of R4), in an environment of its own.
# Usage: tests/interop/audit_forms.sh [PROGRAM]; without an argument the release build is used. A missing tool fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$(realpath "${1:-target/release/bindery}")
folder=$(mktemp -d)
server=
finish() {
    code=$?
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    rm -rf "$folder"
    exit $code
}
trap finish EXIT

umask 077
printf %s 'correct horse battery staple' >"$folder/password"
config="$folder/installation/bindery.toml"
"$program" init "$folder/installation" --suffix dc=mercy,dc=example --admin-password-file "$folder/password" \
    --ldap 127.0.0.1:0 --waive second-factor --waive clear-text --waiver-reason "a test on loopback" >/dev/null
"$program" serve --config "$config" >"$folder/ready" 2>"$folder/log" &
server=$!
for _ in $(seq 100); do
    grep -q ^ready "$folder/ready" && break
    sleep 0.1
done
url=$(grep -o 'ldap://[^ ]*' "$folder/ready" | head -1)
admin=(-x -H "$url" -D cn=admin,dc=mercy,dc=example)
ldapadd "${admin[@]}" -y "$folder/password" >/dev/null <<'LDIF'
dn: uid=zoë \"\<&\>,dc=mercy,dc=example
objectClass: inetOrgPerson
cn: Zoë
sn: Person

dn: cn=nurses,dc=mercy,dc=example
objectClass: groupOfMembers
cn: nurses
LDIF
ldapmodify "${admin[@]}" -y "$folder/password" >/dev/null <<'LDIF'
dn: cn=nurses,dc=mercy,dc=example
changetype: modify
add: member
member: cn=admin,dc=mercy,dc=example
LDIF
ldapdelete "${admin[@]}" -y "$folder/password" cn=nurses,dc=mercy,dc=example
for name in cn=admin,dc=mercy,dc=example "cn=nobody there"; do
    if ldapwhoami -x -H "$url" -D "$name" -w 'not this one' 2>/dev/null; then
        echo "FAILED: a wrong password" >&2
        exit 1
    fi
done
kill "$server"
wait "$server"
server=

"$program" journal export --config "$config" --format dicom --out "$folder/dicom"
"$program" journal export --config "$config" --format fhir --out "$folder/fhir.ndjson"
number=0
while read -r message; do
    number=$((number + 1))
    printf '%s\n' "$message" >"$(printf "%s/message-%04d.xml" "$folder" $number)"
done <"$folder/dicom"
[ "$number" -ge 10 ] || { echo "FAILED: $number messages" >&2; exit 1; }
jing -c tests/interop/audit-message.rnc "$folder"/message-*.xml
echo "  ok: $number audit messages fit the grammar"
# The judge judges: a message without its time, and one with a participant too few.
sed 's/EventDateTime="[^"]*"//' "$folder/message-0001.xml" >"$folder/wrong-1.xml"
sed 's/<ActiveParticipant.*<\/ActiveParticipant>//' "$folder/message-0001.xml" >"$folder/wrong-2.xml"
for wrong in "$folder"/wrong-*.xml; do
    ! jing -c tests/interop/audit-message.rnc "$wrong" >/dev/null || { echo "FAILED: $wrong fits" >&2; exit 1; }
done
echo "  ok: messages that lack something do not"

python=/usr/bin/python3
$python -m venv "$folder/python"
"$folder/python/bin/pip" install -q 'fhir.resources==8.0.0' >/dev/null
"$folder/python/bin/python" - "$folder/fhir.ndjson" <<'PYTHON'
import json
import sys

from fhir.resources.R4B.auditevent import AuditEvent

count = 0
with open(sys.argv[1], encoding="utf-8") as file:
    for line in file:
        AuditEvent.model_validate_json(line)
        count += 1
assert count >= 10, count
print(f"  ok: {count} AuditEvents are valid")
broken = json.loads(line)
for member in ("recorded", "agent", "source", "type"):
    less = {name: value for name, value in broken.items() if name != member}
    try:
        AuditEvent.model_validate(less)
    except ValueError:
        continue
    sys.exit(f"FAILED: valid without {member}")
print("  ok: AuditEvents that lack something are not")
PYTHON
