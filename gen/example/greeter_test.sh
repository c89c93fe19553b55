#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# greeter_test.sh SERVER CLIENT LOOP: the example as Bazel builds it; SIGTERM ends the server with 0.
set -euo pipefail
server=$1 client=$2 loop=$3

"$server" 127.0.0.1:7000 &
pid=$!
out=$("$client" 127.0.0.1:7000 Ada)
expected=$'Hello, Ada!\nHello, Ada!\nHello, Ada!\nHello, everyone! (3 people)\nHello, Ada!\nHello, Ada!'
[ "$out" = "$expected" ] || { echo "greeted: $out"; exit 1; }
if "$client" 127.0.0.1:7000 '' 2>error.txt; then
    echo "an empty name was greeted"
    exit 1
fi
grep -q 'INVALID_ARGUMENT: the name must not be empty' error.txt
out=$("$loop" 127.0.0.1:7000 Ada Grace Jean | sort)
[ "$out" = $'Hello, Ada!\nHello, Grace!\nHello, Jean!' ] || { echo "the loop greeted: $out"; exit 1; }
kill -TERM "$pid"
wait "$pid"
