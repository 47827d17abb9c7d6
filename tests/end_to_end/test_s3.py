"""Delivery to a real S3 server, alone and beside a directory, read back by a client of another make."""
import os
import unittest

import s3
import servers
from support import (ALL_DELIVERED, EVENTS, KEPT, WIKI_SHAPE, EndToEnd, directory, lead_objects, read_lines, say,
                     wiki_lines, wiki_objects)

s3.server()  # or the file is skipped


class RealS3(EndToEnd):
    def setUp(self):
        super().setUp()
        self.s3 = s3.connect()
        self.environment = s3.environment()

    def tearDown(self):
        self.s3.close()

    def bucket(self):
        return self.s3.create_bucket()

    def goes_into(self, secure):
        bucket = self.bucket()
        self.configure({"aws": s3.target(bucket, "a/b c/日本")}, credentials=s3.credential(secure=secure), delivery=s3.PATIENCE)
        lines = self.generate(EVENTS)
        expected = lead_objects(lines, "a/b c/日本")
        first = self.deliver(lines, accepted=EVENTS, environment=self.environment)
        self.assertEqual(self.row(first, "aws"), (EVENTS, 0, 0))
        self.assert_same_objects(self.s3.objects(bucket), expected)
        say(f"{EVENTS} events over {'HTTPS' if secure else 'HTTP'} in {first.account['seconds']} s, peak {first.peak_kilobytes} kB")
        again = self.deliver(lines, accepted=EVENTS, environment=self.environment)
        self.assertEqual(self.row(again, "aws"), (EVENTS, 0, 0))
        self.assertEqual(sorted(self.s3.keys(bucket)), sorted(expected), "a second run writes the same keys")
        _, content_type = self.s3.get(bucket, next(iter(expected)))
        self.assertEqual(content_type, "application/json")

    def test_over_http(self):
        self.goes_into(secure=False)

    def test_over_https_with_a_certificate_of_its_own(self):
        self.goes_into(secure=True)

    def test_https_without_the_certificate(self):
        """The server cannot be verified: nothing is sent, the events wait."""
        access = s3.credential(secure=True)
        del access[s3.KEY_ID]["ca_file"]
        self.configure({"aws": s3.target(self.bucket())}, credentials=access)
        result = self.deliver(self.generate(20), code=KEPT, environment=self.environment)
        self.assertEqual(self.row(result, "aws"), (0, 20, 0))
        self.assertIn("certificate", result.text)

    def test_a_directory_and_a_bucket_at_once(self):
        bucket = self.bucket()
        self.configure({"local": directory(), "aws": s3.target(bucket)}, credentials=s3.credential(), delivery=s3.PATIENCE)
        lines = self.generate(EVENTS)
        result = self.deliver(lines, accepted=EVENTS, environment=self.environment)
        self.assertEqual((self.row(result, "local"), self.row(result, "aws")), ((EVENTS, 0, 0), (EVENTS, 0, 0)))
        self.assert_same_objects(self.objects_below("out"), lead_objects(lines))
        self.assert_same_objects(self.s3.objects(bucket), lead_objects(lines))
        say(f"{EVENTS} events into both in {result.account['seconds']} s")

    def delivers_edits(self, lines):
        bucket = self.bucket()
        self.configure({"local": directory(), "aws": s3.target(bucket, "edits")}, event=WIKI_SHAPE, credentials=s3.credential(),
                       delivery=s3.PATIENCE)  # fmt: skip
        path = self.write("edits.ndjson", lines)
        expected = wiki_objects(lines)
        count = len(expected)
        for which in ("first", "second"):
            result = self.deliver(path, accepted=count, environment=self.environment)
            self.assertEqual((self.row(result, "local"), self.row(result, "aws")), ((count, 0, 0), (count, 0, 0)))
            say(f"{count} edits into both, {which} run: {result.account['seconds']} s")
            self.assert_same_objects(self.objects_below("out"), expected, which)
            self.assertEqual(sorted(self.s3.keys(bucket)), sorted("edits/" + k for k in expected), which)
        self.assert_same_objects(self.s3.objects(bucket), {"edits/" + k: v for k, v in expected.items()})

    def test_page_names_of_every_kind(self):
        self.delivers_edits(wiki_lines(500))

    @unittest.skipUnless(os.environ.get("FIREHOSE_WIKITICKER"), "FIREHOSE_WIKITICKER names no file")
    def test_a_day_of_wikipedia(self):
        self.delivers_edits(read_lines(os.environ["FIREHOSE_WIKITICKER"]))

    def test_a_wrong_secret(self):
        """Refused by the server that checks it; the events wait, and go once the secret is right."""
        bucket = self.bucket()
        self.configure({"local": directory(), "aws": s3.target(bucket)}, credentials=s3.credential())
        lines = self.generate(50)
        wrong = {"E2E_SECRET": "wrong" * 8}
        result = self.deliver(lines, code=KEPT, accepted=50, environment=wrong)
        self.assertEqual((self.row(result, "local"), self.row(result, "aws")), ((50, 0, 0), (0, 50, 0)))
        self.assertIn("SignatureDoesNotMatch", result.text)
        self.assertIn(bucket, result.text)
        self.assertIn("SignatureDoesNotMatch", self.spool()[0]["last_error"])
        self.assertNotIn("wrongwrong", result.text)
        self.assertEqual(self.s3.keys(bucket), [])
        live = self.command("validate", "--config", "firehose.json", "--live", environment=wrong)
        self.check_code(live, 2)
        self.assertIn(b"SignatureDoesNotMatch", live.out)
        live = self.command("validate", "--config", "firehose.json", "--live", environment=self.environment)
        self.check_code(live, ALL_DELIVERED)
        back = self.deliver(b"", code=ALL_DELIVERED, environment=self.environment)
        self.assertEqual(back.account["backlog"]["aws"], {"delivered": 50, "spooled": 0, "parked": 0})
        self.assert_same_objects(self.s3.objects(bucket), lead_objects(lines))

    def test_a_wrong_access_key(self):
        access = s3.credential()
        access[s3.KEY_ID]["username"] = "NOBODYSKEY0000000001"
        self.configure({"aws": s3.target(self.bucket())}, credentials=access)
        result = self.deliver(self.generate(10), code=KEPT, environment=self.environment)
        self.assertEqual(self.row(result, "aws"), (0, 10, 0))
        self.assertIn("InvalidAccessKeyId", result.text)

    def test_a_bucket_that_is_not_there(self):
        name = "e2e-made-later-" + os.urandom(5).hex()
        self.configure({"aws": s3.target(name)}, credentials=s3.credential())
        lines = self.generate(20)
        result = self.deliver(lines, code=KEPT, environment=self.environment)
        self.assertEqual(self.row(result, "aws"), (0, 20, 0))
        self.assertIn("NoSuchBucket", result.text)
        self.assertIn(name, result.text)
        self.s3.request("PUT", "/" + name)
        self.deliver(b"", environment=self.environment)
        self.assert_same_objects(self.s3.objects(name), lead_objects(lines))

    def test_dead_for_a_while_beside_a_healthy_bucket(self):
        """Two buckets, one behind a dead endpoint; then the same destination answers again."""
        other_id = "507f1f77bcf86cd799439012"
        healthy, dead = self.bucket(), self.bucket()
        services = {"aws": s3.target(healthy), "copy": {**s3.target(dead, type="s3"), "credential_id": other_id}}
        good = s3.credential()
        lines = self.generate(EVENTS)
        expected = lead_objects(lines)

        alone_bucket = self.bucket()
        self.configure({"aws": s3.target(alone_bucket)}, name="alone.json", data_dir="data-alone", credentials=good)
        alone, _ = self.last_delivery(lines, "aws", {"aws": (EVENTS, 0, 0)}, config="alone.json",
                                      environment=self.environment)  # fmt: skip

        silent = servers.Silent()
        self.addCleanup(silent.close)
        credentials = lambda endpoint: {**good, other_id: {**good[s3.KEY_ID], "endpoint": endpoint}}
        self.configure(services, credentials=credentials(silent.endpoint), delivery={"first_byte_timeout_ms": 5000})
        beside, result = self.last_delivery(lines, "aws", {"aws": (EVENTS, 0, 0), "copy": (0, EVENTS, 0)}, code=KEPT,
                                            environment=self.environment)  # fmt: skip
        self.assert_same_objects(self.s3.objects(healthy), expected)
        self.assertEqual(self.s3.keys(dead), [])
        say(f"{EVENTS} events into a bucket, last one delivered alone after {alone} s, beside one that never answers "
            f"{beside} s: ratio {beside / max(alone, 0.001):.2f}; whole run {result.seconds:.2f} s")

        self.configure(services, credentials=credentials(good[s3.KEY_ID]["endpoint"]))
        back = self.deliver(b"", environment=self.environment)
        self.assertEqual(back.account["backlog"], {"copy": {"delivered": EVENTS, "spooled": 0, "parked": 0}})
        self.assert_same_objects(self.s3.objects(dead), expected)
        self.assertEqual(self.spool(), [])

    def test_names_of_services(self):
        """Key and event ids that need care in a signature."""
        bucket = self.bucket()
        self.configure({"aws": s3.target(bucket, "pre fix+&?#%25=é")}, credentials=s3.credential())
        lines = self.generate(10)
        self.deliver(lines, environment=self.environment)
        self.assert_same_objects(self.s3.objects(bucket), lead_objects(lines, "pre fix+&?#%25=é"))


if __name__ == "__main__":
    unittest.main()
