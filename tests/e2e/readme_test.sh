#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The commands of the README that talk to combd, as they stand there: blocks behind a line "<!-- run".
. tests/e2e/lib.sh

tree=$PWD/external/source_tree/tree
server=127.0.0.1:7070
admin=127.0.0.1:7071
mkdir "$TEST_TMPDIR/work"
cp -rL "$tree/README.md" "$tree/docs" "$TEST_TMPDIR/work"

awk '/^<!-- run/ { wanted = 1 } /^```/ { inside = wanted && !inside; if (!inside) wanted = 0; next } inside' \
    "$tree/README.md" >"$TEST_TMPDIR/commands"
count=$(grep -c '^comb ' "$TEST_TMPDIR/commands")
[ "$count" -ge 10 ] || fail "found $count commands in the README"

start_combd
login_admin
cd "$TEST_TMPDIR/work"
while read -r command; do
    PATH=$(dirname "$COMB"):$PATH bash -c "$command" >"$TEST_TMPDIR/said" 2>&1 </dev/null ||
        fail "the README's \"$command\" gave status $?: $(cat "$TEST_TMPDIR/said")"
done <"$TEST_TMPDIR/commands"
diff -r docs copy-of-docs || fail "what came back is not what was sent"
stop_combd
echo "$count commands passed"
