#!/usr/bin/env python3
"""The macro benchmark: `firehose run` from a file of generated events to loopback sinks that count.

    tests/bench/macro.py BUILD_DIRECTORY [--events 1000000] [--repeat 5] [--json FILE] [--only GROUP,...]

Groups of rows, all by default:
    formats    layout "batch": gzip, zstd, none; everything arrives in the sink, unpacked and compared (see below)
    unchecked  the same without the full JSON check ("check": "fields")
    tls        gzip and none over TLS
    large      gzip and none in objects of up to 256 MiB, which go through files: sent in parts as they fill, or when they are
               whole; everything arrives, as in `formats`
    shards     gzip and none on one shard that has one core, on one that has them all, and on two
    event      one object per event, over HTTP and TLS; a fifth of the events
    targets    gzip to one, two and eight services
    flows      gzip with 1, 100 and 10,000 flows in as many partitions
    sizes      gzip with 1/100, 1/10, 1 and 10 times the events
    soak       gzip, 86.4 times the events through standard input, once: a day at 1,000 events a second; what its memory
               did in the first and in the second half of it
    dead       a healthy target alone, beside a second healthy one, beside one whose port is closed, and beside one that
               accepts and never answers; one object per event, of a tenth of the events, and gzip in objects of 1 MiB; the rate
               is the first one's

For each row: CPU seconds (user and system, of firehose alone) per million events, events a second, peak memory, bytes
written; the median of the repetitions with the least and the largest. One more run, which is not timed, counts allocations and
bytes copied per event (memory_calls.c). `formats` and `large` account for every event: one more run
into a sink that keeps the bodies, unpacked by tests/end_to_end/objects.py and compared with the input, line by line, by a
hash that does not depend on their order. PEER=/path/to/fluent-bit or PEER=/usr/sbin/syslog-ng puts another program beside
it (peers.py says how it is set up), in turn with our run of the same job; without PEER that part is skipped.

Linux only. Loopback only.
"""
import argparse
import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "end_to_end"))
import peers  # noqa: E402
from objects import unpack  # noqa: E402


class Sink:
    def __init__(self, binary, keep=None, tls=None):
        arguments = [binary, *(["--keep", keep] if keep else []), *(["--tls", *tls] if tls else [])]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())
        self.endpoint = f"https://localhost:{self.port}" if tls else f"http://127.0.0.1:{self.port}"

    def close(self):
        self.process.terminate()
        return json.loads(self.process.communicate()[0])


@dataclass
class Row:
    name: str
    layout: str = "batch"
    format: str = "gzip"
    check: str = "full"
    tls: bool = False
    shards: int = 0
    cores: int = 0  # that firehose may use; 0: all
    targets: int = 1
    flows: int = 1
    part: float = 1  # of the events
    dead: str = ""  # "", "closed" or "silent": a second target
    bytes: int = 0  # of an object; 0: the default
    timed_by_sink: bool = False  # a dead neighbour takes longer than the healthy target does
    name_of: str = "{first}-{last}-{hash}"  # an object
    partitioned: bool = False
    rounds: int = 0  # how often the input goes through standard input; 0: it is read as a file, once


GROUPS = {
    "formats": [Row(f, format=f) for f in ("gzip", "zstd", "none")],
    "unchecked": [Row(f + ", fields", format=f, check="fields") for f in ("gzip", "zstd", "none")],
    "tls": [Row(f + ", TLS", format=f, tls=True) for f in ("gzip", "none")],
    "large": [Row(f"{f}, large, {when}", format=f, bytes=256 << 20, name_of=name)
              for f in ("gzip", "none") for when, name in (("as they fill", "{position}"), ("whole", "{hash}"))],
    "shards": [Row(f"{f}, {n} shard{'s' * (n > 1)}{', 1 core' * c}", format=f, shards=n, cores=c)
               for f in ("gzip", "none") for n, c in ((1, 1), (1, 0), (2, 0))],
    "event": [Row("event" + ", TLS" * tls, layout="event", tls=tls, part=0.2, timed_by_sink=True) for tls in (False, True)],
    "targets": [Row(f"gzip, {n} target{'s' * (n > 1)}", targets=n) for n in (1, 2, 8)],
    "flows": [Row(f"gzip, {n} flows", flows=n, partitioned=True) for n in (1, 100, 10_000)],
    "sizes": [Row(f"gzip, events x {n:g}", part=n) for n in (0.01, 0.1, 1, 10)],
    "soak": [Row("gzip, a day", part=0.1, rounds=864)],
    "dead": [Row("event, alone", layout="event", part=0.1, timed_by_sink=True),
             Row("event, beside a healthy one", layout="event", part=0.1, timed_by_sink=True, targets=2),
             Row("event, beside a closed port", layout="event", part=0.1, timed_by_sink=True, dead="closed"),
             Row("event, beside a silent one", layout="event", part=0.1, timed_by_sink=True, dead="silent"),
             Row("gzip, alone", bytes=1 << 20, timed_by_sink=True),
             Row("gzip, beside a healthy one", bytes=1 << 20, timed_by_sink=True, targets=2),
             Row("gzip, beside a closed port", bytes=1 << 20, timed_by_sink=True, dead="closed"),
             Row("gzip, beside a silent one", bytes=1 << 20, timed_by_sink=True, dead="silent")],
}  # fmt: skip


class Memory(threading.Thread):
    """What a process holds, sampled, in KiB. Not wait4's peak: a child inherits what its parent had when it was forked."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.samples, self.over = pid, 0, [], threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.01):
            with contextlib.suppress(OSError, AttributeError):
                with open(f"/proc/{self.pid}/status") as status:
                    sizes = dict(re.findall(r"(VmHWM|VmRSS):\s*(\d+)", status.read()))
                self.peak = int(sizes.get("VmHWM", self.peak))
                self.samples.append(int(sizes.get("VmRSS", 0)))

    def stop(self):
        """The most it ever held."""
        self.over.set()
        self.join()
        return self.peak

    def halves(self):
        """The most in the first half of the time and in the second."""
        half = len(self.samples) // 2
        return max(self.samples[:half], default=0), max(self.samples[half:], default=0)


@dataclass
class Ran:
    code: int
    cpu: float  # seconds, user and system
    seconds: float
    memory: Memory
    last: bytes  # line of standard output


def run(arguments, where, environment=None, stdin=subprocess.DEVNULL, end=None, cores=0):
    """Until it ends by itself, or until `end`, which is called meanwhile, has returned; then it is asked to end."""
    with open(os.path.join(where, "out"), "wb") as out, open(os.path.join(where, "err"), "wb") as err:
        began = time.monotonic()
        process = subprocess.Popen(arguments, cwd=where, stdout=out, stderr=err, stdin=stdin,
                                   env={**os.environ, **(environment or {})})  # fmt: skip
        if cores:
            os.sched_setaffinity(process.pid, range(cores))  # before it has other threads
        memory = Memory(process.pid)
        if end:
            end()
            seconds = time.monotonic() - began
            process.terminate()
        _, status, usage = os.wait4(process.pid, 0)
        if not end:
            seconds = time.monotonic() - began
        memory.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
    with open(os.path.join(where, "out"), "rb") as out:
        lines = out.read().splitlines()
    return Ran(process.returncode, usage.ru_utime + usage.ru_stime, seconds, memory, lines[-1] if lines else b"")


class Silence:
    """A port that is closed, or one that accepts and never answers."""

    def __init__(self, kind):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        if kind == "silent":
            self.listener.listen(1024)

    def close(self):
        self.listener.close()


def certificate(where):
    files = [os.path.join(where, name) for name in ("sink.crt", "sink.key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2", "-out", files[0],
                    "-keyout", files[1]], check=True, stderr=subprocess.DEVNULL)  # fmt: skip
    return files


def configure(where, endpoints, row):
    credentials, services = {}, {}
    for i, endpoint in enumerate(endpoints):
        name = f"507f1f77bcf86cd7994390{i:02d}"
        credentials[name] = {"type": "user", "username": "bench", "password": {"env": "BENCH_SECRET"},
                             "region": "us-east-1", "endpoint": endpoint}
        if row.tls:
            credentials[name]["ca_file"] = os.path.join(where, "sink.crt")
        services[f"aws{i}"] = {"type": "s3", "enabled": True, "credential_id": name, "bucket": "bench"}
    key = ("{prefix}/{flow}" if row.partitioned else "{prefix}") + f"/{row.name_of}.{{ext}}"
    batch = {"format": row.format, "key": key, "partitions": 20_000, **({"bytes": row.bytes} if row.bytes else {})}
    document = {
        "data_dir": "data",
        "credentials": credentials,
        "default": {"enabled": True, "services": services},
        "event": {"check": row.check},
        "run": {"shards": row.shards},
        "delivery": {"layout": "batch", "batch": batch} if row.layout == "batch" else {"layout": "event"},
    }  # fmt: skip
    with open(os.path.join(where, "firehose.json"), "w") as file:
        json.dump(document, file)


def firehose(binary, where, endpoints, row, input, environment=None):
    shutil.rmtree(os.path.join(where, "data"), True)
    configure(where, endpoints, row)
    command = [binary, "run", "--config", "firehose.json", "--json"]
    secret = {"BENCH_SECRET": "secret", **(environment or {})}
    if not row.rounds:
        return run([*command, input], where, secret, cores=row.cores)
    feeder = subprocess.Popen(["sh", "-c", 'for _ in $(seq "$1"); do cat "$2"; done', "sh", str(row.rounds), input],
                              stdout=subprocess.PIPE)  # fmt: skip
    ran = run([*command, "-"], where, secret, feeder.stdout)
    feeder.stdout.close()
    feeder.wait()
    return ran


def digest_of(lines):
    """The same for the same lines in any order: the sum of their hashes."""
    total = count = 0
    for line in lines:
        total += int.from_bytes(hashlib.blake2b(line, digest_size=16).digest(), "big")
        count += 1
    return count, total % (1 << 128)


def stripped(file):
    return (line.rstrip(b"\n") for line in file)


def objects_in(folder):
    """(name, bytes); the parts of an upload are one object."""
    objects = {}
    for name in sorted(os.listdir(folder)):
        stem, dot, ending = name.partition(".")
        objects.setdefault((stem.rpartition("-")[0] if stem.startswith("part-") else stem) + dot + ending, []).append(name)
    for name, pieces in objects.items():
        yield name, b"".join(read(os.path.join(folder, piece)) for piece in pieces)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def check(binary, sink_binary, where, row, input):
    """Every event once, byte for byte."""
    keep = os.path.join(where, "kept")
    os.mkdir(keep)
    sink = Sink(sink_binary, keep)
    ran = firehose(binary, where, [sink.endpoint], row, input)
    sink.close()
    if ran.code != 0:
        sys.exit(f"the run failed with {ran.code}: {ran.last!r}")
    total = count = 0
    for name, data in objects_in(keep):
        n, digest = digest_of(unpack(name, data).splitlines())
        count, total = count + n, (total + digest) % (1 << 128)
    shutil.rmtree(keep)
    with open(input, "rb") as file:
        expected = digest_of(stripped(file))
    if (count, total) != expected:
        sys.exit(f"{row.name}: {count} events arrived, {expected[0]} were sent, or their bytes differ")


def machine():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    return {
        "processor": model.group(1) if model else platform.processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load": os.getloadavg()[0],
    }


def compiler(build):
    with open(os.path.join(build, "CMakeCache.txt")) as file:
        cache = dict(re.findall(r"^(\w+):\w+=(.*)$", file.read(), re.M))
    kind = cache.get("CMAKE_BUILD_TYPE", "")
    flags = (cache.get("CMAKE_CXX_FLAGS", "") + " " + cache.get(f"CMAKE_CXX_FLAGS_{kind.upper()}", "")).strip()
    return f"{os.path.basename(cache.get('CMAKE_CXX_COMPILER', '?'))} {kind}: {flags}"


def median_of(values):
    return statistics.median(values), min(values), max(values)


def print_row(name, runs, size, calls=None):
    """`size`: of what all targets together were to get."""
    c, r = median_of([x["cpu"] for x in runs]), median_of([x["rate"] for x in runs])
    peak, count = max(x["peak"] for x in runs), runs[-1]
    print(f"{name:<28} {c[0]:>8.2f} ({c[1]:.2f}, {c[2]:.2f}) {r[0]:>10.0f} ({r[1]:.0f}, {r[2]:.0f}) {peak:>8.0f} "
          f"{count['requests']:>9} {count['bytes']:>12} {100 * count['bytes'] / size:>6.1f} "
          + (f"{calls['allocations']:>7.2f} {calls['copied']:>7.0f}" if calls else f"{'-':>7} {'-':>7}"), flush=True)  # fmt: skip


class Bench:
    def __init__(self, how, where):
        build = os.path.abspath(how.build)
        self.binary = os.path.join(build, "firehose")
        self.sink_binary = os.path.join(build, "tests", "bench", "counting_sink")
        self.counter = os.path.join(build, "tests", "bench", "memory_calls.so")
        self.how, self.where, self.inputs = how, where, {}
        self.tls = certificate(where)

    def input(self, row):
        """(path, events, bytes) of the file, made once for each number of events and flows."""
        events = max(1, int(self.how.events * row.part))
        if (events, row.flows) not in self.inputs:
            path = os.path.join(self.where, f"events-{events}-{row.flows}.ndjson")
            with open(path, "wb") as file:
                subprocess.run([self.binary, "generate", "-n", str(events), "--flows", str(row.flows)], stdout=file,
                               check=True)  # fmt: skip
            self.inputs[events, row.flows] = path
        path = self.inputs[events, row.flows]
        return path, events, os.path.getsize(path)

    def once(self, row, path, events, environment=None):
        sinks = [Sink(self.sink_binary, tls=self.tls if row.tls else None) for _ in range(row.targets)]
        dead = [Silence(row.dead)] if row.dead else []
        endpoints = [s.endpoint for s in sinks + dead]
        ran = firehose(self.binary, self.where, endpoints, row, path, environment)
        counts = [s.close() for s in sinks]
        for d in dead:
            d.close()
        account = json.loads(ran.last or b"{}")
        targets = account.get("targets", {})
        good = ran.code == (1 if dead else 0) and all(targets[f"aws{i}"]["delivered"] == events for i in range(row.targets))
        if dead:
            good = good and targets[f"aws{row.targets}"]["spooled"] == events
        if not good:
            sys.exit(f"{row.name}: exit code {ran.code}, {account}")
        count = {k: sum(c[k] for c in counts) for k in ("requests", "bytes", "connections")}
        seconds = counts[0]["seconds"] if row.timed_by_sink else ran.seconds
        return {"cpu": ran.cpu / events * 1e6, "rate": events / seconds, "peak": ran.memory.peak / 1024,
                "halves": [kib / 1024 for kib in ran.memory.halves()], **count}  # fmt: skip

    def calls(self, row, path, events):
        """Allocations and bytes copied, per event."""
        if row.rounds or not os.path.exists(self.counter):
            return None
        said = os.path.join(self.where, "memory-calls")
        self.once(row, path, events, {"LD_PRELOAD": self.counter, "MEMORY_CALLS": said})
        with open(said) as file:
            allocations, _, copied = map(int, file.read().split())
        return {"allocations": allocations / events, "copied": copied / events}

    def measure(self, group, row):
        path, events, size = self.input(row)
        if group in ("formats", "large") and not self.how.no_check:
            check(self.binary, self.sink_binary, self.where, row, path)
        events, size = events * max(1, row.rounds), size * max(1, row.rounds)
        runs = [self.once(row, path, events) for _ in range(1 if row.rounds else self.how.repeat)]
        calls = self.calls(row, path, events)
        print_row(row.name, runs, size * row.targets, calls)
        if row.rounds:
            only = runs[0]
            print("    {:.1f} s; memory in its two halves: {:.1f} and {:.1f} MB".format(events / only["rate"], *only["halves"]))
        return {"group": group, "row": row.name, "events": events, "bytes_in": size, "runs": runs, "calls": calls}

    def beside(self, other):
        """Ours and the other program's, in turn: what `other` can do of the job, and ours of the whole."""
        row = Row("checked, " + other.format, format=other.format)
        path, events, size = self.input(row)
        runs = {"firehose": [], other.name: []}
        for _ in range(self.how.repeat):
            runs["firehose"].append(self.once(row, path, events))
            sink = Sink(self.sink_binary)
            ran = other.run(run, self.where, path, sink, size)
            count = sink.close()
            runs[other.name].append({"cpu": ran.cpu / events * 1e6, "rate": events / ran.seconds,
                                     "peak": ran.memory.peak / 1024, **count})  # fmt: skip
        print(f"\nbeside {other.name}: {other.does}")
        for name, all_runs in runs.items():
            print_row(name, all_runs, size)
        return runs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json")
    parser.add_argument("--only", default=",".join(GROUPS))
    parser.add_argument("--no-check", action="store_true", help="leave out the runs whose objects are unpacked")
    how = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as where:
        bench = Bench(how, where)
        report = {"machine": machine(), "compiler": compiler(how.build), "events": how.events, "rows": []}
        print(f"{report['machine']}\n{report['compiler']}\n{how.events} events, median of {how.repeat} (least, largest)\n")
        print(f"{'':<28} {'CPU s per million':>22} {'events/s':>22} {'peak MB':>8} {'objects':>9} {'bytes':>12} {'%':>6} "
              f"{'allocs':>7} {'copied':>7}")
        for group in how.only.split(","):
            report["rows"] += [bench.measure(group, row) for row in GROUPS[group]]
        other = peers.found(os.environ.get("PEER"))
        if other:
            report["peer"] = bench.beside(other)
        else:
            print("no PEER: nothing beside it")
        report["machine"]["load_at_end"] = os.getloadavg()[0]
        if how.json:
            with open(how.json, "w") as file:
                json.dump(report, file, indent=1)


if __name__ == "__main__":
    main()
