"""firehose serve: what is accepted is durable and delivered, what is refused is named, nobody gets in unasked."""
import base64
import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

from serving import NDJSON, TOKENS, Serving, trusting
from support import KEPT, USAGE, directory, key_of, lead_objects, say


def event(number, lead="66f1c0de940df5a34a388800", **more):
    return json.dumps({"id": f"e{number}", "vars": {"lead": {"id": lead}}, "n": number, **more}).encode()


class Serve(Serving):
    def start_local(self, **server):
        self.configure_server({"local": directory()}, server=server)
        process = self.serve()
        return process, self.client(process)

    def wait_for_objects(self, process, expected):
        self.until(process, lambda: len(self.objects_below("out")) >= len(expected))
        self.assert_same_objects(self.objects_below("out"), expected)

    def test_events_in_every_form(self):
        process, client = self.start_local()
        expected = {}

        def send(bodies, wire, kind, **headers):
            answer = client.post(wire, kind=kind, **headers)
            self.assertEqual(answer.status, 202, answer.body)
            said = answer.json
            self.assertEqual(said["accepted"], len(bodies))
            self.assertEqual(said["refused"], [])
            self.assertEqual(said["last_position"] - said["first_position"] + 1, len(bodies))
            for body in bodies:
                expected[key_of("66f1c0de940df5a34a388800", json.loads(body)["id"])] = body
            return said["first_position"]

        one = event(1)
        self.assertEqual(send([one], b"\r\n " + one + b"\n", "application/json"), 1)
        pretty = json.dumps(json.loads(event(2)), indent=2).encode()
        send([pretty], pretty, "application/json; charset=UTF-8")
        self.assertEqual(send([event(3), event(4)], b"[" + event(3) + b" ,\n" + event(4) + b"]", "application/json"), 3)
        strange = event(5, text='a],[{"b": "\\"')
        send([strange, event(6)], b"[" + strange + b"," + event(6) + b"]", "application/vnd.leadconduit.event+json")
        send([event(7), event(8)], event(7) + b"\n\n" + event(8), NDJSON)
        send([event(9), event(10)], event(9) + b"\r\n" + event(10) + b"\r\n", "application/jsonl")
        send([event(11)], gzip.compress(event(11)), NDJSON, Content_Encoding="gzip")
        chunks = iter([event(12)[:7], event(12)[7:] + b"\n", event(13)])
        send([event(12), event(13)], chunks, "application/ndjson")
        self.wait_for_objects(process, expected)
        result = self.stop(process)
        self.assertEqual(result.account["accepted"], 13)
        self.assertEqual(result.account["pending"], 0)
        self.assertEqual(self.row(result, "local"), (13, 0, 0))

    def test_refusals(self):
        process, client = self.start_local()
        bad = event(1) + b"\nnot json\n" + event(2) + b"\n[1]\n"
        answer = client.post(bad, kind=NDJSON)
        self.assertEqual(answer.status, 422)
        self.assertEqual(answer.json["accepted"], 0)
        self.assertEqual([r["line"] for r in answer.json["refused"]], [2, 4])
        self.assertNotIn(b"not json", answer.body)
        answer = client.post(bad, "/events?partial=true", kind=NDJSON)
        self.assertEqual(answer.status, 202)
        self.assertEqual(answer.json["accepted"], 2)
        self.assertEqual([r["line"] for r in answer.json["refused"]], [2, 4])
        self.wait_for_objects(process, {key_of("66f1c0de940df5a34a388800", f"e{n}"): event(n) for n in (1, 2)})

        deep = b'{"id":"x","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        for body, kind, status in [
            (b"", "application/json", 422),
            (b"\n \r\n", NDJSON, 422),
            (b"[]", "application/json", 422),
            (b"[1,]", "application/json", 422),
            (b"[" + event(1), "application/json", 422),
            (b"[" + event(1) + b"] x", "application/json", 422),
            (event(1) + event(2), "application/json", 422),
            (event(1) + b"\n" + event(2), "application/json", 422),
            (b"[" * 100_000, "application/json", 422),
            (deep, "application/json", 422),
            (deep, NDJSON, 422),
            (b'{"id":"\xff"}', "application/json", 422),
            (b'{"id":"\\ud800"}', "application/json", 422),
            (b"\xef\xbb\xbf[" + event(1) + b"]", "application/json", 422),
            (b'{"id":1e}', "application/json", 422),
            (b"a=b", "application/x-www-form-urlencoded", 415),
            (event(1), "text/plain", 415),
            (event(1), "application/json; charset=latin1", 415),
        ]:
            answer = client.post(body, kind=kind)
            self.assertEqual(answer.status, status, (body[:40], kind, answer.body[:200]))
        self.assertEqual(client.post(event(1), "/events?partial=yes").status, 400)
        self.assertEqual(client.post(event(1), "/events?other=1").status, 400)
        self.assertEqual(client.post(event(1), Idempotency_Key="x" * 256).status, 400)
        self.assertEqual(client.ask("GET", "/events").status, 405)
        self.assertEqual(client.ask("GET", "/nowhere").status, 404)
        self.stop(process)

    def test_a_flow_in_the_path_routes_events_that_name_none(self):
        flows = {
            "5fd4371e940df5a34a3888b2": {"firehose": {"enabled": True, "services": {"local": directory("mine")}}},
            "other": {"firehose": {"enabled": True, "services": {"local": directory("theirs")}}},
        }
        self.configure_server(flows=flows)
        process = self.serve()
        client = self.client(process)
        lead = {"id": "66f1c0de940df5a34a388800"}
        own = json.dumps({"id": "e2", "vars": {"lead": lead, "flow": {"id": "other"}}}).encode()
        answer = client.post(event(1) + b"\n" + own, "/flows/5fd4371e940df5a34a3888b2/events", kind=NDJSON)
        self.assertEqual(answer.status, 202)
        self.until(process, lambda: self.objects_below("mine") and self.objects_below("theirs"))
        self.assertEqual(list(self.objects_below("mine").values()), [event(1)])
        self.assertEqual(list(self.objects_below("theirs").values()), [own])
        self.stop(process)

    def test_nothing_but_health_is_open(self):
        process, client = self.start_local()
        for path, status in [("/healthz", 200), ("/readyz", 200), ("/metrics", 401), ("/nowhere", 404)]:
            self.assertEqual(client.ask("GET", path, token=None).status, status, path)
        self.assertEqual(client.ask("POST", "/events", event(1), token=None).status, 401)
        refused = client.ask("POST", "/events", event(1), {"Authorization": "Bearer wrong"}, token=None)
        self.assertEqual((refused.status, refused.json), (401, {"error": "not authorized"}))
        self.assertIn("Bearer", refused.headers["WWW-Authenticate"])
        self.assertEqual(client.ask("POST", "/events", event(1), token="reader").status, 403)
        self.assertEqual(client.ask("GET", "/metrics", token="writer").status, 403)
        basic = "Basic " + base64.b64encode(b"whoever:" + TOKENS["writer"][0].encode()).decode()
        self.assertEqual(client.ask("POST", "/events?partial=true", event(1), {"Authorization": basic}, token=None).status, 202)
        client.ask("GET", "/nowhere?secret=canary-in-a-query", token=None)
        text = self.stop(process).text
        for token, _ in TOKENS.values():
            self.assertNotIn(token, text)
        self.assertNotIn("canary-in-a-query", text)
        self.assertNotIn("partial", text)
        self.assertIn("path=/nowhere", text)

    def test_health_and_metrics(self):
        process, client = self.start_local()
        client.post(event(1) + b"\n" + event(2), kind=NDJSON)
        self.until(process, lambda: client.ask("GET", "/readyz").json.get("pending") == 0)
        self.assertEqual(client.ask("GET", "/readyz").json, {"ready": True, "pending": 0, "spooled": 0, "parked": 0})
        page = client.ask("GET", "/metrics", token="reader").body.decode()
        for line in [
            "firehose_events_accepted_total 2",
            'firehose_events{service="local",state="delivered"} 2',
            'firehose_spool_records{service="local"} 0',
            'firehose_breakers{service="local",state="closed"} 1',
            "firehose_log_pending_events 0",
            "firehose_oldest_undelivered_seconds 0",
            'firehose_http_requests_total{route="/events",status="2xx"} 1',
            "firehose_event_settled_seconds_count 1",
        ]:
            self.assertIn(line, page)
        client.ask("GET", "/metrics?" + "x" * 100, token="reader")
        self.assertEqual(self.stop(process).code, 0)

    def test_a_key_is_accepted_once_also_after_a_kill(self):
        process, client = self.start_local()
        first = client.post(event(1) + b"\n" + event(2), kind=NDJSON, Idempotency_Key="k1")
        again = client.post(event(1) + b"\n" + event(2), kind=NDJSON, Idempotency_Key="k1")
        self.assertEqual(again.status, 202)
        self.assertEqual(first.json, again.json)
        self.assertEqual(again.headers["Idempotent-Replayed"], "true")
        self.assertEqual(client.post(event(3), Idempotency_Key="k1").status, 422)
        self.assertEqual(client.post(event(3), Idempotency_Key="k2").json["first_position"], 3)
        process.signal(signal.SIGKILL)
        process.wait()
        process = self.serve()
        client = self.client(process)
        again = client.post(event(1) + b"\n" + event(2), kind=NDJSON, Idempotency_Key="k1")
        self.assertEqual(first.json, again.json)
        self.assertEqual(client.post(event(4)).json["first_position"], 4)
        self.wait_for_objects(process, {key_of("66f1c0de940df5a34a388800", f"e{n}"): event(n) for n in (1, 2, 3, 4)})
        self.stop(process)

    def test_a_dead_target_costs_nobody_a_2xx(self):
        closed = socket.socket()
        closed.bind(("127.0.0.1", 0))  # and nobody listens
        self.addCleanup(closed.close)
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        credentials = {"507f1f77bcf86cd799439011": {"type": "user", "username": "a", "password": "b", "endpoint": endpoint}}
        aws = {"enabled": True, "credential_id": "507f1f77bcf86cd799439011", "bucket": "dead-bucket", "prefix": ""}
        self.configure_server({"local": directory(), "aws": aws}, credentials=credentials, delivery={"attempts": 1})
        process = self.serve()
        client = self.client(process)
        lines = self.generate(50)
        self.assertEqual(client.post(lines, kind=NDJSON).json["accepted"], 50)
        self.wait_for_objects(process, lead_objects(lines))
        self.until(process, lambda: client.ask("GET", "/readyz").json["pending"] == 0)
        self.assertEqual(client.ask("GET", "/readyz").json["spooled"], 50)
        result = self.stop(process, KEPT)
        self.assertEqual(self.row(result, "local"), (50, 0, 0))
        self.assertEqual(self.row(result, "aws"), (0, 50, 0))

    def test_a_full_disk_is_503_and_heals(self):
        small = self.path("small")
        os.mkdir(small)
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", small]).returncode != 0:
            self.skipTest("cannot mount a small disk")
        self.addCleanup(subprocess.run, ["umount", "-l", small])
        # Only the log is on the small disk; the spool would need room too.
        self.configure_server({"local": directory()}, data_dir="small/data")
        process = self.serve()
        client = self.client(process)
        big = json.dumps({"id": "big", "vars": {"lead": {"id": "l"}}, "x": "y" * 400_000}).encode()
        accepted = 0
        for number in range(20):
            answer = client.post(big.replace(b'"big"', b'"big%d"' % number))
            if answer.status != 202:
                break
            accepted += 1
        self.assertEqual(answer.status, 503, answer.body)
        self.assertIn("Retry-After", answer.headers)
        self.assertGreater(accepted, 2)
        self.assertEqual(client.ask("GET", "/healthz").status, 200)
        self.assertEqual(client.ask("GET", "/metrics", token="reader").status, 200)
        subprocess.run(["mount", "-o", "remount,size=20m", small], check=True)
        answer = client.post(event(1))
        self.assertEqual(answer.status, 202, answer.body)
        self.until(process, lambda: client.ask("GET", "/readyz").json["pending"] == 0)
        self.assertEqual(len(self.objects_below("out")), accepted + 1)
        say(f"a disk of 2 MB: {accepted} events of 400 KB, then 503; 202 again once there is room")
        self.stop(process)

    def test_a_log_at_its_configured_size_is_503(self):
        process, client = self.start_local(log={"max_bytes": 100_000})
        big = json.dumps({"id": "b", "vars": {"lead": {"id": "l"}}, "x": "y" * 60_000}).encode()
        self.assertEqual(client.post(big).status, 202)
        self.assertEqual(client.post(big).status, 503)
        self.assertEqual(client.post(event(1)).status, 202)
        self.stop(process)

    def make_certificate(self, name):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:localhost", "-keyout", self.path("key.pem"),
             "-out", self.path("certificate.pem")], check=True, capture_output=True)  # fmt: skip
        copy = self.path(name + ".pem")
        with open(self.path("certificate.pem"), "rb") as file, open(copy, "wb") as to:
            to.write(file.read())
        return copy

    def test_certificates_are_reloaded_on_hangup(self):
        old = self.make_certificate("old")
        self.configure_server({"local": directory()}, server={"tls": {"certificate": "certificate.pem", "key": "key.pem"}})
        process = self.serve()
        client = self.client(process, trusting(old))
        self.assertEqual(client.post(event(1)).status, 202)
        new = self.make_certificate("new")
        process.signal(signal.SIGHUP)
        self.until(process, lambda: b"certificates reloaded" in process.errors_so_far())
        self.assertEqual(client.post(event(2)).status, 202)  # the connection lives on
        self.assertEqual(self.client(process, trusting(new)).post(event(3)).status, 202)
        with self.assertRaises(OSError):
            self.client(process, trusting(old)).post(event(4))
        self.write("key.pem", "nonsense")
        process.signal(signal.SIGHUP)
        self.until(process, lambda: b"certificates not reloaded" in process.errors_so_far())
        self.assertEqual(self.client(process, trusting(new)).post(event(5)).status, 202)
        self.stop(process)

    def test_a_socket_from_the_service_manager(self):
        listener = socket.create_server(("127.0.0.1", 0))
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = os.path.join(self.root, "notify")
        notify.bind(path)
        notify.settimeout(60)
        self.addCleanup(listener.close)
        self.addCleanup(notify.close)
        self.configure_server({"local": directory()})
        from support import BINARY
        process = subprocess.Popen(
            ["sh", "-c", f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&{listener.fileno()}', "sh", os.path.abspath(BINARY),
             "serve", "--config", "firehose.json"], cwd=self.where, pass_fds=[listener.fileno()],
            env={**os.environ, "NOTIFY_SOCKET": path}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(notify.recv(100), b"READY=1")
        connection = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=60)
        connection.request("GET", "/readyz")
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(notify.recv(100), b"STOPPING=1")
        self.assertEqual(process.wait(60), 0)

    def test_configurations_that_cannot_serve(self):
        self.configure({"local": directory()})
        self.assertIn("tokens", self.command("serve", "--config", "firehose.json").text)
        self.configure({"local": directory()}, server={"development": True, "listen": "0.0.0.0:0"})
        result = self.command("serve", "--config", "firehose.json")
        self.check_code(result, USAGE)
        self.assertIn("can be reached from other machines", result.text)
        self.configure_server({"local": directory()})
        process = self.serve()
        second = self.command("serve", "--config", "firehose.json")
        self.check_code(second, USAGE)
        self.assertIn("in use by another process", second.text)
        self.stop(process)

    def test_a_drain_under_load_loses_nothing(self):
        process, _ = self.start_local(access_log=False)
        accepted, stop = [], threading.Event()

        def load(worker):
            client = self.client(process)
            for number in range(100_000):
                if stop.is_set():
                    return
                name = f"{worker}-{number}"
                try:
                    if client.post(event(name)).status == 202:
                        accepted.append(name)
                except (OSError, http.client.HTTPException):
                    return

        threads = [threading.Thread(target=load, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        self.until(process, lambda: len(accepted) > 100)
        began = time.monotonic()
        process.signal(signal.SIGTERM)
        result = process.wait()
        took = time.monotonic() - began
        stop.set()
        for thread in threads:
            thread.join()
        self.assertIn(result.code, (0, KEPT), result.text[-2000:])
        self.assertGreaterEqual(result.account["accepted"], len(accepted))
        process = self.serve()
        client = self.client(process)
        self.until(process, lambda: client.ask("GET", "/readyz").json["pending"] == 0)
        self.stop(process)
        found = self.objects_below("out")
        missing = [name for name in accepted if key_of("66f1c0de940df5a34a388800", f"e{name}") not in found]
        self.assertEqual(missing, [])
        say(f"SIGTERM under load: {len(accepted)} accepted, stopped after {took:.2f} s, 0 missing")


if __name__ == "__main__":
    unittest.main()
