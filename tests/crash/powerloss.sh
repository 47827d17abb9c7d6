#!/usr/bin/env bash
# Power cuts of the real binary on a real ext4: the file system lies in an image, and a copy of the image at any
# moment is what the disk held then, since dirty pages are not in it. After each cut the copy is mounted, which
# replays ext4's own journal, and whatever the binary had said to have accepted must be there.
#   tests/crash/powerloss.sh [CUTS]        20 by default, about two seconds each
# Needs root, loop mounts and e2fsprogs; not part of CI. FIREHOSE_SEED repeats the moments.
set -euo pipefail
if [ -z "${POWERLOSS_NAMESPACE:-}" ]; then
    # A mount namespace of its own: nothing stays mounted, whatever happens.
    POWERLOSS_NAMESPACE=1 exec unshare --mount --propagation private -- "$0" "$@"
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
binary=${FIREHOSE_BINARY:-$root/build/firehose}
cuts=${1:-20}
seed=${FIREHOSE_SEED:-$RANDOM}
RANDOM=$seed
events=300
work=$(mktemp -d "${TMPDIR:-/tmp}/powerloss.XXXXXX")
finish() {
    umount "$work/after" "$work/live" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
mkdir "$work/live" "$work/after"
echo "FIREHOSE_SEED=$seed, $cuts cuts"

# Everything is accepted and kept, nothing can be delivered: the spool is all there is.
configure() { # DIRECTORY ENDPOINT
    cat > "$work/firehose.json" <<CONFIG
{"data_dir": "$1/data",
 "credentials": {"507f1f77bcf86cd799439011": {"type": "user", "username": "A", "password": {"env": "POWERLOSS_SECRET"},
                                              "endpoint": "$2"}},
 "default": {"enabled": true, "services": {"aws": {"enabled": true, "credential_id": "507f1f77bcf86cd799439011",
                                                   "bucket": "cut", "prefix": ""}}},
 "delivery": {"attempts": 1, "retry_backoff_ms": 1}}
CONFIG
}
export POWERLOSS_SECRET=x
lost=0 promised=0 states=0
for ((cut = 1; cut <= cuts; cut++)); do
    truncate -s 64M "$work/disk.img"
    mkfs.ext4 -q -F "$work/disk.img"
    mount -o loop,commit=600 "$work/disk.img" "$work/live"
    configure "$work/live" http://127.0.0.1:9
    # Runs that ended said what they accepted; the last one is cut at a random moment.
    runs=$((1 + RANDOM % 3))
    for ((run = 0; run < runs; run++)); do
        "$binary" generate -n $events --seed $((cut * 10 + run)) |
            "$binary" run --config "$work/firehose.json" - > /dev/null 2>&1 || [ $? = 1 ]
        # Which of them a person was told about: all of this run.
        "$binary" generate -n $events --seed $((cut * 10 + run))
    done > "$work/promised"
    "$binary" generate -n $((events * 10)) --seed $((cut * 10 + 9)) > "$work/last"
    "$binary" run --config "$work/firehose.json" "$work/last" > /dev/null 2>&1 &
    pid=$!
    sleep "0.$(printf '%03d' $((RANDOM % 300)))"
    kill -STOP $pid 2>/dev/null || true
    cp --sparse=always "$work/disk.img" "$work/cut.img"
    kill -KILL $pid 2>/dev/null || true
    wait $pid 2>/dev/null || true
    mount -o loop "$work/cut.img" "$work/after"
    configure "$work/after" http://127.0.0.1:9
    "$binary" spool export --config "$work/firehose.json" > "$work/found" 2> "$work/said" || {
        cat "$work/said"
        lost=$((lost + 1))
    }
    # A start repairs what the cut tore, and finds the same or more; then nothing is damaged any more.
    "$binary" run --config "$work/firehose.json" /dev/null > /dev/null 2>&1 || [ $? = 1 ]
    "$binary" spool verify --config "$work/firehose.json" > "$work/verified" || cat "$work/verified"
    python3 - "$work/promised" "$work/found" <<'CHECK' || lost=$((lost + 1))
import json, sys
promised = [line.rstrip("\n") for line in open(sys.argv[1])]
found = {json.loads(line)["body"] for line in open(sys.argv[2])}
missing = [line for line in promised if line not in found]
if missing:
    sys.exit(f"{len(missing)} of {len(promised)} promised events are missing")
CHECK
    promised=$((promised + $(wc -l < "$work/promised")))
    states=$((states + 1))
    umount "$work/after" "$work/live"
done
echo "power cuts on ext4: $states images, $promised promised events, $lost images with a loss"
[ $lost -eq 0 ]
