#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What happens to a combd that is run: a second one beside it, a full disk, guessed passwords, the end while somebody downloads.
. tests/e2e/lib.sh

GUESSES_MAX=40
AWAIT_TENTHS_MAX=600

# await TEXT: until combd's log holds it.
await() {
    local waited=0
    until grep -q "$1" "$TEST_TMPDIR/combd.log"; do
        [ "$waited" -lt "$AWAIT_TENTHS_MAX" ] || fail "combd does not say $1"
        sleep 0.1
        waited=$((waited + 1))
    done
}

start_combd
login_admin

# A second process on the same installation says who has it.
expect 1 "$COMBD" --home "$COMB_HOME" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0
says "another process"
expect 0 comb whoami

# The end waits for a download that has begun, however slowly it is read.
head -c 64000000 /dev/urandom >"$TEST_TMPDIR/long"
expect 0 comb put "$TEST_TMPDIR/long" /personal/
mkfifo "$TEST_TMPDIR/pipe"
comb cat /personal/long >"$TEST_TMPDIR/pipe" &
download=$!
exec 3<"$TEST_TMPDIR/pipe"
head -c 100000 <&3 >"$TEST_TMPDIR/back"
kill -TERM "$combd_pid"
await draining
cat <&3 >>"$TEST_TMPDIR/back"
exec 3<&-
wait "$download" || fail "the download ended with status $?"
wait "$combd_pid" || fail "combd ended with status $?"
combd_pid=
cmp "$TEST_TMPDIR/long" "$TEST_TMPDIR/back" || fail "the download is not what was sent"

# A full disk, as far as a limit can play it: said, nothing half there, and over when there is room.
head -c 7000000 /dev/urandom >"$TEST_TMPDIR/large"
unlimited=$(ulimit -H -f)
ulimit -S -f 6000
start_combd
ulimit -S -f "$unlimited"
expect 6 comb put "$TEST_TMPDIR/large" /personal/
says STORE_FULL
expect 3 comb stat /personal/large
printf 'small\n' >"$TEST_TMPDIR/small"
expect 0 comb put "$TEST_TMPDIR/small" /personal/
stop_combd
start_combd
expect 0 comb put "$TEST_TMPDIR/large" /personal/
expect 0 comb get /personal/large "$TEST_TMPDIR/large.back"
cmp "$TEST_TMPDIR/large" "$TEST_TMPDIR/large.back" || fail "what was sent after the disk was full is not right"

# Who guesses passwords is asked to wait, whatever he guesses then; sessions go on.
printf 'wrong horse battery\n' >"$TEST_TMPDIR/wrong"
mkdir -m 700 "$TEST_TMPDIR/guesser"
guess() {
    COMB_HOME=$TEST_TMPDIR/guesser "$COMB" --timeout 3 login --user admin --password-file "$1"
}
expect 4 guess "$TEST_TMPDIR/wrong"
says "login or password is wrong"
guesses=1
status=4
while [ "$status" = 4 ]; do
    status=0
    guess "$TEST_TMPDIR/wrong" >"$TEST_TMPDIR/guessed" 2>&1 || status=$?
    guesses=$((guesses + 1))
    [ "$guesses" -le "$GUESSES_MAX" ] || fail "nobody minds $guesses guesses"
done
[ "$status" = 6 ] || fail "guess $guesses gave status $status: $(cat "$TEST_TMPDIR/guessed")"
expect 6 guess "$COMB_HOME/admin"
says "try again in"
expect 0 comb whoami
stop_combd
echo passed
