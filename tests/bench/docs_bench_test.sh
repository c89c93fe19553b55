#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Few entries on all questions: the bench fails by itself where a page is wrong.
set -euo pipefail
mkdir "$TEST_TMPDIR/docs"
tests/bench/docs_bench "$TEST_TMPDIR/docs" 2000 | tee "$TEST_TMPDIR/table"
[ "$(grep -c '^|' "$TEST_TMPDIR/table")" = 29 ]
