"""Whole runs: the deployed functions, the queue, the table and the topic of the emulator, under Mapmill's own Step Functions.

The emulator's Step Functions knows no ItemBatcher and no ResultWriter and leaves both out without a word, so that a worker
would get a bare object instead of a batch. `mapmill serve` knows them. It takes the definitions as they were deployed, with
everything filled in, and reaches the emulator for what they call. Its own S3 holds the buckets, because its Map reads and
writes there; the functions are pointed to it by a variable. The emulator does not let a variable replace the keys of the
functions, as AWS does not, so a line of shell in front of each program does.
"""

import contextlib
import gzip
import json
import pathlib
import re
import signal
import subprocess
import time
import zipfile

import boto3

from emulator import ACCOUNT, REGION, STACK


WRAPPER = """#!/bin/sh
export AWS_ACCESS_KEY_ID="$RING_ACCESS_KEY_ID" AWS_SECRET_ACCESS_KEY="$RING_SECRET_ACCESS_KEY"
unset AWS_SESSION_TOKEN
exec "$(dirname "$0")/program"
"""


def wrapped(zips, folder):
    """The zips of the functions with the line of shell in front of each program."""
    for path in pathlib.Path(zips).glob("*.zip"):
        with zipfile.ZipFile(path) as packed, zipfile.ZipFile(folder / path.name, "w") as wrapped_zip:
            for name, content in [("bootstrap", WRAPPER.encode()), ("program", packed.read("bootstrap"))]:
                entry = zipfile.ZipInfo(name)
                entry.create_system, entry.external_attr = 3, 0o100755 << 16
                wrapped_zip.writestr(entry, content)


@contextlib.contextmanager
def step_functions(emulator, mapmill):
    """`mapmill serve` beside the emulator: its variables, as it prints them."""
    command = [mapmill, "serve", "--lambda-endpoint", emulator.url]
    for service in ["sqs", "sns", "dynamodb"]:
        command += ["--endpoint", f"{service}={emulator.url}"]
    log = emulator.folder / "serve.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=emulator.environment, stdout=file, stderr=file)
    try:
        for _ in range(100):
            variables = dict(re.findall(r"^export (\w+)=['\"]?([^'\"\n]+)", log.read_text(), re.M))
            if "AWS_ENDPOINT_URL_S3" in variables and "AWS_SECRET_ACCESS_KEY" in variables:
                break
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        yield variables
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)


class Account:
    """The two together, as one account."""

    def __init__(self, emulator, outputs, variables):
        self.emulator = emulator
        self.outputs = outputs
        self.variables = variables
        self.s3 = self.client("s3", "AWS_ENDPOINT_URL_S3")
        for bucket in ["raw", "clean"]:
            self.s3.create_bucket(Bucket=bucket)
        self.machines = self.client("stepfunctions", "AWS_ENDPOINT_URL_SFN")
        self.point_functions_here()

    def client(self, service, endpoint):
        return boto3.client(
            service,
            endpoint_url=self.variables[endpoint],
            region_name=REGION,
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
        )

    def point_functions_here(self):
        functions = self.emulator.client("lambda")
        more = {
            "AWS_ENDPOINT_URL_S3": self.variables["AWS_ENDPOINT_URL_S3"],
            "RING_ACCESS_KEY_ID": self.variables["AWS_ACCESS_KEY_ID"],
            "RING_SECRET_ACCESS_KEY": self.variables["AWS_SECRET_ACCESS_KEY"],
        }
        for function in functions.list_functions()["Functions"]:
            variables = {**function["Environment"]["Variables"], **more}
            functions.update_function_configuration(FunctionName=function["FunctionName"], Environment={"Variables": variables})

    def start(self, machine, run, event):
        """Runs a machine as it was deployed, to its end."""
        deployed = self.emulator.client("stepfunctions")
        arn = next(one["stateMachineArn"] for one in deployed.list_state_machines()["stateMachines"] if one["name"] == f"{STACK}-{machine}")
        definition = deployed.describe_state_machine(stateMachineArn=arn)["definition"]
        assert "${" not in definition, "the template left a placeholder"
        made = self.machines.create_state_machine(name=f"{machine}-{run}", definition=definition, roleArn=f"arn:aws:iam::{arn.split(':')[4]}:role/any")
        execution = self.machines.start_execution(stateMachineArn=made["stateMachineArn"], name=run, input=json.dumps(event))
        for _ in range(600):
            described = self.machines.describe_execution(executionArn=execution["executionArn"])
            if described["status"] != "RUNNING":
                return described
            time.sleep(0.1)
        raise AssertionError(f"{run} did not end")

    def keys(self, prefix):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket="clean", Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def lines(self, prefix):
        return [json.loads(line) for key in self.keys(prefix) for line in self.s3.get_object(Bucket="clean", Key=key)["Body"].read().splitlines()]


    def failures(self, run):
        """What Step Functions wrote of batches that failed."""
        keys = [key for key in self.keys(f"out/_mapmill/{run}/map-run/") if "FAILED" in key]
        return [self.s3.get_object(Bucket="clean", Key=key)["Body"].read(2000) for key in keys]


def event(**more):
    job = {
        "version": 1,
        "name": "ring",
        "source": {"bucket": "raw", "prefix": "in/"},
        "output": {"bucket": "clean", "prefix": "out/", "compression": "none"},
        **more,
    }
    return {"job": job, "batch": {"max_items": 5, "max_concurrency": 4, "tolerated_failure_percentage": 0}}


class Mailbox:
    """A queue behind the topic of runs, to read what it told."""

    def __init__(self, emulator, topic):
        self.queue = emulator.client("sqs")
        self.url = self.queue.create_queue(QueueName="mailbox")["QueueUrl"]
        arn = self.queue.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        emulator.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def next(self):
        return json.loads(json.loads(take(self.queue, self.url)["Body"])["Message"])


def take(queue, url, seconds=5):
    """The next message of a queue, taken away from it."""
    messages = queue.receive_message(QueueUrl=url, WaitTimeSeconds=seconds).get("Messages", [])
    assert messages, f"there is no message in {url}"
    queue.delete_message(QueueUrl=url, ReceiptHandle=messages[0]["ReceiptHandle"])
    return messages[0]


def all_of_them(emulator, outputs, mapmill):
    with step_functions(emulator, mapmill) as variables:
        account = Account(emulator, outputs, variables)
        mailbox = Mailbox(emulator, outputs["NotificationTopicArn"])
        for number in range(20):
            account.s3.put_object(Bucket="raw", Key=f"in/{number:02}.csv", Body=f"id,name\n{number},x\n".encode())
        for machine in ["simple", "nested", "packed"]:
            good(account, mailbox, machine)
        failing(account, mailbox)
        repaired(account, mailbox)
        asynchronous(emulator, outputs)


def good(account, mailbox, machine):
    """Every object is processed, in batches, and the topic tells of it."""
    run = f"good-{machine}"
    done = account.start(machine, run, event())
    assert done["status"] == "SUCCEEDED", (done.get("error"), done.get("cause"), account.failures(run))
    ledgers = account.keys(f"out/_mapmill/{run}/ledger/")
    assert 1 < len(ledgers) < 20, f"batches, neither one nor one for each object: {ledgers}"
    lines = account.lines(f"out/_mapmill/{run}/ledger/")
    assert len(lines) == 20 and all(line["status"] == "succeeded" for line in lines), lines
    assert account.lines("out/00.csv.ndjson") == [{"id": "0", "name": "x"}]
    told = mailbox.next()
    assert (told["run_id"], told["verdict"]) == (run, "succeeded"), told
    print(f"{machine}: 20 objects in {len(ledgers)} batches through the deployed functions, and the topic told of it")


def failing(account, mailbox):
    """A batch that fails for good stands in the table, in the queue, and the topic tells of the run."""
    account.s3.put_object(Bucket="raw", Key="in/bad.json.gz", Body=b"this is not gzip")
    done = account.start("simple", "bad", event(on_failure="fail"))
    assert done["status"] == "FAILED", done
    table = account.emulator.client("dynamodb")
    items = table.query(
        TableName=account.outputs["FailureTableName"],
        KeyConditionExpression="run_id = :run",
        ExpressionAttributeValues={":run": {"S": "bad"}},
    )["Items"]
    assert len(items) == 1 and items[0]["error"]["S"] == "Mapmill.BatchFailed", items
    days = (int(items[0]["expires_at"]["N"]) - time.time()) / 86400
    assert 0 < days < 400, f"it expires in {days} days"
    letter = json.loads(take(account.emulator.client("sqs"), account.outputs["DeadLetterQueueUrl"])["Body"])
    assert (letter["run_id"], letter["error"], letter["batch"]) == ("bad", "Mapmill.BatchFailed", items[0]["batch"]["S"]), letter
    told = mailbox.next()
    assert (told["run_id"], told["verdict"]) == ("bad", "failed"), told
    print("simple with a bad object: the run failed; failure table, dead letters and topic have it")


def repaired(account, mailbox):
    """The object is mended, and `repair` does what the failed run left, with the object as it is now."""
    account.s3.put_object(Bucket="raw", Key="in/bad.json.gz", Body=gzip.compress(b'{"id": 1}\n'))
    done = account.start("repair", "mended", {**event(on_failure="fail"), "repair": {"run": "bad"}})
    assert done["status"] == "SUCCEEDED", (done.get("cause"), account.lines("out/_mapmill/mended/ledger/"))
    assert account.lines("out/bad.json.gz.ndjson") == [{"id": 1}]
    told = mailbox.next()
    assert (told["run_id"], told["verdict"]) == ("mended", "succeeded"), told
    assert (told["items"]["total"], told["items"]["succeeded"]) == (21, 21), told
    print("repair: the mended object and nothing else; with the run before it all 21 objects are done")


def asynchronous(emulator, outputs):
    """An event that a function cannot take, invoked without waiting, ends in the queue of dead letters."""
    functions = emulator.client("lambda")
    name = f"{STACK}-transform"
    # The emulator's CloudFormation drops DeadLetterConfig without a word; a call sets it. The ARN is the template's.
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{STACK}-dead-letters"
    functions.update_function_configuration(FunctionName=name, DeadLetterConfig={"TargetArn": queue})
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"no": "batch"}')
    letter = json.loads(take(emulator.client("sqs"), outputs["DeadLetterQueueUrl"], seconds=20)["Body"])
    # AWS sends the event itself, the emulator the event in the form of a destination.
    assert letter.get("requestPayload", letter) == {"no": "batch"}, letter
    print("an asynchronous event that failed is in the queue of dead letters")
