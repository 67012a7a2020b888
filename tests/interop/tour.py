#!/usr/bin/python3
"""Runs every command of the README's tours in one shell and holds what they print against what the README shows.

Usage: tour.py README [--print], in the folder where bindery-demo is, with bindery in PATH. --print prints instead of comparing.

Of what differs from run to run (moments, identifiers, hashes, sequences, ports) the shape is compared; names lose the suffix of the sample, as in the
README; runs of spaces count as one. A line with nothing but … stands for any lines. DEMO_LDAP and DEMO_LDAPS are ports to take in the place of 3389 and 3636.
"""

import os
import re
import subprocess
import sys

SUFFIX = ",dc=mercy,dc=example"
END = "--- end of what was printed ---"
SHAPES = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "MOMENT"),
    (r"\b\d{14}(\.\d+)?Z\b", "MOMENT"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
    (r"\b[0-9a-f]{16}([0-9a-f]{48})?\b", "HASH"),
    (r"(127\.\d+\.\d+\.\d+):\d+", r"\1:PORT"),
    (r"\buid=\d+(?=\b(?!,))", "uid=USER"),
    (r"\b\d{3,}\b", "NUMBER"),
    (r'"(session|message)":\d+', r'"\1":NUMBER'),
]


def commands(readme):
    """Command and what the README shows of it, in order."""
    found = []
    for section in re.split(r"^## ", readme, flags=re.M):
        if not section.startswith("A tour"):
            continue
        for block in re.findall(r"^```console\n(.*?)^```", section, flags=re.M | re.S):
            for line in block.splitlines():
                if line.startswith("$ "):
                    found.append([line[2:], []])
                elif found and found[-1][0].endswith(("\\", "|")):
                    found[-1][0] += "\n" + line
                elif found:
                    found[-1][1].append(line)
    return found


def run(shell, command):
    """What one command prints."""
    for standard, name in ((":3389", "DEMO_LDAP"), (":3636", "DEMO_LDAPS")):
        command = command.replace(standard, ":" + os.environ.get(name, standard[1:]))
    shell.stdin.write(f"{command}\necho; echo '{END}'\n")
    shell.stdin.flush()
    lines = []
    for line in shell.stdout:
        if line.rstrip("\n") == END:
            break
        lines.append(line.rstrip("\n"))
    # The empty line in front of the end is ours, unless the last line had no end of its own.
    return lines[:-1] if lines and not lines[-1] else lines


def shape(line):
    line = line.replace(SUFFIX, "")
    for pattern, word in SHAPES:
        line = re.sub(pattern, word, line)
    return re.sub(r"\s+", " ", line).strip()


def shapes(lines):
    """A record that the README breaks over lines is one."""
    kept = []
    for line in lines:
        if kept and kept[-1].startswith("{") and not kept[-1].endswith("}") and line.startswith(" "):
            kept[-1] += line.strip()
        else:
            kept.append(line)
    return [shape(line) for line in kept if line.strip()]


def matches(shown, printed):
    if not shown:
        return not printed
    if shown[0] == "…":
        return any(matches(shown[1:], printed[skipped:]) for skipped in range(len(printed) + 1))
    return bool(printed) and shown[0] == printed[0] and matches(shown[1:], printed[1:])


def aligned(lines):
    """The columns of a table, as narrow as they can be without the suffix."""
    rows = [re.split(r" {2,}", line.replace(SUFFIX, "").rstrip()) for line in lines]
    widths = {}
    for row in rows:
        for place, cell in enumerate(row[:-1]):
            widths[place] = max(widths.get(place, 0), len(cell))
    return ["  ".join(cell.ljust(widths.get(place, 0)) if place + 1 < len(row) else cell for place, cell in enumerate(row)) for row in rows]


def main():
    tour = commands(open(sys.argv[1], encoding="utf-8").read())
    only_print = "--print" in sys.argv[2:]
    if len(tour) < 20:
        sys.exit(f"only {len(tour)} commands found in the tours: are their headings others now?")
    shell = subprocess.Popen(
        ["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    )
    wrong = 0
    for command, shown in tour:
        printed = run(shell, command)
        if only_print:
            print(f"$ {command}", *aligned(printed), sep="\n")
            continue
        if matches(shapes(shown), shapes(printed)):
            print(f"  ok: {command.splitlines()[0][:110]}")
            continue
        wrong += 1
        print(f"FAILED: {command}", "  the README shows:", *shapes(shown), "  printed is:", *shapes(printed), sep="\n", file=sys.stderr)
    shell.stdin.close()
    shell.wait()
    if wrong:
        sys.exit(f"{wrong} of {len(tour)} commands of the README's tours print something else (tour.py README --print shows all)")
    if not only_print:
        print(f"README's tours: {len(tour)} commands print what it shows")


main()
