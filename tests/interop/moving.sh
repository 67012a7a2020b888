#!/usr/bin/env bash
# From a running slapd to Bindery, as the README tells it, and back: slapcat, import, export, slapadd; both slapcats must be equal.
# Usage: tests/interop/moving.sh [PROGRAM [PEOPLE]]; without arguments the release build and 10000 people.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$(realpath "${1:-target/release/bindery}")
people=${2:-10000}
suffix=dc=mercy,dc=example
folder=$(mktemp -d)
running=
finish() {
    code=$?
    [ -z "$running" ] || kill "$running" 2>/dev/null || true
    [ -z "$running" ] || wait "$running" 2>/dev/null || true
    rm -rf "$folder"
    exit $code
}
trap finish EXIT
fail() {
    echo "FAILED: $1" >&2
    exit 1
}

slapd_conf() { # NAME [SCHEMA]
    mkdir "$folder/$1"
    {
        for schema in core cosine inetorgperson nis; do echo "include /etc/ldap/schema/$schema.schema"; done
        [ -z "${2:-}" ] || echo "include $2"
        cat <<CONF
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
loglevel 0
pidfile $folder/$1.pid
database mdb
maxsize 1073741824
suffix "$suffix"
rootdn "cn=manager,$suffix"
rootpw manager
directory $folder/$1
CONF
    } >"$folder/$1.conf"
}
until_it_answers() { # URL
    for _ in $(seq 100); do
        if ldapsearch -x -H "$1" -s base -b "" >/dev/null 2>&1; then return; fi
        kill -0 "$running" 2>/dev/null || fail "$1 ended before it answered"
        sleep 0.1
    done
    fail "$1 does not answer"
}

slapd_conf before
python3 tests/interop/people.py "$people" >"$folder/people.ldif"
/usr/sbin/slapadd -q -f "$folder/before.conf" -l "$folder/people.ldif"
socket=ldapi://$(printf %s "$folder/slapd.socket" | sed 's#/#%2F#g')
/usr/sbin/slapd -f "$folder/before.conf" -h "$socket" -d 0 2>"$folder/slapd.log" &
running=$!
until_it_answers "$socket"

printf 'correct horse battery staple' >"$folder/password"
configuration=$folder/installation/bindery.toml
"$program" init "$folder/installation" --suffix $suffix --admin-password-file "$folder/password" --ldap 127.0.0.1:0 --ldaps 127.0.0.1:0 \
    --waive second-factor --waiver-reason "a test on loopback" >/dev/null
echo "== while slapd runs: slapcat and a dry run"
/usr/sbin/slapcat -f "$folder/before.conf" -l "$folder/trial.ldif"
"$program" import --config "$configuration" --from openldap --dry-run "$folder/trial.ldif"
printf 'dn: uid=u5,ou=people,%s\nchangetype: modify\nreplace: title\ntitle: changed after the dry run\n' "$suffix" |
    ldapmodify -x -H "$socket" -D "cn=manager,$suffix" -w manager >/dev/null

echo "== slapd stops; the last slapcat, import, start"
down=$(date +%s)
kill "$running" && wait "$running" || true
running=
/usr/sbin/slapcat -f "$folder/before.conf" -l "$folder/before.ldif"
"$program" import --config "$configuration" --from openldap "$folder/before.ldif" >"$folder/import.log" 2>&1 || { cat "$folder/import.log" >&2; fail import; }
tail -1 "$folder/import.log"
"$program" serve --config "$configuration" >"$folder/ready" 2>"$folder/log" &
running=$!
for _ in $(seq 300); do
    grep -q '^ready' "$folder/ready" && break
    kill -0 "$running" 2>/dev/null || { tail "$folder/log" >&2; fail "bindery ended before it was ready"; }
    sleep 0.1
done
ldaps=$(grep -oE 'ldaps://[^ ]+' "$folder/ready")
export LDAPTLS_CACERT=$folder/installation/tls/server.pem
ldapsearch -x -LLL -H "${ldaps/127.0.0.1/localhost}" -D "uid=u5,ou=people,$suffix" -w bench-password -b $suffix '(uid=u5)' title memberOf >"$folder/out" ||
    fail "u5 cannot log in with the old password"
grep -q 'title: changed after the dry run' "$folder/out" && grep -q "memberOf: cn=group 5,ou=groups,$suffix" "$folder/out" || { cat "$folder/out" >&2; fail "u5 came incomplete"; }
echo "$(($(date +%s) - down)) seconds from the last answer of slapd to the first login here"
kill "$running" && wait "$running" || true
running=

# The login stored its password anew, as Argon2id: what goes back comes from an installation nobody has used.
"$program" init "$folder/unused" --suffix $suffix --admin-password-file "$folder/password" --ldap 127.0.0.1:0 >/dev/null
configuration=$folder/unused/bindery.toml
"$program" import --config "$configuration" --from openldap "$folder/before.ldif" >/dev/null 2>&1
echo "== export --for openldap"
"$program" export --config "$configuration" --for openldap --schema-out "$folder/more.schema" --out "$folder/export.ldif"

slapd_conf after "$folder/more.schema"
/usr/sbin/slapadd -q -f "$folder/after.conf" -l "$folder/export.ldif"
/usr/sbin/slapcat -f "$folder/after.conf" -l "$folder/after.ldif"
ignored=()
while read -r dn; do ignored+=(--second-only-ignored "$dn"); done < <(sed -n 's/^dn: //p' "$folder/export.ldif" | grep -E "(^cn=admin|ou=roles|ou=policies),$suffix\$|^ou=(roles|policies),$suffix\$")
echo "== both slapcats"
python3 tests/interop/same_ldif.py "$folder/before.ldif" "$folder/after.ldif" "${ignored[@]}"
