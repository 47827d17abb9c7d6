"""An operator's tools for what is kept: ls, show, retry, export, purge, verify; and records that outlive changes."""
import json
import os
import unittest

import servers
from support import ALL_DELIVERED, INTERNAL, KEPT, USAGE, EndToEnd, directory, lead_objects, say

KEY_ID = "507f1f77bcf86cd799439011"
SECRET = {"E2E_SECRET": "x"}


class Picky(servers.Recorder):
    """Refuses for good what `refused` says, as S3 does with objects that are too large."""

    def __init__(self, refused):
        self.refused = refused
        super().__init__()

    def respond(self, method, path, headers, body):
        if method == "PUT" and self.refused(path):
            said = "<Error><Code>EntityTooLarge</Code><Message>Your proposed upload is too large</Message></Error>"
            return 400, {"Content-Type": "application/xml"}, said.encode()
        return super().respond(method, path, headers, body)


class SpoolTools(EndToEnd):
    def configure_aws(self, endpoint, secret="E2E_SECRET", routed=True, **delivery):
        access = {"type": "user", "username": "AKEY", "password": {"env": secret}, "endpoint": endpoint}
        target = {"enabled": True, "credential_id": KEY_ID, "bucket": "events", "prefix": "live"}
        services = {"aws": target} if routed else {"local": directory()}
        self.configure(services, credentials={KEY_ID: access}, delivery=delivery)

    def tool(self, verb, *arguments, code=ALL_DELIVERED, **how):
        result = self.command("spool", verb, "--config", "firehose.json", *arguments, **how)
        self.check_code(result, code)
        return result

    def tool_json(self, verb, *arguments, **how):
        return json.loads(self.tool(verb, "--json", *arguments, **how).out)

    def fill(self, count, server=None):
        """Keeps `count` events; returns their lines."""
        server = server or servers.ClosedPort()
        self.addCleanup(server.close)
        self.configure_aws(server.endpoint)
        lines = self.generate(count)
        self.deliver(lines, code=KEPT, environment=SECRET)
        return lines

    def test_show_export_and_verify_change_nothing(self):
        lines = self.fill(30)
        shown = self.tool_json("show", "--limit", "0", "--body")
        self.assertEqual(len(shown), 30)
        expected = lead_objects(lines, "live")
        self.assertEqual({one["key"]: one["body"].encode() for one in shown}, expected)
        one = shown[0]
        self.assertFalse(one["parked"])
        self.assertGreaterEqual(len(one["history"]), 1)
        self.assertTrue(one["history"][0]["message"])
        self.assertTrue(one["last_error"]["message"])
        picked = self.tool_json("show", one["id"])
        self.assertEqual([p["event_id"] for p in picked], [one["event_id"]])
        self.assertIn(one["key"], self.tool("show", one["event_id"], "--body").out.decode())
        self.assertEqual(len(self.tool_json("show")), 20)  # the default limit
        self.assertEqual(self.tool_json("show", "--older-than", "1h"), [])
        self.assertEqual(self.tool_json("show", "--service", "azure"), [])

        out = self.tool("export").out.decode().splitlines()
        self.assertEqual({json.loads(line)["key"]: json.loads(line)["body"].encode() for line in out}, expected)
        self.tool("export", "--output", "rescued")
        with open(self.path("rescued", "records.ndjson")) as file:
            rescued = [json.loads(line) for line in file]
        bodies = {}
        for one in rescued:
            with open(self.path("rescued", one["file"]), "rb") as file:
                bodies[one["key"]] = file.read()
        self.assertEqual(bodies, expected)
        self.tool("export", "--output", "rescued", code=USAGE)  # is not empty

        checked = self.tool_json("verify")
        self.assertEqual([(c["undelivered"], c["damaged_ranges"]) for c in checked], [(30, 0)])
        self.assertEqual(sum(r["records"] for r in self.spool()), 30)
        row = self.spool()[0]
        self.assertIsNone(row["eta_seconds"])
        self.assertTrue(row["next_attempt"])

    def test_verify_finds_damage(self):
        self.fill(10)
        for where, _, files in os.walk(self.path("data", "spool")):
            for name in files:
                if name.endswith(".journal"):
                    with open(os.path.join(where, name), "r+b") as file:
                        file.seek(200)
                        file.write(b"?")
        checked = json.loads(self.tool("verify", "--json", code=INTERNAL).out)
        self.assertEqual(checked[0]["damaged_ranges"], 1)
        self.assertEqual(checked[0]["undelivered"], 9)

    def test_dead_letters_come_back(self):
        server = Picky(lambda path: True)
        self.addCleanup(server.close)
        self.configure_aws(server.endpoint)
        lines = self.generate(40)
        result = self.deliver(lines, code=KEPT, environment=SECRET)
        self.assertEqual(self.row(result, "aws"), (0, 0, 40))
        dead = self.tool_json("show", "--parked", "--limit", "0")
        self.assertEqual({one["last_error"]["code"] for one in dead}, {"EntityTooLarge"})
        self.assertEqual(self.tool_json("retry", "--dry-run", "--parked")["parked"], 40)
        self.assertEqual(self.spool()[0]["parked"], 40)

        some = [one["id"] for one in dead[:5]]
        self.assertEqual(self.tool_json("retry", "--parked", *some)["parked"], 5)
        self.assertEqual([(r["records"], r["parked"]) for r in self.spool()], [(5, 35)])
        self.assertEqual(self.tool_json("retry", "--error", "entitytoolarge")["parked"], 35)
        server.refused = lambda path: False
        back = self.deliver(b"", accepted=0, environment=SECRET)
        self.assertEqual(back.account["backlog"]["aws"]["delivered"], 40)
        self.assert_same_objects(server.objects, {"/events/live/" + k: v for k, v in lead_objects(lines).items()})
        self.assertEqual(self.spool(), [])

    def test_purge_says_what_is_lost_and_asks(self):
        self.fill(25)
        shown = self.tool_json("show", "--limit", "0")
        refused = self.tool("purge", code=USAGE)
        self.assertIn("25 records", refused.text)
        self.assertIn("--yes", refused.text)
        self.assertEqual(sum(r["records"] for r in self.spool()), 25)
        self.assertEqual(self.tool_json("purge", "--dry-run", shown[0]["id"])["waiting"], 1)
        self.assertEqual(sum(r["records"] for r in self.spool()), 25)
        gone = self.tool("purge", "--yes", "--json", shown[0]["id"], shown[1]["event_id"])
        self.assertEqual(json.loads(gone.out)["waiting"], 2)
        self.assertIn(shown[0]["key"], gone.text)
        left = {one["id"] for one in self.tool_json("show", "--limit", "0")}
        self.assertEqual(left, {one["id"] for one in shown[2:]})
        self.tool("purge", "--yes")
        self.assertEqual(self.spool(), [])

    def test_beside_a_running_process(self):
        self.fill(10)
        silent = servers.Silent()
        self.addCleanup(silent.close)
        self.configure_aws(silent.endpoint, first_byte_timeout_ms=60_000)
        process = self.start("run", "--config", "firehose.json", "/dev/null", environment=SECRET)
        while not silent.connections:
            self.assertIsNone(process.process.poll() if process.hung else None)
        for verb in ("retry", "purge"):
            refused = self.tool(verb, *(["--yes"] if verb == "purge" else []), code=USAGE)
            self.assertIn(f"process {process.pid}", refused.text)
        self.assertEqual(len(self.tool_json("show")), 10)
        self.assertEqual(self.tool_json("verify")[0]["undelivered"], 10)
        self.assertEqual(len(self.tool("export").out.splitlines()), 10)
        self.assertEqual(self.tool_json("retry", "--dry-run")["waiting"], 10)
        process.signal(9)
        process.wait()

    def test_records_outlive_changes_of_configuration_and_secret(self):
        """Kept for a bucket no flow names any more, sent with the secret of today."""
        lines = self.fill(20)
        recorder = servers.Recorder()
        self.addCleanup(recorder.close)
        seen = set()
        plain = recorder.respond

        def respond(method, path, headers, body):
            seen.add(headers.get("authorization", "").split("Signature=")[0])
            return plain(method, path, headers, body)

        recorder.respond = respond
        self.configure_aws(recorder.endpoint, secret="E2E_ROTATED", routed=False)
        back = self.deliver(b"", accepted=0, environment={"E2E_ROTATED": "new secret"})
        self.assertEqual(back.account["backlog"]["aws"]["delivered"], 20)
        self.assert_same_objects(recorder.objects, {"/events/live/" + k: v for k, v in lead_objects(lines).items()})
        self.assertTrue(all("AKEY" in one for one in seen))

    def test_the_same_input_again_is_kept_once(self):
        lines = self.fill(50)
        closed = servers.ClosedPort()
        self.addCleanup(closed.close)
        self.configure_aws(closed.endpoint)
        again = self.deliver(lines, code=KEPT, accepted=50, environment=SECRET)
        self.assertEqual(self.row(again, "aws"), (0, 50, 0))
        self.assertEqual(sum(r["records"] for r in self.spool()), 50)

    def test_one_in_a_thousand_is_poisonous(self):
        """Exactly those are parked, and the others are not delayed."""
        count = 3000
        lines = self.generate(count)
        objects = {"/events/live/" + k: v for k, v in lead_objects(lines).items()}
        poison = set(sorted(objects)[:: count // 3][:3])
        times = {}
        for name, bad in (("clean", set()), ("poisoned", poison)):
            server = Picky(lambda path, bad=bad: path in bad)
            self.addCleanup(server.close)
            self.configure_aws(server.endpoint)
            result = self.deliver(lines, code=KEPT if bad else ALL_DELIVERED, environment=SECRET)
            self.assertEqual(self.row(result, "aws"), (count - len(bad), 0, len(bad)))
            self.assert_same_objects(server.objects, {k: v for k, v in objects.items() if k not in bad})
            self.assertEqual(max(server.puts.values()), 1)
            times[name] = result.account["seconds"]
        self.assertEqual({"/events/" + one["key"] for one in self.tool_json("show", "--parked")}, poison)
        say(f"{count} events, {len(poison)} poisonous: {times['poisoned']} s; none poisonous: {times['clean']} s")


if __name__ == "__main__":
    unittest.main()
