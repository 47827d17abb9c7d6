#!/usr/bin/env bash
# Swift with s3api below a root directory: proxies for HTTP and HTTPS, account, container and object server,
# one replica in one folder. Called by start_newer_s3.sh, which has the mounts in place.
#
#   start_swift.sh ROOT DIR DETACH OWN_DIR
#
# The file system of DIR must keep user attributes (ext4, xfs; tmpfs from Linux 6.6 on).
set -euo pipefail
root=$1 dir=$2 detach=$3 own_dir=$4 here=$(cd "$(dirname "$0")" && pwd)
export SWIFT_TEST_DIR="$dir" # by which --stop knows what is ours
access_key=test:tester secret_key=testsecret
rm -rf "$dir"/{etc,node,cache,log,tls}; mkdir -p "$dir"/{etc,node/d1,cache,log,tls}

stop() {
    local pid
    [ ! -f "$dir/pids" ] || while read -r pid; do kill -- "-$pid" 2>/dev/null || true; done < "$dir/pids"
    "$here/start_radosgw.sh" --stop "$dir"
}
on_exit() {
    rc=$?
    if [ $rc != 0 ]; then echo "Swift did not start; its logs:" >&2; tail -n 5 "$dir"/log/* >&2 || true; stop; fi
    exit $rc
}
trap on_exit EXIT
trap 'exit 0' TERM INT

in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
choose_ports() {
    local port
    for _ in $(seq 50); do
        base=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
        for port in $(seq $base $((base + 5))); do in_use "$port" && continue 2; done
        return 0
    done
    echo "no free ports" >&2; return 1
}
choose_ports

(
    cd "$dir/tls"
    openssl ecparam -name prime256v1 -genkey -noout -out ca.key
    openssl ecparam -name prime256v1 -genkey -noout -out server.key
    openssl req -x509 -new -key ca.key -sha256 -days 30 -subj "/CN=Test CA" -out ca.crt \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign"
    openssl req -new -key server.key -subj "/CN=localhost" -out server.csr
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n' > server.ext
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -sha256 -days 30 \
        -extfile server.ext -out server.crt
) >>"$dir/log/boot.log" 2>&1

chroot "$root" /usr/bin/python3 - $base "$dir/etc/" <<'PY'
import sys
from swift.common.ring import RingBuilder
for i, server in enumerate(("account", "container", "object"), 1):
    ring = RingBuilder(4, 1, 0)
    at = dict(ip="127.0.0.1", port=int(sys.argv[1]) + i)
    ring.add_dev(dict(id=0, region=1, zone=1, device="d1", weight=1.0, meta="", replication_ip=at["ip"],
                      replication_port=at["port"], **at))
    ring.rebalance()
    ring.get_ring().save(sys.argv[2] + server + ".ring.gz")
PY

common() { # PORT WORKERS
    cat <<C
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $1
swift_dir = $dir/etc
workers = $2
user = $(id -un)
log_level = WARNING
C
}
number=1
for server in account container object; do
    { common $((base + number)) 1; cat <<C; } > "$dir/etc/$server.conf"
devices = $dir/node
mount_check = false
recon_cache_path = $dir/cache
[pipeline:main]
pipeline = $server-server
[app:$server-server]
use = egg:swift#$server
fallocate_reserve = 0
replication_server = false
C
    number=$((number + 1))
done
proxy() { # PORT, more lines of [DEFAULT]
    common "$1" 2
    cat <<C
$2
[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats bulk s3api tempauth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
node_timeout = 60
[filter:tempauth]
use = egg:swift#tempauth
user_${access_key/:/_} = $secret_key .admin
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = false
check_bucket_owner = false
min_segment_size = 5242880
force_swift_request_proxy_log = false
storage_domain = localhost
cors_preflight_allow_origin =
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$((base + 4))
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
C
    local filter
    for filter in catch_errors gatekeeper listing_formats bulk copy slo dlo symlink; do
        printf '[filter:%s]\nuse = egg:swift#%s\n' $filter $filter
    done
}
proxy $base '' > "$dir/etc/proxy.conf"
proxy $((base + 5)) "cert_file = $dir/tls/server.crt
key_file = $dir/tls/server.key" > "$dir/etc/proxy-tls.conf"

: > "$dir/pids"
background() { local log=$1; shift; setsid "$@" >"$dir/log/$log" 2>&1 & echo $! >> "$dir/pids"; }
background memcached memcached -u "$(id -un)" -l 127.0.0.1 -p $((base + 4)) -U 0 -m 64
for server in account container object; do
    background $server chroot "$root" /usr/bin/swift-$server-server "$dir/etc/$server.conf" -v
done
background proxy chroot "$root" /usr/bin/swift-proxy-server "$dir/etc/proxy.conf" -v
background proxy-tls chroot "$root" /usr/bin/swift-proxy-server "$dir/etc/proxy-tls.conf" -v
for port in $(seq $base $((base + 5))); do
    for _ in $(seq 600); do
        in_use "$port" && break
        while read -r pid; do kill -0 "$pid"; done < "$dir/pids"
        sleep 0.05
    done
    in_use "$port"
done

{
    echo "S3_ENDPOINT=http://127.0.0.1:$base"
    echo "S3_TLS_ENDPOINT=https://localhost:$((base + 5))"
    echo "S3_CA_FILE=$dir/tls/ca.crt"
    echo "S3_ACCESS_KEY=$access_key"
    echo "S3_SECRET_KEY=$secret_key"
    echo "S3_SERVER=swift-$(chroot "$root" /usr/bin/python3 -c 'import swift; print(swift.__version__)')"
} > "$dir/env.new"
mv "$dir/env.new" "$dir/env"
cat "$dir/env"
echo READY

if [ "$detach" = 1 ]; then trap - EXIT TERM INT; disown -a; exit 0; fi
exec >/dev/null
parent=$PPID
while kill -0 "$(head -n 1 "$dir/pids")" 2>/dev/null && kill -0 "$parent" 2>/dev/null; do sleep 0.5; done
stop
[ "$own_dir" = 0 ] || rm -rf "$dir"
