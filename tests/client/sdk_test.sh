#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# sdk_test.sh SDK.TAR COMBD EXAMPLE.c...: the examples, built outside of Bazel on the SDK by gcc and pkg-config, shared
# and static, against a real combd.
set -euo pipefail
sdk=$PWD/$1
combd=$PWD/$2
shift 2
prefix=$TEST_TMPDIR/prefix
home=$TEST_TMPDIR/home
mkdir -p "$prefix" "$home"
tar -C "$prefix" -xf "$sdk"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
strict=(-std=c11 -Wall -Wextra -Werror)
read -ra cflags <<<"$(pkg-config --cflags comb)"
read -ra shared <<<"$(pkg-config --libs comb)"
# -lcomb would find the shared library first: the archive is named instead.
read -ra static <<<"$(pkg-config --static --libs comb | sed "s|-lcomb|$prefix/lib/libcomb.a|")"
for source in "$@"; do
    name=$(basename "$source" .c)
    gcc "${strict[@]}" "$source" "${cflags[@]}" "${shared[@]}" -Wl,-rpath,"$prefix/lib" -o "$TEST_TMPDIR/$name.shared"
    gcc "${strict[@]}" "$source" "${cflags[@]}" "${static[@]}" -o "$TEST_TMPDIR/$name.static"
done
[[ $(ldd "$TEST_TMPDIR/put_get.shared") == *libcomb.so.0* ]]
if [[ $(ldd "$TEST_TMPDIR/put_get.static") == *libcomb* ]]; then
    echo "the static program needs the shared library" >&2
    exit 1
fi

"$combd" --home "$home" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --ready-file "$TEST_TMPDIR/ready" \
    >"$TEST_TMPDIR/log" 2>&1 </dev/null &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; cat "$TEST_TMPDIR/log"' EXIT
until [ -s "$TEST_TMPDIR/ready" ]; do
    kill -0 "$pid"
    sleep 0.05
done
server=$(sed -n 's/^listen=//p' "$TEST_TMPDIR/ready" | head -n 1)
COMB_PASSWORD=$(cat "$home/admin")
export COMB_PASSWORD
head -c 3000000 /dev/urandom >"$TEST_TMPDIR/large"
for kind in shared static; do
    "$TEST_TMPDIR/put_get.$kind" "$server" admin "$TEST_TMPDIR/large" "/personal/sdk/$kind" | cmp - "$TEST_TMPDIR/large"
    "$TEST_TMPDIR/list_watch.$kind" "$server" admin /personal/sdk 1 >"$TEST_TMPDIR/events.$kind" &
    watcher=$!
    until grep -qs "^watching\$" "$TEST_TMPDIR/events.$kind"; do
        kill -0 "$watcher"
        sleep 0.05
    done
    "$TEST_TMPDIR/put_get.$kind" "$server" admin "$TEST_TMPDIR/ready" "/personal/sdk/new-$kind" >/dev/null
    wait "$watcher"
    grep -qx "$kind" "$TEST_TMPDIR/events.$kind"
    grep -qx "CHANGE_KIND_CREATED new-$kind" "$TEST_TMPDIR/events.$kind"
done
kill -TERM "$pid"
wait "$pid"
trap - EXIT
