#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# json_peer_test.sh PROTOC TOOL PYTHON SAMPLE...: each sample as protoc encodes it, through our JSON into Python's protobuf and
# through Python's JSON into ours.
set -eu
protoc=$1 tool=$2 python=$3
shift 3
set -- "$@"
"$protoc" -Itests/gen -I/usr/include --include_imports --descriptor_set_out="$TEST_TMPDIR/pool" \
    google/protobuf/descriptor.proto tests/gen/corpus/*.proto tests/gen/corpus/*/*.proto
for sample in "$@"; do
    read -r _ file message <"$sample"
    "$protoc" -Itests/gen -I/usr/include --encode="$message" "$file" <"$sample" >"$TEST_TMPDIR/$(basename "$sample")"
    echo "$message $TEST_TMPDIR/$(basename "$sample")"
done >"$TEST_TMPDIR/list"
"$python" tests/gen/json_peer_test.py "$TEST_TMPDIR/pool" "$tool" <"$TEST_TMPDIR/list"
