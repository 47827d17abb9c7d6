"""A small SQS client of its own, written from AWS's description of Signature Version 4 and of the JSON protocol."""
import datetime
import hashlib
import hmac
import json
import os
import secrets
import urllib.parse
import urllib.request

KEY_ID = "507f1f77bcf86cd7994390aa"


def server():
    """What the started server told about itself; ends the test file when there is none."""
    if os.environ.get("FIREHOSE_SKIP_SERVERS"):
        print("SKIPPED: FIREHOSE_SKIP_SERVERS is set")
        raise SystemExit(77)
    with open(os.environ["SQS_ENV_FILE"]) as file:
        lines = file.read().splitlines()
    if lines and lines[0].startswith("SKIPPED"):
        print(lines[0])
        raise SystemExit(77)
    return dict(line.split("=", 1) for line in lines if "=" in line)


def call(action, **members):
    at = server()
    body = json.dumps(members).encode()
    host = urllib.parse.urlsplit(at["SQS_ENDPOINT"]).netloc
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "host": host,
        "x-amz-date": stamp,
        "x-amz-target": "AmazonSQS." + action,
    }
    names = ";".join(sorted(headers))
    digest = hashlib.sha256(body).hexdigest()
    canonical = "\n".join(["POST", "/", "", *(f"{k}:{headers[k]}" for k in sorted(headers)), "", names, digest])
    scope = f"{day}/{at['SQS_REGION']}/sqs/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + at["SQS_SECRET_KEY"]).encode()
    for part in (day, at["SQS_REGION"], "sqs", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={at['SQS_ACCESS_KEY']}/{scope},SignedHeaders={names},Signature={signature}"
    )
    request = urllib.request.Request(at["SQS_ENDPOINT"] + "/", body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=300) as answer:
        text = answer.read()
    return json.loads(text) if text else {}


class Queue:
    """A new queue with a name of its own."""

    def __init__(self, fifo=False, **attributes):
        name = "e2e-" + secrets.token_hex(6) + (".fifo" if fifo else "")
        if fifo:
            attributes["FifoQueue"] = "true"
        self.url = call("CreateQueue", QueueName=name, Attributes=attributes)["QueueUrl"]
        self.name = name

    def attributes(self):
        return call("GetQueueAttributes", QueueUrl=self.url, AttributeNames=["All"])["Attributes"]

    def counts(self):
        """Messages that can be received, are delayed, and are in somebody's hands."""
        found = self.attributes()
        return tuple(int(found["ApproximateNumberOfMessages" + kind]) for kind in ("", "Delayed", "NotVisible"))

    def size(self):
        # One whose visibility ends between two of the server's counts is in neither: none is believed the second time.
        return sum(self.counts()) or sum(self.counts())

    def peek(self):
        """Bodies of up to ten messages, which stay where they are."""
        found = call("ReceiveMessage", QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [message["Body"] for message in found.get("Messages", [])]


def credential():
    """The credential object for the configuration; the secret comes from the environment."""
    return {KEY_ID: {"type": "user", "username": server()["SQS_ACCESS_KEY"], "password": {"env": "E2E_SQS_SECRET"}}}


def environment():
    return {"E2E_SQS_SECRET": server()["SQS_SECRET_KEY"]}


def spool(queue, **more):
    return {"type": "sqs", "queue_url": queue.url, "credential_id": KEY_ID, "wait_seconds": 1,
            "visibility_seconds": 30, **more}  # fmt: skip
