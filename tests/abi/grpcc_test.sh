#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# grpcc_test.sh GRPCC-SDK.TAR LAYOUT.PY PROGRAM.c: programs built on the headers of 0.1.0 work with the libgrpcc of now, and
# with a library of generated code that has got fields, values and methods since they were built.
set -euo pipefail
sdk=$PWD/$1 layout=$PWD/$2 program=$PWD/$3 here=$PWD/tests/abi
then=$here/v0.1.0/include
prefix=$TEST_TMPDIR/prefix
mkdir -p "$prefix" "$TEST_TMPDIR/work"
cd "$TEST_TMPDIR/work"
tar -C "$prefix" -xf "$sdk"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig

# Nothing that was declared has changed; all that is declared is shown.
"$layout" "$then" grpcc | LC_ALL=C sort >then.txt
"$layout" "$prefix/include" grpcc | LC_ALL=C sort >now.txt
gone=$(LC_ALL=C comm -23 then.txt now.txt)
[ -z "$gone" ] || { printf 'gone or changed since 0.1.0, which breaks programs that are installed:\n%s\n' "$gone"; exit 1; }
[ "$(wc -l <then.txt)" -gt 200 ]
{
    nm -D --defined-only "$prefix/lib/libgrpcc.so"
    nm -D --defined-only "$prefix/lib/libgrpcc_prometheus.so"
    nm --defined-only "$prefix/lib/libgrpcc_accept.a"
} | awk '{ sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort -u >shown.txt
sed -n 's/^[^(]*[ *]\(grpcc_[a-z0-9_]*\)(.*/\1/p' now.txt | LC_ALL=C sort -u >wanted.txt
hidden=$(LC_ALL=C comm -23 wanted.txt shown.txt)
[ -z "$hidden" ] || { printf 'declared, and not in the library:\n%s\n' "$hidden"; exit 1; }
# Nothing is shown that no header declares.
foreign=$(nm -D --defined-only "$prefix/lib/libgrpcc.so" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
    grep -Ev '^(google_(protobuf|rpc)|grpc_(health_v1|reflection|channelz)|grpcc)_' || true)
[ -z "$foreign" ] || { printf 'shown, and not ours:\n%s\n' "$foreign"; exit 1; }

# The library that programs share, at two times.
read -ra cflags <<<"$(pkg-config --cflags grpcc)"
read -ra libs <<<"$(pkg-config --libs grpcc-server)"
for time in before after; do
    mkdir -p "$time"
    protoc --plugin="$(pkg-config --variable=plugin grpcc)" --grpcc_out="$time" -I"$here/$time" abi/v1/thing.proto
    gcc -std=c11 -Wall -Wextra -Werror -fPIC -shared -Wl,-soname,libthing.so -I"$time" "${cflags[@]}" \
        -o "$time/libthing.so" "$time/abi/v1/thing.grpcc.c" -L"$prefix/lib" -lgrpcc -lprotobuf-c
done
build() { # NAME FLAG...: the program, as it was linked when the library had fewer methods
    gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror "${@:2}" -o "$1" "$program" -Lbefore -lthing "${libs[@]}" \
        -Wl,-rpath,"$prefix/lib"
}
build old -I"$then"                           # headers and generated header of 0.1.0
build plain -I"$then" -fno-pie -no-pie        # objects of libraries are copied into it
build now -Ibefore "${cflags[@]}"             # headers of now, .proto of then
gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -DDELETE -Iafter "${cflags[@]}" -o new "$program" -Lafter -lthing \
    "${libs[@]}" -Wl,-rpath,"$prefix/lib"

port=7000
try() { # SERVER SERVERS-LIBRARY CLIENT CLIENTS-LIBRARY
    port=$((port + 1))
    LD_LIBRARY_PATH=$2 "./$1" serve 127.0.0.1:$port &
    pid=$!
    LD_LIBRARY_PATH=$4 "./$3" call 127.0.0.1:$port || { echo "$3 with $4 failed against $1 with $2"; exit 1; }
    LD_LIBRARY_PATH=$4 "./$3" call 127.0.0.1:$port
    kill -TERM "$pid"
    wait "$pid" || { echo "$1 with $2 failed"; exit 1; }
}
for client in old plain now; do
    try old before $client after
    try now after $client before # a table of fewer methods than the service has
done
try plain before old before
try old before new after # a method that the server does not know
try new after old after
