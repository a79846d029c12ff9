"""The emulator of AWS, as a process with clients, and the deployment of the template to it.

ministack knows nearly everything that the template uses. What it does not, `adapted` takes out, with what it answers; the
tests of `tests/deployment` look at those parts instead.
"""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

import boto3

ROOT = pathlib.Path(__file__).resolve().parents[2]
# That of the ARNs of `mapmill serve`.
REGION = "us-east-1"
ACCOUNT = "000000000000"
STACK = "mill"
BUCKETS = ["artifacts", "raw", "clean", "other"]

# Type of resource, a text of it, and what ministack 1.5.33 says to it.
UNKNOWN = [
    ("AWS::Logs::QueryDefinition", "", "Template format error: Unrecognized resource types: [AWS::Logs::QueryDefinition]"),
    ("AWS::CloudWatch::Alarm", "\n      Metrics:", "Properties.Metrics (metric math) is not supported; use MetricName and Namespace."),
    ("AWS::CloudWatch::Dashboard", "", "it names the alarms above"),
    # It speaks plain HTTP only, so this policy denies everything, as it should.
    ("AWS::SQS::QueuePolicy", "OnlyOverTls", "Access to the resource https://sqs.eu-central-1.amazonaws.com/ is denied."),
]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Emulator:
    """A ministack on a port of its own. With `enforces_roles` every call is held against the caller's policies."""

    def __init__(self, folder, programs, enforces_roles):
        self.folder = pathlib.Path(folder)
        self.url = f"http://127.0.0.1:{free_port()}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": self.url.rsplit(":", 1)[1],
            "AWS_ENDPOINT_URL": self.url,
            # The keys of the root user, who may do everything.
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "SAM_CLI_TELEMETRY": "0",
            "AUTH": "true" if enforces_roles else "false",
        }
        self.programs = pathlib.Path(programs)
        self.process = None

    def __enter__(self):
        log = (self.folder / "emulator.log").open("wb")
        self.process = subprocess.Popen([self.programs / "ministack"], env=self.environment, stdout=log, stderr=log, cwd=self.folder)
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(self.environment["GATEWAY_PORT"]))):
                break
            time.sleep(0.1)
        for bucket in BUCKETS:
            self.client("s3").create_bucket(Bucket=bucket)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=20)

    def client(self, service, credentials=None):
        """A client of a service, as the root user or with the credentials of a role."""
        keys = credentials or {"AccessKeyId": "test", "SecretAccessKey": "test", "SessionToken": None}
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    def keys(self, bucket):
        """The keys of a bucket."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def read(self, bucket, key):
        return self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()

    def deploy(self, sam, zips, parameters):
        """Packages the template with SAM and deploys it, as `make deploy` does; the outputs of the stack."""
        work = self.folder / "deploy"
        work.mkdir()
        functions = sorted(path.name for path in (ROOT / "functions").iterdir())
        (work / "template.yaml").write_text(adapted((ROOT / "template.yaml").read_text(), functions))
        shutil.copytree(ROOT / "statemachine", work / "statemachine")
        for function in functions:
            shutil.copy(pathlib.Path(zips) / f"{function}.zip", work)
        self.run(work, [sam, "package", "--template-file", "template.yaml", "--s3-bucket", "artifacts", "--output-template-file", "packaged.yaml"])
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        self.run(
            work,
            [sam, "deploy", "--template-file", "packaged.yaml", "--stack-name", STACK, "--s3-bucket", "artifacts", "--capabilities",
             "CAPABILITY_IAM", "--no-confirm-changeset", "--parameter-overrides", *overrides],
        )  # fmt: skip
        stack = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack["StackStatus"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def run(self, folder, command):
        done = subprocess.run(command, cwd=folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command[:2]} failed:\n{done.stdout}\n{done.stderr}"


def adapted(template, functions):
    """The template without what the emulator does not know, with zips that are built already, and without the functions
    and state machines whose sources are not there."""
    head, rest = template.split("\nResources:\n", 1)
    resources, outputs = rest.split("\nOutputs:\n", 1)
    blocks = re.split(r"(?m)^(?=  \w+:\n    Type: )", resources)
    known = [block for block in blocks if not any(f"Type: {kind}\n" in block and text in block for kind, text, _ in UNKNOWN)]
    assert len(known) < len(blocks)
    body = re.sub(r"CodeUri: functions/(\w+)", r"CodeUri: \1.zip", "".join(known))
    return f"{head}\nResources:\n{body}\nOutputs:\n{outputs}"
