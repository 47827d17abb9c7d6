"""Stopping a run: the first signal drains, the second cancels; the account is closed in both cases."""
import os
import signal
import subprocess
import time
import unittest

import servers
from support import ALL_DELIVERED, INTERNAL, KEPT, EndToEnd, directory, lead_objects, say

KEY_ID = "507f1f77bcf86cd799439011"


class Signals(EndToEnd):
    def start_slow(self, lines, environment=None):
        """A run whose input stays open after `lines`."""
        process = self.start("run", "--config", "firehose.json", "--json", "-", stdin=subprocess.PIPE, environment=environment)
        process.stdin.write(lines)
        process.stdin.flush()
        return process

    def drains(self, number):
        self.configure({"local": directory()})
        lines = self.generate(100)
        process = self.start_slow(lines)
        self.until(process, lambda: len(self.objects_below("out")) > 0)
        began = time.monotonic()
        process.signal(number)
        result = process.wait()  # although the input is still open
        say(f"{signal.Signals(number).name} with an open input: ended after {time.monotonic() - began:.3f} s")
        self.check_code(result, ALL_DELIVERED)
        account = self.check_account(result)
        self.assertGreater(account["accepted"], 0)
        self.assertEqual(self.row(result, "local"), (account["accepted"], 0, 0))
        found = self.objects_below("out")
        self.assertEqual(len(found), account["accepted"])
        expected = lead_objects(lines)
        self.assert_same_objects(found, {k: expected[k] for k in found})
        self.assertIn("draining", result.text)

    def test_sigterm_in_the_middle_of_a_slow_input(self):
        self.drains(signal.SIGTERM)

    def test_sigint_in_the_middle_of_a_slow_input(self):
        self.drains(signal.SIGINT)

    def test_before_any_input(self):
        self.configure({"local": directory()})
        process = self.start_slow(b"")
        self.until(process, lambda: os.path.isdir(self.path("data")))
        time.sleep(0.2)  # the handler is there before the spool is, but let it settle
        process.signal(signal.SIGTERM)
        result = process.wait()
        self.check_code(result, ALL_DELIVERED)
        self.check_account(result, accepted=0)

    def test_a_second_signal_ends_it_at_once(self):
        """Requests that never end are given up; their events are in the spool, not lost."""
        server = servers.Silent()
        self.addCleanup(server.close)
        access = {"type": "user", "username": "A", "password": {"env": "E2E"}, "endpoint": server.endpoint}
        target = {"enabled": True, "credential_id": KEY_ID, "bucket": "events"}
        day = 86_400_000
        self.configure({"aws": target}, credentials={KEY_ID: access},
                       delivery={"first_byte_timeout_ms": day, "timeout_ms": day, "progress_timeout_ms": day})  # fmt: skip
        process = self.start_slow(self.generate(100), environment={"E2E": "x"})
        self.until(process, lambda: server.connections)
        process.signal(signal.SIGTERM)
        self.until(process, lambda: b"draining" in process.errors_so_far())
        began = time.monotonic()
        process.signal(signal.SIGTERM)
        result = process.wait()
        say(f"second SIGTERM with requests that never end: ended after {time.monotonic() - began:.3f} s")
        self.assertIn("cancelling", result.text)
        self.assertNotIn("drain deadline", result.text)
        self.assertIn(result.code, (KEPT, INTERNAL), result.text)
        account = self.check_account(result)
        self.assertGreater(account["accepted"], 0)
        self.assertEqual(self.row(result, "aws"), (0, account["accepted"], 0))
        self.assertEqual(self.spool()[0]["records"], account["accepted"])

    def test_a_reader_that_leaves(self):
        """The closing account cannot be written; the events are where they should be."""
        self.configure({"local": directory()})
        lines = self.generate(20)
        self.write("events", lines)
        read, write = os.pipe()
        os.close(read)
        from support import BINARY
        done = subprocess.run([BINARY, "run", "--config", "firehose.json", "events"], stdout=write,
                              stderr=subprocess.PIPE, cwd=self.where)  # fmt: skip
        os.close(write)
        self.assert_same_objects(self.objects_below("out"), lead_objects(lines))
        say(f"closed standard output: exit status {done.returncode}")


if __name__ == "__main__":
    unittest.main()
