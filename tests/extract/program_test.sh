#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# program_test.sh COMB-EXTRACT: what the program prints, and how it ends, when people call it.
set -euo pipefail
program=$PWD/$1
cd "$TEST_TMPDIR"

fail() {
    echo "program_test: $*" >&2
    exit 1
}

# expect STATUS ARGUMENT...: runs it; output and errors are in the files out and err.
expect() {
    local wanted=$1 status=0
    shift
    "$program" "$@" >out 2>err || status=$?
    [ "$status" -eq "$wanted" ] || fail "$*: ended with $status, not $wanted: $(cat err)"
}

printf 'one\n' >a.txt
printf '<p>two <b>words</b><script>hidden</script>' >b.html
printf '\211PNG\r\n\032\n\0\0\0\rIHDR' >c.png
printf 'PK\003\004 and no more' >d.docx

expect 0 a.txt b.html
[ "$(cat out)" = "one
two words" ] || fail "text: $(cat out)"
[ ! -s err ] || grep -q 'no namespaces here' err || fail "errors: $(cat err)"

expect 1 a.txt c.png b.html
[ "$(wc -l <out)" -eq 2 ] || fail "what can be read is read: $(cat out)"
grep -q '^comb-extract: c.png: ' err || fail "unsupported: $(cat err)"

expect 1 d.docx
grep -q '^comb-extract: d.docx: refused (damaged): ' err || fail "damaged: $(cat err)"

# Named otherwise, and under a type that says what it is.
cp b.html e
expect 0 --type text/html e
[ "$(cat out)" = "two words" ] || fail "by its type: $(cat out)"

# Cut, and said so.
head -c 3000000 /dev/zero | tr '\0' 'x' >f.txt
expect 1 --output-mib 1 f.txt
[ "$(wc -c <out)" -eq 1048576 ] || fail "cut at $(wc -c <out) bytes"
grep -q '^comb-extract: f.txt: truncated (too-large): ' err || fail "cut: $(cat err)"

expect 1 missing.txt
grep -q '^comb-extract: missing.txt: No such file' err || fail "missing: $(cat err)"

expect 2
expect 2 --no-such-option a.txt
expect 2 --seconds 0 a.txt
grep -q 'seconds is a number from 1 to 3600' err || fail "bounds: $(cat err)"
expect 2 --memory-mib 16 a.txt
expect 0 --check
grep -q '^filter of system calls: yes$' out || fail "check: $(cat out)"
expect 0 --help
grep -q '^usage: comb-extract ' out || fail "help: $(cat out)"
expect 0 --version
grep -Eq '^comb-extract [0-9]+\.[0-9]+\.[0-9]+$' out || fail "version: $(cat out)"

# Started by hand as combd starts it, but with nobody at descriptor 3.
expect 1 --worker 3>&-

"$program" f.txt >/dev/full 2>err && fail "a full disk went unnoticed"
grep -q 'standard output' err || fail "full disk: $(cat err)"
