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

# Consumers: who numbers the audit trail, what was set aside, and the same again.
waited=0
until comb admin consumers --server "$admin" | grep -qE '^audit +held '; do
    [ "$waited" -lt 600 ] || fail "nobody numbers the audit trail: $(comb admin consumers --server "$admin")"
    sleep 0.1
    waited=$((waited + 1))
done
expect 0 comb admin consumers --server "$admin"
says "(this one)"
expect 0 comb -o json admin consumers --server "$admin"
says '"name":"audit"'
says '"holderReplicaId":"'"$(comb admin info --server "$admin" | sed -n 's/^  replica   \([^,]*\),.*/\1/p')"
expect 0 comb admin set-aside --server "$admin" audit
[ -z "$output" ] || fail "something is set aside: $output"
expect 3 comb admin set-aside --server "$admin" nobody
says 'no consumer "nobody"'
expect 0 comb admin retry --server "$admin" audit
says "0 will be handled again"
expect 0 comb admin retry --server "$admin" audit 1:4711
says "0 will be handled again"
expect 2 comb admin retry --server "$admin" audit nonsense
expect 3 comb admin retry --server "$admin" nobody

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
for verb in stores check statistics "log-level all=off" consumers "set-aside audit" "retry audit"; do
    # shellcheck disable=SC2086
    expect 4 env COMB_HOME="$TEST_TMPDIR/anna" COMB_ADMIN_SERVER="$admin" COMB_SERVER= "$COMB" admin $verb
done
stop_combd
echo passed
