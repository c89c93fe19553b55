#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# comb find, over a running combd: names, metadata and conditions, pages, rights as they are now, moves, bins, counts.
. tests/e2e/lib.sh

start_combd
login_admin
printf 'a long password\n' >"$TEST_TMPDIR/password"
chmod 600 "$TEST_TMPDIR/password"
expect 0 comb user add anna --password-file "$TEST_TMPDIR/password"
mkdir -m 700 "$TEST_TMPDIR/anna"
anna() {
    env COMB_HOME="$TEST_TMPDIR/anna" "$COMB" "$@"
}
expect 0 anna login --user anna --password-file "$TEST_TMPDIR/password"

# found_by WHO QUERY...: the paths, in their order, a blank between them.
found_by() {
    local who=$1
    shift
    "$who" find "$@" | paste -s -d ' '
}

# eventually EXPECTED WHO QUERY...: within two minutes, however busy the machine is.
eventually() {
    local expected=$1 tries=0 found=
    shift
    until found=$(found_by "$@") && [ "$found" = "$expected" ]; do
        [ "$tries" -lt 600 ] || fail "comb find $* found \"$found\", not \"$expected\""
        sleep 0.2
        tries=$((tries + 1))
    done
}

# now EXPECTED WHO QUERY...: at once.
now() {
    local expected=$1 found
    shift
    found=$(found_by "$@") || fail "comb find $* failed"
    [ "$found" = "$expected" ] || fail "comb find $* found \"$found\", not \"$expected\""
}

printf 'one' >"$TEST_TMPDIR/small"
head -c 100000 /dev/zero >"$TEST_TMPDIR/large"
comb workspace add common >/dev/null
comb mkdir /common/letters /common/secret >/dev/null
comb put "$TEST_TMPDIR/small" '/common/letters/Résumé of July.txt' >/dev/null
comb put "$TEST_TMPDIR/large" '/common/letters/picture of July.png' >/dev/null
comb put "$TEST_TMPDIR/small" '/common/secret/July plans.txt' >/dev/null
comb meta '/common/secret/July plans.txt' 'tags:colour=crimson' >/dev/null
eventually '/common/secret/July plans.txt' comb crimson

# Words and conditions; the newest first.
now '/common/secret/July plans.txt /common/letters/picture of July.png /common/letters/Résumé of July.txt' comb july
now '/common/letters/Résumé of July.txt' comb '"resume of" jul*'
now '/common/letters/picture of July.png' comb july 'size:>64k'
now '/common/secret/July plans.txt' comb meta.tags/colour:crimson
now '/common/letters/picture of July.png' comb type:image
now '/common/letters/picture of July.png /common/letters/Résumé of July.txt' comb --in /common/letters july
now '/common/secret/July plans.txt' comb 'july -in:/common/letters'
now '/common/secret' comb 'type:folder secret OR nothing'
now '' comb 'owner:anna july'
expect 0 comb find --limit 1 july
[ "$(wc -l <<<"$output")" = 1 ] || fail "more than one: $output"
expect 0 comb find -0 --limit 1 july
expect 0 comb find --suggest 'letters pict'
[ "$output" = '' ] || fail "nothing goes on: $output"
expect 0 comb find --suggest 'july pict'
[ "$output" = 'july picture' ] || fail "suggested: $output"

# What is wrong is shown where it is.
expect 2 comb find 'july (2024'
says '       ^'
expect 2 comb find ''
says 'nothing to look for'
expect 3 comb find in:/common/nowhere july
says NODE_NOT_FOUND

# Who may read nothing finds nothing, and learns nothing.
now '' anna july
expect 0 anna find --facets july
[ "$(head -n 1 <<<"$output")" = '0 hits' ] || fail "counted: $output"
expect 0 anna find --suggest jul
[ "$output" = '' ] || fail "suggested: $output"
expect 3 anna find in:/common/secret july

# Rights count at once, whatever the index knew.
comb grant /common user:anna read >/dev/null
comb grant /common/secret user:anna deny >/dev/null
eventually '/common/letters/picture of July.png /common/letters/Résumé of July.txt' anna july
now '' anna crimson
expect 0 anna find --facets july
[ "$(head -n 1 <<<"$output")" = '2 hits' ] || fail "counted: $output"
expect 0 anna find --suggest 'pl'
[ "$output" = '' ] || fail "suggested: $output"

# A folder that moves takes along what lies in it, which the index has not to be told.
comb mv /common/letters /common/secret/letters >/dev/null
eventually '' anna july
eventually '/common/secret/July plans.txt /common/secret/letters/picture of July.png /common/secret/letters/Résumé of July.txt' \
    comb july
now '/common/secret/letters/picture of July.png' comb --in /common/secret/letters type:image

# Bins are not searched; what comes back is.
comb rm /common/secret/letters >/dev/null
eventually '/common/secret/July plans.txt' comb july
now '' comb picture
comb mv '/common/secret/July plans.txt' '/common/secret/August plans.txt' >/dev/null
eventually '/common/secret/August plans.txt' comb name:august
eventually '' comb name:july

# Many hits, page by page, none twice; and after a restart.
mkdir "$TEST_TMPDIR/many"
for n in $(seq 120); do
    printf '%s' "$n" >"$TEST_TMPDIR/many/many $n.txt"
done
comb put -r "$TEST_TMPDIR/many" /common >/dev/null
is_whole() { [ "$(comb find 'name:many type:file' | sort -u | wc -l)" = 120 ]; }
tries=0
until is_whole; do
    [ "$tries" -lt 600 ] || fail "not all are found: $(comb find 'name:many type:file' | wc -l)"
    sleep 0.2
    tries=$((tries + 1))
done
[ "$(comb find 'name:many type:file' | wc -l)" = 120 ] || fail "some are found twice"
stop_combd
start_combd
[ "$(comb find 'name:many type:file' | wc -l)" = 120 ] || fail "a restart has lost some"

# Built anew, it serves meanwhile and has all of it afterwards.
operation=$(comb call Search Reindex --json '{}' | sed -nE 's/.*"id": ?"([^"]+)".*/\1/p' | head -n 1)
[ "$(comb find 'name:many type:file' | wc -l)" = 120 ] || fail "not all are found while the index is built anew"
expect 0 comb operations wait "$operation"
[ "$(comb find 'name:many type:file' | wc -l)" = 120 ] || fail "not all are found in the index built anew"
