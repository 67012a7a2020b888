#!/usr/bin/env python3
"""Verifies what `bindery journal` hands out: exports with their proof, proofs of one record, bundles of evidence. Written from
schema/JOURNAL.md alone. Usage: verify_journal.py PUBLIC-KEY FILE; exit 0: as it was written, 1: not. Needs python3-cryptography."""

import base64
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

RANGE = "bindery.journal/range-proof@v1"
ONE = "c2sp.org/tlog-proof@v1"


class Wrong(Exception):
    pass


def sequence(line):
    return json.loads(line)["seq"]


def unbase64(text):
    return base64.b64decode(text, validate=True)


def leaf(line):
    return hashlib.sha256(b"\0" + line.encode()).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Key:
    """A verifier key of c2sp.org/signed-note: NAME+ID+base64(1 || public key)."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
        self.name, identity, key = lines[0].split("+", 2)
        key = unbase64(key)
        self.id = hashlib.sha256(self.name.encode() + b"\n" + key).digest()[:4]
        if len(lines) != 1 or key[0] != 1 or self.id.hex() != identity:
            raise Wrong("this is no public key of a journal")
        self.key = Ed25519PublicKey.from_public_bytes(key[1:])

    def open(self, note):
        """The text of a note that this key signed."""
        text, separator, signatures = note.rpartition("\n\n")
        text += "\n"
        for line in signatures.split("\n")[:-1] if separator else []:
            mark, name, signature = line.split(" ", 2)
            octets = unbase64(signature)
            if mark == "\u2014" and name == self.name and octets[:4] == self.id:
                try:
                    self.key.verify(octets[4:], text.encode())
                    return text
                except InvalidSignature as error:
                    raise Wrong("the signature does not fit") from error
        raise Wrong("not signed with this key")

    def checkpoint(self, note):
        """Size and root of a checkpoint (c2sp.org/tlog-checkpoint) that this key signed for its own journal."""
        origin, size, root = self.open(note).split("\n")[:3]
        if origin != self.name or str(int(size)) != size:
            raise Wrong("a checkpoint of another journal")
        return int(size), unbase64(root)


def included_root(index, size, value, proof):
    """RFC 9162 section 2.1.3.2."""
    if not 0 <= index < size:
        raise Wrong("not in the tree")
    first, last = index, size - 1
    for sibling in proof:
        if last == 0:
            raise Wrong("the proof is too long")
        if first & 1 or first == last:
            value = node(sibling, value)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            value = node(value, sibling)
        first, last = first >> 1, last >> 1
    if last:
        raise Wrong("the proof is too short")
    return value


def range_root(start, leaves, size, proof):
    """The tree of RFC 9162 section 2.1.1, where what is beside the range comes from the proof, from left to right."""
    proof, end = list(proof), start + len(leaves)
    if not 0 <= start < end <= size:
        raise Wrong("the range is not in the tree")

    def part(low, high):
        if high <= start or low >= end:
            if not proof:
                raise Wrong("the proof is too short")
            return proof.pop(0)
        if high - low == 1:
            return leaves[low - start]
        middle = low + (1 << ((high - low - 1).bit_length() - 1))
        left = part(low, middle)
        return node(left, part(middle, high))

    root = part(0, size)
    if proof:
        raise Wrong("the proof is too long")
    return root


def check_range(key, text, leaves):
    """A range proof: first and last sequence; `leaves` gives those of them."""
    front, note = text.split("\n\n", 1)
    title, numbers, *hashes = front.split("\n")
    first, last = (int(number) for number in numbers.removeprefix("range ").split(" "))
    if title != RANGE:
        raise Wrong("this is no proof of a range")
    size, root = key.checkpoint(note)
    if range_root(first - 1, leaves(first, last), size, [unbase64(line) for line in hashes]) != root:
        raise Wrong(f"records {first} to {last} are not those that the checkpoint was signed for")
    return first, last


def verify_one(key, text):
    front, note = text.split("\n\n", 1)
    _, extra, index, *hashes = front.split("\n")
    line, index = unbase64(extra.removeprefix("extra ")).decode(), int(index.removeprefix("index "))
    size, root = key.checkpoint(note)
    if sequence(line) != index + 1 or included_root(index, size, leaf(line), [unbase64(each) for each in hashes]) != root:
        raise Wrong("the record is not in the journal")
    return f"record {index + 1} is in the journal"


def verify_export(key, path, proof):
    with open(path, encoding="utf-8", newline="\n") as file:
        lines = [line.rstrip("\n") for line in file]
    start = sequence(lines[0])
    for place, line in enumerate(lines):
        if sequence(line) != start + place:
            raise Wrong(f"record {sequence(line)} stands where {start + place} is due")

    def leaves(first, last):
        if first < start or last >= start + len(lines):
            raise Wrong("records that the proof is for are missing")
        return [leaf(line) for line in lines[first - start:last - start + 1]]

    first, last = check_range(key, proof, leaves)
    return f"records {first} to {last} are as they were written"


def verify_evidence(key, note):
    text = key.open(note)
    body, proof = text.split("\n" + RANGE + "\n", 1)
    records = []
    for line in body.split("\n")[1:]:
        kind, _, rest = line.partition(" ")
        if kind == "record":
            records.append((sequence(rest), leaf(rest)))
        elif kind == "leaf":
            records.append((None, unbase64(rest)))
        elif kind not in ("|", "rule", "timestamp"):
            raise Wrong(f"a line that begins with {kind}")

    def leaves(first, last):
        if len(records) != last - first + 1:
            raise Wrong("records are missing")
        if any(number not in (None, first + place) for place, (number, _) in enumerate(records)):
            raise Wrong("a record does not stand in its place")
        return [value for _, value in records]

    first, last = check_range(key, RANGE + "\n" + proof, leaves)
    return f"the bundle is as it was signed, records {first} to {last} are as they were written"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        key, path = Key(sys.argv[1]), sys.argv[2]
        with open(path, encoding="utf-8", newline="\n") as file:
            if file.read(1) == "{":
                with open(path + ".proof", encoding="utf-8", newline="\n") as proof:
                    print(verify_export(key, path, proof.read()))
                return 0
            file.seek(0)
            text = file.read()
        print((verify_one if text.startswith(ONE + "\n") else verify_evidence)(key, text))
        return 0
    except (Wrong, ValueError, IndexError, KeyError, TypeError) as error:
        print(f"NOT as it was written: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
