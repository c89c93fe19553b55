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

# A request id is of one request: repeated it gives the first outcome, with anything else in it, it is refused.
new_id() {
    /usr/bin/python3 -c 'import os, time
b = bytearray(int(time.time() * 1000).to_bytes(6, "big") + os.urandom(10))
b[6], b[8] = b[6] & 15 | 112, b[8] & 63 | 128
h = b.hex()
print("-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:])))'
}
call() {
    comb call Vault "$1" --json "$2"
}
id=$(new_id)
expect 0 call Put "{\"request_id\": \"$id\", \"path\": \"app/once\", \"value\": \"b25l\"}"
first=$output
expect 0 call Put "{\"request_id\": \"$id\", \"path\": \"app/once\", \"value\": \"b25l\"}"
[ "$output" = "$first" ] || fail "a repetition made $output, not $first"
expect 2 call Put "{\"request_id\": \"$id\", \"path\": \"app/once\", \"value\": \"dHdv\"}"
says REQUEST_ID_REUSED
expect 2 call Put "{\"request_id\": \"$id\", \"path\": \"app/other\", \"value\": \"b25l\"}"
says REQUEST_ID_REUSED
[ "$(comb vault get app/once)" = one ] || fail "a refused put has changed something"
expect 3 comb vault get app/other
for method in CreateKey RotateKey; do
    id=$(new_id)
    expect 0 call "$method" "{\"request_id\": \"$id\", \"name\": \"${method,,}\"}"
    expect 0 call "$method" "{\"request_id\": \"$id\", \"name\": \"${method,,}\"}"
    expect 2 call "$method" "{\"request_id\": \"$id\", \"name\": \"disk\"}"
    says REQUEST_ID_REUSED
    [ "$method" = RotateKey ] || expect 0 comb vault key add rotatekey
done
for method in Delete Undelete Destroy; do
    id=$(new_id)
    expect 0 call "$method" "{\"request_id\": \"$id\", \"path\": \"app/once\", \"versions\": [1]}"
    expect 2 call "$method" "{\"request_id\": \"$id\", \"path\": \"app/once\", \"versions\": [2]}"
    says REQUEST_ID_REUSED
done
