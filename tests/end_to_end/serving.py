"""A running `firehose serve` and a client for it, for the tests of this folder."""
import hashlib
import http.client
import json
import re
import signal
import ssl
import threading
import time

from support import EndToEnd

TOKENS = {"writer": ("canary-token-of-the-writer", ["ingest"]), "reader": ("canary-token-of-the-reader", ["read"]),
          "admin": ("canary-token-of-the-admin", ["admin"])}
NDJSON = "application/x-ndjson"


def some_leads(draw, lead, name, pad=0):
    """1 to 20 events of a lead, as lines by their ids, which begin with `name`; `pad`: bytes in each, or more."""
    ids = [f"{name}-{n}" for n in range(draw.randint(1, 20))]
    return {each: json.dumps({"id": each, "vars": {"lead": {"id": lead}}, "pad": "x" * pad}).encode() for each in ids}


def token_section():
    return {
        name: {"sha256": hashlib.sha256(token.encode()).hexdigest(), "roles": roles}
        for name, (token, roles) in TOKENS.items()
    }


class Answer:
    def __init__(self, answer):
        self.status = answer.status
        self.headers = answer.headers
        self.body = answer.read()

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """One connection, opened anew when it was closed."""

    def __init__(self, port, tls=None):
        self.port, self.tls = port, tls
        self.connection = None

    def ask(self, method, path, body=None, headers=None, token="writer"):
        headers = dict(headers or {})
        if token:
            headers.setdefault("Authorization", "Bearer " + TOKENS[token][0])
        if self.connection is None:
            if self.tls:
                self.connection = http.client.HTTPSConnection("localhost", self.port, timeout=60, context=self.tls)
            else:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            self.connection.request(method, path, body, headers)
            return Answer(self.connection.getresponse())
        except Exception:
            self.close()
            raise

    def post(self, body, path="/events", kind="application/json", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", path, body, {"Content-Type": kind, **headers})

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Serving(EndToEnd):
    def configure_server(self, services=None, server=None, **rest):
        section = {"listen": "127.0.0.1:0", "tokens": token_section(), **(server or {})}
        return self.configure(services, server=section, **rest)

    def serve(self, wait_until_ready=True, **how):
        process = self.start("serve", "--config", "firehose.json", "--json", **how)
        found = self.until(process, lambda: re.search(rb"listening address=\S*:(\d+)", process.errors_so_far()))
        process.port = int(found.group(1))
        if wait_until_ready:
            self.until(process, lambda: b" ready pending=" in process.errors_so_far())
        return process

    def client(self, process, tls=None):
        client = Client(process.port, tls)
        self.addCleanup(client.close)
        return client

    def until(self, process, happened, seconds=60):
        """What `happened` returns, once that is true."""
        deadline = time.monotonic() + seconds
        while True:
            value = happened()
            if value:
                return value
            if process.process.poll() is not None or time.monotonic() > deadline:
                self.fail("it does not happen; standard error:\n" + process.errors_so_far().decode()[-4000:])
            time.sleep(0.01)

    def kill_while(self, process, jobs, seconds):
        """kill -9 after so many seconds of all jobs at once; they end when they notice."""
        workers = [threading.Thread(target=job) for job in jobs]
        for worker in workers:
            worker.start()
        time.sleep(seconds)
        process.signal(signal.SIGKILL)
        process.wait()
        for worker in workers:
            worker.join()

    def stop(self, process, code=0):
        process.signal(signal.SIGTERM)
        result = process.wait()
        self.check_code(result, code)
        return result


def trusting(file):
    return ssl.create_default_context(cafile=file)
