#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# errors_test.sh PROTOC PLUGIN PROTO...: generation of each .proto must fail with exactly the errors that its comments expect:
#     // OPTION: the plugin's parameter
#     // EXPECT: LINE: MESSAGE       in this file
#     // EXPECT-WHOLE: MESSAGE       without a place
set -u
protoc=$1 plugin=$2
shift 2
failed=0
for path in "$@"; do
    name=${path#tests/gen/}
    sed -n "s|^// EXPECT: |$name:|p; s|^// EXPECT-WHOLE: ||p" "$path" >"$TEST_TMPDIR/want"
    option=$(sed -n 's|^// OPTION: ||p' "$path")
    rm -rf "$TEST_TMPDIR/out"
    mkdir "$TEST_TMPDIR/out"
    if "$protoc" --plugin=protoc-gen-grpcc="$plugin" --grpcc_out="$option:$TEST_TMPDIR/out" -Itests/gen -I/usr/include \
        "$name" 2>"$TEST_TMPDIR/stderr"; then
        echo "FAILED $name: protoc succeeded"
        failed=1
    fi
    sed 's|^--grpcc_out: ||' "$TEST_TMPDIR/stderr" >"$TEST_TMPDIR/got"
    if ! diff -u --label "expected of $name" --label reported "$TEST_TMPDIR/want" "$TEST_TMPDIR/got"; then
        failed=1
    elif [ -n "$(ls -A "$TEST_TMPDIR/out")" ]; then
        echo "FAILED $name: files were written"
        failed=1
    else
        echo "ok $name"
    fi
done
# What is no request at all is the one failure that is an exit code.
if printf 'no request' | "$plugin" >"$TEST_TMPDIR/stdout" 2>"$TEST_TMPDIR/stderr" || [ -s "$TEST_TMPDIR/stdout" ] ||
    ! grep -q 'standard input is not a CodeGeneratorRequest' "$TEST_TMPDIR/stderr"; then
    echo "FAILED on what is no request"
    failed=1
fi
[ $# -gt 0 ] && exit $failed
