"""Events that try to write elsewhere, or into the operator's terminal."""
import json
import os
import re
import unittest

from support import KEPT, EndToEnd, directory, escape_component, key_of

LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error) ")
NASTY = [
    "../../../outside", "/etc/cron.d/x", "..", ".", "", "a/../../b", "nul\u0000byte", "line\nbreak\r\n2026-01-01T00:00:00.000Z error fake",
    "\u001b[2J\u001b]0;owned\u0007", "\u009b31m", "\u202eevil", "%2e%2e%2f", "..\\..\\x", "x" * 4000, "a/" * 300, "~root", "😀",
    "{\"json\":1}", "con\ttab", "%s%n%x", "'; rm -rf /", "\u2028", "\ufeff", ".firehose-tmp", ".lock", "destination.json",
]  # fmt: skip


class Hostile(EndToEnd):
    def setUp(self):
        super().setUp()
        self.configure({"local": directory()})
        os.mkdir(os.path.join(self.root, "outside"))
        with open(os.path.join(self.root, "outside", "precious.json"), "w") as file:
            file.write("untouched")

    def outside(self):
        """Everything in the test's directory that is not the configured folders'."""
        seen = {}
        mine = {self.path("out"), self.path("data")}
        for at, folders, files in os.walk(self.root):
            folders[:] = [f for f in folders if os.path.join(at, f) not in mine]
            for name in folders + files:
                path = os.path.join(at, name)
                if os.path.basename(path).startswith("run-"):
                    continue
                if os.path.islink(path):
                    seen[path] = os.readlink(path)
                elif os.path.isdir(path):
                    seen[path] = "a folder"
                else:
                    with open(path, "rb") as file:
                        seen[path] = file.read()
        return seen

    def check_text(self, result):
        """One line per log record, nothing a terminal would act on."""
        for character in result.err.decode("utf-8"):  # which also says that it is valid
            dangerous = ord(character) < 32 or 127 <= ord(character) < 160 or character in "\u202e\u2028\u2029\ufeff"
            self.assertFalse(dangerous and character != "\n", repr(character))
        self.assertFalse([b for b in result.out if b < 32 and b != 10])
        self.assertLessEqual(result.out.count(b"\n"), 1)
        for line in result.text.splitlines():
            self.assertRegex(line, LOG_LINE)

    def event(self, number, group="g", event_id=None, firehose=None, **more):
        event = {"id": f"e{number}" if event_id is None else event_id, "vars": {"lead": {"id": group}}, **more}
        if firehose is not None:
            event["firehose"] = firehose
        return json.dumps(event).encode()

    def test_ids_stay_one_component(self):
        before = self.outside()
        lines, expected, parked = [], {}, 0
        for i, text in enumerate(NASTY):
            lines.append(self.event(i, group=text))
            if text in ("", ".firehose-tmp"):
                parked += 1  # an empty group is no group; the other is the store's own folder
            else:
                expected[key_of(text, f"e{i}")] = lines[-1]
            if text:
                lines.append(self.event(i, event_id=text))
                expected[key_of("g", text)] = lines[-1]
        result = self.deliver(b"\n".join(lines), code=KEPT, accepted=len(lines))
        self.assertEqual(self.row(result, "local"), (len(lines) - parked, 0, parked))
        self.assert_same_objects(self.objects_below("out"), expected)
        self.assertEqual(self.outside(), before)
        self.check_text(result)

    def test_folders_that_lead_outside(self):
        """An event's own firehose object names the folder; what leads outside is parked, with the reason."""
        outside = os.path.join(self.root, "outside")
        os.symlink(outside, self.path("link"))
        os.mkdir(self.path("out"))
        os.symlink(outside, self.path("out", "g"))
        before = self.outside()
        buckets = ["../outside", outside, "..", ".", "", "/", "a/../../outside", "out/../../outside", "out//x", "a/", "nul\u0000x"]
        lines = [self.event(i, firehose={"enabled": True, "services": {"mine": directory(b)}}) for i, b in enumerate(buckets)]
        result = self.deliver(b"\n".join(lines), code=KEPT, accepted=len(lines), wanted={"mine": len(lines)})
        self.assertEqual(self.row(result, "mine"), (0, 0, len(lines)), result.text)
        self.check_text(result)
        self.assertEqual(self.outside(), before)

        links = [self.event(20, firehose={"enabled": True, "services": {"mine": directory("link")}}),
                 self.event(21, firehose={"enabled": True, "services": {"mine": directory("link/deeper")}}),
                 self.event(22),  # out/g is a link
                 self.event(23, group="fine")]  # fmt: skip
        result = self.deliver(b"\n".join(links), code=KEPT, accepted=4, wanted={"mine": 2, "local": 2})
        self.assertEqual(self.row(result, "mine")[0], 0)
        self.assertEqual(self.row(result, "local")[0], 1)
        self.check_text(result)
        self.assertEqual(self.outside(), before)

    def test_prefixes_that_lead_outside(self):
        before = self.outside()
        prefixes = ["../../outside", "a/../../..", "..", "a//b", "./x", "nul\u0000", "p/" + "x" * 300, ".firehose-tmp"]
        lines = [self.event(i, firehose={"enabled": True, "services": {"local": directory("out", p)}}) for i, p in enumerate(prefixes)]
        lines.append(self.event(99, firehose={"enabled": True, "services": {"local": directory("out", "/fine/x/")}}))
        result = self.deliver(b"\n".join(lines), code=KEPT, accepted=len(lines))
        self.assertEqual(self.row(result, "local"), (1, 0, len(prefixes)), result.text)
        self.assertEqual(list(self.objects_below("out")), ["fine/x/g/e99.json"])
        self.assertEqual(self.outside(), before)
        self.check_text(result)

    def test_the_spool_is_no_target(self):
        """An event must not write among the spool's own files."""
        self.write("blocker", "a file in the way")
        kept = self.event(0, firehose={"enabled": True, "services": {"s": directory("blocker/x")}})
        self.deliver(kept, code=KEPT, accepted=1, wanted={"s": 1})
        before = set(self.objects_below("data"))
        folders = ["data", "data/spool", "data/anything/else"]
        for directory_of_spool, _, files in os.walk(self.path("data")):
            if "destination.json" in files:
                folders.append(os.path.relpath(directory_of_spool, self.where))
        self.assertGreater(len(folders), 3)
        lines = [self.event(i, event_id="destination", firehose={"enabled": True, "services": {"s": directory(f)}}) for i, f in enumerate(folders)]
        result = self.deliver(b"\n".join(lines), code=KEPT, accepted=len(lines), wanted={"s": len(lines)})
        self.assertFalse({k for k in set(self.objects_below("data")) - before if k.endswith("g/destination.json")})
        self.assertEqual(self.row(result, "s"), (0, 0, len(lines)), "an event wrote into data_dir")
        self.assertEqual(sum(r["records"] for r in self.spool()), 1)

    def test_names_of_services(self):
        """Names of services become folders of the spool, and words in logs and tables."""
        before = self.outside()
        names = NASTY
        lines = [self.event(i, firehose={"enabled": True, "services": {n: directory("blocked/x")}}) for i, n in enumerate(names)]
        lines += [self.event(100 + i, firehose={"enabled": True, "services": {n: {"type": n, "enabled": True, "bucket": n}}}) for i, n in enumerate(names)]
        self.write("blocked", "a file in the way")
        before = self.outside()
        result = self.deliver(b"\n".join(lines), code=KEPT, accepted=len(lines), wanted={n: 2 for n in names})
        self.assertEqual(set(result.account["targets"]) - {"local"}, set(names))
        self.check_text(result)
        rows = self.spool()
        self.assertEqual(sum(r["records"] + r["parked"] for r in rows), len(lines))
        self.assertEqual({r["service"] for r in rows}, set(names))
        self.assertEqual(self.outside(), before)
        table = self.command("spool", "ls", "--config", "firehose.json")
        self.assertEqual(len(table.out.decode().splitlines()), 1 + len(rows))
        for character in table.out.decode():
            self.assertFalse(ord(character) < 32 and character != "\n", repr(character))
        # And they come back out.
        os.remove(self.path("blocked"))
        again = self.deliver(b"")
        self.assertEqual(sum(b["delivered"] for b in again.account["backlog"].values()), sum(r["records"] for r in rows))

    def test_bad_lines_do_not_reach_the_log(self):
        """A refused line is named, never quoted."""
        bad = [b"\x1b[2J{", b'{"a":"\x1b[31m"}', b"{\r\rfake 2026-01-01T00:00:00.000Z error x", b"\x00\x07", "{\u202e".encode()]
        result = self.deliver(b"\n".join(bad), code=3, accepted=0)
        self.check_text(result)
        self.assertNotIn("fake", result.text)
        self.assertEqual(len(result.text.splitlines()), len(bad))

    def test_a_firehose_object_of_a_wrong_type(self):
        wrong = [1, "x", [], True, {"enabled": True, "services": []}, {"enabled": True, "services": {"local": 7}},
                 {"enabled": True, "services": {"local": directory(bucket=5)}}]  # fmt: skip
        lines = [self.event(i, firehose=w) for i, w in enumerate(wrong)]
        off = [self.event(50, firehose={"enabled": "true"}), self.event(51, firehose={}),
               self.event(52, firehose={"enabled": False, "services": {"local": directory()}})]  # fmt: skip
        result = self.deliver(b"\n".join(lines + off), code=KEPT, accepted=len(lines) + len(off),
                              wanted={"unreadable": 5, "local": 2})  # fmt: skip
        self.assertEqual(self.row(result, "unreadable")[2] + self.row(result, "local")[2], len(wrong))
        self.assertEqual(self.objects_below("out"), {})

    def test_names_of_input_files(self):
        name = "in\u001b[2J\nput"
        self.write(name, b"nonsense\n")
        result = self.command("run", "--config", "firehose.json", "--json", name)
        self.check_code(result, 3)
        self.check_text(result)
        absent = self.command("run", "--config", "firehose.json", name + "x")
        self.assertNotIn("\u001b", absent.text)
        self.assertEqual(len(absent.text.splitlines()), 1)


class Escapes(unittest.TestCase):
    def test_of_this_file_itself(self):
        self.assertEqual(escape_component("a b"), "a%20b")
        self.assertEqual(escape_component(".."), "%2E%2E")


if __name__ == "__main__":
    unittest.main()
