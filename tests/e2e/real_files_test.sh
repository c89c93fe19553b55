#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# PDFs, office files, mails and pages of this machine's packages are found by what comb-extract takes out of them, as grep would
# find it; what could not be read is told with its reason. How soon after its upload a file is found, of an idle server and of
# one that reads many others. COMB_LONG=1: more of all, and the times are held to; COMB_REAL_FILES names a folder of more files.
# shellcheck source=lib.sh
. tests/e2e/lib.sh

files=12 uploads=3 load=40
[ "${COMB_TEST_STORES:-}" != clustered ] || files=4 uploads=1 load=10
[ -z "${COMB_LONG:-}" ] || files=1500 uploads=200 load=5000
# Of the 99th percentile, on an idle server, in the long form.
FRESH_MS_MAX=2000

EXTRACT=$PWD/server/extract/worker/comb-extract
corpus=$TEST_TMPDIR/corpus
mkdir "$corpus"
/usr/bin/python3 tests/e2e/real_files.py collect "$corpus" "$EXTRACT" "$files" >"$TEST_TMPDIR/expected"
sed '/^$/,$d' "$TEST_TMPDIR/expected" >"$TEST_TMPDIR/words"
sed '1,/^$/d' "$TEST_TMPDIR/expected" | LC_ALL=C sort >"$TEST_TMPDIR/unread"
[ "$(wc -l <"$TEST_TMPDIR/words")" = 10 ] || fail "no ten words"
n=$(find "$corpus" -type f | wc -l)

start_combd --extract-program "$EXTRACT" --extract-workers 2
login_admin

# cpu_ms: of combd until now.
cpu_ms() {
    awk -v hertz="$(getconf CLK_TCK)" '{ sub(/^.*\) /, ""); print int(($12 + $13) * 1000 / hertz) }' "/proc/$combd_pid/stat"
}

# unread: files that are not read, outcome and reason, sorted; those that wait too.
unread() {
    comb find --unread type:file | sed -E 's|^(\S+) +(\S+) +.*/|\1\t\2\t|' | awk -F'\t' -v OFS='\t' '{ print $3, $1, $2 }' |
        LC_ALL=C sort
}

begin=$(date +%s%N)
cpu_begin=$(cpu_ms)
expect 0 comb put -r "$corpus" /personal
tries=0
# Until the names are all there and the last file has been read.
until [ "$(comb find type:file | wc -l)" = "$n" ] && found=$(unread) && [ "$found" = "$(cat "$TEST_TMPDIR/unread")" ]; do
    [ "$tries" -lt 900 ] || fail "unread is"$'\n'"$(unread)"$'\n'"and not"$'\n'"$(cat "$TEST_TMPDIR/unread")"
    sleep 0.1
    tries=$((tries + 1))
done
took=$((($(date +%s%N) - begin) / 1000000))
echo "$n files were put and read in $took ms, $((n * 1000 / (took + 1))) files/s, with $(($(cpu_ms) - cpu_begin)) ms of combd's CPU"
while IFS=$'\t' read -r word wanted; do
    found=$(comb find "content:$word" | sed 's|.*/||' | LC_ALL=C sort | paste -s)
    [ "$found" = "$wanted" ] || fail "\"$word\" is in"$'\n'"$wanted"$'\n'"and was found in"$'\n'"$found"
done <"$TEST_TMPDIR/words"

# percentile P NUMBERS...: of sorted ones.
percentile() {
    local at=$((($1 * ($# - 1) + 99) / 100))
    shift
    echo "${!at}"
}

# fresh PREFIX: puts and finds; tells the times. Sets p99.
fresh() {
    local times
    read -ra times <<<"$(/usr/bin/python3 tests/e2e/real_files.py fresh "$COMB" /personal "$1" "$uploads")"
    [ "${#times[@]}" = "$uploads" ] || fail "not all of the $uploads files of \"$1\" were found"
    p99=$(percentile 99 "${times[@]}")
    echo "$1: $uploads files were found after $(percentile 50 "${times[@]}") ms (p50), $p99 ms (p99)"
}

fresh idle
[ -z "${COMB_LONG:-}" ] || [ "$p99" -le "$FRESH_MS_MAX" ] || fail "an idle server takes $p99 ms"
mkdir "$TEST_TMPDIR/load"
for i in $(seq "$load"); do
    printf 'one of many, number %s\n' "$i" >"$TEST_TMPDIR/load/$i.txt"
done
comb put -r "$TEST_TMPDIR/load" /personal >/dev/null &
loader=$!
fresh loaded
wait "$loader" || fail "the load was not put"
stop_combd
