#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# comb_test.sh COMB-SDK.TAR LAYOUT.PY COMBD PYTHON PEERS.PY: a program built on the headers of 0.1.0 works with the libcomb
# of now, and libcomb works in a Python that has grpcio loaded.
set -euo pipefail
sdk=$PWD/$1 layout=$PWD/$2 combd=$PWD/$3 python=$PWD/$4 beside=$PWD/$5 then=$PWD/tests/abi/v0.1.0
prefix=$TEST_TMPDIR/prefix home=$TEST_TMPDIR/home
mkdir -p "$prefix" "$home"
tar -C "$prefix" -xf "$sdk"
cd "$TEST_TMPDIR"

for folder in comb grpcc; do
    "$layout" "$then/include" $folder
done | LC_ALL=C sort >then.txt
for folder in comb grpcc; do
    "$layout" "$prefix/include" $folder
done | LC_ALL=C sort >now.txt
gone=$(LC_ALL=C comm -23 then.txt now.txt)
[ -z "$gone" ] || { printf 'gone or changed since 0.1.0, which breaks programs that are installed:\n%s\n' "$gone"; exit 1; }
grep -q 'comb_client_open(' then.txt

# Linked as pkg-config says now, compiled as it was then.
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
read -ra shared <<<"$(pkg-config --libs comb)"
read -ra static <<<"$(pkg-config --static --libs comb | sed "s|-lcomb|$prefix/lib/libcomb.a|")"
for flags in "-fPIE -pie" "-fno-pie -no-pie"; do
    # shellcheck disable=SC2086 # several words
    gcc -std=c11 -Wall -Wextra -Werror $flags -I"$then/include" "$then/put_get.c" "${shared[@]}" -Wl,-rpath,"$prefix/lib" \
        -o "put_get${flags: -4}"
done
gcc -std=c11 -Wall -Wextra -Werror -I"$then/include" "$then/put_get.c" "${static[@]}" -o put_get-static

"$combd" --home "$home" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --ready-file ready >log 2>&1 </dev/null &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; cat log' EXIT
until [ -s ready ]; do
    kill -0 "$pid"
    sleep 0.05
done
server=$(sed -n 's/^listen=//p' ready | head -n 1)
COMB_PASSWORD=$(cat "$home/admin")
export COMB_PASSWORD
head -c 300000 /dev/urandom >large
for program in ./put_get*; do
    "$program" "$server" admin large "/personal/abi/$(basename "$program")" | cmp - large
done

for order in comb-first grpcio-first; do
    "$python" "$beside" "$prefix/lib/libcomb.so.0" "$server" $order
done
kill -TERM "$pid"
wait "$pid"
trap - EXIT
