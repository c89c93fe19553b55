#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# extract_test.sh PYTHON COMB_EXTRACT: files that are made to harm are uploaded among others: each ends with its reason,
# the server does not grow, and the others are read. Then the index is built anew. COMB_LONG=1: a text of 1 GiB.
PYTHON=$1
EXTRACT=$(realpath "$2")
# shellcheck source=lib.sh
. tests/e2e/lib.sh

LARGE_MIB=64
[ -z "${COMB_LONG:-}" ] || LARGE_MIB=1024
# What the server may grow by: its own buffers, far from what the files unpack to.
GROWTH_MIB_MAX=128
AWAIT_TENTHS_MAX=1200

rss_mib() {
    echo $(($(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB$/\1/p' "/proc/$combd_pid/status") / 1024))
}

# metric NAME [LABELS]: its number, of combd's metrics listener.
metric() {
    "$PYTHON" - "$metrics" "$1" <<'END'
import sys, urllib.request

text = urllib.request.urlopen("http://" + sys.argv[1] + "/metrics", timeout=60).read().decode()
print(int(sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(sys.argv[2]))))
END
}

# await NUMBER METRIC: until it is at least that.
await() {
    local waited=0
    until [ "$(metric "$2")" -ge "$1" ]; do
        [ "$waited" -lt "$AWAIT_TENTHS_MAX" ] || fail "$2 is $(metric "$2"), not $1"
        sleep 0.1
        waited=$((waited + 1))
    done
}

files=$TEST_TMPDIR/files
mkdir "$files"
"$PYTHON" - "$files" <<'END'
import io, sys, zipfile, zlib

folder = sys.argv[1]


def deflated(piece, times):
    packer = zlib.compressobj(9)
    return b"".join([packer.compress(piece) for _ in range(times)] + [packer.flush()])


# A page whose content is 32 MiB of operators, in a file of 100 KiB.
stream = deflated(b"BT /F 9 Tf (x) Tj ET\n" * 50000, 32)
with open(folder + "/bomb.pdf", "wb") as out:
    out.write(b"%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
              b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
              b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>endobj\n"
              b"4 0 obj<</Length %d/Filter/FlateDecode>>stream\n" % len(stream) + stream +
              b"\nendstream endobj\ntrailer<</Root 1 0 R>>\n")
# A document of Word that is small until it is unpacked.
with zipfile.ZipFile(folder + "/bomb.docx", "w", zipfile.ZIP_DEFLATED) as package:
    package.writestr("[Content_Types].xml", "<Types/>")
    package.writestr("word/document.xml", "<w:document>" + "<w:p/>" * 8000000 + "</w:document>")
# A zip of zips.
inner = b"nothing"
for _ in range(9):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr("%d.zip" % number, inner)
    inner = buffer.getvalue()
open(folder + "/zips.zip", "wb").write(inner)
END
head -c 1000000 /dev/urandom >"$files/noise.bin"

{ yes "a line of a long text" || true; } | head -c 2000000 >"$files/long.txt"
{ yes "another line" || true; } | head -c "$((LARGE_MIB * 1024 * 1024))" >"$files/large.txt"
printf 'the platypus lays eggs\n' >"$files/note.txt"

start_combd --extract-program "$EXTRACT" --extract-workers 2 --extract-timeout-s 30 --metrics-listen 127.0.0.1:0
metrics=$(sed -n 's/^metrics=//p' "$TEST_TMPDIR/ready")
login_admin
expect 0 comb put "$files/note.txt" /personal/
await 1 'comb_extract_files_total{comb_outcome="text"'
# twenty_calls: tells how long twenty calls took, in milliseconds.
twenty_calls() {
    local begin i
    begin=$(date +%s%N)
    for i in $(seq 20); do
        comb stat /personal/note.txt >/dev/null || fail "stat $i"
    done
    echo $((($(date +%s%N) - begin) / 1000000))
}
before=$(rss_mib)
calls_before=$(twenty_calls)
for name in bomb.pdf bomb.docx zips.zip noise.bin long.txt large.txt; do
    expect 0 comb put "$files/$name" /personal/
done
calls_during=$(twenty_calls)
# The rest goes on.
expect 0 comb put "$files/note.txt" /personal/last.txt
await 8 comb_extract_files_total
after=$(rss_mib)
[ "$(metric 'comb_extract_files_total{comb_outcome="text"')" -ge 2 ] || fail "the notes were not read"
[ "$(metric 'comb_extract_files_total{comb_outcome="unsupported"')" -ge 2 ] || fail "zips and noise are said to be read"
[ "$(metric 'comb_extract_files_total{comb_outcome="truncated"')" -ge 2 ] || fail "the long texts were not cut"
[ "$(metric 'comb_extract_files_total{comb_outcome="refused"')" -ge 1 ] || fail "no bomb was refused"
[ "$((after - before))" -le "$GROWTH_MIB_MAX" ] || fail "the server grew from $before to $after MiB"
echo "the server had $before MiB before and $after MiB after files that unpack to gigabytes;" \
    "twenty calls of the program comb took $calls_before ms before and $calls_during ms meanwhile"

# All of them again, since an administrator wants it.
expect 0 comb call Operations Start --json '{"kind": "search.reindex"}'
await 16 comb_extract_files_total
waited=0
until comb -o json operations ls --kind search.reindex --state "done" | grep -q search.reindex; do
    [ "$waited" -lt "$AWAIT_TENTHS_MAX" ] || fail "building the index anew does not end"
    sleep 0.1
    waited=$((waited + 1))
done
expect 0 comb ls /personal
says last.txt
stop_combd

# Without the program the server serves, and says once what is missing.
start_combd --extract-program "$TEST_TMPDIR/missing"
grep -q "contents of files will not be found" "$TEST_TMPDIR/combd.log" || fail "nothing is said of what is missing"
expect 0 comb ls /personal
stop_combd
expect 1 "$COMBD" --home "$COMB_HOME" --check --extract-program "$TEST_TMPDIR/missing"
says "extract "
expect 0 "$COMBD" --home "$COMB_HOME" --check --extract-program "$EXTRACT"
says "comb-extract"
