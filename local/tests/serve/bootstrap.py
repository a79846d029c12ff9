#!/usr/bin/env python3
"""A Lambda function without a runtime library: asks the Runtime API for events and answers them."""

import json
import os
import urllib.request

API = "http://%s/2018-06-01/runtime/invocation" % os.environ["AWS_LAMBDA_RUNTIME_API"]


def post(path, value):
    request = urllib.request.Request(API + path, json.dumps(value).encode(), method="POST")
    urllib.request.urlopen(request).read()


hoard = []
while True:
    with urllib.request.urlopen(API + "/next") as answer:
        headers, event = answer.headers, json.loads(answer.read())
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    print("working on", request_id, flush=True)
    command = event.get("do") if isinstance(event, dict) else None
    if command == "fail":
        post("/%s/error" % request_id, {"errorType": "Mine", "errorMessage": "as asked"})
    elif command == "crash":
        os._exit(7)
    elif command == "hoard":
        while True:
            hoard.append(bytearray(b"x" * (8 << 20)))
    elif command == "context":
        names = ["Deadline-Ms", "Invoked-Function-Arn", "Trace-Id", "Client-Context"]
        post("/%s/response" % request_id, {name: headers.get("Lambda-Runtime-" + name) for name in names})
    else:
        post("/%s/response" % request_id, {"items": len(event.get("Items", [])), "bucket": os.environ.get("BUCKET")})
