#!/usr/bin/env python3
"""Verifies what `bindery journal` hands out: exports with their proof, proofs of one record, bundles of evidence. Written from
schema/JOURNAL.md alone. Usage: verify_journal.py PUBLIC-KEY FILE; exit 0: as it was written, 1: altered, 2: missing, 3: the export has
records that its proof says nothing of, 4: cannot be verified. Needs python3-cryptography."""

import base64
import hashlib
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

RANGE, ONE = "bindery.journal/range-proof@v1", "c2sp.org/tlog-proof@v1"


class Wrong(Exception):
    def __init__(self, problem, code=1):
        super().__init__(problem)
        self.code = code


def sequence(line):
    try:
        return json.loads(line)["seq"]
    except (ValueError, KeyError, TypeError) as error:
        raise Wrong("this is no record") from error


def unbase64(text):
    return base64.b64decode(text, validate=True)


def digest(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


class Key:
    """A verifier key of c2sp.org/signed-note: NAME+ID+base64(1 || public key)."""

    def __init__(self, path):
        lines = [line.strip() for line in Path(path).read_text("utf-8").splitlines() if line.strip() and not line.startswith("#")]
        self.name, identity, key = lines[0].split("+", 2)
        key = unbase64(key)
        self.id = digest(self.name.encode(), b"\n", key)[:4]
        if len(lines) != 1 or key[0] != 1 or self.id.hex() != identity:
            raise Wrong("this is no public key of a journal", 4)
        self.key = Ed25519PublicKey.from_public_bytes(key[1:])

    def open(self, note):
        """The text of a note that this key signed."""
        text, separator, signatures = note.rpartition("\n\n")
        for line in signatures.split("\n")[:-1] if separator else []:
            mark, name, signature = line.split(" ", 2)
            octets = unbase64(signature)
            if mark == "\u2014" and name == self.name and octets[:4] == self.id:
                try:
                    self.key.verify(octets[4:], text.encode() + b"\n")
                    return text + "\n"
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
            value = digest(b"\1", sibling, value)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            value = digest(b"\1", value, sibling)
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
        return digest(b"\1", left, part(middle, high))

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
        raise Wrong("this is no proof of a range", 4)
    size, root = key.checkpoint(note)
    if range_root(first - 1, leaves(first, last), size, [unbase64(line) for line in hashes]) != root:
        raise Wrong(f"records {first} to {last} are not those that the checkpoint was signed for")
    return first, last


def verify_one(key, text):
    front, note = text.split("\n\n", 1)
    _, extra, index, *hashes = front.split("\n")
    line, index = unbase64(extra.removeprefix("extra ")).decode(), int(index.removeprefix("index "))
    size, root = key.checkpoint(note)
    if sequence(line) != index + 1 or included_root(index, size, digest(b"\0", line.encode()), [unbase64(each) for each in hashes]) != root:
        raise Wrong("the record is not in the journal")
    print(f"record {index + 1} is in the journal")


def verify_export(key, lines, proof):
    numbers = [sequence(line) for line in lines]
    start, end = numbers[0], numbers[0] + len(numbers) - 1
    misplaced = [(number, due) for due, number in enumerate(numbers, start) if number != due]
    for number, due in misplaced[:1]:
        raise Wrong(f"record {number} stands where {due} is due", 1 if any(it < place for it, place in misplaced) else 2)

    def leaves(first, last):
        if first < start or last > end:
            raise Wrong("records that the proof is for are missing", 2)
        return [digest(b"\0", line.encode()) for line in lines[first - start:last - start + 1]]

    first, last = check_range(key, proof, leaves)
    print(f"records {first} to {last} are as they were written")
    if start < first or last < end:
        raise Wrong(f"the proof says nothing of the others of {start} to {end}", 3)


def verify_evidence(key, note):
    text = key.open(note)
    body, proof = text.split("\n" + RANGE + "\n", 1)
    records = []
    for line in body.split("\n")[1:]:
        kind, _, rest = line.partition(" ")
        if kind == "record":
            records.append((sequence(rest), digest(b"\0", rest.encode())))
        elif kind == "leaf":
            records.append((None, unbase64(rest)))
        elif kind not in ("|", "rule", "timestamp"):
            raise Wrong(f"a line that begins with {kind}")

    def leaves(first, last):
        if len(records) != last - first + 1 or any(it[0] not in (None, first + place) for place, it in enumerate(records)):
            raise Wrong("a record does not stand in its place, or there are not as many as there were")
        return [value for _, value in records]

    first, last = check_range(key, RANGE + "\n" + proof, leaves)
    print(f"the bundle is as it was signed, records {first} to {last} are as they were written")


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 4
    try:
        key, path = Key(sys.argv[1]), sys.argv[2]
        text = Path(path).read_bytes().decode()
        if text.startswith("{"):
            verify_export(key, text.removesuffix("\n").split("\n"), Path(path + ".proof").read_bytes().decode())
        else:
            (verify_one if text.startswith(ONE + "\n") else verify_evidence)(key, text)
        return 0
    except Wrong as wrong:
        print(f"NOT as it was written: {wrong}" if wrong.code < 3 else f"NOT proven: {wrong}")
        return wrong.code
    except (OSError, ValueError, IndexError, KeyError, TypeError) as error:
        print(f"cannot be verified: {error}")
        return 4


if __name__ == "__main__":
    sys.exit(main())
