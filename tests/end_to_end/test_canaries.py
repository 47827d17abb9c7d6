"""Secrets of every kind are planted, everything is made to work and to fail, and then all that was left is searched."""
import base64
import gzip
import http.client
import json
import os
import re
import resource
import secrets
import signal
import socket
import subprocess
import time
import unittest
import urllib.parse

import servers
from serving import NDJSON, TOKENS, Serving
from support import BINARY, SANITIZED, directory, say

AWS, AZURE, SAS, SESSION = (f"507f1f77bcf86cd7994390{n}" for n in (11, 12, 13, 14))
FLOW = "5fd4371e940df5a34a3888b2"


def event(number):
    return json.dumps({"id": f"e{number}", "vars": {"lead": {"id": f"lead{number}"}}}).encode()


def spellings(text):
    """As it is, and in base64 wherever it may begin there; other encodings leave letters and digits alone."""
    raw = text.encode()
    found = {raw, raw.hex().encode()}
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw + b"\0" * (-(len(raw) + shift) % 3))
        found.add(whole[4 if shift else 0 : -4])
    return found


class Refusing(servers.Http):
    """Knows nobody, and repeats what it was asked as far as stores do so."""

    def respond(self, method, path, headers, body):
        text = f"<Error><Code>AccessDenied</Code><Message>no {method} for you</Message><Resource>{path.split('?')[0]}</Resource></Error>"
        return 403, {"Content-Type": "application/xml", "x-amz-request-id": "R1"}, text.encode()


class Cut(servers.Silent):
    """Hangs up in the middle of its answer."""

    def accept(self):
        while True:
            try:
                connection = self.socket.accept()[0]
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                connection.close()
            except OSError:
                return


class Canaries(Serving):
    def setUp(self):
        super().setUp()
        self.canaries, self.answers, self.outputs, self.searched = {}, [], [], 0
        for name, (token, _) in TOKENS.items():
            self.canaries["token of the " + name] = token

    def canary(self, what, length=44):
        """Letters and digits, of a length that is base64 too; findable in whatever spelling."""
        text = ("CANARY" + secrets.token_hex(length))[:length]
        self.canaries[f"{what} {len(self.canaries)}"] = text
        return text

    def search(self, where, data):
        self.searched += len(data)
        for what, text in self.canaries.items():
            for spelling in spellings(text):
                at = data.find(spelling)
                self.assertEqual(at, -1, f"{what} in {where}: {data[max(0, at - 200):at + 100]!r}")

    def search_everything(self):
        for name, data in [*self.outputs, *self.answers]:
            self.search(name, data)
        files = 0
        for folder, _, names in os.walk(self.where):
            for name in names:
                path = os.path.join(folder, name)
                written_by_us = {"firehose.json", "account.txt", "session.txt"}
                if folder == self.where and name in written_by_us:
                    continue
                with open(path, "rb") as file:
                    self.search(path, file.read())
                self.search(path, path.encode())
                files += 1
        say(f"{self.searched:,} bytes of {len(self.answers)} answers, {len(self.outputs)} runs and {files} files searched "
            f"for {len(self.canaries)} secrets")

    # --- planting ------------------------------------------------------------------------------

    def plant(self, endpoint, local="out", **server):
        """All kinds of credentials at one endpoint, beside a target that works."""
        self.environment = {"CANARY_SECRET": self.canary("secret in the environment", 40)}
        at = f"BlobEndpoint={endpoint}/acme;AccountName=acme"
        self.write("account.txt", f"{at};AccountKey={self.canary('account key in a file')}\n")
        self.write("session.txt", self.canary("session token in a file", 80) + "\n")
        sas = f"sv=2021-12-02&ss=b&srt=co&sp=rwc&se=2099-01-01T00:00:00Z&sig={self.canary('signature in the configuration')}"
        key = {"type": "user", "username": "AKEY", "password": {"env": "CANARY_SECRET"}, "endpoint": endpoint}
        credentials = {
            AWS: key,
            AZURE: {"type": "token", "token": {"file": "account.txt"}},
            SAS: {"type": "token", "token": f"{at};SharedAccessSignature={sas}"},
            SESSION: {**key, "session_token": {"file": "session.txt"}},
        }

        def target(key_id, kind):
            return {"type": kind, "enabled": True, "credential_id": key_id, "bucket": "events"}

        services = {"aws": target(AWS, "s3"), "azure": target(AZURE, "azure"), "sas": target(SAS, "azure"),
                    "session": target(SESSION, "s3"), "local": directory(local)}  # fmt: skip
        section = {"check": {"development": True, "deadline_ms": 700}, **server}
        self.configure_server(services, server=section, credentials=credentials, delivery={"first_byte_timeout_ms": 300})

    def note(self, process_name, result):
        self.outputs += [(process_name + ", standard output", result.out), (process_name + ", standard error", result.err)]

    def ask(self, client, method, path, body=None, headers=None, token="writer"):
        """Whatever comes of it."""
        try:
            answer = client.ask(method, path, body, {"Accept": "*/*", **(headers or {})}, token)
        except (http.client.HTTPException, OSError):
            return None
        self.answers.append((f"answer {answer.status} to {method} {path[:40]}", str(answer.headers).encode() + answer.body))
        return answer

    def send_raw(self, port, data):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
            try:
                raw.sendall(data)
                raw.shutdown(socket.SHUT_WR)
                got = b""
                while piece := raw.recv(65536):
                    got += piece
            except OSError:
                pass
        self.answers.append(("answer to " + repr(data[:30]), got))

    # --- using ---------------------------------------------------------------------------------

    def try_credentials(self, client, endpoint):
        """What is right, wrong and malformed, in a query and in a body."""
        def account():
            return f"BlobEndpoint={endpoint}/acme;AccountName=acme;AccountKey={self.canary('account key of a check')}"

        def signature():
            return f"BlobEndpoint={endpoint}/acme;SharedAccessSignature=sv=1&se=2&sig={self.canary('SAS of a check')}"

        def keys():
            return {"access_key_id": self.canary("key id of a check", 20), "secret_access_key": self.canary("key of a check", 40)}

        asked = [
            lambda: {**keys(), "bucket": "events", "endpoint": endpoint},
            lambda: {**keys(), "bucket": "events", "endpoint": endpoint, "verification_file": "false"},
            lambda: {**keys(), "bucket": "events", "endpoint": f"http://user:{self.canary('password of an endpoint')}@127.0.0.1"},
            lambda: {**keys(), "bucket": self.canary("key as a bucket")},
            lambda: {**keys(), "bucket": "events", "flow_id": self.canary("key as a flow")},
            lambda: {**keys(), "bucket": "events", "region": self.canary("key as a region")},
            lambda: {**keys(), "bucket": "events", "endpoint": endpoint, "verification_file": self.canary("key as a flag")},
            lambda: {self.canary("key as a name"): "x", **keys()},
            lambda: {"service": self.canary("key as a service"), **keys()},
            lambda: {"access_key_id": self.canary("key id with a break", 20) + "\r\nX: y", "secret_access_key": "k", "bucket": "events"},
            lambda: {"service": "azure", "connection_string": account(), "bucket": "events"},
            lambda: {"service": "azure", "connection_string": account(), "bucket": "events", "verification_file": "false"},
            lambda: {"service": "azure", "connection_string": signature(), "bucket": "events"},
            lambda: {"service": "azure", "connection_string": account() + "!!", "bucket": "events"},
            lambda: {"service": "azure", "connection_string": self.canary("string without pairs"), "bucket": "events"},
            lambda: {"service": "azure", "connection_string": account().replace("http:", "ftp:"), "bucket": "events"},
            lambda: {"service": "azure", "connection_string": account().replace("AccountKey", "AccountName"), "bucket": "events"},
        ]
        for one in asked:
            self.ask(client, "GET", "/firehose?" + urllib.parse.urlencode(one()), token="admin")
            self.ask(client, "POST", "/firehose", json.dumps(one()), {"Content-Type": "application/json"}, token="admin")
            self.ask(client, "POST", "/firehose?" + urllib.parse.urlencode(one()), b"{}", {"Content-Type": "application/json"}, token="admin")
        # Not escaped, not allowed, not finished, not JSON.
        raw = urllib.parse.unquote(urllib.parse.urlencode({"service": "azure", "connection_string": account(), "bucket": "events"}))
        for method, path, body, how in [
            ("GET", "/firehose?" + raw, None, {}),
            ("GET", "/firehose?" + raw, None, {"token": "reader"}),
            ("GET", "/firehose?" + raw, None, {"token": None}),
            ("GET", "/firehose?secret_access_key=%zz" + self.canary("key behind an escape"), None, {}),
            ("DELETE", "/firehose?" + raw, None, {}),
            ("GET", "/firehose/?" + raw, None, {}),
            ("GET", "/Firehose?" + raw, None, {}),
            ("GET", "/firehose?" + raw + "x" * 9000, None, {}),
            ("POST", "/firehose", b'{"secret_access_key":"' + self.canary("key in half a body").encode(), {}),
            ("POST", "/firehose", b'["' + self.canary("key in an array").encode() + b'"]', {}),
            ("POST", "/firehose", b'{"bucket":{"' + self.canary("key in an object").encode() + b'":1}}', {}),
            ("POST", "/firehose", self.canary("key as a body").encode() + b"x" * 70_000, {}),
        ]:
            self.ask(client, method, path, body, {"Content-Type": "application/json"}, **{"token": "admin", **how})
        self.ask(client, "GET", "/firehose?" + raw, None, {"Accept": self.canary("key in Accept")}, token="admin")
        self.ask(client, "POST", "/firehose", json.dumps(keys()), {"Content-Type": self.canary("key as a type")}, token="admin")

    def ask_for_everything(self, process, client):
        for path in ("/events", f"/flows/{FLOW}/events", "/healthz", "/readyz", "/metrics", "/nowhere", "/v3/leads/stream", "/firehose"):
            for method in ("GET", "POST", "PUT"):
                here = path + "?position=tail&sig=" + self.canary("query")
                self.ask(client, method, here, b"{}" if method != "GET" else None, token=None)
                for header, value in [
                    ("Authorization", "Bearer " + self.canary("wrong token")),
                    ("Authorization", "Basic " + base64.b64encode((":" + self.canary("wrong password")).encode()).decode()),
                    ("Authorization", self.canary("unknown scheme")),
                    ("Cookie", "session=" + self.canary("cookie")),
                    ("X-Api-Key", self.canary("header")),
                    ("Proxy-Authorization", "Basic " + self.canary("proxy password")),
                ]:
                    token = None if header == "Authorization" else "writer"
                    self.ask(client, method, here, b"{}" if method != "GET" else None, {header: value}, token)
        for body, kind in [(b'{"id":"' + self.canary("half an event").encode(), "application/json"),
                           (self.canary("no event").encode(), NDJSON),
                           (gzip.compress(self.canary("no gzip").encode())[:-6], NDJSON)]:
            self.ask(client, "POST", "/events", body, {"Content-Type": kind, **({"Content-Encoding": "gzip"} if body[:1] == b"\x1f" else {})})
        canary = self.canary("raw request").encode()
        bearer = b"Authorization: Bearer " + self.canary("raw token").encode() + b"\r\n"
        for raw in (
            canary,
            b"GET /firehose?k=" + canary + b"\r\n\r\n",
            b"GET /firehose?k=" + canary + b" HTTP/1.1\r\n" + bearer + b"\r\n",
            b"GET /firehose?k=" + canary + b" HTTP/9.9\r\nHost: x\r\n" + bearer + b"\r\n",
            b"GET /firehose?k=" + canary + b"\x01 HTTP/1.1\r\nHost: x\r\n" + bearer + b"\r\n",
            b"GET /" + canary * 500 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /%" + canary[:20] + b"?" + canary + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            canary + b" /firehose HTTP/1.1\r\nHost: x\r\n" + bearer + b"\r\n",
            b"POST /firehose HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + canary + b"\r\n\r\n",
            b"POST /firehose HTTP/1.1\r\nHost: x\r\nContent-Length: " + canary + b"\r\n\r\n",
            b"POST /firehose HTTP/1.1\r\nHost: " + canary + b"/\r\n" + bearer + b"\r\n",
            b"POST /firehose HTTP/1.1\r\nHost: x\r\nExpect: " + canary + b"\r\nContent-Length: 2\r\n\r\n{}",
            b"POST /firehose HTTP/1.1\r\nHost: x\r\n" + bearer * 200 + b"\r\n",
            b"POST /firehose HTTP/1.1\r\nHost: x\r\n" + bearer + b"Content-Length: 90\r\n\r\n" + canary,
            b"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + TOKENS["writer"][0].encode()
            + b"\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + canary + b"\r\n",
        ):
            self.send_raw(process.port, raw)

    def run_verbs(self, name):
        config = ("--config", "firehose.json")
        put = ("--bucket", "events", "--key", "k", "-")
        commands = [("run", *config, "--json", "-"), ("validate", *config), ("validate", *config, "--live", "--json"),
                    ("spool", "ls", *config), ("spool", "ls", *config, "--json"), ("spool", "show", *config),
                    ("spool", "verify", *config), ("spool", "export", *config, "--out", self.path("exported")),
                    ("spool", "retry", *config), *((("debug", "put", *config, "--credential", c, *put)) for c in (AWS, AZURE, SAS, SESSION)),
                    ("run", *config, "--set", f"/credentials/{AWS}/password={self.canary('override')}", "-")]  # fmt: skip
        for command in commands:
            result = self.command(*command, input=event(99) + b"\n", environment=self.environment)
            self.assertIn(result.code, (0, 1, 2, 3), result.text)
            # What an operator types is an argument of the process; what it says about it is not.
            self.note(f"{name}: {command[0]} {command[1]}", result)

    def serve_and_ask(self, server, name):
        self.addCleanup(server.close)
        self.plant(server.endpoint)
        process = self.serve(environment=self.environment)
        client = self.client(process)
        sent = b"\n".join(event(n) for n in range(20))
        self.assertEqual(client.post(sent, kind=NDJSON).status, 202)
        self.until(process, lambda: len(self.objects_below("out")) >= 20)
        self.try_credentials(client, server.endpoint)
        self.ask_for_everything(process, client)
        page = self.ask(client, "GET", "/metrics?secret=" + self.canary("query"), token="reader")
        self.assertEqual(page.status, 200)
        self.assertIn(b"credential_checks", page.body)
        for file in ("cmdline", "comm", "status"):
            with open(f"/proc/{process.pid}/{file}", "rb") as text:
                self.search(file, text.read())
        process.signal(signal.SIGTERM)
        result = process.wait()
        self.assertIn(result.code, (0, 1), result.text)
        for line in (r"credentials checked service=azure outcome=\w+", r"request method=GET path=/firehose status=\d+"):
            self.assertTrue(re.search(line, result.text), result.text[-2000:])
        self.note(name + ": serve", result)
        self.run_verbs(name)
        self.search_everything()

    def test_with_a_store_that_takes_everything(self):
        self.serve_and_ask(servers.Recorder(), "works")

    def test_with_a_store_that_refuses_everybody(self):
        self.serve_and_ask(Refusing(), "refuses")

    def test_with_a_store_that_is_busy(self):
        self.serve_and_ask(servers.SlowDown(), "busy")

    def test_with_a_store_that_is_not_there(self):
        self.serve_and_ask(servers.ClosedPort(), "closed")

    def test_with_a_store_that_hangs_up(self):
        self.serve_and_ask(Cut(), "cut")

    def test_the_search_finds_what_is_there(self):
        text = self.canary("found")
        for spelled in (text, text.encode().hex(), base64.b64encode(text.encode()).decode(),
                        base64.b64encode(("x:" + text).encode()).decode(), base64.b64encode(("xy:" + text).encode()).decode()):
            with self.subTest(spelled), self.assertRaises(AssertionError):
                self.search("somewhere", b"before " + spelled.encode() + b" after")
        self.write("elsewhere", urllib.parse.quote(f"a={text}&"))
        with self.assertRaises(AssertionError):
            self.search_everything()


class Cores(Serving):
    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def dies_with_a_core(self, command, ready=None):
        """Whether a process that aborts leaves a core behind. Small ones, of which the flag tells."""
        def allow():
            resource.setrlimit(resource.RLIMIT_CORE, (65536, 65536))

        with open(self.path("out.txt"), "wb") as out:
            process = subprocess.Popen(command, cwd=self.where, stdout=out, stderr=out, preexec_fn=allow)
        try:
            deadline = time.monotonic() + 60
            while ready and ready not in self.read("out.txt") and time.monotonic() < deadline:
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGABRT)
            _, status = os.waitpid(process.pid, 0)
            process.returncode = status
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
        self.assertTrue(os.WIFSIGNALED(status))
        return os.WCOREDUMP(status)

    def test_a_crash_leaves_no_core_unless_it_is_asked_to(self):
        self.configure_server({"local": directory()})
        binary = os.path.abspath(BINARY)
        verb = ["serve", "--config", "firehose.json"]
        self.assertFalse(self.dies_with_a_core([binary, *verb], b" ready pending="))
        if SANITIZED or not self.dies_with_a_core(["sleep", "60"]):
            self.skipTest("SKIPPED, NOT PASSED: nothing leaves a core here")
        self.assertTrue(self.dies_with_a_core([binary, "--core-dumps", *verb], b" ready pending="))


if __name__ == "__main__":
    unittest.main()
