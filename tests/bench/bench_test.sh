#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The bench runs all of its cases, and none of their calls fails.
set -euo pipefail
mkdir "$TEST_TMPDIR/bench"
tests/bench/bench server/combd tests/bench/echo_server "$TEST_TMPDIR/bench" --quick | tee "$TEST_TMPDIR/table"
[ "$(grep -c '^|' "$TEST_TMPDIR/table")" = 17 ]
! grep -q 'calls failed' "$TEST_TMPDIR/table"
