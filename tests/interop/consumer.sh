#!/usr/bin/env bash
# Two slapds follow a running Bindery, one by refreshAndPersist, one by refreshOnly: through adds, changes, renames, moves and deletes, changes of
# groups, and a restart of either side. After each step both hold what the provider holds, to the last operational attribute.
# Usage: tests/interop/consumer.sh [PROGRAM]; without an argument the release build is used.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$(realpath "${1:-target/release/bindery}")
suffix=dc=mercy,dc=example
admin=cn=admin,$suffix
password='correct horse battery staple'
patience=8
folder=$(mktemp -d)
declare -A running=()
finish() {
    code=$?
    for name in "${!running[@]}"; do stop "$name"; done
    if [ $code -ne 0 ]; then
        for log in "$folder"/*.log; do
            echo "--- $log" >&2
            tail -20 "$log" >&2
        done
    fi
    rm -rf "$folder"
    exit $code
}
trap finish EXIT
stop() { # NAME
    kill "${running[$1]}" 2>/dev/null || true
    wait "${running[$1]}" 2>/dev/null || true
    unset "running[$1]"
}
fail() {
    echo "FAILED: $1" >&2
    exit 1
}
until_true() { # WHAT COMMAND...
    local what=$1 end=$((SECONDS + patience))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || fail "$what: not within $patience s"
        sleep 0.05
    done
}

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
(umask 077 && printf %s "$password" >"$folder/password")
configuration=$folder/installation/bindery.toml
"$program" init "$folder/installation" --suffix $suffix --admin-password-file "$folder/password" --ldap 127.0.0.1:0 --ldaps "127.0.0.1:$port" \
    --waive second-factor --waiver-reason "a test on loopback" >/dev/null
"$program" import --config "$configuration" src/command/demo/hospital.ldif >"$folder/import.log" 2>&1
"$program" export --config "$configuration" --for openldap --schema-out "$folder/more.schema" --out /dev/null 2>"$folder/export.log"
export LDAPTLS_CACERT=$folder/installation/tls/server.pem
provider=(-x -LLL -o ldif-wrap=no -H "ldaps://localhost:$port" -D "$admin" -y "$folder/password")

is_ready() { grep -q '^ready' "$folder/ready"; }
serve() {
    : >"$folder/ready"
    "$program" serve --config "$configuration" >"$folder/ready" 2>>"$folder/bindery.log" &
    running[bindery]=$!
    until_true "bindery is ready" is_ready
}
url() { echo "ldapi://$(printf %s "$folder/$1.socket" | sed 's#/#%2F#g')"; }
consumer() { # NAME: starts one
    /usr/sbin/slapd -f "$folder/$1.conf" -h "$(url "$1")" -d sync 2>>"$folder/$1.log" &
    running[$1]=$!
}
configure() { # NAME RID TYPE
    mkdir "$folder/$1"
    {
        for schema in core cosine inetorgperson nis; do echo "include /etc/ldap/schema/$schema.schema"; done
        cat <<CONF
include $folder/more.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile $folder/$1.pid
database mdb
suffix "$suffix"
rootdn "cn=replica,$suffix"
rootpw replica
directory $folder/$1
index entryUUID,entryCSN,objectClass eq
sizelimit unlimited
syncrepl rid=$2 provider=ldaps://localhost:$port type=$3 retry="1 +" searchbase="$suffix"
  bindmethod=simple binddn="$admin" credentials="$password" tls_cacert=$LDAPTLS_CACERT tls_reqcert=demand
CONF
    } >"$folder/$1.conf"
}

context_csn() { ldapsearch "$@" -b $suffix -s base contextCSN 2>/dev/null | sed -n 's/^contextCSN: //p'; }
caught_up() { [ "$(context_csn -x -LLL -H "$(url "$1")" -D "cn=replica,$suffix" -w replica)" = "$newest" ]; }
content=('(objectClass=*)' '*' structuralObjectClass entryUUID entryCSN creatorsName createTimestamp modifiersName modifyTimestamp)
equal() { # WHAT: every consumer that runs holds what the provider holds
    newest=$(context_csn "${provider[@]}")
    ldapsearch "${provider[@]}" -b $suffix "${content[@]}" >"$folder/provider.ldif"
    for name in persist poll; do
        [ -n "${running[$name]:-}" ] || continue
        until_true "$1: $name catches up with $newest" caught_up $name
        ldapsearch -x -LLL -o ldif-wrap=no -H "$(url $name)" -D "cn=replica,$suffix" -w replica -b $suffix "${content[@]}" >"$folder/$name.ldif"
        printf '  %s, %s: ' "$1" $name
        python3 tests/interop/same_ldif.py "$folder/provider.ldif" "$folder/$name.ldif" || fail "$1: $name holds something else"
    done
}
change() { ldapmodify -x -H "ldaps://localhost:$port" -D "$admin" -y "$folder/password" >"$folder/change.log"; }

serve
configure persist 001 refreshAndPersist
configure poll 002 "refreshOnly interval=00:00:00:01"
consumer persist
consumer poll
equal "first copy"

people=ou=people,$suffix
change <<LDIF
dn: uid=new1,$people
changetype: add
objectClass: inetOrgPerson
cn: Zoë New
sn: New
jpegPhoto:: /9gA/g==

dn: ou=moved,$suffix
changetype: add
objectClass: organizationalUnit

dn: uid=new2,ou=moved,$suffix
changetype: add
objectClass: inetOrgPerson
objectClass: posixAccount
cn: Comma, New
sn: New
uidNumber: 70002
gidNumber: 100
homeDirectory: /home/new2

dn: cn=followers,ou=roles,$suffix
changetype: add
objectClass: groupOfNames
member: uid=new1,$people
member: uid=new2,ou=moved,$suffix

dn: uid=new1,$people
changetype: modify
add: title
title: Follower
-
replace: cn
cn: Zoë Newer
cn: Z. Newer
LDIF
equal "adds and changes"

change <<LDIF
dn: uid=new1,$people
changetype: modrdn
newrdn: uid=renamed1
deleteoldrdn: 1

dn: uid=renamed1,$people
changetype: modrdn
newrdn: uid=renamed1
deleteoldrdn: 1
newsuperior: ou=moved,$suffix

dn: ou=moved,$suffix
changetype: modrdn
newrdn: ou=moved again
deleteoldrdn: 1
newsuperior: ou=roles,$suffix
LDIF
equal "renames, moves, a subtree with a member of a group below it"

change <<LDIF
dn: $people
changetype: modrdn
newrdn: ou=everybody
deleteoldrdn: 1
LDIF
equal "everybody's superior renamed"
change <<LDIF
dn: ou=everybody,$suffix
changetype: modrdn
newrdn: ou=people
deleteoldrdn: 1
LDIF
equal "and back"

change <<LDIF
dn: cn=followers,ou=roles,$suffix
changetype: modify
add: member
member: uid=nobody,$suffix
-
delete: member
member: uid=new2,ou=moved again,ou=roles,$suffix

dn: uid=renamed1,ou=moved again,ou=roles,$suffix
changetype: delete

dn: uid=new2,ou=moved again,ou=roles,$suffix
changetype: delete

dn: ou=moved again,ou=roles,$suffix
changetype: delete

dn: ou=moved again,ou=roles,$suffix
changetype: add
objectClass: organizationalUnit
description: another by the same name

dn: uid=another,$people
changetype: add
objectClass: inetOrgPerson
cn: Another
sn: New
LDIF
equal "group changes, deletes, a name taken again"

stop persist
stop poll
change <<LDIF
dn: uid=another,$people
changetype: modify
replace: title
title: changed while nobody followed

dn: uid=late,$people
changetype: add
objectClass: inetOrgPerson
cn: Late
sn: Late

dn: cn=followers,ou=roles,$suffix
changetype: delete
LDIF
consumer persist
consumer poll
equal "the consumers were away"

stop bindery
serve
change <<LDIF
dn: uid=late,$people
changetype: delete

dn: uid=another,$people
changetype: modify
replace: title
title: changed after a restart
LDIF
equal "the provider was away"

stop persist
stop poll
change <<LDIF
dn: uid=another,$people
changetype: delete

dn: uid=latest,$people
changetype: add
objectClass: inetOrgPerson
cn: Latest
sn: Latest
LDIF
stop bindery
serve
consumer persist
consumer poll
equal "both were away, and what was deleted meanwhile is no longer in memory"
