#!/usr/bin/env python3
"""Every crate that is linked in is under a licence that goes with Apache-2.0, and comes from the registry."""

import json
import re
import subprocess
import sys

ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT",
    "MIT-0", "MPL-2.0", "MPL-2.0+", "OpenSSL", "Unicode-3.0", "Unlicense", "Zlib",
}


def acceptable(expression):
    """Whether an SPDX expression can be satisfied with allowed licences: AND binds closer than OR, parentheses as usual."""
    tokens = re.findall(r"\(|\)|[^\s()/]+|/", expression)

    def either():
        value = both()
        while tokens and tokens[0] in ("OR", "/"):
            tokens.pop(0)
            value = both() or value
        return value

    def both():
        value = single()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            value = single() and value
        return value

    def single():
        token = tokens.pop(0)
        if token == "(":
            value = either()
            tokens.pop(0)
            return value
        if len(tokens) > 1 and tokens[0] == "WITH":
            token = "%s WITH %s" % (token, tokens[1])
            del tokens[:2]
        return token in ALLOWED

    return either()


def main():
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    wrong = []
    for package in metadata["packages"]:
        name = "%s %s" % (package["name"], package["version"])
        if not package["license"] or not acceptable(package["license"]):
            wrong.append("%s: licence %s" % (name, package["license"] or package["license_file"]))
        if package["source"] and not package["source"].startswith("registry+"):
            wrong.append("%s: comes from %s" % (name, package["source"]))
    print("%d packages looked at" % len(metadata["packages"]))
    sys.exit("\n".join(wrong) or 0)


main()
