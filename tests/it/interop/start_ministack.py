"""An AWS emulator that verifies signatures (ministack), set up for the Rust tests of this folder.

Runs ministack on a loopback port of its own, with an IAM user, an assumed role, a REST API whose methods are
AWS_IAM and answer with an echo of the request, and a bucket. Prints one line of JSON that says where all of this
is, and ends when its standard input closes: the server lives in this very process, so nothing can outlive it.
"""

import json
import os
import shutil
import socket
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REGION = "eu-central-1"
STAGE = "test"
BUCKET = "interop-bucket"


class Echo(BaseHTTPRequestHandler):
    """The API's backend: says what the gateway handed on."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        seen = {
            "method": self.command,
            "target": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body.decode("utf-8", "replace"),
        }
        answer = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_DELETE = do_GET = do_HEAD = do_PATCH = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


def environment(port, state):
    """What ministack reads while it is imported. Its files go to `state`, and it looks for no Docker."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "LOCALSTACK_", "MINISTACK_"))]:
        del os.environ[name]
    os.environ.update(
        AUTH="true",
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=str(port),
        IOT_MTLS_ENABLED="0",
        LOG_LEVEL=os.environ.get("SIGV4_INTEROP_LOG", "WARNING"),
        MINISTACK_HOST="127.0.0.1",
        MINISTACK_REGION=REGION,
        PERSIST_STATE="0",
        S3_PERSIST="0",
        SFTP_ENABLED="0",
        USE_SSL="0",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        DOCKER_HOST=f"unix://{state}/no-docker.sock",
        S3_DATA_DIR=f"{state}/s3",
        STATE_DIR=f"{state}/state",
        TMPDIR=state,
    )
    os.environ.pop("SERVICES", None)
    tempfile.tempdir = None


def provision(endpoint, echo):
    """Makes what the tests use, and says where it is."""
    import botocore.session
    from botocore.config import Config

    def client(service, **more):
        # `test` is ministack's root key, which it does not verify: good for setting up, useless for a test.
        return botocore.session.get_session().create_client(
            service,
            region_name=REGION,
            endpoint_url=endpoint,
            config=Config(connect_timeout=30, read_timeout=30, proxies={}, **more),
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    allow = json.dumps(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    )
    assume = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"},
        }
    )
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
        }
    )
    iam = client("iam")
    iam.create_user(UserName="caller")
    iam.put_user_policy(UserName="caller", PolicyName="all", PolicyDocument=allow)
    user = iam.create_access_key(UserName="caller")["AccessKey"]
    iam.create_user(UserName="stranger")
    stranger = iam.create_access_key(UserName="stranger")["AccessKey"]
    iam.create_user(UserName="assumer")
    iam.put_user_policy(UserName="assumer", PolicyName="assume", PolicyDocument=assume)
    assumer = iam.create_access_key(UserName="assumer")["AccessKey"]
    role = iam.create_role(RoleName="function", AssumeRolePolicyDocument=trust)["Role"]
    iam.put_role_policy(RoleName="function", PolicyName="all", PolicyDocument=allow)
    session = client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="interop")["Credentials"]

    gateway = client("apigateway")
    api = gateway.create_rest_api(name="interop")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    items = gateway.create_resource(restApiId=api, parentId=root, pathPart="items")["id"]
    proxy = gateway.create_resource(restApiId=api, parentId=root, pathPart="{proxy+}")["id"]
    for resource, method in [(root, "GET"), (items, "GET"), (items, "POST"), (proxy, "ANY")]:
        gateway.put_method(restApiId=api, resourceId=resource, httpMethod=method, authorizationType="AWS_IAM")
        gateway.put_integration(
            restApiId=api,
            resourceId=resource,
            httpMethod=method,
            type="HTTP_PROXY",
            integrationHttpMethod=method,
            uri=echo,
        )
    gateway.create_deployment(restApiId=api, stageName=STAGE)

    client("s3", s3={"addressing_style": "path"}).create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )

    def keys(key):
        return {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}

    return {
        "endpoint": endpoint,
        "api_url": f"{endpoint}/_aws/execute-api/{api}/{STAGE}",
        "api_host": f"{api}.execute-api.{endpoint.removeprefix('http://')}",
        "stage": STAGE,
        "region": REGION,
        "bucket": BUCKET,
        "user": keys(user),
        "stranger": keys(stranger),
        "assumer": keys(assumer),
        "role_arn": role["Arn"],
        "session": keys(session) | {"session_token": session["SessionToken"]},
    }


def run(answers, listener, end):
    """Runs ministack on the main thread; the thread beside it sets it up, then waits for the input to close."""
    import asyncio

    import ministack.core.hypercorn_compat
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    ministack.core.hypercorn_compat.install()
    echo = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=echo.serve_forever, daemon=True).start()
    port = listener.getsockname()[1]

    def tend():
        try:
            # The listener takes connections already: the first call waits in it until ministack is ready.
            made = provision(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{echo.server_port}/echo")
            print(json.dumps(made), file=answers, flush=True)
            while os.read(0, 4096):
                pass
        except BaseException as error:  # this thread's own death would leave the server up
            print(f"ministack could not be set up: {error!r}", file=sys.stderr, flush=True)
            end(1)
        end(0)

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.accesslog = None
    config.loglevel = os.environ["LOG_LEVEL"]
    threading.Thread(target=tend, daemon=True).start()
    asyncio.run(serve(app, config))


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else prints must not come between
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    state = tempfile.mkdtemp(prefix="sigv4-interop-")

    def end(code):
        shutil.rmtree(state, ignore_errors=True)
        os._exit(code)

    try:
        environment(listener.getsockname()[1], state)
        run(answers, listener, end)
    except BaseException as error:
        print(f"ministack ended: {error!r}", file=sys.stderr, flush=True)
    end(1)


if __name__ == "__main__":
    main()
