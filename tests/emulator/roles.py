"""Every role of the deployed stack, held by an emulator that enforces policies: what it must do it may do, and what it
must not do is refused.

Functions run under their own roles. Where their own check (MAPMILL_READ, MAPMILL_WRITE) would refuse first, it is
opened wide, so that it is the role that refuses. The emulator does not hold its Step Functions to the role of a state
machine, so the calls of those are made here with credentials of the role.
"""

import gzip
import io
import json
import random
import time

from botocore.exceptions import ClientError

from emulator import ACCOUNT, REGION, STACK


def job(source="in/", output="out/", **more):
    return {
        "version": 1,
        "name": "roles",
        "source": {"bucket": "raw", "prefix": source},
        "output": {"bucket": "clean", "prefix": output, "compression": "none"},
        **more,
    }


def batch(run, keys, the_job, sizes=None):
    items = [{"Key": key, **({"Size": sizes[key]} if sizes else {})} for key in keys]
    return {"BatchInput": {"mapmill": {"version": 1, "run_id": run, "correlation_id": "emulator", "job": the_job}}, "Items": items}


def invoke(emulator, function, event):
    answer = emulator.client("lambda").invoke(FunctionName=f"{STACK}-{function}", Payload=json.dumps(event))
    return answer.get("FunctionError"), json.loads(answer["Payload"].read())


def open_wide(emulator, function):
    """Lets the function's own check pass everything, so that only its role is left."""
    client = emulator.client("lambda")
    variables = client.get_function_configuration(FunctionName=f"{STACK}-{function}")["Environment"]["Variables"]
    wide = {**variables, "MAPMILL_READ": "raw,clean,other", "MAPMILL_WRITE": "raw,clean,other"}
    client.update_function_configuration(FunctionName=f"{STACK}-{function}", Environment={"Variables": wide})
    for _ in range(50):
        now = client.get_function_configuration(FunctionName=f"{STACK}-{function}")["Environment"]["Variables"]
        if now["MAPMILL_WRITE"] == wide["MAPMILL_WRITE"]:
            return
        time.sleep(0.1)
    raise AssertionError("the variables did not change")


def rows(megabytes):
    """CSV with random digits, so that it does not get small."""
    numbers = random.Random(1)
    text = io.StringIO()
    text.write("id,name\n")
    while text.tell() < megabytes << 20:
        text.write(f"{numbers.getrandbits(63)},{numbers.getrandbits(255)}\n")
    return text.getvalue().encode()


def transform(emulator):
    s3 = emulator.client("s3")
    large = rows(20)
    objects = {
        "in/small.csv": b"id,name\n1,a\n2,b\n",
        "in/bad.csv": b"id,name\n1,a\n2\n",
        # Goes up in parts.
        "in/large.csv": large,
        # Breaks at its end, after parts were uploaded: the upload is aborted.
        "in/broken.csv.gz": gzip.compress(large, 1)[:-4] + b"\0\0\0\0",
    }
    for key, body in objects.items():
        s3.put_object(Bucket="raw", Key=key, Body=body)
    s3.put_object(Bucket="raw", Key="secret/a.csv", Body=b"id\n1\n")
    s3.put_object(Bucket="other", Key="in/a.csv", Body=b"id\n1\n")
    s3.put_object(Bucket="clean", Key="job.json", Body=json.dumps(job()))

    the_job = job(record={"types": {"id": "integer"}})
    # Twice: the second attempt looks at the ledger and the outputs of the first.
    for _ in range(2):
        error, answer = invoke(emulator, "transform", batch("good", list(objects), the_job, {key: len(body) for key, body in objects.items()}))
        assert error is None and answer["items"]["succeeded"] == 3, answer
        assert [failure["code"] for failure in answer["failures"]] == ["corrupt_gzip"], answer
    written = emulator.keys("clean")
    assert {"out/small.csv.ndjson", "out/bad.csv.ndjson", "out/large.csv.ndjson"} <= set(written), written
    assert any(key.startswith("out/_mapmill/good/rejects/") for key in written), written
    assert s3.list_multipart_uploads(Bucket="clean").get("Uploads", []) == [], "the upload was aborted"

    open_wide(emulator, "transform")
    refused(invoke(emulator, "transform", batch("read", ["secret/a.csv"], job("secret/"))), "s3:GetObject")
    elsewhere = job()
    elsewhere["source"]["bucket"] = "other"
    refused(invoke(emulator, "transform", batch("bucket", ["in/a.csv"], elsewhere)), "s3:GetObject")
    refused(invoke(emulator, "transform", batch("write", ["in/small.csv"], job(output="elsewhere/"))), "s3:PutObject")
    refused(invoke(emulator, "transform", batch("job", ["in/small.csv"], "s3://clean/job.json")), "s3:GetObject")
    assert not [key for key in emulator.keys("clean") if key.startswith("elsewhere/")]


def of_run(run, the_job, **more):
    """What the state machines hand to plan and report."""
    return {"mapmill": {"version": 1, "run_id": run, "correlation_id": "emulator", "job": the_job}, **more}


def plan(emulator):
    """Plans what `transform` has worked on, then elsewhere."""
    for strategy in ["simple", "packed"]:
        error, answer = invoke(emulator, "plan", of_run(f"plan-{strategy}", job(), strategy=strategy, batch={}))
        assert error is None and answer["items"] > 3, answer
        assert (answer["units"] is not None) == (strategy == "packed"), answer
        assert answer["plan"] == f"s3://clean/out/_mapmill/plan-{strategy}/plan.json", answer
    open_wide(emulator, "plan")
    refused(invoke(emulator, "plan", of_run("list", job("secret/"), strategy="packed", batch={})), "s3:ListBucket")
    refused(invoke(emulator, "plan", of_run("write", job(output="elsewhere/"), strategy="packed", batch={})), "s3:PutObject")
    refused(invoke(emulator, "plan", of_run("job", "s3://clean/job.json", strategy="packed", batch={})), "s3:GetObject")


def report(emulator):
    """Reports on a run whose batches never began, then elsewhere."""
    planned = of_run("plan-simple", job(), plan="s3://clean/out/_mapmill/plan-simple/plan.json", map_run=None, failure=None)
    error, answer = invoke(emulator, "report", planned)
    assert error is None and answer["verdict"] == "failed" and answer["items"]["missing"] > 3, answer
    assert "out/_mapmill/plan-simple/report/report.json" in emulator.keys("clean")
    open_wide(emulator, "report")
    emulator.client("s3").put_object(Bucket="other", Key="plan.json", Body=b"{}")
    refused(invoke(emulator, "report", {**planned, "plan": "s3://other/plan.json"}), "s3:GetObject")


def refused(outcome, action):
    """The role refused: the answer or the error carries the emulator's words."""
    text = json.dumps(outcome)
    assert f"is not authorized to perform: {action}" in text, text


# Calls with the credentials of the role of a state machine: client, operation, arguments. The first list of a machine
# must be allowed, the second refused.
def calls_of(machine, outputs):
    arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{STACK}-"
    run = "out/_mapmill/run-1"
    results = f"{run}/map-run/0193/SUCCEEDED_0.jsonl"
    own = [
        ("lambda", "invoke", {"FunctionName": f"{STACK}-transform", "Payload": b"{}"}),
        ("sns", "publish", {"TopicArn": outputs["NotificationTopicArn"], "Message": "x"}),
        ("sqs", "send_message", {"QueueUrl": outputs["DeadLetterQueueUrl"], "MessageBody": "x"}),
        ("dynamodb", "put_item", {"TableName": outputs["FailureTableName"], "Item": {"run_id": {"S": "r"}, "batch": {"S": "b"}}}),
        ("s3", "put_object", {"Bucket": "clean", "Key": results, "Body": b"x"}),
        ("s3", "get_object", {"Bucket": "clean", "Key": results}),
        ("stepfunctions", "start_execution", {"stateMachineArn": arn + machine, "input": "{}"}),
    ]
    foreign = [
        ("lambda", "delete_function", {"FunctionName": f"{STACK}-transform"}),
        ("sqs", "receive_message", {"QueueUrl": outputs["DeadLetterQueueUrl"]}),
        ("dynamodb", "get_item", {"TableName": outputs["FailureTableName"], "Key": {"run_id": {"S": "r"}, "batch": {"S": "b"}}}),
        ("s3", "put_object", {"Bucket": "clean", "Key": "out/a.ndjson", "Body": b"x"}),
        ("s3", "delete_object", {"Bucket": "clean", "Key": results}),
        ("s3", "get_object", {"Bucket": "raw", "Key": "in/small.csv"}),
        ("s3", "list_objects_v2", {"Bucket": "raw", "Prefix": "secret/"}),
    ]
    foreign += [
        ("stepfunctions", "start_execution", {"stateMachineArn": arn + other, "input": "{}"})
        for other in ["simple", "nested", "packed", "repair"]
        if other != machine
    ]
    listing = ("s3", "list_objects_v2", {"Bucket": "raw", "Prefix": "in/"})
    units = ("s3", "get_object", {"Bucket": "clean", "Key": f"{run}/units/units.jsonl"})
    lists = machine in ("simple", "nested")
    own.append(listing if lists else units)
    foreign.append(units if lists else listing)
    return own, foreign


def machine(emulator, name, outputs):
    emulator.client("s3").put_object(Bucket="clean", Key="out/_mapmill/run-1/units/units.jsonl", Body=b"{}")
    roles = emulator.client("iam").list_roles()["Roles"]
    role = next(role for role in roles if role["RoleName"].startswith(f"{STACK}-{name.capitalize()}MachineRole"))
    take = lambda: emulator.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="emulator")["Credentials"]
    try:
        take()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied", error
    else:
        raise AssertionError(f"the role of {name} may be taken by others than Step Functions")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}]}
    emulator.client("iam").update_assume_role_policy(RoleName=role["RoleName"], PolicyDocument=json.dumps(trust))
    keys = take()
    own, foreign = calls_of(name, outputs)
    for service, operation, arguments in own:
        try:
            getattr(emulator.client(service, keys), operation)(**arguments)
        except ClientError as error:
            raise AssertionError(f"{name} may not {operation} {arguments}: {error}") from error
    for service, operation, arguments in foreign:
        try:
            getattr(emulator.client(service, keys), operation)(**arguments)
        except ClientError as error:
            assert "AccessDenied" in error.response["Error"]["Code"], f"{name} {operation} {arguments}: {error}"
        else:
            raise AssertionError(f"{name} may {operation} {arguments}")
    return len(own), len(foreign)
