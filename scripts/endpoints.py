#!/usr/bin/env python3
"""Writes src/endpoint/generated.rs and tests/it/vectors/hosts_botocore.txt out of botocore's data.

    python3 -m venv venv && venv/bin/pip install botocore==1.44.5
    venv/bin/python scripts/endpoints.py            # write both files
    venv/bin/python scripts/endpoints.py --check    # fail if they are not what would be written

Every service is resolved in every region of every partition, plain, dualstack, FIPS and both, by botocore's two
resolvers: the endpoint bridge (endpoints.json, what `client.meta.endpoint_url` says) and the endpoint rule sets.
Host templates of the rule sets that need no parameter but the region, and the static host prefixes of
operations, are added. What was seen is then compressed into tables, and `infer` below (the same rules as in
src/endpoint/) must give every host seen its scope back, or the script fails.

Where one host was seen with two scopes the bridge wins over the rule sets, and the partition `aws` over others.
"""

import argparse
import collections
import json
import pathlib
import re
import sys

import botocore
import botocore.session
from botocore.client import ClientEndpointBridge
from botocore.config import Config
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import BotoCoreError

BOTOCORE = "1.44.5"
ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "src/endpoint/generated.rs"
SEEN = ROOT / "tests/it/vectors/hosts_botocore.txt"

# Domains of customers' resources, which botocore does not list, by the dual-stack domain that they belong with.
ON = {"api.aws": "on.aws", "api.amazonwebservices.com.cn": "on.amazonwebservices.com.cn",
      "api.amazonwebservices.eu": "on.amazonwebservices.eu"}


def load():
    session = botocore.session.Session()
    session.set_config_variable("profile", None)
    return session.get_component("data_loader"), session.get_component("endpoint_resolver")


def urls(node):
    """Every endpoint of a rule set: its URL template and its first auth scheme."""
    if isinstance(node, list):
        for item in node:
            yield from urls(item)
    elif isinstance(node, dict):
        end = node.get("endpoint")
        if isinstance(end, dict) and isinstance(end.get("url"), str):
            schemes = end.get("properties", {}).get("authSchemes") or [{}]
            yield end["url"], schemes[0]
        for item in node.values():
            yield from urls(item)


class Seen:
    """Hosts and the scopes they were seen with, best first."""

    def __init__(self):
        self.hosts = collections.defaultdict(dict)
        # Partitions without dual-stack endpoints of their own, which the bridge puts into another's domain.
        self.guests = collections.defaultdict(set)

    def add(self, host, service, region, rank):
        if "/" in host or "{" in host:
            return
        if isinstance(region, list):
            region = ",".join(region)
        old = self.hosts[host].get((service, region), 99)
        self.hosts[host][(service, region)] = min(old, rank)

    def scope(self, *hosts):
        """The scope of a host, or the one that most of these hosts (a host and its FIPS twin) have in common."""
        common = collections.Counter(scope for host in hosts for scope in self.hosts[host])

        def key(scope):
            rank = min(self.hosts[host].get(scope, 99) for host in hosts)
            service, region = scope
            best = sum(self.hosts[host].get(scope) == 0 for host in hosts)
            return -best, -common[scope], rank, region.startswith("us-gov"), region.startswith("aws-"), region, service

        return min(common, key=key)


def collect(loader, resolver, partitions):
    seen = Seen()
    services = loader.list_available_services("service-2")
    regions = [(p, r) for p in partitions for r in sorted(p["regions"])]
    everywhere = tuple(s for p in partitions for s in suffixes_of(p))
    written = {}
    for name in services:
        model = loader.load_service_model(name, "service-2")
        meta = model["metadata"]
        default = meta.get("signingName") or meta["endpointPrefix"]
        rules = loader.load_service_model(name, "endpoint-rule-set-1")
        provider = EndpointProvider(rules, {"partitions": partitions, "version": "1.1"})
        given = {k: v["default"] for k, v in rules["parameters"].items() if v.get("default") is not None}
        templates = {(u, json.dumps(a)) for u, a in urls(rules["rules"])}
        prefixes = {o.get("endpoint", {}).get("hostPrefix") for o in model["operations"].values()} - {None}
        templates |= {(u.replace("//", "//" + p), a) for u, a in templates for p in prefixes}
        written[name] = default, sorted(templates)
        for partition, region in regions:
            for fips in (False, True):
                for dual in (False, True):
                    config = Config(use_fips_endpoint=fips, use_dualstack_endpoint=dual,
                                    s3={"use_dualstack_endpoint": dual})
                    bridge = ClientEndpointBridge(resolver, None, config,
                                                  service_signing_name=meta.get("signingName"))
                    try:
                        end = bridge.resolve(meta["endpointPrefix"], region)
                        host = end["endpoint_url"].split("//")[1]
                        own = host.endswith(tuple(suffixes_of(partition)))
                        if not own and region.startswith("aws-"):
                            continue  # a name for no region, unknown to the bridge
                        if not own and region in host.split("."):
                            domain = next(s[1:] for s in everywhere if host.endswith(s))
                            seen.guests[domain].add(partition["id"])
                        seen.add(host, end["signing_name"], end["signing_region"], 0)
                    except BotoCoreError:
                        pass
                    more = {"Region": region, "UseFIPS": fips, "UseDualStack": dual, "UseGlobalEndpoint": False}
                    known = given | {k: v for k, v in more.items() if k in rules["parameters"]}
                    try:
                        end = provider.resolve_endpoint(**known)
                    except BotoCoreError:
                        continue
                    auth = (end.properties.get("authSchemes") or [{}])[0]
                    if region.startswith("aws-") and not auth.keys() & {"signingRegion", "signingRegionSet"}:
                        continue  # no region to sign for
                    if auth.get("name", meta.get("signatureVersion")) == "bearer":
                        continue  # no scope at all; the bridge has one nonetheless
                    scope = auth.get("signingRegionSet", auth.get("signingRegion", region))
                    host = end.url.split("//")[1]
                    if host.endswith(everywhere) and not host.endswith(tuple(suffixes_of(partition))):
                        continue  # another partition's domain, written out in the rules
                    seen.add(host, auth.get("signingName", default), scope, 1)
    expand(seen, written, regions)
    # The classic S3 endpoint, which botocore's client uses for us-east-1 unless told otherwise.
    seen.add("s3.amazonaws.com", "s3", "us-east-1", 0)
    seen.add("s3-fips.aws-global.amazonaws.com", "s3", "us-east-1", 0)
    return seen


def expand(seen, written, regions):
    """Adds the hosts of URL templates whose name in front of the region no resolver came upon."""
    names = {r for _, r in regions}
    known = set()
    for host in seen.hosts:
        labels = host.split(".")
        at = [i for i, x in enumerate(labels) if x in names]
        known.add(".".join(labels[: at[-1]]) if at else host)
    for default, templates in written.values():
        for url, auth in templates:
            front, at, back = url.partition("//")[2].partition("{Region}.")
            if not at or front and front[:-1] in known or "{" in front:
                continue
            auth = json.loads(auth)
            for partition, region in regions:
                out = partition["outputs"]

                def fill(text):
                    text = re.sub(r"\{\w+#dnsSuffix\}", out["dnsSuffix"], text.replace("{Region}", region))
                    text = re.sub(r"\{\w+#dualStackDnsSuffix\}", out["dualStackDnsSuffix"], text)
                    return re.sub(r"\{\w+#implicitGlobalRegion\}", out["implicitGlobalRegion"], text)

                host = fill(front + at + back)
                # A template with another partition's domain written out is for that partition alone.
                if region.startswith("aws-") or not host.endswith(tuple(suffixes_of(partition))):
                    continue
                scope = auth.get("signingRegionSet", fill(auth.get("signingRegion", region)))
                seen.add(host, auth.get("signingName", default), scope, 2)


def suffixes_of(partition):
    out = partition["outputs"]
    both = [out["dnsSuffix"], out["dualStackDnsSuffix"]]
    return ["." + s for s in both + [ON[s] for s in both if s in ON]]


def strip(label):
    """One label without its FIPS mark; '' for a label that is nothing else."""
    if label in ("fips", "dualstack"):
        return ""
    return label.removesuffix("-fips").removeprefix("fips-")


class Tables:
    """The compressed form; `infer` mirrors src/endpoint/."""

    def __init__(self, partitions, guests):
        self.partitions = []
        self.suffixes = {}  # suffix -> partition ids
        self.kinds = {}  # suffix -> variant of DomainKind
        for p in partitions:
            prefixes = re.fullmatch(r"\^(.+)\\-\\w\+\\-\\d\+\$", p["regionRegex"]).group(1).replace("\\", "")
            alone = re.fullmatch(r"\(([\w|]+)\)|([\w-]+)|([\w]+)-\(([\w|]+)\)", prefixes)
            if alone is None:
                sys.exit(f"region pattern of {p['id']} has a new form: {p['regionRegex']}")
            one, two, head, tail = alone.groups()
            words = one.split("|") if one else [two] if two else [f"{head}-{t}" for t in tail.split("|")]
            regions = sorted(r for r in p["regions"] if not r.startswith("aws-"))
            pseudo = sorted(r for r in p["regions"] if r.startswith("aws-"))
            self.partitions.append((p["id"], sorted(words), regions, pseudo))
            for suffix in suffixes_of(p):
                self.suffixes.setdefault(suffix[1:], []).append(p["id"])
            out = p["outputs"]
            self.kinds |= {out["dnsSuffix"]: "Standard", out["dualStackDnsSuffix"]: "DualStack"}
        self.kinds |= {suffix: "Resources" for suffix in ON.values()}
        for suffix, ids in self.suffixes.items():
            ids += sorted(guests.get(suffix, ()))
        self.services = {}  # normalised name -> service
        self.fixed = collections.defaultdict(dict)  # suffix -> name -> (service, region)
        self.foreign = {}  # host after its region label -> (service, partition)

    def region(self, label, ids):
        for pid, words, regions, pseudo in self.partitions:
            if pid in ids:
                if label in regions or label in pseudo:
                    return True
                if any(re.fullmatch(rf"{w}-[a-z0-9_]+-[0-9]+", label) for w in words):
                    return True
        return False

    def split(self, host):
        """(suffix, name, region label) of a host: region-last names lose the region, others have '@' for it."""
        suffix = next((s for s in self.suffixes if host.endswith("." + s)), None)
        if suffix is None:
            return None, host, None
        ids = self.suffixes[suffix]
        labels = host[: -len(suffix) - 1].split(".")
        region = None
        if self.region(labels[-1], ids):
            region = labels.pop()
        elif len(labels) > 1 and self.region(labels[-2], ids):
            region = labels[-2]
            labels[-2] = "@"
        return suffix, ".".join(x for x in map(strip, labels) if x), region

    def infer(self, host):
        suffix, name, region = self.split(host)
        if suffix is None:
            region, _, rest = host.partition(".")
            alone = self.fixed[None].get(strip_host(host))
            return alone or (self.foreign[strip_host(rest)][0], region)
        fixed = self.fixed[suffix]
        for key in ([f"{name}.{region}", f"{name}.*"] if region else [name]):
            if key in fixed:
                return fixed[key]
        if region is None or name not in self.services:
            return None
        return self.services[name], region


def strip_host(host):
    return ".".join(x for x in map(strip, host.split(".")) if x)


def compress(seen, partitions):
    t = Tables(partitions, seen.guests)
    fixed, foreign, names = (collections.defaultdict(list) for _ in range(3))
    for host in sorted(seen.hosts):
        suffix, name, region = t.split(host)
        first, _, rest = host.partition(".")
        if suffix is None and t.region(first, [p["id"] for p in partitions]):
            owner = next(p["id"] for p in partitions if t.region(first, [p["id"]]))
            foreign[strip_host(rest), owner].append(host)
        elif region is None:
            fixed[suffix, name if suffix else strip_host(host)].append(host)
        else:
            names[name].append((suffix, region, host))
    for (suffix, name), hosts in sorted(fixed.items(), key=str):
        t.fixed[suffix][name] = seen.scope(*hosts)
    for (rest, owner), hosts in sorted(foreign.items()):
        (t.foreign[rest],) = {(seen.scope(h)[0], owner) for h in hosts}
    for name, hosts in sorted(names.items()):
        twins = collections.defaultdict(list)
        for suffix, region, host in hosts:
            twins[suffix, region].append(host)
        scopes = {at: seen.scope(*hosts) for at, hosts in twins.items()}
        count = collections.Counter(s for (_, region), (s, scope) in scopes.items() if scope == region)
        if count:
            t.services[name] = max(sorted(count), key=count.get)
        for suffix in sorted({suffix for suffix, _ in scopes}):
            here = {region: scope for (s, region), scope in scopes.items() if s == suffix}
            odd = {r: scope for r, scope in here.items() if scope != (t.services.get(name), r)}
            scope, often = collections.Counter(here.values()).most_common(1)[0]
            if odd and often * 4 > len(here) * 3 and len(here) > 1:
                t.fixed[suffix][f"{name}.*"] = scope
                odd = {r: other for r, other in here.items() if other != scope}
            for region, scope in odd.items():
                t.fixed[suffix][f"{name}.{region}"] = scope
    return t


def rust(t):
    def text(s):
        return json.dumps(s)

    def array(items):
        return "&[" + ", ".join(map(text, items)) + "]"

    out = [f"//! Written by scripts/endpoints.py from botocore {BOTOCORE}. Do not edit: run the script.", "",
           "use super::table::{DomainKind, Partition, Rows, Suffix};", ""]
    doc = ["/// Partitions: id, prefixes of region names, known regions, pseudo-regions.",
           "#[rustfmt::skip]",
           f"pub(super) static PARTITIONS: [Partition; {len(t.partitions)}] = ["]
    index = {p[0]: i for i, p in enumerate(t.partitions)}
    out += doc
    for pid, words, regions, pseudo in t.partitions:
        out += ["    Partition {", f"        id: {text(pid)},", f"        prefixes: {array(words)},",
                f"        regions: {array(regions)},", f"        pseudo: {array(pseudo)},", "    },"]
    out += ["];", "", "/// Domains of AWS, their partitions (by index), and the hosts without a region label or signed for",
            "/// another region: name without FIPS labels (`*` is any region), signing name, region (`*` is a region",
            "/// set).", "#[rustfmt::skip]",
            f"pub(super) static SUFFIXES: [Suffix; {len(t.suffixes)}] = ["]
    for suffix, ids in t.suffixes.items():
        fixed = sorted(t.fixed[suffix].items())
        out += ["    Suffix {", f"        domain: {text(suffix)},", f"        kind: DomainKind::{t.kinds[suffix]},",
                f"        partitions: &[{', '.join(str(index[i]) for i in ids)}],"]
        if fixed:
            out += ["        fixed: Rows(\"\\"]
            out += [f"{n} {s} {r}" for n, (s, r) in fixed]
            out += ["\"),"]
        else:
            out += ["        fixed: Rows(\"\"),"]
        out += ["    },"]
    out += ["];", "", "/// Hosts of AWS outside those domains: the labels after the region, signing name, partition (by index), and",
            "/// the region of the host without a region label (empty if no such host exists).",
            "#[rustfmt::skip]", f"pub(super) static OTHER_HOSTS: [(&str, &str, usize, &str); {len(t.foreign)}] = ["]
    out += [f"    ({text(k)}, {text(s)}, {index[p]}, {text(t.fixed[None].get(k, ('', ''))[1])})," for k, (s, p) in sorted(t.foreign.items())]
    out += ["];", "", "/// Labels before the region (`@` is the region where it does not come last), and the signing name if it is",
            "/// another.", "#[rustfmt::skip]", "pub(super) static SERVICES: Rows = Rows(\"\\"]
    out += [key if key == service else f"{key} {service}" for key, service in sorted(t.services.items())]
    out += ["\");", ""]
    return "\n".join(out)


def fixture(seen, tables, partitions):
    """Everything seen, one line for each (host with `@` for its region, service, scope), regions abbreviated."""
    real = {p["id"]: sorted(r for r in p["regions"] if not r.startswith("aws-")) for p in partitions}
    names = {r for p in partitions for r in p["regions"]}
    groups = collections.defaultdict(set)
    for host in seen.hosts:
        service, scope = tables.infer(host)
        labels = host.split(".")
        at = [i for i, x in enumerate(labels) if x in names]
        region = labels[at[-1]] if at else "-"
        if at:
            labels[at[-1]] = "@"
        groups[(".".join(labels), service, "@" if scope == region else scope)].add(region)
    out = [f"# Written by scripts/endpoints.py from botocore {BOTOCORE}: host (@ is the region), service, region to sign",
           "# for (@ the host's own, * a region set), regions seen (- none, a partition's name all of it)."]
    out += [f"= {pid} {' '.join(regions)}" for pid, regions in real.items()]
    for (host, service, scope), regions in sorted(groups.items()):
        left, words = set(regions), []
        for pid, all_of in real.items():
            if len(all_of) > 1 and set(all_of) <= left:
                words.append("%" + pid)
                left -= set(all_of)
        out.append(" ".join([host, service, scope, *words, *sorted(left)]))
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the files, write nothing")
    check = parser.parse_args().check
    if botocore.__version__ != BOTOCORE:
        sys.exit(f"botocore {botocore.__version__} is here, {BOTOCORE} is wanted (see BOTOCORE in this script)")
    loader, resolver = load()
    partitions = loader.load_data("partitions")["partitions"]
    seen = collect(loader, resolver, partitions)
    tables = compress(seen, partitions)
    wrong = [(h, seen.scope(h), tables.infer(h)) for h in sorted(seen.hosts) if tables.infer(h) not in seen.hosts[h]]
    second = [h for h in sorted(seen.hosts) if tables.infer(h) != seen.scope(h)]
    for host, want, got in wrong[:20]:
        print(f"{host}: botocore says {want}, the table {got}", file=sys.stderr)
    print(f"{len(seen.hosts)} hosts seen, {len(wrong)} wrong by the table")
    print(f"second-best scope of several seen: {', '.join(second) or 'none'}")
    if wrong:
        sys.exit(1)
    stale = []
    for path, text in ((TABLE, rust(tables)), (SEEN, fixture(seen, tables, partitions))):
        if check and (not path.exists() or path.read_text() != text):
            stale.append(str(path.relative_to(ROOT)))
        elif not check:
            path.write_text(text)
    if stale:
        sys.exit(f"not what this script writes: {', '.join(stale)}")


if __name__ == "__main__":
    main()
