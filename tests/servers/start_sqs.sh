#!/usr/bin/env bash
# An SQS server of its own for tests: moto, an emulator, behind a front that refuses what AWS would refuse.
#
#   start_sqs.sh [--dir DIR] [--detach]     prints NAME=VALUE lines, then READY
#   start_sqs.sh --stop DIR                 ends the server that was started in DIR
#   start_sqs.sh --install                  fetches moto into a venv of its own; quick when it is there
#
# Needs python3 with venv and pip for the first time: what it fetches, pinned, stays in
# ${XDG_CACHE_HOME:-$HOME/.cache}/firehose-tests. Listens on 127.0.0.1 only, on a free port; verifies signatures
# and clocks; keeps everything in memory. Logs are in DIR (default: a new temporary directory), and the lines
# above in DIR/env. In the foreground it ends, and takes the server with it, on TERM, INT, or when its parent
# has gone. Detached it returns at READY. Several may run at once.
set -euo pipefail

moto=5.2.1

dir='' detach=0 job=start
while [ $# -gt 0 ]; do
    case $1 in
        --dir) dir=$2; shift 2 ;;
        --detach) detach=1; shift ;;
        --stop) dir=$2; shift 2; job=stop ;;
        --install) shift; job=install ;;
        *) echo "usage: $0 [--dir DIR] [--detach] | --stop DIR | --install" >&2; exit 2 ;;
    esac
done
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

ours() { grep -qs -- "$dir" "/proc/$1/cmdline"; }
end_it() { # the process id in DIR/pid, if it is still ours
    [ -f "$dir/pid" ] || return 0
    local pid
    pid=$(cat "$dir/pid")
    ours "$pid" && kill "$pid" 2>/dev/null || true
    for _ in $(seq 60); do ours "$pid" || break; sleep 0.05; done
    ours "$pid" && kill -9 "$pid" 2>/dev/null || true
    rm -f "$dir/pid"
}

if [ $job = stop ]; then end_it; rm -rf "$dir"; exit 0; fi

if [ $job = start ] && [ -n "${FIREHOSE_SKIP_SERVERS:-}" ]; then
    echo "SKIPPED: FIREHOSE_SKIP_SERVERS is set, no SQS server is started" >&2
    exit 77
fi

cache=${XDG_CACHE_HOME:-$HOME/.cache}/firehose-tests
venv=$cache/moto-$moto

# Debian's Python first: one that a version manager puts before it may change under the venv.
python=/usr/bin/python3
[ -x $python ] || python=$(command -v python3 || true)

fetch() ( # a venv that is there is whole; one at a time: several builds may share the cache
    mkdir -p "$cache"
    exec 9>"$cache/moto-lock"
    if command -v flock >/dev/null; then flock 9; fi
    [ -d "$venv" ] && exit 0
    if [ -z "$python" ] || ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        echo "python3 with venv is missing; install: apt-get install --no-install-recommends python3-venv" >&2
        exit 3
    fi
    echo "fetching moto[server]==$moto into $venv" >&2
    for pause in 2 5 10 0; do
        rm -rf "$venv.part"
        if "$python" -m venv "$venv.part" >&2 &&
            "$venv.part/bin/python" -m pip install --quiet --no-input --no-warn-script-location \
                --disable-pip-version-check "moto[server]==$moto" >&2; then
            mv "$venv.part" "$venv"
            exit 0
        fi
        sleep $pause
    done
    exit 1
)

if [ $job = install ]; then fetch || exit 3; exit 0; fi
if ! fetch; then
    # It comes from PyPI alone, which not every build machine may ask.
    why="SKIPPED, NOT PASSED: moto could not be fetched from PyPI, nothing is tried on a real SQS server"
    echo "$why" >&2
    if [ -n "$dir" ]; then mkdir -p "$dir"; echo "$why" >"$dir/env"; fi
    exit 77
fi

own_dir=0
if [ -z "$dir" ]; then dir=$(mktemp -d "${TMPDIR:-/tmp}/sqs.XXXXXX"); own_dir=1; fi
mkdir -p "$dir"; dir=$(cd "$dir" && pwd)
end_it
rm -f "$dir"/env "$dir"/log

parent=$PPID
clean_up() { trap - EXIT TERM INT; end_it; [ $own_dir = 0 ] || rm -rf "$dir"; }
on_exit() {
    rc=$?
    if [ $rc != 0 ]; then echo "the SQS server did not start; its log:" >&2; tail -n 20 "$dir/log" >&2 || true; fi
    clean_up
    exit $rc
}
trap on_exit EXIT
trap 'clean_up; exit 0' TERM INT

# It chooses a free port, and writes the file once it listens.
env -u AWS_CA_BUNDLE -u AWS_PROFILE "$venv/bin/python" -B "$here/sqs_front.py" "$dir/env" >"$dir/log" 2>&1 &
pid=$!
echo $pid >"$dir/pid"
for _ in $(seq 1200); do
    [ -f "$dir/env" ] && break
    kill -0 $pid 2>/dev/null
    sleep 0.05
done
cat "$dir/env"
echo READY

if [ $detach = 1 ]; then trap - EXIT TERM INT; disown -a; exit 0; fi
exec >/dev/null
while kill -0 $pid 2>/dev/null && kill -0 "$parent" 2>/dev/null; do sleep 0.5; done
clean_up
