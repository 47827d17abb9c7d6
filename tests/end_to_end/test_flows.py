"""Flows and credentials that are saved while `firehose serve` runs, and files that are read again on SIGHUP.

FIREHOSE_KILLS: how often the server is killed; FIREHOSE_SEED: for the moments.
"""
import base64
import hashlib
import http.client
import json
import os
import random
import signal
import threading
import unittest

from servers import Recorder
from serving import TOKENS, Serving
from support import KEPT, USAGE, directory, key_of, say

TOKENS["admin"] = ("canary-token-of-the-admin", ["admin"])
KILLS = int(os.environ.get("FIREHOSE_KILLS", "6"))
SEED = int(os.environ.get("FIREHOSE_SEED", str(random.SystemRandom().randrange(1 << 32))))
LEAD = "66f1c0de940df5a34a388800"
FLOW = "5fd4371e940df5a34a3888b2"
CREDENTIAL = "507f1f77bcf86cd799439011"
SECRET = "canary/secret+access/key"


def event(name):
    return json.dumps({"id": name, "vars": {"lead": {"id": LEAD}}}).encode()


def flow_of(**services):
    return json.dumps({"firehose": {"enabled": True, "services": services}})


def aws(bucket, credential=CREDENTIAL):
    return {"enabled": True, "credential_id": credential, "bucket": bucket}


class SigningRecorder(Recorder):
    """Remembers whose key signed what."""

    def __init__(self):
        self.signers = {}
        super().__init__()

    def respond(self, method, path, headers, body):
        self.signers[path] = headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        return super().respond(method, path, headers, body)


class Flows(Serving):
    def setUp(self):
        super().setUp()
        self.write("key", base64.b64encode(b"0123456789abcdef0123456789abcdef"))

    def configure_with_key(self, services=None, server=None, **rest):
        return self.configure_server(
            services, server={"credentials_key": {"file": "key"}, **(server or {})},
            delivery={"retry_backoff_ms": 50, "retry_backoff_cap_ms": 200, "backoff_ms": 10, "breaker_cap_ms": 300,
                      "stopped_probe_ms": 300}, **rest)  # fmt: skip

    def recorder(self):
        made = SigningRecorder()
        self.addCleanup(made.close)
        return made

    def put(self, client, path, body, status=None, **headers):
        answer = client.ask("PUT", path, body, {"Content-Type": "application/json", **headers}, token="admin")
        if status:
            self.assertEqual(answer.status, status, answer.body)
        return answer

    def credential(self, endpoint, key="AKFIRST", secret=SECRET):
        return json.dumps({"type": "user", "username": key, "password": secret, "endpoint": endpoint})

    def post(self, client, name, flow=FLOW):
        answer = client.post(event(name), f"/flows/{flow}/events")
        self.assertEqual(answer.status, 202, answer.body)

    def assert_nowhere_on_disk(self, secret):
        """Neither in the data directory nor in anything that a process said."""
        for folder, _, files in os.walk(self.where):
            for file in files:
                with open(os.path.join(folder, file), "rb") as data:
                    self.assertNotIn(secret.encode(), data.read(), file)

    @staticmethod
    def metrics(client):
        return client.ask("GET", "/metrics", token="reader").body.decode()

    def test_what_is_saved_is_delivered_to(self):
        store = self.recorder()
        self.configure_with_key({"local": directory()})
        process = self.serve()
        client = self.client(process)
        self.post(client, "before")
        made = self.put(client, f"/credentials/{CREDENTIAL}", self.credential(store.endpoint), 201)
        self.assertEqual(made.json["secrets"], ["password"])
        self.assertEqual(made.json["username"], "AKFIRST")
        saved = self.put(client, f"/flows/{FLOW}", flow_of(aws=aws("one-bucket")), 201)
        self.post(client, "after")
        self.until(process, lambda: f"/one-bucket/{key_of(LEAD, 'after')}" in store.objects)
        self.until(process, lambda: key_of(LEAD, "before") in self.objects_below("out"))
        self.assertEqual(store.signers[f"/one-bucket/{key_of(LEAD, 'after')}"], "AKFIRST")
        # Another version needs to know the one it replaces, when asked to.
        self.put(client, f"/flows/{FLOW}", flow_of(aws=aws("lost-update")), 412, **{"If-Match": '"other"'})
        self.put(client, f"/flows/{FLOW}", flow_of(aws=aws("two-bucket")), 200, **{"If-Match": saved.headers["ETag"]})
        self.put(client, f"/credentials/{CREDENTIAL}", self.credential(store.endpoint, "AKSECOND"), 200)
        self.post(client, "later")
        self.until(process, lambda: f"/two-bucket/{key_of(LEAD, 'later')}" in store.objects)
        self.assertEqual(store.signers[f"/two-bucket/{key_of(LEAD, 'later')}"], "AKSECOND")
        # Nobody else may, and nothing secret comes out.
        for method, path in [("GET", "/flows"), ("PUT", f"/flows/{FLOW}"), ("GET", f"/credentials/{CREDENTIAL}")]:
            self.assertEqual(client.ask(method, path, token="writer").status, 403)
            self.assertEqual(client.ask(method, path, token=None).status, 401)
        for path in ["/flows", f"/flows/{FLOW}", "/credentials", f"/credentials/{CREDENTIAL}"]:
            answer = client.ask("GET", path, token="admin")
            self.assertEqual(answer.status, 200)
            self.assertNotIn(SECRET.encode(), answer.body)
        stored = '\nfirehose_destination_puts_total{service="aws",bucket="two-bucket",prefix="",result="stored"} 1\n'
        self.until(process, lambda: stored in self.metrics(client))
        self.assertEqual(client.ask("DELETE", f"/flows/{FLOW}", token="admin").json["origin"], "api")
        self.post(client, "last")
        self.until(process, lambda: key_of(LEAD, "last") in self.objects_below("out"))
        settled = "\nfirehose_log_pending_events 0\n"
        self.until(process, lambda: settled in self.metrics(client))
        page = self.metrics(client)
        for line in ['conservation_difference{service="aws",of="books"} 0', 'conservation_difference{service="aws",of="spool"} 0',
                     'destination_puts_total{service="local",bucket="out",prefix="",result="stored"} 2',
                     'conservation{service="aws",term="delivered"} 2']:  # fmt: skip
            self.assertTrue(f"\nfirehose_{line}\n" in page, f"{line} is not in the metrics")
        self.stop(process)
        self.assert_nowhere_on_disk(SECRET)

    def test_faults_are_all_named_and_nothing_is_saved(self):
        self.configure_with_key({"local": directory()})
        process = self.serve()
        client = self.client(process)
        answer = self.put(client, f"/flows/{FLOW}", flow_of(aws=aws("BAD"), azure={"bucket": 1}), 422)
        places = {e["pointer"] for e in answer.json["errors"]}
        self.assertLessEqual({"/firehose/services/aws", "/firehose/services/azure/enabled",
                              "/firehose/services/azure/bucket"}, places)  # fmt: skip
        self.assertEqual(client.ask("GET", f"/flows/{FLOW}", token="admin").status, 404)
        answer = self.put(client, f"/credentials/{CREDENTIAL}", json.dumps({"type": "user", "password": SECRET}), 422)
        self.assertNotIn(SECRET.encode(), answer.body)
        self.put(client, f"/flows/{FLOW}", b"x" * (2 << 20), 413)
        self.stop(process)

    def test_events_go_where_their_flow_led_when_they_were_accepted(self):
        """The cursor of delivery is saved once a second, so a kill makes the server route its last events again."""
        say(f"FIREHOSE_SEED={SEED} FIREHOSE_KILLS={KILLS}")
        draw = random.Random(SEED)
        self.configure_with_key({"local": directory()})
        expected, number = {}, 0
        for _ in range(KILLS):
            process = self.serve()
            client = self.client(process)
            for _ in range(draw.randrange(3, 12)):
                number += 1
                folder = f"out-{number}"
                self.put(client, f"/flows/{FLOW}", flow_of(local=directory(folder)), 201 if number == 1 else 200)
                self.post(client, f"e{number}")
                expected[folder] = {key_of(LEAD, f"e{number}"): event(f"e{number}")}
            process.signal(signal.SIGKILL)
            process.wait()
        process = self.serve()
        self.until(process, lambda: self.objects_below(f"out-{number}"))
        self.stop(process)
        for folder, objects in expected.items():
            self.assert_same_objects(self.objects_below(folder), objects, folder)
        self.assertEqual(self.objects_below("out"), {})

    def test_a_kill_leaves_the_old_or_the_new(self):
        draw = random.Random(SEED)
        self.configure_with_key({"local": directory()})
        flow_at = credential_at = 0
        first = True
        for _ in range(KILLS):
            process = self.serve()
            self.assertNotIn(b"damaged", process.errors_so_far())
            client = self.client(process)
            if not first:
                shown = client.ask("GET", f"/flows/{FLOW}", token="admin").json
                found = int(shown["firehose"]["services"]["local"]["bucket"].removeprefix("b"))
                self.assertIn(found, (flow_at, flow_at + 1))
                flow_at = found
                shown = client.ask("GET", f"/credentials/{CREDENTIAL}", token="admin").json
                found = int(shown["username"].removeprefix("AK"))
                self.assertIn(found, (credential_at, credential_at + 1))
                credential_at = found
            timer = threading.Timer(draw.uniform(0.02, 0.4), process.signal, (signal.SIGKILL,))
            timer.start()
            try:
                while True:
                    self.put(client, f"/flows/{FLOW}", flow_of(local=directory(f"b{flow_at + 1}")))
                    flow_at += 1
                    body = self.credential("http://127.0.0.1:9", f"AK{credential_at + 1}")
                    self.put(client, f"/credentials/{CREDENTIAL}", body)
                    credential_at += 1
                    first = False
            except (OSError, http.client.HTTPException):
                timer.join()
                process.wait()
            if flow_at == 0 or credential_at == 0:
                first = True
                flow_at = credential_at = 0
        say(f"{KILLS} kills during {flow_at + credential_at} changes: each time the old or the new")
        self.assert_nowhere_on_disk(SECRET)

    def test_a_credential_that_records_need_is_deleted_and_comes_back(self):
        store = self.recorder()
        self.configure_with_key({"local": directory()})
        process = self.serve()
        client = self.client(process)
        self.put(client, f"/credentials/{CREDENTIAL}", self.credential(store.endpoint), 201)
        self.put(client, f"/flows/{FLOW}", flow_of(aws=aws("one-bucket")), 201)
        store.mode = "down"
        self.post(client, "a")
        records = 'firehose_destination_spool_records{service="aws",bucket="one-bucket",prefix=""} '
        self.until(process, lambda: records + "1\n" in self.metrics(client))
        gone = client.ask("DELETE", f"/credentials/{CREDENTIAL}", token="admin")
        self.assertEqual(gone.status, 200)
        self.assertEqual(gone.json["needed_by"], {"flows": [FLOW], "spooled_records": 1, "parked_records": 0})
        self.assertIn("nothing is lost", gone.json["note"])
        store.mode = "well"
        self.post(client, "b")
        unusable = 'firehose_destination_breaker{service="aws",bucket="one-bucket",prefix="",state="unusable"} 1'
        self.until(process, lambda: records + "2\n" in self.metrics(client))
        self.assertTrue(unusable in self.metrics(client))
        result = self.stop(process, KEPT)
        self.assertIn(f"credential {CREDENTIAL} does not exist".encode(), result.err)
        self.assertIn("does not exist", json.dumps(self.spool()))
        self.assertEqual(store.objects, {})
        process = self.serve()
        client = self.client(process)
        self.post(client, "c")  # also after a restart it is spooled, not parked
        self.put(client, f"/credentials/{CREDENTIAL}", self.credential(store.endpoint, "AKAGAIN"), 201)
        self.until(process, lambda: len(store.objects) == 3)
        self.assertEqual(set(store.signers.values()) - {"AKFIRST"}, {"AKAGAIN"})
        self.until(process, lambda: client.ask("GET", "/readyz").json["spooled"] == 0)
        self.assertEqual(client.ask("GET", "/readyz").json["parked"], 0)
        self.stop(process)

    def test_without_the_key_the_server_says_so_and_does_not_start(self):
        self.configure_with_key({"local": directory()})
        process = self.serve()
        self.put(self.client(process), f"/credentials/{CREDENTIAL}", self.credential("http://127.0.0.1:9"), 201)
        self.stop(process)
        self.configure_server({"local": directory()})
        result = self.command("serve", "--config", "firehose.json")
        self.check_code(result, USAGE)
        self.assertIn(f"credential {CREDENTIAL} is sealed with the key ", result.text)
        self.assertIn("server.credentials_key", result.text)
        self.write("newer", base64.b64encode(b"fedcba9876543210fedcba9876543210"))
        self.configure_server({"local": directory()}, server={
            "credentials_key": {"file": "newer"}, "previous_credentials_keys": [{"file": "key"}]})  # fmt: skip
        self.stop(self.serve())
        os.remove(self.path("key"))
        self.configure_server({"local": directory()}, server={"credentials_key": {"file": "newer"}})
        process = self.serve()
        shown = self.client(process).ask("GET", f"/credentials/{CREDENTIAL}", token="admin")
        self.assertEqual(shown.json["username"], "AKFIRST")
        self.stop(process)

    def hang_up(self, process, *words):
        """SIGHUP, and what is logged from then on, once it holds one of the words."""
        before = len(process.errors_so_far())
        process.signal(signal.SIGHUP)
        self.until(process, lambda: any(w in process.errors_so_far()[before:] for w in words))
        return process.errors_so_far()[before:].decode()

    def test_a_good_file_is_taken_on_hangup_and_told_apart(self):
        store = self.recorder()
        secret = "canary secret of the file"
        self.write("secret", secret)
        credentials = {CREDENTIAL: {"type": "user", "username": "AKFILE", "password": {"file": "secret"},
                                    "endpoint": store.endpoint}}  # fmt: skip
        self.configure_with_key({"local": directory()}, credentials=credentials)
        process = self.serve()
        client = self.client(process)
        self.post(client, "before")
        credentials[CREDENTIAL]["username"] = "AKNEWER"
        self.write("secret", secret + " changed")
        flows = {FLOW: {"firehose": {"enabled": True, "services": {"aws": aws("one-bucket")}}}}
        self.configure_with_key({"local": directory("elsewhere")}, credentials=credentials, flows=flows,
                                server={"limits": {"idle_ms": 1234}})  # fmt: skip
        said = self.hang_up(process, b"configuration reloaded")
        self.assertIn('setting changed setting=/default/services/local/bucket', said)
        self.assertIn(f"/credentials/{CREDENTIAL}/username", said)
        self.assertIn(f"/credentials/{CREDENTIAL}/password", said)
        self.assertIn(f"/flows/{FLOW}/firehose/services/aws/bucket", said)
        self.assertRegex(said, r"it needs a restart.*setting=/server/limits/idle_ms")
        self.assertNotIn(secret, said)
        self.post(client, "after")
        self.post(client, "after-too", "another-flow")
        self.until(process, lambda: f"/one-bucket/{key_of(LEAD, 'after')}" in store.objects)
        self.assertEqual(store.signers[f"/one-bucket/{key_of(LEAD, 'after')}"], "AKNEWER")
        self.until(process, lambda: key_of(LEAD, "after-too") in self.objects_below("elsewhere"))
        self.until(process, lambda: key_of(LEAD, "before") in self.objects_below("out"))
        # A token that is gone is gone, one that is new is let in.
        newer = ("canary-token-newer", ["ingest"])
        with open(self.path("firehose.json"), "rb") as file:
            document = json.load(file)
        sections = document["server"]["tokens"]
        TOKENS["newer"] = newer
        self.addCleanup(TOKENS.pop, "newer")
        sections["newer"] = {"sha256": hashlib.sha256(newer[0].encode()).hexdigest(), "roles": newer[1]}
        del sections["writer"]
        self.write("firehose.json", json.dumps(document))
        said = self.hang_up(process, b"configuration reloaded")
        self.assertIn("(secret)", said)
        self.until(process, lambda: client.ask("POST", "/events", event("x"), {"Content-Type": "application/json"},
                                               token="newer").status == 202)  # fmt: skip
        self.until(process, lambda: client.post(event("y")).status == 401)
        self.stop(process)

    def test_a_faulty_file_changes_nothing_on_hangup(self):
        self.configure_with_key({"local": directory()})
        process = self.serve()
        client = self.client(process)
        self.configure_with_key({"local": directory("elsewhere", enabled=True), "aws": aws("BAD")},
                                delivery_is_misspelt={}, data_dir=7)  # fmt: skip
        said = self.hang_up(process, b"configuration not reloaded")
        for place in ["/default/services/aws", "/delivery_is_misspelt", "/data_dir"]:
            self.assertIn(f"setting={place}", said)
        self.write("firehose.json", "{")
        said = self.hang_up(process, b"configuration not reloaded")
        self.assertIn("not JSON at line 1", said)
        os.remove(self.path("firehose.json"))
        self.hang_up(process, b"configuration not reloaded")
        self.post(client, "after")
        self.until(process, lambda: key_of(LEAD, "after") in self.objects_below("out"))
        self.stop(process)
        self.assertFalse(os.path.exists(self.path("elsewhere")))


if __name__ == "__main__":
    unittest.main()
