"""The programs a developer copies from, run as their comments say."""
import json
import os
import unittest

from support import ALL_DELIVERED, EndToEnd, key_of, lead_objects

EXAMPLES = os.environ.get("FIREHOSE_EXAMPLES", "build/examples")


class Examples(EndToEnd):
    def example(self, name, input):
        # A file, not a pipe: it is read as one batch.
        with open(self.write("input", input), "rb") as file:
            result = self.command(stdin=file, binary=os.path.join(EXAMPLES, name))
        self.check_code(result, ALL_DELIVERED)
        return result.out.decode()

    def test_hello(self):
        lines = self.generate(60)
        self.assertEqual(self.example("hello", lines), "60 events accepted\n")
        self.assert_same_objects(self.objects_below("out"), lead_objects(lines))

    def test_custom_stage(self):
        """The newest event of each lead, without test leads."""
        events = [json.loads(line) for line in self.generate(60).splitlines()]
        test = {"id": "t", "vars": {"lead": {"id": "test-7"}}}
        lines = b"".join(json.dumps(e).encode() + b"\n" for e in events + [test])
        newest = {}
        for event, line in zip(events, lines.splitlines()):
            newest[event["vars"]["lead"]["id"]] = (key_of(event["vars"]["lead"]["id"], event["id"]), line)
        self.assertEqual(len(newest), 20)
        self.assertEqual(self.example("custom_stage", lines), "20 delivered, 40 passed over\n")
        self.assert_same_objects(self.objects_below("newest"), dict(newest.values()))

    def test_custom_store(self):
        lines = self.generate(30)
        out = self.example("custom_store", lines)
        self.assertEqual(out, "contract: kept\n30 delivered to archive\n")
        found = {}
        with open(self.path("events.log"), "rb") as log:
            while header := log.readline():
                key_size, size = map(int, header.split())
                key = log.read(key_size).decode()
                found[key] = log.read(size)
        self.assert_same_objects(found, lead_objects(lines))

    def test_fan_out_spool_twice(self):
        """First the folder of the second service cannot be made; then it can."""
        lines = self.generate(50)
        self.write("not-there-yet", "a file in the way")
        out = self.example("fan_out_spool", lines)
        self.assertEqual(out, "backup: delivered 0, spooled 50\nprimary: delivered 50, spooled 0\n")
        self.assert_same_objects(self.objects_below("primary"), lead_objects(lines))
        os.remove(self.path("not-there-yet"))
        out = self.example("fan_out_spool", b"")
        self.assertEqual(out, "backup: delivered from an earlier run 50\n")
        self.assert_same_objects(self.objects_below("not-there-yet"), lead_objects(lines))

    def test_hello_refuses_what_it_should(self):
        lines = self.generate(3)
        self.assertEqual(self.example("hello", b"nonsense\n" + lines), "3 events accepted\n")

    def test_virtual_time(self):
        """Two days pass in an instant."""
        self.assertEqual(self.example("virtual_time", b""), "10 stored after 48 hours, tried again 288 times\n")


if __name__ == "__main__":
    unittest.main()
