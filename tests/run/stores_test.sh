#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# stores_test.sh TREE COMBD COMB: bazel/stores with real servers. Its only line is what combd takes; a second start
# changes nothing; combd works on it, also after a stop and a start; nothing runs after the stop.
set -euo pipefail

tree=$PWD/$1 combd=$PWD/$2 comb=$PWD/$3
peers=$PWD/external/peers
cd "$TEST_TMPDIR"
cp -rL "$tree/bazel" bazel
mkdir external
ln -s "$peers" external/peers
stores=$TEST_TMPDIR/stores
export COMB_HOME=$TEST_TMPDIR/home
combd_pid=

fail() {
    echo "FAILED: $1"
    tail -n 20 "$stores"/*/log combd.log || true
    exit 1
}
cleanup() {
    [ -z "$combd_pid" ] || kill -KILL "$combd_pid" || true
    bazel/stores stop "$stores" || true
}
trap cleanup EXIT

# serve: starts combd on the stores, waits, logs in.
serve() {
    rm -f ready
    # shellcheck disable=SC2086
    "$combd" --home "$COMB_HOME" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --ready-file ready $flags >>combd.log 2>&1 &
    combd_pid=$!
    while [ ! -s ready ]; do
        kill -0 "$combd_pid" 2>/dev/null || fail "combd ended before it served"
        sleep 0.1
    done
    COMB_SERVER=$(sed -n 's/^listen=//p' ready)
    export COMB_SERVER
    "$comb" login --user admin --password-file "$COMB_HOME/admin" >/dev/null || fail "no log-in"
}
end() {
    kill -TERM "$combd_pid"
    wait "$combd_pid" || fail "combd ended with status $?"
    combd_pid=
}

bazel/stores start "$stores" >out || fail "start"
[ "$(wc -l <out)" = 1 ] || fail "more than a line: $(cat out)"
flags=$(cat out)
[ "$(bazel/stores start "$stores")" = "$flags" ] || fail "a second start says something else"

# Secrets are nobody else's and not among the flags.
for file in $(tr ' ' '\n' <out | grep "^$stores/"); do
    [ "$(stat -c %a "$file")" = 600 ] || fail "$file has mode $(stat -c %a "$file")"
    ! grep -qF -f "$file" out || fail "the line has the secret of $file"
done

# shellcheck disable=SC2086
"$combd" --home "$COMB_HOME" --check $flags >check || fail "combd --check: $(cat check)"
for row in $(tr ' ' '\n' <out | sed -n 's/^--\([a-z]*\)$/\1/p'); do
    grep -qE "^$row +[a-z0-9]+ +ok " check || fail "no line for $row: $(cat check)"
done

serve
echo text >file
"$comb" put file /personal/file >/dev/null || fail "put"
end

pids=$(cat "$stores"/*/pid | cut -d ' ' -f 1)
bazel/stores stop "$stores" || fail "stop"
for pid in $pids; do
    ! kill -0 "$pid" 2>/dev/null || fail "process $pid is still there"
done
# shellcheck disable=SC2086
! "$combd" --home "$COMB_HOME" --check $flags >check || fail "a check of stores that are gone says that all is well"
grep -q ' FAILED ' check || fail "no FAILED: $(cat check)"
bazel/stores stop "$stores" || fail "a second stop"

[ "$(bazel/stores start "$stores")" = "$flags" ] || fail "other ports after a restart"
serve
"$comb" get /personal/file copy >/dev/null || fail "get"
cmp file copy || fail "another content after a restart"
end
echo passed
