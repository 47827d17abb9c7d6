"""Keys that come from elsewhere and change while events are delivered: nothing is lost, nobody restarts anything."""
import datetime
import json
import os
import re
import time
import unittest

import servers
from support import ALL_DELIVERED, EndToEnd, lead_objects

KEY_ID = "507f1f77bcf86cd799439011"
AWS = {"enabled": True, "credential_id": KEY_ID, "bucket": "my-bucket"}
COUNT = 100
APART = 1.2  # no two fetches of a credential are nearer to each other than a second


class Choosy(servers.Recorder):
    """A store that takes one access key id, and counts what it refuses."""

    def __init__(self, takes):
        self.takes = takes
        self.refused = 0
        super().__init__()

    def respond(self, method, path, headers, body):
        used = re.search("Credential=([^/]+)/", headers.get("authorization", ""))
        if not used or used.group(1) != self.takes:
            with self.lock:
                self.refused += 1
            return 403, {"Content-Type": "application/xml"}, b"<Error><Code>InvalidAccessKeyId</Code></Error>"
        if method == "GET":
            return 200, {"Content-Type": "application/xml"}, b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
        return super().respond(method, path, headers, body)


class Container(servers.Http):
    """The credential endpoint of a container, for who knows the token."""

    def __init__(self):
        self.gives = "ASIA1"
        self.asked = []
        super().__init__()

    def respond(self, method, path, headers, body):
        self.asked.append((path, headers.get("authorization")))
        if headers.get("authorization") != "CANARY-proof":
            return 401, {}, b'{"code":"Unauthorized"}'
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        keys = {"AccessKeyId": self.gives, "SecretAccessKey": "CANARY-secret", "Token": "CANARY-token",
                "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return 200, {"Content-Type": "application/json"}, json.dumps(keys).encode()


class Credentials(EndToEnd):
    def store(self, takes):
        store = Choosy(takes)
        self.addCleanup(store.close)
        return store

    def halves(self, store, lines, between):
        """Chunks for standard input: the second half after the first was delivered and `between` was done."""
        lines = lines.splitlines(keepends=True)
        half = len(lines) // 2
        yield b"".join(lines[:half])
        while len(store.objects) < half:
            time.sleep(0.02)
        time.sleep(APART)
        between()
        yield b"".join(lines[half:])

    def delivered(self, store, between, **how):
        lines = self.generate(COUNT)
        result = self.deliver(self.halves(store, lines, between), accepted=COUNT, **how)
        self.assertEqual(self.row(result, "aws"), (COUNT, 0, 0))
        self.assertEqual(set(store.objects), {"/my-bucket/" + key for key in lead_objects(lines)})
        self.assertNotIn("CANARY", result.text + result.out.decode())
        return result

    def test_keys_of_a_container_that_are_replaced(self):
        store, container = self.store("ASIA1"), Container()
        self.addCleanup(container.close)
        self.write("proof", "CANARY-proof\n")
        environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": container.endpoint + "/keys?of=me",
                       "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": self.path("proof")}
        for provider in ("container", "default"):
            with self.subTest(provider):
                store.takes = container.gives = "ASIA1"
                store.objects.clear()
                container.asked.clear()
                self.configure({"aws": AWS}, data_dir="data-" + provider, credentials={
                    KEY_ID: {"type": "user", "provider": provider, "endpoint": store.endpoint}})

                def replace():
                    store.takes = container.gives = "ASIA2"

                self.delivered(store, replace, environment={**environment, "HOME": self.where})
                self.assertEqual(container.asked, [("/keys?of=me", "CANARY-proof")] * 2, "once, and once more")
        live = self.command("validate", "--config", "firehose.json", "--live", "--json",
                            environment={**environment, "HOME": self.where})
        self.check_code(live, ALL_DELIVERED)
        told = json.loads(live.out)["credentials"]
        self.assertEqual([(c["id"], c["from"]) for c in told], [(KEY_ID, "the container's metadata")])
        self.assertTrue(3500 < told[0]["expires_in_s"] <= 3600, told)
        self.assertNotIn(b"CANARY", live.out + live.err)

    def test_keys_in_files_that_are_replaced(self):
        store = self.store("AKIA1")

        def keys(name):
            self.write("id.new", name + "\n")
            self.write("secret.new", "CANARY-of-" + name + "\n")
            for file in ("id", "secret"):
                os.replace(self.path(file + ".new"), self.path(file))
            store.takes = name

        keys("AKIA1")
        self.configure({"aws": AWS}, credentials={KEY_ID: {
            "type": "user", "username": {"file": "id"}, "password": {"file": "secret"}, "endpoint": store.endpoint}})
        self.delivered(store, lambda: keys("AKIA2"))
        self.assertLessEqual(store.refused, 64, "those in flight, once each")

    def test_a_provider_that_is_not_there(self):
        """The events wait, and the operator is told what was looked for."""
        store = self.store("ASIA1")
        self.configure({"aws": AWS}, credentials={
            KEY_ID: {"type": "user", "provider": "environment", "endpoint": store.endpoint}})
        result = self.deliver(self.generate(5), code=1)
        self.assertEqual(self.row(result, "aws"), (0, 5, 0))
        self.assertIn("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set", result.text)
        environment = {"AWS_ACCESS_KEY_ID": "ASIA1", "AWS_SECRET_ACCESS_KEY": "CANARY"}
        again = self.deliver(b"", environment=environment)
        self.assertEqual(again.account["backlog"]["aws"], {"delivered": 5, "spooled": 0, "parked": 0})


if __name__ == "__main__":
    unittest.main()
