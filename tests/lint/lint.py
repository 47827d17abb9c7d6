#!/usr/bin/env python3
"""The checks that need no running program: co_await rule, include directions, format, clang-tidy.

    lint.py coroutines BUILD_DIR     clang-query over every source file of the compilation database
    lint.py tidy BUILD_DIR           clang-tidy likewise, the library and the examples
    lint.py includes                 who may include what, and where clocks and randomness may come from
    lint.py format                   clang-format over all tracked files
    lint.py self-test                the checks above see what they must see

What clang-query and clang-tidy found nothing in is remembered by a hash of everything of ours that went in, in
${XDG_CACHE_HOME:-$HOME/.cache}/firehose-tests/lint, so that another run, also of another checkout, asks only about
what changed. Exit status 77 means skipped: no clang 19 here, or the build is not clang's.
"""

import concurrent.futures
import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FOLDERS = ["pipeline", "http", "storage", "stages", "examples", "tests"]
SKIPPED = 77


def tool(name):
    path = shutil.which(name)
    if not path:
        print(f"SKIPPED: {name} is not installed; tests/setup.sh installs it")
        sys.exit(SKIPPED)
    return path


def tracked(*suffixes):
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", *FOLDERS], capture_output=True)
    if listed.returncode == 0 and listed.stdout:
        names = listed.stdout.decode().split("\0")
    else:  # not a git checkout
        names = [str(p.relative_to(ROOT)) for f in FOLDERS for p in (ROOT / f).rglob("*")]
    return sorted(n for n in names if n.endswith(suffixes) and (ROOT / n).is_file())


INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)


# The compilation database -------------------------------------------------------------------------


def own_path(name):
    """Relative to the root if the file is one of ours, else None."""
    try:
        relative = Path(name).resolve().relative_to(ROOT)
    except ValueError:
        return None
    return str(relative) if relative.parts[0] in FOLDERS else None


def translation_units(build):
    database = build / "compile_commands.json"
    if not database.exists():
        print(f"SKIPPED: there is no {database}")
        sys.exit(SKIPPED)
    units = {}
    for entry in json.loads(database.read_text()):
        if not (sources := sources_of(entry)):
            continue
        command = entry.get("arguments") or shlex.split(entry["command"])
        compiler = next(a for a in command if not os.path.basename(a).startswith("ccache"))
        if "clang" not in os.path.basename(compiler):
            print(f"SKIPPED: this build is {compiler}'s; the lints read clang's compilation database")
            sys.exit(SKIPPED)
        for source in sources:
            name = own_path(source)
            if name and not name.startswith("tests/compile_fail/"):
                as_if_alone = [source if a == entry["file"] else a for a in command]
                units.setdefault(name, {"file": source, "arguments": as_if_alone})
    return units


def sources_of(entry):
    """The file, or those that it includes if CMake made it of several."""
    path = Path(entry["directory"], entry["file"])
    if re.fullmatch(r"unity_\d+_cxx\.cxx", path.name):
        return [what for _, what in INCLUDE.findall(path.read_text())]
    return [str(path)] if path.suffix == ".cpp" else []


def included(name, seen):
    """The files of this repository that `name` reads, itself among them."""
    if name in seen:
        return
    seen.add(name)
    for _, what in INCLUDE.findall((ROOT / name).read_text(errors="replace")):
        for place in (ROOT / what, (ROOT / name).parent / what):
            relative = own_path(place)
            if relative and place.is_file():
                included(relative, seen)
                break


# Several files at once: what the headers cost, which is nearly everything, is then paid once for all of them.
TOGETHER = 16


def flags(entry):
    """What the compiler is told, without itself, the source and the output."""
    out, words = [], iter(entry["arguments"])
    for word in words:
        if word in ("-o", "-MF", "-MT", "-MQ"):
            next(words)
        elif word not in ("-c", "-MD", entry["file"]) and (out or word.startswith("-")):
            out.append(word)
    return out


def batches(units):
    """Files of one folder with the same flags, TOGETHER at a time: lists of names."""
    alike = {}
    for name in sorted(units):
        alike.setdefault((os.path.dirname(name), *flags(units[name])), []).append(name)
    return [names[i:i + TOGETHER] for names in alike.values() for i in range(0, len(names), TOGETHER)]


def fingerprint(units, names, *salt):
    """The same in every checkout."""
    files = set()
    for name in names:
        included(name, files)
    digest = hashlib.sha256(json.dumps([names, flags(units[names[0]]), *salt]).replace(str(ROOT), "").encode())
    for each in sorted(files):
        digest.update(each.encode() + b"\0" + (ROOT / each).read_bytes() + b"\0")
    return digest.hexdigest()


def version_of(program):
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout


class Cleared:
    """Remembers what was found clean. What nobody asked about for a month is forgotten."""

    def __init__(self):
        self.at = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "firehose-tests" / "lint"
        self.at.mkdir(parents=True, exist_ok=True)
        for each in os.scandir(self.at):
            with contextlib.suppress(FileNotFoundError):  # another run was faster
                if each.stat().st_mtime < time.time() - 30 * 86_400:
                    os.unlink(each.path)

    def knows(self, what):
        if not (self.at / what).exists():
            return False
        (self.at / what).touch()
        return True

    def add(self, what):
        (self.at / what).touch()


def run_over(units, kind, salt, check):
    """check(source, flags) -> text of complaints, empty if there are none. Two at a time at least."""
    cleared = Cleared()

    def ask(names, where):
        compiler_flags = flags(units[names[0]])
        if len(names) == 1:
            return check(ROOT / names[0], compiler_flags)
        source = Path(where, "together.cpp")
        source.write_text("".join(f'#include "{ROOT / n}"  // NOLINT\n' for n in names))
        complaints = check(source, compiler_flags)
        if not complaints:
            return ""
        # Perhaps only because two of them have the same name for something of their own.
        half = len(names) // 2
        return "".join(dict.fromkeys([ask(names[:half], where), ask(names[half:], where)]))

    def one(names):
        what = f"{kind}-{fingerprint(units, names, *salt)}"
        if cleared.knows(what):
            return names, "", True
        with tempfile.TemporaryDirectory(prefix="firehose-lint-") as where:
            complaints = ask(names, where)
        if not complaints:
            cleared.add(what)
        return names, complaints, False

    asked = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for names, complaints, was_known in pool.map(one, batches(units)):
            asked += 0 if was_known else len(names)
            if complaints:
                failed += 1
                print(f"--- {', '.join(names)}\n{complaints.rstrip()}", flush=True)
    print(f"{kind}: {len(units)} files, {asked} read anew, {failed} batches with complaints")
    return 1 if failed else 0


# co_await ---------------------------------------------------------------------------------------


def query_text(text):
    # LLVM's regular expressions are POSIX's: re.escape() would escape more than they know, as in "\\-".
    root = re.sub(r"([][.^$*+?(){}|\\])", r"\\\1", str(ROOT))
    files = "^" + root + "/(" + "|".join(FOLDERS) + ")/"
    return text.replace("@FILES@", files.replace("\\", "\\\\"))


def ask_clang_query(query_file, arguments):
    ran = subprocess.run([tool("clang-query-19"), "-f", query_file, *arguments], capture_output=True, text=True)
    if ran.returncode != 0 or "error:" in ran.stdout + ran.stderr:
        return f"clang-query could not read it:\n{ran.stderr}{ran.stdout}"
    found = re.findall(r'^(.+?:\d+:\d+): note: "root" binds here\n(.*\n)?', ran.stdout, re.M)
    return "".join(f"{place}: breaks the rule for co_await\n{line}" for place, line in dict(found).items())


def coroutines(build):
    query = (HERE / "coroutines.query").read_text()
    # Templates of headers are seen where they are instantiated, and that is where tasks are.
    has_tasks = re.compile(r"\b(co_await|co_return|task<)")
    units = {n: e for n, e in translation_units(build).items() if has_tasks.search((ROOT / n).read_text())}
    with tempfile.NamedTemporaryFile("w", suffix=".query") as file:
        file.write(query_text(query))
        file.flush()
        return run_over(units, "coroutines", [query, version_of(tool("clang-query-19"))],
                        lambda source, flags: ask_clang_query(file.name, [str(source), "--", *flags]))


# clang-tidy -------------------------------------------------------------------------------------


def tidy(build):
    program = tool("clang-tidy-19")
    config = (ROOT / ".clang-tidy").read_text()
    units = {n: e for n, e in translation_units(build).items() if not n.startswith("tests/")}

    def check(source, flags):
        ran = subprocess.run([program, f"--config-file={ROOT / '.clang-tidy'}", "--quiet", str(source), "--", *flags],
                             capture_output=True, text=True)
        return ran.stdout if ran.returncode != 0 else ""

    return run_over(units, "tidy", [config, version_of(program)], check)


# Include directions and the three seams --------------------------------------------------------------

MAY_INCLUDE = {
    "pipeline": {"pipeline"},
    "http": {"http", "pipeline"},
    "storage": {"storage", "http", "pipeline"},
    "stages": {"stages", "storage", "http", "pipeline"},
    "examples": {"examples", "stages", "storage", "http", "pipeline"},
    "tests": set(FOLDERS),
}
LIBRARIES = ["pipeline", "http", "storage", "stages"]
# Installed, for the tests of users.
MADE_FOR_USERS = ("tests/contract/", "tests/fakes/", "tests/support/manual_time.hpp", "tests/support/shard_fixture.hpp")
HEAVY = re.compile(r"^boost/(asio\.hpp|beast($|[./])|beast\.hpp|json\.hpp)")
SEAMS = [
    (re.compile(r"\b(steady_clock|system_clock|high_resolution_clock)::now\s*\("), "a clock", {"pipeline/time_source"}),
    (re.compile(r"\bstd::random_device\b|\bgetrandom\s*\(|\bstd::rand\s*\("), "randomness", {"pipeline/randomness"}),
    (re.compile(r"\b(std::)?(secure_)?getenv\s*\("), "the environment", set()),
    (re.compile(r"\basio::detached\b"), "a detached coroutine", set()),
]


def include_complaints(name, text):
    folder = name.split("/")[0]
    header = name.endswith(".hpp")
    library = folder in LIBRARIES
    out = []

    def complain(position, sentence):
        out.append(f"{name}:{text.count(chr(10), 0, position) + 1}: {sentence}")

    for found in INCLUDE.finditer(text):
        what = found.group(2)
        target = what.split("/")[0]
        for_users = folder == "examples" and what.startswith(MADE_FOR_USERS)
        if target in FOLDERS and target not in MAY_INCLUDE[folder] and not for_users:
            complain(found.start(), f"{folder}/ must not include {what}: dependencies point downwards only")
        if target in FOLDERS and found.group(1) == "<":
            complain(found.start(), f'write "{what}" in quotes')
        if what.startswith("../") or "/../" in what:
            complain(found.start(), "name the file from the root, without ..")
        if library and header and HEAVY.match(what):
            complain(found.start(), f"public headers do not include {what}: it costs every user seconds")
        if library and what.startswith("boost/beast") and folder != "http":
            complain(found.start(), "Beast is used in http/*.cpp only")
        if library and what.startswith("boost/json") and folder != "stages" and (header or folder != "storage"):
            complain(found.start(), "Boost.JSON is used in stages/ and storage/*.cpp only")
        if what.startswith("openssl/") and folder in ("pipeline", "stages"):
            complain(found.start(), "OpenSSL is used in http/ and storage/ only")
        if folder == "pipeline" and what.startswith("boost/asio/experimental/"):
            complain(found.start(), "no experimental Asio in pipeline/")
    own = name.removesuffix(".cpp") + ".hpp"
    first = INCLUDE.search(text)
    if not header and (ROOT / own).exists() and (not first or first.group(2) != own):
        complain(first.start() if first else 0, f"include {own} first: this is how it is seen to compile alone")
    if header and "#pragma once" not in text:
        complain(0, "a header needs #pragma once")
    if library:
        plain = re.sub(r"//[^\n]*", lambda m: " " * len(m.group()), text)
        for pattern, what, allowed in SEAMS:
            if name.rsplit(".", 1)[0] in allowed:
                continue
            for found in pattern.finditer(plain):
                complain(found.start(), f"{what} comes in through an interface, not by {found.group().strip()}")
    return out


def includes():
    complaints = []
    names = tracked(".hpp", ".cpp")
    for name in names:
        if not name.startswith("tests/lint/samples/"):
            complaints += include_complaints(name, (ROOT / name).read_text())
    print("\n".join(complaints + [f"includes: {len(names)} files, {len(complaints)} complaints"]))
    return 1 if complaints else 0


def formatted():
    names = [n for n in tracked(".hpp", ".cpp") if not n.startswith("tests/lint/samples/")]
    program = tool("clang-format-19")
    ran = subprocess.run([program, "--dry-run", "-Werror", *names], cwd=ROOT, capture_output=True, text=True)
    wrong = sorted({line.split(":")[0] for line in ran.stderr.splitlines() if "-Wclang-format-violations" in line})
    for name in wrong:
        print(f"{name}: run clang-format-19 -i {name}")
    print(f"format: {len(names)} files, {len(wrong)} to be formatted")
    return 1 if ran.returncode else 0


# The lints' own test --------------------------------------------------------------------------------


def self_test():
    failures = []
    flags = ["--", "-std=c++20", f"-I{ROOT}", "-DBOOST_ASIO_NO_DEPRECATED"]
    with tempfile.NamedTemporaryFile("w", suffix=".query") as file:
        file.write(query_text((HERE / "coroutines.query").read_text()))
        file.flush()
        for sample in ("bad", "good"):
            path = HERE / "samples" / f"{sample}_coroutines.cpp"
            answer = ask_clang_query(file.name, [str(path), *flags])
            if "could not read" in answer:
                failures.append(answer)
            found = {int(n) for n in re.findall(rf"{re.escape(str(path))}:(\d+):", answer)}
            marked = {n for n, line in enumerate(path.read_text().splitlines(), 1) if "// BAD" in line}
            for line in sorted(marked - found):
                failures.append(f"{path.name}:{line} is bad and passes")
            for line in sorted(found - marked):
                failures.append(f"{path.name}:{line} is good and is flagged")
    cases = [
        ("pipeline/a.hpp", '#pragma once\n#include "http/client.hpp"\n', 1),
        ("http/a.hpp", "#pragma once\n#include <boost/beast/http/message.hpp>\n", 1),
        ("http/a.cpp", "#include <boost/beast/http/message.hpp>\n", 0),
        ("http/date.cpp", '#include "http/url.hpp"\n#include "http/date.hpp"\n', 1),
        ("http/date.cpp", '#include "http/date.hpp"\n#include "http/url.hpp"\n', 0),
        ("http/a.cpp", '#include "storage/store.hpp"\n', 1),
        ("storage/a.cpp", "#include <boost/beast/core.hpp>\n", 1),
        ("storage/a.cpp", '#include "stages/event.hpp"\n', 1),
        ("storage/a.hpp", "#pragma once\n#include <boost/asio.hpp>\n", 1),
        ("storage/a.hpp", "#pragma once\n#include <boost/asio/post.hpp>\n", 0),
        ("stages/a.hpp", "#pragma once\n#include <boost/json.hpp>\n", 1),
        ("stages/a.cpp", '#include <boost/json.hpp>\n#include "storage/store.hpp"\n', 0),
        ("stages/a.cpp", '#include "tests/support/x.hpp"\n', 1),
        ("stages/a.hpp", "int x;\n", 1),
        ("pipeline/a.cpp", "auto t = std::chrono::steady_clock::now();\n", 1),
        ("pipeline/time_source.cpp", '#include "pipeline/time_source.hpp"\n' "auto t = std::chrono::steady_clock::now();\n", 0),
        ("storage/a.cpp", "// steady_clock::now() is not called here\n", 0),
        ("storage/a.cpp", 'auto k = std::getenv("KEY");\n', 1),
        ("tests/a.cpp", "#include <boost/beast/core.hpp>\n", 0),
        ("examples/a.cpp", '#include "tests/contract/store_contract.hpp"\n', 0),
        ("examples/a.cpp", '#include "tests/fakes/fake_s3.hpp"\n', 0),
        ("examples/a.cpp", '#include "tests/support/x.hpp"\n', 1),
    ]
    for name, text, expected in cases:
        complaints = include_complaints(name, text)
        if len(complaints) != expected:
            failures.append(f"includes: {name} with {text!r}: {complaints}, expected {expected}")
    print("\n".join(failures + [f"self-test: {len(failures)} failures"]))
    return 1 if failures else 0


def main(arguments):
    if len(arguments) == 2 and arguments[0] in ("coroutines", "tidy"):
        return (coroutines if arguments[0] == "coroutines" else tidy)(Path(arguments[1]).resolve())
    if len(arguments) == 1 and arguments[0] in ("includes", "format", "self-test"):
        return {"includes": includes, "format": formatted, "self-test": self_test}[arguments[0]]()
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
