"""What firehose validate, and every other verb, says about a configuration that is wrong."""
import json
import os
import unittest

import servers
from support import ALL_DELIVERED, KEPT, USAGE, EndToEnd, directory, lead_objects

KEY_ID = "507f1f77bcf86cd799439011"
AWS = {"enabled": True, "credential_id": KEY_ID, "bucket": "my-bucket"}


class Configuration(EndToEnd):
    def validate(self, *more, code=USAGE, **how):
        result = self.command("validate", "--config", "firehose.json", "--json", *more, **how)
        self.check_code(result, code)
        verdict = json.loads(result.out)
        self.assertEqual(verdict["valid"], code == ALL_DELIVERED)
        return verdict

    def faults(self, document, **how):
        """{pointer: message} of everything that is wrong with it, which is said in one go."""
        text = document if isinstance(document, str) else json.dumps(document)
        self.write("firehose.json", text)
        verdict = self.validate(**how)
        plain = self.command("validate", "--config", "firehose.json", **how)
        self.check_code(plain, USAGE)
        run = self.command("run", "--config", "firehose.json", "-", input=b"", **how)
        self.check_code(run, USAGE)
        found = {}
        for fault in verdict["faults"]:
            found.setdefault(fault["pointer"], fault["message"])
            for result in (plain, run):
                self.assertIn("firehose.json: " + (fault["pointer"] + ": " if fault["pointer"] else ""), result.text)
        return found

    def test_every_fault_at_once(self):
        found = self.faults({
            "data_dirs": "x",
            "credentials": {"a": {"type": "users", "usrname": "x"}, "b": 7,
                            "c/d~e": {"type": "user", "password": {"enf": "X"}}},
            "default": {"enabled": "yes", "services": {
                "local": {"type": "directory", "enabled": True, "bucket": "../up"},
                "aws": {"enabled": True, "credential_id": KEY_ID, "bucket": "Bad_Bucket"},
                "other": {"enabled": True, "bucket": "x"}}},
            "flows": {"f": {"firehose": {"enabled": True, "servcies": {}}}, "g": {}, "h": []},
            "event": {"id": "no-pointer", "missing_id": "invent", "max_bytes": 0},
            "delivery": {"in_flight": 0, "attempts": "3", "timeout_ms": 1.5, "layuot": "event"},
            "spool": {"type": "tape"},
            "sources": [{"type": "file"}, {"type": "http"}, 5],
        })  # fmt: skip
        for pointer, word in {
            "/data_dirs": "data_dir",
            "/credentials/a/usrname": "username",
            "/credentials/a/type": "user",
            "/credentials/b": "object",
            "/credentials/c~1d~0e/password/enf": "env",
            "/default/enabled": "true or false",
            "/default/services/local": "../up",
            "/default/services/aws": KEY_ID,
            "/default/services/other": "other",
            "/flows/f/firehose/servcies": "services",
            "/flows/g/firehose": "required",
            "/flows/h": "object",
            "/event/id": "JSON Pointer",
            "/event/missing_id": "hash",
            "/event/max_bytes": "from 1 to",
            "/delivery/in_flight": "from 1 to",
            "/delivery/attempts": "integer",
            "/delivery/timeout_ms": "integer",
            "/delivery/layuot": "layout",
            "/spool/type": "directory",
            "/sources/0/path": "required",
            "/sources/1/type": "file",
            "/sources/2": "object",
        }.items():
            self.assertIn(pointer, found)
            self.assertIn(word, found[pointer], pointer)

    def test_not_json(self):
        found = self.faults('{\n  "data_dir": "x",\n  "default": nonsense\n}')
        self.assertIn("line 3", found[""])

    def test_not_an_object(self):
        self.assertIn("object", self.faults("[1]")[""])
        self.assertTrue(self.faults("")[""])

    def test_a_file_that_is_not_there(self):
        for name in ("absent.json", "."):
            result = self.command("run", "--config", name, "-", input=b"")
            self.check_code(result, USAGE)
            self.assertIn(name, result.text)
            self.assertIn("cannot be read", result.text)

    def test_an_unknown_key_names_the_nearest(self):
        found = self.faults({"delivery": {"in_fligth": 3}})
        self.assertIn('did you mean "in_flight"', found["/delivery/in_fligth"])

    def test_a_missing_credential(self):
        found = self.faults({"default": {"enabled": True, "services": {"aws": AWS}}})
        self.assertIn("does not exist", found["/default/services/aws"])
        self.assertIn(KEY_ID, found["/default/services/aws"])

    def test_a_missing_environment_variable(self):
        access = {"type": "user", "username": "A", "password": {"env": "E2E_NOT_SET"}}
        document = {"credentials": {KEY_ID: access}, "default": {"enabled": True, "services": {"aws": AWS}}}
        found = self.faults(document)
        self.assertIn("E2E_NOT_SET", found[f"/credentials/{KEY_ID}/password/env"])
        found = self.faults(document, environment={"E2E_NOT_SET": ""})
        self.assertIn("E2E_NOT_SET", found[f"/credentials/{KEY_ID}/password/env"])

    def test_a_missing_secret_file(self):
        access = {"type": "user", "username": "A", "password": {"file": "nowhere/secret"}}
        found = self.faults({"credentials": {KEY_ID: access}})
        self.assertIn(self.path("nowhere/secret"), found[f"/credentials/{KEY_ID}/password/file"])
        self.write("empty", "\n")
        access["password"] = {"file": "empty"}
        found = self.faults({"credentials": {KEY_ID: access}})
        self.assertIn("empty", found[f"/credentials/{KEY_ID}/password/file"])

    def test_a_credential_an_event_brings_and_nobody_has(self):
        """Found while running: the event is parked for that target, the others go on."""
        self.configure({"local": directory()})
        event = {"id": "1", "vars": {"lead": {"id": "2"}},
                 "firehose": {"enabled": True, "services": {"aws": AWS, "local": directory()}}}  # fmt: skip
        line = json.dumps(event).encode()
        result = self.deliver(line, code=KEPT, accepted=1)
        self.assertEqual((self.row(result, "aws"), self.row(result, "local")), ((0, 0, 1), (1, 0, 0)))
        self.assertIn("does not exist", self.spool()[0]["last_error"])
        self.assert_same_objects(self.objects_below("out"), {"2/1.json": line})

    def test_comments_and_trailing_commas(self):
        self.write("firehose.json", """{
          // the folder
          "data_dir": "data", /* and */ "default": {"enabled": true, "services": {
            "local": {"type": "directory", "enabled": true, "bucket": "out", "prefix": "",}, }, },
        }""")
        self.validate(code=ALL_DELIVERED)
        plain = self.command("validate", "--config", "firehose.json")
        self.check_code(plain, ALL_DELIVERED)
        self.assertIn(b"valid", plain.out)
        self.deliver(self.generate(3), accepted=3)

    def test_paths_are_relative_to_the_file(self):
        os.mkdir(self.path("conf"))
        self.write("conf/firehose.json", json.dumps(
            {"data_dir": "d", "default": {"enabled": True, "services": {"local": directory()}}}))
        lines = self.generate(3)
        self.deliver(lines, accepted=3, config="conf/firehose.json")
        self.assert_same_objects(self.objects_below("conf/out"), lead_objects(lines))
        self.assertTrue(os.path.isdir(self.path("conf/d")))
        self.assertFalse(os.path.exists(self.path("d")))

    def test_overrides(self):
        self.configure({"local": directory()}, sources=[{"type": "file", "path": "a"}, {"type": "file", "path": "b"}])
        lines = self.generate(5)
        self.write("c", lines)
        self.write("a", b"")
        result = self.command("run", "--config", "firehose.json", "--json",
                              "--set", "/default/services/local/bucket=else where/x=y",
                              "--set", "/sources/1/path=c", "--set", "/delivery/in_flight=2",
                              "--set", "/event/id=[\"/nope\",\"/id\"]", "--set", "/data_dir=d2")  # fmt: skip
        self.check_code(result, ALL_DELIVERED)
        self.assertEqual(result.account["accepted"], 5)
        self.assert_same_objects(self.objects_below("else where/x=y"), lead_objects(lines))
        self.assertTrue(os.path.isdir(self.path("d2")))
        for wrong in ("/sources/2/path=c", "/sources/x/path=c", "/data_dir/x=1", "/nonsense=1", "/delivery/in_flight=many"):
            with self.subTest(wrong):
                result = self.command("run", "--config", "firehose.json", "--set", wrong)
                self.check_code(result, USAGE)
                self.assertIn(wrong.split("=")[0], result.text)

    def test_live(self):
        """Asks every destination, and says which answer."""
        recorder, closed = servers.Recorder(), servers.ClosedPort()
        self.addCleanup(recorder.close)
        self.addCleanup(closed.close)
        access = lambda server: {"type": "user", "username": "A", "password": {"env": "E2E"}, "endpoint": server.endpoint}
        services = {"local": directory(), "aws": AWS}
        self.configure(services, credentials={KEY_ID: access(closed)})
        verdict = self.validate("--live", environment={"E2E": "x"})
        self.assertEqual(verdict["faults"], [])
        answers = {live["answers"]: live for live in verdict["live"]}
        self.assertEqual(len(verdict["live"]), 2)
        self.assertIn("my-bucket", answers[False]["destination"])
        self.assertIn("refused", answers[False]["message"])
        self.assertIn("out", answers[True]["destination"])
        self.validate(code=ALL_DELIVERED, environment={"E2E": "x"})  # without asking it is in order
        plain = self.command("validate", "--config", "firehose.json", "--live", environment={"E2E": "x"})
        self.check_code(plain, USAGE)
        self.assertIn(b": answers", plain.out)
        self.assertEqual(self.objects_below("out"), {}, "asking writes nothing")

    def test_nothing_routed(self):
        """No routing at all: events are complete at once, and the operator is told."""
        self.write("firehose.json", "{}")
        result = self.deliver(self.generate(3), accepted=3)
        self.assertEqual(result.account["targets"], {})
        self.assertIn("warning", result.text)
        self.assertIn("go nowhere", result.text)


if __name__ == "__main__":
    unittest.main()
