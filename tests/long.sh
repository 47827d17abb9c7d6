#!/usr/bin/env bash
# The figures of tests/README.md that take long, one command each, on what `tests/run.sh clang` has built.
#   tests/long.sh mutations [COUNT [MINUTES]]   damaged spools are started and drained; 100,000
#   tests/long.sh kills [COUNT [MINUTES]]       kill -9 at random moments, delivering to radosgw; 1,000
#   tests/long.sh power [CUTS]                  power cuts of `run` and of `serve` on a real ext4; 50 each; root only
#   tests/long.sh sqs [RECORDS]                 two processes drain a queue, one is killed every few seconds; 1,000, and
#                                               the emulator needs a time for each that grows with their number
#   tests/long.sh backlog [RECORDS [SECONDS]]   a backlog is made, opened, listed and drained; 10,000,000 are 12 GB
# MINUTES and SECONDS end it before the count is reached; what was done is printed. FIREHOSE_SEED repeats a run.
# BUILD: the build directory, if it is not build/.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(realpath "${BUILD:-$root/build}")
seed=${FIREHOSE_SEED:-$((RANDOM * 32768 + RANDOM))}
export FIREHOSE_BINARY=$build/firehose FIREHOSE_EXAMPLES=$build/examples

scratch=$(mktemp -d)
server=''
stop_server() {
    [ -z "$server" ] || "$root/tests/servers/$server" --stop "$scratch/server"
    server=''
}
trap 'stop_server; rm -rf "$scratch"' EXIT
start_server() { # SCRIPT
    rm -rf "$scratch/server"
    server=$1
    "$root/tests/servers/$server" --dir "$scratch/server" --detach >"$scratch/start.log" || {
        cat "$scratch/start.log" >&2
        return 1
    }
}

mutations() {
    FIREHOSE_SPOOL_MUTATIONS=${1:-100000} FIREHOSE_MUTATION_MINUTES=${2:-100000} FIREHOSE_SEED=$seed \
        /usr/bin/time -f '%e s, peak %M kB' "$build/tests/journal/unit_directory_spool" \
        --run_test='digests/whatever_happens_to_the_files_every_intact_record_is_delivered'
}

# Each part has a server of its own, which keeps its objects in memory.
kills() {
    local wanted=${1:-1000} minutes=${2:-100000} done=0 part made
    while [ $done -lt "$wanted" ] && [ $((SECONDS / 60)) -lt "$minutes" ]; do
        part=$((wanted - done < 50 ? wanted - done : 50))
        start_server start_radosgw.sh
        # Short runs, so that most kills hit a busy moment.
        FIREHOSE_SEED=$((seed + done)) FIREHOSE_KILLS=$part FIREHOSE_KILL_EVENTS=${FIREHOSE_KILL_EVENTS:-200} \
            FIREHOSE_KILL_MINUTES=$((minutes - SECONDS / 60)) S3_ENV_FILE=$scratch/server/env \
            python3 -B "$root/tests/end_to_end/test_kill.py" -v 2>&1 | tee "$scratch/part"
        stop_server
        made=$(sed -n 's/^ *\([0-9]*\) kills in .*/\1/p' "$scratch/part")
        done=$((done + made))
        echo "$done kills in $SECONDS s: nothing missing, nothing under a second key"
    done
}

sqs() {
    start_server start_sqs.sh
    FIREHOSE_SEED=$seed FIREHOSE_SQS_RECORDS=${1:-1000} SQS_ENV_FILE=$scratch/server/env \
        python3 -B "$root/tests/end_to_end/test_sqs.py" -v Sqs.test_two_processes_drain_one_queue_while_one_is_killed
}

power() {
    FIREHOSE_SEED=$seed "$root/tests/crash/powerloss.sh" "${1:-50}"
    FIREHOSE_SEED=$seed "$root/tests/crash/powerloss_serve.py" "${1:-50}"
}

backlog() {
    python3 -B "$root/tests/bench/backlog.py" "$build" --records "${1:-10000000}" --seconds "${2:-1000000}"
}

case "${1:-}" in
    mutations | kills | power | sqs | backlog) "$@" ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
