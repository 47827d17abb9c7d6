"""Drives the firehose binary as an operator would, and checks what every run must keep to.

Each test has a directory of its own with firehose.json in it. Nothing here reads the sources: keys and
accounts are worked out from the documents.
"""
import contextlib
import gzip
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BINARY = os.environ.get("FIREHOSE_BINARY", "build/firehose")
SANITIZED = os.environ.get("FIREHOSE_SANITIZE", "") != ""
EVENTS = int(os.environ.get("FIREHOSE_E2E_EVENTS", "3000"))
PATIENCE = 800  # seconds until a process is believed to hang

ALL_DELIVERED, KEPT, USAGE, REFUSED, INTERNAL = range(5)


def say(text):
    """A measured figure, for the log of the test."""
    print("    " + text, file=sys.stderr, flush=True)


class Result:
    """What a process left behind."""

    def __init__(self, code, out, err, seconds, peak_kilobytes):
        self.code, self.out, self.err = code, out, err
        self.seconds, self.peak_kilobytes = seconds, peak_kilobytes

    @property
    def text(self):
        return self.err.decode("utf-8", "replace")

    @property
    def account(self):
        """The closing account: the last line of standard output with --json."""
        lines = self.out.split(b"\n")
        if len(lines) < 2 or lines[-1]:
            raise AssertionError("no closing account; standard error:\n" + self.text)
        return json.loads(lines[-2])


def assert_conserved(result):
    """Of whatever was accepted, no target's books show more than that, and nothing was dropped in silence."""
    account = result.account
    for service, row in account["targets"].items():
        kept = row["delivered"] + row["spooled"] + row["parked"]
        if kept > account["accepted"]:
            raise AssertionError(f"{service}: {kept} events in the books, {account['accepted']} accepted")
    if account["dropped"] and result.code != INTERNAL:
        raise AssertionError(f"{account['dropped']} events dropped and exit code {result.code}")


class Process:
    """A running firehose. Its output goes to files, so that no pipe can fill up."""

    def __init__(self, arguments, where, stdin=subprocess.DEVNULL, environment=None, name="process", binary=BINARY):
        self.out_path = os.path.join(where, name + ".out")
        self.err_path = os.path.join(where, name + ".err")
        env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "S3_"))}
        env.update(environment or {})
        self.closes_books = "run" in arguments[:1] and "--json" in arguments
        self.began = time.monotonic()
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(
                [os.path.abspath(binary), *arguments], stdin=stdin, stdout=out, stderr=err, env=env, cwd=where
            )
        self.pid = self.process.pid
        self.stdin = self.process.stdin
        self.watchdog = threading.Timer(PATIENCE, self.kill)
        self.watchdog.start()
        self.hung = False

    def signal(self, number):
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self):
        self.hung = True
        self.signal(signal.SIGKILL)

    def wait(self):
        _, status, usage = os.wait4(self.pid, 0)
        seconds = time.monotonic() - self.began
        self.watchdog.cancel()
        self.process.returncode = os.waitstatus_to_exitcode(status)
        with open(self.out_path, "rb") as out, open(self.err_path, "rb") as err:
            result = Result(self.process.returncode, out.read(), err.read(), seconds, usage.ru_maxrss)
        if self.hung:
            raise AssertionError(f"still running after {PATIENCE} s; standard error:\n{result.text}")
        if self.closes_books and b'"accepted":' in result.out[-4096:]:
            assert_conserved(result)
        return result

    def errors_so_far(self):
        with open(self.err_path, "rb") as err:
            return err.read()


def feeder(stdin, chunks):
    """Writes to a pipe beside the test; whoever reads it may go away."""

    def write():
        with contextlib.suppress(BrokenPipeError):
            for chunk in chunks:
                stdin.write(chunk)
        with contextlib.suppress(BrokenPipeError):
            stdin.close()

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread


class EndToEnd(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="firehose-e2e-")
        self.addCleanup(shutil.rmtree, self.root, True)
        self.where = os.path.join(self.root, "site")
        os.mkdir(self.where)
        self.runs = 0

    # --- processes -------------------------------------------------------------------------------

    def until(self, process, happened):
        """Waits for a condition; the watchdog of the process bounds it."""
        while not happened():
            self.assertFalse(process.hung, "nothing happens")
            time.sleep(0.01)

    def kill_runs(self, path, kills, draw, before=lambda: None, **how):
        """Runs over one input and kill -9 at random moments; what was stored stays as it was. The objects at the end."""
        seen, seconds = {}, 0.5
        for _ in range(kills):
            before()
            process = self.start("run", "--config", "firehose.json", "--json", path, **how)
            timer = threading.Timer(draw.uniform(0.01, seconds), process.signal, [signal.SIGKILL])
            timer.start()
            result = process.wait()
            timer.cancel()
            seconds = max(seconds, result.seconds)
            now = self.objects_below("out")
            for key in seen:
                self.assertEqual(now[key], seen[key], key)
            seen = now
        return seen

    # --- the configuration ---------------------------------------------------------------------

    def path(self, *parts):
        return os.path.join(self.where, *parts)

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        return self.path(name)

    def configure(self, services=None, name="firehose.json", **rest):
        """Writes the configuration; `services` is the default routing's."""
        document = {"data_dir": "data", **rest}
        if services is not None:
            document["default"] = {"enabled": True, "services": services}
        return self.write(name, json.dumps(document, ensure_ascii=False, indent=1))

    # --- running -------------------------------------------------------------------------------

    def start(self, *arguments, **how):
        self.runs += 1
        process = Process(arguments, self.where, name=f"run-{self.runs}", **how)
        self.addCleanup(self.put_down, process)
        return process

    @staticmethod
    def put_down(process):
        if process.process.returncode is None:
            process.signal(signal.SIGKILL)
            process.wait()
        if process.stdin:
            with contextlib.suppress(OSError):
                process.stdin.close()

    def command(self, *arguments, input=None, **how):
        """Runs a verb to its end. `input`: bytes, or an iterable of bytes."""
        if input is None:
            return self.start(*arguments, **how).wait()
        process = self.start(*arguments, stdin=subprocess.PIPE, **how)
        thread = feeder(process.stdin, [input] if isinstance(input, bytes) else input)
        result = process.wait()
        thread.join()
        return result

    def deliver(self, input, code=ALL_DELIVERED, wanted=None, accepted=None, config="firehose.json", **how):
        """firehose run on `input` (bytes, chunks, or the name of a file); the account is checked.

        `wanted`: how many events ask for each service; by default each accepted one for each.
        """
        arguments = ["run", "--config", config, "--json"]
        if isinstance(input, str):
            result = self.command(*arguments, input, **how)
        else:
            result = self.command(*arguments, "-", input=input, **how)
        self.check_code(result, code)
        self.check_account(result, wanted, accepted)
        self.check_spool(result, config)
        return result

    def check_code(self, result, code):
        self.assertEqual(result.code, code, f"standard error:\n{result.text[-6000:]}")

    def check_account(self, result, wanted=None, accepted=None):
        """Conservation: nothing that was accepted is missing from the books."""
        account = result.account
        self.assertEqual(account["dropped"], 0)
        if accepted is not None:
            self.assertEqual(account["accepted"], accepted, result.text[-3000:])
        for service, row in account["targets"].items():
            expected = account["accepted"] if wanted is None else wanted.get(service, 0)
            self.assertEqual(row["delivered"] + row["spooled"] + row["parked"], expected, (service, row))
        return account

    def check_spool(self, result, config="firehose.json"):
        """The files say what the account says: every record of this run and of earlier ones is there, no other."""
        document = {}
        with open(self.path(config)) as file, contextlib.suppress(ValueError):  # which may have comments
            document = json.load(file)
        if document.get("spool", {}).get("type") == "sqs" or document.get("delivery", {}).get("layout") == "batch":
            return  # a queue lists nothing, and an object of many events is one record
        expected, found = {}, {}
        for part in ("targets", "backlog"):
            for service, row in result.account.get(part, {}).items():
                expected[service] = expected.get(service, 0) + row["spooled"]
        for row in self.spool(config):
            found[row["service"]] = found.get(row["service"], 0) + row["records"]
        self.assertEqual({s: n for s, n in found.items() if n}, {s: n for s, n in expected.items() if n}, "in the spool")

    def last_delivery(self, input, service, wanted, code=ALL_DELIVERED, config="firehose.json", **how):
        """Runs without --json and reads the table, which also says when a target got its last event.

        `wanted`: {service: (delivered, spooled, parked)}.
        """
        result = self.command("run", "--config", config, "-", input=input, **how)
        self.check_code(result, code)
        rows = {}
        for line in result.out.decode().splitlines():
            found = re.fullmatch(r"(\S+) +(\d+) +(\d+) +(\d+) +([\d.]+)", line)
            if found:
                name, delivered, spooled, parked, last = found.groups()
                rows[name] = ((int(delivered), int(spooled), int(parked)), float(last))
        self.assertEqual({name: row[0] for name, row in rows.items()}, wanted, result.text[-3000:])
        return rows[service][1], result

    def row(self, result, service):
        row = result.account["targets"][service]
        return row["delivered"], row["spooled"], row["parked"]

    def spool(self, config="firehose.json", **how):
        """What `firehose spool ls --json` says."""
        result = self.command("spool", "ls", "--config", config, "--json", **how)
        self.check_code(result, ALL_DELIVERED)
        return json.loads(result.out)

    def generate(self, count, *more):
        result = self.command("generate", "-n", str(count), *more)
        self.check_code(result, ALL_DELIVERED)
        return result.out

    # --- comparing -----------------------------------------------------------------------------

    def objects_below(self, folder):
        """All files, by key. What is still being written has a folder of its own, which is no key."""
        found = {}
        top = self.path(folder)
        for directory, folders, files in os.walk(top):
            if directory == top and ".firehose-tmp" in folders:
                folders.remove(".firehose-tmp")
            for file in files:
                path = os.path.join(directory, file)
                with open(path, "rb") as data:
                    found[os.path.relpath(path, top)] = data.read()
        return found

    def assert_same_objects(self, found, expected, where=""):
        """Like assertEqual of two dictionaries, but says in one line what differs."""
        missing = sorted(set(expected) - set(found))
        extra = sorted(set(found) - set(expected))
        wrong = [k for k in expected if k in found and found[k] != expected[k]]
        self.assertFalse(
            missing or extra or wrong,
            f"{where}: {len(missing)} missing {missing[:3]}, {len(extra)} too many {extra[:3]}, "
            f"{len(wrong)} with other bytes {wrong[:3]}",
        )


# --- events and their keys -----------------------------------------------------------------------


def escape_component(text):
    """One component of a key, from its description: ASCII letters, digits, -_. stay, the rest is %XX."""
    raw = text.encode()
    if not raw:
        return "%"
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
    only_dots = raw in (b".", b"..")
    pieces = [chr(b) if b in plain and not only_dots else f"%{b:02X}" for b in raw]
    if sum(map(len, pieces)) <= 200:
        return "".join(pieces)
    kept = ""
    for piece in pieces:
        if len(kept) + len(piece) > 200 - 33:
            break
        kept += piece
    return kept + "~" + hashlib.sha256(raw).hexdigest()[:32]


def key_of(group, event_id, prefix=""):
    parts = [prefix] if prefix else []
    return "/".join(parts + [escape_component(group), escape_component(event_id) + ".json"])


def lead_objects(lines, prefix=""):
    """{key: bytes} for events that carry a lead id and an event id."""
    expected = {}
    for line in lines.splitlines():
        event = json.loads(line)
        expected[key_of(event["vars"]["lead"]["id"], event["id"], prefix)] = line
    return expected


PAGES = [
    "Talk:Oswald Tilghman", "Обсуждение участника:Пример", "日本語/ノート", "العربية", "Ünïcode & Söhne",
    "../../../etc/passwd", "..", ".", "/absolute", "a//b/", "a/./b", "Quote \"x\" 'y' `z`", "100%", "%2E%2E/%00",
    "emoji 😀👩‍👩‍👧", "tab\tand\nnewline", "nul\u0000inside", "~tilde~", "back\\slash", "q?x=1&y=2#f", "plus + blank",
    "*.*", "$HOME $(id)", "-rf", "x" * 300, "長" * 120, ".hidden", "CON", "trailing.", "trailing ", "\u202egnp.exe",
    "\u001b[31mred", "a;b,c:d@e=f", "<html>", "{json}", "|pipe|", "^caret^",
]  # fmt: skip
WIKI_SHAPE = {"id": [], "group": "/page", "flow": "/channel", "timestamp": "/time", "missing_id": "hash"}


def wiki_lines(count, seed=1):
    """Edits of pages with names of every kind, without ids of their own, like Wikipedia's feed."""
    draw = random.Random(seed)
    lines = []
    for number in range(count):
        page = PAGES[number] if number < len(PAGES) else draw.choice(PAGES) + " " + str(draw.randrange(200))
        edit = {
            "time": f"2015-09-12T00:{number // 60 % 60:02}:{number % 60:02}.{number % 1000:03}Z",
            "channel": "#" + draw.choice(["en", "ja", "ru", "ar", "vi"]) + ".wikipedia",
            "cityName": None,
            "comment": draw.choice(["added", "Бот: правка", "[[Категория]]", "日本語", "/* \\ \" */", "héé"]),
            "isRobot": draw.random() < 0.4,
            "page": page,
            "delta": draw.randrange(-900, 900),
            "number": number,
        }
        text = json.dumps(edit, ensure_ascii=draw.random() < 0.3, separators=draw.choice([(",", ":"), (", ", ": ")]))
        lines.append(text.encode())
    return b"\n".join(lines) + b"\n"


def wiki_objects(lines, prefix=""):
    expected = {}
    for line in lines.split(b"\n"):
        if not line.strip():
            continue
        page = json.loads(line)["page"]
        expected[key_of(page, hashlib.sha256(line).hexdigest()[:32], prefix)] = line
    return expected


def read_lines(path):
    """A file of lines, unpacked if need be."""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rb") as file:
        return file.read()


def directory(bucket="out", prefix="", **more):
    return {"type": "directory", "enabled": True, "bucket": bucket, "prefix": prefix, **more}


if __name__ == "__main__":
    sys.exit("this is what the tests beside it share")
