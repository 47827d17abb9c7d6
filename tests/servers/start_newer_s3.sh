#!/usr/bin/env bash
# A second opinion on the S3 client, of servers that are stricter than Debian 12's: Ceph's radosgw 20, which
# verifies checksums and conditions on completions, and OpenStack Swift 2.35 with s3api, an implementation of its
# own that checks the region of a signature. Each is unpacked once from a newer Debian (no script of a package is
# run) and started by chroot in a mount namespace of its own, so nothing stays mounted.
#
#   start_newer_s3.sh radosgw|swift [--dir DIR] [--detach]    prints NAME=VALUE lines, then READY
#   start_newer_s3.sh radosgw|swift --stop DIR
#
# Only when FIREHOSE_STRICT_SERVERS=1 asks for it. Needs root, unshare, memcached for Swift, and
# apt-get install --no-install-recommends mmdebstrap; without them, or without a network for the first time, it says
# SKIPPED and exits with 77. Half a gigabyte each, kept in ${XDG_CACHE_HOME:-$HOME/.cache}/firehose-tests. Listens on
# 127.0.0.1 only. DIR as in start_radosgw.sh.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/firehose-tests
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
kind=${1:-}
case $kind in
    radosgw) suite=forky packages=radosgw,ceph-mon,ceph-osd,ceph-common ;;
    swift) suite=trixie packages=python3,swift-proxy,swift-account,swift-container,swift-object,libisal2,libc-bin ;;
    *) echo "usage: $0 radosgw|swift [--dir DIR] [--detach] | --stop DIR" >&2; exit 2 ;;
esac
shift
dir='' detach=0
while [ $# -gt 0 ]; do
    case $1 in
        --dir) dir=$2; shift 2 ;;
        --detach) detach=1; shift ;;
        --stop)
            # Swift's servers have workers, each server its process group.
            [ "$kind" = radosgw ] || [ ! -f "$2/pids" ] || while read -r pid; do
                grep -qs -- "$2" "/proc/$pid/environ" && kill -- "-$pid" 2>/dev/null || true
            done < "$2/pids"
            [ "$kind" = radosgw ] || sleep 1
            exec "$here/start_radosgw.sh" --stop "$2" ;;
        *) echo "usage: $0 radosgw|swift [--dir DIR] [--detach] | --stop DIR" >&2; exit 2 ;;
    esac
done
own_dir=0
if [ -z "$dir" ]; then dir=$(mktemp -d "${TMPDIR:-/tmp}/$kind.XXXXXX"); own_dir=1; fi
mkdir -p "$dir"; dir=$(cd "$dir" && pwd)

skip() { # the tests read why there is no server
    echo "SKIPPED, NOT PASSED: $*" | tee "$dir/env" >&2
    exit 77
}
[ "${FIREHOSE_STRICT_SERVERS:-}" = 1 ] || skip "a newer $kind is tried when FIREHOSE_STRICT_SERVERS=1 asks for it"
[ "$(id -u)" = 0 ] || skip "a newer $kind needs root, for chroot"
needed='unshare chroot mmdebstrap openssl'
[ $kind = radosgw ] || needed="$needed memcached"
for tool in $needed; do
    command -v "$tool" >/dev/null || skip "a newer $kind needs $tool"
done

root=$cache/$kind-$suite
if [ ! -d "$root" ]; then
    mkdir -p "$cache"
    rm -rf "$root.part"
    # testing has a Valid-Until that a frozen mirror outlives; the signature is checked all the same
    mmdebstrap --quiet --variant=extract --aptopt='Acquire::Check-Valid-Until "false"' \
        --include="base-files,$packages" "$suite" "$root.part" \
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >&2 ||
        { rm -rf "$root.part"; skip "$kind could not be fetched from $mirror"; }
    for each in bin lib lib64 sbin; do [ -e "$root.part/$each" ] || ln -s "usr/$each" "$root.part/$each"; done
    mkdir -p "$root.part"/{proc,dev,tmp,run,root,var/lib,var/log}
    chmod 1777 "$root.part/tmp"
    cp /etc/passwd /etc/group "$root.part/etc/"
    ldconfig -r "$root.part" 2>/dev/null || true
    mv "$root.part" "$root"
fi

if [ "${in_namespace:-}" != 1 ]; then
    exec env in_namespace=1 unshare --mount --propagation private -- "$here/start_newer_s3.sh" "$kind" \
        --dir "$dir" $([ $detach = 0 ] || echo --detach)
fi
mkdir -p "$root$dir"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$dir" "$root$dir"
cp /etc/hosts "$root/etc/hosts"

if [ "$kind" = radosgw ]; then
    mkdir -p "$dir/bin"
    for tool in radosgw radosgw-admin ceph-mon ceph-osd monmaptool ceph; do
        printf '#!/bin/sh\nexec chroot %q %s "$@"\n' "$root" "$tool" > "$dir/bin/$tool"
        chmod +x "$dir/bin/$tool"
    done
    export PATH="$dir/bin:$PATH"
    exec "$here/start_radosgw.sh" --dir "$dir" $([ $detach = 0 ] || echo --detach)
fi
exec "$here/start_swift.sh" "$root" "$dir" $detach $own_dir
