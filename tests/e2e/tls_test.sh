#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tls_test.sh VERSITYGW: stores behind TLS. `combd --check` reaches each one whose certificate is good, and says of one that
# has expired, or whose authority it does not know, what is wrong, in the line of its row.
# shellcheck source=lib.sh
. tests/e2e/lib.sh
# shellcheck source=certificates.sh
. tests/e2e/certificates.sh

VERSITYGW=$PWD/$1
POSTGRES=/usr/lib/postgresql/15/bin
cd "$TEST_TMPDIR"
folder=$PWD
pids=()

end_servers() {
    [ ${#pids[@]} = 0 ] || kill -KILL "${pids[@]}" 2>/dev/null || true
    cleanup
}
trap end_servers EXIT

certificates

# ---- servers; each gets the folder of its certificate ----

free_port() {
    /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# await PORT
await() {
    local waited=0
    until (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
        [ "$waited" -lt 600 ] || fail "nothing listens at $1: $(tail -n 5 server.log)"
        sleep 0.1
        waited=$((waited + 1))
    done
}

# spawn PORT COMMAND...
spawn() {
    local port=$1
    shift
    "$@" >>server.log 2>&1 &
    pids+=("$!")
    await "$port"
}

"$POSTGRES/initdb" -D data -A trust -U app --no-sync --no-instructions -E UTF8 --locale=C >/dev/null
start_sql() {
    port=$(free_port)
    rm -rf "data-$1"
    cp -r data "data-$1"
    spawn "$port" "$POSTGRES/postgres" -D "data-$1" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
        -c fsync=off -c ssl=on -c ssl_cert_file="$folder/$1/cert.pem" -c ssl_key_file="$folder/$1/key.pem"
    # It listens a while before it answers.
    local waited=0
    until "$POSTGRES/pg_isready" -q -h 127.0.0.1 -p "$port"; do
        [ "$waited" -lt 600 ] || fail "PostgreSQL does not start: $(tail -n 5 server.log)"
        sleep 0.1
        waited=$((waited + 1))
    done
    url="postgres://app@127.0.0.1:$port/postgres?sslmode=verify-full&sslrootcert="
}
start_config() {
    local peer
    port=$(free_port)
    peer=http://127.0.0.1:$(free_port)
    spawn "$port" /usr/bin/etcd --name a --data-dir "etcd-$1" --listen-client-urls "https://127.0.0.1:$port" \
        --advertise-client-urls "https://127.0.0.1:$port" --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
        --initial-cluster "a=$peer" --cert-file "$1/cert.pem" --key-file "$1/key.pem" --logger zap --log-level error
    url="etcd://127.0.0.1:$port/comb?ca="
}
start_events() {
    port=$(free_port)
    cat >"nats-$1.conf" <<END
listen: "127.0.0.1:$port"
tls: { cert_file: "$folder/$1/cert.pem", key_file: "$folder/$1/key.pem" }
END
    spawn "$port" /usr/sbin/nats-server -c "nats-$1.conf"
    url="nats://localhost:$port?ca="
}
(umask 077 && printf 'comb:comb-secret\n' >credentials)
start_data() {
    port=$(free_port)
    mkdir -p "blobs-$1/comb" "meta-$1"
    ROOT_ACCESS_KEY=comb ROOT_SECRET_KEY=comb-secret spawn "$port" "$VERSITYGW" --port "127.0.0.1:$port" --region us-east-1 --quiet \
        --cert "$folder/$1/cert.pem" --key "$folder/$1/key.pem" posix --sidecar "$folder/meta-$1" "$folder/blobs-$1"
    url="s3://comb?endpoint=https://127.0.0.1:$port&ca="
}

# line ROW STATUS URL FLAGS...: what --check says of the row, in $output.
line() {
    local row=$1 wanted=$2 url=$3
    shift 3
    expect "$wanted" "$COMBD" --home "$COMB_HOME" --check "--$row" "$url" "$@"
    output=$(grep "^$row " <<<"$output")
}

for row in config events data sql; do
    flags=()
    [ "$row" != data ] || flags=(--data-credentials-file "$folder/credentials")
    "start_$row" good
    line "$row" 0 "$url$folder/known.pem" "${flags[@]}"
    says ' ok '
    line "$row" 1 "$url$folder/unknown.pem" "${flags[@]}"
    grep -qiE 'FAILED.*(certificate|authority|verify)' <<<"$output" || fail "an unknown authority: $output"
    "start_$row" expired
    line "$row" 1 "$url$folder/known.pem" "${flags[@]}"
    grep -qiE 'FAILED.*expired' <<<"$output" || fail "an expired certificate: $output"
done
echo passed
