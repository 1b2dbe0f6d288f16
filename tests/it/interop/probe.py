"""Shows what the pinned ministack verifies, by requests that botocore signed and that were then spoilt.

Run it with the virtual environment's python; README.md holds its answer. No test depends on it.
"""

import datetime
import hashlib
import http.client
import json
import subprocess
import sys
from pathlib import Path
from unittest import mock
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def send(
    url,
    method="GET",
    *,
    keys,
    service,
    region,
    body=b"",
    headers=(),
    ahead=0,
    extra=(),
    spoil=None,
    signer=None,
):
    """Signs with botocore, `ahead` seconds from now, lets `spoil` change what is sent, and sends it."""
    request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
    if keys:
        credentials = Credentials(keys["access_key_id"], keys["secret_access_key"], keys.get("session_token"))
        signer = (signer or (S3SigV4Auth if service == "s3" else SigV4Auth))(credentials, service, region)
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=ahead)
        with mock.patch("botocore.auth.get_current_datetime", lambda *_, **__: now.replace(tzinfo=None)):
            signer.add_auth(request)
    parts = urlsplit(url)
    sent = {
        "method": method,
        "target": parts.path + (f"?{parts.query}" if parts.query else ""),
        "headers": list(request.headers.items()) + list(extra),
        "body": body,
    }
    if spoil:
        spoil(sent)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    connection.putrequest(sent["method"], sent["target"], skip_accept_encoding=True)
    for name, value in sent["headers"]:
        if name.lower() != "content-length":
            connection.putheader(name, value)
    connection.putheader("content-length", str(len(sent["body"])))
    connection.endheaders(sent["body"])
    answer = connection.getresponse()
    text = answer.read()
    said = answer.getheader("x-amzn-errortype") or ""
    if answer.status >= 400:
        said += " " + " ".join(text.decode("utf-8", "replace").split())[:110]
    return answer.status, said, text


def header(name, change):
    def spoil(sent):
        sent["headers"] = [(n, change(v) if n.lower() == name else v) for n, v in sent["headers"]]

    return spoil


def without(name):
    def spoil(sent):
        sent["headers"] = [(n, v) for n, v in sent["headers"] if n.lower() != name]

    return spoil


def put(part, old, new):
    def spoil(sent):
        assert old in sent[part], (part, old, sent[part])
        sent[part] = sent[part].replace(old, new)

    return spoil


def main():
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("start_ministack.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    at = json.loads(server.stdout.readline())
    user, session, region = at["user"], at["session"], at["region"]
    items = at["api_url"] + "/items"
    as_host = f"http://{at['api_host']}/{at['stage']}/items"
    wrong = user | {"secret_access_key": "wrong" * 8}
    api = {"service": "execute-api", "region": region}
    s3 = {"service": "s3", "region": region}
    object_url = f"{at['endpoint']}/{at['bucket']}/" + quote("a b+c/ü(1)'.txt", safe="/")
    data = b'{"n": 1}'
    post = {"method": "POST", "body": data, "headers": {"content-type": "application/json"}, **api}
    reserved = "?" + "&".join(
        f"{quote(k, safe='')}={quote(v, safe='')}"
        for k, v in [("a b", "c/d:e=*+&;~"), ("é", "ü"), ("a", "2"), ("a", "1"), ("flag", "")]
    )

    cases = [
        ("api: good GET", 200, lambda: send(items, keys=user, **api)),
        (
            "api: good GET, proxy resource, odd path",
            200,
            lambda: send(at["api_url"] + "/a%20b/%C3%BC(1)'", keys=user, **api),
        ),
        (
            "api: path with a double slash and dots",
            200,
            lambda: send(at["api_url"] + "/x//y/../z", keys=user, **api),
        ),
        ("api: good GET, session token", 200, lambda: send(items, keys=session, **api)),
        (
            "api: good GET, reserved characters in the query",
            200,
            lambda: send(items + reserved, keys=user, **api),
        ),
        ("api: raw `+` in the query, signed as sent", 403, lambda: send(items + "?a=b+c", keys=user, **api)),
        (
            "api: path signed encoded once",
            403,
            lambda: send(at["api_url"] + "/a%20b", keys=user, signer=S3SigV4Auth, **api),
        ),
        (
            "api: path with dots signed as is",
            403,
            lambda: send(at["api_url"] + "/x/../z", keys=user, signer=S3SigV4Auth, **api),
        ),
        ("api: good POST JSON", 200, lambda: send(items, keys=user, **post)),
        ("api: no signature", 403, lambda: send(items, keys=None, **api)),
        ("api: wrong secret", 403, lambda: send(items, keys=wrong, **api)),
        (
            "api: unknown access key",
            403,
            lambda: send(items, keys=user | {"access_key_id": "AKIANOSUCHKEY0000000"}, **api),
        ),
        ("api: user without a policy", 403, lambda: send(items, keys=at["stranger"], **api)),
        (
            "api: tampered query",
            403,
            lambda: send(items + "?a=1", keys=user, spoil=put("target", "a=1", "a=2"), **api),
        ),
        (
            "api: query parameter added",
            403,
            lambda: send(items, keys=user, spoil=put("target", "/items", "/items?x=1"), **api),
        ),
        (
            "api: tampered path",
            403,
            lambda: send(at["api_url"] + "/x/y", keys=user, spoil=put("target", "/y", "/z"), **api),
        ),
        (
            "api: method changed",
            403,
            lambda: send(items, keys=user, spoil=lambda s: s.update(method="POST"), **api),
        ),
        (
            "api: tampered body",
            403,
            lambda: send(items, keys=user, spoil=lambda s: s.update(body=b'{"n": 2}'), **post),
        ),
        (
            "api: tampered body, with the old x-amz-content-sha256 signed",
            200,
            lambda: send(
                items,
                keys=user,
                spoil=lambda s: s.update(body=b'{"n": 2}'),
                **(post | {"headers": {"x-amz-content-sha256": hashlib.sha256(data).hexdigest()}}),
            ),
        ),
        (
            "api: signed header changed",
            403,
            lambda: send(
                items,
                keys=user,
                headers={"x-amz-meta-a": "1"},
                spoil=header("x-amz-meta-a", lambda v: "2"),
                **api,
            ),
        ),
        ("api: unsigned header added", 200, lambda: send(items, keys=user, extra=[("x-other", "1")], **api)),
        (
            "api: x-amz- header added, unsigned",
            200,
            lambda: send(items, keys=user, extra=[("x-amz-other", "1")], **api),
        ),
        (
            "api: x-amz-date changed by a second",
            403,
            lambda: send(
                items,
                keys=user,
                ahead=-60,
                spoil=header("x-amz-date", lambda v: v[:-2] + str((int(v[-2]) + 1) % 10) + "Z"),
                **api,
            ),
        ),
        ("api: signed 4 minutes ago", 200, lambda: send(items, keys=user, ahead=-240, **api)),
        ("api: signed 6 minutes ago", 403, lambda: send(items, keys=user, ahead=-360, **api)),
        ("api: signed 6 minutes ahead", 403, lambda: send(items, keys=user, ahead=360, **api)),
        (
            "api: session token wrong",
            403,
            lambda: send(items, keys=session | {"session_token": "wrong"}, **api),
        ),
        (
            "api: session token left out",
            403,
            lambda: send(items, keys=session, spoil=without("x-amz-security-token"), **api),
        ),
        (
            "api: user's key with a session token",
            403,
            lambda: send(items, keys=user | {"session_token": "made-up"}, **api),
        ),
        (
            "api: scope names another region",
            200,
            lambda: send(items, keys=user, service="execute-api", region="us-east-1"),
        ),
        (
            "api: scope names another service",
            200,
            lambda: send(items, keys=user, service="s3", region=region),
        ),
        (
            "api: scope names service `lambda`",
            200,
            lambda: send(items, keys=user, service="lambda", region=region),
        ),
        (
            "api: another scheme of Authorization",
            403,
            lambda: send(items, keys=None, extra=[("authorization", "Bearer x")], **api),
        ),
        ("api: by host name", 200, lambda: by_host(as_host, at, user, api)),
        ("s3: put of an awkward key", 200, lambda: send(object_url, "PUT", keys=user, body=b"hello", **s3)),
        ("s3: get of it", 200, lambda: send(object_url, keys=session, **s3)),
        (
            "s3: get, `'()` raw in path as signed",
            200,
            lambda: send(
                object_url.replace("%27", "'").replace("%28", "(").replace("%29", ")"), keys=user, **s3
            ),
        ),
        (
            "s3: get, `'()` raw in path though signed encoded",
            403,
            lambda: send(object_url, keys=user, spoil=put("target", "%27", "'"), **s3),
        ),
        ("s3: wrong secret", 403, lambda: send(object_url, keys=wrong, **s3)),
        ("s3: no signature", 403, lambda: send(object_url, keys=None, **s3)),
        (
            "s3: tampered key",
            403,
            lambda: send(object_url, keys=user, spoil=put("target", "txt", "txu"), **s3),
        ),
        (
            "s3: tampered query",
            403,
            lambda: send(object_url + "?versionId=1", keys=user, spoil=put("target", "Id=1", "Id=2"), **s3),
        ),
        (
            "s3: tampered body",
            200,
            lambda: send(
                object_url, "PUT", keys=user, body=b"hello", spoil=lambda s: s.update(body=b"jello"), **s3
            ),
        ),
        (
            "s3: x-amz-content-sha256 changed",
            403,
            lambda: send(
                object_url,
                "PUT",
                keys=user,
                body=b"hello",
                spoil=header("x-amz-content-sha256", lambda v: "UNSIGNED-PAYLOAD"),
                **s3,
            ),
        ),
        (
            "s3: no x-amz-content-sha256 sent",
            403,
            lambda: send(object_url, keys=user, spoil=without("x-amz-content-sha256"), **s3),
        ),
        ("s3: signed 14 minutes ago", 200, lambda: send(object_url, keys=user, ahead=-840, **s3)),
        ("s3: signed 16 minutes ago", 403, lambda: send(object_url, keys=user, ahead=-960, **s3)),
        (
            "s3: session token wrong",
            400,
            lambda: send(object_url, keys=session | {"session_token": "wrong"}, **s3),
        ),
        (
            "s3: scope names another region",
            301,
            lambda: send(object_url, keys=user, service="s3", region="us-west-2"),
        ),
        (
            "root key `test` with a wrong secret",
            200,
            lambda: send(items, keys={"access_key_id": "test", "secret_access_key": "nonsense"}, **api),
        ),
    ]
    try:
        for name, status, run in cases:
            got, said, _ = run()
            print(f"{'as said' if got == status else 'NOT SO':8} {got} (said {status}) {name}  {said}")
    finally:
        server.stdin.close()
        server.wait(20)


def by_host(url, at, keys, api):
    """Signs for the API's own host name, which resolves nowhere, and sends to ministack's address."""
    connect = http.client.HTTPConnection.connect

    def to_loopback(connection):
        connection.host, connection.port = "127.0.0.1", int(at["endpoint"].rsplit(":", 1)[1])
        connect(connection)

    with mock.patch.object(http.client.HTTPConnection, "connect", to_loopback):
        return send(url, keys=keys, **api)


if __name__ == "__main__":
    main()
