"""Runs the recorded scenarios through `mapmill serve`, over its protocols alone: boto3 for Step Functions and S3, and a
stand-in for Lambda behind --lambda-endpoint. `compare.py`, which lies beside the recordings, judges.

    recorded.py MAPMILL FOLDER [PART-OF-A-NAME]

Prints every scenario that differs and ends with 1 when there are any."""

import collections
import concurrent.futures
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

PROGRAM, FOLDER = sys.argv[1:3]
WANTED = sys.argv[3] if len(sys.argv) > 3 else ""
sys.path.insert(0, FOLDER)
from compare import compare  # noqa: E402

# What these need to be missing exists here: without --table every table does, and every topic and queue.
EVERYTHING_EXISTS = {
    "error_handling.aws_sdk.dynamodb_put_item_no_such_table",
    "error_handling.task_service_dynamodb.put_item_no_such_table",
    "sns_task_service.publish_base_error_topic_arn",
}
# Before, the end of a Distributed Map was linked to the end of its Map Run; now it is to its start.
LINKS_CHANGED = "2024-11"
ACCOUNT, REGION = "000000000000", "us-east-1"
ROLE = "arn:aws:iam::%s:role/any" % ACCOUNT
DEADLINE = 90
functions = {}


class Lambda(http.server.BaseHTTPRequestHandler):
    """Functions that behave as the scenarios say."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, **headers):
        self.send_response(status)
        headers = {"X-Amz-Executed-Version": "$LATEST", "x-amzn-RequestId": str(uuid.uuid4()), **headers}
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        event = self.rfile.read(int(self.headers["Content-Length"]))
        path = urllib.parse.unquote(urllib.parse.urlparse(self.path).path)
        name = path.removeprefix("/2015-03-31/functions/").removesuffix("/invocations")
        behaviour = functions.get(name)
        if behaviour is None:
            message = "Function not found: arn:aws:lambda:%s:%s:function:%s:$LATEST" % (REGION, ACCOUNT, name)
            body = json.dumps({"Type": "User", "Message": message}).encode()
            return self.answer(404, body, x_amzn_ErrorType="ResourceNotFoundException")
        if "sleepSeconds" in behaviour:
            time.sleep(behaviour["sleepSeconds"])
            behaviour = behaviour["then"]
        log = {"X_Amz_Log_Result": "U1RBUlQK"} if self.headers["X-Amz-Log-Type"] == "Tail" else {}
        if behaviour == "echo":
            return self.answer(200, event, **log)
        if "returns" in behaviour:
            return self.answer(200, json.dumps(behaviour["returns"]).encode(), **log)
        if "returnsRawText" in behaviour:
            text = behaviour["returnsRawText"]
            return self.answer(200, text["repeat"].encode() * text["count"])
        error = {**behaviour["raises"], "requestId": str(uuid.uuid4())}
        self.answer(200, json.dumps(error).encode(), X_Amz_Function_Error="Unhandled")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def tokens(text, run):
    """What the tokens of a scenario stand for."""
    values = {}
    for token, kind, name in re.findall(r"(\$\{([A-Za-z]+)(?::([^}]+))?\})", text):
        function = re.sub(r"\W", "-", name) + "-" + run
        values[token] = {
            "Function": "arn:aws:lambda:%s:%s:function:%s" % (REGION, ACCOUNT, function),
            "FunctionName": function,
            "Bucket": "bucket-" + run,
            "Key": "key-" + run,
            "Table": "table-" + run,
            "QueueName": "queue-" + run,
            "QueueUrl": "https://sqs.%s.amazonaws.com/%s/queue-%s" % (REGION, ACCOUNT, run),
            "TopicName": "topic-" + run,
            "TopicArn": "arn:aws:sns:%s:%s:topic-%s" % (REGION, ACCOUNT, run),
        }[kind]
    return values


def filled(value, values):
    if isinstance(value, str):
        for token, text in values.items():
            value = value.replace(token, text)
        return value
    if isinstance(value, list):
        return [filled(entry, values) for entry in value]
    if isinstance(value, dict):
        return {filled(name, values): filled(entry, values) for name, entry in value.items()}
    return value


def plain(answer):
    answer.pop("ResponseMetadata")
    return answer


def refusal(error):
    return {"error": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}


def answered(scenario, values, run):
    """What the protocols answer to a scenario, in the shape that compare.py takes."""
    for name, behaviour in (scenario.get("functions") or {}).items():
        functions[re.sub(r"\W", "-", name) + "-" + run] = behaviour
    for bucket in filled(scenario.get("buckets") or [], values):
        s3.create_bucket(Bucket=bucket)
    for entry in filled(scenario.get("s3") or [], values):
        body = entry["body"] if isinstance(entry["body"], str) else json.dumps(entry["body"])
        s3.put_object(Bucket=entry["bucket"], Key=entry["key"], Body=body)
    text = scenario.get("definitionText")
    definition = filled(text, values) if text is not None else json.dumps(filled(scenario["definition"], values))
    expected = scenario["expected"]
    if "validateStateMachineDefinition" in expected:
        kind = scenario.get("machineType", "STANDARD")
        return {"validateStateMachineDefinition": plain(
            sfn.validate_state_machine_definition(definition=definition, type=kind))}
    try:
        machine = sfn.create_state_machine(name="m-" + run, definition=definition, roleArn=ROLE)["stateMachineArn"]
    except ClientError as error:
        return {"createStateMachine": refusal(error)}
    found = {}
    if "describeStateMachine" in expected:
        described = sfn.describe_state_machine(stateMachineArn=machine)
        found["describeStateMachine"] = {"variableReferences": described["variableReferences"]}
    if "input" not in scenario and "inputText" not in scenario:
        return found
    text = scenario.get("inputText")
    given = filled(text, values) if text is not None else json.dumps(filled(scenario["input"], values))
    try:
        execution = sfn.start_execution(stateMachineArn=machine, input=given)["executionArn"]
    except ClientError as error:
        return {"startExecution": refusal(error)}
    described = ended(execution, list(scenario.get("actions") or []))
    found.update((name, described.get(name)) for name in ("status", "output", "error", "cause"))
    pages = sfn.get_paginator("get_execution_history").paginate(executionArn=execution)
    found["events"] = [{**event, "timestamp": None} for page in pages for event in page["events"]]
    if "listMapRuns" in expected:
        found["listMapRuns"] = plain(sfn.list_map_runs(executionArn=execution))
        map_run = found["listMapRuns"]["mapRuns"][0]["mapRunArn"]
        found["describeMapRun"] = plain(sfn.describe_map_run(mapRunArn=map_run))
    return found


def ended(execution, actions):
    until = time.time() + DEADLINE
    while time.time() < until:
        described = sfn.describe_execution(executionArn=execution)
        if described["status"] != "RUNNING":
            return described
        if actions:
            when = actions[0]["when"]
            for event in sfn.get_execution_history(executionArn=execution)["events"]:
                state = event.get("stateEnteredEventDetails", {}).get("name")
                if event["type"] == when["eventType"] and when.get("stateName") in (None, state):
                    sfn.stop_execution(executionArn=execution)
                    actions.pop(0)
                    break
        time.sleep(0.02)
    raise AssertionError("does not end")


def differences(path):
    with open(path, encoding="utf-8") as file:
        scenario = json.load(file)
    run = uuid.uuid4().hex[:10]
    values = tokens(json.dumps(scenario), run)
    found = json.loads(json.dumps(answered(scenario, values, run), default=str))
    old_links = scenario.get("recorded", "") < LINKS_CHANGED and "Map.DISTRIBUTED" in scenario["features"]
    return [each for each in compare(scenario, found, values) if not (each[0] == "links" and old_links)]


lambda_server = Server(("127.0.0.1", 0), Lambda)
threading.Thread(target=lambda_server.serve_forever, daemon=True).start()
endpoint = "http://127.0.0.1:%d" % lambda_server.server_port
process = subprocess.Popen([PROGRAM, "serve", "--lambda-endpoint", endpoint], stdout=subprocess.PIPE, text=True)
for _ in range(7):
    variable, _, value = process.stdout.readline().strip().removeprefix("export ").partition("=")
    os.environ[variable] = value
config = Config(retries={"total_max_attempts": 1}, max_pool_connections=50, parameter_validation=False)
s3, sfn = (boto3.client(name, config=config) for name in ("s3", "stepfunctions"))
counts = collections.Counter()
try:
    scenarios = os.path.join(FOLDER, "scenarios")
    names = sorted(name.removesuffix(".json") for name in os.listdir(scenarios) if WANTED in name)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        tasks = {name: pool.submit(differences, os.path.join(scenarios, name + ".json")) for name in names}
        for name, task in tasks.items():
            try:
                found = task.result()
            except Exception as error:  # a scenario that cannot be run is one that differs
                found = [("broken", "", "", repr(error))]
            kind = "equal" if not found else "everything exists" if name in EVERYTHING_EXISTS else "different"
            counts[kind] += 1
            if kind == "different":
                print(name, *([str(part)[:300] for part in each] for each in found[:3]), sep="\n  ")
finally:
    process.terminate()
print(dict(counts))
sys.exit(1 if counts["different"] or not counts["equal"] else 0)
