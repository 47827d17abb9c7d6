# How the scripts configure and build; sourced, not run. Needs `root` set to the top of the sources.
# shellcheck shell=bash

# The compiler cache makes second builds quick, also across build directories and checkouts.
export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS="${CCACHE_SLOPPINESS:-pch_defines,time_macros}"

# As many jobs as there are cores and memory: the largest files take about 1 GB each.
job_count() {
    local cores memory_kb by_memory
    cores=$(nproc)
    memory_kb=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)
    by_memory=$((${memory_kb:-4000000} / 1200000))
    [ "$by_memory" -ge 1 ] || by_memory=1
    echo $((cores < by_memory ? cores : by_memory))
}

# configure DIRECTORY OPTION...: with Ninja, ccache and lld where they are installed.
configure() {
    local directory=$1
    shift
    local options=(-G Ninja -Wno-dev)
    if command -v ccache >/dev/null; then options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
    if [ -x /usr/lib/llvm-19/bin/ld.lld ]; then
        # -B, because GCC looks for ld.lld by that name only
        options+=("-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld -B/usr/lib/llvm-19/bin")
    fi
    if [ -f "$directory/CMakeCache.txt" ] && ! grep -q '^CMAKE_GENERATOR:INTERNAL=Ninja' "$directory/CMakeCache.txt"; then
        echo "$directory was configured for another build tool; remove it and run this again" >&2
        return 1
    fi
    mkdir -p "$directory"
    if ! cmake -S "$root" -B "$directory" "${options[@]}" "$@" >"$directory/configure.log" 2>&1; then
        cat "$directory/configure.log" >&2
        return 1
    fi
}

# What ships: clang 19, optimised, with debug information.
configure_clang() {
    configure "$1" -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_BUILD_TYPE=RelWithDebInfo "${@:2}"
}

# build DIRECTORY TARGET...: quiet unless it fails.
build() {
    local directory=$1
    shift
    local log="$directory/build.log"
    echo "building $(basename "$directory")${*:+ ($*)} with $(job_count) jobs"
    if ! ninja -C "$directory" -j "$(job_count)" "$@" >"$log" 2>&1; then
        grep -vE '^\[[0-9]+/[0-9]+\] (Building|Linking|Generating)' "$log" | tail -n 80 >&2
        return 1
    fi
}
