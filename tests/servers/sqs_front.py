"""moto's SQS behind an HTTP/1.1 front that keeps connections and refuses what AWS refuses and moto does not.

  sqs_front.py FILE     writes NAME=VALUE lines to FILE once it listens; ends on TERM

moto recomputes signatures with botocore, which is no relative of ours. The front adds: unsigned requests, clock
skew, the scope's date and region, characters outside XML 1.0. The names of its errors are those of AWS's
documentation; no live service was asked.

moto is asked one thing at a time: its queues are lists without a lock, and a deletion, which copies what remains
into a new one, forgets a message that another thread sent meanwhile and brings back one that it deleted.
"""
import calendar
import http.server
import io
import json
import logging
import os
import re
import signal
import sys
import threading
import time
from urllib.parse import unquote_to_bytes

ACCESS_KEY, SECRET_KEY = "AKIATESTSQS000000001", "testsecretkey+/0000000000000000000000001"
ACCOUNT, REGION, SKEW = "000000000000", "us-east-1", 900

os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "0"
logging.getLogger("werkzeug").setLevel(logging.ERROR)
from moto.iam.models import iam_backends  # noqa: E402
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: E402
from moto.sqs.models import Queue  # noqa: E402

one_at_a_time = threading.Condition()
# Who waits for messages lets the others in; each answer wakes them.
Queue.wait_for_messages = lambda queue, timeout: one_at_a_time.wait_for(lambda: queue.messages, timeout)

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def add_user(access_key, secret_key, name, policy):
    users = iam_backends[ACCOUNT]["aws"]
    users.create_user("us-east-1", name)
    key = users.create_access_key(name)
    users.access_keys.pop(key.physical_resource_id, None)
    key.access_key_id, key.secret_access_key = access_key, secret_key
    users.access_keys[access_key] = key
    if policy:
        users.put_user_policy(name, "its", json.dumps(policy))


add_user(ACCESS_KEY, SECRET_KEY, "test", EVERYTHING)
add_user("AKIATESTSQS000000002", SECRET_KEY, "nobody", None)  # may do nothing
application = DomainDispatcherApplication(create_backend_app)


def refusal(headers, body):
    """Status, code and message, or None."""
    authorization, stamp = headers.get("Authorization") or "", headers.get("X-Amz-Date") or ""
    if not authorization:
        return 403, "MissingAuthenticationToken", "Request is missing Authentication Token"
    scope = re.search(r"Credential=[^/]+/(\d{8})/([^/]+)/([^/]+)/aws4_request", authorization)
    try:
        when = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        when = None
    if not scope or when is None:
        return 403, "IncompleteSignature", "Authorization header is incomplete"
    if abs(time.time() - when) > SKEW:
        return 403, "InvalidSignatureException", f"Signature expired: {stamp} is outside the allowed window"
    if scope[1] != stamp[:8] or scope[2] != REGION or scope[3] != "sqs":
        return 403, "InvalidSignatureException", "Credential should be scoped to a valid region and service"
    if not (headers.get("X-Amz-Target") or "").startswith("AmazonSQS.SendMessage"):
        return None
    try:
        document = json.loads(body)
    except ValueError:
        return 400, "SerializationException", "not JSON"
    for entry in document.get("Entries") or [document]:
        text = entry.get("MessageBody")
        if text == "":
            return 400, "MissingParameter", "The request must contain the parameter MessageBody."
        if text and NOT_XML.search(text):
            return 400, "InvalidMessageContents", "Invalid characters found."
    return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    def do_POST(self):
        wanted = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(wanted)
        if len(body) < wanted:
            self.close_connection = True  # the client went away
            return
        refused = refusal(self.headers, body)
        try:
            if refused:
                self.refuse(*refused)
            else:
                self.pass_on(body)
        except ConnectionError:
            self.close_connection = True
        except Exception as e:  # what moto does not know it throws
            self.refuse(500, "InternalFailure", type(e).__name__)

    def head(self, status, headers, length):
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string())
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def refuse(self, status, code, message):
        body = json.dumps({"__type": "com.amazonaws.sqs#" + code, "message": message}).encode()
        headers = [
            ("Content-Type", "application/x-amz-json-1.0"),
            ("x-amzn-query-error", code + ";Sender"),
            ("x-amzn-RequestId", "front"),
        ]
        self.head(status, headers, len(body))
        self.wfile.write(body)
        self.wfile.flush()

    def pass_on(self, body):
        path, _, query = self.path.partition("?")
        environ = {
            "REQUEST_METHOD": self.command, "SCRIPT_NAME": "", "QUERY_STRING": query,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "RAW_URI": self.path, "REQUEST_URI": self.path,
            "SERVER_NAME": "127.0.0.1", "SERVER_PORT": str(self.server.server_port), "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": self.client_address[0], "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr, "wsgi.multithread": True,
            "wsgi.multiprocess": False, "wsgi.run_once": False, "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("Content-Type") or "",
        }  # fmt: skip
        for name, value in self.headers.items():
            if name.lower() not in ("content-length", "content-type"):
                environ["HTTP_" + name.upper().replace("-", "_")] = value
        said = {}

        def start_response(status, headers, _=None):
            said["status"], said["headers"] = int(status.split()[0]), headers

        with one_at_a_time:
            answer = b"".join(application(environ, start_response))
            one_at_a_time.notify_all()
        # moto says in XML, whatever it was asked in, that a user may not do something.
        code, message = (re.search(rb"<%s>([^<]*)<" % name, answer) for name in (b"Code", b"Message"))
        if said["status"] >= 400 and code:
            return self.refuse(said["status"], code[1].decode(), message[1].decode() if message else "")
        self.head(said["status"], said["headers"], len(answer))
        self.wfile.write(answer)
        self.wfile.flush()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main(path):
    server = Server(("127.0.0.1", 0), Handler)
    os.environ["MOTO_PORT"] = str(server.server_port)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with open(path + ".new", "w") as file:
        file.write(f"SQS_ENDPOINT=http://127.0.0.1:{server.server_port}\n")
        file.write(f"SQS_ACCESS_KEY={ACCESS_KEY}\nSQS_SECRET_KEY={SECRET_KEY}\n")
        file.write(f"SQS_POWERLESS_KEY=AKIATESTSQS000000002\nSQS_ACCOUNT={ACCOUNT}\nSQS_REGION={REGION}\n")
    os.rename(path + ".new", path)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
