#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A database that was put back from a dump into another server: refused until the operator says so, and then no
# number of the old history is misread. The old server is known as old from then on.
. tests/e2e/lib.sh

BIN=/usr/lib/postgresql/15/bin

# postgres NAME PORT: a server with a database "comb" and its data below $TEST_TMPDIR/NAME.
postgres() {
    "$BIN/initdb" -D "$TEST_TMPDIR/$1" -A trust -U app -E UTF8 --no-sync --locale=C >/dev/null
    "$BIN/pg_ctl" -D "$TEST_TMPDIR/$1" -l "$TEST_TMPDIR/$1.log" -w -t 60 \
        -o "-p $2 -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off" start >/dev/null
    query "$2" postgres 'CREATE DATABASE comb' >/dev/null
}

# query PORT DATABASE SQL
query() {
    "$BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$1" -U app -d "$2" -c "$3"
}

stop_all() {
    for name in old new; do
        "$BIN/pg_ctl" -D "$TEST_TMPDIR/$name" -m immediate stop >/dev/null 2>&1 || true
    done
    cleanup
}
trap stop_all EXIT

# changes CURSOR: what has changed in /personal since.
changes() {
    comb call Tree Changes --json "{\"folder\": {\"path\": \"/personal\"}, \"cursor\": \"$1\"}"
}

# now: the cursor of this moment.
now() {
    changes "" | sed -n 's/.*"nextCursor": *"\([^"]*\)".*/\1/p'
}

postgres old 16001
old=postgres://app@127.0.0.1:16001/comb
start_combd --sql "$old"
login_admin
comb mkdir /personal/kept
for i in $(seq 60); do # so that numbers of the old server lie far ahead of the new one's
    query 16001 comb "SELECT pg_current_xact_id()" >/dev/null
    comb mkdir "/personal/kept/$i"
done
cursor=$(now)
[ -n "$cursor" ] || fail "no cursor"
stop_combd

postgres new 16002
new=postgres://app@127.0.0.1:16002/comb
"$BIN/pg_dump" -h 127.0.0.1 -p 16001 -U app comb >"$TEST_TMPDIR/dump.sql"
"$BIN/psql" -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p 16002 -U app -d comb -f "$TEST_TMPDIR/dump.sql" >/dev/null

# Not by itself.
expect 1 "$COMBD" --home "$COMB_HOME" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --sql "$new"
says "run combd once with --restored"

expect 0 "$COMBD" --home "$COMB_HOME" --sql "$new" --restored
says "a new history begins"
# Said twice, it is as good.
expect 0 "$COMBD" --home "$COMB_HOME" --sql "$new" --restored

start_combd --sql "$new"
comb stat /personal/kept/60 >/dev/null
expect 2 changes "$cursor"
says CURSOR_INVALID
for i in $(seq 61 100); do
    comb mkdir "/personal/kept/$i"
done
cursor=$(now)
comb mkdir /personal/later
expect 0 changes "$cursor"
says '"later"'
stop_combd

# The server that the dump came from, in place of the one that is in use.
expect 1 "$COMBD" --home "$COMB_HOME" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --sql "$old"
# By the mark, or by the connections, which look at it too.
case $output in
*"left behind, another took over"*) ;;
*) says "older than one that the installation has had" ;;
esac

# On an embedded store too.
unset server admin
COMB_HOME=$TEST_TMPDIR/embedded
start_combd
login_admin
cursor=$(now)
expect 1 "$COMBD" --home "$COMB_HOME" --restored
says "another process"
stop_combd
expect 0 "$COMBD" --home "$COMB_HOME" --restored
start_combd
expect 2 changes "$cursor"
says CURSOR_INVALID
stop_combd
