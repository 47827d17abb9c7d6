"""Other programs that do a part of the same job, for macro.py: how each is set up, and what of the job it does."""
import json
import os
import subprocess
import time
import urllib.request


class FluentBit:
    """File to the S3 output, one worker: with more it crashed. Ends at the end of the file. Not tried with a later version
    than 5.1."""

    name, format = "fluent-bit", "gzip"
    does = "JSON parsed, gzip, objects of 50 MB, signed"

    def __init__(self, binary):
        self.binary = binary

    def run(self, run, where, path, sink, size):
        with open(os.path.join(where, "parsers.conf"), "w") as file:
            file.write("[PARSER]\n    Name json\n    Format json\n")
        arguments = [self.binary, "-R", "parsers.conf", "-f", "1", "-i", "tail", "-p", f"path={path}", "-p",
                     "read_from_head=on", "-p", "parser=json", "-p", "exit_on_eof=on", "-p", "buffer_max_size=1m", "-o", "s3",
                     "-p", "match=*", "-p", "bucket=bench", "-p", "region=us-east-1", "-p", f"endpoint={sink.endpoint}",
                     "-p", "use_put_object=on", "-p", "total_file_size=50M", "-p", "compression=gzip",
                     "-p", f"store_dir={where}/store"]  # fmt: skip
        return run(arguments, where, {"AWS_ACCESS_KEY_ID": "b", "AWS_SECRET_ACCESS_KEY": "s"})


SYSLOG_NG = """@version: 3.35
options {{ stats-freq(0); log-msg-size(1MiB); }};
source s {{ stdin(flags(no-parse) log-iw-size(100000) log-fetch-limit(10000)); }};
destination d {{ http(url("{endpoint}/bench/object") method("PUT") body("$MSG") delimiter("\\n") batch-bytes(52428800)
                      batch-lines(100000) batch-timeout(1000) workers(1) log-fifo-size(200000)); }};
log {{ source(s); destination(d); flags(flow-control); }};
"""


class SyslogNg:
    """Standard input to its HTTP destination. What is not a full batch at the end of the input it would drop, so the input
    is held open until everything has arrived."""

    name, format = "syslog-ng", "none"
    does = "not parsed (its JSON parser would cost it several times as much), not compressed, PUTs of 50 MB to one name, not signed"

    def __init__(self, binary):
        self.binary = binary

    def run(self, run, where, path, sink, size):
        with open(os.path.join(where, "syslog-ng.conf"), "w") as file:
            file.write(SYSLOG_NG.format(endpoint=sink.endpoint))

        def everything_arrived():
            until = time.monotonic() + 600
            while True:
                with urllib.request.urlopen(sink.endpoint) as answer:
                    count = json.load(answer)
                if count["bytes"] + count["requests"] >= size:  # the last newline of a batch is left out
                    return
                if time.monotonic() > until:
                    raise SystemExit(f"syslog-ng delivered {count} of {size} bytes in ten minutes")
                time.sleep(0.02)

        feeder = subprocess.Popen(["sh", "-c", 'cat "$1"; exec sleep 660', "sh", path], stdout=subprocess.PIPE)
        files = ["-f", "syslog-ng.conf", "--persist-file=persist", "--pidfile=pid", "--control=control"]
        ran = run([self.binary, "-F", "--no-caps", *files], where, stdin=feeder.stdout, end=everything_arrived)
        feeder.kill()
        feeder.stdout.close()
        feeder.wait()
        return ran


def found(binary):
    """The peer that a binary is, by its name; None for no binary."""
    if not binary:
        return None
    if not os.access(binary, os.X_OK):
        raise SystemExit(f"PEER={binary}: cannot be executed")
    for peer in (FluentBit, SyslogNg):
        if os.path.basename(binary).startswith(peer.name):
            return peer(binary)
    raise SystemExit(f"PEER={binary}: only fluent-bit and syslog-ng are known")
