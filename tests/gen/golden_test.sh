#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# golden_test.sh PROTOC PLUGIN [--update]: what the plugin writes for a few .proto files must be what golden/ holds; with
# --update, golden/ becomes what the plugin writes. Also: the order of the files and other files of the run change nothing.
set -eu
protoc=$1 plugin=$2 update=${3:-}
golden=(legacy services words)
work=${TEST_TMPDIR:-$(mktemp -d)}
[ -n "${TEST_TMPDIR:-}" ] || trap 'rm -rf "$work"' EXIT

generate() {
    mkdir "$work/$1"
    "$protoc" --plugin=protoc-gen-grpcc="$plugin" --grpcc_out="$work/$1" -Itests/gen -I/usr/include "${@:2}"
}

generate all corpus/services.proto corpus/shapes.proto corpus/legacy.proto corpus/words.proto corpus/scalars.proto
generate reversed corpus/scalars.proto corpus/words.proto corpus/legacy.proto corpus/shapes.proto corpus/services.proto
diff -r "$work/all" "$work/reversed"
failed=0
for name in "${golden[@]}"; do
    generate "alone_$name" "corpus/$name.proto"
    for suffix in h c; do
        cmp "$work/all/corpus/$name.grpcc.$suffix" "$work/alone_$name/corpus/$name.grpcc.$suffix"
        if [ "$update" = --update ]; then
            cp "$work/all/corpus/$name.grpcc.$suffix" "$BUILD_WORKSPACE_DIRECTORY/tests/gen/golden/$name.grpcc.$suffix.golden"
        else
            diff -u "tests/gen/golden/$name.grpcc.$suffix.golden" "$work/all/corpus/$name.grpcc.$suffix" || failed=1
        fi
    done
done
[ $failed = 0 ] || echo "If the change is meant: bazel run //tests/gen:update_golden"
exit $failed
