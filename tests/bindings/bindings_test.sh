#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bindings_test.sh: programs in Python, Go and Node, with stubs made of the protos alone, over two replicas on the same
# clustered stores. Each works, loses one of the two by -9, and works on by the other one: first with both addresses, then
# with Envoy's alone.
# shellcheck source=../e2e/lib.sh
. tests/e2e/lib.sh

second_pid='' envoy_pid=
end_all() {
    [ -z "$envoy_pid" ] || kill -KILL "$envoy_pid" 2>/dev/null || true
    [ -z "$second_pid" ] || kill -KILL "$second_pid" 2>/dev/null || true
    cleanup
}
trap end_all EXIT

start_second() {
    rm -f "$TEST_TMPDIR/second.ready"
    "$COMBD" --home "$TEST_TMPDIR/second" --listen "${second:-127.0.0.1:0}" --admin-listen 127.0.0.1:0 --cluster \
        "${stores[@]}" --ready-file "$TEST_TMPDIR/second.ready" >>"$TEST_TMPDIR/second.log" 2>&1 &
    second_pid=$!
    local waited=0
    until [ -s "$TEST_TMPDIR/second.ready" ]; do
        [ "$waited" -lt 600 ] || fail "the second combd does not serve: $(tail -n 3 "$TEST_TMPDIR/second.log")"
        sleep 0.1
        waited=$((waited + 1))
    done
    second=$(sed -n 's/^listen=//p' "$TEST_TMPDIR/second.ready")
}

envoy_config() {
    external/peers/bin/python api/envoy/envoy.py "$@"
}

# Envoy in front of both, who stay at their addresses when they are started again.
start_envoy() {
    local waited=0
    python3 -c 'import socket
sockets = [socket.socket() for _ in range(2)]
for one in sockets: one.bind(("127.0.0.1", 0))
print(*["127.0.0.1:%d" % one.getsockname()[1] for one in sockets])' >"$TEST_TMPDIR/ports"
    read -r envoy envoy_admin <"$TEST_TMPDIR/ports"
    envoy_config --print-endpoints "$server" "$second" >"$TEST_TMPDIR/endpoints.json"
    envoy_config --descriptors api/descriptors.pb --listen "$envoy" --admin "$envoy_admin" \
        --endpoints "$TEST_TMPDIR/endpoints.json" >"$TEST_TMPDIR/envoy.json"
    external/peers/bin/envoy -c "$TEST_TMPDIR/envoy.json" --concurrency 1 --disable-hot-restart --log-level warn \
        >"$TEST_TMPDIR/envoy.log" 2>&1 &
    envoy_pid=$!
    until curl -sSf --max-time 5 "http://$envoy_admin/ready" >/dev/null 2>&1; do
        [ "$waited" -lt 600 ] || fail "Envoy does not answer: $(tail -n 3 "$TEST_TMPDIR/envoy.log")"
        sleep 0.1
        waited=$((waited + 1))
    done
}

# both_serve: as Envoy sees them.
both_serve() {
    local waited=0
    until [ "$(curl -sS --max-time 5 "http://$envoy_admin/clusters" | grep -c 'health_flags::healthy')" = 2 ]; do
        [ "$waited" -lt 600 ] || fail "Envoy does not reach both"
        sleep 0.1
        waited=$((waited + 1))
    done
}

# works_on NAME COMMAND...: the command says "ready", loses the second replica, and says "done".
works_on() {
    local name=$1 line
    shift
    coproc client { exec "$@" 2>"$TEST_TMPDIR/$name.log"; }
    # shellcheck disable=SC2154 # coproc assigns it
    local pid=$client_PID from=${client[0]} to=${client[1]}
    read -r -t 120 -u "$from" line && [ "$line" = ready ] || fail "$name: $(cat "$TEST_TMPDIR/$name.log")"
    kill -KILL "$second_pid"
    wait "$second_pid" || true
    second_pid=
    echo "it is gone" >&"$to"
    read -r -t 120 -u "$from" line && [ "$line" = "done" ] || fail "$name, without the second: $(cat "$TEST_TMPDIR/$name.log")"
    wait "$pid" || fail "$name ended with status $?"
    # What it wrote is there for everybody.
    [ "$(comb ls "/personal/by-$name" | wc -l)" = 4 ] || fail "$name left $(comb ls "/personal/by-$name")"
}

# protos: the two roots of this project's protos.
api=$PWD/api rpc=$PWD/gen/runtime/proto
stubs=$TEST_TMPDIR/stubs
mkdir -p "$stubs"
(cd api && ../external/peers/bin/python -m grpc_tools.protoc -I . -I "$rpc" --python_out="$stubs" \
    --grpc_python_out="$stubs" comb/v1/*.proto google/api/*.proto)

start_combd --cluster
login_admin
start_second

# loses_one WAY ADDRESSES: all three programs.
loses_one() {
    local way=$1 addresses=$2
    PYTHONPATH=$stubs works_on "python$way" external/peers/bin/python tests/bindings/python_client.py \
        "$addresses" "$COMB_HOME/admin" "by-python$way"
    start_again
    works_on "go$way" external/peers/bin/go_client "$addresses" "$COMB_HOME/admin" "by-go$way"
    start_again
    works_on "node$way" external/peers/bin/node tests/bindings/node_client.js "$api,$rpc" \
        "$addresses" "$COMB_HOME/admin" "by-node$way"
}

start_again() {
    start_second
    [ -z "$envoy_pid" ] || both_serve
}

loses_one "" "$second,$server"
start_second
start_envoy
both_serve
loses_one -envoy "$envoy"
