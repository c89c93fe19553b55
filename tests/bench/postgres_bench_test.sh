#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# combd and pgbench run all cases on one PostgreSQL, and none of their calls fails.
set -euo pipefail
mkdir "$TEST_TMPDIR/bench"
tests/bench/postgres_bench server/combd "$TEST_TMPDIR/bench" --quick | tee "$TEST_TMPDIR/table"
[ "$(grep -c '^|' "$TEST_TMPDIR/table")" = 9 ]
! grep -q 'calls failed' "$TEST_TMPDIR/table"
