#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install_test.sh SDK.TAR INSTALL.SH PROGRAM.cc EXHAUST.py EXPORTER.c EXAMPLE...: what is installed serves programs by gcc, g++ and
# clang, shared and static, by make's pkg-config and by CMake, under all warnings.
set -euo pipefail
sdk=$PWD/$1 install=$PWD/$2 program=$PWD/$3 exhaust=$PWD/$4 exporter_c=$PWD/$5
shift 5
examples=("${@/#/$PWD/}")
prefix=$TEST_TMPDIR/prefix
BUILD_WORKING_DIRECTORY=$TEST_TMPDIR "$install" "$sdk" --prefix prefix
if "$install" "$sdk" --prefx x 2>/dev/null; then
    echo "a wrong option was taken"
    exit 1
fi
mkdir -p "$TEST_TMPDIR/work/example/v1"
cd "$TEST_TMPDIR/work"
cp "${examples[@]}" "$program" .
mv greeter.proto example/v1
mandoc -T lint -W warning "$prefix"/share/man/man?/*

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig CMAKE_PREFIX_PATH=$prefix
mkdir gen
protoc --plugin="$(pkg-config --variable=plugin grpcc)" --grpcc_out=gen example/v1/greeter.proto
strict=(-Wall -Wextra -Wpedantic -Werror -Igen)
read -ra cflags <<<"$(pkg-config --cflags grpcc)"
read -ra libs <<<"$(pkg-config --libs grpcc)"
read -ra server_libs <<<"$(pkg-config --libs grpcc-server)"
# -lgrpcc would find the shared library first: the archive is named instead.
read -ra static_libs <<<"$(pkg-config --static --libs grpcc-server | sed "s|-lgrpcc |$prefix/lib/libgrpcc.a |")"
for cc in gcc clang-14; do
    for name in server client; do
        "$cc" -std=c11 "${strict[@]}" "${cflags[@]}" -o "$name.$cc" "greeter_$name.c" gen/example/v1/greeter.grpcc.c \
            "${server_libs[@]}" -Wl,-rpath,"$prefix/lib"
        "$cc" -std=c11 "${strict[@]}" "${cflags[@]}" -o "$name.$cc.static" "greeter_$name.c" \
            gen/example/v1/greeter.grpcc.c "${static_libs[@]}"
    done
done
gcc -std=c11 "${strict[@]}" "${cflags[@]}" -c -o greeter.o gen/example/v1/greeter.grpcc.c
for cxx in "g++ -std=c++11" "g++ -std=c++20" "clang++-14 -std=c++17"; do
    # shellcheck disable=SC2086 # two words
    $cxx "${strict[@]}" "${cflags[@]}" -o program.cxx program.cc greeter.o "${libs[@]}" -Wl,-rpath,"$prefix/lib"
    [ "$(./program.cxx)" = Ada ]
done
[[ $(ldd server.gcc) == *libgrpcc.so.0* && $(ldd server.gcc.static) != *libgrpcc* ]]

read -ra exporter <<<"$(pkg-config --libs grpcc-prometheus)"
gcc -std=c11 "${strict[@]}" "${cflags[@]}" -o exporter "$exporter_c" "${exporter[@]}" -Wl,-rpath,"$prefix/lib"
./exporter
read -ra exporter <<<"$(pkg-config --static --libs grpcc-prometheus | sed "s|-lgrpcc\(_prometheus\)\? |$prefix/lib/libgrpcc\1.a |g")"
gcc -std=c11 "${strict[@]}" "${cflags[@]}" -o exporter "$exporter_c" "${exporter[@]}"
./exporter
[[ $(ldd exporter) != *libgrpcc* && $(ldd server.gcc) != *microhttpd* ]]

# The same from CMake, static; a .proto below another folder, and one that imports what is installed.
mkdir -p cmake/protos/example/v1
cp example/v1/greeter.proto cmake/protos/example/v1
cat >cmake/protos/example/v1/more.proto <<'PROTO'
syntax = "proto3";
package example.v1;
import "example/v1/greeter.proto";
import "google/protobuf/timestamp.proto";
import "google/rpc/status.proto";
message More {
  Name name = 1;
  google.protobuf.Timestamp when = 2;
  google.rpc.Status status = 3;
}
PROTO
cat >cmake/CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.16)
project(static_greeter C CXX)
find_package(grpcc 0.1 REQUIRED)
add_compile_options(-Wall -Wextra -Wpedantic -Werror)
grpcc_generate(
  TARGET greeter
  PROTOS protos/example/v1/greeter.proto protos/example/v1/more.proto
  IMPORT_DIRS protos)
add_executable(server ../greeter_server.c)
target_link_libraries(server greeter grpcc::static grpcc::server)
add_executable(program ../program.cc)
target_link_libraries(program greeter grpcc::static)
CMAKE
cmake -S cmake -B build >cmake.log || { cat cmake.log; exit 1; }
cmake --build build >cmake.log || { cat cmake.log; exit 1; }
[ "$(build/program)" = Ada ]
touch cmake/protos/example/v1/greeter.proto
[[ $(cmake --build build) == *"protoc --grpcc_out"* ]]

port=7000
for server in ./server.gcc ./server.gcc.static ./server.clang-14 ./server.clang-14.static build/server; do
    port=$((port + 1))
    (ulimit -n 64 && exec "$server" 127.0.0.1:$port) &
    pid=$!
    for client in ./client.gcc ./client.clang-14.static; do
        [ "$("$client" 127.0.0.1:$port Ada | head -n 1)" = "Hello, Ada!" ]
    done
    # The door keeper is in: a listener of core's own would be dead now.
    /usr/bin/python3 "$exhaust" $port 200
    [ "$(./client.gcc 127.0.0.1:$port Ada | head -n 1)" = "Hello, Ada!" ]
    kill -TERM "$pid"
    wait "$pid"
done
