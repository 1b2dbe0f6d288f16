#!/usr/bin/env python3
"""Draws the pictures of the documentation: `python3 scripts/pictures.py` writes docs/*.svg anew.

They are narrow, to be read on a small screen, and take their text's color from the page that they stand in: rustdoc's
themes where they are a part of a page, light or dark by the reader's preference where they are a file.
"""

from html import escape
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
MONO = 'font-family="ui-monospace, monospace"'


class Picture:
    def __init__(self, name, width, height, title, description):
        self.name, self.width, self.height = name, width, height
        self.parts = [f"<title>{escape(title)}</title>", f"<desc>{escape(description)}</desc>"]

    def text(self, x, y, text, classes="", anchor="start", more=""):
        self.parts.append(f'<text class="{classes}" x="{x}" y="{y}" text-anchor="{anchor}" {more}>{escape(text)}</text>')

    def box(self, x, y, width, height, kind, lines):
        """A box with centered lines, of which the first is its name."""
        self.parts.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>')
        top = y + height / 2 - 9 * (len(lines) - 1) + 5
        for at, line in enumerate(lines):
            self.text(x + width / 2, top + 18 * at, line, "name" if at == 0 else "quiet", "middle")

    def rect(self, kind, x, y, width, height):
        self.parts.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}"/>')

    def arrow(self, path, label=None, at=None, anchor="start"):
        self.parts.append(f'<path class="arrow" d="{path}"/>')
        if label:
            self.text(*at, label, "quiet", anchor)

    def line(self, path):
        self.parts.append(f'<path class="line" d="{path}"/>')

    def write(self):
        i = f"#sigv4-{self.name}"
        style = f"""<style>
svg:root {{ color: #1f2328 }}
@media (prefers-color-scheme: dark) {{ svg:root {{ color: #e6edf3 }} }}
{i} text {{ fill: currentColor }} {i} .name {{ font-weight: 600 }} {i} .quiet {{ opacity: .75; font-size: 13px }}
{i} rect {{ stroke: currentColor; stroke-opacity: .35 }}
{i} .plain {{ fill: currentColor; fill-opacity: .04 }} {i} .ours {{ fill: #2f7de1; fill-opacity: .22 }}
{i} .good {{ fill: #2da44e; fill-opacity: .28 }} {i} .wait {{ fill: #d4a017; fill-opacity: .32 }} {i} .stop {{ fill: #e5534b; fill-opacity: .3 }}
{i} .arrow, {i} .line {{ fill: none; stroke: currentColor; stroke-opacity: .7 }} {i} .arrow {{ marker-end: url({i}-head) }}
{i}-head path {{ fill: currentColor; fill-opacity: .7 }}
</style>"""
        head = f'<defs><marker id="sigv4-{self.name}-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
        svg = (
            f'<svg id="sigv4-{self.name}" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="100%" style="max-width: {self.width}px" role="img" font-family="system-ui, sans-serif" font-size="14">'
        )
        (DOCS / f"{self.name}.svg").write_text("\n".join([svg, *self.parts[:2], style, head, *self.parts[2:], "</svg>"]) + "\n")


def request_path():
    p = Picture(
        "request-path", 500, 540, "The way of a request through the middleware",
        "From top to bottom: your call; retries, timeouts and tracing; SigV4, which checks origin and scope, hashes the "
        "body, takes credentials and clock, and signs; an optional guard; the client; AWS. A refusal for a wrong date or "
        "expired credentials goes back to SigV4 once.",
    )
    x, width = 70, 300
    p.box(x, 10, width, 44, "plain", ["your call"])
    p.arrow("M220 54V80")
    p.box(x, 82, width, 62, "plain", ["retry, timeout, tracing, rate limit", "each attempt goes down anew"])
    p.arrow("M220 144V170")
    p.box(x, 172, width, 118, "ours", [
        "SigV4Layer or SigV4Middleware",
        "1  may this origin be signed? which scope?",
        "2  hash the body, or prepare its chunks",
        "3  credentials, and the server's clock",
        "4  sign: all headers at once",
    ])
    p.arrow("M220 290V316")
    p.box(x, 318, width, 62, "plain", ["SigV4Guard, if you want it", "did anything change since?"])
    p.arrow("M220 380V406")
    p.box(x, 408, width, 62, "plain", ["client: hyper, reqwest, …", "TLS, connections; no redirects"])
    p.arrow("M220 470V496")
    p.box(x, 498, width, 34, "good", ["AWS"])
    p.arrow("M370 515H410V232H374")
    p.text(418, 290, "refused for", "quiet")
    p.text(418, 308, "date or", "quiet")
    p.text(418, 326, "token:", "quiet")
    p.text(418, 344, "once", "quiet")
    p.text(418, 362, "more", "quiet")
    p.arrow("M70 515H34V32H66")
    p.text(28, 272, "the response, whole", "quiet", "middle", 'transform="rotate(-90 28 272)"')
    p.write()


def canonical_request():
    p = Picture(
        "canonical-request", 580, 560, "What a signature is made of",
        "The canonical request: method, path, query, signed headers, their names, and the payload's hash. Its SHA-256 "
        "goes into the string to sign, with date and scope. HMAC with the signing key makes the signature.",
    )

    def lines(y, kind, rows):
        height = 20 * len(rows) + 12
        p.parts.append(f'<rect class="{kind}" x="10" y="{y}" width="330" height="{height}" rx="6"/>')
        for at, (line, label) in enumerate(rows):
            p.text(20, y + 21 + 20 * at, line, more=f'{MONO} font-size="12.5"')
            if label:
                p.text(352, y + 21 + 20 * at, label, "quiet")
        return y + height

    p.text(10, 20, "canonical request", "name")
    end = lines(30, "ours", [
        ("POST", "method"),
        ("/prod/orders/a%2520b", "path, encoded twice (S3: once)"),
        ("page=2&state=open", "query, sorted by name"),
        ("content-type:application/json", "signed headers: names in"),
        ("host:abc123.execute-api.eu-west-1.ama…", "lower case, sorted; values"),
        ("x-amz-date:20261125T120000Z", "trimmed"),
        ("x-amz-security-token:IQoJb3JpZ2luX2VjE…", "temporary credentials"),
        ("", "an empty line"),
        ("content-type;host;x-amz-date;x-amz-sec…", "their names"),
        ("9f86d081884c7d659a2feaa0c55ad015a3bf4f…", "SHA-256 of the body"),
    ])
    p.arrow(f"M175 {end}V{end + 36}", "SHA-256", (185, end + 23))
    y = end + 56
    p.text(10, y, "string to sign", "name")
    end = lines(y + 10, "ours", [
        ("AWS4-HMAC-SHA256", "algorithm"),
        ("20261125T120000Z", "x-amz-date"),
        ("20261125/eu-west-1/execute-api/aws4_re…", "scope: day, region, service"),
        ("5e3a0f4f7cb0b1a4cfd8d4c7f5d5ee1cf2a3c0…", "the hash of the above"),
    ])
    p.arrow(f"M175 {end}V{end + 36}", "HMAC with a key of secret, day, region, service", (185, end + 23))
    y = end + 56
    p.text(10, y, "header", "name")
    end = lines(y + 10, "good", [
        ("authorization: AWS4-HMAC-SHA256", ""),
        ("  Credential=AKIDEXAMPLE/20261125/eu-w…", "key id and scope"),
        ("  SignedHeaders=content-type;host;x-am…", ""),
        ("  Signature=8b3d5f1e0c7a…", "good for 5 minutes (S3: 15)"),
    ])
    p.height = end + 10
    p.write()


def recovery():
    p = Picture(
        "recovery", 480, 560, "Whether a request is sent once more",
        "A response of status 400, 401 or 403 by AWS that blames the date, where another date would be right, or expired "
        "credentials, where others are to be had, is answered by one more request if the body is in memory. In every "
        "other case the response is the caller's.",
    )
    x, width, right = 20, 270, 345

    def question(y, lines, no="no"):
        p.box(x, y, width, 54, "plain", lines)
        p.arrow(f"M{x + width} {y + 27}H{right - 4}", no, (x + width + 10, y + 20))

    p.parts.append(f'<rect class="plain" x="{right}" y="10" width="125" height="442" rx="6"/>')
    for at, line in enumerate(["the response", "is the caller's,", "whole"]):
        p.text(right + 62, 212 + 20 * at, line, "name" if at < 3 else "", "middle")
    question(10, ["status 400, 401 or 403?"])
    p.arrow("M155 64V92", "yes", (163, 82))
    question(94, ["by AWS?", "its error code, its request id"])
    p.arrow("M155 148V176", "yes", (163, 166))
    question(178, ["the date, or expired credentials?"])
    p.arrow("M80 232V260", "date", (88, 250))
    p.arrow("M230 232V260", "credentials", (238, 250))
    p.box(20, 262, 125, 70, "ours", ["the server's", "time, if it", "differs"])
    p.box(165, 262, 125, 70, "ours", ["load others;", "at most two,", "then each 30 s"])
    p.arrow(f"M290 297H{right - 4}", "same", (298, 290))
    p.arrow("M80 332V360")
    p.arrow("M230 332V360")
    question(362, ["is the body in memory?", "none, or read to be hashed"])
    p.arrow("M155 416V452", "yes", (163, 438))
    p.box(20, 454, 270, 48, "good", ["sign afresh, send once more"])
    p.arrow(f"M290 478H{right + 62}V456")
    p.text(298, 496, "whatever it says", "quiet")
    p.height = 512
    p.write()


def credentials_windows():
    p = Picture(
        "credentials-windows", 560, 420, "When cached credentials are refreshed",
        "Three bars from load to expiry. A token of 15 minutes is fresh for 10 minutes, then in the advisory window for 4, "
        "then in the mandatory window for 1. A token of one hour is fresh for 45 minutes, advisory for 14, mandatory for "
        "1. A token of 12 hours is fresh for 11 hours, advisory for 59 minutes, mandatory for 1 minute.",
    )
    legend = [
        ("good", "fresh: callers get them at once"),
        ("wait", "advisory: at once, while one refresh runs in the background"),
        ("stop", "mandatory: callers wait, and keep the cached ones if it fails"),
    ]
    for at, (kind, text) in enumerate(legend):
        p.rect(kind, 10, 12 + 24 * at, 14, 14)
        p.text(32, 24 + 24 * at, text)
    bars = [
        ("15 min", ["10 min", "4 min"], 300, "5 min left"),
        ("1 h", ["45 min", "14 min"], 325, "15 min left"),
        ("12 h", ["11 h", "59 min"], 355, "1 h left"),
    ]
    start, end = 80, 540
    for at, (token, spans, width, left) in enumerate(bars):
        y = 106 + 80 * at
        edge, last = start + width, end - 34
        p.text(10, y + 20, token, "name")
        p.rect("good", start, y, width, 30)
        p.rect("wait", edge, y, last - edge, 30)
        p.rect("stop", last, y, 34, 30)
        p.text((start + edge) / 2, y + 20, spans[0], "", "middle")
        p.text((edge + last) / 2, y + 20, spans[1], "", "middle")
        p.text(last + 17, y + 20, "60 s", "quiet", "middle")
        p.text(start, y + 48, "loaded", "quiet")
        p.text(edge, y + 48, left, "quiet", "middle")
        p.text(end, y + 48, "expires", "quiet", "end")
    notes = [
        "Each bar has its own scale; the last minute is drawn wider. The advisory window is",
        "up to a tenth shorter, at random. A failed refresh is retried after 300 to 600 s,",
        "in the last minute after 1 to 5 s. Expired credentials are never used.",
    ]
    for at, note in enumerate(notes):
        p.text(10, 362 + 19 * at, note, "quiet", more='style="font-size: 12.5px"')
    p.write()


request_path()
canonical_request()
recovery()
credentials_windows()
