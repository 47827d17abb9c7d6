#!/usr/bin/env bash
# Installs what is needed, builds everything and runs all tests; quick when run again.
#   tests/run.sh                  all stages: setup clang asan tsan
#   tests/run.sh clang            one or some of them
#   tests/run.sh clang -- -L unit     what follows -- goes to ctest
# Stages: setup  packages (tests/setup.sh)
#         clang  build/: what ships, with every test, the lints, real S3 and Azure servers
#         asan   build-asan/: GCC 12 with AddressSanitizer and UBSan
#         tsan   build-tsan/: clang 19 with ThreadSanitizer
# The last line says what came of it; the exit status is 0 only if everything passed.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/toolchain.sh
. "$root/tests/toolchain.sh"

stages=()
ctest_arguments=()
while [ $# -gt 0 ]; do
    case "$1" in
        setup | clang | asan | tsan) stages+=("$1") ;;
        --) shift; ctest_arguments=("$@"); break ;;
        *) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
    shift
done
[ ${#stages[@]} -gt 0 ] || stages=(setup clang asan tsan)

# Sanitizers map memory at fixed places, which newer kernels' address randomisation may occupy.
without_randomisation=()
if setarch "$(uname -m)" -R true 2>/dev/null; then without_randomisation=(setarch "$(uname -m)" -R); fi

run_tests() { # DIRECTORY WRAPPER... -- CTEST-ARGUMENT...
    local directory=$1
    shift
    local wrapper=()
    while [ "$1" != -- ]; do wrapper+=("$1"); shift; done
    shift
    "${wrapper[@]}" ctest --test-dir "$directory" -j "$(nproc)" --output-on-failure --no-tests=error \
        "$@" ${ctest_arguments[@]+"${ctest_arguments[@]}"} 2>&1 | tee "$directory/ctest.log" |
        grep --line-buffered -vE '^ +Start +[0-9]+:'
    return "${PIPESTATUS[0]}"
}

sanitizer_tests=(-LE 'lint|consumer|bench|compile_fail')

# Several files of a target at once compile in a third of the time; the clang stage compiles what ships each alone.
together=(-DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=20)

stage_setup() { bash "$root/tests/setup.sh"; }

stage_clang() {
    configure_clang "$root/build" -DFIREHOSE_TESTS=ON -DFIREHOSE_EXAMPLES=ON -DFIREHOSE_WERROR=ON \
        -DFIREHOSE_UNITY_TESTS=ON &&
        build "$root/build" all all_verify_interface_header_sets &&
        run_tests "$root/build" --
}

stage_asan() {
    export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1
    export UBSAN_OPTIONS=print_stacktrace=1
    # Slower here, and the full numbers ran in the clang stage.
    export FIREHOSE_E2E_EVENTS=${FIREHOSE_E2E_EVENTS:-1000} FIREHOSE_KILLS=${FIREHOSE_KILLS:-4} FIREHOSE_SWEEP_STEP=${FIREHOSE_SWEEP_STEP:-5}
    # What UBSan knows of its checks holds millions of addresses; at fixed ones no start of a process has to write them.
    configure "$root/build-asan" -DCMAKE_CXX_COMPILER=g++ -DCMAKE_BUILD_TYPE=Check \
        "-DCMAKE_CXX_FLAGS=-O0 -g1 -fno-pie -no-pie" "${together[@]}" -DFIREHOSE_SANITIZE=address,undefined \
        -DFIREHOSE_TESTS=ON -DFIREHOSE_EXAMPLES=ON &&
        build "$root/build-asan" &&
        run_tests "$root/build-asan" ${without_randomisation[@]+"${without_randomisation[@]}"} -- "${sanitizer_tests[@]}"
}

stage_tsan() {
    export TSAN_OPTIONS=second_deadlock_stack=1:external_symbolizer_path=/usr/lib/llvm-19/bin/llvm-symbolizer
    export FIREHOSE_SWEEP_STEP=${FIREHOSE_SWEEP_STEP:-5}
    configure "$root/build-tsan" -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_BUILD_TYPE=Check "-DCMAKE_CXX_FLAGS=-O1 -g1" \
        "${together[@]}" -DFIREHOSE_SANITIZE=thread -DFIREHOSE_TESTS=ON -DFIREHOSE_EXAMPLES=OFF &&
        build "$root/build-tsan" &&
        run_tests "$root/build-tsan" ${without_randomisation[@]+"${without_randomisation[@]}"} -- "${sanitizer_tests[@]}"
}

summary=()
failed=0
for stage in "${stages[@]}"; do
    echo "=== $stage"
    before=$SECONDS
    directory=$root/build$([ "$stage" = clang ] || echo "-$stage")
    rm -f "$directory/ctest.log"
    if (stage_"$stage"); then verdict=passed; else verdict=FAILED failed=1; fi
    took=$((SECONDS - before))
    counts=""
    if [ -f "$directory/ctest.log" ]; then
        total=$(sed -n 's/.* tests failed out of \([0-9]*\)$/\1/p' "$directory/ctest.log")
        skipped=$(grep -c '\*\*\*Skipped' "$directory/ctest.log")
        counts=", ${total:-0} tests"
        [ "$skipped" -eq 0 ] || counts+=", $skipped SKIPPED"
    fi
    summary+=("$stage $verdict ($took s$counts)")
    [ "$stage" != setup ] || [ $failed -eq 0 ] || break
done

echo
if [ $failed -eq 0 ]; then verdict="ALL PASSED"; else verdict="FAILED"; fi
joined=$(printf '%s; ' "${summary[@]}")
echo "$verdict in $((SECONDS / 60)) min $((SECONDS % 60)) s: ${joined%; }"
exit $failed
