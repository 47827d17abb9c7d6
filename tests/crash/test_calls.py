"""The real binary, killed at or failing in every call on its files, one after the other (file_calls.c is loaded
before it). What was accepted is delivered once everything is well again, and nothing is under a second key.

FIREHOSE_SWEEP_STEP: every how manieth call is tried, 1 for all of them; FIREHOSE_SEED: which ones.
FIREHOSE_SWEEP_AT: only this call. Each failure prints what to set.
"""
import itertools
import json
import os
import random
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "end_to_end"))

import s3  # noqa: E402
import servers  # noqa: E402
from objects import lines_in  # noqa: E402
from support import KEPT, SANITIZED, EndToEnd, directory, lead_objects, say  # noqa: E402

STEP = int(os.environ.get("FIREHOSE_SWEEP_STEP", "12"))
SEED = int(os.environ.get("FIREHOSE_SEED", str(random.SystemRandom().randrange(1 << 32))))
ONLY = int(os.environ.get("FIREHOSE_SWEEP_AT", "0"))
LIBRARY = os.environ["FIREHOSE_FILE_CALLS"]
EVENTS = 12


class Sites(EndToEnd):
    """Runs in folders of their own, each of which meets one crash or one failure."""

    accepted = EVENTS  # of a run
    delivery = {"backoff_ms": 1, "retry_backoff_ms": 1, "attempts": 2}

    def prepare(self, number, endpoint, bucket):
        """A folder of its own with EVENTS records in its spool; the input brings EVENTS more."""
        self.number, self.bucket = number, bucket
        self.site = f"n{number}"
        os.mkdir(self.path(self.site))
        closed = servers.ClosedPort()
        self.write_config(closed.endpoint, closed.endpoint)
        kept = self.events(2 * number)
        self.write(f"{self.site}/before", kept)
        self.run_site("before", code=KEPT)
        self.fresh = self.events(2 * number + 1)
        self.write(f"{self.site}/events", self.fresh)
        # The third service stays dead, so that records are appended as well as settled.
        self.write_config(endpoint, closed.endpoint)
        closed.close()
        self.kept = kept

    def write_config(self, endpoint, dead):
        access = s3.credential(endpoint) if self.real else {
            s3.KEY_ID: {"type": "user", "username": "A", "password": {"env": "E2E_SECRET"}, "endpoint": endpoint}}
        other = s3.KEY_ID[:-1] + "0"
        access[other] = {**access[s3.KEY_ID], "endpoint": dead}
        services = {"local": directory(), "aws": s3.target(self.bucket, "k"),
                    "late": {"type": "s3", "enabled": True, "credential_id": other, "bucket": self.bucket, "prefix": "l"}}
        self.configure(services, f"{self.site}/firehose.json", credentials=access,
                       delivery=self.delivery)

    def events(self, seed):
        lines = self.generate(EVENTS, "--seed", str(seed))
        return lines.replace(b'"id":"66f1', b'"id":"%04x' % seed)

    def run_site(self, *inputs, code=None, **environment):
        # A name of its own for the outputs of each process keeps them apart from the watched folder.
        process = self.start("run", "--config", f"{self.site}/firehose.json", "--json",
                             *[f"{self.site}/{one}" for one in inputs],
                             environment={**self.secret, **environment})
        result = process.wait()
        if code is not None:
            self.check_code(result, code)
        return result

    def crashed(self, number, how, side=0, span=1):
        """One run with the library before it; how many calls it makes goes to `count`."""
        return self.run_site("events", LD_PRELOAD=LIBRARY, CRASH_UNDER=self.path(self.site), CRASH_AT=str(number),
                             CRASH_HOW=how, CRASH_SIDE=str(side), CRASH_FOR=str(span),
                             CRASH_COUNT=self.path(f"{self.site}.count"))

    def calls_made(self):
        with open(self.path(f"{self.site}.count")) as file:
            return int(file.read())

    def check_everything_arrived(self, endpoint, resend, objects, what):
        self.write_config(endpoint, endpoint)
        last = self.run_site(*(["events"] if resend else ["nothing"]))
        self.assertEqual(last.code, 0, f"{what}: {last.text[-3000:]}")
        self.check_account(last)
        wanted = self.wanted(what)
        self.assert_same_objects(self.objects_below(f"{self.site}/out"), wanted, f"{what}, directory")
        expected = {f"{p}/{k}": v for p in "kl" for k, v in wanted.items()}
        self.assert_same_objects(objects(), expected, f"{what}, bucket")
        listed = self.command("spool", "ls", "--config", f"{self.site}/firehose.json", "--json")
        self.assertEqual(json.loads(listed.out), [], what)

    def wanted(self, what):
        """The objects that must be there."""
        return lead_objects(self.kept + self.fresh)

    def numbers(self, total, draw):
        if ONLY:
            return [ONLY]
        return range(1 + draw.randrange(STEP), total + 1, STEP)

    def killed_at_every_call(self, endpoint, new_bucket, objects):
        say(f"FIREHOSE_SEED={SEED} FIREHOSE_SWEEP_STEP={STEP}")
        draw = random.Random(SEED)
        self.prepare(0, endpoint, new_bucket())
        self.crashed(0, "kill")
        total, killed, tried = self.calls_made(), 0, 0
        for side in (0, 1):
            for number in self.numbers(total, draw):
                tried += 1
                what = f"FIREHOSE_SWEEP_AT={number} side {side}"
                self.prepare(tried, endpoint, new_bucket())
                result = self.crashed(number, "kill", side)
                killed += result.code == -signal.SIGKILL
                self.write(f"{self.site}/nothing", b"")
                self.check_everything_arrived(endpoint, True, objects, what)
        say(f"kill -9: {total} calls in a run, {tried} tried, {killed} killed: 0 lost, 0 under a second key")

    def every_call_fails(self):
        self.real = False
        say(f"FIREHOSE_SEED={SEED} FIREHOSE_SWEEP_STEP={STEP}")
        draw = random.Random(SEED)
        self.secret = {"E2E_SECRET": "x"}
        tried = refused = accepted = 0
        for how in ("EIO", "ENOSPC", "EDQUOT", "EMFILE", "EINTR", "short"):
            total = 1
            numbers = None
            while numbers is None or numbers:
                number = numbers.pop(0) if numbers else 0
                server = servers.Recorder()
                tried += 1
                what = f"FIREHOSE_SWEEP_AT={number} {how}"
                self.prepare(tried, server.endpoint, "crash")
                result = self.crashed(number, how)  # a hang would end in support's patience
                if numbers is None:
                    numbers = list(self.numbers(self.calls_made(), draw))
                self.write(f"{self.site}/nothing", b"")
                self.assertGreaterEqual(result.code, 0, f"{what}: {result.text[-2000:]}")
                told = result.code in (0, 1)  # everything was accepted
                accepted += told
                refused += not told
                if told:
                    self.assertEqual(result.account["dropped"], 0, what)
                    self.assertEqual(result.account["accepted"], self.accepted, what)
                objects = lambda: {k[len("/crash/"):]: v for k, v in server.objects.items()}  # noqa: E731
                self.check_everything_arrived(server.endpoint, not told, objects, what)
                server.close()
        say(f"failing calls: {tried} runs, {accepted} accepted everything, {refused} said that they did not: "
            f"0 lost, 0 wrong acknowledgements, 0 hangs")


@unittest.skipIf(SANITIZED, "the sanitizer's own library must be loaded first")
class Calls(Sites):
    def test_killed_at_every_call(self):
        if os.environ.get("FIREHOSE_SKIP_SERVERS"):
            self.skipTest("FIREHOSE_SKIP_SERVERS is set")
        self.real, self.secret = True, s3.environment()
        store = s3.connect()
        self.addCleanup(store.close)
        self.killed_at_every_call(s3.server()["S3_ENDPOINT"], lambda: store.create_bucket("crash"),
                                  lambda: store.objects(self.bucket))

    def test_every_call_fails(self):
        self.every_call_fails()


@unittest.skipIf(SANITIZED, "the sanitizer's own library must be loaded first")
class LargeObjectCalls(Sites):
    """The same with objects that lie in files while they grow and in the spool."""

    accepted = 60
    delivery = {**Sites.delivery, "layout": "batch",
                "batch": {"format": "none", "bytes": 2_000_000, "memory": 4 << 20, "age_ms": 0, "key": "{prefix}/{position}.{ext}"}}

    def events(self, seed):
        draw = random.Random(seed)
        return b"".join(b'{"id":"%04x-%d","pad":"%s"}\n' % (seed, n, draw.randbytes(25_000).hex().encode()) for n in range(60))

    def wanted(self, what):
        """Each event is in one object, and the others have the same objects."""
        objects = self.objects_below(f"{self.site}/out")
        self.assertEqual(sorted(lines_in(objects)), sorted((self.kept + self.fresh).splitlines()), what)
        self.assertEqual(self.objects_below(f"{self.site}/data/objects"), {}, what)
        bodies = [where for where, _, names in os.walk(self.path(self.site, "data")) if where.endswith("bodies") and names]
        self.assertEqual(bodies, [], what)
        return objects

    def test_killed_at_every_call(self):
        self.real, self.secret = False, {"E2E_SECRET": "x"}
        server = servers.Recorder()
        self.addCleanup(server.close)
        numbers = itertools.count()
        found = lambda: {k[len(f"/{self.bucket}/"):]: v for k, v in server.objects.items()  # noqa: E731
                         if k.startswith(f"/{self.bucket}/")}  # fmt: skip
        self.killed_at_every_call(server.endpoint, lambda: f"crash{next(numbers)}", found)

    def test_every_call_fails(self):
        self.every_call_fails()


if __name__ == "__main__":
    unittest.main()
