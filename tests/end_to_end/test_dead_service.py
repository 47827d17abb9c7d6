"""Two services, one of them dead in each of the ways a service dies; then it comes back."""
import json
import unittest

import servers
from support import ALL_DELIVERED, EVENTS, KEPT, EndToEnd, directory, lead_objects, say

KEY_ID = "507f1f77bcf86cd799439011"
COUNT = min(EVENTS, 2000)


class DeadService(EndToEnd):
    def configure_both(self, endpoint, **delivery):
        """A directory that works, and a bucket behind `endpoint`: the destination stays the same."""
        target = {"enabled": True, "credential_id": KEY_ID, "bucket": "events", "prefix": "live"}
        access = {"type": "user", "username": "AKEY", "password": {"env": "E2E_SECRET"}, "endpoint": endpoint}
        self.configure({"local": directory(), "aws": target}, credentials={KEY_ID: access}, delivery=delivery)

    def served(self, server):
        self.addCleanup(server.close)
        return server

    def alone(self, lines):
        """Seconds until the last delivery of the healthy service when it has no neighbour."""
        self.configure({"local": directory("alone")}, name="alone.json", data_dir="data-alone")
        return self.last_delivery(lines, "local", {"local": (COUNT, 0, 0)}, config="alone.json")[0]

    def goes_through(self, server, **delivery):
        lines = self.generate(COUNT)
        expected = lead_objects(lines)
        secret = {"E2E_SECRET": "does not matter here"}
        alone = self.alone(lines)

        self.configure_both(server.endpoint, **delivery)
        beside, dead = self.last_delivery(lines, "local", {"local": (COUNT, 0, 0), "aws": (0, COUNT, 0)},
                                          code=KEPT, environment=secret)  # fmt: skip
        self.assert_same_objects(self.objects_below("out"), expected)
        say(f"{type(server).__name__}: {COUNT} events, last one delivered alone after {alone} s, beside a dead "
            f"service {beside} s: ratio {beside / max(alone, 0.001):.2f}; whole run {dead.seconds:.2f} s")

        listed = self.spool()  # needs no secret
        self.assertEqual([(r["service"], r["bucket"], r["prefix"], r["records"], r["parked"]) for r in listed],
                         [("aws", "events", "live", COUNT, 0)])
        self.assertGreaterEqual(listed[0]["bytes"], len(lines) - COUNT)
        self.assertTrue(listed[0]["oldest"])
        self.assertTrue(listed[0]["last_error"])
        self.assertIn("events", listed[0]["last_error"])

        # Still dead: nothing is lost and nothing is sent twice to the healthy one.
        again = self.deliver(b"", code=KEPT, accepted=0, environment=secret)
        self.assertEqual(again.account["backlog"], {"aws": {"delivered": 0, "spooled": COUNT, "parked": 0}})
        self.assertEqual(sum(r["records"] for r in self.spool()), COUNT)

        recorder = self.served(servers.Recorder())
        self.configure_both(recorder.endpoint)
        back = self.deliver(b"", code=ALL_DELIVERED, accepted=0, environment=secret)
        self.assertEqual(back.account["backlog"], {"aws": {"delivered": COUNT, "spooled": 0, "parked": 0}})
        self.assert_same_objects(recorder.objects, {"/events/live/" + k: v for k, v in expected.items()})
        self.assertEqual({k for k, n in recorder.puts.items() if n != 1}, set(), "put more than once")
        self.assertEqual(self.spool(), [])
        say(f"{type(server).__name__}: {COUNT} events out of the spool in {back.account['seconds']} s")
        return dead

    def test_a_closed_port(self):
        self.goes_through(self.served(servers.ClosedPort()))

    def test_accepts_and_never_answers(self):
        self.goes_through(self.served(servers.Silent()), first_byte_timeout_ms=300)

    def test_always_slow_down(self):
        dead = self.goes_through(self.served(servers.SlowDown()))
        self.assertIn("SlowDown", dead.text)

    def test_a_web_page_instead_of_an_answer(self):
        dead = self.goes_through(self.served(servers.Html()))
        self.assertIn("web page", dead.text)

    def test_dies_and_comes_back_between_runs(self):
        """New events and old ones together: each reaches the bucket once."""
        secret = {"E2E_SECRET": "x"}
        server = self.served(servers.Recorder("down"))
        self.configure_both(server.endpoint)
        first, second = self.generate(300, "--seed", "1"), self.generate(300, "--seed", "1")[len(self.generate(150)):]
        first = self.generate(150)
        self.deliver(first, code=KEPT, accepted=150, environment=secret)
        server.mode = "well"
        self.deliver(second, code=ALL_DELIVERED, environment=secret)
        expected = {"/events/live/" + k: v for k, v in lead_objects(first + second).items()}
        self.assertEqual(len(expected), 300)
        self.assert_same_objects(server.objects, expected)
        self.assertEqual(set(server.puts.values()), {1})

    def test_the_spool_is_listed_beside_a_running_process(self):
        server = self.served(servers.Silent())
        self.configure_both(server.endpoint, first_byte_timeout_ms=60_000, timeout_ms=60_000)
        secret = {"E2E_SECRET": "x"}
        down = self.served(servers.ClosedPort())
        self.configure_both(down.endpoint)
        self.deliver(self.generate(100), code=KEPT, environment=secret)
        self.configure_both(server.endpoint, first_byte_timeout_ms=60_000, timeout_ms=60_000)
        process = self.start("run", "--config", "firehose.json", "--json", "/dev/null", environment=secret)
        while not server.connections:
            self.assertIsNone(process.process.poll() if process.hung else None)
        self.assertEqual([r["records"] for r in self.spool()], [100])
        # A second writer would corrupt the spool: it is turned away, and says why.
        other = self.command("run", "--config", "firehose.json", "--json", "/dev/null", environment=secret)
        self.check_code(other, 2)
        self.assertIn("another process", other.text)
        table = self.command("spool", "ls", "--config", "firehose.json")
        self.assertIn(b"aws", table.out)
        self.assertIn(b"100", table.out)
        process.signal(9)
        process.wait()
        self.assertEqual([r["records"] for r in self.spool()], [100])


class SpoolOfNobody(EndToEnd):
    def test_empty(self):
        self.configure({"local": directory()})
        self.assertEqual(self.spool(), [])
        self.assertIn(b"(empty)", self.command("spool", "ls", "--config", "firehose.json").out)
        json.dumps(self.spool())


if __name__ == "__main__":
    unittest.main()
