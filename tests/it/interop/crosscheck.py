"""Signs requests again with botocore and with awscrt, two signers that share no code with the crate.

Reads one JSON object a line from standard input, a request as a server received it, signed in its headers or in its
query (a presigned URL, which has "expires" in its config):

    {"service", "region", "date": "20300705T040506Z",
     "credentials": {"access_key_id", "secret_access_key", "session_token": null or text},
     "method", "target": path and query as on the wire, "headers": [[name, value], …], "body_b64",
     "signed_headers": [name, …], "signature",
     "config": {"double_uri_encode", "normalize_path", "payload": "sha256" or "UNSIGNED-PAYLOAD", "expires": seconds, if presigned}}

and writes one for each: {"botocore": signature, "awscrt": signature}, or {"error": text} with what there is. The
signatures are compared by whoever asked; the exit code is 0 all the same.
"""

import base64
import datetime
import hashlib
import io
import json
import sys
from urllib.parse import unquote

from awscrt import auth, http
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

# Headers that a signer adds. awscrt refuses a request that has them, so it is given none and adds its own;
# `check` has seen to it that the ones received say the same.
ADDED = {"authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"}

# By double_uri_encode, normalize_path, and whether it is presigned.
BOTOCORE = {
    (True, True, False): SigV4Auth,
    (True, True, True): SigV4QueryAuth,
    (False, False, False): S3SigV4Auth,
    (False, False, True): S3SigV4QueryAuth,
}


def check(case, payload):
    """Raises where the signer's own headers as received contradict the body, the date or the credentials."""
    received = {}
    for name, value in case["headers"]:
        received.setdefault(name.lower(), []).append(value)
    missing = [name for name in case["signed_headers"] if name not in received]
    if missing:
        raise ValueError(f"signed but not received: {missing}")
    expected = {
        "x-amz-content-sha256": payload,
        "x-amz-date": case["date"],
        "x-amz-security-token": case["credentials"]["session_token"],
    }
    for name, value in expected.items():
        if name in received and received[name] != [value]:
            raise ValueError(f"{name} received is not the expected one")


def unsigned(case):
    """The target before it was presigned. Raises where the signer's own parameters contradict the case."""
    keys = case["credentials"]
    scope = [keys["access_key_id"], case["date"][:8], case["region"], case["service"], "aws4_request"]
    expected = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": "/".join(scope),
        "X-Amz-Date": case["date"],
        "X-Amz-Expires": str(case["config"]["expires"]),
        "X-Amz-SignedHeaders": ";".join(case["signed_headers"]),
        "X-Amz-Signature": case["signature"],
    }
    if keys["session_token"] is not None:
        expected["X-Amz-Security-Token"] = keys["session_token"]
    path, _, query = case["target"].partition("?")
    own, rest = {}, []
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name.startswith("X-Amz-"):
            own[name] = unquote(value)
        else:
            rest.append(pair)
    if own != expected:
        raise ValueError(f"the parameters received are {own}")
    return path + ("?" + "&".join(rest) if rest else "")


def by_botocore(case, payload):
    config = case["config"]
    presigned = config.get("expires") is not None
    base = BOTOCORE.get((config["double_uri_encode"], config["normalize_path"], presigned))
    if base is None:
        raise ValueError("botocore has no signer that encodes and normalises like this")

    class Signer(base):
        def headers_to_sign(self, request):
            headers = super().headers_to_sign(request)
            for name in set(headers.keys()) - set(case["signed_headers"]):
                del headers[name]
            return headers

        def payload(self, request):
            return payload

    keys = case["credentials"]
    signer = Signer(
        Credentials(keys["access_key_id"], keys["secret_access_key"], keys["session_token"]),
        case["service"],
        case["region"],
        *([config["expires"]] if presigned else []),
    )
    path, _, query = case["target"].partition("?")
    target = path if presigned else case["target"]
    request = AWSRequest(method=case["method"], url="http://unused.invalid" + target)
    for name, value in case["headers"]:
        request.headers[name] = value  # adds, does not replace
    request.context["timestamp"] = case["date"]
    if presigned:
        signer._modify_request_before_signing(request)  # adds the parameters, and would drop a second of one name
        request.url += "&" + query if query else ""
    return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)


def by_awscrt(case, body):
    keys, config, signed = case["credentials"], case["config"], set(case["signed_headers"])
    kinds, presigned = auth.AwsSignatureType, config.get("expires") is not None
    date = datetime.datetime.strptime(case["date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if presigned and "x-amz-content-sha256" in signed:
        raise ValueError("awscrt neither adds this header to a presigned request nor takes it")
    headers = [(name, value) for name, value in case["headers"] if name.lower() not in ADDED]
    request = http.HttpRequest(case["method"], case["target"], http.HttpHeaders(headers), io.BytesIO(body))
    body_header = (
        auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256
        if "x-amz-content-sha256" in signed
        else auth.AwsSignedBodyHeaderType.NONE
    )
    settings = auth.AwsSigningConfig(
        algorithm=auth.AwsSigningAlgorithm.V4,
        signature_type=kinds.HTTP_REQUEST_QUERY_PARAMS if presigned else kinds.HTTP_REQUEST_HEADERS,
        credentials_provider=auth.AwsCredentialsProvider.new_static(
            keys["access_key_id"], keys["secret_access_key"], keys["session_token"]
        ),
        region=case["region"],
        service=case["service"],
        date=date,
        should_sign_header=lambda name: name.lower() in signed,
        use_double_uri_encode=config["double_uri_encode"],
        should_normalize_uri_path=config["normalize_path"],
        signed_body_value=None if config["payload"] == "sha256" else config["payload"],
        signed_body_header_type=body_header,
        expiration_in_seconds=config.get("expires"),
        omit_session_token=not presigned and "x-amz-security-token" not in signed,
    )
    auth.aws_sign_request(request, settings).result(30)
    if presigned:
        return request.path.rpartition("X-Amz-Signature=")[2]
    return request.headers.get("authorization").rpartition("Signature=")[2]


def answer(line):
    found, problems = {}, []
    try:
        case = json.loads(line)
        body = base64.b64decode(case["body_b64"])
        payload = case["config"]["payload"]
        if payload == "sha256":
            payload = hashlib.sha256(body).hexdigest()
        check(case, payload)
        if case["config"].get("expires") is not None:
            case["target"] = unsigned(case)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    for name, sign in (
        ("botocore", lambda: by_botocore(case, payload)),
        ("awscrt", lambda: by_awscrt(case, body)),
    ):
        try:
            found[name] = sign()
        except Exception as error:
            problems.append(f"{name}: {type(error).__name__}: {error}")
    return found | ({"error": "; ".join(problems)} if problems else {})


def main():
    # Bytes in, bytes out: the locale has no say.
    for line in sys.stdin.buffer:
        if line.strip():
            print(json.dumps(answer(line)), flush=True)


if __name__ == "__main__":
    main()
