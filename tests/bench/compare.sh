#!/bin/bash
# Runs Debian's slapd and Bindery in turn on the same people and the same requests, and prints medians and ratios.
#
#   tests/bench/compare.sh [PEOPLE] [--smoke] [--only slapd|bindery] [--rounds N] [--seconds S] [--built DIR] [--keep]
#
# PEOPLE is 100000 unless given. --smoke takes 2000 people and one short round: it shows that everything runs, not how fast.
# The build is not part of the measured time; BENCH_PROFILE=dev takes the debug build, --built DIR programs that are there (DIR/bindery,
# DIR/examples/load). BENCH_DIR is where the data of both servers lies (default: target/bench, so that it is a real disk): durable
# writes are measured there. Members come and go in groups of 10,000 and 100,000 (as many as there are people), and ou=people is renamed with
# everybody below it. Binds are no race: slapd checks {SSHA}, Bindery runs Argon2id and journals every one of them.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
people=100000 rounds=5 seconds=2.5 warm_up=0.3 keep=false built="" servers="slapd bindery"
while [ $# -gt 0 ]; do
    case $1 in
        --smoke) people=2000 rounds=1 seconds=0.5 warm_up=0.2 ;;
        --only) servers=$2; shift ;;
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
declare -A pid address
# What `load` calls them.
declare -A names=([comparemember]=compare-member [joinsmall]=join-small [joinlarge]=join-large [readgroup]=read-group)

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
    for _ in $(seq 100); do
        if (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; then return; fi
        kill -0 "$3" 2>/dev/null || break
        sleep 0.1
    done
    echo "compare.sh: nothing listens on $1:$2" >&2
    exit 1
}

timed() { # SERVER COMMAND…: notes how long the import took
    local server=$1 start end
    shift
    start=$(date +%s.%N)
    "$@"
    end=$(date +%s.%N)
    awk -v server="$server" -v start="$start" -v end="$end" \
        'BEGIN { printf "server=%s workload=import seconds=%.2f\n", server, end - start }' >>"$results"
}

start_slapd() {
    install_slapd
    mkdir "$work/slapd"
    cat >"$work/slapd/slapd.conf" <<CONF
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile $work/slapd/pid
argsfile $work/slapd/args
threads 4
# Without this line slapd hands several messages an operation to syslog.
loglevel 0
database mdb
maxsize 8589934592
suffix "$suffix"
rootdn "$admin"
rootpw "$(cat "$work/password")"
directory $work/slapd
index objectClass eq
index uid eq
index cn,sn,mail eq,sub
# Without this line a member is looked for among all of a group.
sortvals member
CONF
    timed slapd /usr/sbin/slapadd -q -f "$work/slapd/slapd.conf" -l "$work/people.ldif"
    /usr/sbin/slapadd -q -f "$work/slapd/slapd.conf" -l "$work/groups.ldif"
    local port
    port=$("$load" free-port)
    /usr/sbin/slapd -f "$work/slapd/slapd.conf" -h "ldap://127.0.0.1:$port" -d 0 2>"$work/slapd.log" &
    pid[slapd]=$!
    address[slapd]=127.0.0.1:$port
    wait_for 127.0.0.1 "$port" "${pid[slapd]}"
}

start_bindery() {
    "$bindery" init "$work/bindery" --suffix "$suffix" --admin-password-file "$work/password" --ldap 127.0.0.1:0 --ldaps 127.0.0.1:0 \
        --waive clear-text --waiver-reason "benchmark on loopback" >"$work/bindery.init" 2>&1 || {
        cat "$work/bindery.init" >&2
        exit 1
    }
    timed bindery "$bindery" import --config "$work/bindery/bindery.toml" "$work/people-only.ldif" >"$work/bindery.import" 2>&1 || {
        tail -20 "$work/bindery.import" >&2
        exit 1
    }
    "$bindery" import --config "$work/bindery/bindery.toml" "$work/groups.ldif" >"$work/bindery.import" 2>&1 || {
        tail -20 "$work/bindery.import" >&2
        exit 1
    }
    "$bindery" serve --config "$work/bindery/bindery.toml" >"$work/bindery.ready" 2>"$work/bindery.log" &
    pid[bindery]=$!
    for _ in $(seq 600); do
        address[bindery]=$(sed -n 's#^ready.* ldap://\([^ ]*\).*#\1#p' "$work/bindery.ready" | head -1)
        [ -n "${address[bindery]}" ] && return
        kill -0 "${pid[bindery]}" 2>/dev/null || break
        sleep 0.1
    done
    echo "compare.sh: bindery did not start" >&2
    tail -20 "$work/bindery.log" >&2
    exit 1
}

drive() { # SERVER WORKLOAD CONNECTIONS SEED SECONDS WARM-UP
    "$load" run --server "$1" --address "${address[$1]}" --pid "${pid[$1]}" --people "$people" --password-file "$work/password" \
        --workload "$2" --connections "$3" --seed "$4" --seconds "$5" --warm-up "$6"
}

printf 'bench admin pass phrase' >"$work/password"
"$load" people "$people" >"$work/people.ldif"
"$load" people "$people" --without-suffix >"$work/people-only.ldif"
"$load" groups "$people" >"$work/groups.ldif"
echo "$people people, $(($(stat -c %s "$work/people.ldif") / people)) octets of LDIF each; data on $(stat -f -c %T "$work"), $(nproc) cores"
: >"$results"
for server in $servers; do "start_$server"; done

seed=1
# Workloads and how many connections they take. Those on groups come behind the others: the durable ones grow both logs. Renaming comes
# last: while everybody has another name nothing else would be found.
for workload in search:8 search:64 modify:8 modify:64 bind:8 bind:64 substring:8 comparemember:8 joinsmall:8 joinlarge:8 joinlarge:64 \
    readgroup:1 rename:1; do
    IFS=: read -r workload connections <<<"$workload"
    for _ in $(seq "$rounds"); do
        for server in $servers; do
            drive "$server" "${names[$workload]:-$workload}" "$connections" "$seed" "$seconds" "$warm_up" >>"$results"
        done
        seed=$((seed + 1))
    done
done
"$load" report "$results"
