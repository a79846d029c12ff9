"""Drives a `mapmill serve` whose functions and queues are elsewhere."""

import base64
import json

import boto3
from botocore.config import Config

sfn = boto3.client("stepfunctions", config=Config(inject_host_prefix=False))
ROLE = "arn:aws:iam::000000000000:role/any"
invoke = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "Send",
          "ResultSelector": {"Payload.$": "$.Payload", "log.$": "States.Base64Decode($.LogResult)"},
          "Parameters": {"FunctionName": "work", "Payload.$": "$", "LogType": "Tail", "InvocationType": "RequestResponse",
                         "ClientContext": base64.b64encode(b'{"custom": {"who": "me"}}').decode()}}
send = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True, "ResultPath": "$.sent",
        "ResultSelector": {"id.$": "$.MessageId"},
        "Parameters": {"QueueUrl": "http://queues/1/q", "MessageBody.$": "States.JsonToString($)"}}
definition = json.dumps({"StartAt": "Work", "States": {"Work": invoke, "Send": send}})
machine = sfn.create_state_machine(name="m", definition=definition, roleArn=ROLE, type="EXPRESS")["stateMachineArn"]
answer = sfn.start_sync_execution(stateMachineArn=machine, input=json.dumps({"Items": [1, 2, 3]}))
output = json.loads(answer["output"])
assert output["Payload"] == {"items": 3, "bucket": "raw"} and output["sent"] == {"id": "from-elsewhere"}, answer
assert "START RequestId" in output["log"] and "Billed Duration" in output["log"], answer
answer = sfn.start_sync_execution(stateMachineArn=machine, input=json.dumps({"do": "fail"}))
assert (answer["status"], answer["error"]) == ("FAILED", "Mine"), answer
invoke["Parameters"] = {"FunctionName": "work", "Payload": {"do": "context"},
                        "ClientContext": invoke["Parameters"]["ClientContext"]}
definition = json.dumps({"StartAt": "Work", "States": {"Work": dict(invoke, Next="End", ResultSelector={
    "seen.$": "$.Payload['Client-Context']"}), "End": {"Type": "Succeed"}}})
machine = sfn.create_state_machine(name="c", definition=definition, roleArn=ROLE, type="EXPRESS")["stateMachineArn"]
answer = sfn.start_sync_execution(stateMachineArn=machine)
assert json.loads(answer["output"]) == {"seen": '{"custom": {"who": "me"}}'}, answer

