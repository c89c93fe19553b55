#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An import whose program and whose server are killed together, again and again: run once more it sends what is missing, and
# what is there then is what was to be sent.
. tests/e2e/lib.sh

FILES=150
KILLS=5
[ "${COMB_LONG:-}" != 1 ] || KILLS=20

mkdir -p "$TEST_TMPDIR/tree/sub/deep"
for ((i = 0; i < FILES; i++)); do
    head -c $((i * 97)) /dev/urandom >"$TEST_TMPDIR/tree/sub/$i"
done
head -c 20000000 /dev/urandom >"$TEST_TMPDIR/tree/sub/deep/large"
head -c 2000000 /dev/urandom >"$TEST_TMPDIR/tree/middle"

start_combd
login_admin
for ((kill = 0; kill < KILLS; kill++)); do
    "$COMB" put -r "$TEST_TMPDIR/tree" /personal/ >"$TEST_TMPDIR/put" 2>&1 &
    put=$!
    sleep "0.$((RANDOM % 6))$((RANDOM % 10))"
    kill -KILL "$combd_pid"
    kill -KILL "$put" 2>/dev/null || true
    wait "$combd_pid" "$put" || true
    start_combd
done

expect 0 comb put -r "$TEST_TMPDIR/tree" /personal/
expect 0 comb get -r /personal/tree "$TEST_TMPDIR/back"
diff -r "$TEST_TMPDIR/tree" "$TEST_TMPDIR/back" || fail "what came back is not what was sent"
expect 0 comb put -r "$TEST_TMPDIR/tree" /personal/
says "Nothing changed: $((FILES + 2)) files"
expect 0 comb tree /personal
says "3 folders, $((FILES + 2)) files"
stop_combd
echo passed
