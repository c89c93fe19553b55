#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# metrics_docs_test.sh PYTHON CHECKER DOC MEASURED: the runtime's metrics are those of DOC.
set -euo pipefail
python=$1 checker=$2 doc=$3 measured=$4

coproc MEASURED { "$measured"; }
read -r port <&"${MEASURED[0]}"
"$python" "$checker" "$doc" "$port" grpc. grpcc.

# What is odd comes through, as the parser of others reads it.
"$python" - "$port" <<'END'
import http.client, sys
from prometheus_client.parser import text_string_to_metric_families
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=30)
connection.request("GET", "/metrics")
text = connection.getresponse().read().decode("utf-8")
families = {f.name: f for f in text_string_to_metric_families(text)}
odd = families["testing_odd"]
assert odd.documentation == "A help with \\ and\na second line.", odd.documentation
assert [(s.labels, s.value) for s in odd.samples] == [({"what": '"a\\b\nc"'}, 7.0)], odd.samples
durations = families["grpc_server_call_duration_seconds"]
by_status = {s.labels["grpc_status"]: s.value for s in durations.samples
             if s.name.endswith("_count") and s.labels["grpc_method"] == "grpcc.testing.Echo/Unary"}
assert by_status == {"OK": 1.0, "NOT_FOUND": 1.0}, by_status
for bound in ("0", "1e-05", "0.065", "100", "+Inf"):
    assert any(s.labels.get("le") == bound for s in durations.samples), bound
END
eval "exec ${MEASURED[1]}>&-"
wait "$MEASURED_PID"
