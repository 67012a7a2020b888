#!/usr/bin/env bash
# Real clients against the real program: ldap-utils, python-ldap and JNDI, over LDAPS, StartTLS and ldapi; slapd as a consumer.
# Usage: tests/interop/run.sh [PROGRAM]; without an argument the release build is used. A missing tool fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$(realpath "${1:-target/release/bindery}")
suffix=dc=mercy,dc=example
admin=cn=admin,$suffix
password='correct horse battery staple'

folder=$(mktemp -d)
server=
finish() {
    code=$?
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    if [ $code -ne 0 ]; then
        echo "--- the server's log:" >&2
        tail -50 "$folder/log" >&2 || true
    fi
    rm -rf "$folder"
    exit $code
}
trap finish EXIT

passed=0
ok() {
    passed=$((passed + 1))
    echo "  ok: $1"
}
fail() {
    echo "FAILED: $1" >&2
    exit 1
}
# Runs a command that must end with the given code; what it prints is kept in $folder/out.
expect() { # code what command...
    local wanted=$1 what=$2 code=0
    shift 2
    "$@" >"$folder/out" 2>&1 || code=$?
    [ "$code" -eq "$wanted" ] || { cat "$folder/out" >&2; fail "$what: exit $code, expected $wanted"; }
    ok "$what"
}
shows() { # pattern what
    grep -qE -- "$1" "$folder/out" || { cat "$folder/out" >&2; fail "$2: no line like $1"; }
    ok "$2"
}
lacks() {
    ! grep -qE -- "$1" "$folder/out" || { cat "$folder/out" >&2; fail "$2: a line like $1"; }
    ok "$2"
}

printf %s "$password" >"$folder/password"
"$program" init "$folder/installation" --suffix $suffix --admin-password-file "$folder/password" \
    --ldap 127.0.0.1:0 --ldaps 127.0.0.1:0 --waive second-factor --waiver-reason "a test on loopback"
"$program" import --config "$folder/installation/bindery.toml" src/command/demo/hospital.ldif 2>"$folder/import.log" \
    || { cat "$folder/import.log" >&2; fail "import of the sample hospital"; }
ok "import of the sample hospital into what init made"
"$program" serve --config "$folder/installation/bindery.toml" >"$folder/ready" 2>"$folder/log" &
server=$!
for _ in $(seq 100); do
    grep -q '^ready' "$folder/ready" && break
    kill -0 "$server" 2>/dev/null || fail "the server ended before it was ready"
    sleep 0.1
done
ldap=$(grep -oE 'ldap://[^ ]+' "$folder/ready")
ldaps=$(grep -oE 'ldaps://[^ ]+' "$folder/ready")
ldapi=$(grep -oE 'ldapi://[^ ]+' "$folder/ready")
echo "== $ldap $ldaps $ldapi"
export LDAPTLS_CACERT=$folder/installation/tls/server.pem LDAPTLS_REQCERT=demand
ldaps=${ldaps/127.0.0.1/localhost}
ldap=${ldap/127.0.0.1/localhost}

echo "== ldap-utils"
as_admin=(-D "$admin" -y "$folder/password")
expect 0 "ldapwhoami over LDAPS" ldapwhoami -x -H "$ldaps" "${as_admin[@]}"
shows "^dn:$admin" "it is the administrator"
expect 0 "ldapwhoami over StartTLS" ldapwhoami -x -ZZ -H "$ldap" "${as_admin[@]}"
expect 0 "ldapwhoami over ldapi with SASL EXTERNAL" ldapwhoami -Q -Y EXTERNAL -H "$ldapi"
shows "^dn:$admin" "the local user is the administrator"
expect 13 "a simple bind in clear is refused with 13" ldapwhoami -x -H "$ldap" "${as_admin[@]}"
expect 49 "a wrong password is refused with 49" ldapwhoami -x -H "$ldaps" -D "$admin" -w wrong
expect 53 "a DN without password is refused with 53" ldapwhoami -x -H "$ldaps" -D "$admin" -w ''
expect 0 "root DSE anonymously" ldapsearch -x -LLL -H "$ldap" -b '' -s base +
shows '^namingContexts: dc=mercy,dc=example' "it names the suffix"
shows '^supportedExtension: 1.3.6.1.4.1.1466.20037' "it offers StartTLS"
expect 32 "anonymous sees nothing of the people" ldapsearch -x -LLL -H "$ldaps" -b $suffix

cat >"$folder/add.ldif" <<'LDIF'
dn: uid=tools,ou=people,dc=mercy,dc=example
objectClass: inetOrgPerson
cn: Tools Person
sn: Person
mail: tools@mercy.example
userPassword: first pass phrase of tools

dn: cn=tool-users,ou=roles,dc=mercy,dc=example
objectClass: groupOfNames
member: uid=tools,ou=people,dc=mercy,dc=example
LDIF
expect 0 "ldapadd" ldapadd -x -H "$ldaps" "${as_admin[@]}" -f "$folder/add.ldif"
expect 68 "ldapadd again is refused with 68" ldapadd -x -H "$ldaps" "${as_admin[@]}" -f "$folder/add.ldif"
expect 0 "memberOf is computed" ldapsearch -x -LLL -o ldif-wrap=no -H "$ldaps" "${as_admin[@]}" -b $suffix '(uid=TOOLS)' memberOf mail userPassword
shows '^memberOf: cn=tool-users,ou=roles,dc=mercy,dc=example' "by the group just added"
lacks '^userPassword' "the password is not readable"
cat >"$folder/modify.ldif" <<'LDIF'
dn: uid=tools,ou=people,dc=mercy,dc=example
changetype: modify
replace: title
title: Tester
-
add: telephoneNumber
telephoneNumber: +1 312 555 0100
-
delete: mail
-

dn: uid=tools,ou=people,dc=mercy,dc=example
changetype: modrdn
newrdn: uid=tools2
deleteoldrdn: 1
LDIF
expect 0 "ldapmodify: modify and rename" ldapmodify -x -H "$ldaps" "${as_admin[@]}" -f "$folder/modify.ldif"
expect 0 "the group followed the rename" ldapsearch -x -LLL -o ldif-wrap=no -H "$ldaps" "${as_admin[@]}" -b "cn=tool-users,ou=roles,$suffix" member
shows '^member: uid=tools2,ou=people,dc=mercy,dc=example' "by its new name"
expect 0 "a person logs in with the password that ldapadd set" ldapwhoami -x -H "$ldaps" -D "uid=tools2,ou=people,$suffix" -w 'first pass phrase of tools'
as_person=(-D "uid=tools2,ou=people,$suffix" -w 'first pass phrase of tools')
expect 50 "a search by somebody whose password another one set" ldapsearch -x -e ppolicy -H "$ldaps" "${as_person[@]}" -b $suffix -s base
shows '^ldap_bind: Success \(0\); Password must be changed' "ldapsearch is told of it by the control, as by slapd's"
expect 1 "a short password is refused" ldappasswd -x -e ppolicy -H "$ldaps" "${as_person[@]}" -s 'too short'
shows '^ppolicy: error=6 ' "the control says that it is too short, as slapd's does"
expect 1 "a common password is refused" ldappasswd -x -e ppolicy -H "$ldaps" "${as_person[@]}" -s 'passwordpassword'
shows '^ppolicy: error=5 ' "for its quality"
expect 1 "the password there is, is refused" ldappasswd -x -e ppolicy -H "$ldaps" "${as_person[@]}" -s 'first pass phrase of tools'
shows '^ppolicy: error=8 ' "as one of the old ones"
expect 0 "ldappasswd by the person" ldappasswd -x -H "$ldaps" -D "uid=tools2,ou=people,$suffix" -w 'first pass phrase of tools' \
    -a 'first pass phrase of tools' -s 'second pass phrase of tools'
expect 0 "a search by the person" ldapsearch -x -e ppolicy -H "$ldaps" -D "uid=tools2,ou=people,$suffix" -w 'second pass phrase of tools' \
    -b $suffix -s base 1.1
lacks '^ldap_bind' "the control has nothing to tell"
expect 49 "the old password is over" ldapwhoami -x -H "$ldaps" -D "uid=tools2,ou=people,$suffix" -w 'first pass phrase of tools'
expect 0 "the new one works" ldapwhoami -x -H "$ldaps" -D "uid=tools2,ou=people,$suffix" -w 'second pass phrase of tools'
expect 0 "ldappasswd by the administrator, generated" ldappasswd -x -H "$ldaps" "${as_admin[@]}" "uid=tools2,ou=people,$suffix"
shows '^New password: .{16,}' "it is shown once"
expect 50 "a person may not add entries: 50" ldapadd -x -H "$ldaps" -D "uid=tools2,ou=people,$suffix" -w "$(sed -n 's/^New password: //p' "$folder/out")" -f "$folder/add.ldif"
expect 6 "ldapcompare: true" ldapcompare -x -H "$ldaps" "${as_admin[@]}" "uid=tools2,ou=people,$suffix" 'title:TESTER'
expect 5 "ldapcompare: false" ldapcompare -x -H "$ldaps" "${as_admin[@]}" "uid=tools2,ou=people,$suffix" 'title:Chief'
expect 0 "paged results" ldapsearch -x -LLL -H "$ldaps" "${as_admin[@]}" -b $suffix -E pr=50/noprompt '(objectClass=person)' 1.1
[ "$(grep -c '^dn:' "$folder/out")" -ge 220 ] || fail "fewer people than were imported"
ok "all people over several pages"
expect 4 "size limit with partial entries: 4" ldapsearch -x -LLL -H "$ldaps" "${as_admin[@]}" -b $suffix -z 5 '(objectClass=person)' 1.1
[ "$(grep -c '^dn:' "$folder/out")" -eq 5 ] || fail "not exactly five entries"
ok "exactly five"
expect 66 "a non-leaf is not deleted: 66" ldapdelete -x -H "$ldaps" "${as_admin[@]}" "ou=people,$suffix"
expect 0 "ldapdelete" ldapdelete -x -H "$ldaps" "${as_admin[@]}" "uid=tools2,ou=people,$suffix"
expect 0 "the log names itself" ldapsearch -x -LLL -H "$ldaps" -b '' -s base auditContext
shows '^auditContext: cn=accesslog' "in the root DSE"
expect 0 "failed logins in the log, newest first" ldapsearch -x -LLL -o ldif-wrap=no -H "$ldaps" "${as_admin[@]}" -b cn=accesslog -s one \
    -E sss=-reqStart -E pr=2/noprompt '(&(reqType=bind)(reqResult=49))' reqStart reqDN reqResult recordReason
[ "$(grep '^reqStart:' "$folder/out")" = "$(grep '^reqStart:' "$folder/out" | sort -r)" ] || fail "not the newest first"
[ "$(grep -c '^reqResult: 49' "$folder/out")" -ge 2 ] || fail "fewer failed logins than there were"
ok "over several pages"
expect 53 "nobody deletes a record: 53" ldapdelete -x -H "$ldaps" "${as_admin[@]}" "$(sed -n 's/^dn: //p' "$folder/out" | head -1)"
expect 32 "a person sees nothing of the log: 32" ldapsearch -x -LLL -H "$ldaps" -b cn=accesslog
expect 0 "export beside the running server" "$program" export --config "$folder/installation/bindery.toml" --base "ou=people,$suffix"
[ "$(grep -c '^dn:' "$folder/out")" -ge 220 ] || fail "the export lacks people"
ok "it has the people"

echo "== python-ldap"
/usr/bin/python3 tests/interop/python_client.py "$ldaps" "$ldap" "$ldapi" "$admin" "$password" "$LDAPTLS_CACERT"
/usr/bin/python3 tests/interop/python_sync.py "$ldaps" "$admin" "$password" "$LDAPTLS_CACERT"

echo "== JNDI"
keytool -importcert -noprompt -alias bindery -file "$LDAPTLS_CACERT" -keystore "$folder/trust" -storepass changeit >/dev/null 2>&1
javac -d "$folder" tests/interop/JndiClient.java tests/interop/JndiDirectory.java
java -cp "$folder" -Djavax.net.ssl.trustStore="$folder/trust" -Djavax.net.ssl.trustStorePassword=changeit \
    JndiClient "$ldaps" "$ldap" "$admin" "$password"
java -cp "$folder" -Djavax.net.ssl.trustStore="$folder/trust" -Djavax.net.ssl.trustStorePassword=changeit \
    JndiDirectory "$ldaps" "$admin" "$password"

echo "== reload and orderly stop"
kill -HUP "$server"
expect 0 "the server answers after SIGHUP" ldapwhoami -x -H "$ldaps" "${as_admin[@]}"

echo "== client certificates, switched on by a reload"
(
    cd "$folder"
    key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    # shellcheck disable=SC2086
    openssl req -x509 $key -keyout ca.key -out ca.pem -subj '/CN=Mercy test authority' -days 2
    # shellcheck disable=SC2086
    openssl req $key -keyout client.key -out client.csr -subj '/O=Mercy/CN=ehaddad'
    printf 'extendedKeyUsage=clientAuth\nsubjectAltName=email:somebody@mercy.example\n' >client.ext
    openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile client.ext -out client.pem
) >"$folder/openssl.log" 2>&1 || { cat "$folder/openssl.log" >&2; fail "openssl"; }
configuration=$folder/installation/bindery.toml
sed -i "s|^# client-authorities = .*|client-authorities = \"$folder/ca.pem\"|" "$configuration"
printf '\n[[tls.certificate-mapping]]\nmatch = "common-name"\nattribute = "uid"\n' >>"$configuration"
kill -HUP "$server"
for _ in $(seq 100); do
    [ "$(grep -c 'new configuration is in force' "$folder/log")" -ge 2 ] && break
    sleep 0.1
done
expect 0 "SASL EXTERNAL with a client certificate" env LDAPTLS_CERT="$folder/client.pem" LDAPTLS_KEY="$folder/client.key" \
    ldapwhoami -Q -Y EXTERNAL -H "$ldaps"
shows '^dn:uid=ehaddad,ou=people' "the certificate's common name was found as uid"
expect 0 "mechanisms offered without one" ldapsearch -x -LLL -H "$ldaps" -b "" -s base supportedSASLMechanisms
lacks EXTERNAL "EXTERNAL is not among them"
kill -TERM "$server"
code=0
wait "$server" || code=$?
server=
[ "$code" -eq 0 ] || fail "SIGTERM: exit $code"
ok "SIGTERM ends the server with 0"
expect 0 "check of the stopped installation" "$program" check --config "$folder/installation/bindery.toml"

echo "== the demo, and the lines it prints"
(cd "$folder" && exec "$program" demo sample --ldap-port 33890 --ldaps-port 36360) >"$folder/guide" 2>"$folder/log" &
server=$!
for _ in $(seq 300); do
    grep -q '^Ctrl-C' "$folder/guide" && break
    kill -0 "$server" 2>/dev/null || fail "the demo ended before it was ready"
    sleep 0.1
done
grep -E '^  (export|ldapsearch|printf|ldapwhoami|/)' "$folder/guide" >"$folder/lines"
[ "$(wc -l <"$folder/lines")" -eq 6 ] || fail "the demo does not print six lines to paste"
expect 0 "every line works as printed" bash -euo pipefail "$folder/lines"
shows '^dn: uid=' "somebody was looked up"
shows '^modifying entry' "an entry was changed"
shows '^dn:cn=admin' "the local user is the administrator"
shows '"values":\["Chief of everything"\]' "the journal tells of the change"
shows '^uid=madler.* uid=pnunez' "and who bills, approved by whom"
kill -INT "$server"
code=0
wait "$server" || code=$?
server=
[ "$code" -eq 0 ] || fail "Ctrl-C: exit $code"
ok "Ctrl-C ends it with 0"
(cd "$folder" && exec "$program" demo sample) >"$folder/guide" 2>"$folder/log" &
server=$!
for _ in $(seq 300); do
    grep -q '^Ctrl-C' "$folder/guide" && break
    kill -0 "$server" 2>/dev/null || fail "the second demo ended before it was ready"
    sleep 0.1
done
! grep -q '^making' "$folder/guide" || fail "the second start made the folder anew"
ok "a second start finds its folder again"
kill -INT "$server"
wait "$server" || true
server=
echo "ldap-utils and program: $passed checks passed"

echo "== slapd follows"
tests/interop/consumer.sh "$program"
