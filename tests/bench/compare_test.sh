#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The comparison runs all of its servers in all of its cases, and every server has its rows.
set -euo pipefail
cd tests/bench
mkdir "$TEST_TMPDIR/compare"
./compare "$TEST_TMPDIR/compare" ./echo_server ./bare_core ./cpp_callback ./cpp_sync --quick | tee "$TEST_TMPDIR/table"
for server in grpcc 'grpcc, all on' 'bare core' 'C++ callback' 'C++ sync'; do
    grep -q "^| $server |" "$TEST_TMPDIR/table"
done
[ "$(grep -c '^| grpcc[^|]* / ' "$TEST_TMPDIR/table")" = 4 ]
