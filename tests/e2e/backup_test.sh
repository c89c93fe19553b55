#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An installation into one file and, in other stores, out of it again: all of it is there, nothing of it can be read in
# the file, and it goes back into empty stores only.
. tests/e2e/lib.sh

T=$TEST_TMPDIR
# Encrypted, so that it is seen that contents need no key to be moved; put back they are read without the flag.
start_combd --encrypt-data
login_admin

# ---- something of everything ----
printf 'a password of hers' >"$T/password"
chmod 600 "$T/password"
mkdir -p "$T/files/deep/deeper"
for i in $(seq 40); do
    printf 'file %s with a marker-in-clear\n' "$i" >"$T/files/deep/$i.txt"
done
head -c 9000000 /dev/urandom >"$T/files/deep/deeper/large"
: >"$T/files/empty"
expect 0 comb put -r "$T/files" /personal/files
printf 'second content' >"$T/second"
expect 0 comb put "$T/second" /personal/files/deep/7.txt
expect 0 comb user add anna --password-file "$T/password" --name 'Anna A.'
expect 0 comb grant /personal/files/deep user:anna read
printf 'first secret' | expect 0 comb vault put app/db
printf 'marker-secret-in-clear' >"$T/secret"
expect 0 comb vault put app/db --file "$T/secret" --expect 1
printf 'x' | expect 0 comb vault put app/gone
expect 0 comb vault destroy app/gone 1
expect 0 comb config set /app/limit=17
expect 0 comb doc store notes
expect 0 comb doc index add notes state /state
expect 0 comb doc put notes first '{"state": "open"}'
expect 0 comb doc put notes second '{"state": "open", "n": 2}'
expect 0 comb feed follow /personal/files
printf 'nightly run begins\n' | expect 0 comb log append --service nightly

# state: what there is to see of it.
state() {
    comb doc find notes /state=open
    comb doc index ls notes
    comb feed follows
    comb log --service nightly
    comb tree /personal/files
    comb user ls
    comb rights /personal/files/deep
    comb vault get app/db --version 1
    comb vault get app/db
    comb config get /app/limit
    comb audit verify | sed 's|:.*||'
}
state >"$T/before" 2>&1 || fail "the state before: $(cat "$T/before")"

# ---- out ----
expect 2 comb admin backup --server "$admin" "$T/backup"
says --key-file
expect 0 comb admin backup --server "$admin" --key-file "$T/key" "$T/backup"
says records
[ "$(stat -c %a "$T/backup")" = 600 ] || fail "the backup is open to others"
[ ! -e "$T/backup.partial" ] || fail "something is left behind"
[ "$(stat -c %s "$T/backup")" -gt 9000000 ] || fail "the backup is too short"
! grep -qa "marker-in-clear\|marker-secret-in-clear\|first secret\|Anna A" "$T/backup" || fail "it can be read"
# Work that comes later is not in it.
expect 0 comb mkdir /personal/later
chmod 644 "$T/key"
expect 1 comb admin backup --server "$admin" --key-file "$T/key" "$T/other"
says "others can read it"
chmod 600 "$T/key"
stop_combd

# ---- in ----
# restore FILE KEY
restore() {
    "$COMBD" --home "$COMB_HOME" --restore "$1" --restore-key-file "$2" --log all=warn
}
old_home=$COMB_HOME
expect 1 restore "$T/backup" "$T/key"
says "there is something in this store already"

COMB_HOME=$T/wrong
head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$T/wrong-key"
chmod 600 "$T/wrong-key"
expect 1 restore "$T/backup" "$T/wrong-key"
says "its key is another one"

# One byte of a content, and the end.
cp "$T/backup" "$T/changed"
printf 'X' | dd of="$T/changed" bs=1 seek=8000000 conv=notrunc status=none
COMB_HOME=$T/changed-home
expect 1 restore "$T/changed" "$T/key"
says "damaged or cut off"
# What is not whole is not served.
expect 1 "$COMBD" --home "$COMB_HOME" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0
says "this store is not whole"
expect 1 restore "$T/backup" "$T/key"
says "there is something in this store already"
head -c 5000000 "$T/backup" >"$T/short"
COMB_HOME=$T/short-home
expect 1 restore "$T/short" "$T/key"
says "damaged or cut off"

COMB_HOME=$T/new
expect 0 restore "$T/backup" "$T/key"
says "put back: installation"
says "compared"
! grep -qa "marker-secret-in-clear" "$COMB_HOME"/* 2>/dev/null || fail "a secret lies in clear"

# ---- the same installation ----
# At the same address, so that a session from before is sent there: it still is one.
cp "$old_home/client.json" "$COMB_HOME/client.json"
start_combd
expect 0 comb ls /personal
expect 0 comb login --user anna --password-file "$T/password"
cp "$old_home/admin" "$COMB_HOME/admin"
login_admin
state >"$T/after" 2>&1 || fail "the state after: $(cat "$T/after")"
diff "$T/before" "$T/after" >&2 || fail "it is not the same"
expect 3 comb vault get app/gone
expect 3 comb stat /personal/later
expect 0 comb get -r /personal/files "$T/again"
printf 'second content' >"$T/files/deep/7.txt"
diff -r "$T/files" "$T/again" >&2 || fail "contents are not the same"
expect 0 comb put "$T/second" /personal/files/new
stop_combd
