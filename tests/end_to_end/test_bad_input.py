"""Input that is wrong, and places that cannot be used: a clear sentence, the right code, the good events delivered."""
import json
import os
import unittest

from support import (ALL_DELIVERED, INTERNAL, KEPT, REFUSED, SANITIZED, USAGE, EndToEnd, directory,
                     lead_objects, say)


class BadLines(EndToEnd):
    def setUp(self):
        super().setUp()
        self.configure({"local": directory()})
        self.lines = self.generate(4)
        self.good = self.lines.splitlines()
        self.expected = lead_objects(self.lines)

    def refuses(self, bad, *words):
        """A bad line between good ones: named by number and offset, the others delivered."""
        data = self.good[0] + b"\n" + self.good[1] + b"\n" + bad + b"\n" + self.good[2] + b"\n" + self.good[3]
        result = self.deliver(data, code=REFUSED, accepted=4)
        self.assertEqual(result.account["refused"], 1)
        self.assert_same_objects(self.objects_below("out"), self.expected)
        offset = len(self.good[0]) + len(self.good[1]) + 2
        self.assertIn("line=3 ", result.text)
        self.assertIn(f"offset={offset} ", result.text)
        self.assertIn('input="standard input"', result.text)
        for word in words:
            self.assertIn(word, result.text)
        return result

    def test_not_json(self):
        self.refuses(b"this is not JSON", "not JSON", "at byte 1")

    def test_half_an_object(self):
        self.refuses(b'{"id":"1","vars":', "not JSON")

    def test_two_objects_on_a_line(self):
        self.refuses(b'{"id":"1"} {"id":"2"}', "not JSON")

    def test_values_that_are_no_objects(self):
        for bad in (b"[1,2]", b'"text"', b"17", b"null", b"true"):
            with self.subTest(bad):
                self.refuses(bad, "not a JSON object")

    def test_nul_bytes(self):
        self.refuses(b'{"id":"a\x00b"}', "not JSON")
        self.refuses(b"\x00\x00\x00", "not JSON")

    def test_invalid_utf8(self):
        for bad in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"):
            with self.subTest(bad):
                self.refuses(b'{"id":"' + bad + b'"}', "not JSON")

    def test_a_byte_order_mark(self):
        result = self.deliver(b"\xef\xbb\xbf" + self.lines, code=REFUSED, accepted=3)
        self.assertIn("line=1 offset=0 ", result.text)

    def test_deep_nesting(self):
        self.refuses(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not JSON")

    def test_identities_of_wrong_types_are_parked(self):
        wrong = [{"id": v, "vars": {"lead": {"id": "7"}}} for v in (True, 1.5, [], {})]
        wrong += [{"id": "x", "vars": {"lead": {"id": v}}} for v in (False, 0.5, [1], {"a": 1})]
        wrong += [{"id": "no group"}, {"id": "y", "vars": {"lead": None}}, {"id": "z", "vars": []}]
        data = b"".join(json.dumps(w).encode() + b"\n" for w in wrong)
        result = self.deliver(data + self.lines, code=KEPT, accepted=len(wrong) + 4)
        self.assertEqual(self.row(result, "local"), (4, 0, len(wrong)))
        self.assert_same_objects(self.objects_below("out"), self.expected)
        rows = self.spool()
        self.assertEqual([(r["records"], r["parked"]) for r in rows], [(0, len(wrong))])
        self.assertIn("/vars/lead/id", rows[0]["last_error"])

    def test_identities_that_are_numbers(self):
        data = b'{"id":18446744073709551615,"vars":{"lead":{"id":-7}}}\n'
        self.deliver(data, accepted=1)
        self.assert_same_objects(self.objects_below("out"), {"-7/18446744073709551615.json": data.strip()})

    def test_line_ends(self):
        variants = {
            "CRLF": b"\r\n".join(self.good) + b"\r\n",
            "no final newline": b"\n".join(self.good),
            "CRLF, no final newline": b"\r\n".join(self.good),
            "blank lines": b"\n\n\r\n" + b"\n\n   \n".join(self.good) + b"\n\n",
        }
        for name, data in variants.items():
            with self.subTest(name):
                self.deliver(data, accepted=4)
                self.assert_same_objects(self.objects_below("out"), self.expected)

    def test_byte_by_byte(self):
        self.deliver((self.lines[i : i + 7] for i in range(0, len(self.lines), 7)), accepted=4)
        self.assert_same_objects(self.objects_below("out"), self.expected)

    def test_white_space_around_an_event_is_not_its_own(self):
        self.deliver(b"".join(b"  " + line + b" \t\n" for line in self.good), accepted=4)
        found = self.objects_below("out")
        self.assertEqual(set(found), set(self.expected))
        for key, line in self.expected.items():
            self.assertEqual(json.loads(found[key]), json.loads(line))

    def test_nothing(self):
        self.deliver(b"", accepted=0)
        self.deliver(b"\n\n", accepted=0)
        self.write("empty", b"")
        self.deliver("empty", accepted=0)

    def test_a_line_of_100_megabytes(self):
        size = 100 << 20
        path = self.path("big.ndjson")
        with open(path, "wb") as file:
            file.write(self.good[0] + b"\n" + self.good[1] + b"\n" + b'{"id":"big","x":"')
            for _ in range(100):
                file.write(b"x" * (1 << 20))
            file.write(b'"}\n' + self.good[2] + b"\n" + self.good[3] + b"\n")
        result = self.deliver(path, code=REFUSED, accepted=4)
        os.remove(path)
        self.assert_same_objects(self.objects_below("out"), self.expected)
        self.assertIn("line=3 ", result.text)
        self.assertIn(f"offset={len(self.good[0]) + len(self.good[1]) + 2} ", result.text)
        self.assertNotIn("xxxxxxxx", result.text)
        say(f"peak memory with a line of {size >> 10} kB: {result.peak_kilobytes} kB")
        if not SANITIZED:
            self.assertLess(result.peak_kilobytes, (size >> 10) * 3 // 4)

    def test_the_longest_line(self):
        """Exactly the configured limit is accepted, a byte more is not."""
        self.configure({"local": directory()}, event={"max_bytes": 5000})
        fits = b'{"id":"fits","vars":{"lead":{"id":"1"}},"x":"' + b"y" * 5000
        fits = fits[: 5000 - 2] + b'"}'
        self.deliver(fits + b"\r\n", accepted=1)
        self.assertEqual(self.objects_below("out")["1/fits.json"], fits)
        result = self.deliver(fits[:-2] + b'y"}\n' + self.lines, code=REFUSED, accepted=4)
        self.assertIn("line=1 offset=0 ", result.text)
        self.assertIn("5000", result.text)

    def test_many_bad_lines(self):
        bad = 2000
        result = self.deliver(b"{]\n" * bad + self.lines, code=REFUSED, accepted=4)
        self.assertEqual(result.account["refused"], bad)
        say(f"{bad} refused lines: {len(result.err)} bytes of log")

    def test_refused_counts_before_kept(self):
        self.write("out", "a file in the way")
        result = self.deliver(b"nonsense\n" + self.lines, code=REFUSED, accepted=4)
        self.assertEqual(self.row(result, "local"), (0, 4, 0))

    def test_the_same_id_twice(self):
        """The later event of the same name wins; both are accounted for."""
        old, new = b'{"id":"1","vars":{"lead":{"id":"1"}},"v":1}', b'{"id":"1","vars":{"lead":{"id":"1"}},"v":2}'
        self.deliver(old + b"\n", accepted=1)
        self.deliver(new + b"\n", accepted=1)
        self.assert_same_objects(self.objects_below("out"), {"1/1.json": new})

    def test_missing_ids(self):
        line = b'{"vars":{"lead":{"id":"1"}}}'
        self.deliver(line, accepted=1)
        (key,) = self.objects_below("out")
        self.assertRegex(key, r"^1/[0-9a-f]{32}\.json$")
        self.configure({"local": directory("other")}, event={"missing_id": "dead_letter"})
        result = self.deliver(line, code=KEPT, accepted=1)
        self.assertEqual(self.row(result, "local"), (0, 0, 1))
        self.assertIn("no id", self.spool()[0]["last_error"])


class BadPlaces(EndToEnd):
    def test_a_file_where_the_target_folder_should_be(self):
        self.configure({"local": directory(), "copy": directory("copy")})
        lines = self.generate(30)
        self.write("out", "a file in the way")
        result = self.deliver(lines, code=KEPT, accepted=30)
        self.assertEqual(self.row(result, "local"), (0, 30, 0))
        self.assertEqual(self.row(result, "copy"), (30, 0, 0))
        self.assertIn("out", self.spool()[0]["last_error"])
        os.remove(self.path("out"))
        back = self.deliver(b"", code=ALL_DELIVERED)
        self.assertEqual(back.account["backlog"]["local"]["delivered"], 30)
        self.assert_same_objects(self.objects_below("out"), lead_objects(lines))

    def test_a_data_dir_that_cannot_be_used(self):
        self.configure({"local": directory()})
        self.write("data", "a file in the way")
        result = self.command("run", "--config", "firehose.json", "--json", "-", input=self.generate(3))
        self.check_code(result, USAGE)
        self.assertIn(self.path("data"), result.text)
        self.assertEqual(result.out, b"")
        self.assertEqual(self.objects_below("out"), {})

    def test_input_that_cannot_be_read(self):
        self.configure({"local": directory()})
        self.write("good", self.generate(3))
        os.mkdir(self.path("folder"))
        for bad in ("absent.ndjson", "folder"):
            with self.subTest(bad):
                result = self.command("run", "--config", "firehose.json", "good", bad)
                self.check_code(result, USAGE)
                self.assertIn(bad, result.text)
                self.assertEqual(self.objects_below("out"), {}, "nothing is delivered before all is known to be there")

    def test_no_input(self):
        self.configure({"local": directory()})
        result = self.command("run", "--config", "firehose.json")
        self.check_code(result, USAGE)
        self.assertIn("no input", result.text)

    def test_command_lines(self):
        self.configure({"local": directory()})
        for arguments, word in {
            ("frobnicate",): "frobnicate",
            (): "subcommand",
            ("run",): "--config",
            ("run", "--config", "firehose.json", "--nonsense", "-"): "--nonsense",
            ("run", "--config", "firehose.json", "--set", "no-pointer=1", "-"): "--set",
            ("run", "--config", "firehose.json", "--set", "/data_dir", "-"): "--set",
            ("generate",): "-n",
            ("generate", "-n", "many"): "many",
            ("generate", "-n", "1", "--kind", "other"): "other",
            ("generate", "-n", "1", "--flows", "0"): "--flows",
            ("spool",): "subcommand",
        }.items():
            with self.subTest(arguments):
                result = self.command(*arguments)
                self.check_code(result, USAGE)
                self.assertIn(word, result.text)
                self.assertEqual(result.out, b"")

    def test_help(self):
        for verb in ((), ("run",), ("validate",), ("generate",), ("spool",), ("spool", "ls")):
            with self.subTest(verb):
                result = self.command(*verb, "--help")
                self.check_code(result, ALL_DELIVERED)
                self.assertTrue(result.out)
                if verb and verb != ("spool",):
                    self.assertIn(b"Example: firehose", result.out)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "wb") as full:
            import subprocess
            from support import BINARY
            done = subprocess.run([BINARY, "generate", "-n", "10"], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, INTERNAL)
        self.assertIn(b"No space left", done.stderr)


if __name__ == "__main__":
    unittest.main()
