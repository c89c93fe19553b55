#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# readme_test.sh SDK.TAR README.md PYTHON EXAMPLE...: what a stranger does with the README alone: its files as it shows
# them, built by make and by CMake on what is installed, served, called in C and in Python. The examples are the same.
set -euo pipefail
sdk=$PWD/$1 readme=$PWD/$2 python=$PWD/$3
shift 3
examples=("${@/#/$PWD/}")
prefix=$TEST_TMPDIR/prefix
mkdir -p "$prefix" "$TEST_TMPDIR/work"
tar -C "$prefix" -xf "$sdk"
cd "$TEST_TMPDIR/work"

# A block is a file where the paragraph before it begins, or goes on, with its name in backquotes.
/usr/bin/python3 - "$readme" <<'PYTHON'
import os
import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    text = file.read()
for name, block in re.findall(r"`([\w./]+)`[^`\n]*:\n\n```\w+\n(.*?)```\n", text, flags=re.S):
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    with open(name, "w", encoding="utf-8") as file:
        file.write(block)
PYTHON
for example in "${examples[@]}"; do
    name=$(basename "$example")
    [ "$name" = greeter.proto ] && name=example/v1/$name
    diff -u --label "gen/README.md: $name" --label "$example" "$name" <(grep -v SPDX "$example" | sed '/./,$!d')
done
lines=$(grep -c . greeter_server.c)
[ "$lines" -le 60 ] || { echo "greeter_server.c has $lines lines"; exit 1; }

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig CMAKE_PREFIX_PATH=$prefix
make CFLAGS='-std=c11 -g -Wall -Wextra -Wpedantic -Werror'
cmake -B build >cmake.log || { cat cmake.log; exit 1; }
cmake --build build
"$python" -m grpc_tools.protoc -I. --python_out=. --grpc_python_out=. example/v1/greeter.proto

expected=$'Hello, Ada!\nHello, Ada!\nHello, Ada!\nHello, everyone! (3 people)\nHello, Ada!\nHello, Ada!'
port=7000
for server in ./greeter_server build/greeter_server; do
    port=$((port + 1))
    "$server" 127.0.0.1:$port &
    pid=$!
    for client in ./greeter_client build/greeter_client "$python greeter_client.py"; do
        # shellcheck disable=SC2086 # one of them is two words
        out=$($client 127.0.0.1:$port Ada)
        [ "$out" = "$expected" ] || { echo "$client of $server: $out"; exit 1; }
    done
    kill -TERM "$pid"
    wait "$pid"
done
