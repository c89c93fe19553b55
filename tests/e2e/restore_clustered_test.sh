#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A backup of an embedded installation is put back into stores that servers share, and served from there: an export
# before and after is the same.
. tests/e2e/lib.sh

T=$TEST_TMPDIR
line=$(bazel/stores start "$T/stores") || fail "no stores"
read -ra clustered <<<"$line"
stop_all() {
    [ -z "$combd_pid" ] || kill -KILL "$combd_pid" 2>/dev/null || true
    bazel/stores stop "$T/stores" || true
}
trap stop_all EXIT

# ---- embedded ----
start_combd --drain-delay-ms 0
login_admin
printf 'a password of hers' >"$T/password"
chmod 600 "$T/password"
mkdir -p "$T/files/deep/deeper"
for i in $(seq 60); do
    printf 'content %s' "$i" >"$T/files/deep/$i.txt"
done
head -c 3000000 /dev/urandom >"$T/files/deep/deeper/large"
: >"$T/files/empty"
expect 0 comb put -r "$T/files" /personal/files
expect 0 comb user add anna --password-file "$T/password" --name 'Anna A.'
expect 0 comb grant /personal/files/deep user:anna read
printf 'first secret' | expect 0 comb vault put app/db
printf 'second secret' | expect 0 comb vault put app/db --expect 1
expect 0 comb config set /app/limit=17
expect 0 comb doc store notes
expect 0 comb doc put notes first '{"state": "open"}'

# state: what there is to see of it.
state() {
    comb tree /personal/files
    comb stat /personal/files/deep/7.txt
    comb user ls
    comb rights /personal/files/deep
    comb vault get app/db --version 1
    comb vault get app/db
    comb config get /app/limit
    comb doc get notes first
    comb audit verify | sed 's|:.*||'
}
state >"$T/before" 2>&1 || fail "the state before: $(cat "$T/before")"
expect 0 comb admin backup --server "$admin" --key-file "$T/key" "$T/backup"
stop_combd

# ---- into shared stores ----
restore() {
    "$COMBD" --home "$1" "${clustered[@]}" --cluster --restore "$T/backup" --restore-key-file "$T/key" --log all=warn
}
expect 0 restore "$T/clustered"
says "put back: installation"
expect 1 restore "$T/again"
says "there is something in this store already"

cp "$COMB_HOME/client.json" "$COMB_HOME/admin" "$T/clustered/"
COMB_HOME=$T/clustered
start_combd "${clustered[@]}" --cluster --drain-delay-ms 0
# The session from before goes on.
state >"$T/after" 2>&1 || fail "the state after: $(cat "$T/after")"
diff "$T/before" "$T/after" >&2 || fail "it is not the same"
expect 0 comb login --user anna --password-file "$T/password"
login_admin
expect 0 comb get -r /personal/files "$T/exported"
diff -r "$T/files" "$T/exported" >&2 || fail "contents are not the same"
expect 0 comb mkdir /personal/afterwards
stop_combd
