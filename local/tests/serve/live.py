"""Changes and redrives Map Runs, as a user would with boto3, and sends messages. Every failed expectation ends it with a
traceback. Prints the ARN of the redriven execution."""

import json
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

config = Config(retries={"total_max_attempts": 1})
s3, sfn = (boto3.client(name, config=config) for name in ("s3", "stepfunctions"))
ROLE = "arn:aws:iam::000000000000:role/any"


def until(what, look):
    for _ in range(1_200):
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("does not come: " + what)


def start(name, definition, given):
    machine = sfn.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]
    arn = sfn.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
    listed = until("the Map Run of " + name, lambda: sfn.list_map_runs(executionArn=arn)["mapRuns"])
    return arn, listed[0]["mapRunArn"]


def ended(arn):
    def look():
        described = sfn.describe_execution(executionArn=arn)
        return described["status"] != "RUNNING" and described

    return until("the end of " + arn, look)


def distributed(states, first, **fields):
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": first,
                 "States": states}
    return {"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemProcessor": processor, "End": True, **fields}}}


# A Map Run that would take minutes, one child after the other, is told while it runs to take all at once.
wait = {"Wait": {"Type": "Wait", "Seconds": 2, "End": True}}
execution, map_run = start("slow", distributed(wait, "Wait", MaxConcurrency=1), list(range(60)))
described = until("a first child", lambda: (lambda d: d["executionCounts"]["running"] and d)(
    sfn.describe_map_run(mapRunArn=map_run)))
assert (described["maxConcurrency"], described["executionCounts"]["running"]) == (1, 1), described
sfn.update_map_run(mapRunArn=map_run, maxConcurrency=50, toleratedFailureCount=3, toleratedFailurePercentage=12.5)
described = until("more children", lambda: (lambda d: d["executionCounts"]["running"] > 10 and d)(
    sfn.describe_map_run(mapRunArn=map_run)))
changed = (described["maxConcurrency"], described["toleratedFailureCount"], described["toleratedFailurePercentage"])
assert changed == (50, 3, 12.5), described
assert ended(execution)["status"] == "SUCCEEDED"
assert sfn.describe_map_run(mapRunArn=map_run)["itemCounts"]["succeeded"] == 60

# One object is missing, so one child fails; when it is there, the redrive runs that child only, and tells a topic.
s3.create_bucket(Bucket="parts")
for number in range(5):
    if number != 3:
        s3.put_object(Bucket="parts", Key="%d.json" % number, Body=b"{}")
work = {
    "Read": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject", "Next": "Tell", "ResultPath": "$.read",
             "Parameters": {"Bucket": "parts", "Key.$": "States.Format('{}.json', $.number)"}},
    "Tell": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Next": "Keep", "ResultPath": None,
             "Parameters": {"TopicArn": "arn:aws:sns:us-east-1:000000000000:parts", "Message.$": "$.number"}},
    "Keep": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "Next": "Queue", "ResultPath": None,
             "Parameters": {"TableName": "parts", "Item": {"id": {"N.$": "States.Format('{}', $.number)"}}}},
    "Queue": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True, "ResultPath": None,
              "Parameters": {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/000000000000/parts",
                             "MessageBody.$": "$.number"}},
}
definition = distributed(work, "Read", ItemSelector={"number.$": "$$.Map.Item.Value"}, ResultPath=None, Label="parts")
execution, map_run = start("parts", definition, list(range(5)))
described = ended(execution)
assert (described["status"], described["redriveStatus"]) == ("FAILED", "REDRIVABLE"), described
assert described["error"] == "States.ExceedToleratedFailureThreshold", described
counts = sfn.describe_map_run(mapRunArn=map_run)["executionCounts"]
assert counts["failed"] == 1, counts
s3.put_object(Bucket="parts", Key="3.json", Body=b"{}")
sfn.redrive_execution(executionArn=execution)
described = ended(execution)
assert (described["status"], described["redriveCount"]) == ("SUCCEEDED", 1), described
assert json.loads(described["output"]) == [0, 1, 2, 3, 4], described
again = sfn.describe_map_run(mapRunArn=map_run)
assert (again["redriveCount"], again["itemCounts"]["succeeded"], again["itemCounts"]["failed"]) == (1, 5, 0), again
children = sfn.list_executions(mapRunArn=map_run)["executions"]
assert len(children) == 5 and {child["status"] for child in children} == {"SUCCEEDED"}, children
kinds = [event["type"] for event in sfn.get_execution_history(executionArn=execution)["events"]]
assert "ExecutionRedriven" in kinds and "MapRunRedriven" in kinds and kinds[-1] == "ExecutionSucceeded", kinds
try:
    sfn.redrive_execution(executionArn=execution)
    raise AssertionError("an execution that has succeeded cannot be redriven")
except ClientError as error:
    assert error.response["Error"]["Code"] == "ExecutionNotRedrivable", error
print(execution)
