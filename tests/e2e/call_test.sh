#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# call_test.sh PROTO...: `comb call` reaches every service of comb.v1, with JSON from the command line and from stdin.
# shellcheck source=lib.sh
. tests/e2e/lib.sh

start_combd
login_admin

# Every service that the .proto files have, and no other.
comb call >"$TEST_TMPDIR/services"
diff <(sed -n 's/^service \([A-Za-z]*\) {$/\1/p' "$@" | LC_ALL=C sort) <(LC_ALL=C sort "$TEST_TMPDIR/services") ||
    fail "comb call lists other services than there are"
while read -r service; do
    expect 0 comb call "$service"
    says "comb.v1.$service"
done <"$TEST_TMPDIR/services"

expect 0 comb call Auth WhoAmI
says '"login":"admin"'
expect 0 comb call tree createfolder --json '{"parent": {"path": "/personal"}, "name": "a"}'
expect 0 comb call comb.v1.Tree Stat --json - <<<'{"node": {"path": "/personal/a"}}'
says '"name":"a"'
expect 0 comb call Admin Info --server "$admin"
says '"version"'
timeout 5 "$COMB" call Registry Watch >"$TEST_TMPDIR/watch" || true
grep -q '"complete":true' "$TEST_TMPDIR/watch" || fail "no answer of a stream: $(cat "$TEST_TMPDIR/watch")"

expect 2 comb call Nothing
says 'no service "Nothing"'
expect 2 comb call Tree Nothing
says 'no method "Nothing"'
expect 2 comb call Data Upload
says 'stream of requests'
expect 2 comb call Tree Stat --json '{"nodes": 1}'
says 'no comb.v1.TreeStatRequest'
expect 3 comb call Tree Stat --json '{"node": {"path": "/personal/nothing"}}'
stop_combd
echo passed
