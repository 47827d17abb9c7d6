"""One target down under a steady load: the other does not notice, nothing is lost, and memory stays flat.

FIREHOSE_OUTAGE_SECONDS: how long the outage lasts, 4 by default. FIREHOSE_OUTAGE_RATE: events a second.
"""
import json
import os
import threading
import time
import unittest

import servers
from support import ALL_DELIVERED, EndToEnd, say

KEY_ID = "507f1f77bcf86cd799439011"
SECONDS = float(os.environ.get("FIREHOSE_OUTAGE_SECONDS", "4"))
RATE = int(os.environ.get("FIREHOSE_OUTAGE_RATE", "200"))


class Clocked(servers.Recorder):
    """Notes when each event arrived."""

    def __init__(self, mode="well"):
        self.arrived = {}
        self.more = threading.Condition()
        super().__init__(mode)

    def respond(self, method, path, headers, body):
        answer = super().respond(method, path, headers, body)
        if method == "PUT" and answer[0] == 200:
            with self.more:
                self.arrived.setdefault(path.rsplit("/", 1)[1], time.monotonic())
                self.more.notify_all()
        return answer

    def wait_for(self, count, seconds):
        """How many have arrived: `count`, or what there were after so long."""
        with self.more:
            self.more.wait_for(lambda: len(self.arrived) >= count, seconds)
            return len(self.arrived)

    def arrivals(self):
        return self.arrived

    def stored(self):
        """(objects, most puts of one of them)"""
        return len(self.objects), max(self.puts.values())

    def recover(self):
        self.mode = "well"


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Outage(EndToEnd):
    def configure_targets(self, **endpoints):
        """Each a service of its own, with a credential of its own."""
        credentials, services = {}, {}
        for n, (name, endpoint) in enumerate(endpoints.items()):
            key = KEY_ID[:-1] + "%x" % n
            credentials[key] = {"type": "user", "username": "A", "password": {"env": "E2E_SECRET"}, "endpoint": endpoint}
            services[name] = {"type": "s3", "enabled": True, "credential_id": key, "bucket": name, "prefix": ""}
        self.configure(services, credentials=credentials, delivery={"backoff_ms": 50, "breaker_cap_ms": 500})

    def line(self, n):
        event = {"id": "e%d" % n, "vars": {"lead": {"id": "lead"}}, "filling": "x" * 700}
        return json.dumps(event).encode() + b"\n"

    def feed(self, process, seconds, sent):
        """Writes at the given rate; notes when."""
        began, n = time.monotonic(), len(sent)
        while time.monotonic() - began < seconds:
            due = began + (len(sent) - n) / RATE
            pause = due - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            line = self.line(len(sent))
            sent.append(time.monotonic())
            process.stdin.write(line)
            process.stdin.flush()

    def watch_memory(self, process, samples):
        while process.process.returncode is None:
            try:
                with open(f"/proc/{process.pid}/statm") as file:
                    samples.append((time.monotonic(), int(file.read().split()[1]) * 4096))
            except OSError:
                return
            time.sleep(0.1)

    def run_load(self, seconds, after=lambda process, sent: None):
        process = self.start("run", "--config", "firehose.json", "--json", "-", stdin=-1,
                             environment={"E2E_SECRET": "x"})  # fmt: skip
        sent, memory = [], []
        threading.Thread(target=self.watch_memory, args=(process, memory), daemon=True).start()
        self.feed(process, seconds, sent)
        after(process, sent)
        ended = time.monotonic()
        process.stdin.close()
        result = process.wait()
        return result, sent, memory, time.monotonic() - ended

    def clocked(self, mode):
        server = servers.Apart(Clocked, mode)
        self.addCleanup(server.close)
        return server

    def latencies(self, server, sent):
        arrived = server.ask("arrivals")
        return [arrived["e%d.json" % n] - at for n, at in enumerate(sent)]

    def alone(self):
        """Latencies of the healthy one without the other."""
        well = self.clocked("well")
        self.configure_targets(well=well.endpoint)
        result, sent, _, _ = self.run_load(min(SECONDS / 2, 60))
        self.check_code(result, ALL_DELIVERED)
        return self.latencies(well, sent)

    def test_outage(self):
        before = self.alone()
        well, down = self.clocked("well"), self.clocked("down")
        self.configure_targets(well=well.endpoint, down=down.endpoint)

        def comes_back(process, sent):
            # The healthy one needs nothing from the other: it has everything while that one is still down.
            self.assertEqual(well.ask("wait_for", len(sent), 60), len(sent))
            down.ask("recover")

        result, sent, memory, drained_in = self.run_load(SECONDS, comes_back)
        self.check_code(result, ALL_DELIVERED)
        account = self.check_account(result, accepted=len(sent))
        self.assertEqual(account["targets"]["down"]["delivered"], len(sent))
        beside = self.latencies(well, sent)
        for server in (well, down):
            self.assertEqual(server.ask("stored"), (len(sent), 1))
        after = self.alone()
        # What a longer outage would cost is what its second half did; the drain starts a source of its own, once.
        half, end = (sent[0] + sent[-1]) / 2, sent[-1]
        first, second, drain = (
            max((size for at, size in memory if since <= at < until), default=0)
            for since, until in ((0, half), (half, end), (end, float("inf")))
        )
        say(f"outage of {SECONDS} s at {RATE} events/s, {len(sent)} events; latency in ms:")
        for name, took in (("alone, before", before), ("beside a dead target", beside), ("alone, after", after)):
            say(f"    {name:<21} p50 {1000 * percentile(took, 0.5):.2f}, p99 {1000 * percentile(took, 0.99):.2f}")
        say(f"drained {len(sent)} in {drained_in:.2f} s: {len(sent) / drained_in:.0f}/s; memory peak {first / 1e6:.1f} MB "
            f"in the first half of the outage, {second / 1e6:.1f} in its second, {drain / 1e6:.1f} in the drain")
        if not os.environ.get("FIREHOSE_SANITIZE"):  # which keep freed memory for a while
            # 48 bytes a record, until the segment they are in is full.
            self.assertLess(second - first, 8e6)
            self.assertLess(max(second, drain) - first, 16e6)


if __name__ == "__main__":
    unittest.main()
