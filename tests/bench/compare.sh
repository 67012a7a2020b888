#!/bin/bash
# Runs Debian's slapd, the same slapd with an audit trail, and Bindery in turn on the same people and the same requests, and prints a table
# of medians, ratios and goals in Markdown.
#
#   tests/bench/compare.sh [PEOPLE] [--smoke] [--all] [--servers "slapd audited bindery"] [--rows "search:tcp:8 …"] [--rounds N]
#                          [--seconds S] [--built DIR] [--keep]
#
# PEOPLE is 100000 unless given; the whole takes some twelve minutes then. --smoke takes 2000 people and one short round: it shows that
# everything runs, not how fast. --rows takes some rows only (WORKLOAD:tcp|tls:CONNECTIONS), --all adds those without a goal. The build is
# not part of the measured time; BENCH_PROFILE=dev takes the debug build, --built DIR programs that are there (DIR/bindery,
# DIR/examples/load). BENCH_DIR is where the data of all servers lies (default: target/bench, so that it is a real disk): durable writes
# are measured there.
#
# What is compared with what:
# - Reads, and binds without a trail, with plain slapd at its best on two cores: mdb, `threads 4`, no logging.
# - Binds and writes with "audited" slapd, which does what Bindery does for each of them: password policy, memberOf kept up, and a durable
#   record of every bind and write (slapo-accesslog into a database of its own, synced like the first one: no dbnosync anywhere).
#   Unbinds are not recorded, as Bindery records none; lockout is off, so that every wrong password is looked at.
# - All have the same indexes. slapd has {SSHA} passwords; the last tenth of the people have {ARGON2} of the same cost for all.
#   Bindery stores Argon2id anew at the first right bind of the others.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
people=100000 rounds=5 seconds=2 warm_up=0.3 keep=false all=false built="" servers="slapd audited bindery" rows=""
while [ $# -gt 0 ]; do
    case $1 in
        --smoke) people=2000 rounds=1 seconds=0.3 warm_up=0.1 ;;
        --all) all=true ;;
        --servers) servers=$2; shift ;;
        --rows) rows=$2; shift ;;
        --rounds) rounds=$2; shift ;;
        --seconds) seconds=$2; shift ;;
        --built) built=$2; shift ;;
        --keep) keep=true ;;
        [0-9]*) people=$1 ;;
        *) echo "compare.sh: unknown argument $1" >&2; exit 2 ;;
    esac
    shift
done

if [ -z "$built" ]; then
    profile=${BENCH_PROFILE:-release}
    (cd "$root" && cargo build -q --profile "$profile" --bin bindery --example load)
    built=${CARGO_TARGET_DIR:-$root/target}/$([ "$profile" = dev ] && echo debug || echo "$profile")
fi
load=$built/examples/load bindery=$built/bindery

suffix=dc=bench,dc=example admin=cn=admin,$suffix
mkdir -p "${BENCH_DIR:-$root/target/bench}"
work=$(mktemp -d "${BENCH_DIR:-$root/target/bench}/XXXXXX")
results=$work/results
declare -A pid tcp tls
# What `load` calls them.
declare -A names=([and]=and [membersearch]=member-search [comparemember]=compare-member [substringdigits]=substring-digits [scanpaged]=scan-paged [adddelete]=add-delete
    [joinsmall]=join-small [joinlarge]=join-large [readgroup]=read-group [bindwrong]=bind-wrong [bindcold]=bind-cold)

# Stops only what this script started.
finish() {
    for server in "${!pid[@]}"; do
        kill "${pid[$server]}" 2>/dev/null && wait "${pid[$server]}" 2>/dev/null || true
    done
    $keep || rm -rf "$work"
}
trap finish EXIT

install_slapd() {
    command -v slapd >/dev/null || [ -x /usr/sbin/slapd ] && return
    # The package starts a server of its own unless a policy says no.
    local policy=/usr/sbin/policy-rc.d made=false
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && made=true
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq slapd >/dev/null
    if $made; then rm -f $policy; fi
}

wait_for() { # HOST PORT PID
    for _ in $(seq 1200); do
        if (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; then return; fi
        kill -0 "$3" 2>/dev/null || break
        sleep 0.05
    done
    echo "compare.sh: nothing listens on $1:$2" >&2
    exit 1
}

note() { # SERVER WORKLOAD VALUE
    echo "server=$1 workload=$2 value=$3" >>"$results"
}

since() { # START
    awk -v start="$1" -v end="$(date +%s.%N)" 'BEGIN { printf "%.3f", end - start }'
}

timed() { # SERVER COMMAND…: notes how long the import took
    local server=$1 start
    shift
    start=$(date +%s.%N)
    "$@"
    note "$server" import "$(since "$start")"
}

resident() { # SERVER: octets of the process as it is
    awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/${pid[$1]}/status"
}

# A person, in thousands of octets; OCTETS are what the process takes without them.
note_memory() { # SERVER [OCTETS]
    note "$1" memory "$(awk -v all="$(resident "$1")" -v none="${2:-0}" -v people="$people" \
        'BEGIN { printf "%.3f", (all - none) / 1000 / people }')"
}

database() { # FOLDER SUFFIX ROOT-DN
    mkdir -p "$1"
    cat <<CONF
database mdb
maxsize 17179869184
suffix "$2"
rootdn "$3"
directory $1
CONF
}

slapd_configuration() { # SERVER
    local server=$1
    cat <<CONF
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload argon2
moduleload ppolicy
moduleload memberof
moduleload accesslog
pidfile $work/$server/pid
argsfile $work/$server/args
TLSCertificateFile $work/bindery/tls/server.pem
TLSCertificateKeyFile $work/bindery/tls/server.key
TLSVerifyClient never
threads 4
# Without this line slapd hands several messages an operation to syslog.
loglevel 0
CONF
    if [ "$server" = audited ]; then
        database "$work/$server/log" cn=accesslog cn=accesslog
        echo "index reqStart eq"
    fi
    database "$work/$server/data" "$suffix" "$admin"
    cat <<CONF
rootpw "$(cat "$work/password")"
index objectClass,entryCSN,entryUUID,departmentNumber,member eq
index uid,cn,sn,givenName,displayName,mail,employeeNumber eq,sub
# Without this line a member is looked for among all of a group.
sortvals member
CONF
    if [ "$server" = audited ]; then
        cat <<CONF
overlay accesslog
logdb cn=accesslog
logops writes bind
logsuccess FALSE
overlay ppolicy
ppolicy_default "cn=default,ou=policies,$suffix"
overlay memberof
CONF
    fi
}

policies() {
    cat <<LDIF
dn: ou=policies,$suffix
objectClass: organizationalUnit
ou: policies

dn: cn=default,ou=policies,$suffix
objectClass: device
objectClass: pwdPolicy
cn: default
pwdAttribute: userPassword
pwdMinLength: 12
pwdMaxAge: 0
pwdInHistory: 5
pwdLockout: FALSE
pwdMaxFailure: 0
LDIF
}

start_slapd_as() { # SERVER PEOPLE-LDIF
    local server=$1 port secure start
    install_slapd
    mkdir "$work/$server"
    slapd_configuration "$server" >"$work/$server/slapd.conf"
    timed "$server" /usr/sbin/slapadd -q -f "$work/$server/slapd.conf" -b "$suffix" -l "$2"
    /usr/sbin/slapadd -q -f "$work/$server/slapd.conf" -b "$suffix" -l "$work/groups.ldif"
    policies | /usr/sbin/slapadd -q -f "$work/$server/slapd.conf" -b "$suffix"
    port=$("$load" free-port) secure=$("$load" free-port)
    start=$(date +%s.%N)
    /usr/sbin/slapd -f "$work/$server/slapd.conf" -h "ldap://127.0.0.1:$port ldaps://127.0.0.1:$secure" -d 0 2>"$work/$server.log" &
    pid[$server]=$!
    tcp[$server]=127.0.0.1:$port tls[$server]=127.0.0.1:$secure
    wait_for 127.0.0.1 "$port" "${pid[$server]}"
    note "$server" start "$(since "$start")"
    note_memory "$server"
}

start_slapd() {
    start_slapd_as slapd "$work/people.ldif"
}

start_audited() {
    "$load" people "$people" --member-of >"$work/people-in-groups.ldif"
    start_slapd_as audited "$work/people-in-groups.ldif"
    rm "$work/people-in-groups.ldif"
}

# Makes the installation whose certificate all servers use.
init_bindery() {
    "$bindery" init "$work/bindery" --suffix "$suffix" --admin-password-file "$work/password" --ldap 127.0.0.1:0 --ldaps 127.0.0.1:0 \
        --waive clear-text --waive second-factor --waiver-reason "benchmark on loopback" >"$work/bindery.init" 2>&1 || {
        cat "$work/bindery.init" >&2
        exit 1
    }
    sed -i -e 's/^\[indexes\]$/[indexes]\ndepartmentNumber = ["eq"]/' -e 's/^\[limits\]$/[limits]\nconnections-per-person = 5000/' \
        "$work/bindery/bindery.toml"
    # All clients come from one address, and some send nothing but wrong passwords: what is measured is not how they are held back.
    cat >>"$work/bindery/bindery.toml" <<CONF

[limits.networks."127.0.0.0/8"]
connections-per-address = 5000
unauthenticated-per-address = 5000
handshakes-per-second = 1000000
failed-binds-per-second = 1000000
CONF
    # All clients are at one address here, and slapd has no such limits.
    sed -i 's/^\[limits\]$/[limits]\nhandshakes-per-second = 1000000\nfailed-binds-per-second = 1000000/' "$work/bindery/bindery.toml"
}

import_bindery() { # FILE
    "$bindery" import --config "$work/bindery/bindery.toml" "$1" >"$work/bindery.import" 2>&1 || {
        tail -20 "$work/bindery.import" >&2
        exit 1
    }
}

start_bindery() {
    local start empty
    serve_bindery
    empty=$(resident bindery)
    kill "${pid[bindery]}" && wait "${pid[bindery]}" || true
    timed bindery import_bindery "$work/people-only.ldif"
    import_bindery "$work/groups.ldif"
    start=$(date +%s.%N)
    serve_bindery
    note bindery start "$(since "$start")"
    note_memory bindery "$empty"
}

serve_bindery() {
    : >"$work/bindery.ready"
    "$bindery" serve --config "$work/bindery/bindery.toml" >"$work/bindery.ready" 2>"$work/bindery.log" &
    pid[bindery]=$!
    for _ in $(seq 6000); do
        tcp[bindery]=$(sed -n 's#^ready.* ldap://\([^ ]*\).*#\1#p' "$work/bindery.ready")
        tls[bindery]=$(sed -n 's#^ready.* ldaps://\([^ ]*\).*#\1#p' "$work/bindery.ready")
        if [ -n "${tcp[bindery]}" ]; then return; fi
        kill -0 "${pid[bindery]}" 2>/dev/null || break
        sleep 0.05
    done
    echo "compare.sh: bindery did not start" >&2
    tail -20 "$work/bindery.log" >&2
    exit 1
}

drive() { # SERVER WORKLOAD TRANSPORT CONNECTIONS STORM PACE
    local address=${tcp[$1]} ca=()
    if [ "$3" = tls ]; then address=${tls[$1]} ca=(--ca "$work/bindery/tls/server.pem"); fi
    "$load" run --server "$1" --address "$address" --pid "${pid[$1]}" --people "$people" --password-file "$work/password" \
        --workload "${names[$2]:-$2}" --connections "$4" --storm "$5" --pace "$6" --seed "$seed" --first "$first" --seconds "$seconds" \
        --warm-up "$warm_up" "${ca[@]}" >>"$results"
}

printf 'bench admin pass phrase' >"$work/password"
"$load" people "$people" >"$work/people.ldif"
"$load" people "$people" --without-suffix >"$work/people-only.ldif"
"$load" groups "$people" >"$work/groups.ldif"
octets=$(($(stat -c %s "$work/people.ldif") / people))
: >"$results"
init_bindery
for server in $servers; do "start_$server"; done
rm "$work"/*.ldif

reads="slapd bindery" changes="slapd audited bindery"
# Workload, transport, connections, connections that send wrong passwords meanwhile, operations a second (0: as many as there can be),
# servers. How long searches take beside wrong passwords is measured at a pace that leaves room: where searches alone take all processors,
# whatever comes to them shows. Durable ones come behind the others: they make data and logs grow. Renaming comes last: while everybody has another name nothing else would be found.
plan="search:tcp:8:0:0:$reads
search:tcp:64:0:0:$reads
search:tls:8:0:0:$reads
search:tls:64:0:0:$reads
and:tcp:8:0:0:$reads
membersearch:tcp:8:0:0:$reads
compare:tcp:8:0:0:$reads
substring:tcp:8:0:0:$reads
substringdigits:tcp:8:0:0:$reads
scan:tcp:8:0:0:$reads
scanpaged:tcp:8:0:0:$reads
modify:tcp:8:0:0:$changes
modify:tcp:64:0:0:$changes
adddelete:tcp:64:0:0:$changes
joinsmall:tcp:8:0:0:$changes
bind:tcp:64:0:0:$changes
login:tls:64:0:0:$changes
bindcold:tcp:64:0:0:$reads
bindwrong:tcp:64:0:0:$changes
search:tcp:8:0:2000:bindery
search:tcp:8:64:2000:bindery"
further="comparemember:tcp:8:0:0:$reads
joinlarge:tcp:64:0:0:$changes
readgroup:tcp:1:0:0:$reads
rename:tcp:1:0:0:$reads"
if $all || [ -n "$rows" ]; then plan="$plan
$further"; fi

seed=1 first=0
while IFS=: read -r workload transport connections storm pace which; do
    if [ -n "$rows" ] && [[ " $rows " != *" $workload:$transport:$connections"[\ :]* ]]; then continue; fi
    for _ in $(seq "$rounds"); do
        for server in $servers; do
            if [[ " $which " = *" $server "* ]]; then drive "$server" "$workload" "$transport" "$connections" "$storm" "$pace"; fi
        done
        if [ "$workload" = bindcold ]; then first=$((first + 16 * connections)); fi
        seed=$((seed + 1))
    done
done <<<"$plan"
for _ in $(seq "$rounds"); do "$load" argon2 "$seconds" >>"$results"; done

memory=$(awk '/^MemTotal:/ { printf "%.0f GB", $2 / 1e6 }' /proc/meminfo)
echo "$people people of $octets octets of LDIF, $rounds interleaved rounds of $seconds s, $(nproc) cores shared with the client, $memory, data on \
$(stat -f -c %T "$work"), Linux $(uname -r), slapd $(dpkg-query -W -f '${Version}' slapd 2>/dev/null || echo "not measured")"
echo
"$load" report "$results" --people "$people"
