"""GET and POST /firehose: credentials are tried on real servers, with curl as LeadConduit documents it."""
import concurrent.futures
import json
import os
import re
import shutil
import socket
import subprocess
import time
import unittest
import urllib.parse

import azure
import s3
import servers
from serving import TOKENS, Serving
from support import USAGE, directory

s3.server()  # or the file is skipped
azure.server()

FLOW = "5fd4371e940df5a34a3888b2"
WRITTEN = {"validated": True, "verification_file": True}
NOT_WRITTEN = {"validated": True, "verification_file": False}


class Check(Serving):
    def begin(self, **check):
        """A server for which this machine's stores are fit, unless `check` says otherwise."""
        at = s3.server()
        section = {"development": True, "s3_endpoint": at["S3_ENDPOINT"], **check}
        self.configure_server({"local": directory()}, server={"check": section})
        self.process = self.serve()
        self.http = self.client(self.process)
        self.aws = {"access_key_id": at["S3_ACCESS_KEY"], "secret_access_key": at["S3_SECRET_KEY"]}
        self.asked = list(self.aws.values())

    def end(self):
        """Nothing of what was asked is in any output."""
        result = self.stop(self.process)
        for secret in [*self.asked, "AccountKey", "/firehose?", TOKENS["admin"][0]]:
            self.assertNotIn(secret.encode(), result.err + result.out)
        return result.text

    def connection_string(self):
        text = azure.environment()["E2E_AZURE"]
        self.asked.append(text.split("AccountKey=")[1])
        return text

    def get(self, **fields):
        return self.answer("GET", "/firehose?" + urllib.parse.urlencode(fields), None)

    def post(self, **fields):
        return self.answer("POST", "/firehose", json.dumps(fields))

    def answer(self, method, path, body):
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        answer = self.http.ask(method, path, body, headers, token="admin")
        self.assertEqual(answer.headers["Cache-Control"] if answer.status != 400 else "no-store", "no-store")
        for secret in self.asked:
            self.assertNotIn(secret.encode(), answer.body)
        return answer.status, answer.json

    def curl(self, *arguments):
        curl = shutil.which("curl")
        if not curl:
            self.skipTest("SKIPPED, NOT PASSED: curl is not installed")
        command = [curl, "--silent", "--user", ":" + TOKENS["admin"][0], "--write-out", "\n%{http_code}", *arguments]
        body, status = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode().rsplit("\n", 1)
        return int(status), body

    def test_the_documented_commands(self):
        self.begin()
        there, bucket = s3.connect(), None
        bucket = there.create_bucket()
        self.addCleanup(there.close)
        base = f"http://127.0.0.1:{self.process.port}/firehose"
        query = "&".join(f"{name}={value}" for name, value in self.aws.items())
        status, body = self.curl(f"{base}?{query}&bucket={bucket}&prefix=events/production&flow_id={FLOW}")
        self.assertEqual((status, json.loads(body)), (200, WRITTEN))
        (key,) = there.keys(bucket)
        self.assertRegex(key, rf"^events/production/leadconduit_verification_{FLOW}_20\d{{15}}\.txt$")
        text, kind = there.get(bucket, key)
        self.assertIn(b"may be deleted", text)
        self.assertEqual(kind, "text/plain; charset=utf-8")

        container = azure.connect().create_container()
        # As it comes from the portal: with +, / and = that nobody has escaped.
        parameters = f"service=azure&connection_string={self.connection_string()}&bucket={container}&prefix=unused"
        status, body = self.curl(f"{base}?{parameters}&verification_file=true")
        self.assertEqual((status, json.loads(body)), (200, WRITTEN))
        listing, _ = azure.connect().request("GET", "/" + container, {"restype": "container", "comp": "list"})
        self.assertRegex(listing.decode(), r"<Name>leadconduit_verification_20\d{15}\.txt</Name>")

        self.assertEqual(self.curl(base + "?service=aws")[0], 400)
        status, body = self.curl("--user", ":wrong", base + "?" + query)
        self.assertEqual((status, json.loads(body)), (401, {"error": "not authorized"}))
        status, body = self.curl("--header", "Accept:", base + "?" + query)
        self.assertEqual(status, 403)
        self.assertIn("check Accept header", body)
        self.assertEqual(self.http.ask("GET", "/firehose?" + query, token="reader").status, 403)
        self.assertEqual(self.http.ask("DELETE", "/firehose?" + query, token="admin").status, 405)
        said = self.end()
        self.assertRegex(said, r"credentials checked service=aws outcome=validated etag=[0-9a-f]{32} user=admin")

    def test_everything_about_a_real_s3_server(self):
        self.begin()
        there = s3.connect()
        self.addCleanup(there.close)
        bucket = there.create_bucket()
        for ask in (self.get, self.post):
            self.assertEqual(ask(**self.aws, bucket=bucket, verification_file="false"), (200, NOT_WRITTEN))
            self.assertEqual(there.keys(bucket), [])
            status, said = ask(**{**self.aws, "secret_access_key": "wrong+canary"}, bucket=bucket)
            self.assertEqual(status, 422)
            self.assertIn("S3 answered 403 SignatureDoesNotMatch: the secret does not belong", said["error"])
            status, said = ask(**{**self.aws, "access_key_id": "NOBODY"}, bucket=bucket)
            self.assertEqual(status, 422)
            self.assertIn("S3 answered 403 InvalidAccessKeyId", said["error"])
            status, said = ask(**self.aws, bucket="no-such-bucket-of-ours")
            self.assertEqual(status, 422)
            self.assertIn("S3 answered 404 NoSuchBucket: bucket (as given) does not exist", said["error"])
            status, said = ask(**self.aws, bucket="no-such-bucket-of-ours", verification_file="false")
            self.assertEqual(status, 422)
            self.assertIn("S3 answered 404: bucket (as given) does not exist", said["error"])
        self.end()

    def test_everything_about_a_real_azure_server(self):
        self.begin()
        container = azure.connect().create_container()
        good = {"service": "azure", "connection_string": self.connection_string(), "bucket": container}
        for ask in (self.get, self.post):
            self.assertEqual(ask(**good, verification_file="false"), (200, NOT_WRITTEN))
            status, said = ask(**{**good, "bucket": "no-such-container"})
            self.assertEqual(status, 422)
            self.assertRegex(said["error"], "Azure answered 404.*: container .* does not exist")
            other = re.sub("AccountKey=.*", "AccountKey=d3JvbmcgY2FuYXJ5", good["connection_string"])
            status, said = ask(**{**good, "connection_string": other})
            self.assertEqual(status, 422)
            self.assertRegex(said["error"], "Azure answered 403.*the key does not belong to the account")
        self.end()

    def test_a_token_that_asks_too_often_waits(self):
        self.begin(requests_per_second=1, burst=2, at_once=100)
        wrong = {"service": "aws", "bucket": "x", **self.aws}
        for _ in range(5):
            self.assertEqual(self.get(**wrong)[0], 400, "a mistake is not a check, and costs nothing")
        fields = {"service": "aws", "bucket": "no-such-bucket-here", "verification_file": "false", **self.aws}
        path = "/firehose?" + urllib.parse.urlencode(fields)

        def ask(client):
            return client.ask("GET", path, None, {"Accept": "application/json"}, token="admin")

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(ask, [self.client(self.process) for _ in range(12)]))
        self.assertEqual({a.status for a in answers}, {422, 429})
        refused = next(a for a in answers if a.status == 429)
        self.assertEqual(refused.json, {"error": "too many checks with this token"})
        self.assertGreaterEqual(int(refused.headers["Retry-After"]), 1)
        self.assertEqual(refused.headers["Cache-Control"], "no-store")
        time.sleep(int(refused.headers["Retry-After"]))
        self.assertEqual(ask(self.http).status, 422)
        self.end()

    def test_servers_that_are_none(self):
        self.begin(deadline_ms=1000)
        closed, silent, page, busy = servers.ClosedPort(), servers.Silent(), servers.Html(), servers.SlowDown()
        for server in (closed, silent, page, busy):
            self.addCleanup(server.close)
        for ask in (self.get, self.post):
            for server, status, words in [(closed, 502, "cannot be reached"), (silent, 504, "did not answer in time"),
                                          (page, 502, "is not S3"), (busy, 502, "S3 answered 503 SlowDown")]:
                found, said = ask(**self.aws, bucket="events", endpoint=server.endpoint)
                self.assertEqual((found, words in said["error"]), (status, True), said)
                account = f"BlobEndpoint={server.endpoint}/acme;AccountName=acme;AccountKey=AAAA"
                found, said = ask(service="azure", connection_string=account, bucket="events")
                self.assertEqual(found, status, said)
        self.end()

    def test_a_network_of_ones_own_and_no_other(self):
        at = s3.server()
        tls = urllib.parse.urlsplit(at["S3_TLS_ENDPOINT"])
        self.begin(development=False, networks=["127.0.0.0/8"], ports=[443, tls.port], s3_endpoint=at["S3_TLS_ENDPOINT"],
                   ca_file=at["S3_CA_FILE"])
        there = s3.connect()
        self.addCleanup(there.close)
        bucket = there.create_bucket()
        self.assertEqual(self.get(**self.aws, bucket=bucket), (200, WRITTEN))
        self.assertEqual(len(there.keys(bucket)), 1)
        for endpoint in (at["S3_ENDPOINT"], "https://10.0.0.1", f"https://[::1]:{tls.port}", "https://127.1",
                         f"https://127.0.0.1:{tls.port + 1}"):  # fmt: skip
            status, said = self.post(**self.aws, bucket=bucket, endpoint=endpoint)
            self.assertEqual(status, 400, endpoint)
            self.assertIn("endpoint must lead to a public server", said["error"])
        self.end()

    def test_without_the_switch_this_machine_is_out_of_reach(self):
        recorder = servers.Recorder()
        self.addCleanup(recorder.close)
        self.begin(development=False, s3_endpoint=None)
        port = urllib.parse.urlsplit(recorder.endpoint).port
        # The system's own resolver takes these for this machine, or would if it were asked.
        hosts = ["127.0.0.1", "localhost", "localhost.", "127.1", "2130706433", "0x7f.1", "0177.1", "[::1]", "[::ffff:127.0.0.1]",
                 "0.0.0.0", "0", os.uname().nodename]  # fmt: skip
        for host in hosts:
            for scheme in ("http", "https"):
                status, said = self.post(**self.aws, bucket="events", endpoint=f"{scheme}://{host}:{port}")
                self.assertEqual(status, 400, (host, said))
                account = f"BlobEndpoint={scheme}://{host}:{port}/acme;AccountName=acme;AccountKey=AAAA"
                status, said = self.get(service="azure", connection_string=account, bucket="events")
                self.assertEqual(status, 400, (host, said))
        status, said = self.post(service="azure", connection_string="UseDevelopmentStorage=true", bucket="events")
        self.assertEqual(status, 400)
        # A name without a port reaches the resolver, and gets no further; the same for one that does not exist.
        answers = {self.post(**self.aws, bucket="events", endpoint=f"https://{name}")[1]["error"]
                   for name in (os.uname().nodename, "no-such-name.invalid")}  # fmt: skip
        self.assertEqual(len(answers), 1, answers)
        self.assertIn("cannot be reached", answers.pop())
        self.assertEqual(recorder.puts, {})
        self.end()

    def test_requests_that_could_be_taken_for_two_never_get_to_a_store(self):
        recorder = servers.Recorder()
        self.addCleanup(recorder.close)
        self.begin(s3_endpoint=recorder.endpoint)
        query = b"access_key_id=A&secret_access_key=K&bucket=events"
        body = json.dumps({"access_key_id": "A", "secret_access_key": "K", "bucket": "events"}).encode()
        usual = (b"Host: x\r\nAccept: */*\r\nContent-Type: application/json\r\nAuthorization: Bearer "
                 + TOKENS["admin"][0].encode() + b"\r\n")
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        good = b"GET /firehose?" + query + b" HTTP/1.1\r\n" + usual + b"\r\n"
        rows = [
            (400, b"GET /firehose?" + query + b" HTTP/1.1\r\n" + usual.replace(b"Host: x\r\n", b"") + b"\r\n"),
            (400, b"GET /firehose?" + query + b" HTTP/1.1\r\nHost: y\r\n" + usual + b"\r\n"),
            (400, b"GET /firehose?" + query + b" x HTTP/1.1\r\n" + usual + b"\r\n"),
            (400, b"GET /firehose?" + query + b"\x00 HTTP/1.1\r\n" + usual + b"\r\n"),
            (400, b"GET /firehose?" + query + b"#x HTTP/1.1\r\n" + usual + b"\r\n"),
            (404, b"GET //firehose?" + query + b" HTTP/1.1\r\n" + usual + b"\r\n"),
            (404, b"GET /v3/../firehose?" + query + b" HTTP/1.1\r\n" + usual + b"\r\n"),
            (404, b"GET /healthz/%2e%2e/firehose?" + query + b" HTTP/1.1\r\n" + usual + b"\r\n"),
            (404, b"GET /firehose%3f" + query + b" HTTP/1.1\r\n" + usual + b"\r\n"),
            (404, b"GET /firehose;x?" + query + b" HTTP/1.1\r\n" + usual + b"\r\n"),
            (401, b"GET /firehose?" + query + b" HTTP/1.1\r\nAuthorization: Bearer other\r\n" + usual + b"\r\n"),
            (400, b"POST /firehose HTTP/1.1\r\n" + usual + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(body) + body),
            (400, b"POST /firehose HTTP/1.1\r\n" + usual + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(body) + chunked),
            (501, b"POST /firehose HTTP/1.1\r\n" + usual + b"Transfer-Encoding: xchunked\r\n\r\n" + chunked),
            (400, b"POST /firehose HTTP/1.1\r\n" + usual + b"Content-Length: +%d\r\n\r\n" % len(body) + body),
            (400, b"POST /firehose HTTP/1.1\r\n" + usual + b"Content-Length: %d\r\n\r\n" % (len(body) - 1) + body),
            (400, b"POST /firehose HTTP/1.1\r\n" + usual + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body),
            (413, b"POST /firehose HTTP/1.1\r\n" + usual + b"Content-Length: 65537\r\n\r\n"),
            (400, b"POST /firehose HTTP/1.1\r\n" + usual + b"Content-Length: 4000\r\n\r\n" + b'{"x":' + b"[" * 3990 + b"     "),
        ]  # fmt: skip
        for status, raw in rows:
            with self.subTest(raw[:60] + raw[-60:]):
                self.assertEqual(self.status_of(raw), status)
        self.assertEqual(recorder.puts, {})
        self.assertEqual(self.status_of(good), 200)
        self.assertEqual(self.status_of(b"POST /firehose HTTP/1.1\r\n" + usual + b"Transfer-Encoding: chunked\r\n\r\n" + chunked), 200)
        self.assertEqual(len(recorder.puts), 2)
        self.end()

    def status_of(self, raw):
        """Of the first answer."""
        with socket.create_connection(("127.0.0.1", self.process.port), timeout=60) as connection:
            connection.sendall(raw)
            return int(connection.makefile("rb").readline().split()[1])

    def test_the_switch_is_for_loopback_addresses(self):
        self.configure_server({"local": directory()}, server={"listen": "0.0.0.0:0", "check": {"development": True}})
        result = self.command("serve", "--config", "firehose.json")
        self.check_code(result, USAGE)
        self.assertIn('"check" with "development"', result.text)


if __name__ == "__main__":
    unittest.main()
