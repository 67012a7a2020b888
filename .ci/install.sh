#!/usr/bin/env bash
# Installs what the checks need beside Rust on a Debian machine. What is there already is left alone; what cannot be had fails.
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin"

packages=()
want() { # command package
    command -v "$1" >/dev/null 2>&1 || packages+=("$2")
}
want cc gcc
want ldapsearch ldap-utils
want slapadd slapd
want javac default-jdk-headless
want openssl openssl
want jing jing
want mkfs.ext4 e2fsprogs
want losetup mount
/usr/bin/python3 -c 'import ldap' 2>/dev/null || packages+=(python3-ldap)
/usr/bin/python3 -c 'import cryptography' 2>/dev/null || packages+=(python3-cryptography)
/usr/bin/python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)

if [ ${#packages[@]} -gt 0 ]; then
    # Installing slapd must not start one: the checks start their own, on ports of their own.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi

for tool in cc ldapsearch ldapadd ldapmodify ldappasswd slapd slapadd slapacl javac java openssl jing; do
    command -v "$tool" >/dev/null 2>&1 || { echo "missing: $tool" >&2; exit 1; }
done
/usr/bin/python3 -c 'import ldap'
/usr/bin/python3 -c 'import cryptography'
cargo fmt --version >/dev/null
cargo clippy --version >/dev/null
