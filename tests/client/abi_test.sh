#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# abi_test.sh LIBCOMB.SO LAYOUT ABI.LOCK: what a program was built against is still there. Additions are written to
# $TEST_UNDECLARED_OUTPUTS_DIR/abi.lock (bazel-testlogs/…/test.outputs): copy that over abi.lock when they are meant.
set -euo pipefail
library=$1
layout=$2
lock=$3
now=$TEST_TMPDIR/abi
{
    nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print "symbol", $3 }' | LC_ALL=C sort
    "$layout"
} >"$now"
[ -z "${TEST_UNDECLARED_OUTPUTS_DIR:-}" ] || cp "$now" "$TEST_UNDECLARED_OUTPUTS_DIR/abi.lock"
if ! grep -q '^symbol comb_client_open$' "$now"; then
    echo "the library shows nothing?" >&2
    exit 1
fi
foreign=$(awk '$1 == "symbol" && $2 !~ /^(comb|grpcc|google)_/' "$now")
if [ -n "$foreign" ]; then
    printf 'shown, and not ours:\n%s\n' "$foreign" >&2
    exit 1
fi
LC_ALL=C sort "$now" >"$now.sorted"
LC_ALL=C sort "$lock" >"$TEST_TMPDIR/lock.sorted"
gone=$(LC_ALL=C comm -23 "$TEST_TMPDIR/lock.sorted" "$now.sorted")
if [ -n "$gone" ]; then
    printf 'gone or moved, which breaks programs that are installed:\n%s\n' "$gone" >&2
    exit 1
fi
new=$(LC_ALL=C comm -13 "$TEST_TMPDIR/lock.sorted" "$now.sorted")
if [ -n "$new" ]; then
    printf 'new, and not in tests/client/abi.lock yet:\n%s\n' "$new" >&2
    exit 1
fi
