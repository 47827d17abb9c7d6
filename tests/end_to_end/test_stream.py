"""GET /v3/{resource}/stream for its documented clients: pages until `top`, positions over kills, errors in their envelope,
and the description at /openapi.json against the server that gives it.

FIREHOSE_KILLS: how many; FIREHOSE_SEED: for the moments.
"""
import hashlib
import http.client
import json
import os
import random
import re
import signal
import socket
import threading
import time
import unittest
import urllib.parse

from serving import NDJSON, TOKENS, Serving, token_section
from support import ALL_DELIVERED, KEPT, directory, say

KILLS = int(os.environ.get("FIREHOSE_KILLS", "8"))
SEED = int(os.environ.get("FIREHOSE_SEED", str(random.SystemRandom().randrange(1 << 32))))
CLERK = "canary-token-of-the-clerk"
ADMIN = "canary-token-of-the-admin"
AGENT = {"User-Agent": "BaseCRM/V2 Python/1.3.0", "Accept": "application/json"}


def item(kind, number, sequence=1, **more):
    meta = {"event_id": f"{kind}-{number}-{sequence}", "event_type": "updated", "event_cause": "interaction",
            "event_time": "2026-02-01T09:14:23Z", "type": kind, "sequence": sequence, "previous": {}}  # fmt: skip
    return json.dumps({"data": {"id": number, **more}, "meta": meta}).encode()


class Stream(Serving):
    def start_stream(self, stream=None, **server):
        tokens = token_section()
        tokens["clerk"] = {"sha256": hashlib.sha256(CLERK.encode()).hexdigest(), "roles": ["read"], "root": False}
        tokens["admin"] = {"sha256": hashlib.sha256(ADMIN.encode()).hexdigest(), "roles": ["ingest", "read", "admin"]}
        section = {"tokens": tokens, "access_log": False, "stream": {"requests_per_second": 0, **(stream or {})}, **server}
        self.configure_server(server=section)
        return self.serve()

    def page(self, client, path, status=200):
        answer = client.ask("GET", path, headers=AGENT, token="reader")
        self.assertEqual(answer.status, status, answer.body[:500])
        self.assertEqual(answer.headers["Content-Type"], "application/json; charset=utf-8")
        self.assertTrue(answer.headers["Content-Language"])
        self.assertRegex(answer.headers["X-Request-Id"], r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        return answer.json

    def drain(self, client, resource, position="tail", limit=None, escape=None):
        """The documented loop: items and position until top."""
        items, pages = [], 0
        while True:
            query = f"position={urllib.parse.quote(position, safe='') if escape else position}"
            said = self.page(client, f"/v3/{resource}/stream?{query}" + (f"&limit={limit}" if limit else ""))
            self.assertLessEqual(len(said["items"]), limit or 25)
            items += said["items"]
            pages += 1
            position = said["meta"]["position"]
            if said["meta"]["top"]:
                return items, position, pages

    def test_each_resource_has_its_own_events(self):
        process = self.start_stream({"resources": {"invoices": "invoice"}})
        client = self.client(process)
        bodies = {}
        for kind, resource in [("lead", "leads"), ("deal", "deals"), ("unqualified_reason", "unqualified_reasons"), ("invoice", "invoices")]:
            bodies[resource] = [item(kind, n, name="ü" * (n % 5)) for n in range(60)]
        for lines in zip(*bodies.values()):
            self.assertEqual(client.post(b"\n".join(lines), kind=NDJSON).status, 202)
        lead_event = {"id": "66f1c0de940df5a34a388801", "type": "source", "vars": {"lead": {"id": "66f1c0de940df5a34a388800"}}}
        self.assertEqual(client.post(json.dumps(lead_event).encode()).status, 202)
        for resource, sent in bodies.items():
            for limit, escape in [(None, False), (7, True), (100, False)]:
                items, position, pages = self.drain(client, resource, limit=limit, escape=escape)
                self.assertEqual(items, [json.loads(body) for body in sent])
                self.assertEqual(pages, -(-60 // (limit or 25)))
            self.assertEqual(self.drain(client, resource, position), ([], position, 1))
            # One client follows the link as it stands, some re-encode what they think is base64.
            first = self.page(client, f"/v3/{resource}/stream?position=tail&limit=3")
            link = urllib.parse.urlsplit(first["meta"]["links"]["next"])
            self.assertEqual(f"{link.scheme}://{link.netloc}", f"http://127.0.0.1:{process.port}")
            self.assertTrue(link.query.endswith("&limit=3"))
            followed = self.page(client, link.path + "?" + link.query)
            self.assertEqual(followed["items"], [json.loads(body) for body in sent[3:6]])
            padded = self.page(client, link.path + "?position=" + first["meta"]["position"] + "%3D&limit=3")
            self.assertEqual(padded["items"], followed["items"])
        (only,), _, _ = self.drain(client, "lead_events")
        self.assertEqual(only["data"], lead_event)
        self.assertEqual((only["meta"]["type"], only["meta"]["event_id"], only["meta"]["sequence"]), ("lead_event", lead_event["id"], 1))
        answer = client.ask("GET", "/v3/leads/stream?position=tail&limit=1", headers=AGENT, token="reader")
        self.assertIn(b'{"items":[' + bodies["leads"][0] + b"]", answer.body)
        self.assertEqual(client.ask("HEAD", "/v3/leads/stream?position=tail", headers=AGENT, token="reader").status, 200)
        self.assertEqual(self.page(client, "/v3/leads/stream?position=top")["items"], [])
        self.stop(process)

    def test_a_scan_is_cut_into_empty_pages(self):
        process = self.start_stream({"scan_events": 50})
        client = self.client(process)
        client.post(b"\n".join(item("deal", n) for n in range(500)) + b"\n" + item("tag", 1), kind=NDJSON)
        items, _, pages = self.drain(client, "tags")
        self.assertEqual(items, [json.loads(item("tag", 1))])
        self.assertGreaterEqual(pages, 10)
        self.stop(process)

    def test_who_drains_comes_to_the_top_under_steady_writes(self):
        process = self.start_stream()
        stop, written = threading.Event(), []

        def write(worker):
            client = self.client(process)
            while not stop.is_set():
                number = len(written)
                self.assertEqual(client.post(item("lead", worker, number + 1)).status, 202)
                written.append(number)

        writers = [threading.Thread(target=write, args=(n,)) for n in range(2)]
        try:
            for writer in writers:
                writer.start()
            self.until(process, lambda: len(written) > 200)
            client = self.client(process)
            drains = 0
            while drains < 3 or len(written) < 1000:
                drains += 1
                before = len(written)
                items, _, pages = self.drain(client, "leads", limit=100)
                self.assertGreaterEqual(len(items), before)
                self.assertTrue(all(writer.is_alive() for writer in writers))
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        say(f"top reached {drains} times while {len(written)} events were written, the last time after {pages} pages")
        self.stop(process)

    def write_until_it_dies(self, process, worker):
        client = self.client(process)
        try:
            while True:
                lines = []
                for _ in range(random.Random(self.sequences[worker]).randint(1, 5)):
                    self.sequences[worker] += 1
                    lines.append(item("lead", worker, self.sequences[worker], pad="x" * 300))
                if client.post(b"\n".join(lines), kind=NDJSON).status != 202:
                    return
                with self.lock:
                    self.accepted.update(lines)
        except (OSError, http.client.HTTPException):
            return

    def read_until_it_dies(self, process):
        """Processes, then saves the position: at-least-once, and here exactly once, since the reader lives on."""
        client = self.client(process)
        try:
            while not self.enough.is_set() or not self.top:
                said = self.page(client, f"/v3/leads/stream?position={self.position}&limit=50")
                self.seen += said["items"]
                self.position, self.top = said["meta"]["position"], said["meta"]["top"]
        except (OSError, http.client.HTTPException):
            return

    def test_a_reader_sees_every_accepted_event_once_over_kills(self):
        say(f"FIREHOSE_SEED={SEED} FIREHOSE_KILLS={KILLS}")
        draw = random.Random(SEED)
        self.lock, self.enough = threading.Lock(), threading.Event()
        self.accepted, self.seen, self.position, self.top = set(), [], "tail", False
        self.sequences = [0, 0, 0]
        process = self.start_stream(log={"segment_bytes": 1 << 17})
        for life in range(KILLS + 1):
            if life > 0:
                process = self.serve()
            self.top = False
            reader = threading.Thread(target=self.read_until_it_dies, args=(process,))
            writers = [threading.Thread(target=self.write_until_it_dies, args=(process, n)) for n in range(3)]
            if life == KILLS:
                self.enough.set()
                writers = []
            for thread in writers + [reader]:
                thread.start()
            if life < KILLS:
                time.sleep(draw.uniform(0.05, 0.4))  # the moment of the kill
                process.signal(signal.SIGKILL)
                process.wait()
            for thread in writers + [reader]:
                thread.join()
        process.signal(signal.SIGTERM)  # while the last events may still wait for their delivery
        result = process.wait()
        self.assertIn(result.code, (ALL_DELIVERED, KEPT), result.text)
        seen = [json.dumps(one).encode() for one in self.seen]
        self.assertEqual(len(set(seen)), len(seen), "an event came twice")
        self.assertEqual(self.accepted - set(seen), set())
        last = {}
        for one in self.seen:
            self.assertGreater(one["meta"]["sequence"], last.get(one["data"]["id"], 0))
            last[one["data"]["id"]] = one["meta"]["sequence"]
        say(f"{KILLS} kills, {len(self.accepted)} events accepted, each seen once; {len(seen) - len(self.accepted)} besides, "
            "durable without an answer")

    def check_envelope(self, status, headers, body, code):
        said = json.loads(body)
        (one,) = said["errors"]
        reason = http.client.responses.get(status, "")
        self.assertEqual(one["error"]["code"], code, body)
        self.assertTrue(one["error"]["message"] and one["error"]["details"])
        self.assertNotIn("resource", one["error"])
        self.assertEqual(one["meta"]["type"], "error")
        self.assertIn("/docs/errors", one["meta"]["links"]["more_info"])
        self.assertEqual(said["meta"]["type"], "errors")
        self.assertEqual(said["meta"]["http_status"].split(" ", 1)[0], str(status))
        if status not in (413, 414, 422):  # whose names have changed
            self.assertEqual(said["meta"]["http_status"], f"{status} {reason}")
        self.assertEqual(said["meta"]["logref"], headers["X-Request-Id"])
        self.assertEqual(headers["Content-Type"], "application/json; charset=utf-8")
        self.assertTrue(headers["Content-Language"])

    def test_every_error_is_in_the_envelope(self):
        process = self.start_stream({"requests_per_second": 1, "burst": 30}, log={"segment_bytes": 1 << 16})
        client = self.client(process)
        for number in range(4):
            client.post(item("lead", number, pad="x" * 40_000))
        old = self.page(client, "/v3/leads/stream?position=tail&limit=1")["meta"]["position"]
        other = self.page(client, "/v3/deals/stream?position=tail&limit=1")["meta"]["position"]
        here = "/v3/leads/stream?position=tail"

        def refused(status, code, path, method="GET", token="reader", body=None, **headers):
            headers = {**AGENT, **{k.replace("_", "-"): v for k, v in headers.items()}}
            answer = client.ask(method, path, body, {k: v for k, v in headers.items() if v is not None}, token)
            self.assertEqual(answer.status, status, (path, answer.body))
            self.check_envelope(status, answer.headers, answer.body, code)
            return answer

        refused(401, "unauthorized", here, token=None)
        refused(401, "unauthorized", here, token=None, Authorization="Bearer wrong")
        refused(403, "insufficient_scope", here, token="writer")
        refused(403, "insufficient_scope", here, token=None, Authorization="Bearer " + CLERK)
        refused(404, "incorrect_path", "/v3/nothing/stream?position=tail")
        refused(404, "incorrect_path", "/v3/leads")
        refused(404, "incorrect_path", "/v3")
        refused(405, "method_not_allowed", here, "POST", body=b"{}")
        refused(405, "method_not_allowed", here, "DELETE")
        refused(413, "too_large", here, token="reader", body=b"x", Content_Length=str(1 << 40))
        client.close()  # it waits for the body
        refused(415, "unsupported_encoding", here, body=b"x", Content_Encoding="br")
        refused(406, "not_acceptable", here, Accept="text/html")
        refused(400, "invalid_header", here, User_Agent=None)
        for query in ["", "position=", "limit=25", "position=tail&limit=0", "position=tail&limit=101", "position=tail&limit=x",
                      "position=" + other, "position=" + old[:-1], "position=bm8gcG9zaXRpb24", "position=%zz"]:
            refused(400, "invalid_param", "/v3/leads/stream?" + query)
        answer = client.ask("GET", "/docs/errors", token="reader")
        self.assertIn(b"410 position_expired", answer.body)
        answers = [client.ask("GET", here, headers=AGENT, token="reader") for _ in range(60)]
        self.assertEqual({one.status for one in answers}, {200, 429})
        answer = next(one for one in answers if one.status == 429)
        self.check_envelope(429, answer.headers, answer.body, "rate_limit_exceeded")
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)

        for head, status, code in [
            (f"GET {here} HTTP/1.1\r\n\r\n", 400, "bad_request"),
            (f"GET {here} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "bad_request"),
            (f"GET {here} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "not_implemented"),
            (f"GET {here} HTTP/3.1\r\nHost: a\r\n\r\n", 505, "version_not_supported"),
            (f"GET {here}{'x' * 20_000}", 414, "target_too_long"),
            (f"GET {here} HTTP/1.1\r\nA: {'x' * 40_000}", 431, "headers_too_large"),
        ]:
            with socket.create_connection(("127.0.0.1", process.port), timeout=60) as raw:
                raw.sendall(head.encode())
                answer = http.client.HTTPResponse(raw)
                answer.begin()
                self.assertEqual(answer.status, status, head[:60])
                self.check_envelope(status, answer.headers, answer.read(), code)

        # As if 72 hours had passed: the oldest segments are gone.
        self.stop(process, code=0)
        journal = self.path("data", "events", "journal")
        oldest = sorted(name for name in os.listdir(journal) if name.endswith(".journal"))[0]
        os.remove(os.path.join(journal, oldest))
        process = self.serve()
        client = self.client(process)
        answer = refused(410, "position_expired", "/v3/leads/stream?position=" + old)
        self.assertIn(b"tail", answer.body)
        items, _, _ = self.drain(client, "leads")
        self.assertTrue(items)
        text = self.stop(process).text
        for secret in (CLERK, TOKENS["reader"][0], old):
            self.assertNotIn(secret, text)

    def test_everything_that_is_described_answers_as_described(self):
        process = self.start_stream()
        client = self.client(process)
        document = client.ask("GET", "/openapi.json", token="reader").json
        self.assertTrue(document["openapi"].startswith("3.1."))
        self.assertEqual(client.ask("GET", "/openapi.json", token=None).status, 401)
        # The server itself compares all of its routes with it.
        self.assertNotIn(b"/openapi.json is not", process.errors_so_far())
        values = {"resource": "leads", "flow_id": "5fd4371e940df5a34a3888b2", "id": "507f1f77bcf86cd799439011"}
        admin = {**AGENT, "Authorization": "Bearer " + ADMIN}

        def parameters(operation, item):
            for one in item.get("parameters", []) + operation.get("parameters", []):
                if "$ref" in one:
                    one = document["components"]["parameters"][one["$ref"].rsplit("/", 1)[1]]
                yield one

        asked = 0
        for template, item_of_path in document["paths"].items():
            path = re.sub(r"{(\w+)}", lambda found: values[found.group(1)], template)
            for method, operation in item_of_path.items():
                if method == "parameters":
                    continue
                described = set(operation["responses"]) - {"default"}
                query = {p["name"]: p["schema"].get("examples", ["x"])[0]
                         for p in parameters(operation, item_of_path) if p["in"] == "query" and p.get("required")}
                body = b"{}" if "requestBody" in operation else None
                kind = {"Content-Type": "application/json"} if body else {}
                for headers, with_query in [(AGENT, True), ({**AGENT, "Authorization": "Bearer wrong"}, True),
                                            ({**AGENT, "Authorization": "Bearer " + CLERK}, True), (admin, False), (admin, True)]:
                    target = path + ("?" + urllib.parse.urlencode(query) if with_query and query else "")
                    answer = client.ask(method.upper(), target, body, {**headers, **kind}, token=None)
                    self.assertIn(str(answer.status), described, (method, target, answer.body[:300]))
                    if headers is AGENT:
                        closed = operation.get("security", document["security"]) != []
                        self.assertEqual(answer.status == 401, closed, (method, target))
                    asked += 1
                self.assertNotEqual(answer.status, 405, (method, path))
                # Its place is known: another method is 405, not 404.
                other = client.ask("PATCH", path, headers=admin, token=None)
                self.assertEqual(other.status, 405, path)
                self.assertIn(method.upper(), other.headers["Allow"])
        say(f"{asked} requests to {len(document['paths'])} described paths")
        self.stop(process)


if __name__ == "__main__":
    unittest.main()
