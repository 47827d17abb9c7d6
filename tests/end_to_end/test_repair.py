"""A destination that refuses by policy: everything is kept and shown, and goes on by itself once it is repaired."""
import json
import time
import unittest

import s3
from support import KEPT, EndToEnd, lead_objects, say

s3.server()  # or the file is skipped

COUNT = 200


class Repair(EndToEnd):
    def setUp(self):
        super().setUp()
        self.store = s3.connect()
        self.addCleanup(self.store.close)

    def configure_bucket(self, bucket):
        self.configure({"aws": s3.target(bucket, "k")}, credentials=s3.credential(),
                       delivery={"backoff_ms": 10, "stopped_probe_ms": 200, "breaker_cap_ms": 200})  # fmt: skip

    def goes_on_by_itself(self, bucket, repair, code):
        """One process: refused at first, then repaired while it runs; it is told nothing."""
        self.configure_bucket(bucket)
        first, second = self.generate(COUNT), self.generate(2 * COUNT)
        second = second[len(first):]
        process = self.start("run", "--config", "firehose.json", "--json", "-", stdin=-1,
                             environment=s3.environment())  # fmt: skip
        process.stdin.write(first)
        process.stdin.flush()
        deadline = time.monotonic() + 60
        while sum(r["records"] for r in self.spool()) < COUNT:
            self.assertLess(time.monotonic(), deadline, process.errors_so_far())
        row = self.spool()[0]
        self.assertEqual(row["last_error_class"], "stop", row)
        self.assertIn(bucket, row["last_error"])
        if row["last_error_code"]:
            self.assertEqual(row["last_error_code"], code)
        shown = json.loads(self.command("spool", "show", "--config", "firehose.json", "--json").out)
        self.assertEqual(shown[0]["last_error"]["class"], "stop")

        repair()
        began = time.monotonic()
        # New events find out that it works again: a probe is let through now and then.
        for line in second.splitlines(keepends=True):
            process.stdin.write(line)
            process.stdin.flush()
            time.sleep(0.005)
        process.stdin.close()
        result = process.wait()
        self.check_code(result, 0)
        account = self.check_account(result, accepted=2 * COUNT)
        self.assertEqual(account["targets"]["aws"], {"delivered": 2 * COUNT, "spooled": 0, "parked": 0})
        self.assert_same_objects(self.store.objects(bucket), lead_objects(first + second, "k"))
        self.assertEqual(self.spool(), [])
        say(f"{code}: {COUNT} kept, {COUNT} more while it was repaired; all stored {time.monotonic() - began:.1f} s later")

    def test_a_bucket_that_is_made_later(self):
        bucket = "e2e-later-%d" % time.monotonic_ns()
        self.goes_on_by_itself(bucket, lambda: self.store.request("PUT", "/" + bucket), "NoSuchBucket")

    def test_a_policy_that_is_corrected(self):
        bucket = self.store.create_bucket("e2e-policy")
        deny = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Deny", "Principal": "*", "Action": ["s3:PutObject"],
            "Resource": [f"arn:aws:s3:::{bucket}/*"]}]}  # fmt: skip
        self.store.request("PUT", "/" + bucket, {"policy": ""}, json.dumps(deny).encode())
        self.goes_on_by_itself(bucket, lambda: self.store.request("DELETE", "/" + bucket, {"policy": ""}),
                               "AccessDenied")  # fmt: skip

    def test_a_secret_that_is_replaced(self):
        """Wrong until somebody stores the right one: the next run sends what was kept, with today's secret."""
        bucket = self.store.create_bucket("e2e-secret")
        self.configure_bucket(bucket)
        lines = self.generate(COUNT)
        kept = self.deliver(lines, code=KEPT, environment={"E2E_SECRET": "yesterday's"})
        self.assertEqual(self.row(kept, "aws"), (0, COUNT, 0))
        self.assertEqual(self.spool()[0]["last_error_class"], "stop")
        back = self.deliver(b"", accepted=0, environment=s3.environment())
        self.assertEqual(back.account["backlog"]["aws"]["delivered"], COUNT)
        self.assert_same_objects(self.store.objects(bucket), lead_objects(lines, "k"))


if __name__ == "__main__":
    unittest.main()
