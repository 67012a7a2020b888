#!/usr/bin/env python3
"""Compares two LDIF files entry by entry, whatever the order of entries, attributes and values.

same_ldif.py FIRST SECOND [--second-only-ignored DN]... : exits 1 and shows differences where there are any.
"""
import base64
import sys


def read(path):
    entries, lines = {}, []
    with open(path, "rb") as file:
        for raw in file.read().split(b"\n") + [b""]:
            if raw.startswith(b" ") and lines:
                lines[-1] += raw[1:]
            elif raw.startswith(b"#"):
                continue
            elif raw:
                lines.append(raw)
            elif lines:
                pairs = [decoded(line) for line in lines]
                if pairs[0][0] == b"dn":
                    entries[pairs[0][1]] = sorted(pairs[1:])
                lines = []
    return entries


def decoded(line):
    name, _, value = line.partition(b":")
    return (name, base64.b64decode(value[1:]) if value.startswith(b":") else value.lstrip(b" "))


def main(arguments):
    first, second = read(arguments[0]), read(arguments[1])
    for flag, dn in zip(arguments[2::2], arguments[3::2]):
        assert flag == "--second-only-ignored", flag
        second.pop(dn.encode(), None)
    different = 0
    for dn in sorted(first.keys() | second.keys()):
        if first.get(dn) != second.get(dn):
            different += 1
            if different <= 10:
                print(dn.decode(), file=sys.stderr)
                for sign, mine, other in ((b"-", first, second), (b"+", second, first)):
                    for pair in mine.get(dn, [(b"no such entry", b"")]):
                        if pair not in other.get(dn, []):
                            print((sign + b" " + b": ".join(pair))[:200].decode(errors="replace"), file=sys.stderr)
    print(f"{len(first)} entries, {different} differ")
    sys.exit(1 if different or not first else 0)


main(sys.argv[1:])
