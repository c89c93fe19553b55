#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# browser_test.sh: a page in headless Chromium, which comes from elsewhere, and its own stubs, made of the protos alone: by
# gRPC-Web, binary and in base64, through Envoy to combd. What it uploaded is then there for comb.
# shellcheck source=../e2e/lib.sh
. tests/e2e/lib.sh

envoy_pid='' browse_pid=
end_all() {
    [ -z "$browse_pid" ] || kill -KILL "$browse_pid" 2>/dev/null || true
    [ -z "$envoy_pid" ] || kill -KILL "$envoy_pid" 2>/dev/null || true
    cleanup
}
trap end_all EXIT

# wait_for WHAT COMMAND...
wait_for() {
    local what=$1 waited=0
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$waited" -lt 600 ] || fail "$what"
        sleep 0.1
        waited=$((waited + 1))
    done
}

start_combd
login_admin
cd "$TEST_TMPDIR"
runfiles=$OLDPWD
library=$("$runfiles/external/peers/bin/node" -p 'require.resolve("protobufjs/dist/protobuf.js")')
# What comes with protoc.
wkt=$("$runfiles/external/peers/bin/python" -c 'import grpc_tools, os; print(os.path.dirname(grpc_tools.__file__))')/_proto
mkfifo where
"$runfiles/external/peers/bin/python" -B "$runfiles/tests/browser/browse.py" "$PWD/page" "$runfiles/tests/browser/page" "$library" \
    "$runfiles/api,$runfiles/gen/runtime/proto,$wkt" "$COMB_HOME/admin" <where 2>browse.log &
browse_pid=$!
exec 5>where
wait_for "the page is not served: $(cat browse.log)" test -s page

python3 -c 'import socket
sockets = [socket.socket() for _ in range(2)]
for one in sockets: one.bind(("127.0.0.1", 0))
print(*[one.getsockname()[1] for one in sockets])' >ports
read -r port admin_port <ports
"$runfiles/external/peers/bin/python" "$runfiles/api/envoy/envoy.py" --print-endpoints "$server" >endpoints.json
"$runfiles/external/peers/bin/python" "$runfiles/api/envoy/envoy.py" --descriptors "$runfiles/api/descriptors.pb" \
    --listen "127.0.0.1:$port" --admin "127.0.0.1:$admin_port" --endpoints "$PWD/endpoints.json" --cors-origin "$(cat page)" >envoy.json
"$runfiles/external/peers/bin/envoy" -c envoy.json --concurrency 1 --disable-hot-restart --log-level warn >envoy.log 2>&1 &
envoy_pid=$!
wait_for "Envoy does not answer" curl -sSf --max-time 5 "http://127.0.0.1:$admin_port/ready"
reaches_combd() { curl -sS --max-time 5 "http://127.0.0.1:$admin_port/clusters" | grep 'health_flags::healthy'; }
wait_for "Envoy reaches no combd" reaches_combd

# A page from anywhere else is told nothing, so that its browser asks no further.
preflight() {
    curl -sS --max-time 30 -X OPTIONS -D - -o /dev/null -H "origin: $1" -H 'access-control-request-method: POST' \
        "http://127.0.0.1:$port/comb.v1.Auth/Login" | grep -ci '^access-control-allow-origin:' || true
}
[ "$(preflight "$(cat page)")" = 1 ] || fail "the page's origin is refused"
[ "$(preflight http://127.0.0.1:1)" = 0 ] || fail "any origin is taken"

echo "http://127.0.0.1:$port" >&5
exec 5>&-
wait "$browse_pid" || fail "$(cat browse.log)"
browse_pid=
[ "$(comb cat /personal/text-small)" = "a few words" ] || fail "what the page put is another thing for comb"
[ "$(comb ls /personal | wc -l)" = 6 ] || fail "the page left $(comb ls /personal)"
