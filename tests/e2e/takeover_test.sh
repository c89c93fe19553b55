#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two combd on the same clustered stores: the one that runs an operation is killed, and the other finishes it, once.
# The operation is a sweep that stands still because the store of contents does.
# shellcheck source=lib.sh
. tests/e2e/lib.sh

second_pid=
end_all() {
    [ -z "$second_pid" ] || kill -KILL "$second_pid" 2>/dev/null || true
    s3 CONT || true
    cleanup
}
trap end_all EXIT

# flag NAME: its value among those of the stores.
flag() {
    local i
    for ((i = 0; i < ${#stores[@]}; i++)); do
        [ "${stores[i]}" != "$1" ] || printf '%s\n' "${stores[i + 1]}"
    done
}

# s3 SIGNAL
s3() {
    kill "-$1" "$(cut -d ' ' -f 1 "$TEST_TMPDIR/stores/s3/pid")" 2>/dev/null
}

# sql STATEMENT
sql() {
    local url credentials
    url=$(flag --sql)
    credentials=$(cat "$(flag --sql-credentials-file)")
    /usr/lib/postgresql/15/bin/psql -X -q -A -t -v ON_ERROR_STOP=1 -c "$1" "postgres://$credentials@${url#postgres://}"
}

# running ADMIN-ADDRESS: how many operations that replica runs.
running() {
    comb admin statistics operations --server "$1" | awk '$1 == "running" { print $2 }'
}

start_combd --cluster
login_admin
"$COMBD" --home "$TEST_TMPDIR/second" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --cluster "${stores[@]}" \
    --ready-file "$TEST_TMPDIR/second.ready" >>"$TEST_TMPDIR/second.log" 2>&1 &
second_pid=$!
waited=0
until [ -s "$TEST_TMPDIR/second.ready" ]; do
    [ "$waited" -lt 600 ] || fail "the second combd does not serve: $(tail -n 3 "$TEST_TMPDIR/second.log")"
    sleep 0.1
    waited=$((waited + 1))
done
second=$(sed -n 's/^listen=//p' "$TEST_TMPDIR/second.ready")
second_admin=$(sed -n 's/^admin=//p' "$TEST_TMPDIR/second.ready")

# What a writer left who is dead.
s3 STOP
sql "INSERT INTO blob_session (id, create_us, expire_us) VALUES ('\\x0190000000007000800000000000dead', 0, 1)"

# The servers may have begun a sweep by themselves, and not seen it: then that is waited for.
waited=0
until output=$(comb admin sweep 2>&1); do
    [ "$waited" -lt 600 ] || fail "no sweep can be begun: $output"
    [ "$(sql "SELECT count(*) FROM operation WHERE state IN (1, 2)")" = 0 ] || break
    sleep 0.1
    waited=$((waited + 1))
done
sweep=$(sql "SELECT id FROM operation WHERE state IN (1, 2)" | sed -E 's/^\\x(.{8})(.{4})(.{4})(.{4})(.{12})$/\1-\2-\3-\4-\5/')
[ -n "$sweep" ] || fail "there is no operation: $output"

# Whoever has it is killed.
waited=0 survivor=
while [ -z "$survivor" ]; do
    if [ "$(running "$admin")" = 1 ]; then
        kill -KILL "$combd_pid"
        survivor=$second survivor_admin=$second_admin combd_pid=
    elif [ "$(running "$second_admin")" = 1 ]; then
        kill -KILL "$second_pid"
        survivor=$server survivor_admin=$admin second_pid=
    else
        [ "$waited" -lt 600 ] || fail "nobody runs $sweep: $(comb operations show "$sweep")"
        sleep 0.1
        waited=$((waited + 1))
    fi
done
s3 CONT

export COMB_SERVER=$survivor
login_admin
expect 0 comb operations wait "$sweep"
says "done"
says "removed   1 dead sessions"
[ "$(sql "SELECT fence > 1 FROM operation WHERE id = '\\x${sweep//-/}'")" = t ] || fail "nobody took $sweep over"
[ "$(comb admin statistics operations --server "$survivor_admin" | awk '$1 == "done" { print $2 }')" -ge 1 ] ||
    fail "the survivor has not finished it"
