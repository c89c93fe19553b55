#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# storm_test.sh TREE COMBD EXTRACT COMB FAULTPROXY DESCRIPTORS STORM [FAULT...]: bazel/cluster under sixteen clients while its parts
# are killed, frozen and cut off (README.md).
set -euo pipefail

storm=$PWD/$7
# shellcheck source=tests/run/cluster.sh
. tests/run/cluster.sh

start_cluster
by_sdk user add guest --password-file "$dir/admin" >/dev/null || fail "no guest"
addresses=
for i in 1 2 3; do addresses+=,127.0.0.1:$(cat "$dir/replica$i/port"); done
"$storm" "${addresses#,}" "$dir/admin" "bazel/cluster --dir $dir break" "${@:8}" || fail "the storm"
end_cluster
echo passed
