"""Presigned forms by botocore, with its clock stopped: one JSON object a line in, one a line out.

    {"bucket", "region", "key": the field, "fields": [[name, value], …], "conditions": [as botocore takes them, …],
     "expires_in", "time": seconds since 1970, "credentials": [key id, secret, session token or null]}

    {"url", "fields": [[name, value], …]}
"""

import datetime
import json
import os
import sys

# awscrt, where it is installed, cannot stop its clock.
os.environ["BOTO_DISABLE_CRT"] = "true"

import botocore.auth
import botocore.session
import botocore.signers
from botocore.config import Config


def stop_clocks(seconds):
    def now(remove_tzinfo=True):
        time = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
        return time.replace(tzinfo=None) if remove_tzinfo else time

    botocore.auth.get_current_datetime = botocore.signers.get_current_datetime = now


session = botocore.session.Session()
for line in sys.stdin:
    case = json.loads(line)
    stop_clocks(case["time"])
    key_id, secret, token = case["credentials"]
    client = session.create_client(
        "s3",
        region_name=case["region"],
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(signature_version="s3v4", s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"}),
    )
    form = client.generate_presigned_post(
        case["bucket"],
        case["key"],
        Fields=dict(case["fields"]),
        Conditions=case["conditions"],
        ExpiresIn=case["expires_in"],
    )
    print(json.dumps({"url": form["url"], "fields": list(form["fields"].items())}), flush=True)
