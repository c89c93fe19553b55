#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_test.sh TREE COMBD COMB EXTRACT: bazel/run with the real programs. What it imports comes back as `cp -rL` would copy it,
# links that lead nowhere are named, a second run sends nothing, a third only what changed. With COMB_TEST_STORES=clustered:
# on stores that servers share.
set -euo pipefail

tree=$PWD/$1 combd=$PWD/$2 comb=$PWD/$3 extract=$PWD/$4 peers=$PWD/external/peers
cd "$TEST_TMPDIR"
mkdir -p fake bazel-bin/server/extract/worker bazel-bin/client/cli
cp -rL "$tree/bazel" bazel
cp "$combd" bazel-bin/server/combd
cp "$comb" bazel-bin/client/cli/comb
cp "$extract" bazel-bin/server/extract/worker/comb-extract
printf '#!/bin/sh\nexit 0\n' >fake/bazel
printf '#!/bin/sh\nprintf installed\n' >fake/dpkg-query
chmod +x fake/bazel fake/dpkg-query
export PATH=$TEST_TMPDIR/fake:/usr/bin:/bin COMB_HOME=$TEST_TMPDIR/home COMB_LISTEN=127.0.0.1:0 COMB_ADMIN_LISTEN=127.0.0.1:0

fail() {
    echo "FAILED: $1"
    cat out
    tail -n 20 "$COMB_HOME/combd.log" || true
    exit 1
}
flags=()
if [ "${COMB_TEST_STORES:-}" = clustered ]; then
    mkdir external
    ln -s "$peers" external/peers
    trap 'bazel/stores stop stores' EXIT
    line=$(bazel/stores start stores)
    read -ra flags <<<"-- $line"
fi
run() { bazel/run "$@" "${flags[@]}" >out 2>&1 || fail "bazel/run $*: status $?"; }
says() { grep -qE -- "$1" out || fail "no '$1' in the output"; }

# A folder with what folders have.
mkdir -p source/sub/deeper source/empty "source/with blank"
echo text >source/text
: >source/nothing
head -c 3000000 /dev/urandom >source/sub/big
for i in $(seq 40); do echo "$i" >"source/sub/deeper/file $i"; done
echo ü >"source/with blank/ünïcode"
printf '#!/bin/sh\n' >source/sub/program
chmod 755 source/sub/program
ln -s sub/big source/link-to-file
ln -s sub source/link-to-folder
ln -s text source/sub/../link
cp -rL source expected
ln -s nowhere source/dangling
ln -s .. source/sub/loop

run source --once
says 'left out .*/source/dangling: a link to nowhere'
says 'left out .*/source/sub/loop: a loop'
# The folder is there twice, once by its link, and so is the file.
says '^89 files, .*; 0 unchanged'
run source --once
says '^Nothing changed: 89 files'
echo "more text" >source/text
echo "more text" >expected/text
echo "more text" >expected/link
run source --once
says '^2 files, .*; 87 unchanged'

bazel/run source "${flags[@]}" >out 2>&1 &
script=$!
for _ in $(seq 2400); do
    ! grep -q '^Ready\. Ctrl-C stops\.$' out || break
    kill -0 "$script" 2>/dev/null || fail "bazel/run ended"
    sleep 0.05
done
says '^Ready\. Ctrl-C stops\.$'
bazel-bin/client/cli/comb get -r /personal/source copy || fail "get -r"
diff -r copy expected || fail "what came back is not what was sent"
# What is in them is found, as soon as it has been read.
for _ in $(seq 600); do
    found=$(bazel-bin/client/cli/comb find 'content:"more text"' | sort | paste -s -d ' ')
    [ "$found" != '/personal/source/link /personal/source/text' ] || break
    sleep 0.2
done
[ "$found" = '/personal/source/link /personal/source/text' ] || fail "by their content are found: $found"
[ -d copy/empty ] || fail "the empty folder is gone"
[ "$(stat -c %a "$COMB_HOME/admin" "$COMB_HOME/client.json" | sort -u)" = 600 ] || fail "secrets are open to others"
kill -TERM "$script"
wait "$script" || fail "ended with status $?"
echo "what went in came out"
