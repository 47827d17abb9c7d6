"""kill -9 at random moments, while targets come and go: nothing is missing, nothing has a second key.

FIREHOSE_KILLS: how many; FIREHOSE_KILL_MINUTES: after so long no more of them; FIREHOSE_SEED: for the moments.
"""
import os
import random
import signal
import threading
import time
import unittest

import s3
import servers
from support import KEPT, EndToEnd, directory, lead_objects, say

s3.server()  # or the file is skipped

KILLS = int(os.environ.get("FIREHOSE_KILLS", "8"))
MINUTES = float(os.environ.get("FIREHOSE_KILL_MINUTES", "1e6"))
SEED = int(os.environ.get("FIREHOSE_SEED", str(random.SystemRandom().randrange(1 << 32))))
EVENTS = int(os.environ.get("FIREHOSE_KILL_EVENTS", "1200"))


class Kill(EndToEnd):
    def configure_both(self, endpoint=None):
        patience = s3.PATIENCE if endpoint is None else {}
        self.configure({"local": directory(), "aws": s3.target(self.bucket, "k")}, credentials=s3.credential(endpoint),
                       delivery={"backoff_ms": 10, "retry_backoff_ms": 10, **patience})  # fmt: skip

    def events(self, seed):
        lines = self.generate(EVENTS, "--seed", str(seed))
        # Each round's events have ids of their own.
        lines = lines.replace(b'"id":"66f1', b'"id":"%04x' % seed)
        self.expected.update(lead_objects(lines))
        return lines

    def check_no_partial_file(self):
        for key, body in self.objects_below("out").items():
            self.assertEqual(body, self.expected[key], key)

    def run_and_kill(self, arguments, after):
        process = self.start(*arguments, environment=self.environment)
        finished = threading.Timer(after, process.signal, [signal.SIGKILL])
        finished.start()
        result = process.wait()
        finished.cancel()
        return result.code == -signal.SIGKILL

    def test_kill(self):
        say(f"FIREHOSE_SEED={SEED} FIREHOSE_KILLS={KILLS}")
        draw = random.Random(SEED)
        self.environment = s3.environment()
        store = s3.connect()
        self.addCleanup(store.close)
        self.bucket = store.create_bucket("e2e-kill")
        self.expected = {}
        closed, silent = servers.ClosedPort(), servers.Silent()
        self.addCleanup(closed.close)
        self.addCleanup(silent.close)
        killed = attempts = spooled = 0

        # How long an undisturbed run takes, so that the moments fall all over it.
        self.configure_both()
        self.write("events", self.events(0))
        began = time.monotonic()
        self.deliver("events", accepted=EVENTS, environment=self.environment)
        whole = time.monotonic() - began

        while killed < KILLS and time.monotonic() - began < MINUTES * 60:
            attempts += 1
            self.assertLess(attempts, 10 * KILLS + 10, "it is never killed in time")
            if attempts % 3 == 1:
                # These are accepted and only in the spool: nobody will send them again.
                self.configure_both(closed.endpoint)
                lines = self.events(attempts)
                kept = self.deliver(lines, code=KEPT, accepted=EVENTS, environment=self.environment)
                self.assertEqual(self.row(kept, "aws"), (0, EVENTS, 0))
                spooled += EVENTS
                self.write("events", self.events(1000 + attempts))
            alive = draw.random() < 0.6
            self.configure_both(None if alive else draw.choice([closed, silent]).endpoint)
            hit = self.run_and_kill(["run", "--config", "firehose.json", "events"], draw.uniform(0, whole * 1.2))
            killed += hit
            self.check_no_partial_file()
            if attempts % 3 == 0:
                # Its sender was not told that the events were accepted, so it sends them again.
                self.configure_both()
                self.deliver("events", code=0, accepted=EVENTS, environment=self.environment)

        self.configure_both()
        last = self.deliver("events", accepted=EVENTS, environment=self.environment)
        self.assertEqual(self.spool(), [])
        self.assert_same_objects(self.objects_below("out"), self.expected, "directory")
        self.assert_same_objects(store.objects(self.bucket), {"k/" + k: v for k, v in self.expected.items()}, "S3")
        left = [f for f in os.listdir(self.path("out", ".firehose-tmp"))] if os.path.isdir(self.path("out", ".firehose-tmp")) else []
        self.assertEqual([f for f in left if f.endswith(".json")], [])
        say(f"{killed} kills in {attempts} runs of {whole:.2f} s; {len(self.expected)} events, {spooled} of them "
            f"only in the spool at some time; last run took {last.account['seconds']} s")


if __name__ == "__main__":
    unittest.main()
