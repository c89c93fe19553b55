#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# comb find finds in contents what grep would: the documentation of this machine's packages, put, read by comb-extract, and
# asked for ten words from frequent to rare.
# shellcheck source=lib.sh
. tests/e2e/lib.sh

files=150
[ -z "${COMB_LONG:-}" ] || files=100000

start_combd --extract-program "$PWD/server/extract/worker/comb-extract"
login_admin
mkdir "$TEST_TMPDIR/corpus"
/usr/bin/python3 tests/e2e/grep_oracle.py /usr/share/doc "$TEST_TMPDIR/corpus" "$files" >"$TEST_TMPDIR/expected"
[ "$(wc -l <"$TEST_TMPDIR/expected")" = 10 ] || fail "no ten words in /usr/share/doc"
expect 0 comb put -r "$TEST_TMPDIR/corpus" /personal

tries=0
while IFS=$'\t' read -r word wanted; do
    # Until the last file has been read.
    until found=$(comb find "content:$word" | sed 's|.*/||' | LC_ALL=C sort | paste -s) && [ "$found" = "$wanted" ]; do
        [ "$tries" -lt 600 ] || fail "\"$word\" is in"$'\n'"$wanted"$'\n'"and was found in"$'\n'"$found"
        sleep 0.2
        tries=$((tries + 1))
    done
done <"$TEST_TMPDIR/expected"
