#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# comb vault, over a running combd: secrets, keys, and who may.
. tests/e2e/lib.sh

start_combd
login_admin

printf 'one' | expect 0 comb vault put app/db
printf 'two' >"$TEST_TMPDIR/two"
expect 0 comb vault put app/db --file "$TEST_TMPDIR/two" --expect 1
expect 5 comb vault put app/db --file "$TEST_TMPDIR/two" --expect 1
[ "$(comb vault get app/db)" = two ] || fail "the newest version is not two"
[ "$(comb vault get app/db --version 1)" = one ] || fail "the first version is not one"
[ "$(comb vault ls)" = app/ ] || fail "the list shows $(comb vault ls)"
expect 0 comb vault rm app/db
expect 3 comb vault get app/db
expect 0 comb vault undelete app/db 2
[ "$(comb vault get app/db)" = two ] || fail "what was undeleted is not there"
expect 0 comb vault destroy app/db 1
expect 3 comb vault get app/db --version 1
expect 2 comb vault get keys/jwt

expect 0 comb vault key add disk
comb vault encrypt disk --context a <"$TEST_TMPDIR/two" >"$TEST_TMPDIR/sealed" || fail "encrypt"
expect 0 comb vault key rotate disk
[ "$(comb vault decrypt disk --context a --file "$TEST_TMPDIR/sealed")" = two ] || fail "decrypt"
expect 2 comb vault decrypt disk --context b --file "$TEST_TMPDIR/sealed"
comb vault rewrap disk --context a --file "$TEST_TMPDIR/sealed" >"$TEST_TMPDIR/new" || fail "rewrap"
expect 0 comb vault key rotate disk --oldest 2
expect 5 comb vault decrypt disk --context a --file "$TEST_TMPDIR/sealed"
[ "$(comb vault decrypt disk --context a --file "$TEST_TMPDIR/new")" = two ] || fail "rewrapped"
