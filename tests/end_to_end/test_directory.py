"""Generated events into a directory: the reference job."""
import json
import unittest

from support import EVENTS, EndToEnd, directory, key_of, lead_objects, say, wiki_lines, wiki_objects, WIKI_SHAPE


class Directory(EndToEnd):
    def test_every_object_is_its_line(self):
        self.configure({"local": directory()})
        lines = self.generate(EVENTS)
        expected = lead_objects(lines)
        self.assertEqual(len(expected), EVENTS)

        first = self.deliver(lines, accepted=EVENTS)
        self.assertEqual(self.row(first, "local"), (EVENTS, 0, 0))
        self.assertEqual(first.account["refused"], 0)
        self.assert_same_objects(self.objects_below("out"), expected)
        self.assertEqual(self.spool(), [])
        say(f"{EVENTS} events into a directory in {first.account['seconds']} s, peak {first.peak_kilobytes} kB")

        again = self.deliver(lines, accepted=EVENTS)
        self.assertEqual(self.row(again, "local"), (EVENTS, 0, 0))
        self.assert_same_objects(self.objects_below("out"), expected, "after a second run")

    def test_the_account_names_its_members_in_order(self):
        self.configure({"local": directory()})
        result = self.deliver(self.generate(3))
        account = result.account
        self.assertEqual(list(account), ["accepted", "refused", "targets", "dropped", "seconds"])
        self.assertEqual(list(account["targets"]["local"]), ["delivered", "spooled", "parked"])
        self.assertEqual(len(result.out.splitlines()), 1)

    def test_the_table_for_people(self):
        self.configure({"local": directory()})
        result = self.command("run", "--config", "firehose.json", "-", input=self.generate(3))
        self.check_code(result, 0)
        self.assertIn(b"accepted 3, refused 0, dropped 0", result.out)
        self.assertRegex(result.out, rb"local +3 +0 +0")

    def test_files_are_read_in_order_and_as_configured(self):
        lines = self.generate(40)
        self.write("one.ndjson", lines.split(b"\n", 20)[0] + b"\n")
        self.write("two.ndjson", lines)
        self.configure({"local": directory()}, sources=[{"type": "file", "path": "one.ndjson"}])
        self.assertEqual(self.command("run", "--config", "firehose.json", "--json").account["accepted"], 1)
        both = self.command("run", "--config", "firehose.json", "--json", "one.ndjson", "two.ndjson")
        self.assertEqual(both.account["accepted"], 41)
        self.assert_same_objects(self.objects_below("out"), lead_objects(lines))

    def test_a_prefix_and_two_folders(self):
        self.configure({"local": directory("out/a", "/x/y/"), "copy": directory("out/b")})
        lines = self.generate(50)
        self.deliver(lines, accepted=50)
        self.assert_same_objects(self.objects_below("out/a"), lead_objects(lines, "x/y"))
        self.assert_same_objects(self.objects_below("out/b"), lead_objects(lines))

    def test_page_names_of_every_kind(self):
        self.configure({"local": directory()}, event=WIKI_SHAPE)
        lines = wiki_lines(400)
        self.deliver(lines, accepted=400)
        self.assert_same_objects(self.objects_below("out"), wiki_objects(lines))

    def test_flows_choose_the_target(self):
        lines = self.generate(90, "--flows", "3")
        flow_of = {e["id"]: e["vars"]["flow"]["id"] for e in map(json.loads, lines.splitlines())}
        flows = sorted(set(flow_of.values()))
        self.assertEqual(len(flows), 3)
        own = {f: {"firehose": {"enabled": i > 0, "services": {f"s{i}": directory(f"out{i}")}}} for i, f in enumerate(flows[:2])}
        self.configure({"rest": directory("rest")}, flows=own)
        count = [sum(f == flow for f in flow_of.values()) for flow in flows]
        self.deliver(lines, accepted=90, wanted={"s0": 0, "s1": count[1], "rest": count[2]})
        expected = lead_objects(lines)
        delivered_by = lambda flow: {k: v for k, v in expected.items() if flow_of[json.loads(v)["id"]] == flow}
        self.assert_same_objects(self.objects_below("out0"), {}, "a flow that is switched off")
        self.assert_same_objects(self.objects_below("out1"), delivered_by(flows[1]))
        self.assert_same_objects(self.objects_below("rest"), delivered_by(flows[2]))


class Generated(EndToEnd):
    def test_the_same_seed_the_same_events(self):
        one, same, other = self.generate(200, "--seed", "7"), self.generate(200, "--seed", "7"), self.generate(200)
        self.assertEqual(one, same)
        self.assertNotEqual(one, other)
        self.assertEqual(self.generate(100, "--seed", "7").splitlines(), one.splitlines()[:100])
        for line in one.splitlines():
            json.loads(line)

    def test_crm_events_with_the_defaults(self):
        self.configure({"local": directory()})
        lines = self.generate(300, "--kind", "crm")
        expected = {}
        for line in lines.splitlines():
            event = json.loads(line)
            expected[key_of(str(event["data"]["id"]), event["meta"]["event_id"])] = line
        self.assertEqual(len(expected), 300)
        self.deliver(lines, accepted=300)
        self.assert_same_objects(self.objects_below("out"), expected)

    def test_none_at_all(self):
        self.assertEqual(self.generate(0), b"")

    def test_a_reader_that_leaves_early(self):
        result = self.command("generate", "-n", "x")
        self.check_code(result, 2)


if __name__ == "__main__":
    unittest.main()
