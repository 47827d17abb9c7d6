"""A spool in an SQS queue: a dead target's events go there and come back; two processes drain one queue while one
after the other is killed.

FIREHOSE_SQS_RECORDS: how many the two drain; FIREHOSE_SEED: for the moments of the kills.
"""
import json
import os
import random
import signal
import time
import unittest

import servers
import sqs
from support import ALL_DELIVERED, KEPT, USAGE, EndToEnd, directory, lead_objects, say

sqs.server()  # or the file is skipped

KEY_ID = "507f1f77bcf86cd799439011"
RECORDS = int(os.environ.get("FIREHOSE_SQS_RECORDS", "600"))
SEED = int(os.environ.get("FIREHOSE_SEED", str(random.SystemRandom().randrange(1 << 32))))
SECRET = "the-secret-of-the-bucket"


class SlowRecorder(servers.Recorder):
    """Takes its time for each request, so that a kill finds some under way."""

    pause = 0.0

    def respond(self, *request):
        time.sleep(self.pause)
        return super().respond(*request)


class Sqs(EndToEnd):
    def setUp(self):
        super().setUp()
        self.queue = sqs.Queue()
        self.environment = {**sqs.environment(), "E2E_SECRET": SECRET}

    def served(self, server):
        self.addCleanup(server.close)
        return server

    def configure_bucket(self, endpoint, spool=None, **delivery):
        target = {"enabled": True, "credential_id": KEY_ID, "bucket": "events", "prefix": "live"}
        access = {"type": "user", "username": "AKEY", "password": {"env": "E2E_SECRET"}, "endpoint": endpoint}
        self.configure({"aws": target}, credentials={KEY_ID: access, **sqs.credential()},
                       spool=spool or sqs.spool(self.queue), delivery={"retry_backoff_ms": 100, **delivery})  # fmt: skip

    def drain(self, within=300):
        """Runs until the queue is empty; every run but the last may leave something."""
        delivered, until = 0, time.monotonic() + within
        while True:
            self.assertLess(time.monotonic(), until, self.queue.counts())
            result = self.command("run", "--config", "firehose.json", "--json", "/dev/null", environment=self.environment)
            self.assertIn(result.code, (ALL_DELIVERED, KEPT), result.text)
            delivered += sum(row["delivered"] for row in result.account.get("backlog", {}).values())
            if self.queue.size() == 0:
                return delivered

    def drain_disks(self, *data_dirs):
        """Delivers what the queue did not take in time, and what a process that was killed held; how many they were."""
        waited = 0
        for each in data_dirs:
            own = ("--config", "firehose.json", "--set", f"/data_dir={each}")
            listed = self.command("spool", "ls", *own, "--json", environment=self.environment)
            waited += sum(row["records"] for row in json.loads(listed.out))
            self.check_code(self.command("run", *own, "/dev/null", environment=self.environment), ALL_DELIVERED)
        return waited

    def test_a_bucket_dies_and_comes_back(self):
        count = 150
        recorder = self.served(servers.Recorder("down"))
        self.configure_bucket(recorder.endpoint)
        lines = self.generate(count)
        first = self.deliver(lines, code=KEPT, accepted=count, environment=self.environment)
        self.assertEqual(self.row(first, "aws"), (0, count, 0))
        self.assertGreaterEqual(self.queue.size(), count)
        if self.queue.size() == count:
            self.assertEqual(first.account.get("backlog"), None, "all of them are this run's own")
        for body in self.queue.peek():
            self.assertNotIn(SECRET, body)
            self.assertNotIn(sqs.environment()["E2E_SQS_SECRET"], body)
            self.assertIn('"service":"aws"', body)
        self.assertNotIn(SECRET, first.text)

        listed = self.command("spool", "ls", "--config", "firehose.json", "--json")
        self.assertEqual(listed.out.strip(), b"[]", "the queue's records are not in it")
        self.assertIn("What waits there is not listed", listed.text)
        live = self.command("validate", "--config", "firehose.json", "--live", environment=self.environment)
        self.assertRegex(live.out.decode(), r"spool %s: answers: \d+ records waiting" % self.queue.name)

        recorder.mode = "well"
        self.assertGreaterEqual(self.drain(), count)
        self.assertEqual(recorder.objects, {"/events/live/" + k: v for k, v in lead_objects(lines).items()})
        self.assertEqual(self.queue.size(), 0)
        last = self.deliver(b"", environment=self.environment)
        self.assertEqual(last.code, ALL_DELIVERED)

    def test_a_directory_dies_beside_a_healthy_one(self):
        count = 100
        self.configure({"local": directory("out"), "copy": directory("copy")}, credentials=sqs.credential(),
                       spool=sqs.spool(self.queue), delivery={"retry_backoff_ms": 100})  # fmt: skip
        self.write("copy", b"a file where a folder should be")
        lines = self.generate(count)
        first = self.deliver(lines, code=KEPT, accepted=count, environment=self.environment)
        self.assertEqual((self.row(first, "local"), self.row(first, "copy")), ((count, 0, 0), (0, count, 0)))
        self.assertGreaterEqual(self.queue.size(), count)
        os.remove(self.path("copy"))
        self.assertGreaterEqual(self.drain(), count)
        for folder in ("out", "copy"):
            self.assert_same_objects(self.objects_below(folder), lead_objects(lines), folder)

    def test_what_does_not_fit_and_what_the_queue_does_not_take(self):
        """Both go to the disk, and come back from it."""
        recorder = self.served(servers.Recorder("down"))
        self.configure_bucket(recorder.endpoint, sqs.spool(self.queue, message_bytes=4096))
        lines = self.generate(10)
        draw = random.Random(SEED)
        noise = "".join(chr(draw.randrange(0x4E00, 0x9FFF)) for _ in range(20_000))
        large = lines.splitlines()[0].replace(b'"id":"', b'"id":"large', 1).replace(b"{", b'{"noise":"%s",' % noise.encode(), 1)
        lines += large + b"\n"
        first = self.deliver(lines, code=KEPT, accepted=11, environment=self.environment)
        self.assertEqual(self.row(first, "aws"), (0, 11, 0))
        self.assertGreaterEqual(self.queue.size(), 10)
        self.assertEqual([r["records"] for r in self.spool()], [1])
        self.assertIn("too large for the queue", first.text)
        # A queue that cannot be reached: everything is kept on the disk, and the start does not fail.
        closed = self.served(servers.ClosedPort())
        elsewhere = {**sqs.spool(self.queue), "queue_url": closed.endpoint + "/000000000000/gone"}
        self.configure_bucket(recorder.endpoint, elsewhere)
        more = self.generate(20, "--seed", "9").replace(b'"id":"66f1', b'"id":"0009')
        second = self.deliver(more, code=KEPT, accepted=20, environment=self.environment)
        self.assertEqual(self.row(second, "aws"), (0, 20, 0))
        self.assertEqual([r["records"] for r in self.spool()], [21])
        self.assertIn("cannot be reached", second.text)
        recorder.mode = "well"
        self.configure_bucket(recorder.endpoint)
        self.assertGreaterEqual(self.drain(), 31)
        self.assertEqual(recorder.objects, {"/events/live/" + k: v for k, v in lead_objects(lines + more).items()})
        self.assertEqual(self.spool(), [])

    def test_dead_letters(self):
        """Parked records go to the disk, or to a queue of their own; the spool's queue is empty then."""
        for with_queue in (False, True):
            self.queue, dead = sqs.Queue(), sqs.Queue()
            recorder = self.served(servers.Recorder("down"))
            more = {"dead_letter_queue_url": dead.url} if with_queue else {}
            self.configure_bucket(recorder.endpoint, sqs.spool(self.queue, **more), park_after_attempts=1)
            lines = self.generate(3, "--seed", str(1 + with_queue))
            self.deliver(lines, code=KEPT, accepted=3, environment=self.environment)
            until = time.monotonic() + 60
            while self.queue.size() > 0:
                self.assertLess(time.monotonic(), until)
                self.command("run", "--config", "firehose.json", "/dev/null", environment=self.environment)
            self.assertGreaterEqual(dead.size(), 3 if with_queue else 0)
            if with_queue:
                self.assertIn('"service":"aws"', dead.peek()[0])
            parked = sum(row["parked"] for row in self.spool())
            self.assertGreaterEqual(parked, 3, "those of the round without a queue")

    def test_faults(self):
        good = sqs.spool(self.queue)
        for change, words in [
            ({"queue_url": ""}, "/spool/queue_url: is required"),
            ({"queue_url": "spool"}, "is not a URL"),
            ({"credential_id": "507f1f77bcf86cd799439099"}, "credential 507f1f77bcf86cd799439099 does not exist"),
            ({"wait_seconds": 21}, "/spool/wait_seconds"),
            ({"message_bytes": 10}, "/spool/message_bytes"),
            ({"dead_letter_queue_url": self.queue.url}, "must be another queue"),
            ({"queue": "x"}, "/spool/queue"),
            ({"type": "sns"}, 'must be "directory" or "sqs"'),
        ]:
            self.configure({"local": directory()}, credentials=sqs.credential(), spool={**good, **change})
            result = self.command("validate", "--config", "firehose.json", environment=self.environment)
            self.check_code(result, USAGE)
            self.assertIn(words, result.text, change)
        self.configure({"local": directory()}, credentials=sqs.credential(),
                       spool={**good, "queue_url": self.queue.url + "-gone"})  # fmt: skip
        result = self.command("run", "--config", "firehose.json", "/dev/null", environment=self.environment)
        self.check_code(result, USAGE)
        self.assertIn("QueueDoesNotExist", result.text)
        live = self.command("validate", "--config", "firehose.json", "--live", environment=self.environment)
        self.check_code(live, USAGE)
        self.assertIn(b"does not exist there; create it", live.out)

    def test_two_processes_drain_one_queue_while_one_is_killed(self):
        say(f"FIREHOSE_SEED={SEED} FIREHOSE_SQS_RECORDS={RECORDS}")
        draw = random.Random(SEED)
        recorder = self.served(SlowRecorder("down"))
        self.configure_bucket(recorder.endpoint, sqs.spool(self.queue, visibility_seconds=5), in_flight=8)
        lines = self.generate(RECORDS)
        expected = {"/events/live/" + k: v for k, v in lead_objects(lines).items()}
        kept = self.deliver(lines, code=KEPT, accepted=RECORDS, environment=self.environment)
        self.assertEqual(self.row(kept, "aws"), (0, RECORDS, 0))
        self.assertGreaterEqual(self.queue.size(), RECORDS)

        recorder.mode, recorder.pause = "well", 0.1
        drainers, kills, ends = {}, 0, 0
        began = time.monotonic()
        next_kill, victim = began + draw.uniform(1, 4), "a"
        stored, news, stored_at_kill = 0, began, 0
        while self.queue.size() > 0:
            now = time.monotonic()
            if len(recorder.objects) > stored:
                stored, news = len(recorder.objects), now
            self.assertLess(now - news, 300, f"{stored} stored and nothing since; the queue has {self.queue.counts()}")
            for name in ("a", "b"):
                running = drainers.get(name)
                if running and running.process.poll() is None:
                    continue
                if running:
                    running.watchdog.cancel()
                    ends += 1
                # What a process keeps on its disk is its own.
                drainers[name] = self.start("run", "--config", "firehose.json", "--set", f"/data_dir=data-{name}",
                                            "--json", "/dev/null", environment=self.environment)  # fmt: skip
            time.sleep(0.1)
            # One that has not come to deliver anything yet, on a machine that is starved, is let be.
            if time.monotonic() >= next_kill and stored > stored_at_kill:
                stored_at_kill = stored
                drainers[victim].signal(signal.SIGKILL)
                kills += drainers[victim].process.wait() == -signal.SIGKILL
                victim = "b" if victim == "a" else "a"
                next_kill = time.monotonic() + draw.uniform(1, 4)
        seconds = time.monotonic() - began
        for running in drainers.values():
            running.process.wait()
            running.watchdog.cancel()

        on_disks = self.drain_disks("data", *(f"data-{name}" for name in drainers))

        missing, strange = set(expected) - set(recorder.objects), set(recorder.objects) - set(expected)
        repeats = sum(recorder.puts.values()) - len(recorder.puts)
        say(f"{RECORDS} records, {kills} kills of two processes ({ends - kills} ended by themselves) in {seconds:.0f} s: "
            f"{on_disks} came from the disks, lost {len(missing)}, under another key {len(strange)}, put again under the same key {repeats}")
        self.assertEqual((missing, strange), (set(), set()))
        self.assertEqual(recorder.objects, expected)
        self.assertGreater(kills, 1)
        self.assertEqual(self.queue.size(), 0)


if __name__ == "__main__":
    unittest.main()
