#!/usr/bin/env python3
"""A large backlog in the spool: how long a start takes, what `firehose spool ls` takes, how fast it drains.

    tests/bench/backlog.py BUILD_DIRECTORY [--records 100000] [--directory DIR] [--seconds N] [--share 25]

Makes the records with spool_bench, about 1 KB each, or uses those that DIR has (10 million are about 12 GB). Lists
them, alone and beside `firehose run`, which drains them over HTTP to a sink that only counts; after --seconds it is
stopped by SIGTERM. Prints the rate, the times of `spool ls` and the peak memory of both.

Linux only. Loopback only.
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from macro import Memory, Sink

CREDENTIAL = "507f1f77bcf86cd799439011"


def configure(where, data, port, share):
    document = {
        "data_dir": data,
        "credentials": {CREDENTIAL: {"type": "user", "username": "bench", "password": {"env": "BENCH_SECRET"},
                                     "region": "us-east-1", "endpoint": f"http://127.0.0.1:{port}"}},
        "default": {"enabled": True, "services": {
            "aws": {"enabled": True, "credential_id": CREDENTIAL, "bucket": "backlog"}}},
        "spool": {"share_percent": share},
    }  # fmt: skip
    with open(os.path.join(where, "firehose.json"), "w") as file:
        json.dump(document, file)


def wait(process):
    """(exit code, wall seconds, CPU seconds, peak MB)"""
    began = time.monotonic()
    memory = Memory(process.pid)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, time.monotonic() - began, usage.ru_utime + usage.ru_stime, memory.stop() / 1024


def records(firehose, where):
    """How many `spool ls` says there are, and what it took."""
    out = os.path.join(where, "ls")
    with open(out, "wb") as file:
        process = subprocess.Popen([firehose, "spool", "ls", "--config", "firehose.json", "--json"], cwd=where, stdout=file)
        code, wall, cpu, peak = wait(process)
    if code != 0:
        sys.exit(f"spool ls failed with {code}")
    with open(out) as file:
        return sum(row["records"] for row in json.load(file)), wall, cpu, peak


def drain(firehose, where, seconds):
    """(seconds, exit code and peak of the run, the listings beside it: wall and CPU seconds, peak)"""
    began = time.monotonic()
    with open(os.path.join(where, "out"), "wb") as out, open(os.path.join(where, "err"), "wb") as err:
        process = subprocess.Popen([firehose, "run", "--config", "firehose.json", "--json", "/dev/null"], cwd=where,
                                   stdout=out, stderr=err, env={**os.environ, "BENCH_SECRET": "secret"})  # fmt: skip
    memory = Memory(process.pid)
    listings = []
    while True:
        until = time.monotonic() + 5
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        if process.returncode is not None:
            break
        if time.monotonic() - began > seconds:
            process.send_signal(signal.SIGTERM)
            process.wait()
            break
        listings.append(records(firehose, where)[1:])
    return time.monotonic() - began, process.returncode, memory.stop() / 1024, listings


def of_all(values, unit):
    return f"median {statistics.median(values):.2f}, at most {max(values):.2f} {unit}"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("build")
    arguments.add_argument("--records", type=int, default=100_000)
    arguments.add_argument("--directory")
    arguments.add_argument("--seconds", type=float, default=1e9)
    arguments.add_argument("--share", type=int, default=25)
    how = arguments.parse_args()
    build = os.path.abspath(how.build)
    firehose, bench = os.path.join(build, "firehose"), os.path.join(build, "tests", "bench", "spool_bench")
    where = tempfile.mkdtemp(prefix="firehose-backlog-")
    data = os.path.abspath(how.directory) if how.directory else os.path.join(where, "data")
    sink = Sink(os.path.join(build, "tests", "bench", "counting_sink"))
    try:
        if not os.path.isdir(os.path.join(data, "spool")):
            subprocess.run([bench, str(how.records), data, "fill"], check=True)
        subprocess.run([bench, str(how.records), data, "open"], check=True)
        configure(where, data, sink.port, how.share)
        before, wall, cpu, peak = records(firehose, where)
        print(f"listed  {before} records in {wall:.2f} s, {cpu:.2f} s of CPU, peak {peak:.0f} MB", flush=True)
        seconds, code, peak, listings = drain(firehose, where, how.seconds)
        left = records(firehose, where)[0]
        print(f"drained {before - left} records in {seconds:.1f} s, {(before - left) / seconds:.0f}/s, {left} left, exit code "
              f"{code}, peak {peak:.0f} MB", flush=True)  # fmt: skip
        if listings:
            wall, cpu, peaks = zip(*listings)
            print(f"listed beside it {len(listings)} times: {of_all(wall, 's')}, {of_all(cpu, 's of CPU')}, peak {max(peaks):.0f} MB")
        arrived = sink.close()["requests"]
        if arrived < before - left:
            sys.exit(f"{before - left} records have left the spool and {arrived} arrived")
    finally:
        if sink.process.poll() is None:
            sink.process.kill()
        shutil.rmtree(where, True)


if __name__ == "__main__":
    main()
