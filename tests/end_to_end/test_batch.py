"""The layout "batch": many events in one object, each event once, and the same objects after a kill.

FIREHOSE_KILLS: how many kills; FIREHOSE_SEED: for the moments.
"""
import json
import os
import random
import shutil
import signal
import threading
import unittest

from objects import Sink, lines_in, unpack
from support import ALL_DELIVERED, EVENTS, SANITIZED, EndToEnd, directory, say

KILLS = int(os.environ.get("FIREHOSE_KILLS", "8"))
SEED = int(os.environ.get("FIREHOSE_SEED", str(random.SystemRandom().randrange(1 << 32))))


class Batch(EndToEnd):
    def configure_batch(self, services=None, delivery=None, **batch):
        more = {"layout": "batch", "batch": batch, "backoff_ms": 10, "retry_backoff_ms": 10, **(delivery or {})}
        self.configure(services or {"local": directory()}, delivery=more)

    def sink(self):
        sink = Sink()
        self.addCleanup(sink.server_close)
        self.addCleanup(sink.shutdown)
        return sink

    def configure_sink(self, sink, batch, **delivery):
        """The secret is in $SECRET."""
        credential = {"type": "user", "username": "u", "password": {"env": "SECRET"}, "region": "us-east-1",
                      "endpoint": sink.endpoint}  # fmt: skip
        name = "507f1f77bcf86cd799439011"
        self.configure({"aws": {"enabled": True, "credential_id": name, "bucket": "bucket"}},
                       credentials={name: credential}, delivery={"layout": "batch", "batch": batch, **delivery})  # fmt: skip

    def check_each_event_once(self, objects, lines):
        """Unpacked by an independent reader: every line is in exactly one object, byte for byte."""
        self.assertEqual(sorted(lines_in(objects)), sorted(lines.splitlines()))

    def test_every_format_holds_every_event_once(self):
        lines = self.generate(EVENTS, "--flows", "5")
        sizes = {}
        for format, ending in (("gzip", ".ndjson.gz"), ("zstd", ".ndjson.zst"), ("none", ".ndjson")):
            self.configure_batch({"local": directory("out-" + format, "p/q")}, format=format, bytes=50_000)
            self.deliver(lines, accepted=EVENTS)
            objects = self.objects_below("out-" + format)
            self.check_each_event_once(objects, lines)
            self.assertGreater(len(objects), 2)
            for key in objects:
                flow = key.split("/")[2]
                self.assertRegex(key, r"^p/q/66f1[0-9a-f]{20}/2026/03/01/\d\d/[0-9a-f]{24}-[0-9a-f]{24}-[0-9a-f]{16}\.")
                self.assertTrue(key.endswith(ending), key)
                for line in unpack(key, objects[key]).splitlines():
                    self.assertEqual(json.loads(line)["vars"]["flow"]["id"], flow)
            sizes[format] = sum(map(len, objects.values()))
        say(f"bytes of objects: {sizes}")
        self.assertLess(sizes["gzip"] * 3, sizes["none"])

    def test_limits_of_count_and_bytes(self):
        lines = self.generate(1000)
        self.configure_batch(format="none", count=10, key="{count}/{hash}.{ext}")
        self.deliver(lines)
        self.assertEqual({k.split("/")[0] for k in self.objects_below("out")}, {"10"})
        self.configure_batch({"local": directory("small")}, format="none", bytes=5000, key="{hash}.{ext}")
        self.deliver(lines)
        sizes = [len(data) for data in self.objects_below("small").values()]
        self.assertLessEqual(max(sizes), 5000)
        self.check_each_event_once(self.objects_below("small"), lines)

    def test_partitions_by_fields_of_the_event_and_an_overflow(self):
        lines = self.generate(600)
        key = "source={/vars/source/id}/dt={yyyy}-{MM}-{dd}/{hash}.{ext}"
        self.configure_batch(key=key)
        self.deliver(lines)
        objects = self.objects_below("out")
        self.check_each_event_once(objects, lines)
        for name, data in objects.items():
            for line in unpack(name, data).splitlines():
                self.assertEqual("source=" + json.loads(line)["vars"]["source"]["id"], name.split("/")[0])
        self.configure_batch({"local": directory("few")}, key=key, partitions=3)
        self.deliver(lines)
        few = self.objects_below("few")
        self.check_each_event_once(few, lines)
        self.assertEqual(len(few), 4)
        self.assertEqual(len([k for k in few if k.startswith("source=_overflow/dt=0000-00-00/")]), 1)

    def test_headers_and_the_way_through_the_spool(self):
        sink = self.sink()
        lines = self.generate(2000)
        for format in ("gzip", "zstd", "none"):
            sink.objects.clear()
            sink.refusals = 3
            self.configure_sink(sink, {"format": format, "bytes": 40_000}, attempts=1, breaker_failures=1,
                                retry_backoff_ms=10)  # fmt: skip
            path = self.write("in.ndjson", lines)
            environment = {"SECRET": "s"}
            result = self.command("run", "--config", "firehose.json", "--json", path, environment=environment)
            self.check_account(result, accepted=2000)
            sink.refusals = 0
            again = self.command("run", "--config", "firehose.json", "--json", self.write("none", b""),
                                 environment=environment)  # fmt: skip
            self.assertEqual(again.code, ALL_DELIVERED, again.text)
            objects = {}
            for name, bodies in sink.objects.items():
                self.assertEqual(len(set(bodies)), 1, name)
                objects[name] = bodies[0]
                headers = sink.headers[name]
                self.assertEqual(headers["Content-Type"], "application/x-ndjson")
                self.assertEqual(headers.get("Content-Encoding", "none"), format)
            self.check_each_event_once(objects, lines)

    def test_the_same_input_gives_the_same_objects_whenever_they_were_cut(self):
        lines = self.generate(EVENTS, "--flows", "7")
        path = self.write("in.ndjson", lines)
        # An age of a millisecond cuts at moments nobody can foresee.
        self.configure_batch(bytes=100_000, age_ms=1)
        self.deliver(path, accepted=EVENTS)
        first = self.objects_below("out")
        self.check_each_event_once(first, lines)
        for _ in range(2):
            shutil.rmtree(self.path("out"))
            self.deliver(path)
            self.assert_same_objects(self.objects_below("out"), first, "the second run")
        # It is the plan that remembers.
        shutil.rmtree(self.path("data", "plans"))
        self.configure_batch(bytes=100_000, age_ms=0)
        shutil.rmtree(self.path("out"))
        self.deliver(path)
        without = self.objects_below("out")
        self.check_each_event_once(without, lines)
        self.assertNotEqual(set(without), set(first))

    def test_a_file_that_has_grown_keeps_its_objects(self):
        lines = self.generate(900)
        half = b"".join(lines.splitlines(True)[:500])
        path = self.write("in.ndjson", half)
        self.configure_batch()
        self.deliver(path, accepted=500)
        first = self.objects_below("out")
        self.write("in.ndjson", lines)
        self.deliver(path, accepted=900)
        second = self.objects_below("out")
        self.assertTrue(first.items() <= second.items())
        self.check_each_event_once(second, lines)

    def test_killed_and_run_again_the_same_names_and_bytes_come_out(self):
        draw = random.Random(SEED)
        say(f"seed {SEED}")
        lines = self.generate(EVENTS * 2, "--flows", "40")
        path = self.write("in.ndjson", lines)
        for format, memory in (("gzip", 16 << 20), ("zstd", 4 << 20), ("none", 4 << 20)):
            shutil.rmtree(self.path("data"), True)
            shutil.rmtree(self.path("out"), True)
            self.configure_batch(format=format, bytes=60_000, age_ms=5, memory=memory)
            seen = self.kill_runs(path, KILLS, draw)
            self.deliver(path)
            self.assert_same_objects({k: v for k, v in self.objects_below("out").items() if k in seen}, seen, format)
            # No object of a killed run lies beside those of the last: each event is there once.
            self.check_each_event_once(self.objects_below("out"), lines)

    def test_stopped_early_and_run_again_each_event_is_there_once(self):
        lines = self.generate(EVENTS * 2, "--flows", "3")
        path = self.write("in.ndjson", lines)
        self.configure_batch(bytes=30_000)
        process = self.start("run", "--config", "firehose.json", "--json", path)
        threading.Timer(0.05, process.signal, [signal.SIGTERM]).start()
        process.wait()
        self.deliver(path)
        self.check_each_event_once(self.objects_below("out"), lines)

    def test_ten_thousand_open_partitions_in_bounded_memory(self):
        count = 2000 if SANITIZED else 40_000
        sink = self.sink()
        path = self.write("in.ndjson", self.generate(count, "--flows", "10000"))
        self.configure_sink(sink, {"key": "{flow}/{hash}.{ext}", "partitions": 20_000})
        result = self.deliver(path, accepted=count, environment={"SECRET": "s"})
        with open(path, "rb") as file:
            lines = file.read()
        flows = {json.loads(line)["vars"]["flow"]["id"] for line in lines.splitlines()}
        self.assertEqual({key.split("/")[2] for key in sink.objects}, flows)
        self.check_each_event_once({key: bodies[-1] for key, bodies in sink.objects.items()}, lines)
        say(f"{len(flows)} partitions, {len(sink.objects)} objects, peak memory {result.peak_kilobytes / 1024:.0f} MB")
        if not SANITIZED:
            self.assertLess(result.peak_kilobytes, 256 * 1024)


if __name__ == "__main__":
    unittest.main()
