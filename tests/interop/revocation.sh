#!/usr/bin/env bash
# A client certificate that is revoked while a connection with it is open (OpenSSL is the authority, ldapsearch the client), and passwords of applications as
# ldap-utils send them. Usage: tests/interop/revocation.sh [PROGRAM]; without an argument the release build is used.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$(realpath "${1:-target/release/bindery}")
folder=$(mktemp -d)
server=""
finish() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; fi
    rm -rf "$folder"
}
trap finish EXIT

passed=0
fail() {
    echo "FAILED: $1" >&2
    cat "$folder"/out "$folder"/log >&2 || true
    exit 1
}
# The command must end with the code.
ends() { # code what command…
    local code=$1 what=$2 said=0
    shift 2
    "$@" >"$folder/out" 2>&1 || said=$?
    [ "$said" -eq "$code" ] || fail "$what: $said"
    passed=$((passed + 1))
    echo "  ok: $what"
}

cd "$folder"
cat >authority.cnf <<'END'
[ca]
default_ca = authority
[authority]
database = index
serial = serial
crlnumber = number
default_md = sha256
default_days = 30
default_crl_days = 30
policy = anything
x509_extensions = client
new_certs_dir = .
certificate = authority.pem
private_key = authority.key
[anything]
domainComponent = optional
organizationalUnitName = optional
userId = optional
[client]
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth
END
touch index
echo 1000 >serial
echo 1000 >number
list() { openssl ca -config authority.cnf -gencrl -out clients.crl 2>>openssl.log; }
openssl req -x509 -newkey rsa:2048 -nodes -keyout authority.key -out authority.pem -subj "/O=Mercy/CN=Card CA" -days 30 2>>openssl.log
openssl req -newkey rsa:2048 -nodes -keyout anna.key -out anna.csr -subj "/DC=example/DC=mercy/OU=people/UID=anna" 2>>openssl.log
openssl ca -config authority.cnf -batch -preserveDN -in anna.csr -out anna.pem >>openssl.log 2>&1
list

printf 'correct horse battery staple' >password
"$program" init installation --suffix dc=mercy,dc=example --admin-password-file password --ldap 127.0.0.1:0 --ldaps 127.0.0.1:0 >out 2>&1
sed -i "s|^\[tls\]\$|[tls]\nclient-authorities = \"$folder/authority.pem\"\nrevocation-lists = [\"$folder/clients.crl\"]|" installation/bindery.toml
cat >people.ldif <<'END'
dn: ou=people,dc=mercy,dc=example
objectClass: organizationalUnit

dn: uid=anna,ou=people,dc=mercy,dc=example
objectClass: inetOrgPerson
cn: Anna Moreau
sn: Moreau
userPassword: anna knows it all by heart

dn: cn=phones,ou=binds,ou=policies,dc=mercy,dc=example
objectClass: bindRule
bindAppPassword: TRUE
bindNetwork: 127.0.0.0/8
bindEffect: allow
END
configuration="--config installation/bindery.toml"
"$program" import $configuration people.ldif >out 2>&1 || fail "import"
"$program" serve $configuration >ready 2>log &
server=$!
for _ in $(seq 300); do
    grep -q ^ready ready && break
    kill -0 "$server" 2>/dev/null || fail "the server did not start"
    sleep 0.1
done
uri=$(grep -o 'ldaps://[^ ]*' ready)
export LDAPTLS_CACERT=installation/tls/server.pem LDAPTLS_REQCERT=never
anna="uid=anna,ou=people,dc=mercy,dc=example"

phone=$("$program" app-password add anna --name phone --rule phones $configuration 2>out) || fail "app-password add"
ends 0 "the password of an application logs in" ldapwhoami -x -H "$uri" -D "$anna" -w "$phone"
ends 1 "it changes no password" ldappasswd -x -H "$uri" -D "$anna" -w "$phone" -s "something entirely new"
"$program" app-password list anna --format csv $configuration | grep -q 'phone,' || fail "app-password list"
ends 0 "it is revoked" "$program" app-password revoke anna phone $configuration
ends 49 "and logs in no more" ldapwhoami -x -H "$uri" -D "$anna" -w "$phone"

export LDAPTLS_CERT=anna.pem LDAPTLS_KEY=anna.key
ends 0 "a certificate logs in" ldapwhoami -Y EXTERNAL -Q -H "$uri"
ldapsearch -Y EXTERNAL -Q -H "$uri" -b dc=mercy,dc=example -E sync=rp '(uid=anna)' 1.1 >followed 2>&1 &
follows=$!
for _ in $(seq 100); do
    grep -q ^dn: followed && break
    sleep 0.1
done
openssl ca -config authority.cnf -revoke anna.pem 2>>openssl.log
list
kill -HUP "$server"
ends 8 "revoked, its open connection ends" wait "$follows"
! ldapwhoami -Y EXTERNAL -Q -H "$uri" >out 2>&1 || fail "a revoked certificate logged in"
"$program" journal export $configuration 2>/dev/null | grep -q '"reason":"certificate revoked"' || fail "no record says why"
echo "revocation and passwords of applications: $((passed + 3)) checks passed"
