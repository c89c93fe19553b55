#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# registry_test.sh: two combd and an etcd. Each replica is seen through the other, with both of its addresses; one that
# stands still goes and comes back by itself; one that ends is gone; what was known is shown, marked, while etcd is away.
# shellcheck source=lib.sh
. tests/e2e/lib.sh

etcd_pid='' second_pid=''
end_all() {
    for pid in "$etcd_pid" "$second_pid" "$combd_pid"; do
        [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
    done
}
trap end_all EXIT

read -r client_port peer_port < <(/usr/bin/python3 -c 'import socket
a, b = socket.socket(), socket.socket()
a.bind(("127.0.0.1", 0))
b.bind(("127.0.0.1", 0))
print(a.getsockname()[1], b.getsockname()[1])')
start_etcd() {
    etcd --name t --data-dir "$TEST_TMPDIR/etcd" --listen-client-urls "http://127.0.0.1:$client_port" \
        --advertise-client-urls "http://127.0.0.1:$client_port" --listen-peer-urls "http://127.0.0.1:$peer_port" \
        --initial-advertise-peer-urls "http://127.0.0.1:$peer_port" --initial-cluster "t=http://127.0.0.1:$peer_port" \
        --unsafe-no-fsync --logger zap --log-level error >>"$TEST_TMPDIR/etcd.log" 2>&1 &
    etcd_pid=$!
}

# eventually COMMAND...: it succeeds within two minutes.
eventually() {
    local tries=0
    until "$@"; do
        [ "$tries" -lt 600 ] || fail "not in time: $* ($(comb registry ls 2>&1 || true))"
        sleep 0.2
        tries=$((tries + 1))
    done
}
lists() { comb registry ls comb 2>/dev/null | grep -qF -- "$1"; }
lists_not() { ! lists "$1"; }
marks_stale() { comb registry ls 2>&1 >/dev/null | grep -q "store is away"; }
marks_nothing() { ! marks_stale; }

start_etcd
url=etcd://127.0.0.1:$client_port/comb
start_combd --registry "$url"
login_admin
eventually lists "  $server  admin=$admin"

# The second replica, of another installation: what they share is the registry.
COMB_HOME=$TEST_TMPDIR/second "$COMBD" --home "$TEST_TMPDIR/second" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 \
    --registry "$url" --ready-file "$TEST_TMPDIR/second.ready" >>"$TEST_TMPDIR/second.log" 2>&1 &
second_pid=$!
eventually test -s "$TEST_TMPDIR/second.ready"
second=$(sed -n 's/^listen=//p' "$TEST_TMPDIR/second.ready")
eventually lists "  $second  "
[ "$(comb registry ls | wc -l)" = 2 ] || fail "not two replicas: $(comb registry ls)"

# A watch has the changes in their order.
comb registry watch comb >"$TEST_TMPDIR/watch" 2>&1 &
watch_pid=$!
eventually grep -qF "$second" "$TEST_TMPDIR/watch"

kill -STOP "$second_pid"
eventually lists_not "$second"
eventually grep -q removed "$TEST_TMPDIR/watch"
kill -CONT "$second_pid"
eventually lists "  $second  "

# A watch is served as long as its session counts.
printf 'correct horse\n' >"$TEST_TMPDIR/password"
expect 0 comb user add anna --password-file "$TEST_TMPDIR/password"
mkdir -m 700 "$TEST_TMPDIR/anna"
anna() {
    COMB_HOME=$TEST_TMPDIR/anna "$COMB" "$@"
}
expect 0 anna login --user anna --password-file "$TEST_TMPDIR/password"
COMB_HOME=$TEST_TMPDIR/anna "$COMB" call Registry Watch >"$TEST_TMPDIR/anna.watch" 2>&1 &
anna_pid=$!
eventually grep -qF "$server" "$TEST_TMPDIR/anna.watch"
expect 0 anna logout
status=0
wait "$anna_pid" || status=$?
[ "$status" = 4 ] || fail "a watch of a session that has ended: status $status, $(tail -n 1 "$TEST_TMPDIR/anna.watch")"

# While etcd is away: what was known, marked.
kill -KILL "$etcd_pid"
eventually marks_stale
lists "  $second  " || fail "the last known entries are not shown"
start_etcd
eventually marks_nothing
eventually lists "  $second  "

kill -TERM "$second_pid"
wait "$second_pid" || fail "the second combd ended with status $?"
second_pid=
eventually lists_not "$second"
stop_combd
wait "$watch_pid" && fail "the watch did not say that its replica drains"
grep -q draining "$TEST_TMPDIR/watch" || fail "no word of the drain: $(cat "$TEST_TMPDIR/watch")"
echo passed
