#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# comb lock, over a running combd: two users, a file of a shared workspace, and whoever presents which token.
. tests/e2e/lib.sh

start_combd
login_admin
T=$TEST_TMPDIR
printf 'one' >"$T/one"
printf 'two' >"$T/two"
head -c 9000000 /dev/zero >"$T/large"
printf 'correct horse battery' >"$T/password"
mkdir -m 700 "$T/alice"
alice() { COMB_HOME=$T/alice "$COMB" "$@"; }

expect 0 comb user add alice --password-file "$T/password"
expect 0 alice login --user alice --password-file "$T/password"
expect 0 comb workspace add common
expect 0 comb grant /common user:alice rw
expect 0 comb put "$T/one" /common/file

# The change feed, for whoever watches.
alice watch /common >"$T/watched" 2>&1 &
watcher=$!
waited=0
until expect 0 comb mkdir "/common/sign-$waited" && sleep 0.2 && grep -q 'sign-' "$T/watched"; do
    [ "$waited" -lt 100 ] || fail "the watch shows nothing: $(cat "$T/watched")"
    waited=$((waited + 1))
done

# Alice has it; nobody else changes it, she neither without the token.
expect 0 alice lock --lease 600 --note 'at lunch' /common/file
token=$(head -n 1 <<<"$output")
says "comb unlock /common/file $token ends it"
expect 0 comb locks /common/file
says 'exclusive  alice'
says 'at lunch'
expect 5 comb put "$T/two" /common/file
says NODE_LOCKED
says 'locked by "alice" until 2'
expect 5 comb put "$T/large" /common/file
says NODE_LOCKED
expect 5 comb mv /common/file /common/other
expect 5 comb rm /common/file
expect 5 comb meta /common/file user:colour=red
expect 5 comb lock /common/file
expect 5 comb lock --shared /common/file
expect 5 alice put "$T/two" /common/file
says NODE_LOCKED
expect 5 comb put --lock "$token" "$T/two" /common/file
says LOCK_LOST
expect 0 alice put --lock "$token" "$T/two" /common/file
expect 0 alice put --lock "$token" "$T/large" /common/file
expect 0 alice put --lock "$token" "$T/two" /common/file
expect 0 alice meta --lock "$token" /common/file user:colour=red
expect 0 alice mv --lock "$token" /common/file /common/moved
expect 0 alice lock --refresh "$token" --lease 3600 /common/moved
[ "$(head -n 1 <<<"$output")" = "$token" ] || fail "another token: $output"
expect 2 alice lock --lease 3601 /common/moved
expect 2 alice unlock /common/moved
expect 2 alice unlock /common/moved x
expect 5 alice unlock /common/moved "$((token + 1))"
expect 4 alice unlock --break /common/moved

# Given back, and what it opened stays shut.
expect 0 alice unlock /common/moved "$token"
expect 0 comb locks /common/moved
[ -z "$output" ] || fail "still locked: $output"
expect 5 alice put --lock "$token" "$T/one" /common/moved
says LOCK_LOST
expect 0 comb put "$T/one" /common/moved

# An administrator breaks the lock of who left.
expect 0 alice -o json lock /common/moved
second=$(sed 's/.*"token":"\([0-9]*\)".*/\1/' <<<"$output")
[ "$second" -gt "$token" ] || fail "the token did not grow: $output"
expect 5 comb rm /common/moved
expect 0 comb unlock --break /common/moved
expect 5 alice rm --lock "$second" /common/moved
expect 0 comb rm --permanently /common/moved

# Shared ones keep everybody off.
expect 0 comb put "$T/one" /common/read
expect 0 alice lock --shared /common/read
expect 0 comb lock --shared /common/read
expect 0 comb locks /common/read
[ "$(grep -c shared <<<"$output")" = 2 ] || fail "not two: $output"
expect 5 comb put "$T/two" /common/read

# A restart forgets none.
stop_combd
kill "$watcher" 2>/dev/null || true
wait "$watcher" || true
grep -q ' locked  ' "$T/watched" || fail "nobody saw the lock: $(cat "$T/watched")"
grep -q ' unlocked  ' "$T/watched" || fail "nobody saw its end: $(cat "$T/watched")"
start_combd
login_admin
expect 5 comb rm /common/read
expect 0 comb unlock --break /common/read
expect 0 comb rm /common/read
stop_combd
echo passed
