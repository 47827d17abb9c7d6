#!/usr/bin/env bash
# Installs what building and testing needs on a bare Debian 12, from its own package archive; the Azure server
# of the tests comes from npm and the SQS server from PyPI, into the user's cache.
#   tests/setup.sh          everything: compilers, libraries, lint tools, the S3, Azure and SQS servers of the tests
#   tests/setup.sh build    what examples/quickstart.sh needs
# Quick when all of it is there. Needs root or sudo only when something is missing.
set -euo pipefail

build_packages=(
    clang-19 lld-19 cmake ninja-build ccache
    libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev
    libssl-dev libsimdjson-dev libpugixml-dev libcli11-dev libspdlog-dev
    libisal-dev libzstd-dev zlib1g-dev prometheus-cpp-dev
    ca-certificates
)
test_packages=(
    g++ libclang-rt-19-dev llvm-19 clang-tools-19 clang-tidy-19 clang-format-19
    libboost-test1.81-dev
    git python3 python3-venv openssl procps curl
    radosgw ceph-mon ceph-osd
)

# Of Debian's npm 26 MB are fetched, Node 18 included; other sources' Node brings an npm of its own.
command -v npm >/dev/null || test_packages+=(npm)

what=${1:-all}
case "$what" in
    build) wanted=("${build_packages[@]}") ;;
    all) wanted=("${build_packages[@]}" "${test_packages[@]}") ;;
    *) echo "usage: tests/setup.sh [build|all]" >&2; exit 2 ;;
esac

finish() {
    if [ "$what" = all ] && [ -z "${FIREHOSE_SKIP_SERVERS:-}" ]; then
        "$(dirname "${BASH_SOURCE[0]}")/servers/start_azurite.sh" --install ||
            echo "setup: AZURITE COULD NOT BE FETCHED FROM NPM: the tests against a real Azure server will be SKIPPED" >&2
        "$(dirname "${BASH_SOURCE[0]}")/servers/start_sqs.sh" --install ||
            echo "setup: MOTO COULD NOT BE FETCHED FROM PYPI: the tests against a real SQS server will be SKIPPED" >&2
    fi
}

missing=()
for package in "${wanted[@]}"; do
    state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$state" = "install ok installed" ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    finish
    exit
fi

if ! grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release; then
    echo "setup: this is not Debian 12 (bookworm), the package names may differ" >&2
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: run as root or install sudo; these packages are missing: ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

# No questions, no recommended packages.
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=5 -o Acquire::http::Timeout=30 \
        -o Dpkg::Use-Pty=0 -q "$@"
}
retry() {
    local pause
    for pause in 2 5 10 20; do
        "$@" && return 0
        echo "setup: failed, trying again in $pause s: $*" >&2
        sleep "$pause"
    done
    "$@"
}

echo "setup: installing ${missing[*]}"
retry apt update
unknown=()
for package in "${missing[@]}"; do
    candidate=$(apt-cache policy "$package" | sed -n 's/^  Candidate: //p')
    [ -n "$candidate" ] && [ "$candidate" != "(none)" ] || unknown+=("$package")
done
if [ ${#unknown[@]} -gt 0 ]; then
    echo "setup: apt knows no package ${unknown[*]}." >&2
    echo "setup: Debian 12 'main' at its latest point release has all of them; check /etc/apt/sources.list" >&2
    exit 1
fi
retry apt install -y --no-install-recommends "${missing[@]}"
# A root made by debootstrap has no such file, and the tests' servers are called localhost.
if [ ! -e /etc/hosts ]; then
    echo "setup: writing /etc/hosts"
    printf '127.0.0.1 localhost\n' | "${as_root[@]}" tee /etc/hosts >/dev/null
fi
finish
