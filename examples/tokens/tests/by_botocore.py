"""The same tokens by botocore, with its clock stopped: one JSON object a line in, one token a line out.

    {"token": "rds", …the arguments of the function of that name…, "region", "time": seconds since 1970,
     "credentials": [key id, secret, session token or null]}

RDS, DSQL: botocore's own generators. EKS: as the AWS CLI calls botocore. MSK, ElastiCache, MemoryDB, Vault: as AWS's
and HashiCorp's documents have botocore make the request.
"""

import base64
import datetime
import json
import os
import sys
from urllib.parse import quote

# Where awscrt is installed, botocore would have it sign, whose clock cannot be stopped.
os.environ["BOTO_DISABLE_CRT"] = "true"

import botocore.auth
import botocore.session
import botocore.signers
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def stop_clocks(seconds):
    def now(remove_tzinfo=True):
        time = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
        return time.replace(tzinfo=None) if remove_tzinfo else time

    botocore.auth.get_current_datetime = botocore.signers.get_current_datetime = now


def client(case, service):
    key_id, secret, token = case["credentials"]
    session = botocore.session.Session()
    return session.create_client(
        service,
        region_name=case["region"],
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )


def presigned(case, service, url, parameters, expires=900):
    request = AWSRequest(method="GET", url=url, params=parameters)
    SigV4QueryAuth(Credentials(*case["credentials"]), service, case["region"], expires=expires).add_auth(request)
    return request.prepare().url


def unpadded(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def rds(case):
    return client(case, "rds").generate_db_auth_token(case["host"], case["port"], case["user"], case["region"])


def dsql(case):
    dsql = client(case, "dsql")
    make = dsql.generate_db_connect_admin_auth_token if case["admin"] else dsql.generate_db_connect_auth_token
    return make(case["host"], case["region"])


def elasticache(case):
    parameters = {"Action": "connect", "User": case["user"]}
    if case["serverless"]:
        parameters["ResourceType"] = "ServerlessCache"
    return presigned(case, "elasticache", f"http://{case['cache']}/", parameters).removeprefix("http://")


def memorydb(case):
    parameters = {"Action": "connect", "User": case["user"]}
    return presigned(case, "memorydb", f"http://{case['cluster']}/", parameters).removeprefix("http://")


def eks(case):
    sts = client(case, "sts")

    def remember(params, context, **_):
        context["cluster"] = params.pop("ClusterName")

    def add_header(request, **_):
        request.headers["x-k8s-aws-id"] = request.context["cluster"]

    sts.meta.events.register("provide-client-params.sts.GetCallerIdentity", remember)
    sts.meta.events.register("before-sign.sts.GetCallerIdentity", add_header)
    parameters = {"ClusterName": case["cluster"]}
    url = sts.generate_presigned_url("get_caller_identity", parameters, ExpiresIn=60, HttpMethod="GET")
    return "k8s-aws-v1." + unpadded(url)


def msk(case):
    url = f"https://kafka.{case['region']}.amazonaws.com/"
    url = presigned(case, "kafka-cluster", url, {"Action": "kafka-cluster:Connect"})
    return unpadded(url + "&User-Agent=" + quote(case["client"], safe="-._~"))


def vault(case):
    """The Authorization of the request in the login."""
    url = client(case, "sts").meta.endpoint_url
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    if case["server_id"] is not None:
        headers["X-Vault-AWS-IAM-Server-ID"] = case["server_id"]
    body = "Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest(method="POST", url=url.rstrip("/") + "/", data=body, headers=headers)
    SigV4Auth(Credentials(*case["credentials"]), "sts", case["region"]).add_auth(request)
    return request.headers["authorization"]


MAKERS = {make.__name__: make for make in (rds, dsql, elasticache, memorydb, eks, msk, vault)}

for line in sys.stdin:
    case = json.loads(line)
    stop_clocks(case["time"])
    print(MAKERS[case["token"]](case), flush=True)
