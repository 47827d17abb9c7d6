"""Streams that are pulled: drained by run, followed by serve, and kill -9 at random moments while pulling.

FIREHOSE_KILLS: how many; FIREHOSE_SEED: for the moments.
"""
import base64
import json
import os
import random
import re
import signal
import threading
import time
import unittest
import urllib.parse

import servers
from serving import NDJSON, TOKENS, Serving, token_section
from support import ALL_DELIVERED, INTERNAL, USAGE, directory, key_of, lead_objects, say

KILLS = int(os.environ.get("FIREHOSE_KILLS", "8"))
SEED = int(os.environ.get("FIREHOSE_SEED", str(random.SystemRandom().randrange(1 << 32))))
TOKEN = "canary-bearer-token-of-the-stream"
QUICK = {"poll_ms": 40, "save_ms": 20, "requests_per_second": 1000, "backoff_ms": 5, "backoff_cap_ms": 40}


def crm_event(number, resource=1, sequence=1):
    """Byte for byte what must arrive, blanks included."""
    return (
        '{"data": {"id": %d, "name": "Zoë %d", "value": "10.25", "tags": []},  "meta": {"event_id": "ev-%d", "event_type": "created",'
        ' "event_cause": "interaction", "event_time": "2026-02-01T09:14:23Z", "type": "lead", "sequence": %d}}'
        % (resource, number, number, sequence)
    ).encode()


def objects_of(events):
    found = {}
    for event in events:
        said = json.loads(event)
        found[key_of(str(said["data"]["id"]), said["meta"]["event_id"])] = event
    return found


class Stream(servers.Http):
    """The event stream as its documentation describes it; positions look like the original's.

    `trouble`: the part of all answers that are errors, empty or repeated pages; drawn from `seed`.
    """

    def __init__(self, resources, trouble=0.0, seed=1):
        self.resources = resources
        self.trouble = trouble
        self.draw = random.Random(seed)
        self.lock = threading.Lock()
        self.oldest = 0  # positions before it have expired
        self.requests = 0
        self.faults = []
        super().__init__()

    def position(self, resource, offset):
        return base64.b64encode(f"firehose.{resource}.by_account,3,{offset}".encode()).decode()

    @staticmethod
    def offset(position):
        return int(base64.b64decode(position.encode(), validate=True).decode().split(",")[2])

    def refuse(self, status, code, **headers):
        body = {"errors": [{"error": {"code": code, "message": code, "details": "See the documentation."},
                            "meta": {"type": "error"}}], "meta": {"type": "errors"}}  # fmt: skip
        return status, {"Content-Type": "application/json; charset=utf-8", **headers}, json.dumps(body).encode()

    def respond(self, method, path, headers, body):
        with self.lock:
            return self.answer(path, headers)

    def answer(self, path, headers):
        self.requests += 1
        url = urllib.parse.urlsplit(path)
        asked = dict(urllib.parse.parse_qsl(url.query))
        if not headers.get("User-Agent") or headers.get("Accept") != "application/json":
            self.faults.append(str(headers))
            return self.refuse(400, "invalid_header")
        if headers.get("Authorization") != "Bearer " + TOKEN:
            return self.refuse(401, "unauthorized")
        resource = url.path.split("/")[2]
        if url.path != f"/v3/{resource}/stream" or resource not in self.resources:
            return self.refuse(404, "incorrect_path")
        events = self.resources[resource]
        position, limit = asked["position"], int(asked["limit"])
        begin = {"tail": self.oldest, "top": len(events)}.get(position)
        if begin is None:
            begin = self.offset(position)
        if begin < self.oldest:
            return self.refuse(410, "position_expired")
        if self.draw.random() < self.trouble:
            kind = self.draw.randrange(5)
            if kind == 0:
                return self.refuse(429, "rate_limit_exceeded", **{"Retry-After": "0"})
            if kind == 1:
                return self.refuse(503, "temporarily_unavailable")
            if kind == 2:
                return 200, {"Content-Type": "application/json"}, b'{"items": [], "meta": {"top": true}}'
            if kind == 3:  # the same page once more
                begin = max(self.oldest, begin - 5)
            else:
                limit = 0
        items = events[begin : begin + limit]
        end = begin + len(items)
        following = self.position(resource, end)
        meta = {"links": {"next": f"http://127.0.0.1:1/v3/{resource}/stream?position={following}"},
                "position": following, "top": end == len(events)}  # fmt: skip
        page = b'{"items": [' + b", ".join(items) + b'], "meta": ' + json.dumps(meta).encode() + b"}"
        return 200, {"Content-Type": "application/json; charset=utf-8"}, page


class StreamSource(Serving):
    environment = {"E2E_STREAM_TOKEN": TOKEN}

    def peer(self, resources, **how):
        peer = Stream(resources, **how)
        self.addCleanup(peer.close)
        return peer

    def source(self, peer, resource, **more):
        return {"type": "stream", "name": resource, "url": peer.endpoint, "resource": resource,
                "token": {"env": "E2E_STREAM_TOKEN"}, **QUICK, **more}  # fmt: skip

    def run_verb(self, code=ALL_DELIVERED, **how):
        result = self.command("run", "--config", "firehose.json", "--json", environment=self.environment, **how)
        self.check_code(result, code)
        return result

    def stored(self, resource):
        """The offset on disk; 0 without one."""
        try:
            with open(self.path("data", "sources", resource, "position"), "rb") as file:
                return Stream.offset(file.read().split(b"\n")[0].decode())
        except FileNotFoundError:
            return 0

    def test_run_drains_streams_and_files_together(self):
        # One resource has many events; without a growing sequence most would be repeats.
        leads = [crm_event(n, resource=n % 50, sequence=n) for n in range(730)]
        deals = [crm_event(10_000 + n, resource=9_000 + n) for n in range(210)]
        peer = self.peer({"leads": leads, "deals": deals, "notes": []})
        lines = self.generate(100)
        self.write("in.ndjson", lines)
        self.configure({"local": directory()}, sources=[
            self.source(peer, "leads"), {"type": "file", "path": "in.ndjson"},
            self.source(peer, "deals", limit=9), self.source(peer, "notes"),
        ])  # fmt: skip
        result = self.run_verb()
        self.assertEqual(self.check_account(result)["accepted"], 730 + 210 + 100)
        expected = {**objects_of(leads), **objects_of(deals), **lead_objects(lines)}
        self.assert_same_objects(self.objects_below("out"), expected)
        self.assertEqual((self.stored("leads"), self.stored("deals"), self.stored("notes")), (730, 210, 0))
        self.assertEqual(peer.faults, [])
        # Again: only what is new; the file would be told once more.
        leads.append(crm_event(730, resource=1, sequence=5000))
        self.write("in.ndjson", b"")
        self.assertEqual(self.check_account(self.run_verb())["accepted"], 1)
        self.assertEqual(self.stored("leads"), 731)

    def test_run_in_batches(self):
        leads = [crm_event(n, resource=n) for n in range(250)]
        peer = self.peer({"leads": leads})
        self.configure({"local": directory()}, sources=[self.source(peer, "leads")],
                       delivery={"layout": "batch", "batch": {"format": "none"}})  # fmt: skip
        self.run_verb()
        found = b"".join(self.objects_below("out").values()).splitlines()
        self.assertEqual(sorted(found), sorted(leads))
        self.assertEqual(self.stored("leads"), 250)

    def test_serve_follows_until_it_is_stopped(self):
        leads = [crm_event(n, resource=n) for n in range(120)]
        peer = self.peer({"leads": leads}, trouble=0.2, seed=SEED)
        say(f"FIREHOSE_SEED={SEED}")
        self.configure_server({"local": directory()}, sources=[self.source(peer, "leads", limit=10)])
        process = self.serve(environment=self.environment)
        for n in range(120, 150):
            with peer.lock:
                leads.append(crm_event(n, resource=n))
            time.sleep(0.01)
        expected = objects_of(leads)
        self.until(process, lambda: len(self.objects_below("out")) >= len(expected))
        self.assert_same_objects(self.objects_below("out"), expected)
        result = self.stop(process)
        self.assertEqual(self.stored("leads"), 150)
        self.assertGreaterEqual(result.account["accepted"], 150)
        self.assertNotIn(TOKEN, result.text)

    def test_what_needs_a_person_ends_a_run(self):
        peer = self.peer({"leads": [crm_event(1)]})
        self.configure({"local": directory()}, sources=[self.source(peer, "leads")])
        wrong = self.command("run", "--config", "firehose.json", environment={"E2E_STREAM_TOKEN": "another-canary-token"})
        self.check_code(wrong, INTERNAL)
        self.assertIn("401 unauthorized: See the documentation.", wrong.text)
        self.assertNotIn("another-canary-token", wrong.text)
        self.assertNotIn("position=tail&", wrong.text)
        self.assertEqual(self.stored("leads"), 0)
        self.configure({"local": directory()}, sources=[self.source(peer, "laeds")])
        self.assertIn("404 incorrect_path", self.run_verb(INTERNAL).text)
        self.check_code(self.command("run", "--config", "firehose.json"), USAGE)

    def test_an_expired_position(self):
        leads = [crm_event(n, resource=n) for n in range(20)]
        peer = self.peer({"leads": leads})
        for policy, code, last in (("stop", INTERNAL, 20), ("tail", ALL_DELIVERED, 60), ("top", ALL_DELIVERED, 80)):
            self.configure({"local": directory()}, sources=[self.source(peer, "leads", expired=policy)])
            if policy == "stop":
                self.run_verb()
            leads.extend(crm_event(n, resource=n) for n in range(len(leads), len(leads) + 20))
            peer.oldest = len(leads) - 10
            result = self.run_verb(code)
            self.assertIn("410 position_expired", result.text)
            self.assertEqual(self.stored("leads"), last)
        found = self.objects_below("out")
        expected = objects_of([*leads[:20], *leads[50:60]])
        self.assert_same_objects(found, expected)

    def test_validate_asks_the_stream(self):
        peer = self.peer({"leads": []})
        self.configure({"local": directory()}, sources=[self.source(peer, "leads"), self.source(peer, "laeds")])
        arguments = ["validate", "--config", "firehose.json", "--live", "--json"]
        result = self.command(*arguments, environment=self.environment)
        self.check_code(result, USAGE)
        live = [row for row in json.loads(result.out)["live"] if "source" in row["destination"]]
        self.assertEqual([row["answers"] for row in live], [True, False])
        self.assertIn("404 incorrect_path", live[1]["message"])
        self.assertFalse(os.path.exists(self.path("data")))

    def test_our_own_server_is_a_peer(self):
        """With pages cut short, repeated pages and a rate that is exceeded; then the same position once more."""
        stream = {"scan_events": 20, "repeat_every": 3, "requests_per_second": 20, "burst": 5}
        self.configure(name="peer.json", data_dir="peer-data", server={
            "listen": "127.0.0.1:0", "tokens": token_section(), "access_log": False, "stream": stream})  # fmt: skip
        peer = self.start("serve", "--config", "peer.json", "--json")
        found = self.until(peer, lambda: re.search(rb"listening address=\S*:(\d+)", peer.errors_so_far()))
        self.until(peer, lambda: b" ready pending=" in peer.errors_so_far())
        peer.port = int(found.group(1))
        client = self.client(peer)
        leads = [crm_event(n, resource=n % 40, sequence=n) for n in range(300)]
        others = [json.dumps({"data": {"id": n}, "meta": {"type": "deal", "sequence": 1}}).encode() for n in range(150)]
        for n in range(0, 300, 50):
            self.assertEqual(client.post(b"\n".join(leads[n : n + 50] + others[n // 2 : n // 2 + 25]), kind=NDJSON).status, 202)
        source = {"type": "stream", "name": "leads", "url": f"http://127.0.0.1:{peer.port}", "resource": "leads",
                  "token": {"env": "E2E_READER"}, **QUICK}  # fmt: skip
        self.configure({"local": directory()}, sources=[source])
        reader = {"E2E_READER": TOKENS["reader"][0]}
        result = self.command("run", "--config", "firehose.json", "--json", environment=reader)
        self.check_code(result, ALL_DELIVERED)
        self.assertEqual(self.check_account(result)["accepted"], 300, result.text[-3000:])
        self.assert_same_objects(self.objects_below("out"), objects_of(leads))
        leads.append(crm_event(300, resource=1, sequence=300))
        self.assertEqual(client.post(leads[-1]).status, 202)
        result = self.command("run", "--config", "firehose.json", "--json", environment=reader)
        self.assertEqual(self.check_account(result)["accepted"], 1, result.text[-3000:])
        self.assert_same_objects(self.objects_below("out"), objects_of(leads))
        writer = {"E2E_READER": TOKENS["writer"][0]}
        self.check_code(self.command("run", "--config", "firehose.json", environment=writer), INTERNAL)
        self.stop(peer)

    def durable(self):
        """Everything that is on disk: delivered, or in the event log."""
        kept = [b"\n".join(self.objects_below("out").values())]
        for at, _, files in os.walk(self.path("data", "events")):
            for name in files:
                with open(os.path.join(at, name), "rb") as file:
                    kept.append(file.read())
        return b"\n".join(kept)

    def test_kill(self):
        say(f"FIREHOSE_SEED={SEED} FIREHOSE_KILLS={KILLS}")
        draw = random.Random(SEED)
        streams = {"leads": [], "deals": []}
        peer = self.peer(streams, trouble=0.15, seed=SEED)
        self.configure_server(
            {"local": directory()}, server={"access_log": False},
            sources=[self.source(peer, "leads", limit=7, at_top="poll"), self.source(peer, "deals", at_top="poll")])  # fmt: skip
        number, moved = 0, set()

        def grow(count):
            nonlocal number
            with peer.lock:
                for _ in range(count):
                    resource = draw.choice(["leads", "deals"])
                    streams[resource].append(crm_event(number, resource=number % 90, sequence=number))
                    number += 1

        grow(400)
        for life in range(KILLS):
            grow(draw.randrange(100, 400))
            verb = ["serve", "run"][life % 2]
            process = self.start(verb, "--config", "firehose.json", environment=self.environment)
            until = time.monotonic() + draw.uniform(0.05, 2.0)  # the moment of the kill
            while time.monotonic() < until:
                grow(3)
                time.sleep(0.005)
            process.signal(signal.SIGKILL)
            process.wait()
            kept = self.durable()
            for resource, events in streams.items():
                at = self.stored(resource)
                moved.add((resource, at))
                self.assertLessEqual(at, len(events))
                ahead = [n for n in range(at) if events[n] not in kept]
                self.assertEqual(ahead, [], f"{verb}: the position of {resource} is ahead of what is durable")
        peer.trouble = 0
        process = self.serve(environment=self.environment)
        expected = objects_of(streams["leads"] + streams["deals"])
        self.until(process, lambda: len(self.objects_below("out")) >= len(expected), 300)
        self.stop(process)
        self.assert_same_objects(self.objects_below("out"), expected)
        for resource, events in streams.items():
            self.assertEqual(self.stored(resource), len(events))
        self.assertGreater(len(moved), 2)
        say(f"{KILLS} kills while pulling, {number} events, {peer.requests} requests, {len(moved) - 1} stored positions seen, "
            "0 lost, none under a second key")


if __name__ == "__main__":
    unittest.main()
