"""firehose debug as a conformance tool uses it: published vectors through the binary, JSON lines in and out."""
import base64
import hashlib
import json
import os
import unittest
import zlib

from support import ALL_DELIVERED, REFUSED, USAGE, EndToEnd, say

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden")
VECTORS = os.environ.get("FIREHOSE_VECTORS", os.path.join(HERE, "..", "..", "..", "shared", "vectors"))


def golden(name):
    with open(os.path.join(GOLDEN, name)) as file:
        return json.load(file)


class Debug(EndToEnd):
    def published(self, name):
        path = os.path.join(VECTORS, name)
        if not os.path.exists(path):
            self.skipTest(f"SKIPPED, NOT PASSED: no {path}; set FIREHOSE_VECTORS")
        with open(path) as file:
            return json.load(file)

    def ask(self, verb, rows, code=ALL_DELIVERED):
        """One answer for each row, in order."""
        text = b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)
        result = self.command("debug", verb, input=text)
        self.check_code(result, code)
        answers = [json.loads(line) for line in result.out.splitlines()]
        self.assertEqual(len(answers), len(rows))
        return answers

    def compare(self, answer, expected, name):
        for member in ("canonical_request", "string_to_sign", "signature", "authorization"):
            if member in expected:
                self.assertEqual(answer.get(member), expected[member], f"{name}: {member}")

    # --- sigv4 ---------------------------------------------------------------------------------

    def test_the_suite_of_aws(self):
        suite = self.published("sigv4-suite.json")
        rows = suite["cases"] + suite["extra"]
        compared = 0
        for row, answer in zip(rows, self.ask("sigv4", rows)):
            if "header" not in row:  # a canonical request only
                self.compare(answer, row, row["name"])
                compared += 1
                continue
            self.assertEqual(answer["name"], row["name"])
            self.compare(answer, row["header"], row["name"])
            self.compare(answer["header"], row["header"], row["name"])
            self.compare(answer["query"], row["query"], row["name"] + " (query)")
            self.assertIn("X-Amz-Signature=" + row["query"]["signature"], answer["query"]["signed_query"])
            compared += 2
        self.assertEqual(compared, 77)
        say(f"{compared} of 77 signings")

    def test_the_suite_of_aws_by_the_rules_of_s3(self):
        suite = self.published("sigv4-suite.json")
        rows = [{**row, "mode": "s3"} for row in suite["cases"] + suite["extra"]]
        differ = 0
        for row, answer in zip(rows, self.ask("sigv4", rows)):
            if "canonical_path_if_s3" in row:
                self.assertEqual(answer["canonical_request"].split("\n")[1], row["canonical_path_if_s3"])
            elif row["s3"]["usable_with_s3_path_rules"]:
                self.compare(answer, row["header"], row["name"])
                self.compare(answer["query"], row["query"], row["name"] + " (query)")
            else:  # here S3 must differ: it takes the path as it is
                differ += 1
                self.assertEqual(answer["canonical_request"].split("\n")[1], row["request"]["path"])
                self.assertNotEqual(answer["signature"], row["header"]["signature"])
        self.assertEqual(differ, 6)

    def test_a_query_form_is_asked_for(self):
        request = {"method": "GET", "path": "/test.txt", "headers": [["Host", "examplebucket.s3.amazonaws.com"]]}
        row = {"request": request, "credentials": {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
               "region": "us-east-1", "service": "s3", "amz_date": "20130524T000000Z", "expires": 86400, "mode": "s3",
               "options": {"payload_hash": "UNSIGNED-PAYLOAD"}, "form": "query"}
        answer = self.ask("sigv4", [row])[0]
        # The documentation's example of a presigned URL.
        self.assertEqual(answer["signature"], "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
        self.assertTrue(answer["signed_query"].endswith("&X-Amz-Signature=" + answer["signature"]))

    def test_the_examples_of_the_documentation(self):
        rows, wanted = [], []
        for one in golden("aws_documented_signatures.json")["requests"]:
            path, _, query = one["target"].partition("?")
            row = {"name": one["name"], "request": {"method": one["method"], "path": path, "query": query, "headers": one["headers"]},
                   "credentials": {"access_key_id": one["access_key_id"], "secret_access_key": one["secret_access_key"]},
                   "region": one["region"], "service": one["service"], "amz_date": one["amz_date"], "mode": "s3",
                   "expires": one.get("expires"), "form": "query" if one["kind"] == "presign" else "header",
                   "options": {"payload_hash": one["payload_hash"], "sign_body": one["service"] == "s3"}}
            rows.append(row)
            wanted.append(one)
        for one, answer in zip(wanted, self.ask("sigv4", rows)):
            self.compare(answer, one, one["name"])

    def test_lines_that_are_wrong_do_not_stop_the_others(self):
        request = {"method": "GET", "headers": [["Host", "h"]]}
        good = {"request": request, "credentials": {"access_key_id": "A", "secret_access_key": "s3cr3t-canary"},
                "region": "us-east-1", "service": "s3", "amz_date": "20130524T000000Z"}
        bad = [b"", b"not JSON", b"[1]", {}, {**good, "amz_date": "today"}, {**good, "mode": "s4"},
               {**good, "request": {"method": 1}}, {**good, "request": {**request, "headers": [["a"]]}},
               {**good, "credentials": {"access_key_id": "A"}}, b"\xff\xfe", {**good, "expires": -1}]
        rows = [good, *bad[1:], good]
        result = self.command("debug", "sigv4", input=b"\n".join(
            row if isinstance(row, bytes) else json.dumps(row).encode() for row in [good, *bad, good]))
        self.check_code(result, REFUSED)
        answers = [json.loads(line) for line in result.out.splitlines()]
        self.assertEqual(len(answers), len(rows))
        self.assertEqual(answers[0]["signature"], answers[-1]["signature"])
        for answer in answers[1:-1]:
            self.assertIn("error", answer)
            self.assertGreater(answer["line"], 2)
        self.assertNotIn(b"s3cr3t-canary", result.out + result.err)

    # --- Azure ---------------------------------------------------------------------------------

    def test_shared_keys(self):
        rows = self.published("azure-vectors.json")["shared_key"]
        for row, answer in zip(rows, self.ask("shared-key", rows)):
            self.compare(answer, row, row["name"])
        say(f"{len(rows)} rows of SharedKey")

    def test_the_rules_of_shared_key_in_the_documentation(self):
        rows = [{**row, "key_base64": "bm90LWEtcmVhbC1rZXk="} for row in golden("azure_shared_key.json")["requests"]]
        for row, answer in zip(rows, self.ask("shared-key", [{k: v for k, v in r.items() if k != "string_to_sign"} for r in rows])):
            self.assertEqual(answer["string_to_sign"], row["string_to_sign"], row["name"])

    def check_connection_strings(self, rows):
        """Rows of text, endpoint (or None for an error), account, key, sas."""
        failures = any(row[1] is None for row in rows)
        answers = self.ask("connection-string", [{"connection_string": row[0]} for row in rows], REFUSED if failures else ALL_DELIVERED)
        for (text, endpoint, account, key, sas), answer in zip(rows, answers):
            if endpoint is None:
                self.assertIn("error", answer, text)
                continue
            self.assertEqual(answer.get("endpoint"), endpoint.rstrip("/") + "/", text)
            self.assertEqual((answer["key"], answer["sas"]), (bool(key) and not sas, bool(sas)), text)
            if account:
                self.assertEqual(answer["account"], account, text)
            for hidden in (key, sas):
                self.assertFalse(hidden and hidden in json.dumps(answer), text)

    def test_connection_strings(self):
        rows = [(r["connection_string"], r["blob_endpoint"] if r["ok"] else None, r["account"], r["key"], r["sas"])
                for r in self.published("azure-vectors.json")["connection_strings"] if r["agreement"] != "differs"]
        self.check_connection_strings(rows)
        say(f"{len(rows)} connection strings")

    def test_connection_strings_of_the_documentation(self):
        rows = [(r["text"], r["endpoint"] + r["path"], r["account"], r.get("key"), r.get("sas"))
                for r in golden("azure_connection_strings.json")["connection_strings"]]
        self.check_connection_strings(rows)

    # --- places --------------------------------------------------------------------------------

    def test_endpoints(self):
        rows = [
            ({"bucket": "b00"}, "https://b00.s3.us-east-1.amazonaws.com/", "us-east-1/s3/aws4_request"),
            ({"bucket": "b00", "region": "cn-north-1", "key": "a b+ü"}, "https://b00.s3.cn-north-1.amazonaws.com.cn/a%20b%2B%C3%BC", "cn-north-1/s3/aws4_request"),
            ({"bucket": "a.dotted.one", "region": "eu-west-1", "date": "20260101"}, "https://s3.eu-west-1.amazonaws.com/a.dotted.one/", "20260101/eu-west-1/s3/aws4_request"),
            ({"bucket": "b00", "region": "r1", "endpoint": "http://127.0.0.1:9000/base/", "key": "k"}, "http://127.0.0.1:9000/base/b00/k", "r1/s3/aws4_request"),
            ({"bucket": "b00", "endpoint": "https://s3.example.com", "style": "virtual_host"}, "https://b00.s3.example.com/", "us-east-1/s3/aws4_request"),
            ({"connection_string": "UseDevelopmentStorage=true", "container": "ccc", "key": "k"}, "http://127.0.0.1:10000/devstoreaccount1/ccc/k", None),
        ]
        for (row, url, scope), answer in zip(rows, self.ask("endpoint", [r[0] for r in rows])):
            self.assertEqual(answer["url"], url, row)
            self.assertEqual(answer.get("scope"), scope, row)
        bad = [{"bucket": "B"}, {"bucket": "b00", "endpoint": "ftp://x"}, {"bucket": "b00", "region": "../evil"}, {"bucket": "b00", "style": "s"}, {}]
        for answer in self.ask("endpoint", bad, REFUSED):
            self.assertIn("error", answer)

    # --- checksums -----------------------------------------------------------------------------

    def checksums(self, data):
        result = self.command("debug", "checksum", input=data)
        self.check_code(result, ALL_DELIVERED)
        return json.loads(result.out)

    def test_checksums(self):
        rows = self.published("checksum-vectors.json")["rows"]
        for row in rows:
            if row["hex"] is None:  # "1024 'a'"
                count, letter = row["input"].split()
                data = int(count) * letter.strip("'").encode()
            else:
                data = bytes.fromhex(row["hex"])
            answer = self.checksums(data)
            for name in row:
                if name not in ("input", "hex"):
                    self.assertEqual(answer.get(name), row[name], (row["input"], name))
        say(f"{len(rows)} rows of checksums")

    def test_checksums_that_others_compute(self):
        for size in (0, 1, 70_000, 1 << 20):
            data = os.urandom(size)
            answer = self.checksums(data)
            self.assertEqual(answer["bytes"], size)
            self.assertEqual(answer["crc32"], "%08x" % zlib.crc32(data))
            for name in ("md5", "sha1", "sha256"):
                self.assertEqual(answer[name + "_hex"], hashlib.new(name, data).hexdigest())
            self.assertEqual(answer["content_md5"], base64.b64encode(hashlib.md5(data).digest()).decode())
        self.assertEqual(self.checksums(b"123456789")["crc32c"], "e3069283")
        self.assertEqual(self.checksums(b"123456789")["crc64nvme"], "ae8b14860a799888")

    # --- operations without a server -----------------------------------------------------------

    def test_an_operation_that_cannot_be_begun(self):
        self.configure(credentials={"507f1f77bcf86cd799439011": {"type": "user", "username": "A", "password": "p", "endpoint": "http://127.0.0.1:9"}})
        place = ["--config", "firehose.json", "--bucket", "events", "--key", "k"]
        for wrong in (["--credential", "507f1f77bcf86cd799439099"], ["--credential", "507f1f77bcf86cd799439011", "--type", "nfs"]):
            result = self.command("debug", "head", *place, *wrong)
            self.check_code(result, USAGE)
            self.assertEqual(result.out, b"")
        self.check_code(self.command("debug"), USAGE)
        self.check_code(self.command("debug", "unheard-of"), USAGE)


if __name__ == "__main__":
    unittest.main()
