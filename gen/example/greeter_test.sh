#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the example: the server picks a port, the client greets, SIGTERM ends the server with 0.
set -euo pipefail
server=$1 client=$2 readme=$3

coproc SERVER { exec "$server" 127.0.0.1:0; }
pid=$SERVER_PID
read -r port <&"${SERVER[0]}"
out=$("$client" "127.0.0.1:$port" Ada Grace)
expected=$'Hello, Ada!\nHello, Ada!\nHello, Grace!'
[ "$out" = "$expected" ] || { echo "greeted: $out"; exit 1; }
if "$client" "127.0.0.1:$port" '' 2>error.txt; then
    echo "an empty name was greeted"
    exit 1
fi
grep -q 'INVALID_ARGUMENT: name must not be empty' error.txt
kill -TERM "$pid"
wait "$pid"

# What the README shows is what is built here.
example=$(dirname "$readme")/example
for file in greeter.proto greeter_server.c; do
    grep -v SPDX "$example/$file" > file.txt
    python3 - "$readme" file.txt <<'PYTHON' || { echo "gen/README.md does not show $file as it is"; exit 1; }
import sys
readme, shown = (open(path).read() for path in sys.argv[1:])
sys.exit(shown.strip() not in readme)
PYTHON
done
