"""kill -9 of the server at random moments under load: every event with a 2xx is delivered, to both stores, under one key,
and no position is given twice.

FIREHOSE_KILLS: how many; FIREHOSE_SEED: for the moments.
"""
import functools
import http.client
import os
import random
import threading
import time
import unittest

import s3
from serving import NDJSON, Serving, some_leads
from support import directory, key_of, say

s3.server()  # or the file is skipped

KILLS = int(os.environ.get("FIREHOSE_KILLS", "8"))
SEED = int(os.environ.get("FIREHOSE_SEED", str(random.SystemRandom().randrange(1 << 32))))
LEAD = "66f1c0de940df5a34a388800"
WORKERS = 3
REQUESTS = 40  # a worker and life, at most: all of it has to reach both stores


class ServeKill(Serving):
    def send_until_it_dies(self, process, life, worker):
        """Batches of 1 to 20 events; what is not answered with 2xx promises nothing."""
        client = self.client(process)
        draw = random.Random(SEED + life * 100 + worker)
        for request in range(REQUESTS):
            lines = some_leads(draw, LEAD, f"{life}-{worker}-{request}")
            try:
                answer = client.post(b"\n".join(lines.values()), kind=NDJSON)
            except (OSError, http.client.HTTPException):
                return
            if answer.status != 202:
                continue
            said = answer.json
            with self.lock:
                self.accepted.update(lines)
                self.ranges.append((said["first_position"], said["last_position"]))

    def test_kill(self):
        say(f"FIREHOSE_SEED={SEED} FIREHOSE_KILLS={KILLS}")
        draw = random.Random(SEED)
        store = s3.connect()
        self.addCleanup(store.close)
        bucket = store.create_bucket("e2e-serve-kill")
        self.configure_server(
            {"local": directory(), "aws": s3.target(bucket, "k")}, credentials=s3.credential(None),
            server={"access_log": False, "log": {"segment_bytes": 1 << 17}},
            delivery={"backoff_ms": 10, "retry_backoff_ms": 10})  # fmt: skip
        self.lock = threading.Lock()
        self.accepted, self.ranges = {}, []
        starts = []
        for life in range(KILLS):
            began = time.monotonic()
            process = self.serve(environment=s3.environment())
            starts.append(time.monotonic() - began)
            jobs = [functools.partial(self.send_until_it_dies, process, life, n) for n in range(WORKERS)]
            self.kill_while(process, jobs, draw.uniform(0.02, 0.5))
        process = self.serve(environment=s3.environment())
        client = self.client(process)

        def settled():
            said = client.ask("GET", "/readyz").json
            return said["pending"] == 0 and said["spooled"] == 0

        self.until(process, settled, 300)
        self.stop(process)
        expected = {key_of(LEAD, name): line for name, line in self.accepted.items()}
        local, remote = self.objects_below("out"), store.objects(bucket)
        lost = [k for k in expected if local.get(k) != expected[k] or remote.get("k/" + k) != expected[k]]
        self.assertEqual(lost, [])
        # What was durable when the answer was cut off may be there besides, in both.
        self.assertEqual({"k/" + k for k in local}, set(remote))
        self.ranges.sort()
        for (_, last), (first, _) in zip(self.ranges, self.ranges[1:]):
            self.assertLess(last, first)
        say(f"{KILLS} kills, {len(self.accepted)} events in {len(self.ranges)} requests accepted, 0 lost, "
            f"{len(local) - len(expected)} durable without an answer, slowest start {max(starts):.2f} s")


if __name__ == "__main__":
    unittest.main()
