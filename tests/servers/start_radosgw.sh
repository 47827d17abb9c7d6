#!/usr/bin/env bash
# An S3 server of its own for tests: Ceph's radosgw on a monitor and an in-memory OSD, without systemd,
# root or manager. Debian 12: apt-get install --no-install-recommends radosgw ceph-mon ceph-osd openssl
#
#   start_radosgw.sh [--dir DIR] [--detach]     prints NAME=VALUE lines, then READY
#   start_radosgw.sh --stop DIR                 ends the server that was started in DIR
#
# Listens on 127.0.0.1 only, HTTP and HTTPS, on free ports. All state is in DIR (default: a new temporary
# directory); the same lines are written to DIR/env. In the foreground it ends, and takes the server with
# it, on TERM, INT, or when its parent has gone. Detached it returns at READY. Several may run at once.
set -euo pipefail

dir='' detach=0
while [ $# -gt 0 ]; do
    case $1 in
        --dir) dir=$2; shift 2 ;;
        --detach) detach=1; shift ;;
        --stop) dir=$2; shift 2; stop=1 ;;
        *) echo "usage: $0 [--dir DIR] [--detach] | --stop DIR" >&2; exit 2 ;;
    esac
done

end_all() { # the process ids in DIR/pids, as far as they are still ours
    [ -f "$dir/pids" ] || return 0
    local pid alive
    while read -r pid; do
        grep -qs -- "$dir" "/proc/$pid/environ" && kill "$pid" 2>/dev/null || true
    done < "$dir/pids"
    for _ in $(seq 6); do
        alive=0
        while read -r pid; do grep -qs -- "$dir" "/proc/$pid/environ" && alive=1; done < "$dir/pids"
        [ $alive = 0 ] && break
        sleep 0.05
    done
    while read -r pid; do
        grep -qs -- "$dir" "/proc/$pid/environ" && kill -9 "$pid" 2>/dev/null || true
    done < "$dir/pids"
    rm -f "$dir/pids"
}

if [ "${stop:-0}" = 1 ]; then end_all; rm -rf "$dir"; exit 0; fi

if [ -n "${FIREHOSE_SKIP_SERVERS:-}" ]; then
    echo "SKIPPED: FIREHOSE_SKIP_SERVERS is set, no S3 server is started" >&2
    exit 77
fi

export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C
for tool in radosgw radosgw-admin ceph-mon ceph-osd monmaptool ceph openssl; do
    if ! command -v "$tool" >/dev/null; then
        echo "$tool is missing; install: apt-get install --no-install-recommends radosgw ceph-mon ceph-osd openssl" >&2
        exit 3
    fi
done

own_dir=0
if [ -z "$dir" ]; then dir=$(mktemp -d "${TMPDIR:-/tmp}/radosgw.XXXXXX"); own_dir=1; fi
mkdir -p "$dir"; dir=$(cd "$dir" && pwd)
end_all
rm -rf "$dir"/{mon,osd,rgw,run,log,tls}; mkdir -p "$dir"/{mon,osd,rgw,run,log,tls}
export CEPH_CONF="$dir/ceph.conf"

parent=$PPID
clean_up() { trap - EXIT TERM INT; end_all; [ $own_dir = 0 ] || rm -rf "$dir"; }
on_exit() {
    rc=$?
    if [ $rc != 0 ]; then echo "radosgw did not start; its logs:" >&2; tail -n 5 "$dir"/log/* >&2 || true; fi
    clean_up
    exit $rc
}
trap on_exit EXIT
trap 'clean_up; exit 0' TERM INT

in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# A run of free ports below the ephemeral range. Two starts that choose the same one are told apart by
# binding: the loser's monitor or gateway fails, and it tries another.
choose_ports() {
    local base port
    for _ in $(seq 50); do
        base=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
        for port in $(seq $base $((base + 19))); do in_use "$port" && continue 2; done
        http_port=$base tls_port=$((base + 1)) mon_port=$((base + 2)) osd_min=$((base + 3)) osd_max=$((base + 19))
        return 0
    done
    echo "no free ports" >&2; return 1
}

make_certificates() { ( # a CA of its own, and one certificate for localhost and 127.0.0.1
    cd "$dir/tls"
    openssl ecparam -name prime256v1 -genkey -noout -out ca.key
    openssl ecparam -name prime256v1 -genkey -noout -out server.key
    openssl req -x509 -new -key ca.key -sha256 -days 30 -subj "/CN=Test CA" -out ca.crt \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign"
    openssl req -new -key server.key -subj "/CN=localhost" -out server.csr
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n' > server.ext
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -sha256 -days 30 \
        -extfile server.ext -out server.crt
) >>"$dir/log/boot.log" 2>&1; }

write_configuration() {
    cat > "$CEPH_CONF" <<C
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$mon_port/0]
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
# without cephx the default, secure, makes radosgw ask the monitor again and again for ever
ms mon client mode = crc
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms bind msgr1 = false
ms bind port min = $osd_min
ms bind port max = $osd_max
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
mon data = $dir/mon
run dir = $dir/run
admin socket = $dir/run/\$name.asok
log file = $dir/log/\$name.log
crash dir = $dir/run
[mon]
mon data avail crit = 1
mon data avail warn = 2
# the default, a second of delay for each change of the map, is what makes a cluster slow to come up
paxos propose interval = 0.02
paxos min wait = 0.01
auth allow insecure global id reclaim = false
[osd]
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = ${RADOSGW_BYTES:-4294967296}
osd class load list = *
osd class default list = *
[client]
rgw data = $dir/rgw
rgw dns name = localhost
rgw enable apis = s3
# keys for SSE-KMS, in place of a key server
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = $kms_key=$(printf 'k%.0s' {1..32} | base64)
rgw frontends = beast tcp_nodelay=1 endpoint=127.0.0.1:$http_port ssl_endpoint=127.0.0.1:$tls_port ssl_certificate=$dir/tls/server.crt ssl_private_key=$dir/tls/server.key
rgw run sync thread = false
rgw zonegroup root pool = .rgw.root
rgw override bucket index max shards = 1
rgw dynamic resharding = false
rgw thread pool size = 64
C
}

run() { "$@" >>"$dir/log/boot.log" 2>&1; }
background() { "$@" >>"$dir/log/${1##*/}.out" 2>&1 & echo $! >> "$dir/pids"; last=$!; }

start() {
    rm -rf "$dir"/{mon,osd,rgw,run}; mkdir -p "$dir"/{mon,osd,rgw,run}
    fsid=$(cat /proc/sys/kernel/random/uuid)
    local osd_id; osd_id=$(cat /proc/sys/kernel/random/uuid)
    choose_ports || return 1
    write_configuration
    run monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port/0]" "$dir/monmap" || return 1
    run ceph-mon --mkfs -i a --monmap "$dir/monmap" || return 1
    background ceph-mon -i a -f; local mon=$last
    run timeout 30 ceph osd new "$osd_id" || return 1
    run ceph-osd -i 0 --mkfs --osd-uuid "$osd_id" || return 1
    background ceph-osd -i 0 -f
    local up=0
    for _ in $(seq 200); do
        kill -0 "$mon" 2>/dev/null || return 1
        timeout 10 ceph osd stat 2>>"$dir/log/boot.log" | grep -q '1 up' && { up=1; break; }
        sleep 0.05
    done
    [ $up = 1 ] || return 1
    run timeout 60 radosgw-admin user create --uid=test --display-name=test \
        --access-key="$access_key" --secret="$secret_key" || return 1
    background radosgw -n client.rgw -f; gateway=$last
    for _ in $(seq 300); do
        kill -0 "$gateway" 2>/dev/null || return 1
        in_use "$http_port" && in_use "$tls_port" && return 0
        sleep 0.05
    done
    return 1
}

access_key=TESTACCESSKEY0000001
secret_key='testsecretkey+/0000000000000000000000001'
kms_key=test-key-1
make_certificates
started=0
for _ in 1 2 3; do
    if start; then started=1; break; fi
    end_all
done
[ $started = 1 ] || exit 1

{
    echo "S3_ENDPOINT=http://127.0.0.1:$http_port"
    echo "S3_TLS_ENDPOINT=https://localhost:$tls_port"
    echo "S3_CA_FILE=$dir/tls/ca.crt"
    echo "S3_ACCESS_KEY=$access_key"
    echo "S3_SECRET_KEY=$secret_key"
    echo "S3_KMS_KEY=$kms_key"
    echo "S3_RGW_PID=$gateway"
    echo "S3_SERVER=radosgw-$(radosgw --version | cut -d' ' -f3)"
} > "$dir/env.new"
mv "$dir/env.new" "$dir/env"
cat "$dir/env"
echo READY

if [ $detach = 1 ]; then trap - EXIT TERM INT; disown -a; exit 0; fi
exec >/dev/null
while kill -0 "$gateway" 2>/dev/null && kill -0 "$parent" 2>/dev/null; do sleep 0.5; done
clean_up
