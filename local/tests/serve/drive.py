"""Drives `mapmill serve` with boto3, as a user would. Every failed expectation ends it with a traceback."""

import base64
import json
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

config = Config(inject_host_prefix=False, retries={"total_max_attempts": 1})
s3, sfn, functions = (boto3.client(name, config=config) for name in ("s3", "stepfunctions", "lambda"))
ROLE = "arn:aws:iam::000000000000:role/any"


def refused(kind, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == kind, error
        return error
    raise AssertionError("expected " + kind)


def ended(arn):
    for _ in range(600):
        described = sfn.describe_execution(executionArn=arn)
        if described["status"] != "RUNNING":
            return described
        time.sleep(0.05)
    raise AssertionError("does not end: " + arn)


# Lambda
answer = functions.invoke(FunctionName="work", Payload=json.dumps({"Items": [1, 2]}), LogType="Tail")
assert json.loads(answer["Payload"].read()) == {"items": 2, "bucket": "raw"}, answer
log = base64.b64decode(answer["LogResult"]).decode()
for part in ("START RequestId: ", "working on ", "END RequestId: ", "Billed Duration: ", "Init Duration: "):
    assert part in log, log
again = functions.invoke(FunctionName="arn:aws:lambda:us-east-1:000000000000:function:work", LogType="Tail")
assert "Init Duration" not in base64.b64decode(again["LogResult"]).decode(), "the environment is warm"
failed = functions.invoke(FunctionName="work", Payload=json.dumps({"do": "fail"}))
assert failed["FunctionError"] == "Unhandled" and json.loads(failed["Payload"].read())["errorType"] == "Mine"
crashed = functions.invoke(FunctionName="work", Payload=json.dumps({"do": "crash"}), LogType="Tail")
assert "exit status 7" in json.loads(crashed["Payload"].read())["errorMessage"]
assert "Error Type: Runtime.ExitError" in base64.b64decode(crashed["LogResult"]).decode()
hoarded = functions.invoke(FunctionName="work", Payload=json.dumps({"do": "hoard"}), LogType="Tail")
assert json.loads(hoarded["Payload"].read())["errorType"] == "Runtime.ExitError"
assert "Error Type: Runtime.OutOfMemory" in base64.b64decode(hoarded["LogResult"]).decode()
context = base64.b64encode(b'{"custom":{"a":1}}').decode()
seen = functions.invoke(FunctionName="work:live", Payload=json.dumps({"do": "context"}), ClientContext=context)
seen = json.loads(seen["Payload"].read())
assert seen["Client-Context"] == '{"custom":{"a":1}}' and seen["Invoked-Function-Arn"].endswith(":work:live"), seen
assert 0 < int(seen["Deadline-Ms"]) / 1000 - time.time() < 271, seen
assert functions.invoke(FunctionName="work", InvocationType="Event")["StatusCode"] == 202
assert functions.invoke(FunctionName="work", InvocationType="DryRun")["StatusCode"] == 204
refused("ResourceNotFoundException", functions.invoke, FunctionName="other")

# Step Functions over objects in S3
s3.create_bucket(Bucket="raw")
for number in range(25):
    s3.put_object(Bucket="raw", Key="in/%02d.json" % number, Body=b"{}")
task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "OutputPath": "$.Payload", "End": True,
        "Parameters": {"FunctionName": "work", "Payload.$": "$"}}
processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Work",
             "States": {"Work": task}}
reader = {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "raw", "Prefix": "in/"}}
distributed = {"Type": "Map", "Label": "all", "ItemReader": reader, "ItemBatcher": {"MaxItemsPerBatch": 10},
               "ItemProcessor": processor, "End": True}
definition = json.dumps({"StartAt": "Each", "States": {"Each": distributed}})
assert sfn.validate_state_machine_definition(definition=definition)["result"] == "OK"
machine = sfn.create_state_machine(name="batches", definition=definition, roleArn=ROLE)["stateMachineArn"]
execution = sfn.start_execution(stateMachineArn=machine, name="first", input="{}")["executionArn"]
described = ended(execution)
assert described["status"] == "SUCCEEDED", described
assert [answer["items"] for answer in json.loads(described["output"])] == [10, 10, 5], described
refused("ExecutionAlreadyExists", sfn.start_execution, stateMachineArn=machine, name="first", input="[]")
pages = sfn.get_paginator("get_execution_history").paginate(executionArn=execution, PaginationConfig={"PageSize": 3})
kinds = [event["type"] for page in pages for event in page["events"]]
assert kinds[0] == "ExecutionStarted" and kinds[-1] == "ExecutionSucceeded" and len(kinds) == 8, kinds
map_run = sfn.list_map_runs(executionArn=execution)["mapRuns"][0]["mapRunArn"]
counts = sfn.describe_map_run(mapRunArn=map_run)["itemCounts"]
assert (counts["succeeded"], counts["total"]) == (25, 25), counts
children = sfn.list_executions(mapRunArn=map_run, statusFilter="SUCCEEDED")["executions"]
assert len(children) == 3 and {child["itemCount"] for child in children} == {5, 10}, children
child = sfn.get_execution_history(executionArn=children[0]["executionArn"], reverseOrder=True)["events"]
assert child[0]["type"] == "ExecutionSucceeded", child
refused("ResourceNotFound", sfn.describe_map_run, mapRunArn=map_run[:-1])

express = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": 1, "End": True}}})
express = sfn.create_state_machine(name="fast", definition=express, roleArn=ROLE, type="EXPRESS")["stateMachineArn"]
assert sfn.start_sync_execution(stateMachineArn=express)["output"] == "1"
refused("StateMachineTypeNotSupported", sfn.start_sync_execution, stateMachineArn=machine)

waiting = json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}})
sfn.update_state_machine(stateMachineArn=machine, definition=waiting)
execution = sfn.start_execution(stateMachineArn=machine)["executionArn"]
sfn.stop_execution(executionArn=execution, error="Enough")
described = ended(execution)
assert (described["status"], described["error"]) == ("ABORTED", "Enough"), described
sfn.delete_state_machine(stateMachineArn=machine)
refused("StateMachineDoesNotExist", sfn.describe_state_machine, stateMachineArn=machine)
# Left running on purpose: it has to end with the command.
sfn.start_execution(stateMachineArn=express)
print("all well")
