"""`firehose serve` in the layout "batch": objects out of the event log, the same ones after kill -9.

FIREHOSE_KILLS: how many kills; FIREHOSE_SEED: for the moments.
"""
import functools
import http.client
import os
import random
import threading
import time
import unittest

from objects import Sink, lines_in
from serving import NDJSON, Serving, some_leads
from support import KEPT, USAGE, directory, say

KILLS = int(os.environ.get("FIREHOSE_KILLS", "8"))
SEED = int(os.environ.get("FIREHOSE_SEED", str(random.SystemRandom().randrange(1 << 32))))
LEAD = "66f1c0de940df5a34a388800"
CREDENTIAL = "507f1f77bcf86cd799439011"


class ServeBatch(Serving):
    def configure_batch(self, services=None, batch=None, delivery=None, **rest):
        more = {"layout": "batch", "batch": batch or {}, "backoff_ms": 10, "retry_backoff_ms": 10, **(delivery or {})}
        self.configure_server(services or {"local": directory()}, delivery=more, **rest)

    def remote(self, endpoint):
        """A service in a bucket there, and its credential."""
        credential = {"type": "user", "username": "u", "password": {"env": "SECRET"}, "region": "us-east-1",
                      "endpoint": endpoint}  # fmt: skip
        return {"enabled": True, "credential_id": CREDENTIAL, "bucket": "bucket"}, {CREDENTIAL: credential}

    def post(self, client, lines):
        self.assertEqual(client.post(b"\n".join(lines), kind=NDJSON).status, 202)

    def settled(self, client):
        said = client.ask("GET", "/readyz").json
        return said["pending"] == 0 and said["spooled"] == 0

    def leads(self, count):
        return [b'{"id":"e%d","vars":{"lead":{"id":"%s"}}}' % (n, LEAD.encode()) for n in range(count)]

    def test_events_of_many_requests_share_objects_that_age_cuts(self):
        lines = self.leads(300)
        self.configure_batch(batch={"age_ms": 1000, "key": "{yyyy}-{MM}-{dd}/{hash}.{ext}"})
        process = self.serve(environment={"SECRET": "s"})
        client = self.client(process)
        today = {time.strftime("%Y-%m-%d", time.gmtime())}
        for n in range(0, 300, 3):
            self.post(client, lines[n : n + 3])
        self.until(process, lambda: self.settled(client))
        today.add(time.strftime("%Y-%m-%d", time.gmtime()))
        objects = self.objects_below("out")
        self.assertEqual(sorted(lines_in(objects)), sorted(lines))
        self.assertLess(len(objects), 100)
        self.assertLessEqual({key.split("/")[0] for key in objects}, today)  # without a time of their own
        self.stop(process)
        self.assertEqual(self.objects_below("out"), objects)

    def test_stopped_it_delivers_what_is_open(self):
        lines = self.leads(20)
        self.configure_batch()
        process = self.serve(environment={"SECRET": "s"})
        self.post(self.client(process), lines)
        self.assertEqual(self.objects_below("out"), {})
        self.stop(process)
        self.assertEqual(sorted(lines_in(self.objects_below("out"))), sorted(lines))

    def test_a_dead_service_costs_the_other_nothing_and_gets_its_objects_later(self):
        lines = self.leads(40)
        sink = Sink()
        self.addCleanup(sink.server_close)
        remote, credentials = self.remote(sink.endpoint)
        batch = {"age_ms": 50, "count": 10}
        sink.refusals = 1 << 30
        self.configure_batch({"local": directory(), "aws": remote}, batch, {"attempts": 1}, credentials=credentials)
        process = self.serve(environment={"SECRET": "s"})
        client = self.client(process)
        self.post(client, lines)
        self.until(process, lambda: client.ask("GET", "/readyz").json["pending"] == 0)
        self.assertEqual(sorted(lines_in(self.objects_below("out"))), sorted(lines))
        self.assertEqual(sink.objects, {})
        self.stop(process, KEPT)
        sink.refusals = 0
        process = self.serve(environment={"SECRET": "s"})
        client = self.client(process)
        self.until(process, lambda: self.settled(client))
        self.stop(process)
        found = {path.removeprefix("/bucket/"): bodies[0] for path, bodies in sink.objects.items()}
        self.assertEqual(found, self.objects_below("out"))

    def test_killed_at_any_moment_the_same_objects_come_out(self):
        self.survives({"age_ms": 30, "count": 60, "partitions": 7}, KILLS)

    def test_killed_at_any_moment_the_same_objects_come_out_of_files(self):
        """Objects of some MiB in a quarter of that, named by the position of their first event."""
        batch = {"format": "none", "memory": 4 << 20, "bytes": 3 << 20, "age_ms": 100, "key": "{position}.{ext}"}
        self.survives(batch, KILLS // 2, pad=30_000)

    def survives(self, batch, kills, pad=0):
        say(f"FIREHOSE_SEED={SEED} kills: {kills}")
        draw = random.Random(SEED)
        sink = Sink()
        self.addCleanup(sink.server_close)
        remote, credentials = self.remote(sink.endpoint)
        self.configure_batch({"local": directory(), "aws": remote}, batch,
                             server={"access_log": False, "log": {"segment_bytes": 1 << 17}},
                             credentials=credentials)  # fmt: skip
        accepted, guard = {}, threading.Lock()

        def send_until_it_dies(process, life, worker):
            client = self.client(process)
            mine = random.Random(SEED + life * 100 + worker)
            for request in range(60):
                lines = some_leads(mine, LEAD, f"{life}-{worker}-{request}", pad)
                try:
                    answer = client.post(b"\n".join(lines.values()), f"/flows/f{worker}/events", NDJSON)
                except (OSError, http.client.HTTPException):
                    return
                if answer.status == 202:
                    with guard:
                        accepted.update(lines)

        seen = {}
        for life in range(kills):
            process = self.serve(environment={"SECRET": "s"})
            jobs = [functools.partial(send_until_it_dies, process, life, n) for n in range(3)]
            self.kill_while(process, jobs, draw.uniform(0.02, 0.5))
            now = self.objects_below("out")
            self.assert_same_objects({key: now.get(key) for key in seen}, seen, f"after kill {life}")
            seen = now
        process = self.serve(environment={"SECRET": "s"})
        client = self.client(process)
        self.until(process, lambda: self.settled(client), 300)
        self.stop(process)
        objects = self.objects_below("out")
        self.assert_same_objects({key: objects.get(key) for key in seen}, seen, "at the end")
        found = lines_in(objects)
        self.assertEqual(len(found), len(set(found)))  # whatever was read twice is there once
        self.assertLessEqual(set(accepted.values()), set(found))
        remote = {}
        for path, bodies in sink.objects.items():
            self.assertEqual(len(set(bodies)), 1, path)
            remote[path.removeprefix("/bucket/")] = bodies[0]
        self.assert_same_objects(remote, objects, "the other service")
        puts = sum(map(len, sink.objects.values()))
        say(f"{kills} kills, {len(accepted)} events accepted, {len(found)} delivered once, {len(objects)} objects, "
            f"{puts - len(objects)} of them put again under the same name")

    def test_what_a_run_may_and_a_server_may_not(self):
        for batch, word in (({"key": "{first}-{last}.{ext}"}, "{hash}"), ({"age_ms": 0}, "age_ms")):
            self.configure_batch(batch=batch)
            result = self.command("serve", "--config", "firehose.json")
            self.check_code(result, USAGE)
            self.assertIn(word, result.text)


if __name__ == "__main__":
    unittest.main()
