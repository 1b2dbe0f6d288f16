#!/usr/bin/env python3
"""Counts the instructions of one signature, case by case, with valgrind's callgrind.

Counts do not wobble with the machine's load. SHA-256's compression function is left out of them: callgrind has no
SHA-NI, so that its software form would hide all else. What making and dropping a request costs is left out as well.

    scripts/instructions.py                  prints the counts, and what the hand-tuned limit needs
    scripts/instructions.py --functions get  prints where the instructions of one case go
    scripts/instructions.py --cold           prints what a process needs for its first signature
    scripts/instructions.py --integrations   prints what the layer and the middleware add to one signature
    scripts/instructions.py --write          writes docs/instructions.json
    scripts/instructions.py --check          fails where a case needs 3 % more than docs/instructions.json has

`--check` is skipped, with a message, where valgrind is missing, and where the counts were taken with another rustc.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIGURES = ROOT / "docs" / "instructions.json"
CASES = ["get-token", "get", "post-1k", "post-64k", "many", "unsigned"]
SUBJECTS = ["sigv4-middleware", "limit"]
# Two runs that differ by this many signatures: what a process does once cancels out.
FEW, MANY = 64, 1088
TOLERANCE = 0.03
# Made up; for what reads its credentials from there.
ENVIRONMENT = dict(os.environ, AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="secret",
                   AWS_SESSION_TOKEN="IQoJb3JpZ2luX2VjEXAMPLE/" * 40, AWS_REGION="us-east-1")


def is_compression(function):
    return "sha2::sha256" in function and "compress" in function


def counts(binary, *arguments):
    """Instructions by function, their own alone."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "callgrind.out"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--compress-strings=no",
                   "--compress-pos=no", binary, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
        found, function, of_call = {}, None, False
        for line in out.read_text().splitlines():
            if line.startswith("fn="):
                function = line[3:]
            elif line.startswith("calls="):
                of_call = True
            elif re.match(r"[0-9+*-]", line) and function:
                # The line after `calls=` has what the callee needed.
                if not of_call:
                    found[function] = found.get(function, 0) + int(line.split()[-1])
                of_call = False
    return found


def signature(binary, case, subject):
    """What one signature adds, by function; without compression, and without what `nothing` needs."""
    total = {}
    for sign, name, signatures in [(1, subject, MANY), (-1, subject, FEW), (-1, "nothing", MANY), (1, "nothing", FEW)]:
        for function, count in counts(binary, "--fixed", case, str(signatures), name).items():
            total[function] = total.get(function, 0) + sign * count
    return {function: count / (MANY - FEW) for function, count in total.items() if not is_compression(function)}


def cold(binary):
    """Prints what the first signature of a process adds to one that makes none; without compression."""
    nothing = counts(binary, "--only", "nothing")
    for subject in ["ours", "aws-sigv4"]:
        found = counts(binary, "--only", subject)
        count = sum(found[name] - nothing.get(name, 0) for name in found if not is_compression(name))
        print(f"cold {subject:<12} {count:>10}")


def integrations(binary):
    """Prints what the layer adds to Signer::sign, and the middleware to that and to one that does nothing."""
    few, many, requests = 3, 8, 200
    found = {}
    for subject in ["layer", "sign", "service", "middleware", "no-op"]:
        found[subject] = sum(sign * count / (many - few) / requests
                             for sign, rounds in [(1, many), (-1, few)]
                             for name, count in counts(binary, "--only", subject, "--rounds", str(rounds)).items()
                             if not is_compression(name))
    print(f"layer      {found['layer'] - found['sign']:>8.0f}")
    print(f"middleware {found['middleware'] - found['no-op'] - found['sign'] + found['service']:>8.0f}")


def build(name):
    profile = ["--release", "--package", "sigv4-bench", "--bin", name]
    command = [os.environ.get("CARGO", "cargo"), "build", "--quiet", *profile]
    subprocess.run(command, cwd=ROOT, check=True)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / name


def rustc():
    return subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True).stdout.strip()


def table(figures):
    print(f"{'case':<12} {'this crate':>12} {'limit':>12} {'ratio':>8}")
    for case, of_case in figures.items():
        ours, limit = (of_case[subject] for subject in SUBJECTS)
        print(f"{case:<12} {ours:>12} {limit:>12} {ours / limit:>8.3f}")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--check", action="store_true")
    options.add_argument("--write", action="store_true")
    options.add_argument("--cold", action="store_true")
    options.add_argument("--integrations", action="store_true")
    options.add_argument("--functions", metavar="CASE")
    options.add_argument("--subject", default=SUBJECTS[0])
    options.add_argument("--binary", type=pathlib.Path, help="built already, instead of target/release/signing")
    options = options.parse_args()
    if shutil.which("valgrind") is None:
        if options.check:
            print("instructions: skipped, since valgrind is not installed (apt-get install valgrind)")
            return 0
        sys.exit("valgrind is not installed (apt-get install valgrind)")
    expected = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    if options.check and expected.get("rustc") != rustc():
        print(f"instructions: skipped, since the counts are of {expected.get('rustc')} and this is {rustc()}; "
              "take them anew with scripts/instructions.py --write")
        return 0
    if options.cold:
        cold(options.binary or build("cold"))
        return 0
    if options.integrations:
        integrations(options.binary or build("layer"))
        return 0
    binary = options.binary or build("signing")
    if options.functions:
        of_functions = signature(binary, options.functions, options.subject)
        for function, count in sorted(of_functions.items(), key=lambda one: -one[1]):
            if count >= 10:
                print(f"{count:8.0f}  {function}")
        print(f"{sum(of_functions.values()):8.0f}  all")
        return 0
    subjects = SUBJECTS[:1] if options.check else SUBJECTS
    figures = {case: {subject: round(sum(signature(binary, case, subject).values())) for subject in subjects}
               for case in CASES}
    if not options.check:
        table(figures)
        if options.write:
            FIGURES.write_text(json.dumps({"rustc": rustc(), "instructions": figures}, indent=2) + "\n")
        return 0
    worse = False
    for case, of_case in figures.items():
        now, before = of_case[SUBJECTS[0]], expected["instructions"][case][SUBJECTS[0]]
        change = now / before - 1
        note = "MORE" if change > TOLERANCE else "fewer, write them down" if change < -TOLERANCE else ""
        worse |= change > TOLERANCE
        print(f"instructions: {case:<12} {before:>8} -> {now:>8} {change:+7.1%} {note}")
    if worse:
        print("instructions: a signature needs more than before; if that is meant, scripts/instructions.py --write")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
