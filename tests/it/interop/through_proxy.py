"""botocore without credentials, sent through a proxy that signs: prints as JSON what it got.

The one argument says where: `{"proxy", "bucket", "region", "api_path"}`.
"""

import json
import sys
import urllib.request

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config


def main():
    at = json.loads(sys.argv[1])
    config = Config(signature_version=UNSIGNED, proxies={}, retries={"total_max_attempts": 1})
    config = config.merge(Config(s3={"addressing_style": "path"}))
    s3 = botocore.session.get_session().create_client(
        "s3", region_name=at["region"], endpoint_url=at["proxy"], config=config
    )
    bucket, key = at["bucket"], "through the proxy/ü+(1)'.txt"
    body = bytes(range(256)) * 1024
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="text/x-proxied", Metadata={"made-by": "botocore"})
    got = s3.get_object(Bucket=bucket, Key=key)
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="through the")
    s3.delete_object(Bucket=bucket, Key=key)
    said = {
        "same": got["Body"].read() == body,
        "type": got["ContentType"],
        "metadata": got["Metadata"],
        "listed": [entry["Key"] == key for entry in listed["Contents"]],
    }
    try:
        s3.get_object(Bucket=bucket, Key=key)
    except s3.exceptions.NoSuchKey as error:
        said["deleted"] = error.response["Error"]["Code"]
    print(json.dumps(said))


def api():
    at = json.loads(sys.argv[1])
    request = urllib.request.Request(
        at["proxy"] + at["api_path"] + "/items?b=2&a=x+y", data=b'{"n": 1}', headers={"content-type": "application/json"}
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        print(json.dumps({"status": answer.status, "seen": json.load(answer)}))


if __name__ == "__main__":
    api() if "api_path" in json.loads(sys.argv[1]) else main()
