#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# comb doc, over a running combd: documents, revisions, queries, pages, rights, restarts, and a store that is away.
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

# Stores are the administrators'.
expect 3 anna doc put notes first '{}'
says DOCUMENT_STORE_NOT_FOUND
expect 4 anna doc store notes
expect 0 comb doc store notes

# Documents and their revisions.
expect 0 anna doc put notes first '{"state": "open", "n": 3}' --expect 0
first=$output
[ "$(anna doc get notes first)" = '{"n":3,"state":"open"}' ] || fail "the document is $(anna doc get notes first)"
expect 5 anna doc put notes first '{}' --expect 0
says ETAG_MISMATCH
expect 0 anna doc put notes first - --expect "$first" <<<'{"state":"open","n":1}'
[ "$output" -gt "$first" ] || fail "revision $output after $first"
expect 2 anna doc put notes second '{'
says 'not JSON'
expect 2 anna doc put notes 'a b' '{}'
expect 0 anna -o json doc get notes first
says '"createTime"'

# Queries go by declared indexes.
expect 5 anna doc find notes /state=open
says DOCUMENT_INDEX_MISSING
for n in 2 3 4; do
    anna doc put notes "more-$n" "{\"state\":\"open\",\"n\":$n}" >/dev/null
done
anna doc put notes other '{"state":"done","n":9}' >/dev/null
expect 0 comb doc index add --by-owner notes state /state /n
expect 0 anna doc find notes /state=open '/n>=2' '/n<4'
[ "$output" = 'more-2  {"n":2,"state":"open"}
more-3  {"n":3,"state":"open"}' ] || fail "found $output"
expect 0 anna doc find --desc --order /state,/n notes
[ "$(head -n 1 <<<"$output" | cut -d ' ' -f 1)" = more-4 ] || fail "found $output"
expect 0 anna doc ls notes
[ "$(cut -d ' ' -f 1 <<<"$output" | tr '\n' ' ')" = 'first more-2 more-3 more-4 other ' ] || fail "listed $output"
expect 0 comb doc index ls notes
says '/state /n'

# What others may see.
id=$(anna -o json whoami | tr -d ' \n' | sed 's/.*"id":"\([0-9a-f-]*\)".*/\1/')
expect 0 comb doc get --owner "$id" notes first
expect 4 anna doc ls --all notes
expect 0 comb doc ls --all notes
says more-4
expect 0 comb doc store --readable notes
expect 0 anna doc ls --all notes
expect 0 comb doc ls
says readable

# Deletion; repeated with other words, a document with an end.
expect 0 anna doc rm notes other
expect 3 anna doc rm notes other
expect 3 anna doc get notes other
says DOCUMENT_NOT_FOUND
expect 0 anna doc put --ttl 3600 notes other '{}'
expect 0 anna -o json doc get notes other
says '"expireTime"'

# A restart forgets nothing.
stop_combd
start_combd
expect 0 anna doc find notes /state=open '/n>=2' '/n<4'
says more-3
expect 0 comb doc index rm notes state
expect 5 anna doc find notes /state=open

# While the store is away documents say so, and all else goes on.
if [ "${COMB_TEST_STORES:-}" = clustered ]; then
    kill -KILL "$(cut -d ' ' -f 1 "$TEST_TMPDIR/stores/mongodb/pid")"
    expect 6 anna --timeout 5 doc get notes first
    expect 0 anna ls /
    expect 0 comb --server "$admin" admin stores
    bazel/stores start "$TEST_TMPDIR/stores" >/dev/null
    waited=0
    until anna doc get notes first >/dev/null 2>&1; do
        [ "$waited" -lt 600 ] || fail "documents do not come back"
        sleep 0.1
        waited=$((waited + 1))
    done
fi
echo passed
