# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests that need all of bazel/cluster, with the test's arguments: TREE COMBD EXTRACT COMB FAULTPROXY DESCRIPTORS.
# Goes to $TEST_TMPDIR, where bazel/ is that of TREE and what it would build and install is there.

tree=$PWD/$1 combd=$PWD/$2 extract=$PWD/$3 comb=$PWD/$4 faultproxy=$PWD/$5 descriptors=$PWD/$6
peers=$PWD/external/peers
cd "$TEST_TMPDIR" || exit
mkdir -p fake external bazel-bin/server/extract/worker bazel-bin/client/cli bazel-bin/tests/faultproxy bazel-bin/api api
cp -rL "$tree/bazel" bazel
cp -rL "$tree/api/envoy" api/envoy
ln -s "$peers" external/peers
ln -s "$combd" bazel-bin/server/combd
ln -s "$extract" bazel-bin/server/extract/worker/comb-extract
ln -s "$comb" bazel-bin/client/cli/comb
ln -s "$faultproxy" bazel-bin/tests/faultproxy/faultproxy
ln -s "$descriptors" bazel-bin/api/descriptors.pb
printf '#!/bin/sh\nexit 0\n' >fake/bazel
printf '#!/bin/sh\nprintf installed\n' >fake/dpkg-query
chmod +x fake/bazel fake/dpkg-query
export PATH=$TEST_TMPDIR/fake:/usr/bin:/bin
dir=$TEST_TMPDIR/cluster
unset HOME
script=

fail() {
    echo "FAILED: $1"
    cat out
    tail -n 5 "$dir"/*/log "$dir"/stores/*/log || true
    exit 1
}
cleanup() {
    [ -z "$script" ] || { kill -TERM "$script" && wait "$script"; } || true
}
trap cleanup EXIT

# start_cluster: three replicas, with a fault proxy on each way; returns when they serve.
start_cluster() {
    bazel/cluster --dir "$dir" --replicas 3 --proxied >out 2>&1 &
    script=$!
    for _ in $(seq 2400); do
        ! grep -q '^Ready\. Ctrl-C stops\.$' out || break
        kill -0 "$script" 2>/dev/null || fail "bazel/cluster ended"
        sleep 0.1
    done
    grep -q '^Ready' out || fail "not ready"
}

# end_cluster: fails where it does not end as asked, or leaves anything running.
end_cluster() {
    local pid pids
    pids=$(cat "$dir"/*/pid "$dir"/stores/*/pid | cut -d ' ' -f 1)
    kill -TERM "$script"
    wait "$script" || fail "ended with status $?"
    script=
    for pid in $pids; do
        ! kill -0 "$pid" 2>/dev/null || fail "process $pid is still there"
    done
}

cluster() { bazel/cluster --dir "$dir" "$@" >said 2>&1 || fail "bazel/cluster $*: $(cat said)"; }
by_sdk() { COMB_HOME=$dir/client "$comb" "$@"; }
