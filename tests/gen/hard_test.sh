#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# hard_test.sh PROTOC PLUGIN HARD_PROTOS.PY INCLUDE-HEADER: what is generated from hard .proto files is the same each time
# and compiles under all warnings, as C11 by gcc and clang, its headers as C++ by g++ and clang.
set -euo pipefail
protoc=$PWD/$1 plugin=$PWD/$2 include=$PWD/${4%/grpcc/*}
mkdir "$TEST_TMPDIR/protos" "$TEST_TMPDIR/out" "$TEST_TMPDIR/again"
/usr/bin/python3 "$3" "$TEST_TMPDIR/protos"
cd "$TEST_TMPDIR"
mapfile -t names < <(cd protos && find . -name '*.proto' -printf '%P\n' | LC_ALL=C sort)
[ "${#names[@]}" -ge 25 ]
"$protoc" --plugin=protoc-gen-grpcc="$plugin" --grpcc_out=out -Iprotos "${names[@]}" 2>warnings || { cat warnings; exit 1; }
strict=(-Wall -Wextra -Wpedantic -Werror -D_GNU_SOURCE -I"$include" -Iout)
failed=0
for name in "${names[@]}"; do
    # One file alone gives what all of them together gave.
    "$protoc" --plugin=protoc-gen-grpcc="$plugin" --grpcc_out=again -Iprotos "$name" 2>/dev/null
    printf '#include "%s"\n' "${name%.proto}.grpcc.h" >header.cc
    for compiler in "gcc -std=c11" "clang-14 -std=c11" "g++ -std=c++11" "clang++-14 -std=c++20"; do
        source=out/${name%.proto}.grpcc.c
        [[ $compiler == *++* ]] && source=header.cc
        # shellcheck disable=SC2086 # a program and its option
        $compiler "${strict[@]}" -fsyntax-only "$source" || { echo "FAILED $compiler: $name"; failed=1; }
    done
done
diff -r out again
exit $failed
