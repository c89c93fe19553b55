#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# comb feed, over a running combd: who did what, who is told, what is followed and read, digests, restarts,
# purging.
. tests/e2e/lib.sh

start_combd
login_admin
printf 'a long password\n' >"$TEST_TMPDIR/password"
chmod 600 "$TEST_TMPDIR/password"
for user in anna bert; do
    expect 0 comb user add "$user" --password-file "$TEST_TMPDIR/password"
    mkdir -m 700 "$TEST_TMPDIR/$user"
done
anna() {
    env COMB_HOME="$TEST_TMPDIR/anna" "$COMB" "$@"
}
bert() {
    env COMB_HOME="$TEST_TMPDIR/bert" "$COMB" "$@"
}
expect 0 anna login --user anna --password-file "$TEST_TMPDIR/password"
expect 0 bert login --user bert --password-file "$TEST_TMPDIR/password"
expect 0 comb workspace add team --default rw

# await TEXT COMMAND...: until its output holds it, or 60 s are over.
await() {
    local text=$1 waited=0
    shift
    while output=$("$@" 2>&1) || true; ! grep -qF -e "$text" <<<"$output"; do
        [ "$waited" -lt 300 ] || fail "$* does not say \"$text\" but: $output"
        sleep 0.2
        waited=$((waited + 1))
    done
}

# Changes are shown to who may read what they are about, as it is called now.
printf 'one\n' >"$TEST_TMPDIR/one.txt"
expect 0 anna mkdir /team/plans /team/secret
expect 0 anna put "$TEST_TMPDIR/one.txt" /team/plans/one.txt
expect 0 anna put "$TEST_TMPDIR/one.txt" /team/secret/two.txt
expect 0 comb grant /team/secret user:bert deny
expect 0 anna mv /team/plans/one.txt /team/plans/first.txt
await 'renamed   /team/plans/first.txt  (was one.txt)' bert feed /team
says 'anna         made      /team/plans/first.txt'
says 'made      /team/plans/'
case $output in *secret* | *two.txt*) fail "bert is told of what he may not read: $output" ;; esac
await secret anna feed /team
says two.txt
expect 0 bert feed --user anna
says first.txt
case $output in *secret* | *two.txt*) fail "bert is told of what he may not read: $output" ;; esac
expect 3 bert feed /team/secret
expect 3 bert feed --user nobody
expect 2 bert feed /team --user anna

# ActivityStreams 2.0.
expect 0 bert -o json feed /team/plans -n 1
says '"@context":["https://www.w3.org/ns/activitystreams"'
says '"type":"Move"'
says '"summary":"anna renamed first.txt"'
says '"comb:oldName":"one.txt"'

# What is followed is one's own feed, until it is read.
expect 0 bert feed
[ -z "$output" ] || fail "bert follows nothing, and has $output"
expect 0 bert feed follow /team/plans
expect 3 bert feed follow /team/secret
expect 0 bert feed follow --user admin
expect 0 bert feed follows
says /team/plans
says user:admin
[ "$(bert feed unread)" = 0 ] || fail "unread: $(bert feed unread)"
expect 0 anna mkdir /team/plans/new
expect 0 bert mkdir /team/plans/own
expect 0 anna mkdir /team/secret/new
await 1 bert feed unread
await '/team/plans/new/' bert feed --unread
says '* '
case $output in *own*) fail "his own doing is news to bert: $output" ;; esac
await '/team/plans/own/' bert feed --mine --all
expect 0 bert feed read
[ "$(bert feed unread)" = 0 ] || fail "unread: $(bert feed unread)"
expect 0 bert feed unfollow --user admin
expect 0 bert feed unfollow /team/plans
[ -z "$(bert feed follows)" ] || fail "still followed: $(bert feed follows)"

# Digests.
for n in 1 2 3; do
    anna put "$TEST_TMPDIR/one.txt" "/team/plans/n$n.txt" >/dev/null
done
await 'made      4 files in /team/plans' bert feed /team --digest week
case $output in *secret*) fail "bert is told of what he may not read: $output" ;; esac

# What comes is shown as it comes.
COMB_HOME="$TEST_TMPDIR/bert" "$COMB" feed --follow /team >"$TEST_TMPDIR/followed" 2>&1 &
following=$!
await n3.txt cat "$TEST_TMPDIR/followed"
anna mkdir /team/plans/last >/dev/null
await /team/plans/last cat "$TEST_TMPDIR/followed"
kill "$following"
wait "$following" || true

# Deleted: seen where it was; gone: seen by who did it.
expect 0 anna rm /team/plans/n1.txt
await 'deleted   n1.txt' bert feed /team
expect 0 anna rm --permanently /team/plans/n2.txt
await 'removed   n2.txt' anna feed /team
expect 0 bert feed /team
case $output in *n2.txt*) fail "bert is told of what is gone: $output" ;; esac

# A restart changes nothing; neither does a docs row that begins anew, as far as the feed goes back.
expect 0 anna -o json feed /team
before=$output
stop_combd
start_combd
expect 0 anna -o json feed /team
[ "$output" = "$before" ] || fail "after a restart: $output"

# Purging is the administrators'.
expect 4 anna feed purge --keep 2
expect 0 comb feed purge --keep 2
[ "$(anna feed /team | wc -l)" -le 2 ] || fail "kept: $(anna feed /team)"
stop_combd
