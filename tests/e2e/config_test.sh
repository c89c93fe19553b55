#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The configuration through a real combd: values, revisions, history, schemas, rights, watches, the file edited by hand, restarts.
. tests/e2e/lib.sh

AWAIT_TENTHS_MAX=600

# await FILE TEXT: until the file holds it.
await() {
    local waited=0
    until grep -q "$2" "$1"; do
        [ "$waited" -lt "$AWAIT_TENTHS_MAX" ] || fail "$1 does not say $2: $(cat "$1")"
        sleep 0.1
        waited=$((waited + 1))
    done
}

start_combd
login_admin

# Values.
expect 3 comb config get /a/b
expect 0 comb config set '/a/b={"y": 1, "x": [true, null]}' '/a/c="text"'
first=$output
expect 0 comb config get /a/b
[ "$output" = '{"x":[true,null],"y":1}' ] || fail "the value is $output"
expect 0 comb -o json config get /a/c
says '"actor":'
says 'admin'
expect 2 comb config set '/a/b={'
says 'not JSON'
expect 2 comb config set '/a//b=1'
expect 0 comb config ls /a
[ "$output" = '/a/b = {"x":[true,null],"y":1}
/a/c = "text"' ] || fail "the list is $output"

# Revisions: all paths or none.
expect 5 comb config set --expect 0 /a/b=1 /new=1
says ETAG_MISMATCH
expect 3 comb config get /new
expect 0 comb config set --expect "$first" /a/b=2
[ "$output" -gt "$first" ] || fail "revision $output after $first"
expect 5 comb config rm --expect "$first" /a/b
expect 0 comb config rm /a/c
expect 3 comb config rm /a/c
expect 0 comb config history /a/c
says '(deleted)'
says '"text"'

# Schemas.
expect 2 comb config set '/schemas/limit={"pattern": "x"}'
says pattern
expect 0 comb config set '/schemas/limit={"type": "integer", "minimum": 1, "maximum": 10}'
expect 2 comb config set /limit=11
says 'bounds'
expect 2 comb config set '/limit="1"'
expect 0 comb config set /limit=10

# Watches tell what is there, and what changes; here through the file, which somebody edits.
comb config watch /a >"$TEST_TMPDIR/watch" 2>"$TEST_TMPDIR/watch.err" &
watch=$!
await "$TEST_TMPDIR/watch" '/a/b = 2'
expect 0 comb config set /a/d=4
await "$TEST_TMPDIR/watch" '/a/d = 4'
file=$COMB_HOME/config.json
sed 's|"/a/d": 4|"/a/d": 5|' "$file" >"$file.edited"
mv "$file.edited" "$file"
await "$TEST_TMPDIR/watch" '/a/d = 5'
expect 0 comb config history /a/d
says 'file'

# An edit that is no JSON changes nothing, is said with its line, and keeps changes out until it is corrected.
cp "$file" "$file.good"
sed 's|"/a/d": 5|"/a/d": 6,,|' "$file.good" >"$file.edited"
mv "$file.edited" "$file"
await "$TEST_TMPDIR/combd.log" 'line [0-9]*'
expect 0 comb config get /a/d
[ "$output" = 5 ] || fail "the value is $output"
expect 5 comb config set /a/d=7
says 'line'
mv "$file.good" "$file"
expect 0 comb config set /a/d=7
await "$TEST_TMPDIR/watch" '/a/d = 7'

# Only administrators.
printf 'secret-of-anna\n' >"$TEST_TMPDIR/anna"
expect 0 comb user add anna --password-file "$TEST_TMPDIR/anna"
cp -r "$COMB_HOME/client.json" "$TEST_TMPDIR/admin.json"
expect 0 comb login --user anna --password-file "$TEST_TMPDIR/anna"
expect 4 comb config get /a/d
expect 4 comb config set /a/d=1
expect 4 comb config ls
expect 4 comb config watch
cp "$TEST_TMPDIR/admin.json" "$COMB_HOME/client.json"

# A watch is served as long as its session counts.
mkdir -m 700 "$TEST_TMPDIR/other"
other() {
    COMB_HOME=$TEST_TMPDIR/other "$COMB" "$@"
}
expect 0 other login --user admin --password-file "$COMB_HOME/admin"
COMB_HOME=$TEST_TMPDIR/other "$COMB" config watch /a >"$TEST_TMPDIR/other.watch" 2>&1 &
other_watch=$!
await "$TEST_TMPDIR/other.watch" '/a/b = 2'
expect 0 other logout
status=0
wait "$other_watch" || status=$?
[ "$status" = 4 ] || fail "a watch of a session that has ended: status $status, $(tail -n 1 "$TEST_TMPDIR/other.watch")"

# All of it outlives the server; the watch ends with it, or goes on.
stop_combd
start_combd
expect 0 comb config get /a/d
[ "$output" = 7 ] || fail "the value is $output"
kill "$watch" 2>/dev/null || true
wait "$watch" || true
stop_combd
printf 'passed\n'
