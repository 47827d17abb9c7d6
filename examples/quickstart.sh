#!/usr/bin/env bash
# Installs what is needed, builds the firehose binary, generates demo lead events and delivers them into a
# directory. Quick when run again: nothing is built, and the same events get the same object names.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/toolchain.sh
. "$root/tests/toolchain.sh"
events=${1:-10000}

bash "$root/tests/setup.sh" build
if [ -f "$root/build/CMakeCache.txt" ]; then
    configure_clang "$root/build"
else
    configure_clang "$root/build" -DFIREHOSE_TESTS=OFF
fi
build "$root/build" firehose

# The objects lie beside the configuration file: here in build/, where they are in nobody's way.
demo=$root/build/quickstart
mkdir -p "$demo"
cp "$root/examples/firehose/demo.json" "$demo/demo.json"

echo
echo "\$ build/firehose generate -n $events > build/quickstart/events.ndjson"
"$root/build/firehose" generate -n "$events" >"$demo/events.ndjson"
echo "\$ build/firehose run --config build/quickstart/demo.json build/quickstart/events.ndjson"
"$root/build/firehose" run --config "$demo/demo.json" "$demo/events.ndjson"

first=$(find "$demo/out" -name '*.json' -print -quit)
echo
echo "$(find "$demo/out" -name '*.json' | wc -l) objects, one per event, lie in build/quickstart/out"
echo "for example ${first#"$root"/}:"
cut -c1-300 "$first"
