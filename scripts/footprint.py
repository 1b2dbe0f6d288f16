#!/usr/bin/env python3
"""What this crate adds to a program: bytes of its binary, and what its first build costs.

Three clients of reqwest and reqwest-middleware without TLS, in bench/footprint: one that signs nothing, one that signs by
aws-sigv4 and a middleware of its own, one that signs by this crate with its default features. Each is a package of its own,
with the versions of this workspace's Cargo.lock, built under target/footprint.

    scripts/footprint.py           bytes of the stripped release binaries, and what the larger ones are made of
    scripts/footprint.py --cold    a first development build: processor seconds of rustc, crate by crate
    scripts/footprint.py --write   writes docs/footprint.json
    scripts/footprint.py --check   fails where the binary has grown by 3 % of its growth more than docs/footprint.json has

Processor seconds depend on the machine and its load, and are for comparing within one run. `--check` is skipped, with a
message, where the bytes were counted with another rustc or for another target.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIGURES = ROOT / "docs" / "footprint.json"
SOURCES = ROOT / "bench" / "footprint"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "footprint"
TOLERANCE = 0.03

CLIENT = {
    "reqwest": '{ version = "0.13", default-features = false }',
    "reqwest-middleware": '{ version = "0.5", default-features = false }',
    "tokio": '{ version = "1", features = ["macros", "net", "rt", "time"] }',
}
BY_HAND = {
    "async-trait": '"0.1"',
    "aws-credential-types": '{ version = "1.3", features = ["hardcoded-credentials"] }',
    "aws-sigv4": '{ version = "1.6", default-features = false, features = ["http1", "sign-http"] }',
    "aws-smithy-runtime-api": '{ version = "1.8", features = ["client"] }',
    "http": '"1"',
}
PROGRAMS = {
    "plain": CLIENT,
    "by-hand": CLIENT | BY_HAND,
    "ours": CLIENT | {"sigv4-middleware": f'{{ path = "{ROOT}" }}'},
}


def package(name):
    """Writes the program's package, and returns its folder."""
    folder = TARGET / name
    (folder / "src").mkdir(parents=True, exist_ok=True)
    shutil.copy(SOURCES / f"{name}.rs", folder / "src" / "main.rs")
    # A module of by-hand.rs, and of the bench `overhead`.
    shutil.copy(SOURCES / "naive.rs", folder / "src")
    shutil.copy(ROOT / "Cargo.lock", folder / "Cargo.lock")
    dependencies = "\n".join(f"{crate} = {version}" for crate, version in PROGRAMS[name].items())
    (folder / "Cargo.toml").write_text(
        f'[package]\nname = "{name}"\nversion = "0.0.0"\nedition = "2024"\n\n[workspace]\n\n'
        f"[dependencies]\n{dependencies}\n")
    return folder


def build(folder, *options, **environment):
    command = [os.environ.get("CARGO", "cargo"), "build", "--quiet", *options]
    subprocess.run(command, cwd=folder, check=True, env=os.environ | {"CARGO_INCREMENTAL": "0"} | environment)


def release(name):
    """The program's binary, stripped and not."""
    folder = package(name)
    build(folder, "--release", CARGO_TARGET_DIR=str(TARGET / "target"))
    binary = TARGET / "target" / "release" / name
    stripped = binary.with_suffix(".stripped")
    subprocess.run(["strip", "-o", stripped, binary], check=True)
    return stripped, binary


def parts(binary):
    """Bytes of code by where it comes from. Generic code counts for the crate that it is written in."""
    symbols = subprocess.run(["nm", "-S", "-C", binary], check=True, capture_output=True, text=True).stdout
    found = collections.Counter()
    for line in symbols.splitlines():
        symbol = line.split(None, 3)
        if len(symbol) == 4 and symbol[2] in "tTwW":
            ours = re.search(r"sigv4_middleware::(\w+)", symbol[3])
            path = ours or re.search(r"(\w+)(?=::)", symbol[3])
            part = f"sigv4_middleware::{ours[1]}" if ours else path[1] if path else "other"
            found[part] += int(symbol[1], 16)
    return found


def sizes():
    binaries = {name: release(name) for name in PROGRAMS}
    return {name: stripped.stat().st_size for name, (stripped, _) in binaries.items()}, binaries


def growth(figures, name):
    return figures[name] - figures["plain"]


def print_sizes(figures, binaries):
    for name, size in figures.items():
        print(f"{name:<10} {size:>10} bytes {growth(figures, name) / 1000:>+8.0f} KB")
    before, after = (parts(binaries[name][1]) for name in ("plain", "ours"))
    print("\nwhat the code of `ours` has more than that of `plain`, in bytes:")
    for part, more in (after - before).most_common(30):
        print(f"{more:>10} {part}")
    print(f"{sum(after.values()) - sum(before.values()):>10} all; unwind tables, relocations and texts come on top")


def cold():
    """Processor seconds of rustc in a first build, crate by crate."""
    seconds = {}
    for name in PROGRAMS:
        folder = package(name)
        with tempfile.TemporaryDirectory() as scratch:
            log = pathlib.Path(scratch) / "log"
            build(folder, CARGO_TARGET_DIR=f"{scratch}/target", RUSTC_WRAPPER=__file__, FOOTPRINT_LOG=str(log))
            seconds[name] = collections.Counter()
            for line in log.read_text().splitlines():
                crate, spent = line.split()
                seconds[name][crate] += float(spent)
        total = sum(seconds[name].values())
        print(f"{name:<10} {total:>8.1f} s of rustc {total - sum(seconds['plain'].values()):>+8.1f}")
    print("\ncrates of `ours` that `plain` has not:")
    for crate, spent in seconds["ours"].most_common():
        if crate not in seconds["plain"] and spent >= 0.1:
            print(f"{spent:>8.2f} {crate}{'' if crate in seconds['by-hand'] else '  (not by hand)'}")


def wrap(command):
    """Runs rustc, and notes what it took."""
    # With the descriptors of make's jobserver, which rustc takes part in.
    code = subprocess.run(command, close_fds=False).returncode
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    crate = command[command.index("--crate-name") + 1] if "--crate-name" in command else "-"
    with open(os.environ["FOOTPRINT_LOG"], "a") as log:
        log.write(f"{crate} {usage.ru_utime + usage.ru_stime:.2f}\n")
    return code


def toolchain():
    version = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    return dict(line.split(": ", 1) for line in version.splitlines() if ": " in line)


def main():
    if "FOOTPRINT_LOG" in os.environ:
        return wrap(sys.argv[1:])
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--cold", "--write", "--check"):
        options.add_argument(option, action="store_true")
    options = options.parse_args()
    if options.cold:
        cold()
        return 0
    built_with = {name: toolchain()[name] for name in ("release", "host")}
    if options.check:
        expected = json.loads(FIGURES.read_text())
        if expected["rustc"] != built_with:
            print(f"footprint: skipped, since the bytes were counted with {expected['rustc']} and this is {built_with}; "
                  "count them anew with scripts/footprint.py --write")
            return 0
        now, _ = sizes()
        before, after = growth(expected["bytes"], "ours"), growth(now, "ours")
        print(f"footprint: a client's binary grows by {before / 1000:.0f} -> {after / 1000:.0f} KB "
              f"({after / before - 1:+.1%}); by hand {growth(now, 'by-hand') / 1000:.0f} KB")
        if after > before * (1 + TOLERANCE):
            print("footprint: more than before; if that is meant, scripts/footprint.py --write")
            return 1
        return 0
    figures, binaries = sizes()
    print_sizes(figures, binaries)
    if options.write:
        FIGURES.write_text(json.dumps({"rustc": built_with, "bytes": figures}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
