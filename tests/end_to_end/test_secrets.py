"""A secret goes from the environment or a file to a signature, and nowhere else."""
import json
import os
import secrets
import unittest

import servers
from support import ALL_DELIVERED, KEPT, USAGE, EndToEnd, directory

KEY_ID = "507f1f77bcf86cd799439011"


class Secrets(EndToEnd):
    def setUp(self):
        super().setUp()
        self.canary = "canary/" + secrets.token_hex(16) + "+x=="

    def configure_with(self, password, endpoint, **more):
        access = {"type": "user", "username": "AKEY", "password": password, "endpoint": endpoint, **more}
        target = {"enabled": True, "credential_id": KEY_ID, "bucket": "events"}
        self.configure({"aws": target, "local": directory()}, credentials={KEY_ID: access}, delivery={"first_byte_timeout_ms": 300})

    def assert_unseen(self, *results, besides=()):
        """In no output and in no file but those that the operator wrote it into."""
        canary = self.canary.encode()
        for result in results:
            self.assertNotIn(canary, result.out)
            self.assertNotIn(canary, result.err)
        for at, _, files in os.walk(self.root):
            for name in files:
                if name in besides:
                    continue
                with open(os.path.join(at, name), "rb") as file:
                    self.assertNotIn(canary, file.read(), os.path.join(at, name))

    def all_verbs(self, code, **how):
        """Everything an operator does, once; with a service that works and with one that does not."""
        lines = self.generate(20)
        results = [
            self.deliver(lines, code=code, **how),
            self.deliver(b"not JSON\n", code=3, **how),
            self.command("run", "--config", "firehose.json", "-", input=b"", **how),
            self.command("validate", "--config", "firehose.json", **how),
            self.command("validate", "--config", "firehose.json", "--live", "--json", **how),
            self.command("spool", "ls", "--config", "firehose.json", **how),
            self.command("spool", "ls", "--config", "firehose.json", "--json", **how),
        ]
        return results

    def from_everywhere(self, server, code):
        self.addCleanup(server.close)
        with self.subTest("environment"):
            self.configure_with({"env": "E2E_CANARY"}, server.endpoint)
            self.assert_unseen(*self.all_verbs(code, environment={"E2E_CANARY": self.canary}))
        with self.subTest("file"):
            self.write("secret.txt", self.canary + "\n")
            self.configure_with({"file": "secret.txt"}, server.endpoint)
            self.assert_unseen(*self.all_verbs(code), besides=["secret.txt"])
            os.remove(self.path("secret.txt"))
        with self.subTest("in the configuration itself"):
            self.configure_with(self.canary, server.endpoint)
            results = self.all_verbs(code)
            self.assert_unseen(*results, besides=["firehose.json"])
            self.assertIn(f"warning: firehose.json: /credentials/{KEY_ID}/password", results[0].text)

    def test_with_a_server_that_works(self):
        self.from_everywhere(servers.Recorder(), ALL_DELIVERED)

    def test_with_a_server_that_refuses(self):
        self.from_everywhere(servers.SlowDown(), KEPT)

    def test_with_a_closed_port(self):
        self.from_everywhere(servers.ClosedPort(), KEPT)

    def test_not_on_the_command_line_of_the_process(self):
        server = servers.Silent()
        self.addCleanup(server.close)
        self.configure_with({"env": "E2E_CANARY"}, server.endpoint)
        self.write("events", self.generate(5))
        process = self.start("run", "--config", "firehose.json", "events", environment={"E2E_CANARY": self.canary})
        while not server.connections and process.process.returncode is None and not process.hung:
            pass
        with open(f"/proc/{process.pid}/cmdline", "rb") as file:
            self.assertNotIn(self.canary.encode(), file.read())
        self.assert_unseen(process.wait())

    def test_an_override_that_is_a_secret_is_refused(self):
        self.configure_with({"env": "E2E_CANARY"}, "http://127.0.0.1:1")
        whole = json.dumps({"type": "user", "username": "A", "password": self.canary})
        for setting in (f"/credentials/{KEY_ID}/password={self.canary}", f"/credentials/new/token={self.canary}",
                        f"/credentials/{KEY_ID}/secret_access_key={self.canary}",
                        f"/credentials/{KEY_ID}/session_token={self.canary}",
                        f"/credentials/new/connection_string={self.canary}",
                        f"/credentials/{KEY_ID}={whole}", "/credentials={\"x\":" + whole + "}"):  # fmt: skip
            with self.subTest(setting.split("=")[0]):
                for verb in (("run",), ("validate",), ("spool", "ls")):
                    result = self.command(*verb, "--config", "firehose.json", "--set", setting,
                                          environment={"E2E_CANARY": "x"})  # fmt: skip
                    self.check_code(result, USAGE)
                    self.assertIn("a secret does not belong on a command line", result.text)
                    self.assertNotIn(self.canary.encode(), result.out + result.err)

    def test_faults_do_not_quote_secrets(self):
        for password in ([self.canary], {"env": "E2E_X", "value": self.canary}, {"value": self.canary}, {"file": 7, "env": 5}):
            self.configure_with(password, "http://127.0.0.1:1")
            result = self.command("validate", "--config", "firehose.json")
            self.check_code(result, USAGE)
            self.assertIn(f"/credentials/{KEY_ID}/password", result.text)
            self.assertNotIn(self.canary, result.text)
        # An endpoint with a password in it is a mistake that must not spread.
        self.configure_with({"env": "E2E_CANARY"}, f"http://user:{self.canary}@127.0.0.1:1")
        results = self.all_verbs_of_a_bad_endpoint()
        self.assert_unseen(*results, besides=["firehose.json"])

    def all_verbs_of_a_bad_endpoint(self):
        env = {"E2E_CANARY": "x"}
        return [self.command("validate", "--config", "firehose.json", environment=env),
                self.command("run", "--config", "firehose.json", "-", input=self.generate(2), environment=env)]  # fmt: skip

    def test_a_core_dump_is_switched_off(self):
        server = servers.Silent()
        self.addCleanup(server.close)
        self.configure_with({"env": "E2E_CANARY"}, server.endpoint)
        self.write("events", self.generate(5))
        process = self.start("run", "--config", "firehose.json", "events", environment={"E2E_CANARY": self.canary})
        while not server.connections and not process.hung:
            pass
        process.signal(6)
        process.wait()
        self.assertFalse([name for name in os.listdir(self.where) if name.startswith("core")])


if __name__ == "__main__":
    unittest.main()
