#!/usr/bin/env python3
"""Power cuts of `firehose serve` on a real ext4: its log, its spool and one target lie in an image, and a copy of
the image at any moment is what the disk held then. The server is stopped at a random moment under load, the image
copied and put in the place of the first, and a new server started on it: every event with a 2xx must come out of it.

    tests/crash/powerloss_serve.py [CUTS]      20 by default, about two seconds each

Needs root, loop mounts and e2fsprogs; not part of CI. FIREHOSE_BINARY, and FIREHOSE_SEED to repeat the moments.
"""
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "end_to_end"))

from serving import NDJSON, Serving, some_leads  # noqa: E402
from support import ALL_DELIVERED, KEPT, directory, key_of, say  # noqa: E402

LEAD = "66f1c0de940df5a34a388800"
WORKERS = 3
CUTS = int(os.environ.get("FIREHOSE_CUTS", "20"))
SEED = int(os.environ.get("FIREHOSE_SEED", str(random.SystemRandom().randrange(1 << 32))))


def call(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class PowerLoss(Serving):
    def mount(self, image):
        # The file system writes nothing out by itself: what was not synced is lost.
        call("mount", "-o", "loop,commit=600", image, self.path("disk"))
        self.mounted = True

    def unmount(self):
        if self.mounted:
            call("umount", self.path("disk"))
        self.mounted = False

    def post_until_it_stops(self, process, cut, worker):
        client = self.client(process)
        draw = random.Random(SEED + cut * 100 + worker)
        request = 0
        while not self.over.is_set():
            request += 1
            lines = some_leads(draw, LEAD, f"{cut}-{worker}-{request}")
            try:
                answer = client.post(b"\n".join(lines.values()), kind=NDJSON)
            except (OSError, http.client.HTTPException):
                return
            if answer.status == 202:
                with self.lock:
                    self.promised.update({key_of(LEAD, name): line for name, line in lines.items()})

    def cut_the_power(self, cut, draw):
        """A life of the server that ends in a copy of the disk. What it promised is in self.promised."""
        process = self.serve()
        self.over = threading.Event()
        workers = [threading.Thread(target=self.post_until_it_stops, args=(process, cut, n)) for n in range(WORKERS)]
        for each in workers:
            each.start()
        time.sleep(draw.uniform(0.05, 0.8))
        process.signal(signal.SIGSTOP)
        call("cp", "--sparse=always", self.path("disk.img"), self.path("cut.img"))
        self.over.set()
        process.signal(signal.SIGKILL)
        process.wait()
        for each in workers:
            each.join()
        self.unmount()
        os.replace(self.path("cut.img"), self.path("disk.img"))
        self.mount(self.path("disk.img"))

    def test_power_cuts(self):
        say(f"FIREHOSE_SEED={SEED} FIREHOSE_CUTS={CUTS}")
        draw = random.Random(SEED)
        self.lock, self.mounted = threading.Lock(), False
        os.mkdir(self.path("disk"))
        self.addCleanup(self.unmount)
        # Nobody listens there: what goes to it is in the spool.
        dead = {"enabled": True, "credential_id": "507f1f77bcf86cd799439011", "bucket": "cut"}
        access = {"type": "user", "username": "A", "password": {"env": "CUT_SECRET"}, "endpoint": "http://127.0.0.1:9"}
        os.environ["CUT_SECRET"] = "x"
        self.configure_server({"local": directory("disk/out"), "aws": dead}, data_dir="disk/data",
                              credentials={"507f1f77bcf86cd799439011": access},
                              server={"access_log": False, "log": {"segment_bytes": 1 << 17}},
                              delivery={"attempts": 1, "backoff_ms": 10, "retry_backoff_ms": 10})  # fmt: skip
        promised = extra = 0
        for cut in range(CUTS):
            call("truncate", "-s", "128M", self.path("disk.img"))
            call("mkfs.ext4", "-q", "-F", self.path("disk.img"))
            self.mount(self.path("disk.img"))
            self.promised = {}
            for life in range(draw.randint(1, 2)):
                self.cut_the_power(cut * 10 + life, draw)
            process = self.serve()
            client = self.client(process)
            self.until(process, lambda: client.ask("GET", "/readyz").json["pending"] == 0, 300)
            process.signal(signal.SIGTERM)
            self.assertIn(process.wait().code, (ALL_DELIVERED, KEPT))
            out = self.objects_below("disk/out")
            said = self.command("spool", "export", "--config", "firehose.json")
            self.check_code(said, ALL_DELIVERED)
            spooled = {r["key"]: r["body"].encode() for r in map(json.loads, said.out.splitlines())}
            for place, found in (("directory", out), ("spool", spooled)):
                lost = [k for k, line in self.promised.items() if found.get(k) != line]
                self.assertEqual(lost, [], f"cut {cut}, {place}")
            self.assertEqual(set(out), set(spooled))
            promised += len(self.promised)
            extra += len(out) - len(self.promised)
            self.unmount()
            os.remove(self.path("disk.img"))
        say(f"{CUTS} disks: {promised} events promised, 0 lost in the target and in the spool of the dead one, "
            f"{extra} durable without an answer")


if __name__ == "__main__":
    if "FIREHOSE_POWERLOSS_NAMESPACE" not in os.environ:
        # A mount namespace of its own: nothing stays mounted, whatever happens.
        os.environ["FIREHOSE_POWERLOSS_NAMESPACE"] = "1"
        if len(sys.argv) > 1:
            os.environ["FIREHOSE_CUTS"] = sys.argv[1]
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, "-B", __file__])
    unittest.main(argv=sys.argv[:1], verbosity=2)
