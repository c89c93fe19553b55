#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# observe_test.sh PYTHON CHECKER DOC: what operators see of combd: metrics, calls, the access log, trace ids.
. tests/e2e/lib.sh

PYTHON=$PWD/$1
CHECKER=$PWD/$2
DOC=$PWD/$3
log=$TEST_TMPDIR/access.log

# http PATH: the answer's body, of combd's metrics listener.
http() {
    "$PYTHON" - "$metrics" "$1" <<'END'
import sys
import urllib.request
print(urllib.request.urlopen("http://%s%s" % (sys.argv[1], sys.argv[2]), timeout=30).read().decode())
END
}

start_combd --metrics-listen 127.0.0.1:0 --access-log "$log"
metrics=$(sed -n 's/^metrics=//p' "$TEST_TMPDIR/ready")
login_admin
comb mkdir /personal/seen >/dev/null
expect 0 comb stat /personal/seen

# The table of docs/metrics.md is what it tells.
"$PYTHON" "$CHECKER" "$DOC" "${metrics##*:}" grpc.server. grpcc. comb.

# counted SERIES: its value.
counted() {
    http /metrics | sed -n "s|^$1 ||p"
}
before=$(counted 'grpc_server_call_started_total{grpc_method="comb.v1.Tree/Stat"}')
expect 0 comb stat /personal/seen
after=$(counted 'grpc_server_call_started_total{grpc_method="comb.v1.Tree/Stat"}')
[ "$after" -gt "$before" ] || fail "Stat was counted $before times, then $after"

# The calls under way: a watch stays until it is ended.
comb watch >"$TEST_TMPDIR/watched" 2>&1 &
watch=$!
waited=0
until http /calls | grep -q '"method":"/comb.v1.Tree/Watch"'; do
    [ "$waited" -lt 600 ] || fail "no watch among the calls: $(http /calls)"
    sleep 0.1
    waited=$((waited + 1))
done
kill "$watch"
wait "$watch" || true

# A line for each call, with the user; after the file was moved away, in a new one.
lines() {
    "$PYTHON" - "$1" <<'END'
import json
import sys
for line in open(sys.argv[1], encoding="utf-8"):
    call = json.loads(line)
    print(call["method"], call["status"], call.get("user", "-"), len(call["trace"]))
END
}
wait_for_line() {
    local waited=0
    until lines "$log" 2>/dev/null | grep -qx "$1"; do
        [ "$waited" -lt 600 ] || fail "no line '$1' in: $(cat "$log")"
        sleep 0.1
        waited=$((waited + 1))
    done
}
wait_for_line "/comb.v1.Tree/Stat OK admin 32"
wait_for_line "/comb.v1.Auth/Login OK - 32"
mv "$log" "$log.1"
kill -HUP "$combd_pid"
waited=0
until grep -q "opened the access log again" "$TEST_TMPDIR/combd.log"; do
    [ "$waited" -lt 600 ] || fail "SIGHUP does not open the access log again"
    sleep 0.1
    waited=$((waited + 1))
done
expect 3 comb stat /personal/nowhere
wait_for_line "/comb.v1.Tree/Stat NOT_FOUND admin 32"

# The line of the failed call in combd's own log has the same trace id.
trace=$("$PYTHON" -c 'import json, sys
print([json.loads(line) for line in open(sys.argv[1]) if "NOT_FOUND" in line][0]["trace"])' "$log")
grep -q "msg=\"call failed\".*trace=\"$trace\"" "$TEST_TMPDIR/combd.log" || fail "trace $trace is not in combd's log"
stop_combd

# Not beyond this machine by accident, and said when it cannot be done.
expect 1 "$COMBD" --home "$COMB_HOME" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --metrics-listen 0.0.0.0:0
says "--insecure"
expect 1 "$COMBD" --home "$COMB_HOME" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --access-log /no/such/folder/log
says "--access-log: /no/such/folder/log"
echo "ok"
