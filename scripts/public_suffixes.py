#!/usr/bin/env python3
"""Writes tests/it/vectors/hosts_public_suffixes.txt from Amazon's section of the public suffix list.

    python3 -m venv venv && venv/bin/pip install publicsuffixlist==1.1.2.20261023
    venv/bin/python scripts/public_suffixes.py            # write the file
    venv/bin/python scripts/public_suffixes.py --check    # fail if it is not what would be written

The list names the domains below which different customers have hosts. A test goes through Amazon's part of it, so
that requests to a customer's machine are not signed unless the user allows the host.
"""

import argparse
import importlib.metadata
import pathlib
import re
import sys

import publicsuffixlist

VERSION = "1.1.2.20261023"
FILE = pathlib.Path(__file__).resolve().parent.parent / "tests/it/vectors/hosts_public_suffixes.txt"


def amazon(lines):
    """The titles ("# …") and suffixes of Amazon's section, from its first line to the line that concludes it."""
    inside = False
    for line in lines:
        if line.startswith("// Amazon : "):
            inside = True
        elif line == "// concludes Amazon":
            return
        elif inside and line and not line.startswith("//"):
            yield line
        elif inside and (title := re.fullmatch(r"// ((?!Submi|Reference|Subsections).+)", line)):
            yield f"# {title.group(1)}"
    sys.exit("the public suffix list has no section of Amazon's, or no end of it")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the file, write nothing")
    check = parser.parse_args().check
    version = importlib.metadata.version("publicsuffixlist")
    if version != VERSION:
        sys.exit(f"publicsuffixlist {version} is installed, {VERSION} is required (VERSION in this script)")
    with open(publicsuffixlist.PSLFILE, encoding="utf-8") as source:
        lines = source.read().splitlines()
    out = [f"# Written by scripts/public_suffixes.py from publicsuffixlist {VERSION}: Amazon's section of the public",
           "# suffix list, https://publicsuffix.org/list/, which is under the Mozilla Public License, v. 2.0",
           "# (https://mozilla.org/MPL/2.0/). Titles and suffixes, without the other comments.",
           *amazon(lines)]
    text = "\n".join(out) + "\n"
    if not check:
        FILE.write_text(text, encoding="utf-8")
    elif not FILE.exists() or FILE.read_text(encoding="utf-8") != text:
        sys.exit(f"not what this script writes: {FILE.name}")


if __name__ == "__main__":
    main()
