#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# roundtrip_test.sh PROTOC TOOL SAMPLE...: what protoc encodes of each sample must come back from our decoder and encoder as
# the same message, by protoc's own reading. A sample is a message in text form; its first line names file and message.
set -u
protoc=$1 tool=$2
shift 2
failed=0
for sample in "$@"; do
    read -r _ file message <"$sample"
    work=$TEST_TMPDIR/$(basename "$sample")
    run() { "$protoc" -Itests/gen -I/usr/include "$@" "$file"; }
    if run --encode="$message" <"$sample" >"$work.in" &&
        "$tool" "$message" <"$work.in" >"$work.out" &&
        run --decode="$message" <"$work.in" >"$work.want" &&
        run --decode="$message" <"$work.out" >"$work.got" &&
        diff -u "$work.want" "$work.got"; then
        echo "ok $sample ($(stat -c %s "$work.in") bytes)"
    else
        echo "FAILED $sample"
        failed=1
    fi
done
[ $# -gt 0 ] && exit $failed
