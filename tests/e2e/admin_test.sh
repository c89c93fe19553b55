#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What administrators see of one replica, on its admin address: rows, checks, numbers; and what it logs.
. tests/e2e/lib.sh

start_combd
login_admin

# A row each, with its URL and how it fares.
expect 0 comb admin stores --server "$admin"
for row in vault sql data cache; do
    grep -qE "^$row +up " <<<"$output" || fail "$row is not up: $output"
done
expect 0 comb -o json admin stores --server "$admin"
says '"row":"sql"'
says '"state":"ADMIN_STORE_STATE_UP"'

# Checks: all, some, none of that name.
expect 0 comb admin check --server "$admin"
grep -qE '^sql +ok ' <<<"$output" || fail "sql is not ok: $output"
grep -qE '^data +ok ' <<<"$output" || fail "data is not ok: $output"
expect 0 comb admin check --server "$admin" sql
[ "$(printf '%s\n' "$output" | wc -l)" = 1 ] || fail "more than sql was asked: $output"
expect 2 comb admin check --server "$admin" nonsense
says "rows"

# Numbers by group.
expect 0 comb admin statistics --server "$admin"
for group in calls sql facts feed operations installation store.sql store.data; do
    grep -qx "$group" <<<"$output" || fail "no group $group: $output"
done
expect 0 comb admin statistics --server "$admin" feed
[ "${output%%$'\n'*}" = feed ] || fail "not the group that was asked: $output"
[ "$(printf '%s\n' "$output" | wc -l)" = 4 ] || fail "more than the group that was asked: $output"
expect 0 comb admin info --server "$admin"
says "$(printf '  sql  ')"

# The log level, as --log takes it, until the process ends.
expect 3 comb stat /personal/nowhere-1
grep -q 'msg="call failed"' "$TEST_TMPDIR/combd.log" || fail "a failed call is not logged"
expect 0 comb admin log-level --server "$admin" all=error
: >"$TEST_TMPDIR/combd.log"
expect 3 comb stat /personal/nowhere-2
grep -q 'msg="call failed"' "$TEST_TMPDIR/combd.log" && fail "a failed call is logged at level error"
expect 0 comb admin log-level --server "$admin" all=info
expect 3 comb stat /personal/nowhere-3
grep -q 'msg="call failed"' "$TEST_TMPDIR/combd.log" || fail "a failed call is not logged any more"
expect 2 comb admin log-level --server "$admin" nonsense
expect 2 comb admin log-level --server "$admin" all=loud
expect 2 comb admin log-level --server "$admin" ""

# Administrators only.
printf 'correct horse\n' >"$TEST_TMPDIR/password"
expect 0 comb user add anna --password-file "$TEST_TMPDIR/password"
mkdir -m 700 "$TEST_TMPDIR/anna"
expect 0 env COMB_HOME="$TEST_TMPDIR/anna" "$COMB" login --user anna --password-file "$TEST_TMPDIR/password"
for verb in stores check statistics "log-level all=off"; do
    # shellcheck disable=SC2086
    expect 4 env COMB_HOME="$TEST_TMPDIR/anna" COMB_ADMIN_SERVER="$admin" COMB_SERVER= "$COMB" admin $verb
done
stop_combd
echo passed
