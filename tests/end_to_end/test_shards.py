"""Large files in parts, one for each shard: exact, whatever is killed, dead or refused meanwhile."""
import os
import random
import shutil
import signal
import unittest

from objects import unpack
from support import ALL_DELIVERED, EVENTS, KEPT, REFUSED, EndToEnd, directory, say

KILLS = int(os.environ.get("FIREHOSE_KILLS", "8"))
SEED = int(os.environ.get("FIREHOSE_SEED", str(random.SystemRandom().randrange(1 << 32))))


class Shards(EndToEnd):
    def configure_shards(self, shards, services=None, **delivery):
        self.configure(services or {"local": directory()}, run={"shards": shards, "shard_bytes": 10_000},
                       delivery={"backoff_ms": 10, **delivery})  # fmt: skip

    def lines_of(self, objects):
        return sorted(line for key, data in objects.items() for line in unpack(key, data).splitlines())

    def test_events_are_the_same_on_any_number_of_shards(self):
        lines = self.generate(EVENTS, "--flows", "3")
        path = self.write("in.ndjson", lines)
        seen = []
        for shards in (1, 2, 5):
            shutil.rmtree(self.path("out"), True)
            self.configure_shards(shards)
            self.deliver(path, accepted=EVENTS)
            seen.append(self.objects_below("out"))
        self.assertEqual(sorted(seen[0].values()), sorted(lines.splitlines()))
        self.assert_same_objects(seen[1], seen[0], "two shards")
        self.assert_same_objects(seen[2], seen[0], "five shards")

    def test_lines_are_refused_by_their_number_in_the_file(self):
        good = self.generate(400).splitlines(True)
        for number in (399, 300, 200, 100, 0):
            good.insert(number, b"not JSON %d\n" % number)
        text = b"".join(good)
        expected = {n + 1 for n, line in enumerate(good) if line.startswith(b"not JSON")}
        self.configure_shards(4)
        result = self.command("run", "--config", "firehose.json", "--json", self.write("in.ndjson", text))
        self.assertEqual(result.code, REFUSED, result.text)
        self.assertEqual(self.check_account(result, accepted=400)["refused"], 5)
        found = [line for line in result.text.splitlines() if "refused a line" in line]
        numbers = {int(part.split("=")[1]) for line in found for part in line.split() if part.startswith("line=")}
        self.assertEqual(numbers, expected)

    def test_batches_come_out_the_same_after_kills_and_on_other_machines(self):
        draw = random.Random(SEED)
        say(f"seed {SEED}")
        lines = self.generate(EVENTS * 2, "--flows", "9")
        path = self.write("in.ndjson", lines)
        batch = {"layout": "batch", "batch": {"bytes": 40_000, "age_ms": 5}}
        self.kill_runs(path, KILLS, draw, before=lambda: self.configure_shards(draw.randint(2, 5), **batch))
        self.configure_shards(1, **batch)
        self.deliver(path, accepted=EVENTS * 2)
        self.assertEqual(self.lines_of(self.objects_below("out")), sorted(lines.splitlines()))

    def test_what_a_dead_target_does_not_take_is_spooled_by_all_shards(self):
        lines = self.generate(EVENTS)
        path = self.write("in.ndjson", lines)
        self.write("blocked", b"a file where a folder should be")
        services = {"local": directory("out"), "dead": directory("blocked")}
        self.configure_shards(4, services)
        result = self.command("run", "--config", "firehose.json", "--json", path)
        self.assertEqual(result.code, KEPT, result.text)
        account = self.check_account(result, accepted=EVENTS)
        self.assertEqual(account["targets"]["local"]["delivered"], EVENTS)
        self.assertEqual(account["targets"]["dead"]["spooled"], EVENTS)
        os.unlink(self.path("blocked"))
        again = self.command("run", "--config", "firehose.json", "--json", self.write("none", b""))
        self.assertEqual(again.code, ALL_DELIVERED, again.text)
        self.assert_same_objects(self.objects_below("blocked"), self.objects_below("out"), "the repaired target")

    def test_stopped_by_a_signal_nothing_is_lost(self):
        lines = self.generate(EVENTS * 2)
        path = self.write("in.ndjson", lines)
        self.configure_shards(4)
        for stop in (signal.SIGTERM, signal.SIGINT):
            shutil.rmtree(self.path("out"), True)
            process = self.start("run", "--config", "firehose.json", "--json", path)
            self.until(process, lambda: os.path.exists(self.path("out")))
            process.signal(stop)
            result = process.wait()
            account = result.account
            self.assertEqual(account["dropped"], 0, result.text)
        self.deliver(path, accepted=EVENTS * 2)
        self.assertEqual(sorted(self.objects_below("out").values()), sorted(lines.splitlines()))


if __name__ == "__main__":
    unittest.main()
