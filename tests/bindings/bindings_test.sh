#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bindings_test.sh: programs in Python, Go and Node, with stubs made of the protos alone, over two replicas on the same
# clustered stores. Each works, loses one of the two by -9, and works on by the other one.
# shellcheck source=../e2e/lib.sh
. tests/e2e/lib.sh

second_pid=
end_all() {
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

# works_on NAME COMMAND...: the command says "ready", loses the second replica, and says "done".
works_on() {
    local name=$1 line
    shift
    coproc client { exec "$@" 2>"$TEST_TMPDIR/$name.log"; }
    # shellcheck disable=SC2154 # coproc assigns it
    local pid=$client_PID from=${client[0]} to=${client[1]}
    read -r -t 60 -u "$from" line && [ "$line" = ready ] || fail "$name: $(cat "$TEST_TMPDIR/$name.log")"
    kill -KILL "$second_pid"
    wait "$second_pid" || true
    second_pid=
    echo "it is gone" >&"$to"
    read -r -t 60 -u "$from" line && [ "$line" = "done" ] || fail "$name, without the second: $(cat "$TEST_TMPDIR/$name.log")"
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
servers() { printf '%s,%s' "$second" "$server"; }

PYTHONPATH=$stubs works_on python external/peers/bin/python tests/bindings/python_client.py \
    "$(servers)" "$COMB_HOME/admin" by-python
start_second
works_on go external/peers/bin/go_client "$(servers)" "$COMB_HOME/admin" by-go
start_second
works_on node external/peers/bin/node tests/bindings/node_client.js "$api,$rpc" \
    "$(servers)" "$COMB_HOME/admin" by-node
