#!/usr/bin/env python3
"""The macro benchmark: `firehose run` from a file of generated events to a loopback sink, layout "batch".

    tests/bench/macro.py BUILD_DIRECTORY [--events 1000000] [--repeat 5] [--json FILE] [--only gzip,zstd,none]

For each format: CPU seconds (user and system, of firehose alone) per million events, events a second, peak memory,
bytes written; the median of the repetitions with the least and the largest. Before that, every event is accounted
for: one more run into a sink that keeps the bodies, unpacked by tests/end_to_end/objects.py and compared with the
input, line by line, by a hash that does not depend on their order. PEER=/path/to/fluent-bit puts Fluent Bit beside it
(file to S3 output, one worker, same sink); without it that part is skipped.

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
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "end_to_end"))
from objects import unpack  # noqa: E402

CREDENTIAL = "507f1f77bcf86cd799439011"


class Sink:
    def __init__(self, binary, keep=None):
        self.process = subprocess.Popen([binary, *([keep] if keep else [])], stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def close(self):
        self.process.terminate()
        return json.loads(self.process.communicate()[0])


class Peak(threading.Thread):
    """High-water mark of a process, in KiB. Not wait4's: a child inherits what its parent had when it was forked."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.kib, self.over = pid, 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.01):
            with contextlib.suppress(OSError, AttributeError):
                with open(f"/proc/{self.pid}/status") as status:
                    self.kib = int(re.search(r"VmHWM:\s*(\d+)", status.read()).group(1))

    def stop(self):
        self.over.set()
        self.join()
        return self.kib


def run(arguments, where, environment=None):
    """(exit code, CPU seconds, wall seconds, peak KiB, last line of standard output)"""
    with open(os.path.join(where, "out"), "wb") as out, open(os.path.join(where, "err"), "wb") as err:
        began = time.monotonic()
        process = subprocess.Popen(arguments, cwd=where, stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                                   env={**os.environ, **(environment or {})})  # fmt: skip
        peak = Peak(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        peak_kib = peak.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
    with open(os.path.join(where, "out"), "rb") as out:
        lines = out.read().splitlines()
    return process.returncode, usage.ru_utime + usage.ru_stime, seconds, peak_kib, lines[-1] if lines else b""


def configure(where, port, format):
    document = {
        "data_dir": "data",
        "credentials": {CREDENTIAL: {"type": "user", "username": "bench", "password": {"env": "BENCH_SECRET"},
                                     "region": "us-east-1", "endpoint": f"http://127.0.0.1:{port}"}},
        "default": {"enabled": True, "services": {
            "aws": {"enabled": True, "credential_id": CREDENTIAL, "bucket": "bench"}}},
        "delivery": {"layout": "batch", "batch": {"format": format, "key": "{prefix}/{first}-{last}-{hash}.{ext}"}},
    }  # fmt: skip
    with open(os.path.join(where, "firehose.json"), "w") as file:
        json.dump(document, file)


def firehose(binary, where, sink, format, input):
    shutil.rmtree(os.path.join(where, "data"), True)
    configure(where, sink.port, format)
    return run([binary, "run", "--config", "firehose.json", "--json", input], where, {"BENCH_SECRET": "secret"})


def digest_of(lines):
    """The same for the same lines in any order: the sum of their hashes."""
    total = count = 0
    for line in lines:
        total += int.from_bytes(hashlib.blake2b(line, digest_size=16).digest(), "big")
        count += 1
    return count, total % (1 << 128)


def stripped(file):
    return (line.rstrip(b"\n") for line in file)


def check(binary, sink_binary, where, format, input):
    """Every event once, byte for byte."""
    keep = os.path.join(where, "kept")
    os.mkdir(keep)
    sink = Sink(sink_binary, keep)
    code, *_, last = firehose(binary, where, sink, format, input)
    sink.close()
    if code != 0:
        sys.exit(f"the run failed with {code}: {last!r}")
    total = count = 0
    for name in os.listdir(keep):
        with open(os.path.join(keep, name), "rb") as file:
            n, digest = digest_of(unpack(name, file.read()).splitlines())
        count, total = count + n, (total + digest) % (1 << 128)
    shutil.rmtree(keep)
    with open(input, "rb") as file:
        expected = digest_of(stripped(file))
    if (count, total) != expected:
        sys.exit(f"{format}: {count} events arrived, {expected[0]} were sent, or their bytes differ")


def peer(binary, sink_binary, where, input, events):
    sink = Sink(sink_binary)
    with open(os.path.join(where, "parsers.conf"), "w") as file:
        file.write("[PARSER]\n    Name json\n    Format json\n")
    arguments = [binary, "-R", "parsers.conf", "-f", "1", "-i", "tail", "-p", f"path={input}", "-p", "read_from_head=on",
                 "-p", "parser=json", "-p", "exit_on_eof=on", "-p", "buffer_max_size=1m", "-o", "s3", "-p", "match=*",
                 "-p", "bucket=bench", "-p", "region=us-east-1", "-p", f"endpoint=http://127.0.0.1:{sink.port}",
                 "-p", "use_put_object=on", "-p", "total_file_size=50M", "-p", "compression=gzip",
                 "-p", f"store_dir={where}/store"]  # fmt: skip
    code, cpu, seconds, peak, _ = run(arguments, where, {"AWS_ACCESS_KEY_ID": "b", "AWS_SECRET_ACCESS_KEY": "s"})
    count = sink.close()
    return {"exit": code, "cpu_per_million": cpu / events * 1e6, "seconds": seconds, "peak_mb": peak / 1024, **count}


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json")
    parser.add_argument("--only", default="gzip,zstd,none")
    parser.add_argument("--no-check", action="store_true", help="leave out the run whose objects are unpacked")
    how = parser.parse_args()
    build = os.path.abspath(how.build)
    binary, sink_binary = os.path.join(build, "firehose"), os.path.join(build, "tests", "bench", "counting_sink")

    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as where:
        input = os.path.join(where, "events.ndjson")
        with open(input, "wb") as file:
            subprocess.run([binary, "generate", "-n", str(how.events)], stdout=file, check=True)
        size = os.path.getsize(input)
        report = {"machine": machine(), "compiler": compiler(build), "events": how.events, "bytes": size, "rows": []}
        print(f"{report['machine']}\n{report['compiler']}\n{how.events} events, {size / how.events:.0f} B each, "
              f"median of {how.repeat} (least, largest)\n")  # fmt: skip
        print(f"{'format':<8} {'CPU s per million':>22} {'events/s':>22} {'peak MB':>8} {'objects':>8} {'bytes':>12} {'%':>6}")
        for format in how.only.split(","):
            if not how.no_check:
                check(binary, sink_binary, where, format, input)
            cpu, rate, peaks, count = [], [], [], {}
            for _ in range(how.repeat):
                sink = Sink(sink_binary)
                code, seconds_cpu, seconds, peak, last = firehose(binary, where, sink, format, input)
                count = sink.close()
                account = json.loads(last or b"{}")
                if code != 0 or account["targets"]["aws"]["delivered"] != how.events:
                    sys.exit(f"{format}: exit code {code}, {account}")
                cpu.append(seconds_cpu / how.events * 1e6)
                rate.append(how.events / seconds)
                peaks.append(peak / 1024)
            c, r = median_of(cpu), median_of(rate)
            print(f"{format:<8} {c[0]:>8.2f} ({c[1]:.2f}, {c[2]:.2f}) {r[0]:>10.0f} ({r[1]:.0f}, {r[2]:.0f}) {max(peaks):>8.0f} "
                  f"{count['requests']:>8} {count['bytes']:>12} {100 * count['bytes'] / size:>6.1f}", flush=True)  # fmt: skip
            report["rows"].append({"format": format, "cpu_per_million": cpu, "events_per_second": rate,
                                   "peak_mb": max(peaks), **count})  # fmt: skip
        fluent = os.environ.get("PEER")
        if fluent and os.path.exists(fluent):
            report["peer"] = peer(fluent, sink_binary, where, input, how.events)
            print("peer", report["peer"])
        else:
            print("no PEER: nothing beside it")
        report["machine"]["load_at_end"] = os.getloadavg()[0]
        if how.json:
            with open(how.json, "w") as file:
                json.dump(report, file, indent=1)


if __name__ == "__main__":
    main()
