"""Objects that are larger than the memory for them: in files while they grow, in parts on their way, kept when nobody
takes them, the same after kill -9. Against a real S3 server and a real Azure one, which verify signatures.

FIREHOSE_KILLS: how many kills; FIREHOSE_SEED: for the moments.
"""
import contextlib
import json
import os
import random
import subprocess
import threading
import time
import unittest
import xml.etree.ElementTree as xml

import azure
import s3
from objects import lines_in
from support import ALL_DELIVERED, KEPT, SANITIZED, EndToEnd, directory, feeder, say

KILLS = int(os.environ.get("FIREHOSE_KILLS", "6"))
SEED = int(os.environ.get("FIREHOSE_SEED", str(random.SystemRandom().randrange(1 << 32))))
MIB = 1 << 20
PARTS = [{"match": {}, "multipart": {"part_bytes": 5 * MIB, "in_flight": 2}}]
SMALL_MEMORY = {"format": "none", "memory": 4 * MIB, "age_ms": 0}


def events(megabytes, seed=1):
    """Lines of 50 kB, some bytes more or fewer."""
    draw = random.Random(seed)
    count = megabytes * MIB // 50_000
    lines = (b'{"id":"e%06d","vars":{"lead":{"id":"l%d"}},"pad":"%s"}' % (n, n, draw.randbytes(25_000 + draw.randrange(50)).hex().encode())
             for n in range(count))  # fmt: skip
    return b"\n".join(lines) + b"\n"


class LargeObjects(EndToEnd):
    def setUp(self):
        super().setUp()
        self.s3 = s3.connect()
        self.addCleanup(self.s3.close)
        self.azure = azure.connect()
        self.environment = {**s3.environment(), **azure.environment()}

    def configure_all(self, batch, folder="out", endpoint=None, **delivery):
        self.bucket, self.container = self.s3.create_bucket(), self.azure.create_container()
        credentials = {**s3.credential(endpoint=endpoint), **azure.credential()}
        services = {"local": directory(folder), "aws": s3.target(self.bucket, "a/b"), "azure": azure.target(self.container)}
        self.configure(services, credentials=credentials,
                       delivery={**s3.PATIENCE, "destinations": PARTS, "layout": "batch", "batch": {**SMALL_MEMORY, **batch}, **delivery})  # fmt: skip

    def heal(self):
        """S3 answers from now on."""
        with open(self.path("firehose.json")) as file:
            document = json.load(file)
        document["credentials"] = {**s3.credential(), **azure.credential()}
        self.write("firehose.json", json.dumps(document))

    def deliver_and_watch(self, path):
        """Peak memory, in kB. What wait4() says counts the memory of this process too."""
        process = self.start("run", "--config", "firehose.json", "--json", path, environment=self.environment)
        peaks = [0]

        def look():
            with contextlib.suppress(OSError, KeyError):
                while True:
                    with open(f"/proc/{process.pid}/status") as status:
                        peaks.append(int(dict(line.split(":", 1) for line in status)["VmHWM"].split()[0]))
                    time.sleep(0.002)

        watcher = threading.Thread(target=look)
        watcher.start()
        result = process.wait()
        self.check_code(result, ALL_DELIVERED)
        self.check_account(result)
        return max(peaks)

    def unfinished_uploads(self):
        body, _ = self.s3.request("GET", "/" + self.bucket, {"uploads": ""})
        page = xml.fromstring(body)
        space = page.tag[: page.tag.index("}") + 1]
        return [(u.findtext(space + "Key"), u.findtext(space + "UploadId")) for u in page.findall(space + "Upload")]

    def parts_of(self, key, upload):
        body, _ = self.s3.request("GET", f"/{self.bucket}/{key}", {"uploadId": upload})
        page = xml.fromstring(body)
        space = page.tag[: page.tag.index("}") + 1]
        return [int(p.findtext(space + "Size")) for p in page.findall(space + "Part")]

    def assert_nothing_left(self):
        self.assertEqual(self.objects_below("data/objects"), {})
        self.assertEqual(self.unfinished_uploads(), [])

    def test_three_kinds_of_store_get_objects_larger_than_the_memory(self):
        lines = events(48)
        path = self.write("in.ndjson", lines)
        for format, key, ending in (("none", "{prefix}/{position}.{ext}", ".ndjson"), ("gzip", "{prefix}/{hash}.{ext}", ".ndjson.gz"),
                                    ("zstd", "{prefix}/{first}-{position}.{ext}", ".ndjson.zst")):  # fmt: skip
            self.configure_all({"format": format, "bytes": 12 * MIB, "key": key}, folder=format)
            peak = self.deliver_and_watch(path)
            objects = self.objects_below(format)
            self.assertEqual(sorted(lines_in(objects)), sorted(lines.splitlines()))
            self.assertGreater(max(map(len, objects.values())), 11 * MIB)
            self.assertTrue(all(key.endswith(ending) for key in objects))
            self.assert_same_objects(self.s3.objects(self.bucket), {"a/b/" + k: v for k, v in objects.items()}, "S3")
            self.assert_same_objects(self.azure.objects(self.container), objects, "Azure")
            self.assert_nothing_left()
            say(f"{format}: {len(objects)} objects, peak memory {peak / 1024:.0f} MB")
            if not SANITIZED:
                self.assertLess(peak, 100 * 1024)

    def test_parts_are_there_before_the_object_is(self):
        self.configure_all({"bytes": 1 << 30, "key": "{prefix}/{position}.{ext}"})
        lines = events(26)
        middle = lines.index(b"\n", 22 * MIB) + 1
        process = self.start("run", "--config", "firehose.json", "--json", "-", stdin=subprocess.PIPE,
                             environment=self.environment)  # fmt: skip
        process.stdin.write(lines[:middle])
        process.stdin.flush()
        self.until(process, lambda: self.unfinished_uploads() != [])
        [(key, upload)] = self.unfinished_uploads()
        self.until(process, lambda: len(self.parts_of(key, upload)) == 4)
        self.assertEqual(self.parts_of(key, upload), [5 * MIB] * 4)
        self.assertEqual(self.s3.keys(self.bucket), [])
        self.assertEqual(self.azure.objects(self.container), {})
        feeder(process.stdin, [lines[middle:]]).join()
        self.check_code(process.wait(), ALL_DELIVERED)
        self.assertEqual(self.s3.objects(self.bucket), {key: lines})
        self.assertEqual(self.objects_below("out"), {key.removeprefix("a/b/"): lines})
        self.assertEqual(self.azure.objects(self.container), {key.removeprefix("a/b/"): lines})
        self.assert_nothing_left()

    def test_a_dead_service_gets_them_later_out_of_the_spool(self):
        lines = events(16)
        self.configure_all({"bytes": 8 * MIB, "key": "{prefix}/{position}.{ext}"}, endpoint="http://127.0.0.1:1", attempts=1,
                           retry_backoff_ms=10)  # fmt: skip
        path = self.write("in.ndjson", lines)
        result = self.deliver(path, KEPT, environment=self.environment)
        count = lines.count(b"\n")
        self.assertEqual(self.row(result, "aws"), (0, count, 0))
        self.assertEqual(self.row(result, "local"), (count, 0, 0))
        objects = self.objects_below("out")
        [row] = self.spool("firehose.json")
        self.assertEqual(row["records"], len(objects))
        self.assertGreater(row["bytes"], len(lines))  # and a fingerprint each
        self.check_code(self.command("spool", "verify", "--config", "firehose.json"), ALL_DELIVERED)
        self.check_code(self.command("spool", "export", "--config", "firehose.json", "--output", "exported"), ALL_DELIVERED)
        exported = self.objects_below("exported/bodies")
        self.assertEqual(sorted(exported.values()), sorted(objects.values()))

        self.heal()
        again = self.deliver(b"", environment=self.environment, wanted={})
        self.assertEqual(again.account["backlog"]["aws"]["delivered"], len(objects))
        self.assert_same_objects(self.s3.objects(self.bucket), {"a/b/" + k: v for k, v in objects.items()})
        self.assertEqual(self.spool("firehose.json"), [])
        left = [where for where, _, names in os.walk(self.path("data", "spool")) if where.endswith("bodies") and names]
        self.assertEqual(left, [])
        self.assert_nothing_left()

    def test_killed_and_run_again_the_same_names_and_bytes_come_out(self):
        draw = random.Random(SEED)
        say(f"FIREHOSE_SEED={SEED} FIREHOSE_KILLS={KILLS}")
        lines = events(24, SEED)
        path = self.write("in.ndjson", lines)
        self.configure_all({"bytes": 7 * MIB, "key": "{prefix}/{position}.{ext}"}, endpoint="http://127.0.0.1:1", attempts=1)
        seen = self.kill_runs(path, KILLS, draw, environment=self.environment)
        self.deliver(path, KEPT, environment=self.environment)
        objects = self.objects_below("out")
        self.assert_same_objects({k: v for k, v in objects.items() if k in seen}, seen)
        self.assertEqual(sorted(lines_in(objects)), sorted(lines.splitlines()))
        self.assert_same_objects(self.azure.objects(self.container), objects, "Azure")
        self.check_code(self.command("spool", "verify", "--config", "firehose.json"), ALL_DELIVERED)
        self.heal()
        self.deliver(b"", environment=self.environment, wanted={})
        self.assert_same_objects(self.s3.objects(self.bucket), {"a/b/" + k: v for k, v in objects.items()}, "S3")


if __name__ == "__main__":
    unittest.main()
