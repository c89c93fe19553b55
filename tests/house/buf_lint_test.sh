#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# buf_lint_test.sh BUF TREE: buf's STANDARD rules hold for api/, and would notice if they did not.
# Services are called what users call the thing (Tree, Data), not TreeService: hence the one exception. What is not our
# package (google/…, grpc/…) keeps its upstream's names and is not ours to judge.
set -euo pipefail

buf=$(realpath "$1")
tree=$(realpath "$2")
export HOME=$TEST_TMPDIR
cd "$TEST_TMPDIR"

cp -rL "$tree/api" api
modules='  - path: api'
ignored='    - api/google'
if [ -d "$tree/gen/runtime/proto" ]; then
    cp -rL "$tree/gen/runtime/proto" runtime
    modules+=$'\n  - path: runtime'
    ignored+=$'\n    - runtime'
fi
cat >buf.yaml <<END
version: v2
modules:
$modules
lint:
  use:
    - STANDARD
  except:
    - SERVICE_SUFFIX
  ignore:
$ignored
END

"$buf" lint

cat >api/comb/v1/seeded.proto <<'END'
syntax = "proto3";
package comb.v1;
message badly_named { string Field = 1; }
END
if "$buf" lint >seeded.log 2>&1 || ! grep -q seeded.proto:3 seeded.log; then
    cat seeded.log
    echo "buf lint did not notice a badly named message"
    exit 1
fi
echo "lint holds for $(find api/comb -name '*.proto' | wc -l) files, one of them seeded and found"
