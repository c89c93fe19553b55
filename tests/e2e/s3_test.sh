#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The content of files in S3 through a real combd: up and down in bounded memory, URLs, a wrong key, the endpoint killed and
# started again, a restart of combd.
. tests/e2e/lib.sh

PORT=10199
RSS_MAX_KIB=262144
endpoint_pid=

start_endpoint() {
    external/peers/bin/versitygw --quiet --port "127.0.0.1:$PORT" --access test-key --secret test-secret \
        --region us-east-1 posix --sidecar "$TEST_TMPDIR/meta" "$TEST_TMPDIR/data" >>"$TEST_TMPDIR/s3.log" 2>&1 &
    endpoint_pid=$!
    local waited=0
    until (: <>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do
        [ "$waited" -lt 600 ] || fail "the S3 endpoint does not listen: $(cat "$TEST_TMPDIR/s3.log")"
        sleep 0.1
        waited=$((waited + 1))
    done
}

stop_endpoint() {
    kill -KILL "$endpoint_pid"
    wait "$endpoint_pid" 2>/dev/null || true
}

mkdir -p "$TEST_TMPDIR/meta" "$TEST_TMPDIR/data/files"
printf 'test-key:test-secret\n' >"$TEST_TMPDIR/key"
printf 'test-key:other\n' >"$TEST_TMPDIR/wrong"
chmod 600 "$TEST_TMPDIR/key" "$TEST_TMPDIR/wrong"
row=(--data "s3://files?endpoint=http://127.0.0.1:$PORT&prefix=comb" --data-credentials-file "$TEST_TMPDIR/key")

start_endpoint
output=$("$COMBD" --check --home "$COMB_HOME" "${row[@]::3}" "$TEST_TMPDIR/wrong" 2>&1) && fail "a wrong key is taken"
says SignatureDoesNotMatch
output=$("$COMBD" --check --home "$COMB_HOME" "${row[@]}" 2>&1) || fail "the check: $output"

start_combd "${row[@]}"
login_admin

# More than a part, and what memory it takes.
head -c 100000000 /dev/urandom >"$TEST_TMPDIR/large"
expect 0 comb put "$TEST_TMPDIR/large" /personal/large
expect 0 comb get /personal/large "$TEST_TMPDIR/back"
cmp "$TEST_TMPDIR/large" "$TEST_TMPDIR/back"
printf 'peak: %s\n' "$(grep VmHWM "/proc/$combd_pid/status")"
rss=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$combd_pid/status")
[ "$rss" -lt "$RSS_MAX_KIB" ] || fail "combd took $rss KiB"

# Read past the server.
printf 'hello' >"$TEST_TMPDIR/small"
expect 0 comb put "$TEST_TMPDIR/small" /personal/small
expect 0 comb url --ttl 30 /personal/small
content=$(python3 -c 'import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())' "$output")
[ "$content" = hello ] || fail "the URL gives '$content'"
expect 2 comb url --ttl 61 /personal/small
expect 3 comb url /personal/none

# While the endpoint is away all but the content of files goes on; it is found again.
stop_endpoint
expect 6 comb --timeout 20 put "$TEST_TMPDIR/small" /personal/away
expect 0 comb ls /personal
start_endpoint
expect 0 comb put "$TEST_TMPDIR/small" /personal/again

stop_combd
start_combd "${row[@]}"
expect 0 comb cat /personal/again
[ "$output" = hello ] || fail "after the restart: '$output'"
stop_combd
stop_endpoint
