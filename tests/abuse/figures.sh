#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bazel run //tests/abuse:figures: runs all cases at their full sizes, prints the table of docs/limits.md.
set -eu
echo "| case | what was seen | RSS before, MiB | peak | after | server CPU, s | calls of a bystander, all answered |"
echo "|---|---|---|---|---|---|---|"
for test in "$@"; do
    "$test" --long 2>&1 | grep '^|'
done
