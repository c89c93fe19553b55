#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Operations over a real socket: begun, waited for, listed, forgotten, and seen by nobody else.
. tests/e2e/lib.sh

# id_of: the first word of the last expect's output.
id_of() {
    printf '%s\n' "$output" | awk 'NR == 1 { print $1 }'
}

# begin_sweep: begins one; the server may be at one of its own, which is waited for.
begin_sweep() {
    local tries=0 status=1
    while [ "$status" != 0 ]; do
        status=0
        output=$(comb admin sweep 2>&1) || status=$?
        if [ "$status" != 0 ]; then
            [ "$status" = 5 ] || fail "admin sweep gave status $status: $output"
            says "has not ended yet"
            tries=$((tries + 1))
            [ "$tries" -lt 100 ] || fail "there is always a sweep already"
            expect 0 comb operations wait "$(sed -nE '1s/.*operation ([0-9a-f-]{36}) .*/\1/p' <<<"$output")"
        fi
    done
}

start_combd
login_admin

begin_sweep
sweep=$(id_of)
expect 0 comb operations wait "$sweep"
says "data.sweep"
says "done"
says "removed   0 dead sessions, 0 uploads, 0 blobs"
expect 0 comb -o json operations show "$sweep"
says '"state":"OPERATION_STATE_DONE"'
says '"@type":"type.googleapis.com/comb.v1.DataSweepResult"'
expect 0 comb operations ls --kind data.sweep --state "done"
says "$sweep"
expect 0 comb operations ls --state failed
[ -z "$output" ] || fail "something has failed: $output"
expect 2 comb operations ls --state nonsense

# What has ended is cancelled without harm.
expect 0 comb operations cancel "$sweep"
says "done"

# Nobody else sees it, and only administrators sweep.
printf 'correct horse\n' >"$TEST_TMPDIR/password"
expect 0 comb user add anna --password-file "$TEST_TMPDIR/password"
mkdir -m 700 "$TEST_TMPDIR/anna"
anna() {
    COMB_HOME=$TEST_TMPDIR/anna "$COMB" "$@"
}
expect 0 anna login --user anna --password-file "$TEST_TMPDIR/password"
expect 3 anna operations show "$sweep"
expect 3 anna operations wait "$sweep"
expect 3 anna operations cancel "$sweep"
expect 3 anna operations rm "$sweep"
expect 0 anna operations ls
[ -z "$output" ] || fail "anna sees $output"
expect 4 anna admin sweep

# Contents are encrypted only where combd was told to.
printf 'in the clear: plain marker\n' >"$TEST_TMPDIR/plain"
printf 'encrypted: sealed marker\n' >"$TEST_TMPDIR/sealed"
expect 0 comb put "$TEST_TMPDIR/plain" /personal/plain
expect 4 anna admin encrypt
expect 4 anna admin rotate-keys
output=$(comb admin encrypt --wait 2>&1) && fail "encryption that is off: $output"
says "start it with --encrypt-data"

# It outlives its process, until it is forgotten.
stop_combd
start_combd --encrypt-data
expect 0 comb put "$TEST_TMPDIR/sealed" /personal/sealed
expect 0 comb admin encrypt --wait
says "done"
expect 0 comb admin rotate-keys --wait
says "done"
says "progress  2 contents"
if grep -rq 'sealed marker' "$COMB_HOME/data"; then
    fail "a content can be read in the store"
fi
stop_combd
start_combd
for name in plain sealed; do
    expect 0 comb get "/personal/$name" "$TEST_TMPDIR/again-$name"
    cmp "$TEST_TMPDIR/$name" "$TEST_TMPDIR/again-$name" || fail "$name is not what was put"
done
expect 0 comb operations show "$sweep"
expect 0 comb operations rm "$sweep"
expect 3 comb operations show "$sweep"
expect 3 comb operations rm "$sweep"
expect 3 comb operations show not-an-id
stop_combd
echo passed
